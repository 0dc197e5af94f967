#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Calls that change more of a machine than its state, by libvirt's clients against socled.

Test classes run one at a time: test-calls.py CLASS. Ends with 77 where a client is not installed.
Environment: that of test-clients.py.
"""
import importlib.util
import os
import signal
import threading
import unittest
import xml.etree.ElementTree as ET

import vm

spec = importlib.util.spec_from_file_location(
    'clients', os.path.join(os.path.dirname(os.path.abspath(__file__)), 'test-clients.py'))
clients = importlib.util.module_from_spec(spec)
spec.loader.exec_module(clients)
libvirt = clients.libvirt


class Case(clients.Case):
    def make(self, name, size=1 << 20, text=b''):
        path = self.path(name)
        with open(path, 'wb') as file:
            file.write(text)
            file.truncate(size)
        return path

    def kill(self):
        """The daemon is gone at once, and another one comes."""
        self.daemon.send_signal(signal.SIGKILL)
        self.daemon.wait(vm.PATIENCE)
        self.start()


class Media(Case):
    CD = ("<disk type='file' device='cdrom'><driver name='qemu' type='raw'/>{source}"
          "<target dev='sda' bus='sata'/></disk>")

    def cd(self, path=None):
        return self.CD.format(source=f"<source file='{path}'/>" if path else '')

    def setUp(self):
        super().setUp()
        self.one, self.two = self.make('one.iso'), self.make('two.iso')

    def source(self, flags=0):
        disk = ET.fromstring(self.conn.lookupByName('m').XMLDesc(flags)).find('.//disk')
        source = disk.find('source')
        return source.get('file') if source is not None else None

    def test(self):
        """A medium by virsh, virt-xml and the library; what is told; what is kept."""
        events = []
        libvirt.virEventRegisterDefaultImpl()
        watch = libvirt.open(self.uri)
        watch.domainEventRegisterAny(None, libvirt.VIR_DOMAIN_EVENT_ID_TRAY_CHANGE,
                                     lambda *args: events.append(args[2:4]), None)
        stop = threading.Event()
        loop = threading.Thread(target=lambda: [libvirt.virEventRunDefaultImpl()
                                                for _ in iter(stop.is_set, True)], daemon=True)
        timer = libvirt.virEventAddTimeout(50, lambda *_: None, None)
        loop.start()
        dom = self.conn.defineXML(clients.definition('m', devices=self.cd(self.one)))
        dom.create()
        self.virsh('change-media', 'm', 'sda', '--eject')
        self.assertIsNone(self.source())
        self.assertEqual(self.source(libvirt.VIR_DOMAIN_XML_INACTIVE), self.one)
        self.virsh('change-media', 'm', 'sda', self.two, '--update', '--live', '--config')
        self.assertEqual(self.source(), self.two)
        self.assertEqual(self.source(libvirt.VIR_DOMAIN_XML_INACTIVE), self.two)
        self.assertIn('two.iso', self.virsh('domblklist', 'm'))
        vm.wait_for(lambda: len(events) >= 4, 'events of the tray')
        self.assertEqual(events[:4], [('sata-disk0', 0), ('sata-disk0', 1)] * 2)
        self.virsh('change-media', 'm', 'sda', self.path('none'), '--update', status=1)
        self.assertEqual(self.source(), self.two)
        self.kill()
        self.assertEqual(self.source(), self.two)
        dom = self.conn.lookupByName('m')
        dom.updateDeviceFlags(self.cd(self.one), libvirt.VIR_DOMAIN_DEVICE_MODIFY_FORCE)
        self.assertEqual(self.source(), self.one)
        dom.updateDeviceFlags(self.cd())
        self.assertIsNone(self.source())
        self.assertEqual(dom.blockStats('sda')[0], 0)
        dom.destroy()
        stop.set()
        loop.join()
        libvirt.virEventRemoveTimeout(timer)

    def test_away(self):
        """What the machine has done while there was no daemon is what is shown."""
        dom = self.conn.createXML(clients.definition('m', devices=self.cd(self.one)))
        uuid = dom.UUIDString()
        self.daemon.send_signal(signal.SIGKILL)
        self.daemon.wait(vm.PATIENCE)
        monitor = next(os.path.join(folder, 'monitor') for folder, _, names in os.walk(self.path('state'))
                       if 'monitor' in names and folder.endswith(uuid))
        with vm.Qmp(monitor) as qmp:
            qmp.call('eject', id='sata-disk0')
        self.start()
        vm.wait_for(lambda: not self.source(), 'an empty drive')
        dom = self.conn.lookupByName('m')
        self.assertEqual(ET.fromstring(dom.XMLDesc()).find('.//disk/target').get('tray'), 'open')
        dom.updateDeviceFlags(self.cd(self.two))
        self.assertEqual(self.source(), self.two)
        self.assertIsNone(ET.fromstring(dom.XMLDesc()).find('.//disk/target').get('tray'))

    def test_disk(self):
        """The image of a disk is no medium."""
        disk = "<disk type='file'><source file='{}'/><target dev='vda' bus='virtio'/></disk>"
        dom = self.conn.createXML(clients.definition('m', devices=disk.format(self.one)))
        with self.assertRaisesRegex(libvirt.libvirtError, 'the image of a disk cannot be changed'):
            dom.updateDeviceFlags(disk.format(self.two))


if __name__ == '__main__':
    unittest.main(verbosity=2)
