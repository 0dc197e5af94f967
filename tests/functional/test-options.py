#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Bad input to socle-vm: one sentence on stderr, exit status 1."""
import os
import shutil
import socket
import struct
import subprocess
import unittest
import unittest.mock

import vm
import waiting


def bzimage(xloadflags=1):
    """A file that looks like Linux, with nothing in it."""
    image = bytearray(0x8000)
    image[0x1f1] = 1  # sectors of set-up code
    image[0x1fe:0x200] = b'\x55\xaa'
    image[0x200:0x202] = b'\xeb\x66'
    image[0x202:0x206] = b'HdrS'
    struct.pack_into('<H', image, 0x206, 0x20f)
    image[0x211] = 1  # LOADED_HIGH
    struct.pack_into('<H', image, 0x236, xloadflags)
    struct.pack_into('<QI', image, 0x258, 16 << 20, 1 << 20)  # address, size at the start
    return bytes(image)


def elf(machine, memory=4096):
    """An ELF file with a PVH note and a segment of so much memory."""
    head = b'\x7fELF\x02\x01\x01'.ljust(16, b'\0')
    head += struct.pack('<HHIQQQIHHHHHH', 2, machine, 1, 1 << 20, 64, 0, 0, 64, 56, 2, 0, 0, 0)
    load = struct.pack('<IIQQQQQQ', 1, 5, 4096, 1 << 20, 1 << 20, 1, memory, 4096)
    note = struct.pack('<IIQQQQQQ', 4, 4, 176, 0, 0, 20, 20, 4)
    data = struct.pack('<III4sI', 4, 4, 18, b'Xen\0', 1 << 20)
    return (head + load + note + data).ljust(4096, b'\0') + b'\xf4'


def write(name, content):
    with open(name, 'wb') as file:
        file.write(content)


class Options(vm.Case):
    def refused(self, args, *words, program=vm.VM, **kwargs):
        result = vm.run(program, *args, **kwargs)
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
                              ('truncated', good[:200]), ('short', bzimage()[:700])):
            write(name, content)
            self.refused(['--kernel', name], name)
        self.refused(['--kernel', vm.KEYS, '--initrd', 'gone'], 'gone', 'No such file')
        self.refused(['--kernel', vm.KEYS, '--initrd', 'empty'], "'empty' is empty")

    def test_foreign_kernels(self):
        write('old', bzimage(xloadflags=0))
        self.refused(['--kernel', 'old'], '32-bit kernel', 'x86-64')
        write('arm', elf(183))
        self.refused(['--kernel', 'arm'], 'ARM', 'x86-64')
        write('riscv', elf(243))
        self.refused(['--kernel', 'riscv'], 'RISC-V', 'x86-64')

    def test_too_little_memory(self):
        write('large', elf(62, 64 << 20))
        self.refused(['--engine', 'emu', '--kernel', 'large', '--memory', '16M'], "'large'",
                     'more memory', '--memory')
        write('initrd', b'x')
        os.truncate('initrd', 300 << 20)
        self.refused(vm.arguments('--initrd', 'initrd')[1:], "'initrd' of 300 MiB", '--memory')

    def test_stock_kernel_on_kvm(self):
        """Where KVM cannot run it, --engine kvm tells why not, as --engine list does."""
        listed = vm.run(vm.VM, '--engine', 'list').stdout.decode().splitlines()
        reason = listed[0].partition(': ')[2]
        if not reason:
            self.skipTest('KVM on this host can run stock kernels')
        write('linux', bzimage())
        self.refused(['--engine', 'kvm', '--kernel', 'linux'], reason, '--engine emu')

    @unittest.skipUnless(os.geteuid() == 0, 'needs root, to become somebody else')
    def test_permissions(self):
        nobody = {'user': 65534, 'group': 65534, 'extra_groups': []}
        os.chmod('.', 0o755)
        shutil.copy(vm.VM, 'socle-vm')
        shutil.copy(vm.KEYS, 'keys')
        write('secret', b'x')
        os.chmod('secret', 0)
        vm_path = os.path.abspath('socle-vm')
        self.refused(['--kernel', 'secret'], "'secret'", 'Permission denied', program=vm_path,
                     **nobody)
        if os.path.exists('/dev/kvm') and os.stat('/dev/kvm').st_mode & 0o006 == 0:
            write('linux', bzimage())
            self.refused(['--engine', 'kvm', '--kernel', 'linux'], '/dev/kvm',
                         'Permission denied', 'group', program=vm_path, **nobody)
        # No KVM for whatever reason: that is told, and the guest runs.
        with unittest.mock.patch.object(vm, 'VM', vm_path):
            result = vm.run(*vm.arguments(kernel='keys', engine='auto'), stdin=b'q', **nobody)
        self.assertEqual(result.returncode, 0, result)
        self.assertIn(b'using the software engine: ', result.stderr)

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

    def test_disk(self):
        def disk(words):
            return vm.arguments('--disk', words)[1:]

        self.refused(disk('path=nothere,format=qcow2'), 'nothere', 'No such file')
        write('disk', b'QFI\xfb\0\0\0\3'.ljust(4096, b'\0'))
        self.refused(disk('path=disk'), 'disk', 'format=qcow2', 'format=raw')
        # A format that a machine cannot use.
        write('disk', b'vhdxfile'.ljust(4096, b'\0'))
        self.refused(disk('path=disk'), 'vhdx', 'socle-img convert', 'format=raw')

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
            process = subprocess.run([vm.VM, '--help'], stdout=full, stderr=subprocess.PIPE,
                                        timeout=waiting.PATIENCE, check=False)
        self.assertEqual(process.returncode, 1)
        self.assert_sentence(process.stderr.decode(), 'stdout')


if __name__ == '__main__':
    vm.main()
