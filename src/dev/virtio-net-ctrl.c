/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virtio-net-ctrl.c - commands of the control queue (virtio 1.2, 5.1.6.5), the receive filter
 *
 * A command is read piece by piece from guest memory, each byte once. It takes effect as a whole,
 * or not at all.
 */
#include <string.h>

#include "base/bytes.h"
#include "dev/virtio-net-int.h"

enum {
	BATCH_COMMANDS = 32
};

enum {
	CTRL_OK = 0,
	CTRL_ERR = 1,

	CTRL_RX = 0,
	CTRL_RX_PROMISC = 0,
	CTRL_RX_ALLMULTI = 1,
	CTRL_RX_ALLUNI = 2,
	CTRL_RX_NOMULTI = 3,
	CTRL_RX_NOUNI = 4,
	CTRL_RX_NOBCAST = 5,
	CTRL_MAC = 1,
	CTRL_MAC_TABLE_SET = 0,
	CTRL_MAC_ADDR_SET = 1,
	CTRL_VLAN = 2,
	CTRL_VLAN_ADD = 0,
	CTRL_VLAN_DEL = 1,
	CTRL_ANNOUNCE = 3,
	CTRL_ANNOUNCE_ACK = 0,
	CTRL_MQ = 4,
	CTRL_MQ_VQ_PAIRS_SET = 0,
	CTRL_GUEST_OFFLOADS = 5,
	CTRL_GUEST_OFFLOADS_SET = 0,
};

/* The bytes of a command that were not read yet. */
struct reader {
	const struct virtq_chain *chain;
	size_t off;
};

DATA_PATH static size_t left(const struct reader *r)
{
	return r->chain->out_len - r->off;
}

DATA_PATH static bool take(struct reader *r, void *buf, size_t len)
{
	if (left(r) < len ||
	    iov_copy_out(r->chain->out, r->chain->out_count, r->off, buf, len) != len)
		return false;
	r->off += len;
	return true;
}

void net_filter_reset(struct virtio_net *net)
{
	memset(&net->filter, 0, sizeof(net->filter));
	net->filter.promiscuous = true;
}

/* Tell the monitor, once until it looks. */
DATA_PATH static void filter_changed(struct virtio_net *net)
{
	if (!net->filter_bell || net->filter_told)
		return;
	net->filter_told = true;
	dev_timer_set(net->filter_bell, 0);
}

DATA_PATH static bool table_has(const uint8_t table[][NET_MAC_LEN], unsigned count,
				const uint8_t *mac)
{
	for (unsigned i = 0; i < count; i++) {
		if (memcmp(table[i], mac, NET_MAC_LEN) == 0)
			return true;
	}
	return false;
}

DATA_PATH bool net_filter_accepts(const struct virtio_net *net, const uint8_t *head, size_t len)
{
	static const uint8_t broadcast[NET_MAC_LEN] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
	const struct virtio_net_filter *f = &net->filter;

	if (len < NET_ETHER_LEN)
		return false;
	if (f->promiscuous)
		return true;
	if (len >= NET_ETHER_LEN + 4 && get_be16(head + 12) == 0x8100) {
		unsigned vid = get_be16(head + 14) & 0xfff;

		if (!(f->vlans[vid / 8] & 1u << vid % 8))
			return false;
	}
	if (memcmp(head, broadcast, NET_MAC_LEN) == 0)
		return !f->no_broadcast;
	if (head[0] & 1)
		return !f->no_multicast && (f->all_multicast || f->multicast_overflow ||
					    table_has(f->multicast, f->multicast_count, head));
	return !f->no_unicast && (f->all_unicast || f->unicast_overflow ||
				  memcmp(head, net->dev.config + CONFIG_MAC, NET_MAC_LEN) == 0 ||
				  table_has(f->unicast, f->unicast_count, head));
}

DATA_PATH static uint8_t ctrl_rx(struct virtio_net *net, uint8_t command, struct reader *r)
{
	struct virtio_net_filter *f = &net->filter;
	bool *const mode[] = {
		[CTRL_RX_PROMISC] = &f->promiscuous, [CTRL_RX_ALLMULTI] = &f->all_multicast,
		[CTRL_RX_ALLUNI] = &f->all_unicast,  [CTRL_RX_NOMULTI] = &f->no_multicast,
		[CTRL_RX_NOUNI] = &f->no_unicast,    [CTRL_RX_NOBCAST] = &f->no_broadcast,
	};
	uint64_t need =
		command <= CTRL_RX_ALLMULTI ? VIRTIO_NET_F_CTRL_RX : VIRTIO_NET_F_CTRL_RX_EXTRA;
	uint8_t on;

	if (command >= ARRAY_SIZE(mode) || !virtio_has(&net->dev, need) || !take(r, &on, 1))
		return CTRL_ERR;
	*mode[command] = on;
	filter_changed(net);
	return CTRL_OK;
}

/* One of the two tables. More than we keep overflow it, and are skipped. */
DATA_PATH static bool take_table(struct reader *r, uint8_t table[][NET_MAC_LEN],
				 unsigned *ret_count, bool *ret_overflow)
{
	uint8_t raw[4];
	uint64_t len;
	uint32_t count;

	if (!take(r, raw, sizeof(raw)))
		return false;
	count = get_le32(raw);
	len = (uint64_t)count * NET_MAC_LEN;
	if (len > left(r))
		return false;
	*ret_overflow = count > VIRTIO_NET_MAX_MACS;
	*ret_count = *ret_overflow ? 0 : count;
	if (!*ret_overflow)
		return take(r, table, len);
	r->off += len;
	return true;
}

DATA_PATH static uint8_t ctrl_mac(struct virtio_net *net, uint8_t command, struct reader *r)
{
	struct virtio_net_filter *f = &net->new_filter;
	uint8_t mac[NET_MAC_LEN];

	if (command == CTRL_MAC_ADDR_SET) {
		if (!virtio_has(&net->dev, VIRTIO_NET_F_CTRL_MAC_ADDR) || left(r) != NET_MAC_LEN ||
		    !take(r, mac, sizeof(mac)))
			return CTRL_ERR;
		memcpy(net->dev.config + CONFIG_MAC, mac, sizeof(mac));
	} else if (command == CTRL_MAC_TABLE_SET) {
		if (!virtio_has(&net->dev, VIRTIO_NET_F_CTRL_RX))
			return CTRL_ERR;
		*f = net->filter;
		if (!take_table(r, f->unicast, &f->unicast_count, &f->unicast_overflow) ||
		    !take_table(r, f->multicast, &f->multicast_count, &f->multicast_overflow))
			return CTRL_ERR;
		net->filter = *f;
	} else {
		return CTRL_ERR;
	}
	filter_changed(net);
	return CTRL_OK;
}

DATA_PATH static uint8_t ctrl_vlan(struct virtio_net *net, uint8_t command, struct reader *r)
{
	uint8_t raw[2], *byte, bit;
	unsigned vid;

	if (command > CTRL_VLAN_DEL || !virtio_has(&net->dev, VIRTIO_NET_F_CTRL_VLAN) ||
	    !take(r, raw, sizeof(raw)))
		return CTRL_ERR;
	vid = get_le16(raw);
	if (vid / 8 >= sizeof(net->filter.vlans))
		return CTRL_ERR;
	byte = &net->filter.vlans[vid / 8];
	bit = (uint8_t)(1u << vid % 8);
	*byte = command == CTRL_VLAN_ADD ? *byte | bit : *byte & (uint8_t)~bit;
	filter_changed(net);
	return CTRL_OK;
}

DATA_PATH static uint8_t ctrl_announce(struct virtio_net *net, uint8_t command)
{
	if (command != CTRL_ANNOUNCE_ACK || !virtio_has(&net->dev, VIRTIO_NET_F_GUEST_ANNOUNCE) ||
	    !(net->dev.config[CONFIG_STATUS] & STATUS_ANNOUNCE))
		return CTRL_ERR;
	net->dev.config[CONFIG_STATUS] &= (uint8_t)~STATUS_ANNOUNCE;
	return CTRL_OK;
}

static uint8_t ctrl_mq(struct virtio_net *net, uint8_t command, struct reader *r)
{
	uint8_t raw[2];
	unsigned pairs, before = net->used_pairs;

	if (command != CTRL_MQ_VQ_PAIRS_SET || !virtio_has(&net->dev, VIRTIO_NET_F_MQ) ||
	    !take(r, raw, sizeof(raw)))
		return CTRL_ERR;
	pairs = get_le16(raw);
	if (pairs < 1 || pairs > net->pairs)
		return CTRL_ERR;
	net->used_pairs = pairs;
	net_configure(net);
	/* What their queues hold already was not heard of. */
	for (unsigned i = 2 * before; i < 2 * pairs; i++)
		virtio_kick_self(&net->dev, i);
	return CTRL_OK;
}

static uint8_t ctrl_offloads(struct virtio_net *net, uint8_t command, struct reader *r)
{
	uint64_t tso = VIRTIO_NET_F_GUEST_TSO4 | VIRTIO_NET_F_GUEST_TSO6, offloads;
	uint8_t raw[8];

	if (command != CTRL_GUEST_OFFLOADS_SET ||
	    !virtio_has(&net->dev, VIRTIO_NET_F_CTRL_GUEST_OFFLOADS) || !take(r, raw, sizeof(raw)))
		return CTRL_ERR;
	offloads = get_le64(raw);
	if (offloads & ~(net->dev.features & VIRTIO_NET_GUEST_OFFLOADS))
		return CTRL_ERR;
	if (((offloads & tso) && !(offloads & VIRTIO_NET_F_GUEST_CSUM)) ||
	    ((offloads & VIRTIO_NET_F_GUEST_ECN) && !(offloads & tso)))
		return CTRL_ERR;
	net->offloads = offloads;
	net_configure(net);
	return CTRL_OK;
}

static uint8_t command(struct virtio_net *net, const struct virtq_chain *chain)
{
	struct reader r = { .chain = chain };
	uint8_t head[2]; /* class, command */

	if (!take(&r, head, sizeof(head)))
		return CTRL_ERR;
	switch (head[0]) {
	case CTRL_RX:
		return ctrl_rx(net, head[1], &r);
	case CTRL_MAC:
		return ctrl_mac(net, head[1], &r);
	case CTRL_VLAN:
		return ctrl_vlan(net, head[1], &r);
	case CTRL_ANNOUNCE:
		return ctrl_announce(net, head[1]);
	case CTRL_MQ:
		return ctrl_mq(net, head[1], &r);
	case CTRL_GUEST_OFFLOADS:
		return ctrl_offloads(net, head[1], &r);
	default:
		return CTRL_ERR;
	}
}

void net_ctrl_run(struct virtio_net *net)
{
	unsigned index = net_ctrl_index(net), n = 0;
	struct virtq *vq = net->dev.queue[index];
	struct virtq_chain *chain = NULL;

	for (; n < BATCH_COMMANDS; n++) {
		uint8_t ack;

		chain = virtq_pop(vq);
		if (!chain)
			break;
		if (chain->in_len < 1 || chain->out_len < 2) {
			virtq_drop(vq, chain);
			virtq_break(vq);
			break;
		}
		ack = command(net, chain);
		(void)iov_copy_in(chain->in, chain->in_count, 0, &ack, 1);
		virtq_push(vq, chain, 1);
	}
	virtq_flush(vq);
	if (n == BATCH_COMMANDS || (virtq_ready(vq) && virtq_notify_on(vq)))
		virtio_kick_self(&net->dev, index);
}
