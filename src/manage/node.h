/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * node.h - the machines of a host: what a connection's URI leads to
 *
 * A daemon has one node for its machines; each "test" connection has one of its own, or shares
 * the one that was opened as test:///default by the same server.
 *
 * Threads: main loop.
 */
#ifndef MANAGE_NODE_H
#define MANAGE_NODE_H

#include <glib.h>
#include <stdbool.h>

#include "base/cleanup.h"
#include "manage/machine.h"
#include "manage/network.h"
#include "manage/pool.h"
#include "manage/store.h"
#include "manage/task.h"
#include "model/support.h"

struct dom;
struct node;
struct host_facts; /* host/facts.h */

struct node_config {
	const char *uri;  /* what CONNECT_GET_URI says: "qemu:///system" */
	const char *type; /* what CONNECT_GET_TYPE says: "QEMU", "Test" */
	const struct machine_ops *machines;
	void *machines_opaque;              /* node_machines_opaque() */
	const struct network_ops *networks; /* NULL: there are none here */
	void *networks_opaque;
	const struct pool_ops *pools; /* NULL: there are no storage pools */
	void *pools_opaque; /* given to those of its functions that are about definitions */
	const struct store_ops *store; /* NULL: nothing is kept */
	void *store_opaque;
	struct support support;         /* copied; its texts must outlive the node */
	const struct host_facts *facts; /* what the host is; NULL: that of the driver "test" */
	unsigned deadline_ms; /* after this a client is told that it takes longer; 0: 30000 */
};

struct node *node_new(const struct node_config *config);
/* Machines go on. The store has ended all tasks that it was given, and begins none any more. */
void node_free(struct node *node);
DEFINE_AUTOPTR(node, node_free);

void *node_machines_opaque(const struct node *node);

/* The node of the driver "test", with its one running machine "test". */
struct node *node_new_test(void);

/* == At a daemon's start: what its store has ==
 *
 * First all definitions, then all states. @text is what save() was given. A text that makes no sense
 * is an error, which the caller logs, keeping the file. */
bool node_load(struct node *node, enum store_kind kind, const char *key, const char *text,
	       GError **error);
/* All was loaded: find() has been called for machines that run; start those with autostart. @autostart: the
 * host has just started. */
void node_loaded(struct node *node, bool autostart);
/* A network of this definition is to be there, if there is no network at all. */
void node_default_network(struct node *node, const char *xml, bool autostart);
/* How many machines are active. */
unsigned node_active(const struct node *node);

#endif
