/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-pools.c - storage pools of this host, through their seam: failures at every step, what is left half-way,
 * tools that are fakes
 */
#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>

#include "base/error.h"
#include "base/sys.h"
#include "daemon/pools.h"

enum {
	PATIENCE_MS = 20
};

struct lab {
	char *dir, *folder;
	struct pools *pools;
	struct storage *storage;
};

struct wait {
	struct task task;
	bool ended;
	GError *error;
};

static void wait_ended(struct task *task, const GError *error)
{
	struct wait *wait = container_of(task, struct wait, task);

	g_assert_false(wait->ended);
	wait->ended = true;
	wait->error = error ? g_error_copy(error) : NULL;
}

static void wait_init(struct wait *wait)
{
	*wait = (struct wait){ .task.end = wait_ended };
}

/* NULL: it went well. */
static GError *wait_end(struct wait *wait)
{
	while (!wait->ended)
		g_main_context_iteration(NULL, TRUE);
	return wait->error;
}

static struct storage_pool *parse_pool(const char *xml)
{
	struct storage_pool *def =
		storage_pool_parse(xml, strlen(xml), STORAGE_PARSE_STRICT, NULL, NULL);

	g_assert_nonnull(def);
	storage_pool_fill(def);
	g_assert_true(storage_pool_check(def, NULL));
	return def;
}

static GError *start(struct lab *lab, const struct storage_pool *def)
{
	struct wait wait;

	wait_init(&wait);
	pools_ops.start(lab->pools, def, NULL, 0, &lab->storage, &wait.task);
	return wait_end(&wait);
}

static struct lab begin(void)
{
	struct lab lab = { .dir = g_dir_make_tmp("test-pools-XXXXXX", NULL) };
	g_autofree char *xml = NULL;
	autoptr(storage_pool) def = NULL;
	struct wait wait;

	lab.folder = g_build_filename(lab.dir, "p", NULL);
	xml = g_strdup_printf(
		"<pool type='dir'><name>p</name><target><path>%s</path></target></pool>",
		lab.folder);
	def = parse_pool(xml);
	lab.pools = pools_new(&(struct pools_config){ .patience_ms = PATIENCE_MS });
	wait_init(&wait);
	pools_ops.build(lab.pools, def, 0, &wait.task);
	g_assert_no_error(wait_end(&wait));
	g_assert_no_error(start(&lab, def));
	return lab;
}

static void end(struct lab *lab)
{
	g_autofree char *command = g_strdup_printf("rm -rf '%s'", lab->dir);

	if (lab->storage)
		lab->storage->ops->free(lab->storage);
	pools_free(lab->pools);
	g_assert_true(g_spawn_command_line_sync(command, NULL, NULL, NULL, NULL));
	g_free(lab->dir);
	g_free(lab->folder);
}

static GError *create(struct lab *lab, const char *xml, const char *source, struct vol_work *work)
{
	autoptr(storage_vol) vol =
		storage_vol_parse(xml, strlen(xml), STORAGE_PARSE_STRICT, NULL, NULL);
	struct vol_create what = { .vol = vol,
				   .source = source ? lab->storage : NULL,
				   .source_name = source };
	struct vol_work *own = work ? vol_work_ref(work) : vol_work_new();
	struct wait wait;

	g_assert_nonnull(vol);
	wait_init(&wait);
	pools_ops.create(lab->storage, &what, own, &wait.task);
	vol_work_unref(own);
	return wait_end(&wait);
}

static struct storage_vol *look_file(struct lab *lab, const char *name, struct file_id *ret_id,
				     GError **ret_error)
{
	struct storage_vol *vol = NULL;
	struct wait wait;

	wait_init(&wait);
	pools_ops.look(lab->storage, name, &vol, ret_id, &wait.task);
	*ret_error = wait_end(&wait);
	return vol;
}

static struct storage_vol *look(struct lab *lab, const char *name, GError **ret_error)
{
	struct file_id id;

	return look_file(lab, name, &id, ret_error);
}

static unsigned count_files(const struct lab *lab)
{
	GDir *dir = g_dir_open(lab->folder, 0, NULL);
	unsigned n = 0;

	while (g_dir_read_name(dir))
		n++;
	g_dir_close(dir);
	return n;
}

static char *path_of(const struct lab *lab, const char *name)
{
	return g_build_filename(lab->folder, name, NULL);
}

static void put(const struct lab *lab, const char *name, const void *bytes, size_t len)
{
	g_autofree char *path = path_of(lab, name);

	g_assert_true(g_file_set_contents(path, bytes, (gssize)len, NULL));
}

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

static bool has_file(const struct lab *lab, const char *name)
{
	g_autofree char *path = path_of(lab, name);

	return g_file_test(path, G_FILE_TEST_EXISTS);
}

static void make(struct lab *lab, const char *name)
{
	g_autofree char *xml =
		g_strdup_printf("<volume><name>%s</name><capacity>1</capacity></volume>", name);

	g_assert_no_error(create(lab, xml, NULL, NULL));
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
static GError *make_of(struct lab *lab, const char *format,
		       void (*move)(struct vol_io *io, int file, struct task *task), int file)
{
	g_autofree char *text = g_strdup(format);
	char name[] = "v";
	struct storage_vol vol = { .name = name,
				   .capacity = number_of(11),
				   .allocation = number_of(0),
				   .target.format.type = text };
	struct vol_io *io = NULL;
	const struct vol_create what = { .vol = &vol, .ret_io = &io };
	struct vol_work *work = vol_work_new();
	struct wait wait;
	GError *error;

	wait_init(&wait);
	pools_ops.create(lab->storage, &what, work, &wait.task);
	error = wait_end(&wait);
	vol_work_unref(work);
	return error ? error : go_through(io, true, move, file);
}

static void send_new(struct vol_io *io, int file, struct task *task)
{
	(void)file;
	io->ops->write(io, "new", 3, task);
}

static void copy_file(struct vol_io *io, int file, struct task *task)
{
	static struct vol_work work;

	io->ops->copy(io, file, &work, task);
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

	g_assert_no_error(make_of(&lab, "qcow2", copy_file, file));
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

/* == Tools == */

/* A program that notes how it was called, and says something. */
static void fake_script(const struct lab *lab, const char *name, const char *script)
{
	g_autofree char *path = g_build_filename(lab->dir, name, NULL);
	g_autofree char *text = g_strdup_printf("#!/bin/sh\necho \"%s $*\" >>'%s/log'\n%s\n", name,
						lab->dir, script);

	g_assert_true(g_file_set_contents(path, text, -1, NULL));
	g_assert_cmpint(g_chmod(path, 0755), ==, 0);
}

static void fake(const struct lab *lab, const char *name, const char *says)
{
	g_autofree char *script = g_strdup_printf("printf '%s'", says);

	fake_script(lab, name, script);
}

static char *log_of(const struct lab *lab)
{
	g_autofree char *path = g_build_filename(lab->dir, "log", NULL);
	char *text = NULL;

	(void)g_file_get_contents(path, &text, NULL, NULL);
	(void)g_unlink(path);
	return text ? text : g_strdup("");
}

static void test_logical(void)
{
	static const char xml[] =
		"<pool type='logical'><name>vg</name><source><device "
		"path='/dev/none-b'/><device path='/dev/none-c'/></source></pool>";
	struct lab lab = { .dir = g_dir_make_tmp("test-pools-XXXXXX", NULL) };
	g_autofree char *path = g_strdup_printf("%s:/usr/bin:/bin", lab.dir);
	autoptr(storage_pool) def = parse_pool(xml);
	GPtrArray *names = g_ptr_array_new_with_free_func(g_free);
	struct storage_vol *vol = NULL;
	struct vol_work *work = vol_work_new();
	struct wait wait;
	g_autofree char *log = NULL, *old_path = g_strdup(g_getenv("PATH"));
	g_autoptr(GError) error = NULL;

	g_setenv("PATH", path, TRUE);
	lab.pools = pools_new(&(struct pools_config){ 0 });
	fake(&lab, "lvs", "  a|8388608|-wi-------||||\\n  t|8388608|twi-------||||\\n");
	fake(&lab, "vgs", "  /dev/none-b\\n");
	fake(&lab, "vgchange", "");
	fake(&lab, "pvcreate", "");
	fake(&lab, "vgextend", "");
	fake(&lab, "lvcreate", "");
	fake(&lab, "lvresize", "");
	fake(&lab, "lvremove", "");

	wait_init(&wait);
	pools_ops.build(lab.pools, def, 0, &wait.task);
	g_assert_no_error(wait_end(&wait));
	log = log_of(&lab);
	g_assert_cmpstr(log, ==,
			"vgs --noheadings --options pv_name -- vg\npvcreate -- /dev/none-c\n"
			"vgextend -- vg /dev/none-c\n");
	g_assert_no_error(start(&lab, def));
	wait_init(&wait);
	pools_ops.list(lab.storage, names, &wait.task);
	g_assert_no_error(wait_end(&wait));
	g_assert_cmpuint(names->len, ==, 1);
	vol = look(&lab, "a", &error);
	g_assert_no_error(error);
	g_assert_cmpint(vol->capacity.value, ==, 8388608);
	g_free(log_of(&lab));

	g_assert_no_error(create(&lab, "<volume><name>n</name><capacity>100</capacity></volume>",
				 NULL, NULL));
	g_assert_no_error(create(&lab,
				 "<volume><name>thin</name><capacity>100</capacity><allocation>0"
				 "</allocation></volume>",
				 NULL, NULL));
	g_assert_no_error(create(&lab,
				 "<volume><name>s</name><capacity>0</capacity><backingStore><path>"
				 "/dev/vg/a</path></backingStore></volume>",
				 NULL, NULL));
	wait_init(&wait);
	pools_ops.resize(lab.storage, "a", 16777216, 0, work, &wait.task);
	g_assert_no_error(wait_end(&wait));
	wait_init(&wait);
	pools_ops.remove(lab.storage, "a", 0, work, &wait.task);
	g_assert_no_error(wait_end(&wait));
	g_free(log);
	log = log_of(&lab);
	g_assert_nonnull(strstr(log,
				"lvcreate --yes --wipesignatures y --zero y --name n --size 100b "
				"-- vg\n"));
	g_assert_nonnull(strstr(log,
				"lvcreate --yes --name thin --virtualsize 100b --thinpool t -- "
				"vg\n"));
	g_assert_nonnull(strstr(log, "lvcreate --snapshot --name s --size 12582912b -- vg/a\n"));
	g_assert_nonnull(strstr(log, "lvresize --size 16777216b -- vg/a\n"));
	g_assert_nonnull(strstr(log, "lvremove --force -- vg/a\n"));
	error = create(&lab, "<volume><name>-y</name><capacity>1</capacity></volume>", NULL, NULL);
	g_assert_nonnull(error);
	g_clear_error(&error);
	error = create(&lab, "<volume><name>a</name><capacity>1</capacity></volume>", NULL, NULL);
	g_assert_error(error, SOCLE_ERROR, SOCLE_ERROR_EXISTS);
	wait_init(&wait);
	pools_ops.stop(lab.storage, &wait.task);
	g_assert_no_error(wait_end(&wait));

	storage_vol_free(vol);
	vol_work_unref(work);
	g_ptr_array_unref(names);
	g_setenv("PATH", old_path, TRUE);
	end(&lab);
}

static GError *restore(const struct lab *lab, const char *name)
{
	struct vol_work *work = vol_work_new();
	struct wait wait;

	wait_init(&wait);
	pools_ops.restore(lab->storage, name, work, &wait.task);
	vol_work_unref(work);
	return wait_end(&wait);
}

static GError *remove_it(const struct lab *lab, const char *name, unsigned flags)
{
	struct vol_work *work = vol_work_new();
	struct wait wait;

	wait_init(&wait);
	pools_ops.remove(lab->storage, name, flags, work, &wait.task);
	vol_work_unref(work);
	return wait_end(&wait);
}

static GError *resize(const struct lab *lab, const char *name, uint64_t bytes)
{
	struct vol_work *work = vol_work_new();
	struct wait wait;

	wait_init(&wait);
	pools_ops.resize(lab->storage, name, bytes, 0, work, &wait.task);
	vol_work_unref(work);
	return wait_end(&wait);
}

/* @error is taken over. */
static void is_told(GError *error, enum error_kind kind, const char *word)
{
	g_assert_error(error, SOCLE_ERROR, kind);
	g_assert_nonnull(strstr(error->message, word));
	g_error_free(error);
}

/* Volumes that others stand on, are in use, or lost. */
static void check_refusals(struct lab *lab)
{
	is_told(restore(lab, "s"), SOCLE_ERROR_BUSY, "volume 'a' is in use; stop the machine");
	is_told(restore(lab, "lost"), SOCLE_ERROR_STATE, "of 'b' has changed than the 4194304");
	is_told(restore(lab, "b"), SOCLE_ERROR_USAGE, "is no snapshot");
	is_told(restore(lab, "x"), SOCLE_ERROR_NOT_FOUND, "no volume 'x'");
	is_told(remove_it(lab, "b", 0), SOCLE_ERROR_BUSY, "take 'lost', 'keep' with it");
	is_told(remove_it(lab, "tp", VOL_REMOVE_WITH_SNAPSHOTS), SOCLE_ERROR_BUSY,
		"take 't' with it");
	is_told(remove_it(lab, "alone", 0), SOCLE_ERROR_BUSY, "in use");
	is_told(resize(lab, "a", 16777216), SOCLE_ERROR_BUSY, "has snapshots, and is in use");
	is_told(resize(lab, "s", 16777216), SOCLE_ERROR_UNSUPPORTED, "as large as 'a' was");
	is_told(create(lab,
		       "<volume><name>n</name><capacity>0</capacity><backingStore><path>/dev/vg/s"
		       "</path></backingStore></volume>",
		       NULL, NULL),
		SOCLE_ERROR_UNSUPPORTED, "take one of 'a'");
	is_told(create(lab,
		       "<volume><name>n</name><capacity>0</capacity><backingStore><path>/tmp/a"
		       "</path></backingStore></volume>",
		       NULL, NULL),
		SOCLE_ERROR_USAGE, "is no volume of volume group 'vg'");
}

static void test_snapshots(void)
{
	static const char xml[] = "<pool type='logical'><name>vg</name><source><device "
				  "path='/dev/none-b'/></source></pool>";
	static const char volumes[] = "  a|8388608|owi-aos---||||\\n"
				      "  s|4194304|swi-a-s---|a|8388608||1.00\\n"
				      "  b|8388608|owi-a-s---||||\\n"
				      "  lost|4194304|swi-I-s---|b|8388608||100.00\\n"
				      "  keep|12582912|swi-a-s---|b|8388608||0.00\\n"
				      "  alone|4194304|-wi-ao----||||\\n"
				      "  tp|16777216|twi-aotz--||||0.00\\n"
				      "  t|67108864|Vwi-a-tz--|||tp|0.00\\n";
	struct lab lab = { .dir = g_dir_make_tmp("test-pools-XXXXXX", NULL) };
	g_autofree char *path = g_strdup_printf("%s:/usr/bin:/bin", lab.dir);
	g_autofree char *old_path = g_strdup(g_getenv("PATH")), *log = NULL;
	autoptr(storage_pool) def = parse_pool(xml);
	autoptr(storage_vol) vol = NULL;
	g_autoptr(GError) error = NULL;
	struct wait wait;

	g_setenv("PATH", path, TRUE);
	lab.pools = pools_new(&(struct pools_config){ 0 });
	fake(&lab, "lvs", volumes);
	fake(&lab, "vgs", "  /dev/none-x\\n  /dev/none-b\\n");
	fake(&lab, "vgchange", "");
	/* Something is on the disk. */
	fake_script(&lab, "vgreduce", "grep -q '^pvmove' \"${0%/*}/log\"");
	fake(&lab, "pvmove", "");
	fake(&lab, "pvremove", "");
	fake(&lab, "lvremove", "");
	fake(&lab, "lvconvert", "");
	g_assert_no_error(start(&lab, def));
	g_free(log_of(&lab));
	check_refusals(&lab);
	log = log_of(&lab);
	g_assert_null(strstr(log, "lvconvert"));
	g_assert_null(strstr(log, "lvremove"));

	wait_init(&wait);
	pools_ops.stop(lab.storage, &wait.task);
	is_told(wait_end(&wait), SOCLE_ERROR_BUSY, "volume 'a' is in use");
	vol = look(&lab, "lost", &error);
	g_assert_no_error(error);
	g_assert_cmpint(vol->capacity.value, ==, 8388608);
	g_assert_cmpstr(vol->backing.path, ==, "/dev/vg/b");

	g_assert_no_error(restore(&lab, "keep"));
	g_assert_no_error(remove_it(&lab, "b", VOL_REMOVE_WITH_SNAPSHOTS));
	g_assert_no_error(remove_it(&lab, "lost", 0));
	wait_init(&wait);
	pools_ops.build(lab.pools, def, POOL_BUILD_RESIZE, &wait.task);
	g_assert_no_error(wait_end(&wait));
	g_free(log);
	log = log_of(&lab);
	g_assert_nonnull(strstr(log, "lvconvert --merge --interval 1 -- vg/keep\n"));
	g_assert_nonnull(strstr(log, "lvremove --force -- vg/b\n"));
	g_assert_nonnull(strstr(log, "lvremove --force -- vg/lost\n"));
	g_assert_nonnull(strstr(log, "vgreduce -- vg /dev/none-x\n"
				     "pvmove --interval 1 -- /dev/none-x\n"
				     "vgreduce -- vg /dev/none-x\npvremove -- /dev/none-x\n"));
	g_setenv("PATH", old_path, TRUE);
	end(&lab);
}

/* A table that gives a free number in the middle: the new one is told from the others, who stay. */
static void test_disk(void)
{
	static const char xml[] =
		"<pool type='disk'><name>d</name><source><device path='/dev/sdx'/>"
		"</source><target><path>/dev</path></target></pool>";
	static const char script[] =
		"#!/bin/sh\necho \"$*\" >>'%s/log'\ncase $* in\n"
		"*--dump*) echo '/dev/sdx2 : start= 10, size= 20'; [ -e '%s/more' ] && "
		"echo '/dev/sdx1 : start= 30, size= 40' || : ;;\n*--append*) : >'%s/more' "
		";;\nesac\n";
	struct lab lab = { .dir = g_dir_make_tmp("test-pools-XXXXXX", NULL) };
	g_autofree char *path = g_strdup_printf("%s:/usr/bin:/bin", lab.dir);
	g_autofree char *program = g_build_filename(lab.dir, "sfdisk", NULL);
	g_autofree char *text = g_strdup_printf(script, lab.dir, lab.dir, lab.dir);
	g_autofree char *more = g_build_filename(lab.dir, "more", NULL), *log = NULL;
	g_autofree char *old_path = g_strdup(g_getenv("PATH"));
	autoptr(storage_pool) def = parse_pool(xml);
	struct storage_vol *vol = NULL;
	g_autoptr(GError) error = NULL;

	g_assert_true(g_file_set_contents(program, text, -1, NULL));
	g_assert_cmpint(g_chmod(program, 0755), ==, 0);
	g_setenv("PATH", path, TRUE);
	lab.pools = pools_new(&(struct pools_config){ 0 });
	g_assert_no_error(start(&lab, def));
	error = create(&lab, "<volume><name>sdx3</name><capacity>20000</capacity></volume>", NULL,
		       NULL);
	g_assert_nonnull(strstr(error->message, "is 'sdx1'; give the volume that name"));
	log = log_of(&lab);
	g_assert_nonnull(strstr(log, "--delete -- /dev/sdx 1\n"));
	g_assert_null(strstr(log, "--delete -- /dev/sdx 2\n"));
	g_assert_cmpint(g_unlink(more), ==, 0);
	g_assert_no_error(create(
		&lab, "<volume><name>sdx1</name><capacity>20000</capacity></volume>", NULL, NULL));
	vol = look(&lab, "sdx1", &error);
	g_assert_no_error(error);
	g_assert_cmpint(vol->capacity.value, ==, 40 * 512);
	storage_vol_free(vol);
	g_setenv("PATH", old_path, TRUE);
	end(&lab);
}

/* == Volumes that are on other hosts == */

static char *names_of(struct lab *lab)
{
	g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
	struct wait wait;

	wait_init(&wait);
	pools_ops.list(lab->storage, names, &wait.task);
	g_assert_no_error(wait_end(&wait));
	g_ptr_array_add(names, NULL);
	return g_strjoinv(" ", (char **)names->pdata);
}

static struct pool_usage usage_of(struct lab *lab)
{
	struct pool_usage usage = { 0 };
	struct wait wait;

	wait_init(&wait);
	pools_ops.usage(lab->storage, &usage, &wait.task);
	g_assert_no_error(wait_end(&wait));
	return usage;
}

static GError *remove_vol(struct lab *lab, const char *name)
{
	struct vol_work *work = vol_work_new();
	struct wait wait;

	wait_init(&wait);
	pools_ops.remove(lab->storage, name, 0, work, &wait.task);
	vol_work_unref(work);
	return wait_end(&wait);
}

static GError *resize_vol(struct lab *lab, const char *name, uint64_t bytes, unsigned flags)
{
	struct vol_work *work = vol_work_new();
	struct wait wait;

	wait_init(&wait);
	pools_ops.resize(lab->storage, name, bytes, flags, work, &wait.task);
	vol_work_unref(work);
	return wait_end(&wait);
}

static GError *find_sources(struct lab *lab, enum storage_pool_type type, const char *xml,
			    char **ret_text)
{
	g_autoptr(GPtrArray) list =
		g_ptr_array_new_with_free_func((GDestroyNotify)storage_pool_free);
	autoptr(storage_pool) like = xml ? storage_source_parse(xml, strlen(xml), NULL) : NULL;
	struct wait wait;

	wait_init(&wait);
	pools_ops.find_sources(lab->pools, type, like, list, &wait.task);
	(void)wait_end(&wait);
	*ret_text =
		storage_sources_format((const struct storage_pool *const *)list->pdata, list->len);
	return wait.error;
}

static void test_iscsi(void)
{
	static const char xml[] =
		"<pool type='iscsi-direct'><name>i</name><source><host name='h' port='3333'/>"
		"<device path='iqn.x:two'/><initiator><iqn name='iqn.me'/></initiator></source>"
		"</pool>";
	static const char says[] =
		"Target:iqn.x:one Portal:1.2.3.4:3260,1\\nLun:9    Type:DIRECT_ACCESS (Size:1M)\\n"
		"Target:iqn.x:two Portal:1.2.3.4:3260,1\\nLun:0    Type:STORAGE_ARRAY_CONTROLLER\\n"
		"Lun:1    Type:DIRECT_ACCESS (Size:9M)\\nLun:12   Type:DIRECT_ACCESS (Size:1G)\\n"
		"Target:iqn.x:two Portal:[fe80::1]:3260,1\\nLun:1    Type:DIRECT_ACCESS (Size:9M)"
		"\\n";
	struct lab lab = { .dir = g_dir_make_tmp("test-pools-XXXXXX", NULL) };
	g_autofree char *path = g_strdup_printf("%s:/usr/bin:/bin", lab.dir);
	g_autofree char *old_path = g_strdup(g_getenv("PATH")), *log = NULL, *text = NULL;
	autoptr(storage_pool) def = parse_pool(xml);
	autoptr(storage_vol) vol = NULL;
	g_autoptr(GError) error = NULL;

	lab.pools = pools_new(&(struct pools_config){ 0 });
	g_setenv("PATH", lab.dir, TRUE);
	error = start(&lab, def);
	g_assert_nonnull(strstr(error->message, "libiscsi-bin"));
	g_clear_error(&error);
	g_setenv("PATH", path, TRUE);
	fake(&lab, "iscsi-ls", says);
	fake(&lab, "iscsi-readcapacity16", "10485760\\n");
	g_assert_no_error(start(&lab, def));
	text = names_of(&lab);
	g_assert_cmpstr(text, ==, "unit:0:0:1 unit:0:0:12");
	vol = look(&lab, "unit:0:0:12", &error);
	g_assert_no_error(error);
	g_assert_cmpint(vol->capacity.value, ==, 10485760);
	g_assert_null(look(&lab, "unit:0:0:9", &error));
	g_assert_error(error, SOCLE_ERROR, SOCLE_ERROR_NOT_FOUND);
	g_clear_error(&error);
	g_assert_cmpuint(usage_of(&lab).capacity, ==, 2 * 10485760);
	log = log_of(&lab);
	g_assert_nonnull(
		strstr(log, "iscsi-ls --show-luns --initiator-name iqn.me iscsi://h:3333\n"));
	g_assert_nonnull(strstr(log, "iscsi-readcapacity16 --size --initiator-name iqn.me "
				     "iscsi://h:3333/iqn.x:two/12\n"));
	error = create(&lab, "<volume><name>n</name><capacity>1</capacity></volume>", NULL, NULL);
	g_assert_error(error, SOCLE_ERROR, SOCLE_ERROR_UNSUPPORTED);
	g_clear_error(&error);

	g_free(text);
	error = find_sources(&lab, STORAGE_POOL_ISCSI_DIRECT, "<source><host name='h'/></source>",
			     &text);
	g_assert_no_error(error);
	g_assert_nonnull(strstr(text, "<device path='iqn.x:one'/>"));
	g_free(text);
	error = find_sources(&lab, STORAGE_POOL_ISCSI_DIRECT, NULL, &text);
	g_assert_nonnull(strstr(error->message, "name it in <source><host"));
	g_clear_error(&error);
	/* The target is not there any more. */
	fake(&lab, "iscsi-ls", "");
	g_free(g_steal_pointer(&def->source.devices[0].path));
	def->source.devices[0].path = g_strdup("iqn.x:three");
	lab.storage->ops->free(lab.storage);
	lab.storage = NULL;
	error = start(&lab, def);
	g_assert_nonnull(strstr(error->message, "has no target 'iqn.x:three'"));
	g_setenv("PATH", old_path, TRUE);
	end(&lab);
}

static void test_rbd(void)
{
	static const char xml[] = "<pool type='rbd'><name>r</name><source><name>images</name>"
				  "<host name='a' port='6789'/><host name='b'/></source></pool>";
	static const char script[] =
		"#!/bin/sh\necho \"rbd $*\" >>'%s/log'\ncase $1 in\nls) echo '[\"one\",\"two\"]' "
		";;\n"
		"info) echo '{\"name\":\"one\",\"size\":1048576}' ;;\n"
		"resize) [ -z \"$FAKE_FAILS\" ] || { echo 'no room' >&2; exit 1; } ;;\nesac\n";
	struct lab lab = { .dir = g_dir_make_tmp("test-pools-XXXXXX", NULL) };
	g_autofree char *path = g_strdup_printf("%s:/usr/bin:/bin", lab.dir);
	g_autofree char *old_path = g_strdup(g_getenv("PATH")), *log = NULL, *text = NULL;
	g_autofree char *program = g_build_filename(lab.dir, "rbd", NULL);
	g_autofree char *lines = g_strdup_printf(script, lab.dir);
	autoptr(storage_pool) def = parse_pool(xml);
	autoptr(storage_vol) vol = NULL;
	g_autoptr(GError) error = NULL;
	struct pool_usage usage;

	lab.pools = pools_new(&(struct pools_config){ 0 });
	g_setenv("PATH", lab.dir, TRUE);
	error = start(&lab, def);
	g_assert_nonnull(strstr(error->message, "ceph-common"));
	g_clear_error(&error);
	g_setenv("PATH", path, TRUE);
	g_assert_true(g_file_set_contents(program, lines, -1, NULL));
	g_assert_cmpint(g_chmod(program, 0755), ==, 0);
	fake(&lab, "rados",
	     "{\"pools\":[{\"name\":\"images\",\"size_bytes\":\"512\"}],\"total_avail\":3,"
	     "\"total_space\":4}");
	g_assert_no_error(start(&lab, def));
	text = names_of(&lab);
	g_assert_cmpstr(text, ==, "one two");
	usage = usage_of(&lab);
	g_assert_cmpuint(usage.capacity, ==, 4096);
	g_assert_cmpuint(usage.allocation, ==, 512);
	g_assert_cmpuint(usage.available, ==, 3072);
	vol = look(&lab, "one", &error);
	g_assert_cmpint(vol->capacity.value, ==, 1048576);
	g_assert_null(look(&lab, "three", &error));
	g_assert_error(error, SOCLE_ERROR, SOCLE_ERROR_NOT_FOUND);
	g_clear_error(&error);
	g_free(log_of(&lab));

	g_assert_no_error(create(
		&lab, "<volume><name>n</name><capacity>2097152</capacity></volume>", NULL, NULL));
	g_assert_no_error(create(
		&lab, "<volume><name>c</name><capacity>2097152</capacity></volume>", "one", NULL));
	g_assert_no_error(resize_vol(&lab, "one", 4096, VOL_RESIZE_SHRINK));
	g_assert_no_error(remove_vol(&lab, "one"));
	log = log_of(&lab);
#define AT " --mon_host a:6789,b"
	g_assert_nonnull(strstr(log, "rbd create" AT " --pool images --image n --size 2097152B\n"));
	g_assert_nonnull(strstr(log, "rbd copy" AT " --no-progress --pool images --image one "
				     "--dest-pool images --dest c\n"));
	g_assert_nonnull(strstr(log, "rbd resize" AT " --no-progress --pool images --image c "
				     "--size 2097152B\n"));
	g_assert_nonnull(strstr(log, "rbd resize" AT " --no-progress --pool images --image one "
				     "--size 4096B --allow-shrink\n"));
	g_assert_nonnull(strstr(log, "rbd remove" AT " --no-progress --pool images --image one\n"));
	error = create(&lab,
		       "<volume><name>q</name><capacity>1</capacity><target><format type='qcow2'/>"
		       "</target></volume>",
		       NULL, NULL);
	g_assert_error(error, SOCLE_ERROR, SOCLE_ERROR_UNSUPPORTED);
	g_clear_error(&error);
	/* A clone that cannot grow does not stay. */
	g_setenv("FAKE_FAILS", "1", TRUE);
	error = create(&lab, "<volume><name>c</name><capacity>2097152</capacity></volume>", "one",
		       NULL);
	g_unsetenv("FAKE_FAILS");
	g_assert_nonnull(strstr(error->message, "no room"));
	g_free(log);
	log = log_of(&lab);
	g_assert_nonnull(strstr(log, "rbd remove" AT " --no-progress --pool images --image c\n"));
	g_setenv("PATH", old_path, TRUE);
	end(&lab);
}

static void test_exports(void)
{
	struct lab lab = { .dir = g_dir_make_tmp("test-pools-XXXXXX", NULL) };
	g_autofree char *path = g_strdup_printf("%s:/usr/bin:/bin", lab.dir);
	g_autofree char *old_path = g_strdup(g_getenv("PATH")), *text = NULL;
	g_autoptr(GError) error = NULL;

	lab.pools = pools_new(&(struct pools_config){ 0 });
	g_setenv("PATH", path, TRUE);
	fake(&lab, "mount", "");
	fake(&lab, "showmount", "/srv/my images 10.0.0.0/8\\n/srv/b (everyone)\\n");
	error = find_sources(&lab, STORAGE_POOL_NETFS, "<source><host name='nas'/></source>",
			     &text);
	g_assert_no_error(error);
	g_assert_nonnull(strstr(text, "<dir path='/srv/my images'/>"));
	g_assert_nonnull(strstr(text, "<host name='nas'/>"));
	g_assert_nonnull(strstr(text, "<dir path='/srv/b'/>"));
	g_setenv("PATH", old_path, TRUE);
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
	g_test_add_func("/daemon/pools/copy-in", test_copy_in);
	g_test_add_func("/daemon/pools/copy-part", test_copy_part);
	g_test_add_func("/daemon/pools/copy-holes", test_copy_holes);
	g_test_add_func("/daemon/pools/copy-refuses", test_copy_refuses);
	g_test_add_func("/daemon/pools/logical", test_logical);
	g_test_add_func("/daemon/pools/snapshots", test_snapshots);
	g_test_add_func("/daemon/pools/disk", test_disk);
	g_test_add_func("/daemon/pools/iscsi", test_iscsi);
	g_test_add_func("/daemon/pools/rbd", test_rbd);
	g_test_add_func("/daemon/pools/exports", test_exports);
	g_test_add_func("/daemon/pools/identify", test_identify);
	g_test_add_func("/daemon/pools/identify-hangs", test_identify_hangs);
	g_test_add_func("/daemon/pools/identify-finish", test_identify_finish);
	g_test_add_func("/daemon/pools/finish", test_finish);
	return g_test_run();
}
