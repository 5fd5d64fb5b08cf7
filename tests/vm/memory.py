#!/usr/bin/env python3
"""Wherever a camera's buffers come from, its pictures are the same, and none is copied.

Four cameras of vivid, one for each of its allocators and of V4L2's APIs, deliver in every layout
into buffers of their driver's and of two screens. Prints a row for each path.
"""
import re
import sys
from pathlib import Path

import guest

# node's kind: V4L2's API, whether its driver takes any memory or only what is contiguous, and
# whether it has memory planes of their own.
CAMERAS = {'single-planar': (1, 0), 'multi-planar': (2, 0),
           'contiguous single-planar': (1, 1), 'contiguous multi-planar': (2, 1)}
# In one run of Fanlight each camera delivers one of these.
ROUNDS = [{'1': 'YUYV', '2': 'NM12'}, {'1': 'NV12', '2': 'NV12'}, {'1': 'XR24', '2': 'XR24'},
          {'1': 'NV12', '2': 'YUYV'}]
OWN = (['mmap'], ['mmap'])
HEAP, PAGES = Path('/dev/dma_heap/system'), Path('/dev/udmabuf')
SCREENS = {'virtio-gpu': 'virtio_gpu', 'cirrus': 'cirrus'}


class Paths:
    """One Fanlight shows all cameras in one round of formats from one memory."""

    def __init__(self, nodes):
        self.nodes = nodes
        self.own = {}  # pictures of each round, from the driver's own memory
        print('# camera | format | asked | memory | buffers | captured | raw bytes copied')

    def options(self, formats, memory):
        common = ('--encode-threads', '1', '--fps', '15', '--size', '320x180', '--quality', '100',
                  '--memory', memory)
        for number, (node, (api, _)) in enumerate(zip(self.nodes, CAMERAS.values())):
            common += ('--camera', f'c{number}', '--source', node, '--format', formats[str(api)])
        return common

    def see(self, number, asked, allowed):
        """See every camera's pictures of a round. allowed: what may serve each of the allocators."""
        formats, pictures = ROUNDS[number], []
        with guest.Fanlight(*self.options(formats, asked)) as fanlight:
            for index in range(len(CAMERAS)):
                pictures.append(fanlight.jpeg(f'/c{index}')[1])
            states = fanlight.state()['cameras']
        for (kind, (api, contiguous)), state in zip(CAMERAS.items(), states):
            print(f'# {kind} | {formats[str(api)]} | {asked} | {state["memory"]} | '
                  f'{state["buffers"]} | {state["captured"]} | {state["copied_bytes"]}', flush=True)
            assert state['format'] == formats[str(api)], state
            assert state['memory'] in allowed[contiguous], state
            assert state['dmabuf'] and state['dmabuf_syncs'], state
            assert state['copied_bytes'] == 0, state
            wanted = 'heap' if asked == 'auto' and HEAP.exists() else asked
            assert bool(state['memory_note']) == (wanted not in ('auto', state['memory'])), state
        assert pictures == self.own.setdefault(number, pictures), 'other pictures'
        return states, fanlight.log


def notes_of(log):
    """Which cameras had to do with their own buffers. One that falls silent says so once more."""
    return {match[1] for line in log
            if (match := re.search(r"camera (\S+): the buffers are the camera's own", line))}


def own_memory_is_exported(paths):
    for number in range(len(ROUNDS)):
        paths.see(number, 'mmap', OWN)


def screen_lends_memory_to_whom_can_take_it(paths, screen):
    """Dumb buffers here are pages from anywhere, whose neighbours they are by chance only."""
    guest.output_of('modprobe', SCREENS[screen])
    refused = 0
    try:
        for number in range(len(ROUNDS)):
            states, log = paths.see(number, 'drm', (['drm'], ['drm', 'mmap']))
            notes = [state['memory_note'] for state in states if state['memory'] == 'mmap']
            for note in notes:
                assert re.fullmatch(r'/dev/dri/card\d: Bad address', note), note
            assert len(notes_of(log)) == len(notes), log
            refused += len(notes)
        assert refused, 'every buffer of eight cameras was contiguous'
    finally:
        guest.output_of('modprobe', '-r', SCREENS[screen])


def what_is_not_there_is_told_and_done_without(paths):
    for asked, path in (('udmabuf', PAGES), ('heap', HEAP)):
        assert not path.exists(), 'it cannot be missed then'
        states, _ = paths.see(0, asked, OWN)
        assert all(state['memory_note'] == f'{path}: No such file or directory'
                   for state in states), states


def left_the_choice_it_needs_nothing(paths):
    _, log = paths.see(0, 'auto', OWN)
    assert not notes_of(log), log


def kernel_lends_memory_to_whom_can_take_it(paths):
    """From heaps and udmabuf, pages from anywhere, too."""
    guest.load_heaps()
    for asked in ('heap', 'udmabuf'):
        refused = 0
        for number in range(len(ROUNDS)):
            states, _ = paths.see(number, asked, ([asked], [asked, 'mmap']))
            refused += sum(state['memory'] == 'mmap' for state in states)
        assert refused, 'every buffer of eight cameras was contiguous'
    states, _ = paths.see(0, 'auto', (['heap'], ['heap', 'mmap']))
    assert states[0]['memory_path'] == str(HEAP), states


def conversion_is_counted(node):
    with guest.Fanlight('--source', node, '--format', 'BA81', '--size', '320x180') as fanlight:
        picture_bytes = 320 * 180 * 3 // 2
        state = fanlight.until(lambda state: state['copied_bytes'] >= 4 * picture_bytes)
        assert state['converted'] and not state['dmabuf'], state
        assert state['copied_bytes'] % picture_bytes == 0, state
        metrics = fanlight.get('/metrics')[2].decode()
        counted = re.search(r'^fanlight_frames_copied_bytes_total\{camera="camera"\} (\d+)$',
                            metrics, re.M)
        assert int(counted[1]) >= state['copied_bytes'], metrics


def main():
    nodes = guest.load_vivid(['webcam'] * len(CAMERAS),
                             multiplanar=','.join(str(api) for api, _ in CAMERAS.values()),
                             allocators=','.join(str(kind) for _, kind in CAMERAS.values()))
    for node in nodes:
        guest.set_controls(node, test_pattern=0, osd_text_mode=2)
    paths = Paths(nodes)
    checks = [(check.__name__, lambda check=check: check(paths)) for check in (
        own_memory_is_exported, what_is_not_there_is_told_and_done_without,
        left_the_choice_it_needs_nothing)]
    checks += [(f'{screen} lends memory to whom can take it',
                lambda screen=screen: screen_lends_memory_to_whom_can_take_it(paths, screen))
               for screen in SCREENS]
    checks += [('kernel_lends_memory_to_whom_can_take_it',
                lambda: kernel_lends_memory_to_whom_can_take_it(paths)),
               ('conversion_is_counted', lambda: conversion_is_counted(nodes[0]))]
    return guest.run_with_vivid(checks)


if __name__ == '__main__':
    sys.exit(main())
