/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * store.h - the seam to where definitions are kept
 *
 * The room daemon keeps files; the driver "test" keeps nothing and has no store. A text replaces the
 * one that was there as a whole or not at all, and is on stable storage when the task ends well.
 * Texts of one key are written in the order in which they were given.
 *
 * Threads: main loop.
 */
#ifndef MANAGE_STORE_H
#define MANAGE_STORE_H

#include <glib.h>

#include "manage/task.h"

enum store_kind {
	STORE_DOMAIN,    /* key: uuid; a definition, with autostart and what else is ours */
	STORE_STATUS,    /* key: uuid; an active machine. Lost when the host restarts: in /run */
	STORE_SNAPSHOTS, /* key: uuid; all snapshots of a domain, and which is current */
	STORE_NETWORK,   /* key: uuid; a definition */
	STORE_NETWORK_STATUS, /* key: uuid; an active one. Lost when the host restarts, as is that of a machine */
	STORE_POOL,         /* key: uuid; a storage pool's definition, with autostart */
	STORE_POOL_STATUS,  /* key: uuid; that it is active; in /run */
	STORE_SECRET,       /* key: uuid; what is told of a secret */
	STORE_SECRET_VALUE, /* key: uuid; its value */
	STORE_KIND_COUNT
};

struct store_ops {
	void (*save)(void *opaque, enum store_kind kind, const char *key, const char *text,
		     struct task *task);
	/* What is not there is removed, too. */
	void (*remove)(void *opaque, enum store_kind kind, const char *key, struct task *task);
};

#endif
