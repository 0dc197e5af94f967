/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * backends.h - what devices have on the host: images by node name, networks by id, streams by label
 *
 * Each serves one device at a time. What --disk and --net made for a device goes with it; what the
 * monitor made stays until the monitor takes it away.
 *
 * Threads: main loop.
 */
#ifndef VMM_BACKENDS_H
#define VMM_BACKENDS_H

#include <glib.h>
#include <stdbool.h>

#include "vmm/device-spec.h"

struct chardev;
struct vmm;
struct console_ops;

struct vmm_job;

/* An image. It has a block, or stands in the chain of another one that has; or there is nothing left
 * of it but its name, as it was merged into another one. */
struct vmm_node {
	char *name;
	struct block *block;    /* or NULL */
	struct vmm_node *front; /* in whose chain it is, or NULL */
	struct node_spec spec;  /* the flags that it was opened with; its strings are gone */
	bool shrinking;         /* its disk was told, and its requests come to their end */
	bool changing;          /* it is about to get another block */
	struct vmm_job *job;    /* or NULL */
	bool implicit;          /* goes with its device, or with who has it in its chain */
	char *user;             /* id of the device that has it, or NULL */
	uint64_t threshold;     /* of writes into its file that are told of; 0: none */
};

struct vmm_netdev {
	char *id;
	struct net_backend *net; /* NULL: no cable */
	bool is_user;            /* user mode: forwards can be changed */
	bool implicit;
	char *user;
};

struct vmm_char {
	char *label, *name; /* "serial0", "pty:/dev/pts/3" */
	struct chardev *chr;
};

void backends_init(struct vmm *vmm);
/* Closes images and networks; no device uses them. Streams have no part in this: vmm.c. */
void backends_release(struct vmm *vmm);

struct vmm_node *node_add(struct vmm *vmm, const struct node_spec *spec, bool implicit,
			  GError **error);
/* NULL: @error says that there is none. */
struct vmm_node *node_find(struct vmm *vmm, const char *name, GError **error);
/* Without @error. */
struct vmm_node *node_lookup(struct vmm *vmm, const char *name);
bool node_remove(struct vmm *vmm, const char *name, GError **error);
/* Close it, and forget those that stand in its chain. */
void node_drop(struct vmm *vmm, struct vmm_node *node);
/* A node without a block; @name is taken over. */
struct vmm_node *node_new(struct vmm *vmm, char *name, bool implicit);

struct vmm_netdev *netdev_add(struct vmm *vmm, const struct netdev_spec *spec, bool implicit,
			      GError **error);
struct vmm_netdev *netdev_find(struct vmm *vmm, const char *id, GError **error);
bool netdev_remove(struct vmm *vmm, const char *id, GError **error);

/* It is no device's any more; goes if it is implicit. */
void node_unused(struct vmm *vmm, struct vmm_node *node);
/* The device @id is gone: what it used is free, or goes too. */
void backends_unused(struct vmm *vmm, const char *id);

/* A stream under a label. */
struct vmm_char *char_add(struct vmm *vmm, const char *label, const struct char_spec *spec,
			  const struct console_ops *ops, GError **error);
struct vmm_char *char_find(struct vmm *vmm, const char *label);

#endif
