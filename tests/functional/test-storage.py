#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""socled's storage pools, by unmodified virsh, virt-install, virt-clone and Python's bindings.

Environment: as daemon.py says; SOCLE_IMG socle-img, SOCLE socle.
"""
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
import unittest

import daemon as tool
import waiting
from waiting import wait_for

try:
    import libvirt
    libvirt.registerErrorHandler(lambda *_: None, None)
except ImportError:
    libvirt = None

IMG = os.environ.get('SOCLE_IMG', 'socle-img')
SOCLE = os.environ.get('SOCLE', 'socle')
MIB = 1 << 20
GIB = 1 << 30


class Pools(tool.Case):
    """One daemon with an active pool `p` of files."""

    def setUp(self):
        super().setUp()
        self.one = self.daemon()
        self.uri = self.one.uri()
        self.pool = os.path.join(self.dir, 'pool')
        self.virsh(self.uri, 'pool-define-as', 'p', 'dir', '--target', self.pool)
        self.virsh(self.uri, 'pool-build', 'p')
        self.virsh(self.uri, 'pool-start', 'p')

    def path(self, name):
        return os.path.join(self.pool, name)

    def parts(self):
        return [name for name in os.listdir(self.pool) if name.startswith('.socle-')]

    def image(self, name):
        result = subprocess.run([IMG, 'info', '--output=json', self.path(name)], check=True,
                                capture_output=True, text=True, timeout=waiting.PATIENCE)
        return json.loads(result.stdout)

    def names(self):
        lines = self.virsh(self.uri, 'vol-list', 'p').splitlines()[2:]
        return [line.split()[0] for line in lines if line.strip()]


class Volumes(Pools):
    def test_raw(self):
        self.virsh(self.uri, 'vol-create-as', 'p', 'a.img', '10M', '--allocation', '0')
        info = os.stat(self.path('a.img'))
        self.assertEqual((info.st_size, info.st_blocks, info.st_mode & 0o777), (10 * MIB, 0, 0o600))
        self.virsh(self.uri, 'vol-create-as', 'p', 'full.img', '10M')
        self.assertGreaterEqual(os.stat(self.path('full.img')).st_blocks * 512, 10 * MIB)
        self.assertIn("already exists",
                      self.virsh(self.uri, 'vol-create-as', 'p', 'a.img', '1M', status=1))
        self.virsh(self.uri, 'vol-resize', 'a.img', '12M', 'p')
        self.assertEqual(os.stat(self.path('a.img')).st_size, 12 * MIB)
        self.assertIn('shrink', self.virsh(self.uri, 'vol-resize', 'a.img', '1M', 'p', status=1))
        self.virsh(self.uri, 'vol-resize', 'a.img', '1M', 'p', '--shrink')
        self.assertEqual(os.stat(self.path('a.img')).st_size, MIB)
        self.virsh(self.uri, 'vol-delete', 'full.img', 'p')
        self.assertEqual(self.names(), ['a.img'])
        self.assertEqual(self.parts(), [])

    def test_qcow2(self):
        xml = self.write('v.xml', """<volume><name>q</name><capacity unit='MiB'>64</capacity>
            <target><format type='qcow2'/><permissions><mode>0640</mode></permissions>
            <compat>1.1</compat><clusterSize unit='KiB'>128</clusterSize>
            <features><lazy_refcounts/></features></target></volume>""")
        self.virsh(self.uri, 'vol-create', 'p', xml, '--validate')
        info = self.image('q')
        self.assertEqual((info['virtual-size'], info['cluster-size']), (64 * MIB, 128 * 1024))
        self.assertTrue(info['format-specific']['data']['lazy-refcounts'])
        text = self.virsh(self.uri, 'vol-dumpxml', 'q', 'p')
        for part in ("<format type='qcow2'/>", '<compat>1.1</compat>', '<lazy_refcounts/>', '<mode>0640</mode>',
                     "<capacity unit='bytes'>67108864</capacity>", "<clusterSize unit='bytes'>131072<"):
            self.assertIn(part, text)
        self.virsh(self.uri, 'vol-create-as', 'p', 'linked', '0', '--format', 'qcow2',
                   '--backing-vol', 'q', '--backing-vol-format', 'qcow2')
        info = self.image('linked')
        self.assertEqual((info['virtual-size'], info['full-backing-filename']), (64 * MIB, self.path('q')))
        self.assertIn(f'<path>{self.path("q")}</path>', self.virsh(self.uri, 'vol-dumpxml', 'linked', 'p'))
        self.virsh(self.uri, 'vol-resize', 'linked', '80M', 'p')
        self.assertEqual(self.image('linked')['virtual-size'], 80 * MIB)
        if shutil.which('virt-xml-validate'):
            path = self.write('out.xml', text)
            subprocess.run(['virt-xml-validate', path, 'storagevol'], check=True, timeout=waiting.PATIENCE,
                           stdout=subprocess.DEVNULL)

    def test_clone(self):
        """Each format into each; what is behind comes along; sizes may grow."""
        data = os.urandom(300000)
        with open(self.path('raw'), 'wb') as file:
            file.truncate(8 * MIB)
            file.seek(3 * MIB)
            file.write(data)
        for source, target, form in (('raw', 'raw2', 'raw'), ('raw', 'q1', 'qcow2'), ('q1', 'q2', 'qcow2'),
                                     ('q2', 'raw3', 'raw')):
            xml = self.write('c.xml', f"<volume><name>{target}</name><capacity unit='MiB'>9</capacity>"
                                      f"<target><format type='{form}'/></target></volume>")
            self.virsh(self.uri, 'vol-create-from', 'p', xml, source, '--inputpool', 'p')
            self.assertEqual(self.image(target)['virtual-size'], 9 * MIB)
        self.virsh(self.uri, 'vol-create-as', 'p', 'linked', '0', '--format', 'qcow2',
                   '--backing-vol', 'q2', '--backing-vol-format', 'qcow2')
        xml = self.write('c.xml', "<volume><name>flat</name><capacity>0</capacity><target>"
                                  "<format type='raw'/></target></volume>")
        self.virsh(self.uri, 'vol-create-from', 'p', xml, 'linked', '--inputpool', 'p')
        for name in ('raw2', 'raw3', 'flat'):
            with open(self.path(name), 'rb') as file:
                file.seek(3 * MIB)
                self.assertEqual(file.read(len(data)), data, name)
            self.assertLess(os.stat(self.path(name)).st_blocks * 512, MIB, name)
        # What stands behind the copy is not seen through the holes of what was copied.
        with open(self.path('behind'), 'wb') as file:
            file.write(b'x' * (8 * MIB))
        self.virsh(self.uri, 'pool-refresh', 'p')
        xml = self.write('c.xml', "<volume><name>over</name><capacity unit='MiB'>8</capacity><target>"
                                  "<format type='qcow2'/></target><backingStore>"
                                  f"<path>{self.path('behind')}</path><format type='raw'/></backingStore></volume>")
        self.virsh(self.uri, 'vol-create-from', 'p', xml, 'raw', '--inputpool', 'p')
        subprocess.run([IMG, 'compare', '-f', 'raw', '-F', 'qcow2', self.path('raw'), self.path('over')], check=True,
                       timeout=waiting.PATIENCE)
        self.virsh(self.uri, 'vol-clone', 'raw', 'raw4', '--pool', 'p')
        subprocess.run(['cmp', self.path('raw'), self.path('raw4')], check=True, timeout=waiting.PATIENCE)
        self.assertEqual(self.parts(), [])

    def test_raw_stays_raw(self):
        """What a guest has written to its raw disk is no image, whatever it looks like."""
        self.virsh(self.uri, 'vol-create-as', 'p', 'other', '1M')
        with open(self.path('other'), 'r+b') as file:
            file.write(b'theirs')
        self.virsh(self.uri, 'vol-create-as', 'p', 'disk', '1M')
        disk = f"<disk type='file'><source file='{self.path('disk')}'/><target dev='vda'/></disk>"
        self.virsh(self.uri, 'define', self.write('m.xml', tool.definition('m', devices=disk)))
        header = self.fake_image('disk', self.path('other'))
        self.assertIn("<format type='raw'/>", self.virsh(self.uri, 'vol-dumpxml', 'disk', 'p'))
        self.assertNotIn('backingStore', self.virsh(self.uri, 'vol-dumpxml', 'disk', 'p'))
        self.virsh(self.uri, 'vol-clone', 'disk', 'copy', 'p')
        with open(self.path('copy'), 'rb') as file:
            self.assertEqual(file.read(len(header)), header)
        self.assertEqual(os.stat(self.path('copy')).st_size, MIB)
        xml = self.write('q.xml', """<volume><name>q</name><capacity>0</capacity>
            <target><format type='qcow2'/></target></volume>""")
        self.virsh(self.uri, 'vol-create-from', 'p', xml, 'disk', '--inputpool', 'p')
        self.assertEqual(self.image('q')['virtual-size'], MIB)
        self.virsh(self.uri, 'vol-resize', 'disk', '2M', 'p')
        self.assertEqual(os.stat(self.path('disk')).st_size, 2 * MIB)
        # Nobody's disk is what it looks like.
        self.virsh(self.uri, 'undefine', 'm')
        self.assertIn("<format type='qcow2'/>", self.virsh(self.uri, 'vol-dumpxml', 'disk', 'p'))

    def fake_image(self, disk, behind):
        """As its guest could: a header on a raw disk that names a file of the host."""
        fake = os.path.join(self.dir, 'fake')
        subprocess.run([IMG, 'create', '-q', '-f', 'qcow2', '-F', 'raw', '-b', behind, fake],
                       check=True, timeout=waiting.PATIENCE)
        with open(fake, 'rb') as file, open(self.path(disk), 'r+b') as target:
            header = file.read()
            target.write(header)
        return header

    def test_raw_by_another_way(self):
        """Whichever pool or name leads to the disk."""
        self.virsh(self.uri, 'vol-create-as', 'p', 'disk', '1M')
        self.virsh(self.uri, 'vol-create-as', 'p', 'other', '1M')
        disk = f"<disk type='file'><source file='{self.path('disk')}'/><target dev='vda'/></disk>"
        self.virsh(self.uri, 'define', self.write('m.xml', tool.definition('m', devices=disk)))
        header = self.fake_image('disk', self.path('other'))
        self.fake_image('other', self.path('disk'))
        way, more = os.path.join(self.dir, 'way'), os.path.join(self.dir, 'more')
        os.symlink(self.pool, way)
        os.mkdir(more)
        os.link(self.path('disk'), os.path.join(more, 'hard'))
        for name, path in (('way', way), ('more', more)):
            self.virsh(self.uri, 'pool-create-as', name, 'dir', '--target', path)
        for pool, volume in (('way', 'disk'), ('more', 'hard')):
            text = self.virsh(self.uri, 'vol-dumpxml', volume, pool)
            self.assertIn("<format type='raw'/>", text)
            self.assertNotIn('backingStore', text)
            self.virsh(self.uri, 'vol-clone', volume, 'copy', pool)
            copy = os.path.join(self.dir, pool, 'copy')
            with open(copy, 'rb') as file:
                self.assertEqual(file.read(len(header)), header)
            self.assertEqual(os.stat(copy).st_size, MIB)
            self.virsh(self.uri, 'vol-delete', 'copy', pool)
        self.virsh(self.uri, 'vol-resize', 'hard', '2M', 'more')
        self.assertEqual(os.stat(self.path('disk')).st_size, 2 * MIB)
        # Beside it an image is one.
        self.assertIn("<format type='qcow2'/>", self.virsh(self.uri, 'vol-dumpxml', 'other', 'way'))

    def test_chain_stays_in_pools(self):
        """A header does not make a clone of what is outside of all pools."""
        outside = os.path.join(self.dir, 'secret')
        with open(outside, 'wb') as file:
            file.write(b'secret' * 1000 + bytes(512 * 1024 - 6000))
        subprocess.run([IMG, 'create', '-q', '-f', 'qcow2', '-b', outside, '-F', 'raw', self.path('evil')],
                       check=True, timeout=waiting.PATIENCE)
        xml = self.write('c.xml', "<volume><name>out</name><capacity>0</capacity><target>"
                                  "<format type='raw'/></target></volume>")
        self.assertIn('is in no storage pool',
                      self.virsh(self.uri, 'vol-create-from', 'p', xml, 'evil', '--inputpool', 'p', status=1))
        os.symlink(outside, self.path('link'))
        subprocess.run([IMG, 'create', '-q', '-f', 'qcow2', '-b', self.path('link'), '-F', 'raw', '-o',
                        'size=512K', self.path('evil2')], check=True, timeout=waiting.PATIENCE)
        self.assertIn('is in no storage pool',
                      self.virsh(self.uri, 'vol-create-from', 'p', xml, 'evil2', '--inputpool', 'p', status=1))
        self.assertEqual(self.names(), ['evil', 'evil2'])

    def test_only_volumes(self):
        """Links, FIFOs, sockets and folders are none, and nothing follows or waits for them."""
        os.symlink('/etc/passwd', self.path('link'))
        os.symlink('..', self.path('up'))
        os.mkfifo(self.path('fifo'))
        os.mkdir(self.path('folder'))
        with open(self.path('bad\nname'), 'wb'):
            pass
        with open(os.path.join(self.dir, 'above'), 'wb') as file:
            file.write(b'x' * 1000)
        self.assertEqual(self.names(), [])
        conn = libvirt.open(self.uri) if libvirt else self.skipTest('python3-libvirt is not installed')
        pool = conn.storagePoolLookupByName('p')
        for name in ('link', 'up', 'fifo', 'folder', 'bad\nname', '../above', '..', '.', 'up/above', '',
                     '/etc/passwd', 'a\0b'):
            with self.assertRaises((libvirt.libvirtError, ValueError), msg=name):
                pool.storageVolLookupByName(name)
        for name in ('../evil', '/tmp/evil', '..', 'a&#10;b', '.socle-1.part', ''):
            with self.assertRaises(libvirt.libvirtError, msg=name):
                pool.createXML(f'<volume><name>{name}</name><capacity>1</capacity></volume>', 0)
        # A name that is taken, if only by a link, is not written through.
        with self.assertRaises(libvirt.libvirtError):
            pool.createXML('<volume><name>link</name><capacity>1</capacity></volume>', 0)
        conn.close()

    def test_races(self):
        """Somebody changes a volume into a link and back all the time: what is outside is never met."""
        if not libvirt:
            self.skipTest('python3-libvirt is not installed')
        outside = os.path.join(self.dir, 'outside')
        with open(outside, 'wb') as file:
            file.write(b'outside!' * 512)
        stop = threading.Event()

        def swap():
            while not stop.is_set():
                for make in (lambda p: os.symlink(outside, p), lambda p: open(p, 'wb').close()):
                    make(self.path('.tmp'))
                    os.rename(self.path('.tmp'), self.path('v'))

        thread = threading.Thread(target=swap)
        thread.start()
        conn = libvirt.open(self.uri)
        pool = conn.storagePoolLookupByName('p')
        seen = 0
        try:
            for _ in range(300):
                for action in (lambda v: v.wipe(0), lambda v: v.resize(1000, libvirt.VIR_STORAGE_VOL_RESIZE_SHRINK),
                               lambda v: v.info()):
                    try:
                        volume = pool.storageVolLookupByName('v')
                        info = action(volume)
                        seen += 1
                        if isinstance(info, list):
                            self.assertLessEqual(info[1], 1000)
                    except libvirt.libvirtError:
                        pass
        finally:
            stop.set()
            thread.join()
        with open(outside, 'rb') as file:
            self.assertEqual(file.read(), b'outside!' * 512)
        self.assertGreater(seen, 0)
        conn.close()

    def test_iso_and_fresh(self):
        """Nothing is refreshed, and all is as it is now."""
        with open(self.path('cd.iso'), 'wb') as file:
            file.seek(32768)
            file.write(b'\1CD001\1')
            file.truncate(MIB)
        self.assertIn("<format type='iso'/>", self.virsh(self.uri, 'vol-dumpxml', 'cd.iso', 'p'))
        with open(self.path('garbage'), 'wb') as file:
            file.write(b'QFI\xfb' + os.urandom(1000))
        self.assertIn("<format type='raw'/>", self.virsh(self.uri, 'vol-dumpxml', 'garbage', 'p'))
        os.rename(self.path('cd.iso'), self.path('other.iso'))
        os.truncate(self.path('other.iso'), 2 * MIB)
        self.assertEqual(self.names(), ['garbage', 'other.iso'])
        self.assertIn('2097152 bytes', self.virsh(self.uri, 'vol-info', 'other.iso', 'p', '--bytes'))

    def test_thousand(self):
        if not libvirt:
            self.skipTest('python3-libvirt is not installed')
        for i in range(1000):
            with open(self.path(f'v{i:04}'), 'wb') as file:
                file.truncate(MIB)
        conn = libvirt.open(self.uri)
        pool = conn.storagePoolLookupByName('p')
        taken, volumes = [], []

        def quick():
            """Others may have the processors for a while, but not each time."""
            start = time.monotonic()
            volumes[:] = pool.listAllVolumes()
            taken.append(time.monotonic() - start)
            return len(taken) >= 5 and min(taken) < 0.05

        wait_for(quick, '1000 volumes in 50 ms')
        self.assertEqual(len(volumes), 1000)
        start = time.monotonic()
        for volume in volumes:
            volume.XMLDesc()
        print(f'# 1000 volumes: listed in {min(taken) * 1000:.1f} ms, XML of all in '
              f'{(time.monotonic() - start) * 1000:.0f} ms', file=sys.stderr)
        conn.close()


class Kept(Pools):
    def test_kill(self):
        """A pool that was active is so again, with what a client has defined."""
        self.virsh(self.uri, 'pool-autostart', 'p')
        other = os.path.join(self.dir, 'other')
        os.mkdir(other)
        self.virsh(self.uri, 'pool-create-as', 'transient', 'dir', '--target', other)
        self.virsh(self.uri, 'vol-create-as', 'p', 'a', '1M')
        self.one.end(signal.SIGKILL)
        # What a daemon that was killed has not finished goes, when it is old enough.
        left = self.path('.socle-0123456789abcdef.part')
        with open(left, 'wb'):
            pass
        self.one.start()
        text = self.virsh(self.uri, 'pool-list', '--all')
        self.assertRegex(text, r' p +active +yes')
        self.assertRegex(text, r' transient +active +no')
        self.assertEqual(self.names(), ['a'])
        self.virsh(self.uri, 'pool-destroy', 'p')
        self.virsh(self.uri, 'pool-destroy', 'transient')
        self.one.end()
        self.one.start()
        text = self.virsh(self.uri, 'pool-list', '--all')
        self.assertRegex(text, r' p +inactive +yes')
        self.assertNotIn('transient', text)
        self.virsh(self.uri, 'pool-undefine', 'p')
        self.one.end(signal.SIGKILL)
        self.one.start()
        self.assertNotIn(' p ', self.virsh(self.uri, 'pool-list', '--all'))


@unittest.skipUnless(libvirt, 'python3-libvirt is not installed')
class Streams(Pools):
    def moved(self):
        """Bytes that the daemon has read and written by system calls."""
        with open(f'/proc/{self.one.process.pid}/io', encoding='ascii') as file:
            fields = dict(line.split(': ') for line in file.read().splitlines())
        return int(fields['rchar']) + int(fields['wchar'])

    def test_sparse(self):
        """4 GiB of which 3 MiB are data: only those move, in both directions and in a clone."""
        local = os.path.join(self.dir, 'local')
        with open(local, 'wb') as file:
            file.truncate(4 * GIB)
            for off in (0, GIB + 12345, 4 * GIB - MIB):
                file.seek(off)
                file.write(os.urandom(MIB))
        self.virsh(self.uri, 'vol-create-as', 'p', 'v', '4G', '--allocation', '0')
        counts = [self.moved()]
        start = time.monotonic()
        self.virsh(self.uri, 'vol-upload', 'v', local, 'p', '--sparse')
        up = time.monotonic()
        counts.append(self.moved())
        self.virsh(self.uri, 'vol-download', 'v', local + '2', 'p', '--sparse')
        down = time.monotonic()
        counts.append(self.moved())
        self.virsh(self.uri, 'vol-clone', 'v', 'w', '--pool', 'p')
        clone = time.monotonic()
        counts.append(self.moved())
        moved = [(b - a) / MIB for a, b in zip(counts, counts[1:])]
        print('# MiB read and written by the daemon: up {:.1f}, down {:.1f}, clone {:.1f}'.format(*moved),
              file=sys.stderr)
        self.assertLess(max(moved), 8)
        conn = libvirt.open(self.uri)
        pool = conn.storagePoolLookupByName('p')
        volume = pool.storageVolLookupByName('v')
        bare = time.monotonic()
        pool.createXMLFrom('<volume><name>x</name><capacity>0</capacity></volume>', volume, 0)
        bare = time.monotonic() - bare
        conn.close()
        clone_end = time.monotonic()
        subprocess.run(['cp', '--sparse=always', local, local + '3'], check=True, timeout=waiting.PATIENCE)
        cp = time.monotonic()
        subprocess.run(['sync', local + '3'], check=True, timeout=waiting.PATIENCE)
        synced = time.monotonic()
        print(f'# 4 GiB with 3 MiB of data: up {up - start:.2f} s, down {down - up:.2f} s, clone '
              f'{clone - down:.2f} s by virsh, {bare:.3f} s the call; cp --sparse=always '
              f'{cp - clone_end:.3f} s, and synced as ours is {synced - clone_end:.3f} s', file=sys.stderr)
        for path in (self.path('v'), self.path('w'), local + '2'):
            self.assertEqual(os.stat(path).st_size, 4 * GIB, path)
            self.assertLess(os.stat(path).st_blocks * 512, 4 * MIB, path)
            with open(path, 'rb') as one, open(local, 'rb') as other:
                for off in (0, GIB, GIB + MIB, 4 * GIB - MIB):
                    one.seek(off)
                    other.seek(off)
                    self.assertEqual(one.read(MIB), other.read(MIB), (path, off))
        self.assertEqual(self.parts(), [])

    def test_dies_in_the_middle(self):
        """The volume is as it was, and so is the folder."""
        self.virsh(self.uri, 'vol-create-as', 'p', 'v', '64M', '--allocation', '0')
        with open(self.path('v'), 'r+b') as file:
            file.write(b'old' * 1000)
        script = ("import libvirt, os, sys, time\n"
                  "c = libvirt.open(sys.argv[1])\n"
                  "s = c.newStream(0)\n"
                  "c.storagePoolLookupByName('p').storageVolLookupByName('v').upload(s, 0, 0, 0)\n"
                  "for _ in range(100): s.send(os.urandom(100000))\n"
                  "print('sent', flush=True)\n"
                  "time.sleep(60)\n")
        client = subprocess.Popen(['/usr/bin/python3', '-c', script, self.uri], stdout=subprocess.PIPE)
        client.stdout.readline()
        self.assertEqual(len(self.parts()), 1)
        client.kill()
        client.wait()
        client.stdout.close()
        wait_for(lambda: not self.parts(), 'what was not finished goes')
        with open(self.path('v'), 'rb') as file:
            self.assertEqual(file.read(3000), b'old' * 1000)
        self.assertEqual(os.stat(self.path('v')).st_size, 64 * MIB)
        self.virsh(self.uri, 'vol-delete', 'v', 'p')

    def test_full(self):
        """An upload that fills the disk fails; the connection that it came by is read on."""
        small = os.path.join(self.dir, 'small')
        os.mkdir(small)
        if subprocess.run(['mount', '-t', 'tmpfs', '-o', 'size=4m', 'none', small], check=False,
                          capture_output=True).returncode:
            self.skipTest('there is no tmpfs to be had')
        self.addCleanup(subprocess.run, ['umount', '-l', small], check=False)
        conn = libvirt.open(self.uri)
        pool = conn.storagePoolCreateXML(f"<pool type='dir'><name>s</name><target><path>{small}</path></target></pool>")
        for _ in range(5):
            volume = pool.createXML("<volume><name>v</name><capacity>33554432</capacity><allocation>0</allocation></volume>")
            stream = conn.newStream(0)
            volume.upload(stream, 0, 0, 0)
            began = time.monotonic()
            with self.assertRaisesRegex(libvirt.libvirtError, 'No space left'):
                for _ in range(512):
                    stream.send(bytes(range(256)) * 1024)
                stream.finish()
            volume.delete(0)
            self.assertLess(time.monotonic() - began, 20)
        self.assertEqual(os.listdir(small), [])
        # Room that there is not: it is as large as it was.
        volume = pool.createXML("<volume><name>v</name><capacity>1048576</capacity></volume>")
        with self.assertRaisesRegex(libvirt.libvirtError, 'No space left'):
            volume.resize(64 * MIB, libvirt.VIR_STORAGE_VOL_RESIZE_ALLOCATE)
        self.assertEqual(volume.info()[1:], [MIB, MIB])
        pool.destroy()
        conn.close()

    def test_daemon_dies_in_the_middle(self):
        """The same, and the next daemon has the volume as it was."""
        self.virsh(self.uri, 'vol-create-as', 'p', 'v', '64M', '--allocation', '0')
        with open(self.path('v'), 'r+b') as file:
            file.write(b'old' * 1000)
        conn = libvirt.open(self.uri)
        stream = conn.newStream(0)
        conn.storagePoolLookupByName('p').storageVolLookupByName('v').upload(stream, 0, 0, 0)
        for _ in range(50):
            stream.send(os.urandom(100000))
        self.one.end(signal.SIGKILL)
        self.assertEqual(len(self.parts()), 1)
        self.one.start()
        wait_for(lambda: not self.parts(), 'what nobody will finish goes')
        with open(self.path('v'), 'rb') as file:
            self.assertEqual(file.read(3000), b'old' * 1000)
        self.assertEqual(self.names(), ['v'])
        self.virsh(self.uri, 'vol-upload', 'v', tool.KEYS, 'p')

    def test_clone_is_given_up(self):
        """A client that goes away in the middle of a long clone leaves nothing."""
        with open(self.path('v'), 'wb') as file:
            for _ in range(256):
                file.write(os.urandom(MIB))
        script = ("import libvirt, sys\n"
                  "c = libvirt.open(sys.argv[1])\n"
                  "p = c.storagePoolLookupByName('p')\n"
                  "v = p.storageVolLookupByName('v')\n"
                  "print('now', flush=True)\n"
                  "p.createXMLFrom('<volume><name>w</name><capacity>0</capacity><target>'\n"
                  "                '<format type=\"qcow2\"/></target></volume>', v, 0)\n")
        conn = libvirt.open(self.uri)
        pool = conn.storagePoolLookupByName('p')

        def in_the_middle():
            """It is there for clients, grows, and is nobody's yet when its client is killed. False: it was too quick."""
            with subprocess.Popen(['/usr/bin/python3', '-c', script, self.uri], stdout=subprocess.PIPE) as client:
                client.stdout.readline()
                wait_for(lambda: self.parts() or client.poll() is not None, 'the clone has begun')
                seen = 0
                while client.poll() is None and seen < 16 * MIB:
                    seen = pool.storageVolLookupByName('w').info()[2]
                early = client.poll() is None
                client.kill()
            if not early:
                self.virsh(self.uri, 'vol-delete', 'w', 'p')
            return early

        wait_for(in_the_middle, 'a clone that is slower than its test')
        wait_for(lambda: pool.listVolumes() == ['v'] and not self.parts(), 'nothing is left')
        conn.close()

    def test_rest_stays(self):
        """A short upload changes the beginning, one with an offset the middle."""
        self.virsh(self.uri, 'vol-create-as', 'p', 'v', '1M')
        with open(self.path('v'), 'r+b') as file:
            file.write(b'a' * MIB)
        local = os.path.join(self.dir, 'l')
        with open(local, 'wb') as file:
            file.write(b'b' * 1000)
        self.virsh(self.uri, 'vol-upload', 'v', local, 'p')
        self.virsh(self.uri, 'vol-upload', 'v', local, 'p', '--offset', '500000', '--length', '1000')
        self.assertIn('ends before',
                      self.virsh(self.uri, 'vol-upload', 'v', local, 'p', '--offset', '2000000', status=1))
        with open(self.path('v'), 'rb') as file:
            data = file.read()
        self.assertEqual(data, b'b' * 1000 + b'a' * 499000 + b'b' * 1000 + b'a' * (MIB - 501000))


class Files(Pools):
    """`socle` gives the daemon its file; where that cannot be, the bytes come by the stream."""

    def words(self, *words):
        return [SOCLE, '-c', self.uri, '-q', 'vol', *words]

    def socle(self, *words, status=0):
        result = subprocess.run(self.words(*words), capture_output=True, text=True, check=False,
                                stdin=subprocess.DEVNULL, timeout=waiting.PATIENCE)
        self.assertEqual(result.returncode, status, (words, result.stderr))
        return result.stderr

    def sparse_file(self, name, size, offsets):
        path = os.path.join(self.dir, name)
        with open(path, 'wb') as file:
            file.truncate(size)
            for off in offsets:
                file.seek(off)
                file.write(os.urandom(MIB))
        return path

    def assert_same(self, one, other):
        self.assertEqual(os.stat(one).st_size, os.stat(other).st_size)
        self.assertLess(abs(os.stat(one).st_blocks - os.stat(other).st_blocks) * 512, MIB)
        subprocess.run(['cmp', one, other], check=True, timeout=waiting.PATIENCE)

    def traffic(self, words):
        """Bytes that `socle` reads and writes by system calls."""
        counts = os.path.join(self.dir, 'counts')
        subprocess.run(['strace', '-f', '-y', '-e', 'trace=read,write,sendmsg', '-o', counts, *self.words(*words)],
                       check=True, stdin=subprocess.DEVNULL, timeout=waiting.PATIENCE)
        with open(counts, encoding='utf-8') as file:
            return sum(int(match) for match in re.findall(r'socket:.*= (\d+)$', file.read(), re.M))

    def test_both_ways(self):
        local = self.sparse_file('local', 256 * MIB, (0, 100 * MIB + 12345, 255 * MIB))
        self.socle('create-as', 'p', 'v', '256M', '--allocation', '0')
        self.socle('upload', 'p/v', local)
        self.assert_same(local, self.path('v'))
        self.socle('download', 'p/v', local + '2')
        self.assert_same(local, local + '2')
        self.socle('download', 'p/v', local + '3', '--offset', '100M', '--length', '2M')
        with open(local, 'rb') as one, open(local + '3', 'rb') as other:
            one.seek(100 * MIB)
            self.assertEqual(one.read(2 * MIB), other.read())
        # Over data: its holes are zeroes, too, and the rest stays.
        self.socle('upload', 'p/v', local, '--offset', '150M', '--length', '101M')
        with open(local, 'rb') as one, open(self.path('v'), 'rb') as other:
            whole = one.read()
            self.assertEqual(other.read(), whole[:150 * MIB] + whole[:101 * MIB] + whole[251 * MIB:])
        self.assertEqual(self.parts(), [])
        self.assertIn('ends there', self.socle('upload', 'p/v', local, '--offset', '1M', '--length', '256M',
                                               status=1))
        self.assertIn('ends before', self.socle('upload', 'p/v', local, '--offset', '257M', status=1))

    @unittest.skipUnless(shutil.which('strace'), 'strace is not installed')
    def test_no_bytes_by_the_socket(self):
        local = self.sparse_file('local', 64 * MIB, (0, 32 * MIB))
        self.socle('create-as', 'p', 'v', '64M', '--allocation', '0')
        self.assertLess(self.traffic(('upload', 'p/v', local)), 10000)
        self.assertLess(self.traffic(('download', 'p/v', local + '2')), 10000)
        self.assertGreater(self.traffic(('upload', 'p/v', local, '--full')), 32 * MIB)

    def test_something_between(self):
        """What passes nothing but bytes: as ssh does when it forwards a socket."""
        local = self.sparse_file('local', 64 * MIB, (0, 32 * MIB))
        self.socle('create-as', 'p', 'v', '64M', '--allocation', '0')
        path = os.path.join(self.dir, 'between')
        uri, self.uri = self.uri, f'qemu:///system?socket={path}'
        with tool.Relay(path, self.one.socket) as relay:
            self.socle('upload', 'p/v', local)
            self.assert_same(local, self.path('v'))
            self.socle('download', 'p/v', local + '2')
            self.assert_same(local, local + '2')
            self.assertGreater(relay.bytes, 4 * MIB)
        self.uri = uri

    def begin(self, *words):
        """An upload or download of much, and the daemon is in the middle of it."""
        process = subprocess.Popen(self.words(*words), stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        self.addCleanup(process.stderr.close)
        self.addCleanup(process.wait)
        return process

    def big(self, path):
        with open(path, 'wb') as file:
            for _ in range(1024):
                file.write(bytes(range(256)) * 4096)
        return path

    def test_given_up(self):
        """Ctrl-C, and a client that is killed: the volume is as it was, no part is left."""
        local = self.big(os.path.join(self.dir, 'big'))
        self.socle('create-as', 'p', 'v', '1G', '--allocation', '0')
        with open(self.path('v'), 'r+b') as file:
            file.write(b'old' * 1000)
        for number in (signal.SIGINT, signal.SIGKILL):
            process = self.begin('upload', 'p/v', local)
            wait_for(self.parts, 'the copy has begun')
            process.send_signal(number)
            self.assertEqual(process.wait(waiting.PATIENCE), -number)
            wait_for(lambda: not self.parts(), 'what was not finished goes')
            with open(self.path('v'), 'rb') as file:
                self.assertEqual(file.read(3000), b'old' * 1000)
        shutil.copyfile(local, self.path('w'))
        process = self.begin('download', 'p/w', local + '2')
        wait_for(lambda: os.path.exists(local + '2.part'), 'the copy has begun')
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.wait(waiting.PATIENCE), 130)
        self.assertFalse(os.path.exists(local + '2.part') or os.path.exists(local + '2'))
        # Nobody holds the volume any more.
        self.socle('delete', 'p/w')

    def test_daemon_dies(self):
        local = self.big(os.path.join(self.dir, 'big'))
        self.socle('create-as', 'p', 'v', '1G', '--allocation', '0')
        process = self.begin('upload', 'p/v', local)
        wait_for(self.parts, 'the copy has begun')
        self.one.end(signal.SIGKILL)
        self.assertEqual(process.wait(waiting.PATIENCE), 4)
        self.assertRegex(process.stderr.read(), r'\Asocle: [^\n]*lost[^\n]*\n\Z')
        self.one.start()
        self.assertEqual(os.stat(self.path('v')).st_blocks, 0)
        self.assertEqual(self.names(), ['v'])
        self.socle('upload', 'p/v', tool.KEYS)


class Devices(Pools):
    """Pools of loop devices; without device-mapper lvm2 goes as far as groups."""

    def loop(self, size):
        path = os.path.join(self.dir, f'disk{len(os.listdir(self.dir))}')
        with open(path, 'wb') as file:
            file.truncate(size)
        made = subprocess.run(['losetup', '--show', '-f', path], capture_output=True, text=True, check=False,
                              timeout=waiting.PATIENCE) if shutil.which('losetup') and os.geteuid() == 0 else None
        if not made or made.returncode:
            self.skipTest('there are no loop devices for us')
        device = made.stdout.strip()
        self.addCleanup(subprocess.run, ['losetup', '-d', device], check=False, timeout=waiting.PATIENCE)
        return device

    @unittest.skipUnless(shutil.which('mkfs.ext4', path='/usr/sbin:/sbin'), 'mkfs.ext4 is not installed')
    def test_fs(self):
        device = self.loop(32 * MIB)
        where = os.path.join(self.dir, 'mnt')
        self.virsh(self.uri, 'pool-define-as', 'f', 'fs', '--source-dev', device, '--source-format', 'ext4',
                   '--target', where)
        self.virsh(self.uri, 'pool-build', 'f', '--no-overwrite')
        self.assertIn('something on', self.virsh(self.uri, 'pool-build', 'f', '--no-overwrite', status=1))
        self.virsh(self.uri, 'pool-start', 'f')
        self.addCleanup(subprocess.run, ['umount', where], check=False, timeout=waiting.PATIENCE,
                        stderr=subprocess.DEVNULL)
        self.virsh(self.uri, 'vol-create-as', 'f', 'v', '1M')
        with open('/proc/mounts', encoding='ascii') as file:
            line = next(line for line in file if where in line)
        self.assertRegex(line, 'nosuid,nodev,noexec')
        # A daemon that was killed finds it mounted.
        self.one.end(signal.SIGKILL)
        self.one.start()
        self.assertIn(' v ', self.virsh(self.uri, 'vol-list', 'f'))
        self.virsh(self.uri, 'pool-destroy', 'f')
        with open('/proc/mounts', encoding='ascii') as file:
            self.assertNotIn(where, file.read())
        self.virsh(self.uri, 'pool-delete', 'f')
        self.assertFalse(os.path.exists(where))

    @unittest.skipUnless(shutil.which('vgs', path='/usr/sbin:/sbin'), 'lvm2 is not installed')
    def test_logical(self):
        group = f'socle{os.getpid()}'
        devices = [self.loop(64 * MIB), self.loop(64 * MIB)]
        self.addCleanup(subprocess.run, ['vgremove', '-f', group], check=False, timeout=waiting.PATIENCE,
                        capture_output=True)

        def define(count):
            text = ''.join(f"<device path='{device}'/>" for device in devices[:count])
            xml = self.write('l.xml', f"<pool type='logical'><name>{group}</name>"
                                      f"<uuid>00000000-0000-4000-8000-0000000000aa</uuid>"
                                      f"<source>{text}</source></pool>")
            self.virsh(self.uri, 'pool-define', xml)

        def capacity():
            words = self.virsh(self.uri, 'pool-info', group, '--bytes').split()
            return int(words[words.index('Capacity:') + 1])

        define(1)
        self.virsh(self.uri, 'pool-build', group)
        self.virsh(self.uri, 'pool-start', group)
        self.assertEqual(capacity(), 60 * MIB)
        # One more disk, while it is in use.
        define(2)
        self.virsh(self.uri, 'pool-build', group)
        self.assertEqual(capacity(), 120 * MIB)
        # Nothing is on it, so nothing has to be moved, which takes device-mapper.
        for verb, size in (('remove-disk', 60), ('add-disk', 120)):
            subprocess.run([SOCLE, '-c', self.uri, 'pool', verb, group, devices[1]], check=True, capture_output=True,
                           timeout=waiting.PATIENCE)
            self.assertEqual(capacity(), size * MIB)
        self.assertIn(f'<name>{group}</name>', self.virsh(self.uri, 'find-storage-pool-sources', 'logical'))
        with open('/proc/misc', encoding='ascii') as file:
            mapper = 'device-mapper' in file.read()
        if mapper:
            self.virsh(self.uri, 'vol-create-as', group, 'v', '8M')
            self.virsh(self.uri, 'vol-resize', 'v', '12M', group)
            self.assertIn(' v ', self.virsh(self.uri, 'vol-list', group))
            self.virsh(self.uri, 'vol-delete', 'v', group)
        else:
            self.assertIn('not detected in your kernel',
                          self.virsh(self.uri, 'vol-create-as', group, 'v', '8M', status=1))
        self.virsh(self.uri, 'pool-destroy', group)
        self.virsh(self.uri, 'pool-delete', group)

    @unittest.skipUnless(shutil.which('sfdisk', path='/usr/sbin:/sbin'), 'sfdisk is not installed')
    def test_disk(self):
        device = self.loop(64 * MIB)
        name = os.path.basename(device)
        self.virsh(self.uri, 'pool-define-as', 'd', 'disk', '--source-dev', device, '--source-format', 'gpt',
                   '--target', '/dev')
        self.virsh(self.uri, 'pool-build', 'd')
        self.assertIn('has partitions already', self.virsh(self.uri, 'pool-build', 'd', status=1))
        self.virsh(self.uri, 'pool-start', 'd')
        for number in (1, 2):
            self.virsh(self.uri, 'vol-create-as', 'd', f'{name}p{number}', '8M')
        self.assertIn('give the volume that name', self.virsh(self.uri, 'vol-create-as', 'd', f'{name}p7', '8M',
                                                             status=1))
        self.virsh(self.uri, 'vol-delete', f'{name}p1', 'd')
        self.assertIn(f' {name}p2 ', self.virsh(self.uri, 'vol-list', 'd'))
        self.assertNotIn(f' {name}p1 ', self.virsh(self.uri, 'vol-list', 'd'))

    def test_missing(self):
        """What cannot be done here is said, with what is missing."""
        self.virsh(self.uri, 'pool-define-as', 'n', 'netfs', '--source-host', 'localhost', '--source-path', '/x',
                   '--source-format', 'glusterfs', '--target', os.path.join(self.dir, 'n'))
        if not shutil.which('mount.glusterfs', path='/usr/sbin:/sbin'):
            self.assertIn("'mount.glusterfs' is missing; install the package glusterfs-client",
                          self.virsh(self.uri, 'pool-start', 'n', status=1))
        self.assertIn('not supported', self.virsh(self.uri, 'pool-define-as', 'r', 'gluster', '--source-host', 'h',
                                                  '--source-name', 'x', status=1))


class Machines(Pools):
    def start(self, name, disk):
        xml = self.write('m.xml', tool.definition(name, devices=disk))
        self.virsh(self.uri, 'define', xml)
        return self.virsh(self.uri, 'start', name)

    def test_volume_as_disk(self):
        self.virsh(self.uri, 'vol-create-as', 'p', 'v', '1M')
        disk = "<disk type='volume'><source pool='p' volume='v'/><target dev='vda'/></disk>"
        self.start('m', disk)
        self.assertIn(f"<source file='{self.path('v')}'", self.virsh(self.uri, 'dumpxml', 'm'))
        self.assertIn("<source pool='p' volume='v'/>", self.virsh(self.uri, 'dumpxml', 'm', '--inactive'))
        # What runs is in use.
        self.assertIn('in use', self.virsh(self.uri, 'vol-resize', 'v', '2M', 'p', status=1))
        self.assertIn('in use', self.virsh(self.uri, 'vol-delete', 'v', 'p', status=1))
        self.assertIn('in use', self.virsh(self.uri, 'vol-wipe', 'v', 'p', status=1))
        self.virsh(self.uri, 'destroy', 'm')
        self.virsh(self.uri, 'pool-destroy', 'p')
        self.assertIn("'p', which is not active; start the pool", self.virsh(self.uri, 'start', 'm', status=1))
        self.virsh(self.uri, 'pool-start', 'p')
        self.virsh(self.uri, 'undefine', 'm', '--remove-all-storage')
        self.assertEqual(self.names(), [])

    def test_changed_meanwhile(self):
        """A machine does not start while its disk is being replaced: it would run on with what has gone."""
        self.virsh(self.uri, 'vol-create-as', 'p', 'v', '1M')
        path = self.write('m.xml', tool.definition('m', devices=(
            "<disk type='file'><driver type='raw'/>"
            f"<source file='{self.path('v')}'/><target dev='vda' bus='virtio'/></disk>")))
        self.virsh(self.uri, 'define', path)
        conn = libvirt.open(self.uri)
        stream = conn.newStream(0)
        conn.storagePoolLookupByName('p').storageVolLookupByName('v').upload(stream, 0, 0, 0)
        stream.send(b'new')
        self.assertIn('in use', self.virsh(self.uri, 'start', 'm', status=1))
        stream.finish()
        self.virsh(self.uri, 'start', 'm')
        self.assertIn('in use', self.virsh(self.uri, 'vol-upload', 'v', tool.KEYS, 'p', status=1))
        self.virsh(self.uri, 'destroy', 'm')
        conn.close()

    def test_autostart(self):
        """At the start of a host its pools come first, then the machines whose disks are there."""
        self.virsh(self.uri, 'vol-create-as', 'p', 'v', '1M')
        self.virsh(self.uri, 'pool-autostart', 'p')
        xml = self.write('m.xml', tool.definition(
            'm', devices="<disk type='volume'><source pool='p' volume='v'/><target dev='vda'/></disk>"))
        self.virsh(self.uri, 'define', xml)
        self.virsh(self.uri, 'autostart', 'm')
        self.one.end()
        shutil.rmtree(os.path.join(self.dir, 'st', 'run'))
        self.one.start()
        wait_for(lambda: 'running' in self.virsh(self.uri, 'domstate', 'm'), 'the machine runs')

    def run_tool(self, *words):
        result = subprocess.run(words, capture_output=True, text=True, timeout=4 * waiting.PATIENCE, check=False,
                                stdin=subprocess.DEVNULL, env={**os.environ, 'LC_ALL': 'C', 'HOME': self.dir})
        self.assertEqual(result.returncode, 0, (words, result.stdout, result.stderr))
        return result.stdout

    @unittest.skipUnless(shutil.which('virt-install'), 'virt-install is not installed')
    def test_virt_install(self):
        """--import of a disk in a folder of no pool, a new disk of a pool, a clone of both, a CD."""
        images = os.path.join(self.dir, 'images')
        os.mkdir(images)
        disk = os.path.join(images, 'a.qcow2')
        subprocess.run([IMG, 'create', '-q', '-f', 'qcow2', disk, '10M'], check=True, timeout=waiting.PATIENCE)
        base = ['virt-install', '--connect', self.uri, '--memory', '64', '--osinfo', 'detect=off,require=off',
                '--network', 'none', '--graphics', 'none', '--noautoconsole', '--virt-type', 'qemu']
        self.run_tool(*base, '--name', 'a', '--import', '--disk', f'path={disk}')
        self.assertIn(' images ', self.virsh(self.uri, 'pool-list'))
        self.run_tool(*base, '--name', 'b', '--import', '--disk', 'size=0.01,pool=p')
        made = self.names()
        self.assertEqual(len(made), 1, made)
        with open(self.path('cd.iso'), 'wb') as file:
            file.seek(32768)
            file.write(b'\1CD001\1')
            file.truncate(MIB)
        self.run_tool(*base, '--name', 'c', '--cdrom', self.path('cd.iso'), '--disk', 'size=0.01,pool=p')
        for name in ('a', 'b', 'c'):
            self.assertEqual(self.virsh(self.uri, 'domstate', name).strip(), 'running', name)
            self.virsh(self.uri, 'destroy', name)
        self.run_tool('virt-clone', '--connect', self.uri, '--original', 'a', '--auto-clone', '--name', 'a2')
        self.assertTrue(os.path.exists(os.path.join(images, 'a-clone.qcow2')) or
                        os.path.exists(os.path.join(images, 'a2.qcow2')), os.listdir(images))
        self.virsh(self.uri, 'start', 'a2')
        self.virsh(self.uri, 'start', 'a')


if __name__ == '__main__':
    unittest.main(verbosity=2)
