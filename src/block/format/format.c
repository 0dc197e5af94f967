/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * format.c - small things that several formats need
 */
#include "block/format/format.h"

#include <pthread.h>
#include <string.h>
#include <zlib.h>

#include "base/bytes.h"
#include "base/error.h"

bool format_option_choice(const struct image_create *what, const char *name,
			  const char *const *choices, unsigned *ret, GError **error)
{
	const char *value = image_create_option(what, name, NULL);
	g_autofree char *all = NULL;

	if (!value)
		return true;
	for (unsigned i = 0; choices[i]; i++) {
		if (!strcmp(value, choices[i])) {
			*ret = i;
			return true;
		}
	}
	all = g_strjoinv(", ", (char **)(uintptr_t)choices);
	return error_set(error, SOCLE_ERROR_USAGE, "option '%s' cannot be '%s'; it can be %s", name,
			 value, all);
}

bool format_option_bool(const struct image_create *what, const char *name, bool *ret,
			GError **error)
{
	static const char *const words[] = { "off", "on", "no", "yes", "false", "true", NULL };
	unsigned i = *ret;

	if (!format_option_choice(what, name, words, &i, error))
		return false;
	*ret = i % 2;
	return true;
}

bool format_option_size(const struct image_create *what, const char *name, uint64_t *ret,
			GError **error)
{
	static const char letters[] = "KMGT";
	const char *value = image_create_option(what, name, NULL), *letter;
	uint64_t number;
	char *end = NULL;

	if (!value)
		return true;
	number = g_ascii_isdigit(*value) ? g_ascii_strtoull(value, &end, 10) : 0;
	if (end && *end) {
		letter = strchr(letters, g_ascii_toupper(*end));
		if (letter && number <= UINT64_MAX >> 10 * (letter - letters + 1)) {
			number <<= 10 * (letter - letters + 1);
			end++;
		}
	}
	if (!end || *end)
		return error_set(error, SOCLE_ERROR_USAGE,
				 "option '%s' cannot be '%s'; it is a number of bytes, as 2M", name,
				 value);
	*ret = number;
	return true;
}

bool format_no_backing(const struct image_create *what, const char *format, GError **error)
{
	if (what->backing_file)
		return error_set(
			error, SOCLE_ERROR_UNSUPPORTED,
			"image '%s' cannot have a backing file, since it is %s; take qcow2",
			what->path, format);
	return true;
}

bool format_put(struct block_file *file, const struct image_create *what, uint64_t off,
		const void *buf, size_t len, GError **error)
{
	int ret = block_file_write(file, off, buf, len);

	if (ret < 0)
		return error_sys(error, ret, "cannot write image '%s'", what->path);
	return true;
}

bool format_resize(struct block_file *file, const struct image_create *what, uint64_t size,
		   GError **error)
{
	int ret = block_file_resize(file, size);

	if (ret < 0)
		return error_sys(error, ret, "cannot grow image '%s'", what->path);
	return true;
}

static uint32_t crc_table[256];
static pthread_once_t crc_once = PTHREAD_ONCE_INIT;

static void make_crc_table(void)
{
	for (uint32_t i = 0; i < ARRAY_SIZE(crc_table); i++) {
		uint32_t v = i;

		for (unsigned bit = 0; bit < 8; bit++)
			v = v >> 1 ^ (v & 1 ? 0x82f63b78u : 0);
		crc_table[i] = v;
	}
}

uint32_t format_crc32c(const void *buf, size_t len, size_t at)
{
	const uint8_t *p = buf;
	uint32_t crc = UINT32_MAX;

	(void)pthread_once(&crc_once, make_crc_table);
	for (size_t i = 0; i < len; i++)
		crc = crc >> 8 ^ crc_table[(crc ^ (i - at < 4 ? 0 : p[i])) & 0xff];
	return ~crc;
}

void format_uuid(uint8_t *ret)
{
	for (unsigned i = 0; i < 16; i += 4)
		put_le32(ret + i, g_random_int());
	ret[7] = (uint8_t)((ret[7] & 0x0f) | 0x40);
	ret[8] = (uint8_t)((ret[8] & 0x3f) | 0x80);
}

void format_text(uint8_t *ret, const char *text)
{
	for (; *text; text++)
		*ret++ = (uint8_t)*text;
}

bool format_inflate(const uint8_t *in, size_t in_len, uint8_t *out, size_t out_len, int window_bits)
{
	z_stream z = { .next_in = (Bytef *)(uintptr_t)in,
		       .avail_in = (uInt)in_len,
		       .next_out = out,
		       .avail_out = (uInt)out_len };
	int ret;

	if (inflateInit2(&z, window_bits) != Z_OK)
		return false;
	ret = inflate(&z, Z_FINISH);
	(void)inflateEnd(&z);
	/* Z_BUF_ERROR with all of @out filled: the stream goes on, and nobody asked for more. */
	if (ret != Z_STREAM_END && !(ret == Z_BUF_ERROR && z.avail_out == 0))
		return false;
	memset(out + (out_len - z.avail_out), 0, z.avail_out);
	return true;
}
