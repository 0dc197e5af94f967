/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-doctor.c - what is said of hosts that have all, and of those that lack something
 */
#include "host/doctor.h"

#include <errno.h>

#include "base/sys.h"
#include "tree.h"

static const struct host_check *find(const struct host_doctor *doctor, const char *what)
{
	for (unsigned i = 0; i < doctor->count; i++) {
		if (!strcmp(doctor->checks[i].what, what))
			return &doctor->checks[i];
	}
	g_error("nothing is said of '%s'", what);
}

/* @found and @remedy: words in it; no remedy: NULL. */
static void assert_check(const struct host_doctor *doctor, const char *what,
			 enum host_verdict verdict, const char *found, const char *remedy)
{
	const struct host_check *check = find(doctor, what);

	if (check->verdict != verdict || !strstr(check->found, found) ||
	    !check->remedy != !remedy || (remedy && !strstr(check->remedy, remedy)))
		g_error("%s: %d, '%s', '%s'", what, check->verdict, check->found,
			check->remedy ? check->remedy : "(none)");
	g_assert_cmpint(doctor->worst, >=, verdict);
}

static void test_all(void)
{
	autoptr(tree) tree = tree_new();
	struct host_doctor_config config = { tree->root, "/var/lib/socle", "socle" };
	autoptr(host_doctor) doctor = NULL;

	tree_put(tree, "/proc/cpuinfo", "model name : Fast\nflags : vmx\n");
	tree_put(tree, "/proc/meminfo",
		 "MemTotal: 2048000 kB\nMemFree: 1 kB\nMemAvailable: 1024000 kB\n");
	tree_put(tree, "/proc/self/mountinfo", "25 1 0:22 / /cg rw - cgroup2 cgroup2 rw\n");
	tree_put(tree, "/cg/cgroup.controllers", "cpuset cpu io memory pids\n");
	tree_put(tree, "/dev/kvm", "");
	tree_put(tree, "/dev/net/tun", "");
	tree_put(tree, "/usr/share/seabios/bios-256k.bin", "");
	tree_put(tree, "/usr/share/OVMF/OVMF_CODE.fd", "");
	tree_put(tree, "/etc/passwd", "root:x:0\nsocle2:x:1\nsocle:x:2\n");
	tree_dir(tree, "/var/lib/socle");
	doctor = host_doctor_new(&config);
	assert_check(doctor, "CPU", HOST_OK, "1 of Fast", NULL);
	assert_check(doctor, "KVM", HOST_OK, "can be used", NULL);
	assert_check(doctor, "software engine", HOST_OK, "always", NULL);
	assert_check(doctor, "memory", HOST_OK, "1000 MiB of 2000 are free", NULL);
	assert_check(doctor, "control groups", HOST_OK, "cpu, cpuset, memory, io, by the unified",
		     NULL);
	assert_check(doctor, "taps", HOST_OK, "can be used", NULL);
	assert_check(doctor, "SeaBIOS", HOST_OK, "/usr/share/seabios/bios-256k.bin", NULL);
	assert_check(doctor, "OVMF", HOST_OK, "/usr/share/OVMF/OVMF_CODE.fd", NULL);
	assert_check(doctor, "user", HOST_OK, "run as 'socle'", NULL);
	(void)find(doctor, "disk");
	(void)find(doctor, "io_uring");
}

static void test_nothing(void)
{
	autoptr(tree) tree = tree_new();
	struct host_doctor_config config = { tree->root, "/var/lib/socle", "socle" };
	autoptr(host_doctor) doctor = NULL;

	sys_fail_nth(SYS_URING, 1, EPERM);
	doctor = host_doctor_new(&config);
	assert_check(doctor, "KVM", HOST_WARNING, "does not offer it", "VT-x");
	assert_check(doctor, "memory", HOST_WARNING, "/proc/meminfo", "mount /proc");
	assert_check(doctor, "control groups", HOST_WARNING, "there are none", "mount cgroup2");
	assert_check(doctor, "io_uring", HOST_WARNING, "disks use threads", "sysctl");
	assert_check(doctor, "taps", HOST_NOTE, "No such file", "modprobe tun");
	assert_check(doctor, "SeaBIOS", HOST_NOTE, "not installed", "install seabios");
	assert_check(doctor, "OVMF", HOST_NOTE, "not installed", "install ovmf");
	assert_check(doctor, "disk", HOST_NOTE, "not there yet", "start the daemon");
	assert_check(doctor, "user", HOST_NOTE, "no user 'socle'", "useradd");
	g_assert_cmpint(doctor->worst, ==, HOST_WARNING);
}

static void test_some(void)
{
	autoptr(tree) tree = tree_new();
	struct host_doctor_config config = { tree->root, NULL, NULL };
	autoptr(host_doctor) doctor = NULL;
	autoptr(host_doctor) denied = NULL;

	tree_put(tree, "/proc/cpuinfo", "flags : svm\n");
	tree_put(tree, "/proc/meminfo", "MemTotal: 2048000 kB\nMemFree: 102400 kB\n");
	tree_put(tree, "/proc/self/mountinfo",
		 "31 30 0:28 / /cg/cpu rw - cgroup cgroup rw,cpu,cpuacct\n");
	doctor = host_doctor_new(&config);
	assert_check(doctor, "KVM", HOST_WARNING, "/dev/kvm is not there", "modprobe kvm_amd");
	assert_check(doctor, "memory", HOST_WARNING, "100 MiB of 2000", "end what");
	assert_check(doctor, "control groups", HOST_WARNING, "cpu, but not cpuset, memory, io",
		     "unified_cgroup_hierarchy");
	g_clear_pointer(&doctor, host_doctor_free);

	/* What the tests' own user may do cannot be relied on: root may do all. */
	tree_put(tree, "/dev/kvm", "");
	for (unsigned nth = 1; nth < 100 && !denied; nth++) {
		sys_fail_nth(SYS_OPEN, nth, EACCES);
		denied = host_doctor_new(&config);
		if (!strstr(find(denied, "KVM")->found, "may not use it"))
			g_clear_pointer(&denied, host_doctor_free);
	}
	sys_fail_nth(SYS_OPEN, 0, 0);
	g_assert_nonnull(denied);
	assert_check(denied, "KVM", HOST_WARNING, "may not use it", "usermod -aG kvm");
}

static void test_here(void)
{
	struct host_doctor_config config = { "/", "/var/lib", "root" };
	autoptr(host_doctor) doctor = host_doctor_new(&config);

	g_assert_cmpuint(doctor->count, ==, 12);
	for (unsigned i = 0; i < doctor->count; i++) {
		g_test_message("%d %s: %s", doctor->checks[i].verdict, doctor->checks[i].what,
			       doctor->checks[i].found);
		g_assert_true(!doctor->checks[i].remedy == (doctor->checks[i].verdict == HOST_OK));
	}
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/host/doctor/all", test_all);
	g_test_add_func("/host/doctor/nothing", test_nothing);
	g_test_add_func("/host/doctor/some", test_some);
	g_test_add_func("/host/doctor/here", test_here);
	return g_test_run();
}
