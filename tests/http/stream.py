"""The stream, byte by byte: layouts, limits, headers, what a first viewer gets."""
import io
import itertools

from PIL import Image

import server
import tap
from server import assert_paced, classic_parts, early_parts, eventually
from stamp import read_stamp


class Stream(server.Case):
    def take(self, n, answer, parts=classic_parts):
        return list(itertools.islice(parts(answer), n))

    def assert_classic(self, answer):
        for headers, jpeg in self.take(5, answer):
            self.assertEqual(list(headers), ["Content-Type", "Content-Length", "X-Timestamp"])
            self.assertEqual(headers["Content-Type"], "image/jpeg")
            self.assertRegex(headers["X-Timestamp"], r"^\d+\.\d{6}$")
            Image.open(io.BytesIO(jpeg)).load()

    def assert_early(self, answer):
        for jpeg in self.take(5, answer, early_parts):
            Image.open(io.BytesIO(jpeg)).load()

    def test_headers_are_those_that_viewers_know(self):
        headers = self.stream().headers
        self.assertEqual(headers["content-type"],
                         "multipart/x-mixed-replace;boundary=boundarydonotcross")
        self.assertEqual(headers["access-control-allow-origin"], "*")
        self.assertIn("no-store", headers["cache-control"])
        self.assertNotIn("content-length", headers)

    def test_readers_get_the_classic_layout(self):
        self.assert_classic(self.stream())
        self.assert_classic(self.stream("/camera/stream?cachebust=1"))
        self.assert_classic(self.stream("/stream", "Sec-Fetch-Dest: empty", "Accept: image/*"))

    def test_an_img_gets_the_early_layout(self):
        self.assert_early(self.stream("/stream", "Sec-Fetch-Dest: image"))
        self.assert_early(self.stream("/stream", "Accept: image/avif,image/webp,*/*;q=0.8"))

    def test_a_layout_can_be_chosen(self):
        self.assert_early(self.stream("/stream?layout=early"))
        self.assert_classic(self.stream("/stream?layout=classic", "Sec-Fetch-Dest: image"))

    def test_http_1_0_is_unchunked_and_ends_by_closing(self):
        answer = self.stream(version="1.0")
        self.assertFalse(answer.chunked)
        self.assertEqual(answer.headers["connection"], "close")
        self.assert_classic(answer)

    def test_http_1_1_is_chunked(self):
        self.assertTrue(self.stream().chunked)

    def test_pictures_advance_and_carry_their_own_time(self):
        parts = self.take(20, self.stream())
        times = [float(headers["X-Timestamp"]) for headers, _ in parts]
        stamps = [read_stamp(jpeg) for _, jpeg in parts]
        self.assertEqual(times, sorted(set(times)))
        self.assertEqual(stamps, sorted(set(stamps)))
        offsets = [time - stamp / 1e9 for time, stamp in zip(times, stamps)]
        self.assertLess(max(offsets) - min(offsets), 0.005)

    def test_fps_limits_evenly(self):
        parts = self.take(8, self.stream("/stream?fps=5"))
        assert_paced([float(headers["X-Timestamp"]) for headers, _ in parts], 0.2)

    def test_extra_headers_are_ustreamers(self):
        names = ["Online", "Dropped", "Width", "Height", "Client-FPS", "Grab-Time",
                 "Encode-Begin-Time", "Encode-End-Time", "Expose-Begin-Time", "Expose-Cmp-Time",
                 "Expose-End-Time", "Send-Time", "Latency"]
        for headers, _ in self.take(3, self.stream("/stream?extra_headers=1")):
            self.assertEqual(list(headers), ["Content-Type", "Content-Length", "X-Timestamp",
                                             *("X-UStreamer-" + name for name in names)])
            self.assertEqual(headers["X-UStreamer-Online"], "true")
            self.assertEqual(headers["X-UStreamer-Width"], "640")
            self.assertEqual(headers["X-UStreamer-Height"], "360")
            times = [float(headers["X-UStreamer-" + name]) for name in
                     ("Grab-Time", "Encode-Begin-Time", "Encode-End-Time", "Send-Time")]
            self.assertEqual(times, sorted(times))

    def test_head_answers_headers_and_wants_no_pictures(self):
        connection = self.fanlight.connect()
        self.addCleanup(connection.close)
        answer = self.fanlight.request("/stream", method="HEAD", connection=connection)
        self.assertEqual(answer.status, 200)
        self.assertIn("multipart/x-mixed-replace", answer.headers["content-type"])
        self.assertEqual(answer.raw.read(), b"")

    def test_the_state_tells_of_each_client(self):
        answer = self.stream("/stream?layout=early", version="1.0")
        self.take(40, answer, early_parts)
        clients = [client for client in self.fanlight.clients() if client["frames"] >= 30]
        self.assertEqual(len(clients), 1)
        self.assertEqual(clients[0]["protocol"], "http/1.0")
        self.assertEqual(clients[0]["layout"], "early")
        self.assertRegex(clients[0]["address"], r"^127\.0\.0\.1:\d+$")
        self.assertGreater(clients[0]["bytes"], 30000)
        self.assertGreater(clients[0]["frame_age_ms"], 0)
        eventually(lambda: any(client["fps"] > 0 for client in self.fanlight.clients()))


class Slices(server.Case):
    OPTIONS = ("--size", "1280x720", "--fps", "60", "--encode-threads", "2")

    def assert_some_are_sliced(self, pictures):
        """Whether or not slices pay here, they are tried now and then."""
        restart_interval = b"\xff\xdd\0\4"
        jpeg = next(jpeg for jpeg in pictures if restart_interval in jpeg[:1024])
        self.assertEqual(Image.open(io.BytesIO(jpeg)).size, (1280, 720))
        Image.open(io.BytesIO(jpeg)).load()

    def test_sliced_pictures_come_whole_in_both_layouts(self):
        self.assert_some_are_sliced(jpeg for _, jpeg in classic_parts(self.stream()))
        self.assert_some_are_sliced(early_parts(self.stream("/stream?layout=early")))

    def test_a_sliced_snapshot_is_whole(self):
        snapshots = (self.fanlight.get("/snapshot?max_age_ms=0")[2] for _ in itertools.count())
        self.assert_some_are_sliced(snapshots)


class Demand(server.Case):
    def setUp(self):
        eventually(lambda: not self.fanlight.clients())

    def capture(self, n):
        """Wait until n more frames were captured; returns how many of them were encoded."""
        before = self.fanlight.camera()
        after = eventually(lambda: (camera := self.fanlight.camera())["captured"] >=
                           before["captured"] + n and camera)
        return after["encoded"] - before["encoded"]

    def test_without_viewers_nothing_is_encoded(self):
        for _ in range(2):
            eventually(lambda: self.capture(10) == 0)  # one may have been under way
            self.assertEqual(self.capture(20), 0)
            with self.fanlight.request("/stream").raw:
                eventually(lambda: self.capture(10) > 5)

    def test_a_first_viewer_gets_a_picture(self):
        for _ in range(5):
            answer = self.fanlight.request("/stream")
            with answer.raw:
                next(classic_parts(answer))
            eventually(lambda: not self.fanlight.clients())

    def test_a_first_viewer_gets_no_old_picture(self):
        answer = self.fanlight.request("/stream")
        with answer.raw:
            last = next(classic_parts(answer))[0]["X-Timestamp"]
        eventually(lambda: not self.fanlight.clients())
        self.capture(20)
        answer = self.fanlight.request("/stream")
        with answer.raw:
            first = next(classic_parts(answer))[0]["X-Timestamp"]
        self.assertGreater(float(first) - float(last), 0.3)  # capture times, 20 frames apart


tap.main()
