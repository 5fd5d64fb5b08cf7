"""What Debian packages have to have, whoever builds them."""
import pathlib
import subprocess

ROOT = pathlib.Path(__file__).parents[1]
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


def contents(package, folder):
    """Unpack a package. Returns its files, but for documents."""
    run("dpkg-deb", "-x", package, folder)
    found = {str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir()}
    return {path for path in found if not path.startswith("usr/share/doc/")}


def lintian(*packages):
    return run("lintian", "--allow-root", "--fail-on", "error,warning", "--quiet", *packages)
