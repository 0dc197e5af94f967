/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * io-read-write.c - the commands of socle-io that read and write
 *
 * read and write take one length, readv and writev the lengths of several buffers, and the aio_
 * ones are the same: a request is done when the command returns, so nothing is left to wait for.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/sys.h"
#include "block/qcow2/qcow2.h"
#include "img/img.h"
#include "img/io.h"

enum {
	DEFAULT_PATTERN = 0xcd,
	NOT_READ = 0xab, /* what a buffer has before it is read into */
};

struct transfer {
	struct io *io;
	const struct io_words *words;
	const char *name; /* in "NAME failed" */
	uint64_t off, len;
	uint64_t check_off, check_len; /* of what is read, for the pattern */
	int pattern;                   /* -1: none */
};

static bool has(const struct transfer *transfer, char letter)
{
	return transfer->words->option[(unsigned char)letter] != NULL;
}

static bool bad(const char *sentence)
{
	img_out("%s\n", sentence);
	return false;
}

static bool parse_pattern(struct transfer *transfer)
{
	const char *text = transfer->words->option['P'];
	uint64_t number;
	bool hex = text && g_str_has_prefix(text, "0x");

	transfer->pattern = -1;
	if (!text)
		return true;
	if (!g_ascii_string_to_unsigned(text + (hex ? 2 : 0), hex ? 16 : 10, 0, 255, &number,
					NULL)) {
		img_out("%s is not a valid pattern byte\n", text);
		return false;
	}
	transfer->pattern = (int)number;
	return true;
}

/* The offset, and the sum of the lengths behind it. */
static bool parse_range(struct transfer *transfer)
{
	const struct io_words *words = transfer->words;

	if (!io_parse_size(words->word[0], &transfer->off))
		return false;
	transfer->len = 0;
	for (int i = 1; i < words->count; i++) {
		uint64_t len;

		if (!io_parse_size(words->word[i], &len))
			return false;
		/* Zeroes without writing them may be any number. */
		if (len > IO_MAX_LEN - transfer->len && !has(transfer, 'n')) {
			img_out("length cannot exceed %" G_GUINT64_FORMAT "%s, given %s\n",
				IO_MAX_LEN, transfer->words->option['z'] ? " without -n" : "",
				words->word[i]);
			return false;
		}
		transfer->len += len;
	}
	return true;
}

static bool check_sectors(const struct transfer *transfer)
{
	const bool off = transfer->off % IMG_SECTOR;

	if (!off && transfer->len % IMG_SECTOR == 0)
		return true;
	img_out("%" G_GUINT64_FORMAT " is not a sector-aligned value for '%s'\n",
		off ? transfer->off : transfer->len, off ? "offset" : "count");
	return false;
}

static bool start(struct transfer *transfer, struct io *io, const struct io_words *words,
		  const char *name)
{
	*transfer = (struct transfer){ .io = io, .words = words, .name = name };
	return parse_pattern(transfer) && parse_range(transfer);
}

/* Of a request: the system's word for what it was, or our sentence. */
static bool failed(const struct transfer *transfer, const GError *error)
{
	const bool sys = g_error_matches(error, SYS_ERROR, error->code);

	img_out("%s failed: %s\n", transfer->name, sys ? g_strerror(error->code) : error->message);
	return false;
}

/* Nothing is behind the end of an image but the state of a machine. */
static bool check_end(const struct transfer *transfer, GError **error)
{
	const struct image *image = transfer->io->image;

	if (has(transfer, 'b') ||
	    (transfer->off <= image->size && transfer->len <= image->size - transfer->off))
		return true;
	g_set_error(error, SYS_ERROR, EIO, "behind the end of image '%s'", image->path);
	return false;
}

static uint8_t *new_buffer(const struct transfer *transfer, int byte, GError **error)
{
	uint8_t *buf = g_try_malloc((size_t)MAX(transfer->len, 1));

	if (buf)
		memset(buf, byte, (size_t)transfer->len);
	else
		error_sys(error, -ENOMEM, "there is no memory for that many bytes");
	return buf;
}

/* ---- reading ---- */

static bool parse_check(struct transfer *transfer)
{
	const char *off = transfer->words->option['s'], *len = transfer->words->option['l'];

	if ((off || len) && transfer->pattern < 0)
		return bad("-s and -l are for the pattern of -P");
	if ((off && !io_parse_size(off, &transfer->check_off)) ||
	    (len && !io_parse_size(len, &transfer->check_len)))
		return false;
	if (transfer->check_off > transfer->len ||
	    (len && transfer->check_len > transfer->len - transfer->check_off))
		return bad("pattern verification range exceeds end of read data");
	if (!len)
		transfer->check_len = transfer->len - transfer->check_off;
	return true;
}

static bool read_bytes(const struct transfer *transfer, uint8_t *buf, GError **error)
{
	struct image *image = transfer->io->image;

	if (has(transfer, 'b'))
		return qcow2_state_read(image, transfer->off, buf, (size_t)transfer->len, error);
	if (!check_end(transfer, error) ||
	    (transfer->io->copy_on_read &&
	     !io_copy_on_read(image, transfer->off, transfer->len, error)))
		return false;
	return image_read(image, transfer->off, buf, (size_t)transfer->len, error);
}

static bool verify(const struct transfer *transfer, const uint8_t *buf)
{
	for (uint64_t i = 0; transfer->pattern >= 0 && i < transfer->check_len; i++) {
		if (buf[transfer->check_off + i] == transfer->pattern)
			continue;
		img_out("Pattern verification failed at offset %" G_GUINT64_FORMAT
			", %" G_GUINT64_FORMAT " bytes\n",
			transfer->off + transfer->check_off, transfer->check_len);
		return false;
	}
	return true;
}

static bool do_read(struct transfer *transfer)
{
	g_autoptr(GError) error = NULL;
	g_autofree uint8_t *buf = NULL;
	uint64_t began;
	bool same;

	if (!parse_check(transfer) || (has(transfer, 'b') && !check_sectors(transfer)))
		return false;
	buf = new_buffer(transfer, NOT_READ, &error);
	began = sys_monotonic_ns();
	if (!buf || !read_bytes(transfer, buf, &error))
		return failed(transfer, error);
	began = sys_monotonic_ns() - began;
	same = verify(transfer, buf);
	if (has(transfer, 'q'))
		return same;
	if (has(transfer, 'v'))
		io_dump(buf, transfer->off, (size_t)transfer->len);
	io_report("read", transfer->off, transfer->len, transfer->len, began, has(transfer, 'C'));
	return same;
}

static bool run_read(struct io *io, const struct io_words *words)
{
	struct transfer transfer;

	return start(&transfer, io, words, "read") && do_read(&transfer);
}

static bool run_readv(struct io *io, const struct io_words *words)
{
	struct transfer transfer;

	return start(&transfer, io, words, "readv") && do_read(&transfer);
}

/* ---- writing ---- */

/* Again and again, until the buffer is full. */
static bool fill_from_file(const struct transfer *transfer, uint8_t *buf)
{
	const char *path = transfer->words->option['s'];
	const size_t len = (size_t)transfer->len;
	g_autoptr(GError) error = NULL;
	size_t n = 0;
	ssize_t got;
	autofd int fd = sys_open(path, O_RDONLY | O_CLOEXEC, 0);

	got = fd;
	while (got >= 0 && n < len) {
		got = sys_pread(fd, buf + n, len - n, (off_t)n);
		if (got <= 0)
			break;
		n += (size_t)got;
	}
	if (got < 0)
		error_sys(&error, (int)got, "cannot read file '%s'", path);
	else if (!n && len)
		error_set(&error, SOCLE_ERROR_USAGE, "file '%s' is empty", path);
	if (error)
		return io_fail(g_steal_pointer(&error));
	for (size_t i = n; i < len; i++)
		buf[i] = buf[i - n];
	return true;
}

static bool check_write(const struct transfer *transfer)
{
	const bool zeroes = has(transfer, 'z'), state = has(transfer, 'b');

	if (state && zeroes)
		return bad("-b and -z cannot be specified at the same time");
	if (has(transfer, 'f') && (state || has(transfer, 'c')))
		return bad("-f and -b or -c cannot be specified at the same time");
	if (has(transfer, 'n') && !zeroes)
		return bad("-n requires -z to be specified");
	if (has(transfer, 'u') && !zeroes)
		return bad("-u requires -z to be specified");
	if (zeroes + (transfer->pattern >= 0) + has(transfer, 's') > 1)
		return bad("Only one of -z, -P, and -s can be specified at the same time");
	return !(state || has(transfer, 'c')) || check_sectors(transfer);
}

/* -n: refused where a cluster would be zeroed in parts, which is done by writing. */
static bool may_zero(const struct transfer *transfer, GError **error)
{
	const struct image *image = transfer->io->image;
	const uint64_t unit = MAX(image->cluster_size, 1), end = transfer->off + transfer->len;

	if (!has(transfer, 'n') ||
	    (transfer->off % unit == 0 && (end % unit == 0 || end == image->size)))
		return true;
	g_set_error(error, SYS_ERROR, ENOTSUP, "zeroes would have to be written");
	return false;
}

static bool write_bytes(const struct transfer *transfer, const uint8_t *buf, GError **error)
{
	struct image *image = transfer->io->image;
	const uint64_t off = transfer->off;
	const size_t len = (size_t)transfer->len;
	bool ok;

	if (!check_end(transfer, error))
		return false;
	if (has(transfer, 'b'))
		ok = qcow2_state_write(image, off, buf, len, error);
	else if (has(transfer, 'z'))
		ok = may_zero(transfer, error) &&
		     io_write_zeroes(image, off, transfer->len, has(transfer, 'u'), error);
	else if (has(transfer, 'c'))
		ok = io_write_packed(image, off, buf, len, error);
	else
		ok = io_write_bytes(image, off, buf, len, error);
	if (!ok || !(transfer->io->write_through || has(transfer, 'f')))
		return ok;
	return image_flush(image, error);
}

static bool do_write(struct transfer *transfer)
{
	const int byte = transfer->pattern < 0 ? DEFAULT_PATTERN : transfer->pattern;
	g_autoptr(GError) error = NULL;
	g_autofree uint8_t *buf = NULL;
	uint64_t began;

	if (!check_write(transfer))
		return false;
	if (!has(transfer, 'z')) {
		buf = new_buffer(transfer, byte, &error);
		if (!buf)
			return failed(transfer, error);
		if (has(transfer, 's') && !fill_from_file(transfer, buf))
			return false;
	}
	began = sys_monotonic_ns();
	if (!write_bytes(transfer, buf, &error))
		return failed(transfer, error);
	began = sys_monotonic_ns() - began;
	if (!has(transfer, 'q'))
		io_report("wrote", transfer->off, transfer->len, transfer->len, began,
			  has(transfer, 'C'));
	return true;
}

static bool run_write(struct io *io, const struct io_words *words)
{
	struct transfer transfer;

	return start(&transfer, io, words, "write") && do_write(&transfer);
}

static bool run_writev(struct io *io, const struct io_words *words)
{
	struct transfer transfer;

	return start(&transfer, io, words, "writev") && do_write(&transfer);
}

/* Its failure is told, but that it was asked for is no failure: so scripts expect it. */
static bool run_aio_read(struct io *io, const struct io_words *words)
{
	struct transfer transfer;

	if (words->option['i'])
		img_out("injecting invalid read request\n");
	else if (!start(&transfer, io, words, "readv"))
		return false;
	else
		(void)do_read(&transfer);
	return true;
}

static bool run_aio_write(struct io *io, const struct io_words *words)
{
	struct transfer transfer;

	if (words->option['i']) {
		img_out("injecting invalid write request\n");
		return true;
	}
	if (words->option['z'] && words->count > 2)
		return bad("-z supports only a single length parameter");
	if (!start(&transfer, io, words, "aio_write") || !check_write(&transfer))
		return false;
	(void)do_write(&transfer);
	return true;
}

static bool run_aio_flush(struct io *io, const struct io_words *words)
{
	(void)io;
	(void)words;
	return true;
}

/* ---- giving back ---- */

static bool run_discard(struct io *io, const struct io_words *words)
{
	const uint64_t began = sys_monotonic_ns();
	g_autoptr(GError) error = NULL;
	struct transfer transfer;
	uint64_t end, from, to;

	if (!start(&transfer, io, words, "discard"))
		return false;
	/* Parts of sectors stay what they are. */
	end = transfer.off + transfer.len;
	from = (transfer.off + IMG_SECTOR - 1) / IMG_SECTOR * IMG_SECTOR;
	to = end == io->image->size ? end : end / IMG_SECTOR * IMG_SECTOR;
	if (!check_end(&transfer, &error) ||
	    (to > from && !image_discard(io->image, from, to - from, &error)) ||
	    (io->write_through && !image_flush(io->image, &error)))
		return failed(&transfer, error);
	if (!words->option['q'])
		io_report("discard", transfer.off, transfer.len, transfer.len,
			  sys_monotonic_ns() - began, words->option['C']);
	return true;
}

const struct io_command io_command_read = {
	.name = "read",
	.alias = "r",
	.arguments = "[-bCpqv] [-P BYTE [-s OFFSET] [-l LENGTH]] OFFSET LENGTH",
	.summary = "read; -P: is it that byte everywhere? -v: show it, -b: of the machine's state",
	.letters = "bCl:pP:qs:v",
	.min = 2,
	.max = 2,
	.run = run_read,
};

const struct io_command io_command_readv = {
	.name = "readv",
	.arguments = "[-Cqv] [-P BYTE] OFFSET LENGTH...",
	.summary = "read, into several buffers",
	.letters = "CP:qv",
	.min = 2,
	.max = -1,
	.run = run_readv,
};

const struct io_command io_command_aio_read = {
	.name = "aio_read",
	.arguments = "[-Ciqv] [-P BYTE] OFFSET LENGTH...",
	.summary = "read; that it failed is printed, and is no failure",
	.letters = "CiP:qv",
	.min = 2,
	.max = -1,
	.run = run_aio_read,
};

const struct io_command io_command_write = {
	.name = "write",
	.alias = "w",
	.arguments = "[-bcCfnpquz] [-P BYTE | -s FILE] OFFSET LENGTH",
	.summary = "write a byte, a file or (-z) zeroes; -c: compressed, -f: and flush, -u: may "
		   "give space back, -n: or fail, -b: into the machine's state",
	.letters = "bcCfnpP:qs:uz",
	.min = 2,
	.max = 2,
	.writes = true,
	.run = run_write,
};

const struct io_command io_command_writev = {
	.name = "writev",
	.arguments = "[-Cfq] [-P BYTE] OFFSET LENGTH...",
	.summary = "write, from several buffers",
	.letters = "CfP:q",
	.min = 2,
	.max = -1,
	.writes = true,
	.run = run_writev,
};

const struct io_command io_command_aio_write = {
	.name = "aio_write",
	.arguments = "[-Cfiquz] [-P BYTE] OFFSET LENGTH...",
	.summary = "write; that it failed is printed, and is no failure",
	.letters = "CfiP:quz",
	.min = 2,
	.max = -1,
	.writes = true,
	.run = run_aio_write,
};

const struct io_command io_command_aio_flush = {
	.name = "aio_flush",
	.summary = "accepted; requests are done when their command is",
	.letters = "",
	.run = run_aio_flush,
};

const struct io_command io_command_discard = {
	.name = "discard",
	.alias = "d",
	.arguments = "[-Cq] OFFSET LENGTH",
	.summary = "give space back",
	.letters = "Cq",
	.min = 2,
	.max = 2,
	.writes = true,
	.run = run_discard,
};
