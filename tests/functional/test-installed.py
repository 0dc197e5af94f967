#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""socled as a service of systemd, on a host whose control groups are one hierarchy: a Debian guest.

Ends with 77 where there is no image of it, or this host is another Debian than the guest: its programs and
libraries are what is put into it. Environment: that of test-debian.py and of test-clients.py, SOCLE.
"""
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tarfile

import vm

spec = importlib.util.spec_from_file_location(
    'debian', os.path.join(os.path.dirname(os.path.abspath(__file__)), 'test-debian.py'))
debian = importlib.util.module_from_spec(spec)
spec.loader.exec_module(debian)

LIBRARIES = 'usr/lib/x86_64-linux-gnu/'
GUEST = 'usr/local/share/idle.elf'
URI = 'qemu:///system?socket=/run/socle/socled-sock'
MIB = 1 << 20
DEFINITION = """<domain type='qemu'><name>tiny</name><memory unit='MiB'>16</memory>
<vcpu cpuset='0'>1</vcpu><cputune><shares>2048</shares><period>100000</period><quota>50000</quota></cputune>
<memtune><hard_limit unit='MiB'>256</hard_limit><soft_limit unit='MiB'>200</soft_limit></memtune>
<blkiotune><weight>300</weight></blkiotune>
<os><type>hvm</type><kernel>/{}</kernel></os><devices/></domain>""".format(GUEST)


def libraries(*programs):
    """What they are linked with, by name."""
    found = {}
    for program in programs:
        out = subprocess.run(['ldd', program], stdout=subprocess.PIPE, text=True, check=True).stdout
        for name, path in re.findall(r'^\s*(\S+) => (/\S+)', out, re.M):
            found[name] = path
    return found


def unit(name):
    path = os.path.join(vm.TOOLS, '..', 'src', 'daemon', name + '.in')
    with open(path, encoding='utf-8') as file:
        return file.read().replace('@SBINDIR@', '/usr/local/sbin')


class Installed(debian.Debian):
    disks = {'stage': 'readonly=on'}

    def make_disk(self, name):
        """An archive that is unpacked over the guest's files, but never replaces one."""
        programs = {'usr/local/sbin/socled': os.environ['SOCLED'],
                    'usr/local/bin/socle': os.environ['SOCLE'],
                    'usr/local/bin/socle-vm': vm.VM,
                    'usr/bin/virsh': shutil.which('virsh')}
        os.makedirs('stage.d')
        with tarfile.open(name, 'w', dereference=True) as tar:
            for target, path in programs.items():
                subprocess.run(['strip', '-o', 'stage.d/program', path], check=True)
                os.chmod('stage.d/program', 0o755)
                tar.add('stage.d/program', target)
            for library, path in libraries(*programs.values()).items():
                tar.add(path, LIBRARIES + library)
            tar.add(os.path.join(os.environ['SOCLE_GUESTS'], 'idle.elf'), GUEST)
            for which in ('socled.service', 'socled.socket', 'socled-ro.socket'):
                with open('stage.d/unit', 'w', encoding='utf-8') as file:
                    file.write(unit(which))
                tar.add('stage.d/unit', 'etc/systemd/system/' + which)
            with open('stage.d/tiny.xml', 'w', encoding='utf-8') as file:
                file.write(DEFINITION)
            tar.add('stage.d/tiny.xml', 'root/tiny.xml')
        os.truncate(name, (os.path.getsize(name) + MIB - 1) // MIB * MIB)

    def virsh(self, words):
        return self.ssh(f"virsh -c '{URI}' {words}")

    def group(self):
        """The machine's control group."""
        pid = self.ssh('pgrep -x socle-vm').strip()
        line = self.ssh(f'cat /proc/{pid}/cgroup').strip()
        self.assertTrue(line.startswith('0::/'), line)
        return '/sys/fs/cgroup' + line[len('0::'):]

    def file(self, group, name):
        return self.ssh(f'cat {group}/{name}').strip()

    def log(self):
        return self.ssh('journalctl -u socled --no-pager')

    def check_limits(self, group):
        self.assertEqual(self.file(group, 'cpu.weight'), '2048')
        self.assertEqual(self.file(group, 'io.weight'), 'default 300')
        self.assertEqual(self.file(group, 'cpu.max'), '50000 100000')
        self.assertEqual(self.file(group, 'memory.max'), str(256 * MIB))
        self.assertEqual(self.file(group, 'memory.high'), str(200 * MIB))
        self.assertEqual(self.file(group, 'cpuset.cpus'), '0')
        self.assertGreater(int(self.file(group, 'memory.current')), 0)

    def check_changes(self, group):
        """What is set while it runs is there at once, and what it has used is told."""
        self.virsh('schedinfo tiny --live --set vcpu_quota=25000')
        self.virsh('memtune tiny --live --hard-limit 131072 --soft-limit 102400')
        self.virsh('blkiotune tiny --live --weight 500')
        self.assertEqual(self.file(group, 'cpu.max'), '25000 100000')
        self.assertEqual(self.file(group, 'memory.max'), str(128 * MIB))
        self.assertEqual(self.file(group, 'io.weight'), 'default 500')
        self.assertRegex(self.virsh('cpu-stats tiny --total'), r'cpu_time +[0-9.]+ seconds')
        self.assertRegex(self.virsh('domstats tiny --cpu-total --balloon'), r'cpu.time=[1-9]')
        self.assertRegex(self.virsh('dommemstat tiny'), r'rss [1-9]')

    def check_lives(self, group):
        """The machine goes on in its group while daemons come and go, as they are asked to or killed."""
        pid = self.ssh('pgrep -x socle-vm')
        for how in ('systemctl restart socled', 'systemctl stop socled && systemctl start socled',
                    'systemctl kill -s KILL --kill-who=main socled; sleep 1; systemctl start socled'):
            self.ssh(how)
            self.assertIn('running', self.virsh('domstate tiny'), how)
            self.assertEqual(self.ssh('pgrep -x socle-vm'), pid)
            self.assertEqual(self.group(), group)
        self.virsh('schedinfo tiny --live --set vcpu_quota=30000')
        self.assertEqual(self.file(group, 'cpu.max'), '30000 100000')

    def install(self):
        self.ssh(f'tar -x -C / --skip-old-files -f {debian.BY_SERIAL}stage && ldconfig && '
                 'groupadd --system socle && systemctl daemon-reload && '
                 'systemctl enable --now socled.socket socled-ro.socket')

    def test_installed(self):
        self.install()
        # A client makes systemd start it.
        self.assertEqual(self.ssh('systemctl is-active socled || true').strip(), 'inactive')
        self.assertIn('State', self.virsh('list --all'))
        self.assertEqual(self.ssh('systemctl is-active socled').strip(), 'active')
        self.assertEqual(self.ssh('stat -c %a:%G /run/socle/socled-sock').strip(), '770:socle')
        self.assertNotIn('without limits', self.log())
        self.virsh('define --validate /root/tiny.xml')
        self.virsh('start tiny')
        group = self.group()
        self.check_limits(group)
        self.check_changes(group)
        self.check_lives(group)
        self.virsh('destroy tiny')
        self.ssh(f'test ! -e {group}')
        self.assertEqual(self.ssh('systemctl --failed --no-legend --plain').strip(), '')


def reason():
    """Why it cannot be tried here, or None."""
    missing = [name for name in ('ssh', 'virsh', 'strip', 'ldd') if not shutil.which(name)]
    if missing:
        return f'there is no {missing[0]}'
    with open('/etc/os-release', encoding='utf-8') as file:
        if 'VERSION_CODENAME=bookworm' not in file.read():
            return 'this host is no Debian 12, which the guest is'
    return None if vm.debian_image() else 'there is no Debian image'


if __name__ == '__main__':
    if reason():
        print('skipped:', reason())
        sys.exit(77)
    vm.main()
