/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vm-life.c - machines are started, ended, and what lies between
 */
#include <string.h>

#include "base/error.h"
#include "base/sys.h"
#include "cli/commands.h"
#include "cli/console.h"

enum {
	WAIT_MS = 60000, /* for a guest to power off, unless --timeout says another time */
	LOOK_MS = 200,   /* between looks */
};

/* The machine's name stands before the daemon's sentence, which often has a number only. */
static bool told(int ret, struct socle_domain *dom, struct socle_error **why, GError **error)
{
	g_autofree char *name = NULL;

	if (ret >= 0)
		return true;
	name = cli_name(dom);
	return cli_fail(error, *why, "'%s'", name);
}

/* ---- start ---- */

static bool start(struct cli *cli, const struct cli_args *args, struct socle_domain *dom,
		  GError **error)
{
	struct socle_error *why = NULL;
	unsigned flags = (cli_args_has(args, "paused") ? SOCLE_START_PAUSED : 0) |
			 (cli_args_has(args, "autodestroy") ? SOCLE_START_AUTODESTROY : 0) |
			 (cli_args_has(args, "force-boot") ? SOCLE_START_FORCE_BOOT : 0);

	(void)cli;
	return told(socle_domain_create(dom, flags, &why), dom, &why, error);
}

static int run_start(struct cli *cli, const struct cli_args *args, GError **error)
{
	bool console = cli_args_has(args, "console");
	SOCLE_AUTO(domain) dom = NULL;
	int status;

	if (console && cli_args_words(args) > 1) {
		error_set(error, SOCLE_ERROR_USAGE, "'--console' is for one machine at a time");
		return CLI_USAGE;
	}
	if (cli_args_has(args, "autodestroy") && !console) {
		error_set(error, SOCLE_ERROR_USAGE,
			  "'--autodestroy' ends the machine with the connection, so it wants "
			  "'--console'");
		return CLI_USAGE;
	}
	status = cli_each(cli, args, "start", "started", start, error);
	if (status != CLI_OK || *error || !console)
		return status;
	dom = cli_machine(cli, cli_args_word(args, 0), error);
	if (!dom)
		return CLI_FAILED;
	return console_attach(cli, dom, NULL, CONSOLE_LEAVES, error);
}

const struct cli_command cli_vm_start = {
	.noun = "vm",
	.verb = "start",
	.arguments = "MACHINE...",
	.summary = "Start machines",
	.options =
		(const struct cli_option[]){
			{ "paused", 0, NULL, CLI_NOTHING, "with its CPUs stopped, for 'resume'" },
			{ "console", 0, NULL, CLI_NOTHING, "and talk to its console" },
			{ "autodestroy", 0, NULL, CLI_NOTHING, "end it when we do" },
			{ "force-boot", 0, NULL, CLI_NOTHING, "boot it, whatever was saved" },
			CLI_ROW_END },
	.what = { CLI_STOPPED },
	.min = 1,
	.max = CLI_ANY_NUMBER,
	.flags = CLI_WRITES | CLI_BARE,
	.run = run_start,
};

/* ---- stop ---- */

/* --mode, as for virsh; false for a word that is none. */
static bool mode_flags(const struct cli_args *args, unsigned *ret_flags)
{
	static const char *const modes[] = { "acpi", "agent", "initctl", "signal", "paravirt" };
	const char *mode = cli_args_value(args, "mode");

	*ret_flags = 0;
	for (unsigned i = 0; mode && i < G_N_ELEMENTS(modes); i++) {
		if (!strcmp(mode, modes[i]))
			*ret_flags = 1U << i;
	}
	return !mode || *ret_flags;
}

/* 1: it is off, 0: not in time, -1 */
static int wait_off(struct socle_domain *dom, uint64_t ms, GError **error)
{
	uint64_t end = sys_monotonic_ns() + ms * 1000000;

	for (;;) {
		struct socle_error *why = NULL;
		int active = socle_domain_is_active(dom, &why);

		/* A transient machine is gone when it is off. */
		if (active < 0 && socle_error_code(why) == SOCLE_ERR_NO_DOMAIN) {
			socle_error_free(why);
			return 1;
		}
		if (active < 0) {
			told(-1, dom, &why, error);
			return -1;
		}
		if (!active)
			return 1;
		if (sys_monotonic_ns() >= end)
			return 0;
		g_usleep(LOOK_MS * 1000UL);
	}
}

static bool stop(struct cli *cli, const struct cli_args *args, struct socle_domain *dom,
		 GError **error)
{
	bool force = cli_args_has(args, "force");
	g_autofree char *name = cli_name(dom);
	struct socle_error *why = NULL;
	unsigned flags;
	int off;

	if (!mode_flags(args, &flags))
		return error_set(error, SOCLE_ERROR_USAGE, "'--mode' is not known");
	if (!told(socle_domain_shutdown(dom, flags, &why), dom, &why, error))
		return false;
	if (!force && !cli_args_has(args, "wait"))
		return true;
	off = wait_off(dom, cli->timeout_ms ? cli->timeout_ms : WAIT_MS, error);
	if (off)
		return off > 0;
	if (force)
		return told(socle_domain_destroy(dom, 0, &why), dom, &why, error);
	g_set_error(
		error, CLIENT_ERROR, SOCLE_ERR_OPERATION_TIMEOUT,
		"'%s' was asked to power off, and still runs; 'socle destroy %s' pulls its plug",
		name, name);
	return false;
}

static int run_stop(struct cli *cli, const struct cli_args *args, GError **error)
{
	bool waits = cli_args_has(args, "wait") || cli_args_has(args, "force");

	return cli_each(cli, args, "stop", waits ? "is off" : "is asked to power off", stop, error);
}

#define ROW_MODE                                                               \
	{                                                                      \
		"mode", 0, "acpi|agent|initctl|signal|paravirt", CLI_TEXT,     \
			"how the guest is asked (default: the daemon chooses)" \
	}

const struct cli_command cli_vm_stop = {
	.noun = "vm",
	.verb = "stop",
	.names = "shutdown",
	.arguments = "MACHINE...",
	.summary = "Ask guests to power off",
	.options = (const struct cli_option[]){ { "wait", 'w', NULL, CLI_NOTHING,
						  "until they are off, for --timeout or 60 s" },
						{ "force", 'f', NULL, CLI_NOTHING,
						  "the same, and then pull the plug" },
						ROW_MODE,
						CLI_ROW_END },
	.what = { CLI_RUNNING },
	.min = 1,
	.max = CLI_ANY_NUMBER,
	.flags = CLI_WRITES | CLI_BARE,
	.run = run_stop,
};

static bool reboot(struct cli *cli, const struct cli_args *args, struct socle_domain *dom,
		   GError **error)
{
	struct socle_error *why = NULL;
	unsigned flags;

	(void)cli;
	if (!mode_flags(args, &flags))
		return error_set(error, SOCLE_ERROR_USAGE, "'--mode' is not known");
	return told(socle_domain_reboot(dom, flags, &why), dom, &why, error);
}

static int run_reboot(struct cli *cli, const struct cli_args *args, GError **error)
{
	return cli_each(cli, args, "reboot", "is asked to boot again", reboot, error);
}

const struct cli_command cli_vm_reboot = {
	.noun = "vm",
	.verb = "reboot",
	.arguments = "MACHINE...",
	.summary = "Ask guests to boot again",
	.options = (const struct cli_option[]){ ROW_MODE, CLI_ROW_END },
	.what = { CLI_RUNNING },
	.min = 1,
	.max = CLI_ANY_NUMBER,
	.flags = CLI_WRITES | CLI_BARE,
	.run = run_reboot,
};

/* ---- one call each ---- */

static bool destroy(struct cli *cli, const struct cli_args *args, struct socle_domain *dom,
		    GError **error)
{
	unsigned flags = cli_args_has(args, "graceful") ? SOCLE_DESTROY_GRACEFUL : 0;
	struct socle_error *why = NULL;

	(void)cli;
	return told(socle_domain_destroy(dom, flags, &why), dom, &why, error);
}

static int run_destroy(struct cli *cli, const struct cli_args *args, GError **error)
{
	return cli_each(cli, args, "destroy", "is off", destroy, error);
}

const struct cli_command cli_vm_destroy = {
	.noun = "vm",
	.verb = "destroy",
	.arguments = "MACHINE...",
	.summary = "Pull the plug of machines; their definitions stay",
	.options = (const struct cli_option[]){ { "graceful", 0, NULL, CLI_NOTHING,
						  "not if its process does not end by itself" },
						CLI_ROW_END },
	.what = { CLI_RUNNING },
	.min = 1,
	.max = CLI_ANY_NUMBER,
	.flags = CLI_WRITES | CLI_BARE,
	.run = run_destroy,
};

/* Those that are no more than a call, by their verbs. */
static const struct one_call {
	const char *verb, *done;
	int (*call)(struct socle_domain *dom, struct socle_error **error);
	int (*call_flags)(struct socle_domain *dom, unsigned flags, struct socle_error **error);
} one_calls[] = {
	{ "reset", "is reset", .call_flags = socle_domain_reset },
	{ "suspend", "is paused", .call = socle_domain_suspend },
	{ "resume", "goes on", .call = socle_domain_resume },
	{ "save", "is saved; 'start' lets it go on", .call_flags = socle_domain_managed_save },
	{ "save-remove", "is not saved any more", .call_flags = socle_domain_managed_save_remove },
	{ "nmi", "has had an NMI", .call_flags = socle_domain_inject_nmi },
};

static const struct one_call *one_call_of(const struct cli_args *args)
{
	unsigned i = 0;

	/* Each command whose function is run_one_call() has its row. */
	while (strcmp(one_calls[i].verb, cli_args_command(args)->verb) != 0) {
		i++;
		g_assert(i < G_N_ELEMENTS(one_calls));
	}
	return &one_calls[i];
}

static bool one_call(struct cli *cli, const struct cli_args *args, struct socle_domain *dom,
		     GError **error)
{
	const struct one_call *one = one_call_of(args);
	struct socle_error *why = NULL;
	int ret = one->call ? one->call(dom, &why) : one->call_flags(dom, 0, &why);

	(void)cli;
	return told(ret, dom, &why, error);
}

static int run_one_call(struct cli *cli, const struct cli_args *args, GError **error)
{
	const struct one_call *one = one_call_of(args);

	return cli_each(cli, args, one->verb, one->done, one_call, error);
}

const struct cli_command cli_vm_reset = {
	.noun = "vm",
	.verb = "reset",
	.arguments = "MACHINE...",
	.summary = "Push the reset button of machines",
	.what = { CLI_RUNNING },
	.min = 1,
	.max = CLI_ANY_NUMBER,
	.flags = CLI_WRITES | CLI_BARE,
	.run = run_one_call,
};

const struct cli_command cli_vm_suspend = {
	.noun = "vm",
	.verb = "suspend",
	.names = "pause",
	.arguments = "MACHINE...",
	.summary = "Stop the CPUs of machines; memory stays",
	.what = { CLI_RUNNING },
	.min = 1,
	.max = CLI_ANY_NUMBER,
	.flags = CLI_WRITES | CLI_BARE,
	.run = run_one_call,
};

const struct cli_command cli_vm_resume = {
	.noun = "vm",
	.verb = "resume",
	.arguments = "MACHINE...",
	.summary = "Let the CPUs of paused machines run again",
	.what = { CLI_RUNNING },
	.min = 1,
	.max = CLI_ANY_NUMBER,
	.flags = CLI_WRITES | CLI_BARE,
	.run = run_one_call,
};

const struct cli_command cli_vm_save = {
	.noun = "vm",
	.verb = "save",
	.names = "managedsave",
	.arguments = "MACHINE...",
	.summary = "Write machines to disk, so that their next start goes on from there",
	.what = { CLI_RUNNING },
	.min = 1,
	.max = CLI_ANY_NUMBER,
	.flags = CLI_WRITES | CLI_BARE,
	.run = run_one_call,
};

const struct cli_command cli_vm_save_remove = {
	.noun = "vm",
	.verb = "save-remove",
	.names = "managedsave-remove",
	.arguments = "MACHINE...",
	.summary = "Throw away what 'save' has written",
	.what = { CLI_STOPPED },
	.min = 1,
	.max = CLI_ANY_NUMBER,
	.flags = CLI_WRITES | CLI_BARE,
	.run = run_one_call,
};

const struct cli_command cli_vm_nmi = {
	.noun = "vm",
	.verb = "nmi",
	.names = "inject-nmi",
	.arguments = "MACHINE...",
	.summary = "Send machines a non-maskable interrupt",
	.what = { CLI_RUNNING },
	.min = 1,
	.max = CLI_ANY_NUMBER,
	.flags = CLI_WRITES | CLI_BARE,
	.run = run_one_call,
};
