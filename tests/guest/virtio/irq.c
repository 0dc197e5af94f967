/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * irq.c - who is interrupted: a vector for each queue by MSI-X, one for each wire; and a clock tick
 *
 *   0x30         tick of the local APIC
 *   0x40 + 16 n  queues of a device; the last of the 16 is its configuration. 0x80 is guest64.c's
 *   0xe0 + GSI   wires, level-triggered; whoever is on it is asked
 */
#include "virtio.h"

enum {
	ID = 0x20,
	EOI = 0xb0,
	SVR = 0xf0,
	LVT_TIMER = 0x320,
	LVT_LINT0 = 0x350,
	INIT_COUNT = 0x380,
	DIVIDE = 0x3e0,

	TICK = 0x30,
	WIRES = 0xe0,

	ISR_QUEUE = 1,
	ISR_CONFIG = 2,
	MMIO_STATUS = 0x60,
	MMIO_ACK = 0x64,
};

volatile unsigned ticks[2];
void (*wire_handler)(unsigned gsi);

static u32 apic_read(unsigned off)
{
	return read32(0xfee00000ul + off);
}

static void apic_write(unsigned off, u32 v)
{
	write32(0xfee00000ul + off, v);
}

unsigned cpu_number(void)
{
	return apic_read(ID) >> 24 & 1;
}

/* Read and acknowledge what a device has to say. */
static void ask(struct device *d)
{
	u32 isr;

	if (d->mmio) {
		isr = read32(d->regs + MMIO_STATUS);
		if (isr)
			write32(d->regs + MMIO_ACK, isr);
	} else {
		isr = read8(d->isr);
	}
	d->line_irqs += isr & ISR_QUEUE;
	d->config_irqs += (isr & ISR_CONFIG) != 0;
}

static void message(unsigned vector)
{
	for (unsigned i = 0; i < device_count; i++) {
		struct device *d = &devices[i];
		unsigned index = vector - d->base_vector;

		if (index < DEVICE_QUEUES)
			d->queue_irqs[index]++;
		else if (index == 15)
			d->config_irqs++;
	}
}

static int handler(struct frame *f)
{
	unsigned vector = (unsigned)f->vector;

	if (vector < TICK || vector == 0x80)
		return 0;
	if (vector == TICK) {
		ticks[cpu_number()]++;
	} else if (vector >= WIRES && vector < WIRES + 24) {
		if (wire_handler)
			wire_handler(vector - WIRES);
		for (unsigned i = 0; i < device_count; i++) {
			struct device *d = &devices[i];

			if (d->gsi == vector - WIRES && (d->mmio || d->intx))
				ask(d);
		}
	} else {
		message(vector);
	}
	apic_write(EOI, 0);
	return 1;
}

static void ioapic_write(u32 reg, u32 v)
{
	write32(0xfec00000ul, reg);
	write32(0xfec00010ul, v);
}

/* Level-triggered, to the first CPU. */
void irq_route(unsigned gsi)
{
	ioapic_write(0x10 + 2 * gsi + 1, 0);
	ioapic_write(0x10 + 2 * gsi, 0x8000 | (WIRES + gsi));
}

void irq_init_cpu(void)
{
	apic_write(SVR, 0x1ff);
	apic_write(LVT_LINT0, 0x10000);
	apic_write(DIVIDE, 0xb); /* by 1 */
	apic_write(LVT_TIMER, 0x20000 | TICK);
	apic_write(INIT_COUNT, 100000000);
}

void irq_init(void)
{
	guest_handler = handler;
	/* The old interrupt controllers, if any, shall be quiet. */
	outb(0x21, 0xff);
	outb(0xa1, 0xff);
	irq_init_cpu();
}

void irq_sleep(void)
{
	__asm__ volatile("sti; hlt; cli" ::: "memory");
}

void irq_window(void)
{
	__asm__ volatile("sti; nop; outb %%al, $0x84; outb %%al, $0x84; nop; cli" ::: "memory");
}

int irq_wait(const volatile unsigned *count, unsigned n)
{
	unsigned cpu = cpu_number(), start = ticks[cpu];

	while (*count < n) {
		if (ticks[cpu] - start > MAX_TICKS)
			return 0;
		irq_sleep();
	}
	return 1;
}
