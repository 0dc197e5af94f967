/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * top-keys.c - what keys do in socle top
 *
 * A terminal sends an arrow as Esc [ A, and a lone Esc as the same first byte. So bytes behind an Esc
 * are held back until the sequence ends or top_key_pause() says that none comes.
 */
#include <string.h>

#include "cli/top.h"

enum {
	KEY_CTRL_C = 3,
	KEY_BACKSPACE = 8,
	KEY_TAB = 9,
	KEY_NEWLINE = 10,
	KEY_CTRL_L = 12,
	KEY_RETURN = 13,
	KEY_CTRL_U = 21,
	KEY_ESC = 27,
	KEY_DELETE = 127,
};

static const struct {
	uint8_t key;
	enum top_sort sort;
	const char *name;
} sorts[] = {
	{ 'c', TOP_CPU, "cpu" },     { 'm', TOP_MEMORY, "memory" },     { 'r', TOP_READ, "read" },
	{ 'w', TOP_WRITE, "write" }, { 'x', TOP_RECEIVED, "received" }, { 't', TOP_SENT, "sent" },
	{ 'n', TOP_NAME, "name" },
};

bool top_sort_of(const char *name, enum top_sort *ret_sort)
{
	for (unsigned i = 0; i < G_N_ELEMENTS(sorts); i++) {
		if (!strcmp(sorts[i].name, name)) {
			*ret_sort = sorts[i].sort;
			return true;
		}
	}
	return false;
}

void top_state_init(struct top_state *state, uint64_t delay_ms)
{
	*state = (struct top_state){ .delay_ms = delay_ms, .sort = TOP_CPU };
}

static void scroll_by(struct top_state *state, int rows)
{
	if (rows < 0)
		state->scroll -= MIN(state->scroll, (unsigned)-rows);
	else
		state->scroll += (unsigned)rows; /* top_draw() sees to the end */
}

static void set_delay(struct top_state *state, bool longer)
{
	uint64_t delay = longer ? state->delay_ms * 2 : state->delay_ms / 2;

	state->delay_ms = CLAMP(delay, TOP_DELAY_MIN_MS, TOP_DELAY_MAX_MS);
}

/* A key that is one byte, while machines are shown. */
static void show_key(struct top_state *state, uint8_t byte)
{
	for (unsigned i = 0; i < G_N_ELEMENTS(sorts); i++) {
		if (sorts[i].key == byte) {
			state->sort = sorts[i].sort;
			state->scroll = 0;
			return;
		}
	}
	switch (byte) {
	case 'q':
	case 'Q':
	case KEY_CTRL_C:
		state->quit = true;
		break;
	case 'h':
	case '?':
		state->mode = TOP_HELP;
		break;
	case '/':
	case 'f':
		state->mode = TOP_FILTER;
		memcpy(state->old_filter, state->filter, sizeof(state->filter));
		break;
	case 'R':
		state->reverse = !state->reverse;
		break;
	case 'a':
		state->all = !state->all;
		break;
	case ' ':
	case KEY_CTRL_L:
		state->refresh = true;
		break;
	case '+':
	case '-':
		set_delay(state, byte == '+');
		break;
	case 'j':
	case 'k':
		scroll_by(state, byte == 'j' ? 1 : -1);
		break;
	case KEY_ESC:
		state->filter[0] = '\0';
		break;
	default:
		break;
	}
}

static void filter_key(struct top_state *state, uint8_t byte)
{
	size_t len = strlen(state->filter);

	switch (byte) {
	case KEY_CTRL_C:
	case KEY_ESC:
		memcpy(state->filter, state->old_filter, sizeof(state->filter));
		state->mode = TOP_SHOW;
		break;
	case KEY_RETURN:
	case KEY_NEWLINE:
		state->mode = TOP_SHOW;
		break;
	case KEY_CTRL_U:
		state->filter[0] = '\0';
		break;
	case KEY_BACKSPACE:
	case KEY_DELETE:
		/* The bytes of a character behind its first one go with it. */
		while (len > 0 && ((uint8_t)state->filter[len - 1] & 0xc0) == 0x80)
			len--;
		state->filter[len ? len - 1 : 0] = '\0';
		break;
	default:
		if (byte >= ' ' && len < TOP_FILTER_MAX) {
			state->filter[len] = (char)byte;
			state->filter[len + 1] = '\0';
		}
		break;
	}
	state->scroll = 0;
}

static void plain_key(struct top_state *state, uint8_t byte)
{
	switch (state->mode) {
	case TOP_HELP:
		/* Any key ends it. */
		state->mode = TOP_SHOW;
		state->quit = byte == KEY_CTRL_C;
		break;
	case TOP_FILTER:
		filter_key(state, byte);
		break;
	case TOP_SHOW:
	default:
		show_key(state, byte);
		break;
	}
}

/* A whole sequence, without its Esc. */
static void sequence_key(struct top_state *state, const char *text)
{
	static const struct {
		const char *text;
		int rows, pages;
	} moves[] = {
		{ "[A", -1, 0 },      { "OA", -1, 0 },      { "[B", 1, 0 },
		{ "OB", 1, 0 },       { "[5~", 0, -1 },     { "[6~", 0, 1 },
		{ "[H", -100000, 0 }, { "OH", -100000, 0 }, { "[1~", -100000, 0 },
		{ "[F", 100000, 0 },  { "OF", 100000, 0 },  { "[4~", 100000, 0 },
	};

	if (state->mode == TOP_HELP)
		state->mode = TOP_SHOW;
	for (unsigned i = 0; state->mode == TOP_SHOW && i < G_N_ELEMENTS(moves); i++) {
		if (!strcmp(moves[i].text, text))
			scroll_by(state, moves[i].rows + moves[i].pages * (int)state->page);
	}
}

void top_key_pause(struct top_state *state)
{
	unsigned had = state->sequence;

	state->sequence = 0;
	if (had == 1)
		plain_key(state, KEY_ESC);
	/* Half a sequence is dropped. */
}

void top_key(struct top_state *state, uint8_t byte)
{
	unsigned at = state->sequence;

	if (at == 0) {
		if (byte == KEY_ESC)
			state->sequence = 1;
		else
			plain_key(state, byte);
		return;
	}
	if (at == 1 && byte != '[' && byte != 'O') {
		/* An Esc, and another key. */
		top_key_pause(state);
		top_key(state, byte);
		return;
	}
	state->held[MIN(at - 1, sizeof(state->held) - 2)] = (char)byte;
	state->held[MIN(at, sizeof(state->held) - 1)] = '\0';
	/* The last byte of a sequence is from '@' on; "[" and "O" are its first. */
	if (at > 1 && byte >= 0x40 && byte < 0x7f) {
		state->sequence = 0;
		sequence_key(state, state->held);
	} else {
		state->sequence = MIN(at + 1, sizeof(state->held));
	}
}
