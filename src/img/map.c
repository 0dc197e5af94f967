/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * map.c - socle-img map: which bytes are where
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "img/img.h"

/* An extent of the whole image; @start and those that are alike are put together. */
struct row {
	uint64_t start;
	struct image_extent extent;
};

struct map {
	const struct image *image;
	bool json, first;
	const char *refused; /* a file with data that the text form cannot show */
};

/* Where nothing can stand behind an image, it has all that it reads. */
static bool is_present(const struct map *map, const struct image_extent *extent)
{
	const struct image *image = map->image;

	for (unsigned i = 0; i < extent->depth && image->backing; i++)
		image = image->backing;
	return extent->kind != IMAGE_ABSENT || !img_may_have_backing(image->ops->format);
}

static void print_row(struct map *map, const struct row *row)
{
	const struct image_extent *extent = &row->extent;
	bool data = extent->kind == IMAGE_DATA;

	if (!map->json) {
		if (data && !extent->has_host_off && !map->refused)
			map->refused = extent->file;
		else if (data)
			img_out("%#-16" PRIx64 "%#-16" PRIx64 "%#-16" PRIx64 "%s\n", row->start,
				extent->len, extent->host_off, extent->file);
		return;
	}
	img_out("%s{ \"start\": %" PRIu64 ", \"length\": %" PRIu64 ", \"depth\": %u, \"present\": "
		"%s, \"zero\": %s, \"data\": %s",
		map->first ? "[" : ",\n", row->start, extent->len, extent->depth,
		is_present(map, extent) ? "true" : "false", data ? "false" : "true",
		data ? "true" : "false");
	if (extent->has_host_off)
		img_out(", \"offset\": %" PRIu64, extent->host_off);
	img_out("}");
	map->first = false;
}

static bool goes_on(const struct row *row, const struct image_extent *next)
{
	const struct image_extent *extent = &row->extent;

	return extent->kind == next->kind && extent->depth == next->depth &&
	       extent->file == next->file && extent->has_host_off == next->has_host_off &&
	       (!next->has_host_off || extent->host_off + extent->len == next->host_off);
}

static bool walk(struct image *image, struct map *map, uint64_t off, uint64_t end, GError **error)
{
	struct row row = { .extent = { .len = 0 } };

	while (off < end) {
		struct image_extent extent;

		if (!image_map_chain(image, off, end - off, &extent, error))
			return false;
		if (row.extent.len && goes_on(&row, &extent)) {
			row.extent.len += extent.len;
		} else {
			if (row.extent.len)
				print_row(map, &row);
			row = (struct row){ off, extent };
		}
		off += extent.len;
		if (map->refused)
			return error_set(error, SOCLE_ERROR_UNSUPPORTED,
					 "file '%s' has data that is not stored as it is "
					 "(compressed); --output=json tells where it is",
					 map->refused);
	}
	if (row.extent.len)
		print_row(map, &row);
	return true;
}

static int map(const struct img_args *args, GError **error)
{
	struct map map = { .first = true };
	autoptr(image) image = NULL;
	uint64_t start, len;

	if (!img_args_json(args, &map.json, error) ||
	    !img_args_size(args, IMG_OPTION_START_OFFSET, "start-offset", 0, &start, error) ||
	    !img_args_size(args, IMG_OPTION_MAX_LENGTH, "max-length", INT64_MAX, &len, error))
		return EXIT_FAILURE;
	image = img_open_arg(args, img_args_word(args, 0), 0, IMAGE_BACKING | IMAGE_LOCKED, error);
	if (!image)
		return EXIT_FAILURE;
	map.image = image;
	if (!map.json)
		img_out("%-16s%-16s%-16s%s\n", "Offset", "Length", "Mapped to", "File");
	start = MIN(start, image->size);
	if (!walk(image, &map, start, start + MIN(len, image->size - start), error))
		return EXIT_FAILURE;
	if (map.json)
		img_out("%s]\n", map.first ? "[" : "");
	return EXIT_SUCCESS;
}

static const struct img_option options[] = {
	IMG_ROW_FORMAT,
	IMG_ROW_OUTPUT,
	{ IMG_OPTION_START_OFFSET, "start-offset", "BYTES", "from there on" },
	{ IMG_OPTION_MAX_LENGTH, "max-length", "BYTES", "no more than so many" },
	IMG_ROW_SHARED,
	IMG_ROW_OBJECT,
	IMG_ROW_IMAGE_OPTS,
	{ 0, NULL, NULL, NULL },
};

const struct img_command img_map = {
	.name = "map",
	.arguments = "IMAGE",
	.summary = "Tell which bytes are where, in an image and those behind it",
	.options = options,
	.min = 1,
	.max = 1,
	.wanted = "expecting one image file name",
	.failure = EXIT_FAILURE,
	.run = map,
};
