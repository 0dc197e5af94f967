# SPDX-License-Identifier: GPL-2.0-or-later
"""What the tests of socled share: a daemon in a folder of its own, virsh and python3-libvirt.

Environment: SOCLED the program, SOCLE_VM socle-vm, SOCLE_GUESTS the folder with keys.elf.
"""
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import unittest

import waiting
from waiting import wait_for

SOCLED = os.environ['SOCLED']
VM = os.environ['SOCLE_VM']
KEYS = os.path.join(os.environ['SOCLE_GUESTS'], 'keys.elf')
IDLE = os.path.join(os.environ['SOCLE_GUESTS'], 'idle.elf')
VIRSH = shutil.which('virsh')


def definition(name, uuid=None, devices='', kernel=KEYS):
    """A machine that waits for words on its serial port, for ever, or with IDLE does nothing."""
    uuid = f'<uuid>{uuid}</uuid>' if uuid else ''
    return (f"<domain type='qemu'><name>{name}</name>{uuid}<memory>16384</memory><os><type>hvm</type>"
            f"<kernel>{kernel}</kernel></os><devices>{devices}</devices></domain>")


def enter_namespace(needed, packages):
    """Go on in a network namespace of our own, or end with 77: what this needs is not here."""
    if os.environ.get('SOCLE_INSIDE'):
        subprocess.run(['ip', 'link', 'set', 'lo', 'up'], check=True)
        return
    missing = [name for name in (*needed, 'virsh', 'ip', 'unshare') if not shutil.which(name)]
    if missing:
        print(f'skipped: there is no {missing[0]} (packages {packages})')
        sys.exit(77)
    if subprocess.run(['unshare', '-n', 'true'], stderr=subprocess.DEVNULL, check=False).returncode:
        print('skipped: no network namespaces for us')
        sys.exit(77)
    os.environ['SOCLE_INSIDE'] = '1'
    os.execvp('unshare', ['unshare', '-n', sys.executable, *sys.argv])


class Console:
    """The serial port of a machine, whose guest answers keys."""

    def __init__(self, case, uri, name):
        self.tty = os.open(case.virsh(uri, 'ttyconsole', name).strip(), os.O_RDWR | os.O_NOCTTY)
        case.addCleanup(os.close, self.tty)
        self.said = b''

    def send(self, keys):
        os.write(self.tty, keys)

    def expect(self, answer):
        self.said = waiting.read_until(self.tty, answer, self.said).partition(answer)[2]

    def ask(self, keys, answer):
        self.send(keys)
        self.expect(answer)


class Daemon:
    """One socled; its folder outlives it, and its end."""

    def __init__(self, folder, *words, env=None, **more):
        self.folder = folder
        self.socket = os.path.join(folder, 'sock')
        self.log = os.path.join(folder, 'log.txt')
        self.words = words
        self.env = env
        self.more = more
        self.process = None
        self.starts = 0

    def start(self, ready=True):
        self.starts = self.said().count('ready at') if os.path.exists(self.log) else 0
        with open(self.log, 'a', encoding='utf-8') as log:
            self.process = subprocess.Popen(
                [SOCLED, '--state', os.path.join(self.folder, 'st'), '--listen', self.socket,
                 '--vm', VM, *self.words],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self.env, **self.more)
        if ready:
            wait_for(self.listens, 'the daemon listens')
        return self

    def listens(self):
        if self.process.poll() is not None:
            raise AssertionError(f'the daemon has ended: {self.said()}')
        return self.said().count('ready at') > self.starts

    def said(self):
        with open(self.log, encoding='utf-8') as log:
            return log.read()

    def end(self, number=signal.SIGTERM):
        if self.process and self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(waiting.PATIENCE)

    def uri(self, read_only=False):
        return f'qemu:///system?socket={self.socket}{"-ro" if read_only else ""}'


class Relay:
    """A socket at `path` that leads to another one: bytes pass it, descriptors do not."""

    def __init__(self, path, to):
        self.to = to
        self.bytes = 0
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        self.listener.listen()

    def __enter__(self):
        threading.Thread(target=self.accept, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.listener.close()

    def accept(self):
        while True:
            try:
                one = self.listener.accept()[0]
            except OSError:
                return
            other = socket.socket(socket.AF_UNIX)
            other.connect(self.to)
            threading.Thread(target=self.serve, args=(one, other), daemon=True).start()

    def serve(self, one, other):
        with one, other:
            back = threading.Thread(target=self.pass_on, args=(other, one), daemon=True)
            back.start()
            self.pass_on(one, other)
            back.join()

    def pass_on(self, source, target):
        while data := source.recv(1 << 16):
            self.bytes += len(data)
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)


class Case(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix='test-socled-')
        self.addCleanup(shutil.rmtree, self.dir, ignore_errors=True)
        self.daemons = []
        self.addCleanup(self.end_all)

    def end_all(self):
        for daemon in self.daemons:
            if daemon.process and daemon.process.poll() is None:
                daemon.end(signal.SIGKILL)
        # What machines have been left, by their own pid files.
        for folder, _, names in os.walk(self.dir):
            if 'pid' in names and os.path.basename(os.path.dirname(folder)) == 'vm':
                with open(os.path.join(folder, 'pid'), encoding='ascii') as file:
                    text = file.read().strip()
                if text.isdigit():
                    waiting.end_in(self.dir, int(text))

    def daemon(self, *words, ready=True, **more):
        daemon = Daemon(self.dir, *words, **more)
        self.daemons.append(daemon)
        return daemon.start(ready)

    def virsh(self, uri, *words, status=0, env=None):
        result = subprocess.run([VIRSH, '-c', uri, *words], capture_output=True, text=True,
                                timeout=waiting.PATIENCE, check=False, stdin=subprocess.DEVNULL,
                                env={**os.environ, 'LC_ALL': 'C', 'HOME': self.dir, **(env or {})})
        self.assertEqual(result.returncode, status, (words, result.stdout, result.stderr))
        return result.stdout if status == 0 else result.stderr

    def write(self, name, text):
        """A file of the test's folder; its path."""
        path = os.path.join(self.dir, name)
        with open(path, 'w', encoding='utf-8') as file:
            file.write(text)
        return path

    def in_no_command_line(self, secret):
        for pid in filter(str.isdigit, os.listdir('/proc')):
            try:
                with open(f'/proc/{pid}/cmdline', 'rb') as file:
                    words = file.read()
            except OSError:
                continue
            self.assertNotIn(secret, words)

    def define(self, uri, name, status=0):
        path = self.write('d.xml', definition(name))
        return self.virsh(uri, 'define', path, status=status)


def packet(procedure, serial=0, body=b'', kind=0, program=0x20008086):
    return struct.pack('>IIIIIII', 28 + len(body), program, 1, procedure, kind, serial, 0) + body


def receive(sock):
    """A packet's procedure, type, status and body; None: closed."""
    def read(count):
        data = b''
        while len(data) < count:
            try:
                more = sock.recv(count - len(data))
            except ConnectionResetError:
                more = b''
            if not more:
                return None
            data += more
        return data
    head = read(4)
    rest = head and read(struct.unpack('>I', head)[0] - 4)
    if not rest:
        return None
    _, _, procedure, kind, _, status = struct.unpack('>IIIIII', rest[:24])
    return procedure, kind, status, rest[24:]


def raw_client(path, opened=True):
    sock = socket.socket(socket.AF_UNIX)
    sock.settimeout(waiting.PATIENCE)
    sock.connect(path)
    if opened:
        sock.sendall(packet(66) + packet(1, 1, struct.pack('>III', 0, 0, 0)))
        if receive(sock)[2] != 0 or receive(sock)[2] != 0:
            raise AssertionError('the daemon does not let us in')
    return sock
