/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * emu.h - the software engine: x86-64 interpreted over cached decoded blocks
 */
#ifndef EMU_EMU_H
#define EMU_EMU_H

#include "cpu/cpu.h"

extern const struct cpu_ops emu_cpu_ops;

#endif
