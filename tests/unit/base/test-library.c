/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-library.c - a library that is there, one that is not, and one of another version
 */
#include <glib.h>
#include <math.h>
#include <stddef.h>

#include "base/error.h"
#include "base/library.h"

struct maths {
	typeof(lround) *lround;
	typeof(ilogb) *ilogb;
};

static unsigned begun;
static struct maths table;

static void begin(void)
{
	/* It is ready when this is called. */
	g_assert_true(table.lround && table.ilogb);
	begun++;
}

static const struct library_call calls[] = {
	{ "lround", offsetof(struct maths, lround) },
	{ "ilogb", offsetof(struct maths, ilogb) },
};

static void test_there(void)
{
	struct library library = {
		.file = "libm.so.6",
		.package = "libc6",
		.calls = calls,
		.count = G_N_ELEMENTS(calls),
		.table = &table,
		.begin = begin,
	};
	g_autoptr(GError) error = NULL;

	g_assert_true(library_load(&library, &error));
	g_assert_true(library_load(&library, &error));
	g_assert_no_error(error);
	g_assert_cmpuint(begun, ==, 1);
	g_assert_cmpint(table.lround(1.6), ==, 2);
	g_assert_cmpint(table.ilogb(8), ==, 3);
}

/* What is installed in the meantime is found. */
static void test_missing(void)
{
	struct maths nothing;
	struct library library = {
		.file = "libsocle-nobody-has-it.so.1",
		.package = "nobody",
		.calls = calls,
		.count = G_N_ELEMENTS(calls),
		.table = &nothing,
	};
	g_autoptr(GError) error = NULL;

	for (unsigned i = 0; i < 2; i++) {
		g_clear_error(&error);
		g_assert_false(library_load(&library, &error));
		g_assert_error(error, SOCLE_ERROR, SOCLE_ERROR_UNSUPPORTED);
		g_assert_true(g_str_has_prefix(error->message,
					       "libsocle-nobody-has-it.so.1 is missing ("));
		g_assert_true(g_str_has_suffix(error->message, "; install the package nobody"));
	}
	g_clear_error(&error);
	library.file = "libm.so.6";
	g_assert_true(library_load(&library, &error));
}

static void test_other_version(void)
{
	static const struct library_call wrong[] = { { "lround", 0 }, { "no_such_lround", 0 } };
	struct maths nothing;
	struct library library = {
		.file = "libm.so.6",
		.package = "libc6",
		.calls = wrong,
		.count = G_N_ELEMENTS(wrong),
		.table = &nothing,
	};
	g_autoptr(GError) error = NULL;

	g_assert_false(library_load(&library, &error));
	g_assert_cmpstr(error->message, ==,
			"libm.so.6 has no function no_such_lround; install the version of libc6 "
			"that this program was built for");
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/library/there", test_there);
	g_test_add_func("/library/missing", test_missing);
	g_test_add_func("/library/other-version", test_other_version);
	return g_test_run();
}
