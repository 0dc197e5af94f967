/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * acpi.c - ACPI tables (ACPI 6.4, chapter 5.2)
 *
 * The tables lie one behind the other, each after those it points to except for the RSDP, which
 * is first and filled in last: FACS and DSDT, FADT, MADT and MCFG, XSDT. A table is begun, filled
 * by appending, and closed, which sets its length and checksum.
 *
 * Without firmware there are no 8259s and no PIT, so the MADT has no PCAT_COMPAT; the FADT says whether there is
 * a keyboard controller. Interrupts of ISA devices arrive at the I/O APIC's pin of the same
 * number, the timer's at pin 2.
 */
#include "machine/acpi.h"

#include <assert.h>
#include <string.h>

#include "base/bytes.h"
#include "cpu/ioapic.h"
#include "dev/acpi-pm.h"
#include "dev/rtc.h"
#include "machine/dsdt.h"

#define OEM_ID       "SOCLE "
#define OEM_TABLE_ID "SOCLEPC "
#define CREATOR_ID   "SOCL"

#define LAPIC_BASE 0xfee00000u

enum {
	TABLE_ALIGN = 16,
	HEADER_LEN = 36,
	RSDP_V1_LEN = 20,
	FACS_LEN = 64,
	FADT_LEN = 276,

	FADT_WBINVD = 1 << 0,
	FADT_PROC_C1 = 1 << 2,
	FADT_SLP_BUTTON = 1 << 5, /* no fixed sleep button */
	FADT_FIX_RTC = 1 << 6,    /* no fixed RTC wake-up */
	FADT_TMR_VAL_EXT = 1 << 8,
	FADT_RESET_REG_SUP = 1 << 10,

	BOOT_LEGACY_DEVICES = 1 << 0,
	BOOT_8042 = 1 << 1,
	BOOT_NO_VGA = 1 << 2,

	LATENCY_NO_C2 = 101,
	LATENCY_NO_C3 = 1001,

	GAS_SYSTEM_IO = 1,

	MADT_LAPIC = 0,
	MADT_IOAPIC = 1,
	MADT_OVERRIDE = 2,
	MADT_LAPIC_NMI = 4,
	MADT_X2APIC = 9,
	MADT_X2APIC_NMI = 10,
	MADT_ENABLED = 1,
	MADT_PCAT_COMPAT = 1,
	XAPIC_IDS = 255, /* 255 itself addresses all */

	MPS_ACTIVE_HIGH = 1,
	MPS_LEVEL = 3 << 2,

	LINT1 = 1,
};

struct tables {
	GByteArray *out;
	uint64_t base;
	GArray *links; /* or NULL */
};

/* At @at is a pointer. */
static void note_pointer(struct tables *t, size_t at, unsigned size)
{
	const struct acpi_link link = { .at = (uint32_t)at, .size = (uint8_t)size };

	if (t->links)
		g_array_append_val(t->links, link);
}

static void put(struct tables *t, uint64_t value, unsigned bytes)
{
	uint8_t buf[8];

	put_le64(buf, value);
	g_byte_array_append(t->out, buf, bytes);
}

/* A pointer to another table. */
static void put_pointer(struct tables *t, uint64_t value, unsigned bytes)
{
	note_pointer(t, t->out->len, bytes);
	put(t, value, bytes);
}

static void put_zeros(struct tables *t, size_t len)
{
	size_t old = t->out->len;

	g_byte_array_set_size(t->out, (guint)(old + len));
	memset(t->out->data + old, 0, len);
}

static void put_text(struct tables *t, const char *text)
{
	g_byte_array_append(t->out, (const uint8_t *)text, (guint)strlen(text));
}

static void align(struct tables *t, size_t to)
{
	put_zeros(t, (to - t->out->len % to) % to);
}

/* Make the sum of [off, off + len) zero by the byte at @at. */
static void set_checksum(struct tables *t, size_t off, size_t len, size_t at)
{
	const struct acpi_link link = { .at = (uint32_t)at,
					.start = (uint32_t)off,
					.len = (uint32_t)len };
	uint8_t sum = 0;

	if (t->links)
		g_array_append_val(t->links, link);
	t->out->data[at] = 0;
	for (size_t i = 0; i < len; i++)
		sum = (uint8_t)(sum + t->out->data[off + i]);
	t->out->data[at] = (uint8_t)-sum;
}

/* A table's header; the offset of the table. */
static size_t table_begin(struct tables *t, const char *signature, uint8_t revision)
{
	size_t off;

	align(t, TABLE_ALIGN);
	off = t->out->len;
	put_text(t, signature);
	put(t, 0, 4); /* length */
	put(t, revision, 1);
	put(t, 0, 1); /* checksum */
	put_text(t, OEM_ID);
	put_text(t, OEM_TABLE_ID);
	put(t, 1, 4); /* OEM revision */
	put_text(t, CREATOR_ID);
	put(t, 1, 4); /* creator revision */
	assert(t->out->len == off + HEADER_LEN);
	return off;
}

/* Close the table at @off; its guest-physical address. */
static uint64_t table_end(struct tables *t, size_t off)
{
	size_t len = t->out->len - off;

	put_le32(t->out->data + off + 4, (uint32_t)len);
	set_checksum(t, off, len, off + 9);
	return t->base + off;
}

static uint64_t put_facs(struct tables *t)
{
	size_t off;

	align(t, FACS_LEN);
	off = t->out->len;
	put_text(t, "FACS");
	put(t, FACS_LEN, 4);
	put_zeros(t, 24); /* hardware signature, waking vectors, lock, flags */
	put(t, 2, 1);     /* version */
	put_zeros(t, off + FACS_LEN - t->out->len);
	return t->base + off;
}

static uint64_t put_dsdt(struct tables *t, const struct acpi_config *config)
{
	size_t off = table_begin(t, "DSDT", 2);

	dsdt_write(t->out, config);
	return table_end(t, off);
}

/* Generic address structure for ports, @bytes wide in all, of which @at_once are read together. */
static void put_gas(struct tables *t, uint64_t port, unsigned bytes, unsigned at_once)
{
	static const uint8_t access_size[] = { [1] = 1, [2] = 2, [4] = 3 };

	put(t, GAS_SYSTEM_IO, 1);
	put(t, (uint64_t)bytes * 8, 1);
	put(t, 0, 1); /* bit offset */
	put(t, access_size[at_once], 1);
	put(t, port, 8);
}

static uint64_t put_fadt(struct tables *t, const struct acpi_config *config, uint64_t facs,
			 uint64_t dsdt)
{
	size_t off = table_begin(t, "FACP", 6);
	uint64_t event = (uint64_t)config->pm_base + ACPI_PM_EVENT;
	uint64_t control = (uint64_t)config->pm_base + ACPI_PM_CONTROL;
	uint64_t timer = (uint64_t)config->pm_base + ACPI_PM_TIMER;
	uint64_t gpe = (uint64_t)config->pm_base + ACPI_PM_GPE;

	put_pointer(t, facs, 4);
	put_pointer(t, dsdt, 4);
	put(t, 0, 1); /* reserved */
	put(t, 0, 1); /* preferred profile: unspecified */
	put(t, config->sci, 2);
	put_zeros(t, 4 + 4); /* SMI_CMD and its values: always in ACPI mode */
	put(t, event, 4);
	put(t, 0, 4); /* PM1b event */
	put(t, control, 4);
	put(t, 0, 4); /* PM1b control */
	put(t, 0, 4); /* PM2 control */
	put(t, timer, 4);
	put(t, gpe, 4);
	put(t, 0, 4); /* GPE1 */
	put(t, ACPI_PM_EVENT_LEN, 1);
	put(t, ACPI_PM_CONTROL_LEN, 1);
	put(t, 0, 1); /* PM2 control */
	put(t, ACPI_PM_TIMER_LEN, 1);
	put(t, ACPI_PM_GPE_LEN, 1);
	put_zeros(t, 1 + 1 + 1); /* GPE1, GPE1 base, _CST */
	put(t, LATENCY_NO_C2, 2);
	put(t, LATENCY_NO_C3, 2);
	put_zeros(t, 2 + 2 + 1 + 1); /* flush size and stride, duty offset and width */
	put_zeros(t, 1 + 1);         /* alarm's day and month */
	put(t, RTC_CENTURY, 1);
	put(t,
	    BOOT_LEGACY_DEVICES | (config->vga ? 0 : BOOT_NO_VGA) |
		    (config->keyboard ? BOOT_8042 : 0),
	    2);
	put(t, 0, 1); /* reserved */
	put(t,
	    FADT_WBINVD | FADT_PROC_C1 | FADT_SLP_BUTTON | FADT_FIX_RTC | FADT_TMR_VAL_EXT |
		    FADT_RESET_REG_SUP,
	    4);
	put_gas(t, ACPI_PM_RESET_PORT, 1, 1);
	put(t, ACPI_PM_RESET_VALUE, 1);
	put(t, 0, 2); /* ARM boot flags */
	put(t, 4, 1); /* minor version: 6.4 */
	put(t, 0, 8); /* FACS: told above, may be told once only */
	put_pointer(t, dsdt, 8);
	put_gas(t, event, ACPI_PM_EVENT_LEN, 2);
	put_zeros(t, 12); /* PM1b event */
	put_gas(t, control, ACPI_PM_CONTROL_LEN, 2);
	put_zeros(t, 12 + 12); /* PM1b control, PM2 control */
	put_gas(t, timer, ACPI_PM_TIMER_LEN, 4);
	put_gas(t, gpe, ACPI_PM_GPE_LEN, 1);
	put_zeros(t, 12);      /* GPE1 */
	put_zeros(t, 12 + 12); /* sleep registers of reduced hardware */
	put_zeros(t, 8);       /* hypervisor vendor */
	assert(t->out->len == off + FADT_LEN);
	return table_end(t, off);
}

static void put_madt_cpu(struct tables *t, unsigned id)
{
	if (id < XAPIC_IDS) {
		put(t, MADT_LAPIC, 1);
		put(t, 8, 1);
		put(t, id, 1); /* processor's UID */
		put(t, id, 1);
		put(t, MADT_ENABLED, 4);
	} else {
		put(t, MADT_X2APIC, 1);
		put(t, 16, 1);
		put(t, 0, 2);
		put(t, id, 4);
		put(t, MADT_ENABLED, 4);
		put(t, id, 4); /* processor's UID */
	}
}

static void put_override(struct tables *t, unsigned irq, unsigned gsi, unsigned flags)
{
	put(t, MADT_OVERRIDE, 1);
	put(t, 10, 1);
	put(t, 0, 1); /* ISA */
	put(t, irq, 1);
	put(t, gsi, 4);
	put(t, flags, 2);
}

/* Interrupts that are not as on the ISA bus: edges, at the pin of the same number. */
static void put_overrides(struct tables *t, const struct acpi_config *config)
{
	uint32_t level = 1u << config->sci;

	for (unsigned pin = 0; pin < 4; pin++) {
		if (config->pci_gsi[pin] < 16)
			level |= 1u << config->pci_gsi[pin];
	}
	if (config->pics)
		put_override(t, 0, IOAPIC_TIMER_PIN, 0);
	for (unsigned irq = 1; irq < 16; irq++) {
		if (level >> irq & 1)
			put_override(t, irq, irq, MPS_LEVEL | MPS_ACTIVE_HIGH);
	}
}

static uint64_t put_madt(struct tables *t, const struct acpi_config *config)
{
	size_t off = table_begin(t, "APIC", 5);

	put(t, LAPIC_BASE, 4);
	put(t, config->pics ? MADT_PCAT_COMPAT : 0, 4);
	for (unsigned id = 0; id < config->cpus; id++)
		put_madt_cpu(t, id);

	put(t, MADT_IOAPIC, 1);
	put(t, 12, 1);
	put(t, 0, 1); /* its ID */
	put(t, 0, 1);
	put(t, IOAPIC_BASE, 4);
	put(t, 0, 4); /* first GSI */

	put_overrides(t, config);

	/* NMIs arrive at LINT1 of all processors. */
	put(t, MADT_LAPIC_NMI, 1);
	put(t, 6, 1);
	put(t, 0xff, 1);
	put(t, 0, 2);
	put(t, LINT1, 1);
	if (config->cpus > XAPIC_IDS) {
		put(t, MADT_X2APIC_NMI, 1);
		put(t, 12, 1);
		put(t, 0, 2);
		put(t, 0xffffffff, 4);
		put(t, LINT1, 1);
		put(t, 0, 3);
	}
	return table_end(t, off);
}

static uint64_t put_mcfg(struct tables *t, const struct acpi_config *config)
{
	size_t off = table_begin(t, "MCFG", 1);

	put_zeros(t, 8); /* reserved */
	put(t, config->ecam, 8);
	put(t, 0, 2); /* segment */
	put(t, 0, 1); /* first bus */
	put(t, ACPI_ECAM_LEN / ACPI_ECAM_BUS_LEN - 1, 1);
	put_zeros(t, 4); /* reserved */
	return table_end(t, off);
}

static void fill_rsdp(struct tables *t, uint64_t xsdt)
{
	static const char signature[8] = { 'R', 'S', 'D', ' ', 'P', 'T', 'R', ' ' };
	static const char oem_id[6] = { 'S', 'O', 'C', 'L', 'E', ' ' };
	uint8_t *rsdp = t->out->data;

	memcpy(rsdp, signature, sizeof(signature));
	memcpy(rsdp + 9, oem_id, sizeof(oem_id));
	rsdp[15] = 2; /* revision; the 32-bit RSDT is left out */
	put_le32(rsdp + 20, ACPI_RSDP_LEN);
	put_le64(rsdp + 24, xsdt);
	note_pointer(t, 24, 8);
	set_checksum(t, 0, RSDP_V1_LEN, 8);
	set_checksum(t, 0, ACPI_RSDP_LEN, 32);
}

GByteArray *acpi_build(const struct acpi_config *config, uint64_t base)
{
	struct tables t = { .out = g_byte_array_new(), .base = base, .links = config->links };
	uint64_t facs, dsdt, fadt, madt, mcfg, xsdt;
	size_t off;

	assert(base % FACS_LEN == 0 && base < UINT32_MAX / 2);
	put_zeros(&t, ACPI_RSDP_LEN);
	facs = put_facs(&t);
	dsdt = put_dsdt(&t, config);
	fadt = put_fadt(&t, config, facs, dsdt);
	madt = put_madt(&t, config);
	mcfg = put_mcfg(&t, config);
	off = table_begin(&t, "XSDT", 1);
	put_pointer(&t, fadt, 8);
	put_pointer(&t, madt, 8);
	put_pointer(&t, mcfg, 8);
	xsdt = table_end(&t, off);
	fill_rsdp(&t, xsdt);
	return t.out;
}
