/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * input.h - who presses keys and moves the mouse: QMP's send-key and input-send-event
 *
 * Threads: main loop.
 */
#ifndef VMM_INPUT_H
#define VMM_INPUT_H

struct input;
struct vmm;

struct input *input_new(struct vmm *vmm);
/* NULL is fine. Keys that are held stay so: the machine is at its end. */
void input_free(struct input *input);
/* The mouse moves, its buttons (I8042_LEFT ...) are as they are. */
void input_move(struct input *input, int dx, int dy, int dz, unsigned buttons);

#endif
