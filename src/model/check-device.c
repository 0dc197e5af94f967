/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * check-device.c - the step check, of all other devices, and of addresses
 */
#include <inttypes.h>
#include <string.h>

#include "model/check-int.h"
#include "model/device-int.h"
#include "model/fields-int.h"

static bool check_controllers(const struct check *c)
{
	struct domain_devices *d = &c->domain->devices;

	for (unsigned i = 0; i < d->controller_count; i++) {
		struct domain_controller *controller = &d->controllers[i];
		const char *type;

		if (controller->type == CONTROLLER_ABSENT)
			return wrong(c, "a <controller> has no type; give it one or remove it");
		type = controller_type_names[controller->type];
		for (unsigned j = 0; j < i; j++) {
			/* USB 2 has companions of the same number. */
			if (d->controllers[j].type == controller->type &&
			    controller->type != CONTROLLER_USB &&
			    d->controllers[j].index.value == controller->index.value)
				return wrong(c,
					     "two controllers of type '%s' have the index %" PRId64
					     "; number them",
					     type, controller->index.value);
		}
		controller->info.fate = FATE_HONOURED;
		if (controller->type == CONTROLLER_VIRTIO_SERIAL ||
		    (controller->type == CONTROLLER_PCI && controller->index.value == 0) ||
		    (controller->model && !strcmp(controller->model, "none")))
			continue;
		controller->info.fate = FATE_LEFT_OUT;
		if (controller->type == CONTROLLER_PCI)
			notes_add(c->notes,
				  "PCI bridges and ports are left out: all devices are on "
				  "one bus");
		else
			notes_add(c->notes,
				  "controllers of type '%s' are left out: the machine has "
				  "none",
				  type);
	}
	return true;
}

static bool check_watchdogs(const struct check *c)
{
	static const char *const actions[] = { "reset", "shutdown",   "poweroff", "pause",
					       "none",  "inject-nmi", NULL };
	struct domain_devices *d = &c->domain->devices;

	for (unsigned i = 0; i < d->watchdog_count; i++) {
		struct domain_watchdog *watchdog = &d->watchdogs[i];

		if (!is_one_of(watchdog->action, actions))
			return refuse(c,
				      "<watchdog>: the action '%.64s' is not there; give reset, "
				      "poweroff, pause or none",
				      watchdog->action);
		watchdog->info.fate = i > 0 ? FATE_LEFT_OUT : FATE_HONOURED;
		if (i > 0)
			notes_add(c->notes, "watchdog '%.64s' is left out: the machine has one",
				  watchdog->model);
		else if (strcmp(watchdog->model, "i6300esb") != 0) {
			watchdog->info.fate = FATE_MAPPED;
			notes_add(c->notes, "watchdog '%.64s' becomes an i6300esb",
				  watchdog->model);
		}
	}
	return true;
}

static bool is_virtio(const char *model)
{
	return g_str_has_prefix(model, "virtio");
}

static bool check_rngs(const struct check *c)
{
	static const char *const paths[] = { "/dev/urandom", "/dev/random", NULL };
	struct domain_devices *d = &c->domain->devices;

	for (unsigned i = 0; i < d->rng_count; i++) {
		struct domain_rng *rng = &d->rngs[i];

		if (!is_virtio(rng->model))
			return refuse(c, "<rng>: the model '%.64s' is not there; give virtio",
				      rng->model);
		if (!strcmp(rng->backend.model, "egd"))
			return refuse(c, "<rng>: no daemon is asked for random numbers; give a "
					 "<backend model='random'>");
		if (rng->backend.path && !is_one_of(rng->backend.path, paths))
			notes_add(c->notes, "the random numbers of '%.128s' come from the kernel",
				  rng->backend.path);
		rng->info.fate = i > 0 ? FATE_LEFT_OUT : FATE_HONOURED;
		if (i > 0)
			notes_add(c->notes, "rng %u is left out: the machine has one", i);
	}
	return true;
}

static void check_panics(const struct check *c)
{
	static const char *const models[] = { "isa", "pvpanic", NULL };
	struct domain_devices *d = &c->domain->devices;

	for (unsigned i = 0; i < d->panic_count; i++) {
		struct domain_panic *panic = &d->panics[i];

		panic->info.fate = FATE_HONOURED;
		if (is_one_of(panic->model, models) && i == 0)
			continue;
		panic->info.fate = FATE_LEFT_OUT;
		notes_add(c->notes,
			  "panic notifier '%.64s' is left out: there is one of model 'isa'",
			  panic->model);
	}
}

static bool check_single(const struct check *c)
{
	struct domain_devices *d = &c->domain->devices;

	for (unsigned i = 0; i < d->memballoon_count; i++) {
		if (!is_virtio(d->memballoons[i].model) &&
		    strcmp(d->memballoons[i].model, "none") != 0)
			return refuse(
				c,
				"<memballoon>: the model '%.64s' is not there; give virtio or "
				"none",
				d->memballoons[i].model);
	}
	for (unsigned i = 0; i < d->vsock_count; i++) {
		const struct vsock_cid *cid = &d->vsocks[i].cid;

		if (!is_virtio(d->vsocks[i].model))
			return refuse(c, "<vsock>: the model '%.64s' is not there; give virtio",
				      d->vsocks[i].model);
		if (!cid->address.set && cid->automatic != TRI_YES)
			return wrong(c, "<vsock> has no CID; give <cid auto='yes'/>");
	}
	if (d->tpm_count)
		return refuse(c,
			      "the domain has a <tpm>: there is none yet, and what is sealed by it "
			      "would be lost; remove it");
	return true;
}

/* Kinds that no machine here has: the guest does without, or would miss them. */
static bool check_kinds(const struct check *c)
{
	const struct domain_devices *d = &c->domain->devices;
	const struct kept essential[] = {
		{ d->kept_hostdev, "hostdev", "devices of the host are not given away; remove it" },
		{ d->kept_filesystem, "filesystem",
		  "folders are not shared; use a disk or a network" },
		{ d->kept_memory, "memory", "modules of memory are not plugged; raise <memory>" },
		{ d->kept_shmem, "shmem", "memory is not shared; remove it" },
		{ d->kept_lease, "lease", "no lock manager is asked; remove it" },
	};
	const struct {
		const char *raw, *what;
	} dispensable[] = {
		{ d->kept_redirdev, "redirdev" },   { d->kept_redirfilter, "redirfilter" },
		{ d->kept_smartcard, "smartcard" }, { d->kept_hub, "hub" },
		{ d->kept_iommu, "iommu" },         { d->kept_nvram, "nvram" },
		{ d->kept_crypto, "crypto" },       { d->kept_pstore, "pstore" },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(dispensable); i++) {
		if (dispensable[i].raw)
			notes_add(c->notes, "<%s> is left out: machines have none",
				  dispensable[i].what);
	}
	return check_kept(c, "the domain", essential, G_N_ELEMENTS(essential));
}

bool check_other_devices(struct check *c)
{
	const char *emulator = c->domain->devices.emulator;

	if (emulator && c->support->emulator && strcmp(emulator, c->support->emulator) != 0)
		notes_add(c->notes, "the emulator '%.128s' is not used: '%s' takes its place",
			  emulator, c->support->emulator);
	check_panics(c);
	return check_kinds(c) && check_controllers(c) && check_watchdogs(c) && check_rngs(c) &&
	       check_single(c);
}

static bool same_place(const struct device_address *a, const struct device_address *b)
{
	if (a->type != b->type)
		return false;
	if (a->type == ADDRESS_PCI)
		return a->domain.value == b->domain.value && a->bus.value == b->bus.value &&
		       a->slot.value == b->slot.value && a->function.value == b->function.value;
	return false;
}

static bool check_place(const struct check *c, const struct device_ref *ref, GArray *others)
{
	const struct device_address *at = &ref->info->address;

	if (ref->on_pci && at->type == ADDRESS_ABSENT)
		return refuse(
			c, "the PCI bus is full: there is no slot for %s '%s'; take a device out",
			ref->kind, ref->name);
	if (ref->on_pci && at->type != ADDRESS_PCI)
		return refuse(c, "%s '%s' has an address that is none of PCI; remove its <address>",
			      ref->kind, ref->name);
	if (at->type == ADDRESS_PCI && at->bus.value != 0)
		notes_add(c->notes, "devices on other PCI buses get slots of the one there is");
	for (unsigned i = 0; i < others->len; i++) {
		const struct device_ref *other = &g_array_index(others, struct device_ref, i);

		if (other->info == ref->info)
			break;
		if (same_place(at, &other->info->address))
			return wrong(c,
				     "%s '%s' and %s '%s' have the same PCI address; remove the "
				     "<address> of one",
				     other->kind, other->name, ref->kind, ref->name);
	}
	return true;
}

bool check_addresses(struct check *c)
{
	g_autoptr(GArray) refs = device_refs(&c->domain->devices);
	struct domain *others = c->others ? domain_copy(c->others) : NULL;
	g_autoptr(GArray) theirs = others ? device_refs(&others->devices) : NULL;
	bool ok = true;

	for (unsigned i = 0; i < refs->len && ok; i++) {
		const struct device_ref *ref = &g_array_index(refs, struct device_ref, i);

		ok = check_place(c, ref, refs) && (!theirs || check_place(c, ref, theirs));
	}
	domain_free(others);
	return ok;
}
