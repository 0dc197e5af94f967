/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lock.c - one daemon for a folder, and its number in a file
 *
 * The file with the lock stays when we end: who removes it could remove that of the next one.
 */
#include "daemon/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>

#include "base/error.h"
#include "base/log.h"
#include "base/replace.h"
#include "base/sys.h"

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

struct lock *lock_new(const char *folder, GError **error)
{
	g_autofree char *path = g_build_filename(folder, "lock", NULL);
	autofd int fd = sys_open(path, O_RDWR | O_CREAT, 0600);
	g_autoptr(GError) local = NULL;
	struct lock *lock;
	char text[16] = "";

	if (fd < 0) {
		error_sys(error, fd, "cannot open '%s'", path);
		return NULL;
	}
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		(void)sys_pread(fd, text, sizeof(text) - 1, 0);
		text[strcspn(text, "\n")] = '\0';
		error_set(error, SOCLE_ERROR_BUSY,
			  "folder '%s' is in use by another socled (process %s); end that one, or "
			  "choose another folder with --state",
			  folder, text);
		return NULL;
	}
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
