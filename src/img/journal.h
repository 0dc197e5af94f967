/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * journal.h - what a repair changes, so that it can be taken back
 *
 * A file in front of an image: before bytes are changed, the old ones are appended to the journal
 * and made durable. The journal is text and bytes:
 *
 *	socle-img journal 1\n
 *	size <bytes of the image before>\n
 *	at <offset> <length>\n<the old bytes>\n		for each change, the oldest first
 */
#ifndef IMG_JOURNAL_H
#define IMG_JOURNAL_H

#include "block/file.h"

/* @file becomes the journal's. @path must not be there yet. */
struct block_file *journal_new(struct block_file *file, const char *path, GError **error);
/* How many changes have been noted. */
unsigned journal_changes(struct block_file *file);

/* Undo what a journal tells, the newest change first. *ret_changes: how many those were. */
bool journal_undo(struct block_file *file, const char *path, unsigned *ret_changes, GError **error);

#endif
