/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * runtime-dir.c - where sockets are: the same for a daemon and for who looks for it
 */
#include "daemon/runtime-dir.h"

#include <glib.h>

#include "base/sys.h"

char *runtime_dir(bool session)
{
	const char *given = g_getenv("XDG_RUNTIME_DIR");
	g_autofree char *usual = g_strdup_printf("/run/user/%u", (unsigned)geteuid());
	struct stat st;

	if (!session)
		return g_strdup("/run");
	if ((!given || !*given) && sys_stat(usual, &st) == 0 && S_ISDIR(st.st_mode) &&
	    st.st_uid == geteuid())
		return g_steal_pointer(&usual);
	return g_strdup(g_get_user_runtime_dir());
}
