/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-exits.c - on the device: what leaves a guest, and how vCPUs are stopped
 */
#include <errno.h>
#include <glib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/sys.h"
#include "guest.h"
#include "kvm/kvm.h"

/* ---- I/O ---- */

static void test_io(void)
{
	static const struct guest_access expected[] = {
		{ false, true, 0, 1, 0x12 },
		{ false, true, 0, 2, 0x3456 },
		{ false, true, 0, 4, 0x789abcde },
		{ false, false, 0, 1, 0x11 },
		{ false, false, 0, 2, 0x2211 },
		{ false, false, 0, 4, READ_VALUE },
		{ false, true, 0, 1, 0x61 }, /* rep outsb */
		{ false, true, 0, 1, 0x62 },
		{ false, true, 0, 1, 0x63 },
		{ false, true, 0, 1, 0x64 },
		{ false, true, 0, 1, 0x65 },
		{ false, false, 0, 2, 0x2211 }, /* rep insw */
		{ false, false, 0, 2, 0x2211 },
		{ false, false, 0, 2, 0x2211 },
		{ true, true, 0, 1, 0x21 },
		{ true, true, 2, 2, 0x4321 },
		{ true, true, 4, 4, 0x87654321 },
		{ true, true, 8, 8, UINT64_C(0x0123456789abcdef) },
		{ true, false, 4, 4, READ_VALUE },
		{ true, false, 8, 8, READ_VALUE },
	};
	autoptr(guest) guest = guest_new(1);
	unsigned n = ARRAY_SIZE(expected);
	struct cpu_stats stats;
	uint32_t crossing = 0;

	guest_enter(guest, guest_io, NULL);
	guest_run(guest);
	g_assert_cmpuint(guest->count, >=, n);
	for (unsigned i = 0; i < n; i++) {
		const struct guest_access *a = &guest->access[i], *e = &expected[i];

		g_assert_cmpint(a->mmio, ==, e->mmio);
		g_assert_cmpint(a->write, ==, e->write);
		g_assert_cmphex(a->off, ==, e->off);
		g_assert_cmpuint(a->size, ==, e->size);
		g_assert_cmphex(a->value, ==, e->value);
	}
	/* The write across a page border: any pieces of sizes that devices know, all bytes. */
	for (unsigned i = n; i < guest->count; i++) {
		const struct guest_access *a = &guest->access[i];

		g_assert_true(a->mmio && a->write);
		g_assert_true(a->size == 1 || a->size == 2 || a->size == 4);
		g_assert_cmphex(a->off, >=, 0xffd);
		g_assert_cmphex(a->off + a->size, <=, 0x1001);
		crossing |= (uint32_t)(a->value << (a->off - 0xffd) * 8);
	}
	g_assert_cmphex(crossing, ==, 0x44332211);

	/* What the guest read, and its RAM above 4 GiB. */
	g_assert_cmphex(guest_read32(guest, DATA) & 0xff, ==, 0x11);
	g_assert_cmphex(guest_read32(guest, DATA) >> 16, ==, 0x2211);
	g_assert_cmphex(guest_read32(guest, DATA + 4), ==, READ_VALUE);
	g_assert_cmpmem(guest_ptr(guest, DATA + 0x200), 6, "\x11\x22\x11\x22\x11\x22", 6);
	g_assert_cmphex(guest_read32(guest, DATA + 0x10), ==, READ_VALUE);
	g_assert_cmphex(get_le64(guest_ptr(guest, DATA + 0x18)), ==, READ_VALUE);
	g_assert_cmphex(get_le64(guest_ptr(guest, DATA + 0x20)), ==, UINT64_C(0x1122334455667788));
	g_assert_cmphex(get_le64(guest_ptr(guest, HIGH_RAM + 0x10)), ==,
			UINT64_C(0x1122334455667788));

	kvm_cpu_ops.vcpu_stats(guest->cpu[0].vcpu, &stats);
	/* Some KVMs give a string instruction as one exit, others as one for each element. */
	g_assert_cmpuint(stats.count[CPU_STAT_PIO], >=, 9);
	g_assert_cmpuint(stats.count[CPU_STAT_PIO], <=, 15);
	g_assert_cmpuint(stats.count[CPU_STAT_MMIO], >=, 7);
	g_assert_cmpuint(stats.count[CPU_STAT_KICK], ==, 1);
	g_assert_cmpuint(stats.ns[CPU_STAT_PIO], >, 0);
	g_assert_cmpuint(stats.ns[CPU_STAT_MMIO], >, 0);
}

/* ---- kicks ---- */

static void test_kick(void)
{
	autoptr(guest) guest = guest_new(1);
	uint64_t start;

	guest_enter(guest, guest_spin, NULL);
	guest_start(guest, 0);
	while (!get_le64(guest_ptr(guest, COUNTS)))
		g_usleep(100);
	start = sys_monotonic_ns();
	guest_stop(guest, 0);
	g_test_message("a kick took %.3f ms", (double)(sys_monotonic_ns() - start) / 1e6);
	g_assert_cmpint(guest->cpu[0].exit, ==, CPU_EXIT_KICKED);
}

/* A kick before the run is not lost, and one run takes it. */
static void test_kick_before(void)
{
	autoptr(guest) guest = guest_new(1);

	guest_enter(guest, guest_spin, NULL);
	kvm_cpu_ops.vcpu_kick(guest->cpu[0].vcpu);
	kvm_cpu_ops.vcpu_kick(guest->cpu[0].vcpu);
	g_assert_cmpint(kvm_cpu_ops.vcpu_run(guest->cpu[0].vcpu), ==, CPU_EXIT_KICKED);
	g_assert_cmpuint(get_le64(guest_ptr(guest, COUNTS)), ==, 0);
	guest_start(guest, 0);
	while (!get_le64(guest_ptr(guest, COUNTS)))
		g_usleep(100);
	guest_stop(guest, 0);
}

/*
 * Stop, look and go on, 300 times, with a guest that leaves all the time: no kick is lost, and an
 * access that was under way is neither lost nor done twice (the guest checks what it reads).
 */
static void test_kick_often(void)
{
	autoptr(guest) guest = guest_new(1);
	g_autofree struct x86_state *state = g_new0(struct x86_state, 1);

	guest_enter(guest, guest_chatter, NULL);
	for (unsigned i = 0; i < 300; i++) {
		guest_start(guest, 0);
		if (i % 3)
			g_usleep(i % 7 * 30);
		guest_stop(guest, 0);
		g_assert_cmpint(guest->cpu[0].exit, ==, CPU_EXIT_KICKED);
		g_assert_cmpint(kvm_cpu_ops.vcpu_get_state(guest->cpu[0].vcpu, state), ==, 0);
		/* Through the whole state and back, which would drop half an instruction. */
		g_assert_cmpint(kvm_cpu_ops.vcpu_set_state(guest->cpu[0].vcpu, state), ==, 0);
		g_assert_false(atomic_load(&guest->cpu[0].ended));
	}
	/* On a slow host all these were too short to get anywhere. */
	guest_start(guest, 0);
	while (!get_le64(guest_ptr(guest, COUNTS)))
		g_usleep(1000);
	guest_stop(guest, 0);
	g_assert_false(atomic_load(&guest->cpu[0].ended));
}

/* A vCPU that waits for its SIPI can be kicked too. */
static void test_kick_waiting(void)
{
	autoptr(guest) guest = guest_new(2);

	guest_start(guest, 1);
	g_usleep(5000);
	guest_stop(guest, 1);
	g_assert_cmpint(guest->cpu[1].exit, ==, CPU_EXIT_KICKED);
}

/* ---- ends ---- */

static void test_shutdown(void)
{
	autoptr(guest) guest = guest_new(1);

	guest_enter(guest, guest_triple, NULL);
	guest_start(guest, 0);
	g_assert_cmpint(guest_wait(guest, 0), ==, CPU_EXIT_SHUTDOWN);
}

/* No KVM fetches instructions from a device. */
static void test_internal(void)
{
	autoptr(guest) guest = guest_new(1);
	const char *failure;

	guest_enter(guest, guest_internal, NULL);
	guest_start(guest, 0);
	g_assert_cmpint(guest_wait(guest, 0), ==, CPU_EXIT_FAILED);
	failure = kvm_cpu_ops.vcpu_failure(guest->cpu[0].vcpu);
	g_assert_true(g_str_has_prefix(failure, "KVM gave up on vCPU 0 at rip 0xd0000000: "));
	g_assert_nonnull(strstr(failure, "(internal error, suberror "));
}

/* An instruction that some KVMs lack in ring 0: the sentence has its bytes. Others deliver #BP,
 * for which there is no gate here: a triple fault. */
static void test_unknown(void)
{
	autoptr(guest) guest = guest_new(1);
	enum cpu_exit why;

	guest_enter(guest, guest_unknown, NULL);
	guest_start(guest, 0);
	why = guest_wait(guest, 0);
	if (why == CPU_EXIT_SHUTDOWN) {
		g_test_skip("KVM on this host knows int3");
		return;
	}
	g_assert_cmpint(why, ==, CPU_EXIT_FAILED);
	g_assert_nonnull(strstr(kvm_cpu_ops.vcpu_failure(guest->cpu[0].vcpu),
				"suberror 1); instruction bytes: cc"));
}

/* ---- vCPUs ---- */

static void test_smp(void)
{
	autoptr(guest) guest = guest_new(2);

	guest_enter(guest, guest_smp, NULL);
	guest_start(guest, 1);
	guest_run(guest);
	g_assert_cmphex(*(uint8_t *)guest_ptr(guest, AP_FLAG), ==, READY);
	guest_stop(guest, 1);
}

static void test_max_cpus(void)
{
	autoptr(mem) mem = mem_new();
	g_autoptr(GError) error = NULL;
	const struct cpu_config config = {
		.cpus = CPU_MAX,
		.model = cpu_model_find("max", &error),
		.mem = mem,
	};
	struct cpu_engine *engine;
	struct vcpu *vcpu[CPU_MAX];

	engine = kvm_cpu_ops.open(&config, &error);
	g_assert_no_error(error);
	g_assert_cmpuint(kvm_cpu_ops.tsc_khz(engine), >, 100000);
	for (unsigned i = 0; i < CPU_MAX; i++) {
		vcpu[i] = kvm_cpu_ops.vcpu_new(engine, i, &error);
		g_assert_no_error(error);
	}
	for (unsigned i = 0; i < CPU_MAX; i++)
		kvm_cpu_ops.vcpu_free(vcpu[i]);
	kvm_cpu_ops.close(engine);
}

/* Every call that opening makes may fail: an error, no leak, no crash. */
static void test_open_fails(void)
{
	autoptr(mem) mem = mem_new();
	g_autoptr(GError) error = NULL;
	const struct cpu_config config = {
		.cpus = 1,
		.model = cpu_model_find("max", &error),
		.mem = mem,
	};

	g_assert_true(mem_add_ram(mem, 0, LOW_RAM_LEN, NULL));
	for (unsigned nth = 1;; nth++) {
		g_autoptr(GError) failed = NULL;
		struct cpu_engine *engine;

		sys_fail_nth(SYS_IOCTL, nth, ENOMEM);
		engine = kvm_cpu_ops.open(&config, &failed);
		sys_fail_nth(SYS_IOCTL, 0, 0);
		if (engine) {
			kvm_cpu_ops.close(engine);
			/* Some calls only ask, and are taken for a no; this was after the last. */
			if (nth > 60)
				break;
			continue;
		}
		g_assert_nonnull(failed);
		g_assert_null(strchr(failed->message, '\n'));
	}
}

static void test_trial(void)
{
	g_autoptr(GError) error = NULL;
	uint64_t start = sys_monotonic_ns();

	if (kvm_cpu_ops.can_run_stock(&error))
		g_assert_no_error(error);
	else
		g_assert_nonnull(strstr(error->message, "KVM on this host "));
	g_test_message("%s, in %.2f ms", error ? error->message : "KVM can run stock kernels",
		       (double)(sys_monotonic_ns() - start) / 1e6);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	guest_need_kvm();
	g_test_add_func("/kvm/exits/io", test_io);
	g_test_add_func("/kvm/exits/kick", test_kick);
	g_test_add_func("/kvm/exits/kick-before", test_kick_before);
	g_test_add_func("/kvm/exits/kick-often", test_kick_often);
	g_test_add_func("/kvm/exits/kick-waiting", test_kick_waiting);
	g_test_add_func("/kvm/exits/shutdown", test_shutdown);
	g_test_add_func("/kvm/exits/internal", test_internal);
	g_test_add_func("/kvm/exits/unknown", test_unknown);
	g_test_add_func("/kvm/exits/smp", test_smp);
	g_test_add_func("/kvm/exits/max-cpus", test_max_cpus);
	g_test_add_func("/kvm/exits/open-fails", test_open_fails);
	g_test_add_func("/kvm/exits/trial", test_trial);
	return g_test_run();
}
