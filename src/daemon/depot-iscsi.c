/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * depot-iscsi.c - storage pools of type iscsi-direct: the disks of an iSCSI target that this host is not logged in to
 *
 * They are listed by libiscsi's programs, read and written by room block, and made by nobody but the target.
 */
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "block/crypt/secret.h"
#include "block/file.h"
#include "block/remote/remote.h"
#include "block/remote/url.h"
#include "daemon/pools-int.h"
#include "host/iscsi.h"
#include "host/tool.h"

/* libvirt's name of disk N. */
#define NAME_BEFORE "unit:0:0:"

struct target {
	const char *host, *initiator, *name;
	unsigned port;
};

static struct target target_of(const struct storage_pool *def)
{
	const struct storage_pool_source *source = &def->source;

	return (struct target){
		.host = source->hosts[0].name,
		.initiator = source->initiator.iqn.name,
		.name = source->device_count ? source->devices[0].path : NULL,
		.port = (unsigned)source->hosts[0].port.value,
	};
}

/* libiscsi's programs read who we are from their environment. @argv is taken over. */
static char *ask(const struct depot *depot, char **argv, GError **error)
{
	const struct auth *auth = &depot->def->source.auth;
	char *user = NULL, *password = NULL, *output = NULL;
	bool ok;

	if (depot->password) {
		user = g_strconcat("LIBISCSI_CHAP_USERNAME=", auth->username, NULL);
		password = g_strconcat("LIBISCSI_CHAP_PASSWORD=", (char *)depot->password->bytes,
				       NULL);
	}
	{
		const char *const more[] = { user, password, NULL };

		ok = host_tool_run_env((const char *const *)argv, more, NULL, &output, error);
	}
	g_free(user);
	secret_wipe_text(password);
	g_strfreev(argv);
	if (ok)
		return output;
	g_free(output);
	return NULL;
}

static bool available(GError **error)
{
	return host_tool_find("iscsi-ls", "libiscsi-bin", error);
}

/* Numbers, or NULL. */
static GArray *disks_of(const struct depot *depot, GError **error)
{
	struct target t = target_of(depot->def);
	g_autofree char *output = ask(depot, iscsi_argv_list(t.host, t.port, t.initiator), error);
	GArray *disks = output ? iscsi_parse_disks(output, t.name) : NULL;

	if (output && !disks)
		error_set(error, SOCLE_ERROR_NOT_FOUND,
			  "host '%s' has no target '%s' for us; look with virsh "
			  "find-storage-pool-sources-as iscsi-direct %s, and at whom it lets in",
			  t.host, t.name, t.host);
	return disks;
}

static bool size_of(const struct depot *depot, unsigned lun, uint64_t *ret, GError **error)
{
	struct target t = target_of(depot->def);
	g_autofree char *output =
		ask(depot, iscsi_argv_size(t.host, t.port, t.initiator, t.name, lun), error);

	if (!output)
		return false;
	*ret = g_ascii_strtoull(output, NULL, 10);
	return true;
}

static bool find_sources(const struct storage_pool *like, GPtrArray *list, GError **error)
{
	const struct depot nobody = { .def = (struct storage_pool *)(uintptr_t)like };
	g_autofree char *output = NULL;
	g_autoptr(GPtrArray) names = NULL;
	struct target t;

	if (!like->source.host_count)
		return error_set(error, SOCLE_ERROR_USAGE,
				 "sources of iscsi-direct are looked for on a host; name it in "
				 "<source><host name='...'/>");
	t = target_of(like);
	output = ask(&nobody, iscsi_argv_list(t.host, t.port, t.initiator), error);
	if (!output)
		return false;
	names = iscsi_parse_targets(output);
	for (unsigned i = 0; i < names->len; i++) {
		struct storage_pool *pool = g_new0(struct storage_pool, 1);
		struct storage_pool_source *source = &pool->source;

		source->hosts = g_new0(struct storage_host, 1);
		source->host_count = 1;
		source->hosts[0] =
			(struct storage_host){ g_strdup(t.host), like->source.hosts[0].port };
		source->devices = g_new0(struct storage_device, 1);
		source->device_count = 1;
		source->devices[0].path = g_strdup(names->pdata[i]);
		g_ptr_array_add(list, pool);
	}
	return true;
}

static bool start(const struct depot *depot, unsigned flags, GError **error)
{
	g_autoptr(GArray) disks = NULL;

	(void)flags;
	disks = disks_of(depot, error);
	return disks != NULL;
}

static bool usage(const struct depot *depot, struct pool_usage *ret_usage, GError **error)
{
	g_autoptr(GArray) disks = disks_of(depot, error);
	uint64_t sum = 0;

	for (unsigned i = 0; disks && i < disks->len; i++) {
		uint64_t size = 0;

		if (!size_of(depot, g_array_index(disks, unsigned, i), &size, error))
			return false;
		sum += size;
	}
	*ret_usage = (struct pool_usage){ sum, sum, 0 };
	return disks != NULL;
}

static bool list(const struct depot *depot, GPtrArray *names, GError **error)
{
	g_autoptr(GArray) disks = disks_of(depot, error);

	for (unsigned i = 0; disks && i < disks->len; i++)
		g_ptr_array_add(names, g_strdup_printf(NAME_BEFORE "%u",
						       g_array_index(disks, unsigned, i)));
	return disks != NULL;
}

static struct storage_vol *look(const struct depot *depot, const char *name, GError **error)
{
	g_autoptr(GArray) disks = disks_of(depot, error);
	struct storage_vol *vol;
	uint64_t size;

	for (unsigned i = 0; disks && i < disks->len; i++) {
		unsigned lun = g_array_index(disks, unsigned, i);
		g_autofree char *own = g_strdup_printf(NAME_BEFORE "%u", lun);

		if (strcmp(own, name) != 0)
			continue;
		if (!size_of(depot, lun, &size, error))
			return NULL;
		vol = g_new0(struct storage_vol, 1);
		vol->type = STORAGE_VOL_NETWORK;
		vol->name = g_strdup(name);
		vol->target.format.type = g_strdup("raw");
		vol->capacity = vol->allocation = vol->physical = number_of((int64_t)size);
		return vol;
	}
	if (disks)
		error_set(error, SOCLE_ERROR_NOT_FOUND, "target '%s' has no disk '%s'",
			  target_of(depot->def).name, name);
	return NULL;
}

static struct block_file *reach(const struct depot *depot, const char *name, bool write,
				GError **error)
{
	const struct target t = target_of(depot->def);
	const struct remote_login login = { .user = depot->def->source.auth.username,
					    .initiator = t.initiator,
					    .password = depot->password };
	struct remote_url url = { .kind = REMOTE_ISCSI, .name = (char *)(uintptr_t)t.name };
	g_autofree char *host = iscsi_portal(t.host, t.port);
	g_autofree char *text = NULL;

	if (sscanf(name, NAME_BEFORE "%u", &url.lun) != 1) {
		error_set(error, SOCLE_ERROR_NOT_FOUND, "target '%s' has no disk '%s'", t.name,
			  name);
		return NULL;
	}
	url.host = host;
	text = remote_url_format(&url);
	return remote_file_open(text, &login, write ? BLOCK_FILE_WRITE : 0, error);
}

const struct depot_kind depot_iscsi_direct = {
	.available = available,
	.find_sources = find_sources,
	.start = start,
	.usage = usage,
	.list = list,
	.reach = reach,
	.look = look,
};
