/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-raw.c - raw images against a flat model in memory, with and without failing system calls
 *
 * Each case runs on both kinds of loops, through the page cache and past it, as far as the host
 * permits.
 */
#include <errno.h>
#include <sys/stat.h>

#include "base/error.h"
#include "block/block-int.h"
#include "image.h"

enum {
	SECTOR = 512,
	SIZE = 2 << 20,
	FILE_SIZE = SIZE - 300,
	LEN_MAX = 300 << 10
};

struct mode {
	enum io_loop_kind kind;
	bool direct;
};

struct image {
	char *path;
	struct io_loop *loop;
	struct block *block;
	struct block_queue *queue;
	uint8_t *model;
	GRand *rand;
};

static struct image *image_open_as(const struct mode *mode, struct block_open options)
{
	struct image *image = g_new0(struct image, 1);
	GError *error = NULL;

	image_make(&image->path, FILE_SIZE);
	image->loop = image_loop(mode->kind);
	options.node_name = "disk0";
	options.path = image->path;
	options.format = "raw";
	options.direct = mode->direct;
	image->block = block_open(&options, &error);
	g_assert_no_error(error);
	image->queue = block_queue_new(image->block, image->loop, &error);
	g_assert_no_error(error);
	image->model = g_malloc0(SIZE);
	image->rand = g_rand_new_with_seed(g_test_rand_int_range(0, INT32_MAX));
	return image;
}

static void image_close(struct image *image)
{
	block_queue_free(image->queue);
	block_close(image->block);
	io_loop_free(image->loop);
	g_assert_cmpint(g_unlink(image->path), ==, 0);
	g_rand_free(image->rand);
	g_free(image->model);
	g_free(image->path);
	g_free(image);
}
DEFINE_AUTOPTR(image, image_close);

static uint64_t pick(struct image *image, uint64_t from, uint64_t to)
{
	return from + (uint64_t)(g_rand_double(image->rand) * (double)(to - from));
}

/* What a request is made of: one memory, cut into buffers at odd places. */
struct trial {
	struct shot shot;
	struct iovec iov[8];
	uint8_t *memory; /* starts at an odd address, sometimes */
	uint8_t *block;
};

static void trial_cut(struct image *image, struct trial *trial, bool tidy)
{
	struct block_request *req = &trial->shot.req;
	uint64_t done = 0;
	unsigned n = 0;

	trial->block = g_aligned_alloc(1, req->len + 8192, 4096);
	trial->memory = trial->block + (tidy ? 0 : pick(image, 0, 4096));
	while (done < req->len) {
		uint64_t left = req->len - done, part = left;

		if (n + 1 < ARRAY_SIZE(trial->iov) && left > 1)
			part = pick(image, 1, left + 1);
		if (tidy && part < left)
			part = MAX(part / SECTOR * SECTOR, SECTOR);
		trial->iov[n++] = (struct iovec){ trial->memory + done, part };
		done += part;
	}
	req->iov = trial->iov;
	req->iov_count = n;
}

static void trial_start(struct image *image, struct trial *trial, uint64_t off, uint64_t len)
{
	struct block_request *req = &trial->shot.req;
	static const enum block_op ops[] = {
		BLOCK_READ,  BLOCK_READ,  BLOCK_READ,    BLOCK_WRITE,        BLOCK_WRITE,
		BLOCK_WRITE, BLOCK_FLUSH, BLOCK_DISCARD, BLOCK_WRITE_ZEROES, BLOCK_WRITE_ZEROES,
	};

	*trial = (struct trial){ .shot = { .req = { .off = off, .len = len } } };
	req->op = ops[pick(image, 0, ARRAY_SIZE(ops))];
	req->flags = (unsigned)pick(image, 0, 4);
	trial_cut(image, trial, pick(image, 0, 2));
	for (uint64_t i = 0; i < len; i++)
		trial->memory[i] =
			(uint8_t)(req->op == BLOCK_WRITE ? g_rand_int(image->rand) : 0xee);
	shot_submit(image->queue, &trial->shot);
}

/* Each sector of what was discarded is either as before, or zero. */
static void follow_discard(struct image *image, uint64_t off, uint64_t len)
{
	g_autofree uint8_t *now = g_malloc(len + 1);
	static const uint8_t zero[SECTOR];
	const struct iovec iov = { now, len };
	struct shot shot = {
		.req = { .op = BLOCK_READ, .off = off, .len = len, .iov = &iov, .iov_count = 1 }
	};

	g_assert_cmpint(shot_run(image->loop, image->queue, &shot), ==, 0);
	for (uint64_t i = 0; i < len; i += SECTOR)
		g_assert_true(!memcmp(now + i, zero, SECTOR) ||
			      !memcmp(now + i, image->model + off + i, SECTOR));
	memcpy(image->model + off, now, len);
}

static void trial_check(struct image *image, struct trial *trial)
{
	const struct block_request *req = &trial->shot.req;

	g_assert_cmpuint(trial->shot.told, ==, 1);
	g_assert_cmpint(trial->shot.result, ==, 0);
	switch (req->op) {
	case BLOCK_READ:
		g_assert_cmpmem(trial->memory, req->len, image->model + req->off, req->len);
		break;
	case BLOCK_WRITE:
		memcpy(image->model + req->off, trial->memory, req->len);
		break;
	case BLOCK_WRITE_ZEROES:
		memset(image->model + req->off, 0, req->len);
		break;
	case BLOCK_DISCARD:
		follow_discard(image, req->off, req->len);
		break;
	case BLOCK_FLUSH:
	case BLOCK_OP_COUNT:
		break;
	}
	g_aligned_free(trial->block);
}

/* Up to 24 requests at a time, side by side, more than there are bounce buffers. */
static void run_batch(struct image *image)
{
	static struct trial trials[24];
	uint64_t off = pick(image, 0, 64) * SECTOR;
	unsigned count = 0, told;

	while (off < SIZE && count < ARRAY_SIZE(trials)) {
		uint64_t max = pick(image, 0, 8) ? 16 << 10 : LEN_MAX;
		uint64_t len = pick(image, 0, max) / SECTOR * SECTOR;

		len = MIN(len, SIZE - off);
		trial_start(image, &trials[count++], off, len);
		off += len;
		if (pick(image, 0, 2))
			off += pick(image, 0, 300) * SECTOR;
	}
	/* The last sectors, of which the file has only a part. */
	if (off < SIZE - 4 * SECTOR && count < ARRAY_SIZE(trials))
		trial_start(image, &trials[count++], SIZE - 2 * SECTOR, 2 * SECTOR);
	do {
		(void)io_loop_run(image->loop, true);
		told = 0;
		for (unsigned i = 0; i < count; i++)
			told += trials[i].shot.told;
	} while (told < count);
	for (unsigned i = 0; i < count; i++)
		trial_check(image, &trials[i]);
}

static void check_file(struct image *image)
{
	g_autofree char *bytes = NULL;
	size_t len;

	g_assert_true(g_file_get_contents(image->path, &bytes, &len, NULL));
	g_assert_cmpuint(len, >=, FILE_SIZE);
	g_assert_cmpuint(len, <=, SIZE);
	g_assert_cmpmem(bytes, len, image->model, len);
}

static void test_model(const void *opaque)
{
	autoptr(image) image = image_open_as(opaque, (struct block_open){ 0 });
	struct block_info info;

	block_info(image->block, &info);
	g_assert_cmpuint(info.size, ==, SIZE);
	for (int i = 0; i < 60; i++)
		run_batch(image);
	check_file(image);
}

/* Without holes and ranges, as on a file system that knows neither. */
static void test_model_plain(const void *opaque)
{
	autoptr(image) image = image_open_as(opaque, (struct block_open){ 0 });
	struct shot shot = { .req = { .op = BLOCK_WRITE_ZEROES, .len = 4096 } };
	struct shot unmap = {
		.req = { .op = BLOCK_WRITE_ZEROES, .len = 4096, .flags = BLOCK_UNMAP }
	};

	sys_fail_nth(SYS_FALLOCATE, 1, EOPNOTSUPP);
	g_assert_cmpint(shot_run(image->loop, image->queue, &shot), ==, 0);
	sys_fail_nth(SYS_FALLOCATE, 1, EOPNOTSUPP);
	g_assert_cmpint(shot_run(image->loop, image->queue, &unmap), ==, 0);
	for (int i = 0; i < 20; i++) {
		/* From here on no fallocate is even tried: this would fail. */
		sys_fail_nth(SYS_FALLOCATE, 1, EIO);
		run_batch(image);
	}
	sys_fail_nth(SYS_FALLOCATE, 0, 0);
	/* More than one piece of zeroes. */
	memset(image->model, 0, SIZE);
	shot.req.len = SIZE;
	shot.req.flags = BLOCK_FUA;
	g_assert_cmpint(shot_run(image->loop, image->queue, &shot), ==, 0);
	check_file(image);
}

/* N-th failures */

enum {
	STEPS = 14
};

/* One of each kind, some of several pieces. */
static const struct {
	enum block_op op;
	unsigned flags;
	uint64_t off, len;
} workload[STEPS] = {
	{ BLOCK_WRITE, 0, 0, 64 << 10 },
	{ BLOCK_WRITE, BLOCK_FUA, 64 << 10, 4096 },
	{ BLOCK_FLUSH, 0, 0, 0 },
	{ BLOCK_READ, 0, 0, 64 << 10 },
	{ BLOCK_WRITE_ZEROES, 0, 8192, 4096 },
	{ BLOCK_WRITE_ZEROES, BLOCK_UNMAP | BLOCK_FUA, 16384, 8192 },
	{ BLOCK_READ, 0, 0, 32 << 10 },
	{ BLOCK_WRITE, 0, 1 << 20, 260 << 10 },
	{ BLOCK_DISCARD, 0, 1 << 20, 64 << 10 },
	{ BLOCK_READ, 0, (1 << 20) + (64 << 10), 196 << 10 },
	{ BLOCK_READ, 0, SIZE - 4096, 4096 },
	{ BLOCK_WRITE, 0, SIZE - 4096, 4096 },
	{ BLOCK_FLUSH, 0, 0, 0 },
	{ BLOCK_READ, 0, SIZE - 8192, 8192 },
};

/* Of each sector: what is known of it. Failed writes may have happened, or not, or in part. */
struct knowledge {
	uint8_t *unknown; /* per sector */
	unsigned failed[BLOCK_OP_COUNT];
	int error; /* the last */
};

static void learn(struct image *image, struct knowledge *k, struct trial *trial)
{
	const struct block_request *req = &trial->shot.req;
	bool ok = !trial->shot.result, changes = req->op == BLOCK_WRITE;

	changes |= req->op == BLOCK_DISCARD || req->op == BLOCK_WRITE_ZEROES;
	if (!ok) {
		k->failed[req->op]++;
		k->error = trial->shot.result;
	}
	if (changes) {
		bool known = ok && req->op != BLOCK_DISCARD;

		memset(k->unknown + req->off / SECTOR, !known, req->len / SECTOR);
	}
	if (ok && req->op == BLOCK_WRITE)
		memcpy(image->model + req->off, trial->memory, req->len);
	if (ok && req->op == BLOCK_WRITE_ZEROES)
		memset(image->model + req->off, 0, req->len);
	for (uint64_t i = 0; ok && req->op == BLOCK_READ && i < req->len; i += SECTOR) {
		if (!k->unknown[(req->off + i) / SECTOR])
			g_assert_cmpmem(trial->memory + i, SECTOR, image->model + req->off + i,
					SECTOR);
	}
}

static void run_step(struct image *image, struct knowledge *k, unsigned i)
{
	struct trial trial = { 0 };
	struct block_request *req = &trial.shot.req;

	*req = (struct block_request){
		.op = workload[i].op,
		.flags = workload[i].flags,
		.off = workload[i].off,
		.len = workload[i].len,
	};
	trial_cut(image, &trial, i % 2);
	memset(trial.memory, req->op == BLOCK_WRITE ? 'A' + (int)i : 0xee, req->len);
	(void)shot_run(image->loop, image->queue, &trial.shot);
	learn(image, k, &trial);
	g_aligned_free(trial.block);
}

static void check_known(struct image *image, const struct knowledge *k)
{
	g_autofree char *bytes = NULL;
	size_t len;

	g_assert_true(g_file_get_contents(image->path, &bytes, &len, NULL));
	for (size_t i = 0; i + SECTOR <= len; i += SECTOR) {
		if (!k->unknown[i / SECTOR])
			g_assert_cmpmem(bytes + i, SECTOR, image->model + i, SECTOR);
	}
}

static unsigned failures(const struct knowledge *k)
{
	unsigned sum = 0;

	for (int i = 0; i < BLOCK_OP_COUNT; i++)
		sum += k->failed[i];
	return sum;
}

/* What must be seen of one call that failed. */
static void check_failures(const struct knowledge *k, enum sys_call call, int err)
{
	if (err == SYS_SHORT || err == EOPNOTSUPP) {
		g_assert_cmpuint(failures(k), ==, 0);
		return;
	}
	g_assert_cmpint(k->error, ==, -err);
	g_assert_cmpuint(failures(k), >=, 1);
	if (call == SYS_PREADV)
		g_assert_cmpuint(k->failed[BLOCK_READ], ==, 1);
	if (call == SYS_PWRITEV)
		g_assert_cmpuint(k->failed[BLOCK_WRITE], ==, 1);
}

/* The nth call of a kind fails. False: there are not that many. */
static bool sweep_one(const struct mode *mode, enum sys_call call, int err, unsigned nth)
{
	autoptr(image) image = image_open_as(mode, (struct block_open){ 0 });
	struct knowledge k = { .unknown = g_malloc0(SIZE / SECTOR) };
	bool fired;

	sys_fail_nth(call, nth, err);
	for (unsigned i = 0; i < STEPS; i++)
		run_step(image, &k, i);
	fired = sys_fail_pending(call) == 0;
	sys_fail_nth(call, 0, 0);
	if (fired)
		check_failures(&k, call, err);
	else
		g_assert_cmpuint(failures(&k), ==, 0);
	check_known(image, &k);
	g_free(k.unknown);
	return fired;
}

static void test_failures(const void *opaque)
{
	static const struct {
		enum sys_call call;
		int err;
		unsigned least;
	} sweeps[] = {
		{ SYS_PREADV, EIO, 5 },        { SYS_PREADV, SYS_SHORT, 5 },
		{ SYS_PWRITEV, EIO, 4 },       { SYS_PWRITEV, ENOSPC, 4 },
		{ SYS_PWRITEV, SYS_SHORT, 4 }, { SYS_FDATASYNC, EIO, 3 },
		{ SYS_FALLOCATE, EIO, 2 },     { SYS_FALLOCATE, EOPNOTSUPP, 2 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(sweeps); i++) {
		unsigned nth = 1;

		while (sweep_one(opaque, sweeps[i].call, sweeps[i].err, nth))
			nth++;
		g_assert_cmpuint(nth, >, sweeps[i].least);
		g_assert_cmpuint(nth, <, 100);
	}
}

/* When a flush has failed, later ones fail too, unless writes went past the page cache. */
static void test_flush_sticks(const void *opaque)
{
	const struct mode *mode = opaque;
	autoptr(image) image = image_open_as(mode, (struct block_open){ 0 });
	struct shot shot = { .req = { .op = BLOCK_FLUSH } };

	g_assert_cmpint(shot_run(image->loop, image->queue, &shot), ==, 0);
	sys_fail_nth(SYS_FDATASYNC, 1, EIO);
	g_assert_cmpint(shot_run(image->loop, image->queue, &shot), ==, -EIO);
	g_assert_cmpint(shot_run(image->loop, image->queue, &shot), ==, mode->direct ? 0 : -EIO);
}

/* Options */

static void test_no_flush(const void *opaque)
{
	autoptr(image) image = image_open_as(
		opaque, (struct block_open){ .no_flush = true, .discard = BLOCK_DISCARD_IGNORE });
	static uint8_t buf[4096];
	const struct iovec iov = { buf, sizeof(buf) };
	struct shot flush = { .req = { .op = BLOCK_FLUSH } };
	struct shot write = { .req = { .op = BLOCK_WRITE,
				       .len = 4096,
				       .flags = BLOCK_FUA,
				       .iov = &iov,
				       .iov_count = 1 } };
	struct shot discard = { .req = { .op = BLOCK_DISCARD, .len = 4096 } };
	struct shot zero = { .req = { .op = BLOCK_WRITE_ZEROES,
				      .len = 4096,
				      .off = 4096,
				      .flags = BLOCK_FUA | BLOCK_UNMAP } };
	struct block_info info;

	block_info(image->block, &info);
	g_assert_false(info.discard);
	memset(buf, 'q', sizeof(buf));
	sys_fail_nth(SYS_FDATASYNC, 1, EIO);
	g_assert_cmpint(shot_run(image->loop, image->queue, &flush), ==, 0);
	g_assert_cmpint(shot_run(image->loop, image->queue, &write), ==, 0);
	g_assert_cmpint(shot_run(image->loop, image->queue, &zero), ==, 0);
	g_assert_cmpint(shot_run(image->loop, image->queue, &discard), ==, 0);
	g_assert_cmpuint(sys_fail_pending(SYS_FDATASYNC), ==, 1);
	sys_fail_nth(SYS_FDATASYNC, 0, 0);
	/* What was written is still there: the discard was ignored. */
	memset(image->model, 'q', 4096);
	check_file(image);
}

static void test_resize(const void *opaque)
{
	autoptr(image) image = image_open_as(opaque, (struct block_open){ 0 });
	static uint8_t buf[4096];
	const struct iovec iov = { buf, sizeof(buf) };
	struct shot read = {
		.req = { .op = BLOCK_READ, .len = 4096, .off = SIZE, .iov = &iov, .iov_count = 1 }
	};
	struct shot zero = {
		.req = { .op = BLOCK_WRITE_ZEROES, .len = 1 << 20, .flags = BLOCK_UNMAP }
	};
	struct block_info info;
	GError *error = NULL;
	uint64_t before;

	g_assert_cmpint(shot_run(image->loop, image->queue, &read), ==, -EINVAL);
	g_assert_true(block_resize(image->block, 2 * SIZE, &error));
	block_info(image->block, &info);
	g_assert_cmpuint(info.size, ==, 2 * SIZE);
	g_assert_cmpint(shot_run(image->loop, image->queue, &read), ==, 0);
	/* Holes give space back, where the file system can. */
	for (int i = 0; i < 256; i++) {
		struct shot write = { .req = { .op = BLOCK_WRITE,
					       .len = 4096,
					       .off = (uint64_t)i << 12,
					       .iov = &iov,
					       .iov_count = 1,
					       .flags = BLOCK_FUA } };

		g_assert_cmpint(shot_run(image->loop, image->queue, &write), ==, 0);
	}
	before = block_allocated(image->block);
	g_assert_cmpuint(before, >=, 1 << 20);
	g_assert_cmpint(shot_run(image->loop, image->queue, &zero), ==, 0);
	if (info.discard)
		g_assert_cmpuint(block_allocated(image->block), <, before);
	g_assert_true(block_resize(image->block, 4096, &error));
	g_assert_cmpint(shot_run(image->loop, image->queue, &read), ==, -EINVAL);
	/* Somebody cuts the file under our feet: that is an error, not zeroes. */
	g_assert_true(block_resize(image->block, 1 << 20, &error));
	g_assert_cmpint(truncate(image->path, 65536), ==, 0);
	read.req.off = 128 << 10;
	g_assert_cmpint(shot_run(image->loop, image->queue, &read), ==, -EIO);
	sys_fail_nth(SYS_FTRUNCATE, 1, EFBIG);
	g_assert_false(block_resize(image->block, 1 << 21, &error));
	g_assert_nonnull(strstr(error->message, image->path));
	g_clear_error(&error);
}

/* Opening */

static struct block *try_open(const char *path, bool read_only, bool shared, GError **error)
{
	struct block_open options = {
		.path = path,
		.format = "raw",
		.read_only = read_only,
		.shared = shared,
	};

	return block_open(&options, error);
}

static void assert_busy(const char *path, bool read_only, bool shared)
{
	GError *error = NULL;

	g_assert_null(try_open(path, read_only, shared, &error));
	g_assert_error(error, SOCLE_ERROR, SOCLE_ERROR_BUSY);
	g_assert_nonnull(strstr(error->message, path));
	g_assert_nonnull(strstr(error->message, "shared=on"));
	g_clear_error(&error);
}

static struct block *assert_opens(const char *path, bool read_only, bool shared)
{
	GError *error = NULL;
	struct block *block = try_open(path, read_only, shared, &error);

	g_assert_no_error(error);
	return block;
}

static void test_locks(void)
{
	g_autofree char *path = NULL;
	struct block *first, *second;

	image_make(&path, 1 << 20);
	/* One writer alone. */
	first = assert_opens(path, false, false);
	assert_busy(path, false, false);
	assert_busy(path, true, false);
	assert_busy(path, false, true);
	/* Who only reads may look on, if he says that he knows. */
	block_close(assert_opens(path, true, true));
	block_close(first);
	/* Many readers, no writer. */
	first = assert_opens(path, true, false);
	second = assert_opens(path, true, false);
	assert_busy(path, false, false);
	assert_busy(path, false, true);
	block_close(first);
	block_close(second);
	/* Writers who all share. */
	first = assert_opens(path, false, true);
	second = assert_opens(path, false, true);
	assert_busy(path, false, false);
	assert_busy(path, true, false);
	block_close(first);
	block_close(second);
	/* All gone. */
	block_close(assert_opens(path, false, false));
	g_unlink(path);
}

static void test_locks_missing(void)
{
	g_autofree char *path = NULL;
	GError *error = NULL;

	image_make(&path, 1 << 20);
	sys_fail_nth(SYS_FCNTL, 1, ENOLCK);
	g_assert_null(try_open(path, false, false, &error));
	g_assert_nonnull(strstr(error->message, "shared=on"));
	g_clear_error(&error);
	sys_fail_nth(SYS_FCNTL, 1, ENOLCK);
	block_close(assert_opens(path, false, true));
	g_unlink(path);
}

static void assert_refused(const char *path, const char *words)
{
	GError *error = NULL;

	for (int read_only = 0; read_only < 2; read_only++) {
		g_assert_null(try_open(path, read_only, false, &error));
		g_assert_nonnull(error);
		if (!strstr(error->message, path) || !strstr(error->message, words))
			g_error("unexpected: %s", error->message);
		g_clear_error(&error);
	}
}

static void test_refused(void)
{
	g_autofree char *dir = g_dir_make_tmp("socle-raw-XXXXXX", NULL);
	g_autofree char *fifo = g_build_filename(dir, "fifo", NULL);
	g_autofree char *none = g_build_filename(dir, "none", NULL);
	GError *error = NULL;

	g_assert_cmpint(mkfifo(fifo, 0600), ==, 0);
	assert_refused(dir, "directory");
	assert_refused(fifo, "neither");
	assert_refused("/dev/null", "neither");
	assert_refused(none, "No such file");
	sys_fail_nth(SYS_OPEN, 1, EACCES);
	g_assert_null(try_open("x", false, false, &error));
	g_assert_nonnull(strstr(error->message, "read-only=on"));
	g_clear_error(&error);
	g_unlink(fifo);
	g_rmdir(dir);
}

/* Each system call of opening fails in turn: an error each time, and no descriptor is left. */
static void test_open_failures(void)
{
	static const enum sys_call calls[] = { SYS_OPEN, SYS_FSTAT, SYS_FCNTL };
	g_autofree char *path = NULL;

	image_make(&path, 1 << 20);
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
		for (unsigned nth = 1;; nth++) {
			GError *error = NULL;
			struct block *block;
			int before = fcntl(0, F_DUPFD_CLOEXEC, 0), after;

			close(before);
			sys_fail_nth(calls[i], nth, EIO);
			block = try_open(path, false, false, &error);
			if (block) {
				sys_fail_nth(calls[i], 0, 0);
				block_close(block);
				break;
			}
			g_assert_nonnull(error);
			g_clear_error(&error);
			after = fcntl(0, F_DUPFD_CLOEXEC, 0);
			close(after);
			g_assert_cmpint(after, ==, before);
		}
	}
	g_unlink(path);
}

static const struct {
	const char *name;
	void (*fn)(const void *mode);
} cases[] = {
	{ "model", test_model },       { "model-plain", test_model_plain },
	{ "failures", test_failures }, { "flush-sticks", test_flush_sticks },
	{ "no-flush", test_no_flush }, { "resize", test_resize },
};

int main(int argc, char **argv)
{
	static const struct mode modes[] = {
		{ IO_LOOP_THREADS, false },
		{ IO_LOOP_THREADS, true },
		{ IO_LOOP_URING, false },
		{ IO_LOOP_URING, true },
	};
	bool uring = image_have_uring(), direct;

	g_test_init(&argc, &argv, NULL);
	direct = image_have_direct();
	for (size_t m = 0; m < ARRAY_SIZE(modes); m++) {
		if ((modes[m].kind == IO_LOOP_URING && !uring) || (modes[m].direct && !direct))
			continue;
		for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
			g_autofree char *path = g_strdup_printf(
				"/raw/%s/%s/%s",
				modes[m].kind == IO_LOOP_URING ? "uring" : "threads",
				modes[m].direct ? "direct" : "cached", cases[i].name);

			g_test_add_data_func(path, &modes[m], cases[i].fn);
		}
	}
	g_test_add_func("/raw/locks", test_locks);
	g_test_add_func("/raw/locks-missing", test_locks_missing);
	g_test_add_func("/raw/refused", test_refused);
	g_test_add_func("/raw/open-failures", test_open_failures);
	return g_test_run();
}
