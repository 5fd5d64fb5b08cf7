"""tools/bench compares Fanlight with the ustreamer that is installed."""
import json
import subprocess
import sys
import tempfile
import unittest

import tap

BENCH, BUILD = sys.argv[1:]


class Peers(unittest.TestCase):
    def test_both_show_all_viewers_the_same_camera_and_tell_its_age(self):
        with tempfile.NamedTemporaryFile() as report:
            # Long enough for an emulated guest on a busy machine to show a few pictures.
            bench = subprocess.run(
                [BENCH, "--build", BUILD, "--rounds", "1", "--seconds", "15", "--json",
                 report.name, "peers"], capture_output=True, text=True)
            self.assertEqual((bench.returncode, bench.stderr), (0, ""), bench.stdout)
            rows = json.load(report)["peers"]
        self.assertEqual(list(rows), [
            f"{viewers}, {program}" for viewers in (1, 10)
            for program in ("fanlight", "ustreamer", "ustreamer, 1 worker")])
        for name, row in rows.items():
            with self.subTest(name):
                self.assertGreater(row["fast fps"], 0)
                self.assertGreater(row["fast age p50"], 0)


tap.main()
