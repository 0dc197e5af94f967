/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * modes32.c - real mode, virtual-8086 mode, 16-bit gates, paging of 32 bits: legacy and PAE
 */
#include "guest.h"

#define CODE16(name, text)                      \
	extern const char name[], name##_end[]; \
	__asm__(".code16\n" #name ":\n" text "\n" #name "_end:\n.code32\n")

/* ---- real mode ---- */

CODE16(r_add, "movw $0x1234, %ax; addw $1, %ax; lretw");
CODE16(r_cs, "movw %cs, %ax; lretw");
CODE16(r_seg, "movw $0x0810, %bx; movw %bx, %es; movw $0xbeef, %es:0x10;"
	      "movw %cs:0x110, %ax; lretw");
/* INT 0x21 through a vector that is put into the table; the handler follows */
CODE16(r_int, "xorw %bx, %bx; movw %bx, %ds; movw $(r_handler - r_int), 0x84;"
	      "movw $0x0800, 0x86; stc; int $0x21; lretw;"
	      "r_handler: pushfw; popw %ax; xorw $0x3, %ax; pushw %bp; movw %sp, %bp;"
	      "movw 6(%bp), %bx; popw %bp; shlw $8, %bx; orw %bx, %ax; iretw");
/* #DE through vector 0: its handler skips the two bytes of the DIV */
CODE16(r_div,
       "xorw %bx, %bx; movw %bx, %ds; movw $(r_div0 - r_div), 0; movw $0x0800, 2;"
       "xorw %dx, %dx; divw %bx; lretw;"
       "r_div0: pushw %bp; movw %sp, %bp; addw $2, 2(%bp); popw %bp; movw $0xd1, %ax; iretw");
/* A word at ffff of a 64 KiB segment: #GP, vector 13 */
CODE16(r_limit,
       "xorw %bx, %bx; movw %bx, %ds; movw $(r_gp - r_limit), 0x34; movw $0x0800, 0x36;"
       "movw $0xffff, %si; movb $0xa0, 0(%si); xorw %ax, %ax; movw (%si), %cx; lretw;"
       "r_gp: pushw %bp; movw %sp, %bp; addw $2, 2(%bp); popw %bp; movw $0x13, %ax; iretw");
CODE16(r_wide, "movl $0x11223344, %eax; rorl $16, %eax; movl $0x8000, %ebx;"
	       "movw %cs, %cx; addr32 movb (%ebx), %al; addr32 lea 4(%ebx,%ebx,2), %edx;"
	       "addw %dx, %ax; lretw");
CODE16(r_push, "pushw $0x55; pushl $0x66; popl %eax; popw %bx; addw %bx, %ax; enterw $4, $0;"
	       "leavew; pusha; popa; lretw");
CODE16(r_far, "lcallw $0x0801, $(r_there - r_far - 16); incw %ax; lretw; .nops 16;"
	      "r_there: movw %cs, %ax; lretw");

static void real_mode(void)
{
#define REAL(name)                    \
	put_code16(name, name##_end); \
	print(#name ": %x\n", guest_real())
	REAL(r_add);
	REAL(r_cs);
	REAL(r_seg);
	REAL(r_int);
	REAL(r_div);
	REAL(r_limit);
	REAL(r_wide);
	REAL(r_push);
	REAL(r_far);
}

/* ---- virtual-8086 mode ---- */

CODE16(v_int80, "int $0x80");
CODE16(v_cli, "cli; int $0x80");
CODE16(v_pushf, "pushfw; popw %ax; int $0x80");
CODE16(v_in, "inb $0x80, %al; int $0x80");
CODE16(v_hlt, "hlt");
CODE16(v_ud, "ud2");
CODE16(v_sldt, ".byte 0x0f, 0x00, 0xc0"); /* sldt %ax */
CODE16(v_lgdt, "lgdtl 0");
CODE16(v_cr0, "movl %cr0, %eax");
CODE16(v_limit, "movw $0xffff, %bx; movw (%bx), %ax; int $0x80");
CODE16(v_stack, "movw $1, %sp; pushw %ax; int $0x80");
CODE16(v_far, "ljmpw $0x0801, $(1f - v_far - 16); .nops 16; 1: movw %cs, %ax; int $0x80");
CODE16(v_int3, "int3");
CODE16(v_iret, "pushfw; pushw %cs; pushw $(2f - v_iret); iretw; 2: int $0x80");
CODE16(v_seg, "movw $0x1000, %ax; movw %ax, %ds; movw %ds, %bx; int $0x80");

static void vm86(void)
{
#define VM(name)                                                                                \
	do {                                                                                    \
		put_code16(name, name##_end);                                                   \
		guest_vm86(0);                                                                  \
		print(#name ": ");                                                              \
		print_fault();                                                                  \
		print("  %x:%x ax %x ss:sp %x:%x flags %x ds %x es %x fs %x gs %x\n", last.cs,  \
		      last.eip, last.eax & 0xffff, last.ss, last.esp, last.eflags, last.v86_ds, \
		      last.v86_es, last.v86_fs, last.v86_gs);                                   \
	} while (0)

	print("IOPL 0\n");
	vm86_flags = 0x20002;
	VM(v_int80);
	VM(v_cli);
	VM(v_pushf);
	VM(v_in);
	VM(v_iret);
	VM(v_int3);
	print("IOPL 3\n");
	vm86_flags = 0x23002;
	VM(v_int80);
	VM(v_cli);
	VM(v_pushf);
	VM(v_in);
	VM(v_hlt);
	VM(v_ud);
	VM(v_sldt);
	VM(v_lgdt);
	VM(v_cr0);
	VM(v_limit);
	VM(v_stack);
	VM(v_far);
	VM(v_int3);
	VM(v_iret);
	VM(v_seg);
}

/* ---- 32-bit paging ---- */

static u32 pd32[1024] __attribute__((aligned(4096))), pt32[1024] __attribute__((aligned(4096)));
static u64 pdpt_pae[4] __attribute__((aligned(32)));
static u64 pd_pae[4][512] __attribute__((aligned(4096))),
	pt_pae[512] __attribute__((aligned(4096)));
static u8 page[4096] __attribute__((aligned(4096)));
static u32 at, value;

static void read_at(void)
{
	(void)*(volatile u32 *)at;
}
static void write_at(void)
{
	*(volatile u32 *)at = 1;
}
static void user_read(void)
{
	read_at();
	__asm__ volatile("int $0x80");
}
static void user_write(void)
{
	write_at();
	__asm__ volatile("int $0x80");
}
static void jump_at(void)
{
	((void (*)(void))at)();
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

static void access_page(const char *name)
{
	page[0] = 0xc3;
	print("%s\n", name);
	try_print("  read", read_at);
	try_print("  write", write_at);
	page[0] = 0xc3;
	try_print("  call", jump_at);
	try_user_print("  user read", user_read);
	try_user_print("  user write", user_write);
}

static void legacy_paging(void)
{
	for (unsigned i = 0; i < 1024; i++)
		pd32[i] = i << 22 | 0x87;
	at = 0x40000000;
	pd32[256] = (u32)pt32 | 7;
	WRITE_CR(4, 0x10); /* PSE */
	WRITE_CR(3, (u32)pd32);
	WRITE_CR(0, 0x80010011);
	pt32[0] = (u32)page | 7;
	access_page("legacy: user");
	print("  pte %x pde %x\n", pt32[0] & 0xfff, pd32[256] & 0xfff);
	pt32[0] = (u32)page | 5;
	WRITE_CR(3, (u32)pd32);
	access_page("legacy: user, read-only");
	pt32[0] = (u32)page | 3;
	WRITE_CR(3, (u32)pd32);
	access_page("legacy: supervisor");
	pt32[0] = 0;
	WRITE_CR(3, (u32)pd32);
	access_page("legacy: not present");
	pd32[256] = 0x00200087; /* bit 21 is reserved */
	WRITE_CR(3, (u32)pd32);
	access_page("legacy: reserved bit of a 4 MiB page");
	value = 0x11;
	try_print("paging off", write_cr0);
	WRITE_CR(4, 0);
}

static void pae_paging(void)
{
	for (unsigned i = 0; i < 4; i++) {
		pdpt_pae[i] = (u32)pd_pae[i] | 1;
		for (unsigned j = 0; j < 512; j++)
			pd_pae[i][j] = (u64)(i << 30 | j << 21) | 0x87;
	}
	pd_pae[1][0] = (u32)pt_pae | 7;
	__asm__ volatile("wrmsr" ::"c"(0xc0000080), "a"(0x800), "d"(0)); /* NXE */
	WRITE_CR(4, 0x20);
	pdpt_pae[2] |= 2; /* reserved */
	WRITE_CR(3, (u32)pdpt_pae);
	value = 0x80010011;
	try_print("paging on, reserved bit in a PDPTE", write_cr0);
	pdpt_pae[2] &= ~2ull;
	try_print("paging on", write_cr0);
	pt_pae[0] = (u32)page | 7;
	access_page("PAE: user");
	print("  pte %x pde %x\n", (u32)pt_pae[0] & 0xfff, (u32)pd_pae[1][0] & 0xfff);
	pt_pae[0] = (u32)page | 7 | 1ull << 63;
	WRITE_CR(3, (u32)pdpt_pae);
	access_page("PAE: no execution");
	pt_pae[0] = (u32)page | 7 | 1ull << 60;
	WRITE_CR(3, (u32)pdpt_pae);
	access_page("PAE: reserved bit");
	pt_pae[0] = (u32)page | 7;
	pdpt_pae[1] = 0;
	try_print("PDPTE gone, not loaded again", read_at);
	WRITE_CR(3, (u32)pdpt_pae);
	try_print("PDPTE gone", read_at);
	pdpt_pae[1] = (u32)pd_pae[1] | 1 | 0x1e0;
	value = (u32)pdpt_pae;
	try_print("CR3, reserved bit in a PDPTE", write_cr3);
	value = 0x2000;
	try_print("CR4, VMXE", write_cr4);
	value = 0x80000010;
	try_print("CR0, PG without PE", write_cr0);
	value = 0x11;
	try_print("paging off", write_cr0);
	WRITE_CR(4, 0);
}

int main(void)
{
	real_mode();
	vm86();
	legacy_paging();
	pae_paging();
	return guest_failures;
}
