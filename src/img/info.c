/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * info.c - socle-img info: what an image says of itself
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "block/qcow2/header.h"
#include "img/img.h"
#include "img/qcow2.h"

static void print_backing(const struct image *image)
{
	g_autofree char *full = image_resolve(image->path, image->backing_file);

	img_out("backing file: %s", image->backing_file);
	if (strcmp(full, image->backing_file) != 0)
		img_out(" (actual path: %s)", full);
	img_out("\n");
	if (image->backing_format)
		img_out("backing file format: %s\n", image->backing_format);
}

/* @shown: what it is called. */
static void print_human(struct image *image, const char *shown)
{
	int64_t allocated = block_file_allocated(image->file);
	g_autofree char *size = img_human_size(image->size);

	img_out("image: %s\nfile format: %s\nvirtual size: %s (%" PRIu64 " bytes)\n", shown,
		image->ops->format, size, image->size);
	if (allocated >= 0) {
		g_autofree char *disk = img_human_size((uint64_t)allocated);

		img_out("disk size: %s\n", disk);
	} else {
		img_out("disk size: unavailable\n");
	}
	if (image->encrypted)
		img_out("encrypted: yes\n");
	if (image->cluster_size)
		img_out("cluster_size: %" PRIu32 "\n", image->cluster_size);
	if (img_qcow2_is_dirty(image))
		img_out("cleanly shut down: no\n");
	if (image->backing_file)
		print_backing(image);
	img_qcow2_print(image);
}

static json_t *as_json(struct image *image, const char *shown)
{
	int64_t allocated = block_file_allocated(image->file);
	json_t *info = json_object();

	json_object_set_new(info, "virtual-size", json_integer((json_int_t)image->size));
	json_object_set_new(info, "filename", img_json_string(shown));
	if (image->cluster_size)
		json_object_set_new(info, "cluster-size", json_integer(image->cluster_size));
	json_object_set_new(info, "format", json_string(image->ops->format));
	if (allocated >= 0)
		json_object_set_new(info, "actual-size", json_integer(allocated));
	if (image->backing_file) {
		g_autofree char *full = image_resolve(image->path, image->backing_file);

		json_object_set_new(info, "full-backing-filename", img_json_string(full));
		json_object_set_new(info, "backing-filename", img_json_string(image->backing_file));
	}
	if (image->backing_format)
		json_object_set_new(info, "backing-filename-format",
				    img_json_string(image->backing_format));
	img_qcow2_json(image, info);
	if (image->encrypted)
		json_object_set_new(info, "encrypted", json_true());
	json_object_set_new(info, "dirty-flag", json_boolean(img_qcow2_is_dirty(image)));
	return info;
}

static void print(struct image *front, const char *shown, bool json, bool chain)
{
	json_t *list = chain && json ? json_array() : NULL;

	for (struct image *each = front; each; each = each->backing) {
		const char *name = each == front && shown ? shown : each->path;

		if (list)
			json_array_append_new(list, as_json(each, name));
		else if (json)
			img_out_json(as_json(each, name));
		else
			print_human(each, name);
		if (!json && each->backing)
			img_out("\n");
	}
	if (list)
		img_out_json(list);
}

static int info(const struct img_args *args, GError **error)
{
	const unsigned flags = IMAGE_CHECK | IMAGE_LOCKED;
	bool chain = img_args_has(args, IMG_OPTION_BACKING_CHAIN), json;
	autoptr(img_name) name = NULL;
	autoptr(image) image = NULL;

	if (!img_args_json(args, &json, error))
		return EXIT_FAILURE;
	name = img_name_of(args, img_args_word(args, 0), img_args_value(args, 'f'), error);
	image = name ? img_open_arg(args, img_args_word(args, 0), 0, flags, error) : NULL;
	/* That the first one can be opened is known now; others are told of by their own names. */
	if (image && chain) {
		g_clear_pointer(&image, image_close);
		image = img_name_open(
			name, flags | IMAGE_BACKING | (img_args_has(args, 'U') ? IMAGE_SHARED : 0),
			error);
	}
	if (!image)
		return EXIT_FAILURE;
	print(image, name->shown, json, chain);
	return EXIT_SUCCESS;
}

static const struct img_option options[] = {
	IMG_ROW_FORMAT,
	IMG_ROW_OUTPUT,
	{ IMG_OPTION_BACKING_CHAIN, "backing-chain", NULL, "of all images behind it, too" },
	IMG_ROW_SHARED,
	IMG_ROW_OBJECT,
	IMG_ROW_IMAGE_OPTS,
	{ 0, NULL, NULL, NULL },
};

const struct img_command img_info = {
	.name = "info",
	.arguments = "IMAGE",
	.summary = "Tell what an image says of itself",
	.options = options,
	.min = 1,
	.max = 1,
	.wanted = "expecting one image file name",
	.failure = EXIT_FAILURE,
	.run = info,
};
