# SPDX-License-Identifier: GPL-2.0-or-later
"""Disks from which firmware boots a stock kernel, and what they are made of."""
import os
import pathlib
import shutil
import struct
import subprocess
import sys

import vm

TOOLS = pathlib.Path(__file__).resolve().parents[2] / 'tools'
SEABIOS = pathlib.Path('/usr/share/seabios')
MIB = 1 << 20


class Bios(vm.Machine):
    """A machine without a kernel."""

    def __init__(self, *args, memory='64M', log='warning'):
        command = [vm.VM, '--engine', 'emu', '--memory', memory, '--log', log, *args]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE)


def tool(name, *args):
    """Run one of tools/, or skip everything, with its last words for a reason."""
    result = subprocess.run([TOOLS / name, *args], stdin=subprocess.DEVNULL,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
    if result.returncode:
        print(result.stderr, file=sys.stderr)
        sys.exit(77)
    return result.stdout.strip()


def need(*names):
    """Files and programs without which there is nothing to test."""
    for name in names:
        if not (os.path.exists(name) if name.startswith('/') else shutil.which(name)):
            print(f'there is no {name} on this host', file=sys.stderr)
            sys.exit(77)


def make(*command):
    result = vm.run(*command)
    assert result.returncode == 0, result.stderr.decode()


def kernel(folder, init):
    """A stock kernel and an initramfs in a folder."""
    os.makedirs(folder)
    pathlib.Path('init').write_text(init, encoding='ascii')
    shutil.copy(tool('guest-kernel', 'cloud'), f'{folder}/vmlinuz')
    tool('guest-initrd', 'init', f'{folder}/initrd.gz')


def grub_disk(name, init, config, modules):
    """A disk as a distribution makes it: a partition table, GRUB behind it, a file system."""
    need('mke2fs', 'grub-mkimage', '/usr/lib/grub/i386-pc/boot.img')
    kernel('root/boot', init)
    os.makedirs('root/boot/grub')
    pathlib.Path('root/boot/grub/grub.cfg').write_text(config, encoding='ascii')
    make('truncate', '-s', '64M', name)
    make('mke2fs', '-q', '-t', 'ext2', '-E', f'offset={MIB}', '-d', 'root', name, '60M')
    make('grub-mkimage', '-O', 'i386-pc', '-o', 'core.img', '-p', '(hd0,msdos1)/boot/grub',
         'biosdisk', 'part_msdos', 'ext2', 'normal', 'linux', 'terminal', 'configfile', *modules)
    boot = pathlib.Path('/usr/lib/grub/i386-pc/boot.img').read_bytes()
    core = pathlib.Path('core.img').read_bytes()
    assert len(core) < MIB - 512
    partition = struct.pack('<B3sB3sII', 0x80, bytes(3), 0x83, b'\xff\xff\xff', 2048, 122880)
    with open(name, 'r+b') as file:
        file.write(boot[:440] + bytes(6) + partition + bytes(48) + b'\x55\xaa' + core)
