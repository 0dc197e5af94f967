/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * device-spec.c - what a user says of a device
 */
#include "vmm/device-spec.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "vmm/spec-int.h"

#define COMMON_KEYS "id, bus, addr"

const char *const watchdog_action_names[] = {
	[WATCHDOG_RESET] = "reset",
	[WATCHDOG_SHUTDOWN] = "shutdown",
	[WATCHDOG_POWEROFF] = "poweroff",
	[WATCHDOG_PAUSE] = "pause",
	[WATCHDOG_NONE] = "none",
	[WATCHDOG_INJECT_NMI] = "inject-nmi",
	NULL,
};

static bool console_take(struct device_spec *spec, struct keyvalue *list, GError **error)
{
	spec->backend = keyvalue_take(list, "chardev");
	spec->name = keyvalue_take(list, "name");
	spec->console_port = spec->name != NULL;
	(void)error;
	return true;
}

static bool rng_take(struct device_spec *spec, struct keyvalue *list, GError **error)
{
	return keyvalue_take_size(list, "bps", &spec->rng_bps, error);
}

static bool balloon_take(struct device_spec *spec, struct keyvalue *list, GError **error)
{
	return keyvalue_take_bool(list, "deflate-on-oom", &spec->deflate_on_oom, error) &&
	       keyvalue_take_bool(list, "free-page-reporting", &spec->free_page_reporting, error);
}

static bool vsock_take(struct device_spec *spec, struct keyvalue *list, GError **error)
{
	spec->path = keyvalue_take(list, "path");
	if (!keyvalue_take_uint(list, "cid", 3, UINT32_MAX - 1, &spec->cid, error) ||
	    !keyvalue_take_uint(list, "guest-cid", 3, UINT32_MAX - 1, &spec->cid, error))
		return false;
	if (!spec->cid || !spec->path || !*spec->path)
		return error_set(
			error, SOCLE_ERROR_USAGE,
			"a socket device needs an address for the guest and a path for the "
			"host: cid=3,path=PATH");
	return true;
}

static bool watchdog_take(struct device_spec *spec, struct keyvalue *list, GError **error)
{
	unsigned action = WATCHDOG_RESET;

	spec->action_given = keyvalue_get(list, "action") != NULL;
	if (!keyvalue_take_choice(list, "action", watchdog_action_names, &action, error))
		return false;
	spec->action = (enum watchdog_action)action;
	return true;
}

static const struct {
	const char *name, *driver, *mmio_driver, *keys;
	bool (*take)(struct device_spec *spec, struct keyvalue *list, GError **error);
} kinds[DEVICE_KIND_COUNT] = {
	[DEVICE_DISK] = { "disk", "virtio-blk-pci", "virtio-blk-device",
			  "serial, bootindex, queues, queue-size, werror, rerror, write-cache, "
			  "packed, "
			  "logical_block_size, bps, bps_rd, bps_wr, iops, iops_rd, iops_wr (each "
			  "with _max and _max_length), iops_size, " COMMON_KEYS,
			  disk_spec_take },
	[DEVICE_NET] = { "net", "virtio-net-pci", "virtio-net-device",
			 "mac, queues, queue-size, mtu, offload, mrg_rxbuf, packed, tx-bps, "
			 "tx-peak, tx-burst, tx-pps, rx-bps, rx-peak, rx-burst, "
			 "rx-pps, " COMMON_KEYS,
			 nic_spec_take },
	[DEVICE_CONSOLE] = { "console", "virtio-serial-pci", "virtio-serial-device",
			     "name, " COMMON_KEYS, console_take },
	[DEVICE_RNG] = { "rng", "virtio-rng-pci", "virtio-rng-device", "bps, " COMMON_KEYS,
			 rng_take },
	[DEVICE_BALLOON] = { "balloon", "virtio-balloon-pci", "virtio-balloon-device",
			     "deflate-on-oom, free-page-reporting, " COMMON_KEYS, balloon_take },
	[DEVICE_VSOCK] = { "vsock", "vhost-vsock-pci", "vhost-vsock-device",
			   "cid, path, " COMMON_KEYS, vsock_take },
	[DEVICE_WATCHDOG] = { "watchdog", "i6300esb", NULL, "action, " COMMON_KEYS, watchdog_take },
	[DEVICE_PVPANIC] = { "pvpanic", "pvpanic-pci", NULL, COMMON_KEYS, NULL },
	[DEVICE_CDROM] = { "cdrom", "virtio-scsi-pci", "virtio-scsi-device",
			   "bootindex, " COMMON_KEYS, cdrom_spec_take },
};

bool device_kind_find(const char *driver, enum device_kind *ret_kind, bool *ret_mmio)
{
	/* QEMU's aliases of the PCI devices. */
	g_autofree char *pci = g_strconcat(driver, "-pci", NULL);

	for (unsigned i = 0; i < DEVICE_KIND_COUNT; i++) {
		bool mmio = !g_strcmp0(kinds[i].mmio_driver, driver);

		if (!mmio && strcmp(kinds[i].driver, driver) != 0 &&
		    strcmp(kinds[i].driver, pci) != 0)
			continue;
		*ret_kind = (enum device_kind)i;
		*ret_mmio = mmio;
		return true;
	}
	return false;
}

const char *device_kind_driver(enum device_kind kind)
{
	return kinds[kind].driver;
}

const char *device_kind_name(enum device_kind kind)
{
	return kinds[kind].name;
}

const char *device_spec_keys(enum device_kind kind)
{
	return kinds[kind].keys;
}

bool slot_take(unsigned *ret_slot, struct keyvalue *list, GError **error)
{
	const char *addr = keyvalue_take(list, "addr");
	g_autofree char *slot = NULL;
	uint64_t number;
	unsigned base;

	if (!addr)
		return true;
	slot = g_str_has_suffix(addr, ".0") ? g_strndup(addr, strlen(addr) - 2) : g_strdup(addr);
	base = g_str_has_prefix(slot, "0x") ? 16 : 10;
	if (!g_ascii_string_to_unsigned(slot + (base == 16 ? 2 : 0), base, 1, 31, &number, NULL))
		return error_set(error, SOCLE_ERROR_USAGE,
				 "addr=%s is no slot of the bus; give 1 to 31", addr);
	*ret_slot = (unsigned)number;
	return true;
}

bool device_spec_take(struct device_spec *spec, struct keyvalue *list, GError **error)
{
	static const char *const buses[] = { "pci", "mmio", "pci.0", "pcie.0", NULL };
	unsigned bus = spec->mmio;

	spec->id = keyvalue_take(list, "id");
	if (spec->id && (!g_ascii_isalpha(spec->id[0]) ||
			 spec->id[strspn(spec->id, G_CSET_A_2_Z G_CSET_a_2_z G_CSET_DIGITS "-._")]))
		return error_set(error, SOCLE_ERROR_USAGE,
				 "id=%s: an id is a letter, then letters, digits, '-', '.' and '_'",
				 spec->id);
	if (!keyvalue_take_choice(list, "bus", buses, &bus, error) ||
	    !slot_take(&spec->slot, list, error))
		return false;
	spec->mmio = bus == 1;
	if (spec->mmio && (!kinds[spec->kind].mmio_driver || spec->slot))
		return error_set(error, SOCLE_ERROR_USAGE,
				 spec->slot ? "addr is a slot of PCI; leave it out with bus=mmio"
					    : "this device is there for PCI only");
	return !kinds[spec->kind].take || kinds[spec->kind].take(spec, list, error);
}
