/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * io.h - address spaces for port and memory-mapped I/O: who answers at an address
 *
 * A machine has two: ports (64 Ki of them) and memory-mapped. Devices embed a struct io_range and
 * add it; an access goes to the range that holds all of its bytes. What nobody answers reads as all
 * ones and swallows writes, as on a PC.
 *
 * Threads: io_space_add() and _remove() from any, also while vCPUs run: a guest moves the BARs of
 * its devices as often as it likes. Reads and writes from any thread, without a lock. A device
 * locks itself if it must. After io_space_remove() a vCPU may still be inside the range: pause the
 * vCPUs before freeing it.
 */
#ifndef BUS_IO_H
#define BUS_IO_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/cleanup.h"

struct io_range;
struct io_space;

/* Where an access at @off (bytes from the start of the range) of @size 1, 2, 4 or 8 bytes goes. */
struct io_ops {
	/* The value in the low bytes of the result. NULL: reads as all ones. */
	uint64_t (*read)(struct io_range *range, uint64_t off, unsigned size);
	/* Bits of @value above @size are zero. NULL: writes are ignored. */
	void (*write)(struct io_range *range, uint64_t off, unsigned size, uint64_t value);
};

struct io_range {
	const struct io_ops *ops;
	uint64_t base, len;
	const char *name; /* for messages */
	/*
	 * How far an access that begins inside may reach beyond the end. For registers that are as
	 * wide as the access: port 0xcf8 takes four bytes, or one of the byte 0xcf9 another device.
	 */
	unsigned overhang;
};

struct io_space *io_space_new(const char *name, uint64_t limit);
void io_space_free(struct io_space *space);
DEFINE_AUTOPTR(io_space, io_space_free);

/* @range must live until it is removed. Fails if it overlaps another, or goes beyond the limit. */
bool io_space_add(struct io_space *space, struct io_range *range, GError **error);
/* Nothing happens if it is not there. */
void io_space_remove(struct io_space *space, struct io_range *range);

uint64_t io_read(struct io_space *space, uint64_t addr, unsigned size);
void io_write(struct io_space *space, uint64_t addr, unsigned size, uint64_t value);

#endif
