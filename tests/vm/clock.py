#!/usr/bin/env python3
"""The clock is set: nothing changes but the stamps."""
import http.client
import socket
import sys
import tempfile
import time
import urllib.request

import guest

TIMES = 3
DAY_S = 86400


class Clock:
    def __init__(self, node):
        self.node = node

    def start(self, *options):
        return guest.Fanlight('--source', self.node, '--size', '320x180', '--format', 'YUYV',
                              '--fps', '10', *options)

    def stamp(self, connection):
        """The time of the newest picture, which may be one from before."""
        connection.request('GET', '/snapshot?max_age_ms=60000')
        answer = connection.getresponse()
        answer.read()
        assert answer.status == 200, answer.status
        return float(answer.headers['X-Timestamp'])

    def endure(self, happening, happen, *facts):
        """Somebody watches and somebody has a connection, while it happens several times.

        Of the camera these facts stay as they are.
        """
        with self.start('--request-timeout', '3600') as fanlight:
            viewer = guest.Viewer(fanlight)
            viewer.wait_for_more()
            address = fanlight.url.removeprefix('http://')
            other = http.client.HTTPConnection(address, timeout=guest.PATIENCE_S)
            before = fanlight.state()['cameras'][0]
            for _ in range(TIMES):
                happen(fanlight)
                viewer.wait_for_more(5)
                deadline = time.monotonic() + guest.PATIENCE_S
                while abs(self.stamp(other) - time.time()) > DAY_S / 2:
                    assert time.monotonic() < deadline, 'the stamps never followed'
                    time.sleep(0.1)
            after = fanlight.state()['cameras'][0]
            for fact in ('opened', 'lost', 'faults', *facts):
                assert after[fact] == before[fact], (fact, before, after)
            print(f'# {happening}: {TIMES} times', flush=True)
        viewer.thread.join()

    def only_the_stamps_change_when_the_clock_is_set(self):
        steps = iter((2 * DAY_S, -4 * DAY_S, DAY_S))
        self.endure('the clock is set', lambda fanlight: time.clock_settime(
            time.CLOCK_REALTIME, time.time() + next(steps)), 'restarted', 'oddities')

    def deadlines_come_though_the_clock_was_set_back(self):
        with self.start('--request-timeout', '2') as fanlight:
            host, port = fanlight.url.removeprefix('http://').split(':')
            with socket.create_connection((host, int(port)), guest.PATIENCE_S) as silent:
                time.clock_settime(time.CLOCK_REALTIME, time.time() - DAY_S)
                while silent.recv(4096):
                    pass

    def signed_addresses_expire_by_the_clock_as_it_is_then(self):
        """Who watches already goes on, and a token is good at any time."""
        with tempfile.TemporaryDirectory() as folder:
            state, accounts = ('--state-dir', folder), f'{folder}/accounts'
            token = guest.output_of(guest.FANLIGHT, 'token', accounts, 'door').strip()
            snapshot, stream = (guest.output_of(guest.FANLIGHT, 'sign', *state, '--for', '1h',
                                                path).strip()
                                for path in ('/snapshot?max_age_ms=60000', '/stream'))
            with self.start(*state, '--accounts', accounts) as fanlight:
                watched = urllib.request.urlopen(fanlight.url + stream, timeout=guest.PATIENCE_S)
                for step, status in ((0, 200), (DAY_S, 401), (-DAY_S, 200), (-DAY_S, 200),
                                     (3 * DAY_S, 401)):
                    time.clock_settime(time.CLOCK_REALTIME, time.time() + step)
                    assert len(watched.read(50_000)) == 50_000, 'who watched was cut off'
                    assert fanlight.get(snapshot)[0] == status, step
                    known = urllib.request.Request(
                        fanlight.url + '/state', headers={'Authorization': f'Bearer {token}'})
                    urllib.request.urlopen(known, timeout=guest.PATIENCE_S).close()
                watched.close()


def main():
    node, = guest.load_vivid(['webcam'])
    clock = Clock(node)
    return guest.run_with_vivid(guest.promises(
        clock.only_the_stamps_change_when_the_clock_is_set,
        clock.deadlines_come_though_the_clock_was_set_back,
        clock.signed_addresses_expire_by_the_clock_as_it_is_then))


if __name__ == '__main__':
    sys.exit(main())
