/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * card.h - a card without a guest: a manual loop, and a front that notes what it is told
 */
#ifndef TESTS_NET_CARD_H
#define TESTS_NET_CARD_H

#include <errno.h>
#include <glib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/io-loop.h"
#include "net/net.h"

struct card {
	struct io_loop *loop;
	struct net_backend *net;
	unsigned readable, writable, link_changes;
	bool link_up;
	uint64_t now_ns;
	struct net_header header;
	size_t room;
	ssize_t len;
	uint8_t frame[NET_MAX_FRAME];
};

static inline void card_readable(void *opaque, unsigned queue)
{
	(void)queue;
	((struct card *)opaque)->readable++;
}

static inline void card_writable(void *opaque, unsigned queue)
{
	(void)queue;
	((struct card *)opaque)->writable++;
}

static inline void card_link_changed(void *opaque, bool up)
{
	struct card *card = opaque;

	card->link_changes++;
	card->link_up = up;
}

static const struct net_front card_front = {
	.readable = card_readable,
	.writable = card_writable,
	.link_changed = card_link_changed,
};

static inline uint64_t card_now(void *opaque)
{
	return ((struct card *)opaque)->now_ns;
}

/* Takes @net over. */
static inline struct card *card_new(struct net_backend *net)
{
	struct card *card = g_new0(struct card, 1);
	g_autoptr(GError) error = NULL;

	g_assert_nonnull(net);
	card->net = net;
	card->room = sizeof(card->frame);
	card->now_ns = 1000000000000;
	card->loop = io_loop_new_manual(IO_LOOP_AUTO, card_now, card, &error);
	g_assert_no_error(error);
	g_assert_true(net_attach(net, card->loop, &card_front, card, &error));
	g_assert_no_error(error);
	net->ops->configure(net, 0, 1);
	return card;
}

static inline void card_free(struct card *card)
{
	/* The loop lets descriptors go in its next round. */
	net_detach(card->net);
	(void)io_loop_run(card->loop, false);
	net_free(card->net);
	io_loop_free(card->loop);
	g_free(card);
}
DEFINE_AUTOPTR(card, card_free);

/* Rounds until there is nothing more to do. */
static inline void card_settle(struct card *card)
{
	for (unsigned i = 0; i < 1000 && io_loop_run(card->loop, false); i++)
		;
}

/* Take one frame into card->frame; its length, or -EAGAIN. */
static inline ssize_t card_receive(struct card *card)
{
	const size_t first = MIN(card->room, 37);
	const struct iovec iov[] = {
		{ card->frame, first },
		{ card->frame + first, card->room - first },
	};

	memset(&card->header, 0xee, sizeof(card->header));
	card->len = card->net->ops->receive(card->net, 0, &card->header, iov, 2);
	return card->len;
}

/* The same, running the loop until there is one. */
static inline ssize_t card_wait(struct card *card)
{
	for (unsigned i = 0; i < 200; i++) {
		if (card_receive(card) >= 0)
			return card->len;
		/* Sockets of this host need a moment at most; time stands still meanwhile. */
		if (!io_loop_run(card->loop, false))
			g_thread_yield();
	}
	return -EAGAIN;
}

static inline int card_send(struct card *card, const void *frame, size_t len)
{
	const struct net_header none = { 0 };
	const struct iovec iov = { (void *)(uintptr_t)frame, len };

	return card->net->ops->send(card->net, 0, &none, &iov, 1);
}

/* Send a segment of TCP over IPv4 that is to be cut into pieces of 1000 bytes. */
static inline int card_send_segment(struct card *card, size_t payload)
{
	const struct net_header header = {
		.flags = NET_HEADER_NEEDS_CSUM,
		.gso_type = NET_GSO_TCPV4,
		.gso_size = 1000,
		.csum_start = 34,
		.csum_offset = 16,
	};
	g_autofree uint8_t *frame = g_malloc0(54 + payload);
	const struct iovec iov = { frame, 54 + payload };

	put_be16(frame + 12, 0x0800);
	frame[14] = 0x45;
	put_be16(frame + 16, (uint16_t)(40 + payload));
	frame[23] = 6;
	frame[46] = 0x50;
	return card->net->ops->send(card->net, 0, &header, &iov, 1);
}

#endif
