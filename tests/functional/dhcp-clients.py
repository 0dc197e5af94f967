#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""dhcp-clients.py INTERFACE COUNT: so many cards on one cable ask for addresses at once, and print them."""
import select
import socket
import struct
import sys
import time

DISCOVER, OFFER, REQUEST, ACK = 1, 2, 3, 5


def checksum(data):
    total = sum(struct.unpack(f'!{len(data) // 2}H', data))
    total = (total >> 16) + (total & 0xffff)
    return ~(total + (total >> 16)) & 0xffff


def frame(mac, number, options):
    dhcp = struct.pack('!BBBBIHHIIII', 1, 1, 6, 0, number, 0, 0x8000, 0, 0, 0, 0) + mac + bytes(10 + 192)
    dhcp += bytes([99, 130, 83, 99]) + options + b'\xff'
    udp = struct.pack('!HHHH', 68, 67, 8 + len(dhcp), 0) + dhcp
    ip = struct.pack('!BBHHHBBH4s4s', 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0, bytes(4), b'\xff' * 4)
    ip = ip[:10] + struct.pack('!H', checksum(ip)) + ip[12:]
    return b'\xff' * 6 + mac + b'\x08\x00' + ip + udp


def parse(data):
    """Number, kind, offered address, server; None: something else."""
    if len(data) < 14 + 28 + 240 or data[12:14] != b'\x08\x00' or data[23] != 17:
        return None
    dhcp = data[14 + (data[14] & 15) * 4 + 8:]
    if dhcp[0] != 2:
        return None
    kind, server, off = 0, b'', 240
    while off + 1 < len(dhcp) and dhcp[off] != 255:
        if dhcp[off] == 53:
            kind = dhcp[off + 2]
        elif dhcp[off] == 54:
            server = dhcp[off + 2:off + 6]
        off += 1 if dhcp[off] == 0 else 2 + dhcp[off + 1]
    return struct.unpack('!I', dhcp[4:8])[0], kind, dhcp[16:20], server


def main():
    count = int(sys.argv[2])
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    sock.bind((sys.argv[1], 0))
    macs = [bytes([0x52, 0x54, 0, 0x77, n >> 8, n & 255]) for n in range(count)]
    # By number: what is asked for, or the address.
    asks = {n: bytes([53, 1, DISCOVER]) for n in range(count)}
    got = {}
    end, again = time.monotonic() + 20, 0
    while len(got) < count and time.monotonic() < end:
        if time.monotonic() >= again:
            for n in asks.keys() - got.keys():
                sock.send(frame(macs[n], n, asks[n]))
            again = time.monotonic() + 2
        if not select.select([sock], [], [], 0.1)[0]:
            continue
        answer = parse(sock.recv(2048))
        if not answer or answer[0] in got or answer[0] >= count:
            continue
        number, kind, address, server = answer
        if kind == OFFER and asks[number][2] == DISCOVER:
            asks[number] = bytes([53, 1, REQUEST, 50, 4]) + address + bytes([54, 4]) + server
            sock.send(frame(macs[number], number, asks[number]))
        elif kind == ACK:
            got[number] = socket.inet_ntoa(address)
    print('\n'.join(got.values()))


if __name__ == '__main__':
    main()
