/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * chardev.h - a stream of bytes between a device and the host: terminal, file, socket, nothing
 *
 * The device is the front end, the host side the back end. Back ends are made by vmm.
 *
 * Threads: chardev_write() from any; the front end's callbacks run on the main loop.
 */
#ifndef DEV_CHARDEV_H
#define DEV_CHARDEV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"

struct chardev;

struct chardev_ops {
	/* [any] Take bytes for the host: how many were taken, never waits. When fewer than @len,
	 * the front end's writable() is called once there is room again. */
	size_t (*write)(struct chardev *chr, const uint8_t *buf, size_t len);
	/* [main] The front end can take input again after receive() took less than all. */
	void (*resume)(struct chardev *chr);
	/* [main] Flush what can be flushed, close, free. */
	void (*free)(struct chardev *chr);
};

struct chardev_front {
	/* [main] Bytes from the host: how many were taken. */
	size_t (*receive)(void *opaque, const uint8_t *buf, size_t len);
	/* [main] write() will take bytes again. */
	void (*writable)(void *opaque);
	/* [main] Somebody has come to the other end, or gone; NULL: does not matter to the device. */
	void (*presence)(void *opaque, bool present);
};

/* A back end embeds this. */
struct chardev {
	const struct chardev_ops *ops;
	const struct chardev_front *front; /* NULL until a device is attached */
	void *front_opaque;
	bool absent; /* [main] nobody is at the other end; set by chardev_presence() */
};

static inline void chardev_attach(struct chardev *chr, const struct chardev_front *front,
				  void *opaque)
{
	chr->front_opaque = opaque;
	chr->front = front;
}

/* [main] For back ends: somebody is at the other end now, or nobody. */
static inline void chardev_presence(struct chardev *chr, bool present)
{
	chr->absent = !present;
	if (chr->front && chr->front->presence)
		chr->front->presence(chr->front_opaque, present);
}

static inline size_t chardev_write(struct chardev *chr, const uint8_t *buf, size_t len)
{
	return chr->ops->write(chr, buf, len);
}

static inline void chardev_resume(struct chardev *chr)
{
	if (chr->ops->resume)
		chr->ops->resume(chr);
}

static inline void chardev_free(struct chardev *chr)
{
	if (chr)
		chr->ops->free(chr);
}
DEFINE_AUTOPTR(chardev, chardev_free);

#endif
