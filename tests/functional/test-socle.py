#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""socle as people use it, against a libvirtd of Debian's (its driver for tests, and QEMU) and ours.

Environment: SOCLE the program, SOCLE_GUESTS the folder with keys.elf; SOCLED and SOCLE_VM our daemon
and its machines, if they are built. Daemons are those of a session, with folders of their own. 77:
there is no libvirtd here. Words: the classes that are to run.
"""
import fcntl
import json
import os
import pathlib
import pty
import re
import select
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import time
import unittest

SOCLE = os.environ['SOCLE']
KEYS = os.path.join(os.environ['SOCLE_GUESTS'], 'keys.elf')
LIBVIRTD = shutil.which('libvirtd', path=os.environ.get('PATH', '') + ':/usr/sbin')
PATIENCE = float(os.environ.get("SOCLE_PATIENCE", "60"))
NOBODY = 65534
KEY = b'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOWNNRIX2ovSSexaIw/C3RApR903kJrzlmXpPPmRugFM'
UUID = r'[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}'

# Whoever runs the tests in the background may have had these ignored; what we start shall not.
for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT):
    if signal.getsignal(number) == signal.SIG_IGN:
        signal.signal(number, signal.SIG_DFL)

used = set()  # of 'noun verb'


def wait_for(condition, what):
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        result = condition()
        if result:
            return result
        time.sleep(0.02)
    raise AssertionError(f'{what}: not within {PATIENCE} seconds')


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
    return subprocess.run([program, *words], capture_output=True, check=False, timeout=2 * PATIENCE,
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
        end = time.monotonic() + PATIENCE
        while not (found := re.search(text, self.data)):
            if not select.select([self.master], [], [], max(0, end - time.monotonic()))[0]:
                raise AssertionError(f'{text!r} is not in {self.data!r}')
            self.data += os.read(self.master, 65536)
        before = self.data[:found.end()]
        self.data = self.data[found.end():]
        return before

    def end(self):
        """Read what is left, or it would wait for us; its exit status."""
        end = time.monotonic() + PATIENCE
        while self.process.poll() is None and time.monotonic() < end:
            if select.select([self.master], [], [], 0.05)[0]:
                self.data += os.read(self.master, 65536)
        return self.process.wait(1)

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

    def restored(self, terminal):
        self.assertEqual(termios.tcgetattr(terminal.slave), terminal.before)


class TestDriver(Case):
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

    def test_list(self):
        self.define('b\N{LATIN SMALL LETTER A WITH DIAERESIS}r')
        self.shape(self.json('vm', 'list'), [{
            'name': str, 'uuid': UUID, 'id': (int, type(None)), 'state': str, 'vcpus': int,
            'memory': int, 'maximum_memory': int, 'persistent': bool, 'autostart': bool}])
        lines = self.good('list', '--uuid').splitlines()
        self.assertRegex(lines[0], r'^ID  NAME +STATE +CPUS +MEMORY +UUID$')
        self.assertEqual(len(lines), 3)
        self.assertEqual(self.good('list', '-o', 'name', '--running'), 'test\n')
        self.assertEqual(self.good('ls', '-o', 'name', '--stopped'), 'b\u00e4r\n')
        self.assertEqual(self.good('list', '-a', '-q', '--transient'), '')
        self.assertEqual(self.good('list', '--transient'), 'no machines\n')
        self.assertNotIn('\033', self.good('list'))

    def test_show(self):
        facts = self.json('vm', 'show', 'test')
        self.shape(facts, [{
            'name': 'test', 'uuid': UUID, 'id': int, 'state': 'running', 'reason': str,
            'vcpus': int, 'memory': int, 'maximum_memory': int, 'cpu_time_ns': int,
            'persistent': bool, 'updated': bool, 'autostart': bool, 'managed_save': bool,
            'snapshots': int}])
        self.assertIn('memory         2 GiB of 8 GiB\n', self.good('dominfo', 'test'))
        uuid = self.good('vm', 'uuid', 'test').strip()
        self.assertEqual(uuid, facts[0]['uuid'])
        number = self.good('vm', 'id', 'test').strip()
        for word in (uuid, uuid.upper(), uuid[:6], number):
            self.assertEqual(self.good('vm', 'name', word), 'test\n')
        self.shape(self.json('vm', 'id', 'test'), {'name': 'test', 'uuid': UUID, 'id': int})

    def test_net(self):
        facts = {'name': 'default', 'uuid': UUID, 'state': 'active', 'bridge': 'virbr0',
                 'persistent': True, 'autostart': bool}
        self.assertEqual(self.json('net', 'list')[0].keys(), facts.keys())
        self.assertEqual(self.good('net-list', '-o', 'name'), 'default\n')
        self.assertRegex(self.good('net', 'list', '--uuid'),
                         r'\ANAME +STATE +BRIDGE +AUTOSTART +PERSISTENT +UUID\ndefault +active +virbr0')
        self.assertEqual(self.good('net', 'list', '--inactive'), 'no networks\n')
        self.assertEqual(list(self.json('net', 'show', 'default')), [*facts, 'leases'])
        uuid = self.good('net', 'uuid', 'default').strip()
        self.assertEqual(self.good('net', 'name', uuid[:8]), 'default\n')
        self.bad('net', 'show', 'defualt', status=3, says="no network 'defualt'; there is 'default'")
        self.good('net', 'autostart', 'default')
        self.good('net-autostart', 'default', '--disable')
        self.good('net', 'update', 'default', 'add', 'ip-dhcp-host',
                  "<host mac='52:54:00:11:22:33' ip='192.168.122.77'/>", '--live')
        self.assertIn("ip='192.168.122.77'", self.good('net', 'xml', 'default'))
        self.bad('net', 'update', 'default', 'add', 'hosts', '<x/>', status=2, says='ip-dhcp-host')
        self.bad('net', 'update', 'default', 'put', 'ip', '<x/>', status=2, says='add-last')
        self.bad('-r', 'net', 'stop', 'default', status=5)
        self.run_socle('net', 'leases', 'default')
        self.assertEqual(self.good('net', 'forward', 'default'), 'no ports are forwarded\n')
        self.assertEqual(self.good('__complete', '--', 'net', 'start', 'd'), 'default\n')

    def test_net_life(self):
        xml = b"<network><name>lab</name><bridge name='virbr7'/></network>"
        path = self.daemon.place('lab.xml', xml)
        self.assertEqual(self.good('net', 'define', path), "network 'lab' is defined\n")
        self.assertEqual(self.good('net', 'start', 'lab'), "network 'lab' started\n")
        self.bad('net', 'start', 'lab', status=6)
        self.assertEqual(self.good('net', 'stop', 'lab', '-o', 'name'), 'lab\n')
        self.assertEqual(self.json('net', 'undefine', 'lab')[0]['ok'], True)
        self.assertIn('goes when it stops', self.good('net', 'create', path))
        self.good('net-destroy', 'lab')
        self.bad('net', 'show', 'lab', status=3)

    def test_net_events(self):
        with subprocess.Popen([SOCLE, '-c', self.uri, 'net', 'events', '-o', 'json', '-n', '2', '--for',
                               '60'], stdout=subprocess.PIPE, text=True) as watcher:
            used.add('net events')
            end = time.monotonic() + PATIENCE
            while watcher.poll() is None and time.monotonic() < end:
                run('-c', self.uri, 'net', 'stop', 'default')
                run('-c', self.uri, 'net', 'start', 'default')
            events = [json.loads(line) for line in watcher.stdout]
        self.assertEqual([event['network'] for event in events], ['default'] * 2)
        self.assertEqual({event['what'] for event in events}, {'started', 'stopped'})
        run('-c', self.uri, 'net', 'start', 'default')

    def test_pool_sources(self):
        self.assertIn('<name>testvg1</name>', self.good('pool', 'sources', 'logical'))
        self.assertIn("<host name='far'/>", self.good('find-storage-pool-sources-as', 'netfs', '--host',
                                                      'far'))

    def test_wrong_names(self):
        self.bad('vm', 'show', 'tset', status=3, says="no machine 'tset'; there is 'test'")
        self.bad('start', 'qqqq', status=3, says="'socle list' shows which there are")
        self.bad('start', 'test', 'qqqq', status=3)
        self.bad('strat', 'test', status=2, says="there is 'start'")
        self.bad('start', status=2, says='socle vm start MACHINE...')
        self.bad('list', '--al', status=2, says="there is '--all'")
        self.bad('list', '-o', 'yaml', status=2, says='table|json|name')
        self.bad('list', '--timeout', 'soon', status=2, says='seconds')
        self.bad('vm', status=2, says='verb')
        self.bad('--readonly', 'start', 'test', status=5, says='--readonly')
        self.bad('-c', 'nonsense', 'list', status=4)
        self.bad('-c', f'test+unix:///default?socket={self.daemon.dir}/none', 'list', status=4)

    def test_no_command(self):
        result = run()
        self.assertEqual((result.returncode, result.stdout), (2, ''))
        self.assertEqual(result.stderr, "socle: no command was given; 'socle --help' lists them\n")

    def test_life(self):
        self.good('vm', 'suspend', 'test')
        self.assertEqual(self.state('test'), 'paused')
        self.assertIn('paused (', self.good('domstate', 'test', '--reason'))
        self.good('vm', 'resume', 'test')
        self.assertEqual(self.good('vm', 'stop', '--wait', 'test'), "'test' is off\n")
        self.bad('stop', 'test', status=6)
        self.bad('start', 'test', '--autodestroy', status=2, says='--console')
        self.bad('start', 'test', 'x', '--console', status=2)
        self.assertEqual(self.good('vm', 'start', 'test'), "'test' started\n")
        self.bad('start', 'test', status=6)
        self.assertEqual(self.good('vm', 'destroy', 'test', 'test', '-q'), '')
        self.assertEqual(self.good('vm', 'id', 'test'), '-\n')
        self.good('start', 'test')
        self.good('vm', 'reboot', 'test')

    def test_many(self):
        self.define('one')
        self.define('two')
        done = self.run_socle('start', 'one', 'test', 'two', '-o', 'json')
        self.assertIn(done.returncode, (1, 6))
        answer = json.loads(done.stdout)
        self.assertEqual([(x['machine'], x['ok']) for x in answer],
                         [('one', True), ('test', False), ('two', True)])
        self.assertRegex(done.stderr, r"\Asocle: 'test': [^\n]+\n\Z")
        self.assertEqual(self.good('stop', '--force', 'one', 'two', '-o', 'name'), 'one\ntwo\n')

    def test_define(self):
        path = self.daemon.place('m.xml', b'<domain type="test"><name>m</name>'
                                 b'<memory>65536</memory><os><type>hvm</type></os></domain>')
        self.assertEqual(self.good('define', path, '--start'), "'m' defined and started\n")
        self.bad('vm', 'rename', 'm', 'n', status=6)
        self.good('destroy', 'm')
        self.assertEqual(self.good('vm', 'rename', 'm', 'n'), "'m' is now 'n'\n")
        self.assertIn('<name>n</name>', self.good('vm', 'xml', 'n'))
        self.shape(self.json('dumpxml', 'n', '--inactive'), {'name': 'n', 'xml': str})
        self.good('vm', 'autostart', 'n')
        self.assertEqual(self.good('list', '--autostart', '-o', 'name'), 'n\n')
        self.good('autostart', '--disable', 'n')
        self.good('vm', 'title', 'n', 'a\033[2Jtitle')
        self.assertEqual(self.good('title', 'n'), 'a?[2Jtitle\n')
        self.good('title', 'n', 'long', '--description')
        self.assertEqual(self.json('desc', 'n', '--description'), {'description': 'long'})
        self.good('vm', 'undefine', 'n')
        self.bad('xml', 'n', status=3)
        self.assertIn('transient', ' '.join(self.good(
            'vm', 'create', path, '--transient', '-o', 'json').split() + ['transient']))
        self.good('destroy', 'm')
        self.bad('vm', 'create', '/nowhere/x.xml', says="cannot open '/nowhere/x.xml'")
        self.bad('define', self.daemon.place('zero', b'\0'), status=2, says='no text')
        self.bad('define', self.daemon.place('bad.xml', b'<domain'))

    def test_resources(self):
        self.define('res')
        self.assertEqual(self.good('vm', 'set-memory', 'res', '32M', '--config'),
                         "'res' has 32 MiB\n")
        self.assertIn("<currentMemory unit='KiB'>32768<", self.good('xml', 'res'))
        self.good('setmem', 'res', '16384', '--config')
        self.assertIn("<currentMemory unit='KiB'>16384<", self.good('xml', 'res'))
        self.bad('setmem', 'res', 'lots', status=2, says='512M')
        self.good('vm', 'set-vcpus', 'res', '4', '--config', '--maximum')
        self.good('setvcpus', 'res', '2', '--config')
        self.bad('setvcpus', 'res', '0', status=2)
        stats = self.json('vm', 'stats', 'test')
        self.shape(stats, [{'name': 'test', 'uuid': UUID, 'stats': dict}])
        self.assertEqual(stats[0]['stats']['state.state'], 1)
        self.assertIn('test\n  state.state=1\n', self.good('domstats'))

    def test_devices(self):
        self.assertEqual(self.good('vm', 'disks', 'test').splitlines()[1].split()[0], 'vda')
        self.shape(self.json('domblklist', 'test'), [{
            'target': 'vda', 'device': 'disk', 'format': (str, type(None)), 'source': str,
            'readonly': bool}])
        self.shape(self.json('vm', 'nics', 'test'), [{
            'device': str, 'type': 'network', 'source': 'default', 'model': (str, type(None)),
            'mac': str}])
        self.shape(self.json('vm', 'addresses', 'test'), [{
            'device': str, 'mac': str, 'address': str, 'prefix': int, 'type': 'ipv4'}])
        self.good('domifaddr', 'test', '--source=arp')

    def test_snapshots(self):
        self.assertEqual(self.good('snapshot', 'list', 'test'), 'no snapshots\n')
        self.good('snapshot', 'create', 'test', 's1', '--description', 'a <b> & c')
        self.assertEqual(self.good('snapshot-create-as', 'test', 's2', '-o', 'name'), 's2\n')
        table = self.good('snapshot', 'list', 'test')
        self.assertRegex(table, r'(?m)^\* +s2 +20\d\d-\d\d-\d\d \d\d:\d\d:\d\d  running +s1$')
        self.shape(self.json('snapshot', 'list', 'test'), [{
            'name': str, 'description': (str, type(None)), 'state': 'running', 'created': int,
            'parent': (str, type(None)), 'current': bool}])
        self.assertEqual(self.json('snapshot', 'show', 'test', 's1')['description'], 'a <b> & c')
        self.assertEqual(self.good('snapshot', 'current', 'test'), 's2\n')
        self.good('snapshot', 'revert', 'test', 's1')
        self.assertIn('current      yes\n', self.good('snapshot-info', 'test', 's1'))
        self.assertIn('<domainsnapshot>', self.good('snapshot', 'xml', 'test', 's2'))
        self.good('snapshot', 'delete', 'test', 's1', '--children')
        self.bad('snapshot', 'show', 'test', 's1', status=3)
        self.bad('snapshot-current', 'test', status=3)

    def test_saved(self):
        self.good('vm', 'save', 'test')
        self.assertEqual(self.json('show', 'test')[0]['managed_save'], True)
        self.good('vm', 'save-remove', 'test')
        self.assertEqual(self.json('show', 'test')[0]['managed_save'], False)

    def test_host(self):
        self.shape(self.json('host', 'info'), {
            'hostname': str, 'uri': 'test:///default', 'type': 'TEST', 'version': str,
            'libvirt_level': str, 'cpu_model': str, 'cpus': int, 'mhz': int, 'nodes': int,
            'sockets': int, 'cores': int, 'threads': int, 'memory': int, 'free_memory': int})
        self.assertIn('hypervisor    TEST', self.good('nodeinfo'))
        self.assertIn('<capabilities>', self.good('host', 'capabilities'))
        self.shape(self.json('capabilities'), {'xml': str})
        self.shape(self.json('host', 'stats'), {'cpu_ns': dict, 'memory_kib': dict})

    def test_screenshot(self):
        path = os.path.join(self.daemon.dir, 'shot')
        self.assertEqual(self.good('vm', 'screenshot', 'test', path), f'{path}\n')
        self.assertGreater(os.path.getsize(path), 1000)
        self.bad('screenshot', 'test', '/nowhere/x', says="cannot create '/nowhere/x.part'")

    def test_display(self):
        self.good('vm', 'display', 'test')
        self.assertEqual(self.json('domdisplay', 'test'), [])
        folder = tempfile.mkdtemp(dir=self.daemon.dir)
        viewer = os.path.join(folder, 'virt-viewer')
        with open(viewer, 'w', encoding='ascii') as file:
            file.write('#!/bin/sh\necho "$@" >"$(dirname "$0")/words"\n')
        os.chmod(viewer, 0o755)
        self.good('vm', 'view', 'test', env={'PATH': f'{folder}:{os.environ["PATH"]}'})
        with open(os.path.join(folder, 'words'), encoding='utf-8') as file:
            self.assertRegex(file.read(), r'\A--connect \S+:///default\S* -- test\n\Z')
        self.bad('view', 'test', status=3, env={'PATH': folder + '/none'}, says='install it')

    def test_events(self):
        self.good('suspend', 'test')
        self.good('resume', 'test')
        seen = []
        while ('resumed' not in seen or 'suspended' not in seen) and \
                select.select([self.keeper.stdout], [], [], PATIENCE)[0]:
            line = json.loads(self.keeper.stdout.readline())
            self.assertEqual(list(line)[:4], ['time', 'event', 'machine', 'uuid'])
            seen.append(line.get('what'))
        with subprocess.Popen([SOCLE, '-c', self.uri, 'events', 'test', '-n', '1', '-e',
                               'lifecycle'], stdout=subprocess.PIPE, text=True) as watcher:
            wait_for(lambda: (self.good('suspend', 'test'), self.good('resume', 'test'),
                              watcher.poll() is not None)[2], 'one event')
            self.assertRegex(watcher.stdout.read(), r"\A\S+ lifecycle 'test' what=\w+ why=\w+\n\Z")
            self.assertEqual(watcher.returncode, 0)
        self.assertEqual(self.good('vm', 'events', '--for', '0.2', '-e', 'reboot'), '')
        self.bad('events', '-e', 'nonsense', status=2, says='lifecycle')

    def test_uri(self):
        self.assertEqual(self.good('host', 'uri'), f'{self.uri}\n')

    def test_top_batch(self):
        lines = self.good('top', '-b', '-n', '2', '-d', '0.1').splitlines()
        self.assertEqual(len([x for x in lines if x.startswith('NAME ')]), 2)
        self.assertEqual(len([x for x in lines if x.startswith('test ')]), 2)
        looks = [json.loads(x) for x in self.good('top', '-n', '2', '-d', '0.1', '-o', 'json',
                                                  '-a').splitlines()]
        self.shape(looks, [{
            'time': int, 'host': str, 'seconds': float, 'host_cpus': int, 'host_memory': int,
            'machines': [{
                'name': str, 'uuid': UUID, 'id': (int, type(None)), 'state': str, 'vcpus': int,
                'cpu_percent': float, 'memory': int, 'read_per_s': float, 'written_per_s': float,
                'received_per_s': float, 'sent_per_s': float}]}])
        self.assertEqual(len(looks), 2)
        self.bad('top', status=2, says='--batch')
        self.bad('top', '-b', '-d', '0', status=2)
        self.bad('top', '-b', '-s', 'size', status=2)

    def test_top(self):
        terminal = self.terminal('top', '-d', '0.2')
        terminal.expect(rb'\x1b\[\?1049h')
        terminal.expect(rb'NAME +%CPU\*')
        terminal.expect(rb'test ')
        self.assertFalse(termios.tcgetattr(terminal.slave)[3] & (termios.ECHO | termios.ICANON))
        terminal.keys(b'm')
        terminal.expect(rb'MEM\*')
        terminal.keys(b'/zz')
        terminal.expect(rb'Filter: zz_')
        terminal.keys(b'\r')
        terminal.expect(rb"names with 'zz'")
        terminal.keys(b'\x1b')
        terminal.expect(rb'q quit')
        terminal.keys(b'h')
        terminal.expect(rb'Any key goes back')
        terminal.keys(b'x')
        terminal.resize(5, 30)
        os.kill(terminal.process.pid, signal.SIGWINCH)
        terminal.expect(rb'\x1b\[5;1H')
        terminal.keys(b'q')
        terminal.expect(rb'\x1b\[\?1049l')
        self.assertEqual(terminal.end(), 0)
        self.restored(terminal)

    def test_top_signals(self):
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            terminal = self.terminal('top')
            terminal.expect(rb'q quit')
            os.kill(terminal.process.pid, number)
            terminal.expect(rb'\x1b\[\?1049l')
            self.assertEqual(terminal.end(), -number)
            self.restored(terminal)

    def test_output_fails(self):
        with open('/dev/full', 'w', encoding='ascii') as full:
            result = subprocess.run([SOCLE, '-c', self.uri, 'list'], stdout=full, check=False,
                                    stderr=subprocess.PIPE, text=True)
        self.assertEqual(result.returncode, 1)
        self.assertEqual(result.stderr,
                         'socle: cannot write to stdout: No space left on device\n')

    def test_colours(self):
        terminal = self.terminal('list')
        terminal.expect(rb'\x1b\[32mrunning\x1b\[0m')
        self.assertEqual(terminal.end(), 0)
        terminal = self.terminal('list', env={'NO_COLOR': '1'})
        terminal.expect(rb'running')
        self.assertEqual(terminal.end(), 0)
        self.assertNotIn(b'\x1b', terminal.data)

    def test_question(self):
        self.define('asked')
        terminal = self.terminal('undefine', 'asked')
        terminal.expect(rb"Forget the definition of 'asked'\? \[y/N\] ")
        terminal.keys(b'\n')
        terminal.expect(rb'nothing was done')
        self.assertEqual(terminal.end(), 1)
        terminal = self.terminal('undefine', '--yes', 'asked')
        self.assertEqual(terminal.end(), 0)
        self.bad('xml', 'asked', status=3)

    def test_environment(self):
        for name in ('SOCLE_URI', 'LIBVIRT_DEFAULT_URI'):
            env = {'SOCLE_URI': '', 'SOCLE_DEFAULT_URI': '', name: self.uri}
            self.assertEqual(run('list', '-o', 'name', env=env).stdout, 'test\n')

    def test_completion(self):
        self.good('suspend', 'test')
        self.assertEqual(self.good('__complete', '--', '-c', self.uri, 'stop', 't'), 'test\n')
        self.assertEqual(self.good('__complete', '--', '-c', self.uri, 'start', ''), '')
        self.assertEqual(self.good('__complete', '--', '-c', self.uri, 'block-info', 'test', ''),
                         'vda\n')
        self.assertEqual(self.good('__complete', '--', '-c', 'x://', 'stop', ''), '')
        for shell in ('bash', 'zsh', 'fish'):
            script = self.good('completion', shell)
            if shutil.which(shell):
                subprocess.run([shell, '-n'], input=script, text=True, check=True)
        self.bad('completion', 'csh', status=2)

    def test_bash(self):
        """A bash with a terminal, and somebody who types and presses Tab."""
        folder = os.path.dirname(SOCLE)
        env = {'PATH': f'{folder}:{os.environ["PATH"]}', 'PS1': '$ ', 'TERM': 'dumb', 'SOCLE_URI': self.uri,
               'HOME': self.daemon.dir,
               'INPUTRC': self.daemon.place('inputrc', b'set bell-style none\n')}
        self.define('a b')
        self.daemon.place('a-kernel', b'')
        bash = Terminal('--norc', '--noprofile', '-i', program='bash', env=env,
                        size=(24, 300))
        self.addCleanup(bash.close)
        bash.keys(b'source <(socle completion bash); cd "$HOME"; echo rea""dy\n')
        bash.expect(rb'ready\r\n')
        uri = self.uri.encode()
        for typed, added in (('vm und', 'efine '), ('vm resum', 'e '), ('snapshot rev', 'ert '),
                             ('list --runn', 'ing '), ('list --output=j', 'son '), ('list --output=', ''),
                             ('-o na', 'me '), ('stop te', 'st '), (f'-c {self.uri} stop te', 'st '),
                             (f'--connect={self.uri} vm block-info te', 'st '),
                             ('block-info test vd', 'a '), ('start a', '\\ b '), ('run a-k', 'ernel '),
                             ('run x --initrd=a-k', 'ernel ')):
            bash.keys(f'socle {typed}\t'.encode())
            bash.expect(re.escape(f'socle {typed}{added}'.encode()))
            bash.keys(b'\x15')
        bash.keys(b'exit\n')

    def test_doctor(self):
        self.assertIn(f'connection: {self.uri}\n', self.good('host', 'doctor'))
        self.shape(self.json('doctor'), [{
            'what': str, 'verdict': 'ok|note|warning|problem', 'found': str,
            'remedy': (str, type(None))}])
        with tempfile.TemporaryDirectory() as own:
            os.symlink(os.path.dirname(self.daemon.socket), f'{own}/libvirt')
            self.assertIn(f'socket {own}/libvirt/libvirt-sock: a daemon answers',
                          self.good('doctor', env={'XDG_RUNTIME_DIR': own}))
        if os.getuid() == 0:
            said = self.good('doctor', env={'XDG_RUNTIME_DIR': self.daemon.dir})
            self.assertIn("the folder is another user's", said)

    def edit(self, script, *more, **env):
        path = self.daemon.place('editor', f'#!/bin/sh\n{script}\n'.encode())
        os.chmod(path, 0o755)
        folder = os.path.join(self.daemon.dir, 'tmp')
        os.makedirs(folder, exist_ok=True)
        self.addCleanup(shutil.rmtree, folder, ignore_errors=True)
        return dict(os.environ, VISUAL='', EDITOR=f'{path} {" ".join(more)}', TMPDIR=folder, **env)

    def left(self):
        return list(pathlib.Path(self.daemon.dir, 'tmp').glob('*'))

    def test_edit(self):
        self.define('ed')
        env = self.edit('exit 0')
        self.assertEqual(self.good('vm', 'edit', 'ed', env=env), "'ed' was not changed\n")
        env = self.edit('sed -i s/65536/131072/ "$2"', 'option')
        self.assertEqual(self.good('edit', 'ed', env=env), "'ed' has the new definition\n")
        self.assertIn("'KiB'>131072<", self.good('xml', 'ed'))
        self.assertEqual(self.left(), [])

    def test_edit_others(self):
        """Networks and pools, by their nouns and by virsh's names."""
        for kind, xml in (('net', '<network><name>{}</name></network>'),
                          ('pool', "<pool type='dir'><name>{}</name><target><path>/srv/one</path></target>"
                                   '</pool>')):
            path = self.daemon.place('object.xml', xml.format('ed').encode())
            said = {'net': 'network', 'pool': 'pool'}[kind]
            self.good(kind, 'define', path)
            self.assertEqual(self.good(kind, 'edit', 'ed', env=self.edit('exit 0')),
                             f"{said} 'ed' was not changed\n")
            change = "s/<\\/network>/<domain name='two'\\/><\\/network>/;s/one/two/"
            self.assertEqual(self.good(f'{kind}-edit', 'ed', env=self.edit(f'sed -i "{change}" "$1"')),
                             f"{said} 'ed' has the new definition\n")
            self.assertIn('two', self.good(kind, 'xml', 'ed'))
            self.assertEqual(self.left(), [])
            result = self.run_socle(kind, 'edit', 'ed', env=self.edit('sed -i "s/>ed</>other</" "$1"'))
            self.assertIn('another ' + said, result.stderr)
            self.left()[0].unlink()
            self.good(kind, 'undefine', 'ed')

    def test_edit_loses_nothing(self):
        self.define('ed')
        for script, says in (('echo "<domain" >"$1"', 'line'), ('exit 3', 'editor'),
                             ('sed -i s/.ed./xy/ "$1"', ''),
                             ('sed -i "s/<name>ed/<name>other/" "$1"', 'another machine'),
                             ('sed -i "s/<uuid>./<uuid>0/;s/<uuid>0\\(.*\\)/<uuid>f\\1/" "$1"',
                              'another machine'),
                             ('sed -i "s/<os>/<nonsense>x<\\/nonsense><os>/" "$1"', '')):
            result = self.run_socle('edit', 'ed', env=self.edit(script))
            self.assertEqual(result.returncode != 0, True, (script, result))
            self.assertIn(says, result.stderr)
            files = self.left()
            self.assertEqual(len(files), 1, script)
            self.assertIn(f"'ed' is as it was, your text is in '{files[0]}'", result.stderr)
            files[0].unlink()
        self.assertIn('<name>ed<', self.good('xml', 'ed'))

    def test_edit_again(self):
        """The second time the text is what was written the first time."""
        self.define('ed')
        env = self.edit('if grep -q 131072 "$1"; then sed -i "s/<bad//" "$1"\n'
                        'else sed -i "s/65536/131072/;s/<os>/<bad<os>/" "$1"; fi')
        terminal = self.terminal('edit', 'ed', env=env)
        terminal.expect(rb'Edit it again\? \[Y/n\] ')
        terminal.keys(b'\n')
        terminal.expect(rb"'ed' has the new definition")
        self.assertEqual(terminal.end(), 0)
        self.assertIn("'KiB'>131072<", self.good('xml', 'ed'))
        terminal = self.terminal('edit', 'ed', env=self.edit('echo x >"$1"'))
        terminal.expect(rb'Edit it again\? \[Y/n\] ')
        terminal.keys(b'n\n')
        terminal.expect(rb'your text is in')
        self.assertEqual(terminal.end() != 0, True)

    def test_messages(self):
        result = self.run_socle('vm', 'messages', 'test')
        self.assertIn(result.returncode, (0, 1))

    def test_help(self):
        text = run('--help').stdout
        self.assertIn('usage: socle ', text)
        self.assertIn('vm start MACHINE...', run('vm', '--help').stdout)
        self.assertIn('--paused', run('start', '-h').stdout)
        self.assertRegex(run('--version').stdout, r'\Asocle \d+\.\d+\.\d+\n\Z')
        for noun, verb in re.findall(r'(?m)^  (vm|snapshot|net|pool|vol|host) (\S+)', text):
            self.assertIn(f'usage: socle {noun} {verb} ', run(noun, verb, '--help').stdout)


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
        for name in ('two', 'five'):
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

    def test_events(self):
        with subprocess.Popen([SOCLE, '-c', self.uri, 'pool', 'events', 'events', '-o', 'json', '-n', '2',
                               '--for', '60'], stdout=subprocess.PIPE, text=True) as watcher:
            used.add('pool events')
            end = time.monotonic() + PATIENCE
            while watcher.poll() is None and time.monotonic() < end:
                run('-c', self.uri, 'pool', 'stop', 'events')
                run('-c', self.uri, 'pool', 'start', 'events')
            events = [json.loads(line) for line in watcher.stdout]
        self.assertEqual([event.get('pool') for event in events], ['events'] * 2)
        self.assertLessEqual({event.get('what') for event in events}, {'started', 'stopped', None})


class Qemu(Case):
    """What needs a guest: QEMU interprets keys.elf, which echoes."""
    URI = 'qemu'

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        with open(KEYS, 'rb') as file:
            cls.kernel = cls.daemon.place('keys.elf', file.read())

    def setUp(self):
        for name in self.good('list', '-o', 'name').splitlines():
            self.run_socle('destroy', name)

    def test_run(self):
        terminal = self.terminal('run', self.kernel, '--net', 'none', '-m', '64M', '-n', 'fast')
        terminal.expect(rb'Ctrl-\] or Ctrl-A X ends the machine, Ctrl-A H is help\r\n')
        terminal.expect(rb'B')
        self.assertFalse(termios.tcgetattr(terminal.slave)[3] & (termios.ECHO | termios.ICANON))
        self.assertEqual(self.good('list', '-o', 'name', '--transient'), 'fast\n')
        # Ctrl-C and others are the guest's.
        terminal.keys(b'a\x03\x1az')
        terminal.expect(rb'a\x03\x1az')
        terminal.keys(b'\x01h')
        terminal.expect(rb'Ctrl-A Ctrl-A  send one')
        terminal.keys(b'\x1d')
        terminal.expect(rb"'fast' is gone")
        self.assertEqual(terminal.end(), 0)
        self.restored(terminal)
        self.assertEqual(self.good('list', '-o', 'name'), '')

    def test_run_is_killed(self):
        """Nothing is left of a machine whose console was killed."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            terminal = self.terminal('run', self.kernel, '--net', 'none', '-m', '64M')
            terminal.expect(rb'help\r\n')
            terminal.expect(rb'B')
            os.kill(terminal.process.pid, number)
            self.assertEqual(terminal.end(), -number)
            if number == signal.SIGTERM:
                self.restored(terminal)
            wait_for(lambda: self.good('list', '-o', 'name') == '', 'the machine goes')

    def test_run_wrong(self):
        self.bad('run', self.daemon.place('what', bytes(4096)), status=2, says='--format=raw')
        self.bad('run', '/nowhere/x', says='No such file')
        self.bad('run', self.kernel, '--cpus', '0', status=2)
        self.bad('run', self.kernel, '-m', '1', '--net', 'tap', status=2, says='bridge=NAME')
        image = self.daemon.place('d.img', bytes(1 << 20))
        self.bad('run', image, '--append', 'x', status=2, says='for kernels')
        xml = self.good('run', image, '--type', 'qemu', '--print-xml', '--disk',
                        f'{image},readonly', '--net', 'bridge=br0')
        self.assertIn("type='raw'", xml)
        self.assertIn("<source bridge='br0'/>", xml)

    def test_detached(self):
        self.assertEqual(self.good('run', '--detach', self.kernel, '-m', '64M', '-n', 'back',
                                   '--net', 'none', '-o', 'name'), 'back\n')
        terminal = self.terminal('vm', 'console', 'back')
        terminal.expect(rb'leaves the console')
        terminal.keys(b'xyz')
        terminal.expect(rb'xyz')
        self.bad('console', 'back', status=6, says='console session')
        terminal.keys(b'\x01x')
        self.assertEqual(terminal.end(), 0)
        self.restored(terminal)
        self.assertEqual(self.good('state', 'back'), 'running\n')
        self.bad('console', 'back', '--escape', '^m', status=2)
        terminal = self.terminal('console', 'back', '-e', 'none', '--force')
        terminal.expect(rb'Ctrl-A X leaves')
        terminal.keys(b'p\x1dp')
        terminal.expect(rb'p\x1dp')
        # The guest powers off by itself where there is power management, and the console ends.
        terminal.keys(b'q')
        self.run_socle('destroy', 'back')
        self.assertEqual(terminal.end(), 0)
        self.restored(terminal)
        self.bad('console', 'back', status=3)

    def test_pipe(self):
        """Without a terminal all bytes are the guest's, and the console's end is the end."""
        self.good('run', '--detach', self.kernel, '-m', '64M', '-n', 'piped', '--net', 'none')
        with subprocess.Popen([SOCLE, '-c', self.uri, 'console', 'piped'], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE) as process:
            self.addCleanup(process.kill)
            process.stdin.write(b'\x1daxy\x01x')
            process.stdin.close()
            data = b''
            while not data.endswith(b'\x1daxy\x01x') and \
                    select.select([process.stdout], [], [], PATIENCE)[0]:
                piece = os.read(process.stdout.fileno(), 100)
                self.assertNotEqual(piece, b'', data)
                data += piece
            self.assertIn(b'\x1daxy\x01x', data)
            self.good('destroy', 'piped')
            self.assertEqual(process.wait(PATIENCE), 0)

    def test_paused(self):
        xml = self.good('run', '--print-xml', self.kernel, '-n', 'still', '-m', '64M', '--net',
                        'none', '--type', 'qemu')
        self.good('define', self.daemon.place('still.xml', xml.encode()))
        self.addCleanup(run, '-c', self.uri, 'undefine', 'still')
        self.good('start', '--paused', 'still')
        self.assertEqual(self.good('state', 'still'), 'paused\n')
        self.good('resume', 'still')
        self.assertEqual(self.good('state', 'still'), 'running\n')
        self.good('stop', 'still')
        self.bad('stop', 'still', '--wait', '--timeout', '0.5', status=7, says='still runs')
        self.good('destroy', 'still')
        terminal = self.terminal('start', 'still', '--console', '--autodestroy')
        terminal.expect(rb'leaves the console')
        terminal.keys(b'\x1d')
        self.assertEqual(terminal.end(), 0)
        wait_for(lambda: self.good('state', 'still') == 'shut off\n', 'it ends with us')

    def test_disks(self):
        path = self.daemon.place('disk.img', bytes(1 << 20))
        self.good('run', '--detach', self.kernel, '-m', '64M', '-n', 'disk', '--net', 'none',
                  '--disk', f'{path},format=raw')
        self.shape(self.json('vm', 'block-info', 'disk', 'vda'),
                   {'capacity': int, 'allocation': int, 'physical': int})
        self.good('vm', 'block-resize', 'disk', 'vda', '2M')
        self.assertIn('(2097152 bytes)', self.good('domblkinfo', 'disk', 'vda'))
        self.assertEqual(self.good('vm', 'block-job', 'disk', 'vda'), 'no job\n')
        self.bad('block-info', 'disk', 'vdz', says="'disk' disk 'vdz'")
        self.bad('block-resize', 'disk', 'vda', 'big', status=2)
        self.good('snapshot', 'create', 'disk', 'over', '--disk-only', '--no-metadata')
        self.assertIn('disk.over', self.good('disks', 'disk'))
        self.assertIn('is done', self.good('vm', 'block-commit', 'disk', 'vda', '--pivot'))
        self.assertNotIn('disk.over', self.good('disks', 'disk'))
        self.good('snapshot', 'create', 'disk', 'pull', '--disk-only', '--no-metadata')
        self.assertIn('is done', self.good('vm', 'block-pull', 'disk', 'vda', '--wait'))
        self.bad('-r', 'block-job', 'disk', 'vda', '--abort', status=5)

    def test_plug(self):
        self.good('run', '--detach', self.kernel, '-m', '64M', '-n', 'plug', '--net', 'user')
        image = self.daemon.place('plug.img', bytes(1 << 20))
        disk = self.daemon.place('disk.xml', f"<disk type='file' device='disk'><driver name='qemu' "
                                 f"type='raw'/><source file='{image}'/><target dev='vdb' "
                                 f"bus='virtio'/></disk>".encode())
        self.good('vm', 'attach', 'plug', disk, '--live')
        self.assertIn('vdb', self.good('disks', 'plug', '-o', 'name'))
        self.bad('vm', 'detach', 'plug', status=2, says='--alias')
        disk = next(x for x in re.findall(r'(?s)<disk.*?</disk>', self.good('xml', 'plug'))
                    if 'vdb' in x)
        self.good('vm', 'detach', 'plug', '--alias', re.search(r"<alias name='(.*?)'", disk)[1])
        nic = re.search(r'(?s)<interface.*?</interface>', self.good('xml', 'plug'))[0]
        down = nic.replace('</interface>', "<link state='down'/></interface>")
        self.good('vm', 'update', 'plug', self.daemon.place('nic.xml', down.encode()))
        self.assertIn("<link state='down'/>", self.good('xml', 'plug'))

    def test_keyboard(self):
        self.good('run', '--detach', self.kernel, '-m', '64M', '-n', 'kbd', '--net', 'none')
        self.good('vm', 'send-key', 'kbd', 'ctrl', 'KEY_A', '0x1e')
        self.bad('send-key', 'kbd', 'entr', status=2, says='KEY_ENTER')
        self.good('send-key', 'kbd', '--codeset', 'xt', '30', '--hold', '10')
        self.bad('send-key', 'kbd', '--codeset', 'xt', 'a', status=1)
        self.good('vm', 'nmi', 'kbd')
        self.good('vm', 'reset', 'kbd')
        self.assertIn('<domainCapabilities>', self.good('host', 'domain-capabilities'))

    def test_top_and_daemon(self):
        """The daemon goes and comes back under a screen that stays."""
        terminal = self.terminal('top', '-d', '0.2', '-a')
        terminal.expect(rb'q quit')
        self.daemon.stop()
        terminal.expect(rb'trying again')
        self.daemon.start()
        terminal.expect(rb'q quit')
        terminal.keys(b'q')
        self.assertEqual(terminal.end(), 0)
        self.restored(terminal)


if 'SOCLED' in os.environ:
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

    class Socled(Qemu):
        """The same by our own daemon and machines, which have no keyboard."""
        DAEMON = OwnDaemon

        def test_guest_ends(self):
            """The machine goes with its guest, and it is told how that has ended."""
            for key, says, status in ((b'q', rb"'end' is gone", 0), (b'c', rb"socle: 'end' has crashed", 1)):
                terminal = self.terminal('run', self.kernel, '--net', 'none', '-m', '64M', '-n', 'end')
                terminal.expect(rb'help\r\n')
                terminal.expect(rb'B')
                terminal.keys(key)
                terminal.expect(says)
                self.assertEqual(terminal.end(), status)
                self.restored(terminal)
                self.assertEqual(self.good('list', '-o', 'name'), '')

        def test_top_silent(self):
            """A daemon that stands still is told of, keys work, and it goes on with it."""
            terminal = self.terminal('top', '-d', '0.2', '-a')
            terminal.expect(rb'q quit')
            self.addCleanup(self.daemon.process.send_signal, signal.SIGCONT)
            self.daemon.process.send_signal(signal.SIGSTOP)
            terminal.expect(rb'no answer to CONNECT_GET_ALL_DOMAIN_STATS')
            self.daemon.process.send_signal(signal.SIGCONT)
            terminal.expect(rb'q quit')
            self.daemon.process.send_signal(signal.SIGSTOP)
            terminal.expect(rb'no answer to CONNECT_GET_ALL_DOMAIN_STATS')
            terminal.keys(b'q')
            self.assertEqual(terminal.end(), 0)
            self.restored(terminal)
            self.bad('list', '-t', '0.3', status=4, says='does not answer in time')

        def test_nobody_listens(self):
            """A guest that prints while nobody listens goes on; the next one hears what it says then."""
            self.good('run', '--detach', self.kernel, '-m', '64M', '-n', 'alone', '--net', 'none')
            for _ in range(3):
                terminal = self.terminal('console', 'alone')
                terminal.expect(rb'leaves the console')
                # What it prints is more than a terminal holds.
                terminal.keys(b'F\x01x')
                self.assertEqual(terminal.end(), 0)
                self.restored(terminal)
            terminal = self.terminal('console', 'alone')
            terminal.expect(rb'leaves the console')
            terminal.keys(b'12345')
            terminal.expect(rb'12345')
            terminal.keys(b'\x1d')
            self.assertEqual(terminal.end(), 0)

        def test_keyboard(self):
            self.good('run', '--detach', self.kernel, '-m', '64M', '-n', 'kbd', '--net', 'none')
            self.bad('send-key', 'kbd', 'ctrl', says='keyboard')
            self.good('reset', 'kbd')
            self.assertIn('<domainCapabilities>', self.good('host', 'domain-capabilities'))


class Alone(unittest.TestCase):
    """Nobody has started anything: the programs of a build tree, by themselves."""

    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix='socle-alone-')
        self.addCleanup(shutil.rmtree, self.dir, ignore_errors=True)
        self.bin = os.path.join(self.dir, 'bin')
        self.runtime = os.path.join(self.dir, 'r')
        os.mkdir(self.bin)
        os.mkdir(self.runtime, 0o700)
        # As ./dev build has them.
        for name in ('SOCLE', 'SOCLED', 'SOCLE_VM'):
            os.symlink(os.environ[name], os.path.join(self.bin, os.path.basename(os.environ[name])))
        self.env = {**dict.fromkeys(('SOCLED_PATH', 'SOCLE_URI', 'SOCLE_DEFAULT_URI',
                                     'LIBVIRT_DEFAULT_URI', 'SOCLE_AUTOSTART'), ''),
                    'HOME': self.dir, 'XDG_RUNTIME_DIR': self.runtime, 'LC_ALL': 'C',
                    **{f'XDG_{x}_HOME': f'{self.dir}/{x}' for x in ('CONFIG', 'DATA', 'CACHE')}}
        self.program = os.path.join(self.bin, 'socle')
        # So that it ends while somebody waits for it.
        os.makedirs(f'{self.dir}/CONFIG/socle')
        pathlib.Path(self.dir, 'CONFIG/socle/socled.conf').write_text('[socled]\ntimeout = 1\n')
        self.addCleanup(self.nothing_left)
        system = [path for path in ('/run/socle/socled-sock', '/run/libvirt/virtqemud-sock',
                                    '/run/libvirt/libvirt-sock') if os.path.exists(path)]
        if os.getuid() == 0 and system:
            self.skipTest(f'root uses the daemon of the system, whose socket is {system[0]}')

    def processes(self):
        """Those of our folder, by what stands in their environment."""
        found = []
        for pid in filter(str.isdigit, os.listdir('/proc')):
            try:
                words = pathlib.Path('/proc', pid, 'environ').read_bytes().split(b'\0')
                line = pathlib.Path('/proc', pid, 'cmdline').read_bytes()
            except OSError:
                continue
            if f'HOME={self.dir}'.encode() in words and line:
                found.append(line.replace(b'\0', b' ').decode().strip())
        return found

    def nothing_left(self):
        wait_for(lambda: not self.processes(), f'the end of {self.processes()}')
        left = [path for path in pathlib.Path(self.runtime).rglob('*') if path.is_socket()]
        self.assertEqual(left, [])

    def socle(self, *words, status=0, env=None):
        result = run(*words, program=self.program, env={**self.env, **(env or {})}, cwd='/')
        self.assertEqual(result.returncode, status, (words, result.stdout, result.stderr))
        return result.stdout if status == 0 else result.stderr

    def test_list(self):
        self.assertEqual(self.socle('list'), 'no machines\n')
        self.assertEqual(self.processes(), [f'{self.bin}/socled --session'])
        self.assertEqual(json.loads(self.socle('list', '-o', 'json')), [])

    def test_from_elsewhere(self):
        """By a relative name, and by a link to a link."""
        result = run('list', program='bin/socle', env=self.env, cwd=self.dir)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.nothing_left()
        os.symlink(self.program, f'{self.dir}/short')
        result = run('list', program='./short', env=self.env, cwd=self.dir)
        self.assertEqual(result.returncode, 0, result.stderr)

    def test_run(self):
        terminal = Terminal('run', KEYS, '--net', 'none', '-m', '64M', '-n', 'lone', env=self.env,
                            program=self.program)
        terminal.expect(rb'Ctrl-\] or Ctrl-A X ends the machine, Ctrl-A H is help\r\n')
        terminal.expect(rb'B')
        self.assertEqual(self.socle('list', '-o', 'name'), 'lone\n')
        terminal.keys(b'\x1d')
        terminal.expect(rb"'lone' is gone")
        self.assertEqual(terminal.end(), 0)

    def test_many_at_once(self):
        clients = [subprocess.Popen([self.program, 'list', '-o', 'name'], stdout=subprocess.PIPE,
                                    stderr=subprocess.STDOUT, text=True,
                                    env={**os.environ, **self.env}) for _ in range(4)]
        for client in clients:
            said = client.communicate(timeout=PATIENCE)[0]
            self.assertEqual((client.returncode, said), (0, ''))

    def test_others_follow(self):
        """What 'socle uri' prints leads others to the same daemon."""
        uri = self.socle('uri').strip()
        self.assertEqual(uri, f'qemu+unix:///session?socket={self.runtime}/socle/socled-sock')
        self.socle('-c', uri, 'run', '--detach', KEYS, '-m', '64M', '-n', 'shared', '--net', 'none')
        self.addCleanup(self.socle, 'destroy', 'shared')
        self.assertEqual(json.loads(self.socle('-c', uri, 'uri', '-o', 'json')), {'uri': uri})
        if shutil.which('virsh'):
            result = subprocess.run(['virsh', '-c', uri, 'list', '--name'], capture_output=True,
                                    text=True, check=False, timeout=PATIENCE)
            self.assertEqual(result.stdout.split(), ['shared'], result.stderr)

    def test_system(self):
        """Who says 'system' means it, and hears what to do."""
        for uri, remedy in (('socle:///system', "start 'socled' as root"),
                            ('qemu:///system', "'socled --libvirt-sockets'")):
            said = self.socle('-c', uri, 'list', status=4)
            self.assertIn('No such file', said)
            self.assertIn(remedy, said)
        self.assertEqual(self.processes(), [])

    def test_doctor(self):
        self.assertIn(f"the first command starts that of your session, '{self.bin}/socled'",
                      self.socle('doctor'))
        self.assertIn('SOCLE_AUTOSTART=0', self.socle('doctor', env={'SOCLE_AUTOSTART': '0'}))
        self.assertEqual(self.processes(), [])
        self.socle('list')
        said = self.socle('doctor')
        path = f'{self.runtime}/socle/socled-sock'
        self.assertIn(f'socket {path}: a daemon answers (QEMU', said)
        self.assertIn(f'connection: qemu+unix:///session?socket={path}\n', said)

    def test_does_not_start(self):
        """The daemon's own words tell why."""
        pathlib.Path(self.dir, 'CONFIG/socle/socled.conf').write_text('[socled]\ntimeout = x\n')
        said = self.socle('list', status=4)
        self.assertIn(f"'{self.bin}/socled --session' was started", said)
        self.assertIn('timeout', said)

    def test_no_runtime_dir(self):
        """As over ssh, or as root in a container."""
        if os.path.isdir(f'/run/user/{os.getuid()}'):
            self.skipTest('there is a folder of a session')
        self.runtime = f'{self.dir}/CACHE'
        env = {'XDG_RUNTIME_DIR': ''}
        self.assertIn(f'socket={self.runtime}/socle/socled-sock', self.socle('uri', env=env))


class ZCoverage(unittest.TestCase):
    """The last one: each command was there."""

    def test_all(self):
        commands = re.findall(r'(?m)^  (vm|snapshot|host) (\S+)', run('--help').stdout)
        missing = {f'{noun} {verb}' for noun, verb in commands} - used
        self.assertEqual(missing, set())
        self.assertLessEqual({'run', 'create', 'top', 'completion', '__complete'}, used)


def main():
    theirs = LIBVIRTD and shutil.which('qemu-system-x86_64')
    names = (['TestDriver', 'Storage', 'Qemu', 'ZCoverage'] if theirs else []) + \
        (['Alone', 'OwnStorage', 'Socled'] if 'SOCLED' in os.environ else [])
    if not names:
        print('there is no libvirtd, or no QEMU')
        sys.exit(77)
    unittest.main(verbosity=2, defaultTest=names)


if __name__ == '__main__':
    main()
