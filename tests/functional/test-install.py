#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""virt-install, unmodified, installs machines: from a tree, a CD, by HTTP; each reaches its login prompt.

usage: test-install.py [CLASS...]. What is installed is the small Linux of tools/guest-installer.
Environment: that of daemon.py. Ends with 77 where a client is not installed.
"""
import atexit
import functools
import http.server
import json
import os
import pty
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest

import net
from net import run
import daemon as tool
import waiting
from waiting import read_until, wait_for

TOOLS = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..', 'tools')
LIBVIRT = '/var/lib/libvirt'
# Two boots of a Linux on the software engine, on a busy machine.
waiting.PATIENCE = float(os.environ.get('SOCLE_PATIENCE', '240'))
medium = None


def make_medium():
    """The installer as tree/ and install.iso, or the end of the test."""
    folder = tempfile.mkdtemp(prefix='test-install-')
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    result = subprocess.run([os.path.join(TOOLS, 'guest-installer'), folder], stdin=subprocess.DEVNULL,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
    if result.returncode:
        print(result.stderr)
        sys.exit(77)
    os.chmod(folder, 0o755)
    return folder


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format, *args):  # pylint: disable=redefined-builtin
        pass


def serve(case):
    """The tree by HTTP; its URL."""
    handler = functools.partial(Quiet, directory=os.path.join(medium, 'tree'))
    server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    case.addCleanup(server.server_close)
    case.addCleanup(server.shutdown)
    return f'http://127.0.0.1:{server.server_port}/'


class Case(net.Case):
    """A system's daemon with the network 'default', and a pool of that name."""

    def setUp(self):
        super().setUp()
        for name in ('images', 'boot'):
            os.makedirs(os.path.join(LIBVIRT, name), exist_ok=True)
        self.addCleanup(self.empty)

    @staticmethod
    def empty():
        for name in os.listdir(LIBVIRT):
            shutil.rmtree(os.path.join(LIBVIRT, name))

    prefix = ()

    def virt_install(self, *words, status=0, patience=0):
        result = subprocess.run([*self.prefix, 'virt-install', '--connect', self.uri, *words], stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
                                timeout=max(patience, 2 * waiting.PATIENCE), env={**os.environ, 'HOME': self.dir, 'LC_ALL': 'C.UTF-8'})
        self.assertEqual(result.returncode, status, result.stdout + self.one.said())
        return result.stdout

    def path(self, name):
        return os.path.join(self.dir, name)

    def reaches_prompt(self, name, host, lease=True):
        """Its login prompt; an address of the network's, by which it answers. What its installer wrote down."""
        master, slave = pty.openpty()
        console = subprocess.Popen(['virsh', '-c', self.uri, 'console', name, '--force'], stdin=slave, stdout=slave,
                                   stderr=slave, start_new_session=True)
        os.close(slave)
        try:
            # What was said before is lost; a return key has it said again.
            wait_for(lambda: os.write(master, b'\n') and self.reads(master, f'{host} login:'),
                     f'the prompt of {name}')
            os.write(master, b'root\n')
            read_until(master, b'# ')
            os.write(master, b'cat /var/log/installed; echo the-$((6 * 7))-end\n')
            said = read_until(master, b'the-42-end').decode('latin1')
        finally:
            console.kill()
            console.wait()
            os.close(master)
        if lease:
            found = wait_for(lambda: re.search(rf'ipv4 +([0-9.]+)/24 +{host} ',
                                               self.net('net-dhcp-leases', 'default')), 'a lease')
            run('busybox', 'ping', '-c', '1', '-W', '5', found[1])
        return said

    @staticmethod
    def reads(fd, text):
        """Is that said within a second, or so?"""
        data = b''
        while select.select([fd], [], [], 1)[0]:
            try:
                data += os.read(fd, 4096)
            except OSError:
                raise AssertionError(f'the console has ended after {data!r}') from None
            if text.encode() in data:
                return True
        return False


class Location(Case):
    """Trees: in a folder, and by HTTP."""

    def answers(self):
        with open(self.path('ks.cfg'), 'w', encoding='ascii') as file:
            file.write('network --hostname=told\n')
        return '--initrd-inject', self.path('ks.cfg')

    def test_tree(self):
        """A local tree, with an answer file and words for the kernel; it is waited for."""
        said = self.virt_install(
            '--name', 'tree', '--memory', '512', '--disk', 'size=1', '--network', 'network=default',
            '--location', os.path.join(medium, 'tree'), *self.answers(), '--extra-args',
            'console=ttyS0 quiet words=mine', '--graphics', 'none', '--os-variant', 'fedora36',
            '--noautoconsole', '--wait')
        self.assertIn('Domain creation completed', said)
        self.assertRegex(self.reaches_prompt('tree', 'told'), r'(?s)told by /ks.cfg.*words=mine')
        self.assertNotIn('<kernel>', self.net('dumpxml', 'tree'))
        # Nothing of the installer is left.
        self.assertEqual(os.listdir(os.path.join(LIBVIRT, 'boot')), [])
        self.assertEqual(os.listdir(os.path.join(LIBVIRT, 'images')), ['tree.qcow2'])

    def test_iso(self):
        """A CD that is not booted: the client takes kernel and initrd out of it, the installer finds the rest on it."""
        iso = os.path.join(LIBVIRT, 'images', 'small.iso')
        shutil.copy(os.path.join(medium, 'install.iso'), iso)
        said = self.virt_install(
            '--name', 'disc', '--memory', '512', '--disk', 'size=1', '--network', 'network=default', '--location', iso,
            *self.answers(), '--extra-args', 'console=ttyS0 quiet words=mine', '--graphics', 'none', '--os-variant',
            'fedora36', '--noautoconsole', '--wait')
        self.assertIn('Domain creation completed', said)
        self.assertRegex(self.reaches_prompt('disc', 'told'), r'(?s)told by /ks.cfg.*words=mine')
        xml = self.net('dumpxml', 'disc')
        self.assertNotIn('<kernel>', xml)
        self.assertNotIn(iso, xml)
        self.assertEqual(os.listdir(os.path.join(LIBVIRT, 'boot')), [])

    def test_upload(self):
        """The client does not write where machines read: kernel and initrd become volumes."""
        self.prefix = ('unshare', '-m', 'sh', '-ec', f'mount -t tmpfs none {LIBVIRT}; exec "$@"', 'sh')
        said = self.virt_install(
            '--name', 'sent', '--memory', '512', '--disk', 'size=1,format=raw', '--network', 'default',
            '--location', serve(self), '--extra-args', 'console=ttyS0 quiet', '--graphics', 'none',
            '--os-variant', 'fedora36', '--noautoconsole', '--wait', '5')
        self.assertRegex(said, "Transferring 'virtinst-.*vmlinuz'")
        self.reaches_prompt('sent', 'small')
        self.assertEqual(self.net('vol-list', 'boot-scratch').split('\n')[2:], ['', ''])

    def test_report(self):
        """The report's own line, of 2011."""
        self.net('net-start', 'default')
        said = self.virt_install(
            '--ram=512', '--vcpus=2', '--vnc', '--network=bridge:virbr0', '--keymap=fr-ch', '--os-type=linux',
            '--os-variant=fedora14', '--name=test2', f'--file={LIBVIRT}/images/test2.img', '--file-size=8',
            f'--location={serve(self)}', '--noautoconsole', '--wait', '-1',
            '--extra-args=console=ttyS0 quiet')
        self.assertIn('Domain creation completed', said)
        self.reaches_prompt('test2', 'small')
        xml = self.net('dumpxml', 'test2')
        self.assertIn("<source bridge='virbr0'/>", xml)
        self.assertRegex(xml, "<graphics type='vnc' .*keymap='fr-ch'")

    def test_console(self):
        """In a terminal: its console is attached while it is installed, and again when it has restarted."""
        pid, fd = pty.fork()
        if not pid:
            os.environ.update(HOME=self.dir, LC_ALL='C.UTF-8')
            os.execvp('virt-install', [
                'virt-install', '--connect', self.uri, '--name', 'seen', '--memory', '512', '--disk', 'size=1',
                '--network', 'default', '--location', os.path.join(medium, 'tree'), '--extra-args',
                'console=ttyS0 quiet', '--graphics', 'none', '--os-variant', 'fedora36'])
        self.addCleanup(os.close, fd)
        read_until(fd, b'INSTALLED')
        read_until(fd, b'small login: ')
        os.write(fd, b'root\n')
        read_until(fd, b'# ')
        os.write(fd, b'cat /var/log/installed\n')
        read_until(fd, b'console=ttyS0 quiet')
        os.write(fd, b'poweroff\n')
        read_until(fd, b'Power down')
        self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), 0)


class Cdrom(Case):
    """A CD that boots by itself: first it, then the disk."""

    def test_cd(self):
        iso = os.path.join(LIBVIRT, 'images', 'small.iso')
        shutil.copy(os.path.join(medium, 'install.iso'), iso)
        said = self.virt_install(
            '--name', 'disc', '--memory', '512', '--disk', 'size=1', '--network', 'network=default', '--cdrom', iso,
            '--os-variant', 'debian11', '--graphics', 'none', '--noautoconsole', '--wait')
        self.assertIn('Domain creation completed', said)
        self.assertIn('BOOT_IMAGE=vmlinuz', self.reaches_prompt('disc', 'small'))
        xml = self.net('dumpxml', 'disc')
        self.assertRegex(xml, r"(?s)<boot dev='hd'/>")
        self.assertNotIn(iso, xml)

    def test_import(self):
        """The disk of one machine becomes another one; the report's other line."""
        iso = os.path.join(LIBVIRT, 'images', 'small.iso')
        shutil.copy(os.path.join(medium, 'install.iso'), iso)
        self.virt_install(
            '--name', 'first', '--memory', '512', '--disk', 'size=1', '--network', 'none', '--cdrom', iso,
            '--os-variant', 'debian11', '--graphics', 'none', '--noautoconsole', '--wait',
            '--noreboot')
        self.assertRegex(self.net('list', '--all'), 'first +shut off')
        self.virt_install('--import', '--disk', f'path={LIBVIRT}/images/first.qcow2', '--os-variant', 'debian11',
                          '--ram', '512', '--name', 'second', '--noautoconsole', '--check', 'all=off')
        self.reaches_prompt('second', 'small')


class Session(Case):
    """A user without privileges: his own pool, and a network that is his own."""

    def daemon(self, *words, **more):
        # Not that of net.Case, which is a system's.
        return tool.Case.daemon(self, '--session', *(f'--{name}={self.path(name)}' for name in ('run', 'log-dir')),
                                *words, **more)

    def setUp(self):
        super().setUp()
        self.uri = f'qemu:///session?socket={self.one.socket}'

    def test_tree(self):
        self.virt_install('--name', 'mine', '--memory', '512', '--disk', 'size=1', '--location',
                          os.path.join(medium, 'tree'), '--extra-args', 'console=ttyS0 quiet', '--graphics', 'none',
                          '--os-variant', 'fedora36', '--noautoconsole', '--wait')
        self.reaches_prompt('mine', 'small', lease=False)
        self.assertIn("<interface type='user'>", self.net('dumpxml', 'mine'))
        self.assertIn(f'{self.dir}/.local/share/libvirt/images/mine.qcow2', self.net('dumpxml', 'mine'))


class Socle(Case):
    """The same by socle install."""

    def setUp(self):
        super().setUp()
        self.images = os.path.join(LIBVIRT, 'images')

    def start(self, *words):
        return subprocess.Popen([os.environ['SOCLE'], '-c', self.uri, 'install', *words], stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def install(self, *words, status=0):
        process = self.start(*words)
        out, err = process.communicate(timeout=2 * waiting.PATIENCE)
        self.assertEqual(process.returncode, status, (words, err, self.one.said()))
        return err if status else out

    def answers(self, name, text):
        with open(self.path(name), 'w', encoding='ascii') as file:
            file.write(text)
        return self.path(name)

    def test_tree(self):
        answers = self.answers('mine.ks', 'lang fr_CH\nnetwork --hostname=told\n')
        out = self.install('tree', '--location', os.path.join(medium, 'tree'), '--unattended', answers, '--memory', '512M',
                           '--disk', 'size=1', '--append', 'console=ttyS0 quiet words=mine', '-o', 'json')
        self.assertEqual([(one['machine'], one['action'], one['ok']) for one in json.loads(out)],
                         [('tree', 'install', True)])
        self.assertRegex(self.reaches_prompt('tree', 'told'),
                         r'(?s)told by /ks.cfg.*words=mine inst.ks=file:/ks.cfg ks=file:/ks.cfg')
        self.assertEqual(os.listdir(self.images), ['tree.qcow2'])
        xml = self.net('dumpxml', 'tree')
        self.assertNotIn('<kernel>', xml)
        self.assertIn('<on_reboot>restart</on_reboot>', xml)

    def test_url(self):
        url = serve(self)
        self.assertEqual(self.install('sent', '--location', url, '--memory', '512M', '--disk', 'size=1', '--inject',
                                      self.answers('preseed.cfg', 'd-i netcfg/get_hostname string by-url\n'),
                                      '--no-start'), "'sent' is installed\n")
        self.assertEqual(self.net('domstate', 'sent'), 'shut off\n\n')
        self.net('start', 'sent')
        self.assertIn(f'inst.repo={url}', self.reaches_prompt('sent', 'by-url'))
        said = self.install('not', '--location', url + 'not', status=3)
        self.assertIn('there is no installer that is known', said)

    def test_cd(self):
        """A file is sent, a volume is used."""
        iso = os.path.join(medium, 'install.iso')
        self.install('disc', '--cdrom', iso, '--memory', '512M', '--disk', 'size=1', '--network', 'none')
        self.reaches_prompt('disc', 'small', lease=False)
        self.assertEqual(os.listdir(self.images), ['disc.qcow2'])
        self.assertNotIn('cdrom', self.net('dumpxml', 'disc'))
        shutil.copy(iso, self.images)
        self.net('pool-refresh', 'default')
        self.install('again', '--cdrom', 'default/install.iso', '--memory', '512M', '--disk', 'size=1', '--network', 'none',
                     '--no-start')
        self.assertEqual(sorted(os.listdir(self.images)), ['again.qcow2', 'disc.qcow2', 'install.iso'])
        # Its kernel is told words, which a CD that is booted is not.
        self.install('told', '--location', iso, '--memory', '512M', '--disk', 'size=1', '--network', 'none', '--no-start',
                     '--unattended', self.answers('cd.ks', 'lang fr_CH\nnetwork --hostname=by-cd\n'))
        self.net('start', 'told')
        self.reaches_prompt('told', 'by-cd', lease=False)
        self.assertNotIn('cdrom', self.net('dumpxml', 'told'))

    def test_fails(self):
        """What ends without a system on its disk, and what is interrupted, leaves nothing."""
        kernel = os.path.join(medium, 'tree/images/pxeboot/vmlinuz')
        said = self.install('none', '--kernel', kernel, '--append', 'console=ttyS0 panic=-1 root=/dev/none',
                            '--network', 'none', status=1)
        self.assertIn('without having written to its disk', said)
        self.assertEqual(os.listdir(self.images), [])
        process = self.start('stop', '--location', os.path.join(medium, 'tree'), '--disk', 'size=1', '--memory', '512M')
        wait_for(lambda: 'running' in self.net('list'), 'the installer')
        process.send_signal(signal.SIGINT)
        err = process.communicate(timeout=waiting.PATIENCE)[1]
        self.assertEqual((process.returncode, err), (130, "socle: 'stop' was interrupted, and what had been made of "
                                                          'it is gone\n'))
        self.assertEqual(os.listdir(self.images), [])
        self.assertNotIn('stop', self.net('list', '--all'))
        process = self.start('killed', '--location', os.path.join(medium, 'tree'), '--disk', 'size=1', '--memory', '512M')
        wait_for(lambda: 'running' in self.net('list'), 'the installer')
        self.net('destroy', 'killed')
        err = process.communicate(timeout=waiting.PATIENCE)[1]
        self.assertEqual((process.returncode, err), (1, "socle: the installer of 'killed' has ended: destroyed\n"))
        self.assertEqual(os.listdir(self.images), [])

    def test_restart(self):
        """The daemon may start anew meanwhile."""
        process = self.start('stays', '--location', os.path.join(medium, 'tree'), '--disk', 'size=1', '--memory', '512M')
        wait_for(lambda: 'running' in self.net('list'), 'the installer')
        self.again()
        out, err = process.communicate(timeout=waiting.PATIENCE)
        self.assertEqual((process.returncode, out, err), (0, "'stays' is installed and started\n", ''))
        self.reaches_prompt('stays', 'small')


NETBOOT = '/usr/lib/debian-installer/images/12/amd64/text/debian-installer/amd64'


def fetch_driver():
    """virtio_blk.ko of the kernel of Debian's installer, before there is no network any more."""
    if 'SOCLE_LONG' not in os.environ or 'SOCLE_DRIVER' in os.environ or not os.path.exists(NETBOOT):
        return
    folder = tempfile.mkdtemp(prefix='test-install-')
    listed = subprocess.run(f'zcat {NETBOOT}/initrd.gz | cpio -t --quiet 2>/dev/null', shell=True, check=False,
                            capture_output=True, text=True).stdout
    kernel = re.search(r'lib/modules/([^/\n]+)', listed)[1]
    subprocess.run(['apt-get', 'download', '-qq', '-o', 'APT::Sandbox::User=root', f'linux-image-{kernel}'],
                   cwd=folder, check=True)
    subprocess.run('dpkg-deb --fsys-tarfile *.deb | tar -x --strip-components=7 --wildcards '
                   '"./lib/modules/*/virtio_blk.ko"; rm *.deb', shell=True, cwd=folder, check=True)
    os.environ['SOCLE_DRIVER'] = folder


class Debian(Case):
    """Debian's own installer, of the package that holds its netboot tree, with a preseed file.

    It takes minutes, so only SOCLE_LONG=1 runs it. Its kernel, its initrd, its network and its preseeding are
    what is installed with; the files are an image that early_command fetches, since not every mirror has the
    installer's own packages. The tree has no driver for the disk, so that is injected, too.
    """

    def setUp(self):
        if not os.environ.get('SOCLE_LONG'):
            self.skipTest('takes minutes; SOCLE_LONG=1 runs it')
        if not os.path.exists(NETBOOT):
            self.skipTest('needs the package debian-installer-12-netboot-amd64')
        super().setUp()
        self.addCleanup(shutil.rmtree, os.environ['SOCLE_DRIVER'])

    def file(self, name, text):
        with open(self.path(name), 'w', encoding='ascii') as file:
            file.write(text)
        return self.path(name)

    def disk(self):
        """The disk of tools/guest-image without what nobody has written to; to unpack it would take longer."""
        image = subprocess.run([os.path.join(TOOLS, 'guest-image'), 'debian'], check=True, capture_output=True,
                               text=True).stdout.strip()
        root, disk = self.path('root.img'), self.path('disk.img')
        subprocess.run(['dd', f'if={image}/disk.img', f'of={root}', 'bs=1M', 'skip=1', 'conv=sparse'], check=True,
                       capture_output=True)
        subprocess.run(['e2fsck', '-fy', root], check=False, capture_output=True)
        subprocess.run(['resize2fs', '-M', root], check=True, capture_output=True)
        with open(disk, 'wb') as file:
            for path, size in ((f'{image}/disk.img', 1 << 20), (root, os.path.getsize(root))):
                with open(path, 'rb') as source:
                    while size > 0:
                        size -= file.write(source.read(min(size, 1 << 20)))
        os.unlink(root)

    def test_netboot(self):
        driver = os.path.join(os.environ['SOCLE_DRIVER'], 'virtio_blk.ko')
        self.disk()
        served = http.server.ThreadingHTTPServer(('', 0), functools.partial(Quiet, directory=self.dir))
        threading.Thread(target=served.serve_forever, daemon=True).start()
        self.addCleanup(served.server_close)
        self.addCleanup(served.shutdown)
        url = f'http://192.168.122.1:{served.server_port}'
        tree = self.path('installer-amd64')
        os.makedirs(f'{tree}/current/images/netboot/debian-installer/amd64')
        for name in ('linux', 'initrd.gz'):
            shutil.copy(f'{NETBOOT}/{name}', f'{tree}/current/images/netboot/debian-installer/amd64')
        with open(f'{tree}/current/images/MANIFEST', 'w', encoding='ascii') as file:
            file.write('netboot/debian-installer/amd64/linux -- kernel image for netboot Debian\n')
        preseed = self.file('preseed.cfg', 'd-i debian-installer/locale string en_US.UTF-8\n'
                            'd-i netcfg/get_hostname string by-debian\nd-i netcfg/get_domain string lab.test\n')
        self.file('late.cfg', 'd-i preseed/early_command string insmod /virtio_blk.ko; sleep 1; '
                  f'wget -q -O /dev/vda {url}/disk.img; sync; reboot -f\n')
        begin = time.monotonic()
        self.virt_install(
            '--name', 'debian', '--memory', '1024', '--disk', 'size=4', '--network', 'network=default', '--location',
            f'{tree}/', '--initrd-inject', preseed, '--initrd-inject', driver, '--extra-args',
            f'auto=true priority=critical url={url}/late.cfg console=ttyS0', '--graphics', 'none', '--os-variant',
            'debian11', '--noautoconsole', '--wait', '20', patience=1300)
        installed = time.monotonic()
        self.reaches_prompt('debian', 'debian')
        print(f'installed after {installed - begin:.0f} s, prompt after {time.monotonic() - begin:.0f} s')


if __name__ == '__main__':
    fetch_driver()
    net.enter(LIBVIRT, ('virt-install', 'xorriso'))
    medium = make_medium()
    unittest.main(argv=sys.argv)
