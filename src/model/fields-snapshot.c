/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fields-snapshot.c - where the members of a snapshot stand in XML
 */
#include "model/domain.h"
#include "model/fields-int.h"
#include "model/snapshot.h"

static const char *const where_names[] = { NULL, "no", "internal", "external", "manual", NULL };
static_assert(ARRAY_SIZE(where_names) == SNAPSHOT_COUNT + 1, "a name for each, and NULL");

static const char *const state_names[] = {
	NULL,      "running", "blocked",       "paused", "shutdown",
	"shutoff", "crashed", "disk-snapshot", NULL,
};
static_assert(ARRAY_SIZE(state_names) == SNAPSHOT_STATE_COUNT + 1, "a name for each, and NULL");

#define T snapshot_memory
static const struct field memory_fields[] = {
	F_ENUM("@snapshot", where, where_names),
	F_TEXT("@file", file),
};
#undef T
static const struct record memory_record = RECORD(snapshot_memory, memory_fields);

#define T snapshot_parent
static const struct field parent_fields[] = { F_TEXT("name", name) };
#undef T
static const struct record parent_record = RECORD(snapshot_parent, parent_fields);

#define T snapshot_driver
static const struct field driver_fields[] = {
	F_TEXT("@type", type),
	F_KEEP("metadata_cache", kept_metadata_cache),
};
#undef T
static const struct record driver_record = RECORD(snapshot_driver, driver_fields);

#define T snapshot_disk
static const struct field disk_fields[] = {
	F_TEXT("@name", name),
	F_ENUM("@snapshot", where, where_names),
	F_ENUM("@type", type, disk_type_names),
	F_STRUCT("driver", driver, driver_record),
	F_STRUCT("source", source, disk_source_record),
};
#undef T
const struct record snapshot_disk_record = RECORD(snapshot_disk, disk_fields);

#define T snapshot_disks
static const struct field disks_fields[] = {
	F_LIST("disk", list, count, snapshot_disk_record, DEVICES_MAX),
};
#undef T
static const struct record disks_record = RECORD(snapshot_disks, disks_fields);

#define T snapshot
static const struct field snapshot_fields[] = {
	F_TEXT("name", name),
	F_TEXT("description", description),
	F_ENUM("state", state, state_names),
	F_STRUCT("parent", parent, parent_record),
	F_NUM("creationTime", creation_time, 0, INT64_MAX),
	F_STRUCT("memory", memory, memory_record),
	F_STRUCT("disks", disks, disks_record),
	F_OWN("domain", domain, domain_record),
	F_OWN("inactiveDomain", inactive, domain_record),
	F_KEEP("cookie", kept_cookie),
	F_NUM("active", active, 0, 1),
};
#undef T
const struct record snapshot_record = RECORD(snapshot, snapshot_fields);
