/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virtio-balloon.c - memory that the guest gives back (virtio 1.2, 5.5)
 *
 * Inflated and reported pages are given back to the host, in whole pages of RAM; they read as zero
 * when the guest touches them again. mem is told of it as of a write, so that dirty logging and
 * decoded code follow. Deflating needs nothing. If the guest poisons free pages with anything but
 * zero, reported ones stay as they are (5.5.6.7).
 *
 * A list of the driver's costs at most what LIST_PAGES and REPORT_PAGES allow, a call on the loop
 * KICK_PAGES more or less; what is beyond a list's limit is ignored.
 *
 * Numbers of queues. The specification numbers the reporting queue 4; Linux before 6.11 counts only
 * the queues of negotiated features, as QEMU does, and newer ones try both. The hinting queue is
 * never there, so each queue behind deflate that is not the one for statistics serves reports.
 *
 * Statistics: the driver's buffer is kept, and given back when new ones are wanted.
 */
#include "dev/virtio-balloon.h"

#include <string.h>
#include <sys/mman.h>

#include "base/bytes.h"
#include "base/sys.h"

/* Feature bits (5.5.3). */
#define VIRTIO_BALLOON_F_STATS_VQ       (1ull << 1)
#define VIRTIO_BALLOON_F_DEFLATE_ON_OOM (1ull << 2)
#define VIRTIO_BALLOON_F_PAGE_POISON    (1ull << 4)
#define VIRTIO_BALLOON_F_PAGE_REPORTING (1ull << 5)

enum {
	QUEUE_INFLATE,
	QUEUE_DEFLATE,
	QUEUE_STATS,
	QUEUE_COUNT_MIN = 3,
	QUEUE_COUNT_REPORTING = 5,
	QUEUE_SIZE = 128,
};

/* Offsets of the configuration (5.5.4). */
enum {
	CONFIG_NUM_PAGES = 0,
	CONFIG_ACTUAL = 4,
	CONFIG_POISON = 12,
	CONFIG_LEN_MIN = 8,
	CONFIG_LEN_REPORTING = 16,
};

enum {
	PFN_LEN = 4,
	PFN_SHIFT = MEM_PAGE_SHIFT, /* whatever the pages of the guest are */
	STAT_LEN = 10,
	STATS_MAX = 64,           /* entries that are looked at */
	BATCH = 256,              /* page numbers that are copied at once */
	LIST_PAGES = 16 << 10,    /* of a list of page numbers */
	REPORT_PAGES = 256 << 10, /* of a report */
	KICK_PAGES = 64 << 10,
};

static const uint64_t second_ns = 1000000000;

/* Adjacent pages that are given back together: [start, end). */
struct page_run {
	struct mem *mem;
	uint64_t start, end;
};

struct virtio_balloon {
	struct virtio_device dev;
	struct dev_clock *clock;
	uint64_t memory;
	void (*changed)(void *opaque, uint64_t actual);
	void *opaque;
	struct dev_timer *changed_timer, *poll_timer;

	/* guarded by dev.lock: */
	bool changed_due;
	uint64_t changed_ns; /* when it was told last */
	unsigned poll_s;
	struct virtq_chain *held; /* buffer of statistics */
	struct balloon_stats stats;
};

static struct virtio_balloon *balloon_of(struct virtio_device *dev)
{
	return container_of(dev, struct virtio_balloon, dev);
}

/* ---- giving back ---- */

/* Pages [start, end) that are not all RAM are left alone. */
DATA_PATH static void run_end(struct page_run *run)
{
	const uint64_t gpa = run->start << PFN_SHIFT, len = (run->end - run->start) << PFN_SHIFT;
	void *host = len ? mem_ptr_write(run->mem, gpa, len) : NULL;

	run->start = run->end = 0;
	/* Refused for locked memory, which then stays as it is. */
	if (host && sys_madvise(host, len, MADV_DONTNEED) == 0)
		mem_written(run->mem, gpa, len);
}

DATA_PATH static void run_add(struct page_run *run, uint64_t page)
{
	if (!mem_find(run->mem, page << PFN_SHIFT, MEM_PAGE_SIZE))
		return;
	if (run->start <= page && page < run->end)
		return;
	if (run->end != run->start) {
		/* Allocators hand out neighbours in either order. */
		if (page == run->end && mem_find(run->mem, run->start << PFN_SHIFT,
						 (run->end + 1 - run->start) << PFN_SHIFT)) {
			run->end++;
			return;
		}
		if (page + 1 == run->start &&
		    mem_find(run->mem, page << PFN_SHIFT, (run->end - page) << PFN_SHIFT)) {
			run->start--;
			return;
		}
		run_end(run);
	}
	run->start = page;
	run->end = page + 1;
}

/* Returns how many page numbers were looked at. */
DATA_PATH static unsigned inflate(struct virtio_balloon *balloon, const struct virtq_chain *chain)
{
	struct page_run run = { .mem = balloon->dev.mem };
	uint8_t raw[BATCH * PFN_LEN];
	unsigned pages = 0;

	while (pages < LIST_PAGES) {
		const size_t len = iov_copy_out(chain->out, chain->out_count,
						(size_t)pages * PFN_LEN, raw, sizeof(raw));

		for (size_t i = 0; i < len / PFN_LEN; i++)
			run_add(&run, get_le32(raw + i * PFN_LEN));
		pages += (unsigned)(len / PFN_LEN);
		if (len < sizeof(raw))
			break;
	}
	run_end(&run);
	return pages;
}

/* Returns how many pages were given back. */
DATA_PATH static unsigned report(struct virtio_balloon *balloon, const struct virtq_chain *chain)
{
	struct mem *mem = balloon->dev.mem;
	uint64_t pages = 0;

	if (virtio_has(&balloon->dev, VIRTIO_BALLOON_F_PAGE_POISON) &&
	    get_le32(balloon->dev.config + CONFIG_POISON) != 0)
		return 0;
	for (unsigned i = 0; i < chain->in_count && pages < REPORT_PAGES; i++) {
		const uint64_t gpa = mem_gpa(mem, chain->in[i].iov_base);
		const uint64_t start = (gpa + MEM_PAGE_SIZE - 1) >> PFN_SHIFT;
		uint64_t end = (gpa + chain->in[i].iov_len) >> PFN_SHIFT;
		struct page_run run;

		if (gpa == UINT64_MAX || end <= start)
			continue;
		if (end - start > REPORT_PAGES - pages)
			end = start + REPORT_PAGES - pages;
		run = (struct page_run){ mem, start, end };
		pages += end - start;
		run_end(&run);
	}
	return (unsigned)pages;
}

/* ---- statistics ---- */

DATA_PATH static void clear_stats(struct balloon_stats *stats)
{
	for (unsigned i = 0; i < BALLOON_STAT_COUNT; i++)
		stats->value[i] = UINT64_MAX;
}

DATA_PATH static void read_stats(struct virtio_balloon *balloon, const struct virtq_chain *chain)
{
	uint8_t raw[STATS_MAX * STAT_LEN];
	const size_t len =
		iov_copy_out(chain->out, chain->out_count, 0, raw, sizeof(raw)) / STAT_LEN;

	clear_stats(&balloon->stats);
	for (size_t i = 0; i < len; i++) {
		const unsigned tag = get_le16(raw + i * STAT_LEN);

		if (tag < BALLOON_STAT_COUNT)
			balloon->stats.value[tag] = get_le64(raw + i * STAT_LEN + 2);
	}
	balloon->stats.updated_s = (int64_t)(dev_clock_realtime_ns(balloon->clock) / second_ns);
}

/* Keep the new buffer. There should be no other; if there is, it goes back. */
DATA_PATH static void keep_stats(struct virtio_balloon *balloon, struct virtq *vq,
				 struct virtq_chain *chain)
{
	read_stats(balloon, chain);
	if (balloon->held)
		virtq_push(vq, balloon->held, 0);
	balloon->held = chain;
}

static void poll_due(void *opaque)
{
	struct virtio_balloon *balloon = opaque;
	struct virtio_device *dev = &balloon->dev;

	virtio_lock(dev);
	if (balloon->held && virtio_live(dev) && !dev->paused) {
		virtq_push(dev->queue[QUEUE_STATS], balloon->held, 0);
		balloon->held = NULL;
		virtq_flush(dev->queue[QUEUE_STATS]);
	}
	if (balloon->poll_s)
		dev_timer_set(balloon->poll_timer,
			      dev_clock_monotonic_ns(balloon->clock) + balloon->poll_s * second_ns);
	virtio_unlock(dev);
}

/* ---- the device's life ---- */

/* Pages that it took. */
DATA_PATH static unsigned serve(struct virtio_balloon *balloon, unsigned index, struct virtq *vq,
				struct virtq_chain *chain)
{
	unsigned pages = 0;

	if (index == QUEUE_STATS && virtio_has(&balloon->dev, VIRTIO_BALLOON_F_STATS_VQ)) {
		keep_stats(balloon, vq, chain);
		return 0;
	}
	if (index == QUEUE_INFLATE)
		pages = inflate(balloon, chain);
	else if (index >= QUEUE_STATS && virtio_has(&balloon->dev, VIRTIO_BALLOON_F_PAGE_REPORTING))
		pages = report(balloon, chain);
	virtq_push(vq, chain, 0);
	return pages;
}

DATA_PATH static void balloon_kick(struct virtio_device *dev, unsigned index)
{
	struct virtio_balloon *balloon = balloon_of(dev);
	struct virtq *vq = dev->queue[index];
	struct virtq_chain *chain;
	unsigned pages = 0;

	virtq_notify_off(vq);
	for (unsigned i = 0; i < QUEUE_SIZE && pages < KICK_PAGES; i++) {
		chain = virtq_pop(vq);
		if (!chain)
			break;
		pages += serve(balloon, index, vq, chain);
	}
	virtq_flush(vq);
	if (virtq_notify_on(vq))
		virtio_kick_self(dev, index);
}

static void size_changed(struct virtio_balloon *balloon)
{
	const uint64_t now_ns = dev_clock_monotonic_ns(balloon->clock);
	const uint64_t at_ns = balloon->changed_ns + second_ns;

	balloon->changed_due = true;
	dev_timer_set(balloon->changed_timer, balloon->changed_ns && at_ns > now_ns ? at_ns : 0);
}

static void balloon_reset(struct virtio_device *dev, int index)
{
	struct virtio_balloon *balloon = balloon_of(dev);

	if (balloon->held && (index < 0 || index == QUEUE_STATS)) {
		struct virtq_chain *chain = balloon->held;

		balloon->held = NULL;
		virtq_drop(dev->queue[QUEUE_STATS], chain);
	}
	if (index >= 0)
		return;
	put_le32(dev->config + CONFIG_POISON, 0);
	/* The next driver has all the memory again, and begins anew. */
	if (get_le32(dev->config + CONFIG_ACTUAL) != 0) {
		put_le32(dev->config + CONFIG_ACTUAL, 0);
		size_changed(balloon);
	}
}

static void balloon_config_written(struct virtio_device *dev, unsigned off, unsigned size)
{
	if (off < CONFIG_ACTUAL + 4 && off + size > CONFIG_ACTUAL)
		size_changed(balloon_of(dev));
}

static void balloon_free(struct virtio_device *dev)
{
	struct virtio_balloon *balloon = balloon_of(dev);

	dev_timer_free(balloon->changed_timer);
	dev_timer_free(balloon->poll_timer);
	virtio_release(dev);
	g_free(balloon);
}

static const struct virtio_ops balloon_ops = {
	.kick = balloon_kick,
	.reset = balloon_reset,
	.config_written = balloon_config_written,
	.free = balloon_free,
};

static uint64_t actual_locked(const struct virtio_balloon *balloon)
{
	const uint64_t pages = get_le32(balloon->dev.config + CONFIG_ACTUAL);

	return pages > balloon->memory >> PFN_SHIFT ? 0 : balloon->memory - (pages << PFN_SHIFT);
}

/* On the main loop: tell of the new size. */
static void changed_due(void *opaque)
{
	struct virtio_balloon *balloon = opaque;
	uint64_t actual;
	bool due;

	virtio_lock(&balloon->dev);
	due = balloon->changed_due;
	balloon->changed_due = false;
	if (due)
		balloon->changed_ns = dev_clock_monotonic_ns(balloon->clock);
	actual = actual_locked(balloon);
	virtio_unlock(&balloon->dev);
	if (due && balloon->changed)
		balloon->changed(balloon->opaque, actual);
}

struct virtio_device *virtio_balloon_new(const struct virtio_balloon_config *config, GError **error)
{
	struct virtio_balloon *balloon = g_new0(struct virtio_balloon, 1);
	uint64_t features = VIRTIO_F_COMMON | VIRTIO_BALLOON_F_STATS_VQ;

	(void)error;
	if (config->deflate_on_oom)
		features |= VIRTIO_BALLOON_F_DEFLATE_ON_OOM;
	if (config->free_page_reporting)
		features |= VIRTIO_BALLOON_F_PAGE_REPORTING | VIRTIO_BALLOON_F_PAGE_POISON;
	virtio_init(&balloon->dev,
		    &(struct virtio_config){
			    .ops = &balloon_ops,
			    .type = VIRTIO_BALLOON,
			    .features = features,
			    .loop = config->loop,
			    .queues = config->free_page_reporting ? QUEUE_COUNT_REPORTING
								  : QUEUE_COUNT_MIN,
			    .queue_size = QUEUE_SIZE,
			    .config_len = config->free_page_reporting ? CONFIG_LEN_REPORTING
								      : CONFIG_LEN_MIN,
		    });
	memset(balloon->dev.config_writable + CONFIG_ACTUAL, 0xff, 4);
	if (config->free_page_reporting)
		memset(balloon->dev.config_writable + CONFIG_POISON, 0xff, 4);
	balloon->clock = config->clock;
	balloon->memory = config->memory;
	balloon->changed = config->changed;
	balloon->opaque = config->opaque;
	balloon->changed_timer = dev_timer_new(config->clock, changed_due, balloon);
	balloon->poll_timer = dev_timer_new(config->clock, poll_due, balloon);
	clear_stats(&balloon->stats);
	return &balloon->dev;
}

/* ---- what the monitor wants ---- */

void virtio_balloon_set_target(struct virtio_device *dev, uint64_t bytes)
{
	struct virtio_balloon *balloon = balloon_of(dev);
	uint64_t pages = 0;

	if (bytes < balloon->memory)
		pages = (balloon->memory - bytes) >> PFN_SHIFT;
	if (pages > UINT32_MAX)
		pages = UINT32_MAX;
	virtio_lock(dev);
	if (get_le32(dev->config + CONFIG_NUM_PAGES) != pages) {
		put_le32(dev->config + CONFIG_NUM_PAGES, (uint32_t)pages);
		virtio_config_changed(dev);
	}
	virtio_unlock(dev);
}

uint64_t virtio_balloon_actual(struct virtio_device *dev)
{
	uint64_t actual;

	virtio_lock(dev);
	actual = actual_locked(balloon_of(dev));
	virtio_unlock(dev);
	return actual;
}

void virtio_balloon_set_poll(struct virtio_device *dev, unsigned seconds)
{
	struct virtio_balloon *balloon = balloon_of(dev);
	uint64_t next_ns = DEV_TIMER_NEVER;

	virtio_lock(dev);
	balloon->poll_s = seconds;
	if (seconds)
		next_ns = dev_clock_monotonic_ns(balloon->clock) + seconds * second_ns;
	dev_timer_set(balloon->poll_timer, next_ns);
	virtio_unlock(dev);
}

unsigned virtio_balloon_poll(struct virtio_device *dev)
{
	unsigned seconds;

	virtio_lock(dev);
	seconds = balloon_of(dev)->poll_s;
	virtio_unlock(dev);
	return seconds;
}

void virtio_balloon_stats(struct virtio_device *dev, struct balloon_stats *ret_stats)
{
	virtio_lock(dev);
	*ret_stats = balloon_of(dev)->stats;
	virtio_unlock(dev);
}
