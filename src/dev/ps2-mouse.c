/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ps2-mouse.c - a PS/2 mouse: three buttons, with the usual knocks a wheel and five
 *
 * Motion adds up while nobody reads. A change of buttons closes what has added up, so that a click is
 * seen however slow the guest is; when the ring is full, clicks are lost, but the buttons' state is not.
 */
#include <glib.h>

#include "dev/ps2-int.h"

enum {
	MOUSE_SCALE_1 = 0xe6,
	MOUSE_SCALE_2 = 0xe7,
	MOUSE_RESOLUTION = 0xe8,
	MOUSE_STATUS = 0xe9,
	MOUSE_STREAM = 0xea,
	MOUSE_DATA = 0xeb,
	MOUSE_NO_WRAP = 0xec,
	MOUSE_WRAP = 0xee,
	MOUSE_REMOTE = 0xf0,

	ID_WHEEL = 3,
	ID_BUTTONS = 4,
	MAX_MOTION = 1 << 16, /* that adds up */
	DEFAULT_RATE = 100,
	DEFAULT_RESOLUTION = 2,
	BUTTONS_3 = 7,
};

static int add(int a, int b)
{
	return CLAMP(a + CLAMP(b, -MAX_MOTION, MAX_MOTION), -MAX_MOTION, MAX_MOTION);
}

void ps2_mouse_move(struct ps2_mouse *mouse, const struct ps2_motion *motion)
{
	struct ps2_motion *now = &mouse->now;

	if (!mouse->reporting && !mouse->remote) {
		now->buttons = motion->buttons;
		return;
	}
	if (motion->buttons != now->buttons && mouse->moved && mouse->count < PS2_PACKETS) {
		mouse->ring[(mouse->head + mouse->count++) % PS2_PACKETS] = *now;
		*now = (struct ps2_motion){ .buttons = now->buttons };
	}
	now->dx = add(now->dx, motion->dx);
	now->dy = add(now->dy, motion->dy);
	now->dz = add(now->dz, motion->dz);
	now->buttons = motion->buttons;
	mouse->moved = true;
}

/* What fits into a packet is taken off @from. */
static void make_packet(struct ps2_mouse *mouse, struct ps2_motion *from)
{
	int dx = CLAMP(from->dx, -255, 255), dy = CLAMP(from->dy, -255, 255);
	int dz = CLAMP(from->dz, -8, 7);

	from->dx -= dx;
	from->dy -= dy;
	from->dz -= dz;
	mouse->packet = (struct ps2_bytes){ .len = 0 };
	ps2_put(&mouse->packet,
		(uint8_t)((from->buttons & BUTTONS_3) | 1 << 3 | (dx < 0) << 4 | (dy < 0) << 5));
	ps2_put(&mouse->packet, (uint8_t)dx);
	ps2_put(&mouse->packet, (uint8_t)dy);
	if (mouse->id == ID_WHEEL)
		ps2_put(&mouse->packet, (uint8_t)dz);
	else if (mouse->id == ID_BUTTONS)
		ps2_put(&mouse->packet, (uint8_t)((dz & 0x0f) | (from->buttons & 0x18) << 1));
}

static bool has_motion(const struct ps2_motion *motion)
{
	return motion->dx || motion->dy || motion->dz;
}

static void next_packet(struct ps2_mouse *mouse)
{
	struct ps2_motion *first = &mouse->ring[mouse->head];

	if (mouse->count) {
		make_packet(mouse, first);
		if (has_motion(first))
			return;
		mouse->head = (mouse->head + 1) % PS2_PACKETS;
		mouse->count--;
		return;
	}
	make_packet(mouse, &mouse->now);
	mouse->moved = has_motion(&mouse->now);
}

bool ps2_mouse_ready(const struct ps2_mouse *mouse)
{
	return ps2_left(&mouse->packet) || ps2_left(&mouse->answer) ||
	       (mouse->reporting && !mouse->remote && (mouse->moved || mouse->count));
}

uint8_t ps2_mouse_read(struct ps2_mouse *mouse)
{
	struct ps2_bytes *from = &mouse->packet;

	if (!ps2_left(from))
		from = &mouse->answer;
	if (!ps2_left(from)) {
		next_packet(mouse);
		from = &mouse->packet;
	}
	mouse->last = from->byte[from->at++];
	return mouse->last;
}

static void forget_motion(struct ps2_mouse *mouse)
{
	mouse->packet = (struct ps2_bytes){ .len = 0 };
	mouse->now = (struct ps2_motion){ .buttons = mouse->now.buttons };
	mouse->moved = false;
	mouse->head = mouse->count = 0;
}

static void defaults(struct ps2_mouse *mouse)
{
	forget_motion(mouse);
	mouse->reporting = mouse->remote = mouse->wrap = mouse->twice = false;
	mouse->rate = DEFAULT_RATE;
	mouse->resolution = DEFAULT_RESOLUTION;
}

void ps2_mouse_reset(struct ps2_mouse *mouse)
{
	*mouse = (struct ps2_mouse){ .last = PS2_SELF_TEST_OK };
	defaults(mouse);
}

static void set_rate(struct ps2_mouse *mouse, uint8_t rate)
{
	if (mouse->rates[0] == 200 && mouse->rates[1] == 100 && rate == 80)
		mouse->id = ID_WHEEL;
	else if (mouse->id == ID_WHEEL && mouse->rates[0] == 200 && mouse->rates[1] == 200 &&
		 rate == 80)
		mouse->id = ID_BUTTONS;
	mouse->rates[0] = mouse->rates[1];
	mouse->rates[1] = mouse->rate = rate;
}

static void tell_status(struct ps2_mouse *mouse)
{
	uint8_t buttons = mouse->now.buttons;

	ps2_put(&mouse->answer,
		(uint8_t)((buttons & 1) << 2 | (buttons & 2) >> 1 | (buttons & 4) >> 1 |
			  mouse->twice << 4 | mouse->reporting << 5 | mouse->remote << 6));
	ps2_put(&mouse->answer, mouse->resolution);
	ps2_put(&mouse->answer, mouse->rate);
}

static void tell_motion(struct ps2_mouse *mouse)
{
	struct ps2_bytes packet;

	next_packet(mouse);
	packet = mouse->packet;
	mouse->packet = (struct ps2_bytes){ .len = 0 };
	for (unsigned i = 0; i < packet.len; i++)
		ps2_put(&mouse->answer, packet.byte[i]);
}

static void take_command(struct ps2_mouse *mouse, uint8_t value)
{
	ps2_put(&mouse->answer, PS2_ACK);
	switch (value) {
	case MOUSE_SCALE_1:
	case MOUSE_SCALE_2:
		mouse->twice = value == MOUSE_SCALE_2;
		break;
	case MOUSE_RESOLUTION:
	case PS2_RATE:
		mouse->command = value;
		break;
	case MOUSE_STATUS:
		tell_status(mouse);
		break;
	case MOUSE_STREAM:
	case MOUSE_REMOTE:
		mouse->remote = value == MOUSE_REMOTE;
		break;
	case MOUSE_DATA:
		tell_motion(mouse);
		break;
	case MOUSE_NO_WRAP:
	case MOUSE_WRAP:
		mouse->wrap = value == MOUSE_WRAP;
		break;
	case PS2_IDENTIFY:
		ps2_put(&mouse->answer, mouse->id);
		break;
	case PS2_ENABLE:
	case PS2_DISABLE:
		mouse->reporting = value == PS2_ENABLE;
		break;
	case PS2_DEFAULTS:
		defaults(mouse);
		break;
	case PS2_RESET:
		defaults(mouse);
		mouse->id = 0;
		ps2_put(&mouse->answer, PS2_SELF_TEST_OK);
		ps2_put(&mouse->answer, 0);
		break;
	case PS2_RESEND:
		mouse->answer = (struct ps2_bytes){ .byte = { mouse->last }, .len = 1 };
		break;
	default:
		mouse->answer = (struct ps2_bytes){ .byte = { PS2_RESEND }, .len = 1 };
		break;
	}
}

void ps2_mouse_write(struct ps2_mouse *mouse, uint8_t value)
{
	uint8_t command = mouse->command;

	mouse->answer = (struct ps2_bytes){ .len = 0 };
	mouse->command = 0;
	if (mouse->wrap && value != PS2_RESET && value != MOUSE_NO_WRAP) {
		ps2_put(&mouse->answer, value);
		return;
	}
	if (!command) {
		take_command(mouse, value);
		return;
	}
	ps2_put(&mouse->answer, PS2_ACK);
	if (command == PS2_RATE)
		set_rate(mouse, value);
	else
		mouse->resolution = value & 3;
}
