/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nodes.c - images by node name, when what is behind a disk changes
 */
#include "vmm/nodes.h"

#include <string.h>

#include "base/error.h"
#include "base/log.h"
#include "block/chain.h"
#include "block/keep.h"
#include "dev/virtio-blk.h"
#include "vmm/devices.h"
#include "vmm/jobs.h"
#include "vmm/vmm-int.h"

bool node_is_free(const struct vmm_node *node, GError **error)
{
	if (node->job)
		return error_set(error, SOCLE_ERROR_BUSY,
				 "Node '%s' is busy: block device is in use by block job: %s",
				 node->name, job_type(node->job));
	if (node->changing || node->shrinking)
		return error_set(error, SOCLE_ERROR_BUSY,
				 "Node '%s' is busy: its image is being changed; try again",
				 node->name);
	return true;
}

bool node_may_change(const struct vmm_node *node, GError **error)
{
	if (node->front)
		return error_set(error, SOCLE_ERROR_BUSY,
				 "Node '%s' stands behind '%s'; name that one", node->name,
				 node->front->name);
	if (!node->block)
		return error_set(error, SOCLE_ERROR_NOT_FOUND,
				 "Node '%s' has been merged into another", node->name);
	return node_is_free(node, error);
}

struct vmm_node *node_find_device(struct vmm *vmm, const char *name, GError **error)
{
	struct vmm_node *node = node_lookup(vmm, name);
	struct vmm_device *disk;

	if (node)
		return node;
	if (g_str_has_prefix(name, "/machine/peripheral/"))
		name += strlen("/machine/peripheral/");
	disk = device_find(vmm, name);
	if (disk && disk->kind == DEVICE_DISK)
		return disk->node;
	error_set(error, SOCLE_ERROR_NOT_FOUND, "Cannot find device='%s' nor node-name='%s'", name,
		  name);
	return NULL;
}

/* ---- another block for the same image ---- */

struct change {
	struct vmm *vmm;
	struct vmm_node *node;
	struct block *next;
	node_then then;
	void *opaque;
};

static void on_swapped(void *opaque, bool done)
{
	g_autofree struct change *change = opaque;
	struct vmm_node *node = change->node;
	struct block *old = done ? node->block : change->next;
	g_autoptr(GError) error = NULL;

	node->changing = false;
	if (done)
		node->block = change->next;
	else
		error_set(&error, SOCLE_ERROR_FAILED, "the disk of node '%s' has been unplugged",
			  node->name);
	block_close(old);
	node_name_chain(change->vmm, node);
	change->then(change->opaque, error);
}

/* Takes @next. */
static void go_on_with(struct vmm *vmm, struct vmm_node *node, struct block *next, node_then then,
		       void *opaque)
{
	struct vmm_device *disk = node->user ? device_find(vmm, node->user) : NULL;
	struct change *change = g_new(struct change, 1);
	g_autoptr(GError) error = NULL;

	*change = (struct change){ vmm, node, next, then, opaque };
	node->changing = true;
	if (!disk) {
		on_swapped(change, true);
		return;
	}
	if (disk->kind != DEVICE_DISK)
		error_set(
			&error, SOCLE_ERROR_BUSY,
			"node '%s' is the medium of CD drive '%s', which keeps it: open the image "
			"once more by blockdev-add",
			node->name, disk->id);
	else if (virtio_blk_swap(disk->virtio, next, on_swapped, change, &error))
		return;
	node->changing = false;
	g_free(change);
	block_close(next);
	then(opaque, error);
}

void node_keep(struct vmm *vmm, struct vmm_node *node, node_then then, void *opaque)
{
	g_autoptr(GError) error = NULL;
	struct block *next;

	if (!block_can_change(node->block, &error) || block_is_kept(node->block)) {
		then(opaque, error);
		return;
	}
	next = block_keep(node->block, &node->spec.open, &error);
	if (next)
		go_on_with(vmm, node, next, then, opaque);
	else
		then(opaque, error);
}

void node_unkeep(struct vmm *vmm, struct vmm_node *node, node_then then, void *opaque)
{
	g_autoptr(GError) error = NULL;
	struct block *next = NULL;

	if (node->block && block_is_kept(node->block) && !node->changing && !node->job)
		next = block_unkeep(node->block, &node->spec.open, &error);
	if (next) {
		go_on_with(vmm, node, next, then, opaque);
		return;
	}
	/* It works as it is, if not as fast. */
	if (error)
		log_warning("%s", error->message);
	then(opaque, NULL);
}

/* ---- chains ---- */

/* The first of "#block0", "#block1" ... that is free. */
static char *free_name(struct vmm *vmm)
{
	for (unsigned n = 0;; n++) {
		g_autofree char *name = g_strdup_printf("#block%u", n);

		if (!node_lookup(vmm, name))
			return g_steal_pointer(&name);
	}
}

static void name_image(struct vmm *vmm, struct vmm_node *top, struct image *image)
{
	struct vmm_node *node;

	if (!image->node_name) {
		image->node_name = free_name(vmm);
		node = node_new(vmm, g_strdup(image->node_name), true);
	} else {
		node = node_lookup(vmm, image->node_name);
	}
	if (!node || node == top)
		return;
	node->front = top;
	node->spec = top->spec;
}

void node_name_chain(struct vmm *vmm, struct vmm_node *node)
{
	struct image *front =
		node->block && block_is_kept(node->block) ? block_image(node->block) : NULL;

	if (front) {
		g_free(front->node_name);
		front->node_name = g_strdup(node->name);
		for (struct image *image = front->backing; image; image = image->backing)
			name_image(vmm, node, image);
	}
	for (unsigned i = vmm->nodes->len; i-- > 0;) {
		struct vmm_node *other = g_ptr_array_index(vmm->nodes, i);

		if (other->front == node && !image_chain_find(front, other->name))
			node_retire(vmm, other);
	}
}

void node_move_chain(struct vmm *vmm, struct vmm_node *from, struct vmm_node *to)
{
	for (unsigned i = 0; i < vmm->nodes->len; i++) {
		struct vmm_node *node = g_ptr_array_index(vmm->nodes, i);

		if (node->front == from)
			node->front = to;
	}
	if (!from->block)
		from->front = to;
}

void node_move_user(struct vmm *vmm, struct vmm_node *from, struct vmm_node *to)
{
	struct vmm_device *disk = from->user ? device_find(vmm, from->user) : NULL;

	if (disk)
		disk->node = to;
	g_free(to->user);
	to->user = g_steal_pointer(&from->user);
}

void node_retire(struct vmm *vmm, struct vmm_node *node)
{
	g_clear_pointer(&node->block, block_close);
	node->front = NULL;
	node_name_chain(vmm, node);
	if (node->implicit)
		g_ptr_array_remove(vmm->nodes, node);
}
