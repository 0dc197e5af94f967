#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A lab of stock Debians on the software engine: made by socle create and virt-install, cloned by both tools.

Each of them boots by GRUB from the image of tools/guest-image, learns from a CD who it is, has an address
from the network 'default', knows its neighbour's name, and answers ssh over the bridge, whatever becomes of
the daemon, of dnsmasq and of the host's firewall. All of it happens in a network namespace.
Environment: that of daemon.py; SOCLE the command line. Ends with 77 where something is missing.
"""
import contextlib
import os
import pty
import re
import signal
import subprocess
import sys
import threading
import time
import unittest

import net
from net import nft, run, World
import waiting
from waiting import wait_for

TOOLS = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..', 'tools')
SOCLE = os.environ['SOCLE']
LIBVIRT = '/var/lib/libvirt'
IMAGES = f'{LIBVIRT}/images'
BEGIN = time.monotonic()
# Two first boots side by side take a minute and a half, but a busy machine stretches them.
waiting.PATIENCE = float(os.environ.get('SOCLE_PATIENCE', '400'))

USER_DATA = '''#cloud-config
write_files:
- path: /etc/lab
  content: "user-data was read"
runcmd:
- [touch, /var/lib/lab-ran]
'''
META_DATA = '''instance-id: lab-two
local-hostname: two
'''
FORWARDS = '''<metadata><f:forwards xmlns:f='urn:socle:network'>
<f:forward proto='tcp' port='2222' to='192.168.122.50' to-port='22'/></f:forwards></metadata>'''
DOCKER = '''table ip filter {
	chain FORWARD { type filter hook forward priority filter; policy drop; }
	chain INPUT { type filter hook input priority filter; policy accept; }
}
'''
FIREWALLD = '''table inet firewalld {
	chain filter_INPUT { type filter hook input priority filter + 10; policy accept;
		ct state { established, related } accept
		iifname "lo" accept
		reject with icmpx admin-prohibited
	}
	chain filter_FORWARD { type filter hook forward priority filter + 10; policy accept;
		ct state { established, related } accept
		reject with icmpx admin-prohibited
	}
}
'''


def image():
    """The folder with the image, or None."""
    made = subprocess.run([os.path.join(TOOLS, 'guest-image'), 'debian'], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, check=False)
    return made.stdout.decode().strip() if made.returncode == 0 else None


def say(what):
    print(f'{time.monotonic() - BEGIN:6.1f} {what}', file=sys.stderr, flush=True)


class Console:
    """What a machine says on its serial port from its start on."""

    def __init__(self, case, name):
        pid, self.fd = pty.fork()
        if not pid:
            os.execvp('virsh', ['virsh', '-c', case.uri, 'console', name, '--force'])
        self.pid = pid
        self.said = b''
        self.thread = threading.Thread(target=self.read, daemon=True)
        self.thread.start()
        case.addCleanup(self.end)

    def read(self):
        with contextlib.suppress(OSError):
            while data := os.read(self.fd, 4096):
                self.said += data

    def end(self):
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        self.thread.join()
        os.close(self.fd)


class Session:
    """A shell over ssh that repeats what it is told: it is there as long as its connection is."""

    def __init__(self, case, words):
        self.process = subprocess.Popen([*words, 'while read -r line; do echo "got $line"; done'],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.case = case
        self.count = 0
        case.addCleanup(self.end)

    def check(self):
        self.count += 1
        self.process.stdin.write(f'{self.count}\n')
        self.process.stdin.flush()
        self.case.assertEqual(self.process.stdout.readline(), f'got {self.count}\n')

    def end(self):
        self.process.kill()
        self.process.communicate()


class Machine:
    """One guest, by name, reached by ssh over the bridge."""

    def __init__(self, case, name, host=None, key=None, user='debian'):
        self.case = case
        self.name = name
        self.host = host or name
        self.user = user
        self.key = key or case.path('key')
        self.console = Console(case, name)
        self.address = None

    def mac(self):
        return re.search('(?:[0-9a-f]{2}:){5}[0-9a-f]{2}', self.case.net('domiflist', self.name))[0]

    def words(self, address=None, port=22):
        return ['ssh', '-q', '-i', self.key, '-o', 'StrictHostKeyChecking=no', '-o', 'UserKnownHostsFile=/dev/null',
                '-o', 'ConnectTimeout=60', '-o', 'BatchMode=yes', '-p', str(port), f'{self.user}@{address or self.address}']

    def ssh(self, command):
        result = subprocess.run([*self.words(), command], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                                check=False, timeout=waiting.PATIENCE)
        self.case.assertEqual(result.returncode, 0, (self.name, command, result.stdout, result.stderr))
        return result.stdout

    def wait(self, command, what):
        """Until that succeeds in the guest."""
        wait_for(lambda: time.sleep(0.5) or subprocess.run(
            [*self.words(), command], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, check=False).returncode == 0, f'{self.name}: {what}')

    def comes_up(self):
        """It has an address of the network's, a login prompt and an ear for ssh."""
        mac = self.mac()
        self.address = wait_for(lambda: time.sleep(0.2) or re.search(
            rf'{mac} +ipv4 +(192\.168\.122\.\d+)/24', self.case.net('domifaddr', self.name)),
            f'an address of {self.name}')[1]
        say(f'{self.name} is {self.address}')
        prompt = f'{self.host} login: '.encode()
        try:
            wait_for(lambda: time.sleep(0.1) or prompt in self.console.said, f"{self.name}'s login prompt")
        except AssertionError as error:
            raise AssertionError(f'{error}: {self.console.said[-3000:].decode("latin1")}') from None
        say(f'{self.name} has its login prompt')
        self.wait('true', 'ssh')
        self.case.assertIn(self.address, self.case.socle('vm', 'addresses', self.name))
        self.case.assertRegex(self.case.net('net-dhcp-leases', 'default'), rf'{self.address}/24 +{self.host} ')

    def identity(self):
        """What no other machine may have."""
        words = self.ssh('cat /etc/machine-id /sys/class/net/e*/address; hostname; '
                         'cut -d" " -f2 /etc/ssh/ssh_host_ed25519_key.pub; '
                         'sudo cat /sys/class/dmi/id/product_uuid').split()
        found = dict(zip(('machine-id', 'mac', 'hostname', 'host key', 'uuid'), words))
        self.case.assertEqual(found['uuid'], self.case.net('domuuid', self.name).strip())
        return found

    def knows(self, other):
        self.case.assertEqual(self.ssh(f'getent hosts {other.host}').split()[0], other.address)

    def stop(self):
        self.case.net('shutdown', self.name)
        wait_for(lambda: time.sleep(0.2) or 'shut off' in self.case.net('domstate', self.name), f'the end of {self.name}')


class Lab(net.Case):
    def setUp(self):
        super().setUp()
        for name in ('images', 'boot'):
            os.makedirs(os.path.join(LIBVIRT, name), exist_ok=True)
        self.folder = image()
        run('ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-f', self.path('key'))
        for name, text in (('user-data', USER_DATA), ('meta-data', META_DATA)):
            self.write(name, text)

    def path(self, name):
        return os.path.join(self.dir, name)

    def client(self, *words):
        result = subprocess.run(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                text=True, check=False, timeout=waiting.PATIENCE,
                                env={**os.environ, 'HOME': self.dir, 'LC_ALL': 'C.UTF-8'})
        self.assertEqual(result.returncode, 0, (words, result.stdout))
        return result.stdout

    def socle(self, *words):
        return self.client(SOCLE, '-c', self.uri, *words)

    def make_network(self):
        """The network 'default' as it is, but that one machine has its address, and a port of the host."""
        xml = self.net('net-dumpxml', 'default')
        xml = xml.replace('<forward ', FORWARDS + '<forward ', 1).replace(
            '<range ', "<host mac='52:54:00:00:00:50' ip='192.168.122.50'/><range ", 1)
        self.net('net-define', self.write('default.xml', xml))

    def make_two(self):
        """One by socle create, with a volume of the image; one by virt-install, with a copy."""
        disk = os.path.join(self.folder, 'disk.img')
        self.socle('pool', 'define-as', 'default', '--target', IMAGES, '--build', '--start')
        self.socle('vol', 'create-as', 'default', 'debian-12.img', '2G', '--format', 'raw')
        self.socle('vol', 'upload', 'default/debian-12.img', disk)
        self.socle('create', 'one', '--image', 'debian-12', '--memory', '512M', '--disk', 'size=3G', '--network',
                   'default,mac=52:54:00:00:00:50', '--ssh-key', self.path('key.pub'), '--user-data',
                   self.path('user-data'))
        one = Machine(self, 'one')
        run('cp', '--sparse=always', disk, f'{IMAGES}/two.img')
        self.client('virt-install', '--connect', self.uri, '--import', '--disk', f'path={IMAGES}/two.img',
                    '--os-variant', 'debian11', '--ram', '512', '--name', 'two', '--noautoconsole', '--cloud-init',
                    f'clouduser-ssh-key={self.path("key.pub")},meta-data={self.path("meta-data")}')
        return one, Machine(self, 'two')

    def check_seed(self, one, two):
        """They are who the CD says."""
        one.wait('test -e /var/lib/lab-ran', 'its user-data')
        self.assertEqual(one.ssh('cat /etc/lab; hostname').split('\n'), ['user-data was read' + 'one', ''])
        self.assertEqual(two.ssh('hostname').strip(), 'two')
        size = int(one.ssh('df --output=size -B1M / | tail -n 1'))
        self.assertGreater(size, 2600, 'the file system has not grown with the disk')

    def check_forward(self, world, one):
        said = subprocess.run(world.words(*one.words('203.0.113.1', 2222), 'hostname'), capture_output=True,
                              text=True, check=False, timeout=waiting.PATIENCE, stdin=subprocess.DEVNULL)
        self.assertEqual(said.stdout, 'one\n', said.stderr)

    def restarted(self, number):
        self.one.end(number)
        self.one.start()

    def killed_dnsmasq(self):
        old = self.dnsmasqs()
        self.assertEqual(len(old), 1)
        os.kill(old[0], signal.SIGKILL)
        wait_for(lambda: self.dnsmasqs() and self.dnsmasqs() != old, 'another dnsmasq')

    def check_disturbed(self, world, one, two):
        """Connections over the bridge, past a forwarded port and from guest to world outlive all that happens."""
        sessions = [Session(self, one.words()), Session(self, two.words()),
                    Session(self, world.words(*one.words('203.0.113.1', 2222)))]
        leases = self.net('net-dhcp-leases', 'default')
        for what, happens in (
                ('nothing', lambda: None),
                ("Docker's rules", lambda: nft(DOCKER)), ("firewalld's rules", lambda: nft(FIREWALLD)),
                ('restart of socled', lambda: self.restarted(signal.SIGTERM)),
                ('kill -9 of socled', lambda: self.restarted(signal.SIGKILL)),
                ('kill -9 of dnsmasq', self.killed_dnsmasq),
                ("firewalld's rules anew", lambda: nft('delete table inet firewalld\n' + FIREWALLD))):
            happens()
            for session in sessions:
                session.check()
            self.assertEqual(self.net('net-dhcp-leases', 'default'), leases, what)
            self.assertEqual(self.net('domstate', 'one').strip(), 'running')
            say(f'connections are there after {what}')
        one.knows(two)
        two.knows(one)
        self.check_forward(world, one)
        one.ssh('sudo ping -c 1 -W 20 203.0.113.2')
        for session in sessions:
            session.end()

    def clone_two(self, before):
        self.socle('clone', 'one', 'three')
        self.socle('start', 'three')
        three = Machine(self, 'three')
        self.client('virt-clone', '--connect', self.uri, '--original', 'two', '--auto-clone')
        self.net('start', 'two-clone')
        # Nobody has told it that it is another one.
        four = Machine(self, 'two-clone', host='two')
        for machine in (three, four):
            machine.comes_up()
        self.assertNotEqual(three.address, four.address)
        three.knows(four)
        four.knows(three)
        one, two = before
        other = three.identity()
        self.assertEqual([what for what in one if one[what] == other[what]], [])
        self.assertEqual(other['hostname'], 'three')
        other = four.identity()
        self.assertNotEqual((two['mac'], two['uuid']), (other['mac'], other['uuid']))
        return three, four

    def test_lab(self):
        world = World(self)
        self.make_network()
        one, two = self.make_two()
        for machine in (one, two):
            machine.comes_up()
        self.assertEqual(one.address, '192.168.122.50')
        self.check_seed(one, two)
        one.knows(two)
        two.knows(one)
        before = [machine.identity() for machine in (one, two)]
        self.assertEqual([what for what in before[0] if before[0][what] == before[1][what]], [])
        self.assertEqual([machine.ssh('systemctl --failed --no-legend --plain') for machine in (one, two)], ['', ''])
        self.check_disturbed(world, one, two)
        for machine in (one, two):
            machine.stop()
        say('both have shut down')
        for machine in self.clone_two(before):
            machine.stop()


if __name__ == '__main__':
    net.enter(private=LIBVIRT, needed=('ssh', 'virt-install', 'virt-clone', 'xorriso'))
    if not image():
        print('skipped: there is no Debian image')
        sys.exit(77)
    unittest.main(verbosity=2)
