#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A storage pool of type rbd on a Ceph cluster that there is, and machines with its images.

The cluster is one monitor, one manager, and one OSD that keeps its data in memory, in a network namespace of its
own. Ends with 77 where one of these programs (packages ceph-mon, ceph-mgr, ceph-osd) or the right to make a
namespace is missing; ./dev does not install them. Environment: as daemon.py says; SOCLE_DISK_GUEST is where
lvm64.elf is (tests/guest).
"""
import json
import os
import signal
import subprocess
import time
import unittest

import daemon as tool
import waiting
from waiting import wait_for

MIB = 1 << 20
FSID = '6b6a1f0e-0000-4000-8000-000000000001'
CONFIG = '''[global]
fsid = {fsid}
mon_host = 127.0.0.1:6789
mon_initial_members = a
public_network = 127.0.0.0/8
osd_pool_default_size = 1
osd_pool_default_min_size = 1
osd_crush_chooseleaf_type = 0
osd_objectstore = memstore
memstore_device_bytes = 1073741824
mon_allow_pool_size_one = true
mon_data_avail_crit = 1
ms_bind_msgr2 = false
run_dir = {dir}
admin_socket = {dir}/$name.asok
log_file = {dir}/$name.log
keyring = {dir}/keyring
[mon.a]
mon_data = {dir}/mon
keyring = {dir}/mon.keyring
[mgr.x]
mgr_data = {dir}/mgr
keyring = {dir}/mgr/keyring
[osd.0]
osd_data = {dir}/osd
keyring = {dir}/osd/keyring
'''
POOL = '''<pool type='rbd'><name>c</name><source><host name='127.0.0.1' port='6789'/><name>rbd</name>
<auth type='ceph' username='me'><secret usage='client.me'/></auth></source></pool>'''
# Once there is a file "wait" an image does not get another name.
RBD = '''#!/bin/sh
if [ "$1" = mv ] && [ -e {dir}/wait ]; then
	echo $$ >{dir}/pid && mv {dir}/pid {dir}/waits
	exec sleep 1000
fi
exec /usr/bin/rbd "$@"
'''
SECRET = "<secret private='yes'><usage type='ceph'><name>client.me</name></usage></secret>"


class Ceph(tool.Case):
    def setUp(self):
        super().setUp()
        self.ceph_dir = os.path.join(self.dir, 'ceph')
        for name in ('mon', 'mgr', 'osd'):
            os.makedirs(os.path.join(self.ceph_dir, name))
        self.config = self.write('ceph/ceph.conf', CONFIG.format(fsid=FSID, dir=self.ceph_dir))
        self.cluster()
        os.mkdir(os.path.join(self.dir, 'bin'))
        os.chmod(self.write('bin/rbd', RBD.format(dir=self.dir)), 0o755)
        self.socled = self.daemon(env={**os.environ, 'PATH': os.path.join(self.dir, 'bin') + ':' + os.environ['PATH']})
        self.uri = self.socled.uri()

    def run_tool(self, *words):
        return subprocess.run(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              env={**os.environ, 'CEPH_CONF': self.config}, check=True, text=True,
                              timeout=waiting.PATIENCE).stdout.strip()

    def start(self, program, number):
        process = subprocess.Popen([program, '-c', self.config, '-i', number, '-f'], stdin=subprocess.DEVNULL,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def cluster(self):
        def path(*names):
            return os.path.join(self.ceph_dir, *names)
        admin, mon, monmap = path('keyring'), path('mon.keyring'), path('monmap')
        every = ('--cap', 'mon', 'allow *', '--cap', 'osd', 'allow *', '--cap', 'mgr', 'allow *')
        self.run_tool('ceph-authtool', '--create-keyring', admin, '--gen-key', '-n', 'client.admin', *every)
        self.run_tool('ceph-authtool', '--create-keyring', mon, '--gen-key', '-n', 'mon.', '--cap', 'mon', 'allow *')
        self.run_tool('ceph-authtool', mon, '--import-keyring', admin)
        self.run_tool('monmaptool', '--create', '--addv', 'a', '[v1:127.0.0.1:6789]', '--fsid', FSID, monmap)
        self.run_tool('ceph-mon', '-c', self.config, '--mkfs', '-i', 'a', '--monmap', monmap, '--keyring', mon)
        self.start('ceph-mon', 'a')
        self.run_tool('ceph', '--connect-timeout', '30', '-s')
        self.write('ceph/mgr/keyring', self.run_tool('ceph', 'auth', 'get-or-create', 'mgr.x', 'mon',
                                                         'allow profile mgr', 'osd', 'allow *') + '\n')
        uuid = '11111111-2222-4333-8444-555555555555'
        self.run_tool('ceph', 'osd', 'new', uuid)
        osd = path('osd', 'keyring')
        self.run_tool('ceph-authtool', '--create-keyring', osd, '--gen-key', '-n', 'osd.0')
        self.run_tool('ceph', 'auth', 'add', 'osd.0', 'osd', 'allow *', 'mon', 'allow profile osd', '-i', osd)
        self.run_tool('ceph-osd', '-c', self.config, '-i', '0', '--mkfs', '--osd-uuid', uuid)
        self.osd = self.start('ceph-osd', '0')
        self.start('ceph-mgr', 'x')
        self.run_tool('ceph', 'osd', 'pool', 'create', 'rbd', '8', '8')
        self.run_tool('rbd', 'pool', 'init', 'rbd')
        self.key = self.run_tool('ceph', 'auth', 'get-or-create-key', 'client.me', 'mon', 'profile rbd', 'osd',
                                 'profile rbd pool=rbd', 'mgr', 'profile rbd pool=rbd')

    def download(self, name):
        path = os.path.join(self.dir, 'back')
        self.virsh(self.uri, 'vol-download', name, path, 'c')
        with open(path, 'rb') as file:
            return file.read()

    def pool(self):
        pool = self.write('pool.xml', POOL)
        self.virsh(self.uri, 'pool-define', pool, '--validate')
        self.assertIn('secret-define', self.virsh(self.uri, 'pool-start', 'c', status=1))
        self.virsh(self.uri, 'secret-define', self.write('s.xml', SECRET))
        uuid = next(line.split()[0] for line in self.virsh(self.uri, 'secret-list').splitlines()
                    if 'client.me' in line)
        self.virsh(self.uri, 'secret-set-value', uuid, self.key)
        self.virsh(self.uri, 'pool-start', 'c')

    def transfers(self):
        data = os.urandom(3 * MIB + 1000)
        here = os.path.join(self.dir, 'here')
        with open(here, 'wb') as file:
            file.write(data)
        self.virsh(self.uri, 'vol-create-as', 'c', 'one', '10M')
        self.virsh(self.uri, 'vol-upload', 'one', here, 'c')
        data += bytes(10 * MIB - len(data))
        self.assertEqual(self.download('one'), data)
        self.virsh(self.uri, 'vol-clone', 'one', 'two', '--pool', 'c')
        self.assertEqual(self.download('two'), data)
        self.virsh(self.uri, 'vol-wipe', 'one', 'c')
        self.assertEqual(self.download('one'), bytes(10 * MIB))

    def images(self):
        return sorted(json.loads(self.run_tool('rbd', 'ls', '--format', 'json')))

    def killed_copy(self):
        """The daemon dies when all is copied, and before it has its name; the image's name meanwhile."""
        wait = self.write('wait', '')
        with subprocess.Popen([tool.VIRSH, '-c', self.uri, 'vol-clone', 'one', 'half', '--pool', 'c'],
                              stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as virsh:
            waits = os.path.join(self.dir, 'waits')
            wait_for(lambda: os.path.exists(waits), 'it is copied')
            part = self.images()[0]
            self.assertRegex(part, r'^\.socle-[0-9a-f]{8}-[0-9a-f]{16}\.part$')
            names = self.virsh(self.uri, 'vol-list', 'c')
            self.assertNotIn(part, names)
            self.assertIn('half', names)
            self.socled.end(signal.SIGKILL)
            with open(waits, encoding='ascii') as file:
                os.kill(int(file.read()), signal.SIGKILL)
            self.assertNotEqual(virsh.wait(), 0)
        os.unlink(wait)
        return part

    def parts(self):
        """What was left goes when the pool is started or has a new volume, but not from under who has it open."""
        part = self.killed_copy()
        self.socled.start()
        wait_for(lambda: self.images() == ['one', 'two'], 'the part is gone')
        self.run_tool('rbd', 'create', part, '--size', '4M')
        with subprocess.Popen(['rbd', 'watch', part], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL, env={**os.environ, 'CEPH_CONF': self.config}) as user:
            wait_for(lambda: 'watcher=' in self.run_tool('rbd', 'status', part), 'it is open')
            self.virsh(self.uri, 'vol-create-as', 'c', 'half', '4M')
            self.assertEqual(self.images(), [part, 'half', 'one', 'two'])
            user.communicate(b'\n', waiting.PATIENCE)
        self.virsh(self.uri, 'vol-clone', 'one', 'whole', '--pool', 'c')
        self.assertEqual(self.images(), ['half', 'one', 'two', 'whole'])
        self.virsh(self.uri, 'vol-delete', 'half', 'c')
        self.virsh(self.uri, 'vol-delete', 'whole', 'c')

    def test(self):
        self.pool()
        self.transfers()
        self.parts()
        path = self.write('vm.xml', tool.definition(
            'm', devices="<disk type='volume'><source pool='c' volume='one'/><target dev='vda'/></disk>"
                         "<serial type='pty'/>", kernel=os.environ['SOCLE_DISK_GUEST']))
        self.virsh(self.uri, 'create', path)
        guest = tool.Console(self, self.uri, 'm')
        guest.ask(b'c', b'sectors 20480')
        guest.ask(b'r', b'has none')
        guest.ask(b'w3', b'wrote 3')
        guest.ask(b'r', b'has 3')
        self.assertNotEqual(self.download('one')[:4096], bytes(4096))
        self.virsh(self.uri, 'blockresize', 'm', 'vda', '12M')
        guest.expect(b'resized 24576')
        # It waits for a cluster that stands still.
        self.osd.send_signal(signal.SIGSTOP)
        guest.send(b'w7')
        time.sleep(3)
        self.osd.send_signal(signal.SIGCONT)
        guest.expect(b'wrote 7')
        guest.ask(b'r', b'has 7')
        self.in_no_command_line(self.key.encode())
        self.virsh(self.uri, 'destroy', 'm')
        self.virsh(self.uri, 'vol-delete', 'one', 'c')
        self.assertNotIn('one', self.virsh(self.uri, 'vol-list', 'c'))


if __name__ == '__main__':
    tool.enter_namespace(('ceph-mon', 'ceph-mgr', 'ceph-osd', 'ceph', 'rbd'),
                         'ceph-mon, ceph-mgr, ceph-osd, ceph-common')
    unittest.main(verbosity=2)
