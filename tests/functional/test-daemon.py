#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""--daemonize and --pidfile."""
import os
import signal

import vm
from waiting import wait_for


class Daemon(vm.Case):
    def test_daemonize(self):
        result = vm.run(*vm.arguments('--daemonize', '--serial', 'unix=serial', '--monitor',
                                      'unix=monitor', '--pidfile', 'pid'))
        self.assertEqual((result.returncode, result.stdout, result.stderr), (0, b'', b''))
        # It runs already when the parent returns: the file and the sockets are there.
        with open('pid', encoding='ascii') as file:
            pid = int(file.read())
        self.assertEqual(os.getsid(pid), pid)
        for fd in range(3):
            self.assertEqual(os.readlink(f'/proc/{pid}/fd/{fd}'), '/dev/null')
        with vm.Qmp('monitor') as qmp:
            self.assertTrue(qmp.call('query-status')['running'])
            qmp.call('quit')
        wait_for(lambda: not vm.alive(pid), 'end')
        self.assertEqual(os.listdir(), [])

    def test_daemonize_fails(self):
        result = vm.run(*vm.arguments('--daemonize', '--serial', 'none', '--pidfile',
                                      '/dev/full'))
        self.assertEqual(result.returncode, 1)
        self.assert_sentence(result.stderr.decode(), 'No space left')
        result = vm.run(*vm.arguments('--daemonize', '--serial', 'none', kernel='nowhere'))
        self.assertEqual(result.returncode, 1)
        self.assert_sentence(result.stderr.decode(), 'nowhere')

    def test_pidfile(self):
        with vm.Machine('--pidfile', 'pid') as machine:
            machine.expect(b'B')
            with open('pid', encoding='ascii') as file:
                self.assertEqual(file.read(), f'{machine.process.pid}\n')
            # A second one is refused, and the first one's file stays.
            result = vm.run(*vm.arguments('--pidfile', 'pid'))
            self.assertEqual(result.returncode, 1)
            self.assert_sentence(result.stderr.decode(), 'running', str(machine.process.pid))
            with open('pid', encoding='ascii') as file:
                self.assertEqual(file.read(), f'{machine.process.pid}\n')
            machine.keys(b'q')
            self.assertEqual(machine.end()[0], 0)
        self.assertEqual(os.listdir(), [])

    def test_stale_pidfile(self):
        with vm.Machine('--pidfile', 'pid') as machine:
            machine.expect(b'B')
            machine.process.send_signal(signal.SIGKILL)
            machine.process.wait()
        self.assertEqual(os.listdir(), ['pid'])
        with vm.Machine('--pidfile', 'pid') as machine:
            machine.expect(b'B')
            with open('pid', encoding='ascii') as file:
                self.assertEqual(file.read(), f'{machine.process.pid}\n')
            machine.keys(b'q')
            self.assertEqual(machine.end()[0], 0)
        self.assertEqual(os.listdir(), [])


if __name__ == '__main__':
    vm.main()
