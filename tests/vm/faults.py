#!/usr/bin/env python3
"""Whatever a driver does wrong, pictures come back, and nobody else notices.

A camera of vivid is made to fail in every way it can, again and again, while two viewers watch it
and a third watches another camera.
"""
import subprocess
import sys

import guest
import pair

TIMES = 3
PICTURES = ('--size', '320x180', '--format', 'YUYV')
COMMON = (*PICTURES, '--fps', '10')


class Faults(pair.Pair):
    def __init__(self):
        self.node, other = guest.load_vivid(['webcam', 'webcam'])
        super().__init__(('--source', self.node, *COMMON), ('--source', other, *PICTURES))

    def press(self, *buttons):
        for button in buttons:
            guest.set_controls(self.node, **{button: 1})

    def a_frame_marked_as_bad_is_dropped_and_counted(self):
        self.endure('frame marked bad', lambda: self.press('inject_v4l2_buf_flag_error'),
                    lambda was, now: now['drops']['error'] > was['drops']['error'], TIMES)

    def a_refused_buffer_is_recovered_from(self):
        self.endure('QBUF refused', lambda: self.press('inject_vidioc_qbuf_error'),
                    lambda was, now: now['faults']['driver'] > was['faults']['driver'], TIMES)

    def a_fatal_error_is_recovered_from(self):
        self.endure('fatal streaming error', lambda: self.press('inject_fatal_streaming_error'),
                    lambda was, now: now['faults']['driver'] > was['faults']['driver'], TIMES)

    def buffers_refused_when_opening_again_are_recovered_from(self):
        self.endure('REQBUFS refused', lambda: self.press('inject_vidioc_reqbufs_error',
                                                          'inject_fatal_streaming_error'),
                    lambda was, now: now['faults']['driver'] > was['faults']['driver'] + 1, TIMES)

    def a_refused_start_is_recovered_from(self):
        self.endure('STREAMON refused', lambda: self.press('inject_vidioc_streamon_error',
                                                           'inject_fatal_streaming_error'),
                    lambda was, now: now['faults']['driver'] > was['faults']['driver'] + 1, TIMES)

    def a_disconnected_camera_is_opened_again(self):
        self.endure('disconnect', lambda: self.press('disconnect'),
                    lambda was, now: now['faults']['gone'] > was['faults']['gone'], TIMES)

    def a_silent_camera_is_stopped_and_started_then_opened_again(self):
        def fall_silent():
            before = self.state()
            guest.set_controls(self.node, percentage_of_dropped_buffers=100)
            said = self.fanlight.until(lambda now: now['state'] == 'lost')
            assert said['reason'] == f'{self.node} delivers no frames', said
            assert self.fanlight.get('/healthz')[0] == 503
            for viewer in self.viewers:
                viewer.wait_for_placeholder()
            self.fanlight.until(lambda now: now['restarted'] > before['restarted'])
            self.fanlight.until(lambda now: now['faults']['silent'] > before['faults']['silent'])
            guest.set_controls(self.node, percentage_of_dropped_buffers=0)
        try:
            self.endure('no frames at all', fall_silent,
                        lambda was, now: now['opened'] > was['opened'], TIMES)
        finally:
            guest.set_controls(self.node, percentage_of_dropped_buffers=0)
        assert self.fanlight.get('/healthz')[0] == 200

    def frames_stamped_by_another_clock_are_shown(self):
        def start_again(leaping):
            """vivid's clock leaps when it starts, and is right for as long as it did not."""
            opened = self.state()['opened']
            guest.set_controls(self.node, wrap_timestamp=leaping)
            self.press('inject_fatal_streaming_error')
            return self.fanlight.until(lambda now: now['opened'] > opened and now['online'])

        def leap():
            self.odd = start_again(0)['oddities']['time']
            start_again(1)
        try:
            self.endure('time leaps', leap,
                        lambda was, now: now['oddities']['time'] > self.odd, TIMES)
        finally:
            guest.set_controls(self.node, wrap_timestamp=0)


def the_pattern_gives_way_to_a_camera():
    guest.unload_vivid()
    with guest.Fanlight('--fps', '10') as fanlight:
        viewer = guest.Viewer(fanlight)
        viewer.wait_for_more()
        assert fanlight.state()['cameras'][0]['driver'] == 'pattern'
        guest.load_vivid(['webcam'])
        fanlight.until(lambda camera: camera['online'] and camera['driver'] == 'vivid')
        viewer.wait_for_more()
    viewer.thread.join()


def a_camera_in_use_says_by_whom_and_is_waited_for():
    node, = guest.load_vivid(['webcam'])
    with subprocess.Popen(['v4l2-ctl', '-d', node, '--stream-mmap'], stdin=subprocess.DEVNULL,
                          stderr=subprocess.PIPE) as user:
        user.stderr.read(1)  # it prints a mark for each frame
        with guest.Fanlight('--source', node, *COMMON) as fanlight:
            fanlight.wait_for(rf'{node} is in use by v4l2-ctl \(PID {user.pid}\)')
            assert fanlight.state()['cameras'][0]['faults']['busy'], 'not counted'
            user.kill()
            fanlight.until(lambda camera: camera['online'])


def a_camera_is_found_by_its_name_under_another_number():
    nodes = guest.load_vivid(['webcam', 'webcam'])
    listing = guest.output_of(guest.FANLIGHT, '--list')
    assert 'name:vivid, bus:platform:vivid-001' in listing, listing
    with guest.Fanlight(*COMMON, '--camera', 'first', '--source', 'name:VIVID',
                        '--camera', 'second', '--source', 'bus:platform:vivid-001') as fanlight:
        for camera, node in enumerate(nodes):
            fanlight.until(lambda now: now['online'] and now['path'] == node, camera)


def main():
    faults = Faults()
    return guest.run_with_vivid(guest.promises(
        faults.a_frame_marked_as_bad_is_dropped_and_counted,
        faults.a_refused_buffer_is_recovered_from,
        faults.a_fatal_error_is_recovered_from,
        faults.buffers_refused_when_opening_again_are_recovered_from,
        faults.a_refused_start_is_recovered_from,
        faults.a_disconnected_camera_is_opened_again,
        faults.a_silent_camera_is_stopped_and_started_then_opened_again,
        faults.frames_stamped_by_another_clock_are_shown,
        faults.nobody_was_cut_off,
        the_pattern_gives_way_to_a_camera,
        a_camera_in_use_says_by_whom_and_is_waited_for,
        a_camera_is_found_by_its_name_under_another_number))


if __name__ == '__main__':
    sys.exit(main())
