#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Calls that change more of a machine than its state, by libvirt's clients against socled.

Test classes run one at a time: test-calls.py CLASS. Ends with 77 where a client is not installed.
Environment: that of test-clients.py.
"""
import contextlib
import importlib.util
import os
import random
import signal
import subprocess
import threading
import time
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


class Monitor(Case):
    """Program qemu: the monitor of a machine, as it is."""

    def test(self):
        dom = self.conn.createXML(clients.definition('m'))
        self.assertEqual(dom.messages(libvirt.VIR_DOMAIN_MESSAGE_TAINTING), [])
        self.assertIn('"status":"running"',
                      self.virsh('qemu-monitor-command', 'm', '{"execute":"query-status"}'))
        self.assertIn('running', self.virsh('qemu-monitor-command', '--hmp', 'm', 'info status'))
        self.assertIn('CommandNotFound', self.virsh('qemu-monitor-command', 'm', '{"execute":"none"}'))
        self.assertIn('no command of QMP', self.virsh('qemu-monitor-command', 'm', '{"none":1}', status=1))
        self.assertIn('tainted: use of custom monitor control commands',
                      dom.messages(libvirt.VIR_DOMAIN_MESSAGE_TAINTING))
        self.assertIn('no channel to an agent',
                      self.virsh('qemu-agent-command', 'm', '{"execute":"guest-ping"}', status=1))
        self.assertIn('read only', self.virsh('-r', 'qemu-monitor-command', 'm',
                                              '{"execute":"quit"}', status=1))
        dom.destroy()
        # Another machine of that name is not tainted.
        dom = self.conn.createXML(clients.definition('m'))
        self.assertEqual(dom.messages(libvirt.VIR_DOMAIN_MESSAGE_TAINTING), [])

    def test_events(self):
        dom = self.conn.createXML(clients.definition('m'))
        for words in (['--event', 'STOP'], ['--event', '^st.p$', '--regex', '--no-case'], ['m']):
            watch = subprocess.Popen(['virsh', '-c', self.uri, 'qemu-monitor-event', *words],
                                     stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
            timer = threading.Timer(vm.PATIENCE, watch.kill)
            timer.start()
            while watch.poll() is None:
                dom.suspend()
                dom.resume()
                time.sleep(0.05)
            timer.cancel()
            self.assertRegex(watch.stdout.read(), "event STOP at [0-9.]+ for domain 'm'")
            watch.stdout.close()
        self.assertIn('makes no sense', self.virsh('qemu-monitor-event', '--regex', '--event', '(',
                                                   status=1))


class Snapshots(Case):
    """External snapshots are deleted with their images; nothing of what was written is lost."""

    DISK = ("<disk type='file'><driver name='qemu' type='qcow2'/><source file='{}'/>"
            "<target dev='vda' bus='virtio'/></disk>")
    KINDS = libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_DISK_ONLY | libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_ATOMIC
    DELETE = {'only': libvirt.VIR_DOMAIN_SNAPSHOT_DELETE_METADATA_ONLY,
              'children': libvirt.VIR_DOMAIN_SNAPSHOT_DELETE_CHILDREN,
              'descendants': libvirt.VIR_DOMAIN_SNAPSHOT_DELETE_CHILDREN_ONLY}

    def io(self, path, *commands):
        words = [word for command in commands for word in ('-c', command)]
        done = vm.run(os.environ['SOCLE_IO'], '-f', 'qcow2', *words, path)
        self.assertEqual(done.returncode, 0, (path, commands, done))

    def image(self, number):
        return self.path('d.qcow2' if not number else f'd.s{number}')

    def make(self, count, size='1M'):
        """A domain that is off, with @count snapshots; in each of its images another pattern."""
        vm.run(os.environ['SOCLE_IMG'], 'create', '-q', '-f', 'qcow2', self.image(0), '64M')
        dom = self.conn.defineXML(clients.definition('m', devices=self.DISK.format(self.image(0))))
        self.io(self.image(0), f'write -q -P 1 0 {size}')
        for n in range(1, count + 1):
            dom.snapshotCreateXML(f'<domainsnapshot><name>s{n}</name></domainsnapshot>', self.KINDS)
            self.assertTrue(os.path.exists(self.image(n)))
            self.io(self.image(n), f'write -q -P {n + 1} {2 * n}M {size}')
        return dom

    def check(self, dom, number, parts, size='1M'):
        """The disk is this image, and has all patterns."""
        for flags in (0, libvirt.VIR_DOMAIN_XML_INACTIVE):
            source = ET.fromstring(dom.XMLDesc(flags)).find('.//disk/source').get('file')
            self.assertEqual(source, self.image(number))
        if dom.isActive():
            dom.destroy()
        check = vm.run(os.environ['SOCLE_IMG'], 'check', '-q', self.image(number))
        # One that wrote when it was killed may have left clusters that nobody has.
        self.assertIn(check.returncode, (0, 3), check)
        self.io(self.image(number), *(f'read -q -P {n + 1} {2 * n}M {size}' for n in range(parts)))

    def delete(self, dom, name, how=0):
        dom.snapshotLookupByName(name).delete(how)

    def names(self, dom):
        return sorted(dom.snapshotListNames())

    def deletes(self, live):
        dom = self.make(4)
        if live:
            dom.create()
        self.delete(dom, 's2')              # in the middle
        self.assertFalse(os.path.exists(self.image(2)))
        snap = ET.fromstring(dom.snapshotLookupByName('s3').getXMLDesc())
        self.assertEqual(snap.find('parent/name').text, 's1')
        self.assertEqual(snap.find('domain/devices/disk/source').get('file'), self.image(1))
        self.delete(dom, 's4')              # what is in use
        self.delete(dom, 's1')
        self.delete(dom, 's3')
        self.assertEqual(self.names(dom), [])
        self.assertEqual([n for n in range(1, 5) if os.path.exists(self.image(n))], [])
        self.check(dom, 0, 5)

    def test_off(self):
        self.deletes(False)

    def test_live(self):
        self.deletes(True)

    def children(self, live):
        dom = self.make(4)
        if live:
            dom.create()
        self.delete(dom, 's2', self.DELETE['descendants'])
        self.assertEqual(self.names(dom), ['s1', 's2'])
        self.delete(dom, 's1', self.DELETE['children'])
        self.assertEqual(self.names(dom), [])
        self.check(dom, 0, 5)

    def test_children_off(self):
        self.children(False)

    def test_children_live(self):
        self.children(True)

    def test_refused(self):
        dom = self.make(2)
        self.delete(dom, 's2', self.DELETE['only'])
        self.assertTrue(os.path.exists(self.image(2)))
        # The image of a base that is not there; nothing changes.
        os.rename(self.image(0), self.path('away'))
        with self.assertRaisesRegex(libvirt.libvirtError, 'No such file'):
            self.delete(dom, 's1')
        os.rename(self.path('away'), self.image(0))
        self.assertEqual(self.names(dom), ['s1'])
        with self.assertRaisesRegex(libvirt.libvirtError, 'cannot go back to a snapshot'):
            dom.revertToSnapshot(dom.snapshotLookupByName('s1'))
        # A description that is not what the chain is.
        vm.run(os.environ['SOCLE_IMG'], 'create', '-q', '-f', 'qcow2', self.path('x'), '64M')
        vm.run(os.environ['SOCLE_IMG'], 'rebase', '-u', '-f', 'qcow2', '-F', 'qcow2', '-b', self.path('x'),
               self.image(1))
        for live in (False, True):
            if live:
                dom.create()
            with self.assertRaisesRegex(libvirt.libvirtError, "stands '.*/x', and not '.*/d.qcow2'"):
                self.delete(dom, 's1')
        self.assertEqual(self.names(dom), ['s1'])

    def test_pivot_follows(self):
        """A commit by hand: the definition goes over with the machine."""
        dom = self.make(1)
        dom.create()
        dom.blockCommit('vda', None, None, 0, libvirt.VIR_DOMAIN_BLOCK_COMMIT_ACTIVE)
        vm.wait_for(lambda: dom.blockJobInfo('vda').get('cur') == dom.blockJobInfo('vda').get('end'),
                    'a job that is ready')
        dom.blockJobAbort('vda', libvirt.VIR_DOMAIN_BLOCK_JOB_ABORT_PIVOT)
        self.check(dom, 0, 2)

    def killed(self, live):
        """The daemon is killed while it deletes: whatever the moment, the disk has all there was."""
        why = ''
        for _ in range(6):
            dom = self.make(2, '2M')
            if live:
                dom.create()
            client = subprocess.Popen(['virsh', '-c', self.uri, 'snapshot-delete', 'm', 's1', '--children'],
                                      stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                      stderr=subprocess.DEVNULL)
            time.sleep(0.03 + random.random() * 0.25)
            self.kill()
            client.wait()
            dom = self.conn.lookupByName('m')
            self.conn.listAllDomains()
            images = set()

            def settled():
                """Definition and machine name the same image."""
                images.clear()
                images.update(ET.fromstring(dom.XMLDesc(flags)).find('.//disk/source').get('file')
                              for flags in (0, libvirt.VIR_DOMAIN_XML_INACTIVE))
                return len(images) == 1
            vm.wait_for(settled, 'a definition that fits the machine')
            for _ in range(50):
                if not self.names(dom):
                    break
                try:
                    self.delete(dom, self.names(dom)[0], self.DELETE['children'])
                except libvirt.libvirtError as error:
                    why = str(error)
                time.sleep(0.1)
            self.assertEqual(self.names(dom), [], why)
            self.check(dom, 0, 3, '2M')
            dom.undefine()
            for n in range(3):
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(self.image(n))

    def test_killed_off(self):
        self.killed(False)

    def test_killed_live(self):
        self.killed(True)


if __name__ == '__main__':
    unittest.main(verbosity=2)
