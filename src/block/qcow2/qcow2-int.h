/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * qcow2-int.h - what the parts of the qcow2 engine know of each other
 *
 * The head of qcow2.c says how it works and has the invariants. All functions here are called with
 * the image's lock held, but for those that say that they take it, or do without.
 */
#ifndef BLOCK_QCOW2_QCOW2_INT_H
#define BLOCK_QCOW2_QCOW2_INT_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/bytes.h"
#include "block/crypt/cipher.h"
#include "block/epoch.h"
#include "block/qcow2/qcow2.h"

#define QCOW2_OFFSET     UINT64_C(0x00fffffffffffe00)
#define QCOW2_COPIED     (UINT64_C(1) << 63)
#define QCOW2_COMPRESSED (UINT64_C(1) << 62)
#define QCOW2_ZERO_FLAG  UINT64_C(1)
#define QCOW2_END        (UINT64_C(1) << 56) /* host offsets are below */

enum {
	QCOW2_PIECE = 4096, /* bytes of a table that the cache holds together, at most */
	QCOW2_SECTOR = 512,
};

/* A table that is in memory as a whole: L1, or that of refcount blocks. */
struct qcow2_table {
	uint64_t off;
	uint32_t size;   /* entries */
	uint64_t *entry; /* [atomic]; changed by qcow2_table_set() only */
	uint8_t *dirty;  /* by sectors */
	bool any_dirty;
};

enum qcow2_piece_kind {
	QCOW2_PIECE_L2,
	QCOW2_PIECE_COUNTS,
	QCOW2_PIECE_KINDS,
};

/*
 * What is [atomic] is read without the lock, inside of q->epoch. A piece that leaves the cache stays as
 * it is until those are gone who may have found it.
 */
struct qcow2_piece {
	uint64_t off; /* in the file */
	enum qcow2_piece_kind kind;
	bool dirty;
	unsigned gone;                           /* it was in this epoch that it left the cache */
	atomic_uint sequence;                    /* odd: an entry of two words is being changed */
	atomic_bool wanted;                      /* since it was last looked at as a victim */
	_Atomic(struct qcow2_piece *) hash_next; /* [atomic] */
	GList link;                              /* in cache.lru or cache.gone */
	_Alignas(8) uint8_t bytes[];             /* [atomic] by 8 bytes, of L2 tables */
};

struct qcow2_cache {
	_Atomic(struct qcow2_piece *) *hash; /* [atomic] */
	unsigned hash_size, slots, used;     /* hash_size is a power of two */
	unsigned dirty[QCOW2_PIECE_KINDS];
	GQueue lru;   /* the youngest first */
	GQueue gone;  /* the oldest first */
	size_t piece; /* bytes, a power of two */
	unsigned piece_bits;
};

/* References that are to go once what had them is gone durably. */
struct qcow2_quarantined {
	uint64_t cluster, count;
};

/* What a cluster of metadata is for; the names are in refcount.c. */
enum qcow2_use {
	QCOW2_USE_HEADER = 1,
	QCOW2_USE_L1,
	QCOW2_USE_L2,
	QCOW2_USE_REFTABLE,
	QCOW2_USE_COUNTS,
	QCOW2_USE_SNAPSHOTS,
	QCOW2_USE_SNAPSHOT_L1,
	QCOW2_USE_BITMAPS,
	QCOW2_USE_LUKS,
};

struct luks_header;
struct luks_options;

struct qcow2 {
	struct image base;
	pthread_mutex_t lock; /* guards all that follows but for what does not change */
	/*
	 * Who reads looks into the tables without the lock, and is inside until he has read what he
	 * found; so is who overwrites in place. What may be found is not changed but by atomic steps;
	 * who needs more closes it: qcow2_lock_alone().
	 */
	struct epoch *epoch;

	/* These do not change while it is open. */
	bool external;                  /* it has a data file */
	char *name, *data_name;         /* the latter NULL without a data file */
	struct block_file *file, *data; /* data == file, or the data file that it has */
	bool owns_data, writable;
	unsigned cluster_bits, entry_bits, entry_len, subclusters;
	unsigned l2_bits; /* an L2 table has 2^n entries */

	struct qcow2_header *header;
	unsigned block_bits; /* a refcount block has 2^n counts */
	uint64_t count_max;
	uint8_t *head; /* the first cluster, as it is in the file */
	struct qcow2_table l1, reftable;
	struct qcow2_cache cache;
	struct luks_header *luks;    /* NULL: none, or none that can be read (IMAGE_CHECK) */
	struct crypt_cipher *cipher; /* NULL: not encrypted, or locked */

	GPtrArray *snapshots;   /* struct qcow2_snapshot */
	uint64_t snapshots_len; /* bytes of their table */

	GHashTable *uses;   /* cluster -> enum qcow2_use; of images that are written to */
	uint64_t uses_end;  /* no cluster from here on is in it */
	GArray *quarantine; /* struct qcow2_quarantined */
	uint64_t hint;      /* no cluster below it is free, but for those in quarantine */
	uint64_t end;       /* no cluster from here on is in use */
	uint64_t tail;      /* bytes: compressed data may go on here; 0: nowhere */

	bool making; /* nobody has it yet: its order on disk means nothing, and who makes it syncs */
	bool changing;    /* the header says that somebody writes */
	bool dirtied;     /* the dirty bit is ours */
	GPtrArray *kept;  /* of bitmaps that are in use by us (bitmap-keep.c) */
	bool bitmaps_new; /* the list has changed: automatic ones do not say so yet */
	bool unsynced, data_unsynced;
	bool hides;  /* zeroes are to hide what is going to stand behind the image */
	bool broken; /* nobody knows what is on disk: only reading is left */

	pthread_mutex_t unpacked_lock; /* of its own, as reads go on without the other */
	uint64_t unpacked_entry;       /* what @unpacked has the bytes of; 0: nothing */
	uint8_t *unpacked;

	pthread_mutex_t packers_lock;
	struct qcow2_packer *packers; /* that nobody packs with at the moment */

	/* By qcow2_direct_end(), since the last flush. Not beside what is read as one word. */
	atomic_bool direct_written;
};

static inline struct qcow2 *qcow2_of(struct image *image)
{
	return container_of(image, struct qcow2, base);
}

static inline uint64_t qcow2_cluster_size(const struct qcow2 *q)
{
	return UINT64_C(1) << q->cluster_bits;
}

static inline uint64_t qcow2_clusters(const struct qcow2 *q, uint64_t bytes)
{
	return (bytes >> q->cluster_bits) + !!(bytes & (qcow2_cluster_size(q) - 1));
}

/* ---- qcow2.c ---- */

/* Pieces in the caches of images that are opened from now on; 0: as it should be. Tests only. */
extern unsigned qcow2_test_slots;
/* The data file of images that have one, whatever its name is; not closed. Tests only. */
extern struct block_file *qcow2_test_data;
/* qcow2_assert() looks at everything. Tests only. */
extern bool qcow2_test_checks;

/* "image 'x' ...", as corrupt. False. */
bool qcow2_bad(const struct qcow2 *q, GError **error, const char *format, ...) G_GNUC_PRINTF(3, 4);
/* As above, and says in the header that the image is corrupt, so that nobody writes to it. */
bool qcow2_mark_corrupt(struct qcow2 *q, GError **error, const char *format, ...)
	G_GNUC_PRINTF(3, 4);
/* To be called before anything is changed. */
bool qcow2_begin_change(struct qcow2 *q, GError **error);
/* Writes the fields of q->header, one sector, and syncs. What it refers to is durable. */
bool qcow2_update_header(struct qcow2 *q, GError **error);
/* All of the header anew, with its names. */
bool qcow2_rewrite_header(struct qcow2 *q, GError **error);
bool qcow2_flush_locked(struct qcow2 *q, GError **error);
/* For what is not crash-proof on the way: dirty while it lasts (version 3). */
bool qcow2_set_dirty(struct qcow2 *q, bool dirty, GError **error);
struct qcow2 *qcow2_open_file(const char *name, struct block_file *file, unsigned flags,
			      GError **error);
/* Writes what is left to be written. The file stays open. */
void qcow2_close(struct qcow2 *q);
void qcow2_free(struct qcow2 *q);
DEFINE_AUTOPTR(qcow2, qcow2_free);

bool qcow2_file_read(struct qcow2 *q, uint64_t off, void *buf, size_t len, const char *what,
		     GError **error);
bool qcow2_file_write(struct qcow2 *q, uint64_t off, const void *buf, size_t len, const char *what,
		      GError **error);
bool qcow2_file_zero(struct qcow2 *q, uint64_t off, uint64_t len, GError **error);
/* Guest data of @off, to @host of the file, encrypted if the image is; then as it is. */
bool qcow2_data_write(struct qcow2 *q, uint64_t off, uint64_t host, const void *buf, size_t len,
		      GError **error);
bool qcow2_data_write_plain(struct qcow2 *q, uint64_t off, const void *buf, size_t len,
			    GError **error);
bool qcow2_sync(struct qcow2 *q, GError **error);

/* Take the lock; nobody is on the short way, and none begins. */
void qcow2_lock_alone(struct qcow2 *q);
void qcow2_unlock_alone(struct qcow2 *q);

/* ---- table.c ---- */

bool qcow2_table_load(struct qcow2 *q, struct qcow2_table *table, uint64_t off, uint32_t size,
		      const char *what, GError **error);
void qcow2_table_release(struct qcow2_table *table);
void qcow2_table_set(struct qcow2_table *table, uint32_t index, uint64_t value);
/* [any] */
static inline uint64_t qcow2_table_peek(const struct qcow2_table *table, uint32_t index)
{
	return atomic_load_explicit((const _Atomic(uint64_t) *)&table->entry[index],
				    memory_order_acquire);
}

/* The dirty sectors. */
bool qcow2_table_write(struct qcow2 *q, struct qcow2_table *table, const char *what,
		       GError **error);
/* All @size entries of @entry at @off. */
bool qcow2_table_write_all(struct qcow2 *q, uint64_t off, const uint64_t *entry, uint32_t size,
			   const char *what, GError **error);

void qcow2_cache_init(struct qcow2_cache *cache, size_t piece, unsigned slots);
void qcow2_cache_release(struct qcow2 *q);
/* The piece at @off, a multiple of cache.piece; lives until the next call of the cache. */
struct qcow2_piece *qcow2_cache_get(struct qcow2 *q, enum qcow2_piece_kind kind, uint64_t off,
				    GError **error);
/* What is there without reading, or NULL. With the lock, or inside. */
struct qcow2_piece *qcow2_cache_peek(struct qcow2 *q, uint64_t off);
/* A word of an L2 table. [any] may get it. */
static inline uint64_t qcow2_get_word(const uint8_t *at)
{
	const uint64_t raw = atomic_load_explicit((const _Atomic(uint64_t) *)(const void *)at,
						  memory_order_acquire);

	return get_be64(&raw);
}

void qcow2_put_word(uint8_t *at, uint64_t value);
void qcow2_cache_dirty(struct qcow2 *q, struct qcow2_piece *piece);
bool qcow2_cache_write(struct qcow2 *q, enum qcow2_piece_kind kind, GError **error);
/* Nobody needs what these clusters had any more, nor to have it written. */
void qcow2_cache_drop(struct qcow2 *q, uint64_t off, uint64_t len);

/* ---- refcount.c ---- */

/* The count with that index in a block of counts of 2^@order bits. */
uint64_t qcow2_count_in(unsigned order, const uint8_t *bytes, uint64_t index);
void qcow2_set_count_in(unsigned order, uint8_t *bytes, uint64_t index, uint64_t count);
/* Counts are as wide as the header says. */
void qcow2_take_width(struct qcow2 *q);
/* Where the block with a cluster's count is; 0: there is none. */
bool qcow2_count_block(struct qcow2 *q, uint64_t cluster, uint64_t *ret_off, GError **error);

bool qcow2_get_count(struct qcow2 *q, uint64_t cluster, uint64_t *ret, GError **error);
/* False if that would need reading, or there is none. */
bool qcow2_peek_count(struct qcow2 *q, uint64_t cluster, uint64_t *ret);
/* +1 or -1 for each; nothing is changed if that fails. */
bool qcow2_add_count(struct qcow2 *q, uint64_t cluster, uint64_t n, int add, GError **error);
/* At least one, at most @n, one behind the other; counted once. */
bool qcow2_alloc(struct qcow2 *q, uint64_t n, uint64_t *ret_cluster, uint64_t *ret_n,
		 GError **error);
/* All @n, for a table. */
bool qcow2_alloc_all(struct qcow2 *q, uint64_t n, uint64_t *ret_cluster, GError **error);
/* This one, if it is free. */
bool qcow2_alloc_at(struct qcow2 *q, uint64_t cluster, bool *ret_done, GError **error);
/* For repair: whatever it was before, and whether or not there is a block for it. */
bool qcow2_set_count(struct qcow2 *q, uint64_t cluster, uint64_t count, GError **error);
/* For repair: whatever the table says for that block, it is taken as not there. */
void qcow2_forget_block(struct qcow2 *q, uint64_t index);
/* Give back what nothing on disk refers to. */
void qcow2_unalloc(struct qcow2 *q, uint64_t cluster, uint64_t n);
/* Once the tables in memory are durable nothing refers to them. */
void qcow2_free_later(struct qcow2 *q, uint64_t cluster, uint64_t n);
bool qcow2_drain_quarantine(struct qcow2 *q, GError **error);
/* Space goes back to the file system where that takes no writing. */
void qcow2_give_back(struct qcow2 *q, uint64_t cluster, uint64_t n);
/* Counts, and the table of their blocks. */
bool qcow2_write_counts(struct qcow2 *q, GError **error);

void qcow2_use(struct qcow2 *q, uint64_t off, uint64_t len, enum qcow2_use use);
void qcow2_unuse(struct qcow2 *q, uint64_t off, uint64_t len);
/* May guest data be written there? If not the image is corrupt from now on. */
bool qcow2_check_overlap(struct qcow2 *q, uint64_t off, uint64_t len, GError **error);

/* ---- width.c ---- */

/* Alone, and all has been flushed. If that fails nothing has changed, or q->broken is set. */
bool qcow2_change_width(struct qcow2 *q, unsigned order, GError **error);

/* ---- invariants.c ---- */

/* Between two changes; @flushed: just now. */
void qcow2_assert(struct qcow2 *q, bool flushed);

/* ---- map.c ---- */

/* What an entry of an L2 table says; without subclusters there is one. */
struct qcow2_state {
	uint64_t host; /* bytes; of compressed ones the whole entry */
	bool has_host, copied, compressed;
	uint32_t allocated, zero; /* by subclusters */
};

enum qcow2_kind {
	QCOW2_KIND_ABSENT,
	QCOW2_KIND_ZERO,
	QCOW2_KIND_DATA,
	QCOW2_KIND_PACKED,
};

struct qcow2_run {
	enum qcow2_kind kind;
	uint64_t len;          /* bytes */
	bool has_host, copied; /* copied: all of it, of DATA */
	uint64_t host;         /* of PACKED the entry */
};

static inline uint32_t qcow2_all(const struct qcow2 *q)
{
	return q->subclusters == 1 ? 1 : UINT32_MAX;
}

static inline uint64_t qcow2_subcluster_size(const struct qcow2 *q)
{
	return qcow2_cluster_size(q) / q->subclusters;
}

/* How many entries a piece has, and which of them is for @off. */
unsigned qcow2_piece_entries(const struct qcow2 *q);
unsigned qcow2_piece_index(const struct qcow2 *q, uint64_t off);
bool qcow2_decode(struct qcow2 *q, const struct qcow2_piece *piece, unsigned index,
		  struct qcow2_state *ret, GError **error);
void qcow2_encode(struct qcow2 *q, struct qcow2_piece *piece, unsigned index,
		  const struct qcow2_state *state);
/* The L2 table's piece that has the entry of @off; *ret NULL if there is no table. */
bool qcow2_l2_get(struct qcow2 *q, uint64_t off, struct qcow2_piece **ret, GError **error);
/* The same, but made, or made our own, so that it can be changed. */
struct qcow2_piece *qcow2_l2_change(struct qcow2 *q, uint64_t off, GError **error);
/* What is at @off, for at most @len bytes; may be less than there is. */
bool qcow2_lookup(struct qcow2 *q, uint64_t off, uint64_t len, struct qcow2_run *ret,
		  GError **error);
/* The same with the lock or inside; false: it needs the lock, or I/O, or is not well. */
bool qcow2_peek(struct qcow2 *q, uint64_t off, uint64_t len, struct qcow2_run *ret);
/* Host clusters of a compressed entry: the bytes of the first sector on to the last one's end. */
void qcow2_packed_range(const struct qcow2 *q, uint64_t entry, uint64_t *ret_off,
			uint64_t *ret_len);
/* Bytes that reach behind the image's end read as zero. */
bool qcow2_read_locked(struct qcow2 *q, uint64_t off, void *buf, size_t len, GError **error);
bool qcow2_read(struct image *image, uint64_t off, void *buf, size_t len, GError **error);
bool qcow2_map(struct image *image, uint64_t off, uint64_t len, struct image_extent *ret_extent,
	       GError **error);
/*
 * Does it read as zero, as far as can be told without reading data? @behind: also where that is by what
 * stands behind it now.
 */
bool qcow2_is_zero(struct qcow2 *q, uint64_t off, uint64_t len, bool behind, bool *ret,
		   GError **error);

/* ---- compress.c ---- */

/* As image_ops.pack(). */
ssize_t qcow2_pack(struct image *image, const void *in, void *out);
void qcow2_free_packers(struct qcow2 *q);
/* False: it is not what makes @out_len bytes. */
bool qcow2_unpack(enum qcow2_compression type, const void *in, size_t in_len, void *out,
		  size_t out_len);

/* ---- noise.c ---- */

/* Would deflate hardly make it shorter? Of short ones nobody says so. */
bool qcow2_is_noise(const void *bytes, size_t len);

/* ---- crypt.c ---- */

static inline bool qcow2_is_encrypted(const struct qcow2 *q)
{
	return q->header->crypt != QCOW2_CRYPT_NONE;
}

/* Look at the LUKS header, if there is one; the image is locked then. */
bool qcow2_crypt_open(struct qcow2 *q, unsigned flags, GError **error);
/* As image_ops.unlock(). */
bool qcow2_unlock(struct image *image, const struct secret *secret, GError **error);
/* What the guest has at @off, which is at @host of the file. */
bool qcow2_crypt_read(struct qcow2 *q, uint64_t off, uint64_t host, void *buf, size_t len,
		      GError **error);
bool qcow2_crypt_write(struct qcow2 *q, uint64_t off, uint64_t host, const void *buf, size_t len,
		       GError **error);
/* How is a new image to be encrypted? */
bool qcow2_crypt_wanted(const struct image_create *what, enum qcow2_crypt *ret,
			struct luks_options *ret_options, GError **error);
/* So is an empty image from now on, and locked. @options: of LUKS. */
bool qcow2_crypt_create(struct qcow2 *q, enum qcow2_crypt how, const struct luks_options *options,
			const struct secret *secret, GError **error);

/* ---- write.c ---- */

bool qcow2_write_locked(struct qcow2 *q, uint64_t off, const void *buf, size_t len, GError **error);
bool qcow2_write(struct image *image, uint64_t off, const void *buf, size_t len, GError **error);
bool qcow2_write_packed(struct image *image, uint64_t off, const void *data, size_t len,
			GError **error);
/* Allocate what is not, with contents of zero that are in no file yet. */
bool qcow2_preallocate(struct qcow2 *q, uint64_t off, uint64_t len, GError **error);
/* Queue what a state refers to for being freed. */
void qcow2_release_state(struct qcow2 *q, const struct qcow2_state *state);

/* ---- zero.c ---- */

bool qcow2_zero_locked(struct qcow2 *q, uint64_t off, uint64_t len, bool unmap, GError **error);
bool qcow2_zero(struct image *image, uint64_t off, uint64_t len, bool unmap, GError **error);
bool qcow2_discard(struct image *image, uint64_t off, uint64_t len, GError **error);
/* Whole clusters become absent, whatever is behind. */
bool qcow2_forget(struct qcow2 *q, uint64_t off, uint64_t len, GError **error);

/* ---- resize.c ---- */

/* Are zeroes written for it, and not only noted? */
bool qcow2_preallocation_writes(const struct qcow2 *q, enum qcow2_preallocation how);
/* As qcow2_preallocate_new(). */
bool qcow2_preallocate_as(struct qcow2 *q, uint64_t off, enum qcow2_preallocation how,
			  GError **error);
bool qcow2_resize_locked(struct qcow2 *q, uint64_t size, GError **error);
bool qcow2_resize(struct image *image, uint64_t size, GError **error);
/* Entries that an L1 table needs for @size bytes. */
uint64_t qcow2_l1_entries(const struct qcow2 *q, uint64_t size);
/* A longer L1, durably; the old one goes. Everything else has been flushed. */
bool qcow2_grow_l1(struct qcow2 *q, uint32_t size, GError **error);

/* ---- create.c ---- */

extern const struct image_option qcow2_options[];
/* What the options say, without tables. */
struct qcow2_header *qcow2_create_header(const struct image_create *what, GError **error);
bool qcow2_create_preallocation(const struct image_create *what, enum qcow2_preallocation *ret,
				GError **error);
bool qcow2_create(struct block_file *file, const struct image_create *what, GError **error);

/* ---- bitmap-keep.c ---- */

GPtrArray *qcow2_bitmaps_new(void);
/* Automatic bitmaps are in use from now on, and in memory if that is possible. */
bool qcow2_bitmaps_take(struct qcow2 *q, GError **error);
/* The guest's bytes there have changed, or are about to. */
void qcow2_bitmaps_mark(struct qcow2 *q, uint64_t off, uint64_t len);
/* qcow2_begin_change(), and that. */
bool qcow2_begin_data(struct qcow2 *q, uint64_t off, uint64_t len, GError **error);
/* All are in memory then, and for that size. False: some cannot be, and none has changed. */
bool qcow2_bitmaps_resize(struct qcow2 *q, uint64_t size, GError **error);
/* The image did not get that size after all. */
void qcow2_bitmaps_fit(struct qcow2 *q);
/* What is in memory is in the image again, between qcow2_bitmap_begin() and _end(). */
bool qcow2_bitmaps_put(struct qcow2 *q, GError **error);

/* ---- snapshot.c ---- */

void qcow2_snapshot_free(void *snapshot);
/* @cut: extra data that is too long is cut, and not refused. */
bool qcow2_load_snapshots(struct qcow2 *q, bool cut, GError **error);
/* How many of the snapshots a list may have, by its length? */
bool qcow2_snapshots_fit(const char *name, struct block_file *file,
			 const struct qcow2_header *header, uint32_t *ret, GError **error);
/* The same list anew, with all data that an entry of version 3 has, durably. */
bool qcow2_rewrite_snapshots(struct qcow2 *q, GError **error);

/* ---- refs.c ---- */

/*
 * All that these L1 entries refer to, tables and data: one more reference to each, or none if that
 * fails; or one less, later. What is in the file counts, not what is in the cache.
 */
bool qcow2_ref_all(struct qcow2 *q, const uint64_t *l1, uint32_t size, GError **error);
/* @now: not by the quarantine, as nothing has been written that says otherwise. */
bool qcow2_unref_all(struct qcow2 *q, const uint64_t *l1, uint32_t size, bool now, GError **error);
/* Make the COPIED flags of the active tables what the counts say; *ret_fixed may be NULL. */
bool qcow2_fix_copied(struct qcow2 *q, uint64_t *ret_fixed, GError **error);
/* All off, so that nobody overwrites in place what is about to be shared. */
bool qcow2_clear_copied(struct qcow2 *q, GError **error);

#endif
