/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-qcow2-failures.c - qcow2 images whose file fails, at each call that a scenario makes
 *
 * For n = 1, 2, ... the n-th read, write, sync, resize or punch fails, from opening to closing, until
 * a run has fewer calls. Each time: whoever did it was told, unless it was on closing; the image is
 * not corrupt (a dirty one is repaired before); what was not written to is as before; and the same
 * can be done then.
 */
#include <errno.h>
#include <inttypes.h>
#include <malloc.h>
#include <string.h>

#include "base/error.h"
#include "block/qcow2/qcow2-int.h"
#include "qcow2-lab.h"

enum {
	MAX_OPS = 4,
	MAX_CALLS = 20000,
	SECTOR = 512,
	SIZE = 512 << 10,
};

struct scenario {
	const char *name;
	struct lab_op before[MAX_OPS], ops[MAX_OPS]; /* up to one without a length */
};

#define K   1024u
#define ADD QCOW2_BITMAP_ADD
static const struct scenario scenarios[] = {
	{ "allocate", { { 0 } }, { { LAB_WRITE, 64 * K, 192 * K, 1, 0 } } },
	{ "allocate-part", { { 0 } }, { { LAB_WRITE, 66 * K, 4 * K, 1, 0 } } },
	{ "overwrite",
	  { { LAB_WRITE, 0, 128 * K, 1, 0 } },
	  { { LAB_WRITE, 4 * K, 70 * K, 2, 0 } } },
	{ "copy",
	  { { LAB_WRITE, 0, 256 * K, 1, 0 }, { LAB_CREATE, 0, 1, 0, 0 } },
	  { { LAB_WRITE, 5 * K, 70 * K, 2, 0 } } },
	{ "packed",
	  { { LAB_PACKED, 0, K, 1, 0 } },
	  { { LAB_PACKED, 64 * K, K, 2, 0 }, { LAB_PACKED, 0, K, 3, 0 } } },
	{ "zero", { { LAB_WRITE, 0, 256 * K, 1, 0 } }, { { LAB_ZERO, 3 * K, 130 * K, 0, 0 } } },
	{ "unmap", { { LAB_WRITE, 0, 256 * K, 1, 0 } }, { { LAB_UNMAP, 3 * K, 130 * K, 0, 0 } } },
	{ "discard",
	  { { LAB_WRITE, 0, 256 * K, 1, 0 } },
	  { { LAB_DISCARD, 64 * K, 128 * K, 0, 0 }, { LAB_WRITE, 64 * K, 64 * K, 5, 0 } } },
	{ "snapshot-create", { { LAB_WRITE, 0, 100 * K, 1, 0 } }, { { LAB_CREATE, 0, 1, 0, 0 } } },
	{ "snapshot-apply",
	  { { LAB_WRITE, 0, 100 * K, 1, 0 },
	    { LAB_CREATE, 0, 1, 0, 0 },
	    { LAB_WRITE, 50 * K, 100 * K, 2, 0 } },
	  { { LAB_APPLY, 0, 1, 0, 0 } } },
	{ "snapshot-delete",
	  { { LAB_WRITE, 0, 100 * K, 1, 0 },
	    { LAB_CREATE, 0, 1, 0, 0 },
	    { LAB_WRITE, 50 * K, 100 * K, 2, 0 } },
	  { { LAB_DELETE, 0, 1, 0, 0 } } },
	{ "grow", { { LAB_WRITE, 0, 256 * K, 1, 0 } }, { { LAB_RESIZE, 0, 4 * K *K, 0, 0 } } },
	{ "bitmap-add", { { LAB_WRITE, 0, 64 * K, 1, 0 } }, { { LAB_BITMAP, ADD, 16, 0, 0 } } },
	{ "bitmap-write", { { LAB_BITMAP, ADD, 16, 0, 0 } }, { { LAB_WRITE, 0, 64 * K, 1, 0 } } },
	{ "bitmap-remove",
	  { { LAB_BITMAP, ADD, 9, 0, 0 }, { LAB_BITMAP, ADD, 16, 1, 0 } },
	  { { LAB_BITMAP, QCOW2_BITMAP_REMOVE, 9, 0, 0 } } },
	{ "wider",
	  { { LAB_WRITE, 0, 256 * K, 1, 0 }, { LAB_CREATE, 0, 1, 0, 0 } },
	  { { LAB_WIDTH, SIZE, 64, 0, 0 }, { LAB_WRITE, 0, 64 * K, 2, 0 } } },
	{ "narrower",
	  { { LAB_WRITE, 0, 256 * K, 1, 0 } },
	  { { LAB_WIDTH, SIZE, 1, 0, 0 }, { LAB_WRITE, 0, 64 * K, 2, 0 } } },
	{ "shrink", { { LAB_WRITE, 0, 256 * K, 1, 0 } }, { { LAB_RESIZE, 0, 100 * K, 0, 0 } } },
};

static const struct lab_options images[] = {
	{ .cluster_bits = 16, .refcount_bits = 16, .version = 3, .size = SIZE },
	{ .cluster_bits = 16, .refcount_bits = 16, .version = 3, .size = SIZE, .lazy = true },
	{ .cluster_bits = 9, .refcount_bits = 64, .version = 3, .size = SIZE, .slots = 8 },
	{ .cluster_bits = 16,
	  .refcount_bits = 8,
	  .version = 3,
	  .size = SIZE,
	  .extended = true,
	  .zstd = true,
	  .backing_size = 300 * K },
	{ .cluster_bits = 12,
	  .refcount_bits = 16,
	  .version = 2,
	  .size = SIZE,
	  .backing_size = 300 * K },
	{ .cluster_bits = 12, .refcount_bits = 1, .version = 3, .size = SIZE, .data = 1 },
	{ .cluster_bits = 16, .refcount_bits = 16, .version = 3, .size = SIZE, .data = 2 },
};

/* An image after what comes before a scenario. */
struct start {
	const struct lab_options *options;
	struct tap *tap;
	uint8_t *model, *backing;
	GPtrArray *snapshots;
	struct lab_bitmap bitmaps[LAB_BITMAPS];
};

static void run_all(struct lab *lab, const struct lab_op *ops, GError **error)
{
	g_autoptr(GError) local = NULL;

	for (unsigned i = 0; i < MAX_OPS && ops[i].len && !local; i++)
		(void)lab_run(lab, &ops[i], &local);
	if (!local)
		(void)image_flush(lab->image, &local);
	if (local)
		g_propagate_error(error, g_steal_pointer(&local));
}

static void prepare(const struct lab_options *options, const struct scenario *s, struct start *ret)
{
	g_autoptr(GError) error = NULL;
	struct tap *tap = tap_new();
	struct lab *lab = lab_new(options, tap, &error);

	g_assert_no_error(error);
	run_all(lab, s->before, &error);
	g_assert_no_error(error);
	g_assert_cmpuint(lab->size, ==, options->size);
	lab_close(lab);
	ret->options = options;
	ret->tap = tap;
	memcpy(ret->bitmaps, lab->bitmaps, sizeof(ret->bitmaps));
	ret->model = g_steal_pointer(&lab->model);
	ret->backing = g_steal_pointer(&lab->backing);
	ret->snapshots = g_ptr_array_ref(lab->snapshots);
	lab_free(lab);
}

static void start_release(struct start *start)
{
	tap_free(start->tap);
	g_free(start->model);
	g_free(start->backing);
	g_ptr_array_unref(start->snapshots);
}

static struct lab *lab_at(const struct start *start, struct tap *tap)
{
	struct lab *lab = g_new0(struct lab, 1);

	lab->options = *start->options;
	lab->tap = tap;
	lab->size = start->options->size;
	lab->model = g_memdup2(start->model, lab->size);
	lab->backing = start->backing;
	memcpy(lab->bitmaps, start->bitmaps, sizeof(lab->bitmaps));
	for (unsigned i = 0; i < LAB_BITMAPS; i++)
		lab->bitmaps[i].known = false;
	lab->snapshots = g_ptr_array_new();
	for (unsigned i = 0; i < start->snapshots->len; i++)
		g_ptr_array_add(lab->snapshots, g_ptr_array_index(start->snapshots, i));
	return lab;
}

/* What is the start's stays. */
static void lab_drop(const struct start *start, struct lab *lab)
{
	for (unsigned i = 0; i < lab->snapshots->len; i++) {
		struct lab_snapshot *s = g_ptr_array_index(lab->snapshots, i);

		if (g_ptr_array_find(start->snapshots, s, NULL))
			continue;
		g_free(s->name);
		g_free(s->model);
		g_free(s);
	}
	lab->backing = NULL;
	lab_free(lab);
}

static bool may_differ(const struct lab_op *ops, uint64_t off)
{
	for (unsigned i = 0; i < MAX_OPS && ops[i].len; i++) {
		const uint64_t begin = ops[i].kind == LAB_PACKED
					       ? ops[i].off & ~(uint64_t)(64 * K - 1)
					       : ops[i].off;
		const uint64_t len = ops[i].kind == LAB_PACKED ? 64 * K : ops[i].len;

		if (ops[i].kind == LAB_APPLY || (off >= begin && off < begin + len))
			return true;
	}
	return false;
}

static void check_contents(const struct start *start, struct image *image, const struct lab_op *ops)
{
	const uint64_t size = MIN(image->size, start->options->size);
	static uint8_t got[SIZE];
	g_autoptr(GError) error = NULL;

	g_assert_true(image_read(image, 0, got, size, &error));
	/* All that begins and ends is a multiple of a sector. */
	for (uint64_t off = 0; off < size; off += SECTOR) {
		if (memcmp(got + off, start->model + off, SECTOR) != 0 && !may_differ(ops, off))
			g_error("at %" PRIu64 " there is not what there was", off);
	}
}

/* Nothing fails any more: the image is what it was, and can do what it could not. */
static void check_after(const struct start *start, struct tap *tap, const struct scenario *s)
{
	g_autoptr(GError) error = NULL;
	struct lab *lab = lab_at(start, tap);
	struct qcow2_check before, after;
	struct qcow2_repaired repaired;
	const unsigned tolerated = LAB_LEAKS | (start->options->version == 2 ? LAB_NOT_COPIED : 0);

	if (lab_is_dirty(tap->inner))
		(void)qcow2_repair("lab", &tap->base, QCOW2_REPAIR_ALL, NULL, &before, &after,
				   &repaired, &error);
	g_assert_no_error(error);
	(void)lab_check(tap->inner, tolerated, &error);
	g_assert_no_error(error);
	(void)lab_open(lab, &error);
	g_assert_no_error(error);
	check_contents(start, lab->image, s->ops);
	lab->size = lab->image->size;
	lab->model = g_realloc(lab->model, lab->size);
	g_assert_true(image_read(lab->image, 0, lab->model, lab->size, &error));
	lab_learn_bitmaps(lab);
	run_all(lab, s->ops, &error);
	/* It may have been done although its last step failed. */
	if (g_error_matches(error, SOCLE_ERROR, SOCLE_ERROR_NOT_FOUND))
		g_clear_error(&error);
	g_assert_no_error(error);
	lab_close(lab);
	(void)lab_check(tap->inner, tolerated, &error);
	g_assert_no_error(error);
	lab_drop(start, lab);
}

/* Were there that many calls? */
static bool fail_nth(const struct start *start, const struct scenario *s, unsigned nth, int with,
		     bool short_write)
{
	autoptr(tap) tap = tap_copy(start->tap);
	struct lab *lab = lab_at(start, tap);
	g_autoptr(GError) error = NULL;
	bool failed;

	tap->fail_at = nth;
	tap->fail_with = with;
	tap->short_write = short_write;
	if (lab_open(lab, &error))
		run_all(lab, s->ops, &error);
	failed = tap->failed;
	if (failed && !tap->harmless)
		g_assert_nonnull(error);
	if (!failed)
		g_assert_no_error(error);
	lab_close(lab);
	failed = tap->failed;
	tap->fail_at = 0;
	lab_drop(start, lab);
	check_after(start, tap, s);
	return failed;
}

static bool can(const struct lab_options *options, const struct scenario *s)
{
	const bool snapshots = g_str_has_prefix(s->name, "snapshot") || !strcmp(s->name, "copy") ||
			       !strcmp(s->name, "wider");

	if (g_str_has_prefix(s->name, "bitmap") && options->version < 3)
		return false;
	if (s->ops[0].kind == LAB_WIDTH && options->version < 3)
		return false;
	return !snapshots || !options->data;
}

static void test_scenario(const void *opaque)
{
	const struct scenario *s = opaque;
	unsigned runs = 0;

	for (unsigned i = 0; i < G_N_ELEMENTS(images); i++) {
		struct start start;

		if (!can(&images[i], s))
			continue;
		prepare(&images[i], s, &start);
		for (unsigned kind = 0; kind < 3; kind++) {
			unsigned nth = 1;

			while (nth < MAX_CALLS &&
			       fail_nth(&start, s, nth, kind == 1 ? ENOSPC : EIO, kind == 2))
				nth++;
			runs += nth;
		}
		start_release(&start);
	}
	g_test_message("%u runs", runs);
}

static void test_create(void)
{
	for (unsigned i = 0; i < G_N_ELEMENTS(images); i++) {
		for (unsigned nth = 1;; nth++) {
			autoptr(tap) tap = tap_new();
			g_autoptr(GError) error = NULL;
			struct lab *lab;

			tap->fail_at = nth;
			tap->fail_with = ENOSPC;
			lab = lab_new(&images[i], tap, &error);
			g_assert_true(!lab == !!error);
			lab_free(lab);
			if (!tap->failed)
				break;
		}
	}
}

int main(int argc, char **argv)
{
	/* Images come and go: their memory is not to be given back to the kernel each time. */
	mallopt(M_MMAP_THRESHOLD, 1 << 30);
	mallopt(M_TRIM_THRESHOLD, 1 << 30);
	qcow2_test_checks = true;
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/block/qcow2/failures/create", test_create);
	for (unsigned i = 0; i < G_N_ELEMENTS(scenarios); i++) {
		g_autofree char *path =
			g_strdup_printf("/block/qcow2/failures/%s", scenarios[i].name);

		g_test_add_data_func(path, &scenarios[i], test_scenario);
	}
	return g_test_run();
}
