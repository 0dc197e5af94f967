/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fields-domain-caps.c - where the members of domain capabilities stand in XML
 */
#include "model/capabilities.h"
#include "model/fields-int.h"

#define T caps_enum
static const struct field enum_fields[] = {
	F_TEXT("@name", name),
	F_LIST("value", values, value_count, caps_text_record, 256),
};
#undef T
const struct record caps_enum_record = RECORD(caps_enum, enum_fields);

#define T caps_group
static const struct field group_fields[] = {
	F_ENUM("@supported", supported, yes_no_names),
	F_LIST("value", values, value_count, caps_text_record, 256),
	F_LIST("enum", enums, enum_count, caps_enum_record, 32),
	F_KEEP("cbitpos", kept_cbitpos),
	F_KEEP("reducedPhysBits", kept_reduced_phys_bits),
	F_KEEP("maxGuests", kept_max_guests),
	F_KEEP("maxESGuests", kept_max_es_guests),
	F_KEEP("flc", kept_flc),
	F_KEEP("sgx1", kept_sgx1),
	F_KEEP("sgx2", kept_sgx2),
	F_KEEP("section_size", kept_section_size),
	F_KEEP("sections", kept_sections),
};
#undef T
static const struct record group_record = RECORD(caps_group, group_fields);

#define T caps_os
static const struct field os_fields[] = {
	F_ENUM("@supported", supported, yes_no_names),
	F_LIST("enum", enums, enum_count, caps_enum_record, 32),
	F_STRUCT("loader", loader, group_record),
};
#undef T
static const struct record os_record = RECORD(caps_os, os_fields);

#define T caps_model
static const struct field model_fields[] = {
	F_TEXT("@usable", usable), F_TEXT("@deprecated", deprecated),
	F_TEXT("@vendor", vendor), F_TEXT("@fallback", fallback),
	F_TEXT("", name),
};
#undef T
const struct record caps_model_record = RECORD(caps_model, model_fields);

#define T caps_cpu_feature
static const struct field cpu_feature_fields[] = {
	F_TEXT("@policy", policy),
	F_TEXT("@name", name),
};
#undef T
static const struct record cpu_feature_record = RECORD(caps_cpu_feature, cpu_feature_fields);

#define T caps_cpu_mode
static const struct field mode_fields[] = {
	F_TEXT("@name", name),
	F_ENUM("@supported", supported, yes_no_names),
	F_LIST("enum", enums, enum_count, caps_enum_record, 32),
	F_LIST("model", models, model_count, caps_model_record, 1024),
	F_TEXT("vendor", vendor),
	F_KEEP("maxphysaddr", kept_maxphysaddr),
	F_LIST("feature", features, feature_count, cpu_feature_record, 1024),
	F_KEEP("blockers", kept_blockers),
};
#undef T
const struct record caps_cpu_mode_record = RECORD(caps_cpu_mode, mode_fields);

#define T caps_cpu_modes
static const struct field modes_fields[] = {
	F_LIST("mode", list, count, caps_cpu_mode_record, 16),
};
#undef T
static const struct record modes_record = RECORD(caps_cpu_modes, modes_fields);

#define T             caps_devices
#define F_GROUP(x, m) F_STRUCT(x, m, group_record)
static const struct field devices_fields[] = {
	F_GROUP("disk", disk),       F_GROUP("graphics", graphics),
	F_GROUP("video", video),     F_GROUP("hostdev", hostdev),
	F_GROUP("rng", rng),         F_GROUP("filesystem", filesystem),
	F_GROUP("tpm", tpm),         F_GROUP("redirdev", redirdev),
	F_GROUP("channel", channel),
};
#undef T
static const struct record caps_devices_record = RECORD(caps_devices, devices_fields);

#define T caps_features
static const struct field features_fields[] = {
	F_GROUP("gic", gic),       F_GROUP("vmcoreinfo", vmcoreinfo),
	F_GROUP("genid", genid),   F_GROUP("backingStoreInput", backing_store_input),
	F_GROUP("backup", backup), F_GROUP("sev", sev),
	F_GROUP("sgx", sgx),       F_GROUP("hyperv", hyperv),
};
#undef T
static const struct record features_record = RECORD(caps_features, features_fields);

#define T caps_vcpu
static const struct field vcpu_fields[] = { F_NUM("@max", max, 1, UINT32_MAX) };
#undef T
static const struct record vcpu_record = RECORD(caps_vcpu, vcpu_fields);

#define T domain_caps
static const struct field caps_fields[] = {
	F_TEXT("path", path),
	F_TEXT("domain", domain),
	F_TEXT("machine", machine),
	F_TEXT("arch", arch),
	F_STRUCT("vcpu", vcpu, vcpu_record),
	F_GROUP("iothreads", iothreads),
	F_STRUCT("os", os, os_record),
	F_STRUCT("cpu", cpu, modes_record),
	F_GROUP("memoryBacking", memory_backing),
	F_STRUCT("devices", devices, caps_devices_record),
	F_STRUCT("features", features, features_record),
};
#undef F_GROUP
#undef T
const struct record domain_caps_record = RECORD(domain_caps, caps_fields);
