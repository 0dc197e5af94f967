/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vmm.h - one virtual machine as a process: what it is made of, what it answers to, how it ends
 *
 * Threads: main loop.
 */
#ifndef VMM_VMM_H
#define VMM_VMM_H

#include <glib.h>
#include <stdbool.h>

#include "base/cleanup.h"
#include "vmm/options.h"

/* Exit statuses; a debug exit has others. */
enum {
	VMM_EXIT_OK = 0,      /* powered off, or ended by its user */
	VMM_EXIT_ERROR = 1,   /* usage, or something failed */
	VMM_EXIT_CRASHED = 2, /* the guest did */
};

struct vmm;

/* Build it; nothing runs yet. @options is borrowed. From here on signals wait for vmm_run(). */
struct vmm *vmm_new(const struct options *options, GError **error);
/* Tell the monitor's client, restore the terminal, remove our files. NULL is fine. */
void vmm_free(struct vmm *vmm);
DEFINE_AUTOPTR(vmm, vmm_free);

/* Let the guest run, and take the terminal. */
bool vmm_start(struct vmm *vmm, GError **error);

/**
 * vmm_run() - the main loop, until the machine has ended
 * @ret_report: what is to be told on stderr after vmm_free(), or NULL; for g_free()
 *
 * Return: the exit status
 */
int vmm_run(struct vmm *vmm, char **ret_report);

/* Behind that: QEMU's word for what ended it. */
const char *vmm_reason(const struct vmm *vmm);

#endif
