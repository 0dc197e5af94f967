/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * plug.c - devices of a domain come and go, and are found by what clients know of them
 */
#include "model/plug.h"

#include <string.h>

#include "base/error.h"
#include "model/fields-int.h"

struct kind {
	const char *name;  /* of its element */
	const char *alias; /* what its names begin with; NULL: they have none */
	const struct record *record;
	size_t list, count, info;
};

#define KIND(name_, alias_, record_, list_, count_)                                         \
	{                                                                                   \
		(name_), (alias_), &(record_), offsetof(struct domain_devices, list_),      \
			offsetof(struct domain_devices, count_),                            \
			offsetof(__typeof__(*((struct domain_devices *)NULL)->list_), info) \
	}

static const struct kind kinds[] = {
	KIND("disk", "disk", disk_record, disks, disk_count),
	KIND("controller", "controller", controller_record, controllers, controller_count),
	KIND("interface", "net", interface_record, interfaces, interface_count),
	KIND("serial", "serial", char_record, serials, serial_count),
	KIND("parallel", "parallel", char_record, parallels, parallel_count),
	KIND("console", "console", char_record, consoles, console_count),
	KIND("channel", "channel", char_record, channels, channel_count),
	KIND("input", "input", input_record, inputs, input_count),
	KIND("tpm", "tpm", tpm_record, tpms, tpm_count),
	KIND("graphics", NULL, graphics_record, graphics, graphics_count),
	KIND("sound", "sound", sound_record, sounds, sound_count),
	KIND("video", "video", video_record, videos, video_count),
	KIND("watchdog", "watchdog", watchdog_record, watchdogs, watchdog_count),
	KIND("memballoon", "balloon", memballoon_record, memballoons, memballoon_count),
	KIND("rng", "rng", rng_record, rngs, rng_count),
	KIND("panic", "panic", panic_record, panics, panic_count),
	KIND("vsock", "vsock", vsock_record, vsocks, vsock_count),
};

static char *list_of(const struct kind *kind, const struct domain_devices *devices)
{
	return *(char *const *)(const void *)((const char *)devices + kind->list);
}

static unsigned count_of(const struct kind *kind, const struct domain_devices *devices)
{
	return *(const unsigned *)(const void *)((const char *)devices + kind->count);
}

static void *item_of(const struct kind *kind, const struct domain_devices *devices, unsigned i)
{
	return list_of(kind, devices) + i * kind->record->size;
}

static struct device_info *info_of(const struct kind *kind, void *item)
{
	return (struct device_info *)(void *)((char *)item + kind->info);
}

/* == Names == */

static char *make_alias(const struct kind *kind, const void *item, unsigned n)
{
	const struct domain_disk *disk = item;
	const struct domain_controller *controller = item;

	if (kind->record == &disk_record)
		return g_strdup_printf("%s-disk%u", disk_bus_names[disk->target.bus], n);
	if (kind->record == &controller_record) {
		const char *type = controller_type_names[controller->type];

		if (controller->type == CONTROLLER_PCI)
			return g_strdup_printf("pci.%u", (unsigned)controller->index.value);
		return g_strdup_printf("%s%u", type, (unsigned)controller->index.value);
	}
	return g_strdup_printf("%s%u", kind->alias, n);
}

static void name_item(const struct kind *kind, void *item, const struct domain *domain, unsigned n)
{
	struct device_info *info = info_of(kind, item);

	while (kind->alias && !info->alias.name) {
		char *alias = make_alias(kind, item, n++);

		if (domain_find_alias((struct domain *)(uintptr_t)domain, alias))
			g_free(alias);
		else
			info->alias.name = alias;
		/* The number of a controller is its own. */
		if (!info->alias.name && kind->record == &controller_record)
			info->alias.name = g_strdup_printf("controller%u", n);
	}
}

/* The console that is the first serial port, seen by another name. */
static void name_console(struct domain_devices *d)
{
	if (d->console_count && d->serial_count && !d->consoles[0].info.alias.name &&
	    d->serials[0].info.alias.name && d->consoles[0].target.type &&
	    !strcmp(d->consoles[0].target.type, "serial"))
		d->consoles[0].info.alias.name = g_strdup(d->serials[0].info.alias.name);
}

void domain_name_devices(struct domain *domain)
{
	for (size_t k = 0; k < ARRAY_SIZE(kinds); k++) {
		if (!strcmp(kinds[k].name, "console"))
			name_console(&domain->devices);
		for (unsigned i = 0; i < count_of(&kinds[k], &domain->devices); i++)
			name_item(&kinds[k], item_of(&kinds[k], &domain->devices, i), domain, i);
	}
}

void domain_name_device(struct domain *device, const struct domain *domain)
{
	for (size_t k = 0; k < ARRAY_SIZE(kinds); k++) {
		for (unsigned i = 0; i < count_of(&kinds[k], &device->devices); i++)
			name_item(&kinds[k], item_of(&kinds[k], &device->devices, i), domain,
				  count_of(&kinds[k], &domain->devices));
	}
}

/* == One device == */

static const struct kind *only_kind(const struct domain *device)
{
	const struct kind *found = NULL;

	for (size_t k = 0; k < ARRAY_SIZE(kinds); k++) {
		if (!count_of(&kinds[k], &device->devices))
			continue;
		/* A console brings its serial port, but not here. */
		if (found)
			return NULL;
		found = &kinds[k];
	}
	return found && count_of(found, &device->devices) == 1 ? found : NULL;
}

struct device_info *domain_one_device(struct domain *device, const char **ret_kind)
{
	const struct kind *kind = only_kind(device);

	if (!kind)
		return NULL;
	if (ret_kind)
		*ret_kind = kind->name;
	return info_of(kind, item_of(kind, &device->devices, 0));
}

static bool same_text(const char *a, const char *b)
{
	return a && b && !strcmp(a, b);
}

static bool same_place(const struct device_address *a, const struct device_address *b)
{
	return a->type == ADDRESS_PCI && b->type == ADDRESS_PCI &&
	       a->domain.value == b->domain.value && a->bus.value == b->bus.value &&
	       a->slot.value == b->slot.value && a->function.value == b->function.value;
}

/* What both say has to agree; what only one of them says does not matter. */
static bool fits_interface(const struct domain_interface *has, const struct domain_interface *want)
{
	if (want->mac.address)
		return has->mac.address && !g_ascii_strcasecmp(has->mac.address, want->mac.address);
	return want->info.address.type == ADDRESS_ABSENT &&
	       (want->type == INTERFACE_ABSENT || has->type == want->type) &&
	       (!want->source.network || same_text(has->source.network, want->source.network)) &&
	       (!want->source.bridge || same_text(has->source.bridge, want->source.bridge));
}

static bool fits_char(const struct domain_char *has, const struct domain_char *want)
{
	if (want->target.name)
		return same_text(has->target.name, want->target.name);
	if (want->target.port.set)
		return has->target.port.set && has->target.port.value == want->target.port.value;
	return want->type == CHAR_ABSENT || has->type == want->type;
}

static bool fits(const struct kind *kind, void *has, void *want)
{
	const struct device_info *a = info_of(kind, has), *b = info_of(kind, want);

	if (b->alias.name && same_text(a->alias.name, b->alias.name))
		return true;
	if (kind->record == &disk_record) {
		const struct domain_disk *x = has, *y = want;

		return same_text(x->target.dev, y->target.dev);
	}
	if (kind->record == &interface_record && fits_interface(has, want))
		return true;
	if (kind->record == &char_record)
		return fits_char(has, want);
	if (kind->record == &controller_record) {
		const struct domain_controller *x = has, *y = want;

		return x->type == y->type && y->index.set && x->index.value == y->index.value;
	}
	if (same_place(&a->address, &b->address))
		return true;
	return kind->record != &interface_record && b->address.type == ADDRESS_ABSENT;
}

struct device_info *domain_find_device(struct domain *domain, const struct domain *device,
				       GError **error)
{
	const struct kind *kind = only_kind(device);
	struct device_info *found = NULL;
	void *want;

	if (!kind) {
		error_set(error, SOCLE_ERROR_UNSUPPORTED,
			  "devices of this kind cannot be plugged or unplugged");
		return NULL;
	}
	want = item_of(kind, &device->devices, 0);
	for (unsigned i = 0; i < count_of(kind, &domain->devices); i++) {
		void *has = item_of(kind, &domain->devices, i);

		if (!fits(kind, has, want))
			continue;
		if (found) {
			error_set(error, SOCLE_ERROR_USAGE,
				  "more than one %s of the domain is like this; name its alias, "
				  "address or MAC address",
				  kind->name);
			return NULL;
		}
		found = info_of(kind, has);
	}
	if (!found)
		error_set(error, SOCLE_ERROR_NOT_FOUND, "the domain has no such %s", kind->name);
	return found;
}

struct device_info *domain_find_alias(struct domain *domain, const char *alias)
{
	for (size_t k = 0; k < ARRAY_SIZE(kinds); k++) {
		for (unsigned i = 0; i < count_of(&kinds[k], &domain->devices); i++) {
			struct device_info *info =
				info_of(&kinds[k], item_of(&kinds[k], &domain->devices, i));

			if (same_text(info->alias.name, alias))
				return info;
		}
	}
	return NULL;
}

static const struct kind *kind_of(const struct domain *domain, const struct device_info *info,
				  unsigned *ret_index)
{
	for (size_t k = 0; k < ARRAY_SIZE(kinds); k++) {
		for (unsigned i = 0; i < count_of(&kinds[k], &domain->devices); i++) {
			if (info_of(&kinds[k], item_of(&kinds[k], &domain->devices, i)) != info)
				continue;
			*ret_index = i;
			return &kinds[k];
		}
	}
	return NULL;
}

struct domain *domain_extract_device(const struct domain *domain, const struct device_info *info)
{
	struct domain *device = g_new0(struct domain, 1);
	unsigned index;
	const struct kind *kind = kind_of(domain, info, &index);
	void *item;

	if (kind) {
		item = list_add(kind->record, (char *)&device->devices + kind->list,
				(unsigned *)(void *)((char *)&device->devices + kind->count));
		record_copy(kind->record, item, item_of(kind, &domain->devices, index));
	}
	return device;
}

/* == Coming and going == */

void domain_add_device(struct domain *domain, const struct domain *device)
{
	const struct kind *kind = only_kind(device);
	void *item;

	if (!kind)
		return;
	item = list_add(kind->record, (char *)&domain->devices + kind->list,
			(unsigned *)(void *)((char *)&domain->devices + kind->count));
	record_copy(kind->record, item, item_of(kind, &device->devices, 0));
}

void domain_remove_device(struct domain *domain, struct device_info *info)
{
	unsigned index;
	const struct kind *kind = kind_of(domain, info, &index);

	if (kind)
		list_remove(kind->record, (char *)&domain->devices + kind->list,
			    (unsigned *)(void *)((char *)&domain->devices + kind->count), index);
}

void domain_replace_device(struct domain *domain, struct device_info *info,
			   const struct domain *device)
{
	unsigned index;
	const struct kind *kind = kind_of(domain, info, &index);
	struct device_alias alias = info->alias;
	void *item;

	if (!kind || only_kind(device) != kind)
		return;
	item = item_of(kind, &domain->devices, index);
	info->alias.name = NULL;
	{
		struct device_address address = info->address;

		/* An address has one text, which goes over. */
		info->address.port = NULL;
		record_release(kind->record, item);
		record_copy(kind->record, item, item_of(kind, &device->devices, 0));
		g_free(info->alias.name);
		g_free(info->address.port);
		info->alias = alias;
		info->address = address;
	}
}
