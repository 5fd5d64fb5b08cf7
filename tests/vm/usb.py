#!/usr/bin/env python3
"""A USB camera with MJPEG, on the kernel's own uvcvideo: passed through, damaged, unplugged."""
import io
import random
import socket
import subprocess
import sys
from pathlib import Path

from PIL import Image, ImageChops, ImageDraw, ImageStat

import guest

NODE = '/dev/video0'
SIZE = (320, 240)
PICTURES = 8
NETLINK_KOBJECT_UEVENT = 15


def paint(number):
    """A picture that is told from the others by every byte of its scan."""
    image = Image.effect_noise(SIZE, 40).convert('RGB')
    chooser = random.Random(number)
    colour = tuple(chooser.randrange(256) for _ in range(3))
    ImageDraw.Draw(image).rectangle((20, 20, 40 + 30 * number, 200), fill=colour)
    data = io.BytesIO()
    image.save(data, 'JPEG', quality=85)
    return data.getvalue()


class KernelEvents:
    """What the kernel tells udev, which a guest has not."""

    def __init__(self):
        self.socket = socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM, NETLINK_KOBJECT_UEVENT)
        self.socket.bind((0, 1))
        self.socket.settimeout(guest.PATIENCE_S)

    def wait_for(self, action, name):
        """Take events until a device of this name is added or removed."""
        while True:
            event = self.socket.recv(8192).split(b'\0')[0].decode()
            if event.startswith(f'{action}@') and event.endswith(f'/{name}'):
                return


class Camera:
    """fakecam with its pictures; a plug that can be pulled and put back."""

    def __init__(self):
        self.pictures = [paint(number) for number in range(PICTURES)]
        self.paths = [f'/tmp/fanlight-{number}.jpg' for number in range(PICTURES)]
        for path, picture in zip(self.paths, self.pictures):
            Path(path).write_bytes(picture)
        self.events = KernelEvents()
        self.process = None

    def plug(self):
        self.process = subprocess.Popen([guest.FAKECAM, '{}x{}'.format(*SIZE), *self.paths],
                                        stdin=subprocess.PIPE, text=True)
        self.events.wait_for('add', Path(NODE).name)

    def unplug(self):
        self.process.stdin.close()
        self.process.wait(guest.PATIENCE_S)
        self.events.wait_for('remove', Path(NODE).name)

    def order(self, what, n):
        """Send pictures that are truncated, corrupt or flagged, or none at all."""
        self.process.stdin.write(f'{what} {n}\n')
        self.process.stdin.flush()


def fanlight():
    return guest.Fanlight('--source', NODE)


def frames_pass_through_unchanged(camera):
    with fanlight() as server:
        server.wait_for('320x240 MJPG at 15 fps')
        stream = server.stream()
        seen = [camera.pictures.index(next(stream)) for _ in range(2 * PICTURES)]
    assert len(set(seen)) > 1, f'always the same: {seen}'


def frames_can_be_filtered(camera):
    with guest.Fanlight('--source', NODE, '--process', 'orient', '--rotate', '90') as server:
        turned = server.snapshot()
    assert turned.size == SIZE[::-1], turned.size
    # The newest of them all, turned back: what compressing twice does to noise is less than another.
    distances = [sum(ImageStat.Stat(ImageChops.difference(
        turned.rotate(90, expand=True).convert('L'), Image.open(io.BytesIO(jpeg)).convert('L'))).mean)
        for jpeg in camera.pictures]
    assert min(distances) < 10, distances


def truncated_frames_are_dropped_and_counted(camera):
    with fanlight() as server:
        stream = server.stream()
        next(stream)
        camera.order('truncate', 3)
        dropped = 0
        for _ in range(8 * PICTURES):
            assert next(stream) in camera.pictures
            dropped = server.state()['cameras'][0]['drops']['corrupt']
            if dropped:
                break
        assert 1 <= dropped <= 3, dropped
        assert next(stream) in camera.pictures


def an_unplugged_camera_comes_back(camera):
    with fanlight() as server:
        stream = server.stream()
        assert next(stream) in camera.pictures
        lines = len(server.log)
        camera.unplug()
        server.wait_for('trying again', after=lines)
        state = server.state()['cameras'][0]
        assert not state['online'] and NODE in state['reason'], state
        lines = len(server.log)
        camera.plug()
        server.wait_for('320x240 MJPG', after=lines)
        assert next(stream) in camera.pictures, 'the stream did not go on'
        state = server.state()['cameras'][0]
        assert state['online'] and not state['reason'], state


def a_camera_may_be_plugged_in_later(camera):
    if camera.process.poll() is None:
        camera.unplug()
    with fanlight() as server:
        server.wait_for('trying again')
        camera.plug()
        server.wait_for('320x240 MJPG')
        assert server.jpeg()[1] in camera.pictures


def main():
    guest.output_of('modprobe', '-a', 'vhci-hcd', 'uvcvideo')
    camera = Camera()
    camera.plug()
    checks = [(name, lambda check=check: check(camera)) for name, check in guest.promises(
        frames_pass_through_unchanged, frames_can_be_filtered,
        truncated_frames_are_dropped_and_counted, an_unplugged_camera_comes_back,
        a_camera_may_be_plugged_in_later)]
    try:
        return guest.run(checks)
    finally:
        camera.process.stdin.close()


if __name__ == '__main__':
    sys.exit(main())
