/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * boot-cpu.c - the two states in which kernels are entered, and the tables that they refer to
 *
 * 64-bit: Linux' Documentation/arch/x86/boot.rst, "64-bit Boot Protocol". 32-bit: PVH's
 * docs/misc/pvh.pandoc of Xen and section 3.2 of the Multiboot Specification 0.6.96; what either
 * leaves open is as in the other.
 */
#include "machine/boot-int.h"

enum {
	ACCESS_CODE = 0xb | SEG_ACCESS_S | SEG_ACCESS_P | SEG_ACCESS_G,
	ACCESS_DATA = 0x3 | SEG_ACCESS_S | SEG_ACCESS_P | SEG_ACCESS_G | SEG_ACCESS_DB,
	ACCESS_TSS = 0xb | SEG_ACCESS_P, /* busy */

	PTE_PRESENT_WRITE = 0x3,
	PTE_LARGE = 0x80,
};

#define TSS_LIMIT 0x67u

/* A descriptor for a segment of base 0; the limit's granularity is in @access. */
static uint64_t descriptor(unsigned access, uint32_t limit)
{
	const uint64_t field = access & SEG_ACCESS_G ? limit >> 12 : limit;

	return (field & 0xffff) | (field & 0xf0000) << 32 | (uint64_t)(access & 0xf0ff) << 40;
}

static void set_segment(struct x86_state *state, enum x86_seg seg, unsigned selector,
			unsigned access, uint32_t limit)
{
	state->seg[seg] = (struct x86_segment){
		.limit = limit,
		.selector = (uint16_t)selector,
		.access = (uint16_t)access,
	};
}

/* What both have in common: flat segments, no interrupts, empty registers. */
static bool enter(struct mem *mem, struct x86_state *state, uint64_t gdt, unsigned code,
		  GError **error)
{
	static const enum x86_seg data[] = { X86_ES, X86_SS, X86_DS, X86_FS, X86_GS };
	uint8_t table[BOOT_GDT_SIZE] = { 0 };

	put_le64(table + BOOT_CODE_SELECTOR, descriptor(code, UINT32_MAX));
	put_le64(table + BOOT_DATA_SELECTOR, descriptor(ACCESS_DATA, UINT32_MAX));
	put_le64(table + BOOT_TSS_SELECTOR, descriptor(ACCESS_TSS, TSS_LIMIT));
	if (!boot_put(mem, gdt, table, sizeof(table), error))
		return false;

	memset(state->gpr, 0, sizeof(state->gpr));
	state->rflags = RFLAGS_1;
	state->gdt = (struct x86_table){ .base = gdt, .limit = sizeof(table) - 1 };
	state->idt = (struct x86_table){ 0 };
	set_segment(state, X86_CS, BOOT_CODE_SELECTOR, code, UINT32_MAX);
	for (size_t i = 0; i < ARRAY_SIZE(data); i++)
		set_segment(state, data[i], BOOT_DATA_SELECTOR, ACCESS_DATA, UINT32_MAX);
	set_segment(state, X86_TR, BOOT_TSS_SELECTOR, ACCESS_TSS, TSS_LIMIT);
	state->seg[X86_LDT] = (struct x86_segment){ .unusable = true };
	state->cr2 = 0;
	state->cr3 = 0;
	state->cr4 = 0;
	state->efer = 0;
	state->run_state = X86_RUNNABLE;
	return true;
}

static bool put_page_tables(struct mem *mem, GError **error)
{
	enum {
		ENTRIES = 512,
		PAGE = MEM_PAGE_SIZE,
		DIRECTORIES = 4
	};
	const uint64_t pdpt = BOOT_PAGE_TABLES + PAGE, directories = pdpt + PAGE;
	g_autofree uint8_t *tables = g_malloc0(BOOT_LOW_END - BOOT_PAGE_TABLES);
	uint8_t *const directory = tables + PAGE + PAGE;

	put_le64(tables, pdpt | PTE_PRESENT_WRITE);
	for (size_t i = 0; i < DIRECTORIES; i++)
		put_le64(tables + PAGE + i * 8, (directories + i * PAGE) | PTE_PRESENT_WRITE);
	for (size_t i = 0; i < (size_t)DIRECTORIES * ENTRIES; i++)
		put_le64(directory + i * 8, i << 21 | PTE_LARGE | PTE_PRESENT_WRITE);
	return boot_put(mem, BOOT_PAGE_TABLES, tables, BOOT_LOW_END - BOOT_PAGE_TABLES, error);
}

bool boot_enter_64(struct mem *mem, struct x86_state *state, uint64_t rip, GError **error)
{
	if (!put_page_tables(mem, error) ||
	    !enter(mem, state, BOOT_GDT, ACCESS_CODE | SEG_ACCESS_L, error))
		return false;
	state->rip = rip;
	state->gpr[X86_RSP] = BOOT_STACK;
	state->cr0 = CR0_PE | CR0_ET | CR0_PG;
	state->cr3 = BOOT_PAGE_TABLES;
	state->cr4 = CR4_PAE;
	state->efer = EFER_LME | EFER_LMA;
	return true;
}

bool boot_enter_32(struct mem *mem, struct x86_state *state, uint64_t gdt, uint32_t eip,
		   GError **error)
{
	if (!enter(mem, state, gdt, ACCESS_CODE | SEG_ACCESS_DB, error))
		return false;
	state->rip = eip;
	state->cr0 = CR0_PE | CR0_ET; /* ET is wired to 1 */
	return true;
}
