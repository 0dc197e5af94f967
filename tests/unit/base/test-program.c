/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-program.c - programs that are found, sockets of daemons, and starting one
 */
#include <errno.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/program.h"
#include "base/session.h"
#include "base/sys.h"
#include "base/unix-connect.h"
#include "base/unix-listener.h"

struct fixture {
	char *dir;
};

static void set_up(struct fixture *f, const void *unused)
{
	(void)unused;
	f->dir = g_dir_make_tmp("socle-program.XXXXXX", NULL);
	g_assert_nonnull(f->dir);
}

static void tear_down(struct fixture *f, const void *unused)
{
	const char *words[] = { "rm", "-rf", f->dir, NULL };

	(void)unused;
	g_assert_true(g_spawn_sync(NULL, (char **)(uintptr_t)words, NULL, G_SPAWN_SEARCH_PATH, NULL,
				   NULL, NULL, NULL, NULL, NULL));
	g_free(f->dir);
}

static char *put(const struct fixture *f, const char *name, const char *text, int mode)
{
	char *path = g_build_filename(f->dir, name, NULL);
	g_autofree char *folder = g_path_get_dirname(path);

	g_assert_cmpint(g_mkdir_with_parents(folder, 0755), ==, 0);
	g_assert_true(g_file_set_contents(path, text, -1, NULL));
	g_assert_cmpint(g_chmod(path, mode), ==, 0);
	return path;
}

/* == Programs == */

/* As a build has them: programs in folders of their own, and links to all of them in one. */
static void test_beside(struct fixture *f, const void *unused)
{
	g_autofree char *self = put(f, "src/cli/self", "", 0755);
	g_autofree char *other = put(f, "src/daemon/other", "", 0755);
	g_autofree char *text = put(f, "src/cli/text", "", 0644);
	g_autofree char *bin = g_build_filename(f->dir, "bin", NULL);
	g_autofree char *link = g_build_filename(bin, "self", NULL);
	g_autofree char *wanted = g_build_filename(bin, "other", NULL);
	g_autofree char *far = g_build_filename(f->dir, "far", NULL);
	g_autofree char *found = NULL, *here = NULL, *there = NULL, *none = NULL, *loop = NULL;
	g_autofree char *folder = NULL, *built = NULL;

	(void)unused;
	g_assert_cmpint(g_mkdir(bin, 0755), ==, 0);
	g_assert_cmpint(symlink("../src/cli/self", link), ==, 0);
	g_assert_cmpint(symlink("../src/daemon/other", wanted), ==, 0);
	g_assert_cmpint(symlink("bin/self", far), ==, 0);
	found = program_beside(link, "other");
	g_assert_cmpstr(found, ==, wanted);
	/* A link to a link; and the program itself, which knows of the folder of links. */
	there = program_beside(far, "other");
	g_assert_true(g_str_has_suffix(there, "/bin/other"));
	here = program_beside(link, "self");
	g_assert_cmpstr(here, ==, link);
	built = program_beside(self, "other");
	g_assert_cmpstr(built, ==, wanted);
	/* Neither texts nor folders are programs. */
	none = program_beside(text, "text");
	g_assert_null(none);
	folder = program_beside(far, "bin");
	g_assert_null(folder);
	g_assert_cmpint(g_unlink(far), ==, 0);
	g_assert_cmpint(symlink("far", far), ==, 0);
	loop = program_beside(far, "other");
	g_assert_null(loop);
}

static void test_relative(struct fixture *f, const void *unused)
{
	g_autofree char *self = put(f, "self", "", 0755);
	g_autofree char *other = put(f, "other", "", 0755);
	g_autofree char *before = g_get_current_dir();
	g_autofree char *found = NULL;

	(void)unused;
	g_assert_cmpint(g_chdir(f->dir), ==, 0);
	found = program_beside("./self", "other");
	g_assert_cmpint(g_chdir(before), ==, 0);
	g_assert_true(g_path_is_absolute(found));
	g_assert_true(g_file_test(found, G_FILE_TEST_IS_EXECUTABLE));
}

static void test_find(struct fixture *f, const void *unused)
{
	g_autofree char *program = put(f, "socle-nobody-has-this", "", 0755);
	g_autofree char *path = g_strdup(g_getenv("PATH"));
	g_autofree char *self = program_find("test-base-program");
	g_autofree char *none = program_find("socle-nobody-has-this");
	g_autofree char *found = NULL;

	(void)unused;
	g_assert_nonnull(self);
	g_assert_null(none);
	g_setenv("PATH", f->dir, TRUE);
	found = program_find("socle-nobody-has-this");
	g_setenv("PATH", path, TRUE);
	g_assert_cmpstr(found, ==, program);
}

/* == Folders == */

static void assert_runtime(bool session, const char *want)
{
	g_autofree char *got = session_runtime_dir(session);

	g_assert_cmpstr(got, ==, want);
}

static void test_folders(struct fixture *f, const void *unused)
{
	g_autofree char *later = g_build_filename(f->dir, "later", NULL);
	g_autofree char *usual = g_strdup_printf("/run/user/%u", (unsigned)geteuid());
	g_autofree char *system = session_socket(false, true);
	g_autofree char *session = NULL, *want = g_build_filename(later, "socle/socled-sock", NULL);
	struct stat st;
	bool has_usual = sys_stat(usual, &st) == 0 && st.st_uid == geteuid();

	(void)unused;
	g_assert_cmpstr(system, ==, "/run/socle/socled-sock-ro");
	g_setenv("XDG_RUNTIME_DIR", f->dir, TRUE);
	assert_runtime(true, f->dir);
	assert_runtime(false, "/run");
	g_setenv("XDG_RUNTIME_DIR", later, TRUE);
	session = session_socket(true, true);
	g_assert_cmpstr(session, ==, want);
	g_unsetenv("XDG_RUNTIME_DIR");
	assert_runtime(true, has_usual ? usual : g_get_user_cache_dir());
	/* That of another user: root took the environment along. */
	if (geteuid() == 0) {
		g_assert_cmpint(chown(f->dir, 65534, 65534), ==, 0);
		g_setenv("XDG_RUNTIME_DIR", f->dir, TRUE);
		assert_runtime(true, has_usual ? usual : g_get_user_cache_dir());
	}
}

/* == Sockets == */

static void test_connect(struct fixture *f, const void *unused)
{
	g_autofree char *path = g_build_filename(f->dir, "sock", NULL);
	g_autofree char *text = put(f, "text", "", 0644);
	g_autofree char *name = NULL;
	char longest[200];
	autofd int fd = -1;
	int pair[2];

	(void)unused;
	memset(longest, 'x', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	g_assert_cmpint(unix_connect(longest, 0), ==, -ENAMETOOLONG);
	g_assert_cmpint(unix_connect(path, 0), ==, -ENOENT);
	g_assert_cmpint(unix_connect(text, 0), ==, -ECONNREFUSED);
	{
		struct unix_listener *listener = unix_listener_new(path, NULL);

		g_assert_nonnull(listener);
		fd = unix_connect(path, SOCK_NONBLOCK);
		g_assert_cmpint(fd, >=, 0);
		unix_listener_free(listener);
	}
	name = unix_peer_path(fd);
	g_assert_cmpstr(name, ==, path);
	g_assert_cmpint(sys_socketpair(AF_UNIX, SOCK_STREAM, pair), ==, 0);
	g_assert_null(unix_peer_path(pair[0]));
	g_assert_null(unix_peer_path(-1));
	fd_autoclose(&pair[0]);
	fd_autoclose(&pair[1]);
}

/* == Starting == */

static int start(const char *program, const char *socket, GError **error)
{
	g_setenv("SOCLED_PATH", program, TRUE);
	return session_start(socket, UINT64_MAX, error);
}

/* What it has said last is what is told. */
static void test_start(struct fixture *f, const void *unused)
{
	g_autofree char *socket = g_build_filename(f->dir, "sock", NULL);
	g_autofree char *ends = put(f, "ends",
				    "#!/bin/sh\ni=0\nwhile [ $i -lt 999 ]; do\n"
				    "echo \"socled: $i of many lines\" >&2; i=$((i+1))\ndone\n",
				    0755);
	g_autoptr(GError) error = NULL, none = NULL;

	(void)unused;
	g_assert_cmpint(start(ends, socket, &error), ==, -1);
	g_assert_nonnull(strstr(error->message, "says: 998 of many lines"));
	g_assert_cmpint(start("/nowhere/socled", socket, &none), ==, -1);
	g_assert_nonnull(strstr(none->message, "/nowhere/socled"));
	g_unsetenv("SOCLED_PATH");
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
#define ADD(name, function) \
	g_test_add("/base/program/" name, struct fixture, NULL, set_up, function, tear_down)
	ADD("beside", test_beside);
	ADD("relative", test_relative);
	ADD("find", test_find);
	ADD("folders", test_folders);
	ADD("connect", test_connect);
	ADD("start", test_start);
	return g_test_run();
}
