/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * top.h - the parts of socle top: rates between two samples, the picture, the keys
 *
 * All but top.c is without terminal, clock and daemon. Threads: main only.
 */
#ifndef CLI_TOP_H
#define CLI_TOP_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "cli/sample.h"

enum top_sort {
	TOP_CPU,
	TOP_MEMORY,
	TOP_READ,
	TOP_WRITE,
	TOP_RECEIVED,
	TOP_SENT,
	TOP_NAME,
	TOP_SORT_COUNT
};

/* A machine between two samples. */
struct top_row {
	const char *name, *real_name; /* the sample's */
	const char *uuid;
	int id, state;
	uint64_t vcpus, memory_kib;
	double cpu; /* percent; 100 is one CPU of the host */
	/* Bytes a second. */
	double rd, wr, rx, tx;
};

struct top_rates {
	double seconds; /* between the samples; 0: there is only one */
	GArray *rows;   /* struct top_row */
};

/* @before may be NULL. The rows live as long as @now does. */
struct top_rates *top_rates_new(const struct samples *before, const struct samples *now);
void top_rates_free(struct top_rates *rates);
DEFINE_AUTOPTR(top_rates, top_rates_free);
/* Leaves out what has not @filter in its name ("" is in all), or does not run unless @all. */
void top_rates_arrange(struct top_rates *rates, enum top_sort sort, bool reverse,
		       const char *filter, bool all);

enum top_mode {
	TOP_SHOW,
	TOP_HELP,
	TOP_FILTER, /* the filter is being typed */
};

enum {
	TOP_FILTER_MAX = 63,
	TOP_DELAY_MIN_MS = 100,
	TOP_DELAY_MAX_MS = 3600000,
};

/* What keys change. */
struct top_state {
	enum top_mode mode;
	enum top_sort sort;
	bool reverse, all, quit;
	bool refresh; /* a new sample is wanted now */
	uint64_t delay_ms;
	unsigned scroll, page; /* first row that is seen; rows on the screen */
	char filter[TOP_FILTER_MAX + 1], old_filter[TOP_FILTER_MAX + 1];
	unsigned sequence; /* bytes of an escape sequence so far */
	char held[8];
};

void top_state_init(struct top_state *state, uint64_t delay_ms);
void top_key(struct top_state *state, uint8_t byte);
/* No more bytes come for now: an Esc was just that. */
void top_key_pause(struct top_state *state);

/* "cpu", "memory" ...; false if it is none. */
bool top_sort_of(const char *name, enum top_sort *ret_sort);

struct top_screen {
	unsigned columns, rows;
	const char *host;    /* name of the host, or NULL */
	const char *clock;   /* time of the day */
	const char *problem; /* why there is nothing new, or NULL */
	unsigned host_cpus;  /* 0: not known */
	uint64_t host_memory_kib;
};

/* A whole picture for a terminal of that size; @state gets its page, and a scroll that fits. */
void top_draw(struct top_state *state, const struct top_screen *screen,
	      const struct top_rates *rates, GString *out);
/* The same for a pipe: heading and all rows, without control characters. */
void top_print(const struct top_rates *rates, const struct top_screen *screen, GString *out);

#endif
