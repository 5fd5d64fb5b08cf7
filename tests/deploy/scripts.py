"""Shell scripts: shellcheck has nothing to say, and completion offers all that there is."""
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import unittest

import tap

FANLIGHT, PROBE = sys.argv[1:3]
ROOT = pathlib.Path(__file__).parents[2]
COMPLETION = ROOT / "deploy/completion/fanlight.bash"


def run(*command):
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          check=False)


def is_script(path):
    if "node_modules" in path.parts or not path.is_file():
        return False
    with path.open("rb") as file:
        return path.suffix == ".bash" or re.match(rb"#!.*sh\n", file.readline(80))


def complete(program, word, before=""):
    """What is offered for a word after the one before."""
    result = run("bash", "-c", 'source "$1"; shift; _fanlight "$@"; printf "%s\n" "${COMPREPLY[@]}"',
                 "bash", COMPLETION, program, word, before)
    assert result.returncode == 0, result.stdout
    return set(result.stdout.split())


class Scripts(unittest.TestCase):
    def test_shellcheck_finds_nothing(self):
        scripts = [path for folder in (".ci", "tools", "tests", "deploy")
                   for path in sorted((ROOT / folder).rglob("*")) if is_script(path)]
        self.assertIn(ROOT / "tools/setup", scripts)
        self.assertIn(ROOT / "deploy/debian/build", scripts)
        result = run("shellcheck", *scripts)
        self.assertEqual(result.stdout, "")
        self.assertEqual(result.returncode, 0)


class Root(unittest.TestCase):
    @unittest.skipIf(os.geteuid(), "only root mounts without a namespace of its own")
    def test_mounts_of_a_killed_build_go_with_it(self):
        with tempfile.TemporaryDirectory(prefix="fanlight-root-") as folder:
            killed = pathlib.Path(folder) / "mmdebstrap"
            killed.write_text('#!/bin/sh\nmount -t tmpfs "$0" "${0%/*}" && kill -KILL $$\n')
            killed.chmod(0o755)
            result = run("env", f"PATH={folder}:{os.environ['PATH']}", ROOT / "deploy/debian/root",
                         f"{folder}/root.tar")
            self.assertEqual(result.returncode, 128 + signal.SIGKILL, result.stdout)
            self.assertFalse(os.path.ismount(folder))


class Completion(unittest.TestCase):
    def test_every_setting_and_option_is_offered(self):
        offered = complete(FANLIGHT, "-")
        settings = run(FANLIGHT, "--config", "/dev/null", "--source", "pattern", "--check").stdout
        for line in settings.splitlines():
            if "=" in line:
                self.assertIn("--" + line.split(" =")[0], offered)
        for option in ("--config", "-c", "--camera", "--list", "--check", "--version", "--help"):
            self.assertIn(option, offered)

    def test_what_is_offered_is_taken(self):
        for option in complete(FANLIGHT, "-"):
            self.assertNotIn(f"{option} is no option",
                             run(FANLIGHT, option, "", "--version").stdout)

    def test_the_words_of_choices_are_offered_and_taken(self):
        for option in ("--log-level", "--chroma", "--cleartext-logins"):
            words = complete(FANLIGHT, "", option)
            self.assertGreaterEqual(len(words), 3)
            for word in words:
                self.assertEqual(run(FANLIGHT, "--config", "/dev/null", "--source", "pattern",
                                     option, word, "--check").returncode, 0)

    def test_files_are_left_to_bash(self):
        self.assertEqual(complete(FANLIGHT, "", "--cert"), set())

    def test_the_probe_has_its_own_options(self):
        offered = complete(PROBE, "--")
        self.assertLessEqual({"--viewers", "--slow", "--json"}, offered)
        self.assertNotIn("--source", offered)


if __name__ == "__main__":
    tap.main()
