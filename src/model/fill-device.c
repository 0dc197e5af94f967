/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fill-device.c - the step fill in, of devices: models, names, MAC and PCI addresses
 */
#include <string.h>

#include "model/device-int.h"
#include "model/fields-int.h"
#include "model/fill-int.h"

static enum disk_bus bus_of_target(const char *dev, enum disk_device device)
{
	static const struct {
		char prefix[4];
		enum disk_bus bus;
	} prefixes[] = {
		{ "vd", BUS_VIRTIO }, { "hd", BUS_IDE },  { "sd", BUS_SCSI },
		{ "fd", BUS_FDC },    { "xvd", BUS_XEN }, { "ubd", BUS_UML },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(prefixes); i++) {
		if (dev && g_str_has_prefix(dev, prefixes[i].prefix))
			return prefixes[i].bus;
	}
	if (device == DISK_FLOPPY)
		return BUS_FDC;
	return BUS_VIRTIO;
}

/* Where a drive is on its controller, from the letter of its name: the host's habit. */
static void fill_drive(struct domain_disk *disk)
{
	struct device_address *at = &disk->info.address;
	const char *dev = disk->target.dev;
	size_t len = dev ? strlen(dev) : 0;
	int64_t n = len >= 3 && g_ascii_islower(dev[len - 1]) ? dev[len - 1] - 'a' : 0;
	int64_t per_bus = disk->target.bus == BUS_IDE || disk->target.bus == BUS_FDC ? 2 : 1;
	bool many = disk->target.bus == BUS_SATA || disk->target.bus == BUS_SCSI;

	if (at->type != ADDRESS_ABSENT)
		return;
	if (!many && disk->target.bus != BUS_IDE && disk->target.bus != BUS_FDC)
		return;
	at->type = ADDRESS_DRIVE;
	at->controller = number_of(disk->target.bus == BUS_IDE ? n / 4 : 0);
	at->bus = number_of(disk->target.bus == BUS_IDE ? n / per_bus % 2 : 0);
	at->target = number_of(0);
	at->unit = number_of(many ? n : n % per_bus);
}

static void fill_disk(struct domain_disk *disk)
{
	if (disk->type == DISK_TYPE_ABSENT)
		disk->type = DISK_FILE;
	if (disk->device == DISK_DEVICE_ABSENT)
		disk->device = DISK_DISK;
	text_default(&disk->driver.name, "qemu");
	/* Never guessed from the image: whoever writes the image would choose. */
	text_default(&disk->driver.type, "raw");
	if (disk->target.bus == BUS_ABSENT)
		disk->target.bus = bus_of_target(disk->target.dev, disk->device);
	if (disk->device == DISK_CDROM)
		disk->readonly = true;
	fill_drive(disk);
}

static void fill_interface(struct domain_interface *interface)
{
	if (interface->type == INTERFACE_ABSENT)
		interface->type = INTERFACE_USER;
	if (!interface->mac.address) {
		guint32 n = g_random_int();

		interface->mac.address = g_strdup_printf("52:54:00:%02x:%02x:%02x", n & 0xff,
							 n >> 8 & 0xff, n >> 16 & 0xff);
	}
	text_default(&interface->model.type, "virtio");
}

static void fill_chars(struct domain_char *list, unsigned count, const char *target,
		       const char *model)
{
	for (unsigned i = 0; i < count; i++) {
		struct domain_char *chr = &list[i];

		if (chr->type == CHAR_ABSENT)
			chr->type = CHAR_PTY;
		if (target)
			text_default(&chr->target.type, target);
		/* Channels go by names; guestfwd's port is one of the network. */
		if (!chr->target.name && g_strcmp0(chr->target.type, "guestfwd") != 0)
			number_default(&chr->target.port, i);
		if (model && !strcmp(chr->target.type, target))
			text_default(&chr->target.model.name, model);
	}
}

void fill_console_pair(struct domain_devices *d)
{
	struct domain_char *serial, *console;
	bool wants_serial = d->console_count && (!d->consoles[0].target.type ||
						 !strcmp(d->consoles[0].target.type, "serial"));

	if (d->serial_count && !d->console_count) {
		console = list_add(&char_record, &d->consoles, &d->console_count);
		record_copy(&char_record, console, &d->serials[0]);
		g_free(console->target.type);
		g_free(console->target.model.name);
		console->target.type = g_strdup("serial");
		console->target.model.name = NULL;
		console->target.port = number_of(0);
	} else if (wants_serial && !d->serial_count) {
		serial = list_add(&char_record, &d->serials, &d->serial_count);
		record_copy(&char_record, serial, &d->consoles[0]);
		g_free(serial->target.type);
		serial->target.type = NULL;
		serial->target.port = number_of(0);
	}
}

static void fill_graphics(struct domain_graphics *graphics)
{
	bool addressed = graphics->type == GRAPHICS_VNC || graphics->type == GRAPHICS_SPICE;
	struct graphics_listen *listen;

	if (!addressed || graphics->socket)
		return;
	number_default(&graphics->port, -1);
	if (graphics->autoport == TRI_ABSENT)
		graphics->autoport = graphics->port.value == -1 ? TRI_YES : TRI_NO;
	if (!graphics->listen_count) {
		listen = list_add(&graphics_listen_record, &graphics->listens,
				  &graphics->listen_count);
		listen->type = g_strdup("address");
		listen->address = g_strdup(graphics->listen ? graphics->listen : "127.0.0.1");
	}
	if (!graphics->listen && graphics->listens[0].address)
		graphics->listen = g_strdup(graphics->listens[0].address);
}

static void fill_video(struct domain_video *video, bool first)
{
	text_default(&video->model.type, "vga");
	if (!strcmp(video->model.type, "none"))
		return;
	number_default(&video->model.heads, 1);
	if (first && video->model.primary == TRI_ABSENT)
		video->model.primary = TRI_YES;
}

static void fill_others(struct domain_devices *d)
{
	for (unsigned i = 0; i < d->graphics_count; i++)
		fill_graphics(&d->graphics[i]);
	for (unsigned i = 0; i < d->video_count; i++)
		fill_video(&d->videos[i], i == 0);
	for (unsigned i = 0; i < d->input_count; i++)
		text_default(&d->inputs[i].bus, "ps2");
	for (unsigned i = 0; i < d->watchdog_count; i++) {
		text_default(&d->watchdogs[i].model, "i6300esb");
		text_default(&d->watchdogs[i].action, "reset");
	}
	for (unsigned i = 0; i < d->memballoon_count; i++)
		text_default(&d->memballoons[i].model, "virtio");
	for (unsigned i = 0; i < d->rng_count; i++) {
		text_default(&d->rngs[i].model, "virtio");
		text_default(&d->rngs[i].backend.model, "random");
		if (!strcmp(d->rngs[i].backend.model, "random"))
			text_default(&d->rngs[i].backend.path, "/dev/urandom");
	}
	for (unsigned i = 0; i < d->panic_count; i++)
		text_default(&d->panics[i].model, "isa");
	for (unsigned i = 0; i < d->vsock_count; i++) {
		text_default(&d->vsocks[i].model, "virtio");
		if (!d->vsocks[i].cid.address.set && d->vsocks[i].cid.automatic == TRI_ABSENT)
			d->vsocks[i].cid.automatic = TRI_YES;
	}
}

static void fill_addresses(struct domain_devices *devices, uint32_t used)
{
	g_autoptr(GArray) refs = device_refs(devices);

	used |= device_slots(devices) | 1;
	for (unsigned i = 0; i < refs->len; i++) {
		const struct device_ref *ref = &g_array_index(refs, struct device_ref, i);
		struct device_address *at = &ref->info->address;

		/* Nothing is left to give: the step check says so. */
		if (!ref->on_pci || at->type != ADDRESS_ABSENT || used == UINT32_MAX)
			continue;
		at->type = ADDRESS_PCI;
		at->slot = number_of(__builtin_ctz(~used));
		used |= 1u << at->slot.value;
	}
	for (unsigned i = 0; i < refs->len; i++) {
		struct device_address *at =
			&g_array_index(refs, struct device_ref, i).info->address;

		if (at->type != ADDRESS_PCI)
			continue;
		number_default(&at->domain, 0);
		number_default(&at->bus, 0);
		number_default(&at->slot, 0);
		number_default(&at->function, 0);
	}
}

static void forget_run(struct domain_interface *interface)
{
	/* The name of a tap of some machine that ran, made up by whoever ran it. */
	if (interface->target.dev && (g_str_has_prefix(interface->target.dev, "vnet") ||
				      g_str_has_prefix(interface->target.dev, "macvtap")))
		g_clear_pointer(&interface->target.dev, g_free);
	/* What its network meant then. */
	if (interface->type == INTERFACE_NETWORK) {
		g_clear_pointer(&interface->source.portid, g_free);
		g_clear_pointer(&interface->source.bridge, g_free);
		g_clear_pointer(&interface->source.dev, g_free);
		g_clear_pointer(&interface->source.mode, g_free);
	}
}

void fill_no_traces(struct domain_devices *devices)
{
	g_autoptr(GArray) refs = device_refs(devices);

	for (unsigned i = 0; i < refs->len; i++) {
		char **name = &g_array_index(refs, struct device_ref, i).info->alias.name;

		/* A user's own start like this. */
		if (*name && !g_str_has_prefix(*name, "ua-"))
			g_clear_pointer(name, g_free);
	}
	for (unsigned i = 0; i < devices->interface_count; i++)
		forget_run(&devices->interfaces[i]);
}

void fill_devices(struct domain_devices *d, uint32_t used_slots)
{
	for (unsigned i = 0; i < d->disk_count; i++)
		fill_disk(&d->disks[i]);
	for (unsigned i = 0; i < d->interface_count; i++)
		fill_interface(&d->interfaces[i]);
	fill_chars(d->serials, d->serial_count, "isa-serial", "isa-serial");
	fill_chars(d->parallels, d->parallel_count, NULL, NULL);
	fill_chars(d->consoles, d->console_count, "serial", NULL);
	fill_chars(d->channels, d->channel_count, "virtio", NULL);
	fill_others(d);
	fill_addresses(d, used_slots);
}
