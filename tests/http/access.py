"""Who is let in: passwords, tokens, signed addresses, hosts, origins, and what strangers get."""
import base64
import http.client
import json
import os
import pathlib
import shutil
import ssl
import subprocess
import tempfile
import unittest

import server
import tap
from server import Fanlight, eventually

PASSWORD = "correct horse: battery"


def fanlight(*arguments, **others):
    return subprocess.run([server.FANLIGHT, *map(str, arguments)], capture_output=True, text=True,
                          timeout=server.PATIENCE_S, **others)


def basic(name, password):
    return "Authorization: Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()


BOB = basic("bob", "bob's")


class Access(unittest.TestCase):
    OPTIONS = ()

    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="fanlight-access-"))
        cls.accounts, cls.state = cls.folder / "accounts", cls.folder / "state"
        assert fanlight("passwd", cls.accounts, "alice", input=PASSWORD + "\n").returncode == 0
        assert fanlight("passwd", "--view", cls.accounts, "bob", input="bob's").returncode == 0
        cls.token = fanlight("token", "--view", cls.accounts, "door").stdout.strip()
        cls.start()

    @classmethod
    def start(cls):
        cls.fanlight = Fanlight("--accounts", cls.accounts, "--state-dir", cls.state, "--size",
                                "320x240", "--fps", "30", *cls.OPTIONS, https=True)

    @classmethod
    def tearDownClass(cls):
        code = cls.fanlight.close()
        shutil.rmtree(cls.folder)
        log = "".join(cls.fanlight.log)
        assert code == 0, f"exit code {code}: {log}"
        for secret in (PASSWORD, "bob's", cls.token, "signature="):
            assert secret not in log, log

    def status(self, path, *headers, **others):
        return self.fanlight.get(path, *headers, **others)[0]

    def sign(self, address, duration="1h"):
        run = fanlight("sign", "--state-dir", self.state, "--for", duration, address)
        self.assertEqual((run.returncode, run.stderr), (0, ""))
        return run.stdout.strip()


class Logins(Access):
    def test_strangers_get_nothing_but_whether_it_works(self):
        for path in ("/", "/stream", "/snapshot", "/state", "/metrics", "/nothing", "/clock",
                     "/camera/stream", "/?action=snapshot"):
            status, headers, body = self.fanlight.get(path)
            self.assertEqual((status, body), (401, b"Log in to see this.\n"), path)
            self.assertIn("Basic realm=", headers["www-authenticate"])
        self.assertEqual(self.fanlight.get("/healthz")[::2], (200, b"ok\n"))

    def test_who_is_logging_in_when_it_stops_is_answered(self):
        fanlight = Fanlight("--accounts", self.accounts, "--size", "320x240")
        self.addCleanup(fanlight.close)
        connections = [fanlight.connect() for _ in range(8)]
        for number, connection in enumerate(connections):
            self.addCleanup(connection.close)
            header = basic("bob", f"{number}")
            connection.sendall(f"GET / HTTP/1.1\r\nHost: x\r\n{header}\r\n\r\n".encode())
        fanlight.get("/healthz")  # asked later, so the others have been understood
        fanlight.stop()
        for connection in connections:
            answer = server.Answer(connection)
            self.assertIn(answer.status, (401, 429, 503))
            answer.raw.close()
        self.assertEqual(fanlight.close(), 0)

    def test_secrets_are_nowhere_to_be_read(self):
        signed = self.sign("/snapshot")
        for path, *headers in ((signed,), ("/state", "Authorization: Bearer " + self.token),
                               ("/state", basic("alice", PASSWORD))):
            self.assertEqual(self.status(path, *headers), 200)
        told = b"".join(self.fanlight.get(path, BOB)[2] for path in ("/state", "/metrics", "/controls"))
        process = pathlib.Path(f"/proc/{self.fanlight.process.pid}")
        told += (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
        for secret in (PASSWORD, "bob's", self.token, signed.split("signature=")[1]):
            self.assertNotIn(secret.encode(), told)

    def test_passwords_and_tokens_are_taken(self):
        for header in (basic("alice", PASSWORD), BOB,
                       "Authorization: Bearer " + self.token):
            for path in ("/", "/snapshot", "/state", "/metrics"):
                self.assertEqual(self.status(path, header), 200, path)
        answer = self.fanlight.request("/stream", basic("alice", PASSWORD))
        self.addCleanup(answer.raw.close)
        next(server.classic_parts(answer))

    def test_the_right_to_view_is_not_the_right_to_control(self):
        change = {"method": "POST"}
        json_header = "Content-Type: application/json"
        self.assertEqual(self.status("/state", BOB, json_header, **change), 403)
        self.assertEqual(
            self.status("/state", basic("alice", PASSWORD), json_header, **change), 405)

    def test_programs_log_in_with_an_address(self):
        url = self.fanlight.urls["http"].replace("://", "://bob:bob's@")
        curl = subprocess.run(["curl", "-sf", url + "/snapshot"], capture_output=True,
                              timeout=server.PATIENCE_S)
        self.assertEqual(curl.stdout[:2], b"\xff\xd8")
        video = subprocess.run(
            ["ffmpeg", "-v", "error", "-f", "mpjpeg", "-i", url + "/stream", "-frames:v", "3", "-f",
             "null", "-"], capture_output=True, timeout=server.PATIENCE_S)
        self.assertEqual((video.returncode, video.stderr), (0, b""))

    def test_what_reads_with_ffmpegs_libraries_logs_in(self):
        """As OpenCV does, which opens an address and has them find out the rest."""
        login = self.fanlight.urls["http"].replace("://", "://bob:bob's@") + "/stream"
        signed = self.sign(self.fanlight.urls["https"] + "/stream")
        token = f"Authorization: Bearer {self.token}\r\n"
        for options in ([login], [signed], ["-headers", token, self.fanlight.urls["https"] + "/stream"]):
            probe = subprocess.run(
                ["ffprobe", "-v", "error", "-tls_verify", "0", "-read_intervals", "%+#3",
                 "-show_entries", "frame=width,height", "-of", "csv=p=0", *options],
                capture_output=True, text=True, timeout=server.PATIENCE_S)
            self.assertEqual((probe.stderr, probe.stdout.split()), ("", 3 * ["320,240"]), options)

    def test_many_requests_at_once_wait_for_one_password(self):
        curl = subprocess.run(
            ["curl", "-sk", "--http2", "-Z", "--parallel-immediate", "-u", "alice:" + PASSWORD, "-o",
             "/dev/null", "-w", "%{http_code}\n",
             self.fanlight.urls["https"] + "/healthz?[1-20]",
             "--next", "-sk", "-u", "alice:" + PASSWORD, "-o", "/dev/null", "-w", "%{http_code}\n",
             self.fanlight.urls["https"] + "/state?[1-20]"],
            capture_output=True, text=True, timeout=server.PATIENCE_S)
        self.assertEqual(set(curl.stdout.split()), {"200"})

    def test_a_signed_address_shows_what_it_names_and_nothing_else(self):
        url = self.sign(self.fanlight.urls["http"] + "/snapshot?max_age_ms=10000")
        path = url.removeprefix(self.fanlight.urls["http"])
        self.assertEqual(self.status(path), 200)
        head = self.fanlight.request(path, method="HEAD")
        head.raw.close()
        self.assertEqual(head.status, 200)
        self.assertEqual(self.status(path.replace("/snapshot", "/state")), 401)
        self.assertEqual(self.status(path + "&max_age_ms=0"), 401)
        self.assertEqual(self.status(path, "Content-Type: application/json", method="POST"), 401)
        self.assertEqual(self.status(self.sign("/state", "1s").replace("expires=", "expires=9")),
                         401)
        short = self.sign("/state", "1s")
        eventually(lambda: self.status(short) == 401)

    def test_commands_say_what_is_wrong(self):
        for arguments in (("sign", "--for", "1y", "/stream"), ("sign", "/stream"),
                          ("sign", "--for", "1h", "stream"), ("passwd",), ("token", "a"),
                          ("passwd", self.accounts, "a:b"), ("passwd", "/proc/none", "a"),
                          ("passwd", "--admin", self.accounts, "a")):
            run = fanlight(*arguments, input="secret\n")
            self.assertEqual((run.returncode, run.stdout, run.stderr.count("\n")), (1, "", 1),
                             (arguments, run.stderr))

    @unittest.skipIf(os.geteuid(), "only root can give files away")
    def test_what_root_makes_for_the_service_belongs_to_it(self):
        nobody = 65534
        folder = self.folder / "of-the-service"
        folder.mkdir()
        os.chown(folder, nobody, nobody)
        runs = (fanlight("sign", "--state-dir", folder, "--for", "1h", "/stream"),
                fanlight("passwd", folder / "accounts", "alice", input="secret"),
                fanlight("token", folder / "accounts", "door"))
        self.assertEqual([run.returncode for run in runs], [0, 0, 0])
        made = list(folder.iterdir())
        self.assertEqual(len(made), 2)
        for path in made:
            status = path.stat()
            self.assertEqual((status.st_uid, status.st_gid, status.st_mode & 0o777),
                             (nobody, nobody, 0o600), path)

    def test_a_wrong_file_of_accounts_is_named(self):
        for text, said in (("alice:view\n", "line 1 of"), (None, "No such file")):
            path = self.folder / "wrong"
            path.unlink(missing_ok=True)
            if text:
                path.write_text(text)
            run = fanlight("--config", "/dev/null", "--source", "pattern", "--http", "127.0.0.1:0",
                           "--https", "off", "--accounts", path)
            self.assertEqual((run.returncode, run.stderr.count("\n")), (1, 1))
            self.assertIn(said, run.stderr)


class Guessing(Access):
    def test_wrong_logins_are_refused_longer_each_time(self):
        good = basic("alice", PASSWORD)
        self.assertEqual(self.status("/state", good), 200)
        statuses = [self.status("/state", header) for i in range(4) for header in (
            basic("alice", f"guess {i}"), basic("nobody", PASSWORD), "Authorization: Bearer x",
            "Authorization: Basic rubbish", "Authorization: Negotiate abc")]
        self.assertEqual(statuses[0], 401)
        self.assertNotIn(200, statuses)
        status, headers, _ = self.fanlight.get("/state", BOB)
        self.assertEqual(status, 429)
        self.assertGreater(int(headers["retry-after"]), 0)
        # Who is in stays in, and comes from the same address.
        self.assertEqual(self.status("/state", good), 200)
        limits = json.loads(self.fanlight.get("/state", good)[2])["limits_reached"]
        self.assertGreater(limits["logins"], 0)
        self.assertIn("its name and password or its token is wrong", "".join(self.fanlight.log))


class Encrypted(Access):
    OPTIONS = ("--cleartext-logins", "never")

    def test_nobody_logs_in_without_tls(self):
        status, headers, _ = self.fanlight.get("/state", basic("alice", PASSWORD))
        self.assertEqual(status, 403)
        self.assertNotIn("www-authenticate", headers)
        self.assertEqual(self.status(self.sign("/snapshot")), 200)
        self.assertEqual(self.status("/healthz"), 200)
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        connection = http.client.HTTPSConnection(
            self.fanlight.urls["https"].removeprefix("https://"), context=context)
        self.addCleanup(connection.close)
        connection.request("GET", "/state", headers=dict(
            [basic("alice", PASSWORD).split(": ", 1)]))
        self.assertEqual(connection.getresponse().status, 200)


class Names(Access):
    OPTIONS = ("--hosts", "camera.example, [::1]", "--origins",
               "https://panel.example, https://other.example")

    def test_other_hosts_are_not_served(self):
        for host, status in (("camera.example", 401), ("CAMERA.example:8080", 401), ("[::1]:1", 401),
                             ("evil.example", 421), ("camera.example.evil", 421), ("", 421),
                             ("127.0.0.1", 421)):
            connection = self.fanlight.connect()
            self.addCleanup(connection.close)
            connection.sendall(f"GET /state HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
            self.assertEqual(server.Answer(connection).status, status, host)

    def test_pages_of_the_origins_listed_may_read(self):
        for origin, allowed in (("https://panel.example", "https://panel.example"),
                                ("https://evil.example", None), ("null", None)):
            connection = self.fanlight.connect()
            self.addCleanup(connection.close)
            connection.sendall((f"GET /state HTTP/1.1\r\nHost: camera.example\r\nOrigin: {origin}"
                                f"\r\n{BOB}\r\n\r\n"
                                ).encode())
            answer = server.Answer(connection)
            self.assertEqual(answer.status, 200)
            self.assertEqual(answer.headers.get("access-control-allow-origin"), allowed)


    def ask_first(self, path, method, origin="https://panel.example"):
        """As browsers do before they send a login from a page elsewhere."""
        return self.fanlight.request(
            path, f"Origin: {origin}", f"Access-Control-Request-Method: {method}",
            "Access-Control-Request-Headers: authorization", method="OPTIONS", host="camera.example")

    def test_pages_of_the_origins_listed_may_send_a_login(self):
        for path in ("/state", "/snapshot", "/stream", "/live"):
            answer = self.ask_first(path, "GET")
            self.assertEqual((answer.status, answer.headers["access-control-allow-origin"],
                              answer.headers["access-control-allow-headers"]),
                             (204, "https://panel.example", "Authorization"))
            answer.raw.close()
        for ask in (("/controls", "PATCH"), ("/live/x", "POST"),
                    ("/state", "GET", "https://evil.example")):
            answer = self.ask_first(*ask)
            self.assertEqual(answer.status, 401, ask)
            self.assertNotIn("access-control-allow-headers", answer.headers)
            answer.raw.close()

    def test_pages_of_the_origins_listed_may_frame_the_page(self):
        answer = self.fanlight.request("/", BOB, host="camera.example")
        self.addCleanup(answer.raw.close)
        self.assertRegex(answer.headers["content-security-policy"],
                         "frame-ancestors 'self' https://panel.example  https://other.example;")


class Warnings(unittest.TestCase):
    def test_an_open_camera_is_warned_of(self):
        for http, warned in (("127.0.0.1:0", False), (":0", True)):
            # Of a network that has nothing but this program.
            fanlight = Fanlight(http=http, under=("unshare", "-rn"))
            self.addCleanup(fanlight.close)
            self.assertEqual("can watch: make an account" in "".join(fanlight.log), warned, http)


del Access
tap.main()
