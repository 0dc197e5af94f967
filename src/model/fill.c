/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fill.c - the step fill in, of a domain
 *
 * Only what is absent is set, so filling in twice is filling in once.
 */
#include <string.h>

#include "model/device-int.h"
#include "model/domain.h"
#include "model/fields-int.h"
#include "model/fill-int.h"

static void fill_os(struct domain *domain)
{
	struct domain_os *os = &domain->os;
	bool ordered = false;
	struct os_boot *boot;

	text_default(&os->type.name, "hvm");
	text_default(&os->type.arch, "x86_64");
	text_default(&os->type.machine, "pc");
	for (unsigned i = 0; i < domain->devices.disk_count; i++)
		ordered |= domain->devices.disks[i].boot.order.set;
	for (unsigned i = 0; i < domain->devices.interface_count; i++)
		ordered |= domain->devices.interfaces[i].boot.order.set;
	if (!os->boot_count && !os->kernel && !ordered) {
		boot = list_add(&os_boot_record, &os->boots, &os->boot_count);
		boot->dev = g_strdup("hd");
	}
}

static void fill_cpu(struct domain *domain)
{
	struct domain_cpu *cpu = &domain->cpu;
	bool passed;

	/* Without it the machine has its own default, which may get better; so none is written. */
	if (record_is_empty(&cpu_record, cpu, 0))
		return;
	if (cpu->model.name || cpu->match)
		text_default(&cpu->mode, "custom");
	if (!cpu->mode)
		return;
	passed = !strcmp(cpu->mode, "host-passthrough") || !strcmp(cpu->mode, "maximum");
	if (passed && cpu->migratable == TRI_ABSENT)
		cpu->migratable = TRI_YES;
	if (passed || domain->type != DOMAIN_KVM)
		text_default(&cpu->check, "none");
	text_default(&cpu->check, "partial");
	if (!strcmp(cpu->mode, "custom")) {
		text_default(&cpu->match, "exact");
		if (cpu->model.name)
			text_default(&cpu->model.fallback, "allow");
	}
}

static void fill_memory(struct domain *domain)
{
	if (!domain->memory.set && domain->current_memory.set)
		domain->memory = domain->current_memory;
	if (!domain->memory.set)
		return;
	if (!domain->current_memory.set || domain->current_memory.value == 0 ||
	    domain->current_memory.value > domain->memory.value)
		domain->current_memory = domain->memory;
}

static bool has_controller(const struct domain_devices *d, enum controller_type type, int64_t index)
{
	for (unsigned i = 0; i < d->controller_count; i++) {
		const struct domain_controller *controller = &d->controllers[i];

		if (controller->type == type && controller->index.set &&
		    controller->index.value == index)
			return true;
	}
	return false;
}

static void want_controller(struct domain_devices *d, enum controller_type type, int64_t index,
			    const char *model)
{
	struct domain_controller *controller;

	if (has_controller(d, type, index))
		return;
	controller = list_add(&controller_record, &d->controllers, &d->controller_count);
	controller->type = type;
	controller->index = number_of(index);
	controller->model = g_strdup(model);
}

/* Controllers without a number get the next free one of their type. */
static void number_controllers(struct domain_devices *d)
{
	for (unsigned i = 0; i < d->controller_count; i++) {
		struct domain_controller *controller = &d->controllers[i];
		int64_t index = 0;

		if (controller->index.set)
			continue;
		while (has_controller(d, controller->type, index))
			index++;
		controller->index = number_of(index);
	}
}

static bool has_virtio_port(const struct domain_char *list, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		if (list[i].target.type && !strcmp(list[i].target.type, "virtio"))
			return true;
	}
	return false;
}

static void fill_controllers(struct domain *domain)
{
	static const enum controller_type types[BUS_COUNT] = {
		[BUS_IDE] = CONTROLLER_IDE,
		[BUS_SATA] = CONTROLLER_SATA,
		[BUS_SCSI] = CONTROLLER_SCSI,
		[BUS_FDC] = CONTROLLER_FDC,
	};
	struct domain_devices *d = &domain->devices;
	bool express = strstr(domain->os.type.machine, "q35") != NULL;

	number_controllers(d);
	want_controller(d, CONTROLLER_PCI, 0, express ? "pcie-root" : "pci-root");
	for (unsigned i = 0; i < d->disk_count; i++) {
		const struct domain_disk *disk = &d->disks[i];

		if (types[disk->target.bus])
			want_controller(d, types[disk->target.bus],
					disk->info.address.controller.value, NULL);
	}
	if (has_virtio_port(d->consoles, d->console_count) ||
	    has_virtio_port(d->channels, d->channel_count))
		want_controller(d, CONTROLLER_VIRTIO_SERIAL, 0, NULL);
}

/* Whoever looks at a screen can type. */
static void want_input(struct domain_devices *d, const char *type)
{
	struct domain_input *input;

	for (unsigned i = 0; i < d->input_count; i++) {
		if (d->inputs[i].type && !strcmp(d->inputs[i].type, type) && d->inputs[i].bus &&
		    !strcmp(d->inputs[i].bus, "ps2"))
			return;
	}
	input = list_add(&input_record, &d->inputs, &d->input_count);
	input->type = g_strdup(type);
	input->bus = g_strdup("ps2");
}

static void fill_implied(struct domain *domain, const struct support *support)
{
	struct domain_devices *d = &domain->devices;
	struct domain_memballoon *balloon;

	if (support->emulator)
		text_default(&d->emulator, support->emulator);
	if (d->graphics_count) {
		want_input(d, "mouse");
		want_input(d, "keyboard");
	}
	if (d->graphics_count && !d->video_count) {
		struct domain_video *video = list_add(&video_record, &d->videos, &d->video_count);

		video->model.type = g_strdup("vga");
		video->model.heads = (struct number){ .value = 1, .set = true };
		video->model.primary = TRI_YES;
	}
	if (!d->memballoon_count) {
		balloon = list_add(&memballoon_record, &d->memballoons, &d->memballoon_count);
		balloon->model = g_strdup("virtio");
	}
}

void domain_fill_running(struct domain *domain, const struct support *support)
{
	if (domain->type == DOMAIN_TYPE_ABSENT)
		domain->type = support->test  ? DOMAIN_TEST
			       : support->kvm ? DOMAIN_KVM
					      : DOMAIN_QEMU;
	if (!domain->uuid)
		domain->uuid = g_uuid_string_random();
	if (domain->genid.set && !domain->genid.value)
		domain->genid.value = g_uuid_string_random();
	fill_memory(domain);
	number_default(&domain->vcpu.count, 1);
	text_default(&domain->vcpu.placement, "static");
	fill_os(domain);
	fill_cpu(domain);
	text_default(&domain->clock.offset, "utc");
	if (domain->on_poweroff == ON_ABSENT)
		domain->on_poweroff = ON_DESTROY;
	if (domain->on_reboot == ON_ABSENT)
		domain->on_reboot = ON_RESTART;
	if (domain->on_crash == ON_ABSENT)
		domain->on_crash = ON_DESTROY;
	fill_implied(domain, support);
	fill_console_pair(&domain->devices);
	/* Twice: controllers depend on what devices have got, and want addresses themselves. */
	fill_devices(&domain->devices, ~0u);
	fill_controllers(domain);
	fill_devices(&domain->devices, 0);
}

void domain_fill(struct domain *domain, const struct support *support)
{
	domain_fill_running(domain, support);
	fill_no_traces(&domain->devices);
}

void domain_fill_device(struct domain *device, const struct domain *domain,
			const struct support *support)
{
	/* Nothing is changed through the copy, which is taken because a list wants to be writable. */
	struct domain *others = domain_copy(domain);

	(void)support;
	for (unsigned i = 0; i < device->devices.controller_count; i++) {
		struct domain_controller *controller = &device->devices.controllers[i];
		int64_t index = 0;

		while (has_controller(&others->devices, controller->type, index))
			index++;
		number_default(&controller->index, index);
	}
	fill_devices(&device->devices, device_slots(&others->devices));
	fill_no_traces(&device->devices);
	domain_free(others);
}
