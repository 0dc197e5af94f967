/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * guest.c - a tiny machine around the KVM engine, for the guests of code.S
 */
#include "guest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/error.h"
#include "kvm/kvm.h"

enum {
	SEL_CODE = 0x08,
	SEL_DATA = 0x10,
	SEL_TSS = 0x18
};

/* ---- devices ---- */

static void note(struct guest *guest, struct guest_access access)
{
	pthread_mutex_lock(&guest->lock);
	if (guest->count < GUEST_LOG)
		guest->access[guest->count++] = access;
	pthread_mutex_unlock(&guest->lock);
}

static uint64_t low_bytes(uint64_t value, unsigned size)
{
	return size < 8 ? value & ((UINT64_C(1) << size * 8) - 1) : value;
}

static uint64_t log_read(struct io_range *range, uint64_t off, unsigned size)
{
	struct guest *guest = container_of(range, struct guest, log);
	uint64_t value = low_bytes(atomic_load(&guest->read_value), size);

	note(guest, (struct guest_access){ .off = off, .size = size, .value = value });
	return value;
}

static void log_write(struct io_range *range, uint64_t off, unsigned size, uint64_t value)
{
	struct guest *guest = container_of(range, struct guest, log);

	note(guest,
	     (struct guest_access){ .write = true, .off = off, .size = size, .value = value });
	if (size == 1 && value == READY)
		atomic_fetch_add(&guest->ready, 1);
}

static uint64_t device_read(struct io_range *range, uint64_t off, unsigned size)
{
	struct guest *guest = container_of(range, struct guest, device);
	uint64_t value = low_bytes(READ_VALUE, size);

	note(guest,
	     (struct guest_access){ .mmio = true, .off = off, .size = size, .value = value });
	return value;
}

static void device_write(struct io_range *range, uint64_t off, unsigned size, uint64_t value)
{
	struct guest *guest = container_of(range, struct guest, device);

	note(guest,
	     (struct guest_access){
		     .mmio = true, .write = true, .off = off, .size = size, .value = value });
}

/* Only vCPU 0 comes here. Kicks the vCPU from its own thread. */
static void done_write(struct io_range *range, uint64_t off, unsigned size, uint64_t value)
{
	struct guest *guest = container_of(range, struct guest, done);

	(void)off, (void)size, (void)value;
	atomic_store(&guest->cpu[0].ended, true);
	kvm_cpu_ops.vcpu_kick(guest->cpu[0].vcpu);
}

static const struct io_ops log_ops = { .read = log_read, .write = log_write };
static const struct io_ops device_ops = { .read = device_read, .write = device_write };
static const struct io_ops done_ops = { .write = done_write };

/* ---- memory ---- */

void *guest_ptr(struct guest *guest, uint64_t gpa)
{
	void *p = mem_ptr_write(guest->mem, gpa, 1);

	g_assert_nonnull(p);
	return p;
}

uint32_t guest_read32(struct guest *guest, uint64_t gpa)
{
	return get_le32(guest_ptr(guest, gpa));
}

static void set_gate(struct guest *guest, unsigned vector, const uint8_t *handler)
{
	uint64_t at = CODE + (uint64_t)(handler - guest_code);
	uint8_t *gate = guest_ptr(guest, IDT_ADDR + vector * 16u);

	put_le64(gate, (at & 0xffff) | (uint64_t)SEL_CODE << 16 | UINT64_C(0x8e00) << 32 |
			       (at & 0xffff0000) << 32);
}

static void fill_memory(struct guest *guest)
{
	put_le64(guest_ptr(guest, PML4_ADDR), PDPT_ADDR | 3);
	put_le64(guest_ptr(guest, PDPT_ADDR), PD0_ADDR | 3);
	put_le64(guest_ptr(guest, PDPT_ADDR + 3 * 8), PD3_ADDR | 3);
	put_le64(guest_ptr(guest, PDPT_ADDR + 4 * 8), PD4_ADDR | 3);
	for (unsigned i = 0; i < 512; i++) {
		uint64_t off = (uint64_t)i << 21 | 0xe3;

		put_le64(guest_ptr(guest, PD0_ADDR + i * 8), off);
		put_le64(guest_ptr(guest, PD3_ADDR + i * 8), (UINT64_C(3) << 30) + off);
		put_le64(guest_ptr(guest, PD4_ADDR + i * 8), (UINT64_C(4) << 30) + off);
	}
	put_le64(guest_ptr(guest, GDT_ADDR + SEL_CODE), UINT64_C(0x00af9b000000ffff));
	put_le64(guest_ptr(guest, GDT_ADDR + SEL_DATA), UINT64_C(0x00cf93000000ffff));
	put_le64(guest_ptr(guest, GDT_ADDR + SEL_TSS),
		 UINT64_C(0x00008b0000000067) | (uint64_t)TSS_ADDR << 16);
	set_gate(guest, VECTOR_NMI, guest_on_nmi);
	set_gate(guest, VECTOR_TIMER, guest_on_timer);
	set_gate(guest, VECTOR_LINE, guest_on_line);
	set_gate(guest, VECTOR_MSI, guest_on_msi);
	set_gate(guest, VECTOR_MSI2, guest_on_msi2);
	memcpy(guest_ptr(guest, CODE), guest_code, (size_t)(guest_end - guest_code));
	memcpy(guest_ptr(guest, AP_CODE), guest_ap, (size_t)(guest_ap_end - guest_ap));
}

/* ---- the machine ---- */

void guest_need_kvm(void)
{
	const struct cpu_config config = { .cpus = 1, .mem = mem_new() };
	g_autoptr(GError) error = NULL;
	struct cpu_engine *engine = kvm_cpu_ops.open(&config, &error);

	if (!engine) {
		printf("skipped: %s\n", error->message);
		exit(77); /* NOLINT(concurrency-mt-unsafe): there is one thread */
	}
	kvm_cpu_ops.close(engine);
	mem_free(config.mem);
}

struct guest *guest_new(unsigned cpus)
{
	struct guest *guest = g_new0(struct guest, 1);
	g_autoptr(GError) error = NULL;

	pthread_mutex_init(&guest->lock, NULL);
	atomic_store(&guest->read_value, READ_VALUE);
	guest->mem = mem_new();
	mem_add_ram(guest->mem, 0, LOW_RAM_LEN, &error);
	g_assert_no_error(error);
	mem_add_ram(guest->mem, HIGH_RAM, HIGH_LEN, &error);
	g_assert_no_error(error);
	guest->pio = io_space_new("pio", 0x10000);
	guest->mmio = io_space_new("mmio", UINT64_C(1) << 46);
	guest->log = (struct io_range){ .ops = &log_ops, .base = LOG_PORT, .len = 0x40 };
	guest->done = (struct io_range){ .ops = &done_ops, .base = DONE_PORT, .len = 1 };
	guest->device = (struct io_range){ .ops = &device_ops, .base = MMIO_ADDR, .len = MMIO_LEN };
	g_assert_true(io_space_add(guest->pio, &guest->log, NULL));
	g_assert_true(io_space_add(guest->pio, &guest->done, NULL));
	g_assert_true(io_space_add(guest->mmio, &guest->device, NULL));
	fill_memory(guest);

	const struct cpu_config config = {
		.cpus = cpus,
		.model = cpu_model_find("max", &error),
		.mem = guest->mem,
		.pio = guest->pio,
		.mmio = guest->mmio,
	};

	g_assert_no_error(error);
	guest->engine = kvm_cpu_ops.open(&config, &error);
	g_assert_no_error(error);
	guest->sink = kvm_cpu_ops.irq_sink(guest->engine);
	for (unsigned i = 0; i < cpus; i++) {
		guest->cpu[i].guest = guest;
		guest->cpu[i].vcpu = kvm_cpu_ops.vcpu_new(guest->engine, i, &error);
		g_assert_no_error(error);
	}
	return guest;
}

void guest_free(struct guest *guest)
{
	for (unsigned i = 0; i < GUEST_CPUS; i++) {
		g_assert_null(guest->cpu[i].thread);
		kvm_cpu_ops.vcpu_free(guest->cpu[i].vcpu);
	}
	kvm_cpu_ops.close(guest->engine);
	io_space_free(guest->pio);
	io_space_free(guest->mmio);
	mem_free(guest->mem);
	pthread_mutex_destroy(&guest->lock);
	g_free(guest);
}

void guest_enter(struct guest *guest, const uint8_t *entry, struct x86_state *state)
{
	g_autofree struct x86_state *own = g_new0(struct x86_state, 1);
	struct x86_segment data = { .limit = UINT32_MAX, .selector = SEL_DATA, .access = 0xc093 };

	if (!state)
		state = own;
	/* What the caller wants in registers stays; the rest comes from the vCPU. */
	uint64_t gpr[X86_REG_COUNT];

	memcpy(gpr, state->gpr, sizeof(gpr));
	g_assert_cmpint(kvm_cpu_ops.vcpu_get_state(guest->cpu[0].vcpu, state), ==, 0);
	memcpy(state->gpr, gpr, sizeof(gpr));
	state->gpr[X86_RSP] = STACK_ADDR;
	state->rip = CODE + (uint64_t)(entry - guest_code);
	state->rflags = RFLAGS_1;
	state->cr0 = CR0_PE | CR0_MP | CR0_ET | CR0_NE | CR0_WP | CR0_PG;
	state->cr3 = PML4_ADDR;
	state->cr4 = CR4_PAE | CR4_OSFXSR;
	state->efer = EFER_SCE | EFER_LME | EFER_LMA;
	for (unsigned i = X86_ES; i <= X86_GS; i++)
		state->seg[i] = data;
	state->seg[X86_CS] =
		(struct x86_segment){ .limit = UINT32_MAX, .selector = SEL_CODE, .access = 0xa09b };
	state->seg[X86_TR] = (struct x86_segment){
		.base = TSS_ADDR, .limit = 0x67, .selector = SEL_TSS, .access = 0x8b
	};
	state->gdt = (struct x86_table){ GDT_ADDR, 0x2f };
	state->idt = (struct x86_table){ IDT_ADDR, 0xfff };
	g_assert_cmpint(kvm_cpu_ops.vcpu_set_state(guest->cpu[0].vcpu, state), ==, 0);
}

/* ---- running ---- */

static void cpu_thread(void *opaque)
{
	struct guest_cpu *cpu = opaque;

	do {
		cpu->exit = kvm_cpu_ops.vcpu_run(cpu->vcpu);
	} while (cpu->exit == CPU_EXIT_KICKED && !atomic_load(&cpu->ended) &&
		 !atomic_load(&cpu->stop));
	atomic_store(&cpu->returned, true);
}

void guest_start(struct guest *guest, unsigned cpu)
{
	struct guest_cpu *c = &guest->cpu[cpu];
	g_autoptr(GError) error = NULL;

	atomic_store(&c->stop, false);
	atomic_store(&c->ended, false);
	atomic_store(&c->returned, false);
	c->thread = thread_start("vcpu", cpu_thread, c, &error);
	g_assert_no_error(error);
}

/* Wait until *flag, for GUEST_TIMEOUT_MS at most. */
static bool wait_for(const atomic_bool *flag)
{
	for (unsigned ms = 0; !atomic_load(flag); ms++) {
		if (ms == GUEST_TIMEOUT_MS)
			return false;
		g_usleep(1000);
	}
	return true;
}

enum cpu_exit guest_wait(struct guest *guest, unsigned cpu)
{
	struct guest_cpu *c = &guest->cpu[cpu];

	if (!wait_for(&c->returned)) {
		g_autofree struct x86_state *state = g_new0(struct x86_state, 1);
		g_autofree char *text = NULL;

		guest_stop(guest, cpu);
		g_assert_cmpint(kvm_cpu_ops.vcpu_get_state(c->vcpu, state), ==, 0);
		text = x86_state_format(state);
		g_error("vCPU %u does not come to an end:\n%s", cpu, text);
	}
	thread_join(g_steal_pointer(&c->thread));
	if (c->exit == CPU_EXIT_FAILED)
		g_test_message("%s", kvm_cpu_ops.vcpu_failure(c->vcpu));
	return c->exit;
}

void guest_run(struct guest *guest)
{
	guest_start(guest, 0);
	g_assert_cmpint(guest_wait(guest, 0), ==, CPU_EXIT_KICKED);
	g_assert_true(atomic_load(&guest->cpu[0].ended));
}

void guest_stop(struct guest *guest, unsigned cpu)
{
	struct guest_cpu *c = &guest->cpu[cpu];

	atomic_store(&c->stop, true);
	kvm_cpu_ops.vcpu_kick(c->vcpu);
	if (!wait_for(&c->returned))
		g_error("vCPU %u cannot be kicked", cpu);
	thread_join(g_steal_pointer(&c->thread));
}

void guest_wait_ready(struct guest *guest, unsigned nth)
{
	for (unsigned ms = 0; atomic_load(&guest->ready) < nth; ms++) {
		if (ms == GUEST_TIMEOUT_MS)
			g_error("the guest does not become ready");
		g_usleep(1000);
	}
}
