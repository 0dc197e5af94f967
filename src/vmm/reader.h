/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * reader.h - bytes from a file descriptor to the front end of a chardev
 *
 * Threads: main loop.
 */
#ifndef VMM_READER_H
#define VMM_READER_H

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "dev/chardev.h"

struct reader;

struct reader_config {
	struct chardev *chr;
	/* Keep reading while the front end takes nothing, and lose what does not fit: keys that end
	 * the machine must get through. Else nothing is read then, and nothing lost. */
	bool lossy;
	/* A hang-up of the peer ends it even while nothing is read. */
	bool end_on_hup;
	/* Take bytes out of what was read, in place; how many are left. May be NULL. */
	size_t (*filter)(void *opaque, uint8_t *buf, size_t len);
	/* End of file, hang-up or error; the reader is stopped. May be NULL. */
	void (*closed)(void *opaque);
	void *opaque;
};

struct reader *reader_new(const struct reader_config *config);
void reader_free(struct reader *reader);
DEFINE_AUTOPTR(reader, reader_free);

/* Read from @fd, which is borrowed, until the end or until stopped. */
void reader_start(struct reader *reader, int fd);
/* Stop, and forget what was not delivered yet. */
void reader_stop(struct reader *reader);
/* The front end takes bytes again. */
void reader_resume(struct reader *reader);

#endif
