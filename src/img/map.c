/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * map.c - socle-img map: where is the data of an image?
 */
#include <stdio.h>

#include "base/error.h"
#include "img/img.h"

struct map {
	gboolean shared;
	char *format, *output, *start, *max;
	bool json, any;          /* any: something has been printed */
	struct image_extent run; /* what has not been printed yet, from @from on */
	uint64_t from;
};

static bool belongs(const struct map *m, uint64_t off, const struct image_extent *extent)
{
	const struct image_extent *run = &m->run;

	return run->len && m->from + run->len == off && run->kind == extent->kind &&
	       run->depth == extent->depth && run->compressed == extent->compressed &&
	       run->has_host_off == extent->has_host_off && run->file == extent->file &&
	       (!run->has_host_off || run->host_off + run->len == extent->host_off);
}

static const char *name_of(bool value)
{
	return value ? "true" : "false";
}

static void print_json(struct map *m)
{
	const struct image_extent *e = &m->run;

	printf("%s{ \"start\": %" G_GUINT64_FORMAT ", \"length\": %" G_GUINT64_FORMAT
	       ", \"depth\": %u, \"present\": %s, \"zero\": %s, \"data\": %s",
	       m->any ? ",\n" : "", m->from, e->len, e->depth, name_of(e->kind != IMAGE_ABSENT),
	       name_of(e->kind != IMAGE_DATA), name_of(e->kind == IMAGE_DATA));
	if (e->has_host_off)
		printf(", \"offset\": %" G_GUINT64_FORMAT, e->host_off);
	printf("}");
	m->any = true;
}

static bool print(struct map *m, GError **error)
{
	const struct image_extent *e = &m->run;

	if (!e->len)
		return true;
	if (m->json) {
		print_json(m);
		return true;
	}
	if (e->kind != IMAGE_DATA)
		return true;
	if (!e->has_host_off)
		return error_set(error, SOCLE_ERROR_UNSUPPORTED,
				 "'%s' has compressed data, which has no place of its own; "
				 "--output=json lists it",
				 e->file);
	printf("%#-16" G_GINT64_MODIFIER "x%#-16" G_GINT64_MODIFIER "x%#-16" G_GINT64_MODIFIER
	       "x%s\n",
	       m->from, e->len, e->host_off, e->file);
	return true;
}

static bool map(struct map *m, struct image *image, uint64_t off, uint64_t end, GError **error)
{
	while (off < end) {
		struct image_extent extent;

		if (!image_map_chain(image, off, end - off, &extent, error))
			return false;
		if (belongs(m, off, &extent)) {
			m->run.len += extent.len;
		} else {
			if (!print(m, error))
				return false;
			m->run = extent;
			m->from = off;
		}
		off += extent.len;
	}
	return print(m, error);
}

static bool run(struct map *m, const char *path, GError **error)
{
	unsigned flags = IMAGE_BACKING | (m->shared ? IMAGE_SHARED | IMAGE_NO_LOCK : 0);
	uint64_t start = 0, max = UINT64_MAX;
	autoptr(image) image = NULL;
	bool ok;

	if (!img_output(m->output, &m->json, error) ||
	    (m->start && !img_size(m->start, &start, error)) ||
	    (m->max && !img_size(m->max, &max, error)))
		return false;
	image = image_open(path, m->format, flags, error);
	if (!image)
		return false;
	start = MIN(start, image->size);
	if (m->json)
		printf("[");
	else
		printf("%-16s%-16s%-16s%s\n", "Offset", "Length", "Mapped to", "File");
	ok = map(m, image, start, start + MIN(max, image->size - start), error);
	if (m->json)
		printf("]\n");
	return ok;
}

int img_map(const struct img_command *command, int argc, char **argv)
{
	struct map m = { .shared = FALSE };
	const GOptionEntry entries[] = {
		{ "format", 'f', 0, G_OPTION_ARG_STRING, &m.format, "format; else it is looked at",
		  "FORMAT" },
		{ "output", 0, 0, G_OPTION_ARG_STRING, &m.output, "human or json", "WAY" },
		{ "start-offset", 's', 0, G_OPTION_ARG_STRING, &m.start, "where to begin", "SIZE" },
		{ "max-length", 'l', 0, G_OPTION_ARG_STRING, &m.max, "how much to look at",
		  "SIZE" },
		{ "force-share", 'U', 0, G_OPTION_ARG_NONE, &m.shared,
		  "look at it also while others write to it", NULL },
		{ NULL, 0, 0, G_OPTION_ARG_NONE, NULL, NULL, NULL },
	};
	g_autoptr(GError) error = NULL;
	int status;

	if (!img_parse(command, entries, &argc, &argv, 1, 1, &status))
		return status;
	status = run(&m, argv[1], &error) ? IMG_OK : img_fail(error);
	g_free(m.format);
	g_free(m.output);
	g_free(m.start);
	g_free(m.max);
	return status;
}
