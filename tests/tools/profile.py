"""tools/profile draws where the time of a running fanlight goes."""
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree as xml

import tap

FANLIGHT, PROBE = sys.argv[1:3]
PROFILE = pathlib.Path(__file__).resolve().parents[2] / "tools" / "profile"


class Profile(unittest.TestCase):
    def start(self, *command, **options):
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, text=True, **options)
        self.addCleanup(process.communicate)
        self.addCleanup(process.terminate)
        return process

    def run_profile(self, *options):
        return subprocess.run([PROFILE, *options], capture_output=True, text=True, check=False)

    def test_every_thread_that_worked_is_drawn_and_listed(self):
        fanlight = self.start(FANLIGHT, "--source", "pattern", "--fps", "240", "--size", "640x360",
                              "--http", "127.0.0.1:0", "--https", "off", stderr=subprocess.PIPE)
        url = None
        while not url:
            line = fanlight.stderr.readline()
            self.assertTrue(line, "fanlight ended")
            url = re.search(r"http://127\.0\.0\.1:\d+", line)
        self.start(PROBE, "--seconds", "60", url[0] + "/stream", stdout=subprocess.DEVNULL)
        with tempfile.TemporaryDirectory() as folder:
            svg = pathlib.Path(folder) / "profile.svg"
            result = self.run_profile("--pid", str(fanlight.pid), "--seconds", "4", "--output", svg)
            self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
            titles = [title.text for title in xml.parse(svg).iter(
                "{http://www.w3.org/2000/svg}title")]
        for thread in ("capture:camera", "encode:camera", "server"):
            self.assertTrue(any(title.startswith(thread + ": ") for title in titles), thread)
            self.assertRegex(result.stdout, rf"(?m)^{thread}: \d")
        self.assertTrue(any("libjpeg" in title for title in titles))

    def test_a_process_that_is_not_there_is_one_sentence(self):
        result = self.run_profile("--pid", "4194304", "--seconds", "1")
        self.assertNotEqual(result.returncode, 0)
        self.assertRegex(result.stderr, r"^profile: perf cannot record: ")


tap.main()
