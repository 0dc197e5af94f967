/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * overlay.h - another image in front of a disk's
 *
 * In three steps, so that several disks get theirs at the same moment: open, hold, put.
 *
 * Threads: main loop.
 */
#ifndef VMM_OVERLAY_H
#define VMM_OVERLAY_H

#include <glib.h>
#include <jansson.h>
#include <stdbool.h>

struct vmm;
struct vmm_node;

struct overlay {
	struct vmm_node *node, *overlay;
	char *made; /* a file that is of no use if nothing comes of it; or NULL */
	bool owns;  /* the same of the node */
	bool held;
};

/* @args of blockdev-snapshot: a node that is open. @node has a keeper. */
bool overlay_open(struct overlay *ret, struct vmm *vmm, struct vmm_node *node, const json_t *args,
		  GError **error);
/* @args of blockdev-snapshot-sync: a file. */
bool overlay_create(struct overlay *ret, struct vmm *vmm, struct vmm_node *node, const json_t *args,
		    GError **error);
/* The disk's requests wait from now on, and all that it has written is durable. After false it is to
 * be dropped, too. */
bool overlay_hold(struct overlay *o, GError **error);
/* Held: put it there, let go, and be done with @o; or not. */
void overlay_put(struct overlay *o, struct vmm *vmm);
void overlay_drop(struct overlay *o, struct vmm *vmm);

/* ---- commands-snapshot.c: the same for a snapshot inside of an image ---- */

/* Nothing else is done with it until inside_end(). */
bool inside_claim(struct vmm_node *node, GError **error);
void inside_end(struct vmm_node *node);
/* @args of blockdev-snapshot-internal-sync. Its requests wait from then on, until it is kept or undone. */
bool inside_create(struct vmm_node *node, const json_t *args, GError **error);
void inside_keep(struct vmm_node *node);
void inside_undo(struct vmm_node *node, const json_t *args);

#endif
