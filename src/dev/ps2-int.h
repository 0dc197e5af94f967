/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ps2-int.h - what hangs at the two PS/2 wires of an i8042: a keyboard and a mouse
 *
 * Bytes from the host: commands, answered by ACK and what belongs to it. Bytes to the host: answers,
 * and what the user does. An answer comes before what the user did, but never inside the codes of a
 * key or the packet of a mouse.
 *
 * Threads: the owner's lock is held by whoever calls.
 */
#ifndef DEV_PS2_INT_H
#define DEV_PS2_INT_H

#include <stdbool.h>
#include <stdint.h>

enum {
	PS2_ACK = 0xfa,
	PS2_RESEND = 0xfe, /* from the device: not understood; to it: say that again */
	PS2_SELF_TEST_OK = 0xaa,

	PS2_RESET = 0xff,
	PS2_DEFAULTS = 0xf6,
	PS2_DISABLE = 0xf5,
	PS2_ENABLE = 0xf4,
	PS2_RATE = 0xf3,
	PS2_IDENTIFY = 0xf2,

	PS2_KEYS = 32,   /* that wait to be read; presses and releases */
	PS2_PACKETS = 8, /* of a mouse, the same */
};

/* Bytes that go out together: the longest are the codes of Pause. */
struct ps2_bytes {
	uint8_t byte[8];
	unsigned len, at;
};

/*
 *  (1) What the guest is told of a key begins with a press and ends with a release: a press that finds
 *      no room is lost wholly, a release that finds none is kept in late.
 *  (2) Something is in late only while the ring is full.
 */
struct ps2_keyboard {
	struct ps2_bytes answer, codes;
	uint8_t last;    /* byte that went out */
	uint8_t command; /* waits for its parameter; 0: none does */
	uint8_t set;     /* of scan codes: 1 or 2 */
	bool scanning;
	struct {
		uint8_t number;
		bool down;
	} ring[PS2_KEYS];
	unsigned head, count;
	uint64_t down[4]; /* a bit for each key that the guest is to take for pressed */
	uint64_t late[4];
};

void ps2_keyboard_reset(struct ps2_keyboard *kb);
/* A byte from the host. */
void ps2_keyboard_write(struct ps2_keyboard *kb, uint8_t value);
bool ps2_keyboard_ready(const struct ps2_keyboard *kb);
/* Only while it is ready. */
uint8_t ps2_keyboard_read(struct ps2_keyboard *kb);
/* The user presses or releases a key (display/keys.h). */
void ps2_keyboard_key(struct ps2_keyboard *kb, uint8_t number, bool down);
/* The code in set 1 of a byte of set 2, as the controller translates; also of bytes that are no codes. */
uint8_t ps2_translate(uint8_t code);

/* As it stands: sums since the last packet. */
struct ps2_motion {
	int dx, dy, dz; /* dy upwards, dz towards the user */
	uint8_t buttons;
};

struct ps2_mouse {
	struct ps2_bytes answer, packet;
	uint8_t last, command;
	bool reporting, remote, wrap, twice;
	uint8_t resolution, rate;
	uint8_t rates[2]; /* the last but one, and the one before: a knock that changes the kind */
	uint8_t id;       /* 0: three buttons, 3: and a wheel, 4: and two buttons more */
	struct ps2_motion now;
	bool moved; /* now is news */
	struct ps2_motion ring[PS2_PACKETS];
	unsigned head, count;
};

void ps2_mouse_reset(struct ps2_mouse *mouse);
void ps2_mouse_write(struct ps2_mouse *mouse, uint8_t value);
bool ps2_mouse_ready(const struct ps2_mouse *mouse);
uint8_t ps2_mouse_read(struct ps2_mouse *mouse);
/* @motion: as it moved, and all buttons as they are now. */
void ps2_mouse_move(struct ps2_mouse *mouse, const struct ps2_motion *motion);

static inline void ps2_put(struct ps2_bytes *bytes, uint8_t value)
{
	if (bytes->len < sizeof(bytes->byte))
		bytes->byte[bytes->len++] = value;
}

static inline bool ps2_left(const struct ps2_bytes *bytes)
{
	return bytes->at < bytes->len;
}

#endif
