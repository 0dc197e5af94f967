/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * devices.h - the devices of a machine that the user asked for, from the start or later
 *
 * A struct vmm_device keeps together what belongs to one: the device itself, which is the
 * machine's, its loop, and what it has on the host. It goes when the machine says that the guest
 * has let the device go.
 *
 * Threads: main loop.
 */
#ifndef VMM_DEVICES_H
#define VMM_DEVICES_H

#include <glib.h>
#include <jansson.h>
#include <stdbool.h>

#include "vmm/device-spec.h"

struct event_limit;
struct machine_device;
struct pci_device;
struct virtio_device;
struct vmm;
struct vmm_node;
struct vmm_netdev;

struct vmm_device {
	struct vmm *vmm;
	char *id;
	bool has_id; /* given by the user: it is told in events */
	enum device_kind kind;
	struct virtio_device *virtio; /* NULL: is none */
	struct pci_device *pci;       /* until it is the machine's, if it is no virtio */
	struct io_loop *loop;         /* its own, or NULL */
	struct vmm_node *node;        /* DISK; CDROM: NULL if the drive is empty */
	struct vmm_netdev *netdev;    /* NET; may be NULL */
	unsigned slot;
	unsigned boot_index; /* DISK, CDROM: as in struct device_spec */
	bool mmio;
	bool taken;                    /* the machine has it */
	struct event_limit *io_errors; /* DISK: what was reported or ignored */
	bool io_failed;                /* DISK: a request failed with DISK_ERROR_STOP */
	bool filter_told; /* NET: NIC_RX_FILTER_CHANGED was sent and not answered by a query */
};

void devices_init(struct vmm *vmm);
/* The machine is gone, and with it what it had. */
void devices_release(struct vmm *vmm);

/* Ask name servers for what the command line names; they may take their time. */
bool devices_look_up(struct vmm *vmm, GError **error);
/* Make what the command line asks for. */
bool devices_build(struct vmm *vmm, GError **error);
/* The list for machine_new(); g_free() it. Call devices_taken() when it has succeeded. */
struct machine_device *devices_for_machine(struct vmm *vmm, unsigned *ret_count);
void devices_taken(struct vmm *vmm);

/* Plug one in; @spec's strings are not needed afterwards. */
bool device_plug(struct vmm *vmm, const struct device_spec *spec, GError **error);
/* The machine has freed it. */
void device_gone(struct vmm *vmm, const char *id);

/* By its id; or NULL. */
struct vmm_device *device_find(struct vmm *vmm, const char *id);
/* One of a kind, by its id or else by the name of its node or network, as QEMU's clients say. */
struct vmm_device *device_find_kind(struct vmm *vmm, enum device_kind kind, const char *name);
/* The first of a kind, or NULL. */
struct vmm_device *device_first(struct vmm *vmm, enum device_kind kind);
/* "/machine/peripheral/disk0"; for g_free(). */
char *device_path(const struct vmm_device *device);

/* The machine is paused: timers that watch the guest stand still. */
void devices_pause(struct vmm *vmm);
/* It goes on: they too, and disks that stopped it try again. */
void devices_resume(struct vmm *vmm);

#endif
