/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * console-keys.h - keys for socle among those for the guest: Ctrl-], and Ctrl-A with a letter
 */
#ifndef CLI_CONSOLE_KEYS_H
#define CLI_CONSOLE_KEYS_H

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	CONSOLE_CTRL_A = 0x01,
	CONSOLE_CTRL_BRACKET = 0x1d,
};

enum console_action {
	CONSOLE_PASS, /* all bytes have been looked at */
	CONSOLE_LEAVE,
	CONSOLE_HELP,
};

struct console_keys {
	int escape; /* the byte that leaves; -1: none does */
	bool armed; /* the byte before was Ctrl-A */
};

/*
 * Looks at the *len bytes at *bytes until one means something, and moves both behind it. What is for
 * the guest goes to @out, which has room for *len bytes; *ret_len is how much that is.
 */
enum console_action console_keys_feed(struct console_keys *keys, const uint8_t **bytes, size_t *len,
				      uint8_t *out, size_t *ret_len);

/* "^]", "^A", "none"; false if it is none of these. */
bool console_keys_escape(const char *text, int *ret_escape);
/* "Ctrl-]", or NULL if there is none; g_free() it. */
char *console_keys_name(int escape);

#endif
