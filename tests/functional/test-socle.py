#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""socle's words, as people use them: names, help, completion, texts that are edited, top.

Environment: that of socle.py. Words: the classes that are to run.
"""
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import termios

import socle
from socle import SOCLE, UUID, Driver, Terminal, run


class Words(Driver):
    """Names, mistakes, questions, the host."""

    def test_wrong_names(self):
        self.bad('vm', 'show', 'tset', status=3, says="no machine 'tset'; there is 'test'")
        self.bad('start', 'qqqq', status=3, says="'socle list' shows which there are")
        self.bad('start', 'test', 'qqqq', status=3)
        self.bad('strat', 'test', status=2, says="there is 'start'")
        self.bad('start', status=2, says='socle vm start MACHINE...')
        self.bad('list', '--al', status=2, says="there is '--all'")
        self.bad('list', '-o', 'yaml', status=2, says='table|json|name')
        self.bad('list', '--timeout', 'soon', status=2, says='seconds')
        self.bad('vm', status=2, says='verb')
        self.bad('--readonly', 'start', 'test', status=5, says='--readonly')
        self.bad('-c', 'nonsense', 'list', status=4)
        self.bad('-c', f'test+unix:///default?socket={self.daemon.dir}/none', 'list', status=4)

    def test_no_command(self):
        result = run()
        self.assertEqual((result.returncode, result.stdout), (2, ''))
        self.assertEqual(result.stderr, "socle: no command was given; 'socle --help' lists them\n")

    def test_output_fails(self):
        with open('/dev/full', 'w', encoding='ascii') as full:
            result = subprocess.run([SOCLE, '-c', self.uri, 'list'], stdout=full, check=False,
                                    stderr=subprocess.PIPE, text=True)
        self.assertEqual(result.returncode, 1)
        self.assertEqual(result.stderr,
                         'socle: cannot write to stdout: No space left on device\n')

    def test_colours(self):
        terminal = self.terminal('list')
        terminal.expect(rb'\x1b\[32mrunning\x1b\[0m')
        self.assertEqual(terminal.end(), 0)
        terminal = self.terminal('list', env={'NO_COLOR': '1'})
        terminal.expect(rb'running')
        self.assertEqual(terminal.end(), 0)
        self.assertNotIn(b'\x1b', terminal.data)

    def test_question(self):
        self.define('asked')
        terminal = self.terminal('undefine', 'asked')
        terminal.expect(rb"Forget the definition of 'asked'\? \[y/N\] ")
        terminal.keys(b'\n')
        terminal.expect(rb'nothing was done')
        self.assertEqual(terminal.end(), 1)
        terminal = self.terminal('undefine', '--yes', 'asked')
        self.assertEqual(terminal.end(), 0)
        self.bad('xml', 'asked', status=3)

    def test_environment(self):
        for name in ('SOCLE_URI', 'LIBVIRT_DEFAULT_URI'):
            env = {'SOCLE_URI': '', 'SOCLE_DEFAULT_URI': '', name: self.uri}
            self.assertEqual(run('list', '-o', 'name', env=env).stdout, 'test\n')

    def test_uri(self):
        self.assertEqual(self.good('host', 'uri'), f'{self.uri}\n')

    def test_completion(self):
        self.good('suspend', 'test')
        self.assertEqual(self.good('__complete', '--', '-c', self.uri, 'stop', 't'), 'test\n')
        self.assertEqual(self.good('__complete', '--', '-c', self.uri, 'start', ''), '')
        self.assertEqual(self.good('__complete', '--', '-c', self.uri, 'block-info', 'test', ''),
                         'vda\n')
        self.assertEqual(self.good('__complete', '--', '-c', 'x://', 'stop', ''), '')
        for shell in ('bash', 'zsh', 'fish'):
            script = self.good('completion', shell)
            if shutil.which(shell):
                subprocess.run([shell, '-n'], input=script, text=True, check=True)
        self.bad('completion', 'csh', status=2)

    def test_bash(self):
        """A bash with a terminal, and somebody who types and presses Tab."""
        folder = os.path.dirname(SOCLE)
        env = {'PATH': f'{folder}:{os.environ["PATH"]}', 'PS1': '$ ', 'TERM': 'dumb', 'SOCLE_URI': self.uri,
               'HOME': self.daemon.dir,
               'INPUTRC': self.daemon.place('inputrc', b'set bell-style none\n')}
        self.define('a b')
        self.daemon.place('a-kernel', b'')
        bash = Terminal('--norc', '--noprofile', '-i', program='bash', env=env,
                        size=(24, 300))
        self.addCleanup(bash.close)
        bash.keys(b'source <(socle completion bash); cd "$HOME"; echo rea""dy\n')
        bash.expect(rb'ready\r\n')
        for typed, added in (('vm und', 'efine '), ('vm resum', 'e '), ('snapshot rev', 'ert '),
                             ('list --runn', 'ing '), ('list --output=j', 'son '), ('list --output=', ''),
                             ('-o na', 'me '), ('stop te', 'st '), (f'-c {self.uri} stop te', 'st '),
                             (f'--connect={self.uri} vm block-info te', 'st '),
                             ('block-info test vd', 'a '), ('start a', '\\ b '), ('run a-k', 'ernel '),
                             ('run x --initrd=a-k', 'ernel ')):
            bash.keys(f'socle {typed}\t'.encode())
            bash.expect(re.escape(f'socle {typed}{added}'.encode()))
            bash.keys(b'\x15')
        bash.keys(b'exit\n')

    def test_host(self):
        self.shape(self.json('host', 'info'), {
            'hostname': str, 'uri': 'test:///default', 'type': 'TEST', 'version': str,
            'libvirt_level': str, 'cpu_model': str, 'cpus': int, 'mhz': int, 'nodes': int,
            'sockets': int, 'cores': int, 'threads': int, 'memory': int, 'free_memory': int})
        self.assertIn('hypervisor    TEST', self.good('nodeinfo'))
        self.assertIn('<capabilities>', self.good('host', 'capabilities'))
        self.shape(self.json('capabilities'), {'xml': str})
        self.shape(self.json('host', 'stats'), {'cpu_ns': dict, 'memory_kib': dict})

    def test_doctor(self):
        self.assertIn(f'connection: {self.uri}\n', self.good('host', 'doctor'))
        self.shape(self.json('doctor'), [{
            'what': str, 'verdict': 'ok|note|warning|problem', 'found': str,
            'remedy': (str, type(None))}])
        with tempfile.TemporaryDirectory() as own:
            os.symlink(os.path.dirname(self.daemon.socket), f'{own}/libvirt')
            self.assertIn(f'socket {own}/libvirt/libvirt-sock: a daemon answers',
                          self.good('doctor', env={'XDG_RUNTIME_DIR': own}))
        if os.getuid() == 0:
            said = self.good('doctor', env={'XDG_RUNTIME_DIR': self.daemon.dir})
            self.assertIn("the folder is another user's", said)

    def test_help(self):
        text = run('--help').stdout
        self.assertIn('usage: socle ', text)
        self.assertIn('vm start MACHINE...', run('vm', '--help').stdout)
        self.assertIn('--paused', run('start', '-h').stdout)
        self.assertRegex(run('--version').stdout, r'\Asocle \d+\.\d+\.\d+\n\Z')
        for noun, verb in re.findall(r'(?m)^  (vm|snapshot|net|pool|vol|host) (\S+)', text):
            self.assertIn(f'usage: socle {noun} {verb} ', run(noun, verb, '--help').stdout)


class Top(Driver):
    """Machines on a screen."""

    def test_top_batch(self):
        lines = self.good('top', '-b', '-n', '2', '-d', '0.1').splitlines()
        self.assertEqual(len([x for x in lines if x.startswith('NAME ')]), 2)
        self.assertEqual(len([x for x in lines if x.startswith('test ')]), 2)
        looks = [json.loads(x) for x in self.good('top', '-n', '2', '-d', '0.1', '-o', 'json',
                                                  '-a').splitlines()]
        self.shape(looks, [{
            'time': int, 'host': str, 'seconds': float, 'host_cpus': int, 'host_memory': int,
            'machines': [{
                'name': str, 'uuid': UUID, 'id': (int, type(None)), 'state': str, 'vcpus': int,
                'cpu_percent': float, 'memory': int, 'read_per_s': float, 'written_per_s': float,
                'received_per_s': float, 'sent_per_s': float}]}])
        self.assertEqual(len(looks), 2)
        self.bad('top', status=2, says='--batch')
        self.bad('top', '-b', '-d', '0', status=2)
        self.bad('top', '-b', '-s', 'size', status=2)

    def test_top(self):
        terminal = self.terminal('top', '-d', '0.2')
        terminal.expect(rb'\x1b\[\?1049h')
        terminal.expect(rb'NAME +%CPU\*')
        terminal.expect(rb'test ')
        self.assertFalse(termios.tcgetattr(terminal.slave)[3] & (termios.ECHO | termios.ICANON))
        terminal.keys(b'm')
        terminal.expect(rb'MEM\*')
        terminal.keys(b'/zz')
        terminal.expect(rb'Filter: zz_')
        terminal.keys(b'\r')
        terminal.expect(rb"names with 'zz'")
        terminal.keys(b'\x1b')
        terminal.expect(rb'q quit')
        terminal.keys(b'h')
        terminal.expect(rb'Any key goes back')
        terminal.keys(b'x')
        terminal.resize(5, 30)
        os.kill(terminal.process.pid, signal.SIGWINCH)
        terminal.expect(rb'\x1b\[5;1H')
        terminal.keys(b'q')
        terminal.expect(rb'\x1b\[\?1049l')
        self.assertEqual(terminal.end(), 0)
        self.restored(terminal)

    def test_top_signals(self):
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            terminal = self.terminal('top')
            terminal.expect(rb'q quit')
            os.kill(terminal.process.pid, number)
            terminal.expect(rb'\x1b\[\?1049l')
            self.assertEqual(terminal.end(), -number)
            self.restored(terminal)


class Edit(Driver):
    """Definitions in an editor."""

    def edit(self, script, *more, **env):
        path = self.daemon.place('editor', f'#!/bin/sh\n{script}\n'.encode())
        os.chmod(path, 0o755)
        folder = os.path.join(self.daemon.dir, 'tmp')
        os.makedirs(folder, exist_ok=True)
        self.addCleanup(shutil.rmtree, folder, ignore_errors=True)
        return dict(os.environ, VISUAL='', EDITOR=f'{path} {" ".join(more)}', TMPDIR=folder, **env)

    def left(self):
        return list(pathlib.Path(self.daemon.dir, 'tmp').glob('*'))

    def test_edit(self):
        self.define('ed')
        env = self.edit('exit 0')
        self.assertEqual(self.good('vm', 'edit', 'ed', env=env), "'ed' was not changed\n")
        env = self.edit('sed -i s/65536/131072/ "$2"', 'option')
        self.assertEqual(self.good('edit', 'ed', env=env), "'ed' has the new definition\n")
        self.assertIn("'KiB'>131072<", self.good('xml', 'ed'))
        self.assertEqual(self.left(), [])

    def test_edit_others(self):
        """Networks and pools, by their nouns and by virsh's names."""
        for kind, xml in (('net', '<network><name>{}</name></network>'),
                          ('pool', "<pool type='dir'><name>{}</name><target><path>/srv/one</path></target>"
                                   '</pool>')):
            path = self.daemon.place('object.xml', xml.format('ed').encode())
            said = {'net': 'network', 'pool': 'pool'}[kind]
            self.good(kind, 'define', path)
            self.assertEqual(self.good(kind, 'edit', 'ed', env=self.edit('exit 0')),
                             f"{said} 'ed' was not changed\n")
            change = "s/<\\/network>/<domain name='two'\\/><\\/network>/;s/one/two/"
            self.assertEqual(self.good(f'{kind}-edit', 'ed', env=self.edit(f'sed -i "{change}" "$1"')),
                             f"{said} 'ed' has the new definition\n")
            self.assertIn('two', self.good(kind, 'xml', 'ed'))
            self.assertEqual(self.left(), [])
            result = self.run_socle(kind, 'edit', 'ed', env=self.edit('sed -i "s/>ed</>other</" "$1"'))
            self.assertIn('another ' + said, result.stderr)
            self.left()[0].unlink()
            self.good(kind, 'undefine', 'ed')

    def test_edit_loses_nothing(self):
        self.define('ed')
        for script, says in (('echo "<domain" >"$1"', 'line'), ('exit 3', 'editor'),
                             ('sed -i s/.ed./xy/ "$1"', ''),
                             ('sed -i "s/<name>ed/<name>other/" "$1"', 'another machine'),
                             ('sed -i "/<uuid>f/{s//<uuid>0/;b};s/<uuid>./<uuid>f/" "$1"', 'another machine'),
                             ('sed -i "s/<os>/<nonsense>x<\\/nonsense><os>/" "$1"', '')):
            result = self.run_socle('edit', 'ed', env=self.edit(script))
            self.assertEqual(result.returncode != 0, True, (script, result))
            self.assertIn(says, result.stderr)
            files = self.left()
            self.assertEqual(len(files), 1, script)
            self.assertIn(f"'ed' is as it was, your text is in '{files[0]}'", result.stderr)
            files[0].unlink()
        self.assertIn('<name>ed<', self.good('xml', 'ed'))

    def test_edit_again(self):
        """The second time the text is what was written the first time."""
        self.define('ed')
        env = self.edit('if grep -q 131072 "$1"; then sed -i "s/<bad//" "$1"\n'
                        'else sed -i "s/65536/131072/;s/<os>/<bad<os>/" "$1"; fi')
        terminal = self.terminal('edit', 'ed', env=env)
        terminal.expect(rb'Edit it again\? \[Y/n\] ')
        terminal.keys(b'\n')
        terminal.expect(rb"'ed' has the new definition")
        self.assertEqual(terminal.end(), 0)
        self.assertIn("'KiB'>131072<", self.good('xml', 'ed'))
        terminal = self.terminal('edit', 'ed', env=self.edit('echo x >"$1"'))
        terminal.expect(rb'Edit it again\? \[Y/n\] ')
        terminal.keys(b'n\n')
        terminal.expect(rb'your text is in')
        self.assertEqual(terminal.end() != 0, True)


if __name__ == '__main__':
    # In test-socle-vm.py.
    socle.main(theirs=['Words', 'Top', 'Edit'], nouns=['host'], words=['top', 'completion', '__complete'],
               elsewhere=['host domain-capabilities'])
