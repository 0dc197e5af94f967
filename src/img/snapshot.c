/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * snapshot.c - socle-img snapshot: states of an image that are kept within it
 */
#include <stdlib.h>

#include "base/error.h"
#include "base/sys.h"
#include "block/qcow2/qcow2.h"
#include "img/img.h"
#include "img/qcow2.h"

static bool is_qcow2(const struct image *image, GError **error)
{
	if (image->ops == &image_qcow2_ops)
		return true;
	return error_set(error, SOCLE_ERROR_UNSUPPORTED,
			 "image '%s' cannot have snapshots: only those of format 'qcow2' can",
			 image->path);
}

static bool change(struct image *image, int what, const char *name, GError **error)
{
	const char *verb;
	bool ok;

	if (what == 'c') {
		verb = "create";
		ok = qcow2_snapshot_create(image, name, (int64_t)(sys_realtime_ns() / 1000), error);
	} else if (what == 'a') {
		verb = "apply";
		ok = qcow2_snapshot_apply(image, name, error);
	} else {
		verb = "delete";
		ok = qcow2_snapshot_delete(image, name, error);
	}
	if (!ok)
		g_prefix_error(error, "could not %s snapshot '%s': ", verb, name);
	return ok;
}

/* -l, -a, -c, -d; 0 with an error if there are two of them. */
static int which(const struct img_args *args, const char **ret_name, GError **error)
{
	const char *value;
	int found = 0, id;

	for (unsigned i = 0; (id = img_args_id(args, i, &value)); i++) {
		if (id != 'l' && id != 'a' && id != 'c' && id != 'd')
			continue;
		if (found) {
			error_set(error, SOCLE_ERROR_USAGE, "-l, -a, -c and -d do not go together");
			return 0;
		}
		found = id;
		*ret_name = value;
	}
	return found ? found : 'l';
}

static int snapshot(const struct img_args *args, GError **error)
{
	const char *name = NULL, *path = img_args_word(args, 0);
	int what = which(args, &name, error);
	autoptr(image) image = NULL;

	if (!what)
		return EXIT_FAILURE;
	if (what == 'l')
		image = img_open_arg(args, path, 0, IMAGE_CHECK | IMAGE_LOCKED, error);
	else
		image = img_open_write(args, path, "qcow2", IMAGE_LOCKED | IMAGE_DATA_FILE, error);
	if (!image)
		return EXIT_FAILURE;
	if (what == 'l') {
		img_qcow2_print_snapshots(image);
		return EXIT_SUCCESS;
	}
	if (!is_qcow2(image, error) || !change(image, what, name, error) ||
	    !image_flush(image, error))
		return EXIT_FAILURE;
	return EXIT_SUCCESS;
}

static const struct img_option options[] = {
	{ 'l', "list", NULL, "tell which there are (default)" },
	{ 'a', "apply", "NAME", "let the image be as it was then; what it has now is lost" },
	{ 'c', "create", "NAME", "keep what it has now" },
	{ 'd', "delete", "NAME", "give up what was kept" },
	{ 'f', "format", "FORMAT", "format of the image (default qcow2)" },
	IMG_ROW_QUIET,
	IMG_ROW_SHARED,
	IMG_ROW_OBJECT,
	IMG_ROW_IMAGE_OPTS,
	{ 0, NULL, NULL, NULL },
};

const struct img_command img_snapshot = {
	.name = "snapshot",
	.arguments = "IMAGE",
	.summary = "List, make, apply or delete states of an image kept within it",
	.options = options,
	.min = 1,
	.max = 1,
	.wanted = "expecting one image file name",
	.failure = EXIT_FAILURE,
	.run = snapshot,
};
