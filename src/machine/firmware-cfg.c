/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * firmware-cfg.c - what a machine tells its firmware: memory, ACPI tables, what to boot
 *
 * Names, layouts and meanings are QEMU's and SeaBIOS's (docs/specs/fw_cfg.rst in QEMU,
 * src/romfile_loader.h and docs/Runtime_config.md in SeaBIOS).
 *
 * ACPI tables are made as if they lay at address 0, so that a pointer is the offset of what it
 * points to. A script in the file etc/table-loader lets the firmware find memory for them, add its
 * address to the pointers, and mend the sums.
 */
#include <string.h>

#include "base/bytes.h"
#include "base/error.h"
#include "dev/fw-cfg.h"
#include "machine/acpi.h"
#include "machine/firmware.h"
#include "machine/machine-int.h"
#include "machine/slots.h"

enum {
	E820_ENTRY_LEN = 20,

	/* A command of the script: number, then names of files and numbers. */
	LOADER_LEN = 128,
	LOADER_ALLOCATE = 1,     /* file, alignment, zone */
	LOADER_ADD_POINTER = 2,  /* file that has it, file it points to, offset, size */
	LOADER_ADD_CHECKSUM = 3, /* file, offset of the byte, first byte, length */
	ZONE_HIGH = 1,
	ZONE_BELOW_1M = 2,
	TABLES_ALIGN = 64,
	RSDP_ALIGN = 16,
};

static const char tables_name[] = "etc/acpi/tables";
static const char rsdp_name[] = "etc/acpi/rsdp";

static void set_int(struct fw_cfg *cfg, uint16_t key, uint64_t value, unsigned bytes)
{
	uint8_t buf[8];

	put_le64(buf, value);
	fw_cfg_set(cfg, key, buf, bytes);
}

static void set_int_file(struct fw_cfg *cfg, const char *name, uint64_t value, unsigned bytes)
{
	uint8_t buf[8];

	put_le64(buf, value);
	fw_cfg_set_file(cfg, name, buf, bytes);
}

static void tell_memory(struct machine *machine)
{
	uint8_t table[MEMMAP_MAX_ENTRIES * E820_ENTRY_LEN];
	const struct memmap *map = &machine->map;

	for (unsigned i = 0; i < map->count; i++) {
		uint8_t *entry = table + (size_t)i * E820_ENTRY_LEN;

		put_le64(entry, map->entry[i].addr);
		put_le64(entry + 8, map->entry[i].size);
		put_le32(entry + 16, map->entry[i].type);
	}
	fw_cfg_set_file(machine->fw_cfg, "etc/e820", table, (size_t)map->count * E820_ENTRY_LEN);
}

/* ---- the loader's script ---- */

/* A new command; its bytes, until the next one. */
static uint8_t *command(GByteArray *script, uint32_t number)
{
	guint off = script->len;

	g_byte_array_set_size(script, off + LOADER_LEN);
	memset(script->data + off, 0, LOADER_LEN);
	put_le32(script->data + off, number);
	return script->data + off;
}

static void allocate(GByteArray *script, const char *name, uint32_t align, uint8_t zone)
{
	uint8_t *p = command(script, LOADER_ALLOCATE);

	(void)g_strlcpy((char *)p + 4, name, FW_CFG_NAME_LEN);
	put_le32(p + 60, align);
	p[64] = zone;
}

/* The RSDP stands at the start of the piece that is made, and has a file of its own. */
static const char *file_of(uint32_t off)
{
	return off < ACPI_RSDP_LEN ? rsdp_name : tables_name;
}

static void add_pointer(GByteArray *script, const struct acpi_link *link)
{
	uint8_t *p = command(script, LOADER_ADD_POINTER);

	(void)g_strlcpy((char *)p + 4, file_of(link->at), FW_CFG_NAME_LEN);
	(void)g_strlcpy((char *)p + 60, tables_name, FW_CFG_NAME_LEN);
	put_le32(p + 116, link->at);
	p[120] = link->size;
}

static void add_checksum(GByteArray *script, const struct acpi_link *link)
{
	uint8_t *p = command(script, LOADER_ADD_CHECKSUM);

	(void)g_strlcpy((char *)p + 4, file_of(link->at), FW_CFG_NAME_LEN);
	put_le32(p + 60, link->at);
	put_le32(p + 64, link->start);
	put_le32(p + 68, link->len);
}

static void tell_tables(struct machine *machine, struct acpi_config *config)
{
	g_autoptr(GByteArray) script = g_byte_array_new();
	g_autoptr(GByteArray) tables = NULL;
	g_autoptr(GArray) links = g_array_new(FALSE, FALSE, sizeof(struct acpi_link));

	config->links = links;
	tables = acpi_build(config, 0);
	allocate(script, rsdp_name, RSDP_ALIGN, ZONE_BELOW_1M);
	allocate(script, tables_name, TABLES_ALIGN, ZONE_HIGH);
	/* All pointers to a table are there before its sum is taken: it is noted last. */
	for (guint i = 0; i < links->len; i++) {
		const struct acpi_link *link = &g_array_index(links, struct acpi_link, i);

		if (link->size)
			add_pointer(script, link);
		else
			add_checksum(script, link);
	}
	fw_cfg_set_file(machine->fw_cfg, rsdp_name, tables->data, ACPI_RSDP_LEN);
	memset(tables->data, 0, ACPI_RSDP_LEN);
	fw_cfg_set_file(machine->fw_cfg, tables_name, tables->data, tables->len);
	fw_cfg_set_file(machine->fw_cfg, "etc/table-loader", script->data, script->len);
}

/* ---- */

void firmware_tell_boot(struct machine *machine)
{
	const struct machine_config *config = &machine->config;
	struct fw_cfg *cfg = machine->fw_cfg;
	g_autoptr(GString) order = g_string_new(NULL);

	slots_boot_order(machine->slots, order);
	/* The 0 at the end belongs to it. */
	fw_cfg_set_file(cfg, "bootorder", order->str, order->len ? order->len + 1 : 0);
	set_int(cfg, FW_CFG_BOOT_MENU, config->boot_menu, 2);
	if (config->boot_menu)
		set_int_file(cfg, "etc/boot-menu-wait", config->boot_menu_wait_ms, 2);
	/* Messages and the menu on the serial port, if there is no screen. */
	if (!machine->vga)
		set_int_file(cfg, "etc/sercon-port", PC_SERIAL_PORT, 2);
}

void firmware_tell(struct machine *machine, struct acpi_config *tables)
{
	const struct machine_config *config = &machine->config;
	struct fw_cfg *cfg = machine->fw_cfg;

	if (config->uuid) {
		fw_cfg_set(cfg, FW_CFG_UUID, config->uuid, PC_UUID_LEN);
		/* SeaBIOS makes SMBIOS tables itself; this is the structure "system", at its offset 8. */
		fw_cfg_set_file(cfg, "smbios/field1-8", config->uuid, PC_UUID_LEN);
	}
	set_int(cfg, FW_CFG_RAM_SIZE, config->memory, 8);
	set_int(cfg, FW_CFG_CPUS, config->cpus, 2);
	set_int(cfg, FW_CFG_MAX_CPUS, config->cpus, 2);
	tell_memory(machine);
	tell_tables(machine, tables);
	firmware_tell_boot(machine);
	/* SeaBIOS looks for the ROM of a PCI device under this name first. */
	if (config->vga_bios)
		firmware_tell_file(config->vga_bios, cfg, "pci1234,1111.rom");
}
