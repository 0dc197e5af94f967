/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lock.c - one daemon for a folder, and its number in a file
 *
 * The file with the lock stays when we end: who removes it could remove that of the next one.
 *
 * A child that has not run its program yet has the lock, too. If we are killed then, the next one waits for that
 * moment, and so finds the machine that the child becomes.
 */
#include "daemon/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/log.h"
#include "base/replace.h"
#include "base/sys.h"

enum {
	LOOKS = 1000, /* at a lock whose owner is gone */
	LOOK_US = 10000,
};

struct lock {
	int fd;
	char *pidfile; /* or NULL */
};

static bool write_number(int fd, const char *path, GError **error)
{
	g_autofree char *text = g_strdup_printf("%d\n", (int)getpid());
	int r = sys_ftruncate(fd, 0);
	ssize_t n = r < 0 ? r : sys_pwrite(fd, text, strlen(text), 0);

	return n < 0 ? error_sys(error, (int)n, "cannot write '%s'", path) : true;
}

/* Who has the lock, or had it and left it to children. */
static pid_t number_in(int fd)
{
	char text[16] = "";

	(void)sys_pread(fd, text, sizeof(text) - 1, 0);
	return (pid_t)strtol(text, NULL, 10);
}

static bool is_gone(pid_t pid)
{
	return pid > 0 && kill(pid, 0) < 0 && errno == ESRCH;
}

static int take(int fd)
{
	int ret = sys_lock_file(fd);

	for (unsigned i = 0; ret == -EWOULDBLOCK && i < LOOKS && is_gone(number_in(fd)); i++) {
		g_usleep(LOOK_US);
		ret = sys_lock_file(fd);
	}
	return ret;
}

struct lock *lock_new(const char *folder, GError **error)
{
	g_autofree char *path = g_build_filename(folder, "lock", NULL);
	autofd int fd = sys_open(path, O_RDWR | O_CREAT, 0600);
	g_autoptr(GError) local = NULL;
	struct lock *lock;
	int ret;

	if (fd < 0) {
		error_sys(error, fd, "cannot open '%s'", path);
		return NULL;
	}
	ret = take(fd);
	if (ret == -EWOULDBLOCK)
		error_set(error, SOCLE_ERROR_BUSY,
			  "folder '%s' is in use by another socled (process %d); end that one, or "
			  "choose another folder with --state",
			  folder, (int)number_in(fd));
	else if (ret < 0)
		error_sys(error, ret, "cannot lock '%s'", path);
	if (ret < 0)
		return NULL;
	/* The number is for people, and no reason to leave machines alone on a disk that is full. */
	if (!write_number(fd, path, &local))
		log_warning("%s", local->message);
	lock = g_new(struct lock, 1);
	*lock = (struct lock){ .fd = fd_steal(&fd) };
	return lock;
}

bool lock_write_pidfile(struct lock *lock, const char *path, GError **error)
{
	g_autofree char *text = g_strdup_printf("%d\n", (int)getpid());
	int r;

	if (!path)
		return true;
	r = file_replace(path, text, 0644);
	if (r < 0)
		return error_sys(error, r, "cannot create pidfile '%s'", path);
	lock->pidfile = g_strdup(path);
	return true;
}

void lock_free(struct lock *lock)
{
	if (!lock)
		return;
	if (lock->pidfile)
		(void)sys_unlink(lock->pidfile);
	g_free(lock->pidfile);
	fd_autoclose(&lock->fd);
	g_free(lock);
}
