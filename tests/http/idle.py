"""A camera that rests while nobody watches, and is started by whoever comes."""
import server
import tap
from server import Record, eventually, records


class Idle(server.Case):
    OPTIONS = ("--size", "320x180", "--fps", "30", "--idle", "stop")

    def setUp(self):
        """Nobody watches; each test lets the camera come to rest first."""
        eventually(lambda: self.fanlight.camera()["state"] == "idle")
        self.opened = self.fanlight.camera()["opened"]

    def assert_started(self):
        camera = eventually(lambda: self.online())
        self.assertEqual(camera["opened"], self.opened + 1)
        self.assertEqual(camera["lost"], 0)
        self.assertFalse(any(camera["faults"].values()), camera["faults"])
        return camera

    def online(self):
        camera = self.fanlight.camera()
        return camera if camera["online"] else None

    def test_at_rest_it_is_healthy_and_a_snapshot_starts_it(self):
        camera = self.fanlight.camera()
        self.assertEqual((camera["online"], camera["reason"]), (False, "nobody watches"))
        self.assertFalse(camera["placeholder"])
        self.assertEqual(self.fanlight.get("/healthz")[0], 200)
        metrics = self.fanlight.get("/metrics")[2].decode()
        self.assertIn('fanlight_camera_idle{camera="camera"} 1\n', metrics)
        self.assertIn('fanlight_camera_up{camera="camera"} 0\n', metrics)
        eventually(lambda: self.fanlight.get("/snapshot")[0] == 200)
        self.assert_started()

    def test_a_stream_starts_it_and_keeps_it_awake(self):
        """As long as another takes to fall asleep."""
        pictures = (record for record in records(self.stream("/live").read)
                    if record.type == Record.PICTURE)
        self.assertEqual(next(pictures).flags & Record.PLACEHOLDER, 0)
        self.assertGreater(self.assert_started()["first_picture_ms"], 0)
        self.assertRegex(self.fanlight.get("/metrics")[2].decode(),
                         r'fanlight_demand_to_picture_seconds_count\{camera="camera"\} [1-9]')
        other = server.Fanlight(*self.OPTIONS)
        self.addCleanup(other.close)
        while other.camera()["state"] != "idle":
            next(pictures)
        self.assert_started()


tap.main()
