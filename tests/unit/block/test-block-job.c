/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-block-job.c - jobs and changes of the chain behind a disk that is in use
 */
#include "block/block-job.h"

#include <errno.h>
#include <string.h>

#include "base/error.h"
#include "base/sys.h"
#include "block/chain.h"
#include "block/keep.h"
#include "block/qcow2/qcow2.h"
#include "image.h"

enum {
	SIZE = 8 << 20,
	SECTOR = 512,
	MOST = 128, /* sectors of a request */
};

/* A folder with images, a disk on one of them, and what the disk must have. */
struct rig {
	char *folder, *base, *top, *target;
	struct io_loop *loop;
	struct block *block;
	struct block_queue *queue;
	uint8_t *model;
};

static char *make_clusters(struct rig *rig, const char *name, const char *format,
			   const char *behind, const char *cluster_size)
{
	char *path = g_build_filename(rig->folder, name, NULL);
	g_autoptr(GHashTable) options = g_hash_table_new(g_str_hash, g_str_equal);
	const struct image_create what = { .path = path,
					   .size = SIZE,
					   .backing_file = behind,
					   .backing_format = behind ? "raw" : NULL,
					   .options = options };
	GError *error = NULL;

	if (cluster_size)
		g_hash_table_insert(options, (void *)(uintptr_t) "cluster_size",
				    (void *)(uintptr_t)cluster_size);
	g_assert_true(image_create(format, &what, &error));
	g_assert_no_error(error);
	return path;
}

static char *make(struct rig *rig, const char *name, const char *format, const char *behind)
{
	return make_clusters(rig, name, format, behind, NULL);
}

static void fill(const char *path, const uint8_t *bytes)
{
	GError *error = NULL;
	struct image *image = image_open(path, "raw", IMAGE_WRITE, &error);

	g_assert_no_error(error);
	g_assert_true(image_write(image, 0, bytes, SIZE, NULL));
	image_close(image);
}

static struct block *open_block(const char *path, const char *format)
{
	const struct block_open open = {
		.node_name = "disk", .path = path, .format = format, .backing = true
	};
	GError *error = NULL;
	struct block *block = block_open(&open, &error);

	g_assert_no_error(error);
	return block;
}

/* A raw disk is put behind a keeper. */
static void rig_init(struct rig *rig, const char *format, const char *target_format)
{
	const struct block_open open = { .format = "raw" };
	GError *error = NULL;

	*rig = (struct rig){ .folder = g_dir_make_tmp("socle-jobs-XXXXXX", NULL),
			     .loop = image_loop(IO_LOOP_THREADS),
			     .model = g_malloc(SIZE) };
	memset(rig->model, 0x5a, SIZE);
	rig->base = make(rig, "base", "raw", NULL);
	rig->top = make(rig, "top", "qcow2", "base");
	rig->target = make(rig, "target", target_format, NULL);
	fill(rig->base, rig->model);
	if (!strcmp(format, "raw")) {
		struct block *raw = open_block(rig->base, "raw");

		rig->block = block_keep(raw, &open, &error);
		g_assert_no_error(error);
		block_close(raw);
	} else {
		rig->block = open_block(rig->top, "qcow2");
	}
	rig->queue = block_queue_new(rig->block, rig->loop, &error);
	g_assert_no_error(error);
}

static void rig_close_disk(struct rig *rig)
{
	block_queue_free(rig->queue);
	block_close(rig->block);
	rig->block = NULL;
}

static void rig_release(struct rig *rig)
{
	if (rig->block)
		rig_close_disk(rig);
	io_loop_free(rig->loop);
	g_unlink(rig->base);
	g_unlink(rig->top);
	g_unlink(rig->target);
	g_assert_cmpint(g_rmdir(rig->folder), ==, 0);
	g_free(rig->folder);
	g_free(rig->base);
	g_free(rig->top);
	g_free(rig->target);
	g_free(rig->model);
}

/* A request of the guest, anywhere. */
static void guest_request(struct rig *rig, enum block_op op)
{
	static uint8_t buf[MOST * SECTOR];
	uint64_t at = (uint64_t)g_test_rand_int_range(0, SIZE / SECTOR - MOST) * SECTOR;
	uint64_t len = (uint64_t)g_test_rand_int_range(1, MOST + 1) * SECTOR;
	struct iovec iov = { buf, len };
	struct shot shot = { .req = { .op = op, .off = at, .len = len } };

	if (op == BLOCK_WRITE_ZEROES) {
		shot.req.flags = BLOCK_UNMAP;
		memset(rig->model + at, 0, len);
	} else if (op == BLOCK_WRITE) {
		memset(buf, g_test_rand_int_range(1, 256), len);
		memcpy(rig->model + at, buf, len);
	}
	if (op != BLOCK_WRITE_ZEROES) {
		shot.req.iov = &iov;
		shot.req.iov_count = 1;
	}
	g_assert_cmpint(shot_run(rig->loop, rig->queue, &shot), ==, 0);
	if (op == BLOCK_READ)
		g_assert_cmpmem(buf, len, rig->model + at, len);
}

static void guest_io(struct rig *rig)
{
	static const enum block_op ops[] = { BLOCK_WRITE_ZEROES, BLOCK_READ, BLOCK_WRITE,
					     BLOCK_WRITE };

	guest_request(rig, ops[g_test_rand_int_range(0, G_N_ELEMENTS(ops))]);
}

static void guest_ios(struct rig *rig, unsigned count)
{
	while (count--)
		guest_io(rig);
}

static void check_file(const struct rig *rig, const char *path, const char *format)
{
	g_autofree uint8_t *bytes = g_malloc(SIZE);
	GError *error = NULL;
	struct image *image = image_open(path, format, IMAGE_BACKING, &error);

	g_assert_no_error(error);
	g_assert_true(image_read(image, 0, bytes, SIZE, NULL));
	g_assert_cmpmem(bytes, SIZE, rig->model, SIZE);
	image_close(image);
}

/* ---- jobs ---- */

struct bell {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	unsigned rung;
};

static struct bell bell = { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0 };

static void ring(void *opaque)
{
	struct bell *b = opaque;

	pthread_mutex_lock(&b->lock);
	b->rung++;
	pthread_cond_broadcast(&b->changed);
	pthread_mutex_unlock(&b->lock);
}

/* Until it is ready, paused or failed. */
static struct block_job_status wait_job(struct block_job *job)
{
	struct block_job_status status;

	block_job_status(job, &status);
	while (!status.ready && !status.paused && !status.failed) {
		pthread_mutex_lock(&bell.lock);
		while (!bell.rung)
			pthread_cond_wait(&bell.changed, &bell.lock);
		bell.rung = 0;
		pthread_mutex_unlock(&bell.lock);
		block_job_status(job, &status);
	}
	return status;
}

static struct block_job *begin(struct block *block, struct image_job *work,
			       enum block_job_policy on_target)
{
	struct block_job *job = block_job_new(block, &(struct block_job_config){
							     .work = work,
							     .follows = true,
							     .on_target = on_target,
							     .changed = ring,
							     .opaque = &bell,
						     });

	bell.rung = 0;
	block_let_go(block);
	return job;
}

static struct block_job *mirror(struct rig *rig, struct block *target,
				enum block_job_policy on_target)
{
	block_hold(rig->block);
	return begin(rig->block,
		     image_job_mirror(block_image(rig->block), block_image(target), IMAGE_JOB_FULL),
		     on_target);
}

/* The guest writes before, meanwhile, when it is ready, and to the target. */
static void test_mirror(gconstpointer format)
{
	struct block_job_status status;
	struct block_job *job;
	struct block *target;
	struct rig rig;
	GError *error = NULL;

	rig_init(&rig, format, "qcow2");
	guest_ios(&rig, 50);
	target = open_block(rig.target, "qcow2");
	job = mirror(&rig, target, BLOCK_JOB_REPORT);
	guest_ios(&rig, 50);
	status = wait_job(job);
	g_assert_true(status.ready && !status.failed);
	g_assert_cmpuint(status.done, ==, SIZE);
	guest_ios(&rig, 50);
	block_hold(rig.block);
	block_job_free(job);
	g_assert_true(image_flush(block_image(target), &error));
	block_hold(target);
	block_exchange(rig.block, target);
	block_let_go(target);
	block_let_go(rig.block);
	g_assert_cmpstr(block_path(rig.block), ==, rig.target);
	g_assert_cmpstr(block_format(target), ==, format);
	block_close(target); /* the source, by now */
	check_file(&rig, strcmp(format, "raw") != 0 ? rig.top : rig.base, format);
	guest_ios(&rig, 50);
	rig_close_disk(&rig);
	check_file(&rig, rig.target, "qcow2");
	rig_release(&rig);
}

/* Only the top is copied, to an image whose own backing is not open: it gets the source's. Clusters of
 * which the guest writes a part are carried over whole. */
static void mirror_top(enum image_job_sync kind, const char *cluster_size)
{
	const struct block_open open = { .node_name = "t", .format = "qcow2", .detached = true };
	struct block_open target_open = open;
	struct image *source, *copy;
	struct block_job *job;
	struct block *target;
	struct rig rig;
	GError *error = NULL;

	rig_init(&rig, "qcow2", "raw");
	g_unlink(rig.target);
	g_free(rig.target);
	rig.target = make_clusters(&rig, "target", "qcow2", "base", cluster_size);
	target_open.path = rig.target;
	target = block_open(&target_open, &error);
	g_assert_no_error(error);
	guest_ios(&rig, kind == IMAGE_JOB_TOP ? 20 : 0);
	block_hold(rig.block);
	source = block_image(rig.block);
	copy = block_image(target);
	job = begin(rig.block, image_job_mirror(source, copy, kind), BLOCK_JOB_REPORT);
	guest_ios(&rig, 50);
	g_assert_true(wait_job(job).ready);
	guest_ios(&rig, 50);
	block_hold(rig.block);
	block_job_free(job);
	copy->backing = g_steal_pointer(&source->backing);
	g_assert_true(image_flush(copy, &error));
	block_exchange(rig.block, target);
	block_let_go(rig.block);
	block_close(target);
	guest_ios(&rig, 50);
	rig_close_disk(&rig);
	check_file(&rig, rig.target, "qcow2");
	rig_release(&rig);
}

static void test_mirror_top(void)
{
	mirror_top(IMAGE_JOB_TOP, NULL);
	mirror_top(IMAGE_JOB_TOP, "2M");
	mirror_top(IMAGE_JOB_TOP, "4k");
}

static void test_mirror_none(void)
{
	mirror_top(IMAGE_JOB_NONE, NULL);
}

/* The target has no space: the job has failed, the guest has not. */
static void test_no_space(void)
{
	struct block_job_status status;
	g_autofree char *text = NULL;
	struct block_job *job;
	struct block *target;
	struct rig rig;

	rig_init(&rig, "raw", "qcow2");
	target = open_block(rig.target, "qcow2");
	sys_fail_nth(SYS_PWRITE, 3, ENOSPC);
	job = mirror(&rig, target, BLOCK_JOB_REPORT);
	status = wait_job(job);
	g_assert_true(status.failed && status.error_on_target && status.error_nospace);
	text = block_job_error(job);
	g_assert_nonnull(strstr(text, "No space left"));
	guest_ios(&rig, 50);
	block_hold(rig.block);
	block_job_free(job);
	block_let_go(rig.block);
	guest_ios(&rig, 50);
	block_close(target);
	rig_close_disk(&rig);
	check_file(&rig, rig.base, "raw");
	rig_release(&rig);
}

/* It pauses, goes back to where the target could not be written, and is a copy in the end. */
static void test_no_space_stop(void)
{
	struct block_job_status status;
	struct block_job *job;
	struct block *target;
	struct rig rig;

	rig_init(&rig, "raw", "raw");
	target = open_block(rig.target, "raw");
	{
		struct block *raw = target;

		target = block_keep(raw, &(struct block_open){ .format = "raw" }, NULL);
		block_close(raw);
	}
	sys_fail_nth(SYS_PWRITE, 2, ENOSPC);
	job = mirror(&rig, target, BLOCK_JOB_ENOSPC);
	status = wait_job(job);
	g_assert_true(status.paused && !status.failed && status.error_stops);
	block_job_pause(job, false);
	status = wait_job(job);
	g_assert_true(status.ready);
	/* And when it was ready: the source's write is the first, the target's the second. */
	sys_fail_nth(SYS_PWRITE, 2, ENOSPC);
	guest_request(&rig, BLOCK_WRITE);
	status = wait_job(job);
	g_assert_false(sys_fail_pending(SYS_PWRITE));
	g_assert_true(status.paused && !status.ready);
	g_assert_cmpuint(status.errors, ==, 2);
	guest_ios(&rig, 50);
	block_job_pause(job, false);
	status = wait_job(job);
	g_assert_true(status.ready);
	guest_ios(&rig, 50);
	block_hold(rig.block);
	block_job_free(job);
	block_let_go(rig.block);
	block_close(target);
	check_file(&rig, rig.target, "raw");
	rig_release(&rig);
}

static void test_speed(void)
{
	struct block_job_status status;
	struct block_job *job;
	struct block *target;
	struct rig rig;

	rig_init(&rig, "qcow2", "qcow2");
	target = open_block(rig.target, "qcow2");
	block_hold(rig.block);
	job = block_job_new(rig.block,
			    &(struct block_job_config){
				    .work = image_job_mirror(block_image(rig.block),
							     block_image(target), IMAGE_JOB_FULL),
				    .follows = true,
				    .speed = 1,
				    .changed = ring,
				    .opaque = &bell,
			    });
	block_let_go(rig.block);
	/* A byte a second: a step has passed, another one does not. */
	do
		block_job_status(job, &status);
	while (!status.done);
	guest_ios(&rig, 20);
	block_job_status(job, &status);
	g_assert_cmpuint(status.done, ==, 1 << 20);
	block_job_set_speed(job, 0);
	g_assert_true(wait_job(job).ready);
	block_hold(rig.block);
	block_job_free(job);
	block_let_go(rig.block);
	block_close(target);
	check_file(&rig, rig.target, "qcow2");
	rig_release(&rig);
}

/* ---- chains ---- */

/* A commit of the active image, after which its base is the disk's, without a keeper. */
static void test_commit_active(void)
{
	const struct block_open open = { .format = "raw" };
	struct image *top, *base;
	struct block_job *job;
	struct block *raw;
	struct rig rig;
	GError *error = NULL;

	rig_init(&rig, "qcow2", "raw");
	guest_ios(&rig, 50);
	block_hold(rig.block);
	top = block_image(rig.block);
	base = image_chain_reopen(&top, top->backing, true, &error);
	g_assert_no_error(error);
	g_assert_true(top->backing == base);
	job = begin(rig.block, image_job_commit(top, base, base), BLOCK_JOB_REPORT);
	guest_ios(&rig, 50);
	g_assert_true(wait_job(job).ready);
	guest_ios(&rig, 50);
	block_hold(rig.block);
	block_job_free(job);
	g_assert_true(image_flush(base, &error));
	image_chain_cut(&top, NULL, base);
	g_assert_true(top == base);
	block_set_image(rig.block, base);
	block_let_go(rig.block);
	g_assert_cmpstr(block_format(rig.block), ==, "raw");
	guest_ios(&rig, 50);
	raw = block_unkeep(rig.block, &open, &error);
	g_assert_no_error(error);
	rig_close_disk(&rig);
	rig.block = raw;
	rig.queue = block_queue_new(raw, rig.loop, &error);
	guest_ios(&rig, 50);
	rig_close_disk(&rig);
	check_file(&rig, rig.base, "raw");
	rig_release(&rig);
}

static void test_stream(void)
{
	struct block_job *job;
	struct image *top;
	struct rig rig;
	GError *error = NULL;

	rig_init(&rig, "qcow2", "raw");
	guest_ios(&rig, 20);
	block_hold(rig.block);
	job = begin(rig.block, image_job_stream(block_image(rig.block), NULL), BLOCK_JOB_REPORT);
	guest_ios(&rig, 50);
	g_assert_true(wait_job(job).ready);
	block_hold(rig.block);
	block_job_free(job);
	top = block_image(rig.block);
	g_assert_true(image_chain_note(top, NULL, NULL, &error));
	image_chain_cut(&top, top, NULL);
	block_let_go(rig.block);
	guest_ios(&rig, 50);
	rig_close_disk(&rig);
	g_assert_cmpint(g_unlink(rig.base), ==, 0);
	check_file(&rig, rig.top, "qcow2");
	rig_release(&rig);
}

/* An overlay in front of a raw disk, which others may read from then on. */
static void test_overlay(void)
{
	struct block_open open = { .node_name = "overlay", .format = "qcow2", .detached = true };
	struct image *front, *base;
	struct block *overlay;
	struct rig rig;
	GError *error = NULL;

	rig_init(&rig, "raw", "raw");
	guest_ios(&rig, 20);
	open.path = rig.top;
	overlay = block_open(&open, &error);
	g_assert_no_error(error);
	g_assert_null(image_open(rig.base, "raw", 0, NULL));
	block_hold(rig.block);
	base = block_image(rig.block);
	base = image_chain_reopen(&base, base, false, &error);
	g_assert_no_error(error);
	front = block_image(overlay);
	front->backing = base;
	block_set_image(overlay, NULL);
	block_set_image(rig.block, front);
	block_let_go(rig.block);
	block_close(overlay);
	check_file(&rig, rig.base, "raw");
	guest_ios(&rig, 50);
	rig_close_disk(&rig);
	check_file(&rig, rig.top, "qcow2");
	rig_release(&rig);
}

static void assert_name(const char *from, const char *to, const char *name)
{
	g_autofree char *is = image_chain_name(from, to);

	g_assert_cmpstr(is, ==, name);
}

static void test_names(void)
{
	assert_name("/a/b", "/a/c", "c");
	assert_name("/a/b", "/a/../a/c", "c");
	assert_name("/a/b", "/c/c", "/c/c");
	assert_name("/a/b", "/a/b/c", "/a/b/c");
	assert_name("/a/b", "/a/nbd:c", "/a/nbd:c");
}

/* Somebody else reads the base: it is not opened for writing, and is as it was. */
static void test_reopen_busy(void)
{
	struct image *top, *other;
	struct rig rig;
	GError *error = NULL;

	rig_init(&rig, "qcow2", "raw");
	other = image_open(rig.base, "raw", 0, &error);
	g_assert_no_error(error);
	block_hold(rig.block);
	top = block_image(rig.block);
	g_assert_null(image_chain_reopen(&top, top->backing, true, &error));
	g_assert_error(error, SOCLE_ERROR, SOCLE_ERROR_BUSY);
	g_clear_error(&error);
	block_let_go(rig.block);
	image_close(other);
	g_assert_null(image_open(rig.base, "raw", IMAGE_WRITE, &error));
	g_assert_error(error, SOCLE_ERROR, SOCLE_ERROR_BUSY);
	g_clear_error(&error);
	guest_ios(&rig, 20);
	rig_release(&rig);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_data_func("/block/job/mirror-qcow2", "qcow2", test_mirror);
	g_test_add_data_func("/block/job/mirror-raw", "raw", test_mirror);
	g_test_add_func("/block/job/mirror-top", test_mirror_top);
	g_test_add_func("/block/job/mirror-none", test_mirror_none);
	g_test_add_func("/block/job/no-space", test_no_space);
	g_test_add_func("/block/job/no-space-stop", test_no_space_stop);
	g_test_add_func("/block/job/speed", test_speed);
	g_test_add_func("/block/job/commit-active", test_commit_active);
	g_test_add_func("/block/job/stream", test_stream);
	g_test_add_func("/block/chain/overlay", test_overlay);
	g_test_add_func("/block/chain/names", test_names);
	g_test_add_func("/block/chain/reopen-busy", test_reopen_busy);
	return g_test_run();
}
