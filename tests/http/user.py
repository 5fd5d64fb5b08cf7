"""Started by root it can become somebody else, who opened ports that only root may."""
import grp
import os
import pathlib
import pwd
import shutil
import signal
import socket
import ssl
import tempfile
import unittest

import server
import tap
from server import Fanlight, eventually, openssl

USER = pwd.getpwnam("nobody")
# An address that no other test is at, for the port is not chosen by the kernel.
ADDRESS = "127.%d.%d.%d" % (os.getpid() >> 16, os.getpid() >> 8 & 255, os.getpid() & 255)
# Nobody may look into a program that was root, a sanitizer in it neither.
UNDER = ("setsid", "env", "ASAN_OPTIONS=detect_leaks=0")


@unittest.skipIf(os.geteuid(), "only root can become another")
class User(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="fanlight-user-"))
        self.addCleanup(shutil.rmtree, self.folder)
        self.folder.chmod(0o755)
        self.state = self.folder / "state"

    def start(self, *options):
        fanlight = Fanlight("--user", USER.pw_name, "--https", f"{ADDRESS}:443", "--state-dir",
                            self.state, "--size", "320x240", *options, under=UNDER)
        self.addCleanup(fanlight.close)
        return fanlight

    @staticmethod
    def statuses(fanlight):
        """What the kernel says of each thread."""
        for status in pathlib.Path(f"/proc/{fanlight.process.pid}/task").glob("*/status"):
            yield dict(line.split(":", 1) for line in status.read_text().splitlines())

    @staticmethod
    def is_encrypted():
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with socket.create_connection((ADDRESS, 443), server.PATIENCE_S) as plain:
            with context.wrap_socket(plain) as secure:
                secure.sendall(b"GET /healthz HTTP/1.0\r\n\r\n")
                return secure.recv(12) == b"HTTP/1.1 200"

    def test_nothing_of_root_is_left_when_ports_are_open(self):
        fanlight = self.start()
        self.assertEqual(fanlight.get("/snapshot")[0], 200)
        self.assertTrue(self.is_encrypted())
        groups = {group.gr_gid for group in grp.getgrall() if group.gr_name in ("video", "render")}
        for status in self.statuses(fanlight):
            self.assertEqual(status["Uid"].split(), 4 * [str(USER.pw_uid)])
            self.assertEqual(status["Gid"].split(), 4 * [str(USER.pw_gid)])
            self.assertEqual(set(map(int, status["Groups"].split())), groups | {USER.pw_gid})
            self.assertEqual((int(status["CapEff"], 16), int(status["CapPrm"], 16)), (0, 0))
        for path in (self.state, *self.state.iterdir()):
            self.assertEqual((path.stat().st_uid, path.stat().st_mode & 0o077), (USER.pw_uid, 0), path)
        self.assertNotIn("runs as root", "".join(fanlight.log))

    def test_what_is_read_anew_is_read_as_that_user(self):
        fanlight = self.start()
        fanlight.process.send_signal(signal.SIGHUP)
        eventually(lambda: "read the settings anew" in "".join(fanlight.log))
        os.chown(self.state, 0, 0)
        fanlight.process.send_signal(signal.SIGHUP)
        eventually(lambda: "Permission denied" in "".join(fanlight.log))
        self.assertIn("all stays as it was", "".join(fanlight.log))
        self.assertTrue(self.is_encrypted())

    def test_a_key_that_only_root_can_read_is_no_key(self):
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                "-subj", "/CN=x", "-keyout", self.folder / "key", "-out", self.folder / "cert")
        with self.assertRaisesRegex(AssertionError, f"key {self.folder}/key: Permission denied"):
            self.start("--cert", self.folder / "cert", "--key", self.folder / "key")

    def test_root_that_stays_is_warned_of(self):
        for options, warned in (((), True), (("--user", "root"), False)):
            fanlight = Fanlight("--size", "320x240", *options)
            self.addCleanup(fanlight.close)
            self.assertEqual(fanlight.get("/snapshot")[0], 200)
            self.assertEqual("runs as root: name a user" in "".join(fanlight.log), warned)

    def test_memory_that_may_not_be_locked_is_a_reason_to_end(self):
        limited = ("prlimit", "--memlock=65536:65536", "setpriv", "--bounding-set=-sys_resource")
        reason = "locked memory is limited by RLIMIT_MEMLOCK .*CAP_SYS_RESOURCE.*LimitMEMLOCK"
        with self.assertRaisesRegex(AssertionError, reason):
            self.addCleanup(Fanlight("--lock-memory", "yes", under=limited).close)


tap.main()
