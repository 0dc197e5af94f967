/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * commands-medium.c - QMP: trays of CD drives, and what lies in them
 *
 * A medium is exchanged while the tray is open, when the last read of the old one is over; until then
 * neither image can be taken away. A tray that the guest has locked opens by force, or by the guest,
 * which is asked to.
 */
#include <string.h>

#include "base/error.h"
#include "block/block.h"
#include "dev/virtio-scsi.h"
#include "monitor/qmp-server.h"
#include "vmm/backends.h"
#include "vmm/commands-int.h"
#include "vmm/device-events.h"
#include "vmm/devices.h"
#include "vmm/nodes.h"
#include "vmm/vmm-int.h"

#define PERIPHERAL "/machine/peripheral/"

void on_tray_moved(void *opaque, bool open)
{
	struct vmm_device *drive = opaque;

	qmp_server_event(
		drive->vmm->monitor, "DEVICE_TRAY_MOVED",
		json_pack("{s:s,s:s,s:b}", "device", "", "id", drive->id, "tray-open", (int)open));
}

static void move_tray(struct vmm_device *drive, bool open)
{
	struct virtio_scsi_tray tray;

	virtio_scsi_tray(drive->virtio, &tray);
	if (tray.open == open)
		return;
	virtio_scsi_set_tray(drive->virtio, open);
	on_tray_moved(drive, open);
}

/* The drive that a command means by "id" or "device". */
static struct vmm_device *find_drive(struct vmm *vmm, const json_t *args, GError **error)
{
	const char *id = json_string_value(json_object_get(args, "id"));
	const char *name = id ? id : json_string_value(json_object_get(args, "device"));
	struct vmm_device *drive;

	if (!name) {
		error_set(error, SOCLE_ERROR_USAGE, "Parameter 'id' is missing");
		return NULL;
	}
	if (g_str_has_prefix(name, PERIPHERAL))
		name += strlen(PERIPHERAL);
	drive = device_find_kind(vmm, DEVICE_CDROM, name);
	if (drive)
		return drive;
	if (device_find(vmm, name))
		error_set(error, SOCLE_ERROR_STATE, "Device '%s' is not removable", name);
	else
		error_set(error, SOCLE_ERROR_NOT_FOUND, "Device '%s' not found", name);
	return NULL;
}

static bool open_tray(struct vmm_device *drive, const json_t *args, GError **error)
{
	struct virtio_scsi_tray tray;

	virtio_scsi_tray(drive->virtio, &tray);
	if (tray.locked && !json_is_true(json_object_get(args, "force"))) {
		virtio_scsi_request_eject(drive->virtio);
		return error_set(error, SOCLE_ERROR_BUSY,
				 "Device '%s' is locked and force was not specified, wait for tray "
				 "to open and try again",
				 drive->id);
	}
	move_tray(drive, true);
	return true;
}

/* ---- another medium ---- */

struct change {
	struct vmm_device *drive;
	struct vmm_node *next; /* or NULL */
	bool close;            /* the tray, when it is in */
	struct qmp_request *request;
};

static void on_changed(void *opaque, bool done)
{
	g_autofree struct change *change = opaque;
	struct vmm_device *drive = change->drive;
	struct vmm_node *old = drive->node, *next = change->next;
	g_autoptr(GError) error = NULL;

	if (old)
		old->changing = false;
	if (next)
		next->changing = false;
	if (done) {
		drive->node = next;
		if (old)
			node_unused(drive->vmm, old);
		if (change->close)
			move_tray(drive, false);
	} else {
		if (next)
			node_unused(drive->vmm, next);
		error_set(&error, SOCLE_ERROR_FAILED, "Device '%s' has been unplugged", drive->id);
	}
	qmp_request_answer(change->request, done ? json_object() : NULL, error);
}

static bool change_begin(struct vmm_device *drive, struct vmm_node *next, bool close,
			 struct qmp_request *request, GError **error)
{
	struct change *change;

	if (drive->node && !node_is_free(drive->node, error))
		return false;
	change = g_new(struct change, 1);
	*change = (struct change){ drive, next, close, request };
	if (!virtio_scsi_change(drive->virtio, next ? next->block : NULL, on_changed, change,
				error)) {
		g_free(change);
		g_prefix_error(error, "Device '%s': ", drive->id);
		return false;
	}
	if (drive->node)
		drive->node->changing = true;
	if (next) {
		next->user = g_strdup(drive->id);
		next->changing = true;
	}
	return true;
}

/* May it be the medium of a drive? */
static bool check_medium(const struct vmm_node *node, GError **error)
{
	struct block_info info;

	if (node->user)
		return error_set(error, SOCLE_ERROR_BUSY, "node '%s' is in use by device '%s'",
				 node->name, node->user);
	if (!node_may_change(node, error))
		return false;
	block_info(node->block, &info);
	if (!info.read_only)
		return error_set(error, SOCLE_ERROR_USAGE,
				 "node '%s' can be written, which a CD cannot: open it read-only",
				 node->name);
	return true;
}

/* What was named by file; its node goes when it is taken out. */
static struct vmm_node *open_medium(struct vmm *vmm, const json_t *args, GError **error)
{
	const char *format = json_string_value(json_object_get(args, "format"));
	const char *mode = json_string_value(json_object_get(args, "read-only-mode"));
	const struct node_spec spec = { .open = { .path = json_string_value(
							  json_object_get(args, "filename")),
						  .format = format ? format : "raw",
						  .read_only = true,
						  .backing = format },
					.format_given = format };

	if (mode && strcmp(mode, "retain") != 0 && strcmp(mode, "read-only") != 0) {
		error_set(error, SOCLE_ERROR_USAGE,
			  "a CD cannot be written: read-only-mode is retain or read-only, not '%s'",
			  mode);
		return NULL;
	}
	return node_add(vmm, &spec, true, error);
}

/* ---- commands ---- */

json_t *run_blockdev_open_tray(void *opaque, const json_t *args, GError **error)
{
	struct vmm_device *drive = find_drive(opaque, args, error);

	return drive && open_tray(drive, args, error) ? json_object() : NULL;
}

json_t *run_blockdev_close_tray(void *opaque, const json_t *args, GError **error)
{
	struct vmm_device *drive = find_drive(opaque, args, error);

	if (!drive)
		return NULL;
	move_tray(drive, false);
	return json_object();
}

static void refuse(struct qmp_request *request, const GError *error)
{
	qmp_request_answer(request, NULL, error);
}

void start_blockdev_remove_medium(void *opaque, const json_t *args, struct qmp_request *request)
{
	g_autoptr(GError) error = NULL;
	struct vmm_device *drive = find_drive(opaque, args, &error);

	if (!drive || !change_begin(drive, NULL, false, request, &error))
		refuse(request, error);
}

void start_blockdev_insert_medium(void *opaque, const json_t *args, struct qmp_request *request)
{
	g_autoptr(GError) error = NULL;
	struct vmm_device *drive = find_drive(opaque, args, &error);
	struct vmm_node *node = NULL;

	if (drive && drive->node)
		error_set(&error, SOCLE_ERROR_EXISTS, "Device '%s' already has a medium",
			  drive->id);
	else if (drive)
		node = node_find(opaque, json_string_value(json_object_get(args, "node-name")),
				 &error);
	if (!node || !check_medium(node, &error) ||
	    !change_begin(drive, node, false, request, &error))
		refuse(request, error);
}

void start_eject(void *opaque, const json_t *args, struct qmp_request *request)
{
	g_autoptr(GError) error = NULL;
	struct vmm_device *drive = find_drive(opaque, args, &error);

	if (!drive || !open_tray(drive, args, &error) ||
	    !change_begin(drive, NULL, false, request, &error))
		refuse(request, error);
}

void start_blockdev_change_medium(void *opaque, const json_t *args, struct qmp_request *request)
{
	g_autoptr(GError) error = NULL;
	struct vmm_device *drive = find_drive(opaque, args, &error);
	struct vmm_node *node = drive ? open_medium(opaque, args, &error) : NULL;

	if (node && open_tray(drive, args, &error) &&
	    change_begin(drive, node, true, request, &error))
		return;
	if (node)
		node_drop(opaque, node);
	refuse(request, error);
}
