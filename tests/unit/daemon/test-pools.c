/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-pools.c - storage pools of this host that are folders, through their seam: failures at every step, what is
 * left half-way; what paths lead to
 */
#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>

#include "base/error.h"
#include "base/sys.h"
#include "pools-lab.h"

/* Let each call of a kind fail: what was to be made is there as a whole, or nothing is. */
static void fail_each(struct lab *lab, const char *xml, const char *source)
{
	static const enum sys_call calls[] = { SYS_OPEN,      SYS_PWRITE,    SYS_PWRITEV,
					       SYS_FTRUNCATE, SYS_FALLOCATE, SYS_FSYNC,
					       SYS_RENAME,    SYS_CHMOD };
	unsigned before = count_files(lab);

	for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
		for (unsigned n = 1; n < 100; n++) {
			g_autofree char *path = path_of(lab, "new");
			g_autoptr(GError) error = NULL;
			bool failed;

			sys_fail_nth(calls[i], n, EIO);
			error = create(lab, xml, source, NULL);
			failed = !sys_fail_pending(calls[i]);
			sys_fail_nth(calls[i], 0, 0);
			/* The last sync is of the folder, behind the name. */
			if (error && count_files(lab) != before)
				g_assert_cmpint(g_unlink(path), ==, 0);
			else if (!error)
				g_assert_cmpint(g_unlink(path), ==, 0);
			g_assert_cmpuint(count_files(lab), ==, before);
			if (!failed)
				break;
		}
	}
}

static void test_failures(void)
{
	struct lab lab = begin();
	g_autofree char *bytes = g_strnfill(100000, 'x');

	put(&lab, "old", bytes, 100000);
	fail_each(&lab, "<volume><name>new</name><capacity>1000000</capacity></volume>", NULL);
	fail_each(
		&lab,
		"<volume><name>new</name><capacity>1000000</capacity><target><format type='qcow2'/>"
		"</target></volume>",
		NULL);
	fail_each(&lab, "<volume><name>new</name><capacity>1</capacity></volume>", "old");
	fail_each(&lab,
		  "<volume><name>new</name><capacity>1</capacity><target><format "
		  "type='qcow2'/></target>"
		  "</volume>",
		  "old");
	end(&lab);
}

/* It was cancelled before it began, which every piece of work finds out on its way. */
static void test_cancelled(void)
{
	static const char *const formats[] = { "raw", "qcow2" };
	struct lab lab = begin();
	g_autofree char *bytes = g_strnfill(100000, 'x');

	put(&lab, "old", bytes, 100000);
	for (size_t i = 0; i < ARRAY_SIZE(formats); i++) {
		struct vol_work *work = vol_work_new();
		g_autofree char *xml = g_strdup_printf(
			"<volume><name>new</name><capacity>1</capacity><target><format type='%s'/>"
			"</target></volume>",
			formats[i]);
		g_autoptr(GError) error = NULL;

		atomic_store(&work->cancelled, true);
		error = create(&lab, xml, "old", work);
		g_assert_error(error, SOCLE_ERROR, SOCLE_ERROR_FAILED);
		vol_work_unref(work);
		g_assert_cmpuint(count_files(&lab), ==, 1);
	}
	end(&lab);
}

/* A name that somebody takes while the volume is made stays his. */
static void test_taken(void)
{
	struct lab lab = begin();
	g_autoptr(GError) error = NULL;
	g_autofree char *path = path_of(&lab, "new"), *text = NULL;

	put(&lab, "new", "mine", 4);
	error = create(&lab, "<volume><name>new</name><capacity>1</capacity></volume>", NULL, NULL);
	g_assert_error(error, SOCLE_ERROR, SOCLE_ERROR_EXISTS);
	g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
	g_assert_cmpstr(text, ==, "mine");
	end(&lab);
}

/* Unfinished ones are no volumes, and go with the next one, however young; but not while their maker has a lock. */
static void test_parts(void)
{
	static const char part[] = ".socle-00000000000000aa.part";
	struct lab lab = begin();
	GPtrArray *names = g_ptr_array_new_with_free_func(g_free);
	g_autofree char *path = path_of(&lab, part);
	struct wait wait;
	int fd;

	put(&lab, part, "x", 1);
	put(&lab, ".socle-like", "x", 1);
	put(&lab, ".hidden", "x", 1);
	wait_init(&wait);
	pools_ops.list(lab.storage, names, &wait.task);
	g_assert_no_error(wait_end(&wait));
	g_assert_cmpuint(names->len, ==, 1);
	g_assert_cmpstr(names->pdata[0], ==, ".hidden");
	g_assert_cmpuint(count_files(&lab), ==, 3);
	g_ptr_array_unref(names);
	fd = sys_open(path, O_RDWR, 0);
	g_assert_cmpint(sys_lock_byte(fd, 90), ==, 0);
	make(&lab, "one");
	g_assert_true(has_file(&lab, part));
	fd_autoclose(&fd);
	make(&lab, "two");
	g_assert_false(has_file(&lab, part));
	g_assert_true(has_file(&lab, ".socle-like"));
	/* Where there are no locks its age tells, and this one is young. */
	put(&lab, part, "x", 1);
	sys_fail_nth(SYS_FCNTL, 1, ENOLCK);
	make(&lab, "three");
	g_assert_true(has_file(&lab, part));
	end(&lab);
}

/* == Uploads that fail == */

/* Have @move do what is to be done, and say that it is complete if it is an upload. */
static GError *go_through(struct vol_io *io, bool upload,
			  void (*move)(struct vol_io *io, int file, struct task *task), int file)
{
	struct wait wait;
	GError *error;

	wait_init(&wait);
	move(io, file, &wait.task);
	error = wait_end(&wait);
	if (!error && upload) {
		wait_init(&wait);
		io->ops->finish(io, &wait.task);
		error = wait_end(&wait);
	}
	io->ops->free(io);
	return error;
}

static GError *transfer(struct lab *lab, const char *name, const struct vol_open *how,
			void (*move)(struct vol_io *io, int file, struct task *task), int file)
{
	struct vol_io *io = NULL;
	struct wait wait;
	GError *error;

	wait_init(&wait);
	pools_ops.open(lab->storage, name, how, &io, &wait.task);
	error = wait_end(&wait);
	return error ? error : go_through(io, how->write, move, file);
}

/* A new volume of 11 bytes, that is there when it has what comes. */
static GError *make_of_fast(struct lab *lab, const char *format, bool no_sync,
			    void (*move)(struct vol_io *io, int file, struct task *task), int file)
{
	g_autofree char *text = g_strdup(format);
	char name[] = "v";
	struct storage_vol vol = { .name = name,
				   .capacity = number_of(11),
				   .allocation = number_of(0),
				   .target.format.type = text };
	struct vol_io *io = NULL;
	const struct vol_create what = { .vol = &vol, .ret_io = &io, .no_sync = no_sync };
	struct vol_work *work = vol_work_new();
	struct wait wait;
	GError *error;

	wait_init(&wait);
	pools_ops.create(lab->storage, &what, work, &wait.task);
	error = wait_end(&wait);
	vol_work_unref(work);
	return error ? error : go_through(io, true, move, file);
}

static GError *make_of(struct lab *lab, const char *format,
		       void (*move)(struct vol_io *io, int file, struct task *task), int file)
{
	return make_of_fast(lab, format, false, move, file);
}

static void send_new(struct vol_io *io, int file, struct task *task)
{
	(void)file;
	io->ops->write(io, "new", 3, task);
}

static struct vol_work copied;

static void copy_file(struct vol_io *io, int file, struct task *task)
{
	io->ops->copy(io, file, &copied, task);
}

static GError *copy(struct lab *lab, const char *name, const struct vol_open *how, int file)
{
	return transfer(lab, name, how, copy_file, file);
}

/* A file outside of the pool. */
static int file_with(const char *bytes, size_t len)
{
	int fd = sys_open(g_get_tmp_dir(), O_RDWR | O_TMPFILE, 0600);

	g_assert_cmpint(fd, >=, 0);
	g_assert_cmpint(sys_write_full(fd, bytes, len), ==, (ssize_t)len);
	g_assert_cmpint(sys_lseek(fd, 0, SEEK_SET), ==, 0);
	return fd;
}

/* All or nothing, whatever was told, whichever of @calls fails. */
static void fail_uploads(const enum sys_call *calls, size_t count,
			 void (*move)(struct vol_io *io, int file, struct task *task))
{
	const struct vol_open how = { .write = true };
	struct lab lab = begin();
	g_autofree char *path = path_of(&lab, "v");
	unsigned failures = 0;

	for (size_t i = 0; i < count; i++) {
		for (unsigned n = 1; n < 50; n++) {
			g_autoptr(GError) error = NULL;
			g_autofree char *text = NULL;
			autofd int file = file_with("?new", 4);
			bool failed;

			/* What is before its position is not meant. */
			g_assert_cmpint(sys_lseek(file, 1, SEEK_SET), ==, 1);
			put(&lab, "v", "old old old", 11);
			sys_fail_nth(calls[i], n, EIO);
			error = transfer(&lab, "v", &how, move, file);
			failed = !sys_fail_pending(calls[i]);
			sys_fail_nth(calls[i], 0, 0);
			g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
			if (error)
				failures++;
			else
				g_assert_cmpstr(text, ==, "new old old");
			if (!error && move == copy_file)
				g_assert_cmpint(sys_lseek(file, 0, SEEK_CUR), ==, 4);
			g_assert_true(!strcmp(text, "new old old") || !strcmp(text, "old old old"));
			g_assert_cmpuint(count_files(&lab), ==, 1);
			if (!failed)
				break;
		}
	}
	g_assert_cmpuint(failures, >, 5);
	end(&lab);
}

static void test_upload(void)
{
	static const enum sys_call calls[] = { SYS_OPEN, SYS_PWRITE, SYS_FSYNC, SYS_RENAME,
					       SYS_FTRUNCATE };

	fail_uploads(calls, ARRAY_SIZE(calls), send_new);
}

/* A new one has all that was sent and its own size, or there is none. */
static void test_make_of(void)
{
	static const enum sys_call calls[] = { SYS_OPEN,   SYS_PWRITE,    SYS_FSYNC, SYS_CHMOD,
					       SYS_RENAME, SYS_FTRUNCATE, SYS_LSEEK };
	struct lab lab = begin();
	g_autofree char *path = path_of(&lab, "v");
	unsigned failures = 0;

	for (size_t i = 0; i < 2 * ARRAY_SIZE(calls); i++) {
		bool copies = i >= ARRAY_SIZE(calls), failed = true;
		enum sys_call call = calls[i % ARRAY_SIZE(calls)];

		for (unsigned n = 1; failed && n < 50; n++) {
			g_autoptr(GError) error = NULL;
			g_autofree char *text = NULL;
			autofd int file = file_with("new", 3);
			size_t len = 0;

			sys_fail_nth(call, n, EIO);
			error = make_of(&lab, "raw", copies ? copy_file : send_new, file);
			failed = !sys_fail_pending(call);
			sys_fail_nth(call, 0, 0);
			failures += error != NULL;
			/* Its folder could not be synced, so nobody is told that it is there. */
			if (!error || has_file(&lab, "v")) {
				g_assert_true(g_file_get_contents(path, &text, &len, NULL));
				g_assert_cmpmem(text, len, "new\0\0\0\0\0\0\0\0", 11);
				g_assert_cmpint(sys_unlink(path), ==, 0);
			}
			g_assert_cmpuint(count_files(&lab), ==, 0);
		}
	}
	g_assert_cmpuint(failures, >, 10);
	end(&lab);
}

static const char *taken_path;

static void take_name(struct vol_io *io, int file, struct task *task)
{
	g_assert_true(g_file_set_contents(taken_path, "his", 3, NULL));
	copy_file(io, file, task);
}

/* The bytes of an image say how large it is; and a name that somebody has taken meanwhile is his. */
static void test_make_of_image(void)
{
	struct lab lab = begin();
	g_autofree char *path = path_of(&lab, "v");
	g_autofree char *text = NULL;
	autofd int file = file_with("QFI\xfb", 4);
	GError *error;

	atomic_store(&copied.done, 0);
	g_assert_no_error(make_of(&lab, "qcow2", copy_file, file));
	g_assert_cmpuint(atomic_load(&copied.done), ==, 4);
	g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
	g_assert_cmpstr(text, ==, "QFI\xfb");
	error = make_of(&lab, "raw", copy_file, file);
	g_assert_error(error, SOCLE_ERROR, SOCLE_ERROR_EXISTS);
	g_clear_error(&error);
	g_assert_cmpint(sys_unlink(path), ==, 0);
	taken_path = path;
	error = make_of(&lab, "raw", take_name, file);
	g_assert_error(error, SOCLE_ERROR, SOCLE_ERROR_EXISTS);
	g_clear_error(&error);
	g_assert_cmpuint(count_files(&lab), ==, 1);
	end(&lab);
}

/* == What need not be on the disk: no disk that fails is asked == */

static GError *copy_of_v(struct lab *lab, bool no_sync)
{
	char name[] = "copy";
	struct storage_vol vol = { .name = name, .capacity = number_of(0) };
	const struct vol_create what = {
		.vol = &vol, .source = lab->storage, .source_name = "v", .no_sync = no_sync
	};
	struct vol_work *work = vol_work_new();
	struct wait wait;

	wait_init(&wait);
	pools_ops.create(lab->storage, &what, work, &wait.task);
	vol_work_unref(work);
	return wait_end(&wait);
}

static void test_no_sync(void)
{
	struct lab lab = begin();
	g_autofree char *path = path_of(&lab, "v"), *text = NULL;
	struct vol_open how = { .write = true };

	put(&lab, "v", "old old old", 11);
	for (unsigned i = 0; i < 2; i++) {
		autofd int file = file_with("new", 3);
		const bool no_sync = i == 1;
		g_autoptr(GError) of_clone = NULL, of_upload = NULL, of_part = NULL;

		how.no_sync = no_sync;
		how.off = 0;
		sys_fail_nth(SYS_FSYNC, 1, EIO);
		of_clone = copy_of_v(&lab, no_sync);
		sys_fail_nth(SYS_FSYNC, 1, EIO);
		of_upload = transfer(&lab, "v", &how, send_new, -1);
		sys_fail_nth(SYS_FSYNC, 0, 0);
		how.off = 4;
		sys_fail_nth(SYS_FDATASYNC, 1, EIO);
		of_part = copy(&lab, "v", &how, file);
		sys_fail_nth(SYS_FDATASYNC, 0, 0);
		g_assert_true((of_clone == NULL) == no_sync);
		g_assert_true((of_upload == NULL) == no_sync);
		g_assert_true((of_part == NULL) == no_sync);
		g_assert_true(has_file(&lab, "copy") == no_sync);
		g_assert_cmpuint(count_files(&lab), ==, no_sync ? 2 : 1);
	}
	/* Where names cannot be exchanged. */
	how.off = 0;
	sys_fail_nth(SYS_RENAME, 1, EINVAL);
	g_assert_no_error(transfer(&lab, "v", &how, send_new, -1));
	g_assert_cmpuint(sys_fail_pending(SYS_RENAME), ==, 0);
	g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
	g_assert_cmpstr(text, ==, "new new old");
	g_assert_cmpuint(count_files(&lab), ==, 2);
	g_assert_cmpint(g_unlink(path), ==, 0);
	sys_fail_nth(SYS_FSYNC, 1, EIO);
	g_assert_no_error(make_of_fast(&lab, "raw", true, send_new, -1));
	sys_fail_nth(SYS_FSYNC, 0, 0);
	g_assert_true(has_file(&lab, "v"));
	end(&lab);
}

/* == Copies of a client's file == */

static void test_copy_in(void)
{
	static const enum sys_call calls[] = { SYS_OPEN, SYS_FSYNC, SYS_RENAME, SYS_FTRUNCATE,
					       SYS_LSEEK };

	fail_uploads(calls, ARRAY_SIZE(calls), copy_file);
}

/* Into the middle: no more than is wanted, and than there is room for. */
static void test_copy_part(void)
{
	struct lab lab = begin();
	g_autofree char *path = path_of(&lab, "v");
	g_autoptr(GError) error = NULL;
	g_autofree char *text = NULL;
	autofd int file = file_with("12345", 5);
	struct vol_open how = { .write = true, .off = 4, .len = 3 };

	put(&lab, "v", "old old old", 11);
	g_assert_no_error(copy(&lab, "v", &how, file));
	g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
	g_assert_cmpstr(text, ==, "old 123 old");
	g_assert_cmpint(sys_lseek(file, 0, SEEK_SET), ==, 0);
	how.off = 8;
	how.len = 4;
	error = copy(&lab, "v", &how, file);
	g_assert_nonnull(strstr(error->message, "ends there"));
	g_clear_pointer(&text, g_free);
	g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
	g_assert_cmpstr(text, ==, "old 123 old");
	end(&lab);
}

/* A hole of the client's file becomes one of the volume, and the other way round. */
static void test_copy_holes(void)
{
	enum {
		HOLE = 1 << 20
	};
	struct lab lab = begin();
	g_autofree char *path = path_of(&lab, "v");
	struct vol_open how = { .write = true };
	autofd int file = file_with("a", 1), back = file_with("", 0);
	char byte = 'x';
	struct stat st;

	g_assert_cmpint(sys_pwrite(file, "b", 1, HOLE), ==, 1);
	g_assert_cmpint(sys_ftruncate(file, 2 * HOLE), ==, 0);
	put(&lab, "v", "", 0);
	g_assert_no_error(copy(&lab, "v", &how, file));
	g_assert_cmpint(sys_stat(path, &st), ==, 0);
	g_assert_cmpint(st.st_size, ==, 2 * HOLE);
	g_assert_cmpint(st.st_blocks * 512, <, HOLE / 2);
	how.write = false;
	g_assert_no_error(copy(&lab, "v", &how, back));
	g_assert_cmpint(sys_fstat(back, &st), ==, 0);
	g_assert_cmpint(st.st_size, ==, 2 * HOLE);
	g_assert_cmpint(st.st_blocks * 512, <, HOLE / 2);
	g_assert_cmpint(sys_pread(back, &byte, 1, HOLE), ==, 1);
	g_assert_cmpint(byte, ==, 'b');
	g_assert_cmpint(sys_lseek(back, 0, SEEK_CUR), ==, 2 * HOLE);
	end(&lab);
}

static void test_copy_refuses(void)
{
	struct lab lab = begin();
	struct vol_open how = { .write = false };
	autofd int file = file_with("full", 4), reader = sys_open("/dev/null", O_RDONLY, 0);
	g_autoptr(GError) full = NULL, device = NULL, closed = NULL;

	put(&lab, "v", "old", 3);
	full = copy(&lab, "v", &how, file);
	g_assert_error(full, SOCLE_ERROR, SOCLE_ERROR_USAGE);
	device = copy(&lab, "v", &how, reader);
	g_assert_error(device, SOCLE_ERROR, SOCLE_ERROR_USAGE);
	fd_autoclose(&reader);
	reader = sys_open("/proc/self/exe", O_RDONLY, 0);
	g_assert_cmpint(sys_lseek(reader, 0, SEEK_END), >, 0);
	closed = copy(&lab, "v", &how, reader);
	g_assert_nonnull(closed);
	end(&lab);
}

/* == What paths lead to == */

/* Of @paths, with NULL at the end. */
static void identify_begin(struct lab *lab, const char *const *paths, struct file_id *ret_ids,
			   struct wait *wait)
{
	GPtrArray *array = g_ptr_array_new_with_free_func(g_free);

	for (unsigned i = 0; paths[i]; i++) {
		g_ptr_array_add(array, g_strdup(paths[i]));
		ret_ids[i] = (struct file_id){ 0 };
	}
	wait_init(wait);
	pools_ops.identify(lab->pools, array, ret_ids, &wait->task);
	g_ptr_array_unref(array);
}

static void identify(struct lab *lab, const char *const *paths, struct file_id *ret_ids)
{
	struct wait wait;

	identify_begin(lab, paths, ret_ids, &wait);
	g_assert_no_error(wait_end(&wait));
}

static void test_identify(void)
{
	struct lab lab = begin();
	g_autofree char *a = path_of(&lab, "a"), *b = path_of(&lab, "b"),
			*hard = path_of(&lab, "hard"), *soft = path_of(&lab, "soft"),
			*way = g_build_filename(lab.dir, "way", NULL),
			*behind = g_build_filename(way, "a", NULL), *gone = path_of(&lab, "gone");
	const char *const paths[] = { a, b, hard, soft, behind, lab.folder, gone, "a", "", NULL };
	struct file_id ids[ARRAY_SIZE(paths)], id;
	g_autoptr(GError) error = NULL;

	put(&lab, "a", "x", 1);
	put(&lab, "b", "x", 1);
	g_assert_cmpint(sys_link(a, hard), ==, 0);
	g_assert_cmpint(symlink(a, soft), ==, 0);
	g_assert_cmpint(symlink(lab.folder, way), ==, 0);
	identify(&lab, paths, ids);
	for (unsigned i = 0; paths[i]; i++)
		g_assert_cmpint(file_id_same(&ids[0], &ids[i]), ==, i == 0 || (i > 1 && i < 5));
	g_assert_cmpint(ids[1].kind, ==, FILE_REGULAR);
	for (unsigned i = 5; paths[i]; i++)
		g_assert_cmpint(ids[i].kind, ==, FILE_UNKNOWN);
	g_assert_false(file_id_same(&ids[6], &ids[7]));
	storage_vol_free(look_file(&lab, "hard", &id, &error));
	g_assert_no_error(error);
	g_assert_true(file_id_same(&id, &ids[0]));
	g_assert_false(file_id_same(&id, &ids[1]));
	/* Not knowing it would be as bad as a wrong one. */
	sys_fail_nth(SYS_FSTAT, 2, EIO);
	g_assert_null(look_file(&lab, "hard", &id, &error));
	g_assert_error(error, SYS_ERROR, EIO);
	g_clear_error(&error);
	identify(&lab, (const char *const[]){ NULL }, ids);
	end(&lab);
}

/* A path to a server that is gone takes a moment, not for ever, and is not asked for again meanwhile. */
static void test_identify_hangs(void)
{
	struct lab lab = begin();
	g_autofree char *a = path_of(&lab, "a"), *b = path_of(&lab, "b"),
			*other = g_build_filename(lab.dir, "other", NULL);
	const char *const paths[] = { a, b, other, NULL };
	struct file_id ids[ARRAY_SIZE(paths)];

	put(&lab, "a", "x", 1);
	put(&lab, "b", "x", 1);
	g_assert_true(g_file_set_contents(other, "x", 1, NULL));
	sys_fail_nth(SYS_STAT, 1, SYS_HANG);
	/* On a host with much to do a thread may seem to hang; it is asked for again then. */
	do {
		identify(&lab, paths, ids);
		g_assert_cmpint(ids[0].kind, ==, FILE_UNKNOWN);
		g_assert_cmpint(ids[1].kind, ==, FILE_UNKNOWN);
	} while (ids[2].kind == FILE_UNKNOWN);
	/* It is back. */
	sys_fail_nth(SYS_STAT, 0, 0);
	do {
		identify(&lab, paths, ids);
	} while (ids[0].kind == FILE_UNKNOWN || ids[1].kind == FILE_UNKNOWN);
	end(&lab);
}

/* Nor does it keep a daemon that ends, whether somebody waits for it or nobody does any more. */
static void test_identify_finish(void)
{
	for (unsigned i = 0; i < 2; i++) {
		struct lab lab = begin();
		const char *const paths[] = { lab.folder, NULL };
		struct file_id ids[ARRAY_SIZE(paths)] = { 0 };
		struct wait wait;

		sys_fail_nth(SYS_STAT, 1, SYS_HANG);
		if (i)
			identify(&lab, paths, ids);
		identify_begin(&lab, paths, ids, &wait);
		pools_finish(lab.pools);
		g_assert_true(wait.ended);
		g_assert_error(wait.error, SOCLE_ERROR, SOCLE_ERROR_STATE);
		g_error_free(wait.error);
		sys_fail_nth(SYS_STAT, 0, 0);
		end(&lab);
	}
}

/* Work that hangs does not keep the daemon: its task ends, and what it owns goes with it. */
static void test_finish(void)
{
	struct lab lab = begin();
	GPtrArray *names = g_ptr_array_new_with_free_func(g_free);
	struct wait wait;

	wait_init(&wait);
	pools_ops.list(lab.storage, names, &wait.task);
	pools_finish(lab.pools);
	g_assert_true(wait.ended);
	g_clear_error(&wait.error);
	wait_init(&wait);
	pools_ops.list(lab.storage, names, &wait.task);
	g_assert_true(wait.ended);
	g_assert_error(wait.error, SOCLE_ERROR, SOCLE_ERROR_STATE);
	g_error_free(wait.error);
	g_ptr_array_unref(names);
	end(&lab);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/daemon/pools/failures", test_failures);
	g_test_add_func("/daemon/pools/cancelled", test_cancelled);
	g_test_add_func("/daemon/pools/taken", test_taken);
	g_test_add_func("/daemon/pools/parts", test_parts);
	g_test_add_func("/daemon/pools/upload", test_upload);
	g_test_add_func("/daemon/pools/make-of", test_make_of);
	g_test_add_func("/daemon/pools/make-of-image", test_make_of_image);
	g_test_add_func("/daemon/pools/no-sync", test_no_sync);
	g_test_add_func("/daemon/pools/copy-in", test_copy_in);
	g_test_add_func("/daemon/pools/copy-part", test_copy_part);
	g_test_add_func("/daemon/pools/copy-holes", test_copy_holes);
	g_test_add_func("/daemon/pools/copy-refuses", test_copy_refuses);
	g_test_add_func("/daemon/pools/identify", test_identify);
	g_test_add_func("/daemon/pools/identify-hangs", test_identify_hangs);
	g_test_add_func("/daemon/pools/identify-finish", test_identify_finish);
	g_test_add_func("/daemon/pools/finish", test_finish);
	return g_test_run();
}
