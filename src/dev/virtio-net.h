/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virtio-net.h - a network card (virtio 1.2, 5.1)
 *
 * Threads: [main] = main loop; the device works on its loop (virtio.h).
 */
#ifndef DEV_VIRTIO_NET_H
#define DEV_VIRTIO_NET_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/io-loop.h"
#include "dev/clock.h"
#include "net/net.h"
#include "virtio/virtio.h"

enum {
	VIRTIO_NET_MAX_MACS = 64 /* in a filter table; more overflow it */
};

/* Rate limits: bytes and frames a second; 0: none. */
struct net_limit {
	uint64_t bps, pps;
	uint64_t
		burst; /* bytes that may pass faster than at bps; 0: those of a tenth of a second */
	uint64_t bps_peak; /* how fast they pass; 0: at once */
};

struct virtio_net_config {
	struct net_backend *net; /* borrowed; NULL: a cable that goes nowhere */
	struct io_loop *loop;
	struct dev_clock *clock;
	uint8_t mac[NET_MAC_LEN];
	unsigned queue_pairs; /* at least 1, at most net->queues */
	unsigned queue_size;  /* 0: the usual 256 */
	uint16_t mtu;         /* 0: the back end's, if it has one */
	bool no_offload;      /* no checksum and segmentation offloads at all */
	bool no_mrg_rxbuf, packed_off;
	struct net_limit tx, rx; /* from the guest, to the guest */
	/* [main] The guest changed its filter, once until it is read by virtio_net_filter(). */
	void (*filter_changed)(void *opaque);
	void *opaque;
};

struct virtio_net_filter {
	bool promiscuous, all_multicast, all_unicast, no_multicast, no_unicast, no_broadcast;
	unsigned unicast_count, multicast_count;
	bool unicast_overflow, multicast_overflow;
	uint8_t unicast[VIRTIO_NET_MAX_MACS][NET_MAC_LEN];
	uint8_t multicast[VIRTIO_NET_MAX_MACS][NET_MAC_LEN];
	uint8_t mac[NET_MAC_LEN];
	uint8_t vlans[512]; /* a bit each */
};

struct virtio_net_stats {
	uint64_t rx_frames, rx_bytes, rx_dropped, tx_frames, tx_bytes, tx_dropped;
};

struct virtio_device *virtio_net_new(const struct virtio_net_config *config, GError **error);

/* All [main]. */
void virtio_net_set_link(struct virtio_device *dev, bool up);
bool virtio_net_link(struct virtio_device *dev);
/* Let the guest send gratuitous announcements (VIRTIO_NET_F_GUEST_ANNOUNCE). */
void virtio_net_announce(struct virtio_device *dev);
void virtio_net_filter(struct virtio_device *dev, struct virtio_net_filter *ret_filter);
void virtio_net_stats(struct virtio_device *dev, struct virtio_net_stats *ret_stats);
void virtio_net_set_limits(struct virtio_device *dev, const struct net_limit *tx,
			   const struct net_limit *rx);

#endif
