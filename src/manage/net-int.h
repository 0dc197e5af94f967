/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * net-int.h - a network with all that this room keeps about it
 *
 * A network is in its node's list from when it is defined or started until it is neither. Ports are not kept:
 * they are the cards of running machines that have one (net-card.c).
 */
#ifndef MANAGE_NET_INT_H
#define MANAGE_NET_INT_H

#include <string.h>

#include "base/uuid.h"
#include "manage/call.h"
#include "manage/network.h"
#include "manage/node-int.h"
#include "manage/object-int.h"
#include "manage/vm-int.h"
#include "model/network.h"
#include "rpc/remote.h"

struct net {
	struct object object;
	struct virtnet virtnet;
	bool autostart;
	bool starting; /* it is being made, or found */
	call_next start_next;
	char *found_state;              /* of one that an earlier daemon had, until it is found */
	bool status_busy, status_again; /* the file of an active one is being written */
	struct task status_task;
};

static inline struct net *net_of(struct virtnet *virtnet)
{
	return container_of(virtnet, struct net, virtnet);
}

static inline struct net *net_of_object(struct object *object)
{
	return container_of(object, struct net, object);
}

static inline bool net_active(const struct net *net)
{
	return net->virtnet.live != NULL;
}

/* What is to be shown of it: what is there, or else what would be. */
static inline struct network *net_shown(const struct net *net)
{
	return net->virtnet.live ? net->virtnet.live : net->virtnet.config;
}

/* What is no UUID is all zeroes. */
static inline void net_read_uuid(const char *text, uint8_t ret[UUID_BYTES])
{
	if (!uuid_read(text, ret))
		memset(ret, 0, UUID_BYTES);
}

/* == Tables (net.c) == */

/* In @node's list, of @network's name and UUID, and without a definition yet. */
struct net *net_new(struct node *node, const struct network *network);
/* Out of the list. Who has a reference sees that it is gone. */
void net_remove(struct net *net);
/* The same, of one that nobody can start again. */
void net_forget(struct net *net);
struct net *net_by_name(const struct node *node, const char *name);
struct net *net_by_uuid(const struct node *node, const uint8_t uuid[16]);
rpc_network net_handle(const struct net *net);
/* All end as far as this process is concerned: the daemon ends. */
void nets_let_go(struct node *node);

/* The network that a client names, or NULL: then the call has failed. */
struct net *call_net(struct call *call, const rpc_network *handle);
/* The same, and it is active. */
struct net *call_active_net(struct call *call, const rpc_network *handle);
void call_say_no_net(struct call *call, const char *name);
/* The network that the call holds. */
static inline struct net *net_of_call(const struct call *call)
{
	return net_of_object(call->object);
}
/* After a turn has come or a task has ended: still there? False: the call has failed. */
bool call_net_still_there(struct call *call);

/* @error is about a definition; it cannot be kept (net-define.c). */
void net_fail_xml(struct call *call, const GError *error);
void net_not_kept(struct call *call, const GError *error);

/* == Life (net-life.c) == */

/* Make a network of @network, which is taken over; @next is called when it is there, or with an error. */
void net_start(struct call *call, struct network *network, call_next next);
void net_stop(struct call *call, call_next next);
/* Begin it if it is not there; @task ends when it is, or cannot be. */
void net_want(struct net *net, struct task *task);
/* At the daemon's start: those that were there are found, others started if they are to be. */
void nets_loaded(struct node *node, bool autostart);
/* A definition without a bridge's name gets one that nobody has. */
void net_choose_bridge(struct node *node, struct network *network);
/* A node's first network, of a definition that is complete; taken over. */
void net_default(struct node *node, struct network *network, bool autostart);

/* == Kept (net-keep.c) == */

void net_keep_config(struct net *net, struct task *task);
void net_keep_no_config(struct net *net, struct task *task);
/* The file of an active one; @task ends when it is kept, or is gone with the network. */
void net_save_status(struct net *net, struct task *task);
/* The same, which nobody waits for. */
void net_keep_status(struct net *net);
bool net_load(struct node *node, const char *key, const char *text, GError **error);
bool net_load_status(struct node *node, const char *key, const char *text, GError **error);

/* == Events (net-event.c); libvirt's numbers == */

enum net_event {
	NET_DEFINED = 0,
	NET_UNDEFINED = 1,
	NET_STARTED = 2,
	NET_STOPPED = 3,
};

void event_network(struct net *net, enum net_event event);
/* @type is libvirt's; @uri: of an element, or NULL. */
void event_network_metadata(struct net *net, int type, const char *uri);

/* == Cards of machines (net-card.c) == */

/* A card that runs and is in the network. Return false to go on. */
typedef bool (*net_card_fn)(struct vm *vm, struct domain_interface *card, void *opaque);
void net_each_card(const struct net *net, net_card_fn fn, void *opaque);
unsigned net_connections(const struct net *net);
/* Of struct network_lease, into @list: who has got an address. */
bool net_leases(struct net *net, GPtrArray *list, GError **error);

/**
 * cards_want() - networks of @domain's cards are to be there, before a machine is made of it
 *
 * Those that are not are started. @next is called then, or with an error that says which is not, why, and how to
 * mend it; at once if there is nothing to wait for.
 */
void cards_want(struct call *call, struct domain *domain, call_next next);
/* Say in each card what its network means: which bridge, which limits. They have a port from here on. */
bool cards_connect(struct node *node, struct domain *domain, GError **error);
/* DOMAIN_INTERFACE_ADDRESSES by leases, or else by what was heard. */
void call_card_addresses(struct call *call, struct vm *vm, bool heard);

#endif
