/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * notify.h - a guest's write that only says "look": a call or an eventfd instead of an access
 *
 * The engine implements it: KVM by ioeventfd, so that the vCPU does not leave the guest for the
 * host's user space, the software engine by a plain call. A device has the register in an io_range
 * as well, which sees the write where the engine has no room for a notification.
 *
 * Threads: io_notifier_set() under the caller's lock or on the main loop, also while vCPUs run.
 * After taking one away a vCPU may still be inside call(): pause the vCPUs before freeing it.
 */
#ifndef BUS_NOTIFY_H
#define BUS_NOTIFY_H

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>

#include "bus/idle.h"

struct io_notify {
	bool mmio; /* else port I/O */
	uint64_t addr;
	unsigned size; /* 1, 2, 4, 8; 0: any */
	bool match;    /* only if @value is written */
	uint64_t value;
	int eventfd; /* KVM signals this; the software engine writes 1 to it unless ... */
	void (*call)(void *opaque); /* ... this is set, which it calls on the vCPU's thread */
	void *opaque;
};

struct io_notifier {
	/* 0 or -errno. @notify must live, and not change, until it is taken away. */
	int (*set)(void *opaque, const struct io_notify *notify, bool on);
	void *opaque;
	struct io_idle *idle; /* tells when vCPUs halt; NULL: nobody does */
};

static inline int io_notifier_set(const struct io_notifier *notifier,
				  const struct io_notify *notify, bool on)
{
	return notifier->set ? notifier->set(notifier->opaque, notify, on) : -ENOTSUP;
}

#endif
