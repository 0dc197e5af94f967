/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * create-seed.c - socle create: the CD by which cloud-init learns who the guest is
 */
#include <string.h>

#include "base/error.h"
#include "base/sys.h"
#include "cli/create.h"
#include "cli/seed.h"
#include "cli/vol.h"

enum {
	CD_MAX = 4 * SEED_FILE_MAX,
};

static bool add_key(GPtrArray *keys, char *line, const char *path, unsigned number, GError **error)
{
	g_strstrip(line);
	if (!line[0] || line[0] == '#')
		return true;
	if (!seed_is_key(line))
		return error_set(error, SOCLE_ERROR_USAGE,
				 "line %u of '%s' is no public key of ssh's; one is 'ssh-ed25519 "
				 "AAAA... COMMENT', whole and in one line, as ssh-keygen writes it",
				 number, path);
	g_ptr_array_add(keys, g_strdup(line));
	return true;
}

/* The lines of a file that are keys. */
static bool add_keys(GPtrArray *keys, const char *path, GError **error)
{
	size_t len;
	g_autofree char *text = cli_read_file(path, &len, error);
	g_auto(GStrv) lines = text ? g_strsplit(text, "\n", -1) : NULL;
	unsigned before = keys->len;

	if (!text)
		return false;
	if (strstr(text, "PRIVATE KEY"))
		return error_set(
			error, SOCLE_ERROR_USAGE,
			"'%s' is a private key, which stays where it is; the public one is "
			"'%s.pub' as a rule",
			path, path);
	if (!g_utf8_validate(text, (gssize)len, NULL))
		return error_set(error, SOCLE_ERROR_USAGE, "'%s' has no keys but bytes", path);
	for (unsigned i = 0; lines[i]; i++) {
		if (!add_key(keys, lines[i], path, i + 1, error))
			return false;
	}
	return keys->len > before ||
	       error_set(error, SOCLE_ERROR_USAGE, "'%s' has no key of ssh's", path);
}

bool create_read_seed(struct create *create, GError **error)
{
	const char *user_data = cli_args_value(create->args, "user-data"), *path;
	g_autoptr(GPtrArray) keys = g_ptr_array_new_with_free_func(g_free);
	g_autofree char *instance = g_uuid_string_random(), *host = seed_hostname(create->name);
	autoptr(seed) seed = g_new0(struct seed, 1);
	size_t len = 0;

	for (unsigned n = 0; (path = cli_args_nth(create->args, "ssh-key", n)); n++) {
		if (!add_keys(keys, path, error))
			return false;
	}
	if (!keys->len && !user_data)
		return true;
	g_ptr_array_add(keys, NULL);
	seed->user_data =
		user_data ? cli_read_file(user_data, &len, error) : g_strdup("#cloud-config\n{}\n");
	if (!seed->user_data)
		return false;
	if (!seed_check_user_data(seed->user_data, error)) {
		g_prefix_error(error, "user data '%s': ", user_data);
		return false;
	}
	seed->meta_data = seed_meta_data(instance, host, (char *const *)keys->pdata);
	if (MAX(len, strlen(seed->meta_data)) > SEED_FILE_MAX)
		return error_set(error, SOCLE_ERROR_LIMIT,
				 "cloud-init takes 1 MiB of %s, and this is more",
				 len > SEED_FILE_MAX ? "user data" : "keys");
	create->seed = g_steal_pointer(&seed);
	return true;
}

struct socle_volume *create_cd(struct socle_pool *pool, const char *name, const struct seed *seed,
			       GPtrArray *made, GError **error)
{
	g_autoptr(GByteArray) image = seed_image(seed);
	autofd int fd = sys_memfd("seed");
	ssize_t ret = fd < 0 ? fd : sys_write_full(fd, image->data, image->len);

	if (ret >= 0)
		return vol_make_of(pool, name, fd, name, 0, false, made, error);
	error_sys(error, (int)ret, "cannot write the CD for cloud-init");
	return NULL;
}

bool create_seed(struct create *create, GError **error)
{
	g_autofree char *name = g_strdup_printf("%s-seed.iso", create->name);
	struct socle_volume *vol;

	if (!create->seed)
		return true;
	vol = create_cd(create->pool, name, create->seed, create->made, error);
	return vol && create_add(create, vol, "raw", true, error);
}

struct seed *create_read_cd(struct socle_volume *vol)
{
	struct socle_volume_info info;
	g_autofree uint8_t *image = NULL;
	size_t len = 0, size;
	ssize_t got = 1;
	SOCLE_AUTO(stream) stream = NULL;

	if (socle_volume_info(vol, 0, &info, NULL) < 0 || info.capacity > CD_MAX)
		return NULL;
	size = (size_t)info.capacity;
	image = g_malloc(size + 1);
	stream = socle_volume_download(vol, 0, 0, 0, 0, NULL);
	while (stream && got > 0 && len < size) {
		got = socle_stream_recv(stream, image + len, size - len, NULL);
		len += got > 0 ? (size_t)got : 0;
	}
	return stream && len == size ? seed_read(image, len, NULL) : NULL;
}
