/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hmp-block.h - the human monitor: jobs and snapshots of disks
 *
 * Threads: main loop.
 */
#ifndef VMM_HMP_BLOCK_H
#define VMM_HMP_BLOCK_H

#include <glib.h>
#include <stdbool.h>

struct vmm;

/* Do what @words (NULL-terminated) say, and add the answer to @out; false: it is none of these. */
bool hmp_block_execute(struct vmm *vmm, char **words, GString *out);
/* The lines of "help". */
void hmp_block_help(GString *out);
/* "info block-jobs" */
void hmp_block_jobs(struct vmm *vmm, GString *out);

#endif
