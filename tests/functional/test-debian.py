#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A whole Debian from a virtio disk, on the network, reached by ssh; see tools/guest-image.

Test classes run one at a time: test-debian.py CLASS. Ends with 77 where there is no image.
"""
import collections
import os
import shutil
import socket
import subprocess
import sys

import vm

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..')
# A boot takes about 25 seconds of a processor on the software engine.
BOOT = 600


def image():
    """The folder with the image, or None."""
    tool = subprocess.run([os.path.join(ROOT, 'tools', 'guest-image'), 'debian'],
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=False)
    return tool.stdout.decode().strip() if tool.returncode == 0 else None


def free_port():
    with socket.socket() as sock:
        sock.bind(('127.0.0.1', 0))
        return sock.getsockname()[1]


class Debian(vm.Case):
    cpus = 1

    def setUp(self):
        super().setUp()
        vm.PATIENCE = BOOT
        self.image = image()
        self.port = free_port()
        shutil.copyfile(os.path.join(self.image, 'disk.img'), 'disk')
        with open('data', 'wb') as file:
            file.truncate(64 << 20)
        self.machine = vm.Machine(
            '--cpus', str(self.cpus), '--initrd', os.path.join(self.image, 'initrd'),
            '--append', 'console=ttyS0 root=/dev/vda rw quiet', '--rng', 'on',
            '--disk', 'path=disk,format=raw', '--monitor', 'unix=monitor',
            '--disk', f'path=data,format=raw,packed=off,cache=none,queues={self.cpus}',
            '--net', f'user,hostfwd=tcp:127.0.0.1:{self.port}-:22',
            kernel=os.path.join(self.image, 'vmlinuz'), memory='1G')
        self.addCleanup(self.machine.__exit__)
        self.machine.expect(b'login: ')
        self.qmp = vm.Qmp('monitor')
        self.addCleanup(self.qmp.__exit__)

    def ssh(self, command):
        """Run a shell command in the guest; its output."""
        done = subprocess.run(
            ['ssh', '-q', '-i', os.path.join(self.image, 'id_ed25519'), '-p', str(self.port),
             '-o', 'StrictHostKeyChecking=no', '-o', 'UserKnownHostsFile=/dev/null',
             '-o', 'ConnectTimeout=120', 'root@127.0.0.1', command],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            timeout=BOOT, check=False)
        self.assertEqual(done.returncode, 0, f'{command}: {done.stdout.decode()}')
        return done.stdout.decode()

    def check_up(self):
        self.assertEqual(self.ssh('nproc').strip(), str(self.cpus))
        self.assertEqual(self.ssh('systemctl --failed --no-legend --plain').strip(), '')
        self.assertIn('10.0.2.15/24', self.ssh('ip -br -4 address'))
        self.assertIn('fec0:', self.ssh('ip -br -6 address'))
        self.ssh('ping -c 2 -W 30 10.0.2.2')

    def check_disks(self):
        for name in ('/root/fio', '/dev/vdb'):
            out = self.ssh('fio --name=v --size=8M --rw=randrw --bsrange=4k-64k --verify=crc32c '
                           f'--direct=1 --ioengine=libaio --iodepth=16 --filename={name}')
            self.assertRegex(out, r'err= 0')
        self.ssh('blkdiscard /dev/vdb')
        self.assertLess(os.stat('data').st_blocks * 512, 1 << 20)

    def descriptors(self):
        """How many there are of a kind, but for sockets: those of libslirp live as long as the
        guest's last packet of a connection is young."""
        folder = f'/proc/{self.machine.process.pid}/fd'
        kinds = [os.readlink(os.path.join(folder, name)) for name in os.listdir(folder)]
        return collections.Counter(kind for kind in kinds if not kind.startswith('socket:'))

    def check_hot_plug(self, rounds):
        before = self.descriptors()
        with open('extra', 'wb') as file:
            file.truncate(16 << 20)
        for _ in range(rounds):
            self.qmp.send(b'{"execute":"blockdev-add","arguments":{"driver":"raw",'
                          b'"node-name":"x","file":{"driver":"file","filename":"extra"}}}')
            self.assertIn('return', self.qmp.answer())
            self.qmp.call('netdev_add', type='user', id='y')
            self.qmp.call('device_add', driver='virtio-blk-pci', drive='x', id='dx', serial='X')
            self.qmp.call('device_add', driver='virtio-net-pci', netdev='y', id='ny')
            self.ssh('for i in $(seq 100); do test -e /sys/block/vdc && '
                     'test $(ls -d /sys/class/net/e* | wc -l) = 2 && break; sleep 0.1; done; '
                     'dd if=/dev/urandom of=/dev/vdc bs=64k count=8 oflag=direct status=none')
            for device in ('dx', 'ny'):
                self.qmp.call('device_del', id=device)
                self.assertEqual(self.qmp.event('DEVICE_DELETED')['data']['device'], device)
            self.qmp.call('blockdev-del', node_name='x')
            self.qmp.call('netdev_del', id='y')
        self.assertEqual(self.descriptors(), before)

    def check_off(self):
        self.qmp.call('system_powerdown')
        self.assertEqual(self.qmp.event('SHUTDOWN')['data']['reason'], 'guest-shutdown')
        self.assertEqual(self.machine.process.wait(timeout=BOOT), 0)
        check = subprocess.run(['/sbin/e2fsck', '-fn', 'disk'], stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, check=False)
        self.assertEqual(check.returncode, 0, check.stdout)


class Debian1(Debian):
    def test_debian(self):
        self.check_up()
        self.check_disks()
        self.check_hot_plug(int(os.environ.get('SOCLE_ROUNDS', '5')))
        self.check_off()


class Debian4(Debian):
    cpus = 4

    def test_debian(self):
        self.check_up()
        self.check_disks()
        self.check_off()


if __name__ == '__main__':
    if not shutil.which('ssh') or not image():
        print('there is no Debian image, or no ssh')
        sys.exit(77)
    vm.main()
