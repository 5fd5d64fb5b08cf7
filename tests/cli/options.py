"""What fanlight prints for its options, and how it refuses what is wrong: one line, exit code 1."""
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import unittest

import tap

FANLIGHT = sys.argv[1]
ROOT = pathlib.Path(__file__).parents[2]
NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]


def run(*command, **others):
    return subprocess.run(command, capture_output=True, text=True, timeout=60, **others)


def fanlight(*options, config="/dev/null", **others):
    return run(FANLIGHT, "--config", config, *options, **others)


class Options(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="fanlight-cli-"))
        self.addCleanup(shutil.rmtree, self.folder)

    def write(self, text):
        path = self.folder / "fanlight.conf"
        path.write_text(text)
        return str(path)

    def assert_good(self, result):
        self.assertEqual(result.stderr, "")
        self.assertEqual(result.returncode, 0)
        return result.stdout

    def assert_refused(self, result, *expected):
        """One line on stderr that has each expected text, nothing on stdout, exit code 1."""
        for text in expected:
            self.assertIn(text, result.stderr)
        self.assertEqual(result.stderr.count("\n"), 1, result.stderr)
        self.assertTrue(result.stderr.endswith("\n"))
        self.assertEqual(result.stdout, "")
        self.assertEqual(result.returncode, 1)

    def test_help_fits_a_screen(self):
        lines = self.assert_good(fanlight("--help")).splitlines()
        self.assertLessEqual(len(lines), 24)
        self.assertLessEqual(max(map(len, lines)), 80)
        for line in lines[1:-1]:
            self.assertRegex(line[27:29], r" \S", line)  # where each says what it is

    def test_manuals_name_every_setting_and_no_other(self):
        settings = set(re.findall(r"^([a-z-]+) =", self.assert_good(fanlight("--check")), re.M))
        manual = (ROOT / "deploy/man/fanlight.conf.5.scd").read_text()
        self.assertEqual(set(re.findall(r"^\*([a-z-]+)\* = ", manual, re.M)), settings)
        manual = (ROOT / "deploy/man/fanlight.1.scd").read_text()
        options = manual[manual.index("# OPTIONS"):manual.index("# ADDRESSES")]
        self.assertEqual(set(re.findall(r"^\*(?:-\w, )?--([a-z-]+)\*", options, re.M)),
                         settings | {"config", "camera", "list", "check", "preview-only",
                                     "version", "help"})

    def test_help_is_the_same_in_short(self):
        self.assertEqual(self.assert_good(fanlight("-h")), self.assert_good(fanlight("--help")))

    def test_version_is_name_and_number(self):
        self.assertRegex(self.assert_good(fanlight("--version")), r"^fanlight \d+\.\d+\.\d+\n$")

    def test_check_prints_settings_that_check_the_same(self):
        text = self.assert_good(fanlight(
            "--check", "--source", "pattern", "--camera", "a", "--size", "640x480", "--fps",
            "30000/1001", "--camera", "b", "--controls", "brightness=1,contrast=-2"))
        self.assertIn("[camera a]\nsource = pattern\nsize = 640x480\n", text)
        self.assertIn("controls = brightness=1, contrast=-2\n", text)
        self.assertEqual(self.assert_good(fanlight("--check", config=self.write(text))), text)

    def test_example_file_names_every_default(self):
        example = (ROOT / "deploy/fanlight.conf").read_text()
        top = example.split("#[camera")[0]
        active = "".join(line[1:] + "\n" for line in top.splitlines()
                         if line.startswith("#") and not line.startswith("# "))
        state = dict(os.environ, STATE_DIRECTORY="/var/lib/fanlight")
        defaults = self.assert_good(fanlight("--check", env=state))
        self.assertEqual(self.assert_good(fanlight("--check", config=self.write(active))), defaults)
        for line in defaults.splitlines():
            if "=" in line:
                self.assertIn(line.strip(), active.splitlines())

    def test_example_file_is_good_with_its_cameras(self):
        example = (ROOT / "deploy/fanlight.conf").read_text()
        cameras = example[example.index("#[camera"):].replace("\n#", "\n")[1:]
        text = self.assert_good(fanlight("--check", config=self.write(cameras)))
        self.assertIn("[camera front]\nsource = /dev/video0\nsize = 1280x720\n", text)

    def test_bad_value_in_a_file_is_named_by_its_line(self):
        path = self.write("# mine\n[camera a]\nquality = 900\n")
        self.assert_refused(
            fanlight(config=path),
            f'{path}:3: quality: "900" is not allowed; use a number from 1 to 100')

    def test_unknown_option_gets_a_hint(self):
        self.assert_refused(fanlight("--qualty", "3"), "did you mean --quality?")

    def test_word_that_is_no_option_gets_a_hint(self):
        self.assert_refused(fanlight("/dev/video0"), "--source /dev/video0")

    def test_missing_file_of_settings_is_named(self):
        path = str(self.folder / "none.conf")
        self.assert_refused(fanlight(config=path), path, "No such file")

    def test_folder_as_file_of_settings_is_refused(self):
        self.assert_refused(fanlight(config=str(self.folder)), "Is a directory")

    def test_missing_replay_file_is_named(self):
        path = str(self.folder / "none.mjpg")
        for option in [], ["--check"]:
            self.assert_refused(
                fanlight("--source", f"replay:{path}", *option), path, "No such file")

    def test_device_without_permission_is_explained(self):
        if os.geteuid():
            self.skipTest("needs root to make a device and to become nobody")
        self.folder.chmod(0o755)
        # nobody may not reach the build directory.
        program = shutil.copy(FANLIGHT, self.folder / "fanlight")
        device = self.folder / "video"
        os.mknod(device, 0o020600, os.makedev(1, 3))
        self.assert_refused(
            run(*NOBODY, program, "--config", "/dev/null", "--source", f"v4l2:{device}"),
            str(device), "no permission", "group video")

    def test_user_that_is_not_there_is_named(self):
        self.assert_refused(
            fanlight("--source", "pattern", "--http", "127.0.0.1:0", "--user", "no-such-user"),
            "there is no user no-such-user")

    def test_only_root_becomes_another(self):
        if os.geteuid():
            self.skipTest("needs root to become nobody")
        self.folder.chmod(0o755)
        program = shutil.copy(FANLIGHT, self.folder / "fanlight")
        self.assert_refused(
            run(*NOBODY, program, "--config", "/dev/null", "--source", "pattern", "--http",
                "127.0.0.1:0", "--user", "daemon"), "only root can become daemon")

    def test_port_in_use_is_named(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            address = "127.0.0.1:%d" % taken.getsockname()[1]
            result = fanlight("--source", "pattern", "--https", "off", "--http", address)
        self.assert_refused(result, address, "in use")

    def test_missing_certificate_is_named(self):
        path = str(self.folder / "none.pem")
        result = fanlight("--source", "pattern", "--http", "off", "--https", "127.0.0.1:0",
                       "--cert", path, "--key", path)
        self.assert_refused(result, path)

    def test_list_goes_without_settings(self):
        result = fanlight("--list", config=self.write("nonsense\n"))
        self.assertEqual(result.returncode, 0, result.stderr)

    def test_output_that_cannot_be_written_is_an_error(self):
        with open("/dev/full", "w") as full:
            result = subprocess.run([FANLIGHT, "--help"], stdout=full, stderr=subprocess.PIPE,
                                    text=True, timeout=60)
        self.assertEqual(result.returncode, 1)
        self.assertIn("No space left", result.stderr)


tap.main()
