"""What is no request, or one made to be misunderstood: refused, and nothing else happens."""
import os
import random
import socket

import attacker
import tap
from attacker import END_HEADERS, END_STREAM, DATA, HEADERS, field
from server import Answer, eventually

GET = "GET /healthz HTTP/1.1\r\nHost: fanlight\r\n"


class Requests:
    OPTIONS = ("--request-timeout", "2")

    def exchange(self, data):
        """All that is answered to these bytes, to the end of the connection."""
        connection, answer = self.connect(), b""
        try:
            connection.sendall(data)
            if self.SCHEME == "http":
                connection.shutdown(socket.SHUT_WR)
            while some := connection.recv(65536):
                answer += some
        except OSError:
            pass  # cut off
        return answer

    def statuses(self, data):
        """The statuses of what is answered."""
        return [int(line.split(b" ")[1]) for line in self.exchange(data).split(b"\r\n")
                if line.startswith(b"HTTP/1.1 ")]

    def assert_alive(self):
        self.assertEqual(self.fanlight.get("/healthz")[0], 200)

    def test_random_bytes(self):
        chance = random.Random(5)
        for length in (1, 5, 100, 5000, 50_000):
            self.exchange(chance.randbytes(length))
        self.assert_alive()

    def test_requests_that_proxies_and_servers_read_differently(self):
        hidden = "GET /state HTTP/1.1\r\nHost: fanlight\r\n\r\n"
        for lines in (f"Content-Length: {len(hidden) + 5}\r\nTransfer-Encoding: chunked\r\n",
                      "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
                      "Content-Length: 5\r\ncontent-length: 0\r\n",
                      "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
                      "Transfer-Encoding: chunked, identity\r\n",
                      "Transfer-Encoding: xchunked\r\n",
                      "Content-Length: -1\r\n", "Content-Length: 1e3\r\n",
                      "Content-Length: 99999999999999999999\r\n",
                      "Content-Length: 5, 5\r\n"):
            statuses = self.statuses(("POST /state HTTP/1.1\r\nHost: fanlight\r\n" + lines +
                                      "\r\n0\r\n\r\n" + hidden).encode())
            self.assertEqual(statuses, [400], lines)
        self.assert_reached("malformed")
        self.assert_alive()

    def test_lines_that_are_none(self):
        for request in ("GET\r\n\r\n", "GET / HTTP/9.9\r\n\r\n", "GET /\r\n\r\n", "\r\n" * 1000,
                        GET + "no colon\r\n\r\n", GET + ": no name\r\n\r\n",
                        GET + "a b: c\r\n\r\n", GET + "".join(
                            f"X-{i}: y\r\n" for i in range(200)) + "\r\n",
                        "GET /healthz\0 HTTP/1.1\r\nHost: fanlight\r\n\r\n"):
            self.assertNotIn(200, self.statuses(request.encode()), request[:60])
        self.assert_reached("malformed")
        self.assert_alive()

    def test_paths_lead_nowhere_else(self):
        for path in ("/../../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "/..%2f..%2fetc/passwd",
                     "//etc/passwd", "/front/../../../etc/passwd", "/\\..\\etc\\passwd", "/%00",
                     "/index.html%00.jpg", "*", "http://other/etc/passwd", "/" + "../" * 300):
            answer = self.exchange(f"GET {path} HTTP/1.1\r\nHost: fanlight\r\n"
                                   "Connection: close\r\n\r\n".encode())
            self.assertNotIn(b"root:", answer, path)
            self.assertIn(answer[9:12], (b"400", b"404", b"200", b""), path)
        self.assert_alive()

    def test_nothing_that_is_asked_for_becomes_a_header(self):
        for path in ("/stream?fps=%0d%0aX-Injected:1", "/nothing%0d%0aX-Injected:1",
                     "/snapshot?max_age_ms=1%0aX-Injected:1", "/%0d%0a%0d%0aX-Injected:1"):
            answer = self.exchange(f"GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
                                   .encode())
            self.assertNotIn(b"X-Injected", answer.split(b"\r\n\r\n")[0], path)

    def test_who_shuts_half_of_a_connection(self):
        connections = [self.connect() for _ in range(20)]
        for connection in connections:
            try:
                connection.shutdown(socket.SHUT_WR)
            except OSError:
                pass  # the other side was quicker
        self.assert_alive()
        for _ in range(20):
            connection = self.connect()
            connection.sendall(b"GET /stream HTTP/1.1\r\nHost: fanlight\r\n\r\n")
            self.assertEqual(Answer(connection).status, 200)
            connection.shutdown(socket.SHUT_RDWR)
        eventually(lambda: len(self.fanlight.clients()) == 1)

    def test_handshakes_that_are_none(self):
        for data in (b"\x16\x03\x01\xff\xff" + bytes(70_000), b"\x16\x03\x01\0\5\1\0\0\1\0",
                     b"\x15\x03\x01\0\2\2\x28", os.urandom(3000),
                     b"GET / HTTP/1.1\r\nHost: fanlight\r\n\r\n"):
            connection = self.connect(plain=True)
            try:
                connection.sendall(data)
                connection.shutdown(socket.SHUT_WR)
                while connection.recv(65536):
                    pass
            except OSError:
                pass  # cut off
        self.assert_alive()

    def test_pseudo_headers_that_are_none(self):
        for fields in ([(":method", "GET")], [(":path", "/"), (":path", "/"), (":method", "GET"),
                                              (":scheme", "http")],
                       [(":status", "200")], [("x", "y"), (":method", "GET")],
                       [(":method", ""), (":path", ""), (":scheme", "")],
                       [(":method", "GET"), (":scheme", "http"), (":path", "/"),
                        ("connection", "upgrade"), ("X-Upper", "a")],
                       [(":method", "GET"), (":scheme", "http"), (":path", "/healthz"),
                        ("x", "a\r\nX-Injected: 1")]):
            client = self.attacker()
            client.send_frame(HEADERS, END_STREAM | END_HEADERS, 1,
                              b"".join(field(*pair) for pair in fields))
            client.send_frame(DATA, END_STREAM, 1, b"late")
            try:
                client.send(client.frame(attacker.GOAWAY, 0, 0, bytes(8)))
                client.is_answered()
            except (OSError, EOFError):
                pass  # cut off
        self.assert_alive()


CleartextRequests, EncryptedRequests = attacker.over_both(Requests)

tap.main()
