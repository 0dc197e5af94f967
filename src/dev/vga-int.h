/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vga-int.h - what the parts of the VGA share; vga.c has the theory
 */
#ifndef DEV_VGA_INT_H
#define DEV_VGA_INT_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "bus/io.h"
#include "bus/pci.h"
#include "dev/vga.h"
#include "display/surface.h"

#define VGA_MEMORY (16u << 20)
#define VGA_PAGE   4096u
#define VGA_PAGES  (VGA_MEMORY / VGA_PAGE)

enum {
	VGA_PLANES = 4, /* plane P of address A is byte 4 * A + P of the memory */
	VGA_PLANAR = 256 << 10,

	/* Sequencer */
	VGA_SEQ_COUNT = 8,
	VGA_SEQ_CLOCK = 1,
	VGA_SEQ_CLOCK_8_DOTS = 1 << 0,
	VGA_SEQ_CLOCK_HALF = 1 << 3,
	VGA_SEQ_CLOCK_OFF = 1 << 5,
	VGA_SEQ_PLANES = 2,
	VGA_SEQ_FONTS = 3,
	VGA_SEQ_MODE = 4,
	VGA_SEQ_MODE_CHAIN4 = 1 << 3,

	/* Graphics controller */
	VGA_GFX_COUNT = 9,
	VGA_GFX_SET = 0,
	VGA_GFX_SET_ON = 1,
	VGA_GFX_COMPARE = 2,
	VGA_GFX_FUNCTION = 3,
	VGA_GFX_READ_PLANE = 4,
	VGA_GFX_MODE = 5,
	VGA_GFX_MODE_READ_COMPARE = 1 << 3,
	VGA_GFX_MODE_ODD_EVEN = 1 << 4,
	VGA_GFX_MODE_CGA = 1 << 5,
	VGA_GFX_MODE_256 = 1 << 6,
	VGA_GFX_MISC = 6,
	VGA_GFX_MISC_GRAPHICS = 1 << 0,
	VGA_GFX_CARE = 7,
	VGA_GFX_BITS = 8,

	/* CRT controller */
	VGA_CRT_COUNT = 0x19,
	VGA_CRT_WIDTH = 0x01,
	VGA_CRT_OVERFLOW = 0x07,
	VGA_CRT_ROW = 0x09,
	VGA_CRT_ROW_HEIGHT = 0x1f,
	VGA_CRT_ROW_DOUBLE = 1 << 7,
	VGA_CRT_CURSOR_START = 0x0a,
	VGA_CRT_CURSOR_OFF = 1 << 5,
	VGA_CRT_CURSOR_END = 0x0b,
	VGA_CRT_START_HIGH = 0x0c,
	VGA_CRT_START_LOW = 0x0d,
	VGA_CRT_CURSOR_HIGH = 0x0e,
	VGA_CRT_CURSOR_LOW = 0x0f,
	VGA_CRT_PROTECT = 0x11,
	VGA_CRT_PROTECTED = 1 << 7,
	VGA_CRT_HEIGHT = 0x12,
	VGA_CRT_OFFSET = 0x13,
	VGA_CRT_MODE = 0x17,
	VGA_CRT_MODE_BANK2 = 1 << 0, /* clear: address bit 13 is bit 0 of the row */
	VGA_CRT_MODE_BANK4 = 1 << 1,
	VGA_CRT_COMPARE = 0x18,

	/* Attribute controller */
	VGA_ATT_COUNT = 0x15,
	VGA_ATT_MODE = 0x10,
	VGA_ATT_MODE_LINE = 1 << 2,
	VGA_ATT_MODE_BLINK = 1 << 3,
	VGA_ATT_MODE_COLOURS = 1 << 7,
	VGA_ATT_PLANES = 0x12,
	VGA_ATT_COLOURS = 0x14,
	VGA_ATT_SHOWN = 1 << 5, /* in the index */

	VGA_COLOURS = 256,

	/* Bochs' display interface */
	VGA_DISPI_ID = 0,
	VGA_DISPI_WIDTH = 1,
	VGA_DISPI_HEIGHT = 2,
	VGA_DISPI_DEPTH = 3,
	VGA_DISPI_ENABLE = 4,
	VGA_DISPI_ENABLED = 1 << 0,
	VGA_DISPI_CAPS = 1 << 1,
	VGA_DISPI_8BIT_DAC = 1 << 5,
	VGA_DISPI_KEEP = 1 << 7,
	VGA_DISPI_BANK = 5,
	VGA_DISPI_VIRT_WIDTH = 6,
	VGA_DISPI_VIRT_HEIGHT = 7,
	VGA_DISPI_X = 8,
	VGA_DISPI_Y = 9,
	VGA_DISPI_MEMORY = 10, /* in units of 64 KiB */
	VGA_DISPI_COUNT = 11,
};

struct vga {
	struct pci_device pci;
	struct vga_config config;
	struct io_range window, ports, dispi_index, dispi_data, frame_buffer, registers;
	bool window_added, ports_added, dispi_index_added, dispi_data_added;

	pthread_mutex_t lock; /* guards all below */
	uint8_t *memory;
	uint64_t touched[VGA_PAGES / 64]; /* pages written since they were drawn */
	uint64_t written[VGA_PAGES / 64]; /* pages written since a reset; the others are zeroes */
	bool stale;                       /* a register changed: all is to be drawn anew */
	bool any_touched;
	uint32_t latch;

	uint8_t misc, feature;
	uint8_t seq_index, gfx_index, crt_index, att_index;
	bool att_data; /* the next write to the attribute controller is a value */
	uint8_t seq[VGA_SEQ_COUNT], gfx[VGA_GFX_COUNT], crt[VGA_CRT_COUNT], att[VGA_ATT_COUNT];
	bool retrace; /* the input status: changes with each look */

	uint8_t dac_mask, dac_read, dac_write;
	bool dac_reading;
	unsigned dac_part; /* of a colour: 0 red, 1 green, 2 blue */
	uint8_t dac_pending[2];
	uint8_t dac[VGA_COLOURS][3];

	uint16_t dispi_at, dispi[VGA_DISPI_COUNT];

	uint32_t row[SURFACE_MAX_WIDTH]; /* that is being drawn */
};

/* vga-ports.c */
uint8_t vga_port_read_locked(struct vga *vga, unsigned port);
void vga_port_write_locked(struct vga *vga, unsigned port, uint8_t value);

/* vga-memory.c: at an offset from 0xa0000, or in the frame buffer. */
uint8_t vga_window_read_locked(struct vga *vga, uint32_t off);
void vga_window_write_locked(struct vga *vga, uint32_t off, uint8_t value);
void vga_touch_locked(struct vga *vga, uint32_t off);

/* vga-dispi.c */
uint16_t vga_dispi_read_locked(const struct vga *vga, unsigned reg);
void vga_dispi_write_locked(struct vga *vga, unsigned reg, uint16_t value);
/* Bytes from one row to the next; not 0 while it is enabled. */
uint32_t vga_dispi_pitch(const struct vga *vga);

#endif
