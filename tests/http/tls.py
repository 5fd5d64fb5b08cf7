"""HTTPS: protocols, the certificate that is made on first start, and given ones."""
import contextlib
import os
import pathlib
import platform
import re
import shutil
import socket
import ssl
import stat
import subprocess
import tempfile
import unittest

import server
import tap
from server import Fanlight, handshake, openssl


class Protocols(server.Case):
    HTTPS = True

    def test_h2_is_chosen_where_offered(self):
        self.assertEqual(handshake(self.fanlight, "h2", "http/1.1")[0], "h2")
        self.assertEqual(handshake(self.fanlight, "http/1.1")[0], "http/1.1")
        self.assertIsNone(handshake(self.fanlight)[0])

    def test_tls_1_2_and_1_3_are_spoken_and_nothing_older(self):
        self.assertEqual(handshake(self.fanlight)[1], "TLSv1.3")
        only_1_2 = {"maximum_version": ssl.TLSVersion.TLSv1_2}
        self.assertEqual(handshake(self.fanlight, **only_1_2)[1], "TLSv1.2")
        port = self.fanlight.urls["https"].rsplit(":", 1)[1]
        for version, spoken in (("-tls1_2", True), ("-tls1_1", False), ("-tls1", False)):
            client = subprocess.run(
                ["openssl", "s_client", "-connect", "127.0.0.1:" + port, version, "-cipher",
                 "ALL:@SECLEVEL=0"],
                stdin=subprocess.DEVNULL, capture_output=True, timeout=server.PATIENCE_S)
            self.assertEqual(client.returncode == 0, spoken, version)

    def test_the_certificate_is_for_this_machine(self):
        text = openssl("x509", "-inform", "DER", "-noout", "-text",
                       input=handshake(self.fanlight)[2]).decode()
        host = socket.gethostname()
        for name in (f"DNS:{host}", f"DNS:{host}.local", "DNS:localhost", "IP Address:127.0.0.1",
                     "IP Address:0:0:0:0:0:0:0:1"):
            self.assertIn(name, text)
        self.assertIn("NIST CURVE: P-256", text)
        self.assertIn("ecdsa-with-SHA256", text)


class Ciphers(unittest.TestCase):
    @unittest.skipIf(platform.machine() != "x86_64", "only there can OpenSSL be told to do without")
    def test_chacha20_is_chosen_where_aes_is_slow(self):
        # For OpenSSL this processor has SSE2 and nothing newer.
        under = ["env", "OPENSSL_ia32cap=0x7ffffff:0"]
        with contextlib.closing(Fanlight(https=True, under=under)) as fanlight:
            for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
                self.assertIn("CHACHA20", handshake(fanlight, maximum_version=version)[3])


class SelfSigned(unittest.TestCase):
    def setUp(self):
        folder = tempfile.mkdtemp(prefix="fanlight-tls-")
        self.addCleanup(shutil.rmtree, folder)
        self.folder = pathlib.Path(folder) / "deep" / "state"

    def start(self, *options):
        fanlight = Fanlight("--state-dir", self.folder, *options, https=True)
        self.addCleanup(fanlight.close)
        printed = re.search(r"SHA-256 ([0-9A-F:]{95})", "".join(fanlight.log)).group(1)
        der = handshake(fanlight)[2]
        real = openssl("x509", "-inform", "DER", "-noout", "-fingerprint", "-sha256", input=der)
        self.assertEqual(printed, real.decode().strip().split("=")[1])
        self.assertEqual(fanlight.close(), 0)
        return printed

    def test_it_is_made_once_for_its_owner_only_and_kept(self):
        first = self.start()
        file, = self.folder.iterdir()
        self.assertEqual(stat.S_IMODE(file.stat().st_mode), 0o600)
        self.assertEqual(stat.S_IMODE(self.folder.stat().st_mode), 0o700)
        self.assertEqual(self.start(), first)

    def test_a_broken_or_old_one_is_replaced(self):
        first = self.start()
        file, = self.folder.iterdir()
        file.write_text("rubbish")
        second = self.start()
        self.assertNotEqual(second, first)
        key, old = str(self.folder / "key"), str(self.folder / "old")
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                "-subj", "/CN=old", "-days", "5", "-keyout", key, "-out", old)
        file.write_text(pathlib.Path(key).read_text() + pathlib.Path(old).read_text())
        os.remove(key)
        os.remove(old)
        self.assertNotEqual(self.start(), second)


class Given(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="fanlight-tls-")
        for name in ("one", "two"):
            openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=" + name,
                    "-keyout", f"{cls.folder}/{name}.key", "-out", f"{cls.folder}/{name}.crt")

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.folder)

    def options(self, cert, key):
        return ("--cert", f"{self.folder}/{cert}", "--key", f"{self.folder}/{key}")

    def test_a_given_certificate_is_used(self):
        fanlight = Fanlight(*self.options("one.crt", "one.key"), https=True)
        self.addCleanup(fanlight.close)
        subject = openssl("x509", "-inform", "DER", "-noout", "-subject",
                          input=handshake(fanlight)[2])
        self.assertIn(b"CN = one", subject)
        self.assertNotIn("self-signed", "".join(fanlight.log))
        self.assertEqual(fanlight.close(), 0)

    def assert_refused(self, options, *texts, **others):
        run = subprocess.run(
            [server.FANLIGHT, "--config", "/dev/null", "--source", "pattern", "--http", "off",
             "--https", "127.0.0.1:0", *options],
            capture_output=True, text=True, timeout=server.PATIENCE_S, **others)
        self.assertEqual(run.returncode, 1, run.stderr)
        self.assertEqual(len(run.stderr.splitlines()), 1, run.stderr)
        for text in texts:
            self.assertIn(text, run.stderr)

    def test_what_cannot_be_used_is_named(self):
        self.assert_refused(self.options("three.crt", "one.key"), "three.crt", "No such file")
        self.assert_refused(self.options("one.crt", "three.key"), "three.key", "No such file")
        self.assert_refused(self.options("one.crt", "two.key"), "two.key", "mismatch")
        self.assert_refused(self.options("one.key", "one.key"), "one.key", "no PEM certificate")
        self.assert_refused(self.options("one.crt", "one.crt"), "one.crt", "no PEM key")

    def test_nobody_is_asked_for_a_passphrase(self):
        openssl("rsa", "-aes256", "-passout", "pass:secret", "-in", f"{self.folder}/one.key", "-out",
                f"{self.folder}/locked.key")
        silent, asker = os.pipe()  # whoever waits for an answer waits for ever
        self.addCleanup(os.close, silent)
        self.addCleanup(os.close, asker)
        self.assert_refused(self.options("one.crt", "locked.key"), "locked.key", "has a passphrase",
                            stdin=silent, start_new_session=True)

    def test_a_folder_that_cannot_be_made_is_named(self):
        self.assert_refused(("--state-dir", "/proc/fanlight"), "/proc/fanlight", "--cert")


tap.main()
