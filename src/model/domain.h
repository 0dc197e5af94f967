/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * domain.h - the definition of a machine: <domain>, in four steps
 *
 *	domain_parse()   XML to struct; says nothing of sense
 *	domain_fill()    what was left open gets the value that clients expect
 *	domain_check()   can it be honoured? Refuses, or decides for each device, and tells
 *	domain_format()  struct to XML
 *
 * A definition is given back as it came: what has no effect here stays in it. docs/design/0011-model.md
 * says why. No function here touches the host or keeps state, so all may be called on any thread; a
 * struct belongs to one thread at a time.
 */
#ifndef MODEL_DOMAIN_H
#define MODEL_DOMAIN_H

#include <glib.h>
#include <stddef.h>

#include "base/cleanup.h"
#include "model/device.h"
#include "model/notes.h"
#include "model/support.h"

enum {
	DOMAIN_NAME_MAX = 255, /* bytes: it becomes a file's name */
	DOMAIN_VCPUS_MAX = 255,
};

enum domain_type {
	DOMAIN_TYPE_ABSENT,
	DOMAIN_KVM,
	DOMAIN_QEMU,
	DOMAIN_TEST,  /* of the driver for tests: any hardware will do */
	DOMAIN_OTHER, /* everything else that libvirt knows */
};

enum on_event {
	ON_ABSENT,
	ON_DESTROY,
	ON_RESTART,
	ON_PRESERVE,
	ON_RENAME_RESTART,
	ON_COREDUMP_DESTROY,
	ON_COREDUMP_RESTART,
	ON_COUNT
};

/* Empty: one is to be made. */
struct domain_genid {
	bool set;
	char *value;
};

struct domain_vcpu {
	char *placement, *cpuset;
	struct number current, count;
};

struct pin {
	struct number vcpu; /* absent: the emulator's threads */
	char *cpuset;
};

struct emulator_pin {
	char *cpuset;
};

struct domain_cputune {
	struct number shares, period, quota, global_period, global_quota;
	struct number emulator_period, emulator_quota, iothread_period, iothread_quota;
	struct pin *pins;
	unsigned pin_count;
	struct emulator_pin emulator;
	char *kept_iothreadpin, *kept_vcpusched, *kept_iothreadsched, *kept_emulatorsched,
		*kept_cachetune, *kept_memorytune;
};

struct domain_memtune {
	struct number hard_limit, soft_limit, swap_hard_limit, min_guarantee; /* KiB */
};

struct blkio_device {
	char *path;
	struct number weight, read_bytes_sec, write_bytes_sec, read_iops_sec, write_iops_sec;
};

struct domain_blkiotune {
	struct number weight;
	struct blkio_device *devices;
	unsigned device_count;
};

struct os_type {
	char *arch, *machine, *name;
};

struct os_loader {
	enum tristate readonly, secure, stateless;
	char *type, *format, *path;
};

struct os_nvram {
	bool set;
	char *template, *template_format, *type, *format, *path;
	char *kept_source;
};

struct os_boot {
	char *dev;
};

struct os_bootmenu {
	enum tristate enable;
	struct number timeout;
};

struct os_bios {
	enum tristate useserial;
	struct number reboot_timeout;
};

struct os_smbios {
	char *mode;
};

struct domain_os {
	char *firmware;
	struct os_type type;
	struct os_loader loader;
	struct os_nvram nvram;
	char *kernel, *initrd, *cmdline, *dtb;
	struct os_boot *boots;
	unsigned boot_count;
	struct os_bootmenu bootmenu;
	struct os_bios bios;
	struct os_smbios smbios;
	char *kept_firmware, *kept_acpi, *kept_init, *kept_initarg, *kept_shim;
};

struct feature_state {
	bool set;
	enum tristate state;
};

struct feature_apic {
	bool set;
	enum tristate eoi;
};

struct feature_ioapic {
	char *driver;
};

struct domain_features {
	bool acpi, pae, viridian, privnet;
	struct feature_apic apic;
	struct feature_state hap, pmu, vmport, vmcoreinfo, pvspinlock;
	struct feature_ioapic ioapic;
	char *kept_hyperv, *kept_kvm, *kept_smm, *kept_xen, *kept_capabilities, *kept_gic,
		*kept_hpt, *kept_htm, *kept_msrs, *kept_tcg, *kept_ibs, *kept_async_teardown,
		*kept_nested_hv, *kept_ccf_assist, *kept_cfpc, *kept_sbbc, *kept_ras, *kept_ps2;
};

struct cpu_model {
	char *fallback, *vendor_id, *name;
};

struct cpu_topology {
	struct number sockets, dies, clusters, cores, threads;
};

struct cpu_cache {
	struct number level;
	char *mode;
};

struct cpu_feature {
	char *policy, *name;
};

struct domain_cpu {
	char *mode, *match, *check, *deprecated_features;
	enum tristate migratable;
	struct cpu_model model;
	char *vendor;
	struct cpu_topology topology;
	struct cpu_cache cache;
	struct cpu_feature *features;
	unsigned feature_count;
	char *kept_maxphysaddr, *kept_numa;
};

struct clock_timer {
	char *name, *track, *tickpolicy, *mode;
	enum tristate present;
	struct number frequency;
	char *kept_catchup;
};

struct domain_clock {
	char *offset, *adjustment, *basis, *timezone;
	struct number start;
	struct clock_timer *timers;
	unsigned timer_count;
};

struct pm_state {
	enum tristate enabled;
};

struct domain_pm {
	struct pm_state mem, disk;
};

struct domain {
	enum domain_type type;
	struct number id; /* of a running machine */
	char *name, *uuid, *title, *description;
	struct domain_genid genid;
	char *metadata;                       /* <metadata> as it came */
	struct number memory, current_memory; /* KiB */
	struct domain_blkiotune blkiotune;
	struct domain_memtune memtune;
	struct domain_vcpu vcpu;
	struct domain_cputune cputune;
	struct domain_os os;
	struct domain_features features;
	struct domain_cpu cpu;
	struct domain_clock clock;
	enum on_event on_poweroff, on_reboot, on_crash;
	char *on_lockfailure;
	struct domain_pm pm;
	struct domain_devices devices;
	char *kept_max_memory, *kept_memory_backing, *kept_numatune, *kept_iothreads,
		*kept_iothreadids, *kept_defaultiothread, *kept_vcpus, *kept_resource,
		*kept_sysinfo, *kept_seclabel, *kept_launch_security, *kept_perf, *kept_idmap,
		*kept_keywrap, *kept_throttlegroups, *kept_bootloader, *kept_bootloader_args;
	char *qemu_commandline, *qemu_capabilities, *qemu_override, *qemu_deprecation;
	enum device_fate type_fate, machine_fate; /* from the step check, not in XML */
};

enum domain_parse_flags {
	DOMAIN_PARSE_STRICT = 1 << 0, /* an unknown element or attribute is an error */
	DOMAIN_PARSE_KEPT =
		1 << 1, /* a file of ours: it may be larger than what a stranger sends */
};

enum domain_check_flags {
	/* A machine is to start now: what the host lacks is an error, not a note. */
	DOMAIN_CHECK_START = 1 << 0,
};

enum domain_format_flags {
	DOMAIN_FORMAT_SECURE = 1 << 0,   /* with passwords */
	DOMAIN_FORMAT_INACTIVE = 1 << 1, /* without what only a running machine has */
};

/**
 * domain_parse() - the step parse
 * @flags: of enum domain_parse_flags
 * @notes: gets a sentence for what was ignored; may be NULL
 *
 * Return: the definition, or NULL
 */
struct domain *domain_parse(const char *xml, size_t len, unsigned flags, struct notes *notes,
			    GError **error) G_GNUC_WARN_UNUSED_RESULT;

/**
 * domain_parse_device() - one device, as clients send it to plug it
 *
 * Return: a domain whose devices are just that, or NULL
 */
struct domain *domain_parse_device(const char *xml, size_t len, unsigned flags, struct notes *notes,
				   GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The step fill in. Filling in twice changes nothing. */
void domain_fill(struct domain *domain, const struct support *support);
/* The same for the definition of a machine that runs, whose devices keep their aliases. */
void domain_fill_running(struct domain *domain, const struct support *support);
/* The same for what domain_parse_device() has made: addresses are free in @domain. */
void domain_fill_device(struct domain *device, const struct domain *domain,
			const struct support *support);

/**
 * domain_check() - the step check: can a machine be made of it?
 * @support: what this host has
 * @flags:   of enum domain_check_flags
 * @notes:   gets a sentence for all that is mapped or left out
 *
 * The definition is one that has been filled in; fates are set.
 * Return: false if it is refused
 */
bool domain_check(struct domain *domain, const struct support *support, unsigned flags,
		  struct notes *notes, GError **error) G_GNUC_WARN_UNUSED_RESULT;
/* The same for what domain_parse_device() has made, which is to be plugged into @domain. */
bool domain_check_device(struct domain *device, const struct domain *domain,
			 const struct support *support, unsigned flags, struct notes *notes,
			 GError **error) G_GNUC_WARN_UNUSED_RESULT;

/**
 * domain_check_text() - could the step parse read what the step format writes?
 *
 * Texts that did not come in XML may have characters that XML lacks, and devices that were added one
 * by one may be too many. Who keeps a definition asks this before.
 */
bool domain_check_text(const struct domain *domain, GError **error) G_GNUC_WARN_UNUSED_RESULT;

/* The step format. @flags are of enum domain_format_flags. */
char *domain_format(const struct domain *domain, unsigned flags);
/* The devices alone, one element after the other. */
char *domain_format_devices(const struct domain *domain, unsigned flags);

struct domain *domain_copy(const struct domain *domain);
void domain_free(struct domain *domain);
DEFINE_AUTOPTR(domain, domain_free);

#endif
