#!/usr/bin/env python3
"""Run a command in a QEMU guest with Debian's stock kernel and this machine's own root.

    rig.py [--timeout SECONDS] [--device DEVICE]... [--forward ADDRESS] [--] COMMAND...

The guest sees this machine's files read-only, forgets what it changes, has no network but
loopback, and shares one folder with us as /out. With --device it has QEMU's monitor (QMP) on
/dev/ttyS2, where our name for that folder is $FANLIGHT_OUT. With --forward, which names one of our
loopback addresses, its ports 8080 and 8081 are ports of that address; it comes no further. With
--sleep the machine can be suspended to memory (S3), from which it is woken after some seconds; all
that it has of our files is then Python, the tests and what the command names, in its memory. What
the command prints, TAP for meson, is printed here when it has ended; its exit code is ours. A guest
that hangs is killed and fails. One whose kernel panics says nothing about the command, and gets
another chance.
"""
import argparse
import importlib.util
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import sysconfig
import tempfile
import threading
import time
from pathlib import Path

import kernel

TREE = Path(__file__).resolve().parents[2]  # of the source, which every guest sees
BOOT_ID = Path('/proc/sys/kernel/random/boot_id')
FORWARDED = (8080, 8081)
ASLEEP_SECONDS = 2
KVM_PROOF_SECONDS = 6  # a kernel without a root panics within one second under KVM


def kvm_works(vmlinux):
    """Does a kernel really boot on /dev/kvm? A nested one may open and then never run."""
    if not os.access('/dev/kvm', os.R_OK | os.W_OK):
        return False
    command = ['qemu-system-x86_64', '-accel', 'kvm', *machine('host'), '-serial', 'stdio',
               '-kernel', str(vmlinux), '-append', 'console=ttyS0 panic=-1']
    try:
        proof = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.DEVNULL, timeout=KVM_PROOF_SECONDS)
    except subprocess.TimeoutExpired:
        return False
    return b'Kernel panic' in proof.stdout


def accelerator(directory):
    """QEMU's options for the fastest way to run here, found once a boot of this machine."""
    known = directory.with_name('accelerator')
    boot = BOOT_ID.read_text().strip()
    try:
        seen, kind = known.read_text().split()
    except (OSError, ValueError):
        seen = kind = None
    if seen != boot:
        kind = 'kvm' if kvm_works(directory / 'vmlinux') else 'tcg'
        known.write_text(f'{boot} {kind}\n')
    if kind == 'kvm':
        return ['-accel', 'kvm', *machine('host')]
    # A newer model has AVX, which is slower to emulate than what it replaces.
    return ['-accel', 'tcg,thread=multi', *machine('Nehalem')]


def machine(cpu):
    return ['-M', 'q35', '-cpu', cpu, '-smp', '2', '-m', '2048', '-nic', 'none', '-vga', 'none',
            '-display', 'none', '-monitor', 'none', '-no-reboot']


def network(address):
    """A card with an end of the guest's own, on which only we can call."""
    ports = ','.join(f'hostfwd=tcp:{address}:{port}-:{port}' for port in FORWARDED)
    return ['-netdev', f'user,id=net,restrict=on,ipv6=off,{ports}',
            '-device', 'virtio-net-pci,netdev=net,romfile=']


# What systemd runs in the guest, once the basics are up.
UNIT = """\
[Unit]
Requires=basic.target
After=basic.target
[Service]
Type=oneshot
ExecStart=/bin/sh /out/end
"""


def write_script(out, directory, command, devices):
    """What the guest's init runs; modules come from the cache, not from the host's kernel."""
    version = next((directory / 'lib' / 'modules').iterdir())
    (out / 'modules').write_text(f'{version}\n')
    (out / 'tree').write_text(f'{TREE}\n')
    path = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
    (out / 'run').write_text(
        'stty -F /dev/ttyS1 raw\n'
        + ('stty -F /dev/ttyS2 raw -echo\n' if devices else '') +
        f'export FANLIGHT_OUT={out}\n'
        f'export PATH={path} HOME=/root LANG=C.UTF-8 PYTHONDONTWRITEBYTECODE=1\n'
        f'cd {shlex.quote(os.getcwd())} && exec {shlex.join(command)}\n')


def pack_root(out, directory, command):
    """What a guest needs that has none of our files at hand."""
    programs = ['/bin/sh', *map(shutil.which, ('stty', 'grep', 'modprobe')),
                *map(os.path.abspath, filter(os.path.isfile, command))]
    folders = [sysconfig.get_path('stdlib'), str(TREE / 'tests/vm'),
               os.path.dirname(importlib.util.find_spec('PIL').origin)]
    plugins = [path for folder in folders for path in Path(folder).rglob('*.so')]
    listing = subprocess.run(['ldd', *programs, *plugins], stdout=subprocess.PIPE,
                             stderr=subprocess.DEVNULL, text=True, check=False).stdout
    libraries = set(re.findall(r'(/\S+) \(0x', listing))
    subprocess.run(['tar', '-cPf', out / 'root.tar', '--dereference', '--hard-dereference',
                    '--exclude=config-*', *programs, *folders, *libraries,
                    '-C', directory, 'lib/modules'], check=True)


def wake(monitor):
    """Let a machine that falls asleep have some seconds of that."""
    with monitor, monitor.makefile('rw') as lines:
        print('{"execute": "qmp_capabilities"}', file=lines, flush=True)
        for line in lines:
            if '"SUSPEND"' in line:
                time.sleep(ASLEEP_SECONDS)
                print('{"execute": "system_wakeup"}', file=lines, flush=True)


def boot(directory, out, seconds, devices, root, address, sleep):
    """Run the guest until it ends. Returns whether it did so by itself, and what it printed."""
    shares = [('host', 'path=/,readonly=on,multidevs=remap'), ('out', f'path={out}')]
    if root:
        shares.append(('root', f'path={root},readonly=on'))
    command = ['qemu-system-x86_64', *accelerator(directory),
               '-kernel', str(directory / 'vmlinux'),
               '-initrd', str(kernel.initrd_path(directory)),
               '-append', 'console=ttyS0 quiet oops=panic panic=-1 mitigations=off',
               '-serial', f'file:{out}/console', '-serial', 'stdio']
    if devices:
        # The serial port is the monitor's client, within QEMU itself.
        command += ['-chardev', f'socket,id=monitor,path={out}/monitor,server=on,wait=off',
                    '-mon', 'chardev=monitor,mode=control', '-serial', f'unix:{out}/monitor']
    for device in devices:
        command += ['-device', device]
    if address:
        command += network(address)
    for tag, options in shares:
        command += ['-fsdev', f'local,id={tag},security_model=none,{options}',
                    '-device', f'virtio-9p-pci,fsdev={tag},mount_tag={tag}']
    ours, theirs = socket.socketpair()
    if sleep:
        # When a machine wakes, QEMU loads an ELF kernel anew over what the memory holds, and a q35's
        # firmware does not set its power management up again.
        command += ['-kernel', str(directory / 'vmlinuz'), '-M', 'pc',
                    '-chardev', f'socket,id=waker,fd={theirs.fileno()}',
                    '-mon', 'chardev=waker,mode=control']
        threading.Thread(target=wake, args=(ours,)).start()
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          pass_fds=[theirs.fileno()]) as qemu:
        theirs.close()
        limit = threading.Timer(seconds, qemu.kill)
        limit.start()
        printed = qemu.stdout.read().decode(errors='replace').replace('\r\n', '\n')
        limit.cancel()
        return qemu.wait() == 0, printed


def try_once(directory, command, seconds, devices, root, address, sleep):
    """The command's exit code, or None where the guest's kernel has panicked; and what it printed."""
    with tempfile.TemporaryDirectory(prefix='fanlight-vm-') as name:
        out = Path(name)
        write_script(out, directory, command, devices)
        if root:
            (out / 'unit').write_text(UNIT)
        if sleep:
            pack_root(out, directory, command)
        ended, printed = boot(directory, out, seconds, devices, root, address, sleep)
        try:
            return int((out / 'status').read_text()), printed
        except (OSError, ValueError):
            console = (out / 'console').read_text(errors='replace')
            said = ''.join(f'# {line}\n' for line in console.splitlines()[-60:])
            if 'Kernel panic' in console:
                return None, said
            return 1, printed + said + 'Bail out! the guest ' + (
                'died\n' if ended else f'was not done within {seconds:.0f} s\n')


def run(command, seconds, devices=(), root=None, address=None, sleep=False):
    """Run a command in the guest; with a root, in that one once systemd is up. Its exit code."""
    try:
        directory = kernel.prepare()
    except kernel.Unavailable as why:
        print(f'Bail out! {why}')
        return 1

    code, printed = try_once(directory, command, seconds, devices, root, address, sleep)
    if code is None:
        print("# the guest's kernel panicked; once more", printed, sep='\n')
        code, printed = try_once(directory, command, seconds, devices, root, address, sleep)
    if code is None:
        code, printed = 1, printed + "Bail out! the guest's kernel panicked twice\n"
    print(printed, end='', flush=True)
    return code


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument('--timeout', type=float, default=300)
    parser.add_argument('--device', action='append', default=[], help="as QEMU's -device")
    parser.add_argument('--forward', metavar='ADDRESS')
    parser.add_argument('--sleep', action='store_true')
    parser.add_argument('command', nargs='+')
    args = parser.parse_args()
    return run(args.command, args.timeout, args.device, address=args.forward, sleep=args.sleep)


if __name__ == '__main__':
    sys.exit(main())
