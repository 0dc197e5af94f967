/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fw-cfg.h - firmware configuration: what the machine tells its firmware, by key and as files
 *
 * QEMU's interface: docs/specs/fw_cfg.rst there. A selector at port 0x510, bytes at port 0x511, and
 * the address of a transfer's descriptor at ports 0x514 and 0x518. Firmware reads; what it would
 * write is refused.
 *
 * Threads: made, reset, filled and freed on the main loop; the ports are used by any vCPU.
 */
#ifndef DEV_FW_CFG_H
#define DEV_FW_CFG_H

#include <glib.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"

struct fw_cfg;
struct io_space;
struct mem;

enum {
	FW_CFG_PORT = 0x510,
	FW_CFG_DMA_PORT = 0x514,

	FW_CFG_SIGNATURE = 0x00,
	FW_CFG_ID = 0x01,
	FW_CFG_UUID = 0x02,
	FW_CFG_RAM_SIZE = 0x03,
	FW_CFG_CPUS = 0x05,
	FW_CFG_BOOT_MENU = 0x0e,
	FW_CFG_MAX_CPUS = 0x0f,
	FW_CFG_DIRECTORY = 0x19,
	FW_CFG_FILES = 0x20, /* keys of files from here on, by name */

	FW_CFG_NAME_LEN = 56,  /* with the 0 at its end */
	FW_CFG_MAX_FILES = 64, /* of which firmware can know all */
};

/* Both must outlive the device. */
struct fw_cfg *fw_cfg_new(struct io_space *pio, struct mem *mem, GError **error);
void fw_cfg_free(struct fw_cfg *cfg);
DEFINE_AUTOPTR(fw_cfg, fw_cfg_free);
void fw_cfg_reset(struct fw_cfg *cfg);

/* What stands under a key below FW_CFG_FILES, or in a file; copied. What was there is replaced. */
void fw_cfg_set(struct fw_cfg *cfg, uint16_t key, const void *bytes, size_t len);
void fw_cfg_set_file(struct fw_cfg *cfg, const char *name, const void *bytes, size_t len);

#endif
