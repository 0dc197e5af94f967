/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * create.c - socle create: a machine that stays, from an image
 *
 * What can be wrong with the words is found before anything is made. Then volumes are made, the machine
 * is defined and started; if a step fails, those before it are undone. docs/design/0020-create.md.
 */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/sys.h"
#include "cli/commands.h"
#include "cli/console-keys.h"
#include "cli/console.h"
#include "cli/create.h"
#include "cli/interrupt.h"
#include "cli/object.h"
#include "cli/seed.h"
#include "cli/vol.h"

enum {
	MIB = 1 << 20,
	MEMORY_KIB = 1 << 20,
	CPUS_MAX = 255,
};

void create_release(struct create *create)
{
	run_machine_release(&create->machine);
	socle_pool_unref(create->pool);
	socle_volume_unref(create->image.vol);
	fd_autoclose(&create->image.fd);
	g_free(create->image.format);
	seed_free(create->seed);
	g_ptr_array_unref(create->made);
}

/* ---- words ---- */

/* "NAME" is a network's; what "socle run" knows goes, too. */
static bool add_network(struct run_machine *machine, const char *text, GError **error)
{
	size_t len = strcspn(text, ",");
	g_autofree char *first = g_strndup(text, len), *named = NULL;

	if (strchr(first, '=') || !strcmp(first, "user") || !strcmp(first, "none"))
		return run_add_nic(machine, text, error);
	named = g_strconcat("network=", text, NULL);
	return run_add_nic(machine, named, error);
}

/* Before anything is made. It may be named by its UUID. */
static bool find_networks(struct create *create, GError **error)
{
	for (unsigned i = 0; i < create->machine.nic_count; i++) {
		struct run_nic *nic = &create->machine.nics[i];
		SOCLE_AUTO(network) net = NULL;

		if (strcmp(nic->type, "network") != 0)
			continue;
		net = cli_network(create->cli, nic->source, error);
		if (!net)
			return false;
		g_free(nic->source);
		nic->source = g_strdup(socle_network_name(net));
	}
	return true;
}

bool create_take_networks(struct create *create, GError **error)
{
	SOCLE_AUTO(network) net = NULL;
	const char *text;

	for (unsigned n = 0; (text = cli_args_nth(create->args, "network", n)); n++) {
		if (!add_network(&create->machine, text, error))
			return false;
	}
	if (cli_args_has(create->args, "network"))
		return find_networks(create, error);
	/* A session has none as a rule. */
	net = socle_network_by_name(create->cli->conn, "default", NULL);
	return run_add_nic(&create->machine, net ? "network=default" : "user", error);
}

static bool take_kernel(struct create *create, GError **error)
{
	const char *kernel = cli_args_value(create->args, "kernel");
	const char *initrd = cli_args_value(create->args, "initrd");
	const char *append = cli_args_value(create->args, "append");

	if (!kernel && (initrd || append))
		return error_set(error, SOCLE_ERROR_USAGE,
				 "'--initrd' and '--append' are for a '--kernel'");
	create->machine.kernel = kernel ? g_canonicalize_filename(kernel, NULL) : NULL;
	create->machine.initrd = initrd ? g_canonicalize_filename(initrd, NULL) : NULL;
	create->machine.append = kernel ? g_strdup(append ? append : "console=ttyS0") : NULL;
	return true;
}

bool create_take_sizes(struct create *create, GError **error)
{
	const char *memory = cli_args_value(create->args, "memory");
	uint64_t bytes = (uint64_t)MEMORY_KIB * 1024, cpus = 1;

	if (memory && !cli_parse_size("memory", memory, MIB, &bytes, error))
		return false;
	if (bytes < MIB)
		return error_set(error, SOCLE_ERROR_USAGE,
				 "memory '%s' is too little; 64M is what a small guest needs",
				 memory);
	if (!cli_args_number(create->args, "vcpus", 1, CPUS_MAX, &cpus, error))
		return false;
	create->machine.memory_kib = bytes / 1024;
	create->machine.cpus = (unsigned)cpus;
	return true;
}

static bool take_words(struct create *create, GError **error)
{
	const struct cli_args *args = create->args;

	if (cli_args_has(args, "no-start") &&
	    (cli_args_has(args, "console") || cli_args_has(args, "start")))
		return error_set(error, SOCLE_ERROR_USAGE,
				 "'--no-start' goes neither with '--start' nor with '--console'");
	return create_check_template(args, error) && create_take_sizes(create, error) &&
	       take_kernel(create, error) && create_read_seed(create, error);
}

/* ---- steps ---- */

bool create_start(struct create *create, struct socle_domain *dom, GError **error)
{
	bool starts = !cli_args_has(create->args, "no-start");
	unsigned flags = cli_args_has(create->args, "console") ? SOCLE_START_PAUSED : 0;
	struct socle_error *why = NULL;

	if (starts && !interrupted() && socle_domain_create(dom, flags, &why) < 0)
		return cli_fail(error, why, "cannot start '%s'", create->name);
	return interrupt_check(error);
}

static struct socle_domain *define(struct create *create, GError **error)
{
	g_autofree char *xml = run_xml(&create->machine);
	struct socle_error *why = NULL;
	SOCLE_AUTO(domain) dom = socle_domain_define(create->cli->conn, xml, 0, &why);

	if (!dom) {
		cli_fail(error, why, "cannot define '%s'", create->name);
		return NULL;
	}
	if (create_start(create, dom, error))
		return g_steal_pointer(&dom);
	(void)create_undo_machine(dom);
	return NULL;
}

bool create_undo_machine(struct socle_domain *dom)
{
	if (socle_domain_is_active(dom, NULL) > 0)
		(void)socle_domain_destroy(dom, 0, NULL);
	/* One that was never defined has gone with that. */
	return socle_domain_is_persistent(dom, NULL) <= 0 ||
	       socle_domain_undefine(dom, 0, NULL) >= 0;
}

static struct socle_domain *make(struct create *create, GError **error)
{
	struct socle_domain *dom = NULL;

	if (cli_args_has(create->args, "template"))
		return create_from_template(create, error);
	create->machine.type =
		cli_choose_type(create->cli, cli_args_value(create->args, "type"), error);
	if (!create->machine.type || !create_take_networks(create, error) ||
	    !create_find_image(create, error))
		return NULL;
	if ((create->size || cli_args_has(create->args, "image") || create->seed) &&
	    !create_find_pool(create, error))
		return NULL;
	if (interrupt_check(error) && create_disk(create, error) && interrupt_check(error) &&
	    create_seed(create, error) && interrupt_check(error))
		dom = define(create, error);
	if (!dom)
		vols_undo(create->cli, create->made, create->name, error);
	return dom;
}

static int run_create(struct cli *cli, const struct cli_args *args, GError **error)
{
	struct create create = {
		.cli = cli,
		.args = args,
		.name = cli_args_word(args, 0),
		.machine.name = g_strdup(cli_args_word(args, 0)),
		.image.fd = -1,
		.made = g_ptr_array_new_with_free_func((GDestroyNotify)socle_volume_unref),
	};
	struct console_options options = { .escape = CONSOLE_CTRL_BRACKET, .starts_it = true };
	SOCLE_AUTO(domain) dom = NULL;

	if (take_words(&create, error) && cli_connect(cli, error) &&
	    cli_must_be_new(cli, create.name, error)) {
		interrupt_begin();
		dom = make(&create, error);
	}
	interrupt_end();
	create_release(&create);
	if (!dom)
		return CLI_FAILED;
	if (cli_args_has(args, "console"))
		return console_attach(cli, dom, &options, CONSOLE_LEAVES, error);
	cli_done_machine(cli, dom, "create",
			 cli_args_has(args, "no-start") ? "is made" : "is made and started");
	return CLI_OK;
}

const struct cli_command cli_create = {
	.verb = "create",
	.arguments = "NAME",
	.summary = "Make a machine that stays, from an image, and start it",
	.options =
		(const struct cli_option[]){
			{ "image", 'i', "FILE|[POOL/]VOLUME|PATH", CLI_FILE,
			  "a volume, which its disk will refer to, or a file, which is sent" },
			{ "template", 0, "TEMPLATE", CLI_TEMPLATE,
			  "as that one is; its disks refer to the template's" },
			{ "full", 0, NULL, CLI_NOTHING, "with disks that refer to nothing" },
			{ "format", 'f', "qcow2|raw", CLI_TEXT, "of a file that does not tell" },
			{ "disk", 'd', "size=SIZE", CLI_TEXT,
			  "its disk is so large: GiB, or with a unit" },
			{ "pool", 'p', "POOL", CLI_POOL, "for its disk (default: 'default')" },
			{ "memory", 'm', "SIZE", CLI_TEXT, "MiB, or with a unit (default: 1G)" },
			{ "vcpus", 0, "N", CLI_TEXT, "(default: 1)" },
			{ "network", 'n', "NAME|none|user|bridge=NAME", CLI_NETWORK,
			  "network card, with ,mac=MAC if need be (default: 'default', or user)" },
			{ "ssh-key", 'k', "FILE", CLI_FILE,
			  "public keys that may log in, told by cloud-init" },
			{ "user-data", 'u', "FILE", CLI_FILE, "for cloud-init" },
			{ "kernel", 0, "FILE", CLI_FILE, "on the daemon's host" },
			{ "initrd", 0, "FILE", CLI_FILE, "of the kernel" },
			{ "append", 0, "TEXT", CLI_TEXT, "command line (default: console=ttyS0)" },
			{ "type", 0, "kvm|qemu|test", CLI_TEXT,
			  "(default: the best that there is)" },
			{ "start", 0, NULL, CLI_NOTHING, "and start it, which is the default" },
			{ "no-start", 0, NULL, CLI_NOTHING, "only define it" },
			{ "console", 0, NULL, CLI_NOTHING, "and talk to its console" },
			CLI_ROW_END },
	.what = { CLI_TEXT },
	.min = 1,
	.max = 1,
	.flags = CLI_WRITES,
	.run = run_create,
};
