#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What people run against libvirt, unmodified, against socled with real machines.

Test classes run one at a time: test-clients.py CLASS. Ends with 77 where a client is not installed.
Environment: that of vm.py; SOCLED the daemon.
"""
import contextlib
import json
import os
import pty
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest

from ports import free_port
import vm
import vnc
import waiting
from waiting import read_until, wait_for

try:
    import libvirt
except ImportError:
    print('skipped: /usr/bin/python3 has no libvirt; install python3-libvirt')
    sys.exit(77)

SOCLED = os.environ['SOCLED']
ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..')
libvirt.registerErrorHandler(lambda *_: None, None)

DEFINITION = """<domain type='qemu'><name>{name}</name><memory unit='MiB'>{memory}</memory>
<vcpu>1</vcpu><os><type arch='x86_64'>hvm</type><kernel>{kernel}</kernel>{boot}</os>
<features><acpi/></features><devices>{devices}</devices></domain>"""


def definition(name, memory=16, kernel=vm.KEYS, boot='', devices="<console type='pty'/>"):
    return DEFINITION.format(name=name, memory=memory, kernel=kernel, boot=boot, devices=devices)


class Case(unittest.TestCase):
    """A daemon of our own in a folder of our own."""

    prefix = ()

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix='socle-clients.')
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        os.chmod(self.folder, 0o755)
        self.daemon = None
        self.start()
        self.addCleanup(self.stop)

    def start(self):
        log = open(self.path('log'), 'ab')
        self.daemon = subprocess.Popen(
            [*self.prefix, SOCLED, '--vm', vm.VM, '--listen', self.path('sock'),
             '--state', self.path('state')],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        log.close()
        self.uri = f'qemu:///system?socket={self.path("sock")}'
        self.conn = wait_for(self.connect, 'a connection to socled')

    def connect(self):
        if self.daemon.poll() is not None:
            with open(self.path('log'), encoding='utf-8') as log:
                raise AssertionError(f'socled ended: {log.read()}')
        with contextlib.suppress(libvirt.libvirtError):
            return libvirt.open(self.uri)
        return None

    def stop(self):
        with contextlib.suppress(libvirt.libvirtError):
            for net in self.conn.listAllNetworks(libvirt.VIR_CONNECT_LIST_NETWORKS_ACTIVE):
                net.destroy()
        with contextlib.suppress(libvirt.libvirtError):
            for dom in self.conn.listAllDomains(libvirt.VIR_CONNECT_LIST_DOMAINS_ACTIVE):
                dom.destroy()
            self.conn.close()
        self.daemon.terminate()
        self.daemon.wait(waiting.PATIENCE)

    @contextlib.contextmanager
    def console(self, dom):
        stream = self.conn.newStream()
        dom.openConsole(None, stream)
        try:
            yield stream
        finally:
            # Who gives a stream up is told so by an error.
            with contextlib.suppress(libvirt.libvirtError):
                stream.abort()

    def path(self, name):
        return os.path.join(self.folder, name)

    def run_client(self, *words, status=0, **options):
        result = subprocess.run(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, text=True, check=False,
                                timeout=4 * waiting.PATIENCE,
                                env={**os.environ, 'LC_ALL': 'C', 'HOME': self.folder}, **options)
        if status is not None:
            self.assertEqual(result.returncode, status, f'{words}: {result.stdout}')
        return result.stdout

    def virsh(self, *words, status=0):
        return self.run_client('virsh', '-c', self.uri, *words, status=status)


class States(Case):
    def test_loop(self):
        """The loop over all running machines that scripts have: 1, 3, 1 for each of three."""
        for name in ('one', 'two', 'three'):
            self.conn.createXML(definition(name))
        seen = {}
        for number in self.conn.listDomainsID():
            dom = self.conn.lookupByID(number)
            states = [dom.info()[0]]
            dom.suspend()
            states.append(dom.info()[0])
            dom.resume()
            states.append(dom.info()[0])
            seen[dom.name()] = states
        self.assertEqual(seen, {name: [1, 3, 1] for name in ('one', 'two', 'three')})

    def test_virsh(self):
        """A machine's life by virsh."""
        with open(self.path('vm.xml'), 'w', encoding='utf-8') as file:
            file.write(definition('life'))
        self.virsh('define', '--validate', self.path('vm.xml'))
        self.assertIn('shut off', self.virsh('domstate', 'life'))
        self.virsh('start', 'life')
        self.assertIn('running', self.virsh('list'))
        for verb, state in (('suspend', 'paused'), ('resume', 'running'), ('reset', 'running')):
            self.virsh(verb, 'life')
            self.assertIn(state, self.virsh('domstate', 'life'))
        self.assertIn('CPU time', self.virsh('dominfo', 'life'))
        self.assertIn('/dev/pts/', self.virsh('ttyconsole', 'life'))
        self.assertIn('state.state=1', self.virsh('domstats', 'life'))
        self.virsh('destroy', 'life')
        self.assertIn('shut off (destroyed)', self.virsh('domstate', '--reason', 'life'))
        self.virsh('undefine', 'life')
        self.assertIn('failed to get domain', self.virsh('domstate', 'life', status=1))

    def test_guest_ends(self):
        """A guest that powers off and one that crashes are told apart."""
        for key, reason in ((b'q', 'shutdown'), (b'c', 'crashed')):
            dom = self.conn.defineXML(definition(f'end-{reason}'))
            # What a machine says while nobody has its console open is lost.
            dom.createWithFlags(libvirt.VIR_DOMAIN_START_PAUSED)
            with self.console(dom) as stream:
                dom.resume()
                while b'B' not in stream.recv(64):
                    pass
                stream.send(key)
                wait_for(lambda d=dom: not d.isActive(), 'the end of the machine')
            self.assertIn(reason, self.virsh('domstate', '--reason', dom.name()))

    def test_restart(self):
        """The daemon is killed and started: machines run on, and what ended meanwhile is told."""
        doms = [self.conn.defineXML(definition(name)) for name in ('stays', 'goes')]
        transient = self.conn.createXML(definition('transient'))
        uuids = {dom.name(): dom.UUIDString() for dom in (*doms, transient)}
        for dom in doms:
            dom.create()
        pids = {name: self.machine_pid(name) for name in uuids}
        self.daemon.kill()
        self.daemon.wait()
        os.kill(pids['goes'], signal.SIGKILL)
        wait_for(lambda: not vm.alive(pids['goes']), 'its end')
        self.start()
        found = {dom.name(): dom.UUIDString() for dom in self.conn.listAllDomains()}
        self.assertEqual(found, uuids)
        states = {dom.name(): dom.state()[0] for dom in self.conn.listAllDomains()}
        self.assertEqual(states, {'stays': 1, 'goes': 5, 'transient': 1})
        self.assertEqual({name: self.machine_pid(name) for name in ('stays', 'transient')},
                         {name: pids[name] for name in ('stays', 'transient')})
        self.assertIn('crashed', self.virsh('domstate', '--reason', 'goes'))

    def machine_pid(self, name):
        """The one process of socle-vm with this --name that is ours."""
        found = []
        for pid in filter(str.isdigit, os.listdir('/proc')):
            with contextlib.suppress(OSError):
                with open(f'/proc/{pid}/cmdline', 'rb') as file:
                    words = file.read().split(b'\0')
                if words[0].endswith(b'socle-vm') and b'--name=' + name.encode() in words and \
                        any(self.folder.encode() in word for word in words):
                    found.append(int(pid))
        assert len(found) == 1, f'{name}: {found}'
        return found[0]


class Events(Case):
    def test_life(self):
        """virsh event --all while a machine lives."""
        self.conn.defineXML(definition('watched'))
        watcher = subprocess.Popen(
            ['virsh', '-c', self.uri, 'event', '--all', '--loop', '--timeout', '60'],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            env={**os.environ, 'LC_ALL': 'C'})
        self.addCleanup(watcher.stdout.close)
        lines = []
        reader = threading.Thread(target=lambda: lines.extend(iter(watcher.stdout.readline, '')))
        reader.start()
        dom = self.conn.lookupByName('watched')
        # virsh says nothing when it is ready: the first event that is seen tells.
        wait_for(lambda: dom.setAutostart(1) or dom.setMetadata(
            libvirt.VIR_DOMAIN_METADATA_TITLE, 'x', None, None, 0) or lines, 'an event')
        for call in (dom.create, dom.suspend, dom.resume, dom.destroy, dom.undefine):
            call()
        want = ('Started Booted', 'Suspended Paused', 'Resumed Unpaused', 'Stopped Destroyed',
                'Undefined Removed')
        wait_for(lambda: all(any(word in line for line in lines) for word in want),
                    f'the events {want}')
        watcher.send_signal(signal.SIGINT)
        watcher.wait(waiting.PATIENCE)
        reader.join(waiting.PATIENCE)
        text = ''.join(lines)
        places = [text.index(word) for word in want]
        self.assertEqual(places, sorted(places), text)


def has(text):
    return lambda client: any(text in line for line in client.text())


class Documents(Case):
    """A definition of 2011 starts as it is; what is not provided is told."""

    # Its disk lies where another daemon has its disks; ours is to be seen in here only. So is its network.
    prefix = ('unshare', '-m', '-n', 'sh', '-ec',
              'ip link set lo up; mkdir -p /var/lib/libvirt/images; mount -t tmpfs none /var/lib/libvirt; '
              'mkdir /var/lib/libvirt/images; cp "$0" /var/lib/libvirt/images/test.img; exec "$@"')

    def start(self):
        if os.geteuid():
            self.skipTest('needs root for a mount namespace')
        if not shutil.which('dnsmasq', path='/usr/sbin:/usr/bin'):
            self.skipTest('needs dnsmasq for its network')
        # A boot sector: xor dx,dx; mov ax,'!' + 1 << 8; int 14h; hlt; jmp $-1. It prints ! on the
        # serial port by the firmware's call, and stops there.
        code = bytes((0x31, 0xd2, 0xb8, ord('!'), 0x01, 0xcd, 0x14, 0xf4, 0xeb, 0xfd))
        image = self.path('test.img')
        with open(image, 'wb') as file:
            file.write(code.ljust(510, b'\0') + b'\x55\xaa')
            file.truncate(1 << 20)
        os.chmod(image, 0o666)
        self.prefix = (*Documents.prefix, image)
        super().start()

    def test_2011(self):
        path = os.path.join(ROOT, 'tests', 'unit', 'model', 'domain-2011.xml')
        self.virsh('define', '--validate', path)
        with open(path, encoding='utf-8') as file:
            text = file.read()
        dump = self.virsh('dumpxml', 'test')
        with open(self.path('dump.xml'), 'w', encoding='utf-8') as file:
            file.write(dump)
        self.run_client('virt-xml-validate', self.path('dump.xml'), 'domain')
        self.assertIn("<sound model='ac97'", text)
        self.assertIn("<sound model='ac97'", dump)
        messages = self.virsh('dominfo', 'test')
        self.assertIn('sound', messages)
        self.virsh('start', 'test')
        dom = self.conn.lookupByName('test')
        with self.console(dom) as stream:
            seen = b''
            end = time.monotonic() + waiting.PATIENCE
            # SeaBIOS's words come first, if there is no screen.
            while not seen.rstrip().endswith(b'!'):
                self.assertLess(time.monotonic(), end, seen)
                seen += stream.recv(4096)
        self.assertEqual(dom.info()[0], libvirt.VIR_DOMAIN_RUNNING)
        # The screen that it asked for is there, by VNC.
        self.assertEqual(self.virsh('domdisplay', 'test').strip(), 'vnc://127.0.0.1:0')
        if os.path.exists(vnc.ROM):
            with vnc.Client(socket.socket(fileno=dom.openGraphicsFD(0, 0))) as client:
                client.look(has('Booting from Hard Disk'), waiting.PATIENCE)


class VirtXml(Case):
    def test_edit(self):
        if not shutil.which('virt-xml'):
            self.skipTest('virt-xml is not installed')
        self.conn.defineXML(definition('edited'))
        for words in (('--memory', '32'), ('--vcpus', '2')):
            self.run_client('virt-xml', '-c', self.uri, 'edited', '--edit', *words)
        dom = self.conn.lookupByName('edited')
        self.assertEqual((dom.maxMemory(), dom.maxVcpus()), (32 << 10, 2))
        self.run_client('virt-xml', '-c', self.uri, 'edited', '--add-device', '--disk',
                        'path=/dev/null,device=disk,format=raw,target.bus=virtio')
        self.assertIn('/dev/null', dom.XMLDesc())


class Console(Case):
    """virsh console to a Linux that has booted."""

    def test_shell(self):
        kernel = self.run_client(os.path.join(ROOT, 'tools', 'guest-kernel'), 'cloud', status=None)
        kernel = kernel.strip().splitlines()[-1] if kernel.strip() else ''
        if not os.path.exists(kernel):
            self.skipTest('no kernel could be fetched')
        initrd = self.path('initrd')
        self.run_client(os.path.join(ROOT, 'tools', 'guest-initrd'), 'shell', initrd)
        os.chmod(initrd, 0o644)
        waiting.PATIENCE = max(waiting.PATIENCE, 300)
        self.conn.createXML(definition(
            'linux', 256, kernel, f'<initrd>{initrd}</initrd><cmdline>console=ttyS0</cmdline>'))
        pid, fd = pty.fork()
        if not pid:
            os.execvp('virsh', ['virsh', '-c', self.uri, 'console', 'linux', '--force'])
        self.addCleanup(os.close, fd)
        read_until(fd, b'# ')
        os.write(fd, b'echo $((6 * 7))-from-the-guest\n')
        read_until(fd, b'42-from-the-guest')
        os.write(fd, b'\x1d')
        self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), 0)


SCREEN = """<domain type='qemu'><name>{name}</name><memory unit='MiB'>64</memory><vcpu>1</vcpu>
<os><type arch='x86_64'>hvm</type><boot dev='hd'/><bootmenu enable='yes' timeout='60000'/></os>
<features><acpi/></features><devices>
<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='{disk}'/>
<target dev='vda' bus='virtio'/></disk>{devices}</devices></domain>"""


class Screens(Case):
    """A machine with firmware that waits for Escape: on its screen, and nowhere else."""

    def setUp(self):
        if not os.path.exists(vnc.ROM):
            self.skipTest('seabios is not installed')
        super().setUp()

    def machine(self, name, devices, start=True):
        disk = self.path(f'{name}.img')
        with open(disk, 'wb') as file:
            file.truncate(4 << 20)
        dom = self.conn.defineXML(SCREEN.format(name=name, disk=disk, devices=devices))
        if start:
            dom.create()
        return dom

    def port(self, name):
        return 5900 + int(self.virsh('vncdisplay', name).strip().rsplit(':', 1)[1])

    def shot(self, name):
        self.virsh('screenshot', name, self.path('shot'))
        return vnc.cells(vnc.png(self.path('shot')))

    def test_screenshot(self):
        self.machine('shot', "<video><model type='vga'/></video>")
        wait_for(lambda: any('Press ESC for boot menu' in line for line in self.shot('shot')),
                    'the prompt of the firmware')
        self.assertIn('image/png', self.virsh('screenshot', 'shot', self.path('again')))
        self.assertIn('screen 1', self.virsh('screenshot', 'shot', self.path('x'), '--screen', '1',
                                             status=1))
        self.machine('blind', '')
        self.assertIn('no screen', self.virsh('screenshot', 'blind', self.path('x'), status=1))

    def test_vnc(self):
        """As domain-test.xml has it: VNC on a port that is found, a Cirrus, a tablet."""
        devices = ("<input type='tablet' bus='usb'/><input type='mouse' bus='ps2'/>"
                   "<graphics type='vnc' port='-1' autoport='yes'/>"
                   "<video><model type='cirrus' vram='9216' heads='1'/>"
                   "<address type='pci' domain='0x0000' bus='0x00' slot='0x02' function='0x0'/></video>")
        one, two = self.machine('one', devices), self.machine('two', devices)
        self.assertNotEqual(self.port('one'), self.port('two'))
        self.assertEqual(self.virsh('domdisplay', 'one').strip(),
                         f'vnc://127.0.0.1:{self.port("one") - 5900}')
        self.assertIn("video card 'cirrus' becomes a vga", str(one.messages()))
        self.assertIn("port='-1'", one.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE))
        shown = self.run_client(os.path.join(os.path.dirname(os.path.dirname(SOCLED)), 'cli', 'socle'), '-c',
                                self.uri, '--output=json', 'vm', 'display', 'two')
        self.assertEqual(json.loads(shown), [{'type': 'vnc', 'address': '127.0.0.1', 'port': self.port('two'),
                                              'uri': f'vnc://127.0.0.1:{self.port("two") - 5900}'}])
        with vnc.Client(('127.0.0.1', self.port('two'))) as client:
            self.assertEqual(client.name, 'two')
            client.look(has('Press ESC for boot menu'), waiting.PATIENCE)
            two.sendKey(libvirt.VIR_KEYCODE_SET_LINUX, 0, [1], 1)
            client.look(has('Select boot device'), waiting.PATIENCE)
        port = self.port('one')
        # Another daemon finds it where it was.
        os.killpg(self.daemon.pid, signal.SIGKILL)
        self.daemon.wait(waiting.PATIENCE)
        self.start()
        self.assertEqual(self.port('one'), port)
        with vnc.Client(('127.0.0.1', port)) as client:
            client.look(has('Press ESC for boot menu'), waiting.PATIENCE)

    def test_descriptors(self):
        self.machine('fd', "<graphics type='vnc' passwd='secret'><listen type='none'/></graphics>")
        dom = self.conn.lookupByName('fd')
        trusted = libvirt.VIR_DOMAIN_OPEN_GRAPHICS_SKIPAUTH
        with vnc.Client(socket.socket(fileno=dom.openGraphicsFD(0, trusted))) as client:
            client.look(has('Press ESC for boot menu'), waiting.PATIENCE)
            client.key(0xff1b)
            client.look(has('Select boot device'), waiting.PATIENCE)
        ours, theirs = socket.socketpair()
        with theirs:
            dom.openGraphics(0, theirs.fileno(), 0)
        with vnc.Client(ours, 'secret') as client:
            self.assertEqual(client.kinds, b'\x02')
        with self.assertRaises(libvirt.libvirtError):
            dom.openGraphicsFD(1, 0)

    def test_password(self):
        dom = self.machine('pw', "<graphics type='vnc' passwd='secret'/>")
        there = ('127.0.0.1', self.port('pw'))
        self.assertNotIn('secret', dom.XMLDesc())
        self.assertIn('secret', dom.XMLDesc(libvirt.VIR_DOMAIN_XML_SECURE))
        with self.assertRaises(vnc.Refused):
            vnc.Client(there, 'wrong')
        vnc.Client(there, 'secret').close()
        for more, works in (('', True), (" passwdValidTo='2010-04-09T15:51:00'", False),
                            (" passwdValidTo='2099-04-09T15:51:00'", True)):
            dom.updateDeviceFlags(f"<graphics type='vnc' passwd='other'{more}/>",
                                  libvirt.VIR_DOMAIN_AFFECT_LIVE)
            self.assertEqual(('127.0.0.1', self.port('pw')), there)
            if works:
                vnc.Client(there, 'other').close()
            else:
                with self.assertRaises(vnc.Refused):
                    vnc.Client(there, 'other')
        with self.assertRaises(libvirt.libvirtError) as caught:
            dom.updateDeviceFlags("<graphics type='vnc'/>", libvirt.VIR_DOMAIN_AFFECT_LIVE)
        self.assertIn('asks for a password', str(caught.exception))

    def test_ports(self):
        path = self.path('vnc')
        self.machine('path', f"<graphics type='vnc' socket='{path}'/>")
        with vnc.Client(path) as client:
            client.look(has('Press ESC for boot menu'), waiting.PATIENCE)
        with socket.socket() as taken:
            taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            port = free_port()
            taken.bind(('127.0.0.1', port))
            taken.listen()
            dom = self.machine('port', f"<graphics type='vnc' port='{port}'/>", start=False)
            with self.assertRaises(libvirt.libvirtError) as caught:
                dom.create()
            self.assertIn(f'port {port} is in use', str(caught.exception))
        dom.create()
        self.assertIn(f":{port - 5900}", self.virsh('vncdisplay', 'port'))
        # Spice is asked for, VNC is there and says so.
        spice = self.machine('spice', "<graphics type='spice' autoport='yes'/>", start=False)
        self.assertIn('speaks VNC in place of spice', str(spice.messages()))
        spice.create()
        vnc.Client(('127.0.0.1', self.port('spice'))).close()


class Desktop(Case):
    """A client with windows, on a screen that nobody sees, by mouse and keyboard."""

    PROGRAMS = ('Xvfb', 'xdotool', 'dbus-run-session')

    def setUp(self):
        self.processes = []
        for program in self.PROGRAMS:
            if not shutil.which(program):
                self.skipTest(f'{program} is not installed')
        super().setUp()
        self.addCleanup(self.end_processes)
        runtime = self.path('runtime')
        os.mkdir(runtime, 0o700)
        self.env = {**os.environ, 'HOME': self.folder, 'XDG_RUNTIME_DIR': runtime, 'LC_ALL': 'C.UTF-8',
                    'GSETTINGS_BACKEND': 'memory', 'NO_AT_BRIDGE': '1', 'GDK_BACKEND': 'x11',
                    'GTK_THEME': 'Adwaita', 'DISPLAY': self.start_screen()}

    def virt_manager(self, title, *words):
        self.launch('dbus-run-session', '--', 'virt-manager', '--no-fork', '--connect', self.uri, *words,
                    env=self.env)
        self.window('--name', title)

    def launch(self, *words, **options):
        with open(self.path('gui-log'), 'ab') as log:
            process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                       start_new_session=True, **options)
        self.processes.append(process)

    def end_processes(self):
        for process in reversed(self.processes):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(waiting.PATIENCE)

    def start_screen(self):
        ours, theirs = os.pipe()
        # When its last client goes it would begin anew, and with that throw out who is about to come: xdotool is
        # such a client, again and again.
        self.launch('Xvfb', '-displayfd', str(theirs), '-noreset', '-screen', '0', '1024x768x24', '-nolisten', 'tcp',
                    pass_fds=[theirs])
        os.close(theirs)
        with open(ours, encoding='ascii') as file:
            number = file.readline().strip()
        self.assertNotEqual(number, '', 'Xvfb has ended')
        return f':{number}'

    def xdotool(self, *words):
        return subprocess.run(['xdotool', *map(str, words)], env=self.env, stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, text=True, check=False,
                              timeout=waiting.PATIENCE).stdout

    def window(self, *which):
        try:
            wait_for(lambda: self.xdotool('search', '--onlyvisible', *which), 'the window')
        except AssertionError:
            self.fail(self.failure('there is no window'))

    def failure(self, what):
        with open(self.path('gui-log'), encoding='utf-8') as log:
            return f'{what}: {log.read()}'


class VirtViewer(Desktop, Screens):
    PROGRAMS = (*Desktop.PROGRAMS, 'virt-viewer', 'import')

    def look(self, words, name, key):
        """Its window is there, and what is typed into it comes to the guest."""
        self.launch('dbus-run-session', '--', 'virt-viewer', *words, '-c', self.uri, name, env=self.env)
        self.window('--class', 'virt-viewer')

        def selected():
            self.xdotool('mousemove', 300, 250, 'click', 1, 'key', key)
            time.sleep(1)
            return any('Select boot device' in line for line in self.shot(name))
        wait_for(selected, 'the menu of the firmware')
        # What is to be seen in the window: the text is grey, the rest black.
        subprocess.run(['import', '-window', 'root', '-define', 'png:color-type=2', '-depth', '8',
                        self.path('root.png')], env=self.env, check=True, timeout=waiting.PATIENCE)
        seen = sum(row.count(0xaaaaaa) for row in vnc.png(self.path('root.png')))
        drawn = sum(row.count(0xaaaaaa) for row in vnc.png(self.path('shot')))
        self.assertGreater(drawn, 500)
        self.assertGreaterEqual(seen, drawn * 9 // 10)

    def test_port(self):
        self.machine('open', "<graphics type='vnc'/>")
        self.look([], 'open', 'Escape')

    def test_descriptor(self):
        self.machine('attached', "<graphics type='vnc' passwd='x'/>")
        self.look(['--attach'], 'attached', 'Escape')

    # Those of Screens are no tests of this.
    test_screenshot = test_vnc = test_descriptors = test_password = test_ports = None


class VirtManager(Desktop):
    """Its window with the machines."""

    PROGRAMS = (*Desktop.PROGRAMS, 'virt-manager')
    ROWS = {'one': 139, 'two': 180}  # where the machines are, from the top

    def setUp(self):
        super().setUp()
        for name in self.ROWS:
            self.conn.defineXML(definition(name))

    def state(self, name):
        return self.virsh('domstate', name).strip()

    def menu(self, name, keys, wanted):
        """From the menu of the machine's row, until it is as wanted: windows take their time."""
        end = time.monotonic() + waiting.PATIENCE
        while self.state(name) != wanted:
            self.assertLess(time.monotonic(), end, self.failure(f'{name} is not {wanted}'))
            self.xdotool('key', 'Escape', 'key', 'Escape', 'mousemove', 70, self.ROWS[name],
                         'click', 1, 'click', 3)
            for key in keys:
                time.sleep(0.3)
                self.xdotool('key', key)
            again = time.monotonic() + 2
            while self.state(name) != wanted and time.monotonic() < again:
                time.sleep(0.05)

    def test_power(self):
        self.virt_manager('Virtual Machine Manager')
        # Run, in the menu.
        self.menu('one', ('r',), 'running')
        self.assertEqual(self.state('two'), 'shut off')
        # Shut Down, Force Off; and yes, we are sure.
        self.menu('one', ('s', 'f', 'alt+y'), 'shut off')
        # What somebody else has started can be forced off where virt-manager has heard of it.
        self.virsh('start', 'two')
        self.menu('two', ('s', 'f', 'alt+y'), 'shut off')
        self.assertIn('destroyed', self.virsh('domstate', '--reason', 'two'))


class VirtManagerPages(Desktop):
    """Its window with a connection's networks and storage."""

    PROGRAMS = VirtManager.PROGRAMS
    # No network is started on this host.
    prefix = ('unshare', '-n')
    NETWORKS, STORAGE = (175, 49), (287, 49)  # tabs
    START, STOP = (79, 570), (123, 570)  # buttons below the list, whose only row is selected
    VOLUME, DELETE = (266, 330), (400, 273)  # the first volume of the pool, and the button for it

    def start(self):
        if os.geteuid() or not shutil.which('dnsmasq', path='/usr/sbin:/usr/bin'):
            self.skipTest('needs root and dnsmasq for a network')
        super().start()

    def click(self, *places):
        for x, y in places:
            self.xdotool('mousemove', x, y, 'click', 1)
            time.sleep(0.5)

    def until(self, condition, what, *places, keys=()):
        """Click, until it is so: windows take their time."""
        end = time.monotonic() + waiting.PATIENCE
        while not condition():
            self.assertLess(time.monotonic(), end, self.failure(what))
            self.click(*places)
            for key in keys:
                self.xdotool('key', key)
            again = time.monotonic() + 5
            while not condition() and time.monotonic() < again:
                time.sleep(0.05)

    def test_pages(self):
        """What they show is there to be started, stopped and deleted."""
        os.mkdir(self.path('pool'))
        self.virsh('pool-define-as', 'default', 'dir', '--target', self.path('pool'))
        self.virsh('pool-start', 'default')
        for name in ('alpha', 'beta'):
            self.virsh('vol-create-as', 'default', name, '1M', '--format', 'qcow2')
        self.virt_manager('Connection Details', '--show-host-summary')
        self.check_active('net-list', 'the network', self.NETWORKS, (self.START, self.STOP))
        pool = self.conn.storagePoolLookupByName('default')
        # Yes, we are sure.
        self.until(lambda: pool.listVolumes() == ['beta'], 'alpha is still there', self.STORAGE, self.VOLUME,
                   self.DELETE, keys=('alt+y',))
        self.check_active('pool-list', 'the pool', self.STORAGE, (self.STOP, self.START))

    def check_active(self, listing, what, tab, buttons):
        for button in buttons:
            wanted = ['default'] if button == self.START else []
            self.until(lambda w=wanted: self.virsh(listing, '--name').split() == w,
                       f'{what} is not as the button says', tab, button)


if __name__ == '__main__':
    unittest.main(verbosity=2)
