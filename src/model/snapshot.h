/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * snapshot.h - the description of a snapshot: <domainsnapshot>, in the same four steps as a domain
 */
#ifndef MODEL_SNAPSHOT_H
#define MODEL_SNAPSHOT_H

#include <glib.h>
#include <stddef.h>

#include "base/cleanup.h"
#include "model/device.h"
#include "model/notes.h"

struct domain;

enum snapshot_where {
	SNAPSHOT_ABSENT,
	SNAPSHOT_NO,
	SNAPSHOT_INTERNAL,
	SNAPSHOT_EXTERNAL,
	SNAPSHOT_MANUAL, /* of a disk: by somebody else's hands */
	SNAPSHOT_COUNT
};

enum snapshot_state {
	SNAPSHOT_STATE_ABSENT,
	SNAPSHOT_RUNNING,
	SNAPSHOT_BLOCKED,
	SNAPSHOT_PAUSED,
	SNAPSHOT_SHUTDOWN,
	SNAPSHOT_SHUTOFF,
	SNAPSHOT_CRASHED,
	SNAPSHOT_DISK_ONLY,
	SNAPSHOT_STATE_COUNT
};

struct snapshot_memory {
	enum snapshot_where where;
	char *file;
};

struct snapshot_parent {
	char *name;
};

struct snapshot_driver {
	char *type;
	char *kept_metadata_cache;
};

struct snapshot_disk {
	char *name; /* a target, or the path of an image */
	enum snapshot_where where;
	enum disk_type type;
	struct snapshot_driver driver;
	struct disk_source source; /* the new image, if external */
};

struct snapshot_disks {
	struct snapshot_disk *list;
	unsigned count;
};

struct snapshot {
	char *name, *description;
	enum snapshot_state state;
	struct number creation_time; /* seconds since 1970 */
	struct snapshot_parent parent;
	struct snapshot_memory memory;
	struct snapshot_disks disks;
	struct domain *domain;   /* as it was, or NULL */
	struct domain *inactive; /* what a start would have made of it, or NULL */
	struct number active;
	char *kept_cookie;
};

enum snapshot_parse_flags {
	SNAPSHOT_PARSE_STRICT = 1 << 0, /* an unknown element or attribute is an error */
	SNAPSHOT_PARSE_KEPT =
		1 << 1, /* a file of ours: it may be larger than what a stranger sends */
};

/* What is asked for beside the description: libvirt's flags of a new snapshot. */
struct snapshot_request {
	enum snapshot_state state; /* of the domain */
	int64_t now;               /* seconds since 1970 */
	bool disk_only;
};

struct snapshot *snapshot_parse(const char *xml, size_t len, unsigned flags, struct notes *notes,
				GError **error) G_GNUC_WARN_UNUSED_RESULT;

/**
 * snapshot_fill() - the step fill in
 * @domain: of whom it is; it is copied into the snapshot
 *
 * Each disk of the domain gets an entry, an external one the name of its new image: the old one's
 * with the snapshot's name in place of what is behind its last dot.
 */
void snapshot_fill(struct snapshot *snapshot, const struct domain *domain,
		   const struct snapshot_request *request);

/*
 * Is an internal snapshot of it not the image's matter but that of the device that it is on? Of a raw one; it
 * has to be a logical volume then.
 */
bool disk_keeps_snapshots(const struct domain_disk *disk);

/* The step check, of a snapshot that was filled in. */
bool snapshot_check(const struct snapshot *snapshot, const struct domain *domain, GError **error)
	G_GNUC_WARN_UNUSED_RESULT;

/* As domain_check_text(), with SNAPSHOT_PARSE_KEPT: there are whole domains in it. */
bool snapshot_check_text(const struct snapshot *snapshot, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The step format. @flags are those of domain_format(). */
char *snapshot_format(const struct snapshot *snapshot, unsigned flags);

void snapshot_free(struct snapshot *snapshot);
DEFINE_AUTOPTR(snapshot, snapshot_free);

#endif
