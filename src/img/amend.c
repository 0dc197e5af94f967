/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * amend.c - socle-img amend: change options of an image
 */
#include <string.h>

#include "base/error.h"
#include "block/qcow2/qcow2.h"
#include "img/img.h"

/* on, off; -1: it is not given. */
static bool take_switch(GHashTable *options, const char *name, int *ret, GError **error)
{
	const char *value = g_hash_table_lookup(options, name);

	*ret = -1;
	if (!value)
		return true;
	if (strcmp(value, "on") != 0 && strcmp(value, "off") != 0)
		return error_set(error, SOCLE_ERROR_USAGE, "%s is on or off, not '%s'", name,
				 value);
	*ret = !strcmp(value, "on");
	return true;
}

static bool take_version(const char *compat, uint32_t *ret_version, GError **error)
{
	if (!compat)
		return true;
	if (!strcmp(compat, "0.10") || !strcmp(compat, "v2"))
		*ret_version = 2;
	else if (!strcmp(compat, "1.1") || !strcmp(compat, "v3"))
		*ret_version = 3;
	else
		return error_set(error, SOCLE_ERROR_USAGE, "compat is 0.10 or 1.1, not '%s'",
				 compat);
	return true;
}

static bool amend(const char *path, char **texts, GError **error)
{
	g_autoptr(GHashTable) options =
		g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	struct qcow2_amend what = { .version = 0 };
	autoptr(image) image = NULL;
	const char *bits;

	if (!texts)
		return error_set(error, SOCLE_ERROR_USAGE, "what is to be changed? Say -o A=B");
	if (!img_create_options(texts, &image_qcow2_ops, options, error) ||
	    !take_version(g_hash_table_lookup(options, "compat"), &what.version, error) ||
	    !take_switch(options, "lazy_refcounts", &what.lazy_refcounts, error) ||
	    !take_switch(options, "data_file_raw", &what.data_file_raw, error))
		return false;
	bits = g_hash_table_lookup(options, "refcount_bits");
	what.refcount_bits = bits ? (unsigned)g_ascii_strtoull(bits, NULL, 10) : 0;
	image = image_open(path, "qcow2", IMAGE_WRITE, error);
	return image && qcow2_amend(image, &what, error);
}

int img_amend(const struct img_command *command, int argc, char **argv)
{
	g_auto(GStrv) options = NULL;
	g_autofree char *format = NULL, *cache = NULL;
	gboolean progress = FALSE, quiet = FALSE, force = FALSE;
	const GOptionEntry entries[] = {
		{ "format", 'f', 0, G_OPTION_ARG_STRING, &format, "format: qcow2", "FORMAT" },
		{ "options", 'o', 0, G_OPTION_ARG_STRING_ARRAY, &options,
		  "what is to be changed: compat, lazy_refcounts, data_file_raw", "A=B,..." },
		{ "cache", 't', 0, G_OPTION_ARG_STRING, &cache, "has no effect", "MODE" },
		{ "progress", 'p', 0, G_OPTION_ARG_NONE, &progress, "has no effect", NULL },
		{ "quiet", 'q', 0, G_OPTION_ARG_NONE, &quiet, "has no effect", NULL },
		{ "force", 0, 0, G_OPTION_ARG_NONE, &force, "has no effect", NULL },
		{ NULL, 0, 0, G_OPTION_ARG_NONE, NULL, NULL, NULL },
	};
	g_autoptr(GError) error = NULL;
	int status;

	if (!img_parse(command, entries, &argc, &argv, 1, 1, &status))
		return status;
	if (format && strcmp(format, "qcow2") != 0)
		return img_fail_text("images of format '%s' have nothing that can be changed",
				     format);
	return amend(argv[1], options, &error) ? IMG_OK : img_fail(error);
}
