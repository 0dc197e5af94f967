#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""socle's machines: those of the driver for tests, and with a guest in them.

Environment: that of socle.py. Words: the classes that are to run.
"""
import json
import os
import re
import select
import signal
import subprocess
import tempfile
import termios

import socle
import waiting
from socle import KEYS, SOCLE, UUID, Case, Driver, OwnDaemon, run
from waiting import wait_for


class Machines(Driver):
    """What needs no guest."""

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

    def test_bandwidth(self):
        card = self.json('vm', 'nics', 'test')[0]['mac']
        none = {'average': 0, 'peak': 0, 'burst': 0}
        self.assertEqual(self.json('vm', 'bandwidth', 'test', card),
                         [{'way': 'inbound', **none}, {'way': 'outbound', **none}])
        self.good('vm', 'bandwidth', 'test', card, '--inbound', '1000,2000,500', '--outbound', '64')
        self.assertEqual(self.json('domiftune', 'test', card)[0],
                         {'way': 'inbound', 'average': 1000, 'peak': 2000, 'burst': 500})
        self.good('vm', 'bandwidth', 'test', card, '--inbound', '3000')
        self.assertEqual(self.good('vm', 'bandwidth', 'test', card).split(),
                         'WAY AVERAGE PEAK BURST inbound 3000 - - outbound 64 - -'.split())
        for text in ('', '1,2,3,4', 'x', '4294967296', '1,,2'):
            self.bad('vm', 'bandwidth', 'test', card, f'--outbound={text}', status=2, says='AVERAGE')
        self.bad('-r', 'vm', 'bandwidth', 'test', card, '--inbound', '0', status=5)
        self.good('vm', 'bandwidth', 'test', card, '--inbound', '0', '--outbound', '0')

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
                select.select([self.keeper.stdout], [], [], waiting.PATIENCE)[0]:
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

    def test_messages(self):
        result = self.run_socle('vm', 'messages', 'test')
        self.assertIn(result.returncode, (0, 1))


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
                    select.select([process.stdout], [], [], waiting.PATIENCE)[0]:
                piece = os.read(process.stdout.fileno(), 100)
                self.assertNotEqual(piece, b'', data)
                data += piece
            self.assertIn(b'\x1daxy\x01x', data)
            self.good('destroy', 'piped')
            self.assertEqual(process.wait(waiting.PATIENCE), 0)

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
        waiting.hold(self.daemon.process.pid)
        terminal.expect(rb'no answer to CONNECT_GET_ALL_DOMAIN_STATS')
        self.daemon.process.send_signal(signal.SIGCONT)
        terminal.expect(rb'q quit')
        waiting.hold(self.daemon.process.pid)
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


if __name__ == '__main__':
    # In test-socle.py, and in test-socle-storage.py.
    socle.main(theirs=['Machines', 'Qemu'], own=['Socled'], nouns=['vm', 'snapshot'], words=['run'],
               elsewhere=['vm edit', 'vm clone'])
