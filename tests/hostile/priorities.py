"""Streams of one connection share its link, whatever priorities the client has given them."""
import time

import attacker
import tap
from attacker import DATA, PRIORITY, priority

PAUSE_S = 0.005  # between reads of up to 4 KB: a link that is too narrow for all


class Priorities:
    # A picture larger than what libh2o writes at once, else all have their turn in each write.
    OPTIONS = ("--size", "1280x720", "--quality", "100", "--fps", "10")

    def assert_shared(self, client, streams):
        """No stream gets less than half of its share of two megabytes."""
        taken = dict.fromkeys(streams, 0)
        while sum(taken.values()) < 2_000_000:
            frame = client.next_frame()
            if frame.type == DATA:
                taken[frame.stream] += len(frame.payload)
                time.sleep(PAUSE_S * len(frame.payload) / 4096)
        self.assertGreater(min(taken.values()), 1_000_000 / len(streams), taken)

    def test_exclusive_dependencies_do_not_starve(self):
        client = self.attacker(narrow=True, initial_window=attacker.NO_WINDOW_LIMIT)
        client.send(client.window_update(0) + b"".join(
            client.request(stream, "/stream", priority(max(stream - 2, 0), True))
            for stream in (1, 3, 5)))
        self.assert_shared(client, (1, 3, 5))

    def test_later_priorities_and_weights_do_not_starve(self):
        client = self.attacker(narrow=True, initial_window=attacker.NO_WINDOW_LIMIT)
        client.send(client.window_update(0) + b"".join(
            client.request(stream, "/stream", priority(0, False, weight))
            for stream, weight in ((1, 256), (3, 1), (5, 1))))
        for stream in (3, 5):
            client.send_frame(PRIORITY, 0, stream, priority(1, True, 1))
        self.assert_shared(client, (1, 3, 5))


CleartextPriorities, EncryptedPriorities = attacker.over_both(Priorities)

tap.main()
