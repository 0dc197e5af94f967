/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-qcow2-direct.c - a disk's own reads and overwrites of a qcow2 image, while others change it
 *
 * A snapshot and the end of a quarantine wait for I/O that has looked up where its bytes are.
 * Without that it would write to what a snapshot has got meanwhile.
 */
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/error.h"
#include "base/sys.h"
#include "block/qcow2/qcow2-int.h"

enum {
	CLUSTER = 64 << 10,
	CLUSTERS = 8,
	SECTOR = 512,
	SNAPSHOTS = 30,
	SHARE_NS =
		500000, /* of a processor, in which a change that does not wait has come to its end */
};

struct fixture {
	char *folder, *path;
	struct image *image;
	atomic_bool over;          /* the I/O that was begun */
	atomic_bool waited, ended; /* what the change saw; it has come back */
	atomic_uint writes;
	atomic_int clock; /* of the change's thread; 0: it has not begun */
	bool (*change)(struct fixture *f, GError **error);
};

static void set_up(struct fixture *f, gconstpointer unused)
{
	const struct image_create what = { .path = NULL, .size = CLUSTERS * CLUSTER };
	struct image_create create = what;
	g_autoptr(GError) error = NULL;
	uint8_t buf[SECTOR] = { 1 };

	(void)unused;
	f->folder = g_dir_make_tmp("socle-direct-XXXXXX", NULL);
	f->path = g_build_filename(f->folder, "image", NULL);
	create.path = f->path;
	(void)image_create("qcow2", &create, &error);
	g_assert_no_error(error);
	f->image = image_open(f->path, "qcow2", IMAGE_WRITE | IMAGE_NO_FLUSH, &error);
	g_assert_no_error(error);
	for (unsigned i = 0; i < CLUSTERS; i++)
		g_assert_true(image_write(f->image, i * CLUSTER, buf, SECTOR, &error));
	g_assert_true(image_flush(f->image, &error));
}

static void tear_down(struct fixture *f, gconstpointer unused)
{
	struct qcow2_check check;
	struct block_file *file;
	g_autoptr(GError) error = NULL;

	(void)unused;
	image_close(f->image);
	file = block_file_open(f->path, 0, &error);
	g_assert_no_error(error);
	g_assert_true(qcow2_check_file("direct", file, NULL, &check, &error));
	g_assert_cmpuint(check.corruptions + check.leaks, ==, 0);
	block_file_close(file);
	g_assert_cmpint(remove(f->path), ==, 0);
	g_assert_cmpint(remove(f->folder), ==, 0);
	g_free(f->path);
	g_free(f->folder);
}

/* ---- one that is under way ---- */

static bool create_snapshot(struct fixture *f, GError **error)
{
	return qcow2_snapshot_create(f->image, "one", 0, error);
}

static bool free_cluster(struct fixture *f, GError **error)
{
	return image_discard(f->image, CLUSTER, CLUSTER, error) && image_flush(f->image, error);
}

static gpointer run_change(gpointer opaque)
{
	struct fixture *f = opaque;
	g_autoptr(GError) error = NULL;
	clockid_t clock;

	g_assert_cmpint(pthread_getcpuclockid(pthread_self(), &clock), ==, 0);
	atomic_store(&f->clock, clock);
	(void)f->change(f, &error);
	atomic_store(&f->waited, atomic_load(&f->over));
	atomic_store(&f->ended, true);
	return g_steal_pointer(&error);
}

/* What the change has had of a processor, however busy others keep it. */
static uint64_t share_ns(struct fixture *f)
{
	struct timespec t = { 0 };

	(void)clock_gettime((clockid_t)atomic_load(&f->clock), &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* The change waits under the lock, so no overwrite can begin then. */
static void until_locked(struct fixture *f)
{
	struct qcow2_direct direct;
	uint64_t begin;

	while (!atomic_load(&f->ended) && qcow2_direct_begin(f->image, 0, SECTOR, true, &direct)) {
		qcow2_direct_end(f->image, direct.token, false);
		sched_yield();
	}
	begin = share_ns(f);
	while (!atomic_load(&f->ended) && share_ns(f) < begin + SHARE_NS)
		sched_yield();
}

static void wait_for(struct fixture *f, bool write)
{
	const uint8_t buf[SECTOR] = { 2 };
	struct qcow2_direct direct;
	uint8_t got[SECTOR];
	GThread *thread;

	g_assert_true(qcow2_direct_begin(f->image, CLUSTER, SECTOR, write, &direct));
	thread = g_thread_new("change", run_change, f);
	until_locked(f);
	/* Without the wait this would be somebody else's cluster by now. */
	if (write)
		g_assert_cmpint(sys_pwrite(direct.fd, buf, SECTOR, (off_t)direct.host), ==, SECTOR);
	else
		g_assert_cmpint(sys_pread(direct.fd, got, SECTOR, (off_t)direct.host), ==, SECTOR);
	g_assert_cmpint(write ? 1 : got[0], ==, 1);
	atomic_store(&f->over, true);
	qcow2_direct_end(f->image, direct.token, write);
	g_assert_null(g_thread_join(thread));
	g_assert_true(atomic_load(&f->waited));
}

static void test_snapshot_waits(struct fixture *f, gconstpointer unused)
{
	g_autoptr(GError) error = NULL;
	struct qcow2_direct direct;
	uint8_t got[SECTOR];

	(void)unused;
	f->change = create_snapshot;
	wait_for(f, true);
	/* It is shared now: no overwriting in place any more. */
	g_assert_true(image_read(f->image, CLUSTER, got, SECTOR, &error));
	g_assert_cmpint(got[0], ==, 2);
	g_assert_false(qcow2_direct_begin(f->image, CLUSTER, SECTOR, true, &direct));
}

static void test_quarantine_waits(struct fixture *f, gconstpointer unused)
{
	(void)unused;
	f->change = free_cluster;
	wait_for(f, false);
}

/* Somebody has the lock, for however long: who reads does not notice. */
static void test_no_lock(struct fixture *f, gconstpointer unused)
{
	struct qcow2 *q = qcow2_of(f->image);
	g_autoptr(GError) error = NULL;
	struct qcow2_direct direct;
	uint8_t got[SECTOR] = { 0 };

	(void)unused;
	pthread_mutex_lock(&q->lock);
	for (unsigned i = 0; i < CLUSTERS; i++) {
		g_assert_true(qcow2_direct_begin(f->image, i * CLUSTER, SECTOR, false, &direct));
		g_assert_cmpint(sys_pread(direct.fd, got, SECTOR, (off_t)direct.host), ==, SECTOR);
		g_assert_cmpint(got[0], ==, 1);
		qcow2_direct_end(f->image, direct.token, false);
		g_assert_true(image_read(f->image, i * CLUSTER, got, SECTOR, &error));
		g_assert_cmpint(got[0], ==, 1);
	}
	g_assert_false(qcow2_direct_begin(f->image, 0, SECTOR, true, &direct));
	pthread_mutex_unlock(&q->lock);
}

/* ---- many ---- */

/* Counts up in the first bytes of each cluster, as long as that can be done in place. */
static gpointer overwrite(gpointer opaque)
{
	struct fixture *f = opaque;
	uint8_t buf[SECTOR] = { 0 };

	for (uint32_t n = 0; !atomic_load(&f->ended); n++) {
		const uint64_t off = (uint64_t)(n % CLUSTERS) * CLUSTER;
		struct qcow2_direct direct;

		memcpy(buf, &n, sizeof(n));
		if (!qcow2_direct_begin(f->image, off, SECTOR, true, &direct)) {
			sched_yield();
			continue;
		}
		if (sys_pwrite(direct.fd, buf, SECTOR, (off_t)direct.host) == SECTOR)
			atomic_fetch_add(&f->writes, 1);
		qcow2_direct_end(f->image, direct.token, true);
	}
	return NULL;
}

static void read_all(struct fixture *f, uint8_t got[CLUSTERS * SECTOR])
{
	g_autoptr(GError) error = NULL;

	for (unsigned i = 0; i < CLUSTERS; i++)
		(void)image_read(f->image, i * CLUSTER, got + i * SECTOR, SECTOR, &error);
	g_assert_no_error(error);
}

/*
 * Between a snapshot and the first write after it all clusters are shared, and nobody overwrites:
 * what is read then is what the snapshot must have in the end.
 */
static void test_many(struct fixture *f, gconstpointer unused)
{
	static uint8_t was[SNAPSHOTS][CLUSTERS * SECTOR], got[CLUSTERS * SECTOR];
	g_autoptr(GError) error = NULL;
	GThread *threads[2];

	(void)unused;
	for (unsigned i = 0; i < G_N_ELEMENTS(threads); i++)
		threads[i] = g_thread_new("overwrite", overwrite, f);
	for (unsigned i = 0; i < SNAPSHOTS; i++) {
		g_autofree char *name = g_strdup_printf("number %u", i);
		const unsigned before = atomic_load(&f->writes);

		g_assert_true(qcow2_snapshot_create(f->image, name, 0, &error));
		read_all(f, was[i]);
		/* Copies, which may be overwritten again. */
		for (unsigned k = 0; k < CLUSTERS; k++)
			g_assert_true(image_write(f->image, k * CLUSTER, was[i] + k * SECTOR,
						  SECTOR, &error));
		while (atomic_load(&f->writes) < before + 2 * CLUSTERS)
			sched_yield();
	}
	atomic_store(&f->ended, true);
	for (unsigned i = 0; i < G_N_ELEMENTS(threads); i++)
		(void)g_thread_join(threads[i]);
	for (unsigned i = 0; i < SNAPSHOTS; i++) {
		g_autofree char *name = g_strdup_printf("number %u", i);

		g_assert_true(qcow2_snapshot_apply(f->image, name, &error));
		read_all(f, got);
		g_assert_cmpmem(got, sizeof(got), was[i], sizeof(was[i]));
	}
}

int main(int argc, char **argv)
{
	qcow2_test_checks = true;
	g_test_init(&argc, &argv, NULL);
#define ADD(name, function) g_test_add(name, struct fixture, NULL, set_up, function, tear_down)
	ADD("/block/qcow2/direct/snapshot-waits", test_snapshot_waits);
	ADD("/block/qcow2/direct/quarantine-waits", test_quarantine_waits);
	ADD("/block/qcow2/direct/no-lock", test_no_lock);
	ADD("/block/qcow2/direct/many", test_many);
	return g_test_run();
}
