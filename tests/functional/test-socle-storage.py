#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""socle's pools and volumes, and the disks of machines that are made.

Environment: that of socle.py. Words: the classes that are to run.
"""
import os
import pathlib
import re

import socle
from socle import KEYS, UUID, Case, Driver, OwnDaemon, run, used

KEY = b'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOWNNRIX2ovSSexaIw/C3RApR903kJrzlmXpPPmRugFM'


class Sources(Driver):
    """Where pools could be."""

    def test_pool_sources(self):
        self.assertIn('<name>testvg1</name>', self.good('pool', 'sources', 'logical'))
        self.assertIn("<host name='far'/>", self.good('find-storage-pool-sources-as', 'netfs', '--host',
                                                      'far'))


class Storage(Case):
    """Pools that are folders, and their volumes."""
    URI = 'qemu'

    def setUp(self):
        self.folder = os.path.join(self.daemon.dir, self._testMethodName)
        self.pool = self._testMethodName.replace('test_', '')
        self.assertIn('is defined and started', self.good(
            'pool', 'define-as', self.pool, '--target', self.folder, '--build', '--start'))
        self.addCleanup(self.forget)

    def forget(self):
        self.run_socle('pool', 'stop', self.pool)
        self.run_socle('pool', 'undefine', self.pool)

    def test_life(self):
        facts = {'name': str, 'uuid': UUID, 'state': str, 'persistent': bool, 'autostart': bool,
                 'capacity': int, 'allocation': int, 'available': int}
        self.shape(self.json('pool', 'list'), [facts])
        self.shape(self.json('pool', 'show', self.pool), facts)
        self.assertEqual(self.good('pool', 'autostart', 'life'),
                         "pool 'life' starts with the host\n")
        self.assertEqual(self.good('pool-list', '--autostart', '-o', 'name'), 'life\n')
        self.good('pool-autostart', 'life', '--disable')
        self.assertEqual(self.good('pool', 'list', '--type', 'logical'), 'no pools\n')
        self.bad('pool', 'list', '--type', 'tape', status=2, says="no kind of pools 'tape'")
        uuid = self.good('pool', 'uuid', 'life').strip()
        self.assertEqual(self.good('pool', 'name', uuid[:8]), 'life\n')
        self.assertIn(f'<path>{self.folder}</path>', self.good('pool', 'xml', 'life'))
        self.good('pool', 'refresh', 'life')
        self.bad('pool', 'start', 'life', status=6)
        self.good('pool', 'stop', 'life')
        self.assertIn('inactive', self.good('pool', 'list'))
        self.good('pool', 'build', 'life')
        self.good('pool-start', 'life')
        self.good('pool-destroy', 'life')
        self.good('pool', 'delete', 'life')
        self.assertFalse(os.path.exists(self.folder))
        self.assertIn('is forgotten', self.good('pool', 'undefine', 'life'))
        self.bad('pool', 'show', 'life', status=3)

    def test_define(self):
        xml = self.good('pool', 'define-as', 'vg', 'logical', '-', '-', '/dev/sdz', 'vg0',
                        '--print-xml')
        self.assertRegex(xml, r"(?s)<pool type='logical'>.*<device path='/dev/sdz'/>.*"
                         r"<name>vg0</name>")
        self.bad('pool-define-as', 'x', 'tape', status=2, says='there are dir, fs')
        self.bad('pool', 'define-as', 'x', status=2, says="say in which one by '--target'")
        self.bad('pool', 'define-as', 'x', '--target', 'here', status=2, says="the target 'here' is no path from / on")
        file = self.daemon.place('pool.xml', f"<pool type='dir'><name>again</name><target><path>"
                                 f"{self.folder}/again</path></target></pool>".encode())
        self.good('pool', 'define', file, '--build', '--start', '--autostart')
        self.good('pool-destroy', 'again')
        self.good('pool-undefine', 'again')
        self.assertIn('goes when it stops', self.good('pool', 'create', file))
        self.good('pool', 'stop', 'again')
        self.bad('pool', 'show', 'again', status=3)
        self.good('pool', 'create-as', 'brief', 'dir', '--target', f'{self.folder}/brief', '--build')
        self.assertEqual(self.good('pool', 'list', '--transient', '-o', 'name'), 'brief\n')
        self.good('pool', 'stop', 'brief')
        self.assertIn("<pool type='dir'", self.good('pool', 'capabilities'))

    def test_volumes(self):
        self.assertEqual(self.good('vol', 'create-as', 'volumes', 'a.img', '1M', '-f', 'raw'),
                         "volume 'a.img' is made\n")
        self.bad('vol-create-as', 'volumes', 'a.img', '1M', status=6)
        self.bad('vol', 'create-as', 'volumes', 'b', 'big', status=2, says='no size')
        facts = {'name': str, 'pool': 'volumes', 'path': str, 'key': str, 'type': 'file',
                 'format': (str, type(None)), 'backing': (str, type(None)), 'capacity': int,
                 'allocation': int}
        self.shape(self.json('vol', 'list', 'volumes'), [facts])
        self.shape(self.json('vol', 'list'), [facts])
        path = f'{self.folder}/a.img'
        for words in (('a.img',), ('volumes/a.img',), (path,), ('a.img', '--pool', 'volumes')):
            self.assertEqual(self.json('vol', 'show', *words)['path'], path)
        self.assertIn('1 MiB (1048576 bytes)', self.good('vol-info', path))
        self.assertEqual(self.good('vol', 'path', 'a.img'), f'{path}\n')
        self.assertEqual(self.good('vol', 'key', 'a.img'), f'{path}\n')
        self.assertEqual(self.good('vol', 'name', path), 'a.img\n')
        self.assertEqual(self.good('vol', 'pool', path), 'volumes\n')
        self.assertIn("<name>a.img</name>", self.good('vol', 'xml', 'a.img'))
        self.good('vol', 'resize', 'a.img', '+1M')
        self.assertEqual(self.json('vol', 'show', 'a.img')['capacity'], 2 << 20)
        self.bad('vol', 'resize', 'a.img', '1M', status=1)
        self.good('vol-resize', 'a.img', '1M', '--shrink')
        self.bad('vol', 'show', 'b.img', status=3, says="'socle vol list'")
        self.bad('vol', 'show', 'volumes/b.img', status=3, says="in pool 'volumes'")
        self.bad('vol', 'show', '/no/where', status=3)
        self.bad('vol', 'show', 'nopool/b.img', status=3, says="no pool 'nopool'")
        self.assertEqual(self.good('__complete', '--', 'vol', 'show', 'vol'), 'volumes/a.img\n')
        self.assertEqual(self.good('__complete', '--', 'vol', 'show', '--pool', 'volumes', ''),
                         'a.img\n')
        self.assertEqual(self.good('__complete', '--', 'pool', 'stop', 'vo'), 'volumes\n')
        self.good('vol', 'delete', 'volumes/a.img', path)
        self.assertEqual(self.good('vol', 'list', 'volumes'), 'no volumes\n')

    def test_clones(self):
        self.good('vol', 'create-as', 'clones', 'one', '1M', '-f', 'raw')
        data = os.urandom(1 << 20)
        self.good('vol', 'upload', 'clones/one', self.daemon.place('data', data))
        self.good('vol', 'clone', 'clones/one', 'two')
        self.good('vol', 'create-as', 'clones', 'fast', '1M', '-f', 'raw')
        self.good('vol', 'upload', '--no-sync', 'clones/fast', self.daemon.place('data', data))
        self.good('vol', 'clone', '--no-sync', 'clones/fast', 'six')
        self.good('vol', 'clone', 'clones/one', 'three', '--linked')
        three = self.json('vol', 'show', 'three')
        self.assertEqual((three['format'], three['backing'], three['capacity']),
                         ('qcow2', f'{self.folder}/one', 1 << 20))
        self.good('vol-create-as', 'clones', 'four', '2M', '-f', 'qcow2', '--backing-vol', 'one')
        self.assertEqual(self.json('vol', 'show', 'four')['backing'], f'{self.folder}/one')
        xml = self.daemon.place('vol.xml', b"<volume><name>five</name><capacity>1048576</capacity>"
                                b"<target><format type='raw'/></target></volume>")
        self.good('vol', 'create', 'clones', xml)
        self.good('vol-delete', 'five', '--pool', 'clones')
        self.good('vol', 'create-from', 'clones', xml, 'one', '--inputpool', 'clones')
        for name in ('two', 'five', 'fast', 'six'):
            self.assertEqual(self.run_socle('vol', 'download', f'clones/{name}', '-',
                                            text=False).stdout, data)
        self.good('vol', 'wipe', 'two')
        self.good('vol', 'download', 'two', f'{self.daemon.dir}/wiped')
        self.assertEqual(pathlib.Path(self.daemon.dir, 'wiped').read_bytes(), bytes(1 << 20))
        self.bad('vol', 'wipe', 'two', '--algorithm', 'fire', status=2, says='gutmann')

    def volumes(self):
        return sorted(self.good('vol', 'list', self.pool, '-o', 'name').split())

    def forget_machine(self, name):
        run('-c', self.uri, 'destroy', name)
        run('-c', self.uri, 'undefine', name)

    def machine(self, name, disks):
        self.addCleanup(self.forget_machine, name)
        self.good('vm', 'create', '-', stdin=None, input=f"<domain type='qemu'><name>{name}</name><memory>"
                  f"65536</memory><os><type arch='x86_64'>hvm</type></os><devices>{disks}<interface "
                  "type='user'><model type='virtio'/></interface></devices></domain>")

    def test_machine_clones(self):
        """Each disk is cloned by its pool, a CD is shared, and half a clone is none."""
        pool = self.pool
        data = os.urandom(1 << 20)
        file = self.daemon.place('data', data)
        for name in ('a.img', 'b', 'cd.iso'):
            self.good('vol', 'create-as', pool, name, '1M', '-f', 'raw')
            self.good('vol', 'upload', f'{pool}/{name}', file)
        self.machine('web', ''.join(
            f"<disk type='file' device='{kind}'><driver name='qemu' type='raw'/><source file='"
            f"{self.folder}/{name}'/><target dev='{dev}' bus='{bus}'/></disk>"
            for kind, name, dev, bus in (('disk', 'a.img', 'vda', 'virtio'), ('disk', 'b', 'vdb', 'virtio'),
                                         ('cdrom', 'cd.iso', 'sda', 'sata'))))
        for name in ('new', 'linked'):
            self.addCleanup(self.forget_machine, name)
        self.assertEqual(self.good('clone', 'web', 'new'), "'new' is a clone of 'web'\n")
        used.add('vm clone')
        self.assertIn('must not run any more', self.good('vm', 'clone', 'web', 'linked', '--linked'))
        xmls = [self.good('xml', name) for name in ('web', 'new', 'linked')]
        for wanted in ('<uuid>(.*)</uuid>', "<mac address='(.*)'/>"):
            self.assertEqual(len({re.search(wanted, xml)[1] for xml in xmls}), 3, wanted)
        sources = [re.findall("<source file='(.*?)'", xml) for xml in xmls[1:]]
        self.assertEqual(sources, [
            [f'{self.folder}/{name}' for name in ('new-vda.img', 'new-vdb', 'cd.iso')],
            [f'{self.folder}/{name}' for name in ('linked-vda.qcow2', 'linked-vdb.qcow2', 'cd.iso')]])
        self.assertEqual(re.findall("type='(qcow2|raw)'", xmls[2]), ['qcow2', 'qcow2', 'raw'])
        self.assertEqual(self.run_socle('vol', 'download', f'{pool}/new-vdb', '-', text=False).stdout, data)
        self.assertEqual(self.json('vol', 'show', f'{pool}/linked-vda.qcow2')['backing'],
                         f'{self.folder}/a.img')

        names = self.volumes()
        self.bad('clone', 'web', 'new', status=6, says="a machine 'new' already")
        self.good('vol', 'create-as', pool, 'half-vdb', '1M')
        self.bad('clone', 'web', 'half', status=6, says="disk 'vdb'")
        self.good('vol', 'delete', f'{pool}/half-vdb')
        self.bad('clone', 'web', '', says='cannot define')
        self.machine('away', f"<disk type='file'><source file='{file}'/><target dev='vda'/></disk>")
        self.bad('clone', 'away', 'half', status=3, says='in no active pool')
        # A guest may have written a header, which names any file, to its raw disk.
        image = f'{self.daemon.dir}/header'
        self.good('vol', 'download', f'{pool}/linked-vdb.qcow2', image)
        with open(f'{self.folder}/b', 'r+b') as disk:
            disk.write(pathlib.Path(image).read_bytes())
        self.good('pool', 'refresh', pool)
        self.clone_header(image, names)
        self.bad('vm', 'show', 'half', status=3)

    def clone_header(self, _image, names):
        """libvirtd's pools believe the header, so there is no clone."""
        for more in ((), ('--linked',)):
            self.bad('clone', 'web', 'half', *more, says="'vdb' is raw to the machine, and qcow2")
        self.assertEqual(self.volumes(), names)

    def test_create(self):
        """An image that a pool has is referred to, a file is sent; the CD tells who the guest is."""
        pool, there = self.pool, f'{self.folder}/'
        kernel = self.daemon.place('keys.elf', pathlib.Path(KEYS).read_bytes())
        data = os.urandom(1 << 20)
        file = self.daemon.place('base.img', data)
        self.good('vol', 'create-as', pool, 'base', '1M', '-f', 'raw')
        self.good('vol', 'upload', f'{pool}/base', file)
        key = self.daemon.place('key.pub', b'# mine\n' + KEY + b' me@"here"\n')
        for name in ('web', 'db', 'sent', 'empty', 'half'):
            self.addCleanup(self.forget_machine, name)
        words = ('--pool', pool, '--memory', '64M', '--network', 'user', '--kernel', kernel)
        self.assertEqual(self.good('create', 'web', '--image', f'{pool}/base', '--ssh-key', key, '--vcpus',
                                   '2', '--disk', 'size=2M', *words), "'web' is made and started\n")
        self.assertEqual(self.good('state', 'web').strip(), 'running')
        xml = self.good('xml', 'web', '--inactive')
        self.assertEqual(re.findall("<source file='(.*?)'", xml),
                         [there + 'web.qcow2', there + 'web-seed.iso'])
        self.assertRegex(xml, '(?s)<vcpu.*>2</vcpu>.*readonly')
        disk = self.json('vol', 'show', f'{pool}/web.qcow2')
        self.assertEqual((disk['backing'], disk['capacity']), (there + 'base', 2 << 20))
        seed = self.run_socle('vol', 'download', f'{pool}/web-seed.iso', '-', text=False).stdout
        self.assertIn(b'CIDATA', seed)
        self.assertIn(KEY + rb' me@\"here\"', seed)
        self.assertIn(b'"local-hostname": "web"', seed)

        user = self.daemon.place('user', b'#cloud-config\nruncmd: [ true ]\n')
        self.good('create', 'db', '--image', f'{there}base', '--user-data', user, '--no-start', *words)
        self.assertEqual(self.good('state', 'db').strip(), 'shut off')
        self.assertIn(b'runcmd: [ true ]', self.run_socle('vol', 'download', f'{pool}/db-seed.iso', '-',
                                                          text=False).stdout)
        self.good('create', 'sent', '-i', file, '--no-start', *words)
        self.assertEqual(self.run_socle('vol', 'download', f'{pool}/sent.img', '-', text=False).stdout, data)
        self.assertNotIn('seed', self.good('xml', 'sent'))
        self.good('create', 'empty', '--disk', 'size=1', '--no-start', *words)
        self.assertEqual(self.json('vol', 'show', f'{pool}/empty.qcow2')['capacity'], 1 << 30)

        # Its clone is another guest.
        self.addCleanup(self.forget_machine, 'two')
        self.good('clone', 'db', 'two')
        self.assertIn(f"<source file='{there}two-seed.iso'", self.good('xml', 'two'))
        seeds = [self.run_socle('vol', 'download', f'{pool}/{name}-seed.iso', '-', text=False).stdout
                 for name in ('db', 'two')]
        self.assertEqual(len({re.search(b'"instance-id": "(.*?)"', seed)[1] for seed in seeds}), 2)
        self.assertIn(b'"local-hostname": "two"', seeds[1])
        self.assertEqual([b'machine-id' in seed for seed in seeds], [False, True])
        self.assertIn(b'runcmd: [ true ]', seeds[1])

        # An image of another format is sent as it is, if it is whole.
        image, torn = f'{self.daemon.dir}/i.qcow2', f'{self.daemon.dir}/torn.qcow2'
        self.good('vol', 'download', f'{pool}/empty.qcow2', image)
        self.good('vol', 'download', f'{pool}/web.qcow2', torn)
        self.good('create', 'half', '-i', image, '--disk', 'size=2G', '--no-start', *words)
        disk = self.json('vol', 'show', f'{pool}/half.qcow2')
        self.assertEqual((disk['format'], disk['capacity']), ('qcow2', 2 << 30))
        self.good('undefine', 'half')
        self.good('vol', 'delete', f'{pool}/half.qcow2')
        names = self.volumes()
        self.bad('create', 'half', '-i', torn, *words, says="refers to another file")

        self.bad('create', 'web', '-i', file, *words, status=6, says="a machine 'web' already")
        self.bad('create', 'half', *words[:-2], status=2, says="'--image'")
        self.bad('create', 'half', '-i', '/no/where', *words, says='No such file')
        self.bad('create', 'half', '-i', 'nowhere', *words, status=3, says=f"nor a volume of pool '{pool}'")
        self.bad('create', 'half', '-i', image, '--disk', 'size=1M', *words, status=2, says='smaller')
        self.bad('create', 'half', '--disk', '2G', *words, status=2, says='size=20G')
        self.bad('create', 'half', '-i', file, '--ssh-key', self.daemon.place(
            'key', b'-----BEGIN OPENSSH PRIVATE KEY-----\n'), *words, status=2, says='key.pub')
        # What was made before a step that fails goes again: the CD's name is taken, the kernel is none.
        self.good('vol', 'create-as', pool, 'half-seed.iso', '1M')
        self.bad('create', 'half', '-i', file, '--ssh-key', key, *words, status=6, says="'half-seed.iso'")
        self.good('vol', 'delete', f'{pool}/half-seed.iso')
        self.bad('create', 'half', '-i', 'base', '-k', key, *words[:-1], '/no/kernel',
                 says="cannot start 'half'")
        self.assertEqual(self.volumes(), names)
        self.bad('vm', 'show', 'half', status=3)

    def test_create_console(self):
        """It is listened to from the first byte on, and goes on when it is left."""
        kernel = self.daemon.place('keys.elf', pathlib.Path(KEYS).read_bytes())
        self.addCleanup(self.forget_machine, 'talk')
        terminal = self.terminal('create', 'talk', '--kernel', kernel, '-m', '64M', '-n', 'none', '--console')
        terminal.expect(rb'leaves the console')
        terminal.expect(rb'B')
        terminal.keys(b'xyz')
        terminal.expect(rb'xyz')
        terminal.keys(b'\x1d')
        self.assertEqual(terminal.end(), 0)
        self.assertEqual(self.good('state', 'talk').strip(), 'running')
        self.bad('create', 'other', '--kernel', kernel, '--no-start', '--console', status=2, says='neither')
        self.bad('create', 'other', '--disk', 'size=1G', '--append', 'x', status=2, says="'--kernel'")
        self.bad('create', 'other', '--kernel', kernel, '-m', '1K', status=2, says='too little')

    def test_create_default(self):
        """The pool is made when the first machine needs it."""
        env = {'XDG_DATA_HOME': f'{self.daemon.dir}/home'}
        file = self.daemon.place('base.img', bytes(1 << 20))
        for name in ('first', 'second'):
            self.addCleanup(self.forget_machine, name)
        self.addCleanup(run, '-c', self.uri, 'pool', 'undefine', 'default')
        self.addCleanup(run, '-c', self.uri, 'pool', 'stop', 'default')
        self.good('create', 'first', '-i', file, '--no-start', env=env)
        self.assertEqual(self.json('vol', 'show', 'default/first.img')['path'],
                         f'{self.daemon.dir}/home/libvirt/images/first.img')
        self.good('pool', 'stop', 'default')
        self.bad('create', 'second', '-i', 'default/first.img', status=6, says='not active', env=env)
        self.good('create', 'second', '-i', file, '--no-start', env=env)
        self.bad('create', 'third', '-i', 'default/none', status=3, says="in pool 'default'")
        self.good('create', 'third', '-i', file, '--pool', 'default', '--no-start', env=env)
        self.addCleanup(self.forget_machine, 'third')

    def test_transfer(self):
        """Holes are left out on the way, offsets count, and no half file has the whole one's name."""
        self.good('vol', 'create-as', 'transfer', 'v', '64M', '-f', 'raw', '--allocation', '0')
        path, back = f'{self.daemon.dir}/sparse', f'{self.daemon.dir}/back'
        with open(path, 'wb') as file:
            file.write(b'begin')
            file.seek(40 << 20)
            file.write(b'middle')
            file.truncate(64 << 20)
        self.good('vol', 'upload', 'v', path, '--pool', 'transfer')
        self.good('vol', 'download', 'v', back)
        wanted = pathlib.Path(path).read_bytes()
        self.assertEqual(pathlib.Path(back).read_bytes(), wanted)
        self.assertLess(os.stat(back).st_blocks * 512, 8 << 20)
        self.good('vol', 'import', 'transfer', path, 'w')
        self.good('vol', 'download', 'w', back)
        self.assertEqual(pathlib.Path(back).read_bytes(), wanted)
        self.assertLess(os.stat(back).st_blocks * 512, 8 << 20)
        self.good('vol', 'download', 'v', back, '--full')
        self.assertEqual(pathlib.Path(back).read_bytes(), wanted)
        self.assertEqual(self.good('vol', 'download', 'v', '-', '--offset', '40M', '--length', '6'),
                         'middle')
        self.assertEqual(self.run_socle('vol', 'upload', 'v', '-', '--offset', '1M', '--length', '4',
                                        input='piece', stdin=None).returncode, 0)
        self.assertEqual(self.good('vol', 'download', 'v', '-', '--offset', '1M', '--length', '5'),
                         'piec\0')
        self.bad('vol', 'upload', 'v', '/no/file', says='No such file')
        self.bad('vol', 'download', 'v', '/no/file', says='No such file')
        self.bad('vol', 'download', 'v', back, '--offset', '1T')
        self.assertEqual(pathlib.Path(back).read_bytes(), wanted)
        self.assertFalse(os.path.exists(f'{back}.part'))

    def test_special(self):
        """A pipe, a device or a link is written into: it does not become a file."""
        self.good('vol', 'create-as', 'special', 'v', '1M', '-f', 'raw', '--allocation', '0')
        path, pipe, link = (f'{self.daemon.dir}/{name}' for name in ('six', 'pipe', 'link'))
        with open(path, 'wb') as file:
            file.write(b'hello!')
        self.good('vol', 'upload', 'v', path, '--pool', 'special')
        os.mkfifo(pipe)
        fd = os.open(pipe, os.O_RDWR | os.O_NONBLOCK)
        self.addCleanup(os.close, fd)
        self.good('vol', 'download', 'v', pipe, '--length', '8')
        self.assertEqual(os.read(fd, 100), b'hello!\0\0')
        os.symlink('six', link)
        self.good('vol', 'download', 'v', link, '--length', '3')
        self.assertEqual((os.readlink(link), pathlib.Path(path).read_bytes()), ('six', b'hel'))
        self.assertEqual(self.good('vol', 'download', 'v', '/dev/stdout', '--length', '5', '-q'), 'hello')
        os.unlink(path)
        self.bad('vol', 'download', 'v', link, says=f"cannot open '{link}': No such file")

    def test_events(self):
        events = self.watch('pool', 2, lambda: [run('-c', self.uri, 'pool', verb, 'events')
                                                for verb in ('stop', 'start')])
        self.assertEqual([event.get('pool') for event in events], ['events'] * 2)
        self.assertLessEqual({event.get('what') for event in events}, {'started', 'stopped', None})


class OwnStorage(Storage):
    """The same by our own daemon."""
    DAEMON = OwnDaemon

    def clone_header(self, image, _names):
        """To our pools a raw disk of a machine is raw: the header is copied, and means nothing."""
        written = pathlib.Path(image).read_bytes()
        self.good('clone', 'web', 'half')
        copy = self.run_socle('vol', 'download', f'{self.pool}/half-vdb', '-', text=False).stdout
        self.assertEqual(copy[:len(written)], written)
        self.forget_machine('half')
        self.good('clone', 'web', 'half', '--linked')
        xml = self.good('vol', 'xml', f'{self.pool}/half-vdb.qcow2')
        self.assertRegex(xml, "(?s)<backingStore>.*<path>.*/b</path>.*<format type='raw'/>.*</backingStore>")
        self.forget_machine('half')


if __name__ == '__main__':
    # In test-socle.py; in test-lvm.py, because they are of volume groups.
    socle.main(theirs=['Sources', 'Storage'], own=['OwnStorage'], nouns=['pool', 'vol'], words=['create'],
               elsewhere=['pool edit', 'pool add-disk', 'pool remove-disk', 'vol restore', 'vol snapshot'])
