#!/usr/bin/env python3
"""A camera on a screen, as the emulator's screen dump shows it, beside a stream of the same.

Prints a row for each path: what the screen flips to, how often, how late, at what cost.
"""
import fcntl
import itertools
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

from PIL import Image, ImageStat

import colours
import guest
import writeback

SIZE = (640, 480)
FRAMES = 20
# name of QEMU's device, or of the screen that can be read back: its module with parameters
SCREENS = {'virtio': ['virtio_gpu'], 'cirrus': ['cirrus'], 'vkms': ['vkms', 'enable_overlay=1']}
VKMS_SIZE = (1024, 768)
NO_ATOMIC = {**os.environ, 'LD_PRELOAD': sys.argv[3]}
# libyuv's arithmetic is coarser than the encoder's; see src/preview/canvas.c.
TOLERANCE = 16
# vivid's y_cbcr_encoding: the weights of red and blue in luma, of BT.601, 709 and 2020
ENCODINGS = {1: (0.299, 0.114), 2: (0.2126, 0.0722), 6: (0.2627, 0.0593)}
RANGES = {1: True, 2: False}  # vivid's quantization: whether that is full range
MEMORIES = ('mmap', 'heap', 'udmabuf')
DRM_IOCTL_DROP_MASTER = 0x641f


class Monitor:
    """QEMU's, which sees the screens from outside."""

    def __init__(self):
        self.port = open('/dev/ttyS2', 'r+b', buffering=0)
        self.lines, self.orders = b'', 0
        # The port sent QEMU's greeting back before it was told not to: forget what that began.
        self.port.write(b'\xff')
        self.execute('qmp_capabilities')

    def execute(self, command, **arguments):
        self.orders += 1
        order = {'execute': command, 'arguments': arguments, 'id': self.orders}
        self.port.write(f'{json.dumps(order)}\n'.encode())
        while True:
            while b'\n' not in self.lines:
                self.lines += self.port.read(4096)
            line, self.lines = self.lines.split(b'\n', 1)
            # What came before the port was raw may have lost its beginning.
            answer = json.loads(line) if line.startswith(b'{') else {}
            if answer.get('id') == self.orders:
                assert 'return' in answer, answer
                return

    def screen(self, device):
        name = f'{device}.ppm'
        self.execute('screendump', filename=f'{os.environ["FANLIGHT_OUT"]}/{name}', device=device)
        with Image.open(f'/out/{name}') as image:
            return image.convert('RGB')


def shows_bars(image, size=SIZE):
    """Whether vivid's bars are in the middle of a picture, with their true colours."""
    left, top = ((image.size[i] - size[i]) // 2 for i in range(2))
    for bar, true in enumerate(colours.BARS):
        x = left + size[0] * (2 * bar + 1) // (2 * len(colours.BARS))
        for y in (top + size[1] // 6, top + size[1] * 5 // 6):
            mean = ImageStat.Stat(image.crop((x - 10, y - 10, x + 10, y + 10))).mean
            if max(abs(a - b) for a, b in zip(mean, true)) > TOLERANCE:
                return False
    return True


def drop_master(fanlight, card):
    """Take a screen away from Fanlight, as a session's manager does, through Fanlight's own fd."""
    with writeback.fds_of(fanlight.process, card) as fds:
        for fd in fds:
            fcntl.ioctl(fd, DRM_IOCTL_DROP_MASTER)


def twice(samples):
    """Each for two pixels."""
    row = bytearray(2 * len(samples))
    row[::2] = row[1::2] = samples
    return row


def components(picture, fourcc):
    """The three components of each row, for every pixel."""
    width, height = SIZE
    for row in range(height):
        if fourcc == 'XR24':
            packed = picture[4 * width * row:4 * width * (row + 1)]
            yield packed[2::4], packed[1::4], packed[::4]
        elif fourcc == 'YUYV':
            packed = picture[2 * width * row:2 * width * (row + 1)]
            yield packed[::2], twice(packed[1::4]), twice(packed[3::4])
        else:
            chroma = picture[width * (height + row // 2):width * (height + row // 2 + 1)]
            yield picture[width * row:width * (row + 1)], twice(chroma[::2]), twice(chroma[1::2])


def to_rgb(luma, cb, cr, weights, full):
    """By the standards: of 8 bits each, not rounded."""
    red, blue = weights
    luma, span = (luma, 255) if full else ((luma - 16) * 255 / 219, 224)
    to_red, to_blue = ((chroma - 128) * 255 / span * 2 * (1 - weight)
                       for chroma, weight in ((cr, red), (cb, blue)))
    rgb = luma + to_red, luma - (red * to_red + blue * to_blue) / (1 - red - blue), luma + to_blue
    return [min(max(component, 0), 255) for component in rgb]


class Screens:
    def __init__(self, node, monitor, connectors):
        self.node, self.monitor, self.connectors = node, monitor, connectors

    def fanlight(self, screen, *options, **process):
        return guest.Fanlight(*self.options(screen), *options, **process)

    def options(self, screen):
        return ('--source', self.node, '--size', '{}x{}'.format(*SIZE), '--fps', '15',
                '--preview', self.connectors.get(screen, screen))

    def wait_until(self, screen, promise):
        """See a screen as promised."""
        deadline = time.monotonic() + guest.PATIENCE_S
        while not promise(image := self.monitor.screen(screen)):
            assert time.monotonic() < deadline, f'{screen} of {image.size} never was as promised'
        return image

    def see(self, screen, fourcc, memory, copies, **process):
        console = self.monitor.screen(screen).size
        with self.fanlight(screen, '--format', fourcc, '--memory', memory, **process) as fanlight:
            viewer = guest.Viewer(fanlight)
            state = fanlight.until(lambda state: state['previewed'] >= FRAMES)
            image = self.wait_until(screen, shows_bars)
            viewer.wait_for_more()
            metrics = fanlight.get('/metrics')[2].decode()
            drawn = any('costs a copy of each' in line for line in fanlight.log)
        viewer.thread.join()
        assert drawn == copies == bool(state['copied_bytes']), (fanlight.log, state)
        late = [float(re.search(rf'^fanlight_capture_to_flip_seconds_{what}\{{.*\}} (\S+)$',
                                metrics, re.M)[1]) for what in ('sum', 'count')]
        print(f'# {screen} | {fourcc} | {state["memory"]} | {state["buffers"]} | '
              f'{state["captured_fps"]:.1f} | {state["previewed"]} of {state["captured"]} | '
              f'{state["copied_bytes"] // state["previewed"]} | {1000 * late[0] / late[1]:.1f} | '
              f'bars, {image.size[0]}x{image.size[1]}', flush=True)
        self.wait_until(screen, lambda image: image.size == console and not shows_bars(image))

    def its_own_memory_is_flipped_to(self):
        self.see('virtio', 'XR24', 'auto', False)

    def memory_of_the_camera_is_flipped_to(self):
        self.see('cirrus', 'XR24', 'mmap', False)

    def what_it_cannot_show_is_drawn(self):
        self.see('virtio', 'YUYV', 'auto', True)
        self.see('virtio', 'NM12', 'mmap', True)
        self.see('virtio', 'XR24', 'mmap', True)

    def without_atomic_commits_pages_are_flipped(self):
        self.see('virtio', 'XR24', 'auto', False, env=NO_ATOMIC)
        self.see('cirrus', 'XR24', 'mmap', False, env=NO_ATOMIC)
        self.see('virtio', 'YUYV', 'auto', True, env=NO_ATOMIC)

    def picture(self, fourcc):
        """One as the camera delivers it."""
        guest.output_of('v4l2-ctl', '-d', self.node, '--stream-mmap', '--stream-count=1',
                        '--set-fmt-video=width={},height={},pixelformat={}'.format(*SIZE, fourcc),
                        '--stream-to=/tmp/picture')
        return Path('/tmp/picture').read_bytes()

    def shown_pixels(self, fourcc, memory):
        """
        All that differ of (the camera's three components, red, green and blue on the screen), of
        frames that are shown without a copy.
        """
        left, top = ((VKMS_SIZE[i] - SIZE[i]) // 2 for i in range(2))
        picture = self.picture(fourcc)
        with self.fanlight('vkms', '--format', fourcc, '--memory', memory) as fanlight:
            state = fanlight.until(lambda state: state['previewed'] >= FRAMES)
            assert state['memory'] == memory and not state['copied_bytes'], state
            screen = writeback.rows_on(self.card('vkms'), fanlight.process, VKMS_SIZE)
        black = bytes((0, 0, 0, 255)) * VKMS_SIZE[0]
        assert all(row == black for row in screen[:top] + screen[top + SIZE[1]:])
        pixels = set()
        for taken, row in zip(components(picture, fourcc), screen[top:]):
            inner = row[4 * left:4 * (left + SIZE[0])]
            assert row == black[:4 * left] + inner + black[:4 * left]
            pixels.update(zip(*taken, inner[2::4], inner[1::4], inner[::4]))
        print(f'# vkms | {fourcc} | {memory} | {state["buffers"]} | '
              f'{state["captured_fps"]:.1f} | {state["previewed"]} of '
              f'{state["captured"]} | 0 | - | every pixel', flush=True)
        return pixels

    def every_pixel_is_the_cameras(self):
        """Of whatever memory."""
        guest.load_heaps()
        for memory in MEMORIES:
            pixels = self.shown_pixels('XR24', memory)
            assert all(pixel[:3] == pixel[3:] for pixel in pixels), pixels

    def every_pixel_has_the_colour_that_the_camera_means(self):
        """On a plane that shows YCbCr, in every encoding and range that it knows."""
        guest.load_heaps()
        means = itertools.cycle(itertools.product(ENCODINGS.items(), RANGES.items()))
        for (fourcc, memory), ((encoding, weights), (quantisation, full)) in zip(
                itertools.product(('YUYV', 'NV12', 'NM12'), MEMORIES), means):
            guest.set_controls(self.node, y_cbcr_encoding=encoding, quantization=quantisation)
            try:
                pixels = self.shown_pixels(fourcc, memory)
            finally:
                guest.set_controls(self.node, y_cbcr_encoding=0, quantization=0)
            for pixel in pixels:
                meant = to_rgb(*pixel[:3], weights, full)
                assert max(abs(a - b) for a, b in zip(meant, pixel[3:])) <= 1, (pixel, meant)

    def mode_is_taken_by_its_name(self):
        with self.fanlight('virtio', '--format', 'XR24', '--preview-mode', '800x600@60'):
            self.wait_until('virtio', lambda image: image.size == (800, 600) and shows_bars(image))
        with self.fanlight('virtio', '--preview-mode', '640x481') as fanlight:
            fanlight.wait_for(r'preview: \S+ has no mode 640x481; see /sys/class/drm/\S+/modes;')

    def jpegs_are_decoded(self):
        jpegs = Path('/tmp/jpegs')
        jpegs.mkdir()
        with self.fanlight('DP-9', '--quality', '95') as fanlight:
            (jpegs / 'bars.jpg').write_bytes(fanlight.jpeg()[1])
        with guest.Fanlight('--source', f'replay:{jpegs}', '--fps', '15',
                            '--preview', self.connectors['virtio']) as fanlight:
            state = fanlight.until(lambda state: state['previewed'] >= FRAMES)
            self.wait_until('virtio', shows_bars)
            fanlight.wait_for('costs a copy of each')
        assert state['copied_bytes'] % (SIZE[0] * SIZE[1] * 4) == 0 < state['copied_bytes'], state

    def missing_screen_does_not_touch_the_stream(self):
        with self.fanlight('DP-9') as fanlight:
            fanlight.wait_for('preview: no screen is connected to DP-9; trying again')
            viewer = guest.Viewer(fanlight)
            viewer.wait_for_more()
        viewer.thread.join()

    def connector(self, screen):
        """What sysfs knows of it."""
        connector, = Path('/sys/class/drm').glob(f'card*-{self.connectors[screen]}')
        return connector

    def card(self, screen):
        return Path('/dev/dri', self.connector(screen).name.split('-')[0])

    def plug(self, screen, status):
        """Have the driver see nothing there (off), or what there is (detect)."""
        connector = self.connector(screen)
        (connector / 'status').write_text(status)
        # The kernel says so where its driver watches; this one does not.
        (connector.parent / self.card(screen).name / 'uevent').write_text('change')

    def screen_that_is_unplugged_is_waited_for(self):
        with self.fanlight('virtio', '--format', 'XR24') as fanlight:
            viewer = guest.Viewer(fanlight)
            try:
                for _ in range(2):
                    self.wait_until('virtio', shows_bars)
                    seen = len(fanlight.log)
                    self.plug('virtio', 'off')
                    fanlight.wait_for('preview: .* is lost: it was unplugged', seen)
                    fanlight.wait_for('preview: no screen is connected to', seen)
                    viewer.wait_for_more()
                    before = fanlight.state()['cameras'][0]['previewed']
                    self.plug('virtio', 'detect')
                    fanlight.wait_for('preview on', seen)
                    fanlight.until(lambda state: state['previewed'] >= before + FRAMES)
                self.wait_until('virtio', shows_bars)
                viewer.wait_for_more()
            finally:
                self.plug('virtio', 'detect')
        viewer.thread.join()

    def gpu_that_is_lost_is_waited_for(self):
        """Taken out of its slot while it shows, and put back in."""
        device = (self.connector('virtio') / 'device/device').resolve()
        slot = next(folder for folder in (device, *device.parents) if (folder / 'remove').exists())
        # Memory of its own would keep the name of its connector from it when it is back.
        with self.fanlight('virtio', '--memory', 'mmap') as fanlight:
            viewer = guest.Viewer(fanlight)
            self.wait_until('virtio', shows_bars)
            seen = len(fanlight.log)
            opened = fanlight.state()['cameras'][0]['opened']
            (slot / 'remove').write_text('1')
            fanlight.wait_for('preview: .* is lost: ', seen)
            fanlight.wait_for('preview: no screen is connected to', seen)
            viewer.wait_for_more()
            before = fanlight.state()['cameras'][0]
            assert before['online'] and before['opened'] == opened, before
            Path('/sys/bus/pci/rescan').write_text('1')
            fanlight.wait_for('preview on', seen)
            fanlight.until(lambda state: state['previewed'] >= before['previewed'] + FRAMES)
            self.wait_until('virtio', shows_bars)
            viewer.wait_for_more()
        viewer.thread.join()

    def screen_that_is_taken_away_is_taken_back(self):
        with self.fanlight('virtio', '--format', 'XR24') as fanlight:
            viewer = guest.Viewer(fanlight)
            before = fanlight.until(lambda state: state['previewed'] >= FRAMES)
            drop_master(fanlight, self.card('virtio'))
            fanlight.wait_for('preview: .* is lost: Permission denied')
            viewer.wait_for_more()
            fanlight.until(lambda state: state['previewed'] >= before['previewed'] + FRAMES)
            self.wait_until('virtio', shows_bars)
        viewer.thread.join()

    def screen_of_another_program_is_taken_when_it_is_free(self):
        card = os.open(self.card('virtio'), os.O_RDWR)  # its first is master
        try:
            with self.fanlight('virtio', '--format', 'XR24') as fanlight:
                fanlight.wait_for('preview: .*: Permission denied; does another program have the '
                                  'screen, or another camera one of this card\\?')
                viewer = guest.Viewer(fanlight)
                viewer.wait_for_more()
                os.close(card)
                card = -1
                fanlight.until(lambda state: state['previewed'] >= FRAMES)
                self.wait_until('virtio', shows_bars)
                viewer.wait_for_more()
            viewer.thread.join()
        finally:
            if card >= 0:
                os.close(card)

    def camera_that_fails_comes_back_on_the_screen(self):
        with self.fanlight('virtio', '--format', 'XR24') as fanlight:
            self.wait_until('virtio', shows_bars)
            guest.set_controls(self.node, inject_fatal_streaming_error=1)
            before = fanlight.until(lambda state: state['lost'] and state['opened'] > 1)
            fanlight.until(lambda state: state['previewed'] >= before['previewed'] + FRAMES)
            self.wait_until('virtio', shows_bars)

    def console_is_back_even_after_a_kill(self):
        console = self.monitor.screen('virtio').size
        with subprocess.Popen([guest.FANLIGHT, *self.options('virtio'), '--format', 'XR24',
                               '--preview-only'], stdin=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL) as fanlight:
            try:
                self.wait_until('virtio', shows_bars)
            finally:
                fanlight.kill()
        self.wait_until('virtio', lambda image: image.size == console and not shows_bars(image))

    def preview_only_serves_nobody(self):
        with subprocess.Popen([guest.FANLIGHT, *self.options('virtio'), '--preview-only'],
                              stdin=subprocess.DEVNULL, stderr=subprocess.PIPE,
                              text=True) as fanlight:
            try:
                self.wait_until('virtio', shows_bars)
                listening = guest.output_of('sh', '-c', 'cat /proc/net/tcp /proc/net/tcp6')
            finally:
                fanlight.terminate()
                log = fanlight.communicate(timeout=guest.PATIENCE_S)[1]
            assert fanlight.returncode == 0, log
        assert not re.search(r' 0A ', listening), listening


def main():
    node, = guest.load_vivid(['webcam'], multiplanar=2)
    guest.set_controls(node, test_pattern=0, osd_text_mode=2)
    connectors = {}
    for screen, module in SCREENS.items():
        before = set(Path('/sys/class/drm').glob('card*-*'))
        guest.output_of('modprobe', *module)
        new, = {path for path in set(Path('/sys/class/drm').glob('card*-*')) - before
                if 'Writeback' not in path.name}
        connectors[screen] = new.name.split('-', 1)[1]
    screens = Screens(node, Monitor(), connectors)
    print('# screen | format | memory | buffers | fps | flips of frames | bytes copied a flip | '
          'capture to flip ms | seen')
    return guest.run_with_vivid(guest.promises(
        screens.its_own_memory_is_flipped_to, screens.memory_of_the_camera_is_flipped_to,
        screens.what_it_cannot_show_is_drawn,
        screens.without_atomic_commits_pages_are_flipped, screens.every_pixel_is_the_cameras,
        screens.every_pixel_has_the_colour_that_the_camera_means,
        screens.mode_is_taken_by_its_name, screens.jpegs_are_decoded,
        screens.missing_screen_does_not_touch_the_stream,
        screens.screen_of_another_program_is_taken_when_it_is_free,
        screens.screen_that_is_unplugged_is_waited_for,
        screens.gpu_that_is_lost_is_waited_for, screens.screen_that_is_taken_away_is_taken_back,
        screens.camera_that_fails_comes_back_on_the_screen,
        screens.console_is_back_even_after_a_kill,
        screens.preview_only_serves_nobody))


if __name__ == '__main__':
    sys.exit(main())
