#!/usr/bin/env python3
"""A camera of vivid for a page that the host's browser shows: Fanlight at port 8080.

At port 8081 v4l2-ctl takes orders, a JSON list of its arguments each, and answers what it says. An
empty list ends all.
"""
import http.server
import json
import socketserver
import subprocess
import sys

import guest

CARD = 'eth0'
OWN_ADDRESS = '10.0.2.15'  # in QEMU's user network


class Orders(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        words = json.loads(self.rfile.read(int(self.headers['Content-Length'])))
        # It takes no order as one to say what it can do.
        said = subprocess.run(['v4l2-ctl', '-d', self.server.node, *words], check=False,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.send_response(500 if said.returncode else 200)
        self.end_headers()
        self.wfile.write(said.stdout)
        self.server.ended = not words

    def log_message(self, *_):
        pass


def main():
    guest.output_of('modprobe', 'virtio_net')
    guest.output_of('busybox', 'ifconfig', CARD, OWN_ADDRESS, 'up')
    node, = guest.load_vivid(['webcam'])
    with subprocess.Popen([guest.FANLIGHT, '--http', f'{OWN_ADDRESS}:8080', '--https', 'off',
                           '--source', node, '--size', '320x180', '--fps', '15', '--format',
                           'YUYV'], stdin=subprocess.DEVNULL) as fanlight, \
            socketserver.TCPServer((OWN_ADDRESS, 8081), Orders) as orders:
        orders.node, orders.ended = node, False
        while not orders.ended:
            orders.handle_request()
        fanlight.terminate()
        return fanlight.wait(guest.PATIENCE_S)


if __name__ == '__main__':
    sys.exit(main())
