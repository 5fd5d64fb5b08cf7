"""Everything that is not a picture: the page, the state, the refusals, several cameras."""
import re

import server
import tap
from server import eventually


class Pages(server.Case):
    def test_the_page_and_its_files_are_served_with_their_types(self):
        status, headers, body = self.fanlight.get("/")
        self.assertEqual(status, 200)
        self.assertEqual(headers["content-type"], "text/html; charset=utf-8")
        policy = headers["content-security-policy"]
        self.assertIn("default-src 'none'", policy)
        self.assertNotIn("unsafe", policy)
        self.assertEqual(headers["x-content-type-options"], "nosniff")
        links = re.findall(r'(?:href|src)="([^"]+\.(?:css|js))"', body.decode())
        self.assertTrue(links)
        for link in links:
            self.assertFalse(link.startswith("/"), "it must work behind a prefix")
            status, headers, _ = self.fanlight.get("/" + link)
            self.assertEqual(status, 200)
            self.assertIn("css" if link.endswith("css") else "javascript",
                          headers["content-type"])

    def test_an_unchanged_page_is_not_sent_again(self):
        tag = self.fanlight.get("/")[1]["etag"]
        status, _, body = self.fanlight.get("/", f"If-None-Match: {tag}", "Connection: close")
        self.assertEqual((status, body), (304, b""))
        self.assertEqual(self.fanlight.get("/", 'If-None-Match: "x"')[0], 200)

    def test_what_is_not_there_is_404_in_one_sentence(self):
        for path in ("/nothing", "/camera", "/camera/state", "/other/stream", "/?action=stream_1",
                     "/stream/camera", "/%2e%2e/etc/passwd", "/" + "x" * 2000):
            status, headers, body = self.fanlight.get(path)
            self.assertEqual(status, 404, path)
            self.assertEqual(headers["content-type"], "text/plain; charset=utf-8")
            self.assertRegex(body.decode(), r"^[A-Z].+\.\n$")

    def test_bad_arguments_are_400_in_one_sentence(self):
        for path in ("/stream?fps=fast", "/snapshot?max_age_ms=-1", "/stream?layout=x",
                     "/?action=dance", "/stream?extra_headers=maybe"):
            status, _, body = self.fanlight.get(path)
            self.assertEqual(status, 400, path)
            self.assertRegex(body.decode(), r"^[a-z_]+ is .+\.\n$")

    def test_other_methods_are_405_with_those_allowed(self):
        for method in ("POST", "PUT", "DELETE", "OPTIONS"):
            for path in ("/", "/stream", "/snapshot", "/state", "/healthz", "/metrics"):
                status, headers, _ = self.fanlight.get(path, "Content-Length: 0", method=method)
                self.assertEqual((status, headers["allow"]), (405, "GET, HEAD"))

    def test_large_bodies_are_refused(self):
        self.assertEqual(
            self.fanlight.get("/state", "Content-Length: 1000000", method="POST")[0], 413)

    def test_many_requests_share_a_connection(self):
        connection = self.fanlight.connect()
        self.addCleanup(connection.close)
        for path in ("/", "/state", "/nothing", "/snapshot", "/healthz"):
            answer = self.fanlight.request(path, connection=connection)
            answer.read_all()

    def test_it_is_healthy_while_frames_advance(self):
        eventually(lambda: self.fanlight.get("/healthz")[0] == 200)
        status, headers, body = self.fanlight.get("/healthz")
        self.assertEqual((status, body), (200, b"ok\n"))
        self.assertIn("no-store", headers["cache-control"])

    def test_the_state_has_what_ustreamers_readers_look_for(self):
        with self.fanlight.request("/stream?extra_headers=1").raw:
            eventually(lambda: self.fanlight.state()["result"]["stream"]["queued_fps"])
            state = self.fanlight.state()
        self.assertIs(state["ok"], True)
        source, stream = state["result"]["source"], state["result"]["stream"]
        self.assertEqual(source["resolution"], {"width": 640, "height": 360})
        self.assertIs(source["online"], True)
        self.assertEqual(source["desired_fps"], 30)
        self.assertIsInstance(source["captured_fps"], int)
        self.assertEqual(stream["clients"], 1)
        client, = stream["clients_stat"].values()
        self.assertEqual(set(client), {"fps", "extra_headers", "advance_headers",
                                       "dual_final_frames", "zero_data", "key"})
        self.assertIs(client["extra_headers"], True)
        self.assertIs(client["advance_headers"], False)

    def test_the_state_tells_all_of_a_camera(self):
        self.fanlight.get("/snapshot?max_age_ms=0")
        _, headers, _ = self.fanlight.get("/state")
        self.assertEqual(headers["content-type"], "application/json")
        self.assertEqual(headers["access-control-allow-origin"], "*")
        camera = eventually(lambda: (camera := self.fanlight.camera())["captured_fps"] and camera)
        self.assertLessEqual(
            {"name", "source", "online", "since", "reason", "driver", "card", "bus", "path",
             "format", "device_format", "size", "fps", "captured_fps", "encoded_fps", "sequence",
             "slices", "buffers", "dmabuf", "memory",
             "memory_path", "memory_note", "dmabuf_syncs", "copied_bytes", "previewed", "converted", "drops", "stages_ms", "clients"},
            set(camera))
        self.assertEqual(camera["name"], "camera")
        self.assertEqual(camera["source"], "pattern")
        self.assertEqual((camera["online"], camera["reason"]), (True, ""))
        self.assertEqual(camera["fps"], 30)
        self.assertEqual(set(camera["drops"]), {"stale", "lost", "starved", "error",
                                                "encoder_busy", "corrupt", "encode", "server_busy"})
        self.assertLessEqual({"capture_to_dequeue", "wait", "encode", "total"},
                             set(camera["stages_ms"]))
        self.assertGreater(camera["stages_ms"]["encode"]["last"], 0)
        self.assertGreater(camera["stages_ms"]["total"]["average"], 0)

    def test_broken_requests_are_refused_and_harm_nobody(self):
        for rubbish in (b"\x00\xff\xfe\r\n\r\n", b"GET\r\n\r\n", b"GET /stream HTTP/9.9\r\n\r\n",
                        b"GET state HTTP/1.1\r\n\r\n", b"GET * HTTP/1.1\r\n\r\n",
                        b"GET /?" + b"&" * 5000 + b" HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x02\x00"):
            with self.fanlight.connect() as connection:
                connection.sendall(rubbish)
                connection.shutdown(server.socket.SHUT_WR)
                while connection.recv(65536):
                    pass
        self.assertEqual(self.fanlight.get("/state")[0], 200)


class SeveralCameras(server.Case):
    OPTIONS = ("--size", "320x240", "--camera", "front", "--source", "pattern", "--camera", "back",
               "--source", "pattern", "--size", "160x120")

    def test_each_has_its_addresses(self):
        sizes = {"/snapshot": 320, "/front/snapshot": 320, "/back/snapshot": 160,
                 "/?action=snapshot": 320, "/?action=snapshot_0": 320, "/?action=snapshot_1": 160}
        tags = {path: self.fanlight.get(path)[1]["content-length"] for path in sizes}
        state = self.fanlight.state()
        self.assertEqual([camera["name"] for camera in state["cameras"]], ["front", "back"])
        self.assertEqual([camera["size"]["width"] for camera in state["cameras"]], [320, 160])
        for path, width in sizes.items():
            self.assertEqual(int(tags[path]) < int(tags["/front/snapshot"]) * 0.8, width == 160)

    def test_streams_of_one_do_not_wake_the_other(self):
        with self.fanlight.request("/back/stream").raw:
            before = eventually(lambda: (state := self.fanlight.state())["cameras"][1]["clients"]
                                and state)
            after = eventually(lambda: (state := self.fanlight.state())["cameras"][1]["encoded"] >
                               before["cameras"][1]["encoded"] + 10 and state)
        self.assertEqual(after["cameras"][0]["encoded"], before["cameras"][0]["encoded"])


tap.main()
