/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * snapshot-int.h - the snapshot that a client means
 */
#ifndef MANAGE_SNAPSHOT_INT_H
#define MANAGE_SNAPSHOT_INT_H

#include "manage/snapshots-int.h"
#include "manage/vm-int.h"
#include "model/snapshot.h"

enum {
	SNAPSHOT_LIST_ROOTS = 1 << 0,
	SNAPSHOT_LIST_METADATA = 1 << 1,
	SNAPSHOT_LIST_LEAVES = 1 << 2,
	SNAPSHOT_LIST_NO_LEAVES = 1 << 3,
	SNAPSHOT_LIST_NO_METADATA = 1 << 4,
	SNAPSHOT_LIST_INACTIVE = 1 << 5,
	SNAPSHOT_LIST_ACTIVE = 1 << 6,
	SNAPSHOT_LIST_DISK_ONLY = 1 << 7,
	SNAPSHOT_LIST_INTERNAL = 1 << 8,
	SNAPSHOT_LIST_EXTERNAL = 1 << 9,
	SNAPSHOT_LIST_TOPOLOGICAL = 1 << 10,
	SNAPSHOT_LIST_FLAGS = 0x7ff,
};

rpc_domain_snapshot snapshot_handle(const struct vm *vm, const struct snapshot *snapshot);
/* NULL: it is not there, and the call has failed. */
struct snapshot *call_snapshot(struct call *call, const rpc_domain_snapshot *handle,
			       struct vm **ret_vm);
/* A set of those that descend from @from, of struct snapshot; g_hash_table_unref() it. */
GHashTable *snapshots_below(const struct vm *vm, const struct snapshot *from);
bool snapshot_has_disks(const struct snapshot *snapshot, enum snapshot_where where);
/* Has it disks that are kept inside of their images? Logical volumes are kept by their device. */
bool snapshot_is_in_images(const struct snapshot *snapshot, struct domain *domain);
/* Snapshots without images: those of the driver "test". */
bool snapshots_are_fake(const struct call *call);
struct domain_disk *snapshot_disk_of(struct domain *domain, const char *target);
/* @disk goes on in the image of @entry. */
void snapshot_use_image(struct domain_disk *disk, const struct snapshot_disk *entry);
/*
 * Before @snapshot is made of @vm's disks, whose turn it is. It is kept that it is being made, if devices are
 * to keep it; what an earlier one has left goes. The task ends with an error if that cannot be kept.
 */
void snapshots_begin(struct vm *vm, const struct snapshot *snapshot, struct task *task);
/* It was not made, and nothing of it is left: the call fails with @error. */
void snapshots_give_up(struct call *call, const GError *error);
/* How all was before, in @call->data, to be put back if it cannot be kept. */
void snapshots_remember(struct call *call);
void snapshots_fail_keeping(struct call *call, const GError *error);

#endif
