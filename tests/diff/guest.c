/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * guest.c - run cases in a guest of the software engine
 *
 * Through the engine seam: 4 MiB of memory, page tables that map the address space of a case for
 * user mode, and for each vector a stub in supervisor mode that writes to a port, whose device
 * kicks the vCPU. The exception's frame on the supervisor stack has what the case ended with.
 */
#include "diff.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "bus/io.h"
#include "cpu/cpu.h"
#include "emu/emu.h"
#include "mem/mem.h"

enum {
	PML4 = 0x1000,
	PDPT = 0x2000,
	PD = 0x3000,
	PT = 0x4000,
	IDT = 0x8000,
	GDT = 0x9000,
	TSS = 0x9800,
	STUBS = 0xa000,
	STACK_TOP = 0x10000,
	RAM = 4 << 20,
	PORT = 0x42,
	XSAVE_BV = 512,
	KERNEL_CS = 0x10,
	USER_SS = 0x2b,
	USER_CS = 0x33,
	TSS_SEL = 0x40,
};
#define PTE_P  1ull
#define PTE_W  2ull
#define PTE_U  4ull
#define PTE_A  0x20ull
#define PTE_D  0x40ull
#define PTE_PS 0x80ull
#define PTE_NX (1ull << 63)

static struct mem *mem;
static struct io_space *pio, *mmio;
static struct cpu_engine *engine;
static struct vcpu *vcpu;
static struct x86_state base, state;
static uint8_t *ram;
static const struct test_case *current;

static void port_write(struct io_range *range, uint64_t off, unsigned size, uint64_t value)
{
	(void)range;
	(void)off;
	(void)size;
	(void)value;
	emu_cpu_ops.vcpu_kick(vcpu);
}

static const struct io_ops port_ops = { .write = port_write };
static struct io_range port = { .ops = &port_ops, .base = PORT, .len = 1, .name = "done" };

/* Guest-physical address of a page of the cases' address space. */
static uint64_t gpa_of(uint64_t addr)
{
	return 0x100000 + (addr - CODE_ADDR);
}

static void map_pages(uint64_t addr, unsigned pages, uint64_t flags)
{
	for (unsigned i = 0; i < pages; i++)
		put_le64(ram + PT + ((addr - CODE_ADDR) / PAGE + i) * 8,
			 gpa_of(addr + i * PAGE) | flags | PTE_P | PTE_U | PTE_A | PTE_D);
}

static void build_tables(void)
{
	put_le64(ram + PML4, PDPT | PTE_P | PTE_W | PTE_U | PTE_A);
	put_le64(ram + PDPT, PD | PTE_P | PTE_W | PTE_U | PTE_A);
	put_le64(ram + PD, 0 | PTE_P | PTE_W | PTE_A | PTE_D | PTE_PS);
	put_le64(ram + PD + (CODE_ADDR >> 21) * 8, PT | PTE_P | PTE_W | PTE_U | PTE_A);
	map_pages(CODE_ADDR, CODE_PAGES, 0);
	map_pages(DATA_ADDR, 2, PTE_W | PTE_NX);
	map_pages(RO_ADDR, 1, PTE_NX);
	map_pages(STACK_ADDR, 2, PTE_W | PTE_NX);
	case_ro_page(ram + gpa_of(RO_ADDR));

	for (unsigned i = 0; i < 256; i++) {
		static const uint8_t stub[] = { 0xe6, PORT, 0xf4, 0xeb, 0xfd };
		uint64_t to = STUBS + i * 16;
		unsigned dpl = i == 3 || i == 4 ? 3 : 0;

		memcpy(ram + to, stub, sizeof(stub));
		put_le64(ram + IDT + i * 16,
			 (to & 0xffff) | (uint64_t)KERNEL_CS << 16 | (0x8e00ull | dpl << 13) << 32);
		put_le64(ram + IDT + i * 16 + 8, 0);
	}
	put_le64(ram + GDT + KERNEL_CS, 0x00af9b000000ffff);
	put_le64(ram + GDT + 0x18, 0x00cf93000000ffff);
	put_le64(ram + GDT + (USER_SS & ~7), 0x00cff3000000ffff);
	put_le64(ram + GDT + (USER_CS & ~7), 0x00affb000000ffff);
	put_le64(ram + TSS + 4, STACK_TOP);
	put_le16(ram + TSS + 102, 104);
}

static void segment(enum x86_seg i, uint16_t selector, uint16_t access, uint32_t limit)
{
	base.seg[i] =
		(struct x86_segment){ .selector = selector, .access = access, .limit = limit };
}

static void build_state(void)
{
	x86_state_reset(&base);
	segment(X86_CS, USER_CS, 0xa0fb, 0xffffffff);
	segment(X86_SS, USER_SS, 0xc0f3, 0xffffffff);
	for (unsigned i = 0; i < 4; i++) {
		static const enum x86_seg null_segs[] = { X86_DS, X86_ES, X86_FS, X86_GS };

		segment(null_segs[i], 0, 0, 0);
		base.seg[null_segs[i]].unusable = true;
	}
	base.seg[X86_GS].base = DATA_ADDR;
	segment(X86_LDT, 0, 0x82, 0xffff);
	base.seg[X86_LDT].unusable = true;
	segment(X86_TR, TSS_SEL, 0x8b, 103);
	base.seg[X86_TR].base = TSS;
	base.gdt = (struct x86_table){ GDT, 0x4f };
	base.idt = (struct x86_table){ IDT, 0xfff };
	base.cr0 = CR0_PE | CR0_MP | CR0_ET | CR0_NE | CR0_WP | CR0_AM | CR0_PG;
	base.cr3 = PML4;
	base.cr4 = CR4_PAE | CR4_OSFXSR | CR4_OSXMMEXCPT | CR4_OSXSAVE;
	base.xcr0 = 3;
	base.efer = EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE;
}

static void took_too_long(int sig)
{
	static const char text[] = "diff: the engine does not come back\n";

	(void)sig;
	(void)!write(1, text, sizeof(text) - 1);
	if (current)
		for (unsigned i = 0; i < current->code_len; i++) {
			char hex[2] = { "0123456789abcdef"[current->code[i] >> 4],
					"0123456789abcdef"[current->code[i] & 15] };

			(void)!write(1, hex, 2);
		}
	_exit(1);
}

bool guest_init(void)
{
	g_autoptr(GError) error = NULL;
	struct cpu_config config = { .cpus = 1 };

	mem = mem_new();
	pio = io_space_new("io", 0x10000);
	mmio = io_space_new("mmio", UINT64_MAX);
	config.model = cpu_model_find("max", &error);
	config.mem = mem;
	config.pio = pio;
	config.mmio = mmio;
	if (!config.model || !mem_add_ram(mem, 0, RAM, &error) ||
	    !io_space_add(pio, &port, &error) || !(engine = emu_cpu_ops.open(&config, &error)) ||
	    !(vcpu = emu_cpu_ops.vcpu_new(engine, 0, &error))) {
		(void)fprintf(stderr, "diff: %s\n", error->message);
		return false;
	}
	ram = mem->region[0].host;
	build_tables();
	build_state();
	(void)signal(SIGALRM, took_too_long);
	return true;
}

static void write_code(const struct test_case *c)
{
	uint64_t gpa = gpa_of(CODE_ADDR);

	memset(ram + gpa, 0xcc, CODE_PAGES * PAGE);
	memcpy(ram + gpa + (c->regs.rip - CODE_ADDR), c->code, c->code_len);
	for (unsigned i = 0; i < CODE_PAGES; i++)
		mem_written(mem, gpa + i * PAGE, PAGE);
}

static uint8_t *page_of(unsigned i)
{
	return ram + gpa_of((i < 2 ? DATA_ADDR : STACK_ADDR) + (i & 1) * PAGE);
}

bool guest_run(const struct test_case *c, struct result *r)
{
	const uint8_t *frame;
	bool has_error;
	int ret;

	write_code(c);
	case_memory(c->seed, r->mem);
	for (unsigned i = 0; i < DATA_PAGES; i++)
		memcpy(page_of(i), r->mem[i], PAGE);

	state = base;
	memcpy(state.gpr, c->regs.gpr, sizeof(state.gpr));
	state.rip = c->regs.rip;
	state.rflags = c->regs.rflags;
	memcpy(state.xsave, c->regs.fx, FX_SIZE);
	put_le64(state.xsave + XSAVE_BV, 3);
	ret = emu_cpu_ops.vcpu_set_state(vcpu, &state);
	if (ret < 0) {
		(void)fprintf(stderr, "diff: the engine refuses the state: %d\n", ret);
		return false;
	}
	current = c;
	(void)alarm(20);
	if (emu_cpu_ops.vcpu_run(vcpu) != CPU_EXIT_KICKED) {
		r->ran = false;
		(void)fprintf(stderr, "diff: the guest shut down\n");
		return true;
	}
	(void)alarm(0);
	ret = emu_cpu_ops.vcpu_get_state(vcpu, &state);
	if (ret < 0)
		return false;

	r->ran = true;
	r->vector = (unsigned)((state.rip - STUBS) / 16);
	has_error = r->vector == 8 || (r->vector >= 10 && r->vector <= 14) || r->vector == 17;
	frame = ram + STACK_TOP - (has_error ? 48 : 40);
	r->error = has_error ? get_le64(frame) : 0;
	frame += has_error ? 8 : 0;
	r->cr2 = state.cr2;
	memcpy(r->regs.gpr, state.gpr, sizeof(state.gpr));
	r->regs.rip = get_le64(frame);
	r->regs.rflags = get_le64(frame + 16);
	r->regs.gpr[X86_RSP] = get_le64(frame + 24);
	memcpy(r->regs.fx, state.xsave, FX_SIZE);
	for (unsigned i = 0; i < DATA_PAGES; i++)
		memcpy(r->mem[i], page_of(i), PAGE);
	return true;
}

uint64_t guest_instructions(void)
{
	struct cpu_stats stats;

	emu_cpu_ops.vcpu_stats(vcpu, &stats);
	return stats.instructions;
}

void guest_exit(void)
{
	emu_cpu_ops.vcpu_free(vcpu);
	emu_cpu_ops.close(engine);
	io_space_free(mmio);
	io_space_free(pio);
	mem_free(mem);
}
