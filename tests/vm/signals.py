#!/usr/bin/env python3
"""What comes in by HDMI or an analogue plug goes, comes back and changes; viewers stay."""
import io
import sys
from pathlib import Path

from PIL import Image

import guest

TIMES = 3

# Of the control dv_timings_signal_mode, and what Fanlight says of each.
SIGNAL, SELECTED = 0, 4
MISSING = {1: 'has no signal', 2: 'is not stable', 3: 'cannot take'}
# Of the control standard_signal_mode.
STANDARD_CURRENT, STANDARD_NONE, STANDARD_SELECTED = 0, 1, 4
# Items of the control dv_timings.
TIMINGS = {0: (640, 480), 2: (720, 480), 4: (720, 576), 29: (848, 480)}
# Items of the control standard: its size.
STANDARDS = {'NTSC-M': (720, 480), 'PAL-BGH': (720, 576)}
EDID = Path('/tmp/fanlight-edid')


def menu_item(node, control, name):
    """The number of an item of a control's menu."""
    menu = guest.output_of('v4l2-ctl', '-d', node, '--list-ctrls-menus').split(f' {control} 0x')[1]
    for line in menu.splitlines()[1:]:
        number, _, item = line.strip().partition(': ')
        if item == name:
            return int(number)
    raise AssertionError(f'{control} has no {name}')


def size_of(picture):
    return Image.open(io.BytesIO(picture)).size


def wait_for_size(viewer, size):
    """Watch until pictures of this size come; those that are on their way may have the old one."""
    for _ in range(100):
        if size_of(viewer.wait_for_more(1)) == size:
            return
    raise AssertionError(f'never {size}')


class Hdmi:
    def __init__(self, node):
        self.node = node

    def watch(self, check, *options):
        guest.set_controls(self.node, dv_timings=0, dv_timings_signal_mode=SELECTED)
        with guest.Fanlight('--source', self.node, '--format', 'YUYV', *options) as fanlight:
            viewer = guest.Viewer(fanlight)
            viewer.wait_for_more()
            check(fanlight, viewer)
            assert viewer.watching
        viewer.thread.join()

    def a_missing_signal_is_named_and_waited_for(self):
        self.watch(self.lose_signals)

    def lose_signals(self, fanlight, viewer):
        for mode, reason in MISSING.items():
            def lose():
                guest.set_controls(self.node, dv_timings_signal_mode=mode)
                said = fanlight.until(lambda now: reason in now['reason'])
                assert not said['online'] and said['state'] == 'lost', said
                guest.set_controls(self.node, dv_timings_signal_mode=SELECTED)
            seconds = [guest.recover(fanlight, [viewer], lose,
                                     lambda was, now: now['opened'] > was['opened'])
                       for _ in range(TIMES)]
            guest.row(reason, seconds, '-')

    def a_new_resolution_is_followed_in_the_same_stream(self):
        self.watch(self.change_resolution)

    def change_resolution(self, fanlight, viewer):
        seconds = []
        for timings, size in [*TIMINGS.items()][1:]:
            def change():
                guest.set_controls(self.node, dv_timings=timings)
                wait_for_size(viewer, size)
            seconds.append(guest.recover(
                fanlight, [viewer], change,
                lambda was, now: now['faults']['changed'] > was['faults']['changed']))
        guest.row('resolution changed', seconds, '-')

    def a_camera_without_a_signal_may_get_one_later(self):
        guest.set_controls(self.node, dv_timings_signal_mode=1)
        with guest.Fanlight('--source', self.node) as fanlight:
            fanlight.wait_for('has no signal')
            assert fanlight.get('/snapshot')[0] == 503
            guest.set_controls(self.node, dv_timings_signal_mode=SELECTED)
            fanlight.until(lambda now: now['online'])

    def an_edid_is_shown_to_the_source(self):
        edid = bytearray(128)
        edid[:8] = b'\x00\xff\xff\xff\xff\xff\xff\x00'
        edid[8:18] = b'fanlight!!'
        edid[127] = -sum(edid) % 256
        EDID.write_bytes(edid)
        self.watch(lambda fanlight, viewer: None, '--edid', str(EDID))
        shown = EDID.with_suffix('.shown')
        guest.output_of('v4l2-ctl', '-d', self.node,
                        f'--get-edid=pad=0,startblock=0,blocks=1,format=raw,file={shown}')
        assert shown.read_bytes() == edid


class Analogue:
    def __init__(self, node):
        self.node = node

    def the_standard_that_comes_in_is_taken(self):
        for name, size in STANDARDS.items():
            item = menu_item(self.node, 'standard', name)
            guest.set_controls(self.node, standard=item, standard_signal_mode=STANDARD_SELECTED)
            with guest.Fanlight('--source', self.node) as fanlight:
                assert fanlight.snapshot().size == size

    def a_missing_signal_is_named_and_waited_for(self):
        guest.set_controls(self.node, standard_signal_mode=STANDARD_CURRENT)
        with guest.Fanlight('--source', self.node) as fanlight:
            viewer = guest.Viewer(fanlight)
            viewer.wait_for_more()

            def lose():
                guest.set_controls(self.node, standard_signal_mode=STANDARD_NONE)
                fanlight.until(lambda now: 'has no signal' in now['reason'])
                guest.set_controls(self.node, standard_signal_mode=STANDARD_CURRENT)
            seconds = [guest.recover(fanlight, [viewer], lose,
                                     lambda was, now: now['opened'] > was['opened'])
                       for _ in range(TIMES)]
            guest.row('analogue: no signal', seconds, '-')
        viewer.thread.join()


def main():
    hdmi_node, analogue_node = guest.load_vivid(['hdmi', 'svideo'])
    hdmi, analogue = Hdmi(hdmi_node), Analogue(analogue_node)
    checks = [(f'HDMI: {promise}', check) for promise, check in guest.promises(
        hdmi.a_missing_signal_is_named_and_waited_for,
        hdmi.a_new_resolution_is_followed_in_the_same_stream,
        hdmi.a_camera_without_a_signal_may_get_one_later,
        hdmi.an_edid_is_shown_to_the_source)]
    checks += [(f'analogue: {promise}', check) for promise, check in guest.promises(
        analogue.the_standard_that_comes_in_is_taken,
        analogue.a_missing_signal_is_named_and_waited_for)]
    return guest.run_with_vivid(checks)


if __name__ == '__main__':
    sys.exit(main())
