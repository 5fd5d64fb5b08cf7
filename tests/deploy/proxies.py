"""Reverse proxies with the settings in deploy/proxy: live pictures and the page below a prefix."""
import pathlib
import shutil
import socket
import ssl
import subprocess
import tempfile
import unittest

from server import Answer, Fanlight, Record, classic_parts, eventually, records

import tap

SETTINGS = pathlib.Path(__file__).parents[2] / "deploy/proxy"
SITE = """daemon off; pid {folder}/pid; error_log stderr;
events {{}}
http {{
	access_log off;
	client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
	fastcgi_temp_path {folder}/fastcgi; uwsgi_temp_path {folder}/uwsgi;
	scgi_temp_path {folder}/scgi;
	server {{
		listen 127.0.0.1:{port} ssl http2;
		ssl_certificate {folder}/site.pem; ssl_certificate_key {folder}/site.pem;
{settings}
	}}
}}
"""


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return taken.getsockname()[1]


class Proxied:
    """The tests that each proxy has to pass; NAME, SETTINGS and command() are its own."""

    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="fanlight-proxy-"))
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
                        "-subj", "/CN=localhost", "-keyout", cls.folder / "key.pem", "-out",
                        cls.folder / "cert.pem"], check=True, stderr=subprocess.DEVNULL)
        (cls.folder / "site.pem").write_text((cls.folder / "cert.pem").read_text() +
                                             (cls.folder / "key.pem").read_text())
        cls.fanlight = Fanlight("--size", "320x240", "--fps", "30")
        cls.addClassCleanup(cls.fanlight.close)
        cls.port = free_port()
        cls.proxy = subprocess.Popen(cls.command())
        cls.addClassCleanup(cls.proxy.wait)
        cls.addClassCleanup(cls.proxy.terminate)
        eventually(cls.is_open)

    @classmethod
    def is_open(cls):
        assert cls.proxy.poll() is None, "the proxy refuses its settings"
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", cls.port)) == 0

    def request(self, path, *headers, method="GET"):
        connection = socket.create_connection(("127.0.0.1", self.port), timeout=30)
        connection = ssl._create_unverified_context().wrap_socket(connection)
        host = f"Host: localhost:{self.port}"
        connection.sendall("\r\n".join([f"{method} {path} HTTP/1.1", host, *headers, "", ""])
                           .encode())
        answer = Answer(connection)
        self.addCleanup(connection.close)
        self.addCleanup(answer.raw.close)
        return answer

    def test_pictures_flow_one_by_one(self):
        parts = classic_parts(self.request("/camera/stream"))
        for _ in range(10):
            self.assertTrue(next(parts)[1].startswith(b"\xff\xd8"))

    def test_live_records_flow_and_are_reported_on(self):
        answer = self.request("/camera/live")
        stream = records(answer.read)
        hello = next(stream).json()
        picture = next(record for record in stream if record.type == Record.PICTURE)
        body = f'{{"serial":{picture.serial}}}'
        report = self.request(
            f"/camera/live/{hello['id']}", f"Origin: https://localhost:{self.port}",
            "Sec-Fetch-Site: same-origin", "Content-Type: application/json",
            f"Content-Length: {len(body)}", "", body, method="POST")
        self.assertEqual(report.status, 204)

    def test_the_page_and_what_it_loads_are_below_the_prefix(self):
        page = self.request("/camera/")
        self.assertEqual(page.status, 200)
        self.assertIn(b"Fanlight", page.read_all())
        for name in ("main.js", "style.css", "state", "snapshot"):
            self.assertEqual(self.request(f"/camera/{name}").status, 200, name)

    def test_the_prefix_without_its_slash_leads_there(self):
        answer = self.request("/camera")
        self.assertEqual(answer.status, 301)
        self.assertTrue(answer.headers["location"].endswith("/camera/"))

    def test_h2_is_spoken(self):
        said = subprocess.run(
            ["curl", "-sk", "--http2", "-o", self.folder / "picture", "-w", "%{http_version}",
             f"https://127.0.0.1:{self.port}/camera/snapshot"], check=True, capture_output=True)
        self.assertEqual(said.stdout, b"2")
        self.assertTrue((self.folder / "picture").read_bytes().startswith(b"\xff\xd8"))


class Nginx(Proxied, unittest.TestCase):
    @classmethod
    def command(cls):
        settings = (SETTINGS / "nginx.conf").read_text()
        assert settings.count("127.0.0.1:8080") == 1
        (cls.folder / "nginx.conf").write_text(SITE.format(
            folder=cls.folder, port=cls.port,
            settings=settings.replace(":8080", f":{cls.fanlight.port}")))
        return ["/usr/sbin/nginx", "-e", "stderr", "-c", cls.folder / "nginx.conf"]


class Haproxy(Proxied, unittest.TestCase):
    @classmethod
    def command(cls):
        settings = (SETTINGS / "haproxy.cfg").read_text()
        for theirs, ours in (("127.0.0.1:8080", f"127.0.0.1:{cls.fanlight.port}"),
                             ("bind :443", f"bind 127.0.0.1:{cls.port}"),
                             ("/etc/haproxy/site.pem", f"{cls.folder}/site.pem")):
            assert settings.count(theirs) == 1, theirs
            settings = settings.replace(theirs, ours)
        (cls.folder / "haproxy.cfg").write_text(settings)
        return ["/usr/sbin/haproxy", "-db", "-f", cls.folder / "haproxy.cfg"]


if __name__ == "__main__":
    tap.main()
