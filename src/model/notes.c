/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * notes.c - what a reader of a definition wants to be told: ignored, replaced, left out
 */
#include "model/notes.h"

#include <stdarg.h>
#include <string.h>

#include "model/say-int.h"

void notes_add(struct notes *notes, const char *fmt, ...)
{
	char *text;
	va_list ap;

	if (!notes || notes->count == NOTES_MAX)
		return;
	if (notes->count == NOTES_MAX - 1) {
		notes->text[notes->count++] = g_strdup("there is more to tell than fits here");
		return;
	}
	va_start(ap, fmt);
	text = say(fmt, ap);
	va_end(ap);
	for (unsigned i = 0; i < notes->count; i++) {
		if (!strcmp(notes->text[i], text)) {
			g_free(text);
			return;
		}
	}
	notes->text[notes->count++] = text;
}

void notes_release(struct notes *notes)
{
	for (unsigned i = 0; i < notes->count; i++)
		g_free(notes->text[i]);
	notes->count = 0;
}
