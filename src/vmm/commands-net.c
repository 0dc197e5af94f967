/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * commands-net.c - QMP: networks and cards
 */
#include <string.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "dev/virtio-net.h"
#include "net/net.h"
#include "vmm/backends.h"
#include "vmm/commands-int.h"
#include "vmm/devices.h"
#include "vmm/spec-int.h"
#include "vmm/vmm-int.h"

json_t *run_netdev_del(void *opaque, const json_t *args, GError **error)
{
	const char *id = json_string_value(json_object_get(args, "id"));

	return netdev_remove(opaque, id, error) ? json_object() : NULL;
}

static struct vmm_device *find_card(struct vmm *vmm, const char *name, GError **error)
{
	struct vmm_device *device = device_find_kind(vmm, DEVICE_NET, name);

	if (device)
		return device;
	error_set(error, SOCLE_ERROR_NOT_FOUND, "Device '%s' not found", name);
	return NULL;
}

json_t *run_set_link(void *opaque, const json_t *args, GError **error)
{
	struct vmm_device *card =
		find_card(opaque, json_string_value(json_object_get(args, "name")), error);

	if (!card)
		return NULL;
	virtio_net_set_link(card->virtio, json_is_true(json_object_get(args, "up")));
	return json_object();
}

/* Bytes, or bytes in a second; false with @error: it is no number of them. */
static bool take_bytes(const json_t *args, const char *name, uint64_t *ret, GError **error)
{
	const json_int_t value = json_integer_value(json_object_get(args, name));

	*ret = (uint64_t)value;
	return value >= 0 || error_set(error, SOCLE_ERROR_USAGE,
				       "'%s' is below 0; give bytes, or 0: no limit", name);
}

static bool take_limit(const json_t *args, const char *way, struct net_limit *limit, GError **error)
{
	g_autofree char *bps = g_strconcat(way, "-bps", NULL);
	g_autofree char *peak = g_strconcat(way, "-peak", NULL);
	g_autofree char *burst = g_strconcat(way, "-burst", NULL);

	return take_bytes(args, bps, &limit->bps, error) &&
	       take_bytes(args, peak, &limit->bps_peak, error) &&
	       take_bytes(args, burst, &limit->burst, error) && net_limit_check(limit, way, error);
}

json_t *run_set_card_limits(void *opaque, const json_t *args, GError **error)
{
	struct vmm_device *card =
		find_card(opaque, json_string_value(json_object_get(args, "name")), error);
	struct net_limit tx = { 0 }, rx = { 0 };

	if (!card || !take_limit(args, "tx", &tx, error) || !take_limit(args, "rx", &rx, error))
		return NULL;
	virtio_net_set_limits(card->virtio, &tx, &rx);
	return json_object();
}

static json_t *format_mac(const uint8_t *mac)
{
	char text[18];

	g_snprintf(text, sizeof(text), "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2],
		   mac[3], mac[4], mac[5]);
	return json_string(text);
}

static json_t *format_macs(const uint8_t (*macs)[NET_MAC_LEN], unsigned count)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < count; i++)
		json_array_append_new(list, format_mac(macs[i]));
	return list;
}

/* RxState: how much of a kind is let through. */
static const char *rx_state(bool none, bool all)
{
	return none ? "none" : all ? "all" : "normal";
}

static json_t *format_filter(struct vmm_device *card)
{
	g_autofree struct virtio_net_filter *f = g_new(struct virtio_net_filter, 1);
	json_t *vlans = json_array();
	unsigned vlan_count = 0;

	virtio_net_filter(card->virtio, f);
	card->filter_told = false;
	for (unsigned v = 0; v < 4096; v++) {
		if (!(f->vlans[v / 8] >> v % 8 & 1))
			continue;
		json_array_append_new(vlans, json_integer((json_int_t)v));
		vlan_count++;
	}
	return json_pack("{s:s,s:b,s:s,s:s,s:s,s:b,s:b,s:b,s:o,s:o,s:o,s:o}", "name", card->id,
			 "promiscuous", (int)f->promiscuous, "multicast",
			 rx_state(f->no_multicast, f->all_multicast), "unicast",
			 rx_state(f->no_unicast, f->all_unicast), "vlan",
			 vlan_count == 4096 ? "all"
			 : vlan_count       ? "normal"
					    : "none",
			 "broadcast-allowed", (int)!f->no_broadcast, "multicast-overflow",
			 (int)f->multicast_overflow, "unicast-overflow", (int)f->unicast_overflow,
			 "main-mac", format_mac(f->mac), "vlan-table", vlans, "unicast-table",
			 format_macs(f->unicast, f->unicast_count), "multicast-table",
			 format_macs(f->multicast, f->multicast_count));
}

json_t *run_query_rx_filter(void *opaque, const json_t *args, GError **error)
{
	struct vmm *vmm = opaque;
	const char *name = json_string_value(json_object_get(args, "name"));
	struct vmm_device *wanted = NULL;
	json_t *list;

	if (name) {
		wanted = find_card(vmm, name, error);
		if (!wanted)
			return NULL;
	}
	list = json_array();
	for (unsigned i = 0; i < vmm->devices->len; i++) {
		struct vmm_device *card = g_ptr_array_index(vmm->devices, i);

		if (card->kind == DEVICE_NET && (!wanted || card == wanted))
			json_array_append_new(list, format_filter(card));
	}
	return list;
}

json_t *run_query_cards(void *opaque, const json_t *args, GError **error)
{
	struct vmm *vmm = opaque;
	json_t *list = json_array();

	(void)args;
	(void)error;
	for (unsigned i = 0; i < vmm->devices->len; i++) {
		struct vmm_device *card = g_ptr_array_index(vmm->devices, i);
		struct virtio_net_stats s;

		if (card->kind != DEVICE_NET)
			continue;
		virtio_net_stats(card->virtio, &s);
		json_array_append_new(
			list,
			json_pack("{s:s,s:b,s:I,s:I,s:I,s:I,s:I,s:I}", "name", card->id, "up",
				  (int)virtio_net_link(card->virtio), "rx-bytes",
				  (json_int_t)s.rx_bytes, "rx-packets", (json_int_t)s.rx_frames,
				  "rx-dropped", (json_int_t)s.rx_dropped, "tx-bytes",
				  (json_int_t)s.tx_bytes, "tx-packets", (json_int_t)s.tx_frames,
				  "tx-dropped", (json_int_t)s.tx_dropped));
	}
	return list;
}

json_t *run_announce_self(void *opaque, const json_t *args, GError **error)
{
	struct vmm *vmm = opaque;

	(void)args;
	(void)error;
	for (unsigned i = 0; i < vmm->devices->len; i++) {
		struct vmm_device *card = g_ptr_array_index(vmm->devices, i);

		if (card->kind == DEVICE_NET)
			virtio_net_announce(card->virtio);
	}
	return json_object();
}

/* A forward of a network; the only one in user mode if no "netdev" says which. */
static json_t *change_forward(struct vmm *vmm, const json_t *args,
			      bool (*change)(struct net_backend *net,
					     const struct net_forward *forward, GError **error),
			      GError **error)
{
	const char *id = json_string_value(json_object_get(args, "netdev"));
	const char *text = json_string_value(json_object_get(args, "forward"));
	g_autoptr(GPtrArray) strings = g_ptr_array_new_with_free_func(g_free);
	struct vmm_netdev *netdev = NULL;
	struct net_forward forward;

	if (id) {
		netdev = netdev_find(vmm, id, error);
		if (!netdev)
			return NULL;
	}
	for (unsigned i = 0; i < vmm->netdevs->len && !netdev; i++) {
		struct vmm_netdev *one = g_ptr_array_index(vmm->netdevs, i);

		netdev = one->is_user ? one : NULL;
	}
	if (!netdev || !netdev->is_user) {
		error_set(error, SOCLE_ERROR_UNSUPPORTED,
			  "only user mode networks have forwards; there is no such network%s%s",
			  id ? " named " : "", id ? id : "");
		return NULL;
	}
	if (!net_forward_parse(&forward, text, strings, error) ||
	    !change(netdev->net, &forward, error))
		return NULL;
	return json_object();
}

json_t *run_hostfwd_add(void *opaque, const json_t *args, GError **error)
{
	return change_forward(opaque, args, net_user_add_forward, error);
}

json_t *run_hostfwd_remove(void *opaque, const json_t *args, GError **error)
{
	return change_forward(opaque, args, net_user_remove_forward, error);
}
