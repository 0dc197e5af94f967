/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * emu-int.h - inside the software engine: the vCPU, decoded code, and the soft MMU's fast path
 *
 * Terms. A *uop* is one decoded guest instruction: a handler and its operands. A *block* is a
 * straight run of uops decoded from one or two physical pages; side exits may leave it early. The
 * *mode* is what decoding depends on besides the bytes. A *resync* is leaving a block to look up
 * the next one by RIP.
 *
 * Invariants:
 *  (1) r[R_RIP] is the guest's RIP (an offset in CS outside 64-bit mode) of the block's first
 *      instruction while a block runs, and of the next instruction outside. A uop's own RIP is
 *      r[R_RIP] + u->off.
 *  (2) r[R_ZERO] is 0.
 *  (3) A handler changes no architectural state before its last access that can fault.
 *  (4) Blocks are freed all at once, between blocks (block.c). A block that is no longer true has
 *      its uops replaced by op_resync, so links to it stay valid.
 *  (5) A TLB entry with a plain write tag belongs to a page of RAM without decoded code, and while
 *      the dirty log is on, to a page marked dirty.
 *  (6) The arithmetic flags live in v->flags only; v->eflags holds all others.
 *
 * Threads: a struct vcpu belongs to its thread; others touch the atomics and, under req_lock, the
 * requests.
 */
#ifndef EMU_EMU_INT_H
#define EMU_EMU_INT_H

#include <assert.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "cpu/cpu.h"
#include "cpu/ioapic.h"
#include "cpu/lapic.h"
#include "cpu/msr.h"
#include "cpu/pic.h"
#include "cpu/state.h"
#include "mem/mem.h"

/* Sanitizers and -O0 make no sibling calls: then a handler returns the next uop to a loop. */
#if defined(__OPTIMIZE__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) && \
	!defined(__clang__)
#define EMU_THREADED 1
#else
#define EMU_THREADED 0
#endif

struct uop;
struct vcpu;
struct block;

/* Executes one uop. Returns the uop to go on with, or NULL to resync. */
typedef const struct uop *op_fn(struct vcpu *v, const struct uop *u);

#if EMU_THREADED
#define GO(v, next) return (next)->fn(v, next)
#else
#define GO(v, next) return (void)(v), (next)
#endif
#define NEXT(v, u) GO(v, (u) + 1)
/*
 * For handlers with a local whose address is taken: the compiler makes a true call of NEXT there,
 * and a loop of such handlers would eat the stack. This goes on by way of the run loop.
 */
#define NEXT_RETURN(u) return (u) + 1

/* Register file: byte offsets into r[] are what uops hold, so AH is offset 1. */
enum {
	R_RIP = 16,
	R_ZERO = 17,
	R_COUNT = 18
};

struct uop {
	op_fn *fn;
	uint8_t a, b;        /* operands: byte offsets into r[]; numbers for other register files */
	uint8_t base, index; /* of the address: byte offsets into r[], R_ZERO * 8 for none */
	uint8_t scale;       /* 0 to 3 */
	uint8_t seg;         /* X86_ES ..: for limit checks, and whether a fault is #SS */
	uint8_t asize;       /* address size: 2, 4, 8 bytes */
	uint8_t osize;       /* operand size: 1, 2, 4, 8 bytes */
	int32_t disp;
	uint16_t off; /* from the block's first byte to this instruction */
	uint8_t len;  /* of the instruction, 1 to 15 */
	uint8_t n;    /* instructions of the block up to and with this one */
	union {
		uint64_t imm;
		const struct uop *link; /* where a taken direct branch goes, once known */
		struct {
			int32_t lo, hi;
		} imm32;
	};
};
static_assert(sizeof(struct uop) == 32, "two uops share a cache line");

/* What the meaning of code bytes depends on: part of a block's key. */
enum {
	MODE_64 = 1 << 0,    /* 64-bit code: EFER.LMA and CS.L */
	MODE_32 = 1 << 1,    /* CS.D: 32-bit default; neither: 16-bit */
	MODE_USER = 1 << 2,  /* CPL 3 */
	MODE_PE = 1 << 3,    /* protected mode */
	MODE_STEP = 1 << 4,  /* one instruction a block: TF, breakpoints, interrupt shadow */
	MODE_LIMIT = 1 << 5, /* CS has a limit below 4 GiB, to be checked for each block */
	MODE_NM = 1 << 6,    /* CR0.TS or EM: x87 raises #NM; TS: MMX, SSE too */
	MODE_NOSSE = 1 << 7, /* CR0.EM, or not CR4.OSFXSR: SSE raises #UD */
	MODE_XM = 1 << 8,    /* MXCSR has an exception unmasked: checked after each operation */
	MODE_VM = 1 << 9,    /* virtual-8086 */
	MODE_EM = 1 << 10,   /* CR0.EM: MMX raises #UD */
	MODE_X87X = 1 << 11, /* the x87 control word has an exception unmasked */
};

/* Bits of vcpu.pending: a reason to look around at the end of a block. Any thread may set them. */
enum {
	PEND_KICK = 1 << 0,  /* return from vcpu_run */
	PEND_IRQ = 1 << 1,   /* ask the local APIC */
	PEND_TIMER = 1 << 2, /* the APIC timer's time has come */
	PEND_REQ = 1 << 3,   /* requests of other threads */
	PEND_STEP = 1 << 4,  /* own thread: single step, every block returns to the run loop */
};

/* Requests, under req_lock. */
enum {
	REQ_TLB_FLUSH = 1 << 0,
	REQ_CODE_FLUSH = 1 << 1, /* the list of writes overflowed */
};

enum {
	TLB_BITS = 14,
	TLB_SIZE = 1 << TLB_BITS,
	ITLB_SIZE = 256,
	CODE_FILTER = 4096, /* bits */
	JCACHE_SIZE = 4096,
	BLOCK_HASH = 8192,
	CODE_WRITES = 32,
	PAGE_SIZE_ = 4096,
};
#define PAGE_MASK_ (~(uint64_t)0xfff)
#define TLB_NONE   (~(uint64_t)0) /* a tag that equals no page */
#define TLB_SLOW   1u             /* in a tag: right page, but not by the fast path */

struct tlb_entry {
	uint64_t rtag,
		wtag;     /* linear page; TLB_SLOW for MMIO, code pages, clean pages in the log */
	uintptr_t addend; /* host address minus linear address */
	uint64_t gpa;     /* guest-physical page; low bits: TLBE_* */
};
enum {
	TLBE_GLOBAL = 1,
	TLBE_MMIO = 2,
	TLBE_WRITABLE = 4,
	TLBE_LARGE = 8
};

/*
 * Entries that are not empty are listed, global ones and others apart, so that a flush costs what
 * was filled. An entry that changed its kind stands in both lists and counts in that of its kind.
 */
struct tlb_list {
	unsigned count;
	uint16_t slot[TLB_SIZE];
};

struct tlb {
	struct tlb_entry entry[TLB_SIZE];
	struct tlb_list list[2];     /* [global] */
	uint64_t large_lo, large_hi; /* range of linear addresses with large pages: lo <= hi */
};

struct itlb_entry {
	uint64_t page; /* linear */
	uint64_t key;  /* jkey or jkey_global when it was filled */
	bool global;
	uint64_t gpa;
	const uint8_t *host; /* NULL: no RAM */
};

struct jcache_entry {
	uint64_t rip, key; /* key: jkey, or jkey_global if its page is global */
	const struct uop *uop;
};

union emu_vec { /* an XMM register */
	uint8_t u8[16];
	uint16_t u16[8];
	uint32_t u32[4];
	uint64_t u64[2];
	int8_t i8[16];
	int16_t i16[8];
	int32_t i32[4];
	int64_t i64[2];
	float f32[4];
	double f64[2];
	__attribute__((aligned(16))) unsigned char raw[16];
};

/*
 * x87, MMX, SSE. Guest XMM registers live in memory; MXCSR's rounding and flags live in the host's
 * MXCSR while vcpu_run executes (all exceptions masked there; MODE_XM handles guests that unmask).
 * The x87 and MMX registers live in the host's x87 unit while @resident, else in @x87.
 */
struct emu_fpu {
	_Alignas(64) uint8_t x87[512]; /* FXSAVE image; its XMM part is not used */
	union emu_vec xmm[16];
	union emu_vec mask; /* scratch of the string comparisons */
	uint32_t mxcsr;     /* outside vcpu_run; while running: the mask bits and MODE_XM's view */
	uint16_t cw;        /* the guest's control word; the host's has all exceptions masked */
	bool resident;
	bool mmx;          /* x87 holds MMX state: see fpu-int.h */
	bool entered;      /* vcpu_run executes: MXCSR is the host's */
	uint64_t fip, fdp; /* last x87 instruction and operand, where kept */
	uint16_t fop;
};

struct fault {
	uint8_t vector;
	bool has_code;
	uint32_t code;
};

enum {
	EMU_MTRRS = 8
};

struct vcpu {
	/* hot: what every block touches */
	uint64_t r[R_COUNT];
	uint16_t
		flags; /* AH:AL behind LAHF; SETO AL: high byte SF ZF 0 AF 0 PF 1 CF, low byte OF */
	_Atomic(uint32_t) pending;
	uint32_t mode;
	uint32_t eflags; /* all but the arithmetic flags; bit 1 set */
	struct tlb *tlb; /* of the current privilege: tlbs[cpl == 3] */
	/* Generation << 16 | mode. What is remembered of code under either key holds: jkey changes
	 * with every flush, jkey_global only with those that global pages do not survive. */
	uint64_t jkey, jkey_global;
	uint64_t instructions;
	struct jcache_entry *jcache;
	uint64_t seg_base[X86_SEG_COUNT]; /* = seg[].base; ES CS SS DS read as 0 in 64-bit mode */
	uint8_t cpl;
	bool shadow_ss; /* MOV SS, POP SS: debug traps wait as well */
	bool shadow;    /* interrupts wait for one instruction: behind STI, MOV SS, POP SS */
	bool halted;
	bool wait_sipi;
	bool nmi_masked, nmi_pending;
	bool in_delivery;   /* an event is being delivered: a fault now is a double fault */
	uint8_t delivering; /* its vector, if it is an exception; else 0xff */
	uint8_t ext;        /* 1 while an event is in delivery that is not INT n, INT3, INTO */
	struct emu_fpu fpu;

	/* system registers */
	struct x86_segment seg[X86_SEG_COUNT];
	struct x86_table gdt, idt;
	uint64_t cr0, cr2, cr3, cr4, efer, xcr0, dr[8];
	uint64_t star, lstar, cstar, sfmask, kernel_gs_base, tsc_aux;
	uint64_t sysenter_cs, sysenter_esp, sysenter_eip;
	uint64_t pat, misc_enable, mtrr_def, mtrr_fix[11], mtrr_var[2 * EMU_MTRRS];
	uint64_t spec_ctrl, mcg_status, feature_control;
	uint64_t kvm_system_time, kvm_wall_clock;
	int64_t tsc_offset; /* guest TSC = host TSC + this */
	uint64_t tsc_adjust;
	unsigned pdpte_valid;
	uint64_t pdpte[4];     /* PAE paging: loaded with CR3 */
	uint64_t debug_hit;    /* DR6 bits that the current instruction has earned */
	const struct uop *cur; /* set by slow paths: the uop that runs */
	uint64_t rmw_gpa;      /* a read-modify-write to a page of code is under way there: */
	unsigned rmw_len;      /* so many bytes, 0: none */
	bool split_held;       /* has engine->split_lock: a fault gives it back */

	/* leaving a handler in the middle: emu_raise() */
	struct fault fault;
	jmp_buf *escape;
	bool shutdown;         /* triple fault */
	bool inject;           /* a loaded state had an event in delivery: emu_inject() */
	struct fault injected; /* vectors from 32 up are interrupts */
	char failure[160];

	/* translation */
	struct tlb tlbs[2]; /* [CPL 3] */
	struct itlb_entry itlb[ITLB_SIZE];
	struct jcache_entry jcache_store[JCACHE_SIZE];
	uint64_t code_filter[CODE_FILTER / 64]; /* pages whose code jcache or itlb may know */
	struct code_cache *code;                /* block.c */

	/* from others */
	pthread_mutex_t req_lock;
	pthread_cond_t wake; /* with req_lock: pending became non-zero, for HLT and SIPI waits */
	uint32_t requests;   /* REQ_ */
	unsigned writes;     /* code that others overwrote: */
	struct {
		uint64_t gpa, len;
	} write[CODE_WRITES];
	_Atomic(uint64_t) req_seq, req_done; /* handshakes asked for, and served */
	_Atomic(bool) in_guest;              /* may be using its TLB and its blocks right now */

	/* rest */
	struct cpu_engine *engine;
	struct mem *mem;
	unsigned index;
	struct lapic *lapic;
	struct cpuid_table cpuid;
	struct cpu_stats stats;
	bool step_once; /* run() returns after one instruction, tests only */
	bool trap_flag; /* TF was set when the instruction began, and no event was delivered */
	unsigned pauses;
	_Atomic(uint64_t) alarm_ns; /* when the clock thread shall set PEND_TIMER; 0: never */
	uint64_t alarm_last_ns, alarm_next_ns; /* [clock] the last one; the next, as one expects */
	_Atomic(bool) sleeping;                /* in HLT or waiting for SIPI: wake it */
	_Atomic(bool) waits;                   /* in HLT, as config.idle knows */
};

enum {
	EMU_MAX_NOTIFY = 512 /* a device that finds no place is reached by its register */
};

struct cpu_engine {
	struct irq_sink sink;
	struct cpu_config config;
	struct mem *mem;
	struct io_space *pio, *mmio;
	struct lapic_set *lapics;
	struct ioapic *ioapic;
	struct pic *pic;                      /* NULL: there are none */
	_Atomic(struct vcpu *) vcpu[CPU_MAX]; /* the clock thread looks while they come and go */
	uint32_t tsc_khz;
	int64_t clock_offset_ns;                /* guest's kvmclock = monotonic + this */
	uint64_t clock_pair_tsc, clock_pair_ns; /* msr.c, under split_lock */
	int64_t tsc_offset;                     /* the last one set by emu_tsc_set() */
	pthread_mutex_t split_lock;             /* locked accesses that cross pages or are no RAM */
	pthread_mutex_t clock_lock;             /* clock_pair_tsc, clock_pair_ns */
	_Atomic(uint64_t) *code_mask[MEM_MAX_REGIONS]; /* block.c */
	struct clock_thread *clock;
	pthread_mutex_t notify_lock; /* of changes to the next two; vCPUs only read */
	atomic_uint notify_count;    /* those behind are NULL */
	_Atomic(const struct io_notify *) notify[EMU_MAX_NOTIFY];
};

/* ---- counters: written by the vCPU's thread, read by any ---- */

#define EMU_ADD(field, n) __atomic_store_n(&(field), (field) + (uint64_t)(n), __ATOMIC_RELAXED)

static inline void emu_count(struct vcpu *v, enum cpu_stat stat)
{
	EMU_ADD(v->stats.count[stat], 1);
}

static inline void emu_spent(struct vcpu *v, enum cpu_stat stat, uint64_t ns)
{
	EMU_ADD(v->stats.ns[stat], ns);
}

/* Instructions have been executed. */
static inline void emu_retire(struct vcpu *v, unsigned n)
{
	EMU_ADD(v->instructions, n);
}

/* ---- leaving: exceptions ---- */

/* Raise an exception at uop @u (its RIP); does not return. NULL: r[R_RIP] is right already. */
_Noreturn void emu_raise(struct vcpu *v, const struct uop *u, unsigned vector);
_Noreturn void emu_raise_code(struct vcpu *v, const struct uop *u, unsigned vector, uint32_t code);
_Noreturn void emu_raise_pf(struct vcpu *v, const struct uop *u, uint64_t lin, uint32_t code);
#define emu_gp0(v, u) emu_raise_code(v, u, EXC_GP, 0)
#define emu_ud(v, u)  emu_raise(v, u, EXC_UD)

/* ---- modes (system.c) ---- */

/* After a change of CR0, CR4, EFER, CS, CPL, TF, DR7, MXCSR masks, x87 masks: recompute v->mode,
 * v->tlb, v->seg_base, v->jkey. Handlers that call it end their block: they return NULL after
 * setting r[R_RIP] to the next instruction (emu_done()). */
void emu_mode_update(struct vcpu *v);

/* End of an instruction that ends its block: RIP moves behind it, instructions are counted. */
static inline void emu_done(struct vcpu *v, const struct uop *u)
{
	v->r[R_RIP] += (uint64_t)u->off + u->len;
	emu_retire(v, u->n);
	if (!(v->mode & MODE_64))
		v->r[R_RIP] = (uint32_t)v->r[R_RIP]; /* 16-bit code: IP wraps only by branches */
}

/* ---- flags ---- */

static inline uint32_t emu_flags_arith(uint16_t f)
{
	return (f >> 8 & 0xd5) | (uint32_t)(f & 1) << 11;
}

/* RFLAGS as the guest sees them. */
static inline uint32_t emu_eflags(const struct vcpu *v)
{
	return v->eflags | emu_flags_arith(v->flags);
}

static inline uint16_t emu_flags_pack(uint32_t eflags)
{
	return (uint16_t)((eflags & 0xd5) << 8 | 0x0200 | (eflags >> 11 & 1));
}

/* Replace all of RFLAGS; the caller has masked what may not change. Does not update the mode. */
static inline void emu_set_eflags(struct vcpu *v, uint32_t eflags)
{
	v->flags = emu_flags_pack(eflags);
	v->eflags = (eflags & ~(uint32_t)RFLAGS_ARITH) | RFLAGS_1;
}

/* ---- soft MMU (mmu.c) ---- */

/* A scalar of guest memory: any alignment, one host access, not reordered by the compiler. */
struct u8_any {
	uint8_t v;
} __attribute__((packed, may_alias));
struct u16_any {
	uint16_t v;
} __attribute__((packed, may_alias));
struct u32_any {
	uint32_t v;
} __attribute__((packed, may_alias));
struct u64_any {
	uint64_t v;
} __attribute__((packed, may_alias));

/* A sum, so that a page and the next one never share a slot: an access that crosses from one to the
 * other must not find the tag of the other there. */
static inline struct tlb_entry *emu_tlb_slot(struct tlb *tlb, uint64_t lin)
{
	return &tlb->entry[((lin >> 12) + (lin >> 22)) & (TLB_SIZE - 1)];
}

/* Slow paths: fill the TLB, cross pages, do MMIO, hear of writes to code; or raise. @size up to 64.
 * @user: as CPL 3 would (emu->tlbs[1]); else supervisor. Implicit accesses (descriptor tables,
 * TSS) use the _sys forms below. */
uint64_t emu_load_slow(struct vcpu *v, const struct uop *u, uint64_t lin, unsigned size);
void emu_store_slow(struct vcpu *v, const struct uop *u, uint64_t lin, unsigned size,
		    uint64_t value);
void emu_load_bytes(struct vcpu *v, const struct uop *u, uint64_t lin, unsigned size, void *buf);
void emu_store_bytes(struct vcpu *v, const struct uop *u, uint64_t lin, unsigned size,
		     const void *buf);
/* Would a write of @size bytes succeed? Else raises. Fills the TLB. */
void emu_probe_write(struct vcpu *v, const struct uop *u, uint64_t lin, unsigned size);
void emu_probe_read(struct vcpu *v, const struct uop *u, uint64_t lin, unsigned size);
/* The host address for a read-modify-write of @size bytes in one page of RAM; NULL: do it by
 * emu_load_slow() and emu_store_slow() (under split_lock if LOCKed); raises as a write does. Call
 * emu_rmw_done() behind the write. */
void *emu_rmw_slow(struct vcpu *v, const struct uop *u, uint64_t lin, unsigned size);
/* Supervisor accesses whatever the CPL: descriptor tables, TSS, stacks of a new CPL. */
uint64_t emu_load_sys(struct vcpu *v, uint64_t lin, unsigned size);
void emu_store_sys(struct vcpu *v, uint64_t lin, unsigned size, uint64_t value);
/* Set bits of a byte, atomically where it is RAM. */
void emu_or_sys(struct vcpu *v, uint64_t lin, uint8_t bits);

#define EMU_ACCESS(bits)                                                                       \
	static inline uint##bits##_t emu_ld##bits(struct vcpu *v, const struct uop *u,         \
						  uint64_t lin)                                \
	{                                                                                      \
		const struct tlb_entry *e = emu_tlb_slot(v->tlb, lin);                         \
		if (likely(e->rtag == ((lin + bits / 8 - 1) & PAGE_MASK_)))                    \
			return ((const volatile struct u##bits##_any *)(uintptr_t)(lin +       \
										   e->addend)) \
				->v;                                                           \
		return (uint##bits##_t)emu_load_slow(v, u, lin, bits / 8);                     \
	}                                                                                      \
	static inline void emu_st##bits(struct vcpu *v, const struct uop *u, uint64_t lin,     \
					uint##bits##_t value)                                  \
	{                                                                                      \
		const struct tlb_entry *e = emu_tlb_slot(v->tlb, lin);                         \
		if (likely(e->wtag == ((lin + bits / 8 - 1) & PAGE_MASK_)))                    \
			((volatile struct u##bits##_any *)(uintptr_t)(lin + e->addend))->v =   \
				value;                                                         \
		else                                                                           \
			emu_store_slow(v, u, lin, bits / 8, value);                            \
	}
EMU_ACCESS(8)
EMU_ACCESS(16)
EMU_ACCESS(32)
EMU_ACCESS(64)
#undef EMU_ACCESS

/* The host address of [lin, lin + size) for reading if that is plain RAM in one page and in the
 * TLB, else NULL: then use emu_load_bytes(). */
static inline const void *emu_host_read(struct vcpu *v, uint64_t lin, unsigned size)
{
	const struct tlb_entry *e = emu_tlb_slot(v->tlb, lin);

	return likely(e->rtag == ((lin + size - 1) & PAGE_MASK_))
		       ? (const void *)(uintptr_t)(lin + e->addend)
		       : NULL;
}

static inline void *emu_host_write(struct vcpu *v, uint64_t lin, unsigned size)
{
	const struct tlb_entry *e = emu_tlb_slot(v->tlb, lin);

	return likely(e->wtag == ((lin + size - 1) & PAGE_MASK_))
		       ? (void *)(uintptr_t)(lin + e->addend)
		       : NULL;
}

static inline void *emu_rmw(struct vcpu *v, const struct uop *u, uint64_t lin, unsigned size)
{
	void *p = emu_host_write(v, lin, size);

	return likely(p != NULL) ? p : emu_rmw_slow(v, u, lin, size);
}

void emu_rmw_told(struct vcpu *v);
static inline void emu_rmw_done(struct vcpu *v)
{
	if (unlikely(v->rmw_len))
		emu_rmw_told(v);
}

/* Forget translations. */
void emu_tlb_flush(struct vcpu *v, bool global_too);
void emu_tlb_flush_page(struct vcpu *v, uint64_t lin);
/* Load PDPTEs (PAE paging): false if reserved bits are set, nothing changed. */
bool emu_load_pdptes(struct vcpu *v, uint64_t cr3);
/* Linear to physical without any side effect: for debuggers. UINT64_MAX: not mapped. */
uint64_t emu_translate_debug(struct vcpu *v, uint64_t lin);
/* All of it empty, at the start. */
void emu_mmu_init(struct vcpu *v);
/* The page at @gpa holds code now: writes take the slow path. */
void emu_tlb_protect(struct vcpu *v, uint64_t gpa);
/* Translate for a code fetch; raises #PF. Returns the itlb entry of the page. */
const struct itlb_entry *emu_fetch_page(struct vcpu *v, uint64_t lin);

/* ---- effective addresses ---- */

/* Three kinds, chosen by the decoder. B: base + disp. X: base + (index << scale) + disp. Both in
 * 64-bit mode, 64-bit address size, flat segment. G: everything else. */
enum emu_ea_kind {
	EA_B,
	EA_X,
	EA_G
};

#define R64(v, o) (*(uint64_t *)(void *)((char *)(v)->r + (o)))
#define R32(v, o) (*(uint32_t *)(void *)((char *)(v)->r + (o)))
#define R16(v, o) (*(uint16_t *)(void *)((char *)(v)->r + (o)))
#define R8(v, o)  (*(uint8_t *)((char *)(v)->r + (o)))

static inline uint64_t emu_ea_B(struct vcpu *v, const struct uop *u)
{
	return R64(v, u->base) + (uint64_t)(int64_t)u->disp;
}

static inline uint64_t emu_ea_X(struct vcpu *v, const struct uop *u)
{
	return R64(v, u->base) + (R64(v, u->index) << u->scale) + (uint64_t)(int64_t)u->disp;
}

/* The offset only, cut to the address size. */
static inline uint64_t emu_ea_offset(struct vcpu *v, const struct uop *u)
{
	uint64_t ea = emu_ea_X(v, u);

	return u->asize == 8 ? ea : u->asize == 4 ? (uint32_t)ea : (uint16_t)ea;
}

/* Segment base added; outside 64-bit mode with limit, type and null checks (segment.c), which
 * raise #GP or #SS. */
uint64_t emu_seg_check(struct vcpu *v, const struct uop *u, unsigned seg, uint64_t off,
		       unsigned size, bool write);
static inline uint64_t emu_linear(struct vcpu *v, const struct uop *u, unsigned seg, uint64_t off,
				  unsigned size, bool write)
{
	if (v->mode & MODE_64)
		return v->seg_base[seg] + off; /* canonical form is checked on a TLB miss */
	return emu_seg_check(v, u, seg, off, size, write);
}

/* Linear address of the uop's memory operand, all kinds. */
static inline uint64_t emu_ea_G(struct vcpu *v, const struct uop *u, unsigned size, bool write)
{
	return emu_linear(v, u, u->seg, emu_ea_offset(v, u), size, write);
}

/* ---- stack, used by system code; the hot push and pop are in int.c ---- */

void emu_push(struct vcpu *v, const struct uop *u, unsigned size, uint64_t value);
/* Read at the stack pointer plus @skip bytes, without moving it. */
uint64_t emu_peek(struct vcpu *v, const struct uop *u, unsigned size, unsigned skip);
/* Move the stack pointer by @delta, cut to the stack's size. */
void emu_sp_add(struct vcpu *v, int64_t delta);

/* ---- decoding (decode.c); sse.c, x87.c and system.c have their own parts of the opcode map ---- */

struct decoder {
	struct vcpu *v;
	uint32_t mode;
	const uint8_t *p;     /* the instruction's bytes */
	unsigned avail;       /* how many may be read, at most 15 */
	unsigned pos;         /* how many are used */
	struct uop *u;        /* to be filled in: fn, a, b, imm */
	uint8_t rex;          /* 0: none */
	bool opsize16;        /* prefix 66 */
	bool addrsize;        /* prefix 67 */
	bool lock;            /* prefix F0; whoever accepts it clears it */
	uint8_t rep;          /* 0, 0xf2 or 0xf3: the last of them */
	int8_t seg;           /* segment override, or -1 */
	uint8_t osize;        /* operand size 2, 4, 8 by mode, 66 and REX.W */
	uint8_t map;          /* 0: one byte, 1: 0F, 2: 0F 38, 3: 0F 3A */
	uint8_t op;           /* last opcode byte */
	uint8_t mod, reg, rm; /* of ModRM, reg and rm extended by REX; valid after decode_modrm() */
	bool is_mem;          /* mod != 3: the address fields of *u are filled in */
	enum emu_ea_kind ea;
	bool ends;         /* set: this uop ends the block (the handler resyncs or jumps) */
	bool truncated;    /* ran out of bytes: the caller raises */
	bool rip_relative; /* the address counts from the end of the instruction */
	uint16_t page_off; /* where in its page the block begins */
};

uint8_t decode_u8(struct decoder *d);
uint16_t decode_u16(struct decoder *d);
uint32_t decode_u32(struct decoder *d);
uint64_t decode_u64(struct decoder *d);
/* ModRM, SIB, displacement: fills mod, reg, rm, is_mem, ea and the uop's address. RIP-relative
 * addresses come out as base R_RIP; an immediate that follows is accounted for at the end. */
void decode_modrm(struct decoder *d);
/* Byte offset into r[] of register @n in a byte-sized operand (AH .. BH without REX). */
uint8_t decode_reg8(const struct decoder *d, unsigned n);

/* Pick the handler for the kind of address: decode_pick(d, ops_foo) with op_fn *ops_foo[3]. */
static inline op_fn *decode_pick(const struct decoder *d, op_fn *const fns[3])
{
	return fns[d->ea];
}

/*
 * Parts of the map. Each is called with prefixes and opcode consumed (ModRM not) and fills in d->u;
 * false: no such instruction, #UD. decode_sse gets maps 1, 2, 3 for what decode.c does not know,
 * decode_x87 D8..DF and 9B, decode_system all that segment.c, system.c and their kin handle.
 */
bool decode_sse(struct decoder *d);
bool decode_x87(struct decoder *d);
bool decode_system(struct decoder *d);

/* Decode one instruction into d->u (all but off, len, n); sets d->ends, d->truncated. */
void emu_decode(struct decoder *d);
/* The uop at uops[count] is complete: fuse it with the one before where that pays. How many uops
 * it takes, 1. */
unsigned decode_fuse(struct decoder *d, struct uop *uops, unsigned count);

/* Handlers with a meaning everywhere. */
op_fn op_resync; /* look up again at this uop's RIP, count nothing */
op_fn op_ud;     /* #UD, logged once for its bytes */
op_fn op_raise;  /* raises vector imm without an error code: NM, UD on purpose (UD2), DE */
op_fn op_gp0;    /* #GP(0) */
op_fn op_next;   /* behind the last instruction of a block: on with the next */
op_fn op_stop;   /* the same, but back to the run loop */
op_fn op_forward;
op_fn op_pause;

/* ---- blocks (block.c) ---- */

/* The first uop of the block at r[R_RIP] in the current mode, decoded if need be; raises #PF, #GP.
 * Sets nothing else. */
const struct uop *emu_lookup(struct vcpu *v);
/* [any] RAM at [gpa, gpa + len) in one page was written: blocks made of it go. @self: the caller's
 * vCPU, whose blocks go at once, or NULL. */
void emu_code_written(struct cpu_engine *e, struct vcpu *self, uint64_t gpa, uint64_t len);
struct code_cache *code_cache_new(unsigned cpus);
void code_cache_free(struct code_cache *code);
void code_cache_flush(struct vcpu *v);
/* A taken branch whose r[R_RIP] is set: find the target, and remember it in u->link. */
const struct uop *emu_link(struct vcpu *v, const struct uop *u);
/* Do what other threads asked for. */
void emu_serve_requests(struct vcpu *v);

static inline bool emu_key_holds(const struct vcpu *v, uint64_t key)
{
	return likely(key == v->jkey) || key == v->jkey_global;
}

/* Jump cache and instruction TLB are void; entries of global pages only if @global_too. */
static inline void emu_forget_code(struct vcpu *v, bool global_too)
{
	/* Two counters that never meet: even and odd. */
	v->jkey += 2u << 16;
	if (global_too)
		v->jkey_global += 2u << 16;
}

/* Go on at r[R_RIP], which has just been set by a branch; same mode. */
static inline const struct uop *emu_find(struct vcpu *v)
{
	uint64_t rip = v->r[R_RIP];
	struct jcache_entry *e = &v->jcache[(rip ^ rip >> 11) & (JCACHE_SIZE - 1)];

	if (likely(e->rip == rip && emu_key_holds(v, e->key)))
		return e->uop;
	return emu_lookup(v);
}

#define JUMP(v)                                                                          \
	do {                                                                             \
		const struct uop *to_;                                                   \
		if (unlikely(atomic_load_explicit(&(v)->pending, memory_order_relaxed))) \
			return NULL;                                                     \
		to_ = emu_find(v);                                                       \
		GO(v, to_);                                                              \
	} while (0)

/* ---- events (event.c) ---- */

enum emu_event {
	EVENT_EXCEPTION,
	EVENT_INTERRUPT,
	EVENT_SOFT_INT,
	EVENT_SOFT_EXC /* INT3, INTO */
};
/* Deliver through the IDT (or real-mode table) from r[R_RIP]; may raise, with v->in_delivery set.
 * Clears it at the end. Updates the mode. For soft events RIP is behind the instruction already. */
void emu_deliver(struct vcpu *v, unsigned vector, enum emu_event kind, bool has_code,
		 uint32_t code);
/* The run loop's part: turn v->fault into a delivery, #DF or shutdown (SDM vol. 3, table 6-5). */
void emu_deliver_fault(struct vcpu *v);
/* Deliver v->injected, if v->inject. Called by the run loop first of all. */
void emu_inject(struct vcpu *v);
/* INIT and SIPI as the local APIC asked for them. */
void emu_init(struct vcpu *v);
void emu_sipi(struct vcpu *v, uint8_t vector);

/* ---- segments (segment.c) ---- */

/* Load a data segment register, ES SS DS FS GS, as MOV does: checks and raises. */
void emu_load_segment(struct vcpu *v, const struct uop *u, unsigned seg, uint16_t selector);

/* ---- MSRs, time (msr.c) ---- */

/* 0, or -EINVAL: #GP(0). */
int emu_msr_read(struct vcpu *v, uint32_t msr, uint64_t *ret_value);
int emu_msr_write(struct vcpu *v, uint32_t msr, uint64_t value);
uint64_t emu_tsc(const struct vcpu *v); /* the guest's TSC now */
/* Write kvmclock's page again, if the guest has one. */
void emu_clock_publish(struct vcpu *v);
/* clock_offset_ns was set: all vCPUs are paused. */
void emu_clock_changed(struct cpu_engine *e);
void emu_vcpu_reset(struct vcpu *v, bool init); /* registers as after RESET or INIT */

/* ---- FPU (x87.c, sse.c) ---- */

void emu_fpu_reset(struct vcpu *v, bool init);
void emu_fpu_enter(struct vcpu *v); /* vcpu_run begins: host MXCSR = guest's, masked */
void emu_fpu_leave(struct vcpu *v); /* vcpu_run ends: fpu.mxcsr and fpu.x87 are up to date, the
				      * host's x87 is empty and its MXCSR as C wants it */
uint32_t emu_mxcsr(struct vcpu *v); /* the guest's value now */
/* XSAVE area in standard format, x87 and SSE components. */
void emu_fpu_get_xsave(struct vcpu *v, uint8_t *area);
void emu_fpu_set_xsave(struct vcpu *v, const uint8_t *area);

/* ---- engine (engine.c, state.c) ---- */

int emu_vcpu_get_state(struct vcpu *v, struct x86_state *state);
int emu_vcpu_set_state(struct vcpu *v, const struct x86_state *state);
/* [any] Set bits of pending and wake the vCPU if it waits. */
void emu_pend(struct vcpu *v, uint32_t bits);
/* Port and memory-mapped accesses of the guest, counted and timed; writes go to notifications
 * first, then to the devices. */
void emu_io_write(struct vcpu *v, bool mmio, uint64_t addr, unsigned size, uint64_t value);
uint64_t emu_io_read(struct vcpu *v, bool mmio, uint64_t addr, unsigned size);
/* Around a locked access that emu_rmw() gave no host address for. */
void emu_split_lock(struct vcpu *v);
void emu_split_unlock(struct vcpu *v);
/* CPUID offer: what this engine can do on this host. */
void emu_cpuid_offer(struct cpuid_table *offer);

#endif
