/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * main.c - socle-vm: one virtual machine
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/terminal.h"
#include "emu/emu.h"
#include "kvm/kvm.h"
#include "vmm/daemonize.h"
#include "vmm/engine.h"
#include "vmm/exit-file.h"
#include "vmm/options.h"
#include "vmm/vmm.h"

static int fail(const GError *error)
{
	(void)fprintf(stderr, "socle-vm: %s\n", error->message);
	return VMM_EXIT_ERROR;
}

/* Print @text, for g_free(); a full disk behind stdout is an error too. */
static int print(char *text)
{
	bool ok = fputs(text, stdout) >= 0 && fflush(stdout) == 0;

	g_free(text);
	if (!ok)
		(void)fputs("socle-vm: cannot write to stdout\n", stderr);
	return ok ? VMM_EXIT_OK : VMM_EXIT_ERROR;
}

/* It has not come to be a machine. Whoever was not there when that was said reads it in the file. */
static int fail_start(const struct options *options, const GError *error)
{
	g_autoptr(GError) local = NULL;

	/* The last sentence is the one that counts. */
	if (options->exit_file && !exit_file_write(options->exit_file, VMM_EXIT_ERROR,
						   "start-failed", error->message, &local))
		(void)fail(local);
	return fail(error);
}

static int run(const struct options *options)
{
	struct daemonize background = { .fd = -1 };
	g_autoptr(GError) error = NULL;
	g_autofree char *report = NULL;
	autoptr(vmm) vmm = NULL;
	int status;

	if (options->daemonize && !daemonize_fork(&background, &error))
		return fail(error);
	if (background.parent)
		return background.status;
	vmm = vmm_new(options, &error);
	if (!vmm || !vmm_start(vmm, &error) ||
	    (options->daemonize && !daemonize_ready(&background, &error))) {
		/* The terminal first: the sentence is for people. */
		g_clear_pointer(&vmm, vmm_free);
		return fail_start(options, error);
	}
	status = vmm_run(vmm, &report);
	if (options->exit_file &&
	    !exit_file_write(options->exit_file, status, vmm_reason(vmm), report, &error))
		(void)fail(error);
	g_clear_pointer(&vmm, vmm_free);
	if (report)
		(void)fprintf(stderr, "socle-vm: %s\n", report);
	return status;
}

int main(int argc, char **argv)
{
	g_autoptr(GError) error = NULL;
	struct options options;
	int status = VMM_EXIT_OK;

	log_set_program("socle-vm");
	if (atexit(terminal_restore) || !options_parse(&options, argc, argv, &error))
		return error ? fail(error) : VMM_EXIT_ERROR;
	log_set_level(options.log);
	switch (options.action) {
	case OPTIONS_HELP:
		status = print(options_help());
		break;
	case OPTIONS_MAN:
		status = print(options_man());
		break;
	case OPTIONS_VERSION:
		status = print(g_strdup("socle-vm " SOCLE_VERSION "\n"));
		break;
	case OPTIONS_ENGINES:
		status = print(engine_list(
			(const struct cpu_ops *const[]){ &kvm_cpu_ops, &emu_cpu_ops, NULL }));
		break;
	case OPTIONS_RUN:
		status = run(&options);
		break;
	}
	options_release(&options);
	return status;
}
