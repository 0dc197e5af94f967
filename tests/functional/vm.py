# SPDX-License-Identifier: GPL-2.0-or-later
"""What the functional tests share: start socle-vm, talk to it, wait for it.

Environment: SOCLE_VM the program, SOCLE_GUESTS the folder with keys.elf, SOCLE_ENGINE the
engine that tests use which do not care (default emu), SOCLE_SANITIZED whether it is
a sanitizer's build.
"""
import ctypes
import json
import os
import pty
import re
import signal
import socket
import subprocess
import tempfile
import termios
import unittest

import waiting
from waiting import read_until, wait_for

VM = os.environ['SOCLE_VM']
KEYS = os.path.join(os.environ['SOCLE_GUESTS'], 'keys.elf')
TOOLS = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..', 'tools')
ENGINE = os.environ.get('SOCLE_ENGINE', 'emu')
SANITIZED = bool(os.environ.get('SOCLE_SANITIZED'))


def arguments(*args, kernel=KEYS, engine=ENGINE, memory='16M'):
    return [VM, '--engine', engine, '--kernel', kernel, '--memory', memory, *args]


class Frozen:
    """A thread of a process that stands still, as in a system call that does not end."""
    SEIZE, INTERRUPT, DETACH, WALL = 0x4206, 0x4207, 17, 0x40000000

    def __init__(self, process, name):
        self.libc = ctypes.CDLL(None, use_errno=True)
        self.tid = next(int(tid) for tid in os.listdir(f'/proc/{process.pid}/task')
                        if self.comm(process.pid, tid) == name)
        self.ptrace(self.SEIZE)
        self.ptrace(self.INTERRUPT)
        os.waitpid(self.tid, self.WALL)

    @staticmethod
    def comm(pid, tid):
        with open(f'/proc/{pid}/task/{tid}/comm', encoding='ascii') as file:
            return file.read().strip()

    def ptrace(self, request):
        if self.libc.ptrace(request, self.tid, None, None) < 0:
            raise OSError(ctypes.get_errno(), 'ptrace')

    def thaw(self):
        self.ptrace(self.DETACH)

    def reap(self):
        """Its process ends, and so does it: nobody else can see to that."""
        os.waitpid(self.tid, self.WALL)


def run(*args, stdin=b'', **kwargs):
    """Run a command line to its end."""
    return subprocess.run(args, input=stdin, capture_output=True, timeout=waiting.PATIENCE, check=False,
                          **kwargs)


def resident(pid, what='VmRSS'):
    """KiB of memory that a process has; VmHWM: the most that it ever had."""
    with open(f'/proc/{pid}/status', encoding='ascii') as file:
        return int(re.search(rf'{what}:\s+(\d+)', file.read())[1])


class Machine:
    """A running socle-vm; its serial port is on pipes unless the arguments say otherwise."""

    def __init__(self, *args, **kwargs):
        self.process = subprocess.Popen(arguments(*args, **kwargs), stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            try:
                pipe.close()
            except BrokenPipeError:
                pass

    def keys(self, text):
        self.process.stdin.write(text)
        self.process.stdin.flush()

    def expect(self, text):
        return read_until(self.process.stdout.fileno(), text)

    def end(self):
        """Wait for the end: status, the rest of stdout, stderr."""
        out, err = self.process.communicate(timeout=waiting.PATIENCE)
        return self.process.returncode, out, err.decode()


def debian_image():
    """The folder with the image that tools/guest-image makes, or None."""
    tool = subprocess.run([os.path.join(TOOLS, 'guest-image'), 'debian'],
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=False)
    return tool.stdout.decode().strip() if tool.returncode == 0 else None


class Shell:
    """A machine with Debian's kernel, and an initramfs whose init ends with READ_COMMANDS."""
    READ_COMMANDS = r'''
dmesg -n 1
stty -echo
echo READY
while read -r line; do
	eval "$line"
	echo "=$? done"
done
'''

    def __init__(self, test, folder, *args, memory='256M'):
        self.test = test
        self.machine = Machine('--initrd', 'initrd', '--append', 'console=ttyS0 quiet panic=-1',
                               *args, kernel=os.path.join(folder, 'vmlinuz'), memory=memory)
        test.addCleanup(self.machine.__exit__)

    def start(self, command):
        self.machine.keys(command.encode() + b'\n')

    def finish(self, status=0):
        """The end of the command that was started: what it said."""
        out = self.machine.expect(b' done\r\n').decode().replace('\r', '')
        out, got = out.rsplit('=', 1)
        self.test.assertEqual(int(got.split()[0]), status, out)
        return out.strip()

    def run(self, command, status=0):
        self.start(command)
        return self.finish(status)


class Terminal:
    """A socle-vm on a terminal of its own."""

    def __init__(self, *args):
        self.master, slave = pty.openpty()
        self.slave = slave
        self.before = termios.tcgetattr(slave)
        self.process = subprocess.Popen(arguments(*args), stdin=slave, stdout=slave, stderr=slave,
                                        start_new_session=True)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self.master)
        os.close(self.slave)

    def keys(self, text):
        os.write(self.master, text)

    def expect(self, text):
        return read_until(self.master, text)

    def end(self):
        return self.process.wait(timeout=waiting.PATIENCE)


class Qmp:
    """A client that sees every byte."""

    def __init__(self, path, negotiate=True):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(waiting.PATIENCE)
        wait_for(lambda: self.connect(path), f'socket {path}')
        self.buffer = b''
        self.events = []
        if negotiate:
            self.greeting = self.read()
            self.call('qmp_capabilities')

    def connect(self, path):
        try:
            self.socket.connect(path)
        except (FileNotFoundError, ConnectionRefusedError):
            return False
        return True

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.socket.close()

    def send(self, text):
        self.socket.sendall(text)

    def read(self):
        """The next message, whatever it is; None at the end."""
        while b'\n' not in self.buffer:
            try:
                chunk = self.socket.recv(65536)
            except ConnectionResetError:
                chunk = b''
            if not chunk:
                return None
            self.buffer += chunk
        line, self.buffer = self.buffer.split(b'\n', 1)
        return json.loads(line)

    def answer(self):
        """The next message that is no event."""
        while True:
            message = self.read()
            if message is None or 'event' not in message:
                return message
            self.events.append(message)

    def request(self, command, **args):
        request = {'execute': command}
        if args:
            request['arguments'] = {key.replace('_', '-'): args[key] for key in args}
        self.send(json.dumps(request).encode())
        return self.answer()

    def call_as_is(self, command, args):
        """With arguments whose names may have underscores."""
        self.send(json.dumps({'execute': command, 'arguments': args}).encode())
        answer = self.answer()
        assert 'return' in answer, f'{command}: {answer}'

    def call(self, command, **args):
        answer = self.request(command, **args)
        assert 'return' in answer, f'{command}: {answer}'
        return answer['return']

    def event(self, name):
        """Wait for an event; the ones before it are forgotten."""
        while True:
            message = self.events.pop(0) if self.events else self.read()
            assert message is not None, f'the end came before {name}'
            if message.get('event') == name:
                return message


class Case(unittest.TestCase):
    """A test with a folder of its own as the current one."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix='socle')
        self.addCleanup(folder.cleanup)
        self.addCleanup(os.chdir, os.getcwd())
        os.chdir(folder.name)

    def assert_sentence(self, err, *words):
        """One line on stderr that names us and contains words."""
        lines = err.splitlines()
        self.assertEqual(len(lines), 1, err)
        self.assertTrue(lines[0].startswith('socle-vm: '), err)
        for word in words:
            self.assertIn(word, lines[0])


def alive(pid):
    try:
        with open(f'/proc/{pid}/stat', encoding='ascii') as stat:
            # A process that nobody has waited for yet is dead, too.
            return stat.read().rsplit(')', 1)[1].split()[0] not in 'ZX'
    except (FileNotFoundError, ProcessLookupError):
        return False


def end_by_signal(process, number=signal.SIGTERM):
    process.send_signal(number)
    return process.wait(timeout=waiting.PATIENCE)


def signal_thread(process, name, number):
    """Send a signal to one thread."""
    for tid in os.listdir(f'/proc/{process.pid}/task'):
        with open(f'/proc/{process.pid}/task/{tid}/comm', encoding='ascii') as comm:
            if comm.read().strip() == name:
                tgkill = 234
                if ctypes.CDLL(None).syscall(tgkill, process.pid, int(tid), int(number)):
                    raise OSError('tgkill')
                return
    raise AssertionError(f'there is no thread {name}')


def main():
    # Without SIGPIPE of ours and without bytecode in the source tree.
    unittest.main(verbosity=2)
