/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-lvm.c - what lvm2, mount and sfdisk are told, and what is read of their reports; a program that is run
 */
#include <pthread.h>
#include <signal.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "host/lvm.h"
#include "host/mounts.h"
#include "host/partitions.h"
#include "host/tool.h"

/* @argv is taken over. */
static void expect(char **argv, const char *line)
{
	g_autofree char *text = g_strjoinv(" ", argv);

	g_assert_cmpstr(text, ==, line);
	g_strfreev(argv);
}

static void test_lvm(void)
{
	static const char *const devices[] = { "/dev/sdb", "/dev/sdc", NULL };

	expect(lvm_argv_pvcreate("/dev/sdb", false), "pvcreate -- /dev/sdb");
	expect(lvm_argv_pvcreate("/dev/sdb", true), "pvcreate --force --yes -- /dev/sdb");
	expect(lvm_argv_vgcreate("vg", devices), "vgcreate -- vg /dev/sdb /dev/sdc");
	expect(lvm_argv_vgextend("vg", devices), "vgextend -- vg /dev/sdb /dev/sdc");
	expect(lvm_argv_pvmove("/dev/sdb"), "pvmove --interval 1 -- /dev/sdb");
	expect(lvm_argv_vgreduce("vg", "/dev/sdb"), "vgreduce -- vg /dev/sdb");
	expect(lvm_argv_vgremove("vg"), "vgremove --force -- vg");
	expect(lvm_argv_pvremove("/dev/sdb"), "pvremove -- /dev/sdb");
	expect(lvm_argv_activate("vg", true), "vgchange --activate ly -- vg");
	expect(lvm_argv_activate("vg", false), "vgchange --activate ln -- vg");
	expect(lvm_argv_lvcreate("vg", "a", 4096, NULL),
	       "lvcreate --yes --wipesignatures y --zero y --name a --size 4096b -- vg");
	expect(lvm_argv_lvcreate("vg", "a", 4096, "pool"),
	       "lvcreate --yes --name a --virtualsize 4096b --thinpool pool -- vg");
	expect(lvm_argv_thin_pool("vg", "t", 4096),
	       "lvcreate --yes --type thin-pool --name t --size 4096b -- vg");
	expect(lvm_argv_snapshot("vg", "s", "a", 4096, NULL),
	       "lvcreate --snapshot --name s --size 4096b -- vg/a");
	expect(lvm_argv_snapshot("vg", "s", "a", 0, "t"),
	       "lvcreate --snapshot --name s --setactivationskip n --addtag t -- vg/a");
	expect(lvm_argv_merge("vg", "s"), "lvconvert --merge --interval 1 -- vg/s");
	expect(lvm_argv_lvresize("vg", "a", 8192, false), "lvresize --size 8192b -- vg/a");
	expect(lvm_argv_lvresize("vg", "a", 8192, true), "lvresize --force --size 8192b -- vg/a");
	expect(lvm_argv_lvremove("vg", "a"), "lvremove --force -- vg/a");
	expect(lvm_argv_lvremove_tagged("vg", "a", "t"),
	       "lvremove --force --select lv_name=\"a\" && lv_tags=\"t\" -- vg");
	expect(lvm_argv_lvrename("vg", "a", "b"), "lvrename -- vg a b");
	expect(lvm_argv_report_group("vg"), "vgs --noheadings --units b --nosuffix --separator | "
					    "--options vg_size,vg_free -- vg");
	expect(lvm_argv_report_place("/dev/vg/a"),
	       "lvs --noheadings --units b --nosuffix --separator | --options vg_name,lv_name -- "
	       "/dev/vg/a");
	expect(lvm_argv_report_groups(), "vgs --noheadings --units b --nosuffix --separator | "
					 "--options vg_name,pv_name --");
}

static void test_reports(void)
{
	static const char text[] = "  a|20971520|-wi-a-----|||| \n"
				   "  pool|104857600|twi-aotz--||||12.50\n"
				   "  thin|1073741824|Vwi-aotz--|base|1073741824|pool|25.00\n"
				   "nonsense\n  b|x|-wi-------||||\n  c|1|-||||\n"
				   "  off|4194304|-wi-------||||\n"
				   "  gone|4194304|swi-I-s---|a|20971520||100.00\n";
	g_autoptr(GPtrArray) volumes = lvm_parse_volumes(text);
	g_autoptr(GPtrArray) names = lvm_parse_names("  vg0 \n\n  vg1\n");
	g_autofree char *group_name = NULL, *name = NULL;
	const struct lvm_volume *volume;
	struct lvm_group group;

	g_assert_cmpuint(volumes->len, ==, 5);
	volume = volumes->pdata[4];
	g_assert_true(volume->lost && !volume->active && !volume->open);
	g_assert_cmpuint(volume->origin_size, ==, 20971520);
	volume = volumes->pdata[2];
	g_assert_cmpstr(volume->name, ==, "thin");
	g_assert_cmpstr(volume->origin, ==, "base");
	g_assert_cmpstr(volume->pool, ==, "pool");
	g_assert_true(volume->active && volume->open && !volume->lost && volume->kind == 'V');
	g_assert_cmpfloat(volume->data_percent, >, 24);
	volume = volumes->pdata[3];
	g_assert_true(!volume->active && !volume->origin && !volume->pool);
	g_assert_cmpuint(volume->size, ==, 4194304);
	g_assert_true(lvm_parse_group("  205520896|184549376\n", &group));
	g_assert_cmpuint(group.free, ==, 184549376);
	g_assert_false(lvm_parse_group("", &group));
	g_assert_false(lvm_parse_group("a|b", &group));
	g_assert_true(lvm_parse_pair("  vg| a \n", &group_name, &name));
	g_assert_cmpstr(group_name, ==, "vg");
	g_assert_cmpstr(name, ==, "a");
	g_assert_false(lvm_parse_pair("vg", &group_name, &name));
	g_assert_false(lvm_parse_pair("vg|", &group_name, &name));
	g_assert_cmpuint(names->len, ==, 2);
	g_assert_cmpstr(names->pdata[1], ==, "vg1");
}

static void test_mounts(void)
{
	static const char info[] =
		"22 1 8:1 / / rw - ext4 /dev/sda1 rw\n"
		"23 22 8:2 / /mnt/a\\040b rw - ext4 /dev/sda2 rw\nx\n"
		"24 23 0:49 / /mnt/a\\040b rw shared:2 master:1 - nfs4 h:/e\\040e rw\n"
		"25 22 8:3 / /mnt/c\n";
	autoptr(mount_entry) root = mounts_find("/", info);
	autoptr(mount_entry) nfs = mounts_find("/mnt//a b/", info);

	g_assert_cmpint(root->id, ==, 22);
	g_assert_cmpuint(root->major, ==, 8);
	g_assert_cmpuint(root->minor, ==, 1);
	g_assert_cmpstr(root->source, ==, "/dev/sda1");
	g_assert_cmpint(nfs->id, ==, 24);
	g_assert_cmpstr(nfs->source, ==, "h:/e e");
	g_assert_null(mounts_find("/mnt", info));
	g_assert_null(mounts_find("/mnt/c", info));
	expect(mounts_argv_mount("nfs", "nosuid", "h:/e", "/mnt"),
	       "mount -t nfs -o nosuid -- h:/e /mnt");
	expect(mounts_argv_mount(NULL, "nosuid", "/dev/sdb", "/mnt"),
	       "mount -o nosuid -- /dev/sdb /mnt");
	expect(mounts_argv_umount("/mnt", false), "umount -- /mnt");
	expect(mounts_argv_umount("/mnt", true), "umount --force -- /mnt");
	expect(mounts_argv_mkfs("ext4", "/dev/sdb", true), "mkfs.ext4 -q -F -- /dev/sdb");
	g_assert_null(mounts_argv_mkfs("-x", "/dev/sdb", false));
}

static void test_partitions(void)
{
	static const char dump[] =
		"label: gpt\ndevice: /dev/sdb\nunit: sectors\n\n"
		"/dev/sdb1 : start=        2048, size=       40960, type=0FC63DAF\n"
		"/dev/sdb2 : start=       43008, size=       61440, type=0FC63DAF\n";
	g_autoptr(GPtrArray) list = partitions_parse(dump);
	const struct partition *partition = list->pdata[1];
	g_autofree char *line = partitions_input_size(1000);

	g_assert_cmpuint(list->len, ==, 2);
	g_assert_cmpstr(partition->path, ==, "/dev/sdb2");
	g_assert_cmpuint(partition->size, ==, 61440 * 512);
	g_assert_cmpstr(line, ==, "size=2\n");
	g_assert_cmpuint(partitions_number("/dev/sdb", "sdb12"), ==, 12);
	g_assert_cmpuint(partitions_number("/dev/nvme0n1", "nvme0n1p3"), ==, 3);
	g_assert_cmpuint(partitions_number("/dev/nvme0n1", "nvme0n13"), ==, 0);
	g_assert_cmpuint(partitions_number("/dev/sdb", "sdc1"), ==, 0);
	g_assert_cmpuint(partitions_number("/dev/sdb", "sdb"), ==, 0);
	g_assert_cmpuint(partitions_number("/dev/sdb", "sdb1/../x"), ==, 0);
	g_assert_cmpuint(partitions_number("/dev/sdb", "sdb99999999999999999999"), ==, 0);
	expect(partitions_argv_delete("/dev/sdb", 2),
	       "sfdisk --quiet --no-reread --no-tell-kernel --delete -- /dev/sdb 2");
	expect(partitions_argv_resize("/dev/sdb", 2),
	       "sfdisk --quiet --no-reread --no-tell-kernel --partno 2 -- /dev/sdb");
	expect(partitions_argv_update("/dev/sdb"), "partx --update -- /dev/sdb");
	expect(partitions_argv_forget("/dev/sdb", 2), "partx --delete --nr 2 -- /dev/sdb");
}

static void test_run(void)
{
	static const char *const cat[] = { "cat", NULL };
	static const char *const echo[] = { "echo", "a b; $(id) `id` > x", NULL };
	static const char *const wrong[] = { "cat", "/no/such/file", NULL };
	static const char *const none[] = { "socle-no-such-program", NULL };
	g_autofree char *output = NULL, *said = NULL;
	g_autoptr(GError) error = NULL;

	g_assert_true(host_tool_run(cat, "in and out\n", &output, &error));
	g_assert_cmpstr(output, ==, "in and out\n");
	g_assert_true(host_tool_run(echo, NULL, &said, &error));
	g_assert_cmpstr(said, ==, "a b; $(id) `id` > x\n");
	g_assert_false(host_tool_run(wrong, NULL, NULL, &error));
	g_assert_true(g_str_has_prefix(error->message, "cat has failed: ") &&
		      g_str_has_suffix(error->message, "/no/such/file: No such file or directory"));
	g_clear_error(&error);
	g_assert_false(host_tool_run(none, NULL, NULL, &error));
	g_assert_error(error, SOCLE_ERROR, SOCLE_ERROR_UNSUPPORTED);
	g_clear_error(&error);
	g_assert_false(host_tool_find("socle-no-such-program", "nothing", &error));
	g_assert_cmpstr(
		error->message, ==,
		"the program 'socle-no-such-program' is missing; install the package nothing");
}

/* What does not end is ended, with what it has started. */
static void test_within(void)
{
	static const char *const quick[] = { "true", NULL };
	static const char *const hangs[] = { "sh", "-c", "sleep 1000 & wait", NULL };
	g_autoptr(GError) error = NULL;
	bool late = true;

	g_assert_true(host_tool_run_within(quick, 60000, &late, &error));
	g_assert_false(late);
	g_assert_false(host_tool_run_within(hangs, 50, &late, &error));
	g_assert_true(late);
	g_assert_true(g_str_has_prefix(error->message, "sh was not done within"));
}

/* Threads have signals blocked; what they run has not. */
static void test_signals(void)
{
	static const char *const status[] = { "grep", "SigBlk", "/proc/self/status", NULL };
	g_autofree char *output = NULL;
	sigset_t all, old;

	(void)sigfillset(&all);
	g_assert_cmpint(pthread_sigmask(SIG_SETMASK, &all, &old), ==, 0);
	g_assert_true(host_tool_run(status, NULL, &output, NULL));
	g_assert_cmpint(pthread_sigmask(SIG_SETMASK, &old, NULL), ==, 0);
	g_assert_cmpstr(output, ==, "SigBlk:\t0000000000000000\n");
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/host/lvm/arguments", test_lvm);
	g_test_add_func("/host/lvm/reports", test_reports);
	g_test_add_func("/host/lvm/mounts", test_mounts);
	g_test_add_func("/host/lvm/within", test_within);
	g_test_add_func("/host/lvm/partitions", test_partitions);
	g_test_add_func("/host/lvm/run", test_run);
	g_test_add_func("/host/lvm/signals", test_signals);
	return g_test_run();
}
