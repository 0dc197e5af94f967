/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vga-memory.c - the window at 0xa0000: what a byte does to the four planes
 *
 * Reading fetches a byte of all four planes into the latch. Writing mixes what is written, or a
 * colour, with the latch by one of four functions, bit by bit where the bit mask says, into the
 * planes that are selected.
 */
#include "base/bytes.h"
#include "dev/vga-int.h"

enum {
	NONE_READS = 0xff,
	BANK = 64 << 10,

	/* Where the window is, in VGA_GFX_MISC */
	MAP_SHIFT = 2,
	MAP_128K = 0,
	MAP_64K = 1,
	MAP_MONO = 2,
	MAP_COLOUR = 3,
	MONO_OFF = 0x10000,
	COLOUR_OFF = 0x18000,
	TEXT_LEN = 0x8000,

	FUNCTION_SHIFT = 3,
	ROTATE = 7,
};

/* A bit for each plane, as a mask over a byte of each. */
static uint32_t spread(unsigned planes)
{
	uint32_t mask = 0;

	for (unsigned plane = 0; plane < VGA_PLANES; plane++) {
		if (planes >> plane & 1)
			mask |= UINT32_C(0xff) << 8 * plane;
	}
	return mask;
}

static uint32_t repeat(uint8_t value)
{
	return value * UINT32_C(0x01010101);
}

void vga_touch_locked(struct vga *vga, uint32_t off)
{
	uint32_t page = off / VGA_PAGE;

	vga->touched[page / 64] |= UINT64_C(1) << page % 64;
	vga->written[page / 64] |= UINT64_C(1) << page % 64;
	vga->any_touched = true;
}

/* From an offset in the window to an address in the planes; false: nobody is there. */
static bool find(const struct vga *vga, uint32_t off, uint32_t *ret_addr)
{
	static const struct {
		uint32_t off, len;
	} maps[] = {
		[MAP_128K] = { 0, 0x20000 },
		[MAP_64K] = { 0, BANK },
		[MAP_MONO] = { MONO_OFF, TEXT_LEN },
		[MAP_COLOUR] = { COLOUR_OFF, TEXT_LEN },
	};
	unsigned map = vga->gfx[VGA_GFX_MISC] >> MAP_SHIFT & 3;

	if (off < maps[map].off || off - maps[map].off >= maps[map].len)
		return false;
	*ret_addr = off - maps[map].off;
	if (map <= MAP_64K && vga->dispi[VGA_DISPI_ENABLE] & VGA_DISPI_ENABLED)
		*ret_addr += (uint32_t)vga->dispi[VGA_DISPI_BANK] * BANK;
	return true;
}

/* The one byte that is meant, where one is; false: all four planes are. */
static bool find_byte(const struct vga *vga, uint32_t addr, uint32_t *ret_off)
{
	if (vga->seq[VGA_SEQ_MODE] & VGA_SEQ_MODE_CHAIN4)
		*ret_off = addr;
	else if (vga->gfx[VGA_GFX_MODE] & VGA_GFX_MODE_ODD_EVEN)
		*ret_off = (addr & ~1u) * 2 + (vga->gfx[VGA_GFX_READ_PLANE] & 2u) + (addr & 1);
	else
		return false;
	return true;
}

static uint8_t compare(const struct vga *vga)
{
	uint32_t care = spread(vga->gfx[VGA_GFX_CARE]);
	uint32_t differs = (vga->latch ^ spread(vga->gfx[VGA_GFX_COMPARE])) & care;

	return (uint8_t) ~(differs | differs >> 8 | differs >> 16 | differs >> 24);
}

uint8_t vga_window_read_locked(struct vga *vga, uint32_t off)
{
	uint32_t addr, at;

	if (!find(vga, off, &addr))
		return NONE_READS;
	if (find_byte(vga, addr, &at))
		return at < VGA_MEMORY ? vga->memory[at] : NONE_READS;
	if (addr >= VGA_MEMORY / VGA_PLANES)
		return NONE_READS;
	vga->latch = get_le32(vga->memory + (size_t)addr * VGA_PLANES);
	if (vga->gfx[VGA_GFX_MODE] & VGA_GFX_MODE_READ_COMPARE)
		return compare(vga);
	return (uint8_t)(vga->latch >> 8 * vga->gfx[VGA_GFX_READ_PLANE]);
}

static uint8_t rotate(uint8_t value, unsigned by)
{
	return (uint8_t)(value >> by | value << (8 - by));
}

static uint32_t combine(const struct vga *vga, uint32_t value)
{
	switch (vga->gfx[VGA_GFX_FUNCTION] >> FUNCTION_SHIFT & 3) {
	case 1:
		return value & vga->latch;
	case 2:
		return value | vga->latch;
	case 3:
		return value ^ vga->latch;
	default:
		return value;
	}
}

/* What the planes are to become, before the bit mask and the choice of planes. */
static uint32_t mix(const struct vga *vga, uint8_t value, uint32_t *bits)
{
	const uint8_t *gfx = vga->gfx;
	uint32_t set = spread(gfx[VGA_GFX_SET]), on = spread(gfx[VGA_GFX_SET_ON]);
	uint8_t rotated = rotate(value, gfx[VGA_GFX_FUNCTION] & ROTATE);

	switch (gfx[VGA_GFX_MODE] & 3) {
	case 0:
		return combine(vga, (repeat(rotated) & ~on) | (set & on));
	case 1:
		*bits = UINT32_MAX;
		return vga->latch;
	case 2:
		return combine(vga, spread(value & 0x0f));
	default:
		*bits &= repeat(rotated);
		return combine(vga, set);
	}
}

static void write_planes_locked(struct vga *vga, uint32_t addr, uint8_t value)
{
	uint32_t bits = repeat(vga->gfx[VGA_GFX_BITS]), planes = spread(vga->seq[VGA_SEQ_PLANES]);
	uint32_t mixed = mix(vga, value, &bits);
	uint8_t *p = vga->memory + (size_t)addr * VGA_PLANES;

	mixed = (mixed & bits) | (vga->latch & ~bits);
	put_le32(p, (mixed & planes) | (get_le32(p) & ~planes));
	vga_touch_locked(vga, addr * VGA_PLANES);
}

void vga_window_write_locked(struct vga *vga, uint32_t off, uint8_t value)
{
	uint32_t addr, at;

	if (!find(vga, off, &addr))
		return;
	if (!find_byte(vga, addr, &at)) {
		if (addr < VGA_MEMORY / VGA_PLANES)
			write_planes_locked(vga, addr, value);
	} else if (at < VGA_MEMORY && vga->seq[VGA_SEQ_PLANES] >> at % VGA_PLANES & 1) {
		vga->memory[at] = value;
		vga_touch_locked(vga, at);
	}
}
