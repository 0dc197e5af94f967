#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Storage pools of a host with NFS, udev and partitions: a Debian guest, and socled as its service.

The NFS server is in a network namespace of that guest, so it can be cut off like any other host.
Environment, and when it ends with 77: as test-installed.py.
"""
import importlib.util
import os
import re
import sys
import time

import vm

spec = importlib.util.spec_from_file_location(
    'installed', os.path.join(os.path.dirname(os.path.abspath(__file__)), 'test-installed.py'))
installed = importlib.util.module_from_spec(spec)
spec.loader.exec_module(installed)

SERVER = '''
set -e
systemctl stop rpcbind.socket rpcbind 2>/dev/null || true
mkdir -p /srv/images && chmod 755 /srv/images
echo '/srv/images *(rw,sync,no_root_squash,no_subtree_check)' >/etc/exports
ip netns add server
ip link add nfs0 type veth peer name eth0 netns server
ip addr add 10.9.0.1/24 dev nfs0 && ip link set nfs0 up
cat >/root/server <<'END'
set -e
ip addr add 10.9.0.2/24 dev eth0 && ip link set eth0 up && ip link set lo up
modprobe nfsd
mount -t nfsd nfsd /proc/fs/nfsd
rpcbind -w
exportfs -r
echo 10 >/proc/fs/nfsd/nfsv4leasetime
echo 10 >/proc/fs/nfsd/nfsv4gracetime
rpc.nfsd 2
rpc.mountd
END
ip netns exec server sh /root/server
'''


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

    def sh(self, command):
        """With the time it took."""
        began = time.monotonic()
        out = self.ssh(command)
        print(f'{time.monotonic() - began:5.1f} {command}\n{out}'.replace('\n', '\n      '), flush=True)
        return out

    def test_pools(self):
        self.ssh(f"cat >/root/rc <<'OUTER'\n{SERVER}\nOUTER\nsh -x /root/rc")
        print(self.sh('showmount -e 10.9.0.2'))

if __name__ == '__main__':
    if installed.reason():
        print('skipped:', installed.reason())
        sys.exit(77)
    vm.main()
