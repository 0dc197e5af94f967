/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pool-disk.c - disks that are volumes of a storage pool
 *
 * What runs has the path that the volume has then: the live definition names a file or a device, so all
 * that is said of its disks is by path, and a pool that changes is no matter for a machine that runs.
 */
#include <string.h>

#include "base/error.h"
#include "manage/pool-int.h"
#include "manage/vm-int.h"
#include "model/domain.h"

/* The pool says where it is and who we are there. */
static bool resolve_remote(const struct storage_pool *def, struct domain_disk *disk, GError **error)
{
	const struct storage_pool_source *from = &def->source;
	const bool iscsi = def->type == STORAGE_POOL_ISCSI_DIRECT;
	struct disk_source *source = &disk->source;
	const char *lun = strrchr(source->volume, ':');

	if (iscsi && !lun)
		return error_set(error, SOCLE_ERROR_NOT_FOUND,
				 "disk '%s': storage pool '%s' has no volume '%s'",
				 disk->target.dev, def->name, source->volume);
	disk->type = DISK_NETWORK;
	source->protocol = g_strdup(iscsi ? "iscsi" : "rbd");
	source->name = g_strconcat(iscsi ? from->devices[0].path : from->name, "/",
				   iscsi ? lun + 1 : source->volume, NULL);
	source->hosts = g_new0(struct disk_host, from->host_count);
	source->host_count = from->host_count;
	for (unsigned i = 0; i < from->host_count; i++) {
		source->hosts[i].name = g_strdup(from->hosts[i].name);
		source->hosts[i].port = from->hosts[i].port;
	}
	source->initiator.iqn.name = g_strdup(from->initiator.iqn.name);
	if (!auth_is_set(&from->auth))
		return true;
	auth_copy(&source->auth, &from->auth);
	g_clear_pointer(&source->auth.type, g_free);
	g_free(source->auth.secret.type);
	source->auth.secret.type = g_strdup(iscsi ? "iscsi" : "ceph");
	return true;
}

static bool resolve(struct node *node, struct domain_disk *disk, GError **error)
{
	struct disk_source *source = &disk->source;
	const struct pool *pool = source->pool ? pool_by_name(node, source->pool) : NULL;

	if (!pool)
		return error_set(error, SOCLE_ERROR_NOT_FOUND,
				 "disk '%s' is a volume of storage pool '%s', which is not there; "
				 "define the pool",
				 disk->target.dev, source->pool ? source->pool : "");
	if (!pool_active(pool))
		return error_set(error, SOCLE_ERROR_STATE,
				 "disk '%s' is a volume of storage pool '%s', which is not active; "
				 "start the pool",
				 disk->target.dev, pool->name);
	if (!source->volume || !storage_vol_name_check(source->volume, error))
		return false;
	if (pool->live->type == STORAGE_POOL_ISCSI_DIRECT || pool->live->type == STORAGE_POOL_RBD) {
		if (!resolve_remote(pool->live, disk, error))
			return false;
	} else if (pool->live->type == STORAGE_POOL_LOGICAL ||
		   pool->live->type == STORAGE_POOL_DISK) {
		disk->type = DISK_BLOCK;
		g_free(source->dev);
		source->dev = vol_path(pool, source->volume);
	} else {
		disk->type = DISK_FILE;
		g_free(source->file);
		source->file = vol_path(pool, source->volume);
	}
	g_clear_pointer(&source->pool, g_free);
	g_clear_pointer(&source->volume, g_free);
	g_clear_pointer(&source->mode, g_free);
	return true;
}

char *node_disk_path(struct node *node, const struct domain_disk *disk)
{
	const struct disk_source *source = &disk->source;
	const struct pool *pool;

	if (disk->type != DISK_VOLUME)
		return g_strdup(disk_path(disk));
	pool = source->pool && source->volume ? pool_by_name(node, source->pool) : NULL;
	return pool ? vol_path(pool, source->volume) : NULL;
}

void node_identify(struct node *node, GPtrArray *paths, struct file_id *ret_ids, struct task *task)
{
	const struct pool_ops *pools = node->config.pools;

	if (pools && pools->identify)
		pools->identify(node->config.pools_opaque, paths, ret_ids, task);
	else
		task_end(task, NULL);
}

bool pools_resolve(struct node *node, struct domain *domain, GError **error)
{
	for (unsigned i = 0; i < domain->devices.disk_count; i++) {
		struct domain_disk *disk = &domain->devices.disks[i];

		if (disk->type == DISK_VOLUME && !resolve(node, disk, error))
			return false;
	}
	return true;
}
