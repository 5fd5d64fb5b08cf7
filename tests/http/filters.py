"""Filters: asked for, refused, and changed under the eyes of viewers."""
import io
import json
import pathlib
import shutil
import subprocess
import threading

from PIL import Image, ImageChops

import server
import tap
from server import classic_parts, eventually, JSON, Record, records

OFF = {"process": "", "rotate": "0", "flip": "none", "crop": "none", "scale": "none", "mask": "",
       "mask-style": "black", "overlay": ""}
FIXED = {"logo": "", "plugin-dir": "", "plugin-budget": "off"}
EXAMPLES = pathlib.Path(server.FANLIGHT).resolve().parent.parent / "deploy/filters"


def patch(fanlight, change, path="/process", headers=(JSON,)):
    """Status and answer."""
    status, headers, text = fanlight.get(path, *headers, method="PATCH", body=json.dumps(change))
    return status, json.loads(text) if "json" in headers["content-type"] else text.decode()


def opened(jpeg):
    image = Image.open(io.BytesIO(jpeg))
    image.load()
    return image


def snapshot(fanlight):
    """A picture that was captured after it was asked for."""
    def ask():
        status, _, jpeg = fanlight.get("/snapshot?max_age_ms=0")
        return status == 200 and jpeg
    return eventually(ask)


class Live(server.Case):
    OPTIONS = ("--size", "320x192", "--fps", "30")

    def setUp(self):
        self.change(OFF)

    def change(self, change):
        status, answer = patch(self.fanlight, change)
        self.assertEqual(status, 200, answer)
        return answer

    def next_of(self, pictures, size):
        """Go on until a picture of this size comes; all before it decode as well."""
        return next(image for image in map(opened, pictures) if image.size == size)

    def outputs(self):
        """Pictures without end, of each kind of output."""
        return [(jpeg for _, jpeg in classic_parts(self.stream())),
                (record.payload for record in records(self.stream("/live").read)
                 if record.type == Record.PICTURE),
                iter(lambda: snapshot(self.fanlight), None)]

    def test_document_tells_what_is_asked(self):
        self.assertEqual(json.loads(self.fanlight.get("/process")[2]), {**OFF, **FIXED})
        answer = self.change({"process": "orient", "rotate": "90"})
        self.assertEqual(answer, {**OFF, **FIXED, "process": "orient", "rotate": "90"})
        self.assertEqual(json.loads(self.fanlight.get("/camera/process")[2]), answer)

    def test_turned_and_scaled_pictures_leave_every_output(self):
        outputs = self.outputs()
        for change, size in (({"process": "orient", "rotate": "90"}, (192, 320)),
                             ({"scale": "1/2"}, (96, 160)),
                             ({"rotate": "0", "scale": "100x75"}, (100, 75)),
                             ({"crop": "64x48+10+20", "scale": "none"}, (64, 48)),
                             ({"process": ""}, (320, 192))):
            self.change(change)
            for pictures in outputs:
                self.next_of(pictures, size)

    def test_mask_is_in_every_output(self):
        outputs = self.outputs()
        # The upper right quarter; a new size tells that the mask is there, too.
        self.change({"process": "mask, orient, overlay", "mask": "50,0 100,0 100,50 50,50",
                     "crop": "318x190+0+0", "overlay": "bottom-right {name} %T"})
        for pictures in outputs:
            image = self.next_of(pictures, (318, 190)).convert("L")
            self.assertLess(image.crop((176, 0, 318, 80)).getextrema()[1], 8)
            self.assertGreater(image.crop((0, 0, 144, 80)).getextrema()[1], 100)

    def test_mask_hides_what_was_shown_before(self):
        def brightest():
            _, _, jpeg = self.fanlight.get("/snapshot?max_age_ms=3600000")
            return Image.open(io.BytesIO(jpeg)).convert("L").getextrema()[1]

        self.assertGreater(brightest(), 150)
        # Nobody watches, so nothing comes that would be newer.
        self.change({"process": "mask", "mask": "0,0 100,0 100,100 0,100"})
        eventually(lambda: brightest() < 8)

    def test_pattern_is_whole_again_without_the_mask(self):
        pictures = self.outputs()[0]
        self.change({"process": "mask, orient", "mask": "0,0 100,0 100,100 0,100",
                     "crop": "300x180+0+0"})
        self.assertLess(self.next_of(pictures, (300, 180)).convert("L").getextrema()[1], 8)
        self.change({"process": ""})
        for _ in range(10):  # all of the pattern's buffers have had their turn
            image = self.next_of(pictures, (320, 192)).convert("L")
            self.assertGreater(image.crop((0, 100, 30, 110)).getextrema()[0], 150)

    def test_overlay_is_upright_in_every_output(self):
        outputs = self.outputs()
        # A new size tells that the overlay is there, too.
        for n, rotate in enumerate(("0", "90", "180", "270")):
            self.change({"process": "orient, overlay", "rotate": rotate, "scale": f"1/{n + 2}",
                         "overlay": "0,0 size=20 colour=#ff0000 box=#ff0000 {name}"})
            size = (320 // (n + 2), 192 // (n + 2))
            for pictures in outputs:
                image = self.next_of(pictures, size if n % 2 == 0 else size[::-1])
                for band, allowed in zip(image.crop((4, 4, 32, 16)).split(),
                                         (range(200, 256), range(60), range(60))):
                    for value in band.getextrema():
                        self.assertIn(value, allowed)

    def test_overlay_goes_when_it_is_asked_to(self):
        pictures = self.outputs()[0]
        self.change({"process": "orient, overlay", "crop": "300x180+0+0",
                     "overlay": "0,0 size=100% box=#000000 colour=#000000 long enough for all"})
        self.assertLess(self.next_of(pictures, (300, 180)).convert("L").getextrema()[1], 8)
        self.change({"process": ""})
        self.assertGreater(self.next_of(pictures, (320, 192)).convert("L").getextrema()[1], 150)

    def test_times_are_shown(self):
        self.change({"process": "orient, mask", "mask": "0,0 9,0 9,9"})
        next(self.outputs()[0])

        def counts():
            return {one["name"]: one["frames"] for one in self.fanlight.camera()["filters"]
                    if one["frames"] and not one["failed"]}
        eventually(lambda: {"orient", "mask"} <= counts().keys())
        metrics = self.fanlight.get("/metrics")[2].decode()
        for name in "orient", "mask":
            self.assertIn(f'fanlight_filter_seconds_count{{camera="camera",filter="{name}"}}',
                          metrics)
            self.assertIn(f'fanlight_filter_failures_total{{camera="camera",filter="{name}"}} 0',
                          metrics)

    def test_copies_are_counted_where_frames_are_kept(self):
        # The pattern goes on using its own.
        self.change({"process": "mask", "mask": "0,0 9,0 9,9"})
        before = self.fanlight.camera()["copied_bytes"]
        pictures = self.outputs()[0]
        eventually(lambda: next(pictures) and self.fanlight.camera()["copied_bytes"] > before)

    def test_what_is_not_allowed_changes_nothing(self):
        before = self.change({"process": "orient", "rotate": "180"})
        for change, setting, sentence in (
                ({"rotate": "45"}, "rotate", "this is not allowed; use 0, 90, 180 or 270"),
                ({"flip": "both", "scale": "2"}, "scale", "use 1/2, 1/4 or another part"),
                ({"process": "orient, nonsense"}, "process", "orient, mask"),
                ({"process": "overlay, orient"}, "process", "overlay (behind orient)"),
                ({"overlay": "top-left {fsp}"}, "overlay", "{size}, {result:NAME}"),
                ({"rotate": 90}, "rotate", "the value is to be a string"),
                ({"plugin-dir": "/"}, "plugin-dir", "only the settings file may change this"),
                ({"logo": "/a.png"}, "logo", "only the settings file may change this"),
                ({"size": "1x1"}, "size", "there is no such setting of filters"),
                ([], None, "this is no JSON object"), ("x", None, "this is no JSON object")):
            status, answer = patch(self.fanlight, change)
            self.assertEqual((status, answer.get("setting")), (400, setting))
            self.assertIn(sentence, answer["error"])
            self.assertEqual(json.loads(self.fanlight.get("/process")[2]), before)

    def test_only_our_own_page_changes_anything(self):
        for headers, expected in (((JSON, "Sec-Fetch-Site: cross-site"), 403), ((), 415)):
            self.assertEqual(patch(self.fanlight, {"rotate": "90"}, headers=headers)[0], expected)
        status, headers, _ = self.fanlight.get("/process", JSON, method="PUT", body="{}")
        self.assertEqual((status, headers["allow"]), (405, "GET, HEAD, PATCH"))

    def test_changes_under_load_tear_no_picture(self):
        done = threading.Event()

        def change():
            for n in range(60):
                self.change({"process": ["orient, mask, overlay", "mask, overlay", ""][n % 3],
                             "overlay": f"top-left {{sequence}} {n}; -5,-5 size={20 + n} %T",
                             "rotate": ["90", "270"][n % 2], "mask": "10,10 90,10 50,90",
                             "mask-style": ["black", "mosaic"][n % 2]})
            done.set()
        changer = threading.Thread(target=change)
        changer.start()
        sizes = set()
        for _, jpeg in classic_parts(self.stream()):
            sizes.add(opened(jpeg).size)
            if done.is_set():
                break
        changer.join()
        self.assertTrue(sizes <= {(320, 192), (192, 320)}, sizes)


class Orientation(server.InFolder):
    """Against jpegtran, which turns JPEGs without looking at a pixel."""
    TURNS = {("90", "none"): ["-rotate", "90"], ("180", "none"): ["-rotate", "180"],
             ("270", "none"): ["-rotate", "270"], ("0", "horizontal"): ["-flip", "horizontal"],
             ("0", "vertical"): ["-flip", "vertical"], ("90", "horizontal"): ["-transpose"],
             ("90", "vertical"): ["-transverse"]}

    @classmethod
    def prepare(cls):
        still = cls.folder / "still.y4m"
        subprocess.run(["ffmpeg", "-v", "error", "-f", "lavfi", "-i", "testsrc=s=320x240:r=1",
                        "-frames:v", "1", "-pix_fmt", "yuvj420p", "-strict", "-1", still],
                       check=True, stdin=subprocess.DEVNULL)
        cls.OPTIONS, cls.SOURCE = ("--fps", "30", "--quality", "100"), f"replay:{still}"

    def test_turned_pictures_are_jpegtrans(self):
        plain = snapshot(self.fanlight)
        for (rotate, flip), arguments in self.TURNS.items():
            answer = patch(self.fanlight, {"process": "orient", "rotate": rotate, "flip": flip})
            self.assertEqual(answer[0], 200)
            expected = subprocess.run(["jpegtran", "-perfect", *arguments], input=plain, check=True,
                                      capture_output=True).stdout
            ours = opened(snapshot(self.fanlight))
            difference = ImageChops.difference(ours.convert("RGB"), opened(expected).convert("RGB"))
            # The transform rounds rows before columns.
            self.assertLessEqual(max(most for _, most in difference.getextrema()), 6)


class Plugins(server.InFolder):
    """The examples, as they would be installed."""

    @classmethod
    def prepare(cls):
        for name in "border.so", "brightness.so":
            shutil.copyfile(EXAMPLES / name, cls.folder / name)
            (cls.folder / name).chmod(0o644)
        shutil.copy(cls.folder / "border.so", cls.folder / "other.so")
        cls.OPTIONS = ("--size", "320x192", "--fps", "30", "--format", "NV12", "--plugin-dir",
                       cls.folder, "--process",
                       f"plugin:{cls.folder}/border.so 20, plugin:{cls.folder}/brightness.so")

    def test_plugin_draws_and_another_measures(self):
        image = Image.open(io.BytesIO(snapshot(self.fanlight)))
        image.draft("L", image.size)  # the border has its own luma, and the bars' colours
        for box in ((0, 0, 320, 16), (0, 176, 320, 192), (0, 0, 16, 192), (304, 0, 320, 192)):
            self.assertGreater(image.crop(box).getextrema()[0], 245)
        found = self.fanlight.camera()["results"]
        self.assertEqual(list(found), ["brightness"])
        self.assertIn(int(found["brightness"]), range(1, 101))
        self.assertEqual([one["name"] for one in self.fanlight.camera()["filters"]][:2],
                         ["plugin:border", "plugin:brightness"])

    def test_overlay_shows_what_a_plugin_has_found(self):
        before = json.loads(self.fanlight.get("/process")[2])["process"]
        for result, seen in ("brightness", True), ("nothing", False):
            overlay = f"100,50 size=40 colour=#ff0000 box=#ff0000 {{result:{result}}}"
            status, answer = patch(self.fanlight, {"process": f"{before}, overlay",
                                                   "overlay": overlay})
            self.assertEqual(status, 200, answer)
            red, green, blue = opened(snapshot(self.fanlight)).getpixel((110, 70))
            self.assertEqual(red > 200 and green < 60 and blue < 60, seen)
        self.assertEqual(patch(self.fanlight, {"process": before, "overlay": ""})[0], 200)

    def test_plugin_that_is_not_taken_changes_nothing(self):
        before = json.loads(self.fanlight.get("/process")[2])
        for name in "none", "other":
            status, answer = patch(self.fanlight, {"process": f"plugin:{self.folder}/{name}.so"})
            self.assertEqual((status, answer["setting"]), (409, "process"))
            self.assertIn("plugins are loaded when Fanlight starts", answer["error"])
            self.assertEqual(json.loads(self.fanlight.get("/process")[2]), before)

    def test_plugins_leave_and_come_back_while_it_runs(self):
        before = json.loads(self.fanlight.get("/process")[2])["process"]
        for steps in "", f"plugin:{self.folder}/border.so 5", before:
            status, answer = patch(self.fanlight, {"process": steps})
            self.assertEqual((status, answer["process"]), (200, steps))
            snapshot(self.fanlight)

    def test_plugin_that_is_not_taken_is_told_at_the_start(self):
        run = subprocess.run([server.FANLIGHT, "--config", "/dev/null", "--source", "pattern",
                              "--plugin-dir", self.folder, "--process",
                              f"plugin:{EXAMPLES}/border.so"], capture_output=True, text=True)
        self.assertEqual(run.returncode, 1)
        self.assertIn("border.so is not in plugin-dir, which is", run.stderr)


class Fontless(server.Case):
    OPTIONS = ("--size", "320x192", "--font", "/nowhere.ttf")

    def test_overlay_needs_a_font_or_a_logo(self):
        sentence = "overlay has no font: /nowhere.ttf: No such file or directory; name another"
        for overlay, expected, why in (("top-left x", 409, sentence),
                                       ("top-left {logo}", 400, "names no file")):
            status, answer = patch(self.fanlight, {"process": "overlay", "overlay": overlay})
            self.assertEqual((status, answer["setting"]), (expected, "process"))
            self.assertIn(why, answer["error"])
        run = subprocess.run([server.FANLIGHT, "--config", "/dev/null", "--source", "pattern",
                              "--font", "/nowhere.ttf", "--process", "overlay",
                              "--overlay", "top-left x"], capture_output=True, text=True)
        self.assertEqual(run.returncode, 1)
        self.assertIn(sentence, run.stderr)


class Logo(server.InFolder):
    @classmethod
    def prepare(cls):
        path = cls.folder / "logo.png"
        Image.new("RGBA", (40, 40), (255, 0, 0, 255)).save(path)
        cls.OPTIONS = ("--size", "320x192", "--logo", path, "--process", "orient, overlay",
                       "--overlay", "-20,-30 {logo}")

    def test_logo_is_there_and_comes_back(self):
        for rotate, overlay, place in (("0", "-20,-30 {logo}", (280, 142)), ("0", "0,0 x", None),
                                       ("90", "9,8 {logo}; 0,0 {logo}", (20, 20))):
            status, answer = patch(self.fanlight, {"rotate": rotate, "overlay": overlay})
            self.assertEqual(status, 200, answer)
            image = opened(snapshot(self.fanlight))
            red, green, blue = image.getpixel(place or (280, 142))
            self.assertEqual(red > 200 and green < 60 and blue < 60, place is not None)


class Previewed(server.Case):
    OPTIONS = ("--preview", "NONE-1", "--process", "orient", "--rotate", "180")

    def test_what_a_screen_shows_cannot_be_masked(self):
        status, answer = patch(self.fanlight, {"process": "mask", "mask": "0,0 9,0 9,9"})
        self.assertEqual((status, answer["setting"]), (409, "process"))
        self.assertIn("would show what a mask hides", answer["error"])
        self.assertEqual(json.loads(self.fanlight.get("/process")[2])["process"], "orient")


def white(**options):
    jpeg = io.BytesIO()
    Image.new("RGB", (64, 48), "white").save(jpeg, "JPEG", **options)
    return jpeg.getvalue()


class Compressed(server.InFolder):
    """Cameras' own JPEGs: decoded for filters, and only for them."""
    OPTIONS = ("--fps", "30")
    # As cameras send them, and one without tables to decode it by.
    GOOD = [white(subsampling=subsampling) for subsampling in range(3)]
    BROKEN = GOOD[0].replace(b"\xff\xdb", b"\xff\xe9")

    @classmethod
    def prepare(cls):
        for n, jpeg in enumerate([*cls.GOOD, cls.BROKEN]):
            (cls.folder / f"{n}.jpg").write_bytes(jpeg)
        cls.SOURCE = f"replay:{cls.folder}"

    def test_filters_see_what_is_in_them(self):
        status, answer = patch(self.fanlight, {"process": "mask, orient", "rotate": "90",
                                               "mask": "0,0 50,0 50,50 0,50"})
        self.assertEqual(status, 200, answer)
        pictures = (opened(jpeg).convert("L") for _, jpeg in classic_parts(self.stream()))
        # Each of the three has been there, the new ones first.
        for _ in range(4):
            image = next(image for image in pictures if image.size == (48, 64))
            self.assertLess(image.crop((28, 4, 44, 28)).getextrema()[1], 8)
            # Not the blocks that an edge of the mask runs through.
            for box in (4, 4, 16, 60), (28, 40, 44, 60):
                self.assertGreater(image.crop(box).getextrema()[0], 247)

    def test_without_filters_they_pass_as_they_are(self):
        self.assertEqual(patch(self.fanlight, {"process": ""})[0], 200)
        pictures = classic_parts(self.stream())
        next(jpeg for _, jpeg in pictures if jpeg in self.GOOD)
        for _ in range(4):
            self.assertIn(next(pictures)[1], self.GOOD)

    def test_broken_ones_are_dropped_and_counted(self):
        self.assertEqual(patch(self.fanlight, {"process": "orient"})[0], 200)
        pictures = classic_parts(self.stream())

        def corrupt():
            next(pictures)
            return self.fanlight.camera()["drops"]["corrupt"]
        before = corrupt()
        eventually(lambda: corrupt() > before)


class Foreign(server.InFolder):
    """What filters cannot take is not shown, as they might have hidden something in it."""
    OPTIONS = ("--process", "mask", "--mask", "0,0 9,0 9,9")

    @classmethod
    def prepare(cls):
        subprocess.run(["cjpeg", "-rgb", "-outfile", cls.folder / "one.jpg"],
                       input=b"P6 64 48 255\n" + bytes(64 * 48 * 3), check=True)
        cls.SOURCE = f"replay:{cls.folder}"

    def test_picture_that_cannot_be_masked_is_not_shown(self):
        self.assertEqual(self.fanlight.get("/snapshot")[0], 503)
        eventually(lambda: any("cannot take the kind of JPEG that the camera sends; set "
                               "format to a raw one" in line for line in self.fanlight.log))
        self.assertEqual(patch(self.fanlight, {"process": ""})[0], 200)
        self.assertEqual(opened(snapshot(self.fanlight)).size, (64, 48))


tap.main()
