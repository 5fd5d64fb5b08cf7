"""The live transport: its records, the clock that they are stamped by, and what viewers report."""
import io
import itertools
import json
import subprocess
import time

from PIL import Image

import server
import tap
from server import JSON, Record, assert_paced, eventually, records
from stamp import read_stamp


def now_us():
    return time.monotonic_ns() // 1000


class Live(server.Case):
    HTTPS = True

    def setUp(self):
        eventually(lambda: not self.fanlight.clients())

    def curl(self, scheme, *options):
        """The reader of a live stream that curl gets."""
        curl = subprocess.Popen(["curl", "-sNk", *options, self.fanlight.urls[scheme] + "/live"],
                                stdout=subprocess.PIPE)
        self.addCleanup(curl.wait)
        self.addCleanup(curl.stdout.close)
        self.addCleanup(curl.kill)
        return curl.stdout.read

    def open(self, path="/live"):
        """The id of a live stream, and its pictures."""
        stream = records(self.stream(path).read)
        hello = next(stream)
        return hello.json()["id"], (record for record in stream if record.type == Record.PICTURE)

    def assert_live(self, read):
        stream = records(read)
        hello, status = next(stream), next(stream)
        self.assertEqual([hello.type, status.type], [Record.HELLO, Record.STATUS])
        self.assertRegex(hello.json()["id"], "^[0-9a-f]{32}$")
        self.assertEqual(hello.json()["camera"], "camera")
        self.assertLessEqual(hello.json()["now_us"], now_us())
        self.assertEqual({"online", "reason", "since_us", "controls_changed"}, set(status.json()))
        pictures = [record for record in itertools.islice(stream, 10)
                    if record.type == Record.PICTURE]
        self.assertGreaterEqual(len(pictures), 8)
        for picture in pictures:
            image = Image.open(io.BytesIO(picture.payload))
            self.assertEqual((image.size, image.format), ((640, 360), "JPEG"))
            self.assertEqual(read_stamp(picture.payload) // 1000, picture.captured_us)
            self.assertLessEqual(picture.captured_us, picture.encoded_us)
            self.assertLessEqual(picture.encoded_us, picture.sent_us)
            self.assertLessEqual(picture.sent_us, now_us())
        for name in ("serial", "sequence", "captured_us"):
            numbers = [getattr(picture, name) for picture in pictures]
            self.assertEqual(numbers, sorted(set(numbers)))

    def test_records_are_as_they_are_described(self):
        for version in ("1.0", "1.1"):
            answer = self.stream("/live", version=version)
            self.assertEqual(answer.headers["content-type"], "application/vnd.fanlight.live")
            self.assertIn("no-store", answer.headers["cache-control"])
            self.assert_live(answer.read)

    def test_every_protocol_carries_them(self):
        for scheme, *options in (("http", "--http2-prior-knowledge"), ("https", "--http2"),
                                 ("https", "--http1.1")):
            self.assert_live(self.curl(scheme, *options))

    def test_the_layout_is_not_to_be_chosen(self):
        self.assert_live(self.stream("/camera/live?layout=early&extra_headers=1").read)

    def test_fps_limits_evenly(self):
        _, pictures = self.open("/live?fps=5")
        assert_paced([picture.captured_us for picture in itertools.islice(pictures, 6)], 200_000)

    def test_the_clock_is_that_of_the_records(self):
        before = now_us()
        status, headers, body = self.fanlight.get("/clock")
        after = now_us()
        self.assertEqual((status, headers["content-type"]), (200, "application/json"))
        self.assertIn("no-store", headers["cache-control"])
        self.assertTrue(before - 1 <= json.loads(body)["now_us"] <= after, (before, body, after))

    def test_head_wants_no_pictures(self):
        answer = self.fanlight.request("/live", "Connection: close", method="HEAD")
        self.assertEqual(answer.headers["content-type"], "application/vnd.fanlight.live")
        self.assertEqual(answer.raw.read(), b"")
        self.assertEqual(self.fanlight.clients(), [])

    def drawn(self, picture, age_ms, identity):
        """The age that the state tells of a picture when this one was reported."""
        report = {"serial": picture.serial, "age_ms": age_ms}
        self.assertEqual(self.fanlight.report(identity, report), (204, ""))
        client, = self.fanlight.clients()
        self.assertEqual((client["layout"], client["drawn"]), ("live", 1))
        return client["drawn_age_ms"]

    def test_a_viewer_tells_how_old_what_it_has_drawn_was(self):
        identity, pictures = self.open()
        picture = next(pictures)
        age_ms = (now_us() - picture.captured_us) / 1000
        self.assertAlmostEqual(self.drawn(picture, age_ms, identity), age_ms, delta=0.01)
        metrics = self.fanlight.get("/metrics")[2].decode()
        self.assertRegex(metrics, r'fanlight_capture_to_drawn_seconds_count\{.*"http/1.1"\} [1-9]')

    def test_an_age_that_cannot_be_is_not_believed(self):
        for age_ms in (0, 3e6):
            with self.subTest(age_ms=age_ms):
                answer = self.stream("/live")
                stream = records(answer.read)
                identity = next(stream).json()["id"]
                picture = next(record for record in stream if record.type == Record.PICTURE)
                before_ms = (now_us() - picture.captured_us) / 1000
                told_ms = self.drawn(picture, age_ms, identity)
                after_ms = (now_us() - picture.captured_us) / 1000
                self.assertTrue(before_ms - 0.01 <= told_ms <= after_ms, told_ms)
                answer.raw.close()
                eventually(lambda: not self.fanlight.clients())

    def test_who_reports_gets_no_more_than_he_tells_of(self):
        identity, pictures = self.open()
        self.assertEqual(self.fanlight.report(identity, {"serial": next(pictures).serial})[0], 204)
        reported_us = now_us()
        later = itertools.dropwhile(lambda picture: picture.sent_us < reported_us, pictures)
        third = next(itertools.islice(later, 2, None))
        # Two may be on their way unreported, until the viewer seems to have stopped reporting.
        self.assertGreater(third.sent_us - reported_us, 1_000_000)

    def test_who_reports_only_some_gets_those_between_as_well(self):
        identity, pictures = self.open("/live?fps=5")
        last = next(pictures)
        self.assertEqual(self.fanlight.report(identity, {"serial": last.serial, "next": 4})[0], 204)
        for n, picture in enumerate(pictures):
            if picture.sent_us - last.sent_us > 1_000_000:  # the first that was held back
                break
            last = picture
        self.assertEqual(n, 2 + 3)

    def test_reports_that_make_no_sense_are_refused_in_one_sentence(self):
        identity, pictures = self.open()
        serial = next(pictures).serial
        self.assertEqual(self.fanlight.report(identity, {"serial": serial})[0], 204)
        for report in ({"serial": serial}, {"serial": serial + 1_000_000}, {"serial": 0}, {}, [],
                       "", "{", {"serial": -1}, {"serial": 1.5}, " " * 2000):
            status, text = self.fanlight.report(identity, report)
            self.assertEqual(status, 400, report)
            self.assertRegex(text, r"^[A-Z].+\.\n$")
        self.assertEqual(self.fanlight.clients()[0]["drawn"], 1)

    def test_only_the_stream_itself_can_be_reported_on(self):
        identity, pictures = self.open()
        serial = next(pictures).serial
        for other in ("0" * 32, identity[:-1], identity + "0", "1"):
            status, text = self.fanlight.report(other, {"serial": serial})
            self.assertEqual(status, 404)
            self.assertRegex(text, r"^[A-Z].+\.\n$")
        self.assertNotIn(identity, json.dumps(self.fanlight.state()))

    def test_no_other_page_can_report(self):
        identity, pictures = self.open()
        report = {"serial": next(pictures).serial}
        for status, *headers in ((403, JSON, "Origin: http://evil.example"),
                                 (403, JSON, "Sec-Fetch-Site: cross-site"),
                                 (415, "Content-Type: text/plain"),
                                 (204, JSON, "Origin: http://fanlight")):
            self.assertEqual(self.fanlight.report(identity, report, *headers)[0], status, headers)
        status, headers, _ = self.fanlight.get(
            f"/live/{identity}", "Origin: http://evil.example", "Content-Length: 0",
            "Access-Control-Request-Method: POST", method="OPTIONS")
        self.assertEqual((status, headers["allow"]), (405, "POST"))
        self.assertFalse([name for name in headers if name.startswith("access-control-allow")])

    def test_a_report_over_every_protocol(self):
        for scheme, option in (("http", "--http1.1"), ("http", "--http2-prior-knowledge"),
                               ("https", "--http2"), ("https", "--http1.1")):
            read = self.curl(scheme, option)
            stream = records(read)
            identity = next(stream).json()["id"]
            picture = next(record for record in stream if record.type == Record.PICTURE)
            # Who sends too much may be cut off before he sees why, over HTTP/2 always.
            for body, status in ((f'{{"serial":{picture.serial}}}', "204"), ("{}", "400"),
                                 ("x" * 100_000, "413|000")):
                curl = subprocess.run(
                    ["curl", "-sk", option, "-H", JSON, "--data-binary", "@-", "-w",
                     "%{http_code}", "-o", "/dev/null",
                     f"{self.fanlight.urls[scheme]}/live/{identity}"],
                    input=body.encode(), capture_output=True, timeout=server.PATIENCE_S)
                self.assertRegex(curl.stdout.decode(), f"^({status})$")


class Status(server.InFolder):
    OPTIONS = ()

    @classmethod
    def prepare(cls):
        cls.SOURCE = cls.folder / "camera.jpg"
        cls.SOURCE.write_text("no picture yet")

    def test_a_status_is_told_when_it_changes(self):
        stream = (record for record in records(self.stream("/live").read)
                  if record.flags != Record.PLACEHOLDER)
        told = [record.json() for record in itertools.islice(stream, 2)][1]
        while "camera.jpg" not in told["reason"]:  # it may not have been opened yet
            self.assertIs(told["online"], False)
            told = next(stream).json()

        picture = self.folder / "whole.jpg"
        Image.new("RGB", (64, 48)).save(picture)
        picture.rename(self.SOURCE)
        while not told["online"]:
            record = next(stream)
            self.assertEqual(record.type, Record.STATUS)
            told = record.json()
        self.assertEqual(told["reason"], "")
        self.assertLessEqual(told["since_us"], now_us())
        # Its controls may be told of in between.
        self.assertIn(Record.PICTURE, (record.type for record in stream))


class Stopping(server.Case):
    def test_a_stopping_server_ends_the_stream_properly(self):
        answer = self.stream("/live")
        stream = records(answer.read)
        next(stream)
        self.fanlight.stop()
        with self.assertRaisesRegex(EOFError, "the body ends"):
            for _ in stream:
                pass
        self.assertEqual(answer.rest, b"")  # the last record was whole


tap.main()
