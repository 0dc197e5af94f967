#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A screen: what firmware, GRUB and Linux show on it, by screendump and by VNC, and keys that are pressed.

usage: test-display.py [CLASS...]

Without SeaBIOS on this host, or what Console is made of, they are skipped: status 77.
"""
import array
import os
import pathlib
import socket
import time

import vm
import vnc
from loaders import SEABIOS, Bios, grub_disk, need

vm.PATIENCE = max(vm.PATIENCE, 240)

INIT = '''
echo GUEST-UP >/dev/tty0
while read -r line </dev/tty0; do echo "heard $line" >/dev/tty0; done
'''

GRUB = '''
set timeout=-1
menuentry 'not this one' { true }
menuentry 'linux' {
	linux /boot/vmlinuz quiet console=tty0
	initrd /boot/initrd.gz
}
'''


def pass_fd(client, name, fd):
    """QMP's getfd."""
    text = f'{{"execute": "getfd", "arguments": {{"fdname": "{name}"}}}}'.encode()
    client.socket.sendmsg([text], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array('i', [fd]))])
    return client.answer()


def has(text):
    return lambda client: any(text in line for line in client.text())


class Screen(vm.Case):
    """A disk that does not boot: SeaBIOS says so on the screen."""

    def machine(self, *args):
        with open('disk.img', 'wb') as file:
            file.truncate(4 << 20)
        machine = Bios('--disk', 'path=disk.img,format=raw', '--serial', 'none', '--monitor', 'unix=q',
                       '--vga', 'std', *args)
        self.addCleanup(machine.__exit__)
        return machine

    @staticmethod
    def shown(qmp):
        qmp.call('screendump', filename='screen.ppm')
        return vnc.cells(vnc.ppm('screen.ppm'))

    def test_screendump(self):
        self.machine()
        with vm.Qmp('q') as qmp:
            vm.wait_for(lambda: any('No bootable device' in line for line in self.shown(qmp)),
                        'the end of the BIOS')
            self.assertTrue(self.shown(qmp)[0].startswith('SeaBIOS (version '))
            qmp.call('screendump', filename='screen.png', format='png')
            self.assertEqual(pathlib.Path('screen.png').read_bytes()[:8], b'\x89PNG\r\n\x1a\n')
            for args, word in (({'filename': 'x', 'format': 'gif'}, 'ppm or png'),
                               ({'filename': 'x', 'head': 1}, 'one screen'),
                               ({'filename': '/none/x'}, "cannot write '/none/x'")):
                self.assertIn(word, qmp.request('screendump', **args)['error']['desc'])
            self.assertIn('no VNC server', qmp.request('set_password', protocol='vnc',
                                                       password='x')['error']['desc'])
            # Behind a reset it is as before.
            qmp.call('system_reset')
            vm.wait_for(lambda: any('No bootable device' in line for line in self.shown(qmp)),
                        'the end of the BIOS')

    def test_screendump_aside(self):
        """Nobody takes a picture that was asked for: the main loop goes on, and the machine ends when told."""
        machine = self.machine('--vnc', 'unix=v')
        reader, writer = os.pipe()
        with vm.Qmp('q') as qmp:
            pass_fd(qmp, 'pipe', writer)
            os.close(writer)
            qmp.send(b'{"execute": "screendump", "arguments": {"x-fdname": "pipe", "format": "ppm"}}')
            with vnc.Client('v') as client:
                client.look(has('No bootable device'))
            with os.fdopen(reader, 'rb') as picture:
                self.assertEqual(len(picture.read()), len(b'P6\n720 400\n255\n') + 720 * 400 * 3)
            self.assertEqual(qmp.answer(), {'return': {}})
            # Once more, and it is never read.
            reader, writer = os.pipe()
            pass_fd(qmp, 'pipe', writer)
            os.close(writer)
            qmp.send(b'{"execute": "screendump", "arguments": {"x-fdname": "pipe"}}')
            machine.process.terminate()
            machine.process.wait(vm.PATIENCE)
            os.close(reader)

    def test_password(self):
        self.machine('--vnc', 'unix=v,password=on')
        with vm.Qmp('q') as qmp:
            self.assertEqual(qmp.call('query-vnc')['auth'], 'vnc')
            # There is none yet: nobody comes in.
            for password in ('', 'secret'):
                with self.assertRaises(vnc.Refused):
                    vnc.Client('v', password)
            qmp.call('set_password', protocol='vnc', password='secret')
            with self.assertRaises(vnc.Refused):
                vnc.Client('v', 'secres')
            with vnc.Client('v', 'secret') as client:
                client.look(has('No bootable device'))
                qmp.event('VNC_INITIALIZED')
                qmp.call('set_password', protocol='vnc', password='other', connected='keep')
                client.look(has('No bootable device'))
                qmp.call('set_password', protocol='vnc', password='third', connected='disconnect')
                with self.assertRaises((EOFError, ConnectionError)):
                    client.look(lambda _: False)
                qmp.event('VNC_DISCONNECTED')
            with self.assertRaises(vnc.Refused):
                vnc.Client('v', 'secret')
            for when, works in (('now', False), ('never', True), ('+600', True), ('1', False)):
                qmp.call('expire_password', protocol='vnc', time=when)
                if works:
                    vnc.Client('v', 'third').close()
                else:
                    with self.assertRaises(vnc.Refused):
                        vnc.Client('v', 'third')
            self.assertIn('there is vnc', qmp.request('set_password', protocol='spice',
                                                      password='x')['error']['desc'])

    def test_descriptor(self):
        self.machine('--vnc', 'none,password=on')
        with vm.Qmp('q') as qmp:
            ours, theirs = socket.socketpair()
            with theirs:
                self.assertIn('return', pass_fd(qmp, 'one', theirs.fileno()))
            qmp.call('add_client', protocol='vnc', fdname='one', skipauth=True)
            with vnc.Client(ours) as client:
                self.assertEqual(client.kinds, b'\x01')
                client.look(has('No bootable device'))
            self.assertIn("'one' has not been found",
                          qmp.request('add_client', protocol='vnc', fdname='one')['error']['desc'])
            self.assertIn('No file descriptor', qmp.request('getfd', fdname='two')['error']['desc'])
            with open('disk.img', 'rb') as file:
                self.assertIn('return', pass_fd(qmp, 'two', file.fileno()))
            self.assertIn('error', qmp.request('add_client', protocol='vnc', fdname='two'))
            ours, theirs = socket.socketpair()
            with ours, theirs:
                self.assertIn('return', pass_fd(qmp, 'three', theirs.fileno()))
            qmp.call('closefd', fdname='three')
            self.assertIn('error', qmp.request('closefd', fdname='three'))

    def test_bad_clients(self):
        """Those who say nothing, do not read, or talk nonsense keep nobody waiting."""
        machine = self.machine('--vnc', 'unix=v')
        before = vm.resident(machine.process.pid)
        with vm.Qmp('q') as qmp:
            silent = [socket.socket(socket.AF_UNIX) for _ in range(4)]
            for peer in silent:
                peer.connect('v')
                self.addCleanup(peer.close)
            deaf = vnc.Client('v')
            self.addCleanup(deaf.close)
            for _ in range(20):
                deaf.ask(whole=True)
            for nonsense in (b'GET / HTTP/1.0\r\n\r\n', b'\0' * 4096, bytes(range(256)) * 64):
                with socket.socket(socket.AF_UNIX) as peer:
                    peer.connect('v')
                    try:
                        peer.sendall(b'RFB 003.008\n' + nonsense)
                    except ConnectionError:
                        pass
            flood = vnc.Client('v')
            self.addCleanup(flood.close)
            flood.socket.settimeout(5)
            try:
                for number in range(2000):
                    flood.send(b'\x05\0' + (number % 700).to_bytes(2, 'big') * 2)
            except socket.timeout:
                pass
            begin = time.monotonic()
            for _ in range(20):
                qmp.call('query-status')
            self.assertLess(time.monotonic() - begin, 10)
            with vnc.Client('v') as client:
                client.look(has('No bootable device'))
            # So many and no more.
            more = []
            for _ in range(20):
                peer = socket.socket(socket.AF_UNIX)
                self.addCleanup(peer.close)
                peer.connect('v')
                peer.settimeout(30)
                more.append(peer)
            self.assertIn(b'', [peer.recv(12) for peer in more])
            qmp.call('query-status')
            # Each of the 16 may have a picture of its own, of 16 MiB, and nothing else grows.
            if not vm.SANITIZED:
                self.assertLess(vm.resident(machine.process.pid, 'VmHWM') - before, 16 * 20 << 10)
            # The silent ones are put out.
            silent[0].settimeout(30)
            self.assertEqual(silent[0].recv(12), b'RFB 003.008\n')
            self.assertEqual(silent[0].recv(12), b'')
            qmp.call('quit')

    def test_refusals(self):
        for args, words in ((['--vga', 'vga'], ('std',)),
                            (['--vnc', 'none'], ('add --vga std',)),
                            (['--vga', 'std', '--vnc', ':1'], ('127.0.0.1:1',)),
                            (['--vga', 'std', '--vnc', 'localhost'], ('HOST:PORT',)),
                            (['--vga', 'std,addr=32'], ('32',)),
                            (['--vga', 'std', '--vnc', 'fd=99'], ('--vnc: ',)),
                            (['--vga', 'std', '--vnc', 'unix=/none/v'], ('--vnc: ', '/none/v'))):
            with self.subTest(args=args):
                pathlib.Path('disk.img').write_bytes(bytes(1 << 20))
                result = vm.run(vm.VM, '--engine', 'emu', '--serial', 'none', '--disk',
                                'path=disk.img,format=raw', *args)
                self.assertEqual(result.returncode, 1)
                self.assert_sentence(result.stderr.decode(), *words)

    def test_none(self):
        self.machine('--vga', 'none')
        with vm.Qmp('q') as qmp:
            self.assertIn('--vga std', qmp.request('screendump', filename='x')['error']['desc'])
            self.assertEqual(qmp.call('query-vnc'), {'enabled': False})


class Console(vm.Case):
    """GRUB's menu and Linux' console, used by a VNC client."""

    def test(self):
        grub_disk('disk.img', INIT, GRUB, [])
        with Bios('--disk', 'path=disk.img', '--serial', 'none', '--monitor', 'unix=q', '--vga', 'std',
                  '--vnc', 'unix=v', memory='256M'), vm.Qmp('q') as qmp:
            vm.wait_for(lambda: pathlib.Path('v').exists(), 'the socket')
            with vnc.Client('v', encodings=(vnc.RAW, vnc.SIZE, vnc.KEYS, vnc.MOTION)) as client:
                client.look(has('*not this one'), vm.PATIENCE)
                self.assertEqual(sorted(client.announced), [vnc.KEYS, vnc.MOTION])
                client.key(vnc.DOWN)
                client.look(has('*linux'), vm.PATIENCE)
                client.key(vnc.RETURN)
                client.look(has('GUEST-UP'), vm.PATIENCE)
                client.type('Hello World\n')
                client.look(has('heard Hello World'), vm.PATIENCE)
                # The number counts, not the symbol: QEMU's message.
                for down in (1, 0):
                    client.send(b'\xff\0' + down.to_bytes(2, 'big') + b'\0\0\0?' + b'\0\0\0\x2d')
                client.type('\n')
                client.look(has('heard x'), vm.PATIENCE)
                qmp.call('screendump', filename='screen.ppm')
                shown = vnc.cells(vnc.ppm('screen.ppm'))
                self.assertEqual([line for line in shown if 'heard' in line],
                                 ['heard Hello World', 'heard x'])
            qmp.call('quit')


if __name__ == '__main__':
    need(str(SEABIOS / 'bios-256k.bin'), str(vnc.ROM))
    vm.main()
