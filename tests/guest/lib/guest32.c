/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * guest32.c - faults as values, user, virtual-8086 and real mode: 32-bit guests
 */
#include "guest.h"

struct frame last;
u32 last_cr2;
int (*guest_handler)(struct frame *f);

u64 idt[256];
static struct {
	u16 limit;
	u32 base;
} __attribute__((packed)) idt_pointer = { sizeof(idt) - 1, (u32)idt };

extern u32 try_sp;
extern char guest_abort[], guest_user_back[], real_begin[], real_end[];
void trap(struct frame *f);
void guest_init(void);

static const char *const names[] = { "DE", "DB", "NMI", "BP", "OF", "BR", "UD", "NM", "DF", "9",
				     "TS", "NP", "SS",  "GP", "PF", "15", "MF", "AC", "MC", "XM" };

void set_gate(unsigned vector, void *to, unsigned type, unsigned dpl)
{
	u32 a = (u32)to;

	idt[vector] = (a & 0xffff) | 8 << 16 | (u64)type << 40 | (u64)dpl << 45 | 1ull << 47 |
		      (u64)(a >> 16) << 48;
}

void guest_init(void)
{
	u64 base = (u32)tss;
	u8 *to = (u8 *)0x9000;

	*(u16 *)(tss + 0x66) = 0x68;
	*(u32 *)(tss + 4) = (u32)stack_top - 16384;
	*(u32 *)(tss + 8) = 0x10;
	for (unsigned i = 0; i < 256; i++)
		set_gate(i, vectors[i], 14, i == 0x80 || i == BP || i == OF ? 3 : 0);
	gdt[6] = 0x67 | (base & 0xffffff) << 16 | 0x89ull << 40 | (base >> 24 & 0xff) << 56;
	__asm__ volatile("lidt %0; ltr %w1" ::"m"(idt_pointer), "r"(0x30));
	for (char *p = real_begin; p < real_end; p++)
		*to++ = (u8)*p;
}

void put_code16(const char *begin, const char *end)
{
	u8 *to = (u8 *)0x8000;

	for (unsigned i = 0; i < 0x1000; i++)
		to[i] = 0xf4;
	for (; begin < end; begin++)
		*to++ = (u8)*begin;
}

void trap(struct frame *f)
{
	if (guest_handler && guest_handler(f))
		return;
	last = *f;
	if (f->vector == PF)
		last_cr2 = READ_CR(2);
	if (f->cs & 3 || f->eflags & 0x20000) {
		f->eip = (u32)guest_user_back;
		/* To level 0 by an IRET that stays there: the frame gets shorter. */
	} else if (try_sp) {
		f->eip = (u32)guest_abort;
	} else {
		print("unexpected fault %u code %x at %x\n", f->vector, f->error, f->eip);
		guest_exit(99);
	}
	f->cs = 8;
	f->eflags = 2;
	f->ds = f->es = f->fs = f->gs = 0x10;
}

void print_fault(void)
{
	int has_code =
		last.vector == DF || (last.vector >= TS && last.vector <= PF) || last.vector == AC;

	if (last.vector < 20)
		print("#%s", names[last.vector]);
	else
		print("vector %x", last.vector);
	if (has_code)
		print("(%x)", last.error);
	if (last.vector == PF)
		print(" cr2 %x", last_cr2);
	print("\n");
}

void try_print(const char *name, void (*fn)(void))
{
	print("%s: ", name);
	if (guest_try(fn))
		print_fault();
	else
		print("-\n");
}

void try_user_print(const char *name, void (*fn)(void))
{
	print("%s: ", name);
	guest_user(fn);
	if (last.vector == 0x80)
		print("-\n");
	else
		print_fault();
}
