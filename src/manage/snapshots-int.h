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
};

void snapshots_free(struct snapshots *snapshots);
/* Makes an empty one if there is none. */
struct snapshots *snapshots_of(struct vm *vm);
struct snapshot *snapshots_find(const struct vm *vm, const char *name);
unsigned snapshots_count(const struct vm *vm);
/* Are its disks of one time? False with @error: some have gone back, others have not. */
bool snapshots_agree(const struct vm *vm, GError **error);
/* What the store keeps; g_free() it. */
char *snapshots_format(const struct vm *vm);
/* All as it was when snapshots_format() made @text. */
void snapshots_put_back(struct vm *vm, const char *text);
bool snapshots_parse(struct vm *vm, const char *text, GError **error);

#endif
