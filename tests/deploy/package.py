"""The Debian packages: that they build, what is in them, and that lintian finds nothing wrong."""
import pathlib
import shutil
import subprocess
import tempfile
import unittest

import tap

ROOT = pathlib.Path(__file__).parents[2]
CONTENTS = {
    "fanlight": {
        "etc/fanlight/fanlight.conf", "lib/systemd/system/fanlight.service",
        "lib/systemd/system/fanlight-http.socket", "lib/systemd/system/fanlight-https.socket",
        "lib/udev/rules.d/60-fanlight.rules", "usr/bin/fanlight", "usr/bin/fanlight-probe",
        "usr/lib/sysusers.d/fanlight.conf", "usr/share/bash-completion/completions/fanlight",
        "usr/share/bash-completion/completions/fanlight-probe",
        "usr/share/man/man1/fanlight.1.gz", "usr/share/man/man1/fanlight-probe.1.gz",
        "usr/share/man/man5/fanlight.conf.5.gz"},
    "fanlight-dev": {"usr/include/fanlight/filter.h", "usr/include/fanlight/frame.h",
                     "usr/share/pkgconfig/fanlight.pc"},
}


def run(*command, **others):
    result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                            check=False, **others)
    assert result.returncode == 0, f"{command}: {result.stdout}"
    return result.stdout


class Package(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="fanlight-package-"))
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        run(ROOT / "deploy/debian/build", cls.folder)
        cls.packages = {path.name.split("_")[0]: path for path in cls.folder.glob("*.deb")}
        for name, path in cls.packages.items():
            run("dpkg-deb", "-x", path, cls.folder / name)

    def test_each_package_has_its_files_and_only_documents_besides(self):
        self.assertEqual(self.packages.keys(), {*CONTENTS, "fanlight-dbgsym"})
        for package, expected in CONTENTS.items():
            folder = self.folder / package
            found = {str(path.relative_to(folder)) for path in folder.rglob("*")
                     if not path.is_dir()}
            self.assertEqual({path for path in found if not path.startswith("usr/share/doc/")},
                             expected)

    def test_lintian_finds_neither_errors_nor_warnings(self):
        self.assertEqual(run("lintian", "--allow-root", "--fail-on", "error,warning", "--quiet",
                             *self.packages.values()), "")

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


if __name__ == "__main__":
    tap.main()
