"""A running fanlight is confined in all its threads, unless it is told not to be."""
import pathlib
import unittest

import tap
from server import Fanlight, classic_parts


class Sandbox(unittest.TestCase):
    def confinement(self, *options):
        """What the kernel says of each thread, while pictures flow."""
        fanlight = Fanlight("--size", "320x240", *options)
        self.addCleanup(fanlight.close)
        answer = fanlight.request("/stream")
        self.addCleanup(answer.raw.close)
        next(classic_parts(answer))
        fields = set()
        for status in pathlib.Path(f"/proc/{fanlight.process.pid}/task").glob("*/status"):
            lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
            fields.add((int(lines["Seccomp"]), int(lines["NoNewPrivs"])))
        return fields

    def test_every_thread_is_confined(self):
        self.assertEqual(self.confinement(), {(2, 1)})

    def test_it_may_open_the_files_that_its_limits_need(self):
        fanlight = Fanlight("--max-connections", "1000", under=("prlimit", "--nofile=64:4096"))
        self.addCleanup(fanlight.close)
        limits = pathlib.Path(f"/proc/{fanlight.process.pid}/limits").read_text()
        soft = int(limits.split("Max open files")[1].split()[0])
        self.assertGreater(soft, 1000)
        self.assertLess(soft, 4096)

    def test_it_may_open_the_files_that_its_cameras_need(self):
        cameras = [option for name in "abcdefgh"
                   for option in ("--camera", name, "--source", "pattern", "--size", "320x240",
                                  "--variants", "8")]
        fanlight = Fanlight(*cameras, "--max-connections", "1", under=("prlimit", "--nofile=64:4096"))
        self.addCleanup(fanlight.close)
        self.assertEqual(fanlight.get("/h/snapshot")[0], 200)

    def test_it_can_be_turned_off(self):
        own = dict(line.split(":", 1)
                   for line in pathlib.Path("/proc/self/status").read_text().splitlines())
        self.assertEqual(self.confinement("--sandbox", "no"),
                         {(int(own["Seccomp"]), int(own["NoNewPrivs"]))})


tap.main()
