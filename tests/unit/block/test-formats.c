/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-formats.c - images of other formats: there and back in memory, and what is wrong with each
 * field by itself
 */
#include <errno.h>
#include <string.h>
#include <zlib.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/sys.h"
#include "block/format/format.h"
#include "block/format/meta.h"
#include "block/image.h"

enum {
	SIZE = 40 << 20,
	LIMIT = 128 << 20,
	SECTOR = 512,
};

/* ---- a file of which the test sees the calls ---- */

struct watched {
	struct block_file base;
	struct block_file *below;
	unsigned writes, fail_at; /* the n-th write fails, 0: none */
	unsigned cut_at;          /* writes from this one on are lost, 0: none */
	unsigned syncs;
	uint64_t last_off;
};

static struct watched *watched_of(struct block_file *base)
{
	return container_of(base, struct watched, base);
}

static ssize_t watched_read(struct block_file *base, uint64_t off, void *buf, size_t len)
{
	int ret = block_file_read(watched_of(base)->below, off, buf, len);

	return ret < 0 ? ret : (ssize_t)len;
}

static int watched_write(struct block_file *base, uint64_t off, const void *buf, size_t len)
{
	struct watched *w = watched_of(base);

	if (++w->writes == w->fail_at)
		return -EIO;
	w->last_off = off;
	if (w->cut_at && w->writes >= w->cut_at)
		return 0;
	return block_file_write(w->below, off, buf, len);
}

static int watched_sync(struct block_file *base)
{
	watched_of(base)->syncs++;
	return 0;
}

static int64_t watched_size(struct block_file *base)
{
	return block_file_size(watched_of(base)->below);
}

static int watched_resize(struct block_file *base, uint64_t size)
{
	struct watched *w = watched_of(base);

	if (w->cut_at && w->writes >= w->cut_at)
		return 0;
	return block_file_resize(watched_of(base)->below, size);
}

static int watched_punch(struct block_file *base, uint64_t off, uint64_t len)
{
	return block_file_punch(watched_of(base)->below, off, len);
}

static int watched_extent(struct block_file *base, uint64_t off, uint64_t *ret_len, bool *ret_data)
{
	return block_file_extent(watched_of(base)->below, off, ret_len, ret_data);
}

static void watched_close(struct block_file *base)
{
	/* The bytes stay for whoever opens them next. */
	g_free(watched_of(base));
}

static const struct block_file_ops watched_ops = {
	.read = watched_read,
	.write = watched_write,
	.sync = watched_sync,
	.size = watched_size,
	.resize = watched_resize,
	.punch = watched_punch,
	.extent = watched_extent,
	.close = watched_close,
};

static struct watched *watch(struct block_file *below)
{
	struct watched *w = g_new0(struct watched, 1);

	w->base.ops = &watched_ops;
	w->below = below;
	return w;
}

/* ---- images ---- */

/* An empty image in memory; @option is "name=value" or NULL. */
static struct block_file *make(const char *format, uint64_t size, const char *option)
{
	g_autoptr(GHashTable) options = g_hash_table_new(g_str_hash, g_str_equal);
	const struct image_create what = { .path = "x", .size = size, .options = options };
	struct block_file *file = block_file_scratch(LIMIT);
	g_auto(GStrv) words = option ? g_strsplit(option, "=", 2) : NULL;
	GError *error = NULL;

	if (words)
		g_hash_table_insert(options, words[0], words[1]);
	image_format_find(format, &error)->create(file, &what, &error);
	g_assert_no_error(error);
	return file;
}

static struct image *open_it(const char *format, struct block_file *file, unsigned flags)
{
	GError *error = NULL;
	struct image *image = image_open_file("x", &watch(file)->base, format, flags, &error);

	g_assert_no_error(error);
	return image;
}

static void refused(const char *format, struct block_file *file, const char *words)
{
	g_autoptr(GError) error = NULL;
	struct image *image = image_open_file("x", &watch(file)->base, format, 0, &error);

	g_assert_null(image);
	g_assert_nonnull(error);
	if (!strstr(error->message, words))
		g_error("'%s' is not in '%s'", words, error->message);
}

static void put(struct block_file *file, uint64_t off, const void *bytes, size_t len)
{
	g_assert_cmpint(block_file_write(file, off, bytes, len), ==, 0);
}

static void get(struct block_file *file, uint64_t off, void *bytes, size_t len)
{
	g_assert_cmpint(block_file_read(file, off, bytes, len), ==, 0);
}

static void write_at(struct image *image, uint64_t off, int byte, size_t len)
{
	g_autofree uint8_t *buf = g_malloc(len);
	GError *error = NULL;

	memset(buf, byte, len);
	image_write(image, off, buf, len, &error);
	g_assert_no_error(error);
}

static void expect(struct image *image, uint64_t off, int byte, size_t len)
{
	g_autofree uint8_t *buf = g_malloc(len);
	GError *error = NULL;

	image_read(image, off, buf, len, &error);
	g_assert_no_error(error);
	g_assert_cmpuint(buf[0], ==, byte);
	g_assert_true(!memcmp(buf, buf + 1, len - 1));
}

static void flush(struct image *image)
{
	GError *error = NULL;

	image_flush(image, &error);
	g_assert_no_error(error);
}

static void expect_kind(struct image *image, uint64_t off, enum image_kind kind)
{
	struct image_extent extent;
	GError *error = NULL;

	image_map(image, off, image->size - off, &extent, &error);
	g_assert_no_error(error);
	g_assert_cmpint(extent.kind, ==, kind);
	g_assert_cmpuint(extent.len, >, 0);
}

/* ---- there and back ---- */

static const struct kind {
	const char *format, *option;
	bool stream, fixed;
} kinds[] = {
	{ "vdi", NULL, false, false },
	{ "vdi", "static=on", false, true },
	{ "vpc", NULL, false, false },
	{ "vpc", "force_size=on", false, false },
	{ "vpc", "subformat=fixed", false, true },
	{ "vhdx", "block_size=1M", false, false },
	{ "vhdx", "subformat=fixed", false, true },
	{ "vmdk", NULL, false, false },
	{ "vmdk", "zeroed_grain=on", false, false },
	{ "vmdk", "subformat=streamOptimized", true, false },
};

static void test_round_trip(void)
{
	for (unsigned i = 0; i < G_N_ELEMENTS(kinds); i++) {
		const struct kind *kind = &kinds[i];
		autoptr(block_file) file = make(kind->format, SIZE, kind->option);
		struct image *image = open_it(kind->format, file, IMAGE_WRITE);

		g_assert_cmpuint(image->size, >=, SIZE);
		expect(image, 0, 0, 65536);
		write_at(image, SECTOR, 1, SECTOR);
		expect(image, 0, 0, SECTOR);
		expect(image, SECTOR, 1, SECTOR);
		write_at(image, (5 << 20) - 4096, 2, 3 << 20);
		write_at(image, SIZE - SECTOR, 3, SECTOR);
		flush(image);
		image_close(image);

		image = open_it(kind->format, file, 0);
		expect(image, 0, 0, SECTOR);
		expect(image, SECTOR, 1, SECTOR);
		expect(image, 2 * SECTOR, 0, 65536);
		expect(image, (5 << 20) - 4096, 2, 3 << 20);
		expect(image, (8 << 20) - 4096, 0, 1 << 20);
		expect(image, SIZE - SECTOR, 3, SECTOR);
		expect_kind(image, 0, IMAGE_DATA);
		if (!kind->fixed)
			expect_kind(image, 20 << 20, IMAGE_ABSENT);
		image_close(image);
	}
}

/* Into what is there: over it, next to it, zeroes, and what gives space back. */
static void test_in_place(void)
{
	for (unsigned i = 0; i < G_N_ELEMENTS(kinds); i++) {
		const struct kind *kind = &kinds[i];
		autoptr(block_file) file = NULL;
		struct image *image;
		GError *error = NULL;

		if (kind->stream)
			continue;
		file = make(kind->format, SIZE, kind->option);
		for (int round = 1; round < 4; round++) {
			image = open_it(kind->format, file, IMAGE_WRITE);
			write_at(image, 1 << 20, round, 1 << 20);
			write_at(image, (unsigned)(3 * round) << 20, 10 + round, 65536);
			image_zero(image, (1 << 20) + 4096, 4096, true, &error);
			g_assert_no_error(error);
			image_discard(image, 30 << 20, 1 << 20, &error);
			g_assert_no_error(error);
			flush(image);
			image_close(image);
		}
		image = open_it(kind->format, file, 0);
		expect(image, 1 << 20, 3, 4096);
		expect(image, (1 << 20) + 4096, 0, 4096);
		expect(image, (1 << 20) + 8192, 3, (1 << 20) - 8192);
		for (int round = 1; round < 4; round++)
			expect(image, (unsigned)(3 * round) << 20, 10 + round, 65536);
		image_close(image);
	}
}

static void test_stream_order(void)
{
	autoptr(block_file) file = make("vmdk", SIZE, "subformat=streamOptimized");
	struct image *image = open_it("vmdk", file, IMAGE_WRITE);
	g_autofree uint8_t *grain = g_malloc0(65536), *packed = g_malloc(65536);
	g_autoptr(GError) error = NULL;
	ssize_t len;

	g_assert_cmpuint(image->cluster_size, ==, 65536);
	memset(grain, 5, 65536);
	len = image->ops->pack(image, grain, packed);
	g_assert_cmpint(len, >, 0);
	g_assert_true(image->ops->write_packed(image, 65536, packed, (size_t)len, &error));
	flush(image);
	/* In pieces, and noise that does not become smaller. */
	write_at(image, 4 * 65536, 6, 512);
	for (unsigned i = 0; i < 65536; i++)
		grain[i] = (uint8_t)(i * i >> 7 ^ i * 251 >> 3);
	g_assert_true(image_write(image, 4 * 65536 + 512, grain, 65536 - 512, &error));
	write_at(image, 36 << 20, 7, 65536);
	expect(image, 65536, 5, 65536);
	expect(image, 36 << 20, 7, 65536);
	flush(image);
	g_assert_false(image_write(image, 0, grain, 65536, &error));
	g_assert_error(error, SOCLE_ERROR, SOCLE_ERROR_UNSUPPORTED);
	image_close(image);

	image = open_it("vmdk", file, IMAGE_WRITE);
	expect(image, 65536, 5, 65536);
	expect(image, 4 * 65536, 6, 512);
	g_assert_true(image_read(image, 4 * 65536 + 512, packed, 65536 - 512, NULL));
	g_assert_cmpmem(packed, 65536 - 512, grain, 65536 - 512);
	expect(image, 36 << 20, 7, 65536);
	g_clear_error(&error);
	g_assert_false(image_write(image, 38 << 20, grain, 65536, &error));
	g_assert_error(error, SOCLE_ERROR, SOCLE_ERROR_UNSUPPORTED);
	image_close(image);
}

/* ---- order, and failing writes ---- */

static void test_meta_order(void)
{
	autoptr(block_file) below = block_file_scratch(LIMIT);
	struct watched *w = watch(below);
	struct meta meta;
	uint8_t byte = 1, back = 0;

	meta_init(&meta, &w->base);
	g_assert_cmpint(meta_write(&meta, 1000, &byte, 1), ==, 0);
	g_assert_cmpint(meta_read(&meta, 1000, &back, 1), ==, 0);
	g_assert_cmpuint(back, ==, 1);
	g_assert_cmpuint(w->writes, ==, 0);
	g_assert_cmpint(meta_flush(&meta), ==, 0);
	/* Its sector only; a sync before it and one behind. */
	g_assert_cmpuint(w->writes, ==, 1);
	g_assert_cmpuint(w->last_off, ==, 512);
	g_assert_cmpuint(w->syncs, ==, 2);
	g_assert_cmpint(block_file_size(below), ==, 1024);
	/* More than there is room for. */
	for (uint64_t i = 0; i < 1000; i++)
		g_assert_cmpint(meta_write(&meta, i * META_PAGE, &byte, 1), ==, 0);
	g_assert_cmpint(meta_flush(&meta), ==, 0);
	meta_release(&meta);
	for (uint64_t i = 0; i < 1000; i++) {
		get(below, i * META_PAGE, &back, 1);
		g_assert_cmpuint(back, ==, 1);
	}
	block_file_close(&w->base);
}

/* What was flushed stays, whichever write fails afterwards; and it can go on. */
static void test_nth_write(void)
{
	for (unsigned i = 0; i < G_N_ELEMENTS(kinds); i++) {
		const struct kind *kind = &kinds[i];
		bool failed = !kind->stream;

		for (unsigned n = 1; failed; n++) {
			autoptr(block_file) file = make(kind->format, SIZE, kind->option);
			struct image *image = open_it(kind->format, file, IMAGE_WRITE);
			struct watched *w = watched_of(image->file);
			g_autofree uint8_t *buf = g_malloc0(65536);

			write_at(image, 0, 1, 65536);
			flush(image);
			w->writes = 0;
			w->fail_at = n;
			memset(buf, 2, 65536);
			failed = !image_write(image, 9 << 20, buf, 65536, NULL) ||
				 !image_flush(image, NULL);
			w->fail_at = 0;
			expect(image, 0, 1, 65536);
			write_at(image, 9 << 20, 2, 65536);
			write_at(image, 18 << 20, 3, 65536);
			flush(image);
			image_close(image);
			image = open_it(kind->format, file, 0);
			expect(image, 0, 1, 65536);
			expect(image, 9 << 20, 2, 65536);
			expect(image, (9 << 20) + 65536, 0, 65536);
			expect(image, 18 << 20, 3, 65536);
			image_close(image);
			g_assert_cmpuint(n, <, 50);
		}
	}
}

/* The power is cut after each write: what was flushed is there, and the rest is old or new. */
static void test_power_cut(void)
{
	for (unsigned i = 0; i < G_N_ELEMENTS(kinds); i++) {
		const struct kind *kind = &kinds[i];
		bool whole = kind->stream;

		for (unsigned n = 1; !whole; n++) {
			autoptr(block_file) file = make(kind->format, SIZE, kind->option);
			struct image *image = open_it(kind->format, file, IMAGE_WRITE);
			g_autofree uint8_t *buf = g_malloc(65536);
			struct watched *w;

			write_at(image, 0, 1, 65536);
			flush(image);
			image_close(image);
			image = open_it(kind->format, file, IMAGE_WRITE);
			w = watched_of(image->file);
			w->cut_at = n;
			write_at(image, 9 << 20, 2, 65536);
			write_at(image, 4096, 3, 512);
			flush(image);
			whole = w->writes < n;
			image_close(image);

			image = open_it(kind->format, file, IMAGE_WRITE);
			expect(image, 0, 1, 4096);
			expect(image, 4608, 1, 60000);
			g_assert_true(image_read(image, 9 << 20, buf, 65536, NULL));
			g_assert_true(buf[0] == 0 || buf[0] == 2);
			expect(image, 9 << 20, buf[0], 65536);
			g_assert_true(!whole || buf[0] == 2);
			write_at(image, 18 << 20, 4, 65536);
			flush(image);
			expect(image, 9 << 20, buf[0], 65536);
			expect(image, 0, 1, 4096);
			image_close(image);
		}
	}
}

/* ---- hostile ---- */

/* Two blocks in one place are two blocks with the same bytes. */
static void test_overlap(void)
{
	autoptr(block_file) file = make("vdi", SIZE, NULL);
	struct image *image = open_it("vdi", file, IMAGE_WRITE);
	struct image_extent extent;
	const uint8_t zero[4] = { 0 };

	write_at(image, 0, 1, 1 << 20);
	flush(image);
	image_close(image);
	put(file, 512 + 4, zero, sizeof(zero));
	image = open_it("vdi", file, IMAGE_WRITE);
	expect(image, 1 << 20, 1, 1 << 20);
	write_at(image, 1 << 20, 2, 1 << 20);
	expect(image, 0, 2, 1 << 20);
	g_assert_true(image_map(image, 0, SIZE, &extent, NULL));
	g_assert_cmpuint(extent.len, ==, 1 << 20);
	image_close(image);
}

struct damage {
	uint64_t off;
	unsigned len;
	uint64_t value;
	const char *words;
};

static void put_number(struct block_file *file, const struct damage *d, bool big)
{
	uint8_t bytes[8];

	if (big)
		put_be64(bytes, d->value << 8 * (8 - d->len));
	else
		put_le64(bytes, d->value);
	put(file, d->off, bytes, d->len);
}

static void test_vdi(void)
{
	static const struct damage damages[] = {
		{ 0x40, 4, 1, "is no VDI image" },
		{ 0x44, 4, 0x20001, "version" },
		{ 0x4c, 4, 3, "type (3)" },
		{ 0x1a8, 1, 1, "another behind it" },
		{ 0x1b8, 1, 1, "another behind it" },
		{ 0x154, 4, 0, "map" },
		{ 0x154, 4, 513, "map" },
		{ 0x154, 4, 0xfffffe00, "map" },
		{ 0x158, 4, 512, "over its map" },
		{ 0x168, 4, 4096, "sectors" },
		{ 0x170, 8, UINT64_MAX, "too few" },
		{ 0x178, 4, 0, "blocks" },
		{ 0x178, 4, 3 << 20, "blocks" },
		{ 0x178, 4, 0x80000000, "blocks" },
		{ 0x17c, 4, 512, "blocks" },
		{ 0x180, 4, 1, "blocks" },
		{ 0x180, 4, 0xffffffff, "blocks" },
		{ 0x180, 4, 0x10000000, "map" },
	};

	for (unsigned i = 0; i < G_N_ELEMENTS(damages); i++) {
		autoptr(block_file) file = make("vdi", SIZE, NULL);

		put_number(file, &damages[i], false);
		refused("vdi", file, damages[i].words);
	}
}

/* An entry that points behind the end costs its block only. */
static void test_bad_entry(void)
{
	static const struct {
		const char *format;
		struct damage damage;
		bool big;
	} entries[] = {
		{ "vdi", { 512 + 4, 4, 0x00ffffff, "block 1" }, false },
		{ "vpc", { 1536 + 4, 4, 0x00ffffff, "block 1" }, true },
		{ "vpc", { 1536 + 4, 4, 0, "block 1" }, true },
		{ "vhdx", { (3 << 20) + 8, 8, UINT64_C(1) << 60 | 6, "block 1" }, false },
		{ "vhdx", { (3 << 20) + 8, 8, 6, "block 1" }, false },
		{ "vhdx", { (3 << 20) + 8, 8, 5, "unknown state (5)" }, false },
		{ "vhdx", { (3 << 20) + 8, 8, 7, "unknown state (7)" }, false },
	};

	for (unsigned i = 0; i < G_N_ELEMENTS(entries); i++) {
		autoptr(block_file) file = make(entries[i].format, SIZE, NULL);
		g_autofree uint8_t *buf = g_malloc(SECTOR);
		g_autoptr(GError) error = NULL;
		struct image_extent extent;
		struct image *image;

		put_number(file, &entries[i].damage, entries[i].big);
		image = open_it(entries[i].format, file, IMAGE_WRITE);
		expect(image, 0, 0, SECTOR);
		g_assert_false(image_read(image, image->cluster_size, buf, SECTOR, &error));
		g_assert_error(error, SOCLE_ERROR, SOCLE_ERROR_CORRUPT);
		g_assert_nonnull(strstr(error->message, entries[i].damage.words));
		g_assert_false(image_write(image, image->cluster_size, buf, SECTOR, NULL));
		g_assert_true(image_map(image, 0, image->size, &extent, NULL));
		g_assert_cmpuint(extent.len, ==, image->cluster_size);
		image_close(image);
	}
}

static void sum_vhd(struct block_file *file, uint64_t off, size_t len, size_t at)
{
	g_autofree uint8_t *bytes = g_malloc(len);
	uint32_t sum = 0;

	get(file, off, bytes, len);
	put_be32(bytes + at, 0);
	for (size_t i = 0; i < len; i++)
		sum += bytes[i];
	put_be32(bytes + at, ~sum);
	put(file, off, bytes, len);
}

static void test_vhd(void)
{
	static const struct damage damages[] = {
		{ 512, 8, 0, "header that is damaged" },
		{ 512 + 16, 8, 513, "table" },
		{ 512 + 16, 8, UINT64_MAX - 511, "table" },
		{ 512 + 28, 4, 1, "too few" },
		{ 512 + 28, 4, 0xffffffff, "table" },
		{ 512 + 32, 4, 0, "blocks" },
		{ 512 + 32, 4, 3 << 20, "blocks" },
		{ 512 + 32, 4, 0x80000000, "blocks" },
		{ 16, 8, UINT64_MAX, "header at" },
		{ 60, 4, 4, "another behind it" },
		{ 60, 4, 9, "unknown kind" },
		{ 48, 8, UINT64_MAX, "bytes" },
	};
	autoptr(block_file) sumless = make("vpc", SIZE, "force_size=on");
	uint8_t byte = 0xee;

	for (unsigned i = 0; i < G_N_ELEMENTS(damages); i++) {
		autoptr(block_file) file = make("vpc", SIZE, "force_size=on");
		uint8_t footer[SECTOR];

		put_number(file, &damages[i], true);
		sum_vhd(file, 0, 512, 64);
		sum_vhd(file, 512, 1024, 36);
		get(file, 0, footer, sizeof(footer));
		put(file, (uint64_t)block_file_size(file) - SECTOR, footer, sizeof(footer));
		refused("vpc", file, damages[i].words);
	}
	/* One footer that is damaged does no harm, two do. */
	put(sumless, (uint64_t)block_file_size(sumless) - 10, &byte, 1);
	image_close(open_it("vpc", sumless, 0));
	put(sumless, 100, &byte, 1);
	refused("vpc", sumless, "no VHD footer");
}

static void sum_vhdx(struct block_file *file, uint64_t off, size_t len)
{
	g_autofree uint8_t *bytes = g_malloc(len);

	get(file, off, bytes, len);
	put_le32(bytes + 4, format_crc32c(bytes, len, 4));
	put(file, off, bytes, len);
}

static void test_vhdx(void)
{
	enum {
		HEADER = 128 << 10,
		REGIONS = 192 << 10,
		META = 2 << 20
	};
	static const struct damage damages[] = {
		{ 0, 4, 0, "no VHDX image" },
		{ HEADER + 66, 2, 2, "version 2" },
		{ HEADER + 64, 2, 1, "log of version 1" },
		{ REGIONS + 8, 4, 2048, "regions" },
		{ REGIONS + 8, 4, 1, "no metadata" },
		{ REGIONS + 16, 1, 1, "must be known" },
		{ REGIONS + 32, 8, 1, "region" },
		{ REGIONS + 32, 8, UINT64_C(1) << 50, "region" },
		{ REGIONS + 40, 4, 0, "region" },
		{ REGIONS + 32, 8, META, "in its metadata" },
		{ META, 1, 0, "metadata that are none" },
		{ META + 10, 2, 2048, "metadata" },
		{ META + 10, 2, 1, "how large" },
		{ META + 32, 1, 0, "must be known" },
		{ META + 32 + 16, 4, 0, "metadata of 8 bytes" },
		{ META + 32 + 16, 4, 0xffffffff, "metadata of 8 bytes" },
		{ META + 32 + 20, 4, 7, "metadata of 7 bytes" },
		{ META + 65536, 4, 0, "blocks of 0" },
		{ META + 65536, 4, 3 << 20, "blocks" },
		{ META + 65536, 4, 512 << 20, "blocks" },
		{ META + 65536 + 4, 4, 2, "parent" },
		{ META + 65536 + 16, 8, UINT64_MAX, "bytes" },
		{ META + 65536 + 16, 8, 1, "bytes" },
		{ META + 65536 + 16, 8, UINT64_C(60) << 40, "bytes" },
		{ META + 65536 + 48, 4, 1024, "sectors of 1024" },
	};

	for (unsigned i = 0; i < G_N_ELEMENTS(damages); i++) {
		autoptr(block_file) file = make("vhdx", SIZE, NULL);

		put_number(file, &damages[i], false);
		sum_vhdx(file, HEADER, 4096);
		sum_vhdx(file, REGIONS, 65536);
		refused("vhdx", file, damages[i].words);
	}
}

/* Copies that are damaged: one may be, both may not. */
static void test_vhdx_copies(void)
{
	static const uint64_t copies[][2] = { { 64 << 10, 128 << 10 }, { 192 << 10, 256 << 10 } };

	for (unsigned i = 0; i < G_N_ELEMENTS(copies); i++) {
		autoptr(block_file) file = make("vhdx", SIZE, NULL);
		const uint8_t byte = 0xee;

		for (unsigned k = 0; k < 2; k++) {
			image_close(open_it("vhdx", file, 0));
			put(file, copies[i][k] + 1000, &byte, 1);
		}
		refused("vhdx", file, "that is whole");
	}
}

/* An entry of the log that changes a sector at 3M (the table), and makes the next one zero. */
static void put_log(struct block_file *file, uint32_t at, uint64_t sequence, uint32_t tail,
		    uint64_t block)
{
	g_autofree uint8_t *entry = g_malloc0(8192);

	memcpy(entry, "loge", 4);
	put_le32(entry + 8, 8192);
	put_le32(entry + 12, tail);
	put_le64(entry + 16, sequence);
	put_le32(entry + 24, 2);
	memset(entry + 32, 7, 16);
	memcpy(entry + 64, "desc", 4);
	put_le64(entry + 64 + 8, block); /* the first 8 bytes */
	put_le64(entry + 64 + 16, 3 << 20);
	put_le64(entry + 64 + 24, sequence);
	memcpy(entry + 96, "zero", 4);
	put_le64(entry + 96 + 8, 4096);
	put_le64(entry + 96 + 16, (3 << 20) + 4096);
	put_le64(entry + 96 + 24, sequence);
	memcpy(entry + 4096, "data", 4);
	put_le32(entry + 4096 + 4, (uint32_t)(sequence >> 32));
	put_le32(entry + 8192 - 4, (uint32_t)sequence);
	put_le32(entry + 4, format_crc32c(entry, 8192, 4));
	for (uint32_t i = 0; i < 8192; i += 4096)
		put(file, (1 << 20) + (at + i) % (1 << 20), entry + i, 4096);
}

static struct block_file *make_log(uint32_t at)
{
	struct block_file *file = make("vhdx", SIZE, NULL);
	uint8_t guid[16];

	memset(guid, 7, sizeof(guid));
	put(file, (128 << 10) + 48, guid, sizeof(guid));
	sum_vhdx(file, 128 << 10, 4096);
	/* Two entries, the second at the seam; one that is older, and one that is not whole. */
	put_log(file, at, 5, at, 2);
	put_log(file, (at + 8192) % (1 << 20), 6, at, 1 << 20 | 6);
	put_log(file, 512 << 10, 4, 512 << 10, 3 << 20 | 6);
	put_log(file, 600 << 10, 9, 512 << 10, 3 << 20 | 6);
	return file;
}

static void test_vhdx_log(void)
{
	static const uint32_t places[] = { 0, 8192, (1 << 20) - 8192, (1 << 20) - 12288 };
	uint8_t bytes[16], none[16] = { 0 };

	for (unsigned i = 0; i < G_N_ELEMENTS(places); i++) {
		autoptr(block_file) file = make_log(places[i]);
		struct image *image = open_it("vhdx", file, 0);

		/* In memory: the log's sector begins with "loge", the file's table is empty. */
		get(file, 3 << 20, bytes, 8);
		g_assert_cmpuint(get_le64(bytes), ==, 0);
		expect_kind(image, 0, IMAGE_DATA);
		image_close(image);

		image_close(open_it("vhdx", file, IMAGE_WRITE));
		get(file, 3 << 20, bytes, 8);
		g_assert_cmpuint(get_le64(bytes), ==, 1 << 20 | 6);
		get(file, (64 << 10) + 48, bytes, 16);
		g_assert_cmpmem(bytes, 16, none, 16);
		image_close(open_it("vhdx", file, 0));
	}
}

static void test_vhdx_bad_log(void)
{
	static const struct damage damages[] = {
		{ (128 << 10) + 68, 4, 1000, "log at" },
		{ (128 << 10) + 68, 4, 512 << 20, "log at" },
		{ (128 << 10) + 72, 8, 4096, "log at" },
		{ (128 << 10) + 72, 8, UINT64_C(1) << 50, "log at" },
		{ (128 << 10) + 48, 1, 9, "nothing is whole" },
	};

	for (unsigned i = 0; i < G_N_ELEMENTS(damages); i++) {
		autoptr(block_file) file = make_log(0);

		put_number(file, &damages[i], false);
		sum_vhdx(file, 128 << 10, 4096);
		refused("vhdx", file, damages[i].words);
	}
}

static void test_vmdk(void)
{
	static const struct damage damages[] = {
		{ 0, 4, 0, "no VMDK image" },
		{ 4, 4, 4, "version 4" },
		{ 4, 4, 0, "version 0" },
		{ 12, 8, UINT64_MAX, "sectors" },
		{ 12, 8, UINT64_C(1) << 50, "directory" },
		{ 20, 8, 0, "grains" },
		{ 20, 8, 24, "grains" },
		{ 20, 8, 8192, "grains" },
		{ 44, 4, 0, "grain tables" },
		{ 44, 4, 513, "grain tables" },
		{ 48, 8, UINT64_C(1) << 60, "directory" },
		{ 56, 8, UINT64_C(1) << 60, "directory" },
		{ 56, 8, 0, "directory" },
		{ 56, 8, UINT64_MAX, "no footer" },
		{ 74, 1, '\n', "as a text" },
		{ 77, 2, 2, "unknown way" },
		{ 10, 1, 1, "unknown way" },
	};

	for (unsigned i = 0; i < G_N_ELEMENTS(damages); i++) {
		autoptr(block_file) file = make("vmdk", SIZE, NULL);

		put_number(file, &damages[i], false);
		refused("vmdk", file, damages[i].words);
	}
}

/* Grains that are no data, bombs, too long, or over each other. */
static void test_vmdk_grains(void)
{
	autoptr(block_file) file = make("vmdk", SIZE, "subformat=streamOptimized");
	struct image *image = open_it("vmdk", file, IMAGE_WRITE);
	g_autofree uint8_t *out = g_malloc(65536);
	g_autoptr(GError) error = NULL;
	uint8_t packed[] = { 0xff, 0xff, 0xff };

	write_at(image, 0, 1, 65536);
	write_at(image, 65536, 2, 65536);
	g_assert_true(image->ops->write_packed(image, 3 * 65536, packed, sizeof(packed), &error));
	flush(image);
	image_close(image);
	image = open_it("vmdk", file, 0);
	expect(image, 0, 1, 65536);
	g_assert_false(image_read(image, 3 * 65536, out, SECTOR, &error));
	g_assert_error(error, SOCLE_ERROR, SOCLE_ERROR_CORRUPT);
	image_close(image);

	/* Where the first grain's length is. */
	put(file, 128 * SECTOR + 8, "\xff\xff\xff\x7f", 4);
	image = open_it("vmdk", file, 0);
	g_clear_error(&error);
	g_assert_false(image_read(image, 0, out, SECTOR, &error));
	g_assert_error(error, SOCLE_ERROR, SOCLE_ERROR_CORRUPT);
	expect(image, 65536, 2, 65536);
	image_close(image);
}

static void test_inflate_bomb(void)
{
	/* 8 MiB of zeroes: 64 KiB are taken of them, and no more are made. */
	autoptr(block_file) file = make("vmdk", SIZE, "subformat=streamOptimized");
	struct image *image = open_it("vmdk", file, IMAGE_WRITE);
	g_autofree uint8_t *in = g_malloc0(8 << 20), *out = g_malloc(65536);
	uLongf len = 65536;
	GError *error = NULL;

	g_assert_cmpint(compress2(out, &len, in, 8 << 20, 9), ==, Z_OK);
	image->ops->write_packed(image, 0, out, len, &error);
	g_assert_no_error(error);
	flush(image);
	expect(image, 0, 0, 65536);
	image_close(image);
}

/* A flat image's data are in another file: only if the caller says so, and in the same folder. */
static void test_vmdk_flat(void)
{
	static const struct {
		const char *extent, *words;
		unsigned flags;
	} texts[] = {
		{ "RW 8 FLAT \"x-flat.vmdk\" 0", "may not be opened", 0 },
		{ "RW 8 FLAT \"/etc/passwd\" 0", "not a file of its folder", IMAGE_BACKING },
		{ "RW 8 FLAT \"../x\" 0", "not a file of its folder", IMAGE_BACKING },
		{ "RW 8 FLAT \"..\" 0", "not a file of its folder", IMAGE_BACKING },
		{ "RW 8 FLAT \"\" 0", "not a file of its folder", IMAGE_BACKING },
		{ "RW 99999999999999999999 FLAT \"x\" 0", "no sense", IMAGE_BACKING },
		{ "RW 8 FLAT \"x\" 0\nRW 8 FLAT \"y\" 0", "not supported", IMAGE_BACKING },
		{ "RW 8 SPARSE \"x\"", "not supported", IMAGE_BACKING },
		{ "RW", "not supported", IMAGE_BACKING },
		{ "RW 8 FLAT \"there-is-no-such-file\" 0", "No such file", IMAGE_BACKING },
	};

	for (unsigned i = 0; i < G_N_ELEMENTS(texts); i++) {
		g_autofree char *text = g_strdup_printf("# Disk DescriptorFile\n"
							"createType=\"monolithicFlat\"\n%s\n",
							texts[i].extent);
		struct block_file *file = block_file_memory((const uint8_t *)text, strlen(text));
		g_autoptr(GError) error = NULL;

		g_assert_null(image_open_file("x", file, "vmdk", texts[i].flags, &error));
		if (!strstr(error->message, texts[i].words))
			g_error("'%s' is not in '%s'", texts[i].words, error->message);
	}
}

/* Header, L1 at 48, L2 at 512. */
static struct block_file *make_qcow1(void)
{
	struct block_file *file = block_file_scratch(LIMIT);
	uint8_t h[512] = { 'Q', 'F', 'I', 0xfb };

	put_be32(h + 4, 1);
	put_be64(h + 24, 1 << 20);
	h[32] = 12;
	h[33] = 9;
	put_be64(h + 40, 48);
	put_be64(h + 48, 512);
	put(file, 0, h, sizeof(h));
	memset(h, 0, sizeof(h));
	put_be64(h, 8192);
	put_be64(h + 8, UINT64_C(1) << 63 | UINT64_C(100) << 51 | 8192);
	put_be64(h + 16, UINT64_C(1) << 40);
	put(file, 512, h, sizeof(h));
	memset(h, 7, sizeof(h));
	put(file, 8192, h, sizeof(h));
	return file;
}

static void test_qcow1(void)
{
	static const struct damage damages[] = {
		{ 4, 4, 2, "is no qcow" },  { 24, 8, UINT64_MAX, "bytes" },
		{ 24, 8, INT64_MAX, "L1" }, { 32, 1, 8, "clusters" },
		{ 32, 1, 17, "clusters" },  { 33, 1, 5, "clusters" },
		{ 33, 1, 14, "clusters" },  { 36, 4, 1, "encrypted" },
		{ 40, 8, 49, "L1" },        { 40, 8, UINT64_MAX - 7, "L1" },
	};
	autoptr(block_file) good = make_qcow1();
	struct image *image = open_it("qcow", good, 0);
	uint8_t buf[SECTOR];

	expect(image, 0, 7, 512);
	expect(image, 512, 0, 3584);
	g_assert_false(image_read(image, 4096, buf, SECTOR, NULL));
	g_assert_false(image_read(image, 8192, buf, SECTOR, NULL));
	expect(image, 12288, 0, 65536);
	image_close(image);
	for (unsigned i = 0; i < G_N_ELEMENTS(damages); i++) {
		autoptr(block_file) file = make_qcow1();

		put_number(file, &damages[i], true);
		refused("qcow", file, damages[i].words);
	}
}

static void test_probe(void)
{
	static const char *const names[] = { "vdi", "vpc", "vhdx", "vmdk" };

	for (unsigned i = 0; i < G_N_ELEMENTS(names); i++) {
		autoptr(block_file) file = make(names[i], SIZE, NULL);
		struct image *image = open_it(NULL, file, 0);

		g_assert_cmpstr(image->ops->format, ==, names[i]);
		image_close(image);
	}
}

static void test_options(void)
{
	static const struct {
		const char *format, *name, *value;
	} wrong[] = {
		{ "vdi", "static", "maybe" },        { "vpc", "subformat", "sparse" },
		{ "vhdx", "block_size", "3M" },      { "vhdx", "block_size", "1X" },
		{ "vhdx", "log_size", "99999999T" }, { "vmdk", "adapter_type", "scsi" },
		{ "vmdk", "hwversion", "x" },
	};

	for (unsigned i = 0; i < G_N_ELEMENTS(wrong); i++) {
		g_autoptr(GHashTable) options = g_hash_table_new(g_str_hash, g_str_equal);
		const struct image_create what = { .path = "x", .size = SIZE, .options = options };
		autoptr(block_file) file = block_file_scratch(LIMIT);
		g_autoptr(GError) error = NULL;

		g_hash_table_insert(options, (char *)(uintptr_t)wrong[i].name,
				    (char *)(uintptr_t)wrong[i].value);
		g_assert_false(
			image_format_find(wrong[i].format, NULL)->create(file, &what, &error));
		g_assert_error(error, SOCLE_ERROR, SOCLE_ERROR_USAGE);
	}
}

static void test_crc(void)
{
	/* RFC 3720, B.4: 32 bytes of ones; four of them are taken as zeroes where none stand. */
	uint8_t bytes[32] = { 0 };

	g_assert_cmpuint(format_crc32c(bytes, 32, 4), ==, 0x8a9136aa);
	bytes[5] = 9;
	g_assert_cmpuint(format_crc32c(bytes, 32, 4), ==, 0x8a9136aa);
	g_assert_cmpuint(format_crc32c("123456789", 9, 100), ==, 0xe3069283);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/block/formats/round-trip", test_round_trip);
	g_test_add_func("/block/formats/in-place", test_in_place);
	g_test_add_func("/block/formats/stream-order", test_stream_order);
	g_test_add_func("/block/formats/meta-order", test_meta_order);
	g_test_add_func("/block/formats/nth-write", test_nth_write);
	g_test_add_func("/block/formats/power-cut", test_power_cut);
	g_test_add_func("/block/formats/overlap", test_overlap);
	g_test_add_func("/block/formats/vdi", test_vdi);
	g_test_add_func("/block/formats/bad-entry", test_bad_entry);
	g_test_add_func("/block/formats/vhd", test_vhd);
	g_test_add_func("/block/formats/vhdx", test_vhdx);
	g_test_add_func("/block/formats/vhdx-copies", test_vhdx_copies);
	g_test_add_func("/block/formats/vhdx-log", test_vhdx_log);
	g_test_add_func("/block/formats/vhdx-bad-log", test_vhdx_bad_log);
	g_test_add_func("/block/formats/vmdk", test_vmdk);
	g_test_add_func("/block/formats/vmdk-grains", test_vmdk_grains);
	g_test_add_func("/block/formats/inflate-bomb", test_inflate_bomb);
	g_test_add_func("/block/formats/vmdk-flat", test_vmdk_flat);
	g_test_add_func("/block/formats/qcow1", test_qcow1);
	g_test_add_func("/block/formats/probe", test_probe);
	g_test_add_func("/block/formats/options", test_options);
	g_test_add_func("/block/formats/crc", test_crc);
	return g_test_run();
}
