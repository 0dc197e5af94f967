/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * agent.c - what only the guest knows: an agent in it is asked
 *
 * The agent is the guest's word, so each of its answers is looked at as what a stranger sends. Its calls
 * are no jobs: a guest that does not answer keeps nobody waiting but who has asked it.
 */
#include <jansson.h>
#include <string.h>

#include "base/error.h"
#include "manage/handler-int.h"
#include "manage/net-int.h"

enum {
	SOURCE_LEASE = 0,
	SOURCE_AGENT = 1,
	SOURCE_ARP = 2,
	ANSWER_MAX = 4 * 1024 * 1024,
	INFO_OS = 1 << 1,
	INFO_HOSTNAME = 1 << 3,
	INFO_KNOWN = INFO_OS | INFO_HOSTNAME,
};

struct asking {
	char *answer;
	json_t *value; /* what it returns, part of json */
	json_t *json;
	void (*next)(struct call *call, json_t *value);
};

static void asking_free(void *data)
{
	struct asking *asking = data;

	g_free(asking->answer);
	json_decref(asking->json);
	g_free(asking);
}

static void no_agent(struct call *call, const char *why)
{
	call_fail(call, RPC_CODE_AGENT_UNRESPONSIVE, RPC_FROM_QEMU,
		  "Guest agent is not responding: %s", why);
}

static void answered(struct call *call, const GError *error)
{
	struct asking *asking = call->data;
	json_t *failed;

	if (error) {
		no_agent(call, error->message);
		return;
	}
	if (asking->answer && strlen(asking->answer) <= ANSWER_MAX)
		asking->json = json_loads(asking->answer, 0, NULL);
	failed = json_object_get(asking->json, "error");
	if (failed) {
		const char *text = json_string_value(json_object_get(failed, "desc"));

		call_fail(call, RPC_CODE_OPERATION_FAILED, RPC_FROM_QEMU,
			  "the guest agent refused: %.512s", text ? text : "without a reason");
		return;
	}
	asking->value = json_object_get(asking->json, "return");
	if (!asking->value)
		no_agent(call, "its answer makes no sense");
	else
		asking->next(call, asking->value);
}

/* @arguments is taken over; NULL: none. */
static void ask(struct call *call, struct vm *vm, const char *command, json_t *arguments,
		void (*next)(struct call *call, json_t *value))
{
	struct machine *machine = vm->dom.machine;
	struct asking *asking;
	json_t *json;
	g_autofree char *text = NULL;
	char *dumped;

	if (!machine || !machine->ops->agent) {
		json_decref(arguments);
		no_agent(call, "this machine has no channel to one; give the domain a channel "
			       "named org.qemu.guest_agent.0");
		return;
	}
	json = json_pack("{ss}", "execute", command);
	if (arguments)
		json_object_set_new(json, "arguments", arguments);
	dumped = json_dumps(json, JSON_COMPACT);
	text = g_strdup(dumped);
	free(dumped);
	json_decref(json);
	asking = call_data(call, sizeof(*asking));
	call->data_free = asking_free;
	asking->next = next;
	call_hold(call, vm);
	machine->ops->agent(machine, text, &asking->answer, call_task(call, answered));
}

static const char *text_in(json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text && strlen(text) < RPC_MAX_TEXT / 1024 ? text : NULL;
}

static char *lend(const char *text)
{
	return (char *)(uintptr_t)(text ? text : "");
}

/* JSON takes nothing else. */
static bool check_utf8(struct call *call, const char *text)
{
	if (g_utf8_validate(text, -1, NULL))
		return true;
	call_fail(call, RPC_CODE_INVALID_ARG, RPC_FROM_QEMU,
		  "what the guest is to be told is not UTF-8; convert it");
	return false;
}

static void say_done(struct call *call, json_t *value)
{
	(void)value;
	call_reply(call, NULL);
}

/* == Name == */

static void hostname_known(struct call *call, json_t *value)
{
	const char *name = text_in(value, "host-name");
	rpc_domain_get_hostname_ret ret = { .hostname = lend(name) };

	if (!name)
		no_agent(call, "its answer has no name");
	else
		call_reply(call, &ret);
}

static void on_hostname(struct call *call, const rpc_domain_get_hostname_args *args)
{
	enum {
		BY_LEASE = 1,
		BY_AGENT = 2,
	};
	struct vm *vm = call_active(call, &args->dom);

	if (!vm || !call_flags(call, args->flags, BY_LEASE | BY_AGENT))
		return;
	if (args->flags & BY_LEASE) {
		call_fail(call, RPC_CODE_OPERATION_UNSUPPORTED, RPC_FROM_QEMU,
			  "user networks have no leases that name a guest; ask its agent");
		return;
	}
	ask(call, vm, "guest-get-host-name", NULL, hostname_known);
}

/* == Addresses == */

static unsigned count_addresses(json_t *list, rpc_ip_addr *addrs, unsigned max)
{
	unsigned n = 0;
	size_t i;
	json_t *item;

	json_array_foreach(list, i, item)
	{
		const char *address = text_in(item, "ip-address");
		const char *type = text_in(item, "ip-address-type");

		if (!address || !type || n == max)
			continue;
		addrs[n++] = (rpc_ip_addr){
			.type = strcmp(type, "ipv6") ? 0 : 1,
			.addr = lend(address),
			.prefix = (unsigned)CLAMP(
				json_integer_value(json_object_get(item, "prefix")), 0, 128),
		};
	}
	return n;
}

static void addresses_known(struct call *call, json_t *value)
{
	enum {
		CARDS_MAX = 256,
		ADDRESSES_MAX = 2048,
	};
	g_autofree rpc_domain_interface *cards = g_new0(rpc_domain_interface, CARDS_MAX);
	g_autofree rpc_ip_addr *addrs = g_new(rpc_ip_addr, ADDRESSES_MAX);
	g_autofree rpc_text *macs = g_new(rpc_text, CARDS_MAX);
	rpc_domain_interface_addresses_ret ret = { { 0, cards } };
	unsigned used = 0;
	size_t i;
	json_t *item;

	json_array_foreach(value, i, item)
	{
		rpc_domain_interface *card = &cards[ret.ifaces.ifaces_len];
		const char *name = text_in(item, "name"), *mac = text_in(item, "hardware-address");

		if (!name || ret.ifaces.ifaces_len == CARDS_MAX)
			continue;
		card->name = lend(name);
		macs[ret.ifaces.ifaces_len] = lend(mac);
		card->hwaddr = mac ? &macs[ret.ifaces.ifaces_len] : NULL;
		card->addrs.addrs_val = addrs + used;
		card->addrs.addrs_len = count_addresses(json_object_get(item, "ip-addresses"),
							addrs + used, ADDRESSES_MAX - used);
		used += card->addrs.addrs_len;
		ret.ifaces.ifaces_len++;
	}
	call_reply(call, &ret);
}

static void on_addresses(struct call *call, const rpc_domain_interface_addresses_args *args)
{
	struct vm *vm = call_active(call, &args->dom);

	if (!vm || !call_flags(call, args->flags, 0))
		return;
	if (args->source == SOURCE_AGENT)
		ask(call, vm, "guest-network-get-interfaces", NULL, addresses_known);
	else if (args->source == SOURCE_LEASE || args->source == SOURCE_ARP)
		call_card_addresses(call, vm, args->source == SOURCE_ARP);
	else
		call_fail(call, RPC_CODE_INVALID_ARG, RPC_FROM_QEMU,
			  "addresses have no source %u; it is 0 to 2", args->source);
}

/* == File systems == */

static void fsinfo_known(struct call *call, json_t *value)
{
	g_autofree rpc_domain_fsinfo *list = g_new0(rpc_domain_fsinfo, RPC_MAX_DOMAIN_FSINFO);
	rpc_domain_get_fsinfo_ret ret = { { 0, list }, 0 };
	size_t i;
	json_t *item;

	json_array_foreach(value, i, item)
	{
		if (ret.ret == RPC_MAX_DOMAIN_FSINFO)
			break;
		list[ret.ret++] = (rpc_domain_fsinfo){
			.mountpoint = lend(text_in(item, "mountpoint")),
			.name = lend(text_in(item, "name")),
			.fstype = lend(text_in(item, "type")),
		};
	}
	ret.info.info_len = ret.ret;
	call_reply(call, &ret);
}

static void on_fsinfo(struct call *call, const rpc_domain_get_fsinfo_args *args)
{
	struct vm *vm = call_active(call, &args->dom);

	if (vm && call_flags(call, args->flags, 0))
		ask(call, vm, "guest-get-fsinfo", NULL, fsinfo_known);
}

static void on_fstrim(struct call *call, const rpc_domain_fstrim_args *args)
{
	struct vm *vm = call_active(call, &args->dom);

	if (!vm || !call_flags(call, args->flags, 0))
		return;
	if (args->mountPoint || args->minimum > INT64_MAX)
		call_fail(call, RPC_CODE_INVALID_ARG, RPC_FROM_QEMU,
			  "all file systems of a guest are trimmed, not one; name no mount point");
	else
		ask(call, vm, "guest-fstrim",
		    json_pack("{sI}", "minimum", (json_int_t)args->minimum), say_done);
}

static void count_known(struct call *call, json_t *value)
{
	/* Both layouts are the same. */
	rpc_domain_fsfreeze_ret ret = { .filesystems = (int)CLAMP(json_integer_value(value), 0,
								  INT32_MAX) };

	call_reply(call, &ret);
}

static void on_freeze(struct call *call, const rpc_domain_fsfreeze_args *args)
{
	struct vm *vm = call_active(call, &args->dom);
	json_t *list;

	if (!vm || !call_flags(call, args->flags, 0))
		return;
	if (!args->mountpoints.mountpoints_len) {
		ask(call, vm, "guest-fsfreeze-freeze", NULL, count_known);
		return;
	}
	for (unsigned i = 0; i < args->mountpoints.mountpoints_len; i++) {
		if (!check_utf8(call, args->mountpoints.mountpoints_val[i]))
			return;
	}
	list = json_array();
	for (unsigned i = 0; i < args->mountpoints.mountpoints_len; i++)
		json_array_append_new(list, json_string(args->mountpoints.mountpoints_val[i]));
	ask(call, vm, "guest-fsfreeze-freeze-list", json_pack("{so}", "mountpoints", list),
	    count_known);
}

static void on_thaw(struct call *call, const rpc_domain_fsthaw_args *args)
{
	struct vm *vm = call_active(call, &args->dom);

	if (vm && call_flags(call, args->flags, 0))
		ask(call, vm, "guest-fsfreeze-thaw", NULL, count_known);
}

/* == Time and passwords == */

static void time_known(struct call *call, json_t *value)
{
	json_int_t ns = json_integer_value(value);
	rpc_domain_get_time_ret ret = { .seconds = ns / 1000000000,
					.nseconds = (unsigned)(ns % 1000000000) };

	if (!json_is_integer(value) || ns < 0)
		no_agent(call, "its answer has no time since 1970");
	else
		call_reply(call, &ret);
}

static void on_get_time(struct call *call, const rpc_domain_get_time_args *args)
{
	struct vm *vm = call_active(call, &args->dom);

	if (vm && call_flags(call, args->flags, 0))
		ask(call, vm, "guest-get-time", NULL, time_known);
}

static void on_set_time(struct call *call, const rpc_domain_set_time_args *args)
{
	struct vm *vm = call_active(call, &args->dom);
	json_t *when = NULL;

	if (!vm || !call_flags(call, args->flags, 1))
		return;
	if (args->seconds < 0 || args->seconds > INT64_MAX / 1000000000 - 1 ||
	    args->nseconds >= 1000000000) {
		call_fail(call, RPC_CODE_INVALID_ARG, RPC_FROM_QEMU, "this is no time");
		return;
	}
	/* With the flag the guest takes its time from its clock. */
	if (!(args->flags & 1))
		when = json_pack("{sI}", "time",
				 (json_int_t)(args->seconds * 1000000000 + args->nseconds));
	ask(call, vm, "guest-set-time", when, say_done);
}

static void on_password(struct call *call, const rpc_domain_set_user_password_args *args)
{
	struct vm *vm = call_active(call, &args->dom);
	g_autofree char *coded = NULL;

	if (!vm || !call_flags(call, args->flags, 1))
		return;
	if (!args->user || !args->password) {
		call_fail(call, RPC_CODE_INVALID_ARG, RPC_FROM_QEMU,
			  "a user and a password are needed");
		return;
	}
	if (!check_utf8(call, *args->user))
		return;
	coded = g_base64_encode((const guchar *)*args->password, strlen(*args->password));
	ask(call, vm, "guest-set-user-password",
	    json_pack("{sssssb}", "username", *args->user, "password", coded, "crypted",
		      (int)(args->flags & 1)),
	    say_done);
}

/* == Guest information: some kinds of it == */

static void os_known(struct call *call, json_t *value)
{
	static const char *const members[][2] = {
		{ "id", "os.id" },
		{ "name", "os.name" },
		{ "pretty-name", "os.pretty-name" },
		{ "version", "os.version" },
		{ "version-id", "os.version-id" },
		{ "kernel-release", "os.kernel-release" },
		{ "kernel-version", "os.kernel-version" },
		{ "machine", "os.machine" },
		{ "host-name", "hostname" },
	};
	rpc_domain_get_guest_info_ret ret;
	struct rpc_params params;

	rpc_params_init(&params);
	for (size_t i = 0; i < ARRAY_SIZE(members); i++) {
		const char *text = text_in(value, members[i][0]);

		if (text)
			rpc_params_add_string(&params, members[i][1], text);
	}
	ret.params.params_val = params.items;
	ret.params.params_len = params.count;
	call_reply(call, &ret);
	rpc_params_release(&params);
}

static void on_guest_info(struct call *call, const rpc_domain_get_guest_info_args *args)
{
	struct vm *vm = call_active(call, &args->dom);

	if (!vm || !call_flags(call, args->flags, 0))
		return;
	if (args->types && !(args->types & INFO_KNOWN))
		call_fail(call, RPC_CODE_OPERATION_UNSUPPORTED, RPC_FROM_QEMU,
			  "of a guest its operating system and its name are told; ask for --os or "
			  "--hostname");
	else
		ask(call, vm,
		    args->types && !(args->types & INFO_OS) ? "guest-get-host-name"
							    : "guest-get-osinfo",
		    NULL, os_known);
}

const struct call_entry agent_handlers[] = {
	HANDLE(RPC_PROC_DOMAIN_GET_HOSTNAME, rpc_domain_get_hostname_args, on_hostname),
	HANDLE(RPC_PROC_DOMAIN_INTERFACE_ADDRESSES, rpc_domain_interface_addresses_args,
	       on_addresses),
	HANDLE(RPC_PROC_DOMAIN_GET_FSINFO, rpc_domain_get_fsinfo_args, on_fsinfo),
	HANDLE(RPC_PROC_DOMAIN_FSTRIM, rpc_domain_fstrim_args, on_fstrim),
	HANDLE(RPC_PROC_DOMAIN_FSFREEZE, rpc_domain_fsfreeze_args, on_freeze),
	HANDLE(RPC_PROC_DOMAIN_FSTHAW, rpc_domain_fsthaw_args, on_thaw),
	HANDLE(RPC_PROC_DOMAIN_GET_TIME, rpc_domain_get_time_args, on_get_time),
	HANDLE(RPC_PROC_DOMAIN_SET_TIME, rpc_domain_set_time_args, on_set_time),
	HANDLE(RPC_PROC_DOMAIN_SET_USER_PASSWORD, rpc_domain_set_user_password_args, on_password),
	HANDLE(RPC_PROC_DOMAIN_GET_GUEST_INFO, rpc_domain_get_guest_info_args, on_guest_info),
	HANDLERS_END,
};
