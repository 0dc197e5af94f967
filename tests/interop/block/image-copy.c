/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * image-copy.c - copies an image into a new one of some format, for check-formats
 *
 * image-copy [-c] [-r] FORMAT SOURCE FORMAT TARGET [OPTION=VALUE...]
 * -c: compressed, where the format can. -r: into a target that is there, from behind to front.
 */
#include <stdio.h>
#include <string.h>

#include "block/image.h"

static int fail(const GError *error)
{
	(void)fprintf(stderr, "image-copy: %s\n", error->message);
	return 1;
}

static bool is_zero(const uint8_t *bytes, size_t len)
{
	return !bytes[0] && !memcmp(bytes, bytes + 1, len - 1);
}

static bool put(struct image *to, uint64_t off, const uint8_t *bytes, size_t len, bool packed,
		GError **error)
{
	g_autofree uint8_t *out = packed ? g_malloc(to->cluster_size) : NULL;
	ssize_t n = 0;

	if (packed && len == to->cluster_size)
		n = to->ops->pack(to, bytes, out);
	if (n > 0)
		return to->ops->write_packed(to, off, out, (size_t)n, error);
	return image_write(to, off, bytes, len, error);
}

static bool copy(struct image *from, struct image *to, bool packed, bool backwards, GError **error)
{
	const size_t piece = to->cluster_size ? to->cluster_size : 65536;
	g_autofree uint8_t *bytes = g_malloc(piece);
	const uint64_t count = (from->size + piece - 1) / piece;

	packed = packed && to->ops->pack;
	for (uint64_t i = 0; i < count; i++) {
		const uint64_t off = (backwards ? count - 1 - i : i) * piece;
		const size_t len = MIN(piece, from->size - off);

		if (!image_read(from, off, bytes, len, error))
			return false;
		if (is_zero(bytes, len)) {
			if (backwards && !image_zero(to, off, len, true, error))
				return false;
			continue;
		}
		if (!put(to, off, bytes, len, packed, error))
			return false;
	}
	return image_flush(to, error);
}

int main(int argc, char **argv)
{
	g_autoptr(GHashTable) options = g_hash_table_new(g_str_hash, g_str_equal);
	bool packed = argc > 1 && !strcmp(argv[1], "-c");
	bool there = argc > 1 && !strcmp(argv[1], "-r");
	g_autoptr(GError) error = NULL;
	autoptr(image) from = NULL;
	autoptr(image) to = NULL;

	argv += packed || there;
	argc -= packed || there;
	if (argc < 5)
		return 2;
	for (int i = 5; i < argc; i++) {
		char *value = strchr(argv[i], '=');

		if (!value)
			return 2;
		*value = 0;
		g_hash_table_insert(options, argv[i], value + 1);
	}
	from = image_open(argv[2], argv[1], IMAGE_BACKING, &error);
	if (!from)
		return fail(error);
	if (!there) {
		const struct image_create what = { .path = argv[4],
						   .size = from->size,
						   .options = options };

		if (!image_create(argv[3], &what, &error))
			return fail(error);
	}
	to = image_open(argv[4], argv[3], IMAGE_WRITE | IMAGE_BACKING, &error);
	if (!to || !copy(from, to, packed, there, &error))
		return fail(error);
	return 0;
}
