#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Networks whose hosts have names: a name server that is slow keeps nobody but who asked.

Runs in a network and mount namespace of its own, in which the tests are the name server. Ends with
77, and the reason, where there cannot be one.
"""
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

import vm
import waiting

NAME = 'peer.test'


class Server:
    """A name server that knows one address, and answers when it is told to."""

    def __init__(self):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(('127.0.0.1', 53))
        self.socket.settimeout(waiting.PATIENCE)

    def close(self):
        self.socket.close()

    def asked(self):
        """The next question, and who asks."""
        return self.socket.recvfrom(512)

    def answer(self, asked):
        query, client = asked
        question = query[12:query.index(0, 12) + 5]
        is_address = question[-4:-2] == b'\0\1'
        record = b'\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4' + socket.inet_aton('127.0.0.1')
        self.socket.sendto(query[:2] + b'\x81\x80\0\1\0' + bytes([is_address]) + bytes(4) +
                           question + (record if is_address else b''), client)


class Names(vm.Case):
    def setUp(self):
        super().setUp()
        self.server = Server()
        self.addCleanup(self.server.close)

    def start(self, *args):
        machine = vm.Machine('--serial', 'stdio', '--monitor', 'unix=qmp', *args)
        self.addCleanup(machine.__exit__)
        return machine

    def add(self, qmp, **address):
        """Begin to add a network on a stream."""
        arguments = ','.join(f'"addr.{key}":"{value}"' for key, value in address.items())
        qmp.send(b'{"execute":"netdev_add","arguments":{"type":"stream","id":"n",' +
                 arguments.encode() + b'}}')

    def test_answered_later(self):
        machine = self.start()
        with vm.Qmp('qmp') as qmp, socket.create_server(('127.0.0.1', 4000)) as listener:
            machine.expect(b'B')
            self.add(qmp, type='inet', host=NAME, port=4000)
            asked = self.server.asked()
            # The main loop has time for others.
            machine.keys(b'x')
            machine.expect(b'x')
            self.server.answer(asked)
            self.server.answer(self.server.asked())
            self.assertEqual(qmp.answer(), {'return': {}})
            listener.settimeout(waiting.PATIENCE)
            listener.accept()[0].close()
            self.assertIn('error', qmp.request('netdev_add', type='stream', id='n'))
            qmp.call('netdev_del', id='n')
            # Nobody is asked for figures.
            self.add(qmp, type='inet', host='127.0.0.1', port=4000)
            self.assertEqual(qmp.answer(), {'return': {}})
            qmp.call('quit')
        self.assertEqual(machine.end()[0], 0)

    def test_end_does_not_wait(self):
        machine = self.start()
        with vm.Qmp('qmp') as qmp:
            machine.expect(b'B')
            self.add(qmp, type='inet', host=NAME, port=4000)
            self.server.asked()
            begin = time.monotonic()
            machine.process.send_signal(signal.SIGTERM)
            self.assertEqual(qmp.answer()['error']['desc'], 'the machine ends')
            self.assertEqual(machine.end()[0], 0)
            self.assertLess(time.monotonic() - begin, 5)

    def test_interrupted_start(self):
        for net in (f'stream,addr.host={NAME},addr.port=4000',
                    f'dgram,remote.host={NAME},remote.port=4000,local.port=4001'):
            machine = self.start('--net', net)
            self.server.asked()
            begin = time.monotonic()
            machine.process.send_signal(signal.SIGINT)
            self.assertEqual(machine.end()[0], -signal.SIGINT)
            self.assertLess(time.monotonic() - begin, 5)
            self.server.socket.setblocking(False)
            try:
                while self.server.asked():
                    pass
            except BlockingIOError:
                self.server.socket.settimeout(waiting.PATIENCE)

    def test_start(self):
        machine = self.start('--net', f'dgram,remote.host={NAME},remote.port=4000,local.port=4001')
        for _ in range(2):
            self.server.answer(self.server.asked())
        with vm.Qmp('qmp') as qmp:
            machine.expect(b'B')
            text = qmp.call('human-monitor-command', command_line='info network')
            self.assertIn(f'{NAME}:4000', text)
            qmp.call('quit')
        self.assertEqual(machine.end()[0], 0)


UNSHARE = ['unshare', '-rnm']
SETUP = 'mount --bind "$0" /etc/resolv.conf && ip link set lo up && exec "$@"'


def main():
    for program in ('ip', 'unshare', 'mount'):
        if not shutil.which(program):
            print(f'there is no {program}')
            sys.exit(77)
    with open('/etc/nsswitch.conf', encoding='ascii') as file:
        if not any(line.startswith('hosts:') and 'dns' in line for line in file):
            print('names are not looked up by DNS here')
            sys.exit(77)
    if subprocess.run([*UNSHARE, 'true'], stderr=subprocess.DEVNULL, check=False).returncode:
        print('no namespaces can be made')
        sys.exit(77)
    with tempfile.NamedTemporaryFile('w', prefix='socle') as file:
        file.write('nameserver 127.0.0.1\noptions timeout:30 attempts:1\n')
        file.flush()
        os.environ['SOCLE_NAMESPACE'] = '1'
        sys.exit(subprocess.run([*UNSHARE, 'sh', '-c', SETUP, file.name, sys.executable,
                                 *sys.argv], check=False).returncode)


if __name__ == '__main__':
    if not os.environ.get('SOCLE_NAMESPACE'):
        main()
    vm.main()
