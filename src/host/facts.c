/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * facts.c - what the host is: what stays
 */
#include "host/facts.h"

#include <stdlib.h>
#include <string.h>

#include "host/facts-int.h"
#include "host/read-int.h"

static const char *vendor_name(const char *vendor)
{
	static const struct {
		const char *cpu, *name;
	} vendors[] = {
		{ "GenuineIntel", "Intel" },
		{ "AuthenticAMD", "AMD" },
		{ "HygonGenuine", "Hygon" },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(vendors); i++) {
		if (!strcmp(vendor, vendors[i].cpu))
			return vendors[i].name;
	}
	return vendor;
}

static bool has_word(const char *words, const char *word)
{
	size_t len = strlen(word);

	for (const char *p = words; (p = strstr(p, word)) != NULL; p += len) {
		if ((p == words || p[-1] == ' ') && (p[len] == ' ' || !p[len]))
			return true;
	}
	return false;
}

/* The first "key : value" of /proc/cpuinfo; that of a CPU is as good as that of any other. */
static char *cpuinfo_value(const char *text, const char *key)
{
	size_t len = strlen(key);

	for (const char *line = text; line; line = strchr(line, '\n')) {
		const char *value;

		line += *line == '\n';
		if (strncmp(line, key, len) != 0)
			continue;
		value = line + len + strspn(line + len, " \t");
		if (*value == ':')
			return g_strstrip(g_strndup(value + 1, strcspn(value + 1, "\n")));
	}
	return NULL;
}

static void read_cpuinfo(struct host_facts *facts)
{
	g_autofree char *text = host_read_all(facts->root, "/proc/cpuinfo");
	g_autofree char *vendor = NULL, *flags = NULL, *mhz = NULL;
	uint64_t value;

	if (text) {
		vendor = cpuinfo_value(text, "vendor_id");
		flags = cpuinfo_value(text, "flags");
		mhz = cpuinfo_value(text, "cpu MHz");
		facts->cpu_model = cpuinfo_value(text, "model name");
	}
	facts->cpu_vendor = vendor ? g_strdup(vendor_name(vendor)) : NULL;
	facts->features = facts_features(flags ? flags : "");
	facts->vmx = flags && has_word(flags, "vmx");
	facts->svm = flags && has_word(flags, "svm");
	if (mhz && host_scan_number(mhz, &value))
		facts->mhz = (unsigned)MIN(value, 1000000);
}

static int by_size(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static void read_page_sizes(struct host_facts *facts)
{
	g_autofree char *path = g_strconcat(facts->root, "/sys/kernel/mm/hugepages", NULL);
	GDir *dir = g_dir_open(path, 0, NULL);
	const char *name;

	facts->page_kib[facts->page_sizes++] = 4;
	while (dir && (name = g_dir_read_name(dir)) != NULL &&
	       facts->page_sizes < HOST_PAGE_SIZES_MAX) {
		uint64_t size;

		if (g_str_has_prefix(name, "hugepages-") &&
		    host_scan_number(name + strlen("hugepages-"), &size) && size > 4)
			facts->page_kib[facts->page_sizes++] = size;
	}
	if (dir)
		g_dir_close(dir);
	qsort(facts->page_kib, facts->page_sizes, sizeof(facts->page_kib[0]), by_size);
}

/* The first line of a file, as text that may stand in XML. */
static char *read_line(const struct host_facts *facts, const char *path)
{
	char buf[256];

	if (host_read_text(buf, sizeof(buf), facts->root, "%s", path) <= 0)
		return NULL;
	for (char *p = buf; *p; p++) {
		if (g_ascii_iscntrl(*p))
			*p = '?';
	}
	return g_utf8_make_valid(buf, -1);
}

/* What firmware writers leave in when they have nothing to say. */
static bool is_filler(const char *uuid)
{
	static const char *const fillers[] = {
		"00000000-0000-0000-0000-000000000000",
		"ffffffff-ffff-ffff-ffff-ffffffffffff",
		"03000200-0400-0500-0006-000700080009",
	};

	for (size_t i = 0; i < G_N_ELEMENTS(fillers); i++) {
		if (!g_ascii_strcasecmp(uuid, fillers[i]))
			return true;
	}
	return false;
}

static char *read_uuid(const struct host_facts *facts)
{
	g_autofree char *product = read_line(facts, "/sys/class/dmi/id/product_uuid");
	g_autofree char *id = NULL, *text = NULL;

	if (product && g_uuid_string_is_valid(product) && !is_filler(product))
		return g_ascii_strdown(product, -1);
	id = read_line(facts, "/etc/machine-id");
	if (!id || strlen(id) != 32)
		return NULL;
	text = g_strdup_printf("%.8s-%.4s-%.4s-%.4s-%.12s", id, id + 8, id + 12, id + 16, id + 20);
	return g_uuid_string_is_valid(text) ? g_ascii_strdown(text, -1) : NULL;
}

static const struct {
	size_t off; /* in struct host_smbios */
	const char *file;
} smbios_fields[] = {
#define FIELD(member, file)                                                     \
	{                                                                       \
		offsetof(struct host_smbios, member), "/sys/class/dmi/id/" file \
	}
	FIELD(bios_vendor, "bios_vendor"),
	FIELD(bios_version, "bios_version"),
	FIELD(bios_date, "bios_date"),
	FIELD(bios_release, "bios_release"),
	FIELD(system_vendor, "sys_vendor"),
	FIELD(product, "product_name"),
	FIELD(version, "product_version"),
	FIELD(serial, "product_serial"),
	FIELD(sku, "product_sku"),
	FIELD(family, "product_family"),
	FIELD(board_vendor, "board_vendor"),
	FIELD(board, "board_name"),
	FIELD(board_version, "board_version"),
	FIELD(board_serial, "board_serial"),
	FIELD(chassis_vendor, "chassis_vendor"),
	FIELD(chassis_version, "chassis_version"),
	FIELD(chassis_serial, "chassis_serial"),
#undef FIELD
};

static char **smbios_value(struct host_facts *facts, size_t i)
{
	return (char **)(void *)((char *)&facts->smbios + smbios_fields[i].off);
}

static void read_smbios(struct host_facts *facts)
{
	for (size_t i = 0; i < G_N_ELEMENTS(smbios_fields); i++)
		*smbios_value(facts, i) = read_line(facts, smbios_fields[i].file);
}

struct host_facts *host_facts_new(const char *root)
{
	struct host_facts *facts = g_new0(struct host_facts, 1);
	struct host_memory memory;

	facts->root = host_root_dup(root);
	facts->arch = "x86_64";
	read_cpuinfo(facts);
	read_page_sizes(facts);
	if (host_memory(facts, &memory, NULL))
		facts->memory_kib = memory.total_kib;
	facts_read_cells(facts);
	facts_count_topology(facts);
	read_smbios(facts);
	facts->uuid = read_uuid(facts);
	facts->boot_id = read_line(facts, "/proc/sys/kernel/random/boot_id");
	return facts;
}

void host_facts_free(struct host_facts *facts)
{
	if (!facts)
		return;
	for (unsigned i = 0; i < facts->cell_count; i++) {
		struct host_cell *cell = &facts->cells[i];

		for (unsigned j = 0; j < cell->cpu_count; j++)
			g_free(cell->cpus[j].siblings);
		g_free(cell->cpus);
		g_free(cell->distances);
	}
	g_free(facts->cells);
	g_free(facts->root);
	g_free(facts->cpu_model);
	g_free(facts->cpu_vendor);
	g_strfreev(facts->features);
	g_free(facts->uuid);
	g_free(facts->boot_id);
	for (size_t i = 0; i < G_N_ELEMENTS(smbios_fields); i++)
		g_free(*smbios_value(facts, i));
	g_free(facts);
}
