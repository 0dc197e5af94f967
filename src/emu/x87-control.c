/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * x87-control.c - x87 control instructions: control and status word, environment, saved state
 *
 * Intel SDM vol. 1, section 8.1.10 for the four formats of the environment.
 */
#include "base/bytes.h"
#include "emu/fpu-int.h"

enum {
	ENV_16 = 14,
	ENV_32 = 28,
	REGS_SIZE = 80
};

const struct uop *x87_fldcw(struct vcpu *v, const struct uop *u)
{
	uint16_t cw, host;

	if (v->mode & MODE_X87X)
		x87_check_pending(v, u);
	cw = emu_ld16(v, u, emu_ea_G(v, u, 2, false));
	v->fpu.cw = (cw & CW_VALID) | CW_ONE;
	if (v->fpu.resident) {
		host = v->fpu.cw | CW_MASKS;
		__asm__ volatile("fldcw %0" : : "m"(host));
	} else {
		x87_unload(v); /* the next MMX instruction looks for pending exceptions */
	}
	return fpu_go_on(v, u);
}

const struct uop *x87_fnstcw(struct vcpu *v, const struct uop *u)
{
	emu_st16(v, u, emu_ea_G(v, u, 2, true), v->fpu.cw);
	NEXT(v, u);
}

const struct uop *x87_fnstsw(struct vcpu *v, const struct uop *u)
{
	emu_st16(v, u, emu_ea_G(v, u, 2, true), x87_status(v));
	NEXT(v, u);
}

const struct uop *x87_fnstsw_ax(struct vcpu *v, const struct uop *u)
{
	R16(v, X86_RAX * 8) = x87_status(v);
	NEXT(v, u);
}

const struct uop *x87_fninit(struct vcpu *v, const struct uop *u)
{
	if (v->fpu.resident) {
		__asm__ volatile("fninit");
		v->fpu.cw = CW_INIT;
		v->fpu.fip = v->fpu.fdp = 0;
		v->fpu.fop = 0;
	} else {
		x87_init(v);
	}
	return fpu_go_on(v, u);
}

const struct uop *x87_fnclex(struct vcpu *v, const struct uop *u)
{
	if (v->fpu.resident)
		__asm__ volatile("fnclex");
	else
		put_le16(v->fpu.x87 + X87_FSW, get_le16(v->fpu.x87 + X87_FSW) & 0x7f00);
	NEXT(v, u);
}

/* ---- environment ---- */

/* Two bits for each register from the image: valid, zero, special, empty. */
static uint16_t full_tags(const uint8_t *image)
{
	unsigned top = get_le16(image + X87_FSW) >> 11 & 7;
	unsigned tags = 0;

	for (unsigned i = 0; i < 8; i++) {
		const uint8_t *st = image + X87_ST + 16 * ((i - top) & 7);
		uint64_t mantissa = get_le64(st);
		unsigned exponent = get_le16(st + 8) & 0x7fff, tag;

		if (!(image[X87_FTW] >> i & 1))
			tag = 3;
		else if (exponent == 0 && mantissa == 0)
			tag = 1;
		else if (exponent == 0 || exponent == 0x7fff || !(mantissa >> 63))
			tag = 2;
		else
			tag = 0;
		tags |= tag << (2 * i);
	}
	return (uint16_t)tags;
}

static uint8_t short_tags(uint16_t tags)
{
	unsigned ftw = 0;

	for (unsigned i = 0; i < 8; i++)
		if ((tags >> (2 * i) & 3) != 3)
			ftw |= 1u << i;
	return (uint8_t)ftw;
}

static bool protected_format(const struct vcpu *v)
{
	return (v->mode & MODE_PE) && !(v->mode & MODE_VM);
}

/* The environment as this mode and operand size have it, from the image; its length. */
static unsigned env_build(struct vcpu *v, const struct uop *u, uint8_t *env)
{
	uint16_t words[3] = { v->fpu.cw, x87_status(v), full_tags(v->fpu.x87) };
	uint16_t fop = words[1] & SW_ES ? v->fpu.fop : 0;
	uint32_t ip = (uint32_t)v->fpu.fip, dp = (uint32_t)v->fpu.fdp;
	/* Selectors are not kept: those of now, or none if there was no instruction. */
	uint16_t cs = ip ? v->seg[X86_CS].selector : 0, ds = dp ? v->seg[X86_DS].selector : 0;

	if (!protected_format(v)) {
		ip += (uint32_t)v->seg[X86_CS].base;
		dp += (uint32_t)v->seg[X86_DS].base;
	}
	if (u->osize == 2) {
		for (unsigned i = 0; i < 3; i++)
			put_le16(env + 2 * i, words[i]);
		put_le16(env + 6, (uint16_t)ip);
		put_le16(env + 10, (uint16_t)dp);
		if (protected_format(v)) {
			put_le16(env + 8, cs);
			put_le16(env + 12, ds);
		} else {
			put_le16(env + 8, (uint16_t)((ip >> 16 & 0xf) << 12 | fop));
			put_le16(env + 12, (uint16_t)((dp >> 16 & 0xf) << 12));
		}
		return ENV_16;
	}

	for (unsigned i = 0; i < 3; i++)
		put_le32(env + 4 * i, 0xffff0000u | words[i]);
	if (protected_format(v)) {
		put_le32(env + 12, ip);
		put_le32(env + 16, (uint32_t)fop << 16 | cs);
		put_le32(env + 20, dp);
		put_le32(env + 24, 0xffff0000u | ds);
	} else {
		put_le32(env + 12, 0xffff0000u | (ip & 0xffff));
		put_le32(env + 16, (ip >> 16) << 12 | fop);
		put_le32(env + 20, 0xffff0000u | (dp & 0xffff));
		put_le32(env + 24, (dp >> 16) << 12);
	}
	return ENV_32;
}

/* The other way; the image is up to date, and the host's unit empty. */
static void env_take(struct vcpu *v, const struct uop *u, const uint8_t *env)
{
	unsigned step = u->osize == 2 ? 2 : 4;
	uint16_t sw = get_le16(env + step);

	v->fpu.cw = (get_le16(env) & CW_VALID) | CW_ONE;
	x87_turn(v, sw >> 11 & 7);
	put_le16(v->fpu.x87 + X87_FSW, sw & (uint16_t) ~(SW_ES | SW_B));
	v->fpu.x87[X87_FTW] = short_tags(get_le16(env + 2 * step));
	if (step == 2) {
		v->fpu.fip = get_le16(env + 6);
		v->fpu.fdp = get_le16(env + 10);
		v->fpu.fop = protected_format(v) ? 0 : get_le16(env + 8) & 0x7ff;
		if (!protected_format(v)) {
			v->fpu.fip |= (uint64_t)(get_le16(env + 8) >> 12) << 16;
			v->fpu.fdp |= (uint64_t)(get_le16(env + 12) >> 12) << 16;
		}
		return;
	}
	if (protected_format(v)) {
		v->fpu.fip = get_le32(env + 12);
		v->fpu.fdp = get_le32(env + 20);
		v->fpu.fop = get_le16(env + 18) & 0x7ff;
	} else {
		v->fpu.fip = get_le16(env + 12) | (get_le32(env + 16) >> 12 & 0xffff) << 16;
		v->fpu.fdp = get_le16(env + 20) | (get_le32(env + 24) >> 12 & 0xffff) << 16;
		v->fpu.fop = get_le16(env + 16) & 0x7ff;
	}
}

const struct uop *x87_fnstenv(struct vcpu *v, const struct uop *u)
{
	unsigned size = u->osize == 2 ? ENV_16 : ENV_32;
	uint64_t lin = emu_ea_G(v, u, size, true);
	uint8_t env[ENV_32];

	emu_probe_write(v, u, lin, size);
	x87_unload(v);
	(void)env_build(v, u, env);
	emu_store_bytes(v, u, lin, size, env);
	v->fpu.cw |= CW_MASKS;
	return fpu_go_on(v, u);
}

const struct uop *x87_fldenv(struct vcpu *v, const struct uop *u)
{
	unsigned size = u->osize == 2 ? ENV_16 : ENV_32;
	uint8_t env[ENV_32];

	if (v->mode & MODE_X87X)
		x87_check_pending(v, u);
	emu_load_bytes(v, u, emu_ea_G(v, u, size, false), size, env);
	x87_unload(v);
	env_take(v, u, env);
	return fpu_go_on(v, u);
}

const struct uop *x87_fnsave(struct vcpu *v, const struct uop *u)
{
	unsigned size = (u->osize == 2 ? ENV_16 : ENV_32), all = size + REGS_SIZE;
	uint64_t lin = emu_ea_G(v, u, all, true);
	uint8_t buf[ENV_32 + REGS_SIZE];

	emu_probe_write(v, u, lin, 64);
	emu_probe_write(v, u, lin + all - 64, 64);
	x87_unload(v);
	(void)env_build(v, u, buf);
	for (unsigned i = 0; i < 8; i++)
		memcpy(buf + size + 10 * i, v->fpu.x87 + X87_ST + 16 * i, 10);
	emu_store_bytes(v, u, lin, 64, buf);
	emu_store_bytes(v, u, lin + 64, all - 64, buf + 64);
	x87_init(v);
	return fpu_go_on(v, u);
}

const struct uop *x87_frstor(struct vcpu *v, const struct uop *u)
{
	unsigned size = u->osize == 2 ? ENV_16 : ENV_32, all = size + REGS_SIZE;
	uint8_t buf[ENV_32 + REGS_SIZE];
	uint64_t lin;

	if (v->mode & MODE_X87X)
		x87_check_pending(v, u);
	lin = emu_ea_G(v, u, all, false);
	emu_load_bytes(v, u, lin, 64, buf);
	emu_load_bytes(v, u, lin + 64, all - 64, buf + 64);
	x87_unload(v);
	env_take(v, u, buf);
	for (unsigned i = 0; i < 8; i++)
		memcpy(v->fpu.x87 + X87_ST + 16 * i, buf + size + 10 * i, 10);
	return fpu_go_on(v, u);
}
