/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virtio-notify.c - notifications that do not come as register writes, for both transports
 *
 * Eventfds are made when they are needed first and kept to the end, so that a driver that comes and
 * goes costs no descriptors. They are watched by the loop from then on.
 */
#include <poll.h>
#include <sys/eventfd.h>

#include "base/sys.h"
#include "virtio/virtio-int.h"

static unsigned index_of(const struct virtio_notify *q)
{
	return (unsigned)(q - q->all->queue);
}

DATA_PATH static void notified(void *opaque)
{
	struct virtio_notify *q = opaque;

	virtio_kick(q->all->dev, index_of(q));
}

DATA_PATH static void signalled(void *opaque, unsigned events)
{
	struct virtio_notify *q = opaque;
	uint64_t count;

	(void)events;
	if (sys_read(q->watch.fd, &count, sizeof(count)) > 0)
		virtio_kick(q->all->dev, index_of(q));
}

/* [loop] */
static void watch_all(void *opaque)
{
	struct virtio_notifiers *n = opaque;

	virtio_lock(n->dev);
	for (unsigned i = 0; i < n->dev->queue_count; i++) {
		struct virtio_notify *q = &n->queue[i];

		if (q->watched || q->watch.fd < 0)
			continue;
		q->watched = true;
		io_watch_add(n->dev->loop, &q->watch, POLLIN);
	}
	virtio_unlock(n->dev);
}

/* [loop] */
static void unwatch_all(void *opaque)
{
	struct virtio_notifiers *n = opaque;

	for (unsigned i = 0; i < VIRTIO_MAX_QUEUES; i++) {
		if (n->queue[i].watched)
			io_watch_remove(n->dev->loop, &n->queue[i].watch);
		n->queue[i].watched = false;
	}
}

void virtio_notifiers_init(struct virtio_notifiers *n, struct virtio_device *dev,
			   const struct io_notifier *notifier)
{
	*n = (struct virtio_notifiers){
		.dev = dev,
		.notifier = *notifier,
		.watch_work = { .fn = watch_all, .opaque = n },
	};
	dev->idle = notifier->idle;
	for (unsigned i = 0; i < VIRTIO_MAX_QUEUES; i++) {
		n->queue[i].all = n;
		n->queue[i].watch =
			(struct io_watch){ .fd = -1, .fn = signalled, .opaque = &n->queue[i] };
	}
}

void virtio_notifiers_set(struct virtio_notifiers *n, const struct io_notify *first,
			  unsigned stride)
{
	if (!n->notifier.set)
		return;
	for (unsigned i = 0; i < n->dev->queue_count; i++) {
		struct virtio_notify *q = &n->queue[i];

		if (q->set)
			continue;
		if (q->watch.fd < 0)
			q->watch.fd = sys_eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		if (q->watch.fd < 0)
			break;
		q->notify = *first;
		q->notify.addr += (uint64_t)i * stride;
		q->notify.value = i;
		q->notify.eventfd = q->watch.fd;
		q->notify.call = notified;
		q->notify.opaque = q;
		q->set = io_notifier_set(&n->notifier, &q->notify, true) == 0;
	}
	io_loop_post(n->dev->loop, &n->watch_work);
}

void virtio_notifiers_clear(struct virtio_notifiers *n)
{
	for (unsigned i = 0; i < n->dev->queue_count; i++) {
		struct virtio_notify *q = &n->queue[i];

		if (q->set)
			(void)io_notifier_set(&n->notifier, &q->notify, false);
		q->set = false;
	}
}

void virtio_notifiers_release(struct virtio_notifiers *n)
{
	io_loop_call(n->dev->loop, unwatch_all, n);
	n->dev->idle = NULL; /* after a reset nobody has armed a call */
	for (unsigned i = 0; i < VIRTIO_MAX_QUEUES; i++)
		fd_autoclose(&n->queue[i].watch.fd);
}
