/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * devices.c - the devices of a machine that the user asked for, from the start or later
 */
#include "vmm/devices.h"

#include <assert.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/io-loop.h"
#include "base/sys.h"
#include "bus/pci.h"
#include "dev/clock.h"
#include "dev/i6300esb.h"
#include "dev/pvpanic.h"
#include "dev/virtio-balloon.h"
#include "dev/virtio-console.h"
#include "dev/virtio-rng.h"
#include "dev/virtio-scsi.h"
#include "dev/virtio-vsock.h"
#include "machine/machine.h"
#include "monitor/qmp-server.h"
#include "vmm/backends.h"
#include "vmm/device-events.h"
#include "vmm/event-limit.h"
#include "vmm/nodes.h"
#include "vmm/vmm-int.h"

enum {
	BOOT_INDEX_BEHIND = 1 << 20 /* behind all that a user can give */
};

static void device_free(void *opaque)
{
	struct vmm_device *device = opaque;

	if (!device->taken && device->virtio) {
		device->virtio->ops->free(device->virtio);
	} else if (!device->taken && device->pci) {
		device->pci->ops->free(device->pci);
	}
	io_loop_free(device->loop);
	event_limit_free(device->io_errors);
	g_free(device->id);
	g_free(device);
}

void devices_init(struct vmm *vmm)
{
	vmm->devices = g_ptr_array_new_with_free_func(device_free);
}

void devices_release(struct vmm *vmm)
{
	g_ptr_array_unref(vmm->devices);
	io_loop_free(vmm->shared_loop);
	vmm->shared_loop = NULL;
}

struct vmm_device *device_find(struct vmm *vmm, const char *id)
{
	for (unsigned i = 0; i < vmm->devices->len; i++) {
		struct vmm_device *device = g_ptr_array_index(vmm->devices, i);

		if (!strcmp(device->id, id))
			return device;
	}
	return NULL;
}

struct vmm_device *device_find_kind(struct vmm *vmm, enum device_kind kind, const char *name)
{
	struct vmm_device *found = device_find(vmm, name);

	if (found && found->kind == kind)
		return found;
	for (unsigned i = 0; i < vmm->devices->len; i++) {
		struct vmm_device *device = g_ptr_array_index(vmm->devices, i);

		if (device->kind == kind && ((device->node && !strcmp(device->node->name, name)) ||
					     (device->netdev && !strcmp(device->netdev->id, name))))
			return device;
	}
	return NULL;
}

struct vmm_device *device_first(struct vmm *vmm, enum device_kind kind)
{
	for (unsigned i = 0; i < vmm->devices->len; i++) {
		struct vmm_device *device = g_ptr_array_index(vmm->devices, i);

		if (device->kind == kind)
			return device;
	}
	return NULL;
}

char *device_path(const struct vmm_device *device)
{
	return g_strconcat("/machine/peripheral/", device->id, NULL);
}

/* The first of "disk0", "disk1" ... that is free. */
static char *free_id(struct vmm *vmm, enum device_kind kind)
{
	for (unsigned n = 0;; n++) {
		g_autofree char *id = g_strdup_printf("%s%u", device_kind_name(kind), n);

		if (!device_find(vmm, id))
			return g_steal_pointer(&id);
	}
}

/* A loop of its own, for what can keep one busy. */
static bool own_loop(struct vmm_device *device, GError **error)
{
	device->loop = io_loop_new(device->id, IO_LOOP_AUTO, error);
	return device->loop;
}

/* The loop of all that cannot. */
static struct io_loop *shared_loop(struct vmm *vmm, GError **error)
{
	if (!vmm->shared_loop)
		vmm->shared_loop = io_loop_new("socle-devices", IO_LOOP_AUTO, error);
	return vmm->shared_loop;
}

/* The image that a disk or CD has, which nobody else uses, and a loop to do it. */
static bool use_node(struct vmm_device *device, const struct device_spec *spec, GError **error)
{
	if (!spec->backend)
		return error_set(error, SOCLE_ERROR_USAGE,
				 "a disk needs an image: drive=NODE-NAME of one that is open");
	device->node = node_find(device->vmm, spec->backend, error);
	if (!device->node)
		return false;
	if (device->node->user)
		return error_set(error, SOCLE_ERROR_BUSY, "node '%s' is in use by device '%s'",
				 spec->backend, device->node->user);
	if (!device->node->block)
		return error_set(error, SOCLE_ERROR_BUSY, "node '%s' is in use behind another",
				 spec->backend);
	return node_is_free(device->node, error) && own_loop(device, error);
}

static bool make_disk(struct vmm_device *device, const struct device_spec *spec, GError **error)
{
	struct virtio_blk_config config = spec->disk;
	struct block_info info;

	if (!use_node(device, spec, error))
		return false;
	block_info(device->node->block, &info);
	config.block = device->node->block;
	config.loop = device->loop;
	config.clock = dev_clock_host();
	config.read_only = info.read_only;
	config.no_discard |= device->node->spec.open.discard == BLOCK_DISCARD_IGNORE;
	if (!config.queues)
		config.queues = MIN(device->vmm->options->cpus, VIRTIO_MAX_QUEUES);
	device->io_errors = event_limit_new(config.clock, tell_disk_error, device->vmm);
	config.error = on_disk_error;
	config.opaque = device;
	device->virtio = virtio_blk_new(&config, error);
	return device->virtio;
}

static bool make_cdrom(struct vmm_device *device, const struct device_spec *spec, GError **error)
{
	struct virtio_scsi_config config;
	struct block_info info;

	if (spec->backend) {
		if (!use_node(device, spec, error))
			return false;
		block_info(device->node->block, &info);
		if (!info.read_only)
			return error_set(
				error, SOCLE_ERROR_USAGE,
				"node '%s' can be written, which a CD cannot: open it read-only",
				spec->backend);
	} else if (!own_loop(device, error)) {
		return false;
	}
	config = (struct virtio_scsi_config){ .block = device->node ? device->node->block : NULL,
					      .loop = device->loop,
					      .clock = dev_clock_host(),
					      .tray = on_tray_moved,
					      .opaque = device };
	device->virtio = virtio_scsi_new(&config, error);
	return device->virtio;
}

/* An address nobody else has, the same at each start of a machine that has a UUID. */
static void make_mac(struct vmm_device *device, uint8_t mac[NET_MAC_LEN])
{
	const char *uuid = device->vmm->options->uuid;
	uint8_t bits[32];
	size_t len = sizeof(bits);
	GChecksum *sum;

	if (!uuid) {
		(void)sys_random(bits, sizeof(bits));
	} else {
		sum = g_checksum_new(G_CHECKSUM_SHA256);
		g_checksum_update(sum, (const uint8_t *)uuid, -1);
		g_checksum_update(sum, (const uint8_t *)device->id, -1);
		g_checksum_get_digest(sum, bits, &len);
		g_checksum_free(sum);
	}
	mac[0] = 0x52;
	mac[1] = 0x54;
	mac[2] = 0x00;
	memcpy(mac + 3, bits, 3);
}

static bool check_mac(struct vmm_device *device, const uint8_t mac[NET_MAC_LEN], GError **error)
{
	for (unsigned i = 0; i < device->vmm->devices->len; i++) {
		struct vmm_device *other = g_ptr_array_index(device->vmm->devices, i);
		struct virtio_net_filter filter;

		if (other->kind != DEVICE_NET)
			continue;
		virtio_net_filter(other->virtio, &filter);
		if (!memcmp(filter.mac, mac, NET_MAC_LEN))
			return error_set(error, SOCLE_ERROR_EXISTS,
					 "the card '%s' has the address "
					 "%02x:%02x:%02x:%02x:%02x:%02x already; give each its own "
					 "mac=",
					 other->id, mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
	}
	return true;
}

static bool make_nic(struct vmm_device *device, const struct device_spec *spec, GError **error)
{
	struct virtio_net_config config = spec->net;

	if (spec->backend) {
		device->netdev = netdev_find(device->vmm, spec->backend, error);
		if (!device->netdev)
			return false;
		if (device->netdev->user)
			return error_set(error, SOCLE_ERROR_BUSY,
					 "network '%s' is in use by device '%s'", spec->backend,
					 device->netdev->user);
	}
	if (!spec->has_mac)
		make_mac(device, config.mac);
	if (!check_mac(device, config.mac, error) || !own_loop(device, error))
		return false;
	config.net = device->netdev ? device->netdev->net : NULL;
	config.loop = device->loop;
	config.clock = dev_clock_host();
	if (!config.queue_pairs)
		config.queue_pairs =
			config.net ? MIN(config.net->queues, device->vmm->options->cpus) : 1;
	config.filter_changed = on_filter_changed;
	config.opaque = device;
	device->virtio = virtio_net_new(&config, error);
	return device->virtio;
}

static bool make_rng(struct vmm_device *device, const struct device_spec *spec, GError **error)
{
	struct io_loop *loop = shared_loop(device->vmm, error);

	device->virtio = loop ? virtio_rng_new(&(struct virtio_rng_config){ .loop = loop,
									    .bps = spec->rng_bps },
					       error)
			      : NULL;
	return device->virtio;
}

static bool make_balloon(struct vmm_device *device, const struct device_spec *spec, GError **error)
{
	const struct virtio_balloon_config config = {
		.loop = shared_loop(device->vmm, error),
		.clock = dev_clock_host(),
		.memory = device->vmm->options->memory,
		.deflate_on_oom = spec->deflate_on_oom,
		.free_page_reporting = spec->free_page_reporting,
		.changed = on_balloon_changed,
		.opaque = device,
	};

	if (device_first(device->vmm, DEVICE_BALLOON))
		return error_set(error, SOCLE_ERROR_EXISTS, "there is a balloon already");
	device->virtio = config.loop ? virtio_balloon_new(&config, error) : NULL;
	return device->virtio;
}

static bool make_vsock(struct vmm_device *device, const struct device_spec *spec, GError **error)
{
	const struct virtio_vsock_config config = {
		.loop = shared_loop(device->vmm, error),
		.cid = spec->cid,
		.path = spec->path,
	};

	device->virtio = config.loop ? virtio_vsock_new(&config, error) : NULL;
	return device->virtio;
}

/* All consoles of the command line are ports of one device. */
static bool make_console(struct vmm_device *device, const struct device_spec *spec, GError **error)
{
	struct virtio_console_port ports[VIRTIO_CONSOLE_MAX_PORTS];
	const GPtrArray *options = device->vmm->options->consoles;
	const struct virtio_console_config config = {
		.loop = shared_loop(device->vmm, error),
		.clock = dev_clock_host(),
		.ports = ports,
		.count = options->len,
	};

	(void)spec;
	if (!config.loop)
		return false;
	if (device_first(device->vmm, DEVICE_CONSOLE))
		return error_set(error, SOCLE_ERROR_EXISTS,
				 "there is a console device already, which has all consoles");
	if (!options->len)
		return error_set(error, SOCLE_ERROR_UNSUPPORTED,
				 "consoles cannot be added later; start with --console");
	if (options->len > VIRTIO_CONSOLE_MAX_PORTS)
		return error_set(error, SOCLE_ERROR_LIMIT, "there are more than %d consoles",
				 VIRTIO_CONSOLE_MAX_PORTS);
	for (unsigned i = 0; i < options->len; i++) {
		const struct console_option *option = g_ptr_array_index(options, i);
		g_autofree char *label = g_strdup_printf("console%u", i);
		struct vmm_char *chr = char_find(device->vmm, label);

		ports[i] = (struct virtio_console_port){ .chr = chr ? chr->chr : NULL,
							 .name = option->name,
							 .console = !option->name };
	}
	device->virtio = virtio_console_new(&config, error);
	return device->virtio;
}

static bool make_watchdog(struct vmm_device *device, const struct device_spec *spec, GError **error)
{
	if (device_first(device->vmm, DEVICE_WATCHDOG))
		return error_set(error, SOCLE_ERROR_EXISTS, "there is a watchdog already");
	if (spec->action_given)
		device->vmm->watchdog = spec->action;
	device->pci = i6300esb_new(&(struct i6300esb_config){
		.clock = dev_clock_host(), .expired = on_watchdog, .opaque = device->vmm });
	return true;
}

static bool make_pvpanic(struct vmm_device *device, const struct device_spec *spec, GError **error)
{
	(void)spec;
	(void)error;
	device->pci = pvpanic_new(on_panic, device->vmm);
	return true;
}

static struct vmm_device *device_make(struct vmm *vmm, const struct device_spec *spec,
				      GError **error)
{
	static bool (*const make[DEVICE_KIND_COUNT])(
		struct vmm_device * device, const struct device_spec *spec, GError **error) = {
		[DEVICE_DISK] = make_disk,         [DEVICE_NET] = make_nic,
		[DEVICE_CONSOLE] = make_console,   [DEVICE_RNG] = make_rng,
		[DEVICE_BALLOON] = make_balloon,   [DEVICE_VSOCK] = make_vsock,
		[DEVICE_WATCHDOG] = make_watchdog, [DEVICE_PVPANIC] = make_pvpanic,
		[DEVICE_CDROM] = make_cdrom,
	};
	struct vmm_device *device = g_new0(struct vmm_device, 1);

	assert(spec->kind < DEVICE_KIND_COUNT);
	device->vmm = vmm;
	device->kind = spec->kind;
	device->has_id = spec->id != NULL;
	device->id = spec->id ? g_strdup(spec->id) : free_id(vmm, spec->kind);
	device->slot = spec->slot;
	device->boot_index = spec->boot_index;
	device->mmio = spec->mmio;
	if (device_find(vmm, device->id)) {
		error_set(error, SOCLE_ERROR_EXISTS, "Duplicate device ID '%s'", device->id);
		goto fail;
	}
	if (!make[spec->kind](device, spec, error))
		goto fail;
	if (device->node)
		device->node->user = g_strdup(device->id);
	if (device->netdev)
		device->netdev->user = g_strdup(device->id);
	g_ptr_array_add(vmm->devices, device);
	return device;
fail:
	device_free(device);
	return NULL;
}

static struct machine_device to_machine(const struct vmm_device *device)
{
	return (struct machine_device){ .id = device->id,
					.virtio = device->virtio,
					.pci = device->pci,
					.mmio = device->mmio,
					.slot = device->slot,
					.boot_index = device->boot_index,
					.boot_unit = device->kind == DEVICE_CDROM
							     ? "channel@0/disk@0,0"
							     : "disk@0,0" };
}

static void drop(struct vmm *vmm, struct vmm_device *device)
{
	g_autofree char *id = g_strdup(device->id);

	g_ptr_array_remove(vmm->devices, device);
	backends_unused(vmm, id);
}

bool device_plug(struct vmm *vmm, const struct device_spec *spec, GError **error)
{
	struct vmm_device *device = device_make(vmm, spec, error);
	struct machine_device plug;

	if (!device)
		return false;
	plug = to_machine(device);
	if (!machine_plug(vmm->machine, &plug, error)) {
		drop(vmm, device);
		return false;
	}
	device->taken = true;
	return true;
}

void device_gone(struct vmm *vmm, const char *id)
{
	struct vmm_device *device = device_find(vmm, id);
	g_autofree char *path = NULL;

	if (!device)
		return;
	path = device_path(device);
	qmp_server_event(vmm->monitor, "DEVICE_DELETED",
			 device->has_id ? json_pack("{s:s,s:s}", "device", device->id, "path", path)
					: json_pack("{s:s}", "path", path));
	drop(vmm, device);
}

static bool build_disk(struct vmm *vmm, struct device_option *option, GError **error)
{
	struct device_spec spec = option->device;
	struct vmm_node *node;

	/* A drive may be empty. */
	if (spec.kind == DEVICE_CDROM && !option->node.open.path)
		return device_make(vmm, &spec, error);
	node = node_add(vmm, &option->node, true, error);
	if (!node)
		return false;
	spec.backend = node->name;
	return device_make(vmm, &spec, error);
}

static bool build_net(struct vmm *vmm, struct device_option *option, GError **error)
{
	struct device_spec spec = option->device;
	struct vmm_netdev *netdev = netdev_add(vmm, &option->netdev, true, error);

	if (!netdev)
		return false;
	spec.backend = netdev->id;
	return device_make(vmm, &spec, error);
}

static bool build_one(struct vmm *vmm, struct device_option *option, GError **error)
{
	bool ok;

	switch (option->device.kind) {
	case DEVICE_DISK:
	case DEVICE_CDROM:
		ok = build_disk(vmm, option, error);
		break;
	case DEVICE_NET:
		ok = build_net(vmm, option, error);
		break;
	case DEVICE_CONSOLE:
	case DEVICE_RNG:
	case DEVICE_BALLOON:
	case DEVICE_VSOCK:
	case DEVICE_WATCHDOG:
	case DEVICE_PVPANIC:
	case DEVICE_KIND_COUNT:
	default:
		ok = device_make(vmm, &option->device, error);
		break;
	}
	if (!ok)
		g_prefix_error(error, "--%s: ", device_kind_name(option->device.kind));
	return ok;
}

bool devices_look_up(struct vmm *vmm, GError **error)
{
	for (unsigned i = 0; i < vmm->options->devices->len; i++) {
		struct device_option *option = g_ptr_array_index(vmm->options->devices, i);

		if (option->device.kind == DEVICE_NET &&
		    !netdev_spec_look_up(&option->netdev, error)) {
			g_prefix_error(error, "--net: ");
			return false;
		}
	}
	return true;
}

bool devices_build(struct vmm *vmm, GError **error)
{
	const struct options *options = vmm->options;

	struct device_spec consoles = { .kind = DEVICE_CONSOLE };

	for (unsigned i = 0; i < options->consoles->len; i++) {
		const struct console_option *option = g_ptr_array_index(options->consoles, i);

		if (option->slot)
			consoles.slot = option->slot;
	}
	if (options->consoles->len && !device_make(vmm, &consoles, error))
		return false;
	for (unsigned i = 0; i < options->devices->len; i++) {
		if (!build_one(vmm, g_ptr_array_index(options->devices, i), error))
			return false;
	}
	return true;
}

/* Who has no bootindex comes behind those that have one, by the order of kinds. */
static void order_boot(struct vmm *vmm)
{
	unsigned next = BOOT_INDEX_BEHIND;

	for (const char *kind = vmm->options->boot_order; *kind; kind++) {
		enum device_kind wanted = *kind == 'd' ? DEVICE_CDROM : DEVICE_DISK;

		for (unsigned i = 0; i < vmm->devices->len; i++) {
			struct vmm_device *device = g_ptr_array_index(vmm->devices, i);

			if (device->kind == wanted && !device->boot_index)
				device->boot_index = next++;
		}
	}
}

struct machine_device *devices_for_machine(struct vmm *vmm, unsigned *ret_count)
{
	struct machine_device *list = g_new0(struct machine_device, vmm->devices->len + 1);

	order_boot(vmm);
	for (unsigned i = 0; i < vmm->devices->len; i++)
		list[i] = to_machine(g_ptr_array_index(vmm->devices, i));
	*ret_count = vmm->devices->len;
	return list;
}

void devices_taken(struct vmm *vmm)
{
	for (unsigned i = 0; i < vmm->devices->len; i++) {
		struct vmm_device *device = g_ptr_array_index(vmm->devices, i);

		device->taken = true;
	}
}

void devices_pause(struct vmm *vmm)
{
	struct vmm_device *watchdog = device_first(vmm, DEVICE_WATCHDOG);

	if (watchdog)
		i6300esb_hold(watchdog->pci, true);
}

void devices_resume(struct vmm *vmm)
{
	struct vmm_device *watchdog = device_first(vmm, DEVICE_WATCHDOG);

	if (watchdog)
		i6300esb_hold(watchdog->pci, false);
	for (unsigned i = 0; i < vmm->devices->len; i++) {
		struct vmm_device *device = g_ptr_array_index(vmm->devices, i);

		if (device->kind != DEVICE_DISK)
			continue;
		device->io_failed = false;
		virtio_blk_retry(device->virtio);
	}
}
