/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vga-draw.c - from the VGA's memory to pixels, when somebody looks
 *
 * A row is drawn into a buffer and handed to the surface, which finds out whether it is another one
 * than before. What is not touched is not drawn: pages are looked at for Bochs' modes, and for those
 * of 1987 the first 256 KiB as a whole, in which they and their fonts are.
 *
 * All modes of 1987 take 32 bits, a byte of each plane, for eight pixels: as four bits of each
 * pixel (EGA), as two bits of four pixels twice (CGA), or as four bytes for two pixels each (256
 * colours), or, for text, as character, attribute, and a row of a glyph elsewhere.
 */
#include <string.h>

#include "base/bytes.h"
#include "base/cleanup.h"
#include "dev/vga-int.h"
#include "display/surface.h"

enum {
	DOTS = 8,
	TEXT_COLOURS = 16,
	GLYPH_ROWS = 32, /* room for a glyph */
	FONT_LEN = 8192, /* and for 256 */
	PLANE_FONT = 2,
	LINE_FIRST = 0xc0, /* glyphs whose last column goes on into the ninth */
	LINE_LAST = 0xdf,
};

struct painter {
	const struct vga *vga;
	unsigned width, height;
	bool half;                           /* each pixel is two wide */
	uint32_t start, pitch;               /* in units of 32 bits */
	uint32_t colour[VGA_COLOURS];        /* of the DAC */
	uint32_t plane_colour[TEXT_COLOURS]; /* behind the attribute controller */
	uint32_t *row;
};

/* ---- colours ---- */

static uint32_t expand(const struct vga *vga, uint8_t value)
{
	if (vga->dispi[VGA_DISPI_ENABLE] & VGA_DISPI_8BIT_DAC)
		return value;
	value &= 0x3f;
	return (uint32_t)value << 2 | value >> 4;
}

static void mix_colours(struct painter *painter)
{
	const struct vga *vga = painter->vga;
	uint8_t high = vga->att[VGA_ATT_COLOURS];

	for (unsigned i = 0; i < VGA_COLOURS; i++) {
		const uint8_t *rgb = vga->dac[i & vga->dac_mask];

		painter->colour[i] =
			expand(vga, rgb[0]) << 16 | expand(vga, rgb[1]) << 8 | expand(vga, rgb[2]);
	}
	for (unsigned i = 0; i < TEXT_COLOURS; i++) {
		unsigned index = vga->att[i];

		if (vga->att[VGA_ATT_MODE] & VGA_ATT_MODE_COLOURS)
			index = (high & 0x0fu) << 4 | (index & 0x0f);
		else
			index = (high & 0x0cu) << 4 | (index & 0x3f);
		painter->plane_colour[i] = painter->colour[index];
	}
}

/* ---- what was touched ---- */

static bool touched(const struct vga *vga, uint64_t off, uint64_t len)
{
	for (uint64_t page = off / VGA_PAGE; page <= (off + len - 1) / VGA_PAGE; page++) {
		if (vga->touched[page / 64] >> page % 64 & 1)
			return true;
	}
	return false;
}

/* ---- modes of 1987 ---- */

/* The planes at an address, which may be any. */
static uint32_t planes_at(const struct vga *vga, uint32_t addr)
{
	return get_le32(vga->memory + (size_t)addr * VGA_PLANES % VGA_PLANAR);
}

static void put_planar(const struct painter *painter, uint32_t planes, uint32_t out[DOTS])
{
	uint8_t shown = painter->vga->att[VGA_ATT_PLANES];

	for (unsigned i = 0; i < DOTS; i++) {
		uint32_t bits = planes >> (DOTS - 1 - i);
		unsigned index = (bits & 1) | (bits >> 7 & 2) | (bits >> 14 & 4) | (bits >> 21 & 8);

		out[i] = painter->plane_colour[index & shown & 0x0f];
	}
}

static void put_cga(const struct painter *painter, uint32_t planes, uint32_t out[DOTS])
{
	uint8_t shown = painter->vga->att[VGA_ATT_PLANES];

	for (unsigned i = 0; i < DOTS; i++) {
		unsigned shift = i / 4 * 8 + 6 - 2 * (i % 4);
		unsigned index = (planes >> shift & 3) | (planes >> (shift + 16) & 3) << 2;

		out[i] = painter->plane_colour[index & shown & 0x0f];
	}
}

static void put_256(const struct painter *painter, uint32_t planes, uint32_t out[DOTS])
{
	for (unsigned i = 0; i < DOTS; i++)
		out[i] = painter->colour[planes >> i / 2 * 8 & 0xff];
}

static void draw_planes(struct painter *painter, uint32_t addr)
{
	const struct vga *vga = painter->vga;
	uint8_t mode = vga->gfx[VGA_GFX_MODE];
	uint32_t dots[DOTS], *out = painter->row;
	unsigned wide = painter->half ? 2 : 1;

	for (unsigned x = 0; x < painter->width; x += DOTS * wide) {
		uint32_t planes = planes_at(vga, addr++);

		if (mode & VGA_GFX_MODE_256)
			put_256(painter, planes, dots);
		else if (mode & VGA_GFX_MODE_CGA)
			put_cga(painter, planes, dots);
		else
			put_planar(painter, planes, dots);
		for (unsigned i = 0; i < DOTS * wide; i++)
			*out++ = dots[i / wide];
	}
}

/* Banks of rows, as CGA and Hercules had them: bits of the row number are bits of the address. */
static uint32_t banked(const struct vga *vga, uint32_t addr, unsigned row)
{
	unsigned mode = vga->crt[VGA_CRT_MODE], bit = mode & 1 << 6 ? 13 : 12;

	if (!(mode & VGA_CRT_MODE_BANK2))
		addr = (addr & ~(1u << bit)) | (row & 1) << bit;
	if (!(mode & VGA_CRT_MODE_BANK4))
		addr = (addr & ~(2u << bit)) | (row & 2) << bit;
	return addr;
}

static unsigned line_compare(const struct vga *vga)
{
	return vga->crt[VGA_CRT_COMPARE] | (vga->crt[VGA_CRT_OVERFLOW] & 1u << 4) << 4 |
	       (vga->crt[VGA_CRT_ROW] & 1u << 6) << 3;
}

static void draw_graphics(struct painter *painter, struct surface *surface)
{
	const struct vga *vga = painter->vga;
	uint8_t mode = vga->crt[VGA_CRT_MODE], height = vga->crt[VGA_CRT_ROW];
	unsigned row = 0, bank = ~mode & (VGA_CRT_MODE_BANK2 | VGA_CRT_MODE_BANK4);
	unsigned repeat = bank ? 1 : (height & VGA_CRT_ROW_HEIGHT) + 1u, left;
	uint32_t addr = painter->start;

	if (height & VGA_CRT_ROW_DOUBLE)
		repeat *= 2;
	left = repeat;
	for (unsigned y = 0; y < surface->height; y++) {
		draw_planes(painter, banked(vga, addr, row));
		surface_set_row(surface, y, painter->row);
		if (!--left) {
			if ((row & bank) == bank)
				addr += painter->pitch;
			row++;
			left = repeat;
		}
		if (y == line_compare(vga))
			addr = 0;
	}
}

/* ---- text ---- */

/* Where the glyphs of characters with this bit 3 of the attribute are, as an address: fonts 0 to 3
 * are 16 KiB apart, 4 to 7 between them. */
static uint32_t font_at(const struct vga *vga, bool bright)
{
	unsigned fonts = vga->seq[VGA_SEQ_FONTS];
	uint32_t font =
		bright ? (fonts >> 5 & 1) | (fonts >> 1 & 6) : (fonts >> 4 & 1) | (fonts << 1 & 6);

	return font * FONT_LEN;
}

static uint8_t glyph_row(const struct vga *vga, uint32_t cell, unsigned line)
{
	uint8_t character = (uint8_t)cell, attribute = (uint8_t)(cell >> 8);
	uint32_t font = font_at(vga, attribute & 8);

	return (uint8_t)(planes_at(vga, font + character * (uint32_t)GLYPH_ROWS + line) >>
			 8 * PLANE_FONT);
}

static bool has_cursor(const struct vga *vga, uint32_t addr, unsigned line)
{
	uint8_t start = vga->crt[VGA_CRT_CURSOR_START], end = vga->crt[VGA_CRT_CURSOR_END];
	uint32_t at = (uint32_t)vga->crt[VGA_CRT_CURSOR_HIGH] << 8 | vga->crt[VGA_CRT_CURSOR_LOW];

	return addr == at && !(start & VGA_CRT_CURSOR_OFF) && line >= (start & 0x1fu) &&
	       line <= (end & 0x1fu);
}

/* One row of pixels of one character, @dots of them. */
static uint32_t *put_cell(const struct painter *painter, uint32_t addr, unsigned line,
			  unsigned dots, uint32_t *out)
{
	const struct vga *vga = painter->vga;
	uint32_t cell = planes_at(vga, addr);
	unsigned bits = (unsigned)glyph_row(vga, cell, line) << 1;
	unsigned character = cell & 0xff, fore = cell >> 8 & 0x0f, back = cell >> 12 & 0x0f;

	if (vga->att[VGA_ATT_MODE] & VGA_ATT_MODE_BLINK)
		back &= 7;
	if (vga->att[VGA_ATT_MODE] & VGA_ATT_MODE_LINE && character >= LINE_FIRST &&
	    character <= LINE_LAST)
		bits |= bits >> 1 & 1;
	if (has_cursor(vga, addr, line))
		bits = ~0u;
	for (unsigned i = 0; i < dots; i++)
		*out++ = painter->plane_colour[bits >> (DOTS - i) & 1 ? fore : back];
	return out;
}

static void draw_text(struct painter *painter, struct surface *surface)
{
	const struct vga *vga = painter->vga;
	unsigned rows = (vga->crt[VGA_CRT_ROW] & VGA_CRT_ROW_HEIGHT) + 1u;
	unsigned dots = vga->seq[VGA_SEQ_CLOCK] & VGA_SEQ_CLOCK_8_DOTS ? DOTS : DOTS + 1;
	unsigned wide = painter->half ? 2 : 1, columns = painter->width / (dots * wide);

	for (unsigned y = 0; y < surface->height; y++) {
		uint32_t addr = painter->start + y / rows * painter->pitch;
		uint32_t *end = painter->row;

		for (unsigned i = 0; i < columns; i++)
			end = put_cell(painter, addr + i, y % rows, dots, end);
		for (unsigned x = painter->width; wide > 1 && x-- > 0;)
			painter->row[x] = painter->row[x / wide];
		surface_set_row(surface, y, painter->row);
	}
}

static unsigned old_height(const struct vga *vga)
{
	unsigned overflow = vga->crt[VGA_CRT_OVERFLOW];

	return (vga->crt[VGA_CRT_HEIGHT] | (overflow & 1 << 1) << 7 | (overflow & 1 << 6) << 3) + 1;
}

static void look_old(struct painter *painter)
{
	const struct vga *vga = painter->vga;
	bool graphics = vga->gfx[VGA_GFX_MISC] & VGA_GFX_MISC_GRAPHICS;
	unsigned dots =
		graphics || vga->seq[VGA_SEQ_CLOCK] & VGA_SEQ_CLOCK_8_DOTS ? DOTS : DOTS + 1;

	painter->half = vga->seq[VGA_SEQ_CLOCK] & VGA_SEQ_CLOCK_HALF;
	painter->width = (vga->crt[VGA_CRT_WIDTH] + 1u) * dots * (painter->half ? 2 : 1);
	/* Whole groups of dots. */
	if (painter->width > SURFACE_MAX_WIDTH) {
		painter->half = false;
		painter->width /= 2;
	}
	painter->height = old_height(vga);
	painter->start = (uint32_t)vga->crt[VGA_CRT_START_HIGH] << 8 | vga->crt[VGA_CRT_START_LOW];
	painter->pitch = vga->crt[VGA_CRT_OFFSET] * 2u;
}

/* ---- Bochs' modes ---- */

static uint32_t from_565(uint32_t pixel)
{
	uint32_t r = pixel >> 11 & 0x1f, g = pixel >> 5 & 0x3f, b = pixel & 0x1f;

	return (r << 3 | r >> 2) << 16 | (g << 2 | g >> 4) << 8 | (b << 3 | b >> 2);
}

static uint32_t from_555(uint32_t pixel)
{
	uint32_t r = pixel >> 10 & 0x1f, g = pixel >> 5 & 0x1f, b = pixel & 0x1f;

	return (r << 3 | r >> 2) << 16 | (g << 3 | g >> 2) << 8 | (b << 3 | b >> 2);
}

/* A row of @painter->width pixels, which are inside the memory. */
static void draw_linear(struct painter *painter, const uint8_t *p)
{
	uint32_t *row = painter->row;
	unsigned depth = painter->vga->dispi[VGA_DISPI_DEPTH], bytes = (depth + 7) / 8;

	for (unsigned x = 0; x < painter->width; x++, p += bytes) {
		if (depth == 8)
			row[x] = painter->colour[*p];
		else if (depth == 15)
			row[x] = from_555(get_le16(p));
		else if (depth == 16)
			row[x] = from_565(get_le16(p));
		else if (depth == 24)
			row[x] = get_le16(p) | (uint32_t)p[2] << 16;
		else
			row[x] = get_le32(p) & 0xffffff;
	}
}

static void draw_dispi_row(struct painter *painter, uint64_t off, uint64_t len)
{
	const struct vga *vga = painter->vga;

	if (off + len > VGA_MEMORY) {
		memset(painter->row, 0, painter->width * sizeof(*painter->row));
	} else if (vga->dispi[VGA_DISPI_DEPTH] == 4) {
		for (unsigned x = 0; x < painter->width; x += DOTS)
			put_planar(painter, get_le32(vga->memory + off + x / 2), painter->row + x);
	} else {
		draw_linear(painter, vga->memory + off);
	}
}

static void draw_dispi(struct painter *painter, struct surface *surface, bool all)
{
	const struct vga *vga = painter->vga;
	uint64_t pitch = vga_dispi_pitch(vga);
	unsigned depth = vga->dispi[VGA_DISPI_DEPTH];
	uint64_t shift = vga->dispi[VGA_DISPI_X], len = painter->width;

	/* Planes begin at whole bytes of them. */
	shift = depth == 4 ? shift / DOTS * VGA_PLANES : shift * ((depth + 7) / 8);
	len = depth == 4 ? len / 2 : len * ((depth + 7) / 8);
	for (unsigned y = 0; y < surface->height; y++) {
		uint64_t off = (vga->dispi[VGA_DISPI_Y] + (uint64_t)y) * pitch + shift;

		if (!all && (off + len > VGA_MEMORY || !touched(vga, off, len)))
			continue;
		draw_dispi_row(painter, off, len);
		surface_set_row(surface, y, painter->row);
	}
}

/* ---- */

static void draw_nothing(struct painter *painter, struct surface *surface)
{
	memset(painter->row, 0, surface->width * sizeof(*painter->row));
	for (unsigned y = 0; y < surface->height; y++)
		surface_set_row(surface, y, painter->row);
}

static void draw_locked(struct vga *vga, struct surface *surface)
{
	struct painter painter = { .vga = vga, .row = vga->row };
	bool dispi = vga->dispi[VGA_DISPI_ENABLE] & VGA_DISPI_ENABLED;
	bool graphics = vga->gfx[VGA_GFX_MISC] & VGA_GFX_MISC_GRAPHICS;

	if (!(vga->att_index & VGA_ATT_SHOWN) ||
	    (!dispi && vga->seq[VGA_SEQ_CLOCK] & VGA_SEQ_CLOCK_OFF)) {
		draw_nothing(&painter, surface);
		return;
	}
	if (dispi) {
		painter.width = vga->dispi[VGA_DISPI_WIDTH];
		painter.height = vga->dispi[VGA_DISPI_HEIGHT];
	} else {
		look_old(&painter);
	}
	if (painter.width != surface->width || painter.height != surface->height) {
		surface_resize(surface, painter.width, painter.height);
		vga->stale = true;
	}
	if (!dispi && !vga->stale && !touched(vga, 0, VGA_PLANAR))
		return;
	mix_colours(&painter);
	if (dispi)
		draw_dispi(&painter, surface, vga->stale);
	else if (graphics)
		draw_graphics(&painter, surface);
	else
		draw_text(&painter, surface);
}

void vga_draw(struct pci_device *pci, struct surface *surface)
{
	struct vga *vga = container_of(pci, struct vga, pci);

	pthread_mutex_lock(&vga->lock);
	if (vga->stale || vga->any_touched) {
		pthread_mutex_lock(&surface->lock);
		draw_locked(vga, surface);
		pthread_mutex_unlock(&surface->lock);
		memset(vga->touched, 0, sizeof(vga->touched));
		vga->stale = vga->any_touched = false;
	}
	pthread_mutex_unlock(&vga->lock);
}
