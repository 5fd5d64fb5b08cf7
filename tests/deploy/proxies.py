"""Reverse proxies with the settings in deploy/proxy: live pictures and the page below a prefix."""
import socket
import ssl
import subprocess
import unittest

from server import Answer, Fanlight, Record, classic_parts, records

import proxy
import tap


class Proxied:
    """The tests that each proxy has to pass; COMMAND is its own."""

    @classmethod
    def setUpClass(cls):
        cls.fanlight = Fanlight("--size", "320x240", "--fps", "30")
        cls.addClassCleanup(cls.fanlight.close)
        cls.proxy = proxy.Proxy(cls.COMMAND, cls.fanlight.port)
        cls.addClassCleanup(cls.proxy.close)
        cls.port = cls.proxy.port

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
            ["curl", "-sk", "--http2", "-o", self.proxy.folder / "picture", "-w", "%{http_version}",
             f"https://127.0.0.1:{self.port}/camera/snapshot"], check=True, capture_output=True)
        self.assertEqual(said.stdout, b"2")
        self.assertTrue((self.proxy.folder / "picture").read_bytes().startswith(b"\xff\xd8"))


class Nginx(Proxied, unittest.TestCase):
    COMMAND = staticmethod(proxy.nginx)


class Haproxy(Proxied, unittest.TestCase):
    COMMAND = staticmethod(proxy.haproxy)


if __name__ == "__main__":
    tap.main()
