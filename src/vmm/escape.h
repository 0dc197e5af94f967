/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * escape.h - keys for socle-vm itself among those for the guest: Ctrl-A, then a letter
 */
#ifndef VMM_ESCAPE_H
#define VMM_ESCAPE_H

#include <stdbool.h>
#include <stdint.h>

enum {
	ESCAPE_KEY = 0x01
}; /* Ctrl-A */

enum escape_action {
	ESCAPE_PASS,    /* the byte is for the guest */
	ESCAPE_NOTHING, /* the byte is used up */
	ESCAPE_QUIT,
	ESCAPE_HELP,
	ESCAPE_MONITOR, /* to the human monitor and back */
};

struct escape {
	bool armed; /* the byte before was Ctrl-A */
};

enum escape_action escape_feed(struct escape *escape, uint8_t byte);

/* The text of Ctrl-A H. */
const char *escape_help(void);

#endif
