/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * run-xml.c - what "socle run" was asked for, and the definition that is made of it
 */
#include "cli/run-xml.h"

#include <fcntl.h>
#include <string.h>

#include "base/error.h"
#include "base/sys.h"
#include "model/domain-own.h"
#include "model/domain.h"

enum {
	HEAD_LEN = 0x8006,    /* bytes, as far as the volume descriptor of a CD */
	KERNEL_MAGIC = 0x202, /* "HdrS" of a Linux kernel */
	CD_MAGIC = 0x8001,
};

void run_machine_release(struct run_machine *machine)
{
	for (unsigned i = 0; i < machine->disk_count; i++) {
		g_free(machine->disks[i].path);
		g_free(machine->disks[i].format);
	}
	for (unsigned i = 0; i < machine->nic_count; i++) {
		g_free(machine->nics[i].type);
		g_free(machine->nics[i].source);
		g_free(machine->nics[i].mac);
	}
	g_free(machine->name);
	g_free(machine->uuid);
	g_free(machine->linked);
	g_free(machine->kernel);
	g_free(machine->initrd);
	g_free(machine->append);
}

/* ---- what is it? ---- */

static bool has(const uint8_t *head, size_t len, size_t off, const char *magic)
{
	size_t size = strlen(magic);

	return off + size <= len && !memcmp(head + off, magic, size);
}

static bool has_suffix(const char *path, const char *const *suffixes)
{
	g_autofree char *lower = g_ascii_strdown(path, -1);

	for (unsigned i = 0; suffixes[i]; i++) {
		if (g_str_has_suffix(lower, suffixes[i]))
			return true;
	}
	return false;
}

static const struct {
	const char *magic, *format;
	const char *suffixes[3];
} formats[] = {
	{ "QFI\xfb", "qcow2", { ".qcow2", ".qcow" } },    { "KDMV", "vmdk", { ".vmdk" } },
	{ "# Disk DescriptorFile", "vmdk", { ".vmdk" } }, { "vhdxfile", "vhdx", { ".vhdx" } },
	{ "conectix", "vpc", { ".vhd", ".vpc" } },        { "<<< ", "vdi", { ".vdi" } },
};

static bool says_format(const char *path, const char *const *raw_names, const uint8_t *head,
			size_t len, const char **ret_format, GError **error)
{
	for (unsigned i = 0; i < G_N_ELEMENTS(formats); i++) {
		if (!has(head, len, 0, formats[i].magic))
			continue;
		if (has_suffix(path, raw_names))
			return error_set(error, SOCLE_ERROR_USAGE,
					 "'%s' is called a raw disk, and begins as %s does; say "
					 "--format=raw or --format=%s",
					 path, formats[i].format, formats[i].format);
		*ret_format = formats[i].format;
		return true;
	}
	for (unsigned i = 0; i < G_N_ELEMENTS(formats); i++) {
		if (has_suffix(path, formats[i].suffixes))
			return error_set(
				error, SOCLE_ERROR_USAGE,
				"'%s' is called a %s image, and is none; say its format by "
				"--format",
				path, formats[i].format);
	}
	if (!has_suffix(path, raw_names))
		return error_set(error, SOCLE_ERROR_USAGE,
				 "cannot tell what '%s' is: no kernel, no CD, no image with a "
				 "header; for a raw disk say --format=raw",
				 path);
	*ret_format = "raw";
	return true;
}

static bool read_head(const char *path, uint8_t *head, size_t *ret_len, GError **error)
{
	autofd int fd = sys_open(path, O_RDONLY | O_NONBLOCK, 0);
	ssize_t len;

	if (fd < 0)
		return error_sys(error, fd, "cannot open '%s'", path);
	len = sys_read_full(fd, head, HEAD_LEN);
	if (len < 0)
		return error_sys(error, (int)len, "cannot read '%s'", path);
	*ret_len = (size_t)len;
	return true;
}

bool run_kind_of(const char *path, const char *format, enum run_kind *ret_kind,
		 const char **ret_format, GError **error)
{
	static const char *const raw_names[] = { ".img", ".raw", NULL };
	static const char *const cd_names[] = { ".iso", NULL };
	g_autofree uint8_t *head = g_malloc(HEAD_LEN);
	size_t len = 0;

	*ret_kind = RUN_DISK;
	if (format) {
		if (!strcmp(format, "kernel"))
			*ret_kind = RUN_KERNEL;
		*ret_format = format;
		return true;
	}
	if (!read_head(path, head, &len, error))
		return false;
	if (has(head, len, 0,
		"\x7f"
		"ELF") ||
	    (has(head, len, KERNEL_MAGIC, "HdrS") && !has_suffix(path, raw_names))) {
		*ret_kind = RUN_KERNEL;
		return true;
	}
	/* A CD is not written to, so there a guess is harmless. */
	if (has(head, len, CD_MAGIC, "CD001") && has_suffix(path, cd_names)) {
		*ret_kind = RUN_CDROM;
		*ret_format = "raw";
		return true;
	}
	return says_format(path, raw_names, head, len, ret_format, error);
}

/* ---- words ---- */

/* "name=value" out of a list; the first word without '=' is @ret_first. */
static bool split(const char *what, const char *text, char **ret_first, const char *const *names,
		  char **ret_values, GError **error)
{
	g_auto(GStrv) words = g_strsplit(text, ",", -1);

	*ret_first = g_strdup(words[0] ? words[0] : "");
	for (unsigned i = 1; words[0] && words[i]; i++) {
		const char *equals = strchr(words[i], '=');
		size_t len = equals ? (size_t)(equals - words[i]) : strlen(words[i]);
		unsigned n = 0;

		while (names[n] &&
		       (strlen(names[n]) != len || strncmp(names[n], words[i], len) != 0))
			n++;
		if (!names[n])
			return error_set(error, SOCLE_ERROR_USAGE,
					 "%s '%s': '%s' is not known there", what, text, words[i]);
		g_free(ret_values[n]);
		ret_values[n] = g_strdup(equals ? equals + 1 : "yes");
	}
	return true;
}

bool run_add_disk(struct run_machine *machine, const char *text, GError **error)
{
	static const char *const names[] = { "format", "readonly", NULL };
	g_autofree char *format = NULL, *readonly = NULL, *path = NULL;
	char *values[2] = { NULL };
	struct run_disk *disk = &machine->disks[machine->disk_count];
	const char *found = NULL;
	enum run_kind kind;
	bool ok;

	if (machine->disk_count == RUN_DISKS_MAX)
		return error_set(error, SOCLE_ERROR_LIMIT, "'socle run' takes %d disks at most",
				 RUN_DISKS_MAX);
	ok = split("disk", text, &path, names, values, error);
	format = values[0];
	readonly = values[1];
	if (!ok || !run_kind_of(path, format, &kind, &found, error))
		return false;
	if (kind == RUN_KERNEL)
		return error_set(error, SOCLE_ERROR_USAGE, "disk '%s' is a kernel", path);
	*disk = (struct run_disk){
		.path = g_canonicalize_filename(path, NULL),
		.format = g_strdup(found),
		.readonly = kind == RUN_CDROM || (readonly && strcmp(readonly, "no") != 0),
		.cdrom = kind == RUN_CDROM,
	};
	machine->disk_count++;
	return true;
}

bool run_add_nic(struct run_machine *machine, const char *text, GError **error)
{
	static const char *const names[] = { "mac", NULL };
	g_autofree char *first = NULL, *mac = NULL;
	char *values[1] = { NULL };
	struct run_nic nic = { NULL };
	const char *equals;
	bool ok = split("network", text, &first, names, values, error);

	mac = values[0];
	if (!ok)
		return false;
	if (!strcmp(first, "none"))
		return true;
	if (machine->nic_count == RUN_NICS_MAX)
		return error_set(error, SOCLE_ERROR_LIMIT,
				 "'socle run' takes %d network cards at most", RUN_NICS_MAX);
	equals = strchr(first, '=');
	if (!strcmp(first, "user")) {
		nic.type = g_strdup("user");
	} else if (equals && equals[1] &&
		   (g_str_has_prefix(first, "bridge=") || g_str_has_prefix(first, "network="))) {
		nic.type = g_strndup(first, (gsize)(equals - first));
		nic.source = g_strdup(equals + 1);
	} else {
		return error_set(error, SOCLE_ERROR_USAGE,
				 "network '%s' is none of none, user, bridge=NAME, network=NAME",
				 text);
	}
	nic.mac = g_steal_pointer(&mac);
	machine->nics[machine->nic_count++] = nic;
	return true;
}

/* ---- the definition ---- */

static void fill_disks(const struct run_machine *machine, struct domain_devices *devices)
{
	devices->disks = g_new0(struct domain_disk, MAX(machine->disk_count, 1));
	devices->disk_count = machine->disk_count;
	for (unsigned i = 0; i < machine->disk_count; i++) {
		const struct run_disk *from = &machine->disks[i];
		struct domain_disk *disk = &devices->disks[i];

		disk->type = g_str_has_prefix(from->path, "/dev/") ? DISK_BLOCK : DISK_FILE;
		if (disk->type == DISK_BLOCK)
			disk->source.dev = g_strdup(from->path);
		else
			disk->source.file = g_strdup(from->path);
		disk->device = from->cdrom ? DISK_CDROM : DISK_DISK;
		disk->driver.name = g_strdup("qemu");
		disk->driver.type = g_strdup(from->format);
		disk->target.dev = g_strdup_printf("%s%c", from->cdrom ? "sd" : "vd", 'a' + i);
		disk->target.bus = from->cdrom ? BUS_SATA : BUS_VIRTIO;
		disk->readonly = from->readonly;
	}
}

static void fill_nics(const struct run_machine *machine, struct domain_devices *devices)
{
	devices->interfaces = g_new0(struct domain_interface, MAX(machine->nic_count, 1));
	devices->interface_count = machine->nic_count;
	for (unsigned i = 0; i < machine->nic_count; i++) {
		const struct run_nic *from = &machine->nics[i];
		struct domain_interface *nic = &devices->interfaces[i];

		nic->type = INTERFACE_USER;
		if (!strcmp(from->type, "bridge")) {
			nic->type = INTERFACE_BRIDGE;
			nic->source.bridge = g_strdup(from->source);
		} else if (!strcmp(from->type, "network")) {
			nic->type = INTERFACE_NETWORK;
			nic->source.network = g_strdup(from->source);
		}
		nic->mac.address = g_strdup(from->mac);
		nic->model.type = g_strdup("virtio");
	}
}

static void fill_others(struct domain_devices *devices)
{
	devices->serials = g_new0(struct domain_char, 1);
	devices->serial_count = 1;
	devices->serials[0].type = CHAR_PTY;
	devices->serials[0].target.port = number_of(0);
	devices->consoles = g_new0(struct domain_char, 1);
	devices->console_count = 1;
	devices->consoles[0].type = CHAR_PTY;
	devices->consoles[0].target.type = g_strdup("serial");
	devices->consoles[0].target.port = number_of(0);
	devices->rngs = g_new0(struct domain_rng, 1);
	devices->rng_count = 1;
	devices->rngs[0].model = g_strdup("virtio");
	devices->rngs[0].backend.model = g_strdup("random");
	devices->rngs[0].backend.path = g_strdup("/dev/urandom");
}

static void fill_boot(const struct run_machine *machine, struct domain_os *os)
{
	os->type.arch = g_strdup("x86_64");
	os->type.name = g_strdup("hvm");
	if (machine->kernel) {
		os->kernel = g_strdup(machine->kernel);
		os->initrd = g_strdup(machine->initrd);
		os->cmdline = g_strdup(machine->append);
		return;
	}
	os->boots = g_new0(struct os_boot, 2);
	if (machine->installs || (machine->disk_count && machine->disks[0].cdrom))
		os->boots[os->boot_count++].dev = g_strdup("cdrom");
	if (machine->installs || !os->boot_count)
		os->boots[os->boot_count++].dev = g_strdup("hd");
}

static enum domain_type type_of(const char *type)
{
	if (!strcmp(type, "kvm"))
		return DOMAIN_KVM;
	return strcmp(type, "test") ? DOMAIN_QEMU : DOMAIN_TEST;
}

char *run_xml(const struct run_machine *machine)
{
	autoptr(domain) domain = g_new0(struct domain, 1);

	domain->type = type_of(machine->type);
	domain->name = g_strdup(machine->name);
	domain->uuid = g_strdup(machine->uuid);
	domain->memory = number_of((int64_t)machine->memory_kib);
	domain->vcpu.count = number_of(machine->cpus);
	domain->features.acpi = domain->features.apic.set = true;
	if (domain->type == DOMAIN_KVM)
		domain->cpu.mode = g_strdup("host-passthrough");
	domain->on_poweroff = domain->on_crash = ON_DESTROY;
	domain->on_reboot = machine->installs ? ON_DESTROY : ON_RESTART;
	fill_boot(machine, &domain->os);
	fill_disks(machine, &domain->devices);
	fill_nics(machine, &domain->devices);
	fill_others(&domain->devices);
	if (machine->linked)
		domain_add_linked(domain, machine->linked);
	return domain_format(domain, DOMAIN_FORMAT_INACTIVE);
}
