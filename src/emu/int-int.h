/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * int-int.h - what the files of integer handlers share: sizes, flags, addresses, slow paths
 *
 * The host computes the flags: each handler executes the guest's own instruction and keeps what
 * LAHF and SETO see of it. So flags that the manual leaves undefined come out as on the host.
 */
#ifndef EMU_INT_INT_H
#define EMU_INT_INT_H

#include "emu/ops.h"

/* By size in bits: C type, suffix of the instruction, modifier of an operand, bytes. */
#define T_8   uint8_t
#define T_16  uint16_t
#define T_32  uint32_t
#define T_64  uint64_t
#define S_8   "b"
#define S_16  "w"
#define S_32  "l"
#define S_64  "q"
#define M_8   "b"
#define M_16  "w"
#define M_32  "k"
#define M_64  "q"
#define ST_8  int8_t
#define ST_16 int16_t
#define ST_32 int32_t
#define ST_64 int64_t

/* Read and write a register; 32-bit results clear the upper half. */
#define GET_8(v, o)     R8(v, o)
#define GET_16(v, o)    R16(v, o)
#define GET_32(v, o)    R32(v, o)
#define GET_64(v, o)    R64(v, o)
#define SET_8(v, o, x)  (R8(v, o) = (uint8_t)(x))
#define SET_16(v, o, x) (R16(v, o) = (uint16_t)(x))
#define SET_32(v, o, x) (R64(v, o) = (uint32_t)(x))
#define SET_64(v, o, x) (R64(v, o) = (uint64_t)(x))

/*
 * Memory operands. A handler is a leaf: what the fast path cannot do, it leaves to a twin by a tail
 * call. X_slow(v, u, lin) does the whole instruction by the slow path; X_legacy(v, u) does so
 * outside 64-bit mode, where segments have limits.
 *
 * LIN_ea(X): declares lin. FAST_LOAD: declares a variable with what is at lin. FAST_HOST: declares
 * the host address at lin, for writing.
 */
#define LIN_B(name) uint64_t lin = emu_ea_B(v, u)
#define LIN_X(name) uint64_t lin = emu_ea_X(v, u)
#define LIN_G(name)                         \
	uint64_t lin;                       \
	if (unlikely(!(v->mode & MODE_64))) \
		return name##_legacy(v, u); \
	lin = v->seg_base[u->seg] + emu_ea_offset(v, u)

#define FAST_LOAD(bits, var, miss)                                       \
	T_##bits var;                                                    \
	const struct tlb_entry *tlbe = emu_tlb_slot(v->tlb, lin);        \
	if (unlikely(tlbe->rtag != ((lin + bits / 8 - 1) & PAGE_MASK_))) \
		return miss;                                             \
	var = ((const volatile struct u##bits##_any *)(uintptr_t)(lin + tlbe->addend))->v
#define FAST_HOST(bits, ptr, miss)                                       \
	struct u##bits##_any *ptr;                                       \
	const struct tlb_entry *tlbe = emu_tlb_slot(v->tlb, lin);        \
	if (unlikely(tlbe->wtag != ((lin + bits / 8 - 1) & PAGE_MASK_))) \
		return miss;                                             \
	ptr = (struct u##bits##_any *)(uintptr_t)(lin + tlbe->addend)

#define SLOW(name)                             \
	static __attribute__((noinline, cold)) \
	const struct uop *name##_slow(struct vcpu *v, const struct uop *u, uint64_t lin)
#define LEGACY(name, bits, write)                                            \
	static __attribute__((noinline, cold))                               \
	const struct uop *name##_legacy(struct vcpu *v, const struct uop *u) \
	{                                                                    \
		return name##_slow(v, u, emu_ea_G(v, u, bits / 8, write));   \
	}

#define OP(name)  const struct uop *name(struct vcpu *v, const struct uop *u)
#define SOP(name) static const struct uop *name(struct vcpu *v, const struct uop *u)

/* asm text: keep the flags in AX / take all six from AX / take CF only from AX */
#define KEEP_FLAGS "\n\tlahf\n\tseto %%al"
#define LOAD_FLAGS "addb $0x7f, %%al\n\tsahf\n\t"
#define LOAD_CF    "btl $8, %%eax\n\t"

/* The sixteen conditions, on packed flags. */
static inline __attribute__((always_inline)) bool cond(unsigned cc, uint32_t f)
{
	bool is;

	switch (cc >> 1) {
	case 0:
		is = f & 1;
		break;
	case 1:
		is = f & 0x0100;
		break;
	case 2:
		is = f & 0x4000;
		break;
	case 3:
		is = f & 0x4100;
		break;
	case 4:
		is = f & 0x8000;
		break;
	case 5:
		is = f & 0x0400;
		break;
	case 6:
		is = (f >> 15 ^ f) & 1;
		break;
	default:
		is = f & 0x4000 || ((f >> 15 ^ f) & 1);
		break;
	}
	return is != (cc & 1);
}

#define FOR_CC(X) \
	X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13) X(14) X(15)

/* Operand sizes in bytes of index 0 to 3. */
#define FOR_BITS(X, ...) \
	X(8, ##__VA_ARGS__) X(16, ##__VA_ARGS__) X(32, ##__VA_ARGS__) X(64, ##__VA_ARGS__)
#define FOR_BITS3(X, ...) X(16, ##__VA_ARGS__) X(32, ##__VA_ARGS__) X(64, ##__VA_ARGS__)

/*
 * A read-modify-write on memory that is no plain RAM in one page: loaded, changed, stored. LOCK is
 * kept among all who come this way; split locks against plain RAM are not atomic (docs/design/0003).
 */

/* Taken branch within the page and 64-bit mode: u->disp from the block, u->link. */
#define TAKE_LINK(v, u)                                                                  \
	do {                                                                             \
		const struct uop *link_ = (u)->link;                                     \
		(v)->r[R_RIP] += (uint64_t)(int64_t)(u)->disp;                           \
		emu_retire(v, (u)->n);                                                   \
		if (unlikely(atomic_load_explicit(&(v)->pending, memory_order_relaxed))) \
			return NULL;                                                     \
		if (unlikely(!link_))                                                    \
			link_ = emu_link(v, u);                                          \
		GO(v, link_);                                                            \
	} while (0)

/* RIP of the uop, and of the instruction behind it. */
static inline uint64_t uop_rip(const struct vcpu *v, const struct uop *u)
{
	return v->r[R_RIP] + u->off;
}

static inline uint64_t uop_next_rip(const struct vcpu *v, const struct uop *u)
{
	return v->r[R_RIP] + u->off + u->len;
}

static inline bool is_canonical(uint64_t lin)
{
	return (uint64_t)((int64_t)(lin << 16) >> 16) == lin;
}

/* May control go to @rip? Raises #GP(0) if not; returns it cut to the operand size. */
static inline uint64_t check_target(struct vcpu *v, const struct uop *u, uint64_t rip)
{
	if (likely(v->mode & MODE_64)) {
		if (unlikely(!is_canonical(rip)))
			emu_gp0(v, u);
		return rip;
	}
	rip = u->osize == 2 ? (uint16_t)rip : (uint32_t)rip;
	if (rip > v->seg[X86_CS].limit)
		emu_gp0(v, u);
	return rip;
}

#endif
