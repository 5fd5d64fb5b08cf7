"""tools/profile and tools/latency-trace draw where the time of a running fanlight goes."""
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.request
import xml.etree.ElementTree as xml

import tap

FANLIGHT, PROBE = sys.argv[1:3]
TOOLS = pathlib.Path(__file__).resolve().parents[2] / "tools"
UPROBES = "/sys/kernel/tracing/uprobe_events"


class Running(unittest.TestCase):
    TOOL = None

    def start(self, *command, **options):
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, text=True, **options)
        self.addCleanup(process.communicate)
        self.addCleanup(process.terminate)
        return process

    def run_tool(self, *options):
        return subprocess.run([TOOLS / self.TOOL, *options], capture_output=True, text=True,
                              check=False)

    @staticmethod
    def has_viewer(url):
        with urllib.request.urlopen(url + "/state") as answer:
            return any(client["frames"] for client in json.load(answer)["cameras"][0]["clients"])

    def draw_live(self):
        """Run the tool on a fanlight with a viewer: what it printed, and its drawing's titles."""
        fanlight = self.start(FANLIGHT, "--source", "pattern", "--fps", "120", "--size", "1920x1080",
                              "--http", "127.0.0.1:0", "--https", "off", stderr=subprocess.PIPE)
        url = None
        while not url:
            line = fanlight.stderr.readline()
            self.assertTrue(line, "fanlight ended")
            url = re.search(r"http://127\.0\.0\.1:\d+", line)
        self.start(PROBE, "--seconds", "600", url[0] + "/stream", stdout=subprocess.DEVNULL)
        while not self.has_viewer(url[0]):
            time.sleep(0.02)
        with tempfile.TemporaryDirectory() as folder:
            svg = pathlib.Path(folder) / "drawing.svg"
            result = self.run_tool("--pid", str(fanlight.pid), "--seconds", "4", "--output", svg)
            self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
            titles = [title.text for title in xml.parse(svg).iter(
                "{http://www.w3.org/2000/svg}title")]
        return result.stdout, titles

    def assert_refused(self, why, pid):
        result = self.run_tool("--pid", str(pid), "--seconds", "1")
        self.assertNotEqual(result.returncode, 0)
        self.assertRegex(result.stderr, f"^{self.TOOL}: {why}.*\n$")


class Profile(Running):
    TOOL = "profile"

    def test_every_thread_that_worked_is_drawn_and_listed(self):
        printed, titles = self.draw_live()
        for thread in ("capture:camera", "encode:camera", "server"):
            self.assertTrue(any(title.startswith(thread + ": ") for title in titles), thread)
            self.assertRegex(printed, rf"(?m)^{thread}: \d")
        self.assertTrue(any("libjpeg" in title for title in titles))

    def test_a_process_that_is_not_there_is_one_sentence(self):
        self.assert_refused("perf cannot record: ", 4194304)


def may_plant_probes():
    """Whether we may; perf mounts what it plants them by, where nothing else has."""
    subprocess.run(["perf", "probe", "--list"], capture_output=True, check=False)
    return os.access(UPROBES, os.W_OK)


@unittest.skipUnless(may_plant_probes(), "only root may plant probes in the kernel")
class LatencyTrace(Running):
    TOOL = "latency-trace"

    def test_every_stage_of_every_frame_is_drawn_and_listed(self):
        printed, titles = self.draw_live()
        self.assertRegex(printed, r"(?m)^capture:camera: \d+ frames")
        for stage in ("dequeue", "hand over", "wait", "encode", "wake server", "choose", "send"):
            self.assertRegex(printed, rf"(?m)^  {stage} +\d")
            self.assertTrue(any(re.fullmatch(rf"frame \d+, {stage}: [\d.]+ ms", title)
                                for title in titles), stage)
        self.assertRegex(printed, r"(?m)^  capture to sent +\d")
        self.assertTrue(any(re.fullmatch(r"frame \d+, slice \d on encode:\w+: [\d.]+ ms", title)
                            for title in titles))
        self.assertNotIn("sdt_fanlight", pathlib.Path(UPROBES).read_text(), "probes stay behind")

    def test_a_process_that_is_not_there_is_one_sentence(self):
        self.assert_refused("there is no process", 4194304)

    def test_a_process_without_probes_is_one_sentence(self):
        self.assert_refused("process .* has no probes of Fanlight's", os.getpid())


tap.main()
