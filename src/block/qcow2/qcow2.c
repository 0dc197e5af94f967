/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * qcow2.c - qcow2 images: opening, the header, and the order in which things become durable
 *
 * Data is written at once, metadata stays in memory until a flush: L2 tables and counts in the cache
 * (table.c), L1 and the table of refcount blocks as a whole. Nothing that is not flushed is promised,
 * so a power cut may lose it; but whatever part of the writes since the last sync the disk has made,
 * these hold for the file:
 *
 *  (1) A cluster's count is durable before a table names the cluster, and so are its contents:
 *      guest data, what was copied on write, the table that it is.
 *  (2) A count goes down when no table names the cluster any more, durably. Until then the reference
 *      waits in quarantine, and as the count is above 0, nobody reuses the cluster.
 *  (3) A new table of blocks, L1 or list of snapshots is durable before the header names it; the
 *      header changes by one write of its first sector, followed by a sync; then the old one goes.
 *      What a header has in other sectors is durable before, too: header-format.c.
 *  (4) The dirty and corrupt bits, and cleared autoclear bits, are durable before what they guard.
 *  (5) Nothing is written to a cluster that is in q->uses but by those who keep that table.
 *  (6) Compressed data goes on at q->tail only while nothing that its cluster had was freed.
 *
 * So a flush is: counts, sync, their table; sync; L2 tables and L1; sync; and then the quarantine is
 * over. Steps without work are left out. With lazy refcounts the counts wait for the close, and
 * the dirty bit says so.
 *
 * qcow2_assert() checks what of this can be seen in memory. What cannot be ordered that way, COPIED
 * flags of clusters whose count changes with a snapshot, is done between setting and clearing the dirty
 * bit.
 */
#include "block/qcow2/qcow2.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/log.h"
#include "block/qcow2/bitmap-int.h"

enum {
	MIN_CACHE = 1 << 20, /* bytes */
	MAX_CACHE = 32 << 20,
	MIN_SLOTS = 256,
	MAX_QUARANTINE = 64 << 10, /* ranges; then a flush empties it */
};

unsigned qcow2_test_slots;
struct block_file *qcow2_test_data;
bool qcow2_test_checks;

/* ---- errors ---- */

static bool bad_va(const struct qcow2 *q, GError **error, const char *format, va_list args)
	G_GNUC_PRINTF(3, 0);

static bool bad_va(const struct qcow2 *q, GError **error, const char *format, va_list args)
{
	g_autofree char *text = g_strdup_vprintf(format, args);

	return error_set(error, SOCLE_ERROR_CORRUPT, "image '%s' %s", q->name, text);
}

bool qcow2_bad(const struct qcow2 *q, GError **error, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	(void)bad_va(q, error, format, args);
	va_end(args);
	return false;
}

bool qcow2_mark_corrupt(struct qcow2 *q, GError **error, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	(void)bad_va(q, error, format, args);
	va_end(args);
	if (!q->writable || q->broken)
		return false;
	q->broken = true;
	if (q->header->version < 3)
		return false;
	q->header->incompatible |= QCOW2_CORRUPT;
	(void)qcow2_update_header(q, NULL);
	return false;
}

/* ---- the files ---- */

bool qcow2_file_read(struct qcow2 *q, uint64_t off, void *buf, size_t len, const char *what,
		     GError **error)
{
	const int ret = block_file_read(q->file, off, buf, len);

	return ret < 0 ? error_sys(error, ret, "cannot read the %s of image '%s'", what, q->name)
		       : true;
}

bool qcow2_file_write(struct qcow2 *q, uint64_t off, const void *buf, size_t len, const char *what,
		      GError **error)
{
	const int ret = block_file_write(q->file, off, buf, len);

	q->unsynced = true;
	return ret < 0 ? error_sys(error, ret, "cannot write the %s of image '%s'", what, q->name)
		       : true;
}

bool qcow2_file_zero(struct qcow2 *q, uint64_t off, uint64_t len, GError **error)
{
	const int ret = block_file_zero(q->file, off, len);

	q->unsynced = true;
	return ret < 0 ? error_sys(error, ret, "cannot write to image '%s'", q->name) : true;
}

bool qcow2_data_write_plain(struct qcow2 *q, uint64_t off, const void *buf, size_t len,
			    GError **error)
{
	const int ret = block_file_write(q->data, off, buf, len);

	if (q->data == q->file)
		q->unsynced = true;
	else
		q->data_unsynced = true;
	return ret < 0 ? error_sys(error, ret, "cannot write to image '%s'", q->name) : true;
}

bool qcow2_data_write(struct qcow2 *q, uint64_t off, uint64_t host, const void *buf, size_t len,
		      GError **error)
{
	return qcow2_is_encrypted(q) ? qcow2_crypt_write(q, off, host, buf, len, error)
				     : qcow2_data_write_plain(q, host, buf, len, error);
}

bool qcow2_sync(struct qcow2 *q, GError **error)
{
	int ret;

	if (q->making)
		return true;
	if (atomic_exchange(&q->direct_written, false))
		*(q->data == q->file ? &q->unsynced : &q->data_unsynced) = true;
	ret = q->unsynced ? block_file_sync(q->file) : 0;
	if (!ret)
		q->unsynced = false;
	if (!ret && q->data_unsynced) {
		ret = block_file_sync(q->data);
		if (!ret)
			q->data_unsynced = false;
	}
	return ret < 0 ? error_sys(error, ret, "cannot flush image '%s'", q->name) : true;
}

void qcow2_lock_alone(struct qcow2 *q)
{
	pthread_mutex_lock(&q->lock);
	epoch_close(q->epoch);
}

void qcow2_unlock_alone(struct qcow2 *q)
{
	epoch_open(q->epoch);
	pthread_mutex_unlock(&q->lock);
}

/* ---- flush ---- */

static bool is_lazy(const struct qcow2 *q)
{
	return q->header->version >= 3 && q->header->compatible & QCOW2_LAZY_REFCOUNTS;
}

/* What a new L2 table had at first has been written with the data, so L1 need not wait for more. */
static bool write_maps(struct qcow2 *q, GError **error)
{
	if (!q->cache.dirty[QCOW2_PIECE_L2] && !q->l1.any_dirty)
		return true;
	return qcow2_sync(q, error) && qcow2_cache_write(q, QCOW2_PIECE_L2, error) &&
	       qcow2_table_write(q, &q->l1, "L1 table", error);
}

bool qcow2_flush_locked(struct qcow2 *q, GError **error)
{
	const bool lazy = is_lazy(q);

	if (q->broken)
		return error_set(error, SOCLE_ERROR_STATE,
				 "image '%s' is not written to any more after an error; check it",
				 q->name);
	if ((!lazy && !qcow2_write_counts(q, error)) || !write_maps(q, error) ||
	    !qcow2_sync(q, error))
		return false;
	if (q->quarantine->len &&
	    (!qcow2_drain_quarantine(q, error) || (!lazy && !qcow2_write_counts(q, error))))
		return false;
	qcow2_assert(q, true);
	return true;
}

static bool flush(struct image *image, GError **error)
{
	struct qcow2 *q = qcow2_of(image);
	bool ok;

	if (!q->writable)
		return true;
	pthread_mutex_lock(&q->lock);
	ok = qcow2_flush_locked(q, error);
	pthread_mutex_unlock(&q->lock);
	return ok;
}

/* ---- the header ---- */

bool qcow2_update_header(struct qcow2 *q, GError **error)
{
	bool ok;

	qcow2_header_update(q->header, q->head);
	ok = qcow2_file_write(q, 0, q->head, QCOW2_SECTOR, "header", error) && qcow2_sync(q, error);
	/* Either header may be there: what both say must stay as it is. */
	if (!ok)
		q->broken = true;
	return ok;
}

/* First what is behind the first sector, where the header that is there has nothing. */
static bool put_header(struct qcow2 *q, uint8_t *owned, GError **error)
{
	size_t begin = QCOW2_SECTOR, end = qcow2_cluster_size(q);
	bool ok = true;

	while (end > begin && owned[end - 1] == q->head[end - 1])
		end--;
	if (end > begin)
		ok = qcow2_file_write(q, begin, owned + begin, end - begin, "header", error) &&
		     qcow2_sync(q, error);
	ok = ok && qcow2_file_write(q, 0, owned, QCOW2_SECTOR, "header", error) &&
	     qcow2_sync(q, error);
	g_free(q->head);
	q->head = owned;
	if (!ok)
		q->broken = true;
	return ok;
}

bool qcow2_rewrite_header(struct qcow2 *q, GError **error)
{
	uint8_t *head = qcow2_header_replace(q->header, q->head, error);

	if (!head || !put_header(q, head, error))
		return false;
	head = qcow2_header_tidy(q->header, q->head);
	return !head || put_header(q, head, error);
}

bool qcow2_set_dirty(struct qcow2 *q, bool dirty, GError **error)
{
	const uint64_t before = q->header->incompatible;

	if (q->header->version < 3 || (!dirty && is_lazy(q)))
		return true;
	if (dirty)
		q->header->incompatible |= QCOW2_DIRTY;
	else
		q->header->incompatible &= ~(uint64_t)QCOW2_DIRTY;
	q->dirtied = dirty;
	return q->header->incompatible == before || qcow2_update_header(q, error);
}

bool qcow2_begin_change(struct qcow2 *q, GError **error)
{
	const uint64_t autoclear = q->header->autoclear, incompatible = q->header->incompatible;

	if (q->broken)
		return error_set(error, SOCLE_ERROR_STATE,
				 "image '%s' is not written to any more after an error; check it",
				 q->name);
	if (q->quarantine->len > MAX_QUARANTINE && !qcow2_flush_locked(q, error))
		return false;
	qcow2_assert(q, false);
	if (q->changing && !q->bitmaps_new)
		return true;
	if (!qcow2_bitmaps_take(q, error))
		return false;
	q->header->autoclear &= QCOW2_AUTOCLEAR;
	if (is_lazy(q))
		q->header->incompatible |= QCOW2_DIRTY;
	q->dirtied |= is_lazy(q);
	if ((q->header->autoclear != autoclear || q->header->incompatible != incompatible) &&
	    !qcow2_update_header(q, error))
		return false;
	q->changing = true;
	q->bitmaps_new = false;
	return true;
}

/* ---- open ---- */

static bool probe(const uint8_t *head, size_t len, uint64_t size, struct block_file *file)
{
	(void)size;
	(void)file;
	return len >= 8 && get_be32(head) == 0x514649fb && get_be32(head + 4) >= 2;
}

static bool read_head(struct qcow2 *q, uint64_t file_size, GError **error)
{
	uint8_t start[QCOW2_V2_LEN];
	unsigned bits;
	size_t len;

	if (!qcow2_file_read(q, 0, start, sizeof(start), "header", error))
		return false;
	bits = qcow2_header_cluster_bits(start, sizeof(start));
	len = (size_t)1 << (bits ? bits : QCOW2_MIN_CLUSTER_BITS);
	q->head = g_malloc0(len);
	if (!qcow2_file_read(q, 0, q->head, len, "header", error))
		return false;
	q->header =
		qcow2_header_parse(q->name, q->head, (size_t)MIN(len, file_size), file_size, error);
	return q->header;
}

static void take_geometry(struct qcow2 *q)
{
	const struct qcow2_header *h = q->header;
	const bool extended = h->incompatible & QCOW2_EXTENDED_L2;

	q->cluster_bits = h->cluster_bits;
	q->subclusters = extended ? 32 : 1;
	q->entry_bits = extended ? 4 : 3;
	q->entry_len = 1 << q->entry_bits;
	q->external = h->incompatible & QCOW2_DATA_FILE;
	q->l2_bits = h->cluster_bits - (extended ? 4 : 3);
	qcow2_take_width(q);
	q->base.size = h->size;
	q->base.cluster_size = (uint32_t)qcow2_cluster_size(q);
	q->base.backing_file = g_strdup(h->backing_file);
	q->base.backing_format = g_strdup(h->backing_format);
}

static bool check_usable(struct qcow2 *q, unsigned flags, GError **error)
{
	const struct qcow2_header *h = q->header;

	if (flags & IMAGE_CHECK || !q->writable)
		return true;
	if (h->incompatible & QCOW2_CORRUPT)
		return error_set(error, SOCLE_ERROR_CORRUPT,
				 "image '%s' is marked as corrupt; repair it with `socle-img check "
				 "-r all`, or open it for reading only",
				 q->name);
	return true;
}

static bool open_data(struct qcow2 *q, unsigned flags, GError **error)
{
	const bool permitted = flags & (IMAGE_BACKING | IMAGE_DATA_FILE);
	g_autofree char *path = NULL;

	q->data = q->file;
	if (!(q->header->incompatible & QCOW2_DATA_FILE))
		return true;
	if (!q->header->data_file)
		return qcow2_bad(q, error, "has its data in another file, and does not name it");
	/* A check does not look at the data. */
	if (flags & IMAGE_DATA_LATER || (flags & IMAGE_CHECK && !permitted))
		return true;
	if (qcow2_test_data) {
		q->data = qcow2_test_data;
		return true;
	}
	if (!permitted)
		return error_set(error, SOCLE_ERROR_DENIED,
				 "image '%s' has its data in '%s', which is not opened as long as "
				 "its names are not trusted; permit that it opens other files",
				 q->name, q->header->data_file);
	path = image_resolve(q->name, q->header->data_file);
	q->data = block_file_open(path,
				  (flags & IMAGE_WRITE ? BLOCK_FILE_WRITE : 0) |
					  (flags & IMAGE_DIRECT ? BLOCK_FILE_DIRECT : 0) |
					  (flags & IMAGE_SHARED ? BLOCK_FILE_SHARED : 0) |
					  (flags & IMAGE_NO_LOCK ? BLOCK_FILE_NO_LOCK : 0) |
					  (flags & IMAGE_NO_FLUSH ? BLOCK_FILE_NO_FLUSH : 0),
				  error);
	q->owns_data = q->data;
	q->data_name = g_steal_pointer(&path);
	return q->data;
}

bool qcow2_use_data(struct image *image, struct block_file *owned, const char *name, GError **error)
{
	struct qcow2 *q = image->ops == &image_qcow2_ops ? qcow2_of(image) : NULL;

	if (!q || q->owns_data || !(q->header->incompatible & QCOW2_DATA_FILE)) {
		block_file_close(owned);
		return error_set(error, SOCLE_ERROR_USAGE,
				 "data-file can only be set for images that use an external data "
				 "file");
	}
	q->data = owned;
	q->owns_data = true;
	q->data_name = g_strdup(name);
	return true;
}

static unsigned cache_slots(const struct qcow2 *q, size_t piece)
{
	const uint64_t entries = q->header->size >> q->cluster_bits;
	const uint64_t bytes =
		MIN(MAX(entries * q->entry_len, (uint64_t)MIN_CACHE), (uint64_t)MAX_CACHE);

	if (qcow2_test_slots)
		return qcow2_test_slots;
	return MAX((unsigned)(bytes / piece), (unsigned)MIN_SLOTS);
}

/* Where guest data must not go. */
static void note_uses(struct qcow2 *q)
{
	const struct qcow2_header *h = q->header;
	const uint64_t size = qcow2_cluster_size(q);

	q->uses = g_hash_table_new(NULL, NULL);
	for (uint32_t i = 0; i < q->l1.size; i++) {
		if (q->l1.entry[i] & QCOW2_OFFSET)
			qcow2_use(q, q->l1.entry[i] & QCOW2_OFFSET, size, QCOW2_USE_L2);
	}
	for (uint32_t i = 0; i < q->reftable.size; i++) {
		if (q->reftable.entry[i] & QCOW2_OFFSET)
			qcow2_use(q, q->reftable.entry[i] & QCOW2_OFFSET, size, QCOW2_USE_COUNTS);
	}
	for (unsigned i = 0; i < q->snapshots->len; i++) {
		const struct qcow2_snapshot *s = g_ptr_array_index(q->snapshots, i);

		if (s->l1_size)
			qcow2_use(q, s->l1_off, (uint64_t)s->l1_size * 8, QCOW2_USE_SNAPSHOT_L1);
	}
	if (q->snapshots_len)
		qcow2_use(q, h->snapshots_off, q->snapshots_len, QCOW2_USE_SNAPSHOTS);
	if (h->bitmaps)
		qcow2_use(q, h->bitmaps_off, h->bitmaps_size, QCOW2_USE_BITMAPS);
	if (h->luks_off)
		qcow2_use(q, h->luks_off, h->luks_len, QCOW2_USE_LUKS);
	if (h->l1_size)
		qcow2_use(q, h->l1_off, (uint64_t)h->l1_size * 8, QCOW2_USE_L1);
	qcow2_use(q, h->reftable_off, (uint64_t)h->reftable_clusters * size, QCOW2_USE_REFTABLE);
	qcow2_use(q, 0, size, QCOW2_USE_HEADER);
}

static bool load_tables(struct qcow2 *q, uint64_t file_size, bool repairs, GError **error)
{
	const struct qcow2_header *h = q->header;
	const uint32_t reftable_size =
		(uint32_t)(((uint64_t)h->reftable_clusters << q->cluster_bits) / 8);
	const size_t piece = (size_t)MIN(qcow2_cluster_size(q), (uint64_t)QCOW2_PIECE);

	if (!qcow2_table_load(q, &q->l1, h->l1_off, h->l1_size, "L1 table", error) ||
	    !qcow2_load_snapshots(q, repairs, error))
		return false;
	qcow2_cache_init(&q->cache, piece, cache_slots(q, piece));
	if (!q->writable)
		return true;
	if (!qcow2_table_load(q, &q->reftable, h->reftable_off, reftable_size,
			      "reference count table", error))
		return false;
	q->end = qcow2_clusters(q, file_size);
	note_uses(q);
	return true;
}

/* Whoever had it open did not close it: its counts are anything. */
static bool repair_dirty(const char *name, struct block_file *file, GError **error)
{
	struct qcow2_check before, after;
	struct qcow2_repaired repaired;

	if (!qcow2_repair(name, file, QCOW2_REPAIR_ALL, NULL, &before, &after, &repaired, error))
		return false;
	if (after.corruptions)
		return error_set(error, SOCLE_ERROR_CORRUPT,
				 "image '%s' was not closed, and what is wrong with it cannot all "
				 "be repaired; open it for reading only and copy what can be read",
				 name);
	return true;
}

struct qcow2 *qcow2_open_file(const char *name, struct block_file *file, unsigned flags,
			      GError **error)
{
	autoptr(qcow2) q = g_new0(struct qcow2, 1);
	const int64_t size = block_file_size(file);

	q->base.ops = &image_qcow2_ops;
	q->epoch = epoch_new();
	q->kept = qcow2_bitmaps_new();
	pthread_mutex_init(&q->lock, NULL);
	pthread_mutex_init(&q->unpacked_lock, NULL);
	pthread_mutex_init(&q->packers_lock, NULL);
	q->name = g_strdup(name);
	q->file = q->data = file;
	q->writable = flags & IMAGE_WRITE;
	q->quarantine = g_array_new(FALSE, FALSE, sizeof(struct qcow2_quarantined));
	if (size < 0) {
		error_sys(error, (int)size, "cannot find out the size of image '%s'", name);
		return NULL;
	}
	if (!read_head(q, (uint64_t)size, error))
		return NULL;
	take_geometry(q);
	if (!check_usable(q, flags, error) || !qcow2_crypt_open(q, flags, error))
		return NULL;
	if (q->writable && q->header->incompatible & QCOW2_DIRTY && !(flags & IMAGE_CHECK)) {
		if (!repair_dirty(name, file, error))
			return NULL;
		return qcow2_open_file(name, file, flags, error);
	}
	if (!load_tables(q, (uint64_t)size, flags & IMAGE_CHECK && q->writable, error) ||
	    !open_data(q, flags, error))
		return NULL;
	return g_steal_pointer(&q);
}

static struct image *open_image(const char *path, struct block_file *file, unsigned flags,
				GError **error)
{
	struct qcow2 *q = qcow2_open_file(path, file, flags, error);

	return q ? &q->base : NULL;
}

/* ---- close ---- */

void qcow2_free(struct qcow2 *q)
{
	if (!q)
		return;
	if (q->cache.hash)
		qcow2_cache_release(q);
	qcow2_table_release(&q->l1);
	qcow2_table_release(&q->reftable);
	qcow2_header_free(q->header);
	crypt_cipher_free(q->cipher);
	g_free(q->luks);
	if (q->owns_data)
		block_file_close(q->data);
	g_clear_pointer(&q->snapshots, g_ptr_array_unref);
	g_clear_pointer(&q->uses, g_hash_table_unref);
	g_array_unref(q->quarantine);
	epoch_free(q->epoch);
	g_ptr_array_unref(q->kept);
	pthread_mutex_destroy(&q->lock);
	pthread_mutex_destroy(&q->unpacked_lock);
	qcow2_free_packers(q);
	pthread_mutex_destroy(&q->packers_lock);
	g_free(q->base.backing_file);
	g_free(q->base.backing_format);
	g_free(q->data_name);
	g_free(q->unpacked);
	g_free(q->head);
	g_free(q->name);
	g_free(q);
}

/* What has gone wrong before is told already: then they stay in use. */
static void put_bitmaps(struct qcow2 *q)
{
	g_autoptr(GError) error = NULL;

	if (q->kept->len && !q->broken &&
	    !(qcow2_bitmap_begin(q, &error) && qcow2_bitmap_end(q, true, &error)))
		log_warning("bitmaps are not saved, and say nothing any more: %s", error->message);
}

void qcow2_close(struct qcow2 *q)
{
	put_bitmaps(q);
	/* If any of it fails the image stays dirty, or loses space. */
	if ((q->changing || q->dirtied) && !q->broken && qcow2_flush_locked(q, NULL) &&
	    is_lazy(q) && qcow2_write_counts(q, NULL) && qcow2_sync(q, NULL)) {
		q->header->incompatible &= ~(uint64_t)QCOW2_DIRTY;
		(void)qcow2_update_header(q, NULL);
	}
	qcow2_free(q);
}

static void close_image(struct image *image)
{
	/* image_close() has freed these. */
	image->backing_file = image->backing_format = NULL;
	qcow2_close(qcow2_of(image));
}

const struct qcow2_header *qcow2_get_header(struct image *image)
{
	return qcow2_of(image)->header;
}

const struct image_ops image_qcow2_ops = {
	.format = "qcow2",
	.create_options = qcow2_options,
	.probe = probe,
	.open = open_image,
	.unlock = qcow2_unlock,
	.create = qcow2_create,
	.close = close_image,
	.read = qcow2_read,
	.write = qcow2_write,
	.zero = qcow2_zero,
	.discard = qcow2_discard,
	.flush = flush,
	.map = qcow2_map,
	.resize = qcow2_resize,
	.pack = qcow2_pack,
	.write_packed = qcow2_write_packed,
};
