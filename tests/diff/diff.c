/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * diff.c - compare the software engine with the host CPU, instruction by instruction
 *
 * usage: diff [--count INSTRUCTIONS] [--bytes CASES] [--seed SEED] [--keep-going] [--loud]
 *             [FILE...]
 *
 * FILEs have cases to begin with, one a line: the seed of the state, the code bytes, and "step" if
 * it runs with TF set. Then come random cases. What differs is made as small as it gets and printed
 * as such a line. The seed of a run is printed; without --seed it is the time. --loud lets through
 * what the engine logs.
 */
#include "diff.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#ifdef HAVE_CAPSTONE
#include <capstone/capstone.h>
#endif

enum {
	BATCH = 256,
	MAX_FAILURES = 10
};

static struct test_case cases[BATCH];
static struct result host[BATCH], guest;
static unsigned failures, host_lost, host_unsteady;
static bool keep_going;

/* ---- comparing ---- */

#define FLAGS_COMPARED 0x244fd5ull /* all but RF, which depends on how the exception is told */

static const char *const gpr_names[16] = {
	"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
	"r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15",
};

static uint64_t word(const uint8_t *p, unsigned bytes)
{
	uint64_t value = 0;

	memcpy(&value, p, bytes);
	return value;
}

/* Prints a difference if @out; returns whether there was one. */
static bool differ(FILE *out, const char *what, uint64_t on_host, uint64_t in_guest)
{
	if (on_host == in_guest)
		return false;
	if (out)
		(void)fprintf(out, "  %-8s host %016" PRIx64 " guest %016" PRIx64 "\n", what,
			      on_host, in_guest);
	return true;
}

static bool compare_fx(FILE *out, const uint8_t *h, const uint8_t *g)
{
	/* An unmasked underflow or overflow is inexact or not without a limit of the exponent; the
	 * engine finds out with the limit. */
	uint32_t mxcsr = (uint32_t)word(h + 24, 4);
	uint32_t inexact = (mxcsr & 0x810) == 0x10 || (mxcsr & 0x408) == 0x08 ? 0x20 : 0;
	bool bad = false;
	char name[16];

	bad |= differ(out, "fcw", word(h, 2), word(g, 2));
	bad |= differ(out, "fsw", word(h + 2, 2), word(g + 2, 2));
	bad |= differ(out, "ftw", h[4], g[4]);
	if ((word(h + 2, 2) & 0x80) && (word(g + 2, 2) & 0x80)) {
		/* not FOP: kept for exceptions that are not masked; AMD: for all */
		bad |= differ(out, "fip", word(h + 8, 8), word(g + 8, 8));
		bad |= differ(out, "fdp", word(h + 16, 8), word(g + 16, 8));
	}
	bad |= differ(out, "mxcsr", word(h + 24, 4) | inexact, word(g + 24, 4) | inexact);
	for (unsigned i = 0; i < 8; i++) {
		(void)snprintf(name, sizeof(name), "st%u", i);
		bad |= differ(out, name, word(h + 32 + 16 * i, 8), word(g + 32 + 16 * i, 8));
		(void)snprintf(name, sizeof(name), "st%u.e", i);
		bad |= differ(out, name, word(h + 40 + 16 * i, 2), word(g + 40 + 16 * i, 2));
	}
	for (unsigned i = 0; i < 32; i++) {
		(void)snprintf(name, sizeof(name), "xmm%u.%c", i / 2, "lh"[i & 1]);
		bad |= differ(out, name, word(h + 160 + 8 * i, 8), word(g + 160 + 8 * i, 8));
	}
	return bad;
}

/* ---- where both sides are right ---- */

/* The opcode at @rip, prefixes skipped; NULL if it is not in the case. */
static const uint8_t *opcode_at(const struct test_case *c, uint64_t rip)
{
	static const uint8_t prefixes[] = { 0x26, 0x2e, 0x36, 0x3e, 0x65,
					    0x66, 0x67, 0xf0, 0xf2, 0xf3 };
	uint64_t i = rip - c->regs.rip;

	/* UD2 stands behind the code: two bytes can be looked at if one is of the case. */
	while (i + 2 < c->code_len &&
	       ((c->code[i] & 0xf0) == 0x40 || memchr(prefixes, c->code[i], sizeof(prefixes))))
		i++;
	return i + 2 < c->code_len ? &c->code[i] : NULL;
}

/* Which byte of its operand an instruction that accesses many faults on: FNSTENV, FLDENV, FNSAVE,
 * FRSTOR. */
static bool many_accesses(const struct test_case *c, uint64_t rip)
{
	const uint8_t *p = opcode_at(c, rip);

	return p && (p[0] == 0xd9 || p[0] == 0xdd) && (p[1] & 0x28) == 0x20;
}

/* CMPS: if both operands fault, the source counts on some processors and the destination on others,
 * with exceptions; the manuals leave it open. */
static bool two_operands(const struct test_case *c, uint64_t rip)
{
	const uint8_t *p = opcode_at(c, rip);

	return p && (p[0] & 0xfe) == 0xa6;
}

/* Of two faults of one instruction, which comes first. GS: AMD's check the offset for canonical form
 * before the base comes to it, sometimes. CALL: target or stack. MOVS, CMPS: source or destination. */
static bool order_of_faults(const struct test_case *c, const struct result *h,
			    const struct result *g)
{
	const uint8_t *p = opcode_at(c, h->regs.rip);

	if (h->regs.rip != g->regs.rip || h->vector < 12 || h->vector > 14 || g->vector < 12 ||
	    g->vector > 14 || h->vector == g->vector || !p)
		return false;
	return memchr(c->code + (h->regs.rip - c->regs.rip), 0x65, 3) ||
	       (p[0] == 0xff && (p[1] & 0x38) == 0x10) || (p[0] & 0xfc) == 0xa4 ||
	       many_accesses(c, h->regs.rip);
}

/* Exceptions of the steps inside DPPS and DPPD, with some unmasked, show on the host only. */
static bool unsure_dot_product(const struct test_case *c, const struct result *h)
{
	static const uint8_t start[] = { 0x0f, 0x3a };
	const uint8_t *p = c->code, *end = c->code + c->code_len;

	if ((word(c->regs.fx + 24, 4) & 0x1f80) == 0x1f80 &&
	    (word(h->regs.fx + 24, 4) & 0x1f80) == 0x1f80)
		return false;
	while ((p = memmem(p, (size_t)(end - p), start, sizeof(start))) && p + 2 < end) {
		if ((p[2] & 0xfe) == 0x40)
			return true;
		p++;
	}
	return false;
}

/* Some hypervisors give a few vectors of INT n a meaning of their own: [vector] */
static bool host_takes_int[256];

static bool has_taken_int(const struct test_case *c)
{
	for (unsigned i = 0; i + 3 < c->code_len; i++)
		if (c->code[i] == 0xcd && host_takes_int[c->code[i + 1]])
			return true;
	return false;
}

static bool tolerated(const struct test_case *c, const struct result *h, const struct result *g)
{
	/* AMD's have MXCSR.MM, bit 17 */
	return word(h->regs.fx + 24, 4) & 0x20000 || order_of_faults(c, h, g) ||
	       unsure_dot_product(c, h) || has_taken_int(c);
}

static bool compare(FILE *out, const struct test_case *c, const struct result *h,
		    const struct result *g)
{
	bool bad = false;

	if (tolerated(c, h, g))
		return false;
	bad |= differ(out, "vector", h->vector, g->vector);
	if (h->vector == g->vector && h->vector >= 8) {
		/* Elsewhere the sides differ in what the supervisor has mapped. */
		bool ours = h->vector != 14 || (h->cr2 >= CODE_ADDR && h->cr2 < SPACE_END);

		bad |= differ(out, "error", h->error | !ours, g->error | !ours);
		if (h->vector == 14 && !many_accesses(c, h->regs.rip) &&
		    !two_operands(c, h->regs.rip))
			bad |= differ(out, "cr2", h->cr2, g->cr2);
	}
	for (unsigned i = 0; i < 16; i++)
		bad |= differ(out, gpr_names[i], h->regs.gpr[i], g->regs.gpr[i]);
	bad |= differ(out, "rip", h->regs.rip, g->regs.rip);
	bad |= differ(out, "rflags", h->regs.rflags & FLAGS_COMPARED,
		      g->regs.rflags & FLAGS_COMPARED);
	bad |= compare_fx(out, h->regs.fx, g->regs.fx);
	for (unsigned page = 0; page < DATA_PAGES; page++) {
		if (memcmp(h->mem[page], g->mem[page], PAGE) == 0)
			continue;
		bad = true;
		for (unsigned i = 0; out && i < PAGE; i += 8)
			if (memcmp(h->mem[page] + i, g->mem[page] + i, 8) != 0) {
				(void)fprintf(out, "  page %u + %03x", page, i);
				(void)differ(out, "", word(h->mem[page] + i, 8),
					     word(g->mem[page] + i, 8));
				break;
			}
	}
	return bad;
}

/* ---- failures ---- */

/* Run a case on both sides: do they differ? */
static bool fails(struct test_case *c, FILE *out)
{
	static struct result h, g;

	if (!host_run(c, &h, 1) || !h.ran)
		return false;
	if (!guest_run(c, &g))
		return true;
	if (!g.ran) {
		if (out)
			(void)fprintf(out, "  the guest shut down\n");
		return true;
	}
	return compare(out, c, &h, &g);
}

static void minimise(struct test_case *c)
{
	bool again = true;

	while (again) {
		again = false;
		for (unsigned i = 0; i < c->count && c->count > 1; i++) {
			struct test_case smaller = *c;

			memmove(&smaller.insn[i], &smaller.insn[i + 1],
				(smaller.count - i - 1) * sizeof(smaller.insn[0]));
			smaller.count--;
			case_finish(&smaller);
			if (!fails(&smaller, NULL))
				continue;
			*c = smaller;
			again = true;
			i--;
		}
	}
}

static void disassemble(const struct test_case *c)
{
#ifdef HAVE_CAPSTONE
	csh handle;
	cs_insn *insn;
	size_t count;

	if (cs_open(CS_ARCH_X86, CS_MODE_64, &handle) != CS_ERR_OK)
		return;
	(void)cs_option(handle, CS_OPT_SKIPDATA, CS_OPT_ON);
	count = cs_disasm(handle, c->code, c->code_len, c->regs.rip, 0, &insn);
	for (size_t i = 0; i < count; i++)
		printf("  %08" PRIx64 "  %s %s\n", insn[i].address, insn[i].mnemonic,
		       insn[i].op_str);
	if (count)
		cs_free(insn, count);
	(void)cs_close(&handle);
#else
	(void)c;
#endif
}

static void print_case(const struct test_case *c)
{
	printf("failure %u: from rip %" PRIx64 " rflags %" PRIx64 "\n", failures, c->regs.rip,
	       c->regs.rflags);
	for (unsigned i = 0; i < 16; i++)
		printf("  %-3s %016" PRIx64 "%s", gpr_names[i], c->regs.gpr[i],
		       i % 4 == 3 ? "\n" : "");
	disassemble(c);
}

static void print_seed_line(const struct test_case *c)
{
	printf("seed line:\n%" PRIx64 " ", c->seed);
	for (unsigned i = 0; i + 2 < c->code_len; i++)
		printf("%02x", c->code[i]);
	printf("%s\n\n", c->regs.rflags & 0x100 ? " step" : "");
	(void)fflush(stdout);
}

static void report(struct test_case *c)
{
	failures++;
	minimise(c);
	print_case(c);
	(void)fails(c, stdout);
	print_seed_line(c);
}

/* AMD's processors lose the pointers to the last x87 instruction in a context switch, unless an
 * exception is pending; an exception that is unmasked afterwards shows it. So the host is asked
 * again, and the guest's answer stays. */
static bool host_changed_its_mind(const struct test_case *c)
{
	static struct result again;

	return guest.ran && host_run(c, &again, 1) && again.ran &&
	       !compare(NULL, c, &again, &guest);
}

static bool run_batch(unsigned count)
{
	if (!host_run(cases, host, count))
		return false;
	for (unsigned i = 0; i < count; i++) {
		if (!host[i].ran) {
			host_lost++;
			continue;
		}
		if (!guest_run(&cases[i], &guest))
			return false;
		if (!guest.ran || compare(NULL, &cases[i], &host[i], &guest)) {
			if (host_changed_its_mind(&cases[i]))
				host_unsteady++;
			else
				report(&cases[i]);
		}
		if (failures >= MAX_FAILURES && !keep_going)
			return false;
	}
	return true;
}

/* A processor answers INT n of a program with #GP at the instruction, but for those that the kernel
 * offers. */
static bool find_taken_ints(void)
{
	bool told = false;

	for (unsigned vector = 0; vector < 256; vector++) {
		struct test_case *c = &cases[0];
		const struct result *h = &host[0];

		if (vector == 3 || vector == 4 || vector == 0x80)
			continue;
		memset(c, 0, sizeof(*c));
		case_finish(c);
		c->code[0] = 0xcd;
		c->code[1] = (uint8_t)vector;
		c->code[2] = 0x0f;
		c->code[3] = 0x0b;
		c->code_len = 4;
		if (!host_run(c, host, 1))
			return false;
		host_takes_int[vector] = !h->ran || h->vector != 13 || h->error != vector * 8 + 2 ||
					 h->regs.rip != c->regs.rip;
		if (host_takes_int[vector]) {
			printf("%s %02x", told ? "" : "diff: left out, this host has them: INT",
			       vector);
			told = true;
		}
	}
	if (told)
		printf("\n");
	return true;
}

/* ---- cases from files ---- */

static bool parse_line(const char *line, struct test_case *c)
{
	char hex[2 * CASE_MAX_CODE + 1], step[8] = "";
	size_t len;

	memset(c, 0, sizeof(*c));
	if (sscanf(line, "%" SCNx64 " %704s %7s", &c->seed, hex, step) < 2)
		return false;
	len = strlen(hex) / 2;
	if (len > CASE_MAX_CODE - 2)
		return false;
	c->regs.rflags = strcmp(step, "step") == 0 ? 0x100 : 0;
	case_finish(c);
	for (size_t i = 0; i < len; i++) {
		unsigned byte;

		if (sscanf(hex + 2 * i, "%2x", &byte) != 1)
			return false;
		c->code[i] = (uint8_t)byte;
	}
	c->code[len] = 0x0f;
	c->code[len + 1] = 0x0b;
	c->code_len = (unsigned)len + 2;
	return true;
}

static bool run_file(const char *path)
{
	FILE *file = fopen(path, "re");
	char line[1024];
	bool ok = true;

	if (!file) {
		(void)fprintf(stderr, "diff: cannot open '%s'\n", path);
		return false;
	}
	while (ok && fgets(line, sizeof(line), file)) {
		if (line[0] == '#' || line[0] == '\n')
			continue;
		if (!parse_line(line, &cases[0])) {
			(void)fprintf(stderr, "diff: not a case: %s", line);
			ok = false;
			break;
		}
		ok = host_run(cases, host, 1) && (!host[0].ran || guest_run(&cases[0], &guest));
		if (ok && host[0].ran && compare(NULL, &cases[0], &host[0], &guest)) {
			failures++;
			print_case(&cases[0]);
			(void)compare(stdout, &cases[0], &host[0], &guest);
			print_seed_line(&cases[0]);
		}
	}
	(void)fclose(file);
	return ok;
}

/* ---- */

struct options {
	uint64_t count, bytes, seed;
	bool loud;
};

static bool parse_options(int argc, char **argv, struct options *options, int *ret_first_file)
{
	int i;

	for (i = 1; i < argc && argv[i][0] == '-'; i++) {
		uint64_t *value = strcmp(argv[i], "--count") == 0   ? &options->count
				  : strcmp(argv[i], "--bytes") == 0 ? &options->bytes
				  : strcmp(argv[i], "--seed") == 0  ? &options->seed
								    : NULL;

		if (strcmp(argv[i], "--keep-going") == 0 || strcmp(argv[i], "--loud") == 0) {
			*(argv[i][2] == 'k' ? &keep_going : &options->loud) = true;
			continue;
		}
		if (!value || i + 1 >= argc)
			return false;
		*value = strtoull(argv[++i], NULL, 0);
	}
	*ret_first_file = i;
	return true;
}

/* Random cases until the guest has executed so many instructions. */
static bool run_random(uint64_t count, struct rng *rng)
{
	uint64_t before = guest_instructions();

	while (guest_instructions() - before < count) {
		for (unsigned i = 0; i < BATCH; i++)
			generate(&cases[i], rng_next(rng));
		if (!run_batch(BATCH))
			return false;
	}
	return true;
}

static bool run_bytes(uint64_t count, struct rng *rng)
{
	for (uint64_t done = 0; done < count; done += BATCH) {
		for (unsigned i = 0; i < BATCH; i++)
			generate_bytes(&cases[i], rng_next(rng));
		if (!run_batch(BATCH))
			return false;
	}
	return true;
}

int main(int argc, char **argv)
{
	struct options options = { 1000000, 100000, (uint64_t)time(NULL), false };
	struct rng rng;
	int first_file;
	bool ok = true;

	if (!parse_options(argc, argv, &options, &first_file)) {
		(void)fprintf(stderr, "usage: diff [--count INSTRUCTIONS] [--bytes CASES] "
				      "[--seed SEED] [--keep-going] [--loud] [FILE...]\n");
		return 2;
	}
	if (!host_init(BATCH) || !guest_init())
		return 2;
	/* The engine tells of each opcode that it does not know. */
	if (!options.loud && !freopen("/dev/null", "w", stderr))
		return 2;
	printf("diff: --seed %" PRIu64 "\n", options.seed);
	(void)fflush(stdout);

	ok = find_taken_ints();
	for (int i = first_file; ok && i < argc; i++)
		ok = run_file(argv[i]);
	rng.state = options.seed;
	ok = ok && run_bytes(options.bytes, &rng) && run_random(options.count, &rng);
	printf("diff: %" PRIu64 " instructions, %u failures; on the host %u cases without an end, "
	       "%u different at the second run\n",
	       guest_instructions(), failures, host_lost, host_unsteady);
	guest_exit();
	return ok && failures == 0 ? 0 : 1;
}
