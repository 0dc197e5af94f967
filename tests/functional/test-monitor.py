#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""QMP over the socket."""
import json
import os
import random
import signal

import vm
import waiting

SOCKET = 'monitor'


class Monitor(vm.Case):
    def setUp(self):
        super().setUp()
        self.machine = vm.Machine('--monitor', 'unix=' + SOCKET, '--name', 'märz', '--cpus', '2',
                                  '--uuid', '01234567-89AB-cdef-0123-456789abcdef')
        self.machine.expect(b'B')
        self.addCleanup(self.machine.__exit__)

    def test_paused(self):
        """A machine that waits for cont can be asked, and ended."""
        for key in (None, b'q'):
            with vm.Machine('--paused', '--monitor', 'unix=other') as machine, \
                    vm.Qmp('other') as qmp:
                self.assertEqual(qmp.call('query-status'),
                                 {'running': False, 'status': 'prelaunch'})
                for command in ('stop', 'system_reset', 'system_powerdown'):
                    qmp.call(command)
                self.assertEqual(qmp.call('query-status')['status'], 'prelaunch')
                if key:
                    qmp.call('cont')
                    qmp.event('RESUME')
                    machine.expect(b'B')
                    machine.keys(key)
                else:
                    qmp.call('quit')
                self.assertEqual(machine.end()[::2], (0, ''))

    def ended(self, status=0):
        self.assertEqual(self.machine.end()[::2], (status, ''))
        self.assertFalse(os.path.exists(SOCKET))

    def test_greeting(self):
        with vm.Qmp(SOCKET, negotiate=False) as qmp:
            version = qmp.read()['QMP']['version']
            self.assertTrue(version['package'].startswith('socle '))
            self.assertEqual(sorted(version['qemu']), ['major', 'micro', 'minor'])
            self.assertEqual(qmp.request('query-status')['error']['class'], 'CommandNotFound')
            self.assertEqual(qmp.request('qmp_capabilities', enable=['oob'])['error']['class'],
                             'GenericError')
            qmp.call('qmp_capabilities', enable=[])
            self.assertEqual(qmp.request('qmp_capabilities')['error']['class'],
                             'CommandNotFound')

    def test_queries(self):
        with vm.Qmp(SOCKET) as qmp:
            self.assertEqual(qmp.call('query-status'), {'running': True, 'status': 'running'})
            self.assertEqual(qmp.call('query-name'), {'name': 'märz'})
            self.assertEqual(qmp.call('query-uuid'),
                             {'UUID': '01234567-89ab-cdef-0123-456789abcdef'})
            cpus = qmp.call('query-cpus-fast')
            self.assertEqual([cpu['cpu-index'] for cpu in cpus], [0, 1])
            for cpu in cpus:
                thread = f'/proc/{self.machine.process.pid}/task/{cpu["thread-id"]}'
                self.assertTrue(os.path.isdir(thread), thread)
            self.assertEqual(qmp.call('query-kvm'),
                             {'enabled': vm.ENGINE == 'kvm', 'present': True})
            self.assertEqual(qmp.call('query-version'), qmp.greeting['QMP']['version'])
            for command in qmp.call('query-commands'):
                self.assertNotEqual(qmp.request(command['name'] + '-not')['error']['class'],
                                    'GenericError')
            self.assertEqual(qmp.call('query-chardev')[0]['label'], 'serial0')

    def test_stats(self):
        with vm.Qmp(SOCKET) as qmp:
            stats = qmp.call('query-stats', target='vcpu')
            self.assertEqual(len(stats), 2)
            self.assertEqual(stats[0]['provider'], vm.ENGINE)
            values = {stat['name']: stat['value'] for stat in stats[0]['stats']}
            self.assertGreater(values['pio_exits'], 0)
            schema = qmp.call('query-stats-schemas')
            self.assertEqual(sorted(stat['name'] for stat in schema[0]['stats']), sorted(values))
            one = qmp.call('query-stats', target='vcpu', vcpus=[stats[1]['qom-path']],
                           providers=[{'provider': vm.ENGINE, 'names': ['pio_exits']}])
            self.assertEqual([list(entry['stats'][0]) for entry in one], [['name', 'value']])
            self.assertEqual(len(qmp.call('query-stats', target='vm')), 1)
            self.assertEqual(qmp.call('query-stats', target='vm',
                                      providers=[{'provider': 'other'}]), [])
            self.assertIn('target', qmp.request('query-stats')['error']['desc'])
            self.assertIn('disk', qmp.request('query-stats', target='disk')['error']['desc'])

    def test_stop_and_cont(self):
        with vm.Qmp(SOCKET) as qmp:
            qmp.call('stop')
            event = qmp.event('STOP')
            self.assertEqual(sorted(event['timestamp']), ['microseconds', 'seconds'])
            self.assertEqual(qmp.call('query-status'), {'running': False, 'status': 'paused'})
            qmp.call('stop')
            self.machine.keys(b'x')
            qmp.call('cont')
            qmp.event('RESUME')
            self.machine.expect(b'x')
            qmp.call('stop')
            qmp.call('system_reset')
            self.assertEqual(qmp.event('RESET')['data'],
                             {'guest': False, 'reason': 'host-qmp-system-reset'})
            self.assertEqual(qmp.call('query-status')['status'], 'paused')
            qmp.call('cont')
            self.machine.expect(b'B')

    def test_reset_and_quit(self):
        with vm.Qmp(SOCKET) as qmp:
            qmp.call('system_reset')
            self.machine.expect(b'B')
            qmp.call('system_powerdown')
            qmp.event('POWERDOWN')
            self.machine.keys(b'r')
            self.assertEqual(qmp.event('RESET')['data'],
                             {'guest': True, 'reason': 'guest-reset'})
            self.machine.expect(b'B')
            qmp.call('quit')
            self.assertEqual(qmp.event('SHUTDOWN')['data'],
                             {'guest': False, 'reason': 'host-qmp-quit'})
            self.assertIsNone(qmp.read())
            self.ended()

    def test_shutdown(self):
        with vm.Qmp(SOCKET) as qmp:
            self.machine.keys(b'q')
            self.assertEqual(qmp.event('SHUTDOWN')['data'],
                             {'guest': True, 'reason': 'guest-shutdown'})
            self.assertIsNone(qmp.read())
            self.ended()

    def test_crash(self):
        with vm.Qmp(SOCKET) as qmp:
            self.machine.keys(b'c')
            self.assertEqual(qmp.event('GUEST_PANICKED')['data'], {'action': 'poweroff'})
            self.assertEqual(qmp.event('SHUTDOWN')['data'],
                             {'guest': True, 'reason': 'guest-panic'})
            self.assertEqual(self.machine.end()[0], 2)

    def test_signal(self):
        with vm.Qmp(SOCKET) as qmp:
            self.machine.process.send_signal(signal.SIGTERM)
            self.assertEqual(qmp.event('SHUTDOWN')['data'],
                             {'guest': False, 'reason': 'host-signal'})
            self.ended()

    def test_hostile(self):
        """Every message gets an answer, none an end."""
        bad = (b'garbage\n', b'{"execute": "x"\n{"execute": "query-status"}', b'[1, 2]',
               b'{"execute": 1}', b'{"execute": "query-status", "arguments": []}',
               b'{"execute": "query-status", "arguments": {"x": 1}}', b'{"exec": "x"}',
               b'{"execute": "stop", "id": \xff', b'{"a": "\xc3"}', b'{"a": 1, "a": 2}',
               b'{"a": nul}', b'{]\n', b'\x00\n', b'{"a": "\n', b'[' * 100 + b'\n',
               b'{"a": "' + b'x' * 100000 + b'"}', b'{"execute": "\\u0000"}',
               b'{"a": 1e999}', b'{"execute": "no-such-command"}')
        with vm.Qmp(SOCKET) as qmp:
            for text in bad:
                with self.subTest(text=text[:40]):
                    qmp.send(text)
                    answer = qmp.answer()
                    self.assertIn(answer['error']['class'], ('GenericError', 'CommandNotFound'))
                    if text.endswith(b'"query-status"}'):
                        self.assertIn('running', qmp.answer()['return'])
            self.assertTrue(qmp.call('query-status')['running'])

    def test_random_bytes(self):
        source = random.Random(1)
        with vm.Qmp(SOCKET) as qmp:
            qmp.send(source.randbytes(20000).replace(b'{', b''))
            qmp.send(b'\n\xff{"execute": "query-name", "id": "after"}')
            while True:
                answer = qmp.answer()
                if 'return' in answer:
                    break
            self.assertEqual(answer['id'], 'after')

    def test_pieces(self):
        """A request may come in pieces, and several in one."""
        request = json.dumps({'execute': 'query-name', 'id': [1, {'a': None}]}).encode()
        with vm.Qmp(SOCKET) as qmp:
            for byte in request:
                qmp.send(bytes([byte]))
            answer = {'return': {'name': 'märz'}, 'id': [1, {'a': None}]}
            self.assertEqual(qmp.answer(), answer)
            qmp.send(request * 100)
            for _ in range(100):
                self.assertEqual(qmp.answer(), answer)

    def test_clients_in_turn(self):
        with vm.Qmp(SOCKET) as first:
            with vm.Qmp(SOCKET, negotiate=False) as second:
                # It waits, without a greeting, as long as the first is there.
                second.socket.settimeout(0.2)
                with self.assertRaises(TimeoutError):
                    second.read()
                second.socket.settimeout(waiting.PATIENCE)
                first.call('query-status')
                first.socket.close()
                self.assertIn('QMP', second.read())
        for _ in range(20):
            with vm.Qmp(SOCKET) as qmp:
                qmp.call('query-status')

    def test_deaf_client(self):
        """A client that never reads stops nobody."""
        with vm.Qmp(SOCKET) as qmp:
            qmp.socket.settimeout(1)
            try:
                for _ in range(100000):
                    qmp.send(b'{"execute": "query-stats", "arguments": {"target": "vcpu"}}' * 20)
            except TimeoutError:
                pass
            else:
                self.fail('requests without limit were taken')
            self.machine.keys(b'alive')
            self.machine.expect(b'alive')
            for _ in range(50):
                self.machine.keys(b'r')
                self.machine.expect(b'B')
        with vm.Qmp(SOCKET) as qmp:
            self.assertTrue(qmp.call('query-status')['running'])

    def test_human(self):
        with vm.Qmp(SOCKET) as qmp:
            def human(line):
                return qmp.call('human-monitor-command', command_line=line)

            self.assertIn('running', human('info status'))
            self.assertIn('CPU 1', human(' info   cpus '))
            self.assertIn('pio', human('info stats'))
            self.assertIn('cr0', human('info registers'))
            self.assertIn('powerdown', human('help'))
            self.assertIn("'frob'", human('frob'))
            self.assertEqual(human(''), '')
            self.assertEqual(human('stop'), '')
            self.assertEqual(human('info status').split()[0].rstrip(','), 'paused')
            human('c')
            human('quit')
            self.ended()


class StaleSocket(vm.Case):
    def test_replaced(self):
        with vm.Machine('--monitor', 'unix=' + SOCKET) as machine:
            machine.expect(b'B')
            machine.process.kill()
            machine.process.wait()
        self.assertTrue(os.path.exists(SOCKET))
        with vm.Machine('--monitor', 'unix=' + SOCKET) as machine:
            with vm.Qmp(SOCKET) as qmp:
                qmp.call('quit')
            self.assertEqual(machine.end()[0], 0)


if __name__ == '__main__':
    vm.main()
