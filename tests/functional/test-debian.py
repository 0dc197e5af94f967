#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A whole Debian from a virtio disk, on the network, reached by ssh; see tools/guest-image.

Test classes run one at a time: test-debian.py CLASS. Ends with 77 where there is no image.
SOCLE_ROUNDS says how often a disk and a card are plugged and unplugged.
"""
import collections
import gzip
import hashlib
import http.server
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time

from ports import free_port
import vm
import waiting
from waiting import wait_for

# A boot takes about 25 seconds of a processor on the software engine.
BOOT = 600
MIB = 1 << 20
# In the guest, the disk with this serial number.
BY_SERIAL = '/dev/disk/by-id/virtio-'


class Sink:
    """A server on the loopback that counts what it is sent."""

    def __init__(self):
        self.count = 0
        self.listener = socket.create_server(('127.0.0.1', 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        peer, _ = self.listener.accept()
        self.listener.close()
        with peer:
            while data := peer.recv(65536):
                self.count += len(data)


class Archive(http.server.ThreadingHTTPServer):
    """Packages in the way of Debian, as a list that nobody has to sign."""

    def __init__(self, packages):
        folder = 'archive/dists/stable'
        os.makedirs(folder + '/main/binary-amd64')
        text = '\n'.join(f'Package: {name}\nVersion: 1.0\nArchitecture: amd64\n'
                         f'Maintainer: Nobody <nobody@example.org>\nDescription: {name}\n'
                         f'Filename: pool/{name}.deb\nSize: 1000\nSHA256: {index:064x}\n'
                         for index, name in enumerate(packages)).encode()
        files = {'main/binary-amd64/Packages': text,
                 'main/binary-amd64/Packages.gz': gzip.compress(text)}
        release = 'Suite: stable\nCodename: stable\nArchitectures: amd64\nComponents: main\n' \
                  f'Date: {time.strftime("%a, %d %b %Y %H:%M:%S UTC", time.gmtime(0))}\nSHA256:\n'
        for name, content in files.items():
            release += f' {hashlib.sha256(content).hexdigest()} {len(content)} {name}\n'
        for name, content in dict(files, Release=release.encode()).items():
            with open(os.path.join(folder, name), 'wb') as file:
                file.write(content)
        super().__init__(('127.0.0.1', 0), self.handler(os.path.abspath('archive')))
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @staticmethod
    def handler(folder):
        class Handler(http.server.SimpleHTTPRequestHandler):
            protocol_version = 'HTTP/1.1'

            def __init__(self, *args):
                super().__init__(*args, directory=folder)

            def log_message(self, *_):
                pass
        return Handler


class Debian(vm.Case):
    cpus = 1
    # Disks beside the one of the system: their serial numbers, which are their files, too.
    disks = {}
    options = ()

    def setUp(self):
        super().setUp()
        waiting.PATIENCE = BOOT
        self.image = vm.debian_image()
        self.port = free_port()
        shutil.copyfile(os.path.join(self.image, 'disk.img'), 'disk')
        args = []
        for name, keys in self.disks.items():
            self.make_disk(name)
            if 'format=' not in keys:
                keys += ',format=raw'
            args += ['--disk', f'path={name},serial={name},id={name},{keys}']
        self.machine = vm.Machine(
            '--cpus', str(self.cpus), '--initrd', os.path.join(self.image, 'initrd'),
            '--append', 'console=ttyS0 root=LABEL=debian rw quiet cloud-init=disabled', '--rng', 'on',
            '--disk', self.make_system(), '--monitor', 'unix=monitor',
            '--net', f'user,hostfwd=tcp:127.0.0.1:{self.port}-:22', *args, *self.options,
            kernel=os.path.join(self.image, 'vmlinuz'), memory='1G')
        self.addCleanup(self.machine.__exit__)
        self.machine.expect(b'login: ')
        self.qmp = vm.Qmp('monitor')
        self.addCleanup(self.qmp.__exit__)
        self.connect()

    def make_system(self):
        """What --disk says of the disk that it boots from."""
        return 'path=disk,format=raw'

    def make_disk(self, name):
        with open(name, 'wb') as file:
            file.truncate(64 * MIB)

    def connect(self):
        """All commands go over one connection: setting one up costs the guest a second."""
        self.client = ['ssh', '-q', '-i', os.path.join(self.image, 'id_ed25519'),
                       '-p', str(self.port), '-o', 'StrictHostKeyChecking=no',
                       '-o', 'UserKnownHostsFile=/dev/null', '-o', 'ConnectTimeout=120',
                       '-o', 'ControlPath=ssh', 'root@127.0.0.1']
        master = subprocess.Popen([*self.client[:1], '-MN', *self.client[1:]],
                                  stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(master.wait)
        self.addCleanup(master.kill)
        wait_for(lambda: os.path.exists('ssh') or master.poll() is not None, 'ssh')
        self.assertIsNone(master.poll())

    def start(self, command):
        """Begin a shell command in the guest."""
        return subprocess.Popen([*self.client, command], stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def finish(self, command, process):
        out = process.communicate(timeout=BOOT)[0].decode()
        self.assertEqual(process.returncode, 0, f'{command}: {out}')
        return out

    def ssh(self, command):
        """Run a shell command in the guest; its output."""
        return self.finish(command, self.start(command))

    def wait_in_guest(self, condition):
        self.ssh(f'for i in $(seq 600); do {condition} && exit; sleep 0.1; done; false')

    def check_up(self):
        self.assertEqual(self.ssh('nproc').strip(), str(self.cpus))
        self.assertEqual(self.ssh('systemctl --failed --no-legend --plain').strip(), '')
        self.assertIn('10.0.2.15/24', self.ssh('ip -br -4 address'))
        self.assertIn('fec0:', self.ssh('ip -br -6 address'))
        self.ssh('ping -c 2 -W 30 10.0.2.2')
        self.assertIn('10.0.2.3', self.ssh('resolvectl dns'))

    def check_disks(self):
        for name in ('/root/fio', *(BY_SERIAL + name for name in self.disks)):
            out = self.ssh('fio --name=v --size=8M --rw=randrw --bsrange=4k-64k --verify=crc32c '
                           f'--direct=1 --ioengine=libaio --iodepth=16 --filename={name}')
            self.assertRegex(out, r'err= 0')
        for name, keys in self.disks.items():
            if 'discard=ignore' in keys:
                self.ssh(f'! blkdiscard {BY_SERIAL}{name}')
            else:
                self.ssh(f'blkdiscard {BY_SERIAL}{name} && sync {BY_SERIAL}{name}')
                self.assertLess(os.stat(name).st_blocks * 512, MIB)

    def check_off(self):
        self.qmp.call('system_powerdown')
        self.assertEqual(self.qmp.event('SHUTDOWN')['data']['reason'], 'guest-shutdown')
        self.assertEqual(self.machine.process.wait(timeout=BOOT), 0)
        self.check_file_system()

    def check_file_system(self):
        check = subprocess.run(['/sbin/e2fsck', '-fn', f'disk?offset={MIB}'], stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, check=False)
        self.assertEqual(check.returncode, 0, check.stdout)


class Debian1(Debian):
    disks = {'a': 'packed=off,cache=none', 'b': 'bus=mmio,cache=writethrough,discard=ignore'}

    def check_packages(self):
        """A package list over the network."""
        archive = Archive([f'package-{index}' for index in range(3000)])
        self.addCleanup(archive.server_close)
        self.addCleanup(archive.shutdown)
        self.ssh(f'echo "deb [trusted=yes] http://10.0.2.2:{archive.server_port} stable main" '
                 '>/etc/apt/sources.list && apt-get -q update')
        self.assertIn('Filename: pool/package-2999.deb', self.ssh('apt-cache show package-2999'))

    def descriptors(self):
        """How many there are of a kind, but for sockets: those of libslirp live as long as the
        guest's last packet of a connection is young."""
        folder = f'/proc/{self.machine.process.pid}/fd'
        kinds = [os.readlink(os.path.join(folder, name)) for name in os.listdir(folder)]
        return collections.Counter(kind for kind in kinds if not kind.startswith('socket:'))

    def memory(self):
        """How much is written to of what is not the guest's, in KiB."""
        with open(f'/proc/{self.machine.process.pid}/smaps', encoding='utf-8') as file:
            # The guest's is the large one.
            maps = re.findall(r'\nSize: +(\d+) kB.*?\nPrivate_Dirty: +(\d+) kB', file.read(), re.S)
        return sum(int(dirty) for size, dirty in maps if int(size) < 1 << 20)

    def begin_traffic(self):
        """On a disk and on a card; not all that they can, there is one CPU for the rest, too."""
        sink = Sink()
        disk = 'fio --name=t --size=16M --rw=randwrite --bs=4k --direct=1 --verify=crc32c ' \
               '--verify_backlog=64 --time_based --runtime=1d --rate_iops=,50 --ioengine=libaio ' \
               f'--iodepth=4 --filename={BY_SERIAL}a --output=/run/fio.log'
        card = f'exec 3>/dev/tcp/10.0.2.2/{sink.port}; ' \
               'while head -c 16384 /dev/zero >&3; do sleep 0.1; done'
        for command in (disk, card):
            self.ssh(f'setsid bash -c {shlex.quote(command)} </dev/null >/dev/null 2>&1 &')
        begin = self.written()
        wait_for(lambda: sink.count > 0 and self.written() > begin, 'traffic')
        return sink

    def end_traffic(self):
        self.ssh('pkill -o -INT fio')
        self.wait_in_guest('test -s /run/fio.log')
        self.assertIn('err= 0', self.ssh('cat /run/fio.log'))

    def written(self):
        """How many requests the disk with the traffic has done."""
        for block in self.qmp.call('query-blockstats'):
            if block.get('qdev') == '/machine/peripheral/a':
                return block['stats']['wr_operations']
        raise AssertionError('there is no such disk')

    def plug_and_unplug(self):
        self.qmp.call('blockdev-add', driver='raw', node_name='x',
                      file={'driver': 'file', 'filename': 'extra'})
        self.qmp.call('netdev_add', type='user', id='y', net='10.0.3.0/24', ipv6=False)
        self.qmp.call('device_add', driver='virtio-blk-pci', drive='x', id='dx', serial='X')
        self.qmp.call('device_add', driver='virtio-net-pci', netdev='y', id='ny')
        # Once udev has nothing to do, the name is not one of the disk that went before.
        self.wait_in_guest(f'udevadm settle && test -b {BY_SERIAL}X')
        self.ssh(f'dd if=/dev/urandom of={BY_SERIAL}X bs=64k count=8 conv=nocreat,notrunc '
                 'oflag=direct status=none')
        self.wait_in_guest('ping -c 1 -W 5 -I 10.0.3.15 10.0.3.2 >/dev/null 2>&1')
        for device in ('dx', 'ny'):
            self.qmp.call('device_del', id=device)
            self.assertEqual(self.qmp.event('DEVICE_DELETED')['data']['device'], device)
        self.qmp.call('blockdev-del', node_name='x')
        self.qmp.call('netdev_del', id='y')

    def check_hot_plug(self, rounds):
        warm = max(3, rounds // 5)
        with open('extra', 'wb') as file:
            file.truncate(16 * MIB)
        sink = self.begin_traffic()
        for index in range(rounds):
            before = sink.count, self.written()
            self.plug_and_unplug()
            self.assertGreater(sink.count, before[0])
            self.assertGreater(self.written(), before[1])
            if index + 1 == warm:
                descriptors, memory = self.descriptors(), self.memory()
        print(f'memory: {memory} KiB after {warm} rounds, {self.memory()} KiB after {rounds}')
        self.assertEqual(self.descriptors(), descriptors)
        self.assertLess(self.memory() - memory, 1024)
        self.end_traffic()

    def test_debian(self):
        self.check_up()
        self.check_packages()
        self.check_disks()
        self.check_hot_plug(int(os.environ.get('SOCLE_ROUNDS', '8')))
        self.check_off()


class Debian4(Debian):
    cpus = 4
    disks = {'a': 'queues=4,packed=on,cache=none', 'b': 'queues=4,packed=off,cache=writeback',
             'c': 'queues=1,packed=on,cache=directsync,discard=ignore',
             'd': 'queues=4,bus=mmio,cache=unsafe'}

    def test_debian(self):
        self.check_up()
        self.check_disks()
        self.check_off()


class Qcow2(Debian):
    """The system is an overlay of a qcow2 image; a disk that keeps nothing."""
    disks = {'a': 'format=qcow2', 's': 'snapshot=on'}

    def img(self, *args):
        result = subprocess.run([os.environ['SOCLE_IMG'], *args], stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        self.assertEqual(result.returncode, 0, result.stdout)

    def digest(self, name):
        with open(name, 'rb') as file:
            return hashlib.file_digest(file, 'sha256').hexdigest()

    def make_system(self):
        self.img('convert', '-q', '-O', 'qcow2', 'disk', 'base')
        self.base = self.digest('base')
        self.img('create', '-q', '-f', 'qcow2', '-b', 'base', '-F', 'qcow2', 'top')
        return 'path=top,format=qcow2,backing=on'

    def make_disk(self, name):
        if name == 's':
            super().make_disk(name)
        else:
            self.img('create', '-q', '-f', 'qcow2', name, '64M')

    def check_disks(self):
        super().check_disks()
        # Nothing was ever written to this one.
        self.assertEqual(os.stat('s').st_blocks, 0)

    def check_file_system(self):
        for name in ('base', 'top', 'a'):
            self.img('check', name)
        self.img('convert', '-q', '-O', 'raw', 'top', 'disk')
        super().check_file_system()
        self.assertEqual(self.digest('base'), self.base)

    def test_debian(self):
        self.check_up()
        self.check_disks()
        self.check_off()


class Devices(Debian):
    """What Linux makes of the smaller devices, and of what the monitor does to disks and cards."""
    disks = {'data': 'queues=1', 'full': 'queues=1,werror=enospc'}
    options = ('--net', 'user,id=wire,net=10.0.3.0/24,ipv6=off,mac=52:54:00:00:00:77',
               '--balloon', 'on,free-page-reporting=on', '--pvpanic', 'on',
               '--vsock', 'cid=5,path=vsock', '--console', 'unix=agent,name=agent')

    def setUp(self):
        """The disk 'full' is on a host's file system with room for a quarter of it."""
        self.small = tempfile.mkdtemp(prefix='socle')
        self.addCleanup(os.rmdir, self.small)
        mount = ['mount', '-t', 'tmpfs', '-o', 'size=16M', 'socle', self.small]
        if subprocess.run(mount, stderr=subprocess.DEVNULL, check=False).returncode:
            self.skipTest('cannot mount a small file system; needs root')
        self.addCleanup(subprocess.run, ['umount', self.small], check=True)
        super().setUp()

    def make_disk(self, name):
        if name == 'full':
            os.symlink(os.path.join(self.small, name), name)
        super().make_disk(name)

    def check_rng(self):
        self.assertIn('virtio_rng', self.ssh('cat /sys/class/misc/hw_random/rng_current'))
        self.assertEqual(self.ssh('head -c 1000 /dev/hwrng | wc -c').strip(), '1000')

    def check_console(self):
        with socket.socket(socket.AF_UNIX) as agent:
            agent.settimeout(BOOT)
            agent.connect('agent')
            command = 'exec 3<>/dev/virtio-ports/agent; read line <&3; echo "<$line>" >&3; sleep 1'
            guest = self.start(command)
            agent.sendall(b'hello\n')
            self.assertEqual(agent.makefile('rb').readline(), b'<hello>\n')
            self.finish(command, guest)

    def check_vsock(self):
        """A connection each way; a mebibyte there and back."""
        perl = 'perl -MSocket -e \'socket(S,40,SOCK_STREAM,0)||die; {} $/=\\65536; ' \
               'while(<C>){{$n+=length; syswrite(C,$_); exit if $n>=1<<20}}\''
        out = perl.format('connect(S,pack("SSLLL",40,0,1234,2,0))||die "$!"; *C=*S;')
        into = perl.format('bind(S,pack("SSLLL",40,0,5678,-1,0))||die "$!"; listen(S,1); '
                           'print "up\\n"; close STDOUT; accept(C,S);')
        data = os.urandom(MIB)
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind('vsock_1234')
            listener.listen()
            listener.settimeout(BOOT)
            guest = self.start(out)
            self.echo(listener.accept()[0], data)
            self.finish(out, guest)
        guest = self.start(into)
        self.assertEqual(guest.stdout.readline(), b'up\n')
        host = socket.socket(socket.AF_UNIX)
        host.connect('vsock')
        host.sendall(b'CONNECT 5678\n')
        line = b''
        while not line.endswith(b'\n'):
            line += host.recv(1)
        self.assertRegex(line, rb'^OK \d+\n$')
        self.echo(host, data)
        self.finish(into, guest)

    def echo(self, sock, data):
        with sock:
            sock.settimeout(BOOT)
            threading.Thread(target=sock.sendall, args=(data,), daemon=True).start()
            back = b''
            while len(back) < len(data):
                chunk = sock.recv(65536)
                self.assertTrue(chunk)
                back += chunk
            self.assertEqual(back, data)

    def check_resize(self):
        size = '/sys/class/block/$(basename $(readlink ' + BY_SERIAL + 'data))/size'
        for mib in (96, 32, 64):
            self.qmp.call('block_resize', device='data', size=mib * MIB)
            self.wait_in_guest(f'test $(cat {size}) = {mib * 2048}')
        self.ssh(f'dd if=/dev/zero of={BY_SERIAL}data bs=1M seek=63 count=1 oflag=direct')

    def check_throttle(self):
        """A mebibyte a second, and as fast as it goes."""
        write = f'dd if=/dev/zero of={BY_SERIAL}data bs=64k count=64 oflag=direct 2>&1'
        limits = {f'{kind}{way}': 0 for kind in ('bps', 'iops') for way in ('', '_rd', '_wr')}
        seconds = []
        for rate in (MIB, 0):
            self.qmp.call_as_is('block_set_io_throttle', dict(limits, id='data', bps_wr=rate))
            seconds.append(float(re.search(r'([\d.e-]+) s,', self.ssh(write)).group(1)))
        self.assertGreater(seconds[0], 3)
        self.assertLess(seconds[1], seconds[0] / 2)

    def check_full(self):
        """A write that finds no room stops the machine, and is done when there is some."""
        ballast = os.path.join(self.small, 'ballast')
        with open(ballast, 'wb') as file:
            file.write(bytes(12 * MIB))
        self.ssh('head -c 8M /dev/urandom >/run/random')
        command = f'dd if=/run/random of={BY_SERIAL}full bs=256k oflag=direct'
        guest = self.start(command)
        event = self.qmp.event('BLOCK_IO_ERROR')['data']
        self.assertEqual((event['nospace'], event['action'], event['operation']),
                         (True, 'stop', 'write'))
        wait_for(lambda: self.qmp.call('query-status')['status'] == 'io-error', 'io-error')
        # No room yet: it stops again.
        self.qmp.call('cont')
        self.qmp.event('BLOCK_IO_ERROR')
        os.unlink(ballast)
        wait_for(lambda: self.qmp.call('query-status')['status'] == 'io-error', 'io-error')
        self.qmp.call('cont')
        self.finish(command, guest)
        self.ssh(f'head -c 8M {BY_SERIAL}full | cmp - /run/random; dmesg | grep "I/O error" && '
                 'exit 1; rm /run/random')

    def check_link(self):
        carrier = 'grep -qs {} $(dirname $(grep -l 00:77 /sys/class/net/*/address))/carrier'
        self.ssh(carrier.format(1))
        for up in (False, True):
            self.qmp.call('set_link', name='wire', up=up)
            self.wait_in_guest(carrier.format(int(up)))

    def resident(self):
        with open(f'/proc/{self.machine.process.pid}/statm', encoding='ascii') as file:
            return int(file.read().split()[1]) * 4096

    def total(self):
        return int(self.ssh("awk '/MemTotal/ { print $2 }' /proc/meminfo")) * 1024

    def check_balloon(self):
        before = self.resident()
        self.ssh('head -c 300M /dev/zero >/dev/shm/x')
        used = self.resident()
        self.assertGreater(used, before + 100 * MIB)
        self.ssh('rm /dev/shm/x')
        wait_for(lambda: self.resident() < used - 200 * MIB, 'free pages')
        total = self.total()
        for size in (400 * MIB, 1024 * MIB):
            self.qmp.call('balloon', value=size)
            while self.qmp.event('BALLOON_CHANGE')['data']['actual'] != size:
                pass
            self.assertEqual(self.qmp.call('query-balloon')['actual'], size)
            self.assertEqual(total - self.total(), 1024 * MIB - size)
            # The engine itself has some, too.
            self.assertLess(self.resident(), size + 64 * MIB)

    def check_panic(self):
        """By an NMI, of which Linux believes that nothing but a user can be the reason."""
        self.ssh('sysctl -q kernel.unknown_nmi_panic=1')
        self.qmp.call('inject-nmi')
        self.assertEqual(self.qmp.event('GUEST_PANICKED')['data']['action'], 'poweroff')
        self.assertEqual(self.machine.process.wait(timeout=BOOT), 2)

    def test_devices(self):
        self.assertEqual(self.ssh('systemctl --failed --no-legend --plain').strip(), '')
        for check in (self.check_rng, self.check_console, self.check_vsock, self.check_resize,
                      self.check_throttle, self.check_full, self.check_link, self.check_balloon,
                      self.check_panic):
            with self.subTest(check.__name__):
                check()


if __name__ == '__main__':
    if not shutil.which('ssh') or not vm.debian_image():
        print('there is no Debian image, or no ssh')
        sys.exit(77)
    vm.main()
