#!/usr/bin/env python3
"""Opening a camera again and again leaves nothing behind, and neither do its frames.

For longer, with the numbers of openings and frames after the programs' paths (in the guest: rig.py):
    endurance.py FANLIGHT FAKECAM 10000 10000
"""
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import guest
import restarts

OPENINGS, FRAMES = (int(number) for number in sys.argv[3:5] or (1000, 600))
WARM_UP = 30  # openings of each camera and, tenfold, frames until memory has been taken that is kept
GROWTH_KB = 1024  # of a heap that is used in another order each time
CAMERAS = 4  # that are opened at a time
SIZES = (320, 180), (160, 90)


class Endurance:
    def __init__(self, node, others):
        self.node, self.others = node, others

    def start(self, *options):
        return guest.Fanlight('--source', self.node, '--size', '320x180', '--fps', '60', *options)

    def start_others(self):
        """Fanlight with a camera, c0 and so on, of each other node."""
        return guest.Fanlight('--size', f'{SIZES[0][0]}x{SIZES[0][1]}', *(
            option for number, node in enumerate(self.others)
            for option in ('--camera', f'c{number}', '--source', node)))

    def holdings(self, fanlight):
        """Resident KB, descriptors and dma-bufs."""
        process = Path('/proc') / str(fanlight.process.pid)
        memory = next(line for line in (process / 'status').read_text().splitlines()
                      if line.startswith('VmRSS:'))
        return int(memory.split()[1]), len(os.listdir(process / 'fd')), restarts.dmabufs()

    def assert_flat(self, what, n, fanlight, before):
        """That no more is held than before, or will be when threads on their way have come."""
        deadline = time.monotonic() + guest.PATIENCE_S
        while (after := self.holdings(fanlight))[1] > before[1] or after[2] > before[2]:
            assert time.monotonic() < deadline, (before, after)
            time.sleep(0.05)
        print(f'# {n} {what}: KB, descriptors, dma-bufs {before} -> {after}', flush=True)
        assert after[0] <= before[0] + GROWTH_KB, (before, after)

    def open_again_and_again(self, fanlight, viewers, times):
        """Each camera so many times, all at once; its viewer sees it every time."""
        def reopen(number):
            for turn in range(times):
                width, height = SIZES[(turn + 1) % 2]
                status, answer = fanlight.patch({'format': {'width': width, 'height': height}},
                                                f'/c{number}')
                assert status == 200, answer
                viewers[number].wait_for_more()
        with ThreadPoolExecutor(CAMERAS) as pool:
            list(pool.map(reopen, range(CAMERAS)))  # which raises what they raised

    def lose_signals(self, viewers):
        """Once each, for what a placeholder takes: a slow machine may show one at any time."""
        for node, viewer in zip(self.others, viewers):
            guest.set_controls(node, standard_signal_mode=1)
            viewer.wait_for_placeholder()
            guest.set_controls(node, standard_signal_mode=0)
            viewer.wait_for_more()

    def opening_again_and_again_leaves_nothing_behind(self):
        times = OPENINGS // CAMERAS
        with self.start_others() as fanlight:
            viewers = [guest.Viewer(fanlight, f'/c{number}') for number in range(CAMERAS)]
            self.lose_signals(viewers)
            self.open_again_and_again(fanlight, viewers, WARM_UP)
            before = self.holdings(fanlight)
            self.open_again_and_again(fanlight, viewers, times)
            self.assert_flat('openings', times * CAMERAS, fanlight, before)
            opened = [camera['opened'] for camera in fanlight.state()['cameras']]
            assert min(opened) > WARM_UP + times, opened
        for viewer in viewers:
            viewer.thread.join()

    def frames_leave_nothing_behind(self):
        with self.start() as fanlight:
            viewer = guest.Viewer(fanlight)
            viewer.wait_for_more(10 * WARM_UP)
            before = self.holdings(fanlight)
            for _ in range(FRAMES // WARM_UP):
                viewer.wait_for_more(WARM_UP)
            self.assert_flat('frames', FRAMES, fanlight, before)
        viewer.thread.join()

    def a_camera_at_rest_is_free_for_others_and_started_by_a_viewer(self):
        dmabufs = restarts.dmabufs()
        with self.start('--idle', 'stop') as fanlight:
            next(fanlight.stream())
            fanlight.until(lambda camera: camera['state'] == 'idle')
            assert not restarts.users(self.node), restarts.users(self.node)
            assert restarts.dmabufs() == dmabufs
            guest.output_of('v4l2-ctl', '-d', self.node, '--stream-mmap=4', '--stream-count=2')
            next(fanlight.stream())
            camera = fanlight.until(lambda camera: camera['online'])
            print(f'# first picture after {camera["first_picture_ms"]:.0f} ms', flush=True)


def main():
    node, *others = guest.load_vivid(['webcam'] + ['svideo'] * CAMERAS)
    endurance = Endurance(node, others)
    return guest.run_with_vivid(guest.promises(
        endurance.opening_again_and_again_leaves_nothing_behind,
        endurance.frames_leave_nothing_behind,
        endurance.a_camera_at_rest_is_free_for_others_and_started_by_a_viewer))


if __name__ == '__main__':
    sys.exit(main())
