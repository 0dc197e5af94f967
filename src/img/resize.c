/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * resize.c - socle-img resize: make an image larger or smaller
 */
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "img/img.h"

struct resize {
	char *format, *preallocation;
	gboolean quiet, shrink;
};

/* "+1G" and "-1G" are relative. */
static bool new_size(const struct image *image, const char *text, uint64_t *ret_size,
		     GError **error)
{
	char sign = *text == '+' || *text == '-' ? *text : 0;
	uint64_t size;

	if (!img_size(text + (sign != 0), &size, error))
		return false;
	if (sign == '-' && size > image->size)
		return error_set(error, SOCLE_ERROR_USAGE,
				 "image '%s' has %" G_GUINT64_FORMAT " bytes only", image->path,
				 image->size);
	if (sign == '-')
		size = image->size - size;
	else if (sign == '+')
		size = size > UINT64_MAX - image->size ? UINT64_MAX : image->size + size;
	if (size > INT64_MAX - 511)
		return error_set(error, SOCLE_ERROR_LIMIT, "image '%s' would be too large",
				 image->path);
	*ret_size = (size + 511) & ~(uint64_t)511;
	return true;
}

static bool resize_image(const struct resize *resize, const char *path, const char *text,
			 GError **error)
{
	autoptr(image) image = image_open(path, resize->format, IMAGE_WRITE, error);
	uint64_t size;

	if (!image || !new_size(image, text, &size, error))
		return false;
	if (size < image->size && !resize->shrink)
		return error_set(error, SOCLE_ERROR_USAGE,
				 "what is behind byte %" G_GUINT64_FORMAT " of image '%s' would be "
				 "lost; say --shrink if that is meant",
				 size, path);
	if (resize->preallocation && strcmp(resize->preallocation, "off") != 0)
		return error_set(error, SOCLE_ERROR_UNSUPPORTED,
				 "only --preallocation=off is there");
	return image_resize(image, size, error) && image_flush(image, error);
}

int img_resize(const struct img_command *command, int argc, char **argv)
{
	struct resize resize = { 0 };
	const GOptionEntry entries[] = {
		{ "format", 'f', 0, G_OPTION_ARG_STRING, &resize.format,
		  "format, which is not guessed", "FORMAT" },
		{ "preallocation", 0, 0, G_OPTION_ARG_STRING, &resize.preallocation, "off",
		  "MODE" },
		{ "shrink", 0, 0, G_OPTION_ARG_NONE, &resize.shrink,
		  "what is behind the new end may be lost", NULL },
		{ "quiet", 'q', 0, G_OPTION_ARG_NONE, &resize.quiet, "print nothing", NULL },
		{ NULL, 0, 0, G_OPTION_ARG_NONE, NULL, NULL, NULL },
	};
	/* The size comes last, and may look like an option. */
	const char *size = argc > 2 ? argv[argc - 1] : NULL;
	g_autoptr(GError) error = NULL;
	int status = IMG_OK;

	if (size && (g_ascii_isdigit(size[*size == '+' || *size == '-'])))
		argv[--argc] = NULL;
	else
		size = NULL;
	if (img_parse(command, entries, &argc, &argv, 1, 1, &status)) {
		if (!size)
			status = img_fail_text("resize: the arguments are: %s", command->arguments);
		else if (!resize_image(&resize, argv[1], size, &error))
			status = img_fail(error);
		else if (!resize.quiet)
			printf("Image resized.\n");
	}
	g_free(resize.format);
	g_free(resize.preallocation);
	return status;
}
