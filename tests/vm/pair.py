"""Two cameras in one Fanlight: one is made to fail, and the other must not lose a frame."""
import multiprocessing
import os
import re
import subprocess
import sys
import threading
import time
from pathlib import Path

import guest

sys.path.insert(0, str(guest.HERE.parent))
from records import Record, records

# Of the other camera. A picture passes through six threads: the driver's, capture, encode, a
# worker, the server's and curl's. Each may find its core standing still for STILL_S and then do its
# work, and the next picture is yet to come.
FPS = 2
STILL_S = 0.05

# How threads of drivers are named, and the camera in user space.
DRIVERS = ('vivid-', 'vhci_', 'fakecam')


def come_first(process=0, priority=1):
    """Have a process, by default this one, and what it starts run before all others."""
    os.sched_setscheduler(process, os.SCHED_FIFO, os.sched_param(priority))


class Cores:
    """Whether this machine's cores stood still, as an emulated one's do when its host is busy."""

    def __init__(self):
        self.cells = []
        for core in os.sched_getaffinity(0):
            self.cells.append(multiprocessing.Value('d', lock=False))
            multiprocessing.Process(target=self.look, args=(core, self.cells[-1]),
                                    daemon=True).start()

    @staticmethod
    def look(core, cell):
        os.closerange(3, 256)  # else what this process was forked from could not close its pipes
        os.sched_setaffinity(0, {core})
        come_first(priority=2)
        while True:
            before = time.monotonic()
            time.sleep(STILL_S / 4)
            slept_s = time.monotonic() - before
            if slept_s > STILL_S:
                cell.value += 1 + slept_s * FPS

    def cost(self):
        """How many pictures that may have cost until now."""
        return sum(cell.value for cell in self.cells)


class Observer:
    """Who is sent every picture of a camera, and knows their numbers.

    curl reads them and holds what this program, which is slow, comes for later.
    """

    def __init__(self, fanlight, camera):
        self.curl = subprocess.Popen(['curl', '-sN', f'{fanlight.url}{camera}/live'],
                                     stdout=subprocess.PIPE, pipesize=1 << 20,
                                     preexec_fn=come_first)
        self.numbers, self.captured_us, self.watching = [], 0, True
        self.changed = threading.Condition()
        self.thread = threading.Thread(target=self.watch)
        self.thread.start()

    def read(self, n):
        data = self.curl.stdout.read(n)
        if len(data) < n:
            raise EOFError
        return data

    def watch(self):
        try:
            for record in records(self.read):
                if record.type == Record.PICTURE and not record.flags & Record.PLACEHOLDER:
                    with self.changed:
                        self.numbers.append(record.sequence)
                        self.captured_us = record.captured_us
                        self.changed.notify_all()
        except EOFError:
            pass  # Fanlight was stopped
        with self.changed:
            self.watching = False
            self.changed.notify_all()
        self.curl.stdout.close()
        self.curl.wait()

    def wait_for_now(self):
        """See a picture that was captured after this call. Returns which that is."""
        now_us = time.monotonic_ns() // 1000
        with self.changed:
            self.changed.wait_for(lambda: not self.watching or self.captured_us > now_us,
                                  guest.PATIENCE_S)
            assert self.captured_us > now_us, 'no more pictures of the other camera'
            return len(self.numbers) - 1

    def seen(self, first, last):
        """How many there were from one picture up to another, and how many of those are missing."""
        numbers = self.numbers[first:last + 1]
        assert all(a < b for a, b in zip(numbers, numbers[1:])), numbers
        frames = numbers[-1] - numbers[0] + 1
        return frames, frames - len(numbers)


class Pair:
    """The first camera is made to fail, while two viewers watch it; one watches the second.

    What the second's pictures need comes before all else that this machine does, so that they have
    a core when they want one and wait for nothing but each other and the first camera. Each
    fault prints a row of a table, as TAP's diagnostics.
    """

    def __init__(self, bad, good):
        self.cores = Cores()
        self.fanlight = guest.Fanlight('--camera', 'bad', *bad, '--camera', 'good', *good,
                                       '--fps', str(FPS), preexec_fn=come_first).__enter__()
        self.viewers = [guest.Viewer(self.fanlight, '/bad') for _ in range(2)]
        self.other = Observer(self.fanlight, '/good')
        for viewer in self.viewers:
            viewer.wait_for_more()
        self.other.wait_for_now()
        for process in Path('/proc').glob('[0-9]*'):
            if name_of(process).startswith(DRIVERS):
                come_first(int(process.name))
        print('# fault | injected | recovered | median s | worst s | lost by the other camera',
              flush=True)

    def state(self, camera=0):
        return self.fanlight.state()['cameras'][camera]

    def accounts(self):
        """Frames of the other camera until now that its driver has lost, that Fanlight has as it
        counts them, and that cores which stood still may have cost.
        """
        drops = dict(self.state(1)['drops'])
        skipped = re.findall(r'^fanlight_viewer_frames_skipped_total{camera="good".* (\d+)$',
                             self.fanlight.get('/metrics')[2].decode(), re.M)
        lost = drops.pop('lost')
        return lost, sum(drops.values()) + sum(map(int, skipped)), self.cores.cost()

    def endure(self, fault, inject, happened, times):
        """Make a fault happen so often; each time every viewer is served again."""
        before, accounts = self.state(1), self.accounts()
        first = self.other.wait_for_now()
        seconds = [guest.recover(self.fanlight, self.viewers, inject, happened)
                   for _ in range(times)]
        last = self.other.wait_for_now()
        after = self.state(1)
        for fact in ('opened', 'restarted', 'lost', 'faults'):
            assert after[fact] == before[fact], (before, after)
        frames, missing = self.other.seen(first, last)
        by_driver, by_fanlight, by_cores = (
            now - then for now, then in zip(self.accounts(), accounts))
        lost = max(0, missing - by_driver)
        guest.row(fault, seconds, f'{lost} of {frames}')
        assert lost <= by_fanlight, f'{lost} frames were lost, but {by_fanlight} counted'
        assert lost <= by_cores, f'{lost} frames were lost, {by_cores} to cores that stood still'

    def nobody_was_cut_off(self):
        """Nobody was until Fanlight stops."""
        assert all(watcher.watching for watcher in (*self.viewers, self.other))
        self.fanlight.__exit__(None, None, None)
        for watcher in (*self.viewers, self.other):
            watcher.thread.join()


def name_of(process):
    """Or "" when it has ended."""
    try:
        return (process / 'comm').read_text()
    except OSError:
        return ''
