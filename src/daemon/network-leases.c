/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * network-leases.c - dnsmasq's file of leases
 *
 *	EXPIRY MAC ADDRESS NAME CLIENT-ID     of IPv4; "*" for what is not known
 *	duid ...                              behind this line those of IPv6, with an IAID instead of a MAC
 *
 * Names and ids are guests' words.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/error.h"
#include "base/sys.h"
#include "daemon/network-dnsmasq.h"
#include "manage/network.h"
#include "model/network.h"

enum {
	LEASES_MAX = 16 * 1024 * 1024, /* bytes of a file */
};

static char *known(const char *word)
{
	return strcmp(word, "*") ? g_utf8_make_valid(word, -1) : NULL;
}

/* The prefix of the network that it is in. */
static unsigned prefix_of(const struct network *network, const struct inet *inet)
{
	for (unsigned i = 0; i < network->ip_count; i++) {
		const int prefix = network_ip_prefix(&network->ips[i]);
		struct inet own;

		if (inet_parse(network->ips[i].address, &own) && own.v6 == inet->v6 &&
		    prefix >= 0 && inet_same_network(&own, inet, (unsigned)prefix))
			return (unsigned)prefix;
	}
	return inet_bits(inet);
}

/* The last six bytes of most ids of IPv6 are the card's address. */
static char *mac_of_duid(const char *duid)
{
	const size_t len = strlen(duid);
	const bool has =
		g_str_has_prefix(duid, "00:01:00:01:") || g_str_has_prefix(duid, "00:03:00:01:");

	return has && len >= 12 + 17 ? g_utf8_make_valid(duid + len - 17, -1) : NULL;
}

static void take_line(const char *text, const struct network *network, GPtrArray *list)
{
	g_auto(GStrv) words = g_strsplit(text, " ", 5);
	struct network_lease *lease;
	struct inet inet;

	if (g_strv_length(words) != 5 || !inet_parse(words[2], &inet))
		return;
	lease = g_new0(struct network_lease, 1);
	lease->expiry = g_ascii_strtoll(words[0], NULL, 10);
	lease->v6 = inet.v6;
	lease->ip = g_strdup(words[2]);
	lease->hostname = known(words[3]);
	lease->clientid = known(words[4]);
	lease->iaid = inet.v6 ? known(words[1]) : NULL;
	lease->mac = inet.v6 ? mac_of_duid(words[4]) : known(words[1]);
	lease->dev = g_strdup(network->bridge.name);
	lease->prefix = prefix_of(network, &inet);
	g_ptr_array_add(list, lease);
}

void dnsmasq_parse_leases(const char *text, int64_t now, const struct network *network,
			  GPtrArray *list)
{
	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);

	for (unsigned i = 0; lines[i]; i++) {
		const int64_t expiry = g_ascii_strtoll(lines[i], NULL, 10);

		/* What has run out stands there until the next change. */
		if (expiry == 0 || expiry > now)
			take_line(lines[i], network, list);
	}
}

bool dnsmasq_leases(const char *path, const struct network *network, GPtrArray *list,
		    GError **error)
{
	autofd int fd = sys_open(path, O_RDONLY | O_NOFOLLOW, 0);
	int64_t size = fd < 0 ? fd : sys_file_size(fd);
	g_autofree char *text = NULL;
	ssize_t n;

	if (fd == -ENOENT)
		return true;
	if (size < 0 || size > LEASES_MAX)
		return error_sys(error, size < 0 ? (int)size : -EFBIG, "cannot read '%s'", path);
	text = g_malloc((size_t)size + 1);
	n = sys_read_full(fd, text, (size_t)size);
	if (n < 0)
		return error_sys(error, (int)n, "cannot read '%s'", path);
	text[n] = '\0';
	dnsmasq_parse_leases(text, g_get_real_time() / G_USEC_PER_SEC, network, list);
	return true;
}
