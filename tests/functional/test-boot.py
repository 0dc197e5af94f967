#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A stock Debian kernel on the software engine: up, off, again, and the power button.

usage: test-boot.py [CLASS...]

SOCLE_BUTTON names the guest's program that listens for the button. Without a kernel, or a busybox
for its initramfs, all is skipped: status 77.
"""
import os
import pathlib
import re
import subprocess
import sys
import tempfile

import vm
import waiting

TOOLS = pathlib.Path(__file__).resolve().parents[2] / 'tools'
# What a kernel says when it met something that no machine should do to it.
TROUBLE = re.compile(rb'WARNING:|BUG:|Oops|Call Trace|Kernel panic|soft lockup|detected stalls'
                     rb'|general protection|invalid opcode|MCE|double fault|TSC is unstable'
                     rb'|ACPI (BIOS )?(Error|Warning)|acpi.*retains control|not claimed'
                     rb'|no compatible bridge window|is not reserved')
# What it says when it has found the PCI root bridge, its configuration space and its slots.
PCI = (
    b'PCI: MMCONFIG at [mem 0xe0000000-0xefffffff] reserved in E820',
    b'ACPI: PCI Root Bridge [PCI0] (domain 0000 [bus 00-ff])',
    b'_OSC: OS now controls [PME AER PCIeCapability]',
    b'acpiphp: Slot [31] registered',
    b'pci_bus 0000:00: root bus resource [mem 0xc0000000-0xdfffffff window]',
    b'pci_bus 0000:00: root bus resource [mem 0x800000000-0xfffffffff window]',
)
# A boot takes seconds, but a busy machine and sanitizers stretch them.
waiting.PATIENCE = float(os.environ.get('SOCLE_PATIENCE', '240'))

REBOOT = '''
echo GUEST-UP
stty sane
reboot -f
'''

BUTTON = '''
echo {program} | xxd -r -p >/tmp/button
chmod 755 /tmp/button
/tmp/button && echo GUEST-UP
while read -r count _ </sys/firmware/acpi/interrupts/ff_pwr_btn && [ "$count" = 0 ]; do
	sleep 0.1
done
echo "GUEST-BUTTON $count"
stty sane
poweroff -f
'''

folder = tempfile.TemporaryDirectory(prefix='socle')


def tool(name, *args):
    """Run one of tools/, or skip everything, with its last words for a reason."""
    result = subprocess.run([TOOLS / name, *args], stdin=subprocess.DEVNULL,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
    if result.returncode:
        print(result.stderr, file=sys.stderr)
        sys.exit(77)
    return result.stdout.strip()


def initrd(init):
    """Make an initramfs: 'check', or the text of a script for its /init."""
    path = os.path.join(folder.name, 'initrd.gz')
    if init != 'check':
        script = os.path.join(folder.name, 'init')
        with open(script, 'w', encoding='ascii') as file:
            file.write(init)
        init = script
    tool('guest-initrd', init, path)
    return path


class Boot(vm.Case):
    def machine(self, *args, init='check', append=''):
        return vm.Machine('--initrd', initrd(init), '--append', f'console=ttyS0 panic=-1 {append}',
                          *args, kernel=KERNEL, engine='emu', memory='512M')

    def assert_fine(self, log):
        trouble = TROUBLE.search(log)
        if trouble:
            self.fail(log[max(0, trouble.start() - 200):trouble.end() + 2000].decode('latin1'))

    def boots(self, cpus, append):
        with self.machine('--cpus', str(cpus), append=append) as machine:
            status, log, err = machine.end()
        self.assertEqual((status, err), (0, ''), log[-2000:].decode('latin1'))
        self.assertIn(b'GUEST-UP', log)
        self.assertIn(b'GUEST-CPUS %d\r\n' % cpus, log)
        self.assert_fine(log)
        return log

    def both(self, cpus):
        log = self.boots(cpus, 'quiet')
        self.assertNotIn(b'Memory: ', log)
        log = self.boots(cpus, '')
        self.assertIn(b'Memory: ', log)
        self.assertIn(b'reboot: Power down', log)
        for line in PCI:
            self.assertIn(line, log)


class Cpus1(Boot):
    def test(self):
        self.both(1)


class Cpus2(Boot):
    def test(self):
        self.both(2)


class Cpus4(Boot):
    def test(self):
        self.both(4)


class Reboot(Boot):
    def test_no_reboot(self):
        with self.machine('--no-reboot', init=REBOOT, append='reboot=a') as machine:
            status, log, err = machine.end()
        self.assertEqual((status, err), (0, ''), log[-2000:].decode('latin1'))
        self.assertEqual(log.count(b'GUEST-UP'), 1)
        self.assertIn(b'reboot: Restarting system', log)
        self.assert_fine(log)

    def test_reboot(self):
        """The second start finds a machine that is as new, its other CPUs too."""
        with self.machine('--cpus', '2', init=REBOOT, append='quiet reboot=a') as machine:
            log = machine.expect(b'GUEST-UP') + machine.expect(b'GUEST-UP')
            self.assertEqual(vm.end_by_signal(machine.process), 0)
        self.assert_fine(log)


class Button(Boot):
    def test(self):
        with open(os.environ['SOCLE_BUTTON'], 'rb') as file:
            init = BUTTON.format(program=file.read().hex())
        with self.machine('--monitor', 'unix=monitor', init=init, append='quiet') as machine:
            machine.expect(b'GUEST-UP')
            with vm.Qmp('monitor') as qmp:
                qmp.call('system_powerdown')
                qmp.event('POWERDOWN')
                machine.expect(b'GUEST-BUTTON 1')
                qmp.event('SHUTDOWN')
            status, log, err = machine.end()
        self.assertEqual((status, err), (0, ''))
        self.assert_fine(log)


if __name__ == '__main__':
    KERNEL = tool('guest-kernel', 'cloud')
    tool('guest-initrd', 'check', os.path.join(folder.name, 'initrd.gz'))
    vm.main()
