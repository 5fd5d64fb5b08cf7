"""Starting and stopping: ports, clients that are attached, connections that are left open."""
import signal
import socket
import ssl
import subprocess
import sys
import time
import unittest

import server
import tap
from server import Fanlight, classic_parts, early_parts, eventually


class Stopping(unittest.TestCase):
    def start(self, *options, **others):
        fanlight = Fanlight("--size", "640x360", *options, **others)
        self.addCleanup(fanlight.close)
        return fanlight

    def assert_ended(self, answer, parts):
        """The stream goes on to its last boundary, and the body ends there, properly framed."""
        with self.assertRaisesRegex(EOFError, "the body ends"):
            for _ in parts:
                pass
        self.assertTrue(answer.rest.endswith(b"--boundarydonotcross--\r\n"), answer.rest[-60:])
        if answer.chunked:
            self.assertEqual(answer.raw.readline(), b"")  # after the last chunk: closed

    def test_streams_end_with_their_last_boundary(self):
        fanlight = self.start()
        streams = [(fanlight.request(path, version=version), parts)
                   for path, parts in (("/stream", classic_parts),
                                       ("/stream?layout=early", early_parts))
                   for version in ("1.0", "1.1")]
        streams = [(answer, parts(answer)) for answer, parts in streams]
        for _, parts in streams:
            next(parts)
        fanlight.stop()
        for answer, parts in streams:
            self.assert_ended(answer, parts)
            answer.raw.close()
        self.assertEqual(fanlight.close(), 0)

    def test_h2_streams_end_properly(self):
        fanlight = self.start(https=True)
        curls = [subprocess.Popen(["curl", "-sNk", *options, url + "/stream"],
                                  stdout=subprocess.PIPE)
                 for options, url in ((["--http2-prior-knowledge"], fanlight.urls["http"]),
                                      (["--http2"], fanlight.urls["https"]),
                                      (["--http1.1"], fanlight.urls["https"]))]
        eventually(lambda: [client["frames"] > 5 for client in fanlight.clients()] == [True] * 3)
        fanlight.stop()
        for curl in curls:
            output = curl.communicate(timeout=server.PATIENCE_S)[0]
            self.assertEqual(curl.returncode, 0)  # 18 or 92 for a body that breaks off
            self.assertTrue(output.endswith(b"\r\n--boundarydonotcross--\r\n"))
        self.assertEqual(fanlight.close(), 0)

    def test_nobody_can_hold_it_up(self):
        fanlight = self.start("--quality", "95", https=True)
        port = int(fanlight.urls["https"].rsplit(":", 1)[1])
        connections = [fanlight.connect() for _ in range(3)]
        connections += [socket.create_connection(("127.0.0.1", port)) for _ in range(2)]
        connections[0].sendall(b"GET /st")
        fanlight.request("/state", connection=connections[1]).read_all()
        connections[3].sendall(b"\x16\x03\x01")
        stalled = fanlight.connect(receive_bytes=4096)
        next(classic_parts(fanlight.request("/stream", connection=stalled)))
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.set_alpn_protocols(["h2"])
        h2 = context.wrap_socket(connections[4])
        h2.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(3) + b"\x04" + bytes(5))
        fanlight.stop()
        self.assertEqual(fanlight.close(), 0)
        for connection in [*connections[:4], stalled, h2]:
            connection.close()

    def test_everybody_is_cut_off_however_late_that_comes(self):
        """Where the machine was too busy for the deadlines; ASan sees what is not given back."""
        fanlight = self.start()
        connection = fanlight.connect()
        self.addCleanup(connection.close)
        connection.sendall(b"GET /st")
        fanlight.get("/healthz")  # connected later, so the other has been taken in
        fanlight.stop()
        eventually(lambda: not fanlight.is_listening())
        fanlight.process.send_signal(signal.SIGSTOP)
        time.sleep(1)  # all its deadlines pass
        fanlight.process.send_signal(signal.SIGCONT)
        self.assertEqual(fanlight.close(), 0)

    def test_a_waiting_snapshot_is_answered(self):
        fanlight = self.start("--placeholder", "no", source="/dev/video99")
        connection = fanlight.connect()
        self.addCleanup(connection.close)
        connection.sendall(b"GET /snapshot HTTP/1.1\r\nHost: x\r\n\r\n")
        fanlight.get("/state")  # asked later, so the first has been understood
        fanlight.stop()
        answer = server.Answer(connection)
        self.assertEqual(answer.status, 503)
        self.assertIn(b"stopping", answer.read_all())
        answer.raw.close()
        self.assertEqual(fanlight.close(), 0)

    def test_the_port_is_free_again_at_once(self):
        fanlight = self.start()
        answer = fanlight.request("/stream")
        next(classic_parts(answer))
        self.assertEqual(fanlight.close(), 0)
        answer.raw.close()
        again = self.start(http=f"127.0.0.1:{fanlight.port}")
        self.assertEqual(again.close(), 0)


class Starting(unittest.TestCase):
    def assert_refused(self, *options):
        run = subprocess.run([server.FANLIGHT, "--config", "/dev/null", "--source", "pattern",
                              "--https", "off", *options],
                             capture_output=True, text=True, timeout=server.PATIENCE_S)
        self.assertEqual(run.returncode, 1)
        line, = run.stderr.splitlines()
        return line

    def test_a_port_in_use_is_one_sentence_that_says_what_to_do(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            line = self.assert_refused("--http", f"127.0.0.1:{port}")
        self.assertTrue(line.endswith(
            f"http: 127.0.0.1:{port} is in use by another program; "
            "stop it or choose another with --http"), line)

    def test_an_address_of_another_machine_is_refused(self):
        line = self.assert_refused("--http", "192.0.2.1:0")
        self.assertIn("192.0.2.1 is no address of this machine", line)

    def test_a_name_that_is_none_is_refused(self):
        line = self.assert_refused("--http", "nowhere.invalid:8080")
        self.assertIn("cannot resolve nowhere.invalid", line)

    def test_all_addresses_of_localhost_are_served(self):
        fanlight = Fanlight("--size", "320x240", http="localhost:0")
        self.addCleanup(fanlight.close)
        for family, _, _, _, address in socket.getaddrinfo(
                "localhost", fanlight.port, type=socket.SOCK_STREAM):
            with socket.socket(family) as connection:
                connection.connect(address)
        self.assertEqual(fanlight.close(), 0)

    def passing(self, kind):
        """What starts fanlight as systemd does that has a socket for http."""
        return (sys.executable, "-c", "import os, socket, sys\n"
                f"passed = socket.socket(type=socket.{kind})\n"
                "passed.bind(('127.0.0.1', 0))\n"
                f"{'passed.listen()' if kind == 'SOCK_STREAM' else ''}\n"
                "os.dup2(passed.fileno(), 3)\n"
                "os.set_inheritable(3, True)\n"
                "os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS='1',"
                " LISTEN_FDNAMES='http')\n"
                "os.execv(sys.argv[1], sys.argv[1:])")

    def test_a_socket_that_systemd_passes_is_served(self):
        fanlight = Fanlight("--size", "320x240", http="192.0.2.1:1",
                            under=self.passing("SOCK_STREAM"))
        self.addCleanup(fanlight.close)
        self.assertEqual(fanlight.get("/snapshot")[0], 200)
        self.assertEqual(fanlight.close(), 0)

    def test_a_passed_socket_that_nobody_can_connect_to_is_refused(self):
        with self.assertRaisesRegex(AssertionError, "no listening TCP socket; mend"):
            Fanlight(under=self.passing("SOCK_DGRAM"))


tap.main()
