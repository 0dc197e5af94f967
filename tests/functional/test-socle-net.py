#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""socle's networks.

Environment: that of socle.py. Words: the classes that are to run.
"""
import socle
from socle import UUID, Driver, run


class Networks(Driver):
    """Those of the driver for tests."""

    def test_net(self):
        facts = {'name': 'default', 'uuid': UUID, 'state': 'active', 'bridge': 'virbr0',
                 'persistent': True, 'autostart': bool}
        self.assertEqual(self.json('net', 'list')[0].keys(), facts.keys())
        self.assertEqual(self.good('net-list', '-o', 'name'), 'default\n')
        self.assertRegex(self.good('net', 'list', '--uuid'),
                         r'\ANAME +STATE +BRIDGE +AUTOSTART +PERSISTENT +UUID\ndefault +active +virbr0')
        self.assertEqual(self.good('net', 'list', '--inactive'), 'no networks\n')
        self.assertEqual(list(self.json('net', 'show', 'default')), [*facts, 'leases'])
        uuid = self.good('net', 'uuid', 'default').strip()
        self.assertEqual(self.good('net', 'name', uuid[:8]), 'default\n')
        self.bad('net', 'show', 'defualt', status=3, says="no network 'defualt'; there is 'default'")
        self.good('net', 'autostart', 'default')
        self.good('net-autostart', 'default', '--disable')
        self.good('net', 'update', 'default', 'add', 'ip-dhcp-host',
                  "<host mac='52:54:00:11:22:33' ip='192.168.122.77'/>", '--live')
        self.assertIn("ip='192.168.122.77'", self.good('net', 'xml', 'default'))
        self.bad('net', 'update', 'default', 'add', 'hosts', '<x/>', status=2, says='ip-dhcp-host')
        self.bad('net', 'update', 'default', 'put', 'ip', '<x/>', status=2, says='add-last')
        self.bad('-r', 'net', 'stop', 'default', status=5)
        self.run_socle('net', 'leases', 'default')
        self.assertEqual(self.good('net', 'forward', 'default'), 'no ports are forwarded\n')
        self.assertEqual(self.good('__complete', '--', 'net', 'start', 'd'), 'default\n')

    def test_net_life(self):
        xml = b"<network><name>lab</name><bridge name='virbr7'/></network>"
        path = self.daemon.place('lab.xml', xml)
        self.assertEqual(self.good('net', 'define', path), "network 'lab' is defined\n")
        self.assertEqual(self.good('net', 'start', 'lab'), "network 'lab' started\n")
        self.bad('net', 'start', 'lab', status=6)
        self.assertEqual(self.good('net', 'stop', 'lab', '-o', 'name'), 'lab\n')
        self.assertEqual(self.json('net', 'undefine', 'lab')[0]['ok'], True)
        self.assertIn('goes when it stops', self.good('net', 'create', path))
        self.good('net-destroy', 'lab')
        self.bad('net', 'show', 'lab', status=3)

    def test_net_events(self):
        events = self.watch('net', 2, lambda: [run('-c', self.uri, 'net', verb, 'default')
                                                for verb in ('stop', 'start')])
        self.assertEqual([event['network'] for event in events], ['default'] * 2)
        self.assertEqual({event['what'] for event in events}, {'started', 'stopped'})
        run('-c', self.uri, 'net', 'start', 'default')


if __name__ == '__main__':
    # In test-socle.py.
    socle.main(theirs=['Networks'], nouns=['net'],
               elsewhere=['net edit'])
