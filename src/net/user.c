/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * user.c - user mode networking by libslirp: options, life, the ops
 */
#include <arpa/inet.h>
#include <string.h>
#include <sys/resource.h>

#include "base/error.h"
#include "base/sys.h"
#include "net/user-int.h"

enum {
	MTU_DEFAULT = 1500,
	MTU_MIN = 576,
	MTU_MIN_V6 = 1280,
	MTU_MAX = USER_SLIRP_MTU,
	BOOTFILE_MAX = 127,
};

/* ---- addresses ---- */

static bool parse_v4(const char *text, const char *what, struct in_addr *ret, GError **error)
{
	if (inet_pton(AF_INET, text, ret) != 1)
		return error_set(error, SOCLE_ERROR_USAGE, "%s '%s' is not an IPv4 address", what,
				 text);
	return true;
}

static bool parse_v6(const char *text, const char *what, struct in6_addr *ret, GError **error)
{
	if (inet_pton(AF_INET6, text, ret) != 1)
		return error_set(error, SOCLE_ERROR_USAGE, "%s '%s' is not an IPv6 address", what,
				 text);
	return true;
}

/* Split "address/length"; the length is from @min to @max. */
static bool split_cidr(const char *text, unsigned min, unsigned max, char **ret_address,
		       unsigned *ret_len, GError **error)
{
	const char *slash = strchr(text, '/');
	uint64_t len = 0;

	if (!slash || !g_ascii_string_to_unsigned(slash + 1, 10, min, max, &len, NULL))
		return error_set(
			error, SOCLE_ERROR_USAGE,
			"network '%s' is not of the form ADDRESS/LENGTH with a length from "
			"%u to %u",
			text, min, max);
	*ret_address = g_strndup(text, (size_t)(slash - text));
	*ret_len = (unsigned)len;
	return true;
}

/* An address of the network: as given, or the customary one. */
static bool place_v4(const SlirpConfig *slirp, const char *text, uint32_t usual, const char *what,
		     struct in_addr *ret, GError **error)
{
	uint32_t host;

	if (!text) {
		ret->s_addr = slirp->vnetwork.s_addr | (htonl(usual) & ~slirp->vnetmask.s_addr);
		return true;
	}
	if (!parse_v4(text, what, ret, error))
		return false;
	host = ret->s_addr & ~slirp->vnetmask.s_addr;
	if ((ret->s_addr & slirp->vnetmask.s_addr) != slirp->vnetwork.s_addr)
		return error_set(error, SOCLE_ERROR_USAGE,
				 "%s %s is outside the guest's network; choose one inside", what,
				 text);
	if (host == 0 || host == ~slirp->vnetmask.s_addr)
		return error_set(error, SOCLE_ERROR_USAGE,
				 "%s %s is the network's own or its broadcast address; choose "
				 "another",
				 what, text);
	return true;
}

static bool config_v4(const struct net_user_config *config, SlirpConfig *slirp, GError **error)
{
	const char *net = config->net ? config->net : "10.0.2.0/24";
	g_autofree char *address = NULL;
	unsigned len = 0;

	/* As long as there is room for host, name server and a guest. */
	if (!split_cidr(net, 4, 29, &address, &len, error) ||
	    !parse_v4(address, "network", &slirp->vnetwork, error))
		return false;
	slirp->vnetmask.s_addr = htonl((uint32_t)(UINT64_C(0xffffffff) << (32 - len)));
	if (slirp->vnetwork.s_addr & ~slirp->vnetmask.s_addr)
		return error_set(error, SOCLE_ERROR_USAGE,
				 "network '%s' has bits set beyond its length", net);
	if (!place_v4(slirp, config->host, 2, "host address", &slirp->vhost, error) ||
	    !place_v4(slirp, config->dns, 3, "name server", &slirp->vnameserver, error) ||
	    !place_v4(slirp, config->dhcp_start, len > 27 ? 4 : 15, "first DHCP address",
		      &slirp->vdhcp_start, error))
		return false;
	if (slirp->vhost.s_addr == slirp->vnameserver.s_addr ||
	    slirp->vhost.s_addr == slirp->vdhcp_start.s_addr ||
	    slirp->vnameserver.s_addr == slirp->vdhcp_start.s_addr)
		return error_set(error, SOCLE_ERROR_USAGE,
				 "host, name server and first DHCP address of '%s' are not all "
				 "different; choose other ones",
				 net);
	return true;
}

static bool inside_v6(const struct in6_addr *addr, const struct in6_addr *net, unsigned len)
{
	for (unsigned i = 0; i < 16; i++) {
		unsigned bits = len >= (i + 1) * 8 ? 8 : (len > i * 8 ? len - i * 8 : 0);
		uint8_t mask = (uint8_t)(0xff00u >> bits);

		if ((addr->s6_addr[i] & mask) != (net->s6_addr[i] & mask))
			return false;
	}
	return true;
}

static bool place_v6(const SlirpConfig *slirp, const char *text, uint8_t usual, const char *what,
		     struct in6_addr *ret, GError **error)
{
	if (!text) {
		*ret = slirp->vprefix_addr6;
		ret->s6_addr[15] |= usual;
		return true;
	}
	if (!parse_v6(text, what, ret, error))
		return false;
	if (!inside_v6(ret, &slirp->vprefix_addr6, slirp->vprefix_len))
		return error_set(error, SOCLE_ERROR_USAGE,
				 "%s %s is outside the guest's network; choose one inside", what,
				 text);
	return true;
}

static bool config_v6(const struct net_user_config *config, SlirpConfig *slirp, GError **error)
{
	const char *net = config->net6 ? config->net6 : "fec0::/64";
	g_autofree char *address = NULL;
	unsigned len = 0;

	if (!split_cidr(net, 8, 120, &address, &len, error) ||
	    !parse_v6(address, "network", &slirp->vprefix_addr6, error))
		return false;
	slirp->vprefix_len = (uint8_t)len;
	if (!place_v6(slirp, config->host6, 2, "host address", &slirp->vhost6, error) ||
	    !place_v6(slirp, config->dns6, 3, "name server", &slirp->vnameserver6, error))
		return false;
	if (memcmp(&slirp->vhost6, &slirp->vnameserver6, sizeof(slirp->vhost6)) == 0)
		return error_set(error, SOCLE_ERROR_USAGE,
				 "host and name server of '%s' have one address; choose another",
				 net);
	return true;
}

/* ---- other options ---- */

static bool check_mtu(const struct net_user_config *config, GError **error)
{
	unsigned min = config->no_ipv6 ? MTU_MIN : MTU_MIN_V6;

	if (config->mtu && (config->mtu < min || config->mtu > MTU_MAX))
		return error_set(error, SOCLE_ERROR_USAGE,
				 "MTU %u is not possible; choose one from %u to %u", config->mtu,
				 min, (unsigned)MTU_MAX);
	return true;
}

static bool check_boot(const struct net_user_config *config, GError **error)
{
	if (config->tftp && !g_file_test(config->tftp, G_FILE_TEST_IS_DIR))
		return error_set(error, SOCLE_ERROR_NOT_FOUND,
				 "cannot serve '%s' by TFTP: it is not a directory", config->tftp);
	if (config->bootfile && strlen(config->bootfile) > BOOTFILE_MAX)
		return error_set(error, SOCLE_ERROR_LIMIT,
				 "boot file name '%s' is longer than %d bytes; use a shorter one",
				 config->bootfile, BOOTFILE_MAX);
	return true;
}

static bool to_slirp(const struct net_user_config *config, SlirpConfig *slirp, GError **error)
{
	if (config->no_ipv4 && config->no_ipv6)
		return error_set(error, SOCLE_ERROR_USAGE,
				 "both IPv4 and IPv6 are switched off; leave one of them on");
	if (!config_v4(config, slirp, error) || !config_v6(config, slirp, error) ||
	    !check_mtu(config, error) || !check_boot(config, error))
		return false;
	slirp->version = 4;
	slirp->restricted = config->restricted;
	slirp->in_enabled = !config->no_ipv4;
	slirp->in6_enabled = !config->no_ipv6;
	slirp->vhostname = config->hostname;
	slirp->vdomainname = config->domain;
	slirp->tftp_path = config->tftp;
	slirp->bootfile = config->bootfile;
	/* Only read. */
	slirp->vdnssearch = (const char **)(uintptr_t)config->dns_search;
	slirp->if_mtu = USER_SLIRP_MTU;
	slirp->if_mru = USER_SLIRP_MTU;
	return true;
}

/* ---- ops ---- */

static void start_on_loop(void *opaque)
{
	user_poll_start(opaque);
}

static void stop_on_loop(void *opaque)
{
	user_poll_stop(opaque);
}

static bool user_attach(struct net_backend *net, struct io_loop *loop,
			const struct net_front *front, void *opaque, GError **error)
{
	struct net_user *user = user_of(net);

	(void)error;
	user->loop = loop;
	user->front = front;
	user->opaque = opaque;
	user->offloads = 0;
	user->waiting = false;
	user_ring_clear(&user->ring);
	io_loop_call(loop, start_on_loop, user);
	return true;
}

static void user_detach(struct net_backend *net)
{
	struct net_user *user = user_of(net);

	io_loop_call(user->loop, stop_on_loop, user);
	user->loop = NULL;
	user->front = NULL;
}

static void user_configure(struct net_backend *net, unsigned offloads, unsigned queues)
{
	struct net_user *user = user_of(net);

	(void)queues;
	user->offloads = offloads;
	/* What waits was made for another driver. */
	user_ring_clear(&user->ring);
	user_poll_changed(user);
}

static void user_free(struct net_backend *net)
{
	struct net_user *user = user_of(net);

	if (user->slirp)
		slirp_cleanup(user->slirp);
	user_free_forwards(user);
	user_free_names(user);
	g_free(user->ring.data);
	g_free(user->description);
	g_free(user);
}

static char *user_describe(struct net_backend *net)
{
	struct net_user *user = user_of(net);
	g_autofree char *forwards = user_describe_forwards(user);

	return g_strconcat(user->description, forwards, NULL);
}

static const struct net_ops user_ops = {
	.type = "user",
	.attach = user_attach,
	.detach = user_detach,
	.configure = user_configure,
	.send = user_send,
	.receive = user_receive,
	.free = user_free,
	.describe = user_describe,
};

struct net_user *net_user_from(struct net_backend *net, GError **error)
{
	/* A capture file may stand in front of it. */
	net = net_dump_inner(net);
	if (net->ops == &user_ops)
		return user_of(net);
	error_set(error, SOCLE_ERROR_UNSUPPORTED,
		  "the %s network forwards no ports; only user networks do", net->ops->type);
	return NULL;
}

static char *describe_config(const struct net_user_config *config)
{
	return g_strdup_printf("user: %s%s%s%s",
			       config->no_ipv4 ? "" : (config->net ? config->net : "10.0.2.0/24"),
			       config->no_ipv4 || config->no_ipv6 ? "" : ", ",
			       config->no_ipv6 ? "" : (config->net6 ? config->net6 : "fec0::/64"),
			       config->restricted ? ", restricted" : "");
}

/* A guest that opens one connection after the other must not take the machine's descriptors. */
static unsigned socket_limit(void)
{
	struct rlimit limit = { .rlim_cur = 1024 };

	(void)getrlimit(RLIMIT_NOFILE, &limit);
	return (unsigned)CLAMP(limit.rlim_cur / 2, 64, USER_MAX_FDS / 2);
}

struct net_backend *net_user_new(const struct net_user_config *config, GError **error)
{
	SlirpConfig slirp = { 0 };
	autoptr(net_backend) net = NULL;
	struct net_user *user;

	if (!to_slirp(config, &slirp, error))
		return NULL;
	user = g_new(struct net_user, 1);
	*user = (struct net_user){
		.base = { .ops = &user_ops,
			  .queues = 1,
			  .offloads = NET_OFFLOAD_CSUM | NET_OFFLOAD_TSO4 | NET_OFFLOAD_TSO6,
			  .mtu = config->mtu,
			  .link_up = true },
		.description = describe_config(config),
		.no_ipv4 = config->no_ipv4,
		.no_ipv6 = config->no_ipv6,
		.network = slirp.vnetwork,
		.mask = slirp.vnetmask,
		.dhcp_start = slirp.vdhcp_start,
		.guest_mtu = config->mtu ? config->mtu : MTU_DEFAULT,
		.ring = { .data = g_malloc(USER_RING_LEN) },
		.socket_limit = socket_limit(),
		.poll_deadline_ns = IO_TIMER_NEVER,
		.ra_deadline_ns = IO_TIMER_NEVER,
	};
	net = &user->base;
	memcpy(user->dns.bytes, &slirp.vnameserver, sizeof(slirp.vnameserver));
	user->dns6.v6 = true;
	memcpy(user->dns6.bytes, &slirp.vnameserver6, sizeof(slirp.vnameserver6));
	if (!user_add_names(user, config, error))
		return NULL;
	user->slirp = slirp_new(&slirp, &user_slirp_callbacks, user);
	if (!user->slirp) {
		error_set(error, SOCLE_ERROR_FAILED, "libslirp refuses its configuration");
		return NULL;
	}
	for (unsigned i = 0; i < config->forward_count; i++) {
		if (!user_add_forward(user, &config->forwards[i], error))
			return NULL;
	}
	for (unsigned i = 0; i < config->guestfwd_count; i++) {
		if (!user_add_guestfwd(user, &config->guestfwds[i], error))
			return NULL;
	}
	return g_steal_pointer(&net);
}
