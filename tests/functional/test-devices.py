#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Disks, cards and other devices: sentences for what is wrong, and the monitor's commands.

The guest is keys.elf, which drives none of them.
"""
import os
import signal
import socket
import time

import vm
import waiting

SOCKET = 'monitor'


def image(name, size=1 << 20, start=b''):
    with open(name, 'wb') as file:
        file.truncate(size)
        file.write(start)
    return name


def encrypted(name, size='1M'):
    """An encrypted image that "open" opens."""
    vm.run(os.environ['SOCLE_IMG'], 'create', '-q', '--object', 'secret,id=s,data=open', '-f',
           'qcow2', '-o', 'encrypt.format=luks,encrypt.key-secret=s,encrypt.iter-time=1', name, size)


class Options(vm.Case):
    def refused(self, *args, words):
        result = vm.run(*vm.arguments(*args, '--serial', 'none'))
        self.assertEqual(result.returncode, 1, result.stderr)
        self.assert_sentence(result.stderr.decode(), *words)

    def test_disk(self):
        image('a')
        os.mkdir('folder')
        image('q', start=b'QFI\xfb\0\0\0\3')
        self.refused('--disk', 'path=missing', words=('--disk', 'missing', 'No such file'))
        self.refused('--disk', 'path=folder', words=('--disk', 'folder'))
        self.refused('--disk', 'path=a,sector=1', words=("unknown key 'sector'", 'path, format'))
        self.refused('--disk', 'path=a,format=qcow9', words=('qcow9', 'raw'))
        self.refused('--disk', 'path=q', words=("'q'", 'qcow2', 'format=raw'))
        self.refused('--disk', 'path=a', '--disk', 'path=a', words=('a', 'in use'))
        self.refused('--disk', 'path=a,id=d', '--disk', 'format=null,size=1M,id=d',
                     words=('d',))

    def test_image_in_use(self):
        image('a')
        with vm.Machine('--disk', 'path=a') as machine:
            machine.expect(b'B')
            self.refused('--disk', 'path=a', words=("'a'", 'in use'))

    def test_encrypted(self):
        encrypted('x')
        with open('wrong', 'wb') as file:
            file.write(b'wrong')
        disk = 'path=x,format=qcow2'
        self.refused('--disk', disk, words=("'x' is encrypted", '--object'))
        self.refused('--disk', disk + ',encrypt.key-secret=s', words=("No secret with id 's'",))
        self.refused('--object', 'secret,id=s,file=wrong', '--disk',
                     disk + ',encrypt.key-secret=s', words=('Invalid password',))
        self.refused('--object', 'secret,id=s,file=none', words=('--object', "'none'"))
        self.refused('--object', 'secret,id=s,data=a', '--object', 'secret,id=s,data=b',
                     words=("'s' already",))
        self.refused('--object', 'rng-random,id=s', words=('secret',))
        image('raw')
        self.refused('--object', 'secret,id=s,data=a', '--disk', 'path=raw,encrypt.key-secret=s',
                     words=('raw',))

    def test_too_many(self):
        disks = [word for _ in range(32) for word in ('--disk', 'format=null,size=1M')]
        self.refused(*disks, words=('PCI slot',))

    def test_net(self):
        mac = 'mac=52:54:00:00:00:01'
        self.refused('--net', 'none,' + mac, '--net', 'none,' + mac,
                     words=('52:54:00:00:00:01', 'each its own mac='))
        self.refused('--net', 'user,net=10.0.2.0', words=('--net', '10.0.2.0'))
        self.refused('--net', 'wifi', words=("no network 'wifi'", 'user, tap'))
        self.refused('--net', 'user,dump=missing/x', words=('--net', 'missing/x'))
        self.refused('--net', 'fd=99', words=('--net', '99'))
        with socket.socket() as listener:
            listener.bind(('127.0.0.1', 0))
            listener.listen()
            port = listener.getsockname()[1]
            self.refused('--net', f'user,hostfwd=tcp:127.0.0.1:{port}-:22', words=(str(port),))


class Monitor(vm.Case):
    def start(self, *args):
        machine = vm.Machine('--monitor', 'unix=' + SOCKET, *args)
        self.addCleanup(machine.__exit__)
        machine.expect(b'B')
        qmp = vm.Qmp(SOCKET)
        self.addCleanup(qmp.__exit__)
        return machine, qmp

    def failed(self, qmp, command, words, **args):
        answer = qmp.request(command, **args)
        self.assertIn('error', answer)
        self.assertIn(words, answer['error']['desc'])

    def test_block(self):
        image('a')
        image('b', 4 << 20)
        machine, qmp = self.start('--disk', 'path=a,id=d,iops=100,serial=S')
        block = qmp.call('query-block')[0]
        self.assertEqual(block['qdev'], '/machine/peripheral/d')
        self.assertEqual(block['inserted']['image']['virtual-size'], 1 << 20)
        self.assertEqual(block['inserted']['iops'], 100)
        stats = qmp.call('query-blockstats')[0]
        self.assertEqual(stats['stats']['rd_operations'], 0)
        qmp.call('block_resize', node_name=stats['node-name'], size=2 << 20)
        self.assertEqual(os.path.getsize('a'), 2 << 20)
        qmp.call('block_resize', node_name=stats['node-name'], size=1 << 20)
        self.assertEqual(os.path.getsize('a'), 1 << 20)
        self.failed(qmp, 'block_resize', 'multiple of', node_name=stats['node-name'], size=1000)
        limits = {f'{kind}{way}': 0 for kind in ('bps', 'iops') for way in ('', '_rd', '_wr')}
        qmp.call_as_is('block_set_io_throttle', dict(limits, id='d', bps=1000))
        self.assertEqual(qmp.call('query-block')[0]['inserted']['bps'], 1000)

        qmp.call('blockdev-add', driver='raw', node_name='n',
                 file={'driver': 'file', 'filename': 'b'})
        self.failed(qmp, 'blockdev-del', 'in use', node_name=stats['node-name'])
        qmp.call('device_add', driver='virtio-blk-pci', drive='n', id='e')
        self.failed(qmp, 'device_add', 'in use', driver='virtio-blk-pci', drive='n', id='f')
        self.failed(qmp, 'blockdev-del', 'in use', node_name='n')
        self.assertEqual(len(qmp.call('query-block')), 2)
        # The guest does not hear; a reset lets the device go.
        qmp.call('device_del', id='e')
        qmp.call('system_reset')
        self.assertEqual(qmp.event('DEVICE_DELETED')['data']['device'], 'e')
        qmp.call('blockdev-del', node_name='n')
        self.assertEqual(len(qmp.call('query-named-block-nodes')), 1)
        qmp.call('quit')
        self.assertEqual(machine.end()[0], 0)

    def test_net(self):
        machine, qmp = self.start('--net', 'user,id=c,mac=52:54:00:00:00:09')
        rx_filter = qmp.call('query-rx-filter')[0]
        card = qmp.call('x-query-cards')[0]
        self.assertEqual((card['name'], card['up']), (rx_filter['name'], True))
        self.assertEqual(card['rx-dropped'], 0)
        self.assertEqual((rx_filter['name'], rx_filter['main-mac']), ('c', '52:54:00:00:00:09'))
        qmp.call('set_link', name='c', up=False)
        qmp.call('x-set-card-limits', **{'name': 'c', 'tx-bps': 1 << 20, 'rx-bps': 0})
        qmp.call('x-set-card-limits', **{'name': 'c', 'tx-bps': 1 << 20, 'rx-bps': 1 << 20, 'rx-peak': 1 << 21,
                                         'tx-burst': 1 << 22})
        self.failed(qmp, 'x-set-card-limits', 'below 0', **{'name': 'c', 'tx-bps': -1, 'rx-bps': 0})
        self.failed(qmp, 'x-set-card-limits', 'rx-peak is below rx-bps',
                    **{'name': 'c', 'tx-bps': 0, 'rx-bps': 9, 'rx-peak': 8})
        self.failed(qmp, 'x-set-card-limits', 'give tx-bps, too', **{'name': 'c', 'tx-bps': 0, 'rx-bps': 0, 'tx-burst': 8})
        self.failed(qmp, 'set_link', 'not found', name='x', up=True)
        qmp.call('netdev_add', type='user', id='n')
        self.failed(qmp, 'netdev_add', "'n'", type='user', id='n')
        qmp.call('device_add', driver='virtio-net-pci', netdev='n', id='e')
        self.failed(qmp, 'netdev_del', 'in use', id='n')
        qmp.call('device_del', id='e')
        qmp.call('system_reset')
        qmp.event('DEVICE_DELETED')
        qmp.call('netdev_del', id='n')
        qmp.call('quit')
        self.assertEqual(machine.end()[0], 0)

    def test_encrypted(self):
        encrypted('x')
        args = {'driver': 'qcow2', 'node_name': 'n',
                'file': {'driver': 'file', 'filename': 'x'},
                'encrypt': {'format': 'luks', 'key-secret': 's'}}
        machine, qmp = self.start()
        self.failed(qmp, 'blockdev-add', "No secret with id 's'", **args)
        self.failed(qmp, 'object-add', 'secret', qom_type='iothread', id='s')
        self.failed(qmp, 'object-add', 'base64', qom_type='secret', id='s', data='hush',
                    format='hex')
        qmp.call('object-add', qom_type='secret', id='s', data='b3Blbg==', format='base64')
        self.failed(qmp, 'object-add', 'already', qom_type='secret', id='s', data='other')
        qmp.call('blockdev-add', **args)
        qmp.call('object-del', id='s')
        self.failed(qmp, 'object-del', "'s'", id='s')
        qmp.call('device_add', driver='virtio-blk-pci', drive='n', id='e')
        self.assertEqual(qmp.call('query-block')[0]['inserted']['image']['virtual-size'], 1 << 20)
        qmp.call('quit')
        self.assertEqual(machine.end()[0], 0)

    def test_unplugged_at_once(self):
        """What a reset has taken out is in no answer behind it, nor is its memory."""
        for name in 'ab':
            image(name)
        _, qmp = self.start('--disk', 'path=a,id=d,bps=1000', '--disk', 'path=b,id=e,bps=1000')
        qmp.send(b'{"execute":"device_del","arguments":{"id":"d"}}{"execute":"system_reset"}'
                 b'{"execute":"query-block"}{"execute":"cont"}')
        answers = [qmp.answer()['return'] for _ in range(4)]
        self.assertEqual([block['qdev'] for block in answers[2]], ['/machine/peripheral/e'])
        self.assertEqual(answers[2][0]['inserted']['bps'], 1000)

    def hung(self, *args):
        # What is left behind is no leak; and its detector stops threads as we do.
        os.environ['ASAN_OPTIONS'] = 'detect_leaks=0'
        self.addCleanup(os.environ.pop, 'ASAN_OPTIONS')
        image('a')
        machine, qmp = self.start('--disk', 'path=a,id=d', '--net', 'none', *args)
        return machine, qmp, vm.Frozen(machine.process, 'd')

    def left_behind(self, machine, frozen, begin):
        frozen.reap()
        status, _, err = machine.end()
        self.assertLess(time.monotonic() - begin, 5 + waiting.PATIENCE / 2)
        self.assertEqual(status, 1)
        self.assertEqual(len(err.splitlines()), 1, err)
        self.assertIn("device 'd' did not end", err)
        self.assertFalse(os.path.exists(SOCKET))

    def test_hung_quit(self):
        """A disk that never comes to its end does not keep the process."""
        machine, qmp, frozen = self.hung()
        begin = time.monotonic()
        qmp.call('quit')
        self.assertEqual(qmp.event('SHUTDOWN')['data']['reason'], 'host-qmp-quit')
        self.left_behind(machine, frozen, begin)

    def test_hung_signal(self):
        machine, qmp, frozen = self.hung()
        # Nor does what waits for it keep the monitor, or the signal.
        qmp.call('system_reset')
        self.assertEqual(qmp.call('query-status')['status'], 'running')
        begin = time.monotonic()
        machine.process.send_signal(signal.SIGTERM)
        self.left_behind(machine, frozen, begin)

    def test_hung_reset(self):
        machine, qmp, frozen = self.hung()
        qmp.call('device_del', id='d')
        qmp.call('system_reset')
        self.assertEqual(len(qmp.call('query-block')), 1)
        qmp.call('stop')
        qmp.call('cont')
        frozen.thaw()
        self.assertEqual(qmp.event('DEVICE_DELETED')['data']['device'], 'd')
        qmp.event('RESET')
        machine.expect(b'B')
        qmp.call('quit')
        self.assertEqual(machine.end()[0], 0)

    def test_resize_refused(self):
        image('a')
        _, qmp = self.start('--disk', 'path=a,id=d,readonly=on')
        self.failed(qmp, 'block_resize', 'reading only', device='d', size=512)
        self.assertEqual(os.path.getsize('a'), 1 << 20)

    def test_names_of_kinds(self):
        """A disk, a network and a node may have one name; each command means its own kind."""
        image('a')
        _, qmp = self.start('--net', 'none,id=n', '--disk', 'path=a,id=hostnet0,node-name=n')
        self.assertTrue(qmp.call('query-named-block-nodes')[0]['cache']['writeback'])
        qmp.call('block_resize', node_name='n', size=2 << 20)
        self.assertEqual(qmp.call('query-rx-filter', name='n')[0]['name'], 'n')
        qmp.call('set_link', name='hostnet0', up=False)
        self.failed(qmp, 'block_resize', 'not found', device='nobody', size=1)

    def test_no_descriptors(self):
        _, qmp = self.start('--console', 'none')
        for key in ('fd', 'fds'):
            self.failed(qmp, 'netdev_add', 'no descriptors', type='tap', id='t', **{key: '4'})
        self.failed(qmp, 'device_add', 'already', driver='virtio-serial-pci')

    def test_others(self):
        machine, qmp = self.start('--rng', 'on', '--balloon', 'on', '--watchdog', 'on',
                                  '--pvpanic', 'on', '--console', 'none', '--vsock',
                                  'cid=5,path=v', '--generation-id', 'auto')
        devices = qmp.call('query-pci')[0]['devices']
        ids = {device['qdev_id'] for device in devices}
        self.assertEqual(ids, {'', 'console0', 'rng0', 'balloon0', 'watchdog0', 'pvpanic0',
                               'vsock0'})
        for device in devices[1:]:
            for region in device['regions']:
                self.assertGreater(region['address'], 0)
        self.assertEqual(qmp.call('query-balloon'), {'actual': 16 << 20})
        stats = qmp.call('qom-get', path='/machine/peripheral/balloon0', property='guest-stats')
        self.assertEqual(stats['last-update'], 0)
        qmp.call('watchdog-set-action', action='pause')
        self.failed(qmp, 'watchdog-set-action', 'bark', action='bark')
        self.failed(qmp, 'device_add', 'not a valid device model', driver='floppy')
        self.failed(qmp, 'device_del', 'x', id='x')
        self.assertEqual([chr['label'] for chr in qmp.call('query-chardev')],
                         ['serial0', 'console0'])
        qmp.call('quit')
        self.assertEqual(machine.end()[0], 0)
        self.assertFalse(os.path.exists('v'))

    def test_nothing_there(self):
        _, qmp = self.start()
        self.failed(qmp, 'query-balloon', 'No balloon')
        self.failed(qmp, 'block_resize', 'not found', device='x', size=1)
        self.failed(qmp, 'device_add', 'drive=', driver='virtio-blk-pci')
        self.assertEqual(qmp.call('query-block'), [])


if __name__ == '__main__':
    vm.main()
