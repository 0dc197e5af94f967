/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pci.c - configuration space by ECAM and by ports, BARs, MSI-X
 */
#include "virtio.h"

enum {
	COMMAND = 0x04,
	BAR0 = 0x10,
	CAPABILITIES = 0x34,
	CAP_MSIX = 0x11,
	MEMORY = 2,
};

static u64 config_addr(unsigned slot, unsigned off)
{
	return 0xe0000000ul + (slot << 15) + off;
}

u32 pci_read(unsigned slot, unsigned off, unsigned size)
{
	u64 addr = config_addr(slot, off);

	return size == 1 ? read8(addr) : size == 2 ? read16(addr) : read32(addr);
}

void pci_write(unsigned slot, unsigned off, unsigned size, u32 v)
{
	u64 addr = config_addr(slot, off);

	if (size == 1)
		write8(addr, (u8)v);
	else if (size == 2)
		write16(addr, (u16)v);
	else
		write32(addr, v);
}

u32 pci_read_ports(unsigned slot, unsigned off)
{
	outl(0xcf8, 0x80000000 | slot << 11 | off);
	return inl(0xcfc);
}

u64 pci_bar(unsigned slot, unsigned bar)
{
	u32 low = pci_read(slot, BAR0 + 4 * bar, 4);
	u64 addr = low & ~15u;

	if ((low & 6) == 4)
		addr |= (u64)pci_read(slot, BAR0 + 4 * bar + 4, 4) << 32;
	return addr;
}

/* A 64-bit BAR, decoding off meanwhile. */
void pci_move_bar(unsigned slot, unsigned bar, u64 addr)
{
	u32 command = pci_read(slot, COMMAND, 2);

	pci_write(slot, COMMAND, 2, command & ~(u32)MEMORY);
	pci_write(slot, BAR0 + 4 * bar, 4, (u32)addr);
	pci_write(slot, BAR0 + 4 * bar + 4, 4, (u32)(addr >> 32));
	pci_write(slot, COMMAND, 2, command);
}

unsigned pci_next_capability(unsigned slot, unsigned cap, u8 id)
{
	for (int i = 0; i < 48; i++) {
		cap = pci_read(slot, cap ? cap + 1 : CAPABILITIES, 1) & ~3u;
		if (!cap || pci_read(slot, cap, 1) == id)
			return cap;
	}
	return 0;
}

void pci_msix(struct device *d, unsigned entry, unsigned vector, unsigned cpu)
{
	unsigned cap = pci_next_capability(d->slot, 0, CAP_MSIX);
	u64 at = d->table + (u64)entry * 16;

	write32(at, 0xfee00000 | cpu << 12);
	write32(at + 4, 0);
	write32(at + 8, vector);
	write32(at + 12, 0);
	pci_write(d->slot, cap + 2, 2, 0x8000);
}

void pci_msix_mask(struct device *d, unsigned entry, int on)
{
	write32(d->table + (u64)entry * 16 + 12, (u32)on);
}

void pci_msix_mask_all(struct device *d, int on)
{
	pci_write(d->slot, pci_next_capability(d->slot, 0, CAP_MSIX) + 2, 2, on ? 0xc000 : 0x8000);
}

int pci_msix_pending(struct device *d, unsigned entry)
{
	return read32(d->pending + entry / 32 * 4) >> entry % 32 & 1;
}

static u64 high[4][512] __attribute__((aligned(4096)));
static unsigned high_count;

void map_registers(u64 addr)
{
	u64 gib = addr >> 30;

	if (pdpt[gib] & 1 || high_count == 4)
		return;
	for (unsigned i = 0; i < 512; i++)
		high[high_count][i] = gib << 30 | (u64)i << 21 | 0x87;
	pdpt[gib] = (u64)high[high_count++] | 7;
	WRITE_CR(3, READ_CR(3));
}
