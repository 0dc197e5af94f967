/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * surface.h - a picture of 32 bits per pixel, and which of its rows have changed
 *
 * A pixel is 0x00RRGGBB. Rows follow each other without a gap. Memory is reserved for the largest
 * picture at once, so no guest makes us allocate, and is used as far as pictures have reached.
 *
 * Threads: whoever draws it is one thread. It holds the lock while it changes anything, and so do
 * others while they look.
 */
#ifndef DISPLAY_SURFACE_H
#define DISPLAY_SURFACE_H

#include <glib.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/cleanup.h"

enum {
	SURFACE_MAX_WIDTH = 2560,
	SURFACE_MAX_HEIGHT = 2560,
	SURFACE_MAX_PIXELS = 2560 * 1600,
};

/* Rows of a picture. */
struct surface_rows {
	uint64_t bits[SURFACE_MAX_HEIGHT / 64];
};

struct surface {
	pthread_mutex_t lock;
	unsigned width, height;
	uint32_t *pixels;
	bool resized;                /* since surface_take_changes() */
	struct surface_rows changed; /* since then */
};

struct surface *surface_new(void);
void surface_free(struct surface *surface);
DEFINE_AUTOPTR(surface, surface_free);

/* Another one with the same picture. Who draws into @surface asks for it. */
struct surface *surface_copy(const struct surface *surface);
/* It has another size from now on, and is black; cut to what is possible. */
void surface_resize(struct surface *surface, unsigned width, unsigned height);
/* Row @y is @pixels; it has changed if it was not. */
void surface_set_row(struct surface *surface, unsigned y, const uint32_t *pixels);

/* What has changed is added to @rows and forgotten; false: nothing has. */
bool surface_take_changes(struct surface *surface, struct surface_rows *rows, bool *resized);

/* Is row @y among them? The first and the number of those that follow each other from @*y on; false:
 * there are none. */
bool surface_rows_next(const struct surface_rows *rows, unsigned height, unsigned *y,
		       unsigned *ret_count);
void surface_rows_add(struct surface_rows *rows, unsigned y, unsigned count);

enum surface_format {
	SURFACE_PPM,
	SURFACE_PNG,
};

/* As a file; NULL if it cannot be (memory). */
GBytes *surface_encode(struct surface *surface, enum surface_format format, GError **error);

#endif
