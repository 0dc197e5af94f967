/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * copy.h - copy what images have into another one: read and pack by threads, written in order
 *
 * Threads: main only; it starts others itself.
 */
#ifndef IMG_COPY_H
#define IMG_COPY_H

#include "img/img.h"

enum {
	COPY_MAX_SOURCES = 64, /* images, one behind the other */
	COPY_MAX_THREADS = 16,
};

struct copy {
	struct image *sources[COPY_MAX_SOURCES];
	unsigned count;
	uint64_t start, len; /* of the sources, as if they were one; multiples of 512 */
	struct image *target;
	unsigned threads;    /* that read; 1 to COPY_MAX_THREADS */
	uint64_t sparse;     /* zeroes of so many bytes become a hole; 0: none ever do */
	bool compress;       /* the target has pack() */
	bool target_is_zero; /* zeroes need not be written */
	bool over_backing;   /* what the source has not itself, the target finds behind it */
	bool salvage;        /* what cannot be read is zero, and told */
	uint64_t rate;       /* bytes in a second; 0: no limit */
	struct img_progress *progress;
};

/* The target is flushed. */
bool copy_run(struct copy *copy, GError **error);

/* How many threads are of use here. */
unsigned copy_default_threads(bool compress);

#endif
