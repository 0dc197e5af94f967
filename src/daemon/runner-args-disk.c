/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * runner-args-disk.c - disks, as socle-vm's command line and as QMP
 */
#include <string.h>

#include "base/cleanup.h"
#include "block/remote/url.h"
#include "daemon/runner-args-int.h"

static const char *const cache_words[CACHE_COUNT] = {
	[CACHE_NONE] = "none",           [CACHE_WRITETHROUGH] = "writethrough",
	[CACHE_WRITEBACK] = "writeback", [CACHE_DIRECTSYNC] = "directsync",
	[CACHE_UNSAFE] = "unsafe",
};

static const char *const discard_words[DISCARD_COUNT] = {
	[DISCARD_UNMAP] = "unmap",
	[DISCARD_IGNORE] = "ignore",
};

static const char *const policy_words[ERRORS_COUNT] = {
	[ERRORS_STOP] = "stop",
	[ERRORS_REPORT] = "report",
	[ERRORS_IGNORE] = "ignore",
	[ERRORS_ENOSPACE] = "enospc",
};

/* Files that an image names are opened only for formats that name them on purpose. */
static bool has_backing(const struct domain_disk *disk)
{
	return !strcmp(disk->driver.type, "qcow2") || !strcmp(disk->driver.type, "qcow") ||
	       !strcmp(disk->driver.type, "vmdk");
}

/* "HOST:PORT,HOST": an address of IPv6 stands in brackets. */
static char *hosts_of(const struct disk_source *source)
{
	GString *text = g_string_new(NULL);

	for (unsigned i = 0; i < source->host_count; i++) {
		const struct disk_host *host = &source->hosts[i];

		remote_url_add_host(text, host->name,
				    host->port.set ? (unsigned)host->port.value : 0);
	}
	return g_string_free(text, FALSE);
}

/* Where socle-vm finds a disk of the network: the step check has looked at its parts. */
static char *url_of(const struct domain_disk *disk)
{
	const struct disk_source *source = &disk->source;
	const bool iscsi = !strcmp(source->protocol, "iscsi");
	const char *slash = strrchr(source->name, '/');
	g_autofree char *hosts = hosts_of(source);
	g_autofree char *first = slash ? g_strndup(source->name, (size_t)(slash - source->name))
				       : g_strdup(source->name);
	char *space = iscsi ? NULL : strchr(first, '/');
	struct remote_url url = { .kind = iscsi ? REMOTE_ISCSI : REMOTE_RBD,
				  .host = hosts,
				  .name = first,
				  .image = iscsi || !slash ? NULL : (char *)(uintptr_t)slash + 1 };

	if (space) {
		*space = '\0';
		url.space = space + 1;
	}
	if (iscsi && slash)
		url.lun = (unsigned)g_ascii_strtoull(slash + 1, NULL, 10);
	return remote_url_format(&url);
}

static void keys_of_place(struct keys *keys, const struct domain_disk *disk)
{
	const struct auth *auth = disk_auth(disk);
	g_autofree char *url = NULL;

	if (disk->type != DISK_NETWORK) {
		keys_add(keys, "path", disk_path(disk));
		return;
	}
	url = url_of(disk);
	keys_add(keys, "path", url);
	keys_add(keys, "initiator-name", disk->source.initiator.iqn.name);
	if (auth_is_set(auth)) {
		g_autofree char *secret = runner_disk_secret(disk);

		keys_add(keys, "user", auth->username);
		keys_add(keys, "password-secret", secret);
	}
}

char *runner_disk_secret(const struct domain_disk *disk)
{
	return g_strconcat("secret-", disk->info.alias.name, NULL);
}

void keys_of_image(struct keys *keys, const struct domain_disk *disk)
{
	keys_of_place(keys, disk);
	keys_add(keys, "format", disk->driver.type);
	keys_add(keys, "cache", cache_words[disk->driver.cache]);
	keys_add(keys, "discard", discard_words[disk->driver.discard]);
	if (has_backing(disk))
		keys_bool(keys, "backing", true);
	if (disk->readonly)
		keys_bool(keys, "readonly", true);
	if (disk->shareable)
		keys_bool(keys, "shared", true);
	if (disk->transient.set)
		keys_bool(keys, "snapshot", true);
}

void keys_of_medium(struct keys *keys, const struct domain_disk *disk)
{
	if (!disk_path(disk))
		return;
	keys_add(keys, "path", disk_path(disk));
	keys_add(keys, "format", disk->driver.type);
	if (has_backing(disk))
		keys_bool(keys, "backing", true);
}

void keys_of_limits(struct keys *keys, const struct disk_iotune *t, bool all)
{
	const struct {
		const char *key;
		const struct number *value, *max, *length;
	} limits[] = {
		{ "bps", &t->total_bytes_sec, &t->total_bytes_sec_max,
		  &t->total_bytes_sec_max_length },
		{ "bps_rd", &t->read_bytes_sec, &t->read_bytes_sec_max,
		  &t->read_bytes_sec_max_length },
		{ "bps_wr", &t->write_bytes_sec, &t->write_bytes_sec_max,
		  &t->write_bytes_sec_max_length },
		{ "iops", &t->total_iops_sec, &t->total_iops_sec_max,
		  &t->total_iops_sec_max_length },
		{ "iops_rd", &t->read_iops_sec, &t->read_iops_sec_max,
		  &t->read_iops_sec_max_length },
		{ "iops_wr", &t->write_iops_sec, &t->write_iops_sec_max,
		  &t->write_iops_sec_max_length },
	};

	for (size_t i = 0; i < ARRAY_SIZE(limits); i++) {
		g_autofree char *max = g_strconcat(limits[i].key, "_max", NULL);
		g_autofree char *length = g_strconcat(limits[i].key, "_max_length", NULL);

		if (all || limits[i].value->value > 0)
			keys_number(keys, limits[i].key, limits[i].value->value);
		if (limits[i].max->value > 0)
			keys_number(keys, max, limits[i].max->value);
		if (limits[i].max->value > 0 && limits[i].length->value > 0)
			keys_number(keys, length, limits[i].length->value);
	}
	if (t->size_iops_sec.value > 0)
		keys_number(keys, "iops_size", t->size_iops_sec.value);
}

void keys_of_disk(struct keys *keys, const struct domain_disk *disk)
{
	/* A guest can read 20 bytes of it; the step check has told. */
	g_autofree char *serial = disk->serial ? g_strndup(disk->serial, 20) : NULL;

	keys_of_info(keys, &disk->info);
	keys_add(keys, "serial", serial);
	if (disk->driver.queues.set)
		keys_number(keys, "queues", disk->driver.queues.value);
	if (disk->driver.queue_size.set)
		keys_number(keys, "queue-size", disk->driver.queue_size.value);
	if (disk->driver.packed == TRI_NO)
		keys_bool(keys, "packed", false);
	keys_add(keys, "werror", policy_words[disk->driver.error_policy]);
	/* Reads that find no space there are not: "enospace" is for writes. */
	if (disk->driver.rerror_policy != ERRORS_ENOSPACE)
		keys_add(keys, "rerror", policy_words[disk->driver.rerror_policy]);
	keys_of_limits(keys, &disk->iotune, false);
}

json_t *runner_disk_node(const struct domain_disk *disk, const char *node_name)
{
	struct keys keys = keys_object();

	keys_of_image(&keys, disk);
	/* "driver" is what blockdev-add calls a format, and wants. */
	json_object_del(keys.object, "format");
	keys_add(&keys, "driver", disk->driver.type);
	keys_add(&keys, "node-name", node_name);
	return keys.object;
}

static json_t *drive_device(const struct domain_disk *disk, const char *node_name)
{
	struct keys keys = keys_object();

	keys_add(&keys, "driver", "virtio-scsi-pci");
	keys_add(&keys, "drive", node_name);
	keys_of_info(&keys, &disk->info);
	return keys.object;
}

json_t *runner_disk_medium(const struct domain_disk *disk, bool force)
{
	struct keys keys = keys_object();

	keys_add(&keys, "id", disk->info.alias.name);
	keys_bool(&keys, "force", force);
	if (!disk_path(disk))
		return keys.object;
	keys_add(&keys, "filename", disk_path(disk));
	keys_add(&keys, "format", disk->driver.type);
	return keys.object;
}

json_t *runner_disk_device(const struct domain_disk *disk, const char *node_name)
{
	struct keys keys = keys_object();
	const bool through =
		disk->driver.cache == CACHE_WRITETHROUGH || disk->driver.cache == CACHE_DIRECTSYNC;

	if (disk->device == DISK_CDROM) {
		json_decref(keys.object);
		return drive_device(disk, node_name);
	}
	keys_add(&keys, "driver", "virtio-blk-pci");
	keys_add(&keys, "drive", node_name);
	keys_of_disk(&keys, disk);
	if (through)
		keys_bool(&keys, "write-cache", false);
	return keys.object;
}

json_t *runner_disk_limits(const struct domain_disk *disk)
{
	struct keys keys = keys_object();

	keys_add(&keys, "id", disk->info.alias.name);
	keys_of_limits(&keys, &disk->iotune, true);
	return keys.object;
}
