/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * commands.h - the QMP commands of socle-vm
 *
 * Threads: main loop.
 */
#ifndef VMM_COMMANDS_H
#define VMM_COMMANDS_H

#include "monitor/qmp.h"

struct vmm;

/* What a QMP session needs to serve this machine. */
struct qmp_config commands_config(struct vmm *vmm);

/* The machine ends: who waits for a name server is told. */
void lookups_end(struct vmm *vmm);
/* The same of pictures that are being written; screendump.c */
void pictures_end(struct vmm *vmm);

#endif
