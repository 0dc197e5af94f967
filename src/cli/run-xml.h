/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * run-xml.h - what "socle run" was asked for, and the definition that is made of it
 */
#ifndef CLI_RUN_XML_H
#define CLI_RUN_XML_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

enum {
	RUN_DISKS_MAX = 16,
	RUN_NICS_MAX = 8,
};

enum run_kind {
	RUN_DISK,
	RUN_CDROM,
	RUN_KERNEL,
};

struct run_disk {
	char *path;   /* absolute */
	char *format; /* "raw", "qcow2" ... */
	bool readonly, cdrom;
};

struct run_nic {
	char *type;   /* "user", "bridge", "network" */
	char *source; /* of the latter two */
	char *mac;    /* or NULL */
};

struct run_machine {
	char *name;
	char *uuid;       /* or NULL */
	const char *type; /* "kvm", "qemu", "test" */
	uint64_t memory_kib;
	unsigned cpus;
	char *kernel, *initrd, *append;
	struct run_disk disks[RUN_DISKS_MAX];
	unsigned disk_count;
	struct run_nic nics[RUN_NICS_MAX];
	unsigned nic_count;
	char *linked;  /* the image that its disk refers to, or NULL */
	bool installs; /* it ends where it would start anew, and a CD is booted before a disk */
};

void run_machine_release(struct run_machine *machine);

/**
 * run_kind_of() - what is in a file? It is only read
 * @path:       the file
 * @format:     what the user says, or NULL
 * @ret_kind:   disk, CD, kernel
 * @ret_format: of a disk; a constant, or @format
 * @error:      says what to say if nobody can know
 *
 * A disk that is to be written to is never taken for raw because it looks like nothing else: with a
 * wrong guess a guest could make itself a header, or the host would destroy an image of another format.
 */
bool run_kind_of(const char *path, const char *format, enum run_kind *ret_kind,
		 const char **ret_format, GError **error);

/* "PATH[,format=FORMAT][,readonly]": one more disk. */
bool run_add_disk(struct run_machine *machine, const char *text, GError **error);
/* "none", "user", "bridge=NAME", "network=NAME", each with ",mac=MAC": one more network card. */
bool run_add_nic(struct run_machine *machine, const char *text, GError **error);

/* The definition in XML; g_free() it. */
char *run_xml(const struct run_machine *machine);

#endif
