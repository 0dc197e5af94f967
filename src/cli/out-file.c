/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * out-file.c - a file that gets what a command has for it: as a whole, or not at all
 */
#include "cli/out-file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/sys.h"

bool out_file_open(struct out_file *out, const char *path, GError **error)
{
	struct stat st;
	bool stays = sys_stat_at(AT_FDCWD, path, &st) == 0 && !S_ISREG(st.st_mode);

	*out = (struct out_file){
		.written = stays ? g_strdup(path) : g_strdup_printf("%s.part", path),
		.path = stays ? NULL : g_strdup(path),
	};
	out->fd = sys_open(out->written, O_WRONLY | O_TRUNC | (stays ? 0 : O_CREAT | O_NOFOLLOW),
			   0666);
	if (out->fd < 0) {
		error_sys(error, out->fd, "cannot %s '%s'", stays ? "open" : "create",
			  out->written);
		g_free(out->written);
		g_free(out->path);
		return false;
	}
	out->plain = sys_fstat(out->fd, &st) == 0 && S_ISREG(st.st_mode);
	return true;
}

bool out_file_close(struct out_file *out, bool ok, GError **error)
{
	if (ok && out->path) {
		int ret = sys_rename(out->written, out->path);

		ok = ret >= 0 ||
		     error_sys(error, ret, "cannot rename '%s' to '%s'", out->written, out->path);
	}
	if (!ok && out->path)
		(void)sys_unlink(out->written);
	(void)close(out->fd);
	g_free(out->written);
	g_free(out->path);
	return ok;
}
