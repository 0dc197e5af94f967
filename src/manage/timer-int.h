/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * timer-int.h - something is to happen later, on the main loop of the thread that says so
 */
#ifndef MANAGE_TIMER_INT_H
#define MANAGE_TIMER_INT_H

#include <glib.h>

static inline GSource *timer_start(unsigned ms, GSourceFunc fire, void *data)
{
	GSource *timer = g_timeout_source_new(ms);

	g_source_set_callback(timer, fire, data, NULL);
	g_source_attach(timer, g_main_context_get_thread_default());
	return timer;
}

static inline void timer_stop(GSource **timer)
{
	if (*timer) {
		g_source_destroy(*timer);
		g_source_unref(*timer);
		*timer = NULL;
	}
}

#endif
