/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * store-reserve.h - room on the disk for what a log has and files have not yet
 *
 * A file of which nobody reads anything. It is removed when the disk is full, and files get its room.
 *
 * Threads: the store's, or the main loop while that one is not there.
 */
#ifndef DAEMON_STORE_RESERVE_H
#define DAEMON_STORE_RESERVE_H

#include <stdbool.h>
#include <stdint.h>

enum {
	RESERVE_SIZE = 2 * 1024 * 1024,
	RESERVE_BLOCK = 4096, /* of the file system, which may have smaller ones */
};

struct reserve {
	char *path;
	bool is_there;
};

/* The one of the folder @state, which may have none. */
void reserve_init(struct reserve *reserve, const char *state);
void reserve_release(struct reserve *reserve);

/* Is there room for twice of it on a disk with @blocks of @block_size bytes? */
bool reserve_fits(uint64_t blocks, uint64_t block_size);
/* Make it, if it is not there and there is room for twice of it. 0 or -errno. */
int reserve_make(struct reserve *reserve);
/* Remove it. False: there was none, or it cannot be. */
bool reserve_give_up(struct reserve *reserve);

static inline bool reserve_is_there(const struct reserve *reserve)
{
	return reserve->is_there;
}

#endif
