#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Bad input to socle-vm: one sentence on stderr, exit status 1."""
import os
import socket

import vm


class Options(vm.Case):
    def refused(self, args, *words):
        result = vm.run(vm.VM, *args)
        with self.subTest(args=args):
            self.assertEqual(result.returncode, 1, result)
            self.assertEqual(result.stdout, b'')
            self.assert_sentence(result.stderr.decode(errors='replace'), *words)

    def test_command_line(self):
        kernel = ['--kernel', vm.KEYS]
        self.refused([], '--kernel FILE')
        self.refused(['x'], "'x'", '--kernel FILE')
        self.refused(['--kernel'], 'needs a value')
        self.refused(['-kernel', 'x'], 'two dashes')
        self.refused(['--frobnicate'], "'--frobnicate'", '--help')
        self.refused([*kernel, '--cpus', '0'], '--cpus', "'0'", '1 to 255')
        self.refused([*kernel, '--cpus', '256'], '1 to 255')
        self.refused([*kernel, '--memory', '512'], '512M')
        self.refused([*kernel, '--memory', '99999G'], '--memory')
        self.refused([*kernel, '--engine', 'warp'], 'auto, kvm or emu')
        self.refused(['--engine', 'kvm'], '--kernel FILE')
        self.refused([*kernel, '--cpu', '8086'], '--cpu', 'v2')
        self.refused([*kernel, '--serial', 'modem'], 'stdio, none, pty')
        self.refused([*kernel, '--uuid', '1234'], 'uuidgen')
        self.refused([*kernel, '--monitor', 'tcp=:1'], 'unix=PATH')
        self.refused([*kernel, '--daemonize'], '--serial')

    def test_files(self):
        self.refused(['--kernel', 'nowhere'], 'nowhere', 'No such file')
        self.refused(['--kernel', '.'], "'.'")
        with open(vm.KEYS, 'rb') as file:
            good = file.read()
        for name, content in (('empty', b''), ('random', os.urandom(5000)),
                              ('truncated', good[:200])):
            with open(name, 'wb') as file:
                file.write(content)
            self.refused(['--kernel', name], name)
        self.refused(['--kernel', vm.KEYS, '--initrd', 'gone'], 'gone', 'No such file')

    def test_pidfile_on_full_disk(self):
        self.refused(vm.arguments('--serial', 'none', '--pidfile', '/dev/full')[1:], '/dev/full',
                     'No space left')

    def test_pidfile_elsewhere(self):
        self.refused(vm.arguments('--serial', 'none', '--pidfile', 'no/such/folder')[1:],
                     'no/such/folder', 'No such file')

    def test_monitor_in_use(self):
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind('taken')
            listener.listen()
            self.refused(vm.arguments('--monitor', 'unix=taken')[1:], 'taken', 'in use')
            # and it was not touched
            with socket.socket(socket.AF_UNIX) as client:
                client.connect('taken')

    def test_monitor_is_a_file(self):
        with open('precious', 'w', encoding='ascii') as file:
            file.write('data')
        self.refused(vm.arguments('--monitor', 'unix=precious')[1:], 'precious', 'not a socket')
        with open('precious', encoding='ascii') as file:
            self.assertEqual(file.read(), 'data')

    def test_monitor_path(self):
        self.refused(vm.arguments('--monitor', 'unix=' + 'x' * 200)[1:], '200 bytes', 'shorter')
        self.refused(vm.arguments('--monitor', 'unix=no/folder')[1:], 'No such file')

    def test_serial_places(self):
        self.refused(vm.arguments('--serial', 'file=no/folder')[1:], 'No such file')
        self.refused(vm.arguments('--serial', 'unix=' + 'x' * 200)[1:], 'shorter')

    def test_help(self):
        for option in ('--help', '-h', '--version'):
            result = vm.run(vm.VM, option)
            self.assertEqual((result.returncode, result.stderr), (0, b''))
            self.assertIn(b'socle-vm', result.stdout)

    def test_help_on_full_disk(self):
        with open('/dev/full', 'wb') as full:
            process = vm.subprocess.run([vm.VM, '--help'], stdout=full, stderr=vm.subprocess.PIPE,
                                        timeout=vm.PATIENCE, check=False)
        self.assertEqual(process.returncode, 1)
        self.assert_sentence(process.stderr.decode(), 'stdout')


if __name__ == '__main__':
    vm.main()
