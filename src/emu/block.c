/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * block.c - decoded blocks: finding, making, and throwing them away when code is written
 *
 * Each vCPU has a code cache of its own, so looking up and decoding take no lock. Blocks are found
 * by physical address and mode; they survive changes of CR3. Their memory is an arena that is
 * emptied as a whole when full (epoch).
 *
 * Self- and cross-modifying code. The engine keeps a bit for every 64 bytes of RAM (code_mask): some
 * vCPU may hold a block made of them. A page with such bits has MEM_PAGE_CODE set, which makes
 * stores take the slow path on every vCPU. The maker of a block
 *
 *   (1) copies the bytes and decodes the copy,
 *   (2) sets the bits, then the flag; unless MEM_PAGE_CODE_READY says that this was done, makes all
 *       TLBs forget fast writes to the page and waits until every running vCPU has done so,
 *   (3) compares the copy with memory, looks whether the bits are still there, and starts again if
 *       not.
 *
 * A writer stores, then looks at the bits. So either it sees the bits (and tells all vCPUs), or its
 * store was there at (3). vCPUs that are told throw the blocks away before their next block; one
 * that writes its own code does so at once: the rest of the running block turns into op_resync.
 *
 * A page whose bits have all gone again loses the flag after some more slow stores, one that still
 * has bits after many that hit none: it has become data. Whoever removes the flag looks at the bits
 * once more afterwards.
 */
#include "emu/emu-int.h"

#include <glib.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>

#include "base/sys.h"

enum {
	BLOCK_INSNS = 48,  /* at most, and */
	BLOCK_BYTES = 480, /* at most so many, before the last instruction */
	PAGE_HASH = 1024,
	PAGE_POOL = 8192,
	GRANULE_SHIFT = 6,
	DATA_STORES = 64,    /* slow stores to a page without code until it counts as data, */
	MIXED_STORES = 4096, /* and to one with code elsewhere until its code is thrown away */
	ARENA_ONE = 4 << 20,
	ARENA_FEW = 2 << 20,
	ARENA_MANY = 1 << 20,
};

struct block {
	uint64_t gpa;  /* of the first byte */
	uint64_t gpa2; /* of the second page, or TLB_NONE */
	struct block *hash_next;
	struct block *page_next[2]; /* in the list of its first and second page */
	uint32_t mode;
	uint16_t bytes;
	uint16_t uops;
	bool dead;
	uint8_t pad[15];
	struct uop uop[];
};
static_assert(sizeof(struct block) % 32 == 0, "uops are aligned");

/* A physical page with blocks. */
struct code_page {
	uint64_t gpn;
	struct block *first;
	struct code_page *next;
	unsigned data_stores;
};

struct code_cache {
	uint8_t *arena;
	size_t used, size;
	uint64_t epoch;
	struct block *hash[BLOCK_HASH];
	struct code_page *page_hash[PAGE_HASH];
	struct code_page page[PAGE_POOL];
	unsigned pages;
	bool flush_wanted; /* the next look-up starts with an empty arena */
};

struct code_cache *code_cache_new(unsigned cpus)
{
	struct code_cache *code;
	void *p;

	/* Mapped, not allocated: most of it is never touched. */
	if (sys_mmap(&p, sizeof(*code), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		     0) < 0)
		return NULL;
	code = p;
	code->size = cpus == 1 ? ARENA_ONE : cpus <= 4 ? ARENA_FEW : ARENA_MANY;
	if (sys_mmap(&p, code->size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) <
	    0) {
		sys_munmap(code, sizeof(*code));
		return NULL;
	}
	code->arena = p;
	return code;
}

void code_cache_free(struct code_cache *code)
{
	if (!code)
		return;
	sys_munmap(code->arena, code->size);
	sys_munmap(code, sizeof(*code));
}

void code_cache_flush(struct vcpu *v)
{
	struct code_cache *code = v->code;

	code->used = 0;
	code->pages = 0;
	code->epoch++;
	code->flush_wanted = false;
	memset(code->hash, 0, sizeof(code->hash));
	memset(code->page_hash, 0, sizeof(code->page_hash));
	emu_forget_code(v, true); /* the jump cache points into the arena */
}

static unsigned block_hash(uint64_t gpa, uint32_t mode)
{
	return (unsigned)((gpa ^ gpa >> 13 ^ (uint64_t)mode * 0x9e5u) & (BLOCK_HASH - 1));
}

static struct code_page *page_find(struct code_cache *code, uint64_t gpn)
{
	struct code_page *page = code->page_hash[gpn & (PAGE_HASH - 1)];

	while (page && page->gpn != gpn)
		page = page->next;
	return page;
}

static struct code_page *page_get(struct code_cache *code, uint64_t gpn)
{
	struct code_page *page = page_find(code, gpn), **head;

	if (page)
		return page;
	head = &code->page_hash[gpn & (PAGE_HASH - 1)];
	page = &code->page[code->pages++]; /* the caller has checked that there is one */
	*page = (struct code_page){ .gpn = gpn, .next = *head };
	*head = page;
	return page;
}

/* ---- who holds code of which page ---- */

static _Atomic(uint64_t) *mask_of(struct cpu_engine *e, uint64_t gpa)
{
	const struct mem_region *r = mem_find(e->mem, gpa, 1);

	if (!r)
		return NULL;
	return &e->code_mask[r - e->mem->region][(gpa - r->gpa) >> MEM_PAGE_SHIFT];
}

/* The bits of the granules that [off, off + len) of a page touches; len > 0. */
static uint64_t granules(uint64_t off, uint64_t len)
{
	unsigned first = (unsigned)(off >> GRANULE_SHIFT);
	unsigned last = (unsigned)((off + len - 1) >> GRANULE_SHIFT);

	return (~(uint64_t)0 >> (63 - (last - first))) << first;
}

/* Let every other vCPU forget its fast writes, and wait until it has; serves requests meanwhile,
 * so that two that wait for each other both get on. */
static void handshake(struct vcpu *v)
{
	struct cpu_engine *e = v->engine;
	uint64_t want[CPU_MAX] = { 0 };

	for (unsigned i = 0; i < e->config.cpus; i++) {
		struct vcpu *o = e->vcpu[i];

		if (!o || o == v)
			continue;
		pthread_mutex_lock(&o->req_lock);
		o->requests |= REQ_TLB_FLUSH;
		want[i] = atomic_fetch_add(&o->req_seq, 1) + 1;
		pthread_mutex_unlock(&o->req_lock);
		emu_pend(o, PEND_REQ);
	}
	for (unsigned i = 0; i < e->config.cpus; i++) {
		struct vcpu *o = e->vcpu[i];

		if (!o || o == v)
			continue;
		while (atomic_load(&o->in_guest) && atomic_load(&o->req_done) < want[i]) {
			if (atomic_load(&v->pending) & PEND_REQ)
				emu_serve_requests(v);
			sched_yield();
		}
	}
}

static void page_set_code(struct vcpu *v, uint64_t gpa)
{
	const uint8_t both = MEM_PAGE_CODE | MEM_PAGE_CODE_READY;
	_Atomic(uint8_t) *flags = mem_page_flags(v->mem, gpa);

	if (!flags || (atomic_load(flags) & both) == both ||
	    (atomic_fetch_or(flags, MEM_PAGE_CODE) & both) == both)
		return;
	/* Another vCPU may be at this point for the same page: each makes sure for itself. */
	emu_tlb_protect(v, gpa & PAGE_MASK_);
	if (v->engine->config.cpus > 1)
		handshake(v);
	atomic_fetch_or(flags, MEM_PAGE_CODE_READY);
}

static void mark_code(struct vcpu *v, uint64_t gpa, uint64_t len)
{
	_Atomic(uint64_t) *mask = mask_of(v->engine, gpa);
	uint64_t bits;

	if (!mask)
		return;
	bits = granules(gpa & ~PAGE_MASK_, len);
	if ((atomic_load(mask) & bits) != bits)
		atomic_fetch_or(mask, bits);
	page_set_code(v, gpa);
}

static bool is_marked(struct vcpu *v, uint64_t gpa, uint64_t len)
{
	_Atomic(uint64_t) *mask = mask_of(v->engine, gpa);
	uint64_t bits = granules(gpa & ~PAGE_MASK_, len);

	return !mask || (atomic_load(mask) & bits) == bits;
}

/* ---- throwing away ---- */

/* Its uops lead out from now on; whoever is inside finds the way by RIP. */
static void block_kill(struct vcpu *v, struct block *b)
{
	struct block **at = &v->code->hash[block_hash(b->gpa, b->mode)];

	for (unsigned i = 0; i < b->uops; i++)
		b->uop[i].fn = op_resync;
	b->dead = true;
	while (*at && *at != b)
		at = &(*at)->hash_next;
	if (*at)
		*at = b->hash_next;
	emu_count(v, CPU_STAT_SMC);
}

/* Does the block hold bytes of [gpa, gpa + len), a range within one page? */
static bool block_overlaps(const struct block *b, uint64_t gpa, uint64_t len)
{
	uint64_t first = PAGE_SIZE_ - (b->gpa & ~PAGE_MASK_); /* bytes in its first page, if two */
	uint64_t in_first = b->gpa2 == TLB_NONE ? b->bytes : first;

	if (gpa < b->gpa + in_first && b->gpa < gpa + len)
		return true;
	return b->gpa2 != TLB_NONE && gpa < b->gpa2 + (b->bytes - first) && b->gpa2 < gpa + len;
}

static void kill_blocks(struct vcpu *v, uint64_t gpa, uint64_t len)
{
	struct code_page *page = page_find(v->code, gpa >> 12);
	struct block **at;

	if (!page)
		return;
	at = &page->first;
	while (*at) {
		struct block *b = *at;
		struct block **next = &b->page_next[b->gpa >> 12 == page->gpn ? 0 : 1];

		if (!b->dead && block_overlaps(b, gpa, len))
			block_kill(v, b);
		if (b->dead)
			*at = *next;
		else
			at = next;
	}
}

/* Count a store that hit no code. True: there have been so many that the page is to lose its flag,
 * and whatever code is left in it. */
static bool page_is_data(struct vcpu *v, uint64_t gpa, uint64_t mask)
{
	struct code_page *page = page_find(v->code, gpa >> 12);

	/* Code of other vCPUs: counting in a place that all share would cost more than it gives. */
	if (!page)
		return !mask;
	if (++page->data_stores < (mask ? MIXED_STORES : DATA_STORES))
		return false;
	page->data_stores = 0;
	return true;
}

void emu_serve_requests(struct vcpu *v)
{
	struct {
		uint64_t gpa, len;
	} write[CODE_WRITES];
	uint32_t requests;
	uint64_t seq;
	unsigned writes;

	pthread_mutex_lock(&v->req_lock);
	requests = v->requests;
	writes = v->writes;
	memcpy(write, v->write, sizeof(write[0]) * writes);
	v->requests = 0;
	v->writes = 0;
	seq = atomic_load(&v->req_seq);
	atomic_fetch_and(&v->pending, ~(uint32_t)PEND_REQ);
	pthread_mutex_unlock(&v->req_lock);

	if (requests & REQ_TLB_FLUSH)
		emu_tlb_flush(v, true);
	if (requests & REQ_CODE_FLUSH)
		v->code->flush_wanted = true;
	for (unsigned i = 0; i < writes; i++)
		kill_blocks(v, write[i].gpa, write[i].len);
	if (v->code->flush_wanted)
		emu_forget_code(v, true); /* every look-up is slow until the arena is emptied */
	atomic_store(&v->req_done, seq);
}

static void request_kill(struct vcpu *v, uint64_t gpa, uint64_t len)
{
	pthread_mutex_lock(&v->req_lock);
	if (v->writes < CODE_WRITES) {
		v->write[v->writes].gpa = gpa;
		v->write[v->writes].len = len;
		v->writes++;
	} else {
		v->requests |= REQ_CODE_FLUSH;
	}
	pthread_mutex_unlock(&v->req_lock);
	emu_pend(v, PEND_REQ);
}

/* All vCPUs throw away what they made of [gpa, gpa + len). */
static void kill_everywhere(struct cpu_engine *e, struct vcpu *self, uint64_t gpa, uint64_t len)
{
	for (unsigned i = 0; i < e->config.cpus; i++) {
		struct vcpu *o = e->vcpu[i];

		if (o == self && o)
			kill_blocks(o, gpa, len);
		else if (o)
			request_kill(o, gpa, len);
	}
}

static void page_set_data(struct vcpu *v, uint64_t gpa, _Atomic(uint64_t) *mask)
{
	gpa &= PAGE_MASK_;
	if (atomic_exchange(mask, 0))
		kill_everywhere(v->engine, v, gpa, PAGE_SIZE_);
	atomic_fetch_and(mem_page_flags(v->mem, gpa),
			 (uint8_t) ~(MEM_PAGE_CODE | MEM_PAGE_CODE_READY));
	if (!atomic_load(mask))
		return;
	/* Somebody has made a block meanwhile. A third one may have found the flag gone and stored
	 * over it: so the flag comes back, and the block goes. */
	page_set_code(v, gpa);
	if (atomic_exchange(mask, 0))
		kill_everywhere(v->engine, v, gpa, PAGE_SIZE_);
}

void emu_code_written(struct cpu_engine *e, struct vcpu *self, uint64_t gpa, uint64_t len)
{
	_Atomic(uint64_t) *mask = mask_of(e, gpa);
	uint64_t bits, all;

	if (!mask || !len)
		return;
	atomic_thread_fence(memory_order_seq_cst); /* the store is before the look at the bits */
	all = atomic_load(mask);
	bits = granules(gpa & ~PAGE_MASK_, len) & all;
	if (!bits) {
		if (self && page_is_data(self, gpa, all))
			page_set_data(self, gpa, mask);
		return;
	}
	atomic_fetch_and(mask, ~bits);
	/* Blocks go that touch any of the granules, as their bits are gone. */
	len = ((gpa + len - 1) | ((1u << GRANULE_SHIFT) - 1)) + 1;
	gpa &= ~(uint64_t)((1u << GRANULE_SHIFT) - 1);
	kill_everywhere(e, self, gpa, len - gpa);
}

/* ---- making ---- */

/* What is to be decoded: a copy of the bytes, of one page and perhaps the next. */
struct source {
	uint8_t bytes[BLOCK_BYTES + 32];
	unsigned len;        /* of bytes */
	unsigned first;      /* how many of them lie in the first page */
	uint64_t gpa, gpa2;  /* gpa2: TLB_NONE until the second page was needed */
	const uint8_t *host; /* of the first byte, NULL: no RAM */
	const uint8_t *host2;
};

static void source_read(struct source *s)
{
	if (s->host)
		memcpy(s->bytes, s->host, s->first);
	else
		memset(s->bytes, 0xff, s->first); /* floating bus; FF FF is no instruction */
	s->len = s->first;
	if (s->gpa2 != TLB_NONE) {
		if (s->host2)
			memcpy(s->bytes + s->first, s->host2, 16);
		else
			memset(s->bytes + s->first, 0xff, 16);
		s->len += 16;
	}
}

/* Is memory still as it was copied? */
static bool source_same(const struct source *s, unsigned used)
{
	unsigned first = used < s->first ? used : s->first;

	if (s->host && memcmp(s->bytes, s->host, first) != 0)
		return false;
	return used <= s->first || !s->host2 ||
	       memcmp(s->bytes + s->first, s->host2, used - s->first) == 0;
}

/* Decode into @uops from s; how many uops, and *ret_used bytes. 0: the next page is needed. */
static unsigned decode_run(struct vcpu *v, const struct source *s, struct uop *uops,
			   unsigned *ret_used)
{
	unsigned max = v->mode & MODE_STEP ? 1 : BLOCK_INSNS;
	unsigned used = 0, count = 0, insns = 0;
	bool ends = false;

	while (!ends && insns < max && used < BLOCK_BYTES) {
		struct decoder d = {
			.v = v,
			.mode = v->mode,
			.p = s->bytes + used,
			.avail = s->len - used < 15 ? s->len - used : 15,
			.u = &uops[count],
			.seg = -1,
			.page_off = (uint16_t)(s->gpa & ~PAGE_MASK_),
		};

		/* Beyond the first instruction a block stays in its first page. */
		if (insns > 0 && used >= s->first)
			break;
		memset(d.u, 0, sizeof(*d.u));
		d.u->off = (uint16_t)used;
		emu_decode(&d);
		if (d.truncated && d.avail < 15) {
			if (insns > 0)
				break;
			return 0;
		}
		if (insns > 0 && used + d.pos > s->first)
			break; /* crosses into the next page: a block of its own */
		d.u->len = (uint8_t)d.pos;
		d.u->n = (uint8_t)(insns + 1);
		used += d.pos;
		insns++;
		ends = d.ends;
		count += decode_fuse(&d, uops, count);
	}
	if (!ends) {
		struct uop *u = &uops[count++];

		memset(u, 0, sizeof(*u));
		u->fn = v->mode & MODE_STEP ? op_stop : op_next;
		u->off = (uint16_t)used;
		u->n = (uint8_t)(insns + 1); /* this one is none */
	}
	*ret_used = used;
	return count;
}

static struct block *block_make(struct vcpu *v, uint64_t lin, const struct itlb_entry *page)
{
	struct code_cache *code = v->code;
	struct source s = {
		.gpa = page->gpa | (lin & ~PAGE_MASK_),
		.gpa2 = TLB_NONE,
		.host = page->host ? page->host + (lin & ~PAGE_MASK_) : NULL,
		.first = PAGE_SIZE_ - (unsigned)(lin & ~PAGE_MASK_),
	};
	unsigned used, count, bucket;
	struct code_page *in;
	struct block *b;

	if (s.first > sizeof(s.bytes) - 16)
		s.first = sizeof(s.bytes) - 16;
	if (code->flush_wanted || code->pages + 2 > PAGE_POOL ||
	    code->size - code->used < sizeof(*b) + (BLOCK_INSNS + 2) * sizeof(struct uop))
		code_cache_flush(v);
	b = (struct block *)(void *)(code->arena + code->used);
again:
	source_read(&s);
	count = decode_run(v, &s, b->uop, &used);
	if (!count) {
		const struct itlb_entry *next = emu_fetch_page(
			v, v->efer & EFER_LMA ? lin + s.first : (uint32_t)(lin + s.first));

		s.gpa2 = next->gpa;
		s.host2 = next->host;
		goto again;
	}
	if (used <= s.first)
		s.gpa2 = TLB_NONE;
	mark_code(v, s.gpa, used < s.first ? used : s.first);
	if (s.gpa2 != TLB_NONE)
		mark_code(v, s.gpa2, used - s.first);
	/* The bits may have gone again by a write that found nothing to throw away yet. */
	if (!source_same(&s, used) || !is_marked(v, s.gpa, used < s.first ? used : s.first) ||
	    (s.gpa2 != TLB_NONE && !is_marked(v, s.gpa2, used - s.first)))
		goto again;

	b->gpa = s.gpa;
	b->gpa2 = s.gpa2;
	b->mode = v->mode;
	b->bytes = (uint16_t)used;
	b->uops = (uint16_t)count;
	b->dead = false;
	bucket = block_hash(b->gpa, b->mode);
	b->hash_next = code->hash[bucket];
	code->hash[bucket] = b;
	in = page_get(code, s.gpa >> 12);
	b->page_next[0] = in->first;
	in->first = b;
	if (s.gpa2 != TLB_NONE && s.gpa2 >> 12 != s.gpa >> 12) {
		in = page_get(code, s.gpa2 >> 12);
		b->page_next[1] = in->first;
		in->first = b;
	}
	code->used += sizeof(*b) + count * sizeof(struct uop);
	emu_count(v, CPU_STAT_DECODE);
	return b;
}

const struct uop *emu_lookup(struct vcpu *v)
{
	uint64_t rip = v->r[R_RIP], lin = v->seg_base[X86_CS] + rip, gpa;
	const struct itlb_entry *page;
	struct jcache_entry *e;
	struct block *b = NULL;
	bool global;

	if (!(v->mode & MODE_64))
		lin = (uint32_t)lin;
	if (v->mode & MODE_LIMIT && rip > v->seg[X86_CS].limit)
		emu_gp0(v, NULL);
	page = emu_fetch_page(v, lin);
	gpa = page->gpa | (lin & ~PAGE_MASK_);
	global = page->global;
	if (likely(!v->code->flush_wanted)) {
		b = v->code->hash[block_hash(gpa, v->mode)];
		while (b && (b->gpa != gpa || b->mode != v->mode))
			b = b->hash_next;
	}
	if (b && b->gpa2 != TLB_NONE) {
		uint64_t next = (lin & PAGE_MASK_) + PAGE_SIZE_;
		const struct itlb_entry *second =
			emu_fetch_page(v, v->efer & EFER_LMA ? next : (uint32_t)next);

		if (second->gpa != b->gpa2) {
			/* The same first page goes with another second one now. */
			block_kill(v, b);
			b = NULL;
		}
		global = global && second->global;
		page = emu_fetch_page(v, lin);
	}
	if (!b)
		b = block_make(v, lin, page);
	if (unlikely(v->mode & MODE_LIMIT && v->seg[X86_CS].limit - rip < b->bytes - 1u)) {
		/* The segment ends inside the block: instruction by instruction then. */
		if (v->mode & MODE_STEP)
			emu_gp0(v, NULL);
		v->mode |= MODE_STEP;
		v->jkey |= MODE_STEP;
		v->jkey_global |= MODE_STEP;
		return emu_lookup(v);
	}
	if (v->mode & MODE_LIMIT)
		return b->uop; /* the limit is checked each time */
	e = &v->jcache[(rip ^ rip >> 11) & (JCACHE_SIZE - 1)];
	*e = (struct jcache_entry){ .rip = rip,
				    .key = global ? v->jkey_global : v->jkey,
				    .uop = b->uop };
	return b->uop;
}

/* ---- handlers that belong to blocks ---- */

/* May the way to the block that begins with @head be remembered? Not if it reaches into a second
 * page: which one that is depends on the tables of the moment. */
static bool may_link(const struct uop *head)
{
	const struct block *b = (const void *)((const char *)head - offsetof(struct block, uop));

	return b->gpa2 == TLB_NONE;
}

const struct uop *op_forward(struct vcpu *v, const struct uop *u)
{
	/* At the head of a dead block: its successor is known. */
	GO(v, u->link);
}

const struct uop *op_resync(struct vcpu *v, const struct uop *u)
{
	struct uop *head = (struct uop *)(uintptr_t)u;
	uint64_t epoch = v->code->epoch;
	const struct uop *to;

	v->r[R_RIP] += u->off;
	emu_retire(v, u->n - 1u);
	if (!(v->mode & MODE_64))
		v->r[R_RIP] = (uint32_t)v->r[R_RIP];
	if (u->off || v->mode & (MODE_STEP | MODE_LIMIT))
		return NULL;
	to = emu_lookup(v);
	if (epoch == v->code->epoch && to != u && may_link(to)) {
		head->link = to;
		head->fn = op_forward;
	}
	GO(v, to);
}

/* Behind the last instruction of a block that does not end in a jump. */
const struct uop *op_next(struct vcpu *v, const struct uop *u)
{
	const struct uop *to;

	v->r[R_RIP] += u->off;
	emu_retire(v, u->n - 1u);
	if (!(v->mode & MODE_64))
		v->r[R_RIP] = (uint32_t)v->r[R_RIP];
	if (unlikely(atomic_load_explicit(&v->pending, memory_order_relaxed)))
		return NULL;
	to = emu_find(v);
	GO(v, to);
}

const struct uop *op_stop(struct vcpu *v, const struct uop *u)
{
	v->r[R_RIP] += u->off;
	emu_retire(v, u->n - 1u);
	if (!(v->mode & MODE_64))
		v->r[R_RIP] = (uint32_t)v->r[R_RIP];
	return NULL;
}

const struct uop *emu_link(struct vcpu *v, const struct uop *u)
{
	uint64_t epoch = v->code->epoch;
	const struct uop *to = emu_lookup(v);

	if (epoch == v->code->epoch && !(v->mode & (MODE_STEP | MODE_LIMIT)) && may_link(to))
		((struct uop *)(uintptr_t)u)->link = to;
	return to;
}
