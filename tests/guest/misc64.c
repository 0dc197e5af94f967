/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * misc64.c - strings interrupted by faults, code that changes itself, debug traps, FPU state
 */
#include "guest.h"

#define HOLE 0x40000000ull /* a page is put below it */

static u8 page[2][4096] __attribute__((aligned(4096)));
static u8 area[4096] __attribute__((aligned(4096)));

/* ---- REP ---- */

u64 s_rdi, s_rsi, s_rcx, s_rax;
static const char *s_name;

#define STRING(name, insn)                                                                       \
	static void name(void)                                                                   \
	{                                                                                        \
		__asm__ volatile(insn                                                            \
				 : "+D"(s_rdi), "+S"(s_rsi), "+c"(s_rcx), "+a"(s_rax)::"memory", \
				   "cc");                                                        \
	}
STRING(movsb, "rep movsb")
STRING(movsq, "rep movsq")
STRING(movsb_down, "std; rep movsb; cld")
STRING(stosb, "rep stosb")
STRING(stosq, "rep stosq")
STRING(lodsb, "rep lodsb")
STRING(scasb, "repne scasb")
STRING(cmpsb, "repe cmpsb")
STRING(outsb, "movl $0x80, %%edx; rep outsb")
STRING(insb, "movl $0x80, %%edx; rep insb")
STRING(movsb32, "addr32 rep movsb")

static void string(const char *name, void (*fn)(void), u64 rdi, u64 rsi, u64 rcx)
{
	s_rdi = rdi;
	s_rsi = rsi;
	s_rcx = rcx;
	s_rax = 0x5a5a5a5a5a5a5a5aull;
	s_name = name;
	try_print(name, fn);
	if (last.vector == PF)
		print("  rdi %lx rsi %lx rcx %lx\n",
		      (uptr)(last.rdi >= HOLE - 4096 && last.rdi <= HOLE + 64 ? last.rdi : 0),
		      (uptr)(last.rsi >= HOLE - 4096 && last.rsi <= HOLE + 64 ? last.rsi : 0),
		      (uptr)last.rcx);
	__asm__ volatile("cld");
}

static void strings(void)
{
	guest_map(HOLE - 4096, (u64)page[0] | 7);
	guest_map(HOLE, 0);
	string("movsb, write faults", movsb, HOLE - 10, (u64)area, 100);
	string("movsq, write faults across", movsq, HOLE - 20, (u64)area, 100);
	string("movsb, read faults", movsb, (u64)area, HOLE - 10, 100);
	string("stosb", stosb, HOLE - 10, 0, 100);
	string("stosq", stosq, HOLE - 12, 0, 100);
	string("lodsb", lodsb, 0, HOLE - 10, 100);
	for (int i = 0; i < 4096; i++)
		page[0][i] = 0;
	string("scasb", scasb, HOLE - 10, 0, 100);
	string("cmpsb", cmpsb, HOLE - 10, (u64)area + 8, 100);
	string("outsb", outsb, 0, HOLE - 3, 5);
	string("insb", insb, HOLE - 3, 0, 5);
	string("movsb32", movsb32, HOLE - 10, (u64)area, 100);
	guest_map(HOLE, (u64)page[1] | 7);
	guest_map(HOLE - 4096, 0);
	string("movsb down", movsb_down, HOLE + 3, (u64)area + 100, 100);
	guest_map(HOLE - 4096, (u64)page[0] | 7);
	for (int i = 0; i < 256; i++)
		area[i] = (u8)i;
	/* Overlapping by one: fills. */
	s_rdi = (u64)area + 1;
	s_rsi = (u64)area;
	s_rcx = 100;
	movsb();
	check("overlap fills", area[100] == 0 && area[101] == 101);
	s_rcx = 0;
	movsb();
	check("count 0", s_rcx == 0 && s_rdi == (u64)area + 101);
}

/* ---- code that changes itself ---- */

static u8 code[64] __attribute__((aligned(64)));

static void self_modifying(void)
{
	u32 sum = 0, v;

	code[0] = 0xb8;
	code[5] = 0xc3;
	for (u32 i = 0; i < 1000; i++) {
		*(volatile u32 *)(code + 1) = i;
		sum += ((u32(*)(void))code)();
	}
	check("rewritten function", sum == 499500);
	/* The next instruction, in the same block. */
	__asm__ volatile("movl $0x12345678, 1f+1(%%rip); 1: movl $0, %%eax" : "=a"(v)::"memory");
	check("next instruction", v == 0x12345678);
	__asm__ volatile(
		"movl $1, %%ecx; 2: movb $0x40, 1f+2(%%rip); 1: addl $1, %%ecx; cmpl $0x41, %%ecx"
		: "=c"(v)::"memory");
	check("same block again", v == 0x41);
	/* By a string instruction over itself and what follows. */
	__asm__ volatile("leaq 1f(%%rip), %%rdi; movl $3, %%ecx; movb $0x90, %%al; rep stosb; xorl "
			 "%%eax, %%eax;"
			 "1: addl $5, %%eax"
			 : "=a"(v)::"rdi", "rcx", "memory");
	check("by rep stosb", v == 0);
	/* Through another linear address of the same page. */
	guest_map(HOLE, ((u64)code & ~0xfffull) | 7);
	*(volatile u32 *)(HOLE + ((u64)code & 0xfff) + 1) = 77;
	check("through an alias", ((u32(*)(void))code)() == 77);
	guest_map(HOLE, (u64)page[1] | 7);
}

/* ---- debug ---- */

static unsigned traps;
static u64 trap_rip[16], trap_dr6[16];
static volatile u32 watched[4] __attribute__((aligned(16)));

static int debug_handler(struct frame *f)
{
	if (f->vector != DB)
		return 0;
	if (traps < 16) {
		trap_rip[traps] = f->rip;
		trap_dr6[traps] = last_dr6;
	}
	traps++;
	WRITE_DR(6, 0);
	/* An instruction breakpoint would come back for ever. */
	if (last_dr6 & 15 && (READ_DR(7) >> 16 & 3) == 0)
		f->rflags |= 0x10000;
	return 1;
}

static void report(const char *name, u64 base)
{
	print("%s: %u", name, traps);
	for (unsigned i = 0; i < traps && i < 16; i++)
		print(" %x/%x", (u32)(trap_rip[i] - base), (u32)(trap_dr6[i] & 0xe00f));
	print("\n");
	traps = 0;
}

static void read_dr(void)
{
	(void)READ_DR(0);
}
static void gd(void)
{
	WRITE_DR(7, 0x2400);
	read_dr();
}

static void debug(void)
{
	u64 base;

	guest_handler = debug_handler;
	__asm__ volatile("leaq 1f(%%rip), %0; pushfq; orl $0x100, (%%rsp); popfq; 1: nop; nop; "
			 "movl $1, %%eax;"
			 "pushfq; andl $0xfffffeff, (%%rsp); popfq; nop"
			 : "=&r"(base)::"rax", "memory", "cc");
	report("TF", base);
	__asm__ volatile("leaq 1f(%%rip), %0; movl $3, %%ecx; leaq %1, %%rdi; pushfq; orl $0x100, "
			 "(%%rsp); popfq;"
			 "1: rep stosb; pushfq; andl $0xfffffeff, (%%rsp); popfq; nop"
			 : "=&r"(base)
			 : "m"(area)
			 : "rcx", "rdi", "memory", "cc");
	report("TF and REP", base);
	__asm__ volatile(
		"leaq 1f(%%rip), %0; movl %%ss, %%edx; pushfq; orl $0x100, (%%rsp); popfq;"
		"1: movl %%edx, %%ss; nop; nop; pushfq; andl $0xfffffeff, (%%rsp); popfq; nop"
		: "=&r"(base)::"rdx", "memory", "cc");
	report("TF and MOV SS", base);
	__asm__ volatile("leaq 1f(%%rip), %0" : "=r"(base));
	WRITE_DR(0, base);
	WRITE_DR(7, 0x401 | 1);
	__asm__ volatile("nop; 1: nop; nop");
	report("execution", base);
	WRITE_DR(7, 0x400);
	__asm__ volatile("jmp 2f; 3: nop; ret; 2: leaq 3b(%%rip), %0" : "=r"(base));
	WRITE_DR(1, base);
	WRITE_DR(7, 0x404);
	__asm__ volatile("call *%0" ::"r"(base));
	report("execution, called", base);
	WRITE_DR(0, (u64)&watched[0]);
	WRITE_DR(7, 0xd0401);
	__asm__ volatile("leaq 1f(%%rip), %0; movl $1, watched; 1: nop; movl watched, %%eax; nop; "
			 "movl $1, watched+4;"
			 "movb $1, watched+3; nop"
			 : "=&r"(base)::"rax", "memory");
	report("write of 4", base);
	WRITE_DR(7, 0xf0401);
	__asm__ volatile("leaq 1f(%%rip), %0; movl $1, watched; 1: nop; movl watched, %%eax; nop;"
			 "movq watched-4, %%rax; nop"
			 : "=&r"(base)::"rax", "memory");
	report("access of 4", base);
	WRITE_DR(7, 0x400);
	WRITE_CR(4, READ_CR(4) | 8);
	WRITE_DR(0, 0x80);
	WRITE_DR(7, 0x20401);
	__asm__ volatile("leaq 1f(%%rip), %0; outb %%al, $0x80; 1: nop; inb $0x84, %%al; nop; inb "
			 "$0x80, %%al; nop"
			 : "=&r"(base)::"rax");
	report("I/O", base);
	WRITE_DR(7, 0x400);
	WRITE_CR(4, READ_CR(4) & ~8ull);
	guest_handler = 0;
	WRITE_DR(6, 0);
	try_print("general detect", gd);
	print("  dr6 %x dr7 %x\n", (u32)READ_DR(6), (u32)READ_DR(7));
	WRITE_DR(6, 0);
	WRITE_DR(7, 0xffffdf00);
	print("dr7 of ones %x\n", (u32)READ_DR(7) & ~0x1800u);
	WRITE_DR(7, 0x400);
	WRITE_DR(6, 0xffffffff);
	print("dr6 of ones %x\n", (u32)READ_DR(6) & 0xffffefffu);
	WRITE_DR(6, 0);
	print("dr6 of zeros %x\n", (u32)READ_DR(6));
}

/* ---- FPU ---- */

static u8 image[2][1024] __attribute__((aligned(64)));
static void sse(void)
{
	__asm__ volatile("xorps %xmm0, %xmm0");
}
static void x87(void)
{
	__asm__ volatile("fld1; fstp %st(0)");
}
static void xgetbv(void)
{
	__asm__ volatile("xgetbv" ::"c"(0) : "rax", "rdx");
}
static u32 xcr;
static void xsetbv(void)
{
	__asm__ volatile("xsetbv" ::"c"(0), "a"(xcr), "d"(0));
}
static void fxsave_odd(void)
{
	__asm__ volatile("fxsave %0" : "=m"(image[0][8]));
}
static void bad_mxcsr(void)
{
	*(u32 *)(image[0] + 24) = 0x10000;
	__asm__ volatile("fxrstor %0" ::"m"(image[0]));
}

static void fpu(void)
{
	u64 a = 0x1122334455667788ull, b = 0;
	u32 r[4];

	__asm__ volatile("fninit; fld1; fldpi; movq %1, %%xmm7; fxsave %0; fninit; xorps %%xmm7, "
			 "%%xmm7; fxrstor %0"
			 : "+m"(image[0])
			 : "r"(a));
	__asm__ volatile("movq %%xmm7, %0" : "=r"(b));
	check("XMM back", a == b);
	__asm__ volatile("fxsave %0" : "=m"(image[1]));
	print("fcw %x fsw %x ftw %x mxcsr %x mask %x st0 %lx:%x\n", *(u16 *)image[1],
	      *(u16 *)(image[1] + 2), image[1][4], *(u32 *)(image[1] + 24),
	      *(u32 *)(image[1] + 28) & 0xffdf, (uptr) * (u64 *)(image[1] + 32),
	      *(u16 *)(image[1] + 40));
	try_print("fxsave, not aligned", fxsave_odd);
	try_print("fxrstor, bad MXCSR", bad_mxcsr);
	WRITE_CR(0, READ_CR(0) | 8);
	try_print("TS: sse", sse);
	try_print("TS: x87", x87);
	WRITE_CR(0, (READ_CR(0) & ~8ull) | 4);
	try_print("EM: sse", sse);
	try_print("EM: x87", x87);
	WRITE_CR(0, READ_CR(0) & ~4ull);
	WRITE_CR(4, READ_CR(4) & ~0x200ull);
	try_print("OSFXSR off: sse", sse);
	try_print("OSFXSR off: x87", x87);
	WRITE_CR(4, READ_CR(4) | 0x200);
	try_print("xgetbv, OSXSAVE off", xgetbv);
	cpuid(1, 0, r);
	if (!(r[2] & 1u << 26))
		return;
	check("OSXSAVE off in CPUID", !(r[2] & 1u << 27));
	WRITE_CR(4, READ_CR(4) | 1u << 18);
	cpuid(1, 0, r);
	check("OSXSAVE on in CPUID", (r[2] & 1u << 27) != 0);
	try_print("xgetbv", xgetbv);
	xcr = 3;
	try_print("xsetbv 3", xsetbv);
	xcr = 2;
	try_print("xsetbv 2", xsetbv);
	xcr = 0x80000001;
	try_print("xsetbv, unknown bit", xsetbv);
	for (unsigned i = 0; i < sizeof(image[0]); i++)
		image[0][i] = 0;
	__asm__ volatile("fninit; movq %1, %%xmm7; xsave %0; xorps %%xmm7, %%xmm7; xrstor %0; movq "
			 "%%xmm7, %2"
			 : "+m"(image[0])
			 : "r"(a), "r"(b), "a"(3), "d"(0));
	print("xstate_bv %x of x87, sse\n", image[0][512] & 2);
}

int main(void)
{
	strings();
	self_modifying();
	debug();
	fpu();
	return guest_failures;
}
