/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-process.c - what the kernel tells of a process and its threads
 */
#include "host/process.h"

#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/sys.h"
#include "host/cpumap.h"
#include "tree.h"

/* utime 100, stime 50, 3 threads, started at 4242, 1000 pages, last on CPU 6. */
#define STAT_TAIL                                                                                 \
	" S 1 7 7 0 -1 4194560 10 0 0 0 100 50 0 0 20 0 3 0 4242 9999 1000 18446744073709551615 " \
	"1 1 0 0 0 0 0 0 0 0 0 0 17 6 0 0 0 0 0\n"

static void test_stat(void)
{
	autoptr(tree) tree = tree_new();
	struct host_process process;
	struct host_thread thread;

	tree_put(tree, "/proc/7/stat", "7 (a) b ( c)" STAT_TAIL);
	g_assert_cmpint(host_process(tree->root, 7, &process), ==, 0);
	g_assert_cmpint(process.state, ==, 'S');
	g_assert_cmpuint(process.start, ==, 4242);
	g_assert_cmpuint(process.user_ns, ==, 1000000000);
	g_assert_cmpuint(process.system_ns, ==, 500000000);
	g_assert_cmpuint(process.rss_kib, ==, 4000);
	g_assert_cmpuint(process.threads, ==, 3);
	g_assert_cmpint(host_process(tree->root, 8, &process), ==, -ESRCH);

	tree_put(tree, "/proc/7/task/7/stat", "7 (main)" STAT_TAIL);
	tree_put(tree, "/proc/7/task/7/comm", "main\n");
	tree_put(tree, "/proc/7/task/9/stat", "9 (vcpu0)" STAT_TAIL);
	tree_put(tree, "/proc/7/task/9/comm", "vcpu0\n");
	tree_put(tree, "/proc/7/task/9/schedstat", "12345 678 9\n");
	tree_dir(tree, "/proc/7/task/x");
	tree_dir(tree, "/proc/7/task/10"); /* has just ended */
	g_assert_cmpint(host_thread_named(tree->root, 7, "vcpu0"), ==, 9);
	g_assert_cmpint(host_thread_named(tree->root, 7, "vcpu"), ==, -ESRCH);
	g_assert_cmpint(host_thread(tree->root, 7, 9, &thread), ==, 0);
	g_assert_cmpstr(thread.name, ==, "vcpu0");
	g_assert_cmpuint(thread.run_ns, ==, 12345);
	g_assert_cmpuint(thread.wait_ns, ==, 678);
	g_assert_cmpint(thread.cpu, ==, 6);
}

static void test_nonsense(void)
{
	static const char *const texts[] = {
		"",   "7", "7 (a", "7 (a)", "7 a) (S", "7 (a) S x", "7 (a) S 1 2 3 4 5 6 7 8 9 -",
		")(",
	};
	autoptr(tree) tree = tree_new();
	struct host_process process;

	for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
		tree_put(tree, "/proc/7/stat", texts[i]);
		(void)host_process(tree->root, 7, &process);
	}
	tree_put(tree, "/proc/7/stat", "7 (a) S 1 2 3");
	g_assert_cmpint(host_process(tree->root, 7, &process), ==, 0);
	g_assert_cmpuint(process.start, ==, 1);
}

static void test_child(void)
{
	struct host_process process;
	autofd int pidfd = -1;
	pid_t child = fork();
	int status;

	g_assert_cmpint(child, >=, 0);
	if (child == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			(void)pause();
	}
	g_assert_cmpint(host_process("", child, &process), ==, 0);
	g_assert_cmpint(host_process_open("", child, process.start + 1), ==, -ESRCH);
	pidfd = host_process_open("", child, process.start);
	g_assert_cmpint(pidfd, >=, 0);
	g_assert_false(host_process_ended(pidfd));
	g_assert_cmpint(sys_pidfd_signal(pidfd, SIGKILL), ==, 0);
	g_assert_cmpint(waitpid(child, &status, 0), ==, child);
	g_assert_true(host_process_ended(pidfd));
	g_assert_cmpint(host_process_open("", child, process.start), ==, -ESRCH);
	g_assert_cmpint(host_process_open("", 0, 0), ==, -ESRCH);
}

static void test_pin(void)
{
	g_autofree struct host_cpumap *all = g_new0(struct host_cpumap, 1);
	g_autofree struct host_cpumap *one = g_new0(struct host_cpumap, 1);
	g_autofree struct host_cpumap *now = g_new0(struct host_cpumap, 1);
	const pid_t self = getpid();
	unsigned cpu = 0;

	g_assert_cmpint(sys_get_affinity(0, all->bits, sizeof(all->bits)), ==, 0);
	while (!host_cpumap_has(all, cpu))
		cpu++;
	host_cpumap_add(one, cpu);
	g_assert_cmpint(host_pin_thread(self, one->bits, cpu / 8 + 1), ==, 0);
	g_assert_cmpint(sys_get_affinity(self, now->bits, sizeof(now->bits)), ==, 0);
	g_assert_cmpmem(now->bits, sizeof(now->bits), one->bits, sizeof(one->bits));
	g_assert_cmpint(host_pin_thread(self, all->bits, sizeof(all->bits)), ==, 0);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/host/process/stat", test_stat);
	g_test_add_func("/host/process/nonsense", test_nonsense);
	g_test_add_func("/host/process/child", test_child);
	g_test_add_func("/host/process/pin", test_pin);
	return g_test_run();
}
