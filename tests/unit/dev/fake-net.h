/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fake-net.h - a network back end that a test holds in its hand
 */
#ifndef TESTS_UNIT_DEV_FAKE_NET_H
#define TESTS_UNIT_DEV_FAKE_NET_H

#include <errno.h>
#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/cleanup.h"
#include "net/net.h"

struct fake_frame {
	struct net_header header;
	size_t len;
	uint8_t data[];
};

struct fake_net {
	struct net_backend net;
	const struct net_front *front;
	void *opaque;
	GQueue to_guest[NET_MAX_QUEUES], from_guest[NET_MAX_QUEUES]; /* of struct fake_frame */
	bool full;                                                   /* send() says -EAGAIN */
	bool reenter; /* readable() and writable() from inside of our calls */
	int send_error;
	unsigned offloads, queues;    /* as configured */
	unsigned configured, refused; /* calls of configure(); of send() that said -EAGAIN */
	unsigned asked;               /* calls of receive() */
	unsigned forgotten;           /* of forget() */
};

static inline struct fake_net *fake_net_of(struct net_backend *net)
{
	return container_of(net, struct fake_net, net);
}

static inline struct fake_frame *fake_frame_new(const struct net_header *header, const void *data,
						size_t len)
{
	struct fake_frame *frame = g_malloc0(sizeof(*frame) + len);

	if (header)
		frame->header = *header;
	frame->len = len;
	if (len && data)
		memcpy(frame->data, data, len);
	return frame;
}

static inline bool fake_net_attach(struct net_backend *net, struct io_loop *loop,
				   const struct net_front *front, void *opaque, GError **error)
{
	struct fake_net *fake = fake_net_of(net);

	(void)loop;
	(void)error;
	fake->front = front;
	fake->opaque = opaque;
	return true;
}

static inline void fake_net_detach(struct net_backend *net)
{
	struct fake_net *fake = fake_net_of(net);

	/* The worst moment there is. */
	if (fake->reenter) {
		fake->front->readable(fake->opaque, 0);
		fake->front->writable(fake->opaque, 0);
	}
	fake->front = NULL;
}

static inline void fake_net_configure(struct net_backend *net, unsigned offloads, unsigned queues)
{
	struct fake_net *fake = fake_net_of(net);

	fake->offloads = offloads;
	fake->queues = queues;
	fake->configured++;
}

static inline int fake_net_send(struct net_backend *net, unsigned queue,
				const struct net_header *header, const struct iovec *iov,
				unsigned count)
{
	struct fake_net *fake = fake_net_of(net);
	struct fake_frame *frame;
	size_t len = 0;

	g_assert_cmpuint(queue, <, NET_MAX_QUEUES);
	if (fake->reenter)
		fake->front->writable(fake->opaque, queue);
	if (fake->full) {
		fake->refused++;
		return -EAGAIN;
	}
	if (fake->send_error)
		return fake->send_error;
	for (unsigned i = 0; i < count; i++)
		len += iov[i].iov_len;
	g_assert_cmpuint(len, <=, NET_MAX_FRAME);
	frame = fake_frame_new(header, NULL, len);
	len = 0;
	for (unsigned i = 0; i < count; i++) {
		if (iov[i].iov_len)
			memcpy(frame->data + len, iov[i].iov_base, iov[i].iov_len);
		len += iov[i].iov_len;
	}
	g_queue_push_tail(&fake->from_guest[queue], frame);
	return 0;
}

static inline void fake_net_forget(struct net_backend *net, unsigned queue)
{
	(void)queue;
	fake_net_of(net)->forgotten++;
}

static inline ssize_t fake_net_receive(struct net_backend *net, unsigned queue,
				       struct net_header *ret_header, const struct iovec *iov,
				       unsigned count)
{
	struct fake_net *fake = fake_net_of(net);
	struct fake_frame *frame;

	fake->asked++;
	if (fake->reenter)
		fake->front->readable(fake->opaque, queue);
	while ((frame = g_queue_pop_head(&fake->to_guest[queue]))) {
		size_t done = 0, len = frame->len;

		for (unsigned i = 0; i < count && done < len; i++) {
			size_t part = MIN(iov[i].iov_len, len - done);

			if (part)
				memcpy(iov[i].iov_base, frame->data + done, part);
			done += part;
		}
		*ret_header = frame->header;
		g_free(frame);
		if (done == len)
			return (ssize_t)len;
	}
	return -EAGAIN;
}

static inline void fake_net_free(struct net_backend *net)
{
	struct fake_net *fake = fake_net_of(net);

	for (unsigned i = 0; i < NET_MAX_QUEUES; i++) {
		g_queue_clear_full(&fake->to_guest[i], g_free);
		g_queue_clear_full(&fake->from_guest[i], g_free);
	}
}

static inline char *fake_net_describe(struct net_backend *net)
{
	(void)net;
	return g_strdup("fake");
}

static const struct net_ops fake_net_ops = {
	.type = "fake",
	.attach = fake_net_attach,
	.detach = fake_net_detach,
	.configure = fake_net_configure,
	.send = fake_net_send,
	.forget = fake_net_forget,
	.receive = fake_net_receive,
	.free = fake_net_free,
	.describe = fake_net_describe,
};

static inline void fake_net_init(struct fake_net *fake)
{
	*fake = (struct fake_net){
		.net = {
			.ops = &fake_net_ops,
			.queues = NET_MAX_QUEUES,
			.offloads = NET_OFFLOAD_CSUM | NET_OFFLOAD_TSO4 | NET_OFFLOAD_TSO6 |
				    NET_OFFLOAD_ECN,
			.link_up = true,
		},
	};
	for (unsigned i = 0; i < NET_MAX_QUEUES; i++) {
		g_queue_init(&fake->to_guest[i]);
		g_queue_init(&fake->from_guest[i]);
	}
}

/* A frame for the guest, which hears of it when the loop runs. */
static inline void fake_net_input(struct fake_net *fake, unsigned queue,
				  const struct net_header *header, const void *data, size_t len)
{
	g_queue_push_tail(&fake->to_guest[queue], fake_frame_new(header, data, len));
	fake->front->readable(fake->opaque, queue);
}

/* What the guest sent, the caller's; NULL: nothing. */
static inline struct fake_frame *fake_net_output(struct fake_net *fake, unsigned queue)
{
	return g_queue_pop_head(&fake->from_guest[queue]);
}

static inline void fake_net_make_room(struct fake_net *fake, unsigned queue)
{
	fake->full = false;
	fake->front->writable(fake->opaque, queue);
}

#endif
