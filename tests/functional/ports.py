# SPDX-License-Identifier: GPL-2.0-or-later
"""Ports of TCP for servers of tests."""
import random
import socket


def free_port():
    """One that is free on the loopback, and stays so: none that a client gets who does not choose."""
    with open('/proc/sys/net/ipv4/ip_local_port_range', encoding='ascii') as file:
        clients = int(file.read().split()[0])
    while True:
        port = random.randrange(10000, max(clients, 20000))
        with socket.socket() as sock:
            try:
                sock.bind(('127.0.0.1', port))
            except OSError:
                continue
            return port
