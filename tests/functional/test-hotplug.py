#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A disk and a card come and go while others are busy: nothing stays behind in the process.

The guest is hotplug64.elf (tests/guest). SOCLE_HOTPLUG is where it is, SOCLE_ROUNDS how often (100).
What is lost is lost in each part of the rounds. Memory that is used for the first time is so in one of them, whenever
that may be: stacks, a heap for threads that have met in malloc().
"""
import contextlib
import os
import unittest

import vm

ROUNDS = int(os.environ.get('SOCLE_ROUNDS', '100'))
PARTS = 5  # of which the first one is not counted
# What may be dirty more than before a part: a page of a stack here or there.
MARGIN = 128 << 10


def descriptors(pid):
    return len(os.listdir(f'/proc/{pid}/fd'))


def threads(pid):
    """Their names. The kernel's own, which io_uring has for a while, are none of ours."""
    names = []
    for tid in os.listdir(f'/proc/{pid}/task'):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError), \
                open(f'/proc/{pid}/task/{tid}/comm', encoding='ascii') as comm:
            names.append(comm.read().strip())
    return sorted(name for name in names if not name.startswith('iou-'))


def private_dirty(pid):
    with open(f'/proc/{pid}/smaps_rollup', encoding='ascii') as smaps:
        return sum(int(line.split()[1]) << 10 for line in smaps
                   if line.startswith('Private_Dirty'))


class HotPlug(vm.Case):
    engine = None

    def start(self):
        for name in ('busy', 'new'):
            with open(name, 'wb') as file:
                file.truncate(1 << 20)
        link = 'stream,addr.type=unix,addr.path=link,'
        self.machine = vm.Machine(
            '--serial', 'stdio', '--monitor', 'unix=qmp', '--disk', 'path=busy',
            '--net', link + 'server=on,mac=52:54:00:00:00:02',
            '--net', link + 'reconnect=1,mac=52:54:00:00:00:03', '--debug-exit',
            kernel=os.environ['SOCLE_HOTPLUG'], engine=self.engine)
        self.addCleanup(self.machine.__exit__)
        self.machine.expect(b'ready\n')
        self.qmp = vm.Qmp('qmp')
        self.addCleanup(self.qmp.__exit__)

    def used(self):
        """The guest has found and used a device."""
        line = self.machine.expect(b'\n')
        self.assertRegex(line, rb'\Ain \d+: ok\n\Z')

    def round(self):
        self.qmp.call('blockdev-add', driver='raw', node_name='n',
                      file={'driver': 'file', 'filename': 'new'})
        self.qmp.call('netdev_add', type='user', id='u')
        self.qmp.call('device_add', driver='virtio-blk-pci', drive='n', id='disk')
        self.used()
        self.qmp.call('device_add', driver='virtio-net-pci', netdev='u', id='card')
        self.used()
        self.qmp.call('device_del', id='disk')
        self.qmp.call('device_del', id='card')
        gone = {self.qmp.event('DEVICE_DELETED')['data']['device'] for _ in range(2)}
        self.assertEqual(gone, {'disk', 'card'})
        self.qmp.call('blockdev-del', node_name='n')
        self.qmp.call('netdev_del', id='u')

    def encrypted(self):
        """A disk in front of an image that is opened by a secret, which goes before it does."""
        make = 'encrypt.format=luks,encrypt.key-secret=s,encrypt.iter-time=1'
        vm.run(os.environ['SOCLE_IMG'], 'create', '-q', '--object', 'secret,id=s,data=open', '-f',
               'qcow2', '-o', make, 'x', '1M')
        self.start()
        self.qmp.call('object-add', qom_type='secret', id='s', data='open')
        for turn in range(3):
            self.qmp.call('blockdev-add', driver='qcow2', node_name='n',
                          file={'driver': 'file', 'filename': 'x'}, encrypt={'key-secret': 's'})
            if turn == 2:
                self.qmp.call('object-del', id='s')
            self.qmp.call('device_add', driver='virtio-blk-pci', drive='n', id='disk')
            self.used()
            self.qmp.call('device_del', id='disk')
            self.qmp.event('DEVICE_DELETED')
            self.qmp.call('blockdev-del', node_name='n')
        self.qmp.call('quit')
        self.assertEqual(self.machine.end()[0], 0)
        check = vm.run(os.environ['SOCLE_IMG'], 'check', 'x')
        self.assertEqual(check.returncode, 0, check)
        self.assertNotIn(b'0/16 =', check.stdout)

    def come_and_go(self):
        self.start()
        pid = self.machine.process.pid
        looks = []
        for _ in range(PARTS):
            for _ in range(ROUNDS // PARTS):
                self.round()
            looks.append((descriptors(pid), threads(pid), private_dirty(pid)))
        print(f'descriptors, threads, private memory after each {ROUNDS // PARTS} rounds: {looks}')
        self.assertEqual({look[0] for look in looks}, {looks[0][0]})
        self.assertEqual([look[1] for look in looks], [looks[0][1]] * PARTS)
        if not vm.SANITIZED:
            self.assertLess(min(b[2] - a[2] for a, b in zip(looks, looks[1:])), MARGIN)
        self.qmp.call('quit')
        self.assertEqual(self.machine.end()[0], 0)


class Emu(HotPlug):
    engine = 'emu'

    def test(self):
        self.come_and_go()

    def test_encrypted(self):
        self.encrypted()


class Kvm(HotPlug):
    engine = 'kvm'

    def test(self):
        engines = vm.run(vm.VM, '--engine', 'list').stdout.decode().splitlines()
        line = next((line for line in engines if line.startswith('kvm ')), 'there is no kvm')
        if 'run stock kernels' not in line:
            self.skipTest(line)
        self.come_and_go()


if __name__ == '__main__':
    unittest.main(verbosity=2)
