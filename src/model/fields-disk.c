/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fields-disk.c - where the members of disks, and what all devices share, stand in XML
 */
#include "model/device.h"
#include "model/fields-int.h"

static const char *const address_type_names[] = {
	NULL, "pci", "drive", "virtio-serial", "usb", "isa", "ccid", "virtio-mmio", NULL,
};
static_assert(ARRAY_SIZE(address_type_names) == ADDRESS_COUNT + 1, "a name for each, and NULL");

const char *const disk_type_names[] = {
	NULL, "file", "block", "dir", "network", "volume", "nvme", "vhostuser", "vhostvdpa", NULL,
};
static_assert(ARRAY_SIZE(disk_type_names) == DISK_TYPE_COUNT + 1, "a name for each, and NULL");

const char *const disk_device_names[] = { NULL, "disk", "cdrom", "floppy", "lun", NULL };
static_assert(ARRAY_SIZE(disk_device_names) == DISK_DEVICE_COUNT + 1, "a name for each, and NULL");

const char *const disk_bus_names[] = {
	NULL, "virtio", "ide", "sata", "scsi", "usb", "fdc", "xen", "sd", "uml", NULL,
};
static_assert(ARRAY_SIZE(disk_bus_names) == BUS_COUNT + 1, "a name for each, and NULL");

static const char *const cache_names[] = {
	NULL, "default", "none", "writethrough", "writeback", "directsync", "unsafe", NULL,
};
static_assert(ARRAY_SIZE(cache_names) == CACHE_COUNT + 1, "a name for each, and NULL");

static const char *const io_names[] = { NULL, "threads", "native", "io_uring", NULL };
static_assert(ARRAY_SIZE(io_names) == IO_COUNT + 1, "a name for each, and NULL");

static const char *const errors_names[] = { NULL, "stop", "report", "ignore", "enospace", NULL };
static_assert(ARRAY_SIZE(errors_names) == ERRORS_COUNT + 1, "a name for each, and NULL");

static const char *const discard_names[] = { NULL, "unmap", "ignore", NULL };
static_assert(ARRAY_SIZE(discard_names) == DISCARD_COUNT + 1, "a name for each, and NULL");

static const char *const startup_names[] = { NULL, "mandatory", "requisite", "optional", NULL };
static_assert(ARRAY_SIZE(startup_names) == STARTUP_COUNT + 1, "a name for each, and NULL");

/* A bus of PCI is written in hex, one of drives is not. */
static bool is_pci(const void *rec)
{
	return ((const struct device_address *)rec)->type == ADDRESS_PCI;
}

#define T device_address
static const struct field address_fields[] = {
	F_ENUM("@type", type, address_type_names),
	F_HEX("@domain", domain, 0xffffffff, 4, NULL),
	F_NUM("@controller", controller, 0, UINT32_MAX),
	F_HEX("@bus", bus, 0xff, 2, is_pci),
	F_HEX("@slot", slot, 0x1f, 2, NULL),
	F_HEX("@function", function, 7, 1, NULL),
	F_ENUM("@multifunction", multifunction, on_off_names),
	F_NUM("@target", target, 0, UINT32_MAX),
	F_NUM("@unit", unit, 0, UINT32_MAX),
	F_TEXT("@port", port),
	F_HEX("@iobase", iobase, 0xffff, 1, NULL),
	F_HEX("@irq", irq, 0xff, 1, NULL),
};
#undef T
const struct record address_record = RECORD(device_address, address_fields);

#define T device_alias
static const struct field alias_fields[] = { F_TEXT("@name", name) };
#undef T
const struct record alias_record = RECORD(device_alias, alias_fields);

#define T device_boot
static const struct field boot_fields[] = {
	F_NUM("@order", order, 1, 9999),
	F_TEXT("@loadparm", loadparm),
};
#undef T
const struct record boot_record = RECORD(device_boot, boot_fields);

#define T disk_driver
static const struct field driver_fields[] = {
	F_TEXT("@name", name),
	F_TEXT("@type", type),
	F_ENUM("@cache", cache, cache_names),
	F_ENUM("@error_policy", error_policy, errors_names),
	F_ENUM("@rerror_policy", rerror_policy, errors_names),
	F_ENUM("@io", io, io_names),
	F_ENUM("@ioeventfd", ioeventfd, on_off_names),
	F_ENUM("@event_idx", event_idx, on_off_names),
	F_ENUM("@copy_on_read", copy_on_read, on_off_names),
	F_ENUM("@discard", discard, discard_names),
	F_ENUM("@discard_no_unref", discard_no_unref, on_off_names),
	F_TEXT("@detect_zeroes", detect_zeroes),
	F_NUM("@iothread", iothread, 1, UINT32_MAX),
	F_NUM("@queues", queues, 1, 1024),
	F_NUM("@queue_size", queue_size, 1, 32768),
	F_ENUM("@iommu", iommu, on_off_names),
	F_ENUM("@ats", ats, on_off_names),
	F_ENUM("@packed", packed, on_off_names),
	F_ENUM("@page_per_vq", page_per_vq, on_off_names),
	F_KEEP("iothreads", kept_iothreads),
	F_KEEP("metadata_cache", kept_metadata_cache),
};
#undef T
static const struct record driver_record = RECORD(disk_driver, driver_fields);

enum {
	DISK_HOSTS_MAX = 64 /* monitors of a cluster */
};

#define T disk_host
static const struct field disk_host_fields[] = {
	F_TEXT("@name", name),
	F_NUM("@port", port, 0, 65535),
	F_TEXT("@transport", transport),
	F_TEXT("@socket", socket),
};
#undef T
static const struct record disk_host_record = RECORD(disk_host, disk_host_fields);

#define T disk_iqn
static const struct field disk_iqn_fields[] = { F_TEXT("@name", name) };
#undef T
static const struct record disk_iqn_record = RECORD(disk_iqn, disk_iqn_fields);

#define T disk_initiator
static const struct field disk_initiator_fields[] = { F_STRUCT("iqn", iqn, disk_iqn_record) };
#undef T
static const struct record disk_initiator_record = RECORD(disk_initiator, disk_initiator_fields);

#define T disk_source
static const struct field source_fields[] = {
	F_TEXT("@file", file),
	F_TEXT("@dev", dev),
	F_TEXT("@dir", dir),
	F_TEXT("@protocol", protocol),
	F_TEXT("@name", name),
	F_TEXT("@pool", pool),
	F_TEXT("@volume", volume),
	F_TEXT("@mode", mode),
	F_TEXT("@type", type),
	F_TEXT("@path", path),
	F_TEXT("@tls", tls),
	F_TEXT("@query", query),
	F_ENUM("@startupPolicy", startup_policy, startup_names),
	F_NUM("@index", index, 0, UINT32_MAX),
	F_LIST("host", hosts, host_count, disk_host_record, DISK_HOSTS_MAX),
	F_STRUCT("auth", auth, auth_record),
	F_KEEP("encryption", kept_encryption),
	F_KEEP("reservations", kept_reservations),
	F_KEEP("slices", kept_slices),
	F_KEEP("snapshot", kept_snapshot),
	F_KEEP("config", kept_config),
	F_STRUCT("initiator", initiator, disk_initiator_record),
	F_KEEP("ssl", kept_ssl),
	F_KEEP("cookies", kept_cookies),
	F_KEEP("seclabel", kept_seclabel),
	F_KEEP("address", kept_address),
	F_KEEP("readahead", kept_readahead),
	F_KEEP("timeout", kept_timeout),
	F_KEEP("privateData", kept_private_data),
	F_KEEP("dataStore", kept_data_store),
};
#undef T
const struct record disk_source_record = RECORD(disk_source, source_fields);

#define T disk_target
static const struct field target_fields[] = {
	F_TEXT("@dev", dev),
	F_ENUM("@bus", bus, disk_bus_names),
	F_TEXT("@tray", tray),
	F_ENUM("@removable", removable, on_off_names),
	F_NUM("@rotation_rate", rotation_rate, 1, 65534),
};
#undef T
static const struct record target_record = RECORD(disk_target, target_fields);

#define T            disk_iotune
#define F_TUNE(name) F_NUM(#name, name, 0, INT64_MAX)
static const struct field iotune_fields[] = {
	F_TUNE(total_bytes_sec),
	F_TUNE(read_bytes_sec),
	F_TUNE(write_bytes_sec),
	F_TUNE(total_iops_sec),
	F_TUNE(read_iops_sec),
	F_TUNE(write_iops_sec),
	F_TUNE(total_bytes_sec_max),
	F_TUNE(read_bytes_sec_max),
	F_TUNE(write_bytes_sec_max),
	F_TUNE(total_iops_sec_max),
	F_TUNE(read_iops_sec_max),
	F_TUNE(write_iops_sec_max),
	F_TUNE(size_iops_sec),
	F_TEXT("group_name", group_name),
	F_TUNE(total_bytes_sec_max_length),
	F_TUNE(read_bytes_sec_max_length),
	F_TUNE(write_bytes_sec_max_length),
	F_TUNE(total_iops_sec_max_length),
	F_TUNE(read_iops_sec_max_length),
	F_TUNE(write_iops_sec_max_length),
};
#undef F_TUNE
#undef T
static const struct record iotune_record = RECORD(disk_iotune, iotune_fields);

#define T disk_transient
static const struct field transient_fields[] = {
	F_SELF(set),
	F_ENUM("@shareBacking", share_backing, yes_no_names),
};
#undef T
static const struct record transient_record = RECORD(disk_transient, transient_fields);

#define T domain_disk
static const struct field disk_fields[] = {
	F_ENUM("@type", type, disk_type_names),
	F_ENUM("@device", device, disk_device_names),
	F_TEXT("@model", model),
	F_ENUM("@rawio", rawio, yes_no_names),
	F_TEXT("@sgio", sgio),
	F_TEXT("@snapshot", snapshot),
	F_STRUCT("driver", driver, driver_record),
	F_STRUCT("auth", auth, auth_record),
	F_STRUCT("source", source, disk_source_record),
	F_KEEP("backingStore", kept_backing_store),
	F_KEEP("backenddomain", kept_backenddomain),
	F_KEEP("geometry", kept_geometry),
	F_KEEP("blockio", kept_blockio),
	F_KEEP("mirror", kept_mirror),
	F_STRUCT("target", target, target_record),
	F_STRUCT("iotune", iotune, iotune_record),
	F_KEEP("throttlefilters", kept_throttlefilters),
	F_FLAG("readonly", readonly),
	F_FLAG("shareable", shareable),
	F_STRUCT("transient", transient, transient_record),
	F_TEXT("serial", serial),
	F_TEXT("wwn", wwn),
	F_TEXT("vendor", vendor),
	F_TEXT("product", product),
	F_KEEP("encryption", kept_encryption),
	F_STRUCT("boot", boot, boot_record),
	F_INFO,
};
#undef T
const struct record disk_record = RECORD(domain_disk, disk_fields);

static void set_text(char **member, const char *text)
{
	g_free(*member);
	*member = g_strdup(text);
}

void domain_disk_set_image(struct domain_disk *disk, const char *path, const char *format)
{
	set_text(disk->type == DISK_BLOCK && g_str_has_prefix(path, "/dev/") ? &disk->source.dev
									     : &disk->source.file,
		 path);
	if (disk->type == DISK_BLOCK && !g_str_has_prefix(path, "/dev/")) {
		disk->type = DISK_FILE;
		g_clear_pointer(&disk->source.dev, g_free);
	}
	set_text(&disk->driver.type, format);
	g_clear_pointer(&disk->kept_backing_store, g_free);
}

const char *disk_path(const struct domain_disk *disk)
{
	if (disk->type == DISK_BLOCK)
		return disk->source.dev;
	return disk->type == DISK_DIR ? disk->source.dir : disk->source.file;
}
