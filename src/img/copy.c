/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * copy.c - copy what images have into another one: read and pack by threads, written in order
 *
 * The range is cut into pieces: one of zeroes may be of any length, one of data has IMG_PIECE bytes
 * at most. Cuts are at multiples of the target's clusters, so that none is written in two parts.
 *
 *   next piece (lock) -> read, find zeroes, pack (many threads) -> write in order (main)
 *
 * Slots stand in a ring. A piece has number @n and slot n % count:
 *  (1) written <= n < taken: the slot is the piece's; taken - written <= count.
 *  (2) Only who took a piece touches its slot until it is ready, then only the writer does.
 *  (3) Once there is an error nobody takes another piece, and the writer waits for nothing.
 */
#include "img/copy.h"

#include <inttypes.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/sys.h"
#include "base/thread.h"

enum {
	MIN_UNIT = 4 << 10,      /* zeroes are looked for in such steps, at least */
	PACKED_PIECE = 64 << 10, /* small, for at the end all threads should have something */
	PACKED_ROOM = 4 << 20,   /* for pieces of that kind, if they are not larger */
	PACKED_AHEAD = 8,        /* pieces of a thread: some take much longer than others */
	ALIGNMENT = 4096,
};

enum what {
	WHAT_SKIP, /* the target has it already */
	WHAT_ZERO,
	WHAT_DATA,
};

struct run {
	uint32_t len;
	bool zero;
};

struct slot {
	bool ready;
	uint64_t off; /* of the range */
	uint64_t len;
	enum what what;
	uint8_t *buf;
	/* Packed clusters, each at its own offset; 0: as it is. */
	uint8_t *packed;
	uint32_t *packed_len;
	struct run *runs;
	unsigned run_count;
	char *lost; /* what could not be read, and why (salvage) */
};

struct work {
	const struct copy *copy;
	uint64_t unit, max; /* of a piece of data */
	struct slot *slots;
	unsigned slot_count;

	pthread_mutex_t lock; /* guards what follows, and ready of slots */
	pthread_cond_t free, ready;
	uint64_t taken, written; /* pieces */
	uint64_t next;           /* offset of the next one */
	bool done;
	GError *error;
};

static uint64_t round_up(uint64_t n, uint64_t unit)
{
	return (n + unit - 1) / unit * unit;
}

/* ---- what is where ---- */

/* The image that has @off, which becomes an offset of that. Behind the last: NULL. */
static struct image *source_at(const struct copy *copy, uint64_t *off)
{
	for (unsigned i = 0; i < copy->count; i++) {
		if (*off < copy->sources[i]->size)
			return copy->sources[i];
		*off -= copy->sources[i]->size;
	}
	return NULL;
}

static bool extent_at(const struct copy *copy, uint64_t off, uint64_t len, uint64_t *ret_len,
		      enum what *ret_what, GError **error)
{
	struct image *source = source_at(copy, &off);
	struct image_extent extent;
	bool ok;

	if (!source) {
		*ret_len = len;
		*ret_what = WHAT_ZERO;
		return true;
	}
	len = MIN(len, source->size - off);
	ok = copy->over_backing ? image_map(source, off, len, &extent, error)
				: image_map_chain(source, off, len, &extent, error);
	if (!ok)
		return false;
	if (!extent.len)
		return error_set(error, SOCLE_ERROR_CORRUPT, "image '%s' has an extent of no bytes",
				 source->path);
	*ret_len = extent.len;
	if (extent.kind == IMAGE_DATA)
		*ret_what = WHAT_DATA;
	else
		*ret_what =
			copy->over_backing && extent.kind == IMAGE_ABSENT ? WHAT_SKIP : WHAT_ZERO;
	return true;
}

/* Read from several sources, where they meet. */
static bool read_range(const struct copy *copy, uint64_t off, uint8_t *buf, size_t len,
		       GError **error)
{
	while (len) {
		uint64_t at = off;
		struct image *source = source_at(copy, &at);
		size_t n = source ? MIN(len, source->size - at) : len;

		if (!source)
			memset(buf, 0, n);
		else if (!image_read(source, at, buf, n, error))
			return false;
		off += n;
		buf += n;
		len -= n;
	}
	return true;
}

/*
 * The piece from @off on: as long as all is of a kind, in whole units. A unit with some data is
 * data; data goes on up to the first whole unit without.
 */
static bool cut_piece(const struct work *work, struct slot *slot, uint64_t off, GError **error)
{
	const struct copy *copy = work->copy;
	uint64_t end = copy->start + copy->len, len = 0, part = 0;
	enum what what = WHAT_DATA;

	slot->off = off;
	slot->what = WHAT_DATA;
	while (off + len < end && len < work->max) {
		uint64_t whole;

		if (!extent_at(copy, off + len, end - off - len, &part, &what, error))
			return false;
		whole = off + len + part == end ? part : part / work->unit * work->unit;
		/* Where no unit begins, a hole must reach the next one and then fill one. */
		if (what != WHAT_DATA && whole && len % work->unit == 0) {
			if (!len) {
				slot->what = what;
				slot->len = whole;
				return true;
			}
			break;
		}
		if (what != WHAT_DATA)
			part = MIN(part, round_up(len + 1, work->unit) - len);
		len += part;
	}
	slot->len = MIN(MIN(round_up(len, work->unit), work->max), end - off);
	return true;
}

/* ---- threads that read ---- */

static void find_zeroes(const struct work *work, struct slot *slot)
{
	const struct copy *copy = work->copy;
	size_t done = 0;

	slot->run_count = 0;
	while (done < slot->len) {
		struct run *run = &slot->runs[slot->run_count];
		bool zero = false;
		size_t n = slot->len - done;

		if (copy->sparse)
			n = img_zero_run(slot->buf + done, n, work->unit, &zero);
		/* Short ones are not worth a hole. */
		if (zero && n < copy->sparse && n < slot->len)
			zero = false;
		if (slot->run_count && run[-1].zero == zero)
			run[-1].len += (uint32_t)n;
		else
			slot->runs[slot->run_count++] = (struct run){ (uint32_t)n, zero };
		done += n;
	}
}

static void pack(const struct work *work, struct slot *slot)
{
	struct image *target = work->copy->target;
	uint32_t cluster = target->cluster_size;

	for (uint64_t off = 0; off < slot->len; off += cluster) {
		ssize_t n = 0;

		/* What the image has of its last cluster, and zeroes. */
		if (slot->len - off < cluster)
			memset(slot->buf + slot->len, 0, cluster - (slot->len - off));
		if (!img_is_zero(slot->buf + off, cluster))
			n = target->ops->pack(target, slot->buf + off, slot->packed + off);
		slot->packed_len[off / cluster] = n > 0 ? (uint32_t)n : 0;
	}
}

static bool fill(const struct work *work, struct slot *slot, GError **error)
{
	const struct copy *copy = work->copy;
	g_autoptr(GError) cause = NULL;

	if (slot->what != WHAT_DATA)
		return true;
	if (!read_range(copy, slot->off, slot->buf, slot->len, &cause)) {
		if (!copy->salvage) {
			g_propagate_error(error, g_steal_pointer(&cause));
			return false;
		}
		/* Sector by sector: what can be read is not lost. */
		memset(slot->buf, 0, slot->len);
		for (uint64_t off = 0; off < slot->len; off += IMG_SECTOR)
			(void)read_range(copy, slot->off + off, slot->buf + off, IMG_SECTOR, NULL);
		slot->lost = g_strdup(cause->message);
	}
	find_zeroes(work, slot);
	if (copy->compress)
		pack(work, slot);
	return true;
}

/* That which is written next. */
static struct slot *next_slot(const struct work *work)
{
	return &work->slots[work->written % work->slot_count];
}

/* Take the next piece; NULL: there is none. */
static struct slot *take(struct work *work)
{
	struct slot *slot = NULL;

	pthread_mutex_lock(&work->lock);
	while (!work->error && !work->done && work->taken - work->written >= work->slot_count)
		pthread_cond_wait(&work->free, &work->lock);
	if (!work->error && !work->done) {
		slot = &work->slots[work->taken % work->slot_count];
		if (cut_piece(work, slot, work->next, &work->error)) {
			work->taken++;
			work->next += slot->len;
			work->done = work->next >= work->copy->start + work->copy->len;
		} else {
			slot = NULL;
		}
	}
	if (work->error || work->done) {
		pthread_cond_broadcast(&work->free);
		pthread_cond_signal(&work->ready);
	}
	pthread_mutex_unlock(&work->lock);
	return slot;
}

static void reader(void *opaque)
{
	struct work *work = opaque;
	struct slot *slot;

	while ((slot = take(work))) {
		GError *error = NULL;
		bool ok = fill(work, slot, &error);

		pthread_mutex_lock(&work->lock);
		slot->ready = true;
		if (!ok && !work->error)
			work->error = g_steal_pointer(&error);
		g_clear_error(&error);
		/* To be woken is dear: only for the piece that is the next one. */
		if (work->error || slot == next_slot(work))
			pthread_cond_signal(&work->ready);
		pthread_mutex_unlock(&work->lock);
	}
}

/* ---- the writer ---- */

static bool write_zeroes(const struct work *work, uint64_t off, uint64_t len, GError **error)
{
	const struct copy *copy = work->copy;
	g_autofree uint8_t *zeroes = NULL;

	if (copy->sparse)
		return copy->target_is_zero || image_zero(copy->target, off, len, true, error);
	/* Without holes each byte is written. */
	zeroes = g_malloc0(IMG_PIECE);
	while (len) {
		size_t n = MIN(len, IMG_PIECE);

		if (!image_write(copy->target, off, zeroes, n, error))
			return false;
		off += n;
		len -= n;
	}
	return true;
}

static bool write_packed(const struct work *work, struct slot *slot, uint64_t at, GError **error)
{
	struct image *target = work->copy->target;
	uint32_t cluster = target->cluster_size;

	for (uint64_t off = 0; off < slot->len; off += cluster) {
		uint64_t n = MIN(cluster, slot->len - off);
		uint32_t packed = slot->packed_len[off / cluster];
		bool ok;

		if (packed)
			ok = target->ops->write_packed(target, at + off, slot->packed + off, packed,
						       error);
		else if (img_is_zero(slot->buf + off, n))
			ok = write_zeroes(work, at + off, n, error);
		else
			ok = image_write(target, at + off, slot->buf + off, n, error);
		if (!ok)
			return false;
	}
	return true;
}

static bool write_slot(const struct work *work, struct slot *slot, GError **error)
{
	const struct copy *copy = work->copy;
	uint64_t at = slot->off - copy->start, done = 0;

	if (slot->lost)
		img_warn("warning: %s; zeroes are written instead", slot->lost);
	if (slot->what == WHAT_SKIP)
		return true;
	if (slot->what == WHAT_ZERO)
		return write_zeroes(work, at, slot->len, error);
	if (copy->compress)
		return write_packed(work, slot, at, error);
	for (unsigned i = 0; i < slot->run_count; i++) {
		uint64_t n = slot->runs[i].len;
		bool ok = slot->runs[i].zero ? write_zeroes(work, at + done, n, error)
					     : image_write(copy->target, at + done,
							   slot->buf + done, n, error);

		if (!ok)
			return false;
		done += n;
	}
	return true;
}

/* The next piece in order, when it is ready; NULL: that was all, or there is an error. */
static struct slot *await(struct work *work)
{
	struct slot *slot;

	pthread_mutex_lock(&work->lock);
	slot = next_slot(work);
	while (!work->error && (work->taken == work->written ? !work->done : !slot->ready))
		pthread_cond_wait(&work->ready, &work->lock);
	if (work->error || work->taken == work->written)
		slot = NULL;
	pthread_mutex_unlock(&work->lock);
	return slot;
}

static void written(struct work *work, struct slot *slot, GError *error)
{
	g_clear_pointer(&slot->lost, g_free);
	pthread_mutex_lock(&work->lock);
	slot->ready = false;
	work->written++;
	if (error && !work->error)
		work->error = error;
	else
		g_clear_error(&error);
	/* Who waits for a slot goes on when there are several. */
	if (work->error || work->taken - work->written <= work->slot_count / 2)
		pthread_cond_broadcast(&work->free);
	pthread_mutex_unlock(&work->lock);
}

static void keep_rate(const struct copy *copy, uint64_t begin_ns, uint64_t bytes)
{
	uint64_t due_us, spent_us;

	if (!copy->rate)
		return;
	due_us = (uint64_t)((double)bytes * 1e6 / (double)copy->rate);
	spent_us = (sys_monotonic_ns() - begin_ns) / 1000;
	if (due_us > spent_us)
		g_usleep(due_us - spent_us);
}

static void write_all(struct work *work)
{
	uint64_t begin_ns = sys_monotonic_ns(), bytes = 0;
	struct slot *slot;

	while ((slot = await(work))) {
		GError *error = NULL;

		if (slot->what == WHAT_DATA)
			bytes += slot->len;
		(void)write_slot(work, slot, &error);
		if (work->copy->progress)
			img_progress_at(work->copy->progress, bytes);
		written(work, slot, error);
		keep_rate(work->copy, begin_ns, bytes);
	}
}

/* ---- all of it ---- */

static unsigned count_slots(const struct work *work)
{
	const unsigned threads = work->copy->threads, room = (unsigned)(PACKED_ROOM / work->max);

	return work->copy->compress ? CLAMP(room, threads + 2, threads * PACKED_AHEAD)
				    : threads + 2;
}

static void work_init(struct work *work, const struct copy *copy)
{
	uint64_t cluster = copy->target->cluster_size;

	*work = (struct work){ .copy = copy, .next = copy->start, .done = !copy->len };
	pthread_mutex_init(&work->lock, NULL);
	pthread_cond_init(&work->free, NULL);
	pthread_cond_init(&work->ready, NULL);
	work->unit = MAX(MIN(cluster, IMG_PIECE), MIN_UNIT);
	/* A target that can have smaller holes gets them, if the user asks. */
	if (!cluster && copy->sparse && copy->sparse < MIN_UNIT)
		work->unit = copy->sparse;
	work->max = copy->compress ? MAX(work->unit, PACKED_PIECE) : IMG_PIECE;
	work->max = work->max / work->unit * work->unit;
	work->slot_count = count_slots(work);
	work->slots = g_new0(struct slot, work->slot_count);
	for (unsigned i = 0; i < work->slot_count; i++) {
		struct slot *slot = &work->slots[i];

		/* Aligned, for O_DIRECT. */
		slot->buf = g_aligned_alloc(1, work->max, ALIGNMENT);
		slot->runs = g_new(struct run, work->max / work->unit + 1);
		if (!copy->compress)
			continue;
		slot->packed = g_malloc(work->max);
		slot->packed_len = g_new(uint32_t, work->max / cluster + 1);
	}
}

static void work_release(struct work *work)
{
	for (unsigned i = 0; i < work->slot_count; i++) {
		struct slot *slot = &work->slots[i];

		g_aligned_free(slot->buf);
		g_free(slot->runs);
		g_free(slot->packed);
		g_free(slot->packed_len);
		g_free(slot->lost);
	}
	g_free(work->slots);
	pthread_cond_destroy(&work->ready);
	pthread_cond_destroy(&work->free);
	pthread_mutex_destroy(&work->lock);
}

/* Who waits is told how much of the data is done: holes take no time. */
static void measure_progress(const struct copy *copy)
{
	uint64_t data = 0, part;
	enum what what;

	if (!copy->progress || !copy->progress->shown)
		return;
	for (uint64_t off = 0; off < copy->len; off += part) {
		if (!extent_at(copy, copy->start + off, copy->len - off, &part, &what, NULL))
			return; /* told by who copies it */
		if (what == WHAT_DATA)
			data += part;
	}
	copy->progress->total = MAX(data, 1);
}

bool copy_run(struct copy *copy, GError **error)
{
	struct thread *threads[COPY_MAX_THREADS] = { NULL };
	struct work work;

	measure_progress(copy);
	work_init(&work, copy);
	for (unsigned i = 0; i < copy->threads; i++) {
		GError *cause = NULL;

		threads[i] = thread_start("read", reader, &work, &cause);
		/* One is enough, if there are no more. */
		if (!threads[i] && !i)
			work.error = cause;
		else
			g_clear_error(&cause);
	}
	write_all(&work);
	pthread_mutex_lock(&work.lock);
	pthread_cond_broadcast(&work.free);
	pthread_mutex_unlock(&work.lock);
	for (unsigned i = 0; i < copy->threads; i++)
		thread_join(threads[i]);
	work_release(&work);
	if (work.error) {
		g_propagate_error(error, work.error);
		return false;
	}
	return image_flush(copy->target, error);
}

unsigned copy_default_threads(bool compress)
{
	unsigned cpus = g_get_num_processors();

	/* Reading is done by the kernel; two keep the writer busy. */
	return compress ? CLAMP(cpus, 1, COPY_MAX_THREADS) : 2;
}
