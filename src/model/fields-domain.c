/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fields-domain.c - where the members of a domain stand in XML
 */
#include "model/domain.h"
#include "model/fields-int.h"

/* What is behind the third is DOMAIN_OTHER and above. */
const char *const domain_type_names[] = {
	NULL,   "kvm",  "qemu", "test",  "xen", "lxc", "openvz",    "vmware", "hyperv",
	"vbox", "phyp", "vz",   "bhyve", "hvf", "uml", "parallels", NULL,
};

static const char *const on_event_names[] = {
	NULL,
	"destroy",
	"restart",
	"preserve",
	"rename-restart",
	"coredump-destroy",
	"coredump-restart",
	NULL,
};
static_assert(ARRAY_SIZE(on_event_names) == ON_COUNT + 1, "a name for each, and NULL");

#define T domain_genid
static const struct field genid_fields[] = { F_SELF(set), F_TEXT("", value) };
#undef T
static const struct record genid_record = RECORD(domain_genid, genid_fields);

#define T domain_vcpu
static const struct field vcpu_fields[] = {
	F_TEXT("@placement", placement),
	F_TEXT("@cpuset", cpuset),
	F_NUM("@current", current, 1, UINT16_MAX),
	F_NUM("", count, 1, UINT16_MAX),
};
#undef T
static const struct record vcpu_record = RECORD(domain_vcpu, vcpu_fields);

#define T pin
static const struct field pin_fields[] = {
	F_NUM("@vcpu", vcpu, 0, UINT16_MAX),
	F_TEXT("@cpuset", cpuset),
};
#undef T
static const struct record pin_record = RECORD(pin, pin_fields);

#define T emulator_pin
static const struct field emulator_pin_fields[] = { F_TEXT("@cpuset", cpuset) };
#undef T
static const struct record emulator_pin_record = RECORD(emulator_pin, emulator_pin_fields);

#define T domain_cputune
static const struct field cputune_fields[] = {
	F_NUM("shares", shares, 2, 262144),
	F_NUM("period", period, 1000, 1000000),
	F_NUM("quota", quota, -1, INT64_MAX / 1000),
	F_NUM("global_period", global_period, 1000, 1000000),
	F_NUM("global_quota", global_quota, -1, INT64_MAX / 1000),
	F_NUM("emulator_period", emulator_period, 1000, 1000000),
	F_NUM("emulator_quota", emulator_quota, -1, INT64_MAX / 1000),
	F_NUM("iothread_period", iothread_period, 1000, 1000000),
	F_NUM("iothread_quota", iothread_quota, -1, INT64_MAX / 1000),
	F_LIST("vcpupin", pins, pin_count, pin_record, DOMAIN_VCPUS_MAX),
	F_STRUCT("emulatorpin", emulator, emulator_pin_record),
	F_KEEP("iothreadpin", kept_iothreadpin),
	F_KEEP("vcpusched", kept_vcpusched),
	F_KEEP("iothreadsched", kept_iothreadsched),
	F_KEEP("emulatorsched", kept_emulatorsched),
	F_KEEP("cachetune", kept_cachetune),
	F_KEEP("memorytune", kept_memorytune),
};
#undef T
static const struct record cputune_record = RECORD(domain_cputune, cputune_fields);

#define T domain_memtune
static const struct field memtune_fields[] = {
	F_SIZE("hard_limit", hard_limit),
	F_SIZE("soft_limit", soft_limit),
	F_SIZE("min_guarantee", min_guarantee),
	F_SIZE("swap_hard_limit", swap_hard_limit),
};
#undef T
static const struct record memtune_record = RECORD(domain_memtune, memtune_fields);

#define T blkio_device
static const struct field blkio_device_fields[] = {
	F_TEXT("path", path),
	F_NUM("weight", weight, 0, 1000),
	F_NUM("read_iops_sec", read_iops_sec, 0, UINT32_MAX),
	F_NUM("write_iops_sec", write_iops_sec, 0, UINT32_MAX),
	F_NUM("read_bytes_sec", read_bytes_sec, 0, INT64_MAX),
	F_NUM("write_bytes_sec", write_bytes_sec, 0, INT64_MAX),
};
#undef T
static const struct record blkio_device_record = RECORD(blkio_device, blkio_device_fields);

#define T domain_blkiotune
static const struct field blkiotune_fields[] = {
	F_NUM("weight", weight, 0, 1000),
	F_LIST("device", devices, device_count, blkio_device_record, DEVICES_MAX),
};
#undef T
static const struct record blkiotune_record = RECORD(domain_blkiotune, blkiotune_fields);

#define T os_type
static const struct field os_type_fields[] = {
	F_TEXT("@arch", arch),
	F_TEXT("@machine", machine),
	F_TEXT("", name),
};
#undef T
static const struct record os_type_record = RECORD(os_type, os_type_fields);

#define T os_loader
static const struct field loader_fields[] = {
	F_ENUM("@readonly", readonly, yes_no_names),
	F_ENUM("@secure", secure, yes_no_names),
	F_TEXT("@type", type),
	F_TEXT("@format", format),
	F_ENUM("@stateless", stateless, yes_no_names),
	F_TEXT("", path),
};
#undef T
static const struct record loader_record = RECORD(os_loader, loader_fields);

#define T os_nvram
static const struct field nvram_fields[] = {
	F_SELF(set),
	F_TEXT("@template", template),
	F_TEXT("@templateFormat", template_format),
	F_TEXT("@type", type),
	F_TEXT("@format", format),
	F_TEXT("", path),
	F_KEEP("source", kept_source),
};
#undef T
static const struct record nvram_record = RECORD(os_nvram, nvram_fields);

#define T os_boot
static const struct field os_boot_fields[] = { F_TEXT("@dev", dev) };
#undef T
const struct record os_boot_record = RECORD(os_boot, os_boot_fields);

#define T os_bootmenu
static const struct field bootmenu_fields[] = {
	F_ENUM("@enable", enable, yes_no_names),
	F_NUM("@timeout", timeout, 0, 65535),
};
#undef T
static const struct record bootmenu_record = RECORD(os_bootmenu, bootmenu_fields);

#define T os_bios
static const struct field bios_fields[] = {
	F_ENUM("@useserial", useserial, yes_no_names),
	F_NUM("@rebootTimeout", reboot_timeout, -1, 65535),
};
#undef T
static const struct record bios_record = RECORD(os_bios, bios_fields);

#define T os_smbios
static const struct field smbios_fields[] = { F_TEXT("@mode", mode) };
#undef T
static const struct record smbios_record = RECORD(os_smbios, smbios_fields);

#define T domain_os
static const struct field os_fields[] = {
	F_TEXT("@firmware", firmware),
	F_STRUCT("type", type, os_type_record),
	F_KEEP("init", kept_init),
	F_KEEP("initarg", kept_initarg),
	F_KEEP("firmware", kept_firmware),
	F_STRUCT("loader", loader, loader_record),
	F_STRUCT("nvram", nvram, nvram_record),
	F_TEXT("kernel", kernel),
	F_TEXT("initrd", initrd),
	F_TEXT("cmdline", cmdline),
	F_TEXT("dtb", dtb),
	F_KEEP("shim", kept_shim),
	F_KEEP("acpi", kept_acpi),
	F_LIST("boot", boots, boot_count, os_boot_record, 16),
	F_STRUCT("bootmenu", bootmenu, bootmenu_record),
	F_STRUCT("smbios", smbios, smbios_record),
	F_STRUCT("bios", bios, bios_record),
};
#undef T
static const struct record os_record = RECORD(domain_os, os_fields);

#define T feature_state
static const struct field state_fields[] = {
	F_SELF(set),
	F_ENUM("@state", state, on_off_names),
};
#undef T
static const struct record state_record = RECORD(feature_state, state_fields);

#define T feature_apic
static const struct field apic_fields[] = { F_SELF(set), F_ENUM("@eoi", eoi, on_off_names) };
#undef T
static const struct record apic_record = RECORD(feature_apic, apic_fields);

#define T feature_ioapic
static const struct field ioapic_fields[] = { F_TEXT("@driver", driver) };
#undef T
static const struct record ioapic_record = RECORD(feature_ioapic, ioapic_fields);

#define T domain_features
static const struct field features_fields[] = {
	F_FLAG("acpi", acpi),
	F_STRUCT("apic", apic, apic_record),
	F_FLAG("pae", pae),
	F_STRUCT("hap", hap, state_record),
	F_FLAG("viridian", viridian),
	F_FLAG("privnet", privnet),
	F_KEEP("hyperv", kept_hyperv),
	F_KEEP("kvm", kept_kvm),
	F_KEEP("xen", kept_xen),
	F_STRUCT("pvspinlock", pvspinlock, state_record),
	F_STRUCT("pmu", pmu, state_record),
	F_STRUCT("vmport", vmport, state_record),
	F_KEEP("smm", kept_smm),
	F_STRUCT("ioapic", ioapic, ioapic_record),
	F_STRUCT("vmcoreinfo", vmcoreinfo, state_record),
	F_KEEP("capabilities", kept_capabilities),
	F_KEEP("gic", kept_gic),
	F_KEEP("hpt", kept_hpt),
	F_KEEP("htm", kept_htm),
	F_KEEP("msrs", kept_msrs),
	F_KEEP("tcg", kept_tcg),
	F_KEEP("ibs", kept_ibs),
	F_KEEP("async-teardown", kept_async_teardown),
	F_KEEP("nested-hv", kept_nested_hv),
	F_KEEP("ccf-assist", kept_ccf_assist),
	F_KEEP("cfpc", kept_cfpc),
	F_KEEP("sbbc", kept_sbbc),
	F_KEEP("ras", kept_ras),
	F_KEEP("ps2", kept_ps2),
};
#undef T
static const struct record features_record = RECORD(domain_features, features_fields);

#define T cpu_model
static const struct field cpu_model_fields[] = {
	F_TEXT("@fallback", fallback),
	F_TEXT("@vendor_id", vendor_id),
	F_TEXT("", name),
};
#undef T
static const struct record cpu_model_record = RECORD(cpu_model, cpu_model_fields);

#define T cpu_topology
static const struct field topology_fields[] = {
	F_NUM("@sockets", sockets, 1, UINT16_MAX),   F_NUM("@dies", dies, 1, UINT16_MAX),
	F_NUM("@clusters", clusters, 1, UINT16_MAX), F_NUM("@cores", cores, 1, UINT16_MAX),
	F_NUM("@threads", threads, 1, UINT16_MAX),
};
#undef T
static const struct record topology_record = RECORD(cpu_topology, topology_fields);

#define T cpu_cache
static const struct field cache_fields[] = {
	F_NUM("@level", level, 1, 3),
	F_TEXT("@mode", mode),
};
#undef T
static const struct record cache_record = RECORD(cpu_cache, cache_fields);

#define T cpu_feature
static const struct field cpu_feature_fields[] = {
	F_TEXT("@policy", policy),
	F_TEXT("@name", name),
};
#undef T
static const struct record cpu_feature_record = RECORD(cpu_feature, cpu_feature_fields);

#define T domain_cpu
static const struct field cpu_fields[] = {
	F_TEXT("@mode", mode),
	F_TEXT("@match", match),
	F_TEXT("@check", check),
	F_ENUM("@migratable", migratable, on_off_names),
	F_TEXT("@deprecated_features", deprecated_features),
	F_STRUCT("model", model, cpu_model_record),
	F_TEXT("vendor", vendor),
	F_STRUCT("topology", topology, topology_record),
	F_STRUCT("cache", cache, cache_record),
	F_KEEP("maxphysaddr", kept_maxphysaddr),
	F_LIST("feature", features, feature_count, cpu_feature_record, 1024),
	F_KEEP("numa", kept_numa),
};
#undef T
const struct record cpu_record = RECORD(domain_cpu, cpu_fields);

#define T clock_timer
static const struct field timer_fields[] = {
	F_TEXT("@name", name),
	F_TEXT("@track", track),
	F_TEXT("@tickpolicy", tickpolicy),
	F_NUM("@frequency", frequency, 0, INT64_MAX),
	F_TEXT("@mode", mode),
	F_ENUM("@present", present, yes_no_names),
	F_KEEP("catchup", kept_catchup),
};
#undef T
static const struct record timer_record = RECORD(clock_timer, timer_fields);

#define T domain_clock
static const struct field clock_fields[] = {
	F_TEXT("@offset", offset),
	F_TEXT("@adjustment", adjustment),
	F_TEXT("@basis", basis),
	F_TEXT("@timezone", timezone),
	F_NUM("@start", start, INT64_MIN, INT64_MAX),
	F_LIST("timer", timers, timer_count, timer_record, 16),
};
#undef T
static const struct record clock_record = RECORD(domain_clock, clock_fields);

#define T pm_state
static const struct field pm_state_fields[] = { F_ENUM("@enabled", enabled, yes_no_names) };
#undef T
static const struct record pm_state_record = RECORD(pm_state, pm_state_fields);

#define T domain_pm
static const struct field pm_fields[] = {
	F_STRUCT("suspend-to-mem", mem, pm_state_record),
	F_STRUCT("suspend-to-disk", disk, pm_state_record),
};
#undef T
static const struct record pm_record = RECORD(domain_pm, pm_fields);

#define T                     domain_devices
#define F_DEVICES(x, m, n, r) F_LIST(x, m, n, r, DEVICES_MAX)
static const struct field devices_fields[] = {
	F_TEXT("emulator", emulator),
	F_DEVICES("disk", disks, disk_count, disk_record),
	F_DEVICES("controller", controllers, controller_count, controller_record),
	F_KEEP("lease", kept_lease),
	F_KEEP("filesystem", kept_filesystem),
	F_DEVICES("interface", interfaces, interface_count, interface_record),
	F_KEEP("smartcard", kept_smartcard),
	F_DEVICES("serial", serials, serial_count, char_record),
	F_DEVICES("parallel", parallels, parallel_count, char_record),
	F_DEVICES("console", consoles, console_count, char_record),
	F_DEVICES("channel", channels, channel_count, char_record),
	F_DEVICES("input", inputs, input_count, input_record),
	F_DEVICES("tpm", tpms, tpm_count, tpm_record),
	F_DEVICES("graphics", graphics, graphics_count, graphics_record),
	F_DEVICES("sound", sounds, sound_count, sound_record),
	F_DEVICES("audio", audios, audio_count, audio_record),
	F_DEVICES("video", videos, video_count, video_record),
	F_KEEP("hostdev", kept_hostdev),
	F_KEEP("redirdev", kept_redirdev),
	F_KEEP("redirfilter", kept_redirfilter),
	F_KEEP("hub", kept_hub),
	F_DEVICES("watchdog", watchdogs, watchdog_count, watchdog_record),
	F_LIST("memballoon", memballoons, memballoon_count, memballoon_record, 1),
	F_DEVICES("rng", rngs, rng_count, rng_record),
	F_KEEP("nvram", kept_nvram),
	F_DEVICES("panic", panics, panic_count, panic_record),
	F_KEEP("shmem", kept_shmem),
	F_KEEP("memory", kept_memory),
	F_KEEP("iommu", kept_iommu),
	F_LIST("vsock", vsocks, vsock_count, vsock_record, 1),
	F_KEEP("crypto", kept_crypto),
	F_KEEP("pstore", kept_pstore),
};
#undef F_DEVICES
#undef T
const struct record devices_record = RECORD(domain_devices, devices_fields);

#define F_QEMU(x, m)                                                                   \
	{                                                                              \
		.name = (x), .kind = FIELD_KEEP, .offset = offsetof(struct domain, m), \
		.namespace = "http://libvirt.org/schemas/domain/qemu/1.0"              \
	}

#define T domain
static const struct field domain_fields[] = {
	F_ENUM("@type", type, domain_type_names),
	{ .name = "@id",
	  .kind = FIELD_NUMBER,
	  .offset = offsetof(struct domain, id),
	  .min = -1,
	  .max = INT32_MAX,
	  .marks = FIELD_LIVE },
	F_TEXT("name", name),
	F_TEXT("uuid", uuid),
	F_STRUCT("genid", genid, genid_record),
	F_TEXT("title", title),
	F_TEXT("description", description),
	F_KEEP("metadata", metadata),
	F_KEEP("maxMemory", kept_max_memory),
	F_SIZE("memory", memory),
	F_SIZE("currentMemory", current_memory),
	F_STRUCT("blkiotune", blkiotune, blkiotune_record),
	F_STRUCT("memtune", memtune, memtune_record),
	F_KEEP("memoryBacking", kept_memory_backing),
	F_STRUCT("vcpu", vcpu, vcpu_record),
	F_KEEP("vcpus", kept_vcpus),
	F_KEEP("iothreads", kept_iothreads),
	F_KEEP("iothreadids", kept_iothreadids),
	F_KEEP("defaultiothread", kept_defaultiothread),
	F_STRUCT("cputune", cputune, cputune_record),
	F_KEEP("numatune", kept_numatune),
	F_KEEP("resource", kept_resource),
	F_KEEP("sysinfo", kept_sysinfo),
	F_KEEP("bootloader", kept_bootloader),
	F_KEEP("bootloader_args", kept_bootloader_args),
	F_STRUCT("os", os, os_record),
	F_KEEP("idmap", kept_idmap),
	F_KEEP("throttlegroups", kept_throttlegroups),
	F_STRUCT("features", features, features_record),
	F_STRUCT("cpu", cpu, cpu_record),
	F_STRUCT("clock", clock, clock_record),
	F_ENUM("on_poweroff", on_poweroff, on_event_names),
	F_ENUM("on_reboot", on_reboot, on_event_names),
	F_ENUM("on_crash", on_crash, on_event_names),
	F_TEXT("on_lockfailure", on_lockfailure),
	F_STRUCT("pm", pm, pm_record),
	F_KEEP("perf", kept_perf),
	F_STRUCT("devices", devices, devices_record),
	F_KEEP("seclabel", kept_seclabel),
	F_KEEP("keywrap", kept_keywrap),
	F_KEEP("launchSecurity", kept_launch_security),
	F_QEMU("commandline", qemu_commandline),
	F_QEMU("capabilities", qemu_capabilities),
	F_QEMU("override", qemu_override),
	F_QEMU("deprecation", qemu_deprecation),
};
#undef T
const struct record domain_record = RECORD(domain, domain_fields);
