/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * journal.h - a file that is changed, and another one that has what it was
 *
 * Layout, little-endian: "socle-journal-1\n", u64 size of the file before; then a record for each
 * change: u64 offset, u32 length, u32 FNV-1a of the bytes, and the bytes that were there. A record
 * is durable before the change that it is for.
 *
 * Threads: one at a time.
 */
#ifndef IMG_JOURNAL_H
#define IMG_JOURNAL_H

#include "block/file.h"

/*
 * @log is empty. Both become the new one's, also when that fails.
 * @name: of the journal, for messages
 */
struct block_file *journal_new(struct block_file *file, struct block_file *log, const char *name,
			       GError **error);
/* Was there nothing to be changed? Then the journal says nothing. */
bool journal_is_empty(struct block_file *file);
/* Let @file be what it was. A record that is not complete was for no change. */
bool journal_undo(struct block_file *file, struct block_file *log, const char *name,
		  GError **error);

#endif
