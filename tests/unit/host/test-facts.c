/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-facts.c - what a host is, by the files of hosts of many kinds
 */
#include "host/facts.h"

#include <unistd.h>

#include "base/error.h"
#include "host/nics.h"
#include "tree.h"

static const char cpuinfo[] = "processor\t: 0\nvendor_id\t: GenuineIntel\n"
			      "model name\t: Some CPU @ 2.40GHz\ncpu MHz\t\t: 2394.454\n"
			      "flags\t\t: fpu sse2 pni vmx sse4_1 nonstop_tsc ibrs no_such x2apic\n"
			      "vmx flags\t: vnmi ept\n\n"
			      "processor\t: 1\nvendor_id\t: AuthenticAMD\n";
static const char meminfo[] = "MemTotal:       16000000 kB\nMemFree:         4000000 kB\n"
			      "MemAvailable:    9000000 kB\nBuffers:          100000 kB\n"
			      "Cached:          3000000 kB\nSwapCached:            7 kB\n";

static void put_cpu(const struct tree *tree, unsigned id, unsigned socket, unsigned die,
		    unsigned core, const char *siblings)
{
	const struct {
		const char *file;
		unsigned value;
	} files[] = { { "physical_package_id", socket }, { "die_id", die }, { "core_id", core } };
	g_autofree char *list =
		g_strdup_printf("/sys/devices/system/cpu/cpu%u/topology/thread_siblings_list", id);

	for (size_t i = 0; i < G_N_ELEMENTS(files); i++) {
		g_autofree char *path = g_strdup_printf("/sys/devices/system/cpu/cpu%u/topology/%s",
							id, files[i].file);
		g_autofree char *text = g_strdup_printf("%u\n", files[i].value);

		tree_put(tree, path, text);
	}
	tree_put(tree, list, siblings);
}

static void put_node(const struct tree *tree, unsigned id, const char *cpus, unsigned total,
		     unsigned free_kib)
{
	g_autofree char *dir = g_strdup_printf("/sys/devices/system/node/node%u", id);
	g_autofree char *list = g_strconcat(dir, "/cpulist", NULL);
	g_autofree char *memory = g_strconcat(dir, "/meminfo", NULL);
	g_autofree char *text = g_strdup_printf(
		"Node %u MemTotal:  %u kB\nNode %u MemFree:  %u kB\n", id, total, id, free_kib);

	tree_put(tree, list, cpus);
	tree_put(tree, memory, text);
}

/* Two cells with a socket each, of two cores with two threads; the last CPU is off. */
static struct tree *big_host(void)
{
	struct tree *tree = tree_new();

	tree_put(tree, "/proc/cpuinfo", cpuinfo);
	tree_put(tree, "/proc/meminfo", meminfo);
	tree_put(tree, "/proc/stat",
		 "cpu  100 20 30 4000 50 6 7 0 0 0\ncpu0 10 2 3 400 5 1 1 0 0 0\n"
		 "cpu1 1 1 1 1 1 1 1\nintr 1 2 3\ncpu2 9 9 9 9\n");
	tree_put(tree, "/proc/sys/kernel/hostname", "big.example\n");
	tree_put(tree, "/proc/sys/kernel/random/boot_id", "11111111-2222-3333-4444-555555555555\n");
	tree_put(tree, "/etc/machine-id", "0123456789abcdef0123456789abcdef\n");
	tree_put(tree, "/sys/devices/system/cpu/online", "0-6\n");
	tree_put(tree, "/sys/devices/system/cpu/present", "0-7\n");
	for (unsigned i = 0; i < 7; i++) {
		g_autofree char *siblings =
			g_strdup_printf("%u-%u\n", i & ~1u, i == 6 ? 6 : i | 1u);

		put_cpu(tree, i, i / 4, 0, i / 2 % 2, siblings);
	}
	tree_put(tree, "/sys/devices/system/node/online", "0,2\n");
	put_node(tree, 0, "0-3\n", 8000000, 1000000);
	put_node(tree, 2, "4-6\n", 7000000, 3000000);
	tree_put(tree, "/sys/devices/system/node/node0/distance", "10 21\n");
	tree_put(tree, "/sys/devices/system/node/node2/distance", "21 10\n");
	tree_dir(tree, "/sys/kernel/mm/hugepages/hugepages-1048576kB");
	tree_dir(tree, "/sys/kernel/mm/hugepages/hugepages-2048kB");
	tree_put(tree, "/sys/devices/system/node/node0/hugepages/hugepages-2048kB/nr_hugepages",
		 "100\n");
	tree_put(tree, "/sys/devices/system/node/node0/hugepages/hugepages-2048kB/free_hugepages",
		 "60\n");
	return tree;
}

static void test_names(void)
{
	autoptr(tree) tree = big_host();
	autoptr(host_facts) facts = NULL;
	char name[256];

	facts = host_facts_new(tree->root);
	g_assert_cmpstr(facts->cpu_model, ==, "Some CPU @ 2.40GHz");
	g_assert_cmpstr(facts->cpu_vendor, ==, "Intel");
	g_assert_cmpuint(facts->mhz, ==, 2394);
	g_assert_true(facts->vmx);
	g_assert_false(facts->svm);
	g_assert_cmpuint(g_strv_length(facts->features), ==, 7);
	g_assert_cmpstr(facts->features[0], ==, "fpu");
	g_assert_true(host_facts_have(facts, "sse4.1"));
	g_assert_true(host_facts_have(facts, "invtsc"));
	g_assert_true(host_facts_have(facts, "x2apic"));
	g_assert_false(host_facts_have(facts, "ibrs"));
	g_assert_false(host_facts_have(facts, "sse4_1"));
	g_assert_cmpstr(facts->uuid, ==, "01234567-89ab-cdef-0123-456789abcdef");
	g_assert_cmpstr(facts->boot_id, ==, "11111111-2222-3333-4444-555555555555");
	host_name(facts, name, sizeof(name));
	g_assert_cmpstr(name, ==, "big.example");
}

static void test_topology(void)
{
	autoptr(tree) tree = big_host();
	autoptr(host_facts) facts = host_facts_new(tree->root);
	const struct host_cell *cell;

	g_assert_cmpuint(facts->cell_count, ==, 2);
	g_assert_cmpuint(facts->sockets, ==, 1);
	g_assert_cmpuint(facts->dies, ==, 1);
	g_assert_cmpuint(facts->cores, ==, 2);
	g_assert_cmpuint(facts->threads, ==, 2);
	cell = &facts->cells[1];
	g_assert_cmpuint(cell->id, ==, 2);
	g_assert_cmpuint(cell->memory_kib, ==, 7000000);
	g_assert_cmpuint(cell->cpu_count, ==, 3);
	g_assert_cmpuint(cell->cpus[1].id, ==, 5);
	g_assert_cmpuint(cell->cpus[1].socket, ==, 1);
	g_assert_cmpuint(cell->cpus[1].core, ==, 0);
	g_assert_cmpstr(cell->cpus[1].siblings, ==, "4-5");
	g_assert_cmpstr(cell->cpus[2].siblings, ==, "6");
	g_assert_cmpuint(cell->distances[0], ==, 21);
	g_assert_cmpuint(facts->page_sizes, ==, 3);
	g_assert_cmpuint(facts->page_kib[1], ==, 2048);
	g_assert_cmpuint(facts->page_kib[2], ==, 1048576);
	g_assert_cmpuint(facts->cells[0].pages[1], ==, 100);
	g_assert_cmpuint(facts->cells[0].pages[0], ==, (8000000 - 100 * 2048) / 4);
}

static void test_moves(void)
{
	autoptr(tree) tree = big_host();
	autoptr(host_facts) facts = host_facts_new(tree->root);
	g_autofree struct host_cpumap *map = g_new(struct host_cpumap, 1);
	g_autoptr(GError) error = NULL;
	struct host_memory memory;
	struct host_cpu_times times;
	uint64_t count;

	g_assert_true(host_memory(facts, &memory, NULL));
	g_assert_cmpuint(memory.total_kib, ==, 16000000);
	g_assert_cmpuint(memory.cached_kib, ==, 3000000);
	g_assert_cmpuint(memory.available_kib, ==, 9000000);
	tree_put(tree, "/proc/meminfo", "MemTotal: 16000000 kB\nMemFree: 5 kB\n");
	g_assert_true(host_memory(facts, &memory, NULL));
	g_assert_cmpuint(memory.free_kib, ==, 5);
	g_assert_true(host_cell_memory(facts, 1, &memory, NULL));
	g_assert_cmpuint(memory.free_kib, ==, 3000000);
	g_assert_false(host_cell_memory(facts, 2, &memory, &error));
	g_assert_nonnull(strstr(error->message, "no NUMA cell 2"));
	g_clear_error(&error);

	g_assert_true(host_free_pages(facts, 0, 2048, &count, NULL));
	g_assert_cmpuint(count, ==, 60);
	g_assert_true(host_free_pages(facts, 1, 4, &count, NULL));
	g_assert_cmpuint(count, ==, 750000);
	g_assert_false(host_free_pages(facts, 0, 64, &count, &error));
	g_assert_nonnull(strstr(error->message, "no pages of 64 KiB"));
	g_clear_error(&error);

	g_assert_true(host_cpu_times(facts, -1, &times, NULL));
	g_assert_cmpuint(times.user_ns, ==, UINT64_C(1200000000));
	g_assert_cmpuint(times.system_ns, ==, UINT64_C(430000000));
	g_assert_cmpuint(times.iowait_ns, ==, UINT64_C(500000000));
	g_assert_true(host_cpu_times(facts, 0, &times, NULL));
	g_assert_cmpuint(times.idle_ns, ==, UINT64_C(4000000000));
	/* Behind the lines of CPUs nothing is one. */
	g_assert_false(host_cpu_times(facts, 2, &times, &error));
	g_assert_error(error, SOCLE_ERROR, SOCLE_ERROR_USAGE);

	host_cpus_online(facts, map);
	g_assert_cmpuint(host_cpumap_count(map), ==, 7);
	tree_put(tree, "/sys/devices/system/cpu/online", "0,2-3\n");
	host_cpus_online(facts, map);
	g_assert_cmpuint(host_cpumap_count(map), ==, 3);
	host_cpus_present(facts, map);
	g_assert_cmpuint(host_cpumap_count(map), ==, 8);
}

/* Nothing at all, and a container that has /proc only. */
static void test_poor(void)
{
	autoptr(tree) tree = tree_new();
	autoptr(host_facts) facts = host_facts_new(tree->root);
	autoptr(host_facts) container = NULL;
	g_autoptr(GError) error = NULL;
	struct host_memory memory;
	struct host_cpu_times times;
	char name[256];

	g_assert_cmpuint(facts->cell_count, ==, 1);
	g_assert_cmpuint(facts->cells[0].cpu_count, ==, 1);
	g_assert_cmpuint(facts->sockets * facts->dies * facts->cores * facts->threads, ==, 1);
	g_assert_null(facts->cpu_model);
	g_assert_null(facts->uuid);
	g_assert_null(facts->features[0]);
	host_name(facts, name, sizeof(name));
	g_assert_cmpstr(name, ==, "localhost");
	g_assert_false(host_memory(facts, &memory, &error));
	g_assert_error(error, SOCLE_ERROR, SOCLE_ERROR_UNSUPPORTED);
	g_clear_error(&error);
	g_assert_false(host_cpu_times(facts, -1, &times, &error));
	g_assert_error(error, SOCLE_ERROR, SOCLE_ERROR_UNSUPPORTED);

	tree_put(tree, "/proc/stat", "cpu  1 1 1 1\ncpu0 1 1 1 1\ncpu1 1 1 1 1\ncpu5 1 1 1 1\n");
	tree_put(tree, "/proc/meminfo", meminfo);
	container = host_facts_new(tree->root);
	g_assert_cmpuint(container->cells[0].cpu_count, ==, 3);
	g_assert_cmpuint(container->cells[0].cpus[2].id, ==, 5);
	g_assert_cmpstr(container->cells[0].cpus[2].siblings, ==, "5");
	g_assert_cmpuint(container->cores, ==, 3);
	g_assert_cmpuint(container->cells[0].memory_kib, ==, 16000000);
	g_assert_cmpuint(container->cells[0].pages[0], ==, 4000000);
	g_assert_true(host_cell_memory(container, 0, &memory, NULL));
	g_assert_cmpuint(memory.free_kib, ==, 4000000);
}

static void test_nonsense(void)
{
	static const char *const files[] = {
		"/proc/cpuinfo",
		"/proc/meminfo",
		"/proc/stat",
		"/proc/sys/kernel/hostname",
		"/etc/machine-id",
		"/sys/class/dmi/id/product_uuid",
		"/sys/class/dmi/id/bios_vendor",
		"/sys/devices/system/cpu/online",
		"/sys/devices/system/cpu/present",
		"/sys/devices/system/cpu/cpu0/topology/core_id",
		"/sys/devices/system/cpu/cpu0/topology/thread_siblings_list",
		"/sys/devices/system/node/online",
		"/sys/devices/system/node/node0/cpulist",
		"/sys/devices/system/node/node0/meminfo",
		"/sys/devices/system/node/node0/distance",
	};
	static const char *const texts[] = {
		"",
		"\n",
		"-1\n",
		"99999999999999999999999999\n",
		"0-99999999999\n",
		"3-1,,-",
		"cpu\ncpu",
		"\xff\x01:",
		"cpu99999 1\nMemTotal: x\nNode 0 MemTotal:",
		"Node",
	};
	g_autofree char *line = g_strnfill(100000, 'x');

	for (size_t i = 0; i <= G_N_ELEMENTS(texts); i++) {
		const char *text = i < G_N_ELEMENTS(texts) ? texts[i] : line;
		autoptr(tree) tree = tree_new();
		autoptr(host_facts) facts = NULL;
		struct host_memory memory;
		struct host_cpu_times times;
		char name[64];

		for (size_t j = 0; j < G_N_ELEMENTS(files); j++)
			tree_put(tree, files[j], text);
		facts = host_facts_new(tree->root);
		g_assert_cmpuint(facts->cell_count, >=, 1);
		g_assert_null(facts->uuid);
		(void)host_memory(facts, &memory, NULL);
		(void)host_cell_memory(facts, 0, &memory, NULL);
		(void)host_cpu_times(facts, -1, &times, NULL);
		(void)host_cpu_times(facts, 7, &times, NULL);
		host_name(facts, name, sizeof(name));
		g_assert_true(!facts->smbios.bios_vendor ||
			      g_utf8_validate(facts->smbios.bios_vendor, -1, NULL));
	}
}

static void test_smbios(void)
{
	autoptr(tree) tree = tree_new();
	autoptr(host_facts) facts = NULL;
	autoptr(host_facts) filler = NULL;

	tree_put(tree, "/sys/class/dmi/id/product_uuid", "4C4C4544-0042-3510-8054-B7C04F4E3132\n");
	tree_put(tree, "/sys/class/dmi/id/sys_vendor", "  Some & Sons \n");
	tree_put(tree, "/sys/class/dmi/id/product_serial", "\n");
	tree_put(tree, "/etc/machine-id", "0123456789abcdef0123456789abcdef\n");
	facts = host_facts_new(tree->root);
	g_assert_cmpstr(facts->uuid, ==, "4c4c4544-0042-3510-8054-b7c04f4e3132");
	g_assert_cmpstr(facts->smbios.system_vendor, ==, "Some & Sons");
	g_assert_null(facts->smbios.serial);
	tree_put(tree, "/sys/class/dmi/id/product_uuid", "00000000-0000-0000-0000-000000000000\n");
	filler = host_facts_new(tree->root);
	g_assert_cmpstr(filler->uuid, ==, "01234567-89ab-cdef-0123-456789abcdef");
}

/* This host: whatever it is, it makes sense. */
static void test_here(void)
{
	autoptr(host_facts) facts = host_facts_new("/");
	g_autofree struct host_cpumap *map = g_new(struct host_cpumap, 1);
	struct host_memory memory;
	struct host_cpu_times times;
	unsigned cpus = 0;

	g_assert_cmpstr(facts->root, ==, "");
	g_assert_true(host_memory(facts, &memory, NULL));
	g_assert_cmpuint(memory.total_kib, >, 1024);
	g_assert_cmpuint(memory.free_kib, <=, memory.total_kib);
	g_assert_true(host_cpu_times(facts, -1, &times, NULL));
	g_assert_cmpuint(times.user_ns, >, 0);
	for (unsigned i = 0; i < facts->cell_count; i++)
		cpus += facts->cells[i].cpu_count;
	host_cpus_present(facts, map);
	g_assert_cmpuint(cpus, <=, host_cpumap_count(map));
	g_assert_cmpuint(cpus, >, 0);
	g_assert_true(host_facts_have(facts, "sse2"));
}

static void test_cpumap(void)
{
	static const struct {
		const char *in, *out;
	} good[] = {
		{ "", "" },
		{ "0\n", "0" },
		{ " 3-1000,0,2\n", "0,2-1000" },
		{ "0-3,^2", "0-1,3" },
		{ "^2,0-3,^1-2,^9", "0,3" },
		{ "16383,16384", "16383" },
	};
	static const char *const bad[] = { "-",  "1-",   "3-1", "1,",  "1 2", "a",
					   ",1", "1--2", "^",   "^^1", "1^",  "1-^2" };
	g_autofree struct host_cpumap *map = g_new(struct host_cpumap, 1);

	for (size_t i = 0; i < G_N_ELEMENTS(good); i++) {
		g_autofree char *text = NULL;

		g_assert_true(host_cpumap_parse(map, good[i].in));
		text = host_cpumap_format(map);
		g_assert_cmpstr(text, ==, good[i].out);
	}
	g_assert_cmpuint(host_cpumap_end(map), ==, 16384);
	g_assert_true(host_cpumap_parse(map, "0,9"));
	g_assert_cmpuint(host_cpumap_end(map), ==, 10);
	g_assert_cmpuint(host_cpumap_count(map), ==, 2);
	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
		g_assert_false(host_cpumap_parse(map, bad[i]));
		g_assert_cmpuint(host_cpumap_end(map), ==, 0);
	}
}

static void test_nics(void)
{
	autoptr(tree) tree = tree_new();
	autoptr(host_facts) facts = NULL;
	g_autofree char *link = tree_path(tree, "/sys/class/net/eth0");
	struct host_nic *nics;
	unsigned count;

	facts = host_facts_new(tree->root);
	nics = host_nics(facts, &count);
	g_assert_cmpuint(count, ==, 0);
	host_nics_free(nics, count);
	tree_put(tree, "/sys/devices/pci/net/eth0/operstate", "up\n");
	tree_put(tree, "/sys/devices/pci/net/eth0/address", "52:54:00:12:34:56\n");
	tree_put(tree, "/sys/devices/pci/net/eth0/speed", "10000\n");
	tree_put(tree, "/sys/class/net/bonding_masters", "\n");
	tree_put(tree, "/sys/class/net/a<b/operstate", "up\n");
	tree_put(tree, "/sys/class/net/br0/operstate", "<>\n");
	tree_put(tree, "/sys/class/net/br0/address", "not a mac address\n");
	tree_put(tree, "/sys/class/net/br0/speed", "-1\n");
	g_assert_cmpint(symlink("../../devices/pci/net/eth0", link), ==, 0);
	nics = host_nics(facts, &count);
	g_assert_cmpuint(count, ==, 2);
	g_assert_cmpstr(nics[0].name, ==, "br0");
	g_assert_cmpstr(nics[0].mac, ==, "");
	g_assert_cmpstr(nics[0].state, ==, "unknown");
	g_assert_cmpstr(nics[0].path, ==, "/sys/class/net/br0");
	g_assert_cmpuint(nics[0].speed, ==, 0);
	g_assert_cmpstr(nics[1].name, ==, "eth0");
	g_assert_cmpstr(nics[1].mac, ==, "52:54:00:12:34:56");
	g_assert_cmpstr(nics[1].state, ==, "up");
	g_assert_cmpstr(nics[1].path, ==, "/sys/devices/pci/net/eth0");
	g_assert_cmpuint(nics[1].speed, ==, 10000);
	host_nics_free(nics, count);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/host/facts/names", test_names);
	g_test_add_func("/host/facts/topology", test_topology);
	g_test_add_func("/host/facts/moves", test_moves);
	g_test_add_func("/host/facts/poor", test_poor);
	g_test_add_func("/host/facts/nonsense", test_nonsense);
	g_test_add_func("/host/facts/smbios", test_smbios);
	g_test_add_func("/host/facts/here", test_here);
	g_test_add_func("/host/nics", test_nics);
	g_test_add_func("/host/cpumap", test_cpumap);
	return g_test_run();
}
