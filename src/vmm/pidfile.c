/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pidfile.c - our process number in a file, as long as we run
 *
 * A new file is written beside the old one, locked, and renamed over it: readers see a number or
 * the old file, never half of it. What exists and is no regular file (/dev/null) is written to.
 */
#include "vmm/pidfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/error.h"
#include "base/sys.h"

struct pidfile {
	int fd;
	char *path; /* NULL: not ours to remove */
};

/* Does a running process hold the lock of the file at @path? */
static bool check_unused(const char *path, GError **error)
{
	autofd int fd = sys_open(path, O_RDONLY | O_NONBLOCK, 0);
	char text[16] = "";

	if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) == 0)
		return true;
	(void)sys_read(fd, text, sizeof(text) - 1);
	text[strcspn(text, "\n")] = '\0';
	return error_set(error, SOCLE_ERROR_BUSY,
			 "pidfile '%s' belongs to a running machine (process %s); end it or choose "
			 "another file",
			 path, text);
}

static bool write_pid(int fd, const char *path, GError **error)
{
	g_autofree char *text = g_strdup_printf("%d\n", (int)getpid());
	ssize_t n = sys_write_full(fd, text, strlen(text));

	if (n < 0)
		return error_sys(error, (int)n, "cannot write pidfile '%s'", path);
	return true;
}

/* Make the file at @temp and put it in place. */
static bool replace(int fd, const char *temp, const char *path, GError **error)
{
	int r;

	(void)flock(fd, LOCK_EX | LOCK_NB);
	if (!write_pid(fd, path, error) || !check_unused(path, error))
		return false;
	r = sys_rename(temp, path);
	if (r < 0)
		return error_sys(error, r, "cannot create pidfile '%s'", path);
	return true;
}

struct pidfile *pidfile_new(const char *path, GError **error)
{
	g_autofree char *temp = g_strdup_printf("%s.%d", path, (int)getpid());
	struct pidfile *pidfile;
	autofd int fd = -1;
	struct stat st;
	bool special = stat(path, &st) == 0 && !S_ISREG(st.st_mode);

	if (special)
		fd = sys_open(path, O_WRONLY | O_NOCTTY | O_NONBLOCK, 0);
	else
		fd = sys_open(temp, O_WRONLY | O_CREAT | O_EXCL, 0644);
	if (fd < 0) {
		error_sys(error, fd, "cannot create pidfile '%s'", path);
		return NULL;
	}
	if (special && !write_pid(fd, path, error))
		return NULL;
	if (!special && !replace(fd, temp, path, error)) {
		(void)sys_unlink(temp);
		return NULL;
	}
	pidfile = g_new(struct pidfile, 1);
	*pidfile = (struct pidfile){
		.fd = fd_steal(&fd),
		.path = special ? NULL : g_strdup(path),
	};
	return pidfile;
}

void pidfile_free(struct pidfile *pidfile)
{
	struct stat ours, there;

	if (!pidfile)
		return;
	if (pidfile->path && fstat(pidfile->fd, &ours) == 0 && stat(pidfile->path, &there) == 0 &&
	    ours.st_dev == there.st_dev && ours.st_ino == there.st_ino)
		(void)sys_unlink(pidfile->path);
	fd_autoclose(&pidfile->fd);
	g_free(pidfile->path);
	g_free(pidfile);
}
