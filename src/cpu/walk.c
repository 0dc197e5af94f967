/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * walk.c - where a linear address of a guest lies in its memory
 *
 * Intel SDM vol. 3 chapter 4. Tables are the guest's, and may be anything: a walk has at most five
 * steps, each reads one entry with a length check.
 */
#include "cpu/walk.h"

#include "base/bytes.h"
#include "cpu/state.h"
#include "mem/mem.h"

enum {
	ENTRY_PRESENT = 1 << 0,
	ENTRY_LARGE = 1 << 7,
};

#define ADDRESS_MASK 0x000ffffffffff000ull

struct paging {
	unsigned levels, bits; /* of an index */
	uint64_t root;
};

static struct paging paging_of(const struct x86_state *state)
{
	if (state->efer & EFER_LMA)
		return (struct paging){ state->cr4 & CR4_LA57 ? 5 : 4, 9,
					state->cr3 & ADDRESS_MASK };
	if (state->cr4 & CR4_PAE)
		return (struct paging){ 3, 9, state->cr3 & 0xffffffe0u };
	return (struct paging){ 2, 10, state->cr3 & 0xfffff000u };
}

static bool read_entry(const struct mem *mem, uint64_t gpa, unsigned size, uint64_t *ret)
{
	uint8_t bytes[8] = { 0 };

	if (mem_read(mem, gpa, bytes, size) < 0)
		return false;
	*ret = size == 8 ? get_le64(bytes) : get_le32(bytes);
	return *ret & ENTRY_PRESENT;
}

/* Where the page that @entry of a table at @level maps begins. */
static uint64_t page_base(const struct paging *paging, uint64_t entry, uint64_t size)
{
	/* PSE-36: bits 39:32 of a large page stand in bits 20:13. */
	if (paging->bits == 10 && size > MEM_PAGE_SIZE)
		return (entry & 0xffc00000u) | (entry & 0x001fe000u) << 19;
	return entry & ADDRESS_MASK & ~(size - 1);
}

bool x86_walk(const struct mem *mem, const struct x86_state *state, uint64_t linear,
	      uint64_t *ret_gpa, uint64_t *ret_len)
{
	const struct paging paging = paging_of(state);
	const unsigned entry_size = paging.bits == 9 ? 8 : 4;
	uint64_t table = paging.root, entry;

	if (!(state->efer & EFER_LMA))
		linear &= UINT32_MAX;
	if (!(state->cr0 & CR0_PG)) {
		*ret_gpa = linear;
		*ret_len = MEM_PAGE_SIZE - linear % MEM_PAGE_SIZE;
		return true;
	}
	for (unsigned level = paging.levels; level-- > 0;) {
		const unsigned shift = MEM_PAGE_SHIFT + level * paging.bits;
		const uint64_t index = (linear >> shift) & ((1u << paging.bits) - 1);
		const uint64_t size = 1ull << shift;
		bool large;

		if (!read_entry(mem, table + index * entry_size, entry_size, &entry))
			return false;
		large = entry & ENTRY_LARGE && (level == 1 || (level == 2 && paging.levels > 3));
		if (level > 0 && paging.bits == 10 && !(state->cr4 & CR4_PSE))
			large = false;
		if (level == 0 || large) {
			*ret_gpa = page_base(&paging, entry, size) + (linear & (size - 1));
			*ret_len = size - (linear & (size - 1));
			return true;
		}
		table = paging.bits == 9 ? entry & ADDRESS_MASK : entry & 0xfffff000u;
	}
	return false;
}
