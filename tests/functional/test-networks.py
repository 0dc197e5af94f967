#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Two machines that exchange traffic: on sockets, on taps in a bridge; one behind passt.

The guests have the kernel of tools/guest-image, and an initramfs of tools/guest-initrd in which a
shell takes commands from the serial port. Test classes run one at a time, test-networks.py CLASS,
each in a network namespace of its own. Ends with 77, and the reason, where something is missing.
"""
import collections
import hashlib
import http.server
import json
import os
import shutil
import socket
import subprocess
import sys
import threading

import vm
import waiting
from waiting import wait_for

INIT = r'''
printf '#!/bin/busybox sh\ntest "$1" != bound || { ip address add $ip/$mask dev $interface
ip link set $interface mtu ${mtu:-1500} up; ip route add default via $router; }\n' >/bin/dhcp
chmod 755 /bin/dhcp
''' + vm.Shell.READ_COMMANDS
MTU_FRAME = 1514
IPERF = 4 << 20
COPY = 2 << 20
PORT = 5202
LOST = (IPERF + COPY) // 100  # of what a machine has sent


def ip(*words):
    subprocess.run(['ip', *words], check=True)


class Network(vm.Case):
    cpus = 1

    def setUp(self):
        super().setUp()
        waiting.PATIENCE = 120
        self.folder = vm.debian_image()
        ip('link', 'set', 'lo', 'up')
        with open('init', 'w', encoding='ascii') as file:
            file.write(INIT)
        subprocess.run([os.path.join(vm.TOOLS, 'guest-initrd'), '--network', 'init', 'initrd'],
                       stdin=subprocess.DEVNULL, check=True)

    def boot(self, *nets):
        guests = [vm.Shell(self, self.folder, '--cpus', str(self.cpus), '--net', net)
                  for net in nets]
        for guest in guests:
            guest.machine.expect(b'READY\r\n')
        return guests


class Pair(Network):
    """@nets: what the machines say of their networks; @offload: whether their cards have any."""
    nets = ()
    offload = True
    iperf = ''
    ordered = True  # what is sent comes in its order

    def prepare(self):
        """Before the machines start."""

    def test_traffic(self):
        self.prepare()
        off = '' if self.offload else ',offload=off'
        self.guests = self.boot(*(f'{net}{off},queues={self.cpus},dump={i}.pcap'
                                  for i, net in enumerate(self.nets, 1)))
        for i, guest in enumerate(self.guests, 1):
            guest.run(f'ip address add 10.0.0.{i}/24 dev eth0 && ip link set eth0 up')
        self.guests[0].run('iperf3 -s -D')
        self.guests[1].run('ping -c 1 -w 60 10.0.0.1')
        moved = 2 * COPY + self.check_iperf('') + self.check_iperf('-R')
        self.check_copy(*self.guests)
        self.check_copy(*reversed(self.guests))
        self.check_more()
        for guest in self.guests:
            guest.start('poweroff -f')
        for guest in self.guests:
            status, _, err = guest.machine.end()
            self.assertEqual((status, err), (0, ''))
        one, two = (self.check_capture(f'{i}.pcap', moved) for i in (1, 2))
        # What one sends has to be in the other's.
        for who in ('10.0.0.1', '10.0.0.2'):
            self.assertLess(abs(one[who] - two[who]), LOST, who)

    def check_more(self):
        """While they run."""

    def check_iperf(self, way):
        """It moves what it is told, and not much of it twice, unless that was only late; how much came."""
        out = self.guests[1].run(f'iperf3 -c 10.0.0.1 -J -n {IPERF} {self.iperf} {way}')
        end = json.loads(out[out.index('{'):])['end']
        self.assertGreaterEqual(end['sum_sent']['bytes'], IPERF)
        # The end comes while a window's worth is on its way.
        self.assertGreaterEqual(end['sum_received']['bytes'], IPERF // 4)
        if self.ordered:
            self.assertLess(end['sum_sent']['retransmits'], IPERF // 1448 // 100)
        return end['sum_received']['bytes']

    def check_copy(self, sender, receiver):
        address = self.guests.index(receiver) + 1
        receiver.start(f'nc -l -p {PORT} | sha256sum')
        sender.run(f'dd if=/dev/urandom of=/tmp/data bs=64k count={COPY >> 16} 2>/dev/null')
        # The other one may not listen yet.
        sender.run(f'until nc 10.0.0.{address} {PORT} </tmp/data; do sleep 0.2; done')
        digest = sender.run('sha256sum </tmp/data').split()[0]
        self.assertEqual(receiver.finish().split()[0], digest)

    def check_capture(self, path, moved):
        """It has all that went over the wire, and tshark finds nothing wrong with it: bytes by who has sent them."""
        fields = ['frame.len', 'frame.cap_len', 'tcp.len', 'ip.checksum.status',
                  'tcp.checksum.status', '_ws.malformed', 'frame.protocols', 'frame.number',
                  'ip.src', 'tcp.srcport', 'tcp.dstport', 'tcp.seq', 'tcp.checksum']
        words = [word for field in fields for word in ('-e', field)]
        # With offloads the cards of the host make the checksums, so there are none yet.
        check = 'FALSE' if self.offload else 'TRUE'
        # Random bytes are no protocol.
        for option in (f'tcp.check_checksum:{check}', 'ip.check_checksum:TRUE'):
            words += ['-o', option]
        for port in (5201, PORT):
            words += ['-d', f'tcp.port=={port},data']
        tshark = subprocess.run(
            ['tshark', '-n', '-r', path, '-T', 'fields', *words],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
        self.assertEqual(tshark.returncode, 0, tshark.stderr.decode())
        self.assertNotIn(b'cut short', tshark.stderr)
        payload, longest = collections.Counter(), 0
        frames = [line.split('\t') for line in tshark.stdout.decode().splitlines()]
        for size, kept, tcp, ip_status, tcp_status, malformed, *where in frames:
            self.assertEqual((size, malformed), (kept, ''), where)
            longest = max(longest, int(size))
            if tcp:
                payload[where[2]] += int(tcp)
                self.assertEqual(ip_status, '1', where)
                # Linux writes a sum of 0 as 0xffff, which is the same to receivers, but tshark calls it wrong.
                if (tcp_status, where[-1]) != ('0', '0xffff'):
                    self.assertEqual(tcp_status, '2' if self.offload else '1', (size, where))
        # Some of it came twice, some is what iperf3 has to say, some it did not wait for.
        total = sum(payload.values())
        self.assertGreaterEqual(total, moved)
        self.assertLess(total, (2 * IPERF + 2 * COPY) * 11 // 10)
        if self.offload:
            self.assertGreater(longest, 2 * MTU_FRAME)
        else:
            self.assertLessEqual(longest, MTU_FRAME)
            self.assertGreaterEqual(len(frames), total // 1460)
        return payload


class StreamUnix(Pair):
    nets = ('stream,server=on,addr.type=unix,addr.path=wire',
            'stream,addr.type=unix,addr.path=wire,reconnect=1')


class StreamInet(Pair):
    nets = ('stream,server=on,addr.type=inet,addr.host=127.0.0.1,addr.port=4000',
            'stream,addr.type=inet,addr.host=127.0.0.1,addr.port=4000,reconnect=1')
    offload = False


class DgramUnix(Pair):
    nets = ('dgram,local.type=unix,local.path=a,remote.type=unix,remote.path=b',
            'dgram,local.type=unix,local.path=b,remote.type=unix,remote.path=a')


class DgramInet(Pair):
    nets = ('dgram,local.host=127.0.0.1,local.port=4001,remote.host=127.0.0.1,remote.port=4002',
            'dgram,local.host=127.0.0.1,local.port=4002,remote.host=127.0.0.1,remote.port=4001')
    offload = False


class Taps(Pair):
    nets = ('tap,ifname=a,br=bridge', 'tap,ifname=b,br=bridge')

    def prepare(self):
        ip('link', 'add', 'bridge', 'type', 'bridge')
        ip('link', 'set', 'bridge', 'up')


class TapsOff(Taps):
    offload = False


class TapsQueues(Taps):
    cpus = 2
    iperf = '-P 4'
    ordered = False  # a connection moves from queue to queue, and what it has sent to one may be behind

    def check_more(self):
        for guest in self.guests:
            for name in ('input.0', 'input.1', 'output.0', 'output.1'):
                counts = guest.run(f'grep {name} /proc/interrupts').split()[1:3]
                if name.startswith('input'):
                    self.assertGreater(sum(map(int, counts)), 0, name)


class Passt(Network):
    """The host is a card's address; what it has for the guest is behind its gateway."""

    def test_passt(self):
        ip('link', 'add', 'wire', 'type', 'bridge')
        ip('link', 'set', 'wire', 'up')
        ip('address', 'add', '192.0.2.9/24', 'dev', 'wire')
        ip('route', 'add', 'default', 'via', '192.0.2.1')
        os.chmod('.', 0o777)
        data = os.urandom(COPY)
        server = http.server.HTTPServer(('127.0.0.1', 8000), handler(data))
        self.addCleanup(server.server_close)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.shutdown)
        passt = subprocess.Popen(['passt', '-q', '-f', '-4', '-1', '-s', os.path.abspath('passt')],
                                 stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(passt.wait)
        self.addCleanup(passt.kill)
        wait_for(lambda: os.path.exists('passt'), 'the socket of passt')
        guest, = self.boot('stream,addr.type=unix,addr.path=passt,dump=1.pcap')
        guest.run('ip link set eth0 up && udhcpc -n -q -f -i eth0 -s /bin/dhcp')
        self.assertIn('192.0.2.9/24', guest.run('ip address show dev eth0'))
        out = guest.run('wget -q -O - http://192.0.2.1:8000/ | sha256sum')
        self.assertEqual(out.split()[0], hashlib.sha256(data).hexdigest())
        guest.run('dd if=/dev/urandom of=/tmp/data bs=64k count=16 2>/dev/null')
        digest = guest.run('sha256sum </tmp/data').split()[0]
        with socket.create_server(('127.0.0.1', 8001)) as listener:
            listener.settimeout(waiting.PATIENCE)
            guest.start('nc 192.0.2.1 8001 </tmp/data')
            peer = listener.accept()[0]
            with peer, peer.makefile('rb') as stream:
                self.assertEqual(hashlib.sha256(stream.read()).hexdigest(), digest)
            guest.finish()
        guest.start('poweroff -f')
        self.assertEqual(guest.machine.end()[0], 0)
        self.assertEqual(passt.wait(timeout=waiting.PATIENCE), 0)


def handler(data):
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header('Content-Length', str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *args):
            pass
    return Handler


def missing():
    """What keeps these tests from running, or None."""
    for program in ('ip', 'unshare', 'tshark', *(['passt'] if 'Passt' in sys.argv else [])):
        if not shutil.which(program):
            return f'there is no {program}'
    if not vm.debian_image():
        return 'there is no Debian image'
    if subprocess.run(['unshare', '-rn', 'true'], stderr=subprocess.DEVNULL,
                      check=False).returncode:
        return 'no network namespace can be made'
    if any(name.startswith('Taps') for name in sys.argv) and \
            not os.access('/dev/net/tun', os.R_OK | os.W_OK):
        return 'there is no /dev/net/tun, or no permission to open it'
    return None


if __name__ == '__main__':
    if not os.environ.get('SOCLE_NAMESPACE'):
        REASON = missing()
        if REASON:
            print(REASON)
            sys.exit(77)
        os.environ['SOCLE_NAMESPACE'] = '1'
        os.execvp('unshare', ['unshare', '-rn', sys.executable, *sys.argv])
    vm.main()
