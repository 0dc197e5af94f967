/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * irq64.c - local APIC and I/O APIC: timer in its three modes, priorities, IPIs to itself, shadows
 */
#include "guest.h"

#define APIC(off) (*(volatile u32 *)(0xfee00000ul + (off)))
enum {
	ID = 0x20,
	TPR = 0x80,
	EOI = 0xb0,
	SVR = 0xf0,
	ISR = 0x100,
	IRR = 0x200,
	ICR = 0x300,
	ICR_HIGH = 0x310,
	LVT_TIMER = 0x320,
	LVT_LINT0 = 0x350,
	INIT_COUNT = 0x380,
	COUNT = 0x390,
	DIVIDE = 0x3e0
};

static volatile unsigned count[256];
static volatile u8 order[16];
static volatile unsigned orders;
static volatile int no_eoi;

static int handler(struct frame *f)
{
	if (f->vector < 0x20 || f->vector == 0x80)
		return 0;
	count[f->vector]++;
	if (orders < sizeof(order))
		order[orders++] = (u8)f->vector;
	/* A level that stays would come back before anything else runs. */
	if (f->vector == 0x79 && count[0x79] == 3)
		outb(0x3f9, 0);
	if (!no_eoi)
		APIC(EOI) = 0;
	return 1;
}

static int wait_for(unsigned vector, unsigned n)
{
	for (u64 t = rdtsc(); rdtsc() - t < 30000000000ull;) {
		if (count[vector] >= n)
			return 1;
		__asm__ volatile("sti; nop; cli");
	}
	return 0;
}

static void timer(void)
{
	APIC(DIVIDE) = 0xb; /* by 1 */
	APIC(LVT_TIMER) = 0x40;
	APIC(INIT_COUNT) = 1000000;
	check("one-shot", wait_for(0x40, 1));
	check("count is 0", APIC(COUNT) == 0);
	APIC(LVT_TIMER) = 0x20041;
	APIC(INIT_COUNT) = 1000000;
	check("periodic", wait_for(0x41, 5));
	APIC(INIT_COUNT) = 0;
	count[0x41] = 0;
	APIC(LVT_TIMER) = 0x10040;
	APIC(INIT_COUNT) = 1000;
	for (u64 t = rdtsc(); rdtsc() - t < 20000000;)
		__asm__ volatile("sti; nop; cli");
	check("masked", count[0x40] == 1 && count[0x41] <= 1);
	APIC(LVT_TIMER) = 0x42;
	APIC(INIT_COUNT) = 1000000;
	while (!count[0x42])
		__asm__ volatile("sti; hlt; cli");
	check("wakes HLT", count[0x42] == 1);
}

static void deadline(void)
{
	u32 r[4];

	cpuid(1, 0, r);
	if (!(r[2] & 1u << 24)) {
		print("no TSC deadline\n");
		return;
	}
	APIC(LVT_TIMER) = 0x40043;
	__asm__ volatile("mfence");
	wrmsr(0x6e0, rdtsc() + 1000000);
	check("deadline", wait_for(0x43, 1));
	check("disarmed", rdmsr(0x6e0) == 0);
	wrmsr(0x6e0, 1);
	check("deadline in the past", wait_for(0x43, 2));
	wrmsr(0x6e0, rdtsc() + 1000000000000ull);
	wrmsr(0x6e0, 0);
	APIC(LVT_TIMER) = 0x10000;
}

static void ipi(u32 low)
{
	APIC(ICR_HIGH) = APIC(ID);
	APIC(ICR) = low;
}

static void priorities(void)
{
	orders = 0;
	ipi(0x4051);
	ipi(0x4091);
	ipi(0x4061);
	check("in IRR", APIC(IRR + 0x20) == 1u << 0x11 && APIC(IRR + 0x30) == 2 &&
				APIC(IRR + 0x40) == 1u << 0x11);
	__asm__ volatile("sti; nop; nop; nop; nop; cli");
	print("order %x %x %x\n", order[0], order[1], order[2]);
	APIC(TPR) = 0x60;
	orders = 0;
	ipi(0x4051);
	ipi(0x4069);
	ipi(0x4071);
	__asm__ volatile("sti; nop; nop; nop; nop; cli");
	print("TPR 60: %u, first %x\n", orders, order[0]);
	WRITE_CR(8, 5);
	check("TPR follows CR8", APIC(TPR) == 0x50);
	__asm__ volatile("sti; nop; nop; nop; nop; cli");
	print("CR8 5: %u, then %x\n", orders, order[1]);
	WRITE_CR(8, 0);
	__asm__ volatile("sti; nop; nop; nop; nop; cli");
	print("CR8 0: %u, then %x\n", orders, order[2]);
	no_eoi = 1;
	orders = 0;
	ipi(0x4075);
	__asm__ volatile("sti; nop; nop; nop; cli");
	ipi(0x4071);
	ipi(0x4083);
	__asm__ volatile("sti; nop; nop; nop; cli");
	print("in service %x, then %u, last %x\n", order[0], orders, order[1]);
	no_eoi = 0;
	APIC(EOI) = 0;
	APIC(EOI) = 0;
	__asm__ volatile("sti; nop; nop; nop; cli");
	print("after EOI %u, last %x\n", orders, order[2]);
}

/* ---- the shadow of STI and MOV SS ---- */

static u64 shadow_rip, after_sti;

static int note_rip(struct frame *f)
{
	if (f->vector == 0x55)
		shadow_rip = f->rip;
	return handler(f);
}

static void shadows(void)
{
	guest_handler = note_rip;
	ipi(0x4055);
	__asm__ volatile("sti; nop; 1: nop; nop; cli; leaq 1b(%%rip), %0" : "=r"(after_sti));
	check("one instruction behind STI", shadow_rip == after_sti);
	ipi(0x4055);
	__asm__ volatile("sti; cli");
	check("STI CLI lets nothing in", count[0x55] == 1);
	__asm__ volatile("sti; nop; cli");
	check("then it comes", count[0x55] == 2);
	__asm__ volatile("sti; nop");
	ipi(0x4055);
	for (int i = 0; i < 100; i++)
		__asm__ volatile("nop");
	__asm__ volatile("cli");
	check("IPI to itself with IF on", count[0x55] == 3);
	guest_handler = handler;
}

/* ---- I/O APIC: the serial port's line, GSI 4 ---- */

static void ioapic_write(u32 reg, u32 v)
{
	*(volatile u32 *)0xfec00000ul = reg;
	*(volatile u32 *)0xfec00010ul = v;
}

static u32 ioapic_read(u32 reg)
{
	*(volatile u32 *)0xfec00000ul = reg;
	return *(volatile u32 *)0xfec00010ul;
}

static void ioapic(void)
{
	check("24 pins", (ioapic_read(1) >> 16 & 0xff) == 23);
	ioapic_write(0x10 + 2 * 4 + 1, APIC(ID));
	ioapic_write(0x10 + 2 * 4, 0x77); /* edge, high, fixed */
	outb(0x3fc, 8);                   /* OUT2 */
	outb(0x3f9, 2);                   /* transmitter empty */
	check("edge", wait_for(0x77, 1));
	outb(0x3f9, 0);
	ioapic_write(0x10 + 2 * 4, 0x10078);
	(void)inb(0x3fa);
	outb(0x3f9, 2);
	for (int i = 0; i < 100; i++)
		__asm__ volatile("sti; nop; cli");
	check("masked", count[0x78] == 0);
	outb(0x3f9, 0);
	(void)inb(0x3fa);
	ioapic_write(0x10 + 2 * 4, 0x8079); /* level */
	outb(0x3f9, 2);
	check("level", wait_for(0x79, 3));
	outb(0x3f9, 0);
	(void)inb(0x3fa);
	for (int i = 0; i < 100; i++)
		__asm__ volatile("sti; nop; cli");
	count[0x79] = 0;
	for (int i = 0; i < 100; i++)
		__asm__ volatile("sti; nop; cli");
	check("level gone", count[0x79] == 0);
	check("remote IRR clear", !(ioapic_read(0x10 + 2 * 4) & 1 << 14));
	ioapic_write(0x10 + 2 * 4, 0x10000);
}

static int x2apic_handler(struct frame *f)
{
	if (f->vector < 0x20)
		return 0;
	count[f->vector]++;
	wrmsr(0x80b, 0);
	return 1;
}

static void rd_801(void)
{
	rdmsr(0x802);
}
static void x2apic(void)
{
	u32 id = APIC(ID) >> 24;

	try_print("x2APIC MSR in xAPIC mode", rd_801);
	wrmsr(0x1b, rdmsr(0x1b) | 0x400);
	check("ID", rdmsr(0x802) == id);
	check("self IPI", (wrmsr(0x83f, 0x99), 1));
	guest_handler = x2apic_handler;
	__asm__ volatile("sti; nop; nop; cli");
	check("came", count[0x99] == 1);
	try_print("still there", rd_801);
}

int main(void)
{
	guest_handler = handler;
	/* The old interrupt controllers, if any, shall be quiet. */
	outb(0x21, 0xff);
	outb(0xa1, 0xff);
	APIC(SVR) = 0x1ff;
	APIC(LVT_LINT0) = 0x10000;
	timer();
	deadline();
	priorities();
	shadows();
	ioapic();
	x2apic();
	return guest_failures;
}
