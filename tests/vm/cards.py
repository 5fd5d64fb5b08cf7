"""The images of all boards' cards: made, looked at, and a Raspberry Pi's started; for board.py."""
import json
import os
import subprocess
import time

import packages
from guest import output_of

BOOT_PARTITION = '@@16M'
BOOT_PARTITION_BYTES = 16 << 20
SECTOR_BYTES = 512
# What u-boot looks for on a partition, as it says in its own environment.
CONFIGURATION = 'extlinux/extlinux.conf'
DEVICE_TREE = b'\xd0\x0d\xfe\xed'  # also what u-boot's parts are packed in
# How what a Rockchip processor executes begins; it is scrambled.
ROCKCHIP = b'\x3b\x8c\xdc\xfc'
# QEMU wants a power of two.
SD_BYTES = 512 << 20
# What Linux says of a system on its root.
STARTED = b' systemd[1]: '
# An emulated board on a busy machine; whoever waits this long has failed.
PATIENCE_S = 900


def eventually(condition):
    """Look until a condition holds; returns what it returned."""
    deadline = time.monotonic() + PATIENCE_S
    while not (value := condition()):
        assert time.monotonic() < deadline, 'it never came to that'
        time.sleep(0.5)
    return value


class Cards:
    BOARDS = 'virt', 'raspberrypi4', 'rock64'

    def __init__(self, folder):
        self.folder = folder
        output_of(packages.ROOT / 'deploy/image/build', '--folder', folder, *self.BOARDS,
                  timeout=None)

    def image(self, board):
        return self.folder / f'fanlight-{board}.img'

    def read(self, board, begin, count):
        with self.image(board).open('rb') as image:
            image.seek(begin)
            return image.read(count)

    def files(self, board):
        """The files of the boot partition, and what u-boot is told there."""
        files = self.folder / f'{board}.files'
        if not files.exists():
            files.mkdir()
            output_of('mcopy', '-s', '-i', f'{self.image(board)}{BOOT_PARTITION}', '::', files)
        lines = (files / CONFIGURATION).read_text().splitlines()
        return files, dict(line.split(None, 1) for line in lines if line.startswith('\t'))

    def the_package_within_has_all_files_and_lintian_finds_nothing(self):
        package = next(self.folder.glob('fanlight_*_arm64.deb'))
        files = self.folder / 'package'
        assert packages.contents(package, files) == packages.CONTENTS['fanlight']
        assert 'ARM aarch64' in output_of('file', files / 'usr/bin/fanlight')
        assert packages.lintian(*self.folder.glob('*.deb')) == ''

    def each_has_the_checksum_beside_it(self):
        for board in self.BOARDS:
            packages.run('sha256sum', '--check', '--strict', f'{self.image(board)}.sha256',
                         cwd=self.folder)

    def each_has_its_partitions_after_what_loads_them(self):
        for board in self.BOARDS:
            packages.run('sfdisk', '--verify', self.image(board))
            table = json.loads(output_of('sfdisk', '--json', self.image(board)))['partitiontable']
            assert table['label'] == 'gpt'
            assert [part['name'] for part in table['partitions']] == ['boot', 'root', 'data']
            assert table['partitions'][0]['start'] * SECTOR_BYTES == BOOT_PARTITION_BYTES

    def each_has_the_kernel_that_u_boot_is_told_of(self):
        for board in self.BOARDS:
            files, told = self.files(board)
            assert (files / told['linux'][1:]).read_bytes()[0x38:0x3c] == b'ARM\x64', board
            assert (files / told['initrd'][1:]).stat().st_size > 0, board
            assert 'root=PARTLABEL=root' in told['append'].split(), board

    def a_raspberry_pi_4_finds_u_boot_and_a_device_tree(self):
        files, told = self.files('raspberrypi4')
        settings = dict(line.split('=') for line in (files / 'config.txt').read_text().splitlines()
                        if not line.startswith('#'))
        assert settings['arm_64bit'] == '1'
        assert CONFIGURATION.encode() in (files / settings['kernel']).read_bytes()
        for name in 'start4.elf', 'fixup4.dat', 'LICENCE.firmware.txt':
            assert (files / name).stat().st_size > 0, name
        tree = (files / 'bcm2711-rpi-4-b.dtb').read_bytes()
        assert tree.startswith(DEVICE_TREE) and b'raspberrypi,4-model-b' in tree
        # Only the firmware's own knows how much memory there is.
        assert 'fdtdir' not in told

    def u_boot_and_linux_start_the_system_on_a_raspberry_pis_card(self):
        """The Raspberry Pi that QEMU has is a 3; it starts u-boot as the firmware does."""
        files, _ = self.files('raspberrypi4')
        card, console = self.folder / 'pi', self.folder / 'pi.console'
        output_of('cp', self.image('raspberrypi4'), card)
        os.truncate(card, SD_BYTES)
        told = self.folder / 'pi.conf'
        told.write_text((files / CONFIGURATION).read_text().replace('quiet', ''))
        output_of('mcopy', '-o', '-i', f'{card}{BOOT_PARTITION}', told, f'::{CONFIGURATION}')
        with subprocess.Popen(
                ['qemu-system-aarch64', '-M', 'raspi3b', '-accel', 'tcg,thread=multi', '-display',
                 'none', '-kernel', files / 'u-boot.bin', '-dtb', files / 'bcm2837-rpi-3-b.dtb',
                 '-drive', f'if=sd,format=raw,file={card}', '-serial', 'null', '-serial',
                 f'file:{console}', '-monitor', 'none'], stdin=subprocess.DEVNULL) as qemu:
            try:
                eventually(lambda: qemu.poll() is not None or
                           console.exists() and STARTED in console.read_bytes())
            finally:
                qemu.kill()
        assert STARTED in console.read_bytes(), 'the emulator has ended'

    def a_rock64_finds_u_boot_and_u_boot_a_device_tree(self):
        assert self.read('rock64', 64 * SECTOR_BYTES, 4) == ROCKCHIP
        begin = 16384 * SECTOR_BYTES
        loader = self.read('rock64', begin, BOOT_PARTITION_BYTES - begin)
        assert loader.startswith(DEVICE_TREE) and CONFIGURATION.encode() in loader
        files, told = self.files('rock64')
        name = 'rockchip/rk3328-rock64.dtb'
        assert name.encode() in loader
        tree = (files / told['fdtdir'][1:] / name).read_bytes()
        assert tree.startswith(DEVICE_TREE) and b'pine64,rock64' in tree
