/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * user64.c - between the levels: SYSCALL, SYSENTER, interrupt stacks, privileged instructions
 */
#include "guest.h"

#define RETURN __asm__ volatile("int $0x80")

u64 seen_rip, seen_flags, seen_rsp, seen_cs_ss, want_rip;

/* ---- instructions that ring 3 may not, or may ---- */

#define USER(name, code)                                                         \
	static void name(void)                                                   \
	{                                                                        \
		__asm__ volatile(code ::: "rax", "rcx", "rdx", "rbx", "memory"); \
		RETURN;                                                          \
	}
USER(u_hlt, "hlt")
USER(u_cli, "cli")
USER(u_sti, "sti")
USER(u_in, "inb $0x80, %%al")
USER(u_out, "movl $0x3fb, %%edx; inb %%dx, %%al")
USER(u_out2, "movl $0x3fb, %%edx; inw %%dx, %%ax")
USER(u_cr0, "movq %%cr0, %%rax")
USER(u_cr8, "movq %%cr8, %%rax")
USER(u_dr0, "movq %%db0, %%rax")
USER(u_clts, "clts")
USER(u_lgdt, "lgdt (%%rsp)")
USER(u_sgdt, "sgdt -16(%%rsp)")
USER(u_smsw, "smsw %%eax")
USER(u_sldt, "sldt %%eax; str %%ebx")
USER(u_ltr, "movl $0x38, %%eax; ltr %%ax")
USER(u_invlpg, "invlpg (%%rsp)")
USER(u_wbinvd, "wbinvd")
USER(u_rdmsr, "movl $0x10, %%ecx; rdmsr")
USER(u_rdpmc, "xorl %%ecx, %%ecx; rdpmc")
USER(u_rdtsc, "rdtsc")
USER(u_swapgs, "swapgs")
USER(u_sysret, "sysretq")
USER(u_sysexit, "sysexitl")
USER(u_xgetbv, "xorl %%ecx, %%ecx; xgetbv")
USER(u_int60, "int $0x60")
USER(u_int3, "int3")
USER(u_int3_, "int $3")
USER(u_int13, "int $13")
USER(u_ds0, "movl $0x10, %%eax; movl %%eax, %%ds")
USER(u_ss, "movl $0x28, %%eax; movl %%eax, %%ss")
USER(u_ss_null, "xorl %%eax, %%eax; movl %%eax, %%ss")
USER(u_ds_null, "xorl %%eax, %%eax; movl %%eax, %%ds; movl $0x2b, %%eax; movl %%eax, %%ds")
USER(u_monitor, "monitor")
USER(u_cpuid, "xorl %%eax, %%eax; xorl %%ecx, %%ecx; cpuid")

static const struct {
	const char *name;
	void (*fn)(void);
} instructions[] = {
	{ "hlt", u_hlt },
	{ "cli", u_cli },
	{ "sti", u_sti },
	{ "in", u_in },
	{ "in dx", u_out },
	{ "inw dx", u_out2 },
	{ "mov cr0", u_cr0 },
	{ "mov cr8", u_cr8 },
	{ "mov dr0", u_dr0 },
	{ "clts", u_clts },
	{ "lgdt", u_lgdt },
	{ "sgdt", u_sgdt },
	{ "smsw", u_smsw },
	{ "sldt, str", u_sldt },
	{ "ltr", u_ltr },
	{ "invlpg", u_invlpg },
	{ "wbinvd", u_wbinvd },
	{ "rdmsr", u_rdmsr },
	{ "rdpmc", u_rdpmc },
	{ "rdtsc", u_rdtsc },
	{ "swapgs", u_swapgs },
	{ "sysret", u_sysret },
	{ "sysexit", u_sysexit },
	{ "xgetbv", u_xgetbv },
	{ "int 60", u_int60 },
	{ "int3", u_int3 },
	{ "int 3", u_int3_ },
	{ "int 13", u_int13 },
	{ "mov ds, level 0", u_ds0 },
	{ "mov ss, RPL 0", u_ss },
	{ "mov ss, null", u_ss_null },
	{ "mov ds, null", u_ds_null },
	{ "monitor", u_monitor },
	{ "cpuid", u_cpuid },
};

static void privileged(void)
{
	for (unsigned i = 0; i < sizeof(instructions) / sizeof(instructions[0]); i++)
		try_user_print(instructions[i].name, instructions[i].fn);
	WRITE_CR(4, READ_CR(4) | 4);
	try_user_print("rdtsc with TSD", u_rdtsc);
	WRITE_CR(4, READ_CR(4) & ~4ull);
	user_flags = 0x3002;
	try_user_print("cli, IOPL 3", u_cli);
	try_user_print("sti, IOPL 3", u_sti);
	try_user_print("in, IOPL 3", u_in);
	user_flags = 2;
}

static void io_bitmap(void)
{
	*(u16 *)(tss + 0x66) = 0x68;
	for (unsigned i = 0; i < 8192; i++)
		tss[0x68 + i] = 0xff;
	tss[0x68 + 0x3fb / 8] &= (u8) ~(1u << (0x3fb & 7));
	gdt[7] = (gdt[7] & ~0xffffull & ~(0xfull << 48) & ~(2ull << 40)) | (0x68 + 0x3fc / 8 + 1);
	__asm__ volatile("ltr %w0" ::"r"(0x38));
	try_user_print("in, allowed port", u_out);
	try_user_print("inw, second port not allowed", u_out2);
	try_user_print("in, port 80", u_in);
	gdt[7] = (gdt[7] & ~0xffffull & ~(2ull << 40)) | (0x68 + 0x3fb / 8);
	__asm__ volatile("ltr %w0" ::"r"(0x38));
	try_user_print("in, bitmap one byte short", u_out);
}

/* ---- SYSCALL ---- */

void syscall_entry(void);
void sysenter_entry(void);
__asm__("syscall_entry:\n"
	"	movq %rcx, seen_rip\n"
	"	movq %r11, seen_flags\n"
	"	movq %rsp, seen_rsp\n"
	"	movq %cs, %rax\n"
	"	movq %ss, %rdx\n"
	"	shlq $16, %rax\n"
	"	orq %rdx, %rax\n"
	"	movq %rax, seen_cs_ss\n"
	"	pushfq\n"
	"	popq %rax\n"
	"	sysretq\n"
	"sysenter_entry:\n"
	"	movq %cs, %rax\n"
	"	movq %ss, %rdx\n"
	"	shlq $16, %rax\n"
	"	orq %rdx, %rax\n"
	"	movq %rax, seen_cs_ss\n"
	"	movq %rsp, seen_rsp\n"
	"	pushfq\n"
	"	popq seen_flags\n"
	"	movq $1f, %rdx\n"
	"	movq %rdi, %rcx\n"
	"	sysexitq\n"
	"1:	movq %cs, %rax\n"
	"	movq %rax, user_cs\n"
	"	int $0x80\n");
u64 user_cs, user_rax, user_ss, user_r11;

static void u_syscall(void)
{
	__asm__ volatile("leaq 1f(%%rip), %%rax; movq %%rax, want_rip\n"
			 "	pushq $0xad7; popfq\n" /* DF and the arithmetic flags */
			 "	syscall\n"
			 "1:	movq %%rax, user_rax\n"
			 "	pushfq; popq user_r11\n"
			 "	cld\n"
			 "	movq %%cs, %%rax; movq %%rax, user_cs\n"
			 "	movq %%ss, %%rax; movq %%rax, user_ss\n" ::
				 : "rax", "rcx", "rdx", "r11", "memory", "cc");
	RETURN;
}

static void u_sysenter(void)
{
	__asm__ volatile("movq %%rsp, %%rdi; sysenter" ::: "memory");
}

static void u_syscall_only(void)
{
	__asm__ volatile("syscall" ::: "rcx", "r11", "memory");
	RETURN;
}

static void fast_calls(void)
{
	try_user_print("syscall, SCE off", u_syscall_only);
	wrmsr(0xc0000080, rdmsr(0xc0000080) | 1);
	wrmsr(0xc0000081, 0x0020000800000000ull);
	wrmsr(0xc0000082, (u64)syscall_entry);
	wrmsr(0xc0000084, 0x700);
	try_user_print("syscall", u_syscall);
	check("rip in rcx", seen_rip == want_rip);
	print("r11 %lx, cs:ss %lx, flags in the kernel %lx, back: flags %lx cs %lx ss %lx\n",
	      (uptr)seen_flags, (uptr)seen_cs_ss, (uptr)user_rax, (uptr)user_r11, (uptr)user_cs,
	      (uptr)user_ss);
	try_user_print("sysenter, CS 0", u_sysenter);
	wrmsr(0x174, 8);
	wrmsr(0x175, (u64)stack_top - 12288);
	wrmsr(0x176, (u64)sysenter_entry);
	user_flags = 0x202;
	user_cs = 0;
	try_user_print("sysenter", u_sysenter);
	user_flags = 2;
	check("rsp", seen_rsp == (u64)stack_top - 12288);
	print("cs:ss %lx, flags %lx, back: cs %lx\n", (uptr)seen_cs_ss, (uptr)(seen_flags & 0x200),
	      (uptr)user_cs);
}

/* ---- stacks of interrupts ---- */

static u64 stack_seen;

static int where(struct frame *f)
{
	if (f->vector != 0x61)
		return 0;
	stack_seen = (u64)f + sizeof(*f);
	return 1;
}

static void int61(void)
{
	__asm__ volatile("int $0x61");
}
static void u_int61(void)
{
	int61();
	RETURN;
}
static void odd_int61(void)
{
	__asm__ volatile("movq %%rsp, %%rbx; subq $13, %%rsp; int $0x61; movq %%rbx, %%rsp" ::
				 : "rbx", "memory");
}

static void stacks(void)
{
	guest_handler = where;
	set_gate(0x61, vectors[0x61], 14, 3, 0);
	try_user_print("int 61 from ring 3", u_int61);
	check("on RSP0, aligned", stack_seen == (*(u64 *)(tss + 4) & ~15ull));
	*(u64 *)(tss + 0x24) = (u64)stack_top - 16384 + 5;
	set_gate(0x61, vectors[0x61], 14, 3, 1);
	try_print("int 61 by IST 1", int61);
	check("on IST 1, aligned", stack_seen == (((u64)stack_top - 16384 + 5) & ~15ull));
	set_gate(0x61, vectors[0x61], 14, 3, 0);
	try_print("int 61 on an odd stack", odd_int61);
	check("aligned", !(stack_seen & 15));
	*(u64 *)(tss + 0x24 + 8 * 6) = 0x800000000100ull;
	set_gate(0x61, vectors[0x61], 14, 3, 7);
	set_gate(SS, vectors[SS], 14, 0, 1);
	guest_handler = 0;
	try_print("int 61 by a bad IST 7", int61);
	set_gate(0x61, vectors[0x61], 14, 3, 0);
}

/* ---- double fault ---- */

extern u64 idt[];
static void u_pf(void)
{
	*(volatile u32 *)0x7f0000000000ull = 0;
}

static void double_faults(void)
{
	u64 save[2] = { idt[2 * PF], idt[2 * GP] };

	set_gate(DF, vectors[DF], 14, 0, 1);
	idt[2 * PF] &= ~(1ull << 47);
	try_print("#PF without a gate", u_pf);
	idt[2 * PF] = save[0];
	idt[2 * UD] &= ~(1ull << 47);
	try_user_print("#UD without a gate", u_monitor);
	idt[2 * UD] |= 1ull << 47;
	idt[2 * GP] &= ~(1ull << 47);
	try_user_print("#GP without a gate", u_hlt);
	idt[2 * GP] = save[1];
}

/* ---- POPF ---- */

u64 flags_in, flags_out;
static void k_popf(void)
{
	__asm__ volatile("pushq flags_in; popfq; pushfq; popq flags_out; pushq $2; popfq" ::
				 : "memory", "cc");
}
static void k_popfw(void)
{
	__asm__ volatile("pushw flags_in; popfw; pushfq; popq flags_out; pushq $2; popfq" ::
				 : "memory", "cc");
}
static void u_popf(void)
{
	k_popf();
	RETURN;
}

static void popf(void)
{
	flags_in = 0x3f7cd7; /* without TF and IF */
	try_print("popf", k_popf);
	print("  %lx\n", (uptr)flags_out);
	try_print("popfw", k_popfw);
	print("  %lx\n", (uptr)flags_out);
	flags_in = 0x3f7ed7;
	try_user_print("popf in ring 3", u_popf);
	print("  %lx\n", (uptr)flags_out);
	user_flags = 0x3002;
	try_user_print("popf in ring 3, IOPL 3", u_popf);
	print("  %lx\n", (uptr)flags_out);
	user_flags = 2;
}

int main(void)
{
	privileged();
	io_bitmap();
	fast_calls();
	stacks();
	double_faults();
	popf();
	(void)want_rip;
	return guest_failures;
}
