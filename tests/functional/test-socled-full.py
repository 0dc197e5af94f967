#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""socled on full disks: each call says so in one sentence, nothing is lost, and with room all works again.

Root mounts small file systems in a mount namespace of its own; others skip.
"""
import os
import signal
import subprocess
import sys
import unittest

import libvirt

import daemon as tool
from daemon import definition
import waiting
from waiting import wait_for

libvirt.registerErrorHandler(lambda _, error: None, None)
LIVE, CONFIG = libvirt.VIR_DOMAIN_AFFECT_LIVE, libvirt.VIR_DOMAIN_AFFECT_CONFIG
TITLE = libvirt.VIR_DOMAIN_METADATA_TITLE
DISK = "<disk type='file'><driver type='raw'/><source file='{}'/><target dev='vdb' bus='virtio'/></disk>"


class Full(tool.Case):
    def setUp(self):
        super().setUp()
        self.folders = {}
        # A small one has no room for the log of definitions and its reserve.
        size = '8m' if 'log' in self.id() else '512k'
        for name in ('st', 'run'):
            self.folders[name] = os.path.join(self.dir, name)
            os.mkdir(self.folders[name])
            if 'ext4' in self.id() and name == 'st':
                self.mount('-o', 'loop', self.ext4(), self.folders[name])
            else:
                self.mount('-t', 'tmpfs', '-o', f'size={size}', 'none', self.folders[name])
        self.addCleanup(self.end_all)
        self.one = None
        self.conn = None
        self.begin()

    def mount(self, *words):
        if subprocess.run(['mount', *words], capture_output=True, check=False).returncode:
            self.skipTest('a file system cannot be mounted here')
        self.addCleanup(subprocess.run, ['umount', '-l', words[-1]], check=False)

    def ext4(self):
        path = os.path.join(self.dir, 'ext4')
        with open(path, 'wb') as file:
            file.truncate(16 << 20)
        subprocess.run(['mke2fs', '-q', '-t', 'ext4', path], check=True)
        return path

    def begin(self):
        self.one = self.daemon('--run', self.folders['run'], '--log-dir', os.path.join(self.dir, 'log'))
        self.conn = libvirt.open(self.one.uri())

    def again(self):
        self.conn.close()
        self.one.end(signal.SIGKILL)
        self.begin()

    def fill(self, name):
        path = os.path.join(self.folders[name], 'filler')
        with open(path, 'ab', buffering=0) as file:
            with self.assertRaises(OSError):
                while True:
                    file.write(b'x' * 4096)
        return path

    def picture(self):
        """All that clients see, and whether it runs."""
        return {dom.name(): (dom.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE), dom.state()[0],
                             dom.autostart(), dom.snapshotListNames())
                for dom in self.conn.listAllDomains()}

    def refused(self, what, call):
        before = self.picture()
        with self.assertRaises(libvirt.libvirtError, msg=what) as caught:
            call()
        self.assertRegex(str(caught.exception), r'\A[^\n]*No space left on device\Z', what)
        self.assertEqual(self.picture(), before, what)

    def pids(self):
        found = {}
        for name in os.listdir(os.path.join(self.folders['run'], 'vm')):
            path = os.path.join(self.folders['run'], 'vm', name, 'pid')
            if os.path.exists(path):
                with open(path, encoding='ascii') as file:
                    text = file.read()
                if text and os.path.exists(f'/proc/{int(text)}'):
                    found[name] = int(text)
        return found

    def calls_on_state(self, one, two):
        uuid = two.UUIDString()
        snapshot = '<domainsnapshot><name>s</name></domainsnapshot>'
        return {
            'define': lambda: self.conn.defineXML(definition('new')),
            'define anew': lambda: self.conn.defineXML(definition('two', uuid=uuid).replace('16384', '32768')),
            'autostart': lambda: two.setAutostart(1),
            'title': lambda: two.setMetadata(TITLE, 'new', None, None, CONFIG),
            'title of both': lambda: one.setMetadata(TITLE, 'new', None, None, CONFIG | LIVE),
            'memory': lambda: two.setMemoryFlags(8192, CONFIG),
            'snapshot': lambda: two.snapshotCreateXML(snapshot),
            'rename': lambda: two.rename('other', 0),
        }

    def test_state(self):
        self.full_state()

    def test_state_with_log(self):
        self.full_state()
        self.assertGreater(os.path.getsize(os.path.join(self.folders['st'], 'wal')), 0)

    def full_state(self):
        one = self.conn.defineXML(definition('one'))
        two = self.conn.defineXML(definition('two'))
        one.create()
        pids = self.pids()
        # What the log has goes to its files, lest it takes room that is counted here.
        files = [os.path.join(self.folders['st'], 'domains', dom.UUIDString() + '.xml') for dom in (one, two)]
        wait_for(lambda: all(map(os.path.exists, files)), 'the files of definitions')
        # The number in there is for people.
        os.truncate(os.path.join(self.folders['st'], 'lock'), 0)
        filler = self.fill('st')
        for what, call in self.calls_on_state(one, two).items():
            self.refused(what, call)
        before = self.picture()
        # What is kept elsewhere goes on, and so does what needs no room.
        one.suspend()
        one.resume()
        two.create()
        two.destroy()
        # A daemon that ends now comes again.
        self.again()
        wait_for(lambda: self.picture() == before, 'all is as before')
        self.assertEqual(self.pids(), pids)
        one, two = map(self.conn.lookupByName, ('one', 'two'))
        self.refused('define', lambda: self.conn.defineXML(definition('new')))
        os.unlink(filler)
        for call in self.calls_on_state(one, two).values():
            call()
        self.assertEqual(set(self.picture()), {'one', 'other', 'new'})
        self.assertNotIn('is of no use', self.one.said())

    def path_of(self, dom):
        return os.path.join(self.folders['st'], 'domains', dom.UUIDString() + '.xml')

    def define_and_fill(self, name):
        """The daemon is held before the file of a definition that it has told has been written."""
        for i in range(20):
            dom = self.conn.defineXML(definition(f'{name}{i}'))
            waiting.hold(self.one.process.pid)
            if not os.path.exists(self.path_of(dom)):
                return dom, self.fill('st')
            self.one.process.send_signal(signal.SIGCONT)
        raise AssertionError('the daemon writes files at once')

    def all_there(self, dom, filler, names):
        """A daemon on the full disk has all, changes nothing, and tells why; with room it does."""
        self.assertEqual(set(self.picture()), names)
        # ext4 gives the room of what was removed a while later, to whoever comes then.
        if 'ext4' not in self.id():
            self.fill('st')  # what the reserve has left, too
            self.refused('define', lambda: self.conn.defineXML(definition('refused')))
        os.unlink(filler)
        wait_for(lambda: os.path.exists(self.path_of(dom)), 'the file follows')
        self.conn.defineXML(definition('later'))
        self.again()
        self.assertEqual(set(self.picture()), names | {'later'})
        self.assertNotIn('is of no use', self.one.said())

    def test_log_then_full(self):
        """Others fill the disk before files have what was told; the daemon goes on."""
        dom, filler = self.define_and_fill('one')
        self.one.process.send_signal(signal.SIGCONT)
        wait_for(lambda: os.path.exists(self.path_of(dom)), 'the file gets the room that was kept for it')
        if 'ext4' not in self.id():  # which has room for one more file when it says that it is full
            self.assertFalse(os.path.exists(os.path.join(self.folders['st'], 'reserve')))
        self.all_there(dom, filler, set(self.picture()))

    def test_log_then_killed(self):
        """The same, and the daemon is killed: the next one starts and has all."""
        dom, filler = self.define_and_fill('one')
        self.again()
        self.assertTrue(os.path.exists(self.path_of(dom)))
        self.all_there(dom, filler, set(self.picture()) | {dom.name()})

    def test_log_then_killed_without_reserve(self):
        """And there is no room that was kept: the next one shows what it has in the log only."""
        dom, filler = self.define_and_fill('one')
        os.unlink(os.path.join(self.folders['st'], 'reserve'))
        self.fill('st')
        self.again()
        self.assertFalse(os.path.exists(self.path_of(dom)))
        self.assertIn('nothing can be defined, changed or undefined until the disk of', self.one.said())
        self.all_there(dom, filler, set(self.picture()) | {dom.name()})

    def test_log_then_full_on_ext4(self):
        self.test_log_then_full()

    def test_log_then_killed_on_ext4(self):
        self.test_log_then_killed()

    def calls_on_run(self, one, two):
        return {
            'create': two.create,
            'create XML': lambda: self.conn.createXML(definition('three')),
            'title': lambda: one.setMetadata(TITLE, 'new', None, None, LIVE),
            'title of both': lambda: one.setMetadata(TITLE, 'new', None, None, LIVE | CONFIG),
            'attach': lambda: one.attachDeviceFlags(DISK.format(os.path.join(self.dir, 'disk')), LIVE),
        }

    def test_run(self):
        with open(os.path.join(self.dir, 'disk'), 'wb') as file:
            file.truncate(1 << 20)
        one = self.conn.defineXML(definition('one'))
        two = self.conn.defineXML(definition('two'))
        one.create()
        pids = self.pids()
        filler = self.fill('run')
        for what, call in self.calls_on_run(one, two).items():
            self.refused(what, call)
            self.assertEqual(self.pids(), pids, what)
            self.assertNotIn('vdb', one.XMLDesc())
        # The machine itself can be told.
        one.suspend()
        self.assertEqual(one.state()[0], libvirt.VIR_DOMAIN_PAUSED)
        self.again()
        one, two = map(self.conn.lookupByName, ('one', 'two'))
        wait_for(lambda: one.state()[0] == libvirt.VIR_DOMAIN_PAUSED, 'it is found as it is')
        self.assertEqual(self.pids(), pids)
        self.refused('create', two.create)
        one.resume()
        os.unlink(filler)
        # What could not be kept is, without anybody asking for it.
        status = os.path.join(self.folders['run'], 'status', f'{one.UUIDString()}.xml')

        def kept():
            with open(status, encoding='utf-8') as file:
                return f'state {libvirt.VIR_DOMAIN_RUNNING}\n' in file.read()

        wait_for(kept, 'its state is kept')
        for call in self.calls_on_run(one, two).values():
            call()
        self.assertEqual(len(self.pids()), 3)
        self.again()
        wait_for(lambda: all(dom.state()[0] == 1 for dom in self.conn.listAllDomains()), 'all are found')
        self.assertIn('vdb', self.conn.lookupByName('one').XMLDesc())
        for dom in self.conn.listAllDomains():
            dom.destroy()
        self.assertEqual(self.pids(), {})

    def test_end(self):
        """A machine is destroyed, and one ends by itself, where nothing can be written."""
        for name in ('one', 'two'):
            self.conn.defineXML(definition(name)).create()
        for name in ('run', 'st'):
            self.fill(name)
        self.conn.lookupByName('one').destroy()
        for pid in self.pids().values():
            os.kill(pid, signal.SIGKILL)
        wait_for(lambda: not self.conn.numOfDomains(), 'both have ended')
        self.again()
        self.assertEqual({name: now[1] for name, now in self.picture().items()},
                         {'one': libvirt.VIR_DOMAIN_SHUTOFF, 'two': libvirt.VIR_DOMAIN_SHUTOFF})


if __name__ == '__main__':
    if os.geteuid():
        print('skipped: only root can mount small file systems')
        sys.exit(77)
    if 'SOCLE_TEST_MOUNTS' not in os.environ:
        os.environ['SOCLE_TEST_MOUNTS'] = '1'
        os.execvp('unshare', ['unshare', '-m', '--propagation', 'private', sys.executable, *sys.argv])
    unittest.main(verbosity=2)
