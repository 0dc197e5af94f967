/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * commands-snapshot.c - QMP: snapshots of disks in use, as overlays and inside of images
 *
 * An overlay is prepared in full, before the disk's keeper is held for the exchange of a pointer.
 */
#include <string.h>

#include "base/error.h"
#include "base/log.h"
#include "base/sys.h"
#include "block/chain.h"
#include "block/keep.h"
#include "block/qcow2/qcow2.h"
#include "vmm/block-args.h"
#include "vmm/commands-int.h"
#include "vmm/jobs.h"
#include "vmm/nodes.h"
#include "vmm/vmm-int.h"

/* ---- overlays ---- */

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

/* Others may read it from now on; if that cannot be, it works as well. */
static void let_others_read(struct image **front)
{
	g_autoptr(GError) error = NULL;

	if ((*front)->flags & IMAGE_WRITE && !(*front)->encrypted &&
	    !image_chain_reopen(front, *front, false, &error))
		log_warning("image '%s' stays open for writing: %s", (*front)->path,
			    error->message);
}

/* Held, flushed and checked: cannot fail. */
static void put_overlay(struct vmm *vmm, struct vmm_node *node, struct vmm_node *overlay)
{
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
}

static bool hold_flushed(struct vmm_node *node, GError **error)
{
	struct image *image;

	block_hold(node->block);
	image = block_image(node->block);
	if (!(image->flags & IMAGE_WRITE) || image_flush(image, error))
		return true;
	block_let_go(node->block);
	return false;
}

static bool snapshot(struct vmm *vmm, struct vmm_node *node, const json_t *args, GError **error)
{
	struct vmm_node *overlay = node_find(vmm, arg_text(args, "overlay"), error);

	if (!overlay || !check_overlay(node, overlay, error) || !hold_flushed(node, error))
		return false;
	put_overlay(vmm, node, overlay);
	block_let_go(overlay->block);
	return true;
}

void start_blockdev_snapshot(void *opaque, const json_t *args, struct qmp_request *request)
{
	node_command_start(opaque, "node", args, request, snapshot);
}

/* ---- blockdev-snapshot-sync ---- */

static bool create_overlay(struct vmm_node *node, const char *path, GError **error)
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

bool node_snapshot_sync(struct vmm *vmm, struct vmm_node *node, const json_t *args, GError **error)
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
	if (!mode && !create_overlay(node, path, error))
		return false;
	spec.open.path = path;
	spec.open.format = "qcow2";
	spec.open.node_name = arg_text(args, "snapshot-node-name");
	spec.open.backing = false;
	spec.open.detached = true;
	overlay = node_add(vmm, &spec, node->implicit, error);
	if (overlay && check_overlay(node, overlay, error) && hold_flushed(node, error)) {
		put_overlay(vmm, node, overlay);
		block_let_go(overlay->block);
		return true;
	}
	if (overlay)
		node_drop(vmm, overlay);
	if (!mode)
		(void)sys_unlink(path);
	return false;
}

void start_blockdev_snapshot_sync(void *opaque, const json_t *args, struct qmp_request *request)
{
	node_command_start(opaque, arg_text(args, "node-name") ? "node-name" : "device", args,
			   request, node_snapshot_sync);
}

/* ---- inside of images ---- */

/* The image of a disk that can have snapshots, held; NULL with @error. */
static struct image *hold_qcow2(struct vmm *vmm, const json_t *args, struct block **ret_block,
				GError **error)
{
	struct vmm_node *node = node_find_device(vmm, arg_text(args, "device"), error);
	struct image *image;

	if (!node || !node_is_free(node, error))
		return NULL;
	if (!node->block || !block_is_kept(node->block) ||
	    strcmp(block_format(node->block), "qcow2") != 0) {
		error_set(error, SOCLE_ERROR_UNSUPPORTED,
			  "Block format '%s' used by device '%s' does not support internal "
			  "snapshots",
			  node->block ? block_format(node->block) : "none", node->name);
		return NULL;
	}
	if (!block_can_change(node->block, error))
		return NULL;
	block_hold(node->block);
	image = block_image(node->block);
	*ret_block = node->block;
	return image;
}

static const struct qcow2_snapshot *find_snapshot(struct image *image, const char *id,
						  const char *name)
{
	const GPtrArray *list = qcow2_snapshots(image);

	for (unsigned i = 0; i < list->len; i++) {
		const struct qcow2_snapshot *snapshot = g_ptr_array_index(list, i);

		if ((!id || !strcmp(snapshot->id, id)) && (!name || !strcmp(snapshot->name, name)))
			return snapshot;
	}
	return NULL;
}

json_t *run_blockdev_snapshot_internal_sync(void *opaque, const json_t *args, GError **error)
{
	const char *name = arg_text(args, "name");
	struct block *block;
	struct image *image = hold_qcow2(opaque, args, &block, error);
	bool ok;

	if (!image)
		return NULL;
	if (!*name)
		ok = error_set(error, SOCLE_ERROR_USAGE, "Name is empty");
	else if (find_snapshot(image, NULL, name))
		ok = error_set(error, SOCLE_ERROR_EXISTS,
			       "Snapshot with name '%s' already exists on device '%s'", name,
			       arg_text(args, "device"));
	else
		ok = qcow2_snapshot_create(image, name, (int64_t)(sys_realtime_ns() / 1000), error);
	block_let_go(block);
	return ok ? json_object() : NULL;
}

static json_t *snapshot_info(const struct qcow2_snapshot *s)
{
	json_t *info =
		json_pack("{s:o,s:o,s:I,s:I,s:I,s:I,s:I}", "id", json_text(s->id), "name",
			  json_text(s->name), "vm-state-size", (json_int_t)s->vm_size, "date-sec",
			  (json_int_t)s->date_s, "date-nsec", (json_int_t)s->date_ns,
			  "vm-clock-sec", (json_int_t)(s->vm_clock_ns / 1000000000),
			  "vm-clock-nsec", (json_int_t)(s->vm_clock_ns % 1000000000));

	if (s->icount != UINT64_MAX)
		json_object_set_new(info, "icount", json_integer((json_int_t)s->icount));
	return info;
}

static json_t *delete_snapshot(struct image *image, const char *id, const char *name,
			       const char *device, GError **error)
{
	const struct qcow2_snapshot *snapshot = find_snapshot(image, id, name);
	g_autofree char *own_id = snapshot ? g_strdup(snapshot->id) : NULL;
	json_t *info;

	if (!snapshot) {
		error_set(error, SOCLE_ERROR_FAILED,
			  "Snapshot with id '%s' and name '%s' does not exist on device '%s'",
			  id ? id : "", name ? name : "", device);
		return NULL;
	}
	info = snapshot_info(snapshot);
	if (qcow2_snapshot_delete(image, own_id, error))
		return info;
	json_decref(info);
	return NULL;
}

json_t *run_blockdev_snapshot_delete_internal_sync(void *opaque, const json_t *args, GError **error)
{
	const char *id = arg_text(args, "id"), *name = arg_text(args, "name");
	struct block *block;
	struct image *image;
	json_t *info;

	if (!id && !name) {
		error_set(error, SOCLE_ERROR_USAGE, "Name or id must be provided");
		return NULL;
	}
	image = hold_qcow2(opaque, args, &block, error);
	if (!image)
		return NULL;
	info = delete_snapshot(image, id, name, arg_text(args, "device"), error);
	block_let_go(block);
	return info;
}
