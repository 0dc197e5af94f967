/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * surface.c - a picture of 32 bits per pixel, and which of its rows have changed
 */
#include "display/surface.h"

#include <assert.h>
#include <png.h>
#include <string.h>

#include "base/error.h"

enum {
	INITIAL_WIDTH = 720,
	INITIAL_HEIGHT = 400,
	RGB_LEN = 3,
};

#define SURFACE_BYTES ((size_t)SURFACE_MAX_PIXELS * sizeof(uint32_t))

struct surface *surface_new(void)
{
	struct surface *surface = g_new0(struct surface, 1);

	/* Pages that no picture reaches cost nothing. */
	surface->pixels = g_malloc0(SURFACE_BYTES);
	pthread_mutex_init(&surface->lock, NULL);
	surface_resize(surface, INITIAL_WIDTH, INITIAL_HEIGHT);
	return surface;
}

void surface_free(struct surface *surface)
{
	if (!surface)
		return;
	pthread_mutex_destroy(&surface->lock);
	g_free(surface->pixels);
	g_free(surface);
}

void surface_resize(struct surface *surface, unsigned width, unsigned height)
{
	width = CLAMP(width, 1, SURFACE_MAX_WIDTH);
	height = CLAMP(height, 1, SURFACE_MAX_HEIGHT);
	height = MIN(height, SURFACE_MAX_PIXELS / width);
	surface->width = width;
	surface->height = height;
	memset(surface->pixels, 0, (size_t)width * height * sizeof(uint32_t));
	surface->resized = true;
	surface->changed = (struct surface_rows){ { 0 } };
	surface_rows_add(&surface->changed, 0, height);
}

struct surface *surface_copy(const struct surface *surface)
{
	struct surface *copy = surface_new();

	surface_resize(copy, surface->width, surface->height);
	memcpy(copy->pixels, surface->pixels,
	       (size_t)surface->width * surface->height * sizeof(uint32_t));
	return copy;
}

void surface_set_row(struct surface *surface, unsigned y, const uint32_t *pixels)
{
	size_t len = surface->width * sizeof(uint32_t);
	uint32_t *row = surface->pixels + (size_t)y * surface->width;

	assert(y < surface->height);
	if (!memcmp(row, pixels, len))
		return;
	memcpy(row, pixels, len);
	surface_rows_add(&surface->changed, y, 1);
}

bool surface_take_changes(struct surface *surface, struct surface_rows *rows, bool *resized)
{
	bool any = surface->resized;

	for (unsigned i = 0; i < G_N_ELEMENTS(rows->bits); i++) {
		any |= surface->changed.bits[i] != 0;
		rows->bits[i] |= surface->changed.bits[i];
	}
	*resized |= surface->resized;
	surface->changed = (struct surface_rows){ { 0 } };
	surface->resized = false;
	return any;
}

static bool has_row(const struct surface_rows *rows, unsigned y)
{
	return rows->bits[y / 64] >> y % 64 & 1;
}

bool surface_rows_next(const struct surface_rows *rows, unsigned height, unsigned *y,
		       unsigned *ret_count)
{
	unsigned first = *y, end;

	while (first < height && !has_row(rows, first))
		first++;
	for (end = first; end < height && has_row(rows, end);)
		end++;
	*y = first;
	*ret_count = end - first;
	return end > first;
}

void surface_rows_add(struct surface_rows *rows, unsigned y, unsigned count)
{
	for (; count--; y++)
		rows->bits[y / 64] |= UINT64_C(1) << y % 64;
}

/* ---- files ---- */

static void put_rgb(const struct surface *surface, uint8_t *out)
{
	size_t count = (size_t)surface->width * surface->height;

	for (size_t i = 0; i < count; i++, out += RGB_LEN) {
		uint32_t pixel = surface->pixels[i];

		out[0] = (uint8_t)(pixel >> 16);
		out[1] = (uint8_t)(pixel >> 8);
		out[2] = (uint8_t)pixel;
	}
}

static GBytes *encode_ppm(const struct surface *surface)
{
	g_autofree char *head =
		g_strdup_printf("P6\n%u %u\n255\n", surface->width, surface->height);
	GByteArray *out = g_byte_array_new();
	guint head_len = (guint)strlen(head);

	g_byte_array_append(out, (const guint8 *)head, head_len);
	g_byte_array_set_size(out, head_len + surface->width * surface->height * RGB_LEN);
	put_rgb(surface, out->data + head_len);
	return g_byte_array_free_to_bytes(out);
}

static GBytes *encode_png(const struct surface *surface, GError **error)
{
	g_autofree uint8_t *rgb = g_malloc((size_t)surface->width * surface->height * RGB_LEN);
	png_image image = { .version = PNG_IMAGE_VERSION,
			    .width = surface->width,
			    .height = surface->height,
			    .format = PNG_FORMAT_RGB,
			    .flags = PNG_IMAGE_FLAG_FAST };
	png_alloc_size_t len = PNG_IMAGE_PNG_SIZE_MAX(image);
	g_autofree uint8_t *out = g_malloc(len);

	put_rgb(surface, rgb);
	if (!png_image_write_to_memory(&image, out, &len, 0, rgb, 0, NULL)) {
		error_set(error, SOCLE_ERROR_LIMIT, "cannot write a PNG: %s", image.message);
		return NULL;
	}
	return g_bytes_new_take(g_realloc(g_steal_pointer(&out), len), len);
}

GBytes *surface_encode(struct surface *surface, enum surface_format format, GError **error)
{
	return format == SURFACE_PPM ? encode_ppm(surface) : encode_png(surface, error);
}
