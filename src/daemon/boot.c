/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * boot.c - has the host been started since a daemon was here?
 */
#include "daemon/boot.h"

#include <glib.h>
#include <string.h>

#include "base/log.h"

static char *file_of(const char *run)
{
	return g_build_filename(run, "boot-id", NULL);
}

bool boot_is_new(const char *run, const char *boot_id)
{
	g_autofree char *path = file_of(run), *text = NULL;

	if (!g_file_get_contents(path, &text, NULL, NULL))
		return true;
	return boot_id && strcmp(g_strstrip(text), boot_id) != 0;
}

void boot_remember(const char *run, const char *boot_id)
{
	g_autofree char *path = file_of(run);
	g_autoptr(GError) error = NULL;

	if (!g_file_set_contents(path, boot_id ? boot_id : "unknown", -1, &error))
		log_warning("machines with autostart will be started again by the next daemon: %s",
			    error->message);
}
