/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-qcow2-readers.c - several threads read a qcow2 image without its lock while another changes it
 *
 * Each block has its number and how often it was changed in all of its words; some changes make it
 * zero. Who reads notes how often it had been changed before, and how often somebody had begun to
 * when he is done: what he has found must be one of these states of that very block. The cache is
 * small, so that pieces come and go.
 */
#include <sched.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/sys.h"
#include "block/qcow2/qcow2-int.h"

enum {
	BLOCK = 4096,
	BLOCKS = 384,
	READERS = 3,
	CHANGES = 1500,
	ZERO_EACH = 5,    /* the fifth, tenth ... state of a block is zero */
	DAWDLE_EACH = 16, /* changes behind which a reader takes his time, once */
	DAWDLE_TURNS = 50,
};

struct kind {
	const char *name;
	const char *cluster_size, *extended;
	unsigned slots;
};

struct fixture {
	char *folder, *path;
	struct image *image;
	atomic_uint begun[BLOCKS], done[BLOCKS];
	atomic_uint changes;
	atomic_bool over;
	atomic_uint direct, long_way; /* reads */
	unsigned in_place;            /* changes that went the short way */
	unsigned snapshots;
};

static void must(bool ok, GError **error)
{
	g_assert_no_error(*error);
	g_assert_true(ok);
}

static void set_up(struct fixture *f, gconstpointer opaque)
{
	const struct kind *kind = opaque;
	struct image_create what = { .size = BLOCKS * BLOCK };
	g_autoptr(GHashTable) options = g_hash_table_new(g_str_hash, g_str_equal);
	g_autoptr(GError) error = NULL;

	f->folder = g_dir_make_tmp("socle-readers-XXXXXX", NULL);
	f->path = g_build_filename(f->folder, "image", NULL);
	what.path = f->path;
	what.options = options;
	g_hash_table_insert(options, (void *)(uintptr_t) "cluster_size",
			    (void *)(uintptr_t)kind->cluster_size);
	g_hash_table_insert(options, (void *)(uintptr_t) "extended_l2",
			    (void *)(uintptr_t)kind->extended);
	must(image_create("qcow2", &what, &error), &error);
	qcow2_test_slots = kind->slots;
	f->image = image_open(f->path, "qcow2", IMAGE_WRITE | IMAGE_NO_FLUSH, &error);
	must(f->image, &error);
}

static void tear_down(struct fixture *f, gconstpointer unused)
{
	struct qcow2_check check;
	struct block_file *file;
	g_autoptr(GError) error = NULL;

	(void)unused;
	image_close(f->image);
	qcow2_test_slots = 0;
	file = block_file_open(f->path, 0, &error);
	must(file, &error);
	must(qcow2_check_file("readers", file, NULL, &check, &error), &error);
	g_assert_cmpuint(check.corruptions + check.leaks, ==, 0);
	block_file_close(file);
	g_assert_cmpint(remove(f->path), ==, 0);
	g_assert_cmpint(remove(f->folder), ==, 0);
	g_free(f->path);
	g_free(f->folder);
}

/* ---- reading ---- */

static bool is_zero_state(unsigned n)
{
	return n % ZERO_EACH == 0;
}

static uint64_t word(unsigned block, unsigned n)
{
	return is_zero_state(n) ? 0 : (uint64_t)(block + 1) << 32 | n;
}

static bool fits(uint64_t got, unsigned block, unsigned from, unsigned to)
{
	for (unsigned n = from; n <= to; n++) {
		if (got == word(block, n))
			return true;
	}
	return false;
}

/*
 * Sometimes long enough for the cluster to be freed and used anew, if that were possible. As it is not,
 * the other one waits for us then, and on a busy host each of our turns is long: so it is not often.
 */
static void dawdle(struct fixture *f, unsigned *last)
{
	const unsigned now = atomic_load(&f->changes);

	if (now - *last < DAWDLE_EACH)
		return;
	*last = now;
	for (unsigned i = 0; i < DAWDLE_TURNS && atomic_load(&f->changes) - now < DAWDLE_EACH; i++)
		sched_yield();
}

static void read_block(struct fixture *f, unsigned block, uint64_t *buf, unsigned *last)
{
	const uint64_t off = (uint64_t)block * BLOCK;
	g_autoptr(GError) error = NULL;
	struct qcow2_direct direct;

	if (qcow2_direct_begin(f->image, off, BLOCK, false, &direct)) {
		ssize_t n;

		dawdle(f, last);
		n = sys_pread(direct.fd, buf, BLOCK, (off_t)direct.host);
		qcow2_direct_end(f->image, direct.token, false);
		g_assert_cmpint(n, >=, 0);
		memset((uint8_t *)buf + n, 0, BLOCK - (size_t)n);
		atomic_fetch_add(&f->direct, 1);
	} else {
		/* image_read() would look at the size, which changes. */
		must(image_qcow2_ops.read(f->image, off, buf, BLOCK, &error), &error);
		atomic_fetch_add(&f->long_way, 1);
	}
}

static gpointer read_all(gpointer opaque)
{
	struct fixture *f = opaque;
	g_autofree uint64_t *buf = g_malloc(BLOCK);
	unsigned last = 0;

	/* No thread is idle: many are to be in the middle of something. */
	for (uint32_t i = GPOINTER_TO_UINT(&buf); !atomic_load(&f->over);) {
		const unsigned block = (i = i * 1664525 + 1013904223) >> 8 & 0xffff;
		const unsigned at = block % BLOCKS, from = atomic_load(&f->done[at]);
		unsigned to;

		read_block(f, at, buf, &last);
		to = atomic_load(&f->begun[at]);
		for (unsigned k = 0; k < BLOCK / 8; k++) {
			if (fits(buf[k], at, from, to))
				continue;
			g_error("block %u, word %u: %#" G_GINT64_MODIFIER "x, not of %u to %u", at,
				k, buf[k], from, to);
		}
	}
	return NULL;
}

/* ---- changing ---- */

static void write_block(struct fixture *f, unsigned block, const uint64_t *buf)
{
	const uint64_t off = (uint64_t)block * BLOCK;
	g_autoptr(GError) error = NULL;
	struct qcow2_direct direct;

	if (qcow2_direct_begin(f->image, off, BLOCK, true, &direct)) {
		const ssize_t n = sys_pwrite(direct.fd, buf, BLOCK, (off_t)direct.host);

		qcow2_direct_end(f->image, direct.token, true);
		g_assert_cmpint(n, ==, BLOCK);
		f->in_place++;
	} else {
		must(image_write(f->image, off, buf, BLOCK, &error), &error);
	}
}

static void change_block(struct fixture *f, unsigned block, uint64_t *buf)
{
	const unsigned n = atomic_load(&f->begun[block]) + 1;
	g_autoptr(GError) error = NULL;

	atomic_store(&f->begun[block], n);
	if (is_zero_state(n)) {
		must(image_zero(f->image, (uint64_t)block * BLOCK, BLOCK, n % 2, &error), &error);
	} else {
		for (unsigned k = 0; k < BLOCK / 8; k++)
			buf[k] = word(block, n);
		write_block(f, block, buf);
	}
	atomic_store(&f->done[block], n);
	atomic_fetch_add(&f->changes, 1);
}

/* All of it is done so that the contents stay what they are. */
static void change_rest(struct fixture *f, unsigned i)
{
	g_autofree char *name = g_strdup_printf("%u", f->snapshots);
	const uint64_t size = BLOCKS * BLOCK;
	g_autoptr(GError) error = NULL;

	switch (i % 6) {
	case 0:
		must(qcow2_snapshot_create(f->image, name, 0, &error), &error);
		f->snapshots++;
		break;
	case 1:
	case 3:
		must(image_flush(f->image, &error), &error);
		break;
	case 2: /* so far that L1 grows, with 512-byte clusters */
		must(image_resize(f->image, size * (i % 4 ? 4 : 8), &error), &error);
		must(image_zero(f->image, size, size, false, &error), &error);
		must(image_discard(f->image, size, size, &error), &error);
		break;
	case 4:
		must(image_resize(f->image, size, &error), &error);
		break;
	default:
		name = (g_free(name), g_strdup_printf("%u", f->snapshots - 1));
		must(qcow2_snapshot_delete(f->image, name, &error), &error);
		break;
	}
}

/* Both ways of reading, and the short way of writing. */
static bool all_ways_were_met(struct fixture *f)
{
	return atomic_load(&f->direct) && atomic_load(&f->long_way) && f->in_place;
}

static void test_readers(struct fixture *f, gconstpointer unused)
{
	g_autofree uint64_t *buf = g_malloc(BLOCK);
	GThread *threads[READERS];
	g_autoptr(GError) error = NULL;

	(void)unused;
	for (unsigned i = 0; i < BLOCKS; i += 2)
		change_block(f, i, buf);
	for (unsigned i = 0; i < READERS; i++)
		threads[i] = g_thread_new("read", read_all, f);
	/* On a busy host all changes may be made before anybody has read. */
	for (unsigned i = 0; i < CHANGES || !all_ways_were_met(f); i++) {
		change_block(f, (unsigned)g_test_rand_int_range(0, BLOCKS), buf);
		if (i % 40 == 39)
			change_rest(f, i / 40);
		else if (i % 4 == 3)
			must(image_flush(f->image, &error), &error);
	}
	atomic_store(&f->over, true);
	for (unsigned i = 0; i < READERS; i++)
		(void)g_thread_join(threads[i]);
}

int main(int argc, char **argv)
{
	static const struct kind kinds[] = {
		{ "512", "512", "off", 24 },
		{ "4k", "4k", "off", 12 },
		{ "64k", "64k", "off", 12 },
		{ "extended", "16k", "on", 12 },
	};

	qcow2_test_checks = true;
	g_test_init(&argc, &argv, NULL);
	for (unsigned i = 0; i < G_N_ELEMENTS(kinds); i++) {
		g_autofree char *path = g_strdup_printf("/block/qcow2/readers/%s", kinds[i].name);

		g_test_add(path, struct fixture, &kinds[i], set_up, test_readers, tear_down);
	}
	return g_test_run();
}
