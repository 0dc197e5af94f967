#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Machines that socle makes: create, clone, templates; and what Ctrl-C in the middle of it leaves: nothing.

usage: test-make.py [CLASS...]. Environment: that of daemon.py, and SOCLE the command line.
"""
import contextlib
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
import unittest

import daemon as tool
from daemon import wait_for

SOCLE = os.environ['SOCLE']
# Procedures of libvirt's protocol.
DEFINE, START, CREATE_XML, VOL_CREATE, VOL_COPY, VOL_UPLOAD = 350, 196, 10, 93, 125, 208
INTERRUPTED = 130


class Proxy:
    """Between socle and the daemon: a call that is named has no answer until it is let go."""

    def __init__(self, path, target):
        self.path, self.target = path, target
        self.held, self.seen, self.go = None, threading.Event(), threading.Event()
        self.server = socket.socket(socket.AF_UNIX)
        self.server.bind(path)
        self.server.listen()
        threading.Thread(target=self.accept, daemon=True).start()

    def hold(self, procedure):
        self.held = procedure
        self.seen.clear()
        self.go.clear()

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                client = self.server.accept()[0]
                daemon = socket.socket(socket.AF_UNIX)
                daemon.connect(self.target)
                stop = threading.Event()
                threading.Thread(target=self.up, args=(client, daemon, stop), daemon=True).start()
                threading.Thread(target=self.down, args=(client, daemon, stop), daemon=True).start()

    @staticmethod
    def read(sock, count):
        data = b''
        while len(data) < count:
            more = sock.recv(count - len(data))
            if not more:
                raise OSError
            data += more
        return data

    def up(self, client, daemon, stop):
        with contextlib.suppress(OSError):
            while True:
                head = self.read(client, 16)
                length, _, _, procedure = struct.unpack('>IIII', head)
                data = head + self.read(client, length - 16)
                if procedure == self.held:
                    self.held = None
                    stop.set()
                    daemon.sendall(data)
                    self.seen.set()
                    continue
                daemon.sendall(data)
        with contextlib.suppress(OSError):
            daemon.shutdown(socket.SHUT_RDWR)
        self.go.set()

    def down(self, client, daemon, stop):
        with contextlib.suppress(OSError):
            while data := daemon.recv(65536):
                if stop.is_set():
                    self.go.wait()
                client.sendall(data)
        with contextlib.suppress(OSError):
            client.shutdown(socket.SHUT_RDWR)
        client.close()
        daemon.close()


class Case(tool.Case):
    """A session's daemon with the pool 'default', and a way to it that can be held."""

    def setUp(self):
        super().setUp()
        self.one = self.daemon('--session', *(f'--{name}={self.path(name)}' for name in ('run', 'log-dir')))
        self.uri = f'qemu:///session?socket={self.one.socket}'
        self.proxy = Proxy(self.path('proxy'), self.one.socket)
        self.addCleanup(self.proxy.server.close)
        self.held_uri = f'qemu:///session?socket={self.path("proxy")}'
        self.images = self.path('images')
        self.good('pool', 'define-as', 'default', '--target', self.images, '--build', '--start')

    def path(self, name):
        return os.path.join(self.dir, name)

    def start(self, *words, uri=None):
        return subprocess.Popen([SOCLE, '-c', uri or self.uri, *words], stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def socle(self, *words, **more):
        process = self.start(*words, **more)
        out, err = process.communicate(timeout=2 * tool.PATIENCE)
        return process.returncode, out, err

    def good(self, *words):
        status, out, err = self.socle(*words)
        self.assertEqual((status, err), (0, ''), (words, out))
        return out

    def bad(self, *words, status=1, says=''):
        got, out, err = self.socle(*words)
        self.assertEqual((got, out), (status, ''), (words, err))
        self.assertIn(says, err)
        self.assertEqual(err.count('\n'), 1, err)

    def json(self, *words):
        return json.loads(self.good(*words, '-o', 'json'))

    def image(self, name='image.qcow2', size='16M'):
        path = self.path(name)
        subprocess.run([os.environ['SOCLE_IMG'], 'create', '-q', '-f', 'qcow2', path, size], check=True)
        return path

    def machine(self, name, *words):
        """One that is shut off, with a disk of its own."""
        return self.good('create', name, '--disk', 'size=16M', '--no-start', '--network', 'none', *words)

    def left(self):
        return sorted(os.listdir(self.images)), self.good('list', '--all', '-o', 'name').split()


class Interrupted(Case):
    """Ctrl-C in the middle of each step."""

    def interrupt(self, procedure, name, *words, sig=signal.SIGINT):
        before = self.left()
        self.proxy.hold(procedure)
        process = self.start(*words, uri=self.held_uri)
        self.assertTrue(self.proxy.seen.wait(tool.PATIENCE), words)
        process.send_signal(sig)
        # A call that is short is waited for.
        if procedure != VOL_COPY:
            self.proxy.go.set()
        out, err = process.communicate(timeout=tool.PATIENCE)
        self.assertEqual((process.returncode, out, err),
                         (INTERRUPTED, '', f"socle: '{name}' was interrupted, and what had been made of it "
                                           'is gone\n'), words)
        wait_for(lambda: self.left() == before, f'{before} after {words}')

    def test_create(self):
        image = self.image()
        for procedure in (VOL_CREATE, VOL_UPLOAD, DEFINE, START):
            for sig in (signal.SIGINT, signal.SIGTERM):
                with self.subTest(procedure=procedure, sig=sig):
                    self.interrupt(procedure, 'web', 'create', 'web', '--image', image, '--network', 'none', '--kernel',
                                   tool.KEYS, sig=sig)

    def test_clone(self):
        self.machine('web')
        for more in ((), ('--linked',)):
            for procedure in (VOL_CREATE if more else VOL_COPY, DEFINE):
                with self.subTest(procedure=procedure, more=more):
                    self.interrupt(procedure, 'two', 'clone', 'web', 'two', *more)
        self.interrupt(VOL_COPY, 'copy', 'vol', 'clone', 'default/web.qcow2', 'copy')

    def test_twice(self):
        """The second one does not wait for anybody."""
        self.proxy.hold(DEFINE)
        process = self.start('create', 'web', '--kernel', tool.KEYS, '--network', 'none', uri=self.held_uri)
        self.assertTrue(self.proxy.seen.wait(tool.PATIENCE))
        process.send_signal(signal.SIGINT)
        # The first has been taken when it is pending no more.
        wait_for(lambda: self.taken(process.pid), 'the first signal')
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.wait(tool.PATIENCE), -signal.SIGINT)
        self.assertEqual(process.communicate()[1], '')

    @staticmethod
    def taken(pid):
        with open(f'/proc/{pid}/status', encoding='ascii') as file:
            pending = [line.split()[1] for line in file if line.startswith(('SigPnd', 'ShdPnd'))]
        return all(int(mask, 16) == 0 for mask in pending)

    def test_nohup(self):
        """Who has switched signals off is not asked."""
        self.proxy.hold(DEFINE)
        process = subprocess.Popen(['sh', '-c', 'trap "" INT HUP; exec "$@"', 'sh', SOCLE, '-c', self.held_uri, 'create',
                                    'web', '--kernel', tool.KEYS, '--network', 'none', '--no-start'],
                                   stdout=subprocess.PIPE, text=True)
        self.assertTrue(self.proxy.seen.wait(tool.PATIENCE))
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGHUP)
        self.proxy.go.set()
        self.assertEqual(process.communicate(timeout=tool.PATIENCE)[0], "'web' is made\n")
        self.assertEqual(process.returncode, 0)


if __name__ == '__main__':
    unittest.main(argv=sys.argv)
