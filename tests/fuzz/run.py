"""Replay a fuzz target's kept corpus, then let it look for more for a few seconds.

Usage: run.py TARGET CORPUS. FUZZ_SECONDS sets for how long, 5 by default, and FUZZ_SEED where it
begins: the same code is fed the same unless somebody goes hunting.
"""
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

import tap

TARGET, CORPUS = sys.argv[1], pathlib.Path(sys.argv[2])
SECONDS, SEED = os.environ.get("FUZZ_SECONDS", "5"), os.environ.get("FUZZ_SEED", "1")


class Fuzz(unittest.TestCase):
    def assert_survives(self, *arguments):
        run = subprocess.run([TARGET, *map(str, arguments)], stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, text=True, errors="replace")
        self.assertEqual(run.returncode, 0, run.stdout)

    def test_the_corpus_is_harmless(self):
        self.assertGreater(len(list(CORPUS.iterdir())), 0)
        self.assert_survives("-runs=0", CORPUS)

    def test_a_few_seconds_find_nothing(self):
        # What was found is printed, in base64.
        with tempfile.TemporaryDirectory(prefix="fanlight-fuzz-") as folder:
            self.assert_survives(f"-max_total_time={SECONDS}", f"-seed={SEED}",
                                 f"-artifact_prefix={folder}/", "-max_len=65536", folder, CORPUS)


tap.main()
