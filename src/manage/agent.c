/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * agent.c - what only the guest knows: an agent in it is asked
 *
 * The agent is the guest's word, so each of its answers is looked at as what a stranger sends. Its calls
 * are no jobs: a guest that does not answer keeps nobody waiting but who has asked it.
 */
#include "manage/agent-int.h"

#include <string.h>

#include "base/error.h"
#include "manage/net-int.h"

enum {
	SOURCE_LEASE = 0,
	SOURCE_AGENT = 1,
	SOURCE_ARP = 2,
	ANSWER_MAX = 4 * 1024 * 1024,
};

struct asking {
	char *answer;
	json_t *value; /* what it returns, part of json */
	json_t *json;
	agent_next next;
	bool soft; /* a refusal is no error */
	void *data;
	GDestroyNotify data_free;
};

static void asking_free(void *data)
{
	struct asking *asking = data;

	if (asking->data_free)
		asking->data_free(asking->data);
	g_free(asking->answer);
	json_decref(asking->json);
	g_free(asking);
}

void agent_fail(struct call *call, const char *why)
{
	call_fail(call, RPC_CODE_AGENT_UNRESPONSIVE, RPC_FROM_QEMU,
		  "Guest agent is not responding: %s", why);
}

static void answered(struct call *call, const GError *error)
{
	struct asking *asking = call->data;
	json_t *failed;

	if (error) {
		agent_fail(call, error->message);
		return;
	}
	if (asking->answer && strlen(asking->answer) <= ANSWER_MAX)
		asking->json = json_loads(asking->answer, 0, NULL);
	failed = json_object_get(asking->json, "error");
	if (failed && asking->soft) {
		asking->next(call, NULL);
	} else if (failed) {
		const char *text = json_string_value(json_object_get(failed, "desc"));

		call_fail(call, RPC_CODE_OPERATION_FAILED, RPC_FROM_QEMU,
			  "the guest agent refused: %.512s", text ? text : "without a reason");
	} else {
		asking->value = json_object_get(asking->json, "return");
		if (asking->value)
			asking->next(call, asking->value);
		else
			agent_fail(call, "its answer makes no sense");
	}
}

static void put_question(struct call *call, struct machine *machine, const char *command,
			 json_t *arguments, agent_next next)
{
	struct asking *asking = call->data;
	json_t *json = json_pack("{ss}", "execute", command);
	g_autofree char *text = NULL;
	char *dumped;

	if (arguments)
		json_object_set_new(json, "arguments", arguments);
	dumped = json_dumps(json, JSON_COMPACT);
	text = g_strdup(dumped);
	free(dumped);
	json_decref(json);
	asking->next = next;
	machine->ops->agent(machine, text, &asking->answer, call_task(call, answered));
}

static void begin(struct call *call, struct vm *vm, const char *command, json_t *arguments,
		  bool soft, agent_next next)
{
	struct machine *machine = vm->dom.machine;
	struct asking *asking;

	if (!machine || !machine->ops->agent) {
		json_decref(arguments);
		agent_fail(call, "this machine has no channel to one; give the domain a channel "
				 "named org.qemu.guest_agent.0");
		return;
	}
	asking = call_data(call, sizeof(struct asking));
	asking->soft = soft;
	call->data_free = asking_free;
	call_hold(call, vm);
	put_question(call, machine, command, arguments, next);
}

void agent_ask(struct call *call, struct vm *vm, const char *command, json_t *arguments,
	       agent_next next)
{
	begin(call, vm, command, arguments, false, next);
}

void agent_ask_softly(struct call *call, struct vm *vm, const char *command, agent_next next)
{
	begin(call, vm, command, NULL, true, next);
}

void agent_ask_again(struct call *call, const char *command, json_t *arguments, bool soft,
		     agent_next next)
{
	struct asking *asking = call->data;

	g_clear_pointer(&asking->answer, g_free);
	g_clear_pointer(&asking->json, json_decref);
	asking->value = NULL;
	asking->soft = soft;
	/* It may have ended meanwhile. */
	if (call->vm->dom.machine) {
		put_question(call, call->vm->dom.machine, command, arguments, next);
		return;
	}
	json_decref(arguments);
	agent_fail(call, "its machine is gone");
}

void agent_set_data(struct call *call, void *data, GDestroyNotify data_free)
{
	struct asking *asking = call->data;

	asking->data = data;
	asking->data_free = data_free;
}

void *agent_data(const struct call *call)
{
	const struct asking *asking = call->data;

	return asking->data;
}

const char *agent_text(json_t *object, const char *key)
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

void agent_done(struct call *call, json_t *value)
{
	(void)value;
	call_reply(call, NULL);
}

/* == Name == */

static void hostname_known(struct call *call, json_t *value)
{
	const char *name = agent_text(value, "host-name");
	rpc_domain_get_hostname_ret ret = { .hostname = lend(name) };

	if (!name)
		agent_fail(call, "its answer has no name");
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
	agent_ask(call, vm, "guest-get-host-name", NULL, hostname_known);
}

/* == Addresses == */

static unsigned count_addresses(json_t *list, rpc_ip_addr *addrs, unsigned max)
{
	unsigned n = 0;
	size_t i;
	json_t *item;

	json_array_foreach(list, i, item)
	{
		const char *address = agent_text(item, "ip-address");
		const char *type = agent_text(item, "ip-address-type");

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
		const char *name = agent_text(item, "name"),
			   *mac = agent_text(item, "hardware-address");

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
		agent_ask(call, vm, "guest-network-get-interfaces", NULL, addresses_known);
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
			.mountpoint = lend(agent_text(item, "mountpoint")),
			.name = lend(agent_text(item, "name")),
			.fstype = lend(agent_text(item, "type")),
		};
	}
	ret.info.info_len = ret.ret;
	call_reply(call, &ret);
}

static void on_fsinfo(struct call *call, const rpc_domain_get_fsinfo_args *args)
{
	struct vm *vm = call_active(call, &args->dom);

	if (vm && call_flags(call, args->flags, 0))
		agent_ask(call, vm, "guest-get-fsinfo", NULL, fsinfo_known);
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
		agent_ask(call, vm, "guest-fstrim",
			  json_pack("{sI}", "minimum", (json_int_t)args->minimum), agent_done);
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
		agent_ask(call, vm, "guest-fsfreeze-freeze", NULL, count_known);
		return;
	}
	for (unsigned i = 0; i < args->mountpoints.mountpoints_len; i++) {
		if (!check_utf8(call, args->mountpoints.mountpoints_val[i]))
			return;
	}
	list = json_array();
	for (unsigned i = 0; i < args->mountpoints.mountpoints_len; i++)
		json_array_append_new(list, json_string(args->mountpoints.mountpoints_val[i]));
	agent_ask(call, vm, "guest-fsfreeze-freeze-list", json_pack("{so}", "mountpoints", list),
		  count_known);
}

static void on_thaw(struct call *call, const rpc_domain_fsthaw_args *args)
{
	struct vm *vm = call_active(call, &args->dom);

	if (vm && call_flags(call, args->flags, 0))
		agent_ask(call, vm, "guest-fsfreeze-thaw", NULL, count_known);
}

/* == Time and passwords == */

static void time_known(struct call *call, json_t *value)
{
	json_int_t ns = json_integer_value(value);
	rpc_domain_get_time_ret ret = { .seconds = ns / 1000000000,
					.nseconds = (unsigned)(ns % 1000000000) };

	if (!json_is_integer(value) || ns < 0)
		agent_fail(call, "its answer has no time since 1970");
	else
		call_reply(call, &ret);
}

static void on_get_time(struct call *call, const rpc_domain_get_time_args *args)
{
	struct vm *vm = call_active(call, &args->dom);

	if (vm && call_flags(call, args->flags, 0))
		agent_ask(call, vm, "guest-get-time", NULL, time_known);
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
				 (json_int_t)args->seconds * 1000000000 + args->nseconds);
	agent_ask(call, vm, "guest-set-time", when, agent_done);
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
	agent_ask(call, vm, "guest-set-user-password",
		  json_pack("{sssssb}", "username", *args->user, "password", coded, "crypted",
			    (int)(args->flags & 1)),
		  agent_done);
}

/* == Keys for ssh == */

static void keys_known(struct call *call, json_t *value)
{
	json_t *list = json_object_get(value, "keys"), *item;
	unsigned max = (unsigned)MIN(json_array_size(list), RPC_MAX_DOMAIN_AUTHORIZED_SSH_KEYS);
	g_autofree rpc_text *keys = g_new(rpc_text, MAX(max, 1));
	rpc_domain_authorized_ssh_keys_get_ret ret = { { 0, keys } };
	size_t i;

	json_array_foreach(list, i, item)
	{
		if (json_is_string(item) && ret.keys.keys_len < max)
			keys[ret.keys.keys_len++] = lend(json_string_value(item));
	}
	call_reply(call, &ret);
}

static void on_get_keys(struct call *call, const rpc_domain_authorized_ssh_keys_get_args *args)
{
	struct vm *vm = call_active(call, &args->dom);

	if (vm && call_flags(call, args->flags, 0) && check_utf8(call, args->user))
		agent_ask(call, vm, "guest-ssh-get-authorized-keys",
			  json_pack("{ss}", "username", args->user), keys_known);
}

static void on_set_keys(struct call *call, const rpc_domain_authorized_ssh_keys_set_args *args)
{
	enum {
		KEYS_APPEND = 1,
		KEYS_REMOVE = 2,
	};
	struct vm *vm = call_active(call, &args->dom);
	bool remove = args->flags & KEYS_REMOVE;
	json_t *list, *arguments;

	if (!vm || !call_flags(call, args->flags, KEYS_APPEND | KEYS_REMOVE) ||
	    !check_utf8(call, args->user))
		return;
	if (args->flags == (KEYS_APPEND | KEYS_REMOVE)) {
		call_fail(call, RPC_CODE_INVALID_ARG, RPC_FROM_QEMU,
			  "keys are added or removed; ask for one of both");
		return;
	}
	for (unsigned i = 0; i < args->keys.keys_len; i++) {
		if (!check_utf8(call, args->keys.keys_val[i]))
			return;
	}
	list = json_array();
	for (unsigned i = 0; i < args->keys.keys_len; i++)
		json_array_append_new(list, json_string(args->keys.keys_val[i]));
	arguments = json_pack("{ssso}", "username", args->user, "keys", list);
	if (!remove)
		json_object_set_new(arguments, "reset", json_boolean(!(args->flags & KEYS_APPEND)));
	agent_ask(call, vm,
		  remove ? "guest-ssh-remove-authorized-keys" : "guest-ssh-add-authorized-keys",
		  arguments, agent_done);
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
	HANDLE(RPC_PROC_DOMAIN_AUTHORIZED_SSH_KEYS_GET, rpc_domain_authorized_ssh_keys_get_args,
	       on_get_keys),
	HANDLE(RPC_PROC_DOMAIN_AUTHORIZED_SSH_KEYS_SET, rpc_domain_authorized_ssh_keys_set_args,
	       on_set_keys),
	HANDLERS_END,
};
