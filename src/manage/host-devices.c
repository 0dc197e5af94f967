/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * host-devices.c - node devices: the host itself, and its network interfaces
 *
 * Clients look for interfaces that a machine's card can be tied to, and for the host as the parent of
 * all. A device is looked up by name in the list as it is now.
 */
#include <string.h>

#include "host/nics.h"
#include "manage/host-int.h"

/* Bits in the flags of a list, as libvirt has them. */
enum {
	LIST_SYSTEM = 1 << 0,
	LIST_NET = 1 << 4,
	LIST_INACTIVE = 1 << 30,
};
static const unsigned list_active = 1u << 31;

struct devices {
	const struct host_facts *facts;
	struct host_nic *nics;
	unsigned nic_count;
	bool system;
	char **names; /* of all, NULL-terminated: the host first */
	unsigned count;
};

static char *nic_device_name(const struct host_nic *nic)
{
	char *name = g_strconcat("net_", nic->name, *nic->mac ? "_" : "", nic->mac, NULL);

	return g_strcanon(name, G_CSET_A_2_Z G_CSET_a_2_z G_CSET_DIGITS "_", '_');
}

static void devices_read(struct devices *d, struct call *call, bool system, bool net)
{
	*d = (struct devices){ .facts = node_facts(call->node), .system = system };
	if (net)
		d->nics = host_nics(d->facts, &d->nic_count);
	d->names = g_new0(char *, d->nic_count + 2);
	if (system)
		d->names[d->count++] = g_strdup("computer");
	for (unsigned i = 0; i < d->nic_count; i++)
		d->names[d->count++] = nic_device_name(&d->nics[i]);
}

static void devices_release(struct devices *d)
{
	host_nics_free(d->nics, d->nic_count);
	g_strfreev(d->names);
}

/* All, or what the kind of a device is called: as in its XML. */
static void devices_read_kind(struct devices *d, struct call *call, rpc_text *kind)
{
	devices_read(d, call, !kind || !strcmp(*kind, "system"), !kind || !strcmp(*kind, "net"));
}

static void on_list_all(struct call *call, const rpc_connect_list_all_node_devices_args *args)
{
	rpc_connect_list_all_node_devices_ret ret = { .ret = 0 };
	unsigned active = args->flags & (list_active | LIST_INACTIVE);
	unsigned kinds = args->flags & ~(list_active | LIST_INACTIVE);
	g_autofree rpc_node_device *list = NULL;
	struct devices d;

	/* All there are, are active. */
	if (active == LIST_INACTIVE)
		devices_read(&d, call, false, false);
	else
		devices_read(&d, call, !kinds || kinds & LIST_SYSTEM, !kinds || kinds & LIST_NET);
	ret.ret = d.count;
	list = g_new0(rpc_node_device, d.count + 1);
	for (unsigned i = 0; i < d.count; i++)
		list[i].name = d.names[i];
	if (args->need_results) {
		ret.devices.devices_len = d.count;
		ret.devices.devices_val = list;
	}
	call_reply(call, &ret);
	devices_release(&d);
}

static void on_num(struct call *call, const rpc_node_num_of_devices_args *args)
{
	rpc_node_num_of_devices_ret ret;
	struct devices d;

	if (!host_no_flags(call, args->flags))
		return;
	devices_read_kind(&d, call, args->cap);
	ret.num = (int)d.count;
	devices_release(&d);
	call_reply(call, &ret);
}

static void on_list(struct call *call, const rpc_node_list_devices_args *args)
{
	rpc_node_list_devices_ret ret;
	struct devices d;

	if (!host_no_flags(call, args->flags))
		return;
	devices_read_kind(&d, call, args->cap);
	ret.names.names_len = MIN(d.count, (unsigned)MAX(args->maxnames, 0));
	ret.names.names_val = d.names;
	call_reply(call, &ret);
	devices_release(&d);
}

/* Its place in the list; or -1, nothing to release, and the call has failed. */
static int find(struct call *call, struct devices *d, const char *name)
{
	devices_read(d, call, true, true);
	for (unsigned i = 0; i < d->count; i++) {
		if (!strcmp(d->names[i], name))
			return (int)i;
	}
	devices_release(d);
	call_fail(call, RPC_CODE_NO_NODE_DEVICE, RPC_FROM_NODEDEV,
		  "no node device with matching name '%.256s'; see the list of node devices", name);
	return -1;
}

static void on_lookup(struct call *call, const rpc_node_device_lookup_by_name_args *args)
{
	struct devices d;
	int i = find(call, &d, args->name);
	rpc_node_device_lookup_by_name_ret ret;

	if (i < 0)
		return;
	ret.dev.name = d.names[i];
	call_reply(call, &ret);
	devices_release(&d);
}

static void add_text(GString *text, const char *indent, const char *element, const char *value)
{
	g_autofree char *escaped = value ? g_markup_escape_text(value, -1) : NULL;

	if (escaped)
		g_string_append_printf(text, "%s<%s>%s</%s>\n", indent, element, escaped, element);
}

static void add_computer(GString *text, const struct host_facts *facts)
{
	const struct host_smbios *s = &facts->smbios;

	g_string_append(text, "  <capability type='system'>\n");
	add_text(text, "    ", "product", s->product);
	g_string_append(text, "    <hardware>\n");
	add_text(text, "      ", "vendor", s->system_vendor);
	add_text(text, "      ", "version", s->version);
	add_text(text, "      ", "serial", s->serial);
	add_text(text, "      ", "uuid",
		 facts->uuid ? facts->uuid : "00000000-0000-0000-0000-000000000000");
	g_string_append(text, "    </hardware>\n    <firmware>\n");
	add_text(text, "      ", "vendor", s->bios_vendor);
	add_text(text, "      ", "version", s->bios_version);
	add_text(text, "      ", "release_date", s->bios_date);
	g_string_append(text, "    </firmware>\n  </capability>\n");
}

static void add_nic(GString *text, const struct host_nic *nic)
{
	g_string_append(text, "  <parent>computer</parent>\n  <capability type='net'>\n");
	add_text(text, "    ", "interface", nic->name);
	if (*nic->mac)
		add_text(text, "    ", "address", nic->mac);
	if (nic->speed)
		g_string_append_printf(text, "    <link speed='%u' state='%s'/>\n", nic->speed,
				       nic->state);
	else
		g_string_append_printf(text, "    <link state='%s'/>\n", nic->state);
	if (strlen(nic->mac) == 17)
		g_string_append(text, "    <capability type='80203'/>\n");
	g_string_append(text, "  </capability>\n");
}

static void on_xml(struct call *call, const rpc_node_device_get_xml_desc_args *args)
{
	g_autoptr(GString) text = g_string_new("<device>\n");
	rpc_node_device_get_xml_desc_ret ret;
	struct devices d;
	int i;

	if (!host_no_flags(call, args->flags))
		return;
	i = find(call, &d, args->name);
	if (i < 0)
		return;
	add_text(text, "  ", "name", d.names[i]);
	if (i == 0) {
		add_computer(text, d.facts);
	} else {
		add_text(text, "  ", "path", d.nics[i - 1].path);
		add_nic(text, &d.nics[i - 1]);
	}
	g_string_append(text, "</device>\n");
	devices_release(&d);
	ret.xml = text->str;
	call_reply(call, &ret);
}

static void on_parent(struct call *call, const rpc_node_device_get_parent_args *args)
{
	struct devices d;
	int i = find(call, &d, args->name);
	rpc_text computer = host_text("computer");
	rpc_node_device_get_parent_ret ret = { .parentName = i > 0 ? &computer : NULL };

	if (i < 0)
		return;
	devices_release(&d);
	call_reply(call, &ret);
}

static void on_num_caps(struct call *call, const rpc_node_device_num_of_caps_args *args)
{
	rpc_node_device_num_of_caps_ret ret = { .num = 1 };
	struct devices d;

	if (find(call, &d, args->name) < 0)
		return;
	devices_release(&d);
	call_reply(call, &ret);
}

static void on_list_caps(struct call *call, const rpc_node_device_list_caps_args *args)
{
	struct devices d;
	int i = find(call, &d, args->name);
	rpc_text kind = host_text(i ? "net" : "system");
	rpc_node_device_list_caps_ret ret = { { 0, &kind } };

	/* Then the call has failed, and its arguments are gone. */
	if (i < 0)
		return;
	ret.names.names_len = args->maxnames > 0;
	devices_release(&d);
	call_reply(call, &ret);
}

static void on_is_active(struct call *call, const rpc_node_device_is_active_args *args)
{
	rpc_node_device_is_active_ret ret = { .active = 1 };
	struct devices d;

	if (find(call, &d, args->name) < 0)
		return;
	devices_release(&d);
	call_reply(call, &ret);
}

/* Taking a device away from the host, to give it to a machine. The name is the first argument. */
static void on_take(struct call *call, const void *args)
{
	const rpc_node_device_reset_args *first = args;
	struct devices d;

	if (find(call, &d, first->name) < 0)
		return;
	devices_release(&d);
	call_fail(call, RPC_CODE_OPERATION_UNSUPPORTED, RPC_FROM_NODEDEV,
		  "devices of the host are not handed to machines; use virtio devices");
}

const struct call_entry host_device_handlers[] = {
	HANDLE(RPC_PROC_CONNECT_LIST_ALL_NODE_DEVICES, rpc_connect_list_all_node_devices_args,
	       on_list_all),
	HANDLE(RPC_PROC_NODE_NUM_OF_DEVICES, rpc_node_num_of_devices_args, on_num),
	HANDLE(RPC_PROC_NODE_LIST_DEVICES, rpc_node_list_devices_args, on_list),
	HANDLE(RPC_PROC_NODE_DEVICE_LOOKUP_BY_NAME, rpc_node_device_lookup_by_name_args, on_lookup),
	HANDLE(RPC_PROC_NODE_DEVICE_GET_XML_DESC, rpc_node_device_get_xml_desc_args, on_xml),
	HANDLE(RPC_PROC_NODE_DEVICE_GET_PARENT, rpc_node_device_get_parent_args, on_parent),
	HANDLE(RPC_PROC_NODE_DEVICE_NUM_OF_CAPS, rpc_node_device_num_of_caps_args, on_num_caps),
	HANDLE(RPC_PROC_NODE_DEVICE_LIST_CAPS, rpc_node_device_list_caps_args, on_list_caps),
	HANDLE(RPC_PROC_NODE_DEVICE_IS_ACTIVE, rpc_node_device_is_active_args, on_is_active),
	HANDLE_BARE(RPC_PROC_NODE_DEVICE_DETTACH, on_take),
	HANDLE_BARE(RPC_PROC_NODE_DEVICE_DETACH_FLAGS, on_take),
	HANDLE_BARE(RPC_PROC_NODE_DEVICE_RE_ATTACH, on_take),
	HANDLE_BARE(RPC_PROC_NODE_DEVICE_RESET, on_take),
	HANDLERS_END,
};
