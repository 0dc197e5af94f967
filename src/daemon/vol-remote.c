/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vol-remote.c - bytes of volumes that other hosts keep: uploaded, downloaded, wiped
 *
 * They are raw images that room block reaches by libiscsi and librbd. An upload is written where it belongs,
 * as one to a device is: nothing here could take the place of the volume when it is complete.
 */
#include <string.h>

#include "base/error.h"
#include "base/sys.h"
#include "block/file.h"
#include "daemon/pools-int.h"

enum {
	PIECE = 1 << 20,
};

struct remote_io {
	struct vol_io io;
	struct pools *pools;
	struct block_file *file;
	char *name;
	uint64_t off, end;
	uint64_t data_end; /* of a download: there is data up to here */
	bool sparse;

	/* Of the step that is under way. */
	const void *bytes;
	uint64_t len;
	struct vol_chunk *chunk;
};

static struct remote_io *io_of(struct vol_io *io)
{
	return container_of(io, struct remote_io, io);
}

static void no_free(void *arg)
{
	(void)arg;
}

static void start_step(struct remote_io *r, struct task *task,
		       bool (*run)(void *arg, GError **error))
{
	work_start(r->pools, task, NULL, run, NULL, no_free, r);
}

static bool has_room(const struct remote_io *r, GError **error)
{
	return r->len <= r->end - r->off ||
	       error_set(error, SOCLE_ERROR_LIMIT, "the volume '%s' ends there", r->name);
}

static bool run_write(void *arg, GError **error)
{
	struct remote_io *r = arg;
	int ret;

	if (!has_room(r, error))
		return false;
	ret = block_file_write(r->file, r->off, r->bytes, r->len);
	r->off += r->len;
	return ret >= 0 || error_sys(error, ret, "cannot write volume '%s'", r->name);
}

static void io_write(struct vol_io *io, const void *data, size_t len, struct task *task)
{
	struct remote_io *r = io_of(io);

	r->bytes = data;
	r->len = len;
	start_step(r, task, run_write);
}

static bool run_skip(void *arg, GError **error)
{
	struct remote_io *r = arg;
	int ret;

	if (!has_room(r, error))
		return false;
	ret = block_file_zero(r->file, r->off, r->len);
	r->off += r->len;
	return ret >= 0 || error_sys(error, ret, "cannot make a hole in volume '%s'", r->name);
}

static void io_skip(struct vol_io *io, uint64_t len, struct task *task)
{
	struct remote_io *r = io_of(io);

	r->len = len;
	start_step(r, task, run_skip);
}

static bool run_finish(void *arg, GError **error)
{
	struct remote_io *r = arg;
	const int ret = block_file_sync(r->file);

	return ret >= 0 || error_sys(error, ret, "cannot write volume '%s'", r->name);
}

static void io_finish(struct vol_io *io, struct task *task)
{
	start_step(io_of(io), task, run_finish);
}

/* At ->off: a hole of so many bytes, or 0 and data up to ->data_end. */
static int find_hole(struct remote_io *r, uint64_t *ret)
{
	uint64_t len = 0;
	bool data = true;
	int err;

	*ret = 0;
	if (r->off < r->data_end)
		return 0;
	err = block_file_extent(r->file, r->off, &len, &data);
	len = MIN(len, r->end - r->off);
	if (data)
		r->data_end = r->off + len;
	else
		*ret = len;
	return err;
}

static bool run_read(void *arg, GError **error)
{
	struct remote_io *r = arg;
	struct vol_chunk *chunk = r->chunk;
	int ret;

	chunk->end = r->off >= r->end;
	if (chunk->end)
		return true;
	ret = find_hole(r, &chunk->hole);
	if (ret >= 0 && chunk->hole && !r->sparse) {
		/* Who does not know holes gets zeroes; they need not be read. */
		chunk->len = (size_t)MIN(chunk->hole, (uint64_t)VOL_CHUNK_MAX);
		memset(chunk->bytes, 0, chunk->len);
		chunk->hole = 0;
	} else if (ret >= 0 && !chunk->hole) {
		/* Whole blocks, so that the next one begins with one. */
		chunk->len = (size_t)MIN(r->data_end - r->off, (uint64_t)VOL_CHUNK_MAX & ~4095u);
		ret = block_file_read(r->file, r->off, chunk->bytes, chunk->len);
	}
	r->off += chunk->len + chunk->hole;
	return ret >= 0 || error_sys(error, ret, "cannot read volume '%s'", r->name);
}

static void io_read(struct vol_io *io, struct vol_chunk *chunk, struct task *task)
{
	struct remote_io *r = io_of(io);

	r->chunk = chunk;
	start_step(r, task, run_read);
}

static void io_free(struct vol_io *io)
{
	struct remote_io *r = io_of(io);

	block_file_close(r->file);
	g_free(r->name);
	g_free(r);
}

static const struct vol_io_ops remote_io_ops = {
	.write = io_write,
	.skip = io_skip,
	.finish = io_finish,
	.read = io_read,
	.free = io_free,
};

struct vol_io *vol_remote_io_new(struct pools *pools, const struct depot *depot, const char *name,
				 const char *as, const struct vol_open *how, GError **error)
{
	struct block_file *file = depot->kind->reach(depot, as, how->write, error);
	struct remote_io *r;
	uint64_t size;

	if (!file)
		return NULL;
	size = (uint64_t)MAX(block_file_size(file), 0);
	if (how->off > size) {
		error_set(error, SOCLE_ERROR_USAGE, "volume '%s' ends before the offset", name);
		block_file_close(file);
		return NULL;
	}
	r = g_new0(struct remote_io, 1);
	*r = (struct remote_io){
		.io.ops = &remote_io_ops,
		.pools = pools,
		.file = file,
		.name = g_strdup(name),
		.off = how->off,
		.end = how->len ? how->off + MIN(how->len, size - how->off) : size,
		.sparse = how->sparse,
	};
	return &r->io;
}

/* == Wiping == */

static int wipe_piece(struct block_file *file, uint64_t off, size_t len, enum vol_wipe how,
		      uint8_t *buffer)
{
	int ret;

	if (how == VOL_WIPE_TRIM)
		return block_file_punch(file, off, len);
	ret = how == VOL_WIPE_RANDOM ? sys_random(buffer, len) : 0;
	return ret < 0 ? ret : block_file_write(file, off, buffer, len);
}

bool vol_remote_wipe(const struct depot *depot, const char *name, enum vol_wipe how,
		     struct vol_work *work, GError **error)
{
	autoptr(block_file) file = depot->kind->reach(depot, name, true, error);
	g_autofree uint8_t *buffer = g_malloc0(PIECE);
	uint64_t size = file ? (uint64_t)MAX(block_file_size(file), 0) : 0;
	int ret = 0;

	if (!file)
		return false;
	for (uint64_t off = 0; off < size && ret >= 0; off += PIECE) {
		const size_t len = (size_t)MIN(size - off, (uint64_t)PIECE);

		if (!work_is_wanted(work, error))
			return false;
		ret = wipe_piece(file, off, len, how, buffer);
		if (work)
			atomic_fetch_add(&work->done, len);
	}
	if (ret >= 0)
		ret = block_file_sync(file);
	return ret >= 0 || error_sys(error, ret, "cannot wipe volume '%s'", name);
}
