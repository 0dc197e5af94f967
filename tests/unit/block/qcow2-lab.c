/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * qcow2-lab.c - qcow2 images in memory that tests drive: an image, its model, operations on both
 */
#include "qcow2-lab.h"

#include <inttypes.h>
#include <string.h>

#include "base/error.h"
#include "block/crypt/secret.h"
#include "block/qcow2/bitmap-int.h"

enum {
	SECTOR = 512,
	MAX_SNAPSHOTS = 6,
};

/* ---- the image ---- */

static void snapshot_free(void *opaque)
{
	struct lab_snapshot *s = opaque;

	g_free(s->name);
	g_free(s->model);
	g_free(s);
}

void lab_close(struct lab *lab)
{
	g_clear_pointer(&lab->image, image_close);
}

void lab_free(struct lab *lab)
{
	if (!lab)
		return;
	lab_close(lab);
	g_ptr_array_unref(lab->snapshots);
	for (unsigned i = 0; i < LAB_BITMAPS; i++)
		g_clear_pointer(&lab->bits[i], g_byte_array_unref);
	g_free(lab->backing);
	g_free(lab->model);
	g_free(lab);
}

/* What images that are opened from now on are to have. */
static void take_hooks(const struct lab *lab)
{
	qcow2_test_slots = lab->options.slots;
	qcow2_test_data = lab->options.data ? &tap_second(lab->tap)->base : NULL;
}

static const struct secret lab_secret = { (char *)(uintptr_t) "key", (uint8_t *)(uintptr_t) "open",
					  4 };

const struct image_keys *lab_keys(const struct lab_options *options)
{
	static const struct secret *const secrets[] = { &lab_secret };
	static const struct image_keys keys = { .secrets = secrets, .count = 1 };

	return options->encrypted ? &keys : NULL;
}

bool lab_open(struct lab *lab, GError **error)
{
	take_hooks(lab);
	lab->image = image_open_file_keys("lab", &lab->tap->base, "qcow2", IMAGE_WRITE,
					  lab_keys(&lab->options), error);
	if (!lab->image)
		return false;
	if (!lab->options.backing_size)
		return true;
	lab->image->backing = image_open_file(
		"behind", block_file_memory(lab->backing, lab->options.backing_size), "raw", 0,
		error);
	return lab->image->backing;
}

/* The smallest header there is, and as little work as may be. */
static void add_encryption(GHashTable *table)
{
	static const char *const words[][2] = {
		{ "encrypt.format", "luks" },        { "encrypt.cipher-alg", "aes-128" },
		{ "encrypt.cipher-mode", "cbc" },    { "encrypt.ivgen-alg", "essiv" },
		{ "encrypt.ivgen-hash-alg", "md5" }, { "encrypt.iter-time", "1" },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(words); i++)
		g_hash_table_insert(table, (void *)(uintptr_t)words[i][0], g_strdup(words[i][1]));
}

static GHashTable *option_table(const struct lab_options *o)
{
	GHashTable *table = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, g_free);
	const struct {
		const char *name;
		char *value;
	} words[] = {
		{ "cluster_size", g_strdup_printf("%u", 1u << o->cluster_bits) },
		{ "compat", g_strdup(o->version == 2 ? "0.10" : "1.1") },
		{ "refcount_bits", g_strdup_printf("%u", o->refcount_bits) },
		{ "lazy_refcounts", g_strdup(o->lazy ? "on" : "off") },
		{ "extended_l2", g_strdup(o->extended ? "on" : "off") },
		{ "compression_type", g_strdup(o->zstd ? "zstd" : "zlib") },
		{ "preallocation", g_strdup(lab_preallocations[o->prealloc]) },
		{ "data_file_raw", g_strdup(o->data == 2 ? "on" : "off") },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(words); i++)
		g_hash_table_insert(table, (void *)(uintptr_t)words[i].name, words[i].value);
	if (o->data)
		g_hash_table_insert(table, (void *)(uintptr_t) "data_file", g_strdup("data"));
	if (o->encrypted)
		add_encryption(table);
	return table;
}

struct lab *lab_new(const struct lab_options *options, struct tap *tap, GError **error)
{
	g_autoptr(GHashTable) table = option_table(options);
	const struct image_create what = {
		.path = "lab",
		.size = options->size,
		.options = table,
		.secret = options->encrypted ? &lab_secret : NULL,
		.backing_file = options->backing_size ? "behind" : NULL,
		.backing_format = options->backing_size ? "raw" : NULL,
	};
	autoptr(lab) lab = g_new0(struct lab, 1);

	lab->options = *options;
	lab->tap = tap;
	lab->size = options->size;
	lab->model = g_malloc0(options->size);
	lab->snapshots = g_ptr_array_new_with_free_func(snapshot_free);
	lab->backing = g_malloc(options->backing_size + 1);
	for (uint64_t i = 0; i < options->backing_size; i++)
		lab->backing[i] = (uint8_t)(i / SECTOR * 7 + 1);
	memcpy(lab->model, lab->backing, MIN(options->size, options->backing_size));
	take_hooks(lab);
	if (!image_qcow2_ops.create(&tap->base, &what, error) || !lab_open(lab, error))
		return NULL;
	return g_steal_pointer(&lab);
}

/* ---- operations ---- */

static void fill(uint8_t *buf, uint64_t len, uint32_t seed, bool packable)
{
	for (uint64_t i = 0; i < len; i += 4) {
		if (!packable || i % SECTOR == 0)
			seed = seed * 1664525 + 1013904223;
		memcpy(buf + i, &seed, MIN(len - i, (uint64_t)4));
	}
}

static bool same(const uint8_t *got, const uint8_t *model, uint64_t off, uint64_t len,
		 GError **error)
{
	uint64_t i = 0;

	if (!memcmp(got, model, len))
		return true;
	while (got[i] == model[i])
		i++;
	return error_set(error, SOCLE_ERROR_FAILED, "at %" PRIu64 " there is %#x, not %#x", off + i,
			 got[i], model[i]);
}

static bool differ(const struct lab *lab, uint64_t off, uint64_t len, GError **error)
{
	g_autofree uint8_t *got = g_malloc(len);

	return !image_read(lab->image, off, got, len, error) ||
	       !same(got, lab->model + off, off, len, error);
}

/* A raw data file has what the guest sees. */
static bool check_raw(const struct lab *lab, GError **error)
{
	g_autofree uint8_t *got = g_malloc(lab->size);
	const struct tap *data = lab->tap->second;

	g_assert_cmpint(block_file_read(data->inner, 0, got, lab->size), ==, 0);
	return same(got, lab->model, 0, lab->size, error) ||
	       (g_prefix_error(error, "data file: "), false);
}

static bool run_write(struct lab *lab, const struct lab_op *op, uint64_t len, GError **error)
{
	fill(lab->model + op->off, len, op->fill, false);
	return image_write(lab->image, op->off, lab->model + op->off, len, error);
}

/* Sectors are as they were, or zero. */
static bool run_discard(struct lab *lab, const struct lab_op *op, uint64_t len, GError **error)
{
	g_autofree uint8_t *got = g_malloc(len);

	if (!image_discard(lab->image, op->off, len, error) ||
	    !image_read(lab->image, op->off, got, len, error))
		return false;
	for (uint64_t i = 0; i < len; i++) {
		if (got[i] && got[i] != lab->model[op->off + i])
			return error_set(error, SOCLE_ERROR_FAILED,
					 "at %" PRIu64 " there is %#x after a discard, not %#x",
					 op->off + i, got[i], lab->model[op->off + i]);
	}
	memcpy(lab->model + op->off, got, len);
	return true;
}

static bool run_packed(struct lab *lab, const struct lab_op *op, GError **error)
{
	const uint64_t cluster = lab->image->cluster_size, off = op->off & ~(cluster - 1);
	g_autofree uint8_t *in = g_malloc0(cluster), *out = g_malloc(cluster);
	const uint64_t len = MIN(cluster, lab->size - off);
	ssize_t packed;

	/* Some do not get smaller. */
	fill(in, len, op->fill, op->fill % 8);
	packed = image_qcow2_ops.pack(lab->image, in, out);
	memcpy(lab->model + off, in, len);
	if (packed)
		return image_qcow2_ops.write_packed(lab->image, off, out, (size_t)packed, error);
	return image_write(lab->image, off, in, len, error);
}

/* ---- bits of bitmaps ---- */

static void clear_bits(struct lab *lab, unsigned i)
{
	const unsigned granularity = lab->bitmaps[i].granularity;
	const uint64_t n = (lab->size + (UINT64_C(1) << granularity) - 1) >> granularity;

	if (!lab->bits[i])
		lab->bits[i] = g_byte_array_new();
	g_byte_array_set_size(lab->bits[i], (guint)n);
	if (n)
		memset(lab->bits[i]->data, 0, n);
	lab->bitmaps[i].known = true;
}

static bool has_bits(const struct lab *lab, unsigned i)
{
	return lab->bitmaps[i].there && lab->bitmaps[i].known && !lab->bitmaps[i].in_use;
}

static void set_bits(struct lab *lab, uint64_t off, uint64_t len)
{
	for (unsigned i = 0; len && i < LAB_BITMAPS; i++) {
		const struct lab_bitmap *b = &lab->bitmaps[i];

		if (!has_bits(lab, i) || !b->automatic)
			continue;
		for (uint64_t n = off >> b->granularity; n <= (off + len - 1) >> b->granularity;
		     n++)
			lab->bits[i]->data[n] = 1;
	}
}

/* lab->size has changed. */
static void resize_bits(struct lab *lab)
{
	for (unsigned i = 0; i < LAB_BITMAPS; i++) {
		const unsigned granularity = lab->bitmaps[i].granularity;
		const guint old = lab->bits[i] ? lab->bits[i]->len : 0;
		guint n;

		if (!has_bits(lab, i))
			continue;
		n = (guint)((lab->size + (UINT64_C(1) << granularity) - 1) >> granularity);
		g_byte_array_set_size(lab->bits[i], n);
		if (n > old)
			memset(lab->bits[i]->data + old, 0, n - old);
	}
}

bool lab_is_narrow(struct image *image)
{
	return qcow2_get_header(image)->refcount_order <= 2;
}

/* There is one good reason: counts of a few bits have no room. A refusal must leave no traces. */
static bool is_refused(const struct lab *lab, GError **local, GError **error)
{
	if (lab_is_narrow(lab->image) && g_error_matches(*local, SOCLE_ERROR, SOCLE_ERROR_LIMIT))
		return true;
	g_propagate_error(error, g_steal_pointer(local));
	return false;
}

static bool run_resize(struct lab *lab, uint64_t size, GError **error)
{
	const uint64_t old = lab->size;
	g_autoptr(GError) local = NULL;

	if (lab->options.version == 2 && lab->snapshots->len)
		return true;
	if (!image_resize(lab->image, size, &local))
		return is_refused(lab, &local, error);
	lab->model = g_realloc(lab->model, size);
	if (size > old)
		memset(lab->model + old, 0, size - old);
	lab->size = size;
	resize_bits(lab);
	return true;
}

static bool run_create(struct lab *lab, GError **error)
{
	struct lab_snapshot *s;
	g_autofree char *name = g_strdup_printf("s%" PRIu64, lab->count);
	g_autoptr(GError) local = NULL;

	if (lab->snapshots->len == MAX_SNAPSHOTS)
		return true;
	if (!qcow2_snapshot_create(lab->image, name, 1, &local))
		return is_refused(lab, &local, error);
	s = g_new0(struct lab_snapshot, 1);
	s->name = g_steal_pointer(&name);
	s->model = g_memdup2(lab->model, lab->size);
	s->size = lab->size;
	g_ptr_array_add(lab->snapshots, s);
	return true;
}

static bool run_apply(struct lab *lab, const struct lab_snapshot *s, GError **error)
{
	g_autoptr(GError) local = NULL;

	if (!qcow2_snapshot_apply(lab->image, s->name, &local))
		return is_refused(lab, &local, error);
	g_free(lab->model);
	lab->model = g_memdup2(s->model, s->size);
	lab->size = s->size;
	resize_bits(lab);
	set_bits(lab, 0, lab->size);
	return true;
}

static bool run_snapshot(struct lab *lab, const struct lab_op *op, GError **error)
{
	const unsigned n = lab->snapshots->len;
	const struct lab_snapshot *s;

	if (op->kind == LAB_CREATE)
		return run_create(lab, error);
	if (!n)
		return true;
	s = g_ptr_array_index(lab->snapshots, op->off % n);
	if (op->kind == LAB_APPLY)
		return run_apply(lab, s, error);
	if (!qcow2_snapshot_delete(lab->image, s->name, error))
		return false;
	g_ptr_array_remove_index(lab->snapshots, (guint)(op->off % n));
	return true;
}

/* ---- bitmaps ---- */

static char *bitmap_name(unsigned i)
{
	return g_strdup_printf("bitmap %u", i);
}

/* What such a change must answer: -1: nothing, it is done. */
static int expected(const struct lab_bitmap *b, uint64_t what)
{
	if (what == QCOW2_BITMAP_ADD)
		return b->there ? (int)SOCLE_ERROR_EXISTS : -1;
	if (!b->there)
		return SOCLE_ERROR_NOT_FOUND;
	return b->in_use && what != QCOW2_BITMAP_REMOVE ? (int)SOCLE_ERROR_STATE : -1;
}

static const struct qcow2_bitmap *find_bitmap(const GPtrArray *all, const char *name)
{
	for (unsigned i = 0; i < all->len; i++) {
		const struct qcow2_bitmap *one = g_ptr_array_index(all, i);

		if (!strcmp(one->name, name))
			return one;
	}
	return NULL;
}

static bool look_at_bitmaps(struct lab *lab, GError **error)
{
	g_autoptr(GPtrArray) all = qcow2_bitmaps(lab->image, error);
	unsigned n = 0;

	for (unsigned i = 0; all && i < LAB_BITMAPS; i++) {
		struct lab_bitmap *b = &lab->bitmaps[i];
		g_autofree char *name = bitmap_name(i);
		const struct qcow2_bitmap *got = find_bitmap(all, name);

		n += b->there;
		/* One that is in memory is in use, too. */
		if (b->there != !!got || (got && (got->automatic != b->automatic ||
						  got->granularity_bits != b->granularity ||
						  (b->in_use && !got->in_use))))
			return error_set(error, SOCLE_ERROR_FAILED,
					 "%s is not what it should be: %s%s", name,
					 got ? "there" : "not there",
					 got && got->in_use ? ", in use" : "");
	}
	return all && (all->len == n || error_set(error, SOCLE_ERROR_FAILED, "a bitmap too many"));
}

static bool run_bitmap(struct lab *lab, const struct lab_op *op, GError **error)
{
	const unsigned i = op->fill % LAB_BITMAPS;
	struct lab_bitmap *b = &lab->bitmaps[i];
	g_autofree char *name = bitmap_name(i);
	g_autoptr(GError) local = NULL;
	const int expect = expected(b, op->off);

	if (!qcow2_bitmap_change(lab->image, name, (enum qcow2_bitmap_change)op->off,
				 (unsigned)op->len, &local)) {
		if (expect >= 0 && g_error_matches(local, SOCLE_ERROR, expect))
			return true;
		g_propagate_error(error, g_steal_pointer(&local));
		return false;
	}
	if (expect >= 0)
		return error_set(error, SOCLE_ERROR_FAILED, "a change of %s was not refused", name);
	if (op->off == QCOW2_BITMAP_ADD)
		*b = (struct lab_bitmap){ .there = true, .granularity = (unsigned)op->len };
	if (op->off == QCOW2_BITMAP_REMOVE)
		*b = (struct lab_bitmap){ 0 };
	if (op->off == QCOW2_BITMAP_ADD || op->off == QCOW2_BITMAP_CLEAR)
		clear_bits(lab, i);
	if (op->off != QCOW2_BITMAP_CLEAR)
		b->automatic = b->there && op->off != QCOW2_BITMAP_DISABLE;
	return look_at_bitmaps(lab, error);
}

void lab_learn_bitmaps(struct lab *lab)
{
	g_autoptr(GPtrArray) all = qcow2_bitmaps(lab->image, NULL);

	for (unsigned i = 0; i < LAB_BITMAPS; i++) {
		g_autofree char *name = bitmap_name(i);
		const struct qcow2_bitmap *got = find_bitmap(all, name);

		lab->bitmaps[i] = (struct lab_bitmap){
			.there = got,
			.automatic = got && got->automatic,
			.in_use = got && got->in_use,
			.granularity = got ? got->granularity_bits : 0,
		};
	}
}

/* In an image that has just been opened. */
static bool check_bits(struct lab *lab, const struct qcow2_bitmap_entry *entry, unsigned i,
		       GError **error)
{
	const GByteArray *want = lab->bits[i];
	struct qcow2_bits bits;
	bool ok;

	if (!qcow2_bits_read(qcow2_of(lab->image), entry, &bits, error))
		return false;
	ok = bits.count == want->len ||
	     error_set(error, SOCLE_ERROR_FAILED, "%s has %" PRIu64 " bits, not %u", entry->name,
		       bits.count, want->len);
	for (guint n = 0; ok && n < want->len; n++)
		ok = (bits.bytes[n / 8] >> n % 8 & 1) == want->data[n] ||
		     error_set(error, SOCLE_ERROR_FAILED, "bit %u of %s should be %u", n,
			       entry->name, want->data[n]);
	qcow2_bits_release(&bits);
	return ok;
}

static bool check_all_bits(struct lab *lab, GError **error)
{
	g_autoptr(GPtrArray) list = qcow2_bitmap_load(qcow2_of(lab->image), error);

	for (unsigned i = 0; list && i < LAB_BITMAPS; i++) {
		g_autofree char *name = bitmap_name(i);
		unsigned at;

		if (has_bits(lab, i) &&
		    (!qcow2_bitmap_find(qcow2_of(lab->image), list, name, &at, error) ||
		     !check_bits(lab, g_ptr_array_index(list, at), i, error)))
			return false;
	}
	return list;
}

/* ---- the judge ---- */

struct findings {
	GString *text;
	uint64_t leaks, corruptions;
	unsigned tolerated;
};

static void note_finding(void *opaque, enum qcow2_finding finding, const char *text)
{
	struct findings *f = opaque;

	if (finding == QCOW2_LEAK && f->tolerated & LAB_LEAKS)
		return;
	if (f->tolerated & LAB_NOT_COPIED && strstr(text, "OFLAG_COPIED") &&
	    g_str_has_suffix(text, " refcount=1"))
		return;
	*(finding == QCOW2_LEAK ? &f->leaks : &f->corruptions) += 1;
	if (f->text->len < 600)
		g_string_append_printf(f->text, "\n    %s", text);
}

bool lab_is_dirty(struct block_file *file)
{
	uint8_t head[80];

	g_assert_cmpint(block_file_read(file, 0, head, sizeof(head)), ==, 0);
	return head[7] >= 3 && head[79] & QCOW2_DIRTY;
}

bool lab_check(struct block_file *file, unsigned tolerated, GError **error)
{
	g_autoptr(GString) text = g_string_new(NULL);
	struct findings findings = { .text = text, .tolerated = tolerated };
	const struct qcow2_check_listener listener = { .found = note_finding, .opaque = &findings };
	struct qcow2_check check;

	if (!qcow2_check_file("lab", file, &listener, &check, error))
		return false;
	return (!findings.corruptions && !findings.leaks) ||
	       error_set(error, SOCLE_ERROR_FAILED,
			 "check: %" PRIu64 " corruptions, %" PRIu64 " leaks%s",
			 findings.corruptions, findings.leaks, text->str);
}

bool lab_judge(struct lab *lab, GError **error)
{
	if (!image_flush(lab->image, error) || differ(lab, 0, lab->size, error) ||
	    !look_at_bitmaps(lab, error) || (lab->options.data == 2 && !check_raw(lab, error)))
		return false;
	return lab->options.lazy || lab_check(lab->tap->inner, 0, error);
}

static bool run_reopen(struct lab *lab, GError **error)
{
	lab_close(lab);
	if (lab_is_dirty(lab->tap->inner))
		return error_set(error, SOCLE_ERROR_FAILED, "it is dirty though it was closed");
	return lab_check(lab->tap->inner, 0, error) && lab_open(lab, error) &&
	       check_all_bits(lab, error);
}

/* Narrower ones are refused if a count does not fit: then nothing has changed. */
static bool run_width(struct lab *lab, const struct lab_op *op, GError **error)
{
	const struct qcow2_amend amend = { 0, -1, (unsigned)op->len, -1 };
	const struct qcow2_header *header = qcow2_get_header(lab->image);
	const unsigned before = 1u << header->refcount_order;
	g_autoptr(GError) local = NULL;
	const bool ok = qcow2_amend(lab->image, &amend, &local);

	if (!ok && !g_error_matches(local, SOCLE_ERROR, SOCLE_ERROR_LIMIT)) {
		g_propagate_error(error, g_steal_pointer(&local));
		return false;
	}
	if (!ok && op->len > before)
		return error_set(error, SOCLE_ERROR_FAILED, "wider counts were refused");
	return 1u << header->refcount_order == (ok ? op->len : before) ||
	       error_set(error, SOCLE_ERROR_FAILED, "counts have another width");
}

static bool run_one(struct lab *lab, const struct lab_op *op, uint64_t len, GError **error)
{
	switch (op->kind) {
	case LAB_WRITE:
		return run_write(lab, op, len, error);
	case LAB_ZERO:
	case LAB_UNMAP:
		memset(lab->model + op->off, 0, len);
		return image_zero(lab->image, op->off, len, op->kind == LAB_UNMAP, error);
	case LAB_DISCARD:
		return run_discard(lab, op, len, error);
	case LAB_PACKED:
		return run_packed(lab, op, error);
	case LAB_READ:
		return !differ(lab, op->off, len, error);
	case LAB_FLUSH:
		return image_flush(lab->image, error);
	case LAB_REOPEN:
		return run_reopen(lab, error);
	case LAB_CREATE:
	case LAB_APPLY:
	case LAB_DELETE:
		return run_snapshot(lab, op, error);
	case LAB_RESIZE:
		return run_resize(lab, op->len, error);
	case LAB_BITMAP:
		return run_bitmap(lab, op, error);
	case LAB_WIDTH:
		return run_width(lab, op, error);
	case LAB_JUDGE:
		return lab_judge(lab, error);
	case LAB_KINDS:
	default:
		g_assert_not_reached();
	}
}

bool lab_run(struct lab *lab, const struct lab_op *op, GError **error)
{
	const uint64_t len = op->off < lab->size ? MIN(op->len, lab->size - op->off) : 0;

	lab->count++;
	if (op->kind < LAB_FLUSH && !len)
		return true;
	if (op->kind == LAB_PACKED)
		set_bits(lab, op->off & ~(uint64_t)(lab->image->cluster_size - 1),
			 MIN((uint64_t)lab->image->cluster_size,
			     lab->size - (op->off & ~(uint64_t)(lab->image->cluster_size - 1))));
	else if (op->kind < LAB_READ)
		set_bits(lab, op->off, len);
	return run_one(lab, op, len, error);
}

struct lab *lab_make(const struct lab_options *options, struct tap *tap)
{
	g_autoptr(GError) error = NULL;
	struct lab *lab = lab_new(options, tap, &error);

	g_assert_no_error(error);
	return lab;
}

void lab_do(struct lab *lab, enum lab_kind kind, uint64_t off, uint64_t len, uint32_t fill)
{
	const struct lab_op op = { .kind = kind, .off = off, .len = len, .fill = fill };
	g_autoptr(GError) error = NULL;

	(void)lab_run(lab, &op, &error);
	g_assert_no_error(error);
}
