/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-host.c - procedures about the host and what its machines can have, as clients see their answers
 */
#include "asker.h"
#include "host/facts.h"

static struct asker *test_driver(void)
{
	return asker_new(node_new_test());
}

/* A node of a host that is made up: one socket of two cores, one of which is off; a NUMA cell 3. */
static const char *const features[] = { "avx",     "cmov",   "cx16",   "cx8",   "fpu",     "fxsr",
					"lahf_lm", "lm",     "mmx",    "pni",   "popcnt",  "sse",
					"sse2",    "sse4.1", "sse4.2", "ssse3", "syscall", NULL };
static struct host_cpu cpus[] = {
	{ .id = 0, .known = true, .siblings = (char[]){ "0" } },
	{ .id = 9 },
};
static unsigned distances[] = { 10 };
static struct host_cell cell = {
	.id = 3,
	.memory_kib = 1048576,
	.pages = { 262144 },
	.cpus = cpus,
	.cpu_count = 2,
	.distances = distances,
};
static struct host_facts facts = {
	.arch = "x86_64",
	.cpu_vendor = (char[]){ "AMD" },
	.sockets = 1,
	.dies = 1,
	.cores = 1,
	.threads = 1,
	.cells = &cell,
	.cell_count = 1,
	.page_kib = { 4 },
	.page_sizes = 1,
	.memory_kib = 1048576,
	.uuid = (char[]){ "6695eb01-f6a4-8304-79aa-97f2502e193f" },
	.smbios = { .product = (char[]){ "A & B <C>" } },
	.still = { .name = "odd", .memory = { .total_kib = 1048576, .free_kib = 4096 } },
};

static struct asker *odd_host(bool kvm)
{
	struct node_config config = { .uri = "qemu:///system",
				      .type = "QEMU",
				      .support = { .emulator = "/e", .kvm = kvm },
				      .facts = &facts };

	facts.features = (char **)(uintptr_t)features;
	return asker_new(node_new(&config));
}

static void test_info(void)
{
	autoptr(asker) test = test_driver();
	autoptr(asker) odd = odd_host(false);
	rpc_node_get_info_ret ret = { 0 };
	rpc_connect_get_hostname_ret name = { 0 };

	ASK_BARE(test, NODE_GET_INFO, rpc_node_get_info_ret, &ret);
	g_assert_cmpstr(ret.model, ==, "x86_64");
	g_assert_cmpuint(ret.memory, ==, 3145728);
	g_assert_cmpint(ret.cpus, ==, 16);
	g_assert_cmpint(ret.mhz, ==, 1400);
	g_assert_cmpint(ret.nodes * ret.sockets * ret.cores * ret.threads, ==, 16);
	g_assert_cmpint(ret.threads, ==, 2);
	/* What does not multiply is told as one socket. */
	ASK_BARE(odd, NODE_GET_INFO, rpc_node_get_info_ret, &ret);
	g_assert_cmpint(ret.nodes, ==, 1);
	g_assert_cmpint(ret.cores, ==, ret.cpus);
	ASK_BARE(odd, CONNECT_GET_HOSTNAME, rpc_connect_get_hostname_ret, &name);
	g_assert_cmpstr(name.hostname, ==, "odd");
	rpc_body_release(rpc_connect_get_hostname_ret, &name);
}

static void assert_stats(struct asker *asker, int cell_num, int nparams, int count, unsigned listed)
{
	rpc_node_get_memory_stats_args args = { .nparams = nparams, .cellNum = cell_num };
	rpc_node_get_memory_stats_ret ret = { 0 };

	ASK(asker, NODE_GET_MEMORY_STATS, rpc_node_get_memory_stats_args, &args,
	    rpc_node_get_memory_stats_ret, &ret);
	g_assert_cmpint(ret.nparams, ==, count);
	g_assert_cmpuint(ret.params.params_len, ==, listed);
	if (listed)
		g_assert_cmpstr(ret.params.params_val[0].field, ==, "total");
	rpc_body_release(rpc_node_get_memory_stats_ret, &ret);
}

static void test_memory(void)
{
	autoptr(asker) odd = odd_host(false);
	rpc_node_get_memory_stats_args stats = { .nparams = 4, .cellNum = 0 };
	rpc_node_get_cells_free_memory_args cells = { .startCell = 0, .maxcells = 100 };
	rpc_node_get_cells_free_memory_ret cells_ret = { 0 };
	rpc_node_get_free_memory_ret free_ret;
	u_int sizes[] = { 4, 4 };
	rpc_node_get_free_pages_args pages = { { 2, sizes }, .startCell = 3, .cellCount = 1 };
	rpc_node_get_free_pages_ret pages_ret = { 0 };

	assert_stats(odd, -1, 0, 4, 0);
	assert_stats(odd, -1, 4, 4, 4);
	assert_stats(odd, -1, 2, 2, 2);
	assert_stats(odd, -1, -7, 0, 0);
	assert_stats(odd, 3, 0, 2, 0);
	assert_stats(odd, 3, 99, 2, 2);
	/* Cells go by their numbers. */
	ASK_FAILS(odd, NODE_GET_MEMORY_STATS, rpc_node_get_memory_stats_args, &stats, 8,
		  "no cell 0");
	stats.flags = 1;
	ASK_FAILS(odd, NODE_GET_MEMORY_STATS, rpc_node_get_memory_stats_args, &stats, 8, "flags");
	ASK_BARE(odd, NODE_GET_FREE_MEMORY, rpc_node_get_free_memory_ret, &free_ret);
	g_assert_cmpuint(free_ret.freeMem, ==, 4096 * 1024);
	ASK(odd, NODE_GET_CELLS_FREE_MEMORY, rpc_node_get_cells_free_memory_args, &cells,
	    rpc_node_get_cells_free_memory_ret, &cells_ret);
	g_assert_cmpuint(cells_ret.cells.cells_len, ==, 1);
	g_assert_cmpuint(cells_ret.cells.cells_val[0], ==, 4096 * 1024);
	rpc_body_release(rpc_node_get_cells_free_memory_ret, &cells_ret);
	cells.startCell = -1;
	ASK_FAILS(odd, NODE_GET_CELLS_FREE_MEMORY, rpc_node_get_cells_free_memory_args, &cells, 8,
		  "cells 0 to 0");

	ASK(odd, NODE_GET_FREE_PAGES, rpc_node_get_free_pages_args, &pages,
	    rpc_node_get_free_pages_ret, &pages_ret);
	g_assert_cmpuint(pages_ret.counts.counts_len, ==, 2);
	g_assert_cmpuint(pages_ret.counts.counts_val[1], ==, 1024);
	rpc_body_release(rpc_node_get_free_pages_ret, &pages_ret);
	pages.cellCount = UINT32_MAX;
	ASK_FAILS(odd, NODE_GET_FREE_PAGES, rpc_node_get_free_pages_args, &pages, 8,
		  "ask for 1 to");
	pages.cellCount = 2;
	ASK_FAILS(odd, NODE_GET_FREE_PAGES, rpc_node_get_free_pages_args, &pages, 8, "no cell 4");
	pages.startCell = INT32_MAX;
	ASK_FAILS(odd, NODE_GET_FREE_PAGES, rpc_node_get_free_pages_args, &pages, 8,
		  "ask for 1 to");
}

static void test_cpus(void)
{
	autoptr(asker) odd = odd_host(false);
	rpc_node_get_cpu_map_args map = { .need_map = 1, .need_online = 1 };
	rpc_node_get_cpu_map_ret map_ret = { 0 };
	rpc_node_get_cpu_stats_args stats = { .cpuNum = -1, .nparams = 3 };
	rpc_node_get_cpu_stats_ret stats_ret = { 0 };

	ASK(odd, NODE_GET_CPU_MAP, rpc_node_get_cpu_map_args, &map, rpc_node_get_cpu_map_ret,
	    &map_ret);
	g_assert_cmpint(map_ret.ret, ==, 10);
	g_assert_cmpuint(map_ret.online, ==, 2);
	g_assert_cmpmem(map_ret.cpumap.cpumap_val, map_ret.cpumap.cpumap_len, "\1\2", 2);
	rpc_body_release(rpc_node_get_cpu_map_ret, &map_ret);
	map = (rpc_node_get_cpu_map_args){ 0 };
	ASK(odd, NODE_GET_CPU_MAP, rpc_node_get_cpu_map_args, &map, rpc_node_get_cpu_map_ret,
	    &map_ret);
	g_assert_cmpint(map_ret.ret, ==, 10);
	g_assert_cmpuint(map_ret.online + map_ret.cpumap.cpumap_len, ==, 0);
	rpc_body_release(rpc_node_get_cpu_map_ret, &map_ret);

	ASK(odd, NODE_GET_CPU_STATS, rpc_node_get_cpu_stats_args, &stats,
	    rpc_node_get_cpu_stats_ret, &stats_ret);
	g_assert_cmpint(stats_ret.nparams, ==, 3);
	g_assert_cmpstr(stats_ret.params.params_val[2].field, ==, "idle");
	rpc_body_release(rpc_node_get_cpu_stats_ret, &stats_ret);
	stats.cpuNum = -2;
	ASK_FAILS(odd, NODE_GET_CPU_STATS, rpc_node_get_cpu_stats_args, &stats, 8, "no CPU -2");
}

static void test_capabilities(void)
{
	autoptr(asker) odd = odd_host(false);
	rpc_connect_get_capabilities_ret ret = { 0 };
	rpc_connect_get_sysinfo_args sysinfo = { 0 };
	rpc_connect_get_sysinfo_ret sysinfo_ret = { 0 };
	rpc_text vax = (char[]){ "vax" }, pc = (char[]){ "pc" }, kvm = (char[]){ "kvm" };
	rpc_connect_get_domain_capabilities_args args = { .machine = &pc };
	rpc_connect_get_domain_capabilities_ret caps = { 0 };

	ASK_BARE(odd, CONNECT_GET_CAPABILITIES, rpc_connect_get_capabilities_ret, &ret);
	g_assert_nonnull(strstr(ret.capabilities, "<uuid>6695eb01-f6a4-8304-79aa-97f2502e193f<"));
	g_assert_nonnull(strstr(ret.capabilities, "<model>v2</model>"));
	g_assert_nonnull(strstr(ret.capabilities, "<feature name='avx'/>"));
	g_assert_null(strstr(ret.capabilities, "'sse4.1'"));
	g_assert_nonnull(strstr(ret.capabilities, "<cell id='3'>"));
	g_assert_nonnull(strstr(ret.capabilities, "<sibling id='3' value='10'/>"));
	g_assert_nonnull(strstr(ret.capabilities, "<cpu id='9'/>"));
	g_assert_nonnull(strstr(ret.capabilities, "<domain type='qemu'/>"));
	g_assert_null(strstr(ret.capabilities, "<domain type='kvm'/>"));
	rpc_body_release(rpc_connect_get_capabilities_ret, &ret);

	ASK(odd, CONNECT_GET_SYSINFO, rpc_connect_get_sysinfo_args, &sysinfo,
	    rpc_connect_get_sysinfo_ret, &sysinfo_ret);
	g_assert_nonnull(
		strstr(sysinfo_ret.sysinfo, "<entry name='product'>A &amp; B &lt;C&gt;</entry>"));
	g_assert_nonnull(strstr(sysinfo_ret.sysinfo, "<entry>Socle</entry>"));
	rpc_body_release(rpc_connect_get_sysinfo_ret, &sysinfo_ret);

	ASK(odd, CONNECT_GET_DOMAIN_CAPABILITIES, rpc_connect_get_domain_capabilities_args, &args,
	    rpc_connect_get_domain_capabilities_ret, &caps);
	g_assert_nonnull(strstr(caps.capabilities, "<domain>qemu</domain>"));
	rpc_body_release(rpc_connect_get_domain_capabilities_ret, &caps);
	args.virttype = &kvm;
	ASK_FAILS(odd, CONNECT_GET_DOMAIN_CAPABILITIES, rpc_connect_get_domain_capabilities_args,
		  &args, 8, "'kvm' do not run on this host");
	args = (rpc_connect_get_domain_capabilities_args){ .arch = &vax };
	ASK_FAILS(odd, CONNECT_GET_DOMAIN_CAPABILITIES, rpc_connect_get_domain_capabilities_args,
		  &args, 8, "'vax' does not run here");
}

static int compare_cpu(struct asker *asker, const char *xml)
{
	rpc_connect_compare_cpu_args args = { .xml = (char *)(uintptr_t)xml };
	rpc_connect_compare_cpu_ret ret = { 0 };

	ASK(asker, CONNECT_COMPARE_CPU, rpc_connect_compare_cpu_args, &args,
	    rpc_connect_compare_cpu_ret, &ret);
	return ret.result;
}

static void test_compare(void)
{
	static const struct {
		const char *xml;
		int result;
	} cases[] = {
		{ "<cpu><arch>x86_64</arch><model>v2</model><feature name='avx'/></cpu>", 1 },
		{ "<?xml version='1.0'?>\n<cpu><model>max</model></cpu>", 1 },
		{ "<cpu><model>v2</model></cpu>", 2 },
		{ "<cpu/>", 2 },
		{ "<cpu match='strict'><model>v2</model></cpu>", 0 },
		{ "<cpu><arch>i686</arch></cpu>", 0 },
		{ "<cpu><vendor>AMD</vendor></cpu>", 2 },
		{ "<cpu><vendor>Intel</vendor></cpu>", 0 },
		{ "<cpu><feature name='svm'/></cpu>", 0 },
		{ "<cpu><feature policy='optional' name='svm'/></cpu>", 2 },
		{ "<cpu><model>max</model><feature policy='disable' name='avx'/></cpu>", 2 },
		{ "<cpu><feature policy='forbid' name='avx'/></cpu>", 0 },
		{ "<cpu><feature policy='forbid' name='svm'/></cpu>", 2 },
	};
	autoptr(asker) odd = odd_host(false);
	rpc_connect_compare_cpu_args args = { .xml = (char[]){
						      "<cpu><model>Skylake</model></cpu>" } };

	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		int result = compare_cpu(odd, cases[i].xml);

		if (result != cases[i].result)
			g_error("%s: %d, not %d", cases[i].xml, result, cases[i].result);
	}
	ASK_FAILS(odd, CONNECT_COMPARE_CPU, rpc_connect_compare_cpu_args, &args, 67,
		  "'Skylake' is not known here");
	args.xml = (char[]){ "<domain/>" };
	ASK_FAILS(odd, CONNECT_COMPARE_CPU, rpc_connect_compare_cpu_args, &args, 27,
		  "no description");
	args.xml = (char[]){ "<cpu><model>v2</cpu>" };
	ASK_FAILS(odd, CONNECT_COMPARE_CPU, rpc_connect_compare_cpu_args, &args, 27, "");
	args.xml = (char[]){ "<cpu></domain><domain/>" };
	ASK_FAILS(odd, CONNECT_COMPARE_CPU, rpc_connect_compare_cpu_args, &args, 27, "");
	args.xml = (char[]){ "<cpu><feature name='svm'/></cpu>" };
	args.flags = 1;
	ASK_FAILS(odd, CONNECT_COMPARE_CPU, rpc_connect_compare_cpu_args, &args, 91,
		  "incompatible");
}

static void test_baseline(void)
{
	autoptr(asker) odd = odd_host(true);
	rpc_text list[] = {
		(char[]){ "<cpu><vendor>AMD</vendor><model>v2</model><feature name='avx'/>"
			  "<feature name='a&amp;b'/><feature name='invtsc'/></cpu>" },
		(char[]){ "<cpu><model>v2</model><feature name='a&amp;b'/><feature name='invtsc'/>"
			  "<feature policy='disable' name='popcnt'/></cpu>" },
	};
	rpc_connect_baseline_cpu_args args = { { 2, list }, 2 };
	rpc_connect_baseline_hypervisor_cpu_args hyper = { .xmlCPUs = { 1, list } };
	rpc_connect_baseline_cpu_ret ret = { 0 };

	ASK(odd, CONNECT_BASELINE_CPU, rpc_connect_baseline_cpu_args, &args,
	    rpc_connect_baseline_cpu_ret, &ret);
	g_assert_cmpstr(ret.cpu, ==,
			"<cpu mode='custom' match='exact'>\n"
			"  <model fallback='forbid'>v2</model>\n"
			"  <feature policy='require' name='a&amp;b'/>\n"
			"  <feature policy='disable' name='popcnt'/>\n</cpu>\n");
	rpc_body_release(rpc_connect_baseline_cpu_ret, &ret);
	args.xmlCPUs.xmlCPUs_len = 0;
	ASK_FAILS(odd, CONNECT_BASELINE_CPU, rpc_connect_baseline_cpu_args, &args, 27,
		  "there is no CPU");
	ASK(odd, CONNECT_BASELINE_HYPERVISOR_CPU, rpc_connect_baseline_hypervisor_cpu_args, &hyper,
	    rpc_connect_baseline_cpu_ret, &ret);
	g_assert_nonnull(strstr(ret.cpu, "<vendor>AMD</vendor>"));
	rpc_body_release(rpc_connect_baseline_cpu_ret, &ret);
	hyper.virttype = &list[0];
	ASK_FAILS(odd, CONNECT_BASELINE_HYPERVISOR_CPU, rpc_connect_baseline_hypervisor_cpu_args,
		  &hyper, 67, "for type 'kvm' only");
}

static void test_absent(void)
{
	autoptr(asker) odd = odd_host(false);
	rpc_connect_list_all_networks_args list = { .need_results = 1 };
	rpc_connect_list_all_networks_ret list_ret = { 0 };
	rpc_connect_num_of_secrets_ret num = { 5 };
	rpc_network_lookup_by_name_args name = { (char[]){ "default" } };
	rpc_storage_pool_refresh_args pool = { .pool = { .name = (char[]){ "images" } } };
	rpc_secret_lookup_by_uuid_args uuid = { { 1, 2 } };
	rpc_storage_pool_define_xml_args xml = { .xml = (char[]){ "<pool/>" } };

	ASK(odd, CONNECT_LIST_ALL_NETWORKS, rpc_connect_list_all_networks_args, &list,
	    rpc_connect_list_all_networks_ret, &list_ret);
	g_assert_cmpuint(list_ret.nets.nets_len + list_ret.ret, ==, 0);
	ASK_BARE(odd, CONNECT_NUM_OF_SECRETS, rpc_connect_num_of_secrets_ret, &num);
	g_assert_cmpint(num.num, ==, 0);
	ASK_FAILS(odd, NETWORK_LOOKUP_BY_NAME, rpc_network_lookup_by_name_args, &name, 43,
		  "no network with matching name 'default'");
	ASK_FAILS(odd, STORAGE_POOL_REFRESH, rpc_storage_pool_refresh_args, &pool, 49,
		  "no storage pool with matching name or uuid 'images'");
	ASK_FAILS(odd, SECRET_LOOKUP_BY_UUID, rpc_secret_lookup_by_uuid_args, &uuid, 66,
		  "'01020000-0000-0000-0000-000000000000'");
	ASK_FAILS(odd, STORAGE_POOL_DEFINE_XML, rpc_storage_pool_define_xml_args, &xml, 27,
		  "the storage pool has no name");
}

static void test_events(void)
{
	autoptr(asker) odd = odd_host(false);
	rpc_connect_network_event_register_any_args want = { .eventID = 0 };
	rpc_connect_network_event_register_any_ret ret = { -1 };
	rpc_connect_network_event_deregister_any_args drop;
	rpc_connect_secret_event_deregister_any_args other;
	struct rpc_received received;

	ASK(odd, CONNECT_NETWORK_EVENT_REGISTER_ANY, rpc_connect_network_event_register_any_args,
	    &want, rpc_connect_network_event_register_any_ret, &ret);
	drop.callbackID = other.callbackID = ret.callbackID;
	ASK_FAILS(odd, CONNECT_SECRET_EVENT_DEREGISTER_ANY,
		  rpc_connect_secret_event_deregister_any_args, &other, 8, "no event callback");
	received = asker_ask(odd, RPC_PROC_CONNECT_NETWORK_EVENT_DEREGISTER_ANY,
			     (xdrproc_t)xdr_rpc_connect_network_event_deregister_any_args, &drop);
	asker_assert_ok(&received);
	ASK_FAILS(odd, CONNECT_NETWORK_EVENT_DEREGISTER_ANY,
		  rpc_connect_network_event_deregister_any_args, &drop, 8, "no event callback");
	want.eventID = 2;
	ASK_FAILS(odd, CONNECT_NETWORK_EVENT_REGISTER_ANY,
		  rpc_connect_network_event_register_any_args, &want, 8, "unsupported event ID 2");
	want.eventID = -1;
	ASK_FAILS(odd, CONNECT_NETWORK_EVENT_REGISTER_ANY,
		  rpc_connect_network_event_register_any_args, &want, 8, "unsupported event ID -1");
}

static void test_devices(void)
{
	autoptr(asker) test = test_driver();
	rpc_connect_list_all_node_devices_args all = { .need_results = 1 };
	rpc_connect_list_all_node_devices_ret ret = { 0 };
	rpc_node_list_devices_args names = { .maxnames = -1 };
	rpc_node_list_devices_ret names_ret = { 0 };
	rpc_node_device_get_xml_desc_args xml = { .name = (char[]){ "computer" } };
	rpc_node_device_get_xml_desc_ret xml_ret = { 0 };
	rpc_node_device_get_parent_args parent = { .name = (char[]){ "computer" } };
	rpc_node_device_get_parent_ret parent_ret = { 0 };

	ASK(test, CONNECT_LIST_ALL_NODE_DEVICES, rpc_connect_list_all_node_devices_args, &all,
	    rpc_connect_list_all_node_devices_ret, &ret);
	g_assert_cmpuint(ret.ret, ==, 1);
	g_assert_cmpstr(ret.devices.devices_val[0].name, ==, "computer");
	rpc_body_release(rpc_connect_list_all_node_devices_ret, &ret);
	all.flags = 1u << 30;
	ASK(test, CONNECT_LIST_ALL_NODE_DEVICES, rpc_connect_list_all_node_devices_args, &all,
	    rpc_connect_list_all_node_devices_ret, &ret);
	g_assert_cmpuint(ret.ret, ==, 0);
	rpc_body_release(rpc_connect_list_all_node_devices_ret, &ret);
	ASK(test, NODE_LIST_DEVICES, rpc_node_list_devices_args, &names, rpc_node_list_devices_ret,
	    &names_ret);
	g_assert_cmpuint(names_ret.names.names_len, ==, 0);
	rpc_body_release(rpc_node_list_devices_ret, &names_ret);
	ASK(test, NODE_DEVICE_GET_XML_DESC, rpc_node_device_get_xml_desc_args, &xml,
	    rpc_node_device_get_xml_desc_ret, &xml_ret);
	g_assert_nonnull(strstr(xml_ret.xml, "<capability type='system'>"));
	rpc_body_release(rpc_node_device_get_xml_desc_ret, &xml_ret);
	ASK(test, NODE_DEVICE_GET_PARENT, rpc_node_device_get_parent_args, &parent,
	    rpc_node_device_get_parent_ret, &parent_ret);
	g_assert_null(parent_ret.parentName);
	xml.name = (char[]){ "net_x" };
	ASK_FAILS(test, NODE_DEVICE_GET_XML_DESC, rpc_node_device_get_xml_desc_args, &xml, 53,
		  "'net_x'");
}

static void test_refused(void)
{
	autoptr(asker) odd = odd_host(false);
	rpc_node_suspend_for_duration_args suspend = { .duration = 60 };
	rpc_connect_domain_xml_to_native_args native = { .nativeFormat = (char[]){ "qemu-argv" },
							 .domainXml = (char[]){ "<domain/>" } };

	ASK_FAILS(odd, NODE_SUSPEND_FOR_DURATION, rpc_node_suspend_for_duration_args, &suspend, 84,
		  "systemctl suspend");
	ASK_FAILS(odd, CONNECT_DOMAIN_XML_TO_NATIVE, rpc_connect_domain_xml_to_native_args, &native,
		  84, "keep its XML");
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/manage/host/info", test_info);
	g_test_add_func("/manage/host/memory", test_memory);
	g_test_add_func("/manage/host/cpus", test_cpus);
	g_test_add_func("/manage/host/capabilities", test_capabilities);
	g_test_add_func("/manage/host/compare", test_compare);
	g_test_add_func("/manage/host/baseline", test_baseline);
	g_test_add_func("/manage/host/absent", test_absent);
	g_test_add_func("/manage/host/events", test_events);
	g_test_add_func("/manage/host/devices", test_devices);
	g_test_add_func("/manage/host/refused", test_refused);
	return g_test_run();
}
