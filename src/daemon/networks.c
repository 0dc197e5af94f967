/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * networks.c - the networks of a host: bridge, rules, dnsmasq
 *
 * In this order they are made, and in the other one they go. All of it is there before a guest is: the task of a start
 * ends when dnsmasq answers. What the kernel does for us takes no time; dnsmasq is waited for. That it stays there
 * is seen to by network-guard.c.
 */
#include "daemon/networks.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/account.h"
#include "base/error.h"
#include "base/log.h"
#include "base/scan.h"
#include "base/sys.h"
#include "daemon/config.h"
#include "daemon/network-bridge.h"
#include "daemon/network-dnsmasq.h"
#include "daemon/network-guard.h"
#include "host/link.h"
#include "model/network.h"

static struct hostnet *hostnet_of(struct virtnet *net)
{
	return net->made;
}

/* == Life == */

static void places_of(const struct hostnet *h, struct dnsmasq_places *ret)
{
	*ret = (struct dnsmasq_places){ .program = h->all->dnsmasq,
					.folder = h->folder,
					.leases = h->leases,
					.user = h->all->user };
}

static char *leases_of(const struct networks *all, const struct virtnet *net)
{
	return g_strconcat(all->lease_dir, "/", net->uuid_text, ".leases", NULL);
}

static struct hostnet *hostnet_new(struct networks *all, struct virtnet *net)
{
	struct hostnet *h = g_new0(struct hostnet, 1);

	h->all = all;
	h->net = net;
	h->folder = g_build_filename(all->run_dir, net->uuid_text, NULL);
	h->leases = leases_of(all, net);
	net->made = h;
	g_ptr_array_add(all->active, h);
	return h;
}

static void hostnet_free(struct hostnet *h)
{
	g_ptr_array_remove(h->all->active, h);
	dnsmasq_free(h->dnsmasq);
	g_free(h->table);
	g_free(h->folder);
	g_free(h->leases);
	h->net->made = NULL;
	g_free(h);
}

/* Nothing of it is left, whatever there was. */
static void take_down(struct hostnet *h)
{
	const struct network *n = h->net->live;

	dnsmasq_end(g_steal_pointer(&h->dnsmasq));
	guard_remove_rules(h);
	if (network_has_own_bridge(n))
		bridge_remove(n);
}

/* On an error nothing is left of it but this. */
static void begun(struct hostnet *h, const GError *error)
{
	struct task *task = g_steal_pointer(&h->begin);

	if (error)
		hostnet_free(h);
	task_end(task, error);
}

static void on_ready(void *opaque, const GError *error)
{
	struct hostnet *h = opaque;
	/* It may be of what is freed here. */
	g_autoptr(GError) copy = error ? g_error_copy(error) : NULL;

	if (copy)
		take_down(h);
	begun(h, copy);
}

static void on_changed(void *opaque)
{
	struct hostnet *h = opaque;

	if (!h->begin)
		virtnet_changed(h->net);
}

static bool make_on_bridge(struct hostnet *h, GError **error)
{
	const struct network *n = h->net->live;
	struct dnsmasq_places places;

	if (!guard_make_rules(h, error))
		return false;
	if (!dnsmasq_wanted(n))
		return true;
	places_of(h, &places);
	h->dnsmasq = dnsmasq_new(n, &places, on_ready, on_changed, h, error);
	return h->dnsmasq != NULL;
}

/* False: it has failed, and nothing is left. Else it is there but for dnsmasq. */
static bool make(struct hostnet *h, GError **error)
{
	const struct network *n = h->net->live;

	if (!network_has_own_bridge(n)) {
		if (!bridge_check_others(n, error))
			return false;
		guard_open_doors(h);
		return true;
	}
	/* As long as the bridge is not ours, rules of its name are somebody else's. */
	if (!bridge_make(n, error)) {
		bridge_remove(n);
		return false;
	}
	if (make_on_bridge(h, error))
		return true;
	take_down(h);
	return false;
}

static void host_start(void *opaque, struct virtnet *net, struct task *task)
{
	struct hostnet *h = hostnet_new(opaque, net);
	g_autoptr(GError) error = NULL;

	h->begin = task;
	if (!make(h, &error))
		begun(h, error);
	else if (!h->dnsmasq)
		begun(h, NULL);
}

static void mend(struct hostnet *h, int pid, uint64_t start)
{
	const struct network *n = h->net->live;
	struct dnsmasq_places places;
	g_autoptr(GError) error = NULL;
	bool anew;

	if (!network_has_own_bridge(n)) {
		guard_open_doors(h);
		return;
	}
	if (!bridge_mend(n, &anew, &error) || !guard_make_rules(h, &error))
		log_warning("network '%s' is not as it should be: %s", h->net->name,
			    error->message);
	g_clear_error(&error);
	if (!dnsmasq_wanted(n))
		return;
	places_of(h, &places);
	h->dnsmasq = dnsmasq_find(n, &places, pid, start, on_changed, h);
	/* It listens on an interface that is no more. */
	if (anew && !dnsmasq_restart(h->dnsmasq, &error))
		log_warning("network '%s': %s", h->net->name, error->message);
}

static void host_find(void *opaque, struct virtnet *net, const char *state, struct task *task)
{
	struct hostnet *h = hostnet_new(opaque, net);
	uint64_t pid = 0, start = 0;

	if (!scan_text(&state, "pid=") || !scan_number(&state, INT_MAX, &pid) ||
	    !scan_text(&state, " start=") || !scan_number(&state, UINT64_MAX, &start))
		pid = 0;
	mend(h, (int)pid, start);
	task_end(task, NULL);
}

static char *host_state(struct virtnet *net)
{
	uint64_t start = 0;
	int pid = 0;

	(void)dnsmasq_process(hostnet_of(net)->dnsmasq, &pid, &start);
	return g_strdup_printf("pid=%d start=%" PRIu64, pid, start);
}

static void host_free(struct virtnet *net)
{
	struct hostnet *h = hostnet_of(net);
	struct task *task = g_steal_pointer(&h->begin);
	g_autoptr(GError) error = NULL;

	hostnet_free(h);
	if (!task)
		return;
	error_set(&error, SOCLE_ERROR_STATE, "the network was let go before it was there");
	task_end(task, error);
}

static void host_stop(struct virtnet *net, struct task *task)
{
	take_down(hostnet_of(net));
	task_end(task, NULL);
}

static void host_forget(void *opaque, const struct virtnet *net)
{
	g_autofree char *leases = leases_of(opaque, net);

	(void)sys_unlink(leases);
}

static void host_update(struct virtnet *net, struct task *task)
{
	struct hostnet *h = hostnet_of(net);
	g_autoptr(GError) error = NULL;

	if (network_has_own_bridge(net->live) && guard_make_rules(h, &error) && h->dnsmasq)
		(void)dnsmasq_update(h->dnsmasq, net->live, &error);
	task_end(task, error);
}

/* == Questions == */

static bool host_leases(struct virtnet *net, GPtrArray *list, GError **error)
{
	struct hostnet *h = hostnet_of(net);

	return !h->dnsmasq || dnsmasq_leases(h->leases, net->live, list, error);
}

struct heard {
	const char *bridge;
	GPtrArray *list;
};

static int add_heard(const struct link_neighbour *neighbour, void *opaque)
{
	const struct heard *heard = opaque;
	struct network_lease *lease = g_new0(struct network_lease, 1);
	struct inet inet = { .v6 = neighbour->v6 };
	const uint8_t *m = neighbour->mac;

	memcpy(inet.bytes, neighbour->bytes, sizeof(inet.bytes));
	lease->v6 = inet.v6;
	lease->ip = g_malloc0(INET_TEXT_MAX);
	inet_format(&inet, lease->ip);
	lease->mac = g_strdup_printf("%02x:%02x:%02x:%02x:%02x:%02x", m[0], m[1], m[2], m[3], m[4],
				     m[5]);
	lease->dev = g_strdup(heard->bridge);
	g_ptr_array_add(heard->list, lease);
	return 0;
}

static bool host_neighbours(void *opaque, const char *bridge, GPtrArray *list, GError **error)
{
	struct heard heard = { bridge, list };
	int r = link_each_neighbour(bridge, add_heard, &heard);

	(void)opaque;
	return r >= 0 || error_sys(error, r, "nobody is known on '%s'", bridge);
}

static bool host_is_taken(void *opaque, const char *name)
{
	(void)opaque;
	return link_index(name) >= 0;
}

static bool host_join(struct virtnet *net, const struct domain_interface *card, GError **error)
{
	const char *bridge = net->live->bridge.name;
	int r = bridge ? link_join(card->target.dev, bridge, card->port.isolated == TRI_YES) : 0;

	return r >= 0 || error_sys(error, r, "cannot put it into '%s'", bridge);
}

const struct network_ops network_host_ops = {
	.start = host_start,
	.find = host_find,
	.state = host_state,
	.free = host_free,
	.stop = host_stop,
	.forget = host_forget,
	.update = host_update,
	.leases = host_leases,
	.neighbours = host_neighbours,
	.is_taken = host_is_taken,
	.join = host_join,
};

/* == All == */

static char *find_program(void)
{
	static const char usual[] = "/usr/sbin/dnsmasq";
	char *found = g_find_program_in_path("dnsmasq");

	if (!found && g_file_test(usual, G_FILE_TEST_IS_EXECUTABLE))
		found = g_strdup(usual);
	return found;
}

void networks_init(struct networks *networks, const struct config *config)
{
	static const char *const users[] = { "dnsmasq", "nobody" };

	*networks = (struct networks){
		.run_dir = g_build_filename(config->run, "networks", NULL),
		.lease_dir = g_build_filename(config->state, "leases", NULL),
		.dnsmasq = find_program(),
		.active = g_ptr_array_new(),
	};
	for (unsigned i = 0; i < ARRAY_SIZE(users) && !networks->user; i++)
		networks->user = account_user(users[i], NULL, NULL) ? g_strdup(users[i]) : NULL;
}

void networks_release(struct networks *networks)
{
	if (!networks->active)
		return;
	guard_free(networks->guard);
	g_ptr_array_unref(networks->active);
	g_free(networks->run_dir);
	g_free(networks->lease_dir);
	g_free(networks->dnsmasq);
	g_free(networks->user);
	*networks = (struct networks){ 0 };
}

char *networks_default(void)
{
	unsigned third = 122;

	/* What libvirt's package takes, or the next one that is free. */
	for (unsigned i = 0; i < 100; i++) {
		const struct inet inet = { .bytes = { 192, 168, (uint8_t)(122 + i), 0 } };
		g_autofree char *user = bridge_find_user(&inet, 24, NULL);

		third = 122 + i;
		if (!user)
			break;
	}
	return g_strdup_printf("<network><name>default</name><forward mode='nat'/>"
			       "<ip address='192.168.%u.1' netmask='255.255.255.0'><dhcp>"
			       "<range start='192.168.%u.2' end='192.168.%u.254'/></dhcp></ip>"
			       "</network>",
			       third, third, third);
}
