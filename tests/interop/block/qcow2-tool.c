/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * qcow2-tool.c - do things to a qcow2 image, for check-qcow2-write
 *
 * usage: qcow2-tool create IMAGE SIZE [NAME=VALUE...]   backing_file=, backing_fmt= are options, too
 *        qcow2-tool run IMAGE WORD...                   one after the other, then flush and close
 *        qcow2-tool read IMAGE                          all of it, to standard output
 *        qcow2-tool repair IMAGE
 * Words: write:PATTERN:OFF:LEN packed:PATTERN:OFF:LEN zero:0:OFF:LEN unmap:0:OFF:LEN
 *        discard:0:OFF:LEN flush resize:SIZE create:NAME apply:NAME delete:NAME version:N lazy:N
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "block/qcow2/qcow2.h"

static bool create(char **args, GError **error)
{
	g_autoptr(GHashTable) options = g_hash_table_new(g_str_hash, g_str_equal);
	struct image_create what = {
		.path = args[0],
		.size = strtoull(args[1], NULL, 10),
		.options = options,
	};

	for (char **arg = args + 2; *arg; arg++) {
		char *value = strchr(*arg, '=');

		*value++ = 0;
		if (!strcmp(*arg, "backing_file"))
			what.backing_file = value;
		else if (!strcmp(*arg, "backing_fmt"))
			what.backing_format = value;
		else
			g_hash_table_insert(options, *arg, value);
	}
	return image_create("qcow2", &what, error);
}

static bool run_packed(struct image *image, uint64_t off, const uint8_t *data, GError **error)
{
	g_autofree uint8_t *out = g_malloc(image->cluster_size);
	const ssize_t n = image->ops->pack(image, data, out);

	return n ? image->ops->write_packed(image, off, out, (size_t)n, error)
		 : image_write(image, off, data, image->cluster_size, error);
}

static bool run_range(struct image *image, char **part, GError **error)
{
	const uint64_t off = g_ascii_strtoull(part[2], NULL, 10),
		       len = g_ascii_strtoull(part[3], NULL, 10);
	g_autofree uint8_t *data = g_malloc(len);

	memset(data, (int)g_ascii_strtoll(part[1], NULL, 10), len);
	if (!strcmp(part[0], "write"))
		return image_write(image, off, data, len, error);
	if (!strcmp(part[0], "packed"))
		return run_packed(image, off, data, error);
	if (!strcmp(part[0], "discard"))
		return image_discard(image, off, len, error);
	return image_zero(image, off, len, !strcmp(part[0], "unmap"), error);
}

static bool run_word(struct image *image, const char *word, GError **error)
{
	g_auto(GStrv) part = g_strsplit(word, ":", 4);
	struct qcow2_amend amend = { .lazy_refcounts = -1, .data_file_raw = -1 };

	if (!strcmp(part[0], "flush"))
		return image_flush(image, error);
	if (g_strv_length(part) == 4)
		return run_range(image, part, error);
	if (!strcmp(part[0], "resize"))
		return image_resize(image, g_ascii_strtoull(part[1], NULL, 10), error);
	if (!strcmp(part[0], "create"))
		return qcow2_snapshot_create(image, part[1], g_get_real_time(), error);
	if (!strcmp(part[0], "apply"))
		return qcow2_snapshot_apply(image, part[1], error);
	if (!strcmp(part[0], "delete"))
		return qcow2_snapshot_delete(image, part[1], error);
	if (!strcmp(part[0], "version"))
		amend.version = (uint32_t)g_ascii_strtoull(part[1], NULL, 10);
	if (!strcmp(part[0], "lazy"))
		amend.lazy_refcounts = (int)g_ascii_strtoll(part[1], NULL, 10);
	return qcow2_amend(image, &amend, error);
}

static bool run(char **args, GError **error)
{
	autoptr(image) image = image_open(args[0], "qcow2", IMAGE_WRITE | IMAGE_BACKING, error);

	if (!image)
		return false;
	for (char **word = args + 1; *word; word++) {
		if (!run_word(image, *word, error)) {
			g_prefix_error(error, "%s: ", *word);
			return false;
		}
	}
	return image_flush(image, error);
}

static bool read_all(char **args, GError **error)
{
	enum {
		LEN = 1 << 20
	};
	autoptr(image) image = image_open(args[0], NULL, IMAGE_BACKING, error);
	g_autofree uint8_t *buf = g_malloc(LEN);

	for (uint64_t off = 0; image && off < image->size; off += LEN) {
		const size_t n = (size_t)MIN(image->size - off, (uint64_t)LEN);

		if (!image_read(image, off, buf, n, error))
			return false;
		if (fwrite(buf, 1, n, stdout) != n)
			return error_set(error, SOCLE_ERROR_FAILED, "cannot write");
	}
	return image;
}

static bool repair(char **args, GError **error)
{
	autoptr(block_file) file = block_file_open(args[0], BLOCK_FILE_WRITE, error);
	struct qcow2_check before, after;
	struct qcow2_repaired repaired;

	if (!file ||
	    !qcow2_repair(args[0], file, QCOW2_REPAIR_ALL, NULL, &before, &after, &repaired, error))
		return false;
	printf("%" PRIu64 " %" PRIu64 "\n", repaired.corruptions, repaired.leaks);
	return !after.corruptions && !after.leaks;
}

int main(int argc, char **argv)
{
	g_autoptr(GError) error = NULL;
	bool ok = false;

	if (argc < 3)
		return 2;
	if (!strcmp(argv[1], "create") && argc > 3)
		ok = create(argv + 2, &error);
	else if (!strcmp(argv[1], "run"))
		ok = run(argv + 2, &error);
	else if (!strcmp(argv[1], "read"))
		ok = read_all(argv + 2, &error);
	else if (!strcmp(argv[1], "repair"))
		ok = repair(argv + 2, &error);
	if (!ok)
		(void)fprintf(stderr, "qcow2-tool: %s\n", error ? error->message : "failed");
	return !ok;
}
