"""A running Fanlight for tools/profile and tools/latency-trace: the one that is named, or a release
with symbols that is built in build/profile and runs with one viewer."""

import argparse
import os
import re
import subprocess
import sys

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BUILD = os.path.join(TOP, "build", "profile")


def build():
    env = dict(os.environ, PATH="/usr/bin:" + os.environ["PATH"])
    if not os.path.exists(os.path.join(BUILD, "build.ninja")):
        subprocess.run(["meson", "setup", "--buildtype=release", "-Ddebug=true", "-Dtests=false",
                        BUILD, TOP], check=True, env=env, stdout=subprocess.DEVNULL)
    subprocess.run(["ninja", "-C", BUILD], check=True, env=env, stdout=subprocess.DEVNULL)


def start_fanlight(options):
    """A Fanlight at a port of its own and the URL that it logs."""
    fanlight = subprocess.Popen(
        [os.path.join(BUILD, "src", "fanlight"), "--http", "127.0.0.1:0", "--https", "off",
         *(options or ["--source", "pattern"])],
        stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    for line in fanlight.stderr:
        found = re.search(r"http://127\.0\.0\.1:\d+", line)
        if found:
            return fanlight, found[0]
        print(line, end="", file=sys.stderr)
    sys.exit("fanlight did not start")


def arguments(usage, output):
    """The parser of what both tools take."""
    parser = argparse.ArgumentParser(usage=usage)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--output", default=output)
    parser.add_argument("--pid", type=int)
    return parser


def watch(parser, work):
    """Call work(pid, options), with the options of the command line, while pictures flow."""
    options, fanlight_options = parser.parse_known_args()
    if options.pid:
        if fanlight_options:
            parser.error(f"{fanlight_options[0]} is for a Fanlight that this starts; leave out "
                         "--pid, or the option")
        work(options.pid, options)
        return
    subprocess.run([os.path.join(TOP, "tools", "setup"), "profile"], check=True)
    build()
    fanlight, url = start_fanlight(fanlight_options)
    viewer = subprocess.Popen(
        [os.path.join(BUILD, "tools", "fanlight-probe"), "--seconds", str(options.seconds + 10),
         url + "/stream"], stdout=subprocess.DEVNULL)
    try:
        work(fanlight.pid, options)
    finally:
        for process in (viewer, fanlight):
            process.terminate()
            process.communicate()
