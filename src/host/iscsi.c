/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * iscsi.c - libiscsi's programs, which reach a target without the kernel: what they are told, and what they say
 */
#include "host/iscsi.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "host/argv-int.h"

char *iscsi_portal(const char *host, unsigned port)
{
	bool v6 = strchr(host, ':') && *host != '[';

	return g_strdup_printf(v6 ? "[%s]:%u" : "%s:%u", host, port ? port : 3260);
}

static char *url_of(const char *host, unsigned port)
{
	g_autofree char *portal = iscsi_portal(host, port);

	return g_strconcat("iscsi://", portal, NULL);
}

char **iscsi_argv_list(const char *host, unsigned port, const char *initiator)
{
	g_autofree char *url = url_of(host, port);

	return initiator ? argv_new("iscsi-ls", "--show-luns", "--initiator-name", initiator, url,
				    NULL)
			 : argv_new("iscsi-ls", "--show-luns", url, NULL);
}

char **iscsi_argv_size(const char *host, unsigned port, const char *initiator, const char *target,
		       unsigned lun)
{
	g_autofree char *url = url_of(host, port);
	g_autofree char *disk = g_strdup_printf("%s/%s/%u", url, target, lun);

	return initiator ? argv_new("iscsi-readcapacity16", "--size", "--initiator-name", initiator,
				    disk, NULL)
			 : argv_new("iscsi-readcapacity16", "--size", disk, NULL);
}

/* "Target:iqn.2026-11.org.example:one Portal:127.0.0.1:3260,1"; NULL: the line is another one. */
static char *target_in(const char *line)
{
	static const char before[] = "Target:";

	if (!g_str_has_prefix(line, before))
		return NULL;
	line += strlen(before);
	return g_strndup(line, strcspn(line, " \r"));
}

GPtrArray *iscsi_parse_targets(const char *text)
{
	GPtrArray *names = g_ptr_array_new_with_free_func(g_free);
	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);

	for (unsigned i = 0; lines[i]; i++) {
		char *name = target_in(lines[i]);

		if (name && !g_ptr_array_find_with_equal_func(names, name, g_str_equal, NULL))
			g_ptr_array_add(names, name);
		else
			g_free(name);
	}
	return names;
}

GArray *iscsi_parse_disks(const char *text, const char *target)
{
	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
	GArray *disks = NULL;
	bool inside = false;

	for (unsigned i = 0; lines[i]; i++) {
		g_autofree char *name = target_in(lines[i]);
		unsigned lun;

		if (name) {
			/* A target with two portals stands there twice. */
			inside = !disks && !strcmp(name, target);
			if (inside)
				disks = g_array_new(FALSE, FALSE, sizeof(lun));
		} else if (inside && strstr(lines[i], "Type:DIRECT_ACCESS") &&
			   sscanf(lines[i], "Lun:%u", &lun) == 1) {
			g_array_append_val(disks, lun);
		}
	}
	return disks;
}
