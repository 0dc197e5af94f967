#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""socled is killed at any moment of a busy workload: nothing is lost, doubled or half-written.

usage: test-socled-kill.py [KILLS [SEED]]

Clients define, define anew, undefine, start, destroy, suspend, describe and snapshot machines, each with
names of its own, and note what was answered; one more lists all of them and watches events. Then the
daemon is killed, started again and asked: what was answered is so; what was on its way has
happened or not; a machine that runs has the one process that it had, and each process its machine. Some
machines are killed while there is no daemon: then the reason of their end is told.

SOCLE_PATIENCE and the seed that is printed make a failure again, as far as the host's timing lets it.
"""
import collections
import os
import random
import re
import shutil
import signal
import sys
import tempfile
import threading
import time
import unittest

import libvirt

import daemon as tool
from daemon import definition
from waiting import wait_for

KILLS = int(sys.argv[1]) if len(sys.argv) > 1 else 100
SEED = int(sys.argv[2]) if len(sys.argv) > 2 else random.SystemRandom().randrange(1 << 32)
WORKERS, NAMES = 3, 6
GONE = (libvirt.VIR_FROM_RPC, libvirt.VIR_FROM_REMOTE)

libvirt.registerErrorHandler(lambda _, error: None, None)
libvirt.virEventRegisterDefaultImpl()

# What is known of a machine; None in its place: there is none. @state: libvirt's.
Known = collections.namedtuple('Known', 'title state autostart notes snapshots pid')
FRESH = Known(None, libvirt.VIR_DOMAIN_SHUTOFF, 0, None, frozenset(), None)
RUNNING, PAUSED, OFF = (libvirt.VIR_DOMAIN_RUNNING, libvirt.VIR_DOMAIN_PAUSED,
                        libvirt.VIR_DOMAIN_SHUTOFF)


class Client(threading.Thread):
    """It works until the daemon is gone. @failure: anything else that went wrong."""

    def __init__(self, uri, seed):
        super().__init__()
        self.uri = uri
        self.rand = random.Random(seed)
        self.calls = 0
        self.failure = None

    def run(self):
        try:
            conn = libvirt.open(self.uri)
            self.begin(conn)
            while True:
                self.step(conn)
                self.calls += 1
        except libvirt.libvirtError as error:
            if error.get_error_domain() not in GONE:
                self.failure = f'{error} (code {error.get_error_code()})'

    def begin(self, conn):
        pass


class Worker(Client):
    """@known: name to [what counts], or [what counted, what may count by now]."""

    def __init__(self, uri, seed, number, known, run_dir):
        super().__init__(uri, seed)
        self.number, self.known, self.run_dir = number, known, run_dir

    def step(self, conn):
        name = f'w{self.number}-{self.rand.randrange(NAMES)}'
        now = self.known[name][-1]
        if now is None:
            self.define(conn, name, FRESH)
            return
        dom = conn.lookupByName(name)
        steps = [self.title, self.notes, self.autostart, self.define_anew, self.snapshot]
        if now.state == OFF:
            steps += [self.create, self.create, self.undefine]
        else:
            steps += [self.destroy, self.suspend if now.state == RUNNING else self.resume]
        self.rand.choice(steps)(conn, name, dom, now)

    def change(self, name, to, call):
        self.known[name] = [self.known[name][-1], to]
        result = call()
        self.known[name] = [to]
        return result

    def define(self, conn, name, now, uuid=''):
        title = f't{self.rand.randrange(1 << 30)}'
        xml = definition(name, kernel=tool.IDLE).replace('<memory>', f'{uuid}<title>{title}</title><memory>')
        self.change(name, now._replace(title=title, notes=None), lambda: conn.defineXML(xml))

    def define_anew(self, conn, name, dom, now):
        if now.state == OFF:
            self.define(conn, name, now, f'<uuid>{dom.UUIDString()}</uuid>')

    def title(self, _, name, dom, now):
        title = f't{self.rand.randrange(1 << 30)}'
        flags = libvirt.VIR_DOMAIN_AFFECT_CONFIG
        if now.state != OFF:
            flags |= libvirt.VIR_DOMAIN_AFFECT_LIVE
        self.change(name, now._replace(title=title), lambda: dom.setMetadata(
            libvirt.VIR_DOMAIN_METADATA_TITLE, title, None, None, flags))

    def notes(self, _, name, dom, now):
        notes = str(self.rand.randrange(1 << 30))
        flags = libvirt.VIR_DOMAIN_AFFECT_CONFIG
        if now.state != OFF:
            flags |= libvirt.VIR_DOMAIN_AFFECT_LIVE
        self.change(name, now._replace(notes=notes), lambda: dom.setMetadata(
            libvirt.VIR_DOMAIN_METADATA_ELEMENT, f'<n v="{notes}"/>', 'k', 'urn:notes', flags))

    def autostart(self, _, name, dom, now):
        value = 1 - now.autostart
        self.change(name, now._replace(autostart=value), lambda: dom.setAutostart(value))

    def snapshot(self, _, name, dom, now):
        if now.state != OFF:
            return
        if now.snapshots and self.rand.random() < 0.5:
            gone = self.rand.choice(sorted(now.snapshots))
            self.change(name, now._replace(snapshots=now.snapshots - {gone}),
                        dom.snapshotLookupByName(gone).delete)
        elif len(now.snapshots) < 3:
            new = f's{self.rand.randrange(1 << 30)}'
            self.change(name, now._replace(snapshots=now.snapshots | {new}),
                        lambda: dom.snapshotCreateXML(
                            f'<domainsnapshot><name>{new}</name></domainsnapshot>'))

    def create(self, _, name, dom, now):
        paused = self.rand.random() < 0.3
        self.change(name, now._replace(state=PAUSED if paused else RUNNING), lambda: dom.createWithFlags(
            libvirt.VIR_DOMAIN_START_PAUSED if paused else 0))
        # From here on it has to be this process.
        with open(f'{self.run_dir}/vm/{dom.UUIDString()}/pid', encoding='ascii') as file:
            pid = int(file.read())
        self.known[name] = [self.known[name][-1]._replace(pid=pid)]

    def destroy(self, _, name, dom, now):
        self.change(name, now._replace(state=OFF, pid=None), dom.destroy)

    def suspend(self, _, name, dom, now):
        self.change(name, now._replace(state=PAUSED), dom.suspend)

    def resume(self, _, name, dom, now):
        self.change(name, now._replace(state=RUNNING), dom.resume)

    def undefine(self, _, name, dom, now):
        # The snapshots go first, as two steps of a client would do it.
        if now.snapshots:
            self.known[name] = [now, now._replace(snapshots=frozenset()), None]
            dom.undefineFlags(libvirt.VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA)
            self.known[name] = [None]
        else:
            self.change(name, None, dom.undefine)


class Watcher(Client):
    """Lists, statistics, definitions; and events, which nobody reads."""

    def begin(self, conn):
        conn.domainEventRegisterAny(None, libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE, lambda *_: None, None)

    def step(self, conn):
        for dom in conn.listAllDomains():
            try:
                dom.XMLDesc()
                dom.info()
            except libvirt.libvirtError as error:
                # It may have gone meanwhile.
                if error.get_error_code() != libvirt.VIR_ERR_NO_DOMAIN:
                    raise
        conn.getAllDomainStats()


class Killed(tool.Case):
    longest = 0

    def test_on_a_disk(self):
        """Where each answer waits for fsync: few, but slow ones."""
        self.kills((KILLS + 9) // 10)

    def test_in_memory(self):
        """Where a disk is in nobody's way: many calls between two kills."""
        if not os.access('/dev/shm', os.W_OK):
            self.skipTest('there is no /dev/shm to write to')
        self.dir = tempfile.mkdtemp(prefix='test-socled-', dir='/dev/shm')
        self.addCleanup(shutil.rmtree, self.dir, ignore_errors=True)
        # Before that: it looks for pid files there.
        self.addCleanup(self.end_all)
        self.kills(KILLS * 9 // 10)

    def kills(self, count):
        print(f'test-socled-kill.py {KILLS} {SEED}', flush=True)
        rand = random.Random(SEED)
        known = {f'w{w}-{n}': [None] for w in range(WORKERS) for n in range(NAMES)}
        calls = 0
        away = []
        one = self.daemon('--log', 'info')
        for kill in range(count):
            clients = [Worker(one.uri(), rand.random(), w, known, self.dir + '/st/run') for w in range(WORKERS)]
            clients.append(Watcher(one.uri(), rand.random()))
            for client in clients:
                client.start()
            time.sleep(rand.random() ** 2 * 0.25)
            one.end(signal.SIGKILL)
            for client in clients:
                client.join()
                calls += client.calls
                self.assertIsNone(client.failure, f'seed {SEED}, kill {kill}')
            away.append(self.kill_one(known) if rand.random() < 0.2 else None)
            begin = time.monotonic()
            one = self.daemon('--log', 'info')
            self.longest = max(self.longest, time.monotonic() - begin)
            self.check(one, known, kill)
        said = one.said()
        self.assertNotIn('is of no use', said)
        for name in filter(None, away):
            self.assertIn(f"'{name}' has ended while there was no daemon: its process was killed", said)
        print(f'{count} kills, {calls} answers, {sum(k[-1] is not None for k in known.values())} machines, '
              f'{sum(map(bool, away))} that died meanwhile; a start took {self.longest:.2f} s at most')

    def kill_one(self, known):
        """A machine that is known to run dies while there is no daemon."""
        for name, may_be in known.items():
            if len(may_be) == 1 and may_be[0] and may_be[0].state == RUNNING and may_be[0].pid:
                os.kill(may_be[0].pid, signal.SIGKILL)
                wait_for(lambda: name not in self.processes(), 'it dies')
                known[name] = [may_be[0]._replace(state=OFF, pid=None)]
                return name
        return None

    def check(self, one, known, kill):
        where = f'seed {SEED}, kill {kill}'
        conn = libvirt.open(one.uri())
        for dom in conn.listAllDomains(libvirt.VIR_CONNECT_LIST_DOMAINS_ACTIVE):
            self.wait_until_found(dom)
        # One whose start was half done goes on with it.
        wait_for(lambda: not any(dom.state() == [PAUSED, libvirt.VIR_DOMAIN_PAUSED_STARTING_UP]
                                 for dom in conn.listAllDomains()), 'all of them have begun')
        doms = {}
        for dom in conn.listAllDomains():
            self.assertNotIn(dom.name(), doms, f'{where}: it is there twice')
            doms[dom.name()] = dom
        processes = self.processes()
        for name, may_be in known.items():
            dom = doms.pop(name, None)
            now = self.ask(dom) if dom else None
            same = [k for k in may_be if self.like(k, now, processes.get(name))]
            self.assertTrue(same, f'{where}: {name} is {now}, and may be {may_be}; the daemon says: '
                            f'{one.said()[-1500:]}; the machine: {self.machine_log(name)}')
            if now and now.state != OFF:
                now = now._replace(pid=processes.get(name))
                if len({k and k.state for k in may_be}) > 1:
                    # What was asked of it may come to pass yet.
                    now = now._replace(state=OFF, pid=None)
                    self.end_machine(dom)
            known[name] = [now]
        self.assertEqual(doms, {}, where)
        running = {name for name, now in known.items() if now[0] and now[0].state != OFF}
        # One that was told to end may take its time.
        try:
            wait_for(lambda: set(self.processes()) == running, 'processes')
        except AssertionError:
            there = set(self.processes())
            logs = [f'{name}: {self.machine_log(name)}' for name in there ^ running]
            self.assertEqual(there, running, f'{where}: processes; known {known}; the daemon says: '
                             f'{one.said()[-3000:]}; the machines: {logs}')
        conn.close()

    @staticmethod
    def end_machine(dom):
        try:
            dom.destroy()
        except libvirt.libvirtError as error:
            if error.get_error_code() != libvirt.VIR_ERR_OPERATION_INVALID:
                raise

    def machine_log(self, name):
        for folder, _, names in os.walk(self.dir):
            if f'{name}.log' in names:
                with open(os.path.join(folder, f'{name}.log'), encoding='utf-8') as file:
                    return file.read()[-1500:]
        return None

    @staticmethod
    def ask(dom):
        def metadata(*words):
            try:
                return dom.metadata(*words)
            except libvirt.libvirtError as error:
                if error.get_error_code() != libvirt.VIR_ERR_NO_DOMAIN_METADATA:
                    raise
                return None
        notes = metadata(libvirt.VIR_DOMAIN_METADATA_ELEMENT, 'urn:notes',
                         libvirt.VIR_DOMAIN_AFFECT_CONFIG)
        return Known(metadata(libvirt.VIR_DOMAIN_METADATA_TITLE, None, libvirt.VIR_DOMAIN_AFFECT_CONFIG),
                     dom.state()[0], dom.autostart(), notes and re.search(r'\bv=.(\d+)', notes)[1],
                     frozenset(dom.snapshotListNames()), None)

    @staticmethod
    def like(known, now, pid):
        if known is None or now is None:
            return known is now
        return (known._replace(pid=None) == now and
                (known.state == OFF or known.pid in (None, pid)))

    @staticmethod
    def wait_until_found(dom):
        """A change has its turn behind that; this one is refused."""
        try:
            dom.detachDeviceFlags('<controller type="ccid" index="9"/>', libvirt.VIR_DOMAIN_AFFECT_LIVE)
        except libvirt.libvirtError:
            pass

    def processes(self):
        """Names of machines to their process, of which each has one."""
        found = {}
        for pid in os.listdir('/proc'):
            try:
                with open(f'/proc/{pid}/cmdline', 'rb') as file:
                    words = file.read().decode(errors='replace').split('\0')
            except (OSError, ValueError):
                continue
            if words[0] == tool.VM and any(self.dir in word for word in words):
                for word in words:
                    if word.startswith('--name='):
                        self.assertNotIn(word[7:], found, f'seed {SEED}: it has two processes')
                        found[word[7:]] = int(pid)
        return found


if __name__ == '__main__':
    unittest.main(argv=sys.argv[:1], verbosity=2)
