/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * line-edit.h - a line typed on a raw terminal, with echo and the few keys to correct it
 */
#ifndef VMM_LINE_EDIT_H
#define VMM_LINE_EDIT_H

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	LINE_EDIT_MAX = 256
};

struct line_edit {
	char text[LINE_EDIT_MAX]; /* ends in 0 */
	size_t len;
	uint8_t escape; /* how far in a key that sends ESC [ ... we are */
};

void line_edit_clear(struct line_edit *line);

/* Take a byte; what the terminal is to show is appended to @echo. True: the line is complete, and
 * stays in @text until line_edit_clear(). */
bool line_edit_feed(struct line_edit *line, uint8_t byte, GString *echo);

#endif
