#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Networks of a system's daemon: guests get addresses and names and reach who they may, whatever else is going on."""
import contextlib
import json
import os
import random
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import time
import tty
import unittest

import net
import vm
from net import Guest, Server, Space, World, ask, nft, run
from daemon import definition
import waiting
from waiting import read_until, wait_for

SOCLE = os.environ.get('SOCLE')

NAT = '''<network><name>n</name><forward mode='nat'/><bridge name='virbr5'/>{more}
<ip address='10.5.0.1' prefix='24'>{ip}<dhcp><range start='10.5.0.50' end='10.5.0.250'/>{dhcp}</dhcp></ip>
</network>'''

# What Docker 28 makes: a policy of DROP, and chains that let its own networks through.
DOCKER = '''
table ip filter {
	chain DOCKER-USER { counter return; }
	chain DOCKER-FORWARD { iifname "docker0" counter accept; }
	chain FORWARD { type filter hook forward priority filter; policy drop;
		counter jump DOCKER-USER
		counter jump DOCKER-FORWARD
	}
	chain INPUT { type filter hook input priority filter; policy accept; }
}
'''

# What firewalld makes: what no zone knows is rejected at the end.
FIREWALLD = '''
table inet firewalld {
	chain filter_INPUT { type filter hook input priority filter + 10; policy accept;
		ct state { established, related } accept
		iifname "lo" accept
		ct state invalid drop
		reject with icmpx admin-prohibited
	}
	chain filter_FORWARD { type filter hook forward priority filter + 10; policy accept;
		ct state { established, related } accept
		ct state invalid drop
		reject with icmpx admin-prohibited
	}
	chain filter_OUTPUT { type filter hook output priority filter + 10; policy accept; }
}
'''


class Plain(net.Case):
    """The network 'default' of a host on which nothing else is going on."""

    def test_default(self):
        self.assertRegex(self.net('net-list', '--all'), r'default +inactive +no +yes')
        self.net('net-start', 'default')
        self.assertRegex(self.net('net-info', 'default'), r'Bridge: +virbr0')
        world = World(self)
        one, two = Guest(self, 'virbr0', 'one'), Guest(self, 'virbr0', 'two')
        first, second = one.dhcp(), two.dhcp()
        self.assertRegex(first, r'^192\.168\.122\.\d+$')
        self.assertTrue(one.reaches(second))
        self.assertTrue(one.reaches('203.0.113.2'))
        # From outside nobody comes in.
        world.run('ip', 'route', 'add', '192.168.122.0/24', 'via', '203.0.113.1')
        Server(self, one, 80, 'one')
        self.assertEqual(ask(world, first, 80), '')
        self.assertEqual(ask(two, first, 80), f'one {second}')
        # Names of guests.
        self.assertEqual(two.resolve('one', '192.168.122.1'), [first])
        leases = self.net('net-dhcp-leases', 'default')
        self.assertRegex(leases, rf'ipv4 +{first}/24 +one ')
        self.assertRegex(leases, rf'ipv4 +{second}/24 +two ')
        self.net('net-destroy', 'default')
        self.assertEqual(self.left(), ([], [], []))
        self.assertFalse(os.listdir(os.path.join(self.dir, 'run', 'networks')))
        # The leases are there when it comes back, and go with its definition.
        self.net('net-start', 'default')
        run('ip', 'link', 'set', one.tap, 'master', 'virbr0')
        self.assertEqual(one.dhcp(), first)
        for verb in ('net-destroy', 'net-undefine'):
            self.assertTrue(os.listdir(os.path.join(self.dir, 'st', 'leases')))
            self.net(verb, 'default')
        self.assertFalse(os.listdir(os.path.join(self.dir, 'st', 'leases')))

    def test_same_identifier(self):
        # Guests of copied disks say that they are one and the same; their cards tell them apart.
        self.net('net-start', 'default')
        said = ('-x', '0x3d:ff00000001000200')
        one, two = Guest(self, 'virbr0', 'one'), Guest(self, 'virbr0', 'two')
        self.assertNotEqual(one.dhcp(*said), two.dhcp(*said))

    def test_taken(self):
        # Somebody has its addresses.
        run('ip', 'link', 'add', 'other', 'type', 'veth')
        run('ip', 'addr', 'add', '192.168.122.77/24', 'dev', 'other')
        said = self.net('net-start', 'default', status=1)
        self.assertIn("192.168.122.1/24 are in use by interface 'other' (192.168.122.77/24)", said)
        self.assertIn('give it another <ip>', said)
        run('ip', 'addr', 'flush', 'dev', 'other')
        run('ip', 'link', 'add', 'virbr0', 'type', 'bridge')
        self.assertIn("there is an interface 'virbr0' already", self.net('net-start', 'default', status=1))
        run('ip', 'link', 'del', 'virbr0')
        self.net('net-start', 'default')
        self.net('net-destroy', 'default')
        # Somebody has its route.
        run('ip', 'link', 'set', 'other', 'up')
        run('ip', 'addr', 'add', '192.0.2.1/24', 'dev', 'other')
        path = os.path.join(self.dir, 'n.xml')
        with open(path, 'w', encoding='utf-8') as file:
            file.write(NAT.format(more="<route address='192.0.2.0' prefix='24' gateway='10.5.0.9'/>", ip='', dhcp=''))
        self.net('net-define', path)
        self.assertIn("the way to 192.0.2.0/24 leads over interface 'other' already",
                      self.net('net-start', 'n', status=1))
        run('ip', 'addr', 'flush', 'dev', 'other')
        self.net('net-start', 'n')
        self.again()
        self.assertIn('192.0.2.0/24 via 10.5.0.9 dev virbr5', run('ip', 'route'))
        self.assertNotIn('should be', self.one.said())
        self.net('net-destroy', 'n')
        self.assertEqual(run('ip', 'route'), '')
        run('ip', 'link', 'del', 'other')

    def test_busy(self):
        # Somebody answers for all interfaces.
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as busy:
            busy.bind(('0.0.0.0', 67))
            said = self.net('net-start', 'default', status=1)
            self.assertIn('Address already in use', said)
            self.assertIn("which 'ss -lnptu' shows", said)
            self.assertEqual(self.left(), ([], [], []))
        self.net('net-start', 'default')

    def test_default_elsewhere(self):
        # Where 192.168.122.0/24 is in use already, the first start takes the next.
        self.one.end()
        run('ip', 'link', 'add', 'other', 'type', 'veth')
        run('ip', 'addr', 'add', '192.168.122.77/24', 'dev', 'other')
        two = net.tool.Daemon(os.path.join(self.dir, 'two'), '--run', os.path.join(self.dir, 'two', 'run'))
        os.mkdir(two.folder)
        self.daemons.append(two)
        two.start()
        self.assertIn("address='192.168.123.1'", self.virsh(two.uri(), 'net-dumpxml', 'default'))
        self.virsh(two.uri(), 'net-undefine', 'default')
        # Who does not want it is not asked again.
        two.end()
        two.start()
        self.assertNotIn('default', self.virsh(two.uri(), 'net-list', '--all'))
        run('ip', 'link', 'del', 'other')

    def test_no_dnsmasq(self):
        self.one.end()
        tools = os.path.join(self.dir, 'tools')
        os.mkdir(tools)
        # A host without dnsmasq: its file is hidden from this daemon.
        words = self.one.words
        self.one.env = {**os.environ, 'PATH': tools}
        with open(self.one.log, 'a', encoding='utf-8') as log:
            self.one.starts = self.one.said().count('ready at')
            self.one.process = subprocess.Popen(
                ['/usr/bin/unshare', '-m', '/bin/sh', '-c',
                 '/bin/mount --bind /dev/null /usr/sbin/dnsmasq && exec "$@"', 'sh',
                 net.tool.SOCLED, '--state', os.path.join(self.dir, 'st'), '--listen', self.one.socket, '--vm',
                 net.tool.VM, *words], stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self.one.env)
        wait_for(self.one.listens, 'the daemon listens')
        said = self.net('net-start', 'default', status=1)
        self.assertIn("there is no program 'dnsmasq'", said)
        self.assertIn('install the package dnsmasq-base', said)
        self.assertEqual(self.left(), ([], [], []))

    def test_others_rules(self):
        """A start that fails since the bridge is somebody else's leaves him his rules."""
        run('ip', 'link', 'add', 'virbr5', 'type', 'bridge')
        nft('table ip filter { chain FORWARD { type filter hook forward priority 0; policy drop; '
            'iifname "virbr5" counter accept; }; }\ntable inet socle_virbr5 { chain forward { accept; }; }')
        before = run('nft', 'list', 'ruleset')
        self.net('net-define', self.write('n.xml', NAT.format(more='', ip='', dhcp='')))
        self.assertIn("which is not this network's", self.net('net-start', 'n', status=1))
        self.assertEqual(run('nft', 'list', 'ruleset'), before)

    def test_dnsmasq_fails(self):
        """Nothing is left of a start whose dnsmasq cannot be: not watched, not started, without its files."""
        folder = os.path.join(self.dir, 'run', 'networks')
        self.net('net-define', self.write('n.xml', NAT.format(more='', ip='', dhcp='')))
        uuid = self.net('net-uuid', 'n').strip()
        # It ends at once, since a file is in the way of its leases.
        leases = os.path.join(self.dir, 'st', 'leases', f'{uuid}.leases')
        os.makedirs(leases)
        self.assertIn('dnsmasq ends at once', self.net('net-start', 'n', status=1))
        self.assertEqual((self.left(), os.listdir(folder)), (([], [], []), []))
        os.rmdir(leases)
        # It has no log, or no names: what was written before goes, too.
        for name in ('log', 'names'):
            os.makedirs(os.path.join(folder, uuid, name))
            self.assertIn(name, self.net('net-start', 'n', status=1))
            self.assertEqual((self.left(), os.listdir(os.path.join(folder, uuid))), (([], [], []), [name]))
            shutil.rmtree(folder)
        self.net('net-start', 'n')
        self.net('net-destroy', 'n')
        self.assertEqual((self.left(), os.listdir(folder)), (([], [], []), []))

    def test_options(self):
        root = os.path.join(self.dir, 'boot, all')
        os.mkdir(root)
        with open(os.path.join(root, 'loader'), 'w', encoding='ascii') as file:
            file.write('boot me\n')
        os.chmod(os.path.join(root, 'loader'), 0o644)
        more = """<domain name='lab.test' localOnly='yes'/><dns><txt name='t' value='a, b'/>
            <srv service='http' protocol='tcp' domain='lab.test' target='db.lab.test' port='80'/>
            <host ip='10.5.0.9'><hostname>db</hostname><hostname>db.lab.test</hostname></host></dns>"""
        options = """<dnsmasq:options xmlns:dnsmasq='http://libvirt.org/schemas/network/dnsmasq/1.0'>
            <dnsmasq:option value='dhcp-option=42,10.5.0.3'/></dnsmasq:options>"""
        self.make(NAT.format(more=more, ip=f"<tftp root='{root}'/>", dhcp="""
            <host mac='52:54:00:00:05:01' name='fixed' ip='10.5.0.11'/>
            <bootp file='loader' server='10.5.0.1'/>""").replace('</network>', options + '</network>'), 'n')
        guest = Guest(self, 'virbr5', 'whoever', mac='52:54:00:00:05:01')
        self.assertEqual(guest.dhcp(), '10.5.0.11')
        told = guest.told
        self.assertEqual((told['hostname'], told['domain'], told['dns'], told['router'], told['boot_file'],
                          told['ntpsrv']),
                         ('fixed', 'lab.test', '10.5.0.1', '10.5.0.1', 'loader', '10.5.0.3'))
        self.assertEqual(guest.resolve('db.lab.test', '10.5.0.1'), ['10.5.0.9'])
        self.assertEqual(guest.resolve('fixed.lab.test', '10.5.0.1'), ['10.5.0.11'])
        self.assertEqual(guest.run('busybox', 'tftp', '-g', '-r', 'loader', '-l', '/dev/stdout', '10.5.0.1'),
                         'boot me\n')
        # A host that is added is known at once, and by the next daemon.
        self.net('net-update', 'n', 'add', 'ip-dhcp-host',
                 "<host mac='52:54:00:00:05:02' name='late' ip='10.5.0.12'/>", '--live', '--config')
        late = Guest(self, 'virbr5', 'x', mac='52:54:00:00:05:02')
        self.assertEqual(late.dhcp(), '10.5.0.12')
        self.net('net-update', 'n', 'delete', 'ip-dhcp-range', "<range start='10.5.0.50' end='10.5.0.250'/>",
                 '--live')
        self.net('net-update', 'n', 'add', 'ip-dhcp-range', "<range start='10.5.0.30' end='10.5.0.40'/>", '--live')
        other = Guest(self, 'virbr5', 'other')
        self.assertIn(int(other.dhcp().split('.')[3]), range(30, 41))

    def test_kinds(self):
        world = World(self)
        world.run('ip', 'route', 'add', '10.6.0.0/16', 'via', '203.0.113.1')
        for mode, out, back in (('', False, False), ("<forward mode='route'/>", True, True),
                                ("<forward mode='open'/>", True, True)):
            self.make(f"""<network><name>k</name>{mode}<bridge name='virbr6'/><ip address='10.6.0.1' prefix='24'>
                <dhcp><range start='10.6.0.2' end='10.6.0.9'/></dhcp></ip></network>""", 'k')
            guest = Guest(self, 'virbr6')
            address = guest.dhcp()
            self.assertTrue(guest.reaches('10.6.0.1'), mode)
            self.assertEqual(guest.reaches('203.0.113.2'), out, mode)
            guest.run('ip', 'route', 'replace', 'default', 'via', '10.6.0.1')
            self.assertEqual(guest.reaches('203.0.113.2'), out, mode)
            reached = subprocess.run(world.words('busybox', 'ping', '-c1', '-W2', address), check=False,
                                     capture_output=True).returncode == 0
            self.assertEqual(reached, back, mode)
            self.net('net-destroy', 'k')
            self.net('net-undefine', 'k')
            guest.end()
        self.assertEqual(self.left()[0], [])

    def test_six(self):
        world = World(self)
        self.make("""<network><name>six</name><forward mode='nat'><nat ipv6='yes'/></forward>
            <bridge name='virbr7'/><ip address='10.7.0.1' prefix='24'/>
            <ip family='ipv6' address='fd00:7::1' prefix='64'/></network>""", 'six')
        guest = Guest(self, 'virbr7')
        has = wait_for(lambda: [word for word in guest.run('ip', '-6', 'addr').split() if 'fd00:7:' in word],
                       'the guest has an address by advertisement')
        self.assertRegex(has[0], '^fd00:7::.*/64$')
        wait_for(lambda: 'default' in guest.run('ip', '-6', 'route'), 'a way out')
        wait_for(lambda: guest.reaches('fd00:7::1'), 'the host is reached')
        wait_for(lambda: guest.reaches('2001:db8:1::2'), 'the world is reached')
        del world

    def test_router(self):
        """A host that has its way out from a router's advertisements does not lose it."""
        world = World(self)
        router = subprocess.Popen(
            world.words('dnsmasq', '--keep-in-foreground', '--port=0', '--conf-file=/dev/null', '--enable-ra',
                        '--dhcp-range=2001:db8:1::,ra-only', '--ra-param=eth0,2,60', '--interface=eth0',
                        '--pid-file=', '--leasefile-ro', '--log-facility=-'), stderr=subprocess.DEVNULL)
        self.addCleanup(router.wait)
        self.addCleanup(router.kill)
        wait_for(lambda: 'default' in run('ip', '-6', 'route'), 'the host has its way out')
        path = os.path.join(self.dir, 'six.xml')
        with open(path, 'w', encoding='utf-8') as file:
            file.write("""<network><name>six</name><forward mode='route'/><bridge name='virbr7'/>
                <ip family='ipv6' address='fd00:7::1' prefix='64'/></network>""")
        self.net('net-define', path)
        said = self.net('net-start', 'six', status=1)
        self.assertIn("would lose its IPv6 route over 'out0'", said)
        self.assertEqual(self.left(), ([], [], []))
        self.assertIn("by 'sysctl net.ipv6.conf.out0.accept_ra=2'", said)
        with open('/proc/sys/net/ipv6/conf/out0/accept_ra', 'w', encoding='ascii') as file:
            file.write('2')
        self.net('net-start', 'six')
        self.assertIn('default', run('ip', '-6', 'route'))

    def dhcp6(self, guest, duid, name):
        """Ask for an address by DHCPv6, and have it."""
        client = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'dhcp6-client.py')
        address = guest.run(sys.executable, client, 'eth0', duid, name).strip()
        guest.run('ip', 'addr', 'add', address + '/64', 'dev', 'eth0', 'nodad')
        return address

    def test_names_of_six(self):
        """Addresses by DHCPv6, and names both ways: A, AAAA, PTR."""
        self.make("""<network><name>six</name><domain name='lab.test'/><bridge name='virbr7'/>
            <dns><host ip='fd00:7::99'><hostname>db</hostname></host></dns>
            <ip address='10.7.0.1' prefix='24'><dhcp><range start='10.7.0.2' end='10.7.0.90'/></dhcp></ip>
            <ip family='ipv6' address='fd00:7::1' prefix='64'><dhcp><range start='fd00:7::100' end='fd00:7::1ff'/>
            <host id='0:3:0:1:52:54:0:0:7:1' name='fixed' ip='fd00:7::77'/></dhcp></ip></network>""", 'six')
        fixed, other = Guest(self, 'virbr7', mac='52:54:00:00:07:01'), Guest(self, 'virbr7', 'other')
        self.assertEqual(self.dhcp6(fixed, '00:03:00:01:52:54:00:00:07:01', 'whoever'), 'fd00:7::77')
        six = self.dhcp6(other, '00:03:00:01:52:54:00:00:07:02', 'other')
        self.assertRegex(six, '^fd00:7::1[0-9a-f]{2}$')
        four = other.dhcp()
        for name in ('other', 'other.lab.test'):
            self.assertEqual(sorted(other.resolve(name, '10.7.0.1')), sorted([four, six]))
        for name, address in (('fixed', 'fd00:7::77'), ('db.lab.test', 'fd00:7::99')):
            self.assertEqual(other.resolve(name, 'fd00:7::1'), [address])
        # A name that has no address of a kind has none, which is no error.
        self.assertNotIn('REFUSED', other.run('busybox', 'nslookup', 'fixed', '10.7.0.1', check=False))
        for name, address in (('other', four), ('other', six), ('fixed', 'fd00:7::77'), ('db', 'fd00:7::99')):
            self.assertIn(f'name = {name}.lab.test', other.run('busybox', 'nslookup', address, '10.7.0.1'))
        leases = self.net('net-dhcp-leases', 'six')
        self.assertRegex(leases, r'52:54:00:00:07:01 +ipv6 +fd00:7::77/64 +fixed ')
        self.assertRegex(leases, rf'52:54:00:00:07:02 +ipv6 +{six}/64 +other ')
        self.assertTrue(fixed.reaches(six))

    def test_few_of_six(self):
        """A network of IPv6 that is no /64, with hosts that are known only."""
        self.make("""<network><name>six</name><bridge name='virbr7'/><ip family='ipv6' address='fd00:7::1' prefix='112'>
            <dhcp><host id='0:3:0:1:52:54:0:0:7:1' name='fixed' ip='fd00:7::77'/></dhcp></ip></network>""", 'six')
        guest = Guest(self, 'virbr7')
        self.assertEqual(self.dhcp6(guest, '00:03:00:01:52:54:00:00:07:01', 'x'), 'fd00:7::77')

    def test_forwards(self):
        world = World(self)
        own = """<metadata><f:forwards xmlns:f='urn:socle:network'>
            <f:forward proto='tcp' port='2222' to='10.5.0.11' to-port='80'/>
            <f:forward proto='tcp' port='3000' end='3002' to='10.5.0.11'/></f:forwards></metadata>"""
        self.make(NAT.format(more=own, ip='', dhcp="<host mac='52:54:00:00:05:01' ip='10.5.0.11'/>"), 'n')
        guest = Guest(self, 'virbr5', mac='52:54:00:00:05:01')
        other = Guest(self, 'virbr5')
        guest.dhcp()
        other.dhcp()
        Server(self, guest, 80, 'web')
        Server(self, guest, 3001, 'more')
        self.assertEqual(ask(world, '203.0.113.1', 2222), 'web 203.0.113.2')
        self.assertEqual(ask(world, '203.0.113.1', 3001), 'more 203.0.113.2')
        self.assertEqual(ask(None, '203.0.113.1', 2222), 'web 203.0.113.1')
        self.assertEqual(ask(other, '203.0.113.1', 2222), 'web 10.5.0.1')
        self.assertEqual(ask(world, '203.0.113.1', 80), '')
        self.again()
        self.assertEqual(ask(world, '203.0.113.1', 2222), 'web 203.0.113.2')
        if SOCLE:
            self.forward_live(world)
        self.net('net-destroy', 'n')
        self.assertEqual(ask(world, '203.0.113.1', 2222), '')

    def forward_live(self, world):
        """Ports come and go while the network is active, and are there after its next start."""
        def forward(*words, status=0):
            result = subprocess.run([SOCLE, '-c', self.uri, 'net', 'forward', 'n', *words], capture_output=True,
                                    text=True, check=False, timeout=waiting.PATIENCE)
            self.assertEqual(result.returncode, status, result.stderr)
            return result.stdout + result.stderr
        self.assertEqual(forward('-o', 'name'), 'tcp::2222-10.5.0.11:80\ntcp::3000-10.5.0.11:3000\n')
        self.assertEqual(ask(world, '203.0.113.1', 4000), '')
        self.assertIn('forwards them', forward('4000-10.5.0.11:80', 'udp:203.0.113.1:53-10.5.0.11:53'))
        self.assertEqual(ask(world, '203.0.113.1', 4000), 'web 203.0.113.2')
        self.assertEqual(ask(world, '203.0.113.1', 3001), 'more 203.0.113.2')
        self.assertIn('port 4000 is forwarded twice', forward('4000-10.5.0.11:81', status=1))
        self.assertIn('is no forward; give one like', forward('4000', status=2))
        self.assertIn('does not forward', forward('--remove', '4001-10.5.0.11:80', status=3))
        forward('--remove', 'tcp::2222-10.5.0.11:80')
        self.assertEqual(ask(world, '203.0.113.1', 2222), '')
        self.net('net-destroy', 'n')
        self.net('net-start', 'n')
        listed = forward('-o', 'json')
        self.assertEqual([(one['protocol'], one['address'], one['port'], one['end']) for one in json.loads(listed)],
                         [('tcp', None, 3000, 3002), ('tcp', None, 4000, 4000), ('udp', '203.0.113.1', 53, 53)])


class Steps(net.Case):
    """Each system call of the main thread in a network's start fails once: nothing is left, and the next start works."""

    # Requests to the kernel, files, processes; not those of libnftables (1.0.6), which crashes if one fails.
    CALLS = ('write', 'mkdir', 'chmod', 'rename', 'openat', 'clone', 'clone3', 'vfork', 'pidfd_open')
    XML = NAT.format(more="<bandwidth><inbound average='1000'/></bandwidth>", ip='', dhcp='')

    def traced(self, *words):
        """Do it while strace holds the daemon's main thread; what it says."""
        out = os.path.join(self.dir, 'trace')
        tracer = subprocess.Popen(['strace', '-o', out, '-p', str(self.one.process.pid), *words],
                                  stderr=subprocess.PIPE, text=True)
        tracer.stderr.readline()
        subprocess.run([net.tool.VIRSH, '-c', self.uri, 'net-start', 'n'], capture_output=True, check=False,
                       timeout=waiting.PATIENCE)
        tracer.terminate()
        tracer.communicate(timeout=waiting.PATIENCE)
        with open(out, encoding='utf-8') as file:
            return file.read().splitlines()

    def cleared(self, what):
        """Whatever became of it, there is nothing when it is not active."""
        if ' n ' in self.net('net-list'):
            self.net('net-destroy', 'n')
        folder = os.path.join(self.dir, 'run', 'networks')
        self.assertEqual((self.left(), os.listdir(folder) if os.path.exists(folder) else []), (([], [], []), []), what)

    def test_each(self):
        if not os.environ.get('SOCLE_LONG') or not shutil.which('strace'):
            self.skipTest('takes a minute, and strace; SOCLE_LONG=1 runs it')
        self.net('net-define', self.write('n.xml', self.XML))
        lines = self.traced('-yy')
        self.cleared('nothing failed')
        count, tried = {}, 0
        for line in lines:
            name = line.split('(')[0]
            count[name] = count.get(name, 0) + 1
            if name not in self.CALLS or 'eventfd' in line:
                continue
            self.traced('-e', f'trace={name}', '-e', f'inject={name}:error=EIO:when={count[name]}')
            self.cleared(line)
            tried += 1
        print(f'{tried} system calls failed, one each time', file=sys.stderr)
        self.net('net-start', 'n')
        self.cleared('the last one')


class Limits(net.Case):
    """How much may go through a network."""

    SINK = ('import socket, sys, time\ns = socket.create_server(("", 9))\nprint("ready", flush=True)\n'
            'c = s.accept()[0]\nn = 0\nbegin = time.monotonic()\nwhile d := c.recv(65536): n += len(d)\n'
            'print(n, time.monotonic() - begin)\n')

    def rate(self, sender, receiver, address, size):
        """KiB in a second, from one space (None: the host) to another one."""
        def words(space, *words):
            return space.words(*words) if space else words
        sink = subprocess.Popen(words(receiver, sys.executable, '-c', self.SINK), stdout=subprocess.PIPE, text=True)
        sink.stdout.readline()
        subprocess.run(words(sender, sys.executable, '-c', f'import socket\n'
                             f's = socket.create_connection(("{address}", 9))\n'
                             f's.sendall(bytes({size}))\ns.close()\n'), check=True, timeout=waiting.PATIENCE)
        count, took = sink.communicate(timeout=waiting.PATIENCE)[0].split()
        self.assertEqual(int(count), size)
        return size / 1024 / float(took)

    def check(self, mode, world):
        self.make(NAT.format(more="""<bandwidth><inbound average='1024' peak='4096' burst='256'/>
            <outbound average='512' burst='64'/></bandwidth>""", ip='', dhcp='').replace('nat', mode), 'n')
        one, two = Guest(self, 'virbr5'), Guest(self, 'virbr5')
        address, other = one.dhcp(), two.dhcp()
        # A second's worth and the burst may come at once.
        said = {'out': self.rate(one, world, '203.0.113.2', 2 << 20),
                'host': self.rate(one, None, '10.5.0.1', 2 << 20),
                'in': self.rate(world, one, address, 4 << 20) if mode != 'nat' else 1024,
                'from-host': self.rate(None, one, address, 4 << 20)}
        print(mode, {way: round(rate) for way, rate in said.items()}, file=sys.stderr)
        for way, most in (('out', 512), ('host', 512), ('in', 1024), ('from-host', 1024)):
            self.assertGreater(said[way], most * 0.5, way)
            self.assertLess(said[way], most * 1.5, way)
        # Among themselves they are free, also where the bridge's frames go through the rules.
        self.assertGreater(self.rate(one, two, other, 8 << 20), 8192)
        self.net('net-destroy', 'n')
        self.assertEqual(self.left(), ([], [], []))
        one.end()
        two.end()

    def test_bandwidth(self):
        world = World(self)
        world.run('ip', 'route', 'add', '10.5.0.0/24', 'via', '203.0.113.1')
        for mode in ('nat', 'route', 'open'):
            self.check(mode, world)


class Hands(net.Case):
    """What somebody takes away by hand is made again."""

    def setUp(self):
        super().setUp()
        self.world = World(self)
        self.make(NAT.format(more="<bandwidth><inbound average='100000'/></bandwidth>", ip='', dhcp=''), 'n')
        self.guest = Guest(self, 'virbr5', 'g')
        self.address = self.guest.dhcp()

    def works(self):
        run('ip', 'link', 'set', self.guest.tap, 'master', 'virbr5')
        self.assertEqual(self.guest.dhcp(), self.address)
        self.assertTrue(self.guest.reaches('203.0.113.2'))

    def told(self, what):
        wait_for(lambda: what in self.one.said(), f'the daemon tells: {what}')

    def test_bridge(self):
        path = os.path.join(self.dir, 'm.xml')
        with open(path, 'w', encoding='utf-8') as file:
            file.write(definition('one', devices="<interface type='network'><source network='n'/></interface>"))
        self.net('define', path)
        self.net('start', 'one')
        for _ in range(3):
            run('ip', 'link', 'del', 'virbr5')
            # Machines that run are in it again.
            wait_for(lambda: ' master virbr5 ' in run('ip', '-o', 'link', 'show', 'vnet0'), 'the card is in it')
            self.works()
        self.assertIn('tbf', run('tc', 'qdisc', 'show', 'dev', 'virbr5'))
        self.net('destroy', 'one')
        self.net('net-destroy', 'n')
        self.assertEqual(self.left(), ([], [], []))

    def test_addresses(self):
        run('ip', 'addr', 'flush', 'dev', 'virbr5')
        wait_for(lambda: '10.5.0.1/24' in run('ip', 'addr', 'show', 'virbr5'), 'its address is there again')
        self.works()
        run('ip', 'link', 'set', 'virbr5', 'down')
        wait_for(lambda: ',UP' in run('ip', 'link', 'show', 'virbr5'), 'it is switched on again')
        self.works()

    def test_rules(self):
        before = run('nft', 'list', 'ruleset')
        for words in (('flush', 'table', 'inet', 'socle_virbr5'), ('delete', 'table', 'inet', 'socle_virbr5'),
                      ('flush', 'chain', 'inet', 'socle_virbr5', 'postrouting'), ('flush', 'ruleset')):
            run('nft', *words)
            wait_for(lambda: run('nft', 'list', 'ruleset') == before, 'the rules are there again')
            self.assertTrue(self.guest.reaches('203.0.113.2'))

    def test_taken(self):
        # Somebody has put his own in its place: that is told, and his stays.
        waiting.hold(self.one.process.pid)
        run('ip', 'link', 'del', 'virbr5')
        run('ip', 'link', 'add', 'virbr5', 'type', 'bridge')
        os.kill(self.one.process.pid, signal.SIGCONT)
        self.told("there is an interface 'virbr5' already, which is not this network's")
        run('ip', 'link', 'add', 'other', 'type', 'bridge')
        time.sleep(0.3)
        self.assertEqual(self.one.said().count("which is not this network's"), 1)
        run('ip', 'link', 'del', 'virbr5')
        wait_for(lambda: '10.5.0.1/24' in run('ip', 'addr', 'show', 'virbr5', check=False), 'ours is there')
        self.works()


class Neighbours(net.Case):
    """Others have rules, too."""

    def check(self, world, guest):
        address = guest.dhcp()
        self.assertTrue(guest.reaches('203.0.113.2'))
        self.assertEqual(guest.resolve('n-guest', '10.5.0.1'), [address])
        del world

    def through(self, rules, clear):
        world = World(self)
        # Before.
        nft(rules)
        self.make(NAT.format(more='', ip='', dhcp=''), 'n')
        guest = Guest(self, 'virbr5', 'n-guest')
        self.check(world, guest)
        # Anew, as at a restart of theirs.
        nft(clear + rules)
        wait_for(lambda: 'virbr5' in run('nft', 'list', 'chain', *self.chain), 'the door is open again')
        self.check(world, guest)
        # Others are not let through by us.
        self.assertEqual(run('nft', 'list', 'chain', *self.chain).count('accept'), self.accepts)
        self.net('net-destroy', 'n')
        self.assertEqual(self.left(), ([], [], []))
        nft(clear)
        # Behind.
        self.net('net-start', 'n')
        run('ip', 'link', 'set', guest.tap, 'master', 'virbr5')
        nft(rules)
        wait_for(lambda: 'virbr5' in run('nft', 'list', 'chain', *self.chain), 'the door is open again')
        self.check(world, guest)
        self.again()
        self.check(world, guest)
        self.net('net-destroy', 'n')
        self.assertEqual(self.left(), ([], [], []))

    def test_docker(self):
        self.chain, self.accepts = ('ip', 'filter', 'FORWARD'), 2
        self.through(DOCKER, 'table ip filter\ndelete table ip filter\n')

    def test_firewalld(self):
        self.chain, self.accepts = ('inet', 'firewalld', 'filter_FORWARD'), 4
        self.through(FIREWALLD, 'table inet firewalld\ndelete table inet firewalld\n')

    def test_iptables(self):
        # Programs that know iptables only can still read their tables.
        run('iptables', '-P', 'FORWARD', 'DROP')
        run('iptables', '-P', 'INPUT', 'DROP')
        run('iptables', '-A', 'INPUT', '-i', 'lo', '-j', 'ACCEPT')
        world = World(self)
        self.make(NAT.format(more='', ip='', dhcp=''), 'n')
        self.check(world, Guest(self, 'virbr5', 'n-guest'))
        said = run('iptables', '-S')
        self.assertRegex(said, r'-A FORWARD -i virbr5 .*-j ACCEPT')
        self.assertRegex(said, r'-A INPUT -i virbr5 -p udp (-m udp )?--dport 67 .*-j ACCEPT')
        run('iptables', '-I', 'FORWARD', '1', '-i', 'eth9', '-j', 'ACCEPT')
        self.net('net-destroy', 'n')
        self.assertEqual(run('iptables', '-S').splitlines(),
                         ['-P INPUT DROP', '-P FORWARD DROP', '-P OUTPUT ACCEPT', '-A INPUT -i lo -j ACCEPT',
                          '-A FORWARD -i eth9 -j ACCEPT'])

    @unittest.skipUnless(shutil.which('iptables-legacy'), 'there is no iptables-legacy')
    def test_legacy(self):
        # The old tables, which nftables does not show.
        if subprocess.run(['iptables-legacy', '-P', 'FORWARD', 'DROP'], check=False, capture_output=True).returncode:
            self.skipTest('this kernel has no tables of iptables')
        for words in (('-P', 'FORWARD', 'ACCEPT'), ('-P', 'INPUT', 'ACCEPT'), ('-F',)):
            self.addCleanup(run, 'iptables-legacy', *words)
        run('iptables-legacy', '-P', 'INPUT', 'DROP')
        run('iptables-legacy', '-A', 'INPUT', '-i', 'lo', '-j', 'ACCEPT')
        before = run('iptables-legacy', '-S')
        world = World(self)
        self.make(NAT.format(more='', ip='', dhcp=''), 'n')
        guest = Guest(self, 'virbr5', 'n-guest')
        self.check(world, guest)
        inside = run('iptables-legacy', '-S')
        self.again()
        self.assertEqual(run('iptables-legacy', '-S'), inside)
        # Flushed, and something happens to interfaces, as when Docker starts.
        run('iptables-legacy', '-F', 'FORWARD')
        run('ip', 'link', 'add', 'docker0', 'type', 'bridge')
        wait_for(lambda: 'virbr5' in run('iptables-legacy', '-S', 'FORWARD'), 'the door is open again')
        self.check(world, guest)
        self.net('net-destroy', 'n')
        self.assertEqual(run('iptables-legacy', '-S'), before)

    @unittest.skipUnless(os.path.exists('/proc/sys/net/bridge/bridge-nf-call-iptables'), 'there is no br_netfilter')
    def test_bridged(self):
        # Docker has the frames of all bridges go through its rules.
        with open('/proc/sys/net/bridge/bridge-nf-call-iptables', 'w', encoding='ascii') as file:
            file.write('1')
        run('ip', 'link', 'add', 'br9', 'type', 'bridge')
        run('ip', 'link', 'set', 'br9', 'up')
        nft(DOCKER)
        self.make("<network><name>b</name><forward mode='bridge'/><bridge name='br9'/></network>", 'b')
        one, two = Guest(self, 'br9'), Guest(self, 'br9')
        for guest, address in ((one, '10.9.0.1/24'), (two, '10.9.0.2/24')):
            guest.run('ip', 'addr', 'add', address, 'dev', 'eth0')
        self.assertTrue(one.reaches('10.9.0.2'))
        nft('table ip filter\ndelete table ip filter\n' + DOCKER)
        wait_for(lambda: 'br9' in run('nft', 'list', 'chain', 'ip', 'filter', 'FORWARD'), 'the door is open again')
        self.again()
        self.assertTrue(one.reaches('10.9.0.2'))
        self.net('net-destroy', 'b')
        self.assertNotIn('br9', run('nft', 'list', 'ruleset'))

    def test_flush(self):
        # Somebody takes everything away, as a restart of nftables' own service does.
        world = World(self)
        self.make(NAT.format(more='', ip='', dhcp=''), 'n')
        guest = Guest(self, 'virbr5', 'n-guest')
        self.check(world, guest)
        run('nft', 'flush', 'ruleset')
        wait_for(lambda: 'virbr5' in run('nft', 'list', 'ruleset'), 'our table is there again')
        self.check(world, guest)

    def test_own_chain(self):
        # An administrator's own chain is his: he is told.
        nft('table inet mine {\n chain f {\n type filter hook forward priority filter; policy drop;\n }\n}\n')
        self.make(NAT.format(more='', ip='', dhcp=''), 'n')
        self.assertIn('nft insert rule inet mine f iifname virbr5 accept', self.one.said())
        self.assertNotIn('virbr5', run('nft', 'list', 'table', 'inet', 'mine'))
        # Also of one that is loaded later, and hears no question of a guest.
        nft('table inet late {\n chain i {\n type filter hook input priority filter; policy drop;\n }\n}\n')
        wait_for(lambda: "nft insert rule inet late i iifname virbr5 udp dport '{ 53, 67, 69, 547 }' accept"
                 in self.one.said(), 'the other chain is told')

    def test_two_hosts(self):
        # Two daemons in two namespaces have the same names and addresses, and do not meet.
        other = Space()
        self.addCleanup(other.end)
        folder = os.path.join(self.dir, 'two')
        os.mkdir(folder, 0o755)
        two = net.tool.Daemon(folder, '--run', os.path.join(folder, 'run'))
        two.starts = 0
        with open(two.log, 'w', encoding='utf-8') as log:
            two.process = subprocess.Popen(
                other.words(net.tool.SOCLED, '--state', os.path.join(folder, 'st'), '--listen', two.socket, '--vm',
                            net.tool.VM, *two.words), stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.daemons.append(two)
        wait_for(two.listens, 'the other daemon listens')
        self.net('net-start', 'default')
        self.virsh(two.uri(), 'net-start', 'default')
        guest = Guest(self, 'virbr0', 'a')
        address = guest.dhcp()
        self.assertIn(address, self.net('net-dhcp-leases', 'default'))
        self.assertNotIn(address + '/', self.virsh(two.uri(), 'net-dhcp-leases', 'default'))
        rules = run('nft', 'list', 'ruleset')
        self.virsh(two.uri(), 'net-destroy', 'default')
        self.assertEqual(other.run('nft', 'list', 'ruleset'), '')
        self.assertEqual(run('nft', 'list', 'ruleset'), rules)
        self.assertTrue(guest.reaches('192.168.122.1'))
        self.net('net-destroy', 'default')


class Killed(net.Case):
    """Nothing that guests have is lost with a process of ours."""

    def setUp(self):
        super().setUp()
        self.world = World(self)
        self.make(NAT.format(more='', ip='', dhcp=''), 'n')
        self.guest = Guest(self, 'virbr5', 'g')
        self.address = self.guest.dhcp()

    def test_daemon(self):
        dnsmasq = self.dnsmasqs()
        # A connection through the network address translation goes on.
        Server(self, self.world, 80, 'out')
        talk = subprocess.Popen(self.guest.words('busybox', 'ping', '-i', '0.2', '203.0.113.2'),
                                stdout=subprocess.PIPE)
        for _ in range(5):
            self.again()
            self.assertEqual(ask(self.guest, '203.0.113.2', 80), 'out 203.0.113.1')
        # None is missing between those that came. What it says when it is ended may be its last line once more.
        said = read_until(talk.stdout.fileno(), b'seq=20 ')
        talk.kill()
        talk.communicate(timeout=waiting.PATIENCE)
        heard = [int(number) for number in re.findall(rb'seq=(\d+)', said)]
        self.assertEqual(heard, list(range(len(heard))))
        # The same process as before, the same lease.
        self.assertEqual(self.dnsmasqs(), dnsmasq)
        self.assertIn(self.address, self.net('net-dhcp-leases', 'n'))
        self.assertEqual(self.guest.dhcp(), self.address)
        self.assertRegex(self.net('net-info', 'n'), r'Active: +yes')
        # An end in good order does no more.
        self.assertEqual(self.one.end(), 0)
        self.assertTrue(self.guest.reaches('203.0.113.2'))
        self.one.start()
        self.net('net-destroy', 'n')
        self.assertEqual(self.left(), ([], [], []))

    def test_dnsmasq(self):
        for _ in range(3):
            old = self.dnsmasqs()
            os.kill(old[0], signal.SIGKILL)
            wait_for(lambda: self.dnsmasqs() and self.dnsmasqs() != old, 'another dnsmasq')
            self.assertIn(self.address, self.net('net-dhcp-leases', 'n'))
            self.assertEqual(self.guest.dhcp(), self.address)

    def test_hung(self):
        """One that does not end when it is asked to keeps nobody waiting."""
        waiting.hold(self.dnsmasqs()[0])
        begin = time.monotonic()
        self.net('net-destroy', 'n')
        self.assertLess(time.monotonic() - begin, 2)
        self.assertEqual(self.left(), ([], [], []))
        self.net('net-start', 'n')
        self.assertNotEqual(Guest(self, 'virbr5', 'h').dhcp(), self.address)

    def test_both(self):
        self.one.end(signal.SIGKILL)
        os.kill(self.dnsmasqs()[0], signal.SIGKILL)
        wait_for(lambda: not self.dnsmasqs(), 'it is gone')
        run('nft', 'flush', 'ruleset')
        self.one.start()
        wait_for(self.dnsmasqs, 'another dnsmasq')
        self.assertEqual(self.guest.dhcp(), self.address)
        self.assertTrue(self.guest.reaches('203.0.113.2'))

    def test_starts(self):
        # Killed in the middle of starts and ends: the network is there, or it is not, and nothing is left of it.
        rand = random.Random(int(os.environ.get("SOCLE_SEED", "7")))
        for _ in range(12):
            verb = 'net-destroy' if 'active' in self.net('net-list').replace('inactive', '') else 'net-start'
            call = subprocess.Popen([net.tool.VIRSH, '-c', self.uri, verb, 'n'], stdin=subprocess.DEVNULL,
                                    stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(rand.random() * 0.12)
            self.again()
            call.wait(waiting.PATIENCE)
            if 'n ' in self.net('net-list'):
                wait_for(lambda: len(self.dnsmasqs()) == 1, 'one dnsmasq')
                self.assertIn('virbr5', run('nft', 'list', 'ruleset'), self.one.said())
                self.net('net-destroy', 'n')
            self.assertEqual(self.left(), ([], [], []))
            if rand.random() < 0.5:
                self.net('net-start', 'n')

    def test_bridge(self):
        # All is gone, as if the host had been restarted without our files being lost.
        self.one.end(signal.SIGKILL)
        run('ip', 'link', 'del', 'virbr5')
        self.one.start()
        run('ip', 'link', 'set', self.guest.tap, 'master', 'virbr5')
        self.assertEqual(self.guest.dhcp(), self.address)
        self.assertTrue(self.guest.reaches('203.0.113.2'))


class Many(net.Case):
    """Two hundred guests start at once."""

    def test_leases(self):
        self.make(NAT.format(more='', ip='', dhcp=''), 'n')
        space = Space()
        self.addCleanup(space.end)
        space.cable('tapall', 'eth0', 'virbr5')
        space.run('ip', 'link', 'set', 'eth0', 'promisc', 'on')
        begin = time.monotonic()
        clients = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'dhcp-clients.py')
        got = space.run(sys.executable, clients, 'eth0', '200').split()
        took = time.monotonic() - begin
        self.assertEqual(len(set(got)), 200)
        self.assertEqual(len(got), 200)
        self.assertLess(took, 20)
        print(f'200 leases in {took:.1f} s', file=sys.stderr)
        listed = self.net('net-dhcp-leases', 'n')
        self.assertEqual(listed.count('10.5.0.'), 200)


class Machines(net.Case):
    """Cards of machines."""

    def define_with(self, devices, name='one'):
        path = os.path.join(self.dir, 'm.xml')
        with open(path, 'w', encoding='utf-8') as file:
            file.write(definition(name, devices=devices))
        self.net('define', path)

    def ports(self, bridge):
        return [line.split(': ')[1] for line in run('ip', '-o', 'link', 'show', 'master', bridge).splitlines()]

    def test_network(self):
        self.define_with("<interface type='network'><mac address='52:54:00:00:00:01'/>"
                         "<source network='default'/></interface>")
        # It starts the network that it needs.
        self.net('start', 'one')
        self.assertRegex(self.net('net-list'), 'default +active')
        self.assertEqual(self.ports('virbr0'), ['vnet0'])
        live = self.net('dumpxml', 'one')
        self.assertRegex(live, r"<source network='default' portid='[0-9a-f-]{36}' bridge='virbr0'/>")
        self.assertIn("<target dev='vnet0'/>", live)
        self.assertNotIn('virbr0', self.net('dumpxml', '--inactive', 'one'))
        self.assertIn("<network connections='1'>", self.net('net-dumpxml', 'default'))
        port = self.net('net-port-list', 'default').split()[-1]
        self.assertIn('<name>one</name>', self.net('net-port-dumpxml', 'default', port))
        # Another daemon knows it.
        self.again()
        self.assertEqual(self.net('dumpxml', 'one'), live)
        self.assertEqual(self.net('net-port-list', 'default').split()[-1], port)
        # The network goes and comes: the machine is in it.
        self.net('net-destroy', 'default')
        self.assertEqual(run('ip', '-o', 'link', 'show', 'vnet0').count('master'), 0)
        self.net('net-start', 'default')
        self.assertEqual(self.ports('virbr0'), ['vnet0'])
        self.net('destroy', 'one')
        self.assertEqual(self.ports('virbr0'), [])
        self.assertNotIn('connections', self.net('net-dumpxml', 'default'))
        self.net('net-destroy', 'default')
        self.assertEqual(self.left(), ([], [], []))

    def test_addresses(self):
        self.define_with("<interface type='network'><mac address='52:54:00:00:00:01'/>"
                         "<source network='default'/></interface>")
        self.net('start', 'one')
        # This machine is mute: somebody else speaks for it.
        speaker = Guest(self, 'virbr0', 'one', mac='52:54:00:00:00:01')
        address = speaker.dhcp()
        row = rf'vnet0 +52:54:00:00:00:01 +ipv4 +{address}/'
        self.assertRegex(self.net('domifaddr', 'one'), row + '24')
        self.assertTrue(speaker.reaches('192.168.122.1'))
        self.assertRegex(self.net('domifaddr', 'one', '--source', 'arp'), row + '0')
        self.net('destroy', 'one')

    def test_bridge(self):
        run('ip', 'link', 'add', 'br9', 'type', 'bridge')
        path = os.path.join(self.dir, 'b.xml')
        with open(path, 'w', encoding='utf-8') as file:
            file.write("<network><name>b</name><forward mode='bridge'/><bridge name='br9'/><portgroup name='slow'>"
                       "<bandwidth><inbound average='128'/></bandwidth></portgroup></network>")
        self.net('net-define', path)
        self.define_with("<interface type='network'><source network='b' portgroup='slow'/></interface>"
                         "<interface type='bridge'><source bridge='br9'/></interface>")
        self.net('start', 'one')
        self.assertEqual(self.ports('br9'), ['vnet0', 'vnet1'])
        live = self.net('dumpxml', 'one')
        self.assertIn("<inbound average='128'/>", live)
        self.assertIn("bridge='br9'", live)
        self.net('destroy', 'one')
        self.net('net-destroy', 'b')
        run('ip', 'link', 'del', 'br9')
        self.assertIn("there is no bridge 'br9'; make it by", self.net('start', 'one', status=1))

    def test_plug(self):
        self.define_with('')
        self.net('start', 'one')
        self.assertIn("network 'default' is not active",
                      self.net('attach-interface', 'one', 'network', 'default', '--live', status=1))
        self.net('net-start', 'default')
        self.net('attach-interface', 'one', 'network', 'default', '--live', '--mac', '52:54:00:00:00:09')
        self.assertEqual(self.ports('virbr0'), ['vnet0'])
        self.assertIn("connections='1'", self.net('net-dumpxml', 'default'))
        # Into another network, and back.
        self.make(NAT.format(more='', ip='', dhcp=''), 'n')
        card = os.path.join(self.dir, 'card.xml')
        for name, bridge in (('n', 'virbr5'), ('default', 'virbr0')):
            with open(card, 'w', encoding='utf-8') as file:
                file.write(f"<interface type='network'><mac address='52:54:00:00:00:09'/>"
                           f"<source network='{name}'/></interface>")
            self.net('update-device', 'one', card, '--live')
            self.assertEqual(self.ports(bridge), ['vnet0'])
            live = self.net('dumpxml', 'one')
            self.assertRegex(live, rf"<source network='{name}' portid='[0-9a-f-]{{36}}' bridge='{bridge}'/>")
            self.assertIn("<target dev='vnet0'/>", live)
        self.net('domif-setlink', 'one', 'vnet0', 'down')
        self.assertIn("<target dev='vnet0'/>", self.net('dumpxml', 'one'))
        self.net('destroy', 'one')
        self.net('net-destroy', 'n')
        self.net('net-destroy', 'default')
        self.assertEqual(self.left(), ([], [], []))

    def test_direct(self):
        run('ip', 'link', 'add', 'up0', 'type', 'veth', 'peer', 'name', 'up1')
        run('ip', 'link', 'set', 'up0', 'up')
        path = os.path.join(self.dir, 'd.xml')
        with open(path, 'w', encoding='utf-8') as file:
            file.write("<network><name>d</name><forward mode='bridge'><interface dev='up0'/></forward></network>")
        self.net('net-define', path)
        self.define_with("<interface type='network'><mac address='52:54:00:00:00:21'/><source network='d'/>"
                         "</interface><interface type='direct'><mac address='52:54:00:00:00:22'/>"
                         "<source dev='up0' mode='bridge'/></interface>")
        self.net('start', 'one')
        links = run('ip', '-d', 'link', 'show', 'type', 'macvtap')
        self.assertRegex(links, r'macvtap0@up0')
        self.assertRegex(links, r'macvtap1@up0')
        self.assertIn('52:54:00:00:00:21', links)
        live = self.net('dumpxml', 'one')
        self.assertRegex(live, r"<source network='d' portid='[0-9a-f-]{36}' dev='up0' mode='bridge'/>")
        self.assertIn("<target dev='macvtap1'/>", live)
        self.again()
        self.assertIn("<target dev='macvtap1'/>", self.net('dumpxml', 'one'))
        self.net('destroy', 'one')
        wait_for(lambda: not run('ip', 'link', 'show', 'type', 'macvtap'), 'they are gone')
        run('ip', 'link', 'del', 'up0')
        self.assertIn("this host has no interface 'up0'", self.net('net-destroy', 'd') and
                      self.net('start', 'one', status=1))

    def test_modes(self):
        """All modes of macvtap; one of them has its interface for itself."""
        run('ip', 'link', 'add', 'up0', 'type', 'veth', 'peer', 'name', 'up1')
        run('ip', 'link', 'set', 'up0', 'up')
        for mode, kernel in (('vepa', 'vepa'), ('private', 'private'), ('bridge', 'bridge'),
                             ('passthrough', 'passthru')):
            self.make(f"<network><name>d</name><forward mode='{mode}'><interface dev='up0'/></forward></network>", 'd')
            for name, card in (('one', "type='network'><source network='d'/>"),
                               ('two', "type='network'><source network='d'/>"),
                               ('three', f"type='direct'><source dev='up0' mode='{mode}'/>")):
                self.define_with(f'<interface {card}</interface>', name)
            self.net('start', 'one')
            links = run('ip', '-d', 'link', 'show', 'macvtap0')
            self.assertRegex(links, rf'macvtap mode {kernel} ')
            if mode == 'passthrough':
                self.assertIn("all interfaces of network 'd' are in use, each by one machine",
                              self.net('start', 'two', status=1))
                self.assertIn("in mode 'passthrough' a machine has the interface for itself",
                              self.net('start', 'three', status=1))
            else:
                self.net('start', 'two')
                self.net('start', 'three')
                self.assertEqual(run('ip', '-d', 'link', 'show').count(f'macvtap mode {kernel} '), 3)
                self.net('destroy', 'two')
                self.net('destroy', 'three')
            self.net('destroy', 'one')
            wait_for(lambda: not run('ip', 'link', 'show', 'type', 'macvtap'), 'they are gone')
            self.net('net-destroy', 'd')
            for kind, name in (('net-', 'd'), ('', 'one'), ('', 'two'), ('', 'three')):
                self.net(f'{kind}undefine', name)

    def test_isolated_port(self):
        self.make("""<network><name>i</name><bridge name='virbr8'/><port isolated='yes'/>
            <ip address='10.8.0.1' prefix='24'/></network>""", 'i')
        self.define_with("<interface type='network'><source network='i'/></interface>")
        self.net('start', 'one')
        self.assertIn('isolated on', run('ip', '-d', 'link', 'show', 'vnet0'))
        self.net('destroy', 'one')
        self.net('net-destroy', 'i')


class Booted(net.Case):
    """A machine with Linux in it, on its serial port."""
    INIT = r'''
printf '#!/bin/busybox sh\ntest "$1" != bound || ip address add $ip/$mask dev $interface\n' >/bin/dhcp
chmod 755 /bin/dhcp
ip link set eth0 up
''' + vm.Shell.READ_COMMANDS

    def setUp(self):
        super().setUp()
        folder = vm.debian_image()
        if not folder:
            self.skipTest('there is no Debian image')
        with open(os.path.join(self.dir, 'init'), 'w', encoding='ascii') as file:
            file.write(self.INIT)
        initrd = os.path.join(self.dir, 'initrd')
        run(os.path.join(vm.TOOLS, 'guest-initrd'), '--network', os.path.join(self.dir, 'init'), initrd)
        self.make(NAT.format(more='', ip='', dhcp="<host mac='52:54:00:00:05:01' ip='10.5.0.11'/>"), 'n')
        path = os.path.join(self.dir, 'm.xml')
        with open(path, 'w', encoding='utf-8') as file:
            file.write(f"""<domain type='qemu'><name>one</name><memory unit='MiB'>256</memory><os><type>hvm</type>
                <kernel>{folder}/vmlinuz</kernel><initrd>{initrd}</initrd>
                <cmdline>console=ttyS0 quiet panic=-1</cmdline></os><devices><serial type='pty'/>
                <interface type='network'><mac address='52:54:00:00:05:01'/><source network='n'/></interface>
                </devices></domain>""")
        self.net('define', path)
        self.net('start', 'one')
        self.said = b''
        self.serial = os.open(self.net('ttyconsole', 'one').strip(), os.O_RDWR | os.O_NOCTTY)
        self.addCleanup(os.close, self.serial)
        tty.setraw(self.serial)
        self.expect(b'READY')
        self.say('udhcpc -n -q -f -i eth0 -s /bin/dhcp')
        self.expect(b'=0 done')

    def say(self, words):
        os.write(self.serial, words.encode() + b'\n')

    def expect(self, what):
        end = time.monotonic() + 2 * waiting.PATIENCE
        while what not in self.said and time.monotonic() < end:
            if select.select([self.serial], [], [], 1)[0]:
                self.said += os.read(self.serial, 65536)
        self.assertIn(what, self.said)
        self.said = self.said.split(what, 1)[1]

    def rate_to(self, size):
        """KiB in a second from the host to the guest."""
        self.say('nc -l -p 9 | wc -c')
        sock = wait_for(self.connected, 'the guest listens')
        with sock:
            begin = time.monotonic()
            sock.sendall(bytes(size))
            sock.shutdown(socket.SHUT_WR)
            self.expect(b'%d' % size)
            took = time.monotonic() - begin
        self.expect(b' done')
        return size / 1024 / took

    def connected(self):
        try:
            return socket.create_connection(('10.5.0.11', 9), waiting.PATIENCE)
        except OSError:
            return None

    def rate_from(self, size):
        with socket.create_server(('10.5.0.1', 9)) as server:
            self.say(f'head -c {size} /dev/zero | nc 10.5.0.1 9')
            sock = server.accept()[0]
            with sock:
                begin, count = time.monotonic(), 0
                while data := sock.recv(65536):
                    count += len(data)
                took = time.monotonic() - begin
        self.assertEqual(count, size)
        self.expect(b' done')
        return size / 1024 / took

    @staticmethod
    def quick(rate):
        """What nobody limits is, if not each time: the host has others, too."""
        rates = []
        wait_for(lambda: rates.append(rate(1 << 20)) or rates[-1] > 600, 'more than 600 KiB in a second')
        return rates[-1]

    def test_tune(self):
        """How much may go through a card changes while it runs, each way for itself."""
        self.net('domiftune', 'one', 'vnet0', '--inbound', '384', '--live')
        to, back = self.rate_to(1 << 20), self.quick(self.rate_from)
        self.net('domiftune', 'one', 'vnet0', '--inbound', '0', '--outbound', '192', '--live')
        free, limited = self.quick(self.rate_to), self.rate_from(1 << 20)
        self.net('domif-setlink', 'one', 'vnet0', 'up')
        self.net('domiftune', 'one', 'vnet0', '--outbound', '0', '--live')
        again = self.quick(self.rate_from)
        print(f'384: {to:.0f}, free: {back:.0f} {free:.0f}, 192: {limited:.0f}, free: {again:.0f}', file=sys.stderr)
        self.assertTrue(384 * 0.5 < to < 384 * 1.4, to)
        self.assertTrue(192 * 0.5 < limited < 192 * 1.4, limited)
        self.burst()
        # What it says of itself, and what was given to it.
        for source in ('lease', 'arp'):
            self.assertIn('10.5.0.11', self.net('domifaddr', 'one', '--source', source))


    def burst(self):
        """An average of next to nothing, so that what comes through is the burst, in bytes."""
        self.net('domiftune', 'one', 'vnet0', '--inbound', '1,256,2048', '--live')
        self.assertIn('peak below its average',
                      self.net('domiftune', 'one', 'vnet0', '--inbound', '9,8', '--live', status=1))
        self.assertIn('inbound.peak   : 256', self.net('domiftune', 'one', 'vnet0', '--live'))
        # Half a MiB, less a tenth of a second's worth and a long frame: no sooner than by the peak.
        self.assertLess(self.rate_to(512 << 10), 512 / ((512 - 26 - 64) / 256))
        self.net('domiftune', 'one', 'vnet0', '--inbound', '0', '--outbound', '1,0,512', '--live')
        size = 2 << 20
        with socket.create_server(('10.5.0.1', 9)) as server:
            self.say(f'head -c {size} /dev/zero | nc 10.5.0.1 9')
            sock = server.accept()[0]
            with sock:
                sock.settimeout(waiting.PATIENCE)
                count = 0
                while count < 400 << 10:
                    count += len(sock.recv(65536))
                # What comes now is a frame in more than a second.
                sock.settimeout(1)
                with contextlib.suppress(TimeoutError):
                    while count < size:
                        count += len(sock.recv(65536))
                burst = count
                self.net('domiftune', 'one', 'vnet0', '--outbound', '0', '--live')
                sock.settimeout(waiting.PATIENCE)
                while data := sock.recv(65536):
                    count += len(data)
        print(f'burst of 512 KiB: {burst >> 10}', file=sys.stderr)
        self.assertLess(burst, (512 + 128) << 10)
        self.assertEqual(count, size)
        self.expect(b' done')


class Session(net.Case):
    """A user's own daemon: the same verbs, and a network inside of each machine."""

    def daemon(self, *words, **more):
        return super().daemon('--session', *words, **more)

    def test_session(self):
        own = """<metadata><f:forwards xmlns:f='urn:socle:network'><f:forward port='22022' to='10.5.0.11' to-port='22'/>
            <f:forward port='22023' to='10.5.0.12' to-port='22'/></f:forwards></metadata>"""
        names = "<dns><srv service='x' protocol='tcp'/><host ip='192.0.2.7'><hostname>web</hostname></host></dns>"
        six = "<ip family='ipv6' address='fd00:5::1' prefix='64'/>"
        self.make(NAT.format(more=own + names + "<domain name='lab.test'/>" + six, ip=f"<tftp root='{self.dir}'/>",
                             dhcp="<host mac='52:54:00:00:05:01' name='fixed' ip='10.5.0.11'/><bootp file='boot.img'/>"),
                  'n')
        path = os.path.join(self.dir, 'm.xml')
        with open(path, 'w', encoding='utf-8') as file:
            file.write(definition('one', devices="""
                <interface type='network'><mac address='52:54:00:00:05:01'/><source network='n'/></interface>
                <interface type='network'><source network='default'/></interface>
                <interface type='network'><source network='alone'/></interface>"""))
        self.make("<network><name>alone</name><ip address='10.8.0.1' prefix='24'/></network>", 'alone')
        self.net('define', path)
        self.net('start', 'one')
        self.assertRegex(self.net('net-list'), 'default +active')
        with open(os.path.join(self.dir, 'st', 'log', 'one.log'), encoding='utf-8') as file:
            said = file.read()
        self.assertRegex(said, r'user,ipv6-net=fd00:5::/64,ipv6-host=fd00:5::1,'
                               r'net=10\.5\.0\.0/24,host=10\.5\.0\.1,dhcpstart=10\.5\.0\.11,'
                               r'tftp=/[^,]*,bootfile=boot.img,'
                               r'dnshost=10.5.0.11/fixed,dnshost=10.5.0.11/fixed.lab.test,'
                               r'dnshost=192.0.2.7/web,dnshost=192.0.2.7/web.lab.test,'
                               r'hostname=fixed,domainname=lab.test,hostfwd=tcp::22022-:22,id')
        self.assertRegex(said, r'net=192\.168\.122\.0/24,host=192\.168\.122\.1,dhcpstart=192\.168\.122\.2')
        # One without a way out has none here, either.
        self.assertRegex(said, r'net=10\.8\.0\.0/24,restrict=on,')
        self.assertEqual(said.count('restrict='), 1)
        # What it cannot have is told.
        self.assertIn("network 'n' of a session: guests do not reach one another, and have no <srv> of "
                      "<dns>; the system's daemon has them", self.one.said())
        live = self.net('dumpxml', 'one')
        self.assertIn("<ip address='10.5.0.11' family='ipv4' prefix='24' peer='10.5.0.1'/>", live)
        self.assertIn("connections='1'", self.net('net-dumpxml', 'n'))
        # Who has got which address.
        self.assertRegex(self.net('net-dhcp-leases', 'n'), r'52:54:00:00:05:01 +ipv4 +10\.5\.0\.11/24 +fixed ')
        self.assertRegex(self.net('domifaddr', 'one'), r'net0 +52:54:00:00:05:01 +ipv4 +10\.5\.0\.11/24\n')
        self.assertRegex(self.net('domifaddr', 'one'), r'net1 .* 192\.168\.122\.2/24\n')
        self.assertNotIn('portForward', self.net('dumpxml', '--inactive', 'one'))
        # The next daemon knows it, and nothing of the host was touched.
        self.again()
        self.assertIn("connections='1'", self.net('net-dumpxml', 'n'))
        self.assertEqual(self.left(), ([], [], []))
        self.net('destroy', 'one')
        self.net('net-destroy', 'n')

    def test_refused(self):
        path = os.path.join(self.dir, 'b.xml')
        with open(path, 'w', encoding='utf-8') as file:
            file.write("<network><name>b</name><forward mode='bridge'/><bridge name='br0'/></network>")
        self.net('net-define', path)
        self.assertIn("use the system's daemon", self.net('net-start', 'b', status=1))


if __name__ == '__main__':
    net.enter()
    unittest.main(argv=sys.argv)
