/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * string.c - handlers: MOVS, STOS, LODS, SCAS, CMPS with and without REP
 *
 * Registers are updated after every element (or run of elements), so a fault or an interrupt in the
 * middle leaves an instruction that can be started again. MOVS and STOS upwards in plain RAM go a
 * page at a time by the host's own REP instruction of the same element size, which makes
 * overlapping copies come out right.
 */
#include "emu/int-int.h"

static uint64_t cut(uint64_t value, unsigned size)
{
	return size == 8 ? value : size == 4 ? (uint32_t)value : (uint16_t)value;
}

static void set_cut(struct vcpu *v, unsigned reg, unsigned size, uint64_t value)
{
	if (size == 2)
		R16(v, reg * 8) = (uint16_t)value;
	else
		v->r[reg] = cut(value, size);
}

static int64_t step(const struct vcpu *v, unsigned size)
{
	return v->eflags & RFLAGS_DF ? -(int64_t)size : (int64_t)size;
}

/* Leave a REP in the middle: an interrupt, or single step. It starts again at its own address. */
static const struct uop *interrupted(struct vcpu *v, const struct uop *u)
{
	v->r[R_RIP] += u->off;
	emu_retire(v, u->n - 1u);
	if (!(v->mode & MODE_64))
		v->r[R_RIP] = (uint32_t)v->r[R_RIP];
	return NULL;
}

static inline bool must_stop(const struct vcpu *v)
{
	return atomic_load_explicit(&v->pending, memory_order_relaxed) || v->mode & MODE_STEP;
}

/* May whole runs be done at once? */
static inline bool is_plain(const struct vcpu *v, const struct uop *u)
{
	return v->mode & MODE_64 && u->asize == 8 && !(v->eflags & RFLAGS_DF) &&
	       !(v->mode & MODE_STEP);
}

/* Elements of @size from @lin to the end of its page. */
static inline uint64_t run_length(uint64_t lin, unsigned size)
{
	return (PAGE_SIZE_ - (lin & ~PAGE_MASK_)) / size;
}

static inline uint64_t min64(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

#define DEFINE_MOVS(bits)                                                                       \
	static void movs_one_##bits(struct vcpu *v, const struct uop *u)                        \
	{                                                                                       \
		uint64_t si = cut(v->r[X86_RSI], u->asize), di = cut(v->r[X86_RDI], u->asize);  \
		int64_t by = step(v, bits / 8);                                                 \
		T_##bits m = emu_ld##bits(v, u, emu_linear(v, u, u->seg, si, bits / 8, false)); \
		emu_st##bits(v, u, emu_linear(v, u, X86_ES, di, bits / 8, true), m);            \
		set_cut(v, X86_RSI, u->asize, si + (uint64_t)by);                               \
		set_cut(v, X86_RDI, u->asize, di + (uint64_t)by);                               \
	}                                                                                       \
	/* As many as lie in one page on both sides; 0: not that way. */                        \
	static uint64_t movs_run_##bits(struct vcpu *v, const struct uop *u, uint64_t left)     \
	{                                                                                       \
		uint64_t si = v->seg_base[u->seg] + v->r[X86_RSI], di = v->r[X86_RDI];          \
		uint64_t n =                                                                    \
			min64(min64(run_length(si, bits / 8), run_length(di, bits / 8)), left); \
		const void *from;                                                               \
		void *to;                                                                       \
		if (n < 2)                                                                      \
			return 0;                                                               \
		from = emu_host_read(v, si, 1);                                                 \
		to = emu_host_write(v, di, 1);                                                  \
		if (!from || !to)                                                               \
			return 0;                                                               \
		v->r[X86_RSI] += n * (bits / 8);                                                \
		v->r[X86_RDI] += n * (bits / 8);                                                \
		left = n;                                                                       \
		__asm__ volatile("rep; movs" S_##bits                                           \
				 : "+S"(from), "+D"(to), "+c"(n)                                \
				 :                                                              \
				 : "memory");                                                   \
		return left;                                                                    \
	}                                                                                       \
	SOP(movs_##bits)                                                                        \
	{                                                                                       \
		uint64_t left, done;                                                            \
		if (!u->imm) {                                                                  \
			movs_one_##bits(v, u);                                                  \
			NEXT(v, u);                                                             \
		}                                                                               \
		while ((left = cut(v->r[X86_RCX], u->asize)) != 0) {                            \
			done = is_plain(v, u) ? movs_run_##bits(v, u, left) : 0;                \
			if (!done) {                                                            \
				movs_one_##bits(v, u);                                          \
				done = 1;                                                       \
			}                                                                       \
			set_cut(v, X86_RCX, u->asize, left - done);                             \
			if (left != done && must_stop(v))                                       \
				return interrupted(v, u);                                       \
		}                                                                               \
		NEXT(v, u);                                                                     \
	}
FOR_BITS(DEFINE_MOVS)

#define DEFINE_STOS(bits)                                                               \
	static void stos_one_##bits(struct vcpu *v, const struct uop *u)                \
	{                                                                               \
		uint64_t di = cut(v->r[X86_RDI], u->asize);                             \
		emu_st##bits(v, u, emu_linear(v, u, X86_ES, di, bits / 8, true),        \
			     GET_##bits(v, X86_RAX * 8));                               \
		set_cut(v, X86_RDI, u->asize, di + (uint64_t)step(v, bits / 8));        \
	}                                                                               \
	static uint64_t stos_run_##bits(struct vcpu *v, uint64_t left)                  \
	{                                                                               \
		uint64_t di = v->r[X86_RDI], n = min64(run_length(di, bits / 8), left); \
		void *to;                                                               \
		if (n < 2)                                                              \
			return 0;                                                       \
		to = emu_host_write(v, di, 1);                                          \
		if (!to)                                                                \
			return 0;                                                       \
		v->r[X86_RDI] += n * (bits / 8);                                        \
		left = n;                                                               \
		__asm__ volatile("rep; stos" S_##bits                                   \
				 : "+D"(to), "+c"(n)                                    \
				 : "a"(v->r[X86_RAX])                                   \
				 : "memory");                                           \
		return left;                                                            \
	}                                                                               \
	SOP(stos_##bits)                                                                \
	{                                                                               \
		uint64_t left, done;                                                    \
		if (!u->imm) {                                                          \
			stos_one_##bits(v, u);                                          \
			NEXT(v, u);                                                     \
		}                                                                       \
		while ((left = cut(v->r[X86_RCX], u->asize)) != 0) {                    \
			done = is_plain(v, u) ? stos_run_##bits(v, left) : 0;           \
			if (!done) {                                                    \
				stos_one_##bits(v, u);                                  \
				done = 1;                                               \
			}                                                               \
			set_cut(v, X86_RCX, u->asize, left - done);                     \
			if (left != done && must_stop(v))                               \
				return interrupted(v, u);                               \
		}                                                                       \
		NEXT(v, u);                                                             \
	}
FOR_BITS(DEFINE_STOS)

#define DEFINE_LODS(bits)                                                                       \
	static void lods_one_##bits(struct vcpu *v, const struct uop *u)                        \
	{                                                                                       \
		uint64_t si = cut(v->r[X86_RSI], u->asize);                                     \
		T_##bits m = emu_ld##bits(v, u, emu_linear(v, u, u->seg, si, bits / 8, false)); \
		SET_##bits(v, X86_RAX * 8, m);                                                  \
		set_cut(v, X86_RSI, u->asize, si + (uint64_t)step(v, bits / 8));                \
	}                                                                                       \
	SOP(lods_##bits)                                                                        \
	{                                                                                       \
		uint64_t left;                                                                  \
		if (!u->imm) {                                                                  \
			lods_one_##bits(v, u);                                                  \
			NEXT(v, u);                                                             \
		}                                                                               \
		while ((left = cut(v->r[X86_RCX], u->asize)) != 0) {                            \
			lods_one_##bits(v, u);                                                  \
			set_cut(v, X86_RCX, u->asize, left - 1);                                \
			if (left != 1 && must_stop(v))                                          \
				return interrupted(v, u);                                       \
		}                                                                               \
		NEXT(v, u);                                                                     \
	}
FOR_BITS(DEFINE_LODS)

/* Compare: d - s, flags only. If both operands of CMPS fault, ES:RDI counts, but for REPE CMPSB: so
 * it is on some processors of AMD; the manuals leave it open. */
#define DEFINE_CMP(bits)                                                                        \
	static inline void compare_##bits(struct vcpu *v, T_##bits d, T_##bits s)               \
	{                                                                                       \
		uint32_t f;                                                                     \
		__asm__("cmp" S_##bits " %" M_##bits "[s], %" M_##bits "[d]" KEEP_FLAGS         \
			: "=&a"(f)                                                              \
			: [d] "q"(d), [s] "q"(s)                                                \
			: "cc");                                                                \
		v->flags = (uint16_t)f;                                                         \
	}                                                                                       \
	static void scas_one_##bits(struct vcpu *v, const struct uop *u)                        \
	{                                                                                       \
		uint64_t di = cut(v->r[X86_RDI], u->asize);                                     \
		T_##bits m = emu_ld##bits(v, u, emu_linear(v, u, X86_ES, di, bits / 8, false)); \
		compare_##bits(v, GET_##bits(v, X86_RAX * 8), m);                               \
		set_cut(v, X86_RDI, u->asize, di + (uint64_t)step(v, bits / 8));                \
	}                                                                                       \
	static void cmps_one_##bits(struct vcpu *v, const struct uop *u)                        \
	{                                                                                       \
		uint64_t si = cut(v->r[X86_RSI], u->asize), di = cut(v->r[X86_RDI], u->asize);  \
		int64_t by = step(v, bits / 8);                                                 \
		bool si_first = bits == 8 && u->imm == 0xf3;                                    \
		T_##bits a, b;                                                                  \
		if (si_first)                                                                   \
			a = emu_ld##bits(v, u, emu_linear(v, u, u->seg, si, bits / 8, false));  \
		b = emu_ld##bits(v, u, emu_linear(v, u, X86_ES, di, bits / 8, false));          \
		if (!si_first)                                                                  \
			a = emu_ld##bits(v, u, emu_linear(v, u, u->seg, si, bits / 8, false));  \
		compare_##bits(v, a, b);                                                        \
		set_cut(v, X86_RSI, u->asize, si + (uint64_t)by);                               \
		set_cut(v, X86_RDI, u->asize, di + (uint64_t)by);                               \
	}                                                                                       \
	DEFINE_UNTIL(bits, scas)                                                                \
	DEFINE_UNTIL(bits, cmps)
/* REPE (F3) goes on while equal, REPNE (F2) while not. */
#define DEFINE_UNTIL(bits, op)                                        \
	SOP(op##_##bits)                                              \
	{                                                             \
		uint64_t left;                                        \
		if (!u->imm) {                                        \
			op##_one_##bits(v, u);                        \
			NEXT(v, u);                                   \
		}                                                     \
		while ((left = cut(v->r[X86_RCX], u->asize)) != 0) {  \
			op##_one_##bits(v, u);                        \
			set_cut(v, X86_RCX, u->asize, left - 1);      \
			if (!(v->flags & 0x4000) == (u->imm == 0xf3)) \
				break;                                \
			if (left != 1 && must_stop(v))                \
				return interrupted(v, u);             \
		}                                                     \
		NEXT(v, u);                                           \
	}
FOR_BITS(DEFINE_CMP)

op_fn *const ops_movs[4] = { movs_8, movs_16, movs_32, movs_64 };
op_fn *const ops_stos[4] = { stos_8, stos_16, stos_32, stos_64 };
op_fn *const ops_lods[4] = { lods_8, lods_16, lods_32, lods_64 };
op_fn *const ops_scas[4] = { scas_8, scas_16, scas_32, scas_64 };
op_fn *const ops_cmps[4] = { cmps_8, cmps_16, cmps_32, cmps_64 };
