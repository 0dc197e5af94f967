/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * check-storage.c - the step check of storage pools and volumes
 */
#include <string.h>

#include "model/say-int.h"
#include "model/storage.h"

/* No tool that is given such a word takes it for an option or for two words. */
static bool is_word(const char *text)
{
	if (!text || !*text || *text == '-')
		return false;
	for (const char *p = text; *p; p++) {
		if (g_ascii_iscntrl(*p))
			return false;
	}
	return true;
}

static const char url_letters[] =
	"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.:_-[]";

static bool has_control(const char *text)
{
	for (const char *p = text; *p; p++) {
		if (g_ascii_iscntrl(*p))
			return true;
	}
	return false;
}

static bool wrong(GError **error, const char *what, const char *remedy)
{
	return model_error(error, SOCLE_ERROR_USAGE, "%s; %s", what, remedy);
}

bool storage_vol_name_check(const char *name, GError **error)
{
	if (!name || !*name)
		return wrong(error, "the volume has no name", "give it a <name>");
	if (strlen(name) > STORAGE_NAME_MAX)
		return model_error(
			error, SOCLE_ERROR_LIMIT,
			"the volume's name has more than %d bytes; give it a shorter one",
			STORAGE_NAME_MAX);
	if (!strcmp(name, ".") || !strcmp(name, "..") || strchr(name, '/') || has_control(name))
		return model_error(
			error, SOCLE_ERROR_USAGE,
			"the volume's name '%.64s' is none of a file in one folder: it "
			"has a slash or a control character, or is one of . and ..; give "
			"it another one",
			name);
	if (g_str_has_prefix(name, ".socle-"))
		return model_error(
			error, SOCLE_ERROR_USAGE,
			"the volume's name '%.64s' begins as those of unfinished ones do "
			"(.socle-); give it another one",
			name);
	return true;
}

/* == Pools == */

static bool check_name(const char *name, GError **error)
{
	if (!name || !*name)
		return wrong(error, "the storage pool has no name", "give it a <name>");
	if (strlen(name) > STORAGE_NAME_MAX)
		return model_error(
			error, SOCLE_ERROR_LIMIT,
			"the storage pool's name has more than %d bytes; give it a shorter one",
			STORAGE_NAME_MAX);
	if (strchr(name, '/') || has_control(name) || !name[strspn(name, " ")])
		return model_error(error, SOCLE_ERROR_USAGE,
				   "the storage pool's name '%.64s' has a slash, a control "
				   "character or nothing but spaces; give it another one",
				   name);
	return true;
}

/* Of those who ask: is the path a whole one, without steps upwards? */
static bool check_target(const struct storage_pool *pool, GError **error)
{
	const char *path = pool->target.path;

	if (!path || path[0] != '/' || has_control(path))
		return model_error(
			error, SOCLE_ERROR_USAGE,
			"storage pool '%.64s': its target has no path that begins with a "
			"slash; give one in <target><path>",
			pool->name);
	if (strstr(path, "/../") || g_str_has_suffix(path, "/.."))
		return model_error(error, SOCLE_ERROR_USAGE,
				   "storage pool '%.64s': its path goes upwards by '..'; give a "
				   "straight one",
				   pool->name);
	return true;
}

static bool check_devices(const struct storage_pool *pool, unsigned min, unsigned max,
			  GError **error)
{
	const struct storage_pool_source *source = &pool->source;

	if (source->device_count < min || source->device_count > max)
		return model_error(
			error, SOCLE_ERROR_USAGE,
			"storage pool '%.64s' of type %s names %u devices in its source; "
			"give %u%s",
			pool->name, storage_pool_type_names[pool->type], source->device_count, min,
			max > min ? " or more" : "");
	for (unsigned i = 0; i < source->device_count; i++) {
		const char *path = source->devices[i].path;

		if (!is_word(path))
			return model_error(error, SOCLE_ERROR_USAGE,
					   "storage pool '%.64s': '%.64s' is no path of a device; "
					   "give that of one",
					   pool->name, path ? path : "");
	}
	return true;
}

static bool check_hosts(const struct storage_pool *pool, GError **error)
{
	if (pool->source.host_count && is_word(pool->source.hosts[0].name))
		return true;
	return model_error(error, SOCLE_ERROR_USAGE,
			   "storage pool '%.64s' of type %s names no host in its source; give "
			   "<host name='...'/>",
			   pool->name, storage_pool_type_names[pool->type]);
}

/* A volume group's, which becomes a folder in /dev and an argument. */
static bool check_group(const struct storage_pool *pool, GError **error)
{
	const char *name = pool->source.name;

	if (is_word(name) && strlen(name) <= 127 && strcmp(name, ".") != 0 &&
	    strcmp(name, "..") != 0 &&
	    !name[strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
			       "+_.-")])
		return true;
	return model_error(
		error, SOCLE_ERROR_USAGE,
		"storage pool '%.64s': '%.64s' is no name of a volume group; give one of "
		"letters, digits, '+', '_', '.' and '-'",
		pool->name, name ? name : "");
}

static bool check_auth(const struct storage_pool *pool, const char *type, GError **error)
{
	const struct auth *auth = &pool->source.auth;
	g_autofree char *of = g_strdup_printf("storage pool '%.64s'", pool->name);

	if (!auth_is_set(auth))
		return true;
	/* It becomes a word among others. */
	if (auth->username && auth->username[strspn(auth->username, url_letters)])
		return model_error(error, SOCLE_ERROR_USAGE,
				   "%s: '%.64s' is no user; give a name of letters, digits, '.', "
				   "':', '_' and '-'",
				   of, auth->username);
	if (!g_strcmp0(auth->type, type))
		return auth_check(auth, of, error);
	return model_error(error, SOCLE_ERROR_USAGE, "%s has <auth type='%.32s'>; give type='%s'",
			   of, auth->type ? auth->type : "", type);
}

/* They become parts of a URL. */
static bool check_iscsi(const struct storage_pool *pool, GError **error)
{
	const struct storage_pool_source *source = &pool->source;
	const char *const texts[] = { source->hosts[0].name, source->devices[0].path,
				      source->initiator.iqn.name };

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		const char *text = texts[i] ? texts[i] : "x";

		if (*text != '-' && *text && !text[strspn(text, url_letters)])
			continue;
		return model_error(error, SOCLE_ERROR_USAGE,
				   "storage pool '%.64s': '%.64s' is no name of a host, of a "
				   "target or of an initiator; give one of letters, digits, '.', "
				   "':', '_' and '-'",
				   pool->name, text);
	}
	return check_auth(pool, "chap", error);
}

/* Addresses with ports become a list. */
static bool check_cluster(const struct storage_pool *pool, GError **error)
{
	const struct storage_pool_source *source = &pool->source;

	if (!is_word(source->name))
		return wrong(error, "the storage pool of type rbd names no pool of its cluster",
			     "give <source><name>");
	for (unsigned i = 0; i < source->host_count; i++) {
		const char *text = source->hosts[i].name;

		if (text && *text && *text != '-' && !text[strspn(text, url_letters)])
			continue;
		return model_error(error, SOCLE_ERROR_USAGE,
				   "storage pool '%.64s': '%.64s' is no name of a host; give one "
				   "of letters, digits, '.', ':', '_' and '-'",
				   pool->name, text ? text : "");
	}
	return check_auth(pool, "ceph", error);
}

static bool check_type(const struct storage_pool *pool, GError **error)
{
	switch (pool->type) {
	case STORAGE_POOL_DIR:
		return check_target(pool, error);
	case STORAGE_POOL_FS:
		return check_target(pool, error) && check_devices(pool, 1, 1, error);
	case STORAGE_POOL_NETFS:
		if (!check_target(pool, error) || !check_hosts(pool, error))
			return false;
		if (is_word(pool->source.dir.path))
			return true;
		return model_error(error, SOCLE_ERROR_USAGE,
				   "storage pool '%.64s' names no folder of its host; give <dir "
				   "path='...'/>",
				   pool->name);
	case STORAGE_POOL_LOGICAL:
		return check_group(pool, error) && check_target(pool, error) &&
		       check_devices(pool, 0, STORAGE_DEVICES_MAX, error);
	case STORAGE_POOL_DISK:
		return check_target(pool, error) && check_devices(pool, 1, 1, error);
	case STORAGE_POOL_ISCSI:
		return check_hosts(pool, error) && check_devices(pool, 1, 1, error);
	case STORAGE_POOL_ISCSI_DIRECT:
		return check_hosts(pool, error) && check_devices(pool, 1, 1, error) &&
		       check_iscsi(pool, error);
	case STORAGE_POOL_RBD:
		return check_hosts(pool, error) && check_cluster(pool, error);
	case STORAGE_POOL_SHEEPDOG:
	case STORAGE_POOL_GLUSTER:
		return check_hosts(pool, error);
	case STORAGE_POOL_SCSI:
	case STORAGE_POOL_MPATH:
	case STORAGE_POOL_ZFS:
	case STORAGE_POOL_VSTORAGE:
		return true;
	case STORAGE_POOL_ABSENT:
	case STORAGE_POOL_TYPE_COUNT:
	default:
		return wrong(error, "the storage pool has no type", "give <pool type='dir'>");
	}
}

bool storage_pool_check(const struct storage_pool *pool, GError **error)
{
	if (!check_name(pool->name, error))
		return false;
	if (!g_uuid_string_is_valid(pool->uuid))
		return model_error(error, SOCLE_ERROR_USAGE,
				   "the storage pool's UUID '%.64s' is none; leave <uuid> out to "
				   "get one",
				   pool->uuid);
	return check_type(pool, error);
}

/* == Volumes == */

static bool check_backing(const struct storage_vol *vol, GError **error)
{
	const char *path = vol->backing.path;

	if (!path || !*path)
		return true;
	if (path[0] != '/' || has_control(path))
		return model_error(error, SOCLE_ERROR_USAGE,
				   "volume '%.64s': the path of what is behind it does not begin "
				   "with a slash; give a whole one",
				   vol->name);
	return true;
}

bool storage_vol_check(const struct storage_vol *vol, GError **error)
{
	const struct storage_target *target = &vol->target;

	if (!storage_vol_name_check(vol->name, error) || !check_backing(vol, error))
		return false;
	if (!vol->capacity.set && !vol->backing.path)
		return model_error(error, SOCLE_ERROR_USAGE,
				   "volume '%.64s' has no <capacity>; give it one", vol->name);
	if (target->kept_encryption)
		return model_error(error, SOCLE_ERROR_UNSUPPORTED,
				   "volume '%.64s' is to be encrypted, which needs secrets, and "
				   "there are none here; remove <encryption>",
				   vol->name);
	if (target->compat && strcmp(target->compat, "0.10") && strcmp(target->compat, "1.1"))
		return model_error(error, SOCLE_ERROR_USAGE,
				   "volume '%.64s': '%.64s' is no version of qcow2; give 0.10 or "
				   "1.1 as <compat>",
				   vol->name, target->compat);
	return true;
}
