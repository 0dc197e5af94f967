#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What stands in a guest's memory and on its disks, and dumps of it, by QMP."""
import base64
import os
import struct
import unittest

import vm

MIB = 1 << 20


class Peek(vm.Case):
    def start(self, *args, **options):
        machine = vm.Machine('--monitor', 'unix=qmp', *args, **options)
        self.addCleanup(machine.__exit__)
        machine.expect(b'B')
        self.qmp = vm.Qmp('qmp')
        self.addCleanup(self.qmp.__exit__)
        return machine

    def memory(self, address, size, **more):
        answer = self.qmp.call('x-memory-read', address=address, size=size, **more)
        return base64.b64decode(answer['data'])

    def disk(self, offset, size, device='d'):
        answer = self.qmp.call('x-block-read', device=device, offset=offset, size=size)
        return base64.b64decode(answer['data'])

    def refused(self, words, command, **args):
        self.assertIn(words, self.qmp.request(command, **args)['error']['desc'])

    def kernel(self):
        """Where the guest's program is, and its first bytes, which do not change."""
        with open(vm.KEYS, 'rb') as file:
            elf = file.read()
        off, = struct.unpack_from('<I', elf, 28)
        kind, begin, _, address, size = struct.unpack_from('<5I', elf, off)
        self.assertEqual(kind, 1)
        return address, elf[begin:begin + min(size, 256)]


class Memory(Peek):
    def test_read(self):
        machine = self.start()
        address, code = self.kernel()
        self.assertEqual(self.memory(address, len(code)), code)
        self.assertEqual(self.memory(address + 3, 5), code[3:8])
        # No paging: linear addresses are physical ones.
        self.assertEqual(self.memory(address, len(code), virtual=True, cpu_index=0), code)
        self.assertEqual(len(self.memory(0, 256 * 1024)), 256 * 1024)
        self.assertEqual(len(self.memory(16 * MIB - 1, 1)), 1)
        self.qmp.call('pmemsave', val=address, size=len(code), filename='out')
        with open('out', 'rb') as file:
            self.assertEqual(file.read(), code)
        self.qmp.call('memsave', val=address, size=300000, filename='out', cpu_index=0)
        self.assertEqual(os.path.getsize('out'), 300000)
        machine.keys(b'x')
        machine.expect(b'x')

    def test_refused(self):
        self.start()
        self.refused("'size' expects 1 to 262144", 'x-memory-read', address=0, size=0)
        self.refused("'size' expects 1 to 262144", 'x-memory-read', address=0, size=-1)
        self.refused("'size' expects 1 to 262144", 'x-memory-read', address=0, size=2 ** 62)
        self.refused('no memory at physical address 0x1000000', 'x-memory-read', address=16 * MIB - 1,
                     size=2)
        self.refused('no memory at physical address 0xffffffffffffffff', 'x-memory-read', address=-1,
                     size=1)
        self.refused('beyond the last address', 'x-memory-read', address=-1, size=2)
        self.refused("'cpu-index' expects a CPU number", 'x-memory-read', address=0, size=1,
                     virtual=True, cpu_index=1)
        self.refused("'cpu-index' expects a CPU number", 'memsave', val=0, size=1, filename='x',
                     cpu_index=-2 ** 63)
        self.refused("'size' expects 1 to 16777216", 'pmemsave', val=0, size=16 * MIB + 1, filename='x')
        self.assertFalse(os.path.exists('x'))
        self.refused("cannot open 'no/x'", 'pmemsave', val=0, size=1, filename='no/x')
        if os.path.exists('/dev/full'):
            self.refused("cannot write '/dev/full': No space left", 'pmemsave', val=0, size=1,
                         filename='/dev/full')


class Block(Peek):
    def make(self, name, size, text=b''):
        with open(name, 'wb') as file:
            file.write(text)
            file.truncate(size)

    def test_read(self):
        text = bytes(range(256)) * 64
        self.make('raw', MIB, text)
        self.make('iso', MIB, text)
        vm.run(os.environ['SOCLE_IMG'], 'convert', '-O', 'qcow2', 'raw', 'q')
        self.start('--disk', 'path=raw,id=d', '--disk', 'path=q,format=qcow2,id=q',
                   '--cdrom', 'path=iso,id=cd', '--cdrom', 'id=none')
        for device in ('d', 'q', 'cd', '/machine/peripheral/q'):
            self.assertEqual(self.disk(0, 16384, device), text)
            self.assertEqual(self.disk(511, 3, device), text[511:514])
            self.assertEqual(self.disk(MIB - 1, 1, device), b'\0')
            self.assertEqual(len(self.disk(MIB - 256 * 1024, 256 * 1024, device)), 256 * 1024)
        self.refused('has no medium', 'x-block-read', device='none', offset=0, size=1)

    def test_refused(self):
        self.make('raw', MIB)
        self.start('--disk', 'path=raw,id=d')
        for offset, size in ((MIB, 1), (MIB - 1, 2), (-1, 1), (2 ** 63 - 1, 1), (-2 ** 63, 262144)):
            self.refused('the disk has 1048576 bytes', 'x-block-read', device='d', offset=offset, size=size)
        for size in (0, -1, 262145, 2 ** 63 - 1):
            self.refused("'size' expects", 'x-block-read', device='d', offset=0, size=size)
        for device in ('', 'x', '\u20ac' * 1000):
            self.refused('Cannot find device', 'x-block-read', device=device, offset=0, size=1)

    def test_error(self):
        """The host cannot read it."""
        self.make('raw', MIB)
        self.start('--disk', 'path=raw,id=d')
        os.truncate('raw', 0)
        answer = self.qmp.request('x-block-read', device='d', offset=0, size=512)
        self.assertTrue('error' in answer or not any(base64.b64decode(answer['return']['data'])))


class Dump(Peek):
    def segments(self, data):
        self.assertEqual(data[:7], b'\x7fELF\x02\x01\x01')
        kind, machine = struct.unpack_from('<HH', data, 16)
        self.assertEqual((kind, machine), (4, 62))
        phoff, = struct.unpack_from('<Q', data, 32)
        count, = struct.unpack_from('<H', data, 56)
        return [struct.unpack_from('<IIQQQQQQ', data, phoff + 56 * i) for i in range(count)]

    def notes(self, data, segment):
        at, end = segment[2], segment[2] + segment[5]
        while at < end:
            name_len, size, kind = struct.unpack_from('<III', data, at)
            name = data[at + 12:at + 12 + name_len - 1]
            at += 12 + (name_len + 3) // 4 * 4
            yield name, kind, data[at:at + size]
            at += (size + 3) // 4 * 4

    def check(self, path, cpus=1):
        address, code = self.kernel()
        with open(path, 'rb') as file:
            data = file.read()
        note, *loads = self.segments(data)
        self.assertEqual(note[0], 4)
        self.assertEqual(sum(load[5] for load in loads), 16 * MIB)
        where = next(load for load in loads if load[4] <= address < load[4] + load[5])
        begin = where[2] + address - where[4]
        self.assertEqual(data[begin:begin + len(code)], code)
        notes = list(self.notes(data, note))
        self.assertEqual([(name, kind, len(text)) for name, kind, text in notes],
                         [(b'CORE', 1, 336)] * cpus + [(b'QEMU', 0, 440)] * cpus)
        rip, = struct.unpack_from('<Q', notes[0][2], 112 + 16 * 8)
        self.assertTrue(address <= rip < address + 65536, hex(rip))
        self.assertEqual(struct.unpack_from('<II', notes[cpus][2]), (1, 440))
        self.assertEqual(struct.unpack_from('<Q', notes[cpus][2], 8 + 16 * 8)[0], rip)
        cr0, = struct.unpack_from('<Q', notes[cpus][2], 8 + 18 * 8 + 10 * 24)
        self.assertEqual(cr0 & 1, 1)
        return os.stat(path)

    def test(self):
        machine = self.start('--cpus', '2')
        self.assertEqual(self.qmp.call('query-dump'), {'status': 'none', 'completed': 0, 'total': 0})
        self.assertEqual(self.qmp.call('query-dump-guest-memory-capability'), {'formats': ['elf']})
        self.qmp.call('dump-guest-memory', paging=False, protocol='file:core')
        self.assertEqual(self.qmp.call('query-dump'),
                         {'status': 'completed', 'completed': 16 * MIB, 'total': 16 * MIB})
        status = self.check('core', 2)
        self.assertEqual(status.st_mode & 0o777, 0o600)
        # What is zero takes no place.
        self.assertLess(status.st_blocks * 512, 8 * MIB)
        self.assertEqual(self.qmp.event('DUMP_COMPLETED')['data']['result']['status'], 'completed')
        machine.keys(b'x')
        machine.expect(b'x')
        # The next one, of a machine that stands still, and goes on doing so.
        self.qmp.call('stop')
        self.qmp.call('dump-guest-memory', paging=False, protocol='file:core', detach=True, format='elf')
        self.assertEqual(self.qmp.event('DUMP_COMPLETED')['data']['result']['status'], 'completed')
        self.check('core', 2)
        self.assertEqual(self.qmp.call('query-status')['status'], 'paused')

    def test_refused(self):
        self.start()
        for words, args in (
                ("'paging'", {'paging': True, 'protocol': 'file:x'}),
                ("'begin'", {'paging': False, 'protocol': 'file:x', 'begin': 0, 'length': 1}),
                ("'format' does not accept value 'kdump-zlib'",
                 {'paging': False, 'protocol': 'file:x', 'format': 'kdump-zlib'}),
                ("'protocol' expects", {'paging': False, 'protocol': 'fd:x'}),
                ("cannot open ''", {'paging': False, 'protocol': 'file:'}),
                ("cannot open 'no/x'", {'paging': False, 'protocol': 'file:no/x'}),
                ("no regular file", {'paging': False, 'protocol': 'file:/dev/full'})):
            self.refused(words, 'dump-guest-memory', **args)
        self.assertFalse(os.path.exists('x'))
        self.refused('there is no dump', 'x-dump-cancel')
        self.assertEqual(self.qmp.call('query-status')['status'], 'running')

    def test_cancel(self):
        """Given up half-way, or with the machine; nobody lets the guest go meanwhile."""
        self.start(memory='16M')
        self.refused('no regular file', 'dump-guest-memory', paging=False, protocol='file:/dev/null')
        self.qmp.call('dump-guest-memory', paging=False, protocol='file:core', detach=True)
        answer = self.qmp.request('cont')
        if 'error' in answer:
            self.assertIn('There is a dump in process', answer['error']['desc'])
        answer = self.qmp.request('x-dump-cancel')
        if 'error' in answer:
            self.assertIn('there is no dump', answer['error']['desc'])
        result = self.qmp.event('DUMP_COMPLETED')['data']
        self.assertIn(result['result']['status'], ('failed', 'completed'))
        if result['result']['status'] == 'failed':
            self.assertEqual(result['error'], 'the dump was given up')
        self.assertEqual(self.qmp.call('query-status')['status'], 'running')

    def test_end(self):
        machine = self.start()
        self.qmp.call('dump-guest-memory', paging=False, protocol='file:core', detach=True)
        self.qmp.call('quit')
        self.assertEqual(machine.end()[0], 0)


if __name__ == '__main__':
    unittest.main(verbosity=2)
