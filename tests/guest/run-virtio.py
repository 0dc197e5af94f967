#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""run-virtio.py - run virtio64 with all its devices, do what it asks for, look at what it left

usage: run-virtio.py BUS RUN.SH SOCLE-VM GUEST GOLDEN ENGINE KVM

BUS is pci or mmio: where disks, cards and the entropy source are; a console is on PCI always. The
rest is run.sh's. The guest sends lines on a console port, each answered with "ok" when it is done.
"""
import os
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'functional'))
import vm  # noqa: E402

SECTOR = 512
MODES = 6
SIZE = 2 << 20
RESIZED = SIZE + (1 << 20)
MULTIPLIER = 0x9e3779b97f4a7c15
MASK = (1 << 64) - 1


def pattern(seed, length):
    """data.c's fill()."""
    return struct.pack(f'<{length // 8}Q',
                       *(((seed + n) * MULTIPLIER) & MASK for n in range(length // 8)))


def image(path, start=b''):
    with open(path, 'wb') as file:
        file.truncate(SIZE)
        file.write(start)
    return path


class Helper(threading.Thread):
    """Does what the guest asks for."""

    def __init__(self, folder, process):
        super().__init__(daemon=True)
        self.folder = folder
        self.process = process
        self.asked = []

    def connect(self, name):
        """None if the machine ends before its socket is there."""
        peer = socket.socket(socket.AF_UNIX)
        while self.process.poll() is None:
            try:
                peer.connect(os.path.join(self.folder, name))
                return peer
            except (FileNotFoundError, ConnectionRefusedError):
                time.sleep(0.01)
        return None

    def run(self):
        port = self.connect('control')
        if not port:
            return
        with port, vm.Qmp(os.path.join(self.folder, 'qmp')) as qmp, port.makefile('rb') as lines:
            port.sendall(b'hello\n')
            for line in lines:
                self.asked.append(line.decode().strip())
                self.obey(qmp, self.asked[-1])
                port.sendall(b'ok\n')

    @staticmethod
    def obey(qmp, what):
        if what == 'resize':
            qmp.call('block_resize', node_name='rw', size=RESIZED)
        elif what == 'link off':
            qmp.call('set_link', name='a', up=False)
        elif what == 'link on':
            qmp.call('set_link', name='a', up=True)
        elif what == 'announce':
            qmp.call('announce-self')


def options(folder, bus):
    def path(name):
        return os.path.join(folder, name)

    def mac(number):
        return f'mac=52:54:00:00:00:0{number},bus={bus}'

    link = f'stream,addr.type=unix,addr.path={path("link")}'
    return [
        '--cpus', '2', '--memory', '32M', '--monitor', 'unix=' + path('qmp'),
        '--rng', f'on,bus={bus}',
        '--console', 'file=' + path('output'),
        '--console', f'unix={path("control")},name=control',
        '--disk', f'path={image(path("rw"))},node-name=rw,serial=SOCLE-1,queues=2,bus={bus}',
        '--disk', f'path={image(path("ro"), pattern(0x5ec7, 64 * SECTOR))},readonly=on,bus={bus}',
        '--net', 'user,id=u,ipv6=off,' + mac(1),
        '--net', f'{link},server=on,id=a,' + mac(2),
        '--net', f'{link},reconnect=1,id=b,' + mac(3),
    ]


def expected_disk(bus):
    """The sectors of which the guest says what it left there, by the first of them."""
    for mode in range(MODES):
        data = pattern((mode + 1) << 32, 64 * SECTOR)
        yield mode * 256, data[:8 * SECTOR] + bytes(8 * SECTOR) + data[16 * SECTOR:]
    for cpu in range(2):
        for turn in range(8):
            yield 2048 + cpu * 64 + turn * 8, pattern(((cpu + 100) << 32) + turn, 8 * SECTOR)
    yield (RESIZED if bus == 'pci' else SIZE) // SECTOR, b''


def check(folder, bus):
    wrong = []
    with open(os.path.join(folder, 'rw'), 'rb') as disk:
        data = disk.read()
    for sector, part in expected_disk(bus):
        if not part and len(data) != sector * SECTOR:
            wrong.append(f'the disk has {len(data)} bytes')
        if data[sector * SECTOR:][:len(part)] != part:
            wrong.append(f'sectors from {sector} on are not what the guest has written')
    with open(os.path.join(folder, 'ro'), 'rb') as disk:
        if disk.read() != pattern(0x5ec7, 64 * SECTOR) + bytes(SIZE - 64 * SECTOR):
            wrong.append('the read-only disk has changed')
    with open(os.path.join(folder, 'output'), encoding='ascii') as output:
        lines = output.read().splitlines()
    if len(lines) != MODES or not all(line.endswith(': to a file') for line in lines):
        wrong.append(f'the console got {lines}')
    return wrong


def main():
    bus, command = sys.argv[1], sys.argv[2:]
    with tempfile.TemporaryDirectory() as folder:
        with subprocess.Popen([*command, *options(folder, bus)]) as process:
            Helper(folder, process).start()
            status = process.wait()
        wrong = check(folder, bus) if status == 0 else []
    for sentence in wrong:
        print(sentence, file=sys.stderr)
    return 1 if wrong else status


if __name__ == '__main__':
    sys.exit(main())
