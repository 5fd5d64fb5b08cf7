#!/usr/bin/env python3
"""A USB camera that sends rubbish, stalls and is unplugged: pictures come back each time.

Beside it a camera of vivid does not notice, nor does it when vivid is unbound.
"""
import sys
from pathlib import Path

import guest
import pair
import usb

TIMES = 3
STALLED_PICTURES = 60  # longer than Fanlight is patient
REPLUGS = BINDS = 50
DRIVER = Path('/sys/bus/platform/drivers/vivid')


class Faults(pair.Pair):
    """A camera of vivid next to it must not notice."""

    def __init__(self, camera):
        self.camera = camera
        other, = guest.load_vivid(['webcam'])
        super().__init__(('--source', usb.NODE), ('--source', other, '--size', '320x180'))

    def damage(self, kind, drops):
        """The driver keeps some of the damaged ones to itself, which leaves a gap."""
        def dropped(state):
            return sum(state['drops'][drop] for drop in drops)
        self.endure(f'{kind} pictures', lambda: self.camera.order(kind, 3),
                    lambda was, now: dropped(now) > dropped(was), TIMES)

    def truncated_pictures_are_dropped(self):
        self.damage('truncate', ['corrupt'])

    def what_is_no_jpeg_is_dropped(self):
        self.damage('corrupt', ['corrupt'])

    def pictures_marked_as_wrong_are_dropped(self):
        self.damage('flag', ['error', 'lost', 'starved'])

    def a_stalled_camera_is_stopped_and_started(self):
        def stall():
            self.camera.order('stall', STALLED_PICTURES)
            assert 'delivers no frames' in self.fanlight.until(
                lambda now: not now['online'])['reason']
        self.endure('stalled', stall, lambda was, now: now['restarted'] > was['restarted'], TIMES)

    def an_unplugged_camera_comes_back_each_time(self):
        def replug():
            self.camera.unplug()
            self.fanlight.until(lambda now: now['state'] == 'absent')
            self.camera.plug()
        self.endure('unplugged', replug, lambda was, now: now['opened'] > was['opened'], REPLUGS)

    def a_driver_unbound_and_bound_gets_its_number_back(self):
        """The USB camera, now the one that is next to it, must not notice."""
        self.camera.unplug()
        self.camera.fps = pair.FPS
        self.camera.plug()
        node, = guest.load_vivid(['webcam'])
        faults = pair.Pair(('--source', node, '--size', '320x180', '--fps', '10'),
                           ('--source', usb.NODE))

        def rebind():
            (DRIVER / 'unbind').write_text('vivid.0')
            assert not Path(node).exists()
            faults.fanlight.until(lambda now: now['state'] == 'absent')
            (DRIVER / 'bind').write_text('vivid.0')
        try:
            faults.endure('unbind, bind', rebind,
                          lambda was, now: now['opened'] > was['opened'], BINDS)
        finally:
            faults.nobody_was_cut_off()


def main():
    guest.output_of('modprobe', '-a', 'vhci-hcd', 'uvcvideo')
    camera = usb.Camera()
    camera.plug()
    faults = Faults(camera)
    try:
        return guest.run(guest.promises(
            faults.truncated_pictures_are_dropped, faults.what_is_no_jpeg_is_dropped,
            faults.pictures_marked_as_wrong_are_dropped,
            faults.a_stalled_camera_is_stopped_and_started,
            faults.an_unplugged_camera_comes_back_each_time, faults.nobody_was_cut_off,
            faults.a_driver_unbound_and_bound_gets_its_number_back))
    finally:
        camera.process.stdin.close()
        guest.unload_vivid()


if __name__ == '__main__':
    sys.exit(main())
