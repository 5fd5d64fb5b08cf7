"""The stamp that the test pattern draws into its pictures (src/base/stamp.h)."""
import io

from PIL import Image


def read_stamp(jpeg):
    """The time that the test pattern draws into its picture, ns of CLOCK_MONOTONIC."""
    grey = Image.open(io.BytesIO(jpeg)).convert("L").crop((0, 0, 128, 40))
    blocks = grey.resize((16, 5), Image.Resampling.BOX).tobytes()
    number = int("".join("1" if block > 127 else "0" for block in blocks), 2)
    stamp, mark, check = number >> 16, number >> 8 & 0xff, number & 0xff
    for byte in stamp.to_bytes(8, "big"):
        check ^= byte
    assert mark == 0xf5 and check == 0, f"no stamp: {number:#x}"
    return stamp
