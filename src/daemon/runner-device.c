/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * runner-device.c - devices that come, go and change while the machine runs
 *
 * A device has two halves: what is on the host (an image "node-NAME", a network "link-NAME") and what the guest
 * sees. The host's half is made first, and goes when the guest's half is gone.
 */
#include <string.h>

#include "base/error.h"
#include "daemon/runner-args.h"
#include "daemon/runner-int.h"
#include "daemon/runner-tap.h"
#include "host/link.h"
#include "manage/secret.h"

static char *node_name(const char *alias)
{
	return g_strconcat("node-", alias, NULL);
}

static char *netdev_name(const char *alias)
{
	return g_strconcat("link-", alias, NULL);
}

/* == Plug == */

struct plug {
	struct runner *runner;
	struct task *task;
	json_t *device; /* for device_add */
	json_t *host;   /* for blockdev-add, when the secret is there */
	char *undo;     /* a command that takes the host's half away, NULL: there is none */
	json_t *undo_args;
	GError *error;
	bool link_down;
	char *alias;
	const struct domain_interface
		*card; /* NULL: it is none; the caller's, until the task ends */
};

static void plug_end(struct plug *plug)
{
	struct task *task = plug->task;
	g_autoptr(GError) error = plug->error;

	if (error && plug->card)
		tap_remove(plug->card);
	json_decref(plug->device);
	json_decref(plug->host);
	json_decref(plug->undo_args);
	g_free(plug->undo);
	g_free(plug->alias);
	g_free(plug);
	task_end(task, error);
}

static void on_undone(void *opaque, json_t *result, const GError *error)
{
	(void)result;
	(void)error;
	plug_end(opaque);
}

static void on_linked(void *opaque, json_t *result, const GError *error)
{
	(void)result;
	(void)error;
	plug_end(opaque);
}

static void on_added(void *opaque, json_t *result, const GError *error)
{
	struct plug *plug = opaque;

	(void)result;
	if (error)
		plug->error = g_error_copy(error);
	if (error && plug->undo)
		runner_call(plug->runner, plug->undo, g_steal_pointer(&plug->undo_args), 0,
			    on_undone, plug);
	else if (!error && plug->link_down)
		runner_call(plug->runner, "set_link",
			    json_pack("{s:s,s:b}", "name", plug->alias, "up", 0), 0, on_linked,
			    plug);
	else
		plug_end(plug);
}

static void on_host_half(void *opaque, json_t *result, const GError *error)
{
	struct plug *plug = opaque;

	(void)result;
	if (error) {
		plug->error = g_error_copy(error);
		plug_end(plug);
		return;
	}
	runner_call(plug->runner, "device_add", g_steal_pointer(&plug->device), 0, on_added, plug);
}

static void plug_image(struct plug *plug)
{
	runner_call(plug->runner, "blockdev-add", g_steal_pointer(&plug->host), 0, on_host_half,
		    plug);
}

static void on_secret(void *opaque, json_t *result, const GError *error)
{
	struct plug *plug = opaque;

	(void)result;
	if (!error) {
		plug_image(plug);
		return;
	}
	plug->error = g_error_copy(error);
	plug_end(plug);
}

/* The password of the disk's host goes first, over the monitor's socket, which is the machine's alone. */
static void plug_secret(struct plug *plug, const struct domain_disk *disk)
{
	g_autofree char *of = g_strdup_printf("disk '%s'", disk->target.dev);
	g_autofree char *id = runner_disk_secret(disk);
	g_autoptr(GBytes) password = node_password(plug->runner->machine.dom->node, disk_auth(disk),
						   disk_is_ceph(disk), of, &plug->error);
	size_t len = 0;
	const void *bytes = password ? g_bytes_get_data(password, &len) : NULL;
	char *coded;

	if (!password) {
		plug_end(plug);
		return;
	}
	coded = g_base64_encode(bytes, len);
	/* One that a plug has left that went wrong. */
	runner_call(plug->runner, "object-del", json_pack("{s:s}", "id", id), 0, NULL, NULL);
	runner_call(plug->runner, "object-add",
		    json_pack("{s:s,s:s,s:s,s:s}", "qom-type", "secret", "id", id, "data", coded,
			      "format", "base64"),
		    0, on_secret, plug);
	explicit_bzero(coded, strlen(coded));
	g_free(coded);
}

static void plug_disk(struct plug *plug, const struct domain_disk *disk)
{
	g_autofree char *node = node_name(disk->info.alias.name);

	if (!disk_path(disk) && disk->type != DISK_NETWORK) {
		plug->device = runner_disk_device(disk, NULL);
		runner_call(plug->runner, "device_add", g_steal_pointer(&plug->device), 0, on_added,
			    plug);
		return;
	}
	runner_grant(plug->runner, disk_path(disk), !disk->readonly && !disk->transient.set);
	plug->device = runner_disk_device(disk, node);
	plug->undo = g_strdup("blockdev-del");
	plug->undo_args = json_pack("{s:s}", "node-name", node);
	plug->host = runner_disk_node(disk, node);
	if (disk->type == DISK_NETWORK && auth_is_set(disk_auth(disk)))
		plug_secret(plug, disk);
	else
		plug_image(plug);
}

static void plug_card(struct plug *plug, struct domain_interface *card)
{
	g_autofree char *link = netdev_name(card->info.alias.name);
	json_t *netdev = NULL;

	if (!tap_wanted(card) || tap_make(card, runner_uid(plug->runner), &plug->error))
		netdev = runner_netdev(card, link, &plug->error);
	if (!netdev) {
		plug_end(plug);
		return;
	}
	plug->card = card;
	plug->device = runner_card_device(card, link);
	plug->undo = g_strdup("netdev_del");
	plug->undo_args = json_pack("{s:s}", "id", link);
	plug->link_down = card->link.state == LINK_DOWN;
	plug->alias = g_strdup(card->info.alias.name);
	runner_call(plug->runner, "netdev_add", netdev, 0, on_host_half, plug);
}

/* A device without a half on the host: by its driver. */
static const char *simple_driver(const struct domain_devices *d, const struct device_info **ret)
{
	if (d->rng_count) {
		*ret = &d->rngs[0].info;
		return "virtio-rng-pci";
	}
	if (d->memballoon_count && strcmp(d->memballoons[0].model, "none") != 0) {
		*ret = &d->memballoons[0].info;
		return "virtio-balloon-pci";
	}
	if (d->watchdog_count) {
		*ret = &d->watchdogs[0].info;
		return "i6300esb";
	}
	return NULL;
}

static void plug_simple(struct plug *plug, const struct domain_devices *d)
{
	const struct device_info *info = NULL;
	const char *driver = simple_driver(d, &info);

	if (!driver) {
		error_set(
			&plug->error, SOCLE_ERROR_UNSUPPORTED,
			"a device of this kind is not plugged into a machine that runs; change its "
			"definition, which counts from the next start");
		plug_end(plug);
		return;
	}
	plug->device = json_pack("{s:s,s:s}", "driver", driver, "id", info->alias.name);
	if (info->address.type == ADDRESS_PCI && !info->address.bus.value &&
	    !info->address.function.value && info->address.slot.value > 0) {
		g_autofree char *slot = g_strdup_printf("%d", (int)info->address.slot.value);

		json_object_set_new(plug->device, "addr", json_string(slot));
	}
	runner_call(plug->runner, "device_add", g_steal_pointer(&plug->device), 0, on_added, plug);
}

/* Names that no other device of the machine has: the caller may have given them. */
static void name_device(struct runner *runner, struct device_info *info, const char *kind)
{
	const struct domain_devices *d = &runner->machine.dom->live->devices;

	for (unsigned n = 0; !info->alias.name; n++) {
		g_autofree char *name = g_strdup_printf("%s%u", kind, n);
		bool taken = false;

		for (unsigned i = 0; i < d->disk_count; i++)
			taken |= !g_strcmp0(d->disks[i].info.alias.name, name);
		for (unsigned i = 0; i < d->interface_count; i++)
			taken |= !g_strcmp0(d->interfaces[i].info.alias.name, name);
		if (!taken)
			info->alias.name = g_steal_pointer(&name);
	}
}

void runner_plug(struct machine *machine, struct domain *device, struct task *task)
{
	struct runner *runner = runner_of(machine);
	struct domain_devices *d = &device->devices;
	struct plug *plug = g_new0(struct plug, 1);

	plug->runner = runner;
	plug->task = task;
	if (d->disk_count)
		name_device(runner, &d->disks[0].info, "virtio-disk");
	if (d->interface_count)
		name_device(runner, &d->interfaces[0].info, "net");
	runner_produce(device, runner->dir);
	if (d->disk_count)
		plug_disk(plug, &d->disks[0]);
	else if (d->interface_count)
		plug_card(plug, &d->interfaces[0]);
	else
		plug_simple(plug, d);
}

/* == Unplug == */

void runner_unplug(struct machine *machine, const char *alias, struct task *task)
{
	runner_command(runner_of(machine), "device_del", json_pack("{s:s}", "id", alias), task);
}

static bool only_user(struct runner *runner, const struct domain_disk *disk)
{
	const struct domain_devices *d = &runner->machine.dom->live->devices;
	unsigned users = 0;

	for (unsigned i = 0; i < d->disk_count; i++)
		users += !g_strcmp0(disk_path(&d->disks[i]), disk_path(disk));
	return users == 1;
}

/* Nodes and networks that were made at the start go with their devices; then there is none here. */
void runner_unplugged(struct runner *runner, const char *alias)
{
	g_autofree char *node = node_name(alias);
	g_autofree char *link = netdev_name(alias);
	const struct domain_disk *disk = runner_disk(runner, alias, NULL);
	const struct domain *live = runner->machine.dom->live;

	/* What goes is the entry, not what is open; another disk may be the same file. */
	if (disk && disk->type == DISK_NETWORK && auth_is_set(disk_auth(disk))) {
		g_autofree char *id = runner_disk_secret(disk);

		runner_call(runner, "object-del", json_pack("{s:s}", "id", id), 0, NULL, NULL);
	}
	if (disk && only_user(runner, disk))
		runner_grant_end(runner, disk_path(disk));
	for (unsigned i = 0; live && i < live->devices.interface_count; i++) {
		const struct domain_interface *card = &live->devices.interfaces[i];

		/* When its process has let it go. */
		if (!g_strcmp0(card->info.alias.name, alias))
			tap_remove(card);
	}
	runner_call(runner, "blockdev-del", json_pack("{s:s}", "node-name", node), 0, NULL, NULL);
	runner_call(runner, "netdev_del", json_pack("{s:s}", "id", link), 0, NULL, NULL);
}

/* == Update == */

static void refuse(struct task *task, const char *what)
{
	g_autoptr(GError) error = NULL;

	error_set(
		&error, SOCLE_ERROR_UNSUPPORTED,
		"%s cannot be changed while the machine runs; change its definition, which counts "
		"from the next start",
		what);
	task_end(task, error);
}

static void update_disk(struct runner *runner, const struct domain_disk *now,
			struct domain_disk *disk, bool force, struct task *task)
{
	if (now->device == DISK_CDROM) {
		runner_change_medium(runner, now, disk, force, task);
		return;
	}
	if (g_strcmp0(disk_path(now), disk_path(disk)) != 0) {
		refuse(task, "the image of a disk");
		return;
	}
	g_free(disk->info.alias.name);
	disk->info.alias.name = g_strdup(now->info.alias.name);
	runner_command(runner, "block_set_io_throttle", runner_disk_limits(disk), task);
}

/* A card's limits change, then its cable. */
struct card_update {
	struct runner *runner;
	struct task *task;
	json_t *link; /* for set_link */
	bool is_limited; /* a machine of an earlier version, which cannot, is no failure if nothing is wanted */
};

static void on_limited(void *opaque, json_t *result, const GError *error)
{
	struct card_update *update = opaque;

	(void)result;
	if (!error || !update->is_limited)
		runner_command(update->runner, "set_link", g_steal_pointer(&update->link),
			       update->task);
	else
		task_end(update->task, error);
	json_decref(update->link);
	g_free(update);
}

static void update_card(struct runner *runner, const struct domain_interface *now,
			const struct domain_interface *card, struct task *task)
{
	const char *alias = now->info.alias.name;
	struct card_update *update;
	int r = 0;

	/* Another network: its cable is put into another bridge. */
	if (tap_wanted(now) && !tap_is_direct(now) && card->source.bridge &&
	    g_strcmp0(now->source.bridge, card->source.bridge) != 0)
		r = link_join(now->target.dev, card->source.bridge, card->port.isolated == TRI_YES);
	if (r < 0) {
		g_autoptr(GError) error = NULL;

		error_sys(&error, r, "cannot put '%s' into bridge '%s'", now->target.dev,
			  card->source.bridge);
		task_end(task, error);
		return;
	}
	update = g_new(struct card_update, 1);
	*update = (struct card_update){
		.runner = runner,
		.task = task,
		.link = json_pack("{s:s,s:b}", "name", alias, "up", card->link.state != LINK_DOWN),
		.is_limited = card->bandwidth.inbound.average.value > 0 ||
			      card->bandwidth.outbound.average.value > 0,
	};
	runner_call(runner, "x-set-card-limits", runner_card_limits(card, alias), 0, on_limited,
		    update);
}

void runner_update(struct machine *machine, const char *alias, struct domain *device, bool force,
		   struct task *task)
{
	struct runner *runner = runner_of(machine);
	const struct domain_devices *live = &machine->dom->live->devices;
	struct domain_devices *d = &device->devices;
	const struct domain_disk *disk = runner_disk(runner, alias, NULL);

	if (disk && d->disk_count) {
		update_disk(runner, disk, &d->disks[0], force, task);
		return;
	}
	for (unsigned i = 0; i < live->interface_count && d->interface_count; i++) {
		if (!g_strcmp0(live->interfaces[i].info.alias.name, alias)) {
			update_card(runner, &live->interfaces[i], &d->interfaces[0], task);
			return;
		}
	}
	if (d->graphics_count && runner_vnc(machine->dom->live)) {
		runner_update_vnc(runner, runner_vnc(machine->dom->live), &d->graphics[0], task);
		return;
	}
	refuse(task, "a device of this kind");
}
