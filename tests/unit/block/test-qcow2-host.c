/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-qcow2-host.c - a qcow2 image in a file of the host, whose n-th system call of a kind fails, is
 * interrupted, or moves less than it was asked for
 *
 * What was interrupted or short is done again, or to its end: nobody notices. What fails is told; the
 * image is not corrupt then. (test-qcow2-failures.c has more operations, with a file in memory.)
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/sys.h"
#include "block/qcow2/qcow2-int.h"

enum {
	K = 1024,
	SIZE = 1 << 20,
	MAX_CALLS = 2000,
};

struct fixture {
	char *folder, *path;
	uint8_t model[SIZE];
};

static void set_up(struct fixture *f, gconstpointer unused)
{
	(void)unused;
	f->folder = g_dir_make_tmp("socle-host-XXXXXX", NULL);
	f->path = g_build_filename(f->folder, "image", NULL);
}

static void tear_down(struct fixture *f, gconstpointer unused)
{
	(void)unused;
	g_assert_cmpint(remove(f->folder), ==, 0);
	g_free(f->path);
	g_free(f->folder);
}

static void create(struct fixture *f)
{
	const struct image_create what = { .path = f->path, .size = SIZE };
	g_autoptr(GError) error = NULL;

	memset(f->model, 0, SIZE);
	(void)image_create("qcow2", &what, &error);
	g_assert_no_error(error);
}

static bool put(struct fixture *f, struct image *image, uint64_t off, size_t len, int byte,
		GError **error)
{
	memset(f->model + off, byte, len);
	return image_write(image, off, f->model + off, len, error);
}

static bool put_packed(struct fixture *f, struct image *image, uint64_t off, int byte,
		       GError **error)
{
	g_autofree uint8_t *out = g_malloc(image->cluster_size);
	ssize_t len;

	memset(f->model + off, byte, image->cluster_size);
	len = image->ops->pack(image, f->model + off, out);
	g_assert_cmpint(len, >, 0);
	return image->ops->write_packed(image, off, out, (size_t)len, error);
}

static bool clear(struct fixture *f, struct image *image, uint64_t off, size_t len, GError **error)
{
	memset(f->model + off, 0, len);
	return image_zero(image, off, len, true, error);
}

/* The fixed list: all that writes in a way of its own. */
static bool work(struct fixture *f, unsigned flags, GError **error)
{
	autoptr(image) image = image_open(f->path, "qcow2", IMAGE_WRITE | flags, error);

	return image && put(f, image, 4 * K, 130 * K, 1, error) &&
	       put_packed(f, image, 256 * K, 2, error) && image_flush(image, error) &&
	       qcow2_snapshot_create(image, "a", 0, error) &&
	       put(f, image, 6 * K, 70 * K, 3, error) && clear(f, image, 64 * K, 128 * K, error) &&
	       image_flush(image, error) && put(f, image, 512 * K, 64 * K, 4, error) &&
	       qcow2_snapshot_delete(image, "a", error) &&
	       image_resize(image, SIZE + 64 * K, error) && image_flush(image, error);
}

static void check(struct fixture *f, bool is_same)
{
	struct qcow2_check result;
	g_autoptr(GError) error = NULL;
	g_autofree uint8_t *got = g_malloc(SIZE);
	/* Who opens it for writing repairs it if it is dirty. */
	autoptr(image) image = image_open(f->path, "qcow2", IMAGE_WRITE, &error);

	g_assert_no_error(error);
	g_assert_true(qcow2_check_file("host", image->file, NULL, &result, &error));
	g_assert_cmpuint(result.corruptions, ==, 0);
	g_assert_true(image_read(image, 0, got, SIZE, &error));
	if (!is_same)
		return;
	g_assert_cmpuint(result.leaks, ==, 0);
	g_assert_cmpmem(got, SIZE, f->model, SIZE);
}

/* Were there that many calls? */
static bool fail_nth(struct fixture *f, enum sys_call call, unsigned nth, int with)
{
	const unsigned flags = call == SYS_FDATASYNC ? 0 : IMAGE_NO_FLUSH;
	const bool harmless = with == EINTR || with == SYS_SHORT;
	g_autoptr(GError) error = NULL;
	bool ok, happened;

	create(f);
	sys_fail_nth(call, nth, with);
	ok = work(f, flags, &error);
	happened = !sys_fail_pending(call);
	sys_fail_nth(call, 0, 0);
	g_assert_true(ok == !error);
	if (harmless)
		g_assert_no_error(error);
	/* Space that is not given back is no failure, nor what is still to be written on closing. */
	if (happened && !harmless && call != SYS_FALLOCATE && call != SYS_PWRITE)
		g_assert_nonnull(error);
	check(f, ok);
	g_assert_cmpint(remove(f->path), ==, 0);
	return happened;
}

static void test_call(struct fixture *f, gconstpointer opaque)
{
	static const int with[] = { EIO, ENOSPC, EINTR, SYS_SHORT };
	const enum sys_call call = GPOINTER_TO_UINT(opaque);
	unsigned runs = 0;

	for (unsigned i = 0; i < G_N_ELEMENTS(with); i++) {
		unsigned nth = 1;

		if (with[i] == SYS_SHORT && call != SYS_PREAD && call != SYS_PWRITE)
			continue;
		while (nth < MAX_CALLS && fail_nth(f, call, nth, with[i]))
			nth++;
		g_assert_cmpuint(nth, >, 1);
		runs += nth;
	}
	g_test_message("%u runs", runs);
}

int main(int argc, char **argv)
{
	static const struct {
		const char *path;
		enum sys_call call;
	} tests[] = {
		{ "/block/qcow2/host/pread", SYS_PREAD },
		{ "/block/qcow2/host/pwrite", SYS_PWRITE },
		{ "/block/qcow2/host/fdatasync", SYS_FDATASYNC },
		{ "/block/qcow2/host/ftruncate", SYS_FTRUNCATE },
		{ "/block/qcow2/host/fallocate", SYS_FALLOCATE },
	};

	qcow2_test_checks = true;
	g_test_init(&argc, &argv, NULL);
	for (unsigned i = 0; i < G_N_ELEMENTS(tests); i++)
		g_test_add(tests[i].path, struct fixture, GUINT_TO_POINTER(tests[i].call), set_up,
			   test_call, tear_down);
	return g_test_run();
}
