/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * common64.c - what every KVM gets right, one that emulates ring 0 in software as well: ports,
 * registers in memory, CPUID, MSRs, faults from both rings, and ring 3 at work
 *
 * Not here, as such a KVM is wrong there: SYSCALL (it stays in ring 3), INT n from ring 3, IOPL 3.
 */
#include "guest.h"

#define USER(name, code)                                                               \
	static void name(void)                                                         \
	{                                                                              \
		__asm__ volatile(code ::: "rax", "rcx", "rdx", "rbx", "memory", "cc"); \
		USER_RETURN;                                                           \
	}

static u32 read32(uptr at)
{
	return *(volatile u32 *)at;
}

static void write32(uptr at, u32 v)
{
	*(volatile u32 *)at = v;
}

/* ---- ports and memory-mapped registers ---- */

static void ports(void)
{
	static const char text[] = "string output\n";
	const char *p = text;
	uptr n = sizeof(text) - 1;

	outb(0x3ff, 0x5a);
	check("scratch register", inb(0x3ff) == 0x5a);
	outb(0x3ff, 0xa5);
	check("and again", inb(0x3ff) == 0xa5);
	check("no device", inb(0x84) == 0xff);
	__asm__ volatile("rep outsb" : "+S"(p), "+c"(n) : "d"(0x3f8) : "memory");
	check("all of the string", n == 0 && p == text + sizeof(text) - 1);
}

static void registers(void)
{
	u32 v = 0;

	write32(0xfec00000, 1);
	check("IOAPIC", (read32(0xfec00010) >> 16 & 0xff) == 23);
	write32(0xfec00000, 0x10 + 2 * 20 + 1);
	write32(0xfec00010, 0x03000000);
	check("IOAPIC destination", read32(0xfec00010) == 0x03000000);
	check("LAPIC ID", read32(0xfee00020) == 0);
	check("LAPIC version", (read32(0xfee00030) & 0xff) >= 0x14);
	write32(0xfee00080, 0x30);
	check("TPR", read32(0xfee00080) == 0x30);
	check("CR8", READ_CR(8) == 3);
	WRITE_CR(8, 0);
	check("CR8 to TPR", read32(0xfee00080) == 0);
	write32(0xfee00080, 0x20);
	__asm__ volatile("movl %1, %0" : "=r"(v) : "m"(*(volatile u32 *)0xfee00080ul));
	check("a load", v == 0x20);
	__asm__ volatile("movl $0x10, %0" : "=m"(*(volatile u32 *)0xfee00080ul));
	check("a store of a constant", read32(0xfee00080) == 0x10);
	write32(0xfee00080, 0);
}

/* ---- CPUID and MSRs ---- */

static void features(void)
{
	u32 r[4];

	cpuid(0, 0, r);
	check("leaf 1 exists", r[0] >= 1);
	cpuid(1, 0, r);
	check("FPU TSC MSR PAE CX8 APIC", (r[3] & 0x371) == 0x371);
	check("SSE SSE2 FXSR", (r[3] & 0x07000000) == 0x07000000);
	check("hypervisor", r[2] >> 31);
	cpuid(0x80000000, 0, r);
	check("leaf 80000008 exists", r[0] >= 0x80000008);
	cpuid(0x80000001, 0, r);
	check("SYSCALL NX LM", (r[3] & 0x20100800) == 0x20100800);
	cpuid(0x80000008, 0, r);
	check("addresses", (r[0] & 0xff) >= 36 && (r[0] >> 8 & 0xff) >= 48);
	cpuid(0x40000000, 0, r);
	print("hypervisor: %c%c%c\n", (char)r[1], (char)(r[1] >> 8), (char)(r[1] >> 16));
}

static u64 fs0, gs0, gs0_swapped;

static void msrs(void)
{
	static u64 at[2] = { 0x1111, 0x2222 };
	u64 t;

	print("EFER %lx\n", (uptr)rdmsr(0xc0000080));
	print("APIC base %lx\n", (uptr)rdmsr(0x1b));
	wrmsr(0xc0000100, (u64)&at[0]);
	wrmsr(0xc0000101, (u64)&at[1]);
	wrmsr(0xc0000102, (u64)&at[0]);
	check("FS base", rdmsr(0xc0000100) == (u64)&at[0]);
	__asm__ volatile("movq %%fs:0, %0; movq %%gs:0, %1; swapgs; movq %%gs:0, %2; swapgs"
			 : "=&r"(fs0), "=&r"(gs0), "=&r"(gs0_swapped));
	print("fs:0 %lx, gs:0 %lx, swapped %lx\n", (uptr)fs0, (uptr)gs0, (uptr)gs0_swapped);
	check("GS base", rdmsr(0xc0000101) == (u64)&at[1] && rdmsr(0xc0000102) == (u64)&at[0]);
	wrmsr(0xc0000100, 0xffff800012345678ull);
	check("upper half", rdmsr(0xc0000100) == 0xffff800012345678ull);
	wrmsr(0xc0000100, 0);
	wrmsr(0x277, 0x0007040600070406ull);
	check("PAT", rdmsr(0x277) == 0x0007040600070406ull);
	t = rdmsr(0x10);
	check("TSC", rdtsc() > t);
	check("its MSR", rdmsr(0x10) > t);
}

/* ---- faults in ring 0 ---- */

static void k_ud(void)
{
	__asm__ volatile("ud2");
}
static void k_de(void)
{
	__asm__ volatile("divl %0" ::"r"(0), "a"(1), "d"(0) : "cc");
}
static void k_pf(void)
{
	(void)*(volatile u8 *)0x7f0000000123ull;
}
static void k_rdmsr(void)
{
	rdmsr(0xdead0000);
}
static void k_lstar(void)
{
	wrmsr(0xc0000082, 0x800000000000ull);
}
static void k_seg(void)
{
	__asm__ volatile("movl %0, %%es" ::"r"(0x123));
}
static void k_gp(void)
{
	(void)*(volatile u8 *)0x800000000000ull;
}

static void kernel_faults(void)
{
	try_print("ud2", k_ud);
	try_print("div", k_de);
	try_print("page fault", k_pf);
	try_print("rdmsr", k_rdmsr);
	try_print("wrmsr", k_lstar);
	try_print("mov es", k_seg);
	try_print("not canonical", k_gp);
}

/* ---- faults in ring 3 ---- */

USER(u_nop, "nop")
USER(u_ud, "ud2")
USER(u_de, "xorl %%ecx, %%ecx; xorl %%edx, %%edx; movl $1, %%eax; divl %%ecx")
USER(u_over, "movl $1, %%ecx; movl $1, %%edx; xorl %%eax, %%eax; divl %%ecx")
USER(u_int3, "int3")
USER(u_hlt, "hlt")
USER(u_cli, "cli")
USER(u_in, "inb $0x80, %%al")
USER(u_out, "outb %%al, $0x80")
USER(u_cr0, "movq %%cr0, %%rax")
USER(u_cr3, "movq %%rax, %%cr3")
USER(u_cr8, "movq %%cr8, %%rax")
USER(u_dr7, "movq %%db7, %%rax")
USER(u_clts, "clts")
USER(u_lgdt, "lgdt (%%rsp)")
USER(u_lidt, "lidt (%%rsp)")
USER(u_ltr, "movl $0x38, %%eax; ltr %%ax")
USER(u_invlpg, "invlpg (%%rsp)")
USER(u_wbinvd, "wbinvd")
USER(u_rdmsr, "movl $0x10, %%ecx; rdmsr")
USER(u_wrmsr, "movl $0x10, %%ecx; wrmsr")
USER(u_swapgs, "swapgs")
USER(u_ds0, "movl $0x10, %%eax; movl %%eax, %%ds")
USER(u_ss, "movl $0x28, %%eax; movl %%eax, %%ss")
USER(u_es, "movl $0x123, %%eax; movl %%eax, %%es")
USER(u_canonical, "movabsq $0x800000000000, %%rax; movb (%%rax), %%al")
USER(u_stack, "movq %%rsp, %%rbx; movabsq $0x800000000008, %%rsp; pushq %%rax; movq %%rbx, %%rsp")
USER(u_movaps, "movaps -15(%%rsp), %%xmm0; movaps -16(%%rsp), %%xmm0; movaps -15(%%rsp), %%xmm0")
USER(u_pf, "movabsq $0x7f0000000123, %%rax; movb (%%rax), %%al")
USER(u_pf_write, "movabsq $0x7f0000000123, %%rax; movb %%al, (%%rax)")
USER(u_pf_fetch, "movabsq $0x7f0000000123, %%rax; jmp *%%rax")
USER(u_rdtsc, "rdtsc")
USER(u_cpuid, "xorl %%eax, %%eax; xorl %%ecx, %%ecx; cpuid")
USER(u_iret, "pushq $0x10; pushq %%rsp; pushq $2; pushq $8; pushq $0; iretq")

static const struct {
	const char *name;
	void (*fn)(void);
} user_cases[] = {
	{ "nothing", u_nop },
	{ "ud2", u_ud },
	{ "div by 0", u_de },
	{ "div, overflow", u_over },
	{ "int3", u_int3 },
	{ "hlt", u_hlt },
	{ "cli", u_cli },
	{ "in", u_in },
	{ "out", u_out },
	{ "mov from cr0", u_cr0 },
	{ "mov to cr3", u_cr3 },
	{ "mov from cr8", u_cr8 },
	{ "mov from dr7", u_dr7 },
	{ "clts", u_clts },
	{ "lgdt", u_lgdt },
	{ "lidt", u_lidt },
	{ "ltr", u_ltr },
	{ "invlpg", u_invlpg },
	{ "wbinvd", u_wbinvd },
	{ "rdmsr", u_rdmsr },
	{ "wrmsr", u_wrmsr },
	{ "swapgs", u_swapgs },
	{ "mov ds, level 0", u_ds0 },
	{ "mov ss, RPL 0", u_ss },
	{ "mov es, beyond the limit", u_es },
	{ "not canonical", u_canonical },
	{ "stack not canonical", u_stack },
	{ "movaps, not aligned", u_movaps },
	{ "page fault", u_pf },
	{ "page fault, write", u_pf_write },
	{ "page fault, fetch", u_pf_fetch },
	{ "rdtsc", u_rdtsc },
	{ "cpuid", u_cpuid },
	{ "iret to ring 0", u_iret },
};

static void user_faults(void)
{
	for (unsigned i = 0; i < sizeof(user_cases) / sizeof(user_cases[0]); i++)
		try_user_print(user_cases[i].name, user_cases[i].fn);
}

/* A fault is repaired and its instruction comes again. */
static u8 page[4096] __attribute__((aligned(4096)));
static unsigned repairs;
static u64 repaired_at, repaired_code;

static int repair(struct frame *f)
{
	if (f->vector != PF)
		return 0;
	repaired_at = READ_CR(2);
	repaired_code = f->error;
	guest_map(0x40000000, (u64)page | (repairs++ ? 7 : 5));
	return 1;
}

USER(u_store, "movl $0x40000010, %%eax; movl $0x1234, (%%rax)")

static void restart(void)
{
	guest_map(0x40000000, 0);
	guest_handler = repair;
	try_user_print("store, repaired twice", u_store);
	guest_handler = 0;
	print("%u times, last %lx at %lx; stored %x\n", repairs, (uptr)repaired_code,
	      (uptr)repaired_at, *(u32 *)(page + 0x10));
}

/* ---- ring 3 at work ---- */

u64 out_sum, out_bits;
u32 out_sse[4];
u64 wide[2] __attribute__((aligned(16)));

static void u_sum(void)
{
	u64 a = 1, b = 0;

	for (u32 i = 0; i < 1000000; i++) {
		b += a >> 33;
		a = a * 6364136223846793005ull + 1442695040888963407ull;
	}
	out_sum = b;
	USER_RETURN;
}

static void u_sse(void)
{
	static const u32 a[4] __attribute__((aligned(16))) = { 1, 0xffffffff, 3, 0x7fffffff };
	static const u32 b[4] __attribute__((aligned(16))) = { 2, 2, 2, 2 };

	__asm__ volatile("movdqa %1, %%xmm0; paddd %2, %%xmm0; movdqa %%xmm0, %0"
			 : "=m"(out_sse)
			 : "m"(a), "m"(b));
	USER_RETURN;
}

static void u_double(void)
{
	static const double two = 2;

	__asm__ volatile("sqrtsd %1, %%xmm0; movsd %%xmm0, %0" : "=m"(out_sum) : "m"(two));
	USER_RETURN;
}

USER(u_x87, "fninit; fldpi; fstpl out_sum")
USER(u_popcnt, "movabsq $0x123456789abcdef, %%rax; popcntq %%rax, %%rax; movq %%rax, out_bits")
USER(u_cmpxchg16b, "xorl %%eax, %%eax; xorl %%edx, %%edx; movl $5, %%ebx; movl $6, %%ecx;"
		   "lock cmpxchg16b wide; setz out_bits")

static void work(void)
{
	try_user_print("integers", u_sum);
	print("  %lx\n", (uptr)out_sum);
	try_user_print("paddd", u_sse);
	print("  %x %x %x %x\n", out_sse[0], out_sse[1], out_sse[2], out_sse[3]);
	try_user_print("sqrtsd", u_double);
	print("  %lx\n", (uptr)out_sum);
	try_user_print("fldpi", u_x87);
	print("  %lx\n", (uptr)out_sum);
	try_user_print("popcnt", u_popcnt);
	print("  %u\n", (u32)out_bits);
	out_bits = 0;
	try_user_print("cmpxchg16b", u_cmpxchg16b);
	print("  %u: %lx %lx\n", (u32)out_bits, (uptr)wide[0], (uptr)wide[1]);
}

int main(void)
{
	ports();
	registers();
	features();
	msrs();
	kernel_faults();
	user_faults();
	restart();
	work();
	return guest_failures;
}
