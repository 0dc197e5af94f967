/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * network-guard.c - rules of networks, and that bridges and rules stay as they were made
 *
 * Whoever loads rules anew takes ours away, and who cleans up takes a bridge for a leftover. The kernel tells of each
 * change; a moment later it is looked whether all of ours is still there, and what is not is made again.
 */
#include "daemon/network-guard.h"

#include <glib-unix.h>
#include <string.h>

#include "base/log.h"
#include "base/sys.h"
#include "daemon/network-bridge.h"
#include "daemon/network-dnsmasq.h"
#include "daemon/network-legacy.h"
#include "daemon/network-rules.h"
#include "daemon/networks.h"
#include "host/link.h"
#include "host/netlink.h"
#include "host/nft.h"
#include "model/network.h"

enum {
	LOOK_MS = 100, /* behind a change; programs make many at a time */
};

struct network_guard {
	struct networks *all;
	int rules, links; /* they tell of changes; -1: they do not */
	guint rules_source, links_source, look;
	GHashTable *told; /* chains that were told of */
};

/* == Rules == */

static void apply_or_tell(const char *text, const char *what)
{
	g_autoptr(GError) error = NULL;

	if (text && !nft_apply(text, &error))
		log_warning("%s: %s", what, error->message);
}

static bool has_doors(const struct network *n)
{
	return n->bridge.name && network_mode(n) != FORWARD_OPEN;
}

static const struct network *network_at(const struct networks *all, unsigned i)
{
	return ((struct hostnet *)all->active->pdata[i])->net->live;
}

static void open_doors(const struct networks *all)
{
	for (unsigned i = 0; i < network_door_count; i++) {
		const struct network_door *door = &network_doors[i];
		g_autofree char *command = g_strconcat("list chain ", door->chain, NULL);
		g_autofree char *listing = nft_list(command, NULL);

		for (unsigned k = 0; listing && k < all->active->len; k++) {
			const struct network *n = network_at(all, k);
			g_autofree char *text =
				has_doors(n) ? network_open_door(n, door, listing) : NULL;

			apply_or_tell(text, "guests may not be let through by others' rules");
		}
	}
	for (unsigned k = 0; k < all->active->len; k++) {
		const struct network *n = network_at(all, k);

		if (network_has_own_bridge(n) && has_doors(n))
			legacy_open(n);
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
	if (network_has_own_bridge(n) && has_doors(n))
		legacy_close(n);
}

static void tell_closed(struct network_guard *guard, const char *chains, bool input,
			const char *bridge)
{
	g_autofree char *chain = network_closed_chain(chains, input);

	if (!chain || g_hash_table_contains(guard->told, chain))
		return;
	if (input)
		log_warning("the chain '%s' drops what comes to this host, guests' questions for "
			    "addresses and names, too, unless it has rules like: nft insert rule "
			    "%s iifname %s udp dport '{ 53, 67, 69, 547 }' accept, and tcp dport "
			    "53",
			    chain, chain, bridge);
	else
		log_warning("the chain '%s' drops what goes through this host, that of guests, "
			    "too, unless it has rules like: nft insert rule %s iifname %s accept, "
			    "and the same with oifname",
			    chain, chain, bridge);
	g_hash_table_add(guard->told, g_steal_pointer(&chain));
}

/* An administrator's own chains are his: he is told what is missing, once. */
static void tell_all_closed(struct network_guard *guard)
{
	g_autofree char *chains = nft_list("list chains", NULL);

	for (unsigned i = 0; chains && i < guard->all->active->len; i++) {
		const struct network *n = network_at(guard->all, i);

		if (!network_has_own_bridge(n))
			continue;
		tell_closed(guard, chains, false, n->bridge.name);
		tell_closed(guard, chains, true, n->bridge.name);
	}
}

/* The network's table as it is, for g_free(), or NULL. */
static char *list_table(const struct network *n)
{
	if (!network_has_table(n))
		return NULL;
	g_autofree char *name = network_table(n);
	g_autofree char *command = g_strconcat("list table inet ", name, NULL);

	return nft_list(command, NULL);
}

static bool apply_rules(struct hostnet *h, GError **error)
{
	g_autofree char *rules = network_rules(h->net->live);

	if (!nft_apply(rules, error))
		return false;
	g_free(h->table);
	h->table = list_table(h->net->live);
	return true;
}

/* == What others took away == */

static void mend_rules(struct hostnet *h)
{
	g_autofree char *now = NULL;
	g_autoptr(GError) error = NULL;

	if (!h->table)
		return;
	now = list_table(h->net->live);
	if (!g_strcmp0(now, h->table))
		return;
	log_info("the rules of network '%s' were %s, and are made again", h->net->name,
		 now ? "changed" : "taken away");
	if (!apply_rules(h, &error))
		log_warning("network '%s': %s", h->net->name, error->message);
}

static bool remake_bridge(struct hostnet *h, GError **error)
{
	bool anew;

	if (!bridge_mend(h->net->live, &anew, error))
		return false;
	if (anew)
		virtnet_anew(h->net);
	/* It listens on an interface that is no more. */
	return !anew || !h->dnsmasq || dnsmasq_restart(h->dnsmasq, error);
}

static void mend_bridge(struct hostnet *h)
{
	const struct network *n = h->net->live;
	g_autoptr(GError) error = NULL;

	/* One that begins is not complete, and one that ends is on no list. */
	if (h->begin || !network_has_own_bridge(n) || bridge_is_whole(n))
		return;
	if (remake_bridge(h, &error))
		log_info("the bridge '%s' of network '%s' was changed or taken away, and is made "
			 "again",
			 n->bridge.name, h->net->name);
	else if (!h->is_broken)
		log_warning("the bridge '%s' of network '%s' was changed or taken away: %s",
			    n->bridge.name, h->net->name, error->message);
	h->is_broken = error != NULL;
}

static gboolean on_look(gpointer opaque)
{
	struct network_guard *guard = opaque;
	const GPtrArray *active = guard->all->active;

	guard->look = 0;
	for (unsigned i = 0; i < active->len; i++) {
		mend_bridge(active->pdata[i]);
		mend_rules(active->pdata[i]);
	}
	tell_all_closed(guard);
	open_doors(guard->all);
	return G_SOURCE_REMOVE;
}

static gboolean on_change(int fd, GIOCondition condition, gpointer opaque)
{
	struct network_guard *guard = opaque;

	(void)condition;
	netlink_drain(fd);
	if (!guard->look && guard->all->active->len)
		guard->look = g_timeout_add(LOOK_MS, on_look, guard);
	return G_SOURCE_CONTINUE;
}

/* == Life == */

static void watch(struct networks *all)
{
	struct network_guard *guard = all->guard;

	if (guard)
		return;
	all->guard = guard = g_new(struct network_guard, 1);
	*guard = (struct network_guard){
		.all = all,
		.rules = nft_watch(),
		.links = link_watch(),
		.told = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL),
	};
	if (guard->rules >= 0)
		guard->rules_source = g_unix_fd_add(guard->rules, G_IO_IN, on_change, guard);
	if (guard->links >= 0)
		guard->links_source = g_unix_fd_add(guard->links, G_IO_IN, on_change, guard);
	if (guard->rules < 0 || guard->links < 0)
		log_warning("rules or interfaces that others change are not noticed");
}

bool guard_make_rules(struct hostnet *h, GError **error)
{
	watch(h->all);
	if (!apply_rules(h, error))
		return false;
	tell_all_closed(h->all->guard);
	open_doors(h->all);
	return true;
}

void guard_open_doors(struct hostnet *h)
{
	watch(h->all);
	open_doors(h->all);
}

void guard_remove_rules(struct hostnet *h)
{
	const struct network *n = h->net->live;
	g_autofree char *none = network_has_own_bridge(n) ? network_no_rules(n) : NULL;

	g_clear_pointer(&h->table, g_free);
	close_doors(n);
	apply_or_tell(none, "rules of ours stay");
}

void guard_free(struct network_guard *guard)
{
	guint *const sources[] = { &guard->rules_source, &guard->links_source, &guard->look };

	if (!guard)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(sources); i++) {
		if (*sources[i])
			g_source_remove(*sources[i]);
	}
	fd_autoclose(&guard->rules);
	fd_autoclose(&guard->links);
	g_hash_table_unref(guard->told);
	g_free(guard);
}
