/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-cgroup.c - groups of machines in trees of files; what a kernel would put there, the test does
 */
#include "host/cgroup.h"

#include <errno.h>

#include "base/error.h"
#include "base/sys.h"
#include "tree.h"

#define UUID  "6695eb01-f6a4-8304-79aa-97f2502e193f"
#define GROUP "web%2f1-" UUID

static const char mount_v2[] = "25 1 0:22 / /cg rw shared:4 - cgroup2 cgroup2 rw,nsdelegate\n";

static void put_all(const struct tree *tree, const char *dir, const char *const *files)
{
	for (unsigned i = 0; files[i]; i++) {
		g_autofree char *path = g_build_filename(dir, files[i], NULL);

		tree_put(tree, path, "");
	}
}

static const char *const v2_files[] = {
	"cgroup.procs", "cgroup.subtree_control",
	"cpu.weight",   "cpu.max",
	"cpuset.cpus",  "memory.max",
	"memory.high",  "memory.swap.max",
	"io.weight",    "io.max",
	NULL,
};

/* We are in /sys.slice/socled.service, which is ours. */
static struct tree *unified(const char *controllers)
{
	struct tree *tree = tree_new();

	tree_put(tree, "/proc/self/mountinfo", mount_v2);
	tree_put(tree, "/proc/self/cgroup", "0::/sys.slice/socled.service\n");
	tree_put(tree, "/cg/sys.slice/socled.service/cgroup.controllers", controllers);
	put_all(tree, "/cg/sys.slice/socled.service", v2_files);
	put_all(tree, "/cg/sys.slice/socled.service/socle", v2_files);
	put_all(tree, "/cg/sys.slice/socled.service/socle/" GROUP, v2_files);
	put_all(tree, "/cg/sys.slice/socled.service/socle-daemon", v2_files);
	return tree;
}

#define IN "/cg/sys.slice/socled.service/socle/" GROUP "/"

static void test_unified(void)
{
	static const struct host_io_limits io = { .read_bytes = 1000, .write_ops = 7 };
	static const struct host_memory_limits limits = { 2048, 1024, 3072 }, none = { 0 };
	static const struct host_memory_limits no_swap = { 2048, 0, 2048 };
	autoptr(tree) tree = unified("cpuset cpu io memory pids\n");
	autoptr(host_cgroups) groups = host_cgroups_new(tree->root, NULL);
	autoptr(host_cgroup) group = host_cgroup_new(groups, "web/1", UUID, 0, NULL);

	g_assert_nonnull(group);
	g_assert_null(host_cgroups_missing(groups));
	tree_assert(tree, "/cg/sys.slice/socled.service/cgroup.subtree_control", "+io");
	tree_assert(tree, "/cg/sys.slice/socled.service/socle/cgroup.subtree_control", "+io");
	/* At the top of the hierarchy nobody has to go. */
	tree_assert(tree, "/cg/sys.slice/socled.service/socle-daemon/cgroup.procs", "");
	/* Taken away, being empty, by a daemon before open, and by the next one between open and write. */
	sys_fail_nth(SYS_OPEN, 1, ENOENT);
	sys_fail_nth(SYS_WRITE, 1, ENODEV);
	g_assert_true(host_cgroup_add(group, 4711, NULL));
	g_assert_cmpuint(sys_fail_pending(SYS_OPEN) + sys_fail_pending(SYS_WRITE), ==, 0);
	tree_assert(tree, IN "cgroup.procs", "4711");

	g_assert_true(host_cgroup_set_shares(group, 300, NULL));
	tree_assert(tree, IN "cpu.weight", "300");
	g_assert_true(host_cgroup_set_shares(group, 262144, NULL));
	tree_assert(tree, IN "cpu.weight", "10000");
	g_assert_true(host_cgroup_set_quota(group, 100000, 50000, NULL));
	tree_assert(tree, IN "cpu.max", "50000 100000");
	g_assert_true(host_cgroup_set_quota(group, 100000, -1, NULL));
	tree_assert(tree, IN "cpu.max", "max 100000");
	g_assert_true(host_cgroup_set_cpus(group, "0-2,4", NULL));
	tree_assert(tree, IN "cpuset.cpus", "0-2,4\n");

	g_assert_true(host_cgroup_set_memory(group, &limits, NULL));
	tree_assert(tree, IN "memory.max", "2097152");
	tree_assert(tree, IN "memory.high", "1048576");
	tree_assert(tree, IN "memory.swap.max", "1048576");
	g_assert_true(host_cgroup_set_memory(group, &no_swap, NULL));
	tree_assert(tree, IN "memory.swap.max", "0");
	g_assert_true(host_cgroup_set_memory(group, &none, NULL));
	tree_assert(tree, IN "memory.max", "max");
	tree_assert(tree, IN "memory.high", "max");
	tree_assert(tree, IN "memory.swap.max", "max");

	g_assert_true(host_cgroup_set_io_weight(group, 500, NULL));
	tree_assert(tree, IN "io.weight", "default 500");
	g_assert_true(host_cgroup_set_device_weight(group, 8, 16, 200, NULL));
	tree_assert(tree, IN "io.weight", "8:16 200");
	g_assert_true(host_cgroup_set_io_limits(group, 8, 0, &io, NULL));
	tree_assert(tree, IN "io.max", "8:0 rbps=1000 wbps=max riops=max wiops=7");
}

static void test_stats(void)
{
	autoptr(tree) tree = unified("cpuset cpu io memory\n");
	autoptr(host_cgroups) groups = host_cgroups_new(tree->root, NULL);
	autoptr(host_cgroup) group = host_cgroup_new(groups, "web/1", UUID, 0, NULL);
	struct host_cgroup_cpu cpu;
	struct host_cgroup_io io;
	uint64_t kib;

	g_assert_false(host_cgroup_cpu(group, &cpu));
	g_assert_false(host_cgroup_memory(group, &kib));
	g_assert_false(host_cgroup_io(group, &io));
	tree_put(tree, IN "cpu.stat",
		 "usage_usec 5000\nuser_usec 3000\nsystem_usec 2000\nnr_periods 4\n"
		 "nr_throttled 2\nthrottled_usec 70\n");
	tree_put(tree, IN "memory.current", "4194304\n");
	tree_put(tree, IN "io.stat",
		 "8:0 rbytes=10 wbytes=20 rios=1 wios=2 dbytes=5 dios=5\n8:16 rbytes=1 "
		 "rios=1\n9:0\n");
	g_assert_true(host_cgroup_cpu(group, &cpu));
	g_assert_cmpuint(cpu.total_ns, ==, 5000000);
	g_assert_cmpuint(cpu.user_ns, ==, 3000000);
	g_assert_cmpuint(cpu.throttled_ns, ==, 70000);
	g_assert_cmpuint(cpu.throttled_periods, ==, 2);
	g_assert_true(host_cgroup_memory(group, &kib));
	g_assert_cmpuint(kib, ==, 4096);
	g_assert_true(host_cgroup_io(group, &io));
	g_assert_cmpuint(io.read_bytes, ==, 11);
	g_assert_cmpuint(io.write_bytes, ==, 20);
	g_assert_cmpuint(io.read_ops, ==, 2);
	g_assert_cmpuint(io.write_ops, ==, 2);
}

/* While we are in the group that hands on controllers, machines could have no groups there. */
static void test_steps_aside(void)
{
	autoptr(tree) tree = unified("cpu\n");
	g_autofree char *self = g_strdup_printf("%d", getpid());
	g_autofree char *line = g_strdup_printf("%d\n", getpid());
	autoptr(host_cgroups) groups = NULL;

	tree_put(tree, "/cg/sys.slice/socled.service/cgroup.type", "domain\n");
	tree_put(tree, "/cg/sys.slice/socled.service/cgroup.procs", line);
	groups = host_cgroups_new(tree->root, NULL);
	tree_assert(tree, "/cg/sys.slice/socled.service/socle-daemon/cgroup.procs", self);
	tree_assert(tree, "/cg/sys.slice/socled.service/cgroup.subtree_control", "+cpu");
	g_assert_true(host_cgroups_have(groups, HOST_CPU));
	g_assert_true(host_cgroups_have(groups, HOST_CPUACCT));
	g_assert_false(host_cgroups_have(groups, HOST_MEMORY));
	g_assert_cmpstr(host_cgroups_missing(groups), ==,
			"machines run without limits by cpuset, memory, io: this host does not "
			"hand these controllers on to us; start the daemon with Delegate=yes");
}

/* Others are there, who do not go away: nothing is changed, not even for them. */
static void test_others(void)
{
	autoptr(tree) tree = unified("cpu memory\n");
	autoptr(host_cgroups) groups = NULL;

	tree_put(tree, "/cg/sys.slice/socled.service/cgroup.type", "domain\n");
	tree_put(tree, "/cg/sys.slice/socled.service/cgroup.procs", "1\n");
	groups = host_cgroups_new(tree->root, NULL);
	tree_assert(tree, "/cg/sys.slice/socled.service/socle-daemon/cgroup.procs", "");
	tree_assert(tree, "/cg/sys.slice/socled.service/cgroup.subtree_control", "");
	g_assert_false(host_cgroups_have(groups, HOST_CPU));
	g_assert_false(host_cgroups_have(groups, HOST_CPUACCT));
	g_assert_nonnull(strstr(host_cgroups_missing(groups), "Device or resource busy"));
}

/* The next daemon is started where the first has gone, or elsewhere; machines are where they were. */
static void test_restart(void)
{
	autoptr(tree) tree = unified("cpu memory\n");
	autoptr(host_cgroups) groups = NULL;
	autoptr(host_cgroups) elsewhere = NULL;
	autoptr(host_cgroup) group = NULL;
	autoptr(host_cgroup) left = NULL;

	tree_put(tree, "/proc/self/cgroup", "0::/sys.slice/socled.service/socle-daemon\n");
	groups = host_cgroups_new(tree->root, NULL);
	group = host_cgroup_new(groups, "web/1", UUID, 0, NULL);
	g_assert_true(host_cgroup_add(group, 1, NULL));
	tree_assert(tree, IN "cgroup.procs", "1");

	tree_put(tree, "/proc/self/cgroup", "0::/user.slice\n");
	tree_put(tree, "/proc/77/cgroup", "0::/sys.slice/socled.service/socle/" GROUP "\n");
	tree_put(tree, "/cg/user.slice/cgroup.controllers", "cpu memory\n");
	put_all(tree, "/cg/user.slice", v2_files);
	put_all(tree, "/cg/user.slice/socle", v2_files);
	elsewhere = host_cgroups_new(tree->root, NULL);
	left = host_cgroup_new(elsewhere, "web/1", UUID, 77, NULL);
	g_assert_true(host_cgroup_add(left, 2, NULL));
	tree_assert(tree, IN "cgroup.procs", "2");
	g_clear_pointer(&left, host_cgroup_free);
	/* It is another machine's. */
	left = host_cgroup_new(elsewhere, "mail", UUID, 77, NULL);
	g_assert_false(host_cgroup_add(left, 3, NULL));
	tree_assert(tree, IN "cgroup.procs", "2");
}

static void test_parent(void)
{
	autoptr(tree) tree = unified("cpu\n");
	autoptr(host_cgroups) groups = NULL;
	autoptr(host_cgroup) group = NULL;

	tree_put(tree, "/cg/machines/cgroup.controllers", "cpu memory\n");
	put_all(tree, "/cg/machines", v2_files);
	put_all(tree, "/cg/machines/socle", v2_files);
	put_all(tree, "/cg/machines/socle/" GROUP, v2_files);
	groups = host_cgroups_new(tree->root, "/machines");
	g_assert_true(host_cgroups_have(groups, HOST_MEMORY));
	group = host_cgroup_new(groups, "web/1", UUID, 0, NULL);
	g_assert_true(host_cgroup_set_shares(group, 50, NULL));
	tree_assert(tree, "/cg/machines/socle/" GROUP "/cpu.weight", "50");
	tree_assert(tree, "/cg/sys.slice/socled.service/cgroup.subtree_control", "");
}

/* The unit of a systemd that could not start us there again; who may not go up stays. */
static void test_top(void)
{
	autoptr(tree) tree = unified("cpu\n");
	autoptr(host_cgroups) groups = NULL;
	autoptr(host_cgroup) group = NULL;

	tree_put(tree, "/cg/cgroup.controllers", "cpu\n");
	put_all(tree, "/cg", v2_files);
	put_all(tree, "/cg/socle", v2_files);
	put_all(tree, "/cg/socle/" GROUP, v2_files);
	groups = host_cgroups_new(tree->root, NULL);
	group = host_cgroup_new(groups, "web/1", UUID, 0, NULL);
	g_assert_true(host_cgroup_add(group, 5, NULL));
	tree_assert(tree, "/cg/socle/" GROUP "/cgroup.procs", "5");
	tree_assert(tree, "/cg/cgroup.subtree_control", "+cpu");
	tree_assert(tree, "/cg/sys.slice/socled.service/cgroup.subtree_control", "");
	tree_assert(tree, "/cg/sys.slice/socled.service/cgroup.procs", "");
}

static const char *const v1_cpu[] = {
	"cgroup.procs", "cpu.shares", "cpu.cfs_period_us", "cpu.cfs_quota_us", NULL,
};
static const char *const v1_cpuset[] = { "cgroup.procs", "cpuset.cpus", "cpuset.mems", NULL };
static const char *const v1_memory[] = {
	"cgroup.procs",
	"memory.limit_in_bytes",
	"memory.soft_limit_in_bytes",
	"memory.memsw.limit_in_bytes",
	NULL,
};
static const char *const v1_blkio[] = {
	"cgroup.procs",
	"blkio.bfq.weight",
	"blkio.throttle.read_bps_device",
	"blkio.throttle.write_bps_device",
	"blkio.throttle.read_iops_device",
	"blkio.throttle.write_iops_device",
	NULL,
};

/* Hierarchies of their own; a container sees a part of one. The unified one has nothing to offer. */
static void test_old(void)
{
	static const struct host_io_limits io = { .write_bytes = 5 };
	static const struct host_memory_limits limits = { 2048, 1024, 3072 };
	autoptr(tree) tree = tree_new();
	autoptr(host_cgroups) groups = NULL;
	autoptr(host_cgroup) group = NULL;
	struct host_cgroup_cpu cpu;
	struct host_cgroup_io used;
	uint64_t kib;

	tree_put(tree, "/proc/self/mountinfo",
		 "31 30 0:28 / /cg/cpu rw - cgroup cgroup rw,cpu,cpuacct\n"
		 "33 30 0:30 / /cg/cpuset rw - cgroup cgroup rw,cpuset\n"
		 "34 30 0:31 /docker/1b /cg/my\\040memory rw - cgroup cgroup rw,memory\n"
		 "37 30 0:34 / /cg/blkio rw - cgroup cgroup rw,blkio\n"
		 "39 30 0:36 / /cg/systemd rw - cgroup cgroup rw,name=systemd\n"
		 "40 30 0:37 / /cg/unified rw - cgroup2 cgroup2 rw\n");
	tree_put(tree, "/proc/self/cgroup",
		 "9:name=systemd:/\n4:memory:/docker/1b\n7:blkio:/\n3:cpuset:/a\n1:cpu,cpuacct:/a\n"
		 "0::/\n");
	tree_put(tree, "/cg/unified/cgroup.controllers", "");
	put_all(tree, "/cg/cpu/a/socle/" GROUP, v1_cpu);
	put_all(tree, "/cg/cpuset/a/socle/" GROUP, v1_cpuset);
	put_all(tree, "/cg/cpuset/a/socle", v1_cpuset);
	tree_put(tree, "/cg/cpuset/a/cpuset.cpus", "0-3\n");
	tree_put(tree, "/cg/cpuset/a/cpuset.mems", "0\n");
	put_all(tree, "/cg/my memory/socle/" GROUP, v1_memory);
	put_all(tree, "/cg/blkio/socle/" GROUP, v1_blkio);

	groups = host_cgroups_new(tree->root, NULL);
	g_assert_null(host_cgroups_missing(groups));
	group = host_cgroup_new(groups, "web/1", UUID, 0, NULL);
	tree_assert(tree, "/cg/cpuset/a/socle/cpuset.cpus", "0-3");
	tree_assert(tree, "/cg/cpuset/a/socle/" GROUP "/cpuset.mems", "0");
	g_assert_true(host_cgroup_add(group, 12, NULL));
	tree_assert(tree, "/cg/my memory/socle/" GROUP "/cgroup.procs", "12");
	tree_assert(tree, "/cg/cpu/a/socle/" GROUP "/cgroup.procs", "12");

	g_assert_true(host_cgroup_set_shares(group, 1, NULL));
	tree_assert(tree, "/cg/cpu/a/socle/" GROUP "/cpu.shares", "2");
	g_assert_true(host_cgroup_set_quota(group, 50000, 25000, NULL));
	tree_assert(tree, "/cg/cpu/a/socle/" GROUP "/cpu.cfs_quota_us", "25000");
	tree_assert(tree, "/cg/cpu/a/socle/" GROUP "/cpu.cfs_period_us", "50000");
	g_assert_true(host_cgroup_set_cpus(group, "1", NULL));
	tree_assert(tree, "/cg/cpuset/a/socle/" GROUP "/cpuset.cpus", "1\n");
	g_assert_true(host_cgroup_set_cpus(group, "", NULL));
	tree_assert(tree, "/cg/cpuset/a/socle/" GROUP "/cpuset.cpus", "0-3\n");
	g_assert_true(host_cgroup_set_memory(group, &limits, NULL));
	tree_assert(tree, "/cg/my memory/socle/" GROUP "/memory.limit_in_bytes", "2097152");
	tree_assert(tree, "/cg/my memory/socle/" GROUP "/memory.memsw.limit_in_bytes", "3145728");
	g_assert_true(host_cgroup_set_io_weight(group, 5, NULL));
	tree_assert(tree, "/cg/blkio/socle/" GROUP "/blkio.bfq.weight", "10");
	g_assert_true(host_cgroup_set_io_limits(group, 8, 0, &io, NULL));
	tree_assert(tree, "/cg/blkio/socle/" GROUP "/blkio.throttle.write_bps_device", "8:0 5");
	tree_assert(tree, "/cg/blkio/socle/" GROUP "/blkio.throttle.read_bps_device", "8:0 0");

	tree_put(tree, "/cg/cpu/a/socle/" GROUP "/cpuacct.usage", "777\n");
	tree_put(tree, "/cg/cpu/a/socle/" GROUP "/cpuacct.stat", "user 3\nsystem 4\n");
	tree_put(tree, "/cg/cpu/a/socle/" GROUP "/cpu.stat", "nr_throttled 2\nthrottled_time 9\n");
	g_assert_true(host_cgroup_cpu(group, &cpu));
	g_assert_cmpuint(cpu.total_ns, ==, 777);
	g_assert_cmpuint(cpu.user_ns, ==, 30000000);
	g_assert_cmpuint(cpu.throttled_ns, ==, 9);
	tree_put(tree, "/cg/my memory/socle/" GROUP "/memory.usage_in_bytes", "8192\n");
	g_assert_true(host_cgroup_memory(group, &kib));
	g_assert_cmpuint(kib, ==, 8);
	tree_put(tree, "/cg/blkio/socle/" GROUP "/blkio.throttle.io_service_bytes",
		 "8:0 Read 5\n8:0 Write 6\n8:0 Total 11\n8:16 Read 1\nTotal 12\n");
	g_assert_true(host_cgroup_io(group, &used));
	g_assert_cmpuint(used.read_bytes, ==, 6);
	g_assert_cmpuint(used.write_bytes, ==, 6);
}

static void test_none(void)
{
	autoptr(tree) tree = tree_new();
	autoptr(host_cgroups) groups = host_cgroups_new(tree->root, NULL);
	autoptr(host_cgroup) group = host_cgroup_new(groups, "a", UUID, 1, NULL);
	g_autoptr(GError) error = NULL;
	struct host_cgroup_cpu cpu;

	g_assert_nonnull(group);
	g_assert_cmpstr(host_cgroups_missing(groups), ==,
			"machines run without limits: no control groups are mounted; mount cgroup2 "
			"at /sys/fs/cgroup");
	g_assert_true(host_cgroup_add(group, 1, NULL));
	g_assert_false(host_cgroup_cpu(group, &cpu));
	g_assert_false(host_cgroup_set_shares(group, 100, &error));
	g_assert_error(error, SOCLE_ERROR, SOCLE_ERROR_UNSUPPORTED);
	g_assert_nonnull(strstr(error->message, "mount cgroup2"));
	g_assert_true(host_cgroup_remove(group, NULL));
}

static void test_denied(void)
{
	autoptr(tree) tree = unified("cpu\n");
	autoptr(host_cgroups) groups = NULL;

	sys_fail_nth(SYS_MKDIR, 1, EACCES);
	groups = host_cgroups_new(tree->root, NULL);
	g_assert_false(host_cgroups_have(groups, HOST_CPU));
	g_assert_nonnull(
		strstr(host_cgroups_missing(groups), "Permission denied; start the daemon"));
}

static void test_remove(void)
{
	autoptr(tree) tree = unified("cpu\n");
	autoptr(host_cgroups) groups = host_cgroups_new(tree->root, NULL);
	autoptr(host_cgroup) group = NULL;
	g_autoptr(GError) error = NULL;
	g_autofree char *dir = tree_path(tree, IN);

	tree_remove(dir);
	group = host_cgroup_new(groups, "web/1", UUID, 0, NULL);
	g_assert_true(g_file_test(dir, G_FILE_TEST_IS_DIR));
	sys_fail_nth(SYS_RMDIR, 1, EBUSY);
	g_assert_false(host_cgroup_remove(group, &error));
	g_assert_error(error, SOCLE_ERROR, SOCLE_ERROR_BUSY);
	g_assert_true(host_cgroup_remove(group, NULL));
	g_assert_false(g_file_test(dir, G_FILE_TEST_EXISTS));
	g_assert_true(host_cgroup_remove(group, NULL));
}

/* What machines have left that nobody ended; the kernel refuses to remove others. */
static void test_sweep(void)
{
	autoptr(tree) tree = unified("cpu\n");
	autoptr(host_cgroups) groups = host_cgroups_new(tree->root, NULL);
	autoptr(host_cgroup) group = host_cgroup_new(groups, "left", UUID, 0, NULL);
	autoptr(host_cgroup) busy = host_cgroup_new(groups, "web/1", UUID, 0, NULL);
	g_autofree char *in = tree_path(tree, IN), *above = g_path_get_dirname(in);
	g_autofree char *left = g_build_filename(above, "left-" UUID, NULL);
	g_autofree char *other =
		g_build_filename(above, "other-things-of-thirty-six-letters-and-more", NULL);

	g_assert_nonnull(group);
	g_assert_nonnull(busy);
	g_assert_cmpint(g_mkdir(other, 0755), ==, 0);
	host_cgroups_sweep(groups);
	g_assert_false(g_file_test(left, G_FILE_TEST_EXISTS));
	g_assert_true(g_file_test(in, G_FILE_TEST_IS_DIR));
	g_assert_true(g_file_test(other, G_FILE_TEST_IS_DIR));
}

static void test_names(void)
{
	g_autofree char *long_name = g_strnfill(1000, '/');
	g_autofree char *plain = host_cgroup_name("Web-1_a.b", UUID);
	g_autofree char *odd = host_cgroup_name("../\n\xc3\xa4 %", UUID);
	g_autofree char *cut = host_cgroup_name(long_name, UUID);

	g_assert_cmpstr(plain, ==, "Web-1_a.b-" UUID);
	g_assert_cmpstr(odd, ==, "%2e.%2f%0a%c3%a4%20%25-" UUID);
	g_assert_cmpuint(strlen(cut), ==, 120 + 37);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/host/cgroup/unified", test_unified);
	g_test_add_func("/host/cgroup/stats", test_stats);
	g_test_add_func("/host/cgroup/steps-aside", test_steps_aside);
	g_test_add_func("/host/cgroup/others", test_others);
	g_test_add_func("/host/cgroup/restart", test_restart);
	g_test_add_func("/host/cgroup/parent", test_parent);
	g_test_add_func("/host/cgroup/top", test_top);
	g_test_add_func("/host/cgroup/old", test_old);
	g_test_add_func("/host/cgroup/none", test_none);
	g_test_add_func("/host/cgroup/denied", test_denied);
	g_test_add_func("/host/cgroup/remove", test_remove);
	g_test_add_func("/host/cgroup/sweep", test_sweep);
	g_test_add_func("/host/cgroup/names", test_names);
	return g_test_run();
}
