/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * console-keys.c - keys for socle among those for the guest: Ctrl-], and Ctrl-A with a letter
 */
#include "cli/console-keys.h"

#include <string.h>

static enum console_action behind_ctrl_a(uint8_t byte, uint8_t *out, size_t *len)
{
	switch (byte) {
	case 'x':
	case 'X':
	case 'x' & 0x1f: /* with the Ctrl key still down */
		return CONSOLE_LEAVE;
	case 'h':
	case 'H':
	case 'h' & 0x1f:
	case '?':
		return CONSOLE_HELP;
	case CONSOLE_CTRL_A:
		out[(*len)++] = byte;
		return CONSOLE_PASS;
	default:
		return CONSOLE_PASS;
	}
}

enum console_action console_keys_feed(struct console_keys *keys, const uint8_t **bytes, size_t *len,
				      uint8_t *out, size_t *ret_len)
{
	enum console_action action = CONSOLE_PASS;
	size_t count = 0;

	while (*len > 0 && action == CONSOLE_PASS) {
		uint8_t byte = *(*bytes)++;

		(*len)--;
		if (keys->armed) {
			keys->armed = false;
			action = behind_ctrl_a(byte, out, &count);
		} else if (byte == keys->escape) {
			action = CONSOLE_LEAVE;
		} else if (byte == CONSOLE_CTRL_A) {
			keys->armed = true;
		} else {
			out[count++] = byte;
		}
	}
	*ret_len = count;
	return action;
}

bool console_keys_escape(const char *text, int *ret_escape)
{
	char key;

	if (!strcmp(text, "none")) {
		*ret_escape = -1;
		return true;
	}
	if (text[0] != '^' || !text[1] || text[2])
		return false;
	key = g_ascii_toupper(text[1]);
	/* Ctrl-M and Ctrl-J are the return key. */
	if (key < '@' || key > '_' || key == 'M' || key == 'J' || key == 'A')
		return false;
	*ret_escape = key & 0x1f;
	return true;
}

char *console_keys_name(int escape)
{
	return escape < 0 ? NULL : g_strdup_printf("Ctrl-%c", escape + '@');
}
