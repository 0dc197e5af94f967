/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * qcow2-sequence.c - an image's options and what is done to it: at random, and as text that is kept
 *
 * Text: a line of words "name=number", then a line for each operation: its name, off, len, fill.
 */
#include "qcow2-lab.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	SECTOR = 512,
	MAX_APPLIED = 6,
};

const char *const lab_preallocations[4] = { "off", "metadata", "falloc", "full" };

/* ---- random ---- */

static uint64_t below(GRand *rand, uint64_t n)
{
	return n <= UINT32_MAX ? (uint64_t)(g_rand_double(rand) * (double)n)
			       : (uint64_t)g_rand_int(rand) % n;
}

static bool chance(GRand *rand, unsigned percent)
{
	return below(rand, 100) < percent;
}

/* Small clusters find most in little time; each size comes up now and then. */
static unsigned random_cluster_bits(GRand *rand)
{
	static const unsigned common[] = { 9, 9, 9, 10, 12, 12, 12, 12, 14, 14, 16 };

	if (chance(rand, 5))
		return QCOW2_MIN_CLUSTER_BITS +
		       (unsigned)below(rand, QCOW2_MAX_CLUSTER_BITS - QCOW2_MIN_CLUSTER_BITS + 1);
	return common[below(rand, ARRAY_SIZE(common))];
}

/* So many clusters that there are several L2 tables, where that is not too much. */
static uint64_t random_size(GRand *rand, unsigned cluster_bits)
{
	static const uint64_t tails[] = { 0, 0, SECTOR, 65024 };
	const uint64_t cluster = UINT64_C(1) << cluster_bits;
	uint64_t size = (48 + below(rand, 208)) * cluster;

	if (cluster_bits > 10)
		size = (4 + below(rand, cluster_bits > 16   ? 2
					: cluster_bits > 14 ? 8
							    : 32)) *
		       cluster;
	return size + tails[below(rand, ARRAY_SIZE(tails))] % cluster;
}

static void random_v3(GRand *rand, struct lab_options *o)
{
	o->refcount_bits = 1u << below(rand, 7);
	o->lazy = chance(rand, 30);
	o->zstd = chance(rand, 60);
	o->extended = o->cluster_bits >= QCOW2_MIN_EXTENDED_BITS && chance(rand, 60);
	if (chance(rand, 15))
		o->data = 1 + (unsigned)below(rand, 2);
}

static void random_options(GRand *rand, struct lab_options *ret)
{
	/* A copy, so that a seed goes on meaning the operations that it always meant. */
	g_autoptr(GRand) copy = g_rand_copy(rand);
	struct lab_options o = { .version = 3, .refcount_bits = 16 };

	o.cluster_bits = random_cluster_bits(rand);
	o.size = random_size(rand, o.cluster_bits);
	if (chance(rand, 15))
		o.version = 2;
	else
		random_v3(rand, &o);
	if (chance(rand, 15))
		o.prealloc = 1 + (unsigned)below(rand, 3);
	else if (o.data < 2 && chance(rand, 45))
		o.backing_size = MAX(o.size / 2 + below(rand, o.size), UINT64_C(9) * SECTOR) /
				 SECTOR * SECTOR;
	/* What went wrong in the engine went wrong with these. */
	if (chance(rand, 60))
		o.slots = 8;
	o.encrypted = !o.data && chance(copy, 5);
	*ret = o;
}

static enum lab_kind random_kind(GRand *rand)
{
	static const struct {
		enum lab_kind kind;
		unsigned percent;
	} kinds[] = {
		{ LAB_WRITE, 45 },  { LAB_ZERO, 10 }, { LAB_UNMAP, 7 }, { LAB_DISCARD, 8 },
		{ LAB_PACKED, 14 }, { LAB_READ, 6 },  { LAB_FLUSH, 8 }, { LAB_REOPEN, 2 },
	};
	unsigned n = (unsigned)below(rand, 100), i = 0;

	for (; n >= kinds[i].percent; i++)
		n -= kinds[i].percent;
	return kinds[i].kind;
}

static void add_op(GRand *rand, GArray *ops, enum lab_kind kind, uint64_t size, uint64_t cluster)
{
	const uint64_t lengths[] = { SECTOR, 1024, 4096, cluster, 3 * cluster, cluster + SECTOR };
	struct lab_op op = { .kind = kind, .fill = g_rand_int(rand) };

	op.len = MIN(size, lengths[below(rand, ARRAY_SIZE(lengths))]);
	op.off = below(rand, (size - op.len) / SECTOR + 1) * SECTOR;
	if (chance(rand, 30))
		op.off &= ~(cluster - 1);
	if (kind == LAB_RESIZE) {
		op.len = (size / 2 + below(rand, size)) & ~(uint64_t)(SECTOR - 1);
		op.len = MAX(op.len, (uint64_t)SECTOR);
	}
	if (kind == LAB_APPLY || kind == LAB_DELETE)
		op.off = below(rand, MAX_APPLIED);
	if (kind == LAB_WIDTH)
		op.len = UINT64_C(1) << below(rand, QCOW2_MAX_REFCOUNT_ORDER + 1);
	if (kind == LAB_BITMAP) {
		op.off =
			chance(rand, 40) ? QCOW2_BITMAP_ADD : below(rand, QCOW2_BITMAP_DISABLE + 1);
		op.len = 9 + below(rand, 8);
	}
	g_array_append_val(ops, op);
}

static void add_batch(GRand *rand, GArray *ops, const struct lab_options *o)
{
	const uint64_t cluster = UINT64_C(1) << o->cluster_bits;
	/* A copy, as for random_options(). */
	g_autoptr(GRand) copy = g_rand_copy(rand);
	const unsigned n = 1 + (unsigned)below(rand, 39);

	for (unsigned i = 0; i < n; i++) {
		add_op(rand, ops, random_kind(rand), o->size, cluster);
		if (o->version > 2 && chance(rand, 3))
			add_op(rand, ops, LAB_BITMAP, o->size, cluster);
	}
	add_op(rand, ops, LAB_JUDGE, o->size, cluster);
	if (!o->data && chance(rand, 50))
		add_op(rand, ops, LAB_CREATE, o->size, cluster);
	if (!o->data && chance(rand, 30))
		add_op(rand, ops, LAB_APPLY, o->size, cluster);
	if (!o->data && chance(rand, 20))
		add_op(rand, ops, LAB_DELETE, o->size, cluster);
	if (chance(rand, 20))
		add_op(rand, ops, LAB_RESIZE, o->size, cluster);
	if (o->version > 2 && chance(copy, 20))
		add_op(copy, ops, LAB_WIDTH, o->size, cluster);
}

struct lab_sequence *lab_sequence_random(GRand *rand)
{
	struct lab_sequence *s = g_new0(struct lab_sequence, 1);
	const unsigned batches = 1 + (unsigned)below(rand, 4);

	random_options(rand, &s->options);
	s->ops = g_array_new(FALSE, FALSE, sizeof(struct lab_op));
	for (unsigned i = 0; i < batches; i++)
		add_batch(rand, s->ops, &s->options);
	add_op(rand, s->ops, LAB_JUDGE, s->options.size, SECTOR);
	add_op(rand, s->ops, LAB_REOPEN, s->options.size, SECTOR);
	add_op(rand, s->ops, LAB_JUDGE, s->options.size, SECTOR);
	return s;
}

void lab_sequence_free(struct lab_sequence *s)
{
	if (!s)
		return;
	g_array_unref(s->ops);
	g_free(s);
}

/* ---- text ---- */

static const char *const kind_names[] = {
	"write",  "zero",  "unmap",  "discard", "packed", "read",  "flush", "reopen",
	"create", "apply", "delete", "resize",  "bitmap", "width", "judge",
};
static_assert(ARRAY_SIZE(kind_names) == LAB_KINDS, "an operation without a name");

/* Where a word of the first line goes: one of the two. */
struct word {
	const char *name;
	unsigned *small;
	uint64_t *large;
};

enum {
	WORDS = 12
};

static void list_words(struct lab_options *o, struct word ret[WORDS])
{
	const struct word words[WORDS] = {
		{ "cluster_bits", &o->cluster_bits, NULL },
		{ "version", &o->version, NULL },
		{ "refcount_bits", &o->refcount_bits, NULL },
		{ "lazy", &o->lazy, NULL },
		{ "extended", &o->extended, NULL },
		{ "zstd", &o->zstd, NULL },
		{ "data", &o->data, NULL },
		{ "prealloc", &o->prealloc, NULL },
		{ "encrypted", &o->encrypted, NULL },
		{ "slots", &o->slots, NULL },
		{ "size", NULL, &o->size },
		{ "backing", NULL, &o->backing_size },
	};

	memcpy(ret, words, sizeof(words));
}

char *lab_sequence_text(const struct lab_sequence *s)
{
	struct lab_options o = s->options;
	g_autoptr(GString) text = g_string_new(NULL);
	struct word words[WORDS];

	list_words(&o, words);
	for (unsigned i = 0; i < WORDS; i++)
		g_string_append_printf(text, "%s%s=%" PRIu64, i ? " " : "", words[i].name,
				       words[i].small ? *words[i].small : *words[i].large);
	g_string_append_c(text, '\n');
	for (unsigned i = 0; i < s->ops->len; i++) {
		const struct lab_op *op = &g_array_index(s->ops, struct lab_op, i);

		if (!op->dropped)
			g_string_append_printf(text, "%s %" PRIu64 " %" PRIu64 " %u\n",
					       kind_names[op->kind], op->off, op->len, op->fill);
	}
	return g_string_free(g_steal_pointer(&text), FALSE);
}

static bool parse_options(const char *line, struct lab_options *ret)
{
	g_auto(GStrv) given = g_strsplit(line, " ", -1);
	struct word words[WORDS];

	*ret = (struct lab_options){ 0 };
	list_words(ret, words);
	for (unsigned i = 0; given[i]; i++) {
		const char *equal = strchr(given[i], '=');
		const size_t len = equal ? (size_t)(equal - given[i]) : 0;
		unsigned k = 0;

		while (k < WORDS && (strncmp(words[k].name, given[i], len) || words[k].name[len]))
			k++;
		if (!len || k == WORDS)
			return false;
		if (words[k].small)
			*words[k].small = (unsigned)strtoul(equal + 1, NULL, 10);
		else
			*words[k].large = strtoull(equal + 1, NULL, 10);
	}
	return ret->cluster_bits && ret->version && ret->prealloc < 4;
}

static bool parse_op(const char *line, struct lab_op *ret)
{
	struct lab_op op = { .kind = LAB_WRITE };
	char name[16];

	if (sscanf(line, "%15s %" SCNu64 " %" SCNu64 " %" SCNu32, name, &op.off, &op.len,
		   &op.fill) != 4)
		return false;
	while (op.kind < LAB_KINDS && strcmp(kind_names[op.kind], name) != 0)
		op.kind++;
	*ret = op;
	return op.kind < LAB_KINDS;
}

struct lab_sequence *lab_sequence_parse(const char *text)
{
	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
	autoptr(lab_sequence) s = g_new0(struct lab_sequence, 1);

	s->ops = g_array_new(FALSE, FALSE, sizeof(struct lab_op));
	if (!lines[0] || !parse_options(lines[0], &s->options))
		return NULL;
	for (unsigned i = 1; lines[i]; i++) {
		struct lab_op op;

		if (!*lines[i])
			continue;
		if (!parse_op(lines[i], &op))
			return NULL;
		g_array_append_val(s->ops, op);
	}
	return g_steal_pointer(&s);
}
