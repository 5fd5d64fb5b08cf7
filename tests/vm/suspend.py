#!/usr/bin/env python3
"""The machine is suspended to memory, and wakes: nothing changes but the stamps.

A machine of QEMU's really loses all else; rig.py wakes it.
"""
import http.client
import os
import re
import select
import socket
import sys
import time
import urllib.request
from pathlib import Path

import clock
import guest

POWER = Path('/sys/power')
NOTICES = '/tmp/notices'
UNREAD_NOTICES = Path('/proc/sys/net/unix/max_dgram_qlen')
WATCHDOG_S = 4
# More than what passes between two readings of a clock, and less than any sleep.
NEAR_S = 0.3


def wall_offset_s():
    return time.time() - time.monotonic()


def asleep_s():
    """For how long the machine has slept so far; no monotonic time passes meanwhile."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) - time.monotonic()


def sleep():
    sleeps, before = POWER / 'suspend_stats/success', asleep_s()
    n = int(sleeps.read_text())
    (POWER / 'state').write_text('mem')
    assert int(sleeps.read_text()) == n + 1
    assert asleep_s() - before > NEAR_S, asleep_s() - before


def see_fresh_snapshot(fanlight):
    """Of a slow camera: for as long as a second its newest picture is from before the sleep."""
    deadline, status = time.monotonic() + guest.PATIENCE_S, None
    while status != 200:
        assert time.monotonic() < deadline, status
        asked = time.time()
        status, headers, _ = fanlight.get('/slow/snapshot?max_age_ms=1000')
    age_s = asked - float(headers['X-Timestamp'])
    assert age_s < 1 + NEAR_S, age_s


def since(fanlight):
    return fanlight.until(lambda now: not now['online'], camera=1)['since']


def told_since(fanlight):
    """As the live page is told it, by the clock that counts sleep."""
    told = b''
    with urllib.request.urlopen(f'{fanlight.url}/none/live', timeout=guest.PATIENCE_S) as live:
        while not (since := re.search(rb'"since_us":(-?\d+),', told)):
            told += live.read1()
    return int(since[1]) / 1e6 + asleep_s()


def see_right_stamps(fanlight):
    """Watch until a picture's time is by the wall clock what it is by the monotonic one."""
    deadline = time.monotonic() + guest.PATIENCE_S
    with urllib.request.urlopen(f'{fanlight.url}/stream?extra_headers=1',
                                timeout=guest.PATIENCE_S) as parts:
        offset_s = 0
        while abs(offset_s - wall_offset_s()) > NEAR_S:
            assert time.monotonic() < deadline, (offset_s, wall_offset_s())
            parts.readline()  # the boundary
            headers = http.client.parse_headers(parts)
            offset_s = float(headers['X-Timestamp']) - float(headers['X-UStreamer-Grab-Time'])
            parts.read(int(headers['Content-Length']) + len('\r\n'))


def hear_pulse(notices):
    """All threads come round, now and once more."""
    while select.select([notices], [], [], 0)[0]:
        notices.recv(4096)  # what was said before
    pulses = 0
    while pulses < 2:
        pulses += notices.recv(4096) == b'WATCHDOG=1'


def what_was_before_sleep_is_older_by_that():
    with guest.Fanlight('--camera', 'slow', '--source', 'pattern', '--size', '320x180', '--fps', '1',
                        '--camera', 'none', '--source', '/dev/none') as fanlight:
        for _ in range(clock.TIMES):
            before = since(fanlight), told_since(fanlight)
            fanlight.jpeg('/slow')
            sleep()
            see_fresh_snapshot(fanlight)
            after = since(fanlight), told_since(fanlight)
            assert max(abs(a - b) for a, b in zip(after, before)) < NEAR_S, (before, after)


def main():
    node, = guest.load_vivid(['webcam'])
    UNREAD_NOTICES.write_text('1000')  # Fanlight would wait until there is room for another
    notices = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    notices.bind(NOTICES)
    notices.settimeout(guest.PATIENCE_S)
    os.environ.update(NOTIFY_SOCKET=NOTICES, WATCHDOG_USEC=str(WATCHDOG_S * 1000000))

    def happen(fanlight):
        sleep()
        see_right_stamps(fanlight)
        hear_pulse(notices)

    def sleep_changes_nothing_but_the_stamps():
        clock.Clock(node).endure('the machine sleeps', happen, 'restarted', 'oddities')

    return guest.run_with_vivid(guest.promises(sleep_changes_nothing_but_the_stamps,
                                               what_was_before_sleep_is_older_by_that))


if __name__ == '__main__':
    sys.exit(main())
