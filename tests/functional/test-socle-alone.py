#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Nobody has started a daemon: socle starts that of its session.

Environment: that of socle.py. Words: the classes that are to run.
"""
import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

import socle
import waiting
from socle import KEYS, Terminal, run
from waiting import wait_for


class Alone(unittest.TestCase):
    """Nobody has started anything: the programs of a build tree, by themselves."""

    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix='socle-alone-')
        self.addCleanup(shutil.rmtree, self.dir, ignore_errors=True)
        self.bin = os.path.join(self.dir, 'bin')
        self.runtime = os.path.join(self.dir, 'r')
        os.mkdir(self.bin)
        os.mkdir(self.runtime, 0o700)
        # As ./dev build has them.
        for name in ('SOCLE', 'SOCLED', 'SOCLE_VM'):
            os.symlink(os.environ[name], os.path.join(self.bin, os.path.basename(os.environ[name])))
        self.env = {**dict.fromkeys(('SOCLED_PATH', 'SOCLE_URI', 'SOCLE_DEFAULT_URI',
                                     'LIBVIRT_DEFAULT_URI', 'SOCLE_AUTOSTART'), ''),
                    'HOME': self.dir, 'XDG_RUNTIME_DIR': self.runtime, 'LC_ALL': 'C',
                    **{f'XDG_{x}_HOME': f'{self.dir}/{x}' for x in ('CONFIG', 'DATA', 'CACHE')}}
        self.program = os.path.join(self.bin, 'socle')
        # So that it ends while somebody waits for it.
        os.makedirs(f'{self.dir}/CONFIG/socle')
        pathlib.Path(self.dir, 'CONFIG/socle/socled.conf').write_text('[socled]\ntimeout = 1\n')
        self.addCleanup(self.nothing_left)
        system = [path for path in ('/run/socle/socled-sock', '/run/libvirt/virtqemud-sock',
                                    '/run/libvirt/libvirt-sock') if os.path.exists(path)]
        if os.getuid() == 0 and system:
            self.skipTest(f'root uses the daemon of the system, whose socket is {system[0]}')

    def processes(self):
        """Those of our folder, by what stands in their environment."""
        found = []
        for pid in filter(str.isdigit, os.listdir('/proc')):
            try:
                words = pathlib.Path('/proc', pid, 'environ').read_bytes().split(b'\0')
                line = pathlib.Path('/proc', pid, 'cmdline').read_bytes()
            except OSError:
                continue
            if f'HOME={self.dir}'.encode() in words and line:
                found.append(line.replace(b'\0', b' ').decode().strip())
        return found

    def nothing_left(self):
        wait_for(lambda: not self.processes(), f'the end of {self.processes()}')
        left = [path for path in pathlib.Path(self.runtime).rglob('*') if path.is_socket()]
        self.assertEqual(left, [])

    def socle(self, *words, status=0, env=None):
        result = run(*words, program=self.program, env={**self.env, **(env or {})}, cwd='/')
        self.assertEqual(result.returncode, status, (words, result.stdout, result.stderr))
        return result.stdout if status == 0 else result.stderr

    def test_list(self):
        self.assertEqual(self.socle('list'), 'no machines\n')
        self.assertEqual(self.processes(), [f'{self.bin}/socled --session'])
        self.assertEqual(json.loads(self.socle('list', '-o', 'json')), [])

    def test_from_elsewhere(self):
        """By a relative name, and by a link to a link."""
        result = run('list', program='bin/socle', env=self.env, cwd=self.dir)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.nothing_left()
        os.symlink(self.program, f'{self.dir}/short')
        result = run('list', program='./short', env=self.env, cwd=self.dir)
        self.assertEqual(result.returncode, 0, result.stderr)

    def test_run(self):
        terminal = Terminal('run', KEYS, '--net', 'none', '-m', '64M', '-n', 'lone', env=self.env,
                            program=self.program)
        terminal.expect(rb'Ctrl-\] or Ctrl-A X ends the machine, Ctrl-A H is help\r\n')
        terminal.expect(rb'B')
        self.assertEqual(self.socle('list', '-o', 'name'), 'lone\n')
        terminal.keys(b'\x1d')
        terminal.expect(rb"'lone' is gone")
        self.assertEqual(terminal.end(), 0)

    def test_many_at_once(self):
        clients = [subprocess.Popen([self.program, 'list', '-o', 'name'], stdout=subprocess.PIPE,
                                    stderr=subprocess.STDOUT, text=True,
                                    env={**os.environ, **self.env}) for _ in range(4)]
        for client in clients:
            said = client.communicate(timeout=waiting.PATIENCE)[0]
            self.assertEqual((client.returncode, said), (0, ''))

    def test_others_follow(self):
        """What 'socle uri' prints leads others to the same daemon."""
        uri = self.socle('uri').strip()
        self.assertEqual(uri, f'qemu+unix:///session?socket={self.runtime}/socle/socled-sock')
        self.socle('-c', uri, 'run', '--detach', KEYS, '-m', '64M', '-n', 'shared', '--net', 'none')
        self.addCleanup(self.socle, 'destroy', 'shared')
        self.assertEqual(json.loads(self.socle('-c', uri, 'uri', '-o', 'json')), {'uri': uri})
        if shutil.which('virsh'):
            result = subprocess.run(['virsh', '-c', uri, 'list', '--name'], capture_output=True,
                                    text=True, check=False, timeout=waiting.PATIENCE)
            self.assertEqual(result.stdout.split(), ['shared'], result.stderr)

    def test_system(self):
        """Who says 'system' means it, and hears what to do."""
        for uri, remedy in (('socle:///system', "start 'socled' as root"),
                            ('qemu:///system', "'socled --libvirt-sockets'")):
            said = self.socle('-c', uri, 'list', status=4)
            self.assertIn('No such file', said)
            self.assertIn(remedy, said)
        self.assertEqual(self.processes(), [])

    def test_doctor(self):
        self.assertIn(f"the first command starts that of your session, '{self.bin}/socled'",
                      self.socle('doctor'))
        self.assertIn('SOCLE_AUTOSTART=0', self.socle('doctor', env={'SOCLE_AUTOSTART': '0'}))
        self.assertEqual(self.processes(), [])
        self.socle('list')
        said = self.socle('doctor')
        path = f'{self.runtime}/socle/socled-sock'
        self.assertIn(f'socket {path}: a daemon answers (QEMU', said)
        self.assertIn(f'connection: qemu+unix:///session?socket={path}\n', said)

    def test_does_not_start(self):
        """The daemon's own words tell why."""
        pathlib.Path(self.dir, 'CONFIG/socle/socled.conf').write_text('[socled]\ntimeout = x\n')
        said = self.socle('list', status=4)
        self.assertIn(f"'{self.bin}/socled --session' was started", said)
        self.assertIn('timeout', said)

    def test_no_runtime_dir(self):
        """As over ssh, or as root in a container."""
        if os.path.isdir(f'/run/user/{os.getuid()}'):
            self.skipTest('there is a folder of a session')
        self.runtime = f'{self.dir}/CACHE'
        env = {'XDG_RUNTIME_DIR': ''}
        self.assertIn(f'socket={self.runtime}/socle/socled-sock', self.socle('uri', env=env))


if __name__ == '__main__':
    socle.main(own=['Alone'])
