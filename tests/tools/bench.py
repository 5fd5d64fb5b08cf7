"""What tools/bench compares Fanlight with does what it says."""
import itertools
import json
import re
import signal
import subprocess
import sys
import unittest
import urllib.request

import tap
from server import PATIENCE_S
from stamp import read_stamp

FLOOR, EXCHANGE = sys.argv[2:]


def pictures(stream):
    """The JPEGs of a stream whose parts have a length."""
    while True:
        while not (line := stream.readline()).startswith(b"Content-Length: "):
            assert line, "the stream ends"
        assert stream.readline() == b"\r\n"
        yield stream.read(int(line.split()[1]))


class Bench(unittest.TestCase):
    def test_the_floor_shows_all_viewers_what_it_captures_until_it_is_ended(self):
        with subprocess.Popen([FLOOR, "640x360"], stdout=subprocess.PIPE, text=True) as floor:
            url = re.search(r"http://\S+", floor.stdout.readline())[0]
            streams = [urllib.request.urlopen(url, timeout=PATIENCE_S) for _ in range(3)]
            for stream in streams:
                with stream:
                    stamps = [read_stamp(jpeg) for jpeg in itertools.islice(pictures(stream), 3)]
                    self.assertEqual(stamps, sorted(set(stamps)))
            floor.terminate()
            self.assertEqual(floor.wait(PATIENCE_S), -signal.SIGTERM)

    def test_every_way_to_hand_over_is_measured_with_both_readers(self):
        result = subprocess.run([EXCHANGE, "1"], capture_output=True, text=True, check=True,
                                timeout=PATIENCE_S)
        results = json.loads(result.stdout)
        self.assertEqual(list(results), ["waiting", "busy"])
        for ways in results.values():
            self.assertEqual(list(ways), ["exchange", "mutex", "queue"])
            for figures in ways.values():
                for shares in figures.values():
                    self.assertEqual(list(shares.values()), sorted(shares.values()))


tap.main()
