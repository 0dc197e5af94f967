/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vga-ports.c - the registers of the VGA of 1987
 *
 * Each of four parts has an index register and a data register; the attribute controller has one
 * port for both, in turns. CRT controller, feature and status are at 0x3b0 in monochrome and at
 * 0x3d0 in colour modes, and not in the other place.
 */
#include <string.h>

#include "dev/vga-int.h"

enum {
	ATTRIBUTE = 0x3c0,
	ATTRIBUTE_READ = 0x3c1,
	MISC_WRITE = 0x3c2, /* and reading: input status 0 */
	SEQ_INDEX = 0x3c4,
	SEQ_DATA = 0x3c5,
	DAC_MASK = 0x3c6,
	DAC_READ = 0x3c7, /* reading: state */
	DAC_WRITE = 0x3c8,
	DAC_DATA = 0x3c9,
	FEATURE_READ = 0x3ca,
	MISC_READ = 0x3cc,
	GFX_INDEX = 0x3ce,
	GFX_DATA = 0x3cf,
	CRT_INDEX = 0x3d4, /* of colour modes; 0x20 lower of others */
	CRT_DATA = 0x3d5,
	STATUS = 0x3da, /* and writing: feature */

	COLOUR = 0x3d0,
	COLOUR_END = 0x3e0,
	MONO = 0x3b0,
	MONO_END = 0x3c0,

	MISC_COLOUR = 1 << 0,
	STATUS_BLANK = 1 << 0,
	STATUS_RETRACE = 1 << 3,
	DAC_STATE_READ = 3,
	ATT_INDEX = 0x1f,
	CRT_OVERFLOW_COMPARE = 1 << 4, /* not protected */
	CRT_PROTECTED_END = 8,
};

static const uint8_t seq_mask[VGA_SEQ_COUNT] = { 0x03, 0x3d, 0x0f, 0x3f, 0x0e, 0, 0, 0xff };
static const uint8_t gfx_mask[VGA_GFX_COUNT] = { 0x0f, 0x0f, 0x0f, 0x1f, 0x03,
						 0x7b, 0x0f, 0x0f, 0xff };

/* The port as it is called in colour modes, or 0 if nothing answers. */
static unsigned visible(const struct vga *vga, unsigned port)
{
	bool colour = vga->misc & MISC_COLOUR;

	if (port >= MONO && port < MONO_END)
		return colour ? 0 : port + (COLOUR - MONO);
	if (port >= COLOUR && port < COLOUR_END && !colour)
		return 0;
	return port;
}

/* ---- colours ---- */

static uint8_t read_dac_locked(struct vga *vga)
{
	uint8_t value = vga->dac[vga->dac_read][vga->dac_part];

	if (++vga->dac_part == 3) {
		vga->dac_part = 0;
		vga->dac_read++;
	}
	return value;
}

/* A colour changes when all of it is there. */
static void write_dac_locked(struct vga *vga, uint8_t value)
{
	if (vga->dac_part < 2) {
		vga->dac_pending[vga->dac_part++] = value;
		return;
	}
	memcpy(vga->dac[vga->dac_write], vga->dac_pending, 2);
	vga->dac[vga->dac_write][2] = value;
	vga->dac_part = 0;
	vga->dac_write++;
	vga->stale = true;
}

/* ---- reading ---- */

static uint8_t read_status_locked(struct vga *vga)
{
	vga->att_data = false;
	/* Who waits for a retrace, or for its end, gets it: there is no beam. */
	vga->retrace = !vga->retrace;
	return vga->retrace ? STATUS_BLANK | STATUS_RETRACE : 0;
}

uint8_t vga_port_read_locked(struct vga *vga, unsigned port)
{
	switch (visible(vga, port)) {
	case ATTRIBUTE:
		return vga->att_data ? 0 : vga->att_index;
	case ATTRIBUTE_READ:
		return (vga->att_index & ATT_INDEX) < VGA_ATT_COUNT
			       ? vga->att[vga->att_index & ATT_INDEX]
			       : 0;
	case MISC_WRITE:
		return 0;
	case SEQ_INDEX:
		return vga->seq_index;
	case SEQ_DATA:
		return vga->seq[vga->seq_index];
	case DAC_MASK:
		return vga->dac_mask;
	case DAC_READ:
		return vga->dac_reading ? DAC_STATE_READ : 0;
	case DAC_WRITE:
		return vga->dac_write;
	case DAC_DATA:
		return read_dac_locked(vga);
	case FEATURE_READ:
		return vga->feature;
	case MISC_READ:
		return vga->misc;
	case GFX_INDEX:
		return vga->gfx_index;
	case GFX_DATA:
		return vga->gfx_index < VGA_GFX_COUNT ? vga->gfx[vga->gfx_index] : 0;
	case CRT_INDEX:
		return vga->crt_index;
	case CRT_DATA:
		return vga->crt_index < VGA_CRT_COUNT ? vga->crt[vga->crt_index] : 0;
	case STATUS:
		return read_status_locked(vga);
	default:
		return 0xff;
	}
}

/* ---- writing ---- */

static void write_attribute_locked(struct vga *vga, uint8_t value)
{
	unsigned index = vga->att_index & ATT_INDEX;

	vga->att_data = !vga->att_data;
	if (vga->att_data) {
		vga->stale |= (vga->att_index ^ value) & VGA_ATT_SHOWN;
		vga->att_index = value & (ATT_INDEX | VGA_ATT_SHOWN);
		return;
	}
	if (index < VGA_ATT_MODE)
		value &= 0x3f;
	if (index < VGA_ATT_COUNT)
		vga->att[index] = value;
	vga->stale = true;
}

static void write_crt_locked(struct vga *vga, uint8_t value)
{
	unsigned index = vga->crt_index;

	if (index >= VGA_CRT_COUNT)
		return;
	if (vga->crt[VGA_CRT_PROTECT] & VGA_CRT_PROTECTED && index < CRT_PROTECTED_END) {
		if (index != VGA_CRT_OVERFLOW)
			return;
		value = (uint8_t)((vga->crt[index] & ~CRT_OVERFLOW_COMPARE) |
				  (value & CRT_OVERFLOW_COMPARE));
	}
	vga->stale |= vga->crt[index] != value;
	vga->crt[index] = value;
}

static void write_seq_locked(struct vga *vga, uint8_t value)
{
	value &= seq_mask[vga->seq_index];
	/* What is written where (planes) says nothing about what is shown. */
	vga->stale |= vga->seq_index != VGA_SEQ_PLANES && vga->seq[vga->seq_index] != value;
	vga->seq[vga->seq_index] = value;
}

static void write_gfx_locked(struct vga *vga, uint8_t value)
{
	unsigned index = vga->gfx_index;

	if (index >= VGA_GFX_COUNT)
		return;
	value &= gfx_mask[index];
	vga->stale |= (index == VGA_GFX_MODE || index == VGA_GFX_MISC) && vga->gfx[index] != value;
	vga->gfx[index] = value;
}

void vga_port_write_locked(struct vga *vga, unsigned port, uint8_t value)
{
	switch (visible(vga, port)) {
	case ATTRIBUTE:
		write_attribute_locked(vga, value);
		break;
	case MISC_WRITE:
		vga->misc = value;
		break;
	case SEQ_INDEX:
		vga->seq_index = value & (VGA_SEQ_COUNT - 1);
		break;
	case SEQ_DATA:
		write_seq_locked(vga, value);
		break;
	case DAC_MASK:
		vga->stale |= vga->dac_mask != value;
		vga->dac_mask = value;
		break;
	case DAC_READ:
		vga->dac_read = value;
		vga->dac_part = 0;
		vga->dac_reading = true;
		break;
	case DAC_WRITE:
		vga->dac_write = value;
		vga->dac_part = 0;
		vga->dac_reading = false;
		break;
	case DAC_DATA:
		write_dac_locked(vga, value);
		break;
	case GFX_INDEX:
		vga->gfx_index = value & 0x0f;
		break;
	case GFX_DATA:
		write_gfx_locked(vga, value);
		break;
	case CRT_INDEX:
		vga->crt_index = value;
		break;
	case CRT_DATA:
		write_crt_locked(vga, value);
		break;
	case STATUS:
		vga->feature = value & 3;
		break;
	default:
		break;
	}
}
