/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * commit.c - socle-img commit: write an image's changes to the one behind it
 *
 * What was committed is durable before the image in front is emptied, so an interruption at any
 * moment leaves what a reader of the image finds as it was.
 */
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "block/job.h"
#include "block/qcow2/qcow2.h"
#include "img/img.h"

struct commit {
	char *format, *cache, *base, *rate;
	gboolean keep, progress, quiet;
	struct image *image, *target;
	struct img_progress bar;
};

/* The image of the chain that is committed to. */
static struct image *find_base(const struct commit *c, GError **error)
{
	struct image *base = c->image->backing;

	if (!base) {
		error_set(error, SOCLE_ERROR_USAGE, "image '%s' has nothing behind it",
			  c->image->path);
		return NULL;
	}
	if (!c->base)
		return base;
	for (; base; base = base->backing) {
		const struct image *front = c->image;

		while (front->backing != base)
			front = front->backing;
		if (!strcmp(base->path, c->base) || !strcmp(front->backing_file, c->base))
			return base;
	}
	error_set(error, SOCLE_ERROR_USAGE, "'%s' is not behind image '%s'", c->base,
		  c->image->path);
	return NULL;
}

static bool copy(struct commit *c, const struct image *base, GError **error)
{
	autoptr(image_job) job = image_job_commit(c->image, base, c->target);
	struct image_job_progress progress = { .ready = false };

	while (!progress.ready) {
		if (!img_go_on(error) || !image_job_step(job, &progress, error))
			return false;
		img_progress(&c->bar, progress.done, progress.total);
	}
	return image_flush(c->target, error);
}

static bool run(struct commit *c, const char *path, GError **error)
{
	unsigned cache = 0;
	struct image *base;

	if (c->cache && !img_cache(c->cache, &cache, error))
		return false;
	c->image = image_open(path, c->format ? c->format : "qcow2",
			      IMAGE_WRITE | IMAGE_BACKING | IMAGE_BACKING_SHARED | cache, error);
	base = c->image ? find_base(c, error) : NULL;
	if (!base)
		return false;
	c->target = image_open(base->path, base->ops->format,
			       IMAGE_WRITE | IMAGE_BACKING | IMAGE_BACKING_SHARED | cache, error);
	if (!c->target)
		return false;
	if (c->target->size < c->image->size && !image_resize(c->target, c->image->size, error))
		return false;
	img_catch_signals();
	img_progress_begin(&c->bar, c->progress, c->quiet);
	if (!copy(c, base, error))
		return false;
	/* With images in between, those would be in front of what has been committed. */
	if (c->keep || base != c->image->backing)
		return true;
	return qcow2_make_empty(c->image, error) && image_flush(c->image, error);
}

int img_commit(const struct img_command *command, int argc, char **argv)
{
	struct commit c = { 0 };
	const GOptionEntry entries[] = {
		{ "format", 'f', 0, G_OPTION_ARG_STRING, &c.format, "format of the image",
		  "FORMAT" },
		{ "base", 'b', 0, G_OPTION_ARG_STRING, &c.base,
		  "down to this image of the chain; else the next one", "FILE" },
		{ "keep", 'd', 0, G_OPTION_ARG_NONE, &c.keep, "do not empty the image in front",
		  NULL },
		{ "cache", 't', 0, G_OPTION_ARG_STRING, &c.cache, "cache mode", "MODE" },
		{ "rate", 'r', 0, G_OPTION_ARG_STRING, &c.rate, "has no effect", "RATE" },
		{ "progress", 'p', 0, G_OPTION_ARG_NONE, &c.progress, "show progress", NULL },
		{ "quiet", 'q', 0, G_OPTION_ARG_NONE, &c.quiet, "print nothing", NULL },
		{ NULL, 0, 0, G_OPTION_ARG_NONE, NULL, NULL, NULL },
	};
	g_autoptr(GError) error = NULL;
	int status;

	if (img_parse(command, entries, &argc, &argv, 1, 1, &status)) {
		bool ok = run(&c, argv[1], &error);

		img_progress_end(&c.bar);
		status = ok ? IMG_OK : img_fail(error);
		if (ok && !c.quiet)
			printf("Image committed.\n");
	}
	image_close(c.image);
	image_close(c.target);
	g_free(c.format);
	g_free(c.cache);
	g_free(c.base);
	g_free(c.rate);
	return status;
}
