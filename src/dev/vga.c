/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vga.c - a standard VGA with Bochs' extensions (PCI 1234:1111), as QEMU's -vga std is
 *
 * Sources: IBM VGA as in the "Hardware Level VGA and SVGA Video Programming Information Page"
 * (FreeVGA); Bochs' VBE display interface; docs/specs/standard-vga.rst of QEMU.
 *
 * One memory of 16 MiB is seen in three ways. Linear, by BAR 0. As four planes of 8 bits each by the
 * window at 0xa0000, where plane P of address A is byte 4 * A + P; "odd/even" (text) and "chain 4"
 * (256 colours) are the same bytes under other addresses. By drawing, in vga-draw.c.
 *
 *  vga-ports.c   registers of 1987
 *  vga-memory.c  what the window makes of a byte
 *  vga-dispi.c   larger pictures: Bochs' registers
 *  vga-draw.c    from memory to pixels, when somebody looks
 *
 *  (1) Whoever writes memory marks its page as touched; whoever writes a register that a picture
 *      depends on sets stale. Drawing takes both back. So nothing that is drawn is out of date.
 *  (2) Offsets into the memory are compared with its size where they are made, each time: registers
 *      may say anything.
 *
 * Not here: interrupts at the vertical retrace (nobody uses them), blinking, the pixel panning.
 * Legacy ports and window answer whatever the command register says, as QEMU's do.
 */
#include "dev/vga.h"

#include "base/bytes.h"
#include "dev/vga-int.h"

enum {
	CLASS_VGA = 0x030000,
	REVISION = 2,

	BAR_MEMORY = 0,
	BAR_REGISTERS = 2,
	REGISTERS_LEN = 4096,
	REGISTERS_PORTS = 0x400, /* port 0x3c0 and what follows */
	REGISTERS_PORTS_END = 0x420,
	REGISTERS_DISPI = 0x500,
	REGISTERS_DISPI_END = REGISTERS_DISPI + 2 * VGA_DISPI_COUNT,

	PORTS = 0x3b0,
	PORTS_LEN = 0x30,
	PORTS_COLOUR = 0x3c0,
	WINDOW = 0xa0000,
	WINDOW_LEN = 0x20000,
	DISPI_INDEX = 0x1ce,
	DISPI_DATA = 0x1d0, /* the data once more, at an even address */
	DISPI_WORD = 2,
};

/* ---- the window ---- */

static uint64_t window_read(struct io_range *range, uint64_t off, unsigned size)
{
	struct vga *vga = container_of(range, struct vga, window);
	uint64_t value = 0;

	pthread_mutex_lock(&vga->lock);
	for (unsigned i = 0; i < size; i++)
		value |= (uint64_t)vga_window_read_locked(vga, (uint32_t)off + i) << 8 * i;
	pthread_mutex_unlock(&vga->lock);
	return value;
}

static void window_write(struct io_range *range, uint64_t off, unsigned size, uint64_t value)
{
	struct vga *vga = container_of(range, struct vga, window);

	pthread_mutex_lock(&vga->lock);
	for (unsigned i = 0; i < size; i++)
		vga_window_write_locked(vga, (uint32_t)off + i, (uint8_t)(value >> 8 * i));
	pthread_mutex_unlock(&vga->lock);
}

static const struct io_ops window_ops = { .read = window_read, .write = window_write };

/* ---- the frame buffer ---- */

/* The bus sees to it that [off, off + size) is inside the BAR. */
static uint64_t frame_buffer_read(struct io_range *range, uint64_t off, unsigned size)
{
	struct vga *vga = container_of(range, struct vga, frame_buffer);
	uint8_t bytes[8] = { 0 };

	pthread_mutex_lock(&vga->lock);
	memcpy(bytes, vga->memory + off, size);
	pthread_mutex_unlock(&vga->lock);
	return get_le64(bytes);
}

static void frame_buffer_write(struct io_range *range, uint64_t off, unsigned size, uint64_t value)
{
	struct vga *vga = container_of(range, struct vga, frame_buffer);
	uint8_t bytes[8];

	put_le64(bytes, value);
	pthread_mutex_lock(&vga->lock);
	memcpy(vga->memory + off, bytes, size);
	vga_touch_locked(vga, (uint32_t)off);
	vga_touch_locked(vga, (uint32_t)off + size - 1);
	pthread_mutex_unlock(&vga->lock);
}

static const struct io_ops frame_buffer_ops = {
	.read = frame_buffer_read,
	.write = frame_buffer_write,
};

/* ---- ports ---- */

static uint64_t read_ports_locked(struct vga *vga, unsigned port, unsigned size)
{
	uint64_t value = 0;

	for (unsigned i = 0; i < size; i++)
		value |= (uint64_t)vga_port_read_locked(vga, port + i) << 8 * i;
	return value;
}

/* An index and its value are often written at once, as one word. */
static void write_ports_locked(struct vga *vga, unsigned port, unsigned size, uint64_t value)
{
	for (unsigned i = 0; i < size; i++)
		vga_port_write_locked(vga, port + i, (uint8_t)(value >> 8 * i));
}

static uint64_t ports_read(struct io_range *range, uint64_t off, unsigned size)
{
	struct vga *vga = container_of(range, struct vga, ports);
	uint64_t value;

	pthread_mutex_lock(&vga->lock);
	value = read_ports_locked(vga, PORTS + (unsigned)off, size);
	pthread_mutex_unlock(&vga->lock);
	return value;
}

static void ports_write(struct io_range *range, uint64_t off, unsigned size, uint64_t value)
{
	struct vga *vga = container_of(range, struct vga, ports);

	pthread_mutex_lock(&vga->lock);
	write_ports_locked(vga, PORTS + (unsigned)off, size, value);
	pthread_mutex_unlock(&vga->lock);
}

static const struct io_ops ports_ops = { .read = ports_read, .write = ports_write };

static uint64_t dispi_index_read(struct io_range *range, uint64_t off, unsigned size)
{
	struct vga *vga = container_of(range, struct vga, dispi_index);
	uint64_t value = UINT64_MAX;

	if (size != DISPI_WORD)
		return value;
	pthread_mutex_lock(&vga->lock);
	value = off ? vga_dispi_read_locked(vga, vga->dispi_at) : vga->dispi_at;
	pthread_mutex_unlock(&vga->lock);
	return value;
}

static void dispi_index_write(struct io_range *range, uint64_t off, unsigned size, uint64_t value)
{
	struct vga *vga = container_of(range, struct vga, dispi_index);

	if (size != DISPI_WORD)
		return;
	pthread_mutex_lock(&vga->lock);
	if (off)
		vga_dispi_write_locked(vga, vga->dispi_at, (uint16_t)value);
	else
		vga->dispi_at = (uint16_t)value;
	pthread_mutex_unlock(&vga->lock);
}

static uint64_t dispi_data_read(struct io_range *range, uint64_t off, unsigned size)
{
	struct vga *vga = container_of(range, struct vga, dispi_data);

	(void)off;
	return dispi_index_read(&vga->dispi_index, 1, size);
}

static void dispi_data_write(struct io_range *range, uint64_t off, unsigned size, uint64_t value)
{
	struct vga *vga = container_of(range, struct vga, dispi_data);

	(void)off;
	dispi_index_write(&vga->dispi_index, 1, size, value);
}

static const struct io_ops dispi_index_ops = {
	.read = dispi_index_read,
	.write = dispi_index_write,
};
static const struct io_ops dispi_data_ops = {
	.read = dispi_data_read,
	.write = dispi_data_write,
};

/* ---- both of them in memory: BAR 2 ---- */

static bool in_ports(uint64_t off, unsigned size)
{
	return off >= REGISTERS_PORTS && off + size <= REGISTERS_PORTS_END;
}

static bool in_dispi(uint64_t off, unsigned size)
{
	return off >= REGISTERS_DISPI && off + size <= REGISTERS_DISPI_END && off % 2 == 0 &&
	       size == DISPI_WORD;
}

static uint64_t registers_read(struct io_range *range, uint64_t off, unsigned size)
{
	struct vga *vga = container_of(range, struct vga, registers);
	uint64_t value = 0;

	pthread_mutex_lock(&vga->lock);
	if (in_ports(off, size))
		value = read_ports_locked(vga, PORTS_COLOUR + (unsigned)off - REGISTERS_PORTS,
					  size);
	else if (in_dispi(off, size))
		value = vga_dispi_read_locked(vga, ((unsigned)off - REGISTERS_DISPI) / 2);
	pthread_mutex_unlock(&vga->lock);
	return value;
}

static void registers_write(struct io_range *range, uint64_t off, unsigned size, uint64_t value)
{
	struct vga *vga = container_of(range, struct vga, registers);

	pthread_mutex_lock(&vga->lock);
	if (in_ports(off, size))
		write_ports_locked(vga, PORTS_COLOUR + (unsigned)off - REGISTERS_PORTS, size,
				   value);
	else if (in_dispi(off, size))
		vga_dispi_write_locked(vga, ((unsigned)off - REGISTERS_DISPI) / 2, (uint16_t)value);
	pthread_mutex_unlock(&vga->lock);
}

static const struct io_ops registers_ops = { .read = registers_read, .write = registers_write };

/* ---- life ---- */

/* Pages that nobody wrote cost nothing. */
static void clear_memory_locked(struct vga *vga)
{
	for (unsigned page = 0; page < VGA_PAGES; page++) {
		if (vga->written[page / 64] >> page % 64 & 1)
			memset(vga->memory + (size_t)page * VGA_PAGE, 0, VGA_PAGE);
	}
	memset(vga->written, 0, sizeof(vga->written));
}

static void reset_locked(struct vga *vga)
{
	clear_memory_locked(vga);
	memset(vga->touched, 0, sizeof(vga->touched));
	vga->latch = 0;
	vga->misc = vga->feature = 0;
	vga->seq_index = vga->gfx_index = vga->crt_index = vga->att_index = 0;
	vga->att_data = vga->retrace = false;
	memset(vga->seq, 0, sizeof(vga->seq));
	memset(vga->gfx, 0, sizeof(vga->gfx));
	memset(vga->crt, 0, sizeof(vga->crt));
	memset(vga->att, 0, sizeof(vga->att));
	vga->dac_mask = 0xff;
	vga->dac_read = vga->dac_write = 0;
	vga->dac_reading = false;
	vga->dac_part = 0;
	memset(vga->dac, 0, sizeof(vga->dac));
	vga->dispi_at = 0;
	memset(vga->dispi, 0, sizeof(vga->dispi));
	vga->dispi[VGA_DISPI_ID] = 0xb0c5;
	vga->stale = true;
}

static void vga_reset(struct pci_device *pci)
{
	struct vga *vga = container_of(pci, struct vga, pci);

	pthread_mutex_lock(&vga->lock);
	reset_locked(vga);
	pthread_mutex_unlock(&vga->lock);
}

static void vga_free(struct pci_device *pci)
{
	struct vga *vga = container_of(pci, struct vga, pci);

	if (vga->dispi_data_added)
		io_space_remove(vga->config.pio, &vga->dispi_data);
	if (vga->dispi_index_added)
		io_space_remove(vga->config.pio, &vga->dispi_index);
	if (vga->ports_added)
		io_space_remove(vga->config.pio, &vga->ports);
	if (vga->window_added)
		io_space_remove(vga->config.mmio, &vga->window);
	pci_device_release(pci);
	pthread_mutex_destroy(&vga->lock);
	g_free(vga->memory);
	g_free(vga);
}

static const struct pci_device_ops vga_ops = { .reset = vga_reset, .free = vga_free };

static bool add_legacy(struct vga *vga, GError **error)
{
	struct io_space *pio = vga->config.pio;

	vga->window = (struct io_range){
		.ops = &window_ops, .base = WINDOW, .len = WINDOW_LEN, .name = "vga window"
	};
	vga->ports = (struct io_range){
		.ops = &ports_ops, .base = PORTS, .len = PORTS_LEN, .name = "vga"
	};
	/* Index and data are two bytes each, one byte apart. */
	vga->dispi_index = (struct io_range){ .ops = &dispi_index_ops,
					      .base = DISPI_INDEX,
					      .len = 2,
					      .overhang = 1,
					      .name = "vga dispi" };
	vga->dispi_data = (struct io_range){ .ops = &dispi_data_ops,
					     .base = DISPI_DATA,
					     .len = DISPI_WORD,
					     .name = "vga dispi data" };
	vga->window_added = io_space_add(vga->config.mmio, &vga->window, error);
	vga->ports_added = vga->window_added && io_space_add(pio, &vga->ports, error);
	vga->dispi_index_added = vga->ports_added && io_space_add(pio, &vga->dispi_index, error);
	vga->dispi_data_added =
		vga->dispi_index_added && io_space_add(pio, &vga->dispi_data, error);
	return vga->dispi_data_added;
}

struct pci_device *vga_new(const struct vga_config *config, GError **error)
{
	static const struct pci_ids ids = {
		.vendor = VGA_VENDOR,
		.device = VGA_DEVICE,
		.subsystem_vendor = 0x1af4,
		.subsystem = 0x1100,
		.class_code = CLASS_VGA,
		.revision = REVISION,
	};
	struct vga *vga = g_new0(struct vga, 1);

	vga->config = *config;
	pthread_mutex_init(&vga->lock, NULL);
	vga->memory = g_malloc0(VGA_MEMORY);
	reset_locked(vga);
	vga->frame_buffer = (struct io_range){ .ops = &frame_buffer_ops, .name = "vga memory" };
	vga->registers = (struct io_range){ .ops = &registers_ops, .name = "vga registers" };
	pci_device_init(&vga->pci, &vga_ops, &ids);
	pci_add_bar(&vga->pci, BAR_MEMORY, VGA_MEMORY, PCI_BAR_PREFETCH, &vga->frame_buffer);
	pci_add_bar(&vga->pci, BAR_REGISTERS, REGISTERS_LEN, 0, &vga->registers);
	if (!add_legacy(vga, error)) {
		vga_free(&vga->pci);
		return NULL;
	}
	return &vga->pci;
}
