"""Variants: other sizes and qualities, each made once for all who watch it, and only then."""
import io
import itertools
import json
import threading

from PIL import Image, ImageStat

import server
import tap
from server import classic_parts, early_parts, eventually, JSON, Record, records


def opened(jpeg):
    image = Image.open(io.BytesIO(jpeg))
    image.load()
    return image


def pictures(answer):
    """The JPEGs of a live stream."""
    return (record.payload for record in records(answer.read) if record.type == Record.PICTURE)


class Variants(server.Case):
    OPTIONS = ("--size", "640x360", "--fps", "30", "--variants", "2")

    def setUp(self):
        eventually(lambda: not self.demanded())

    def variants(self):
        return {one["name"]: one for one in self.fanlight.camera()["variants"]}

    def demanded(self):
        return {name for name, one in self.variants().items() if one["demand"]}

    def snapshot(self, query=""):
        """A picture that was captured after it was asked for."""
        def ask():
            status, _, jpeg = self.fanlight.get("/snapshot?max_age_ms=0&" + query)
            return status == 200 and jpeg
        return eventually(ask)

    def change(self, change):
        status, _, text = self.fanlight.get("/process", JSON, method="PATCH",
                                            body=json.dumps(change))
        self.assertEqual(status, 200, text)

    def test_every_kind_of_request_has_them(self):
        for query, size in (("size=1/2", (320, 180)), ("size=320", (320, 180)),
                            ("size=1/4", (160, 90)), ("size=1/8", (80, 45)),
                            ("size=100x100", (100, 56)), ("size=640x45", (80, 45)),
                            ("size=5000", (640, 360)), ("quality=10", (640, 360)),
                            ("size=320&quality=90", (320, 180))):
            self.assertEqual(opened(self.snapshot(query)).size, size)
            eventually(lambda: not self.demanded())
        for query in "size=1/2", "size=1/2&layout=early", "size=1/2&fps=10":
            for path in "/stream", "/camera/stream", "/live", "/":
                query = "action=stream&" + query if path == "/" else query
                answer = self.stream(f"{path}?{query}")
                parts = (pictures(answer) if path == "/live" else early_parts(answer)
                         if "early" in query else (jpeg for _, jpeg in classic_parts(answer)))
                self.assertEqual(opened(next(parts)).size, (320, 180))

    def test_quality_is_as_asked(self):
        low, own, high = map(self.snapshot, ("quality=10", "", "quality=95"))
        self.assertLess(len(low) * 1.2, len(own))
        self.assertLess(len(own) * 1.2, len(high))

    def test_what_makes_no_sense_is_refused(self):
        for query in ("size=", "size=0", "size=15", "size=16385", "size=1/3", "size=1/16",
                      "size=320x", "size=x180", "size=320x180x2", "size=32.5", "size=-320",
                      "size=big", "quality=", "quality=9", "quality=96", "quality=50.5"):
            for path in "/stream", "/snapshot", "/live":
                status, _, text = self.fanlight.get(f"{path}?{query}")
                self.assertEqual(status, 400, query)
                self.assertRegex(text.decode(), r"^(size|quality) is .*\.\n$")
        self.assertFalse(self.demanded())

    def test_one_too_many_is_refused(self):
        first = self.stream("/stream?size=1/2")
        self.stream("/live?size=1/4")
        for path in "/stream", "/snapshot", "/live":
            status, headers, text = self.fanlight.get(path + "?size=200")
            self.assertEqual((status, headers["retry-after"]), (503, "10"))
            self.assertIn("shown in at most 2 other sizes and qualities at once", text.decode())
        for query in "", "size=1/2", "size=1/4":
            self.snapshot(query)
        first.raw.close()
        eventually(lambda: self.fanlight.get("/snapshot?size=200")[0] == 200)

    def test_variant_that_is_asked_for_again_is_known(self):
        for _ in range(3):
            for query in "size=1/2", "size=1/4":
                self.snapshot(query)
                eventually(lambda: not self.demanded())
        frames = {name: one["frames"] for name, one in self.variants().items()}
        self.assertEqual(set(frames), {"1/2", "1/4"})
        self.assertGreaterEqual(min(frames.values()), 3)

    def test_masks_are_in_them(self):
        parts = (jpeg for _, jpeg in classic_parts(self.stream("/stream?size=1/2")))
        live = pictures(self.stream("/live?size=200&quality=60"))
        # The upper right quarter; a new shape tells that the mask is there, too.
        self.change({"process": "mask, orient", "mask": "50,0 100,0 100,50 50,50",
                     "rotate": "180", "crop": "400x300+100+20"})
        try:
            for each, size in ((parts, (200, 150)), (live, (200, 150))):
                image = next(image for image in map(opened, each) if image.size == size)
                luma = image.convert("L")
                self.assertLess(luma.crop((0, 84, 104, 150)).getextrema()[1], 24)
                self.assertGreater(luma.crop((120, 0, 200, 60)).getextrema()[1], 100)
        finally:
            self.change({"process": "", "mask": "", "rotate": "0", "crop": "none"})

    def test_changes_under_load_tear_no_picture(self):
        streams = [self.stream("/stream?size=1/2"), self.stream("/stream?size=100x100&quality=30")]
        done = threading.Event()

        def change():
            for n in range(40):
                self.change({"process": ["orient", "orient, mask", ""][n % 3],
                             "rotate": ["90", "0"][n % 2], "mask": "10,10 90,10 50,90"})
            done.set()
        changer = threading.Thread(target=change)
        changer.start()
        sizes = [set(), set()]
        for parts in zip(*map(classic_parts, streams)):
            for seen, (_, jpeg) in zip(sizes, parts):
                seen.add(opened(jpeg).size)
            if done.is_set():
                break
        changer.join()
        self.change({"process": "", "mask": "", "rotate": "0"})
        self.assertLessEqual(sizes[0], {(320, 180), (180, 320)})
        self.assertLessEqual(sizes[1], {(100, 56), (56, 100)})

    def test_cost_is_shown(self):
        parts = classic_parts(self.stream("/stream?size=1/2&quality=60"))
        for _ in range(5):
            next(parts)

        def told():
            return self.variants().get("1/2q60", {"frames": 0})["frames"] >= 5
        eventually(told)
        metrics = self.fanlight.get("/metrics")[2].decode()
        labels = '{camera="camera",variant="1/2q60"}'
        self.assertIn(f"fanlight_variant_demand{labels} 1\n", metrics)
        self.assertRegex(metrics, rf"fanlight_variant_seconds_count{labels} [1-9]")
        self.assertEqual([client["variant"] for client in self.fanlight.clients()], ["1/2q60"])


class Sharing(server.Case):
    """What is counted here begins at nothing."""
    OPTIONS = ("--size", "320x192", "--fps", "30")

    def frames(self):
        return {one["name"]: one["frames"] for one in self.fanlight.camera()["variants"]}

    def demand(self):
        return sum(one["demand"] for one in self.fanlight.camera()["variants"])

    def test_each_is_made_once_a_frame_and_only_while_it_is_watched(self):
        streams = [self.stream(f"/stream?size={size}") for size in ("1/2", "1/2", "1/4") * 3]
        for stream in streams:
            parts = classic_parts(stream)
            for _ in range(10):
                next(parts)
        camera = self.fanlight.camera()
        for one in camera["variants"]:
            self.assertIn(one["name"], ("1/2", "1/4"))
            self.assertLessEqual(one["frames"], camera["encoded"])

        native = classic_parts(self.stream())
        for stream in streams:
            stream.raw.close()
        eventually(lambda: not self.demand())

        def rest():
            """Whether no variant is made while ten pictures as they are pass."""
            before = self.frames()
            for _ in range(10):
                next(native)
            return self.frames() == before
        eventually(rest)

    def test_picture_as_it_is_is_not_made_for_them(self):
        parts = classic_parts(self.stream("/stream?size=1/2"))

        def newest():
            return self.fanlight.get("/snapshot?max_age_ms=3600000")[1]["etag"]

        def rest():
            before = newest()
            for _ in range(10):
                next(parts)
            return newest() == before
        eventually(rest)


class Single(server.Case):
    OPTIONS = ("--size", "320x192", "--variants", "0")

    def test_setting_leaves_the_picture_as_it_is(self):
        self.assertEqual(self.fanlight.get("/snapshot?size=1/2")[0], 503)
        self.assertEqual(self.fanlight.get("/snapshot")[0], 200)


class Absent(server.Case):
    OPTIONS, SOURCE = ("--size", "640x360"), "v4l2:/dev/there-is-none"

    def test_placeholder_has_its_size(self):
        for query, size in (("size=1/2", (320, 180)), ("size=100x100&quality=10", (100, 56))):
            parts = classic_parts(self.stream("/stream?" + query))
            for _ in range(2):
                headers, jpeg = next(parts)
                self.assertEqual(headers["X-Fanlight-Placeholder"], "yes")
                self.assertEqual(opened(jpeg).size, size)
        self.assertTrue(self.fanlight.camera()["placeholder"])


SIZE, LEFT, RIGHT = (99, 67), (200, 100, 50), (60, 160, 220)


class Compressed(server.InFolder):
    """A camera's own JPEGs."""
    OPTIONS = ()

    @classmethod
    def prepare(cls):
        image = Image.new("RGB", SIZE, LEFT)
        image.paste(RIGHT, (SIZE[0] // 2, 0, *SIZE))
        image.save(cls.folder / "one.jpg", quality=95)
        cls.SOURCE = f"replay:{cls.folder}"

    def assert_picture(self, jpeg, size):
        image = opened(jpeg).convert("RGB")
        self.assertEqual(image.size, size)
        for box, colour in (((0, 0.25), LEFT), ((0.75, 1), RIGHT)):
            left, right = (round(part * size[0]) for part in box)
            mean = ImageStat.Stat(image.crop((left, 0, right, size[1]))).mean
            for value, expected in zip(mean, colour):
                self.assertLess(abs(value - expected), 12, (size, mean))

    def test_variants_are_made_of_decoded_pictures_and_others_passed_on(self):
        own = (self.folder / "one.jpg").read_bytes()
        sizes = {"size=1/2": (49, 33), "size=1/4": (24, 16), "size=1/8": (12, 8),
                 "size=50": (50, 34), "size=30x30": (30, 20), "quality=20": SIZE}
        for few in (["size=1/8"], ["size=1/2"], ["size=50", "size=30x30"],
                    ["size=1/8", "quality=20", "size=1/4"]):
            streams = [self.stream("/stream?" + query) for query in few] + [self.stream()]
            # A machine that is too busy for the camera has placeholders come in between.
            pictures = [(jpeg for headers, jpeg in classic_parts(stream)
                         if "X-Fanlight-Placeholder" not in headers) for stream in streams]
            for *some, passed in itertools.islice(zip(*pictures), 3):
                for query, jpeg in zip(few, some):
                    self.assert_picture(jpeg, sizes[query])
                self.assertEqual(passed[-len(self.scan(own)):], self.scan(own))
            for stream in streams:
                stream.raw.close()
            eventually(lambda: not any(one["demand"] for one in self.fanlight.camera()["variants"]))

    @staticmethod
    def scan(jpeg):
        return jpeg[jpeg.index(b"\xff\xda"):]


tap.main()
