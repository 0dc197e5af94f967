#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Storage pools of a host with NFS, udev and partitions: a Debian guest, and socled as its service.

The NFS server is in a network namespace of that guest, so it can be cut off like any other host.
Environment, and when it ends with 77: as test-installed.py.
"""
import importlib.util
import os
import sys
import time

import vm
import waiting

spec = importlib.util.spec_from_file_location(
    'installed', os.path.join(os.path.dirname(os.path.abspath(__file__)), 'test-installed.py'))
installed = importlib.util.module_from_spec(spec)
spec.loader.exec_module(installed)

SERVER = '''
set -e
mkdir -p /srv/images
echo '/srv/images *(rw,sync,no_root_squash,no_subtree_check)' >/etc/exports
# Nobody but us gives this card an address.
printf '[Match]\\nName=nfs0\\n[Link]\\nUnmanaged=yes\\n' >/etc/systemd/network/10-nfs.network
networkctl reload
ip netns add server
ip link add nfs0 type veth peer name eth0 netns server
ip addr add 10.9.0.1/24 dev nfs0
ip link set nfs0 up
ip netns exec server sh -e <<END
ip addr add 10.9.0.2/24 dev eth0
ip link set eth0 up
ip link set lo up
modprobe -a nfsd nfsv4
mount -t nfsd nfsd /proc/fs/nfsd
rpcbind -w
exportfs -r
echo 10 >/proc/fs/nfsd/nfsv4leasetime
echo 10 >/proc/fs/nfsd/nfsv4gracetime
rpc.nfsd 2
rpc.mountd
END
'''
CUT_OFF = 'ip netns exec server ip addr del 10.9.0.2/24 dev eth0'
BACK = 'ip netns exec server ip addr add 10.9.0.2/24 dev eth0'


class PoolsGuest(installed.Installed):
    disks = {**installed.Installed.disks, 'b': 'cache=writeback', 'c': 'cache=writeback'}
    test_installed = None

    def make_disk(self, name):
        if name == 'stage':
            super().make_disk(name)
        else:
            installed.debian.Debian.make_disk(self, name)

    def setUp(self):
        super().setUp()
        self.install()

    def sh(self, command, status=0):
        """What it says; and how long it took is printed."""
        began = time.monotonic()
        out = self.ssh(f"export LIBVIRT_DEFAULT_URI='{installed.URI}'; ({command}) 2>&1; "
                       f"[ $? = {status} ] || echo 'status $?'")
        self.took = time.monotonic() - began
        print(f'{self.took:5.1f} {command}\n{out}'.rstrip().replace('\n', '\n      '), flush=True)
        self.assertNotIn('\nstatus ', '\n' + out)
        return out

    def fails(self, command, *words):
        out = self.sh(command, 1)
        for word in words:
            self.assertIn(word, out)

    def mounted(self, path):
        return self.ssh(f"grep ' {path} ' /proc/self/mountinfo || true").strip()

    def restart(self):
        """A daemon that was killed, and the next one."""
        self.ssh('systemctl kill -s KILL --kill-who=main socled; sleep 1; systemctl start socled')

    def test_pools(self):
        # A server lets nobody open files for a while after its start.
        self.ssh(f"cat >/root/server <<'OUTER'\n{SERVER}\nOUTER\nsh /root/server")
        self.check_fs()
        self.check_disk()
        self.check_netfs()
        self.check_gone()
        self.assertEqual(self.ssh('systemctl --failed --no-legend --plain').strip(), '')
        self.assertNotIn('SEGV', self.log())

    def check_fs(self):
        device = installed.debian.BY_SERIAL + 'b'
        self.sh(f'virsh pool-define-as f fs --source-dev {device} --source-format ext4 --target /mnt/f')
        self.sh('virsh pool-build f --no-overwrite && virsh pool-start f && virsh vol-create-as f v 4M')
        self.assertIn('nosuid,nodev,noexec', self.mounted('/mnt/f'))
        self.restart()
        self.assertIn('/mnt/f/v', self.sh('virsh vol-list f'))
        self.sh('virsh pool-destroy f')
        self.assertEqual(self.mounted('/mnt/f'), '')
        # Somebody has mounted it by another of its names; or something else.
        self.sh(f'mount $(readlink -f {device}) /mnt/f && virsh pool-start f && virsh pool-destroy f && '
                'mount -t tmpfs other /mnt/f')
        self.fails('virsh pool-start f', "'other' is mounted at '/mnt/f' already", device)
        self.sh('umount /mnt/f && virsh pool-undefine f')
        self.sh(f'virsh pool-define-as x fs --source-dev {device} --source-format vfat --target /mnt/x && '
                'virsh pool-build x')
        self.fails('virsh pool-start x', 'mount has failed', 'wrong fs type')
        self.fails('virsh pool-build x --no-overwrite', 'something on')

    def check_disk(self):
        """What is in use stays, and others come and go beside it."""
        device = installed.debian.BY_SERIAL + 'c'
        name = self.ssh(f'basename $(readlink -f {device})').strip()
        self.sh(f'virsh pool-define-as k disk --source-dev {device} --source-format gpt --target /dev && '
                f'virsh pool-build k && virsh pool-start k && virsh vol-create-as k {name}1 8M && '
                f'virsh vol-create-as k {name}2 8M')
        self.sh(f'printf begin | dd of=/dev/{name}1 conv=notrunc && mkfs.ext4 -q /dev/{name}2 && '
                f'mkdir -p /mnt/p && mount /dev/{name}2 /mnt/p')
        self.ssh(f'sleep 1000 </dev/{name}1 >/dev/null 2>&1 &')
        self.sh(f'virsh vol-create-as k {name}3 8M && test -b /dev/{name}3')
        self.fails(f'virsh vol-create-as k {name}7 8M', f"is '{name}4'; give the volume that name")
        self.fails(f'virsh vol-delete {name}1 k', f"'{name}1' is in use")
        self.fails(f'virsh vol-delete {name}2 k', f"'{name}2' is in use")
        self.fails(f'virsh vol-resize {name}1 12M k', 'as much room')
        self.fails(f'virsh vol-resize {name}2 4M k --shrink', 'only become larger')
        self.sh(f'virsh vol-resize {name}3 12M k && virsh vol-resize {name}3 10M k --shrink && '
                f'virsh vol-clone {name}1 {name}4 k && cmp /dev/{name}1 /dev/{name}4')
        self.assertEqual(self.ssh(f'blockdev --getsize64 /dev/{name}3').strip(), str(10 * installed.MIB))
        self.sh(f'pkill -x sleep; umount /mnt/p && virsh vol-delete {name}2 k && virsh vol-delete {name}1 k')
        self.assertEqual(self.ssh(f'ls /dev/{name}*').split(), [f'/dev/{name}', f'/dev/{name}3', f'/dev/{name}4'])
        self.sh('virsh pool-destroy k')

    def check_netfs(self):
        self.assertIn("<dir path='/srv/images'/>", self.sh('virsh find-storage-pool-sources-as netfs 10.9.0.2'))
        self.sh('virsh pool-define-as n netfs --source-host 10.9.0.2 --source-path /srv/images/ '
                '--target /mnt/n && virsh pool-build n && virsh pool-start n')
        self.assertRegex(self.mounted('/mnt/n'), 'nosuid,nodev,noexec.* - nfs4')
        self.sh('virsh vol-create-as n v 8M && virsh vol-create-as n q 8M --format qcow2 && '
                'virsh vol-clone v w n && virsh vol-clone q q2 n && virsh vol-create-as n u 2M')
        self.sh('printf begin >/root/up && truncate -s 2M /root/up && virsh vol-upload u /root/up n --sparse && '
                'virsh vol-download u /root/down n --sparse && cmp /root/up /root/down && '
                'cmp /root/up /srv/images/u')
        self.sh('virsh vol-resize v 12M n && virsh vol-resize q 12M n && virsh vol-delete w n && '
                'virsh vol-wipe v n')
        self.assertEqual(sorted(self.ssh('ls -A /srv/images').split()), ['q', 'q2', 'u', 'v'])
        self.sh("sed -i 's#<devices/>#<devices><disk type=\"volume\"><source pool=\"n\" volume=\"v\"/>"
                "<target dev=\"vda\" bus=\"virtio\"/></disk></devices>#' /root/tiny.xml && "
                'virsh define /root/tiny.xml && virsh start tiny')
        self.fails('virsh vol-delete v n', 'in use')
        self.fails('virsh pool-destroy n', 'busy')

    def check_gone(self):
        """Its server is gone: nobody waits for it but who asks for its volumes."""
        self.sh(CUT_OFF)
        call = self.start(f"virsh -c '{installed.URI}' vol-list n")
        self.assertRegex(self.sh('virsh pool-list --all'), r' n +active|unknown')
        self.assertRegex(self.sh('virsh pool-info n'), 'State: +inaccessible')
        self.assertLess(self.took, 10)
        self.sh('virsh pool-define-as d dir --target /var/lib/d && virsh pool-build d && virsh pool-start d && '
                'virsh vol-create-as d a 1M && virsh vol-list d && virsh domstate tiny')
        self.assertLess(self.took, 20)
        out = call.communicate(timeout=waiting.PATIENCE)[0].decode()
        self.assertIn('has not done it within 30 s', out)
        # The next daemon finds it as it is; nobody takes it away from the machine.
        self.restart()
        self.assertIn(' n ', self.sh('virsh pool-list'))
        self.assertIn('running', self.sh('virsh domstate tiny'))
        # What the kernel knows of the file system decides whether it has to ask the server for that.
        self.assertRegex(self.sh('virsh pool-destroy n', 1),
                         "busy|'10.9.0.2:/srv/images/?' does not answer.*open in '/mnt/n'")
        self.sh('virsh destroy tiny && virsh pool-destroy n')
        self.assertEqual(self.mounted('/mnt/n'), '')
        self.sh(f'{BACK}; virsh pool-start n')
        self.assertIn('/mnt/n/u', self.sh('virsh vol-list n'))
        # It comes back while somebody waits for it.
        self.sh(CUT_OFF)
        call = self.start(f"virsh -c '{installed.URI}' vol-create-as n late 1M")
        self.sh(f'sleep 3; {BACK}')
        self.assertEqual(call.wait(timeout=waiting.PATIENCE), 0)
        self.sh('test -f /srv/images/late && virsh pool-destroy n')


if __name__ == '__main__':
    if installed.reason():
        print('skipped:', installed.reason())
        sys.exit(77)
    vm.main()
