/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vga-dispi.c - Bochs' display interface: larger pictures, by 11 registers of 16 bits
 *
 *  (1) While it is enabled, width, height and depth are possible ones, and one row of virtual width
 *      fits into the memory. What does not fit is cut when it is written.
 */
#include <string.h>

#include "base/cleanup.h"
#include "dev/vga-int.h"
#include "display/surface.h"

enum {
	MAX_WIDTH = 2560,
	MAX_HEIGHT = 1600,
	MAX_DEPTH = 32,
	MAX_VIRT_WIDTH = 8192,
	FIRST_ID = 0xb0c0,
	LAST_ID = 0xb0c5,
	BANK = 64 << 10,
};

static uint32_t pitch(unsigned width, unsigned depth)
{
	/* Of planes: four bytes have eight pixels. */
	return depth == 4 ? (uint32_t)width / 2 : (uint32_t)width * ((depth + 7) / 8);
}

uint32_t vga_dispi_pitch(const struct vga *vga)
{
	return pitch(vga->dispi[VGA_DISPI_VIRT_WIDTH], vga->dispi[VGA_DISPI_DEPTH]);
}

uint16_t vga_dispi_read_locked(const struct vga *vga, unsigned reg)
{
	if (reg >= VGA_DISPI_COUNT)
		return 0;
	if (reg == VGA_DISPI_MEMORY)
		return VGA_MEMORY / BANK;
	if (vga->dispi[VGA_DISPI_ENABLE] & VGA_DISPI_CAPS) {
		if (reg == VGA_DISPI_WIDTH)
			return MAX_WIDTH;
		if (reg == VGA_DISPI_HEIGHT)
			return MAX_HEIGHT;
		if (reg == VGA_DISPI_DEPTH)
			return MAX_DEPTH;
	}
	return vga->dispi[reg];
}

static void cut_virtual(struct vga *vga)
{
	uint16_t *reg = vga->dispi;
	uint32_t rows;

	reg[VGA_DISPI_VIRT_WIDTH] =
		(uint16_t)(CLAMP(reg[VGA_DISPI_VIRT_WIDTH], reg[VGA_DISPI_WIDTH], MAX_VIRT_WIDTH) &
			   ~7u);
	rows = VGA_MEMORY / vga_dispi_pitch(vga);
	reg[VGA_DISPI_VIRT_HEIGHT] = (uint16_t)MIN(rows, UINT16_MAX);
}

static bool possible_depth(unsigned depth)
{
	return depth == 4 || depth == 8 || depth == 15 || depth == 16 || depth == 24 || depth == 32;
}

/* The old registers, as a driver would set them who uses the window with them. */
static void set_old_registers(struct vga *vga)
{
	bool planes = vga->dispi[VGA_DISPI_DEPTH] == 4;

	vga->gfx[VGA_GFX_MISC] = VGA_GFX_MISC_GRAPHICS | 1 << 2;
	vga->gfx[VGA_GFX_MODE] = planes ? 0 : VGA_GFX_MODE_256;
	vga->seq[VGA_SEQ_MODE] = planes ? 6 : 6 | VGA_SEQ_MODE_CHAIN4;
	vga->seq[VGA_SEQ_PLANES] = 0x0f;
	vga->seq[VGA_SEQ_CLOCK] &= (uint8_t) ~(VGA_SEQ_CLOCK_HALF | VGA_SEQ_CLOCK_OFF);
}

/* The mode as (1) has it. */
static void cut_mode(struct vga *vga)
{
	uint16_t *reg = vga->dispi;

	reg[VGA_DISPI_WIDTH] = (uint16_t)(CLAMP(reg[VGA_DISPI_WIDTH], 8, MAX_WIDTH) & ~7u);
	reg[VGA_DISPI_HEIGHT] = CLAMP(reg[VGA_DISPI_HEIGHT], 1, MAX_HEIGHT);
	if (!possible_depth(reg[VGA_DISPI_DEPTH]))
		reg[VGA_DISPI_DEPTH] = 8;
	reg[VGA_DISPI_VIRT_WIDTH] = reg[VGA_DISPI_WIDTH];
	cut_virtual(vga);
	set_old_registers(vga);
}

static void enable_locked(struct vga *vga, uint16_t value)
{
	uint16_t *reg = vga->dispi;
	bool was_enabled = reg[VGA_DISPI_ENABLE] & VGA_DISPI_ENABLED;

	reg[VGA_DISPI_ENABLE] = value;
	reg[VGA_DISPI_BANK] = 0;
	if (!(value & VGA_DISPI_ENABLED) || was_enabled)
		return;
	reg[VGA_DISPI_X] = reg[VGA_DISPI_Y] = 0;
	cut_mode(vga);
	if (value & VGA_DISPI_KEEP)
		return;
	/* As much as is seen: 16 MiB are not a matter of course. */
	memset(vga->memory, 0, (size_t)vga_dispi_pitch(vga) * reg[VGA_DISPI_HEIGHT]);
}

void vga_dispi_write_locked(struct vga *vga, unsigned reg, uint16_t value)
{
	bool enabled = vga->dispi[VGA_DISPI_ENABLE] & VGA_DISPI_ENABLED;

	switch (reg) {
	case VGA_DISPI_ID:
		if (value >= FIRST_ID && value <= LAST_ID)
			vga->dispi[reg] = value;
		return;
	case VGA_DISPI_WIDTH:
	case VGA_DISPI_HEIGHT:
	case VGA_DISPI_DEPTH:
		vga->dispi[reg] = value;
		if (enabled)
			cut_mode(vga);
		break;
	case VGA_DISPI_ENABLE:
		enable_locked(vga, value);
		break;
	case VGA_DISPI_BANK:
		vga->dispi[reg] = value & (VGA_MEMORY / BANK - 1);
		return;
	case VGA_DISPI_VIRT_WIDTH:
		vga->dispi[reg] = value;
		if (enabled)
			cut_virtual(vga);
		break;
	case VGA_DISPI_X:
	case VGA_DISPI_Y:
		vga->dispi[reg] = value;
		break;
	default:
		return;
	}
	vga->stale = true;
}
