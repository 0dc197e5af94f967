/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * socle-snapshot.h - snapshots of domains
 */
#ifndef CLIENT_SOCLE_SNAPSHOT_H
#define CLIENT_SOCLE_SNAPSHOT_H

#include "client/socle-domain.h"
#include "client/socle-error.h"

struct socle_snapshot;

enum socle_snapshot_create_flags {
	SOCLE_SNAPSHOT_CREATE_REDEFINE = 1 << 0, /* only what is known about one that is there */
	SOCLE_SNAPSHOT_CREATE_CURRENT = 1 << 1,
	SOCLE_SNAPSHOT_CREATE_NO_METADATA = 1 << 2,
	SOCLE_SNAPSHOT_CREATE_HALT = 1 << 3,
	SOCLE_SNAPSHOT_CREATE_DISK_ONLY = 1 << 4,
	SOCLE_SNAPSHOT_CREATE_REUSE_EXT = 1 << 5,
	SOCLE_SNAPSHOT_CREATE_QUIESCE = 1 << 6,
	SOCLE_SNAPSHOT_CREATE_ATOMIC = 1 << 7,
	SOCLE_SNAPSHOT_CREATE_LIVE = 1 << 8,
	SOCLE_SNAPSHOT_CREATE_VALIDATE = 1 << 9,
};

enum socle_snapshot_list_flags {
	SOCLE_SNAPSHOT_LIST_ROOTS = 1 << 0,       /* of a domain */
	SOCLE_SNAPSHOT_LIST_DESCENDANTS = 1 << 0, /* of a snapshot: not only its children */
	SOCLE_SNAPSHOT_LIST_METADATA = 1 << 1,
	SOCLE_SNAPSHOT_LIST_LEAVES = 1 << 2,
	SOCLE_SNAPSHOT_LIST_NO_LEAVES = 1 << 3,
	SOCLE_SNAPSHOT_LIST_NO_METADATA = 1 << 4,
	SOCLE_SNAPSHOT_LIST_INACTIVE = 1 << 5,
	SOCLE_SNAPSHOT_LIST_ACTIVE = 1 << 6,
	SOCLE_SNAPSHOT_LIST_DISK_ONLY = 1 << 7,
	SOCLE_SNAPSHOT_LIST_INTERNAL = 1 << 8,
	SOCLE_SNAPSHOT_LIST_EXTERNAL = 1 << 9,
	SOCLE_SNAPSHOT_LIST_TOPOLOGICAL = 1 << 10, /* parents before children */
};

enum socle_snapshot_revert_flags {
	SOCLE_SNAPSHOT_REVERT_RUNNING = 1 << 0,
	SOCLE_SNAPSHOT_REVERT_PAUSED = 1 << 1,
	SOCLE_SNAPSHOT_REVERT_FORCE = 1 << 2,
	SOCLE_SNAPSHOT_REVERT_RESET_NVRAM = 1 << 3,
};

enum socle_snapshot_delete_flags {
	SOCLE_SNAPSHOT_DELETE_CHILDREN = 1 << 0, /* with all that come from it */
	SOCLE_SNAPSHOT_DELETE_METADATA_ONLY = 1 << 1,
	SOCLE_SNAPSHOT_DELETE_CHILDREN_ONLY = 1 << 2,
};

/**
 * socle_snapshot_ref() - one more owner
 * @snap: the snapshot
 *
 * Return: @snap
 */
SOCLE_API struct socle_snapshot *socle_snapshot_ref(struct socle_snapshot *snap);

/**
 * socle_snapshot_unref() - one owner less
 * @snap: may be NULL
 */
SOCLE_API void socle_snapshot_unref(struct socle_snapshot *snap);

/**
 * socle_snapshots_free() - give back a list of snapshots
 * @snaps: a NULL behind the last; may be NULL
 */
SOCLE_API void socle_snapshots_free(struct socle_snapshot **snaps);

/**
 * socle_snapshot_name() - its name
 * @snap: the snapshot
 *
 * Return: it belongs to @snap
 */
SOCLE_API const char *socle_snapshot_name(const struct socle_snapshot *snap);

/**
 * socle_snapshot_domain() - the domain that it is of
 * @snap: the snapshot
 *
 * Return: it belongs to @snap
 */
SOCLE_API struct socle_domain *socle_snapshot_domain(const struct socle_snapshot *snap);

/**
 * socle_snapshot_create() - take a snapshot
 * @dom:   the domain
 * @xml:   a <domainsnapshot>, of which all may be missing
 * @flags: enum socle_snapshot_create_flags
 * @error: says why not
 *
 * Return: for socle_snapshot_unref(); NULL on failure
 */
SOCLE_API struct socle_snapshot *socle_snapshot_create(struct socle_domain *dom, const char *xml,
						       unsigned flags, struct socle_error **error);

/**
 * socle_snapshot_list() - snapshots of a domain
 * @dom:       the domain
 * @flags:     enum socle_snapshot_list_flags; 0: all
 * @ret_snaps: for socle_snapshots_free(); may be NULL if only the number matters
 * @error:     says why not
 *
 * Return: how many, or -1
 */
SOCLE_API int socle_snapshot_list(struct socle_domain *dom, unsigned flags,
				  struct socle_snapshot ***ret_snaps, struct socle_error **error);

/**
 * socle_snapshot_children() - those that come from a snapshot
 * @snap:      the snapshot
 * @flags:     enum socle_snapshot_list_flags; 0: its children
 * @ret_snaps: for socle_snapshots_free(); may be NULL if only the number matters
 * @error:     says why not
 *
 * Return: how many, or -1
 */
SOCLE_API int socle_snapshot_children(struct socle_snapshot *snap, unsigned flags,
				      struct socle_snapshot ***ret_snaps,
				      struct socle_error **error);

/**
 * socle_snapshot_by_name() - look a snapshot up
 * @dom:   the domain
 * @name:  whole
 * @flags: 0
 * @error: SOCLE_ERR_NO_DOMAIN_SNAPSHOT if there is none
 *
 * Return: for socle_snapshot_unref(); NULL on failure
 */
SOCLE_API struct socle_snapshot *socle_snapshot_by_name(struct socle_domain *dom, const char *name,
							unsigned flags, struct socle_error **error);

/**
 * socle_snapshot_has_current() - does the domain come from a snapshot?
 * @dom:   the domain
 * @flags: 0
 * @error: says why not
 *
 * Return: 1, 0, or -1
 */
SOCLE_API int socle_snapshot_has_current(struct socle_domain *dom, unsigned flags,
					 struct socle_error **error);

/**
 * socle_snapshot_current() - the snapshot that the domain comes from
 * @dom:   the domain
 * @flags: 0
 * @error: SOCLE_ERR_NO_DOMAIN_SNAPSHOT if there is none
 *
 * Return: for socle_snapshot_unref(); NULL on failure
 */
SOCLE_API struct socle_snapshot *socle_snapshot_current(struct socle_domain *dom, unsigned flags,
							struct socle_error **error);

/**
 * socle_snapshot_parent() - the snapshot that a snapshot comes from
 * @snap:  the snapshot
 * @flags: 0
 * @error: SOCLE_ERR_NO_DOMAIN_SNAPSHOT if there is none
 *
 * Return: for socle_snapshot_unref(); NULL on failure
 */
SOCLE_API struct socle_snapshot *socle_snapshot_parent(struct socle_snapshot *snap, unsigned flags,
						       struct socle_error **error);

/**
 * socle_snapshot_is_current() - does its domain come from this one?
 * @snap:  the snapshot
 * @flags: 0
 * @error: says why not
 *
 * Return: 1, 0, or -1
 */
SOCLE_API int socle_snapshot_is_current(struct socle_snapshot *snap, unsigned flags,
					struct socle_error **error);

/**
 * socle_snapshot_has_metadata() - does the server know more of it than the disk has?
 * @snap:  the snapshot
 * @flags: 0
 * @error: says why not
 *
 * Return: 1, 0, or -1
 */
SOCLE_API int socle_snapshot_has_metadata(struct socle_snapshot *snap, unsigned flags,
					  struct socle_error **error);

/**
 * socle_snapshot_xml() - what is known about it
 * @snap:  the snapshot
 * @flags: SOCLE_XML_SECURE or 0
 * @error: says why not
 *
 * Return: for free(3); NULL on failure
 */
SOCLE_API char *socle_snapshot_xml(struct socle_snapshot *snap, unsigned flags,
				   struct socle_error **error);

/**
 * socle_snapshot_revert() - make its domain what it was
 * @snap:  the snapshot
 * @flags: enum socle_snapshot_revert_flags
 * @error: says why not
 *
 * Return: 0, or -1
 */
SOCLE_API int socle_snapshot_revert(struct socle_snapshot *snap, unsigned flags,
				    struct socle_error **error);

/**
 * socle_snapshot_delete() - delete it; what comes from it stays
 * @snap:  the snapshot
 * @flags: enum socle_snapshot_delete_flags
 * @error: says why not
 *
 * Return: 0, or -1
 */
SOCLE_API int socle_snapshot_delete(struct socle_snapshot *snap, unsigned flags,
				    struct socle_error **error);

#endif
