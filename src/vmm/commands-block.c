/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * commands-block.c - QMP: images and disks
 */
#include <string.h>

#include "base/error.h"
#include "base/sys.h"
#include "block/block.h"
#include "block/chain.h"
#include "block/keep.h"
#include "dev/virtio-blk.h"
#include "dev/virtio-scsi.h"
#include "monitor/qmp-server.h"
#include "vmm/backends.h"
#include "vmm/commands-int.h"
#include "vmm/devices.h"
#include "vmm/nodes.h"
#include "vmm/vmm-int.h"

/* By enum disk_limit_kind, as in BlockDeviceInfo and block_set_io_throttle. */
static const char *const limit_names[DISK_LIMIT_COUNT] = {
	[DISK_LIMIT_BPS] = "bps",         [DISK_LIMIT_BPS_RD] = "bps_rd",
	[DISK_LIMIT_BPS_WR] = "bps_wr",   [DISK_LIMIT_IOPS] = "iops",
	[DISK_LIMIT_IOPS_RD] = "iops_rd", [DISK_LIMIT_IOPS_WR] = "iops_wr",
};

static void set_int(json_t *object, const char *key, uint64_t value)
{
	json_object_set_new(object, key, json_integer((json_int_t)value));
}

/* How many images there are behind it. */
static int chain_depth(const struct image *image)
{
	int depth = 0;

	while (image && image->backing) {
		image = image->backing;
		depth++;
	}
	return depth;
}

static json_t *image_info(const struct vmm_node *node)
{
	struct block_info info;

	block_info(node->block, &info);
	return json_pack("{s:o,s:s,s:I,s:I,s:b}", "filename", json_text(block_path(node->block)),
			 "format", block_format(node->block), "virtual-size", (json_int_t)info.size,
			 "actual-size", (json_int_t)block_allocated(node->block), "dirty-flag", 0);
}

/* BlockDeviceInfo; @disk may be NULL. */
static json_t *node_info(const struct vmm_node *node, struct vmm_device *disk)
{
	const struct image *image = block_is_kept(node->block) ? block_image(node->block) : NULL;
	struct disk_limits limits = { 0 };
	struct block_info info;
	json_t *object;

	block_info(node->block, &info);
	if (disk)
		virtio_blk_limits(disk->virtio, &limits);
	object = json_pack("{s:o,s:s,s:b,s:s,s:i,s:b,s:s,s:I,s:o,s:{s:b,s:b,s:b}}", "file",
			   json_text(block_path(node->block)), "node-name", node->name, "ro",
			   (int)info.read_only, "drv", block_format(node->block),
			   "backing_file_depth", chain_depth(image), "encrypted", 0,
			   "detect_zeroes", "off", "write_threshold", (json_int_t)node->threshold,
			   "image", image_info(node), "cache", "writeback",
			   (int)(!disk || virtio_blk_write_cache(disk->virtio)), "direct",
			   (int)info.direct, "no-flush", (int)node->spec.open.no_flush);
	for (unsigned i = 0; i < DISK_LIMIT_COUNT; i++) {
		g_autofree char *max = g_strconcat(limit_names[i], "_max", NULL);
		g_autofree char *length = g_strconcat(limit_names[i], "_max_length", NULL);

		set_int(object, limit_names[i], limits.limit[i].avg);
		if (!limits.limit[i].max)
			continue;
		set_int(object, max, limits.limit[i].max);
		set_int(object, length, limits.limit[i].max_length);
	}
	if (limits.iops_size)
		set_int(object, "iops_size", limits.iops_size);
	if (image && image->backing)
		json_object_set_new(object, "backing_file", json_text(image->backing->path));
	return object;
}

/* BlockDeviceInfo of an image in the chain of another. */
static json_t *inner_info(const struct vmm_node *node)
{
	struct image *image = image_chain_find(block_image(node->front->block), node->name);
	const int64_t allocated = block_file_allocated(image->file);
	json_t *info =
		json_pack("{s:o,s:s,s:I,s:I,s:b}", "filename", json_text(image->path), "format",
			  image->ops->format, "virtual-size", (json_int_t)image->size,
			  "actual-size", (json_int_t)MAX(allocated, 0), "dirty-flag", 0);
	json_t *object = json_pack("{s:o,s:s,s:b,s:s,s:i,s:b,s:s,s:i,s:o,s:{s:b,s:b,s:b}}", "file",
				   json_text(image->path), "node-name", node->name, "ro",
				   !(image->flags & IMAGE_WRITE), "drv", image->ops->format,
				   "backing_file_depth", chain_depth(image), "encrypted",
				   (int)image->encrypted, "detect_zeroes", "off", "write_threshold",
				   0, "image", info, "cache", "writeback", 1, "direct", 0,
				   "no-flush", (int)node->spec.open.no_flush);

	for (unsigned i = 0; i < DISK_LIMIT_COUNT; i++)
		set_int(object, limit_names[i], 0);
	if (image->backing)
		json_object_set_new(object, "backing_file", json_text(image->backing->path));
	return object;
}

static struct vmm_device *node_disk(struct vmm *vmm, const struct vmm_node *node)
{
	struct vmm_device *device = node->user ? device_find(vmm, node->user) : NULL;

	return device && device->kind == DEVICE_DISK ? device : NULL;
}

static json_t *query_one(struct vmm_device *device)
{
	const bool is_cd = device->kind == DEVICE_CDROM;
	struct virtio_scsi_tray tray = { 0 };
	g_autofree char *path = device_path(device);
	json_t *one;

	if (is_cd)
		virtio_scsi_tray(device->virtio, &tray);
	one = json_pack("{s:s,s:s,s:s,s:b,s:b,s:s}", "device", "", "qdev", path, "type", "unknown",
			"removable", (int)is_cd, "locked", (int)tray.locked, "io-status",
			device->io_failed ? "failed" : "ok");
	if (device->node)
		json_object_set_new(one, "inserted",
				    node_info(device->node, is_cd ? NULL : device));
	if (is_cd)
		json_object_set_new(one, "tray_open", json_boolean(tray.open));
	return one;
}

json_t *run_query_block(void *opaque, const json_t *args, GError **error)
{
	struct vmm *vmm = opaque;
	json_t *list = json_array();

	(void)args;
	(void)error;
	for (unsigned i = 0; i < vmm->devices->len; i++) {
		struct vmm_device *device = g_ptr_array_index(vmm->devices, i);

		if (device->kind == DEVICE_DISK || device->kind == DEVICE_CDROM)
			json_array_append_new(list, query_one(device));
	}
	return list;
}

json_t *run_query_named_block_nodes(void *opaque, const json_t *args, GError **error)
{
	struct vmm *vmm = opaque;
	json_t *list = json_array();

	(void)args;
	(void)error;
	for (unsigned i = 0; i < vmm->nodes->len; i++) {
		struct vmm_node *node = g_ptr_array_index(vmm->nodes, i);

		if (node->block)
			json_array_append_new(list, node_info(node, node_disk(vmm, node)));
		else if (node->front)
			json_array_append_new(list, inner_info(node));
	}
	return list;
}

static json_t *format_stats(struct vmm_device *device)
{
	static const struct {
		enum block_op op;
		const char *name;
	} ops[] = { { BLOCK_READ, "rd" },
		    { BLOCK_WRITE, "wr" },
		    { BLOCK_FLUSH, "flush" },
		    { BLOCK_DISCARD, "unmap" } };
	struct disk_stats stats;
	json_t *object = json_object();

	if (device->kind == DEVICE_CDROM)
		virtio_scsi_stats(device->virtio, &stats);
	else
		virtio_blk_stats(device->virtio, &stats);
	for (unsigned i = 0; i < ARRAY_SIZE(ops); i++) {
		g_autofree char *bytes = g_strconcat(ops[i].name, "_bytes", NULL);
		g_autofree char *count = g_strconcat(ops[i].name, "_operations", NULL);
		g_autofree char *time = g_strconcat(ops[i].name, "_total_time_ns", NULL);
		g_autofree char *merged = g_strconcat(ops[i].name, "_merged", NULL);
		g_autofree char *failed = g_strconcat("failed_", ops[i].name, "_operations", NULL);
		g_autofree char *invalid =
			g_strconcat("invalid_", ops[i].name, "_operations", NULL);

		if (ops[i].op != BLOCK_FLUSH) {
			set_int(object, bytes, stats.bytes[ops[i].op]);
			set_int(object, merged, 0);
		}
		if (ops[i].op == BLOCK_FLUSH)
			set_int(object, "failed_flush_operations", stats.failed[BLOCK_FLUSH]);
		else
			set_int(object, failed, stats.failed[ops[i].op]);
		if (ops[i].op == BLOCK_FLUSH)
			set_int(object, "invalid_flush_operations", stats.invalid[BLOCK_FLUSH]);
		else
			set_int(object, invalid, stats.invalid[ops[i].op]);
		set_int(object, count, stats.ops[ops[i].op]);
		set_int(object, time, stats.time_ns[ops[i].op]);
	}
	set_int(object, "wr_highest_offset", stats.highest_off);
	if (stats.idle_since_ns)
		set_int(object, "idle_time_ns", sys_monotonic_ns() - stats.idle_since_ns);
	json_object_set_new(object, "account_invalid", json_true());
	json_object_set_new(object, "account_failed", json_true());
	json_object_set_new(object, "timed_stats", json_array());
	return object;
}

json_t *run_query_blockstats(void *opaque, const json_t *args, GError **error)
{
	struct vmm *vmm = opaque;
	json_t *list = json_array();

	(void)args;
	(void)error;
	for (unsigned i = 0; i < vmm->devices->len; i++) {
		struct vmm_device *device = g_ptr_array_index(vmm->devices, i);
		g_autofree char *path = NULL;

		if (device->kind != DEVICE_DISK && device->kind != DEVICE_CDROM)
			continue;
		path = device_path(device);
		json_array_append_new(list, json_pack("{s:s,s:s,s:s*,s:o}", "device", "", "qdev",
						      path, "node-name",
						      device->node ? device->node->name : NULL,
						      "stats", format_stats(device)));
	}
	return list;
}

json_t *run_blockdev_add(void *opaque, const json_t *args, GError **error)
{
	const bool detached = json_is_null(json_object_get(args, "backing"));
	json_auto_t *known = json_copy((json_t *)(uintptr_t)args);
	struct node_spec spec = { 0 };
	struct keyvalue list;
	bool ok;

	/* What is to stand behind it comes by blockdev-snapshot. */
	if (detached)
		json_object_del(known, "backing");
	if (!keyvalue_from_json(&list, known, error))
		return NULL;
	spec.open.detached = detached;
	ok = node_spec_take(&spec, &list, error) && keyvalue_done(&list, node_spec_keys, error);
	if (ok && !spec.open.node_name)
		ok = error_set(error, SOCLE_ERROR_USAGE, "Parameter 'node-name' is missing");
	spec.format_given = true; /* a driver is what the format is */
	ok = ok && node_add(opaque, &spec, false, error);
	keyvalue_release(&list);
	return ok ? json_object() : NULL;
}

json_t *run_blockdev_del(void *opaque, const json_t *args, GError **error)
{
	const char *name = json_string_value(json_object_get(args, "node-name"));

	return node_remove(opaque, name, error) ? json_object() : NULL;
}

/* The disk that a command means by "id" (or "device"), or by "node-name". */
static struct vmm_device *find_disk(struct vmm *vmm, const json_t *args, GError **error)
{
	static const char *const keys[] = { "id", "device", "node-name" };
	struct vmm_device *device = NULL;
	const char *name = "";

	for (unsigned i = 0; i < ARRAY_SIZE(keys) && !device; i++) {
		const char *text = json_string_value(json_object_get(args, keys[i]));

		if (!text || !*text)
			continue;
		name = text;
		if (g_str_has_prefix(text, "/machine/peripheral/"))
			text += strlen("/machine/peripheral/");
		device = device_find_kind(vmm, DEVICE_DISK, text);
	}
	if (device)
		return device;
	error_set(error, SOCLE_ERROR_NOT_FOUND, "Device '%s' not found", name);
	return NULL;
}

/* The node that a command means, by itself or by its disk, which may be NULL. */
static struct vmm_node *find_node(struct vmm *vmm, const json_t *args, struct vmm_device **ret_disk,
				  GError **error)
{
	const char *name = json_string_value(json_object_get(args, "node-name"));
	struct vmm_node *node;

	if (name) {
		node = node_find(vmm, name, error);
		*ret_disk = node ? node_disk(vmm, node) : NULL;
		return node;
	}
	*ret_disk = find_disk(vmm, args, error);
	return *ret_disk ? (*ret_disk)->node : NULL;
}

/* An image that becomes smaller under a disk. */
struct shrink {
	struct vmm_node *node;
	uint64_t size;
	struct qmp_request *request;
};

static void on_shrunk(void *opaque)
{
	g_autofree struct shrink *shrink = opaque;
	g_autoptr(GError) error = NULL;
	bool ok = block_resize(shrink->node->block, shrink->size, &error);

	shrink->node->shrinking = false;
	qmp_request_answer(shrink->request, ok ? json_object() : NULL, error);
}

/* False: @error says why it cannot be; true: the answer follows, or *ret_now. */
static bool resize(struct vmm_node *node, struct vmm_device *disk, uint64_t size,
		   struct qmp_request *request, bool *ret_now, GError **error)
{
	struct block_info info;
	struct shrink *shrink;

	if (!node->block)
		return error_set(error, SOCLE_ERROR_BUSY,
				 "Node '%s' is busy: it stands behind another", node->name);
	if (!node_is_free(node, error))
		return false;
	if (!block_resize_check(node->block, size, error))
		return false;
	block_info(node->block, &info);
	*ret_now = !disk || info.fixed_size || size >= info.size;
	if (*ret_now) {
		if (!block_resize(node->block, size, error))
			return false;
		if (disk)
			virtio_blk_resized(disk->virtio);
		return true;
	}
	shrink = g_new(struct shrink, 1);
	*shrink = (struct shrink){ node, size, request };
	node->shrinking = true;
	(void)virtio_blk_shrink(disk->virtio, size, on_shrunk, shrink);
	return true;
}

void start_block_resize(void *opaque, const json_t *args, struct qmp_request *request)
{
	json_int_t size = json_integer_value(json_object_get(args, "size"));
	struct vmm_device *disk = NULL;
	g_autoptr(GError) error = NULL;
	struct vmm_node *node = find_node(opaque, args, &disk, &error);
	bool now = false, ok = node;

	if (ok && size < 0)
		ok = error_set(&error, SOCLE_ERROR_USAGE, "Parameter 'size' expects a >0 size");
	ok = ok && resize(node, disk, (uint64_t)size, request, &now, &error);
	if (!ok || now)
		qmp_request_answer(request, ok ? json_object() : NULL, error);
}

/* ---- thresholds ---- */

/* An image that became another one, or got a keeper, has it as well. */
static bool look_at_threshold(struct vmm *vmm, struct vmm_node *node)
{
	uint64_t beyond;

	if (!node->threshold || !node->block)
		return node->threshold;
	beyond = block_beyond_threshold(node->block);
	if (!beyond) {
		if (block_threshold(node->block) != node->threshold)
			block_set_threshold(node->block, node->threshold);
		return true;
	}
	qmp_server_event(vmm->monitor, "BLOCK_WRITE_THRESHOLD",
			 json_pack("{s:s,s:s*,s:I,s:I}", "node-name", node->name, "device",
				   node->user, "amount-exceeded", (json_int_t)beyond,
				   "write-threshold", (json_int_t)node->threshold));
	node->threshold = 0;
	return false;
}

static gboolean look_at_thresholds(gpointer opaque)
{
	struct vmm *vmm = opaque;
	bool any = false;

	for (unsigned i = 0; i < vmm->nodes->len; i++)
		any |= look_at_threshold(vmm, vmm->nodes->pdata[i]);
	if (!any)
		vmm->threshold_timer = 0;
	return any;
}

json_t *run_block_set_write_threshold(void *opaque, const json_t *args, GError **error)
{
	enum {
		LOOK_MS = 100
	};
	struct vmm *vmm = opaque;
	json_int_t off = json_integer_value(json_object_get(args, "write-threshold"));
	struct vmm_device *disk = NULL;
	struct vmm_node *node = find_node(vmm, args, &disk, error);

	if (!node)
		return NULL;
	if (off < 0 || !node->block) {
		error_set(error, SOCLE_ERROR_USAGE,
			  off < 0 ? "Parameter 'write-threshold' expects a number of bytes"
				  : "nobody writes to the node: it stands behind another");
		return NULL;
	}
	node->threshold = (uint64_t)off;
	block_set_threshold(node->block, node->threshold);
	if (off && !vmm->threshold_timer)
		vmm->threshold_timer = g_timeout_add(LOOK_MS, look_at_thresholds, vmm);
	return json_object();
}

json_t *run_block_set_io_throttle(void *opaque, const json_t *args, GError **error)
{
	struct disk_limits limits = { 0 };
	struct vmm_device *disk = find_disk(opaque, args, error);
	struct keyvalue list;
	bool ok;

	if (!disk || !keyvalue_from_json(&list, args, error))
		return NULL;
	(void)keyvalue_take(&list, "id");
	(void)keyvalue_take(&list, "device");
	(void)keyvalue_take(&list, "group");
	ok = disk_limits_take(&limits, &list, error) &&
	     keyvalue_done(&list,
			   "id, bps, bps_rd, bps_wr, iops, iops_rd, iops_wr, each with _max "
			   "and _max_length, iops_size",
			   error);
	if (ok)
		virtio_blk_set_limits(disk->virtio, &limits);
	keyvalue_release(&list);
	return ok ? json_object() : NULL;
}
