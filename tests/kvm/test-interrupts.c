/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-interrupts.c - on the device: timer, lines, messages, eventfds in both directions
 */
#include <errno.h>
#include <glib.h>
#include <sys/eventfd.h>

#include "base/sys.h"
#include "guest.h"
#include "kvm/kvm.h"

#define MSI_ADDR 0xfee00000u /* physical destination, CPU 0 */

static uint32_t interrupts(struct guest *guest, unsigned vector)
{
	return guest_read32(guest, COUNTS + 4 * vector);
}

static void signal_fd(int fd)
{
	const uint64_t one = 1;

	g_assert_cmpint(sys_write(fd, &one, sizeof(one)), ==, sizeof(one));
}

static uint64_t read_fd(int fd)
{
	uint64_t n = 0;

	return sys_read(fd, &n, sizeof(n)) == sizeof(n) ? n : 0;
}

/* A guest that ends after @count interrupts, and is waiting for them now. */
static struct guest *waiting_guest(unsigned count)
{
	struct guest *guest = guest_new(1);
	g_autofree struct x86_state *state = g_new0(struct x86_state, 1);

	state->gpr[X86_R15] = count;
	guest_enter(guest, guest_wait_irq, state);
	guest_start(guest, 0);
	guest_wait_ready(guest, 1);
	return guest;
}

/* Wait until the guest has taken @count interrupts of a vector: edges must not merge. */
static void wait_interrupts(struct guest *guest, unsigned vector, uint32_t count)
{
	for (unsigned ms = 0; interrupts(guest, vector) < count; ms++) {
		if (ms == GUEST_TIMEOUT_MS)
			g_error("interrupt %u of vector 0x%x does not come", count, vector);
		g_usleep(1000);
	}
}

static void wait_end(struct guest *guest)
{
	g_assert_cmpint(guest_wait(guest, 0), ==, CPU_EXIT_KICKED);
	g_assert_true(atomic_load(&guest->cpu[0].ended));
}

static void test_timer(void)
{
	autoptr(guest) guest = guest_new(1);

	guest_enter(guest, guest_timer, NULL);
	guest_run(guest);
	g_assert_cmpuint(interrupts(guest, VECTOR_TIMER), ==, 1);
}

static void test_line(void)
{
	autoptr(guest) guest = waiting_guest(2);
	const struct irq_line line = { .sink = guest->sink, .gsi = TEST_GSI };
	const struct irq_line nowhere = { .sink = guest->sink, .gsi = 4711 };

	irq_line_set(&nowhere, true);
	irq_line_set(&line, true);
	irq_line_set(&line, false);
	wait_interrupts(guest, VECTOR_LINE, 1);
	irq_line_set(&line, true);
	irq_line_set(&line, false);
	wait_end(guest);
	g_assert_cmpuint(interrupts(guest, VECTOR_LINE), ==, 2);
}

static void test_msi(void)
{
	autoptr(guest) guest = waiting_guest(2);

	irq_send_msi(guest->sink, MSI_ADDR, VECTOR_MSI2);
	irq_send_msi(guest->sink, MSI_ADDR, VECTOR_MSI);
	/* To nobody. */
	irq_send_msi(guest->sink, MSI_ADDR | 77 << 12, VECTOR_MSI);
	wait_end(guest);
	g_assert_cmpuint(interrupts(guest, VECTOR_MSI), ==, 1);
	g_assert_cmpuint(interrupts(guest, VECTOR_MSI2), ==, 1);
}

static void test_nmi(void)
{
	autoptr(guest) guest = waiting_guest(1);

	kvm_cpu_ops.vcpu_nmi(guest->cpu[0].vcpu);
	wait_end(guest);
	g_assert_cmpuint(interrupts(guest, VECTOR_NMI), ==, 1);
}

static void test_irqfd(void)
{
	autoptr(guest) guest = waiting_guest(4);
	autofd int line = sys_eventfd(0, 0), msi = sys_eventfd(0, 0), msi2 = sys_eventfd(0, 0);
	struct cpu_engine *engine = guest->engine;

	g_assert_cmpint(kvm_cpu_ops.irqfd(engine, line, TEST_GSI, 0, 0, true), ==, 0);
	g_assert_cmpint(kvm_cpu_ops.irqfd(engine, msi, -1, MSI_ADDR, VECTOR_MSI, true), ==, 0);
	g_assert_cmpint(kvm_cpu_ops.irqfd(engine, msi2, -1, MSI_ADDR, VECTOR_MSI2, true), ==, 0);
	g_assert_cmpint(kvm_cpu_ops.irqfd(engine, msi, -1, MSI_ADDR, VECTOR_MSI, true), ==,
			-EEXIST);
	g_assert_cmpint(kvm_cpu_ops.irqfd(engine, -1, -1, MSI_ADDR, VECTOR_MSI, true), ==, -EINVAL);
	g_assert_cmpint(kvm_cpu_ops.irqfd(engine, 1, 24, 0, 0, true), ==, -EINVAL);
	signal_fd(line);
	wait_interrupts(guest, VECTOR_LINE, 1);
	signal_fd(msi);
	wait_interrupts(guest, VECTOR_MSI, 1);
	signal_fd(msi2);
	wait_interrupts(guest, VECTOR_MSI2, 1);

	/* Taken away, as devices do it: nothing comes. The other one keeps working. */
	g_assert_cmpint(irq_set_msi_eventfd(guest->sink, msi2, MSI_ADDR, VECTOR_MSI, true), ==,
			-EEXIST);
	g_assert_cmpint(irq_set_msi_eventfd(guest->sink, msi, 0, 0, false), ==, 0);
	g_assert_cmpint(irq_set_msi_eventfd(guest->sink, msi, 0, 0, false), ==, -ENOENT);
	g_assert_cmpint(kvm_cpu_ops.irqfd(engine, line, TEST_GSI, 0, 0, false), ==, 0);
	signal_fd(msi);
	signal_fd(line);
	signal_fd(msi2);
	wait_end(guest);
	g_assert_cmpuint(interrupts(guest, VECTOR_LINE), ==, 1);
	g_assert_cmpuint(interrupts(guest, VECTOR_MSI), ==, 1);
	g_assert_cmpuint(interrupts(guest, VECTOR_MSI2), ==, 2);
}

/* When a step of adding fails, nothing of it stays. */
static void test_irqfd_fails(void)
{
	autoptr(guest) guest = guest_new(1);
	autofd int fd = sys_eventfd(0, 0);

	for (unsigned nth = 1; nth <= 2; nth++) {
		sys_fail_nth(SYS_IOCTL, nth, ENOMEM);
		g_assert_cmpint(
			kvm_cpu_ops.irqfd(guest->engine, fd, -1, MSI_ADDR, VECTOR_MSI, true), ==,
			-ENOMEM);
	}
	g_assert_cmpint(kvm_cpu_ops.irqfd(guest->engine, fd, -1, MSI_ADDR, VECTOR_MSI, true), ==,
			0);
	g_assert_cmpint(kvm_cpu_ops.irqfd(guest->engine, fd, -1, 0, 0, false), ==, 0);
}

static void test_notify(void)
{
	autoptr(guest) guest = guest_new(1);
	autofd int pio = sys_eventfd(0, EFD_NONBLOCK), match = sys_eventfd(0, EFD_NONBLOCK),
		   any = sys_eventfd(0, EFD_NONBLOCK);
	const struct io_notify notify[] = {
		{ .addr = NOTIFY_PORT, .size = 2, .eventfd = pio },
		{ .mmio = true,
		  .addr = MMIO_ADDR + 0x40,
		  .size = 4,
		  .match = true,
		  .value = 1,
		  .eventfd = match },
		{ .mmio = true, .addr = MMIO_ADDR + 0x80, .eventfd = any },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(notify); i++)
		g_assert_cmpint(kvm_cpu_ops.notify(guest->engine, &notify[i], true), ==, 0);
	guest_enter(guest, guest_notify, NULL);
	guest_run(guest);
	g_assert_cmpuint(read_fd(pio), ==, 1);
	g_assert_cmpuint(read_fd(match), ==, 1);
	g_assert_cmpuint(read_fd(any), ==, 2);
	/* What did not match came to the devices: another size, another value. */
	g_assert_cmpuint(guest->count, ==, 2);
	g_assert_false(guest->access[0].mmio);
	g_assert_cmpuint(guest->access[0].size, ==, 1);
	g_assert_true(guest->access[1].mmio);
	g_assert_cmpuint(guest->access[1].value, ==, 2);

	for (unsigned i = 0; i < ARRAY_SIZE(notify); i++)
		g_assert_cmpint(kvm_cpu_ops.notify(guest->engine, &notify[i], false), ==, 0);
	guest->count = 0;
	guest_enter(guest, guest_notify, NULL);
	guest_run(guest);
	g_assert_cmpuint(guest->count, ==, 6);
	g_assert_cmpuint(read_fd(pio) + read_fd(match) + read_fd(any), ==, 0);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	guest_need_kvm();
	g_test_add_func("/kvm/interrupts/timer", test_timer);
	g_test_add_func("/kvm/interrupts/line", test_line);
	g_test_add_func("/kvm/interrupts/msi", test_msi);
	g_test_add_func("/kvm/interrupts/nmi", test_nmi);
	g_test_add_func("/kvm/interrupts/irqfd", test_irqfd);
	g_test_add_func("/kvm/interrupts/irqfd-fails", test_irqfd_fails);
	g_test_add_func("/kvm/interrupts/notify", test_notify);
	return g_test_run();
}
