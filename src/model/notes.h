/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * notes.h - what a reader of a definition wants to be told: ignored, replaced, left out
 *
 * Each note is one sentence. Any thread may use a list that no other thread uses.
 */
#ifndef MODEL_NOTES_H
#define MODEL_NOTES_H

#include <glib.h>

enum {
	NOTES_MAX = 64 /* the last one then says that there were more */
};

struct notes {
	char *text[NOTES_MAX];
	unsigned count;
};

/**
 * notes_add() - add a sentence, unless the list has it already
 * @notes: may be NULL, then nothing happens
 */
void notes_add(struct notes *notes, const char *fmt, ...) G_GNUC_PRINTF(2, 3);
void notes_release(struct notes *notes);

#endif
