/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * guest-info.c - what the agent in a guest knows of it, in one answer, and of its CPUs
 *
 * One question after the other. Who asks for all gets what there is; who asks for a kind by name gets an error
 * if the agent does not know it.
 */
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "host/cpumap.h"
#include "manage/agent-int.h"

enum {
	ITEMS_MAX = 256, /* of a kind */
};

/* A name of a parameter: "fs.3.name". What would be too long for clients is not written. */
struct name {
	char text[RPC_PARAM_NAME_MAX + 1];
};

static struct name name_of(const char *fmt, ...) G_GNUC_PRINTF(1, 2);

static struct name name_of(const char *fmt, ...)
{
	struct name name;
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(name.text, sizeof(name.text), fmt, ap);
	va_end(ap);
	return name;
}

static void add_text(struct rpc_params *params, struct name name, json_t *object, const char *key)
{
	const char *text = agent_text(object, key);

	if (text)
		rpc_params_add_string(params, name.text, text);
}

static void add_number(struct rpc_params *params, struct name name, json_t *object, const char *key)
{
	json_t *value = json_object_get(object, key);

	if (json_is_integer(value) && json_integer_value(value) >= 0)
		rpc_params_add_ullong(params, name.text, (uint64_t)json_integer_value(value));
}

static unsigned count_of(json_t *list)
{
	return (unsigned)MIN(json_array_size(list), ITEMS_MAX);
}

static void add_count(struct rpc_params *params, struct name name, json_t *list)
{
	rpc_params_add_uint(params, name.text, count_of(list));
}

/* == Kinds == */

static void add_users(struct rpc_params *params, json_t *list)
{
	add_count(params, name_of("user.count"), list);
	for (unsigned i = 0; i < count_of(list); i++) {
		json_t *user = json_array_get(list, i);
		double seconds = json_number_value(json_object_get(user, "login-time"));

		add_text(params, name_of("user.%u.name", i), user, "user");
		add_text(params, name_of("user.%u.domain", i), user, "domain");
		rpc_params_add_ullong(params, name_of("user.%u.login-time", i).text,
				      (uint64_t)CLAMP(seconds * 1000, 0, 9e15));
	}
}

static void add_os(struct rpc_params *params, json_t *value)
{
	static const char *const members[] = {
		"id",      "name",    "pretty-name", "version",        "version-id",
		"machine", "variant", "variant-id",  "kernel-release", "kernel-version",
	};

	for (size_t i = 0; i < ARRAY_SIZE(members); i++)
		add_text(params, name_of("os.%s", members[i]), value, members[i]);
}

static void add_timezone(struct rpc_params *params, json_t *value)
{
	json_t *offset = json_object_get(value, "offset");

	add_text(params, name_of("timezone.name"), value, "zone");
	if (json_is_integer(offset))
		rpc_params_add_int(params, "timezone.offset",
				   (int)CLAMP(json_integer_value(offset), -86400, 86400));
}

static void add_hostname(struct rpc_params *params, json_t *value)
{
	add_text(params, name_of("hostname"), value, "host-name");
}

static void add_filesystems(struct rpc_params *params, json_t *list)
{
	add_count(params, name_of("fs.count"), list);
	for (unsigned i = 0; i < count_of(list); i++) {
		json_t *fs = json_array_get(list, i), *disks = json_object_get(fs, "disk");

		add_text(params, name_of("fs.%u.name", i), fs, "name");
		add_text(params, name_of("fs.%u.mountpoint", i), fs, "mountpoint");
		add_text(params, name_of("fs.%u.fstype", i), fs, "type");
		add_number(params, name_of("fs.%u.total-bytes", i), fs, "total-bytes");
		add_number(params, name_of("fs.%u.used-bytes", i), fs, "used-bytes");
		add_count(params, name_of("fs.%u.disk.count", i), disks);
		for (unsigned k = 0; k < count_of(disks); k++) {
			json_t *disk = json_array_get(disks, k);

			add_text(params, name_of("fs.%u.disk.%u.serial", i, k), disk, "serial");
			add_text(params, name_of("fs.%u.disk.%u.device", i, k), disk, "dev");
		}
	}
}

static void add_disks(struct rpc_params *params, json_t *list)
{
	add_count(params, name_of("disk.count"), list);
	for (unsigned i = 0; i < count_of(list); i++) {
		json_t *disk = json_array_get(list, i);
		json_t *below = json_object_get(disk, "dependencies");
		json_t *address = json_object_get(disk, "address");

		add_text(params, name_of("disk.%u.name", i), disk, "name");
		rpc_params_add_boolean(params, name_of("disk.%u.partition", i).text,
				       json_is_true(json_object_get(disk, "partition")));
		add_count(params, name_of("disk.%u.dependency.count", i), below);
		for (unsigned k = 0; k < count_of(below); k++) {
			const char *text = json_string_value(json_array_get(below, k));

			if (text && strlen(text) < PATH_MAX)
				rpc_params_add_string(
					params, name_of("disk.%u.dependency.%u.name", i, k).text,
					text);
		}
		add_text(params, name_of("disk.%u.serial", i), address, "serial");
		add_text(params, name_of("disk.%u.guest_bus", i), address, "bus-type");
		add_text(params, name_of("disk.%u.guest_alias", i), disk, "alias");
	}
}

static void add_interfaces(struct rpc_params *params, json_t *list)
{
	add_count(params, name_of("if.count"), list);
	for (unsigned i = 0; i < count_of(list); i++) {
		json_t *card = json_array_get(list, i);
		json_t *addrs = json_object_get(card, "ip-addresses");

		add_text(params, name_of("if.%u.name", i), card, "name");
		add_text(params, name_of("if.%u.hwaddr", i), card, "hardware-address");
		add_count(params, name_of("if.%u.addr.count", i), addrs);
		for (unsigned k = 0; k < count_of(addrs); k++) {
			json_t *addr = json_array_get(addrs, k);

			add_text(params, name_of("if.%u.addr.%u.type", i, k), addr,
				 "ip-address-type");
			add_text(params, name_of("if.%u.addr.%u.addr", i, k), addr, "ip-address");
			add_number(params, name_of("if.%u.addr.%u.prefix", i, k), addr, "prefix");
		}
	}
}

static const struct {
	const char *command;
	void (*add)(struct rpc_params *params, json_t *value);
} kinds[] = {
	/* In the order of libvirt's bits. */
	{ "guest-get-users", add_users },
	{ "guest-get-osinfo", add_os },
	{ "guest-get-timezone", add_timezone },
	{ "guest-get-host-name", add_hostname },
	{ "guest-get-fsinfo", add_filesystems },
	{ "guest-get-disks", add_disks },
	{ "guest-network-get-interfaces", add_interfaces },
};

enum {
	ALL_KINDS = (1 << ARRAY_SIZE(kinds)) - 1
};

struct gathering {
	struct rpc_params params;
	unsigned left; /* kinds that are still to be asked for */
	bool all;
};

static void gathering_free(void *data)
{
	struct gathering *g = data;

	rpc_params_release(&g->params);
	g_free(g);
}

static void known(struct call *call, json_t *value)
{
	const rpc_domain_get_guest_info_args *args = call->args;
	struct gathering *g = agent_data(call);
	rpc_domain_get_guest_info_ret ret;
	unsigned kind;

	if (!g) {
		g = g_new0(struct gathering, 1);
		g->all = args->types == 0;
		g->left = g->all ? ALL_KINDS : args->types;
		rpc_params_init(&g->params);
		agent_set_data(call, g, gathering_free);
	}
	kind = (unsigned)__builtin_ctz(g->left);
	if (value)
		kinds[kind].add(&g->params, value);
	g->left &= g->left - 1;
	if (g->left) {
		agent_ask_again(call, kinds[__builtin_ctz(g->left)].command, NULL, g->all, known);
		return;
	}
	ret.params.params_val = g->params.items;
	ret.params.params_len = MIN(g->params.count, RPC_MAX_DOMAIN_GUEST_INFO_PARAMS);
	call_reply(call, &ret);
}

static void on_guest_info(struct call *call, const rpc_domain_get_guest_info_args *args)
{
	struct vm *vm = call_active(call, &args->dom);

	if (!vm || !call_flags(call, args->flags, 0))
		return;
	if (args->types & ~(unsigned)ALL_KINDS)
		call_fail(call, RPC_CODE_OPERATION_UNSUPPORTED, RPC_FROM_QEMU,
			  "facts of the kinds 0x%x are not known of a guest; ask for others",
			  args->types & ~(unsigned)ALL_KINDS);
	else if (args->types)
		agent_ask(call, vm, kinds[__builtin_ctz(args->types)].command, NULL, known);
	else
		agent_ask_softly(call, vm, kinds[0].command, known);
}

/* == CPUs, as the guest uses them == */

struct guest_cpus {
	struct host_cpumap all, online, offlinable;
};

static bool read_cpus(json_t *list, struct guest_cpus *cpus)
{
	json_t *item;
	size_t i;

	json_array_foreach(list, i, item)
	{
		json_t *id = json_object_get(item, "logical-id");
		json_int_t n = json_integer_value(id);

		if (!json_is_integer(id) || n < 0 || n >= HOST_CPUS_MAX)
			return false;
		host_cpumap_add(&cpus->all, (unsigned)n);
		if (json_is_true(json_object_get(item, "online")))
			host_cpumap_add(&cpus->online, (unsigned)n);
		if (json_is_true(json_object_get(item, "can-offline")))
			host_cpumap_add(&cpus->offlinable, (unsigned)n);
	}
	return json_is_array(list) && host_cpumap_count(&cpus->online) > 0;
}

/* For g_free(). NULL: the call has failed. */
static struct guest_cpus *got_cpus(struct call *call, json_t *value)
{
	struct guest_cpus *cpus = g_new0(struct guest_cpus, 1);

	if (read_cpus(value, cpus))
		return cpus;
	g_free(cpus);
	agent_fail(call, "its answer has no CPUs");
	return NULL;
}

static void cpus_known(struct call *call, json_t *value)
{
	g_autofree struct guest_cpus *cpus = got_cpus(call, value);
	rpc_domain_get_guest_vcpus_ret ret;
	struct rpc_params params;
	g_autofree char *all = NULL, *online = NULL, *offlinable = NULL;

	if (!cpus)
		return;
	all = host_cpumap_format(&cpus->all);
	online = host_cpumap_format(&cpus->online);
	offlinable = host_cpumap_format(&cpus->offlinable);
	rpc_params_init(&params);
	rpc_params_add_string(&params, "vcpus", all);
	rpc_params_add_string(&params, "online", online);
	rpc_params_add_string(&params, "offlinable", offlinable);
	ret.params.params_val = params.items;
	ret.params.params_len = params.count;
	call_reply(call, &ret);
	rpc_params_release(&params);
}

static void on_get_cpus(struct call *call, const rpc_domain_get_guest_vcpus_args *args)
{
	struct vm *vm = call_active(call, &args->dom);

	if (vm && call_flags(call, args->flags, 0))
		agent_ask(call, vm, "guest-get-vcpus", NULL, cpus_known);
}

static void cpus_counted(struct call *call, json_t *value)
{
	g_autofree struct guest_cpus *cpus = got_cpus(call, value);
	rpc_domain_get_vcpus_flags_ret ret;

	if (!cpus)
		return;
	ret.num = (int)host_cpumap_count(&cpus->online);
	call_reply(call, &ret);
}

void call_guest_cpu_count(struct call *call, struct vm *vm)
{
	if (vm_active(vm))
		agent_ask(call, vm, "guest-get-vcpus", NULL, cpus_counted);
	else
		call_fail(call, RPC_CODE_OPERATION_INVALID, RPC_FROM_QEMU,
			  "domain '%s' does not run; only a guest knows its CPUs", vm->dom.name);
}

static json_t *wish(unsigned cpu, bool online)
{
	return json_pack("{sisb}", "logical-id", (int)cpu, "online", (int)online);
}

static void cpus_set(struct call *call, json_t *value)
{
	json_t *wishes = agent_data(call);

	/* It says how many of them it has done. */
	if (json_integer_value(value) != (json_int_t)json_array_size(wishes))
		call_fail(call, RPC_CODE_OPERATION_FAILED, RPC_FROM_QEMU,
			  "the guest has switched %d of %d CPUs; look with 'virsh guestvcpus'",
			  (int)json_integer_value(value), (int)json_array_size(wishes));
	else
		call_reply(call, NULL);
}

/* @wishes is taken over. */
static void set_cpus(struct call *call, json_t *wishes)
{
	agent_set_data(call, wishes, (GDestroyNotify)json_decref);
	if (json_array_size(wishes))
		agent_ask_again(call, "guest-set-vcpus", json_pack("{sO}", "vcpus", wishes), false,
				cpus_set);
	else
		call_reply(call, NULL);
}

/* By number: the first ones that can be are switched. */
static void count_wanted(struct call *call, json_t *value)
{
	const rpc_domain_set_vcpus_flags_args *args = call->args;
	json_t *wishes = json_array();
	g_autofree struct guest_cpus *cpus = got_cpus(call, value);
	unsigned now;

	if (!cpus) {
		json_decref(wishes);
		return;
	}
	now = host_cpumap_count(&cpus->online);
	for (unsigned i = 0; i < host_cpumap_end(&cpus->all) && now < args->nvcpus; i++) {
		if (!host_cpumap_has(&cpus->all, i) || host_cpumap_has(&cpus->online, i))
			continue;
		json_array_append_new(wishes, wish(i, true));
		now++;
	}
	for (unsigned i = host_cpumap_end(&cpus->all); i-- > 0 && now > args->nvcpus;) {
		if (!host_cpumap_has(&cpus->online, i) || !host_cpumap_has(&cpus->offlinable, i))
			continue;
		json_array_append_new(wishes, wish(i, false));
		now--;
	}
	if (now == args->nvcpus) {
		set_cpus(call, wishes);
		return;
	}
	json_decref(wishes);
	call_fail(
		call, RPC_CODE_INVALID_ARG, RPC_FROM_QEMU,
		"the guest of '%s' has %u CPUs and can do without %u of them, so it cannot have %u",
		call->vm->dom.name, host_cpumap_count(&cpus->all),
		host_cpumap_count(&cpus->offlinable), args->nvcpus);
}

void call_guest_cpu_wish(struct call *call, struct vm *vm)
{
	if (vm_active(vm))
		agent_ask(call, vm, "guest-get-vcpus", NULL, count_wanted);
	else
		call_fail(call, RPC_CODE_OPERATION_INVALID, RPC_FROM_QEMU,
			  "domain '%s' does not run; only a guest takes its CPUs off",
			  vm->dom.name);
}

static void map_wanted(struct call *call, json_t *value)
{
	const rpc_domain_set_guest_vcpus_args *args = call->args;
	struct host_cpumap map;
	g_autofree struct guest_cpus *cpus = got_cpus(call, value);
	json_t *wishes;

	if (!cpus)
		return;
	(void)host_cpumap_parse(&map, args->cpumap);
	for (unsigned i = 0; i < host_cpumap_end(&map); i++) {
		if (!host_cpumap_has(&map, i) ||
		    host_cpumap_has(args->state ? &cpus->all : &cpus->offlinable, i))
			continue;
		call_fail(call, RPC_CODE_INVALID_ARG, RPC_FROM_QEMU,
			  "the guest of '%s' has no CPU %u%s", call->vm->dom.name, i,
			  args->state ? "" : " that it can do without");
		return;
	}
	wishes = json_array();
	for (unsigned i = 0; i < host_cpumap_end(&map); i++) {
		if (host_cpumap_has(&map, i))
			json_array_append_new(wishes, wish(i, args->state));
	}
	set_cpus(call, wishes);
}

static void on_set_cpus(struct call *call, const rpc_domain_set_guest_vcpus_args *args)
{
	struct vm *vm = call_active(call, &args->dom);
	struct host_cpumap map;

	if (!vm || !call_flags(call, args->flags, 0))
		return;
	if (!host_cpumap_parse(&map, args->cpumap) || !host_cpumap_count(&map) ||
	    (args->state != 0 && args->state != 1))
		call_fail(call, RPC_CODE_INVALID_ARG, RPC_FROM_QEMU,
			  "a list of CPUs as 0-3,8 is needed, and 0 or 1");
	else
		agent_ask(call, vm, "guest-get-vcpus", NULL, map_wanted);
}

const struct call_entry guest_info_handlers[] = {
	HANDLE(RPC_PROC_DOMAIN_GET_GUEST_INFO, rpc_domain_get_guest_info_args, on_guest_info),
	HANDLE(RPC_PROC_DOMAIN_GET_GUEST_VCPUS, rpc_domain_get_guest_vcpus_args, on_get_cpus),
	HANDLE(RPC_PROC_DOMAIN_SET_GUEST_VCPUS, rpc_domain_set_guest_vcpus_args, on_set_cpus),
	HANDLERS_END,
};
