/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz-luks.c - LUKS headers that somebody made to hurt us: read, opened, changed; as an image
 *
 * Input: the first bytes of a file; what is behind, key material for example, is zero. A header that
 * was read can be written again and is the same; nothing is written outside its place. What is written
 * to an image that opens is read back.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "block/crypt/luks.h"
#include "block/image.h"

enum {
	LIMIT = 4 << 20,
	BEFORE = 4096, /* of the place, and behind it */
	MAX_WORK = 20000,
	IMAGE_IO = 4096,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_zero(struct block_file *file, uint64_t off, size_t len)
{
	static const uint8_t zero[BEFORE];
	static uint8_t bytes[BEFORE];

	return block_file_read(file, off, bytes, len) < 0 || !memcmp(bytes, zero, len);
}

static bool same_slot(const struct luks_slot *a, const struct luks_slot *b)
{
	return a->active == b->active && a->iterations == b->iterations &&
	       !memcmp(a->salt, b->salt, sizeof(a->salt)) && a->key_sector == b->key_sector &&
	       a->stripes == b->stripes;
}

static void write_again(const struct luks_place *place, const struct luks_header *header)
{
	struct luks_header again;

	if (!luks_header_write(place, header, NULL) || !luks_read(place, &again, NULL) ||
	    memcmp(&again.method, &header->method, sizeof(again.method)) != 0 ||
	    strcmp(again.uuid, header->uuid) != 0)
		abort();
	for (size_t i = 0; i < ARRAY_SIZE(again.slot); i++) {
		if (!same_slot(&again.slot[i], &header->slot[i]))
			abort();
	}
}

static void change(const struct luks_place *place, struct luks_header *header)
{
	autoptr(secret) secret = secret_new("s", "fuzz", 4);
	autoptr(secret) added = secret_new("a", "more", 4);

	crypt_cipher_free(luks_unlock(place, header, secret, NULL));
	(void)luks_add_slot(place, header, secret, added, LUKS_ANY_SLOT, 1, false, NULL);
	(void)luks_erase_slots(place, header, NULL, 3, false, NULL);
	(void)luks_erase_slots(place, header, secret, LUKS_ANY_SLOT, true, NULL);
}

/* Somewhere in the middle, and at the end, which may be that of a sector. */
static void write_and_read(struct image *image)
{
	static uint8_t in[IMAGE_IO], out[IMAGE_IO];
	const uint64_t end = image->size & ~UINT64_C(511);

	if (end < IMAGE_IO)
		return;
	memset(in, 0x5a, sizeof(in));
	if (image_write(image, end - IMAGE_IO, in, sizeof(in), NULL) &&
	    (!image_read(image, end - IMAGE_IO, out, sizeof(out), NULL) ||
	     memcmp(in, out, sizeof(in)) != 0))
		abort();
	(void)image_read(image, end / 2 + 1, out, MIN(end / 2 - 1, (uint64_t)sizeof(out)), NULL);
	(void)image_zero(image, 0, 512, true, NULL);
}

static void open_image(const uint8_t *data, size_t size)
{
	autoptr(secret) secret = secret_new("s", "fuzz", 4);
	const struct secret *secrets[] = { secret };
	const struct image_keys keys = { .secrets = secrets, .count = 1 };
	struct block_file *file = block_file_scratch(LIMIT);
	struct image *image;

	(void)block_file_write(file, 0, data, size);
	(void)block_file_resize(file, LIMIT);
	image = image_open_file_keys("fuzz", file, "luks", IMAGE_WRITE, &keys, NULL);
	if (image)
		write_and_read(image);
	image_close(image);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	autoptr(block_file) file = block_file_scratch(LIMIT);
	struct luks_place place = {
		.name = "fuzz", .file = file, .off = BEFORE, .len = LIMIT - 2 * BEFORE
	};
	struct luks_header header = { 0 };

	if (size > LIMIT / 2)
		return 0;
	luks_max_iterations = MAX_WORK;
	(void)block_file_write(file, BEFORE, data, size);
	if (luks_read(&place, &header, NULL)) {
		write_again(&place, &header);
		change(&place, &header);
	}
	open_image(data, size);
	if (!is_zero(file, 0, BEFORE) || !is_zero(file, LIMIT - BEFORE, BEFORE))
		abort();
	return 0;
}
