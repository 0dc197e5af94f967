#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Where the serial port can go: file, socket, pty, nowhere."""
import os
import re
import select
import signal
import socket
import time
import tty

import vm
from waiting import read_until, wait_for


class Serial(vm.Case):
    def machine(self, serial):
        machine = vm.Machine('--serial', serial, '--monitor', 'unix=monitor')
        self.addCleanup(machine.__exit__)
        return machine

    def quit(self, machine):
        with vm.Qmp('monitor') as qmp:
            qmp.call('quit')
        return machine.end()

    def test_file(self):
        for name in ('out', 'with,comma'):
            machine = self.machine('file=' + name.replace(',', ',,'))
            wait_for(lambda: os.path.exists(name) and os.path.getsize(name), 'output')
            self.assertEqual(self.quit(machine), (0, b'', ''))
            with open(name, 'rb') as file:
                self.assertEqual(file.read(), b'B')

    def test_full_disk(self):
        machine = self.machine('file=/dev/full')
        status, _, err = self.quit(machine)
        self.assertEqual(status, 0)
        if err:
            self.assert_sentence(err, 'No space left')

    def test_none(self):
        self.assertEqual(self.quit(self.machine('none')), (0, b'', ''))

    def connect(self):
        client = socket.socket(socket.AF_UNIX)
        self.addCleanup(client.close)

        def attempt():
            try:
                client.connect('serial')
            except (FileNotFoundError, ConnectionRefusedError):
                return False
            return True
        wait_for(attempt, 'socket serial')
        return client

    def echo(self, fd, text):
        """What is printed while nobody is seen to listen is lost: so ask until it is heard."""
        def heard():
            os.write(fd, text)
            return select.select([fd], [], [], 0.1)[0]
        wait_for(heard, 'echo')
        read_until(fd, text)

    def test_unix(self):
        machine = self.machine('unix=serial')
        for _ in range(5):
            client = self.connect()
            self.echo(client.fileno(), b'hello')
            client.close()
        # One client at a time: the second is served when the first has left.
        first, second = self.connect(), self.connect()
        self.echo(first.fileno(), b'one')
        second.send(b'two')
        self.assertFalse(select.select([second], [], [], 0.2)[0])
        first.close()
        read_until(second.fileno(), b'two')
        second.send(b'q')
        self.assertEqual(machine.end(), (0, b'', ''))
        self.assertFalse(os.path.exists('serial'))

    def test_unix_deaf_client(self):
        machine = self.machine('unix=serial')
        client = self.connect()
        self.echo(client.fileno(), b'x')
        client.send(b'F')
        with vm.Qmp('monitor') as qmp:
            self.assertTrue(qmp.call('query-status')['running'])
        client.close()
        # What is left of the flood goes to the next one, who reads it.
        client = self.connect()
        client.send(b'q')
        while client.recv(1 << 16):
            pass
        self.assertEqual(machine.end()[0], 0)

    def test_pty_kept(self):
        """What was printed before somebody came is there for him."""
        machine = self.machine('pty')
        line = machine.process.stderr.readline().decode()
        path = re.search(r'/dev/pts/\d+', line)[0]
        for words in (b'B', b''):
            time.sleep(0.5)
            fd = os.open(path, os.O_RDWR | os.O_NOCTTY)
            tty.setraw(fd, tty.TCSANOW)
            if words:
                self.assertEqual(os.read(fd, 100), words)
            self.echo(fd, b'hello')
            os.close(fd)
        self.assertEqual(vm.end_by_signal(machine.process, signal.SIGTERM), 0)

    def test_pty(self):
        machine = self.machine('pty')
        line = machine.process.stderr.readline().decode()
        path = re.search(r'/dev/pts/\d+', line)[0]
        with vm.Qmp('monitor') as qmp:
            self.assertEqual(qmp.call('query-chardev')[0]['filename'], 'pty:' + path)
        for _ in range(2):
            fd = os.open(path, os.O_RDWR | os.O_NOCTTY)
            tty.setraw(fd)
            self.echo(fd, b'hello')
            os.close(fd)
        fd = os.open(path, os.O_RDWR | os.O_NOCTTY)
        self.echo(fd, b'again')
        os.write(fd, b'q')
        self.assertEqual(machine.end(), (0, b'', ''))
        os.close(fd)


if __name__ == '__main__':
    vm.main()
