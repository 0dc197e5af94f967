/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * firmware.h - firmware as a file: what a PC executes first, instead of a kernel that we load
 *
 * The file is read once, when it is opened; each start of the guest finds it fresh in its memory.
 *
 * Threads: main loop, vCPUs not running.
 */
#ifndef MACHINE_FIRMWARE_H
#define MACHINE_FIRMWARE_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/cleanup.h"

struct firmware;
struct fw_cfg;
struct mem;

/* @name: "bios", which is SeaBIOS as the distribution has it, or a path. */
struct firmware *firmware_open(const char *name, GError **error);
/* The ROM of the VGA, as the distribution has it. */
struct firmware *firmware_open_vga(GError **error);
void firmware_free(struct firmware *firmware);
DEFINE_AUTOPTR(firmware, firmware_free);

/* Bytes, a multiple of 64 KiB. It ends where 4 GiB do. */
uint64_t firmware_size(const struct firmware *firmware);
/* Put it below 4 GiB, and its end below 1 MiB; there is RAM at both places. */
bool firmware_place(const struct firmware *firmware, struct mem *mem, GError **error);
/* Give it to the guest's firmware as a file. */
void firmware_tell_file(const struct firmware *firmware, struct fw_cfg *cfg, const char *name);

#endif
