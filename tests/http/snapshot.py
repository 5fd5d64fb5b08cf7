"""Snapshots: how fresh, how tagged, and what happens when there is none."""
import io
import itertools
import time

from PIL import Image

import server
import tap
from server import classic_parts, eventually


class Snapshot(server.Case):
    def test_it_is_a_whole_picture_with_its_length_tag_and_time(self):
        status, headers, body = self.fanlight.get("/snapshot")
        self.assertEqual(status, 200)
        self.assertEqual(headers["content-type"], "image/jpeg")
        self.assertEqual(int(headers["content-length"]), len(body))
        self.assertRegex(headers["etag"], r'^"\d+-[0-9a-f]+"$')
        self.assertRegex(headers["x-timestamp"], r"^\d+\.\d{6}$")
        self.assertEqual(headers["access-control-allow-origin"], "*")
        self.assertIn("no-store", headers["cache-control"])
        self.assertEqual(Image.open(io.BytesIO(body)).size, (640, 360))

    def test_a_known_picture_is_not_sent_again(self):
        tag = self.fanlight.get("/snapshot")[1]["etag"]
        for tags in (tag, f'"other", {tag}', "*"):
            status, headers, body = self.fanlight.get(
                "/snapshot?max_age_ms=3600000", f"If-None-Match: {tags}", "Connection: close")
            self.assertEqual((status, body), (304, b""))
            self.assertEqual(headers["etag"], tag)
        self.assertEqual(
            self.fanlight.get("/snapshot?max_age_ms=3600000", 'If-None-Match: "0-0"')[0], 200)

    def test_head_is_the_same_without_the_body(self):
        connection = self.fanlight.connect()
        self.addCleanup(connection.close)
        self.fanlight.get("/snapshot")
        head = self.fanlight.request(
            "/snapshot?max_age_ms=3600000", method="HEAD", connection=connection)
        self.assertEqual(head.status, 200)
        after = self.fanlight.request("/snapshot?max_age_ms=3600000", connection=connection)
        self.assertEqual(after.headers["content-length"], head.headers["content-length"])
        self.assertEqual(after.headers["etag"], head.headers["etag"])
        self.assertEqual(len(after.read_all()), int(head.headers["content-length"]))

    def test_max_age_waits_for_a_picture_that_fresh(self):
        last = 0.0
        for _ in range(5):
            asked = time.time()
            taken = float(self.fanlight.get("/snapshot?max_age_ms=0")[1]["x-timestamp"])
            self.assertGreater(taken, asked - 0.001)  # two readings of the wall clock
            self.assertGreater(taken, last)
            last = taken

    def test_an_old_picture_is_given_to_who_does_not_mind(self):
        tags = {self.fanlight.get("/snapshot?max_age_ms=3600000")[1]["etag"] for _ in range(5)}
        self.assertEqual(len(tags), 1)

    def test_mjpg_streamers_and_named_addresses_work(self):
        for path in ("/?action=snapshot", "/?action=snapshot_0", "/camera/snapshot", "//snapshot",
                     "/snapshot?t=1389402394"):
            status, headers, _ = self.fanlight.get(path)
            self.assertEqual((status, headers["content-type"]), (200, "image/jpeg"))

    def test_clients_that_vanish_while_waiting_leave_nothing(self):
        for _ in range(20):
            connection = self.fanlight.connect()
            connection.sendall(b"GET /snapshot?max_age_ms=0 HTTP/1.1\r\nHost: x\r\n\r\n")
            connection.close()
        before = self.fanlight.camera()["encoded"]
        eventually(lambda: self.fanlight.get("/snapshot?max_age_ms=0")[0] == 200)
        self.assertGreater(self.fanlight.camera()["encoded"], before)

        def idle():
            encoded, captured = (self.fanlight.camera()[key] for key in ("encoded", "captured"))
            eventually(lambda: self.fanlight.camera()["captured"] > captured + 10)
            return self.fanlight.camera()["encoded"] == encoded
        eventually(idle)


class Absent(server.Case):
    SOURCE = "/dev/video99"

    def test_no_picture_is_503_with_a_sentence(self):
        eventually(lambda: self.fanlight.camera()["state"] == "absent")
        for method in ("GET", "HEAD"):
            answer = self.fanlight.request("/snapshot", method=method)
            with answer.raw:
                self.assertEqual(answer.status, 503)
                self.assertEqual(answer.headers["retry-after"], "1")
                if method == "GET":
                    text = answer.read_all().decode()
                    self.assertRegex(text, r"^No picture from camera camera: .+\.\n$")
                    self.assertIn("/dev/video99", text)

    def test_a_waiting_stream_has_begun(self):
        answer = self.stream()
        self.assertEqual(answer.read_until(b"\r\n"), server.BOUNDARY + b"\r\n")

    def test_the_state_says_why(self):
        eventually(lambda: self.fanlight.camera()["since"])
        state = self.fanlight.state()
        self.assertFalse(state["result"]["source"]["online"])
        self.assertFalse(state["cameras"][0]["online"])
        self.assertIn("/dev/video99", state["cameras"][0]["reason"])

    def test_it_is_not_healthy(self):
        status, _, body = self.fanlight.get("/healthz")
        self.assertEqual(status, 503)
        self.assertRegex(body.decode(), r"^Camera camera: .+\.\n$")


class Replay(server.InFolder):
    """Pictures that were JPEGs before arrive as the bytes they were."""
    N = 5

    @classmethod
    def prepare(cls):
        cls.pictures = set()
        for i in range(cls.N):
            file = io.BytesIO()
            Image.new("RGB", (320, 240), (i * 50, 100, 255 - i * 50)).save(file, "JPEG")
            (cls.folder / f"{i}.jpg").write_bytes(file.getvalue())
            cls.pictures.add(file.getvalue())
        cls.OPTIONS, cls.SOURCE = ("--fps", "30"), f"replay:{cls.folder}"

    def test_snapshot_and_stream_have_the_files_bytes(self):
        self.assertIn(self.fanlight.get("/snapshot")[2], self.pictures)
        seen = {jpeg for _, jpeg in itertools.islice(classic_parts(self.stream()), 60)}
        self.assertEqual(seen, self.pictures)

    def test_the_state_names_the_source(self):
        self.fanlight.get("/snapshot")
        camera = self.fanlight.camera()
        self.assertEqual(camera["source"], self.SOURCE)
        self.assertEqual(camera["size"], {"width": 320, "height": 240})
        self.assertIn(camera["format"], ("JPEG", "MJPG"))


tap.main()
