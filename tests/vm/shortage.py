#!/usr/bin/env python3
"""The kernel kills who is beyond the limit of a control group: newcomers are refused before."""
import http.client
import json
import socket
import sys
import time
from pathlib import Path

import guest

RESERVE = 16 << 20  # as fanlight.conf(5) says
HEADER = b'GET / HTTP/1.1\r\nX-Large: ' + 15_000 * b'a'  # and no end of it
ROOT = Path('/sys/fs/cgroup')
GROUP = ROOT / 'fanlight'


def numbers(file):
    return {name: int(value) for name, value in
            (line.split() for line in (GROUP / file).read_text().splitlines())}


class Watched:
    """A Fanlight in a control group of its own, with a viewer, and somebody who asks how it is."""

    def __init__(self, *options):
        self.fanlight = guest.Fanlight(
            '--source', 'pattern', '--size', '320x180', '--fps', '10', '--max-connections', '4000',
            '--max-connections-per-address', '4000', '--request-timeout', '3600',
            *options, preexec_fn=lambda: (GROUP / 'cgroup.procs').write_text('0'))
        self.crowd = []

    def __enter__(self):
        self.fanlight.__enter__()
        self.viewer = guest.Viewer(self.fanlight)
        self.viewer.wait_for_more()
        self.address = self.fanlight.url.removeprefix('http://').split(':')
        self.early = http.client.HTTPConnection(*self.address, timeout=guest.PATIENCE_S)
        self.before = self.state()
        return self

    def __exit__(self, *failure):
        (GROUP / 'memory.max').write_text('max')
        for connection in self.crowd:
            connection.close()
        self.fanlight.__exit__(*failure)
        self.viewer.thread.join()

    def state(self):
        self.early.request('GET', '/state')
        return json.load(self.early.getresponse())

    def is_short(self):
        return (self.state()['limits_reached']['shortage'] >
                self.before['limits_reached']['shortage'])

    def limit(self, more_bytes):
        """Let it have so much more than it has, without the files that are cached for it."""
        stat = numbers('memory.stat')
        now_bytes = int((GROUP / 'memory.current').read_text())
        now_bytes -= stat['active_file'] + stat['inactive_file']
        (GROUP / 'memory.max').write_text(str(now_bytes + more_bytes))

    def lets_in(self):
        try:
            return self.fanlight.get('/healthz')[0] == 200
        except OSError:
            return False

    def enter(self):
        """One more connection that holds what it may, if it is let in."""
        connection = socket.create_connection(self.address, guest.PATIENCE_S)
        self.crowd.append(connection)
        try:
            connection.sendall(HEADER)
        except ConnectionError:
            pass

    def has_read_all(self):
        """What waits with the kernel is counted as well, and otherwise."""
        port = f':{int(self.address[1]):04X}'
        sockets = (line.split() for line in Path('/proc/net/tcp').read_text().splitlines())
        return all(int(queues.split(':')[1], 16) == 0 for _, ours, _, _, queues, *_ in sockets
                   if ours.endswith(port))

    def assert_all_goes_on(self):
        """The camera and the first viewer; and the kernel had nobody to kill."""
        self.viewer.wait_for_more(15)
        events = numbers('memory.events')
        assert events['oom'] == events['oom_kill'] == 0, events
        camera = self.state()['cameras'][0]
        assert camera['online'] and not camera['lost'], camera


def eventually(happens):
    deadline = time.monotonic() + guest.PATIENCE_S
    while not happens():
        assert time.monotonic() < deadline, f'{happens.__name__}: never'
        time.sleep(0.1)


def is_cut_off(connection):
    try:
        return not connection.recv(1)
    except ConnectionError:
        return True


def newcomers_are_refused_before_the_group_has_no_memory():
    with Watched() as watched:
        watched.limit(RESERVE + (4 << 20))
        while not watched.is_short():
            assert len(watched.crowd) < 800, 'there is room for everybody'
            for _ in range(20):
                watched.enter()
        print(f'# {len(watched.crowd)} came', flush=True)
        watched.assert_all_goes_on()
        (GROUP / 'memory.max').write_text('max')
        for connection in watched.crowd:
            connection.close()
        eventually(watched.lets_in)


def the_newest_go_when_the_group_is_given_less():
    with Watched() as watched:
        for _ in range(600):
            watched.enter()
        eventually(watched.has_read_all)
        watched.limit(RESERVE - (2 << 20))
        for connection in watched.crowd[:-4:-1]:
            assert is_cut_off(connection)
        watched.assert_all_goes_on()


def take_what_can_be_had():
    try:
        (GROUP / 'memory.reclaim').write_text('1G')
    except OSError:
        pass  # that it was less


def faults_when_memory_is_taken(*options):
    """How often Fanlight waited for a disk, and what was locked."""
    with Watched(*options) as watched:
        process = Path(f'/proc/{watched.fanlight.process.pid}')
        faults = []
        # What only the start needed is of no use to anybody after the first time.
        for _ in range(6):
            take_what_can_be_had()
            watched.viewer.wait_for_more(15)
            stat = (process / 'stat').read_text().rpartition(')')[2].split()
            faults.append(int(stat[9]))
        watched.assert_all_goes_on()
        locked, = (int(line.split()[1]) for line in (process / 'status').read_text().splitlines()
                   if line.startswith('VmLck:'))
        return faults[-1] - faults[0], locked


def locked_memory_is_not_read_once_more():
    loose, nothing = faults_when_memory_is_taken()
    kept, locked = faults_when_memory_is_taken('--lock-memory', 'yes')
    print(f'# memory taken 5 times: {loose} pages read again, {kept} when it is locked', flush=True)
    assert nothing == 0 < locked, (nothing, locked)
    # What it does for the first time it reads, locked or not.
    assert kept < loose / 4, (kept, loose)


def main():
    guest.output_of('mount', '-t', 'cgroup2', 'cgroup', str(ROOT))
    (ROOT / 'cgroup.subtree_control').write_text('+memory')
    GROUP.mkdir()
    return guest.run(guest.promises(
        newcomers_are_refused_before_the_group_has_no_memory,
        the_newest_go_when_the_group_is_given_less, locked_memory_is_not_read_once_more))


if __name__ == '__main__':
    sys.exit(main())
