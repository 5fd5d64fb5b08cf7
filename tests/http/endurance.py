"""A day's worth of frames leaves nothing behind.

For longer, with their number after the program's path; a day has 2.6 million:
    PYTHONPATH=tests:tests/http python3 tests/http/endurance.py FANLIGHT 2600000
"""
import sys
import threading
import unittest

import tap
from server import Fanlight, eventually

# As many cameras as there may be, as fast as they go.
CAMERAS, OPTIONS = 16, ("--source", "pattern", "--size", "16x16", "--fps", "240")
FRAMES = int(sys.argv[2]) if len(sys.argv) > 2 else 40_000
WARM_UP = 10_000  # frames until memory has been taken that is kept
GROWTH_KB = 1024  # of a heap that is used in another order each time


class Endurance(unittest.TestCase):
    def setUp(self):
        cameras = [option for number in range(CAMERAS)
                   for option in ("--camera", f"c{number}", *OPTIONS)]
        self.fanlight = Fanlight(*cameras, "--encode-threads", "1")
        self.viewers = [threading.Thread(target=self.watch, args=(f"/c{number}/stream",))
                        for number in range(CAMERAS)]
        for viewer in self.viewers:
            viewer.start()

    def tearDown(self):
        self.assertEqual(self.fanlight.close(), 0)
        for viewer in self.viewers:
            viewer.join()

    def watch(self, path):
        """Take what comes until Fanlight stops."""
        answer = self.fanlight.request(path)
        while answer.read_some():
            pass
        answer.raw.close()

    def sent(self):
        """Frames that viewers were sent, of all cameras."""
        return sum(client["frames"] for camera in self.fanlight.state()["cameras"]
                   for client in camera["clients"])

    def test_frames_leave_nothing_behind(self):
        eventually(lambda: self.sent() >= WARM_UP)
        memory_kb, files = self.fanlight.memory_kb(), self.fanlight.open_files()
        last = 0
        while last < WARM_UP + FRAMES:
            last = eventually(lambda: self.sent() > last and self.sent())
        eventually(lambda: self.fanlight.open_files() <= files)
        print(f"# {last} frames: {memory_kb} KB before, {self.fanlight.memory_kb()} after")
        self.assertLessEqual(self.fanlight.memory_kb(), memory_kb + GROWTH_KB)


tap.main()
