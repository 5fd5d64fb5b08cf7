"""Clients that are slow or vanish lose pictures, nobody else does, and crowds are let in."""
import itertools
import signal
import subprocess

import server
import tap
from server import classic_parts, eventually


def timestamps(answer):
    for headers, _ in classic_parts(answer):
        yield float(headers["X-Timestamp"])


class Slow(server.Case):
    # On a busy machine a test may take longer than those who read nothing are borne with.
    OPTIONS = ("--size", "1280x720", "--fps", "60", "--quality", "95", "--stall-timeout", "600")

    def slow_stream(self):
        connection = self.fanlight.connect(receive_bytes=4096)
        answer = self.fanlight.request("/stream", connection=connection)
        connection.close()
        self.addCleanup(answer.raw.close)
        return timestamps(answer)

    def test_a_reader_that_paused_skips_to_what_is_new(self):
        slow, fast = self.slow_stream(), timestamps(self.stream())
        last = next(slow)
        for _ in range(3):
            *_, now = itertools.islice(fast, 60)  # the slow one reads nothing meanwhile
            old = list(itertools.takewhile(lambda time: time < now, slow))
            self.assertEqual([last, *old], sorted([last, *old]))
            # What the kernel and one send held; 60 pictures came meanwhile.
            self.assertLess(len(old), 5)
            last = next(slow)

    def test_nobody_waits_for_a_reader_that_reads_nothing(self):
        stalled = [self.slow_stream() for _ in range(10)]
        for stream in stalled:
            next(stream)
        times = list(itertools.islice(timestamps(self.stream()), 100))
        self.assertEqual(times, sorted(set(times)))
        self.assertEqual(len(self.fanlight.clients()), 11)

    def test_memory_does_not_grow_with_stalled_readers(self):
        fast = self.stream()
        list(itertools.islice(classic_parts(fast), 10))
        stalled = [self.slow_stream() for _ in range(10)]
        for stream in stalled:
            next(stream)
        list(itertools.islice(timestamps(self.stream()), 60))
        before = self.fanlight.memory_kb()
        list(itertools.islice(timestamps(self.stream()), 120))
        self.assertLess(self.fanlight.memory_kb() - before, 8192)


class Vanishing(server.Case):
    OPTIONS = (*server.Case.OPTIONS, "--max-connections-per-address", "256")

    def test_clients_that_vanish_leave_no_file_and_no_stream(self):
        self.fanlight.get("/snapshot")  # so the camera is open
        before = self.fanlight.open_files()
        for i in range(50):
            answer = self.fanlight.request("/stream")
            if i % 2:
                next(classic_parts(answer))
            answer.raw.close()
        eventually(lambda: not self.fanlight.clients())
        eventually(lambda: self.fanlight.open_files() <= before)

    def test_connections_that_never_ask_do_no_harm(self):
        idle = [self.fanlight.connect() for _ in range(100)]
        self.assertEqual(self.fanlight.get("/snapshot")[0], 200)
        for connection in idle:
            connection.close()


class Crowd(server.Case):
    OPTIONS = (*server.Case.OPTIONS, "--max-connections-per-address", "256")

    def test_everybody_gets_in_who_comes_while_the_server_is_busy(self):
        self.fanlight.process.send_signal(signal.SIGSTOP)
        self.addCleanup(self.fanlight.process.send_signal, signal.SIGCONT)
        crowd = [self.fanlight.connect() for _ in range(200)]
        self.fanlight.process.send_signal(signal.SIGCONT)
        for connection in crowd:
            self.addCleanup(connection.close)
            self.assertEqual(self.fanlight.get("/state", connection=connection)[0], 200)


class VanishingUnserved(server.Case):
    SOURCE, HTTPS = "/dev/video99", True

    def test_clients_that_leave_before_any_picture_are_let_go(self):
        self.fanlight.get("/state")  # so the loop has all that it keeps open
        before = self.fanlight.open_files()
        for _ in range(10):
            self.fanlight.request("/stream").raw.close()
        for _ in range(3):
            subprocess.run(["curl", "-sk", "--http1.1", "--max-time", "0.1", "-o", "/dev/null",
                            self.fanlight.urls["https"] + "/stream"], check=False)
        eventually(lambda: not self.fanlight.clients())
        eventually(lambda: self.fanlight.open_files() <= before)


tap.main()
