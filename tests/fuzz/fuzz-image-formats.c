/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz-image-formats.c - images that somebody made to hurt us, opened, mapped, read, written to
 *
 * Input: the format; how (bits: an image of ours with changes, or the bytes as they are; read-only or
 * not); then the bytes, or the changes: where (a place of 8, and 2 bytes beyond), how many, what.
 * Sums are put right in changed images, as whoever makes one would.
 */
#include <stdint.h>
#include <string.h>

#include "base/bytes.h"
#include "block/format/format.h"
#include "block/image.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
	FLAG_CHANGES = 1,
	FLAG_WRITE = 2,
	FLAG_VARIANT = 4, /* fixed, or a stream */
	FLAG_LOG = 8,     /* a log is to be replayed */
	LIMIT = 12 << 20,
	READ_LEN = 65536,
	EXTENTS = 64,
};

static const char *const formats[] = { "vdi", "vpc", "vhdx", "vmdk", "qcow" };

static void sum_vhd(struct block_file *file, uint64_t off, size_t len, size_t where)
{
	uint8_t bytes[1024];
	uint32_t sum = 0;

	(void)block_file_read(file, off, bytes, len);
	put_be32(bytes + where, 0);
	for (size_t i = 0; i < len; i++)
		sum += bytes[i];
	put_be32(bytes + where, ~sum);
	(void)block_file_write(file, off, bytes, len);
}

static void sum_vhdx(struct block_file *file, uint64_t off, size_t len)
{
	g_autofree uint8_t *bytes = g_malloc(len);

	(void)block_file_read(file, off, bytes, len);
	put_le32(bytes + 4, format_crc32c(bytes, len, 4));
	(void)block_file_write(file, off, bytes, len);
}

/* The entry at the log's beginning, if it is within it. */
static void sum_log(struct block_file *file)
{
	uint8_t bytes[4];

	(void)block_file_read(file, (1 << 20) + 8, bytes, 4);
	if (get_le32(bytes) >= 8 && get_le32(bytes) <= 1 << 20)
		sum_vhdx(file, 1 << 20, get_le32(bytes));
}

static void sum_all(const char *format, struct block_file *file, uint64_t len)
{
	if (!strcmp(format, "vpc") && len >= 2048) {
		sum_vhd(file, 0, 512, 64);
		sum_vhd(file, 512, 1024, 36);
		sum_vhd(file, len - 512, 512, 64);
	} else if (!strcmp(format, "vhdx") && len >= 2 << 20) {
		sum_vhdx(file, 64 << 10, 4096);
		sum_vhdx(file, 128 << 10, 4096);
		sum_vhdx(file, 192 << 10, 65536);
		sum_vhdx(file, 256 << 10, 65536);
		sum_log(file);
	}
}

static const struct image_ops *ops_of(const char *format)
{
	return image_format_find(format, NULL);
}

/* A log of one entry, with one change of a sector and one of zeroes. */
static void add_log(struct block_file *file)
{
	g_autofree uint8_t *entry = g_malloc0(8192);
	uint8_t guid[16];

	memset(guid, 7, sizeof(guid));
	memcpy(entry, "loge", 4);
	put_le32(entry + 8, 8192);
	put_le64(entry + 16, 5);
	put_le32(entry + 24, 2);
	memcpy(entry + 32, guid, sizeof(guid));
	memcpy(entry + 64, "desc", 4);
	put_le64(entry + 64 + 16, 3 << 20);
	put_le64(entry + 64 + 24, 5);
	memcpy(entry + 96, "zero", 4);
	put_le64(entry + 96 + 8, 4096);
	put_le64(entry + 96 + 16, (3 << 20) + 4096);
	put_le64(entry + 96 + 24, 5);
	memcpy(entry + 4096, "data", 4);
	put_le32(entry + 8192 - 4, 5);
	(void)block_file_write(file, 1 << 20, entry, 8192);
	(void)block_file_write(file, (128 << 10) + 48, guid, sizeof(guid));
}

static struct block_file *make(const char *format, unsigned flags)
{
	g_autoptr(GHashTable) options = g_hash_table_new(g_str_hash, g_str_equal);
	const struct image_create what = { .path = "x", .size = 1 << 20, .options = options };
	struct block_file *file = block_file_scratch(LIMIT);

	if (flags & FLAG_VARIANT)
		g_hash_table_insert(
			options, (char *)(uintptr_t) "subformat",
			(char *)(uintptr_t)(strcmp(format, "vmdk") ? "fixed" : "streamOptimized"));
	/* Small, lest most of the time goes into clearing memory. */
	if (!strcmp(format, "vhdx"))
		g_hash_table_insert(options, (char *)(uintptr_t) "block_size",
				    (char *)(uintptr_t) "1M");
	if (ops_of(format)->create(file, &what, NULL) && flags & FLAG_LOG &&
	    !strcmp(format, "vhdx"))
		add_log(file);
	return file;
}

static struct block_file *copy_of(struct block_file *file)
{
	struct block_file *copy = block_file_scratch(LIMIT);
	const uint64_t size = (uint64_t)block_file_size(file);
	static uint8_t buf[READ_LEN];

	(void)block_file_resize(copy, size);
	for (uint64_t off = 0, len; off < size; off += len) {
		bool there;

		(void)block_file_extent(file, off, &len, &there);
		len = MIN(len, size - off);
		if (!there)
			continue;
		len = MIN(len, READ_LEN);
		(void)block_file_read(file, off, buf, len);
		(void)block_file_write(copy, off, buf, len);
	}
	return copy;
}

/* An image of ours; each is made once. */
static struct block_file *template_of(unsigned number, unsigned flags)
{
	static struct block_file *made[G_N_ELEMENTS(formats)][4];
	struct block_file **file =
		&made[number][(flags & FLAG_VARIANT ? 1 : 0) | (flags & FLAG_LOG ? 2 : 0)];

	if (!*file)
		*file = make(formats[number], flags);
	return *file;
}

/* An image of ours, with the changes. */
static struct block_file *changed(unsigned number, unsigned flags, const uint8_t *data, size_t size)
{
	static const uint32_t places[] = { 0,         512,     64 << 10, 128 << 10,
					   192 << 10, 1 << 20, 2 << 20,  3 << 20 };
	struct block_file *file = copy_of(template_of(number, flags));
	const int64_t len = block_file_size(file);

	while (size >= 4) {
		const size_t n = MIN(data[3], size - 4);
		const uint64_t off = places[data[0] % 8] + get_le16(data + 1);
		/* Some are told from the end of the file. */
		const uint64_t at = data[0] & 8 ? (uint64_t)len - MIN((uint64_t)len, off) : off;

		if (at + n <= (uint64_t)len)
			(void)block_file_write(file, at, data + 4, n);
		data += 4 + n;
		size -= 4 + n;
	}
	sum_all(formats[number], file, (uint64_t)len);
	return file;
}

static void map_all(struct image *image)
{
	uint64_t off = 0;

	for (unsigned i = 0; i < EXTENTS && off < image->size; i++) {
		struct image_extent extent;

		if (!image_map(image, off, image->size - off, &extent, NULL))
			break;
		if (!extent.len)
			g_error("an extent of nothing at %#" G_GINT64_MODIFIER "x", off);
		off += extent.len;
	}
}

static void use(struct image *image, unsigned flags)
{
	static uint8_t buf[READ_LEN];
	const size_t len = (size_t)MIN(image->size, READ_LEN);
	const uint64_t offs[] = { 0, image->size / 2 & ~UINT64_C(511), image->size - len };
	GError *error = NULL;

	map_all(image);
	for (unsigned i = 0; i < G_N_ELEMENTS(offs); i++) {
		const size_t n = (size_t)MIN(len, image->size - offs[i]);

		if (flags & FLAG_WRITE) {
			memset(buf, 0x5a, n);
			(void)image_write(image, offs[i], buf, n, NULL);
			(void)image_zero(image, offs[i], n / 2 & ~UINT64_C(511), true, NULL);
			(void)image_discard(image, offs[i], n / 2 & ~UINT64_C(511), NULL);
		}
		if (!image_read(image, offs[i], buf, n, &error) && !error)
			g_error("it fails without a word");
		g_clear_error(&error);
	}
	if (flags & FLAG_WRITE && !image_flush(image, &error) && !error)
		g_error("it fails without a word");
	g_clear_error(&error);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *format;
	struct block_file *file;
	GError *error = NULL;
	struct image *image;
	unsigned flags;

	if (size < 2)
		return 0;
	format = formats[data[0] % G_N_ELEMENTS(formats)];
	flags = data[1];
	if (flags & FLAG_CHANGES && ops_of(format)->create) {
		file = changed(data[0] % G_N_ELEMENTS(formats), flags, data + 2, size - 2);
	} else {
		file = block_file_scratch(LIMIT);
		(void)block_file_write(file, 0, data + 2, size - 2);
	}
	image = image_open_file("fuzz", file, format, flags & FLAG_WRITE ? IMAGE_WRITE : 0, &error);
	if (image)
		use(image, flags);
	else if (!error)
		g_error("it is refused without a word");
	g_clear_error(&error);
	image_close(image);
	return 0;
}
