#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The machines of socled, through runner-lab: they begin, change, end, and outlive who started them.

SOCLE_RUNNER is runner-lab, SOCLE_JOBS and SOCLE_HOTPLUG are guests of tests/guest, SOCLE_IMG is socle-img.
"""
import fcntl
import importlib
import os
import re
import select
import shutil
import signal
import socket
import subprocess
import threading
import time
import unittest

from ports import free_port
import vm
import waiting
from waiting import read_until, wait_for

LAB = os.environ['SOCLE_RUNNER']
IMG = os.environ['SOCLE_IMG']
JOBS = importlib.import_module('test-jobs')
UUID = '01234567-89ab-cdef-0123-456789abcdef'


class Lab:
    """A runner-lab: what it says, line by line, events apart from answers."""

    def __init__(self, program=vm.VM):
        self.process = subprocess.Popen([LAB, program, os.getcwd()], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE)
        self.buffer = b''
        self.events = []

    def line(self):
        end = time.monotonic() + waiting.PATIENCE
        while b'\n' not in self.buffer:
            left = end - time.monotonic()
            if left < 0 or not select.select([self.process.stdout], [], [], left)[0]:
                raise AssertionError(f'nothing is said, behind {self.events}')
            chunk = os.read(self.process.stdout.fileno(), 65536)
            assert chunk, f'runner-lab has ended, behind {self.events}'
            self.buffer += chunk
        line, self.buffer = self.buffer.split(b'\n', 1)
        return line.decode()

    def say(self, *words):
        self.process.stdin.write((' '.join(str(word) for word in words) + '\n').encode())
        self.process.stdin.flush()

    def answer(self):
        while True:
            line = self.line()
            if not line.startswith('event '):
                return line
            self.events.append(line[6:])

    def ask(self, *words):
        self.say(*words)
        return self.answer()

    def do(self, *words):
        answer = self.ask(*words)
        assert answer == 'ok' or answer.startswith('ok '), f'{words}: {answer}'
        return answer[3:]

    def event(self, *start):
        """The next event that begins so; the ones before it are forgotten."""
        start = ' '.join(start)
        while True:
            while self.events:
                event = self.events.pop(0)
                if event.startswith(start):
                    return event
            line = self.line()
            assert line.startswith('event '), line
            self.events.append(line[6:])

    def pid(self):
        return int(re.match('pid=([0-9]+)', self.do('state')).group(1))

    def query(self):
        return {key: int(value) for key, value in
                (item.split('=') for item in self.do('query').split())}

    def end(self, number=None):
        if number:
            self.process.send_signal(number)
        self.process.stdin.close()
        self.process.wait(timeout=waiting.PATIENCE)
        self.process.stdout.close()


class Base(vm.Case):
    kernel = vm.KEYS

    def setUp(self):
        super().setUp()
        self.pids = set()
        self.addCleanup(self.kill_all)

    def kill_all(self):
        for pid in self.pids:
            waiting.end_in('.', pid)

    def lab(self, **kwargs):
        lab = Lab(**kwargs)
        self.addCleanup(self.give_up, lab)
        return lab

    @staticmethod
    def give_up(lab):
        """It lets its machine go, and has forgotten nothing."""
        if lab.process.poll() is None:
            lab.end()
            assert lab.process.returncode == 0, lab.process.returncode

    def define(self, devices='', more='', kernel=None, name='m'):
        with open('m.xml', 'w', encoding='utf-8') as file:
            file.write(f"<domain type='qemu'><name>{name}</name><uuid>{UUID}</uuid>"
                       "<memory unit='MiB'>16</memory><features><acpi/></features>"
                       f'<os><type>hvm</type><kernel>{kernel or self.kernel}</kernel></os>{more}'
                       f'<devices>{devices}</devices></domain>')

    def start(self, lab, *words):
        lab.do('start', 'm.xml', *words)
        pid = lab.pid()
        self.pids.add(pid)
        return pid

    def log(self):
        with open('log/m.log', encoding='utf-8') as file:
            return file.read()


def console(path):
    sock = socket.socket(socket.AF_UNIX)
    sock.settimeout(waiting.PATIENCE)
    sock.connect(path)
    return sock


class Life(Base):
    def test_power_off(self):
        """The guest's end is told, and the log has what was run."""
        self.define("<serial type='unix'><source mode='bind' path='%s/serial'/></serial>"
                    % os.getcwd(), more="<on_poweroff>destroy</on_poweroff>")
        lab = self.lab()
        self.start(lab)
        with console('serial') as sock:
            sock.sendall(b'hi')
            read_until(sock.fileno(), b'hi')
            sock.sendall(b'q')
            self.assertEqual(lab.event('ended'), 'ended 1 the guest powered off')
        self.assertIn('starting', self.log())
        self.assertIn(f"--uuid={UUID}", self.log())
        self.assertIn('ended: the guest powered off', self.log())
        # Nothing is left but the log.
        self.assertEqual(os.listdir('run'), [])
        self.assertEqual(lab.ask('query'), 'error the machine is off')

    def test_crash(self):
        self.define("<serial type='unix'/>")
        lab = self.lab()
        self.start(lab)
        path = re.search("path='([^']*)'", lab.do('xml')).group(1)
        self.assertEqual(path, f'{os.getcwd()}/run/{UUID}/serial0')
        with console(path) as sock:
            sock.sendall(b'c')
            self.assertIn('ended 3 the guest crashed by a triple fault', lab.event('ended'))

    def test_states(self):
        self.define("<console type='pty'/><memballoon model='virtio'/>")
        lab = self.lab()
        pid = self.start(lab)
        # In a session of its own, with nothing of ours open.
        self.assertEqual(os.getsid(pid), pid)
        for fd in os.listdir(f'/proc/{pid}/fd'):
            self.assertNotIn('pipe:', os.readlink(f'/proc/{pid}/fd/{fd}'))
        lab.do('pause')
        self.assertEqual(lab.event('paused'), 'paused 1')
        self.assertEqual(lab.do('monitor', '{"execute":"query-status"}'),
                         '{"return":{"running":false,"status":"paused"}}')
        lab.do('resume')
        lab.event('resumed')
        lab.do('reset')
        lab.event('rebooted')
        lab.do('shutdown')
        lab.do('memory', 8192)
        stats = lab.query()
        self.assertEqual(stats['valid'], 31)
        self.assertEqual(stats['vcpus'], 1)
        self.assertGreater(stats['cpu'], 0)
        self.assertGreater(stats['rss'], 0)
        self.assertEqual(lab.ask('monitor', 'x')[:9], 'error thi')
        self.assertIn('CommandNotFound', lab.do('monitor', '{"execute":"no"}'))
        lab.do('destroy')
        self.assertFalse(vm.alive(pid))
        self.assertNotIn('shutting-down', lab.events)

    def test_paused(self):
        self.define()
        lab = self.lab()
        self.start(lab, 'paused')
        self.assertIn('prelaunch', lab.do('monitor', '{"execute":"query-status"}'))
        lab.do('resume')
        lab.event('resumed')
        lab.do('destroy', 'graceful')

    def test_console(self):
        """A pty is opened as it is, and carries all bytes."""
        self.define("<console type='pty'/>")
        lab = self.lab()
        self.start(lab)
        xml = lab.do('xml')
        tty = re.search("tty='(/dev/pts/[0-9]+)'", xml).group(1)
        self.assertIn(f"<source path='{tty}'/>", xml)
        fd = int(lab.do('console', 'serial0'))
        self.assertEqual(os.readlink(f'/proc/{lab.process.pid}/fd/{fd}'), tty)
        # The pty may be open twice.
        mine = os.open(tty, os.O_RDWR | os.O_NOCTTY)
        try:
            text = bytes(range(0x80, 0x100)) + b'\r\n\x04\x03'
            os.write(mine, text)
            read_until(mine, text)
        finally:
            os.close(mine)
        self.assertIn("has no console 'nope'", lab.ask('console', 'nope'))

    def test_hung(self):
        """A process that stands still holds up nothing, and is ended."""
        self.define("<disk type='file'><source file='%s/d'/><target dev='vda'/></disk>"
                    % os.getcwd())
        with open('d', 'wb') as file:
            file.truncate(1 << 20)
        lab = self.lab()
        pid = self.start(lab)
        waiting.hold(pid)
        before = time.monotonic()
        stats = lab.query()
        self.assertLess(time.monotonic() - before, waiting.PATIENCE / 2)
        # CPU, memory, vCPUs are told by the system.
        self.assertEqual(stats['valid'], 7)
        os.kill(pid, signal.SIGCONT)
        wait_for(lambda: lab.query()['valid'] == 31, 'all statistics')
        waiting.hold(pid)
        lab.do('destroy')
        self.assertFalse(vm.alive(pid))

    def test_killed(self):
        self.define()
        lab = self.lab()
        pid = self.start(lab)
        os.kill(pid, signal.SIGKILL)
        self.assertIn('ended 3 its process was killed by signal 9', lab.event('ended'))

    def test_odd_names(self):
        """Names and paths with commas, spaces, quotes and equals signs are what they are."""
        name = "a,b='c' $(x) --d"
        folder = f'{os.getcwd()}/x,y=z w'
        os.mkdir(folder)
        with open(f'{folder}/d,,1', 'wb') as file:
            file.truncate(1 << 20)
        self.define(f"<disk type='file'><source file='{folder}/d,,1'/><target dev='vda'/></disk>"
                    f"<serial type='file'><source path='{folder}/s'/></serial>",
                    name=name)
        lab = self.lab()
        self.pids.add(int(re.match('pid=([0-9]+)', (lab.do('start', 'm.xml'),
                                                    lab.do('state'))[1]).group(1)))
        self.assertEqual(lab.do('monitor', '{"execute":"query-name"}'),
                         '{"return":{"name":"%s"}}' % name)
        wait_for(lambda: os.path.getsize(f'{folder}/s'), 'serial output')
        self.assertTrue(os.path.exists(f'log/{name}.log'))

    def test_agent(self):
        """The channel to the agent: nobody answers; then somebody who is us, behind old words."""
        self.define("<channel type='unix'><source mode='bind' path='%s/ga'/>"
                    "<target type='virtio' name='org.qemu.guest_agent.0'/></channel>"
                    % os.getcwd())
        lab = self.lab()
        self.start(lab)
        self.assertIn('does not answer', lab.ask('agent', '{"execute":"guest-ping"}'))
        self.assertIn('no command', lab.ask('agent', 'guest-ping'))
        # In the place of the guest.
        os.unlink('ga')
        with socket.socket(socket.AF_UNIX) as server:
            server.bind('ga')
            server.listen()
            threading.Thread(target=self.agent, args=(server,), daemon=True).start()
            self.assertEqual(lab.do('agent', '{"execute":"guest-ping"}'), '{"return":{"x":1}}')

    @staticmethod
    def agent(server):
        client = server.accept()[0]
        client.settimeout(waiting.PATIENCE)
        sync = read_until(client.fileno(), b'\n')
        number = re.search(rb'"id":([0-9]+)', sync).group(1)
        client.sendall(b'{"return":7}\n{"retu\xff{"return":' + number + b'}\n')
        read_until(client.fileno(), b'guest-ping"}\n')
        client.sendall(b'{"return":{"x":1}}\n')


class Taps(Base):
    """Cards on taps, which the machine gets as descriptors."""

    @classmethod
    def setUpClass(cls):
        if os.getuid() or not os.path.exists('/dev/net/tun'):
            raise unittest.SkipTest('only root can make taps, where there is /dev/net/tun')

    def test_ethernet(self):
        name = f'soc{os.getpid() % 100000}'
        self.define(f"<interface type='ethernet'><target dev='{name}'/><mtu size='1400'/>"
                    "</interface><interface type='ethernet'/>")
        lab = self.lab()
        self.start(lab)
        with open(f'/sys/class/net/{name}/mtu', encoding='ascii') as file:
            self.assertEqual(file.read(), '1400\n')
        other = re.search("target dev='(vnet[0-9]+)'", lab.do('xml')).group(1)
        self.assertTrue(os.path.exists(f'/sys/class/net/{other}'))
        # The machine has them, and nobody else.
        lab.do('destroy')
        self.assertFalse(os.path.exists(f'/sys/class/net/{name}'))

    def test_no_bridge(self):
        self.define("<interface type='bridge'><source bridge='no-such-br'/></interface>")
        self.assertIn("there is no bridge 'no-such-br'", self.lab().ask('start', 'm.xml'))
        self.define("<interface type='bridge'><source bridge='lo'/></interface>")
        self.assertIn("'lo' is not a bridge", self.lab().ask('start', 'm.xml'))


class Disks(Base):
    def setUp(self):
        super().setUp()
        self.kernel = os.environ['SOCLE_JOBS']
        self.disk('base')

    @staticmethod
    def disk(name):
        # The guest knows what is in a disk that it has not written to.
        with open('source', 'wb') as file:
            file.write(JOBS.pattern())
        result = vm.run(IMG, 'convert', '-O', 'qcow2', 'source', name)
        assert result.returncode == 0, result

    def run_jobs(self):
        self.define("<disk type='file'><driver name='qemu' type='qcow2'/>"
                    f"<source file='{os.getcwd()}/base'/><target dev='vda' bus='virtio'/></disk>"
                    "<serial type='unix'/><memballoon model='none'/>")
        lab = self.lab()
        self.start(lab)
        self.works(lab)
        return lab

    def works(self, lab):
        enough = lab.query()['wr0'] + 50
        wait_for(lambda: lab.query()['wr0'] >= enough, 'writes of the guest')

    def check(self, name):
        result = vm.run(IMG, 'check', name)
        self.assertEqual(result.returncode, 0, result)

    def test_snapshot_and_commit(self):
        lab = self.run_jobs()
        lab.do('snapshot', 's')
        self.works(lab)
        self.assertIn(f'{os.getcwd()}/base.s', lab.do('xml'))
        self.assertIn('exists', lab.ask('snapshot', 's'))
        lab.do('job', 4, 0)
        lab.event('job 0 4 3')
        info = lab.do('info', 0)
        self.assertTrue(info.startswith('type=4 ready=1'), info)
        self.assertIn('has a job already', lab.ask('job', 1, 0))
        lab.do('abort', 0, 'pivot')
        self.assertEqual(lab.event('job 0 4 0'), f'job 0 4 0 {os.getcwd()}/base qcow2')
        self.assertEqual(lab.do('info', 0), 'type=0 ready=0 end=0')
        self.works(lab)
        lab.do('destroy')
        self.check('base')

    def test_copy(self):
        lab = self.run_jobs()
        lab.do('job', 2, 0, f'{os.getcwd()}/copy')
        lab.event('job 0 2 3')
        lab.do('abort', 0)
        self.assertIn('base qcow2', lab.event('job 0 2 2'))
        os.unlink('copy')
        lab.do('job', 2, 0, f'{os.getcwd()}/copy')
        lab.event('job 0 2 3')
        lab.do('abort', 0, 'pivot')
        self.assertIn('copy qcow2', lab.event('job 0 2 0'))
        self.works(lab)
        lab.do('destroy')
        self.check('copy')

    def test_copy_found(self):
        """A copy that is ready waits for the daemon's return; one that went over meanwhile is noticed."""
        lab = self.run_jobs()
        lab.do('job', 2, 0, f'{os.getcwd()}/copy')
        lab.event('job 0 2 3')
        state = lab.do('state')
        lab.end(signal.SIGKILL)
        lab = self.lab()
        lab.do('find', 'm.xml', state)
        lab.event('job 0 2 3')
        lab.end(signal.SIGKILL)
        with vm.Qmp(f'run/{UUID}/monitor') as qmp:
            qmp.call('block-job-complete', device='virtio-disk0')
            qmp.event('BLOCK_JOB_COMPLETED')
        lab = self.lab()
        lab.do('find', 'm.xml', state)
        self.assertIn('copy qcow2', lab.event('job 0 2 0'))
        lab.do('destroy')

    def test_resize(self):
        lab = self.run_jobs()
        lab.do('resize', 0, 16 << 20)
        self.assertEqual(lab.query()['size0'], 16 << 20)
        self.assertIn('does not have this disk', lab.ask('resize', 1, 1 << 20))

    def test_offline(self):
        self.define("<disk type='file'><driver name='qemu' type='qcow2'/>"
                    f"<source file='{os.getcwd()}/base'/><target dev='vda' bus='virtio'/></disk>")
        lab = self.lab()
        lab.do('offline', 'm.xml', 's')
        info = vm.run(IMG, 'info', 'base.s').stdout.decode()
        self.assertIn('backing file: base', info)
        self.assertIn('backing file format: qcow2', info)
        self.assertIn('exists', lab.ask('offline', 'm.xml', 's'))


class Lost(Base):
    """The daemon is killed; the machine is not."""

    def find(self, state):
        lab = self.lab()
        lab.do('find', 'm.xml', state)
        return lab

    def test_alive(self):
        self.define("<serial type='unix'/>")
        lab = self.lab()
        pid = self.start(lab)
        state = lab.do('state')
        self.assertEqual(lab.event('changed'), f'changed {state}')
        lab.end(signal.SIGKILL)
        self.assertTrue(vm.alive(pid))
        lab = self.find(state)
        self.assertEqual(lab.event('resumed'), 'resumed')
        self.assertEqual(lab.pid(), pid)
        self.assertEqual(lab.do('state'), state)
        self.assertEqual(lab.query()['valid'], 31)
        lab.do('pause')
        lab.end(signal.SIGKILL)
        lab = self.find(state)
        self.assertEqual(lab.event('paused'), 'paused 1')
        # Its death is noticed, though it is nobody's child.
        os.kill(pid, signal.SIGKILL)
        self.assertIn('its process was killed', lab.event('ended 3'))

    def test_ended(self):
        """What happened meanwhile is told with its reason."""
        for key, words in ((b'q', 'the guest powered off'), (b'c', 'triple fault'),
                           (None, 'was killed')):
            with self.subTest(words=words):
                self.define("<serial type='unix'/>")
                lab = self.lab()
                pid = self.start(lab)
                state = lab.do('state')
                lab.end(signal.SIGKILL)
                if key:
                    with console(f'run/{UUID}/serial0') as sock:
                        sock.sendall(key)
                        wait_for(lambda: not vm.alive(pid), 'end')
                else:
                    os.kill(pid, signal.SIGKILL)
                    wait_for(lambda: not vm.alive(pid), 'end')
                lab = self.lab()
                self.assertIn(words, lab.ask('find', 'm.xml', state))
                self.assertEqual(os.listdir('run'), [])

    def test_other_process(self):
        """A process that has the number by now is not taken for it."""
        self.define()
        lab = self.lab()
        dir_ = f'{os.getcwd()}/run/{UUID}'
        answer = lab.ask('find', 'm.xml', f'pid={os.getpid()} start=1 from=0 names= jobs= dir={dir_}')
        self.assertIn('was killed, or ended with the host', answer)
        self.assertIn('makes no sense', lab.ask('find', 'm.xml', 'pid=1'))

    def test_doubled(self):
        """A machine that runs unknown to a daemon is not started again."""
        self.define("<serial type='unix'/>")
        lab = self.lab()
        pid = self.start(lab)
        lab.end(signal.SIGKILL)
        lab = self.lab()
        answer = lab.ask('start', 'm.xml')
        self.assertIn(f'runs already, as process {pid}', answer)
        self.assertTrue(vm.alive(pid))

    def test_half_started(self):
        """One whose guest has not run yet is ended, and a new one started."""
        self.define()
        lab = self.lab()
        pid = self.start(lab, 'paused')
        lab.end(signal.SIGKILL)
        lab = self.lab()
        self.assertNotEqual(self.start(lab), pid)
        wait_for(lambda: not vm.alive(pid), 'end')


class Plug(Base):
    """A disk and a card come and go; the guest uses each that comes."""

    DISK = "<disk type='file'><source file='%s/new'/><target dev='vdz' bus='virtio'/></disk>"

    def setUp(self):
        super().setUp()
        self.kernel = os.environ['SOCLE_HOTPLUG']
        for name in ('busy', 'new'):
            with open(name, 'wb') as file:
                file.truncate(1 << 20)

    def devices(self):
        port = free_port()
        wire = "<source address='127.0.0.1' port='%d'/><mac address='52:54:00:00:00:0%d'/>"
        return (f"<disk type='file'><source file='{os.getcwd()}/busy'/><target dev='vda'/></disk>"
                f"<interface type='server'>{wire % (port, 2)}</interface>"
                f"<interface type='client'>{wire % (port, 3)}</interface>"
                "<serial type='unix'/><memballoon model='none'/>")

    def ready(self, devices):
        self.define(devices)
        lab = self.lab()
        self.start(lab, 'paused')
        serial = console(f'run/{UUID}/serial0')
        self.addCleanup(serial.close)
        lab.do('resume')
        read_until(serial.fileno(), b'ready\n')
        return lab, serial

    def plug(self, lab, xml):
        with open('device.xml', 'w', encoding='utf-8') as file:
            file.write(xml)
        return lab.ask('plug', 'device.xml')

    def used(self, serial):
        self.assertRegex(read_until(serial.fileno(), b'\n'), rb'in \d+: ok')

    def test_come_and_go(self):
        lab, serial = self.ready(self.devices())
        # The second time as well: nothing of the first is left.
        for _ in range(2):
            self.assertEqual(self.plug(lab, self.DISK % os.getcwd()), 'ok')
            self.used(serial)
            self.assertEqual(lab.query()['size1'], 1 << 20)
            self.assertEqual(self.plug(lab, "<interface type='user'/>"), 'ok')
            self.used(serial)
            names = re.findall("alias name='((?:virtio-disk|net)[0-9]+)'", lab.do('xml'))
            self.assertEqual(len(set(names)), len(names))
            for name in (names[1], names[-1]):
                lab.do('unplug', name)
                self.assertEqual(lab.event('removed'), f'removed {name}')
            # Of this lab's definition they are left out from now on; begin anew with it.
            lab.do('monitor', '{"execute":"query-named-block-nodes"}')
            lab.end(signal.SIGKILL)
            with open('m.xml', encoding='utf-8') as file:
                self.assertNotIn('vdz', file.read())
            state = self.state
            lab = self.lab()
            lab.do('find', 'm.xml', state)

    def start(self, lab, *words):
        pid = super().start(lab, *words)
        self.state = lab.do('state')
        return pid

    def test_refused(self):
        lab, _ = self.ready(self.devices())
        self.assertIn("'%s/none'" % os.getcwd(), self.plug(
            lab, f"<disk type='file'><source file='{os.getcwd()}/none'/><target dev='vdz'/></disk>"))
        self.assertIn('is not plugged', self.plug(lab, "<vsock model='virtio'/>"))
        self.assertIn("'nope'", lab.ask('unplug', 'nope'))
        # It is not in the way of one that is fine.
        self.assertEqual(self.plug(lab, self.DISK % os.getcwd()), 'ok')

    def test_names(self):
        """A device keeps its name, though those before it have gone and the daemon is another one."""
        lab, serial = self.ready(self.devices())
        for _ in range(2):
            xml = self.DISK % os.getcwd() + ''
            self.assertEqual(self.plug(lab, xml.replace('vdz', 'vdy') if _ else xml), 'ok')
            self.used(serial)
            if not _:
                shutil.copy('new', 'new2')
                self.DISK = self.DISK.replace('/new', '/new2')
        state = lab.do('state')
        lab.do('unplug', 'virtio-disk1')
        lab.event('removed virtio-disk1')
        lab.end(signal.SIGKILL)
        # What manage would have kept: the one that went is in neither.
        state = state.replace('virtio-disk1,', '')
        self.define(self.devices() + (self.DISK % os.getcwd()).replace('vdz', 'vdy'))
        lab = self.lab()
        lab.do('find', 'm.xml', state)
        lab.event('resumed')
        self.assertIn("alias name='virtio-disk2'", lab.do('xml'))
        self.assertEqual(lab.query()['size1'], 1 << 20)

    def test_gone_meanwhile(self):
        """What a guest lets go while there is no daemon is told when there is one."""
        devices = self.devices()
        lab, serial = self.ready(devices)
        self.assertEqual(self.plug(lab, self.DISK % os.getcwd()), 'ok')
        self.used(serial)
        lab.end(signal.SIGKILL)
        with vm.Qmp(f'run/{UUID}/monitor') as qmp:
            qmp.call('device_del', id='virtio-disk1')
            qmp.event('DEVICE_DELETED')
        self.define(devices + self.DISK % os.getcwd())
        lab = self.lab()
        lab.do('find', 'm.xml', self.state)
        self.assertEqual(lab.event('removed'), 'removed virtio-disk1')


class Fake(Base):
    """What is started behaves badly: fake-vm.py."""
    program = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'fake-vm.py')

    def begin(self, manner, start_ms=None):
        self.define(kernel='/' + manner)
        if start_ms:
            os.environ['LAB_START_MS'] = str(start_ms)
        lab = self.lab(program=self.program)
        os.environ.pop('LAB_START_MS', None)
        return lab

    def begun(self, manner):
        lab = self.begin(manner)
        self.start(lab)
        return lab

    def test_late(self):
        """Who is not there in time is ended."""
        for manner in ('silent', 'mess', 'deaf'):
            with self.subTest(manner=manner):
                lab = self.begin(manner, start_ms=500)
                answer = lab.ask('start', 'm.xml')
                self.assertIn('error the machine was not there in time, and was ended', answer)

    def test_last_words(self):
        lab = self.begin('talks')
        self.assertEqual(lab.ask('start', 'm.xml'), 'error the \033 reason')

    def test_dropped(self):
        """A connection that is lost is made again, and what is asked meanwhile is told so."""
        lab = self.begun('drops')
        lab.event('resumed')
        wait_for(lambda: lab.ask('pause') == 'ok', 'a connection')

    def test_flood(self):
        """Events without end are no reason not to listen to others."""
        lab = self.begun('flood')
        lab.event('paused 1')
        lab.say('state')
        wait_for(lambda: lab.line().startswith('ok pid='), 'an answer')
        lab.say('destroy')
        wait_for(lambda: lab.line() == 'ok', 'the end')

    def test_lies(self):
        """What a machine says to be its terminal is one, or is not opened."""
        self.define("<console type='pty'/>", kernel='/lies')
        lab = self.lab(program=self.program)
        self.start(lab)
        self.assertTrue(lab.ask('console', 'serial0').startswith('error'))

    def test_wrong_pidfile(self):
        """A process that is no machine of ours is not ended because a file says so."""
        self.define(kernel='/good')
        os.makedirs(f'run/{UUID}')
        with open(f'run/{UUID}/pid', 'w', encoding='ascii') as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.write('1\n')
            file.flush()
            lab = self.lab(program=self.program)
            self.assertIn('which is no machine', lab.ask('start', 'm.xml'))

    def test_deadlines(self):
        lab = self.begun('good')
        before = time.monotonic()
        waiting.hold(lab.pid())
        self.assertEqual(lab.query()['valid'], 7)
        self.assertLess(time.monotonic() - before, waiting.PATIENCE / 2)
        lab.do('destroy')


class Refused(Base):
    def refused(self, *words):
        lab = self.lab()
        answer = lab.ask('start', 'm.xml')
        self.assertTrue(answer.startswith('error '), answer)
        for word in words:
            self.assertIn(word, answer)
        return answer

    def test_kernel(self):
        self.define(kernel='/nowhere/kernel')
        self.assertNotIn('socle-vm:', self.refused("'/nowhere/kernel'", 'No such file'))

    def test_disk_in_use(self):
        with open('d', 'wb') as file:
            file.truncate(1 << 20)
        self.define(f"<disk type='file'><source file='{os.getcwd()}/d'/><target dev='vda'/></disk>")
        first = vm.Machine('--disk', 'path=d')
        self.addCleanup(first.__exit__)
        first.expect(b'B')
        self.refused("'%s/d'" % os.getcwd(), 'use')

    def test_program(self):
        self.define()
        lab = self.lab(program='/nowhere/socle-vm')
        self.assertEqual(lab.ask('start', 'm.xml'),
                         "error cannot run '/nowhere/socle-vm': No such file or directory")

    def test_forwards(self):
        self.define("<interface type='user'><portForward proto='tcp'>"
                    "<range start='2000' end='2100'/></portForward></interface>")
        self.refused('forwards more than 32 ports')


if __name__ == '__main__':
    vm.main()
