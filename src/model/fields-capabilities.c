/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fields-capabilities.c - where the members of capabilities stand in XML
 */
#include "model/capabilities.h"
#include "model/fields-int.h"

#define T caps_text
static const struct field text_fields[] = { F_TEXT("", text) };
#undef T
const struct record caps_text_record = RECORD(caps_text, text_fields);

#define T caps_name
static const struct field name_fields[] = { F_TEXT("@name", name) };
#undef T
static const struct record name_record = RECORD(caps_name, name_fields);

#define T caps_toggle
static const struct field toggle_fields[] = {
	F_SELF(set),
	F_ENUM("@default", standard, on_off_names),
	F_ENUM("@toggle", toggle, yes_no_names),
};
#undef T
static const struct record toggle_record = RECORD(caps_toggle, toggle_fields);

#define T caps_topology
static const struct field topology_fields[] = {
	F_NUM("@sockets", sockets, 1, UINT16_MAX),
	F_NUM("@dies", dies, 1, UINT16_MAX),
	F_NUM("@cores", cores, 1, UINT16_MAX),
	F_NUM("@threads", threads, 1, UINT16_MAX),
};
#undef T
static const struct record topology_record = RECORD(caps_topology, topology_fields);

#define T caps_pages
static const struct field pages_fields[] = {
	F_TEXT("@unit", unit),
	F_NUM("@size", size, 1, INT64_MAX),
	F_NUM("", count, 0, INT64_MAX),
};
#undef T
static const struct record pages_record = RECORD(caps_pages, pages_fields);

#define T caps_cpu
static const struct field cpu_fields[] = {
	F_TEXT("arch", arch),
	F_KEEP("features", kept_features),
	F_TEXT("model", model),
	F_TEXT("vendor", vendor),
	F_KEEP("microcode", kept_microcode),
	F_KEEP("signature", kept_signature),
	F_KEEP("counter", kept_counter),
	F_STRUCT("topology", topology, topology_record),
	F_KEEP("maxphysaddr", kept_maxphysaddr),
	F_LIST("feature", features, feature_count, name_record, 1024),
	F_LIST("pages", pages, page_count, pages_record, 16),
};
#undef T
static const struct record host_cpu_record = RECORD(caps_cpu, cpu_fields);

#define T caps_power
static const struct field power_fields[] = {
	F_SELF(set),
	F_FLAG("suspend_mem", suspend_mem),
	F_FLAG("suspend_disk", suspend_disk),
	F_FLAG("suspend_hybrid", suspend_hybrid),
};
#undef T
static const struct record power_record = RECORD(caps_power, power_fields);

#define T caps_iommu
static const struct field iommu_fields[] = { F_ENUM("@support", support, yes_no_names) };
#undef T
static const struct record iommu_record = RECORD(caps_iommu, iommu_fields);

#define T caps_transports
static const struct field transports_fields[] = {
	F_LIST("uri_transport", list, count, caps_text_record, 16),
};
#undef T
static const struct record transports_record = RECORD(caps_transports, transports_fields);

#define T caps_migration
static const struct field migration_fields[] = {
	F_FLAG("live", live),
	F_STRUCT("uri_transports", transports, transports_record),
};
#undef T
static const struct record migration_record = RECORD(caps_migration, migration_fields);

#define T caps_cell_cpu
static const struct field cell_cpu_fields[] = {
	F_NUM("@id", id, 0, UINT32_MAX),         F_NUM("@socket_id", socket_id, 0, UINT32_MAX),
	F_NUM("@die_id", die_id, 0, UINT32_MAX), F_NUM("@core_id", core_id, 0, UINT32_MAX),
	F_TEXT("@siblings", siblings),
};
#undef T
static const struct record cell_cpu_record = RECORD(caps_cell_cpu, cell_cpu_fields);

#define T caps_cell_cpus
static const struct field cell_cpus_fields[] = {
	F_NUM("@num", num, 0, UINT32_MAX),
	F_LIST("cpu", list, count, cell_cpu_record, 8192),
};
#undef T
static const struct record cell_cpus_record = RECORD(caps_cell_cpus, cell_cpus_fields);

#define T caps_cell
static const struct field cell_fields[] = {
	F_NUM("@id", id, 0, UINT32_MAX),
	F_SIZE("memory", memory),
	F_LIST("pages", pages, page_count, pages_record, 16),
	F_KEEP("distances", kept_distances),
	F_KEEP("cache", kept_cache),
	F_STRUCT("cpus", cpus, cell_cpus_record),
};
#undef T
static const struct record cell_record = RECORD(caps_cell, cell_fields);

#define T caps_cells
static const struct field cells_fields[] = {
	F_NUM("@num", num, 0, UINT32_MAX),
	F_LIST("cell", list, count, cell_record, 1024),
};
#undef T
static const struct record cells_record = RECORD(caps_cells, cells_fields);

#define T caps_numa
static const struct field numa_fields[] = {
	F_STRUCT("cells", cells, cells_record),
	F_KEEP("interconnects", kept_interconnects),
};
#undef T
static const struct record numa_record = RECORD(caps_numa, numa_fields);

#define T caps_secmodel
static const struct field secmodel_fields[] = {
	F_TEXT("model", model),
	F_TEXT("doi", doi),
	F_KEEP("baselabel", kept_baselabel),
};
#undef T
static const struct record secmodel_record = RECORD(caps_secmodel, secmodel_fields);

#define T caps_host
static const struct field host_fields[] = {
	F_TEXT("uuid", uuid),
	F_STRUCT("cpu", cpu, host_cpu_record),
	F_STRUCT("power_management", power, power_record),
	F_STRUCT("iommu", iommu, iommu_record),
	F_STRUCT("migration_features", migration, migration_record),
	F_STRUCT("topology", topology, numa_record),
	F_KEEP("cache", kept_cache),
	F_KEEP("memory_bandwidth", kept_memory_bandwidth),
	F_LIST("secmodel", secmodels, secmodel_count, secmodel_record, 8),
};
#undef T
static const struct record host_record = RECORD(caps_host, host_fields);

#define T caps_machine
static const struct field machine_fields[] = {
	F_TEXT("@canonical", canonical),
	F_NUM("@maxCpus", max_cpus, 1, UINT32_MAX),
	F_ENUM("@deprecated", deprecated, yes_no_names),
	F_TEXT("", name),
};
#undef T
const struct record caps_machine_record = RECORD(caps_machine, machine_fields);

#define T caps_domain
static const struct field caps_domain_fields[] = {
	F_TEXT("@type", type),
	F_TEXT("emulator", emulator),
	F_LIST("machine", machines, machine_count, caps_machine_record, 1024),
};
#undef T
const struct record caps_domain_record = RECORD(caps_domain, caps_domain_fields);

#define T caps_arch
static const struct field arch_fields[] = {
	F_TEXT("@name", name),
	F_NUM("wordsize", wordsize, 31, 64),
	F_TEXT("emulator", emulator),
	F_TEXT("loader", loader),
	F_LIST("machine", machines, machine_count, caps_machine_record, 1024),
	F_LIST("domain", domains, domain_count, caps_domain_record, 16),
};
#undef T
static const struct record arch_record = RECORD(caps_arch, arch_fields);

#define T caps_guest_features
static const struct field guest_features_fields[] = {
	F_FLAG("pae", pae),
	F_FLAG("nonpae", nonpae),
	F_STRUCT("acpi", acpi, toggle_record),
	F_STRUCT("apic", apic, toggle_record),
	F_STRUCT("hap", hap, toggle_record),
	F_FLAG("cpuselection", cpuselection),
	F_FLAG("deviceboot", deviceboot),
	F_STRUCT("disksnapshot", disksnapshot, toggle_record),
	F_FLAG("externalSnapshot", external_snapshot),
};
#undef T
static const struct record guest_features_record =
	RECORD(caps_guest_features, guest_features_fields);

#define T caps_guest
static const struct field guest_fields[] = {
	F_TEXT("os_type", os_type),
	F_STRUCT("arch", arch, arch_record),
	F_STRUCT("features", features, guest_features_record),
};
#undef T
const struct record caps_guest_record = RECORD(caps_guest, guest_fields);

#define T capabilities
static const struct field capabilities_fields[] = {
	F_STRUCT("host", host, host_record),
	F_LIST("guest", guests, guest_count, caps_guest_record, 64),
};
#undef T
const struct record capabilities_record = RECORD(capabilities, capabilities_fields);
