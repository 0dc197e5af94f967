/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test-error.c - kinds of errors, texts of the system's
 */
#include "base/error.h"

#include <errno.h>

static void test_set(void)
{
	g_autoptr(GError) error = NULL;

	g_assert_false(error_set(&error, SOCLE_ERROR_LIMIT, "too many %s: %d", "disks", 9));
	g_assert_error(error, SOCLE_ERROR, SOCLE_ERROR_LIMIT);
	g_assert_cmpstr(error->message, ==, "too many disks: 9");
	/* Nobody wants to know. */
	g_assert_false(error_set(NULL, SOCLE_ERROR_LIMIT, "x"));
}

static void test_sys(void)
{
	g_autoptr(GError) error = NULL;

	g_assert_false(error_sys(&error, -ENOENT, "cannot open image '%s'", "x.qcow2"));
	g_assert_error(error, SYS_ERROR, ENOENT);
	g_assert_cmpstr(error->message, ==,
			"cannot open image 'x.qcow2': No such file or directory");
	g_assert_false(error_sys(NULL, -EIO, "x"));
}

static void test_domains(void)
{
	g_assert_cmpuint(SOCLE_ERROR, !=, SYS_ERROR);
	g_assert_cmpuint(SOCLE_ERROR, !=, 0);
	g_assert_cmpuint(SYS_ERROR, !=, 0);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/error/set", test_set);
	g_test_add_func("/error/sys", test_sys);
	g_test_add_func("/error/domains", test_domains);
	return g_test_run();
}
