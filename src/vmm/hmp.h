/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hmp.h - the human monitor: a few commands for the person at the terminal
 *
 * Threads: main loop.
 */
#ifndef VMM_HMP_H
#define VMM_HMP_H

struct vmm;

/* Do what @line says; the answer, empty or whole lines, for g_free(). */
char *hmp_execute(struct vmm *vmm, const char *line);

#endif
