#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""socle-img as people use it: one sentence for each mistake, and nothing half done."""
import fcntl
import json
import os
import pathlib
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

IMG, IO = os.environ['SOCLE_IMG'], os.environ['SOCLE_IO']
MIB = 1 << 20


def run(*words, **more):
    return subprocess.run([IMG, *words], capture_output=True, text=True, check=False, timeout=100,
                          stdin=subprocess.DEVNULL, **more)


class Case(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix='test-img-')
        self.addCleanup(shutil.rmtree, self.dir)
        self.addCleanup(os.chdir, os.getcwd())
        os.chdir(self.dir)

    def good(self, *words):
        result = run(*words)
        self.assertEqual((result.returncode, result.stderr), (0, ''), words)
        return result.stdout

    def bad(self, *words, status=1, says=''):
        result = run(*words)
        self.assertEqual(result.returncode, status, result.stderr)
        self.assertRegex(result.stderr, r'\Asocle-img: [^\n]+\n((socle-img: |Try )[^\n]+\n)?\Z')
        self.assertIn(says, result.stderr)
        self.assertEqual(result.stdout, '')

    def raw(self, name='s.raw', size=8 * MIB):
        rand = random.Random(1)
        with open(name, 'wb') as file:
            file.truncate(size)
            for place in range(0, size, MIB):
                file.seek(place + 4096)
                file.write(rand.randbytes(100 << 10))
        return name

    def contents(self, name):
        with open(name, 'rb') as file:
            return file.read()


class Words(Case):
    def test_help(self):
        text = self.good('--help')
        for command in ('create', 'info', 'check', 'convert', 'resize', 'snapshot', 'rebase',
                        'commit', 'map', 'compare', 'measure', 'amend', 'bitmap', 'doctor', 'dd', 'bench'):
            self.assertIn(f'  {command} ', text)
            self.assertIn(f'socle-img {command}', self.good(command, '--help'))
        self.assertRegex(self.good('--version'), r'^socle-img \d')

    def test_mistakes(self):
        self.raw()
        self.bad(says='arguments')
        self.bad('none', says="'none'")
        self.bad('info', '--none', 's.raw', says="'--none'")
        self.bad('info', '-x', 's.raw', says="'-x'")
        self.bad('info', '-f', says='value')
        self.bad('create', '--image-opts', 'x', '1M', says='image-opts')
        self.bad('convert', '-Z', 's.raw', 'x', says="'-Z'")
        self.bad('info', 'nothere', says="'nothere': No such file")
        self.bad('resize', 's.raw', '+1G', says='-f')
        self.bad('info', '--image-opts', 'driver=raw', says='file.filename')
        self.bad('info', '--image-opts', 'driver=nbd,file.filename=s.raw', says="'nbd'")
        self.bad('info', '--image-opts', 'file.driver=nbd,file.filename=x', says="'nbd'")
        self.bad('info', '--image-opts', '-f', 'raw', 'file.filename=s.raw', says='exclusive')
        self.bad('info', '-f', 'none', 's.raw', says="'none'")
        self.bad('info', 'nbd://host/disk', says='nbd://host/disk')
        self.bad('info', 'json:{}', says='file.filename=FILE')
        self.bad('info', 'json:[]', says='an object is wanted')
        self.bad('info', "json:{'file.filename': ['x']}", says='neither a string')
        self.bad('info', '.', says="'.'")
        self.bad('create', 'x', '5Q', says="Invalid image size")
        self.bad('create', 'x', '-5', says='-5')
        self.bad('create', 'x', '99E', says='Invalid image size')
        self.bad('create', 'x', '1M', '-o', 'size=1M', says='x: The image size must be specified only once')
        self.bad('create', '-q', '-f', 'qcow2', '-o', 'cluster_size=5', 'x', '1M')
        self.bad('convert', '-O', 'none', 's.raw', 'x', says="'none'")
        self.bad('convert', 's.raw', 'none/x', says='none/')
        self.bad('resize', 's.raw', '20M', says='-f')
        self.bad('resize', '-f', 'raw', 's.raw', '1M', says='--shrink')
        self.bad('check', '-f', 'raw', 's.raw', status=63)
        self.bad('compare', 's.raw', 'none', status=2, says="'none'")
        self.assertEqual(os.listdir('.'), ['s.raw'])

    def test_full_stdout(self):
        self.raw()
        with open('/dev/full', 'w', encoding='ascii') as full:
            result = subprocess.run([IMG, 'info', 's.raw'], stdout=full, stderr=subprocess.PIPE,
                                    check=False)
        self.assertEqual(result.returncode, 1)
        self.assertIn(b'stdout', result.stderr)


class Work(Case):
    def test_round(self):
        """Through all formats that can be written, and back."""
        self.raw()
        last = 's.raw'
        for form in ('qcow2', 'vdi', 'vhdx', 'vmdk', 'raw'):
            self.good('convert', '-O', form, last, f'x.{form}')
            last = f'x.{form}'
        self.assertEqual(self.contents(last), self.contents('s.raw'))
        self.good('convert', '-c', '-O', 'qcow2', 's.raw', 'c.qcow2')
        self.assertEqual(self.good('compare', 's.raw', 'c.qcow2'), 'Images are identical.\n')
        self.good('check', 'c.qcow2')

    def test_joined(self):
        self.raw('a.raw')
        self.raw('b.raw', 3 * MIB + 512)
        self.good('convert', '-O', 'qcow2', 'a.raw', 'b.raw', 'x')
        self.good('convert', '-O', 'raw', 'x', 'x.raw')
        self.assertEqual(self.contents('x.raw'), self.contents('a.raw') + self.contents('b.raw'))

    def test_chain(self):
        self.raw()
        os.mkdir('folder')
        self.good('create', '-q', '-f', 'qcow2', '-b', '../s.raw', '-F', 'raw', 'folder/a')
        self.good('create', '-q', '-f', 'qcow2', '-b', 'a', '-F', 'qcow2', 'folder/b')
        self.assertEqual(self.good('compare', 'folder/b', 's.raw'), 'Images are identical.\n')
        chain = json.loads(self.good('info', '--backing-chain', '--output=json', 'folder/b'))
        self.assertEqual([image['filename'] for image in chain],
                         ['folder/b', 'folder/a', 'folder/../s.raw'])
        self.good('rebase', '-b', '../s.raw', '-F', 'raw', 'folder/b')
        self.assertEqual(len(json.loads(self.good('info', '--backing-chain', '--output=json',
                                                  'folder/b'))), 2)
        self.good('rebase', '-u', '-b', 'b', '-F', 'qcow2', 'folder/b')
        self.bad('map', 'folder/b', says='creates an infinite loop')
        self.bad('convert', 'folder/b', 'x', says='creates an infinite loop')

    def test_strangers_names(self):
        """Nothing that an image names is opened by looking at it."""
        self.good('create', '-q', '-u', '-f', 'qcow2', '-b', '/none/such', '-F', 'raw', 'x', '1M')
        self.good('info', 'x')
        self.good('check', 'x')
        self.bad('convert', 'x', 'y', says='/none/such')
        self.good('create', '-q', '-u', '-f', 'qcow2', '-b', 'nbd://a/b', '-F', 'raw', 'x', '1M')
        self.good('info', 'x')
        self.bad('map', 'x', says='nbd://a/b')
        self.assertFalse(os.path.exists('y'))

    def test_compare_chains(self):
        """What two chains share is the same; what stands in front of it is looked at."""
        self.raw()
        self.good('convert', '-O', 'qcow2', 's.raw', 'base')
        for name, behind in (('a', 'base'), ('b', 'base'), ('c', 'a')):
            self.good('create', '-q', '-f', 'qcow2', '-b', behind, '-F', 'qcow2', name)
        for pair in (('a', 'base'), ('base', 'a'), ('a', 'b'), ('b', 'c'), ('a', 'a')):
            self.assertEqual(self.good('compare', *pair), 'Images are identical.\n')
        self.good('bench', '-w', '-c', '1', '-o', '64k', '-q', '-f', 'qcow2', 'b')
        for pair in (('a', 'b'), ('b', 'a'), ('c', 'b'), ('base', 'b')):
            result = run('compare', *pair)
            self.assertEqual(result.returncode, 1)
            self.assertEqual(result.stdout, 'Content mismatch at offset 65536!\n')
        # A shorter one in between hides what is behind its end.
        self.good('resize', '-q', '--shrink', '-f', 'qcow2', 'a', '64k')
        self.assertEqual(run('compare', 'c', 'base').returncode, 1)
        # The same name in another folder is another image.
        os.mkdir('d')
        os.link('c', 'd/c')
        with open('d/a', 'wb') as file:
            file.write(self.contents('b'))
        os.link('base', 'd/base')
        self.assertEqual(run('compare', 'c', 'd/c').returncode, 1)

    def test_snapshots(self):
        self.raw()
        self.good('convert', '-O', 'qcow2', 's.raw', 'x')
        self.good('snapshot', '-c', 'one', 'x')
        self.good('bench', '-w', '-c', '100', '-q', '-f', 'qcow2', 'x')
        self.assertEqual(run('compare', 's.raw', 'x').returncode, 1)
        self.good('snapshot', '-a', 'one', 'x')
        self.assertEqual(run('compare', 's.raw', 'x').returncode, 0)
        self.good('snapshot', '-d', 'one', 'x')
        self.bad('snapshot', '-d', 'one', 'x', says="'one'")
        self.bad('snapshot', '-c', 'one', 's.raw')
        self.good('check', 'x')

    def test_resize_guesses_nothing(self):
        """A guest can have made a raw image look like any other."""
        self.good('create', '-q', '-f', 'qcow2', 'x', '1M')
        before = pathlib.Path('x').read_bytes()
        self.bad('resize', 'x', '2M', says='-f')
        self.assertEqual(pathlib.Path('x').read_bytes(), before)

    def test_snapshot_converted(self):
        self.raw()
        self.good('convert', '-O', 'qcow2', 's.raw', 'x')
        self.good('snapshot', '-c', 'one', 'x')
        self.good('resize', '-q', '-f', 'qcow2', 'x', '16M')
        self.good('bench', '-w', '-c', '100', '-q', '-f', 'qcow2', 'x')
        for name in ('one', '1', 'snapshot.name=one', 'snapshot.id=1'):
            self.good('convert', '-l', name, 'x', 'y.raw')
            self.assertEqual(self.contents('y.raw'), self.contents('s.raw'))
        self.bad('convert', '-l', 'none', 'x', 'y', says="'none'")
        self.bad('convert', '-l', 'snapshot.size=1', 'x', 'y', says='snapshot.size=1')
        self.bad('convert', '-l', 'one', 's.raw', 'y', says="'s.raw'")
        self.bad('convert', '-l', 'one', 'x', 'x', 'y', says='-l')
        self.assertFalse(os.path.exists('y'))

    def test_commit_empties(self):
        self.raw()
        self.good('create', '-q', '-f', 'qcow2', '-b', 's.raw', '-F', 'raw', 'x')
        self.good('bench', '-w', '-c', '100', '-q', '--pattern', '7', '-f', 'qcow2', 'x')
        self.good('convert', 'x', 'want.raw')
        self.good('commit', '-q', '-d', 'x')
        self.assertIn('"depth": 0', self.good('map', '--output=json', 'x'))
        self.good('commit', '-q', 'x')
        self.assertNotIn('"depth": 0', self.good('map', '--output=json', 'x'))
        self.assertEqual(self.contents('s.raw'), self.contents('want.raw'))
        self.assertEqual(self.good('compare', 'x', 'want.raw'), 'Images are identical.\n')
        self.good('check', 'x')

    def test_first_backing(self):
        """What was zero stays so, though something comes to stand behind the image."""
        self.raw()
        self.good('create', '-q', '-f', 'qcow2', 'x', '8M')
        self.good('convert', 'x', 'want.raw')
        self.good('rebase', '-b', 's.raw', '-F', 'raw', 'x')
        self.assertEqual(self.good('compare', 'x', 'want.raw'), 'Images are identical.\n')
        self.good('create', '-q', '-f', 'qcow2', '-o', 'compat=0.10', 'y', '8M')
        self.good('rebase', '-b', 's.raw', '-F', 'raw', 'y')
        self.assertEqual(self.good('compare', 'y', 'want.raw'), 'Images are identical.\n')

    def test_bitmaps(self):
        self.good('create', '-q', '-f', 'qcow2', 'x', '8M')
        self.good('bitmap', '--add', '-g', '64k', 'x', 'a')
        self.good('bitmap', '--add', '--disable', '-g', '1M', 'x', 'b')
        self.bad('bitmap', '--merge', 'none', 'x', 'b', says="'none'")
        self.bad('bitmap', '-b', 'x', '--add', 'x', 'c', says='--merge')
        self.good('bitmap', '--merge', 'a', 'x', 'b')
        self.good('convert', '-O', 'qcow2', '--bitmaps', 'x', 'y')
        self.good('check', 'y')
        told = json.loads(self.good('info', '--output=json', 'y'))
        self.assertEqual(told['format-specific']['data']['bitmaps'],
                         [{'flags': ['auto'], 'name': 'a', 'granularity': 65536},
                          {'flags': [], 'name': 'b', 'granularity': MIB}])
        self.good('bitmap', '--merge', 'a', '-b', 'x', '-F', 'qcow2', 'y', 'b')
        self.assertIn('bitmaps size: ', self.good('measure', '-O', 'qcow2', 'x'))
        # Whoever writes to it keeps 'a', also when it gets another size.
        self.good('bench', '-w', '-c', '1', '-q', '-f', 'qcow2', 'x')
        self.good('resize', '-q', '-f', 'qcow2', 'x', '16M')
        self.good('resize', '-q', '--shrink', '-f', 'qcow2', 'x', '8M')
        self.good('check', 'x')
        self.good('bitmap', '--merge', 'a', 'x', 'b')
        # It is not right any more if he is killed.
        subprocess.run([IO, '-f', 'qcow2', '-c', 'write 0 64k', '-c', 'sigraise 9', 'x'],
                       check=False, stdout=subprocess.DEVNULL)
        self.bad('bitmap', '--merge', 'a', 'x', 'b', says="'a'")
        self.bad('convert', '-O', 'qcow2', '--bitmaps', 'x', 'z', says='--skip-broken-bitmaps')
        self.assertFalse(os.path.exists('z'))
        result = run('convert', '-O', 'qcow2', '--bitmaps', '--skip-broken-bitmaps', 'x', 'z')
        self.assertEqual(result.returncode, 0)
        self.assertIn("'a'", result.stderr)
        self.bad('convert', '--bitmaps', 'x', 'z.raw', says='qcow2')

    def measured(self, *words):
        told = json.loads(self.good('measure', '--output=json', '-O', 'qcow2', *words))
        return told['required'], told['fully-allocated']

    def test_measure(self):
        self.raw()
        self.good('convert', '-O', 'qcow2', 's.raw', 'x')
        before = self.measured('x')
        self.good('snapshot', '-c', 'one', 'x')
        subprocess.run([IO, '-f', 'qcow2', '-c', 'write 3584k 384k', 'x'], check=True,
                       stdout=subprocess.DEVNULL)
        self.assertEqual(self.measured('x'), (before[0] + (384 << 10), before[1]))
        for name in ('one', '1', 'snapshot.name=one', 'snapshot.id=1'):
            self.assertEqual(self.measured('-l', name, 'x'), before)
        # Of that time, also if it had another size then.
        self.good('resize', '-q', '-f', 'qcow2', 'x', '64M')
        self.assertEqual(self.measured('-l', 'one', 'x'), before)
        self.bad('measure', '-l', 'two', 'x', says="'two'")
        self.bad('measure', '-l', 'one', '-f', 'raw', 's.raw', says='snapshots')
        self.bad('measure', '-l', 'snapshot.foo=1', 'x', says="param 'snapshot.foo=1'")
        # Nothing of what is behind can be counted on.
        self.assertEqual(self.measured('-o', 'backing_file=y', 'x')[0], self.measured('x')[1])
        self.assertEqual(self.measured('--size', '0'), (3 << 16, 3 << 16))
        self.bad('measure', '-O', 'qcow2', '--size', '7E', says='larger cluster size')
        self.bad('measure', '-O', 'qcow2', '-o', 'preallocation=x', '--size', '1M', says="'x'")
        self.bad('measure', '-O', 'vmdk', '--size', '1M', says='vmdk')
        self.bad('measure', '-O', 'none', '--size', '1M', says="'none'")
        self.bad('measure', '--size', '-1', says='Invalid image size')
        self.bad('measure', '--size', '1', 'x', says='--size N')
        self.bad('measure', 'x', 'y', says='one filename')
        self.bad('measure', '-f', 'raw', says='-f')
        self.bad('measure', '-o', ',', says='option list')
        # A LUKS image has its header in front.
        self.good('create', '-q', '--object', 'secret,id=s,data=abc', '-f', 'luks', '-o',
                  'key-secret=s,iter-time=10', 'l.luks', '1M')
        told = json.loads(self.good('measure', '--output=json', '-O', 'luks', '--size', '1M'))
        self.assertEqual(told['required'], os.stat('l.luks').st_size)

    def snapshot_list(self, name):
        """Where each entry of the list of snapshots is, and how much extra data it has."""
        data, places = self.contents(name), []
        at = int.from_bytes(data[64:72], 'big')
        for _ in range(int.from_bytes(data[60:64], 'big')):
            extra = int.from_bytes(data[at + 36:at + 40], 'big')
            names = int.from_bytes(data[at + 12:at + 14], 'big') + int.from_bytes(
                data[at + 14:at + 16], 'big')
            places.append((at, extra))
            at += (40 + extra + names + 7) // 8 * 8
        return places

    def with_snapshots(self, extras, version=3):
        """An image whose entries have so much extra data, as QEMU's old versions left them."""
        self.raw()
        self.good('convert', '-O', 'qcow2', '-o', 'compat=' + ('0.10' if version == 2 else '1.1'),
                  's.raw', 'x')
        for i in range(len(extras)):
            self.good('snapshot', '-c', f's{i}', 'x')
        image = bytearray(self.contents('x'))
        entries = []
        for i, (at, extra) in enumerate(self.snapshot_list('x')):
            more = (bytes(image[at + 40:at + 40 + extra]) + bytes([i + 1]) * 5000)[:extras[i]]
            entry = bytes(image[at:at + 36]) + len(more).to_bytes(4, 'big') + more
            names = int.from_bytes(entry[12:14], 'big') + int.from_bytes(entry[14:16], 'big')
            entry += bytes(image[at + 40 + extra:at + 40 + extra + names])
            entries.append(entry + bytes(-len(entry) % 8))
        at = self.snapshot_list('x')[0][0]
        image[at:at + 65536] = b''.join(entries).ljust(65536, b'\0')
        with open('x', 'wb') as file:
            file.write(image)

    def names(self):
        told = json.loads(self.good('info', '--output=json', 'x'))
        return [s['name'] for s in told.get('snapshots', [])]

    def test_short_entries(self):
        self.with_snapshots([0, 50, 8])
        self.assertEqual(self.names(), ['s0', 's1', 's2'])
        result = run('check', 'x')
        self.assertEqual(result.returncode, 2)
        self.assertIn('ERROR snapshot table entry 0 is incomplete\n', result.stderr)
        self.assertIn('ERROR snapshot table entry 2 is incomplete\n', result.stderr)
        result = run('check', '-r', 'all', 'x')
        self.assertEqual(result.returncode, 0)
        self.assertEqual(result.stderr, 'Repairing snapshot table entry 0 is incomplete\n'
                                        'Repairing snapshot table entry 2 is incomplete\n')
        self.assertIn('    0 leaked clusters\n    2 corruptions\n', result.stdout)
        self.good('check', 'x')
        self.assertEqual([extra for _, extra in self.snapshot_list('x')], [24, 50, 24])
        self.assertEqual(self.names(), ['s0', 's1', 's2'])
        for name in self.names():
            self.good('convert', '-l', name, '-O', 'raw', 'x', 'y')
            self.assertEqual(self.contents('y'), self.contents('s.raw'))

    def test_short_entries_of_version_2(self):
        self.with_snapshots([0, 50, 8], version=2)
        self.good('check', 'x')
        self.good('amend', '-o', 'compat=1.1', 'x')
        self.good('check', 'x')
        self.assertEqual([extra for _, extra in self.snapshot_list('x')], [24, 50, 24])

    def test_long_entries(self):
        self.with_snapshots([24, 1025, 24])
        self.bad('info', 'x', says='entry 1; you can force-remove')
        before = self.contents('x')
        result = run('check', '-r', 'leaks', 'x')
        self.assertEqual((result.returncode, self.contents('x')), (2, before))
        result = run('check', '-r', 'all', 'x')
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(result.stderr, 'Discarding too much extra metadata in snapshot table '
                                        'entry 1 (1025 > 1024)\n')
        self.good('check', 'x')
        self.assertEqual(self.names(), ['s0', 's1', 's2'])
        self.assertEqual([extra for _, extra in self.snapshot_list('x')], [24, 1024, 24])
        # Names that were lost with it are made anew.
        at = self.snapshot_list('x')[2][0]
        with open('x', 'r+b') as file:
            file.seek(at + 36)
            file.write((65536).to_bytes(4, 'big'))
        self.assertEqual(run('check', '-r', 'all', 'x').returncode, 0)
        self.good('check', 'x')
        self.assertEqual(self.names(), ['s0', 's1', 'snapshot-3'])

    def test_bad_entries(self):
        """Where nobody knows what a snapshot has nothing is taken for a leak."""
        for where, what in ((0, 1 << 20 | 512), (36, 1 << 63)):
            self.with_snapshots([24, 24])
            with open('x', 'r+b') as file:
                file.seek(self.snapshot_list('x')[0][0] + where)
                file.write(what.to_bytes(8, 'big') if where == 0 else b'\x7f\0\0\0')
            before = self.contents('x')
            for how in ('leaks', 'all'):
                result = run('check', '-r', how, 'x')
                self.assertEqual(result.returncode, 2)
                self.assertIn('ERROR snapshot 1: its entry in the list cannot be', result.stderr)
                self.assertEqual(self.contents('x'), before)

    def test_too_many_snapshots(self):
        self.good('create', '-q', '-f', 'qcow2', '-o', 'compat=0.10', 'x', '1M')
        with open('x', 'r+b') as file:
            file.truncate((1 << 20) + 40 * 65538)
            file.seek(60)
            file.write((65538).to_bytes(4, 'big') + (1 << 20).to_bytes(8, 'big'))
        self.bad('info', 'x', says='overhanging 2 with')
        self.bad('check', 'x', says='overhanging 2 with')
        self.bad('check', '-r', 'leaks', 'x', says='overhanging 2 with')
        result = run('check', '-r', 'all', 'x')
        self.assertEqual(result.returncode, 0)
        self.assertIn('Discarding 2 overhanging snapshots\n', result.stderr)
        self.good('check', 'x')
        self.assertEqual(len(self.names()), 65536)

    def test_bench(self):
        """Each request is done once, wherever it begins and however many there are at a time."""
        for form in ('raw', 'qcow2'):
            self.good('create', '-q', '-f', form, 'x', '8M')
            for depth, more in ((1, []), (7, ['--flush-interval', '10']), (64, ['-i', 'threads']),
                                (300, ['--flush-interval', '16', '--no-drain'])):
                words = ['bench', '-f', form, '-d', str(depth)]
                out = self.good(*words, '-w', '-c', '200', '-s', '8k', '-S', '12k', '-o', '1M',
                                '--pattern', str(depth % 251), *more, 'x')
                self.assertIn(f'200 write requests, 8192 bytes each, {depth} in parallel', out)
                self.assertRegex(out, r'Run completed in \d+\.\d{3} seconds\.\n\Z')
                self.good('convert', '-O', 'raw', 'x', 'y')
                piece = bytes([depth % 251]) * 8192 + bytes(4096)
                self.assertEqual(self.contents('y')[MIB:MIB + 200 * 12288], piece * 200)
                self.good(*words, '-q', '-c', '1000', '-s', '1000', '-S', '777', '-o', '5', 'x')
            if form == 'qcow2':
                self.good('check', 'x')
        self.bad('bench', '-d', '0', 'x', says='depth')
        self.bad('bench', '-s', '64M', 'x', says='fit')
        self.bad('bench', '-i', 'none', 'x', says="'none'")
        self.bad('bench', '--flush-interval', '3', 'x', says='write tests')
        self.bad('bench', '-w', '-s', '100', '-f', 'qcow2', 'x', says='multiple of 512')
        self.good('create', '-q', '-f', 'raw', 'z', '128M')
        self.bad('bench', '-s', '32M', 'z', says='memory')

    def test_bench_error(self):
        """What fails is told, and what is under way ends before."""
        self.good('create', '-q', '-f', 'qcow2', 'x', '1M')
        self.good('bench', '-q', '-w', '-c', '16', '-s', '64k', '-f', 'qcow2', 'x')
        with open('x', 'r+b') as file:
            file.truncate(0x60000)
            file.seek(0x28)
            file.seek(int.from_bytes(file.read(8), 'big'))
            file.write((0x8000000000000000 | 0x1200).to_bytes(8, 'big'))
        result = run('bench', '-q', '-c', '1000', '-f', 'qcow2', 'x')
        self.assertEqual(result.returncode, 1)
        self.assertIn('Failed request: Input/output error', result.stderr)

    def test_amend_width(self):
        self.raw()
        self.good('convert', '-O', 'qcow2', 's.raw', 'x')
        for bits in (1, 64, 8):
            self.good('amend', '-o', f'refcount_bits={bits}', 'x')
            self.assertIn(f'refcount bits: {bits}\n', self.good('info', 'x'))
            self.good('check', 'x')
            self.assertEqual(self.good('compare', 'x', 's.raw'), 'Images are identical.\n')
        self.bad('amend', '-o', 'refcount_bits=7', 'x', says='power of two')
        self.bad('amend', '-o', 'refcount_bits=none', 'x', says='power of two')
        self.bad('amend', '-o', 'compat=0.10', 'x', says='refcount_bits=16')
        self.good('amend', '-o', 'compat=0.10,refcount_bits=16', 'x')
        self.bad('amend', '-o', 'refcount_bits=8', 'x', says='compat=1.1')
        self.good('amend', '-o', 'compat=1.1,lazy_refcounts=on,refcount_bits=2', 'x')
        self.good('snapshot', '-c', 'one', 'x')
        self.bad('amend', '-o', 'refcount_bits=1', 'x', says='has a refcount of 2')
        self.assertIn('refcount bits: 2\n', self.good('info', 'x'))
        self.good('check', 'x')

    def test_too_narrow(self):
        """What counts cannot say is not repaired before they are wider."""
        self.good('create', '-q', '-f', 'qcow2', '-o', 'refcount_bits=1', 'x', '1M')
        subprocess.run([IO, '-f', 'qcow2', '-c', 'write 0 64k', 'x'], check=True,
                       stdout=subprocess.DEVNULL)
        with open('x', 'r+b') as file:
            file.seek(0x28)
            file.seek(int.from_bytes(file.read(8), 'big'))
            table = int.from_bytes(file.read(8), 'big') & ((1 << 56) - 512)
            file.seek(table)
            entry = file.read(8)
            file.seek(table + 8)
            file.write(entry)
        for words in ([], ['-r', 'all']):
            result = run('check', *words, 'x')
            self.assertEqual(result.returncode, 2, result.stderr)
            self.assertIn('amend -o refcount_bits=', result.stderr)
        self.good('amend', '-o', 'refcount_bits=2', 'x')
        self.assertEqual(run('check', '-r', 'all', 'x').returncode, 0)
        self.good('check', 'x')

    def test_large_bitmaps(self):
        """What is too large for memory is refused, or void and told; never wrong."""
        self.good('create', '-q', '-f', 'qcow2', 'x', '1M')
        self.good('bitmap', '--add', '-g', '512', 'x', 'a')
        self.bad('resize', '-q', '-f', 'qcow2', 'x', '2T', says="bitmap 'a'")
        self.assertIn('(1048576 bytes)', self.good('info', 'x'))
        self.good('create', '-q', '-f', 'qcow2', 'y', '2T')
        self.good('bitmap', '--add', '-g', '512', 'y', 'a')
        result = run('bench', '-w', '-c', '1', '-q', '-f', 'qcow2', 'y')
        self.assertEqual(result.returncode, 0)
        self.assertIn('too large', result.stderr)
        told = json.loads(self.good('info', '--output=json', 'y'))['format-specific']['data']
        self.assertIn('in-use', told['bitmaps'][0]['flags'])
        self.good('check', 'y')

    def test_length(self):
        """A new image ends with its L1 table, as QEMU's do."""
        self.good('create', '-q', '-f', 'qcow2', 'x', '64M')
        self.assertEqual(os.path.getsize('x'), 3 * 65536 + 8)
        self.good('check', 'x')

    def test_data_files(self):
        self.good('create', '-q', '-f', 'qcow2', '-o', 'data_file=d', 'x', '1M')
        self.good('resize', '-q', '-f', 'qcow2', 'x', '2M')
        self.assertEqual(os.stat('d').st_size, 2 * MIB)
        self.good('snapshot', '-l', 'x')
        self.bad('snapshot', '-c', 'one', 'x', says='data file')
        self.good('check', 'x')

    def test_resize_preallocated(self):
        for how in ('metadata', 'falloc', 'full'):
            self.good('create', '-q', '-f', 'qcow2', 'x', '1M')
            self.good('resize', '-q', '-f', 'qcow2', '--preallocation', how, 'x', '3M')
            self.assertRegex(self.good('check', 'x'), r'32/48')
        self.raw('base', 31 << 10)
        for how in ('metadata', 'falloc', 'full'):
            self.good('create', '-q', '-f', 'qcow2', '-b', 'base', '-F', 'raw', 'z')
            self.good('resize', '-q', '-f', 'qcow2', '--preallocation', how, 'z', '3M')
            self.good('convert', 'z', 'z.raw')
            self.assertEqual(self.contents('z.raw'),
                             self.contents('base').ljust(3 * MIB, b'\0'))
            self.good('check', 'z')
        self.bad('resize', '-f', 'qcow2', '--preallocation', 'none', 'x', '4M', says="'none'")
        self.good('create', '-q', 'y', '1M')
        self.bad('resize', '-f', 'raw', '--preallocation', 'metadata', 'y', '4M', says='raw')

    def test_named_by_options(self):
        self.raw()
        self.good('convert', '-O', 'qcow2', '--image-opts', 'driver=raw,file.filename=s.raw', 'x')
        words = 'driver=qcow2,file.driver=file,file.filename=x'
        for command in ('info', 'check', 'map', 'snapshot'):
            self.good(command, '--image-opts', words)
        self.good('resize', '-q', '--image-opts', words, '16M')
        self.good('compare', '--image-opts', words, 'driver=raw,file.filename=s.raw')


class Doctor(Case):
    def broken(self):
        """Bytes of an image with a leak, and with a cluster in use that counts as free."""
        self.raw()
        self.good('convert', '-O', 'qcow2', 's.raw', 'x')
        self.assertIn('Nothing is wrong', self.good('doctor', 'x'))
        data = bytearray(self.contents('x'))
        clusters = len(data) >> 16
        table = int.from_bytes(data[48:56], 'big')
        block = int.from_bytes(data[table:table + 8], 'big')
        data[block + 2 * (clusters - 1):block + 2 * clusters] = bytes(2)
        data[block + 2 * (clusters + 5):block + 2 * (clusters + 6)] = b'\0\1'
        data += bytes(6 << 16)
        with open('x', 'wb') as file:
            file.write(data)
        return bytes(data)

    def test_repair_and_undo(self):
        before = self.broken()
        result = run('doctor', 'x')
        self.assertEqual(result.returncode, 2)
        self.assertIn('socle-img doctor --repair x', result.stdout)
        self.assertEqual(self.contents('x'), before)
        self.good('doctor', '--repair', '--journal', 'j', 'x')
        self.assertIn('No errors', self.good('check', 'x'))
        self.assertEqual(self.good('compare', 's.raw', 'x'), 'Images are identical.\n')
        self.good('doctor', '--undo', '--journal', 'j', 'x')
        self.assertEqual(self.contents('x'), before)

    def test_journal(self):
        before = self.broken()
        with open('x.journal', 'wb') as file:
            file.write(b'mine')
        self.assertEqual(run('doctor', '--repair', 'x').returncode, 1)
        self.assertEqual(self.contents('x.journal'), b'mine')
        self.assertEqual(self.contents('x'), before)
        self.bad('doctor', '--undo', 'x', says='journal')
        os.unlink('x.journal')
        self.good('doctor', '--repair', 'x')
        # What was being written when all ended is for no change.
        with open('x.journal', 'ab') as file:
            file.write(bytes(range(100)))
        self.good('doctor', '--undo', 'x')
        self.assertEqual(self.contents('x'), before)

    def test_others(self):
        self.raw()
        self.good('doctor', '-f', 'raw', 's.raw')
        self.good('create', '-q', '-u', '-f', 'qcow2', '-b', 'none', '-F', 'raw', 'x', '1M')
        self.assertIn('is not there', self.good('doctor', 'x'))
        self.good('create', '-q', '-f', 'qcow2', 'y', '1M')
        self.assertIn('nothing to be repaired', self.good('doctor', '--repair', 'y'))
        self.assertFalse(os.path.exists('y.journal'))


class Halves(Case):
    """A new image is complete, or it is not there."""

    def test_interrupted(self):
        self.raw()
        for sig in (signal.SIGINT, signal.SIGTERM):
            with open('x', 'wb') as file:
                file.write(b'what was there')
            with subprocess.Popen([IMG, 'convert', '-r', '64k', 's.raw', 'x'],
                                  stdout=subprocess.DEVNULL) as process:
                deadline = time.monotonic() + 20
                while not any(name.endswith('.part') for name in os.listdir('.')):
                    self.assertLess(time.monotonic(), deadline)
                    time.sleep(0.01)
                process.send_signal(sig)
                self.assertEqual(process.wait(20), -sig)
            self.assertEqual(sorted(os.listdir('.')), ['s.raw', 'x'])
            self.assertEqual(self.contents('x'), b'what was there')

    def test_interrupted_compressed(self):
        """A signal ends it, which a shell tells as 130."""
        self.raw()
        words = [IMG, 'convert', '-c', '-r', '64k', '-O', 'qcow2', 's.raw', 'x']
        with subprocess.Popen(words, stdout=subprocess.DEVNULL) as process:
            deadline = time.monotonic() + 20
            while not any(name.endswith('.part') for name in os.listdir('.')):
                self.assertLess(time.monotonic(), deadline)
                time.sleep(0.01)
            process.send_signal(signal.SIGINT)
            self.assertEqual(process.wait(20), -signal.SIGINT)
        self.assertEqual(os.listdir('.'), ['s.raw'])

    def test_no_space(self):
        self.raw()

        def limit():
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (MIB, MIB))

        for words in (['convert', '-S', '0', 's.raw', 'x'], ['convert', '-O', 'qcow2', 's.raw', 'x'],
                      ['create', '-f', 'raw', '-o', 'preallocation=full', '-q', 'x', '8M'],
                      ['convert', '-O', 'qcow2', '-o', 'data_file=d', 's.raw', 'x'],
                      ['dd', 'bs=1M', 'if=s.raw', 'of=x']):
            result = run(*words, preexec_fn=limit)
            self.assertEqual(result.returncode, 1, words)
            self.assertIn('File too large', result.stderr)
            self.assertEqual(os.listdir('.'), ['s.raw'])

    def test_behind_itself(self):
        self.raw()
        before = self.contents('s.raw')
        os.symlink('s.raw', 'link')
        os.link('s.raw', 'hard')
        for behind, front in (('s.raw', 's.raw'), ('link', 's.raw'), ('hard', './s.raw'),
                              ('s.raw', 'link')):
            self.bad('create', '-q', '-f', 'qcow2', '-b', behind, '-F', 'raw', front,
                     says='behind itself')
            self.bad('create', '-q', '-u', '-f', 'qcow2', '-b', behind, '-F', 'raw', front, '1M',
                     says='behind itself')
            self.assertEqual(self.contents('s.raw'), before)
        self.bad('convert', 's.raw', 's.raw')
        self.assertEqual(self.contents('s.raw'), before)

    def test_links_and_modes(self):
        self.raw()
        os.mkdir('folder')
        os.symlink('folder/real', 'link')
        self.good('create', '-q', 'link', '1M')
        self.assertTrue(os.path.islink('link'))
        self.assertEqual(os.stat('folder/real').st_size, MIB)
        os.chmod('folder/real', 0o640)
        if os.getuid() == 0:
            os.chown('folder/real', 1234, 4321)
        for words in (['create', '-q', 'link', '2M'], ['convert', 's.raw', 'link'],
                      ['dd', 'bs=1M', 'if=s.raw', 'of=link']):
            self.good(*words)
            state = os.stat('folder/real')
            self.assertEqual(state.st_mode & 0o777, 0o640)
            if os.getuid() == 0:
                self.assertEqual((state.st_uid, state.st_gid), (1234, 4321))
        self.assertEqual(os.listdir('folder'), ['real'])

    def test_data_file(self):
        self.raw()
        self.good('convert', '-O', 'qcow2', '-o', 'data_file=d', 's.raw', 'x')
        self.assertEqual(self.good('compare', 's.raw', 'x'), 'Images are identical.\n')

    def test_in_use(self):
        self.raw()
        self.raw('x')
        with open('x', 'r+b') as file:
            # As QEMU marks an image that it writes to.
            for byte in (100, 101, 103):
                fcntl.fcntl(file, 37, lock_of(byte))
            for byte in (201, 203):
                fcntl.fcntl(file, 37, lock_of(byte))
            self.bad('convert', 's.raw', 'x', says="'x'")
            self.bad('create', '-q', 'x', '1M', says="'x'")
            self.bad('info', 'x', says='in use')
            self.good('info', '-U', 'x')
        self.good('convert', 's.raw', 'x')


class Names(Case):
    """Images that are named by more than a file."""

    def setUp(self):
        super().setUp()
        with open('s.raw', 'wb') as file:
            file.write(bytes(65536) + b'x' * 100000)
            file.truncate(4 << 20)

    def test_json(self):
        self.good('convert', '-O', 'qcow2', 's.raw', 'x')
        name = "json:{'driver': 'qcow2', 'file': {'driver': 'file', 'filename': 'x'}}"
        self.assertEqual(self.good('info', name), self.good('info', 'x'))
        self.good('compare', name, 's.raw')

    def test_null(self):
        null = "json:{'driver': 'null-co', 'size': 1048576, 'read-zeroes': true}"
        self.good('convert', '-O', 'qcow2', null, 'x')
        self.good('create', '-q', 'zero', '1M')
        self.good('compare', 'x', 'zero')
        self.good('compare', null, 'zero')
        self.bad('info', "json:{'driver': 'null-co', 'size': 'many'}", says="'many'")

    def test_within(self):
        self.good('convert', '-O', 'qcow2', 's.raw', 'inner')
        self.good('convert', '-f', 'raw', '-O', 'qcow2', 'inner', 'outer')
        name = 'driver=qcow2,file.driver=qcow2,file.file.filename=outer'
        self.assertEqual(self.good('compare', '--image-opts', name, 'file.filename=s.raw'),
                         'Images are identical.\n')
        self.bad('info', '--image-opts', 'driver=raw,' + 'file.' * 9 + 'filename=x', says='no option')
        deep = ','.join('file.' * i + 'driver=qcow2' for i in range(1, 11))
        self.bad('info', '--image-opts', deep + ',' + 'file.' * 10 + 'filename=x', says='at most 8')

    def test_file(self):
        """file: says that what has a ':' is a file."""
        self.good('create', '-q', '-f', 'qcow2', 'file:a:b', '1M')
        self.assertTrue(os.path.exists('a:b'))
        self.assertIn('image: ./a:b\n', self.good('info', 'file:a:b'))

    def test_chain(self):
        self.good('convert', '-O', 'qcow2', 's.raw', 'base')
        self.good('create', '-q', '-f', 'qcow2', '-u', '-b', 'none', '-F', 'vmdk', 'top', '4M')
        self.bad('map', 'top', says='Could not open backing file: ')
        name = 'file.filename=top,backing.driver=qcow2,backing.file.filename=base'
        self.good('resize', '-q', '-f', 'qcow2', 'base', '4M')
        self.good('convert', '--image-opts', name, 'y')
        self.good('compare', 'y', 'base')

    def test_data_file(self):
        """Where the data is now, whatever the image says; it need not be a file."""
        self.good('create', '-q', '-f', 'qcow2', '-o', 'data_file=d', 'x', '4M')
        name = '--image-opts', 'driver=qcow2,file.filename=x,data-file.filename=moved'
        os.rename('d', 'moved')
        self.bad('convert', 'x', 'y', says="'d'")
        subprocess.run([IO, *name, '-c', 'write -P 7 64k 4k'], check=True, stdout=subprocess.DEVNULL)
        self.assertFalse(os.path.exists('d'))
        self.assertEqual(pathlib.Path('moved').read_bytes()[65536:69632], b'\7' * 4096)
        self.good('convert', *name, '-O', 'raw', 'y')
        self.assertEqual(pathlib.Path('y').read_bytes(),
                         bytes(65536) + b'\7' * 4096 + bytes(4 * MIB - 69632))
        self.good('resize', '-q', *name, '8M')
        self.assertEqual(os.path.getsize('moved'), 8 * MIB)
        self.good('create', '-q', '-f', 'qcow2', 'plain', '1M')
        self.bad('map', '--image-opts', 'driver=qcow2,file.filename=plain,data-file.filename=moved',
                 says='data-file can only be set')
        self.good('convert', '--image-opts',
                  'driver=qcow2,file.filename=x,data-file.driver=null-co,data-file.size=8M', 'z')

    def test_drivers(self):
        """Whoever names a driver of the host is held to it."""
        self.bad('info', '--image-opts', 'driver=file,filename=/dev/null', says='a regular file')
        self.bad('info', '--image-opts', 'driver=host_device,filename=s.raw',
                 says='either a character or block device')
        self.assertIn('virtual size: 0 B', self.good('info', '--image-opts',
                                                     'driver=host_device,filename=/dev/null'))
        self.bad('info', '/dev/null', says='neither a file nor a block device')

    def test_hints(self):
        self.good('create', '-q', '-f', 'raw', '-o', 'extent_size_hint=1M,nocow=on', 'x', '1M')
        self.bad('create', '-q', '-f', 'raw', '-o', 'nocow=maybe', 'y', '1M', says="'nocow'")
        self.bad('create', '-q', '-f', 'raw', '-o', 'extent_size_hint=much', 'y', '1M', says="'much'")

    def test_caches(self):
        self.good('create', '-q', '-f', 'qcow2', 'x', '1M')
        self.good('info', '--image-opts', 'driver=qcow2,file.filename=x,l2-cache-size=64k')
        for words in ('cache-size=1M,l2-cache-size=2M', 'cache-size=1M,refcount-cache-size=2M',
                      'cache-size=2M,refcount-cache-size=1M,l2-cache-size=1M',
                      'l2-cache-entry-size=256', 'l2-cache-entry-size=128k'):
            self.bad('info', '--image-opts', 'driver=qcow2,file.filename=x,' + words,
                     says='cache')


class Encrypted(Case):
    SECRETS = ['--object', 'secret,id=one,file=one', '--object', 'secret,id=two,data=the,,second']
    WORDS = 'encrypt.format=luks,encrypt.key-secret=one,encrypt.iter-time=1'

    def setUp(self):
        super().setUp()
        with open('one', 'wb') as file:
            file.write(b'\0not text\xff\n')
        self.raw()

    def named(self, path, secret='one', more=''):
        return f'driver=qcow2,file.filename={path},encrypt.key-secret={secret}{more}'

    def same(self, path, secret='one', other='s.raw'):
        self.assertEqual(self.good('compare', *self.SECRETS, '--image-opts',
                                   self.named(path, secret), f'file.filename={other}'),
                         'Images are identical.\n')

    def test_convert_and_check(self):
        self.good('convert', *self.SECRETS, '-O', 'qcow2', '-o', self.WORDS, 's.raw', 'x')
        self.same('x')
        self.good('check', 'x')
        self.good('check', '--image-opts', 'driver=qcow2,file.filename=x')
        self.assertIn('encrypted: yes', self.good('info', 'x'))
        self.assertNotIn(self.contents('s.raw')[4096:4608], self.contents('x'))
        self.good('dd', *self.SECRETS, '--image-opts', 'bs=1M', 'skip=1', 'count=2',
                  'if=' + self.named('x'), 'of=part')
        self.assertEqual(self.contents('part'), self.contents('s.raw')[MIB:3 * MIB])
        self.good('doctor', 'x')

    def test_preallocation(self):
        for how in ('metadata', 'falloc', 'full'):
            for compat in ('1.1', '0.10'):
                self.good('create', '-q', *self.SECRETS, '-f', 'qcow2', '-o', self.WORDS +
                          f',preallocation={how},compat={compat}', 'x', '3M')
                self.good('create', '-q', 'zero', '3M')
                self.same('x', other='zero')
                self.good('check', 'x')

    def test_chain(self):
        self.good('convert', *self.SECRETS, '-O', 'qcow2', '-o', self.WORDS, 's.raw', 'base')
        self.good('create', '-q', *self.SECRETS, '-f', 'qcow2', '-b', 'base', '-F', 'qcow2', '-o',
                  self.WORDS.replace('one', 'two'), 'top')
        both = self.named('top', 'two', ',backing.encrypt.key-secret=one')
        self.assertEqual(self.good('compare', *self.SECRETS, '--image-opts', both,
                                   'file.filename=s.raw'), 'Images are identical.\n')
        self.bad('convert', *self.SECRETS, '--image-opts', self.named('top', 'two'), 'y',
                 says="'base' is encrypted")
        self.bad('convert', *self.SECRETS, '--image-opts',
                 both + ',backing.backing.encrypt.key-secret=one', 'y', says='2 images')
        self.good('bench', '-q', '-w', '-c', '50', *self.SECRETS, '--image-opts', both)
        self.good('convert', *self.SECRETS, '--image-opts', both, 'flat.raw')
        self.good('commit', '-q', *self.SECRETS, '--image-opts', both)
        self.same('base', other='flat.raw')
        self.good('check', 'base')

    def test_slots(self):
        add = 'encrypt.state=active,encrypt.new-secret=two,encrypt.iter-time=1'
        self.good('convert', *self.SECRETS, '-O', 'qcow2', '-o', self.WORDS, 's.raw', 'x')
        self.bad('amend', *self.SECRETS, '-o', add, 'x', says='encrypt.old-secret')
        self.bad('amend', *self.SECRETS, '-o', add + ',encrypt.old-secret=two', 'x',
                 says='Invalid password')
        self.good('amend', *self.SECRETS, '-o', add + ',encrypt.old-secret=one', 'x')
        self.same('x', 'two')
        self.good('amend', *self.SECRETS, '-o', 'encrypt.state=inactive,encrypt.old-secret=one',
                  'x')
        self.bad('convert', *self.SECRETS, '--image-opts', self.named('x'), 'y',
                 says='Invalid password')
        self.same('x', 'two')
        self.bad('amend', '-o', 'encrypt.state=inactive,encrypt.keyslot=1', 'x',
                 says='only active keyslot 1')
        self.bad('amend', '-o', 'encrypt.state=inactive', 'x', says='encrypt.keyslot')
        self.bad('amend', '-o', 'encrypt.state=off', 'x', says='inactive')
        self.bad('amend', '-o', 'encrypt.state=inactive,encrypt.keyslot=8', 'x', says="'8'")
        self.same('x', 'two')
        self.good('amend', '--force', '-o', 'encrypt.state=inactive,encrypt.keyslot=1', 'x')
        self.bad('convert', *self.SECRETS, '--image-opts', self.named('x', 'two'), 'y',
                 says='Invalid password')

    def test_mistakes(self):
        self.good('convert', '-O', 'qcow2', 's.raw', 'plain')
        self.good('create', '-q', *self.SECRETS, '-f', 'qcow2', '-o', self.WORDS, 'x', '1M')
        self.bad('convert', 'x', 'y', says='--object secret,id=ID,file=FILE')
        # Who reads loses nothing; who writes would lose what is secret.
        self.good('convert', *self.SECRETS, '--image-opts', self.named('plain'), 'y')
        self.bad('resize', *self.SECRETS, '--image-opts', self.named('plain'), '5M',
                 says='not encrypted')
        os.unlink('y')
        self.bad('convert', '--image-opts', self.named('x'), 'y', says="No secret with id 'one'")
        self.bad('convert', *self.SECRETS, '--image-opts', self.named('x', more=',a=b'), 'y',
                 says="'a'")
        self.bad('map', '-f', 'qcow2', '--image-opts', 'file.filename=x', says='exclusive')
        self.bad('map', '--image-opts', 'driver=qcow2', says='file.filename')
        self.bad('map', '--object', 'iothread,id=a', 'x', says='secret')
        self.bad('map', '--object', 'secret,data=hush', 'x', says='id')
        self.bad('map', '--image-opts', 'x', says='words of --image-opts are NAME=VALUE')
        self.bad('map', '--object', 'secret,id=a,data=hush,now', 'x', says='written twice')
        self.bad('map', '--object', 'secret,id=a,data=hush,keyid=b', 'x', says="'keyid'")
        self.bad('map', '--object', 'secret,id=a,file=none', 'x', says="'none'")
        for words in ('encrypt.format=luks', 'encrypt.format=aes', 'encryption=maybe',
                      'encrypt.format=rot13,encrypt.key-secret=one', 'encrypt.key-secret=one',
                      self.WORDS + ',encrypt.cipher-alg=rot13', self.WORDS + ',encrypt.iter-time=0',
                      self.WORDS + ',encrypt.iter-time=1000000',
                      self.WORDS + ',encrypt.cipher-alg=aes-192,encrypt.cipher-mode=cbc',
                      self.WORDS + ',data_file=d,data_file_raw=on'):
            self.bad('create', '-q', *self.SECRETS, '-f', 'qcow2', '-o', words, 'y', '1M')
            self.assertFalse(os.path.exists('y'))
        self.bad('convert', '-c', *self.SECRETS, '-O', 'qcow2', '-o', self.WORDS, 's.raw', 'y',
                 says='do not go together')
        self.assertFalse(os.path.exists('y'))

    def test_old(self):
        """The old AES, for images that old programs are to read."""
        for words in ('encryption=on,encrypt.key-secret=one',
                      'encrypt.format=aes,encrypt.key-secret=one'):
            self.good('convert', *self.SECRETS, '-O', 'qcow2', '-o', words, 's.raw', 'x')
            self.same('x')
            self.assertIn('format: aes', self.good('info', 'x'))
            with open('x', 'rb') as file:
                self.assertNotIn(b'x' * 512, file.read())

    def test_luks(self):
        """A format of its own, in which nothing is zero by itself."""
        self.good('convert', *self.SECRETS, '-O', 'luks', '-o', 'key-secret=one,iter-time=1',
                  's.raw', 'x')
        name = 'driver=luks,file.filename=x,key-secret=one'
        self.assertEqual(self.good('compare', *self.SECRETS, '--image-opts', name,
                                   'file.filename=s.raw'), 'Images are identical.\n')
        text = self.good('info', 'x')
        self.assertIn('file format: luks\n', text)
        self.assertIn('encrypted: yes\n', text)
        self.assertIn('cipher alg: aes-256\n', text)
        specific = json.loads(self.good('info', '--output=json', 'x'))['format-specific']
        self.assertEqual(specific['type'], 'luks')
        self.assertTrue(specific['data']['slots'][0]['active'])
        self.bad('create', '-q', '-f', 'luks', 'y', '1M', says='key-secret')
        self.bad('create', '-q', '-f', 'luks', '-b', 'x', '-F', 'luks', '-u', *self.SECRETS, '-o',
                 'key-secret=one', 'y', '1M', says='backing file')
        self.assertFalse(os.path.exists('y'))

    def test_no_secret_is_told(self):
        """Neither what is wrong with a list nor what is wrong with an image shows it."""
        for words in ('secret,id=a,data=hush!hushhush,format=base64', 'secret,data=hushhush',
                      'secret,id=a,data=hushhush,file=one', 'secret,id=a,data=hushhush,more'):
            result = run('info', '--object', words, 's.raw')
            self.assertEqual(result.returncode, 1)
            self.assertNotIn('hushhush', result.stderr)


def lock_of(byte):
    """struct flock for a shared lock of one byte, for F_OFD_SETLK."""
    return (fcntl.F_RDLCK.to_bytes(2, sys.byteorder) + bytes(6) +
            byte.to_bytes(8, sys.byteorder) + (1).to_bytes(8, sys.byteorder) + bytes(8))


if __name__ == '__main__':
    unittest.main(verbosity=2)
