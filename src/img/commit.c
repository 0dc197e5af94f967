/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * commit.c - socle-img commit: what an image has of its own goes into one behind it
 *
 * The images in front of the base are opened for reading, one by one, and put together without it;
 * the base is opened by itself, for writing. What is absent in all of them is in the base already.
 * The image right in front of the base is empty afterwards, as it would only hide what is the same;
 * one further in front stays, as what is in between is not what it was.
 */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "block/job.h"
#include "block/qcow2/qcow2.h"
#include "img/img.h"

struct commit {
	struct img_name *name;
	GPtrArray *paths, *formats; /* of the chain, the front first, the base last */
	struct image *front, *base;
	bool empties; /* the front */
};

/* Learn the chain's names; opening it checks that it ends. */
static bool find_chain(const struct img_args *args, struct commit *commit, GError **error)
{
	const char *wanted = img_args_value(args, 'b');
	autoptr(image) front =
		img_open_arg(args, img_args_word(args, 0), 't', IMAGE_BACKING, error);
	bool found = false;

	if (!front)
		return false;
	if (!front->backing)
		return error_set(error, SOCLE_ERROR_USAGE,
				 "image '%s' does not have a backing file", front->path);
	for (struct image *image = front; image && !found; image = image->backing) {
		g_ptr_array_add(commit->paths, g_strdup(image->path));
		g_ptr_array_add(commit->formats, g_strdup(image->ops->format));
		found = image != front && (!wanted || !strcmp(wanted, image->path));
	}
	return found ||
	       error_set(error, SOCLE_ERROR_NOT_FOUND,
			 "did not find '%s' in the backing chain of '%s'", wanted, front->path);
}

static bool open_parts(const struct img_args *args, struct commit *commit, GError **error)
{
	unsigned last = commit->paths->len - 1, cache;
	struct image_keys keys;
	struct image **next = &commit->front;

	if (!img_cache_flags(img_args_value(args, 't'), &cache, error))
		return false;
	commit->empties = last == 1 && !img_args_has(args, 'd') && !img_args_has(args, 'b') &&
			  !strcmp(commit->formats->pdata[0], image_qcow2_ops.format);
	for (unsigned i = 0; i < last; i++) {
		keys = img_name_keys(commit->name, i);
		keys.count = MIN(keys.count, 1u);
		*next = image_open_keys(commit->paths->pdata[i], commit->formats->pdata[i],
					commit->empties ? IMAGE_WRITE | cache : 0, &keys, error);
		if (!*next)
			return false;
		next = &(*next)->backing;
	}
	keys = img_name_keys(commit->name, last);
	commit->base = image_open_keys(commit->paths->pdata[last], commit->formats->pdata[last],
				       IMAGE_WRITE | IMAGE_BACKING | cache, &keys, error);
	return commit->base != NULL;
}

static bool fit_base(struct commit *commit, GError **error)
{
	if (commit->front->size <= commit->base->size)
		return true;
	return image_resize(commit->base, commit->front->size, error);
}

static bool copy_all(const struct img_args *args, struct commit *commit, GError **error)
{
	autoptr(image_job) job = image_job_commit(commit->front, NULL, commit->base);
	struct image_job_progress at = { .ready = false };
	struct img_progress progress;

	img_progress_start(&progress, args, commit->front->size);
	while (!at.ready) {
		if (!image_job_step(job, &at, error))
			return false;
		img_progress_at(&progress, at.done);
	}
	img_progress_end(&progress);
	return image_flush(commit->base, error);
}

static int commit(const struct img_args *args, GError **error)
{
	struct commit commit = { .paths = g_ptr_array_new_with_free_func(g_free),
				 .formats = g_ptr_array_new_with_free_func(g_free) };
	bool ok;

	commit.name = img_name_of(args, img_args_word(args, 0), img_args_value(args, 'f'), error);
	ok = commit.name && find_chain(args, &commit, error) && open_parts(args, &commit, error) &&
	     fit_base(&commit, error) && copy_all(args, &commit, error) &&
	     (!commit.empties || qcow2_empty(commit.front, error));

	image_close(commit.front);
	image_close(commit.base);
	img_name_free(commit.name);
	g_ptr_array_unref(commit.paths);
	g_ptr_array_unref(commit.formats);
	if (ok && !img_args_has(args, 'q'))
		img_out("Image committed.\n");
	return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}

static const struct img_option options[] = {
	IMG_ROW_FORMAT,
	{ 'b', "base", "FILE", "where it goes (default: the image right behind it)" },
	{ 'd', "no-drop", NULL, "the image keeps what it has; without, it is empty then" },
	IMG_ROW_CACHE,
	IMG_ROW_PROGRESS,
	IMG_ROW_QUIET,
	IMG_ROW_OBJECT,
	IMG_ROW_IMAGE_OPTS,
	{ 0, NULL, NULL, NULL },
};

const struct img_command img_commit = {
	.name = "commit",
	.arguments = "IMAGE",
	.summary = "Put what an image has of its own into the one behind it",
	.options = options,
	.min = 1,
	.max = 1,
	.wanted = "expecting one image file name",
	.failure = EXIT_FAILURE,
	.run = commit,
};
