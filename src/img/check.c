/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * check.c - socle-img check: look for what is wrong with an image, and mend it
 */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "block/qcow2/qcow2.h"
#include "img/img.h"

enum {
	CORRUPT = 2,
	LEAKS = 3,
	NO_CHECK = 63, /* the format has none */
};

struct check_result {
	struct qcow2_check before, after;
	struct qcow2_repaired repaired;
	bool repairs;
};

static void print_finding(void *opaque, enum qcow2_finding finding, const char *text)
{
	const bool *quiet = opaque;

	if (!*quiet)
		(void)fprintf(stderr, "%s: %s\n", finding == QCOW2_LEAK ? "Leaked" : "ERROR", text);
}

static void add(json_t *json, const char *name, uint64_t value)
{
	if (value)
		json_object_set_new(json, name, json_integer((json_int_t)value));
}

static void print_json(const char *path, const struct check_result *r)
{
	json_t *json = json_object();

	json_object_set_new(json, "image-end-offset", json_integer((json_int_t)r->after.image_end));
	add(json, "total-clusters", r->after.total);
	json_object_set_new(json, "check-errors", json_integer(0));
	add(json, "corruptions", r->after.corruptions);
	add(json, "leaks", r->after.leaks);
	add(json, "corruptions-fixed", r->repaired.corruptions);
	add(json, "leaks-fixed", r->repaired.leaks);
	add(json, "allocated-clusters", r->after.allocated);
	add(json, "fragmented-clusters", r->after.fragmented);
	add(json, "compressed-clusters", r->after.compressed);
	json_object_set_new(json, "filename", json_string(path));
	json_object_set_new(json, "format", json_string("qcow2"));
	(void)json_dumpf(json, stdout, JSON_INDENT(4));
	printf("\n");
	json_decref(json);
}

static double per_cent(uint64_t part, uint64_t all)
{
	return 100.0 * (double)part / (double)all;
}

static void print_human(const struct check_result *r)
{
	const struct qcow2_check *c = &r->after;

	if (r->repaired.leaks || r->repaired.corruptions)
		printf("The following inconsistencies were found and repaired:\n\n"
		       "    %" G_GUINT64_FORMAT " leaked clusters\n"
		       "    %" G_GUINT64_FORMAT " corruptions\n\n"
		       "Double checking the fixed image now...\n",
		       r->repaired.leaks, r->repaired.corruptions);
	if (!c->leaks && !c->corruptions)
		printf("No errors were found on the image.\n");
	if (c->corruptions)
		printf("\n%" G_GUINT64_FORMAT " errors were found on the image.\n"
		       "Data may be corrupted, or further writes to the image may corrupt it.\n",
		       c->corruptions);
	if (c->leaks)
		printf("\n%" G_GUINT64_FORMAT " leaked clusters were found on the image.\n"
		       "This means waste of disk space, but no harm to data.\n",
		       c->leaks);
	if (c->total && c->allocated)
		printf("%" G_GUINT64_FORMAT "/%" G_GUINT64_FORMAT
		       " = %.2f%% allocated, %.2f%% fragmented, %.2f%% compressed clusters\n",
		       c->allocated, c->total, per_cent(c->allocated, c->total),
		       per_cent(c->fragmented, c->allocated),
		       per_cent(c->compressed, c->allocated));
	printf("Image end offset: %" G_GUINT64_FORMAT "\n", c->image_end);
}

static bool find_repair(const char *text, enum qcow2_repair *ret, GError **error)
{
	if (!strcmp(text, "leaks"))
		*ret = QCOW2_REPAIR_LEAKS;
	else if (!strcmp(text, "all"))
		*ret = QCOW2_REPAIR_ALL;
	else
		return error_set(error, SOCLE_ERROR_USAGE, "-r is leaks or all, not '%s'", text);
	return true;
}

/* Is it of a format that has a check? */
static bool is_qcow2(const char *path, const char *format, bool shared, bool *ret_yes,
		     GError **error)
{
	autoptr(image) image = NULL;

	*ret_yes = true;
	if (format && !strcmp(format, "qcow2"))
		return true;
	image = image_open(path, format, IMAGE_CHECK | IMAGE_NO_LOCK | (shared ? IMAGE_SHARED : 0),
			   error);
	if (!image)
		return false;
	*ret_yes = image->ops == &image_qcow2_ops;
	return true;
}

static bool check(const char *path, const char *repair, bool shared, bool quiet,
		  struct check_result *r, GError **error)
{
	const struct qcow2_check_listener listener = { .found = print_finding, .opaque = &quiet };
	enum qcow2_repair what = QCOW2_REPAIR_LEAKS;
	autoptr(block_file) file = NULL;

	if (repair && !find_repair(repair, &what, error))
		return false;
	file = block_file_open(path,
			       repair   ? BLOCK_FILE_WRITE
			       : shared ? BLOCK_FILE_SHARED | BLOCK_FILE_NO_LOCK
					: 0,
			       error);
	if (!file)
		return false;
	r->repairs = repair != NULL;
	if (repair)
		return qcow2_repair(path, file, what, &listener, &r->before, &r->after,
				    &r->repaired, error);
	return qcow2_check_file(path, file, &listener, &r->after, error);
}

int img_check(const struct img_command *command, int argc, char **argv)
{
	g_autofree char *format = NULL, *output = NULL, *repair = NULL, *cache = NULL;
	gboolean quiet = FALSE, shared = FALSE;
	const GOptionEntry entries[] = {
		{ "format", 'f', 0, G_OPTION_ARG_STRING, &format, "format; else it is looked at",
		  "FORMAT" },
		{ "output", 0, 0, G_OPTION_ARG_STRING, &output, "human or json", "WAY" },
		{ "repair", 'r', 0, G_OPTION_ARG_STRING, &repair,
		  "leaks: what loses nothing; all: as well as can be", "WHAT" },
		{ "cache", 'T', 0, G_OPTION_ARG_STRING, &cache, "has no effect", "MODE" },
		{ "quiet", 'q', 0, G_OPTION_ARG_NONE, &quiet, "print no findings", NULL },
		{ "force-share", 'U', 0, G_OPTION_ARG_NONE, &shared,
		  "look at it also while others write to it", NULL },
		{ NULL, 0, 0, G_OPTION_ARG_NONE, NULL, NULL, NULL },
	};
	struct check_result result = { .repairs = false };
	g_autoptr(GError) error = NULL;
	bool json, yes;
	int status;

	if (!img_parse(command, entries, &argc, &argv, 1, 1, &status))
		return status;
	if (!img_output(output, &json, &error) || !is_qcow2(argv[1], format, shared, &yes, &error))
		return img_fail(error);
	if (!yes) {
		(void)img_fail_text("This image format does not support checks");
		return NO_CHECK;
	}
	if (!check(argv[1], repair, shared, quiet, &result, &error))
		return img_fail(error);
	if (json)
		print_json(argv[1], &result);
	else if (!quiet)
		print_human(&result);
	return result.after.corruptions ? CORRUPT : result.after.leaks ? LEAKS : IMG_OK;
}
