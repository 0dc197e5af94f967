/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mark.h - an offset in a file, and who writes beyond it: once
 *
 * Who has set it looks now and then; whoever writes has one comparison more.
 *
 * Threads: any.
 */
#ifndef BLOCK_MARK_H
#define BLOCK_MARK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/cleanup.h"

/* All zeroes: there is none. */
struct block_mark {
	_Atomic uint64_t limit;  /* 0: there is none, or somebody was beyond it */
	_Atomic uint64_t beyond; /* bytes that the first one was beyond; 0: nobody */
};

static inline void block_mark_set(struct block_mark *mark, uint64_t limit)
{
	atomic_store(&mark->beyond, 0);
	atomic_store(&mark->limit, limit);
}

static inline void block_mark_note(struct block_mark *mark, uint64_t end)
{
	uint64_t limit = atomic_load_explicit(&mark->limit, memory_order_relaxed);

	if (likely(!limit || end <= limit))
		return;
	if (atomic_compare_exchange_strong(&mark->limit, &limit, 0))
		atomic_store(&mark->beyond, end - limit);
}

#endif
