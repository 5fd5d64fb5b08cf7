"""A fanlight to test, and the simplest clients that can tell what it really sends."""
import contextlib
import ctypes
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import unittest

from records import Record, records  # for those who import this

FANLIGHT = sys.argv[1]
BOUNDARY = b"--boundarydonotcross"
JSON = "Content-Type: application/json"
PATIENCE_S = 90  # for what must happen; nothing is judged by how soon
PTRACE_DETACH, PTRACE_SEIZE, PTRACE_INTERRUPT = 17, 0x4206, 0x4207
WAIT_ALL = 0x40000000  # __WALL: of any thread
libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]


def ptrace(request, thread):
    if libc.ptrace(request, thread, None, None) < 0:
        raise OSError(ctypes.get_errno(), "ptrace")


@contextlib.contextmanager
def stopped(thread):
    """One thread stands still, whatever it was about; the others go on."""
    ptrace(PTRACE_SEIZE, thread)
    ptrace(PTRACE_INTERRUPT, thread)
    os.waitpid(thread, WAIT_ALL)
    try:
        yield
    finally:
        ptrace(PTRACE_DETACH, thread)


class Answer:
    """An HTTP/1 response; raw is what follows its header block, body reads it as framed."""

    def __init__(self, connection):
        self.raw = connection.makefile("rb")
        status = self.raw.readline().split(b" ", 2)
        self.version, self.status = status[0].decode(), int(status[1])
        self.headers = read_headers(self.raw)
        self.chunked = self.headers.get("transfer-encoding") == "chunked"
        self.rest = b""

    def read_some(self):
        """The next bytes of the body, b"" at its proper end; EOFError if it breaks off."""
        if not self.chunked:
            return self.raw.read1(65536)
        size = self.raw.readline()
        if not size.endswith(b"\r\n"):
            raise EOFError("the chunks break off")
        data = self.raw.read(int(size, 16))
        if self.raw.read(2) != b"\r\n":
            raise EOFError("a chunk breaks off")
        return data

    def read(self, n):
        """Exactly n bytes of the body."""
        while len(self.rest) < n:
            some = self.read_some()
            if not some:
                raise EOFError("the body ends")
            self.rest += some
        data, self.rest = self.rest[:n], self.rest[n:]
        return data

    def read_until(self, mark):
        """The body up to and with a mark."""
        while mark not in self.rest:
            some = self.read_some()
            if not some:
                raise EOFError("the body ends")
            self.rest += some
        return self.read(self.rest.index(mark) + len(mark))

    def read_all(self):
        if self.status == 204:
            return b""
        if "content-length" in self.headers:
            return self.read(int(self.headers["content-length"]))
        while some := self.read_some():
            self.rest += some
        return self.rest


def read_headers(file):
    headers = {}
    while (line := file.readline()) not in (b"\r\n", b""):
        name, value = line.decode("latin-1").rstrip("\r\n").split(": ", 1)
        headers[name.lower()] = value
    return headers


def classic_parts(answer):
    """(headers, JPEG) of each part, checking every byte between them."""
    assert answer.read_until(b"\r\n") == BOUNDARY + b"\r\n"
    while True:
        headers = answer.read_until(b"\r\n\r\n").decode().split("\r\n")[:-2]
        headers = dict(line.split(": ", 1) for line in headers)
        jpeg = answer.read(int(headers["Content-Length"]))
        after = answer.read(len(BOUNDARY) + 4)
        assert after == b"\r\n" + BOUNDARY + b"\r\n", after
        yield headers, jpeg


def early_parts(answer):
    """Each JPEG; a part is taken only when the next one's header block is there, as browsers do."""
    block = BOUNDARY + b"\r\nContent-Type: image/jpeg\r\n\r\n"
    assert answer.read(len(block)) == block
    while True:
        part = answer.read_until(b"\r\n" + block)
        yield part[:-len(b"\r\n" + block)]


class Fanlight:
    """A running fanlight with HTTP and, if asked, HTTPS at ports of the kernel's choice."""

    def __init__(self, *options, https=False, source="pattern", http="127.0.0.1:0", under=(),
                 login=()):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="fanlight-http-"))
        self.login = login  # a header that each request() has
        self.log, self.urls, self.stopping = [], {}, False
        self.process = subprocess.Popen(
            [*under, FANLIGHT, "--config", "/dev/null", "--http", http,
             "--https", "127.0.0.1:0" if https else "off", "--state-dir", self.folder / "state",
             "--source", source, *options],
            stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
            # Whatever ignores this around the test, as nohup does, is not what it is about.
            preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_DFL))
        self.open = threading.Event()
        self.reader = threading.Thread(target=self.read_log)
        self.reader.start()
        if not self.open.wait(PATIENCE_S) or not self.urls:
            self.close()
            raise AssertionError("fanlight does not start: " + "".join(self.log))
        self.port = int(self.urls["http"].rsplit(":", 1)[1])

    def read_log(self):
        for line in self.process.stderr:
            self.log.append(line)
            if "server: open " in line:
                self.urls = {url.split(":")[0]: url.rstrip("/")
                             for url in re.findall(r"https?://\S+", line)}
                self.open.set()
        self.open.set()

    def close(self):
        """End it and drop what it left; returns its exit code."""
        self.stop()
        code = self.process.wait(PATIENCE_S)
        self.reader.join()
        self.process.stderr.close()
        shutil.rmtree(self.folder, ignore_errors=True)
        return code

    def stop(self):
        """Ask it to end, once: asked again it would end at once."""
        if not self.stopping:
            self.process.send_signal(signal.SIGTERM)
        self.stopping = True

    def connect(self, **options):
        """A connected socket; receive_bytes limits what the kernel takes for it."""
        connection = socket.socket()
        connection.settimeout(PATIENCE_S)
        if "receive_bytes" in options:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, options["receive_bytes"])
        connection.connect(("127.0.0.1", self.port))
        return connection

    def is_listening(self):
        try:
            self.connect().close()
        except ConnectionRefusedError:
            return False
        return True

    def request(self, path, *headers, method="GET", version="1.1", connection=None, body="",
                host="fanlight"):
        """Send a request on a connection, or on a new one, and read the header of the answer."""
        own = connection is None
        connection = connection or self.connect()
        length = [f"Content-Length: {len(body)}"] if body else []
        lines = [f"{method} {path} HTTP/{version}", f"Host: {host}", *self.login, *headers,
                 *length, "", body]
        connection.sendall("\r\n".join(lines).encode())
        answer = Answer(connection)
        if own:
            connection.close()  # the answer's file keeps it open
        return answer

    def get(self, path, *headers, **others):
        """Status, headers and body."""
        answer = self.request(path, *headers, **others)
        body = answer.read_all()
        answer.raw.close()
        return answer.status, answer.headers, body

    def report(self, identity, report, *headers):
        """Status and sentence of the answer to a report on a live stream."""
        body = report if isinstance(report, str) else json.dumps(report)
        lines = [f"POST /live/{identity} HTTP/1.1", "Host: fanlight",
                 f"Content-Length: {len(body)}", *(headers or [JSON]), "", body]
        with self.connect() as connection:
            connection.sendall("\r\n".join(lines).encode())
            answer = Answer(connection)
            text = answer.read_all()
            answer.raw.close()
        return answer.status, text.decode()

    def state(self):
        return json.loads(self.get("/state")[2])

    def camera(self, index=0):
        return self.state()["cameras"][index]

    def clients(self):
        return self.camera()["clients"]

    def memory_kb(self, kind="VmRSS"):
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(rf"{kind}:\s+(\d+) kB", status)[1])

    def threads(self, *names):
        """These threads by name, without details; one that has only begun has none of its own."""
        def find():
            found = {}
            for task in pathlib.Path(f"/proc/{self.process.pid}/task").iterdir():
                with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # it ended
                    found[(task / "comm").read_text().split(":")[0].strip()] = int(task.name)
            return set(names) <= set(found) and {name: found[name] for name in names}
        return eventually(find)

    def open_files(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))


def handshake(fanlight, *alpn, **limits):
    """Negotiate; returns the protocol, TLS version, certificate (DER), cipher."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    for name, value in limits.items():
        setattr(context, name, value)
    if alpn:
        context.set_alpn_protocols(alpn)
    port = int(fanlight.urls["https"].rsplit(":", 1)[1])
    with socket.create_connection(("127.0.0.1", port), PATIENCE_S) as plain:
        with context.wrap_socket(plain) as secure:
            return (secure.selected_alpn_protocol(), secure.version(),
                    secure.getpeercert(binary_form=True), secure.cipher()[0])


def openssl(*arguments, **others):
    return subprocess.run(["openssl", *arguments], check=True, capture_output=True, **others).stdout


def assert_paced(times, interval):
    """Pictures captured then may all have passed a pace: none comes before its turn after the first.

    One that comes late does not put off the next, so two may be close together.
    """
    for turn, captured in enumerate(times):
        assert captured - times[0] >= (turn - 0.26) * interval, times


def eventually(condition):
    """Look until a condition holds; returns what it returned."""
    deadline = time.monotonic() + PATIENCE_S
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise AssertionError("it never came to that")
        time.sleep(0.02)
    return value


class Case(unittest.TestCase):
    """Tests that share one fanlight, OPTIONS of it given by the class; it must end cleanly."""
    OPTIONS, HTTPS, SOURCE = ("--size", "640x360", "--fps", "30"), False, "pattern"

    @classmethod
    def setUpClass(cls):
        cls.fanlight = Fanlight(*cls.OPTIONS, https=cls.HTTPS, source=cls.SOURCE)

    @classmethod
    def tearDownClass(cls):
        code = cls.fanlight.close()
        assert code == 0, f"exit code {code}: {''.join(cls.fanlight.log)}"

    def stream(self, path="/stream", *headers, **others):
        """Ask for a stream that is closed when the test ends."""
        answer = self.fanlight.request(path, *headers, **others)
        self.addCleanup(answer.raw.close)
        self.assertEqual(answer.status, 200)
        return answer


class InFolder(Case):
    """The same with files of their own, which prepare() makes."""

    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory(prefix="fanlight-files-")
        cls.folder = pathlib.Path(cls.enterClassContext(folder))
        cls.prepare()
        super().setUpClass()
