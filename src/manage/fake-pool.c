/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fake-pool.c - storage pools in memory, for the driver "test"
 *
 * A pool has 100 GiB, as libvirt's has, of which volumes take what they say. Their bytes are in memory
 * files, which take what was written, and there is an end to that.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/sys.h"
#include "manage/pool.h"

enum {
	FAKE_BYTES_MAX = 64 * 1024 * 1024, /* that are written to a pool's volumes */
};

static const uint64_t fake_capacity = UINT64_C(100) << 30;

struct fake_vol {
	struct storage_vol *vol;
	int fd; /* a memory file of its capacity */
};

struct fake_pool {
	struct storage storage;
	GHashTable *vols; /* by name */
	uint64_t written;
};

static struct fake_pool *fake_of(struct storage *storage)
{
	return container_of(storage, struct fake_pool, storage);
}

static void fake_vol_free(void *data)
{
	struct fake_vol *v = data;

	storage_vol_free(v->vol);
	fd_autoclose(&v->fd);
	g_free(v);
}

static void end(struct task *task, GError *error)
{
	task_end(task, error);
	g_clear_error(&error);
}

static bool supports(void *opaque, enum storage_pool_type type)
{
	(void)opaque;
	return type != STORAGE_POOL_ABSENT;
}

/* There is nothing that has to be made or could be missing. */
static void of_def(void *opaque, const struct storage_pool *def, unsigned flags, struct task *task)
{
	(void)opaque;
	(void)def;
	(void)flags;
	task_end(task, NULL);
}

/* What libvirt's driver finds. */
static void find_sources(void *opaque, enum storage_pool_type type, const struct storage_pool *like,
			 GPtrArray *list, struct task *task)
{
	static const char logical[] = "<source><device path='/dev/sda20'/><name>testvg1</name>"
				      "<format type='lvm2'/></source>";
	static const char netfs[] = "<source><host name='localhost'/><dir path='/testshare'/>"
				    "<format type='nfs'/></source>";
	const char *text = type == STORAGE_POOL_LOGICAL ? logical
			   : type == STORAGE_POOL_NETFS ? netfs
							: NULL;
	GError *error = NULL;

	(void)opaque;
	(void)like;
	if (text)
		g_ptr_array_add(list, storage_source_parse(text, strlen(text), NULL));
	else
		error_set(&error, SOCLE_ERROR_UNSUPPORTED,
			  "sources of storage pools of type %s cannot be looked for; name one in "
			  "<source>",
			  storage_pool_type_names[type]);
	end(task, error);
}

static void start(void *opaque, const struct storage_pool *def, GBytes *password, unsigned flags,
		  struct storage **ret_storage, struct task *task)
{
	struct fake_pool *fake = g_new0(struct fake_pool, 1);

	(void)opaque;
	(void)def;
	(void)password;
	(void)flags;
	fake->storage.ops = &fake_pools;
	fake->vols = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, fake_vol_free);
	*ret_storage = &fake->storage;
	task_end(task, NULL);
}

static void stop(struct storage *storage, struct task *task)
{
	(void)storage;
	task_end(task, NULL);
}

static void fake_free(struct storage *storage)
{
	struct fake_pool *fake = fake_of(storage);

	g_hash_table_unref(fake->vols);
	g_free(fake);
}

static uint64_t allocated(const struct fake_pool *fake)
{
	uint64_t sum = 0;
	GHashTableIter iter;
	void *data;

	g_hash_table_iter_init(&iter, fake->vols);
	while (g_hash_table_iter_next(&iter, NULL, &data))
		sum += (uint64_t)((struct fake_vol *)data)->vol->allocation.value;
	return sum;
}

static void usage(struct storage *storage, struct pool_usage *ret_usage, struct task *task)
{
	uint64_t sum = allocated(fake_of(storage));

	*ret_usage = (struct pool_usage){ fake_capacity, sum, fake_capacity - sum };
	task_end(task, NULL);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void list(struct storage *storage, GPtrArray *names, struct task *task)
{
	GHashTableIter iter;
	void *name;

	g_hash_table_iter_init(&iter, fake_of(storage)->vols);
	while (g_hash_table_iter_next(&iter, &name, NULL))
		g_ptr_array_add(names, g_strdup(name));
	g_ptr_array_sort(names, by_name);
	task_end(task, NULL);
}

static struct fake_vol *find(struct storage *storage, const char *name, GError **error)
{
	struct fake_vol *v = g_hash_table_lookup(fake_of(storage)->vols, name);

	if (!v)
		error_set(error, SOCLE_ERROR_NOT_FOUND, "there is no volume '%s'", name);
	return v;
}

static void look(struct storage *storage, const char *name, struct storage_vol **ret_vol,
		 struct file_id *ret_id, struct task *task)
{
	GError *error = NULL;
	const struct fake_vol *v = find(storage, name, &error);

	*ret_id = (struct file_id){ FILE_UNKNOWN };
	if (v)
		*ret_vol = storage_vol_copy(v->vol);
	end(task, error);
}

/* Of a copy: the source's bytes and what it is. */
static bool copy(struct fake_vol *v, const struct vol_create *what, GError **error)
{
	const struct fake_vol *from =
		what->source ? find(what->source, what->source_name, error) : NULL;
	uint8_t bytes[2048];
	off_t off = 0;
	ssize_t n;

	if (!what->source)
		return true;
	if (!from)
		return false;
	v->vol->capacity.value = MAX(v->vol->capacity.value, from->vol->capacity.value);
	while ((n = sys_pread(from->fd, bytes, sizeof(bytes), off)) > 0 &&
	       off < FAKE_BYTES_MAX / 16) {
		if (sys_pwrite(v->fd, bytes, (size_t)n, off) < 0)
			break;
		off += n;
	}
	return true;
}

static bool make(struct fake_pool *fake, const struct vol_create *what, GError **error)
{
	struct fake_vol *v;

	if (g_hash_table_contains(fake->vols, what->vol->name))
		return error_set(error, SOCLE_ERROR_EXISTS, "storage vol '%s' already exists",
				 what->vol->name);
	v = g_new0(struct fake_vol, 1);
	v->vol = storage_vol_copy(what->vol);
	v->fd = sys_memfd("volume");
	if (!copy(v, what, error)) {
		fake_vol_free(v);
		return false;
	}
	v->vol->type = STORAGE_VOL_FILE;
	number_default(&v->vol->capacity, 0);
	number_default(&v->vol->allocation, v->vol->capacity.value);
	if (!v->vol->target.format.type)
		v->vol->target.format.type = g_strdup("raw");
	if ((uint64_t)v->vol->allocation.value > fake_capacity - allocated(fake)) {
		error_set(error, SOCLE_ERROR_FAILED,
			  "Not enough free space in pool for volume '%s'", what->vol->name);
		fake_vol_free(v);
		return false;
	}
	v->vol->physical = v->vol->allocation;
	(void)sys_ftruncate(v->fd, v->vol->capacity.value);
	g_hash_table_insert(fake->vols, v->vol->name, v);
	return true;
}

static void create(struct storage *storage, const struct vol_create *what, struct vol_work *work,
		   struct task *task)
{
	GError *error = NULL;

	(void)work;
	(void)make(fake_of(storage), what, &error);
	end(task, error);
}

static void fake_remove(struct storage *storage, const char *name, unsigned flags,
			struct vol_work *work, struct task *task)
{
	GError *error = NULL;

	(void)flags;
	(void)work;
	if (find(storage, name, &error))
		g_hash_table_remove(fake_of(storage)->vols, name);
	end(task, error);
}

static void resize(struct storage *storage, const char *name, uint64_t bytes, unsigned flags,
		   struct vol_work *work, struct task *task)
{
	GError *error = NULL;
	struct fake_vol *v = find(storage, name, &error);
	int64_t now = v ? v->vol->capacity.value : 0;
	int64_t delta = (int64_t)MIN(bytes, fake_capacity);
	int64_t wanted = flags & VOL_RESIZE_DELTA
				 ? (flags & VOL_RESIZE_SHRINK ? now - delta : now + delta)
				 : delta;

	(void)work;
	if (v && wanted < now && !(flags & VOL_RESIZE_SHRINK))
		error_set(&error, SOCLE_ERROR_USAGE,
			  "Can't shrink capacity below current capacity unless shrink flag "
			  "explicitly specified");
	else if (v && (wanted < 0 || (uint64_t)wanted > fake_capacity))
		error_set(&error, SOCLE_ERROR_LIMIT, "Not enough space left in storage pool");
	if (v && !error) {
		v->vol->capacity = number_of(wanted);
		if (flags & VOL_RESIZE_ALLOCATE)
			v->vol->allocation = v->vol->physical = number_of(wanted);
		(void)sys_ftruncate(v->fd, wanted);
	}
	end(task, error);
}

static void wipe(struct storage *storage, const char *name, enum vol_wipe how,
		 struct vol_work *work, struct task *task)
{
	GError *error = NULL;
	const struct fake_vol *v = find(storage, name, &error);

	(void)how;
	(void)work;
	if (v) {
		(void)sys_ftruncate(v->fd, 0);
		(void)sys_ftruncate(v->fd, v->vol->capacity.value);
	}
	end(task, error);
}

/* == Bytes == */

struct fake_io {
	struct vol_io io;
	struct fake_pool *pool;
	int fd; /* its own */
	uint64_t off, end;
	bool sparse;
};

static struct fake_io *io_of(struct vol_io *io)
{
	return container_of(io, struct fake_io, io);
}

static void io_write(struct vol_io *io, const void *data, size_t len, struct task *task)
{
	struct fake_io *f = io_of(io);
	GError *error = NULL;
	ssize_t n = 0;

	if (len > f->end - f->off || f->pool->written + len > FAKE_BYTES_MAX)
		n = -ENOSPC;
	else
		n = sys_pwrite(f->fd, data, len, (off_t)f->off);
	if (n < 0)
		error_sys(&error, (int)n, "cannot write to the volume");
	f->off += len;
	f->pool->written += len;
	end(task, error);
}

static void io_skip(struct vol_io *io, uint64_t len, struct task *task)
{
	struct fake_io *f = io_of(io);
	GError *error = NULL;

	if (len > f->end - f->off)
		error_sys(&error, -ENOSPC, "cannot write to the volume");
	else
		f->off += len;
	end(task, error);
}

static void io_finish(struct vol_io *io, struct task *task)
{
	(void)io;
	task_end(task, NULL);
}

/* The length of the hole at ->off, or 0. */
static uint64_t hole_at(const struct fake_io *f)
{
	off_t data = sys_lseek(f->fd, (off_t)f->off, SEEK_DATA);

	if (data < 0)
		return f->end - f->off;
	return MIN((uint64_t)data, f->end) - f->off;
}

static void io_read(struct vol_io *io, struct vol_chunk *chunk, struct task *task)
{
	struct fake_io *f = io_of(io);
	size_t want = (size_t)MIN(f->end - f->off, (uint64_t)VOL_CHUNK_MAX);
	ssize_t n;

	chunk->end = !want;
	if (want && f->sparse)
		chunk->hole = hole_at(f);
	if (want && !chunk->hole) {
		n = sys_pread(f->fd, chunk->bytes, want, (off_t)f->off);
		chunk->len = n > 0 ? (size_t)n : 0;
	}
	f->off += chunk->len + chunk->hole;
	task_end(task, NULL);
}

static void io_free(struct vol_io *io)
{
	struct fake_io *f = io_of(io);

	fd_autoclose(&f->fd);
	g_free(f);
}

static const struct vol_io_ops fake_io_ops = {
	.write = io_write,
	.skip = io_skip,
	.finish = io_finish,
	.read = io_read,
	.free = io_free,
};

static void fake_open(struct storage *storage, const char *name, const struct vol_open *how,
		      struct vol_io **ret_io, struct task *task)
{
	GError *error = NULL;
	const struct fake_vol *v = find(storage, name, &error);
	uint64_t size = v ? (uint64_t)v->vol->capacity.value : 0;
	struct fake_io *f;

	if (v && how->off > size)
		error_set(&error, SOCLE_ERROR_USAGE, "volume '%s' ends before the offset", name);
	if (!error) {
		f = g_new(struct fake_io, 1);
		*f = (struct fake_io){ .io.ops = &fake_io_ops,
				       .pool = fake_of(storage),
				       .fd = fcntl(v->fd, F_DUPFD_CLOEXEC, 0),
				       .off = how->off,
				       .end = how->len && how->len < size - how->off
						      ? how->off + how->len
						      : size,
				       .sparse = how->sparse };
		*ret_io = &f->io;
	}
	end(task, error);
}

const struct pool_ops fake_pools = {
	.supports = supports,
	.build = of_def,
	.erase = of_def,
	.find_sources = find_sources,
	.start = start,
	.stop = stop,
	.free = fake_free,
	.usage = usage,
	.list = list,
	.look = look,
	.create = create,
	.remove = fake_remove,
	.resize = resize,
	.wipe = wipe,
	.open = fake_open,
};
