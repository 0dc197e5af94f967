/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * diff.h - differential test of the software engine: the same code on the host CPU and in a guest
 *
 * A case is a few instructions and a state to start from. Both sides see the same user-mode address
 * space: code, some pages of data with different permissions, a stack. A case ends with the first
 * exception; behind the code stands UD2, so there always is one. Then everything is compared.
 *
 * The state comes from a seed, so that a case is told by its seed and its code bytes: that is what
 * the folder of seeds holds, one line for each case that once failed.
 */
#ifndef TESTS_DIFF_H
#define TESTS_DIFF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	CASE_MAX_INSNS = 16,
	INSN_MAX = 96,
	CASE_MAX_CODE = 352,
	PAGE = 4096,
	CODE_PAGES = 2,
	DATA_PAGES = 4, /* two of data, two of stack: what may be written */
	FX_SIZE = 416,
};

/* The address space. */
#define CODE_ADDR  0x10000000ull /* read and execute */
#define DATA_ADDR  0x10010000ull /* two pages read-write, one read-only, then nothing */
#define RO_ADDR    0x10012000ull
#define STACK_ADDR 0x10020000ull /* two pages, nothing around them */
#define SPACE_END  0x10100000ull

struct regs {
	uint64_t gpr[16]; /* in the order of their numbers */
	uint64_t rip, rflags;
	uint8_t fx[FX_SIZE]; /* FXSAVE image */
};

/* How an instruction depends on what follows it and where it stands. */
struct insn {
	uint8_t bytes[INSN_MAX]; /* more than one if they belong together */
	uint8_t len;
	uint8_t rel_size; /* a branch: the last so many bytes are the distance ... */
	uint8_t skip;     /* ... over so many instructions */
	uint8_t disp_at;  /* RIP-relative: where the displacement is, 0 for none */
	uint64_t target;  /* and what it is to address */
};

struct test_case {
	uint64_t seed; /* of the state */
	unsigned count;
	struct insn insn[CASE_MAX_INSNS];
	/* made of the above: */
	struct regs regs;
	unsigned code_len;
	uint8_t code[CASE_MAX_CODE];
};

struct result {
	bool ran; /* false: no end within the time, or something that must not happen */
	unsigned vector;
	uint64_t error, cr2;
	struct regs regs;
	uint8_t mem[DATA_PAGES][PAGE];
};

/* ---- random numbers: splitmix64, the same for ever ---- */

struct rng {
	uint64_t state;
};

static inline uint64_t rng_next(struct rng *rng)
{
	uint64_t z = rng->state += 0x9e3779b97f4a7c15;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return z ^ (z >> 31);
}

static inline unsigned rng_below(struct rng *rng, unsigned n)
{
	return (unsigned)((rng_next(rng) >> 32) * n >> 32);
}

static inline bool rng_percent(struct rng *rng, unsigned percent)
{
	return rng_below(rng, 100) < percent;
}

/* ---- generate.c ---- */

/* Random instructions; with TF set for one instruction only if @step. */
void generate(struct test_case *c, uint64_t seed);
/* Random bytes, run with TF set: the decoder and the length. */
void generate_bytes(struct test_case *c, uint64_t seed);
/* May the host be let loose on it? */
bool bytes_allowed(const uint8_t *p, unsigned len);
/* The state from the seed, the code from the instructions. */
void case_finish(struct test_case *c);
/* Contents of the writable pages, and of the one that is not. */
void case_memory(uint64_t seed, uint8_t mem[DATA_PAGES][PAGE]);
void case_ro_page(uint8_t page[PAGE]);

/* ---- host.c ---- */

/* Run cases on the host CPU, in a child process. results[i].ran tells. */
bool host_run(const struct test_case *cases, struct result *results, unsigned count);
bool host_init(unsigned max_count);

/* ---- guest.c ---- */

bool guest_init(void);
bool guest_run(const struct test_case *c, struct result *result);
void guest_exit(void);
uint64_t guest_instructions(void);

#endif
