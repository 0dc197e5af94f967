/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-calls-conn.c - calls about the connection, the host, and snapshots
 */
#include "calls.h"

RUN(uri, say_text(socle_conn_uri(e->conn, ERR)));
RUN(type, say_text(socle_conn_type(e->conn, ERR)));
RUN(hostname, say_text(socle_conn_hostname(e->conn, ERR)));
RUN(is_secure, say_int(socle_conn_is_secure(e->conn, ERR)));
RUN(capabilities, say_text(socle_conn_capabilities(e->conn, ERR)));
RUN(domain_capabilities,
    say_text(socle_conn_domain_capabilities(e->conn, "emu", "x86", "q35", "kvm", 1, ERR)));
RUN(domain_capabilities_none,
    say_text(socle_conn_domain_capabilities(e->conn, NULL, NULL, NULL, NULL, 0, ERR)));
RUN(max_vcpus, say_int(socle_conn_max_vcpus(e->conn, "kvm", ERR)));
RUN(sysinfo, say_text(socle_conn_sysinfo(e->conn, 3, ERR)));

static char *run_version(struct env *e)
{
	uint64_t version = 0;
	int rc = socle_conn_version(e->conn, &version, ERR);

	return say_if(rc, say_int((int64_t)version));
}

static char *run_lib_version(struct env *e)
{
	uint64_t version = 0;
	int rc = socle_conn_lib_version(e->conn, &version, ERR);

	return say_if(rc, say_int((int64_t)version));
}

static char *run_cpu_models(struct env *e)
{
	char **models = NULL;
	int count = socle_conn_cpu_models(e->conn, "x86_64", 2, &models, ERR);

	return say_texts(count, models);
}

static char *run_node_info(struct env *e)
{
	struct socle_node_info i = { .model = "" };
	int rc = socle_node_info(e->conn, &i, ERR);

	return say_if(rc, g_strdup_printf("%s %" G_GUINT64_FORMAT " %u %u %u %u %u %u", i.model,
					  i.memory_kib, i.cpus, i.mhz, i.nodes, i.sockets, i.cores,
					  i.threads));
}

RUN(memory_stats, say_params(socle_node_memory_stats(e->conn, SOCLE_ALL_CELLS, 5, ERR)));
RUN(cpu_stats, say_params(socle_node_cpu_stats(e->conn, 3, 5, ERR)));

static char *run_cpu_map(struct env *e)
{
	struct socle_cpumap map = { NULL, 0, 0 };
	int rc = socle_node_cpu_map(e->conn, 1, &map, ERR);
	char *said =
		say_if(rc, g_strdup_printf("%u %u %02x%02x", map.cpus, map.count,
					   map.map ? map.map[0] : 0, map.map ? map.map[1] : 0));

	socle_cpumap_release(&map);
	return said;
}

static char *run_free_memory(struct env *e)
{
	uint64_t bytes = 0;
	int rc = socle_node_free_memory(e->conn, &bytes, ERR);

	return say_if(rc, say_int((int64_t)bytes));
}

static char *run_cells(struct env *e)
{
	uint64_t bytes[4] = { 0 };
	int count = socle_node_cells_free_memory(e->conn, 1, 4, bytes, ERR);

	return say_if(count, g_strdup_printf("%d %d %d", count, (int)bytes[0], (int)bytes[1]));
}

static char *run_no_security_model(struct env *e)
{
	g_autofree char *model = NULL, *doi = NULL;
	int rc = socle_node_security_model(e->conn, &model, &doi, ERR);

	return say_if(rc, g_strdup_printf("'%s' '%s'", model, doi));
}

static char *run_no_cpu_map(struct env *e)
{
	struct socle_cpumap map = { NULL, 0, 0 };
	int rc = socle_node_cpu_map(e->conn, 1, &map, ERR);
	char *said = say_if(rc, g_strdup_printf("%u %02x", map.cpus, map.map ? map.map[0] : 1));

	socle_cpumap_release(&map);
	return said;
}

static char *run_security_model(struct env *e)
{
	g_autofree char *model = NULL, *doi = NULL;
	int rc = socle_node_security_model(e->conn, &model, &doi, ERR);

	return say_if(rc, g_strdup_printf("%s %s", model, doi));
}

/* == Snapshots == */

RUN(snapshot_create, say_snapshot(socle_snapshot_create(e->dom, "<x/>", 5, ERR)));
RUN(snapshot_by_name, say_snapshot(socle_snapshot_by_name(e->dom, "snap", 1, ERR)));
RUN(snapshot_current, say_snapshot(socle_snapshot_current(e->dom, 1, ERR)));
RUN(snapshot_parent, say_snapshot(socle_snapshot_parent(e->snap, 1, ERR)));
RUN(snapshot_has_current, say_int(socle_snapshot_has_current(e->dom, 1, ERR)));
RUN(snapshot_is_current, say_int(socle_snapshot_is_current(e->snap, 1, ERR)));
RUN(snapshot_has_metadata, say_int(socle_snapshot_has_metadata(e->snap, 1, ERR)));
RUN(snapshot_xml, say_text(socle_snapshot_xml(e->snap, 1, ERR)));
RUN(snapshot_revert, say_int(socle_snapshot_revert(e->snap, 4, ERR)));
RUN(snapshot_delete, say_int(socle_snapshot_delete(e->snap, 2, ERR)));
RUN(snapshot_number, say_int(socle_snapshot_list(e->dom, 2, NULL, ERR)));

static char *run_snapshot_list(struct env *e)
{
	struct socle_snapshot **snaps = NULL;
	int count = socle_snapshot_list(e->dom, 2, &snaps, ERR);

	return say_snapshots(count, snaps);
}

static char *run_snapshot_children(struct env *e)
{
	struct socle_snapshot **snaps = NULL;
	int count = socle_snapshot_children(e->snap, 1, &snaps, ERR);

	return say_snapshots(count, snaps);
}

static const struct case_ cases[] = {
	CASE(uri, CONNECT_GET_URI, "", "s:test:///default", "test:///default"),
	CASE(type, CONNECT_GET_TYPE, "", "s:QEMU", "QEMU"),
	CASE(hostname, CONNECT_GET_HOSTNAME, "", "s:host", "host"),
	CASE(is_secure, CONNECT_IS_SECURE, "", "i1", "1"),
	CASE(version, CONNECT_GET_VERSION, "", "h7002000", "7002000"),
	CASE(lib_version, CONNECT_GET_LIB_VERSION, "", "h9000000", "9000000"),
	CASE(capabilities, CONNECT_GET_CAPABILITIES, "", "s:<caps/>", "<caps/>"),
	CASE(domain_capabilities, CONNECT_GET_DOMAIN_CAPABILITIES, "?:emu ?:x86 ?:q35 ?:kvm i1",
	     "s:<d/>", "<d/>"),
	CASE(domain_capabilities_none, CONNECT_GET_DOMAIN_CAPABILITIES, "- - - - i0", "s:<d/>",
	     "<d/>"),
	CASE(max_vcpus, CONNECT_GET_MAX_VCPUS, "?:kvm", "i16", "16"),
	CASE(sysinfo, CONNECT_GET_SYSINFO, "i3", "s:<sysinfo/>", "<sysinfo/>"),
	CASE(cpu_models, CONNECT_GET_CPU_MODEL_NAMES, "s:x86_64 i1 i2", "i2 s:a s:b i2", "a,b"),
	CASE(node_info, NODE_GET_INFO, "", "C:x86_64 h4096 i8 i2400 i1 i2 i3 i4",
	     "x86_64 4096 8 2400 1 2 3 4"),
	CASE2(memory_stats, NODE_GET_MEMORY_STATS, "i0 i2", NODE_GET_MEMORY_STATS, "i2 i-1 i5",
	      "i2 s:total h5 s:free h6 i2", "total=U5 free=U6"),
	CASE2(cpu_stats, NODE_GET_CPU_STATS, "i0 i1", NODE_GET_CPU_STATS, "i3 i1 i5",
	      "i1 s:idle h-1 i1", "idle=U18446744073709551615"),
	CASE(cpu_map, NODE_GET_CPU_MAP, "i1 i1 i1", "o:ff03 i10 i12", "12 10 ff03"),
	CASE(free_memory, NODE_GET_FREE_MEMORY, "", "h123", "123"),
	CASE(cells, NODE_GET_CELLS_FREE_MEMORY, "i1 i4", "i2 h5 h6", "2 5 6"),
	CASE(no_cpu_map, NODE_GET_CPU_MAP, "i1 i1 i1", "o: i0 i8", "8 00"),
	CASE(no_security_model, NODE_GET_SECURITY_MODEL, "", "i0 i0", "'' ''"),
	CASE(security_model, NODE_GET_SECURITY_MODEL, "", "c:selinux c:0", "selinux 0"),

	CASE(snapshot_create, DOMAIN_SNAPSHOT_CREATE_XML, "D s:<x/> i5", "S", "snap of vm"),
	CASE(snapshot_by_name, DOMAIN_SNAPSHOT_LOOKUP_BY_NAME, "D s:snap i1", "S", "snap of vm"),
	CASE(snapshot_current, DOMAIN_SNAPSHOT_CURRENT, "D i1", "S", "snap of vm"),
	CASE(snapshot_parent, DOMAIN_SNAPSHOT_GET_PARENT, "S i1", "S", "snap of vm"),
	CASE(snapshot_has_current, DOMAIN_HAS_CURRENT_SNAPSHOT, "D i1", "i1", "1"),
	CASE(snapshot_is_current, DOMAIN_SNAPSHOT_IS_CURRENT, "S i1", "i0", "0"),
	CASE(snapshot_has_metadata, DOMAIN_SNAPSHOT_HAS_METADATA, "S i1", "i7", "1"),
	CASE(snapshot_xml, DOMAIN_SNAPSHOT_GET_XML_DESC, "S i1", "s:<snap/>", "<snap/>"),
	CASE(snapshot_revert, DOMAIN_REVERT_TO_SNAPSHOT, "S i4", "", "0"),
	CASE(snapshot_delete, DOMAIN_SNAPSHOT_DELETE, "S i2", "", "0"),
	CASE(snapshot_number, DOMAIN_LIST_ALL_SNAPSHOTS, "D i0 i2", "i0 i5", "5"),
	CASE(snapshot_list, DOMAIN_LIST_ALL_SNAPSHOTS, "D i1 i2", "i2 S S i2", "2 snap"),
	CASE(snapshot_children, DOMAIN_SNAPSHOT_LIST_ALL_CHILDREN, "S i1 i1", "i1 S i1", "1 snap"),
};

int main(int argc, char **argv)
{
	return calls_main(argc, argv, cases, G_N_ELEMENTS(cases));
}
