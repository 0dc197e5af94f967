# SPDX-License-Identifier: GPL-2.0-or-later
"""A small VNC client (RFC 6143), and how to read a text screen's cells without guessing.

A glyph is what the VGA's BIOS has for it: a cell of a picture of 720 by 400 is compared with its font,
which stands in its ROM as it is on the screen.
"""
import ctypes
import ctypes.util
import pathlib
import socket
import struct
import time
import zlib

ROM = pathlib.Path('/usr/share/seabios/vgabios-stdvga.bin')
RAW, SIZE, MOTION, KEYS = 0, -223, -257, -258
RETURN, SHIFT, DOWN = 0xff0d, 0xffe1, 0xff54
# A as it is in fonts of 8 by 16.
LETTER_A = bytes((0, 0, 0x10, 0x38, 0x6c, 0xc6, 0xc6, 0xfe, 0xc6, 0xc6, 0xc6, 0xc6, 0, 0, 0, 0))


def des(key, data):
    """DES as VNC has it: a password of 8 characters, the bits of each the other way round."""
    crypto = ctypes.CDLL(ctypes.util.find_library('crypto'))
    key = bytes(int(f'{byte:08b}'[::-1], 2) for byte in key.encode().ljust(8, b'\0')[:8])
    schedule = ctypes.create_string_buffer(256)
    crypto.DES_set_key_unchecked(key, schedule)
    result = b''
    for start in range(0, len(data), 8):
        out = ctypes.create_string_buffer(8)
        crypto.DES_ecb_encrypt(data[start:start + 8], out, schedule, 1)
        result += out.raw
    return result


class Refused(Exception):
    pass


class Client:
    def __init__(self, peer, password=None, encodings=(RAW, SIZE), timeout=30):
        """peer: an address of host and port, a path, or a socket."""
        if isinstance(peer, socket.socket):
            self.socket = peer
        else:
            family = socket.AF_UNIX if isinstance(peer, str) else socket.AF_INET
            self.socket = socket.socket(family)
            self.socket.connect(peer)
        self.socket.settimeout(timeout)
        self.announced = []
        self.events = []
        try:
            self.shake(password)
        except (ConnectionError, EOFError, Refused) as error:
            self.socket.close()
            raise Refused(str(error)) from error
        self.send(struct.pack('>BBH', 2, 0, len(encodings)) +
                  b''.join(struct.pack('>i', encoding) for encoding in encodings))

    def __enter__(self):
        return self

    def __exit__(self, *args):
        self.close()

    def close(self):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def take(self, count):
        data = b''
        while len(data) < count:
            chunk = self.socket.recv(min(count - len(data), 1 << 20))
            if not chunk:
                raise EOFError('the server closed the connection')
            data += chunk
        return data

    def unpack(self, form):
        return struct.unpack('>' + form, self.take(struct.calcsize('>' + form)))

    def shake(self, password):
        assert self.take(12).startswith(b'RFB 003.')
        self.send(b'RFB 003.008\n')
        count, = self.unpack('B')
        if not count:
            raise Refused(self.reason())
        self.kinds = self.take(count)
        kind = 2 if 2 in self.kinds else 1
        self.send(bytes((kind,)))
        if kind == 2:
            self.send(des(password or '', self.take(16)))
        result, = self.unpack('I')
        if result:
            raise Refused(self.reason())
        self.send(b'\x01')
        self.width, self.height = self.unpack('HH')
        self.format = self.take(16)
        length, = self.unpack('I')
        self.name = self.take(length).decode()
        self.clear()

    def reason(self):
        length, = self.unpack('I')
        return self.take(length).decode()

    def clear(self):
        self.pixels = [bytearray(4 * self.width) for _ in range(self.height)]

    def ask(self, whole=False):
        self.send(struct.pack('>BBHHHH', 3, 0 if whole else 1, 0, 0, self.width, self.height))

    def message(self):
        """The next update; other messages are passed by."""
        while True:
            kind, = self.unpack('B')
            if kind == 0:
                return self.update()
            if kind == 3:
                _, length = self.unpack('3sI')
                self.take(length)

    def update(self):
        _, count = self.unpack('BH')
        rows = set()
        for _ in range(count):
            x, y, width, height, encoding = self.unpack('HHHHi')
            if encoding == RAW:
                for row in range(y, y + height):
                    self.pixels[row][4 * x:4 * (x + width)] = self.take(4 * width)
                    rows.add(row)
            elif encoding == SIZE:
                self.width, self.height = width, height
                self.clear()
            else:
                self.announced.append(encoding)
        return rows

    def look(self, until, patience=30):
        """Ask for updates until what until(client) says is true."""
        end = time.monotonic() + patience
        self.ask(whole=True)
        while True:
            self.message()
            result = until(self)
            if result:
                return result
            assert time.monotonic() < end, '\n'.join(self.text())
            self.ask()

    def key(self, keysym, down=None):
        for state in ((True, False) if down is None else (down,)):
            self.send(struct.pack('>BBHI', 4, state, 0, keysym))

    def type(self, text):
        for letter in text:
            if letter.isupper():
                self.key(SHIFT, True)
            self.key(RETURN if letter == '\n' else ord(letter))
            if letter.isupper():
                self.key(SHIFT, False)

    def pointer(self, mask, x, y):
        self.send(struct.pack('>BBHH', 5, mask, x, y))

    def text(self):
        rows = [[int.from_bytes(row[4 * x:4 * x + 3], 'little') for x in range(self.width)]
                for row in self.pixels]
        return cells(rows)


def font():
    rom = ROM.read_bytes()
    start = rom.index(LETTER_A) - 16 * ord('A')
    return {rom[start + 16 * code:start + 16 * code + 16]: chr(code) for code in range(32, 127)}


GLYPHS = {}


def cells(rows):
    """The lines of a text screen with cells of 9 by 16; what is no character of ASCII is '?'."""
    if not GLYPHS:
        GLYPHS.update(font())
    if len(rows) != 400 or len(rows[0]) != 720:
        return []
    return [''.join(cell([row[x:x + 8] for row in rows[y:y + 16]]) for x in range(0, 720, 9)).rstrip()
            for y in range(0, 400, 16)]


def cell(pixels):
    # The first row is background in all glyphs of ASCII.
    back = pixels[0][0]
    bits = bytes(sum((pixel != back) << 7 - i for i, pixel in enumerate(row)) for row in pixels)
    return GLYPHS.get(bits, ' ' if bits[:13] == bytes(13) else '?')


def png(path):
    """The same of a PNG as we write them: 8 bits each of red, green and blue."""
    data = pathlib.Path(path).read_bytes()
    assert data[:8] == b'\x89PNG\r\n\x1a\n'
    at, packed = 8, b''
    while at < len(data):
        length, kind = struct.unpack('>I4s', data[at:at + 8])
        if kind == b'IHDR':
            width, height, *form = struct.unpack('>IIBBBBB', data[at + 8:at + 21])
            assert form == [8, 2, 0, 0, 0]
        elif kind == b'IDAT':
            packed += data[at + 8:at + 8 + length]
        at += 12 + length
    raw, rows, last = zlib.decompress(packed), [], bytes(3 * width)
    for start in range(0, len(raw), 3 * width + 1):
        last = unfilter(raw[start], bytearray(raw[start + 1:start + 3 * width + 1]), last)
        rows.append([int.from_bytes(last[x:x + 3], 'big') for x in range(0, 3 * width, 3)])
    assert len(rows) == height
    return rows


def unfilter(kind, row, above):
    for i in range(len(row)) if kind else ():
        left, corner = (row[i - 3], above[i - 3]) if i > 2 else (0, 0)
        guess = left + above[i] - corner
        paeth = min((left, above[i], corner), key=lambda value: abs(guess - value))
        row[i] = row[i] + (0, left, above[i], (left + above[i]) // 2, paeth)[kind] & 0xff
    return bytes(row)


def ppm(path):
    """The rows of a picture that screendump has written."""
    magic, size, depth, data = pathlib.Path(path).read_bytes().split(b'\n', 3)
    assert (magic, depth) == (b'P6', b'255')
    width, height = map(int, size.split())
    assert len(data) == 3 * width * height
    return [[int.from_bytes(data[at:at + 3], 'big') for at in range(start, start + 3 * width, 3)]
            for start in range(0, len(data), 3 * width)]
