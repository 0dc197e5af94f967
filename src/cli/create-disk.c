/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * create-disk.c - socle create: the pool, and the disk that is made of an image
 *
 * An image that the daemon has as a volume is what the disk refers to; a file here is sent.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/sys.h"
#include "cli/create.h"
#include "cli/object.h"
#include "cli/vol.h"

enum {
	GIB = 1 << 30,
	/* A qcow2 image's header. */
	QCOW2_VERSION = 4,
	QCOW2_BACKING = 8,
	QCOW2_CAPACITY = 24,
	QCOW2_INCOMPATIBLE = 72,
	QCOW2_HEAD = 80,
	QCOW2_DATA_FILE = 1 << 2,
};

/* ---- the image ---- */

/* An image by its name: a volume of the pool that the disk will be in, whatever its name ends in. */
static struct socle_volume *named_volume(struct create *create, const char *word, GError **error)
{
	static const char *const ends[] = { "", ".qcow2", ".img", ".raw" };
	const char *given = cli_args_value(create->args, "pool");
	const char *where = given ? given : "default";
	SOCLE_AUTO(pool) pool = socle_pool_by_name(create->cli->conn, where, NULL);
	struct socle_volume *vol = NULL;

	for (unsigned i = 0; pool && !vol && i < G_N_ELEMENTS(ends); i++) {
		g_autofree char *name = g_strconcat(word, ends[i], NULL);

		vol = socle_volume_by_name(pool, name, NULL);
	}
	if (!vol)
		error_set(
			error, SOCLE_ERROR_NOT_FOUND,
			"image '%s' is neither a file nor a volume of pool '%s'; 'socle vol list' "
			"names the volumes that there are",
			word, where);
	return vol;
}

bool create_known_volume(struct create *create, const char *word, struct socle_volume **ret_vol,
			 GError **error)
{
	struct cli *cli = create->cli;
	const char *slash = strchr(word, '/');
	g_autofree char *before = NULL;
	SOCLE_AUTO(pool) pool = NULL;

	if (slash == word)
		*ret_vol = socle_volume_by_path(cli->conn, word, NULL);
	if (!slash && !g_file_test(word, G_FILE_TEST_IS_REGULAR)) {
		*ret_vol = named_volume(create, word, error);
		return *ret_vol != NULL;
	}
	if (!slash || slash == word)
		return true;
	before = g_strndup(word, (gsize)(slash - word));
	pool = socle_pool_by_name(cli->conn, before, NULL);
	*ret_vol = pool ? socle_volume_by_name(pool, slash + 1, NULL) : NULL;
	if (*ret_vol || !pool || g_file_test(word, G_FILE_TEST_EXISTS))
		return true;
	/* Says why not. */
	*ret_vol = cli_volume(cli, NULL, word, error);
	return *ret_vol != NULL;
}

/* What it would refer to is not sent, and on the daemon's host may be anything. */
static bool check_qcow2(struct create_image *image, const char *path, GError **error)
{
	uint8_t head[QCOW2_HEAD];
	ssize_t got = sys_read_full(image->fd, head, sizeof(head));

	if (got < 0)
		return error_sys(error, (int)got, "cannot read '%s'", path);
	if (got < (ssize_t)sizeof(head))
		return error_set(error, SOCLE_ERROR_CORRUPT, "'%s' ends within its header", path);
	if (get_be64(head + QCOW2_BACKING) != 0 ||
	    (get_be32(head + QCOW2_VERSION) >= 3 &&
	     (get_be64(head + QCOW2_INCOMPATIBLE) & QCOW2_DATA_FILE)))
		return error_set(error, SOCLE_ERROR_UNSUPPORTED,
				 "'%s' refers to another file, which is not sent with it; "
				 "'socle-img convert' makes one image of both",
				 path);
	image->capacity = get_be64(head + QCOW2_CAPACITY);
	return true;
}

static bool open_file(struct create *create, const char *path, GError **error)
{
	struct create_image *image = &create->image;
	const char *format = NULL;
	enum run_kind kind;
	struct stat st;

	if (!run_kind_of(path, cli_args_value(create->args, "format"), &kind, &format, error))
		return false;
	if (kind != RUN_DISK || (strcmp(format, "qcow2") != 0 && strcmp(format, "raw") != 0))
		return error_set(
			error, SOCLE_ERROR_UNSUPPORTED,
			"'%s' is no disk that a machine could be made of: that is qcow2 or "
			"raw; 'socle-img convert' makes one of other images",
			path);
	image->format = g_strdup(format);
	image->fd = sys_open(path, O_RDONLY, 0);
	if (image->fd < 0)
		return error_sys(error, image->fd, "cannot open '%s'", path);
	if (sys_fstat(image->fd, &st) < 0 || !S_ISREG(st.st_mode))
		return error_set(error, SOCLE_ERROR_USAGE, "'%s' is no file", path);
	image->capacity = (uint64_t)st.st_size;
	return strcmp(format, "qcow2") != 0 || check_qcow2(image, path, error);
}

static bool take_volume(struct create_image *image, const char *word, GError **error)
{
	autoptr(storage_vol) parsed = vol_definition(image->vol, error);

	if (!parsed)
		return false;
	if (!g_strcmp0(parsed->target.format.type, "iso"))
		return error_set(error, SOCLE_ERROR_UNSUPPORTED,
				 "'%s' is a CD, and no disk that a machine could be made of", word);
	image->capacity = (uint64_t)parsed->capacity.value;
	return true;
}

bool create_take_size(struct create *create, GError **error)
{
	const char *text = cli_args_value(create->args, "disk");

	if (!text)
		return true;
	if (!g_str_has_prefix(text, "size="))
		return error_set(error, SOCLE_ERROR_USAGE,
				 "disk '%s' is not understood; size=20G is what can be said", text);
	if (!cli_parse_size("the disk's size", text + strlen("size="), GIB, &create->size, error))
		return false;
	return create->size > 0 ||
	       error_set(error, SOCLE_ERROR_USAGE, "a disk of no bytes is none");
}

bool create_find_image(struct create *create, GError **error)
{
	const char *word = cli_args_value(create->args, "image");
	struct create_image *image = &create->image;
	g_autofree char *size = NULL;
	bool ok;

	if (!create_take_size(create, error))
		return false;
	if (!word)
		return create->size || create->machine.kernel ||
		       error_set(
			       error, SOCLE_ERROR_USAGE,
			       "a machine needs something to start from: '--image', '--kernel', or "
			       "'--disk size=20G' for an empty disk");
	if (!create_known_volume(create, word, &image->vol, error))
		return false;
	ok = image->vol ? take_volume(image, word, error) : open_file(create, word, error);
	if (!ok)
		return false;
	size = cli_size(image->capacity);
	return !create->size || create->size >= image->capacity ||
	       error_set(error, SOCLE_ERROR_USAGE,
			 "'%s' has a disk of %s, which cannot be made smaller", word, size);
}

/* ---- the pool ---- */

/* Where libvirt's other clients have it, too. */
static char *default_folder(struct create *create, GError **error)
{
	g_autofree char *uri = cli_uri(create->cli, error);
	const char *path = uri ? strstr(uri, "://") : NULL;

	if (path && g_str_has_prefix(path, ":///system"))
		return g_strdup("/var/lib/libvirt/images");
	if (path && g_str_has_prefix(path, ":///session"))
		return g_build_filename(g_get_user_data_dir(), "libvirt", "images", NULL);
	if (uri)
		error_set(
			error, SOCLE_ERROR_NOT_FOUND,
			"there is no pool 'default' there; 'socle pool define-as default --target "
			"FOLDER --build --start' makes one");
	return NULL;
}

static struct socle_pool *make_default(struct create *create, GError **error)
{
	g_autofree char *folder = default_folder(create, error), *xml = NULL;
	char name[] = "default";
	struct storage_pool wanted = {
		.type = STORAGE_POOL_DIR,
		.name = name,
		.target.path = folder,
	};
	struct socle_error *why = NULL;
	SOCLE_AUTO(pool) pool = NULL;

	if (!folder)
		return NULL;
	xml = storage_pool_format(&wanted);
	pool = socle_pool_define(create->cli->conn, xml, 0, &why);
	if (pool && socle_pool_create(pool, SOCLE_POOL_CREATE_BUILD, &why) >= 0 &&
	    socle_pool_set_autostart(pool, true, &why) >= 0)
		return g_steal_pointer(&pool);
	cli_fail(error, why, "cannot make the pool 'default'");
	if (pool && socle_pool_is_active(pool, NULL) == 0)
		(void)socle_pool_undefine(pool, NULL);
	return NULL;
}

bool create_find_pool(struct create *create, GError **error)
{
	const char *word = cli_args_value(create->args, "pool");
	struct socle_error *why = NULL;
	int active;

	if (word) {
		create->pool = cli_pool(create->cli, word, error);
	} else {
		create->pool = socle_pool_by_name(create->cli->conn, "default", &why);
		if (!create->pool && socle_error_code(why) != SOCLE_ERR_NO_STORAGE_POOL)
			return cli_fail(error, why, "pool 'default'");
		if (!create->pool) {
			socle_error_free(why);
			create->pool = make_default(create, error);
		}
	}
	if (!create->pool)
		return false;
	why = NULL;
	active = socle_pool_is_active(create->pool, &why);
	if (active < 0 || (!active && socle_pool_create(create->pool, 0, &why) < 0))
		return cli_fail(error, why, "pool '%s'", socle_pool_name(create->pool));
	return true;
}

/* ---- the disk ---- */

static struct socle_volume *make_empty(struct create *create, const char *name, GError **error)
{
	g_autofree char *copy = g_strdup(name);
	char qcow2[] = "qcow2";
	const struct storage_vol wanted = {
		.name = copy,
		.capacity = number_of((int64_t)create->size),
		.target.format.type = qcow2,
	};
	g_autofree char *xml = storage_vol_format(&wanted);
	struct socle_error *why = NULL;
	struct socle_volume *vol = socle_volume_create(create->pool, xml, 0, &why);

	if (vol)
		g_ptr_array_add(create->made, vol);
	else
		cli_fail(error, why, "cannot make volume '%s'", name);
	return vol;
}

/* It is raw to a pool of libvirt's until that has looked again: its bytes are an image's. */
static struct socle_volume *send_image(struct create *create, const char *name, GError **error)
{
	struct socle_error *why = NULL;
	struct socle_volume *vol = vol_make_of(
		create->pool, name, create->image.fd, cli_args_value(create->args, "image"), 0,
		vol_shows_progress(create->cli), create->made, error);

	if (vol && socle_pool_refresh(create->pool, 0, &why) < 0) {
		cli_fail(error, why, "pool '%s'", socle_pool_name(create->pool));
		return NULL;
	}
	return vol;
}

static struct socle_volume *refer_to_image(struct create *create, const char *name, GError **error)
{
	struct socle_volume *vol =
		vol_clone(create->cli, create->pool, create->image.vol, name, true, 0, error);
	char *path = socle_volume_path(create->image.vol, NULL);

	create->machine.linked = g_strdup(path);
	free(path);
	if (vol)
		g_ptr_array_add(create->made, vol);
	return vol;
}

bool create_add(struct create *create, struct socle_volume *vol, const char *format, bool cdrom,
		GError **error)
{
	struct run_machine *machine = &create->machine;
	struct socle_error *why = NULL;
	char *path = socle_volume_path(vol, &why);

	if (!path)
		return cli_fail(error, why, "volume '%s'", socle_volume_name(vol));
	machine->disks[machine->disk_count++] = (struct run_disk){
		.path = g_strdup(path),
		.format = g_strdup(format),
		.readonly = cdrom,
		.cdrom = cdrom,
	};
	free(path);
	return true;
}

bool create_disk(struct create *create, GError **error)
{
	const struct create_image *image = &create->image;
	const char *format = image->format ? image->format : "qcow2";
	g_autofree char *name =
		g_strdup_printf("%s.%s", create->name, strcmp(format, "raw") != 0 ? format : "img");
	struct socle_error *why = NULL;
	struct socle_volume *vol;

	if (image->vol)
		vol = refer_to_image(create, name, error);
	else if (image->fd >= 0)
		vol = send_image(create, name, error);
	else if (create->size)
		vol = make_empty(create, name, error);
	else
		return true;
	if (!vol)
		return false;
	if (create->size > image->capacity && (image->vol || image->fd >= 0) &&
	    socle_volume_resize(vol, create->size, 0, &why) < 0)
		return cli_fail(error, why, "cannot make volume '%s' larger", name);
	return create_add(create, vol, format, false, error);
}
