/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cgroup.c - a control group for each machine: where it is, what is in it
 */
#include "host/cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/sys.h"
#include "host/cgroup-int.h"
#include "host/read-int.h"

/* As the old hierarchies name them. */
const char *const host_controller_names[HOST_CONTROLLER_COUNT] = {
	[HOST_CPU] = "cpu",       [HOST_CPUACCT] = "cpuacct", [HOST_CPUSET] = "cpuset",
	[HOST_MEMORY] = "memory", [HOST_IO] = "blkio",
};

int cgroup_write(const char *dir, const char *file, const char *fmt, ...)
{
	char path[HOST_PATH_MAX], text[512];
	autofd int fd = -1;
	ssize_t ret;
	int len;
	va_list ap;

	len = snprintf(path, sizeof(path), "%s/%s", dir, file);
	if (len < 0 || (size_t)len >= sizeof(path))
		return -ENAMETOOLONG;
	va_start(ap, fmt);
	len = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (len < 0 || (size_t)len >= sizeof(text))
		return -E2BIG;
	fd = sys_open(path, O_WRONLY | O_TRUNC, 0);
	if (fd < 0)
		return fd;
	ret = sys_write(fd, text, (size_t)len);
	return ret < 0 ? (int)ret : 0;
}

/* A unified controller's name in cgroup.subtree_control. */
static const char *unified_name(unsigned controller)
{
	return controller == HOST_IO ? "io" : host_controller_names[controller];
}

/* Is somebody but us in it? */
static bool has_others(const char *dir)
{
	g_autofree char *list = host_read_all("", "%s/cgroup.procs", dir);
	g_autofree char *self = g_strdup_printf("%d\n", getpid());

	return list && *list && strcmp(list, self) != 0;
}

/*
 * A group that hands on controllers has no process in it: we leave our own. The kernel would hand on cpu and
 * cpuset all the same, and make it a group of threads, in which machines can have no groups. The one at the top,
 * which has no type, is another matter.
 */
static int step_aside(const struct hierarchy *h)
{
	g_autofree char *type = g_strconcat(h->parent, "/cgroup.type", NULL);
	g_autofree char *dir = g_strconcat(h->parent, "/socle-daemon", NULL);
	int err;

	if (access(type, F_OK) < 0)
		return 0;
	if (has_others(h->parent))
		return -EBUSY;
	err = sys_mkdir(dir, 0755);
	if (err && err != -EEXIST)
		return err;
	return cgroup_write(dir, "cgroup.procs", "%d", getpid());
}

static int hand_on(const struct hierarchy *h, unsigned controller)
{
	const char *name = unified_name(controller);
	int err = cgroup_write(h->parent, "cgroup.subtree_control", "+%s", name);

	return err ? err : cgroup_write(h->base, "cgroup.subtree_control", "+%s", name);
}

/* In v1 a new group of cpuset is empty, and takes no process. */
static void inherit_cpuset(const char *dir)
{
	static const char *const files[] = { "cpuset.cpus", "cpuset.mems" };
	g_autofree char *above = g_path_get_dirname(dir);

	for (size_t i = 0; i < G_N_ELEMENTS(files); i++) {
		char text[512];

		if (host_read_text(text, sizeof(text), "", "%s/%s", dir, files[i]) == 0 &&
		    host_read_text(text, sizeof(text), "", "%s/%s", above, files[i]) > 0)
			(void)cgroup_write(dir, files[i], "%s", text);
	}
}

static int make_dir(const struct host_cgroups *groups, const struct hierarchy *h, const char *dir)
{
	int err = sys_mkdir(dir, 0755);

	if (err && err != -EEXIST)
		return err;
	if (!h->unified && groups->by_controller[HOST_CPUSET] == h)
		inherit_cpuset(dir);
	return 0;
}

static void make_base(struct host_cgroups *groups, struct hierarchy *h)
{
	g_autofree char *dir = NULL;

	if (!h->parent && !h->err)
		h->err = -ENOENT;
	if (h->err)
		return;
	dir = g_strconcat(h->parent, "/socle", NULL);
	h->err = make_dir(groups, h, dir);
	/* What root has made is there for others, too, but not to make groups in. */
	if (!h->err && access(dir, W_OK) < 0)
		h->err = sys_last_error();
	if (!h->err)
		h->base = g_steal_pointer(&dir);
}

static void tell_missing(struct host_cgroups *groups, const GString *names, const char *dir,
			 int err)
{
	if (!groups->count)
		groups->missing =
			g_strdup("machines run without limits: no control groups are mounted; "
				 "mount cgroup2 at /sys/fs/cgroup");
	else if (!dir)
		groups->missing = g_strdup_printf(
			"machines run without limits by %s: this host does not hand these "
			"controllers on to us; start the daemon with Delegate=yes",
			names->str);
	else
		groups->missing = g_strdup_printf(
			"machines run without limits by %s: cannot make groups in '%s': %s; start "
			"the daemon with Delegate=yes, or as root",
			names->str, dir, g_strerror(-err));
}

static bool is_used(const struct host_cgroups *groups, const struct hierarchy *h)
{
	for (unsigned i = 0; i < HOST_CONTROLLER_COUNT; i++) {
		if (groups->by_controller[i] == h)
			return true;
	}
	return false;
}

/* Which controllers can be had in the end, and what to say of the others. */
static void use_controllers(struct host_cgroups *groups)
{
	g_autoptr(GString) names = g_string_new(NULL);
	const char *dir = NULL;
	int err = 0;

	for (unsigned i = 0; i < groups->count; i++) {
		struct hierarchy *h = &groups->hierarchies[i];

		if (h->unified && !h->err && groups->may_move && is_used(groups, h))
			h->err = step_aside(h);
	}
	for (unsigned i = 0; i < HOST_CONTROLLER_COUNT; i++) {
		struct hierarchy *h = groups->by_controller[i];
		int failed = h ? h->err : -ENOENT;

		if (h && !failed && h->unified && i != HOST_CPUACCT)
			failed = hand_on(h, i);
		if (!failed)
			continue;
		groups->by_controller[i] = NULL;
		if (i != HOST_CPUACCT)
			g_string_append_printf(names, "%s%s", names->len ? ", " : "",
					       unified_name(i));
		if (h && h->parent) {
			dir = h->parent;
			err = failed;
		}
	}
	if (names->len)
		tell_missing(groups, names, dir, err);
}

struct host_cgroups *host_cgroups_new(const char *root, const char *parent)
{
	struct host_cgroups *groups = g_new0(struct host_cgroups, 1);

	groups->root = host_root_dup(root);
	cgroups_find(groups, parent);
	for (unsigned i = 0; i < groups->count; i++) {
		if (is_used(groups, &groups->hierarchies[i]))
			make_base(groups, &groups->hierarchies[i]);
	}
	use_controllers(groups);
	return groups;
}

void cgroups_release(struct host_cgroups *groups)
{
	for (unsigned i = 0; i < groups->count; i++) {
		g_free(groups->hierarchies[i].mount);
		g_free(groups->hierarchies[i].top);
		g_free(groups->hierarchies[i].parent);
		g_free(groups->hierarchies[i].base);
	}
	g_free(groups->root);
	g_free(groups->missing);
}

void host_cgroups_free(struct host_cgroups *groups)
{
	if (!groups)
		return;
	cgroups_release(groups);
	g_free(groups);
}

bool host_cgroups_have(const struct host_cgroups *groups, enum host_controller controller)
{
	return groups->by_controller[controller] != NULL;
}

const char *host_cgroups_missing(const struct host_cgroups *groups)
{
	return groups->missing;
}

/* With the uuid behind it no name can be one of the kernel's files. */
char *host_cgroup_name(const char *name, const char *uuid)
{
	enum {
		NAME_MAX_BYTES = 120 /* in a folder's name, which has 255 */
	};
	GString *text = g_string_new(NULL);

	for (; *name && text->len < NAME_MAX_BYTES; name++) {
		unsigned char c = (unsigned char)*name;

		if (g_ascii_isalnum(c) || c == '-' || c == '_' || (c == '.' && text->len > 0))
			g_string_append_c(text, (char)c);
		else
			g_string_append_printf(text, "%%%02x", c);
	}
	g_string_append_printf(text, "-%s", uuid);
	return g_string_free(text, FALSE);
}

static bool is_machines(const char *name)
{
	enum {
		UUID_LEN = 36
	};
	const size_t len = strlen(name);

	return len > UUID_LEN && name[len - UUID_LEN - 1] == '-' &&
	       g_uuid_string_is_valid(name + len - UUID_LEN);
}

void host_cgroups_sweep(struct host_cgroups *groups)
{
	for (unsigned i = 0; i < groups->count; i++) {
		const char *base = groups->hierarchies[i].base;
		g_autoptr(GDir) dir = base ? g_dir_open(base, 0, NULL) : NULL;
		const char *name;

		while (dir && (name = g_dir_read_name(dir))) {
			g_autofree char *path = g_build_filename(base, name, NULL);

			/* The kernel refuses those in which a process is. */
			if (is_machines(name))
				(void)sys_rmdir(path);
		}
	}
}

/* Where an earlier daemon has put the process, if that was a group of this name. */
static char *left_path(const struct host_cgroups *groups, const struct hierarchy *h,
		       const char *name, pid_t pid)
{
	g_autofree char *path = pid ? cgroups_of(groups, h, pid) : NULL;
	const char *base = path ? strrchr(path, '/') : NULL;

	return base && !strcmp(base + 1, name) ? g_strconcat(h->mount, path, NULL) : NULL;
}

struct host_cgroup *host_cgroup_new(struct host_cgroups *groups, const char *name, const char *uuid,
				    pid_t pid, GError **error)
{
	autoptr(host_cgroup) group = g_new0(struct host_cgroup, 1);
	g_autofree char *dir = host_cgroup_name(name, uuid);

	group->groups = groups;
	for (unsigned i = 0; i < groups->count; i++) {
		const struct hierarchy *h = &groups->hierarchies[i];
		int err;

		if (!h->base || !is_used(groups, h))
			continue;
		group->paths[i] = left_path(groups, h, dir, pid);
		if (group->paths[i])
			continue;
		group->paths[i] = g_strconcat(h->base, "/", dir, NULL);
		err = make_dir(groups, h, group->paths[i]);
		if (err) {
			error_sys(error, err, "cannot make the control group '%s'",
				  group->paths[i]);
			return NULL;
		}
	}
	return g_steal_pointer(&group);
}

void host_cgroup_free(struct host_cgroup *group)
{
	if (!group)
		return;
	for (unsigned i = 0; i < HIERARCHIES_MAX; i++)
		g_free(group->paths[i]);
	g_free(group);
}

/*
 * Each daemon that starts takes away what is empty, even between our making it, open and write: so it is made
 * anew, as often as daemons can well start in that time.
 */
static int add_to(struct host_cgroup *group, unsigned i, pid_t pid)
{
	enum {
		TRIES = 32
	};
	int err = -ENOENT;

	for (unsigned n = 0; n < TRIES && (err == -ENOENT || err == -ENODEV); n++) {
		if (n && make_dir(group->groups, &group->groups->hierarchies[i], group->paths[i]))
			break;
		err = cgroup_write(group->paths[i], "cgroup.procs", "%d", pid);
	}
	return err;
}

bool host_cgroup_add(struct host_cgroup *group, pid_t pid, GError **error)
{
	for (unsigned i = 0; i < HIERARCHIES_MAX; i++) {
		int err = group->paths[i] ? add_to(group, i, pid) : 0;

		if (err)
			return error_sys(error, err,
					 "cannot move process %d to the control group '%s'", pid,
					 group->paths[i]);
	}
	return true;
}

bool host_cgroup_remove(struct host_cgroup *group, GError **error)
{
	bool ok = true;

	for (unsigned i = 0; i < HIERARCHIES_MAX; i++) {
		int err;

		if (!group->paths[i])
			continue;
		err = sys_rmdir(group->paths[i]);
		if (!err || err == -ENOENT)
			continue;
		if (!ok)
			continue;
		ok = false;
		if (err == -EBUSY)
			error_set(
				error, SOCLE_ERROR_BUSY,
				"cannot remove the control group '%s': a process is in it; end it "
				"first",
				group->paths[i]);
		else
			error_sys(error, err, "cannot remove the control group '%s'",
				  group->paths[i]);
	}
	return ok;
}

const char *cgroup_path(const struct host_cgroup *group, enum host_controller controller,
			bool *ret_unified)
{
	const struct hierarchy *h = group->groups->by_controller[controller];

	if (!h)
		return NULL;
	*ret_unified = h->unified;
	return group->paths[h - group->groups->hierarchies];
}
