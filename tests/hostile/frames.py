"""Frames that made libh2o abort, grow or talk without end."""
import struct

import attacker
import tap
from attacker import (ACK, CONTINUATION, DATA, END_HEADERS, END_STREAM, HEADERS,
                      PING, RST_STREAM, field, get)

PEAK_KB = 32 * 1024  # what all of these may add to the process
NOTHING = b"There is nothing at this address.\n"


class Windows:
    """A stream that is finished, not flushed, and has no window left; then that is opened."""

    def attack(self, initial_window):
        return self.attacker(narrow=True, initial_window=initial_window)

    def others(self, victim):
        """Streams with so much to send that the kernel does not take all of one write."""
        return b"".join(victim.request(stream, "/stream") + victim.window_update(stream)
                        for stream in range(3, 43, 2))

    def finished(self):
        """One whose last frame stands at the head of such a write, and has been read."""
        victim = self.attack(len(NOTHING))
        victim.send(victim.window_update(0) + victim.request(1, "/nothing") + self.others(victim))
        last = victim.until(lambda frame: frame.stream == 1 and frame.type == DATA)
        self.assertEqual((last.payload, last.flags), (NOTHING, END_STREAM))
        return victim

    def check(self, victim):
        self.assertTrue(victim.is_answered())
        self.assertEqual(self.fanlight.get("/healthz")[0], 200)

    def test_a_window_update_for_a_finished_stream_is_harmless(self):
        victim = self.finished()
        victim.send(victim.window_update(1, 1))
        self.check(victim)

    def test_settings_that_open_the_window_of_a_finished_stream_are_harmless(self):
        victim = self.finished()
        for window in (0, len(NOTHING) + 1, attacker.MAX_WINDOW, 0, attacker.MAX_WINDOW, 1):
            victim.send(victim.settings(window) + victim.window_update(1, 1))
        self.check(victim)

    def test_a_window_update_for_a_stream_that_was_reset_is_harmless(self):
        victim, others = self.attack(1), range(3, 43, 2)
        # Each of the others sends a byte, so that the first has the first turn from then on.
        victim.send(victim.window_update(0) + victim.request(1, "/stream?layout=classic") +
                    victim.window_update(1, 199) +
                    b"".join(victim.request(stream, "/stream") for stream in others))
        data = {stream: b"" for stream in (1, *others)}
        while len(data[1]) < 200 or not all(data.values()):
            frame = victim.until(lambda frame: frame.type == DATA)
            data[frame.stream] += frame.payload
        head, _, rest = data[1].partition(b"\r\n\r\n")
        left = int(head.split(b"Content-Length: ")[1].split(b"\r\n")[0]) - len(rest)
        left += len(b"\r\n--boundarydonotcross\r\n")
        # Just so much that the window is closed again when all of the part has been sent.
        victim.send(victim.window_update(1, left) +
                    b"".join(victim.window_update(stream) for stream in others))
        for _ in range(2):
            self.fanlight.state()  # answered by a later turn of the loop that has read the above
        victim.send(victim.frame(RST_STREAM, 0, 1, struct.pack(">I", 8)) +
                    victim.window_update(1, 1))
        self.check(victim)


class Headers:
    """Header blocks; one connection after the other, for each is closed."""
    OPTIONS = ("--max-requests-per-second", "1000")  # which is not what ends them here

    def test_a_request_with_many_headers_is_served(self):
        client = self.attacker()
        block = get("/healthz", self.SCHEME) + b"".join(
            field(f"x-{i}", "of " + 80 * "some ") for i in range(30))
        client.send_frame(HEADERS, END_STREAM | END_HEADERS, 1, block)
        self.assertIn(b"ok", client.until(lambda frame: frame.type == DATA).payload)
        self.assertTrue(client.is_answered())

    def bomb(self, stream):
        """One big field into the table, then as many references to it as a frame holds."""
        block = get("/healthz", self.SCHEME) + b"\x40" + attacker.string("x-bomb") + (
            attacker.string(3900 * "b"))
        return block + (16384 - len(block)) * b"\xbe"

    def test_a_header_bomb_takes_little_memory(self):
        before = self.peak_kb()
        for _ in range(30):
            attack = self.attacker()
            try:
                for stream in range(1, 61, 2):
                    attack.send_frame(HEADERS, END_STREAM | END_HEADERS, stream, self.bomb(stream))
            except OSError:
                pass  # it has been cut off already
            self.assert_calmed(attack)
        self.assert_reached("header-bytes")
        self.assertLess(self.peak_kb() - before, PEAK_KB)

    def test_a_header_bomb_in_continuations_takes_little_memory(self):
        before = self.peak_kb()
        for _ in range(5):
            attack = self.attacker()
            try:
                for stream in range(1, 31, 2):
                    attack.send_frame(HEADERS, END_STREAM, stream, self.bomb(stream))
                    for last in 23 * [0] + [END_HEADERS]:
                        attack.send_frame(CONTINUATION, last, stream, 16384 * b"\xbe")
            except OSError:
                pass  # it has been cut off already
            self.assert_calmed(attack)
        self.assert_reached("header-bytes")
        self.assertLess(self.peak_kb() - before, PEAK_KB)

    def test_a_flood_of_empty_continuations_ends_the_connection(self):
        attack = self.attacker()
        try:
            attack.send_frame(HEADERS, END_STREAM, 1, get("/healthz", self.SCHEME))
            for _ in range(1000):
                attack.send(100 * attack.frame(CONTINUATION, 0, 1))
        except OSError:
            pass  # it has been cut off already
        self.assert_calmed(attack)
        self.assert_reached("header-bytes")

    def test_unknown_frames_are_ignored_in_silence(self):
        client = self.attacker()
        lines = len(self.fanlight.log)
        for kind in range(CONTINUATION + 1, 256):
            client.send_frame(kind, 0xff, 1, b"rubbish")
        client.send(client.request(1, "/healthz"))
        self.assertIn(b"ok", client.until(lambda frame: frame.type == DATA).payload)
        self.assertEqual(self.fanlight.log[lines:], [])

    def test_an_answer_to_no_ping_is_ignored(self):
        client = self.attacker()
        client.send_frame(PING, ACK, 0, b"whatever")
        self.assertTrue(client.is_answered())


CleartextWindows, EncryptedWindows = attacker.over_both(Windows)
CleartextHeaders, EncryptedHeaders = attacker.over_both(Headers)

tap.main()
