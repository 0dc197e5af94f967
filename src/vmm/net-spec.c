/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * net-spec.c - what a user says of a network card and of the network behind it
 *
 * The keys are those of QEMU's -netdev, so that what people know works.
 */
#include <string.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "vmm/spec-int.h"

const char netdev_spec_keys[] =
	"user: net, host, dhcpstart, dns, ipv4, ipv6, ipv6-net, ipv6-host, ipv6-dns, hostname, "
	"domainname, dnssearch, dnshost, tftp, bootfile, restrict, hostfwd, guestfwd; tap: ifname, "
	"br, fd, "
	"fds, vnet_hdr; stream: server, reconnect, addr.type, addr.path, addr.host, addr.port, "
	"addr.str; dgram: local.path, local.host, local.port, remote.path, remote.host, "
	"remote.port; all: dump, dump-len";

const char *const netdev_repeatable[] = { "hostfwd", "guestfwd", "dnssearch", "dnshost", NULL };

bool net_mac_parse(uint8_t ret_mac[NET_MAC_LEN], const char *text, GError **error)
{
	uint8_t mac[NET_MAC_LEN];
	bool zero = true;

	for (size_t i = 0; i < NET_MAC_LEN; i++) {
		int high = g_ascii_xdigit_value(text[3 * i]);
		int low = high < 0 ? -1 : g_ascii_xdigit_value(text[3 * i + 1]);
		char end = low < 0 ? '?' : text[3 * i + 2];

		if (low < 0 || (i < NET_MAC_LEN - 1 ? end != ':' && end != '-' : end != '\0'))
			return error_set(error, SOCLE_ERROR_USAGE,
					 "mac=%s is no address of a card; give six bytes as in "
					 "52:54:00:12:34:56",
					 text);
		mac[i] = (uint8_t)(high << 4 | low);
		zero &= !mac[i];
	}
	if (mac[0] & 1 || zero)
		return error_set(error, SOCLE_ERROR_USAGE,
				 "mac=%s %s; give an address of one card, as in 52:54:00:12:34:56",
				 text, zero ? "is nobody's address" : "is a group's address");
	memcpy(ret_mac, mac, sizeof(mac));
	return true;
}

bool net_limit_check(const struct net_limit *limit, const char *way, GError **error)
{
	if (!limit->bps && (limit->bps_peak || limit->burst))
		return error_set(error, SOCLE_ERROR_USAGE,
				 "a peak or burst without an average; give %s-bps, too", way);
	return !limit->bps_peak || limit->bps_peak >= limit->bps ||
	       error_set(error, SOCLE_ERROR_USAGE, "%s-peak is below %s-bps; raise it", way, way);
}

static bool take_limit(struct keyvalue *list, const char *way, struct net_limit *limit,
		       GError **error)
{
	const struct {
		const char *name;
		uint64_t *ret;
	} keys[] = { { "bps", &limit->bps },
		     { "peak", &limit->bps_peak },
		     { "burst", &limit->burst },
		     { "pps", &limit->pps } };

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		g_autofree char *key = g_strdup_printf("%s-%s", way, keys[i].name);

		if (!keyvalue_take_size(list, key, keys[i].ret, error))
			return false;
	}
	return net_limit_check(limit, way, error);
}

bool nic_spec_take(struct device_spec *spec, struct keyvalue *list, GError **error)
{
	struct virtio_net_config *net = &spec->net;
	bool offload = true, mergeable = true, packed = true;
	unsigned mtu = 0;
	const char *mac = keyvalue_take(list, "mac");

	spec->backend = keyvalue_take(list, "netdev");
	spec->has_mac = mac != NULL;
	if (mac && !net_mac_parse(net->mac, mac, error))
		return false;
	if (!keyvalue_take_unsigned(list, "queues", 1, NET_MAX_QUEUES, &net->queue_pairs, error) ||
	    !keyvalue_take_unsigned(list, "queue-size", 2, VIRTQ_MAX_SIZE, &net->queue_size,
				    error) ||
	    !keyvalue_take_unsigned(list, "mtu", 68, 65535, &mtu, error) ||
	    !keyvalue_take_unsigned(list, "host_mtu", 68, 65535, &mtu, error) ||
	    !keyvalue_take_bool(list, "offload", &offload, error) ||
	    !keyvalue_take_bool(list, "mrg_rxbuf", &mergeable, error) ||
	    !keyvalue_take_bool(list, "packed", &packed, error) ||
	    !take_limit(list, "tx", &net->tx, error) || !take_limit(list, "rx", &net->rx, error))
		return false;
	if (net->queue_size & (net->queue_size - 1))
		return error_set(error, SOCLE_ERROR_USAGE,
				 "queue-size=%u is no power of two; give 256 or the like",
				 net->queue_size);
	net->mtu = (uint16_t)mtu;
	net->no_offload = !offload;
	net->no_mrg_rxbuf = !mergeable;
	net->packed_off = !packed;
	return true;
}

static const char *keep(GPtrArray *strings, char *text)
{
	g_ptr_array_add(strings, text);
	return text;
}

/* "HOST:PORT" at the start of @text, HOST in brackets if it has colons; NULL: it is not there. */
static const char *take_endpoint(const char *text, const char **ret_host, uint16_t *ret_port,
				 GPtrArray *strings)
{
	const char *end, *colon;
	uint64_t port = 0;
	size_t digits;
	g_autofree char *number = NULL;

	if (*text == '[') {
		end = strchr(text, ']');
		if (!end || end[1] != ':')
			return NULL;
		*ret_host = keep(strings, g_strndup(text + 1, (size_t)(end - text - 1)));
		colon = end + 1;
	} else {
		colon = strchr(text, ':');
		if (!colon)
			return NULL;
		*ret_host = colon == text ? NULL
					  : keep(strings, g_strndup(text, (size_t)(colon - text)));
	}
	digits = strspn(colon + 1, "0123456789");
	number = g_strndup(colon + 1, digits);
	if (!digits || !g_ascii_string_to_unsigned(number, 10, 1, 65535, &port, NULL))
		return NULL;
	*ret_port = (uint16_t)port;
	return colon + 1 + digits;
}

bool net_forward_parse(struct net_forward *ret, const char *text, GPtrArray *strings,
		       GError **error)
{
	struct net_forward forward = { .udp = g_str_has_prefix(text, "udp:") };
	const char *p = text;

	if (forward.udp || g_str_has_prefix(text, "tcp:"))
		p += 4;
	else if (*text == ':')
		p += 1;
	else
		goto bad;
	p = take_endpoint(p, &forward.host, &forward.host_port, strings);
	if (!p || *p != '-')
		goto bad;
	p = take_endpoint(p + 1, &forward.guest, &forward.guest_port, strings);
	if (!p || *p)
		goto bad;
	*ret = forward;
	return true;
bad:
	return error_set(error, SOCLE_ERROR_USAGE,
			 "hostfwd=%s is not of the form tcp:[ADDRESS]:PORT-[GUEST]:PORT, as in "
			 "tcp::2222-:22 (or udp:)",
			 text);
}

/* "tcp:SERVER:PORT-unix:PATH" or "-cmd:COMMAND". */
static bool parse_guestfwd(struct net_guestfwd *ret, const char *text, GPtrArray *strings,
			   GError **error)
{
	const char *p = g_str_has_prefix(text, "tcp:") ? text + 4 : text;

	*ret = (struct net_guestfwd){ 0 };
	p = take_endpoint(p, &ret->server, &ret->port, strings);
	if (p && g_str_has_prefix(p, "-unix:") && p[6])
		ret->unix_path = p + 6;
	else if (p && g_str_has_prefix(p, "-cmd:") && p[5])
		ret->command = p + 5;
	if (!ret->server || (!ret->unix_path && !ret->command))
		return error_set(error, SOCLE_ERROR_USAGE,
				 "guestfwd=%s is not of the form tcp:ADDRESS:PORT-unix:PATH (or "
				 "-cmd:COMMAND)",
				 text);
	return true;
}

static bool take_forwards(struct netdev_spec *spec, struct keyvalue *list, GError **error)
{
	struct net_user_config *user = &spec->user;
	const char *text;
	unsigned searches = 0;

	while ((text = keyvalue_take(list, "hostfwd"))) {
		if (user->forward_count == NETDEV_MAX_FORWARDS)
			goto too_many;
		if (!net_forward_parse(&spec->forwards[user->forward_count++], text, spec->strings,
				       error))
			return false;
	}
	while ((text = keyvalue_take(list, "guestfwd"))) {
		if (user->guestfwd_count == NETDEV_MAX_FORWARDS)
			goto too_many;
		if (!parse_guestfwd(&spec->guestfwds[user->guestfwd_count++], text, spec->strings,
				    error))
			return false;
	}
	while ((text = keyvalue_take(list, "dnssearch"))) {
		if (searches == NETDEV_MAX_FORWARDS)
			goto too_many;
		spec->searches[searches++] = text;
	}
	user->forwards = spec->forwards;
	user->guestfwds = spec->guestfwds;
	user->dns_search = searches ? spec->searches : NULL;
	return true;
too_many:
	return error_set(error, SOCLE_ERROR_LIMIT, "there are more than %d forwards of a kind",
			 NETDEV_MAX_FORWARDS);
}

/* "ADDRESS/NAME" */
static bool take_names(struct netdev_spec *spec, struct keyvalue *list, GError **error)
{
	struct net_user_config *user = &spec->user;
	const char *text;

	while ((text = keyvalue_take(list, "dnshost"))) {
		const char *slash = strchr(text, '/');

		if (!slash || !slash[1])
			return error_set(error, SOCLE_ERROR_USAGE,
					 "dnshost=%s is not of the form ADDRESS/NAME, as in "
					 "10.0.2.7/web.lab",
					 text);
		if (user->name_count == NETDEV_MAX_NAMES)
			return error_set(error, SOCLE_ERROR_LIMIT,
					 "there are more than %d names; take some out",
					 NETDEV_MAX_NAMES);
		if (!spec->names) {
			spec->names = g_new(struct net_name, NETDEV_MAX_NAMES);
			g_ptr_array_add(spec->strings, spec->names);
		}
		spec->names[user->name_count++] = (struct net_name){
			.name = slash + 1,
			.address = keep(spec->strings, g_strndup(text, (size_t)(slash - text)))
		};
	}
	user->names = spec->names;
	return true;
}

static bool take_user(struct netdev_spec *spec, struct keyvalue *list, GError **error)
{
	struct net_user_config *user = &spec->user;
	bool ipv4 = true, ipv6 = true;
	const char *mtu = keyvalue_get(list, "mtu");
	uint64_t number;

	user->net = keyvalue_take(list, "net");
	user->host = keyvalue_take(list, "host");
	user->dhcp_start = keyvalue_take(list, "dhcpstart");
	user->dns = keyvalue_take(list, "dns");
	user->net6 = keyvalue_take(list, "ipv6-net");
	user->host6 = keyvalue_take(list, "ipv6-host");
	user->dns6 = keyvalue_take(list, "ipv6-dns");
	user->hostname = keyvalue_take(list, "hostname");
	user->domain = keyvalue_take(list, "domainname");
	user->tftp = keyvalue_take(list, "tftp");
	user->bootfile = keyvalue_take(list, "bootfile");
	if (!keyvalue_take_bool(list, "ipv4", &ipv4, error) ||
	    !keyvalue_take_bool(list, "ipv6", &ipv6, error) ||
	    !keyvalue_take_bool(list, "restrict", &user->restricted, error) ||
	    !take_forwards(spec, list, error) || !take_names(spec, list, error))
		return false;
	/* The card's MTU is this network's, too. */
	if (mtu && g_ascii_string_to_unsigned(mtu, 10, 68, 65535, &number, NULL))
		user->mtu = (uint16_t)number;
	user->no_ipv4 = !ipv4;
	user->no_ipv6 = !ipv6;
	return true;
}

static bool parse_fd(const char *text, int *ret_fd, GError **error)
{
	uint64_t fd;

	if (!g_ascii_string_to_unsigned(text, 10, 3, G_MAXINT, &fd, NULL))
		return error_set(error, SOCLE_ERROR_USAGE,
				 "fd=%s is no descriptor that was handed over; give its number, 3 "
				 "or more",
				 text);
	*ret_fd = (int)fd;
	return true;
}

static bool take_tap(struct netdev_spec *spec, struct keyvalue *list, GError **error)
{
	struct net_tap_config *tap = &spec->tap;
	const char *fd = keyvalue_take(list, "fd"), *fds = keyvalue_take(list, "fds");
	const char *queues = keyvalue_get(list, "queues");
	g_auto(GStrv) parts = NULL;
	bool vnet_hdr = true;
	uint64_t number = 1;

	tap->ifname = keyvalue_take(list, "ifname");
	tap->bridge = keyvalue_take(list, "br");
	if (!keyvalue_take_bool(list, "vnet_hdr", &vnet_hdr, error))
		return false;
	tap->no_vnet_hdr = !vnet_hdr;
	if (queues && g_ascii_string_to_unsigned(queues, 10, 1, NET_MAX_QUEUES, &number, NULL))
		tap->queues = (unsigned)number;
	else
		tap->queues = 1;
	if ((fd || fds) && (tap->ifname || (fd && fds)))
		return error_set(error, SOCLE_ERROR_USAGE,
				 "give one of ifname=NAME, fd=N and fds=N:N...");
	parts = g_strsplit(fds ? fds : fd ? fd : "", ":", NET_MAX_QUEUES + 1);
	for (unsigned i = 0; (fd || fds) && parts[i]; i++) {
		if (i == NET_MAX_QUEUES)
			return error_set(error, SOCLE_ERROR_LIMIT, "fds has more than %d queues",
					 NET_MAX_QUEUES);
		if (!parse_fd(parts[i], &spec->fds[i], error))
			return false;
		tap->fd_count = i + 1;
	}
	tap->fds = spec->fds;
	return true;
}

static bool take_port(struct keyvalue *list, const char *key, uint16_t *ret, GError **error)
{
	uint64_t port = *ret;

	if (!keyvalue_take_uint(list, key, 1, 65535, &port, error))
		return false;
	*ret = (uint16_t)port;
	return true;
}

static bool take_stream(struct netdev_spec *spec, struct keyvalue *list, GError **error)
{
	struct net_stream_config *stream = &spec->stream;
	const char *type = keyvalue_take(list, "addr.type");
	const char *fd = keyvalue_take(list, "addr.str");
	bool server = false;

	stream->unix_path = keyvalue_take(list, "addr.path");
	stream->host = keyvalue_take(list, "addr.host");
	if (!keyvalue_take_bool(list, "server", &server, error) ||
	    !take_port(list, "addr.port", &stream->port, error) ||
	    !keyvalue_take_unsigned(list, "reconnect", 0, 86400, &stream->reconnect_s, error))
		return false;
	stream->role = server ? NET_SOCKET_LISTEN : NET_SOCKET_CONNECT;
	stream->fd = -1;
	if (fd) {
		stream->role = NET_SOCKET_FD;
		return parse_fd(fd, &stream->fd, error);
	}
	if (type && strcmp(type, "unix") != 0 && strcmp(type, "inet") != 0)
		return error_set(error, SOCLE_ERROR_USAGE,
				 "addr.type=%s: give unix with addr.path, inet with addr.host and "
				 "addr.port, or fd with addr.str",
				 type);
	if (!stream->unix_path == !(stream->port && (server || stream->host)))
		return error_set(error, SOCLE_ERROR_USAGE,
				 "a stream needs an address: addr.path=PATH, or "
				 "addr.host=HOST,addr.port=PORT");
	return true;
}

static bool take_dgram(struct netdev_spec *spec, struct keyvalue *list, GError **error)
{
	struct net_dgram_config *dgram = &spec->dgram;
	const char *fd = keyvalue_take(list, "local.str");

	(void)keyvalue_take(list, "local.type");
	(void)keyvalue_take(list, "remote.type");
	dgram->local_path = keyvalue_take(list, "local.path");
	dgram->remote_path = keyvalue_take(list, "remote.path");
	dgram->local_host = keyvalue_take(list, "local.host");
	dgram->remote_host = keyvalue_take(list, "remote.host");
	dgram->fd = -1;
	if (!take_port(list, "local.port", &dgram->local_port, error) ||
	    !take_port(list, "remote.port", &dgram->remote_port, error))
		return false;
	if (fd)
		return parse_fd(fd, &dgram->fd, error);
	if (!(dgram->local_path && dgram->remote_path) &&
	    !(dgram->local_port && dgram->remote_port && dgram->remote_host))
		return error_set(error, SOCLE_ERROR_USAGE,
				 "datagrams need both ends: local.path and remote.path, or "
				 "local.port, remote.host and remote.port");
	return true;
}

static bool take_fd(struct netdev_spec *spec, struct keyvalue *list, GError **error)
{
	return parse_fd(keyvalue_take(list, "fd"), &spec->fds[0], error);
}

static bool take_nothing(struct netdev_spec *spec, struct keyvalue *list, GError **error)
{
	(void)spec;
	(void)list;
	(void)error;
	return true;
}

static const struct {
	const char *name;
	bool (*take)(struct netdev_spec *spec, struct keyvalue *list, GError **error);
} types[] = {
	[NETDEV_USER] = { "user", take_user },
	[NETDEV_TAP] = { "tap", take_tap },
	[NETDEV_STREAM] = { "stream", take_stream },
	[NETDEV_DGRAM] = { "dgram", take_dgram },
	[NETDEV_FD] = { NULL, take_fd },
	[NETDEV_NONE] = { "none", take_nothing },
};

static bool find_type(struct netdev_spec *spec, const char *type, struct keyvalue *list,
		      GError **error)
{
	for (unsigned i = 0; i < ARRAY_SIZE(types); i++) {
		if (types[i].name && (type ? !strcmp(types[i].name, type)
					   : keyvalue_take_word(list, types[i].name))) {
			spec->kind = (enum netdev_kind)i;
			return true;
		}
	}
	if (!type && keyvalue_get(list, "fd")) {
		spec->kind = NETDEV_FD;
		return true;
	}
	return error_set(error, SOCLE_ERROR_USAGE,
			 "there is no network '%s'; use user, tap, stream, dgram, fd=N or none",
			 type          ? type
			 : list->count ? list->item[0].key
				       : "");
}

bool netdev_spec_take(struct netdev_spec *spec, const char *type, struct keyvalue *list,
		      GError **error)
{
	*spec = (struct netdev_spec){ .strings = g_ptr_array_new_with_free_func(g_free) };
	spec->dump = keyvalue_take(list, "dump");
	if (find_type(spec, type, list, error) &&
	    keyvalue_take_unsigned(list, "dump-len", 64, 65535, &spec->dump_len, error) &&
	    types[spec->kind].take(spec, list, error))
		return true;
	netdev_spec_release(spec);
	return false;
}

bool netdev_spec_has_names(const struct netdev_spec *spec)
{
	const struct net_dgram_config *dgram = &spec->dgram;

	if (spec->kind == NETDEV_STREAM)
		return !socket_is_numeric(spec->stream.host);
	return spec->kind == NETDEV_DGRAM &&
	       !(socket_is_numeric(dgram->local_host) && socket_is_numeric(dgram->remote_host));
}

static bool look_up(struct socket_address *address, const struct socket_address **ret_address,
		    const char *host, uint16_t port, int type, bool passive, GError **error)
{
	if (socket_is_numeric(host))
		return true;
	if (!socket_address_inet(address, host, port, type, passive, error))
		return false;
	*ret_address = address;
	return true;
}

bool netdev_spec_look_up(struct netdev_spec *spec, GError **error)
{
	struct net_stream_config *stream = &spec->stream;
	struct net_dgram_config *dgram = &spec->dgram;

	if (spec->kind == NETDEV_STREAM)
		return look_up(&spec->addresses[0], &stream->address, stream->host, stream->port,
			       SOCK_STREAM, stream->role == NET_SOCKET_LISTEN, error);
	if (spec->kind == NETDEV_DGRAM)
		return look_up(&spec->addresses[0], &dgram->remote, dgram->remote_host,
			       dgram->remote_port, SOCK_DGRAM, false, error) &&
		       look_up(&spec->addresses[1], &dgram->local, dgram->local_host,
			       dgram->local_port, SOCK_DGRAM, true, error);
	return true;
}

void netdev_spec_release(struct netdev_spec *spec)
{
	for (unsigned i = 0; i < ARRAY_SIZE(spec->addresses); i++)
		socket_address_release(&spec->addresses[i]);
	g_clear_pointer(&spec->strings, g_ptr_array_unref);
}
