/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * writer.h - a thread that writes what others must not wait for
 *
 * A vCPU that prints must never wait for a terminal, disk or peer, and a terminal that we share with
 * others must not be made non-blocking. So bytes go to a bounded buffer, and a thread writes them.
 *
 * Threads: writer_put() from any, the rest on the main loop.
 */
#ifndef VMM_WRITER_H
#define VMM_WRITER_H

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"

struct writer;

enum {
	WRITER_ROOM = 64 * 1024,
	WRITER_RESERVE = 4096,   /* of that for writer_put_text() only */
	WRITER_KEPT = 32 * 1024, /* of what is printed while nobody is there */
};

struct writer_config {
	const char *what; /* for messages: "serial output" */
	int fd;           /* borrowed; -1: bytes are dropped until writer_set_fd() */
	/* While poll() reports a hang-up, nobody has the pty open: the last bytes wait for who comes, those
	 * before are dropped. */
	bool keep_on_hup;
	/* [main] There is room again, after writer_put() took less than all. */
	void (*writable)(void *opaque);
	void *opaque;
};

struct writer *writer_new(const struct writer_config *config, GError **error);

/* How many bytes were taken. */
size_t writer_put(struct writer *writer, const uint8_t *buf, size_t len);
/* All of it, or as much as there is room for: what we say ourselves among the guest's bytes. */
void writer_put_text(struct writer *writer, const char *text);

/* Write to @fd from now on (-1: nowhere) and forget what was not written yet. The old one, which
 * must be non-blocking or broken, is not used any more on return. */
void writer_set_fd(struct writer *writer, int fd);

/* Somebody may have come: look again. Without it that is done when there is more to write. */
void writer_look(struct writer *writer);

/* Wait until all is written, as long as it goes on, and free it. NULL is fine. */
void writer_free(struct writer *writer);
DEFINE_AUTOPTR(writer, writer_free);

#endif
