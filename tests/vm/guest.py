"""What the tests in this folder share: cameras that the kernel makes up, a running Fanlight, TAP.

They run as root, in the guest or on a machine with vivid: TEST.py FANLIGHT FAKECAM
"""
import io
import json
import re
import signal
import subprocess
import sys
import threading
import traceback
import urllib.error
import urllib.request
from pathlib import Path

from PIL import Image

HERE = Path(__file__).resolve().parent
FANLIGHT, FAKECAM = sys.argv[1:3]
WIDTH, HEIGHT = 640, 360

# An emulated machine is slow; nothing here is about speed, a test that waits this long has failed.
PATIENCE_S = 30


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
                if Path(frame.filename).parent == HERE:
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
    assert result.returncode == 0, f'{" ".join(command)}: {result.stdout}'
    return result.stdout


def load_vivid(inputs, **parameters):
    """Load vivid with one video node an input: 'webcam' or 'hdmi'. Returns the nodes' paths."""
    unload_vivid()
    n = len(inputs)
    kinds = ','.join('0x0' if kind == 'webcam' else '0x3' for kind in inputs)
    output_of('modprobe', 'vivid', f'n_devs={n}', 'node_types=' + ','.join(['0x1'] * n),
              'num_inputs=' + ','.join(['1'] * n), f'input_types={kinds}',
              *(f'{name}={value}' for name, value in parameters.items()))
    listing = output_of('sh', '-c', 'grep -l "^vivid-.*-vid-cap" /sys/class/video4linux/*/name')
    # sysfs lists 10 before 2; vivid made them in order.
    return sorted((f'/dev/{path.split("/")[4]}' for path in listing.split()),
                  key=lambda node: int(node.removeprefix('/dev/video')))


def unload_vivid():
    output_of('modprobe', '-r', 'vivid')


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

    def jpeg(self, camera=''):
        """The newest picture; a camera may need longer for its first than a request waits."""
        for _ in range(5):
            status, headers, body = self.get(f'{camera}/snapshot')
            if status == 200:
                return headers, body
        raise AssertionError(f'no picture: {status} {body}')

    def snapshot(self, camera=''):
        image = Image.open(io.BytesIO(self.jpeg(camera)[1]))
        image.load()
        return image

    def state(self):
        return json.loads(self.get('/state')[2])

    def stream(self, camera=''):
        """An endless iterator over the pictures of one stream."""
        with urllib.request.urlopen(f'{self.url}{camera}/stream', timeout=PATIENCE_S) as response:
            while True:
                length = 0
                while line := response.readline().strip().lower():
                    if line.startswith(b'content-length:'):
                        length = int(line.split(b':')[1])
                if length:
                    yield response.read(length)
