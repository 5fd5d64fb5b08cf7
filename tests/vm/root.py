"""A small Debian root for guests that are to run systemd, made by mmdebstrap.

It has what tests/vm needs and the packages that are asked for, and lies in the cache beside the
guest's kernel. Making it takes root, and the packages come from where this machine's apt gets them.
"""
import hashlib
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import kernel

BASICS = ['systemd-sysv', 'udev', 'kmod', 'python3', 'python3-pil']
ROOT = Path(__file__).resolve().parents[2] / 'deploy/debian/root'


def make(packages, directory):
    result = subprocess.run([ROOT, directory, '--variant=minbase', '--format=directory',
                             f'--include={",".join([*BASICS, *packages])}'],
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if result.returncode:
        raise kernel.Unavailable(f'mmdebstrap makes no root: {result.stdout.strip()[-500:]}')


def prepare(depends):
    """The directory of a root for a package that Depends: on these; made if there is none."""
    packages = [re.match(r'[\w.+-]+', part.strip())[0] for part in depends.split(',')]
    # With the versions that it wants: another build of it may want newer ones.
    name = hashlib.sha256(' '.join([*BASICS, depends]).encode()).hexdigest()[:16]
    directory = kernel.CACHE / f'root-{name}'
    if not directory.exists():
        print(f'root.py: making a Debian root for the test guest in {directory}', file=sys.stderr)
        kernel.CACHE.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=kernel.CACHE) as folder:
            made = Path(folder) / 'root'
            make(packages, made)
            made.rename(directory)  # whole or not at all
    return directory
