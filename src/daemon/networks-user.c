/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * networks-user.c - the networks of a session: each card has one of its own, inside of its machine
 */
#include <string.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/log.h"
#include "daemon/networks.h"
#include "model/network.h"

/* What libslirp and our answers to names have nothing for, of what stands in the definition. */
static void tell_lacks(const struct network *n)
{
	const struct network_dns *dns = &n->dns;
	bool bootp = false, reserved6 = false;
	g_autoptr(GString) out = g_string_new(NULL);

	for (unsigned i = 0; i < n->ip_count; i++) {
		const struct network_dhcp *dhcp = &n->ips[i].dhcp;

		bootp |= dhcp->bootp.server != NULL;
		reserved6 |= dhcp->set && n->ips[i].address && strchr(n->ips[i].address, ':');
	}
	const struct {
		bool has;
		const char *text;
	} lacks[] = {
		{ dns->forwarder_count > 0, "<forwarder> of <dns>" },
		{ dns->text_count > 0, "<txt> of <dns>" },
		{ dns->service_count > 0, "<srv> of <dns>" },
		{ bootp, "boot server but their own" },
		{ reserved6, "DHCP of IPv6" },
		{ n->route_count > 0, "<route>" },
		{ n->bandwidth.inbound.average.set || n->bandwidth.outbound.average.set,
		  "<bandwidth> of the whole network" },
		{ n->dnsmasq_options != NULL, "options of dnsmasq" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(lacks); i++) {
		if (lacks[i].has)
			g_string_append_printf(out, "%s%s", out->len ? ", no " : ", and have no ",
					       lacks[i].text);
	}
	if (out->len)
		log_warning("network '%s' of a session: guests do not reach one another%s; the "
			    "system's daemon has them",
			    n->name, out->str);
	else
		log_info("network '%s' of a session: guests do not reach one another; on the "
			 "system's daemon they do",
			 n->name);
}

static void make(void *opaque, struct virtnet *net, struct task *task)
{
	g_autoptr(GError) error = NULL;

	if (network_has_own_bridge(net->live))
		net->made = opaque;
	else
		error_set(&error, SOCLE_ERROR_UNSUPPORTED,
			  "a session cannot reach interfaces of the host; use the system's daemon, "
			  "or "
			  "give <forward mode='nat'/>");
	task_end(task, error);
}

static void user_start(void *opaque, struct virtnet *net, struct task *task)
{
	if (network_has_own_bridge(net->live))
		tell_lacks(net->live);
	make(opaque, net, task);
}

static void user_find(void *opaque, struct virtnet *net, const char *state, struct task *task)
{
	(void)state;
	make(opaque, net, task);
}

static void user_free(struct virtnet *net)
{
	(void)net;
}

static void user_done(struct virtnet *net, struct task *task)
{
	(void)net;
	task_end(task, NULL);
}

const struct network_ops network_user_ops = {
	.is_user = true,
	.start = user_start,
	.find = user_find,
	.free = user_free,
	.stop = user_done,
	.update = user_done,
};
