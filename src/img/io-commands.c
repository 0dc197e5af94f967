/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * io-commands.c - the commands of socle-io that do not move data
 */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/error.h"
#include "base/sys.h"
#include "block/qcow2/qcow2.h"
#include "img/img.h"
#include "img/io.h"
#include "img/qcow2.h"

enum {
	MAX_SLEEP = 3600 * 1000, /* ms */
	MAX_SIGNAL = 64,
};

static bool tell(const char *what, GError *error)
{
	g_prefix_error(&error, "%s failed: ", what);
	return io_fail(error);
}

/* ---- what is where ---- */

/* How far from @off on all is allocated in this image, or all is not. */
static bool run_of(struct image *image, uint64_t off, uint64_t len, uint64_t *ret_len,
		   bool *ret_here, GError **error)
{
	*ret_len = 0;
	while (*ret_len < len) {
		struct image_extent extent;
		bool here;

		if (!image_map(image, off + *ret_len, len - *ret_len, &extent, error))
			return false;
		here = extent.kind != IMAGE_ABSENT;
		if (*ret_len && here != *ret_here)
			break;
		*ret_here = here;
		*ret_len += extent.len;
	}
	return true;
}

static bool run_alloc(struct io *io, const struct io_words *words)
{
	uint64_t off, count = IMG_SECTOR, here = 0, size = io->image->size, n;
	g_autoptr(GError) error = NULL;
	g_autofree char *where = NULL;
	bool allocated;

	if (!io_parse_size(words->word[0], &off) ||
	    (words->count > 1 && !io_parse_size(words->word[1], &count)))
		return false;
	count = off < size ? MIN(count, size - off) : 0;
	for (uint64_t done = 0; done < count; done += n) {
		if (!run_of(io->image, off + done, count - done, &n, &allocated, &error))
			return tell("is_allocated", g_steal_pointer(&error));
		here += allocated ? n : 0;
	}
	where = io_size((double)off);
	img_out("%" PRIu64 "/%" PRIu64 " bytes allocated at offset %s\n", here, count, where);
	return true;
}

static bool run_map(struct io *io, const struct io_words *words)
{
	const uint64_t size = io->image->size;
	g_autoptr(GError) error = NULL;
	uint64_t n;
	bool here;

	(void)words;
	for (uint64_t off = 0; off < size; off += n) {
		g_autofree char *len = NULL, *where = NULL;

		if (!run_of(io->image, off, size - off, &n, &here, &error))
			return tell("map", g_steal_pointer(&error));
		len = io_size((double)n);
		where = io_size((double)off);
		img_out("%s (0x%" PRIx64 ") bytes %s allocated at offset %s (0x%" PRIx64 ")\n", len,
			n, here ? "   " : "not", where, off);
	}
	return true;
}

static bool run_length(struct io *io, const struct io_words *words)
{
	g_autofree char *size = io_size((double)io->image->size);

	(void)words;
	img_out("%s\n", size);
	return true;
}

static bool run_info(struct io *io, const struct io_words *words)
{
	struct image *image = io->image;
	const bool qcow2 = image->ops == &image_qcow2_ops;
	g_autofree char *cluster = io_size(image->cluster_size);
	g_autofree char *state = io_size(qcow2 ? (double)qcow2_state_off(image) : 0.0);

	(void)words;
	img_out("format name: %s\n", image->ops->format);
	/* Who is in no file is its own protocol. */
	if (!image->ops->open)
		img_out("format name: %s\n", image->ops->format);
	if (image->cluster_size)
		img_out("cluster size: %s\nvm state offset: %s\n", cluster, state);
	img_qcow2_print_specific(image);
	return true;
}

/* ---- changes ---- */

static bool run_flush(struct io *io, const struct io_words *words)
{
	g_autoptr(GError) error = NULL;

	(void)words;
	return image_flush(io->image, &error) || tell("flush", g_steal_pointer(&error));
}

static bool run_truncate(struct io *io, const struct io_words *words)
{
	const char *how = words->option['m'];
	g_autoptr(GError) error = NULL;
	uint64_t size;

	if (!io_parse_size(words->word[0], &size))
		return false;
	if (!img_grow(io->image, size, how, &error) ||
	    (io->write_through && !image_flush(io->image, &error)))
		return io_fail(g_steal_pointer(&error));
	return true;
}

/* ---- the program ---- */

static bool run_quit(struct io *io, const struct io_words *words)
{
	(void)words;
	io->quit = true;
	return true;
}

static bool parse_number(const char *text, uint64_t max, uint64_t *ret)
{
	if (g_ascii_string_to_unsigned(text, 10, 0, max, ret, NULL))
		return true;
	img_out("%s is not a valid number\n", text);
	return false;
}

static bool run_sleep(struct io *io, const struct io_words *words)
{
	uint64_t ms;

	(void)io;
	if (!parse_number(words->word[0], MAX_SLEEP, &ms))
		return false;
	(void)fflush(stdout);
	g_usleep((gulong)ms * 1000);
	return true;
}

static bool run_sigraise(struct io *io, const struct io_words *words)
{
	uint64_t number;

	(void)io;
	if (!parse_number(words->word[0], MAX_SIGNAL, &number))
		return false;
	/* A signal that ends the program leaves nothing in a buffer. */
	(void)fflush(stdout);
	(void)raise((int)number);
	return true;
}

static bool run_abort(struct io *io, const struct io_words *words)
{
	(void)io;
	(void)words;
	(void)fflush(stdout);
	abort();
}

const struct io_command io_command_alloc = {
	.name = "alloc",
	.alias = "a",
	.arguments = "OFFSET [LENGTH]",
	.summary = "how many bytes the image has itself",
	.letters = "",
	.min = 1,
	.max = 2,
	.run = run_alloc,
};

const struct io_command io_command_map = {
	.name = "map",
	.summary = "which bytes the image has itself",
	.letters = "",
	.run = run_map,
};

const struct io_command io_command_length = {
	.name = "length",
	.alias = "l",
	.summary = "how many bytes a guest sees",
	.letters = "",
	.run = run_length,
};

const struct io_command io_command_info = {
	.name = "info",
	.alias = "i",
	.summary = "what the image says of itself",
	.letters = "",
	.run = run_info,
};

const struct io_command io_command_flush = {
	.name = "flush",
	.alias = "f",
	.summary = "let what was written survive a power cut",
	.letters = "",
	.run = run_flush,
};

const struct io_command io_command_truncate = {
	.name = "truncate",
	.alias = "t",
	.arguments = "[-m off|falloc|full] SIZE",
	.summary = "let the image be longer or shorter",
	.letters = "m:",
	.min = 1,
	.max = 1,
	.writes = true,
	.run = run_truncate,
};

const struct io_command io_command_quit = {
	.name = "quit",
	.alias = "q",
	.summary = "end",
	.letters = "",
	.max = -1,
	.no_image = true,
	.run = run_quit,
};

const struct io_command io_command_sleep = {
	.name = "sleep",
	.arguments = "MILLISECONDS",
	.summary = "wait",
	.letters = "",
	.min = 1,
	.max = 1,
	.no_image = true,
	.run = run_sleep,
};

const struct io_command io_command_sigraise = {
	.name = "sigraise",
	.arguments = "SIGNAL",
	.summary = "get a signal, by its number",
	.letters = "",
	.min = 1,
	.max = 1,
	.no_image = true,
	.run = run_sigraise,
};

const struct io_command io_command_abort = {
	.name = "abort",
	.summary = "crash",
	.letters = "",
	.no_image = true,
	.run = run_abort,
};

const struct io_command io_command_help = {
	.name = "help",
	.alias = "?",
	.arguments = "[COMMAND]",
	.summary = "what the commands are",
	.letters = "",
	.max = 1,
	.no_image = true,
	.run = io_help,
};
