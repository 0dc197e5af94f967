/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-pidfile.c - the file with our process number: whole or not at all, ours or refused
 */
#include <errno.h>

#include <glib.h>
#include <glib/gstdio.h>

#include "base/error.h"
#include "base/sys.h"
#include "vmm/pidfile.h"

static void assert_folder_empty(void)
{
	g_autoptr(GDir) dir = g_dir_open(".", 0, NULL);

	g_assert_null(g_dir_read_name(dir));
}

static void test_life(void)
{
	g_autoptr(GError) error = NULL;
	g_autofree char *text = NULL;
	g_autofree char *expected = g_strdup_printf("%d\n", (int)getpid());
	autoptr(pidfile) pidfile = NULL;

	/* A stale one is replaced. */
	g_assert_true(g_file_set_contents("pid", "4711000\nand more text", -1, NULL));
	pidfile = pidfile_new("pid", &error);
	g_assert_no_error(error);
	g_assert_true(g_file_get_contents("pid", &text, NULL, NULL));
	g_assert_cmpstr(text, ==, expected);

	g_assert_null(pidfile_new("pid", &error));
	g_assert_error(error, SOCLE_ERROR, SOCLE_ERROR_BUSY);
	g_assert_true(g_file_test("pid", G_FILE_TEST_EXISTS));
	g_clear_pointer(&pidfile, pidfile_free);
	assert_folder_empty();
}

static void test_not_ours(void)
{
	autoptr(pidfile) pidfile = pidfile_new("pid", NULL);

	g_assert_nonnull(pidfile);
	g_assert_cmpint(g_unlink("pid"), ==, 0);
	g_assert_true(g_file_set_contents("pid", "1\n", -1, NULL));
	g_clear_pointer(&pidfile, pidfile_free);
	g_assert_cmpint(g_unlink("pid"), ==, 0);
}

static void test_failing_calls(void)
{
	static const struct {
		enum sys_call call;
		int err;
		const char *sentence;
	} cases[] = {
		{ SYS_OPEN, EACCES, "cannot create pidfile 'pid': Permission denied" },
		{ SYS_WRITE, ENOSPC, "cannot write pidfile 'pid': No space left on device" },
		{ SYS_RENAME, EIO, "cannot create pidfile 'pid': Input/output error" },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(GError) error = NULL;

		sys_fail_nth(cases[i].call, 1, cases[i].err);
		g_assert_null(pidfile_new("pid", &error));
		g_assert_error(error, SYS_ERROR, cases[i].err);
		g_assert_cmpstr(error->message, ==, cases[i].sentence);
		assert_folder_empty();
	}
}

/* What is no regular file is written to, and stays. */
static void test_special(void)
{
	g_autoptr(GError) error = NULL;
	autoptr(pidfile) pidfile = pidfile_new("/dev/null", &error);

	g_assert_no_error(error);
	g_clear_pointer(&pidfile, pidfile_free);
	g_assert_true(g_file_test("/dev/null", G_FILE_TEST_EXISTS));
	g_assert_null(pidfile_new("/dev/full", &error));
	g_assert_error(error, SYS_ERROR, ENOSPC);
}

int main(int argc, char **argv)
{
	g_autofree char *folder = NULL;
	int status;

	g_test_init(&argc, &argv, NULL);
	folder = g_dir_make_tmp("socle-XXXXXX", NULL);
	g_assert_cmpint(g_chdir(folder), ==, 0);
	g_test_add_func("/vmm/pidfile/life", test_life);
	g_test_add_func("/vmm/pidfile/not-ours", test_not_ours);
	g_test_add_func("/vmm/pidfile/failing-calls", test_failing_calls);
	g_test_add_func("/vmm/pidfile/special", test_special);
	status = g_test_run();
	g_assert_cmpint(g_rmdir(folder), ==, 0);
	return status;
}
