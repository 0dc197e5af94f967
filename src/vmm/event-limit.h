/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * event-limit.h - events that a guest causes as often as it likes: once a second, as QEMU has it
 *
 * Threads: main loop.
 */
#ifndef VMM_EVENT_LIMIT_H
#define VMM_EVENT_LIMIT_H

#include <jansson.h>

#include "base/cleanup.h"

struct dev_clock;
struct event_limit;

/* @tell takes the data over. */
struct event_limit *event_limit_new(struct dev_clock *clock,
				    void (*tell)(void *opaque, json_t *data), void *opaque);
/* What waits is not told any more. NULL is fine. */
void event_limit_free(struct event_limit *limit);
DEFINE_AUTOPTR(event_limit, event_limit_free);

/* Tell now; or, if that was done less than a second ago, when the second is over, and of those that
 * came meanwhile the last one. @data is taken over. */
void event_limit_post(struct event_limit *limit, json_t *data);

#endif
