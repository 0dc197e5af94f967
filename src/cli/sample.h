/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sample.h - what all machines are doing, at one moment
 *
 * Threads: main only.
 */
#ifndef CLI_SAMPLE_H
#define CLI_SAMPLE_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "client/socle.h"

/* A machine; numbers that nobody knows are 0. */
struct sample {
	char *name;      /* fit to be shown */
	char *real_name; /* for JSON; may not be UTF-8 */
	char uuid[SOCLE_UUID_TEXT];
	int id; /* -1: does not run */
	int state, reason;
	uint64_t vcpus;
	uint64_t memory_kib, max_memory_kib, rss_kib;
	uint64_t cpu_ns;
	/* Since it was started; all disks, all network cards. */
	uint64_t rd_bytes, wr_bytes, rd_reqs, wr_reqs;
	uint64_t rx_bytes, tx_bytes;
};

struct samples {
	uint64_t at_ns; /* CLOCK_MONOTONIC */
	GArray *list;   /* struct sample, by name */
};

/* From what the daemon has told of a machine; sample_release() it. */
void sample_init(struct sample *sample, const struct socle_domain_stats *stats);
void sample_release(struct sample *sample);
/* Adds up parameters alone; for sample_init() and its tests. */
void sample_add(struct sample *sample, const struct socle_params *params);

struct samples *samples_new(void); /* empty */
/**
 * samples_take() - ask the daemon
 * @flags: enum socle_list_flags
 */
struct samples *samples_take(struct socle_conn *conn, unsigned flags, GError **error);
void samples_free(struct samples *samples);
DEFINE_AUTOPTR(samples, samples_free);

#endif
