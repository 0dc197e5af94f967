/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * escape.c - keys for socle-vm itself among those for the guest: Ctrl-A, then a letter
 */
#include "vmm/escape.h"

enum escape_action escape_feed(struct escape *escape, uint8_t byte)
{
	if (!escape->armed) {
		escape->armed = byte == ESCAPE_KEY;
		return escape->armed ? ESCAPE_NOTHING : ESCAPE_PASS;
	}
	escape->armed = false;
	switch (byte) {
	case ESCAPE_KEY:
		return ESCAPE_PASS;
	case 'x':
	case 'X':
	case 'x' & 0x1f: /* with the Ctrl key still down */
		return ESCAPE_QUIT;
	case 'h':
	case 'H':
	case 'h' & 0x1f:
	case '?':
		return ESCAPE_HELP;
	case 'c':
	case 'C':
	case 'c' & 0x1f:
		return ESCAPE_MONITOR;
	default:
		return ESCAPE_NOTHING;
	}
}

const char *escape_help(void)
{
	return "\n"
	       "Ctrl-A X       end the machine\n"
	       "Ctrl-A C       to the monitor and back\n"
	       "Ctrl-A H       this help\n"
	       "Ctrl-A Ctrl-A  send one Ctrl-A to the guest\n";
}
