/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-qcow2-random.c - random operations on random qcow2 images, beside a flat model
 *
 * Each seed is a sequence: options, then operations. One that fails is shortened as long as it still
 * fails, and printed; put its seed into qcow2-seeds, which is replayed first. In the environment:
 * QCOW2_SEED, the first seed, and QCOW2_COUNT, how many sequences.
 */
#include <inttypes.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "block/qcow2/qcow2-int.h"
#include "qcow2-lab.h"

static uint64_t operations;

static bool run(const struct lab_options *options, const GArray *ops, GError **error)
{
	autoptr(tap) tap = tap_new(0);
	autoptr(lab) lab = lab_new(options, tap, error);

	if (!lab)
		return false;
	for (unsigned i = 0; i < ops->len; i++) {
		const struct lab_op *op = &g_array_index(ops, struct lab_op, i);

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

/* Drop ever smaller pieces of the sequence that are not needed for it to fail. */
static void shrink(const struct lab_options *options, GArray *ops)
{
	for (unsigned piece = ops->len / 2; piece; piece /= 2) {
		for (unsigned i = 0; i < ops->len; i += piece) {
			g_autofree struct lab_op *before =
				g_memdup2(ops->data, ops->len * sizeof(struct lab_op));

			for (unsigned k = i; k < MIN(i + piece, ops->len); k++)
				g_array_index(ops, struct lab_op, k).dropped = true;
			if (run(options, ops, NULL))
				memcpy(ops->data, before, ops->len * sizeof(struct lab_op));
		}
	}
}

static void tell(uint64_t seed, const struct lab_options *options, GArray *ops)
{
	g_autofree char *text = lab_options_text(options);
	g_autoptr(GError) error = NULL;

	shrink(options, ops);
	(void)run(options, ops, &error);
	g_test_message("seed %" PRIu64 ": %s", seed, text);
	for (unsigned i = 0; i < ops->len; i++) {
		const struct lab_op *op = &g_array_index(ops, struct lab_op, i);
		g_autofree char *line = lab_op_text(op);

		if (!op->dropped)
			g_test_message("%u: %s", i, line);
	}
	g_test_message("%s", error ? error->message : "it does not fail any more");
}

static bool try_seed(uint64_t seed)
{
	g_autoptr(GRand) rand = g_rand_new_with_seed((guint32)seed);
	g_autoptr(GArray) ops = NULL;
	g_autoptr(GError) error = NULL;
	struct lab_options options;

	lab_options_random(rand, &options);
	ops = lab_ops_random(rand, &options, true);
	if (run(&options, ops, &error))
		return true;
	g_test_message("seed %" PRIu64 ": %s", seed, error->message);
	tell(seed, &options, ops);
	return false;
}

static uint64_t from_environment(const char *name, uint64_t otherwise)
{
	const char *text = g_getenv(name);

	return text ? strtoull(text, NULL, 10) : otherwise;
}

static void test_kept(void)
{
	g_autofree char *path = g_test_build_filename(G_TEST_DIST, "qcow2-seeds", NULL);
	g_autofree char *text = NULL;
	g_auto(GStrv) lines = NULL;

	g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
	lines = g_strsplit(text, "\n", -1);
	for (unsigned i = 0; lines[i]; i++) {
		if (*lines[i] && *lines[i] != '#')
			g_assert_true(try_seed(strtoull(lines[i], NULL, 10)));
	}
}

static void test_random(void)
{
	const uint64_t first = from_environment("QCOW2_SEED", 1000);
	const uint64_t count = from_environment("QCOW2_COUNT", 1000);
	const int64_t begin = g_get_monotonic_time();

	operations = 0;
	for (uint64_t i = 0; i < count; i++)
		g_assert_true(try_seed(first + i));
	g_test_message("%" PRIu64 " operations, %.0f a second", operations,
		       (double)operations * 1e6 / (double)(g_get_monotonic_time() - begin + 1));
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
