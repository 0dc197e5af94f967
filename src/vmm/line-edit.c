/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * line-edit.c - a line typed on a raw terminal, with echo and the few keys to correct it
 */
#include "vmm/line-edit.h"

void line_edit_clear(struct line_edit *line)
{
	line->len = 0;
	line->text[0] = '\0';
	line->escape = 0;
}

static void rub_out(struct line_edit *line, GString *echo)
{
	/* A character of UTF-8 is one on the screen. */
	while (line->len > 0 && ((uint8_t)line->text[line->len - 1] & 0xc0) == 0x80)
		line->len--;
	if (line->len > 0)
		line->len--;
	line->text[line->len] = '\0';
	g_string_append(echo, "\b \b");
}

/* Cursor and function keys are not for us: swallow ESC [ up to its last byte, or ESC and one. */
static bool in_escape(struct line_edit *line, uint8_t byte)
{
	if (byte == 0x1b) {
		line->escape = 1;
		return true;
	}
	if (!line->escape)
		return false;
	if (line->escape == 1)
		line->escape = byte == '[' || byte == 'O' ? 2 : 0;
	else if (byte >= 0x40)
		line->escape = 0;
	return true;
}

bool line_edit_feed(struct line_edit *line, uint8_t byte, GString *echo)
{
	if (in_escape(line, byte))
		return false;
	switch (byte) {
	case '\r':
	case '\n':
		g_string_append_c(echo, '\n');
		return true;
	case '\b':
	case 0x7f:
		if (line->len > 0)
			rub_out(line, echo);
		return false;
	case 'u' & 0x1f:
	case 'c' & 0x1f:
		while (line->len > 0)
			rub_out(line, echo);
		return false;
	default:
		break;
	}
	if (byte < 0x20 || line->len + 1 >= LINE_EDIT_MAX)
		return false;
	line->text[line->len++] = (char)byte;
	line->text[line->len] = '\0';
	g_string_append_c(echo, (char)byte);
	return false;
}
