/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * partitions.c - sfdisk: what it is told, and what it says of a disk
 */
#include "host/partitions.h"

#include <inttypes.h>
#include <string.h>

#include "host/argv-int.h"

enum {
	SECTOR = 512,
	NUMBER_MAX = 128,
};

char **partitions_argv_label(const char *device, bool overwrite)
{
	return overwrite ? argv_new("sfdisk", "--quiet", "--wipe", "always", "--", device, NULL)
			 : argv_new("sfdisk", "--quiet", "--", device, NULL);
}

char *partitions_input_label(const char *label)
{
	return g_strdup_printf("label: %s\n", label);
}

char **partitions_argv_dump(const char *device)
{
	return argv_new("sfdisk", "--dump", "--", device, NULL);
}

/* Others of the disk may be in use, which sfdisk would refuse, or leave the kernel with the table of before. */
#define TABLE_ONLY "sfdisk", "--quiet", "--no-reread", "--no-tell-kernel"

char **partitions_argv_append(const char *device)
{
	/* What an earlier partition has left there is nobody's business. */
	return argv_new(TABLE_ONLY, "--wipe-partitions", "always", "--append", "--", device, NULL);
}

char **partitions_argv_resize(const char *device, unsigned number)
{
	g_autofree char *text = g_strdup_printf("%u", number);

	return argv_new(TABLE_ONLY, "--partno", text, "--", device, NULL);
}

char **partitions_argv_update(const char *device)
{
	return argv_new("partx", "--update", "--", device, NULL);
}

char **partitions_argv_forget(const char *device, unsigned number)
{
	g_autofree char *text = g_strdup_printf("%u", number);

	return argv_new("partx", "--delete", "--nr", text, "--", device, NULL);
}

char *partitions_input_size(uint64_t bytes)
{
	return g_strdup_printf("size=%" PRIu64 "\n", (bytes + SECTOR - 1) / SECTOR);
}

char **partitions_argv_delete(const char *device, unsigned number)
{
	g_autofree char *text = g_strdup_printf("%u", number);

	return argv_new(TABLE_ONLY, "--delete", "--", device, text, NULL);
}

static void partition_free(void *data)
{
	struct partition *partition = data;

	g_free(partition->path);
	g_free(partition);
}

static uint64_t value_of(const char *line, const char *key)
{
	const char *at = strstr(line, key);

	return at ? g_ascii_strtoull(at + strlen(key), NULL, 10) * SECTOR : 0;
}

GPtrArray *partitions_parse(const char *text)
{
	GPtrArray *list = g_ptr_array_new_with_free_func(partition_free);
	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);

	for (unsigned i = 0; lines[i]; i++) {
		const char *colon = strstr(lines[i], " : start=");
		struct partition *partition;

		if (lines[i][0] != '/' || !colon)
			continue;
		partition = g_new(struct partition, 1);
		*partition =
			(struct partition){ g_strndup(lines[i], (gsize)(colon - lines[i])),
					    value_of(colon, "start="), value_of(colon, "size=") };
		g_strstrip(partition->path);
		g_ptr_array_add(list, partition);
	}
	return list;
}

unsigned partitions_number(const char *device, const char *name)
{
	g_autofree char *disk = g_path_get_basename(device);
	const char *digits = name + strlen(disk);
	guint64 number;

	if (!g_str_has_prefix(name, disk))
		return 0;
	if (g_ascii_isdigit(disk[strlen(disk) - 1])) {
		if (*digits != 'p')
			return 0;
		digits++;
	}
	if (!g_ascii_isdigit(*digits) || digits[strspn(digits, "0123456789")])
		return 0;
	number = g_ascii_strtoull(digits, NULL, 10);
	return number <= NUMBER_MAX ? (unsigned)number : 0;
}
