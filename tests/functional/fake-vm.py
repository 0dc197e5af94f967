#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A socle-vm that behaves badly, in the way that its --kernel says."""
import json
import os
import socket
import sys
import time

HELLO = b'{"QMP": {"version": {}, "capabilities": []}}\r\n'


def option(name):
    start = f'--{name}='
    return next(arg[len(start):] for arg in sys.argv[1:] if arg.startswith(start))


def serve(client, manner):
    client.sendall(b'noise\n' if manner == 'mess' else HELLO)
    for line in client.makefile('rb'):
        request = json.loads(line)
        name = request['execute']
        if manner == 'deaf' and name != 'qmp_capabilities':
            continue
        result = {}
        if name == 'query-status':
            result = {'running': True, 'status': 'running'}
        elif name == 'query-cpus-fast':
            result = [{'thread-id': os.getpid()}]
        elif name == 'query-chardev' and manner == 'lies':
            result = [{'label': 'serial0', 'filename': 'pty:/etc/passwd'}]
        elif name.startswith('query-'):
            result = []
        client.sendall(json.dumps({'return': result, 'id': request['id']}).encode() + b'\r\n')
        if manner == 'drops' and name == 'query-balloon':
            return
        if manner == 'flood' and name == 'query-balloon':
            while True:
                client.sendall(b'{"event": "STOP"}\n' * 1000)


def main():
    manner = os.path.basename(option('kernel'))
    if manner == 'silent':
        time.sleep(1000)
    if manner == 'talks':
        sys.stderr.write('socle-vm: first\n\nsocle-vm: the \033 reason\n')
        sys.exit(1)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(option('monitor')[len('unix='):])
        server.listen()
        while True:
            client = server.accept()[0]
            with client:
                try:
                    serve(client, manner)
                except OSError:
                    pass


main()
