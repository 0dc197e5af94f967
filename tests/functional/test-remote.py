#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""From another host: socle and virsh reach socled by TLS with certificates, and by ssh.

Environment: as daemon.py has it; SOCLE and SOCLE_SSH_HELPER the programs. ssh is a stand-in, and where
sshd is installed the real one, with keys and a configuration of its own, on a port of the loopback.
"""
import getpass
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

import certificates
import daemon as tool
from daemon import KEYS
from ports import free_port
import waiting
from waiting import read_until, wait_for

SOCLE = os.environ['SOCLE']
HELPER = os.environ['SOCLE_SSH_HELPER']
NOBODY = 65534
SSHD = shutil.which('sshd', path=os.environ.get('PATH', '') + ':/usr/sbin')


class Case(tool.Case):
    def socle(self, uri, *words, env=None, **more):
        more.setdefault('stdin', subprocess.DEVNULL)
        return subprocess.run([SOCLE, '-c', uri, *words], capture_output=True, text=True, check=False,
                              timeout=2 * waiting.PATIENCE, env={**os.environ, 'HOME': self.dir, **(env or {})},
                              **more)

    def good(self, uri, *words, **more):
        result = self.socle(uri, *words, **more)
        self.assertEqual((result.returncode, result.stderr), (0, ''), (uri, words))
        return result.stdout

    def bad(self, uri, says, *words, status=4, **more):
        """One sentence, and the exit status of who has no connection."""
        result = self.socle(uri, *(words or ('list',)), **more)
        self.assertEqual((result.returncode, result.stdout), (status, ''), result.stderr)
        self.assertRegex(result.stderr, r'\Asocle: [^\n]+\n\Z')
        self.assertRegex(result.stderr, says)

    def life(self, uri, **more):
        """Calls, an event and a stream go that way."""
        self.assertIn("'far' runs", self.good(uri, 'run', '--detach', '-n', 'far', '-m', '16M', '--net', 'none',
                                              KEYS, **more))
        console = self.start(uri, 'console', 'far', **more)
        events = self.start(uri, 'events', '-n', '1', **more)
        # What it has said before is gone, as with a pty of any kind. The echo comes in pieces.
        text = bytes(48 + i % 10 for i in range(3000))
        console.stdin.write(text)
        console.stdin.flush()
        read_until(console.stdout.fileno(), text)
        # It listens when an event has come.
        wait_for(lambda: [self.good(uri, verb, 'far', **more) for verb in ('suspend', 'resume')] and
                 events.poll() is not None, 'an event')
        read_until(events.stdout.fileno(), b"lifecycle 'far'")
        self.good(uri, 'destroy', 'far', **more)
        self.assertEqual(console.wait(waiting.PATIENCE), 0)

    def start(self, uri, *words, env=None):
        process = subprocess.Popen([SOCLE, '-c', uri, *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                   env={**os.environ, 'HOME': self.dir, **(env or {})})
        self.addCleanup(process.communicate)
        self.addCleanup(process.kill)
        return process


@unittest.skipUnless(certificates.CERTTOOL, 'certtool is not installed')
class Tls(Case):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.mkdtemp(prefix='test-remote-')
        cls.addClassCleanup(shutil.rmtree, folder, ignore_errors=True)
        cls.made = made = certificates.Certificates(folder)
        cls.ca = made.make('ca', certificates.AUTHORITY.format('Test'))
        cls.other = made.make('other', certificates.AUTHORITY.format('Other'))
        cls.server = made.make('server', certificates.SERVER, cls.ca)
        client = certificates.CLIENT
        cls.admin = made.make('admin', client.format('admin one'), cls.ca)
        cls.guest = made.make('guest', client.format('guest'), cls.ca)
        cls.stranger = made.make('stranger', client.format('admin two'), cls.other)
        cls.old = made.make('old', client.format('admin three') +
                            'activation_date = "2001-01-01 00:00:00"\n'
                            'expiration_date = "2002-01-01 00:00:00"\n', cls.ca)
        cls.crl = made.take_back('crl', cls.server, cls.ca)

    def setUp(self):
        super().setUp()
        self.port = free_port()
        self.one = self.daemon('--listen-tls', f'127.0.0.1:{self.port}', '--tls-ca', self.ca + '.pem',
                               '--tls-cert', self.server + '.pem', '--tls-key', self.server + '.key',
                               '--tls-allowed-dn', 'CN=admin*,O=Example')

    def uri(self, who, scheme='qemu+tls', host='localhost', ca=None, crl=None):
        folder = self.made.client(ca or self.ca, who, crl)
        return f'{scheme}://{host}:{self.port}/system?pkipath={folder}'

    def test_good(self):
        for scheme in ('qemu+tls', 'socle+tls', 'qemu', 'socle'):
            self.assertEqual(self.good(self.uri(self.admin, scheme), 'list'), 'no machines\n')
        self.assertEqual(self.good(self.uri(self.admin, host='127.0.0.1'), 'list'), 'no machines\n')
        self.life(self.uri(self.admin, 'socle+tls'))
        self.virsh(self.uri(self.admin), 'list', '--all')
        self.virsh(self.uri(self.admin, 'socle+tls'), 'list', '--all')

    def test_refused(self):
        """The server does not like the client."""
        for who in (self.guest, self.stranger, self.old, None):
            self.bad(self.uri(who), "'localhost' does not accept our certificate: is clientcert.pem there")
        self.good(self.uri(self.admin), 'list')

    def test_not_trusted(self):
        """The client does not like the server."""
        self.bad(self.uri(self.admin, ca=self.other), "certificate of 'localhost' is not accepted: .*issuer")
        self.bad(self.uri(self.admin, host='127.0.0.2'), 'cannot connect to port')
        self.bad(self.uri(self.admin, crl=self.crl), "certificate of 'localhost' is not accepted: .*revoked")
        os.unlink(os.path.join(self.made.client(self.ca, self.admin), 'cacrl.pem'))
        name = socket.gethostname()
        if self.reaches_loopback(name):
            self.bad(self.uri(self.admin, host=name), f"certificate of '{name}' is not accepted: .*name")
            self.good(self.uri(self.admin, host=name) + '&no_verify=1', 'list')
        self.bad(f'qemu+tls://localhost:{self.port}/system?pkipath=/nowhere',
                 r"authority's certificate '/nowhere/cacert.pem' .*\?pkipath=")
        with open(os.path.join(self.dir, 'cacert.pem'), 'w', encoding='ascii') as file:
            file.write('nothing\n')
        self.bad(f'qemu+tls://localhost:{self.port}/system?pkipath={self.dir}', 'cacert.pem. has no certificate')

    def reaches_loopback(self, name):
        try:
            return socket.gethostbyname(name).startswith('127.0.0.1')
        except OSError:
            return False

    def test_home(self):
        """What is in the user's folder goes before what is in the host's, file by file."""
        own = os.path.join(self.dir, '.pki', 'libvirt')
        os.makedirs(os.path.dirname(own))
        shutil.copytree(self.made.client(self.ca, self.admin), own)
        words = [SOCLE, '-c', f'qemu+tls://localhost:{self.port}/system', 'list']
        if os.geteuid() == 0:
            # Root has no such folder.
            words = ['setpriv', f'--reuid={NOBODY}', f'--regid={NOBODY}', '--clear-groups', *words]
            subprocess.run(['chown', '-R', f'{NOBODY}:{NOBODY}', self.dir], check=True)
        env = {**os.environ, 'HOME': self.dir}
        result = subprocess.run(words, capture_output=True, text=True, check=False, timeout=waiting.PATIENCE, env=env)
        if 'Permission denied' in result.stderr and SOCLE in result.stderr:
            self.skipTest('the programs are in a folder that is closed to others')
        self.assertEqual((result.returncode, result.stdout), (0, 'no machines\n'), result.stderr)
        # What is missing there is looked for in the folder of the host.
        os.unlink(os.path.join(own, 'cacert.pem'))
        result = subprocess.run(words, capture_output=True, text=True, check=False, timeout=waiting.PATIENCE, env=env)
        self.assertEqual((result.returncode, result.stdout), (4, ''), result.stderr)
        self.assertIn('/etc/pki/CA/cacert.pem', result.stderr)

    def test_no_tls(self):
        """A server that says something else, nothing, or hangs up."""
        plain = free_port()
        self.dir, keep = os.path.join(self.dir, 'plain'), self.dir
        os.mkdir(self.dir)
        self.daemon('--listen-tcp', f'127.0.0.1:{plain}')
        self.dir = keep
        self.port = plain
        self.bad(self.uri(self.admin), "cannot agree on TLS with 'localhost': ")
        self.assertEqual(self.good(f'qemu+tcp://127.0.0.1:{plain}/system', 'list'), 'no machines\n')
        with socket.create_server(('127.0.0.1', 0)) as silent:
            self.port = silent.getsockname()[1]
            start = time.monotonic()
            self.bad(self.uri(self.admin, host='127.0.0.1'), 'does not answer in time', '-t', '0.3', 'list')
            self.bad(f'qemu+tcp://127.0.0.1:{self.port}/system', 'does not answer in time', '-t', '0.3', 'list')
            self.assertLess(time.monotonic() - start, 30)


class Ssh(Case):
    """A stand-in for ssh: the other host is this one, with programs of its own."""

    def setUp(self):
        super().setUp()
        self.one = self.daemon()
        self.bin = os.path.join(self.dir, 'bin')
        self.far = os.path.join(self.dir, 'far')
        os.mkdir(self.bin)
        os.mkdir(self.far)
        # The other host has a shell's tools.
        for name in ('sh', 'grep', 'which'):
            os.symlink(shutil.which(name), os.path.join(self.far, name))
        self.script(self.bin, 'ssh', f'printf "%s\\n" "$@" >{self.dir}/words\n'
                    f'for last; do :; done\nPATH={self.far} exec /bin/sh -c "$last"\n')
        self.env = {'PATH': self.bin + ':' + os.environ['PATH']}

    def script(self, folder, name, text):
        path = os.path.join(folder, name)
        with open(path, 'w', encoding='ascii') as file:
            file.write('#!/bin/sh\n' + text)
        os.chmod(path, 0o755)

    def helper(self, name):
        """On the other host; its daemon is ours, wherever its socket is."""
        self.script(self.far, name, f'echo {name} "$@" >>{self.dir}/helpers\nfor last; do :; done\n'
                    f'exec {HELPER} "$last?socket={self.one.socket}"\n')

    def helpers(self):
        with open(os.path.join(self.dir, 'helpers'), encoding='ascii') as file:
            return file.read().splitlines()

    def test_helpers(self):
        self.helper('socle-ssh-helper')
        for scheme in ('qemu', 'socle'):
            self.assertEqual(self.good(f'{scheme}+ssh://root@there:2222/system', 'list', env=self.env),
                             'no machines\n')
        with open(os.path.join(self.dir, 'words'), encoding='ascii') as file:
            self.assertEqual(file.read().split('\n')[:9],
                             ['-p', '2222', '-l', 'root', '-T', '-e', 'none', '--', 'there'])
        self.helper('virt-ssh-helper')
        self.good('qemu+ssh://there/system', 'list', env=self.env)
        self.good('socle+ssh://there/system', '-r', 'list', env=self.env)
        self.virsh('qemu+ssh://there/system', 'list', env=self.env)
        self.assertEqual(self.helpers(), [
            'socle-ssh-helper qemu:///system', 'socle-ssh-helper socle:///system',
            'virt-ssh-helper qemu:///system', 'socle-ssh-helper -r socle:///system',
            'virt-ssh-helper qemu:///system'])
        self.life('socle+ssh://there/system', env=self.env)

    def test_nothing_there(self):
        self.bad('socle+ssh://there/system', 'no socle-ssh-helper, virt-ssh-helper or netcat on that host',
                 env=self.env)
        self.bad('socle+ssh://there/system?proxy=native', 'which .proxy=native wants', env=self.env)
        self.bad('qemu+ssh://there/session', 'a session is reached by socle-ssh-helper', env=self.env)
        self.bad('qemu+ssh://there/system?proxy=some', "'proxy' of the URI cannot be 'some'", env=self.env)
        self.script(self.bin, 'ssh', 'echo "ssh: no route to there" >&2\nexit 255\n')
        self.bad('qemu+ssh://there/system', 'ssh: no route to there', env=self.env)
        self.bad('qemu+ssh://there/system?command=/nowhere/ssh', "cannot run '/nowhere/ssh'", env=self.env)
        os.unlink(os.path.join(self.bin, 'ssh'))
        self.bad('qemu+ssh://there/system', "cannot run 'ssh'", env={'PATH': self.bin})

    def held(self, pid):
        """Bytes of files that a process has open, the largest of them."""
        most = 0
        try:
            for fd in os.listdir(f'/proc/{pid}/fd'):
                most = max(most, os.stat(f'/proc/{pid}/fd/{fd}').st_blocks * 512)
        except OSError:
            pass
        return most

    def test_chatter(self):
        """What the far side says beside the protocol does not pile up here."""
        self.helper('socle-ssh-helper')
        self.script(self.bin, 'ssh', 'head -c 300000000 /dev/zero >&2\necho more >&2\nfor last; do :; done\n'
                    f'PATH={self.far} exec /bin/sh -c "$last"\n')
        with subprocess.Popen([SOCLE, '-c', 'socle+ssh://there/system', 'events', '--for', '2'],
                              env={**os.environ, **self.env}) as process:
            most = 0
            while process.poll() is None:
                most = max(most, self.held(process.pid))
                time.sleep(0.05)
            self.assertEqual(process.returncode, 0)
            self.assertLess(most, 1 << 20)

    def test_daemon_has_gone(self):
        self.helper('socle-ssh-helper')
        self.one.end()
        self.bad('socle+ssh://there/system', 'socle-ssh-helper: cannot reach the daemon', env=self.env)

    def test_silent(self):
        """Nobody waits longer than he wants to; without a wish a password may be asked for."""
        self.script(self.bin, 'ssh', 'exec sleep 1000\n')
        start = time.monotonic()
        self.bad('qemu+ssh://there/system', 'does not answer in time', '-t', '0.3', 'list', env=self.env)
        done = self.socle('qemu+ssh://there/system', '__complete', '--', '-c', 'qemu+ssh://there/system',
                          'start', '', env=self.env)
        self.assertEqual((done.returncode, done.stdout), (0, ''))
        self.assertLess(time.monotonic() - start, 30)

    @unittest.skipUnless(shutil.which('nc'), 'nc is not installed')
    def test_netcat(self):
        os.symlink(shutil.which('nc'), os.path.join(self.far, 'nc'))
        uri = f'qemu+ssh://there/system?socket={self.one.socket}'
        self.assertEqual(self.good(uri, 'list', env=self.env), 'no machines\n')
        self.virsh(uri, 'list', env=self.env)

    def test_completion_asks_nobody(self):
        self.helper('socle-ssh-helper')
        self.define(self.one.uri(), 'one')
        done = self.socle('x', '__complete', '--', '-c', 'socle+ssh://there/system', 'start', '', env=self.env)
        self.assertEqual(done.stdout, 'one\n')
        with open(os.path.join(self.dir, 'words'), encoding='ascii') as file:
            self.assertIn('BatchMode=yes', file.read())


@unittest.skipUnless(SSHD and shutil.which('ssh-keygen'), 'sshd is not installed')
class Sshd(Case):
    """The real one."""

    def setUp(self):
        super().setUp()
        self.port = free_port()
        self.bin = os.path.join(self.dir, 'bin')
        self.far = os.path.join(self.dir, 'far')
        os.mkdir(self.bin)
        os.mkdir(self.far)
        for name in ('host', 'user', 'else'):
            subprocess.run(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-f', self.path(name)], check=True,
                           stdin=subprocess.DEVNULL)
        # The folder that it wants when it is started as root.
        if os.geteuid() == 0:
            os.makedirs('/run/sshd', 0o755, exist_ok=True)
        self.write('sshd_config', f'''Port {self.port}
ListenAddress 127.0.0.1
HostKey {self.path('host')}
AuthorizedKeysFile {self.path('user.pub')}
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
SetEnv PATH={self.far}:/usr/bin:/bin
''')
        with open(self.path('host.pub'), encoding='ascii') as file:
            self.write('known_hosts', f'[127.0.0.1]:{self.port} {file.read()}')
        self.write('ssh_config', f"UserKnownHostsFile {self.path('known_hosts')}\n"
                   'GlobalKnownHostsFile /dev/null\nIdentitiesOnly yes\nIdentityAgent none\n')
        self.write('bin/ssh', f'#!/bin/sh\nexec {shutil.which("ssh")} -F {self.path("ssh_config")} "$@"\n')
        os.chmod(self.path('bin/ssh'), 0o755)
        self.env = {'PATH': self.bin + ':' + os.environ['PATH']}
        with open(self.path('sshd.log'), 'w', encoding='utf-8') as log:
            process = subprocess.Popen([SSHD, '-D', '-e', '-f', self.path('sshd_config')], stderr=log,
                                       stdin=subprocess.DEVNULL)
        self.addCleanup(self.end, process)
        wait_for(lambda: self.listens(process), 'sshd listens')
        self.one = self.daemon()
        for name in ('socle-ssh-helper', 'virt-ssh-helper'):
            self.write('far/' + name, '#!/bin/sh\nfor last; do :; done\n'
                       f'exec {HELPER} "$last?socket={self.one.socket}"\n')
            os.chmod(self.path('far/' + name), 0o755)

    def end(self, process):
        process.send_signal(signal.SIGTERM)
        process.wait(waiting.PATIENCE)

    def path(self, name):
        return os.path.join(self.dir, name)

    def listens(self, process):
        if process.poll() is not None:
            with open(self.path('sshd.log'), encoding='utf-8') as log:
                raise AssertionError(log.read())
        try:
            socket.create_connection(('127.0.0.1', self.port), 1).close()
            return True
        except OSError:
            return False

    def uri(self, scheme='socle+ssh', key='user', more=''):
        return (f'{scheme}://{getpass.getuser()}@127.0.0.1:{self.port}/system?no_tty=1'
                f'&keyfile={self.path(key)}{more}')

    def test_life(self):
        for scheme in ('qemu+ssh', 'socle+ssh'):
            self.assertEqual(self.good(self.uri(scheme), 'list', env=self.env), 'no machines\n')
            self.virsh(self.uri(scheme), 'list', '--all', env=self.env)
        self.life(self.uri(), env=self.env)

    def test_refused(self):
        self.bad(self.uri(key='else'), 'Permission denied', env=self.env)
        self.write('known_hosts', '')
        self.bad(self.uri(), 'Host key verification failed', env=self.env)
        # The first one is believed from now on.
        result = self.socle(self.uri(more='&known_hosts_verify=auto'), 'list', env=self.env)
        self.assertEqual((result.returncode, result.stdout), (0, 'no machines\n'), result.stderr)
        self.good(self.uri(), 'list', env=self.env)
        self.port = free_port()
        self.bad(self.uri(), 'Connection refused', env=self.env)


if __name__ == '__main__':
    if not tool.VIRSH:
        print('1..0 # SKIP virsh is not installed')
        sys.exit(77)
    unittest.main(verbosity=2)
