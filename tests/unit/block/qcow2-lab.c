/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * qcow2-lab.c - qcow2 images in memory that tests drive: a file in between, operations, a model
 */
#include "qcow2-lab.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/error.h"
#include "block/crypt/secret.h"
#include "block/qcow2/qcow2-int.h"

enum {
	FILE_LIMIT = 512 << 20,
	SECTOR = 512,
	MAX_SNAPSHOTS = 6,
};

/* ---- tap ---- */

static struct tap *tap_of(struct block_file *file)
{
	return container_of(file, struct tap, base);
}

/* Is it this call that fails? */
static bool fails(struct tap *tap)
{
	if (!tap->fail_at || --tap->fail_at)
		return false;
	tap->failed = true;
	return true;
}

static void log_event(struct tap *tap, enum tap_event_kind kind, uint64_t off, const void *data,
		      uint64_t len)
{
	struct tap_event event = { .kind = kind, .off = off, .len = len };

	if (!tap->log)
		return;
	event.data = data ? g_memdup2(data, len) : NULL;
	g_array_append_val(tap->log, event);
}

static ssize_t tap_read(struct block_file *file, uint64_t off, void *buf, size_t len)
{
	struct tap *tap = tap_of(file);

	return fails(tap) ? -tap->fail_with : tap->inner->ops->read(tap->inner, off, buf, len);
}

static int tap_write(struct block_file *file, uint64_t off, const void *buf, size_t len)
{
	struct tap *tap = tap_of(file);

	if (fails(tap)) {
		if (tap->short_write)
			(void)tap->inner->ops->write(tap->inner, off, buf, len / 2);
		return -tap->fail_with;
	}
	log_event(tap, TAP_WRITE, off, buf, len);
	return tap->inner->ops->write(tap->inner, off, buf, len);
}

static int tap_sync(struct block_file *file)
{
	struct tap *tap = tap_of(file);

	if (fails(tap))
		return -tap->fail_with;
	log_event(tap, TAP_SYNC, 0, NULL, 0);
	return 0;
}

static int64_t tap_size(struct block_file *file)
{
	return block_file_size(tap_of(file)->inner);
}

static int tap_resize(struct block_file *file, uint64_t size)
{
	struct tap *tap = tap_of(file);

	if (fails(tap))
		return -tap->fail_with;
	log_event(tap, TAP_RESIZE, size, NULL, 0);
	return block_file_resize(tap->inner, size);
}

static int tap_punch(struct block_file *file, uint64_t off, uint64_t len)
{
	struct tap *tap = tap_of(file);

	if (fails(tap)) {
		tap->harmless = true;
		return -tap->fail_with;
	}
	log_event(tap, TAP_PUNCH, off, NULL, len);
	return tap->inner->ops->punch(tap->inner, off, len);
}

static int tap_extent(struct block_file *file, uint64_t off, uint64_t *ret_len, bool *ret_data)
{
	return block_file_extent(tap_of(file)->inner, off, ret_len, ret_data);
}

static void tap_close(struct block_file *file)
{
	(void)file;
}

static const struct block_file_ops tap_ops = {
	.read = tap_read,
	.write = tap_write,
	.sync = tap_sync,
	.size = tap_size,
	.resize = tap_resize,
	.punch = tap_punch,
	.extent = tap_extent,
	.close = tap_close,
};

struct tap *tap_new(size_t limit)
{
	struct tap *tap = g_new0(struct tap, 1);

	tap->base.ops = &tap_ops;
	tap->inner = block_file_scratch(limit ? limit : FILE_LIMIT);
	return tap;
}

struct tap *tap_from(const uint8_t *bytes, size_t len, size_t limit)
{
	struct tap *tap = tap_new(limit);

	g_assert_cmpint(block_file_write(tap->inner, 0, bytes, len), ==, 0);
	return tap;
}

static void event_clear(void *opaque)
{
	struct tap_event *event = opaque;

	g_free(event->data);
}

void tap_free(struct tap *tap)
{
	if (!tap)
		return;
	block_file_close(tap->inner);
	g_clear_pointer(&tap->log, g_array_unref);
	g_free(tap);
}

void tap_record(struct tap *tap)
{
	tap->log = g_array_new(FALSE, FALSE, sizeof(struct tap_event));
	g_array_set_clear_func(tap->log, event_clear);
}

void tap_mark(struct tap *tap, uint64_t number)
{
	log_event(tap, TAP_MARK, number, NULL, 0);
}

/* ---- random ---- */

static uint64_t below(GRand *rand, uint64_t n)
{
	return n <= UINT32_MAX ? (uint64_t)(g_rand_double(rand) * (double)n)
			       : (uint64_t)g_rand_int(rand) % n;
}

static bool chance(GRand *rand, unsigned percent)
{
	return below(rand, 100) < percent;
}

void lab_options_random(GRand *rand, struct lab_options *ret)
{
	static const unsigned clusters[] = { 9, 9, 9, 12, 12, 12, 16, 16, 16, 16, 14, 21 };
	static const uint64_t sizes[] = { 128 << 10, 256 << 10, 256 << 10, 512 << 10,
					  512 << 10, 1 << 20,   3 << 20 };
	static const uint64_t tails[] = { 0, 512, 65024 };
	g_autoptr(GRand) copy = g_rand_copy(rand);
	struct lab_options o = { .version = 3, .refcount_bits = 16 };

	o.cluster_bits = clusters[below(rand, ARRAY_SIZE(clusters))];
	o.size = sizes[below(rand, ARRAY_SIZE(sizes))] + tails[below(rand, ARRAY_SIZE(tails))];
	if (chance(rand, 15)) {
		o.version = 2;
	} else {
		o.refcount_bits = 1u << below(rand, 7);
		o.lazy = chance(rand, 30);
		o.zstd = chance(rand, 50);
		o.extended = o.cluster_bits >= QCOW2_MIN_EXTENDED_BITS && chance(rand, 40);
	}
	if (chance(rand, 40))
		o.backing_size = o.size - below(rand, 9) * SECTOR +
				 (chance(rand, 30) ? UINT64_C(100) << 10 : 0);
	/* What went wrong in the engine went wrong with these. */
	if (chance(rand, 60))
		o.slots = 8;
	/* From a copy, so that a seed goes on meaning the operations that it always meant. */
	o.encrypted = chance(copy, 5);
	*ret = o;
}

char *lab_options_text(const struct lab_options *o)
{
	return g_strdup_printf(
		"cluster_bits %u, version %u, refcount_bits %u%s%s%s%s, size %" PRIu64
		", backing %" PRIu64 ", slots %u",
		o->cluster_bits, o->version, o->refcount_bits, o->lazy ? ", lazy" : "",
		o->extended ? ", extended" : "", o->zstd ? ", zstd" : "",
		o->encrypted ? ", encrypted" : "", o->size, o->backing_size, o->slots);
}

static const char *const kind_names[] = {
	"write",  "zero",   "unmap", "discard", "packed", "read",  "flush",
	"reopen", "create", "apply", "delete",  "resize", "judge",
};
static_assert(ARRAY_SIZE(kind_names) == LAB_KINDS, "an operation without a name");

char *lab_op_text(const struct lab_op *op)
{
	return g_strdup_printf("%s %" PRIu64 " %" PRIu64 " %u", kind_names[op->kind], op->off,
			       op->len, op->fill);
}

static enum lab_kind random_kind(GRand *rand)
{
	const unsigned n = (unsigned)below(rand, 100);

	if (n < 45)
		return LAB_WRITE;
	if (n < 55)
		return LAB_ZERO;
	if (n < 62)
		return LAB_UNMAP;
	if (n < 70)
		return LAB_DISCARD;
	if (n < 84)
		return LAB_PACKED;
	if (n < 90)
		return LAB_READ;
	return n < 98 ? LAB_FLUSH : LAB_REOPEN;
}

static void add_op(GRand *rand, GArray *ops, enum lab_kind kind, uint64_t size, uint64_t cluster)
{
	const uint64_t lengths[] = { SECTOR, 1024, 4096, cluster, 3 * cluster, cluster + SECTOR };
	struct lab_op op = { .kind = kind, .fill = g_rand_int(rand) };

	op.len = MIN(size, lengths[below(rand, ARRAY_SIZE(lengths))]);
	op.off = below(rand, (size - op.len) / SECTOR + 1) * SECTOR;
	if (chance(rand, 30))
		op.off &= ~(cluster - 1);
	if (kind == LAB_RESIZE) {
		op.len = (size / 2 + below(rand, size)) & ~(uint64_t)(SECTOR - 1);
		op.len = MAX(op.len, (uint64_t)SECTOR);
	}
	if (kind == LAB_APPLY || kind == LAB_DELETE)
		op.off = below(rand, MAX_SNAPSHOTS);
	g_array_append_val(ops, op);
}

GArray *lab_ops_random(GRand *rand, const struct lab_options *o, bool snapshots)
{
	GArray *ops = g_array_new(FALSE, FALSE, sizeof(struct lab_op));
	const unsigned batches = 1 + (unsigned)below(rand, 4);
	const uint64_t cluster = UINT64_C(1) << o->cluster_bits;

	for (unsigned i = 0; i < batches; i++) {
		const unsigned n = 1 + (unsigned)below(rand, 39);

		for (unsigned k = 0; k < n; k++)
			add_op(rand, ops, random_kind(rand), o->size, cluster);
		add_op(rand, ops, LAB_JUDGE, o->size, cluster);
		if (snapshots && chance(rand, 50))
			add_op(rand, ops, LAB_CREATE, o->size, cluster);
		if (snapshots && chance(rand, 30))
			add_op(rand, ops, LAB_APPLY, o->size, cluster);
		if (snapshots && chance(rand, 20))
			add_op(rand, ops, LAB_DELETE, o->size, cluster);
		if (chance(rand, 20))
			add_op(rand, ops, LAB_RESIZE, o->size, cluster);
	}
	add_op(rand, ops, LAB_JUDGE, o->size, cluster);
	add_op(rand, ops, LAB_REOPEN, o->size, cluster);
	add_op(rand, ops, LAB_JUDGE, o->size, cluster);
	return ops;
}

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
	g_free(lab->backing);
	g_free(lab->model);
	g_free(lab);
}

static const struct secret lab_secret = { (char *)(uintptr_t) "key", (uint8_t *)(uintptr_t) "open",
					  4 };

const struct image_keys *lab_keys(const struct lab_options *options)
{
	static const struct secret *const secrets[] = { &lab_secret };
	static const struct image_keys keys = { secrets, 1 };

	return options->encrypted ? &keys : NULL;
}

bool lab_open(struct lab *lab, GError **error)
{
	qcow2_test_slots = lab->options.slots;
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

	g_hash_table_insert(table, (void *)(uintptr_t) "cluster_size",
			    g_strdup_printf("%u", 1u << o->cluster_bits));
	g_hash_table_insert(table, (void *)(uintptr_t) "compat",
			    g_strdup(o->version == 2 ? "0.10" : "1.1"));
	g_hash_table_insert(table, (void *)(uintptr_t) "refcount_bits",
			    g_strdup_printf("%u", o->refcount_bits));
	g_hash_table_insert(table, (void *)(uintptr_t) "lazy_refcounts",
			    g_strdup(o->lazy ? "on" : "off"));
	g_hash_table_insert(table, (void *)(uintptr_t) "extended_l2",
			    g_strdup(o->extended ? "on" : "off"));
	g_hash_table_insert(table, (void *)(uintptr_t) "compression_type",
			    g_strdup(o->zstd ? "zstd" : "zlib"));
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

static bool differ(const struct lab *lab, uint64_t off, uint64_t len, GError **error)
{
	g_autofree uint8_t *got = g_malloc(len);

	if (!image_read(lab->image, off, got, len, error))
		return true;
	for (uint64_t i = 0; memcmp(got, lab->model + off, len) && i < len; i++) {
		if (got[i] != lab->model[off + i])
			return !error_set(error, SOCLE_ERROR_FAILED,
					  "at %" PRIu64 " there is %#x, not %#x", off + i, got[i],
					  lab->model[off + i]);
	}
	return false;
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

static bool run_resize(struct lab *lab, uint64_t size, GError **error)
{
	const uint64_t old = lab->size;

	if (lab->options.version == 2 && lab->snapshots->len)
		return true;
	if (!image_resize(lab->image, size, error))
		return false;
	lab->model = g_realloc(lab->model, size);
	if (size > old)
		memset(lab->model + old, 0, size - old);
	lab->size = size;
	return true;
}

static bool run_create(struct lab *lab, GError **error)
{
	struct lab_snapshot *s;
	g_autofree char *name = g_strdup_printf("s%" PRIu64, lab->count);
	g_autoptr(GError) local = NULL;

	if (lab->snapshots->len == MAX_SNAPSHOTS)
		return true;
	if (!qcow2_snapshot_create(lab->image, name, 1, &local)) {
		/* Counts of a few bits have no room for it, which must leave no traces. */
		if (lab->options.refcount_bits <= 4 &&
		    g_error_matches(local, SOCLE_ERROR, SOCLE_ERROR_LIMIT))
			return true;
		g_propagate_error(error, g_steal_pointer(&local));
		return false;
	}
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

	if (!qcow2_snapshot_apply(lab->image, s->name, &local)) {
		if (lab->options.refcount_bits <= 4 &&
		    g_error_matches(local, SOCLE_ERROR, SOCLE_ERROR_LIMIT))
			return true;
		g_propagate_error(error, g_steal_pointer(&local));
		return false;
	}
	g_free(lab->model);
	lab->model = g_memdup2(s->model, s->size);
	lab->size = s->size;
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

static void note_finding(void *opaque, enum qcow2_finding finding, const char *text)
{
	GString *all = opaque;

	(void)finding;
	if (all->len < 600)
		g_string_append_printf(all, "\n    %s", text);
}

bool lab_check(struct block_file *file, bool leaks_are_fine, GError **error)
{
	g_autoptr(GString) findings = g_string_new(NULL);
	const struct qcow2_check_listener listener = { .found = note_finding, .opaque = findings };
	const int64_t size = block_file_size(file);
	const size_t len = (size_t)MIN(size, 2 << 20);
	g_autofree uint8_t *head = g_malloc(len);
	autoptr(qcow2_header) header = NULL;
	struct qcow2_check check;

	g_assert_cmpint(block_file_read(file, 0, head, len), ==, 0);
	header = qcow2_header_parse("lab", head, len, (uint64_t)size, error);
	if (!header || !qcow2_check("lab", file, header, &listener, &check, error))
		return false;
	if (check.corruptions || (check.leaks && !leaks_are_fine))
		return error_set(error, SOCLE_ERROR_FAILED,
				 "check: %" PRIu64 " corruptions, %" PRIu64 " leaks%s",
				 check.corruptions, check.leaks, findings->str);
	return true;
}

bool lab_judge(struct lab *lab, GError **error)
{
	if (!image_flush(lab->image, error) || differ(lab, 0, lab->size, error))
		return false;
	return lab->options.lazy || lab_check(lab->tap->inner, false, error);
}

bool lab_run(struct lab *lab, const struct lab_op *op, GError **error)
{
	const uint64_t len = op->off < lab->size ? MIN(op->len, lab->size - op->off) : 0;

	lab->count++;
	if (op->kind < LAB_FLUSH && !len)
		return true;
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
		lab_close(lab);
		return lab_check(lab->tap->inner, false, error) && lab_open(lab, error);
	case LAB_CREATE:
	case LAB_APPLY:
	case LAB_DELETE:
		return run_snapshot(lab, op, error);
	case LAB_RESIZE:
		return run_resize(lab, op->len, error);
	case LAB_JUDGE:
		return lab_judge(lab, error);
	case LAB_KINDS:
	default:
		g_assert_not_reached();
	}
}
