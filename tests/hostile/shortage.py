"""More connections than there is memory for; and memory that is taken away."""
import json
import resource

import attacker
import tap
from server import eventually

RESERVE = 16 << 20  # as fanlight.conf(5) says
HEADER = b"GET / HTTP/1.1\r\nX-Large: " + 15_000 * b"a"  # and no end of it


class Shortage:
    OPTIONS = ("--max-connections", "4000", "--max-connections-per-address", "4000",
               "--request-timeout", "3600", "--max-handshakes-per-second", "10000")

    def limit_memory(self, more_bytes):
        """Let the process have so much more than it has."""
        bytes_now = self.fanlight.memory_kb("VmData") << 10
        resource.prlimit(self.fanlight.process.pid, resource.RLIMIT_DATA,
                         (bytes_now + more_bytes, resource.RLIM_INFINITY))

    def have_enough(self):
        resource.prlimit(self.fanlight.process.pid, resource.RLIMIT_DATA,
                         (resource.RLIM_INFINITY, resource.RLIM_INFINITY))

    def enter(self):
        """A connection that holds what it may; None when it is refused."""
        try:
            connection = self.connect()
            connection.sendall(HEADER)
            return connection
        except OSError:
            return None

    def is_cut_off(self, connection):
        try:
            return not connection.recv(1)
        except OSError:
            return True

    def camera(self):
        """The camera and what limits were reached, asked by one who came before the others."""
        answer = self.fanlight.request("/state", connection=self.early)
        state = json.loads(answer.read_all())
        return state["cameras"][0], state["limits_reached"]["shortage"]

    def assert_all_goes_on(self):
        """The camera, and its first viewer."""
        before, _ = self.camera()
        eventually(lambda: self.camera()[0]["captured"] > before["captured"] + 15)
        frames = {client["address"]: client["frames"] for client in before["clients"]}
        eventually(lambda: any(client["address"] == self.address and
                               client["frames"] > frames[self.address] + 15
                               for client in self.camera()[0]["clients"]))

    def setUp(self):
        eventually(lambda: self.fanlight.open_files() <= self.idle_files)
        self.early = self.fanlight.connect()
        self.addCleanup(self.early.close)
        super().setUp()

    def test_newcomers_are_refused_before_memory_ends(self):
        self.limit_memory(RESERVE + (4 << 20))
        crowd = []
        while not self.camera()[1] > self.limits_before["shortage"]:
            crowd += filter(None, (self.enter() for _ in range(20)))
        self.assert_all_goes_on()
        self.have_enough()
        for connection in crowd:
            connection.close()
        eventually(lambda: self.fanlight.get("/healthz")[0] == 200)

    def test_the_newest_go_when_memory_is_taken_away(self):
        crowd = [self.connect() for _ in range(100)]
        eventually(lambda: self.fanlight.open_files() >= self.idle_files + 100)
        self.limit_memory(RESERVE // 2)
        for connection in crowd[:-4:-1]:
            self.assertTrue(self.is_cut_off(connection))
        self.have_enough()
        self.assert_all_goes_on()
        crowd[0].sendall(b"GET /healthz HTTP/1.1\r\nHost: fanlight\r\n\r\n")
        self.assertEqual(attacker.Answer(crowd[0]).status, 200)


CleartextShortage, EncryptedShortage = attacker.over_both(Shortage)

tap.main()
