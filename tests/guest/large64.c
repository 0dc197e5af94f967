/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * large64.c - four-level paging: large pages, bits in upper tables, accesses across pages
 */
#include "guest.h"

#define AT 0x40000000ull /* a hole in RAM's map that tests put pages into */
#define P  1ull
#define W  2ull
#define U  4ull
#define A  0x20ull
#define D  0x40ull
#define PS 0x80ull
#define G  0x100ull
#define NX (1ull << 63)

static u8 page[2][4096] __attribute__((aligned(4096)));
static u64 at = AT;

static void read_at(void)
{
	(void)*(volatile u32 *)at;
}
static void write_at(void)
{
	*(volatile u32 *)at = 0xc3c3c3c3;
}
static void call_at(void)
{
	((void (*)(void))at)();
}
static void user_read(void)
{
	read_at();
	USER_RETURN;
}

static void crossing(void)
{
	guest_map(AT, (u64)page[0] | P | W | U);
	guest_map(AT + 4096, 0);
	at = AT + 4094;
	page[0][4094] = page[0][4095] = 0;
	try_print("write across", write_at);
	check("nothing written", page[0][4094] == 0 && page[0][4095] == 0);
	guest_map(AT, 0);
	try_print("write across, first gone", write_at);
	guest_map(AT, (u64)page[0] | P | W | U);
	guest_map(AT + 4096, (u64)page[1] | P | W | U);
	try_print("write across two", write_at);
	check("written", page[0][4095] == 0xc3 && page[1][0] == 0xc3);
	at = AT;
}

static void large(void)
{
	volatile u8 *p;
	u64 save = pdpt[2], pde = pd[1024];

	pd[1024] = ((u64)page & ~0x1fffffull) | P | W | U | PS;
	WRITE_CR(3, READ_CR(3));
	p = (volatile u8 *)(0x80000000ull + ((u64)page & 0x1fffff));
	page[0][0] = 7;
	check("2 MiB page", *p == 7);
	print("  bits:%s%s\n", pd[1024] & A ? " A" : "", pd[1024] & D ? " D" : "");
	*p = 8;
	check("write", page[0][0] == 8);
	print("  bits:%s%s\n", pd[1024] & A ? " A" : "", pd[1024] & D ? " D" : "");
	pd[1024] = pde;
	pdpt[2] = P | W | U | PS;
	WRITE_CR(3, READ_CR(3));
	p = (volatile u8 *)(0x80000000ull + (u64)page);
	check("1 GiB page", *p == 8);
	pdpt[2] = P | W | U | PS | 0x4000;
	WRITE_CR(3, READ_CR(3));
	at = 0x80000000ull;
	try_print("1 GiB page, reserved bit", read_at);
	pdpt[2] = save;
	pd[1024] = P | W | U | PS | 0x2000;
	WRITE_CR(3, READ_CR(3));
	try_print("2 MiB page, reserved bit", read_at);
	pd[1024] = pde;
	pml4[1] = (u64)pdpt | P | W | U | PS;
	WRITE_CR(3, READ_CR(3));
	at = 1ull << 39;
	try_print("PS in the PML4", read_at);
	pml4[1] = (u64)pdpt | P | W;
	WRITE_CR(3, READ_CR(3));
	at |= (u64)page;
	try_print("upper half alias", read_at);
	try_user_print("user, U missing in the PML4", user_read);
	pml4[1] = (u64)pdpt | P | U;
	WRITE_CR(3, READ_CR(3));
	try_print("W missing in the PML4", write_at);
	pml4[1] = (u64)pdpt | P | W | U | NX;
	page[0][0] = 0xc3;
	WRITE_CR(3, READ_CR(3));
	try_print("NX in the PML4", call_at);
	pml4[1] = 0;
	WRITE_CR(3, READ_CR(3));
	at = AT;
}

/* 4 MiB of large pages at 2 GiB + 64 MiB * @window, all of them the 2 MiB at @to. */
static void window_map(unsigned window, u64 to, u64 flags)
{
	for (unsigned i = 0; i < 2; i++)
		pd[1024 + 32 * window + i] = to | flags | P | W | U | PS;
}

/* How many of its 4 KiB pages begin with @value? All are looked at. */
static unsigned window_count(unsigned window, u8 value)
{
	volatile u8 *p = (volatile u8 *)(0x80000000ull + window * 0x4000000ull);
	unsigned count = 0;

	for (unsigned i = 0; i < 1024; i++)
		count += p[i * 4096ul] == value;
	return count;
}

/* Whatever order global and other pages come in, a write to CR3 forgets all others. */
static void global_and_others(void)
{
	u8 *first = (u8 *)0x400000, *second = (u8 *)0x600000;

	for (unsigned i = 0; i < 512; i++) {
		first[i * 4096] = 1;
		second[i * 4096] = 2;
	}
	WRITE_CR(4, READ_CR(4) | 0x80);
	window_map(0, (u64)first, G);
	check("global pages", window_count(0, 1) == 1024);
	window_map(1, (u64)first, 0);
	check("others", window_count(1, 1) == 1024);
	WRITE_CR(3, READ_CR(3));
	invlpg(0x84000000);
	window_map(2, (u64)first, 0);
	check("others, after invlpg", window_count(2, 1) == 1024);
	window_map(2, (u64)second, 0);
	WRITE_CR(3, READ_CR(3));
	check("others, after a write to CR3", window_count(2, 2) == 1024);
	WRITE_CR(4, READ_CR(4) & ~0x80ull);
}

/* From one page to the next, where all lower bits of their numbers change: 32 GiB. */
static void far_crossing(void)
{
	u64 low = pd[1023], high = pd[512];
	volatile u32 *first = (volatile u32 *)0x5ffffcul, *second = (volatile u32 *)0x800000ul;
	volatile u64 *p = (volatile u64 *)0x7fffffffcul;

	pd[1023] = 0x400000 | P | W | U | PS;
	pd[512] = 0x800000 | P | W | U | PS;
	pdpt[31] = pdpt[32] = pdpt[1];
	WRITE_CR(3, READ_CR(3));
	*first = 1;
	second[-1] = 3;
	*second = 2;
	check("32 GiB", *(volatile u32 *)0x800000000ul == 2);
	check("read across", *p == (2ull << 32 | 1));
	*(volatile u32 *)0x800000000ul = 2;
	*p = 4ull << 32 | 5;
	check("write across", *first == 5 && *second == 4 && second[-1] == 3);
	pdpt[31] = pdpt[32] = 0;
	pd[1023] = low;
	pd[512] = high;
	WRITE_CR(3, READ_CR(3));
}

int main(void)
{
	crossing();
	large();
	far_crossing();
	global_and_others();
	return guest_failures;
}
