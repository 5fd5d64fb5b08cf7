"""What the tests in this folder share: cameras that the kernel makes up, a running Fanlight, TAP.

They run as root, in the guest or on a machine with vivid: TEST.py FANLIGHT FAKECAM
"""
import contextlib
import http.client
import io
import json
import os
import re
import signal
import statistics
import subprocess
import sys
import threading
import time
import traceback
import urllib.error
import urllib.request
from pathlib import Path

from PIL import Image

HERE = Path(__file__).resolve().parent
FANLIGHT, FAKECAM = sys.argv[1:3]
WIDTH, HEIGHT = 640, 360

# Kinds of vivid's inputs.
INPUTS = {'webcam': '0x0', 'svideo': '0x2', 'hdmi': '0x3'}

# An emulated machine is slow; nothing here is about speed, a test that waits this long has failed.
PATIENCE_S = 90


def run(checks):
    """Make each (promise, function) one line of TAP. Returns the exit code."""
    failed = 0
    print(f'1..{len(checks)}', flush=True)
    for number, (promise, check) in enumerate(checks, 1):
        try:
            check()
            print(f'ok {number} - {promise}', flush=True)
        except Exception as error:
            failed += 1
            print(f'not ok {number} - {promise}')
            for frame in traceback.extract_tb(error.__traceback__):
                if Path(frame.filename).resolve().parent == HERE:
                    print(f'# {Path(frame.filename).name}:{frame.lineno}: {frame.line}')
            text = ''.join(traceback.format_exception_only(error)).rstrip()
            print(re.sub('^', '# ', text, flags=re.M), flush=True)
    return 1 if failed else 0


def promises(*functions):
    """Functions whose names are promises, as checks."""
    return [(function.__name__, function) for function in functions]


def output_of(*command, timeout=PATIENCE_S):
    result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                            timeout=timeout, check=False)
    assert result.returncode == 0, f'{" ".join(map(str, command))}: {result.stdout}'
    return result.stdout


def open_files(pid):
    """What a process has open, by fd; what it closes meanwhile may be missing."""
    found = {}
    for link in Path(f'/proc/{pid}/fd').iterdir():
        with contextlib.suppress(FileNotFoundError):
            found[int(link.name)] = os.readlink(link)
    return found


def load_vivid(inputs, **parameters):
    """Load vivid with one video node an input, of INPUTS' kinds. Returns the nodes' paths."""
    unload_vivid()
    n = len(inputs)
    kinds = ','.join(INPUTS[kind] for kind in inputs)
    output_of('modprobe', 'vivid', f'n_devs={n}', 'node_types=' + ','.join(['0x1'] * n),
              'num_inputs=' + ','.join(['1'] * n), f'input_types={kinds}',
              *(f'{name}={value}' for name, value in parameters.items()))
    listing = output_of('sh', '-c', 'grep -l "^vivid-.*-vid-cap" /sys/class/video4linux/*/name')
    # sysfs lists 10 before 2; vivid made them in order.
    return sorted((f'/dev/{path.split("/")[4]}' for path in listing.split()),
                  key=lambda node: int(node.removeprefix('/dev/video')))


def load_heaps():
    """Have DMA heaps and udmabuf; tests/vm/modules/."""
    for module in ('heaps', 'pages'):
        output_of('modprobe', module)


def unload_vivid():
    output_of('modprobe', '-r', 'vivid')


def run_with_vivid(checks):
    """As run(), and unload vivid whatever happens."""
    try:
        return run(checks)
    finally:
        unload_vivid()


def set_controls(node, **values):
    output_of('v4l2-ctl', '-d', node, '-c',
              ','.join(f'{name}={value}' for name, value in values.items()))


class Fanlight:
    """A running Fanlight at a port of its own; its log is shown if the block fails."""

    def __init__(self, *options, **process):
        self.log = []
        self.logged = threading.Condition()
        self.process = subprocess.Popen(
            [FANLIGHT, '--http', '127.0.0.1:0', '--https', 'off', *options],
            **{'stdin': subprocess.DEVNULL, **process}, stderr=subprocess.PIPE, text=True)
        self.reader = threading.Thread(target=self.read_log)
        self.reader.start()

    def read_log(self):
        for line in self.process.stderr:
            with self.logged:
                self.log.append(line.rstrip())
                self.logged.notify_all()
        with self.logged:
            self.log.append('(end of log)')
            self.logged.notify_all()

    def __enter__(self):
        try:
            self.url = self.wait_for(r'http://127\.0\.0\.1:\d+')[0]
        except Exception:
            self.__exit__(*sys.exc_info())
            raise
        return self

    def __exit__(self, kind, value, trace):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            code = self.process.wait()
        self.reader.join()
        self.process.stderr.close()
        if kind:
            print(*(f'# {line}' for line in self.log), sep='\n')
        else:
            assert code == 0, f'exit code {code}; log: {self.log}'

    def wait_for(self, pattern, after=0):
        """The match of the first line of the log, from number after on, that has the pattern."""
        def found():
            matches = (re.search(pattern, line) for line in self.log[after:])
            return next(filter(None, matches), None) or '(end of log)' in self.log
        with self.logged:
            match = self.logged.wait_for(found, PATIENCE_S)
        assert isinstance(match, re.Match), f'the log never said {pattern}'
        return match

    def get(self, path):
        """Status, headers and body of one request."""
        try:
            with urllib.request.urlopen(self.url + path, timeout=PATIENCE_S) as response:
                return response.status, response.headers, response.read()
        except urllib.error.HTTPError as error:
            return error.code, error.headers, error.read()

    def patch(self, change, camera=''):
        """Status and answer of a change to a camera's controls or format."""
        request = urllib.request.Request(f'{self.url}{camera}/controls', method='PATCH',
                                         data=json.dumps(change).encode(),
                                         headers={'Content-Type': 'application/json'})
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE_S) as response:
                return response.status, json.load(response)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)

    def jpeg(self, camera=''):
        """The newest picture; a camera may need longer for its first than a request waits."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            status, headers, body = self.get(f'{camera}/snapshot')
            if status == 200:
                return headers, body
            assert time.monotonic() < deadline, f'no picture: {status} {body}'
            time.sleep(0.1)

    def snapshot(self, camera=''):
        image = Image.open(io.BytesIO(self.jpeg(camera)[1]))
        image.load()
        return image

    def state(self):
        return json.loads(self.get('/state')[2])

    def until(self, promise, camera=0):
        """The state of a camera as soon as it is as promised."""
        deadline = time.monotonic() + PATIENCE_S
        while not promise(state := self.state()['cameras'][camera]):
            assert time.monotonic() < deadline, f'it never was as promised, but {state}'
        return state

    def stream(self, camera=''):
        """An iterator over the pictures of one stream, as long as Fanlight runs."""
        return (picture for picture, is_placeholder in self.parts(camera) if not is_placeholder)

    def parts(self, camera=''):
        """As stream(), but with placeholders, and whether each is one."""
        with urllib.request.urlopen(f'{self.url}{camera}/stream', timeout=PATIENCE_S) as response:
            length, is_placeholder = 0, False
            while line := response.readline():
                line = line.strip().lower()
                is_placeholder |= line.startswith(b'x-fanlight-placeholder:')
                if line.startswith(b'content-length:'):
                    length = int(line.split(b':')[1])
                elif not line and length:
                    yield response.read(length), is_placeholder
                    length, is_placeholder = 0, False


class Viewer:
    """Somebody who opens one stream and watches it, whatever happens to the camera."""

    def __init__(self, fanlight, camera=''):
        self.pictures, self.newest, self.watching = 0, None, True
        self.sees_placeholder = False
        self.changed = threading.Condition()
        self.thread = threading.Thread(target=self.watch, args=(fanlight.parts(camera),))
        self.thread.start()

    def watch(self, parts):
        try:
            for picture, is_placeholder in parts:
                with self.changed:
                    self.sees_placeholder = is_placeholder
                    if not is_placeholder:
                        self.pictures += 1
                        self.newest = picture
                    self.changed.notify_all()
        except (OSError, http.client.HTTPException):
            pass  # Fanlight was stopped
        with self.changed:
            self.watching = False
            self.changed.notify_all()

    def wait_for_more(self, pictures=2):
        """See so many more. Returns the last."""
        with self.changed:
            wanted = self.pictures + pictures
            self.changed.wait_for(lambda: not self.watching or self.pictures >= wanted, PATIENCE_S)
            assert self.pictures >= wanted, f'{"no more pictures" if self.watching else "cut off"}'
            return self.newest


    def wait_for_placeholder(self):
        """See none but a placeholder."""
        with self.changed:
            self.changed.wait_for(lambda: not self.watching or self.sees_placeholder, PATIENCE_S)
            assert self.sees_placeholder, 'no placeholder'


def row(fault, seconds, lost):
    print(f'# {fault} | {len(seconds)} | {len(seconds)} | {statistics.median(seconds):.2f} | '
          f'{max(seconds):.2f} | {lost}', flush=True)


def recover(fanlight, viewers, inject, happened):
    """Inject a fault, see it counted and every viewer served again. Returns how long that took."""
    before = fanlight.state()['cameras'][0]
    began = time.monotonic()
    inject()
    fanlight.until(lambda camera: happened(before, camera))
    fanlight.until(lambda camera: camera['online'])
    for viewer in viewers:
        viewer.wait_for_more()
    return time.monotonic() - began
