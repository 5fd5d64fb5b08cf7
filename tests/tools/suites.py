"""tools/test says at once that it will not do what it is told."""
import pathlib
import shutil
import subprocess
import tempfile
import unittest

import tap

TOOLS = pathlib.Path(__file__).resolve().parents[2] / "tools"


class Suites(unittest.TestCase):
    def run_tool(self, *options):
        """The tool beside a setup that only says so. Returns its exit code and what was said."""
        with tempfile.TemporaryDirectory(prefix="fanlight-suites-") as folder:
            tools = pathlib.Path(folder) / "tools"
            tools.mkdir()
            for name in ("test", "suites.py"):
                shutil.copy(TOOLS / name, tools)
            (tools / "setup").write_text("#!/bin/sh\necho installing >&2; exit 1\n")
            (tools / "setup").chmod(0o755)
            result = subprocess.run([tools / "test", *options], stdout=subprocess.PIPE,
                                    stderr=subprocess.STDOUT, text=True, check=False)
            return result.returncode, result.stdout

    def test_wrong_option_is_refused_before_anything_is_installed(self):
        for wrong in (["--quik"], ["--suite", "units"], ["unit"]):
            code, said = self.run_tool(*wrong)
            self.assertEqual(code, 2)
            self.assertIn(wrong[-1], said)
            self.assertNotIn("installing", said)

    def test_help_installs_nothing(self):
        code, said = self.run_tool("--help")
        self.assertEqual(code, 0)
        self.assertNotIn("installing", said)

    def test_nothing_is_built_when_installing_fails(self):
        self.assertEqual(self.run_tool("--quick"), (1, "installing\n"))


if __name__ == "__main__":
    tap.main()
