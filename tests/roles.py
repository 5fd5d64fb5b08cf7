"""Thread roles are promises: clang refuses a call from the wrong thread, here and in all of src.

Usage: roles.py SOURCE_ROOT VIEWER_HEADER CLANG
"""
import pathlib
import subprocess
import sys
import unittest

import tap

ROOT = pathlib.Path(sys.argv[1])
VIEWER_HEADER = pathlib.Path(sys.argv[2])
CLANG = sys.argv[3:]

SNIPPET = """
#include "base/roles.h"

ON_ENCODE static void encode_one(void)
{
}

ON_SERVER static void serve_one(void)
{
}

%s void caller(void);
%s void caller(void)
{
	%s
}

void on_a_new_thread(void);
void on_a_new_thread(void)
{
	role_take(&role_encode, 0);
	encode_one();
	(void)serve_one;
}
"""


def compile_text(arguments, text=None):
    """What clang says to it; "" when it is content."""
    libraries = ["libh2o-evloop", "libdrm", "jansson", "freetype2", "libpng"]
    packages = subprocess.run(["pkg-config", "--cflags", *libraries], text=True, check=True,
                              stdout=subprocess.PIPE).stdout.split()
    command = [*CLANG, "-std=gnu11", "-fsyntax-only", "-D_GNU_SOURCE", "-DH2O_USE_LIBUV=0",
               '-DFANLIGHT_VERSION="0"', "-DHAVE_SYSTEMD=0", "-DHAVE_SDT=0",
               "-Wthread-safety",
               "-Werror=thread-safety", f"-I{ROOT}/include", f"-I{ROOT}/src",
               f"-I{VIEWER_HEADER.parent}", *packages, *arguments]
    run = subprocess.run(command, input=text, text=True, stdout=subprocess.PIPE,
                         stderr=subprocess.STDOUT)
    return run.stdout if run.returncode else ""


def call(role, callee):
    return compile_text(["-x", "c", "-"], SNIPPET % (role, role, callee))


class Roles(unittest.TestCase):
    def test_call_on_the_same_thread_compiles(self):
        self.assertEqual(call("ON_ENCODE", "encode_one();"), "")
        self.assertEqual(call("ON_SERVER", "serve_one();"), "")

    def test_call_from_another_thread_does_not(self):
        self.assertIn("requires holding role 'role_encode'", call("ON_SERVER", "encode_one();"))
        self.assertIn("requires holding role 'role_server'", call("ON_ENCODE", "serve_one();"))

    def test_call_from_any_thread_does_not(self):
        self.assertIn("requires holding role", call("ANY_THREAD", "encode_one();"))

    def test_all_of_src_keeps_its_promises(self):
        files = sorted((ROOT / "src").rglob("*.c"))
        self.assertGreater(len(files), 20)
        self.assertEqual([said for said in (compile_text([str(file)]) for file in files) if said],
                         [])


tap.main()
