/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virtio-net-int.h - what the parts of the network card share
 *
 * virtio-net.c      making, features, link, limits, life
 * virtio-net-rx.c   frames to the guest
 * virtio-net-tx.c   frames from the guest
 * virtio-net-ctrl.c commands of the control queue, the receive filter
 *
 * All of it runs under the device's lock. What is marked [loop] besides is touched on the loop only
 * and needs no lock: the back end calls there, possibly from inside our own call of it.
 */
#ifndef DEV_VIRTIO_NET_INT_H
#define DEV_VIRTIO_NET_INT_H

#include "base/rate.h"
#include "dev/doze.h"
#include "dev/virtio-net.h"

/* Features (virtio 1.2, 5.1.3). */
enum {
	VIRTIO_NET_F_CSUM = 1 << 0,
	VIRTIO_NET_F_GUEST_CSUM = 1 << 1,
	VIRTIO_NET_F_CTRL_GUEST_OFFLOADS = 1 << 2,
	VIRTIO_NET_F_MTU = 1 << 3,
	VIRTIO_NET_F_MAC = 1 << 5,
	VIRTIO_NET_F_GUEST_TSO4 = 1 << 7,
	VIRTIO_NET_F_GUEST_TSO6 = 1 << 8,
	VIRTIO_NET_F_GUEST_ECN = 1 << 9,
	VIRTIO_NET_F_HOST_TSO4 = 1 << 11,
	VIRTIO_NET_F_HOST_TSO6 = 1 << 12,
	VIRTIO_NET_F_HOST_ECN = 1 << 13,
	VIRTIO_NET_F_MRG_RXBUF = 1 << 15,
	VIRTIO_NET_F_STATUS = 1 << 16,
	VIRTIO_NET_F_CTRL_VQ = 1 << 17,
	VIRTIO_NET_F_CTRL_RX = 1 << 18,
	VIRTIO_NET_F_CTRL_VLAN = 1 << 19,
	VIRTIO_NET_F_CTRL_RX_EXTRA = 1 << 20,
	VIRTIO_NET_F_GUEST_ANNOUNCE = 1 << 21,
	VIRTIO_NET_F_MQ = 1 << 22,
	VIRTIO_NET_F_CTRL_MAC_ADDR = 1 << 23,

	/* What the driver may switch by CTRL_GUEST_OFFLOADS. */
	VIRTIO_NET_GUEST_OFFLOADS = VIRTIO_NET_F_GUEST_CSUM | VIRTIO_NET_F_GUEST_TSO4 |
				    VIRTIO_NET_F_GUEST_TSO6 | VIRTIO_NET_F_GUEST_ECN,
};

/* The configuration (5.1.4). */
enum {
	CONFIG_MAC = 0,
	CONFIG_STATUS = 6,
	CONFIG_MAX_PAIRS = 8,
	CONFIG_MTU = 10,
	CONFIG_LEN = 12,

	STATUS_LINK_UP = 1,
	STATUS_ANNOUNCE = 2,
};

enum {
	HEADER_LEN = 12,
	BATCH_FRAMES = 128,    /* of a queue, before others have their turn */
	BATCH_BYTES = 1 << 20, /* likewise */
	IOV_MAX_FRAME = 256, /* pieces that are handed to the back end; more are copied together */
	HOLD_MS = 1000,      /* how long a frame waits for a guest with too few buffers */
};

/* A queue pair. */
struct net_pair {
	/* RX: chains that were popped, a ring; @room is the sum of their bytes. */
	struct virtq_chain *fifo[VIRTQ_MAX_SIZE];
	unsigned head, count;
	size_t room;
	/* RX: a frame that the guest's buffers do not hold yet. held_len 0: none. */
	uint8_t *held;
	size_t held_len;
	struct net_header held_header;
	uint64_t held_until_ns;
	/* TX: a chain that the back end did not take yet. */
	struct virtq_chain *chain;

	bool rx_idle, tx_full; /* [loop] receive(), send() said -EAGAIN */
};

/* One direction's limits. */
struct net_rate {
	struct rate bytes, frames;
	struct io_timer timer; /* [loop] goes off when the next frame may pass */
};

struct virtio_net {
	struct virtio_device dev; /* its lock guards what follows */
	struct net_backend *net;
	struct io_loop *loop;
	uint8_t perm_mac[NET_MAC_LEN];
	unsigned pairs; /* there are */
	struct net_pair *pair;

	/* What the driver has set. */
	bool configure_due; /* the back end must hear of it */
	unsigned used_pairs;
	uint64_t offloads; /* VIRTIO_NET_F_GUEST_ */
	struct virtio_net_filter filter, new_filter;

	bool link_set, link_net; /* the monitor's wish; the back end's state */
	struct virtio_net_stats stats;
	struct net_rate tx_rate, rx_rate;
	struct io_timer hold_timer; /* [loop] */
	struct doze doze;
	struct iovec iov[IOV_MAX_FRAME];
	uint8_t *bounce; /* NET_MAX_FRAME bytes: a frame in one piece, or one to be thrown away */

	bool filter_told; /* filter_changed() was called, nobody has looked since */
	struct dev_timer *filter_bell;
	void (*filter_changed)(void *opaque);
	void *opaque;
};

static inline struct virtio_net *virtio_net_of(struct virtio_device *dev)
{
	return container_of(dev, struct virtio_net, dev);
}

static inline bool virtio_net_link_locked(const struct virtio_net *net)
{
	return net->link_set && net->link_net;
}

/* Queues: RX and TX of each pair, then control. Without MQ there is one pair. */
static inline struct virtq *net_rx_queue(struct virtio_net *net, unsigned pair)
{
	return net->dev.queue[2 * (size_t)pair];
}

static inline struct virtq *net_tx_queue(struct virtio_net *net, unsigned pair)
{
	return net->dev.queue[2 * (size_t)pair + 1];
}

static inline unsigned net_ctrl_index(const struct virtio_net *net)
{
	return virtio_has(&net->dev, VIRTIO_NET_F_MQ) ? 2 * net->pairs : 2;
}

/* [loop] Tell the back end what the driver has chosen. */
void net_configure(struct virtio_net *net);
/* [loop] May a frame pass? If not, the queue is kicked when it may. */
bool net_rate_ok(struct virtio_net *net, struct net_rate *rate);
void net_rate_take(struct virtio_net *net, struct net_rate *rate, size_t len);

/* [loop] A batch of the pair @index. */
void net_rx_run(struct virtio_net *net, unsigned index);
void net_tx_run(struct virtio_net *net, unsigned index);
void net_ctrl_run(struct virtio_net *net);

/* [loop] For the doze: send what queue @index has. */
void net_tx_take(struct virtio_device *dev, unsigned index, uint64_t now_ns);

/* Give back what is kept of a queue of the pair @index. */
void net_rx_reset(struct virtio_net *net, unsigned index);
void net_tx_reset(struct virtio_net *net, unsigned index);
/* The filter as it is before the driver has said anything. */
void net_filter_reset(struct virtio_net *net);
/* Does the guest want a frame that begins with @head, the first @len bytes of it? */
bool net_filter_accepts(const struct virtio_net *net, const uint8_t *head, size_t len);

#endif
