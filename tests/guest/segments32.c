/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * segments32.c - protected mode: limits, types, loading segments, call gates, LAR and kin
 */
#include "guest.h"

static u32 sel, off;

static void load_fs(void)
{
	__asm__ volatile("movl %0, %%fs" ::"r"(sel));
}
static void load_ss(void)
{
	__asm__ volatile("movl %0, %%ss; movl $0x10, %%eax; movl %%eax, %%ss" ::"r"(sel) : "eax");
}
#define ACCESS(name, code)                                                                       \
	static void name(void)                                                                   \
	{                                                                                        \
		__asm__ volatile("movl %0, %%fs; " code ::"r"(sel), "r"(off) : "eax", "memory"); \
	}
ACCESS(read1, "movb %%fs:(%1), %%al")
ACCESS(read4, "movl %%fs:(%1), %%eax")
ACCESS(write1, "movb %%al, %%fs:(%1)")
ACCESS(write4, "movl %%eax, %%fs:(%1)")

/* In ring 3: the fault itself needs a good stack. */
static void push_beyond(void)
{
	__asm__ volatile(
		"movl %%esp, %%ebx; movl %1, %%ss; movl %0, %%esp; pushl %%eax;"
		"movl $0x2b, %%eax; movl %%eax, %%ss; movl %%ebx, %%esp; int $0x80" ::"r"(off),
		"r"(sel)
		: "eax", "ebx", "memory");
}

static void access_all(const char *name, u16 s)
{
	static const u32 offs[] = { 0, 0xffc, 0xffd, 0xfff, 0x1000, 0xfffc, 0xffff, 0x10000 };

	print("%s\n", name);
	sel = s;
	try_print("  load", load_fs);
	for (unsigned i = 0; i < sizeof(offs) / sizeof(offs[0]); i++) {
		off = offs[i];
		print("  %x\n", off);
		try_print("    read 1", read1);
		try_print("    read 4", read4);
		try_print("    write 1", write1);
		try_print("    write 4", write4);
	}
}

/* ---- LAR, LSL, VERR, VERW, ARPL ---- */

static void look(u16 s)
{
	u32 lar = 0xdead, lsl = 0xdead;
	u8 z1, z2, z3, z4;

	__asm__ volatile("larl %2, %0; setz %1" : "+r"(lar), "=q"(z1) : "r"((u32)s));
	__asm__ volatile("lsll %2, %0; setz %1" : "+r"(lsl), "=q"(z2) : "r"((u32)s));
	__asm__ volatile("verr %1; setz %0" : "=q"(z3) : "r"(s));
	__asm__ volatile("verw %1; setz %0" : "=q"(z4) : "r"(s));
	/* Bits 19:16 of LAR are undefined. */
	print("%x: lar %d %x lsl %d %x verr %d verw %d\n", s, z1, lar & 0xfff0ffff, z2, lsl, z3,
	      z4);
}

static void looks(void)
{
	for (u16 s = 0; s < 0xb8; s += 8)
		look(s);
	look(0x13);
	look(0x2b);
	look(0x1000);
}

static void user_looks(void)
{
	u32 lsl = 0;
	u8 z;

	__asm__ volatile("lsll %2, %0; setz %1" : "+r"(lsl), "=q"(z) : "r"(0x10));
	__asm__ volatile("int $0x80" ::"a"(z));
}

static void arpl(void)
{
	u16 a = 0x10, b = 3;
	u8 z1, z2;

	__asm__ volatile("arpl %2, %0; setz %1" : "+r"(a), "=q"(z1) : "r"(b));
	__asm__ volatile("arpl %2, %0; setz %1" : "+r"(a), "=q"(z2) : "r"((u16)1));
	print("arpl: %x, zf %d, then %d\n", a, z1, z2);
}

/* ---- far transfers ---- */

static struct {
	u32 off;
	u16 sel;
} __attribute__((packed)) target;
u32 gate_cs, gate_ss, gate_params;

static void ljmp_target(void)
{
	__asm__ volatile("ljmp *%0" ::"m"(target));
}
static void lcall_target(void)
{
	__asm__ volatile("lcall *%0" ::"m"(target));
}
static void user_lcall(void)
{
	__asm__ volatile("pushl $0x33; pushl $0x44; lcall *%0; int $0x80" ::"m"(target) : "memory");
}
void gate_entry(void);
void plain_entry(void);
void bad_return(void);
__asm__("gate_entry:\n"
	"	movl %cs, %eax\n"
	"	movl %eax, %ss:gate_cs\n"
	"	movl %ss, %eax\n"
	"	movl %eax, %ss:gate_ss\n"
	"	movl 8(%esp), %eax\n"
	"	shll $8, %eax\n"
	"	orl 12(%esp), %eax\n"
	"	movl %eax, %ss:gate_params\n"
	"	lret $8\n"
	"plain_entry:\n"
	"	lret\n");

static void make_gate(unsigned n, u16 cs, void *to, unsigned type, unsigned dpl, unsigned params)
{
	u32 a = (u32)to;

	gdt[n / 8] = (a & 0xffff) | (u64)cs << 16 | (u64)params << 32 | (u64)type << 40 |
		     (u64)dpl << 45 | 1ull << 47 | (u64)(a >> 16) << 48;
}

static void far(u16 s, u32 o, const char *name)
{
	target.sel = s;
	target.off = o;
	print("%s\n", name);
	try_print("  ljmp", ljmp_target);
	try_print("  lcall", lcall_target);
}

static void ud2(void)
{
	__asm__ volatile("ud2");
}

static void far_transfers(void)
{
	far(0, 0, "null");
	far(0x1000, 0, "beyond");
	far(0x10, 0, "data");
	far(0x0b, 0, "RPL 3");
	far(0x20, 0, "DPL 3");
	far(0x18, 0x10000, "beyond the limit");
	far(0x30, 0, "busy TSS");
	far(0x14, 0, "LDT, none");
	far(8, (u32)ud2, "good");
	far(0x90, (u32)ud2, "conforming");
	make_gate(0x98, 8, ud2, 12, 0, 0);
	far(0x98, 0, "gate");
	far(0x9b, 0, "gate, RPL 3");
	gdt[0x98 / 8] &= ~(1ull << 47);
	far(0x98, 0, "gate, not present");
	make_gate(0x98, 0, ud2, 12, 0, 0);
	far(0x98, 0, "gate to null");
	make_gate(0x98, 0x10, ud2, 12, 0, 0);
	far(0x98, 0, "gate to data");
	make_gate(0x98, 0x20, ud2, 12, 0, 0);
	far(0x98, 0, "gate to an outer level");
	make_gate(0x98, 0x18, (void *)0x10000, 12, 0, 0);
	far(0x98, 0, "gate beyond the limit");
}

static void gates(void)
{
	make_gate(0x98, 8, gate_entry, 12, 3, 2);
	target.sel = 0x9b;
	*(u32 *)(tss + 4) = (u32)stack_top - 16384;
	try_user_print("call gate with 2 parameters", user_lcall);
	print("cs %x ss %x params %x\n", gate_cs, gate_ss, gate_params);
	make_gate(0x98, 8, gate_entry, 12, 0, 2);
	try_user_print("gate of level 0", user_lcall);
	make_gate(0x98, 8, gate_entry, 12, 3, 2);
	*(u16 *)(tss + 8) = 0;
	/* Delivery of the fault itself needs a stack. */
	*(u16 *)(tss + 8) = 0x10;
	make_gate(0xa0, 0x90, plain_entry, 12, 3, 0);
	target.sel = 0xa3;
	try_user_print("gate to conforming code", user_lcall);
}

int main(void)
{
	static const struct {
		u16 sel;
		const char *name;
	} segs[] = {
		{ 0x38, "data" },
		{ 0x40, "expand-down" },
		{ 0x48, "read-only" },
		{ 0x50, "execute-only" },
		{ 0x58, "readable code" },
		{ 0x60, "not present" },
		{ 0x68, "expand-down, big" },
		{ 0x70, "expand-down, 16 bits" },
		{ 0, "null" },
	};

	for (unsigned i = 0; i < sizeof(segs) / sizeof(segs[0]); i++) {
		access_all(segs[i].name, segs[i].sel);
		sel = 0x10;
		load_fs();
	}
	for (u16 s = 0; s < 0xa8; s += 8) {
		sel = s;
		print("%x", s);
		try_print(" mov ss", load_ss);
	}
	gdt[0x98 / 8] = 0x0040f20080000fffull;
	sel = 0x9b;
	off = 0x1000;
	try_user_print("push below the limit", push_beyond);
	off = 0x1001;
	try_user_print("push at the limit", push_beyond);
	off = 0;
	try_user_print("push at 0", push_beyond);
	looks();
	arpl();
	far_transfers();
	gates();
	try_user_print("lsl in ring 3", user_looks);
	print("zf %d\n", (u8)last.eax);
	return guest_failures;
}
