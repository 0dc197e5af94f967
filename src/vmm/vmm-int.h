/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vmm-int.h - struct vmm, for the monitors
 */
#ifndef VMM_VMM_INT_H
#define VMM_VMM_INT_H

#include <glib.h>
#include <stdbool.h>

#include "vmm/vmm.h"

struct boot;
struct chardev;
struct cpu_ops;
struct machine;
struct pidfile;
struct qmp_server;

struct vmm {
	const struct options *options;
	const struct cpu_ops *engine;
	struct boot *boot;
	struct chardev *serial;
	char *serial_name; /* for query-chardev */
	struct machine *machine;
	struct qmp_server *monitor; /* NULL: nobody asked for one */
	struct pidfile *pidfile;
	GMainLoop *loop;
	/* How it ended: */
	bool ended;
	int status;
	bool by_guest;
	const char *reason; /* QEMU's ShutdownCause */
	char *report;
};

/* What both monitors can do. All do nothing if things are so already. */
void vmm_stop(struct vmm *vmm);
void vmm_cont(struct vmm *vmm);
bool vmm_reset(struct vmm *vmm, GError **error);
void vmm_power_button(struct vmm *vmm);

/* End with this status, as soon as the main loop has its turn. The first call counts. */
void vmm_end(struct vmm *vmm, int status, bool by_guest, const char *reason);

/* QEMU's RunState. */
const char *vmm_run_state(const struct vmm *vmm);

#endif
