/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dd.c - socle-img dd: copy a part of an image
 */
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/sys.h"
#include "img/img.h"
#include "img/pipeline.h"

struct dd {
	char *format, *target_format;
	const char *from, *to;
	uint64_t block, count, skip;
	bool has_count;
};

static bool take_operand(struct dd *dd, const char *text, GError **error)
{
	const char *value = strchr(text, '=');

	if (value && g_str_has_prefix(text, "if="))
		dd->from = value + 1;
	else if (value && g_str_has_prefix(text, "of="))
		dd->to = value + 1;
	else if (value && g_str_has_prefix(text, "bs="))
		return img_size(value + 1, &dd->block, error);
	else if (value && g_str_has_prefix(text, "count="))
		return dd->has_count = true, img_size(value + 1, &dd->count, error);
	else if (value && g_str_has_prefix(text, "skip="))
		return img_size(value + 1, &dd->skip, error);
	else
		return error_set(error, SOCLE_ERROR_USAGE,
				 "'%s' is none of if=, of=, bs=, count=, skip=", text);
	return true;
}

/* What is copied: from *ret_start to *ret_end. As with qemu-img, blocks that are skipped count. */
static void find_range(const struct dd *dd, uint64_t size, uint64_t *ret_start, uint64_t *ret_end)
{
	uint64_t end = size, start = UINT64_MAX;

	if (dd->has_count && dd->count <= UINT64_MAX / dd->block)
		end = MIN(size, dd->count * dd->block);
	if (dd->skip <= UINT64_MAX / dd->block)
		start = dd->skip * dd->block;
	if (start > end)
		(void)fprintf(stderr, "socle-img: there is nothing behind the blocks to skip\n");
	*ret_start = MIN(start, end);
	*ret_end = end;
}

static bool copy(struct image *from, struct image *to, uint64_t start, uint64_t end, GError **error)
{
	g_autofree uint8_t *buf = g_malloc(PIECE_LEN);

	for (uint64_t off = start, n; off < end; off += n) {
		n = MIN(end - off, (uint64_t)PIECE_LEN);
		if (!image_read(from, off, buf, n, error))
			return false;
		/* The last sector of the target may be more than is copied. */
		memset(buf + n, 0, MIN((size_t)511, PIECE_LEN - n));
		if (img_is_zero(buf, n))
			continue;
		if (!image_write(to, off - start, buf, (n + 511) & ~(size_t)511, error) ||
		    !img_go_on(error))
			return false;
	}
	return image_flush(to, error);
}

static bool run(const struct dd *dd, GError **error)
{
	struct image_create what = { .path = dd->to };
	const char *format = dd->target_format ? dd->target_format : "raw";
	autoptr(image) from = image_open(dd->from, dd->format, IMAGE_BACKING, error);
	autoptr(image) to = NULL;
	uint64_t start, end;

	if (!from)
		return false;
	find_range(dd, from->size, &start, &end);
	what.size = (end - start + 511) & ~(uint64_t)511;
	if (g_file_test(dd->to, G_FILE_TEST_IS_REGULAR))
		(void)sys_unlink(dd->to);
	if (!image_create(format, &what, error))
		return false;
	to = image_open(dd->to, format, IMAGE_WRITE | IMAGE_NO_FLUSH, error);
	if (to && copy(from, to, start, end, error))
		return true;
	(void)sys_unlink(dd->to);
	return false;
}

int img_dd(const struct img_command *command, int argc, char **argv)
{
	struct dd dd = { .block = 512 };
	gboolean shared = FALSE;
	const GOptionEntry entries[] = {
		{ "format", 'f', 0, G_OPTION_ARG_STRING, &dd.format,
		  "format of the source; else it is looked at", "FORMAT" },
		{ "target-format", 'O', 0, G_OPTION_ARG_STRING, &dd.target_format,
		  "format of the target; else raw", "FORMAT" },
		{ "force-share", 'U', 0, G_OPTION_ARG_NONE, &shared, "has no effect", NULL },
		{ NULL, 0, 0, G_OPTION_ARG_NONE, NULL, NULL, NULL },
	};
	g_autoptr(GError) error = NULL;
	int status = IMG_OK;

	if (img_parse(command, entries, &argc, &argv, 1, 5, &status)) {
		bool ok = true;

		for (int i = 1; ok && i < argc; i++)
			ok = take_operand(&dd, argv[i], &error);
		if (ok && (!dd.from || !dd.to || !dd.block))
			ok = error_set(&error, SOCLE_ERROR_USAGE,
				       "dd needs if=FILE and of=FILE, and blocks have bytes");
		img_catch_signals();
		if (!ok || !run(&dd, &error))
			status = img_fail(error);
	}
	g_free(dd.format);
	g_free(dd.target_format);
	return status;
}
