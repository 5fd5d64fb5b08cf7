#!/usr/bin/env python3
"""Starting and stopping ten times leaves no process, no mapping and no buffer behind."""
import fcntl
import os
import pty
import re
import signal
import sys
import termios
from pathlib import Path

import guest

TIMES = 10
DMABUFS = Path('/sys/kernel/debug/dma_buf/bufinfo')


def users(node):
    """Processes that have the node open or mapped."""
    found = []
    for process in Path('/proc').glob('[0-9]*'):
        try:
            files = guest.open_files(process.name).values()
            if node in files or node in (process / 'maps').read_text():
                found.append((process.name, (process / 'comm').read_text().strip()))
        except OSError:
            continue  # it ended
    return found


def dmabufs():
    """How many dma-bufs the whole machine has."""
    return int(re.search(r'Total (\d+) objects', DMABUFS.read_text())[1])


class Restarts:
    def __init__(self, node):
        self.node = node
        self.dmabufs_before = dmabufs()

    def check_stop(self, by_key):
        """A viewer stays attached, so that there is something to let go of."""
        keyboard, terminal = pty.openpty()
        process = in_foreground_of(terminal) if by_key else {}
        with guest.Fanlight('--source', self.node, '--size', '640x360', '--fps', '15',
                            **process) as fanlight:
            stream = fanlight.stream()
            next(stream)
            assert users(self.node), 'the camera is not even open'
            assert dmabufs() > self.dmabufs_before, 'no buffer was exported'
            if by_key:
                fanlight.wait_for('q or Ctrl-C')
                os.write(keyboard, b'q')
            else:
                fanlight.process.send_signal(signal.SIGTERM)
            assert fanlight.process.wait(guest.PATIENCE_S) == 0
        os.close(keyboard)
        os.close(terminal)
        assert not users(self.node), users(self.node)
        assert dmabufs() == self.dmabufs_before, DMABUFS.read_text()

    def another_program_gets_buffers(self):
        guest.output_of('v4l2-ctl', '-d', self.node, '--stream-mmap=4', '--stream-count=2')


def in_foreground_of(terminal):
    """How to start a process that this terminal's keys are for; others leave it alone."""
    return {'stdin': terminal, 'start_new_session': True,
            'preexec_fn': lambda: fcntl.ioctl(terminal, termios.TIOCSCTTY, 0)}


def the_module_can_be_unloaded():
    guest.unload_vivid()
    assert not Path('/sys/module/vivid').exists()


def main():
    node, = guest.load_vivid(['webcam'])
    restarts = Restarts(node)
    checks = []
    for number in range(TIMES):
        by_key = bool(number % 2)
        checks.append((f'stop {number + 1} by {"q" if by_key else "SIGTERM"} leaves nothing behind',
                       lambda by_key=by_key: restarts.check_stop(by_key)))
    checks += guest.promises(restarts.another_program_gets_buffers, the_module_can_be_unloaded)
    return guest.run(checks)


if __name__ == '__main__':
    sys.exit(main())
