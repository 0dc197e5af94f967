/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-lock.c - one daemon for a folder, and what a killed one leaves to its children
 */
#include <errno.h>
#include <glib/gstdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "base/sys.h"
#include "daemon/lock.h"

static void put_number(const char *folder, int number)
{
	g_autofree char *path = g_build_filename(folder, "lock", NULL);
	g_autofree char *text = g_strdup_printf("%d\n", number);

	g_assert_true(g_file_set_contents(path, text, -1, NULL));
}

static int number_in(const char *folder)
{
	g_autofree char *path = g_build_filename(folder, "lock", NULL), *text = NULL;

	g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
	return (int)strtol(text, NULL, 10);
}

static void remove_folder(const char *folder)
{
	g_autofree char *path = g_build_filename(folder, "lock", NULL);

	g_assert_cmpint(g_unlink(path), ==, 0);
	g_assert_cmpint(g_rmdir(folder), ==, 0);
}

/* A number that nobody has. */
static int of_the_dead(void)
{
	int pid = fork();

	if (pid == 0)
		_exit(0);
	g_assert_cmpint(waitpid(pid, NULL, 0), ==, pid);
	return pid;
}

static void test_one(void)
{
	g_autofree char *folder = g_dir_make_tmp("socle-lock-XXXXXX", NULL);
	g_autofree char *who = g_strdup_printf("*(process %d)*", (int)getpid());
	g_autoptr(GError) error = NULL;
	struct lock *lock = lock_new(folder, NULL);

	g_assert_nonnull(lock);
	g_assert_cmpint(number_in(folder), ==, getpid());
	/* Who is alive is not waited for. */
	g_assert_null(lock_new(folder, &error));
	g_assert_error(error, SOCLE_ERROR, SOCLE_ERROR_BUSY);
	g_assert_true(g_pattern_match_simple(who, error->message));
	lock_free(lock);
	lock = lock_new(folder, NULL);
	g_assert_nonnull(lock);
	lock_free(lock);
	remove_folder(folder);
}

/* The owner was killed, and a child of its has the lock until it runs its program. */
static void test_left(void)
{
	g_autofree char *folder = g_dir_make_tmp("socle-lock-XXXXXX", NULL);
	g_autoptr(GError) error = NULL;
	struct lock *lock;

	put_number(folder, of_the_dead());
	sys_fail_nth(SYS_FCNTL, 1, EWOULDBLOCK);
	lock = lock_new(folder, &error);
	g_assert_no_error(error);
	g_assert_cmpuint(sys_fail_pending(SYS_FCNTL), ==, 0);
	g_assert_cmpint(number_in(folder), ==, getpid());
	lock_free(lock);
	remove_folder(folder);
}

/* What is no number is nobody's, and other failures are told. */
static void test_fails(void)
{
	g_autofree char *folder = g_dir_make_tmp("socle-lock-XXXXXX", NULL);
	g_autoptr(GError) busy = NULL, failed = NULL, nowhere = NULL;

	put_number(folder, 0);
	sys_fail_nth(SYS_FCNTL, 1, EWOULDBLOCK);
	g_assert_null(lock_new(folder, &busy));
	g_assert_error(busy, SOCLE_ERROR, SOCLE_ERROR_BUSY);
	sys_fail_nth(SYS_FCNTL, 1, ENOLCK);
	g_assert_null(lock_new(folder, &failed));
	g_assert_error(failed, SYS_ERROR, ENOLCK);
	remove_folder(folder);
	g_assert_null(lock_new(folder, &nowhere));
	g_assert_error(nowhere, SYS_ERROR, ENOENT);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/daemon/lock/one", test_one);
	g_test_add_func("/daemon/lock/left", test_left);
	g_test_add_func("/daemon/lock/fails", test_fails);
	return g_test_run();
}
