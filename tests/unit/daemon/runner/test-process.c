/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-process.c - processes that are started and watched, and their logs
 */
#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>

#include "base/error.h"
#include "base/sys.h"
#include "daemon/machine-log.h"
#include "daemon/process.h"
#include "daemon/runner-spawn.h"

static char *folder;

static char *file(const char *name)
{
	return g_build_filename(folder, name, NULL);
}

static char *contents(const char *path)
{
	char *text = NULL;

	(void)g_file_get_contents(path, &text, NULL, NULL);
	return text;
}

/* == Logs == */

static void test_rotate(void)
{
	const struct machine_log_limits limits = { .size = 10, .keep = 2 };
	g_autofree char *log = file("r.log"), *one = file("r.log.1"), *two = file("r.log.2");
	g_autofree char *three = file("r.log.3");
	autofd int fd = machine_log_open(log, NULL);
	static const char *const texts[] = { "first of them\n", "second one\n", "the third\n" };

	g_assert_cmpint(fd, >=, 0);
	machine_log_rotate(log, &limits);
	g_assert_cmpint(g_access(one, F_OK), !=, 0);
	for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
		/* By the same descriptor: the file is emptied, not replaced. */
		g_assert_cmpint(sys_write(fd, texts[i], strlen(texts[i])), >, 0);
		machine_log_rotate(log, &limits);
		g_assert_cmpint(machine_log_size(log), ==, 0);
	}
	{
		g_autofree char *a = contents(one), *b = contents(two);

		g_assert_cmpstr(a, ==, texts[2]);
		g_assert_cmpstr(b, ==, texts[1]);
	}
	g_assert_cmpint(g_access(three, F_OK), !=, 0);
}

static void test_last_line(void)
{
	g_autofree char *log = file("l.log");
	g_autofree char *none = machine_log_last(log, 0), *last = NULL, *odd = NULL, *gone = NULL;
	off_t from;

	g_assert_null(none);
	machine_log_say(log, "before %d", 1);
	from = machine_log_size(log);
	g_assert_cmpint(from, ==, strlen("2000-01-01 00:00:00: before 1\n"));
	gone = machine_log_last(log, from);
	g_assert_null(gone);
	g_assert_true(g_file_set_contents(log, "one\nsocle-vm: two\n\n\n", -1, NULL));
	last = machine_log_last(log, 0);
	g_assert_cmpstr(last, ==, "two");
	g_assert_true(g_file_set_contents(log, "a\xff", -1, NULL));
	odd = machine_log_last(log, 0);
	g_assert_true(g_utf8_validate(odd, -1, NULL));
}

static void test_command_line(void)
{
	g_autofree char *log = file("c.log"), *text = NULL;
	char program[] = "/bin/x", odd[] = "--name=a b'c", empty[] = "";
	char *argv[] = { program, odd, empty, NULL };

	machine_log_command(log, argv);
	text = contents(log);
	g_assert_true(g_str_has_suffix(text, ": starting /bin/x '--name=a b'\\''c' ''\n"));
}

/* == Processes == */

static unsigned deaths;

static void on_ended(void *opaque)
{
	(void)opaque;
	deaths++;
}

/* "sh -c SCRIPT" with its errors in the log @name. */
static int run(const char *name, const char *script, const struct spawn *more)
{
	g_autofree char *log = file(name);
	g_autofree char *text = g_strdup(script);
	char sh[] = "/bin/sh", c[] = "-c";
	char *argv[] = { sh, c, text, NULL };
	struct spawn what = *more;
	g_autoptr(GError) error = NULL;
	int pid;

	what.argv = what.argv ? what.argv : argv;
	what.dir = what.dir ? what.dir : folder;
	what.log = machine_log_open(log, NULL);
	pid = spawn(&what, &error);
	g_assert_no_error(error);
	fd_autoclose(&what.log);
	return pid;
}

static enum process_end wait_end(int pid, int *ret)
{
	const unsigned before = deaths;
	g_autoptr(GError) error = NULL;
	autoptr(process) process = process_open(pid, 0, on_ended, NULL, &error);

	g_assert_no_error(error);
	while (deaths == before)
		g_main_context_iteration(NULL, TRUE);
	return process_status(process, ret);
}

static void test_spawn(void)
{
	static const char script[] =
		"echo \"$(pwd)\" >&2; ls /proc/self/fd | grep -c . >&2; cat; ulimit -c >&2; exit 7";
	g_autofree char *log = file("s.log"), *text = NULL, *expected = NULL;
	int status = 0;

	g_assert_cmpint(wait_end(run("s.log", script, &(struct spawn){ 0 }), &status), ==,
			PROCESS_EXITED);
	g_assert_cmpint(status, ==, 7);
	text = contents(log);
	/* 0, 1, 2 and that of ls itself: nothing of ours. */
	expected = g_strdup_printf("%s\n4\n0\n", folder);
	g_assert_cmpstr(text, ==, expected);
}

static void test_kept_fd(void)
{
	g_autofree char *log = file("k.log"), *text = NULL, *script = NULL;
	autofd int fd = sys_open("/dev/null", O_RDONLY, 0);
	const struct spawn keep = { .fds = &fd, .fd_count = 1 };
	int status = 0;

	script = g_strdup_printf("readlink /proc/self/fd/%d >&2", fd);
	(void)wait_end(run("k.log", script, &keep), &status);
	text = contents(log);
	g_assert_cmpstr(text, ==, "/dev/null\n");
}

static void test_cannot_run(void)
{
	char nowhere[] = "/nowhere/x";
	char *argv[] = { nowhere, NULL };
	g_autofree char *log = file("n.log"), *last = NULL;
	int status = 0;

	g_assert_cmpint(wait_end(run("n.log", "", &(struct spawn){ .argv = argv }), &status), ==,
			PROCESS_EXITED);
	g_assert_cmpint(status, ==, 127);
	last = machine_log_last(log, 0);
	g_assert_cmpstr(last, ==, "cannot run '/nowhere/x': No such file or directory");
}

static void test_refused_path(void)
{
	g_autofree char *dir = file("closed"), *path = g_build_filename(dir, "f", NULL);
	g_autofree char *log = file("p.log"), *last = NULL, *second = NULL, *words = NULL;
	const struct spawn_path paths[] = { { path, true } };
	const struct spawn who = {
		.uid = 65534, .gid = 65534, .paths = paths, .path_count = 1, .dir = "/"
	};
	int status = 0;

	if (getuid() != 0) {
		g_test_skip("only root can be somebody else");
		return;
	}
	g_assert_cmpint(g_mkdir(dir, 0700), ==, 0);
	g_assert_true(g_file_set_contents(path, "x", -1, NULL));
	g_assert_cmpint(sys_chmod(folder, 0755), ==, 0);
	(void)wait_end(run("p.log", "true", &who), &status);
	g_assert_cmpint(status, ==, 127);
	last = machine_log_last(log, 0);
	words = g_strdup_printf(
		"user 65534 may not read and write '%s': folder '%s' does not let it "
		"through; let it by chmod or setfacl, or move the file",
		path, dir);
	g_assert_cmpstr(last, ==, words);
	g_assert_cmpint(sys_chmod(dir, 0755), ==, 0);
	(void)wait_end(run("p.log", "true", &who), &status);
	second = machine_log_last(log, 0);
	g_assert_nonnull(strstr(second, "the file's own permissions, or a security module"));
	g_assert_cmpint(sys_chmod(path, 0666), ==, 0);
	g_assert_cmpint(wait_end(run("p.log", "test $(id -u) = 65534", &who), &status), ==,
			PROCESS_EXITED);
	g_assert_cmpint(status, ==, 0);
}

static void test_watch(void)
{
	const int pid = run("w.log", "sleep 1000", &(struct spawn){ 0 });
	const unsigned before = deaths;
	g_autoptr(GError) error = NULL;
	autoptr(process) process = process_open(pid, 0, on_ended, NULL, &error);
	autoptr(process) other = NULL;
	struct process_thread_usage thread;
	struct process_usage usage;
	int status = 0;

	g_assert_no_error(error);
	g_assert_cmpint(process_pid(process), ==, pid);
	/* For a moment it has no memory: that of the shell goes, and that of sleep comes. */
	do {
		g_assert_true(process_usage(process, &usage));
	} while (!usage.rss_kib);
	g_assert_true(process_thread_usage(process, pid, &thread));
	g_assert_cmpint(thread.host_cpu, >=, 0);
	/* The same number, another time. */
	g_assert_null(process_open(pid, process_start(process) + 1, on_ended, NULL, &error));
	g_assert_error(error, SOCLE_ERROR, SOCLE_ERROR_NOT_FOUND);
	g_clear_error(&error);
	other = process_open(pid, process_start(process), on_ended, NULL, &error);
	g_assert_no_error(error);
	g_assert_true(process_signal(process, SIGKILL, &error));
	while (deaths < before + 2)
		g_main_context_iteration(NULL, TRUE);
	g_assert_cmpint(process_status(process, &status), ==, PROCESS_KILLED);
	g_assert_cmpint(status, ==, SIGKILL);
	g_assert_cmpint(process_status(other, &status), ==, PROCESS_UNKNOWN);
	g_assert_false(process_usage(process, &usage));
	g_assert_false(process_signal(process, SIGKILL, &error));
	g_clear_error(&error);
	g_assert_null(process_open(pid, 0, on_ended, NULL, &error));
	g_assert_error(error, SOCLE_ERROR, SOCLE_ERROR_NOT_FOUND);
}

int main(int argc, char **argv)
{
	int status;

	g_test_init(&argc, &argv, NULL);
	folder = g_dir_make_tmp("socle-XXXXXX", NULL);
	g_test_add_func("/process/log/rotate", test_rotate);
	g_test_add_func("/process/log/last-line", test_last_line);
	g_test_add_func("/process/log/command-line", test_command_line);
	g_test_add_func("/process/spawn", test_spawn);
	g_test_add_func("/process/kept-fd", test_kept_fd);
	g_test_add_func("/process/cannot-run", test_cannot_run);
	g_test_add_func("/process/refused-path", test_refused_path);
	g_test_add_func("/process/watch", test_watch);
	status = g_test_run();
	{
		g_autofree char *command = g_strdup_printf("rm -rf '%s'", folder);

		g_assert_cmpint(g_spawn_command_line_sync(command, NULL, NULL, NULL, NULL), ==,
				TRUE);
	}
	g_free(folder);
	return status;
}
