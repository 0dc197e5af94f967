/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fill-capabilities.c - the steps fill in and check, of what a host and its machines can have
 */
#include <inttypes.h>
#include <string.h>

#include "model/capabilities.h"
#include "model/domain.h"
#include "model/fields-int.h"
#include "model/fill-int.h"
#include "model/say-int.h"

static unsigned max_vcpus(const struct support *support)
{
	return support->max_vcpus ? support->max_vcpus : DOMAIN_VCPUS_MAX;
}

static void add_domain(struct caps_arch *arch, const char *type)
{
	struct caps_domain *domain =
		list_add(&caps_domain_record, &arch->domains, &arch->domain_count);

	domain->type = g_strdup(type);
}

static void add_guest(struct capabilities *capabilities, const struct support *support)
{
	struct caps_guest *guest =
		list_add(&caps_guest_record, &capabilities->guests, &capabilities->guest_count);
	struct caps_arch *arch = &guest->arch;
	struct caps_machine *machine =
		list_add(&caps_machine_record, &arch->machines, &arch->machine_count);

	guest->os_type = g_strdup("hvm");
	arch->name = g_strdup("x86_64");
	arch->wordsize = number_of(64);
	arch->emulator = g_strdup(support->emulator);
	machine->name = g_strdup("pc");
	machine->max_cpus = number_of(max_vcpus(support));
	if (support->test) {
		add_domain(arch, "test");
	} else {
		add_domain(arch, "qemu");
		if (support->kvm)
			add_domain(arch, "kvm");
	}
	guest->features.acpi = (struct caps_toggle){ true, TRI_YES, TRI_NO };
	guest->features.apic = (struct caps_toggle){ true, TRI_YES, TRI_NO };
	guest->features.cpuselection = true;
	guest->features.deviceboot = true;
	guest->features.disksnapshot = (struct caps_toggle){ true, TRI_YES, TRI_NO };
}

void capabilities_fill(struct capabilities *capabilities, const struct support *support)
{
	struct caps_host *host = &capabilities->host;
	struct caps_cells *cells = &host->topology.cells;

	text_default(&host->cpu.arch, "x86_64");
	host->power.set = true;
	if (host->iommu.support == TRI_ABSENT)
		host->iommu.support = TRI_NO;
	if (cells->count)
		number_default(&cells->num, cells->count);
	for (unsigned i = 0; i < cells->count; i++) {
		number_default(&cells->list[i].id, i);
		number_default(&cells->list[i].cpus.num, cells->list[i].cpus.count);
	}
	if (!capabilities->guest_count)
		add_guest(capabilities, support);
}

bool capabilities_check(const struct capabilities *capabilities, GError **error)
{
	if (!capabilities->host.cpu.arch)
		return model_error(error, SOCLE_ERROR_USAGE,
				   "the capabilities have no architecture; fill them in");
	if (capabilities->host.uuid && !g_uuid_string_is_valid(capabilities->host.uuid))
		return model_error(error, SOCLE_ERROR_USAGE,
				   "the host's UUID '%.64s' is none; leave it out",
				   capabilities->host.uuid);
	for (unsigned i = 0; i < capabilities->guest_count; i++) {
		const struct caps_arch *arch = &capabilities->guests[i].arch;

		if (!capabilities->guests[i].os_type || !arch->name || !arch->wordsize.set)
			return model_error(
				error, SOCLE_ERROR_USAGE,
				"guest %u lacks os_type, architecture or wordsize; give all", i);
		if (!arch->domain_count)
			return model_error(
				error, SOCLE_ERROR_USAGE,
				"guest %u has no <domain>, and clients cannot install without; "
				"give one",
				i);
	}
	if (!capabilities->guest_count)
		return model_error(error, SOCLE_ERROR_USAGE,
				   "the capabilities have no <guest>, and clients cannot install "
				   "without; give one");
	return true;
}

/* Add an enum; @values ends in NULL, and a NULL name is for values without one. */
static void add_enum(struct caps_enum **list, unsigned *count, const char *name,
		     const char *const *values)
{
	struct caps_enum *e = list_add(&caps_enum_record, list, count);

	e->name = g_strdup(name);
	for (unsigned i = 0; values[i]; i++) {
		struct caps_text *value = list_add(&caps_text_record, &e->values, &e->value_count);

		value->text = g_strdup(values[i]);
	}
}

#define GROUP_ENUM(group, name, ...)                          \
	add_enum(&(group)->enums, &(group)->enum_count, name, \
		 (const char *const[]){ __VA_ARGS__, NULL })

static void fill_os(struct domain_caps *caps, const struct support *support)
{
	struct caps_os *os = &caps->os;
	const char *firmware[] = { support->bios ? "bios" : NULL, support->uefi ? "efi" : NULL };

	os->supported = TRI_YES;
	if (!support->bios) {
		firmware[0] = firmware[1];
		firmware[1] = NULL;
	}
	add_enum(&os->enums, &os->enum_count, "firmware",
		 (const char *const[]){ firmware[0], firmware[1], NULL });
	os->loader.supported = TRI_YES;
	GROUP_ENUM(&os->loader, "type", "rom", support->uefi ? "pflash" : NULL);
	GROUP_ENUM(&os->loader, "readonly", "yes", "no");
	GROUP_ENUM(&os->loader, "secure", "no");
}

static struct caps_cpu_mode *add_mode(struct domain_caps *caps, const char *name)
{
	struct caps_cpu_mode *mode =
		list_add(&caps_cpu_mode_record, &caps->cpu.list, &caps->cpu.count);

	mode->name = g_strdup(name);
	mode->supported = TRI_YES;
	return mode;
}

static void fill_cpu(struct domain_caps *caps)
{
	static const char *const migratable[] = { "on", "off", NULL };
	static const char *const models[] = { "v2", "max" };
	struct caps_cpu_mode *mode;

	mode = add_mode(caps, "host-passthrough");
	add_enum(&mode->enums, &mode->enum_count, "hostPassthroughMigratable", migratable);
	mode = add_mode(caps, "maximum");
	add_enum(&mode->enums, &mode->enum_count, "maximumMigratable", migratable);
	mode = add_mode(caps, "host-model");
	mode->supported = TRI_NO;
	mode = add_mode(caps, "custom");
	for (size_t i = 0; i < G_N_ELEMENTS(models); i++) {
		struct caps_model *model =
			list_add(&caps_model_record, &mode->models, &mode->model_count);

		model->name = g_strdup(models[i]);
		model->usable = g_strdup("yes");
		model->vendor = g_strdup("unknown");
	}
}

static void fill_devices_caps(struct caps_devices *d, const struct support *support)
{
	struct caps_group *const absent[] = { &d->hostdev, &d->filesystem, &d->tpm, &d->redirdev };

	for (size_t i = 0; i < G_N_ELEMENTS(absent); i++)
		absent[i]->supported = TRI_NO;
	d->disk.supported = TRI_YES;
	GROUP_ENUM(&d->disk, "diskDevice", "disk", "cdrom");
	GROUP_ENUM(&d->disk, "bus", "virtio");
	GROUP_ENUM(&d->disk, "model", "virtio", "virtio-transitional", "virtio-non-transitional");
	d->graphics.supported = support->vnc ? TRI_YES : TRI_NO;
	d->video.supported = support->vnc ? TRI_YES : TRI_NO;
	if (support->vnc) {
		GROUP_ENUM(&d->graphics, "type", "vnc");
		GROUP_ENUM(&d->video, "modelType", "vga", "bochs", "none");
	}
	d->rng.supported = TRI_YES;
	GROUP_ENUM(&d->rng, "model", "virtio", "virtio-transitional", "virtio-non-transitional");
	GROUP_ENUM(&d->rng, "backendModel", "random", "builtin");
	d->channel.supported = TRI_YES;
	GROUP_ENUM(&d->channel, "type", "pty", "unix");
}

static void fill_features(struct caps_features *f)
{
	struct caps_group *const absent[] = { &f->gic, &f->vmcoreinfo, &f->backup, &f->sev,
					      &f->sgx };

	for (size_t i = 0; i < G_N_ELEMENTS(absent); i++)
		absent[i]->supported = TRI_NO;
	f->genid.supported = TRI_YES;
	f->backing_store_input.supported = TRI_NO;
}

void domain_caps_fill(struct domain_caps *caps, const struct support *support)
{
	text_default(&caps->path, support->emulator);
	text_default(&caps->domain, support->test ? "test" : support->kvm ? "kvm" : "qemu");
	text_default(&caps->machine, "pc");
	text_default(&caps->arch, "x86_64");
	number_default(&caps->vcpu.max, max_vcpus(support));
	caps->iothreads.supported = TRI_NO;
	caps->memory_backing.supported = TRI_NO;
	if (caps->os.supported == TRI_ABSENT) {
		fill_os(caps, support);
		fill_cpu(caps);
		fill_devices_caps(&caps->devices, support);
		fill_features(&caps->features);
	}
}

bool domain_caps_check(const struct domain_caps *caps, const struct support *support,
		       GError **error)
{
	bool test = !strcmp(caps->domain, "test") && support->test;
	bool kvm = !strcmp(caps->domain, "kvm") && support->kvm;

	if (!test && !kvm && strcmp(caps->domain, "qemu") != 0)
		return model_error(
			error, SOCLE_ERROR_UNSUPPORTED,
			"domains of type '%.64s' do not run on this host; ask for 'qemu'",
			caps->domain);
	if (strcmp(caps->arch, "x86_64") != 0)
		return model_error(error, SOCLE_ERROR_UNSUPPORTED,
				   "the architecture '%.64s' does not run here; ask for x86_64",
				   caps->arch);
	if (strcmp(caps->machine, "pc") != 0 && strcmp(caps->machine, "q35") != 0 &&
	    !g_str_has_prefix(caps->machine, "pc-"))
		return model_error(error, SOCLE_ERROR_UNSUPPORTED,
				   "the machine type '%.64s' is not there; ask for pc",
				   caps->machine);
	if (support->emulator && strcmp(caps->path, support->emulator) != 0)
		return model_error(error, SOCLE_ERROR_UNSUPPORTED,
				   "the emulator '%.128s' is not used; ask for none or for '%s'",
				   caps->path, support->emulator);
	return true;
}
