"""What clients are given while a camera is away: placeholders, or nothing, and always the reason."""
import io
import itertools
import json
import pathlib
import subprocess
import tempfile
import unittest

from PIL import Image

import server
import tap
from server import JSON, Record, classic_parts, early_parts, eventually, records

IMAGE = "Accept: image/avif,image/webp,*/*"
MARK = "x-fanlight-placeholder"


class Absent(server.Case):
    """Viewers of a camera that is not there."""
    OPTIONS, SOURCE = ("--size", "320x180", "--fps", "30"), "/dev/video99"

    def assert_words(self, jpeg):
        """A placeholder as large as was asked for, with something bright on its ground."""
        image = Image.open(io.BytesIO(jpeg))
        self.assertEqual((image.format, image.size), ("JPEG", (320, 180)))
        darkest, brightest = image.convert("L").getextrema()
        self.assertLess(darkest, 60)
        self.assertGreater(brightest, 180)

    def test_a_stream_goes_on_with_marked_placeholders(self):
        for headers, jpeg in itertools.islice(classic_parts(self.stream()), 3):
            self.assertEqual(headers["X-Fanlight-Placeholder"], "yes")
            self.assert_words(jpeg)

    def test_no_rate_holds_them_up(self):
        self.assertEqual(len(list(itertools.islice(
            classic_parts(self.stream("/stream?fps=0.01")), 3))), 3)

    def test_a_browsers_image_shows_them(self):
        self.assert_words(next(early_parts(self.stream("/stream", IMAGE))))

    def test_ustreamers_readers_are_told_that_it_is_offline(self):
        headers, _ = next(classic_parts(self.stream("/stream?extra_headers=1")))
        self.assertEqual(headers["X-UStreamer-Online"], "false")
        self.assertEqual(headers["X-Fanlight-Placeholder"], "yes")

    def test_records_are_flagged_and_nobody_has_to_report_them(self):
        stream = records(self.stream("/live").read)
        identity = next(stream).json()["id"]
        pictures = (record for record in stream if record.type == Record.PICTURE)
        for record in itertools.islice(pictures, 2):
            self.assertEqual(record.flags, Record.PLACEHOLDER)
            self.assert_words(record.payload)
            self.assertEqual(self.fanlight.report(identity, {"serial": record.serial})[0], 400)

    def test_a_snapshot_is_503_with_a_sentence_or_a_placeholder_for_images(self):
        next(classic_parts(self.stream()))  # now there is one
        status, headers, body = self.fanlight.get("/snapshot")
        self.assertEqual((status, headers["retry-after"]), (503, "1"))
        self.assertIn(b"/dev/video99", body)
        status, headers, body = self.fanlight.get("/snapshot", IMAGE)
        self.assertEqual((status, headers["retry-after"]), (503, "1"))
        self.assertEqual((headers["content-type"], headers[MARK]), ("image/jpeg", "yes"))
        self.assertNotIn("etag", headers)
        self.assert_words(body)
        answer = self.fanlight.request("/snapshot", IMAGE, method="HEAD")
        answer.raw.close()
        self.assertEqual((answer.status, answer.headers[MARK]), (503, "yes"))

    def test_state_and_metrics_tell_of_them_and_count_no_picture(self):
        next(classic_parts(self.stream()))
        camera = self.fanlight.camera()
        self.assertTrue(camera["placeholder"])
        self.assertGreater(camera["placeholders"], 0)
        self.assertEqual((camera["encoded"], camera["sequence"]), (0, 0))
        metrics = self.fanlight.get("/metrics")[2].decode()
        self.assertRegex(metrics, r'fanlight_placeholders_encoded_total\{camera="camera"\} [1-9]')
        self.assertRegex(metrics, r'frames_sent_total\{camera="camera",protocol="http/1.1"\} 0')
        self.assertNotIn("fanlight_publish_to_send_seconds_count", metrics)

    def test_none_is_made_for_nobody(self):
        """Another fanlight shows its own meanwhile."""
        other = server.Fanlight("--size", "320x180", source="/dev/video99")
        self.addCleanup(other.close)
        answer = other.request("/stream")
        self.addCleanup(answer.raw.close)
        parts = classic_parts(answer)

        def idle():
            before = self.fanlight.camera()["placeholders"]
            for _ in range(3):
                next(parts)
            return self.fanlight.camera()["placeholders"] == before
        eventually(lambda: not self.fanlight.clients())
        eventually(idle)


class Coming(server.Case):
    """A camera that becomes usable: a file that was no picture."""
    OPTIONS = ()

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="fanlight-offline-")
        cls.addClassCleanup(cls.folder.cleanup)
        cls.SOURCE = cls.folder.name + "/camera.jpg"
        pathlib.Path(cls.SOURCE).write_text("no picture yet")
        super().setUpClass()

    def test_viewers_who_have_waited_are_shown_the_picture(self):
        classic = [classic_parts(self.stream(path)) for path in ("/stream", "/stream?fps=0.01")]
        live = records(self.stream("/live").read)
        pictures = (record for record in live if record.type == Record.PICTURE)
        for parts in classic:
            self.assertIn("X-Fanlight-Placeholder", next(parts)[0])
        self.assertEqual(next(pictures).flags, Record.PLACEHOLDER)
        self.assertEqual(self.fanlight.get("/snapshot?max_age_ms=3600000")[0], 503)

        picture = pathlib.Path(self.folder.name, "whole.jpg")
        Image.new("RGB", (64, 48)).save(picture)
        jpeg = picture.read_bytes()
        picture.rename(self.SOURCE)
        for parts in classic:
            self.assertIn(jpeg, (body for headers, body in parts
                                 if "X-Fanlight-Placeholder" not in headers))
        self.assertEqual(next(record.payload for record in pictures if not record.flags), jpeg)
        eventually(lambda: self.fanlight.get("/snapshot")[::2] == (200, jpeg))
        self.assertFalse(self.fanlight.camera()["placeholder"])


class Gone(unittest.TestCase):
    """Cameras that were watched: files that are no picture any more when they are opened again."""
    RIGHT = {"process": "mask", "mask": "50,0 100,0 100,100 50,100"}

    @classmethod
    def setUpClass(cls):
        """All at once, for cameras do not come to rest soon."""
        cls.folder = pathlib.Path(cls.enterClassContext(
            tempfile.TemporaryDirectory(prefix="fanlight-gone-")))
        picture = Image.new("RGB", (320, 180), (220, 40, 40))
        picture.paste((255, 255, 255), (160, 0, 320, 180))
        picture.save(cls.folder / "picture.ppm")
        cls.seen, cls.masked, cls.masked_at_rest, cls.odd, cls.huge = cls.cameras = [
            cls.show(*camera) for camera in (
                ("seen", "2x2"), ("masked", "2x1"), ("masked_at_rest", "1x1"), ("odd", "4x1"),
                ("huge", "2x2", 16384))]
        cls.change(cls.masked, cls.RIGHT)
        # It is a picture behind the mask that is the last.
        eventually(lambda: cls.brightness(
            cls.jpeg(cls.masked, "/snapshot?max_age_ms=0"), "right")[1] < 30)
        for camera in cls.cameras:
            eventually(lambda: camera.camera()["state"] == "idle")
        cls.change(cls.masked_at_rest, cls.RIGHT)
        for file in cls.folder.glob("*.jpg"):
            file.write_text("no picture any more")

    @classmethod
    def show(cls, name, sampling, claimed=None):
        """A camera, once its picture was seen, which perhaps claims to be of another size."""
        source = cls.folder / (name + ".jpg")
        jpeg = bytearray(subprocess.run(
            ["cjpeg", "-quality", "95", "-sample", sampling, cls.folder / "picture.ppm"],
            stdout=subprocess.PIPE, check=True).stdout)
        if claimed:
            size = jpeg.index(b"\xff\xc0") + 5
            jpeg[size:size + 4] = 2 * claimed.to_bytes(2, "big")
        source.write_bytes(jpeg)
        camera = server.Fanlight("--fps", "30", "--idle", "stop", source=source)
        cls.addClassCleanup(cls.end, camera)
        eventually(lambda: camera.get("/snapshot")[0] == 200)
        return camera

    @staticmethod
    def end(camera):
        code = camera.close()
        assert code == 0, f"exit code {code}: {''.join(camera.log)}"

    @staticmethod
    def change(camera, change):
        status, _, text = camera.get("/process", JSON, method="PATCH", body=json.dumps(change))
        assert status == 200, text

    @staticmethod
    def jpeg(camera, path):
        """A body for browsers' images; a camera that rests may take longer than requests wait."""
        def ask():
            _, headers, body = camera.get(path, IMAGE)
            return headers["content-type"] == "image/jpeg" and body
        return eventually(ask)

    @staticmethod
    def part_of(jpeg, half):
        """Above the words, well within a half of the picture."""
        image = Image.open(io.BytesIO(jpeg)).convert("RGB")
        left, right = (5, 45) if half == "left" else (55, 95)
        width, height = image.size
        return image.crop((width * left // 100, height * 5 // 100, width * right // 100,
                           height * 28 // 100))

    @classmethod
    def brightness(cls, jpeg, half):
        return cls.part_of(jpeg, half).convert("L").getextrema()

    def placeholders(self, camera, path="/stream"):
        answer = camera.request(path)
        self.addCleanup(answer.raw.close)
        for headers, jpeg in classic_parts(answer):
            self.assertIn("X-Fanlight-Placeholder", headers)
            yield jpeg

    def assert_dimmed(self, jpeg):
        dark, bright = self.brightness(jpeg, "right")
        self.assertIn(dark, range(75, 95))
        self.assertIn(bright, range(75, 95))
        red, green, blue = (band.getextrema() for band in self.part_of(jpeg, "left").split())
        self.assertIn(red[0], range(60, 90))
        self.assertLess(max(green[1], blue[1]), 30)

    @classmethod
    def is_plain(cls, jpeg):
        return all(40 < dark <= bright < 56 for dark, bright in
                   (cls.brightness(jpeg, half) for half in ("left", "right")))

    def test_last_picture_is_shown_dimmed_until_a_mask_comes(self):
        paths = "/stream", "/stream?size=1/2", "/stream?size=1/4&quality=90"
        for path, size in zip(paths, ((320, 180), (160, 90), (80, 45))):
            for jpeg in itertools.islice(self.placeholders(self.seen, path), 2):
                self.assertEqual(Image.open(io.BytesIO(jpeg)).size, size)
                self.assert_dimmed(jpeg)
        image = Image.open(io.BytesIO(next(self.placeholders(self.seen)))).convert("L")
        self.assertGreater(image.getextrema()[1], 180)  # words
        self.assert_dimmed(self.jpeg(self.seen, "/snapshot"))

        watched = self.placeholders(self.seen)
        self.assert_dimmed(next(watched))
        self.change(self.seen, self.RIGHT)
        next(jpeg for jpeg in watched if self.is_plain(jpeg))
        for jpeg in itertools.islice(watched, 2):
            self.assertTrue(self.is_plain(jpeg))
        # Nobody watches these; what was kept of them is not shown to whoever does next.
        for query in "?size=1/2", "?size=1/4&quality=90":
            eventually(lambda: self.is_plain(self.jpeg(self.seen, "/snapshot" + query)))
            for jpeg in itertools.islice(self.placeholders(self.seen, "/stream" + query), 2):
                self.assertTrue(self.is_plain(jpeg))

    def test_what_a_mask_has_hidden_stays_hidden(self):
        for path in "/stream", "/stream?size=1/2":
            for jpeg in itertools.islice(self.placeholders(self.masked, path), 2):
                self.assertLess(self.brightness(jpeg, "right")[1], 16)
                self.assertGreater(self.part_of(jpeg, "left").getextrema()[0][0], 60)

    def test_what_was_seen_before_a_mask_came_is_not_shown(self):
        for jpeg in itertools.islice(self.placeholders(self.masked_at_rest), 2):
            self.assertTrue(self.is_plain(jpeg))

    def test_what_cannot_be_decoded_is_no_ground(self):
        for jpeg in itertools.islice(self.placeholders(self.odd), 2):
            self.assertTrue(self.is_plain(jpeg))


    def test_what_claims_to_be_huge_is_not_believed(self):
        jpeg = next(self.placeholders(self.huge))
        self.assertEqual(Image.open(io.BytesIO(jpeg)).size, (1280, 720))


class Refused(server.Case):
    OPTIONS, SOURCE = ("--placeholder", "no"), "/dev/video99"

    def test_streams_and_snapshots_are_503_with_a_sentence(self):
        eventually(lambda: self.fanlight.camera()["state"] == "absent")
        for path in ("/stream", "/snapshot"):
            for method in ("GET", "HEAD"):
                answer = self.fanlight.request(path, IMAGE, method=method)
                with answer.raw:
                    self.assertEqual(answer.status, 503)
                    self.assertEqual(answer.headers["retry-after"], "1")
                    self.assertNotIn(MARK, answer.headers)
                    if method == "GET":
                        self.assertRegex(answer.read_all().decode(),
                                         r"^No picture from camera camera: .*/dev/video99.*\.\n$")

    def test_live_streams_go_on_to_tell_why(self):
        stream = records(self.stream("/live").read)
        status = next(record.json() for record in stream
                      if record.type == Record.STATUS and "video99" in record.json()["reason"])
        self.assertFalse(status["online"])
        camera = self.fanlight.camera()
        self.assertEqual((camera["placeholder"], camera["placeholders"]), (False, 0))


class WithoutFont(server.Case):
    OPTIONS, SOURCE = ("--font", "/nowhere.ttf"), "/dev/video99"

    def test_the_ground_is_shown_and_one_line_says_why(self):
        parts = classic_parts(self.stream())
        for _, jpeg in itertools.islice(parts, 2):
            image = Image.open(io.BytesIO(jpeg))
            self.assertEqual(image.size, (1280, 720))
            self.assertLess(image.convert("L").getextrema()[1], 60)
        said = [line for line in self.fanlight.log if "/nowhere.ttf" in line]
        self.assertEqual(len(said), 1, said)
        self.assertIn("setting font", said[0])

    def test_what_is_no_font_is_said_to_be_none(self):
        with tempfile.NamedTemporaryFile() as file:
            file.write(b"no font")
            file.flush()
            fanlight = server.Fanlight("--font", file.name, source="/dev/video99")
            self.addCleanup(fanlight.close)
            answer = fanlight.request("/stream")
            self.addCleanup(answer.raw.close)
            next(classic_parts(answer))
            eventually(lambda: any("no font that can be scaled" in line for line in fanlight.log))


tap.main()
