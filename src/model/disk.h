/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * disk.h - disks, as the XML of a domain has them
 */
#ifndef MODEL_DISK_H
#define MODEL_DISK_H

#include "model/auth.h"
#include "model/device-common.h"

enum disk_type {
	DISK_TYPE_ABSENT,
	DISK_FILE,
	DISK_BLOCK,
	DISK_DIR,
	DISK_NETWORK,
	DISK_VOLUME,
	DISK_NVME,
	DISK_VHOSTUSER,
	DISK_VHOSTVDPA,
	DISK_TYPE_COUNT
};

enum disk_device {
	DISK_DEVICE_ABSENT,
	DISK_DISK,
	DISK_CDROM,
	DISK_FLOPPY,
	DISK_LUN,
	DISK_DEVICE_COUNT
};

enum disk_bus {
	BUS_ABSENT,
	BUS_VIRTIO,
	BUS_IDE,
	BUS_SATA,
	BUS_SCSI,
	BUS_USB,
	BUS_FDC,
	BUS_XEN,
	BUS_SD,
	BUS_UML,
	BUS_COUNT
};

enum disk_cache {
	CACHE_ABSENT,
	CACHE_DEFAULT,
	CACHE_NONE,
	CACHE_WRITETHROUGH,
	CACHE_WRITEBACK,
	CACHE_DIRECTSYNC,
	CACHE_UNSAFE,
	CACHE_COUNT
};

enum disk_io {
	IO_ABSENT,
	IO_THREADS,
	IO_NATIVE,
	IO_URING,
	IO_COUNT
};

enum disk_errors {
	ERRORS_ABSENT,
	ERRORS_STOP,
	ERRORS_REPORT,
	ERRORS_IGNORE,
	ERRORS_ENOSPACE,
	ERRORS_COUNT
};

enum disk_discard {
	DISCARD_ABSENT,
	DISCARD_UNMAP,
	DISCARD_IGNORE,
	DISCARD_COUNT
};

enum startup_policy {
	STARTUP_ABSENT,
	STARTUP_MANDATORY,
	STARTUP_REQUISITE,
	STARTUP_OPTIONAL,
	STARTUP_COUNT
};

struct disk_driver {
	char *name;
	char *type;
	enum disk_cache cache;
	enum disk_errors error_policy, rerror_policy;
	enum disk_io io;
	enum tristate ioeventfd, event_idx, copy_on_read;
	enum disk_discard discard;
	char *detect_zeroes;
	struct number iothread, queues, queue_size;
	enum tristate iommu, ats, packed, page_per_vq, discard_no_unref;
	char *kept_iothreads, *kept_metadata_cache;
};

/* Where a disk of the network is. */
struct disk_host {
	char *name, *transport, *socket;
	struct number port;
};

struct disk_iqn {
	char *name;
};

struct disk_initiator {
	struct disk_iqn iqn;
};

struct disk_source {
	char *file, *dev, *dir, *protocol, *name, *pool, *volume, *mode, *tls, *query;
	char *type, *path; /* vhostuser */
	enum startup_policy startup_policy;
	struct number index; /* of a running machine */
	struct disk_host *hosts;
	unsigned host_count;
	struct auth auth;
	struct disk_initiator initiator;
	char *kept_encryption, *kept_reservations, *kept_slices, *kept_snapshot, *kept_config,
		*kept_ssl, *kept_cookies, *kept_seclabel, *kept_address, *kept_readahead,
		*kept_timeout, *kept_private_data, *kept_data_store;
};

struct disk_target {
	char *dev;
	enum disk_bus bus;
	char *tray;
	enum tristate removable;
	struct number rotation_rate;
};

struct disk_iotune {
	struct number total_bytes_sec, read_bytes_sec, write_bytes_sec;
	struct number total_iops_sec, read_iops_sec, write_iops_sec;
	struct number total_bytes_sec_max, read_bytes_sec_max, write_bytes_sec_max;
	struct number total_iops_sec_max, read_iops_sec_max, write_iops_sec_max;
	struct number total_bytes_sec_max_length, read_bytes_sec_max_length;
	struct number write_bytes_sec_max_length, total_iops_sec_max_length;
	struct number read_iops_sec_max_length, write_iops_sec_max_length;
	struct number size_iops_sec;
	char *group_name;
};

struct disk_transient {
	bool set;
	enum tristate share_backing;
};

struct domain_disk {
	enum disk_type type;
	enum disk_device device;
	char *model, *snapshot, *sgio;
	enum tristate rawio;
	struct disk_driver driver;
	struct disk_source source;
	struct disk_target target;
	struct disk_iotune iotune;
	bool readonly, shareable;
	struct disk_transient transient;
	char *serial, *wwn, *vendor, *product;
	struct device_boot boot;
	struct auth auth; /* that of the source may stand here as well */
	char *kept_encryption, *kept_backing_store, *kept_mirror, *kept_backenddomain;
	char *kept_geometry, *kept_blockio, *kept_throttlefilters;
	struct device_info info;
};

/* Who the disk's host is told that we are; without a user if it wants nobody's name. */
static inline const struct auth *disk_auth(const struct domain_disk *disk)
{
	return auth_is_set(&disk->source.auth) ? &disk->source.auth : &disk->auth;
}
/* Its host is Ceph's, and so is the secret that it names. */
static inline bool disk_is_ceph(const struct domain_disk *disk)
{
	return !g_strcmp0(disk->source.protocol, "rbd");
}
/* The image of a file, block device or directory, or NULL. */
const char *disk_path(const struct domain_disk *disk);
/* The disk goes on in another image: what was said of the old one's chain does not hold. */
void domain_disk_set_image(struct domain_disk *disk, const char *path, const char *format);

#endif
