#!/usr/bin/env python3
"""A USB camera with MJPEG, on the kernel's own uvcvideo: passed through, damaged, unplugged."""
import io
import random
import re
import socket
import subprocess
import sys
import time
from pathlib import Path

from PIL import Image, ImageChops, ImageDraw, ImageStat

import guest

NODE = '/dev/video0'
SIZE = (320, 240)
PICTURES = 8
NETLINK_KOBJECT_UEVENT = 15
UDEV = '/lib/systemd/systemd-udevd'


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
    """What the kernel tells udev, which a guest mostly has not."""

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

    def __init__(self, fps=15):
        self.fps = fps
        self.pictures = [paint(number) for number in range(PICTURES)]
        self.paths = [f'/tmp/fanlight-{number}.jpg' for number in range(PICTURES)]
        for path, picture in zip(self.paths, self.pictures):
            Path(path).write_bytes(picture)
        self.events = KernelEvents()
        self.process = None

    def plug(self, node=NODE):
        self.process = subprocess.Popen(
            [guest.FAKECAM, '{}x{}@{}'.format(*SIZE, self.fps), *self.paths],
            stdin=subprocess.PIPE, text=True)
        self.node = node
        self.events.wait_for('add', Path(node).name)

    def unplug(self):
        self.process.stdin.close()
        self.process.wait(guest.PATIENCE_S)
        self.events.wait_for('remove', Path(self.node).name)

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


def names_of_camera():
    """What the USB camera can be called by, besides its node, as soon as udev has made links.

    It was there before udev was, which has to be told.
    """
    deadline = time.monotonic() + guest.PATIENCE_S
    while True:
        guest.output_of('udevadm', 'trigger', '--subsystem-match=video4linux')
        listing = guest.output_of(guest.FANLIGHT, '--list')
        names = re.search('source: (name:.*fakecam.*)', listing)
        if names and '/by-id/' in names[1] and '/by-path/' in names[1]:
            return names[1].split(', ')
        assert time.monotonic() < deadline, listing


def every_name_finds_the_camera_again_under_another_number(camera):
    # What it says to a console is no TAP.
    with subprocess.Popen([UDEV], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as udev:
        try:
            names = names_of_camera()
            for name in names:
                find_again(camera, name)
        finally:
            udev.terminate()
    assert len(names) == 4, names


def unplug(camera):
    """Udev has a look at every node that comes, for which it opens it: it may be late."""
    camera.unplug()
    guest.output_of('udevadm', 'settle')


def find_again(camera, name):
    """While it is unplugged another camera takes its number."""
    with guest.Fanlight('--source', name) as server:
        viewer = guest.Viewer(server)
        viewer.wait_for_more()
        unplug(camera)
        before = server.until(lambda now: now['state'] == 'absent')
        viewer.wait_for_placeholder()
        taken, = guest.load_vivid(['webcam'])
        assert taken == NODE, taken
        camera.plug('/dev/video1')
        found = server.until(lambda now: now['online'] and now['opened'] > before['opened'])
        assert 'fakecam' in found['card'], found
        assert viewer.wait_for_more() in camera.pictures
    viewer.thread.join()
    unplug(camera)
    guest.unload_vivid()
    camera.plug()


def main():
    guest.output_of('modprobe', '-a', 'vhci-hcd', 'uvcvideo')
    camera = Camera()
    camera.plug()
    checks = [(name, lambda check=check: check(camera)) for name, check in guest.promises(
        frames_pass_through_unchanged, frames_can_be_filtered,
        truncated_frames_are_dropped_and_counted, an_unplugged_camera_comes_back,
        every_name_finds_the_camera_again_under_another_number, a_camera_may_be_plugged_in_later)]
    try:
        return guest.run(checks)
    finally:
        camera.process.stdin.close()


if __name__ == '__main__':
    sys.exit(main())
