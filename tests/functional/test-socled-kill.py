#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""socled is killed at any moment of a busy workload: nothing is lost, doubled or half-written.

usage: test-socled-kill.py [KILLS [SEED]]

Clients define, change, undefine, start and destroy machines and note what was answered. Then the daemon
is killed, started again and asked: what was answered is so; what was on its way has happened or not; a
machine that runs has its process, and each process its machine.
"""
import os
import random
import signal
import sys
import threading
import time
import unittest

import libvirt

import daemon as tool
from daemon import definition, wait_for

KILLS = int(sys.argv[1]) if len(sys.argv) > 1 else 100
SEED = int(sys.argv[2]) if len(sys.argv) > 2 else random.SystemRandom().randrange(1 << 32)
WORKERS, NAMES = 3, 6

libvirt.registerErrorHandler(lambda _, error: None, None)


class Worker(threading.Thread):
    """One client, with names of its own. @known: name to the answer that counts, or two that may be."""

    def __init__(self, uri, number, known, seed):
        super().__init__()
        self.uri, self.number, self.known = uri, number, known
        self.rand = random.Random(seed)
        self.calls = 0
        self.failure = None

    def run(self):
        try:
            conn = libvirt.open(self.uri)
            while True:
                self.step(conn)
                self.calls += 1
        except libvirt.libvirtError as error:
            # The daemon is gone; anything else is a fault.
            if error.get_error_domain() not in (libvirt.VIR_FROM_RPC, libvirt.VIR_FROM_REMOTE):
                self.failure = f'{self.uri}: {error} (code {error.get_error_code()})'

    def step(self, conn):
        name = f'w{self.number}-{self.rand.randrange(NAMES)}'
        # (title, runs) as it was answered last; None: there is none.
        now = self.known[name][-1]
        if now is None or (not now[1] and self.rand.random() < 0.5):
            title = f't{self.rand.randrange(1 << 30)}'
            xml = definition(name).replace('<memory>', f'<title>{title}</title><memory>')
            if now is not None:
                uuid = conn.lookupByName(name).UUIDString()
                xml = xml.replace('<memory>', f'<uuid>{uuid}</uuid><memory>')
            self.change(name, (title, False), lambda: conn.defineXML(xml))
        elif now[1]:
            self.change(name, (now[0], False), conn.lookupByName(name).destroy)
        elif self.rand.random() < 0.4:
            self.change(name, (now[0], True), conn.lookupByName(name).create)
        else:
            self.change(name, None, conn.lookupByName(name).undefine)

    def change(self, name, to, call):
        self.known[name] = [self.known[name][-1], to]
        call()
        self.known[name] = [to]


class Killed(tool.Case):
    def test_kills(self):
        rand = random.Random(SEED)
        known = {f'w{w}-{n}': [None] for w in range(WORKERS) for n in range(NAMES)}
        calls = 0
        one = self.daemon('--log', 'info')
        for _ in range(KILLS):
            workers = [Worker(one.uri(), w, known, rand.random()) for w in range(WORKERS)]
            for worker in workers:
                worker.start()
            time.sleep(rand.random() ** 2 * 0.25)
            one.end(signal.SIGKILL)
            for worker in workers:
                worker.join()
                calls += worker.calls
                self.assertIsNone(worker.failure, f'seed {SEED}')
            one = self.daemon('--log', 'info')
            self.check(one, known)
        print(f'{KILLS} kills, {calls} answers, {sum(k[-1] is not None for k in known.values())} machines')
        self.assertNotIn('is of no use', one.said())

    def check(self, one, known):
        conn = libvirt.open(one.uri())
        # Those that are being found are asked again.
        wait_for(lambda: self.settled(conn), 'all machines are found')
        doms = {}
        for dom in conn.listAllDomains():
            self.assertNotIn(dom.name(), doms, f'seed {SEED}: it is there twice')
            doms[dom.name()] = dom
        for name, may_be in known.items():
            dom = doms.pop(name, None)
            is_now = dom and (dom.metadata(libvirt.VIR_DOMAIN_METADATA_TITLE, None), bool(dom.isActive()))
            self.assertIn(is_now, may_be, f'seed {SEED}: {name}')
            known[name] = [is_now]
        self.assertEqual(doms, {}, f'seed {SEED}')
        running = {name for name, now in known.items() if now[0] and now[0][1]}
        # One that was told to end may take its time.
        try:
            wait_for(lambda: self.processes() == running, 'processes')
        except AssertionError:
            self.assertEqual(self.processes(), running, f'seed {SEED}: processes')
        conn.close()

    def settled(self, conn):
        return all(dom.state()[0] in (1, 5) for dom in conn.listAllDomains())

    def processes(self):
        """Names of machines that have a process, each of which has one."""
        names = []
        for pid in os.listdir('/proc'):
            try:
                with open(f'/proc/{pid}/cmdline', 'rb') as file:
                    words = file.read().decode(errors='replace').split('\0')
            except (OSError, ValueError):
                continue
            if words[0] == tool.VM and any(self.dir in word for word in words):
                names += [word[len('--name='):] for word in words if word.startswith('--name=')]
        self.assertEqual(len(names), len(set(names)), f'seed {SEED}: {names}')
        return set(names)


if __name__ == '__main__':
    unittest.main(argv=sys.argv[:1], verbosity=2)
