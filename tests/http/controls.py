"""Controls and formats: asked for, refused, and switched under the eyes of viewers."""
import io
import json
import pathlib
import subprocess
import tempfile
import threading

from PIL import Image

import server
import tap
from server import classic_parts, eventually, Fanlight, Record, records

JSON = "Content-Type: application/json"


def patch(fanlight, change, path="/controls", headers=(JSON,), **others):
    """Status and answer, of JSON or a sentence."""
    body = change if isinstance(change, str) else json.dumps(change)
    status, headers, text = fanlight.get(path, *headers, method="PATCH", body=body, **others)
    return status, json.loads(text) if "json" in headers["content-type"] else text.decode()


def document(fanlight, path="/controls"):
    status, _, text = fanlight.get(path)
    assert status == 200, text
    return json.loads(text)


def size_of(jpeg):
    return Image.open(io.BytesIO(jpeg)).size


class Formats(server.Case):
    def setUp(self):
        eventually(lambda: self.fanlight.get("/controls")[0] == 200)
        status, _ = patch(self.fanlight, {"format": {"fourcc": "YUYV", "width": 640, "height": 360,
                                                     "fps": 30}})
        self.assertEqual(status, 200)

    def pictures_of(self, jpegs, size):
        """Go on until a picture of this size comes."""
        self.assertEqual(size, next(seen for seen in map(size_of, jpegs) if seen == size))

    def test_document_tells_what_is_and_what_could_be(self):
        told = document(self.fanlight)
        self.assertEqual(told["controls"], [])
        self.assertEqual(told["format"], {"fourcc": "YUYV", "width": 640, "height": 360, "fps": 30})
        self.assertIn("NV12", [format["fourcc"] for format in told["formats"]])
        sizes = {(size["width"], size["height"]): size["fps"]
                 for size in told["formats"][0]["sizes"]}
        self.assertIn(25, sizes[320, 240])
        self.assertEqual(document(self.fanlight, "/camera/controls"), told)

    def test_switch_keeps_every_viewer(self):
        parts = classic_parts(self.stream())
        live = records(self.stream("/live").read)
        jpegs = [(jpeg for _, jpeg in parts),
                 (record.payload for record in live if record.type == Record.PICTURE)]
        for fourcc, width, height, fps in (("NV12", 320, 240, 25), ("RGB3", 800, 600, 10),
                                           ("YUYV", 640, 360, 60)):
            asked = {"fourcc": fourcc, "width": width, "height": height, "fps": fps}
            status, answer = patch(self.fanlight, {"format": asked})
            self.assertEqual((status, answer["format"]), (200, asked))
            for viewer in jpegs:
                self.pictures_of(viewer, (width, height))
        self.assertEqual(len(self.fanlight.clients()), 2)
        camera = self.fanlight.camera()
        self.assertEqual((camera["lost"], camera["size"]), (0, {"width": 640, "height": 360}))

    def test_what_a_format_leaves_out_stays(self):
        for change, expected in (({"fps": 12.5}, ["YUYV", 640, 360, 12.5]),
                                 ({"width": 320, "height": 240}, ["YUYV", 320, 240, 12.5]),
                                 ({"fourcc": "GREY"}, ["GREY", 320, 240, 12.5]),
                                 ({}, ["GREY", 320, 240, 12.5])):
            status, answer = patch(self.fanlight, {"format": change})
            self.assertEqual((status, list(answer["format"].values())), (200, expected))

    def test_what_is_not_offered_is_refused_before_anything_is_touched(self):
        opened = self.fanlight.camera()["opened"]
        for change, sentence in (
                ({"format": {"fourcc": "MJPG"}}, "no format MJPG that can be read; there is YUYV"),
                ({"format": {"width": 9000, "height": 10}}, "no size 9000x10 in YUYV"),
                ({"format": {"fps": 999}}, "YUYV in 640x360 comes at up to 960 fps, not 999"),
                ({"controls": {"brightness": 1}}, "the test pattern has no controls"),
                ({"brightness": 1}, 'there is no "brightness" to change'),
                ("nonsense", "this is no JSON")):
            status, answer = patch(self.fanlight, change)
            self.assertEqual(status, 400)
            self.assertIn(sentence, answer["error"])
        self.assertEqual(self.fanlight.camera()["opened"], opened)

    def test_format_that_does_not_start_gives_way_to_the_old_one(self):
        parts = classic_parts(self.stream())
        before = document(self.fanlight)["format"]
        status, answer = patch(self.fanlight, {"format": {"fps": 0.5}})
        self.assertEqual(status, 409)
        self.assertIn("cannot run at 0.5 fps", answer["error"])
        self.assertEqual(document(self.fanlight)["format"], before)
        for _ in range(3):
            self.assertEqual(size_of(next(parts)[1]), (640, 360))

    def test_switch_is_told_to_live_viewers(self):
        live = records(self.stream("/live").read)
        told = (record.json()["controls_changed"] for record in live
                if record.type == Record.STATUS)
        before = next(told)
        patch(self.fanlight, {"format": {"fps": 20}})
        self.assertGreater(next(count for count in told if count > before + 1), before)

    def test_many_ask_and_change_at_once(self):
        statuses, sizes = [], [(320, 240), (640, 480)]

        def change(n):
            width, height = sizes[n % 2]
            statuses.append(patch(self.fanlight,
                                  {"format": {"width": width, "height": height}})[0])
            statuses.append(self.fanlight.get("/controls")[0])
        threads = [threading.Thread(target=change, args=(n,)) for n in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(statuses, [200] * 24)
        told = document(self.fanlight)["format"]
        self.assertIn((told["width"], told["height"]), sizes)

    def test_client_that_leaves_holds_nobody_up(self):
        for n in range(10):
            change = json.dumps({"format": {"fps": 20 + n}})
            connection = self.fanlight.connect()
            connection.sendall(f"PATCH /controls HTTP/1.1\r\nHost: fanlight\r\n{JSON}\r\n"
                               f"Content-Length: {len(change)}\r\n\r\n{change}".encode())
            connection.close()
        status, answer = patch(self.fanlight, {"format": {"fps": 12}})
        self.assertEqual((status, answer["format"]["fps"]), (200, 12))

    def test_h2_client_patches(self):
        with tempfile.TemporaryDirectory(prefix="fanlight-controls-") as folder:
            file = pathlib.Path(folder) / "answer"
            curl = subprocess.run(
                ["curl", "-s", "--http2-prior-knowledge", "-X", "PATCH", "-H", JSON, "-d",
                 '{"format":{"fps":24}}', "-o", file, "-w", "%{http_version} %{http_code}",
                 self.fanlight.urls["http"] + "/controls"], capture_output=True, text=True)
            self.assertEqual(curl.stdout, "2 200")
            self.assertEqual(json.loads(file.read_text())["format"]["fps"], 24)

    def test_only_our_own_page_changes_anything(self):
        opened = self.fanlight.camera()["opened"]
        change = {"format": {"fps": 5}}
        for headers, expected in (((JSON, "Sec-Fetch-Site: cross-site"), 403),
                                  ((JSON, "Origin: http://elsewhere"), 403),
                                  (("Content-Type: text/plain",), 415), ((), 415)):
            self.assertEqual(patch(self.fanlight, change, headers=headers)[0], expected)
        self.assertEqual(self.fanlight.camera()["opened"], opened)

    def test_a_preview_without_a_screen_touches_nothing(self):
        """Its frames are recalled like any others."""
        fanlight = Fanlight("--preview", "NONE-1")
        self.addCleanup(fanlight.close)
        eventually(lambda: any("preview: " in line and "trying again" in line
                               for line in fanlight.log))
        eventually(lambda: fanlight.get("/controls")[0] == 200)
        for fps in (10, 20, 30):
            status, answer = patch(fanlight, {"format": {"fps": fps}})
            self.assertEqual((status, answer["format"]["fps"]), (200, fps))
            self.assertEqual(fanlight.get("/snapshot?max_age_ms=0")[0], 200)
        camera = fanlight.camera()
        self.assertEqual((camera["lost"], camera["previewed"]), (0, 0))
        self.assertEqual(fanlight.close(), 0)

    def test_other_requests_are_refused(self):
        for method in ("POST", "PUT", "DELETE", "OPTIONS"):
            status, headers, _ = self.fanlight.get("/controls", JSON, method=method, body="{}")
            self.assertEqual((status, headers["allow"]), (405, "GET, HEAD, PATCH"))
        self.assertEqual(self.fanlight.get("/nowhere/controls")[0], 404)
        self.assertEqual(patch(self.fanlight, " " * 5000)[0], 413)
        head = self.fanlight.request("/controls", method="HEAD")
        self.addCleanup(head.raw.close)
        self.assertEqual((head.status, head.headers["content-type"]), (200, "application/json"))


class Neighbours(server.Case):
    OPTIONS = ("--size", "320x240", "--camera", "left", "--camera", "right",
               "--camera", "gone", "--source", "/dev/no-such-camera")

    def test_switch_leaves_the_neighbour_alone(self):
        eventually(lambda: self.fanlight.get("/right/controls")[0] == 200)
        status, answer = patch(self.fanlight, {"format": {"width": 640, "height": 480}},
                               "/right/controls")
        self.assertEqual((status, answer["format"]["width"]), (200, 640))
        left, right, _ = self.fanlight.state()["cameras"]
        self.assertEqual((left["opened"], left["size"]["width"]), (1, 320))
        self.assertEqual((right["opened"], right["lost"]), (2, 0))

    def test_camera_that_is_away_is_told(self):
        for method, body in (("GET", ""), ("PATCH", '{"controls":{"brightness":1}}')):
            status, headers, text = self.fanlight.get("/gone/controls", JSON, method=method,
                                                      body=body)
            self.assertEqual((status, headers["retry-after"]), (503, "1"))
            self.assertEqual(json.loads(text),
                             {"error": "the camera is not there at the moment"})


tap.main()
