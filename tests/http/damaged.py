"""A camera whose JPEGs are damaged in every way that chance finds: good ones come through."""
import io
import json
import random

from PIL import Image

import server
import tap
from server import JSON, classic_parts

GOOD_SIZE = (72, 56)
MUTANTS = 400
GOOD_EACH = 10
SEEN = 1 + MUTANTS // GOOD_EACH  # good ones, after which all have been there


def jpeg(size=(64, 48), **options):
    noise = Image.frombytes("RGB", size, random.Random(1).randbytes(3 * size[0] * size[1]))
    file = io.BytesIO()
    noise.save(file, "JPEG", **options)
    return file.getvalue()


GOOD = jpeg(GOOD_SIZE)
SOUND = [jpeg(), jpeg(progressive=True), jpeg(subsampling=0, optimize=True),
         jpeg(subsampling=1, restart_marker_blocks=2)]


def cut(data, chance):
    return data[:chance.randrange(len(data))]


def lose(data, chance):
    begin = chance.randrange(len(data))
    return data[:begin] + data[begin + chance.randrange(1, 64):]


def repeat(data, chance):
    begin = chance.randrange(len(data))
    return data[:begin] + data[begin:begin + chance.randrange(1, 512)] + data[begin:]


def disturb(data, chance):
    damaged = bytearray(data)
    for _ in range(chance.randrange(1, 9)):
        damaged[chance.randrange(len(data))] = chance.choice((0, 0xff, chance.randrange(256)))
    return bytes(damaged)


def mark(data, chance):
    """Some marker where none belongs."""
    begin = chance.randrange(2, len(data))
    return data[:begin] + bytes((0xff, chance.randrange(0xc0, 0x100))) + data[begin + 2:]


def mutants():
    chance = random.Random(1)
    for _ in range(MUTANTS):
        data = chance.choice(SOUND)
        for _ in range(chance.randrange(1, 4)):
            data = chance.choice((cut, lose, repeat, disturb, mark))(data, chance)
            if len(data) < 4:
                break
        yield data


class Damaged(server.InFolder):
    OPTIONS = ("--fps", "240")

    @classmethod
    def prepare(cls):
        for n, data in enumerate(mutants()):
            (cls.folder / f"{n:03}.jpg").write_bytes(GOOD if n % GOOD_EACH == 0 else data)
        cls.SOURCE = f"replay:{cls.folder}"

    def filter(self, **change):
        status, _, text = self.fanlight.get("/process", JSON, method="PATCH",
                                            body=json.dumps(change))
        self.assertEqual(status, 200, text)

    def see(self, path, is_good):
        """Watch until enough good ones came, whatever else is shown."""
        seen, before = 0, self.fanlight.camera()["drops"]["corrupt"]
        for _, data in classic_parts(self.stream(path)):
            self.assertEqual((data[:2], data[-2:]), (b"\xff\xd8", b"\xff\xd9"))
            seen += is_good(data)
            if seen >= SEEN and self.fanlight.camera()["drops"]["corrupt"] > before:
                break
        self.assertTrue(self.fanlight.camera()["online"])

    def test_good_ones_pass_as_they_are(self):
        self.filter(process="")
        self.see("/stream", lambda data: data == GOOD)

    def test_good_ones_are_filtered_and_scaled(self):
        def is_good(data):
            image = Image.open(io.BytesIO(data))
            image.load()  # whatever was damaged, what is made of it is whole
            return image.size == size
        self.filter(process="orient", rotate="90")
        size = GOOD_SIZE[::-1]
        self.see("/stream", is_good)
        size = (size[0] // 2, size[1] // 2)
        self.see(f"/stream?size={size[0]}", is_good)


tap.main()
