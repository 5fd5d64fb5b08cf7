"""nginx and HAProxy in front of a Fanlight on this machine, with the settings in deploy/proxy."""
import pathlib
import shutil
import socket
import subprocess
import tempfile
import time

SETTINGS = pathlib.Path(__file__).parents[1] / "deploy/proxy"
PATIENCE_S = 90
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


def nginx(folder, port, fanlight_port):
    """The command; its settings come into the folder."""
    settings = (SETTINGS / "nginx.conf").read_text()
    assert settings.count("127.0.0.1:8080") == 1
    (folder / "nginx.conf").write_text(SITE.format(
        folder=folder, port=port, settings=settings.replace(":8080", f":{fanlight_port}")))
    return ["/usr/sbin/nginx", "-e", "stderr", "-c", folder / "nginx.conf"]


def haproxy(folder, port, fanlight_port):
    settings = (SETTINGS / "haproxy.cfg").read_text()
    for theirs, ours in (("127.0.0.1:8080", f"127.0.0.1:{fanlight_port}"),
                         ("bind :443", f"bind 127.0.0.1:{port}"),
                         ("/etc/haproxy/site.pem", f"{folder}/site.pem")):
        assert settings.count(theirs) == 1, theirs
        settings = settings.replace(theirs, ours)
    (folder / "haproxy.cfg").write_text(settings)
    return ["/usr/sbin/haproxy", "-db", "-f", folder / "haproxy.cfg"]


class Proxy:
    """A proxy that runs at a port of its own, for HTTPS; command is one of those above."""

    def __init__(self, command, fanlight_port):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="fanlight-proxy-"))
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
                        "-subj", "/CN=localhost", "-keyout", self.folder / "key.pem", "-out",
                        self.folder / "cert.pem"], check=True, stderr=subprocess.DEVNULL)
        (self.folder / "site.pem").write_text((self.folder / "cert.pem").read_text() +
                                              (self.folder / "key.pem").read_text())
        with socket.create_server(("127.0.0.1", 0)) as taken:
            self.port = taken.getsockname()[1]
        self.process = subprocess.Popen(command(self.folder, self.port, fanlight_port))
        try:
            self.wait_until_open()
        except AssertionError:
            self.close()
            raise

    def wait_until_open(self):
        deadline = time.monotonic() + PATIENCE_S
        while True:
            assert self.process.poll() is None, "the proxy refuses its settings"
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            assert time.monotonic() < deadline, "the proxy opens no port"
            time.sleep(0.05)

    def close(self):
        self.process.terminate()
        self.process.wait()
        shutil.rmtree(self.folder)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
