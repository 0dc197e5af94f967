/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * faults64.c - exceptions of long mode with their exact error codes
 */
#include "guest.h"

static u16 sel;
static u64 value;
static u32 msr_number;

static void load_ds(void)
{
	__asm__ volatile("movl %0, %%ds" ::"r"((u32)sel));
}
static void load_ss(void)
{
	__asm__ volatile("movl %0, %%ss" ::"r"((u32)sel));
}
static void load_tr(void)
{
	__asm__ volatile("ltr %0" ::"r"(sel));
}
static void load_ldt(void)
{
	__asm__ volatile("lldt %0" ::"r"(sel));
}
static void far_jump(void)
{
	struct {
		u64 off;
		u16 sel;
	} __attribute__((packed)) to = { value, sel };

	__asm__ volatile("rex64 ljmp *%0" ::"m"(to));
}
static void write_cr0(void)
{
	WRITE_CR(0, value);
}
static void write_cr3(void)
{
	WRITE_CR(3, value);
}
static void write_cr4(void)
{
	WRITE_CR(4, value);
}
static void write_cr8(void)
{
	WRITE_CR(8, value);
}
static void write_dr7(void)
{
	WRITE_DR(7, value);
}
static void write_dr6(void)
{
	WRITE_DR(6, value);
}
static void read_msr(void)
{
	rdmsr(msr_number);
}
static void write_msr(void)
{
	wrmsr(msr_number, value);
}
static void read_mem(void)
{
	(void)*(volatile u64 *)value;
}
static void write_mem(void)
{
	*(volatile u64 *)value = 1;
}
static void jump_to(void)
{
	__asm__ volatile("jmp *%0" ::"r"(value));
}
static void divide(void)
{
	__asm__ volatile("divl %0" ::"r"(0), "a"(1), "d"(0));
}
static void divide_range(void)
{
	__asm__ volatile("idivl %0" ::"r"(-1), "a"(0x80000000), "d"(-1));
}
static void ud2(void)
{
	__asm__ volatile("ud2");
}
static void int_gone(void)
{
	__asm__ volatile("int $0x60");
}
static void int1(void)
{
	__asm__ volatile(".byte 0xf1");
}
static void lock_mov(void)
{
	__asm__ volatile(".byte 0xf0; movl %%eax, (%%rsp)" ::: "memory");
}
static void old_push(void)
{
	__asm__ volatile(".byte 0x06");
}
static void bad_stack(void)
{
	__asm__ volatile(
		"movq %%rsp, %%rbx; movq %0, %%rsp; pushq %%rax; movq %%rbx, %%rsp" ::"r"(value)
		: "rbx", "memory");
}
static void bad_rbp(void)
{
	__asm__ volatile("pushq %%rbp; movq %0, %%rbp; movq (%%rbp), %%rax; popq %%rbp" ::"r"(value)
			 : "rax", "memory");
}
static void iret_frame(u64 rip, u64 cs, u64 flags, u64 rsp, u64 ss)
{
	__asm__ volatile("pushq %0; pushq %1; pushq %2; pushq %3; pushq %4; iretq" ::"r"(ss),
			 "r"(rsp), "r"(flags), "r"(cs), "r"(rip)
			 : "memory");
}
static void iret_null(void)
{
	iret_frame((u64)ud2, 0, 2, (u64)stack_top, 0x10);
}
static void iret_bad_cs(void)
{
	iret_frame((u64)ud2, 0x1000, 2, (u64)stack_top, 0x10);
}
static void iret_data_cs(void)
{
	iret_frame((u64)ud2, 0x10, 2, (u64)stack_top, 0x10);
}
static void iret_rpl(void)
{
	iret_frame((u64)ud2, 0x08 | 3, 2, (u64)stack_top, 0x10);
}
static void iret_bad_ss(void)
{
	iret_frame((u64)ud2, 8, 2, (u64)stack_top, 0x18);
}
static void iret_np_ss(void)
{
	iret_frame((u64)ud2, 8, 2, (u64)stack_top, 0x50);
}
static void iret_null_ss3(void)
{
	iret_frame((u64)ud2, 0x33, 2, (u64)stack_top, 3);
}
static void iret_canon(void)
{
	iret_frame(0x800000000000ull, 8, 2, (u64)stack_top, 0x10);
}
static void iret_nt(void)
{
	__asm__ volatile("pushfq; orl $0x4000, (%%rsp); popfq" ::: "cc", "memory");
	iret_frame((u64)ud2, 8, 2, (u64)stack_top, 0x10);
}

static void selectors(void)
{
	static const struct {
		u16 sel;
		const char *what;
	} cases[] = {
		{ 0, "null" },         { 0x10, "data" },         { 0x13, "data, RPL 3" },
		{ 0x18, "code" },      { 0x60, "execute-only" }, { 0x50, "not present" },
		{ 0x58, "read-only" }, { 0x68, "DPL 1" },        { 0x38, "TSS" },
		{ 0x1000, "beyond" },  { 0x14, "LDT, none" },    { 0x70, "conforming" },
	};

	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		sel = cases[i].sel;
		print("%x %s\n", sel, cases[i].what);
		try_print("  mov ds", load_ds);
		try_print("  mov ss", load_ss);
		try_print("  ltr", load_tr);
		try_print("  lldt", load_ldt);
		value = (u64)ud2;
		try_print("  ljmp", far_jump);
	}
	__asm__ volatile("movl %0, %%ds; movl %0, %%ss" ::"r"(0x10));
	sel = 0;
	load_ldt();
}

static void accessed(void)
{
	sel = 0x48;
	check("not accessed before", !(gdt[9] & 1ull << 40));
	load_ds();
	check("accessed after", (gdt[9] & 1ull << 40) != 0);
	check("TSS busy", (gdt[7] >> 40 & 15) == 11);
	sel = 0x10;
	load_ds();
}

static void gates(void)
{
	set_gate(0x60, vectors[0x60], 14, 0, 0);
	try_print("int", int_gone);
	set_gate(0x60, vectors[0x60], 12, 0, 0);
	try_print("int by a call gate", int_gone);
	set_gate(0x60, (void *)0x800000000000ul, 14, 0, 0);
	try_print("int to nowhere", int_gone);
	set_gate(0x60, vectors[0x60], 14, 0, 0);
	extern u64 idt[];
	idt[2 * 0x60] &= ~(1ull << 47);
	try_print("int by a gate not present", int_gone);
	idt[2 * 0x60] = (idt[2 * 0x60] | 1ull << 47) & ~(0xffffull << 16);
	try_print("int to a null selector", int_gone);
	idt[2 * 0x60] |= 0x18ull << 16;
	try_print("int to 32-bit code", int_gone);
	idt[2 * 0x60] = (idt[2 * 0x60] & ~(0xffffull << 16)) | 0x10ull << 16;
	try_print("int to data", int_gone);
}

#define CASE_VALUE(fn, v)                  \
	do {                               \
		value = (v);               \
		try_print(#fn " " #v, fn); \
	} while (0)

int main(void)
{
	/* #SS by a bad stack pointer cannot be delivered there. */
	*(u64 *)(tss + 0x24) = (u64)stack_top - 8192;
	set_gate(SS, vectors[SS], 14, 0, 1);
	try_print("div by zero", divide);
	try_print("idiv overflow", divide_range);
	try_print("ud2", ud2);
	try_print("lock mov", lock_mov);
	try_print("push es", old_push);
	try_print("int1", int1);
	CASE_VALUE(read_mem, 0x800000000000);
	CASE_VALUE(read_mem, 0x7ffffffffffc);
	CASE_VALUE(write_mem, 0xffff7fffffffffff);
	CASE_VALUE(bad_stack, 0x800000000008);
	CASE_VALUE(bad_rbp, 0x800000000000);
	CASE_VALUE(jump_to, 0x800000000000);
	CASE_VALUE(jump_to, 0x7fffffffffff);
	selectors();
	accessed();
	gates();
	try_print("iret to null", iret_null);
	try_print("iret beyond", iret_bad_cs);
	try_print("iret to data", iret_data_cs);
	try_print("iret, RPL 3 of level 0", iret_rpl);
	try_print("iret, SS is code", iret_bad_ss);
	try_print("iret, SS not present", iret_np_ss);
	try_print("iret, SS null in ring 3", iret_null_ss3);
	try_print("iret, not canonical", iret_canon);
	try_print("iret with NT", iret_nt);
	CASE_VALUE(write_cr0, 0x80000000);
	CASE_VALUE(write_cr0, 0xa0010033);
	CASE_VALUE(write_cr0, 0x180010033);
	CASE_VALUE(write_cr0, 0x00010033);
	CASE_VALUE(write_cr3, 0x4000000000000000);
	CASE_VALUE(write_cr4, 0x600);
	CASE_VALUE(write_cr4, 0x80000620);
	CASE_VALUE(write_cr8, 0x10);
	CASE_VALUE(write_cr8, 0);
	CASE_VALUE(write_dr7, 0x100000400);
	CASE_VALUE(write_dr6, 0x100000000);
	msr_number = 0xc0000080;
	CASE_VALUE(write_msr, 0x10000);
	CASE_VALUE(write_msr, 0x800);
	msr_number = 0xc0000082;
	CASE_VALUE(write_msr, 0x800000000000);
	CASE_VALUE(write_msr, 0xffff800000000000);
	msr_number = 0xc0000101;
	CASE_VALUE(write_msr, 0x800000000000);
	msr_number = 0x277;
	CASE_VALUE(write_msr, 0x2);
	CASE_VALUE(write_msr, 0x0007040600070406);
	msr_number = 0xdeadbeef;
	CASE_VALUE(write_msr, 0);
	try_print("read_msr 0xdeadbeef", read_msr);
	return guest_failures;
}
