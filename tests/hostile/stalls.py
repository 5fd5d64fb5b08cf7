"""Readers that take nothing are cut off; those that are slow are not."""
import attacker
import server
import tap
from attacker import DATA
from server import eventually


class Watched:
    """What becomes of a reader, by its address."""

    def lost(self, address):
        return not [client for client in self.fanlight.clients() if client["address"] == address]

    def cut_off(self):
        return self.fanlight.state()["limits_reached"]["stall-timeout"]

    def setUp(self):
        super().setUp()
        self.cut_off_before = self.cut_off()


class Stalls(Watched):
    OPTIONS = ("--stall-timeout", "1", "--quality", "95")

    def assert_cut_off(self, client):
        eventually(lambda: self.lost(client.address))
        eventually(lambda: self.cut_off() == self.cut_off_before + 1)
        self.assertIsNone(client.ends())
        self.assertRegex("".join(self.fanlight.log), r"server: 127\.0\.0\.1 was cut off: it took nothing")

    def test_a_connection_that_takes_nothing_is_cut_off(self):
        client = self.attacker(narrow=True)
        client.send(client.window_update(0) + client.request(1, "/stream") +
                    client.window_update(1))
        eventually(lambda: not self.lost(client.address))
        self.assert_cut_off(client)

    def test_a_stream_whose_window_stays_shut_is_cut_off(self):
        client = self.attacker(initial_window=100)
        client.send(client.request(1, "/stream"))
        client.until(lambda frame: frame.type == DATA)
        self.assert_cut_off(client)

    def test_a_snapshot_whose_window_stays_shut_is_cut_off(self):
        client = self.attacker(initial_window=100)
        client.send(client.request(1, "/snapshot"))
        self.assert_cut_off(client)

    def test_a_connection_whose_window_stays_shut_is_cut_off(self):
        client = self.attacker(initial_window=attacker.NO_WINDOW_LIMIT)
        client.send(b"".join(client.request(stream, "/stream") for stream in (1, 3, 5, 7)))
        client.until(lambda frame: frame.type == DATA)
        self.assert_cut_off(client)

    def test_an_idle_stream_is_no_stall(self):
        client = self.attacker()
        client.send(client.window_update(0) + client.request(1, "/stream?fps=0.2") +
                    client.window_update(1))
        client.until(lambda frame: frame.type == DATA)
        begin = self.viewed()[1]
        eventually(lambda: self.viewed()[1] > begin + 90)
        self.assertFalse(self.lost(client.address))


class SlowReaders(Watched):
    # A busy machine keeps even a reader who means well from reading for a while.
    OPTIONS = ("--stall-timeout", "4", "--quality", "95")

    def test_a_slow_reader_is_served(self):
        client = self.attacker(narrow=True)
        client.send(client.window_update(0) + client.request(1, "/stream") +
                    client.window_update(1))
        begin = self.viewed()[1]
        while self.viewed()[1] < begin + 150:  # longer than that
            for _ in range(20):
                client.take(512)
        self.assertFalse(self.lost(client.address))
        self.assertEqual(self.cut_off(), self.cut_off_before)


class PlainStalls(attacker.Hostile):
    """The same in HTTP/1."""
    OPTIONS = Stalls.OPTIONS

    def test_a_reader_of_http_1_that_takes_nothing_is_cut_off(self):
        connection = self.fanlight.connect(receive_bytes=4096)
        address = "%s:%d" % connection.getsockname()
        answer = self.fanlight.request("/stream", connection=connection)
        connection.close()
        self.addCleanup(answer.raw.close)
        next(server.classic_parts(answer))
        eventually(lambda: address not in [client["address"] for client in self.fanlight.clients()])
        with self.assertRaises((EOFError, ConnectionError, ValueError)):
            answer.read(2**30)


CleartextStalls, EncryptedStalls = attacker.over_both(Stalls)
CleartextSlowReaders, EncryptedSlowReaders = attacker.over_both(SlowReaders)

tap.main()
