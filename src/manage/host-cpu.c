/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * host-cpu.c - procedures that compare CPUs: is this one like the host's, what have these in common?
 *
 * A CPU is the set of its features: those that its model stands for, and those that are listed. Models
 * are ours: v2 and max, which is whatever the host has. Both forms of <cpu> are understood, that
 * of a host and that of a machine.
 */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "manage/host-int.h"
#include "model/capabilities.h"
#include "model/domain.h"

enum cpu_compare {
	CPU_INCOMPATIBLE = 0,
	CPU_IDENTICAL = 1,
	CPU_SUPERSET = 2, /* the host has more */
};

enum {
	COMPARE_FAIL = 1 << 0, /* flags of the first call, */
	COMPARE_VALIDATE = 1 << 1,
	BASELINE_EXPAND = 1 << 0, /* and of the second */
	BASELINE_MIGRATABLE = 1 << 1,
};

/* The level x86-64-v2; our model of that name has more where the host has it. Sorted. */
static const char *const v2_features[] = {
	"cmov", "cx16",   "cx8", "fpu",  "fxsr",   "lahf_lm", "lm",    "mmx",
	"pni",  "popcnt", "sse", "sse2", "sse4.1", "sse4.2",  "ssse3", "syscall",
};

static int by_name(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

bool host_in_v2(const char *name)
{
	return bsearch(&name, v2_features, ARRAY_SIZE(v2_features), sizeof(v2_features[0]),
		       by_name) != NULL;
}

bool host_has_v2(const struct host_facts *facts)
{
	for (size_t i = 0; i < ARRAY_SIZE(v2_features); i++) {
		if (!host_facts_have(facts, v2_features[i]))
			return false;
	}
	return true;
}

/* What a client has described. */
struct cpu {
	GHashTable *features; /* names */
	char *vendor;         /* NULL: any */
	char *arch;           /* NULL: not said */
	bool strict;          /* it must have no others */
	bool refused;         /* the host has one that it must not have */
};

static void cpu_release(struct cpu *cpu)
{
	g_clear_pointer(&cpu->features, g_hash_table_unref);
	g_free(cpu->vendor);
	g_free(cpu->arch);
}

static void add_feature(struct cpu *cpu, const char *name)
{
	g_hash_table_add(cpu->features, g_strdup(name));
}

/* The features that a model stands for. */
static bool add_model(struct cpu *cpu, const struct host_facts *facts, const char *name,
		      GError **error)
{
	if (!strcmp(name, "v2")) {
		for (size_t i = 0; i < ARRAY_SIZE(v2_features); i++)
			add_feature(cpu, v2_features[i]);
		return true;
	}
	if (!strcmp(name, "max")) {
		for (unsigned i = 0; facts->features[i]; i++)
			add_feature(cpu, facts->features[i]);
		return true;
	}
	return error_set(error, SOCLE_ERROR_UNSUPPORTED,
			 "the CPU model '%.64s' is not known here; compare 'v2', 'max' or a list "
			 "of features",
			 name);
}

static void set_features(struct cpu *cpu, const struct host_facts *facts,
			 const struct domain_cpu *from)
{
	for (unsigned i = 0; i < from->feature_count; i++) {
		const struct cpu_feature *f = &from->features[i];
		const char *policy = f->policy ? f->policy : "require";

		if (!f->name || !strcmp(policy, "optional"))
			continue;
		if (!strcmp(policy, "forbid") && host_facts_have(facts, f->name))
			cpu->refused = true;
		if (!strcmp(policy, "require") || !strcmp(policy, "force"))
			add_feature(cpu, f->name);
		else
			g_hash_table_remove(cpu->features, f->name);
	}
}

/* Nothing but <cpu>; behind a declaration, which stands in front of whole documents only. */
static const char *cpu_element(const char *xml)
{
	const char *end;

	xml += strspn(xml, " \t\r\n");
	if (g_str_has_prefix(xml, "<?xml") && (end = strstr(xml, "?>")) != NULL)
		xml = end + 2;
	return xml + strspn(xml, " \t\r\n");
}

static char *arch_of(const char *element)
{
	g_autofree char *xml =
		g_strdup_printf("<capabilities><host>%s</host></capabilities>", element);
	autoptr(capabilities) caps = capabilities_parse(xml, strlen(xml), NULL, NULL);

	return caps ? g_strdup(caps->host.cpu.arch) : NULL;
}

static bool cpu_parse(struct cpu *cpu, const struct host_facts *facts, const char *text,
		      GError **error)
{
	const char *element = cpu_element(text);
	g_autofree char *xml = g_strdup_printf("<domain>%s</domain>", element);
	autoptr(domain) domain = NULL;
	const struct domain_cpu *from;

	*cpu = (struct cpu){ 0 };
	if (!g_str_has_prefix(element, "<cpu"))
		return error_set(error, SOCLE_ERROR_USAGE,
				 "this is no description of a CPU; give a <cpu> element");
	domain = domain_parse(xml, strlen(xml), 0, NULL, error);
	if (!domain)
		return false;
	from = &domain->cpu;
	cpu->features = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	cpu->arch = arch_of(element);
	cpu->vendor = g_strdup(from->vendor);
	cpu->strict = from->match && !strcmp(from->match, "strict");
	if (from->model.name && !add_model(cpu, facts, from->model.name, error)) {
		cpu_release(cpu);
		return false;
	}
	set_features(cpu, facts, from);
	return true;
}

static enum cpu_compare compare(const struct host_facts *facts, const struct cpu *cpu)
{
	GHashTableIter iter;
	void *name;

	if (cpu->refused || (cpu->arch && strcmp(cpu->arch, facts->arch) != 0) ||
	    (cpu->vendor && g_strcmp0(cpu->vendor, facts->cpu_vendor) != 0))
		return CPU_INCOMPATIBLE;
	g_hash_table_iter_init(&iter, cpu->features);
	while (g_hash_table_iter_next(&iter, &name, NULL)) {
		if (!host_facts_have(facts, name))
			return CPU_INCOMPATIBLE;
	}
	if (g_hash_table_size(cpu->features) == g_strv_length(facts->features))
		return CPU_IDENTICAL;
	return cpu->strict ? CPU_INCOMPATIBLE : CPU_SUPERSET;
}

/* XML that is none has a code of its own. */
static void fail_cpu(struct call *call, const GError *error)
{
	call_fail(call,
		  error->domain == SOCLE_ERROR && error->code == SOCLE_ERROR_UNSUPPORTED
			  ? RPC_CODE_CONFIG_UNSUPPORTED
			  : RPC_CODE_XML_ERROR,
		  RPC_FROM_CPU, "%s", error->message);
}

static void answer_compare(struct call *call, const char *xml, unsigned flags)
{
	const struct host_facts *facts = node_facts(call->node);
	rpc_connect_compare_cpu_ret ret;
	g_autoptr(GError) error = NULL;
	struct cpu cpu = { 0 };

	if (!host_no_flags(call, flags & ~(unsigned)(COMPARE_FAIL | COMPARE_VALIDATE)))
		return;
	if (!cpu_parse(&cpu, facts, xml, &error)) {
		fail_cpu(call, error);
		return;
	}
	ret.result = compare(facts, &cpu);
	cpu_release(&cpu);
	if (ret.result == CPU_INCOMPATIBLE && flags & COMPARE_FAIL)
		call_fail(call, RPC_CODE_CPU_INCOMPATIBLE, RPC_FROM_CPU,
			  "the CPU is incompatible with the host's, which lacks some of its "
			  "features; "
			  "see <features> in the host's capabilities");
	else
		call_reply(call, &ret);
}

/* Take away what @other has not. */
static void intersect(struct cpu *cpu, const struct cpu *other)
{
	GHashTableIter iter;
	void *name;

	g_hash_table_iter_init(&iter, cpu->features);
	while (g_hash_table_iter_next(&iter, &name, NULL)) {
		if (!g_hash_table_contains(other->features, name))
			g_hash_table_iter_remove(&iter);
	}
	if (g_strcmp0(cpu->vendor, other->vendor) != 0)
		g_clear_pointer(&cpu->vendor, g_free);
}

/* A machine's CPU with these features: v2, what is more, and what is less. */
static char *format_cpu(const struct cpu *cpu, bool expand)
{
	g_autofree void **names = g_hash_table_get_keys_as_array(cpu->features, NULL);
	unsigned count = g_hash_table_size(cpu->features);
	GString *text = g_string_new("<cpu mode='custom' match='exact'>\n"
				     "  <model fallback='forbid'>v2</model>\n");

	if (count > 1)
		qsort(names, count, sizeof(names[0]), by_name);
	if (cpu->vendor) {
		g_autofree char *vendor = g_markup_escape_text(cpu->vendor, -1);

		g_string_append_printf(text, "  <vendor>%s</vendor>\n", vendor);
	}
	for (unsigned i = 0; i < count; i++) {
		g_autofree char *name = g_markup_escape_text(names[i], -1);

		if (expand || !host_in_v2(names[i]))
			g_string_append_printf(text, "  <feature policy='require' name='%s'/>\n",
					       name);
	}
	for (size_t i = 0; i < ARRAY_SIZE(v2_features); i++) {
		if (!g_hash_table_contains(cpu->features, v2_features[i]))
			g_string_append_printf(text, "  <feature policy='disable' name='%s'/>\n",
					       v2_features[i]);
	}
	g_string_append(text, "</cpu>\n");
	return g_string_free(text, FALSE);
}

static bool baseline(const struct host_facts *facts, rpc_text *list, unsigned count,
		     struct cpu *ret, GError **error)
{
	if (!count)
		return error_set(error, SOCLE_ERROR_USAGE, "there is no CPU; give one at least");
	if (!cpu_parse(ret, facts, list[0], error))
		return false;
	for (unsigned i = 1; i < count; i++) {
		struct cpu other = { 0 };

		if (!cpu_parse(&other, facts, list[i], error)) {
			cpu_release(ret);
			return false;
		}
		intersect(ret, &other);
		cpu_release(&other);
	}
	return true;
}

static void answer_baseline(struct call *call, rpc_text *list, unsigned count, unsigned flags)
{
	rpc_connect_baseline_cpu_ret ret;
	g_autoptr(GError) error = NULL;
	g_autofree char *text = NULL;
	struct cpu cpu = { 0 };

	if (!host_no_flags(call, flags & ~(unsigned)(BASELINE_EXPAND | BASELINE_MIGRATABLE)))
		return;
	if (!baseline(node_facts(call->node), list, count, &cpu, &error)) {
		fail_cpu(call, error);
		return;
	}
	/* Time that goes on at the same rate is not to be had on another host. */
	if (flags & BASELINE_MIGRATABLE)
		g_hash_table_remove(cpu.features, "invtsc");
	text = format_cpu(&cpu, flags & BASELINE_EXPAND);
	cpu_release(&cpu);
	ret.cpu = text;
	call_reply(call, &ret);
}

static void on_compare(struct call *call, const rpc_connect_compare_cpu_args *args)
{
	answer_compare(call, args->xml, args->flags);
}

static void on_baseline(struct call *call, const rpc_connect_baseline_cpu_args *args)
{
	answer_baseline(call, args->xmlCPUs.xmlCPUs_val, args->xmlCPUs.xmlCPUs_len, args->flags);
}

/* With KVM a machine can have what the host has; the software engine has a list of its own. */
static bool is_kvm(struct call *call, rpc_text *arch, rpc_text *type)
{
	const struct support *support = &call->node->config.support;
	const char *asked = type ? *type : support->kvm ? "kvm" : "qemu";

	if (arch && strcmp(*arch, "x86_64") != 0)
		call_fail(call, RPC_CODE_CONFIG_UNSUPPORTED, RPC_FROM_QEMU,
			  "the architecture '%.64s' does not run here; ask for x86_64", *arch);
	else if (strcmp(asked, "kvm") != 0 || !support->kvm)
		call_fail(call, RPC_CODE_CONFIG_UNSUPPORTED, RPC_FROM_QEMU,
			  "features of CPUs can be compared for type 'kvm' only, not for '%.64s'; "
			  "use a host with KVM",
			  asked);
	else
		return true;
	return false;
}

static void on_compare_hypervisor(struct call *call,
				  const rpc_connect_compare_hypervisor_cpu_args *args)
{
	if (is_kvm(call, args->arch, args->virttype))
		answer_compare(call, args->xmlCPU, args->flags);
}

static void on_baseline_hypervisor(struct call *call,
				   const rpc_connect_baseline_hypervisor_cpu_args *args)
{
	if (is_kvm(call, args->arch, args->virttype))
		answer_baseline(call, args->xmlCPUs.xmlCPUs_val, args->xmlCPUs.xmlCPUs_len,
				args->flags);
}

const struct call_entry host_cpu_handlers[] = {
	HANDLE(RPC_PROC_CONNECT_COMPARE_CPU, rpc_connect_compare_cpu_args, on_compare),
	HANDLE(RPC_PROC_CONNECT_BASELINE_CPU, rpc_connect_baseline_cpu_args, on_baseline),
	HANDLE(RPC_PROC_CONNECT_COMPARE_HYPERVISOR_CPU, rpc_connect_compare_hypervisor_cpu_args,
	       on_compare_hypervisor),
	HANDLE(RPC_PROC_CONNECT_BASELINE_HYPERVISOR_CPU, rpc_connect_baseline_hypervisor_cpu_args,
	       on_baseline_hypervisor),
	HANDLERS_END,
};
