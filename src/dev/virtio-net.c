/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virtio-net.c - a network card (virtio 1.2, 5.1): making, features, link, limits, life
 *
 *  (1) The back end is called with the lock held and may call back from inside. Its calls,
 *      readable() and writable(), therefore take no lock: they kick the queue.
 *  (2) What the driver chooses on a vCPU's thread reaches the back end with the next kick, before
 *      a frame does (configure_due).
 *  (3) A queue works for a batch, then kicks itself and lets others have their turn.
 */
#include <string.h>

#include "base/bytes.h"
#include "base/error.h"
#include "dev/virtio-net-int.h"

enum {
	QUEUE_SIZE = 256,
	MIN_MTU = 68 /* RFC 791 */
};

static const uint64_t doze_ns = 500000;

void net_configure(struct virtio_net *net)
{
	static const struct {
		uint64_t feature;
		unsigned offload;
	} map[] = {
		{ VIRTIO_NET_F_GUEST_CSUM, NET_OFFLOAD_CSUM },
		{ VIRTIO_NET_F_GUEST_TSO4, NET_OFFLOAD_TSO4 },
		{ VIRTIO_NET_F_GUEST_TSO6, NET_OFFLOAD_TSO6 },
		{ VIRTIO_NET_F_GUEST_ECN, NET_OFFLOAD_ECN },
	};
	unsigned offloads = 0;

	net->configure_due = false;
	if (!net->net)
		return;
	for (unsigned i = 0; i < ARRAY_SIZE(map); i++) {
		if (net->offloads & map[i].feature)
			offloads |= map[i].offload;
	}
	net->net->ops->configure(net->net, offloads, net->used_pairs);
	for (unsigned i = 0; i < net->pairs; i++)
		net->pair[i].rx_idle = net->pair[i].tx_full = false;
}

DATA_PATH bool net_rate_ok(struct virtio_net *net, struct net_rate *rate)
{
	uint64_t now_ns, wait_ns;

	if (!rate->bytes.avg && !rate->frames.avg)
		return true;
	now_ns = io_loop_now_ns(net->loop);
	wait_ns = MAX(rate_wait_ns(&rate->bytes, now_ns), rate_wait_ns(&rate->frames, now_ns));
	if (!wait_ns)
		return true;
	io_timer_set(net->loop, &rate->timer, now_ns + wait_ns);
	return false;
}

DATA_PATH void net_rate_take(struct virtio_net *net, struct net_rate *rate, size_t len)
{
	uint64_t now_ns;

	if (!rate->bytes.avg && !rate->frames.avg)
		return;
	now_ns = io_loop_now_ns(net->loop);
	rate_take(&rate->bytes, now_ns, len);
	rate_take(&rate->frames, now_ns, 1);
}

/* ---- what the back end calls ---- */

DATA_PATH static void net_readable(void *opaque, unsigned queue)
{
	struct virtio_net *net = opaque;

	if (queue >= net->pairs)
		return;
	net->pair[queue].rx_idle = false;
	virtio_kick_self(&net->dev, 2 * queue);
}

DATA_PATH static void net_writable(void *opaque, unsigned queue)
{
	struct virtio_net *net = opaque;

	if (queue >= net->pairs)
		return;
	net->pair[queue].tx_full = false;
	virtio_kick_self(&net->dev, 2 * queue + 1);
}

static void kick_all(struct virtio_net *net, unsigned direction)
{
	for (unsigned i = 0; i < net->pairs; i++)
		virtio_kick_self(&net->dev, 2 * i + direction);
}

/* The link may have changed. Frames that wait are dropped or go on. */
static void update_link_locked(struct virtio_net *net)
{
	uint16_t old = get_le16(net->dev.config + CONFIG_STATUS), now = old & STATUS_ANNOUNCE;

	if (virtio_net_link_locked(net))
		now |= STATUS_LINK_UP;
	if (now == old)
		return;
	put_le16(net->dev.config + CONFIG_STATUS, now);
	if (virtio_has(&net->dev, VIRTIO_NET_F_STATUS))
		virtio_config_changed(&net->dev);
	kick_all(net, 0);
	kick_all(net, 1);
}

static void net_link_changed(void *opaque, bool up)
{
	struct virtio_net *net = opaque;

	virtio_lock(&net->dev);
	net->link_net = up;
	update_link_locked(net);
	virtio_unlock(&net->dev);
}

static const struct net_front net_front = {
	.readable = net_readable,
	.writable = net_writable,
	.link_changed = net_link_changed,
};

/* ---- timers, on the loop ---- */

static void on_tx_rate(void *opaque)
{
	kick_all(opaque, 1);
}

static void on_rx_rate(void *opaque)
{
	kick_all(opaque, 0);
}

static void add_timers(void *opaque)
{
	struct virtio_net *net = opaque;

	io_timer_add(net->loop, &net->tx_rate.timer);
	io_timer_add(net->loop, &net->rx_rate.timer);
	io_timer_add(net->loop, &net->hold_timer);
	doze_add(&net->doze);
}

static void remove_timers(void *opaque)
{
	struct virtio_net *net = opaque;

	io_timer_remove(net->loop, &net->tx_rate.timer);
	io_timer_remove(net->loop, &net->rx_rate.timer);
	io_timer_remove(net->loop, &net->hold_timer);
	doze_remove(&net->doze);
}

/* [main] */
static void on_filter_bell(void *opaque)
{
	struct virtio_net *net = opaque;

	net->filter_changed(net->opaque);
}

/* ---- life ---- */

/* 5.1.3.1 */
static bool net_features_ok(struct virtio_device *dev, uint64_t features)
{
	static const struct {
		uint64_t feature, needs; /* one of these */
	} rule[] = {
		{ VIRTIO_NET_F_GUEST_TSO4, VIRTIO_NET_F_GUEST_CSUM },
		{ VIRTIO_NET_F_GUEST_TSO6, VIRTIO_NET_F_GUEST_CSUM },
		{ VIRTIO_NET_F_GUEST_ECN, VIRTIO_NET_F_GUEST_TSO4 | VIRTIO_NET_F_GUEST_TSO6 },
		{ VIRTIO_NET_F_HOST_TSO4, VIRTIO_NET_F_CSUM },
		{ VIRTIO_NET_F_HOST_TSO6, VIRTIO_NET_F_CSUM },
		{ VIRTIO_NET_F_HOST_ECN, VIRTIO_NET_F_HOST_TSO4 | VIRTIO_NET_F_HOST_TSO6 },
		{ VIRTIO_NET_F_CTRL_RX, VIRTIO_NET_F_CTRL_VQ },
		{ VIRTIO_NET_F_CTRL_VLAN, VIRTIO_NET_F_CTRL_VQ },
		{ VIRTIO_NET_F_GUEST_ANNOUNCE, VIRTIO_NET_F_CTRL_VQ },
		{ VIRTIO_NET_F_MQ, VIRTIO_NET_F_CTRL_VQ },
		{ VIRTIO_NET_F_CTRL_MAC_ADDR, VIRTIO_NET_F_CTRL_VQ },
	};

	(void)dev;
	for (unsigned i = 0; i < ARRAY_SIZE(rule); i++) {
		if ((features & rule[i].feature) && !(features & rule[i].needs))
			return false;
	}
	return true;
}

static void net_start(struct virtio_device *dev)
{
	struct virtio_net *net = virtio_net_of(dev);

	net->used_pairs = 1;
	net->offloads = dev->features & VIRTIO_NET_GUEST_OFFLOADS;
	if (!virtio_has(dev, VIRTIO_NET_F_CTRL_VLAN))
		memset(net->filter.vlans, 0xff, sizeof(net->filter.vlans));
	net->configure_due = true;
}

static void net_kick(struct virtio_device *dev, unsigned index)
{
	struct virtio_net *net = virtio_net_of(dev);

	if (net->configure_due)
		net_configure(net);
	if (index == net_ctrl_index(net)) {
		if (virtio_has(dev, VIRTIO_NET_F_CTRL_VQ))
			net_ctrl_run(net);
	} else if (index / 2 < net->used_pairs) {
		if (index & 1)
			net_tx_run(net, index / 2);
		else
			net_rx_run(net, index / 2);
	}
}

static void net_reset(struct virtio_device *dev, int index)
{
	struct virtio_net *net = virtio_net_of(dev);

	for (unsigned i = 0; i < net->pairs; i++) {
		if (index < 0 || (unsigned)index == 2 * i)
			net_rx_reset(net, i);
		if (index < 0 || (unsigned)index == 2 * i + 1)
			net_tx_reset(net, i);
	}
	doze_reset(&net->doze, index);
	if (index >= 0)
		return;
	net->used_pairs = 1;
	net->offloads = 0;
	net->dev.config[CONFIG_STATUS] &= (uint8_t)~STATUS_ANNOUNCE;
	memcpy(net->dev.config + CONFIG_MAC, net->perm_mac, NET_MAC_LEN);
	net_filter_reset(net);
}

static void net_destroy(struct virtio_device *dev)
{
	struct virtio_net *net = virtio_net_of(dev);

	if (net->net)
		net_detach(net->net);
	/* When this returns, what the back end has posted until then has been done. */
	virtio_reset(dev);
	io_loop_call(net->loop, remove_timers, net);
	dev_timer_free(net->filter_bell);
	virtio_release(dev);
	for (unsigned i = 0; i < net->pairs; i++)
		g_free(net->pair[i].held);
	g_free(net->pair);
	g_free(net->bounce);
	g_free(net);
}

static const struct virtio_ops net_ops = {
	.features_ok = net_features_ok,
	.start = net_start,
	.kick = net_kick,
	.reset = net_reset,
	.free = net_destroy,
};

static uint64_t offered(const struct virtio_net_config *config, uint16_t mtu)
{
	uint64_t features = VIRTIO_F_COMMON | VIRTIO_NET_F_MAC | VIRTIO_NET_F_STATUS |
			    VIRTIO_NET_F_CTRL_VQ | VIRTIO_NET_F_CTRL_RX |
			    VIRTIO_NET_F_CTRL_RX_EXTRA | VIRTIO_NET_F_CTRL_VLAN |
			    VIRTIO_NET_F_CTRL_MAC_ADDR | VIRTIO_NET_F_GUEST_ANNOUNCE;
	unsigned can = config->net ? config->net->offloads : 0;

	if (config->packed_off)
		features &= ~VIRTIO_F_RING_PACKED;
	if (!config->no_mrg_rxbuf)
		features |= VIRTIO_NET_F_MRG_RXBUF;
	if (config->queue_pairs > 1)
		features |= VIRTIO_NET_F_MQ;
	if (mtu)
		features |= VIRTIO_NET_F_MTU;
	if (config->no_offload)
		return features;
	features |= VIRTIO_NET_F_CSUM | VIRTIO_NET_F_HOST_TSO4 | VIRTIO_NET_F_HOST_TSO6 |
		    VIRTIO_NET_F_HOST_ECN | VIRTIO_NET_F_CTRL_GUEST_OFFLOADS;
	if (!(can & NET_OFFLOAD_CSUM))
		return features;
	features |= VIRTIO_NET_F_GUEST_CSUM;
	if (can & NET_OFFLOAD_TSO4)
		features |= VIRTIO_NET_F_GUEST_TSO4;
	if (can & NET_OFFLOAD_TSO6)
		features |= VIRTIO_NET_F_GUEST_TSO6;
	if ((can & NET_OFFLOAD_ECN) && (can & (NET_OFFLOAD_TSO4 | NET_OFFLOAD_TSO6)))
		features |= VIRTIO_NET_F_GUEST_ECN;
	return features;
}

static bool check_config(const struct virtio_net_config *config, uint16_t mtu, GError **error)
{
	unsigned most = config->net ? config->net->queues : NET_MAX_QUEUES;
	unsigned size = config->queue_size;

	if (config->queue_pairs < 1 || config->queue_pairs > MIN(most, NET_MAX_QUEUES))
		return error_set(
			error, SOCLE_ERROR_LIMIT,
			"a card with %u queue pairs, and the back end has %u; ask for 1 to %u",
			config->queue_pairs, most, MIN(most, NET_MAX_QUEUES));
	if (size && (size < 4 || size > VIRTQ_MAX_SIZE || (size & (size - 1))))
		return error_set(
			error, SOCLE_ERROR_USAGE,
			"a card's queue of %u entries; it must be a power of two from 4 to %d",
			size, VIRTQ_MAX_SIZE);
	if (mtu && mtu < MIN_MTU)
		return error_set(error, SOCLE_ERROR_USAGE,
				 "a card's MTU of %u; it must be at least %d", mtu, MIN_MTU);
	if (config->mac[0] & 1)
		return error_set(error, SOCLE_ERROR_USAGE,
				 "a card's MAC address is a group's; its first byte must be even");
	return true;
}

static void set_limits(struct virtio_net *net, const struct net_limit *tx,
		       const struct net_limit *rx)
{
	rate_set_bucket(&net->tx_rate.bytes, tx->bps, tx->bps_peak, tx->burst);
	rate_set(&net->tx_rate.frames, tx->pps, 0, 1);
	rate_set_bucket(&net->rx_rate.bytes, rx->bps, rx->bps_peak, rx->burst);
	rate_set(&net->rx_rate.frames, rx->pps, 0, 1);
}

static void fill_config(struct virtio_net *net, const struct virtio_net_config *config,
			uint16_t mtu)
{
	memcpy(net->perm_mac, config->mac, NET_MAC_LEN);
	memcpy(net->dev.config + CONFIG_MAC, config->mac, NET_MAC_LEN);
	put_le16(net->dev.config + CONFIG_MAX_PAIRS, (uint16_t)config->queue_pairs);
	put_le16(net->dev.config + CONFIG_MTU, mtu);
	net->link_set = true;
	net->link_net = !config->net || config->net->link_up;
	if (virtio_net_link_locked(net))
		put_le16(net->dev.config + CONFIG_STATUS, STATUS_LINK_UP);
	net_filter_reset(net);
}

struct virtio_device *virtio_net_new(const struct virtio_net_config *config, GError **error)
{
	uint16_t mtu = config->mtu || !config->net ? config->mtu : config->net->mtu;
	struct virtio_net *net;

	if (!check_config(config, mtu, error))
		return NULL;
	net = g_new0(struct virtio_net, 1);
	net->net = config->net;
	net->loop = config->loop;
	net->pairs = config->queue_pairs;
	net->pair = g_new0(struct net_pair, net->pairs);
	net->used_pairs = 1;
	net->bounce = g_malloc(NET_MAX_FRAME);
	for (unsigned i = 0; i < net->pairs; i++)
		net->pair[i].held = g_malloc(NET_MAX_FRAME);
	net->filter_changed = config->filter_changed;
	net->opaque = config->opaque;
	net->tx_rate.timer = (struct io_timer){ .fn = on_tx_rate, .opaque = net };
	net->rx_rate.timer = (struct io_timer){ .fn = on_rx_rate, .opaque = net };
	net->hold_timer = (struct io_timer){ .fn = on_rx_rate, .opaque = net };
	set_limits(net, &config->tx, &config->rx);
	virtio_init(&net->dev, &(struct virtio_config){
				       .ops = &net_ops,
				       .type = VIRTIO_NET,
				       .features = offered(config, mtu),
				       .loop = config->loop,
				       .queues = 2 * config->queue_pairs + 1,
				       .queue_size = config->queue_size ?: QUEUE_SIZE,
				       .config_len = CONFIG_LEN,
			       });
	fill_config(net, config, mtu);
	doze_init(&net->doze, &net->dev, net->loop, doze_ns, net_tx_take);
	io_loop_call(net->loop, add_timers, net);
	if (net->filter_changed)
		net->filter_bell = dev_timer_new(config->clock, on_filter_bell, net);
	if (net->net && !net_attach(net->net, net->loop, &net_front, net, error)) {
		net->net = NULL;
		net_destroy(&net->dev);
		return NULL;
	}
	return &net->dev;
}

/* ---- what the monitor asks ---- */

void virtio_net_set_link(struct virtio_device *dev, bool up)
{
	struct virtio_net *net = virtio_net_of(dev);

	virtio_lock(dev);
	net->link_set = up;
	update_link_locked(net);
	virtio_unlock(dev);
}

bool virtio_net_link(struct virtio_device *dev)
{
	bool up;

	virtio_lock(dev);
	up = virtio_net_link_locked(virtio_net_of(dev));
	virtio_unlock(dev);
	return up;
}

void virtio_net_announce(struct virtio_device *dev)
{
	virtio_lock(dev);
	if (virtio_live(dev) && virtio_has(dev, VIRTIO_NET_F_GUEST_ANNOUNCE) &&
	    virtio_has(dev, VIRTIO_NET_F_STATUS)) {
		dev->config[CONFIG_STATUS] |= STATUS_ANNOUNCE;
		virtio_config_changed(dev);
	}
	virtio_unlock(dev);
}

void virtio_net_filter(struct virtio_device *dev, struct virtio_net_filter *ret_filter)
{
	struct virtio_net *net = virtio_net_of(dev);

	virtio_lock(dev);
	*ret_filter = net->filter;
	memcpy(ret_filter->mac, dev->config + CONFIG_MAC, NET_MAC_LEN);
	net->filter_told = false;
	virtio_unlock(dev);
}

void virtio_net_stats(struct virtio_device *dev, struct virtio_net_stats *ret_stats)
{
	virtio_lock(dev);
	*ret_stats = virtio_net_of(dev)->stats;
	virtio_unlock(dev);
}

void virtio_net_set_limits(struct virtio_device *dev, const struct net_limit *tx,
			   const struct net_limit *rx)
{
	struct virtio_net *net = virtio_net_of(dev);

	virtio_lock(dev);
	set_limits(net, tx, rx);
	virtio_unlock(dev);
	/* A queue that waits for what the old limit said looks again. */
	kick_all(net, 0);
	kick_all(net, 1);
}
