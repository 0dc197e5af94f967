#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""How a machine ends, and with which exit status, on every engine that this host has."""
import fcntl
import os
import signal
import time
import unittest

import vm


class Ends:
    engine = None

    def machine(self, *args):
        return vm.Machine(*args, engine=self.engine)

    def test_power_off(self):
        with self.machine() as machine:
            machine.expect(b'B')
            machine.keys(b'hi')
            machine.expect(b'hi')
            machine.keys(b'q')
            self.assertEqual(machine.end(), (0, b'', ''))

    def test_crash(self):
        with self.machine() as machine:
            machine.expect(b'B')
            machine.keys(b'c')
            status, _, err = machine.end()
            self.assertEqual(status, 2)
            self.assertIn('triple fault', err.splitlines()[0])
            self.assertIn('cr0', err)

    def test_reboot(self):
        with self.machine() as machine:
            machine.expect(b'B')
            for _ in range(3):
                machine.keys(b'xr')
                machine.expect(b'xB')
            machine.keys(b'q')
            self.assertEqual(machine.end(), (0, b'', ''))

    def test_no_reboot(self):
        with self.machine('--no-reboot') as machine:
            machine.expect(b'B')
            machine.keys(b'r')
            self.assertEqual(machine.end(), (0, b'', ''))

    def test_debug_exit(self):
        for value in (0, 1, 5, 127):
            with self.subTest(value=value), self.machine('--debug-exit') as machine:
                machine.expect(b'B')
                machine.keys(b'd' + bytes([value]))
                self.assertEqual(machine.end(), (value << 1 | 1, b'', ''))

    def test_no_debug_exit(self):
        with self.machine() as machine:
            machine.expect(b'B')
            machine.keys(b'd\x05x')
            machine.expect(b'x')
            machine.keys(b'q')
            self.assertEqual(machine.end(), (0, b'', ''))

    def test_signals(self):
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            with self.subTest(number=number), self.machine() as machine:
                machine.expect(b'B')
                self.assertEqual(vm.end_by_signal(machine.process, number), 0)

    def test_exit_file(self):
        """How it ended is in a file for who was not there; a killed one has none."""
        ends = [(b'q', '0 guest-shutdown\n'), (b'c', '2 guest-panic\nthe guest crashed')]
        for key, words in ends:
            with self.subTest(key=key), self.machine('--exit-file', 'end') as machine:
                machine.expect(b'B')
                machine.keys(key)
                machine.end()
                with open('end', encoding='utf-8') as file:
                    text = file.read()
                self.assertTrue(text.startswith(words), text)
                self.assertLessEqual(text.count('\n'), 2)
                self.assertEqual(os.listdir(), ['end'])
        os.unlink('end')
        with self.machine('--exit-file', 'end') as machine:
            machine.expect(b'B')
            vm.end_by_signal(machine.process, signal.SIGKILL)
            self.assertEqual(os.listdir(), [])
        result = vm.run(*vm.arguments('--exit-file', 'end', '--disk', 'path=none'))
        self.assertEqual(result.returncode, 1)
        with open('end', encoding='utf-8') as file:
            self.assertEqual(file.read(), '1 start-failed\n' +
                             result.stderr.decode().removeprefix('socle-vm: '))
        os.unlink('end')
        with self.machine('--exit-file', 'none/end') as machine:
            machine.expect(b'B')
            machine.keys(b'q')
            status, _, err = machine.end()
            self.assertEqual(status, 0)
            self.assert_sentence(err, "cannot write 'none/end'")

    def test_end_of_input(self):
        with self.machine() as machine:
            machine.expect(b'B')
            machine.keys(b'x')
            machine.process.stdin.close()
            machine.expect(b'x')
            self.assertIsNone(machine.process.poll())
            self.assertEqual(vm.end_by_signal(machine.process), 0)
            machine.process.stdin = open('/dev/null', 'wb')

    def test_nothing_is_lost(self):
        """What was printed before the end comes out, also through a reader that is slow."""
        with self.machine() as machine:
            fcntl.fcntl(machine.process.stdout, fcntl.F_SETPIPE_SZ, 4096)
            machine.expect(b'B')
            machine.keys(b'Fq')
            time.sleep(0.5)
            status, out, err = machine.end()
            self.assertEqual((status, err), (0, ''))
            self.assertEqual(out, b'0123456789\r\n' * 6000)

    def test_input_waits(self):
        """A guest that is busy loses no input."""
        with self.machine() as machine:
            machine.expect(b'B')
            text = bytes(range(0x20, 0x40)) * 1000
            machine.keys(text)
            machine.keys(b'q')
            status, out, _ = machine.end()
            self.assertEqual(status, 0)
            self.assertEqual(out, text)

    def test_many_cpus(self):
        with self.machine('--cpus', '4') as machine:
            machine.expect(b'B')
            machine.keys(b'q')
            self.assertEqual(machine.end(), (0, b'', ''))


class EndsOnEmu(Ends, vm.Case):
    engine = 'emu'


class EndsOnKvm(Ends, vm.Case):
    engine = 'kvm'

    @classmethod
    def setUpClass(cls):
        result = vm.run(*vm.arguments('--debug-exit', engine='kvm'), stdin=b'q')
        if result.returncode == 1:
            raise unittest.SkipTest(result.stderr.decode())


class Auto(vm.Case):
    def test_auto(self):
        """Whatever is chosen, it runs, and a fallback is told in one line."""
        with vm.Machine(engine='auto') as machine:
            machine.expect(b'B')
            machine.keys(b'q')
            status, _, err = machine.end()
            self.assertEqual(status, 0)
            if err:
                self.assert_sentence(err, 'software engine')


if __name__ == '__main__':
    vm.main()
