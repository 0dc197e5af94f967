/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * epoch.h - who is inside, counted without a line of memory that threads fight for
 *
 * Who looks at something that others change, and uses what he found there for a while, is inside
 * meanwhile. Who takes it away makes it unreachable first, and waits until all have left who were
 * inside then; those who come later cannot have found it. Nobody inside waits for anybody, and who
 * enters writes only to a counter that few other threads write to, mostly none.
 *
 * Threads: any may enter and leave; [one] = one at a time, under a lock of the caller's.
 */
#ifndef BLOCK_EPOCH_H
#define BLOCK_EPOCH_H

#include <stdbool.h>

#include "base/cleanup.h"

struct epoch;

struct epoch *epoch_new(void);
/* Nobody is inside. NULL is fine. */
void epoch_free(struct epoch *epoch);

/* False: it is closed. *ret_token: for epoch_leave(), on whatever thread. */
bool epoch_enter(struct epoch *epoch, unsigned *ret_token);
void epoch_leave(struct epoch *epoch, unsigned token);

/* [one] Counts up with each turn. */
unsigned epoch_now(const struct epoch *epoch);
/* [one] A turn, without waiting; false: somebody is inside since before the last one. */
bool epoch_turn(struct epoch *epoch);
/* [one] Two turns after @then nobody is inside any more who was so at @then. */
bool epoch_is_over(const struct epoch *epoch, unsigned then);
/* [one] Until those have left who are inside. */
void epoch_wait(struct epoch *epoch);
/* [one] The same, and nobody enters until it is open again. */
void epoch_close(struct epoch *epoch);
void epoch_open(struct epoch *epoch);

#endif
