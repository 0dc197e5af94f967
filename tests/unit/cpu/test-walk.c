/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-walk.c - linear addresses of guests, whose tables may be anything
 */
#include "cpu/walk.h"

#include <string.h>

#include "base/bytes.h"
#include "cpu/state.h"
#include "mem/mem.h"

enum {
	P = 1,
	LARGE = 0x80,
	RAM = 1 << 20,
};

static struct mem *new_mem(void)
{
	struct mem *mem = mem_new();

	g_assert_true(mem_add_ram(mem, 0, RAM, NULL));
	return mem;
}

static struct x86_state *new_state(void)
{
	return g_new0(struct x86_state, 1);
}

static void entry64(struct mem *mem, uint64_t gpa, uint64_t value)
{
	uint8_t bytes[8];

	put_le64(bytes, value);
	g_assert_cmpint(mem_write(mem, gpa, bytes, sizeof(bytes)), ==, 0);
}

static void entry32(struct mem *mem, uint64_t gpa, uint32_t value)
{
	uint8_t bytes[4];

	put_le32(bytes, value);
	g_assert_cmpint(mem_write(mem, gpa, bytes, sizeof(bytes)), ==, 0);
}

static void expect(const struct mem *mem, const struct x86_state *state, uint64_t linear,
		   uint64_t gpa, uint64_t len)
{
	uint64_t is_gpa = 0, is_len = 0;

	g_assert_true(x86_walk(mem, state, linear, &is_gpa, &is_len));
	g_assert_cmphex(is_gpa, ==, gpa);
	g_assert_cmphex(is_len, ==, len);
}

static void expect_none(const struct mem *mem, const struct x86_state *state, uint64_t linear)
{
	uint64_t gpa = 0, len = 0;

	g_assert_false(x86_walk(mem, state, linear, &gpa, &len));
}

static void test_off(void)
{
	autoptr(mem) mem = new_mem();
	g_autofree struct x86_state *state = new_state();

	state->cr0 = 1;
	expect(mem, state, 0x1234, 0x1234, 0xdcc);
	expect(mem, state, 0x500001234, 0x1234, 0xdcc);
}

static void test_long(void)
{
	autoptr(mem) mem = new_mem();
	g_autofree struct x86_state *state = new_state();

	state->cr0 = CR0_PG | 1;
	state->cr3 = 0x1018;
	state->cr4 = CR4_PAE;
	state->efer = EFER_LMA;
	entry64(mem, 0x1ff8, 0x2000 | P); /* the upper half's last */
	entry64(mem, 0x2ff0, 0x3000 | P | 1ull << 63);
	entry64(mem, 0x2ff8, 0x40000000 | P | LARGE);
	entry64(mem, 0x3000, 0x4000 | P);
	entry64(mem, 0x3008, 0x200000 | P | LARGE | 1 << 12);
	entry64(mem, 0x4008, 0x7000 | P | LARGE); /* PAT there, not a size */
	expect(mem, state, 0xffffffff80001010, 0x7010, 0xff0);
	expect(mem, state, 0xffffffff80201010, 0x201010, 0x1feff0);
	expect(mem, state, 0xffffffffc0000001, 0x40000001, 0x3fffffff);
	expect_none(mem, state, 0xffffffff80000000);
	expect_none(mem, state, 0);
	/* One level more in front of all that. */
	state->cr3 = 0x5000;
	state->cr4 |= CR4_LA57;
	entry64(mem, 0x5ff8, 0x1000 | P);
	expect(mem, state, 0xffffffff80001010, 0x7010, 0xff0);
}

static void test_pae(void)
{
	autoptr(mem) mem = new_mem();
	g_autofree struct x86_state *state = new_state();

	state->cr0 = CR0_PG | 1;
	state->cr3 = 0x1020;
	state->cr4 = CR4_PAE;
	entry64(mem, 0x1038, 0x3000 | P);
	entry64(mem, 0x3000, 0x4000 | P);
	entry64(mem, 0x3008, 0x800000000 | P | LARGE);
	entry64(mem, 0x4000, 0x9000 | P);
	expect(mem, state, 0xc0000123, 0x9123, 0xedd);
	expect(mem, state, 0xc0200000, 0x800000000, 0x200000);
	expect_none(mem, state, 0x80000000);
}

static void test_short(void)
{
	autoptr(mem) mem = new_mem();
	g_autofree struct x86_state *state = new_state();

	state->cr0 = CR0_PG | 1;
	state->cr3 = 0x1000;
	entry32(mem, 0x1000, 0x2000 | P | LARGE);
	entry32(mem, 0x2004, 0xa000 | P);
	expect(mem, state, 0x1fff, 0xafff, 1);
	state->cr4 = CR4_PSE;
	entry32(mem, 0x1000, 0x00402000 | P | LARGE); /* PSE-36: bit 32 */
	expect(mem, state, 0x1fff, 0x100401fff, 0x3fe001);
}

/* Tables outside of memory, at its edge, and ones that name themselves. */
static void test_hostile(void)
{
	autoptr(mem) mem = new_mem();
	g_autofree struct x86_state *state = new_state();

	state->cr0 = CR0_PG | 1;
	state->cr4 = CR4_PAE;
	state->efer = EFER_LMA;
	state->cr3 = UINT64_MAX;
	expect_none(mem, state, 0);
	state->cr3 = RAM;
	expect_none(mem, state, 0);
	state->cr3 = RAM - 0x1000;
	entry64(mem, RAM - 8, (RAM - 0x1000) | P);
	expect(mem, state, UINT64_MAX, RAM - 1, 1);
	entry64(mem, RAM - 8, ~0ull & ~(uint64_t)LARGE);
	expect_none(mem, state, UINT64_MAX);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/cpu/walk/off", test_off);
	g_test_add_func("/cpu/walk/long", test_long);
	g_test_add_func("/cpu/walk/pae", test_pae);
	g_test_add_func("/cpu/walk/short", test_short);
	g_test_add_func("/cpu/walk/hostile", test_hostile);
	return g_test_run();
}
