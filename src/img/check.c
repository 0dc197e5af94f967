/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * check.c - socle-img check: is an image consistent?
 */
#include "img/check.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "block/qcow2/qcow2.h"

enum {
	CLEAN = 0,
	CANNOT = 1,
	CORRUPT = 2,
	LEAKS = 3,
	NO_CHECK = 63,
};

struct checked {
	const char *path;
	bool repairs, leaks_only;
	struct qcow2_check found, left; /* before and after a repair */
	struct qcow2_repaired repaired;
	GString *counts; /* lines of what is done about them, to be told behind them */
};

/* What has been found wrong with counts is repaired before anything else. */
static void tell_counts(struct checked *checked)
{
	(void)fputs(checked->counts->str, stderr);
	g_string_truncate(checked->counts, 0);
}

/* Whoever wants a repair is told what is done, in qemu-img's words. */
static void tell_repair(struct checked *checked, const char *text)
{
	const char *cluster = strstr(text, " cluster ");

	if (g_str_has_prefix(text, "ERROR OFLAG_COPIED ") && !checked->leaks_only) {
		tell_counts(checked);
		(void)fprintf(stderr, "Repairing %s\n", text + strlen("ERROR "));
		return;
	}
	if (!checked->leaks_only && g_str_has_prefix(text, "ERROR snapshot table entry "))
		(void)fprintf(stderr, "Repairing %s\n", text + strlen("ERROR "));
	else if (!checked->leaks_only && g_str_has_prefix(text, "ERROR too much extra "))
		(void)fprintf(stderr, "Discarding %s\n", text + strlen("ERROR "));
	else
		(void)fprintf(stderr, "%s\n", text);
	if (g_str_has_prefix(text, "Leaked cluster ") ||
	    (g_str_has_prefix(text, "ERROR cluster ") && !checked->leaks_only))
		g_string_append_printf(checked->counts, "Repairing%s\n", cluster);
}

static void tell(void *opaque, enum qcow2_finding finding, const char *text)
{
	struct checked *checked = opaque;

	(void)finding;
	if (checked->repairs)
		tell_repair(checked, text);
	else
		(void)fprintf(stderr, "%s\n", text);
}

struct qcow2_header *img_check_header(const char *path, struct block_file *file, GError **error)
{
	int64_t size = block_file_size(file);
	uint8_t head[QCOW2_V2_LEN];
	g_autofree uint8_t *cluster = NULL;
	unsigned bits;
	size_t len = 0;
	int ret = size < 0 ? (int)size : block_file_read(file, 0, head, sizeof(head));

	if (!ret) {
		bits = qcow2_header_cluster_bits(head, sizeof(head));
		/* Whatever else is wrong is said by the parser. */
		len = bits ? (size_t)1 << bits : sizeof(head);
		len = MIN(len, (size_t)size);
		cluster = g_malloc0(MAX(len, 1));
		ret = block_file_read(file, 0, cluster, len);
	}
	if (ret < 0) {
		error_sys(error, ret, "cannot read image '%s'", path);
		return NULL;
	}
	return qcow2_header_parse(path, cluster, len, (uint64_t)size, error);
}

static bool examine(struct checked *checked, struct block_file *file, GError **error)
{
	struct qcow2_check_listener listener = { .found = tell, .opaque = checked };
	autoptr(qcow2_header) header = NULL;

	if (checked->repairs) {
		enum qcow2_repair what =
			checked->leaks_only ? QCOW2_REPAIR_LEAKS : QCOW2_REPAIR_ALL;
		g_autoptr(GString) counts = g_string_new(NULL);
		bool ok;

		checked->counts = counts;
		ok = qcow2_repair(checked->path, file, what, &listener, &checked->found,
				  &checked->left, &checked->repaired, error);
		tell_counts(checked);
		return ok;
	}
	header = img_check_header(checked->path, file, error);
	if (!header)
		g_prefix_error(error, "Could not open '%s': ", checked->path);
	return header && qcow2_check(checked->path, file, header, &listener, &checked->left, error);
}

static void print_human(const struct checked *checked)
{
	const struct qcow2_check *left = &checked->left;
	const struct qcow2_repaired *repaired = &checked->repaired;

	if (repaired->leaks || repaired->corruptions)
		img_out("The following inconsistencies were found and repaired:\n\n"
			"    %" PRIu64 " leaked clusters\n    %" PRIu64 " corruptions\n\n"
			"Double checking the fixed image now...\n",
			repaired->leaks, repaired->corruptions);
	if (!left->leaks && !left->corruptions)
		img_out("No errors were found on the image.\n");
	if (left->corruptions)
		img_out("\n%" PRIu64 " errors were found on the image.\nData may be corrupted, or "
			"further writes to the image may corrupt it.\n",
			left->corruptions);
	if (left->leaks)
		img_out("\n%" PRIu64 " leaked clusters were found on the image.\nThis means waste "
			"of disk space, but no harm to data.\n",
			left->leaks);
	if (left->total && left->allocated)
		img_out("%" PRIu64 "/%" PRIu64 " = %0.2f%% allocated, %0.2f%% fragmented, %0.2f%% "
			"compressed clusters\n",
			left->allocated, left->total,
			(double)left->allocated * 100.0 / (double)left->total,
			(double)left->fragmented * 100.0 / (double)left->allocated,
			(double)left->compressed * 100.0 / (double)left->allocated);
	if (left->image_end)
		img_out("Image end offset: %" PRIu64 "\n", left->image_end);
}

static void add_count(json_t *object, const char *key, uint64_t count)
{
	if (count)
		json_object_set_new(object, key, json_integer((json_int_t)count));
}

static void print_json(const struct checked *checked)
{
	const struct qcow2_check *left = &checked->left;
	json_t *object = json_object();

	add_count(object, "image-end-offset", left->image_end);
	add_count(object, "total-clusters", left->total);
	json_object_set_new(object, "check-errors", json_integer(0));
	add_count(object, "corruptions", left->corruptions);
	add_count(object, "corruptions-fixed", checked->repaired.corruptions);
	add_count(object, "leaks", left->leaks);
	add_count(object, "leaks-fixed", checked->repaired.leaks);
	add_count(object, "allocated-clusters", left->allocated);
	add_count(object, "fragmented-clusters", left->fragmented);
	add_count(object, "compressed-clusters", left->compressed);
	json_object_set_new(object, "filename", img_json_string(checked->path));
	json_object_set_new(object, "format", json_string("qcow2"));
	img_out_json(object);
}

/* What was named, or is guessed - also for a repair: the file is not opened as anything else. */
static bool is_qcow2(const char *format, const char *path, struct block_file *file, bool *ret,
		     GError **error)
{
	uint8_t head[4];
	int err;

	if (format && !image_format_find(format, error))
		return false;
	err = block_file_read(file, 0, head, sizeof(head));
	if (err < 0)
		return error_sys(error, err, "cannot read image '%s'", path);
	*ret = format ? !strcmp(format, "qcow2") : !memcmp(head, "QFI\xfb", 4);
	return true;
}

static bool parse_repair(const struct img_args *args, struct checked *checked, GError **error)
{
	const char *what = img_args_value(args, 'r');

	checked->repairs = what != NULL;
	checked->leaks_only = what && !strcmp(what, "leaks");
	if (!what || checked->leaks_only || !strcmp(what, "all"))
		return true;
	return error_set(error, SOCLE_ERROR_USAGE, "-r is leaks or all, not '%s'", what);
}

static int check(const struct img_args *args, GError **error)
{
	autoptr(img_name) name =
		img_name_of(args, img_args_word(args, 0), img_args_value(args, 'f'), error);
	struct checked checked = { .path = name ? name->path : NULL };
	unsigned flags = img_args_has(args, 'U') ? BLOCK_FILE_SHARED : 0;
	autoptr(block_file) file = NULL;
	bool json, qcow2 = false;

	if (!name || !img_args_json(args, &json, error) || !parse_repair(args, &checked, error))
		return CANNOT;
	file = block_file_open(checked.path, flags | (checked.repairs ? BLOCK_FILE_WRITE : 0),
			       error);
	if (!file || !is_qcow2(name->format, checked.path, file, &qcow2, error))
		return g_prefix_error(error, "Could not open '%s': ", checked.path), CANNOT;
	if (!qcow2) {
		error_set(error, SOCLE_ERROR_UNSUPPORTED,
			  "this image format does not support checks; only qcow2 does");
		return NO_CHECK;
	}
	if (!examine(&checked, file, error))
		return CANNOT;
	if (json)
		print_json(&checked);
	else if (!img_args_has(args, 'q'))
		print_human(&checked);
	if (checked.left.corruptions)
		return CORRUPT;
	return checked.left.leaks ? LEAKS : CLEAN;
}

static const struct img_option options[] = {
	IMG_ROW_FORMAT,          { 'r', "repair", "leaks|all", "mend what is wrong" },
	IMG_ROW_OUTPUT,          IMG_ROW_SOURCE_CACHE,
	IMG_ROW_QUIET,           IMG_ROW_SHARED,
	IMG_ROW_OBJECT,          IMG_ROW_IMAGE_OPTS,
	{ 0, NULL, NULL, NULL },
};

const struct img_command img_check = {
	.name = "check",
	.arguments = "IMAGE",
	.summary = "Tell whether an image is consistent; mend it",
	.options = options,
	.min = 1,
	.max = 1,
	.wanted = "expecting one image file name",
	.failure = CANNOT,
	.run = check,
};
