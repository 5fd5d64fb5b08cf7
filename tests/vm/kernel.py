#!/usr/bin/env python3
"""Debian's stock kernel, made ready for a guest that lives on the host's own root.

The linux-image package is downloaded and unpacked, never installed, into a cache of this user:
DIR/vmlinux (a plain ELF file, which QEMU starts without firmware or decompressor), DIR/vmlinuz (as
it came), DIR/lib/modules and DIR/initrd-*. What Debian does not build of the kernel's own sources is
compiled as modules: a screen that tells what it shows (vkms, which is given planes for YCbCr), DMA
heaps and udmabuf. Run as a program it prints DIR; once that is made, nothing is downloaded again.
"""
import gzip
import hashlib
import lzma
import os
import re
import shutil
import struct
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

CACHE = Path(os.environ.get('XDG_CACHE_HOME') or Path.home() / '.cache') / 'fanlight' / 'vm'
INIT = Path(__file__).with_name('init')
MODULES = Path(__file__).with_name('modules')  # how to build those that are missing

# What cameras, screens, a root over 9p and callers need; the whole package would be four times as
# big.
WANTED = re.compile(r'\./(boot/vmlinuz-.*|lib/modules/[^/]+/(modules\..*|kernel/('
                    r'(arch|crypto|fs|lib|mm|net/9p|'
                    r'drivers/(char|dma-buf|i2c|media|usb|video|virtio))/.*|'
                    r'drivers/gpu/drm/((display|tiny|virtio)/)?[^/]*|'
                    r'net/core/failover\.ko|drivers/net/(net_failover|virtio_net)\.ko)))')
# The sources of MODULES, in linux-source.
SOURCES = ('drivers/gpu/drm/vkms/*.[ch]', 'drivers/dma-buf/dma-heap.c', 'drivers/dma-buf/udmabuf.c',
           'drivers/dma-buf/heaps/system_heap.c')
# A kernel that another version of this made may lack something.
KIND = hashlib.sha256(b''.join(path.read_bytes() for path in (
    Path(__file__), *sorted(MODULES.iterdir())))).hexdigest()[:8]

ROOT_MODULES = ('virtio_pci', '9pnet_virtio', '9p', 'overlay')


class Unavailable(Exception):
    """No kernel can be had here; the text says why."""


def output_of(*command):
    try:
        return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    except (OSError, subprocess.CalledProcessError) as why:
        raise Unavailable(why) from why


def image_package():
    """The package with the kernel that linux-image-amd64 stands for."""
    depends = output_of('apt-cache', 'depends', 'linux-image-amd64')
    found = re.search(r'Depends: (linux-image-\d\S*)', depends)
    if not found:
        raise Unavailable('apt knows no linux-image-amd64; the guest needs its kernel')
    return found[1]


def run(*command, cwd):
    result = subprocess.run(command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                            text=True, check=False)
    if result.returncode:
        raise Unavailable(f'{" ".join(map(str, command))}: {result.stdout.strip()[-500:]}')


def download(folder, *packages):
    """Their files, in this folder."""
    # apt's unprivileged helper cannot write here and says so at length.
    run('apt-get', '-qq', 'download', *packages, cwd=folder)
    return [next(folder.glob(f'{package.split("=")[0]}_*.deb')) for package in packages]


def unpack(package, directory):
    """Returns the package's version."""
    with tempfile.TemporaryDirectory() as name:
        deb, = download(Path(name), package)
        with subprocess.Popen(['dpkg-deb', '--fsys-tarfile', deb], stdout=subprocess.PIPE) as dpkg:
            with tarfile.open(fileobj=dpkg.stdout, mode='r|') as tar:
                for member in tar:
                    if member.isfile() and WANTED.fullmatch(member.name):
                        tar.extract(member, directory)
        return output_of('dpkg-deb', '-f', deb, 'Version').strip()


def build_modules(package, version, directory):
    """Compile what Debian does not into the kernel's folder of modules."""
    release = package.removeprefix('linux-image-')
    numbers, kernel = release.rpartition('-')[0], '.'.join(version.split('.')[:2])
    packages = [f'linux-{part}={version}' for part in (
        f'headers-{release}', f'headers-{numbers}-common', f'kbuild-{kernel}', f'source-{kernel}')]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for deb in download(folder, *packages):
            run('dpkg-deb', '-x', deb, folder, cwd=folder)
            deb.unlink()
        build = Path(shutil.copytree(MODULES, folder / 'build'))
        source = f'linux-source-{kernel}'
        run('tar', '-xJf', folder / f'usr/src/{source}.tar.xz', '--wildcards',
            '--transform=s,.*/,,', *(f'{source}/{path}' for path in SOURCES), cwd=build)
        headers = folder / 'usr/src' / f'linux-headers-{release}'
        makefile = headers / 'Makefile'  # names the place where they would be installed
        makefile.write_text(makefile.read_text().replace('/usr/src/', f'{folder}/usr/src/'))
        run('make', '-s', f'-j{os.cpu_count()}', '-C', headers, f'M={build}', 'modules', cwd=build)
        extra = directory / 'lib/modules' / release / 'extra'
        extra.mkdir()
        for module in build.glob('*.ko'):
            shutil.copy(module, extra)


def decompress(vmlinuz):
    """The ELF kernel within a bzImage; its setup header says where (Linux' x86 boot protocol)."""
    setup_sectors = vmlinuz[0x1f1]
    offset, length = struct.unpack_from('<II', vmlinuz, 0x248)
    offset += (setup_sectors + 1) * 512
    payload = vmlinuz[offset:offset + length]
    if payload.startswith(b'\xfd7zXZ'):
        return lzma.LZMADecompressor().decompress(payload)  # stops before the size that follows
    tools = {b'\x1f\x8b': 'gzip', b'\x28\xb5\x2f\xfd': 'zstd', b'\x02\x21\x4c\x18': 'lz4'}
    for magic, tool in tools.items():
        if payload.startswith(magic):
            return subprocess.run([tool, '-dc'], input=payload[:-4], check=True,
                                  stdout=subprocess.PIPE).stdout
    raise Unavailable('the kernel is compressed in an unknown way')


def initrd(directory, version):
    """busybox, the modules that reach the host's root, and our init."""
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        for folder in ('bin', 'dev', 'proc', 'sys', 'modules', 'newroot'):
            (root / folder).mkdir()
        shutil.copy('/bin/busybox', root / 'bin')
        shutil.copy(INIT, root / 'init')
        (root / 'init').chmod(0o755)
        order = []
        for module in ROOT_MODULES:
            for line in output_of('modprobe', '-d', directory, '-S', version,
                                  '--show-depends', module).splitlines():
                verb, _, path = line.strip().partition(' ')
                if verb == 'insmod' and Path(path).name not in order:
                    order.append(Path(path).name)
                    shutil.copy(path, root / 'modules')
        (root / 'modules' / 'order').write_text('\n'.join(order) + '\n')
        files = '\n'.join(str(path.relative_to(root)) for path in [root, *root.rglob('*')])
        archive = subprocess.run(['cpio', '--quiet', '-o', '-H', 'newc'], cwd=root, check=True,
                                 input=files.encode(), stdout=subprocess.PIPE).stdout
    return gzip.compress(archive, 1)


def make(package, directory):
    build_modules(package, unpack(package, directory), directory)
    version = next((directory / 'lib' / 'modules').iterdir()).name
    subprocess.run(['depmod', '-b', directory, version], check=True)
    vmlinuz = next((directory / 'boot').iterdir()).rename(directory / 'vmlinuz')
    (directory / 'vmlinux').write_bytes(decompress(vmlinuz.read_bytes()))


def ready():
    """The newest kernel in the cache that has all that is wanted, or None."""
    kernels = [path.parent for path in CACHE.glob(f'linux-image-*.{KIND}/vmlinux')]
    return max(kernels, key=lambda path: path.stat().st_mtime, default=None)


def initrd_path(directory):
    """Several trees of the source may share the cache, each with its own init."""
    return directory / f'initrd-{hashlib.sha256(INIT.read_bytes()).hexdigest()[:16]}'


def prepare():
    """The directory of a kernel that is ready to boot; made if there is none."""
    directory = ready()
    if not directory:
        package = image_package()
        directory = CACHE / f'{package}.{KIND}'
        print(f'kernel.py: unpacking {package}, which runs in the test guest, into {CACHE}',
              file=sys.stderr)
        CACHE.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=CACHE) as name:
            made = Path(name) / package
            made.mkdir()
            make(package, made)
            try:
                made.rename(directory)  # whole or not at all
            except OSError:
                if not directory.exists():
                    raise  # else another has made it meanwhile
    path = initrd_path(directory)
    if not path.exists():
        version = next((directory / 'lib' / 'modules').iterdir()).name
        made = path.with_suffix(f'.{os.getpid()}')
        made.write_bytes(initrd(directory, version))
        made.rename(path)
    return directory


if __name__ == '__main__':
    try:
        print(prepare())
    except Unavailable as why:
        sys.exit(f'kernel.py: {why}')
