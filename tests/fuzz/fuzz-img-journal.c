/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz-img-journal.c - journals of a repair that somebody made to hurt us, undone
 *
 * Input: a journal. The file that it is for is small, and may not become large.
 */
#include <stdint.h>

#include "img/journal.h"

enum {
	LIMIT = 1 << 20
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	autoptr(block_file) log = block_file_memory(data, size);
	autoptr(block_file) file = block_file_scratch(LIMIT);

	(void)journal_undo(file, log, "fuzz", NULL);
	return 0;
}
