/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <glib.h>
#include <string.h>

#include "base/bytes.h"
#include "emu/emu-int.h"

enum {
	FCW = 0,
	FSW = 2,
	FTW = 4,
	MXCSR = 24,
	ST0 = 32,
	XMM0 = 160,
	BV = 512
};

static struct vcpu *vcpu_fresh(void)
{
	struct vcpu *v = g_aligned_alloc0(1, sizeof(*v), 64);

	emu_fpu_reset(v, false);
	return v;
}

static void test_reset(void)
{
	struct vcpu *v = vcpu_fresh();
	g_autofree uint8_t *area = g_malloc(X86_XSAVE_SIZE);

	emu_fpu_get_xsave(v, area);
	g_assert_cmphex(get_le16(area + FCW), ==, 0x40);
	g_assert_cmphex(get_le16(area + FSW), ==, 0);
	g_assert_cmphex(get_le32(area + MXCSR), ==, 0x1f80);
	g_assert_cmphex(get_le64(area + BV), ==, 3);
	v->fpu.xmm[3].u64[0] = 7;
	emu_fpu_reset(v, true); /* INIT changes nothing */
	g_assert_cmphex(v->fpu.xmm[3].u64[0], ==, 7);
	g_aligned_free(v);
}

/* What is set comes out again, also with a stay in the guest between. */
static void test_round_trip(void)
{
	struct vcpu *v = vcpu_fresh();
	g_autofree uint8_t *in = g_malloc0(X86_XSAVE_SIZE);
	g_autofree uint8_t *out = g_malloc(X86_XSAVE_SIZE);

	for (unsigned i = 0; i < 256; i++)
		in[XMM0 + i] = (uint8_t)(i * 3);
	for (unsigned i = 0; i < 8; i++)
		for (unsigned k = 0; k < 10; k++)
			in[ST0 + 16 * i + k] = (uint8_t)(i * 16 + k + 1);
	put_le16(in + FCW, 0x0f7f);
	put_le16(in + FSW, 0x3800);
	in[FTW] = 0xf0;
	put_le32(in + MXCSR, 0x7fa1);
	put_le64(in + BV, 3);
	emu_fpu_set_xsave(v, in);
	for (unsigned i = 0; i < 3; i++) {
		emu_fpu_get_xsave(v, out);
		put_le32(out + 28, 0); /* the mask of MXCSR */
		g_assert_cmpmem(out, BV, in, BV);
		emu_fpu_enter(v);
		g_assert_cmphex(emu_mxcsr(v), ==, 0x7fa1);
		emu_fpu_leave(v);
	}
	g_aligned_free(v);
}

/* Components that are not in XSTATE_BV are initialised; reserved bits of MXCSR do not get in. */
static void test_hostile(void)
{
	struct vcpu *v = vcpu_fresh();
	g_autofree uint8_t *area = g_malloc(X86_XSAVE_SIZE);

	memset(area, 0xff, X86_XSAVE_SIZE);
	emu_fpu_set_xsave(v, area);
	emu_fpu_enter(v);
	emu_fpu_leave(v);
	emu_fpu_get_xsave(v, area);
	g_assert_cmphex(get_le32(area + MXCSR), ==, 0xffff);
	memset(area, 0xff, X86_XSAVE_SIZE);
	put_le64(area + BV, 0);
	emu_fpu_set_xsave(v, area);
	emu_fpu_get_xsave(v, area);
	g_assert_cmphex(get_le16(area + FCW), ==, 0x37f);
	g_assert_cmphex(get_le32(area + MXCSR), ==, 0x1f80);
	g_assert_cmphex(get_le64(area + XMM0), ==, 0);
	g_aligned_free(v);
}

/* The host's own FPU is as it was after a stay in the guest. */
static void test_host_unharmed(void)
{
	struct vcpu *v = vcpu_fresh();
	uint32_t mxcsr;
	volatile double third = 1;

	v->fpu.mxcsr = 0x7f80;
	emu_fpu_enter(v);
	emu_fpu_leave(v);
	__asm__ volatile("stmxcsr %0" : "=m"(mxcsr));
	g_assert_cmphex(mxcsr & 0xffc0, ==, 0x1f80);
	third /= 3;
	g_assert_true(third > 0.33333 && third < 0.33334);
	g_assert_cmphex(v->fpu.mxcsr, ==, 0x7f80);
	g_aligned_free(v);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/emu/fpu/reset", test_reset);
	g_test_add_func("/emu/fpu/round-trip", test_round_trip);
	g_test_add_func("/emu/fpu/hostile", test_hostile);
	g_test_add_func("/emu/fpu/host-unharmed", test_host_unharmed);
	return g_test_run();
}
