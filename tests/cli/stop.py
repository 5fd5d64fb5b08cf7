"""How fanlight ends: by a key, by signals, with its terminal gone; and how it leaves the terminal."""
import fcntl
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import termios
import threading
import unittest
import urllib.request

import tap

FANLIGHT = sys.argv[1]
# What a shell that controls jobs does with a program: to the background at once, or by Ctrl-Z.
IN_BACKGROUND = ["sh", "-mc", '"$@" & wait $!', "sh"]
BY_CTRL_Z = ["sh", "-mc", '"$@"; bg >/dev/null; wait %1', "sh"]


def child_of(pid):
    (child,) = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return int(child)


class Stop(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="fanlight-stop-")
        self.addCleanup(shutil.rmtree, self.folder)
        self.log = ""

    def start(self, *, terminal=False, shell=(), ignore=()):
        """Run fanlight on the pattern and wait until it is up; self.url is where."""
        if terminal:
            self.master, self.slave = os.openpty()
            self.addCleanup(os.close, self.slave)
            self.modes = termios.tcgetattr(self.slave)

        def prepare():
            # Whatever ignores signals around this test, as nohup does, is not what it is about.
            for number in signal.SIGHUP, signal.SIGINT, signal.SIGTERM:
                signal.signal(number, signal.SIG_IGN if number in ignore else signal.SIG_DFL)
            if terminal:
                fcntl.ioctl(self.slave, termios.TIOCSCTTY, 0)

        self.process = subprocess.Popen(
            [*shell, FANLIGHT, "--config", "/dev/null", "--source", "pattern", "--size", "64x48",
             "--http", "127.0.0.1:0", "--https", "off", "--state-dir", self.folder],
            stdin=self.slave if terminal else subprocess.DEVNULL, stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL, text=True, start_new_session=True, preexec_fn=prepare)
        # Whatever hangs, the test ends.
        watchdog = threading.Timer(60, os.killpg, [self.process.pid, signal.SIGKILL])
        watchdog.start()
        self.addCleanup(self.process.stderr.close)
        self.addCleanup(watchdog.cancel)
        self.wait_for(r"http://127\.0\.0\.1:\d+/")
        self.url = re.search(r"http://\S+/", self.log)[0]

    def wait_for(self, pattern):
        while not re.search(pattern, self.log):
            line = self.process.stderr.readline()
            self.assertTrue(line, f"ended without {pattern}:\n{self.log}")
            self.log += line

    def type(self, keys):
        os.write(self.master, keys)

    def assert_ends(self, code):
        self.log += self.process.stderr.read()
        self.assertEqual(self.process.wait(), code, self.log)

    def assert_modes(self, *, raw):
        flags = termios.tcgetattr(self.slave)[3]
        for flag in termios.ICANON, termios.ECHO:
            self.assertEqual(bool(flags & flag), not raw)
        if not raw:
            self.assertEqual(termios.tcgetattr(self.slave), self.modes)

    def test_q_stops_and_leaves_the_terminal_as_it_was(self):
        self.start(terminal=True)
        self.wait_for("q or Ctrl-C stops")
        self.assert_modes(raw=True)
        self.type(b"xq")
        self.assert_ends(0)
        self.assert_modes(raw=False)

    def test_ctrl_c_stops_and_leaves_the_terminal_as_it_was(self):
        self.start(terminal=True)
        self.wait_for("q or Ctrl-C stops")
        self.type(b"\x03")
        self.assert_ends(0)
        self.assert_modes(raw=False)

    def test_terminal_that_closes_stops(self):
        self.start(terminal=True)
        self.wait_for("q or Ctrl-C stops")
        os.close(self.master)
        self.assert_ends(0)

    def test_sigterm_stops(self):
        self.start()
        self.process.terminate()
        self.assert_ends(0)
        self.assertIn("stopping: Terminated", self.log)

    def test_second_signal_ends_at_once(self):
        self.start()
        # Both lie ready when it wakes: the first begins an orderly stop, the second cuts it short.
        for number in signal.SIGSTOP, signal.SIGINT, signal.SIGTERM, signal.SIGCONT:
            self.process.send_signal(number)
        self.assert_ends(-signal.SIGTERM)
        self.assertIn("stopping: Interrupt", self.log)

    def test_nohup_is_respected(self):
        self.start(ignore=[signal.SIGHUP])
        self.process.send_signal(signal.SIGHUP)
        self.process.terminate()
        self.assert_ends(0)
        self.assertIn("stopping: Terminated", self.log)

    def test_background_job_leaves_the_terminal_alone(self):
        self.start(terminal=True, shell=IN_BACKGROUND)
        with urllib.request.urlopen(self.url + "snapshot", timeout=30) as answer:
            self.assertEqual(answer.status, 200)
        self.assert_modes(raw=False)
        self.type(b"q\n")
        os.kill(child_of(self.process.pid), signal.SIGTERM)
        self.assert_ends(0)
        self.assertIn("stopping: Terminated", self.log)
        self.assert_modes(raw=False)

    def test_job_sent_to_the_background_runs_on_and_stops(self):
        self.start(terminal=True, shell=BY_CTRL_Z)
        self.wait_for("q or Ctrl-C stops")
        self.type(b"\x1a")
        with urllib.request.urlopen(self.url + "snapshot", timeout=30) as answer:
            self.assertEqual(answer.status, 200)
        self.type(b"q\n")
        with urllib.request.urlopen(self.url + "snapshot", timeout=30) as answer:
            self.assertEqual(answer.status, 200)
        os.kill(child_of(self.process.pid), signal.SIGTERM)
        self.assert_ends(0)
        self.assertIn("stopping: Terminated", self.log)

    def test_stop_ends_a_running_stream(self):
        self.start()
        with urllib.request.urlopen(self.url + "stream", timeout=30) as stream:
            self.assertTrue(stream.read(1000))
            self.process.terminate()
            stream.read()
        self.assert_ends(0)


tap.main()
