/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * capabilities.h - what a host has (<capabilities>), and what its machines may have
 * (<domainCapabilities>)
 *
 * Who knows the host puts into the structs what it found; the step fill in adds what is the same on
 * all hosts. Clients choose by these documents: virt-install takes a virtio disk because it stands
 * here, and refuses to work without a <guest> that has a <domain>.
 */
#ifndef MODEL_CAPABILITIES_H
#define MODEL_CAPABILITIES_H

#include <glib.h>
#include <stddef.h>

#include "base/cleanup.h"
#include "model/notes.h"
#include "model/support.h"
#include "model/value.h"

/* An element with nothing but text. */
struct caps_text {
	char *text;
};

struct caps_name {
	char *name;
};

struct caps_toggle {
	bool set;
	enum tristate standard, toggle;
};

/* --- the host --- */

struct caps_topology {
	struct number sockets, dies, cores, threads;
};

struct caps_pages {
	char *unit;
	struct number size, count; /* no count in <cpu> */
};

struct caps_cpu {
	char *arch, *model, *vendor;
	struct caps_topology topology;
	struct caps_name *features;
	unsigned feature_count;
	struct caps_pages *pages;
	unsigned page_count;
	char *kept_microcode, *kept_signature, *kept_counter, *kept_features, *kept_maxphysaddr;
};

struct caps_power {
	bool set, suspend_mem, suspend_disk, suspend_hybrid;
};

struct caps_iommu {
	enum tristate support;
};

struct caps_transports {
	struct caps_text *list;
	unsigned count;
};

struct caps_migration {
	bool live;
	struct caps_transports transports;
};

struct caps_cell_cpu {
	struct number id, socket_id, die_id, core_id;
	char *siblings;
};

struct caps_cell_cpus {
	struct number num;
	struct caps_cell_cpu *list;
	unsigned count;
};

struct caps_cell {
	struct number id, memory; /* KiB */
	struct caps_pages *pages;
	unsigned page_count;
	struct caps_cell_cpus cpus;
	char *kept_distances, *kept_cache;
};

struct caps_cells {
	struct number num;
	struct caps_cell *list;
	unsigned count;
};

struct caps_numa {
	struct caps_cells cells;
	char *kept_interconnects;
};

struct caps_secmodel {
	char *model, *doi;
	char *kept_baselabel;
};

struct caps_host {
	char *uuid;
	struct caps_cpu cpu;
	struct caps_power power;
	struct caps_iommu iommu;
	struct caps_migration migration;
	struct caps_numa topology;
	struct caps_secmodel *secmodels;
	unsigned secmodel_count;
	char *kept_cache, *kept_memory_bandwidth;
};

/* --- guests --- */

struct caps_machine {
	char *canonical, *name;
	struct number max_cpus;
	enum tristate deprecated;
};

struct caps_domain {
	char *type, *emulator;
	struct caps_machine *machines;
	unsigned machine_count;
};

struct caps_arch {
	char *name, *emulator, *loader;
	struct number wordsize;
	struct caps_machine *machines;
	unsigned machine_count;
	struct caps_domain *domains;
	unsigned domain_count;
};

struct caps_guest_features {
	bool pae, nonpae, cpuselection, deviceboot, external_snapshot;
	struct caps_toggle acpi, apic, hap, disksnapshot;
};

struct caps_guest {
	char *os_type;
	struct caps_arch arch;
	struct caps_guest_features features;
};

struct capabilities {
	struct caps_host host;
	struct caps_guest *guests;
	unsigned guest_count;
};

struct capabilities *capabilities_parse(const char *xml, size_t len, struct notes *notes,
					GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* Guests by @support, if there are none; counts of what the host has. */
void capabilities_fill(struct capabilities *capabilities, const struct support *support);
/* Would clients choke on it? */
bool capabilities_check(const struct capabilities *capabilities, GError **error)
	G_GNUC_WARN_UNUSED_RESULT;
char *capabilities_format(const struct capabilities *capabilities);
void capabilities_free(struct capabilities *capabilities);
DEFINE_AUTOPTR(capabilities, capabilities_free);

/* --- machines --- */

struct caps_enum {
	char *name;
	struct caps_text *values;
	unsigned value_count;
};

/* A device, a feature: is there any, and in which kinds? */
struct caps_group {
	enum tristate supported;
	struct caps_text *values;
	unsigned value_count;
	struct caps_enum *enums;
	unsigned enum_count;
	char *kept_cbitpos, *kept_reduced_phys_bits, *kept_max_guests, *kept_max_es_guests,
		*kept_flc, *kept_sgx1, *kept_sgx2, *kept_section_size, *kept_sections;
};

struct caps_os {
	enum tristate supported;
	struct caps_enum *enums;
	unsigned enum_count;
	struct caps_group loader;
};

struct caps_model {
	char *fallback, *usable, *vendor, *deprecated, *name;
};

struct caps_cpu_feature {
	char *policy, *name;
};

struct caps_cpu_mode {
	char *name;
	enum tristate supported;
	struct caps_enum *enums;
	unsigned enum_count;
	struct caps_model *models;
	unsigned model_count;
	char *vendor;
	struct caps_cpu_feature *features;
	unsigned feature_count;
	char *kept_maxphysaddr, *kept_blockers;
};

struct caps_cpu_modes {
	struct caps_cpu_mode *list;
	unsigned count;
};

struct caps_devices {
	struct caps_group disk, graphics, video, hostdev, rng, filesystem, tpm, redirdev, channel;
};

struct caps_features {
	struct caps_group gic, vmcoreinfo, genid, backing_store_input, backup, sev, sgx, hyperv;
};

struct caps_vcpu {
	struct number max;
};

struct domain_caps {
	char *path, *domain, *machine, *arch;
	struct caps_vcpu vcpu;
	struct caps_group iothreads;
	struct caps_os os;
	struct caps_cpu_modes cpu;
	struct caps_group memory_backing;
	struct caps_devices devices;
	struct caps_features features;
};

struct domain_caps *domain_caps_parse(const char *xml, size_t len, struct notes *notes,
				      GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* All by @support. What the client asked for (domain, machine, arch) may stand in @caps. */
void domain_caps_fill(struct domain_caps *caps, const struct support *support);
/* Is what the client asked for there? */
bool domain_caps_check(const struct domain_caps *caps, const struct support *support,
		       GError **error) G_GNUC_WARN_UNUSED_RESULT;
char *domain_caps_format(const struct domain_caps *caps);
void domain_caps_free(struct domain_caps *caps);
DEFINE_AUTOPTR(domain_caps, domain_caps_free);

#endif
