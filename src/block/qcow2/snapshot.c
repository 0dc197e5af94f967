/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * snapshot.c - internal snapshots of a qcow2 image
 *
 * A snapshot is a copy of the L1 table, and one reference more to everything that it reaches. Each
 * operation flushes, sets the dirty bit, and clears it when counts and COPIED flags agree again.
 * Version 2 has no such bit: there the flags go first and come back last. The list of snapshots is
 * written anew each time, and the header switched to it.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/error.h"
#include "block/qcow2/qcow2-int.h"

enum {
	/* Of an entry in the list. */
	S_L1_OFF = 0,
	S_L1_SIZE = 8,
	S_ID_LEN = 12,
	S_NAME_LEN = 14,
	S_DATE = 16,
	S_DATE_NS = 20,
	S_CLOCK = 24,
	S_VM_SIZE = 32,
	S_EXTRA_LEN = 36,
	S_LEN = 40,
	E_VM_SIZE = 0, /* of the extra data */
	E_DISK_SIZE = 8,
	E_ICOUNT = 16,
	E_LEN = 24,

	MAX_EXTRA = 1024,
	MAX_TABLE = 64 << 20,
};

void qcow2_snapshot_free(void *opaque)
{
	struct qcow2_snapshot *s = opaque;

	g_free(s->id);
	g_free(s->name);
	g_clear_pointer(&s->extra, g_bytes_unref);
	g_free(s);
}

/* ---- the list ---- */

static void take_extra(struct qcow2_snapshot *s, const uint8_t *extra, size_t len)
{
	s->icount = UINT64_MAX;
	if (len >= E_VM_SIZE + 8)
		s->vm_size = get_be64(extra + E_VM_SIZE);
	if (len >= E_DISK_SIZE + 8)
		s->disk_size = get_be64(extra + E_DISK_SIZE);
	if (len >= E_ICOUNT + 8)
		s->icount = get_be64(extra + E_ICOUNT);
	if (len > E_LEN)
		s->extra = g_bytes_new(extra + E_LEN, len - E_LEN);
}

static bool check_snapshot(struct qcow2 *q, const struct qcow2_snapshot *s, GError **error)
{
	if (s->l1_size <= QCOW2_MAX_L1 / 8 && !(s->l1_off & (qcow2_cluster_size(q) - 1)) &&
	    s->l1_off < QCOW2_END && s->disk_size <= INT64_MAX)
		return true;
	return qcow2_bad(q, error,
			 "has a snapshot that cannot be; repair it with `socle-img check "
			 "-r all`");
}

static char *new_id(const struct qcow2 *q)
{
	unsigned long max = 0;

	for (unsigned i = 0; i < q->snapshots->len; i++) {
		const struct qcow2_snapshot *s = g_ptr_array_index(q->snapshots, i);
		const unsigned long id = strtoul(s->id, NULL, 10);

		if (id < ULONG_MAX)
			max = MAX(max, id);
	}
	return g_strdup_printf("%lu", max + 1);
}

static void name_anew(struct qcow2 *q, struct qcow2_snapshot *s)
{
	char *id = new_id(q);

	g_free(s->id);
	s->id = id;
	if (*s->name)
		return;
	g_free(s->name);
	s->name = g_strdup_printf("snapshot-%s", id);
}

/* One entry of the list at *off, which goes on behind it; @cut: extra data that is too long. */
static bool load_one(struct qcow2 *q, uint64_t *off, bool cut, GError **error)
{
	struct qcow2_snapshot *s;
	uint8_t fixed[S_LEN];
	g_autofree uint8_t *rest = NULL;
	size_t extra, kept, id, name;

	if (!qcow2_file_read(q, *off, fixed, S_LEN, "list of snapshots", error))
		return false;
	extra = get_be32(fixed + S_EXTRA_LEN);
	id = get_be16(fixed + S_ID_LEN);
	name = get_be16(fixed + S_NAME_LEN);
	kept = MIN(extra, (size_t)MAX_EXTRA);
	if (extra > MAX_EXTRA && !cut)
		return qcow2_bad(q, error,
				 "has too much extra metadata in snapshot table entry %u; you can "
				 "force-remove it with `socle-img check -r all`",
				 q->snapshots->len);
	rest = g_malloc(kept + id + name + 1);
	if (!qcow2_file_read(q, *off + S_LEN, rest, kept, "list of snapshots", error) ||
	    !qcow2_file_read(q, *off + S_LEN + extra, rest + kept, id + name, "list of snapshots",
			     error))
		return false;
	s = g_new0(struct qcow2_snapshot, 1);
	g_ptr_array_add(q->snapshots, s);
	s->l1_off = get_be64(fixed + S_L1_OFF);
	s->l1_size = get_be32(fixed + S_L1_SIZE);
	s->date_s = get_be32(fixed + S_DATE);
	s->date_ns = get_be32(fixed + S_DATE_NS);
	s->vm_clock_ns = get_be64(fixed + S_CLOCK);
	s->vm_size = get_be32(fixed + S_VM_SIZE);
	s->disk_size = q->header->size;
	take_extra(s, rest, kept);
	s->id = g_strndup((char *)rest + kept, id);
	s->name = g_strndup((char *)rest + kept + id, name);
	/* What was behind too much extra data may be lost: it can be found by this. */
	if (cut && extra > MAX_EXTRA && !*s->id)
		name_anew(q, s);
	*off += (S_LEN + extra + id + name + 7) & ~UINT64_C(7);
	return check_snapshot(q, s, error);
}

bool qcow2_load_snapshots(struct qcow2 *q, bool cut, GError **error)
{
	const uint64_t begin = q->header->snapshots_off;
	uint64_t off = begin;

	q->snapshots = g_ptr_array_new_with_free_func(qcow2_snapshot_free);
	for (uint32_t i = 0; i < q->header->snapshots; i++) {
		if (!load_one(q, &off, cut, error))
			return false;
		if (off - begin > MAX_TABLE && !cut)
			return qcow2_bad(q, error,
					 "has a snapshot table that is too big; you can "
					 "force-remove the overhanging %u of its %u snapshots with "
					 "`socle-img check -r all`",
					 q->header->snapshots - i, q->header->snapshots);
	}
	q->snapshots_len = off - begin;
	/* The last one may say that it reaches behind the end, where nothing is counted. */
	if (cut && off > begin) {
		const int64_t size = MAX(block_file_size(q->file), 0);
		const uint64_t end = qcow2_clusters(q, (uint64_t)size) << q->cluster_bits;

		q->snapshots_len = MIN(off, MAX(end, begin)) - begin;
	}
	return true;
}

bool qcow2_snapshots_fit(const char *name, struct block_file *file,
			 const struct qcow2_header *header, uint32_t *ret, GError **error)
{
	const int64_t size = block_file_size(file);
	uint64_t off = header->snapshots_off, len = 0; /* the latter without what is cut off */
	uint32_t i;

	for (i = 0; i < header->snapshots && off < (uint64_t)MAX(size, 0); i++) {
		uint8_t fixed[S_LEN];
		const int err = block_file_read(file, off, fixed, S_LEN);
		uint64_t names, extra;

		if (err < 0)
			return error_sys(error, err,
					 "cannot read the list of snapshots of image '%s'", name);
		names = (uint64_t)get_be16(fixed + S_ID_LEN) + get_be16(fixed + S_NAME_LEN);
		extra = get_be32(fixed + S_EXTRA_LEN);
		/* It is written with all that is known, whatever there was. */
		len += S_LEN + names + CLAMP(extra, (uint64_t)E_LEN, (uint64_t)MAX_EXTRA);
		if (len > MAX_TABLE)
			break;
		len = (len + 7) & ~UINT64_C(7);
		off += (S_LEN + names + extra + 7) & ~UINT64_C(7);
	}
	/* What lies behind the end of the file is not for us to judge. */
	*ret = len > MAX_TABLE ? i : header->snapshots;
	return true;
}

static void append_one(GByteArray *bytes, const struct qcow2_snapshot *s)
{
	static const uint8_t padding[8];
	const size_t unknown = s->extra ? g_bytes_get_size(s->extra) : 0;
	const size_t id = strlen(s->id), name = strlen(s->name);
	uint8_t fixed[S_LEN + E_LEN] = { 0 };

	put_be64(fixed + S_L1_OFF, s->l1_off);
	put_be32(fixed + S_L1_SIZE, s->l1_size);
	put_be16(fixed + S_ID_LEN, (uint16_t)id);
	put_be16(fixed + S_NAME_LEN, (uint16_t)name);
	put_be32(fixed + S_DATE, (uint32_t)s->date_s);
	put_be32(fixed + S_DATE_NS, s->date_ns);
	put_be64(fixed + S_CLOCK, s->vm_clock_ns);
	put_be32(fixed + S_VM_SIZE, s->vm_size > UINT32_MAX ? 0 : (uint32_t)s->vm_size);
	put_be32(fixed + S_EXTRA_LEN, (uint32_t)(E_LEN + unknown));
	put_be64(fixed + S_LEN + E_VM_SIZE, s->vm_size);
	put_be64(fixed + S_LEN + E_DISK_SIZE, s->disk_size);
	put_be64(fixed + S_LEN + E_ICOUNT, s->icount);
	g_byte_array_append(bytes, fixed, sizeof(fixed));
	if (unknown)
		g_byte_array_append(bytes, g_bytes_get_data(s->extra, NULL), (guint)unknown);
	g_byte_array_append(bytes, (const uint8_t *)s->id, (guint)id);
	g_byte_array_append(bytes, (const uint8_t *)s->name, (guint)name);
	g_byte_array_append(bytes, padding, (8 - bytes->len % 8) % 8);
}

/* What is in q->snapshots, durably. If it fails the header has the old list or is @broken. */
static bool write_list(struct qcow2 *q, GError **error)
{
	g_autoptr(GByteArray) bytes = g_byte_array_new();
	const uint64_t old_off = q->header->snapshots_off, old_len = q->snapshots_len;
	uint64_t cluster = 0, clusters;

	for (unsigned i = 0; i < q->snapshots->len; i++)
		append_one(bytes, g_ptr_array_index(q->snapshots, i));
	if (bytes->len > MAX_TABLE || q->snapshots->len > QCOW2_MAX_SNAPSHOTS)
		return error_set(error, SOCLE_ERROR_LIMIT,
				 "image '%s' has too many snapshots; delete some", q->name);
	clusters = qcow2_clusters(q, bytes->len);
	if (clusters && !qcow2_alloc_all(q, clusters, &cluster, error))
		return false;
	if ((clusters && !qcow2_file_write(q, cluster << q->cluster_bits, bytes->data, bytes->len,
					   "list of snapshots", error)) ||
	    !qcow2_write_counts(q, error) || !qcow2_sync(q, error)) {
		qcow2_unalloc(q, cluster, clusters);
		return false;
	}
	q->header->snapshots = q->snapshots->len;
	q->header->snapshots_off = cluster << q->cluster_bits;
	if (!qcow2_update_header(q, error))
		return false;
	q->snapshots_len = bytes->len;
	if (old_len) {
		qcow2_unuse(q, old_off, old_len);
		qcow2_free_later(q, old_off >> q->cluster_bits, qcow2_clusters(q, old_len));
	}
	if (clusters)
		qcow2_use(q, cluster << q->cluster_bits, bytes->len, QCOW2_USE_SNAPSHOTS);
	return true;
}

bool qcow2_rewrite_snapshots(struct qcow2 *q, GError **error)
{
	return !q->snapshots->len || (write_list(q, error) && qcow2_flush_locked(q, error) &&
				      qcow2_write_counts(q, error) && qcow2_sync(q, error));
}

/* ---- finding ---- */

static struct qcow2_snapshot *find(struct qcow2 *q, const char *id_or_name, unsigned *ret_index,
				   GError **error)
{
	for (int by_name = 0; by_name < 2; by_name++) {
		for (unsigned i = 0; i < q->snapshots->len; i++) {
			struct qcow2_snapshot *s = g_ptr_array_index(q->snapshots, i);

			if (strcmp(by_name ? s->name : s->id, id_or_name))
				continue;
			*ret_index = i;
			return s;
		}
	}
	error_set(error, SOCLE_ERROR_NOT_FOUND, "image '%s' has no snapshot '%s'", q->name,
		  id_or_name);
	return NULL;
}

const GPtrArray *qcow2_snapshots(struct image *image)
{
	return qcow2_of(image)->snapshots;
}

const struct qcow2_snapshot *qcow2_snapshot_find(struct image *image, const char *id_or_name,
						 GError **error)
{
	unsigned index;

	return find(qcow2_of(image), id_or_name, &index, error);
}

/* ---- what all have in common ---- */

/*
 * Alone: what is being overwritten in place must not be shared before that has ended, and L1 may
 * become another one.
 */
static bool begin(struct qcow2 *q, GError **error)
{
	if (!q->writable)
		return error_set(error, SOCLE_ERROR_DENIED, "image '%s' is open for reading only",
				 q->name);
	if (q->header->incompatible & QCOW2_DATA_FILE)
		return error_set(error, SOCLE_ERROR_UNSUPPORTED,
				 "image '%s' has a data file, and so no snapshots of its own; put "
				 "an overlay in front of it",
				 q->name);
	return qcow2_begin_change(q, error) && qcow2_flush_locked(q, error) &&
	       qcow2_set_dirty(q, true, error);
}

/*
 * Counts are what they should be: so get the flags. If that fails nobody may trust a COPIED flag, so
 * nothing is written any more; the dirty bit stays, and whoever opens the image next repairs it.
 */
static bool end(struct qcow2 *q, GError **error)
{
	const bool ok = qcow2_flush_locked(q, error) && qcow2_fix_copied(q, NULL, error) &&
			qcow2_flush_locked(q, error) && qcow2_write_counts(q, error) &&
			qcow2_sync(q, error) && qcow2_set_dirty(q, false, error);

	if (!ok)
		q->broken = true;
	return ok;
}

/* A copy of an L1 table in the file, with a reference to all of it, durably. */
static bool copy_l1(struct qcow2 *q, const uint64_t *l1, uint32_t size, uint64_t *ret_off,
		    GError **error)
{
	const uint64_t clusters = qcow2_clusters(q, (uint64_t)size * 8);
	g_autofree uint64_t *copy = g_new(uint64_t, size + 1);
	uint64_t cluster = 0;

	for (uint32_t i = 0; i < size; i++)
		copy[i] = l1[i] & ~QCOW2_COPIED;
	if (!qcow2_ref_all(q, l1, size, error))
		return false;
	if (clusters && !qcow2_alloc_all(q, clusters, &cluster, error)) {
		(void)qcow2_unref_all(q, l1, size, true, NULL);
		return false;
	}
	*ret_off = cluster << q->cluster_bits;
	if (qcow2_write_counts(q, error) &&
	    (!clusters || qcow2_file_zero(q, *ret_off, clusters << q->cluster_bits, error)) &&
	    qcow2_table_write_all(q, *ret_off, copy, size, "L1 table", error) &&
	    qcow2_sync(q, error))
		return true;
	(void)qcow2_unref_all(q, l1, size, true, NULL);
	qcow2_unalloc(q, cluster, clusters);
	return false;
}

/* ---- create ---- */

static bool add_snapshot(struct qcow2 *q, const char *name, int64_t date_us, GError **error)
{
	struct qcow2_snapshot *s;
	uint64_t l1_off;

	/*
	 * A flag that is missing makes a copy in vain, one too many changes the snapshot: and of
	 * version 2 nobody repairs the flags after a power cut, as it has no dirty bit.
	 */
	if (q->header->version < 3 &&
	    (!qcow2_clear_copied(q, error) || !qcow2_flush_locked(q, error)))
		return false;
	if (!copy_l1(q, q->l1.entry, q->l1.size, &l1_off, error))
		return false;
	s = g_new0(struct qcow2_snapshot, 1);
	*s = (struct qcow2_snapshot){
		.id = new_id(q),
		.name = g_strdup(name),
		.disk_size = q->base.size,
		.date_s = date_us / G_USEC_PER_SEC,
		.date_ns = (uint32_t)(date_us % G_USEC_PER_SEC) * 1000,
		.icount = UINT64_MAX,
		.l1_off = l1_off,
		.l1_size = q->l1.size,
	};
	g_ptr_array_add(q->snapshots, s);
	if (write_list(q, error)) {
		qcow2_use(q, l1_off, (uint64_t)s->l1_size * 8, QCOW2_USE_SNAPSHOT_L1);
		return true;
	}
	g_ptr_array_remove_index(q->snapshots, q->snapshots->len - 1);
	if (!q->broken) {
		(void)qcow2_unref_all(q, q->l1.entry, q->l1.size, true, NULL);
		qcow2_unalloc(q, l1_off >> q->cluster_bits,
			      qcow2_clusters(q, (uint64_t)q->l1.size * 8));
	}
	return false;
}

bool qcow2_snapshot_create(struct image *image, const char *name, int64_t date_us, GError **error)
{
	struct qcow2 *q = qcow2_of(image);
	bool ok;

	if (!*name || strlen(name) > 255)
		return error_set(error, SOCLE_ERROR_USAGE,
				 "the name of a snapshot has 1 to 255 bytes");
	qcow2_lock_alone(q);
	ok = begin(q, error);
	if (ok) {
		ok = add_snapshot(q, name, date_us, error);
		ok = end(q, ok ? error : NULL) && ok;
	}
	qcow2_unlock_alone(q);
	return ok;
}

/* ---- apply ---- */

static void use_l2s(struct qcow2 *q, bool use)
{
	for (uint32_t i = 0; i < q->l1.size; i++) {
		const uint64_t table = q->l1.entry[i] & QCOW2_OFFSET;

		if (table && use)
			qcow2_use(q, table, qcow2_cluster_size(q), QCOW2_USE_L2);
		else if (table)
			qcow2_unuse(q, table, qcow2_cluster_size(q));
	}
}

/* The header has the new one. */
static bool take_l1(struct qcow2 *q, struct qcow2_table *l1, GError **error)
{
	struct qcow2_table old = q->l1;
	const uint64_t old_len = (uint64_t)old.size * 8;
	bool ok = qcow2_unref_all(q, old.entry, old.size, false, error);

	use_l2s(q, false);
	qcow2_unuse(q, old.off, old_len);
	if (old_len)
		qcow2_free_later(q, old.off >> q->cluster_bits, qcow2_clusters(q, old_len));
	q->l1 = *l1;
	*l1 = (struct qcow2_table){ 0 };
	use_l2s(q, true);
	qcow2_use(q, q->l1.off, (uint64_t)q->l1.size * 8, QCOW2_USE_L1);
	qcow2_table_release(&old);
	return ok;
}

static bool apply(struct qcow2 *q, const struct qcow2_snapshot *s, GError **error)
{
	struct qcow2_table l1 = { 0 };
	const uint64_t needed = qcow2_l1_entries(q, s->disk_size);
	bool ok;

	if (needed > s->l1_size)
		return qcow2_bad(q, error, "has snapshot '%s' with too short an L1 table", s->name);
	if (!qcow2_bitmaps_resize(q, s->disk_size, error) ||
	    !qcow2_table_load(q, &l1, s->l1_off, s->l1_size, "L1 table of a snapshot", error))
		return false;
	for (uint32_t i = 0; i < l1.size; i++)
		l1.entry[i] &= ~QCOW2_COPIED;
	ok = copy_l1(q, l1.entry, l1.size, &l1.off, error);
	if (ok) {
		q->header->l1_off = l1.off;
		q->header->l1_size = l1.size;
		q->header->size = s->disk_size;
		ok = qcow2_update_header(q, error);
		q->base.size = s->disk_size;
		ok = ok && take_l1(q, &l1, error);
	}
	qcow2_table_release(&l1);
	return ok;
}

bool qcow2_snapshot_apply(struct image *image, const char *id_or_name, GError **error)
{
	struct qcow2 *q = qcow2_of(image);
	const struct qcow2_snapshot *s;
	uint64_t l1_off;
	unsigned index;
	bool ok;

	qcow2_lock_alone(q);
	l1_off = q->header->l1_off;
	s = find(q, id_or_name, &index, error);
	ok = s && begin(q, error);
	if (ok) {
		ok = apply(q, s, error);
		qcow2_bitmaps_fit(q);
		if (q->header->l1_off != l1_off)
			qcow2_bitmaps_mark(q, 0, q->base.size);
		ok = end(q, ok ? error : NULL) && ok;
	}
	qcow2_unlock_alone(q);
	return ok;
}

/* ---- show ---- */

static bool show(struct qcow2 *q, const struct qcow2_snapshot *s, GError **error)
{
	struct qcow2_table l1 = { 0 };

	if (q->writable)
		return error_set(error, SOCLE_ERROR_STATE,
				 "image '%s' is open for writing, and so has what it has now",
				 q->name);
	if (qcow2_l1_entries(q, s->disk_size) > s->l1_size)
		return qcow2_bad(q, error, "has snapshot '%s' with too short an L1 table", s->name);
	if (!qcow2_table_load(q, &l1, s->l1_off, s->l1_size, "L1 table of a snapshot", error))
		return false;
	qcow2_table_release(&q->l1);
	q->l1 = l1;
	q->base.size = s->disk_size;
	return true;
}

bool qcow2_snapshot_show(struct image *image, const char *id_or_name, GError **error)
{
	struct qcow2 *q = qcow2_of(image);
	const struct qcow2_snapshot *s;
	unsigned index;
	bool ok;

	qcow2_lock_alone(q);
	s = find(q, id_or_name, &index, error);
	ok = s && show(q, s, error);
	qcow2_unlock_alone(q);
	return ok;
}

/* ---- delete ---- */

static bool delete (struct qcow2 *q, struct qcow2_snapshot *s, unsigned index, GError **error)
{
	struct qcow2_table l1 = { 0 };
	const uint64_t len = (uint64_t)s->l1_size * 8;
	bool ok;

	if (!qcow2_table_load(q, &l1, s->l1_off, s->l1_size, "L1 table of a snapshot", error))
		return false;
	g_ptr_array_steal_index(q->snapshots, index);
	ok = write_list(q, error);
	if (!ok) {
		g_ptr_array_insert(q->snapshots, (int)index, s);
	} else {
		ok = qcow2_unref_all(q, l1.entry, l1.size, false, error);
		qcow2_unuse(q, s->l1_off, len);
		if (len)
			qcow2_free_later(q, s->l1_off >> q->cluster_bits, qcow2_clusters(q, len));
		qcow2_snapshot_free(s);
	}
	qcow2_table_release(&l1);
	return ok;
}

bool qcow2_snapshot_delete(struct image *image, const char *id_or_name, GError **error)
{
	struct qcow2 *q = qcow2_of(image);
	struct qcow2_snapshot *s;
	unsigned index;
	bool ok;

	qcow2_lock_alone(q);
	s = find(q, id_or_name, &index, error);
	ok = s && begin(q, error);
	if (ok) {
		ok = delete (q, s, index, error);
		ok = end(q, ok ? error : NULL) && ok;
	}
	qcow2_unlock_alone(q);
	return ok;
}
