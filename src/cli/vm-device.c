/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vm-device.c - devices of a machine are listed, plugged, unplugged, changed
 */
#include <string.h>

#include "base/error.h"
#include "cli/commands.h"
#include "cli/table.h"
#include "model/domain.h"

/* ---- plug ---- */

typedef int device_call(struct socle_domain *dom, const char *xml, unsigned flags,
			struct socle_error **error);

static int with_file(struct cli *cli, const struct cli_args *args, device_call *call,
		     const char *action, const char *done, GError **error)
{
	size_t len;
	g_autofree char *xml = cli_read_file(cli_args_word(args, 1), &len, error);
	SOCLE_AUTO(domain) dom = NULL;
	struct socle_error *why = NULL;

	if (!xml)
		return CLI_FAILED;
	dom = cli_machine(cli, cli_args_word(args, 0), error);
	if (!dom)
		return CLI_FAILED;
	if (call(dom, xml, cli_affect(args), &why) < 0)
		return cli_fail(error, why, "'%s'", cli_args_word(args, 0));
	cli_done_machine(cli, dom, action, done);
	return CLI_OK;
}

static int run_attach(struct cli *cli, const struct cli_args *args, GError **error)
{
	return with_file(cli, args, socle_domain_attach_device, "attach", "has the device", error);
}

static int run_update(struct cli *cli, const struct cli_args *args, GError **error)
{
	return with_file(cli, args, socle_domain_update_device, "update",
			 "has the device as it is now", error);
}

static int run_detach(struct cli *cli, const struct cli_args *args, GError **error)
{
	const char *alias = cli_args_value(args, "alias");
	SOCLE_AUTO(domain) dom = NULL;
	struct socle_error *why = NULL;

	if (!alias == (cli_args_words(args) < 2)) {
		error_set(error, SOCLE_ERROR_USAGE,
			  "'socle detach' wants a FILE with the device, or '--alias'");
		return CLI_USAGE;
	}
	if (!alias)
		return with_file(cli, args, socle_domain_detach_device, "detach",
				 "is asked to give the device up", error);
	dom = cli_machine(cli, cli_args_word(args, 0), error);
	if (!dom)
		return CLI_FAILED;
	if (socle_domain_detach_device_alias(dom, alias, cli_affect(args), &why) < 0)
		return cli_fail(error, why, "'%s'", cli_args_word(args, 0));
	cli_done_machine(cli, dom, "detach", "is asked to give the device up");
	return CLI_OK;
}

const struct cli_command cli_vm_attach = {
	.noun = "vm",
	.verb = "attach",
	.names = "attach-device",
	.arguments = "MACHINE FILE",
	.summary = "Plug a device, as XML says it, into a machine",
	.options = (const struct cli_option[]){ CLI_ROW_LIVE, CLI_ROW_CONFIG, CLI_ROW_END },
	.what = { CLI_MACHINE, CLI_FILE },
	.min = 2,
	.max = 2,
	.flags = CLI_WRITES | CLI_BARE,
	.run = run_attach,
};

const struct cli_command cli_vm_detach = {
	.noun = "vm",
	.verb = "detach",
	.names = "detach-device",
	.arguments = "MACHINE [FILE]",
	.summary = "Unplug a device",
	.options = (const struct cli_option[]){ CLI_ROW_LIVE,
						CLI_ROW_CONFIG,
						{ "alias", 0, "ALIAS", CLI_TEXT,
						  "the device, by its alias" },
						CLI_ROW_END },
	.what = { CLI_MACHINE, CLI_FILE },
	.min = 1,
	.max = 2,
	.flags = CLI_WRITES | CLI_BARE,
	.run = run_detach,
};

const struct cli_command cli_vm_update = {
	.noun = "vm",
	.verb = "update",
	.names = "update-device",
	.arguments = "MACHINE FILE",
	.summary = "Change a device: another CD, a link that is down",
	.options = (const struct cli_option[]){ CLI_ROW_LIVE, CLI_ROW_CONFIG, CLI_ROW_END },
	.what = { CLI_MACHINE, CLI_FILE },
	.min = 2,
	.max = 2,
	.flags = CLI_WRITES | CLI_BARE,
	.run = run_update,
};

/* ---- list ---- */

static struct domain *definition(struct cli *cli, const struct cli_args *args, GError **error)
{
	SOCLE_AUTO(domain) dom = cli_machine(cli, cli_args_word(args, 0), error);
	unsigned flags = cli_args_has(args, "inactive") ? SOCLE_XML_INACTIVE : 0;
	struct socle_error *why = NULL;
	struct domain *domain;
	char *xml;

	if (!dom)
		return NULL;
	xml = socle_domain_xml(dom, flags, &why);
	if (!xml) {
		cli_fail(error, why, "'%s'", cli_args_word(args, 0));
		return NULL;
	}
	domain = domain_parse(xml, strlen(xml), 0, NULL, error);
	free(xml);
	return domain;
}

static const char *disk_source(const struct domain_disk *disk)
{
	const char *path = disk_path(disk);

	return path ? path : disk->source.volume ? disk->source.volume : disk->source.name;
}

static const char *disk_device(const struct domain_disk *disk)
{
	static const char *const names[] = {
		[DISK_DEVICE_ABSENT] = "disk", [DISK_DISK] = "disk", [DISK_CDROM] = "cdrom",
		[DISK_FLOPPY] = "floppy",      [DISK_LUN] = "lun",
	};

	G_STATIC_ASSERT(G_N_ELEMENTS(names) == DISK_DEVICE_COUNT);
	return names[disk->device];
}

static int run_disks(struct cli *cli, const struct cli_args *args, GError **error)
{
	autoptr(domain) domain = definition(cli, args, error);
	autoptr(table) table = table_new("TARGET|DEVICE|FORMAT|SOURCE");
	json_t *list;

	if (!domain)
		return CLI_FAILED;
	list = json_array();
	for (unsigned i = 0; i < domain->devices.disk_count; i++) {
		const struct domain_disk *disk = &domain->devices.disks[i];

		table_add(table, disk->target.dev);
		table_add(table, disk_device(disk));
		table_add(table, disk->driver.type);
		table_add(table, disk_source(disk));
		if (cli->output == OUTPUT_NAME)
			cli_out_name(disk->target.dev);
		json_array_append_new(list, json_pack("{s:o, s:s, s:o, s:o, s:b}", "target",
						      cli_json_string(disk->target.dev), "device",
						      disk_device(disk), "format",
						      cli_json_string(disk->driver.type), "source",
						      cli_json_string(disk_source(disk)),
						      "readonly", disk->readonly));
	}
	cli_out_list(cli, list, table, "no disks");
	return CLI_OK;
}

#define ROW_INACTIVE                                                                \
	{                                                                           \
		"inactive", 0, NULL, CLI_NOTHING, "as it will be at the next start" \
	}

const struct cli_command cli_vm_disks = {
	.noun = "vm",
	.verb = "disks",
	.names = "domblklist",
	.arguments = "MACHINE",
	.summary = "List the disks of a machine",
	.options = (const struct cli_option[]){ ROW_INACTIVE, CLI_ROW_END },
	.what = { CLI_MACHINE },
	.min = 1,
	.max = 1,
	.flags = CLI_BARE,
	.run = run_disks,
};

static const char *nic_type(const struct domain_interface *nic)
{
	static const char *const names[] = {
		"-",         "network",  "bridge", "user",   "direct", "ethernet",
		"vhostuser", "internal", "server", "client", "mcast",  "udp",
		"hostdev",   "vdpa",     "null",   "vds",
	};

	G_STATIC_ASSERT(G_N_ELEMENTS(names) == INTERFACE_COUNT);
	return names[nic->type];
}

static int run_nics(struct cli *cli, const struct cli_args *args, GError **error)
{
	autoptr(domain) domain = definition(cli, args, error);
	autoptr(table) table = table_new("DEVICE|TYPE|SOURCE|MODEL|MAC");
	json_t *list;

	if (!domain)
		return CLI_FAILED;
	list = json_array();
	for (unsigned i = 0; i < domain->devices.interface_count; i++) {
		const struct domain_interface *nic = &domain->devices.interfaces[i];
		const char *source = nic->source.network  ? nic->source.network
				     : nic->source.bridge ? nic->source.bridge
							  : nic->source.dev;

		table_add(table, nic->target.dev);
		table_add(table, nic_type(nic));
		table_add(table, source);
		table_add(table, nic->model.type);
		table_add(table, nic->mac.address);
		if (cli->output == OUTPUT_NAME)
			cli_out_name(nic->mac.address);
		json_array_append_new(list,
				      json_pack("{s:o, s:s, s:o, s:o, s:o}", "device",
						cli_json_string(nic->target.dev), "type",
						nic_type(nic), "source", cli_json_string(source),
						"model", cli_json_string(nic->model.type), "mac",
						cli_json_string(nic->mac.address)));
	}
	cli_out_list(cli, list, table, "no network cards");
	return CLI_OK;
}

const struct cli_command cli_vm_nics = {
	.noun = "vm",
	.verb = "nics",
	.names = "domiflist",
	.arguments = "MACHINE",
	.summary = "List the network cards of a machine",
	.options = (const struct cli_option[]){ ROW_INACTIVE, CLI_ROW_END },
	.what = { CLI_MACHINE },
	.min = 1,
	.max = 1,
	.flags = CLI_BARE,
	.run = run_nics,
};

/* ---- addresses ---- */

static void add_addresses(const struct socle_interface *nic, struct table *table, json_t *list)
{
	for (unsigned i = 0; i < nic->count; i++) {
		const struct socle_address *address = &nic->addresses[i];

		table_add(table, nic->name);
		table_add(table, nic->mac);
		table_take(table, g_strdup_printf("%s/%u", address->address, address->prefix));
		json_array_append_new(list, json_pack("{s:o, s:o, s:o, s:i, s:s}", "device",
						      cli_json_string(nic->name), "mac",
						      cli_json_string(nic->mac), "address",
						      cli_json_string(address->address), "prefix",
						      (int)address->prefix, "type",
						      address->type ? "ipv6" : "ipv4"));
	}
}

static int run_addresses(struct cli *cli, const struct cli_args *args, GError **error)
{
	SOCLE_AUTO(domain) dom = cli_machine(cli, cli_args_word(args, 0), error);
	const char *source = cli_args_value(args, "source");
	unsigned from = !g_strcmp0(source, "agent") ? SOCLE_ADDRESS_AGENT
			: !g_strcmp0(source, "arp") ? SOCLE_ADDRESS_ARP
						    : SOCLE_ADDRESS_LEASE;
	autoptr(table) table = table_new("DEVICE|MAC|ADDRESS");
	struct socle_interface *nics = NULL;
	struct socle_error *why = NULL;
	json_t *list;
	int count;

	if (!dom)
		return CLI_FAILED;
	count = socle_domain_interface_addresses(dom, from, 0, &nics, &why);
	if (count < 0)
		return cli_fail(error, why, "'%s'", cli_args_word(args, 0));
	list = json_array();
	for (int i = 0; i < count; i++) {
		add_addresses(&nics[i], table, list);
		for (unsigned n = 0; cli->output == OUTPUT_NAME && n < nics[i].count; n++)
			cli_out_name(nics[i].addresses[n].address);
	}
	cli_out_list(cli, list, table, "no address is known; '--source=agent' asks the guest");
	socle_interfaces_free(nics);
	return CLI_OK;
}

const struct cli_command cli_vm_addresses = {
	.noun = "vm",
	.verb = "addresses",
	.names = "domifaddr",
	.arguments = "MACHINE",
	.summary = "List the addresses of a machine",
	.options = (const struct cli_option[]){ { "source", 0, "lease|agent|arp", CLI_TEXT,
						  "who is asked (default: lease)" },
						CLI_ROW_END },
	.what = { CLI_RUNNING },
	.min = 1,
	.max = 1,
	.flags = CLI_BARE,
	.run = run_addresses,
};
