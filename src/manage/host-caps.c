/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * host-caps.c - procedures about what the host and its machines can have
 */
#include <string.h>

#include "manage/host-int.h"
#include "model/capabilities.h"
#include "model/domain.h"

/* == capabilities == */

/* As libvirt has it: a model, and what is more. Its schema allows no name with a dot in it here, and all
 * those are in the model. */
static void set_features(const struct host_facts *facts, struct caps_cpu *cpu)
{
	bool v2 = host_has_v2(facts);

	cpu->model = v2 ? g_strdup("v2") : NULL;
	cpu->features = g_new0(struct caps_name, g_strv_length(facts->features));
	for (unsigned i = 0; facts->features[i]; i++) {
		const char *name = facts->features[i];

		if (!(v2 && host_in_v2(name)) && !strchr(name, '.'))
			cpu->features[cpu->feature_count++].name = g_strdup(name);
	}
}

static void set_cpu(const struct host_facts *facts, struct caps_cpu *cpu)
{
	cpu->arch = g_strdup(facts->arch);
	cpu->vendor = g_strdup(facts->cpu_vendor);
	cpu->topology.sockets = number_of(facts->sockets);
	cpu->topology.dies = number_of(facts->dies);
	cpu->topology.cores = number_of(facts->cores);
	cpu->topology.threads = number_of(facts->threads);
	set_features(facts, cpu);
	cpu->pages = g_new0(struct caps_pages, facts->page_sizes);
	for (unsigned i = 0; i < facts->page_sizes; i++) {
		cpu->pages[i].unit = g_strdup("KiB");
		cpu->pages[i].size = number_of((int64_t)facts->page_kib[i]);
	}
	cpu->page_count = facts->page_sizes;
}

static void set_cell_cpu(const struct host_cpu *from, struct caps_cell_cpu *cpu)
{
	cpu->id = number_of(from->id);
	if (!from->known)
		return;
	cpu->socket_id = number_of(from->socket);
	cpu->die_id = number_of(from->die);
	cpu->core_id = number_of(from->core);
	cpu->siblings = g_strdup(from->siblings);
}

static char *distances_text(const struct host_facts *facts, const struct host_cell *cell)
{
	GString *text;

	if (!cell->distances)
		return NULL;
	text = g_string_new("<distances>");
	for (unsigned i = 0; i < facts->cell_count; i++)
		g_string_append_printf(text, "<sibling id='%u' value='%u'/>", facts->cells[i].id,
				       cell->distances[i]);
	g_string_append(text, "</distances>");
	return g_string_free(text, FALSE);
}

static void set_cell(const struct host_facts *facts, const struct host_cell *from,
		     struct caps_cell *cell)
{
	cell->id = number_of(from->id);
	cell->memory = number_of((int64_t)from->memory_kib);
	cell->pages = g_new0(struct caps_pages, facts->page_sizes);
	for (unsigned i = 0; i < facts->page_sizes; i++) {
		cell->pages[i].unit = g_strdup("KiB");
		cell->pages[i].size = number_of((int64_t)facts->page_kib[i]);
		cell->pages[i].count = number_of((int64_t)from->pages[i]);
	}
	cell->page_count = facts->page_sizes;
	cell->kept_distances = distances_text(facts, from);
	cell->cpus.num = number_of(from->cpu_count);
	cell->cpus.list = g_new0(struct caps_cell_cpu, from->cpu_count);
	for (unsigned i = 0; i < from->cpu_count; i++)
		set_cell_cpu(&from->cpus[i], &cell->cpus.list[i]);
	cell->cpus.count = from->cpu_count;
}

static void set_security(const struct node *node, struct caps_host *host)
{
	host->secmodels = g_new0(struct caps_secmodel, 1);
	host->secmodels[0].model = g_strdup(node->config.support.test ? "testSecurity" : "none");
	host->secmodels[0].doi = g_strdup(node->config.support.test ? "" : "0");
	host->secmodel_count = 1;
}

static void on_capabilities(struct call *call, const void *args)
{
	const struct host_facts *facts = node_facts(call->node);
	autoptr(capabilities) caps = g_new0(struct capabilities, 1);
	struct caps_cells *cells = &caps->host.topology.cells;
	rpc_connect_get_capabilities_ret ret;
	g_autofree char *text = NULL;

	(void)args;
	caps->host.uuid = g_strdup(facts->uuid);
	set_cpu(facts, &caps->host.cpu);
	cells->list = g_new0(struct caps_cell, facts->cell_count);
	for (unsigned i = 0; i < facts->cell_count; i++)
		set_cell(facts, &facts->cells[i], &cells->list[i]);
	cells->count = facts->cell_count;
	set_security(call->node, &caps->host);
	capabilities_fill(caps, &call->node->config.support);
	text = capabilities_format(caps);
	ret.capabilities = text;
	call_reply(call, &ret);
}

/* == domain capabilities == */

static void on_domain_capabilities(struct call *call,
				   const rpc_connect_get_domain_capabilities_args *args)
{
	const struct support *support = &call->node->config.support;
	autoptr(domain_caps) caps = g_new0(struct domain_caps, 1);
	rpc_connect_get_domain_capabilities_ret ret;
	g_autoptr(GError) error = NULL;
	g_autofree char *text = NULL;

	if (!host_no_flags(call, args->flags))
		return;
	caps->path = args->emulatorbin ? g_strdup(*args->emulatorbin) : NULL;
	caps->arch = args->arch ? g_strdup(*args->arch) : NULL;
	caps->machine = args->machine ? g_strdup(*args->machine) : NULL;
	caps->domain = args->virttype ? g_strdup(*args->virttype) : NULL;
	domain_caps_fill(caps, support);
	if (!domain_caps_check(caps, support, &error)) {
		call_fail(call, RPC_CODE_INVALID_ARG, RPC_FROM_QEMU, "%s", error->message);
		return;
	}
	text = domain_caps_format(caps);
	ret.capabilities = text;
	call_reply(call, &ret);
}

static void on_max_vcpus(struct call *call, const rpc_connect_get_max_vcpus_args *args)
{
	const struct support *support = &call->node->config.support;
	const char *type = args->type ? *args->type : NULL;
	rpc_connect_get_max_vcpus_ret ret = {
		.max_vcpus = (int)(support->max_vcpus ? support->max_vcpus : DOMAIN_VCPUS_MAX)
	};
	bool known = !type || !g_ascii_strcasecmp(type, "qemu") ||
		     !g_ascii_strcasecmp(type, "kvm") ||
		     (support->test && !g_ascii_strcasecmp(type, "test"));

	if (!known)
		call_fail(call, RPC_CODE_INVALID_ARG, RPC_FROM_QEMU,
			  "unknown type '%.64s' of machines; ask for 'kvm' or 'qemu'", type);
	else
		call_reply(call, &ret);
}

/* The names that are offered as models of a machine's CPU: one list, that of the domain capabilities. */
static void on_cpu_models(struct call *call, const rpc_connect_get_cpu_model_names_args *args)
{
	autoptr(domain_caps) caps = g_new0(struct domain_caps, 1);
	rpc_connect_get_cpu_model_names_ret ret = { .ret = 0 };
	g_autofree char **names = NULL;

	if (!host_no_flags(call, args->flags))
		return;
	if (strcmp(args->arch, "x86_64") != 0) {
		call_fail(call, RPC_CODE_INVALID_ARG, RPC_FROM_QEMU,
			  "there are no CPU models of '%.64s'; ask for x86_64", args->arch);
		return;
	}
	domain_caps_fill(caps, &call->node->config.support);
	for (unsigned i = 0; i < caps->cpu.count; i++) {
		const struct caps_cpu_mode *mode = &caps->cpu.list[i];

		if (strcmp(mode->name, "custom") != 0)
			continue;
		ret.ret = (int)mode->model_count;
		names = g_new0(char *, mode->model_count);
		for (unsigned k = 0; k < mode->model_count; k++)
			names[k] = mode->models[k].name;
	}
	if (args->need_results) {
		ret.models.models_len = (unsigned)ret.ret;
		ret.models.models_val = names;
	}
	call_reply(call, &ret);
}

/* == sysinfo == */

struct sysinfo_entry {
	const char *name, *value;
};

static void add_block(GString *text, const char *block, const struct sysinfo_entry *entries,
		      size_t count)
{
	bool begun = false;

	for (size_t i = 0; i < count; i++) {
		g_autofree char *value = NULL;

		if (!entries[i].value)
			continue;
		if (!begun)
			g_string_append_printf(text, "  <%s>\n", block);
		begun = true;
		value = g_markup_escape_text(entries[i].value, -1);
		g_string_append_printf(text, "    <entry name='%s'>%s</entry>\n", entries[i].name,
				       value);
	}
	if (begun)
		g_string_append_printf(text, "  </%s>\n", block);
}

static void on_sysinfo(struct call *call, const rpc_connect_get_sysinfo_args *args)
{
	const struct host_facts *facts = node_facts(call->node);
	const struct host_smbios *s = &facts->smbios;
	const struct sysinfo_entry bios[] = {
		{ "vendor", s->bios_vendor },
		{ "version", s->bios_version },
		{ "date", s->bios_date },
		{ "release", s->bios_release },
	};
	const struct sysinfo_entry system[] = {
		{ "manufacturer", s->system_vendor },
		{ "product", s->product },
		{ "version", s->version },
		{ "serial", s->serial },
		{ "uuid", facts->uuid },
		{ "sku", s->sku },
		{ "family", s->family },
	};
	const struct sysinfo_entry board[] = {
		{ "manufacturer", s->board_vendor },
		{ "product", s->board },
		{ "version", s->board_version },
		{ "serial", s->board_serial },
	};
	const struct sysinfo_entry chassis[] = {
		{ "manufacturer", s->chassis_vendor },
		{ "version", s->chassis_version },
		{ "serial", s->chassis_serial },
	};
	g_autoptr(GString) text = g_string_new("<sysinfo type='smbios'>\n");
	rpc_connect_get_sysinfo_ret ret;

	if (!host_no_flags(call, args->flags))
		return;
	add_block(text, "bios", bios, ARRAY_SIZE(bios));
	add_block(text, "system", system, ARRAY_SIZE(system));
	add_block(text, "baseBoard", board, ARRAY_SIZE(board));
	add_block(text, "chassis", chassis, ARRAY_SIZE(chassis));
	/* Who wants to know what answers him can learn it here. */
	g_string_append(text, "  <oemStrings>\n    <entry>Socle</entry>\n  </oemStrings>\n"
			      "</sysinfo>\n");
	ret.sysinfo = text->str;
	call_reply(call, &ret);
}

const struct call_entry host_caps_handlers[] = {
	HANDLE_BARE(RPC_PROC_CONNECT_GET_CAPABILITIES, on_capabilities),
	HANDLE(RPC_PROC_CONNECT_GET_DOMAIN_CAPABILITIES, rpc_connect_get_domain_capabilities_args,
	       on_domain_capabilities),
	HANDLE(RPC_PROC_CONNECT_GET_MAX_VCPUS, rpc_connect_get_max_vcpus_args, on_max_vcpus),
	HANDLE(RPC_PROC_CONNECT_GET_CPU_MODEL_NAMES, rpc_connect_get_cpu_model_names_args,
	       on_cpu_models),
	HANDLE(RPC_PROC_CONNECT_GET_SYSINFO, rpc_connect_get_sysinfo_args, on_sysinfo),
	HANDLERS_END,
};
