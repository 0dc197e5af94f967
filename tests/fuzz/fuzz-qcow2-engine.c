/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz-qcow2-engine.c - whole qcow2 images that somebody made to hurt us, used for all that we can do
 *
 * Input: an image, small enough that its tables are most of it. Whatever fails, fails.
 */
#include <stdint.h>
#include <string.h>

#include "block/qcow2/qcow2-int.h"

enum {
	LIMIT = 8 << 20,
	LEN = 8192,
	SLOTS = 16, /* pieces in the cache */
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct block_file *copy_of(const uint8_t *data, size_t size)
{
	struct block_file *file = block_file_scratch(LIMIT);

	(void)block_file_write(file, 0, data, size);
	return file;
}

static void use_at(struct image *image, uint64_t off, uint8_t *buf)
{
	const size_t len = off < image->size ? (size_t)MIN(image->size - off, (uint64_t)LEN) : 0;
	struct image_extent extent;

	(void)image_read(image, off, buf, len, NULL);
	(void)image_map(image, off, image->size - MIN(off, image->size), &extent, NULL);
	(void)image_write(image, off, buf, len / 2, NULL);
	(void)image_zero(image, off, len, false, NULL);
	(void)image_write(image, off, buf, len, NULL);
	(void)image_discard(image, off, len, NULL);
	(void)image_zero(image, off, len, true, NULL);
}

static void use(struct image *image)
{
	uint8_t buf[512];
	g_autofree uint8_t *large = g_malloc0(LEN);
	g_autofree uint8_t *packed = g_malloc0(image->cluster_size);

	memset(buf, 1, sizeof(buf));
	use_at(image, 0, large);
	use_at(image, image->size / 2 & ~UINT64_C(511), large);
	use_at(image, image->size & ~UINT64_C(511), large);
	if (image->size >= image->cluster_size)
		(void)image->ops->write_packed(image, 0, packed, 100, NULL);
	(void)image_flush(image, NULL);
	(void)qcow2_snapshot_create(image, "fuzz", 0, NULL);
	(void)image_write(image, 0, buf, (size_t)MIN(image->size, (uint64_t)512), NULL);
	(void)qcow2_snapshot_apply(image, "fuzz", NULL);
	(void)qcow2_snapshot_delete(image, "1", NULL);
	(void)qcow2_snapshot_delete(image, "fuzz", NULL);
	(void)image_resize(image, (image->size & ~UINT64_C(511)) + (1 << 20), NULL);
	(void)image_resize(image, image->size / 2 & ~UINT64_C(511), NULL);
	(void)image_flush(image, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	autoptr(block_file) file = copy_of(data, size);
	struct image *image;
	struct qcow2_check before, after;
	struct qcow2_repaired repaired;
	GPtrArray *bitmaps;

	if (size > LIMIT / 2)
		return 0;
	qcow2_test_slots = SLOTS;
	image = image_open_file("fuzz", copy_of(data, size), "qcow2", IMAGE_WRITE, NULL);
	if (image) {
		bitmaps = qcow2_bitmaps(image, NULL);
		if (bitmaps)
			g_ptr_array_unref(bitmaps);
		/* Long chains of tables that are not there would only cost time. */
		if (image->size <= UINT64_C(1) << 40)
			use(image);
		image_close(image);
	}
	(void)qcow2_repair("fuzz", file, QCOW2_REPAIR_ALL, NULL, &before, &after, &repaired, NULL);
	return 0;
}
