/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * snapshots-int.h - the snapshots of a domain: their descriptions, in a tree
 */
#ifndef MANAGE_SNAPSHOTS_INT_H
#define MANAGE_SNAPSHOTS_INT_H

#include <glib.h>
#include <stdbool.h>

struct snapshot;
struct vm;

struct snapshots {
	GPtrArray *list; /* of struct snapshot, in the order in which they were made */
	struct snapshot *current;
	/* To it disks are on their way, or were when the daemon ended, or one of them failed; else NULL. */
	struct snapshot *going_back;
	/* It is being made, or was when a daemon ended: devices may have some of it. Owned, and in no list. */
	struct snapshot *making;
};

void snapshots_free(struct snapshots *snapshots);
/* Makes an empty one if there is none. */
struct snapshots *snapshots_of(struct vm *vm);
struct snapshot *snapshots_find(const struct vm *vm, const char *name);
unsigned snapshots_count(const struct vm *vm);
/* Is there something to be kept? */
bool snapshots_any(const struct vm *vm);
/* A copy of @snapshot, or none, is what is being made. */
void snapshots_set_making(struct vm *vm, const struct snapshot *snapshot);
/* Are its disks of one time? False with @error: some have gone back, others have not. */
bool snapshots_agree(const struct vm *vm, GError **error);
/* What the store keeps; g_free() it. */
char *snapshots_format(const struct vm *vm);
/* All as it was when snapshots_format() made @text. */
void snapshots_put_back(struct vm *vm, const char *text);
bool snapshots_parse(struct vm *vm, const char *text, GError **error);
/* At a daemon's start, in the domain's turn: what was being made is taken back (snapshot-undo.c). */
void snapshots_loaded(struct vm *vm);

#endif
