#!/usr/bin/env python3
"""Build the Debian package and the one after it, and live through both in a guest: package.py.

    lifecycle.py TIMEOUT FANLIGHT FAKECAM
"""
import subprocess
import sys
import tempfile
from pathlib import Path

import kernel
import rig
import root

TIMEOUT, *PROGRAMS = sys.argv[1:]
HERE = Path(__file__).resolve().parent
TREE = HERE.parents[1]


def make_successor(package, folder):
    """The same package with a higher version and other settings of its own."""
    unpacked = folder / 'unpacked'
    subprocess.run(['dpkg-deb', '-R', package, unpacked], check=True)
    control = unpacked / 'DEBIAN/control'
    control.write_text(control.read_text().replace('\nVersion: ', '\nVersion: 1:'))
    with (unpacked / 'etc/fanlight/fanlight.conf').open('a') as settings:
        settings.write('# What a new version has to say.\n')
    successor = folder / 'successor.deb'
    subprocess.run(['dpkg-deb', '--root-owner-group', '-b', unpacked, successor], check=True,
                   stdout=subprocess.DEVNULL)
    return successor


def main():
    # Within the build folder, which the guest sees.
    with tempfile.TemporaryDirectory(prefix='lifecycle-', dir='.') as name:
        folder = Path(name).resolve()
        subprocess.run([TREE / 'deploy/debian/build', folder], check=True,
                       stdout=subprocess.DEVNULL)
        package = next(path for path in folder.glob('fanlight_*.deb'))
        try:
            directory = root.prepare(kernel.output_of('dpkg-deb', '-f', package, 'Depends'))
        except kernel.Unavailable as why:
            print(f'Bail out! {why}')
            return 1
        return rig.run(['python3', str(HERE / 'package.py'), *PROGRAMS, str(package),
                        str(make_successor(package, folder))], float(TIMEOUT), root=directory)


if __name__ == '__main__':
    sys.exit(main())
