/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vmm-int.h - struct vmm, for the monitors
 */
#ifndef VMM_VMM_INT_H
#define VMM_VMM_INT_H

#include <glib.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "vmm/device-spec.h"
#include "vmm/vmm.h"

struct boot;
struct cpu_ops;
struct dev_timer;
struct event_limit;
struct fds;
struct firmware;
struct input;
struct io_loop;
struct machine;
struct pidfile;
struct qmp_server;
struct screen;
struct vmm_dump;

struct vmm {
	const struct options *options;
	const struct cpu_ops *engine;
	struct boot *boot;         /* either this */
	struct firmware *firmware; /* or this */
	struct firmware *vga_bios; /* with firmware and a screen */
	/* What devices have on the host, and they themselves; backends.h, devices.h. */
	GPtrArray *nodes, *netdevs, *chars, *devices;
	GPtrArray *jobs;             /* struct vmm_job; jobs.h */
	struct io_loop *shared_loop; /* of devices without a loop of their own; or NULL */
	enum watchdog_action watchdog;
	bool io_error;         /* a disk has stopped the machine */
	bool stopping;         /* STOP is told when the devices are quiet */
	GPtrArray *lookups;    /* networks whose hosts are looked up; commands-netdev.c */
	GPtrArray *pictures;   /* that are being written; screendump.c */
	GPtrArray *stops;      /* struct qmp_request that are answered then */
	struct vmm_dump *dump; /* the last one, or the one that goes on; NULL: none */
	atomic_uint panics;    /* PVPANIC_ bits that the main loop has not heard of */
	struct dev_timer *panic_timer;
	guint threshold_timer; /* while there is a node with one */
	struct event_limit *watchdog_events, *crash_events;
	unsigned winch; /* source of SIGWINCH, 0: none */
	struct machine *machine;
	struct input *input;
	struct fds *fds;            /* that the monitor's client has sent */
	struct screen *screen;      /* NULL: there is none */
	struct qmp_server *monitor; /* NULL: nobody asked for one */
	struct pidfile *pidfile;
	GMainLoop *loop;
	/* How it ended: */
	bool ended, stuck; /* stuck: a device has I/O that does not end */
	int status;
	bool by_guest;
	const char *reason; /* QEMU's ShutdownCause */
	char *report;
};

/* What both monitors can do. All do nothing if things are so already. */
/* The vCPUs stop at once, devices when their requests have ended: then stopping is false again. */
void vmm_stop(struct vmm *vmm);
void vmm_cont(struct vmm *vmm);
bool vmm_reset(struct vmm *vmm, GError **error);
void vmm_power_button(struct vmm *vmm);

/* End with this status, as soon as the main loop has its turn. The first call counts. */
void vmm_end(struct vmm *vmm, int status, bool by_guest, const char *reason);

/* QEMU's RunState. */
const char *vmm_run_state(const struct vmm *vmm);

#endif
