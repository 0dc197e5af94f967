#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The tests' own waiting: it ends, whatever the other side does."""
import os
import re
import subprocess
import unittest

import waiting


class Waiting(unittest.TestCase):
    def setUp(self):
        self.addCleanup(setattr, waiting, 'PATIENCE', waiting.PATIENCE)

    def says(self, *words):
        process = subprocess.Popen(words, stdout=subprocess.PIPE)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process.stdout.fileno()

    def test_words(self):
        fd = self.says('printf', 'one two')
        self.assertTrue(waiting.read_until(fd, b'one').startswith(b'one'))
        fd = self.says('printf', 'three')
        self.assertEqual(waiting.read_until(fd, re.compile(rb'two +three'), b'one two '), b'one two three')

    def test_the_end(self):
        with self.assertRaisesRegex(AssertionError, "the end came before b'two', behind b'one'"):
            waiting.read_until(self.says('printf', 'one'), b'two')

    def test_silence(self):
        waiting.PATIENCE = 0.2
        fd, other = os.pipe()
        self.addCleanup(os.close, fd)
        self.addCleanup(os.close, other)
        with self.assertRaisesRegex(AssertionError, 'is not in 0 bytes'):
            waiting.read_until(fd, b'x')
        with self.assertRaisesRegex(AssertionError, 'the moon: not within 0.2 seconds'):
            waiting.wait_for(lambda: False, 'the moon')

    def test_hold(self):
        """Who is held says nothing, however much there was to be said."""
        process = subprocess.Popen(['sh', '-c', 'while :; do echo; done'], stdout=subprocess.PIPE)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        waiting.read_until(process.stdout.fileno(), b'\n')
        waiting.hold(process.pid)
        os.set_blocking(process.stdout.fileno(), False)
        while process.stdout.read(65536):
            pass
        self.assertIsNone(process.stdout.read(1))

    def test_flood(self):
        """Who never stops talking is given up as one who never begins, and not told in full."""
        waiting.PATIENCE = 0.5
        with self.assertRaisesRegex(AssertionError, "b'x' is not in [0-9]+ bytes") as caught:
            waiting.read_until(self.says('yes'), b'x')
        self.assertLess(len(str(caught.exception)), 20000)


if __name__ == '__main__':
    unittest.main(verbosity=2)
