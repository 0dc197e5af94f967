/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * create-template.c - socle create --template: a machine as a template is, but with its own names
 */
#include <string.h>

#include "base/error.h"
#include "cli/create.h"
#include "cli/interrupt.h"
#include "cli/seed.h"
#include "cli/template.h"

bool create_check_template(const struct cli_args *args, GError **error)
{
	static const char *const others[] = { "image",  "format", "pool",   "network",
					      "kernel", "initrd", "append", "type" };

	for (size_t i = 0; cli_args_has(args, "template") && i < G_N_ELEMENTS(others); i++) {
		if (cli_args_has(args, others[i]))
			return error_set(
				error, SOCLE_ERROR_USAGE,
				"'--%s' is what the template says; 'socle edit' changes it in "
				"the machine that is made",
				others[i]);
	}
	return cli_args_has(args, "template") || !cli_args_has(args, "full") ||
	       error_set(error, SOCLE_ERROR_USAGE, "'--full' is for a '--template'");
}

/* A CD in any case: cloud-init, if the guest has it, makes it a guest of its own by that. */
static struct seed *seed_of(struct create *create)
{
	g_autofree char *instance = g_uuid_string_random(), *host = seed_hostname(create->name);
	struct seed *seed = create->seed ? g_steal_pointer(&create->seed) : g_new0(struct seed, 1);

	if (!seed->user_data)
		seed->user_data = g_strdup("#cloud-config\n{}\n");
	if (!seed->meta_data)
		seed->meta_data = seed_meta_data(instance, host, NULL);
	seed->vendor_data = seed_vendor_data_anew();
	return seed;
}

static bool start(void *opaque, struct socle_domain *dom, GError **error)
{
	return create_start(opaque, dom, error);
}

struct socle_domain *create_from_template(struct create *create, GError **error)
{
	const struct cli_args *args = create->args;
	SOCLE_AUTO(domain)
	template = template_find(create->cli, cli_args_value(args, "template"), error);
	bool told = create->seed != NULL;
	autoptr(seed) seed = seed_of(create);
	struct clone_wish wish = {
		.name = create->name,
		.linked = !cli_args_has(args, "full"),
		.seed = seed,
		.keeps_seed = !told,
		.then = start,
		.opaque = create,
		.memory_kib = cli_args_has(args, "memory") ? create->machine.memory_kib : 0,
		.cpus = cli_args_has(args, "vcpus") ? create->machine.cpus : 0,
	};

	if (!template || !create_take_size(create, error))
		return NULL;
	wish.size = create->size;
	return clone_machine(create->cli, template, &wish, error);
}
