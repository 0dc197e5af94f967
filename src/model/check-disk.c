/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * check-disk.c - the step check, of disks
 */
#include <string.h>

#include "model/check-int.h"
#include "model/fields-int.h"

enum {
	SERIAL_MAX = 20 /* of virtio-blk */
};

static bool same_target(const struct domain_disk *a, const struct domain_disk *b)
{
	return a->target.dev && b->target.dev && !strcmp(a->target.dev, b->target.dev);
}

static bool check_target(const struct check *c, const struct domain_disk *disk, unsigned index)
{
	const char *dev = disk->target.dev;

	if (!dev || !*dev)
		return wrong(c, "a disk has no name; give it a <target dev='vda'/>");
	for (const char *p = dev; *p; p++) {
		if (!g_ascii_isalnum(*p))
			return wrong(
				c,
				"disk '%.64s': its name has more than letters and digits; call "
				"it vda, vdb ...",
				dev);
	}
	for (unsigned i = 0; i < index; i++) {
		if (same_target(&c->domain->devices.disks[i], disk))
			return wrong(c, "two disks are called '%s'; give one another target dev",
				     dev);
	}
	for (unsigned i = 0; c->others && i < c->others->devices.disk_count; i++) {
		if (same_target(&c->others->devices.disks[i], disk))
			return wrong(c,
				     "the domain has a disk '%s' already; give this one another "
				     "target dev",
				     dev);
	}
	return true;
}

static bool is_empty(const struct domain_disk *disk)
{
	return !disk_path(disk) && disk->type != DISK_VOLUME && disk->type != DISK_NETWORK;
}

/* Decide what the machine has for it. */
static bool check_bus(const struct check *c, struct domain_disk *disk)
{
	const char *dev = disk->target.dev;

	disk->info.fate = FATE_HONOURED;
	if (disk->device == DISK_LUN)
		return refuse(c,
			      "disk '%s' is a LUN: SCSI commands are not passed on; give "
			      "device='disk'",
			      dev);
	if (disk->device == DISK_FLOPPY) {
		disk->info.fate = FATE_LEFT_OUT;
		notes_add(c->notes, "floppy drive '%s' is left out: the machine has none", dev);
		return true;
	}
	if (disk->device == DISK_CDROM) {
		if (disk->target.bus == BUS_SCSI)
			return true;
		disk->info.fate = FATE_MAPPED;
		notes_add(c->notes, "CD drive '%s' on bus '%s' becomes one of a SCSI controller",
			  dev, disk_bus_names[disk->target.bus]);
		return true;
	}
	if (is_empty(disk))
		return wrong(c, "disk '%s' has no image; give it a <source>", dev);
	if (disk->target.bus == BUS_VIRTIO)
		return true;
	disk->info.fate = FATE_MAPPED;
	notes_add(c->notes, "disk '%s' on bus '%s' becomes a %svirtio disk", dev,
		  disk_bus_names[disk->target.bus], disk->readonly ? "read-only " : "");
	return true;
}

/* "iqn.2026-11.org.example:disks/1", "pool/image". */
static bool check_network_name(const struct check *c, const struct domain_disk *disk, bool iscsi)
{
	const char *name = disk->source.name, *slash = name ? strrchr(name, '/') : NULL;

	if (!name || !*name || (!iscsi && (!slash || slash == name || !slash[1])))
		return wrong(c, "disk '%s': its source has no name of the form %s",
			     disk->target.dev, iscsi ? "TARGET/LUN" : "POOL/IMAGE");
	if (iscsi && slash && !g_ascii_string_to_unsigned(slash + 1, 10, 0, 16383, NULL, NULL))
		return wrong(c, "disk '%s': '%.64s' is no number of a LUN; give TARGET/LUN",
			     disk->target.dev, slash + 1);
	return true;
}

static bool check_hosts(const struct check *c, const struct domain_disk *disk, bool iscsi)
{
	const struct disk_source *source = &disk->source;

	if (iscsi && source->host_count != 1)
		return wrong(c, "disk '%s' needs one <host name='...'/>, that of its target",
			     disk->target.dev);
	for (unsigned i = 0; i < source->host_count; i++) {
		const struct disk_host *host = &source->hosts[i];

		if (!host->name || !*host->name || strpbrk(host->name, "/@,%? \t\r\n"))
			return wrong(c, "disk '%s': one of its hosts has no name, or a strange one",
				     disk->target.dev);
		if (host->socket || (host->transport && strcmp(host->transport, "tcp") != 0))
			return refuse(c,
				      "disk '%s': other hosts are reached by TCP; leave transport "
				      "and socket out",
				      disk->target.dev);
	}
	return true;
}

static bool check_network(const struct check *c, const struct domain_disk *disk)
{
	const struct disk_source *source = &disk->source;
	const struct auth *auth = disk_auth(disk);
	const bool iscsi = !g_strcmp0(source->protocol, "iscsi");
	g_autofree char *of = g_strdup_printf("disk '%s'", disk->target.dev);

	if (!iscsi && g_strcmp0(source->protocol, "rbd") != 0)
		return refuse(
			c,
			"disk '%s' is reached by '%.32s': disks of the network are reached by "
			"iscsi and rbd; give one of these, or a file",
			disk->target.dev, source->protocol ? source->protocol : "");
	if (disk->device == DISK_CDROM)
		return refuse(c,
			      "drive '%s': its medium is a file of this host; give type='file', or "
			      "device='disk'",
			      disk->target.dev);
	if (auth_is_set(auth) && auth->secret.type &&
	    strcmp(auth->secret.type, iscsi ? "iscsi" : "ceph") != 0)
		return wrong(c, "disk '%s': its secret is of type '%.32s'; give type='%s'",
			     disk->target.dev, auth->secret.type, iscsi ? "iscsi" : "ceph");
	return check_network_name(c, disk, iscsi) && check_hosts(c, disk, iscsi) &&
	       (!auth_is_set(auth) || auth_check(auth, of, c->error));
}

static bool check_image(const struct check *c, const struct domain_disk *disk)
{
	static const char *const formats[] = { "raw",  "qcow2", "qcow", "vdi",
					       "vmdk", "vpc",   "vhdx", NULL };
	const char *dev = disk->target.dev, *path = disk_path(disk);

	if (disk->device == DISK_CDROM && is_empty(disk))
		return true;
	if (disk->type == DISK_VOLUME) {
		if (!disk->source.pool || !disk->source.volume)
			return wrong(c, "disk '%s' names no pool and volume; give both in <source>",
				     dev);
		if (!c->support->pools)
			return refuse(
				c,
				"disk '%s' is a volume of a pool: there are no pools yet; give "
				"type='file' and its path",
				dev);
	} else if (disk->type == DISK_NETWORK) {
		if (!check_network(c, disk))
			return false;
	} else if (disk->type != DISK_FILE && disk->type != DISK_BLOCK) {
		return refuse(c,
			      "disk '%s' is of type '%s': images are files, block devices, volumes "
			      "and disks of iSCSI and Ceph; give one of these types",
			      dev, disk_type_names[disk->type]);
	} else if (!path || path[0] != '/') {
		return wrong(
			c, "disk '%s': its path '%.128s' does not start with '/'; give a whole one",
			dev, path ? path : "");
	}
	if (strcmp(disk->driver.name, "qemu") != 0)
		return refuse(c, "disk '%s' wants the driver '%.64s'; give name='qemu' or none",
			      dev, disk->driver.name);
	if (!is_one_of(disk->driver.type, formats))
		return refuse(
			c,
			"disk '%s' has the format '%.64s', which is not read here; convert it "
			"to qcow2 with qemu-img",
			dev, disk->driver.type);
	return true;
}

static bool check_options(const struct check *c, const struct domain_disk *disk)
{
	const char *dev = disk->target.dev;
	g_autofree char *of = g_strdup_printf("disk '%s'", dev);
	const struct disk_source *source = &disk->source;
	const struct kept kept[] = {
		{ disk->kept_encryption, "encryption",
		  "keys are not kept here; decrypt it with qemu-img convert" },
		{ source->kept_encryption, "encryption",
		  "keys are not kept here; decrypt it with qemu-img convert" },
		{ source->kept_config, "config",
		  "monitors are named by <host>, or in /etc/ceph/ceph.conf; remove it" },
		{ source->kept_snapshot, "snapshot",
		  "disks are images, not their snapshots; let the cluster clone it" },
		{ source->kept_slices, "slices", "an image is used as a whole; remove it" },
		{ source->kept_reservations, "reservations",
		  "SCSI commands are not passed on; remove it" },
		{ source->kept_data_store, "dataStore",
		  "the image names its data file itself; remove it" },
		{ disk->kept_throttlefilters, "throttlefilters", "use <iotune> instead" },
		{ disk->kept_backenddomain, "backenddomain",
		  "there is no other domain; remove it" },
		{ disk->kept_geometry, "geometry", NULL },
		{ disk->kept_blockio, "blockio", NULL },
	};

	if (auth_is_set(disk_auth(disk)) && disk->type != DISK_NETWORK)
		return refuse(c,
			      "disk '%s' has <auth>, which is for disks of the network; remove it",
			      dev);
	if (disk->rawio == TRI_YES || disk->sgio)
		return refuse(c,
			      "disk '%s': SCSI commands are not passed on; remove rawio and sgio",
			      dev);
	if (disk->driver.copy_on_read == TRI_YES)
		notes_add(c->notes, "disk '%s': copy_on_read has no effect", dev);
	if (disk->serial && strlen(disk->serial) > SERIAL_MAX)
		notes_add(c->notes, "disk '%s': guests see the first %d characters of its serial",
			  dev, SERIAL_MAX);
	if (disk->shareable && disk->transient.set)
		return wrong(c,
			     "disk '%s' is shareable and transient, and cannot be both; remove one",
			     dev);
	return check_kept(c, of, kept, G_N_ELEMENTS(kept));
}

static bool sum_and_part(const struct number *total, const struct number *a, const struct number *b)
{
	return total->value && (a->value || b->value);
}

static bool check_iotune(const struct check *c, const struct domain_disk *disk)
{
	const struct disk_iotune *t = &disk->iotune;

	if (sum_and_part(&t->total_bytes_sec, &t->read_bytes_sec, &t->write_bytes_sec) ||
	    sum_and_part(&t->total_iops_sec, &t->read_iops_sec, &t->write_iops_sec) ||
	    sum_and_part(&t->total_bytes_sec_max, &t->read_bytes_sec_max,
			 &t->write_bytes_sec_max) ||
	    sum_and_part(&t->total_iops_sec_max, &t->read_iops_sec_max, &t->write_iops_sec_max))
		return wrong(
			c,
			"disk '%s': <iotune> limits the total and also reads or writes; remove "
			"one of them",
			disk->target.dev);
	if (t->group_name)
		notes_add(c->notes, "disk '%s': its limits are its own, group_name has no effect",
			  disk->target.dev);
	return true;
}

bool check_disks(struct check *c)
{
	struct domain_devices *d = &c->domain->devices;

	for (unsigned i = 0; i < d->disk_count; i++) {
		struct domain_disk *disk = &d->disks[i];

		if (!check_target(c, disk, i) || !check_bus(c, disk) || !check_iotune(c, disk))
			return false;
		if (disk->info.fate != FATE_LEFT_OUT &&
		    (!check_image(c, disk) || !check_options(c, disk)))
			return false;
	}
	return true;
}
