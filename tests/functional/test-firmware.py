#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Firmware: SeaBIOS boots disks and CDs on the software engine, and stock boot loaders a kernel.

usage: test-firmware.py [CLASS...]

SOCLE_GUESTS has sector.bin, a boot sector. Without SeaBIOS on this host, or what Grub and Cd are
made of, they are skipped: status 77.
"""
import json
import os
import pathlib
import shutil

import vm
from loaders import MIB, SEABIOS, Bios, grub_disk, kernel, make, need
import waiting

SECTOR = os.path.join(os.environ['SOCLE_GUESTS'], 'sector.bin')
# Where a boot sector has what tells it from another one.
WHICH = 432
# A kernel takes seconds, but a busy machine and sanitizers stretch them.
waiting.PATIENCE = float(os.environ.get('SOCLE_PATIENCE', '240'))

INIT = '''
echo GUEST-UP
cat /proc/cmdline /proc/interrupts /sys/class/dmi/id/product_uuid
for device in /sys/bus/pci/devices/*; do
	echo "$(cat "$device/vendor" "$device/device" "$device/class" | tr '\\n' ' ')"
done
poweroff -f
'''

GRUB = '''
serial --unit=0 --speed=115200
terminal_input serial
terminal_output serial
set timeout=0
menuentry 'linux' {
	linux /boot/vmlinuz console=ttyS0 WORDS
	initrd /boot/initrd.gz
}
'''

ISOLINUX = '''
SERIAL 0 115200
DEFAULT linux
PROMPT 0
LABEL linux
KERNEL /vmlinuz
INITRD /initrd.gz
APPEND console=ttyS0 WORDS
'''


def disk(name, which='A', digit='3'):
    """A disk with the boot sector; firmware wants more than a cylinder."""
    data = bytearray(pathlib.Path(SECTOR).read_bytes().ljust(4 * MIB, b'\0'))
    data[WHICH] = ord(which)
    data[1024] = ord(digit)
    pathlib.Path(name).write_bytes(data)
    return f'path={name}'


class Sector(vm.Case):
    """The tests' own boot sector."""

    def boots(self, *args, **kwargs):
        with Bios(*args, **kwargs) as machine:
            status, out, err = machine.end()
        self.assertEqual(status, 0, err)
        return out

    def test_services(self):
        """Read and write, the serial port, the clock's interrupts, power off."""
        out = self.boots('--disk', disk('d'))
        self.assertIn(b'SeaBIOS (version', out)
        # In between may be what the firmware had not sent yet.
        self.assertRegex(out, rb'SECTORA 14[.\r\n]* BLOCK1[.\r\n]* TICK3')
        self.assertEqual(pathlib.Path('d').read_bytes()[1024:1025], b'4')

    def test_reboot(self):
        """Three ways to reset, each of which goes through the firmware again."""
        out = self.boots('--disk', disk('d', digit='0'))
        self.assertEqual(out.count(b'SeaBIOS (version'), 4)
        for digit in b'0123':
            self.assertRegex(out, rb'SECTORA 14[.\r\n]* BLOCK1[.\r\n]* TICK%c' % digit)
        with Bios('--disk', disk('e', digit='0'), '--no-reboot') as machine:
            self.assertEqual(machine.end()[0], 0)
        self.assertEqual(pathlib.Path('e').read_bytes()[1024:1025], b'1')

    def test_system_reset(self):
        with Bios('--disk', disk('d', digit='9'), '--monitor', 'unix=m', '--no-reboot') as machine:
            with vm.Qmp('m') as qmp:
                machine.expect(b'SECTORA')
                qmp.call('stop')
                qmp.call('system_reset')
                qmp.event('RESET')
                qmp.call('cont')
                machine.expect(b'SeaBIOS (version')
                machine.expect(b'SECTORA')
            self.assertEqual(machine.end()[0], 0)

    def test_sizes(self):
        """Several CPUs; little memory, and more than fits below 4 GiB; a BIOS of half the size."""
        out = self.boots('--disk', disk('d'), '--cpus', '3', log='debug')
        self.assertIn(b'SECTORA', out)
        for memory in ('4M', '3G', '5G'):
            self.assertIn(b'SECTORA', self.boots('--disk', disk('d'), memory=memory))
        out = self.boots('--disk', disk('d'), '--firmware', str(SEABIOS / 'bios.bin'))
        self.assertIn(b'SECTORA', out)

    def test_log(self):
        with Bios('--disk', disk('d'), '--cpus', '3', '--uuid',
                  '00112233-4455-6677-8899-aabbccddeeff', log='debug') as machine:
            status, _, err = machine.end()
        self.assertEqual(status, 0)
        for line in ('Found 3 cpu(s) max supported 3 cpu(s)', 'Found 2 PCI devices',
                     'init bdf=00:00.0 id=8086:1237', 'using modern (1.0) virtio mode',
                     '1: /pci@i0cf8/scsi@1/disk@0,0', '00000000e0000000 - 00000000f0000000 = 2'):
            self.assertIn('socle-vm: firmware: ', err)
            self.assertIn(line, err)
        self.assertNotIn('WARNING', err)

    def test_order(self):
        """The first disk is the first, unless a bootindex says otherwise; one that cannot be booted
        is passed over."""
        pathlib.Path('empty').write_bytes(bytes(65536))
        a, b = disk('a', 'A'), disk('b', 'B')
        out = self.boots('--disk', a, '--disk', b)
        self.assertIn(b'SECTORA', out)
        out = self.boots('--disk', a, '--disk', f'{b},bootindex=0')
        self.assertIn(b'SECTORB', out)
        out = self.boots('--disk', f'{a},bootindex=2', '--disk', f'{b},bootindex=1')
        self.assertIn(b'SECTORB', out)
        out = self.boots('--disk', f'{a},bus=mmio')
        self.assertIn(b'SECTORA', out)
        out = self.boots('--disk', f'{a},addr=9', '--disk', f'{b},addr=0x1f,bootindex=7')
        self.assertIn(b'SECTORB', out)

    def test_menu(self):
        with Bios('--disk', disk('a', 'A'), '--disk', disk('b', 'B'),
                  '--boot', 'menu=on,menu-wait=60000') as machine:
            machine.expect(b'Press ESC for boot menu')
            machine.keys(b'\x1b')
            menu = machine.expect(b'2. ')
            self.assertIn(b'Select boot device', menu)
            machine.keys(b'2')
            status, out, err = machine.end()
        self.assertEqual((status, err), (0, ''))
        self.assertIn(b'SECTORB', out)

    def test_keyboard(self):
        """The boot menu by keys of the keyboard: by their names, by number, one event at a time."""
        with Bios('--disk', disk('a', 'A'), '--disk', disk('b', 'B', digit='9'), '--monitor',
                  'unix=m', '--boot', 'menu=on,menu-wait=60000') as machine:
            with vm.Qmp('m') as qmp:
                machine.expect(b'Press ESC for boot menu')
                qmp.call('send-key', keys=[{'type': 'qcode', 'data': 'esc'}])
                machine.expect(b'2. ')
                qmp.call_as_is('send-key', {'keys': [{'type': 'number', 'data': 3}],
                                            'hold-time': 20})
                machine.expect(b'SECTORB')
                two = {'type': 'number', 'data': 3}
                qmp.call('input-send-event', events=[
                    {'type': 'key', 'data': {'down': True, 'key': two}},
                    {'type': 'key', 'data': {'down': False, 'key': two}},
                    {'type': 'rel', 'data': {'axis': 'x', 'value': 3}},
                    {'type': 'btn', 'data': {'down': True, 'button': 'left'}}])
                for command, args, words in (
                        ('send-key', {'keys': [{'type': 'qcode', 'data': 'any'}]}, 'no such key'),
                        ('send-key', {'keys': [{'type': 'number', 'data': 256}]}, '1 to 255'),
                        ('send-key', {'keys': [{}]}, 'a key is'),
                        ('send-key', {'keys': [two] * 17}, 'at most 16'),
                        ('send-key', {'keys': [two], 'hold-time': -1}, 'hold-time'),
                        ('input-send-event', {'events': [{'type': 'abs'}]}, 'send rel'),
                        ('input-send-event', {'events': [{'type': 'x'}]}, "'x'"),
                        ('input-send-event', {'events': [{'type': 'btn'}]}, 'button'),
                        ('input-send-event', {'events': [{'type': 'rel'}]}, 'axis')):
                    with self.subTest(command=command, args=args):
                        qmp.send(json.dumps({'execute': command, 'arguments': args}).encode())
                        self.assertIn(words, qmp.answer()['error']['desc'])
                qmp.call('quit')
            self.assertEqual(machine.end()[0], 0)

    def test_monitor(self):
        pathlib.Path('c.iso').write_bytes(bytes(MIB))
        with Bios('--disk', disk('d', digit='9'), '--cdrom', 'c.iso', '--monitor',
                  'unix=m') as machine:
            with vm.Qmp('m') as qmp:
                blocks = {block['qdev']: block for block in qmp.call('query-block')}
                cd = blocks['/machine/peripheral/cdrom0']
                self.assertTrue(cd['removable'])
                self.assertTrue(cd['inserted']['ro'])
                self.assertFalse(blocks['/machine/peripheral/disk0']['removable'])
                answer = qmp.request('blockdev-snapshot-sync', node_name=cd['inserted']['node-name'],
                                     snapshot_file='x', snapshot_node_name='y')
                self.assertIn('error', answer)
                qmp.call('quit')
            self.assertEqual(machine.end()[0], 0)

    def test_refused(self):
        """In one sentence, and nothing is started."""
        pathlib.Path('short').write_bytes(bytes(1000))
        pathlib.Path('zeros').write_bytes(bytes(65536))
        pathlib.Path('uefi').write_bytes(bytes(40) + b'_FVH' + bytes(65536 - 44))
        for args, words in (
                ([], ('there is nothing to boot', '--kernel FILE', '--disk', '--cdrom')),
                (['--firmware', 'none'], ("cannot open firmware 'none'",)),
                (['--firmware', 'short'], ('has 1000 bytes',)),
                (['--firmware', 'zeros'], ('no firmware',)),
                (['--firmware', 'uefi'], ('UEFI',)),
                (['--firmware', 'bios', '--memory', '2M'], ('give 4 MiB or more',)),
                (['--cdrom', 'none.iso'], ("none.iso",)),
                (['--cdrom', 'path=zeros,readonly=off'], ('a CD cannot be written',))):
            with self.subTest(args=args):
                result = vm.run(vm.VM, '--engine', 'emu', '--serial', 'none', *args)
                self.assertEqual(result.returncode, 1)
                self.assert_sentence(result.stderr.decode(), *words)


class Linux(vm.Case):
    def boots(self, *args):
        with Bios(*args, memory='256M') as machine:
            status, out, err = machine.end()
        self.assertEqual((status, err), (0, ''), out[-2000:].decode('latin1'))
        self.assertIn(b'GUEST-UP', out)
        for word in (b'WARNING:', b'Call Trace', b'Kernel panic', b'ACPI Error', b'ACPI BIOS',
                     b'no compatible bridge window', b'unchecked MSR'):
            self.assertNotIn(word, out)
        return out


class Grub(Linux):
    """A disk as a distribution makes it: a partition table, GRUB behind it, a file system."""

    def test(self):
        grub_disk('disk.img', INIT, GRUB.replace('WORDS', ''), ['serial'])
        uuid = b'00112233-4455-6677-8899-aabbccddeeff'
        out = self.boots('--disk', 'path=disk.img', '--cpus', '2', '--rng', 'on', '--uuid', uuid.decode())
        self.assertIn(uuid, out)
        for line in (b'BIOS-e820: [mem 0x00000000000f0000-0x00000000000fffff] reserved',
                     b'PCI: MMCONFIG at [mem 0xe0000000-0xefffffff] reserved in E820',
                     b'root bus resource [mem 0xf0000000-0xfebfffff window]',
                     b'ACPI: Using ACPI (MADT) for SMP configuration information',
                     b'smp: Brought up 1 node, 2 CPUs',
                     b'ACPI: INT_SRC_OVR (bus 0 bus_irq 0 global_irq 2 dfl dfl)',
                     b'serio: i8042 KBD port at 0x60,0x64 irq 1',
                     b'serio: i8042 AUX port at 0x60,0x64 irq 12',
                     b'input: AT Translated Set 2 keyboard',
                     b'0x8086 0x1237 0x060000', b'0x1af4 0x1042 0x010000'):
            self.assertIn(line, out)


class Cd(Linux):
    """A CD by El Torito, and kernels that use the 8259s instead of the APIC."""

    def make_cd(self, name, words):
        need('xorriso', '/usr/lib/ISOLINUX/isolinux.bin')
        if not os.path.isdir('root'):
            kernel('root', INIT)
            os.makedirs('root/isolinux')
            for path in ('/usr/lib/ISOLINUX/isolinux.bin',
                         '/usr/lib/syslinux/modules/bios/ldlinux.c32'):
                need(path)
                shutil.copy(path, 'root/isolinux')
        pathlib.Path('root/isolinux/isolinux.cfg').write_text(ISOLINUX.replace('WORDS', words),
                                                              encoding='ascii')
        make('xorriso', '-as', 'mkisofs', '-quiet', '-o', name, '-b', 'isolinux/isolinux.bin', '-c',
             'isolinux/boot.cat', '-no-emul-boot', '-boot-load-size', '4', '-boot-info-table',
             'root')

    def test_boot(self):
        self.make_cd('cd.iso', 'quiet')
        out = self.boots('--cdrom', 'cd.iso')
        self.assertIn(b'Booting from DVD/CD', out)
        self.assertIn(b'ISOLINUX', out)
        self.assertIn(b'IO-APIC', out)
        # Behind a disk, before it if asked for.
        out = self.boots('--disk', disk('d', digit='3'), '--cdrom', 'cd.iso', '--boot', 'order=dc')
        self.assertIn(b'Booting from DVD/CD', out)

    def test_pics(self):
        self.make_cd('noapic.iso', 'quiet noapic')
        self.assertIn(b'XT-PIC      ttyS0', self.boots('--cdrom', 'noapic.iso'))
        # No ACPI and no APIC either: the timer's interrupts, too; and nobody can switch it off.
        self.make_cd('nothing.iso', 'quiet acpi=off nolapic')
        with Bios('--cdrom', 'nothing.iso', memory='256M') as machine:
            self.assertRegex(machine.expect(b'NMI:'), rb'0: +[0-9]{2,} +XT-PIC +timer')


if __name__ == '__main__':
    need(str(SEABIOS / 'bios-256k.bin'))
    vm.main()
