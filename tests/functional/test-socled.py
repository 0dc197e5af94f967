#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""socled as libvirt's clients see it: sockets, rights, TLS, sessions, restarts, full disks, rude clients."""
import array
import contextlib
import glob
import os
import pwd
import re
import resource
import shutil
import signal
import socket
import ssl
import stat
import struct
import subprocess
import sys
import tempfile
import threading
import time
import unittest

import certificates
import daemon as tool
from daemon import SOCLED, definition, packet, raw_client, receive
from ports import free_port
import waiting
from waiting import wait_for

REMOTE_X = os.path.join(os.path.dirname(os.path.abspath(__file__)), '../../src/rpc/remote.x')
HELPER = os.environ['SOCLE_SSH_HELPER']
ROOT = os.geteuid() == 0


def run(*words, **more):
    return subprocess.run(words, capture_output=True, text=True, check=False, timeout=waiting.PATIENCE,
                          stdin=subprocess.DEVNULL, **more)


class Words(tool.Case):
    def test_help(self):
        result = run(SOCLED, '--help')
        self.assertEqual((result.returncode, result.stderr), (0, ''))
        self.assertIn('--libvirt-sockets', result.stdout)
        self.assertRegex(run(SOCLED, '--version').stdout, r'^socled \d')

    def test_mistakes(self):
        for words, says in ((['--nothing'], "unknown option '--nothing'"),
                            (['--config', '/nonexistent'], "'/nonexistent': No such file"),
                            (['--state', '/proc/none'], "cannot make folder '/proc/none'"),
                            (['--state', self.dir, '--listen', '/' + 'x' * 120], 'shorter'),
                            (['--state', self.dir, '--policy', '/nonexistent'], "policy '/nonexistent'"),
                            (['--state', self.dir, '--listen', self.dir + '/s', '--listen-tls', '[::]:0',
                              '--tls-ca', '/nonexistent'], "--tls-ca '/nonexistent'")):
            result = run(SOCLED, *words)
            self.assertEqual(result.returncode, 1, words)
            self.assertIn(says, result.stderr)
            self.assertRegex(result.stderr.splitlines()[-1], r'\Asocled: [^\n]+\Z')

    def test_one_instance(self):
        one = self.daemon()
        result = run(SOCLED, '--state', os.path.join(self.dir, 'st'), '--listen', self.dir + '/other')
        self.assertEqual(result.returncode, 3)
        self.assertIn(f'(process {one.process.pid})', result.stderr)
        # Another folder, and the socket that is in use.
        result = run(SOCLED, '--state', os.path.join(self.dir, 'st2'), '--listen', one.socket)
        self.assertEqual(result.returncode, 3)
        self.assertIn('in use by another process', result.stderr)
        self.assertEqual(one.end(), 0)

    def test_pidfile_and_file(self):
        path = os.path.join(self.dir, 'conf')
        with open(path, 'w', encoding='utf-8') as file:
            file.write(f'[socled]\npidfile = {self.dir}/pid\nlog = debug\n')
        one = self.daemon('--config', path)
        with open(self.dir + '/pid', encoding='ascii') as file:
            self.assertEqual(file.read(), f'{one.process.pid}\n')
        self.assertEqual(one.end(), 0)
        self.assertFalse(os.path.exists(self.dir + '/pid'))
        self.assertFalse(os.path.exists(one.socket))


class Clients(tool.Case):
    def test_read_only(self):
        one = self.daemon()
        for path, mode in ((one.socket, 0o700), (one.socket + '-ro', 0o777)):
            self.assertEqual(os.stat(path).st_mode & 0o777, mode)
        self.assertIn("'one' defined", self.define(one.uri(), 'one'))
        self.assertIn('one', self.virsh(one.uri(read_only=True), 'list', '--all'))
        self.assertIn('read only', self.virsh(one.uri(read_only=True), 'undefine', 'one', status=1))
        self.assertIn('read only', self.virsh(one.uri(), '-r', 'undefine', 'one', status=1))
        self.assertIn('undefined', self.virsh(one.uri(), 'undefine', 'one'))

    def test_read_only_changes_nothing(self):
        """Each procedure that writes, with a machine in its arguments that is there, on the wire."""
        import libvirt
        one = self.daemon()
        conn = libvirt.open(one.uri())
        dom = conn.defineXML(definition('one'))
        dom.create()
        before = (dom.XMLDesc(), dom.state(), dom.autostart(), len(conn.listAllDomains()))
        handle = (struct.pack('>I', 3) + b'one\0' + dom.UUID() + struct.pack('>i', dom.ID()))
        counts = {'write': 0, 'read': 0}
        with open(REMOTE_X, encoding='utf-8') as file:
            procedures = re.findall(r'RPC_PROC_(?!CONNECT_OPEN |CONNECT_CLOSE )\w+ = (\d+), /\* (read|write)\b', file.read())
        sock = raw_client(one.socket + '-ro')
        for number, access in procedures:
            for body in (bytes(2048), handle + bytes(2048)):
                sock.sendall(packet(int(number), 7, body))
                answer = receive(sock)
                while answer[1] == 2:
                    answer = receive(sock)
                denied = answer[2] == 1 and answer[3][:4] == struct.pack('>I', libvirt.VIR_ERR_OPERATION_DENIED)
                # Not all have a machine there, and what makes no sense is refused for that.
                if access == 'write' and body[3]:
                    self.assertEqual(answer[2], 1, number)
                else:
                    self.assertEqual(denied, access == 'write', number)
            counts[access] += 1
        sock.close()
        self.assertGreater(min(counts.values()), 60)
        self.assertEqual(before, (dom.XMLDesc(), dom.state(), dom.autostart(), len(conn.listAllDomains())))
        dom.destroy()
        conn.close()

    def test_uris(self):
        one = self.daemon()
        for uri in ('qemu:///session', 'socle:///system', 'qemu+unix:///system', 'kvm+unix:///'):
            self.virsh(f'{uri}?socket={one.socket}', 'list')
        self.assertIn('no machines at', self.virsh(f'qemu:///elsewhere?socket={one.socket}', 'list', status=1))
        # The driver for tests has one machine, the same for all who ask.
        test = f'test+unix:///default?socket={one.socket}'
        self.assertRegex(self.virsh(test, 'list'), r'1 +test +running')
        self.virsh(test, 'suspend', 'test')
        self.assertRegex(self.virsh(test, 'list'), r'1 +test +paused')
        self.assertNotIn('test', self.virsh(one.uri(), 'list', '--all'))

    def test_policy(self):
        path = os.path.join(self.dir, 'policy')
        with open(path, 'w', encoding='utf-8') as file:
            file.write('[all]\naccess = none\n')
        one = self.daemon('--policy', path)
        self.assertIn('the policy of this host does not let', self.virsh(one.uri(), 'list', status=1))
        with open(path, 'w', encoding='utf-8') as file:
            file.write(f'[me]\nuser = {os.geteuid()}\naccess = read\n')
        one.process.send_signal(signal.SIGHUP)
        wait_for(lambda: 'read again' in one.said(), 'the policy is read again')
        self.virsh(one.uri(), 'list')
        self.assertIn('read only', self.define(one.uri(), 'one', status=1))
        with open(path, 'w', encoding='utf-8') as file:
            file.write('[me]\nuser = nobody at all\naccess = read\n')
        one.process.send_signal(signal.SIGHUP)
        wait_for(lambda: 'stays as it was' in one.said(), 'a wrong policy is told')
        self.virsh(one.uri(), 'list')

    def test_python(self):
        import libvirt
        one = self.daemon()
        conn = libvirt.open(one.uri())
        self.assertEqual(conn.getType(), 'QEMU')
        dom = conn.defineXML(definition('one'))
        self.assertEqual([d.name() for d in conn.listAllDomains()], ['one'])
        with self.assertRaises(libvirt.libvirtError) as caught:
            conn.lookupByName('two')
        self.assertEqual(caught.exception.get_error_code(), libvirt.VIR_ERR_NO_DOMAIN)
        reader = libvirt.openReadOnly(one.uri())
        with self.assertRaises(libvirt.libvirtError) as caught:
            reader.lookupByName('one').create()
        self.assertEqual(caught.exception.get_error_code(), libvirt.VIR_ERR_OPERATION_DENIED)
        dom.undefine()
        self.assertEqual(conn.listAllDomains(), [])
        reader.close()
        conn.close()

    def test_descriptors(self):
        one = self.daemon()
        sock = raw_client(one.socket)
        ours, theirs = socket.socketpair()
        # The second thing that is sent has a descriptor; the procedure does not exist.
        sock.sendall(packet(9999, 2, b'\0\0\0\1', kind=4))
        sock.sendmsg([b'\0'], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array('i', [theirs.fileno()]))])
        theirs.close()
        sock.sendall(packet(3, 3))
        self.assertEqual(receive(sock)[:3], (9999, 1, 1))
        self.assertEqual(receive(sock)[:3], (3, 1, 0))
        # They have closed theirs.
        ours.settimeout(waiting.PATIENCE)
        self.assertEqual(ours.recv(1), b'')
        ours.close()
        sock.close()

    def test_told_of_the_end(self):
        one = self.daemon()
        sock = raw_client(one.socket)
        sock.sendall(packet(360, 2))
        self.assertEqual(receive(sock)[2], 0)
        one.process.send_signal(signal.SIGTERM)
        self.assertEqual(receive(sock)[:2], (362, 2))
        self.assertIsNone(receive(sock))
        self.assertEqual(one.end(), 0)
        sock.close()


class Rude(tool.Case):
    """Slow, silent, flooding and lying clients are in nobody's way."""

    def busy(self, one, seconds):
        """What another client waits at most in that time."""
        sock = raw_client(one.socket)
        longest, end = 0, time.monotonic() + seconds
        while time.monotonic() < end:
            begin = time.monotonic()
            sock.sendall(packet(3, 9))
            self.assertEqual(receive(sock)[2], 0)
            longest = max(longest, time.monotonic() - begin)
            time.sleep(0.01)
        sock.close()
        return longest

    def test_flood(self):
        one = self.daemon()
        stop = threading.Event()

        def flood():
            with raw_client(one.socket) as sock:
                sock.setblocking(False)
                data = packet(3) * 1000
                while not stop.is_set():
                    try:
                        sock.send(data)
                    except BlockingIOError:
                        time.sleep(0.001)
                    except OSError:
                        return

        threads = [threading.Thread(target=flood) for _ in range(4)]
        for thread in threads:
            thread.start()
        try:
            self.assertLess(self.busy(one, 2), 2)
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        # Four of them with 8 MiB of memory for answers each, at most.
        self.bounded(one, 120000)
        self.assertLess(self.busy(one, 0.2), 2)
        self.assertEqual(one.end(), 0)

    def bounded(self, one, kib):
        with open(f'/proc/{one.process.pid}/status', encoding='ascii') as file:
            rss = int(re.search(r'VmRSS:\s+(\d+)', file.read())[1])
        self.assertLess(rss, kib * 4 if os.environ.get('SOCLE_SANITIZED') else kib)

    def push(self, sock, data):
        """As much of it as is taken; how many times."""
        sock.setblocking(False)
        for count in range(100000):
            try:
                # What is left of one that was not taken as a whole does not matter any more.
                if sock.send(data) < len(data):
                    return count
            except BlockingIOError:
                time.sleep(0.2)
                try:
                    sock.send(data)
                except BlockingIOError:
                    return count
        return 100000

    def test_lists_unread(self):
        """Lists of 1000, again and again, that nobody reads."""
        import libvirt
        self.dir = tempfile.mkdtemp(prefix='test-socled-', dir='/dev/shm' if os.path.isdir('/dev/shm') else None)
        self.addCleanup(shutil.rmtree, self.dir, ignore_errors=True)
        one = self.daemon()
        conn = libvirt.open(one.uri())
        for i in range(1000):
            conn.defineXML(definition(f'm{i:03}'))
        self.bounded(one, 120000)
        clients = [raw_client(one.socket) for _ in range(4)]
        ask = packet(273, 1, struct.pack('>iI', 1, 0))
        for sock in clients:
            self.push(sock, ask)
        self.assertLess(self.busy(one, 1), 2)
        self.assertEqual(len(conn.listAllDomains()), 1000)
        self.bounded(one, 200000)
        for sock in clients:
            sock.close()
        conn.close()
        self.assertEqual(one.end(), 0)

    def test_stream_unread(self):
        """A console whose client writes for ever, and does not read what its guest says to that."""
        import libvirt
        one = self.daemon()
        conn = libvirt.open(one.uri())
        dom = conn.defineXML(definition('one', devices="<serial type='pty'/>"))
        dom.create()
        sock = raw_client(one.socket)
        handle = struct.pack('>I', 3) + b'one\0' + dom.UUID() + struct.pack('>i', dom.ID())
        sock.sendall(packet(201, 5, handle + struct.pack('>II', 0, 0)))
        self.assertEqual(receive(sock)[:3], (201, 1, 0))
        # Status 2: it goes on.
        data = packet(201, 5, b'x' * 60000, kind=3)
        self.push(sock, data[:24] + struct.pack('>I', 2) + data[28:])
        self.assertLess(self.busy(one, 1), 2)
        self.bounded(one, 120000)
        sock.close()
        self.assertEqual(dom.state()[0], 1)
        dom.destroy()
        conn.close()
        self.assertEqual(one.end(), 0)

    def test_silent(self):
        one = self.daemon('--max-anonymous', '20')
        silent = [raw_client(one.socket, opened=False) for _ in range(100)]
        half = raw_client(one.socket, opened=False)
        half.sendall(packet(66)[:11])
        self.assertLess(self.busy(one, 0.5), 2)
        # All but the last of them were closed.
        silent[0].settimeout(waiting.PATIENCE)
        self.assertEqual(silent[0].recv(1), b'')
        for sock in [*silent, half]:
            sock.close()
        self.assertEqual(one.end(), 0)

    def test_lies(self):
        one = self.daemon()
        for data in (b'\xff' * 64, b'\0\0\0\3abc', b'GET / HTTP/1.0\r\n\r\n', packet(3)[:4] + b'\xff' * 24,
                     b'\0\0\0\1' * 1000):
            sock = raw_client(one.socket)
            try:
                sock.sendall(data)
            except OSError:
                pass
            sock.close()
        self.assertLess(self.busy(one, 0.1), 2)
        self.assertEqual(one.end(), 0)

    def test_many(self):
        one = self.daemon('--max-clients', '50')
        clients = []
        for _ in range(49):
            clients.append(raw_client(one.socket))
        wait_for(lambda: self.refused(one, clients), 'there are enough')
        for sock in clients:
            sock.close()
        wait_for(lambda: not self.refused(one, clients), 'there is room again')
        clients.pop().close()

    def refused(self, one, clients):
        sock = raw_client(one.socket, opened=False)
        try:
            sock.sendall(packet(66))
            if receive(sock) is None:
                sock.close()
                return True
        except OSError:
            sock.close()
            return True
        clients.append(sock)
        return False


class Restart(tool.Case):
    def test_kept(self):
        import libvirt
        one = self.daemon()
        conn = libvirt.open(one.uri())
        for i in range(20):
            conn.defineXML(definition(f'm{i}'))
        conn.lookupByName('m3').setAutostart(1)
        conn.lookupByName('m4').undefine()
        before = {d.name(): (d.UUIDString(), d.autostart(), d.XMLDesc()) for d in conn.listAllDomains()}
        self.assertEqual(len(before), 19)
        conn.close()
        one.end(signal.SIGKILL)
        two = self.daemon()
        conn = libvirt.open(two.uri())
        after = {d.name(): (d.UUIDString(), d.autostart(), d.XMLDesc()) for d in conn.listAllDomains()}
        self.assertEqual(before, after)
        # It is the same boot of the host: nothing is started by itself.
        self.assertEqual(conn.numOfDomains(), 0)
        conn.close()
        self.assertEqual(two.end(), 0)

    def test_autostart(self):
        import libvirt
        one = self.daemon()
        conn = libvirt.open(one.uri())
        conn.defineXML(definition('auto')).setAutostart(1)
        conn.defineXML(definition('other'))
        conn.close()
        self.assertEqual(one.end(), 0)
        # The host starts again.
        os.unlink(os.path.join(self.dir, 'st/run/boot-id'))
        two = self.daemon()
        conn = libvirt.open(two.uri())
        wait_for(lambda: conn.lookupByName('auto').isActive(), 'it is started')
        self.assertFalse(conn.lookupByName('other').isActive())
        conn.lookupByName('auto').destroy()
        conn.close()
        two.end()
        three = self.daemon()
        conn = libvirt.open(three.uri())
        self.assertEqual(conn.numOfDomains(), 0)
        conn.close()

    def test_machine_goes_on(self):
        import libvirt
        one = self.daemon()
        conn = libvirt.open(one.uri())
        dom = conn.defineXML(definition('one'))
        dom.create()
        pids = self.machine_pids()
        self.assertEqual(len(pids), 1)
        conn.close()
        for number in (signal.SIGTERM, signal.SIGKILL):
            one.end(number)
            one = self.daemon()
            conn = libvirt.open(one.uri())
            wait_for(lambda: conn.lookupByName('one').state()[0] == 1, 'it is found')
            self.assertEqual(self.machine_pids(), pids)
            conn.close()
        # It dies while nobody looks.
        one.end(signal.SIGKILL)
        os.kill(pids[0], signal.SIGKILL)
        one = self.daemon()
        conn = libvirt.open(one.uri())
        wait_for(lambda: conn.lookupByName('one').state()[0] == 5, 'its end is noticed')
        conn.lookupByName('one').create()
        conn.lookupByName('one').destroy()
        conn.close()

    def test_forgotten(self):
        """A machine whose guest has run, and of which no file tells, is left alone, and told of."""
        import libvirt
        one = self.daemon()
        conn = libvirt.open(one.uri())
        conn.defineXML(definition('one')).create()
        conn.close()
        pid = self.machine_pids()[0]
        # Until then the definition is in the log alone.
        wait_for(lambda: glob.glob(os.path.join(self.dir, 'st/domains/*.xml')), 'its file')
        one.end(signal.SIGKILL)
        shutil.rmtree(os.path.join(self.dir, 'st/run/status'))
        os.unlink(os.path.join(self.dir, 'st/wal'))
        two = self.daemon()
        self.assertIn(f'process {pid} is a machine that runs and that nothing is known of', two.said())
        conn = libvirt.open(two.uri())
        self.assertFalse(conn.lookupByName('one').isActive())
        conn.close()
        # It is still there, or there would be nobody to be told to.
        os.kill(pid, signal.SIGKILL)

    def test_few_descriptors(self):
        """A daemon that cannot open what it needs gives up, and does not take a machine for dead."""
        import libvirt
        one = self.daemon()
        conn = libvirt.open(one.uri())
        conn.defineXML(definition('one')).create()
        conn.close()
        pids = self.machine_pids()
        one.end(signal.SIGKILL)
        for limit in range(8, 24):
            two = self.daemon(ready=False, preexec_fn=lambda limit=limit: resource.setrlimit(
                resource.RLIMIT_NOFILE, (limit, limit)))
            wait_for(lambda two=two: two.process.poll() is not None or
                     two.said().count('ready at') > two.starts, 'it is there, or gives up')
            two.end(signal.SIGKILL)
            self.assertEqual(self.machine_pids(), pids, limit)
        three = self.daemon()
        conn = libvirt.open(three.uri())
        wait_for(lambda: conn.lookupByName('one').state()[0] == 1, 'it is found')
        self.assertEqual(self.machine_pids(), pids)
        conn.lookupByName('one').destroy()
        conn.close()

    def machine_pids(self):
        pids = []
        for name in os.listdir(os.path.join(self.dir, 'st/run/vm')):
            with open(os.path.join(self.dir, 'st/run/vm', name, 'pid'), encoding='ascii') as file:
                pids.append(int(file.read()))
        return pids

    def test_broken_files(self):
        one = self.daemon()
        self.virsh(one.uri(), 'list')
        one.end()
        domains = os.path.join(self.dir, 'st/domains')
        uuids = [f'{i}1111111-1111-4111-8111-111111111111' for i in range(3)]
        for uuid, text in zip(uuids, ('', '<domain', definition('good', '21111111-1111-4111-8111-111111111111'))):
            with open(f'{domains}/{uuid}.xml', 'w', encoding='utf-8') as file:
                file.write(text if text.count('good') == 0 else
                           f'<!--\nsocle domain\nautostart no\n-->\n{text}')
        two = self.daemon()
        self.assertIn('good', self.virsh(two.uri(), 'list', '--all'))
        self.assertEqual(sorted(os.listdir(domains)),
                         [f'{uuids[0]}.xml.broken', f'{uuids[1]}.xml.broken', f'{uuids[2]}.xml'])
        self.assertEqual(two.said().count('is of no use and was kept'), 2)

    def test_full_disk(self):
        if not ROOT:
            self.skipTest('only root can mount a small file system')
        import libvirt
        state = os.path.join(self.dir, 'st')
        os.mkdir(state)
        if run('mount', '-t', 'tmpfs', '-o', 'size=256k', 'none', state).returncode:
            self.skipTest('a file system cannot be mounted here')
        self.addCleanup(run, 'umount', '-l', state)
        self.addCleanup(self.end_all)
        one = self.daemon()
        conn = libvirt.open(one.uri())
        names = set()
        with self.assertRaises(libvirt.libvirtError) as caught:
            for i in range(500):
                conn.defineXML(definition(f'm{i}'))
                names.add(f'm{i}')
        self.assertIn('No space left', str(caught.exception))
        # What was refused is not there, and the old ones can be changed as far as there is room.
        self.assertEqual({d.name() for d in conn.listAllDomains()}, names)
        conn.close()
        one.end(signal.SIGKILL)
        two = self.daemon()
        conn = libvirt.open(two.uri())
        self.assertEqual({d.name() for d in conn.listAllDomains()}, names)
        # Room can be made.
        for name in sorted(names)[:5]:
            conn.lookupByName(name).undefine()
        conn.defineXML(definition('last'))
        self.assertEqual(len(conn.listAllDomains()), len(names) - 4)
        conn.close()
        self.assertEqual(two.end(), 0)
        self.assertNotIn('is of no use', two.said())


class Limits(tool.Case):
    """What the definition says of CPUs and memory is so for the process, as the kernel tells it."""

    def setUp(self):
        super().setUp()
        import libvirt
        if not ROOT:
            self.skipTest('only root may make control groups here')
        self.one = self.daemon('--log', 'info')
        if 'without limits' in self.one.said():
            self.skipTest(re.search(r'machines run without limits[^\n]*', self.one.said())[0])
        self.conn = libvirt.open(self.one.uri())

    def tearDown(self):
        self.conn.close()

    def value(self, pid, controller, old, new):
        """A file of the group in which the process is, by its name in either kind of hierarchy."""
        with open(f'/proc/{pid}/cgroup', encoding='ascii') as file:
            paths = {name: path for _, names, path in (line.rstrip().split(':', 2) for line in file)
                     for name in names.split(',')}
        with open('/proc/self/mountinfo', encoding='ascii') as file:
            mounts = [line.split(' - ') for line in file]
        for before, behind in mounts:
            point, words = before.split()[4], behind.split()
            for kind, name, wanted in (('cgroup', controller, old), ('cgroup2', '', new)):
                full = f'{point}{paths.get(name)}/{wanted}'
                if words[0] == kind and name in ('', *words[2].split(',')) and os.path.exists(full):
                    self.assertIn('/socle/', full)
                    with open(full, encoding='ascii') as data:
                        return data.read().split()
        raise AssertionError(f'{controller}: there is no file {old} or {new}')

    def check(self, pid, shares, quota, memory_kib):
        # A weight of 1 to 10000 where shares are 2 to 262144.
        self.assertIn(self.value(pid, 'cpu', 'cpu.shares', 'cpu.weight'),
                      ([str(shares)], [str(1 + (shares - 2) * 9999 // 262142)]))
        self.assertEqual(self.value(pid, 'cpu', 'cpu.cfs_quota_us', 'cpu.max')[0], str(quota))
        self.assertEqual(self.value(pid, 'memory', 'memory.limit_in_bytes', 'memory.max'),
                         [str(memory_kib * 1024)])

    def test_kept(self):
        import libvirt
        xml = definition('one').replace('<os>', """<memtune><hard_limit unit='KiB'>262144</hard_limit></memtune>
            <cputune><shares>512</shares><global_period>100000</global_period>
            <global_quota>30000</global_quota><vcpupin vcpu='0' cpuset='0'/></cputune><os>""")
        dom = self.conn.defineXML(xml)
        dom.create()
        with open(os.path.join(self.dir, 'st/run/vm', dom.UUIDString(), 'pid'), encoding='ascii') as file:
            pid = int(file.read())
        self.check(pid, 512, 30000, 262144)
        for name in os.listdir(f'/proc/{pid}/task'):
            with open(f'/proc/{pid}/task/{name}/comm', encoding='ascii') as file:
                if file.read().startswith('vcpu'):
                    self.assertEqual(os.sched_getaffinity(int(name)), {0})
        # A busy guest gets no more than that; this one only polls, all the time.
        begin, used = time.monotonic(), dom.getCPUStats(True)[0]['cpu_time']
        time.sleep(1)
        used = (dom.getCPUStats(True)[0]['cpu_time'] - used) / 1e9
        self.assertLess(used, 0.3 * (time.monotonic() - begin) + 0.1)
        # While it runs.
        dom.setSchedulerParametersFlags({'cpu_shares': 2048, 'global_quota': 50000},
                                        libvirt.VIR_DOMAIN_AFFECT_LIVE)
        dom.setMemoryParameters({'hard_limit': 131072}, libvirt.VIR_DOMAIN_AFFECT_LIVE)
        self.check(pid, 2048, 50000, 131072)
        self.conn.close()
        self.one.end(signal.SIGKILL)
        self.one = self.daemon()
        self.conn = libvirt.open(self.one.uri())
        dom = self.conn.lookupByName('one')
        wait_for(lambda: dom.state()[0] == 1, 'it is found')
        self.check(pid, 2048, 50000, 131072)
        groups = self.groups(dom)
        self.assertTrue(groups)
        dom.destroy()
        self.assertEqual(self.groups(dom), [])

    def test_left(self):
        """Groups of machines that ended while there was no daemon are gone with its next start."""
        dom = self.conn.defineXML(definition('one'))
        dom.create()
        self.assertTrue(self.groups(dom))
        self.one.end(signal.SIGKILL)
        with open(os.path.join(self.dir, 'st/run/vm', dom.UUIDString(), 'pid'), encoding='ascii') as file:
            pid = int(file.read())
        os.kill(pid, signal.SIGKILL)
        wait_for(lambda: not os.path.exists(f'/proc/{pid}'), 'it has ended')
        self.daemon()
        self.assertEqual(self.groups(dom), [])

    @staticmethod
    def groups(dom):
        return [os.path.join(folder, name) for folder, names, _ in os.walk('/sys/fs/cgroup')
                for name in names if name.endswith(dom.UUIDString())]


class MachineUser(tool.Case):
    """Machines run as nobody, on root's images, which stay root's."""

    def setUp(self):
        super().setUp()
        import libvirt
        if not ROOT:
            self.skipTest('only root can run machines as somebody else')
        os.chmod(self.dir, 0o711)
        if run(tool.VM, '--version', user=65534, group=65534, extra_groups=[]).returncode:
            self.skipTest('nobody cannot run programs of this folder')
        self.start()
        self.image = self.make('disk')
        try:
            os.setxattr(self.image, 'trusted.socle.test', b'x')
            os.removexattr(self.image, 'trusted.socle.test')
        except OSError:
            self.skipTest('the file system has no extended attributes')
        self.libvirt = libvirt

    def start(self):
        import libvirt
        # The folder of states is root's alone.
        self.one = self.daemon('--machine-user', 'nobody', '--run', os.path.join(self.dir, 'run'))
        self.conn = libvirt.open(self.one.uri())

    def make(self, name):
        path = os.path.join(self.dir, name)
        with open(path, 'wb') as file:
            file.truncate(1 << 20)
        os.chmod(path, 0o600)
        return path

    @staticmethod
    def disk(path, name='vda', more=''):
        return (f"<disk type='file'><driver type='raw'/><source file='{path}'/>"
                f"<target dev='{name}' bus='virtio'/>{more}</disk>")

    def like_before(self, path):
        self.assertEqual((os.stat(path).st_uid, stat.S_IMODE(os.stat(path).st_mode)), (0, 0o600))
        self.assertEqual([name for name in os.listxattr(path) if not name.startswith('security.')], [])

    def opens(self, path, mode):
        code = f"import os; os.close(os.open({path!r}, os.{mode}))"
        return run(sys.executable, '-c', code, user=65534, group=65534, extra_groups=[]).returncode == 0

    def pid(self, dom):
        with open(os.path.join(self.dir, 'run/vm', dom.UUIDString(), 'pid'), encoding='ascii') as file:
            return int(file.read())

    def test_life(self):
        dom = self.conn.defineXML(definition('one', devices=self.disk(self.image)))
        dom.create()
        self.assertEqual(os.stat(f'/proc/{self.pid(dom)}').st_uid, 65534)
        self.assertEqual(os.stat(self.image).st_uid, 0)
        self.assertTrue(self.opens(self.image, 'O_RDWR'))
        plugged = self.make('with space,\u00e4%')
        dom.attachDevice(self.disk(plugged, 'vdb'))
        self.assertTrue(self.opens(plugged, 'O_RDWR'))
        # Another daemon takes them back.
        self.conn.close()
        self.one.end(signal.SIGKILL)
        self.start()
        dom = self.conn.lookupByName('one')
        wait_for(lambda: dom.state()[0] == 1, 'it is found')
        self.assertTrue(self.opens(plugged, 'O_RDWR'))
        dom.destroy()
        for path in (self.image, plugged):
            self.like_before(path)
        # Also those of a machine that ends while there is none.
        dom.create()
        pid = self.pid(dom)
        self.conn.close()
        self.one.end(signal.SIGKILL)
        os.kill(pid, signal.SIGKILL)
        self.assertTrue(self.opens(self.image, 'O_RDWR'))
        wait_for(lambda: not os.path.exists(f'/proc/{pid}'), 'it dies')
        self.start()
        wait_for(lambda: self.conn.lookupByName('one').state()[0] == 5, 'its end is noticed')
        self.like_before(self.image)
        self.conn.close()

    def test_shared(self):
        """Two machines read one file, which is theirs until the second one ends."""
        doms = [self.conn.defineXML(definition(name, devices=self.disk(self.image, more='<readonly/>')))
                for name in ('one', 'two')]
        for dom in doms:
            dom.create()
        self.assertTrue(self.opens(self.image, 'O_RDONLY'))
        self.assertFalse(self.opens(self.image, 'O_RDWR'))
        doms[0].destroy()
        self.assertTrue(self.opens(self.image, 'O_RDONLY'))
        doms[1].destroy()
        self.like_before(self.image)
        self.conn.close()

    def test_refused(self):
        """What cannot be let is told, and nothing stays behind."""
        folder = os.path.join(self.dir, 'closed')
        os.mkdir(folder, 0o700)
        inside = self.make('closed/disk')
        # A link that the machine's user could have made.
        os.mkdir(os.path.join(self.dir, 'open'))
        os.chmod(os.path.join(self.dir, 'open'), 0o777)
        link = os.path.join(self.dir, 'open', 'link')
        os.symlink(self.image, link)
        for path, says in ((inside, f"folder '{folder}' does not let it through"), (link, 'permissions')):
            dom = self.conn.defineXML(definition('one', devices=self.disk(self.make('other')) +
                                                 self.disk(path, 'vdb')))
            with self.assertRaises(self.libvirt.libvirtError) as caught:
                dom.create()
            self.assertIn(says, str(caught.exception))
            for one in (self.image, inside, os.path.join(self.dir, 'other')):
                self.like_before(one)
            dom.undefine()
        self.conn.close()


class Session(tool.Case):
    def environment(self):
        runtime = os.path.join(self.dir, 'r')
        os.makedirs(runtime, mode=0o700, exist_ok=True)
        return {**os.environ, 'XDG_RUNTIME_DIR': runtime, 'HOME': self.dir,
                'XDG_CONFIG_HOME': self.dir + '/c', 'XDG_DATA_HOME': self.dir + '/d', 'SOCLED_PATH': SOCLED}

    def test_timeout(self):
        env = self.environment()
        process = subprocess.Popen([SOCLED, '--session', '--timeout', '1'], env=env,
                                   stderr=subprocess.PIPE, text=True)
        path = os.path.join(self.dir, 'r/socle/socled-sock')
        wait_for(lambda: os.path.exists(path + '-ro'), 'it listens')
        self.assertEqual(os.stat(os.path.dirname(path)).st_mode & 0o777, 0o700)
        with raw_client(path) as sock:
            time.sleep(1.5)
            sock.sendall(packet(3, 2))
            self.assertEqual(receive(sock)[2], 0)
        self.assertEqual(process.wait(waiting.PATIENCE), 0)
        self.assertIn('this is the end', process.stderr.read())
        process.stderr.close()

    def test_private(self):
        """Nothing of one user's session is another one's, even where he has opened his folders."""
        if not ROOT:
            self.skipTest('only root can be two users')
        env = self.environment()
        os.chmod(self.dir, 0o755)
        for name in ('r', 'c', 'd'):
            os.makedirs(os.path.join(self.dir, name), exist_ok=True)
            os.chown(os.path.join(self.dir, name), 65534, 65534)
        me = {'user': 65534, 'group': 65534, 'extra_groups': []}
        if run(SOCLED, '--version', **me).returncode:
            self.skipTest('nobody cannot run programs of this folder')
        process = subprocess.Popen([SOCLED, '--session', '--vm', tool.VM, '--libvirt-sockets'], env=env,
                                   stderr=subprocess.DEVNULL, umask=0, **me)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        path = os.path.join(self.dir, 'r/socle/socled-sock')
        wait_for(lambda: os.path.exists(path + '-ro'), 'it listens')
        uri = f'qemu:///session?socket={path}'
        self.assertIn("'one' defined", self.define(uri, 'one'))
        self.virsh(uri, 'start', 'one')
        modes = {}
        for folder, folders, files in os.walk(self.dir):
            for name in folders + files:
                full = os.path.join(folder, name)
                # The daemon goes on, and writes files beside those that they become.
                with contextlib.suppress(FileNotFoundError):
                    status = os.lstat(full)
                    if status.st_uid == 65534:
                        modes[full] = stat.S_IMODE(status.st_mode) & 0o077
        for name in ('r', 'c', 'd'):
            modes.pop(os.path.join(self.dir, name), None)
        self.assertGreater(len(modes), 8)
        # XDG's folders, which others may pass through; what is in ours is in a folder of mode 0700.
        shown = {path for path, mode in modes.items() if mode & 0o066 and not self.hidden(path)}
        self.assertEqual(shown, set())
        # Another user, who is let through to the sockets.
        os.chmod(os.path.dirname(path), 0o777)
        for name in ('r', 'd', 'r/libvirt'):
            os.chmod(os.path.join(self.dir, name), 0o777)
        for name in (path, path + '-ro', self.dir + '/r/libvirt/virtqemud-sock'):
            os.chmod(name, 0o777)
            other = run(tool.VIRSH, '-c', f'qemu:///session?socket={name}', 'list', '--all', user=65533,
                        group=65533, extra_groups=[], env={**os.environ, 'HOME': '/', 'LC_ALL': 'C'})
            self.assertNotEqual(other.returncode, 0, other.stdout)
            self.assertIn('this is the session of uid 65534', other.stderr)
            self.assertNotIn('one', other.stdout)
        # Its monitor is no way either.
        monitor = next(name for name in modes if name.endswith('/monitor'))
        code = f'import socket; socket.socket(socket.AF_UNIX).connect({monitor!r})'
        self.assertIn('PermissionError', run(sys.executable, '-c', code, user=65533, group=65533,
                                             extra_groups=[]).stderr)
        self.virsh(uri, 'destroy', 'one')

    def hidden(self, path):
        """Is it below a folder that is its owner's alone?"""
        path = os.path.dirname(path)
        while path != self.dir:
            if not stat.S_IMODE(os.stat(path).st_mode) & 0o077:
                return True
            path = os.path.dirname(path)
        return False

    def test_helper_starts_it(self):
        env = self.environment()
        extra = {}
        if ROOT:
            # As one who is not root.
            user = pwd.getpwnam('nobody')
            os.chmod(self.dir, 0o711)
            os.chown(env['XDG_RUNTIME_DIR'], user.pw_uid, -1)
            for name in ('c', 'd'):
                os.mkdir(os.path.join(self.dir, name))
                os.chown(os.path.join(self.dir, name), user.pw_uid, -1)
            extra = {'user': user.pw_uid, 'group': user.pw_gid, 'extra_groups': []}
        if ROOT and run(SOCLED, '--version', **extra).returncode:
            self.skipTest('nobody cannot run programs of this folder')
        helpers = [subprocess.Popen([HELPER, 'qemu:///session'], env=env, stdin=subprocess.PIPE,
                                    stdout=subprocess.PIPE, **extra) for _ in range(3)]
        for helper in helpers:
            helper.stdin.write(packet(66))
            helper.stdin.flush()
            self.assertEqual(len(helper.stdout.read(36)), 36)
        with open(os.path.join(self.dir, 'd/socle/lock'), encoding='ascii') as file:
            pid = int(file.read())
        with raw_client(os.path.join(self.dir, 'r/socle/socled-sock'), opened=True):
            pass
        for helper in helpers:
            helper.stdin.close()
            self.assertEqual(helper.wait(waiting.PATIENCE), 0)
            helper.stdout.close()
        os.kill(pid, signal.SIGTERM)
        wait_for(lambda: not os.path.exists(f'/proc/{pid}'), 'it ends')

    def test_ssh(self):
        """virsh by qemu+ssh:// with a stand-in for ssh, and the helper under libvirt's name."""
        one = self.daemon()
        folder = os.path.join(self.dir, 'bin')
        os.mkdir(folder)
        with open(folder + '/virt-ssh-helper', 'w', encoding='ascii') as file:
            file.write(f'#!/bin/sh\nexec {HELPER} "$@?socket={one.socket}"\n')
        with open(folder + '/ssh', 'w', encoding='ascii') as file:
            file.write('#!/bin/sh\nwhile [ "$1" != -- ]; do shift; done\nshift 2\neval "$@"\n')
        for name in ('ssh', 'virt-ssh-helper'):
            os.chmod(f'{folder}/{name}', 0o755)
        self.virsh('qemu+ssh://root@somewhere/system', 'list',
                   env={'PATH': folder + ':' + os.environ['PATH']})

    def test_helper_words(self):
        for words, says in (((), 'needs a URI'), (('-x', 'u'), 'takes -r and one URI'),
                            (('qemu:///system?socket=/nonexistent',), "daemon at '/nonexistent'")):
            result = run(HELPER, *words)
            self.assertEqual(result.returncode, 1)
            self.assertIn(says, result.stderr)
        self.assertEqual(run(HELPER, '--help').returncode, 0)


class Activation(tool.Case):
    """The sockets are there before the daemon is."""

    def test_listen_fds(self):
        paths = [os.path.join(self.dir, name) for name in ('s', 's-ro')]
        socks = [socket.socket(socket.AF_UNIX) for _ in paths]
        notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        notify.bind(self.dir + '/notify')
        notify.settimeout(waiting.PATIENCE)
        for sock, path in zip(socks, paths):
            sock.bind(path)
            sock.listen(10)
        env = {**os.environ, 'LISTEN_FDS': '2', 'NOTIFY_SOCKET': self.dir + '/notify'}

        def hand_over():
            # 3 and 4 may be the descriptors that are handed over, so by way of others.
            copies = [os.dup2(sock.fileno(), 100 + i) for i, sock in enumerate(socks)]
            for i, copy in enumerate(copies):
                os.dup2(copy, 3 + i)

        process = subprocess.Popen(
            ['sh', '-c', f'LISTEN_PID=$$ exec {SOCLED} --state {self.dir}/st --listen {self.dir}/sock'],
            env=env, preexec_fn=hand_over, close_fds=False)
        self.assertEqual(notify.recv(100), b'READY=1')
        uri = f'qemu:///system?socket={paths[0]}'
        self.define(uri, 'x')
        self.assertIn('read only', self.virsh(f'{uri}-ro', 'undefine', 'x', status=1))
        self.assertFalse(os.path.exists(self.dir + '/sock'))
        process.terminate()
        self.assertEqual(process.wait(waiting.PATIENCE), 0)
        self.assertEqual(notify.recv(100), b'STOPPING=1')
        # They are not the daemon's to remove.
        for sock, path in zip(socks, paths):
            self.assertTrue(os.path.exists(path))
            sock.close()
        notify.close()

    def test_libvirts_own(self):
        env = {**os.environ, 'XDG_RUNTIME_DIR': self.dir + '/r', 'HOME': self.dir,
               'XDG_CONFIG_HOME': self.dir + '/c', 'XDG_DATA_HOME': self.dir + '/d'}
        os.mkdir(self.dir + '/r', 0o700)
        process = subprocess.Popen([SOCLED, '--session', '--libvirt-sockets'], env=env,
                                   stderr=subprocess.DEVNULL)
        folder = self.dir + '/r/libvirt'
        names = ['virtqemud-sock', 'virtqemud-sock-ro', 'virtsocled-sock', 'virtsocled-sock-ro']
        wait_for(lambda: os.path.isdir(folder) and sorted(os.listdir(folder)) == names, 'all are there')
        with raw_client(f'{folder}/{names[0]}'):
            pass
        process.terminate()
        self.assertEqual(process.wait(waiting.PATIENCE), 0)
        self.assertEqual(os.listdir(folder), [])


class Tls(tool.Case):
    def setUp(self):
        super().setUp()
        if not certificates.CERTTOOL:
            self.skipTest('certtool is not installed')
        self.made = made = certificates.Certificates(self.dir)
        authority, client = certificates.AUTHORITY.format('Test'), certificates.CLIENT
        self.ca = made.make('ca', authority)
        self.server = made.make('server', certificates.SERVER, self.ca)
        self.good = made.make('good', client.format('admin one'), self.ca)
        self.bad = made.make('bad', client.format('guest'), self.ca)
        other = made.make('other', authority)
        self.stranger = made.make('stranger', client.format('admin two'), other)
        self.wrong_use = made.make('wrong', certificates.SERVER, self.ca)
        self.port = free_port()
        self.one = self.daemon('--listen-tls', f'127.0.0.1:{self.port}', '--tls-ca', self.ca + '.pem',
                               '--tls-cert', self.server + '.pem', '--tls-key', self.server + '.key',
                               '--tls-allowed-dn', 'CN=x;CN=admin*,O=Example')

    def uri(self, who):
        return f'qemu://localhost:{self.port}/system?pkipath={self.made.client(self.ca, who)}'

    def test_clients(self):
        self.virsh(self.uri(self.good), 'list', '--all')
        self.assertIn('9.0', self.virsh(self.uri(self.good), 'version', '--daemon'))
        # Of a certificate that is none for it, libvirt's client itself complains.
        self.virsh(self.uri(self.bad), 'list', status=1)
        self.assertEqual(self.welcome(self.good), b'\1')
        for who in (self.bad, self.stranger, self.wrong_use, None):
            self.assertEqual(self.welcome(who), b'')
        said = wait_for(lambda: self.one.said().count('connection was closed') >= 5 and self.one.said(),
                        'all is told')
        self.assertGreaterEqual(said.count('its certificate is not taken'), 2)
        self.assertIn("'CN=guest,O=Example' is none of those in --tls-allowed-dn", said)
        self.virsh(self.uri(self.good), 'list', '--all')

    def welcome(self, who):
        """The byte that stands for a certificate that was taken."""
        context = ssl.create_default_context(cafile=self.ca + '.pem')
        if who:
            context.load_cert_chain(who + '.pem', who + '.key')
        try:
            with socket.create_connection(('127.0.0.1', self.port), waiting.PATIENCE) as sock:
                with context.wrap_socket(sock, server_hostname='localhost') as tls:
                    return tls.recv(1)
        except (ssl.SSLError, ConnectionError):
            return b''

    def test_large(self):
        """Answers that do not fit into the socket, and calls that come in many pieces."""
        import libvirt
        conn = libvirt.open(self.uri(self.good))
        text = 'x' * 500000
        conn.defineXML(definition('one').replace('<memory>', f'<description>{text}</description><memory>'))
        for _ in range(5):
            self.assertIn(text, conn.lookupByName('one').XMLDesc())
        conn.close()

    def test_not_tls(self):
        silent = socket.create_connection(('127.0.0.1', self.port))
        plain = socket.create_connection(('127.0.0.1', self.port))
        plain.settimeout(waiting.PATIENCE)
        plain.sendall(packet(66))
        # An alert may come; what does not is an answer.
        try:
            data = plain.recv(1000)
        except ConnectionResetError:
            data = b''
        self.assertTrue(not data or data[0] == 0x15)
        self.virsh(self.uri(self.good), 'list')
        silent.close()
        plain.close()
        self.assertEqual(self.one.end(), 0)


class Tcp(tool.Case):
    def test_loopback(self):
        port = free_port()
        self.daemon('--listen-tcp', f'127.0.0.1:{port}')
        self.virsh(f'qemu+tcp://127.0.0.1:{port}/system', 'list', '--all')


if __name__ == '__main__':
    if not tool.VIRSH:
        print('1..0 # SKIP virsh is not installed')
        sys.exit(77)
    unittest.main(verbosity=2)
