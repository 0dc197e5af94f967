/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * node-int.h - the machines of a host, as this room sees them
 */
#ifndef MANAGE_NODE_INT_H
#define MANAGE_NODE_INT_H

#include "manage/node.h"

enum {
	NODE_DEADLINE_MS = 30000
};

struct raw_round;

struct node {
	struct node_config config;
	GHashTable *by_uuid; /* of struct vm, as are the other two; the owner */
	GHashTable *by_name;
	GHashTable *by_id;
	GPtrArray *vms;     /* in the order in which they came */
	GPtrArray *nets;    /* of struct net, which it owns, as they came */
	GPtrArray *pools;   /* of struct pool; the owner */
	GPtrArray *secrets; /* of struct secret_entry; the owner */
	GPtrArray *peers;   /* that have opened it */
	int next_id;
	unsigned active;
	bool autostart;              /* the host has just started */
	unsigned pools_loading;      /* that are being started since the daemon is */
	struct raw_round *raw_round; /* which volumes are raw disks (vol-raw.c); or NULL */
	GSource *pools_timer; /* until machines are started without those that hang; or NULL */
};

unsigned node_deadline(const struct node *node);

#endif
