/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * disk-spec.c - what a user says of an image and of a disk
 */
#include <string.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "block/remote/url.h"
#include "vmm/spec-int.h"

static const char *const policy_names[] = {
	[DISK_ERROR_REPORT] = "report",
	[DISK_ERROR_STOP] = "stop",
	[DISK_ERROR_IGNORE] = "ignore",
	[DISK_ERROR_ENOSPC] = "enospc",
	NULL,
};

static const char *const discard_names[] = {
	[BLOCK_DISCARD_UNMAP] = "unmap",
	[BLOCK_DISCARD_IGNORE] = "ignore",
	NULL,
};

/* By enum disk_limit_kind. */
static const char *const limit_names[] = {
	[DISK_LIMIT_BPS] = "bps",         [DISK_LIMIT_BPS_RD] = "bps_rd",
	[DISK_LIMIT_BPS_WR] = "bps_wr",   [DISK_LIMIT_IOPS] = "iops",
	[DISK_LIMIT_IOPS_RD] = "iops_rd", [DISK_LIMIT_IOPS_WR] = "iops_wr",
};

const char node_spec_keys[] =
	"path, format, readonly, cache, discard, shared, backing, snapshot, size, node-name, "
	"encrypt.key-secret, backing.encrypt.key-secret, user, password-secret, initiator-name";

/* "encrypt.key-secret", with a "backing." in front for each image that is before it. */
static bool take_secrets(struct node_spec *spec, struct keyvalue *list, GError **error)
{
	g_autoptr(GString) key = g_string_new("encrypt.key-secret");
	const char *format = keyvalue_take(list, "encrypt.format");

	if (format && strcmp(format, "luks") != 0 && strcmp(format, "aes") != 0)
		return error_set(error, SOCLE_ERROR_USAGE,
				 "encrypt.format is luks or aes, not '%s'", format);
	for (unsigned i = 0; i < NODE_MAX_SECRETS; i++) {
		spec->secret_ids[i] = keyvalue_take(list, key->str);
		g_string_prepend(key, "backing.");
	}
	return true;
}

/* A key of the file below a format, or of an image that is one itself; g_free() it. */
static char *key_below(bool below, const char *key)
{
	return g_strconcat(below ? "file." : "", key, NULL);
}

static const char *take_below(struct keyvalue *list, bool below, const char *key)
{
	g_autofree char *name = key_below(below, key);

	return keyvalue_take(list, name);
}

/* "server.0.host", "server.0.port" ...: as a URL has them. NULL: @error says what is wrong. */
static char *take_monitors(struct keyvalue *list, bool below, GError **error)
{
	g_autoptr(GString) text = g_string_new(NULL);

	for (unsigned i = 0;; i++) {
		g_autofree char *server = g_strdup_printf("server.%u.host", i);
		const char *host = take_below(list, below, server);
		g_autofree char *port_key = NULL;
		unsigned port = 0;

		if (!host)
			return g_strdup(text->str);
		g_free(server);
		server = g_strdup_printf("server.%u.port", i);
		port_key = key_below(below, server);
		if (!keyvalue_take_unsigned(list, port_key, 1, 65535, &port, error))
			return NULL;
		remote_url_add_host(text, host, port);
	}
}

/* What has to be there. */
static bool take_needed(struct keyvalue *list, bool below, const char *key, const char **ret,
			GError **error)
{
	*ret = take_below(list, below, key);
	return *ret || error_set(error, SOCLE_ERROR_USAGE, "Parameter '%s' is missing", key);
}

static bool take_iscsi(struct keyvalue *list, bool below, GError **error)
{
	const char *portal = take_below(list, below, "portal");
	const char *transport = take_below(list, below, "transport");
	g_autofree char *lun_key = key_below(below, "lun"), *text = NULL;
	struct remote_url url = { .kind = REMOTE_ISCSI,
				  .host = (char *)(uintptr_t)(portal ? portal : "") };
	const char *target;

	if (transport && strcmp(transport, "tcp") != 0)
		return error_set(error, SOCLE_ERROR_UNSUPPORTED,
				 "targets are reached by TCP, not by '%s'; give transport=tcp",
				 transport);
	if (!take_needed(list, below, "target", &target, error) ||
	    !keyvalue_take_unsigned(list, lun_key, 0, REMOTE_LUN_MAX, &url.lun, error))
		return false;
	url.name = (char *)(uintptr_t)target;
	text = remote_url_format(&url);
	return keyvalue_add(list, "path", text, error);
}

static bool take_rbd(struct keyvalue *list, bool below, GError **error)
{
	const char *space = take_below(list, below, "namespace"), *pool, *image;
	g_autofree char *monitors = take_monitors(list, below, error), *text = NULL;
	struct remote_url url = { .kind = REMOTE_RBD,
				  .host = monitors,
				  .space = (char *)(uintptr_t)space };

	if (!monitors || !take_needed(list, below, "pool", &pool, error) ||
	    !take_needed(list, below, "image", &image, error))
		return false;
	url.name = (char *)(uintptr_t)pool;
	url.image = (char *)(uintptr_t)image;
	text = remote_url_format(&url);
	return keyvalue_add(list, "path", text, error);
}

/* QEMU's drivers iscsi and rbd have a key for each part of the URL that they become here, as "path". */
static bool take_qemu_remote(struct keyvalue *list, bool below, const char *driver, GError **error)
{
	return (!strcmp(driver, "iscsi") ? take_iscsi : take_rbd)(list, below, error);
}

static void take_login(struct node_spec *spec, struct keyvalue *list)
{
	static const char *const secrets[] = { "password-secret", "file.password-secret",
					       "key-secret", "file.key-secret" };
	const char *below = keyvalue_take(list, "file.user");
	const char *initiator = keyvalue_take(list, "file.initiator-name");

	spec->user = keyvalue_take(list, "user");
	spec->initiator = keyvalue_take(list, "initiator-name");
	if (below)
		spec->user = below;
	if (initiator)
		spec->initiator = initiator;
	for (size_t i = 0; i < ARRAY_SIZE(secrets); i++) {
		const char *id = keyvalue_take(list, secrets[i]);

		if (id)
			spec->password_id = id;
	}
}

static bool is_remote_driver(const char *driver)
{
	return driver && (!strcmp(driver, "iscsi") || !strcmp(driver, "rbd"));
}

/* blockdev-add's way to say it: "driver" above "file.driver" and "file.filename". */
static bool take_qemu_node(struct node_spec *spec, struct keyvalue *list, GError **error)
{
	const char *driver = keyvalue_take(list, "driver");
	const char *protocol = keyvalue_take(list, "file.driver");
	const char *filename = keyvalue_take(list, "file.filename");
	bool no_flush = false, unused = false;

	if (driver && (!strcmp(driver, "file") || !strcmp(driver, "host_device"))) {
		driver = "raw";
		filename = keyvalue_take(list, "filename");
	}
	if (is_remote_driver(driver)) {
		if (!take_qemu_remote(list, false, driver, error))
			return false;
		driver = "raw";
	} else if (is_remote_driver(protocol)) {
		if (!take_qemu_remote(list, true, protocol, error))
			return false;
	} else if (protocol && strcmp(protocol, "file") != 0 &&
		   strcmp(protocol, "host_device") != 0) {
		return error_set(error, SOCLE_ERROR_UNSUPPORTED,
				 "there is no driver '%s' for files; give file, host_device, iscsi "
				 "or rbd",
				 protocol);
	}
	if (driver) {
		spec->open.format =
			!strcmp(driver, "null-co") || !strcmp(driver, "null-aio") ? "null" : driver;
		spec->format_given = true;
	}
	if (filename)
		spec->open.path = filename;
	/* auto-read-only and locking are ours anyway. */
	(void)keyvalue_take(list, "locking");
	(void)keyvalue_take(list, "file.locking");
	(void)keyvalue_take(list, "file.aio");
	(void)keyvalue_take(list, "aio");
	return keyvalue_take_bool(list, "read-only", &spec->open.read_only, error) &&
	       keyvalue_take_bool(list, "auto-read-only", &unused, error) &&
	       keyvalue_take_bool(list, "file.auto-read-only", &unused, error) &&
	       keyvalue_take_bool(list, "cache.direct", &spec->open.direct, error) &&
	       keyvalue_take_bool(list, "file.cache.direct", &spec->open.direct, error) &&
	       keyvalue_take_bool(list, "cache.no-flush", &no_flush, error) &&
	       keyvalue_take_bool(list, "file.cache.no-flush", &no_flush, error) &&
	       (spec->open.no_flush |= no_flush, true);
}

bool node_spec_take(struct node_spec *spec, struct keyvalue *list, GError **error)
{
	static const char *const caches[] = { "writeback", "none",       "writethrough",
					      "unsafe",    "directsync", NULL };
	const char *format;
	unsigned cache = 0, discard = spec->open.discard;

	if (!take_qemu_node(spec, list, error) || !take_secrets(spec, list, error))
		return false;
	take_login(spec, list);
	format = keyvalue_take(list, "format");
	if (format) {
		spec->open.format = format;
		spec->format_given = true;
	}
	if (keyvalue_get(list, "path"))
		spec->open.path = keyvalue_take(list, "path");
	spec->open.node_name = keyvalue_take(list, "node-name");
	if (!keyvalue_take_bool(list, "readonly", &spec->open.read_only, error) ||
	    !keyvalue_take_bool(list, "shared", &spec->open.shared, error) ||
	    !keyvalue_take_bool(list, "backing", &spec->open.backing, error) ||
	    !keyvalue_take_bool(list, "snapshot", &spec->open.snapshot, error) ||
	    !keyvalue_take_size(list, "size", &spec->open.null_size, error) ||
	    !keyvalue_take_choice(list, "discard", discard_names, &discard, error) ||
	    !keyvalue_take_choice(list, "cache", caches, &cache, error))
		return false;
	spec->open.discard = (enum block_discard)discard;
	spec->open.direct |= cache == 1 || cache == 4;
	spec->open.no_flush |= cache == 3;
	if (!spec->open.format)
		spec->open.format = "raw";
	if (!strcmp(spec->open.format, "null") ? !spec->open.null_size
					       : !spec->open.path || !*spec->open.path)
		return error_set(error, SOCLE_ERROR_USAGE,
				 "there is no image; give path=FILE, or format=null,size=SIZE");
	if ((spec->user || spec->initiator || spec->password_id) && !remote_url_is(spec->open.path))
		return error_set(
			error, SOCLE_ERROR_USAGE,
			"user, password-secret and initiator-name are for images of other "
			"hosts; leave them out, or give path=iscsi://... or path=rbd://...");
	return true;
}

bool disk_limits_take(struct disk_limits *limits, struct keyvalue *list, GError **error)
{
	for (unsigned i = 0; i < DISK_LIMIT_COUNT; i++) {
		g_autofree char *max = g_strconcat(limit_names[i], "_max", NULL);
		g_autofree char *length = g_strconcat(limit_names[i], "_max_length", NULL);

		if (!keyvalue_take_size(list, limit_names[i], &limits->limit[i].avg, error) ||
		    !keyvalue_take_size(list, max, &limits->limit[i].max, error) ||
		    !keyvalue_take_uint(list, length, 1, 1u << 20, &limits->limit[i].max_length,
					error))
			return false;
	}
	return keyvalue_take_size(list, "iops_size", &limits->iops_size, error) &&
	       disk_limits_check(limits, error);
}

enum {
	BOOT_INDEX_MAX = 65535
};

bool boot_index_take(struct device_spec *spec, struct keyvalue *list, GError **error)
{
	unsigned index = 0;

	if (!keyvalue_get(list, "bootindex"))
		return true;
	if (!keyvalue_take_unsigned(list, "bootindex", 0, BOOT_INDEX_MAX, &index, error))
		return false;
	spec->boot_index = index + 1;
	return true;
}

bool cdrom_spec_take(struct device_spec *spec, struct keyvalue *list, GError **error)
{
	spec->backend = keyvalue_take(list, "drive");
	return boot_index_take(spec, list, error);
}

bool disk_spec_take(struct device_spec *spec, struct keyvalue *list, GError **error)
{
	struct virtio_blk_config *disk = &spec->disk;
	unsigned read_error = DISK_ERROR_REPORT, write_error = DISK_ERROR_ENOSPC;
	bool write_cache = true, discard = true, packed = true;
	const char *cache = keyvalue_get(list, "cache");
	uint64_t block = 0;

	spec->backend = keyvalue_take(list, "drive");
	disk->serial = keyvalue_take(list, "serial");
	if (cache)
		write_cache =
			strcmp(cache, "writethrough") != 0 && strcmp(cache, "directsync") != 0;
	if (!keyvalue_take_choice(list, "rerror", policy_names, &read_error, error) ||
	    !keyvalue_take_choice(list, "werror", policy_names, &write_error, error) ||
	    !keyvalue_take_unsigned(list, "queues", 1, VIRTIO_MAX_QUEUES, &disk->queues, error) ||
	    !keyvalue_take_unsigned(list, "num-queues", 1, VIRTIO_MAX_QUEUES, &disk->queues,
				    error) ||
	    !keyvalue_take_unsigned(list, "queue-size", 2, VIRTQ_MAX_SIZE, &disk->queue_size,
				    error) ||
	    !keyvalue_take_bool(list, "write-cache", &write_cache, error) ||
	    !keyvalue_take_bool(list, "discard-requests", &discard, error) ||
	    !keyvalue_take_bool(list, "packed", &packed, error) ||
	    !keyvalue_take_uint(list, "logical_block_size", 512, 4096, &block, error) ||
	    !boot_index_take(spec, list, error) || !disk_limits_take(&disk->limits, list, error))
		return false;
	if (disk->serial && strlen(disk->serial) > 20)
		return error_set(error, SOCLE_ERROR_LIMIT,
				 "the serial number '%s' is longer than 20 bytes, which is all "
				 "that a guest can read",
				 disk->serial);
	if (disk->queue_size & (disk->queue_size - 1))
		return error_set(error, SOCLE_ERROR_USAGE,
				 "queue-size=%u is no power of two; give 256 or the like",
				 disk->queue_size);
	if (block && block != 512 && block != 4096)
		return error_set(error, SOCLE_ERROR_USAGE, "logical_block_size is 512 or 4096");
	disk->logical_block = (uint32_t)block;
	disk->read_error = (enum disk_error_policy)read_error;
	disk->write_error = (enum disk_error_policy)write_error;
	disk->no_write_cache = !write_cache;
	disk->no_discard = !discard;
	disk->packed_off = !packed;
	return true;
}
