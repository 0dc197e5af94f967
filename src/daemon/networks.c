/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * networks.c - the networks of a host: bridge, rules, dnsmasq
 *
 * In this order they are made, and in the other one they go. All of it is there before a guest is: the task of a start
 * ends when dnsmasq answers. What the kernel does for us takes no time; dnsmasq is waited for.
 *
 * Whoever loads rules anew takes ours away: the kernel tells of each change, and a moment later it is looked
 * whether all of ours are still there.
 */
#include "daemon/networks.h"

#include <errno.h>
#include <glib-unix.h>
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
#include "daemon/network-rules.h"
#include "host/link.h"
#include "host/nft.h"
#include "model/network.h"

enum {
	LOOK_MS = 100, /* behind a change of rules; programs make many at a time */
};

struct hostnet {
	struct networks *all;
	struct virtnet *net;
	char *folder, *leases;
	struct dnsmasq *dnsmasq; /* NULL: it has none */
	struct task *begin;      /* of start(), until it has ended */
};

static struct hostnet *hostnet_of(struct virtnet *net)
{
	return net->made;
}

/* == Rules == */

static void apply_or_tell(const char *text, const char *what)
{
	g_autoptr(GError) error = NULL;

	if (text && !nft_apply(text, &error))
		log_warning("%s: %s", what, error->message);
}

static bool has_doors(const struct network *n)
{
	return network_has_own_bridge(n) && network_mode(n) != FORWARD_OPEN;
}

static void open_doors(const struct networks *all)
{
	for (unsigned i = 0; i < network_door_count; i++) {
		const struct network_door *door = &network_doors[i];
		g_autofree char *command = g_strconcat("list chain ", door->chain, NULL);
		g_autofree char *listing = nft_list(command, NULL);

		for (unsigned k = 0; listing && k < all->active->len; k++) {
			const struct network *n =
				((struct hostnet *)all->active->pdata[k])->net->live;
			g_autofree char *text =
				has_doors(n) ? network_open_door(n, door, listing) : NULL;

			apply_or_tell(text, "guests may not be let through by others' rules");
		}
	}
}

static void close_doors(const struct network *n)
{
	for (unsigned i = 0; i < network_door_count && has_doors(n); i++) {
		const struct network_door *door = &network_doors[i];
		g_autofree char *command = g_strconcat("list chain ", door->chain, NULL);
		g_autofree char *listing = nft_list(command, NULL);
		g_autofree char *text = listing ? network_close_door(n, door, listing) : NULL;

		apply_or_tell(text, "rules of ours stay in others' tables");
	}
}

/* An administrator's own chain is his: he is told what is missing, once. */
static void tell_closed(struct networks *all, const struct network *n)
{
	g_autofree char *chains = nft_list("list chains", NULL);
	g_autofree char *chain = chains ? network_closed_chain(chains) : NULL;

	if (!chain || g_hash_table_contains(all->told, chain))
		return;
	log_warning("the chain '%s' drops what goes through this host, that of guests, too, unless "
		    "it has rules like: nft insert rule %s iifname %s accept, and the same with "
		    "oifname",
		    chain, chain, n->bridge.name);
	g_hash_table_add(all->told, g_steal_pointer(&chain));
}

/* Are all of our tables there? */
static void mend_tables(const struct networks *all)
{
	g_autofree char *tables = nft_list("list tables inet", NULL);

	for (unsigned i = 0; tables && i < all->active->len; i++) {
		const struct virtnet *net = ((struct hostnet *)all->active->pdata[i])->net;
		g_autofree char *rules = NULL, *name = NULL, *line = NULL;

		if (!has_doors(net->live))
			continue;
		name = network_table(net->live);
		line = g_strdup_printf("table inet %s\n", name);
		if (strstr(tables, line))
			continue;
		log_info("the rules of network '%s' were taken away, and are made again",
			 net->name);
		rules = network_rules(net->live);
		apply_or_tell(rules, "they cannot be");
	}
}

static gboolean on_look(gpointer opaque)
{
	struct networks *all = opaque;

	all->look = 0;
	mend_tables(all);
	open_doors(all);
	return G_SOURCE_REMOVE;
}

static gboolean on_rules(int fd, GIOCondition condition, gpointer opaque)
{
	struct networks *all = opaque;

	(void)condition;
	nft_drain(fd);
	if (!all->look && all->active->len)
		all->look = g_timeout_add(LOOK_MS, on_look, all);
	return G_SOURCE_CONTINUE;
}

static void watch(struct networks *all)
{
	if (all->watch >= 0)
		return;
	all->watch = nft_watch();
	if (all->watch >= 0)
		all->watch_source = g_unix_fd_add(all->watch, G_IO_IN, on_rules, all);
	else
		log_warning("rules that others change are not noticed");
}

static bool make_rules(struct networks *all, const struct network *n, GError **error)
{
	g_autofree char *rules = network_rules(n);

	watch(all);
	if (!nft_apply(rules, error))
		return false;
	tell_closed(all, n);
	return true;
}

/* == Life == */

static void places_of(const struct hostnet *h, struct dnsmasq_places *ret)
{
	*ret = (struct dnsmasq_places){ .program = h->all->dnsmasq,
					.folder = h->folder,
					.leases = h->leases,
					.user = h->all->user };
}

static struct hostnet *hostnet_new(struct networks *all, struct virtnet *net)
{
	struct hostnet *h = g_new0(struct hostnet, 1);
	g_autofree char *name = g_strconcat(net->uuid_text, ".leases", NULL);

	h->all = all;
	h->net = net;
	h->folder = g_build_filename(all->run_dir, net->uuid_text, NULL);
	h->leases = g_build_filename(all->lease_dir, name, NULL);
	net->made = h;
	g_ptr_array_add(all->active, h);
	return h;
}

static void hostnet_free(struct hostnet *h)
{
	g_ptr_array_remove(h->all->active, h);
	dnsmasq_free(h->dnsmasq);
	g_free(h->folder);
	g_free(h->leases);
	h->net->made = NULL;
	g_free(h);
}

/* Nothing of it is left, whatever there was. */
static void take_down(struct hostnet *h)
{
	const struct network *n = h->net->live;
	g_autofree char *no_rules = NULL;

	dnsmasq_end(g_steal_pointer(&h->dnsmasq));
	if (!network_has_own_bridge(n))
		return;
	close_doors(n);
	no_rules = network_no_rules(n);
	apply_or_tell(no_rules, "rules of ours stay");
	bridge_remove(n);
}

static void begun(struct hostnet *h, const GError *error)
{
	struct task *task = g_steal_pointer(&h->begin);
	/* It may be of what is freed here. */
	g_autoptr(GError) copy = error ? g_error_copy(error) : NULL;

	if (copy) {
		take_down(h);
		hostnet_free(h);
	}
	task_end(task, copy);
}

static void on_ready(void *opaque, const GError *error)
{
	begun(opaque, error);
}

static void on_changed(void *opaque)
{
	struct hostnet *h = opaque;

	if (!h->begin)
		virtnet_changed(h->net);
}

/* False: it has failed. Else it is there but for dnsmasq. */
static bool make(struct hostnet *h, GError **error)
{
	const struct network *n = h->net->live;
	struct dnsmasq_places places;

	if (!network_has_own_bridge(n))
		return bridge_check_others(n, error);
	if (!bridge_make(n, error) || !make_rules(h->all, n, error))
		return false;
	open_doors(h->all);
	if (!dnsmasq_wanted(n))
		return true;
	places_of(h, &places);
	h->dnsmasq = dnsmasq_new(n, &places, on_ready, on_changed, h, error);
	return h->dnsmasq != NULL;
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

	if (!network_has_own_bridge(n))
		return;
	if (!bridge_mend(n, &anew, &error) || !make_rules(h->all, n, &error))
		log_warning("network '%s' is not as it should be: %s", h->net->name,
			    error->message);
	g_clear_error(&error);
	open_doors(h->all);
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
	struct hostnet *h = hostnet_of(net);

	take_down(h);
	/* Its leases are nobody's any more when nobody can start it again. */
	if (!net->config)
		(void)sys_unlink(h->leases);
	task_end(task, NULL);
}

static void host_update(struct virtnet *net, struct task *task)
{
	struct hostnet *h = hostnet_of(net);
	g_autoptr(GError) error = NULL;

	if (network_has_own_bridge(net->live) && make_rules(h->all, net->live, &error) &&
	    h->dnsmasq)
		(void)dnsmasq_update(h->dnsmasq, net->live, &error);
	if (!error)
		open_doors(h->all);
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
	.update = host_update,
	.leases = host_leases,
	.neighbours = host_neighbours,
	.is_taken = host_is_taken,
	.join = host_join,
};

/* == Those of a session == */

static void user_start(void *opaque, struct virtnet *net, struct task *task)
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

static void user_find(void *opaque, struct virtnet *net, const char *state, struct task *task)
{
	(void)state;
	user_start(opaque, net, task);
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
		.watch = -1,
		.told = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL),
	};
	for (unsigned i = 0; i < ARRAY_SIZE(users) && !networks->user; i++)
		networks->user = account_user(users[i], NULL, NULL) ? g_strdup(users[i]) : NULL;
}

void networks_release(struct networks *networks)
{
	if (!networks->active)
		return;
	if (networks->watch_source)
		g_source_remove(networks->watch_source);
	if (networks->look)
		g_source_remove(networks->look);
	fd_autoclose(&networks->watch);
	g_ptr_array_unref(networks->active);
	g_hash_table_unref(networks->told);
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
