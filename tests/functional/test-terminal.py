#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The terminal: raw while the machine runs, as before afterwards, and our own keys."""
import os
import signal
import termios
import unittest

import vm

CTRL_A = b'\x01'


class TerminalKeys(vm.Case):
    def start(self, *args):
        terminal = vm.Terminal(*args)
        self.addCleanup(terminal.__exit__)
        terminal.expect(b'B')
        self.assertFalse(termios.tcgetattr(terminal.slave)[3] & (termios.ECHO | termios.ICANON))
        return terminal

    def restored(self, terminal):
        self.assertEqual(termios.tcgetattr(terminal.slave), terminal.before)

    def test_keys_pass(self):
        terminal = self.start()
        # Ctrl-C, Ctrl-S, Ctrl-Z, CR and what is above 127 are the guest's.
        for key in (b'a', b'\x03', b'\x13', b'\x11', b'\x1a', b'\r', b'\xff', b'\x00'):
            terminal.keys(key)
            self.assertEqual(terminal.expect(key), key)
        terminal.keys(CTRL_A + CTRL_A + b'z')
        self.assertEqual(terminal.expect(b'z'), CTRL_A + b'z')
        terminal.keys(b'q')
        self.assertEqual(terminal.end(), 0)
        self.restored(terminal)

    def test_quit(self):
        for key in (b'x', b'X', b'\x18'):
            terminal = self.start()
            terminal.keys(CTRL_A + key)
            self.assertEqual(terminal.end(), 0)
            self.restored(terminal)

    def test_quit_of_a_deaf_guest(self):
        terminal = self.start()
        terminal.keys(b'H' + b'x' * 3000)
        terminal.keys(b'x' * 3000)
        terminal.keys(CTRL_A + b'x')
        self.assertEqual(terminal.end(), 0)
        self.restored(terminal)

    def test_help(self):
        terminal = self.start()
        terminal.keys(CTRL_A + b'h')
        terminal.expect(b'Ctrl-A X')
        terminal.keys(CTRL_A + b'x')
        self.assertEqual(terminal.end(), 0)

    def test_monitor(self):
        terminal = self.start()
        terminal.keys(CTRL_A + b'c')
        terminal.expect(b'(socle) ')
        terminal.keys(b'info statuz\x7fs\r')
        self.assertIn(b'running', terminal.expect(b'\n(socle) '))
        terminal.keys(b'stop\rinfo status\r')
        terminal.expect(b'paused')
        terminal.keys(b'cont\r')
        terminal.keys(CTRL_A + b'c')
        terminal.keys(b'k')
        terminal.expect(b'k')
        terminal.keys(CTRL_A + b'c')
        terminal.keys(b'reset\r')
        terminal.expect(b'B')
        terminal.keys(b'quit\r')
        self.assertEqual(terminal.end(), 0)
        self.restored(terminal)

    def test_signals(self):
        for number, status in ((signal.SIGTERM, 0), (signal.SIGINT, 0), (signal.SIGHUP, 0),
                               (signal.SIGQUIT, -signal.SIGQUIT),
                               (signal.SIGSEGV, -signal.SIGSEGV),
                               (signal.SIGABRT, -signal.SIGABRT)):
            if number == signal.SIGSEGV and vm.SANITIZED:
                continue  # which is the sanitizer's then
            with self.subTest(number=number):
                terminal = self.start()
                self.assertEqual(vm.end_by_signal(terminal.process, number), status)
                self.restored(terminal)

    @unittest.skipIf(vm.SANITIZED, 'SIGSEGV is the sanitizer\'s')
    def test_crash_of_a_vcpu(self):
        terminal = self.start()
        vm.signal_thread(terminal.process, 'vcpu0', signal.SIGSEGV)
        self.assertEqual(terminal.end(), -signal.SIGSEGV)
        self.restored(terminal)

    def test_crash_of_the_guest(self):
        terminal = self.start()
        terminal.keys(b'c')
        self.assertEqual(terminal.end(), 2)
        self.restored(terminal)
        # and what is told is told on a terminal that is no longer raw
        self.assertIn(b'\r\n', terminal.expect(b'cr0'))

    def test_error(self):
        """Whoever does not get as far as to run leaves the terminal alone."""
        terminal = vm.Terminal('--pidfile', '/dev/full')
        self.addCleanup(terminal.__exit__)
        self.assertEqual(terminal.end(), 1)
        terminal.expect(b'No space left')
        self.assertEqual(termios.tcgetattr(terminal.slave), terminal.before)

    def test_held_terminal(self):
        """A terminal that takes nothing does not keep us."""
        terminal = self.start()
        terminal.keys(b'F')
        terminal.keys(CTRL_A + b'x')
        self.assertEqual(terminal.end(), 0)
        self.restored(terminal)

    def test_not_made_nonblocking(self):
        terminal = self.start()
        self.assertTrue(os.get_blocking(terminal.slave))
        terminal.keys(CTRL_A + b'x')
        self.assertEqual(terminal.end(), 0)


if __name__ == '__main__':
    vm.main()
