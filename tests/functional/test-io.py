#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""socle-io: what its commands do to images, and what they print."""
import os
import re
import shutil
import subprocess
import tempfile
import unittest

IMG, IO = os.environ['SOCLE_IMG'], os.environ['SOCLE_IO']
SPEED = re.compile(r', 1 ops; .*\n')


class Case(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix='test-io-')
        self.addCleanup(shutil.rmtree, self.dir)
        self.addCleanup(os.chdir, os.getcwd())
        os.chdir(self.dir)
        self.img('create', '-q', '-f', 'qcow2', 'x', '8M')

    def img(self, *words):
        result = subprocess.run([IMG, *words], capture_output=True, text=True, check=False)
        self.assertEqual((result.returncode, result.stderr), (0, ''), words)
        return result.stdout

    def io(self, *lines, words=('-f', 'qcow2', 'x'), status=0, says=''):
        """What is printed, without times; @says: what is said on stderr."""
        commands = [word for line in lines for word in ('-c', line)]
        result = subprocess.run([IO, *commands, *words], capture_output=True, text=True,
                                check=False, timeout=60)
        self.assertEqual(result.returncode, status, result.stderr)
        self.assertEqual(bool(result.stderr), bool(says), result.stderr)
        self.assertIn(says, result.stderr)
        return SPEED.sub('\n', result.stdout)


class Commands(Case):
    def test_read_and_write(self):
        self.assertEqual(self.io('write -P 0x11 0 64k', 'read -P 17 0 64k'),
                         'wrote 65536/65536 bytes at offset 0\n64 KiB\n'
                         'read 65536/65536 bytes at offset 0\n64 KiB\n')
        self.assertIn('Pattern verification failed at offset 0, 65536 bytes\n',
                      self.io('read -P 18 0 64k', status=1))
        self.io('write -q -P 5 100 7', 'read -q -P 5 100 7', 'read -q -P 0x11 107 1000',
                'read -q -P 0x11 0 100', 'read -q -P 5 -s 100 -l 7 0 1k', 'write -z 90 20',
                'read -q -P 0 90 20', 'read -q -P 0x11 110 100')
        self.assertEqual(self.io('read -v 88 4'),
                         '00000058:  11 11 00 00  ....\nread 4/4 bytes at offset 88\n4 bytes\n')
        self.assertIn('read failed: Input/output error\n', self.io('read 8M 1', status=1))
        self.assertEqual(self.img('check', 'x').split('\n', maxsplit=1)[0],
                         'No errors were found on the image.')

    def test_kinds(self):
        self.io('write -q -c -P 3 64k 64k', 'writev -q -P 4 128k 1k 3k', 'aio_write -q 192k 4k',
                'aio_flush', 'readv -q -P 4 128k 2k 2k', 'aio_read -q -P 0xcd 192k 4k',
                'discard -q 192k 64k', 'read -q -P 0 192k 64k', 'write -b -q -P 9 1M 4k',
                'read -b -q -P 9 1M 4k', 'write -qzu 64k 64k', 'read -q -P 0 64k 64k', 'flush')
        with open('f', 'wb') as file:
            file.write(b'abc')
        self.assertIn('61 62 63 61', self.io('write -q -s f 1M 8', 'read -v 1M 4'))
        self.io('write -q -s none 0 8', status=1, says="'none'")
        self.io('aio_read -P 1 0 512', 'aio_read -i 0 512')
        self.img('check', 'x')

    def test_state_of_a_machine(self):
        self.img('snapshot', '-c', 'one', 'x')
        self.io('write -q -b -P 7 1T 4k', 'read -q -b -P 7 1T 4k', 'write -q -P 1 0 8M')
        self.img('check', 'x')
        self.img('resize', '-q', '-f', 'qcow2', 'x', '16M')
        self.io('read -q -P 0 8M 8M', 'read -q -P 1 0 8M')
        self.img('check', 'x')
        self.img('create', '-q', 'y.raw', '1M')
        self.assertIn("format 'raw'", self.io('write -b 0 4k', words=('-f', 'raw', 'y.raw'),
                                              status=1))

    def test_where(self):
        self.io('write -q 64k 64k')
        self.assertEqual(self.io('map', 'alloc 0 128k', 'length'),
                         '64 KiB (0x10000) bytes not allocated at offset 0 bytes (0x0)\n'
                         '64 KiB (0x10000) bytes     allocated at offset 64 KiB (0x10000)\n'
                         '7.875 MiB (0x7e0000) bytes not allocated at offset 128 KiB (0x20000)\n'
                         '65536/131072 bytes allocated at offset 0 bytes\n8 MiB\n')
        self.assertIn('cluster size: 64 KiB\nvm state offset: 512 MiB\n', self.io('info'))
        self.assertEqual(self.io('truncate 16M', 'length'), '16 MiB\n')

    def test_mistakes(self):
        for line in ('read 0', 'read 0 1x', 'read 0 8E', 'read -P 256 0 1', 'read -s 0 0 1',
                     'read -x 0 1', 'write -bz 0 1k', 'write -n 0 1k', 'write -u 0 1k',
                     'write -z -P 1 0 1k', 'write -b 1 512', 'write -c 1 512', 'read 0 2G',
                     'aio_write -z 0 1k 1k', 'sleep x', 'sigraise 99'):
            result = subprocess.run([IO, '-c', line, '-f', 'qcow2', 'x'], capture_output=True,
                                    text=True, check=False)
            self.assertEqual(result.returncode, 1, line)
            self.assertEqual(len((result.stdout + result.stderr).splitlines()), 1, line)
        self.io('none', status=1, says='"none" not found')
        self.io('read 0 1', words=(), status=1, says='no file open')
        self.io('open x', status=1, says='open already')
        self.io('write 0 1', words=('-r', 'x'), status=1, says='read-only')
        self.io(words=('x',), status=1, says='not guessed')
        self.io(words=('-f', 'qcow2', 'none'), status=1, says="'none'")

    def test_open_and_close(self):
        self.io('open -o driver=qcow2 x', 'write -q 0 64k', 'close', 'open -r x',
                'read -q -P 0xcd 0 64k', 'reopen -c none', words=('-f', 'qcow2'))
        self.io('reopen -r', 'write 0 1', status=1, says='read-only')
        self.io('reopen -o driver=raw', status=1, says="'driver'")
        self.io('read -q 0 1', words=('--image-opts', 'driver=qcow2,file.filename=x'))
        self.io('write -q -P 1 0 64k', 'read -q -P 1 0 64k', words=('-s', '-f', 'qcow2', 'x'))
        self.io('read -q -P 0xcd 0 64k')

    def test_copy_on_read(self):
        self.io('write -q -P 6 64k 4k')
        self.img('create', '-q', '-f', 'qcow2', '-b', 'x', '-F', 'qcow2', 'y')
        self.io('read -q -P 6 64k 4k', words=('-C', '-f', 'qcow2', 'y'))
        self.assertIn('65536/65536', self.io('alloc 64k 64k', words=('-f', 'qcow2', 'y')))
        self.img('check', 'y')

    def test_lines_of_stdin(self):
        result = subprocess.run([IO, '-f', 'qcow2', 'x'], input='length\n\nquit\nlength\n',
                                capture_output=True, text=True, check=False)
        self.assertEqual((result.returncode, result.stdout),
                         (0, 'socle-io> 8 MiB\nsocle-io> socle-io> '))
        for words in (['--help'], ['--help-man'], ['--version']):
            self.assertIn('socle-io' if words != ['--help-man'] else 'COMMANDS',
                          self.io(words=words))
        self.assertIn('write', self.io('help', words=()))

    def test_killed(self):
        result = subprocess.run([IO, '-c', 'length', '-c', 'sigraise 9', '-f', 'qcow2', 'x'],
                                capture_output=True, text=True, check=False)
        self.assertEqual((result.returncode, result.stdout), (-9, '8 MiB\n'))


if __name__ == '__main__':
    unittest.main(verbosity=2)
