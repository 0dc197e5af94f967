/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * smp64.c - four CPUs: start by INIT and SIPI, locked operations, IPIs, TLB shootdown, code that one
 * CPU writes and another executes
 */
#include "guest.h"

enum {
	CPUS = 4,
	ROUNDS = 20000
};

static volatile u32 started, plain_lock, shared, phase, done, ipis, latest;
static volatile u64 lock64, pair[2] __attribute__((aligned(16)));
static volatile u32 ids;
static u8 code[64] __attribute__((aligned(64)));
static u8 page[2][4096] __attribute__((aligned(4096)));
static volatile u32 seen[CPUS];

static void pause_(void)
{
	__asm__ volatile("pause" ::: "memory");
}

static void barrier(u32 n)
{
	__atomic_fetch_add(&done, 1, __ATOMIC_SEQ_CST);
	while (phase < n)
		pause_();
}

static void next_phase(void)
{
	while (done < CPUS - 1)
		pause_();
	done = 0;
	__atomic_fetch_add(&phase, 1, __ATOMIC_SEQ_CST);
}

static void count(void)
{
	for (int i = 0; i < ROUNDS; i++) {
		u64 old, want;

		__atomic_fetch_add(&shared, 1, __ATOMIC_SEQ_CST);
		__asm__ volatile("lock incq %0" : "+m"(lock64)::"cc");
		while (__atomic_exchange_n(&plain_lock, 1, __ATOMIC_ACQUIRE))
			pause_();
		pair[0]++;
		__atomic_store_n(&plain_lock, 0, __ATOMIC_RELEASE);
		do {
			old = pair[1];
			want = old + 1;
		} while (!__sync_bool_compare_and_swap(&pair[1], old, want));
	}
}

static int ipi_handler(struct frame *f)
{
	if (f->vector != 0x70)
		return 0;
	__atomic_fetch_add(&ipis, 1, __ATOMIC_SEQ_CST);
	*(volatile u32 *)0xfee000b0ul = 0;
	return 1;
}

/* Calls code() until it says stop; its answers never go back. */
static void execute(int number)
{
	u32 last_seen = 0, now;

	do {
		now = ((u32(*)(void))code)();
		if (now < last_seen)
			seen[number] = 0xbad;
		/* May fall back when two write; the one that saw more comes again. */
		if (now > latest)
			latest = now;
		last_seen = now;
		__asm__ volatile("cpuid" ::"a"(0) : "rbx", "rcx", "rdx", "memory");
	} while (now < 100);
}

void ap_main(int number)
{
	*(volatile u32 *)0xfee000f0ul = 0x1ff;
	__atomic_fetch_or(&ids, 1u << (*(volatile u32 *)0xfee00020ul >> 24), __ATOMIC_SEQ_CST);
	__atomic_fetch_add(&started, 1, __ATOMIC_SEQ_CST);
	barrier(1);
	count();
	barrier(2);
	__asm__ volatile("sti");
	while (ipis < CPUS - 1)
		pause_();
	__asm__ volatile("cli");
	barrier(3);
	execute(number);
	barrier(4);
	/* The other CPU has changed the page's entry and asks for a flush. */
	seen[number] = *(volatile u8 *)0x40000000ul;
	barrier(5);
	invlpg(0x40000000);
	seen[number] |= *(volatile u8 *)0x40000000ul << 8;
	barrier(6);
	__asm__ volatile("sti; hlt; cli");
	barrier(7);
}

static void icr(u32 low)
{
	*(volatile u32 *)0xfee00300ul = low;
}

int main(void)
{
	int ok = 1;

	guest_handler = ipi_handler;
	*(volatile u32 *)0xfee000f0ul = 0x1ff;
	guest_start_aps(CPUS - 1);
	while (started < CPUS - 1)
		pause_();
	print("started %u, IDs %x\n", started, ids);
	next_phase();
	count();
	while (done < CPUS - 1)
		pause_();
	print("counts %u %u %u %u\n", shared, (u32)lock64, (u32)pair[0], (u32)pair[1]);
	next_phase();
	icr(0xc4070); /* to all others */
	while (done < CPUS - 1)
		pause_();
	print("IPIs %u\n", ipis);
	code[0] = 0xb8; /* mov $n, %eax; ret */
	*(volatile u32 *)(code + 1) = 1;
	code[5] = 0xc3;
	next_phase();
	for (u32 i = 2; i <= 100; i++) {
		*(volatile u32 *)(code + 1) = i;
		/* The last one is for all; they say so by leaving. */
		while (i < 100 && latest < i)
			pause_();
	}
	while (done < CPUS - 1)
		pause_();
	for (int i = 0; i < CPUS; i++)
		ok = ok && seen[i] != 0xbad;
	check("code changed under others", ok);
	page[0][0] = 1;
	page[1][0] = 2;
	guest_map(0x40000000, (u64)page[0] | 7);
	(void)*(volatile u8 *)0x40000000ul;
	next_phase();
	while (done < CPUS - 1)
		pause_();
	guest_map(0x40000000, (u64)page[1] | 7);
	next_phase();
	while (done < CPUS - 1)
		pause_();
	print("pages %x %x %x\n", seen[1], seen[2], seen[3]);
	next_phase();
	/* Wake them out of HLT, again and again as one may not be in it yet. */
	while (done < CPUS - 1) {
		icr(0xc4070);
		for (int j = 0; j < 10000; j++)
			pause_();
	}
	print("woken\n");
	next_phase();
	return guest_failures;
}
