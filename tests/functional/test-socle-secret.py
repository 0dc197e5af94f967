#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""socle's secrets: how they come and go, and what happens to their values.

Environment: that of socle.py. Words: the classes that are to run.
"""
import base64
import os
import pathlib
import signal
import termios

import socle
from socle import UUID, Case, OwnDaemon, run

FACTS = {'name': str, 'uuid': UUID, 'usage': str, 'private': bool, 'ephemeral': bool}


class Secrets(Case):
    """Each test has secrets of its own name."""
    URI = 'qemu'

    def create(self, name, *more, usage='ceph'):
        said = self.good('secret', 'create', name, '--usage', usage, *more)
        self.assertRegex(said, rf"\Asecret '{name}' is defined, with the UUID {UUID}\n\Z")
        uuid = said.split()[-1]
        self.addCleanup(self.run_socle, 'secret', 'delete', uuid)
        return uuid

    def set(self, name, value, *more):
        result = self.run_socle('secret', 'set', name, *more, input=value, stdin=None, text=False)
        self.assertEqual((result.returncode, result.stdout), (0, f"secret '{name}' has its value\n".encode()),
                         result.stderr)
        return result.stderr

    def get(self, name, *more):
        result = self.run_socle('secret', 'get', name, *more, text=False)
        self.assertEqual((result.returncode, result.stderr), (0, b''))
        return result.stdout

    def refused(self, value, *words, says):
        result = self.run_socle('secret', 'set', *words, input=value, stdin=None, text=False)
        self.assertEqual(result.returncode, 2)
        self.assertRegex(result.stderr, rb'\Asocle: [^\n]+\n\Z')
        self.assertIn(says, result.stderr)

    def names(self, *filters):
        return self.good('secret', 'list', '-o', 'name', *filters).split()

    def test_definitions(self):
        uuid = self.create('one', '--description', "of <one> & 'all'")
        self.create('/two', '--private', '--ephemeral', usage='volume')
        self.create('iqn.2026-11.org:three', usage='iscsi')
        self.shape(self.json('secret', 'list'), [FACTS])
        self.assertEqual(self.json('secret', 'show', 'one'), {
            'name': 'one', 'uuid': uuid, 'usage': 'ceph', 'private': False, 'ephemeral': False,
            'description': "of <one> & 'all'"})
        self.assertRegex(self.good('secret', 'show', '/two'),
                         r'(?m)^usage +volume\nprivate +yes\nephemeral +yes$')
        self.assertRegex(self.good('secret-list'), rf'(?m)^NAME .*\n(.*\n)*one +ceph +no +no +{uuid}$')
        self.assertEqual(self.names('--private'), ['/two'])
        self.assertEqual(self.names('--ephemeral', '--no-private'), [])
        self.assertIn('one', self.names('--no-ephemeral'))
        self.assertEqual(self.good('secret', 'list', '--ephemeral', '--no-private'), 'no secrets\n')
        self.assertEqual(self.good('secret', 'uuid', 'one'), f'{uuid}\n')
        self.assertEqual(self.good('secret', 'uuid', uuid[:8]), f'{uuid}\n')
        xml = self.good('secret-dumpxml', uuid)
        self.assertEqual(self.good('secret', 'xml', 'one'), xml)
        self.assertIn("<description>of &lt;one&gt; &amp; &apos;all&apos;</description>", xml)
        self.assertEqual(self.good('__complete', '--', 'secret', 'get', '/t'), '/two\n')
        # Defined anew it is private, and stays so.
        file = self.daemon.place('secret.xml', xml.replace("private='no'", "private='yes'").encode())
        self.assertIn(uuid, self.good('secret', 'define', file, '--validate'))
        self.assertTrue(self.json('secret', 'show', 'one')['private'])
        self.bad('secret', 'define', '-', input=xml, stdin=None, says='private')
        self.assertEqual(self.good('secret', 'delete', 'one', '/two'),
                         "secret 'one' is deleted, and its value\nsecret '/two' is deleted, and its value\n")
        self.bad('secret', 'show', 'one', status=3, says="no secret 'one'")
        self.bad('secret-undefine', 'thre', status=3, says="'socle secret list'")
        # It is nothing's: its name is its UUID.
        said = self.json('secret', 'create')
        self.shape(said, [{'secret': UUID, 'uuid': UUID, 'action': 'create', 'ok': bool}])
        self.good('secret-undefine', said[0]['secret'])

    def test_wrong_words(self):
        self.bad('secret', 'create', 'x', status=2, says="say what 'x' is by '--usage'")
        self.bad('secret', 'create', '--usage', 'tls', status=2, says='socle secret create NAME --usage tls')
        self.bad('secret', 'create', 'x', '--usage', 'tape', status=2, says='volume|ceph|iscsi|tls|vtpm')
        self.bad('secret', 'create', '', '--usage', 'tls', status=2, says='the name is empty')
        self.bad('secret', 'define', '-', input='<secret><usage/></sec>', stdin=None, says="'-': ")
        self.bad('secret', 'define', '/no/file', says="cannot open '/no/file'")
        self.create('x')
        self.bad('secret', 'create', 'x', '--usage', 'ceph', says='already defined')
        # A value is no word, and what seems to be one is a file.
        self.bad('secret', 'set', 'x', 'c2VjcmV0', says="a file or a pipe, and 'c2VjcmV0' cannot be opened: No such")
        self.bad('secret', 'set', 'x', 'a', 'b', status=2, says="takes no word 'b' there")
        self.bad('secret', 'set', 'none', '/no/file', status=3, says="no secret 'none'")
        self.bad('secret', 'get', 'none', status=3, says="no secret 'none'")
        self.bad('-r', 'secret', 'set', 'x', status=5, says='--readonly does not allow')
        self.assertIn('\n  <usage type=', self.good('secret', 'create', 'y', '--usage', 'tls', '--print-xml'))
        self.assertNotIn('y', self.names())

    def test_values(self):
        """Bytes are bytes, from wherever they come."""
        uuid = self.create('values')
        self.bad('secret', 'get', 'values', status=3, says='does not have a value')
        for value in (b'word', b'two\nlines\n', b'\0nul\0\xff\n\r', os.urandom(65536)):
            self.assertEqual(self.set('values', value), b'')
            self.assertEqual(self.get('values'), value)
            self.assertEqual(base64.b64decode(self.get('values', '--base64')), value)
            self.set('values', b'another')
            self.set('values', base64.encodebytes(value), '-', '--base64')
            self.assertEqual(self.get('values', '--plain'), value)
            self.good('secret-set-value', 'values', self.daemon.place('value', value))
            got = self.json('secret-get-value', uuid)
            self.assertEqual(got, {'name': 'values', 'uuid': uuid,
                                   'value_base64': base64.b64encode(value).decode()})
        self.assertIn(b'ends with a line end', self.set('values', b'word\n'))
        self.refused(b'', 'values', says=b'no value was given')
        self.refused(b'', 'values', '--base64', says=b'no value was given')
        self.refused(bytes(65537), 'values', says=b'65536 bytes at most')
        self.refused(base64.encodebytes(bytes(65537)), 'values', '--base64', says=b'65536 bytes at most')
        self.refused(bytes(1 << 20), 'values', says=b'65536 bytes at most')
        for wrong in (b'YWI', b'YQ==\0YQ==', b'Y Q='):
            self.refused(wrong, 'values', '--base64', says=b'no base64')
        self.assertEqual(self.get('values'), b'word\n')
        self.bad('-r', 'secret', 'get', 'values', status=5)

    def test_private(self):
        self.create('private', '--private')
        self.set('private', b'word')
        self.bad('secret', 'get', 'private', status=5, says='secret is private')
        self.bad('secret', 'get', 'private', '--base64', '-o', 'json', status=5, says='secret is private')

    def test_one_name(self):
        """A volume and a target may be called the same."""
        uuids = [self.create('/same', usage=usage) for usage in ('volume', 'iscsi')]
        self.bad('secret', 'get', '/same', status=2, says="2 secrets are called '/same'; give the UUID")
        self.good('secret', 'delete', uuids[0])
        self.assertEqual(self.good('secret', 'uuid', '/same').strip(), uuids[1])

    def test_restart(self):
        """What is ephemeral goes with the daemon, all else stays."""
        kept = self.create('kept')
        self.create('private', '--private')
        self.create('brief', '--ephemeral')
        for name in ('kept', 'private', 'brief'):
            self.set(name, f'of {name}'.encode())
        self.assertEqual(self.get('brief'), b'of brief')
        self.daemon.stop()
        self.daemon.start()
        self.assertEqual(self.get('kept'), b'of kept')
        self.assertEqual(self.good('secret', 'uuid', 'kept').strip(), kept)
        self.assertTrue(self.json('secret', 'show', 'private')['private'])
        self.bad('secret', 'get', 'private', status=5, says='secret is private')
        self.bad('secret', 'show', 'brief', status=3, says="no secret 'brief'")
        for path in pathlib.Path(self.daemon.dir).rglob('*'):
            if path.is_file():
                self.assertNotIn(base64.b64encode(b'of brief'), path.read_bytes(), path)

    def test_hidden(self):
        """A terminal asks for the value and does not show it; Ctrl-C leaves the terminal as it was."""
        self.create('hidden')
        terminal = self.terminal('secret', 'set', 'hidden')
        terminal.expect(rb"Value of secret 'hidden': ")
        self.assertFalse(termios.tcgetattr(terminal.slave)[3] & termios.ECHO)
        terminal.keys(b'pass\x1aword\n')
        self.assertEqual(terminal.end(), 0)
        self.assertEqual(terminal.data, b"\r\nsecret 'hidden' has its value\r\n")
        self.restored(terminal)
        self.assertEqual(self.get('hidden'), b'pass\x1aword')
        for keys, status in ((b'half\x03', -signal.SIGINT), (b'\n', 2), (b'\x04', 2)):
            terminal = self.terminal('secret', 'set', 'hidden')
            terminal.expect(rb"Value of secret 'hidden': ")
            terminal.keys(keys)
            self.assertEqual(terminal.end(), status)
            self.assertNotIn(b'half', terminal.data)
            self.restored(terminal)
        self.assertEqual(self.get('hidden'), b'pass\x1aword')

    def test_shown(self):
        """What could command a terminal is not printed on one."""
        self.create('shown')
        for value, shown in ((b'word', b'word\r\n'), ('\u00e4\n\u00f6\n'.encode(), '\u00e4\r\n\u00f6\r\n'.encode())):
            self.set('shown', value)
            terminal = self.terminal('secret', 'get', 'shown')
            self.assertEqual(terminal.end(), 0)
            self.assertEqual(terminal.data, shown)
        for value in (b'\033[2J', b'a\0b', b'\xff'):
            self.set('shown', value)
            terminal = self.terminal('secret', 'get', 'shown')
            self.assertEqual(terminal.end(), 2)
            self.assertIn(b"is no text, which a terminal could show; '--base64'", terminal.data)
            self.assertNotIn(value, terminal.data)

    def test_events(self):
        self.create('watched')
        poke = [('set', 'watched', self.daemon.place('value', b'x'))]
        for event in self.watch('secret', 2, lambda: [run('-c', self.uri, 'secret', *words) for words in poke]):
            self.assertEqual((event['event'], event['secret']), ('secret-value-changed', 'watched'))
        poke = [('create', 'gone', '--usage', 'ceph'), ('delete', 'gone')]
        events = self.watch('secret', 2, lambda: [run('-c', self.uri, 'secret', *words) for words in poke])
        self.assertEqual({(event['event'], event['secret']) for event in events}, {('secret-lifecycle', 'gone')})
        self.assertLessEqual({event['what'] for event in events}, {'defined', 'undefined'})


class OwnSecrets(Secrets):
    """The same by our own daemon."""
    DAEMON = OwnDaemon


if __name__ == '__main__':
    socle.main(theirs=['Secrets'], own=['OwnSecrets'], nouns=['secret'])
