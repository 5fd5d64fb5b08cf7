"""More connections than there are file descriptors."""
import socket

import attacker
import tap
from server import eventually

LIMIT, RESERVE = 96, 24


class Descriptors:
    OPTIONS = ("--max-connections-per-address", "1000", "--max-handshakes-per-second", "10000")
    UNDER = ("prlimit", f"--nofile={LIMIT}:{LIMIT}")

    def connect(self):
        """A connection that asks for nothing; whether it was let in shows when it is used."""
        connection = socket.create_connection(
            ("127.0.0.1", int(self.fanlight.urls[self.SCHEME].rsplit(":", 1)[1])), 30)
        self.addCleanup(connection.close)
        return connection

    def test_connections_past_the_limit_are_refused_at_once(self):
        before = self.fanlight.open_files()
        idle = [self.connect() for _ in range(2 * LIMIT)]
        eventually(lambda: "was refused: the other file descriptors" in "".join(self.fanlight.log))
        for connection in idle[LIMIT:]:
            # Neither left to wait nor served.
            try:
                self.assertEqual(connection.recv(1), b"")
            except ConnectionResetError:
                pass
        self.assertLessEqual(self.fanlight.open_files(), LIMIT - RESERVE)
        for connection in idle:
            connection.close()
        eventually(lambda: self.fanlight.open_files() <= before)
        self.assertEqual(self.fanlight.get("/healthz")[0], 200)


CleartextDescriptors, EncryptedDescriptors = attacker.over_both(Descriptors)

tap.main()
