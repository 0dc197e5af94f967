/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * irq64c.c - interrupts as every KVM gets them right: APIC timer, IPIs to itself, priorities, the
 * serial port's line, HLT, ring 3; xAPIC and x2APIC
 *
 * A KVM that emulates ring 0 looks for interrupts when an instruction leaves the guest, not behind
 * each, so a window is open for as long as a port is written; and it may show none in service, so
 * what waits for an EOI is not tested here. irq64.c does both exactly.
 */
#include "guest.h"

enum {
	ID = 0x02,
	TPR = 0x08,
	EOI = 0x0b,
	SVR = 0x0f,
	IRR = 0x20,
	ICR = 0x30,
	LVT_TIMER = 0x32,
	LVT_LINT0 = 0x35,
	INIT_COUNT = 0x38,
	COUNT = 0x39,
	DIVIDE = 0x3e,
	SELF_IPI = 0x3f
};

static int x2apic;
static volatile unsigned count[256];
static volatile u8 order[16];
static volatile unsigned orders;
static volatile int in_user, stop;

static u32 apic_read(unsigned reg)
{
	return x2apic ? (u32)rdmsr(0x800 + reg) : *(volatile u32 *)(0xfee00000ul + reg * 16);
}

static void apic_write(unsigned reg, u32 v)
{
	if (x2apic)
		wrmsr(0x800 + reg, v);
	else
		*(volatile u32 *)(0xfee00000ul + reg * 16) = v;
}

static int handler(struct frame *f)
{
	if (f->vector < 0x20 || f->vector == 0x80)
		return 0;
	count[f->vector]++;
	in_user = f->cs & 3;
	stop = 1;
	if (orders < sizeof(order))
		order[orders++] = (u8)f->vector;
	if (f->vector == 0x79)
		outb(0x3f9, 0); /* a level that stays would come back at once */
	apic_write(EOI, 0);
	return 1;
}

static void window(void)
{
	__asm__ volatile("sti; nop; outb %%al, $0x84; outb %%al, $0x84; nop; cli" ::: "memory");
}

static void sleep_until(unsigned vector, unsigned n)
{
	while (count[vector] < n)
		__asm__ volatile("sti; hlt; cli" ::: "memory");
}

static int wait_for(unsigned vector, unsigned n)
{
	for (u64 t = rdtsc(); count[vector] < n;) {
		if (rdtsc() - t > 30000000000ull)
			return 0;
		window();
	}
	return 1;
}

static void self_ipi(unsigned vector)
{
	if (x2apic)
		wrmsr(0x800 + SELF_IPI, vector);
	else
		apic_write(ICR, 0x44000 | vector);
}

static void timer(void)
{
	apic_write(DIVIDE, 0xb); /* by 1 */
	apic_write(LVT_TIMER, 0x40);
	apic_write(INIT_COUNT, 1000000);
	check("one-shot", wait_for(0x40, 1));
	check("count is 0", apic_read(COUNT) == 0);
	apic_write(INIT_COUNT, 1000000);
	sleep_until(0x40, 2);
	check("one-shot wakes HLT", count[0x40] == 2);
	apic_write(LVT_TIMER, 0x20041);
	apic_write(INIT_COUNT, 5000000);
	sleep_until(0x41, 3);
	apic_write(INIT_COUNT, 0);
	window();
	check("periodic", count[0x41] >= 3);
	count[0x41] = 0;
	apic_write(LVT_TIMER, 0x10042);
	apic_write(INIT_COUNT, 1000);
	for (u64 t = rdtsc(); rdtsc() - t < 2000000;)
		window();
	check("masked", count[0x42] == 0 && count[0x41] == 0);
}

static void deadline(void)
{
	u32 r[4];

	cpuid(1, 0, r);
	check("TSC deadline", r[2] >> 24 & 1);
	apic_write(LVT_TIMER, 0x40043);
	__asm__ volatile("mfence");
	wrmsr(0x6e0, rdtsc() + 1000000);
	sleep_until(0x43, 1);
	check("deadline wakes HLT", count[0x43] == 1);
	check("disarmed", rdmsr(0x6e0) == 0);
	wrmsr(0x6e0, 1);
	check("deadline in the past", wait_for(0x43, 2));
	wrmsr(0x6e0, rdtsc() + 1000000000000ull);
	check("armed", rdmsr(0x6e0) != 0);
	wrmsr(0x6e0, 0);
	apic_write(LVT_TIMER, 0x10000);
}

static void priorities(void)
{
	orders = 0;
	self_ipi(0x51);
	self_ipi(0x91);
	self_ipi(0x61);
	check("in IRR", apic_read(IRR + 2) == 1u << 0x11 && apic_read(IRR + 3) == 2 &&
				apic_read(IRR + 4) == 1u << 0x11);
	wait_for(0x51, 1);
	print("order %x %x %x\n", order[0], order[1], order[2]);
	apic_write(TPR, 0x60);
	orders = 0;
	self_ipi(0x52);
	self_ipi(0x69);
	self_ipi(0x71);
	window();
	print("TPR 60: %u, first %x\n", orders, order[0]);
	WRITE_CR(8, 5);
	check("TPR follows CR8", apic_read(TPR) == 0x50);
	window();
	print("CR8 5: %u, then %x\n", orders, order[1]);
	WRITE_CR(8, 0);
	window();
	print("CR8 0: %u, then %x\n", orders, order[2]);
	self_ipi(0x55);
	window();
	self_ipi(0x55);
	self_ipi(0x55);
	window();
	check("two of a kind are one", count[0x55] == 2);
}

static void user_loop(void)
{
	while (!stop)
		;
	USER_RETURN;
}

static void user(void)
{
	stop = 0;
	apic_write(LVT_TIMER, 0x44);
	apic_write(INIT_COUNT, 2000000);
	user_flags = 0x202;
	try_user_print("timer in ring 3", user_loop);
	user_flags = 2;
	check("from ring 3", count[0x44] == 1 && in_user == 3);
}

/* ---- I/O APIC: the serial port's line, GSI 4 ---- */

static void ioapic_write(u32 reg, u32 v)
{
	*(volatile u32 *)0xfec00000ul = reg;
	*(volatile u32 *)0xfec00010ul = v;
}

static void serial(u32 entry, int on)
{
	ioapic_write(0x10 + 2 * 4, entry);
	outb(0x3f9, on ? 2 : 0); /* transmitter empty */
}

static void ioapic(void)
{
	unsigned n;

	ioapic_write(0x10 + 2 * 4 + 1, 0);
	outb(0x3fc, 8); /* OUT2 */
	serial(0x77, 1);
	check("edge", wait_for(0x77, 1));
	serial(0x10078, 0);
	(void)inb(0x3fa);
	serial(0x10078, 1);
	window();
	check("masked", count[0x78] == 0);
	serial(0x10078, 0);
	(void)inb(0x3fa);
	serial(0x8079, 1);
	check("level", wait_for(0x79, 1));
	window();
	n = count[0x79];
	window();
	check("gone", count[0x79] == n);
	serial(0x8079, 1);
	check("again", wait_for(0x79, n + 1));
	serial(0x10000, 0);
}

static void enter_x2apic(void)
{
	wrmsr(0x1b, rdmsr(0x1b) | 0x400);
	x2apic = 1;
	print("x2APIC, ID %u\n", apic_read(ID));
	for (unsigned i = 0; i < 256; i++)
		count[i] = 0;
}

int main(void)
{
	guest_handler = handler;
	/* The old interrupt controllers, if any, shall be quiet. */
	outb(0x21, 0xff);
	outb(0xa1, 0xff);
	apic_write(SVR, 0x1ff);
	apic_write(LVT_LINT0, 0x10000);
	for (int i = 0; i < 2; i++) {
		timer();
		deadline();
		priorities();
		user();
		ioapic();
		if (!x2apic)
			enter_x2apic();
	}
	return guest_failures;
}
