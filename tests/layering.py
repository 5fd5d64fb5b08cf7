"""Who may include whom, as the design says: a room sees the ground floor and itself, no neighbour.

Usage: layering.py SOURCE_ROOT CC
"""
import pathlib
import re
import subprocess
import sys
import unittest

import tap

ROOT = pathlib.Path(sys.argv[1])
CC = sys.argv[2:]

# Folders that every room may include; each of them sees those before it and itself.
GROUND = ["fanlight", "base", "exchange"]
# Made at build time, and for whom.
GENERATED = {"viewer.h": "server"}

# The folder that joins the rooms sees them all.
JOINS = "pipeline"

INCLUDE = re.compile(r'^\s*#\s*include\s*"([^"]+)"', re.MULTILINE)


def allowed_folders(room):
    if room in GROUND:
        return GROUND[:GROUND.index(room) + 1]
    return GROUND + [room]


def is_allowed(room, included):
    if included in GENERATED:
        return GENERATED[included] == room
    folder, slash, _ = included.partition("/")
    return bool(slash) and folder in allowed_folders(room)


def rooms():
    """Each room's name and its files; src itself sees all and is none."""
    yield "fanlight", sorted((ROOT / "include/fanlight").glob("*.h"))
    for folder in sorted((ROOT / "src").iterdir()):
        files = sorted(folder.rglob("*.[ch]")) if folder.is_dir() else []
        if files and folder.name != JOINS:
            yield folder.name, files


def flags():
    libraries = ["libh2o-evloop", "libdrm", "jansson"]
    packages = subprocess.run(["pkg-config", "--cflags", *libraries], text=True, check=True,
                              stdout=subprocess.PIPE).stdout.split()
    return ["-std=gnu11", "-D_GNU_SOURCE", "-DH2O_USE_LIBUV=0", f"-I{ROOT}/include",
            f"-I{ROOT}/src", *packages]


class Layering(unittest.TestCase):
    def test_rooms_are_found(self):
        self.assertLessEqual({"base", "camera", "encode", "exchange", "fanlight", "server"},
                             {room for room, _ in rooms()})

    def test_rule_tells_good_from_bad(self):
        for room, included in [("camera", "base/log.h"), ("camera", "camera/formats.h"),
                               ("server", "exchange/packet.h"), ("server", "viewer.h"),
                               ("exchange", "base/fd.h"), ("exchange", "fanlight/frame.h")]:
            self.assertTrue(is_allowed(room, included), (room, included))
        for room, included in [("camera", "encode/jpeg.h"), ("server", "camera/camera.h"),
                               ("encode", "pipeline/pipeline.h"), ("base", "exchange/packet.h"),
                               ("fanlight", "base/fd.h"), ("camera", "viewer.h")]:
            self.assertFalse(is_allowed(room, included), (room, included))

    def test_no_room_includes_its_neighbour(self):
        bad = [f"{file.relative_to(ROOT)} includes {included}"
               for room, files in rooms() for file in files
               for included in INCLUDE.findall(file.read_text())
               if not is_allowed(room, included)]
        self.assertEqual(bad, [])

    def test_every_header_compiles_alone(self):
        headers = [*(ROOT / "src").rglob("*.h"), *(ROOT / "include").rglob("*.h")]
        arguments = flags()
        bad = []
        for header in sorted(headers):
            run = subprocess.run([*CC, *arguments, "-fsyntax-only", "-x", "c", str(header)],
                                 text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            if run.returncode:
                bad.append(run.stdout)
        self.assertEqual(bad, [])


tap.main()
