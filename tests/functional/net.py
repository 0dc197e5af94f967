# SPDX-License-Identifier: GPL-2.0-or-later
"""Hosts and guests as network namespaces, for tests of networks.

A test runs in a namespace of its own (enter()), which is the host. Guests are namespaces with one end of a cable
whose other end is in a bridge, and a DHCP client. Nothing of the machine's own network is touched.
"""
import contextlib
import os
import shutil
import signal
import subprocess
import sys

import daemon as tool
import waiting
from waiting import wait_for

NEEDED = ('ip', 'nft', 'dnsmasq', 'busybox', 'unshare', 'nsenter', 'virsh')

DHCP_SCRIPT = '''#!/bin/sh
case $1 in
bound|renew)
	ip -4 addr flush dev $interface
	ip addr add $ip/$mask dev $interface
	[ -z "$router" ] || ip route replace default via $router
	env >$ENV_FILE
	;;
esac
exit 0
'''


def enter(private=None, needed=()):
    """Go on in a namespace of our own, or end: what this needs is not here. A folder may be private, too."""
    if os.environ.get('SOCLE_NET_INSIDE'):
        subprocess.run(['ip', 'link', 'set', 'lo', 'up'], check=True)
        if private:
            os.makedirs(private, exist_ok=True)
            subprocess.run(['mount', '-t', 'tmpfs', 'none', private], check=True)
        return
    path = os.environ['PATH'] + ':/usr/sbin:/sbin'
    missing = [name for name in (*NEEDED, *needed) if not shutil.which(name, path=path)]
    if os.geteuid() != 0 or missing:
        print('skipped:', 'not root' if os.geteuid() else f'there is no {", ".join(missing)}')
        sys.exit(77)
    os.environ['PATH'] = path
    os.environ['SOCLE_NET_INSIDE'] = '1'
    os.execvp('unshare', ['unshare', '-n', *(['-m'] if private else []), sys.executable, *sys.argv])


def run(*words, check=True, **more):
    return subprocess.run(words, check=check, capture_output=True, text=True, stdin=subprocess.DEVNULL,
                          timeout=waiting.PATIENCE, **more).stdout


def nft(text):
    subprocess.run(['nft', '-f', '-'], input=text, text=True, check=True, timeout=waiting.PATIENCE)


class Space:
    """A network namespace, by a process that lives in it."""

    def __init__(self):
        self.process = subprocess.Popen(['unshare', '-n', 'sleep', 'infinity'])
        own = os.readlink('/proc/self/ns/net')
        wait_for(lambda: os.readlink(f'/proc/{self.process.pid}/ns/net') != own, 'a namespace')
        self.run('ip', 'link', 'set', 'lo', 'up')

    def words(self, *words):
        return ['nsenter', '-t', str(self.process.pid), '-n', *words]

    def run(self, *words, check=True, **more):
        return run(*self.words(*words), check=check, **more)

    def cable(self, name, inside, bridge=None):
        """A cable from the host's end, which may be in a bridge, to this namespace."""
        run('ip', 'link', 'add', name, 'type', 'veth', 'peer', 'name', inside, 'netns',
            str(self.process.pid))
        if bridge:
            run('ip', 'link', 'set', name, 'master', bridge)
        run('ip', 'link', 'set', name, 'up')
        self.run('ip', 'link', 'set', inside, 'up')

    def end(self):
        self.process.kill()
        self.process.wait()


class Guest(Space):
    count = 0

    def __init__(self, case, bridge, name='guest', mac=None):
        super().__init__()
        case.addCleanup(self.end)
        Guest.count += 1
        self.name = name
        self.tap = f'tap{Guest.count}'
        self.env = os.path.join(case.dir, f'{self.tap}.env')
        self.script = os.path.join(case.dir, 'dhcp-script')
        if not os.path.exists(self.script):
            with open(self.script, 'w', encoding='ascii') as file:
                file.write(DHCP_SCRIPT)
            os.chmod(self.script, 0o755)
        self.cable(self.tap, 'eth0', bridge)
        if mac:
            self.run('ip', 'link', 'set', 'eth0', 'address', mac)
        self.told = {}

    def dhcp(self, *words):
        """Ask for an address, and return it."""
        self.run('busybox', 'udhcpc', '-i', 'eth0', '-n', '-q', '-f', '-t', '20', '-T', '1', '-s', self.script,
                 '-x', f'hostname:{self.name}', '-O', '42', *words, env={**os.environ, 'ENV_FILE': self.env})
        with open(self.env, encoding='utf-8') as file:
            self.told = dict(line.rstrip('\n').split('=', 1) for line in file if '=' in line)
        return self.told['ip']

    def reaches(self, address, count=1):
        return subprocess.run(self.words('busybox', 'ping', '-c', str(count), '-W', '2', address),
                              capture_output=True, check=False, timeout=waiting.PATIENCE).returncode == 0

    def resolve(self, name, server):
        out = self.run('busybox', 'nslookup', name, server, check=False)
        return [line.split()[-1] for line in out.splitlines()[2:] if line.startswith('Address')]


class World(Space):
    """What is behind the host: 203.0.113.1 is the host's, .2 somebody out there, who knows no guests."""

    def __init__(self, case):
        super().__init__()
        case.addCleanup(self.end)
        self.cable('out0', 'eth0')
        run('ip', 'addr', 'add', '203.0.113.1/24', 'dev', 'out0')
        run('ip', 'addr', 'add', '2001:db8:1::1/64', 'dev', 'out0', 'nodad')
        self.run('ip', 'addr', 'add', '203.0.113.2/24', 'dev', 'eth0')
        self.run('ip', 'addr', 'add', '2001:db8:1::2/64', 'dev', 'eth0', 'nodad')

    def end(self):
        super().end()
        run('ip', 'link', 'del', 'out0', check=False)


class Server:
    """Something that listens in a namespace, and says its name to who comes."""

    def __init__(self, case, space, port, word):
        program = ('import socket\ns = socket.create_server(("", %d))\nprint("ready", flush=True)\n'
                   'while True:\n    c, a = s.accept()\n    c.sendall(b"%s " + a[0].encode())\n'
                   '    c.close()\n' % (port, word))
        self.process = subprocess.Popen(space.words(sys.executable, '-c', program), stdout=subprocess.PIPE)
        case.addCleanup(self.end)
        self.process.stdout.readline()

    def end(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


def ask(space, address, port):
    """What the server there says to somebody in the namespace (None: the host)."""
    program = (f'import socket\ns = socket.create_connection(("{address}", {port}), 3)\n'
               's.settimeout(3)\nprint(s.recv(100).decode())\n')
    words = [sys.executable, '-c', program]
    out = subprocess.run(space.words(*words) if space else words, capture_output=True, text=True, check=False,
                         timeout=waiting.PATIENCE)
    return out.stdout.strip()


class Case(tool.Case):
    """A daemon of a system in this namespace."""

    def setUp(self):
        super().setUp()
        # dnsmasq is another user, and reads its files.
        os.chmod(self.dir, 0o755)
        self.addCleanup(self.clear)
        self.one = self.daemon()
        self.uri = self.one.uri()

    def daemon(self, *words, **more):
        return super().daemon('--run', os.path.join(self.dir, 'run'), *words, **more)

    def clear(self):
        """What a test that failed has left."""
        self.end_all()
        for pid in self.dnsmasqs():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        run('nft', 'flush', 'ruleset')
        for line in run('ip', '-o', 'link').splitlines():
            name = line.split(': ')[1].split('@')[0]
            if name != 'lo':
                run('ip', 'link', 'del', name, check=False)

    def dnsmasqs(self):
        """Processes of dnsmasq that belong to this test."""
        found = []
        for pid in filter(str.isdigit, os.listdir('/proc')):
            try:
                with open(f'/proc/{pid}/cmdline', 'rb') as file:
                    if f'--conf-file={self.dir}/'.encode() in file.read():
                        found.append(int(pid))
            except OSError:
                pass
        return found

    def net(self, *words, status=0):
        return self.virsh(self.uri, *words, status=status)

    def make(self, xml, name):
        path = os.path.join(self.dir, f'{name}.xml')
        with open(path, 'w', encoding='utf-8') as file:
            file.write(xml)
        self.net('net-define', path)
        self.net('net-start', name)

    def again(self):
        """The daemon is killed, and another one comes."""
        self.one.end(signal.SIGKILL)
        self.one.start()

    def left(self):
        """What there is of networks on this host."""
        links = [line.split(': ')[1] for line in run('ip', '-o', 'link').splitlines()]
        return ([name for name in links if not name.startswith(('lo', 'out0', 'tap'))], self.dnsmasqs(),
                [line for line in run('nft', 'list', 'ruleset').splitlines() if 'socle' in line or 'virbr' in line])
