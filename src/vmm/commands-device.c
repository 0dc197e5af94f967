/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * commands-device.c - QMP: devices as such, and those that are neither disk nor card
 */
#include <string.h>

#include "base/bytes.h"
#include "base/error.h"
#include "bus/pci.h"
#include "dev/chardev.h"
#include "dev/virtio-balloon.h"
#include "dev/virtio-console.h"
#include "machine/machine.h"
#include "vmm/backends.h"
#include "vmm/commands-int.h"
#include "vmm/devices.h"
#include "vmm/vmm-int.h"

#define PERIPHERAL "/machine/peripheral/"

json_t *json_text(const char *text)
{
	g_autofree char *valid = g_utf8_make_valid(text, -1);

	return json_string(valid);
}

json_t *run_device_add(void *opaque, const json_t *args, GError **error)
{
	const char *driver = json_string_value(json_object_get(args, "driver"));
	struct device_spec spec = { 0 };
	struct keyvalue list;
	bool ok;

	if (!device_kind_find(driver, &spec.kind, &spec.mmio)) {
		error_set(error, SOCLE_ERROR_UNSUPPORTED, "'%s' is not a valid device model name",
			  driver);
		return NULL;
	}
	if (spec.mmio) {
		error_set(error, SOCLE_ERROR_UNSUPPORTED,
			  "'%s' cannot be plugged into a running machine; use '%s'", driver,
			  device_kind_driver(spec.kind));
		return NULL;
	}
	if (!keyvalue_from_json(&list, args, error))
		return NULL;
	(void)keyvalue_take(&list, "driver");
	ok = device_spec_take(&spec, &list, error) &&
	     keyvalue_done(&list, device_spec_keys(spec.kind), error);
	ok = ok && device_plug(opaque, &spec, error);
	keyvalue_release(&list);
	return ok ? json_object() : NULL;
}

json_t *run_device_del(void *opaque, const json_t *args, GError **error)
{
	struct vmm *vmm = opaque;
	const char *id = json_string_value(json_object_get(args, "id"));

	if (g_str_has_prefix(id, PERIPHERAL))
		id += strlen(PERIPHERAL);
	return machine_unplug(vmm->machine, id, error) ? json_object() : NULL;
}

static json_t *format_regions(struct pci_device *pci)
{
	json_t *list = json_array();

	for (int n = 0; n < PCI_BARS; n++) {
		struct pci_bar bar = pci_bar_get(pci, (unsigned)n);
		bool io = bar.flags & PCI_BAR_IO;
		json_t *region;

		if (!bar.size)
			continue;
		region = json_pack("{s:i,s:s,s:I,s:I}", "bar", n, "type", io ? "io" : "memory",
				   "address", bar.mapped ? (json_int_t)bar.addr : (json_int_t)-1,
				   "size", (json_int_t)bar.size);
		if (!io) {
			json_object_set_new(region, "prefetch",
					    json_boolean(bar.flags & PCI_BAR_PREFETCH));
			json_object_set_new(region, "mem_type_64",
					    json_boolean(bar.flags & PCI_BAR_64));
		}
		json_array_append_new(list, region);
	}
	return list;
}

static const char *class_name(unsigned class)
{
	switch (class >> 8) {
	case 0x01:
		return "SCSI controller";
	case 0x02:
		return "Ethernet controller";
	case 0x06:
		return class == 0x0600 ? "Host bridge" : "Bridge";
	case 0x07:
		return "Communication controller";
	default:
		return "System peripheral";
	}
}

static json_t *format_function(struct vmm *vmm, unsigned slot, struct pci_device *pci)
{
	struct machine_device_info info = { .id = "" };
	unsigned class = get_le16(pci->config + PCI_CLASS + 1);
	json_t *object;

	for (unsigned i = 0; machine_device_at(vmm->machine, i, &info); i++) {
		if (info.pci == pci)
			break;
	}
	object = json_pack("{s:i,s:i,s:i,s:{s:s,s:i},s:{s:i,s:i,s:i,s:i},s:i,s:s,s:o}", "bus", 0,
			   "slot", (int)slot, "function", 0, "class_info", "desc",
			   class_name(class), "class", (int)class, "id", "device",
			   (int)get_le16(pci->config + PCI_DEVICE), "vendor",
			   (int)get_le16(pci->config + PCI_VENDOR), "subsystem",
			   (int)get_le16(pci->config + PCI_SUBSYSTEM), "subsystem-vendor",
			   (int)get_le16(pci->config + PCI_SUBSYSTEM_VENDOR), "irq_pin",
			   (int)pci->config[PCI_INTERRUPT_PIN], "qdev_id",
			   info.pci == pci ? info.id : "", "regions", format_regions(pci));
	if (pci->config[PCI_INTERRUPT_PIN])
		json_object_set_new(object, "irq",
				    json_integer((json_int_t)pci->config[PCI_INTERRUPT_LINE]));
	return object;
}

json_t *run_query_pci(void *opaque, const json_t *args, GError **error)
{
	struct vmm *vmm = opaque;
	json_t *list = json_array();

	(void)args;
	(void)error;
	for (unsigned slot = 0; slot < PCI_SLOTS; slot++) {
		struct pci_device *pci = pci_at(machine_pci(vmm->machine), slot);

		if (pci)
			json_array_append_new(list, format_function(vmm, slot, pci));
	}
	return json_pack("[{s:i,s:o}]", "bus", 0, "devices", list);
}

static struct vmm_device *find_balloon(struct vmm *vmm, GError **error)
{
	struct vmm_device *device = device_first(vmm, DEVICE_BALLOON);

	if (!device)
		error_set(error, SOCLE_ERROR_STATE,
			  "No balloon device has been activated; start with --balloon on");
	return device;
}

json_t *run_query_balloon(void *opaque, const json_t *args, GError **error)
{
	struct vmm_device *device = find_balloon(opaque, error);

	(void)args;
	return device ? json_pack("{s:I}", "actual",
				  (json_int_t)virtio_balloon_actual(device->virtio))
		      : NULL;
}

json_t *run_balloon(void *opaque, const json_t *args, GError **error)
{
	struct vmm_device *device = find_balloon(opaque, error);
	json_int_t value = json_integer_value(json_object_get(args, "value"));

	if (!device)
		return NULL;
	if (value <= 0) {
		error_set(error, SOCLE_ERROR_USAGE, "Parameter 'value' expects a size");
		return NULL;
	}
	virtio_balloon_set_target(device->virtio, (uint64_t)value);
	return json_object();
}

/* By enum balloon_stat, as QEMU's guest-stats has them. */
static json_t *balloon_stats_json(struct vmm_device *device)
{
	static const char *const names[BALLOON_STAT_COUNT] = {
		[BALLOON_STAT_SWAP_IN] = "stat-swap-in",
		[BALLOON_STAT_SWAP_OUT] = "stat-swap-out",
		[BALLOON_STAT_MAJOR_FAULTS] = "stat-major-faults",
		[BALLOON_STAT_MINOR_FAULTS] = "stat-minor-faults",
		[BALLOON_STAT_FREE_MEMORY] = "stat-free-memory",
		[BALLOON_STAT_TOTAL_MEMORY] = "stat-total-memory",
		[BALLOON_STAT_AVAILABLE_MEMORY] = "stat-available-memory",
		[BALLOON_STAT_DISK_CACHES] = "stat-disk-caches",
		[BALLOON_STAT_HTLB_PGALLOC] = "stat-htlb-pgalloc",
		[BALLOON_STAT_HTLB_PGFAIL] = "stat-htlb-pgfail",
	};
	struct balloon_stats stats;
	json_t *values = json_object();

	virtio_balloon_stats(device->virtio, &stats);
	/* What was not told is all ones; as a signed number that is QEMU's -1. */
	for (unsigned i = 0; i < BALLOON_STAT_COUNT; i++)
		json_object_set_new(values, names[i], json_integer((json_int_t)stats.value[i]));
	return json_pack("{s:o,s:I}", "stats", values, "last-update", (json_int_t)stats.updated_s);
}

/* What clients ask of objects: the balloon's statistics. */
static struct vmm_device *find_object(struct vmm *vmm, const json_t *args, GError **error)
{
	const char *path = json_string_value(json_object_get(args, "path"));
	const char *id = g_str_has_prefix(path, PERIPHERAL) ? path + strlen(PERIPHERAL) : path;
	struct vmm_device *device = device_find(vmm, id);

	if (!device)
		error_set(error, SOCLE_ERROR_NOT_FOUND, "Device '%s' not found", path);
	return device;
}

static bool no_property(const struct vmm_device *device, const char *property, GError **error)
{
	return error_set(error, SOCLE_ERROR_FAILED, "Property '%s.%s' not found",
			 device_kind_driver(device->kind), property);
}

json_t *run_qom_get(void *opaque, const json_t *args, GError **error)
{
	struct vmm_device *device = find_object(opaque, args, error);
	const char *property = json_string_value(json_object_get(args, "property"));

	if (!device)
		return NULL;
	if (!strcmp(property, "type"))
		return json_string(device_kind_driver(device->kind));
	if (device->kind == DEVICE_BALLOON && !strcmp(property, "guest-stats"))
		return balloon_stats_json(device);
	if (device->kind == DEVICE_BALLOON && !strcmp(property, "guest-stats-polling-interval"))
		return json_integer((json_int_t)virtio_balloon_poll(device->virtio));
	no_property(device, property, error);
	return NULL;
}

json_t *run_qom_set(void *opaque, const json_t *args, GError **error)
{
	struct vmm_device *device = find_object(opaque, args, error);
	const char *property = json_string_value(json_object_get(args, "property"));
	const json_t *value = json_object_get(args, "value");

	if (!device)
		return NULL;
	if (device->kind != DEVICE_BALLOON ||
	    strcmp(property, "guest-stats-polling-interval") != 0) {
		no_property(device, property, error);
		return NULL;
	}
	if (!json_is_integer(value) || json_integer_value(value) < 0 ||
	    json_integer_value(value) > 86400) {
		error_set(error, SOCLE_ERROR_USAGE,
			  "Parameter 'value' expects seconds, from 0 to 86400");
		return NULL;
	}
	virtio_balloon_set_poll(device->virtio, (unsigned)json_integer_value(value));
	return json_object();
}

json_t *run_watchdog_set_action(void *opaque, const json_t *args, GError **error)
{
	struct vmm *vmm = opaque;
	const char *text = json_string_value(json_object_get(args, "action"));

	for (unsigned i = 0; watchdog_action_names[i]; i++) {
		if (strcmp(watchdog_action_names[i], text) != 0)
			continue;
		vmm->watchdog = (enum watchdog_action)i;
		return json_object();
	}
	error_set(error, SOCLE_ERROR_USAGE, "Parameter 'action' does not accept value '%s'", text);
	return NULL;
}

/* Is there a guest behind the stream? A serial port always is. */
static bool front_open(struct vmm *vmm, unsigned index)
{
	struct vmm_device *console = device_first(vmm, DEVICE_CONSOLE);

	return index == 0 || (console && virtio_console_guest_open(console->virtio, index - 1));
}

json_t *run_query_chardev(void *opaque, const json_t *args, GError **error)
{
	struct vmm *vmm = opaque;
	json_t *list = json_array();

	(void)args;
	(void)error;
	for (unsigned i = 0; i < vmm->chars->len; i++) {
		const struct vmm_char *chr = g_ptr_array_index(vmm->chars, i);

		json_array_append_new(list, json_pack("{s:s,s:o,s:b}", "label", chr->label,
						      "filename", json_text(chr->name),
						      "frontend-open", (int)front_open(vmm, i)));
	}
	return list;
}

json_t *run_inject_nmi(void *opaque, const json_t *args, GError **error)
{
	struct vmm *vmm = opaque;

	(void)args;
	(void)error;
	machine_nmi(vmm->machine);
	return json_object();
}
