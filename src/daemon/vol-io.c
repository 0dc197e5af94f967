/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vol-io.c - bytes of a volume as a client sends or takes them
 *
 * An upload of a whole file is a part (depot-dir.c) that replaces the volume when the client has finished:
 * who dies in the middle changes nothing. What the client has not sent is as it was. A volume that is new is
 * such a part, too. An upload into a part of the volume, or to a device, is written where it belongs.
 *
 * A client on this host may send its file instead of the bytes: then they are copied as those of a clone are.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/sys.h"
#include "block/file.h"
#include "daemon/pools-int.h"

enum {
	SOON = 4 << 20, /* bytes of an upload, with its holes, that the disk begins with at once */
	COPY_STEP = 16 << 20, /* bytes between two looks at whether they are still wanted */
};

struct file_io {
	struct vol_io io;
	struct pools *pools;
	char *name;
	int fd;                  /* of the volume; -1: it is new */
	struct block_file *held; /* of an upload: nobody else has it */
	int dir;                 /* of a new file, or -1 */
	struct part part;        /* becomes the volume when it is complete */
	bool whole;              /* there is one */
	bool growing;            /* a file without a limit */
	uint64_t off, end;
	uint64_t size;     /* of the volume when it was opened */
	uint64_t soon;     /* of an upload: the disk knows of what is before */
	uint64_t data_end; /* of a download: there is data up to here */
	bool sparse, write;
	bool no_sync;   /* of an upload: the disk has what it has written when it likes */
	uint64_t limit; /* so many bytes the client wants of its file at most; 0: all */

	/* Of the step that is under way. */
	const void *bytes;
	size_t len;
	struct vol_chunk *chunk;
	int file; /* the client's */
	struct vol_work *work;
};

static struct file_io *io_of(struct vol_io *io)
{
	return container_of(io, struct file_io, io);
}

static int target(const struct file_io *f)
{
	return f->whole ? f->part.fd : f->fd;
}

static void no_free(void *arg)
{
	(void)arg;
}

static void start_step(struct file_io *f, struct task *task, bool (*run)(void *arg, GError **error))
{
	work_start(f->pools, task, NULL, run, NULL, no_free, f);
}

static bool has_room(const struct file_io *f, uint64_t len, GError **error)
{
	if (f->growing ? len <= (uint64_t)INT64_MAX / 2 - f->off : len <= f->end - f->off)
		return true;
	return error_sys(error, -ENOSPC, "the volume '%s' ends there", f->name);
}

/* == Upload == */

static void write_soon(struct file_io *f)
{
	if (f->no_sync || f->off < f->soon + SOON)
		return;
	sys_write_soon(target(f), (off_t)f->soon, (off_t)(f->off - f->soon));
	f->soon = f->off;
}

static bool run_write(void *arg, GError **error)
{
	struct file_io *f = arg;
	const uint8_t *bytes = f->bytes;
	size_t len = f->len;

	if (!has_room(f, len, error))
		return false;
	while (len) {
		ssize_t n = sys_pwrite(target(f), bytes, len, (off_t)f->off);

		if (n <= 0)
			return error_sys(error, n ? (int)n : -ENOSPC, "cannot write volume '%s'",
					 f->name);
		bytes += n;
		len -= (size_t)n;
		f->off += (uint64_t)n;
	}
	write_soon(f);
	return true;
}

static void io_write(struct vol_io *io, const void *data, size_t len, struct task *task)
{
	struct file_io *f = io_of(io);

	f->bytes = data;
	f->len = len;
	start_step(f, task, run_write);
}

/* For devices that cannot forget, and parts of their blocks. */
static int write_zeroes(int fd, uint64_t off, uint64_t len)
{
	static const uint8_t zeroes[64 << 10];

	while (len) {
		ssize_t n = sys_pwrite(fd, zeroes, MIN(len, (uint64_t)sizeof(zeroes)), (off_t)off);

		if (n <= 0)
			return n ? (int)n : -ENOSPC;
		off += (uint64_t)n;
		len -= (uint64_t)n;
	}
	return 0;
}

static bool make_hole(struct file_io *f, uint64_t len, GError **error)
{
	int ret;

	if (!has_room(f, len, error))
		return false;
	/* A new file has a hole there. */
	ret = f->whole || !len ? 0
			       : sys_fallocate(f->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
					       (off_t)f->off, (off_t)len);
	if (ret == -EOPNOTSUPP || ret == -EINVAL)
		ret = write_zeroes(f->fd, f->off, len);
	f->off += len;
	return ret >= 0 || error_sys(error, ret, "cannot make a hole in volume '%s'", f->name);
}

static void io_skip(struct vol_io *io, uint64_t len, struct task *task)
{
	GError *error = NULL;

	(void)make_hole(io_of(io), len, &error);
	task_end(task, error);
	g_clear_error(&error);
}

/* The end may be a hole. */
static bool set_size(const struct file_io *f, GError **error)
{
	int ret = sys_ftruncate(f->part.fd, (off_t)MAX(f->off, f->size));

	return ret >= 0 || error_sys(error, ret, "cannot write volume '%s'", f->name);
}

/* The rest of the volume, and whose it is, are as they were. */
static bool take_over(struct file_io *f, GError **error)
{
	g_autofree char *path = g_strdup_printf("/proc/self/fd/%d", f->part.fd);
	struct stat st;
	int ret = sys_fstat(f->fd, &st);

	if (ret < 0)
		return error_sys(error, ret, "cannot write volume '%s'", f->name);
	if (f->off < f->size &&
	    !vol_copy_data(f->fd, f->part.fd, f->off, f->size - f->off, !f->no_sync, NULL, error))
		return false;
	/* Only root may give a file away; then it stays ours, and the mode matters the more. */
	(void)sys_chown(path, st.st_uid, st.st_gid);
	ret = sys_chmod(path, st.st_mode & 07777);
	return ret >= 0 || error_sys(error, ret, "cannot protect volume '%s'", f->name);
}

static bool run_finish(void *arg, GError **error)
{
	struct file_io *f = arg;
	int ret;

	if (f->whole)
		return set_size(f, error) && (f->fd < 0 || take_over(f, error)) &&
		       part_finish(&f->part, f->name, f->fd >= 0, error);
	ret = f->no_sync ? 0 : sys_fdatasync(f->fd);
	return ret >= 0 || error_sys(error, ret, "cannot write volume '%s'", f->name);
}

static void io_finish(struct vol_io *io, struct task *task)
{
	start_step(io_of(io), task, run_finish);
}

/* == Download == */

/* At ->off: a hole of so many bytes, or 0 and data up to ->data_end. */
static uint64_t hole_here(struct file_io *f)
{
	off_t data, hole;

	if (f->off < f->data_end)
		return 0;
	data = sys_lseek(f->fd, (off_t)f->off, SEEK_DATA);
	if (data == -ENXIO)
		return f->end - f->off;
	if (data > (off_t)f->off)
		return MIN((uint64_t)data, f->end) - f->off;
	hole = data < 0 ? -1 : sys_lseek(f->fd, (off_t)f->off, SEEK_HOLE);
	f->data_end = hole > (off_t)f->off ? MIN((uint64_t)hole, f->end) : f->end;
	return 0;
}

static bool run_read(void *arg, GError **error)
{
	struct file_io *f = arg;
	struct vol_chunk *chunk = f->chunk;
	size_t want = (size_t)MIN(f->end - f->off, (uint64_t)VOL_CHUNK_MAX);
	ssize_t n;

	chunk->end = f->off >= f->end;
	if (chunk->end)
		return true;
	chunk->hole = hole_here(f);
	if (!chunk->hole)
		want = (size_t)MIN((uint64_t)want, f->data_end - f->off);
	if (chunk->hole && !f->sparse) {
		/* Who does not know holes gets zeroes; they need not be read. */
		chunk->len = (size_t)MIN(chunk->hole, (uint64_t)want);
		memset(chunk->bytes, 0, chunk->len);
		chunk->hole = 0;
	} else if (!chunk->hole) {
		n = sys_pread(f->fd, chunk->bytes, want, (off_t)f->off);
		if (n < 0)
			return error_sys(error, (int)n, "cannot read volume '%s'", f->name);
		chunk->len = (size_t)n;
		chunk->end = n == 0;
	}
	f->off += chunk->len + chunk->hole;
	return true;
}

static void io_read(struct vol_io *io, struct vol_chunk *chunk, struct task *task)
{
	struct file_io *f = io_of(io);

	f->chunk = chunk;
	start_step(f, task, run_read);
}

/* == Copies: the client's file tells by its position how far they are == */

struct file_pos {
	int fd;
	uint64_t at, size;
};

static bool file_pos_init(struct file_pos *file, int fd, GError **error)
{
	off_t at = sys_lseek(fd, 0, SEEK_CUR);
	struct stat st;

	if (at < 0 || sys_fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return error_set(error, SOCLE_ERROR_USAGE,
				 "the descriptor is not that of a regular file");
	*file = (struct file_pos){ fd, (uint64_t)at, (uint64_t)st.st_size };
	return true;
}

static void file_pos_tell(const struct file_pos *file)
{
	(void)sys_lseek(file->fd, (off_t)file->at, SEEK_SET);
}

/* [file->at, end) of it is data. */
static bool copy_in(struct file_io *f, struct file_pos *file, uint64_t end, GError **error)
{
	bool by_hand = false;

	while (file->at < end) {
		ssize_t n =
			vol_copy_some(file->fd, file->at, target(f), f->off,
				      (size_t)MIN(end - file->at, (uint64_t)COPY_STEP), &by_hand);

		if (n < 0)
			return error_sys(error, (int)n, "cannot write volume '%s'", f->name);
		if (n == 0)
			return error_set(error, SOCLE_ERROR_FAILED,
					 "the file has become shorter while it was copied");
		file->at += (uint64_t)n;
		f->off += (uint64_t)n;
		atomic_fetch_add(&f->work->done, (uint64_t)n);
		write_soon(f);
		file_pos_tell(file);
		if (!work_is_wanted(f->work, error))
			return false;
	}
	return true;
}

static bool upload_file(struct file_io *f, struct file_pos *file, GError **error)
{
	uint64_t end = MAX(file->size, file->at);

	if (f->limit)
		end = file->at + MIN(f->limit, end - file->at);
	if (!has_room(f, end - file->at, error))
		return false;
	while (file->at < end) {
		off_t data = sys_lseek(file->fd, (off_t)file->at, SEEK_DATA), hole = -1;
		uint64_t from = file->at;

		/* Behind the last data; or who cannot tell has data everywhere. */
		if (data == -ENXIO)
			from = end;
		else if (data > (off_t)file->at)
			from = MIN(end, (uint64_t)data);
		if (!make_hole(f, from - file->at, error))
			return false;
		file->at = from;
		if (data >= 0)
			hole = sys_lseek(file->fd, (off_t)from, SEEK_HOLE);
		if (!copy_in(f, file, hole > data ? MIN(end, (uint64_t)hole) : end, error))
			return false;
	}
	file_pos_tell(file);
	return true;
}

/* Up to f->data_end there is data. */
static bool copy_out(struct file_io *f, struct file_pos *file, bool *by_hand, GError **error)
{
	ssize_t n = vol_copy_some(f->fd, f->off, file->fd, file->at,
				  (size_t)MIN(f->data_end - f->off, (uint64_t)COPY_STEP), by_hand);

	if (n < 0)
		return error_sys(error, (int)n, "cannot copy volume '%s' to the file", f->name);
	/* It has become shorter meanwhile. */
	if (n == 0)
		f->end = f->off;
	f->off += (uint64_t)n;
	file->at += (uint64_t)n;
	file_pos_tell(file);
	return work_is_wanted(f->work, error);
}

static bool download_file(struct file_io *f, struct file_pos *file, GError **error)
{
	bool by_hand = false;
	int ret;

	if (file->size > file->at)
		return error_set(error, SOCLE_ERROR_USAGE,
				 "the file has bytes already where those of volume '%s' are to go",
				 f->name);
	while (f->off < f->end) {
		uint64_t hole = hole_here(f);

		f->off += hole;
		file->at += hole;
		if (!hole && !copy_out(f, file, &by_hand, error))
			return false;
	}
	/* A hole at the end has no byte behind it. */
	ret = sys_ftruncate(file->fd, (off_t)file->at);
	if (ret < 0)
		return error_sys(error, ret, "cannot copy volume '%s' to the file", f->name);
	file_pos_tell(file);
	return true;
}

static bool run_copy(void *arg, GError **error)
{
	struct file_io *f = arg;
	struct file_pos file = { .fd = -1 };

	return file_pos_init(&file, f->file, error) &&
	       (f->write ? upload_file(f, &file, error) : download_file(f, &file, error));
}

static void io_copy(struct vol_io *io, int file, struct vol_work *work, struct task *task)
{
	struct file_io *f = io_of(io);

	f->file = file;
	f->work = work;
	work_start(f->pools, task, work, run_copy, NULL, no_free, f);
}

static void io_free(struct vol_io *io)
{
	struct file_io *f = io_of(io);

	if (f->whole)
		part_release(&f->part);
	block_file_close(f->held);
	fd_autoclose(&f->fd);
	fd_autoclose(&f->dir);
	g_free(f->name);
	g_free(f);
}

static const struct vol_io_ops file_io_ops = {
	.write = io_write,
	.skip = io_skip,
	.finish = io_finish,
	.read = io_read,
	.copy = io_copy,
	.free = io_free,
};

/* == Begin == */

struct vol_io *vol_io_new_file(struct pools *pools, const struct depot *depot,
			       const struct vol_create *what, struct vol_work *work, GError **error)
{
	struct part part;
	int dir = vol_file_begin(depot, what, work, &part, error);
	struct file_io *f;
	off_t size = dir < 0 ? -1 : sys_lseek(part.fd, 0, SEEK_END);

	if (dir < 0)
		return NULL;
	if (size < 0) {
		error_sys(error, (int)size, "cannot tell the size of volume '%s'", what->vol->name);
		part_release(&part);
		(void)close(dir);
		return NULL;
	}
	f = g_new(struct file_io, 1);
	*f = (struct file_io){ .io.ops = &file_io_ops,
			       .pools = pools,
			       .name = g_strdup(what->vol->name),
			       .fd = -1,
			       .dir = dir,
			       .part = part,
			       .whole = true,
			       .growing = true,
			       .size = (uint64_t)size,
			       .write = true,
			       .no_sync = what->no_sync };
	return &f->io;
}

static bool open_upload(struct file_io *f, const struct depot *depot, const struct vol_open *how,
			const char *path, GError **error)
{
	bool all = !how->off && (!how->len || how->len >= f->size);
	struct stat st;

	f->held = vol_hold(f->fd, path, true, error);
	if (!f->held)
		return false;
	if (sys_fstat(f->fd, &st) < 0 || !S_ISREG(st.st_mode))
		return true;
	f->growing = !how->len;
	if (!all)
		return true;
	f->dir = folder_open(depot, error);
	if (f->dir < 0 || !part_init(&f->part, f->dir, error))
		return false;
	f->part.no_sync = f->no_sync;
	f->whole = true;
	return true;
}

struct vol_io *vol_io_new(struct pools *pools, const struct depot *depot, const char *name,
			  const char *as, const struct vol_open *how, GError **error)
{
	g_autofree char *path = depot_path(depot, as);
	struct file_io *f = g_new0(struct file_io, 1);
	off_t size;

	*f = (struct file_io){ .io.ops = &file_io_ops,
			       .pools = pools,
			       .name = g_strdup(name),
			       .dir = -1,
			       .sparse = how->sparse,
			       .write = how->write,
			       .no_sync = how->no_sync,
			       .limit = how->len,
			       .off = how->off,
			       .soon = how->off };
	f->fd = depot->kind->open(depot, as, how->write ? O_RDWR : O_RDONLY, error);
	if (f->fd < 0)
		goto fail;
	size = sys_lseek(f->fd, 0, SEEK_END);
	if (size < 0) {
		error_sys(error, (int)size, "cannot tell the size of volume '%s'", name);
		goto fail;
	}
	f->size = f->end = (uint64_t)size;
	if (how->off > f->size) {
		error_set(error, SOCLE_ERROR_USAGE, "volume '%s' ends before the offset", name);
		goto fail;
	}
	if (how->len && how->len < f->end - how->off)
		f->end = how->off + how->len;
	if (!how->write || open_upload(f, depot, how, path, error))
		return &f->io;
fail:
	io_free(&f->io);
	return NULL;
}
