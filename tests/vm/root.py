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
# What nobody in there reads.
LEFT_OUT = ['/usr/share/doc/*', '/usr/share/man/*', '/usr/share/locale/*', '/usr/share/info/*']
APT = Path('/etc/apt')


def sources():
    """This machine's own, in the order in which apt reads them."""
    return [path for path in [APT / 'sources.list', *sorted(APT.glob('sources.list.d/*'))]
            if path.suffix in ('.list', '.sources') and path.is_file()]


def make(packages, directory):
    release = kernel.output_of('sh', '-c', '. /etc/os-release && echo $VERSION_CODENAME').strip()
    # How apt reaches them, where that is not the way it does by itself.
    options = [line for line in kernel.output_of('apt-config', 'dump').splitlines()
               if line.startswith('Acquire::')]
    with tempfile.NamedTemporaryFile('w', suffix='.conf') as apt:
        apt.write('\n'.join(options))
        apt.flush()
        command = ['mmdebstrap', '--quiet', '--variant=minbase', '--format=directory',
                   f'--aptopt={apt.name}', *(f'--dpkgopt=path-exclude={path}' for path in LEFT_OUT),
                   f'--include={",".join([*BASICS, *packages])}', release, directory, *sources()]
        result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                text=True, check=False)
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
