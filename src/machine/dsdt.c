/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dsdt.c - the code and the devices in the ACPI table DSDT (ACPI 6.4, chapters 5 and 6)
 *
 *   \_SB.MBRD       ports and memory that nobody else may be given
 *   \_SB.RTC, COM1  chips
 *   \_SB.PCI0       the root bridge: windows, interrupts, hot plug; S01 to S1F are its slots
 *   \_SB.VMxx       virtio devices with registers in memory
 *   \_SB.VGEN       VM generation ID
 *   \_GPE           _E01: PCI slots have changed, _E02: the generation ID has
 *   \_S5            how to switch the machine off
 *
 * Hot plug. Each slot has a device object with _ADR, _SUN and _EJ0, which is what makes it a slot
 * for Linux (acpiphp) and Windows. The event's method asks the register block of acpi-hotplug.h what
 * is new and notifies the slots' objects: 1 device check, 3 eject request. A slot has no _STA: then
 * the guest looks into the configuration space. PCI Express' own hot plug is kept back by _OSC.
 */
#include "machine/dsdt.h"

#include <assert.h>
#include <stdio.h>

#include "bus/pci.h"
#include "dev/acpi-hotplug.h"
#include "dev/acpi-pm.h"
#include "dev/i8042.h"
#include "dev/rtc.h"
#include "dev/serial.h"
#include "machine/aml.h"
#include "virtio/virtio-mmio.h"

enum {
	PCI_CONFIG_PORT = 0xcf8,
	PCI_CONFIG_PORTS = 8,

	NOTIFY_DEVICE_CHECK = 1,
	NOTIFY_EJECT_REQUEST = 3,
	NOTIFY_GENERATION = 0x80,

	/* PCI Firmware 3.2, 4.5: what _OSC grants. Not: native hot plug (0), SHPC (1). */
	OSC_PME = 1 << 2,
	OSC_AER = 1 << 3,
	OSC_EXPRESS = 1 << 4,
	OSC_GRANTED = OSC_PME | OSC_AER | OSC_EXPRESS,
	OSC_REVISION = 1,
	/* Its answers in the first word. */
	OSC_UNKNOWN_UUID = 1 << 2,
	OSC_UNKNOWN_REVISION = 1 << 3,
	OSC_MASKED = 1 << 4,
};

#define OSC_UUID "33db4d5b-1ff7-401c-9657-7441c03dd766" /* PCI host bridge */

static void name_int(struct aml *aml, const char *name, uint64_t value)
{
	aml_name(aml, name);
	aml_int(aml, value);
}

static void name_eisa(struct aml *aml, const char *name, const char *id)
{
	aml_name(aml, name);
	aml_eisa_id(aml, id);
}

static void name_string(struct aml *aml, const char *name, const char *text)
{
	aml_name(aml, name);
	aml_string(aml, text);
}

static void board(struct aml *aml, const struct acpi_config *config)
{
	aml_device_begin(aml, "MBRD");
	name_eisa(aml, "_HID", "PNP0C02");
	name_int(aml, "_UID", 0);
	aml_name(aml, "_CRS");
	aml_resources_begin(aml);
	aml_io(aml, config->pm_base, ACPI_PM_PORTS);
	aml_io(aml, ACPI_PM_RESET_PORT, 1);
	aml_io(aml, config->hotplug_base, ACPI_HOTPLUG_PORTS);
	aml_memory(aml, config->ecam, ACPI_ECAM_LEN);
	aml_resources_end(aml);
	aml_end(aml);
}

static void chip(struct aml *aml, const char *name, const char *hid, uint16_t port, uint8_t ports,
		 unsigned irq)
{
	aml_device_begin(aml, name);
	name_eisa(aml, "_HID", hid);
	name_int(aml, "_UID", 1);
	name_int(aml, "_STA", 0x0f);
	aml_name(aml, "_CRS");
	aml_resources_begin(aml);
	aml_io(aml, port, ports);
	aml_irq(aml, irq);
	aml_resources_end(aml);
	aml_end(aml);
}

static void keyboard(struct aml *aml, const struct acpi_config *config)
{
	aml_device_begin(aml, "KBD");
	name_eisa(aml, "_HID", "PNP0303");
	name_int(aml, "_STA", 0x0f);
	aml_name(aml, "_CRS");
	aml_resources_begin(aml);
	aml_io(aml, I8042_DATA, 1);
	aml_io(aml, I8042_COMMAND, 1);
	aml_irq(aml, config->keyboard_irq);
	aml_resources_end(aml);
	aml_end(aml);
	aml_device_begin(aml, "MOU");
	name_eisa(aml, "_HID", "PNP0F13");
	name_int(aml, "_STA", 0x0f);
	aml_name(aml, "_CRS");
	aml_resources_begin(aml);
	aml_irq(aml, config->mouse_irq);
	aml_resources_end(aml);
	aml_end(aml);
}

/* ---- the PCI root bridge ---- */

static void pci_windows(struct aml *aml, const struct acpi_config *config)
{
	aml_name(aml, "_CRS");
	aml_resources_begin(aml);
	aml_window_bus(aml, 0, ACPI_ECAM_LEN / ACPI_ECAM_BUS_LEN - 1);
	aml_io(aml, PCI_CONFIG_PORT, PCI_CONFIG_PORTS);
	aml_window_io(aml, 0, PCI_CONFIG_PORT - 1);
	aml_window_io(aml, PCI_CONFIG_PORT + PCI_CONFIG_PORTS, 0xffff);
	aml_window_memory(aml, config->window32, config->window32_end - 1);
	aml_window_memory(aml, config->window64, config->window64_end - 1);
	aml_resources_end(aml);
}

/* Which interrupt a pin of a slot is: GSIs themselves, no link devices. */
static void pci_routes(struct aml *aml, const struct acpi_config *config)
{
	aml_name(aml, "_PRT");
	aml_package_begin(aml, PCI_SLOTS * PCI_PINS);
	for (unsigned slot = 0; slot < PCI_SLOTS; slot++) {
		for (unsigned pin = 0; pin < PCI_PINS; pin++) {
			aml_package_begin(aml, 4);
			aml_int(aml, (uint64_t)slot << 16 | 0xffff);
			aml_int(aml, pin);
			aml_int(aml, 0);
			aml_int(aml, config->pci_gsi[(slot + pin) % PCI_PINS]);
			aml_end(aml);
		}
	}
	aml_end(aml);
}

/* Set bits of the answer's first word. */
static void osc_answer(struct aml *aml, unsigned bits)
{
	aml_op(aml, AML_OR);
	aml_path(aml, "CDW1");
	aml_int(aml, bits);
	aml_path(aml, "CDW1");
}

static void dword_field(struct aml *aml, unsigned off, const char *name)
{
	aml_op(aml, AML_DWORD_FIELD);
	aml_arg(aml, 3);
	aml_int(aml, off);
	aml_path(aml, name);
}

/* If (left != right), open. */
static void unless_equal_begin(struct aml *aml)
{
	aml_if_begin(aml);
	aml_op(aml, AML_LOGICAL_NOT);
	aml_op(aml, AML_LOGICAL_EQUAL);
}

/* _OSC(UUID, revision, words, buffer): control of features changes hands. */
static void pci_osc(struct aml *aml)
{
	aml_method_begin(aml, "_OSC", 4 | AML_SERIALIZED);
	dword_field(aml, 0, "CDW1");
	aml_if_begin(aml);
	aml_op(aml, AML_LOGICAL_EQUAL);
	aml_arg(aml, 0);
	aml_uuid(aml, OSC_UUID);
	dword_field(aml, 8, "CDW3");
	aml_op(aml, AML_AND);
	aml_path(aml, "CDW3");
	aml_int(aml, OSC_GRANTED);
	aml_local(aml, 0);
	unless_equal_begin(aml);
	aml_arg(aml, 1);
	aml_int(aml, OSC_REVISION);
	osc_answer(aml, OSC_UNKNOWN_REVISION);
	aml_end(aml);
	unless_equal_begin(aml);
	aml_path(aml, "CDW3");
	aml_local(aml, 0);
	osc_answer(aml, OSC_MASKED);
	aml_end(aml);
	aml_op(aml, AML_STORE);
	aml_local(aml, 0);
	aml_path(aml, "CDW3");
	aml_end(aml);
	aml_else_begin(aml);
	osc_answer(aml, OSC_UNKNOWN_UUID);
	aml_end(aml);
	aml_op(aml, AML_RETURN);
	aml_arg(aml, 3);
	aml_end(aml);
}

static void slot_name(char name[8], unsigned slot)
{
	(void)snprintf(name, 8, "S%02X", slot);
}

static void pci_slot(struct aml *aml, unsigned slot)
{
	char name[8];

	slot_name(name, slot);
	aml_device_begin(aml, name);
	name_int(aml, "_ADR", (uint64_t)slot << 16);
	name_int(aml, "_SUN", slot);
	aml_method_begin(aml, "_EJ0", 1);
	aml_op(aml, AML_STORE);
	aml_int(aml, (uint64_t)1 << slot);
	aml_path(aml, "PCEJ");
	aml_end(aml);
	aml_end(aml);
}

/* PCNS(slots, value): notify the slots whose bits are set. */
static void pci_notify_slots(struct aml *aml)
{
	char name[8];

	aml_method_begin(aml, "PCNS", 2);
	for (unsigned slot = 1; slot < PCI_SLOTS; slot++) {
		slot_name(name, slot);
		aml_if_begin(aml);
		aml_op(aml, AML_AND);
		aml_arg(aml, 0);
		aml_int(aml, (uint64_t)1 << slot);
		aml_int(aml, 0); /* no target */
		aml_op(aml, AML_NOTIFY);
		aml_path(aml, name);
		aml_arg(aml, 1);
		aml_end(aml);
	}
	aml_end(aml);
}

static void pci_hotplug(struct aml *aml, const struct acpi_config *config)
{
	aml_port_region(aml, "PCHP", config->hotplug_base, ACPI_HOTPLUG_PORTS);
	/* In the order of the registers. */
	aml_field_begin(aml, "PCHP");
	aml_field_unit(aml, "PCIN");
	aml_field_unit(aml, "PCAS");
	aml_field_unit(aml, "PCEJ");
	aml_end(aml);
	for (unsigned slot = 1; slot < PCI_SLOTS; slot++)
		pci_slot(aml, slot);
	pci_notify_slots(aml);

	aml_method_begin(aml, "PCNT", 0);
	aml_path(aml, "PCNS");
	aml_path(aml, "PCIN");
	aml_int(aml, NOTIFY_DEVICE_CHECK);
	aml_path(aml, "PCNS");
	aml_path(aml, "PCAS");
	aml_int(aml, NOTIFY_EJECT_REQUEST);
	aml_end(aml);
}

static void pci(struct aml *aml, const struct acpi_config *config)
{
	aml_device_begin(aml, "PCI0");
	name_eisa(aml, "_HID", "PNP0A08");
	name_eisa(aml, "_CID", "PNP0A03");
	name_int(aml, "_UID", 0);
	name_int(aml, "_SEG", 0);
	name_int(aml, "_BBN", 0);
	pci_windows(aml, config);
	pci_routes(aml, config);
	pci_osc(aml);
	pci_hotplug(aml, config);
	aml_end(aml);
}

/* ---- devices with registers in memory ---- */

static void virtio_mmio(struct aml *aml, unsigned index, const struct acpi_mmio *mmio)
{
	char name[8];

	(void)snprintf(name, sizeof(name), "VM%02X", index);
	aml_device_begin(aml, name);
	name_string(aml, "_HID", "LNRO0005");
	name_int(aml, "_UID", index);
	name_int(aml, "_CCA", 1);
	aml_name(aml, "_CRS");
	aml_resources_begin(aml);
	aml_memory(aml, mmio->base, VIRTIO_MMIO_LEN);
	aml_gsi(aml, mmio->gsi);
	aml_resources_end(aml);
	aml_end(aml);
}

/* The identifiers are Hyper-V's: Windows knows the first of _CID and _DDN, Linux both of _CID. */
static void generation_id(struct aml *aml, uint64_t addr)
{
	aml_device_begin(aml, "VGEN");
	name_string(aml, "_HID", "SOCL0001");
	aml_name(aml, "_CID");
	aml_package_begin(aml, 2);
	aml_string(aml, "VM_Gen_Counter");
	aml_string(aml, "VMGENCTR");
	aml_end(aml);
	name_string(aml, "_DDN", "VM_Gen_Counter");
	aml_name(aml, "ADDR");
	aml_package_begin(aml, 2);
	aml_int(aml, addr & UINT32_MAX);
	aml_int(aml, addr >> 32);
	aml_end(aml);
	aml_end(aml);
}

/* ---- */

static void events(struct aml *aml, const struct acpi_config *config)
{
	static_assert(ACPI_GPE_PCI == 1 && ACPI_GPE_GENERATION == 2, "the methods' names");
	aml_scope_begin(aml, "\\_GPE");
	aml_method_begin(aml, "_E01", 0);
	aml_path(aml, "\\_SB.PCI0.PCNT");
	aml_end(aml);
	if (config->generation_id) {
		aml_method_begin(aml, "_E02", 0);
		aml_op(aml, AML_NOTIFY);
		aml_path(aml, "\\_SB.VGEN");
		aml_int(aml, NOTIFY_GENERATION);
		aml_end(aml);
	}
	aml_end(aml);
}

void dsdt_write(GByteArray *out, const struct acpi_config *config)
{
	struct aml aml;

	aml_init(&aml, out);
	aml_scope_begin(&aml, "\\_SB");
	board(&aml, config);
	chip(&aml, "RTC", "PNP0B00", RTC_PORT, RTC_PORTS, config->rtc_irq);
	chip(&aml, "COM1", "PNP0501", config->serial_base, SERIAL_PORTS, config->serial_irq);
	if (config->keyboard)
		keyboard(&aml, config);
	pci(&aml, config);
	for (unsigned i = 0; i < config->mmio_count; i++)
		virtio_mmio(&aml, i, &config->mmio[i]);
	if (config->generation_id)
		generation_id(&aml, config->generation_id);
	aml_end(&aml);
	events(&aml, config);

	/* SLP_TYP for PM1a and PM1b, and two reserved. */
	aml_name(&aml, "\\_S5");
	aml_package_begin(&aml, 4);
	aml_int(&aml, ACPI_PM_SLP_TYP_S5);
	aml_int(&aml, 0);
	aml_int(&aml, 0);
	aml_int(&aml, 0);
	aml_end(&aml);
}
