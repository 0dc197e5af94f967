/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * script.h - machines and a store that do what a test says, when it says so
 */
#ifndef TEST_MANAGE_SCRIPT_H
#define TEST_MANAGE_SCRIPT_H

#include <glib.h>

#include "manage/machine.h"
#include "manage/network.h"
#include "manage/node.h"
#include "manage/store.h"

/* One for all; tests put it back by script_reset(). */
struct script {
	bool real;         /* the node is not of the driver "test" */
	bool user;         /* each card has a network of its own, as in a session */
	bool hold;         /* tasks of machines wait for script_release() */
	bool hold_queries; /* those of query() too */
	bool store_hold;   /* those of the store wait for script_store_release() */
	const char *fail;  /* what the next task ends with, once */
	const char *agent; /* what the agent answers; NULL: nothing */
	char *asked;       /* what it was asked last */
	GQueue held;       /* of struct task */
	GQueue store_held; /* the same */
	struct dom *last;  /* whose machine was made last */
	unsigned machines; /* that there are */
	unsigned started, destroyed, paused, plugged;
	unsigned taken, reverted, dropped, undone; /* snapshots */
	bool reverted_again;                /* the last one said that it was the second time */
	const char *fail_revert;            /* none that is off goes back */
	bool fail_partly;                   /* but some of its disks do */
	unsigned networks, found, joined;   /* that there are; that were taken over; cards */
	GHashTable *kept[STORE_KIND_COUNT]; /* of the store: key to text */
	const char *store_fail;             /* all of its tasks end with this */
	unsigned saves;
};

extern struct script script;
extern const struct machine_ops script_machines;
extern const struct network_ops script_networks;
extern const struct store_ops script_store;

void script_reset(void);
/* End the oldest task that is held. */
void script_release(const char *fail);
/* End the oldest task of the store that is held. */
void script_store_release(const char *fail);
struct node *script_node(bool store, unsigned deadline_ms);
/* What is kept, as the next daemon loads it. */
void script_load(struct node *node);

#endif
