#!/usr/bin/env python3
"""vivid's colour bars, in every raw format and colour space, arrive with their true colours."""
import sys

from PIL import ImageStat

import guest

# In the order of the issue: packed, semi-planar, planar, then those with a buffer a plane.
COLOUR = ['YUYV', 'UYVY', 'YVYU', 'VYUY', 'NV12', 'NV21', 'NV16', 'NV61', 'YU12', 'YV12', '422P',
          'RGB3', 'BGR3', 'XR24', 'BX24', 'AR24']
GREY = ['GREY', 'Y10', 'Y12', 'Y16']
SEPARATE = ['NM12', 'NM21', 'YM12']
# vivid's 75 % bars in R'G'B', whatever the colour space: white, yellow, cyan, green, magenta, red,
# blue, black.
BARS = [tuple(191 if lit else 0 for lit in bar) for bar in
        ((1, 1, 1), (1, 1, 0), (0, 1, 1), (0, 1, 0), (1, 0, 1), (1, 0, 0), (0, 0, 1), (0, 0, 0))]
# JPEG at quality 95, 4:2:0, and integer arithmetic on both sides.
TOLERANCE = 6
# Interpolating Bayer's mosaic in libv4l is an estimate.
BAYER_TOLERANCE = 24

# name of vivid's control: its values
COLOUR_SPACES = {
    'SMPTE 170M': {'colorspace': 0},
    'Rec. 709': {'colorspace': 1},
    'sRGB': {'colorspace': 2},
    'BT.2020': {'colorspace': 4},
    'SMPTE 240M': {'colorspace': 6},
}
ENCODINGS = {'default': 0, '601': 1, '709': 2}
QUANTISATIONS = {'default': 0, 'full': 1, 'limited': 2}

SRGB = {'colorspace': 2, 'y_cbcr_encoding': 0, 'quantization': 0}


def grey(red, green, blue):
    """How vivid paints a colour in grey: the luma of BT.709, in full range like a sensor's."""
    return (0.2126 * red + 0.7152 * green + 0.0722 * blue,) * 3


def compare(image, expected, tolerance=TOLERANCE):
    """The mean colour in the middle of each bar, in three places from top to bottom."""
    assert image.size == (guest.WIDTH, guest.HEIGHT), image.size
    image = image.convert('RGB')
    for bar, true in enumerate(expected):
        x = guest.WIDTH * (2 * bar + 1) // (2 * len(BARS))
        for y in (guest.HEIGHT // 6, guest.HEIGHT // 2, guest.HEIGHT * 5 // 6):
            box = image.crop((x - 10, y - 10, x + 10, y + 10))
            got = ImageStat.Stat(box).mean
            worst = max(abs(a - b) for a, b in zip(got, true))
            assert worst <= tolerance, f'bar {bar} at {y}: {got} instead of {true}'


def picture(node, fourcc):
    """One picture in this format, and what Fanlight logged."""
    with guest.Fanlight('--source', node, '--format', fourcc, '--fps', '10', '--quality',
                        '95', '--size', f'{guest.WIDTH}x{guest.HEIGHT}') as fanlight:
        image = fanlight.snapshot()
        camera = next(iter(fanlight.wait_for(r'\d+x\d+ (\S+) at').groups()))
    return image, camera, fanlight.log


def check_format(node, fourcc):
    guest.set_controls(node, **SRGB)
    image, delivered, _ = picture(node, fourcc)
    assert delivered == fourcc, f'{delivered} instead of {fourcc}'
    assert image.mode == ('L' if fourcc in GREY else 'RGB'), image.mode
    compare(image, [grey(*bar) for bar in BARS] if fourcc in GREY else BARS)


def check_space(node, fourcc, controls):
    guest.set_controls(node, **{**SRGB, **controls})
    compare(picture(node, fourcc)[0], BARS)


def check_bayer(node, fourcc):
    guest.set_controls(node, **SRGB)
    image, delivered, log = picture(node, fourcc)
    assert delivered != fourcc, 'not converted'
    assert any('costs a copy' in line for line in log), log
    compare(image, BARS, BAYER_TOLERANCE)


def main():
    single, multi = guest.load_vivid(['webcam', 'webcam'], multiplanar='1,2')
    for node in (single, multi):
        guest.set_controls(node, test_pattern=0, osd_text_mode=2)

    checks = []
    for node, name, formats in ((single, 'single-planar', COLOUR + GREY),
                                (multi, 'multi-planar', COLOUR + GREY + SEPARATE)):
        for fourcc in formats:
            checks.append((f'{name} {fourcc} has true colours',
                           lambda node=node, fourcc=fourcc: check_format(node, fourcc)))
    for fourcc in ('BA81', 'RGGB'):
        checks.append((f'Bayer {fourcc} is converted and says that it costs a copy',
                       lambda fourcc=fourcc: check_bayer(single, fourcc)))

    spaces = [(name, fourcc, controls) for fourcc in ('YUYV', 'NV12')
              for name, controls in COLOUR_SPACES.items()]
    spaces += [(f'{space} encoding, {range_} range', fourcc,
                {'y_cbcr_encoding': encoding, 'quantization': quantisation})
               for fourcc in ('YUYV', 'NV12') for space, encoding in ENCODINGS.items()
               for range_, quantisation in QUANTISATIONS.items()]
    spaces += [(f'{range_} range', 'RGB3', {'quantization': quantisation})
               for range_, quantisation in QUANTISATIONS.items()]
    for name, fourcc, controls in spaces:
        checks.append((f'{fourcc} in {name} has true colours',
                       lambda fourcc=fourcc, controls=controls:
                       check_space(single, fourcc, controls)))
    return guest.run_with_vivid(checks)


if __name__ == '__main__':
    sys.exit(main())
