/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nodes.h - images by node name, when what is behind a disk changes (docs/design/0009-block-jobs.md)
 *
 * Threads: main loop.
 */
#ifndef VMM_NODES_H
#define VMM_NODES_H

#include "block/image.h"
#include "vmm/backends.h"

/* Is it neither about to change nor has it a job? */
bool node_is_free(const struct vmm_node *node, GError **error);
/* The same, and it has a block. */
bool node_may_change(const struct vmm_node *node, GError **error);
/* A node by its name, or that of a disk by the disk's; or NULL with @error. */
struct vmm_node *node_find_device(struct vmm *vmm, const char *name, GError **error);

/* What a node is called back with: NULL, or why not. */
typedef void (*node_then)(void *opaque, const GError *error);

/* It gets a keeper, if it has none (block/keep.h). @then is called once, maybe at once. */
void node_keep(struct vmm *vmm, struct vmm_node *node, node_then then, void *opaque);
/* It loses its keeper, if its image is raw. */
void node_unkeep(struct vmm *vmm, struct vmm_node *node, node_then then, void *opaque);

/* The images of its chain are those of nodes: ones that have no name get one, nodes that have no image
 * there any more go, or are no more than a name. Held, or nobody uses the block. */
void node_name_chain(struct vmm *vmm, struct vmm_node *node);
/* What is in the chain of @from (and @from itself, if it has no block) is in that of @to. */
void node_move_chain(struct vmm *vmm, struct vmm_node *from, struct vmm_node *to);
/* The disk of @from is that of @to. */
void node_move_user(struct vmm *vmm, struct vmm_node *from, struct vmm_node *to);
/* There is nothing left of it; a name that the user gave stays until blockdev-del. */
void node_retire(struct vmm *vmm, struct vmm_node *node);

#endif
