/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test-sys.c - system calls: -errno, CLOEXEC, failing on demand
 */
#include "base/sys.h"
#include "base/thread.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/statvfs.h>
#include <sys/un.h>

#include "base/cleanup.h"

/* A directory that goes when the test ends, with one file name in it. */
struct place {
	char *dir, *file;
};

static struct place *place_new(void)
{
	struct place *place = g_new0(struct place, 1);

	place->dir = g_dir_make_tmp("socle-sys-XXXXXX", NULL);
	g_assert_nonnull(place->dir);
	place->file = g_build_filename(place->dir, "file", NULL);
	return place;
}

static void place_free(struct place *place)
{
	(void)g_unlink(place->file);
	(void)g_rmdir(place->dir);
	g_free(place->file);
	g_free(place->dir);
	g_free(place);
}
DEFINE_AUTOPTR(place, place_free);

static void assert_cloexec(int fd)
{
	g_assert_cmpint(fd, >=, 0);
	g_assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
}

static void test_file(void)
{
	autoptr(place) place = place_new();
	g_autofree char *other = g_build_filename(place->dir, "other", NULL);
	char buf[8] = "";
	autofd int fd = -1;

	g_assert_cmpint(sys_open(place->file, O_RDONLY, 0), ==, -ENOENT);
	fd = sys_open(place->file, O_RDWR | O_CREAT | O_EXCL, 0600);
	assert_cloexec(fd);
	g_assert_cmpint(sys_open(place->file, O_RDWR | O_CREAT | O_EXCL, 0600), ==, -EEXIST);
	g_assert_cmpint(sys_write(fd, "abc", 3), ==, 3);
	g_assert_cmpint(sys_pwrite(fd, "XY", 2, 5), ==, 2);
	g_assert_cmpint(sys_file_size(fd), ==, 7);
	g_assert_cmpint(sys_pread(fd, buf, sizeof(buf), 1), ==, 6);
	g_assert_cmpmem(buf, 6, "bc\0\0XY", 6);
	g_assert_cmpint(sys_ftruncate(fd, 2), ==, 0);
	g_assert_cmpint(sys_file_size(fd), ==, 2);
	g_assert_cmpint(sys_fsync(fd), ==, 0);
	g_assert_cmpint(sys_rename(place->file, other), ==, 0);
	g_assert_cmpint(sys_rename(place->file, other), ==, -ENOENT);
	g_assert_cmpint(sys_unlink(other), ==, 0);
	g_assert_cmpint(sys_unlink(other), ==, -ENOENT);

	g_assert_cmpint(sys_read(-1, buf, 1), ==, -EBADF);
	g_assert_cmpint(sys_write(-1, buf, 1), ==, -EBADF);
	g_assert_cmpint(sys_pread(-1, buf, 1, 0), ==, -EBADF);
	g_assert_cmpint(sys_pwrite(-1, buf, 1, 0), ==, -EBADF);
	g_assert_cmpint(sys_file_size(-1), ==, -EBADF);
	g_assert_cmpint(sys_ftruncate(-1, 0), ==, -EBADF);
	g_assert_cmpint(sys_fsync(-1), ==, -EBADF);
	g_assert_cmpint(sys_set_nonblock(-1), ==, -EBADF);
}

static void test_pipe(void)
{
	autofd int in = -1;
	autofd int out = -1;
	int fds[2], waiting = 0;
	struct pollfd p;
	char buf[10];

	g_assert_cmpint(sys_pipe(fds, 0), ==, 0);
	in = fds[0];
	out = fds[1];
	assert_cloexec(in);
	assert_cloexec(out);
	p = (struct pollfd){ .fd = in, .events = POLLIN };
	g_assert_cmpint(sys_poll(&p, 1, 0), ==, 0);
	g_assert_cmpint(sys_set_nonblock(in), ==, 0);
	g_assert_cmpint(sys_read(in, buf, 1), ==, -EAGAIN);
	/* In pieces: all of it up to the end. */
	g_assert_cmpint(sys_write_full(out, "hello", 5), ==, 5);
	g_assert_cmpint(sys_poll(&p, 1, 0), ==, 1);
	g_assert_cmpint(sys_ioctl(in, FIONREAD, &waiting), ==, 0);
	g_assert_cmpint(waiting, ==, 5);
	g_assert_cmpint(sys_file_size(in), ==, -EINVAL);
	fd_autoclose(&out);
	g_assert_cmpint(out, ==, -1);
	g_assert_cmpint(sys_read_full(in, buf, sizeof(buf)), ==, 5);
	g_assert_cmpmem(buf, 5, "hello", 5);
	g_assert_cmpint(sys_read_full(in, buf, sizeof(buf)), ==, 0);
	g_assert_cmpint(sys_ioctl(in, 0xdeadbeef, NULL), <, 0);
	g_assert_cmpint(sys_ioctl_int(-1, FIONREAD, 0), ==, -EBADF);
}

static void test_eventfd(void)
{
	autofd int fd = sys_eventfd(7, EFD_NONBLOCK);
	uint64_t value = 0;

	assert_cloexec(fd);
	g_assert_cmpint(sys_read(fd, &value, sizeof(value)), ==, 8);
	g_assert_cmpuint(value, ==, 7);
	g_assert_cmpint(sys_read(fd, &value, sizeof(value)), ==, -EAGAIN);
}

static void test_socket(void)
{
	autoptr(place) place = place_new();
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	const struct sockaddr *sa = (const void *)&addr;
	autofd int server = sys_socket(AF_UNIX, SOCK_STREAM, 0);
	autofd int client = sys_socket(AF_UNIX, SOCK_STREAM, 0);
	autofd int peer = -1;
	char buf[4] = "";

	g_strlcpy(addr.sun_path, place->file, sizeof(addr.sun_path));
	assert_cloexec(server);
	g_assert_cmpint(sys_connect(client, sa, sizeof(addr)), ==, -ENOENT);
	g_assert_cmpint(sys_bind(server, sa, sizeof(addr)), ==, 0);
	g_assert_cmpint(sys_bind(client, sa, sizeof(addr)), ==, -EADDRINUSE);
	g_assert_cmpint(sys_connect(client, sa, sizeof(addr)), ==, -ECONNREFUSED);
	g_assert_cmpint(sys_listen(server, 1), ==, 0);
	g_assert_cmpint(sys_connect(client, sa, sizeof(addr)), ==, 0);
	peer = sys_accept(server, 0);
	assert_cloexec(peer);
	g_assert_cmpint(sys_write_full(client, "ping", 4), ==, 4);
	g_assert_cmpint(sys_read_full(peer, buf, 4), ==, 4);
	g_assert_cmpmem(buf, 4, "ping", 4);
	g_assert_cmpint(sys_accept(-1, 0), ==, -EBADF);
	g_assert_cmpint(sys_listen(-1, 1), ==, -EBADF);
	g_assert_cmpint(sys_socket(-1, 0, 0), <, 0);
}

static void test_mmap(void)
{
	void *p = NULL;

	g_assert_cmpint(sys_mmap(&p, 0, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), ==,
			-EINVAL);
	g_assert_null(p); /* untouched by a failure */
	g_assert_cmpint(
		sys_mmap(&p, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), ==,
		0);
	*(char *)p = 1;
	g_assert_cmpint(sys_madvise(p, 4096, MADV_DONTNEED), ==, 0);
	g_assert_cmpint(*(char *)p, ==, 0);
	g_assert_cmpint(sys_madvise(p, 4096, 9999), ==, -EINVAL);
	sys_munmap(p, 4096);
}

static int try_open(void)
{
	return sys_open("/", O_PATH, 0);
}

/* The n-th call fails, those before and after do not; other kinds do not count. */
static void test_fail_nth(void)
{
	for (unsigned nth = 1; nth <= 4; nth++) {
		sys_fail_nth(SYS_OPEN, nth, EMFILE);
		for (unsigned i = 1; i <= 6; i++) {
			autofd int fd = try_open();
			autofd int other = sys_eventfd(0, 0);

			g_assert_cmpint(other, >=, 0);
			if (i == nth)
				g_assert_cmpint(fd, ==, -EMFILE);
			else
				g_assert_cmpint(fd, >=, 0);
		}
	}
	/* Taken back. */
	sys_fail_nth(SYS_OPEN, 2, EMFILE);
	sys_fail_nth(SYS_OPEN, 0, 0);
	for (unsigned i = 0; i < 3; i++) {
		autofd int fd = try_open();

		g_assert_cmpint(fd, >=, 0);
	}
}

static void write_byte(void *arg)
{
	int *fds = arg;

	g_assert_cmpint((int)sys_write(fds[1], "x", 1), ==, 1);
}

/* A call that hangs has done nothing yet, and is done when it is let go. */
static void test_hang(void)
{
	struct thread *thread;
	struct pollfd out;
	int fds[2];

	g_assert_cmpint(sys_pipe(fds, O_NONBLOCK), ==, 0);
	out = (struct pollfd){ .fd = fds[0], .events = POLLIN };
	sys_fail_nth(SYS_WRITE, 1, SYS_HANG);
	thread = thread_start("test", write_byte, fds, NULL);
	while (sys_fail_pending(SYS_WRITE))
		g_thread_yield();
	g_assert_cmpint(sys_poll(&out, 1, 20), ==, 0);
	sys_fail_nth(SYS_WRITE, 0, 0);
	g_assert_cmpint(sys_poll(&out, 1, 10000), ==, 1);
	thread_join(thread);
	fd_autoclose(&fds[0]);
	fd_autoclose(&fds[1]);
}

/* Each kind can be made to fail, and is not called then. */
static void test_fail_all(void)
{
	struct pollfd p = { .fd = -1 };
	struct sockaddr sa = { .sa_family = AF_UNIX };
	char buf[1] = "";
	uint8_t map[8] = { 0 };
	struct statvfs vfs;
	int fds[2];
	void *mapped;

#define FAILS(kind, call)                                  \
	do {                                               \
		sys_fail_nth(kind, 1, EDQUOT);             \
		g_assert_cmpint((int)(call), ==, -EDQUOT); \
	} while (0)
	FAILS(SYS_OPEN, try_open());
	FAILS(SYS_READ, sys_read(-1, buf, 1));
	FAILS(SYS_READ, sys_read_full(-1, buf, 1));
	FAILS(SYS_WRITE, sys_write(-1, buf, 1));
	FAILS(SYS_WRITE, sys_write_full(-1, buf, 1));
	FAILS(SYS_PREAD, sys_pread(-1, buf, 1, 0));
	FAILS(SYS_PWRITE, sys_pwrite(-1, buf, 1, 0));
	FAILS(SYS_IOCTL, sys_ioctl(-1, 0, NULL));
	FAILS(SYS_IOCTL, sys_ioctl_int(-1, 0, 0));
	FAILS(SYS_MMAP, sys_mmap(&mapped, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	FAILS(SYS_EVENTFD, sys_eventfd(0, 0));
	FAILS(SYS_SOCKET, sys_socket(AF_UNIX, SOCK_STREAM, 0));
	FAILS(SYS_BIND, sys_bind(-1, &sa, sizeof(sa)));
	FAILS(SYS_LISTEN, sys_listen(-1, 1));
	FAILS(SYS_ACCEPT, sys_accept(-1, 0));
	FAILS(SYS_CONNECT, sys_connect(-1, &sa, sizeof(sa)));
	FAILS(SYS_FSTAT, sys_file_size(0));
	FAILS(SYS_FTRUNCATE, sys_ftruncate(-1, 0));
	FAILS(SYS_FSYNC, sys_fsync(-1));
	FAILS(SYS_RENAME, sys_rename("", ""));
	FAILS(SYS_UNLINK, sys_unlink(""));
	FAILS(SYS_POLL, sys_poll(&p, 0, 0));
	FAILS(SYS_PIPE, sys_pipe(fds, 0));
	FAILS(SYS_TIMERFD, sys_timerfd_create());
	FAILS(SYS_TIMERFD, sys_timerfd_set(-1, 1));
	FAILS(SYS_FORK, sys_fork());
	FAILS(SYS_MKDIR, sys_mkdir("", 0));
	FAILS(SYS_RMDIR, sys_rmdir(""));
	FAILS(SYS_STATVFS, sys_statvfs("/", &vfs));
	FAILS(SYS_AFFINITY, sys_set_affinity(0, map, sizeof(map)));
	FAILS(SYS_AFFINITY, sys_get_affinity(0, map, sizeof(map)));
	FAILS(SYS_PIDFD, sys_pidfd_open(1));
	FAILS(SYS_PIDFD, sys_pidfd_signal(-1, 0));
#undef FAILS
}

/* A write that fails in the middle is not taken for a short one. */
static void test_full_fails_late(void)
{
	int fds[2];
	char buf[4];

	g_assert_cmpint(sys_pipe(fds, O_NONBLOCK), ==, 0);
	g_assert_cmpint(sys_write(fds[1], "ab", 2), ==, 2);
	g_assert_cmpint(sys_read_full(fds[0], buf, 4), ==, -EAGAIN);
	(void)close(fds[0]);
	(void)close(fds[1]);
}

static void test_fd_steal(void)
{
	autofd int fd = try_open();
	int stolen = fd_steal(&fd);

	g_assert_cmpint(fd, ==, -1);
	g_assert_cmpint(fcntl(stolen, F_GETFD), >=, 0);
	{
		autofd int closes = stolen;

		g_assert_cmpint(closes, >=, 0);
	}
	g_assert_cmpint(fcntl(stolen, F_GETFD), ==, -1);
}

static void test_random_and_clocks(void)
{
	uint8_t a[300] = { 0 }, b[300] = { 0 };
	uint64_t before = sys_monotonic_ns();

	g_assert_cmpint(sys_random(a, sizeof(a)), ==, 0);
	g_assert_cmpint(sys_random(b, sizeof(b)), ==, 0);
	g_assert_cmpint(memcmp(a, b, sizeof(a)), !=, 0);
	g_assert_cmpint(sys_random(a, 0), ==, 0);
	g_assert_cmpuint(before, >, 0);
	g_assert_cmpuint(sys_monotonic_ns(), >=, before);
	g_assert_cmpuint(sys_realtime_ns(), >, UINT64_C(1600000000000000000));
}

static void test_folder(void)
{
	struct place *place = place_new();
	struct statvfs vfs;

	g_assert_cmpint(sys_mkdir(place->file, 0700), ==, 0);
	g_assert_cmpint(sys_mkdir(place->file, 0700), ==, -EEXIST);
	g_assert_cmpint(sys_statvfs(place->file, &vfs), ==, 0);
	g_assert_cmpuint(vfs.f_frsize, >, 0);
	g_assert_cmpint(sys_rmdir(place->file), ==, 0);
	g_assert_cmpint(sys_rmdir(place->file), ==, -ENOENT);
	place_free(place);
}

static void test_affinity(void)
{
	static uint8_t before[SYS_CPUS_MAX / 8], one[SYS_CPUS_MAX / 8], after[SYS_CPUS_MAX / 8];
	size_t i = 0;

	g_assert_cmpint(sys_get_affinity(0, before, sizeof(before)), ==, 0);
	while (!before[i])
		g_assert_cmpuint(++i, <, sizeof(before));
	one[i] = (uint8_t)(before[i] & -before[i]);
	g_assert_cmpint(sys_set_affinity(0, one, sizeof(one)), ==, 0);
	g_assert_cmpint(sys_get_affinity(0, after, sizeof(after)), ==, 0);
	g_assert_cmpmem(after, sizeof(after), one, sizeof(one));
	g_assert_cmpint(sys_set_affinity(0, one, 0), ==, -EINVAL);
	g_assert_cmpint(sys_set_affinity(0, before, sizeof(before)), ==, 0);
}

static void test_pidfd(void)
{
	autofd int pidfd = sys_pidfd_open(getpid());

	if (pidfd == -ENOSYS || pidfd == -EPERM) {
		g_test_skip("this kernel has no pidfds");
		return;
	}
	g_assert_cmpint(pidfd, >=, 0);
	g_assert_cmpint(sys_pidfd_signal(pidfd, 0), ==, 0);
	g_assert_cmpint(sys_pidfd_open(0x3fffffff), ==, -ESRCH);
}

static void add_name(void *opaque, const char *name)
{
	g_ptr_array_add(opaque, g_strdup(name));
}

/* What is asked for in a folder is in there, and no link leads out. */
static void test_beneath(void)
{
	g_autofree char *folder = g_dir_make_tmp("socle-sys-XXXXXX", NULL);
	g_autofree char *link = g_build_filename(folder, "link", NULL);
	g_autofree char *up = g_build_filename(folder, "up", NULL);
	g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
	autofd int dir = sys_open(folder, O_RDONLY | O_DIRECTORY, 0);
	autofd int a = sys_open_beneath(dir, "a", O_RDWR | O_CREAT | O_EXCL, 0600);
	autofd int b = sys_open_beneath(dir, "b", O_RDWR | O_CREAT | O_EXCL, 0600);
	struct stat st;
	char text[5] = "";

	g_assert_true(a >= 0 && b >= 0);
	g_assert_cmpint(symlink("/etc/passwd", link), ==, 0);
	g_assert_cmpint(symlink("..", up), ==, 0);
	g_assert_cmpint(sys_open_beneath(dir, "link", O_RDONLY, 0), ==, -ELOOP);
	g_assert_cmpint(sys_open_beneath(dir, "up/etc", O_RDONLY, 0), <, 0);
	g_assert_cmpint(sys_open_beneath(dir, "..", O_RDONLY, 0), ==, -EXDEV);
	g_assert_cmpint(sys_open_beneath(dir, "/etc/passwd", O_RDONLY, 0), ==, -EXDEV);
	g_assert_cmpint(sys_open_beneath(dir, "none", O_RDONLY, 0), ==, -ENOENT);
	g_assert_cmpint(sys_stat_at(dir, "link", &st), ==, 0);
	g_assert_true(S_ISLNK(st.st_mode));
	g_assert_cmpint(sys_list_dir(dir, add_name, names), ==, 0);
	g_assert_cmpuint(names->len, ==, 4);
	/* Twice is the same: nobody's place in the list moves. */
	g_assert_cmpint(sys_list_dir(dir, add_name, names), ==, 0);
	g_assert_cmpuint(names->len, ==, 8);
	g_assert_cmpint(sys_rename_at(dir, "a", "b", false), ==, -EEXIST);
	g_assert_cmpint(sys_rename_at(dir, "a", "c", false), ==, 0);
	g_assert_cmpint(sys_exchange_at(dir, "c", "none"), ==, -ENOENT);
	g_assert_cmpint(sys_exchange_at(dir, "c", "link"), ==, 0);
	g_assert_cmpint(sys_stat_at(dir, "c", &st), ==, 0);
	g_assert_true(S_ISLNK(st.st_mode));
	g_assert_cmpint(sys_exchange_at(dir, "c", "link"), ==, 0);
	g_assert_cmpint(sys_rename_at(dir, "c", "b", true), ==, 0);
	g_assert_cmpint(sys_write_full(a, "text", 4), ==, 4);
	g_assert_cmpint(sys_copy_range(a, 0, b, 0, 100), ==, 4);
	g_assert_cmpint(sys_pread(b, text, 4, 0), ==, 4);
	g_assert_cmpstr(text, ==, "text");
	for (unsigned i = 0; i < 3; i++)
		g_assert_cmpint(sys_unlink_at(dir, i == 0 ? "b" : i == 1 ? "link" : "up"), ==, 0);
	g_assert_cmpint(sys_unlink_at(dir, "b"), ==, -ENOENT);
	g_assert_cmpint(sys_rmdir(folder), ==, 0);
}

/* What is written to it ends where it does. */
static void test_memfd_fixed(void)
{
	autofd int fd = sys_memfd_fixed("test", 8);
	char text[16] = "";

	g_assert_cmpint(fd, >=, 0);
	g_assert_cmpint((int)sys_write(fd, "01234567", 8), ==, 8);
	g_assert_cmpint((int)sys_write(fd, "x", 1), ==, -EPERM);
	g_assert_cmpint((int)sys_pread(fd, text, sizeof(text), 0), ==, 8);
	g_assert_cmpstr(text, ==, "01234567");
	g_assert_cmpint(sys_ftruncate(fd, 4), ==, -EPERM);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/sys/file", test_file);
	g_test_add_func("/sys/beneath", test_beneath);
	g_test_add_func("/sys/memfd-fixed", test_memfd_fixed);
	g_test_add_func("/sys/pipe", test_pipe);
	g_test_add_func("/sys/eventfd", test_eventfd);
	g_test_add_func("/sys/socket", test_socket);
	g_test_add_func("/sys/mmap", test_mmap);
	g_test_add_func("/sys/fail-nth", test_fail_nth);
	g_test_add_func("/sys/hang", test_hang);
	g_test_add_func("/sys/fail-all", test_fail_all);
	g_test_add_func("/sys/full-fails-late", test_full_fails_late);
	g_test_add_func("/sys/fd-steal", test_fd_steal);
	g_test_add_func("/sys/folder", test_folder);
	g_test_add_func("/sys/affinity", test_affinity);
	g_test_add_func("/sys/pidfd", test_pidfd);
	g_test_add_func("/sys/random-and-clocks", test_random_and_clocks);
	return g_test_run();
}
