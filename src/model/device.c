/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * device.c - all devices of a domain in a row, and the slots of its PCI bus
 */
#include <string.h>

#include "model/device-int.h"

#define EACH(list, count, kind_, name_, on_pci_)                                    \
	for (unsigned i = 0; i < devices->count; i++) {                             \
		__typeof__(devices->list) it = &devices->list[i];                   \
		struct device_ref ref = { &it->info, (kind_), (name_), (on_pci_) }; \
                                                                                    \
		if (!ref.name)                                                      \
			ref.name = "";                                              \
		g_array_append_val(refs, ref);                                      \
	}

static bool is_none(const char *model)
{
	return model && !strcmp(model, "none");
}

/* NOLINTNEXTLINE(readability-function-size): a table, of which each row is a loop */
GArray *device_refs(struct domain_devices *devices)
{
	GArray *refs = g_array_new(FALSE, FALSE, sizeof(struct device_ref));

	EACH(videos, video_count, "video", it->model.type, !is_none(it->model.type));
	EACH(disks, disk_count, "disk", it->target.dev, it->target.bus == BUS_VIRTIO);
	EACH(controllers, controller_count, "controller", it->model,
	     it->type == CONTROLLER_VIRTIO_SERIAL);
	EACH(interfaces, interface_count, "interface", it->mac.address, true);
	EACH(serials, serial_count, "serial", it->target.type, false);
	EACH(parallels, parallel_count, "parallel", NULL, false);
	EACH(consoles, console_count, "console", it->target.type, false);
	EACH(channels, channel_count, "channel", it->target.name, false);
	EACH(inputs, input_count, "input", it->type, false);
	EACH(tpms, tpm_count, "tpm", it->model, false);
	EACH(sounds, sound_count, "sound", it->model, false);
	EACH(watchdogs, watchdog_count, "watchdog", it->model,
	     !it->model || !strcmp(it->model, "i6300esb"));
	EACH(memballoons, memballoon_count, "memballoon", it->model, !is_none(it->model));
	EACH(rngs, rng_count, "rng", it->model, true);
	EACH(panics, panic_count, "panic", it->model, false);
	EACH(vsocks, vsock_count, "vsock", NULL, true);
	return refs;
}

uint32_t device_slots(struct domain_devices *devices)
{
	g_autoptr(GArray) refs = device_refs(devices);
	uint32_t used = 0;

	for (unsigned i = 0; i < refs->len; i++) {
		const struct device_address *at =
			&g_array_index(refs, struct device_ref, i).info->address;

		if (at->type == ADDRESS_PCI && at->bus.value == 0 && at->domain.value == 0)
			used |= 1u << (at->slot.value & 31);
	}
	return used;
}
