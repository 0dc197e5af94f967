/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ps2-keyboard.c - a PS/2 keyboard with 105 keys, scan code sets 2 and 1
 *
 * Keys wait as keys, and become codes when the host reads them. The table is that of the controller,
 * from set 1 to set 2: a key's code behind 0xe0 follows it, too.
 */
#include <string.h>

#include "base/cleanup.h"
#include "dev/ps2-int.h"
#include "display/keys.h"

enum {
	KB_LEDS = 0xed,
	KB_ECHO = 0xee,
	KB_SET = 0xf0,
	KB_ALL_LAST = 0xfa, /* from 0xf7: all keys repeat, release ...: of set 3, and accepted */
	KB_ID_1 = 0xab,
	KB_ID_2 = 0x83,

	SET2_BREAK = 0xf0,
	SET2_F7 = 0x83,
	SET2_SYSRQ = 0x84,
	SET1_F7 = 0x41,
	EXTENDED = 0xe0,
};

static const uint8_t set2[128] = {
	0x00, 0x76, 0x16, 0x1e, 0x26, 0x25, 0x2e, 0x36, 0x3d, 0x3e, 0x46, 0x45, 0x4e, 0x55, 0x66,
	0x0d, 0x15, 0x1d, 0x24, 0x2d, 0x2c, 0x35, 0x3c, 0x43, 0x44, 0x4d, 0x54, 0x5b, 0x5a, 0x14,
	0x1c, 0x1b, 0x23, 0x2b, 0x34, 0x33, 0x3b, 0x42, 0x4b, 0x4c, 0x52, 0x0e, 0x12, 0x5d, 0x1a,
	0x22, 0x21, 0x2a, 0x32, 0x31, 0x3a, 0x41, 0x49, 0x4a, 0x59, 0x7c, 0x11, 0x29, 0x58, 0x05,
	0x06, 0x04, 0x0c, 0x03, 0x0b, 0x02, 0x0a, 0x01, 0x09, 0x77, 0x7e, 0x6c, 0x75, 0x7d, 0x7b,
	0x6b, 0x73, 0x74, 0x79, 0x69, 0x72, 0x7a, 0x70, 0x71, 0x7f, 0x60, 0x61, 0x78, 0x07, 0x0f,
	0x17, 0x1f, 0x27, 0x2f, 0x37, 0x3f, 0x47, 0x4f, 0x56, 0x5e, 0x08, 0x10, 0x18, 0x20, 0x28,
	0x30, 0x38, 0x40, 0x48, 0x50, 0x57, 0x6f, 0x13, 0x19, 0x39, 0x51, 0x53, 0x5c, 0x5f, 0x62,
	0x63, 0x64, 0x65, 0x67, 0x68, 0x6a, 0x6d, 0x6e,
};

uint8_t ps2_translate(uint8_t code)
{
	if (code == SET2_F7)
		return SET1_F7;
	if (code == SET2_SYSRQ)
		return KEYS_SYSRQ;
	if (code >= ARRAY_SIZE(set2))
		return code;
	return (uint8_t)((const uint8_t *)memchr(set2, code, sizeof(set2)) - set2);
}

static uint8_t code_of(const struct ps2_keyboard *kb, uint8_t number)
{
	uint8_t code = number & (KEYS_EXTENDED - 1);

	if (kb->set == 1)
		return code;
	if (number == SET1_F7)
		return SET2_F7;
	return number == KEYS_SYSRQ ? SET2_SYSRQ : set2[code];
}

static void expand(struct ps2_keyboard *kb, uint8_t number, bool down)
{
	static const uint8_t pause[2][8] = {
		{ 0xe1, 0x1d, 0x45, 0xe1, 0x9d, 0xc5 },
		{ 0xe1, 0x14, 0x77, 0xe1, 0xf0, 0x14, 0xf0, 0x77 },
	};
	uint8_t code = code_of(kb, number);

	kb->codes = (struct ps2_bytes){ .len = 0 };
	if (number == KEYS_PAUSE) {
		memcpy(kb->codes.byte, pause[kb->set - 1], sizeof(pause[0]));
		kb->codes.len = kb->set == 1 ? 6 : 8;
		return;
	}
	if (number & KEYS_EXTENDED)
		ps2_put(&kb->codes, EXTENDED);
	if (!down && kb->set == 1)
		code |= 0x80;
	else if (!down)
		ps2_put(&kb->codes, SET2_BREAK);
	ps2_put(&kb->codes, code);
}

static bool test(const uint64_t *set, uint8_t number)
{
	return set[number / 64] >> number % 64 & 1;
}

static void mark(uint64_t *set, uint8_t number, bool on)
{
	uint64_t bit = UINT64_C(1) << number % 64;

	set[number / 64] = on ? set[number / 64] | bit : set[number / 64] & ~bit;
}

static void push(struct ps2_keyboard *kb, uint8_t number, bool down)
{
	unsigned at = (kb->head + kb->count++) % PS2_KEYS;

	kb->ring[at].number = number;
	kb->ring[at].down = down;
}

void ps2_keyboard_key(struct ps2_keyboard *kb, uint8_t number, bool down)
{
	/* The codes of Pause are press and release at once. */
	if (!kb->scanning || (!down && (number == KEYS_PAUSE || !test(kb->down, number))))
		return;
	if (kb->count < PS2_KEYS)
		push(kb, number, down);
	else if (down)
		return;
	else
		mark(kb->late, number, true);
	mark(kb->down, number, down);
}

static void release_late(struct ps2_keyboard *kb)
{
	for (unsigned i = 0; i < ARRAY_SIZE(kb->late) && kb->count < PS2_KEYS; i++) {
		while (kb->late[i] && kb->count < PS2_KEYS) {
			uint8_t number = (uint8_t)(i * 64 + (unsigned)__builtin_ctzll(kb->late[i]));

			mark(kb->late, number, false);
			push(kb, number, false);
		}
	}
}

bool ps2_keyboard_ready(const struct ps2_keyboard *kb)
{
	return ps2_left(&kb->codes) || ps2_left(&kb->answer) || kb->count;
}

uint8_t ps2_keyboard_read(struct ps2_keyboard *kb)
{
	struct ps2_bytes *from = &kb->codes;

	if (!ps2_left(from))
		from = &kb->answer;
	if (!ps2_left(from)) {
		unsigned at = kb->head;

		kb->head = (kb->head + 1) % PS2_KEYS;
		kb->count--;
		from = &kb->codes;
		expand(kb, kb->ring[at].number, kb->ring[at].down);
		release_late(kb);
	}
	kb->last = from->byte[from->at++];
	return kb->last;
}

static void forget_keys(struct ps2_keyboard *kb)
{
	kb->codes = (struct ps2_bytes){ .len = 0 };
	kb->head = kb->count = 0;
	memset(kb->down, 0, sizeof(kb->down));
	memset(kb->late, 0, sizeof(kb->late));
}

static void defaults(struct ps2_keyboard *kb, bool scanning)
{
	forget_keys(kb);
	kb->set = 2;
	kb->scanning = scanning;
}

void ps2_keyboard_reset(struct ps2_keyboard *kb)
{
	*kb = (struct ps2_keyboard){ .last = PS2_SELF_TEST_OK };
	defaults(kb, true);
}

static void take_parameter(struct ps2_keyboard *kb, uint8_t value)
{
	uint8_t command = kb->command;

	kb->command = 0;
	if (command == KB_SET && value > 2) {
		ps2_put(&kb->answer, PS2_RESEND);
		return;
	}
	ps2_put(&kb->answer, PS2_ACK);
	if (command == KB_SET && !value)
		ps2_put(&kb->answer, kb->set);
	else if (command == KB_SET)
		kb->set = value;
}

void ps2_keyboard_write(struct ps2_keyboard *kb, uint8_t value)
{
	uint8_t last = kb->last;

	kb->answer = (struct ps2_bytes){ .len = 0 };
	/* No parameter looks like a command. */
	if (kb->command && value < KB_LEDS) {
		take_parameter(kb, value);
		return;
	}
	kb->command = 0;
	if (value == KB_ECHO || value == PS2_RESEND) {
		ps2_put(&kb->answer, value == KB_ECHO ? value : last);
		return;
	}
	if (value < KB_LEDS || value == 0xef || value == 0xf1 ||
	    (value > KB_ALL_LAST && value < PS2_RESET)) {
		ps2_put(&kb->answer, PS2_RESEND);
		return;
	}
	ps2_put(&kb->answer, PS2_ACK);
	switch (value) {
	case KB_LEDS:
	case KB_SET:
	case PS2_RATE:
		kb->command = value;
		break;
	case PS2_IDENTIFY:
		ps2_put(&kb->answer, KB_ID_1);
		ps2_put(&kb->answer, KB_ID_2);
		break;
	case PS2_ENABLE:
		kb->scanning = true;
		break;
	case PS2_DISABLE:
		defaults(kb, false);
		break;
	case PS2_DEFAULTS:
		defaults(kb, true);
		break;
	case PS2_RESET:
		defaults(kb, true);
		ps2_put(&kb->answer, PS2_SELF_TEST_OK);
		break;
	default: /* 0xf7 and on */
		break;
	}
}
