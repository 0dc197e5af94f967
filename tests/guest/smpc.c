/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * smpc.c - two CPUs as every KVM runs them: INIT and SIPI, locked counters, IPIs back and forth, HLT
 */
#include "guest.h"

enum {
	ROUNDS = 2000,
	PINGS = 50,
	PING = 0x70,
	PONG = 0x71
};

static volatile u32 ids, shared, turn, pings, pongs, done, seen;
static volatile u64 locked, pair[2];
static volatile u8 lock;
static u8 page[2][4096] __attribute__((aligned(4096)));

static u32 apic_read(unsigned off)
{
	return *(volatile u32 *)(0xfee00000ul + off);
}

static void apic_write(unsigned off, u32 v)
{
	*(volatile u32 *)(0xfee00000ul + off) = v;
}

static void pause_(void)
{
	__asm__ volatile("pause" ::: "memory");
}

static void ipi(u32 to, u32 low)
{
	apic_write(0x310, to << 24);
	apic_write(0x300, low);
}

static int handler(struct frame *f)
{
	if (f->vector == PING) {
		pings++;
		apic_write(0xb0, 0);
		ipi(0, 0x4000 | PONG);
	} else if (f->vector == PONG) {
		pongs++;
		apic_write(0xb0, 0);
	} else {
		return 0;
	}
	return 1;
}

static void wait_turn(u32 n)
{
	while (turn < n)
		pause_();
}

static void count(void)
{
	for (int i = 0; i < ROUNDS; i++) {
		u64 old;

		__atomic_fetch_add(&shared, 1, __ATOMIC_SEQ_CST);
		__asm__ volatile("lock incq %0" : "+m"(locked)::"cc");
		while (__atomic_exchange_n(&lock, 1, __ATOMIC_ACQUIRE))
			pause_();
		pair[0]++;
		__atomic_store_n(&lock, 0, __ATOMIC_RELEASE);
		do
			old = pair[1];
		while (!__sync_bool_compare_and_swap(&pair[1], old, old + 1));
	}
	__atomic_fetch_add(&done, 1, __ATOMIC_SEQ_CST);
}

void ap_main(int number)
{
	(void)number;
	apic_write(0xf0, 0x1ff);
	ids = apic_read(0x20) >> 24;
	turn = 1;
	wait_turn(2);
	count();
	wait_turn(3);
	while (pings < PINGS)
		__asm__ volatile("sti; hlt; cli" ::: "memory");
	turn = 4;
	wait_turn(5);
	seen = *(volatile u8 *)0x40000000ul;
	turn = 6;
	wait_turn(7); /* the page table has changed */
	invlpg(0x40000000);
	seen |= *(volatile u8 *)0x40000000ul << 8;
	turn = 8;
}

int main(void)
{
	guest_handler = handler;
	outb(0x21, 0xff);
	outb(0xa1, 0xff);
	apic_write(0xf0, 0x1ff);
	apic_write(0x350, 0x10000);
	guest_start_aps(1);
	wait_turn(1);
	print("started %u, ID %u; mine %u\n", ap_count, ids, apic_read(0x20) >> 24);
	turn = 2;
	count();
	while (done < 2)
		pause_();
	print("counts %u %u %u %u\n", shared, (u32)locked, (u32)pair[0], (u32)pair[1]);
	turn = 3;
	for (u32 i = 1; i <= PINGS; i++) {
		ipi(1, 0x4000 | PING);
		while (pongs < i)
			__asm__ volatile("sti; hlt; cli" ::: "memory");
	}
	wait_turn(4);
	print("pings %u, pongs %u\n", pings, pongs);
	page[0][0] = 1;
	page[1][0] = 2;
	guest_map(0x40000000, (u64)page[0] | 7);
	turn = 5;
	wait_turn(6);
	guest_map(0x40000000, (u64)page[1] | 7);
	turn = 7;
	wait_turn(8);
	print("pages %x\n", seen);
	return guest_failures;
}
