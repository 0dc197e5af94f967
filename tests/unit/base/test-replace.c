/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-replace.c - a small file has its old text or its new one
 */
#include <errno.h>
#include <glib.h>
#include <glib/gstdio.h>

#include "base/replace.h"
#include "base/sys.h"

static void assert_text(const char *path, const char *expected)
{
	g_autofree char *text = NULL;

	g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
	g_assert_cmpstr(text, ==, expected);
}

static unsigned count_files(const char *path)
{
	g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
	unsigned n = 0;

	while (g_dir_read_name(dir))
		n++;
	return n;
}

/* Whatever fails, the old text is there, and nothing beside it. */
static void test_all_or_nothing(void)
{
	static const struct {
		enum sys_call call;
		int err;
	} failures[] = { { SYS_OPEN, EMFILE }, { SYS_WRITE, ENOSPC }, { SYS_RENAME, EIO } };
	g_autofree char *dir = g_dir_make_tmp("replace-XXXXXX", NULL);
	g_autofree char *path = g_build_filename(dir, "file", NULL);

	g_assert_cmpint(file_replace(path, "one\n", 0600), ==, 0);
	for (size_t i = 0; i < G_N_ELEMENTS(failures); i++) {
		sys_fail_nth(failures[i].call, 1, failures[i].err);
		g_assert_cmpint(file_replace(path, "two\n", 0600), ==, -failures[i].err);
		assert_text(path, "one\n");
		g_assert_cmpuint(count_files(dir), ==, 1);
	}
	g_assert_cmpint(file_replace(path, "two\n", 0600), ==, 0);
	assert_text(path, "two\n");
	g_assert_cmpint(g_unlink(path), ==, 0);
	g_assert_cmpint(g_rmdir(dir), ==, 0);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/replace/all-or-nothing", test_all_or_nothing);
	return g_test_run();
}
