/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * nics.c - the host's network interfaces, as they are now
 */
#include "host/nics.h"

#include <stdlib.h>
#include <string.h>

#include "host/facts.h"
#include "host/read-int.h"

static const char class_net[] = "/sys/class/net";

/* Letters, digits and what interfaces are named with: names come into names and paths of others. */
static bool is_name(const char *name)
{
	for (const char *p = name; *p; p++) {
		if (!g_ascii_isgraph(*p) || strchr("/<>&'\"", *p))
			return false;
	}
	return *name && *name != '.';
}

static bool is_mac(const char *text)
{
	return strlen(text) == 17 && strspn(text, "0123456789abcdefABCDEF:") == 17;
}

/* Where the link in /sys/class/net leads to. */
static char *device_path(const struct host_facts *facts, const char *name)
{
	g_autofree char *link = g_strconcat(facts->root, class_net, "/", name, NULL);
	g_autofree char *target = g_file_read_link(link, NULL);

	if (target && g_str_has_prefix(target, "../../devices/") &&
	    g_utf8_validate(target, -1, NULL))
		return g_strconcat("/sys/", target + strlen("../../"), NULL);
	return g_strconcat(class_net, "/", name, NULL);
}

static void read_nic(const struct host_facts *facts, const char *name, struct host_nic *nic)
{
	uint64_t speed;
	char text[64];

	nic->name = g_strdup(name);
	host_read_text(text, sizeof(text), facts->root, "%s/%s/address", class_net, name);
	nic->mac = g_strdup(is_mac(text) ? text : "");
	host_read_text(text, sizeof(text), facts->root, "%s/%s/operstate", class_net, name);
	nic->state = g_strdup(is_name(text) ? text : "unknown");
	nic->path = device_path(facts, name);
	if (host_read_number(&speed, facts->root, "%s/%s/speed", class_net, name) &&
	    speed <= INT32_MAX)
		nic->speed = (unsigned)speed;
}

static int by_name(const void *a, const void *b)
{
	const struct host_nic *x = a, *y = b;

	return strcmp(x->name, y->name);
}

struct host_nic *host_nics(const struct host_facts *facts, unsigned *ret_count)
{
	g_autofree char *path = facts->root ? g_strconcat(facts->root, class_net, NULL) : NULL;
	GDir *dir = path ? g_dir_open(path, 0, NULL) : NULL;
	struct host_nic *nics = NULL;
	const char *name;
	unsigned count = 0;

	*ret_count = 0;
	if (!dir)
		return NULL;
	nics = g_new0(struct host_nic, HOST_NICS_MAX);
	while (count < HOST_NICS_MAX && (name = g_dir_read_name(dir)) != NULL) {
		g_autofree char *file = g_build_filename(path, name, "operstate", NULL);

		/* Beside interfaces there are files, as bonding_masters. */
		if (is_name(name) && g_file_test(file, G_FILE_TEST_EXISTS))
			read_nic(facts, name, &nics[count++]);
	}
	g_dir_close(dir);
	qsort(nics, count, sizeof(nics[0]), by_name);
	*ret_count = count;
	return nics;
}

void host_nics_free(struct host_nic *nics, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		g_free(nics[i].name);
		g_free(nics[i].mac);
		g_free(nics[i].state);
		g_free(nics[i].path);
	}
	g_free(nics);
}
