/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * signals.c - signals that ask for an end: SIGTERM, SIGINT, SIGHUP
 */
#include "vmm/signals.h"

#include <glib-unix.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/eventfd.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/sys.h"

static const int end_signals[] = { SIGTERM, SIGINT, SIGHUP };

/* A handler has no other way to what it needs. */
static struct {
	atomic_int fd;   /* an eventfd, or -1 */
	atomic_int last; /* the signal that came last */
	guint source;
	void (*fn)(void *opaque, int sig);
	void *opaque;
} caught = { .fd = -1 };

static void on_signal(int sig)
{
	static const uint64_t one = 1;
	int fd = atomic_load(&caught.fd);

	atomic_store(&caught.last, sig);
	if (fd >= 0)
		(void)sys_write(fd, &one, sizeof(one));
}

static gboolean on_event(gint fd, GIOCondition condition, gpointer opaque)
{
	uint64_t count;

	(void)condition;
	(void)opaque;
	(void)sys_read(fd, &count, sizeof(count));
	caught.fn(caught.opaque, atomic_load(&caught.last));
	return G_SOURCE_CONTINUE;
}

bool signals_catch(void (*fn)(void *opaque, int sig), void *opaque, GError **error)
{
	struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_RESTART };
	int fd = sys_eventfd(0, EFD_NONBLOCK);

	if (fd < 0)
		return error_sys(error, fd, "cannot make an eventfd");
	caught.fn = fn;
	caught.opaque = opaque;
	caught.source = g_unix_fd_add(fd, G_IO_IN, on_event, NULL);
	atomic_store(&caught.fd, fd);
	for (size_t i = 0; i < ARRAY_SIZE(end_signals); i++) {
		struct sigaction old;

		if (sigaction(end_signals[i], NULL, &old) == 0 && old.sa_handler != SIG_IGN)
			(void)sigaction(end_signals[i], &action, NULL);
	}
	return true;
}

void signals_release(void)
{
	int fd = atomic_exchange(&caught.fd, -1);

	if (fd < 0)
		return;
	g_source_remove(caught.source);
	(void)close(fd);
}
