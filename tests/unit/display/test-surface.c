/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "display/surface.h"

#include <string.h>

static void test_changes(void)
{
	autoptr(surface) surface = surface_new();
	struct surface_rows rows = { { 0 } };
	uint32_t row[8] = { 1, 2, 3 };
	bool resized = false;
	unsigned y = 0, count;

	g_assert_true(surface_take_changes(surface, &rows, &resized));
	g_assert_true(resized);
	resized = false;
	g_assert_false(surface_take_changes(surface, &rows, &resized));
	surface_resize(surface, 8, 100);
	g_assert_true(surface_take_changes(surface, &rows, &resized));
	g_assert_true(resized);

	rows = (struct surface_rows){ { 0 } };
	for (unsigned i = 63; i < 66; i++)
		surface_set_row(surface, i, row);
	surface_set_row(surface, 99, row);
	g_assert_true(surface_take_changes(surface, &rows, &resized));
	g_assert_true(surface_rows_next(&rows, 100, &y, &count));
	g_assert_cmpuint(y, ==, 63);
	g_assert_cmpuint(count, ==, 3);
	y += count;
	g_assert_true(surface_rows_next(&rows, 100, &y, &count));
	g_assert_cmpuint(y, ==, 99);
	y += count;
	g_assert_false(surface_rows_next(&rows, 100, &y, &count));

	/* The same again is no change. */
	surface_set_row(surface, 99, row);
	g_assert_false(surface_take_changes(surface, &rows, &resized) && !resized);
}

static void test_limits(void)
{
	autoptr(surface) surface = surface_new();

	surface_resize(surface, 0, 0);
	g_assert_cmpuint(surface->width * surface->height, ==, 1);
	surface_resize(surface, UINT32_MAX, UINT32_MAX);
	g_assert_cmpuint(surface->width * surface->height, <=, SURFACE_MAX_PIXELS);
	surface->pixels[surface->width * surface->height - 1] = 5;
}

static void test_files(void)
{
	static const uint8_t png[] = { 0x89, 'P', 'N', 'G' };
	autoptr(surface) surface = surface_new();
	const uint32_t row[2] = { 0x112233, 0xff445566 };
	g_autoptr(GBytes) ppm = NULL, bytes = NULL;
	const char *p;
	size_t len;

	surface_resize(surface, 2, 1);
	surface_set_row(surface, 0, row);
	ppm = surface_encode(surface, SURFACE_PPM, NULL);
	p = g_bytes_get_data(ppm, &len);
	g_assert_cmpmem(p, len, "P6\n2 1\n255\n\x11\x22\x33\x44\x55\x66", 17);
	bytes = surface_encode(surface, SURFACE_PNG, NULL);
	p = g_bytes_get_data(bytes, &len);
	g_assert_cmpuint(len, >, sizeof(png));
	g_assert_true(!memcmp(p, png, sizeof(png)));
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/display/surface/changes", test_changes);
	g_test_add_func("/display/surface/limits", test_limits);
	g_test_add_func("/display/surface/files", test_files);
	return g_test_run();
}
