#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Machines that socle makes: create, clone, templates; and what Ctrl-C in the middle of it leaves: nothing.

usage: test-make.py [CLASS...]. Environment: that of daemon.py, and SOCLE the command line.
"""
import contextlib
import glob
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
import unittest

import daemon as tool
from ports import free_port
import waiting
from waiting import wait_for

SOCLE = os.environ['SOCLE']
# Procedures of libvirt's protocol.
DEFINE, START, CREATE_XML, VOL_CREATE, VOL_COPY, VOL_UPLOAD, FEATURE = 350, 196, 10, 93, 125, 208, 60
# Features from here on are ours.
OWN_FEATURES = 1 << 16
CALL_WITH_FDS = 4
INTERRUPTED = 130

KEY = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOWNNRIX2ovSSexaIw/C3RApR903kJrzlmXpPPmRugFM me'


class Held:
    """A call whose answer waits until go is set; seen is set when the daemon has it."""

    def __init__(self, procedure):
        self.procedure, self.seen, self.go = procedure, threading.Event(), threading.Event()


class Proxy:
    """Between socle and the daemon: a call that is named has no answer until it is let go.

    Who is strange passes no questions for what only socled can.
    """

    def __init__(self, path, target):
        self.path, self.target = path, target
        self.held = None
        self.strange = False
        self.server = socket.socket(socket.AF_UNIX)
        self.server.bind(path)
        self.server.listen()
        threading.Thread(target=self.accept, daemon=True).start()

    def hold(self, procedure):
        """The next call of it, by whichever connection."""
        self.held = Held(procedure)
        return self.held

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                client = self.server.accept()[0]
                daemon = socket.socket(socket.AF_UNIX)
                daemon.connect(self.target)
                mine = []
                threading.Thread(target=self.up, args=(client, daemon, mine), daemon=True).start()
                threading.Thread(target=self.down, args=(client, daemon, mine), daemon=True).start()

    @staticmethod
    def read(sock, count):
        data = b''
        while len(data) < count:
            more = sock.recv(count - len(data))
            if not more:
                raise OSError
            data += more
        return data

    @staticmethod
    def pass_files(client, daemon, data):
        """A call that has descriptors says how many; each comes with a byte behind it."""
        kind, = struct.unpack_from('>I', data, 16)
        for _ in range(struct.unpack_from('>I', data, 28)[0] if kind == CALL_WITH_FDS else 0):
            byte, fds, _, _ = socket.recv_fds(client, 1, 1)
            socket.send_fds(daemon, [byte], fds)
            for fd in fds:
                os.close(fd)

    def up(self, client, daemon, mine):
        with contextlib.suppress(OSError):
            while True:
                head = self.read(client, 16)
                length, _, _, procedure = struct.unpack('>IIII', head)
                data = head + self.read(client, length - 16)
                if self.strange and procedure == FEATURE and struct.unpack_from('>i', data, 28)[0] >= OWN_FEATURES:
                    data = data[:28] + struct.pack('>i', OWN_FEATURES - 1)
                held = self.held if self.held and self.held.procedure == procedure else None
                if held:
                    self.held = None
                    mine.append(held)
                daemon.sendall(data)
                self.pass_files(client, daemon, data)
                if held:
                    held.seen.set()
        with contextlib.suppress(OSError):
            daemon.shutdown(socket.SHUT_RDWR)
        for held in mine:
            held.go.set()

    def down(self, client, daemon, mine):
        with contextlib.suppress(OSError):
            while data := daemon.recv(65536):
                for held in mine:
                    held.go.wait()
                client.sendall(data)
        with contextlib.suppress(OSError):
            client.shutdown(socket.SHUT_RDWR)
        client.close()
        daemon.close()


class Case(tool.Case):
    """A session's daemon with the pool 'default', and a way to it that can be held."""

    def setUp(self):
        super().setUp()
        self.one = self.daemon('--session', *(f'--{name}={self.path(name)}' for name in ('run', 'log-dir')))
        self.uri = f'qemu:///session?socket={self.one.socket}'
        self.proxy = Proxy(self.path('proxy'), self.one.socket)
        self.addCleanup(self.proxy.server.close)
        self.held_uri = f'qemu:///session?socket={self.path("proxy")}'
        self.images = self.path('images')
        self.good('pool', 'define-as', 'default', '--target', self.images, '--build', '--start')

    def path(self, name):
        return os.path.join(self.dir, name)

    def start(self, *words, uri=None):
        return subprocess.Popen([SOCLE, '-c', uri or self.uri, *words], stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def socle(self, *words, **more):
        process = self.start(*words, **more)
        out, err = process.communicate(timeout=2 * waiting.PATIENCE)
        return process.returncode, out, err

    def good(self, *words):
        status, out, err = self.socle(*words)
        self.assertEqual((status, err), (0, ''), (words, out))
        return out

    def bad(self, *words, status=1, says=''):
        got, out, err = self.socle(*words)
        self.assertEqual((got, out), (status, ''), (words, err))
        self.assertIn(says, err)
        self.assertEqual(err.count('\n'), 1, err)

    def json(self, *words):
        return json.loads(self.good(*words, '-o', 'json'))

    def image(self, name='image.qcow2', size='16M'):
        path = self.path(name)
        subprocess.run([os.environ['SOCLE_IMG'], 'create', '-q', '-f', 'qcow2', path, size], check=True)
        return path

    def machine(self, name, *words):
        """One that is shut off, with a disk of its own."""
        return self.good('create', name, '--disk', 'size=16M', '--no-start', '--network', 'none', *words)

    def left(self):
        return sorted(os.listdir(self.images)), self.good('list', '--all', '-o', 'name').split()

    @staticmethod
    def noted(pid):
        """None is pending, and a thread that takes them waits for the next one."""
        pending, threads = set(), set()
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            for status in glob.glob(f'/proc/{pid}/task/*/status'):
                with open(status, encoding='ascii') as file:
                    words = dict(line.split(':\t', 1) for line in file if ':\t' in line)
                pending |= {int(words[mask], 16) for mask in ('SigPnd', 'ShdPnd')}
                if words['Name'] == 'signals\n':
                    threads.add(words['State'][0])
        return pending == {0} and threads <= {'S'}

    def interrupt(self, procedure, name, *words, sig=signal.SIGINT):
        before = self.left()
        held = self.proxy.hold(procedure)
        process = self.start(*words, uri=self.held_uri)
        self.assertTrue(held.seen.wait(waiting.PATIENCE), words)
        process.send_signal(sig)
        wait_for(lambda: process.poll() is not None or self.noted(process.pid), 'the signal')
        # A call that is short is waited for.
        if procedure != VOL_COPY:
            held.go.set()
        out, err = process.communicate(timeout=waiting.PATIENCE)
        self.assertEqual((process.returncode, out, err),
                         (INTERRUPTED, '', f"socle: '{name}' was interrupted, and what had been made of it "
                                           'is gone\n'), words)
        wait_for(lambda: self.left() == before, f'{before} after {words}')


class Interrupted(Case):
    """Ctrl-C in the middle of each step."""

    def test_create(self):
        words = ('create', 'web', '--image', self.image(), '--network', 'none', '--kernel', tool.KEYS)
        for procedure in (VOL_CREATE, DEFINE, START):
            for sig in (signal.SIGINT, signal.SIGTERM):
                with self.subTest(procedure=procedure, sig=sig):
                    self.interrupt(procedure, 'web', *words, sig=sig)
        # A daemon that makes no volumes of streams has one before its bytes.
        self.proxy.strange = True
        for procedure in (VOL_CREATE, VOL_UPLOAD):
            with self.subTest(procedure=procedure, strange=True):
                self.interrupt(procedure, 'web', *words)
        status, _, err = self.socle(*words, '--no-start', uri=self.held_uri)
        self.assertEqual((status, err), (0, ''))
        self.assertEqual(self.left(), (['web.qcow2'], ['web']))

    def test_killed(self):
        """No volume stays of a client that is killed while its bytes come, nor of its daemon."""
        words = ('create', 'web', '--image', self.image(), '--network', 'none', '--no-start')
        for kills in ('socle', 'socled'):
            held = self.proxy.hold(VOL_CREATE)
            process = self.start(*words, uri=self.held_uri)
            self.assertTrue(held.seen.wait(waiting.PATIENCE))
            wait_for(lambda: self.left()[0], 'the volume is begun')
            self.assertNotIn('web.qcow2', self.left()[0])
            if kills == 'socle':
                process.kill()
            else:
                self.one.end(signal.SIGKILL)
                self.one.start()
            held.go.set()
            process.communicate(timeout=waiting.PATIENCE)
            wait_for(lambda: self.left() == ([], []), f'{kills} was killed')
        self.good(*words)
        self.assertEqual(self.left(), (['web.qcow2'], ['web']))

    def test_import(self):
        image = self.image()
        self.interrupt(VOL_CREATE, 'image.qcow2', 'vol', 'import', 'default', image)
        self.assertEqual(self.good('vol', 'import', 'default', image), "volume 'image.qcow2' is made of the file\n")
        self.assertEqual(self.json('vol', 'show', 'default/image.qcow2')['capacity'], 16 << 20)
        self.bad('vol', 'import', 'default', image, status=6, says="'image.qcow2' already exists")
        self.good('vol', 'import', '--no-sync', 'default', image, 'other', '-q')
        self.bad('vol', 'import', 'default', self.path('nothing'), says='No such file')
        self.bad('vol', 'import', 'default', self.images, status=2, says='is no file')
        self.bad('vol', 'import', 'nowhere', image, status=3, says="'nowhere'")
        self.assertEqual(self.left(), (['image.qcow2', 'other'], []))

    def test_clone(self):
        self.machine('web')
        for more in ((), ('--linked',)):
            for procedure in (VOL_CREATE if more else VOL_COPY, DEFINE):
                with self.subTest(procedure=procedure, more=more):
                    self.interrupt(procedure, 'two', 'clone', 'web', 'two', *more)
        self.interrupt(VOL_COPY, 'copy', 'vol', 'clone', 'default/web.qcow2', 'copy')

    def test_twice(self):
        """The second one does not wait for anybody."""
        held = self.proxy.hold(DEFINE)
        process = self.start('create', 'web', '--kernel', tool.KEYS, '--network', 'none', uri=self.held_uri)
        self.assertTrue(held.seen.wait(waiting.PATIENCE))
        process.send_signal(signal.SIGINT)
        wait_for(lambda: self.noted(process.pid), 'the first signal')
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.wait(waiting.PATIENCE), -signal.SIGINT)
        self.assertEqual(process.communicate()[1], '')

    def test_nohup(self):
        """Who has switched signals off is not asked."""
        held = self.proxy.hold(DEFINE)
        process = subprocess.Popen(['sh', '-c', 'trap "" INT HUP; exec "$@"', 'sh', SOCLE, '-c', self.held_uri, 'create',
                                    'web', '--kernel', tool.KEYS, '--network', 'none', '--no-start'],
                                   stdout=subprocess.PIPE, text=True)
        self.assertTrue(held.seen.wait(waiting.PATIENCE))
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGHUP)
        held.go.set()
        self.assertEqual(process.communicate(timeout=waiting.PATIENCE)[0], "'web' is made\n")
        self.assertEqual(process.returncode, 0)


class Words(Case):
    """What is said wrongly is told before anything is made."""

    def text(self, name, text):
        with open(self.path(name), 'w', encoding='utf-8') as file:
            file.write(text)
        return self.path(name)

    def test_network(self):
        self.bad('create', 'new', '--disk', 'size=16M', '--network', 'nope', status=3, says="'nope'")
        self.assertEqual(self.left(), ([], []))

    def test_cloud_init(self):
        plain = self.text('plain', 'packages: [ vim ]\n')
        self.bad('create', 'new', '--disk', 'size=16M', '--user-data', plain, status=2, says="'#cloud-config'")
        keys = self.text('keys', f'# mine\n\n{KEY}\n{KEY[:40]}\n')
        for path, says in ((keys, f"line 4 of '{keys}' is no public key"), (plain, f"line 1 of '{plain}'")):
            self.bad('create', 'new', '--disk', 'size=16M', '--ssh-key', path, status=2, says=says)
        self.assertEqual(self.left(), ([], []))


class Clones(Case):
    def test_beside(self):
        """What one machine has of the host the other one cannot have, too: both run."""
        self.good('vol', 'create-as', 'default', 'one.raw', '1M')
        self.good('vol', 'create-as', 'default', 'two.qcow2', '1M', '--format', 'qcow2')
        with open(self.path('m.xml'), 'w', encoding='utf-8') as file:
            file.write(tool.definition('old', devices=(
                f"<disk type='file'><driver type='raw'/><source file='{self.images}/one.raw'/><target dev='vda'/></disk>"
                "<disk type='volume'><driver type='qcow2'/><source pool='default' volume='two.qcow2'/><target dev='vdb'/></disk>"
                f"<serial type='file'><source path='{self.path('said')}'/></serial>"
                f"<channel type='unix'><source mode='bind' path='{self.path('agent')}'/>"
                "<target type='virtio' name='org.qemu.guest_agent.0'/></channel>"
                f"<graphics type='vnc' port='{free_port()}' autoport='no'/><video><model type='vga'/></video>")))
        self.good('define', self.path('m.xml'))
        self.good('clone', 'old', 'new')
        xml = self.good('xml', 'new')
        self.assertEqual(xml.count(self.path('said') + '-new'), 2)
        self.assertNotIn(self.path('agent'), xml)
        self.assertIn("volume='new-vdb.qcow2'", xml)
        self.good('start', 'old')
        self.good('start', 'new')
        wait_for(lambda: os.path.exists(self.path('said-new')), 'its own file')
        for name in ('old', 'new'):
            self.good('destroy', name)

    def test_screens_socket(self):
        """However the screen's socket is said: the clone has another one."""
        path = self.path('screen')
        for name, graphics in (('long', f"<graphics type='vnc'><listen type='socket' socket='{path}'/></graphics>"),
                               ('short', f"<graphics type='vnc' socket='{path}'/>")):
            with open(self.path('m.xml'), 'w', encoding='utf-8') as file:
                file.write(tool.definition(name, devices=graphics))
            self.good('define', self.path('m.xml'))
            self.good('clone', name, f'{name}-new')
            xml = self.good('xml', f'{name}-new')
            self.assertIn(f"'{path}-{name}-new'", xml)
            self.assertNotIn(f"'{path}'", xml)


class Templates(Case):
    """Machines that are there to make others of."""

    def setUp(self):
        super().setUp()
        key = self.path('key.pub')
        with open(key, 'w', encoding='ascii') as file:
            file.write(f'{KEY}\n')
        self.machine('base', '--ssh-key', key, '--kernel', tool.KEYS, '--memory', '64M')
        self.assertEqual(self.good('template', 'create', 'base'),
                         "'base' is a template now; 'socle create NAME --template' makes machines of it\n")

    def seed(self, name):
        """What cloud-init is told by a machine's CD."""
        files = {}
        for file in ('meta-data', 'user-data', 'vendor-data'):
            subprocess.run(['xorriso', '-osirrox', 'on', '-indev', f'{self.images}/{name}-seed.iso', '-extract',
                            f'/{file}', self.path('out')], check=False, capture_output=True)
            if not os.path.exists(self.path('out')):
                continue
            with open(self.path('out'), encoding='utf-8') as text:
                files[file] = text.read()
            os.unlink(self.path('out'))
        return files

    def test_marked(self):
        self.assertEqual(self.json('template', 'list'), [
            {'name': 'base', 'uuid': self.good('uuid', 'base').strip(), 'memory_kib': 65536, 'vcpus': 1, 'linked': [],
             'disks': [f'{self.images}/base.qcow2', f'{self.images}/base-seed.iso']}])
        self.assertRegex(self.good('template', 'list'), r'NAME +MEMORY +LINKED CLONES\nbase +64 MiB +-\n')
        self.assertIn('linked clones  -', self.good('template', 'show', 'base'))
        self.machine('plain')
        self.assertEqual(self.good('__complete', '--', 'template', 'show', ''), 'base\n')
        self.assertEqual(self.good('__complete', '--', 'create', 'x', '--template', ''), 'base\n')
        # By whomever it is started.
        self.bad('start', 'base', status=6,
                 says='it is a template, from which machines are made and which is not started')
        said = self.virsh(self.uri, 'start', 'base', status=1)
        self.assertIn("'socle create NAME --template base' makes one", said)
        said = self.virsh(self.uri, 'vol-delete', 'base.qcow2', 'default', status=1)
        self.assertIn("volume 'base.qcow2' is a disk of the template 'base'", said)
        self.bad('vol', 'delete', 'default/base.qcow2', says="'socle template delete base' deletes both", status=6)
        self.unchanged('default/base.qcow2', "'socle template release base' makes that a machine again")
        self.unchanged('default/base-seed.iso', "is a disk of the template 'base'")
        # What it is stays, and another daemon knows it.
        self.one.end(signal.SIGKILL)
        self.one.start()
        self.bad('start', 'base', status=6, says='it is a template')
        self.assertEqual(self.good('template', 'release', 'base'), "'base' is a machine again\n")
        self.assertEqual(self.good('template', 'list'), 'no templates\n')
        self.bad('template', 'release', 'base', status=6, says='no template')
        self.bad('template', 'show', 'base', status=6, says="'socle template create base' makes it one")
        self.bad('create', 'new', '--template', 'base', status=6, says='no template')
        self.good('start', 'base')
        self.bad('template', 'create', 'base', status=6, says='runs, and a template does not')
        self.good('destroy', 'base')

    def unchanged(self, volume, says, path=None):
        """Who is needed by others is not changed, whoever asks."""
        path = path or f"{self.images}/{volume.split('/')[1]}"
        text = self.path('text')
        with open(text, 'w', encoding='ascii') as file:
            file.write('x' * 4096)
        with open(path, 'rb') as file:
            before = file.read()
        for words in (('wipe', volume), ('wipe', volume, '--algorithm', 'random'), ('resize', volume, '64M'),
                      ('resize', volume, '1M', '--shrink'), ('upload', volume, text),
                      ('upload', volume, text, '--offset', '512', '--length', '512')):
            with self.subTest(words=words):
                self.bad('vol', *words, '--yes', status=6, says=says)
        self.good('vol', 'download', volume, text, '--quiet')
        with open(path, 'rb') as file:
            self.assertEqual(file.read(), before)

    def test_linked(self):
        self.assertEqual(self.good('create', 'web', '--template', 'base'), "'web' is made and started\n")
        self.good('create', 'full', '--template', 'base', '--full', '--no-start', '--memory', '32M', '--vcpus', '2',
                  '--disk', 'size=64M')
        self.good('clone', 'base', 'two', '--linked')
        self.good('clone', 'base', 'copy')
        self.assertEqual(self.left()[1], ['base', 'copy', 'full', 'two', 'web'])
        self.assertEqual(self.json('template', 'show', 'base')['linked'], ['two', 'web'])
        # Each is a guest of its own, and no template.
        told = [json.loads(self.seed(name)['meta-data']) for name in ('base', 'web', 'full', 'two', 'copy')]
        self.assertEqual(len({meta['instance-id'] for meta in told}), 5)
        self.assertEqual([meta['local-hostname'] for meta in told], ['base', 'web', 'full', 'two', 'copy'])
        self.assertEqual({tuple(meta['public-keys']) for meta in told}, {(KEY,)})
        self.assertIn('machine-id', self.seed('web')['vendor-data'])
        self.assertEqual(self.json('template', 'list', )[0]['name'], 'base')
        self.assertEqual(len(self.json('template', 'list')), 1)
        self.assertEqual(self.json('vol', 'show', 'default/full-vda.qcow2')['capacity'], 64 << 20)
        self.assertIn("<memory unit='KiB'>32768<", self.good('xml', 'full'))
        # The base stays as long as they do.
        self.bad('template', 'delete', 'base', status=6, says="disks of 'two', 'web' refer to those of 'base'")
        self.bad('template', 'release', 'base', status=6, says="disks of 'two', 'web' refer to those of 'base'")
        self.virsh(self.uri, 'undefine', 'base')
        said = self.virsh(self.uri, 'vol-delete', 'base.qcow2', 'default', status=1)
        self.assertIn("disks of 'web', 'two' refer to volume 'base.qcow2'", said)
        self.unchanged('default/base.qcow2', "disks of 'web', 'two' refer to volume 'base.qcow2'")
        self.good('destroy', 'web')
        for name in ('two', 'web'):
            self.good('undefine', name)
        self.good('vol', 'delete', 'default/base.qcow2')

    def test_other_way(self):
        """A file is the one it is, whichever pool or name leads to it."""
        other, more = self.path('other'), self.path('more')
        os.symlink(self.images, other)
        os.mkdir(more)
        os.link(f'{self.images}/base.qcow2', f'{more}/hard.qcow2')
        for name, path in (('other', other), ('more', more)):
            self.good('pool', 'define-as', name, '--target', path, '--start')
        says = f"is the file '{self.images}/base.qcow2', a disk of the template 'base'"
        for volume in ('other/base.qcow2', 'more/hard.qcow2'):
            self.unchanged(volume, says, f'{self.images}/base.qcow2')
            self.bad('vol', 'delete', volume, '--yes', status=6, says=says)
        self.good('create', 'web', '--template', 'base', '--no-start')
        definition = self.write('base.xml', self.good('xml', 'base').replace(self.images, other))
        self.virsh(self.uri, 'define', definition)
        self.assertEqual(self.json('template', 'show', 'base')['linked'], ['web'])
        self.bad('template', 'delete', 'base', status=6, says="disks of 'web' refer to those of 'base'")
        self.virsh(self.uri, 'undefine', 'base')
        says = f"disks of 'web' refer to '{self.images}/base.qcow2', which volume 'base.qcow2' is"
        self.unchanged('other/base.qcow2', says)
        self.assertIn(says, self.virsh(self.uri, 'vol-delete', 'base.qcow2', 'other', status=1))
        self.good('undefine', 'web')
        self.good('vol', 'delete', 'other/base.qcow2')

    def test_chain(self):
        """A clone's clone needs the first one's base, too."""
        self.good('create', 'web', '--template', 'base', '--no-start')
        self.good('clone', 'web', 'two', '--linked')
        self.good('clone', 'web', 'full')
        # What 'web' writes from now on would be under what 'two' has.
        self.bad('start', 'web', status=6, says="a disk of 'two' begins as its disk 'vda' is")
        self.unchanged('default/web-vda.qcow2', "disks of 'two' refer to volume 'web-vda.qcow2'")
        other = self.path('other')
        os.symlink(self.images, other)
        definition = self.good('xml', 'web').replace(self.images, other)
        self.virsh(self.uri, 'define', self.write('web.xml', definition))
        self.bad('start', 'web', status=6, says="a disk of 'two' begins as its disk 'vda' is")
        self.good('start', 'full')
        # Nor by a machine that gets it when it runs.
        said = self.virsh(self.uri, 'attach-disk', 'full', f'{other}/web-vda.qcow2', 'vdb', '--subdriver', 'qcow2',
                          '--live', status=1)
        self.assertIn("a disk of 'two' begins as its disk 'vdb' is", said)
        self.good('destroy', 'full')
        self.good('undefine', 'web')
        self.bad('template', 'delete', 'base', status=6, says="disks of 'two' refer")

    def test_delete(self):
        self.good('template', 'delete', 'base')
        self.assertEqual(self.left(), ([], []))

    def test_image(self):
        """An image that machines were made of stays, too."""
        self.good('create', 'one', '--image', 'default/base.qcow2', '--no-start', '--network', 'none')
        self.assertIn("path='", self.good('xml', 'one').replace('"', "'"))
        self.bad('template', 'delete', 'base', status=6, says="'one'")

    def test_words(self):
        for words, says in ((('--image', 'x'), "'--image' is what the template says"),
                            (('--network', 'none'), "'--network' is what the template says")):
            self.bad('create', 'new', '--template', 'base', *words, status=2, says=says)
        self.bad('create', 'new', '--full', status=2, says="'--full' is for a '--template'")
        self.bad('create', 'new', '--template', 'base', '--disk', 'size=1M', status=2, says='cannot be made smaller')
        self.assertEqual(self.left()[1], ['base'])
        self.bad('create', 'base', '--template', 'base', status=6, says='already')

    def test_interrupted(self):
        for procedure, more in ((VOL_CREATE, ()), (VOL_COPY, ('--full',)), (DEFINE, ()), (START, ())):
            with self.subTest(procedure=procedure):
                self.interrupt(procedure, 'web', 'create', 'web', '--template', 'base', *more)


if __name__ == '__main__':
    unittest.main(argv=sys.argv)
