"""An HTTP/2 client that sends any frame it likes, and a viewer beside it who must not notice."""
import collections
import os
import pathlib
import socket
import ssl
import struct
import threading
import time
import unittest

import server
from server import Answer, Fanlight, eventually

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS = range(5)
PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(6, 10)
END_STREAM, ACK, END_HEADERS, WITH_PRIORITY = 0x1, 0x1, 0x4, 0x20
INITIAL_WINDOW_SIZE, MAX_WINDOW, NO_WINDOW_LIMIT = 4, 2**31 - 1, 2**30
ENHANCE_YOUR_CALM = 11

# What one viewer may lose to an attack, and the rate at which a machine without a core to run on
# takes more.
LOSS_FRAMES, FPS = 15, 30

# What all attacks together may add to the process: a fraction of what fanlight.conf(5) promises.
PEAK_KB = 64 * 1024

# Of each attack a row of a table: grep '^# |' finds them.
print("# | attack | frames lost | worst gap, ms | CPU, s | peak memory, MB |\n# |---|---|---|---|---|")

Frame = collections.namedtuple("Frame", "type flags stream payload")


def string(text):
    """An HPACK string without Huffman code."""
    data = text.encode()
    if len(data) < 127:
        return bytes([len(data)]) + data
    prefix, rest = b"\x7f", len(data) - 127
    while rest >= 128:
        prefix, rest = prefix + bytes([rest % 128 + 128]), rest // 128
    return prefix + bytes([rest]) + data


def field(name, value):
    """A header field that stays out of the table."""
    return b"\0" + string(name) + string(value)


def get(path, scheme="http", method="GET"):
    """A whole request's header block."""
    return b"".join(field(*pair) for pair in ((":method", method), (":scheme", scheme),
                                              (":path", path), (":authority", "fanlight")))


def priority(dependency, exclusive, weight=16):
    return struct.pack(">IB", dependency | exclusive << 31, weight - 1)


def encrypt(connection, *protocols):
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(protocols)
    return context.wrap_socket(connection)


class Attacker:
    """A connection after its preface; narrow makes both kernels hold as little as they can."""

    def __init__(self, fanlight, scheme, narrow=False, initial_window=None):
        connection = socket.socket()
        connection.settimeout(server.PATIENCE_S)
        if narrow:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 536)
        connection.connect(("127.0.0.1", int(fanlight.urls[scheme].rsplit(":", 1)[1])))
        self.address = "%s:%d" % connection.getsockname()
        if scheme == "https":
            connection = encrypt(connection, "h2")
        self.connection, self.scheme, self.rest = connection, scheme, b""
        self.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + self.settings(initial_window))

    def close(self):
        self.connection.close()

    @staticmethod
    def frame(kind, flags, stream, payload=b""):
        length = struct.pack(">I", len(payload))[1:]
        return length + struct.pack(">BBI", kind, flags, stream) + payload

    def settings(self, initial_window=None):
        return self.frame(SETTINGS, 0, 0, b"" if initial_window is None else struct.pack(
            ">HI", INITIAL_WINDOW_SIZE, initial_window))

    def window_update(self, stream, increment=NO_WINDOW_LIMIT):
        return self.frame(WINDOW_UPDATE, 0, stream, struct.pack(">I", increment))

    def request(self, stream, path, before=b"", after=b""):
        flags = END_STREAM | END_HEADERS | (WITH_PRIORITY if before else 0)
        return self.frame(HEADERS, flags, stream, before + get(path, self.scheme) + after)

    def post(self, stream, path, body):
        block = get(path, self.scheme, "POST") + field("content-type", "application/json")
        return (self.frame(HEADERS, END_HEADERS, stream, block) +
                self.frame(DATA, END_STREAM, stream, body))

    def send(self, data):
        self.connection.sendall(data)

    def send_frame(self, *arguments):
        self.send(self.frame(*arguments))

    def take(self, n):
        while len(self.rest) < n:
            some = self.connection.recv(min(n - len(self.rest), 4096))
            if not some:
                raise EOFError("the connection ends")
            self.rest += some
        data, self.rest = self.rest[:n], self.rest[n:]
        return data

    def next_frame(self):
        head = self.take(9)
        kind, flags, stream = struct.unpack(">BBI", head[3:])
        return Frame(kind, flags, stream, self.take(int.from_bytes(head[:3], "big")))

    def until(self, wanted):
        """Read frames up to one that is wanted, which is returned."""
        while not wanted(frame := self.next_frame()):
            pass
        return frame

    def is_answered(self):
        """Whether it still speaks with us: it answers a ping."""
        self.send_frame(PING, 0, 0, b"fanlight")
        return self.until(lambda frame: frame.type == PING).payload == b"fanlight"

    def ends(self):
        """Read to the end, however it comes; the error code of a GOAWAY on the way, or None."""
        error = None
        try:
            while True:
                frame = self.next_frame()
                if frame.type == GOAWAY:
                    error = struct.unpack(">II", frame.payload[:8])[1]
        except (EOFError, ConnectionError, ssl.SSLError):
            return error


class Hostile(unittest.TestCase):
    """Attacks on a fanlight beside a viewer, who watches through all of them; by SCHEME."""
    SCHEME = None
    OPTIONS, UNDER, LOGIN = (), (), ()

    @classmethod
    def setUpClass(cls):
        cls.fanlight = Fanlight("--size", "320x240", "--fps", str(FPS), *cls.OPTIONS, https=True,
                                under=cls.UNDER, login=cls.LOGIN)
        cls.viewer = cls.fanlight.request("/stream")
        cls.address = None
        cls.seen, cls.worst_gap = time.monotonic(), 0
        cls.idle_kb = cls.peak_kb()
        cls.watching = threading.Thread(target=cls.watch)
        cls.watching.start()
        cls.address = eventually(lambda: cls.fanlight.clients())[0]["address"]
        eventually(lambda: cls.viewed()[0] > 15)
        cls.idle_files = cls.fanlight.open_files()

    @classmethod
    def tearDownClass(cls):
        try:
            eventually(lambda: len(cls.fanlight.clients()) == 1)
            eventually(lambda: cls.fanlight.open_files() <= cls.idle_files)
        finally:
            cls.end()

    @classmethod
    def end(cls):
        code = cls.fanlight.close()
        cls.watching.join()
        cls.viewer.raw.close()
        assert code == 0, f"exit code {code}: {''.join(cls.fanlight.log)}"

    @classmethod
    def watch(cls):
        try:
            while cls.viewer.read_some():
                now = time.monotonic()
                cls.worst_gap = max(cls.worst_gap, now - cls.seen)
                cls.seen = now
        except (EOFError, OSError, ValueError):
            pass  # the end of fanlight, which tearDownClass() judges

    @classmethod
    def viewed(cls):
        """Frames that the viewer was sent, and frames that there were."""
        camera = cls.fanlight.camera()
        viewer = [client for client in camera["clients"] if client["address"] == cls.address]
        return (viewer[0]["frames"] if viewer else 0), camera["encoded"]

    def setUp(self):
        self.before, self.cpu_before = self.viewed(), self.cpu_seconds()
        self.starved_before = self.starved_seconds()
        self.limits_before = self.fanlight.state()["limits_reached"]
        type(self).worst_gap = 0
        self.assertGreater(self.before[0], 0, "the viewer was lost")
        self.addCleanup(self.check_viewer)

    def check_viewer(self):
        """Half a second on the viewer is there still and has lost next to nothing."""
        cpu_seconds = self.cpu_seconds() - self.cpu_before
        eventually(lambda: self.viewed()[1] > self.before[1] + 15)
        frames, encoded = (now - then for now, then in zip(self.viewed(), self.before))
        print(f"# | {self.id().split('.', 1)[1]} | {encoded - frames} | "
              f"{self.worst_gap * 1e3:.0f} | {cpu_seconds:.2f} | {self.peak_kb() / 1024:.0f} |")
        starved_seconds = self.starved_seconds() - self.starved_before
        self.assertLessEqual(encoded - frames, LOSS_FRAMES + FPS * starved_seconds)
        self.assertLess(self.peak_kb() - self.idle_kb, PEAK_KB)

    def reached(self, limit):
        return self.fanlight.state()["limits_reached"][limit]

    def assert_reached(self, limit):
        eventually(lambda: self.reached(limit) > self.limits_before[limit])

    def assert_calmed(self, client):
        """It was told that it was too much, or cut off while it wrote."""
        self.assertIn(client.ends(), (ENHANCE_YOUR_CALM, None))

    def connect(self, address="127.0.0.1", plain=False):
        """A connection that has said nothing, over TLS by SCHEME unless it is to be plain."""
        connection = socket.create_connection(
            ("127.0.0.1", int(self.fanlight.urls[self.SCHEME].rsplit(":", 1)[1])),
            server.PATIENCE_S, source_address=(address, 0))
        self.addCleanup(connection.close)
        if self.SCHEME == "http" or plain:
            return connection
        connection = encrypt(connection, "http/1.1")
        self.addCleanup(connection.close)
        return connection

    def trickle(self, connection, data):
        """Send data byte by byte, without haste, until nobody listens any more."""
        try:
            for byte in data:
                connection.sendall(bytes([byte]))
                frames = self.viewed()[1]
                eventually(lambda: self.viewed()[1] > frames + 9)
        except OSError:
            return
        self.fail("all of it was taken")

    @staticmethod
    def ask(connection, data):
        """The answer to what was sent, read whole."""
        connection.sendall(data)
        answer = Answer(connection)
        answer.read_all()
        return answer

    def attacker(self, **options):
        attacker = Attacker(self.fanlight, self.SCHEME, **options)
        self.addCleanup(attacker.close)
        return attacker

    @classmethod
    def peak_kb(cls):
        return cls.fanlight.memory_kb("VmHWM")

    @classmethod
    def cpu_seconds(cls):
        times = open(f"/proc/{cls.fanlight.process.pid}/stat").read().rsplit(")", 1)[1].split()
        return (int(times[11]) + int(times[12])) / os.sysconf("SC_CLK_TCK")

    @classmethod
    def starved_seconds(cls):
        """For how long the server's thread and the viewer's could have run, but had no core."""
        threads = cls.fanlight.threads("server")["server"], cls.watching.native_id
        return sum(int(pathlib.Path(f"/proc/{thread}/schedstat").read_text().split()[1])
                   for thread in threads) / 1e9


def over_both(tests):
    """Run a class of attacks in cleartext and over TLS."""
    return (type("Cleartext" + tests.__name__, (tests, Hostile), {"SCHEME": "http"}),
            type("Encrypted" + tests.__name__, (tests, Hostile), {"SCHEME": "https"}))
