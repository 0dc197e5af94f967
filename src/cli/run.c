/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * run.c - socle run: a machine for now, with its console, from an image or a kernel
 *
 * The machine is transient and ends with our connection, so nothing is left of it however we end;
 * with --detach it goes on until somebody ends it.
 */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/sys.h"
#include "cli/commands.h"
#include "cli/console-keys.h"
#include "cli/console.h"
#include "cli/run-xml.h"
#include "model/capabilities.h"

enum {
	MEMORY_KIB = 1 << 20,
	CPUS_MAX = 255,
	MIB = 1 << 20,
	TELL_MS = 2000, /* for the daemon to tell how a machine has ended */
	LOOK_MS = 100,
};

/* "disk" of "/images/disk.qcow2", and four digits that make it one of its kind. */
static char *make_name(const char *path)
{
	g_autofree char *base = g_path_get_basename(path);
	uint16_t random = 0;
	char *dot = strrchr(base, '.');

	if (dot && dot != base)
		*dot = '\0';
	for (char *at = base; *at; at++) {
		if (!g_ascii_isalnum(*at) && !strchr("-_.+", *at))
			*at = '-';
	}
	if (sys_random(&random, sizeof(random)) < 0)
		random = (uint16_t)(sys_monotonic_ns() >> 10);
	return g_strdup_printf("%.40s-%04x", base, random);
}

const char *cli_choose_type(struct cli *cli, const char *wanted, GError **error)
{
	static const char *const types[] = { "kvm", "qemu", "test" };
	struct socle_error *why = NULL;
	char *xml = socle_conn_capabilities(cli->conn, &why);
	autoptr(capabilities) caps = NULL;
	bool offered[G_N_ELEMENTS(types)] = { false };

	if (!xml) {
		cli_fail(error, why, NULL);
		return NULL;
	}
	caps = capabilities_parse(xml, strlen(xml), NULL, error);
	free(xml);
	if (!caps)
		return NULL;
	for (unsigned g = 0; g < caps->guest_count; g++) {
		const struct caps_arch *arch = &caps->guests[g].arch;

		for (unsigned d = 0; d < arch->domain_count; d++) {
			for (unsigned i = 0; i < G_N_ELEMENTS(types); i++)
				offered[i] |= !g_strcmp0(arch->domains[d].type, types[i]);
		}
	}
	for (unsigned i = 0; i < G_N_ELEMENTS(types); i++) {
		if (wanted ? !strcmp(wanted, types[i]) : offered[i])
			return types[i];
	}
	error_set(error, SOCLE_ERROR_UNSUPPORTED,
		  "%s offers neither kvm nor qemu machines; 'socle doctor' says what is missing",
		  cli->where);
	return NULL;
}

static bool take_image(struct run_machine *machine, const struct cli_args *args, GError **error)
{
	const char *path = cli_args_word(args, 0), *format = cli_args_value(args, "format");
	const char *append = cli_args_value(args, "append"), *found = NULL;
	enum run_kind kind;

	if (!run_kind_of(path, format, &kind, &found, error))
		return false;
	if (kind == RUN_KERNEL) {
		machine->kernel = g_canonicalize_filename(path, NULL);
		machine->append = g_strdup(append ? append : "console=ttyS0");
		if (cli_args_has(args, "initrd"))
			machine->initrd =
				g_canonicalize_filename(cli_args_value(args, "initrd"), NULL);
		return true;
	}
	if (append || cli_args_has(args, "initrd"))
		return error_set(error, SOCLE_ERROR_USAGE,
				 "'%s' is a disk: '--append' and '--initrd' are for kernels", path);
	machine->disks[machine->disk_count++] = (struct run_disk){
		.path = g_canonicalize_filename(path, NULL),
		.format = g_strdup(found),
		.readonly = kind == RUN_CDROM || cli_args_has(args, "readonly-disk"),
		.cdrom = kind == RUN_CDROM,
	};
	return true;
}

static bool take_options(struct run_machine *machine, const struct cli_args *args, GError **error)
{
	const char *memory = cli_args_value(args, "memory"), *text;
	uint64_t bytes = 0, cpus = 1;

	if (memory && !cli_parse_size("memory", memory, MIB, &bytes, error))
		return false;
	if (memory && bytes < MIB)
		return error_set(error, SOCLE_ERROR_USAGE,
				 "memory '%s' is too little; 64M is what a small guest needs",
				 memory);
	machine->memory_kib = memory ? bytes / 1024 : MEMORY_KIB;
	if (!cli_args_number(args, "cpus", 1, CPUS_MAX, &cpus, error))
		return false;
	machine->cpus = (unsigned)cpus;
	for (unsigned n = 0; (text = cli_args_nth(args, "disk", n)); n++) {
		if (!run_add_disk(machine, text, error))
			return false;
	}
	for (unsigned n = 0; (text = cli_args_nth(args, "net", n)); n++) {
		if (!run_add_nic(machine, text, error))
			return false;
	}
	return cli_args_has(args, "net") || run_add_nic(machine, "user", error);
}

/* How the machine has ended, as the daemon tells. */
struct ending {
	bool told;
	bool crashed;
	bool by_us; /* the user has left its console */
};

static void on_lifecycle(struct socle_conn *conn, const struct socle_event *event, void *opaque)
{
	struct ending *ending = opaque;
	int what = event->u.lifecycle.event;
	const char *why = socle_event_detail_name(what, event->u.lifecycle.detail);

	(void)conn;
	ending->crashed |= what == SOCLE_LIFECYCLE_CRASHED ||
			   (what == SOCLE_LIFECYCLE_STOPPED &&
			    (!strcmp(why, "crashed") || !strcmp(why, "failed")));
	ending->told |= what == SOCLE_LIFECYCLE_STOPPED || what == SOCLE_LIFECYCLE_CRASHED;
}

/* A daemon that tells nothing of it is believed to have nothing to tell. */
static bool has_crashed(struct cli *cli, const struct ending *ending)
{
	uint64_t end = sys_monotonic_ns() + TELL_MS * UINT64_C(1000000);

	while (!ending->told && sys_monotonic_ns() < end &&
	       socle_conn_dispatch(cli->conn, LOOK_MS, NULL) >= 0)
		;
	return ending->crashed;
}

/* With its CPUs stopped, so that the console has the first byte. */
static int talk(struct cli *cli, struct socle_domain *dom, GError **error)
{
	struct socle_error *why = NULL;
	struct ending ending = { .told = false };
	g_autofree char *name = cli_name(dom);
	struct console_options options = {
		.escape = CONSOLE_CTRL_BRACKET,
		.starts_it = true,
		.ret_left = &ending.by_us,
	};
	int callback = socle_event_register(cli->conn, SOCLE_EVENT_LIFECYCLE, dom, on_lifecycle,
					    &ending, NULL, NULL);
	int status = console_attach(cli, dom, &options, CONSOLE_ENDS, error);
	/* Its end is heard before its plug is pulled, which would be another end. */
	bool crashed =
		status == CLI_OK && !ending.by_us && callback >= 0 && has_crashed(cli, &ending);

	(void)socle_domain_destroy(dom, 0, &why);
	socle_error_free(why);
	if (crashed) {
		error_set(error, SOCLE_ERROR_FAILED, "'%s' has crashed", name);
		status = CLI_FAILED;
	}
	if (callback >= 0)
		(void)socle_event_deregister(cli->conn, callback, NULL);
	if (status == CLI_OK)
		cli_done(cli, "'%s' is gone", name);
	return status;
}

static int start(struct cli *cli, const struct cli_args *args, const struct run_machine *machine,
		 GError **error)
{
	g_autofree char *xml = run_xml(machine);
	bool detach = cli_args_has(args, "detach");
	struct socle_error *why = NULL;
	SOCLE_AUTO(domain) dom = NULL;

	if (cli_args_has(args, "print-xml")) {
		cli_out_text(xml);
		return CLI_OK;
	}
	dom = socle_domain_create_xml(
		cli->conn, xml, detach ? 0 : SOCLE_START_AUTODESTROY | SOCLE_START_PAUSED, &why);
	if (!dom)
		return cli_fail(error, why, "cannot run '%s'", cli_args_word(args, 0));
	if (!detach)
		return talk(cli, dom, error);
	cli_done_machine(cli, dom, "run",
			 "runs; 'socle console' talks to it, and it goes when it ends");
	return CLI_OK;
}

static int run_run(struct cli *cli, const struct cli_args *args, GError **error)
{
	struct run_machine machine = { .type = cli_args_value(args, "type") };
	const char *name = cli_args_value(args, "name");
	int status = CLI_FAILED;

	machine.name = name ? g_strdup(name) : make_name(cli_args_word(args, 0));
	if (take_image(&machine, args, error) && take_options(&machine, args, error)) {
		if (machine.type && cli_args_has(args, "print-xml")) {
			status = start(cli, args, &machine, error);
		} else if (cli_connect(cli, error)) {
			machine.type = cli_choose_type(cli, machine.type, error);
			status = machine.type ? start(cli, args, &machine, error) : CLI_FAILED;
		}
	}
	run_machine_release(&machine);
	return status;
}

const struct cli_command cli_run = {
	.verb = "run",
	.arguments = "IMAGE|KERNEL",
	.summary = "Run a machine for now, and talk to its console; Ctrl-] or Ctrl-A X ends it",
	.options =
		(const struct cli_option[]){
			{ "name", 'n', "NAME", CLI_TEXT, "(default: made of the file's)" },
			{ "memory", 'm', "SIZE", CLI_TEXT, "MiB, or with a unit (default: 1G)" },
			{ "cpus", 0, "N", CLI_TEXT, "(default: 1)" },
			{ "format", 'f', "FORMAT", CLI_TEXT,
			  "of IMAGE: raw, qcow2, ...; kernel if it is one" },
			{ "readonly-disk", 0, NULL, CLI_NOTHING, "IMAGE is not written to" },
			{ "initrd", 0, "FILE", CLI_FILE, "of a kernel" },
			{ "append", 0, "TEXT", CLI_TEXT, "command line (default: console=ttyS0)" },
			{ "disk", 'd', "FILE[,format=FORMAT][,readonly]", CLI_FILE,
			  "one more disk" },
			{ "net", 0, "none|user|bridge=NAME|network=NAME", CLI_TEXT,
			  "network card, with ,mac=MAC if need be (default: user)" },
			{ "type", 0, "kvm|qemu|test", CLI_TEXT,
			  "(default: the best that there is)" },
			{ "detach", 0, NULL, CLI_NOTHING, "no console; it goes on without us" },
			{ "print-xml", 0, NULL, CLI_NOTHING, "only print what it would be" },
			CLI_ROW_END },
	.what = { CLI_FILE },
	.min = 1,
	.max = 1,
	.flags = CLI_WRITES,
	.run = run_run,
};
