#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Snapshots and block jobs under a guest that writes, by QMP; what is left is looked at by qemu-img.

The guest is jobs64.elf (tests/guest): it ends if a read is not what it wrote. SOCLE_JOBS is where it
is, SOCLE_IMG is socle-img. Where there is no qemu-img socle-img looks.
"""
import os
import shutil
import struct

import vm
from waiting import wait_for

IMG = os.environ['SOCLE_IMG']
JUDGE = shutil.which('qemu-img') or IMG
SIZE = 8 << 20
PIECE = 4096
MAX_CHAIN = 200
MULTIPLIER = 0x9e3779b97f4a7c15
MASK = (1 << 64) - 1
PATTERN = b''


def pattern():
    """What the guest expects of a disk that it has not written to."""
    global PATTERN
    if not PATTERN:
        words = PIECE // 8
        PATTERN = b''.join(
            struct.pack(f'<{words}Q', *[(((piece << 16) + n) * MULTIPLIER) & MASK
                                        for n in range(words)])
            for piece in range(SIZE // PIECE))
    return PATTERN


def img(*args):
    result = vm.run(IMG, *args)
    assert result.returncode == 0, result
    return result.stdout.decode()


def judge(*args):
    result = vm.run(JUDGE, *args)
    assert result.returncode == 0, (args, result)


class Base(vm.Case):
    def raw(self, name='base'):
        with open(name, 'wb') as file:
            file.write(pattern())
        return name

    def qcow2(self, name='base', **options):
        self.raw('source')
        words = [word for key, value in options.items() for word in ('-o', f'{key}={value}')]
        img('convert', '-O', 'qcow2', *words, 'source', name)
        return name

    def overlay(self, name, behind, fmt='qcow2'):
        img('create', '-q', '-f', 'qcow2', '-b', behind, '-F', fmt, name)
        return name

    def start(self, *disk):
        self.machine = vm.Machine('--monitor', 'unix=qmp', '--debug-exit', '--disk',
                                  ','.join(('id=d', 'node-name=n') + disk),
                                  kernel=os.environ['SOCLE_JOBS'])
        self.addCleanup(self.machine.__exit__)
        self.machine.expect(b'ready\n')
        self.qmp = vm.Qmp('qmp')
        self.addCleanup(self.qmp.__exit__)
        self.works()

    def written(self):
        return self.qmp.call('query-blockstats')[0]['stats']['wr_operations']

    def works(self, more=50):
        """The guest goes on, and has not found anything wrong."""
        enough = self.written() + more
        wait_for(lambda: self.written() >= enough, 'writes of the guest')

    def refused(self, command, words, klass='GenericError', **args):
        answer = self.qmp.request(command, **args)
        self.assertIn('error', answer)
        self.assertIn(words, answer['error']['desc'])
        self.assertEqual(answer['error']['class'], klass)

    def add(self, name, path, **more):
        self.qmp.call('blockdev-add', driver='qcow2', node_name=name,
                      file={'driver': 'file', 'filename': path}, **more)

    def disk_node(self):
        return self.qmp.call('query-block')[0]['inserted']

    def states(self, job):
        """The states that a job went through, to its end."""
        states = []
        while not states or states[-1] != 'null':
            data = self.qmp.event('JOB_STATUS_CHANGE')['data']
            if data['id'] == job:
                states.append(data['status'])
        return states

    def pivot(self, job, done='BLOCK_JOB_COMPLETED'):
        ready = self.qmp.event('BLOCK_JOB_READY')['data']
        self.assertEqual((ready['device'], ready['len']), (job, SIZE))
        self.works()
        jobs = self.qmp.call('query-block-jobs')
        self.assertTrue(jobs and jobs[0]['ready'], self.qmp.events)
        self.qmp.call('block-job-complete', device=job)
        data = self.qmp.event(done)['data']
        self.assertEqual((data['device'], data['offset']), (job, SIZE))
        self.assertNotIn('error', data)
        self.assertEqual(self.qmp.call('query-block-jobs'), [])

    def end(self, *images):
        """Stop the guest between two requests, and look at the images, the last one being the disk."""
        self.works()
        self.qmp.call('quit')
        self.assertEqual(self.machine.end()[0], 0)
        for name, fmt in images:
            if fmt != 'raw':
                judge('check', '-q', '-f', fmt, name)


class Overlays(Base):
    def test_on_raw(self):
        """A raw disk gets an overlay and another one, whose file somebody reads below; back again."""
        self.raw()
        self.start('path=base')
        self.qmp.call('blockdev-snapshot-sync', device='d', snapshot_file='one',
                      snapshot_node_name='o', format='qcow2')
        self.assertEqual(self.disk_node()['node-name'], 'o')
        self.assertEqual(self.disk_node()['backing_file_depth'], 1)
        self.works()
        judge('convert', '-f', 'raw', '-O', 'raw', 'base', 'copy')
        before = vm.run('sha256sum', 'base').stdout
        self.qmp.call('blockdev-snapshot-sync', node_name='o', snapshot_file='two')
        self.works()
        judge('check', '-q', '-f', 'qcow2', 'one')
        self.assertEqual(vm.run('sha256sum', 'base').stdout, before)
        names = {node['node-name']: node for node in self.qmp.call('query-named-block-nodes')}
        self.assertIn('n', names)
        self.assertTrue(names['n']['ro'])
        self.refused('blockdev-del', 'in use', node_name='n')
        self.qmp.call('block-commit', device='d', job_id='c')
        self.pivot('c')
        self.assertEqual(self.disk_node()['file'], 'base')
        self.assertEqual(self.disk_node()['drv'], 'raw')
        self.assertEqual(self.disk_node()['node-name'], 'n')
        self.end()

    def test_prepared(self):
        """libvirt's way: the overlay is created and opened, then put in front."""
        self.qcow2()
        self.start('path=base', 'format=qcow2')
        img('create', '-q', '-u', '-f', 'qcow2', '-b', 'base', '-F', 'qcow2', 'top', str(SIZE))
        self.refused('blockdev-add', 'backing=on', driver='qcow2', node_name='t',
                     file={'driver': 'file', 'filename': 'top'})
        self.add('t', 'top', backing=None)
        self.qmp.call('blockdev-snapshot', node='n', overlay='t')
        self.assertEqual(self.disk_node()['node-name'], 't')
        self.refused('blockdev-snapshot', 'already in use', node='t', overlay='n')
        self.works()
        judge('check', '-q', '-f', 'qcow2', 'base')
        self.qmp.call('block-commit', device='t', job_id='c', base_node='n')
        self.pivot('c')
        self.assertEqual(self.disk_node()['node-name'], 'n')
        self.qmp.call('blockdev-del', node_name='t')
        self.assertEqual(len(self.qmp.call('query-named-block-nodes')), 1)
        self.end(('base', 'qcow2'), ('top', 'qcow2'))

    def action(self, kind, **data):
        return {'type': kind, 'data': {key.replace('_', '-'): data[key] for key in data}}

    def test_together(self):
        """All disks or none."""
        sync, inside = 'blockdev-snapshot-sync', 'blockdev-snapshot-internal-sync'
        self.raw()
        self.start('path=base')
        img('create', '-q', '-f', 'raw', 'second', str(SIZE))
        img('create', '-q', '-f', 'qcow2', 'third', str(SIZE))
        self.qmp.call('blockdev-add', driver='raw', node_name='s',
                      file={'driver': 'file', 'filename': 'second'})
        self.add('t', 'third')
        good = [self.action(sync, device='d', snapshot_file='o1', snapshot_node_name='p'),
                self.action(inside, device='t', name='one'),
                self.action(sync, node_name='s', snapshot_file='o2', snapshot_node_name='q')]
        for bad, words in ((self.action('abort'), 'aborted'),
                           (self.action(sync, device='x', snapshot_file='o3'), "device='x'"),
                           (self.action(sync, device='d', snapshot_file='o3'), 'being changed'),
                           (self.action(sync, device='d', snapshot_file='no/such'), 'No such file'),
                           (self.action(inside, device='t', name=''), 'being changed'),
                           (self.action(sync, device='d', snapshot_file=1), 'expected: string'),
                           (self.action(sync, device='d'), "'snapshot-file' is missing"),
                           (self.action('drive-backup'), 'does not accept'),
                           ({'type': sync}, "'data'"), (7, "'type'")):
            if words == 'No such file':
                actions = good[1:] + [bad]
            else:
                actions = good + [bad]
            self.refused('transaction', words,
                         'DeviceNotFound' if 'device=' in words else 'GenericError',
                         actions=actions)
            self.works(5)
            self.assertEqual([name for name in ('o1', 'o2', 'o3') if os.path.exists(name)], [])
            self.assertEqual(self.disk_node()['drv'], 'raw')
            self.assertEqual(len(self.qmp.call('query-named-block-nodes')), 3)
        # One that fails when disks wait already: the snapshot that was made is gone again.
        img('create', '-q', '-f', 'qcow2', 'fourth', str(SIZE))
        self.add('f', 'fourth')
        self.qmp.call('blockdev-snapshot-internal-sync', device='f', name='one')
        self.refused('transaction', 'already exists',
                     actions=good + [self.action(inside, device='f', name='one')])
        self.assertEqual(self.disk_node()['drv'], 'raw')
        self.qmp.call('transaction', actions=good)
        self.works()
        nodes = {node['node-name']: node for node in self.qmp.call('query-named-block-nodes')}
        self.assertEqual(self.disk_node()['node-name'], 'p')
        self.assertEqual(nodes['q']['backing_file'], 'second')
        self.qmp.call('blockdev-del', node_name='t')
        self.assertEqual(img('snapshot', '-l', 'third').count(' one '), 1)
        self.qmp.call('transaction', actions=[])
        self.end(('o1', 'qcow2'), ('o2', 'qcow2'), ('third', 'qcow2'))

    def test_deep(self):
        """No more than could be opened again."""
        self.qcow2()
        self.start('path=base', 'format=qcow2')
        for depth in range(1, MAX_CHAIN):
            self.qmp.call('blockdev-snapshot-sync', device='d', snapshot_file=f'o{depth}')
        self.refused('blockdev-snapshot-sync', 'merge some', device='d', snapshot_file='more')
        self.assertFalse(os.path.exists('more'))
        self.end((f'o{MAX_CHAIN - 1}', 'qcow2'))
        self.assertEqual(img('map', f'o{MAX_CHAIN - 1}').count('Offset'), 1)

    def test_inside(self):
        self.qcow2()
        self.start('path=base', 'format=qcow2')
        self.qmp.call('blockdev-snapshot-internal-sync', device='d', name='one')
        self.refused('blockdev-snapshot-internal-sync', 'already exists', device='d', name='one')
        self.works()
        self.qmp.call('blockdev-snapshot-internal-sync', device='d', name='two')
        self.works()
        info = self.qmp.call('blockdev-snapshot-delete-internal-sync', device='d', name='one')
        self.assertEqual((info['id'], info['name']), ('1', 'one'))
        self.refused('blockdev-snapshot-delete-internal-sync', 'does not exist', device='d',
                     name='one')
        self.end(('base', 'qcow2'))
        self.assertIn('two', img('snapshot', '-l', 'base'))


class Jobs(Base):
    def test_mirror_raw(self):
        """From raw to raw; and on to qcow2, by a file that the command makes."""
        self.raw()
        self.start('path=base')
        img('create', '-q', '-f', 'raw', 'target', str(SIZE))
        self.qmp.call('blockdev-add', driver='raw', node_name='t',
                      file={'driver': 'file', 'filename': 'target'})
        self.qmp.call('blockdev-mirror', device='d', job_id='m', target='t', sync='full')
        self.refused('block_resize', 'in use by block job: mirror', node_name='n', size=SIZE)
        self.pivot('m')
        self.assertEqual(self.states_of_events(), [])
        self.assertEqual((self.disk_node()['node-name'], self.disk_node()['drv']), ('t', 'raw'))
        self.works()
        self.qmp.call('drive-mirror', device='d', target='second', format='qcow2', sync='full')
        self.pivot('d')
        self.assertEqual(self.disk_node()['drv'], 'qcow2')
        # What the user has named stays open until he says so.
        self.qmp.call('blockdev-del', node_name='t')
        judge('convert', '-f', 'raw', '-O', 'raw', 'target', 'copy')
        self.end(('second', 'qcow2'))

    def states_of_events(self):
        return [event for event in self.qmp.events if event['event'] == 'BLOCK_JOB_ERROR']

    def test_copy(self):
        """Cancelled when it is ready, a copy is one, of that moment."""
        self.qcow2()
        self.start('path=base', 'format=qcow2')
        self.qmp.call('drive-mirror', device='d', job_id='m', target='copy', format='raw',
                      sync='full')
        self.qmp.event('BLOCK_JOB_READY')
        self.works()
        self.qmp.call('stop')
        self.qmp.call('block-job-cancel', device='m')
        self.qmp.event('BLOCK_JOB_COMPLETED')
        self.assertEqual(self.disk_node()['file'], 'base')
        self.qmp.call('quit')
        self.assertEqual(self.machine.end()[0], 0)
        judge('compare', '-q', '-f', 'qcow2', '-F', 'raw', 'base', 'copy')

    def test_mirror_top(self):
        """Only the overlay goes elsewhere; what is behind it is behind the copy."""
        self.raw()
        self.overlay('top', 'base', 'raw')
        self.start('path=top', 'format=qcow2', 'backing=on')
        self.qmp.call('drive-mirror', device='d', job_id='m', target='copy', sync='top')
        self.pivot('m')
        self.assertEqual(self.disk_node()['backing_file'], 'base')
        self.works()
        with open('base', 'rb') as base:
            self.assertEqual(base.read(), pattern())
        self.end(('copy', 'qcow2'), ('top', 'qcow2'))

    def chain(self):
        self.raw()
        self.overlay('one', 'base', 'raw')
        self.overlay('two', 'one')
        self.overlay('top', 'two')
        self.start('path=top', 'format=qcow2', 'backing=on')

    def test_commit_middle(self):
        self.chain()
        self.qmp.call('block-commit', device='d', job_id='c', top='two', base='one')
        self.assertEqual(self.states('c'), ['created', 'running', 'waiting', 'pending',
                                            'concluded', 'null'])
        self.assertEqual(self.disk_node()['backing_file'], 'one')
        self.assertEqual(self.disk_node()['backing_file_depth'], 2)
        self.works()
        self.assertIn('backing file: one', img('info', '-U', 'top'))
        self.qmp.call('block-commit', device='d', job_id='c', top='one')
        self.qmp.event('BLOCK_JOB_COMPLETED')
        self.assertIn('backing file: base', img('info', '-U', 'top'))
        self.end(('top', 'qcow2'))

    def test_stream(self):
        self.chain()
        self.qmp.call('block-stream', device='d', job_id='s', base='base')
        self.qmp.event('BLOCK_JOB_COMPLETED')
        self.assertEqual(self.disk_node()['backing_file'], 'base')
        self.works()
        self.qmp.call('block-stream', device='d', job_id='s')
        self.qmp.event('BLOCK_JOB_COMPLETED')
        self.assertEqual(self.disk_node()['backing_file_depth'], 0)
        for name in ('base', 'one', 'two'):
            os.unlink(name)
        self.end(('top', 'qcow2'))
        self.assertNotIn('backing', img('info', 'top'))

    def threshold(self):
        """Somebody writes behind an offset of the file: told once."""
        self.qmp.call('block-set-write-threshold', node_name='n', write_threshold=1 << 40)
        self.works()
        self.assertEqual(self.disk_node()['write_threshold'], 1 << 40)
        for name in ({'node_name': 'n'}, {'device': 'd'}):
            self.qmp.call('block-set-write-threshold', **name, write_threshold=2 << 20)
            data = self.qmp.event('BLOCK_WRITE_THRESHOLD')['data']
            self.assertEqual((data['node-name'], data['device'], data['write-threshold']),
                             ('n', 'd', 2 << 20))
            self.assertGreater(data['amount-exceeded'], 0)
            self.assertLess(data['amount-exceeded'], SIZE)
            self.assertEqual(self.disk_node()['write_threshold'], 0)
        self.works(500)
        self.assertNotIn('BLOCK_WRITE_THRESHOLD', [event['event'] for event in self.qmp.events])
        self.refused('block-set-write-threshold', 'expects a number', node_name='n', write_threshold=-1)

    def test_threshold_raw(self):
        self.start('path=' + self.raw(), 'format=raw')
        self.threshold()

    def test_threshold_qcow2(self):
        """What counts is what the image takes of its file, also past its keeper."""
        self.start('path=' + self.overlay('top', self.raw(), 'raw'), 'format=qcow2', 'backing=on')
        self.threshold()

    def test_threshold_stays(self):
        """One that nobody has reached goes on in what the disk becomes."""
        self.overlay('over', self.raw(), 'raw')
        self.start('path=base', 'format=raw')
        self.qmp.call('block-set-write-threshold', node_name='n', write_threshold=1 << 40)
        self.add('o', 'over', backing=None)
        self.qmp.call('blockdev-snapshot', node='n', overlay='o')
        self.works()
        self.qmp.call('block-set-write-threshold', device='d', write_threshold=1 << 20)
        self.assertEqual(self.qmp.event('BLOCK_WRITE_THRESHOLD')['data']['node-name'], 'o')

    def test_control(self):
        """Speed, pause, finalize, dismiss."""
        self.qcow2()
        self.start('path=base', 'format=qcow2')
        self.qmp.call('drive-mirror', device='d', job_id='m', target='copy', sync='full', speed=1,
                      auto_dismiss=False, auto_finalize=False)
        wait_for(lambda: self.qmp.call('query-block-jobs')[0]['offset'], 'a first step')
        job = self.qmp.call('query-block-jobs')[0]
        self.assertEqual((job['type'], job['status'], job['speed']), ('mirror', 'running', 1))
        self.assertLess(job['offset'], SIZE)
        self.qmp.call('block-job-pause', device='m')
        self.assertTrue(self.qmp.call('query-block-jobs')[0]['paused'])
        self.qmp.call('block-job-set-speed', device='m', speed=0)
        self.works()
        self.refused('block-job-complete', "in state 'paused'", device='m')
        self.qmp.call('block-job-resume', device='m')
        self.qmp.event('BLOCK_JOB_READY')
        self.qmp.call('job-complete', id='m')
        self.qmp.event('BLOCK_JOB_PENDING')
        self.works()
        self.qmp.call('job-finalize', id='m')
        self.qmp.event('BLOCK_JOB_COMPLETED')
        self.assertEqual(self.qmp.call('query-jobs')[0]['status'], 'concluded')
        self.qmp.call('job-dismiss', id='m')
        self.assertEqual(self.qmp.call('query-jobs'), [])
        self.end(('copy', 'qcow2'))


class Troubles(Base):
    def small(self):
        """A place with room for half of the image; needs the right to mount."""
        os.mkdir('small')
        made = vm.run('mount', '-t', 'tmpfs', '-o', f'size={SIZE // 2}', 'none', 'small')
        if made.returncode:
            return False
        self.addCleanup(vm.run, 'umount', '-l', os.path.abspath('small'))
        return True

    def no_space(self, policy):
        if not self.small():
            self.skipTest('there is no right to mount a small file system')
        self.qcow2()
        self.start('path=base', 'format=qcow2')
        self.qmp.call('drive-mirror', device='d', job_id='m', target='small/copy', format='raw',
                      sync='full', on_target_error=policy)
        return self.qmp.event('BLOCK_JOB_ERROR')['data']

    def test_no_space(self):
        error = self.no_space('report')
        self.assertEqual((error['operation'], error['action']), ('write', 'report'))
        data = self.qmp.event('BLOCK_JOB_COMPLETED')['data']
        self.assertIn('No space', data['error'])
        self.assertEqual(self.disk_node()['file'], 'base')
        self.end(('base', 'qcow2'))

    def test_no_space_stop(self):
        error = self.no_space('enospc')
        self.assertEqual(error['action'], 'stop')
        job = self.qmp.call('query-block-jobs')[0]
        self.assertEqual((job['io-status'], job['status']), ('nospace', 'paused'))
        self.works()
        vm.run('mount', '-o', f'remount,size={4 * SIZE}', 'small')
        self.qmp.call('block-job-resume', device='m')
        self.pivot('m')
        self.works()
        self.qmp.call('quit')
        self.assertEqual(self.machine.end()[0], 0)

    def test_cancel(self):
        """In the middle: the disk is what it was, and others may write to the base again."""
        self.raw()
        self.start('path=base')
        self.qmp.call('drive-mirror', device='d', job_id='m', target='copy', format='qcow2',
                      sync='full', speed=1)
        self.works()
        self.qmp.call('block-job-cancel', device='m')
        self.qmp.event('BLOCK_JOB_CANCELLED')
        self.assertEqual(self.disk_node()['drv'], 'raw')
        self.assertEqual(len(self.qmp.call('query-named-block-nodes')), 1)
        self.qmp.call('blockdev-snapshot-sync', device='d', snapshot_file='top')
        self.qmp.call('block-commit', device='d', job_id='c', speed=1)
        self.works()
        self.qmp.call('job-cancel', id='c')
        self.qmp.event('BLOCK_JOB_CANCELLED')
        self.assertEqual(self.disk_node()['file'], 'top')
        judge('convert', '-f', 'raw', '-O', 'raw', 'base', 'x')
        self.end(('top', 'qcow2'))

    def test_unplugged(self):
        """The disk goes while its job runs."""
        self.qcow2()
        self.start('path=base', 'format=qcow2')
        self.qmp.call('drive-mirror', device='d', job_id='m', target='copy', sync='full', speed=1)
        self.qmp.call('device_del', id='d')
        self.qmp.call('system_reset')
        self.qmp.event('DEVICE_DELETED')
        self.qmp.event('BLOCK_JOB_CANCELLED')
        # The guest ends the machine, as it finds no disk.
        self.assertIn(b'is there: WRONG', self.machine.end()[1])
        judge('check', '-q', '-f', 'qcow2', 'base')

    def test_end(self):
        """The machine ends in the middle of a job."""
        self.qcow2()
        self.start('path=base', 'format=qcow2')
        self.qmp.call('drive-mirror', device='d', target='copy', sync='full', speed=1)
        self.end(('base', 'qcow2'))


class Killed(Base):
    """kill -9 in the middle of a job: the chain reads as a guest expects it that flushed nothing."""

    def kill(self):
        self.works()
        self.machine.process.kill()
        self.machine.process.wait()

    def looks_sound(self, *names):
        """Without corruptions; leaks are what a process that is killed may leave."""
        for name in names:
            result = vm.run(JUDGE, 'check', '-q', '-f', 'qcow2', name)
            self.assertIn(result.returncode, (0, 3), result)

    def again(self, *disk):
        """The guest expects a disk as it was in the beginning: so that is looked at without it."""
        vm.run('rm', '-f', 'qmp')
        self.machine.__exit__()

    def pieces(self, path, fmt='qcow2'):
        """Each piece is one that the guest wrote, whole, and none is from elsewhere."""
        img('convert', '-f', fmt, '-O', 'raw', path, 'flat')
        with open('flat', 'rb') as file:
            data = file.read()
        self.assertEqual(len(data), SIZE)
        inverse = pow(MULTIPLIER, -1, 1 << 64)
        changed = 0
        for piece in range(SIZE // PIECE):
            first, last = (struct.unpack_from('<Q', data, piece * PIECE + at)[0] * inverse & MASK
                           for at in (0, PIECE - 8))
            self.assertEqual(first & ((1 << 40) - 1), piece << 16)
            self.assertEqual(last, first + PIECE // 8 - 1)
            changed += first >> 40 != 0
        self.assertGreater(changed, 0)

    def test_mirror(self):
        for fmt in ('raw', 'qcow2'):
            with self.subTest(fmt):
                self.raw() if fmt == 'raw' else self.qcow2()
                self.start('path=base', 'format=' + fmt)
                self.qmp.call('drive-mirror', device='d', target='copy', format='qcow2',
                              sync='full', speed=1)
                self.kill()
                if fmt == 'qcow2':
                    self.looks_sound('base')
                self.pieces('base', fmt)
                os.unlink('copy')
                self.again()

    def test_commit(self):
        for where in ('before', 'ready', 'behind'):
            with self.subTest(where):
                self.raw()
                self.overlay('top', 'base', 'raw')
                self.start('path=top', 'format=qcow2', 'backing=on')
                self.qmp.call('block-commit', device='d', job_id='c',
                              speed=1 if where == 'before' else 0)
                if where != 'before':
                    self.qmp.event('BLOCK_JOB_READY')
                if where == 'behind':
                    self.qmp.call('job-complete', id='c')
                    self.qmp.event('BLOCK_JOB_COMPLETED')
                self.kill()
                self.looks_sound('top')
                if where == 'behind':
                    self.pieces('base', 'raw')
                else:
                    self.pieces('top')
                os.unlink('top')
                self.again()

    def test_middle_and_stream(self):
        for command in ('block-commit', 'block-stream'):
            with self.subTest(command):
                self.raw()
                self.overlay('one', 'base', 'raw')
                self.start('path=one', 'format=qcow2', 'backing=on')
                self.qmp.call('blockdev-snapshot-sync', device='d', snapshot_file='top')
                more = {
	'top' : 'one'} if command == 'block-commit' else {}
                self.qmp.call(command, device='d', job_id='j', speed=1, **more)
                self.kill()
                self.looks_sound('one', 'top')
                self.pieces('top')
                os.unlink('one')
                os.unlink('top')
                self.again()


class Words(Base):
    """Errors, and what people type."""

    def test_refusals(self):
        self.raw()
        self.overlay('top', 'base', 'raw')
        self.start('path=top', 'format=qcow2', 'backing=on')
        self.refused('block-commit', "Cannot find device='x'", 'DeviceNotFound', device='x')
        self.refused('block-commit', "Can't find 'x'", device='d', base='x')
        self.refused('block-commit', 'into itself', device='d', top='base')
        self.refused('block-commit', "does not accept value 'ignore'", device='d',
                     on_error='ignore')
        self.refused('block-stream', 'image itself', device='d', base_node='n')
        below = self.qmp.call('query-named-block-nodes')[1]['node-name']
        self.refused('block-stream', "stands behind 'n'", device=below)
        # The disk's own files are no place for new ones.
        for path in ('top', 'base'):
            self.refused('drive-mirror', 'File exists', device='d', target=path, sync='full',
                         format='qcow2')
            self.refused('blockdev-snapshot-sync', 'File exists', device='d', snapshot_file=path)
            self.refused('blockdev-snapshot-sync', 'in use', device='d', snapshot_file=path,
                         mode='existing')
        self.works()
        self.refused('blockdev-mirror', "node-name='x'", 'DeviceNotFound', device='d', target='x',
                     sync='full')
        img('create', '-q', '-f', 'qcow2', 'other', str(2 * SIZE))
        self.add('o', 'other')
        self.refused('blockdev-mirror', 'different sizes', device='d', target='o', sync='full')
        self.refused('blockdev-mirror', 'one of its own', device='d', target='n', sync='full')
        self.refused('blockdev-snapshot', 'create it as large', node='n', overlay='o')
        self.refused('block-job-cancel', "Block job 'x' not found", 'DeviceNotActive', device='x')
        self.refused('job-cancel', 'Job not found', id='x')
        self.refused('drive-mirror', 'sync=full', device='d', target='y', format='raw', sync='top')
        self.assertFalse(os.path.exists('y'))
        self.qmp.call('block-commit', device='d', job_id='c', speed=1)
        self.refused('block-stream', 'in use by block job: commit', device='d')
        self.refused('blockdev-snapshot-internal-sync', 'in use by block job', device='d', name='x')
        self.refused('block-job-dismiss', "in state 'running'", id='c')
        self.qmp.call('job-cancel', id='c')
        self.end(('top', 'qcow2'))

    def test_temporary(self):
        self.raw()
        self.start('path=base', 'snapshot=on')
        self.refused('block-commit', 'snapshot=on', device='d')
        self.refused('blockdev-snapshot-sync', 'snapshot=on', device='d', snapshot_file='x')
        self.end()

    def test_people(self):
        self.raw()
        self.start('path=base')

        def say(line):
            return self.qmp.call('human-monitor-command', command_line=line)

        self.assertIn('No active jobs', say('info block-jobs'))
        self.assertEqual(say('snapshot_blkdev d top'), '')
        wait_for(lambda: self.disk_node()['file'] == 'top', 'the overlay')
        self.assertIn('n: behind', say('info block'))
        self.assertEqual(say('commit d'), '')
        wait_for(lambda: self.disk_node()['file'] == 'base', 'the commit')
        self.assertIn("device='x'", say('commit x'))
        self.end()


if __name__ == '__main__':
    vm.main()
