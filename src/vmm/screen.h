/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * screen.h - the machine's screen, for those who look: QMP's screendump
 *
 * Threads: main loop.
 */
#ifndef VMM_SCREEN_H
#define VMM_SCREEN_H

struct screen;
struct vmm;

/* NULL if the machine has none. */
struct screen *screen_new(struct vmm *vmm);
/* NULL is fine. Before the machine is freed. */
void screen_free(struct screen *screen);

#endif
