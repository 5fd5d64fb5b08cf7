"""A day's worth of frames leaves nothing behind.

For another number of them, after the program's path:
    PYTHONPATH=tests:tests/http python3 tests/endurance/frames.py FANLIGHT 100000
"""
import os
import subprocess
import sys
import unittest

import tap
from server import Fanlight, classic_parts, eventually

# As many cameras as there may be, as fast as they go.
CAMERAS, OPTIONS = 16, ("--source", "pattern", "--size", "16x16", "--fps", "960")
FRAMES = int(sys.argv[2]) if len(sys.argv) > 2 else 24 * 60 * 60 * 30
WARM_UP = 50_000  # frames until memory has been taken that is kept
GROWTH_KB = 1024  # of a heap that is used in another order each time


class Frames(unittest.TestCase):
    def setUp(self):
        cameras = [option for number in range(CAMERAS)
                   for option in ("--camera", f"c{number}", *OPTIONS)]
        self.fanlight = Fanlight(*cameras, "--encode-threads", "1")
        urls = [f"{self.fanlight.urls['http']}/c{number}/stream" for number in range(CAMERAS)]
        self.viewers = [
            self.watch("nghttp", "-n", *urls[::2]),
            self.watch("curl", "-sNZ", "--parallel-immediate",
                       *(argument for url in urls[1::2] for argument in ("-o", os.devnull, url)))]
        # One picture a second, to look then how far the others are.
        self.clock = classic_parts(self.fanlight.request("/c0/stream?fps=1"))

    def tearDown(self):
        self.assertEqual(self.fanlight.close(), 0)

    def watch(self, *command):
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def wait_for(self, frames):
        """Until viewers were sent so many, of all cameras."""
        for _ in self.clock:
            self.assertEqual([viewer.poll() for viewer in self.viewers], [None, None])
            sent = [client["frames"] for camera in self.fanlight.state()["cameras"]
                    for client in camera["clients"]]
            if sum(sent) >= frames:
                return

    def test_a_days_frames_leave_nothing_behind(self):
        self.wait_for(WARM_UP)
        memory_kb, files = self.fanlight.memory_kb(), self.fanlight.open_files()
        self.wait_for(WARM_UP + FRAMES)
        eventually(lambda: self.fanlight.open_files() <= files)
        print(f"# {FRAMES} frames: {memory_kb} KB before, {self.fanlight.memory_kb()} after")
        self.assertLessEqual(self.fanlight.memory_kb(), memory_kb + GROWTH_KB)


tap.main()
