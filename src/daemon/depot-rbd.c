/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * depot-rbd.c - storage pools of type rbd: a pool of a Ceph cluster, whose block devices are the volumes
 *
 * Volumes are made, copied, resized and removed by the cluster, read and written by room block. Without <auth>
 * Ceph finds the keys itself (/etc/ceph).
 */
#include <jansson.h>
#include <string.h>

#include "base/error.h"
#include "block/crypt/secret.h"
#include "block/file.h"
#include "block/remote/remote.h"
#include "block/remote/url.h"
#include "daemon/pools-int.h"
#include "host/rbd.h"
#include "host/tool.h"

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
		bool v6 = strchr(host->name, ':') && host->name[0] != '[';

		g_string_append_printf(text, v6 ? "%s[%s]" : "%s%s", i ? "," : "", host->name);
		if (host->port.set)
			g_string_append_printf(text, ":%d", (int)host->port.value);
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

/* What a program says in JSON; NULL: @error says why. @argv is taken over. */
static json_t *ask(const struct depot *depot, char **argv, GError **error)
{
	g_autofree char *name = g_strdup(argv[0]);
	g_autofree char *output = NULL;
	json_t *answer;

	if (!run(depot, argv, &output, error))
		return NULL;
	answer = json_loads(output, 0, NULL);
	if (!answer)
		error_set(error, SOCLE_ERROR_FAILED, "what %s says is no JSON; is it Ceph's?",
			  name);
	return answer;
}

static bool available(GError **error)
{
	return host_tool_find("rbd", "ceph-common", error);
}

static bool list(const struct depot *depot, GPtrArray *names, GError **error)
{
	g_autofree char *monitors = monitors_of(depot);
	json_t *answer = ask(depot, rbd_argv_list(monitors, pool_of(depot)), error), *item;
	size_t i;

	json_array_foreach(answer, i, item)
	{
		const char *name = json_string_value(item);

		if (storage_vol_name_check(name, NULL))
			g_ptr_array_add(names, g_strdup(name));
	}
	json_decref(answer);
	return answer != NULL;
}

static bool start(const struct depot *depot, unsigned flags, GError **error)
{
	g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);

	(void)flags;
	return list(depot, names, error);
}

/* Some versions write numbers as texts. */
static uint64_t number_in(json_t *object, const char *key)
{
	json_t *value = json_object_get(object, key);
	const char *text = json_string_value(value);
	json_int_t number =
		text ? (json_int_t)g_ascii_strtoll(text, NULL, 10) : json_integer_value(value);

	return number > 0 ? (uint64_t)number : 0;
}

/* As libvirt has it: what there is of the cluster, and what of it is the pool's. */
static bool usage(const struct depot *depot, struct pool_usage *ret_usage, GError **error)
{
	g_autofree char *monitors = monitors_of(depot);
	json_t *answer = ask(depot, rbd_argv_usage(monitors), error), *item;
	bool found = false;
	size_t i;

	json_array_foreach(json_object_get(answer, "pools"), i, item)
	{
		if (g_strcmp0(json_string_value(json_object_get(item, "name")), pool_of(depot)) !=
		    0)
			continue;
		*ret_usage = (struct pool_usage){ number_in(answer, "total_space") * 1024,
						  number_in(item, "size_bytes"),
						  number_in(answer, "total_avail") * 1024 };
		found = true;
	}
	if (answer && !found)
		error_set(error, SOCLE_ERROR_NOT_FOUND, "the cluster at '%s' has no pool '%s'",
			  monitors, pool_of(depot));
	json_decref(answer);
	return found;
}

static struct storage_vol *look(const struct depot *depot, const char *name, GError **error)
{
	g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
	g_autofree char *monitors = monitors_of(depot);
	struct storage_vol *vol;
	json_t *answer;

	if (!list(depot, names, error))
		return NULL;
	if (!g_ptr_array_find_with_equal_func(names, name, g_str_equal, NULL)) {
		error_set(error, SOCLE_ERROR_NOT_FOUND,
			  "there is no image '%s' in Ceph's pool '%s'", name, pool_of(depot));
		return NULL;
	}
	answer = ask(depot, rbd_argv_info(monitors, pool_of(depot), name), error);
	if (!answer)
		return NULL;
	vol = g_new0(struct storage_vol, 1);
	vol->type = STORAGE_VOL_NETWORK;
	vol->name = g_strdup(name);
	vol->target.format.type = g_strdup("raw");
	vol->capacity = number_of((int64_t)number_in(answer, "size"));
	vol->allocation = vol->physical = vol->capacity;
	json_decref(answer);
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

static bool create(const struct depot *depot, const struct vol_create *what,
		   const struct storage_vol *source, int source_fd, struct vol_work *work,
		   GError **error)
{
	g_autofree char *monitors = monitors_of(depot);
	const struct storage_vol *vol = what->vol;
	const char *format = vol->target.format.type;
	uint64_t size = (uint64_t)vol->capacity.value;

	(void)work;
	if (source_fd >= 0)
		return error_set(error, SOCLE_ERROR_UNSUPPORTED,
				 "volumes of other pools are not copied into a Ceph cluster from "
				 "here; use 'rbd import %s/%s'",
				 pool_of(depot), vol->name);
	if (vol->backing.path || (format && strcmp(format, "raw")))
		return error_set(error, SOCLE_ERROR_UNSUPPORTED,
				 "volume '%s': images of a Ceph cluster are raw, and have nothing "
				 "behind them here; leave format and backing out",
				 vol->name);
	if (!source)
		return run(depot, rbd_argv_create(monitors, pool_of(depot), vol->name, size), NULL,
			   error);
	if (!run(depot,
		 rbd_argv_copy(monitors, pool_of(depot), source->name, pool_of(depot), vol->name),
		 NULL, error))
		return false;
	if (size <= (uint64_t)source->capacity.value ||
	    run(depot, rbd_argv_resize(monitors, pool_of(depot), vol->name, size, false), NULL,
		error))
		return true;
	/* Nothing half stays. */
	(void)run(depot, rbd_argv_remove(monitors, pool_of(depot), vol->name), NULL, NULL);
	return false;
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
	.remove = remove_volume,
	.resize = resize,
	.copies = true,
};
