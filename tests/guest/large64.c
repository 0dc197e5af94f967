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

int main(void)
{
	crossing();
	large();
	return guest_failures;
}
