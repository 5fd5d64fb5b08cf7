"""fanlight-probe says what viewers see: of a fanlight, and of any server of multipart streams."""
import http.server
import json
import signal
import subprocess
import sys
import threading
import time
import unittest

import server
import tap
from server import PATIENCE_S, eventually

PROBE = sys.argv[2]


def run(*options):
    return subprocess.run([PROBE, *options], capture_output=True, text=True, check=False,
                          timeout=PATIENCE_S)


def slow_ones_saw_some(frames):
    """Of one fast, two slow and two stalled; more than sockets hold has gone to the slow ones."""
    frames = sorted(frames)
    return len(frames) == 5 and frames[0] and frames[2] >= 20 and frames[4] >= 60


class OfFanlight(server.Case):
    OPTIONS = ("--size", "640x360", "--fps", "60", "--quality", "95", "--stall-timeout", "600")
    HTTPS = True

    def watch(self, *options, until):
        """What is said of a stream that is watched until the clients of the server suffice."""
        probe = subprocess.Popen([PROBE, "--json", "--seconds", "600", *options], text=True,
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        try:
            eventually(lambda: until([client["frames"] for client in self.fanlight.clients()]))
        finally:
            probe.send_signal(signal.SIGINT)
            output, errors = probe.communicate(timeout=PATIENCE_S)
        self.assertEqual((probe.returncode, errors), (0, ""))
        eventually(lambda: not self.fanlight.clients())
        return json.loads(output)

    def url(self, path="/stream", scheme="http"):
        return self.fanlight.urls[scheme] + path

    def test_every_protocol_and_layout_shows_pictures_and_their_age(self):
        for protocol, *options in [
                ("HTTP/1.1", self.url()),
                ("HTTP/1.1", self.url("/stream?layout=early")),
                ("HTTP/2", "--http", "2", self.url()),
                ("HTTP/2", "--http", "2", self.url("/stream?layout=early")),
                ("HTTP/2", "--insecure", self.url(scheme="https")),
                ("HTTP/1.1", "--insecure", "--http", "1.1", self.url(scheme="https"))]:
            with self.subTest(options=options):
                [stream] = self.watch("--viewers", "2", *options, until=lambda frames:
                                      len(frames) == 2 and min(frames) >= 5)
                [fast] = stream["viewers"]
                self.assertEqual((fast["kind"], fast["viewers"], fast["protocol"], fast["failed"]),
                                 ("fast", 2, protocol, 0))
                self.assertEqual(fast["age_source"], "the stamp in the picture")
                self.assertGreaterEqual(fast["pictures"], 5)
                self.assertEqual(fast["backwards"], 0)
                age = fast["age_ms"]
                self.assertEqual(list(age.values()), sorted(age.values()))
                self.assertGreater(age["p50"], 0)

    def test_delivery_is_told_where_the_sender_says_when_it_encoded(self):
        [stream] = self.watch(self.url("/stream?extra_headers=1"),
                              until=lambda frames: frames and min(frames) >= 5)
        [fast] = stream["viewers"]
        self.assertLessEqual(fast["delivery_ms"]["p50"], fast["age_ms"]["p50"])

    def test_live_records_are_read_too(self):
        for options in [(self.url("/camera/live"),),
                        ("--insecure", self.url("/camera/live", "https"))]:
            with self.subTest(options=options):
                [stream] = self.watch(*options, until=lambda frames: frames and frames[0] >= 5)
                [fast] = stream["viewers"]
                self.assertGreaterEqual(fast["pictures"], 5)
                self.assertLessEqual(fast["delivery_ms"]["p50"], fast["age_ms"]["p50"])

    def test_slow_and_stalled_viewers_are_shown_less_and_are_told_apart(self):
        for options in [(self.url(),), ("--http", "2", self.url()),
                        ("--insecure", self.url(scheme="https"))]:
            with self.subTest(options=options):
                [stream] = self.watch("--slow", "2:200000", "--stalled", "2", *options,
                                      until=slow_ones_saw_some)
                fast, slow, stalled = stream["viewers"]
                self.assertEqual([group["kind"] for group in stream["viewers"]],
                                 ["fast", "slow", "stalled"])
                self.assertEqual([group["viewers"] for group in stream["viewers"]], [1, 2, 2])
                self.assertLess(slow["pictures"] / 2, fast["pictures"])
                self.assertGreater(slow["skipped"], fast["skipped"])
                self.assertLess(stalled["pictures"], slow["pictures"])
                self.assertGreaterEqual(stalled["pictures"], 2)

    def test_streams_are_told_apart(self):
        streams = self.watch(self.url(), self.url("/stream?fps=5"), until=lambda frames:
                             len(frames) == 2 and max(frames) > 2 * min(frames) >= 6)
        self.assertEqual([stream["url"] for stream in streams],
                         [self.url(), self.url("/stream?fps=5")])
        often, rare = (stream["viewers"][0]["pictures"] for stream in streams)
        self.assertLess(rare, often)

    def test_what_is_no_stream_is_one_sentence(self):
        for why, *options in [
                ("the server answered 404 instead of 200", self.url("/nothing")),
                ("text/html.* and no stream of pictures", self.url("/")),
                ("certificate is not trusted; --insecure", self.url(scheme="https")),
                ("onnect", "http://127.0.0.1:1/stream"),
                ("onnect", "--slow", "1:1000", "--viewers", "0", "http://127.0.0.1:1/stream")]:
            with self.subTest(why=why):
                result = run("--seconds", str(PATIENCE_S), *options)
                self.assertEqual(result.returncode, 1)
                self.assertRegex(result.stderr, rf"^fanlight-probe: http\S+: 1 of 1 .*{why}.*\n$")


class Sender(http.server.BaseHTTPRequestHandler):
    """Answers with what the test wants, and closes."""
    wants = None  # content type, body

    def do_GET(self):
        content_type, body = self.wants
        self.send_response(200)
        self.send_header("Content-Type", content_type)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class OfOtherServers(unittest.TestCase):
    def setUp(self):
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Sender)
        thread = threading.Thread(target=self.server.serve_forever)
        thread.start()
        self.addCleanup(self.server.server_close)
        self.addCleanup(thread.join)
        self.addCleanup(self.server.shutdown)

    def say(self, content_type, body, *options):
        Sender.wants = content_type, body
        return run("--seconds", str(PATIENCE_S), *options,
                   f"http://127.0.0.1:{self.server.server_port}/")

    def watch(self, content_type, body):
        result = self.say(content_type, body, "--json")
        self.assertIn("the server ended the stream", result.stderr)
        return json.loads(result.stdout)[0]["viewers"][0]

    @staticmethod
    def mjpg_streamer(times):
        return b"--edge\r\n" + b"".join(
            b"Content-Type: image/jpeg\r\nContent-Length: 7\r\nX-Timestamp: %.6f\r\n\r\n"
            b"picture\r\n--edge\r\n" % at for at in times)

    def test_lengths_may_be_missing_and_boundaries_quoted(self):
        without = b"--edge\r\nContent-Type: image/jpeg\r\n\r\npicture\r\n" * 3 + b"--edge--\r\n"
        for content_type, body in [
                ("multipart/x-mixed-replace; boundary=edge", self.mjpg_streamer([1, 2, 3])),
                ('multipart/x-mixed-replace; boundary="edge"', without),
                ("multipart/x-mixed-replace;boundary=--edge", without)]:
            with self.subTest(content_type=content_type):
                self.assertEqual(self.watch(content_type, body)["pictures"], 3)

    def test_headers_tell_the_age_by_either_clock(self):
        for now in time.time, time.monotonic:
            with self.subTest(clock=now.__name__):
                seen = self.watch("multipart/x-mixed-replace;boundary=edge",
                                  self.mjpg_streamer([now() - 100, now() - 99]))
                self.assertEqual(seen["age_source"], "X-Timestamp")
                self.assertGreaterEqual(seen["age_ms"]["p50"], 99000)
        grabbed = self.mjpg_streamer([time.time()]).replace(
            b"X-Timestamp", b"X-UStreamer-Grab-Time: %.6f\r\nX-Timestamp" % (time.monotonic() - 50))
        seen = self.watch("multipart/x-mixed-replace;boundary=edge", grabbed)
        self.assertEqual(seen["age_source"], "X-UStreamer-Grab-Time")
        self.assertGreaterEqual(seen["age_ms"]["p50"], 50000)

    def test_old_ustreamers_clock_is_known_when_told(self):
        def raw_s():
            return time.clock_gettime(time.CLOCK_MONOTONIC_RAW)
        grabbed = raw_s() - 50
        body = self.mjpg_streamer([time.time()]).replace(
            b"X-Timestamp", b"X-UStreamer-Grab-Time: %.6f\r\nX-Timestamp" % grabbed)
        result = self.say("multipart/x-mixed-replace;boundary=edge", body, "--json", "--raw-clock")
        age_ms = json.loads(result.stdout)[0]["viewers"][0]["age_ms"]["p50"]
        self.assertGreaterEqual(age_ms, 50000)
        self.assertLessEqual(age_ms, 1000 * (raw_s() - grabbed))

    def test_another_machines_clock_tells_no_age(self):
        for wrong in 3600 * 24, -3600 * 24:
            with self.subTest(wrong=wrong):
                body = self.mjpg_streamer([time.time() + wrong])
                self.assertIsNone(
                    self.watch("multipart/x-mixed-replace;boundary=edge", body)["age_ms"])
                self.assertIn("age not known", self.say(
                    "multipart/x-mixed-replace;boundary=edge", body).stdout)

    def test_gaps_in_the_rhythm_are_skipped_pictures(self):
        start = time.time() - 100
        seen = self.watch("multipart/x-mixed-replace;boundary=edge", self.mjpg_streamer(
            start + tenths / 10 for tenths in (0, 1, 2, 3, 6, 5, 7)))
        self.assertEqual((seen["pictures"], seen["skipped"], seen["backwards"]), (7, 3, 1))

    def test_a_stream_that_makes_no_sense_is_one_sentence(self):
        for content_type in "multipart/x-mixed-replace;boundary=edge", \
                            "application/vnd.fanlight.live":
            with self.subTest(content_type=content_type):
                result = self.say(content_type, b"x" * 10000)
                self.assertEqual(result.returncode, 1)
                self.assertRegex(result.stderr, "the stream makes no sense\n$")


class Options(unittest.TestCase):
    def test_a_wrong_option_is_one_sentence(self):
        url = "http://127.0.0.1:1/"
        for why, *options in [
                ("give the address of a stream",),
                ("begins with http", "127.0.0.1:8080/stream"),
                ("from 0 to 1000", "--viewers", "1001", url),
                ("as in 2:1000000", "--slow", "2", url),
                ("as in 2:1000000", "--slow", "2:99", url),
                ("from 0 to 1000", "--stalled", "-1", url),
                ("above 0", "--seconds", "nan", url),
                ("1.1 or 2", "--http", "3", url),
                ("nobody to watch", "--viewers", "0", url),
                ("more than 4000", "--viewers", "1000", url, url, url, url, url)]:
            with self.subTest(options=options):
                result = run(*options)
                self.assertEqual((result.returncode, result.stdout), (1, ""))
                self.assertRegex(result.stderr, rf"^fanlight-probe: .*{why}.*; --help says more\n$")


tap.main()
