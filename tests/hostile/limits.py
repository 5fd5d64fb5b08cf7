"""Who asks for more than there is for one is refused or cut off, and told so where that is possible."""
import json
import resource
import ssl

import attacker
import tap
from attacker import DATA, END_HEADERS, END_STREAM, HEADERS, PING, RST_STREAM, field, get
from server import Record, eventually, records


class Rates:
    def flood(self, make, n):
        """Send n things that make(i) writes, or as many as are taken."""
        client = self.attacker()
        try:
            for begin in range(0, n, 100):
                client.send(b"".join(make(client, i) for i in range(begin, min(begin + 100, n))))
        except OSError:
            pass  # it has been cut off already
        self.assert_calmed(client)
        self.assert_reached("requests-per-second")

    def test_a_hundred_thousand_streams_that_are_reset_at_once(self):
        self.flood(lambda client, i: client.request(2 * i + 1, "/stream") + client.frame(
            RST_STREAM, 0, 2 * i + 1, b"\0\0\0\x08"), 100_000)

    def test_streams_that_make_the_server_reset_them(self):
        self.flood(lambda client, i: client.request(2 * i + 1, "/stream") + client.window_update(
            2 * i + 1, 0), 20_000)

    def test_data_for_streams_that_are_closed(self):
        self.flood(lambda client, i: client.request(2 * i + 1, "/healthz") + client.frame(
            DATA, 0, 2 * i + 1), 20_000)

    def test_pings(self):
        self.flood(lambda client, i: client.frame(PING, 0, 0, b"fanlight"), 100_000)

    def test_settings(self):
        self.flood(lambda client, i: client.settings(i), 100_000)

    def test_priorities(self):
        self.flood(lambda client, i: client.frame(
            attacker.PRIORITY, 0, 1, attacker.priority(0, i % 2)), 100_000)

    def test_window_updates_without_end(self):
        self.flood(lambda client, i: client.window_update(0, 1), 200_000)

    def test_requests_of_http_1(self):
        connection = self.connect()
        count = 0
        request = b"GET /healthz HTTP/1.1\r\nHost: fanlight\r\n\r\n"
        while (answer := self.ask(connection, request)).status == 200:
            count += 1
            self.assertLess(count, 10_000)
        self.assertEqual(answer.status, 429)
        self.assertGreaterEqual(count, 500)  # two seconds' worth are free
        self.assertEqual(answer.headers["connection"], "close")
        self.assert_reached("requests-per-second")


class Reports:
    OPTIONS = ("--max-requests-per-second", "4")
    NO_CONTENT = 0x89  # what HPACK makes of status 204

    def setUp(self):
        super().setUp()
        answer = self.fanlight.request("/live")
        self.addCleanup(answer.raw.close)
        self.records = records(answer.read)
        self.path = "/live/" + next(self.records).json()["id"]

    def report(self):
        """One on the next picture that comes."""
        picture = next(record for record in self.records if record.type == Record.PICTURE)
        return json.dumps({"serial": picture.serial}).encode()

    def test_reports_over_http_2_do_not_count_once_a_picture(self):
        client = self.attacker()
        for stream in range(1, 60, 2):
            client.send(client.post(stream, self.path, report := self.report()))
            answer = client.until(lambda frame: frame.type == HEADERS)
            self.assertEqual((answer.stream, answer.payload[0]), (stream, self.NO_CONTENT))
        try:
            client.send(b"".join(client.post(2 * i + 61, self.path, report) for i in range(20)))
        except OSError:
            pass  # it has been cut off already
        self.assert_calmed(client)

    def test_reports_over_http_1_do_not_count_once_a_picture(self):
        connection = self.connect()

        def post(report):
            head = (f"POST {self.path} HTTP/1.1\r\nHost: fanlight\r\nContent-Length: "
                    f"{len(report)}\r\nContent-Type: application/json\r\n\r\n")
            return self.ask(connection, head.encode() + report).status

        for _ in range(30):
            self.assertEqual(post(report := self.report()), 204)
        while (status := post(report)) == 400:
            pass
        self.assertEqual(status, 429)


class Streams:
    OPTIONS = ("--max-streams", "6", "--max-streams-per-connection", "4")

    def status(self, client, stream, path):
        """Whether a stream is served, by what it says first."""
        client.send(client.request(stream, path))
        return client.until(lambda frame: frame.type == DATA and frame.stream == stream).payload

    def test_streams_of_one_connection_and_of_all_are_limited(self):
        first, second = self.attacker(), self.attacker()
        for stream in (1, 3, 5, 7):
            self.assertIn(b"--boundary", self.status(first, stream, "/stream"))
        self.assertIn(b"as many streams", self.status(first, 9, "/stream"))
        self.assert_reached("streams-per-connection")
        self.assertIn(b"--boundary", self.status(second, 1, "/stream"))
        # The viewer has the sixth.
        self.assertIn(b"as many streams", self.status(second, 3, "/stream"))
        self.assert_reached("streams")
        self.assertIn(b"ok", self.status(second, 5, "/healthz"))
        first.close()
        eventually(lambda: len(self.fanlight.clients()) == 2)
        self.assertIn(b"--boundary", self.status(second, 7, "/stream"))

    def test_snapshots_that_nobody_takes_keep_no_more_pictures_than_streams(self):
        client = self.attacker(initial_window=100)
        for stream in (1, 3, 5, 7, 9, 11):
            self.assertIn(b"\xff\xd8", self.status(client, stream, "/snapshot?max_age_ms=0"))
        self.assertIn(b"as many snapshots", self.status(client, 13, "/snapshot?max_age_ms=0"))
        self.assert_reached("streams")
        client.close()
        eventually(lambda: self.fanlight.get("/snapshot?max_age_ms=0")[0] == 200)


class Crowds:
    # On a busy machine all of them may take a while to come.
    OPTIONS = ("--max-connections", "40", "--max-connections-per-address", "20",
               "--request-timeout", "300")

    def assert_refused(self, connection):
        try:
            self.assertEqual(connection.recv(1), b"")
        except ConnectionResetError:
            pass

    def assert_open(self, connection):
        """Those that came later have been refused, so it was let in."""
        connection.setblocking(False)
        self.assertRaises(BlockingIOError, connection.recv, 1)

    def is_let_in(self):
        try:
            return self.fanlight.get("/healthz")[0] == 200
        except (ConnectionError, IndexError):
            return False

    def test_connections_of_one_address_and_of_all_are_limited(self):
        # The viewer has one of the twenty.
        crowd = [self.connect(plain=True) for _ in range(30)]
        for connection in crowd[19:]:
            self.assert_refused(connection)
        others = [self.connect("127.0.0.2", plain=True) for _ in range(20)]
        self.assert_refused(self.connect("127.0.0.3", plain=True))
        for connection in crowd[:19] + others:
            self.assert_open(connection)
        crowd += others
        for connection in crowd:
            connection.close()
        eventually(self.is_let_in)
        self.assert_reached("connections-per-address")
        self.assert_reached("connections")


class Multitudes:
    """Idle connections by the thousand."""
    N = 2000
    OPTIONS = ("--max-connections", str(N + 50), "--max-connections-per-address", str(N + 50),
               "--request-timeout", "3600", "--max-handshakes-per-second", "10000")

    def test_idle_connections(self):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        before = self.fanlight.open_files()
        idle = [self.connect(plain=True) for _ in range(self.N)]
        eventually(lambda: self.fanlight.open_files() > self.N)
        frames = self.viewed()[1]
        eventually(lambda: self.viewed()[1] > frames + 15)
        for connection in idle:
            connection.close()
        eventually(lambda: self.fanlight.open_files() <= before)


class Fullness:
    """Every connection has all that it may have at once."""
    N, ALWAYS, HEADER_BYTES, ANSWER_BYTES = 50, 8, 55_000, 120_000
    OPTIONS = ("--max-connections", str(N), "--max-connections-per-address", str(N),
               "--stall-timeout", "3600", "--max-header-bytes", "32768")
    # What fanlight.conf(5) promises.
    CONNECTION_KB = 512

    def fill(self, n, large):
        """A connection whose n answers, some of them large, nobody takes; with large headers."""
        client = self.attacker(initial_window=0)
        large_header = field("x-large", self.HEADER_BYTES // n * "a")
        client.send(b"".join(
            client.frame(HEADERS, END_STREAM | END_HEADERS, 2 * i + 1,
                         get("/metrics" if i < large else "/healthz", self.SCHEME) + large_header)
            for i in range(n)))
        self.assertTrue(client.is_answered())

    def test_all_connections_keep_no_more_than_is_promised(self):
        large = self.ANSWER_BYTES // len(self.fanlight.get("/metrics")[2])
        before = self.peak_kb()
        # What there is for all goes to two; the others have what each always has.
        for n in [2 * self.N - 10] * 2 + [self.ALWAYS] * (self.N - 8):
            self.fill(n, large)
        self.assertLess(self.peak_kb() - before, self.N * self.CONNECTION_KB)


class FullBodies:
    """The same of bodies, as large as they may ever be, that do not end."""
    N, BODY_BYTES = Fullness.N, 8191
    OPTIONS = ("--max-connections", str(N), "--max-connections-per-address", str(N),
               "--request-timeout", "3600", "--max-body-bytes", str(BODY_BYTES + 1))

    def fill(self, n):
        """A connection with n requests of which nearly all has come; with large headers."""
        client = self.attacker()
        block = get("/controls", self.SCHEME, "POST") + field(
            "x-large", Fullness.HEADER_BYTES // n * "a")
        for stream in range(1, 2 * n, 2):
            client.send_frame(HEADERS, END_HEADERS, stream, block)
            client.send_frame(DATA, 0, stream, self.BODY_BYTES * b"a")
        self.assertTrue(client.is_answered())

    def test_bodies_that_never_end_keep_no_more_than_is_promised(self):
        before = self.peak_kb()
        for n in [2 * self.N - 10] * 2 + [Fullness.ALWAYS] * (self.N - 8):
            self.fill(n)
        self.assertLess(self.peak_kb() - before, self.N * Fullness.CONNECTION_KB)


class Sizes:
    def test_long_addresses_of_http_1_are_refused(self):
        before = self.peak_kb()
        for rest in (3000 * b"a" + b" HTTP/1.1\r\nHost: fanlight\r\n\r\n", 20_000 * b"a"):
            answer = self.ask(self.connect(), b"GET /stream?" + rest)
            self.assertEqual(answer.status, 414)
        self.assert_reached("url-bytes")
        self.assertLess(self.peak_kb() - before, 4096)

    def test_large_headers_of_http_1_are_refused(self):
        before = self.peak_kb()
        for rest in (20_000 * b"a" + b"\r\n\r\n", 20_000 * b"a", 200 * b"a\r\nX-Many: " + b"a"):
            answer = self.ask(self.connect(), b"GET /healthz HTTP/1.1\r\nX-Large: " + rest)
            self.assertEqual(answer.status, 431)
        self.assert_reached("header-bytes")
        self.assertLess(self.peak_kb() - before, 4096)

    def test_open_requests_with_large_headers_end_their_connection(self):
        client = self.attacker(initial_window=0)
        block = get("/stream", self.SCHEME) + field("x-large", 15_000 * "a")
        try:
            for stream in range(1, 41, 2):
                client.send_frame(HEADERS, END_STREAM | END_HEADERS, stream, block)
        except OSError:
            pass
        self.assert_calmed(client)
        self.assert_reached("memory")

    def test_answers_that_nobody_takes_are_cut_off_after_a_while(self):
        client = self.attacker(initial_window=0)
        client.send(b"".join(client.request(stream, "/healthz") for stream in range(1, 61, 2)))
        self.assertIsNone(client.ends())
        self.assert_reached("stall-timeout")

    def test_large_answers_that_nobody_takes_end_their_connection(self):
        client = self.attacker(initial_window=0)
        client.send(b"".join(client.request(stream, "/metrics") for stream in range(1, 61, 2)))
        self.assertIsNone(client.ends())
        self.assert_reached("memory")

    OPTIONS = ("--stall-timeout", "1")


class SmallSizes:
    """Requests as large as is allowed, and larger by a byte or two."""
    URL, HEADER, BODY = 256, 1024, 300
    OPTIONS = ("--max-url-bytes", str(URL), "--max-header-bytes", str(HEADER), "--max-body-bytes",
               str(BODY))

    def status(self, path, header="", body="", **framing):
        """Of a request of HTTP/1 with one header and, if there is a body, how that is framed."""
        lines = [f"{'POST' if body else 'GET'} {path} HTTP/1.1", "Host: fanlight",
                 *([header] if header else []), *framing.values(), "", body]
        return self.ask(self.connect(), "\r\n".join(lines).encode()).status

    def test_addresses_of_http_1(self):
        address = "/healthz?".ljust(self.URL, "a")
        self.assertEqual([self.status(address), self.status(address + "a")], [200, 414])
        self.assert_reached("url-bytes")

    def test_headers_of_http_1(self):
        header = "X: " + (self.HEADER - 1) * "a"
        self.assertEqual([self.status("/healthz", header), self.status("/healthz", header + "a")],
                         [200, 431])
        self.assert_reached("header-bytes")

    def test_bodies_of_http_1(self):
        # Where they are no allowed method, once they have been read.
        body = self.BODY * "a"
        self.assertEqual([self.status("/healthz", body=text, length=f"Content-Length: {len(text)}")
                          for text in (body, body + "a")], [405, 413])
        self.assert_reached("body-bytes")
        reached = self.reached("body-bytes")
        self.assertEqual(self.status("/healthz", body=f"{len(body) + 1:x}\r\n{body}a\r\n0\r\n\r\n",
                                     framing="Transfer-Encoding: chunked"), 413)
        eventually(lambda: self.reached("body-bytes") > reached)

    def test_addresses_and_headers_of_http_2(self):
        client = self.attacker()
        address = "/healthz?".ljust(self.URL, "a")
        header = field("x", (self.HEADER - 1) * "a"), field("x", self.HEADER * "a")
        for stream, (path, after, said) in enumerate((
                (address, b"", b"ok"), (address + "a", b"", b"The address is too long."),
                ("/healthz", header[0], b"ok"), ("/healthz", header[1], b"The headers are too large."))):
            client.send(client.request(2 * stream + 1, path, after=after))
            self.assertIn(said, client.until(lambda frame: frame.type == DATA).payload)
        self.assert_reached("url-bytes")
        self.assert_reached("header-bytes")

    def test_bodies_of_http_2(self):
        client = self.attacker()
        body = self.BODY * b"a"
        client.send(client.post(1, "/healthz", body))
        self.assertIn(b"Only GET", client.until(lambda frame: frame.type == DATA).payload)
        client.send(client.post(3, "/healthz", body + b"a"))
        reset = client.until(lambda frame: frame.type == RST_STREAM)
        self.assertEqual((reset.stream, int.from_bytes(reset.payload, "big")),
                         (3, attacker.ENHANCE_YOUR_CALM))
        self.assertTrue(client.is_answered())
        self.assert_reached("body-bytes")


class Times:
    OPTIONS = ("--request-timeout", "2")

    def assert_ends(self, connection):
        try:
            while connection.recv(65536):
                pass
        except ConnectionError:
            pass

    def test_who_says_nothing_is_let_go(self):
        self.assert_ends(self.connect())
        self.assert_ends(self.connect(plain=True))

    def test_headers_byte_by_byte(self):
        self.trickle(self.connect(), b"GET / HTTP/1.1\r\n" + 60 * b"X: y\r\n")

    def test_frames_byte_by_byte(self):
        client = self.attacker()
        self.trickle(client.connection, 60 * client.frame(PING, 0, 0, b"fanlight"))
        self.assert_reached("request-timeout")

    def test_a_stream_has_all_the_time(self):
        client = self.attacker()
        client.send(client.request(1, "/stream?fps=1"))
        begin = self.viewed()[1]
        eventually(lambda: self.viewed()[1] > begin + 150)
        self.assertTrue(client.is_answered())


class Handshakes(attacker.Hostile):
    SCHEME, OPTIONS = "https", Times.OPTIONS

    def test_a_handshake_byte_by_byte(self):
        context, sent = ssl.create_default_context(), ssl.MemoryBIO()
        with self.assertRaises(ssl.SSLWantReadError):
            context.wrap_bio(ssl.MemoryBIO(), sent, server_hostname="fanlight").do_handshake()
        self.trickle(self.connect(plain=True), sent.read())
        self.assert_reached("request-timeout")


class HandshakeRates(attacker.Hostile):
    """More connections to the port of TLS than an address may make."""
    SCHEME = "https"
    OPTIONS = ("--max-handshakes-per-second", "1", "--max-connections", "9000",
               "--max-connections-per-address", "9000")

    def is_let_in(self, address="127.0.0.1"):
        try:
            return self.ask(self.connect(address), b"GET /healthz HTTP/1.0\r\n\r\n").status == 200
        except OSError:
            return False

    def test_too_many_handshakes_of_one_address_are_refused(self):
        self.assertTrue(self.is_let_in())
        for _ in range(5000):
            self.connect(plain=True).close()
            if self.reached("handshakes-per-second"):
                break
        self.assert_reached("handshakes-per-second")
        self.assertTrue(self.is_let_in("127.0.0.2"))
        self.assertEqual(self.fanlight.get("/healthz")[0], 200)
        eventually(self.is_let_in)

    def test_addresses_by_the_thousand_take_little_memory(self):
        before = self.peak_kb()
        for i in range(2000):
            self.connect(f"127.1.{i // 200}.{i % 200 + 1}", plain=True).close()
        self.assertTrue(self.is_let_in("127.0.0.3"))
        self.assertLess(self.peak_kb() - before, 4096)


for tests in (Rates, Reports, Streams, Crowds, Multitudes, Fullness, FullBodies, Sizes, SmallSizes, Times):
    for case in attacker.over_both(tests):
        globals()[case.__name__] = case
del tests, case

tap.main()
