/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * overlay.c - another image in front of a disk's
 */
#include "vmm/overlay.h"

#include <string.h>

#include "base/error.h"
#include "base/log.h"
#include "base/sys.h"
#include "block/chain.h"
#include "block/keep.h"
#include "vmm/block-args.h"
#include "vmm/jobs.h"
#include "vmm/nodes.h"
#include "vmm/vmm-int.h"

static bool check_overlay(struct vmm_node *node, struct vmm_node *overlay, GError **error)
{
	struct block_info below, above;
	unsigned depth = 0;

	if (overlay == node || overlay->front || overlay->user || !overlay->block)
		return error_set(error, SOCLE_ERROR_BUSY, "The overlay is already in use");
	if (!node_is_free(overlay, error))
		return false;
	if (!block_is_kept(overlay->block) || strcmp(block_format(overlay->block), "qcow2") != 0)
		return error_set(error, SOCLE_ERROR_USAGE,
				 "The overlay does not support backing images; give one of format "
				 "qcow2");
	if (block_image(overlay->block)->backing)
		return error_set(
			error, SOCLE_ERROR_USAGE,
			"The overlay already has a backing image; open it with backing=null");
	for (struct image *image = block_image(node->block); image; image = image->backing)
		depth++;
	if (depth >= IMAGE_MAX_CHAIN)
		return error_set(error, SOCLE_ERROR_LIMIT,
				 "there are %u images behind each other already, and no more could "
				 "be opened again; merge some by block-commit",
				 depth);
	block_info(node->block, &below);
	block_info(overlay->block, &above);
	if (above.read_only && !below.read_only)
		return error_set(
			error, SOCLE_ERROR_DENIED,
			"The overlay is open for reading only; open it with read-only=off");
	if (above.size != below.size)
		return error_set(error, SOCLE_ERROR_USAGE,
				 "the overlay has %" G_GUINT64_FORMAT
				 " bytes and '%s' %" G_GUINT64_FORMAT "; create it as large",
				 above.size, node->name, below.size);
	return true;
}

static bool create_image(struct vmm_node *node, const char *path, GError **error)
{
	const struct image *image = block_image(node->block);
	g_autofree char *name = image_chain_name(path, image->path);
	const struct image_create what = {
		.path = path,
		.size = image->size,
		.backing_file = name,
		.backing_format = image->ops->format,
	};

	if (image->encrypted)
		return error_set(
			error, SOCLE_ERROR_UNSUPPORTED,
			"image '%s' is encrypted, and the overlay would not be; create one "
			"that is, and use blockdev-snapshot",
			image->path);
	return image_create("qcow2", &what, error);
}

/* From now on nobody else does anything with either of them. */
static struct overlay claim(struct vmm_node *node, struct vmm_node *overlay)
{
	node->changing = overlay->changing = true;
	return (struct overlay){ .node = node, .overlay = overlay };
}

bool overlay_open(struct overlay *ret, struct vmm *vmm, struct vmm_node *node, const json_t *args,
		  GError **error)
{
	struct vmm_node *overlay = node_find(vmm, arg_text(args, "overlay"), error);

	if (!overlay || !check_overlay(node, overlay, error))
		return false;
	*ret = claim(node, overlay);
	return true;
}

bool overlay_create(struct overlay *ret, struct vmm *vmm, struct vmm_node *node, const json_t *args,
		    GError **error)
{
	static const char *const modes[] = { "absolute-paths", "existing", NULL };
	static const char *const formats[] = { "qcow2", NULL };
	struct node_spec spec = { .open = node->spec.open, .format_given = true };
	const char *path = arg_text(args, "snapshot-file");
	struct vmm_node *overlay;
	unsigned mode, format;

	if (!arg_choice(args, "mode", modes, 0, &mode, error) ||
	    !arg_choice(args, "format", formats, 0, &format, error))
		return false;
	if (!mode && !create_image(node, path, error))
		return false;
	spec.open.path = path;
	spec.open.format = "qcow2";
	spec.open.node_name = arg_text(args, "snapshot-node-name");
	spec.open.backing = false;
	spec.open.detached = true;
	overlay = node_add(vmm, &spec, node->implicit, error);
	if (overlay && check_overlay(node, overlay, error)) {
		*ret = claim(node, overlay);
		ret->owns = true;
		ret->made = mode ? NULL : g_strdup(path);
		return true;
	}
	if (overlay)
		node_drop(vmm, overlay);
	if (!mode)
		(void)sys_unlink(path);
	return false;
}

bool overlay_hold(struct overlay *o, GError **error)
{
	struct image *image;

	block_hold(o->node->block);
	o->held = true;
	image = block_image(o->node->block);
	return !(image->flags & IMAGE_WRITE) || image_flush(image, error);
}

/* Others may read it from now on; if that cannot be, it works as well. */
static void let_others_read(struct image **front)
{
	g_autoptr(GError) error = NULL;

	if ((*front)->flags & IMAGE_WRITE && !(*front)->encrypted &&
	    !image_chain_reopen(front, *front, false, &error))
		log_warning("image '%s' stays open for writing: %s", (*front)->path,
			    error->message);
}

static void release(struct overlay *o)
{
	o->node->changing = o->overlay->changing = false;
	g_free(o->made);
}

void overlay_put(struct overlay *o, struct vmm *vmm)
{
	struct vmm_node *node = o->node, *overlay = o->overlay;
	struct image *below = block_image(node->block), *above = block_image(overlay->block);
	struct block *spare = overlay->block;

	let_others_read(&below);
	above->backing = below;
	block_set_image(spare, NULL);
	block_set_image(node->block, above);
	overlay->block = node->block;
	node->block = NULL;
	block_close(spare);
	node_move_user(vmm, node, overlay);
	node_move_chain(vmm, node, overlay);
	node_name_chain(vmm, overlay);
	block_let_go(overlay->block);
	release(o);
}

void overlay_drop(struct overlay *o, struct vmm *vmm)
{
	struct vmm_node *overlay = o->owns ? o->overlay : NULL;

	if (o->held)
		block_let_go(o->node->block);
	if (o->made)
		(void)sys_unlink(o->made);
	release(o);
	if (overlay)
		node_drop(vmm, overlay);
}
