"""The programs that people point at a camera server: curl, nghttp, h2load, ffmpeg, ffprobe."""
import os
import subprocess
import tempfile

import server
import tap
from server import eventually


def run(*command):
    return subprocess.run(command, capture_output=True, text=True, timeout=2 * server.PATIENCE_S)


class Clients(server.Case):
    HTTPS = True

    def watch(self, *command):
        """Start a client that goes on until the test ends."""
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)

    def playing(self, n, protocol):
        """The n clients of this protocol, when each has had some pictures."""
        def look():
            clients = [client for client in self.fanlight.clients()
                       if client["protocol"] == protocol and client["frames"] > 10]
            return len(clients) == n and clients
        clients = eventually(look)
        return {client["address"] for client in clients}

    def setUp(self):
        eventually(lambda: not self.fanlight.clients())

    def test_curl_speaks_every_protocol(self):
        for scheme, option, protocol in (
                ("http", "--http1.0", "http/1.0"), ("http", "--http1.1", "http/1.1"),
                ("http", "--http2-prior-knowledge", "h2"), ("http", "--http2", "h2"),
                ("https", "--http1.1", "http/1.1"), ("https", "--http2", "h2")):
            with self.subTest(scheme=scheme, option=option):
                url = self.fanlight.urls[scheme] + "/stream"
                curl = subprocess.Popen(["curl", "-sNk", option, url], stdout=subprocess.DEVNULL)
                try:
                    self.playing(1, protocol)
                finally:
                    curl.kill()
                    curl.wait()
                eventually(lambda: not self.fanlight.clients())

    def test_several_streams_share_a_connection(self):
        plain, secure = (self.fanlight.urls[scheme] + "/stream" for scheme in ("http", "https"))
        outputs = [argument for i in range(4) for argument in ("-o", os.devnull, f"{secure}?n={i}")]
        for n, command in ((4, ["curl", "-sNkZ", "--http2", *outputs]),
                           (3, ["nghttp", "-n", *(f"{plain}?n={i}" for i in range(3))])):
            client = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            try:
                self.assertEqual(len(self.playing(n, "h2")), 1)
            finally:
                client.kill()
                client.wait()
            eventually(lambda: not self.fanlight.clients())

    def test_nghttp_plays_streams_beside_snapshots(self):
        url = self.fanlight.urls["https"]
        self.watch("nghttp", "-n", "--no-verify-peer", url + "/stream", url + "/stream?fps=20")
        self.playing(2, "h2")
        snapshots = run("nghttp", "-nsy", url + "/snapshot", url + "/state", url + "/")
        self.assertEqual(snapshots.returncode, 0)
        for path in ("/snapshot", "/state", "/"):
            self.assertRegex(snapshots.stdout, rf" 200 +\S+ +{path}\n")

    def test_h2load_gets_all_its_answers(self):
        for url in (self.fanlight.urls["http"], self.fanlight.urls["https"]):
            for options in (["-m", "10"], ["--h1"]):
                load = run("h2load", "-n", "400", "-c", "20", *options,
                           url + "/snapshot?max_age_ms=60000")
                self.assertIn("400 succeeded, 0 failed, 0 errored, 0 timeout", load.stdout)

    def test_ffmpeg_decodes_the_stream(self):
        with tempfile.TemporaryDirectory(prefix="fanlight-clients-") as folder:
            for path in ("/stream", "/?action=stream", "/stream?extra_headers=1"):
                decoded = run("ffmpeg", "-v", "error", "-xerror", "-f", "mpjpeg", "-i",
                              self.fanlight.urls["http"] + path, "-frames:v", "20", "-f", "null",
                              folder + "/none")
                self.assertEqual((decoded.returncode, decoded.stderr), (0, ""))

    def test_ffprobe_sees_what_it_is(self):
        probe = run("ffprobe", "-v", "error", "-show_entries", "stream=codec_name,width,height",
                    "-of", "csv=p=0", self.fanlight.urls["http"] + "/stream")
        self.assertEqual((probe.stderr, probe.stdout.strip()), ("", "mjpeg,640,360"))

    def test_clients_that_are_killed_leave_nothing(self):
        for _ in range(3):
            url = self.fanlight.urls["https"] + "/stream"
            curls = [subprocess.Popen(["curl", "-sNk", option, url], stdout=subprocess.DEVNULL)
                     for option in ("--http2", "--http1.1") * 3]
            self.playing(3, "h2")
            self.playing(3, "http/1.1")
            for curl in curls:
                curl.kill()
                curl.wait()
            eventually(lambda: not self.fanlight.clients())


tap.main()
