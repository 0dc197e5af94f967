#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What clients do not read is kept by nobody: neither socled nor socle-vm grows, however much there is for them.

Clients are libvirt's, which read their socket while they wait for an answer only. Environment: see daemon.py.
"""
import contextlib
import os
import struct
import time
import unittest

import libvirt

import daemon as tool
from daemon import definition, raw_client
from vm import resident

libvirt.registerErrorHandler(lambda _, error: None, None)
MIB = 1024  # KiB
# Sanitizers keep what was freed, and have shadows.
FACTOR = 4 if os.environ.get('SOCLE_SANITIZED') else 1
QUEUE = 96 * MIB  # what socled keeps for one client at most, see docs/design/0017
TIMES, SENT = 32, 300 << 20
POOL = "<pool type='dir'><name>p</name><target><path>{}</path></target></pool>"
VOLUME = "<volume><name>{}</name><capacity>{}</capacity><target><format type='raw'/></target></volume>"


class Bounded(tool.Case):
    def setUp(self):
        super().setUp()
        self.one = self.daemon('--run', os.path.join(self.dir, 'run'))
        self.conn = libvirt.open(self.one.uri())
        self.addCleanup(self.conn.close)

    def machine(self, name):
        dom = self.conn.defineXML(definition(name, devices="<console type='pty'/>"))
        dom.create()
        path = os.path.join(self.dir, 'run', 'vm', dom.UUIDString(), 'pid')
        with open(path, encoding='ascii') as file:
            return dom, int(file.read())

    def grown(self, pids, before, limit):
        """By how many KiB each has at its worst grown since; less than @limit."""
        worst = [resident(pid, 'VmHWM') - was for pid, was in zip(pids, before)]
        self.assertTrue(all(kib < limit * FACTOR for kib in worst), worst)
        return worst

    def served(self):
        """Somebody else is."""
        begin = time.monotonic()
        other = libvirt.open(self.one.uri())
        other.listAllDomains()
        other.close()
        self.assertLess(time.monotonic() - begin, 10)

    def test_console(self):
        """A guest floods its serial port, and who has its console open reads nothing."""
        machines = [self.machine(f'm{number}') for number in range(4)]
        pids = [self.one.process.pid] + [pid for _, pid in machines]
        before = [resident(pid) for pid in pids]
        deaf = []
        for dom, _ in machines:
            conn = libvirt.open(self.one.uri())
            self.addCleanup(conn.close)
            stream = conn.newStream()
            conn.lookupByName(dom.name()).openConsole(None, stream)
            deaf.append(stream)
        # Each 'F' makes the guest print 72,000 bytes: 140 MB, if anybody kept them.
        for stream in deaf:
            stream.send(b'F' * 500)
        time.sleep(2)
        self.grown(pids, before, 32 * MIB)
        self.served()
        # Nothing was lost on the way: it goes on when it is read.
        count = 0
        while count < 200000:
            count += len(deaf[0].recv(1 << 16))
        self.grown(pids, before, 32 * MIB)
        for dom, _ in machines:
            dom.destroy()

    def test_nobody(self):
        """The same, and no console is open at all."""
        dom, pid = self.machine('m')
        stream = self.conn.newStream()
        dom.openConsole(None, stream)
        stream.send(b'F' * 500)
        pids = [self.one.process.pid, pid]
        before = [resident(pid) for pid in pids]
        with contextlib.suppress(libvirt.libvirtError):
            stream.abort()
        time.sleep(1)
        self.grown(pids, before, 16 * MIB)
        dom.destroy()

    def test_download(self):
        """Volumes are sent to clients that take nothing of them."""
        folder = os.path.join(self.dir, 'pool')
        os.mkdir(folder)
        pool = self.conn.storagePoolCreateXML(POOL.format(folder))
        before = [resident(self.one.process.pid)]
        deaf = []
        # A volume for each: two of one volume take turns.
        for number, flags in enumerate([0, libvirt.VIR_STORAGE_VOL_DOWNLOAD_SPARSE_STREAM] * 4):
            vol = pool.createXML(VOLUME.format(number, 32 << 20))
            with open(vol.path(), 'r+b') as file:
                file.write(os.urandom(1 << 20) * 32)
            conn = libvirt.open(self.one.uri())
            conn.storageVolLookupByPath(vol.path()).download(conn.newStream(), 0, 0, flags)
            deaf.append(conn)
        time.sleep(2)
        self.grown([self.one.process.pid], before, 96 * MIB)
        self.served()
        for conn in deaf:
            conn.close()

    def test_events(self):
        """Who has asked for events and reads none is thrown out; all others are served."""
        dom, _ = self.machine('m')
        before = [resident(self.one.process.pid)]
        deaf = raw_client(self.one.socket)
        self.addCleanup(deaf.close)
        # CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY of METADATA_CHANGE, of all domains, often.
        for serial in range(2, 2 + TIMES):
            deaf.sendall(tool.packet(316, serial, struct.pack('>II', 23, 0)))
            self.assertEqual(tool.receive(deaf)[2], 0)
        # Each event has the name: 60,000 bytes.
        uri = 'urn:' + 'x' * 60000
        for number in range(SENT // (TIMES * 60000)):
            dom.setMetadata(libvirt.VIR_DOMAIN_METADATA_ELEMENT, f'<a n="{number}"/>', 'a', uri,
                            libvirt.VIR_DOMAIN_AFFECT_LIVE)
        self.served()
        # What had gone out before is read, and then there is the end.
        count = 0
        while True:
            try:
                data = deaf.recv(1 << 20)
            except ConnectionResetError:
                break
            if not data:
                break
            count += len(data)
        self.assertLess(count, SENT // 2)
        self.grown([self.one.process.pid], before, QUEUE + 48 * MIB)
        dom.destroy()


if __name__ == '__main__':
    unittest.main(verbosity=2)
