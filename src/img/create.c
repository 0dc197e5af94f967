/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * create.c - socle-img create: make an image
 */
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/sys.h"
#include "img/img.h"

struct create {
	char *format, *backing, *backing_format;
	char **options;
	gboolean quiet, unchecked;
};

/* What the options say, in the order in which the format lists them. */
static void tell(const struct image_ops *ops, const struct image_create *what)
{
	printf("Formatting '%s', fmt=%s", what->path, ops->format);
	for (const struct image_option *o = ops->create_options; o && o->name; o++) {
		const char *value = g_hash_table_lookup(what->options, o->name);

		if (value && strcmp(o->name, "size") != 0)
			printf(" %s=%s", o->name, value);
	}
	printf(" size=%" G_GUINT64_FORMAT, what->size);
	if (what->backing_file)
		printf(" backing_file=%s backing_fmt=%s", what->backing_file, what->backing_format);
	printf("\n");
}

/* Take an option that this command knows itself. */
static char *take(GHashTable *options, const char *name)
{
	char *value = g_strdup(g_hash_table_lookup(options, name));

	g_hash_table_remove(options, name);
	return value;
}

/* How large: as it is told, else as what is behind it. */
static bool find_size(const struct create *create, struct image_create *what, const char *text,
		      GError **error)
{
	g_autofree char *path = NULL;
	autoptr(image) behind = NULL;

	if (text && !img_size(text, &what->size, error))
		return false;
	if (what->backing_file && !create->unchecked) {
		path = image_resolve(what->path, what->backing_file);
		behind = image_open(path, what->backing_format, IMAGE_BACKING | IMAGE_NO_LOCK,
				    error);
		if (!behind)
			return false;
	}
	if (!text && behind)
		what->size = behind->size;
	else if (!text)
		return error_set(error, SOCLE_ERROR_USAGE,
				 "how large is image '%s' to be? Give a size", what->path);
	what->size = (what->size + 511) & ~(uint64_t)511;
	return true;
}

static bool create_image(struct create *create, const struct image_ops *ops,
			 struct image_create *what, const char *size, GError **error)
{
	g_autofree char *option_size = NULL;

	if (!img_create_options(create->options, ops, what->options, error))
		return false;
	option_size = take(what->options, "size");
	if (!create->backing)
		create->backing = take(what->options, "backing_file");
	if (!create->backing_format)
		create->backing_format = take(what->options, "backing_fmt");
	what->backing_file = create->backing;
	what->backing_format = create->backing_format;
	if (what->backing_file && !what->backing_format)
		return error_set(error, SOCLE_ERROR_USAGE,
				 "what format has '%s'? It is never guessed: say -F FORMAT",
				 what->backing_file);
	if (!find_size(create, what, size ? size : option_size, error))
		return false;
	if (!create->quiet)
		tell(ops, what);
	/* An old image goes, as with qemu-img; anything but a file stays. */
	if (g_file_test(what->path, G_FILE_TEST_IS_REGULAR))
		(void)sys_unlink(what->path);
	return image_create(ops->format, what, error);
}

int img_create(const struct img_command *command, int argc, char **argv)
{
	struct create create = { 0 };
	const GOptionEntry entries[] = {
		{ "format", 'f', 0, G_OPTION_ARG_STRING, &create.format, "format; else raw",
		  "FORMAT" },
		{ "options", 'o', 0, G_OPTION_ARG_STRING_ARRAY, &create.options,
		  "options of the format; \"help\" lists them", "A=B,..." },
		{ "backing", 'b', 0, G_OPTION_ARG_STRING, &create.backing, "what stands behind it",
		  "FILE" },
		{ "backing-format", 'F', 0, G_OPTION_ARG_STRING, &create.backing_format,
		  "format of that", "FORMAT" },
		{ "unchecked", 'u', 0, G_OPTION_ARG_NONE, &create.unchecked,
		  "what stands behind it need not be there", NULL },
		{ "quiet", 'q', 0, G_OPTION_ARG_NONE, &create.quiet, "print nothing", NULL },
		{ NULL, 0, 0, G_OPTION_ARG_NONE, NULL, NULL, NULL },
	};
	g_autoptr(GHashTable) options =
		g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	g_autoptr(GError) error = NULL;
	int status = IMG_OK;

	if (img_parse(command, entries, &argc, &argv, 0, 2, &status)) {
		const struct image_ops *ops =
			image_format_find(create.format ? create.format : "raw", &error);
		struct image_create what = { .path = argv[1], .options = options };

		if (ops && img_wants_help(create.options))
			img_print_options(ops);
		else if (argc < 2)
			status = img_fail_text("create: the arguments are: %s", command->arguments);
		else if (!ops ||
			 !create_image(&create, ops, &what, argc > 2 ? argv[2] : NULL, &error))
			status = img_fail(error);
	}
	g_free(create.format);
	g_free(create.backing);
	g_free(create.backing_format);
	g_strfreev(create.options);
	return status;
}
