#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""dhcp6-client.py INTERFACE DUID NAME: ask for an address by DHCPv6, and print it."""
import socket
import struct
import sys
import time

SOLICIT, ADVERTISE, REQUEST, REPLY = 1, 2, 3, 7
CLIENT_ID, SERVER_ID, IA_NA, IA_ADDRESS, ELAPSED, FQDN = 1, 2, 3, 5, 8, 39
SERVERS = 'ff02::1:2'


def option(code, data):
    return struct.pack('!HH', code, len(data)) + data


def options(data):
    found = {}
    while len(data) >= 4:
        code, size = struct.unpack('!HH', data[:4])
        found[code] = data[4:4 + size]
        data = data[4 + size:]
    return found


def main():
    interface, duid, name = sys.argv[1], bytes.fromhex(sys.argv[2].replace(':', '')), sys.argv[3].encode()
    sock = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, interface.encode())
    sock.bind(('::', 546))
    sock.settimeout(1)
    own = option(CLIENT_ID, duid) + option(ELAPSED, bytes(2)) + option(FQDN, b'\x01' + bytes([len(name)]) + name)
    kind, more = SOLICIT, option(IA_NA, bytes([0, 0, 0, 7]) + bytes(8))
    end = time.monotonic() + 30
    while time.monotonic() < end:
        number = struct.pack('!I', kind << 24 | 0x123456)
        try:
            # Its own address may not be ready yet.
            sock.sendto(number + own + more, (SERVERS, 547, 0, socket.if_nametoindex(interface)))
            data = sock.recv(2048)
        except OSError:
            continue
        said = options(data[4:])
        if data[1:4] != number[1:] or IA_NA not in said or data[0] not in (ADVERTISE, REPLY):
            continue
        address = options(said[IA_NA][12:]).get(IA_ADDRESS)
        if data[0] == REPLY and address:
            print(socket.inet_ntop(socket.AF_INET6, address[:16]))
            return
        if data[0] == ADVERTISE:
            kind, more = REQUEST, option(SERVER_ID, said[SERVER_ID]) + option(IA_NA, said[IA_NA])
    sys.exit('nobody gives an address')


main()
