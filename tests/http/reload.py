"""What changes while it runs: certificate, accounts and limits, without a stream noticing."""
import pathlib
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import unittest

import server
import tap
from server import Fanlight, classic_parts, eventually, handshake, openssl, stopped


def make_pair(folder, name):
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
            "-subj", "/CN=" + name, "-keyout", f"{folder}/key.{name}", "-out", f"{folder}/cert.{name}")


class Reload(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="fanlight-reload-"))
        self.addCleanup(shutil.rmtree, self.folder)
        for name in ("one", "two"):
            make_pair(self.folder, name)
        self.replace("one")
        self.config = self.folder / "fanlight.conf"
        self.config.write_text(f"cert = {self.folder}/cert\nkey = {self.folder}/key\n")
        # In a session of its own it has no terminal that could hang up.
        self.fanlight = Fanlight("--config", self.config, https=True, under=("setsid",))
        self.addCleanup(self.check_end)
        answer = self.fanlight.request("/stream")
        self.addCleanup(answer.raw.close)
        self.parts = classic_parts(answer)
        next(self.parts)

    def check_end(self):
        self.assertEqual(self.fanlight.close(), 0, self.fanlight.log)

    def replace(self, name):
        """As ACME clients do: new files take the names, one after the other."""
        for kind in ("key", "cert"):
            shutil.copy(self.folder / f"{kind}.{name}", self.folder / "new")
            (self.folder / "new").rename(self.folder / kind)

    def hang_up(self, *lines):
        with self.config.open("a") as config:
            config.writelines(line + "\n" for line in lines)
        self.fanlight.process.send_signal(signal.SIGHUP)

    def log(self):
        return "".join(self.fanlight.log)

    def is_served(self, name):
        subject = openssl("x509", "-inform", "DER", "-noout", "-subject",
                          input=handshake(self.fanlight)[2])
        return f"CN = {name}".encode() in subject

    def assert_stream_goes_on(self):
        for _ in range(10):
            next(self.parts)

    def resumes(self, context, session):
        """Whether a TLS session is gone on with, and the one that there is then."""
        port = int(self.fanlight.urls["https"].rsplit(":", 1)[1])
        with socket.create_connection(("127.0.0.1", port), server.PATIENCE_S) as plain:
            with context.wrap_socket(plain, session=session) as secure:
                secure.sendall(b"GET /healthz HTTP/1.0\r\n\r\n")
                while secure.recv(4096):
                    pass  # tickets come before the answer
                return secure.session_reused, secure.session

    def test_sessions_are_resumed_until_the_keys_of_tickets_change(self):
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            context = ssl.create_default_context()
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            context.minimum_version = context.maximum_version = version
            session = self.resumes(context, None)[1]
            self.assertTrue(self.resumes(context, session)[0], version)
            self.hang_up()
            eventually(lambda: not self.resumes(context, session)[0])
        self.assert_stream_goes_on()

    def test_a_new_certificate_is_taken_up_by_itself(self):
        self.assertTrue(self.is_served("one"))
        self.replace("two")
        eventually(lambda: self.is_served("two"))
        self.assert_stream_goes_on()

    def test_a_bad_certificate_leaves_the_old_one_and_is_named(self):
        (self.folder / "cert").write_text("rubbish\n")
        eventually(lambda: "is no PEM certificate" in self.log())
        self.assertIn("all stays as it was", self.log())
        self.assertTrue(self.is_served("one"))
        self.replace("two")
        eventually(lambda: self.is_served("two"))
        self.assert_stream_goes_on()

    def test_a_key_that_others_can_read_is_warned_of(self):
        (self.folder / "key.two").chmod(0o644)
        self.assertNotIn("can reach the key", self.log())
        self.replace("two")
        eventually(lambda: f"can reach the key {self.folder}/key;" in self.log())
        eventually(lambda: self.is_served("two"))

    def test_who_loses_the_account_while_logging_in_is_not_let_in(self):
        accounts = self.folder / "accounts"
        subprocess.run([server.FANLIGHT, "passwd", accounts, "alice"], input=b"secret", check=True)
        self.hang_up(f"accounts = {accounts}")
        eventually(lambda: self.fanlight.get("/state")[0] == 401)
        login = self.fanlight.threads("login")["login"]
        connection = self.fanlight.connect()
        self.addCleanup(connection.close)
        with stopped(login):
            connection.sendall(b"GET /state HTTP/1.1\r\nHost: x\r\n"
                               b"Authorization: Basic YWxpY2U6c2VjcmV0\r\n\r\n")
            self.fanlight.get("/healthz")  # asked later, so the login has been understood
            accounts.write_text("")
            self.hang_up("max-url-bytes = 256")
            eventually(lambda: self.fanlight.get("/healthz?" + 256 * "a")[0] == 414)
        answer = server.Answer(connection)
        self.addCleanup(answer.raw.close)
        self.assertEqual(answer.status, 401)

    def test_sighup_takes_up_certificate_limits_and_accounts(self):
        self.hang_up("max-streams = 1")
        eventually(lambda: "read the settings anew" in self.log())
        eventually(lambda: self.fanlight.get("/stream", method="HEAD")[0] == 200)
        eventually(lambda: self.fanlight.get("/snapshot")[0] == 200)
        refused = self.fanlight.get("/stream")
        self.assertEqual(refused[0], 503)
        self.hang_up("max-url-bytes = 256", "max-body-bytes = 256")
        eventually(lambda: self.fanlight.get("/healthz?" + 256 * "a")[0] == 414)
        self.assertEqual(self.fanlight.get("/healthz", method="POST", body=257 * "a")[0], 413)
        accounts = self.folder / "accounts"
        subprocess.run([server.FANLIGHT, "passwd", accounts, "alice"], input=b"secret", check=True)
        self.hang_up(f"accounts = {accounts}")
        eventually(lambda: self.fanlight.get("/state")[0] == 401)
        self.assert_stream_goes_on()

    def test_wrong_settings_leave_all_as_it_was(self):
        self.hang_up("max-streams = none")
        eventually(lambda: "the settings are wrong; all stays as it was" in self.log())
        self.assertIn('"none" is not allowed', self.log())
        self.assert_stream_goes_on()


tap.main()
