"""The Debian packages: that they build, what is in them, and that lintian finds nothing wrong."""
import pathlib
import shutil
import subprocess
import tempfile
import unittest

import tap
from packages import CONTENTS, ROOT, contents, lintian, run


class Package(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="fanlight-package-"))
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        run(ROOT / "deploy/debian/build", cls.folder)
        cls.packages = {path.name.split("_")[0]: path for path in cls.folder.glob("*.deb")}
        cls.contents = {name: contents(path, cls.folder / name)
                        for name, path in cls.packages.items()}

    def test_each_package_has_its_files_and_only_documents_besides(self):
        self.assertEqual(self.packages.keys(), {*CONTENTS, "fanlight-dbgsym"})
        for package, expected in CONTENTS.items():
            self.assertEqual(self.contents[package], expected)

    def test_lintian_finds_neither_errors_nor_warnings(self):
        self.assertEqual(lintian(*self.packages.values()), "")

    def test_the_program_runs_and_takes_the_settings_that_come_with_it(self):
        folder = self.folder / "fanlight"
        run(folder / "usr/bin/fanlight", "--config", folder / "etc/fanlight/fanlight.conf",
            "--source", "pattern", "--check")

    def test_systemd_finds_the_units_right_and_their_exposure_below_two(self):
        folder = self.folder / "units"
        folder.mkdir()
        for unit in (self.folder / "fanlight/lib/systemd/system").iterdir():
            # The program is not installed here.
            text = unit.read_text().replace("=/usr", f"={self.folder}/fanlight/usr")
            (folder / unit.name).write_text(text)
        said = run("systemd-analyze", "verify", "--man=no", *folder.iterdir())
        self.assertNotIn("fanlight", said)
        run("systemd-analyze", "security", "--no-pager", "--offline=true", "--threshold=19",
            folder / "fanlight.service")

    def test_the_service_may_confine_itself_further(self):
        unit = self.folder / "fanlight/lib/systemd/system/fanlight.service"
        calls = unit.read_text().split("SystemCallFilter=", 1)[1].split("\n")[0].split()
        self.assertIn("seccomp", calls)

    def test_symbols_belong_to_the_program(self):
        notes = run("file", self.folder / "fanlight/usr/bin/fanlight")
        build_id = notes.split("BuildID[sha1]=")[1].split(",")[0]
        symbols = self.folder / "fanlight-dbgsym/usr/lib/debug/.build-id"
        self.assertTrue((symbols / build_id[:2] / f"{build_id[2:]}.debug").exists())

    def test_the_header_compiles_as_pkg_config_says(self):
        folder = self.folder / "fanlight-dev"
        flags = run("pkg-config", "--define-prefix", "--cflags",
                    folder / "usr/share/pkgconfig/fanlight.pc").split()
        run("cc", "-fsyntax-only", "-x", "c", *flags, f"-I{folder}/usr/include", "-",
            input="#include <fanlight/frame.h>\n")


class Asked(unittest.TestCase):
    """A package for another architecture is tested with the images of boards, which have it."""

    def assert_refused(self, *arguments, because):
        result = subprocess.run([ROOT / "deploy/debian/build", *arguments],
                                capture_output=True, text=True, check=False)
        self.assertEqual(result.returncode, 2)
        self.assertIn(because, result.stderr)

    def test_an_architecture_that_debian_does_not_know_is_refused(self):
        self.assert_refused("--arch", "arm65", because="such as arm64, not 'arm65'")

    def test_what_is_no_folder_is_refused(self):
        for arguments in ["--help"], ["one", "another"], ["--arch", "arm64", "--folder"]:
            self.assert_refused(*arguments, because="takes at most --arch ARCHITECTURE")


if __name__ == "__main__":
    tap.main()
