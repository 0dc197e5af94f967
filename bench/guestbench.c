/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * guestbench.c - small workloads that run alike on the bare machine and in a guest
 *
 * One static program, no files, no arguments needed. It runs one workload after another and prints
 * one JSON line for each:
 *
 *   {"name":"sha256","iterations":983040,"seconds":0.213,"cpu":0.212,"check":"0x8d0f..."}
 *
 *   iterations  units of work; what one unit is stands in the table at the end of this file (-l)
 *   seconds     wall clock (CLOCK_MONOTONIC), as the system under test sees it
 *   cpu         CPU time of this process and of the children that it waited for
 *   check       a value computed by the work itself. It depends on the number of iterations and on
 *               nothing else: any two correct processors print the same one.
 *
 * A workload that the system forbids prints {"name":...,"skipped":"reason"} instead.
 *
 * How to read the figures. Inside an emulator that shares a busy host, "seconds" also holds the
 * time in which the host ran something else, and the guest cannot know. The honest cost of an
 * emulator is its own CPU time, read on the host between the lines {"begin":NAME} and {"end":NAME}
 * that -m prints right before and right after the timed part. run-guest.sh does that.
 *
 * Each workload is there to load one mechanism of a CPU engine; inner loops whose shape matters
 * are written so that the compiler cannot change them (assembly, intrinsics, OPAQUE). All memory
 * is mapped without transparent huge pages, so that two kernels with different settings still do
 * the same work.
 *
 * Build:  cc -std=gnu11 -O2 -static -fno-pie -no-pie -ffp-contract=off -fcf-protection=none \
 *            -o guestbench guestbench.c
 * Options: -s SCALE multiplies all iteration counts (0.05 for slow engines), -m prints the begin
 * and end lines, -l lists the workloads, -k prints the frequency of the TSC in kHz and nothing else
 * (for the kernel parameter tsc_early_khz=). Further words are names of workloads to run.
 */
#define _GNU_SOURCE
#include <emmintrin.h>
#include <errno.h>
#include <sched.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>
#include <x86intrin.h>

#ifndef __x86_64__
#error "guestbench measures x86-64 engines"
#endif

#define NOINLINE __attribute__((noinline))
/* The compiler must have this value in a register here, and may assume nothing about it. */
#define OPAQUE(x) __asm__ volatile("" : "+r"(x))

enum {
	PAGE = 4096,
	LINE = 64,
	SHA_BUFFER = 64 * 1024,
	SORT_LEN = 65536,
	MATRIX = 128,
	COPY_LEN = 1 << 20,
	SMALL_COPY = 256,
	FIB_ARG = 20,
	FAULT_AREA = 4096, /* pages */
};

static const char *self; /* argv[0], for the workload that executes this program */

static void die(const char *fmt, ...) __attribute__((noreturn, format(printf, 1, 2)));
static void die(const char *fmt, ...)
{
	va_list ap;

	fputs("guestbench: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(1);
}

/* Fresh zero pages, never huge ones; NULL with errno set if the system refuses. */
static void *map_pages(size_t len, int prot)
{
	void *p = mmap(NULL, len, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		return NULL;
	(void)madvise(p, len, MADV_NOHUGEPAGE); /* fails harmlessly in kernels without them */
	return p;
}

/* The same sequence in every run: xorshift, 64 bits. */
static uint64_t random_state;

static void random_seed(void)
{
	random_state = 0x9e3779b97f4a7c15u;
}

static uint64_t random_next(void)
{
	uint64_t x = random_state;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	random_state = x;
	return x;
}

/*
 * Two areas of memory that one workload holds from its set-up to its end. Their distance decides
 * whether page N of one and page N of the other fall into the same entry of an engine's TLB.
 */
static uint8_t *area_a, *area_b;
static size_t area_total;

static int areas_map_apart(size_t len, size_t distance, int prot)
{
	area_total = distance + len;
	area_a = map_pages(area_total, prot);
	if (!area_a)
		return -errno;
	area_b = area_a + distance;
	return 0;
}

/* The usual case: the same page of both areas never shares an entry. */
static int areas_map(size_t len, int prot)
{
	return areas_map_apart(len, (len + PAGE - 1) / PAGE * PAGE + 5 * PAGE, prot);
}

static void areas_unmap(void)
{
	munmap(area_a, area_total);
}

/*
 * sha256: shifts, rotates, adds with long dependency chains, few branches; the state of the
 * unrolled rounds spills, so a quarter of the instructions touch the stack.
 */
static uint32_t sha_k[64], sha_state[8];

/* The first 32 bits behind the point of the n-th root (2 or 3) of a prime, as FIPS 180-4 has it. */
static uint32_t root_fraction(unsigned prime, int n)
{
	unsigned __int128 target = (unsigned __int128)prime << (32 * n);
	uint64_t lo = 0, hi = (uint64_t)1 << 42; /* lo^n <= target < hi^n */

	while (hi - lo > 1) {
		uint64_t mid = lo + (hi - lo) / 2;
		unsigned __int128 power = (unsigned __int128)mid * mid;

		if (n == 3)
			power *= mid;
		if (power <= target)
			lo = mid;
		else
			hi = mid;
	}
	return (uint32_t)lo;
}

static int sha256_setup(long n)
{
	int found = 0;

	(void)n;
	for (unsigned p = 2; found < 64; p++) {
		unsigned d = 2;

		while (d * d <= p && p % d)
			d++;
		if (d * d <= p)
			continue;
		if (found < 8)
			sha_state[found] = root_fraction(p, 2);
		sha_k[found++] = root_fraction(p, 3);
	}
	if (areas_map(SHA_BUFFER, PROT_READ | PROT_WRITE) < 0)
		return -errno;
	for (size_t i = 0; i < SHA_BUFFER; i++)
		area_a[i] = (uint8_t)(i * 7);
	return 0;
}

static inline uint32_t ror(uint32_t x, int n)
{
	return x >> n | x << (32 - n);
}

static NOINLINE void sha256_block(uint32_t state[8], const uint8_t *p)
{
	uint32_t w[64], s[8];

	for (int i = 0; i < 16; i++) {
		w[i] = (uint32_t)p[4 * i] << 24 | (uint32_t)p[4 * i + 1] << 16 |
		       (uint32_t)p[4 * i + 2] << 8 | p[4 * i + 3];
	}
	for (int i = 16; i < 64; i++) {
		uint32_t a = w[i - 15], b = w[i - 2];

		w[i] = w[i - 16] + w[i - 7] + (ror(a, 7) ^ ror(a, 18) ^ a >> 3) +
		       (ror(b, 17) ^ ror(b, 19) ^ b >> 10);
	}
	memcpy(s, state, sizeof(s));
	for (int i = 0; i < 64; i++) {
		uint32_t t = s[7] + (ror(s[4], 6) ^ ror(s[4], 11) ^ ror(s[4], 25)) +
			     ((s[4] & s[5]) ^ (~s[4] & s[6])) + sha_k[i] + w[i];
		uint32_t u = (ror(s[0], 2) ^ ror(s[0], 13) ^ ror(s[0], 22)) +
			     ((s[0] & s[1]) ^ (s[0] & s[2]) ^ (s[1] & s[2]));

		s[7] = s[6];
		s[6] = s[5];
		s[5] = s[4];
		s[4] = s[3] + t;
		s[3] = s[2];
		s[2] = s[1];
		s[1] = s[0];
		s[0] = t + u;
	}
	for (int i = 0; i < 8; i++)
		state[i] += s[i];
}

static uint64_t sha256_run(long n)
{
	for (long i = 0; i < n; i++)
		sha256_block(sha_state, area_a + (size_t)i * 64 % SHA_BUFFER);
	return (uint64_t)sha_state[0] << 32 | sha_state[1];
}

/* sort: loads, compares and branches that no predictor knows; recursion. */
static NOINLINE void quicksort(uint32_t *v, long lo, long hi)
{
	while (lo < hi) {
		uint32_t pivot = v[lo + (hi - lo) / 2];
		long i = lo, j = hi;

		while (i <= j) {
			while (v[i] < pivot)
				i++;
			while (v[j] > pivot)
				j--;
			if (i <= j) {
				uint32_t t = v[i];

				v[i++] = v[j];
				v[j--] = t;
			}
		}
		/* Recurse into the smaller part, loop over the larger: the stack stays flat. */
		if (j - lo < hi - i) {
			quicksort(v, lo, j);
			lo = i;
		} else {
			quicksort(v, i, hi);
			hi = j;
		}
	}
}

static int sort_setup(long n)
{
	(void)n;
	random_seed();
	return areas_map(SORT_LEN * sizeof(uint32_t), PROT_READ | PROT_WRITE);
}

static uint64_t sort_run(long n)
{
	uint32_t *v = (uint32_t *)area_a;
	uint64_t check = 0;

	for (long r = 0; r < n; r++) {
		for (long i = 0; i < SORT_LEN; i++)
			v[i] = (uint32_t)random_next();
		quicksort(v, 0, SORT_LEN - 1);
		for (long i = 1; i < SORT_LEN; i++) {
			if (v[i - 1] > v[i])
				die("sort: element %ld of round %ld is out of order", i, r);
		}
		check = check * 31 + v[SORT_LEN / 2];
	}
	return check;
}

/* bytecode: a switch in a loop, so one indirect jump for every few instructions. */
enum op { OP_SET, OP_MOV, OP_ADD, OP_XOR, OP_SHR, OP_MUL, OP_DEC_JNZ, OP_JMP };

struct insn {
	uint8_t op, dst, src, imm; /* imm: a constant, or the index to jump to */
};

/* r4 counts 24..1 again and again; r0 and r1 take Fibonacci steps mixed with r2 and r5. */
static const struct insn bytecode[] = {
	{ OP_SET, 4, 0, 24 },    { OP_MOV, 3, 0, 0 },  { OP_ADD, 3, 1, 0 }, { OP_MOV, 0, 1, 0 },
	{ OP_MOV, 1, 3, 0 },     { OP_XOR, 1, 2, 0 },  { OP_SHR, 3, 0, 7 }, { OP_XOR, 5, 3, 0 },
	{ OP_DEC_JNZ, 4, 0, 1 }, { OP_MUL, 2, 0, 29 }, { OP_ADD, 2, 5, 0 }, { OP_JMP, 0, 0, 0 },
};

static NOINLINE uint64_t bytecode_run(long n)
{
	uint64_t r[8] = { 1, 2, 3, 4, 5, 6, 7, 8 };
	const struct insn *pc = bytecode;

	while (n-- > 0) {
		const struct insn *i = pc++;

		switch ((enum op)i->op) {
		case OP_SET:
			r[i->dst] = i->imm;
			break;
		case OP_MOV:
			r[i->dst] = r[i->src];
			break;
		case OP_ADD:
			r[i->dst] += r[i->src];
			break;
		case OP_XOR:
			r[i->dst] ^= r[i->src];
			break;
		case OP_SHR:
			r[i->dst] >>= i->imm;
			break;
		case OP_MUL:
			r[i->dst] *= i->imm;
			break;
		case OP_DEC_JNZ:
			if (--r[i->dst])
				pc = bytecode + i->imm;
			break;
		case OP_JMP:
			pc = bytecode + i->imm;
			break;
		}
	}
	return r[0] ^ r[1] ^ r[2] ^ r[5];
}

/* call, icall: call and ret, direct and through a pointer; FIB_ARG = 20 makes 21,891 calls. */
static NOINLINE uint64_t fib(unsigned n)
{
	uint64_t a, b;

	if (n < 2)
		return n;
	a = fib(n - 1);
	OPAQUE(a);
	b = fib(n - 2);
	OPAQUE(b); /* or the compiler makes a loop of the second call */
	return a + b;
}

static uint64_t fib_indirect(unsigned n);
static uint64_t (*volatile fib_pointer)(unsigned) = fib_indirect;

static NOINLINE uint64_t fib_indirect(unsigned n)
{
	uint64_t a, b;

	if (n < 2)
		return n;
	a = fib_pointer(n - 1);
	OPAQUE(a);
	b = fib_pointer(n - 2);
	OPAQUE(b);
	return a + b;
}

static uint64_t call_run(long n)
{
	uint64_t sum = 0;

	for (long i = 0; i < n; i++)
		sum += fib(FIB_ARG);
	return sum;
}

static uint64_t icall_run(long n)
{
	uint64_t sum = 0;

	for (long i = 0; i < n; i++)
		sum += fib_pointer(FIB_ARG);
	return sum;
}

/* matmul: packed double arithmetic (SSE2) with two loads and a store for each multiply-add. */
static int matmul_setup(long n)
{
	size_t cells = (size_t)MATRIX * MATRIX;
	double *a;

	(void)n;
	/* area_a holds both factors, area_b the product. */
	if (areas_map(2 * cells * sizeof(double), PROT_READ | PROT_WRITE) < 0)
		return -errno;
	a = (double *)area_a;
	for (size_t i = 0; i < cells; i++) {
		a[i] = (double)(i % 17) + 0.5;
		a[cells + i] = (double)(i % 13) - 0.25;
	}
	return 0;
}

static NOINLINE void matmul(double *c, const double *a, const double *b)
{
	memset(c, 0, sizeof(*c) * MATRIX * MATRIX);
	for (int i = 0; i < MATRIX; i++) {
		for (int k = 0; k < MATRIX; k++) {
			__m128d x = _mm_set1_pd(a[i * MATRIX + k]);
			double *row = c + (size_t)i * MATRIX;
			const double *from = b + (size_t)k * MATRIX;

			for (int j = 0; j < MATRIX; j += 2) {
				__m128d t = _mm_mul_pd(x, _mm_load_pd(from + j));

				_mm_store_pd(row + j, _mm_add_pd(_mm_load_pd(row + j), t));
			}
		}
	}
}

static uint64_t matmul_run(long n)
{
	double *a = (double *)area_a, *c = (double *)area_b, sum = 0;
	uint64_t check;

	for (long i = 0; i < n; i++) {
		matmul(c, a, a + (size_t)MATRIX * MATRIX);
		a[i % MATRIX] += 0.125; /* no two products are the same */
		sum += c[i % (MATRIX * MATRIX)];
	}
	memcpy(&check, &sum, sizeof(check));
	return check;
}

/* scalar_fp: one chain of mulsd, addsd, divsd; only latency counts. */
static NOINLINE uint64_t scalar_fp_run(long n)
{
	double a = 1;
	uint64_t check;

	for (long i = 0; i < n; i++) {
		a = a * 1.0000001 + 0.5;
		a = a / 1.0000003;
	}
	memcpy(&check, &a, sizeof(check));
	return check;
}

/* x87: 80-bit arithmetic with a spill in each round; an engine that keeps 64 bits is found out. */
static NOINLINE uint64_t x87_run(long n)
{
	static const long double factor = 1.0000001L, step = 0.5L;
	long double a = 1;
	uint64_t check[2] = { 0, 0 };

	__asm__ volatile("fldt %3\n\t"
			 "fldt %2\n\t"
			 "fldt %0\n"
			 "1:\n\t"
			 "fmul %%st(1), %%st\n\t"
			 "fadd %%st(2), %%st\n\t"
			 "fld %%st(0)\n\t"
			 "fstpt %0\n\t"
			 "dec %1\n\t"
			 "jnz 1b\n\t"
			 "fstp %%st(0)\n\t"
			 "fstp %%st(0)\n\t"
			 "fstp %%st(0)"
			 : "+m"(a), "+r"(n)
			 : "m"(factor), "m"(step)
			 : "cc", "st", "st(1)", "st(2)", "st(3)", "st(4)", "st(5)", "st(6)",
			   "st(7)");
	memcpy(check, &a, 10);
	return check[0] ^ check[1];
}

/*
 * rep_movsb, rep_movsb_256, rep_stosq, sse_copy: the ways in which programs move memory.
 * rep_movsb_alias: the same as rep_movsb, but the two buffers lie exactly 64 MiB apart, so that
 * they fight for the entries of a direct-mapped TLB of up to 16,384 entries.
 */
static int copy_setup_apart(size_t distance)
{
	if (areas_map_apart(COPY_LEN, distance, PROT_READ | PROT_WRITE) < 0)
		return -errno;
	for (size_t i = 0; i < COPY_LEN; i++)
		area_a[i] = (uint8_t)(i ^ i >> 8);
	memset(area_b, 2, COPY_LEN);
	return 0;
}

static int copy_setup(long n)
{
	(void)n;
	return copy_setup_apart(COPY_LEN + 5 * PAGE);
}

static int copy_alias_setup(long n)
{
	(void)n;
	return copy_setup_apart((size_t)64 * 1024 * 1024);
}

/* n-dependent, and wrong if a byte went astray */
static uint64_t copy_check(long n)
{
	uint64_t sum = (uint64_t)n;

	for (size_t i = 0; i < COPY_LEN; i++)
		sum = sum * 0x100000001b3u + area_b[i];
	return sum;
}

static inline void rep_movsb(void *dst, const void *src, size_t len)
{
	__asm__ volatile("rep movsb" : "+D"(dst), "+S"(src), "+c"(len) : : "memory");
}

static uint64_t rep_movsb_run(long n)
{
	for (long i = 0; i < n; i++) {
		area_a[i & (COPY_LEN - 1)]++;
		rep_movsb(area_b, area_a, COPY_LEN);
	}
	return 0;
}

static uint64_t rep_movsb_256_run(long n)
{
	/* Odd offsets within 32 KiB, as with the small copies that a kernel does. */
	for (long i = 0; i < n; i++) {
		size_t off = (size_t)i * 89 & 0x7fff;

		rep_movsb(area_b + off, area_a + (off ^ 0x40), SMALL_COPY);
	}
	return 0;
}

static uint64_t rep_stosq_run(long n)
{
	for (long i = 0; i < n; i++) {
		void *dst = area_b + ((size_t)i * PAGE & 0x7fff);
		size_t words = PAGE / 8;

		__asm__ volatile("rep stosq"
				 : "+D"(dst), "+c"(words)
				 : "a"((uint64_t)i)
				 : "memory");
	}
	return 0;
}

static uint64_t sse_copy_run(long n)
{
	for (long i = 0; i < n; i++) {
		uint8_t *src = area_a, *dst = area_b;
		size_t lines = COPY_LEN / 64;

		area_a[i & (COPY_LEN - 1)]++;
		__asm__ volatile("1:\n\t"
				 "movdqa (%0), %%xmm0\n\t"
				 "movdqa 16(%0), %%xmm1\n\t"
				 "movdqa 32(%0), %%xmm2\n\t"
				 "movdqa 48(%0), %%xmm3\n\t"
				 "movdqa %%xmm0, (%1)\n\t"
				 "movdqa %%xmm1, 16(%1)\n\t"
				 "movdqa %%xmm2, 32(%1)\n\t"
				 "movdqa %%xmm3, 48(%1)\n\t"
				 "add $64, %0\n\t"
				 "add $64, %1\n\t"
				 "dec %2\n\t"
				 "jnz 1b"
				 : "+r"(src), "+r"(dst), "+r"(lines)
				 :
				 : "memory", "cc", "xmm0", "xmm1", "xmm2", "xmm3");
	}
	return 0;
}

/*
 * chase_*: each load gives the address of the next one. A ring through all places in random order,
 * one place per cache line: 16 KiB fit the first cache, 256 KiB the second, 64 MiB none. chase_tlb
 * has one place in each of 2,048 pages: the data fit a cache, the translations do not fit a TLB.
 */
static void *chase_start;

static int chase_setup(size_t places, size_t stride)
{
	uint32_t *order;

	if (areas_map(places * stride, PROT_READ | PROT_WRITE) < 0)
		return -errno;
	order = map_pages(places * sizeof(*order), PROT_READ | PROT_WRITE);
	if (!order)
		return -errno;
	random_seed();
	for (size_t i = 0; i < places; i++)
		order[i] = (uint32_t)i;
	for (size_t i = places - 1; i > 0; i--) {
		size_t j = random_next() % (i + 1);
		uint32_t t = order[i];

		order[i] = order[j];
		order[j] = t;
	}
	for (size_t i = 0; i < places; i++) {
		/* Another cache line in each page, or all places fall into one cache set. */
		size_t from = order[i], to = order[(i + 1) % places];
		size_t from_off = from * stride + from * LINE % stride;
		size_t to_off = to * stride + to * LINE % stride;

		*(void **)(area_a + from_off) = area_a + to_off;
	}
	chase_start = area_a;
	munmap(order, places * sizeof(*order));
	return 0;
}

static int chase_l1_setup(long n)
{
	(void)n;
	return chase_setup(16 * 1024 / LINE, LINE);
}

static int chase_l2_setup(long n)
{
	(void)n;
	return chase_setup(256 * 1024 / LINE, LINE);
}

static int chase_dram_setup(long n)
{
	(void)n;
	return chase_setup((size_t)64 * 1024 * 1024 / LINE, LINE);
}

static int chase_tlb_setup(long n)
{
	(void)n;
	return chase_setup(2048, PAGE);
}

static NOINLINE uint64_t chase_run(long n)
{
	void *p = chase_start;

	/* One step more than n, which is often a multiple of the ring's length. */
	for (long i = 0; i <= n; i++)
		p = *(void **)p;
	return (uint64_t)((uint8_t *)p - area_a);
}

/* atomic: a locked add on one cache line. */
static uint64_t atomic_run(long n)
{
	static uint64_t counter;

	counter = 0;
	for (long i = 0; i < n; i++)
		__asm__ volatile("lock addq %1, %0" : "+m"(counter) : "r"((uint64_t)3) : "cc");
	return counter;
}

/* syscall: into the kernel and back, with nearly no work there. */
static uint64_t syscall_run(long n)
{
	uint64_t same = 0;
	long parent = syscall(SYS_getppid);

	for (long i = 0; i < n; i++)
		same += syscall(SYS_getppid) == parent;
	return same;
}

/* pipe: one byte to another process and back: system calls, scheduler, change of address space. */
static int pipe_there[2], pipe_back[2];
static cpu_set_t pipe_old_cpus;

static int pipe_setup(long n)
{
	cpu_set_t one;
	int cpu = sched_getcpu();

	(void)n;
	if (pipe(pipe_there) < 0)
		return -errno;
	if (pipe(pipe_back) < 0)
		return -errno;
	/* Both ends on one CPU, or a machine with more of them does something else than a guest. */
	CPU_ZERO(&one);
	CPU_SET(cpu < 0 ? 0 : (size_t)cpu, &one);
	if (sched_getaffinity(0, sizeof(pipe_old_cpus), &pipe_old_cpus) < 0 ||
	    sched_setaffinity(0, sizeof(one), &one) < 0)
		return -errno;
	return 0;
}

static void pipe_end(void)
{
	for (int i = 0; i < 2; i++) {
		close(pipe_there[i]);
		close(pipe_back[i]);
	}
	(void)sched_setaffinity(0, sizeof(pipe_old_cpus), &pipe_old_cpus);
}

static int wait_for(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0) {
		if (errno != EINTR)
			die("cannot wait for a child: %s", strerror(errno));
	}
	return status;
}

static uint64_t pipe_run(long n)
{
	uint64_t sum = 0;
	uint8_t c = 1;
	pid_t pid = fork();

	if (pid < 0)
		die("cannot fork: %s", strerror(errno));
	if (pid == 0) {
		for (long i = 0; i < n; i++) {
			if (read(pipe_there[0], &c, 1) != 1)
				_exit(1);
			c++;
			if (write(pipe_back[1], &c, 1) != 1)
				_exit(1);
		}
		_exit(0);
	}
	for (long i = 0; i < n; i++) {
		if (write(pipe_there[1], &c, 1) != 1 || read(pipe_back[0], &c, 1) != 1)
			die("pipe: %s", strerror(errno));
		sum += c;
	}
	if (wait_for(pid) != 0)
		die("pipe: the other side failed");
	return sum;
}

/* fork_exec: this program again, ending at once. Page tables, page faults, code in new pages. */
static uint64_t fork_exec_run(long n)
{
	uint64_t sum = 0;

	for (long i = 0; i < n; i++) {
		pid_t pid = fork();

		if (pid < 0)
			die("cannot fork: %s", strerror(errno));
		if (pid == 0) {
			execl(self, self, "--end-at-once", (char *)NULL);
			_exit(127);
		}
		sum += (uint64_t)WEXITSTATUS(wait_for(pid));
	}
	return sum; /* 7 for each child that ran */
}

/*
 * page_fault: first touch of anonymous pages, and their release. The touch is a plain store: for an
 * instruction that reads and writes, an emulator may take two faults where a processor takes one.
 */
static uint64_t page_fault_run(long n)
{
	uint64_t sum = 0;

	for (long done = 0; done < n;) {
		long pages = n - done < FAULT_AREA ? n - done : FAULT_AREA;
		uint8_t *p = map_pages((size_t)pages * PAGE, PROT_READ | PROT_WRITE);

		if (!p)
			die("no memory for %ld pages: %s", pages, strerror(errno));
		for (long i = 0; i < pages; i++)
			p[i * PAGE] = 1;
		for (long i = 0; i < pages; i += 512)
			sum += p[i * PAGE];
		munmap(p, (size_t)pages * PAGE);
		done += pages;
	}
	return sum;
}

/*
 * smc: write a function of six bytes (mov $i, %eax; ret), call it, and again, as a JIT compiler or
 * a kernel that patches itself. smc_data: leave the function alone, but write data to the same
 * page before each call, as code with a counter or a lock beside it does.
 */
static int smc_setup(long n)
{
	static const uint8_t first[] = { 0xb8, 1, 0, 0, 0, 0xc3 };

	(void)n;
	if (areas_map(PAGE, PROT_READ | PROT_WRITE | PROT_EXEC) < 0)
		return -errno;
	memcpy(area_a, first, sizeof(first));
	return 0;
}

static uint64_t smc_run(long n)
{
	uint32_t (*function)(void) = (uint32_t(*)(void))(uintptr_t)area_a;
	uint64_t sum = 0;

	for (long i = 0; i < n; i++) {
		uint32_t imm = (uint32_t)i;

		area_a[0] = 0xb8;
		memcpy(area_a + 1, &imm, sizeof(imm));
		area_a[5] = 0xc3;
		__asm__ volatile("" : : : "memory");
		sum += function();
	}
	return sum;
}

static uint64_t smc_data_run(long n)
{
	uint32_t (*function)(void) = (uint32_t(*)(void))(uintptr_t)area_a;
	uint64_t *data = (uint64_t *)(area_a + PAGE / 2);

	for (long i = 0; i < n; i++) {
		*data += function();
		__asm__ volatile("" : : : "memory");
	}
	return *data;
}

struct workload {
	const char *name;
	long iterations;           /* at scale 1; most take 0.05 to 0.3 s on a CPU of 2024 */
	int (*setup)(long n);      /* not timed; 0 or -errno; may be NULL */
	uint64_t (*run)(long n);   /* timed; returns the check value */
	void (*end)(void);         /* not timed; may be NULL */
	uint64_t (*check)(long n); /* not timed; replaces run's check value; may be NULL */
	const char *unit;          /* what one iteration is */
};

static const struct workload workloads[] = {
	{ "sha256", 1000000, sha256_setup, sha256_run, areas_unmap, NULL, "block of 64 bytes" },
	{ "sort", 60, sort_setup, sort_run, areas_unmap, NULL, "quicksort of 65,536 integers" },
	{ "bytecode", 100000000, NULL, bytecode_run, NULL, NULL, "bytecode instruction" },
	{ "call", 4000, NULL, call_run, NULL, NULL, "fib(20): 21,891 direct calls" },
	{ "icall", 4000, NULL, icall_run, NULL, NULL, "fib(20): 21,891 indirect calls" },
	{ "matmul", 100, matmul_setup, matmul_run, areas_unmap, NULL,
	  "product of 128x128 doubles, SSE2" },
	{ "scalar_fp", 20000000, NULL, scalar_fp_run, NULL, NULL, "mul, add, div in a chain" },
	{ "x87", 20000000, NULL, x87_run, NULL, NULL, "fmul, fadd, store and load of 80 bits" },
	{ "rep_movsb", 1000, copy_setup, rep_movsb_run, areas_unmap, copy_check, "copy of 1 MiB" },
	{ "rep_movsb_256", 2000000, copy_setup, rep_movsb_256_run, areas_unmap, copy_check,
	  "copy of 256 bytes" },
	{ "rep_movsb_alias", 50, copy_alias_setup, rep_movsb_run, areas_unmap, copy_check,
	  "copy of 1 MiB, aliasing pages" },
	{ "rep_stosq", 1000000, copy_setup, rep_stosq_run, areas_unmap, copy_check,
	  "fill of a page" },
	{ "sse_copy", 2000, copy_setup, sse_copy_run, areas_unmap, copy_check, "copy of 1 MiB" },
	{ "chase_l1", 60000000, chase_l1_setup, chase_run, areas_unmap, NULL,
	  "dependent load, 16 KiB" },
	{ "chase_l2", 20000000, chase_l2_setup, chase_run, areas_unmap, NULL,
	  "dependent load, 256 KiB" },
	{ "chase_dram", 2000000, chase_dram_setup, chase_run, areas_unmap, NULL,
	  "dependent load, 64 MiB" },
	{ "chase_tlb", 10000000, chase_tlb_setup, chase_run, areas_unmap, NULL,
	  "dependent load, 2,048 pages" },
	{ "atomic", 30000000, NULL, atomic_run, NULL, NULL, "locked add" },
	{ "syscall", 2000000, NULL, syscall_run, NULL, NULL, "getppid" },
	{ "pipe", 40000, pipe_setup, pipe_run, pipe_end, NULL, "byte there and back" },
	{ "fork_exec", 500, NULL, fork_exec_run, NULL, NULL, "fork, exec, exit, wait" },
	{ "page_fault", 81920, NULL, page_fault_run, NULL, NULL, "first touch of a page" },
	{ "smc", 20000, smc_setup, smc_run, areas_unmap, NULL, "function rewritten and called" },
	{ "smc_data", 1000000, smc_setup, smc_data_run, areas_unmap, NULL,
	  "call, and data written beside the code" },
};

enum { WORKLOADS = sizeof(workloads) / sizeof(workloads[0]) };

static double clock_seconds(clockid_t id)
{
	struct timespec ts;

	if (clock_gettime(id, &ts) < 0)
		die("cannot read a clock: %s", strerror(errno));
	return (double)ts.tv_sec + (double)ts.tv_nsec * 1e-9;
}

static double cpu_seconds(void)
{
	struct rusage ru;

	getrusage(RUSAGE_CHILDREN, &ru);
	return clock_seconds(CLOCK_PROCESS_CPUTIME_ID) +
	       (double)(ru.ru_utime.tv_sec + ru.ru_stime.tv_sec) +
	       (double)(ru.ru_utime.tv_usec + ru.ru_stime.tv_usec) * 1e-6;
}

/* A line must be out before what follows it is timed, or forked. */
static void flush_line(void)
{
	fflush(stdout);
	(void)tcdrain(STDOUT_FILENO); /* fails where this is no terminal: fine */
}

static void workload_measure(const struct workload *w, double scale, int marks)
{
	long n = (long)((double)w->iterations * scale + 0.5);
	double wall, cpu;
	uint64_t check;
	int r = 0;

	if (n < 1)
		n = 1;
	if (w->setup)
		r = w->setup(n);
	if (r < 0) {
		printf("{\"name\":\"%s\",\"skipped\":\"%s\"}\n", w->name, strerror(-r));
		flush_line();
		return;
	}
	if (marks) {
		printf("{\"begin\":\"%s\"}\n", w->name);
		flush_line();
	}
	wall = clock_seconds(CLOCK_MONOTONIC);
	cpu = cpu_seconds();
	check = w->run(n);
	cpu = cpu_seconds() - cpu;
	wall = clock_seconds(CLOCK_MONOTONIC) - wall;
	if (marks) {
		printf("{\"end\":\"%s\"}\n", w->name);
		flush_line();
	}
	if (w->check)
		check = w->check(n);
	if (w->end)
		w->end();
	printf("{\"name\":\"%s\",\"iterations\":%ld,\"seconds\":%.6f,\"cpu\":%.6f,"
	       "\"check\":\"0x%016llx\"}\n",
	       w->name, n, wall, cpu, (unsigned long long)check);
	flush_line();
}

/* TSC and clock read together: the tightest of some attempts. */
static void read_both(uint64_t *tsc, double *seconds)
{
	uint64_t best = UINT64_MAX;

	for (int i = 0; i < 50; i++) {
		uint64_t before = __rdtsc(), after;
		double now = clock_seconds(CLOCK_MONOTONIC_RAW);

		after = __rdtsc();
		if (after - before < best) {
			best = after - before;
			*tsc = before + best / 2;
			*seconds = now;
		}
	}
}

static long tsc_khz(void)
{
	struct timespec pause = { .tv_nsec = 300000000 };
	uint64_t t0 = 0, t1 = 0;
	double s0 = 0, s1 = 0;

	read_both(&t0, &s0);
	nanosleep(&pause, NULL);
	read_both(&t1, &s1);
	return (long)((double)(t1 - t0) / (s1 - s0) / 1000 + 0.5);
}

static const struct workload *workload_find(const char *name)
{
	for (size_t i = 0; i < WORKLOADS; i++) {
		if (!strcmp(workloads[i].name, name))
			return &workloads[i];
	}
	return NULL;
}

int main(int argc, char **argv)
{
	double scale = 1;
	int marks = 0, opt;

	if (argc == 2 && !strcmp(argv[1], "--end-at-once"))
		return 7;
	self = argv[0];

	while ((opt = getopt(argc, argv, "s:mlk")) != -1) {
		switch (opt) {
		case 's':
			scale = strtod(optarg, NULL);
			if (!(scale > 0 && scale <= 1000))
				die("-s takes a number above 0, at most 1000, not '%s'", optarg);
			break;
		case 'm':
			marks = 1;
			break;
		case 'l':
			for (size_t i = 0; i < WORKLOADS; i++) {
				printf("%-15s %10ld x %s\n", workloads[i].name,
				       workloads[i].iterations, workloads[i].unit);
			}
			return 0;
		case 'k':
			printf("%ld\n", tsc_khz());
			return 0;
		default:
			fputs("usage: guestbench [-s SCALE] [-m] [-l] [-k] [WORKLOAD...]\n",
			      stderr);
			return 1;
		}
	}
	for (int i = optind; i < argc; i++) {
		if (!workload_find(argv[i]))
			die("there is no workload '%s'; -l lists them", argv[i]);
	}
	if (optind == argc) {
		for (size_t i = 0; i < WORKLOADS; i++)
			workload_measure(&workloads[i], scale, marks);
	}
	for (int i = optind; i < argc; i++)
		workload_measure(workload_find(argv[i]), scale, marks);
	return 0;
}
