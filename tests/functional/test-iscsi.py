#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A storage pool of type iscsi-direct on a target that there is, in a network namespace of its own.

Ends with 77 where tgtd, libiscsi's programs or the right to make a namespace is missing.
Environment: as daemon.py says.
"""
import os
import shutil
import subprocess
import sys
import unittest

import daemon as tool
import waiting
from waiting import wait_for

MIB = 1 << 20
TARGET = 'iqn.2026-11.org.example:disks'
XML = """<pool type='iscsi-direct'><name>i</name><source><host name='127.0.0.1' port='3261'/>
<device path='{}'/><initiator><iqn name='iqn.2026-11.org.example:me'/></initiator></source></pool>"""


class Iscsi(tool.Case):
    def setUp(self):
        super().setUp()
        self.number = str(os.getpid())
        self.server = subprocess.Popen(
            ['tgtd', '--foreground', '--control-port', self.number, '--iscsi',
             'portal=127.0.0.1:3261'], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL)
        self.addCleanup(self.server.wait)
        self.addCleanup(self.server.kill)
        wait_for(lambda: self.admin('show', 'target', check=False).returncode == 0, 'tgtd')
        self.admin('new', 'target', '--tid', '1', '-T', TARGET)
        for lun, size in ((1, 10), (2, 33)):
            path = os.path.join(self.dir, f'lun{lun}')
            with open(path, 'wb') as file:
                file.truncate(size * MIB)
            self.admin('new', 'logicalunit', '--tid', '1', '--lun', str(lun), '-b', path)
        self.admin('bind', 'target', '--tid', '1', '-I', 'ALL')
        self.uri = self.daemon().uri()

    def admin(self, op, mode, *words, check=True):
        return subprocess.run(['tgtadm', '-C', self.number, '--lld', 'iscsi', '--op', op, '--mode', mode,
                               *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, check=check, timeout=waiting.PATIENCE)

    def define(self, target):
        path = os.path.join(self.dir, 'pool.xml')
        with open(path, 'w', encoding='utf-8') as file:
            file.write(XML.format(target))
        self.virsh(self.uri, 'pool-define', path, '--validate')

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
        # What is only shown says so.
        self.assertIn('iscsiadm', self.virsh(self.uri, 'vol-download', 'unit:0:0:1',
                                             os.path.join(self.dir, 'x'), 'i', status=1))
        self.assertIn('cannot lose volumes', self.virsh(self.uri, 'vol-delete', 'unit:0:0:1', 'i',
                                                        status=1))
        disk = "<disk type='volume'><source pool='i' volume='unit:0:0:1'/><target dev='vda'/></disk>"
        vm = os.path.join(self.dir, 'vm.xml')
        with open(vm, 'w', encoding='utf-8') as file:
            file.write(tool.definition('m', devices=disk))
        self.assertIn('iscsiadm', self.virsh(self.uri, 'create', vm, status=1))
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
