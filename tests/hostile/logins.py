"""Who guesses logins, or uses again what was somebody else's, is kept out and holds up nobody."""
import base64
import pathlib
import subprocess
import tempfile

import attacker
import server
import tap
from attacker import HEADERS, RST_STREAM, field
from server import eventually

FOLDER = tempfile.TemporaryDirectory(prefix="fanlight-logins-")
ACCOUNTS, STATE = (str(pathlib.Path(FOLDER.name) / name) for name in ("accounts", "state"))
ALLOWED = 0x88  # what HPACK makes of status 200


def command(*arguments, **others):
    return subprocess.run([server.FANLIGHT, *arguments], capture_output=True, check=True, text=True,
                          timeout=server.PATIENCE_S, **others).stdout.strip()


def basic(name, password):
    return "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()


command("passwd", ACCOUNTS, "alice", input="hers\n")
TOKEN = command("token", "--view", ACCOUNTS, "door")


class Logins:
    OPTIONS = ("--accounts", ACCOUNTS, "--state-dir", STATE)
    LOGIN = ("Authorization: " + basic("alice", "hers"),)

    def sign(self, address, duration="1h"):
        return command("sign", "--state-dir", STATE, "--for", duration, address)

    def status(self, path, *headers):
        """Of a request without the login that others have."""
        lines = [f"GET {path} HTTP/1.1", "Host: fanlight", *headers, "", ""]
        return self.ask(self.connect(), "\r\n".join(lines).encode()).status

    def test_guesses(self):
        """On many connections at once, as many requests on each."""
        clients = []
        for number in range(20):
            client = self.attacker()
            clients.append(client)
            guesses = [basic(name, f"{number} {i}") if i % 2 else f"Bearer {number}{i}"
                       for i, name in enumerate(10 * ("alice", "nobody"))]
            client.send(b"".join(
                client.request(2 * i + 1, "/stream", after=field("authorization", guess))
                for i, guess in enumerate(guesses)))
        for client in clients:
            for _ in range(20):
                answer = client.until(lambda frame: frame.type in (HEADERS, RST_STREAM))
                self.assertEqual(answer.type, HEADERS)
                self.assertNotEqual(answer.payload[0], ALLOWED)
        self.assert_reached("logins")
        # Who was in is in still, from the same address.
        self.assertEqual(self.fanlight.get("/state")[0], 200)

    def test_what_was_for_something_else_is_refused(self):
        picture = self.sign("/snapshot")
        eventually(lambda: self.status(picture) == 200)
        for path, *headers in (
                (picture.replace("/snapshot", "/stream"),),
                (picture.replace("/snapshot", "/controls"),),
                (picture + "&extra=1",),
                (picture[:-1] + "x",),
                ("/snapshot", "Authorization: Bearer " + picture.rsplit("=", 1)[1]),
                ("/snapshot", "Authorization: Bearer " + TOKEN[:-1]),
                ("/snapshot", "Authorization: Bearer " + TOKEN + "x"),
                ("/snapshot", "Authorization: " + basic("door", TOKEN))):
            self.assertIn(self.status(path, *headers), (401, 429), (path, headers))

    def test_what_was_for_a_while_is_refused_afterwards(self):
        short = self.sign("/snapshot", "1s")
        eventually(lambda: self.status(short) == 401)


class Rushes:
    OPTIONS, LOGIN, N = Logins.OPTIONS, Logins.LOGIN, 60

    def test_more_logins_than_can_wait_are_told_so(self):
        client = self.attacker()
        # All at once, and comparing the first password takes longer than reading them.
        client.send(b"".join(
            client.request(2 * i + 1, "/state",
                           after=field("authorization", basic("alice", f"guess {i}")))
            for i in range(self.N)))
        for _ in range(self.N):
            client.until(lambda frame: frame.type == HEADERS)
        self.assert_reached("waiting-logins")
        self.assertEqual(self.fanlight.get("/state")[0], 200)


CleartextLogins, EncryptedLogins = attacker.over_both(Logins)
CleartextRushes, EncryptedRushes = attacker.over_both(Rushes)

tap.main()
