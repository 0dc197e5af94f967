/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * jobs64.c - a guest that never stops to write to a disk, and remembers what it wrote; test-jobs.py
 * starts it
 *
 * The disk has a pattern of its own in each piece of 8 sectors. Pieces are written in a random order,
 * and pieces are read that were written, or were not, long ago: what a piece has is what it was given
 * last, whatever becomes of the images behind the disk. Whatever else is the end.
 */
#include "virtio/virtio.h"

enum {
	PIECE = 8, /* sectors */
	MAX_PIECES = 8192,
	CAPACITY = 0, /* of the configuration */
};

static struct queue disk = { .size = RING };
static u32 version[MAX_PIECES];

void step(const char *where, const char *what, int ok)
{
	if (ok)
		return;
	print("%s, %s: WRONG\n", where, what);
	guest_exit(1);
}

static u32 any(u32 below)
{
	static u64 state = 1;

	state = state * 6364136223846793005ull + 1442695040888963407ull;
	return (u32)(state >> 33) % below;
}

static u64 seed(u32 piece)
{
	return (u64)version[piece] << 40 | (u64)piece << 16;
}

int main(void)
{
	u32 pieces;

	irq_init();
	devices_find();
	step("disk", "is there", device_count == 1 && devices[0].type == TYPE_BLK);
	step("disk", "start", blk_start(&devices[0], modes[3].features, &disk));
	pieces = (u32)(config64(&devices[0], CAPACITY) / PIECE);
	step("disk", "is small", pieces <= MAX_PIECES);
	print("ready\n");
	for (u32 round = 1;; round++) {
		u32 piece = any(pieces);

		version[piece]++;
		step("disk", "write", blk_write(&disk, (u64)piece * PIECE, seed(piece)));
		piece = any(pieces);
		step("disk", "read", blk_has(&disk, (u64)piece * PIECE, seed(piece)));
		if (round % 64 == 0)
			step("disk", "flush", blk_flush(&disk));
	}
}
