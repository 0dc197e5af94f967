#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A storage pool of type iscsi-direct on a target that there is, and machines with its disks, in a network
namespace of its own.

Ends with 77 where tgtd, libiscsi's programs or the right to make a namespace is missing.
Environment: as daemon.py says; SOCLE_DISK_GUEST is where lvm64.elf is (tests/guest).
"""
import os
import select
import shutil
import subprocess
import sys
import time
import unittest

import daemon as tool

MIB = 1 << 20
TARGET = 'iqn.2026-11.org.example:disks'
XML = """<pool type='iscsi-direct'><name>i</name><source><host name='127.0.0.1' port='3261'/>
<device path='{}'/><initiator><iqn name='iqn.2026-11.org.example:me'/></initiator></source></pool>"""


class Iscsi(tool.Case):
    def setUp(self):
        super().setUp()
        self.number = str(os.getpid())
        for lun, size in ((1, 10), (2, 33)):
            with open(os.path.join(self.dir, f'lun{lun}'), 'wb') as file:
                file.truncate(size * MIB)
        self.server = None
        self.addCleanup(self.stop)
        self.serve()
        self.uri = self.daemon().uri()

    def stop(self):
        self.server.kill()
        self.server.wait()

    def serve(self):
        self.server = subprocess.Popen(
            ['tgtd', '--foreground', '--control-port', self.number, '--iscsi',
             'portal=127.0.0.1:3261'], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL)
        tool.wait_for(lambda: self.admin('show', 'target', check=False).returncode == 0, 'tgtd')
        self.admin('new', 'target', '--tid', '1', '-T', TARGET)
        for lun in (1, 2):
            self.admin('new', 'logicalunit', '--tid', '1', '--lun', str(lun), '-b',
                       os.path.join(self.dir, f'lun{lun}'))
        self.admin('bind', 'target', '--tid', '1', '-I', 'ALL')

    def admin(self, op, mode, *words, check=True):
        return subprocess.run(['tgtadm', '-C', self.number, '--lld', 'iscsi', '--op', op, '--mode', mode,
                               *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, check=check, timeout=tool.PATIENCE)

    def define(self, target):
        path = os.path.join(self.dir, 'pool.xml')
        with open(path, 'w', encoding='utf-8') as file:
            file.write(XML.format(target))
        self.virsh(self.uri, 'pool-define', path, '--validate')

    def lun(self, number):
        with open(os.path.join(self.dir, f'lun{number}'), 'rb') as file:
            return file.read()

    def transfers(self):
        """Up, down, parts of it, holes, and away."""
        here, back = os.path.join(self.dir, 'here'), os.path.join(self.dir, 'back')
        data = os.urandom(3 * MIB + 1000)
        with open(here, 'wb') as file:
            file.write(data)
        self.virsh(self.uri, 'vol-upload', 'unit:0:0:1', here, 'i')
        self.assertEqual(self.lun(1)[:len(data)], data)
        self.virsh(self.uri, 'vol-download', 'unit:0:0:1', back, 'i')
        with open(back, 'rb') as file:
            self.assertEqual(file.read(), self.lun(1))
        # In the middle, not by whole blocks.
        with open(here, 'wb') as file:
            file.write(b'x' * 700)
        self.virsh(self.uri, 'vol-upload', 'unit:0:0:1', here, 'i', '--offset', '300', '--length', '700')
        data = data[:300] + b'x' * 700 + data[1000:]
        self.assertEqual(self.lun(1)[:len(data)], data)
        self.virsh(self.uri, 'vol-download', 'unit:0:0:1', back, 'i', '--offset', '299', '--length', '3')
        with open(back, 'rb') as file:
            self.assertEqual(file.read(), data[299:302])
        with open(here, 'wb') as file:
            file.truncate(2 * MIB)
            file.seek(MIB)
            file.write(b'y' * 4096)
        self.virsh(self.uri, 'vol-upload', 'unit:0:0:1', here, 'i', '--sparse')
        self.assertEqual(self.lun(1)[:2 * MIB], bytes(MIB) + b'y' * 4096 + bytes(MIB - 4096))
        with open(here, 'wb') as file:
            file.truncate(11 * MIB)
        self.assertIn('ends there', self.virsh(self.uri, 'vol-upload', 'unit:0:0:1', here, 'i', status=1))
        self.virsh(self.uri, 'vol-wipe', 'unit:0:0:1', 'i', '--algorithm', 'random')
        self.assertGreater(len(set(self.lun(1)[-MIB:])), 200)
        self.virsh(self.uri, 'vol-wipe', 'unit:0:0:1', 'i')
        self.assertEqual(self.lun(1), bytes(10 * MIB))

    def machine(self, disk):
        """A guest reads and writes LUN 1, and goes on after the target was away."""
        path = os.path.join(self.dir, 'vm.xml')
        with open(path, 'w', encoding='utf-8') as file:
            file.write(tool.definition('m', devices=disk + "<serial type='pty'/>",
                                       kernel=os.environ['SOCLE_DISK_GUEST']))
        self.virsh(self.uri, 'create', path)
        tty = os.open(self.virsh(self.uri, 'ttyconsole', 'm').strip(), os.O_RDWR | os.O_NOCTTY)
        self.addCleanup(os.close, tty)
        self.said = b''
        self.guest(tty, b'c', b'sectors 20480')
        self.guest(tty, b'r', b'has none')
        self.guest(tty, b'w3', b'wrote 3')
        self.guest(tty, b'r', b'has 3')
        self.assertNotEqual(self.lun(1)[:4096], bytes(4096))
        self.assertIn("protocol='iscsi'", self.virsh(self.uri, 'dumpxml', 'm'))
        self.assertRegex(self.virsh(self.uri, 'domblkstat', 'm', 'vda'), r'wr_req [1-9]')
        self.server.kill()
        self.server.wait()
        os.write(tty, b'w5')
        self.serve()
        self.guest(tty, b'', b'wrote 5')
        self.guest(tty, b'r', b'has 5')
        self.virsh(self.uri, 'destroy', 'm')

    def guest(self, tty, keys, answer):
        os.write(tty, keys)
        end = time.monotonic() + tool.PATIENCE
        while answer not in self.said and time.monotonic() < end:
            if select.select([tty], [], [], 1)[0]:
                self.said += os.read(tty, 4096)
        self.assertIn(answer, self.said)
        self.said = self.said.partition(answer)[2]

    def test(self):
        self.assertIn(f"<device path='{TARGET}'/>",
                      self.virsh(self.uri, 'find-storage-pool-sources-as', 'iscsi-direct', '127.0.0.1',
                                 '3261'))
        self.define('iqn.2026-11.org.example:none')
        self.assertIn('has no target', self.virsh(self.uri, 'pool-start', 'i', status=1))
        self.virsh(self.uri, 'pool-undefine', 'i')
        self.define(TARGET)
        self.virsh(self.uri, 'pool-start', 'i')
        self.assertRegex(self.virsh(self.uri, 'pool-info', 'i', '--bytes'), rf'Capacity: +{43 * MIB}\b')
        path = f'ip-127.0.0.1:3261-iscsi-{TARGET}-lun-2'
        self.assertRegex(self.virsh(self.uri, 'vol-list', 'i'), rf'unit:0:0:2 +{path}')
        self.assertRegex(self.virsh(self.uri, 'vol-info', 'unit:0:0:2', 'i', '--bytes'),
                         rf'Capacity: +{33 * MIB} bytes')
        xml = self.virsh(self.uri, 'vol-dumpxml', path)
        self.assertIn("<volume type='network'>", xml)
        self.assertIn('<name>unit:0:0:2</name>', xml)
        self.assertEqual(self.virsh(self.uri, 'vol-pool', path).strip(), 'i')
        self.assertIn('cannot lose volumes', self.virsh(self.uri, 'vol-delete', 'unit:0:0:1', 'i',
                                                        status=1))
        self.transfers()
        self.machine("<disk type='volume'><source pool='i' volume='unit:0:0:1'/><target dev='vda'/></disk>")
        # What is new there is seen.
        third = os.path.join(self.dir, 'lun3')
        with open(third, 'wb') as file:
            file.truncate(MIB)
        self.admin('new', 'logicalunit', '--tid', '1', '--lun', '3', '-b', third)
        self.assertIn('unit:0:0:3', self.virsh(self.uri, 'vol-list', 'i'))
        self.server.kill()
        self.server.wait()
        self.assertIn('iscsi-ls', self.virsh(self.uri, 'vol-list', 'i', status=1))
        self.virsh(self.uri, 'pool-destroy', 'i')


if __name__ == '__main__':
    missing = [name for name in ('tgtd', 'tgtadm', 'iscsi-ls', 'virsh', 'ip', 'unshare')
               if not shutil.which(name)]
    if missing:
        # Package tgt begins to listen when it is installed, so ./dev leaves that to whom the host belongs.
        print(f'skipped: there is no {missing[0]} (packages tgt, libiscsi-bin)')
        sys.exit(77)
    if os.environ.get('SOCLE_ISCSI') != 'inside':
        if subprocess.run(['unshare', '-n', 'true'], stderr=subprocess.DEVNULL, check=False).returncode:
            print('skipped: no network namespaces for us')
            sys.exit(77)
        os.environ['SOCLE_ISCSI'] = 'inside'
        os.execvp('unshare', ['unshare', '-n', sys.executable, *sys.argv])
    subprocess.run(['ip', 'link', 'set', 'lo', 'up'], check=True)
    unittest.main(verbosity=2)
