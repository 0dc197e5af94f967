/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * compare.c - socle-img compare: do two images have the same contents?
 *
 * What both take from the same place is the same without a look: an image and its overlay are
 * compared by what the overlay has itself.
 */
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "img/img.h"

enum {
	CHUNK = 1 << 20,
	DIFFERENT = 1,
	CANNOT_OPEN = 2,
	OTHER = 3,
};

struct side {
	struct image *image;
	struct image_extent extent; /* at the place that is looked at */
	uint8_t *buf;
};

struct compare {
	struct side side[2];
	const struct image *shared[2]; /* of each chain: from here on they are the same; or NULL */
	gboolean strict;
	bool different;
	uint64_t where;
	GString *text; /* what the difference is, if it is not one of contents */
	struct img_progress bar;
};

/* The first image of the one chain that is in the other, too. */
static void find_shared(struct compare *c)
{
	for (struct image *a = c->side[0].image; a; a = a->backing) {
		for (struct image *b = c->side[1].image; b; b = b->backing) {
			if (block_file_is_same(a->file, b->file) && a->ops == b->ops) {
				c->shared[0] = a;
				c->shared[1] = b;
				return;
			}
		}
	}
}

static bool differ(struct compare *c, uint64_t off)
{
	c->different = true;
	c->where = off;
	return true;
}

/* What is at @off without the images that both have, for up to @len bytes. */
static bool look(struct compare *c, unsigned which, uint64_t off, uint64_t len, GError **error)
{
	struct side *side = &c->side[which];

	if (off >= side->image->size) {
		side->extent = (struct image_extent){ .kind = IMAGE_ZERO, .len = len };
		return true;
	}
	len = MIN(len, side->image->size - off);
	if (side->image == c->shared[which]) {
		side->extent = (struct image_extent){ .kind = IMAGE_ABSENT, .len = len };
		return true;
	}
	return image_map_above(side->image, c->shared[which], off, len, &side->extent, error);
}

/* Does the one side have something that the other takes from what both have? Then that is looked
 * at, too. */
static bool look_behind(struct compare *c, uint64_t off, GError **error)
{
	for (unsigned i = 0; i < 2; i++) {
		struct side *side = &c->side[i];

		if (side->extent.kind == IMAGE_ABSENT &&
		    !image_map_chain(side->image, off, side->extent.len, &side->extent, error))
			return false;
	}
	return true;
}

static bool compare_bytes(struct compare *c, uint64_t off, uint64_t len, GError **error)
{
	for (uint64_t at = 0, n; at < len; at += n) {
		n = MIN(len - at, (uint64_t)CHUNK);
		for (unsigned i = 0; i < 2; i++) {
			struct side *side = &c->side[i];

			if (side->extent.kind != IMAGE_DATA)
				memset(side->buf, 0, n);
			else if (!image_read(side->image, off + at, side->buf, n, error))
				return false;
		}
		if (!memcmp(c->side[0].buf, c->side[1].buf, n))
			continue;
		for (uint64_t i = 0; i < n; i += 512) {
			if (memcmp(c->side[0].buf + i, c->side[1].buf + i, MIN(n - i, 512)) != 0)
				return differ(c, off + at + i);
		}
	}
	return true;
}

static bool is_absent(const struct side *side)
{
	return side->extent.kind == IMAGE_ABSENT;
}

static bool compare_at(struct compare *c, uint64_t off, uint64_t end, uint64_t *ret_len,
		       GError **error)
{
	struct side *a = &c->side[0], *b = &c->side[1];

	if (!look(c, 0, off, end - off, error) || !look(c, 1, off, end - off, error))
		return false;
	if (is_absent(a) && is_absent(b)) {
		*ret_len = MIN(a->extent.len, b->extent.len);
		return true;
	}
	if (!look_behind(c, off, error))
		return false;
	*ret_len = MIN(a->extent.len, b->extent.len);
	if (a->extent.kind != b->extent.kind && c->strict) {
		c->different = true;
		g_string_printf(c->text,
				"Strict mode: Offset %" G_GUINT64_FORMAT " block status mismatch!",
				off);
		return true;
	}
	if (a->extent.kind != IMAGE_DATA && b->extent.kind != IMAGE_DATA)
		return true;
	return compare_bytes(c, off, *ret_len, error);
}

static bool compare(struct compare *c, GError **error)
{
	uint64_t size[2] = { c->side[0].image->size, c->side[1].image->size };
	uint64_t end = MAX(size[0], size[1]), len;

	if (size[0] != size[1] && c->strict) {
		c->different = true;
		g_string_assign(c->text, "Strict mode: Image size mismatch!");
		return true;
	}
	find_shared(c);
	for (uint64_t off = 0; off < end && !c->different; off += len) {
		/* Contents first, up to the end of the shorter one; then that the rest is zero. */
		uint64_t until = off < MIN(size[0], size[1]) ? MIN(size[0], size[1]) : end;

		if (!img_go_on(error) || !compare_at(c, off, until, &len, error))
			return false;
		img_progress(&c->bar, off + len, end);
	}
	return true;
}

static void report(const struct compare *c, bool quiet)
{
	if (quiet)
		return;
	if (!c->different && c->side[0].image->size != c->side[1].image->size)
		printf("Warning: Image size mismatch!\n");
	if (!c->different)
		printf("Images are identical.\n");
	else if (c->text->len)
		printf("%s\n", c->text->str);
	else
		printf("Content mismatch at offset %" G_GUINT64_FORMAT "!\n", c->where);
}

int img_compare(const struct img_command *command, int argc, char **argv)
{
	struct compare c = { .strict = FALSE };
	g_autofree char *format[2] = { NULL, NULL }, *cache = NULL;
	gboolean quiet = FALSE, progress = FALSE, shared = FALSE;
	const GOptionEntry entries[] = {
		{ "format", 'f', 0, G_OPTION_ARG_STRING, &format[0], "format of the first",
		  "FORMAT" },
		{ "second-format", 'F', 0, G_OPTION_ARG_STRING, &format[1], "format of the second",
		  "FORMAT" },
		{ "cache", 'T', 0, G_OPTION_ARG_STRING, &cache, "cache mode", "MODE" },
		{ "strict", 's', 0, G_OPTION_ARG_NONE, &c.strict,
		  "sizes and what is allocated must agree, too", NULL },
		{ "quiet", 'q', 0, G_OPTION_ARG_NONE, &quiet, "print nothing", NULL },
		{ "progress", 'p', 0, G_OPTION_ARG_NONE, &progress, "show progress", NULL },
		{ "force-share", 'U', 0, G_OPTION_ARG_NONE, &shared,
		  "read them also while others write to them", NULL },
		{ NULL, 0, 0, G_OPTION_ARG_NONE, NULL, NULL, NULL },
	};
	unsigned flags = IMAGE_BACKING, cache_flags = 0;
	g_autoptr(GError) error = NULL;
	int status;

	if (!img_parse(command, entries, &argc, &argv, 2, 2, &status))
		return status ? OTHER : IMG_OK;
	if (cache && !img_cache(cache, &cache_flags, &error))
		return img_fail(error), OTHER;
	flags |= cache_flags | (shared ? IMAGE_SHARED | IMAGE_NO_LOCK : 0);
	c.text = g_string_new(NULL);
	for (unsigned i = 0; i < 2; i++) {
		if (!error)
			c.side[i].image = image_open(argv[1 + i], format[i], flags, &error);
		c.side[i].buf = g_malloc(CHUNK);
	}
	status = CANNOT_OPEN;
	if (c.side[0].image && c.side[1].image) {
		img_catch_signals();
		img_progress_begin(&c.bar, progress, quiet);
		status = !compare(&c, &error) ? OTHER : c.different ? DIFFERENT : IMG_OK;
		img_progress_end(&c.bar);
	}
	if (error)
		img_fail(error);
	else
		report(&c, quiet);
	for (unsigned i = 0; i < 2; i++) {
		image_close(c.side[i].image);
		g_free(c.side[i].buf);
	}
	g_string_free(c.text, TRUE);
	return status;
}
