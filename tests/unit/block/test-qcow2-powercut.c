/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-qcow2-powercut.c - qcow2 images after a power cut at any moment
 *
 * A sequence of operations is recorded. For a cut, everything up to the last sync before it is in the
 * file, and of the rest a beginning, some writes, or some sectors of them. What comes out has leaks
 * at most (one that is dirty has been repaired before; of version 2, which has no word for that, COPIED
 * flags may be missing), all that was flushed and has not been written to since, and all snapshots,
 * also when it has been written to. In the environment: QCOW2_SEED, the first seed, and QCOW2_COUNT,
 * how many runs.
 */
#include <inttypes.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "block/qcow2/qcow2-int.h"
#include "qcow2-lab.h"

enum {
	SECTOR = 512,
	CUTS = 20, /* of each run */
};

/* What is durable from some event of the log on. */
struct mark {
	guint event;
	uint64_t size;
	uint8_t *model;
	GPtrArray *snapshots; /* struct lab_snapshot */
};

/* An operation that began at some event, and what it may change. */
struct touch {
	guint event;
	uint64_t off, len;
	char *deleted; /* a snapshot; or NULL */
};

struct record {
	struct lab *lab;
	GArray *marks, *touches;
	struct tap *base; /* the file, up to the event before @done */
	guint done;
	guint synced[2]; /* event behind the last sync of the image, and of its data file */
};

static void mark_clear(void *opaque)
{
	struct mark *mark = opaque;

	g_free(mark->model);
	g_ptr_array_unref(mark->snapshots);
}

static void touch_clear(void *opaque)
{
	g_free(((struct touch *)opaque)->deleted);
}

static void snapshot_free(void *opaque)
{
	struct lab_snapshot *s = opaque;

	g_free(s->name);
	g_free(s->model);
	g_free(s);
}

static void add_mark(struct record *r)
{
	const struct mark mark = {
		.event = r->lab->tap->log->len,
		.size = r->lab->size,
		.model = g_memdup2(r->lab->model, r->lab->size),
		.snapshots = g_ptr_array_new_with_free_func(snapshot_free),
	};

	for (unsigned i = 0; i < r->lab->snapshots->len; i++) {
		const struct lab_snapshot *s = g_ptr_array_index(r->lab->snapshots, i);
		struct lab_snapshot *copy = g_new(struct lab_snapshot, 1);

		*copy = (struct lab_snapshot){ g_strdup(s->name), g_memdup2(s->model, s->size),
					       s->size };
		g_ptr_array_add(mark.snapshots, copy);
	}
	g_array_append_val(r->marks, mark);
}

static char *deleted_by(const struct lab *lab, const struct lab_op *op)
{
	const unsigned n = lab->snapshots->len;
	const struct lab_snapshot *s = n ? g_ptr_array_index(lab->snapshots, op->off % n) : NULL;

	return s ? g_strdup(s->name) : NULL;
}

static void add_touch(struct record *r, const struct lab_op *op)
{
	struct touch touch = { .event = r->lab->tap->log->len, .off = op->off, .len = op->len };
	const uint64_t cluster = r->lab->image->cluster_size;

	switch (op->kind) {
	case LAB_PACKED:
		touch.off &= ~(cluster - 1);
		touch.len = cluster;
		break;
	case LAB_RESIZE:
		touch.off = MIN(op->len, r->lab->size);
		touch.len = UINT64_MAX / 2;
		break;
	case LAB_APPLY:
		touch.off = 0;
		touch.len = UINT64_MAX / 2;
		break;
	case LAB_DELETE:
		touch.len = 0;
		touch.deleted = deleted_by(r->lab, op);
		break;
	case LAB_WRITE:
	case LAB_ZERO:
	case LAB_UNMAP:
	case LAB_DISCARD:
		break;
	case LAB_READ:
	case LAB_FLUSH:
	case LAB_REOPEN:
	case LAB_CREATE:
	case LAB_BITMAP:
	case LAB_WIDTH:
	case LAB_JUDGE:
	case LAB_KINDS:
	default:
		return;
	}
	g_array_append_val(r->touches, touch);
}

/* A failed snapshot, for example, is no mark. */
static bool is_durable(const struct lab_op *op)
{
	return op->kind == LAB_FLUSH || op->kind == LAB_JUDGE;
}

static bool record(struct record *r, const GArray *ops, GError **error)
{
	for (unsigned i = 0; i < ops->len; i++) {
		const struct lab_op *op = &g_array_index(ops, struct lab_op, i);

		add_touch(r, op);
		if (!lab_run(r->lab, op, error))
			return false;
		if (is_durable(op))
			add_mark(r);
	}
	return true;
}

/* ---- a cut ---- */

/* Some of the sectors of a write. */
static void replay_torn(GRand *rand, struct tap *tap, const struct tap_event *event)
{
	struct block_file *file = (event->second ? tap_second(tap) : tap)->inner;
	uint64_t off = event->off;
	const uint64_t end = off + event->len;

	while (off < end) {
		const uint64_t next = MIN(end, (off / SECTOR + 1) * SECTOR);

		if (g_rand_boolean(rand))
			g_assert_cmpint(block_file_write(file, off,
							 event->data + (off - event->off),
							 next - off),
					==, 0);
		off = next;
	}
}

/* Events from @from on; those of a file before its last sync, *synced, have been made for certain. */
static void replay_rest(GRand *rand, struct tap *tap, const GArray *log, guint from, guint to,
			const guint synced[2])
{
	const int how = g_rand_int_range(rand, 0, 3);

	for (guint i = from; i < to; i++) {
		const struct tap_event *event = &g_array_index(log, struct tap_event, i);
		const bool certain = i < synced[event->second];

		if (!certain && how > 0 && g_rand_boolean(rand))
			continue;
		if (!certain && how == 2 && event->kind == TAP_WRITE)
			replay_torn(rand, tap, event);
		else
			tap_replay(tap, event);
	}
}

/* The files as the cut before event @cut leaves them. */
static struct tap *cut_at(GRand *rand, struct record *r, guint cut)
{
	const GArray *log = r->lab->tap->log;
	guint synced[2] = { r->synced[0], r->synced[1] }, both;
	struct tap *tap;

	for (guint i = r->done; i < cut; i++) {
		const struct tap_event *event = &g_array_index(log, struct tap_event, i);

		if (event->kind == TAP_SYNC)
			synced[event->second] = i + 1;
	}
	both = r->lab->options.data ? MIN(synced[0], synced[1]) : synced[0];
	for (; r->done < both; r->done++)
		tap_replay(r->base, &g_array_index(log, struct tap_event, r->done));
	memcpy(r->synced, synced, sizeof(synced));
	tap = tap_copy(r->base);
	replay_rest(rand, tap, log, r->done, cut, synced);
	return tap;
}

/* ---- what comes out ---- */

static unsigned tolerated(const struct lab *lab)
{
	return LAB_LEAKS | (lab->options.version == 2 ? LAB_NOT_COPIED : 0);
}

static bool recover(const struct lab *lab, struct tap *tap, GError **error)
{
	struct qcow2_check after;
	struct qcow2_repaired repaired;

	if (!lab_is_dirty(tap->inner))
		return lab_check(tap->inner, tolerated(lab), error);
	return qcow2_repair("lab", &tap->base, QCOW2_REPAIR_ALL, NULL, NULL, &after, &repaired,
			    error) &&
	       lab_check(tap->inner, 0, error);
}

static bool is_touched(const struct record *r, const struct mark *mark, guint cut, uint64_t off)
{
	for (guint i = r->touches->len; i--;) {
		const struct touch *touch = &g_array_index(r->touches, struct touch, i);

		if (touch->event < mark->event)
			return false;
		if (touch->event <= cut && off + SECTOR > touch->off &&
		    off < touch->off + touch->len)
			return true;
	}
	return false;
}

static bool compare(const struct record *r, struct image *image, const struct mark *mark, guint cut,
		    GError **error)
{
	const uint64_t size = MIN(image->size, mark->size);
	g_autofree uint8_t *got = g_malloc(size);

	if (!image_read(image, 0, got, size, error))
		return false;
	for (uint64_t off = 0; off < size; off += SECTOR) {
		const uint64_t n = MIN(size - off, (uint64_t)SECTOR);

		if (!memcmp(got + off, mark->model + off, n) || is_touched(r, mark, cut, off))
			continue;
		return error_set(error, SOCLE_ERROR_FAILED,
				 "what was flushed at %" PRIu64 " is lost: %#x, not %#x", off,
				 got[off], mark->model[off]);
	}
	return true;
}

static bool is_deleted(const struct record *r, guint cut, const char *name)
{
	for (guint i = 0; i < r->touches->len; i++) {
		const struct touch *touch = &g_array_index(r->touches, struct touch, i);

		if (touch->event <= cut && !g_strcmp0(touch->deleted, name))
			return true;
	}
	return false;
}

/* Snapshots do not change, whatever happens to the image. */
static bool compare_snapshots(const struct record *r, struct image *image, const struct mark *mark,
			      guint cut, GError **error)
{
	for (unsigned i = 0; i < mark->snapshots->len; i++) {
		const struct lab_snapshot *s = g_ptr_array_index(mark->snapshots, i);
		g_autofree uint8_t *got = g_malloc(s->size);
		g_autoptr(GError) local = NULL;

		if (is_deleted(r, cut, s->name))
			continue;
		if (!qcow2_snapshot_apply(image, s->name, &local)) {
			/* Counts of a few bits have no room for one more. */
			if (lab_is_narrow(image) &&
			    g_error_matches(local, SOCLE_ERROR, SOCLE_ERROR_LIMIT))
				continue;
			g_propagate_error(error, g_steal_pointer(&local));
			return false;
		}
		if (image->size != s->size || !image_read(image, 0, got, s->size, error) ||
		    memcmp(got, s->model, s->size) != 0)
			return error_set(error, SOCLE_ERROR_FAILED,
					 "snapshot '%s' is not what it was", s->name);
	}
	return true;
}

static const struct mark *mark_before(const struct record *r, guint cut)
{
	const struct mark *last = NULL;

	for (guint i = 0; i < r->marks->len; i++) {
		const struct mark *mark = &g_array_index(r->marks, struct mark, i);

		if (mark->event <= cut)
			last = mark;
	}
	return last;
}

/* It can be written to, too, and is still right then. */
static bool use(struct lab *lab, GError **error)
{
	uint8_t buf[2048];

	memset(buf, 0x77, sizeof(buf));
	for (uint64_t off = 0; off + sizeof(buf) <= lab->image->size; off += lab->image->size / 8) {
		if (!image_write(lab->image, off & ~UINT64_C(511), buf, sizeof(buf), error))
			return false;
	}
	return image_flush(lab->image, error) &&
	       (lab->options.lazy || lab_check(lab->tap->inner, tolerated(lab), error));
}

static bool look_at(struct lab *lab, GError **error)
{
	g_autoptr(GPtrArray) bitmaps = qcow2_bitmaps(lab->image, error);

	return bitmaps;
}

static bool try_cut(GRand *rand, struct record *r, guint cut, GError **error)
{
	const struct mark *mark = mark_before(r, cut);
	autoptr(tap) tap = cut_at(rand, r, cut);
	struct lab lab = *r->lab;
	bool ok;

	if (!recover(r->lab, tap, error))
		return false;
	lab.tap = tap;
	lab.image = NULL;
	ok = lab_open(&lab, error) && (!mark || compare(r, lab.image, mark, cut, error)) &&
	     use(&lab, error) && (!mark || compare_snapshots(r, lab.image, mark, cut, error)) &&
	     look_at(&lab, error);
	g_clear_pointer(&lab.image, image_close);
	return ok;
}

static int by_number(const void *a, const void *b)
{
	const guint *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static bool cut_all(GRand *rand, struct record *r, GError **error)
{
	guint cuts[CUTS];

	for (unsigned i = 0; i < CUTS; i++)
		cuts[i] = (guint)g_rand_int_range(rand, 0, (gint32)r->lab->tap->log->len + 1);
	qsort(cuts, CUTS, sizeof(*cuts), by_number);
	for (unsigned i = 0; i < CUTS; i++) {
		if (try_cut(rand, r, cuts[i], error))
			continue;
		g_prefix_error(error, "cut before event %u: ", cuts[i]);
		return false;
	}
	return true;
}

/* ---- runs ---- */

static bool run(GRand *rand, const struct lab_sequence *s, GError **error)
{
	autoptr(tap) tap = tap_new();
	autoptr(lab) lab = lab_new(&s->options, tap, error);
	struct record r = {
		.lab = lab,
		.marks = g_array_new(FALSE, FALSE, sizeof(struct mark)),
		.touches = g_array_new(FALSE, FALSE, sizeof(struct touch)),
	};
	bool ok;

	if (!lab)
		return false;
	g_array_set_clear_func(r.marks, mark_clear);
	g_array_set_clear_func(r.touches, touch_clear);
	r.base = tap_copy(tap);
	tap_record(tap);
	ok = record(&r, s->ops, error) && cut_all(rand, &r, error);
	tap_free(r.base);
	g_array_unref(r.marks);
	g_array_unref(r.touches);
	return ok;
}

static struct lab_sequence *random_small(GRand *rand)
{
	struct lab_sequence *s = lab_sequence_random(rand);

	while (s->options.size > 2 << 20 || s->options.cluster_bits > 16) {
		lab_sequence_free(s);
		s = lab_sequence_random(rand);
	}
	return s;
}

static bool try_seed(uint64_t seed)
{
	g_autoptr(GRand) rand = g_rand_new_with_seed((guint32)seed);
	autoptr(lab_sequence) s = random_small(rand);
	g_autoptr(GError) error = NULL;
	g_autofree char *text = NULL;

	if (run(rand, s, &error))
		return true;
	text = lab_sequence_text(s);
	*strchr(text, '\n') = '\0';
	g_test_message("seed %" PRIu64 ": %s: %s", seed, text, error->message);
	return false;
}

static void test_cuts(void)
{
	const char *seed = g_getenv("QCOW2_SEED"), *count = g_getenv("QCOW2_COUNT");
	const uint64_t first = seed ? strtoull(seed, NULL, 10) : 1;
	const uint64_t runs = count ? strtoull(count, NULL, 10) : 100;
	const int64_t begin = g_get_monotonic_time();

	for (uint64_t i = 0; i < runs; i++)
		g_assert_true(try_seed(first + i));
	g_test_message("%" PRIu64 " cuts, %.0f a second", runs * CUTS,
		       (double)runs * CUTS * 1e6 / (double)(g_get_monotonic_time() - begin + 1));
}

int main(int argc, char **argv)
{
	/* Images come and go: their memory is not to be given back to the kernel each time. */
	mallopt(M_MMAP_THRESHOLD, 1 << 30);
	mallopt(M_TRIM_THRESHOLD, 1 << 30);
	qcow2_test_checks = true;
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/block/qcow2/powercut", test_cuts);
	return g_test_run();
}
