/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sparse.c - what the formats have in common that keep an image in blocks of one size
 */
#include "block/format/sparse.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "base/error.h"

enum {
	MAP_BLOCKS = 1 << 16, /* looked at in one call */
};

static struct sparse *sparse_of(struct image *image)
{
	return container_of(image, struct sparse, base);
}

bool sparse_init(struct sparse *s, const char *name, struct block_file *file,
		 const struct sparse_ops *ops, GError **error)
{
	int64_t size = block_file_size(file);

	if (size < 0)
		return error_sys(error, (int)size, "cannot get the size of image '%s'", name);
	s->ops = ops;
	s->file = file;
	s->name = g_strdup(name);
	s->end = (uint64_t)size;
	meta_init(&s->meta, file);
	return true;
}

void sparse_release(struct sparse *s)
{
	meta_release(&s->meta);
	g_free(s->name);
	g_free(s->base.backing_file);
	g_free(s->base.backing_format);
}

void sparse_close(struct image *image)
{
	struct sparse *s = sparse_of(image);

	meta_release(&s->meta);
	g_free(s->name);
	g_free(s);
}

bool sparse_bad(const struct sparse *s, GError **error, const char *format, ...)
{
	g_autofree char *text = NULL;
	va_list args;

	va_start(args, format);
	text = g_strdup_vprintf(format, args);
	va_end(args);
	return error_set(error, SOCLE_ERROR_CORRUPT, "image '%s' %s", s->name, text);
}

static bool io_done(const struct sparse *s, int ret, const char *verb, const char *what,
		    GError **error)
{
	if (ret < 0)
		return error_sys(error, ret, "cannot %s %s of image '%s'", verb, what, s->name);
	return true;
}

bool sparse_meta_read(struct sparse *s, uint64_t off, void *buf, size_t len, const char *what,
		      GError **error)
{
	return io_done(s, meta_read(&s->meta, off, buf, len), "read", what, error);
}

bool sparse_meta_write(struct sparse *s, uint64_t off, const void *buf, size_t len,
		       const char *what, GError **error)
{
	return io_done(s, meta_write(&s->meta, off, buf, len), "write", what, error);
}

bool sparse_write_now(struct sparse *s, uint64_t off, const void *buf, size_t len, const char *what,
		      GError **error)
{
	return io_done(s, meta_write_now(&s->meta, off, buf, len), "write", what, error);
}

bool sparse_grow(struct sparse *s, uint64_t len, uint64_t *ret_off, GError **error)
{
	int ret = block_file_resize(s->file, s->end + len);

	if (ret < 0)
		return error_sys(error, ret, "cannot grow image '%s'", s->name);
	*ret_off = s->end;
	s->end += len;
	return true;
}

bool sparse_lookup(struct sparse *s, uint64_t index, struct sparse_block *ret, GError **error)
{
	uint64_t most;

	*ret = (struct sparse_block){ .count = 1 };
	if (!s->ops->lookup(s, index, ret, error))
		return false;
	if (ret->kind != IMAGE_DATA)
		return true;
	if (ret->host_off < s->begin || ret->host_off >= s->end)
		return sparse_bad(s, error,
				  "has its block %" PRIu64 " at %#" PRIx64
				  ", where no block can be",
				  index, ret->host_off);
	most = (s->end - ret->host_off - 1) / s->block_size + 1;
	ret->count = MIN(ret->count, most);
	return true;
}

/* ---- reading ---- */

static bool read_packed(struct sparse *s, const struct sparse_block *block, uint64_t in, void *buf,
			size_t len, GError **error)
{
	g_autofree uint8_t *all = NULL;

	if (len == s->block_size)
		return s->ops->unpack(s, block, buf, error);
	all = g_try_malloc(s->block_size);
	if (!all)
		return error_set(error, SOCLE_ERROR_LIMIT,
				 "there is no memory for a block of image '%s'", s->name);
	if (!s->ops->unpack(s, block, all, error))
		return false;
	memcpy(buf, all + in, len);
	return true;
}

/* How many bytes of @len, at @in of the first block of a run, are in the run? */
static uint64_t run_len(const struct sparse *s, const struct sparse_block *run, uint64_t in,
			uint64_t len)
{
	if (run->count > (len + in) / s->block_size)
		return len;
	return MIN(len, run->count * s->block_size - in);
}

static bool read_run(struct sparse *s, const struct sparse_block *run, uint64_t off, void *buf,
		     size_t len, GError **error)
{
	const uint64_t in = off % s->block_size;

	switch (run->kind) {
	case IMAGE_ABSENT:
		return image_read_backing(&s->base, off, buf, len, error);
	case IMAGE_ZERO:
		memset(buf, 0, len);
		return true;
	case IMAGE_DATA:
		break;
	}
	if (run->compressed)
		return read_packed(s, run, in, buf, len, error);
	return io_done(s, block_file_read(s->file, run->host_off + in, buf, len), "read", "data",
		       error);
}

bool sparse_read(struct image *image, uint64_t off, void *buf, size_t len, GError **error)
{
	struct sparse *s = sparse_of(image);

	while (len) {
		struct sparse_block run;
		size_t n;

		if (!sparse_lookup(s, off / s->block_size, &run, error))
			return false;
		n = (size_t)run_len(s, &run, off % s->block_size, len);
		if (!read_run(s, &run, off, buf, n, error))
			return false;
		off += n;
		buf = (uint8_t *)buf + n;
		len -= n;
	}
	return true;
}

/* ---- mapping ---- */

/* Does @next go on where @first and the @count blocks from there on end? */
static bool goes_on(const struct sparse *s, const struct sparse_block *first, uint64_t count,
		    const struct sparse_block *next)
{
	if (first->kind != next->kind || first->compressed != next->compressed)
		return false;
	return first->kind != IMAGE_DATA || first->compressed ||
	       next->host_off - first->host_off == count * s->block_size;
}

/* A hole in the file reads as zero. */
static bool look_for_holes(struct sparse *s, struct image_extent *extent, GError **error)
{
	uint64_t len;
	bool data;
	int ret;

	if (extent->host_off >= s->end) {
		extent->kind = IMAGE_ZERO;
		return true;
	}
	ret = block_file_extent(s->file, extent->host_off, &len, &data);
	if (ret < 0)
		return error_sys(error, ret, "cannot look for holes in image '%s'", s->name);
	extent->len = MIN(extent->len, len);
	if (!data)
		extent->kind = IMAGE_ZERO;
	return true;
}

bool sparse_map(struct image *image, uint64_t off, uint64_t len, struct image_extent *ret_extent,
		GError **error)
{
	struct sparse *s = sparse_of(image);
	const uint64_t index = off / s->block_size, in = off % s->block_size;
	struct sparse_block first, next;
	uint64_t count;

	if (!sparse_lookup(s, index, &first, error))
		return false;
	count = first.count;
	for (unsigned i = 0; i < MAP_BLOCKS && count <= (len + in - 1) / s->block_size; i++) {
		/* Who asks for what is behind a bad entry gets its error. */
		if (!sparse_lookup(s, index + count, &next, NULL) ||
		    !goes_on(s, &first, count, &next))
			break;
		count += next.count;
	}
	first.count = count;
	*ret_extent = (struct image_extent){
		.file = image->path,
		.len = run_len(s, &first, in, len),
		.kind = first.kind,
		.compressed = first.kind == IMAGE_DATA && first.compressed,
		.has_host_off = first.kind == IMAGE_DATA && !first.compressed,
	};
	if (!ret_extent->has_host_off)
		return true;
	ret_extent->host_off = first.host_off + in;
	return look_for_holes(s, ret_extent, error);
}

/* ---- writing ---- */

static bool prepare(struct sparse *s, GError **error)
{
	if (!s->ops->allocate)
		return error_set(error, SOCLE_ERROR_UNSUPPORTED,
				 "image '%s' is of a kind that is only read; convert it first",
				 s->name);
	if (s->prepared || !s->ops->prepare)
		return true;
	s->prepared = s->ops->prepare(s, error);
	return s->prepared;
}

/* All of a block as it is now, behind whatever. */
static bool read_whole(struct sparse *s, uint64_t index, const struct sparse_block *block,
		       uint8_t *out, GError **error)
{
	const uint64_t off = index * s->block_size;
	const size_t n = (size_t)MIN(s->block_size, s->base.size - off);

	memset(out + n, 0, s->block_size - n);
	return read_run(s, block, off, out, n, error);
}

/* A block gets a place. Where something was, in this image or behind it, it is copied. */
static bool write_new(struct sparse *s, const struct sparse_block *old, uint64_t off,
		      const void *buf, size_t len, GError **error)
{
	const uint64_t index = off / s->block_size, in = off % s->block_size;
	const bool copy = len < s->block_size && (old->kind == IMAGE_DATA ||
						  (old->kind == IMAGE_ABSENT && s->base.backing));
	g_autofree uint8_t *all = copy ? g_try_malloc(s->block_size) : NULL;
	uint64_t host_off;
	int ret;

	if (copy && !all)
		return error_set(error, SOCLE_ERROR_LIMIT,
				 "there is no memory for a block of image '%s'", s->name);
	if (copy && !read_whole(s, index, old, all, error))
		return false;
	if (!s->ops->allocate(s, index, &host_off, error))
		return false;
	if (copy) {
		memcpy(all + in, buf, len);
		ret = block_file_write(s->file, host_off, all, s->block_size);
	} else {
		ret = block_file_write(s->file, host_off + in, buf, len);
	}
	return io_done(s, ret, "write", "data", error) && s->ops->point(s, index, host_off, error);
}

static bool write_run(struct sparse *s, const struct sparse_block *run, uint64_t off,
		      const void *buf, size_t len, GError **error)
{
	const uint64_t in = off % s->block_size;

	if (run->kind != IMAGE_DATA || run->compressed)
		return write_new(s, run, off, buf, len, error);
	if (s->ops->touch && !s->ops->touch(s, off / s->block_size, run->host_off, error))
		return false;
	if (!io_done(s, block_file_write(s->file, run->host_off + in, buf, len), "write", "data",
		     error))
		return false;
	s->end = MAX(s->end, run->host_off + in + len);
	return true;
}

bool sparse_write(struct image *image, uint64_t off, const void *buf, size_t len, GError **error)
{
	struct sparse *s = sparse_of(image);

	if (!prepare(s, error))
		return false;
	while (len) {
		struct sparse_block run;
		size_t n;

		if (!sparse_lookup(s, off / s->block_size, &run, error))
			return false;
		/* Each block of its own is touched, or gets its place. */
		if (run.kind != IMAGE_DATA || s->ops->touch)
			run.count = 1;
		n = (size_t)run_len(s, &run, off % s->block_size, len);
		if (!write_run(s, &run, off, buf, n, error))
			return false;
		off += n;
		buf = (const uint8_t *)buf + n;
		len -= n;
	}
	return true;
}

/* ---- zeroes ---- */

static bool zero_new(struct sparse *s, const struct sparse_block *run, uint64_t off, uint64_t len,
		     GError **error)
{
	g_autofree uint8_t *zeroes = g_try_malloc0(s->block_size);

	if (!zeroes)
		return error_set(error, SOCLE_ERROR_LIMIT,
				 "there is no memory for a block of image '%s'", s->name);
	while (len) {
		const size_t n = (size_t)MIN(len, s->block_size - off % s->block_size);

		if (!write_new(s, run, off, zeroes, n, error))
			return false;
		off += n;
		len -= n;
	}
	return true;
}

static bool zero_run(struct sparse *s, const struct sparse_block *run, uint64_t off, uint64_t len,
		     GError **error)
{
	const uint64_t in = off % s->block_size;
	uint64_t there;

	if (run->kind == IMAGE_ZERO || (run->kind == IMAGE_ABSENT && !s->base.backing))
		return true;
	if (run->kind == IMAGE_ABSENT || run->compressed)
		return zero_new(s, run, off, len, error);
	/* Behind the end of the file it is zero. */
	there = run->host_off + in < s->end ? MIN(len, s->end - run->host_off - in) : 0;
	if (!there)
		return true;
	return io_done(s, block_file_zero(s->file, run->host_off + in, there), "zero", "data",
		       error);
}

bool sparse_zero(struct image *image, uint64_t off, uint64_t len, bool unmap, GError **error)
{
	struct sparse *s = sparse_of(image);

	(void)unmap; /* A hole it is in both cases: there are no preallocated zeroes. */
	if (!prepare(s, error))
		return false;
	while (len) {
		struct sparse_block run;
		uint64_t n;

		if (!sparse_lookup(s, off / s->block_size, &run, error))
			return false;
		if (run.compressed)
			run.count = 1;
		n = run_len(s, &run, off % s->block_size, len);
		if (!zero_run(s, &run, off, n, error))
			return false;
		off += n;
		len -= n;
	}
	return true;
}

bool sparse_discard(struct image *image, uint64_t off, uint64_t len, GError **error)
{
	struct sparse *s = sparse_of(image);

	if (!prepare(s, error))
		return false;
	while (len) {
		const uint64_t in = off % s->block_size;
		struct sparse_block run;
		uint64_t n, there;

		if (!sparse_lookup(s, off / s->block_size, &run, error))
			return false;
		n = run_len(s, &run, in, len);
		there = run.host_off + in < s->end ? MIN(n, s->end - run.host_off - in) : 0;
		if (run.kind == IMAGE_DATA && !run.compressed &&
		    !io_done(s, block_file_punch(s->file, run.host_off + in, there), "discard",
			     "data", error))
			return false;
		off += n;
		len -= n;
	}
	return true;
}

bool sparse_flush(struct image *image, GError **error)
{
	struct sparse *s = sparse_of(image);

	return io_done(s, meta_flush(&s->meta), "flush", "tables", error);
}
