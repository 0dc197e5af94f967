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
import shutil
import signal
import struct
import subprocess
import threading
import time
import unittest
import xml.etree.ElementTree as ET

import vm
import waiting
from waiting import wait_for



def load(name):
    """Another file of tests."""
    spec = importlib.util.spec_from_file_location(
        name, os.path.join(os.path.dirname(os.path.abspath(__file__)), f'test-{name}.py'))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


clients = load('clients')
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
        self.daemon.wait(waiting.PATIENCE)
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
        wait_for(lambda: len(events) >= 4, 'events of the tray')
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
        self.daemon.wait(waiting.PATIENCE)
        monitor = next(os.path.join(folder, 'monitor') for folder, _, names in os.walk(self.path('state'))
                       if 'monitor' in names and folder.endswith(uuid))
        with vm.Qmp(monitor) as qmp:
            qmp.call('eject', id='sata-disk0')
        self.start()
        wait_for(lambda: not self.source(), 'an empty drive')
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
        # Of all events it may be either that comes first.
        for words, wanted in ((['--event', 'STOP'], 'STOP'), (['--event', '^st.p$', '--regex', '--no-case'], 'STOP'),
                              (['m'], '(STOP|RESUME)')):
            watch = subprocess.Popen(['virsh', '-c', self.uri, 'qemu-monitor-event', *words],
                                     stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
            timer = threading.Timer(waiting.PATIENCE, watch.kill)
            timer.start()
            while watch.poll() is None:
                dom.suspend()
                dom.resume()
                time.sleep(0.05)
            timer.cancel()
            self.assertRegex(watch.stdout.read(), f"event {wanted} at [0-9.]+ for domain 'm'")
            watch.stdout.close()
        self.assertIn('makes no sense', self.virsh('qemu-monitor-event', '--regex', '--event', '(',
                                                   status=1))


class Peek(Case):
    """What stands in a guest's memory and on its disks."""
    DISK = ("<disk type='file'><driver name='qemu' type='{0}'/><source file='{1}'/>"
            "<target dev='{2}' bus='virtio'/></disk>")
    TEXT = bytes(range(256)) * 4096

    def code(self):
        with open(vm.KEYS, 'rb') as file:
            elf = file.read()
        off, = struct.unpack_from('<I', elf, 28)
        _, begin, _, address, size = struct.unpack_from('<5I', elf, off)
        return address, elf[begin:begin + min(size, 256)]

    def refused(self, code, words, function, *args):
        with self.assertRaisesRegex(libvirt.libvirtError, words) as raised:
            function(*args)
        self.assertEqual(raised.exception.get_error_code(), code)

    def test_memory(self):
        dom = self.conn.createXML(clients.definition('m'))
        address, code = self.code()
        wait_for(lambda: dom.memoryPeek(address, 4, libvirt.VIR_MEMORY_PHYSICAL) == code[:4],
                    'the kernel in memory')
        for flag in (libvirt.VIR_MEMORY_PHYSICAL, libvirt.VIR_MEMORY_VIRTUAL):
            self.assertEqual(dom.memoryPeek(address, len(code), flag), code)
            big = dom.memoryPeek(0, 4 << 20, flag)
            self.assertEqual((len(big), big[address:address + len(code)]), (4 << 20, code))
        bad = libvirt.VIR_ERR_INVALID_ARG
        physical = libvirt.VIR_MEMORY_PHYSICAL
        self.refused(bad, 'no memory at physical address', dom.memoryPeek, 16 << 20, 1, physical)
        self.refused(bad, 'no memory at physical address', dom.memoryPeek, 2 ** 64 - 1, 1, physical)
        self.refused(bad, 'beyond the last address', dom.memoryPeek, 2 ** 64 - 1, 2, physical)
        dom.destroy()
        dom = self.conn.defineXML(clients.definition('m'))
        self.refused(libvirt.VIR_ERR_OPERATION_INVALID, 'not running', dom.memoryPeek, 0, 1, physical)

    def test_block(self):
        """The same of a machine that is on, and of one that is off."""
        raw = self.make('raw', 2 << 20, self.TEXT)
        other = self.make('other', 2 << 20, self.TEXT)
        self.run_client(os.environ['SOCLE_IMG'], 'convert', '-O', 'qcow2', raw, self.path('q'))
        dom = self.conn.defineXML(clients.definition(
            'm', devices=self.DISK.format('raw', raw, 'vda') + self.DISK.format('qcow2', self.path('q'), 'vdb')
            + Media.CD.format(source=f"<source file='{other}'/>")))
        for active in (False, True):
            if active:
                dom.create()
            for disk in ('vda', raw, 'vdb', self.path('q'), 'sda'):
                self.assertEqual(dom.blockPeek(disk, 0, 1 << 20), self.TEXT)
                self.assertEqual(dom.blockPeek(disk, 513, 7), self.TEXT[513:520])
                self.assertEqual(dom.blockPeek(disk, (2 << 20) - 1, 1), b'\0')
            failed = libvirt.VIR_ERR_OPERATION_FAILED if active else libvirt.VIR_ERR_INVALID_ARG
            self.refused(failed, 'the disk has 2097152 bytes', dom.blockPeek, 'vda', 2 << 20, 1)
            self.refused(failed, 'the disk has 2097152 bytes', dom.blockPeek, 'vda', 2 ** 64 - 2, 2)
            self.refused(libvirt.VIR_ERR_INVALID_ARG, "has no disk 'vdz'", dom.blockPeek, 'vdz', 0, 1)
        os.truncate(self.path('q'), 100)
        dom.destroy()
        with self.assertRaises(libvirt.libvirtError):
            dom.blockPeek('vdb', 0, 1)


class Dump(Case):
    """A guest's memory in a file."""

    def make_dom(self, name='m', memory=16):
        return self.conn.createXML(clients.definition(name, memory=memory))

    def headers(self, path):
        return self.run_client('readelf', '-l', path)

    def parts(self):
        return [name for name in os.listdir(self.folder) if name.endswith('.part')]

    def check(self, path, memory=16):
        with open(path, 'rb') as file:
            data = file.read()
        self.assertEqual(data[:5], b'\x7fELF\x02')
        address, code = Peek.code(self)
        at, = struct.unpack_from('<Q', data, 32)
        loads = [struct.unpack_from('<IIQQQQQQ', data, at + 56 * i)
                 for i in range(struct.unpack_from('<H', data, 56)[0])]
        where = next(load for load in loads if load[0] == 1 and load[4] <= address < load[4] + load[5])
        begin = where[2] + address - where[4]
        self.assertEqual(data[begin:begin + len(code)], code)
        self.assertEqual(sum(load[5] for load in loads if load[0] == 1), memory << 20)
        self.assertEqual(self.parts(), [])

    def test(self):
        dom = self.make_dom()
        core = self.path('core')
        self.assertIn('dumped to', self.virsh('dump', 'm', core, '--memory-only'))
        self.check(core)
        if shutil.which('readelf'):
            self.assertIn('Core file', self.run_client('readelf', '-h', core))
            self.assertRegex(self.headers(core), r'NOTE[^$]*LOAD')
            self.assertIn('NT_PRSTATUS', self.run_client('readelf', '-n', core))
        self.assertEqual(dom.state()[0], libvirt.VIR_DOMAIN_RUNNING)
        # Over one that is there, of a machine that stands still.
        dom.suspend()
        self.virsh('dump', 'm', core, '--memory-only', '--live', '--format', 'elf', '--bypass-cache')
        self.check(core)
        self.assertEqual(dom.state()[0], libvirt.VIR_DOMAIN_PAUSED)
        dom.resume()
        dom.coreDump(core, libvirt.VIR_DUMP_RESET)
        self.check(core)
        self.assertEqual(dom.state()[0], libvirt.VIR_DOMAIN_RUNNING)
        self.assertEqual(dom.jobInfo()[0], libvirt.VIR_DOMAIN_JOB_NONE)
        dom.coreDumpWithFormat(core, libvirt.VIR_DOMAIN_CORE_DUMP_FORMAT_RAW, libvirt.VIR_DUMP_CRASH)
        self.assertEqual(self.conn.listAllDomains(), [])

    def test_refused(self):
        dom = self.make_dom()
        unsupported, bad = libvirt.VIR_ERR_OPERATION_UNSUPPORTED, libvirt.VIR_ERR_INVALID_ARG
        for kind in range(1, 5):
            Peek.refused(self, unsupported, 'ELF files without compression', dom.coreDumpWithFormat,
                         self.path('x'), kind, libvirt.VIR_DUMP_MEMORY_ONLY)
        Peek.refused(self, bad, 'is no file', dom.coreDump, self.folder, 0)
        Peek.refused(self, libvirt.VIR_ERR_SYSTEM_ERROR, 'cannot make the file', dom.coreDump,
                     self.path('no/x'), 0)
        Peek.refused(self, libvirt.VIR_ERR_INVALID_ARG, '', dom.coreDump, self.path('x'), 1 << 10)
        Peek.refused(self, libvirt.VIR_ERR_OPERATION_INVALID, 'no job is active', dom.abortJob)
        self.assertEqual(os.listdir(self.folder).count('x'), 0)
        self.assertEqual(self.parts(), [])
        self.assertEqual(dom.state()[0], libvirt.VIR_DOMAIN_RUNNING)

    def slow(self):
        """A dump that stands still half-way: the machine's process does."""
        dom = self.make_dom(memory=2048)
        self.pid = next(int(pid) for pid in os.listdir('/proc') if pid.isdigit() and
                        dom.UUIDString().encode() in self.words(pid) and b'socle-vm' in self.words(pid))
        self.addCleanup(self.cont)
        waiting.hold(self.pid)
        errors = []

        def run():
            conn = libvirt.open(self.uri)
            try:
                conn.lookupByName('m').coreDump(self.path('core'), 0)
            except libvirt.libvirtError as error:
                errors.append(str(error))
        thread = threading.Thread(target=run)
        thread.start()
        wait_for(self.parts, 'a dump that has begun')
        return dom, thread, errors

    @staticmethod
    def words(pid):
        with contextlib.suppress(OSError), open(f'/proc/{pid}/cmdline', 'rb') as file:
            return file.read()
        return b''

    def cont(self):
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGCONT)

    def test_abort(self):
        """The job is shown, and given up; nothing is left of it."""
        dom, thread, errors = self.slow()
        info = dom.jobInfo()
        self.assertEqual(info[0], libvirt.VIR_DOMAIN_JOB_UNBOUNDED)
        stats = dom.jobStats()
        self.assertEqual(stats['operation'], libvirt.VIR_DOMAIN_JOB_OPERATION_DUMP)
        abort = threading.Thread(target=lambda: self.virsh('domjobabort', 'm', status=None))
        abort.start()
        time.sleep(0.2)
        self.cont()
        abort.join()
        thread.join()
        if errors:
            self.assertIn('given up', errors[0])
            self.assertFalse(os.path.exists(self.path('core')))
        self.assertEqual(self.parts(), [])
        self.assertEqual(dom.jobInfo()[0], libvirt.VIR_DOMAIN_JOB_NONE)
        wait_for(lambda: dom.state()[0] == libvirt.VIR_DOMAIN_RUNNING, 'a guest that runs')

    def test_killed(self):
        """The daemon dies: the machine goes on, and does not dump for nobody."""
        dom, thread, errors = self.slow()
        self.daemon.send_signal(signal.SIGKILL)
        self.daemon.wait(waiting.PATIENCE)
        self.cont()
        thread.join()
        self.assertEqual(len(errors), 1)
        self.start()
        dom = self.conn.lookupByName('m')
        wait_for(lambda: dom.state()[0] == libvirt.VIR_DOMAIN_RUNNING, 'a guest that runs')
        self.assertEqual(dom.jobInfo()[0], libvirt.VIR_DOMAIN_JOB_NONE)
        wait_for(lambda: not self.parts(), 'the half of a dump that is removed')

        def dumped():
            try:
                dom.coreDump(self.path('core'), 0)
                return True
            except libvirt.libvirtError as error:
                # The one that nobody waits for is about to end.
                self.assertIn('There is a dump in process', str(error))
                return False
        wait_for(dumped, 'a dump of its own')

    def test_killed_both(self):
        """Nor is anything left if the machine dies, too."""
        _, thread, _ = self.slow()
        self.daemon.send_signal(signal.SIGKILL)
        self.daemon.wait(waiting.PATIENCE)
        os.kill(self.pid, signal.SIGKILL)
        thread.join()
        self.start()
        wait_for(lambda: not self.parts(), 'the half of a dump that is removed')

    def test_destroyed(self):
        dom, thread, errors = self.slow()
        dom.destroy()
        thread.join()
        self.assertEqual(len(errors), 1)
        self.assertEqual(self.parts(), [])


class Threshold(Case):
    def test(self):
        """A disk that grows beyond an offset is told, once."""
        jobs = load('jobs')
        events = []
        libvirt.virEventRegisterDefaultImpl()
        watch = libvirt.open(self.uri)
        watch.domainEventRegisterAny(None, libvirt.VIR_DOMAIN_EVENT_ID_BLOCK_THRESHOLD,
                                     lambda *args: events.append(args[2:6]), None)
        timer = libvirt.virEventAddTimeout(50, lambda *_: None, None)
        stop = threading.Event()
        loop = threading.Thread(target=lambda: [libvirt.virEventRunDefaultImpl()
                                                for _ in iter(stop.is_set, True)], daemon=True)
        loop.start()
        disk = self.make('disk', jobs.SIZE, jobs.pattern())
        xml = clients.definition('m', kernel=os.environ['SOCLE_JOBS'],
                                 devices=f"<disk type='file'><source file='{disk}'/>"
                                         "<target dev='vda' bus='virtio'/></disk><memballoon model='none'/>")
        dom = self.conn.createXML(xml)
        self.virsh('domblkthreshold', 'm', 'vda', '1M')
        wait_for(lambda: events, 'an event')
        target, path, threshold, excess = events[0]
        self.assertEqual((target, path, threshold), ('vda', disk, 1 << 20))
        self.assertGreater(excess, 0)
        self.virsh('domblkthreshold', 'm', 'vdb', '1M', status=1)
        dom.destroy()
        stop.set()
        loop.join()
        libvirt.virEventRemoveTimeout(timer)
        self.assertEqual(len(events), 1)


class Watch(Case):
    """What virsh event --all shows of calls that change what runs."""

    def change(self):
        for words in (['schedinfo', 'm', '--live', 'cpu_shares=77', 'vcpu_quota=-1'],
                      ['vcpupin', 'm', '0', '0', '--live'],
                      ['emulatorpin', 'm', '0', '--live'],
                      ['blkdeviotune', 'm', 'vda', '--live', '--read-iops-sec', '300', '--group-name', 'g'],
                      ['attach-disk', 'm', self.disks[1], 'vdb', '--live'],
                      ['change-media', 'm', 'sda', '--eject', '--force'],
                      ['desc', 'm', '--live', '--title', 'new'],
                      # What is kept only is no event of what runs.
                      ['schedinfo', 'm', '--config', 'cpu_shares=78'],
                      ['schedinfo', 'm', '--live', 'cpu_shares=79']):
            self.virsh(*words)

    def test(self):
        self.disks = [self.make(name) for name in ('one', 'two', 'iso')]
        disk = ("<disk type='file'{0}><source file='{1}'/><target dev='{2}' bus='{3}'/></disk>")
        dom = self.conn.defineXML(clients.definition(
            'm', devices=disk.format('', self.disks[0], 'vda', 'virtio') +
            disk.format(" device='cdrom'", self.disks[2], 'sda', 'sata')))
        dom.create()
        watch = subprocess.Popen(['virsh', '-c', self.uri, 'event', '--all', '--loop', '--domain', 'm'],
                                 stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, bufsize=0)
        self.addCleanup(watch.stdout.close)
        # It listens when it shows what happens.
        said = b''
        os.set_blocking(watch.stdout.fileno(), False)
        end = time.monotonic() + waiting.PATIENCE
        while b'suspended' not in said.lower() and time.monotonic() < end:
            dom.suspend()
            dom.resume()
            time.sleep(0.05)
            said += watch.stdout.read() or b''
        self.change()
        while b'cputune.cpu_shares: 79' not in said and time.monotonic() < end:
            time.sleep(0.05)
            said += watch.stdout.read() or b''
        watch.send_signal(signal.SIGINT)
        watch.wait(waiting.PATIENCE)
        said = (said + (watch.stdout.read() or b'')).decode()
        for text in ("cputune.cpu_shares: 77", "cputune.vcpu_quota: -1", "cputune.vcpupin0: 0",
                     "cputune.emulatorpin: 0", "blkdeviotune.disk: vda", "blkdeviotune.read_iops_sec: 300",
                     "blkdeviotune.group_name: g", "'device-added' for domain 'm': virtio-disk2",
                     "'tray-change' for domain 'm' disk sata-disk1: opened", "'metadata-change' for domain 'm'",
                     "cputune.cpu_shares: 79"):
            self.assertIn(text, said)
        self.assertEqual(said.count("'tunable' for domain 'm'"), 5, said)
        self.assertNotIn('cpu_shares: 78', said)


class Migration(Case):
    def test(self):
        dom = self.conn.createXML(clients.definition('m'))
        uri = f'qemu+unix:///system?socket={self.path("sock")}'
        out = self.virsh('migrate', '--live', 'm', uri, status=1)
        self.assertIn('cannot be migrated while they run yet', out)
        for flags in (0, libvirt.VIR_MIGRATE_LIVE | libvirt.VIR_MIGRATE_PEER2PEER):
            with self.assertRaisesRegex(libvirt.libvirtError, 'cannot be migrated') as raised:
                dom.migrateToURI3(uri, {}, flags | libvirt.VIR_MIGRATE_PEER2PEER)
            self.assertEqual(raised.exception.get_error_code(), libvirt.VIR_ERR_OPERATION_UNSUPPORTED)
        self.assertEqual(dom.state()[0], libvirt.VIR_DOMAIN_RUNNING)


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

    def source(self, dom, flags=0):
        return ET.fromstring(dom.XMLDesc(flags)).find('.//disk/source').get('file')

    def check_back(self, dom, count):
        """The disk goes on in a new image, and has what there was; it can be written."""
        path = self.source(dom, libvirt.VIR_DOMAIN_XML_INACTIVE)
        self.assertRegex(path, rf'/d\.s{count}-[0-9]+$')
        if dom.isActive():
            self.assertEqual(self.source(dom), path)
            dom.destroy()
        self.io(path, *(f'read -q -P {n + 1 if n < count else 0} {2 * n}M 1M' for n in range(4)),
                'write -q -P 9 6M 1M')

    def test_revert(self):
        """Back and forth; every state that there was is there again."""
        dom = self.make(2)
        for name in ('s1', 's2'):
            self.virsh('snapshot-revert', 'm', name)
            self.check_back(dom, int(name[1:]))
            self.assertEqual(dom.snapshotCurrent().getName(), name)
            self.assertEqual(dom.state(), [libvirt.VIR_DOMAIN_SHUTOFF,
                                           libvirt.VIR_DOMAIN_SHUTOFF_FROM_SNAPSHOT])
        self.io(self.image(2), *(f'read -q -P {n + 1} {2 * n}M 1M' for n in range(3)))
        path = self.source(dom)
        self.kill()
        dom = self.conn.lookupByName('m')
        self.assertEqual(self.source(dom), path)
        # What was done from there on is a branch: both are there, until one is deleted.
        dom.snapshotCreateXML('<domainsnapshot><name>b</name></domainsnapshot>', self.KINDS)
        self.assertEqual(dom.snapshotLookupByName('b').getParent().getName(), 's2')
        for name in ('b', 's2', 's1'):
            self.delete(dom, name)
        self.assertEqual(self.names(dom), [])
        self.io(self.source(dom), 'read -q -P 1 0 1M', 'read -q -P 2 2M 1M', 'read -q -P 9 6M 1M')

    def test_revert_live(self):
        """A machine that runs is another one afterwards, or none; its definition is that of then."""
        dom = self.make(0)
        dom.create()
        dom.snapshotCreateXML('<domainsnapshot><name>s1</name></domainsnapshot>', self.KINDS)
        dom.setMetadata(libvirt.VIR_DOMAIN_METADATA_TITLE, 'later', None, None,
                        libvirt.VIR_DOMAIN_AFFECT_CONFIG)
        dom.revertToSnapshot(dom.snapshotLookupByName('s1'), libvirt.VIR_DOMAIN_SNAPSHOT_REVERT_RUNNING)
        self.assertTrue(dom.isActive())
        self.assertNotIn('later', dom.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE))
        self.check_back(dom, 1)
        time.sleep(1)
        dom.create()
        dom.revertToSnapshot(dom.snapshotLookupByName('s1'))
        self.assertFalse(dom.isActive())
        self.check_back(dom, 1)
        # An image that is not there any more: all stays.
        before = dom.XMLDesc()
        os.rename(self.image(0), self.path('away'))
        time.sleep(1)
        with self.assertRaisesRegex(libvirt.libvirtError, 'No such file'):
            dom.revertToSnapshot(dom.snapshotLookupByName('s1'))
        self.assertEqual(dom.XMLDesc(), before)

    def test_pivot_follows(self):
        """A commit by hand: the definition goes over with the machine."""
        dom = self.make(1)
        dom.create()
        dom.blockCommit('vda', None, None, 0, libvirt.VIR_DOMAIN_BLOCK_COMMIT_ACTIVE)
        wait_for(lambda: dom.blockJobInfo('vda').get('cur') == dom.blockJobInfo('vda').get('end'),
                    'a job that is ready')
        dom.blockJobAbort('vda', libvirt.VIR_DOMAIN_BLOCK_JOB_ABORT_PIVOT)
        self.check(dom, 0, 2)

    def killed(self, live):
        """The daemon is killed while it deletes: whatever the moment, the disk has all there was."""
        why = ['all snapshots are deleted']
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
            images = []

            def settled():
                """Definition and machine name the same image."""
                images[:] = [self.source(dom, flags) for flags in (0, libvirt.VIR_DOMAIN_XML_INACTIVE)]
                return images[0] == images[1]
            wait_for(settled, images)

            def deleted():
                """What the killed daemon had begun may have to end first."""
                try:
                    for name in self.names(dom)[:1]:
                        self.delete(dom, name, self.DELETE['children'])
                except libvirt.libvirtError as error:
                    why[1:] = [str(error)]
                return not self.names(dom)
            wait_for(deleted, why)
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
