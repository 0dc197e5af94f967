/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * depot-rbd.c - storage pools of type rbd: a pool of a Ceph cluster, whose block devices are the volumes
 *
 * Volumes are made, copied, resized and removed by the cluster, read and written by room block. Without <auth>
 * Ceph finds the keys itself (/etc/ceph).
 */
#include <string.h>

#include "base/error.h"
#include "block/crypt/secret.h"
#include "block/file.h"
#include "block/remote/remote.h"
#include "block/remote/url.h"
#include "daemon/pools-int.h"
#include "host/rbd.h"
#include "host/tool.h"

enum {
	SECTOR = 512
};

static const char *pool_of(const struct depot *depot)
{
	return depot->def->source.name;
}

/* As --mon_host has them. */
static char *monitors_of(const struct depot *depot)
{
	const struct storage_pool_source *source = &depot->def->source;
	GString *text = g_string_new(NULL);

	for (unsigned i = 0; i < source->host_count; i++) {
		const struct storage_host *host = &source->hosts[i];

		remote_url_add_host(text, host->name,
				    host->port.set ? (unsigned)host->port.value : 0);
	}
	return g_string_free(text, FALSE);
}

/* Ceph's programs read who we are from their environment. @argv is taken over. */
static bool run(const struct depot *depot, char **argv, char **ret_output, GError **error)
{
	const struct secret *key = depot->password;
	char *coded = key ? g_base64_encode(key->bytes, key->len) : NULL;
	char *words = key ? g_strdup_printf("CEPH_ARGS=--id %s --key %s",
					    depot->def->source.auth.username, coded)
			  : NULL;
	const char *const more[] = { words, NULL };
	bool ok = host_tool_run_env((const char *const *)argv, more, NULL, ret_output, error);

	secret_wipe_text(coded);
	secret_wipe_text(words);
	g_strfreev(argv);
	return ok;
}

static bool available(GError **error)
{
	return host_tool_find("rbd", "ceph-common", error);
}

static bool list(const struct depot *depot, GPtrArray *names, GError **error)
{
	g_autofree char *monitors = monitors_of(depot), *answer = NULL;

	return run(depot, rbd_argv_list(monitors, pool_of(depot)), &answer, error) &&
	       rbd_answer_names(answer, names, error);
}

static bool start(const struct depot *depot, unsigned flags, GError **error)
{
	g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);

	(void)flags;
	return list(depot, names, error);
}

static bool usage(const struct depot *depot, struct pool_usage *ret_usage, GError **error)
{
	g_autofree char *monitors = monitors_of(depot), *answer = NULL;
	bool found = false;

	if (!run(depot, rbd_argv_usage(monitors), &answer, error) ||
	    !rbd_answer_usage(answer, pool_of(depot), ret_usage, &found, error))
		return false;
	return found || error_set(error, SOCLE_ERROR_NOT_FOUND,
				  "the cluster at '%s' has no pool '%s'", monitors, pool_of(depot));
}

static struct storage_vol *look(const struct depot *depot, const char *name, GError **error)
{
	g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
	g_autofree char *monitors = monitors_of(depot), *answer = NULL;
	struct storage_vol *vol;
	uint64_t size;

	if (!list(depot, names, error))
		return NULL;
	if (!g_ptr_array_find_with_equal_func(names, name, g_str_equal, NULL)) {
		error_set(error, SOCLE_ERROR_NOT_FOUND,
			  "there is no image '%s' in Ceph's pool '%s'", name, pool_of(depot));
		return NULL;
	}
	if (!run(depot, rbd_argv_info(monitors, pool_of(depot), name), &answer, error) ||
	    !rbd_answer_size(answer, &size, error))
		return NULL;
	vol = g_new0(struct storage_vol, 1);
	vol->type = STORAGE_VOL_NETWORK;
	vol->name = g_strdup(name);
	vol->target.format.type = g_strdup("raw");
	vol->capacity = number_of((int64_t)size);
	vol->allocation = vol->physical = vol->capacity;
	return vol;
}

static struct block_file *reach(const struct depot *depot, const char *name, bool write,
				GError **error)
{
	const struct remote_login login = { .user = depot->def->source.auth.username,
					    .password = depot->password };
	g_autofree char *monitors = monitors_of(depot);
	const struct remote_url url = { .kind = REMOTE_RBD,
					.host = monitors,
					.name = (char *)(uintptr_t)pool_of(depot),
					.image = (char *)(uintptr_t)name };
	g_autofree char *text = remote_url_format(&url);

	return remote_file_open(text, &login, write ? BLOCK_FILE_WRITE : 0, error);
}

static bool create(const struct depot *depot, const struct vol_create *what, const char *as,
		   const struct storage_vol *source, int source_fd, struct vol_work *work,
		   GError **error)
{
	g_autofree char *monitors = monitors_of(depot);
	const struct storage_vol *vol = what->vol;
	const char *format = vol->target.format.type;
	/* A disk has sectors. */
	uint64_t size = ((uint64_t)vol->capacity.value + SECTOR - 1) / SECTOR * SECTOR;

	(void)work;
	if (source_fd >= 0)
		return error_set(error, SOCLE_ERROR_UNSUPPORTED,
				 "volumes of other pools are not copied into a Ceph cluster from "
				 "here; use 'rbd import %s/%s'",
				 pool_of(depot), vol->name);
	if (vol->backing.path || (format && strcmp(format, "raw") != 0))
		return error_set(error, SOCLE_ERROR_UNSUPPORTED,
				 "volume '%s': images of a Ceph cluster are raw, and have nothing "
				 "behind them here; leave format and backing out",
				 vol->name);
	if (!source)
		return run(depot, rbd_argv_create(monitors, pool_of(depot), as, size), NULL, error);
	if (run(depot, rbd_argv_copy(monitors, pool_of(depot), source->name, pool_of(depot), as),
		NULL, error) &&
	    (size <= (uint64_t)source->capacity.value ||
	     run(depot, rbd_argv_resize(monitors, pool_of(depot), as, size, false), NULL, error)))
		return true;
	/* Nothing half stays. */
	(void)run(depot, rbd_argv_remove(monitors, pool_of(depot), as), NULL, NULL);
	return false;
}

static bool rename_volume(const struct depot *depot, const char *name, const char *new_name,
			  GError **error)
{
	g_autofree char *monitors = monitors_of(depot);

	return run(depot, rbd_argv_rename(monitors, pool_of(depot), name, new_name), NULL, error);
}

static bool remove_volume(const struct depot *depot, const char *name, bool all, GError **error)
{
	g_autofree char *monitors = monitors_of(depot);

	return (!all || run(depot, rbd_argv_purge(monitors, pool_of(depot), name), NULL, error)) &&
	       run(depot, rbd_argv_remove(monitors, pool_of(depot), name), NULL, error);
}

static bool resize(const struct depot *depot, const char *name, uint64_t now, uint64_t wanted,
		   unsigned flags, struct vol_work *work, GError **error)
{
	g_autofree char *monitors = monitors_of(depot);

	(void)flags;
	(void)work;
	return wanted == now ||
	       run(depot, rbd_argv_resize(monitors, pool_of(depot), name, wanted, wanted < now),
		   NULL, error);
}

const struct depot_kind depot_rbd = {
	.available = available,
	.start = start,
	.usage = usage,
	.list = list,
	.reach = reach,
	.look = look,
	.create = create,
	.rename = rename_volume,
	.remove = remove_volume,
	.resize = resize,
	.copies = true,
};
