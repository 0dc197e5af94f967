/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * guest64.c - faults as values, descriptor tables, user mode, second CPUs: 64-bit guests
 */
#include "guest.h"

struct frame last;
u64 last_cr2, last_dr6;
int (*guest_handler)(struct frame *f);

u64 idt[512];
struct {
	u16 limit;
	u64 base;
} __attribute__((packed)) idt_pointer = { sizeof(idt) - 1, (u64)idt };

extern u64 try_rsp;
extern char guest_abort[], guest_user_back[], ap_trampoline[], ap_trampoline_end[];
void trap(struct frame *f);
void guest_init(void);

static const char *const names[] = { "DE", "DB", "NMI", "BP", "OF", "BR", "UD", "NM", "DF", "9",
				     "TS", "NP", "SS",  "GP", "PF", "15", "MF", "AC", "MC", "XM" };

void set_gate(unsigned vector, void *to, unsigned type, unsigned dpl, unsigned ist)
{
	u64 a = (u64)to;

	idt[2 * vector] = (a & 0xffff) | 8 << 16 | (u64)ist << 32 | (u64)type << 40 |
			  (u64)dpl << 45 | 1ull << 47 | (a >> 16 & 0xffff) << 48;
	idt[2 * vector + 1] = a >> 32;
}

void guest_init(void)
{
	u64 base = (u64)tss, limit = 0x67;

	/* No I/O bitmap: its offset is beyond the limit. */
	*(u16 *)(tss + 0x66) = 0x68;
	*(u64 *)(tss + 4) = (u64)stack_top - 16384;
	for (unsigned i = 0; i < 256; i++)
		set_gate(i, vectors[i], 14, i == 0x80 || i == BP || i == OF ? 3 : 0, 0);
	gdt[7] = limit | (base & 0xffffff) << 16 | 0x89ull << 40 | (base >> 24 & 0xff) << 56;
	gdt[8] = base >> 32;
	__asm__ volatile("lidt %0; ltr %w1" ::"m"(idt_pointer), "r"(0x38));
}

void trap(struct frame *f)
{
	if (f->vector == DB)
		last_dr6 = READ_DR(6);
	if (guest_handler && guest_handler(f))
		return;
	if (f->vector == UD && f->cs & 3 && *(const u32 *)f->rip == USER_RETURN_BYTES)
		f->vector = 0x80;
	last = *f;
	if (f->vector == PF)
		last_cr2 = READ_CR(2);
	if (f->vector == 0x80 || try_rsp == 0) {
		if (f->vector != 0x80 && !(f->cs & 3)) {
			print("unexpected fault %u code %lx at %lx\n", (u32)f->vector,
			      (uptr)f->error, (uptr)f->rip);
			guest_exit(99);
		}
		f->rip = (u64)guest_user_back;
	} else {
		f->rip = (u64)guest_abort;
	}
	f->cs = 8;
	f->ss = 0x10;
	f->rflags = 2;
	/* Both take another stack at once. */
	f->rsp = (u64)stack_top - 24576;
}

static void print_fault(void)
{
	int has_code =
		last.vector == DF || (last.vector >= TS && last.vector <= PF) || last.vector == AC;

	if (last.vector < 20)
		print("#%s", names[last.vector]);
	else
		print("vector %x", (u32)last.vector);
	if (has_code)
		print("(%x)", (u32)last.error);
	if (last.vector == PF)
		print(" cr2 %lx", (uptr)last_cr2);
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
	last.vector = 0x80;
	guest_user(fn);
	if (last.vector == 0x80)
		print("-\n");
	else
		print_fault();
}

/* ---- pages ---- */

static u64 tables[16][512] __attribute__((aligned(4096)));
static unsigned used;

u64 *guest_pte(u64 lin)
{
	u64 *pde = &pd[lin >> 21];

	if (*pde & 0x80) {
		u64 *t = tables[used++], base = *pde & ~0x1fffffull;

		for (unsigned i = 0; i < 512; i++)
			t[i] = (base + i * 4096) | 7;
		*pde = (u64)t | 7;
		WRITE_CR(3, READ_CR(3));
	}
	return (u64 *)(*pde & ~0xfffull) + (lin >> 12 & 511);
}

void guest_map(u64 lin, u64 pte)
{
	*guest_pte(lin) = pte;
	invlpg(lin);
}

/* ---- second CPUs ---- */

__attribute__((weak)) void ap_main(int number)
{
	(void)number;
}

static void icr(u32 high, u32 low)
{
	*(volatile u32 *)0xfee00310ul = high;
	*(volatile u32 *)0xfee00300ul = low;
	while (*(volatile u32 *)0xfee00300ul & 0x1000)
		;
}

void guest_start_aps(unsigned count)
{
	u8 *to = (u8 *)0x8000ul;

	for (char *p = ap_trampoline; p < ap_trampoline_end; p++)
		*to++ = (u8)*p;
	icr(0, 0xc4500); /* INIT to all others */
	for (u64 t = rdtsc(); rdtsc() - t < 20000000;)
		;
	icr(0, 0xc4608); /* SIPI */
	while (ap_count < count)
		__asm__ volatile("pause");
}
