/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-store.c - definitions in files: order, together, every system call that fails, what is found
 *
 * What is said of a crash of the host is tested by what the log has, without the files: they may have
 * any bytes, or none, until they are synced.
 */
#include "daemon/store.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/error.h"
#include "base/sys.h"
#include "daemon/store-reserve.h"

static const char key_a[] = "11111111-1111-4111-8111-111111111111";
static const char key_b[] = "22222222-2222-4222-8222-222222222222";

/* What the calls of a store's start are; behind it come those of changes. */
struct fixture {
	char *dir, *run;
	struct store *store;
};

struct wait {
	struct task task;
	bool ended;
	GError *error;
	unsigned order; /* which one ended it was */
};

static unsigned ended_count;

static void on_end(struct task *task, const GError *error)
{
	struct wait *wait = container_of(task, struct wait, task);

	g_assert_false(wait->ended);
	wait->ended = true;
	wait->order = ended_count++;
	wait->error = error ? g_error_copy(error) : NULL;
}

static void open_store(struct fixture *f)
{
	g_autoptr(GError) error = NULL;

	f->store = store_new(f->dir, f->run, &error);
	g_assert_no_error(error);
}

static void reopen(struct fixture *f)
{
	store_free(f->store);
	open_store(f);
}

static void setup(struct fixture *f, const void *data)
{
	g_autoptr(GError) error = NULL;

	(void)data;
	f->dir = g_dir_make_tmp("test-store-XXXXXX", &error);
	g_assert_no_error(error);
	f->run = g_build_filename(f->dir, "run", NULL);
	g_assert_cmpint(g_mkdir(f->run, 0700), ==, 0);
	open_store(f);
}

/* Remove a folder with all that is in it. */
static void remove_tree(const char *path)
{
	GDir *dir = g_dir_open(path, 0, NULL);
	const char *name;

	while (dir && (name = g_dir_read_name(dir))) {
		g_autofree char *full = g_build_filename(path, name, NULL);

		remove_tree(full);
	}
	if (dir)
		g_dir_close(dir);
	g_assert_cmpint(g_remove(path), ==, 0);
}

static void teardown(struct fixture *f, const void *data)
{
	(void)data;
	store_free(f->store);
	store_free(NULL);
	remove_tree(f->dir);
	g_free(f->dir);
	g_free(f->run);
}

static void wait_end(struct wait *wait)
{
	while (!wait->ended)
		g_main_context_iteration(NULL, TRUE);
}

static void begin_save(struct fixture *f, struct wait *wait, enum store_kind kind, const char *key,
		       const char *text)
{
	*wait = (struct wait){ .task.end = on_end };
	if (text)
		store_file_ops.save(f->store, kind, key, text, &wait->task);
	else
		store_file_ops.remove(f->store, kind, key, &wait->task);
	g_assert_false(wait->ended);
}

/* NULL: it was done; else why not, for g_error_free(). @text NULL: remove. */
static GError *save(struct fixture *f, enum store_kind kind, const char *key, const char *text)
{
	struct wait wait;

	begin_save(f, &wait, kind, key, text);
	wait_end(&wait);
	return wait.error;
}

static void save_well(struct fixture *f, enum store_kind kind, const char *key, const char *text)
{
	g_autoptr(GError) error = save(f, kind, key, text);

	g_assert_no_error(error);
}

static char *file_of(struct fixture *f, enum store_kind kind, const char *key)
{
	static const char *const names[] = { "domains",     "status",         "snapshots",
					     "networks",    "network-status", "pools",
					     "pool-status", "secrets",        "secret-values" };
	const bool run =
		kind == STORE_STATUS || kind == STORE_NETWORK_STATUS || kind == STORE_POOL_STATUS;
	g_autofree char *name = g_strconcat(key, ".xml", NULL);

	return g_build_filename(run ? f->run : f->dir, names[kind], name, NULL);
}

/* NULL: there is none. */
static char *text_of(struct fixture *f, enum store_kind kind, const char *key)
{
	g_autofree char *path = file_of(f, kind, key);
	char *text = NULL;

	(void)g_file_get_contents(path, &text, NULL, NULL);
	return text;
}

/* Files follow what was told within some time. */
static bool again(gint64 begin)
{
	g_usleep(1000);
	return g_get_monotonic_time() - begin < 10 * G_TIME_SPAN_SECOND;
}

static void expect(struct fixture *f, enum store_kind kind, const char *key, const char *text)
{
	gint64 begin = g_get_monotonic_time();
	g_autofree char *is = text_of(f, kind, key);

	while (g_strcmp0(is, text) != 0 && again(begin)) {
		g_free(is);
		is = text_of(f, kind, key);
	}
	g_assert_cmpstr(is, ==, text);
}

/* How many names the folder has. */
static unsigned count_names(const char *parent, const char *name)
{
	g_autofree char *path = g_build_filename(parent, name, NULL);
	GDir *dir = g_dir_open(path, 0, NULL);
	unsigned count = 0;

	while (g_dir_read_name(dir))
		count++;
	g_dir_close(dir);
	return count;
}

static void expect_names(const char *parent, const char *name, unsigned count)
{
	gint64 begin = g_get_monotonic_time();

	while (count_names(parent, name) != count && again(begin))
		continue;
	g_assert_cmpuint(count_names(parent, name), ==, count);
}

static void test_kinds(struct fixture *f, const void *data)
{
	g_autofree char *path = file_of(f, STORE_DOMAIN, key_a);
	struct stat st;

	(void)data;
	for (unsigned kind = 0; kind < STORE_KIND_COUNT; kind++) {
		save_well(f, kind, key_a, "one");
		expect(f, kind, key_a, "one");
		save_well(f, kind, key_a, "two");
		expect(f, kind, key_a, "two");
		save_well(f, kind, key_b, "three");
		save_well(f, kind, key_b, NULL);
		expect(f, kind, key_b, NULL);
		/* What is not there is removed, too. */
		save_well(f, kind, key_b, NULL);
	}
	g_assert_cmpint(stat(path, &st), ==, 0);
	g_assert_cmpint(st.st_mode & 0777, ==, 0600);
	expect_names(f->dir, "domains", 1);
	expect_names(f->dir, "snapshots", 1);
	expect_names(f->run, "status", 1);
}

/* Many at a time, of few keys: the tasks end in the order in which they were given. */
static void test_order(struct fixture *f, const void *data)
{
	enum {
		COUNT = 300
	};
	static struct wait waits[COUNT];
	g_autofree char *last = g_strdup_printf("text %d", COUNT - 1);
	unsigned first = ended_count;

	(void)data;
	for (unsigned i = 0; i < COUNT; i++) {
		g_autofree char *text = g_strdup_printf("text %u", i);

		begin_save(f, &waits[i], STORE_DOMAIN, i % 2 ? key_a : key_b,
			   i % 7 == 3 ? NULL : text);
	}
	for (unsigned i = 0; i < COUNT; i++) {
		wait_end(&waits[i]);
		g_assert_no_error(waits[i].error);
		g_assert_cmpuint(waits[i].order, ==, first + i);
	}
	expect(f, STORE_DOMAIN, key_a, last);
	expect_names(f->dir, "domains", 2);
}

/* One save, which holds the thread so that others gather behind it. */
static void hold(struct fixture *f, struct wait *wait, enum sys_call call)
{
	sys_fail_nth(call, 1, SYS_HANG);
	begin_save(f, wait, STORE_DOMAIN, key_a, "first");
	while (sys_fail_pending(call))
		g_usleep(1000);
}

/* @count definitions with @text, which wait behind one that is held. */
static void begin_many(struct fixture *f, struct wait *waits, unsigned count, const char *text)
{
	hold(f, &waits[count], SYS_PWRITE);
	for (unsigned i = 0; i < count; i++) {
		g_autofree char *key = g_strdup_printf("11111111-1111-4111-8111-%012u", i);

		begin_save(f, &waits[i], STORE_DOMAIN, key, text);
	}
}

/* All that waits is synced once. */
static void test_together(struct fixture *f, const void *data)
{
	enum {
		COUNT = 50,
		MANY = 100000
	};
	static struct wait waits[COUNT + 1];
	unsigned syncs;

	(void)data;
	begin_many(f, waits, COUNT, "one of many");
	sys_fail_nth(SYS_PWRITE, MANY, EIO);
	for (unsigned i = 0; i <= COUNT; i++) {
		wait_end(&waits[i]);
		g_assert_no_error(waits[i].error);
	}
	syncs = MANY - sys_fail_pending(SYS_PWRITE);
	sys_fail_nth(SYS_PWRITE, 0, 0);
	/* The first one, the others; and perhaps the log was emptied meanwhile. */
	g_assert_cmpuint(syncs, >=, 1);
	g_assert_cmpuint(syncs, <=, 3);
}

static const struct {
	enum sys_call call;
	int err;
} faults[] = {
	{ SYS_OPEN, ENOSPC },  { SYS_OPEN, EACCES },      { SYS_OPEN, EMFILE },
	{ SYS_WRITE, ENOSPC }, { SYS_WRITE, EIO },        { SYS_FSYNC, EIO },
	{ SYS_FSYNC, ENOSPC }, { SYS_RENAME, ENOSPC },    { SYS_RENAME, EIO },
	{ SYS_LINK, ENOSPC },  { SYS_LINK, EIO },         { SYS_PWRITE, ENOSPC },
	{ SYS_PWRITE, EIO },   { SYS_PWRITE, SYS_SHORT }, { SYS_UNLINK, EIO },
	{ SYS_STATVFS, EIO },
};

/* Each call that fails, at each place: the client hears of it and the old text stays, or the new one is
 * there. Then it goes on as if nothing had been. */
static void one_fault(struct fixture *f, enum store_kind kind, unsigned which, unsigned nth,
		      const char *from, const char *to, bool *ret_hit)
{
	const char *folder = kind == STORE_STATUS ? "status" : "domains";
	const char *parent = kind == STORE_STATUS ? f->run : f->dir;
	g_autoptr(GError) error = NULL;
	unsigned left;

	save_well(f, kind, key_a, from);
	expect(f, kind, key_a, from);
	sys_fail_nth(faults[which].call, nth, faults[which].err);
	error = save(f, kind, key_a, to);
	expect(f, kind, key_a, error ? from : to);
	left = sys_fail_pending(faults[which].call);
	sys_fail_nth(faults[which].call, 0, 0);
	*ret_hit = left == 0;
	if (error)
		g_assert_error(error, SYS_ERROR, faults[which].err);
	/* A second name that cannot be removed means nothing, and the next start tries again. */
	if (faults[which].call == SYS_UNLINK && kind == STORE_STATUS && *ret_hit)
		reopen(f);
	expect_names(parent, folder, (error ? from : to) ? 1 : 0);
}

static void test_faults(struct fixture *f, const void *data)
{
	static const char *const changes[][2] = {
		{ NULL, "new" }, { "old", "new" }, { "old", NULL }, { NULL, NULL }
	};
	unsigned hits = 0;

	for (unsigned i = 0; i < G_N_ELEMENTS(changes); i++) {
		for (unsigned which = 0; which < G_N_ELEMENTS(faults); which++) {
			bool hit = true;

			for (unsigned nth = 1; hit; nth++) {
				one_fault(f, (enum store_kind)GPOINTER_TO_INT(data), which, nth,
					  changes[i][0], changes[i][1], &hit);
				hits += hit;
			}
		}
	}
	g_assert_cmpuint(hits, >, 20);
}

/* A file system without second names keeps texts all the same. */
static void test_no_links(struct fixture *f, const void *data)
{
	(void)data;
	save_well(f, STORE_STATUS, key_a, "old");
	sys_fail_nth(SYS_LINK, 1, EPERM);
	save_well(f, STORE_STATUS, key_a, "new");
	g_assert_cmpuint(sys_fail_pending(SYS_LINK), ==, 0);
	expect(f, STORE_STATUS, key_a, "new");
	expect_names(f->run, "status", 1);
}

/* What changes often is written to its file now and then, with its last text. */
static void test_often(struct fixture *f, const void *data)
{
	enum {
		COUNT = 200,
		MANY = 100000
	};
	g_autofree char *last = g_strdup_printf("text %d", COUNT - 1);
	struct wait wait;
	unsigned renames;

	(void)data;
	sys_fail_nth(SYS_RENAME, MANY, EIO);
	hold(f, &wait, SYS_PWRITE);
	sys_fail_nth(SYS_PWRITE, 0, 0);
	for (unsigned i = 0; i < COUNT; i++) {
		g_autofree char *text = g_strdup_printf("text %u", i);

		save_well(f, STORE_DOMAIN, key_a, text);
		save_well(f, STORE_DOMAIN, key_b, text);
		save_well(f, STORE_DOMAIN, key_b, NULL);
	}
	wait_end(&wait);
	g_assert_no_error(wait.error);
	expect(f, STORE_DOMAIN, key_a, last);
	expect(f, STORE_DOMAIN, key_b, NULL);
	renames = MANY - sys_fail_pending(SYS_RENAME);
	sys_fail_nth(SYS_RENAME, 0, 0);
	g_assert_cmpuint(renames, <, COUNT);
	expect_names(f->dir, "domains", 1);
}

/* There is room for the log, but perhaps not for files: the client hears of it before, not nobody later. */
static void test_no_room(struct fixture *f, const void *data)
{
	g_autoptr(GError) error = NULL;

	(void)data;
	save_well(f, STORE_DOMAIN, key_a, "old");
	expect(f, STORE_DOMAIN, key_a, "old");
	sys_fail_nth(SYS_STATVFS, 1, EIO);
	sys_fail_nth(SYS_WRITE, 1, ENOSPC);
	error = save(f, STORE_DOMAIN, key_a, "new");
	sys_fail_nth(SYS_WRITE, 0, 0);
	g_assert_error(error, SYS_ERROR, ENOSPC);
	expect(f, STORE_DOMAIN, key_a, "old");
}

/* A disk that does not take writes around the page cache: then a text is kept when it was synced, not before. */
static void test_no_direct(struct fixture *f, const void *data)
{
	g_autoptr(GError) error = NULL;

	(void)data;
	save_well(f, STORE_DOMAIN, key_a, "old");
	expect(f, STORE_DOMAIN, key_a, "old");
	sys_fail_nth(SYS_PWRITE, 1, EINVAL);
	sys_fail_nth(SYS_FDATASYNC, 1, EIO);
	error = save(f, STORE_DOMAIN, key_a, "new");
	g_assert_false(sys_fail_pending(SYS_FDATASYNC));
	sys_fail_nth(SYS_PWRITE, 0, 0);
	sys_fail_nth(SYS_FDATASYNC, 0, 0);
	expect(f, STORE_DOMAIN, key_a, error ? "old" : "new");
}

/* When the folder cannot be synced all that was put in place is taken back, in the right order. */
static void test_take_back(struct fixture *f, const void *data)
{
	/* Too long for the log, so that all goes the long way. */
	g_autofree char *huge = g_strnfill(5 * 1000 * 1000, 'y');
	struct wait first, waits[4];

	(void)data;
	save_well(f, STORE_DOMAIN, key_a, "old a");
	save_well(f, STORE_DOMAIN, key_b, "old b");
	reopen(f);
	sys_fail_nth(SYS_FSYNC, 1, SYS_HANG);
	begin_save(f, &first, STORE_DOMAIN, key_a, huge);
	while (sys_fail_pending(SYS_FSYNC))
		g_usleep(1000);
	begin_save(f, &waits[0], STORE_DOMAIN, key_a, "1");
	begin_save(f, &waits[1], STORE_DOMAIN, key_b, NULL);
	begin_save(f, &waits[2], STORE_DOMAIN, key_a, huge);
	begin_save(f, &waits[3], STORE_DOMAIN, key_b, "3");
	/* The one that hangs, its folder, three files, the folder. */
	sys_fail_nth(SYS_FSYNC, 5, EIO);
	wait_end(&first);
	g_assert_no_error(first.error);
	for (unsigned i = 0; i < G_N_ELEMENTS(waits); i++) {
		wait_end(&waits[i]);
		g_assert_error(waits[i].error, SYS_ERROR, EIO);
		g_clear_error(&waits[i].error);
	}
	g_assert_cmpuint(sys_fail_pending(SYS_FSYNC), ==, 0);
	expect(f, STORE_DOMAIN, key_a, huge);
	expect(f, STORE_DOMAIN, key_b, "old b");
	expect_names(f->dir, "domains", 2);
}

/* == Crashes of the host == */

/* What the disk has of the log. */
static void take_log(struct fixture *f, char **ret_bytes, gsize *ret_len)
{
	g_autofree char *path = g_build_filename(f->dir, "wal", NULL);

	g_assert_true(g_file_get_contents(path, ret_bytes, ret_len, NULL));
}

static void put_log(struct fixture *f, const char *log, gsize len)
{
	g_autofree char *path = g_build_filename(f->dir, "wal", NULL);

	g_assert_true(g_file_set_contents(path, log, (gssize)len, NULL));
}

/* The host crashes and is back: it has that log, and @text in the file; NULL: there is none. */
static void crash(struct fixture *f, const char *log, gsize len, const char *text)
{
	g_autofree char *file = file_of(f, STORE_DOMAIN, key_a);

	store_free(f->store);
	if (text)
		g_assert_true(g_file_set_contents(file, text, -1, NULL));
	else
		(void)g_remove(file);
	put_log(f, log, len);
	open_store(f);
}

/* What was told to be done is there, whatever became of its file. */
static void test_crash(struct fixture *f, const void *data)
{
	static const char *const left[] = { NULL, "", "former", "hal" };
	g_autofree char *saved = NULL, *again = NULL, *removed = NULL;
	gsize len;

	(void)data;
	save_well(f, STORE_DOMAIN, key_a, "first text");
	take_log(f, &saved, &len);
	save_well(f, STORE_DOMAIN, key_a, "second text");
	save_well(f, STORE_SNAPSHOTS, key_a, "snapshots");
	take_log(f, &again, &len);
	save_well(f, STORE_DOMAIN, key_a, NULL);
	take_log(f, &removed, &len);
	for (unsigned i = 0; i < G_N_ELEMENTS(left); i++) {
		crash(f, saved, len, left[i]);
		expect(f, STORE_DOMAIN, key_a, "first text");
		crash(f, again, len, left[i]);
		expect(f, STORE_DOMAIN, key_a, "second text");
		expect(f, STORE_SNAPSHOTS, key_a, "snapshots");
		crash(f, removed, len, left[i]);
		expect(f, STORE_DOMAIN, key_a, NULL);
	}
}

/* A batch that was cut off has not happened; those before it have. Any byte that is wrong cuts. */
static void test_torn(struct fixture *f, const void *data)
{
	enum {
		BLOCK = 4096,
		BYTES = 120
	};
	g_autofree char *log = NULL;
	gsize len;

	(void)data;
	save_well(f, STORE_DOMAIN, key_a, "first text");
	save_well(f, STORE_DOMAIN, key_a, "second text");
	take_log(f, &log, &len);
	for (unsigned at = 0; at < BYTES; at += 3) {
		bool within = at < 24 + 32 + 8 + 36 + strlen("second text");

		log[BLOCK + at] ^= 0x40;
		crash(f, log, len, "torn");
		expect(f, STORE_DOMAIN, key_a, within ? "first text" : "second text");
		log[BLOCK + at] ^= 0x40;
	}
	/* Half of a log, and none at all. */
	crash(f, log, BLOCK, "torn");
	expect(f, STORE_DOMAIN, key_a, "first text");
	crash(f, log, BLOCK + 50, "torn");
	expect(f, STORE_DOMAIN, key_a, "first text");
	crash(f, log, 0, "as it was");
	expect(f, STORE_DOMAIN, key_a, "as it was");
}

/* When it was emptied, what is behind its first block means nothing, even at the place where more follows. */
static void test_emptied(struct fixture *f, const void *data)
{
	g_autofree char *log = NULL;
	gsize len;

	(void)data;
	save_well(f, STORE_DOMAIN, key_a, "1");
	save_well(f, STORE_DOMAIN, key_a, "2");
	reopen(f);
	take_log(f, &log, &len);
	crash(f, log, len, "as it was");
	expect(f, STORE_DOMAIN, key_a, "as it was");
	save_well(f, STORE_DOMAIN, key_a, "3");
	g_clear_pointer(&log, g_free);
	take_log(f, &log, &len);
	crash(f, log, len, "torn");
	expect(f, STORE_DOMAIN, key_a, "3");
}

/* More than the log has room for: it is emptied on the way, and what is too long for it needs none. */
static void test_full(struct fixture *f, const void *data)
{
	enum {
		LONG = 100 * 1000,
		COUNT = 40
	};
	g_autofree char *text = g_strnfill(LONG, 'x'), *huge = g_strnfill(30 * LONG, 'y');
	g_autofree char *log = NULL;
	gsize len;

	(void)data;
	for (unsigned i = 0; i < COUNT; i++) {
		text[0] = (char)('a' + i % 26);
		save_well(f, STORE_DOMAIN, key_a, text);
	}
	save_well(f, STORE_DOMAIN, key_a, huge);
	expect(f, STORE_DOMAIN, key_a, huge);
	take_log(f, &log, &len);
	crash(f, log, len, huge);
	expect(f, STORE_DOMAIN, key_a, huge);
}

/* The log cannot be emptied: nothing is changed until it can be, and then nothing was lost. */
static void test_stuck(struct fixture *f, const void *data)
{
	g_autofree char *folder = g_build_filename(f->dir, "domains", NULL);
	g_autofree char *aside = g_build_filename(f->dir, "aside", NULL);
	g_autoptr(GError) error = NULL;

	(void)data;
	save_well(f, STORE_DOMAIN, key_a, "kept");
	g_assert_cmpint(g_rename(folder, aside), ==, 0);
	error = save(f, STORE_DOMAIN, key_b, "refused");
	g_assert_error(error, SYS_ERROR, ENOENT);
	g_clear_error(&error);
	error = save(f, STORE_SNAPSHOTS, key_b, "refused");
	g_assert_error(error, SYS_ERROR, ENOENT);
	g_assert_cmpint(g_rename(aside, folder), ==, 0);
	expect(f, STORE_DOMAIN, key_a, "kept");
	save_well(f, STORE_DOMAIN, key_b, "taken");
	expect(f, STORE_DOMAIN, key_b, "taken");
	expect(f, STORE_SNAPSHOTS, key_b, NULL);
	reopen(f);
	expect(f, STORE_DOMAIN, key_a, "kept");
}

/* A file cannot follow what was told: nothing is lost, and nothing else is told until it can. */
static void test_owed(struct fixture *f, const void *data)
{
	g_autofree char *folder = g_build_filename(f->dir, "domains", NULL);
	g_autofree char *aside = g_build_filename(f->dir, "aside", NULL);
	g_autoptr(GError) error = NULL;
	struct wait wait;

	(void)data;
	sys_fail_nth(SYS_PWRITE, 1, SYS_HANG);
	begin_save(f, &wait, STORE_DOMAIN, key_a, "kept");
	while (sys_fail_pending(SYS_PWRITE))
		g_usleep(1000);
	g_assert_cmpint(g_rename(folder, aside), ==, 0);
	sys_fail_nth(SYS_PWRITE, 0, 0);
	wait_end(&wait);
	g_assert_no_error(wait.error);
	error = save(f, STORE_DOMAIN, key_b, "refused");
	g_assert_error(error, SYS_ERROR, ENOENT);
	g_assert_cmpint(g_rename(aside, folder), ==, 0);
	/* Nobody has to ask for it. */
	expect(f, STORE_DOMAIN, key_a, "kept");
	expect(f, STORE_DOMAIN, key_b, NULL);
	save_well(f, STORE_DOMAIN, key_b, "taken");
	expect(f, STORE_DOMAIN, key_b, "taken");
}

/* == A disk that others fill == */

static bool on_load(void *opaque, enum store_kind kind, const char *key, const char *text,
		    GError **error)
{
	GString *out = opaque;

	g_string_append_printf(out, "%d %.8s %s\n", (int)kind, key, text);
	return !g_str_has_prefix(text, "bad") ||
	       error_set(error, SOCLE_ERROR_CORRUPT, "it makes no sense");
}

static void put(const char *dir, const char *name, const char *text)
{
	g_autofree char *path = g_build_filename(dir, name, NULL);

	g_assert_true(g_file_set_contents(path, text, -1, NULL));
}

static char *reserve_of(struct fixture *f)
{
	return g_build_filename(f->dir, "reserve", NULL);
}

/* Others have filled the disk since it was told: the file gets the room that was kept for it. */
static void test_reserve(struct fixture *f, const void *data)
{
	enum {
		MANY = 100000
	};
	static const int full[] = { ENOSPC, EDQUOT };
	g_autofree char *path = reserve_of(f);

	(void)data;
	for (unsigned i = 0; i < G_N_ELEMENTS(full); i++) {
		const char *text = i ? "second" : "first";

		g_assert_true(g_file_test(path, G_FILE_TEST_EXISTS));
		sys_fail_nth(SYS_FALLOCATE, MANY, EIO);
		save_well(f, STORE_DOMAIN, key_a, text);
		sys_fail_nth(SYS_FSYNC, 1, full[i]);
		store_finish(f->store);
		g_assert_cmpuint(sys_fail_pending(SYS_FSYNC), ==, 0);
		expect(f, STORE_DOMAIN, key_a, text);
		/* It was given up, and is there again. */
		g_assert_cmpuint(sys_fail_pending(SYS_FALLOCATE), ==, MANY - 1);
		sys_fail_nth(SYS_FALLOCATE, 0, 0);
		g_assert_true(g_file_test(path, G_FILE_TEST_EXISTS));
		reopen(f);
	}
}

/* Without room for it all is synced one by one, and told then. It is made when there is room. */
static void test_no_reserve(struct fixture *f, const void *data)
{
	static const enum sys_call calls[] = { SYS_FALLOCATE, SYS_STATVFS };
	g_autofree char *path = reserve_of(f);

	(void)data;
	for (unsigned i = 0; i < G_N_ELEMENTS(calls); i++) {
		g_autoptr(GError) error = NULL;

		store_free(f->store);
		g_assert_cmpint(g_remove(path), ==, 0);
		sys_fail_nth(calls[i], 1, ENOSPC);
		open_store(f);
		g_assert_cmpuint(sys_fail_pending(calls[i]), ==, 0);
		g_assert_false(g_file_test(path, G_FILE_TEST_EXISTS));
		sys_fail_nth(SYS_WRITE, 1, ENOSPC);
		sys_fail_nth(SYS_FALLOCATE, 1, ENOSPC);
		error = save(f, STORE_DOMAIN, key_a, "refused");
		g_assert_error(error, SYS_ERROR, ENOSPC);
		g_assert_false(g_file_test(path, G_FILE_TEST_EXISTS));
		save_well(f, STORE_DOMAIN, key_a, "taken");
		expect(f, STORE_DOMAIN, key_a, "taken");
		g_assert_true(g_file_test(path, G_FILE_TEST_EXISTS));
		save_well(f, STORE_DOMAIN, key_a, NULL);
	}
}

/* Half of what is left stays for others. */
static void test_reserve_fits(void)
{
	g_assert_true(reserve_fits(2 * RESERVE_SIZE / 4096, 4096));
	g_assert_false(reserve_fits(2 * RESERVE_SIZE / 4096 - 1, 4096));
	g_assert_false(reserve_fits(1, RESERVE_SIZE));
	g_assert_false(reserve_fits(UINT64_MAX, 0));
}

/*
 * Of each file the last block is not full, and its name may need another one: what does not fit into the reserve so
 * is synced one by one before it is told.
 */
static void test_beyond_reserve(struct fixture *f, const void *data)
{
	enum {
		COUNT = RESERVE_SIZE / RESERVE_BLOCK / 2 + 1,
		MANY = 100000
	};
	static struct wait waits[COUNT + 1];
	unsigned syncs;

	(void)data;
	begin_many(f, waits, COUNT, "x");
	sys_fail_nth(SYS_FSYNC, MANY, EIO);
	sys_fail_nth(SYS_PWRITE, 0, 0);
	for (unsigned i = 0; i <= COUNT; i++) {
		wait_end(&waits[i]);
		g_assert_no_error(waits[i].error);
	}
	syncs = MANY - sys_fail_pending(SYS_FSYNC);
	sys_fail_nth(SYS_FSYNC, 0, 0);
	g_assert_cmpuint(syncs, >=, COUNT);
}

/* One that was not made to its end is none. */
static void test_short_reserve(struct fixture *f, const void *data)
{
	g_autofree char *path = reserve_of(f);
	struct stat st;

	(void)data;
	store_free(f->store);
	g_assert_true(g_file_set_contents(path, "short", -1, NULL));
	open_store(f);
	g_assert_cmpint(stat(path, &st), ==, 0);
	g_assert_cmpint(st.st_size, ==, 2 * 1024 * 1024);
}

/* A file system that cannot set room aside has it written. */
static void test_written_reserve(struct fixture *f, const void *data)
{
	g_autofree char *path = reserve_of(f);
	struct stat st;

	(void)data;
	store_free(f->store);
	g_assert_cmpint(g_remove(path), ==, 0);
	sys_fail_nth(SYS_FALLOCATE, 1, EOPNOTSUPP);
	open_store(f);
	g_assert_cmpint(stat(path, &st), ==, 0);
	g_assert_cmpint(st.st_size, ==, 2 * 1024 * 1024);
}

static void load_into(struct fixture *f, GString *out)
{
	struct store_count count;

	g_string_truncate(out, 0);
	store_load(f->store, on_load, out, &count);
}

/* A start finds a log and a disk that does not take what it has: all definitions are there, nothing is changed
 * until it does, and then the files follow. */
static void test_start_stuck(struct fixture *f, const void *data)
{
	g_autofree char *in_the_way = file_of(f, STORE_DOMAIN, key_a), *log = NULL;
	g_autofree char *removed = file_of(f, STORE_SNAPSHOTS, key_b);
	g_autoptr(GString) out = g_string_new(NULL);
	g_autoptr(GError) error = NULL;
	gsize len;

	(void)data;
	save_well(f, STORE_NETWORK, key_a, "network");
	save_well(f, STORE_DOMAIN, key_a, "old");
	save_well(f, STORE_DOMAIN, key_a, "new");
	save_well(f, STORE_DOMAIN, key_b, "other");
	save_well(f, STORE_SNAPSHOTS, key_b, "snapshots");
	save_well(f, STORE_SNAPSHOTS, key_b, NULL);
	take_log(f, &log, &len);
	store_free(f->store);
	put_log(f, log, len);
	g_assert_true(g_file_set_contents(removed, "left", -1, NULL));
	g_assert_cmpint(g_remove(in_the_way), ==, 0);
	g_assert_cmpint(g_mkdir(in_the_way, 0700), ==, 0);
	for (unsigned i = 0; i < 2; i++) {
		open_store(f);
		load_into(f, out);
		g_assert_cmpstr(out->str, ==,
				"3 11111111 network\n0 11111111 new\n0 22222222 other\n");
		error = save(f, STORE_DOMAIN, key_b, "refused");
		g_assert_error(error, SYS_ERROR, EISDIR);
		g_clear_error(&error);
		if (i == 0)
			store_free(f->store);
	}
	g_assert_cmpint(g_rmdir(in_the_way), ==, 0);
	/* Nobody has to ask for it. */
	expect(f, STORE_DOMAIN, key_a, "new");
	expect(f, STORE_DOMAIN, key_b, "other");
	expect(f, STORE_SNAPSHOTS, key_b, NULL);
	save_well(f, STORE_DOMAIN, key_b, "taken");
	reopen(f);
	load_into(f, out);
	g_assert_cmpstr(out->str, ==, "3 11111111 network\n0 11111111 new\n0 22222222 taken\n");
}

/* Each call of a start that fails, at each place, with a log to put in place: it shows all, or does not start. */
static void test_start_faults(struct fixture *f, const void *data)
{
	g_autoptr(GString) out = g_string_new(NULL);
	g_autofree char *log = NULL;
	unsigned hits = 0, starts = 0;
	gsize len;

	(void)data;
	save_well(f, STORE_DOMAIN, key_a, "old");
	save_well(f, STORE_DOMAIN, key_a, "new");
	save_well(f, STORE_DOMAIN, key_b, "other");
	take_log(f, &log, &len);
	g_clear_pointer(&f->store, store_free);
	for (unsigned which = 0; which < G_N_ELEMENTS(faults); which++) {
		for (unsigned nth = 1, left = 0; left == 0; nth++) {
			g_autofree char *file = file_of(f, STORE_DOMAIN, key_a);
			g_autoptr(GError) error = NULL;

			put_log(f, log, len);
			g_assert_true(g_file_set_contents(file, "old", -1, NULL));
			sys_fail_nth(faults[which].call, nth, faults[which].err);
			f->store = store_new(f->dir, f->run, &error);
			left = sys_fail_pending(faults[which].call);
			sys_fail_nth(faults[which].call, 0, 0);
			hits += left == 0;
			if (!f->store)
				continue;
			starts += left == 0;
			load_into(f, out);
			g_assert_cmpstr(out->str, ==, "0 11111111 new\n0 22222222 other\n");
			g_clear_pointer(&f->store, store_free);
		}
	}
	g_assert_cmpuint(hits, >, 20);
	g_assert_cmpuint(starts, >, 10);
	g_test_message("%u calls failed, %u starts", hits, starts);
	open_store(f);
}

/* Behind the end nothing is begun, and what was begun is done. */
static void test_end(struct fixture *f, const void *data)
{
	struct wait one, two;

	(void)data;
	begin_save(f, &one, STORE_DOMAIN, key_a, "kept");
	store_finish(f->store);
	g_assert_true(one.ended);
	g_assert_no_error(one.error);
	expect(f, STORE_DOMAIN, key_a, "kept");
	two = (struct wait){ .task.end = on_end };
	store_file_ops.save(f->store, STORE_DOMAIN, key_b, "late", &two.task);
	g_assert_true(two.ended);
	g_assert_error(two.error, SOCLE_ERROR, SOCLE_ERROR_STATE);
	g_clear_error(&two.error);
	two.ended = false;
	store_file_ops.remove(f->store, STORE_DOMAIN, key_a, &two.task);
	g_assert_error(two.error, SOCLE_ERROR, SOCLE_ERROR_STATE);
	g_clear_error(&two.error);
	expect(f, STORE_DOMAIN, key_a, "kept");
}

/* == What a start finds == */

static void test_load(struct fixture *f, const void *data)
{
	g_autofree char *domains = g_build_filename(f->dir, "domains", NULL);
	g_autofree char *status = g_build_filename(f->run, "status", NULL);
	g_autofree char *odd = g_build_filename(domains, "folder.xml", NULL);
	GString *out = g_string_new(NULL);
	struct store_count count;

	(void)data;
	g_assert_cmpint(g_mkdir(odd, 0700), ==, 0);
	put(status, "11111111-1111-4111-8111-111111111111.xml", "runs");
	put(domains, "22222222-2222-4222-8222-222222222222.xml", "second");
	put(domains, "11111111-1111-4111-8111-111111111111.xml", "first");
	put(domains, "33333333-3333-4333-8333-333333333333.xml", "bad");
	put(domains, "44444444-4444-4444-8444-444444444444.xml", "");
	put(domains, "README", "not ours");
	put(domains, ".11111111-1111-4111-8111-111111111111.0.new", "half");
	put(domains, ".11111111-1111-4111-8111-111111111111.0.old", "former");
	reopen(f);
	store_load(f->store, on_load, out, &count);
	g_assert_cmpstr(out->str, ==,
			"0 11111111 first\n0 22222222 second\n0 33333333 bad\n1 11111111 runs\n");
	g_assert_cmpuint(count.loaded[STORE_DOMAIN], ==, 2);
	g_assert_cmpuint(count.loaded[STORE_STATUS], ==, 1);
	g_assert_cmpuint(count.refused, ==, 2);
	/* All of them but the two that are half-written. */
	expect_names(f->dir, "domains", 6);
	expect(f, STORE_DOMAIN, "33333333-3333-4333-8333-333333333333", NULL);
	/* Again, and the names are taken. */
	put(domains, "33333333-3333-4333-8333-333333333333.xml", "bad again");
	store_load(f->store, on_load, out, &count);
	g_assert_cmpuint(count.refused, ==, 1);
	expect_names(f->dir, "domains", 7);
	g_string_free(out, TRUE);
}

static void test_unreadable(struct fixture *f, const void *data)
{
	GString *out = g_string_new(NULL);
	struct store_count count;

	(void)data;
	save_well(f, STORE_DOMAIN, key_a, "one");
	expect(f, STORE_DOMAIN, key_a, "one");
	sys_fail_nth(SYS_READ, 1, EIO);
	store_load(f->store, on_load, out, &count);
	g_assert_cmpuint(sys_fail_pending(SYS_READ), ==, 0);
	g_assert_cmpstr(out->str, ==, "");
	g_assert_cmpuint(count.refused, ==, 1);
	/* It is good all the same, and read by the next one. */
	expect(f, STORE_DOMAIN, key_a, "one");
	store_load(f->store, on_load, out, &count);
	g_assert_cmpuint(count.loaded[STORE_DOMAIN], ==, 1);
	g_string_free(out, TRUE);
}

static void test_thousand(struct fixture *f, const void *data)
{
	GString *out = g_string_new(NULL), *text = g_string_new(NULL);
	struct store_count count;
	gint64 begin;

	(void)data;
	while (text->len < 3000)
		g_string_append(text, "<element of='a definition'/>\n");
	for (unsigned i = 0; i < 1000; i++) {
		g_autofree char *path = g_strdup_printf(
			"%s/domains/11111111-1111-4111-8111-11111111%04u.xml", f->dir, i);

		g_assert_true(g_file_set_contents(path, text->str, -1, NULL));
	}
	begin = g_get_monotonic_time();
	store_load(f->store, on_load, out, &count);
	g_test_message("1000 files in %lld us", (long long)(g_get_monotonic_time() - begin));
	g_assert_cmpuint(count.loaded[STORE_DOMAIN], ==, 1000);
	g_string_free(out, TRUE);
	g_string_free(text, TRUE);
}

/* Without room for a log it is slower, and all the same otherwise. */
static void test_no_log(struct fixture *f, const void *data)
{
	g_autofree char *path = g_build_filename(f->dir, "wal", NULL);

	(void)data;
	save_well(f, STORE_DOMAIN, key_a, "logged");
	for (int err = ENOSPC;; err = SYS_SHORT) {
		store_free(f->store);
		g_assert_cmpint(g_remove(path), ==, 0);
		sys_fail_nth(SYS_PWRITE, 1, err);
		open_store(f);
		g_assert_false(g_file_test(path, G_FILE_TEST_EXISTS));
		save_well(f, STORE_DOMAIN, key_a, "not logged");
		save_well(f, STORE_DOMAIN, key_b, NULL);
		expect(f, STORE_DOMAIN, key_a, "not logged");
		reopen(f);
		g_assert_true(g_file_test(path, G_FILE_TEST_EXISTS));
		expect(f, STORE_DOMAIN, key_a, "not logged");
		if (err == SYS_SHORT)
			return;
	}
}

static void test_folders(struct fixture *f, const void *data)
{
	static const enum sys_call calls[] = { SYS_MKDIR, SYS_OPEN, SYS_FSYNC };
	g_autofree char *file = g_build_filename(f->dir, "file", NULL);
	g_autoptr(GError) error = NULL;

	(void)data;
	g_assert_true(g_file_set_contents(file, "", 0, NULL));
	g_assert_null(store_new(file, f->run, &error));
	g_assert_error(error, SYS_ERROR, ENOTDIR);
	for (unsigned i = 0; i < G_N_ELEMENTS(calls); i++) {
		g_clear_error(&error);
		sys_fail_nth(calls[i], 1, EIO);
		g_assert_null(store_new(f->dir, f->run, &error));
		g_assert_error(error, SYS_ERROR, EIO);
	}
}

int main(int argc, char **argv)
{
#define CASE(name) g_test_add("/store/" #name, struct fixture, NULL, setup, test_##name, teardown)

	g_test_init(&argc, &argv, NULL);
	CASE(kinds);
	CASE(order);
	CASE(together);
	g_test_add("/store/faults", struct fixture, GINT_TO_POINTER(STORE_DOMAIN), setup,
		   test_faults, teardown);
	g_test_add("/store/faults-long-way", struct fixture, GINT_TO_POINTER(STORE_STATUS), setup,
		   test_faults, teardown);
	CASE(no_links);
	CASE(often);
	CASE(no_room);
	CASE(no_direct);
	CASE(take_back);
	CASE(crash);
	CASE(torn);
	CASE(emptied);
	CASE(full);
	CASE(stuck);
	CASE(owed);
	CASE(reserve);
	CASE(no_reserve);
	g_test_add_func("/store/reserve-fits", test_reserve_fits);
	CASE(beyond_reserve);
	CASE(short_reserve);
	CASE(written_reserve);
	CASE(start_stuck);
	CASE(start_faults);
	CASE(end);
	CASE(load);
	CASE(unreadable);
	CASE(thousand);
	CASE(no_log);
	CASE(folders);
	return g_test_run();
}
