#!/usr/bin/env python3
"""The images of arm64 boards, built; one is booted in an emulator: refused, let in, watched, killed.

    board.py FANLIGHT FAKECAM

Nothing is shared with the board but its card and its network; what is asked of it passes TLS or SSH.
"""
import json
import random
import re
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cards
import guest
from cards import eventually

FIRMWARE = '/usr/lib/u-boot/qemu_arm64/u-boot.bin'
# The card is larger than its image.
ROOM_BYTES = 512 << 20
# Moments at which the emulator is killed, as parts of what a boot prints.
MOMENTS = random.Random(9)
CUTS = 2
LOADED = b'Starting kernel ...'
UP = b'login: '
# The kernel's camera, and a console that tells how far a boot has come; nobody is in a hurry.
OPTIONS = 'modules_load=vivid systemd.show_status=false systemd.default_timeout_start_sec=900'

# By their device trees: the controller of the card, and what gives it power.
OTHER_DRIVERS = {
    'Raspberry Pi 4': {'sdhci_iproc', 'gpio_regulator', 'fixed'},
    'Rock64': {'dw_mmc_rockchip', 'i2c_rk3x', 'rk808_regulator', 'fixed', 'io_domain'},
}


class Board:
    def __init__(self, folder, image):
        self.folder = folder
        self.card = folder / 'card'
        guest.output_of('cp', image, self.card)
        self.console = folder / 'console'
        with self.card.open('r+b') as card:
            self.image_bytes = card.seek(0, 2)
            card.truncate(self.image_bytes + ROOM_BYTES)
        self.qemu = None
        guest.output_of('ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-f', folder / 'key')
        self.token = guest.output_of(guest.FANLIGHT, 'token', folder / 'accounts', 'test').strip()

    def write(self, path, text):
        """A file on the card's boot partition, as somebody writes it who has put it into a PC."""
        file = self.folder / 'file'
        file.write_text(text)
        guest.output_of('mcopy', '-o', '-i', f'{self.card}{cards.BOOT_PARTITION}', file, f'::{path}')

    def read(self, path):
        return guest.output_of('mtype', '-i', f'{self.card}{cards.BOOT_PARTITION}', f'::{path}')

    def power_on(self):
        with socket.socket(socket.AF_UNIX) as listener:
            path = self.folder / 'monitor'
            path.unlink(missing_ok=True)
            listener.bind(str(path))
            listener.listen()
            listener.settimeout(guest.PATIENCE_S)
            self.qemu = subprocess.Popen(
                ['qemu-system-aarch64', '-M', 'virt', '-cpu', 'cortex-a72', '-smp', '2', '-m', '1024',
                 '-accel', 'tcg,thread=multi', '-bios', FIRMWARE, '-display', 'none',
                 '-drive', f'if=none,id=card,format=raw,file={self.card}',
                 '-device', 'virtio-blk-device,drive=card',
                 '-netdev', 'user,id=net,hostfwd=tcp:127.0.0.1:0-:443,hostfwd=tcp:127.0.0.1:0-:22',
                 '-device', 'virtio-net-device,netdev=net', '-device', 'virtio-rng-device',
                 '-serial', f'file:{self.console}', '-monitor', 'none', '-qmp', f'unix:{path}'],
                stdin=subprocess.DEVNULL)
            monitor, _ = listener.accept()
        # Which ports the host has chosen.
        with monitor, monitor.makefile('rw') as lines:
            lines.readline()
            for command in ({'execute': 'qmp_capabilities'},
                            {'execute': 'human-monitor-command',
                             'arguments': {'command-line': 'info usernet'}}):
                lines.write(json.dumps(command))
                lines.flush()
                answer = json.loads(lines.readline())
        self.ports = {int(inside): int(port) for port, inside in re.findall(
            r'HOST_FORWARD\S* +\d+ +127\.0\.0\.1 +(\d+) +\S+ +(\d+)', answer['return'])}

    def cut_power(self):
        if self.qemu:
            self.qemu.kill()
            self.qemu.wait()

    def printed(self):
        assert self.qemu.poll() is None, 'the emulator has ended'
        return self.console.read_bytes() if self.console.exists() else b''

    def curl(self, path, *options):
        """What curl gets, as HTTP/2 over TLS: code, version, body; None where nobody answers."""
        body = self.folder / 'body'
        result = subprocess.run(
            ['curl', '-sk', '--http2', '--max-time', '60', '-o', body, '-w',
             '%{http_code} %{http_version}', *options,
             f'https://127.0.0.1:{self.ports[443]}{path}'],
            stdout=subprocess.PIPE, text=True, check=False)
        return None if result.returncode else (*result.stdout.split(), body.read_bytes())

    def get(self, path):
        """The body, once the board answers who has a token."""
        def answer():
            got = self.curl(path, '-H', f'Authorization: Bearer {self.token}')
            return got if got and got[0] == '200' else None
        _, version, body = eventually(answer)
        assert version == '2', version
        return body

    def camera(self):
        return json.loads(self.get('/state'))['cameras'][0]

    def ssh(self, *command):
        """What a command prints there; the board's host key must be the one of before."""
        def run():
            result = subprocess.run(
                ['ssh', '-p', str(self.ports[22]), '-i', self.folder / 'key', '-o', 'BatchMode=yes',
                 '-o', 'StrictHostKeyChecking=accept-new', '-o', 'HostKeyAlias=board', '-o',
                 f'UserKnownHostsFile={self.folder}/known', '-o', 'LogLevel=ERROR', '-F', 'none',
                 'root@127.0.0.1', *command], capture_output=True, text=True, check=False)
            # What ssh says where nobody answers yet.
            return None if result.returncode == 255 else result
        result = eventually(run)
        assert result.returncode == 0, result
        return result.stdout.strip()

    def us_since_boot(self, stamp, *unit):
        return int(self.ssh('systemctl', 'show', '--value', '-p', stamp, *unit))

    def certificate(self):
        return ssl.get_server_certificate(('127.0.0.1', self.ports[443]))

    def frames_advance(self):
        eventually(lambda: self.camera()['driver'] == 'vivid')
        before = self.camera()['captured']
        eventually(lambda: self.camera()['captured'] > before)
        assert self.get('/snapshot').startswith(b'\xff\xd8')

    def nobody_comes_in_before_the_card_says_who(self):
        self.write('extlinux/extlinux.conf', self.read('extlinux/extlinux.conf')
                   .replace('quiet', OPTIONS))
        self.power_on()
        eventually(lambda: UP in self.printed())
        self.boot_bytes = len(self.printed())
        assert self.curl('/') is None
        # The emulator takes every connection, and closes it if the board does not.
        with socket.create_connection(('127.0.0.1', self.ports[22])) as stranger:
            try:
                greeting = stranger.recv(1)
            except ConnectionError:
                greeting = b''
        assert not greeting
        self.cut_power()

    def its_power_may_be_cut_at_any_moment(self):
        self.write('accounts', (self.folder / 'accounts').read_text())
        self.write('authorized_keys', (self.folder / 'key.pub').read_text())
        for _ in range(CUTS):
            moment = MOMENTS.randrange(self.boot_bytes)
            self.power_on()
            eventually(lambda: len(printed := self.printed()) > moment or UP in printed)
            self.cut_power()

    def it_then_serves_its_camera_over_tls_and_h2(self):
        begin = time.monotonic()
        self.power_on()
        eventually(lambda: LOADED in self.printed())
        loaded = time.monotonic()
        self.get('/snapshot')
        seen = time.monotonic()
        self.frames_advance()
        system = self.us_since_boot('UserspaceTimestampMonotonic')
        service = self.us_since_boot('ActiveEnterTimestampMonotonic', 'fanlight')
        print(f'# from power on to the first picture: {seen - begin:.0f} s, as this machine emulates '
              f'them; u-boot had {loaded - begin:.0f} s of it, then Linux {system / 1e6:.0f} s until '
              f'systemd ran, which had Fanlight ready after {service / 1e6:.0f} s of Linux')

    def it_has_the_drivers_of_other_boards_cards(self):
        """Those that Linux wants before it can mount anything are loaded from the initramfs."""
        loaded = {line.split()[0] for line in self.ssh('cat', '/proc/modules').splitlines()}
        for board, drivers in OTHER_DRIVERS.items():
            assert loaded >= drivers, (board, drivers - loaded)

    def without_an_account_nobody_may_watch(self):
        assert eventually(lambda: self.curl('/snapshot'))[0] == '401'

    def the_program_may_be_killed(self):
        before = self.ssh('systemctl', 'show', '--value', '-p', 'MainPID', 'fanlight')
        self.ssh('kill', '-9', before)
        eventually(lambda: self.ssh('systemctl', 'show', '--value', '-p', 'MainPID', 'fanlight')
                   not in ('0', before))
        self.frames_advance()

    def its_root_is_read_only_and_its_data_fill_the_card(self):
        assert self.ssh('findmnt', '-no', 'FSTYPE', '/') == 'overlay'
        assert 'ro' in self.ssh('findmnt', '-no', 'OPTIONS', '/run/fanlight/root').split(',')
        eventually(lambda: int(self.ssh('findmnt', '-bno', 'SIZE', '/run/fanlight/data')) >
                   ROOM_BYTES * 9 // 10)

    def it_has_a_name_on_its_network(self):
        name = self.ssh('busctl', 'call', 'org.freedesktop.Avahi', '/',
                        'org.freedesktop.Avahi.Server', 'GetHostNameFqdn')
        assert 'fanlight.local' in name, name

    def cut_off_while_it_streams_it_comes_back_as_itself(self):
        certificate = self.certificate()
        machine = self.ssh('cat', '/etc/machine-id')
        assert re.fullmatch('[0-9a-f]{32}', machine), machine
        with subprocess.Popen(
                ['curl', '-skN', '--http2', '-H', f'Authorization: Bearer {self.token}',
                 f'https://127.0.0.1:{self.ports[443]}/stream'], stdout=subprocess.PIPE) as viewer:
            assert viewer.stdout.read(100_000)
            self.cut_power()
        self.power_on()
        self.frames_advance()
        assert self.certificate() == certificate
        assert self.ssh('cat', '/etc/machine-id') == machine


def main():
    with tempfile.TemporaryDirectory(prefix='board-', dir='.') as name:
        made = cards.Cards(Path(name).resolve())
        board = Board(made.folder, made.image('virt'))
        print(f'# the image has {board.image_bytes >> 20} MiB')
        try:
            return guest.run(guest.promises(
                made.the_package_within_has_all_files_and_lintian_finds_nothing,
                made.each_has_the_checksum_beside_it,
                made.each_has_its_partitions_after_what_loads_them,
                made.each_has_the_kernel_that_u_boot_is_told_of,
                made.a_raspberry_pi_4_finds_u_boot_and_a_device_tree,
                made.a_rock64_finds_u_boot_and_u_boot_a_device_tree,
                made.u_boot_and_linux_start_the_system_on_a_raspberry_pis_card,
                board.nobody_comes_in_before_the_card_says_who,
                board.its_power_may_be_cut_at_any_moment,
                board.it_then_serves_its_camera_over_tls_and_h2,
                board.it_has_the_drivers_of_other_boards_cards,
                board.without_an_account_nobody_may_watch,
                board.the_program_may_be_killed,
                board.its_root_is_read_only_and_its_data_fill_the_card,
                board.it_has_a_name_on_its_network,
                board.cut_off_while_it_streams_it_comes_back_as_itself))
        finally:
            board.cut_power()


if __name__ == '__main__':
    sys.exit(main())
