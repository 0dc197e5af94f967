/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * idle.c - does the guest wait for something?
 */
#include "bus/idle.h"

#include <stddef.h>

static void call_all(struct io_idle *idle)
{
	struct io_idle_call *call;

	pthread_mutex_lock(&idle->lock);
	while ((call = idle->calls)) {
		idle->calls = call->next;
		call->armed = false;
		atomic_fetch_sub(&idle->armed, 1);
		call->fn(call->opaque);
	}
	pthread_mutex_unlock(&idle->lock);
}

void io_idle_begin(struct io_idle *idle)
{
	atomic_fetch_add(&idle->halted, 1);
	if (atomic_load(&idle->armed))
		call_all(idle);
}

void io_idle_end(struct io_idle *idle)
{
	atomic_fetch_sub(&idle->halted, 1);
}

bool io_idle_arm(struct io_idle *idle, struct io_idle_call *call)
{
	if (!idle || !atomic_load_explicit(&idle->told, memory_order_relaxed) ||
	    atomic_load_explicit(&idle->halted, memory_order_relaxed))
		return false;
	pthread_mutex_lock(&idle->lock);
	if (!call->armed) {
		call->armed = true;
		call->next = idle->calls;
		idle->calls = call;
		atomic_fetch_add(&idle->armed, 1);
	}
	pthread_mutex_unlock(&idle->lock);
	return atomic_load(&idle->halted) == 0;
}

void io_idle_disarm(struct io_idle *idle, struct io_idle_call *call)
{
	if (!idle)
		return;
	pthread_mutex_lock(&idle->lock);
	for (struct io_idle_call **p = &idle->calls; *p; p = &(*p)->next) {
		if (*p != call)
			continue;
		*p = call->next;
		call->armed = false;
		atomic_fetch_sub(&idle->armed, 1);
		break;
	}
	pthread_mutex_unlock(&idle->lock);
}
