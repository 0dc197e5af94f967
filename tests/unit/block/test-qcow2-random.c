/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-qcow2-random.c - random operations on random qcow2 images, beside a flat model
 *
 * Each seed is a sequence: options, then operations. One that fails is shortened as long as it still
 * fails, and printed as it is to stand in qcow2-sequences, which is replayed first. In the
 * environment: QCOW2_SEED, the first seed, and QCOW2_COUNT, how many sequences.
 */
#include <inttypes.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/error.h"
#include "block/qcow2/qcow2-int.h"
#include "qcow2-lab.h"

static uint64_t operations;

static bool run(const struct lab_sequence *s, GError **error)
{
	autoptr(tap) tap = tap_new();
	autoptr(lab) lab = lab_new(&s->options, tap, error);

	if (!lab)
		return false;
	for (unsigned i = 0; i < s->ops->len; i++) {
		const struct lab_op *op = &g_array_index(s->ops, struct lab_op, i);

		if (op->dropped)
			continue;
		operations++;
		if (lab_run(lab, op, error))
			continue;
		g_prefix_error(error, "operation %u: ", i);
		return false;
	}
	return true;
}

/* ---- shrinking ---- */

/* Drop ever smaller pieces of the sequence that are not needed for it to fail. */
static void shrink_ops(struct lab_sequence *s)
{
	for (unsigned piece = s->ops->len / 2; piece; piece /= 2) {
		for (unsigned i = 0; i < s->ops->len; i += piece) {
			g_autofree struct lab_op *before =
				g_memdup2(s->ops->data, s->ops->len * sizeof(struct lab_op));

			for (unsigned k = i; k < MIN(i + piece, s->ops->len); k++)
				g_array_index(s->ops, struct lab_op, k).dropped = true;
			if (run(s, NULL))
				memcpy(s->ops->data, before, s->ops->len * sizeof(struct lab_op));
		}
	}
}

static void shrink_option(struct lab_sequence *s, unsigned *option)
{
	const unsigned before = *option;

	*option = 0;
	if (before && run(s, NULL))
		*option = before;
}

static void shrink(struct lab_sequence *s)
{
	struct lab_options *o = &s->options;
	const uint64_t backing = o->backing_size;

	shrink_ops(s);
	shrink_option(s, &o->lazy);
	shrink_option(s, &o->zstd);
	shrink_option(s, &o->extended);
	shrink_option(s, &o->data);
	shrink_option(s, &o->prealloc);
	shrink_option(s, &o->encrypted);
	shrink_option(s, &o->slots);
	o->backing_size = 0;
	if (backing && run(s, NULL))
		o->backing_size = backing;
	shrink_ops(s);
}

static bool try(struct lab_sequence *s, const char *name)
{
	g_autoptr(GError) error = NULL, last = NULL;
	g_autofree char *text = NULL;
	g_auto(GStrv) lines = NULL;

	if (run(s, &error))
		return true;
	g_test_message("%s: %s", name, error->message);
	shrink(s);
	(void)run(s, &last);
	text = lab_sequence_text(s);
	lines = g_strsplit(text, "\n", -1);
	g_test_message("%s", last ? last->message : "it does not fail any more");
	g_test_message("for qcow2-sequences:");
	for (unsigned i = 0; lines[i]; i++)
		g_test_message("%s", lines[i]);
	return false;
}

/* ---- which options there were ---- */

/* Sequences by cluster size, by width of counts, and by the rest. */
static unsigned clusters[QCOW2_MAX_CLUSTER_BITS + 1], widths[QCOW2_MAX_REFCOUNT_ORDER + 1];
static unsigned version_2, lazy, zstd, encrypted, extended, backing, data[3], preallocated[4];
static unsigned kinds[LAB_KINDS];

static void count(const struct lab_sequence *s)
{
	const struct lab_options *o = &s->options;

	clusters[o->cluster_bits]++;
	widths[__builtin_ctz(o->refcount_bits)]++;
	version_2 += o->version == 2;
	lazy += o->lazy;
	zstd += o->zstd;
	encrypted += o->encrypted;
	extended += o->extended;
	backing += o->backing_size > 0;
	data[o->data]++;
	preallocated[o->prealloc]++;
	for (unsigned i = 0; i < s->ops->len; i++)
		kinds[g_array_index(s->ops, struct lab_op, i).kind]++;
}

static void tell_counts(void)
{
	g_autoptr(GString) sizes = g_string_new(NULL);
	g_autoptr(GString) bits = g_string_new(NULL);

	for (unsigned i = QCOW2_MIN_CLUSTER_BITS; i <= QCOW2_MAX_CLUSTER_BITS; i++)
		g_string_append_printf(sizes, " 2^%u: %u", i, clusters[i]);
	for (unsigned i = 0; i <= QCOW2_MAX_REFCOUNT_ORDER; i++)
		g_string_append_printf(bits, " %u: %u", 1u << i, widths[i]);
	g_test_message("images by cluster size:%s", sizes->str);
	g_test_message("by refcount bits:%s", bits->str);
	g_test_message("version 2: %u, lazy: %u, zstd: %u, extended: %u, backing: %u, data file: "
		       "%u, raw: %u",
		       version_2, lazy, zstd, extended, backing, data[1], data[2]);
	g_test_message("preallocation metadata: %u, falloc: %u, full: %u; encrypted: %u",
		       preallocated[1], preallocated[2], preallocated[3], encrypted);
	g_test_message("operations: packed: %u, snapshots created: %u, applied: %u, deleted: %u, "
		       "resized: %u, bitmaps: %u, widths: %u",
		       kinds[LAB_PACKED], kinds[LAB_CREATE], kinds[LAB_APPLY], kinds[LAB_DELETE],
		       kinds[LAB_RESIZE], kinds[LAB_BITMAP], kinds[LAB_WIDTH]);
}

/* ---- tests ---- */

static uint64_t from_environment(const char *name, uint64_t otherwise)
{
	const char *text = g_getenv(name);

	return text ? strtoull(text, NULL, 10) : otherwise;
}

static void test_kept(void)
{
	g_autofree char *path = g_test_build_filename(G_TEST_DIST, "qcow2-sequences", NULL);
	g_autofree char *text = NULL;
	g_auto(GStrv) parts = NULL;

	g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
	parts = g_strsplit(text, "\n\n", -1);
	for (unsigned i = 0; parts[i]; i++) {
		const char *begin = parts[i];
		autoptr(lab_sequence) s = NULL;
		g_autofree char *name = g_strdup_printf("kept sequence %u", i);

		while (*begin == '#' || *begin == '\n')
			begin += *begin == '#' ? strcspn(begin, "\n") : 1;
		if (!*begin)
			continue;
		s = lab_sequence_parse(begin);
		g_assert_nonnull(s);
		g_assert_true(try(s, name));
	}
}

static void test_random(void)
{
	const uint64_t first = from_environment("QCOW2_SEED", 1000);
	const uint64_t n = from_environment("QCOW2_COUNT", 1000);
	const int64_t begin = g_get_monotonic_time();
	const clock_t cpu = clock();

	operations = 0;
	for (uint64_t i = 0; i < n; i++) {
		g_autoptr(GRand) rand = g_rand_new_with_seed((guint32)(first + i));
		autoptr(lab_sequence) s = lab_sequence_random(rand);
		g_autofree char *name = g_strdup_printf("seed %" PRIu64, first + i);

		count(s);
		g_assert_true(try(s, name));
	}
	g_test_message("%" PRIu64 " operations, %.0f a second, %.0f a second of this thread",
		       operations,
		       (double)operations * 1e6 / (double)(g_get_monotonic_time() - begin + 1),
		       (double)operations * CLOCKS_PER_SEC / (double)(clock() - cpu + 1));
	tell_counts();
}

int main(int argc, char **argv)
{
	/* Images come and go: their memory is not to be given back to the kernel each time. */
	mallopt(M_MMAP_THRESHOLD, 1 << 30);
	mallopt(M_TRIM_THRESHOLD, 1 << 30);
	qcow2_test_checks = true;
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/block/qcow2/random/kept", test_kept);
	g_test_add_func("/block/qcow2/random/new", test_random);
	return g_test_run();
}
