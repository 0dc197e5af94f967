/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * options-devices.c - options of the command line that ask for a device
 */
#include "vmm/options-devices.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "vmm/device-spec.h"
#include "vmm/options.h"

void device_option_free(void *opaque)
{
	struct device_option *option = opaque;

	netdev_spec_release(&option->netdev);
	keyvalue_release(&option->list);
	g_free(option);
}

void console_option_free(void *opaque)
{
	struct console_option *option = opaque;

	g_free(option->chr.path);
	g_free(option->name);
	g_free(option);
}

static struct device_option *option_new(enum device_kind kind)
{
	struct device_option *option = g_new0(struct device_option, 1);

	option->device.kind = kind;
	return option;
}

/* The struct is at its place when its parts are read: they point into it. */
static bool add(struct options *options, struct device_option *option, bool ok)
{
	if (ok)
		g_ptr_array_add(options->devices, option);
	else
		device_option_free(option);
	return ok;
}

/* A path alone is what people try first. */
static bool parse_disk(struct device_option *option, const char *value, GError **error)
{
	g_autofree char *known = NULL;

	if (!keyvalue_parse(&option->list, value, NULL, error))
		return false;
	if (option->list.count == 1 && !option->list.item[0].value)
		return error_set(error, SOCLE_ERROR_USAGE, "'%s' is no list; write path=%s", value,
				 value);
	if (!node_spec_take(&option->node, &option->list, error) ||
	    !device_spec_take(&option->device, &option->list, error))
		return false;
	known = g_strconcat(node_spec_keys, ", ", device_spec_keys(DEVICE_DISK), NULL);
	return keyvalue_done(&option->list, known, error);
}

bool set_disk(struct options *options, const char *value, GError **error)
{
	struct device_option *option = option_new(DEVICE_DISK);

	return add(options, option, parse_disk(option, value, error));
}

bool options_have_disk(const struct options *options)
{
	for (unsigned i = 0; i < options->devices->len; i++) {
		const struct device_option *option = g_ptr_array_index(options->devices, i);

		if (option->device.kind == DEVICE_DISK || option->device.kind == DEVICE_CDROM)
			return true;
	}
	return false;
}

static bool cdrom_has_image(const struct keyvalue *list)
{
	static const char *const keys[] = { "path", "format", "file.filename", "filename",
					    "driver" };

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		if (keyvalue_get(list, keys[i]))
			return true;
	}
	return false;
}

/* A path alone, or keys. */
static bool parse_cdrom(struct device_option *option, const char *value, GError **error)
{
	g_autofree char *known = NULL;

	if (!keyvalue_parse(&option->list, value, NULL, error))
		return false;
	if (option->list.count && !option->list.item[0].value) {
		option->list.item[0].value = option->list.item[0].key;
		option->list.item[0].key = g_strdup("path");
	}
	option->node.open.read_only = true;
	/* Without an image it is empty, which is no disk of any sort. */
	if ((cdrom_has_image(&option->list) &&
	     !node_spec_take(&option->node, &option->list, error)) ||
	    !device_spec_take(&option->device, &option->list, error))
		return false;
	if (!option->node.open.read_only)
		return error_set(error, SOCLE_ERROR_USAGE,
				 "a CD cannot be written; leave out readonly=off");
	known = g_strconcat(node_spec_keys, ", ", device_spec_keys(DEVICE_CDROM), NULL);
	return keyvalue_done(&option->list, known, error);
}

bool set_cdrom(struct options *options, const char *value, GError **error)
{
	struct device_option *option = option_new(DEVICE_CDROM);

	return add(options, option, parse_cdrom(option, value, error));
}

static bool parse_net(struct device_option *option, const char *value, GError **error)
{
	g_autofree char *known = NULL;

	if (!keyvalue_parse(&option->list, value, netdev_repeatable, error) ||
	    !netdev_spec_take(&option->netdev, NULL, &option->list, error) ||
	    !device_spec_take(&option->device, &option->list, error))
		return false;
	known = g_strconcat(netdev_spec_keys, ", ", device_spec_keys(DEVICE_NET), NULL);
	return keyvalue_done(&option->list, known, error);
}

bool set_net(struct options *options, const char *value, GError **error)
{
	struct device_option *option = option_new(DEVICE_NET);

	return add(options, option, parse_net(option, value, error));
}

/* "on", "off", or keys of the device, which mean on. */
static bool set_simple(struct options *options, enum device_kind kind, const char *value,
		       bool needs_keys, GError **error)
{
	struct device_option *option;
	bool ok;

	if (!needs_keys && !strcmp(value, "off"))
		return true;
	option = option_new(kind);
	ok = keyvalue_parse(&option->list, value, NULL, error);
	if (ok && !needs_keys)
		(void)keyvalue_take_word(&option->list, "on");
	ok = ok && device_spec_take(&option->device, &option->list, error) &&
	     keyvalue_done(&option->list, device_spec_keys(kind), error);
	return add(options, option, ok);
}

bool set_rng(struct options *options, const char *value, GError **error)
{
	return set_simple(options, DEVICE_RNG, value, false, error);
}

bool set_balloon(struct options *options, const char *value, GError **error)
{
	return set_simple(options, DEVICE_BALLOON, value, false, error);
}

bool set_vsock(struct options *options, const char *value, GError **error)
{
	return set_simple(options, DEVICE_VSOCK, value, true, error);
}

bool set_watchdog(struct options *options, const char *value, GError **error)
{
	return set_simple(options, DEVICE_WATCHDOG, value, false, error);
}

bool set_pvpanic(struct options *options, const char *value, GError **error)
{
	return set_simple(options, DEVICE_PVPANIC, value, false, error);
}

bool set_console(struct options *options, const char *value, GError **error)
{
	struct console_option *option = g_new0(struct console_option, 1);
	struct keyvalue list = { 0 };
	bool ok =
		keyvalue_parse(&list, value, NULL, error) &&
		keyvalue_take_text(&list, "name", &option->name, error) &&
		keyvalue_take_unsigned(&list, "addr", 1, 31, &option->slot, error) &&
		char_spec_take(&option->chr, &list, error) &&
		keyvalue_done(&list, "stdio, none, pty, file=FILE, unix=PATH, name=PORT, addr=SLOT",
			      error);

	keyvalue_release(&list);
	if (ok)
		g_ptr_array_add(options->consoles, option);
	else
		console_option_free(option);
	return ok;
}
