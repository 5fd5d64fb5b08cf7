"""What a service manager hears: readiness, how the cameras are, and that all threads come round."""
import os
import pathlib
import select
import socket
import tempfile
import unittest

import server
import tap
from server import Fanlight, eventually, stopped

WATCHDOG_USEC = 100000  # a look every quarter of it


class Service(unittest.TestCase):
    def start(self, *options, **others):
        folder = tempfile.TemporaryDirectory(prefix="fanlight-service-")
        self.addCleanup(folder.cleanup)
        self.notices = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notices.settimeout(server.PATIENCE_S)
        self.notices.bind(folder.name + "/notify")
        fanlight = Fanlight("--size", "320x240", *options, **others, under=(
            "env", f"NOTIFY_SOCKET={folder.name}/notify", f"WATCHDOG_USEC={WATCHDOG_USEC}"))
        self.addCleanup(fanlight.close)
        self.addCleanup(self.notices.close)  # first: unread, notices hold up who sends them
        return fanlight

    def hear(self, wanted):
        """Everything up to the first notice that has this in it, without pings."""
        heard = []
        while not heard or wanted not in heard[-1]:
            heard += [self.notices.recv(4096).decode()]
        return [notice for notice in heard if notice != "WATCHDOG=1"]

    def let_it_look(self, fanlight):
        """Main has waited, and so looked at the threads, several times; what it said meanwhile."""
        def waits():
            status = pathlib.Path(f"/proc/{fanlight.process.pid}/status").read_text()
            return int(status.split("\nvoluntary_ctxt_switches:")[1].split()[0])

        def has_looked():
            looked = waits() > before + 8
            while select.select([self.notices], [], [], 0)[0]:
                heard.append(self.notices.recv(4096).decode())
            return looked
        heard, before = [], waits()
        eventually(has_looked)
        return heard

    def test_ready_comes_with_the_first_frame(self):
        self.start()
        *before, last, ready = self.hear("READY=1")
        self.assertEqual(ready, "READY=1")
        self.assertEqual(last, "STATUS=camera streams 320x240", before)

    def test_ready_comes_when_a_camera_is_known_to_be_absent(self):
        self.start(source="/dev/video99")
        *before, last, ready = self.hear("READY=1")
        self.assertRegex(last, "^STATUS=camera is offline: .*/dev/video99", before)

    def test_the_status_tells_of_each_camera(self):
        self.start("--camera", "here", "--camera", "there", "--source", "/dev/video99")
        while not (line := self.hear("STATUS=")[-1]).startswith("STATUS=here streams 320x240; "):
            pass
        self.assertRegex(line, "there is (offline|being opened)")

    def test_the_watchdog_is_fed_while_cameras_are_away(self):
        self.start(source="/dev/video99")
        self.hear("READY=1")
        for _ in range(5):  # all but one take that every thread comes round again
            self.hear("WATCHDOG=1")

    def test_a_thread_that_is_stuck_starves_the_watchdog(self):
        fanlight = self.start()
        self.hear("READY=1")
        for name, thread in fanlight.threads("capture", "control", "encode", "server", "login").items():
            self.hear("WATCHDOG=1")
            with self.subTest(thread=name), stopped(thread):
                self.let_it_look(fanlight)  # it may have come round just before
                self.assertEqual(self.let_it_look(fanlight), [])
        self.hear("WATCHDOG=1")
        eventually(lambda: any("is stuck" in line for line in fanlight.log))

    def test_stopping_is_told(self):
        fanlight = self.start()
        self.hear("READY=1")
        fanlight.stop()
        self.hear("STOPPING=1")
        self.notices.close()
        self.assertEqual(fanlight.close(), 0)


tap.main()
