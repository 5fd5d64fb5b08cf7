#!/usr/bin/env python3
"""Every kind of video input that vivid has streams to the clients that people use."""
import json
import subprocess
import sys

import guest

# What each node is, in the order in which they are made.
NODES = ['webcam, single-planar', 'webcam, multi-planar', 'HDMI, vmalloc', 'HDMI, contiguous']
SIZE = f'{guest.WIDTH}x{guest.HEIGHT}'
COMMON = ('--size', SIZE, '--fps', '15', '--format', 'YUYV')
PICTURES = 8


def load():
    return guest.load_vivid(['webcam', 'webcam', 'hdmi', 'hdmi'], multiplanar='1,2,1,1',
                            allocators='0,0,0,1', ccs_cap_mode='-1,-1,4,4')


def check_list(nodes):
    text = guest.output_of(guest.FANLIGHT, '--list')
    for wanted in (*nodes, 'vivid', 'YUYV', 'NM12', SIZE):
        assert wanted in text, f'no {wanted} in {text}'


def check_curl(node):
    with guest.Fanlight('--source', node, *COMMON) as fanlight:
        fanlight.wait_for('as dma-bufs')
        with subprocess.Popen(['curl', '-sSN', fanlight.url + '/stream'],
                              stdout=subprocess.PIPE) as curl:
            parts = 0
            for line in curl.stdout:
                parts += line.startswith(b'Content-Type: image/jpeg')
                if parts == PICTURES:
                    break
            curl.terminate()
        assert parts == PICTURES, parts


def check_ffmpeg(node):
    with guest.Fanlight('--source', node, *COMMON) as fanlight:
        text = guest.output_of('ffprobe', '-v', 'error', '-count_frames', '-of', 'json',
                               '-read_intervals', f'%+#{PICTURES}', '-show_entries',
                               'stream=codec_name,width,height,nb_read_frames',
                               fanlight.url + '/stream')
    stream = json.loads(text)['streams'][0]
    assert stream == {'codec_name': 'mjpeg', 'width': guest.WIDTH, 'height': guest.HEIGHT,
                      'nb_read_frames': str(PICTURES)}, stream


def sequence(fanlight, camera=''):
    """The picture's number, which its entity tag begins with."""
    return int(fanlight.jpeg(camera)[0]['ETag'].strip('"').split('-')[0])


def check_sequence(node):
    with guest.Fanlight('--source', node, *COMMON) as fanlight:
        first = sequence(fanlight)
        pictures = fanlight.stream()
        for _ in range(3):
            next(pictures)
        assert sequence(fanlight) > first


def check_two(left, right):
    with guest.Fanlight(*COMMON, '--camera', 'left', '--source', left,
                        '--camera', 'right', '--source', right) as fanlight:
        streams = [fanlight.stream('/left'), fanlight.stream('/right')]
        for _ in range(PICTURES):
            for stream in streams:
                assert next(stream).startswith(b'\xff\xd8')
        for camera in ('/left', '/right'):
            assert fanlight.snapshot(camera).size == (guest.WIDTH, guest.HEIGHT)


def check_silent(node):
    """A camera without a signal may open and start, and deliver nothing."""
    guest.set_controls(node, percentage_of_dropped_buffers=100)
    try:
        with guest.Fanlight('--source', node, *COMMON) as fanlight:
            fanlight.wait_for('delivers no frames')
            while fanlight.state()['cameras'][0]['lost'] < 3:
                assert fanlight.get('/snapshot')[0] == 503  # waits, too
            assert not fanlight.state()['cameras'][0]['online']
            said = [line for line in fanlight.log if node in line]
            assert len(said) == 1, said
            guest.set_controls(node, percentage_of_dropped_buffers=0)
            fanlight.wait_for('YUYV at')
            assert fanlight.state()['cameras'][0]['online']
    finally:
        guest.set_controls(node, percentage_of_dropped_buffers=0)


def main():
    nodes = load()
    checks = [('all_cameras_are_listed', lambda: check_list(nodes))]
    for name, node in zip(NODES, nodes):
        checks += [(f'{name}: curl gets pictures', lambda node=node: check_curl(node)),
                   (f'{name}: ffmpeg counts frames', lambda node=node: check_ffmpeg(node)),
                   (f'{name}: the sequence advances', lambda node=node: check_sequence(node))]
    checks.append(('two_cameras_stream_from_one_process', lambda: check_two(nodes[0], nodes[2])))
    checks.append(('a_silent_camera_is_offline_and_reported_once', lambda: check_silent(nodes[0])))
    return guest.run_with_vivid(checks)


if __name__ == '__main__':
    sys.exit(main())
