/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * lvm.c - lvm2: argument vectors and reports
 */
#include "host/lvm.h"

#include <inttypes.h>
#include <string.h>

#include "host/argv-int.h"

static const char separator[] = "|";

static char **with_devices(const char *program, const char *group, const char *const *devices)
{
	GPtrArray *words = g_ptr_array_new();

	g_ptr_array_add(words, g_strdup(program));
	g_ptr_array_add(words, g_strdup("--"));
	g_ptr_array_add(words, g_strdup(group));
	for (unsigned i = 0; devices[i]; i++)
		g_ptr_array_add(words, g_strdup(devices[i]));
	g_ptr_array_add(words, NULL);
	return (char **)g_ptr_array_free(words, FALSE);
}

static char *path_of(const char *group, const char *name)
{
	return g_strdup_printf("%s/%s", group, name);
}

static char *bytes_of(uint64_t bytes)
{
	return g_strdup_printf("%" PRIu64 "b", bytes);
}

char **lvm_argv_pvcreate(const char *device, bool overwrite)
{
	return overwrite ? argv_new("pvcreate", "--force", "--yes", "--", device, NULL)
			 : argv_new("pvcreate", "--", device, NULL);
}

char **lvm_argv_vgcreate(const char *group, const char *const *devices)
{
	return with_devices("vgcreate", group, devices);
}

char **lvm_argv_vgextend(const char *group, const char *const *devices)
{
	return with_devices("vgextend", group, devices);
}

/* Without the interval they look every 15 seconds whether they are done. */
char **lvm_argv_pvmove(const char *device)
{
	return argv_new("pvmove", "--interval", "1", "--", device, NULL);
}

char **lvm_argv_vgreduce(const char *group, const char *device)
{
	return argv_new("vgreduce", "--", group, device, NULL);
}

char **lvm_argv_vgremove(const char *group)
{
	return argv_new("vgremove", "--force", "--", group, NULL);
}

char **lvm_argv_pvremove(const char *device)
{
	return argv_new("pvremove", "--", device, NULL);
}

char **lvm_argv_activate(const char *group, bool active)
{
	return argv_new("vgchange", "--activate", active ? "ly" : "ln", "--", group, NULL);
}

char **lvm_argv_lvcreate(const char *group, const char *name, uint64_t bytes, const char *thin_pool)
{
	g_autofree char *size = bytes_of(bytes);

	/* What an earlier volume has left there is nobody's business. */
	return thin_pool ? argv_new("lvcreate", "--yes", "--name", name, "--virtualsize", size,
				    "--thinpool", thin_pool, "--", group, NULL)
			 : argv_new("lvcreate", "--yes", "--wipesignatures", "y", "--zero", "y",
				    "--name", name, "--size", size, "--", group, NULL);
}

char **lvm_argv_thin_pool(const char *group, const char *name, uint64_t bytes)
{
	g_autofree char *size = bytes_of(bytes);

	return argv_new("lvcreate", "--yes", "--type", "thin-pool", "--name", name, "--size", size,
			"--", group, NULL);
}

char **lvm_argv_snapshot(const char *group, const char *name, const char *origin, uint64_t bytes,
			 const char *tag)
{
	g_autofree char *size = bytes_of(bytes), *path = path_of(group, origin);
	const char *option = bytes ? "--size" : "--setactivationskip";
	const char *value = bytes ? size : "n";

	return tag ? argv_new("lvcreate", "--snapshot", "--name", name, option, value, "--addtag",
			      tag, "--", path, NULL)
		   : argv_new("lvcreate", "--snapshot", "--name", name, option, value, "--", path,
			      NULL);
}

char **lvm_argv_merge(const char *group, const char *snapshot)
{
	g_autofree char *path = path_of(group, snapshot);

	return argv_new("lvconvert", "--merge", "--interval", "1", "--", path, NULL);
}

char **lvm_argv_lvresize(const char *group, const char *name, uint64_t bytes, bool shrink)
{
	g_autofree char *size = bytes_of(bytes), *path = path_of(group, name);

	return shrink ? argv_new("lvresize", "--force", "--size", size, "--", path, NULL)
		      : argv_new("lvresize", "--size", size, "--", path, NULL);
}

char **lvm_argv_lvrename(const char *group, const char *name, const char *new_name)
{
	return argv_new("lvrename", "--", group, name, new_name, NULL);
}

char **lvm_argv_lvremove(const char *group, const char *name)
{
	g_autofree char *path = path_of(group, name);

	return argv_new("lvremove", "--force", "--", path, NULL);
}

char **lvm_argv_lvremove_tagged(const char *group, const char *name, const char *tag)
{
	g_autofree char *which = g_strdup_printf("lv_name=\"%s\" && lv_tags=\"%s\"", name, tag);

	return argv_new("lvremove", "--force", "--select", which, "--", group, NULL);
}

/* @group: NULL: of all. */
static char **report(const char *program, const char *columns, const char *group)
{
	return argv_new(program, "--noheadings", "--units", "b", "--nosuffix", "--separator",
			separator, "--options", columns, "--", group, NULL);
}

char **lvm_argv_report_group(const char *group)
{
	return report("vgs", "vg_size,vg_free", group);
}

char **lvm_argv_report_volumes(const char *group)
{
	return report("lvs", "lv_name,lv_size,lv_attr,origin,origin_size,pool_lv,data_percent",
		      group);
}

char **lvm_argv_report_place(const char *path)
{
	return report("lvs", "vg_name,lv_name", path);
}

char **lvm_argv_report_devices(const char *group)
{
	return argv_new("vgs", "--noheadings", "--options", "pv_name", "--", group, NULL);
}

char **lvm_argv_report_groups(void)
{
	return report("vgs", "vg_name,pv_name", NULL);
}

bool lvm_parse_group(const char *text, struct lvm_group *ret_group)
{
	g_auto(GStrv) words = g_strsplit(text, separator, -1);

	if (g_strv_length(words) != 2 || !g_ascii_isdigit(*g_strstrip(words[0])) ||
	    !g_ascii_isdigit(*g_strstrip(words[1])))
		return false;
	*ret_group = (struct lvm_group){ g_ascii_strtoull(words[0], NULL, 10),
					 g_ascii_strtoull(words[1], NULL, 10) };
	return true;
}

static void volume_free(void *data)
{
	struct lvm_volume *volume = data;

	g_free(volume->name);
	g_free(volume->origin);
	g_free(volume->pool);
	g_free(volume);
}

static char *word_or_null(char *text)
{
	return *g_strstrip(text) ? g_strdup(text) : NULL;
}

GPtrArray *lvm_parse_volumes(const char *text)
{
	GPtrArray *volumes = g_ptr_array_new_with_free_func(volume_free);
	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);

	for (unsigned i = 0; lines[i]; i++) {
		g_auto(GStrv) words = g_strsplit(lines[i], separator, -1);
		struct lvm_volume *volume;

		if (g_strv_length(words) != 7 || !*g_strstrip(words[0]) ||
		    strlen(g_strstrip(words[2])) < 6 || !g_ascii_isdigit(*g_strstrip(words[1])))
			continue;
		volume = g_new(struct lvm_volume, 1);
		*volume = (struct lvm_volume){
			.name = g_strdup(words[0]),
			.size = g_ascii_strtoull(words[1], NULL, 10),
			.kind = words[2][0],
			.active = words[2][4] == 'a',
			.open = words[2][5] == 'o',
			.lost = words[2][4] == 'I' || words[2][4] == 'S',
			.origin = word_or_null(words[3]),
			.origin_size = g_ascii_strtoull(g_strstrip(words[4]), NULL, 10),
			.pool = word_or_null(words[5]),
			.data_percent = g_ascii_strtod(words[6], NULL),
		};
		g_ptr_array_add(volumes, volume);
	}
	return volumes;
}

bool lvm_parse_pair(const char *line, char **ret_group, char **ret_other)
{
	g_auto(GStrv) words = g_strsplit(line, separator, -1);

	if (g_strv_length(words) != 2 || !*g_strstrip(words[0]) || !*g_strstrip(words[1]))
		return false;
	*ret_group = g_strdup(words[0]);
	*ret_other = g_strdup(words[1]);
	return true;
}

GPtrArray *lvm_parse_names(const char *text)
{
	GPtrArray *names = g_ptr_array_new_with_free_func(g_free);
	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);

	for (unsigned i = 0; lines[i]; i++) {
		if (*g_strstrip(lines[i]))
			g_ptr_array_add(names, g_strdup(lines[i]));
	}
	return names;
}
