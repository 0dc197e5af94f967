/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * commands-snapshot.c - QMP: snapshots of disks in use, as overlays and inside of images
 *
 * An overlay is prepared in full before the disk's keeper is held for the exchange of a pointer.
 */
#include <string.h>

#include "base/error.h"
#include "base/log.h"
#include "base/sys.h"
#include "block/keep.h"
#include "block/qcow2/qcow2.h"
#include "vmm/block-args.h"
#include "vmm/commands-int.h"
#include "vmm/jobs.h"
#include "vmm/nodes.h"
#include "vmm/overlay.h"
#include "vmm/vmm-int.h"

/* ---- overlays ---- */

static bool put(struct vmm *vmm, struct overlay *overlay, GError **error)
{
	if (overlay_hold(overlay, error)) {
		overlay_put(overlay, vmm);
		return true;
	}
	overlay_drop(overlay, vmm);
	return false;
}

static bool node_snapshot(struct vmm *vmm, struct vmm_node *node, const json_t *args,
			  GError **error)
{
	struct overlay overlay;

	return overlay_open(&overlay, vmm, node, args, error) && put(vmm, &overlay, error);
}

bool node_snapshot_sync(struct vmm *vmm, struct vmm_node *node, const json_t *args, GError **error)
{
	struct overlay overlay;

	return overlay_create(&overlay, vmm, node, args, error) && put(vmm, &overlay, error);
}

void start_blockdev_snapshot(void *opaque, const json_t *args, struct qmp_request *request)
{
	node_command_start(opaque, "node", args, request, node_snapshot);
}

void start_blockdev_snapshot_sync(void *opaque, const json_t *args, struct qmp_request *request)
{
	node_command_start(opaque, arg_text(args, "node-name") ? "node-name" : "device", args,
			   request, node_snapshot_sync);
}

/* ---- inside of images ---- */

/* Can it have snapshots, now? */
static bool check_inside(struct vmm_node *node, GError **error)
{
	if (!node_is_free(node, error))
		return false;
	if (!node->block || !block_is_kept(node->block) ||
	    strcmp(block_format(node->block), "qcow2") != 0)
		return error_set(error, SOCLE_ERROR_UNSUPPORTED,
				 "Block format '%s' used by device '%s' does not support internal "
				 "snapshots",
				 node->block ? block_format(node->block) : "none", node->name);
	return block_can_change(node->block, error);
}

/* The image of a disk that can have snapshots, held; NULL with @error. */
static struct image *hold_qcow2(struct vmm *vmm, const json_t *args, struct block **ret_block,
				GError **error)
{
	struct vmm_node *node = node_find_device(vmm, arg_text(args, "device"), error);

	if (!node || !check_inside(node, error))
		return NULL;
	block_hold(node->block);
	*ret_block = node->block;
	return block_image(node->block);
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

static bool create_inside(struct image *image, const json_t *args, GError **error)
{
	const char *name = arg_text(args, "name");

	if (!*name)
		return error_set(error, SOCLE_ERROR_USAGE, "Name is empty");
	if (find_snapshot(image, NULL, name))
		return error_set(error, SOCLE_ERROR_EXISTS,
				 "Snapshot with name '%s' already exists on device '%s'", name,
				 arg_text(args, "device"));
	return qcow2_snapshot_create(image, name, (int64_t)(sys_realtime_ns() / 1000), error);
}

json_t *run_blockdev_snapshot_internal_sync(void *opaque, const json_t *args, GError **error)
{
	struct block *block;
	struct image *image = hold_qcow2(opaque, args, &block, error);
	bool ok;

	if (!image)
		return NULL;
	ok = create_inside(image, args, error);
	block_let_go(block);
	return ok ? json_object() : NULL;
}

/* ---- the same, in a transaction ---- */

bool inside_claim(struct vmm_node *node, GError **error)
{
	if (!check_inside(node, error))
		return false;
	node->changing = true;
	return true;
}

bool inside_create(struct vmm_node *node, const json_t *args, GError **error)
{
	block_hold(node->block);
	if (create_inside(block_image(node->block), args, error))
		return true;
	block_let_go(node->block);
	return false;
}

void inside_end(struct vmm_node *node)
{
	node->changing = false;
}

void inside_keep(struct vmm_node *node)
{
	block_let_go(node->block);
}

void inside_undo(struct vmm_node *node, const json_t *args)
{
	struct image *image = block_image(node->block);
	const struct qcow2_snapshot *snapshot = find_snapshot(image, NULL, arg_text(args, "name"));
	g_autofree char *id = snapshot ? g_strdup(snapshot->id) : NULL;
	g_autoptr(GError) error = NULL;

	if (id && !qcow2_snapshot_delete(image, id, &error))
		log_warning("%s", error->message);
	block_let_go(node->block);
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
