#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A storage pool of type iscsi-direct on a target that there is, and machines with its disks, in a network
namespace of its own.

Ends with 77 where tgtd, libiscsi's programs or the right to make a namespace is missing.
Environment: as daemon.py says; SOCLE_DISK_GUEST is where lvm64.elf is (tests/guest).
"""
import base64
import contextlib
import os
import signal
import subprocess
import unittest

import daemon as tool
import waiting
from waiting import wait_for

MIB = 1 << 20
SECRET = 'c0ffee00-1234-4321-9abc-0123456789ab'
PASSWORD = b'open sesame!!'
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
        self.chap = False
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
        wait_for(lambda: self.admin('show', 'target', check=False).returncode == 0, 'tgtd')
        self.admin('new', 'target', '--tid', '1', '-T', TARGET)
        for lun in (1, 2):
            self.admin('new', 'logicalunit', '--tid', '1', '--lun', str(lun), '-b',
                       os.path.join(self.dir, f'lun{lun}'))
        self.admin('bind', 'target', '--tid', '1', '-I', 'ALL')
        if self.chap:
            self.lock()

    def lock(self):
        self.admin('new', 'account', '--user', 'me', '--password', PASSWORD.decode())
        self.admin('bind', 'account', '--tid', '1', '--user', 'me')

    def admin(self, op, mode, *words, check=True):
        return subprocess.run(['tgtadm', '-C', self.number, '--lld', 'iscsi', '--op', op, '--mode', mode,
                               *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, check=check, timeout=waiting.PATIENCE)

    def define(self, target, auth=''):
        path = self.write('pool.xml', XML.format(target).replace('</source>', auth + '</source>'))
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

    def machine(self, disk, plug=False):
        """A guest reads and writes LUN 1, and goes on after the target was away; with @plug another machine
        gets the disk while it runs."""
        self.virsh(self.uri, 'vol-wipe', 'unit:0:0:1', 'i')
        self.virsh(self.uri, 'create', self.write('vm.xml', tool.definition(
            'm', devices=disk + "<serial type='pty'/>", kernel=os.environ['SOCLE_DISK_GUEST'])))
        guest = tool.Console(self, self.uri, 'm')
        guest.ask(b'c', b'sectors 20480')
        guest.ask(b'r', b'has none')
        guest.ask(b'w3', b'wrote 3')
        guest.ask(b'r', b'has 3')
        self.assertNotEqual(self.lun(1)[:4096], bytes(4096))
        self.assertIn("protocol='iscsi'", self.virsh(self.uri, 'dumpxml', 'm'))
        self.assertRegex(self.virsh(self.uri, 'domblkstat', 'm', 'vda'), r'wr_req [1-9]')
        self.server.kill()
        self.server.wait()
        guest.send(b'w5')
        self.serve()
        guest.expect(b'wrote 5')
        guest.ask(b'r', b'has 5')
        self.in_no_command_line(PASSWORD)
        self.virsh(self.uri, 'destroy', 'm')
        if not plug:
            return
        self.virsh(self.uri, 'create', self.write('vm.xml', tool.definition('n')))
        self.virsh(self.uri, 'attach-device', 'n', self.write('disk.xml', disk))
        self.assertRegex(self.virsh(self.uri, 'domblkinfo', 'n', 'vda'), rf'Capacity: +{10 * MIB}')
        self.in_no_command_line(PASSWORD)
        self.virsh(self.uri, 'destroy', 'n')

    def secret(self, *flags):
        path = self.write('secret.xml', f"<secret {' '.join(flags)}><usage type='iscsi'><target>libvirtiscsi</target>"
                                        f"</usage><uuid>{SECRET}</uuid></secret>")
        self.virsh(self.uri, 'secret-define', path, '--validate')

    def test_secrets(self):
        """All that virsh does with them, and what is left after a daemon that was killed."""
        self.secret()
        self.assertRegex(self.virsh(self.uri, 'secret-list'), rf'{SECRET} +iscsi libvirtiscsi')
        self.assertIn("private='no'", self.virsh(self.uri, 'secret-dumpxml', SECRET))
        self.assertIn('does not have a value', self.virsh(self.uri, 'secret-get-value', SECRET, status=1))
        path = os.path.join(self.dir, 'value')
        with open(path, 'wb') as file:
            file.write(PASSWORD)
        self.virsh(self.uri, 'secret-set-value', SECRET, '--file', path, '--plain')
        self.assertEqual(self.virsh(self.uri, 'secret-get-value', SECRET, '--plain').strip(), PASSWORD.decode())
        self.assertIn('already defined', self.virsh(self.uri, 'secret-define', self.other(), status=1))
        files = [os.path.join(folder, name) for folder, _, names in os.walk(os.path.join(self.dir, 'st'))
                 for name in names]
        coded = base64.b64encode(PASSWORD)
        # They have it in a file, and nobody else may read that.
        for file in files:
            # Those that become others go meanwhile.
            with contextlib.suppress(FileNotFoundError), open(file, 'rb') as opened:
                text = opened.read()
                self.assertNotIn(PASSWORD, text)
                if coded in text:
                    self.assertEqual(os.fstat(opened.fileno()).st_mode & 0o777, 0o600, file)
        self.daemons[0].end(signal.SIGKILL)
        self.daemons[0].start()
        self.assertEqual(self.virsh(self.uri, 'secret-get-value', SECRET, '--plain').strip(), PASSWORD.decode())
        self.secret("private='yes'")
        self.assertIn('private', self.virsh(self.uri, 'secret-get-value', SECRET, status=1))
        self.assertIn('cannot change private', self.virsh(self.uri, 'secret-define',
                                                          os.path.join(self.dir, 'public.xml'), status=1))
        # It is there until the daemon ends, and no longer.
        self.secret("private='yes'", "ephemeral='yes'")
        self.daemons[0].end(signal.SIGKILL)
        self.daemons[0].start()
        self.assertNotIn(SECRET, self.virsh(self.uri, 'secret-list'))
        self.secret()
        self.virsh(self.uri, 'secret-undefine', SECRET)
        self.assertIn('no secret with matching uuid', self.virsh(self.uri, 'secret-dumpxml', SECRET, status=1))

    def other(self):
        """For the same as another one; and the first one for everybody."""
        text = ("<secret>{}<usage type='iscsi'><target>libvirtiscsi</target></usage></secret>")
        for name, uuid in (('other.xml', ''), ('public.xml', f'<uuid>{SECRET}</uuid>')):
            with open(os.path.join(self.dir, name), 'w', encoding='utf-8') as file:
                file.write(text.format(uuid))
        return os.path.join(self.dir, 'other.xml')

    def test_chap(self):
        """A target that lets in who has a password, which is in no command line."""
        self.chap = True
        self.lock()
        self.define(TARGET)
        self.virsh(self.uri, 'pool-start', 'i', status=1)
        self.virsh(self.uri, 'pool-undefine', 'i')
        self.define(TARGET, "<auth type='chap' username='me'><secret usage='libvirtiscsi'/></auth>")
        self.assertIn('secret-define', self.virsh(self.uri, 'pool-start', 'i', status=1))
        self.secret()
        self.assertIn('secret-set-value', self.virsh(self.uri, 'pool-start', 'i', status=1))
        self.virsh(self.uri, 'secret-set-value', SECRET, base64.b64encode(b'not the one!').decode())
        self.virsh(self.uri, 'pool-start', 'i', status=1)
        self.virsh(self.uri, 'secret-set-value', SECRET, base64.b64encode(PASSWORD).decode())
        self.virsh(self.uri, 'pool-start', 'i')
        self.assertIn('unit:0:0:1', self.virsh(self.uri, 'vol-list', 'i'))
        self.machine("<disk type='volume'><source pool='i' volume='unit:0:0:1'/><target dev='vda'/></disk>")
        self.machine(f"""<disk type='network'><source protocol='iscsi' name='{TARGET}/1'>
<host name='127.0.0.1' port='3261'/><auth username='me'><secret type='iscsi' uuid='{SECRET}'/></auth>
<initiator><iqn name='iqn.2026-11.org.example:me'/></initiator></source><target dev='vda'/></disk>""", plug=True)
        self.daemons[0].end()
        # Nobody has said it: not the daemon, not a machine's log, which has its command line.
        for folder, _, names in os.walk(self.dir):
            for name in names:
                if not name.startswith(('lun', 'wal')) and 'secret-values' not in folder:
                    with open(os.path.join(folder, name), 'rb') as file:
                        text = file.read()
                    self.assertNotIn(PASSWORD, text, name)
                    self.assertNotIn(base64.b64encode(PASSWORD), text, name)

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
    # Package tgt begins to listen when it is installed, so ./dev leaves that to whom the host belongs.
    tool.enter_namespace(('tgtd', 'tgtadm', 'iscsi-ls'), 'tgt, libiscsi-bin')
    unittest.main(verbosity=2)
