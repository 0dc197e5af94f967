/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mmu.c - the soft MMU: page walks, the software TLB, and every access that misses it
 *
 * Sources: Intel SDM vol. 3 chapter 4 (paging), 4.7 (error codes), 4.10 (TLBs).
 *
 * The fast path (emu-int.h) compares one tag. What it misses comes here: not translated yet,
 * crossing a page, MMIO, code pages, clean pages while the dirty log is on, watched pages. Two TLBs
 * of one shape, for CPL 3 and for the rest; INVLPG and flushes hit both. Each TLB keeps a list of
 * its slots in use, so that a flush costs what was filled and not what could have been.
 *
 * Accessed and dirty bits are set by a locked compare-and-exchange on the guest's entry, as other
 * vCPUs may change it. A bits are set when the walk as a whole succeeds.
 */
#include "emu/emu-int.h"

#include <string.h>

enum access {
	ACC_READ = 0,
	ACC_WRITE = PF_WRITE,
	ACC_FETCH = PF_FETCH
};

#define PTE_P         0x001u
#define PTE_W         0x002u
#define PTE_U         0x004u
#define PTE_A         0x020u
#define PTE_D         0x040u
#define PTE_PS        0x080u
#define PTE_G         0x100u
#define PTE_PAT_LARGE 0x1000u
#define PTE_NX        (1ull << 63)
#define PTE_ADDR      0x000ffffffffff000ull

enum {
	PHYS_BITS = 46
};
#define PHYS_RSVD (0x000fffffffffffffull & ~((1ull << PHYS_BITS) - 1))

struct walk {
	uint64_t gpa;   /* of the 4 KiB page */
	uint64_t perms; /* PTE_W, PTE_U: allowed on all levels; PTE_NX: on any; PTE_G of the leaf */
	bool dirty;     /* D is set in the leaf */
	bool large;
};

/* An entry of a paging structure in guest memory. */
struct pte_ref {
	uint64_t value;
	void *host; /* NULL: not in RAM */
};

static struct pte_ref pte_read(struct vcpu *v, uint64_t gpa, unsigned size)
{
	struct pte_ref ref = { .host = NULL, .value = size == 8 ? ~(uint64_t)0 : ~(uint32_t)0 };
	const void *p = mem_ptr(v->mem, gpa, size);

	if (!p)
		return ref;
	ref.host = (void *)(uintptr_t)p;
	ref.value = size == 8 ? __atomic_load_n((const uint64_t *)p, __ATOMIC_RELAXED)
			      : __atomic_load_n((const uint32_t *)p, __ATOMIC_RELAXED);
	return ref;
}

/* Set A (and D) in an entry; false: it changed meanwhile, walk again. */
static bool pte_mark(struct vcpu *v, uint64_t gpa, struct pte_ref *ref, uint64_t bits,
		     unsigned size)
{
	bool done;

	if ((ref->value & bits) == bits || !ref->host)
		return true;
	if (size == 8) {
		uint64_t old = ref->value;

		done = __atomic_compare_exchange_n((uint64_t *)ref->host, &old, old | bits, false,
						   __ATOMIC_SEQ_CST, __ATOMIC_RELAXED);
	} else {
		uint32_t old = (uint32_t)ref->value;

		done = __atomic_compare_exchange_n((uint32_t *)ref->host, &old,
						   old | (uint32_t)bits, false, __ATOMIC_SEQ_CST,
						   __ATOMIC_RELAXED);
	}
	ref->value |= bits;
	if (done)
		mem_written(v->mem, gpa, size);
	return done;
}

struct level {
	uint64_t gpa;
	struct pte_ref pte;
};

/*
 * Walk the tables. 0 and *w, or the page fault's error code (P and RSVD bits, with 0x80000000 to
 * tell "not present" from success). Permissions are for the caller; levels[] are the entries used.
 */
#define WALK_FAULT 0x80000000u
/* The tag of an entry that was emptied alone: its slot is still in a list. Equals no page. */
#define TLB_LISTED (TLB_NONE & ~(uint64_t)TLB_SLOW)

static uint32_t walk_legacy(struct vcpu *v, uint64_t lin, struct walk *w, struct level *levels,
			    unsigned *depth)
{
	struct level *l = &levels[0];
	uint32_t perms = PTE_W | PTE_U;

	l->gpa = (v->cr3 & 0xfffff000u) | (lin >> 22 & 0x3ff) << 2;
	l->pte = pte_read(v, l->gpa, 4);
	*depth = 1;
	if (!(l->pte.value & PTE_P))
		return WALK_FAULT;
	perms &= (uint32_t)l->pte.value;
	if (l->pte.value & PTE_PS && v->cr4 & CR4_PSE) {
		uint64_t pde = l->pte.value;

		/* PSE-36: bits 20:13 are address bits 39:32; bit 21 is reserved. */
		if (pde & 1u << 21)
			return WALK_FAULT | PF_PRESENT | PF_RSVD;
		w->gpa = (pde & 0xffc00000u) | (pde >> 13 & 0xff) << 32 | (lin & 0x3ff000u);
		w->perms = perms | (pde & PTE_G);
		w->dirty = pde & PTE_D;
		w->large = true;
		return 0;
	}
	levels[1].gpa = (l->pte.value & 0xfffff000u) | (lin >> 12 & 0x3ff) << 2;
	l = &levels[1];
	l->pte = pte_read(v, l->gpa, 4);
	*depth = 2;
	if (!(l->pte.value & PTE_P))
		return WALK_FAULT;
	perms &= (uint32_t)l->pte.value;
	w->gpa = l->pte.value & 0xfffff000u;
	w->perms = perms | (l->pte.value & PTE_G);
	w->dirty = l->pte.value & PTE_D;
	w->large = false;
	return 0;
}

/* PAE and 4-level paging: 8-byte entries, from @shift of the top level used down to 12. */
static uint32_t walk_long(struct vcpu *v, uint64_t lin, uint64_t table, unsigned shift,
			  struct walk *w, struct level *levels, unsigned *depth)
{
	bool four = v->efer & EFER_LMA;
	uint64_t rsvd = PHYS_RSVD | (v->efer & EFER_NXE ? 0 : PTE_NX);
	uint64_t perms = PTE_W | PTE_U, nx = 0;

	if (!four)
		rsvd |= 0x7ff0000000000000ull; /* SDM 4.4.2: bits 62:MAXPHYADDR */
	for (unsigned i = 0;; i++, shift -= 9) {
		struct level *l = &levels[i];
		uint64_t pte;

		l->gpa = table | (lin >> shift & 0x1ff) << 3;
		l->pte = pte_read(v, l->gpa, 8);
		pte = l->pte.value;
		*depth = i + 1;
		if (!(pte & PTE_P))
			return WALK_FAULT;
		if (pte & rsvd)
			return WALK_FAULT | PF_PRESENT | PF_RSVD;
		perms &= pte;
		nx |= pte & PTE_NX;
		if (shift == 12 || pte & PTE_PS) {
			uint64_t size = 1ull << shift;

			if (shift == 39)
				return WALK_FAULT | PF_PRESENT | PF_RSVD;
			if (shift > 12 && pte & (size - 1) & PTE_ADDR & ~(uint64_t)PTE_PAT_LARGE)
				return WALK_FAULT | PF_PRESENT | PF_RSVD;
			w->gpa = (pte & PTE_ADDR & ~(size - 1)) | (lin & (size - 1) & PAGE_MASK_);
			w->perms = perms | nx | (pte & PTE_G);
			w->dirty = pte & PTE_D;
			w->large = shift > 12;
			return 0;
		}
		table = pte & PTE_ADDR;
	}
}

static uint32_t walk_tables(struct vcpu *v, uint64_t lin, struct walk *w, struct level *levels,
			    unsigned *depth)
{
	if (v->efer & EFER_LMA)
		return walk_long(v, lin, v->cr3 & PTE_ADDR & ~PHYS_RSVD, 39, w, levels, depth);
	if (v->cr4 & CR4_PAE) {
		uint64_t pdpte = v->pdpte[lin >> 30 & 3];

		*depth = 0;
		if (!(pdpte & PTE_P))
			return WALK_FAULT;
		return walk_long(v, lin, pdpte & PTE_ADDR, 21, w, levels, depth);
	}
	return walk_legacy(v, lin, w, levels, depth);
}

/* May this access be made? */
static bool walk_allows(const struct vcpu *v, const struct walk *w, bool user, enum access access)
{
	if (user && !(w->perms & PTE_U))
		return false;
	if (access == ACC_WRITE && !(w->perms & PTE_W) && (user || v->cr0 & CR0_WP))
		return false;
	return access != ACC_FETCH || !(w->perms & PTE_NX);
}

/* Translate and set A and D; 0, or WALK_FAULT with the whole error code. */
static uint32_t translate(struct vcpu *v, uint64_t lin, bool user, enum access access,
			  struct walk *w)
{
	struct level levels[4];
	unsigned depth, size = v->cr4 & CR4_PAE ? 8 : 4;
	uint32_t err;

	if (!(v->cr0 & CR0_PG)) {
		*w = (struct walk){ .gpa = lin & PAGE_MASK_,
				    .perms = PTE_W | PTE_U,
				    .dirty = true };
		return 0;
	}
again:
	err = walk_tables(v, lin, w, levels, &depth);
	if (!err && !walk_allows(v, w, user, access))
		err = WALK_FAULT | PF_PRESENT;
	if (err) {
		err |= access == ACC_WRITE ? PF_WRITE : 0;
		err |= user ? PF_USER : 0;
		/* I/D is only reported where NX or SMEP exist (SDM 4.7). */
		if (access == ACC_FETCH && v->efer & EFER_NXE && v->cr4 & CR4_PAE)
			err |= PF_FETCH;
		return err;
	}
	for (unsigned i = 0; i < depth; i++) {
		uint64_t bits = PTE_A;

		if (i == depth - 1 && access == ACC_WRITE)
			bits |= PTE_D;
		if (!pte_mark(v, levels[i].gpa, &levels[i].pte, bits, size))
			goto again;
	}
	if (access == ACC_WRITE)
		w->dirty = true;
	return 0;
}

/* ---- TLB ---- */

static void tlb_clear(struct tlb *tlb)
{
	for (unsigned i = 0; i < TLB_SIZE; i++)
		tlb->entry[i].rtag = tlb->entry[i].wtag = TLB_NONE;
	tlb->list[0].count = tlb->list[1].count = 0;
	tlb->large_lo = ~(uint64_t)0;
	tlb->large_hi = 0;
}

void emu_mmu_init(struct vcpu *v)
{
	tlb_clear(&v->tlbs[0]);
	tlb_clear(&v->tlbs[1]);
	for (unsigned i = 0; i < ITLB_SIZE; i++)
		v->itlb[i].key = TLB_NONE;
	for (unsigned i = 0; i < JCACHE_SIZE; i++)
		v->jcache_store[i].key = TLB_NONE;
	v->jcache = v->jcache_store;
	v->jkey_global |= 1u << 16;
}

static void list_flush(struct tlb *tlb, bool global)
{
	struct tlb_list *list = &tlb->list[global];

	for (unsigned i = 0; i < list->count; i++) {
		struct tlb_entry *e = &tlb->entry[list->slot[i]];

		if (!(e->gpa & TLBE_GLOBAL) == !global)
			e->rtag = e->wtag = TLB_NONE;
	}
	list->count = 0;
}

static void tlb_flush(struct tlb *tlb, bool global_too)
{
	list_flush(tlb, false);
	if (!global_too)
		return;
	list_flush(tlb, true);
	tlb->large_lo = ~(uint64_t)0;
	tlb->large_hi = 0;
}

void emu_tlb_flush(struct vcpu *v, bool global_too)
{
	tlb_flush(&v->tlbs[0], global_too);
	tlb_flush(&v->tlbs[1], global_too);
	if (global_too)
		memset(v->code_filter, 0, sizeof(v->code_filter));
	emu_forget_code(v, global_too);
}

/* Pieces of large pages go all together: which ones belong to which is not known. */
static void tlb_flush_large(struct tlb *tlb)
{
	for (unsigned global = 0; global < 2; global++) {
		struct tlb_list *list = &tlb->list[global];

		for (unsigned i = 0; i < list->count; i++) {
			struct tlb_entry *e = &tlb->entry[list->slot[i]];

			/* A list may still name a slot that was flushed since, as one of the other
			 * kind. That one is in no list of its kind, and must stay TLB_NONE. */
			if (e->gpa & TLBE_LARGE && e->rtag != TLB_NONE)
				e->rtag = e->wtag = TLB_LISTED;
		}
	}
	tlb->large_lo = ~(uint64_t)0;
	tlb->large_hi = 0;
}

static bool tlb_flush_page(struct tlb *tlb, uint64_t lin)
{
	uint64_t page = lin & PAGE_MASK_;
	struct tlb_entry *e = emu_tlb_slot(tlb, lin);
	bool large = lin >= tlb->large_lo && lin <= tlb->large_hi;

	if (large)
		tlb_flush_large(tlb);
	if ((e->rtag & ~(uint64_t)TLB_SLOW) == page || (e->wtag & ~(uint64_t)TLB_SLOW) == page)
		e->rtag = e->wtag = TLB_LISTED;
	return large;
}

static unsigned filter_bit(uint64_t lin)
{
	return (unsigned)((lin >> 12 ^ lin >> 24) & (CODE_FILTER - 1));
}

void emu_tlb_flush_page(struct vcpu *v, uint64_t lin)
{
	bool large = tlb_flush_page(&v->tlbs[0], lin);
	unsigned bit = filter_bit(lin);

	large |= tlb_flush_page(&v->tlbs[1], lin);
	/* Most pages that are flushed one by one hold no code. */
	if (large || v->code_filter[bit / 64] >> bit % 64 & 1) {
		memset(v->code_filter, 0, sizeof(v->code_filter));
		emu_forget_code(v, true);
	}
}

/* Is a byte of this page watched by a data breakpoint? */
static bool page_watched(const struct vcpu *v, uint64_t lin)
{
	if (likely(!(v->dr[7] & 0xff)))
		return false;
	for (unsigned i = 0; i < 4; i++) {
		if (v->dr[7] >> (2 * i) & 3 && v->dr[7] >> (16 + 4 * i) & 3 &&
		    ((v->dr[i] ^ lin) & PAGE_MASK_) == 0)
			return true;
	}
	return false;
}

/* Somewhere around @lin there is a large page: the range covers the biggest that it can be. */
static void note_large(struct tlb *tlb, uint64_t lin)
{
	if ((lin & ~0x3fffffffull) < tlb->large_lo)
		tlb->large_lo = lin & ~0x3fffffffull;
	if ((lin | 0x3fffffffull) > tlb->large_hi)
		tlb->large_hi = lin | 0x3fffffffull;
}

/* Fill the slot of @lin after translate(); @access was allowed. */
static struct tlb_entry *tlb_fill(struct vcpu *v, struct tlb *tlb, uint64_t lin, bool user,
				  const struct walk *w)
{
	struct tlb_entry *e = emu_tlb_slot(tlb, lin);
	uint64_t page = lin & PAGE_MASK_;
	const struct mem_region *r = mem_find(v->mem, w->gpa, MEM_PAGE_SIZE);
	bool writable = walk_allows(v, w, user, ACC_WRITE) && w->dirty;
	uint64_t global = w->perms & PTE_G && v->cr4 & CR4_PGE ? TLBE_GLOBAL : 0;
	uint64_t rtag = page, wtag = writable ? page : TLB_NONE;

	if ((e->rtag == TLB_NONE && e->wtag == TLB_NONE) || global != (e->gpa & TLBE_GLOBAL)) {
		struct tlb_list *list = &tlb->list[global ? 1 : 0];

		if (unlikely(list->count == TLB_SIZE))
			tlb_flush(tlb, true); /* entries that change their kind again and again */
		list->slot[list->count++] = (uint16_t)(e - tlb->entry);
	}
	e->gpa = w->gpa | global;
	if (w->large) {
		e->gpa |= TLBE_LARGE;
		note_large(tlb, lin);
	}
	if (!r) {
		e->gpa |= TLBE_MMIO;
		rtag |= TLB_SLOW;
		wtag |= TLB_SLOW;
		e->addend = 0;
	} else {
		uint8_t flags = atomic_load(&r->flags[(w->gpa - r->gpa) >> MEM_PAGE_SHIFT]);

		e->addend = (uintptr_t)(r->host + (w->gpa - r->gpa)) - page;
		if (writable && (flags & MEM_PAGE_CODE ||
				 (!(flags & MEM_PAGE_DIRTY) && atomic_load(&v->mem->dirty_log))))
			wtag |= TLB_SLOW;
		if (unlikely(page_watched(v, lin))) {
			rtag |= TLB_SLOW;
			if (writable)
				wtag |= TLB_SLOW;
		}
	}
	e->rtag = rtag;
	e->wtag = wtag;
	emu_count(v, CPU_STAT_TLB_FILL);
	return e;
}

/* Raise for an address that is not canonical; the stack segment has a fault of its own. */
static void check_canonical(struct vcpu *v, const struct uop *u, uint64_t lin)
{
	if ((uint64_t)((int64_t)(lin << 16) >> 16) == lin || !(v->mode & MODE_64))
		return;
	if (u && u->seg == X86_SS)
		emu_raise_code(v, u, EXC_SS, 0);
	emu_gp0(v, u);
}

/* The entry for one page, filled if need be; raises. */
static struct tlb_entry *tlb_get(struct vcpu *v, const struct uop *u, bool user, uint64_t lin,
				 enum access access)
{
	struct tlb *tlb = &v->tlbs[user];
	struct tlb_entry *e = emu_tlb_slot(tlb, lin);
	uint64_t tag = access == ACC_WRITE ? e->wtag : e->rtag;
	struct walk w;
	uint32_t err;

	if (likely((tag & ~(uint64_t)TLB_SLOW) == (lin & PAGE_MASK_)))
		return e;
	check_canonical(v, u, lin);
	err = translate(v, lin, user, access, &w);
	if (err)
		emu_raise_pf(v, u, lin, err & ~WALK_FAULT);
	return tlb_fill(v, tlb, lin, user, &w);
}

/* ---- data breakpoints ---- */

static void watch(struct vcpu *v, uint64_t lin, unsigned size, bool write)
{
	static const uint8_t lens[4] = { 1, 2, 8, 4 };

	if (likely(!(v->dr[7] & 0xff)))
		return;
	for (unsigned i = 0; i < 4; i++) {
		unsigned rw = v->dr[7] >> (16 + 4 * i) & 3,
			 len = lens[v->dr[7] >> (18 + 4 * i) & 3];
		uint64_t at = v->dr[i] & ~(uint64_t)(len - 1);

		if (!(v->dr[7] >> (2 * i) & 3) || (rw != 3 && !(rw == 1 && write)))
			continue;
		if (lin < at + len && at < lin + size)
			v->debug_hit |= 1u << i;
	}
}

/* ---- MMIO ---- */

static bool is_lapic(const struct vcpu *v, uint64_t gpa)
{
	uint64_t base = lapic_base(v->lapic);

	return (base & (APIC_BASE_ENABLE | APIC_BASE_X2APIC)) == APIC_BASE_ENABLE &&
	       ((gpa ^ base) & PAGE_MASK_) == 0;
}

static uint64_t mmio_read(struct vcpu *v, uint64_t gpa, unsigned size)
{
	if (is_lapic(v, gpa)) {
		uint64_t value = lapic_mmio_read(v->lapic, gpa & 0xff0);

		emu_count(v, CPU_STAT_MMIO);
		return size == 8 ? value : value >> 8 * (gpa & 3) & ((1ull << 8 * size) - 1);
	}
	return emu_io_read(v, true, gpa, size);
}

static void mmio_write(struct vcpu *v, uint64_t gpa, unsigned size, uint64_t value)
{
	if (is_lapic(v, gpa)) {
		emu_count(v, CPU_STAT_MMIO);
		if (size == 4 && !(gpa & 15))
			lapic_mmio_write(v->lapic, gpa & 0xff0, (uint32_t)value);
		return;
	}
	emu_io_write(v, true, gpa, size, value);
}

/* ---- access within one page ---- */

static uint64_t host_load(const void *p, unsigned size)
{
	switch (size) {
	case 1:
		return ((const volatile struct u8_any *)p)->v;
	case 2:
		return ((const volatile struct u16_any *)p)->v;
	case 4:
		return ((const volatile struct u32_any *)p)->v;
	default:
		return ((const volatile struct u64_any *)p)->v;
	}
}

static void host_store(void *p, unsigned size, uint64_t value)
{
	switch (size) {
	case 1:
		((volatile struct u8_any *)p)->v = (uint8_t)value;
		break;
	case 2:
		((volatile struct u16_any *)p)->v = (uint16_t)value;
		break;
	case 4:
		((volatile struct u32_any *)p)->v = (uint32_t)value;
		break;
	default:
		((volatile struct u64_any *)p)->v = value;
		break;
	}
}

/* Sizes 1, 2, 4, 8 go in one piece; others byte by byte where MMIO, in one copy where RAM. */
static bool is_scalar(unsigned size)
{
	return size == 1 || size == 2 || size == 4 || size == 8;
}

static void read_in_page(struct vcpu *v, const struct tlb_entry *e, uint64_t lin, void *buf,
			 unsigned size)
{
	uint8_t *to = buf;

	if (likely(!(e->gpa & TLBE_MMIO))) {
		memcpy(buf, (const void *)(uintptr_t)(lin + e->addend), size);
		return;
	}
	for (unsigned done = 0; done < size;) {
		uint64_t gpa = (e->gpa & PAGE_MASK_) + (lin & ~PAGE_MASK_) + done;
		unsigned piece = size - done >= 8 && !(gpa & 7) ? 8 : 1;
		uint64_t value = mmio_read(v, gpa, piece);

		memcpy(to + done, &value, piece);
		done += piece;
	}
}

/* Behind a store to RAM through a slow tag: the log and decoded code must hear of it. */
static void ram_written(struct vcpu *v, struct tlb_entry *e, uint64_t lin, unsigned size)
{
	uint64_t gpa = (e->gpa & PAGE_MASK_) + (lin & ~PAGE_MASK_);
	_Atomic(uint8_t) *flags = mem_page_flags(v->mem, gpa);
	uint8_t now = atomic_load(flags);

	if (!(now & MEM_PAGE_DIRTY) && atomic_load(&v->mem->dirty_log))
		now = atomic_fetch_or(flags, MEM_PAGE_DIRTY) | MEM_PAGE_DIRTY;
	if (now & MEM_PAGE_CODE)
		emu_code_written(v->engine, v, gpa, size);
	else if (!(v->dr[7] & 0xff) && e->wtag == ((lin & PAGE_MASK_) | TLB_SLOW))
		e->wtag = lin & PAGE_MASK_;
}

static void write_in_page(struct vcpu *v, struct tlb_entry *e, uint64_t lin, const void *buf,
			  unsigned size)
{
	const uint8_t *from = buf;

	if (likely(!(e->gpa & TLBE_MMIO))) {
		memcpy((void *)(uintptr_t)(lin + e->addend), buf, size);
		if (e->wtag & TLB_SLOW)
			ram_written(v, e, lin, size);
		return;
	}
	for (unsigned done = 0; done < size;) {
		uint64_t gpa = (e->gpa & PAGE_MASK_) + (lin & ~PAGE_MASK_) + done, value = 0;
		unsigned piece = size - done >= 8 && !(gpa & 7) ? 8 : 1;

		memcpy(&value, from + done, piece);
		mmio_write(v, gpa, piece, value);
		done += piece;
	}
}

/* How many of @size bytes at @lin lie in its page. */
static unsigned in_page(uint64_t lin, unsigned size)
{
	unsigned room = PAGE_SIZE_ - (unsigned)(lin & ~PAGE_MASK_);

	return size < room ? size : room;
}

/* The linear address @add bytes on: wraps at 4 GiB outside 64-bit mode. */
static uint64_t lin_add(const struct vcpu *v, uint64_t lin, unsigned add)
{
	return v->efer & EFER_LMA ? lin + add : (uint32_t)(lin + add);
}

static void load_any(struct vcpu *v, const struct uop *u, bool user, uint64_t lin, unsigned size,
		     void *buf)
{
	unsigned first = in_page(lin, size);
	struct tlb_entry *e;
	struct tlb_entry copy;

	v->cur = u;
	if (unlikely(first < size))
		check_canonical(v, u, lin_add(v, lin, first));
	e = tlb_get(v, u, user, lin, ACC_READ);
	watch(v, lin, size, false);
	if (likely(first == size)) {
		if (is_scalar(size)) {
			uint64_t value;

			if (e->gpa & TLBE_MMIO)
				value = mmio_read(v, (e->gpa & PAGE_MASK_) + (lin & ~PAGE_MASK_),
						  size);
			else
				value = host_load((const void *)(uintptr_t)(lin + e->addend), size);
			memcpy(buf, &value, size);
			return;
		}
		read_in_page(v, e, lin, buf, size);
		return;
	}
	copy = *e; /* the second page may take the slot */
	e = tlb_get(v, u, user, lin_add(v, lin, first), ACC_READ);
	read_in_page(v, &copy, lin, buf, first);
	read_in_page(v, e, lin_add(v, lin, first), (uint8_t *)buf + first, size - first);
}

static void store_any(struct vcpu *v, const struct uop *u, bool user, uint64_t lin, unsigned size,
		      const void *buf)
{
	unsigned first = in_page(lin, size);
	struct tlb_entry *e, copy;

	v->cur = u;
	if (unlikely(first < size))
		check_canonical(v, u, lin_add(v, lin, first));
	e = tlb_get(v, u, user, lin, ACC_WRITE);
	watch(v, lin, size, true);
	if (likely(first == size)) {
		if (is_scalar(size)) {
			uint64_t value = 0;

			memcpy(&value, buf, size);
			if (e->gpa & TLBE_MMIO) {
				mmio_write(v, (e->gpa & PAGE_MASK_) + (lin & ~PAGE_MASK_), size,
					   value);
				return;
			}
			host_store((void *)(uintptr_t)(lin + e->addend), size, value);
			if (e->wtag & TLB_SLOW)
				ram_written(v, e, lin, size);
			return;
		}
		write_in_page(v, e, lin, buf, size);
		return;
	}
	copy = *e;
	e = tlb_get(v, u, user, lin_add(v, lin, first), ACC_WRITE);
	write_in_page(v, &copy, lin, buf, first);
	write_in_page(v, e, lin_add(v, lin, first), (const uint8_t *)buf + first, size - first);
}

/* ---- what emu-int.h offers ---- */

uint64_t emu_load_slow(struct vcpu *v, const struct uop *u, uint64_t lin, unsigned size)
{
	uint64_t value = 0;

	load_any(v, u, v->cpl == 3, lin, size, &value);
	return value;
}

void emu_store_slow(struct vcpu *v, const struct uop *u, uint64_t lin, unsigned size,
		    uint64_t value)
{
	store_any(v, u, v->cpl == 3, lin, size, &value);
}

void emu_load_bytes(struct vcpu *v, const struct uop *u, uint64_t lin, unsigned size, void *buf)
{
	load_any(v, u, v->cpl == 3, lin, size, buf);
}

void emu_store_bytes(struct vcpu *v, const struct uop *u, uint64_t lin, unsigned size,
		     const void *buf)
{
	store_any(v, u, v->cpl == 3, lin, size, buf);
}

static void probe(struct vcpu *v, const struct uop *u, uint64_t lin, unsigned size,
		  enum access access)
{
	unsigned first = in_page(lin, size);

	v->cur = u;
	if (unlikely(first < size))
		check_canonical(v, u, lin_add(v, lin, first));
	(void)tlb_get(v, u, v->cpl == 3, lin, access);
	if (first < size)
		(void)tlb_get(v, u, v->cpl == 3, lin_add(v, lin, first), access);
}

void emu_probe_write(struct vcpu *v, const struct uop *u, uint64_t lin, unsigned size)
{
	probe(v, u, lin, size, ACC_WRITE);
}

void emu_probe_read(struct vcpu *v, const struct uop *u, uint64_t lin, unsigned size)
{
	probe(v, u, lin, size, ACC_READ);
}

void *emu_rmw_slow(struct vcpu *v, const struct uop *u, uint64_t lin, unsigned size)
{
	struct tlb_entry *e;
	_Atomic(uint8_t) *flags;

	probe(v, u, lin, size, ACC_WRITE);
	if (in_page(lin, size) < size)
		return NULL;
	e = tlb_get(v, u, v->cpl == 3, lin, ACC_WRITE);
	if (e->gpa & TLBE_MMIO)
		return NULL;
	if (e->wtag & TLB_SLOW) {
		watch(v, lin, size, true);
		flags = mem_page_flags(v->mem, e->gpa & PAGE_MASK_);
		if (atomic_load(&v->mem->dirty_log))
			atomic_fetch_or(flags, MEM_PAGE_DIRTY);
		if (atomic_load(flags) & MEM_PAGE_CODE) {
			v->rmw_gpa = (e->gpa & PAGE_MASK_) + (lin & ~PAGE_MASK_);
			v->rmw_len = size;
		} else if (!(v->dr[7] & 0xff)) {
			e->wtag = lin & PAGE_MASK_;
		}
	}
	return (void *)(uintptr_t)(lin + e->addend);
}

void emu_rmw_told(struct vcpu *v)
{
	unsigned len = v->rmw_len;

	v->rmw_len = 0;
	emu_code_written(v->engine, v, v->rmw_gpa, len);
}

uint64_t emu_load_sys(struct vcpu *v, uint64_t lin, unsigned size)
{
	uint64_t value = 0;

	load_any(v, v->cur, false, lin, size, &value);
	return value;
}

void emu_store_sys(struct vcpu *v, uint64_t lin, unsigned size, uint64_t value)
{
	store_any(v, v->cur, false, lin, size, &value);
}

void emu_or_sys(struct vcpu *v, uint64_t lin, uint8_t bits)
{
	struct tlb_entry *e = tlb_get(v, v->cur, false, lin, ACC_WRITE);

	if (e->gpa & TLBE_MMIO) {
		emu_store_sys(v, lin, 1, emu_load_sys(v, lin, 1) | bits);
		return;
	}
	watch(v, lin, 1, true);
	__atomic_fetch_or((uint8_t *)(uintptr_t)(lin + e->addend), bits, __ATOMIC_SEQ_CST);
	if (e->wtag & TLB_SLOW)
		ram_written(v, e, lin, 1);
}

bool emu_load_pdptes(struct vcpu *v, uint64_t cr3)
{
	uint64_t pdpte[4];

	for (unsigned i = 0; i < 4; i++) {
		pdpte[i] = pte_read(v, (cr3 & 0xffffffe0u) + 8 * i, 8).value;
		/* SDM 4.4.1: bits 2:1, 8:5 and those above MAXPHYADDR are reserved. */
		if (pdpte[i] & PTE_P && pdpte[i] & (0xfff00000000001e6ull | PHYS_RSVD))
			return false;
	}
	memcpy(v->pdpte, pdpte, sizeof(pdpte));
	return true;
}

uint64_t emu_translate_debug(struct vcpu *v, uint64_t lin)
{
	struct level levels[4];
	struct walk w;
	unsigned depth;

	if (!(v->cr0 & CR0_PG))
		return lin;
	return walk_tables(v, lin, &w, levels, &depth) ? UINT64_MAX : w.gpa | (lin & ~PAGE_MASK_);
}

const struct itlb_entry *emu_fetch_page(struct vcpu *v, uint64_t lin)
{
	struct itlb_entry *e = &v->itlb[lin >> 12 & (ITLB_SIZE - 1)];
	struct walk w;
	uint32_t err;

	unsigned bit = filter_bit(lin);

	if (likely(e->page == (lin & PAGE_MASK_) && emu_key_holds(v, e->key)))
		return e;
	check_canonical(v, NULL, lin);
	err = translate(v, lin, v->cpl == 3, ACC_FETCH, &w);
	if (err)
		emu_raise_pf(v, NULL, lin, err & ~WALK_FAULT);
	e->page = lin & PAGE_MASK_;
	e->global = w.perms & PTE_G && v->cr4 & CR4_PGE;
	e->key = e->global ? v->jkey_global : v->jkey;
	e->gpa = w.gpa;
	e->host = mem_ptr(v->mem, w.gpa, MEM_PAGE_SIZE);
	v->code_filter[bit / 64] |= 1ull << bit % 64;
	if (w.large)
		note_large(v->tlb, lin);
	return e;
}

void emu_tlb_protect(struct vcpu *v, uint64_t gpa)
{
	for (unsigned t = 0; t < 4; t++) {
		struct tlb *tlb = &v->tlbs[t / 2];
		struct tlb_list *list = &tlb->list[t % 2];

		for (unsigned i = 0; i < list->count; i++) {
			struct tlb_entry *e = &tlb->entry[list->slot[i]];

			if (((e->gpa ^ gpa) & PAGE_MASK_) == 0 && !(e->wtag & ~PAGE_MASK_))
				e->wtag |= TLB_SLOW;
		}
	}
}
