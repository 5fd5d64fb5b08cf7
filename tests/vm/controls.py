#!/usr/bin/env python3
"""Every control of vivid is set live and seen in the picture; formats are switched under viewers."""
import io
import json
import subprocess
import sys

from PIL import Image, ImageStat

import guest

FORMAT = {'fourcc': 'YUYV', 'width': 640, 'height': 360, 'fps': 15}


class Controls:
    def __init__(self, fanlight, node):
        self.fanlight = fanlight
        self.node = node

    def set(self, **values):
        status, answer = self.fanlight.patch({'controls': values})
        assert status == 200, answer
        return {control['name']: control for control in answer['controls']}

    def document(self):
        return json.loads(self.fanlight.get('/controls')[2])

    def controls(self):
        return {control['name']: control for control in self.document()['controls']}

    def changed(self):
        return self.fanlight.state()['cameras'][0]['controls_changed']

    def by_driver(self, name):
        """A value as another program sees it."""
        return guest.output_of('v4l2-ctl', '-d', self.node, '-C', name).split(': ', 1)[1].strip()

    def while_pictures_come(self, condition):
        """Look at every picture, for not too many of them, until a condition holds."""
        assert any(condition() for _ in zip(self.fanlight.stream(), range(200)))

    def every_type_is_told(self):
        controls = self.controls()
        for name, kind in (('brightness', 'integer'), ('boolean', 'boolean'), ('menu', 'menu'),
                           ('integer_menu', 'integer-menu'), ('bitmask', 'bitmask'),
                           ('string', 'string'), ('button', 'button'),
                           ('integer_64_bits', 'integer')):
            assert controls[name]['type'] == kind, controls[name]
        assert controls['brightness']['class'] == 'User', controls['brightness']
        items = {item['value']: item['label'] for item in controls['menu']['menu']}
        assert items[1] == 'Menu Item 1' and 2 not in items, items
        assert controls['read_only_integer_32_bits']['read_only']

    def every_type_is_set_as_the_driver_takes_it(self):
        told = self.set(brightness=77, boolean=False, menu=1, integer_menu=2, bitmask=0x80000000,
                        string='  ab', integer_64_bits=-5, button=None)
        assert [told[name]['value'] for name in (
            'brightness', 'boolean', 'menu', 'integer_menu', 'bitmask', 'string',
            'integer_64_bits', 'button')] == [77, False, 1, 2, 0x80000000, '  ab', -5, None]
        assert self.by_driver('brightness') == '77'
        assert self.by_driver('integer_64_bits') == '-5'

    def brightness_changes_the_picture(self):
        levels = []
        for brightness in (20, 230):
            self.set(brightness=brightness)
            # Some pictures further, what was captured before has gone.
            *_, (jpeg, _) = zip(self.fanlight.stream(), range(8))
            grey = Image.open(io.BytesIO(jpeg)).convert('L')
            levels.append(ImageStat.Stat(grey).mean[0])
        assert levels[1] > levels[0] + 50, levels

    def change_elsewhere_is_seen(self):
        before = self.changed()
        guest.set_controls(self.node, brightness=99)
        self.while_pictures_come(lambda: self.changed() > before)
        assert self.controls()['brightness']['value'] == 99

    def what_is_held_is_refused(self):
        self.set(gain_automatic=True)
        assert self.controls()['gain']['inactive'], self.controls()['gain']
        status, answer = self.fanlight.patch({'controls': {'gain': 10}})
        assert (status, answer['control']) == (409, 'gain'), answer
        told = self.set(gain_automatic=False, gain=10)
        assert (told['gain']['value'], told['gain']['inactive']) == (10, False), told['gain']

        grabbed = [name for name, control in self.controls().items()
                   if control['grabbed'] and control['type'] == 'boolean']
        assert grabbed, 'vivid grabs none while it streams'
        status, answer = self.fanlight.patch({'controls': {grabbed[0]: True}})
        assert (status, answer['control']) == (409, grabbed[0]), answer

    def what_is_out_of_range_is_refused(self):
        before = self.by_driver('brightness')
        status, answer = self.fanlight.patch({'controls': {'brightness': 256}})
        assert status == 400 and answer['control'] == 'brightness', answer
        assert 'takes 0 to 255 in steps of 1, not 256' in answer['error'], answer
        assert self.by_driver('brightness') == before

    def formats_are_switched_while_curl_stays(self):
        """Every size that curl gets, on one connection."""
        formats = [{'fourcc': 'YUYV', 'width': 320, 'height': 180, 'fps': 15},
                   {'fourcc': 'NV12', 'width': 640, 'height': 360, 'fps': 30},
                   FORMAT]
        with subprocess.Popen(['curl', '-sSN', self.fanlight.url + '/stream?layout=classic'],
                              stdout=subprocess.PIPE) as curl:
            for wished in formats:
                status, answer = self.fanlight.patch({'format': wished})
                assert status == 200, answer
                assert answer['format'] == wished, answer['format']
                size = wished['width'], wished['height']
                assert size in (size_of(jpeg) for jpeg in parts(curl.stdout))
            clients = self.fanlight.state()['cameras'][0]['clients']
            assert len(clients) == 1, clients
            curl.terminate()
        assert self.fanlight.state()['cameras'][0]['lost'] == 0

    def format_that_is_not_offered_touches_nothing(self):
        opened = self.fanlight.state()['cameras'][0]['opened']
        for change, sentence in (({'fourcc': 'XXXX'}, 'no format XXXX that can be read'),
                                 ({'width': 641, 'height': 361}, 'no size 641x361 in YUYV'),
                                 ({'fps': 500}, 'fps, not 500')):
            status, answer = self.fanlight.patch({'format': change})
            assert status == 400 and sentence in answer['error'], answer
        assert self.fanlight.state()['cameras'][0]['opened'] == opened

    def format_that_does_not_start_gives_way_to_the_old_one(self):
        guest.set_controls(self.node, inject_vidioc_streamon_error=1)
        status, answer = self.fanlight.patch({'format': {'width': 320, 'height': 180}})
        assert status == 409 and 'cannot start streaming' in answer['error'], answer
        told = self.document()['format']
        assert (told['width'], told['height']) == (640, 360), told
        assert self.fanlight.snapshot().size == (640, 360)

    def what_was_set_survives_a_reopening(self):
        """The camera forgets: another program changes it while it fails."""
        self.set(contrast=33)
        guest.set_controls(self.node, contrast=99, inject_fatal_streaming_error=1)
        self.while_pictures_come(lambda: self.by_driver('contrast') == '33')
        assert self.fanlight.state()['cameras'][0]['lost']


def size_of(jpeg):
    return Image.open(io.BytesIO(jpeg)).size


def parts(stream):
    """The pictures of a multipart stream."""
    while True:
        length = 0
        while line := stream.readline().strip().lower():
            if line.startswith(b'content-length:'):
                length = int(line.split(b':')[1])
        if length:
            yield stream.read(length)


def main():
    node, = guest.load_vivid(['webcam'])
    try:
        with guest.Fanlight('--source', node, '--size', '640x360', '--fps', '15', '--format',
                            'YUYV') as fanlight:
            fanlight.wait_for('YUYV at')
            controls = Controls(fanlight, node)
            return guest.run(guest.promises(
                controls.every_type_is_told,
                controls.every_type_is_set_as_the_driver_takes_it,
                controls.brightness_changes_the_picture,
                controls.change_elsewhere_is_seen,
                controls.what_is_held_is_refused,
                controls.what_is_out_of_range_is_refused,
                controls.formats_are_switched_while_curl_stays,
                controls.format_that_is_not_offered_touches_nothing,
                controls.format_that_does_not_start_gives_way_to_the_old_one,
                controls.what_was_set_survives_a_reopening))
    finally:
        guest.unload_vivid()


if __name__ == '__main__':
    sys.exit(main())
