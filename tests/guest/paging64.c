/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * paging64.c - four-level paging: permissions, accessed and dirty bits, error codes
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
static void add_at(void)
{
	__asm__ volatile("addl $1, (%0)" ::"r"(at) : "memory");
}
static void lock_at(void)
{
	__asm__ volatile("lock addl $1, (%0)" ::"r"(at) : "memory");
}
static void cmpxchg_at(void)
{
	__asm__ volatile("lock cmpxchgl %%ecx, (%0)" ::"r"(at), "a"(1), "c"(2) : "memory");
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
static void user_write(void)
{
	write_at();
	USER_RETURN;
}
static void user_call(void)
{
	call_at();
	USER_RETURN;
}

static void bits(const char *what)
{
	u64 pte = *guest_pte(AT);

	print("  %s:%s%s\n", what, pte & A ? " A" : "", pte & D ? " D" : "");
}

static void all(const char *name, u64 flags)
{
	print("%s\n", name);
	page[0][0] = page[0][1] = 0xc3;
	guest_map(AT, flags | (flags & P ? (u64)page : 0));
	try_print("  read", read_at);
	bits("bits");
	try_print("  write", write_at);
	try_print("  add", add_at);
	try_print("  lock add", lock_at);
	try_print("  cmpxchg", cmpxchg_at);
	bits("bits");
	page[0][0] = 0xc3;
	try_print("  call", call_at);
	page[0][0] = 0xc3;
	guest_map(AT, flags | (flags & P ? (u64)page : 0));
	try_user_print("  user read", user_read);
	try_user_print("  user write", user_write);
	page[0][0] = 0xc3;
	try_user_print("  user call", user_call);
	bits("bits");
}

static void translations(void)
{
	volatile u8 *p = (volatile u8 *)AT;

	page[0][0] = 1;
	page[1][0] = 2;
	guest_map(AT, (u64)page[0] | P | W | U);
	check("first page", *p == 1);
	*guest_pte(AT) = (u64)page[1] | P | W | U;
	invlpg(AT);
	check("after invlpg", *p == 2);
	*guest_pte(AT) = (u64)page[0] | P | W | U;
	WRITE_CR(3, READ_CR(3));
	check("after a write to CR3", *p == 1);
	WRITE_CR(4, READ_CR(4) | 0x80);
	guest_map(AT, (u64)page[0] | P | W | U | G);
	check("global", *p == 1);
	*guest_pte(AT) = (u64)page[1] | P | W | U;
	WRITE_CR(4, READ_CR(4) & ~0x80ull);
	check("after PGE went", *p == 2);
}

int main(void)
{
	all("not present", 0);
	all("supervisor, read-only", P);
	all("supervisor", P | W);
	all("user, read-only", P | U);
	all("user", P | W | U);
	all("no execution", P | W | U | NX);
	all("reserved bit", P | W | U | 1ull << 51);
	WRITE_CR(0, READ_CR(0) & ~0x10000ull);
	all("user, read-only, WP off", P | U);
	WRITE_CR(0, READ_CR(0) | 0x10000);
	wrmsr(0xc0000080, rdmsr(0xc0000080) & ~0x800ull);
	all("NX bit while EFER.NXE is off", P | W | U | NX);
	all("not present, NXE off", 0);
	wrmsr(0xc0000080, rdmsr(0xc0000080) | 0x800);
	translations();
	return guest_failures;
}
