#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""CD drives by QMP: trays, media that come and go, and what is refused."""
import unittest

import vm


class Medium(vm.Case):
    def setUp(self):
        super().setUp()
        for name, size in (('one', 4096), ('two', 8192)):
            with open(name, 'wb') as file:
                file.truncate(size)

    def start(self, *args):
        machine = vm.Machine('--monitor', 'unix=qmp', *args)
        self.addCleanup(machine.__exit__)
        self.qmp = vm.Qmp('qmp')
        self.addCleanup(self.qmp.__exit__)
        return machine

    def drive(self, name='cd'):
        blocks = {block['qdev'].split('/')[-1]: block for block in self.qmp.call('query-block')}
        return blocks[name]

    def file(self):
        drive = self.drive()
        return drive['inserted']['file'] if 'inserted' in drive else None

    def refused(self, words, command, **args):
        self.assertIn(words, self.qmp.request(command, **args)['error']['desc'])

    def moved(self, is_open):
        self.assertEqual(self.qmp.event('DEVICE_TRAY_MOVED')['data'],
                         {'device': '', 'id': 'cd', 'tray-open': is_open})

    def test_change(self):
        self.start('--cdrom', 'path=one,id=cd')
        self.assertEqual((self.file(), self.drive()['tray_open'], self.drive()['locked']),
                         ('one', False, False))
        self.qmp.call('blockdev-change-medium', id='cd', filename='two', format='raw')
        self.moved(True)
        self.moved(False)
        self.assertEqual(self.file(), 'two')
        self.assertEqual(self.drive()['inserted']['image']['virtual-size'], 8192)
        self.qmp.call('eject', id='/machine/peripheral/cd')
        self.moved(True)
        self.assertEqual((self.file(), self.drive()['tray_open']), (None, True))
        self.qmp.call('eject', device='cd', force=True)
        self.qmp.call('blockdev-change-medium', id='cd', filename='one', read_only_mode='read-only')
        self.assertEqual((self.file(), self.drive()['tray_open']), ('one', False))
        # The image of before is nobody's any more.
        self.assertEqual(len(self.qmp.call('query-named-block-nodes')), 1)

    def test_parts(self):
        machine = self.start('--cdrom', 'id=cd')
        self.assertIsNone(self.file())
        self.qmp.call('blockdev-add', driver='raw', node_name='n', read_only=True,
                      file={'driver': 'file', 'filename': 'two'})
        self.refused('tray of the drive is not open', 'blockdev-insert-medium', id='cd', node_name='n')
        self.qmp.call('blockdev-open-tray', id='cd')
        self.qmp.call('blockdev-insert-medium', id='cd', node_name='n')
        self.refused('already has a medium', 'blockdev-insert-medium', id='cd', node_name='n')
        self.refused("is in use by device 'cd'", 'blockdev-del', node_name='n')
        self.qmp.call('blockdev-close-tray', id='cd')
        self.qmp.call('blockdev-close-tray', id='cd')
        self.refused('tray of the drive is not open', 'blockdev-remove-medium', id='cd')
        self.qmp.call('blockdev-open-tray', id='cd', force=False)
        self.qmp.call('blockdev-remove-medium', id='cd')
        self.qmp.call('blockdev-del', node_name='n')
        self.qmp.call('quit')
        self.assertEqual(machine.end()[0], 0)

    def test_refused(self):
        self.start('--cdrom', 'path=one,id=cd', '--disk', 'path=two,id=disk')
        self.refused("Device 'none' not found", 'eject', id='none')
        self.refused("Device 'disk' is not removable", 'eject', id='disk')
        self.refused("Parameter 'id' is missing", 'eject')
        self.refused('No such file', 'blockdev-change-medium', id='cd', filename='none')
        self.refused('a CD cannot be written', 'blockdev-change-medium', id='cd', filename='two',
                     read_only_mode='read-write')
        self.qmp.call('blockdev-add', driver='null-co', node_name='w', size=4096)
        self.qmp.call('eject', id='cd')
        self.refused('can be written, which a CD cannot', 'blockdev-insert-medium', id='cd', node_name='w')
        used = self.drive('disk')['inserted']['node-name']
        self.refused("is in use by device 'disk'", 'blockdev-insert-medium', id='cd', node_name=used)
        self.refused("Cannot find device='' nor node-name='x'", 'blockdev-insert-medium', id='cd',
                     node_name='x')
        self.assertEqual(self.drive('disk')['inserted']['file'], 'two')

    def test_plugged(self):
        """An empty drive that comes later, and goes with what is in it."""
        self.start('--cdrom', 'path=one,id=cd')
        self.qmp.call('device_add', driver='virtio-scsi-pci', id='late')
        self.assertNotIn('inserted', self.drive('late'))
        self.qmp.call('blockdev-change-medium', id='late', filename='two')
        self.assertEqual(self.drive('late')['inserted']['file'], 'two')
        stats = {one['qdev']: one['stats'] for one in self.qmp.call('query-blockstats')}
        self.assertEqual(stats['/machine/peripheral/cd']['rd_operations'], 0)


if __name__ == '__main__':
    unittest.main(verbosity=2)
