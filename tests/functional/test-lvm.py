#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Logical volumes, in a guest whose kernel has device-mapper, which this host's need not have.

The guest has the kernel of tools/guest-image, and an initramfs with lvm2, socled, socle, socle-vm and
virsh of this host. Machines in it are tiny: tests/guest/lvm64.c, by the software engine inside of the
software engine. Ends with 77, and the reason, where something is missing.

Environment: as vm.py, and SOCLED, SOCLE, SOCLE_LVM_GUEST the files of those names.
"""
import os
import re
import shutil
import subprocess
import sys
import time

import vm
import waiting

MIB = 1 << 20
DISK = 64 * MIB
GROUP = 'lvm-raid'
LVM = ('lvs', 'vgs', 'pvs', 'pvcreate', 'pvremove', 'pvmove', 'vgcreate', 'vgextend', 'vgreduce',
       'vgremove', 'vgchange', 'lvcreate', 'lvremove', 'lvresize', 'lvrename', 'lvconvert', 'lvchange')
DRIVERS = ('virtio_pci', 'virtio_blk', 'dm-mod', 'dm-snapshot', 'dm-thin-pool', 'dm-mirror')
INIT = r'''
/bin/busybox --install -s /bin
mkdir -p /run /var/lib /var/log /etc/lvm /dev/pts /usr/sbin
mount -t devpts devpts /dev/pts
mount -t tmpfs tmp /tmp
ip link set lo up
# There is no udevd, and nobody who watches.
cat >/etc/lvm/lvm.conf <<END
devices { obtain_device_list_from_udev = 0 use_devicesfile = 0 }
activation { udev_sync = 0 udev_rules = 0 monitoring = 0 }
global { thin_check_executable = "" use_lvmpolld = 0 }
END
printf 'root:x:0:0:root:/root:/bin/sh\nmachines:x:64055:64055::/:/bin/false\n' >/etc/passwd
printf 'root:x:0:\nmachines:x:64055:\n' >/etc/group
export SOCLE_URI="qemu:///system?socket=/run/socle/socled-sock" NO_COLOR=1
export LIBVIRT_DEFAULT_URI=$SOCLE_URI
# What the machine's serial port says goes to a file, from which the answer to a key is taken.
begin() {
	virsh -q start vtest2 --paused && tty=$(virsh -q ttyconsole vtest2) && stty -F $tty raw -echo && : >/tmp/con &&
		{ cat $tty >>/tmp/con & } && virsh -q resume vtest2 && hears ready
}
hears() {
	for i in $(seq 1000); do grep -m 1 "$1" /tmp/con && return; sleep 0.1; done
	cat /tmp/con; return 1
}
say() { : >/tmp/con; printf %s "$1" >$tty; hears "$2"; }
# A program of lvm2 does something else before.
wrap() {
	printf '#!/bin/sh\n%s\nexec lvm %s "$@"\n' "$2" "$1" >/tmp/$1 && chmod 755 /tmp/$1 && mv /tmp/$1 /usr/sbin/$1
}
unwrap() { ln -sf lvm /usr/sbin/$1; }
daemon() {
	socled --state /var/lib/socle --run /run/socle --machine-user machines >/var/log/socled 2>&1 &
	until grep ready /var/log/socled; do sleep 0.1; done
}
''' + vm.Shell.READ_COMMANDS
# As somebody has had it for years.
DISK_XML = '''<disk type='block' device='disk'>
  <driver name='qemu' type='raw' cache='writeback'/>
  <source dev='/dev/lvm-raid/vtest2-hdd0'/>
  <target dev='vda' bus='virtio'/>
  <alias name='virtio-disk0'/>
  <address type='pci' domain='0x0000' bus='0x00' slot='0x04' function='0x0'/>
</disk>'''
DOMAIN = f'''<domain type='qemu'><name>vtest2</name><memory>16384</memory><os><type>hvm</type>
<kernel>/lvm64.elf</kernel></os><devices>{DISK_XML}<serial type='pty'/></devices></domain>'''
HDD = 'vtest2-hdd0'
DEV = f'/dev/{GROUP}/'


def pattern(digit):
    """What lvm64.c begins a disk with for a digit, in hexadecimal."""
    seed = ord(digit) << 32 | 0x5151
    return b''.join(((seed + n) * 0x9e3779b97f4a7c15 % (1 << 64)).to_bytes(8, 'little')
                    for n in range(8)).hex()


def missing():
    """What keeps these tests from running, or None."""
    if vm.SANITIZED:
        return 'with sanitizers it takes too long'
    for program in ('lvm', 'virsh', 'busybox', 'debugfs', 'cpio'):
        if not shutil.which(program, path=os.environ['PATH'] + ':/usr/sbin:/sbin'):
            return f'there is no {program}'
    return None if vm.debian_image() else 'there is no Debian image'


class Lvm(vm.Case):
    def setUp(self):
        super().setUp()
        waiting.PATIENCE = 240
        with open('init', 'w', encoding='ascii') as file:
            file.write(INIT)
        lvm = shutil.which('lvm', path='/usr/sbin:/sbin:/usr/bin')
        words = [word for name in DRIVERS for word in ('--module', name)]
        for here, there in ((os.environ['SOCLED'], '/usr/bin/socled'), (os.environ['SOCLE'], '/usr/bin/socle'),
                            (vm.VM, '/usr/bin/socle-vm'), (shutil.which('virsh'), '/usr/bin/virsh'),
                            (lvm, '/usr/sbin/lvm'), (os.environ['SOCLE_LVM_GUEST'], '/lvm64.elf')):
            words += ['--program', f'{here}={there}']
        for name in LVM:
            words += ['--link', f'/usr/sbin/{name}=lvm']
        subprocess.run([os.path.join(vm.TOOLS, 'guest-initrd'), '--plain', *words, 'init', 'initrd'],
                       stdin=subprocess.DEVNULL, check=True)
        disks = []
        for name in ('a', 'b', 'c'):
            with open(name, 'wb') as file:
                # What was there before shall not be seen in new volumes.
                file.write(b'old old ' * (DISK // 8))
            disks += ['--disk', f'path={name},format=raw']
        self.shell = vm.Shell(self, vm.debian_image(), *disks, memory='640M')
        self.shell.machine.expect(b'READY\r\n')
        self.sh('daemon')

    def sh(self, command, status=0):
        """Run a command in the guest; what it says."""
        began = time.monotonic()
        out = self.shell.run(command, status)
        print(f'{time.monotonic() - began:5.1f} {command}\n{out}'.replace('\n', '\n      '), flush=True)
        return out

    def fails(self, command, *words):
        """It ends with one line that has all words; virsh may have one of its own before it."""
        out = self.sh(f'! {command} 2>&1')
        self.assertLessEqual(len(out.splitlines()), 2 if command.startswith('virsh') else 1, out)
        for word in words:
            self.assertIn(word, out)

    def put(self, path, text):
        text = text.replace('\n', ' ')
        self.sh(f'printf %s "{text}" >{path}')

    def has(self, name, text):
        """What a volume begins with, read by the kernel and not from anybody's cache."""
        out = self.sh(f'dd if={DEV}{name} bs=64 count=1 2>/dev/null | hexdump -v -e \'64/1 "%02x"\'')
        self.assertTrue(out.startswith(text), out)

    def info(self, name):
        """Capacity, allocation, format of a volume."""
        xml = self.sh(f'virsh vol-dumpxml {name} p')
        return (*(int(re.search(f'<{what}[^>]*>(\d+)<', xml)[1]) for what in ('capacity', 'allocation')),
                re.search("<format type='([^']*)'", xml)[1])

    def capacity(self):
        words = self.sh('virsh pool-info p --bytes').split()
        return int(words[words.index('Capacity:') + 1])

    def test_lvm(self):
        self.check_pool()
        self.check_volumes()
        self.check_killed_copy()
        self.check_machine()
        self.check_snapshots()
        self.check_two_disks()
        self.check_live_resize()
        self.check_full()
        self.check_thin()
        self.check_disks()
        self.check_end()

    def check_pool(self):
        self.sh(f'socle pool define-as p logical --source-dev /dev/vda --source-name {GROUP}')
        self.sh('socle pool build p && socle pool start p')
        self.assertEqual(self.capacity(), 60 * MIB)
        self.assertRegex(self.sh('virsh find-storage-pool-sources logical'), f"(?s)/dev/vda.*<name>{GROUP}")
        # By virsh's words, and gone when it stops.
        self.sh('virsh pool-create-as q logical --source-dev /dev/vdc --source-name other --build')
        self.fails('virsh pool-create-as q2 logical --source-dev /dev/vdc --source-name other', 'q')
        self.sh('virsh pool-destroy q && vgremove -qq other && pvremove -qq /dev/vdc')

    def check_volumes(self):
        self.sh(f'virsh vol-create-as p {HDD} 8M')
        self.assertEqual(self.info(HDD), (8 * MIB, 8 * MIB, 'raw'))
        self.sh('mkdir /tmp/d && virsh pool-create-as d dir --target /tmp/d && '
                'truncate -s 6M /tmp/d/holes && printf begin | dd of=/tmp/d/holes conv=notrunc 2>/dev/null && '
                'printf end | dd of=/tmp/d/holes conv=notrunc bs=1M seek=5 2>/dev/null')
        # What a hole was is zero, whatever the disks had there.
        self.sh('printf "<volume><name>copy</name><capacity>0</capacity></volume>" >/tmp/v.xml && '
                'virsh vol-create-from p /tmp/v.xml holes --inputpool d && cmp -s -n 6291456 /tmp/d/holes '
                f'{DEV}copy && ! hexdump -C {DEV}copy | grep -q "old old"')
        self.sh('virsh vol-clone copy again p && ' f'cmp -s {DEV}copy {DEV}again')
        self.sh(f'dd if=/dev/vdc of={DEV}again bs=1M count=8 2>/dev/null; '
                f'virsh vol-upload again /tmp/d/holes p --sparse && cmp -s -n 6291456 /tmp/d/holes {DEV}again')
        self.sh('virsh vol-download again /tmp/d/back p --sparse && cmp -s -n 6291456 /tmp/d/holes /tmp/d/back')
        # A device that is made of a file.
        self.sh(f'socle vol import p /tmp/d/holes new && cmp -s -n 6291456 /tmp/d/holes {DEV}new && '
                'socle -y vol delete p/new')
        # Whatever is written to it: it is raw, and its header names nothing.
        self.sh(f'printf "QFI\\373\\0\\0\\0\\003" | dd of={DEV}again conv=notrunc 2>/dev/null')
        self.assertEqual(self.info('again')[2], 'raw')
        self.sh('virsh vol-resize again 12M p && virsh vol-resize again 4M p --shrink')
        self.assertEqual(self.info('again')[0], 4 * MIB)
        self.sh('virsh vol-wipe again p && virsh vol-delete again p && socle -y vol delete p/copy')
        self.assertEqual(self.sh('virsh vol-list p | grep /dev/ | wc -l'), '1')

    def check_killed_copy(self):
        """The daemon dies when all is copied, and before it has its name: nothing of it stays."""
        lvs = f'lvs --noheadings --options lv_name {GROUP}'
        self.sh("wrap lvrename 'touch /tmp/renames; sleep 100; exit 1'")
        self.sh(f'virsh vol-clone {HDD} half p >/dev/null 2>&1 & until [ -e /tmp/renames ]; do sleep 0.1; done')
        part = next(name for name in self.sh(lvs).split() if name != HDD)
        self.assertRegex(part, r'^\.socle-[0-9a-f]{8}-[0-9a-f]{16}\.part$')
        # To others it has its name already, and no other one.
        self.assertEqual(sorted(self.sh('virsh -q vol-list p').split()[::2]), ['half', HDD])
        self.fails(f'virsh vol-info {part} p', 'not found')
        self.sh('killall -9 socled; killall sleep; unwrap lvrename; daemon')
        # Its pools are started behind that.
        self.sh(f'while {lvs} | grep -q part; do sleep 0.1; done')
        self.assertEqual(self.sh(lvs), HDD)
        # Who has one open keeps it, and is in nobody's way.
        self.sh(f'lvcreate -qq --yes --name {part} --size 4M {GROUP} && {{ sleep 1000 <{DEV}{part} & user=$!; }} && '
                'virsh vol-create-as p half 4M')
        self.assertEqual(sorted(self.sh(lvs).split()), sorted([part, 'half', HDD]))
        self.sh('kill $user; wait $user', 143)
        self.sh('virsh pool-destroy p && virsh pool-start p && virsh vol-delete half p')
        self.assertEqual(self.sh(lvs), HDD)

    def start(self):
        self.sh('begin')

    def check_machine(self):
        """Old content is back, by its bytes."""
        self.put('/tmp/vm.xml', DOMAIN)
        self.sh('virsh define /tmp/vm.xml')
        self.start()
        self.assertEqual(self.sh('ps -o user,comm | grep -c "^machines.*socle-vm"'), '1')
        self.fails(f'socle -y vol delete {DEV}{HDD}', HDD, 'in use')
        self.sh('say w1 "wrote 1"')
        self.sh(f'socle vol snapshot p/{HDD} before')
        self.assertEqual(self.info('before')[0], 8 * MIB)
        self.sh('say w2 "wrote 2"; say r "has 2"')
        self.fails(f'socle -y vol restore {DEV}before', HDD, 'in use')
        self.fails('virsh pool-destroy p', HDD, 'in use')
        self.sh('socle -y destroy vtest2')
        self.fails(f'socle -y vol delete {DEV}{HDD}', "take 'before' with it")
        self.has(HDD, pattern('2'))
        self.has('before', pattern('1'))
        self.sh(f'socle -y vol restore {DEV}before --keep')
        self.has(HDD, pattern('1'))
        self.start()
        self.sh('say r "has 1"; say w3 "wrote 3"')
        self.sh('socle -y destroy vtest2')
        self.sh('socle -y vol restore p/before')
        self.has(HDD, pattern('1'))
        self.assertEqual(self.sh('virsh vol-list p | grep -c before || :'), '0')

    def check_snapshots(self):
        """Of the machine, by libvirt's own verbs."""
        self.sh('virsh snapshot-create-as vtest2 off')
        self.assertIn("<disk name='vda' snapshot='internal'/>", self.sh('virsh snapshot-dumpxml vtest2 off'))
        self.start()
        self.sh('say w4 "wrote 4"')
        self.fails('virsh snapshot-create-as vtest2 all', 'memory')
        self.sh('virsh snapshot-create-as vtest2 "runs now" --disk-only')
        self.assertIn(f'{HDD}.runs+20now', self.sh('lvs'))
        self.sh('say w5 "wrote 5"')
        # It is stopped for that, and runs afterwards if it is asked to.
        self.sh('virsh snapshot-revert vtest2 "runs now"')
        self.has(HDD, pattern('4'))
        self.start()
        self.sh('say r "has 4"; say w6 "wrote 6"')
        self.sh('virsh snapshot-revert vtest2 off --running && virsh domstate vtest2 | grep running && '
                'socle -y destroy vtest2')
        self.has(HDD, pattern('1'))
        # Both have stayed, so one can go back to the other.
        self.sh('socle -y snapshot revert vtest2 "runs now"')
        self.has(HDD, pattern('4'))
        self.fails('virsh snapshot-create-as vtest2 off', 'another name')
        self.sh('virsh snapshot-delete vtest2 off && virsh snapshot-delete vtest2 "runs now" && '
                'virsh snapshot-list vtest2')
        self.assertNotIn(f'{HDD}.', self.sh('lvs'))
        # Of no logical volume.
        self.sh("sed 's#/dev/lvm-raid/.*hdd0#/dev/vdc#; s/vtest2/other/' /tmp/vm.xml >/tmp/other.xml; "
                'virsh define /tmp/other.xml')
        self.fails('virsh snapshot-create-as other s', "'/dev/vdc' cannot hold a snapshot", 'external')
        self.sh('virsh undefine other')

    def check_two_disks(self):
        """Both of one moment, or none."""
        self.sh('virsh vol-create-as p second 4M && virsh attach-disk vtest2 /dev/lvm-raid/second vdb '
                '--config --sourcetype block')
        self.start()
        self.sh('say w1 "wrote 1"; virsh snapshot-create-as vtest2 both --disk-only && virsh domstate vtest2 '
                '--reason; lvs')
        self.sh('say w2 "wrote 2"')
        self.sh('virsh vol-create-as p second.none 4M')
        self.fails('virsh snapshot-create-as vtest2 none --disk-only', 'second.none')
        self.check_killed()
        self.assertNotIn(f'{HDD}.none', self.sh('virsh -q vol-delete second.none p; lvs'))
        # The first one has gone back when the second one fails; doing it again takes it up.
        self.sh("""socle -y destroy vtest2; wrap lvconvert 'case $* in *second.both) echo no luck >&2; exit 5; esac'""")
        self.fails('virsh snapshot-revert vtest2 both', '1 of 2 disks have gone back', DEV + 'second',
                   'once more', 'no luck')
        self.assertIn('second.both', self.sh('unwrap lvconvert; virsh domstate vtest2 | grep off && lvs'))
        way = "on the way back to snapshot 'both'"
        self.fails('virsh start vtest2', way)
        # The daemon dies between the two: the next one knows, and takes it up as well.
        self.sh("wrap lvconvert 'case $* in *second.both) killall -9 socled; exit 5; esac'")
        self.sh('virsh snapshot-revert vtest2 both >/dev/null 2>&1; unwrap lvconvert; daemon')
        self.assertNotIn(f'{HDD}.both', self.sh('lvs'))
        self.fails('virsh start vtest2', way)
        self.fails('virsh snapshot-create-as vtest2 more', way)
        self.sh('virsh snapshot-revert vtest2 both && virsh start vtest2 && virsh destroy vtest2 && '
                'virsh snapshot-delete vtest2 both && virsh detach-disk vtest2 vdb --config && '
                'virsh vol-delete second p')
        self.has(HDD, pattern('1'))

    def check_killed(self):
        """The daemon dies while the machine stands still for a snapshot: the next one lets it go on, and removes
        what there is of it."""
        self.sh("wrap lvcreate 'case $* in *second.gone*) sleep 100 || exit 1; esac'")
        self.sh('virsh snapshot-create-as vtest2 gone --disk-only >/dev/null 2>&1 & '
                f'until virsh domstate vtest2 | grep paused && lvs | grep {HDD}.gone; do sleep 0.1; done')
        self.sh('killall -9 socled; killall sleep; unwrap lvcreate; daemon; '
                'until virsh domstate vtest2 | grep running; do sleep 0.1; done')
        self.sh('say r "has 2"; while lvs | grep .gone; do sleep 0.1; done')
        # Its name is free.
        self.sh('virsh snapshot-create-as vtest2 gone --disk-only && virsh snapshot-delete vtest2 gone')
        self.assertNotIn('.gone', self.sh('lvs'))

    def check_live_resize(self):
        self.start()
        self.sh('say c "sectors 16384"')
        self.sh(f'socle vol resize p/{HDD} +8M')
        self.fails('virsh blockresize vtest2 vda 32M', 'make it larger first')
        self.sh(': >/tmp/con; virsh blockresize vtest2 vda 16M && hears "resized 32768"')
        self.sh('say e7 "wrote 7"; say z "discard ok"')
        self.assertIn('16777216', self.sh('virsh domblkinfo vtest2 vda'))
        self.sh('socle -y destroy vtest2')
        self.assertEqual(self.info(HDD)[0], 16 * MIB)

    def check_full(self):
        self.fails('virsh vol-create-as p big 1G', "volume group 'lvm-raid' has", "volume 'big' needs 1073741824")
        self.fails(f'virsh vol-resize {HDD} 1G p', f"volume '{HDD}' needs")
        self.sh('virsh vol-create-as p fill 40M')
        self.fails('virsh snapshot-create-as vtest2 s', 'bytes free, and volume', 'add a disk')
        self.sh('virsh vol-delete fill p')
        # A snapshot with too little room.
        self.sh(f'virsh vol-create-as p small 4M --backing-vol {HDD}')
        self.sh(f'dd if=/dev/zero of={DEV}{HDD} bs=1M count=8 2>/dev/null; sync')
        self.fails('socle -y vol restore p/small', "snapshot 'small' is lost", '4194304')
        self.assertEqual(self.info('small'), (16 * MIB, 4 * MIB, 'raw'))
        self.sh('socle -y vol delete p/small')

    def check_thin(self):
        self.sh('socle vol create-as p tp 16M --format thin-pool')
        self.sh('virsh vol-create-as p thin 64M --allocation 0')
        self.assertEqual(self.info('thin'), (64 * MIB, 0, 'raw'))
        self.sh(f'printf old1 | dd of={DEV}thin conv=notrunc 2>/dev/null')
        self.sh('socle vol snapshot p/thin t1')
        self.sh(f'printf new2 | dd of={DEV}thin conv=notrunc 2>/dev/null; socle vol snapshot p/thin t2')
        self.has('t1', b'old1'.hex())
        self.sh('socle -y vol restore p/t1 --keep')
        self.has('thin', b'old1'.hex())
        self.has('t2', b'new2'.hex())
        self.sh('virsh vol-clone thin copy p')
        self.assertLess(self.info('copy')[1], MIB)
        self.fails('socle -y vol delete p/tp', "would take 'copy', 't1', 't2', 'thin' with it; delete those first")
        self.check_thin_full()
        self.sh('virsh vol-resize thin 80M p; lvs -a')
        # What is thin goes without the others.
        self.sh('socle -y vol delete p/thin p/t1 p/t2 p/copy && socle -y vol delete p/tp')

    def check_thin_full(self):
        """The pool is full when the machine needs more of it: it waits until there is more.

        Past the page cache, which has no word for that when it writes later.
        """
        self.sh('echo 3 >/sys/module/dm_thin_pool/parameters/no_space_timeout; '
                'virsh vol-create-as p hog 64M --allocation 0')
        self.use_disk('thin')
        self.start()
        self.sh('say c "sectors 131072"')
        self.sh(f'dd if=/dev/vdc of={DEV}hog bs=64k count=256 oflag=direct; lvs -a; true')
        self.assertEqual(self.info('tp')[0], self.info('tp')[1])
        self.sh(': >/tmp/con; printf e5 >$tty; '
                'until virsh domstate vtest2 --reason | grep "I/O error"; do sleep 0.2; done')
        self.assertIn('no space', self.sh('cat /var/log/socled'))
        self.sh('socle vol resize p/tp +8M && virsh resume vtest2 && hears "wrote 5"')
        self.assertEqual(self.sh('virsh domstate vtest2'), 'running')
        self.sh('socle -y destroy vtest2 && virsh vol-delete hog p')
        self.use_disk(HDD)

    def use_disk(self, name):
        self.sh('virsh detach-disk vtest2 vda --config && '
                f'virsh attach-disk vtest2 {DEV}{name} vda --config --sourcetype block --cache none')

    def check_disks(self):
        before = self.capacity()
        self.fails('socle pool add-disk p /dev/vda', 'already')
        self.start()
        self.sh('socle pool add-disk p /dev/vdb')
        self.assertEqual(self.capacity(), before + 60 * MIB)
        for words in ('', '--inactive'):
            self.assertIn('/dev/vdb', self.sh(f'virsh pool-dumpxml p {words}'))
        self.sh('say w5 "wrote 5" && socle pool remove-disk p /dev/vda && say r "has 5"')
        self.assertEqual(self.capacity(), before)
        self.assertNotIn('/dev/vda', self.sh('pvs; virsh pool-dumpxml p --inactive'))
        self.fails('socle pool remove-disk p /dev/vdb', 'no disk')
        self.sh('socle -y destroy vtest2')

    def check_end(self):
        self.sh('socle pool stop p')
        self.assertEqual(self.sh('ls /dev/lvm-raid 2>/dev/null | wc -l'), '0')
        self.sh('socle pool start p && virsh pool-destroy p && virsh pool-delete p && virsh pool-undefine p')
        self.assertEqual(self.sh('vgs'), '')
        self.shell.start('poweroff -f')
        self.assertEqual(self.shell.machine.end()[0], 0)


if __name__ == '__main__':
    REASON = missing()
    if REASON:
        print(REASON)
        sys.exit(77)
    vm.main()
