/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fpu-state.c - FPU state as a whole: entering and leaving the guest, FXSAVE, XSAVE, MXCSR
 *
 * Sources: Intel SDM vol. 1, chapters 10.5 and 13; vol. 2, FXSAVE and XSAVE. As on AMD processors
 * FXSAVE and XSAVE store the pointers to the last x87 instruction only when an exception is
 * pending, else zeros; and the selectors that go with them are not kept (zeros).
 * XINUSE is always 3: both components count as modified.
 */
#include "base/bytes.h"
#include "emu/fpu-int.h"

enum {
	XSTATE_X87 = 1,
	XSTATE_SSE = 2,
	XSTATE_KNOWN = XSTATE_X87 | XSTATE_SSE,
	XSAVE_HEADER = 512,
	XSAVE_XCOMP = 520,
	XSAVE_END = 576,
	FXSAVE_END = 512,
};

/* ---- moving x87 between the host's unit and the image ---- */

#define ALL_XMM                                                                                  \
	"xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", \
		"xmm11", "xmm12", "xmm13", "xmm14", "xmm15"

/* The host's x87 state into the image; the host keeps it. */
static void image_from_host(struct vcpu *v)
{
	__asm__ volatile("fxsave64 %0" : "=m"(v->fpu.x87));
}

static void image_to_host(struct vcpu *v)
{
	put_le32(v->fpu.x87 + X87_MXCSR, host_mxcsr());
	put_le16(v->fpu.x87 + X87_FCW, v->fpu.cw | CW_MASKS);
	__asm__ volatile("fxrstor64 %0" : : "m"(v->fpu.x87) : ALL_XMM);
}

void x87_mask_again(struct vcpu *v)
{
	image_from_host(v);
	put_le16(v->fpu.x87 + X87_FSW, get_le16(v->fpu.x87 + X87_FSW) & (uint16_t) ~(SW_ES | SW_B));
	image_to_host(v);
}

void x87_load(struct vcpu *v)
{
	if (v->fpu.resident)
		return;
	image_to_host(v);
	v->fpu.resident = true;
	v->fpu.mmx = false;
}

void x87_unload(struct vcpu *v)
{
	if (v->fpu.resident) {
		image_from_host(v);
		__asm__ volatile("fninit");
		v->fpu.resident = false;
	} else if (v->fpu.mmx) {
		__asm__ volatile("emms");
		v->fpu.mmx = false;
	}
}

void x87_turn(struct vcpu *v, unsigned top)
{
	uint16_t sw = get_le16(v->fpu.x87 + X87_FSW);
	unsigned by = (top - (sw >> 11)) & 7;
	uint8_t old[8][16];

	if (by == 0)
		return;
	memcpy(old, v->fpu.x87 + X87_ST, sizeof(old));
	for (unsigned i = 0; i < 8; i++)
		memcpy(v->fpu.x87 + X87_ST + 16 * i, old[(i + by) & 7], 16);
	put_le16(v->fpu.x87 + X87_FSW, (uint16_t)((sw & ~0x3800u) | (top & 7) << 11));
}

void x87_enter_mmx(struct vcpu *v)
{
	x87_unload(v);
	x87_turn(v, 0);
	v->fpu.x87[X87_FTW] = 0xff;
	v->fpu.mmx = true;
}

const struct uop *x87_load_retry(struct vcpu *v, const struct uop *u)
{
	x87_load(v);
	GO(v, u);
}

const struct uop *x87_mmx_retry(struct vcpu *v, const struct uop *u)
{
	if (v->mode & MODE_X87X)
		x87_check_pending(v, u);
	x87_enter_mmx(v);
	GO(v, u);
}

uint16_t x87_status(struct vcpu *v)
{
	uint16_t sw;

	if (v->fpu.resident)
		__asm__ volatile("fnstsw %0" : "=m"(sw));
	else
		sw = get_le16(v->fpu.x87 + X87_FSW);
	sw &= (uint16_t) ~(SW_ES | SW_B);
	if (sw & ~v->fpu.cw & SW_EXCEPTIONS)
		sw |= SW_ES | SW_B;
	return sw;
}

void x87_check_pending(struct vcpu *v, const struct uop *u)
{
	if (x87_status(v) & SW_ES)
		emu_raise(v, u, EXC_MF);
}

void x87_init(struct vcpu *v)
{
	x87_unload(v);
	x87_turn(v, 0);
	put_le16(v->fpu.x87 + X87_FCW, CW_INIT);
	put_le16(v->fpu.x87 + X87_FSW, 0);
	v->fpu.x87[X87_FTW] = 0;
	v->fpu.cw = CW_INIT;
	v->fpu.fip = v->fpu.fdp = 0;
	v->fpu.fop = 0;
}

const struct uop *fpu_emms(struct vcpu *v, const struct uop *u)
{
	if (v->mode & MODE_X87X)
		x87_check_pending(v, u);
	if (v->fpu.resident) {
		__asm__ volatile("emms");
	} else {
		x87_unload(v);
		x87_turn(v, 0);
		v->fpu.x87[X87_FTW] = 0;
	}
	NEXT(v, u);
}

/* ---- the guest's image: x87 part, 160 bytes ---- */

static void get_x87(struct vcpu *v, uint8_t *area, bool always_pointers, bool wide)
{
	uint16_t sw = x87_status(v);

	if (v->fpu.resident)
		image_from_host(v);
	memset(area, 0, X87_MXCSR);
	put_le16(area + X87_FCW, v->fpu.cw);
	put_le16(area + X87_FSW, sw);
	area[X87_FTW] = v->fpu.x87[X87_FTW];
	if (always_pointers || (sw & SW_ES)) {
		put_le16(area + X87_FOP, v->fpu.fop);
		if (wide) {
			put_le64(area + X87_FIP, v->fpu.fip);
			put_le64(area + X87_FDP, v->fpu.fdp);
		} else {
			put_le32(area + X87_FIP, (uint32_t)v->fpu.fip);
			put_le32(area + X87_FDP, (uint32_t)v->fpu.fdp);
		}
	}
	memcpy(area + X87_ST, v->fpu.x87 + X87_ST, X87_XMM - X87_ST);
	for (unsigned i = 0; i < 8; i++)
		memset(area + X87_ST + 16 * i + 10, 0, 6);
}

static void set_x87(struct vcpu *v, const uint8_t *area, bool wide)
{
	x87_unload(v);
	memcpy(v->fpu.x87 + X87_ST, area + X87_ST, X87_XMM - X87_ST);
	v->fpu.cw = (get_le16(area + X87_FCW) & CW_VALID) | CW_ONE;
	put_le16(v->fpu.x87 + X87_FSW, get_le16(area + X87_FSW) & (uint16_t) ~(SW_ES | SW_B));
	v->fpu.x87[X87_FTW] = area[X87_FTW];
	v->fpu.fop = get_le16(area + X87_FOP) & 0x7ff;
	v->fpu.fip = wide ? get_le64(area + X87_FIP) : get_le32(area + X87_FIP);
	v->fpu.fdp = wide ? get_le64(area + X87_FDP) : get_le32(area + X87_FDP);
}

/* ---- MXCSR ---- */

uint32_t emu_mxcsr(struct vcpu *v)
{
	if (!v->fpu.entered)
		return v->fpu.mxcsr;
	return (host_mxcsr() & MXCSR_VALID & ~MXCSR_MASKS) | (v->fpu.mxcsr & MXCSR_MASKS);
}

bool sse_set_mxcsr(struct vcpu *v, uint32_t value)
{
	if (value & ~MXCSR_VALID)
		return false;
	v->fpu.mxcsr = value;
	if (v->fpu.entered)
		host_set_mxcsr(value | MXCSR_MASKS);
	return true;
}

const struct uop *fpu_go_on(struct vcpu *v, const struct uop *u)
{
	if (unlikely(sse_mode_stale(v) || x87_mode_stale(v))) {
		emu_done(v, u);
		emu_mode_update(v);
		return NULL;
	}
	NEXT(v, u);
}

const struct uop *fpu_ldmxcsr(struct vcpu *v, const struct uop *u)
{
	uint64_t lin = emu_ea_G(v, u, 4, false);

	if (!sse_set_mxcsr(v, emu_ld32(v, u, lin)))
		emu_gp0(v, u);
	return fpu_go_on(v, u);
}

const struct uop *fpu_stmxcsr(struct vcpu *v, const struct uop *u)
{
	uint64_t lin = emu_ea_G(v, u, 4, true);

	emu_st32(v, u, lin, emu_mxcsr(v));
	NEXT(v, u);
}

/* ---- FXSAVE, XSAVE and back ---- */

static void load_area(struct vcpu *v, const struct uop *u, uint64_t lin, unsigned from, unsigned to,
		      uint8_t *area)
{
	for (unsigned off = from; off < to; off += 64)
		emu_load_bytes(v, u, lin + off, to - off < 64 ? to - off : 64, area + off);
}

static void store_area(struct vcpu *v, const struct uop *u, uint64_t lin, unsigned from,
		       unsigned to, const uint8_t *area)
{
	for (unsigned off = from; off < to; off += 64)
		emu_store_bytes(v, u, lin + off, to - off < 64 ? to - off : 64, area + off);
}

static unsigned xmm_end(const struct vcpu *v)
{
	return v->mode & MODE_64 ? X87_IMAGE_END : X87_XMM + 8 * 16;
}

static void put_mxcsr(struct vcpu *v, uint8_t *area)
{
	put_le32(area + X87_MXCSR, emu_mxcsr(v));
	put_le32(area + X87_MXCSR_MASK, MXCSR_VALID);
}

const struct uop *fpu_fxsave(struct vcpu *v, const struct uop *u)
{
	uint64_t lin = emu_ea_G(v, u, FXSAVE_END, true);
	uint8_t area[FXSAVE_END];

	if (lin & 15)
		emu_gp0(v, u);
	emu_probe_write(v, u, lin, 16);
	emu_probe_write(v, u, lin + FXSAVE_END - 16, 16);
	get_x87(v, area, false, u->osize == 8);
	put_mxcsr(v, area);
	memcpy(area + X87_XMM, v->fpu.xmm, sizeof(v->fpu.xmm));
	store_area(v, u, lin, 0, xmm_end(v), area);
	NEXT_RETURN(u);
}

const struct uop *fpu_fxrstor(struct vcpu *v, const struct uop *u)
{
	uint64_t lin = emu_ea_G(v, u, FXSAVE_END, false);
	uint8_t area[FXSAVE_END];

	if (lin & 15)
		emu_gp0(v, u);
	load_area(v, u, lin, 0, FXSAVE_END, area);
	if (!sse_set_mxcsr(v, get_le32(area + X87_MXCSR)))
		emu_gp0(v, u);
	memcpy(v->fpu.xmm, area + X87_XMM, xmm_end(v) - X87_XMM);
	set_x87(v, area, u->osize == 8);
	return fpu_go_on(v, u);
}

/* What XSAVE and XRSTOR are asked for; raises #UD, #NM, #GP. */
static uint64_t requested(struct vcpu *v, const struct uop *u, uint64_t *ret_lin, bool write)
{
	if (!(v->cr4 & CR4_OSXSAVE))
		emu_ud(v, u);
	if (v->cr0 & CR0_TS)
		emu_raise(v, u, EXC_NM);
	*ret_lin = emu_ea_G(v, u, XSAVE_END, write);
	if (*ret_lin & 63)
		emu_gp0(v, u);
	return v->xcr0 & ((v->r[X86_RDX] << 32) | (uint32_t)v->r[X86_RAX]);
}

/* XSAVEOPT too: it may leave out what did not change, and need not. */
const struct uop *fpu_xsave(struct vcpu *v, const struct uop *u)
{
	uint64_t lin, bv;
	uint64_t rfbm = requested(v, u, &lin, true);
	uint8_t area[FXSAVE_END];

	emu_probe_write(v, u, lin, 64);
	emu_probe_write(v, u, lin + XSAVE_HEADER, 64);
	bv = emu_ld64(v, u, lin + XSAVE_HEADER);
	if (rfbm & XSTATE_X87) {
		get_x87(v, area, false, u->osize == 8);
		store_area(v, u, lin, 0, X87_MXCSR, area);
		store_area(v, u, lin, X87_ST, X87_XMM, area);
	}
	if (rfbm & XSTATE_SSE) {
		put_mxcsr(v, area);
		store_area(v, u, lin, X87_MXCSR, X87_ST, area);
		memcpy(area + X87_XMM, v->fpu.xmm, sizeof(v->fpu.xmm));
		store_area(v, u, lin, X87_XMM, xmm_end(v), area);
	}
	emu_st64(v, u, lin + XSAVE_HEADER, (bv & ~rfbm) | (rfbm & XSTATE_KNOWN));
	NEXT_RETURN(u);
}

const struct uop *fpu_xrstor(struct vcpu *v, const struct uop *u)
{
	uint64_t lin, bv;
	uint64_t rfbm = requested(v, u, &lin, false);
	uint8_t area[XSAVE_END];

	load_area(v, u, lin, 0, XSAVE_END, area);
	bv = get_le64(area + XSAVE_HEADER);
	if ((bv & ~v->xcr0) || get_le64(area + XSAVE_XCOMP) || get_le64(area + XSAVE_XCOMP + 8))
		emu_gp0(v, u);
	if (rfbm & XSTATE_SSE) {
		if (!sse_set_mxcsr(v, get_le32(area + X87_MXCSR)))
			emu_gp0(v, u);
		if (bv & XSTATE_SSE)
			memcpy(v->fpu.xmm, area + X87_XMM, xmm_end(v) - X87_XMM);
		else
			memset(v->fpu.xmm, 0, xmm_end(v) - X87_XMM);
	}
	if (rfbm & XSTATE_X87) {
		if (bv & XSTATE_X87) {
			set_x87(v, area, u->osize == 8);
		} else {
			x87_init(v);
			memset(v->fpu.x87 + X87_ST, 0, X87_XMM - X87_ST);
		}
	}
	return fpu_go_on(v, u);
}

/* ---- for the rest of the engine ---- */

/* INIT leaves all of it alone. */
void emu_fpu_reset(struct vcpu *v, bool init)
{
	sse_init();
	if (init)
		return;
	memset(v->fpu.x87, 0, sizeof(v->fpu.x87));
	memset(v->fpu.xmm, 0, sizeof(v->fpu.xmm));
	v->fpu.resident = v->fpu.mmx = v->fpu.entered = false;
	v->fpu.cw = CW_ONE;
	v->fpu.x87[X87_FTW] = 0xff;
	v->fpu.fip = v->fpu.fdp = 0;
	v->fpu.fop = 0;
	v->fpu.mxcsr = MXCSR_INIT;
}

void emu_fpu_enter(struct vcpu *v)
{
	host_set_mxcsr(v->fpu.mxcsr | MXCSR_MASKS);
	v->fpu.entered = true;
}

void emu_fpu_leave(struct vcpu *v)
{
	v->fpu.mxcsr = emu_mxcsr(v);
	v->fpu.entered = false;
	x87_unload(v);
	host_set_mxcsr(MXCSR_INIT);
}

void emu_fpu_get_xsave(struct vcpu *v, uint8_t *area)
{
	memset(area, 0, X86_XSAVE_SIZE);
	get_x87(v, area, true, true);
	put_mxcsr(v, area);
	memcpy(area + X87_XMM, v->fpu.xmm, sizeof(v->fpu.xmm));
	put_le64(area + XSAVE_HEADER, XSTATE_KNOWN);
}

void emu_fpu_set_xsave(struct vcpu *v, const uint8_t *area)
{
	uint64_t bv = get_le64(area + XSAVE_HEADER);
	uint32_t mxcsr = MXCSR_INIT;

	if (bv & XSTATE_X87) {
		set_x87(v, area, true);
	} else {
		x87_init(v);
		memset(v->fpu.x87 + X87_ST, 0, X87_XMM - X87_ST);
	}
	if (bv & XSTATE_SSE) {
		memcpy(v->fpu.xmm, area + X87_XMM, sizeof(v->fpu.xmm));
		mxcsr = get_le32(area + X87_MXCSR) & MXCSR_VALID;
	} else {
		memset(v->fpu.xmm, 0, sizeof(v->fpu.xmm));
	}
	(void)sse_set_mxcsr(v, mxcsr);
}
