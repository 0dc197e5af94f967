/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-depots.c - storage pools whose volumes are no files, through their seam; the programs that are run for them
 * are fakes
 */
#include <glib/gstdio.h>
#include <string.h>

#include "base/error.h"
#include "base/sys.h"
#include "pools-lab.h"

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

static GError *resize(const struct lab *lab, const char *name, uint64_t bytes, unsigned flags)
{
	struct vol_work *work = vol_work_new();
	struct wait wait;

	wait_init(&wait);
	pools_ops.resize(lab->storage, name, bytes, flags, work, &wait.task);
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
	is_told(resize(lab, "a", 16777216, 0), SOCLE_ERROR_BUSY, "has snapshots, and is in use");
	is_told(resize(lab, "s", 16777216, 0), SOCLE_ERROR_UNSUPPORTED, "as large as 'a' was");
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

/* == Copies that are devices == */

/*
 * lvm2 with files: volumes lie in vg/, those that are in busy/ are open. FAKE_NTH is which of its calls fails;
 * FAKE_FROM, from which on all do. While there is a file "wait" nothing gets another name, and "waits" is made.
 */
static const char fake_lvm[] =
	"dir=${0%/*} tool=${0##*/}\n"
	"echo x >>$dir/calls; n=$(wc -l <$dir/calls)\n"
	"[ $n -ne ${FAKE_NTH:-0} ] && [ $n -lt ${FAKE_FROM:-1000} ] || { echo no luck >&2; exit 5; "
	"}\n"
	"for last; do :; done\n"
	"case $tool in\n"
	"lvs) for f in $(ls -A $dir/vg); do use=-; [ ! -e $dir/busy/$f ] || use=o\n"
	"	echo \"  $f|8388608|-wi-a$use----||||\"; done ;;\n"
	"lvcreate) while [ $# -gt 2 ]; do case $1 in --name) name=$2 ;; --size) size=${2%b} ;; "
	"esac\n"
	"	shift; done; truncate -s $size $dir/vg/$name ;;\n"
	"lvrename) while [ -e $dir/wait ]; do >$dir/waits; sleep 0.01; done; mv $dir/vg/$3 "
	"$dir/vg/$4 ;;\n"
	"lvremove) rm $dir/$last ;;\n"
	"esac\n";

struct group {
	struct lab lab;        /* its storage is the group's */
	struct storage *files; /* where what is copied lies */
	char *folder, *old_path;
	struct storage_pool *def;
};

static struct group begin_group(void)
{
	static const char *const tools[] = { "lvs", "vgchange", "lvcreate", "lvrename",
					     "lvremove" };
	struct group g = { .lab = begin(), .old_path = g_strdup(g_getenv("PATH")) };
	g_autofree char *path = g_strdup_printf("%s:/usr/bin:/bin", g.lab.dir);
	g_autofree char *busy = g_build_filename(g.lab.dir, "busy", NULL), *xml = NULL;
	g_autofree char *bytes = g_strnfill(100000, 'x');

	g.folder = g_build_filename(g.lab.dir, "vg", NULL);
	xml = g_strdup_printf(
		"<pool type='logical'><name>vg</name><source><device path='/dev/none'/>"
		"</source><target><path>%s</path></target></pool>",
		g.folder);
	put(&g.lab, "old", bytes, 100000);
	g_assert_cmpint(g_mkdir(g.folder, 0700), ==, 0);
	g_assert_cmpint(g_mkdir(busy, 0700), ==, 0);
	for (size_t i = 0; i < ARRAY_SIZE(tools); i++)
		fake_script(&g.lab, tools[i], fake_lvm);
	g_setenv("PATH", path, TRUE);
	g.files = g.lab.storage;
	g.def = parse_pool(xml);
	return g;
}

static void end_group(struct group *g)
{
	g_setenv("PATH", g->old_path, TRUE);
	g->files->ops->free(g->files);
	storage_pool_free(g->def);
	end(&g->lab);
	g_free(g->folder);
	g_free(g->old_path);
}

static void start_group(struct group *g)
{
	if (g->lab.storage != g->files)
		g->lab.storage->ops->free(g->lab.storage);
	g_assert_no_error(start(&g->lab, g->def));
}

static void touch(const struct group *g, const char *folder, const char *name)
{
	g_autofree char *path = g_build_filename(g->lab.dir, folder, name, NULL);

	g_assert_true(g_file_set_contents(path, "", 0, NULL));
}

static void untouch(const struct group *g, const char *folder, const char *name)
{
	g_autofree char *path = g_build_filename(g->lab.dir, folder, name, NULL);

	g_assert_cmpint(g_unlink(path), ==, 0);
}

static bool has_volume(const struct group *g, const char *name)
{
	g_autofree char *path = g_build_filename(g->folder, name, NULL);

	return g_file_test(path, G_FILE_TEST_EXISTS);
}

static unsigned count_volumes(const struct group *g)
{
	return count_names(g->folder);
}

/* A copy "new" of the file "old". */
static void begin_copy(struct group *g, struct vol_work *work, struct wait *wait)
{
	static const char xml[] = "<volume><name>new</name><capacity>0</capacity></volume>";
	autoptr(storage_vol) vol =
		storage_vol_parse(xml, strlen(xml), STORAGE_PARSE_STRICT, NULL, NULL);
	struct vol_create what = { .vol = vol, .source = g->files, .source_name = "old" };

	wait_init(wait);
	pools_ops.create(g->lab.storage, &what, work, &wait->task);
}

static GError *copy_old(struct group *g, bool cancelled)
{
	struct vol_work *work = vol_work_new();
	struct wait wait;

	atomic_store(&work->cancelled, cancelled);
	begin_copy(g, work, &wait);
	vol_work_unref(work);
	return wait_end(&wait);
}

/* Which call of a program fails, by the variable that says so; false: none did, all went well. */
static bool fail_copy(struct group *g, const char *variable, unsigned n)
{
	g_autofree char *number = g_strdup_printf("%u", n);
	g_autofree char *calls = g_build_filename(g->lab.dir, "calls", NULL);
	g_autofree char *path = g_build_filename(g->folder, "new", NULL);
	g_autofree char *text = NULL;
	g_autoptr(GError) error = NULL;

	(void)g_unlink(calls);
	g_setenv(variable, number, TRUE);
	error = copy_old(g, false);
	g_unsetenv(variable);
	g_assert_cmpint(error == NULL, ==, has_volume(g, "new"));
	if (error) {
		g_assert_nonnull(strstr(error->message, "no luck"));
		return true;
	}
	g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
	g_assert_cmpuint(strlen(text), ==, 100000);
	untouch(g, "vg", "new");
	return false;
}

/* Whichever program fails: the copy is there as a whole or not at all, and leaves nothing that stays. */
static void test_copy_failures(void)
{
	static const enum sys_call calls[] = { SYS_OPEN, SYS_PWRITE, SYS_FDATASYNC };
	struct group g = begin_group();
	unsigned n = 1, left = 0;

	start_group(&g);
	for (; fail_copy(&g, "FAKE_NTH", n); n++)
		g_assert_cmpuint(count_volumes(&g), ==, 0);
	g_assert_cmpuint(n, >=, 4);
	/* What cannot be removed either goes with the next one. */
	for (n = 1; fail_copy(&g, "FAKE_FROM", n); n++) {
		left += count_volumes(&g);
		make(&g.lab, "empty");
		untouch(&g, "vg", "empty");
		g_assert_cmpuint(count_volumes(&g), ==, 0);
	}
	g_assert_cmpuint(left, >, 0);
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
		g_autoptr(GError) error = NULL;
		bool failed;

		for (n = 1, failed = true; failed; n++) {
			sys_fail_nth(calls[i], n, EIO);
			error = copy_old(&g, false);
			failed = !sys_fail_pending(calls[i]);
			sys_fail_nth(calls[i], 0, 0);
			g_assert_cmpint(error == NULL, ==, has_volume(&g, "new"));
			if (!error)
				untouch(&g, "vg", "new");
			g_clear_error(&error);
			g_assert_cmpuint(count_volumes(&g), ==, 0);
		}
		g_assert_cmpuint(n, >, 2);
	}
	is_told(copy_old(&g, true), SOCLE_ERROR_FAILED, "given up");
	g_assert_cmpuint(count_volumes(&g), ==, 0);
	end_group(&g);
}

#define OURS   ".socle-00000000-"
#define THEIRS ".socle-00000001-"

/* What a daemon left that was killed. */
static void test_parts(void)
{
	static const char left[] = OURS "00000000000000aa.part",
			  used[] = OURS "00000000000000bb.part",
			  other[] = THEIRS "00000000000000cc.part", like[] = OURS "aa.part";
	struct group g = begin_group();
	g_autofree char *text = NULL;

	touch(&g, "vg", left);
	touch(&g, "vg", used);
	touch(&g, "busy", used);
	touch(&g, "vg", other);
	touch(&g, "vg", like);
	start_group(&g);
	g_assert_false(has_volume(&g, left));
	g_assert_true(has_volume(&g, used));
	g_assert_true(has_volume(&g, other));
	g_assert_true(has_volume(&g, like));
	text = names_of(&g.lab);
	g_assert_cmpstr(text, ==, like);
	/* That one cannot be removed is nobody's trouble. */
	make(&g.lab, "one");
	g_assert_true(has_volume(&g, used));
	untouch(&g, "busy", used);
	make(&g.lab, "two");
	g_assert_false(has_volume(&g, used));
	g_assert_true(has_volume(&g, other));
	is_told(create(&g.lab, "<volume><name>one</name><capacity>1</capacity></volume>", NULL,
		       NULL),
		SOCLE_ERROR_EXISTS, "already exists");
	end_group(&g);
}

/* What would get bytes later, and cannot: these volumes are no devices. */
static void test_no_stream(void)
{
	static const struct {
		const char *format, *why;
	} cases[] = { { "raw", "is no block device" }, { "thin-pool", "cannot be filled" } };
	struct group g = begin_group();

	start_group(&g);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		g_autofree char *format = g_strdup(cases[i].format), *name = g_strdup("new");
		const struct storage_vol vol = { .name = name,
						 .capacity = number_of(512),
						 .target.format.type = format };
		struct vol_work *work = vol_work_new();
		struct vol_io *io = NULL;
		const struct vol_create what = { .vol = &vol, .ret_io = &io };
		g_autoptr(GError) error = NULL;
		struct wait wait;

		wait_init(&wait);
		pools_ops.create(g.lab.storage, &what, work, &wait.task);
		error = wait_end(&wait);
		g_assert_nonnull(strstr(error->message, cases[i].why));
		g_assert_null(io);
		g_assert_cmpuint(count_volumes(&g), ==, 0);
		vol_work_unref(work);
	}
	end_group(&g);
}

/* One that is complete, but has not got its name yet, is nothing that was left. */
static void test_part_stays(void)
{
	struct group g = begin_group();
	g_autofree char *waits = g_build_filename(g.lab.dir, "waits", NULL), *text = NULL;
	struct vol_work *work = vol_work_new();
	struct wait wait;

	start_group(&g);
	touch(&g, ".", "wait");
	begin_copy(&g, work, &wait);
	while (!g_file_test(waits, G_FILE_TEST_EXISTS))
		g_usleep(1000);
	make(&g.lab, "one");
	start_group(&g);
	text = names_of(&g.lab);
	g_assert_cmpstr(text, ==, "one");
	g_assert_cmpuint(count_volumes(&g), ==, 2);
	untouch(&g, ".", "wait");
	g_assert_no_error(wait_end(&wait));
	g_assert_true(has_volume(&g, "new"));
	vol_work_unref(work);
	end_group(&g);
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
		"#!/bin/sh\necho \"rbd $*\" >>'%s/log'\ncase $1 in\nls) echo "
		"'[\"one\",\"two\",\"" OURS "00000000000000aa.part\"]' ;;\n"
		"info) echo '{\"name\":\"one\",\"size\":1048576}' ;;\n"
		"esac\n[ \"$FAKE_FAILS\" != $1 ] || { echo 'no room' >&2; exit 1; }\n";
	struct lab lab = { .dir = g_dir_make_tmp("test-pools-XXXXXX", NULL) };
	g_autofree char *path = g_strdup_printf("%s:/usr/bin:/bin", lab.dir);
	g_autofree char *old_path = g_strdup(g_getenv("PATH")), *log = NULL, *text = NULL;
	g_autofree char *program = g_build_filename(lab.dir, "rbd", NULL);
	g_autofree char *lines = g_strdup_printf(script, lab.dir);
	autoptr(storage_pool) def = parse_pool(xml);
	autoptr(storage_vol) vol = NULL;
	g_autoptr(GError) error = NULL;
	static const char bigger[] = "<volume><name>c</name><capacity>2097152</capacity></volume>";
	static const char *const steps[] = { "copy", "resize", "mv" };
	struct vol_work *work = vol_work_new();
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
	log = log_of(&lab);
#define AT " --mon_host a:6789,b"
	g_assert_nonnull(strstr(log, "rbd remove" AT " --no-progress --pool images --image " OURS
				     "00000000000000aa.part\n"));
	g_clear_pointer(&log, g_free);
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
		&lab, "<volume><name>n</name><capacity>2096641</capacity></volume>", NULL, NULL));
	g_assert_no_error(create(
		&lab, "<volume><name>c</name><capacity>2097152</capacity></volume>", "one", NULL));
	g_assert_no_error(resize(&lab, "one", 4096, VOL_RESIZE_SHRINK));
	g_assert_no_error(remove_it(&lab, "one", 0));
	log = log_of(&lab);
	g_assert_nonnull(strstr(log, "rbd create" AT " --pool images --image n --size 2097152B\n"));
#define PART "\\.socle-00000000-[0-9a-f]{16}\\.part"
	g_assert_true(g_regex_match_simple(
		"rbd copy" AT " --no-progress --pool images --image one --dest-pool images --dest "
		"(" PART ")\nrbd resize" AT " --no-progress --pool images --image \\1 --size "
		"2097152B\nrbd mv" AT " --pool images --image \\1 --dest-pool images --dest c\n",
		log, 0, 0));
	g_assert_nonnull(strstr(log, "rbd resize" AT " --no-progress --pool images --image one "
				     "--size 4096B --allow-shrink\n"));
	g_assert_nonnull(strstr(log, "rbd remove" AT " --no-progress --pool images --image one\n"));
	error = create(&lab,
		       "<volume><name>q</name><capacity>1</capacity><target><format type='qcow2'/>"
		       "</target></volume>",
		       NULL, NULL);
	g_assert_error(error, SOCLE_ERROR, SOCLE_ERROR_UNSUPPORTED);
	g_clear_error(&error);
	is_told(create(&lab, "<volume><name>two</name><capacity>1</capacity></volume>", "one",
		       NULL),
		SOCLE_ERROR_EXISTS, "already exists");
	/* A clone that cannot be copied, grow or get its name does not stay. */
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		g_autofree char *said = NULL;

		g_free(log_of(&lab));
		g_setenv("FAKE_FAILS", steps[i], TRUE);
		is_told(create(&lab, bigger, "one", NULL), SOCLE_ERROR_FAILED, "no room");
		g_unsetenv("FAKE_FAILS");
		said = log_of(&lab);
		g_assert_true(g_regex_match_simple("rbd copy" AT ".* --dest (" PART
						   ")\n(.*\n)*rbd remove" AT
						   " --no-progress --pool images --image \\1\n$",
						   said, 0, 0));
	}
	/* Nor does one that nobody wants any more when it is complete. */
	g_free(log_of(&lab));
	atomic_store(&work->cancelled, true);
	is_told(create(&lab, bigger, "one", work), SOCLE_ERROR_FAILED, "given up");
	vol_work_unref(work);
	g_free(log);
	log = log_of(&lab);
	g_assert_null(strstr(log, "rbd mv"));
	g_assert_true(g_regex_match_simple("rbd remove" AT ".* --image " PART "\n$", log, 0, 0));
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

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/daemon/depots/logical", test_logical);
	g_test_add_func("/daemon/depots/snapshots", test_snapshots);
	g_test_add_func("/daemon/depots/disk", test_disk);
	g_test_add_func("/daemon/depots/copy-failures", test_copy_failures);
	g_test_add_func("/daemon/depots/parts", test_parts);
	g_test_add_func("/daemon/depots/part-stays", test_part_stays);
	g_test_add_func("/daemon/depots/no-stream", test_no_stream);
	g_test_add_func("/daemon/depots/iscsi", test_iscsi);
	g_test_add_func("/daemon/depots/rbd", test_rbd);
	g_test_add_func("/daemon/depots/exports", test_exports);
	return g_test_run();
}
