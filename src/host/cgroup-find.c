/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cgroup-find.c - which hierarchies there are, and what of them is ours
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/sys.h"
#include "host/cgroup-int.h"
#include "host/read-int.h"

/* A file system of /proc/self/mountinfo. */
struct mounted {
	const char *root, *point, *type, *options;
};

/* "ID PARENT DEVICE ROOT POINT OPTIONS ... - TYPE SOURCE OPTIONS"; @line is cut into pieces. */
static bool parse_mount(char *line, struct mounted *ret)
{
	char *rest = strstr(line, " - ");
	char *words[5], *save = NULL;

	if (!rest)
		return false;
	*rest = '\0';
	for (unsigned i = 0; i < G_N_ELEMENTS(words); i++) {
		words[i] = strtok_r(i ? NULL : line, " ", &save);
		if (!words[i])
			return false;
	}
	ret->root = words[3];
	ret->point = words[4];
	ret->type = strtok_r(rest + 3, " ", &save);
	(void)strtok_r(NULL, " ", &save);
	ret->options = strtok_r(NULL, " ", &save);
	return ret->type && ret->options;
}

static bool has_item(const char *list, const char *item)
{
	size_t len = strlen(item);

	for (const char *p = list; p; p = strchr(p, ',')) {
		p += *p == ',';
		if (!strncmp(p, item, len) && (p[len] == ',' || !p[len]))
			return true;
	}
	return false;
}

/* Behind the line "N:LIST:/path" of a hierarchy. */
static const char *path_in_line(const char *line, const char *controller)
{
	const char *list = strchr(line, ':');
	const char *path = list ? strchr(list + 1, ':') : NULL;
	g_autofree char *names = NULL;

	if (!path)
		return NULL;
	names = g_strndup(list + 1, (size_t)(path - list - 1));
	if (controller ? !has_item(names, controller) : *names != '\0')
		return NULL;
	return path[1] == '/' ? path + 1 : NULL;
}

static const char *controller_of(const struct host_cgroups *groups, const struct hierarchy *h)
{
	for (unsigned i = 0; i < HOST_CONTROLLER_COUNT && !h->unified; i++) {
		if (groups->by_controller[i] == h)
			return host_controller_names[i];
	}
	return NULL;
}

char *cgroups_of(const struct host_cgroups *groups, const struct hierarchy *h, pid_t pid)
{
	const char *controller = controller_of(groups, h);
	g_autofree char *who = pid ? g_strdup_printf("%d", pid) : g_strdup("self");
	struct host_lines lines;
	const char *line;
	char *found = NULL;
	size_t top = strlen(h->top);

	if (!host_lines_open(&lines, groups->root, "/proc/%s/cgroup", who))
		return NULL;
	while (!found && (line = host_lines_next(&lines)) != NULL) {
		const char *path = path_in_line(line, controller);

		/* "/.." is a group outside of what we can see. */
		if (!path || g_str_has_prefix(path, "/.."))
			continue;
		if (!strncmp(path, h->top, top) && (path[top] == '/' || !path[top]))
			path += top;
		found = g_strdup(!strcmp(path, "/") ? "" : path);
	}
	host_lines_close(&lines);
	return found;
}

static struct hierarchy *add_hierarchy(struct host_cgroups *groups, const struct mounted *m)
{
	struct hierarchy *h = &groups->hierarchies[groups->count];
	g_autofree char *point = g_strcompress(m->point);

	if (groups->count == HIERARCHIES_MAX)
		return NULL;
	groups->count++;
	h->unified = !strcmp(m->type, "cgroup2");
	h->mount = g_strconcat(groups->root, point, NULL);
	h->top = strcmp(m->root, "/") != 0 ? g_strcompress(m->root) : g_strdup("");
	return h;
}

/* The hierarchies of v1 that have a controller of ours, and the unified one. */
static void read_mounts(struct host_cgroups *groups)
{
	g_autofree char *text = host_read_all(groups->root, "/proc/self/mountinfo");
	bool unified = false;
	char *save = NULL;

	for (char *line = text ? strtok_r(text, "\n", &save) : NULL; line;
	     line = strtok_r(NULL, "\n", &save)) {
		struct hierarchy *h = NULL;
		struct mounted m;

		if (!parse_mount(line, &m))
			continue;
		if (!strcmp(m.type, "cgroup2") && !unified) {
			unified = add_hierarchy(groups, &m) != NULL;
			continue;
		}
		for (unsigned i = 0; i < HOST_CONTROLLER_COUNT && !strcmp(m.type, "cgroup"); i++) {
			if (groups->by_controller[i] ||
			    !has_item(m.options, host_controller_names[i]))
				continue;
			h = h ? h : add_hierarchy(groups, &m);
			groups->by_controller[i] = h;
		}
	}
}

/*
 * Is our group a unit of systemd's, and may we make groups above it? systemd before 254 puts a service that it
 * starts again into the unit's own group, which the kernel refuses while machines have groups below. Later
 * ones start us in socle-daemon (DelegateSubgroup=), and then the unit is ours for good.
 */
static bool belongs_on_top(const struct hierarchy *h, const char *own)
{
	g_autofree char *file = g_strconcat(h->mount, "/cgroup.subtree_control", NULL);

	return h->unified &&
	       (g_str_has_suffix(own, ".service") || g_str_has_suffix(own, ".scope")) &&
	       access(file, W_OK) == 0;
}

static void find_parent(struct host_cgroups *groups, struct hierarchy *h, const char *parent)
{
	g_autofree char *own = NULL;

	if (parent) {
		h->parent = g_strconcat(h->mount, parent, NULL);
		return;
	}
	own = cgroups_of(groups, h, 0);
	if (!own)
		return;
	if (g_str_has_suffix(own, "/socle-daemon"))
		own[strlen(own) - strlen("/socle-daemon")] = '\0';
	else if (belongs_on_top(h, own))
		own[0] = '\0';
	h->parent = g_strconcat(h->mount, own, NULL);
}

/* A controller that the unified hierarchy has is taken there. */
static void prefer_unified(struct host_cgroups *groups, struct hierarchy *h)
{
	g_autofree char *list = host_read_all("", "%s/cgroup.controllers", h->parent);
	g_auto(GStrv) words = g_strsplit_set(list ? list : "", " \n", 64);

	for (unsigned i = 0; i < HOST_CONTROLLER_COUNT; i++) {
		const char *name = host_controller_names[i];

		if (i == HOST_IO)
			name = "io";
		if (i == HOST_CPUACCT)
			name = "cpu";
		if (g_strv_contains((const char *const *)words, name))
			groups->by_controller[i] = h;
	}
}

void cgroups_find(struct host_cgroups *groups, const char *parent)
{
	groups->may_move = !parent;
	read_mounts(groups);
	for (unsigned i = 0; i < groups->count; i++)
		find_parent(groups, &groups->hierarchies[i], parent);
	for (unsigned i = 0; i < groups->count; i++) {
		struct hierarchy *h = &groups->hierarchies[i];

		/* One that root may make has what is above it. */
		if (h->parent && parent) {
			int err = sys_mkdir(h->parent, 0755);

			h->err = err == -EEXIST ? 0 : err;
		}
		if (h->unified && h->parent)
			prefer_unified(groups, h);
	}
}
