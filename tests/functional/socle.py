# SPDX-License-Identifier: GPL-2.0-or-later
"""What the tests of socle share: a libvirtd of Debian's (its driver for tests, and QEMU) or a socled, both those of a
session with folders of their own; the program, also on a terminal; which commands were there.

Environment: SOCLE the program, SOCLE_GUESTS the folder with keys.elf; SOCLED and SOCLE_VM our daemon and its machines,
if they are built.
"""
import fcntl
import json
import os
import pathlib
import pty
import re
import select
import shutil
import struct
import subprocess
import sys
import tempfile
import termios
import time
import unittest

import waiting
from waiting import read_until, wait_for

SOCLE = os.environ['SOCLE']
KEYS = os.path.join(os.environ['SOCLE_GUESTS'], 'keys.elf')
LIBVIRTD = shutil.which('libvirtd', path=os.environ.get('PATH', '') + ':/usr/sbin')
NOBODY = 65534
UUID = r'[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}'

used = set()  # of 'noun verb'


class Daemon:
    """libvirtd without privileges."""

    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix='socle-')
        self.process = None
        words = [LIBVIRTD]
        env = dict(os.environ, HOME=self.dir, XDG_RUNTIME_DIR=self.dir, XDG_CONFIG_HOME=self.dir,
                   XDG_CACHE_HOME=self.dir)
        if os.getuid() == 0:
            os.chown(self.dir, NOBODY, NOBODY)
            words = ['setpriv', f'--reuid={NOBODY}', f'--regid={NOBODY}', '--clear-groups', *words]
        self.words, self.env = words, env
        self.socket = f'{self.dir}/libvirt/libvirt-sock'
        self.test = f'test+unix:///default?socket={self.socket}'
        self.qemu = f'qemu+unix:///session?socket={self.socket}'
        self.start()

    def start(self):
        with open(f'{self.dir}/log', 'ab') as log:
            self.process = subprocess.Popen(self.words, env=self.env, stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log, start_new_session=True)
        wait_for(lambda: run('-c', self.test, 'list').returncode == 0, 'libvirtd')

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def close(self):
        self.stop()
        shutil.rmtree(self.dir, ignore_errors=True)

    def place(self, name, data):
        path = os.path.join(self.dir, name)
        with open(path, 'wb') as file:
            file.write(data)
        if os.getuid() == 0:
            os.chown(path, NOBODY, NOBODY)
        return path


class OwnDaemon(Daemon):
    """socled."""

    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix='socle-')
        self.process = None
        self.socket = f'{self.dir}/sock'
        self.words = [os.environ['SOCLED'], '--session', '--listen', self.socket, '--vm',
                      os.environ['SOCLE_VM'], *(f'--{x}={self.dir}/{x}' for x in
                                                ('state', 'run', 'log-dir'))]
        self.env = os.environ
        self.test = self.qemu = f'qemu:///session?socket={self.socket}'
        self.start()

    def place(self, name, data):
        path = os.path.join(self.dir, name)
        pathlib.Path(path).write_bytes(data)
        return path


def run(*words, env=None, program=SOCLE, **more):
    more.setdefault('stdin', subprocess.DEVNULL)
    more.setdefault('text', True)
    return subprocess.run([program, *words], capture_output=True, check=False, timeout=2 * waiting.PATIENCE,
                          env={**os.environ, **(env or {})}, **more)


class Terminal:
    """A program on a terminal of its own."""

    def __init__(self, *words, program=SOCLE, env=None, size=(24, 80)):
        self.master, self.slave = pty.openpty()
        self.resize(*size)
        self.before = termios.tcgetattr(self.slave)
        self.data = b''
        self.process = subprocess.Popen(
            [program, *words], stdin=self.slave, stdout=self.slave, stderr=self.slave,
            start_new_session=True, env={**os.environ, 'TERM': 'xterm', **(env or {})},
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))

    def resize(self, rows, columns):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack('HHHH', rows, columns, 0, 0))

    def keys(self, data):
        os.write(self.master, data)

    def expect(self, text):
        """Wait for what matches, and forget what came up to its end."""
        self.data = read_until(self.master, re.compile(text), self.data)
        end = re.search(text, self.data).end()
        before, self.data = self.data[:end], self.data[end:]
        return before

    def end(self):
        """Read what is left, or it would wait for us; its exit status."""
        end = time.monotonic() + waiting.PATIENCE
        while self.process.poll() is None and time.monotonic() < end:
            if select.select([self.master], [], [], 0.05)[0]:
                self.data += os.read(self.master, 65536)
        status = self.process.wait(1)
        # What it said last.
        while select.select([self.master], [], [], 0)[0]:
            self.data += os.read(self.master, 65536)
        return status

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self.master)
        os.close(self.slave)


class Case(unittest.TestCase):
    URI = 'test'
    DAEMON = Daemon

    @classmethod
    def setUpClass(cls):
        cls.daemon = cls.DAEMON()
        cls.addClassCleanup(cls.daemon.close)
        cls.uri = getattr(cls.daemon, cls.URI)

    def run_socle(self, *words, **more):
        if len(words) > 1:
            used.add(f'{words[0]} {words[1]}')
        used.add(words[0])
        return run('-c', self.uri, *words, **more)

    def good(self, *words, **more):
        result = self.run_socle(*words, **more)
        self.assertEqual((result.returncode, result.stderr), (0, ''), words)
        return result.stdout

    def bad(self, *words, status=1, says='', **more):
        result = self.run_socle(*words, **more)
        # libvirt calls a wrong state an internal error, or a failure, at times.
        self.assertIn(result.returncode, (1, 6) if status == 6 else (status,),
                      (words, result.stdout, result.stderr))
        self.assertRegex(result.stderr, r'\Asocle: [^\n]+\n\Z')
        self.assertIn(says, result.stderr)
        return result

    def json(self, *words, **more):
        return json.loads(self.good(*words, '--output=json', **more))

    def shape(self, value, wanted):
        """A list of such, an object with these members and no other, a type, a pattern."""
        if isinstance(wanted, list):
            self.assertIsInstance(value, list)
            for item in value:
                self.shape(item, wanted[0])
        elif isinstance(wanted, dict):
            self.assertEqual(list(value), list(wanted))
            for name, kind in wanted.items():
                self.shape(value[name], kind)
        elif isinstance(wanted, str):
            self.assertRegex(value, rf'\A{wanted}\Z')
        else:
            self.assertIsInstance(value, wanted)

    def terminal(self, *words, **more):
        terminal = Terminal('-c', self.uri, *words, **more)
        self.addCleanup(terminal.close)
        used.update((words[0], ' '.join(words[:2])))
        return terminal

    def watch(self, noun, count, poke):
        """The first events that 'socle NOUN events' tells of; it listens when one has come of what poke() does."""
        with subprocess.Popen([SOCLE, '-c', self.uri, noun, 'events', '-o', 'json', '-n', str(count), '--for', '60'],
                              stdout=subprocess.PIPE, text=True) as watcher:
            used.add(f'{noun} events')
            wait_for(lambda: (poke(), watcher.poll() is not None)[1], f'events of {noun}')
            return [json.loads(line) for line in watcher.stdout]

    def restored(self, terminal):
        self.assertEqual(termios.tcgetattr(terminal.slave), terminal.before)


class Driver(Case):
    """Machines of the driver for tests live as long as somebody is connected."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        # Without a buffer, whose lines select() would not see.
        cls.keeper = subprocess.Popen([SOCLE, '-c', cls.uri, 'events', '-o', 'json'], bufsize=0,
                                      stdout=subprocess.PIPE)
        cls.addClassCleanup(cls.end_keeper)
        # It is there when its first event comes.
        wait_for(cls.keeper_listens, 'events')

    @classmethod
    def keeper_listens(cls):
        for verb in ('suspend', 'resume'):
            run('-c', cls.uri, 'vm', verb, 'test')
        return select.select([cls.keeper.stdout], [], [], 0.2)[0]

    @classmethod
    def end_keeper(cls):
        cls.keeper.terminate()
        cls.keeper.wait()
        cls.keeper.stdout.close()

    def setUp(self):
        run('-c', self.uri, 'start', 'test')
        run('-c', self.uri, 'resume', 'test')

    def define(self, name, more=''):
        self.good('vm', 'create', '-', input=f'<domain type="test"><name>{name}</name>'
                  f'<memory>65536</memory><os><type>hvm</type></os>{more}</domain>',
                  stdin=None)
        self.addCleanup(run, '-c', self.uri, 'undefine', name)
        self.addCleanup(run, '-c', self.uri, 'destroy', name)

    def state(self, name):
        return self.good('vm', 'state', name).strip()


def missing(nouns, words, elsewhere):
    """Commands of these nouns, and words, that no test has used here or is known to use elsewhere."""
    commands = re.findall(r'(?m)^  (\w+) (\S+)', run('--help').stdout)
    wanted = {f'{noun} {verb}' for noun, verb in commands if noun in nouns} | set(words)
    return wanted - used - set(elsewhere)


def main(theirs=(), own=(), nouns=(), words=(), elsewhere=()):
    """Run the classes for libvirt's daemons and those for ours, as far as these are here. If all ran, each command of
    the nouns was there, and each of the words, but those that other files use."""
    there = LIBVIRTD and shutil.which('qemu-system-x86_64')
    names = [*(theirs if there else ()), *(own if 'SOCLED' in os.environ else ())]
    if not names:
        print('skipped: there is no libvirtd, or no QEMU')
        sys.exit(77)
    if not unittest.main(verbosity=2, defaultTest=names, exit=False).result.wasSuccessful():
        sys.exit(1)
    if there and len(sys.argv) == 1 and (left := missing(nouns, words, elsewhere)):
        sys.exit(f'no test has used: {", ".join(sorted(left))}')
