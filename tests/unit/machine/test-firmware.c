/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-firmware.c - firmware: files that are and are not, where it lies, and what it is told
 *
 * A machine whose engine executes nothing is asked through its ports, as firmware does it.
 */
#include <glib/gstdio.h>

#include "bus/io.h"
#include "bus/pci.h"
#include "dev/fw-cfg.h"
#include "dev/virtio-rng.h"
#include "machine/firmware.h"
#include "machine/memmap.h"
#include "script.h"

enum {
	KIB = 1024,
	ROM = 128 * KIB,
	COMMAND_LEN = 128,
	HIGH = 0x700000, /* where this test's firmware puts the tables */
	LOW = 0xf5000,   /* and the RSDP */
};

static char *folder, *path;

static void write_file(size_t size, uint8_t last, const char *at_volume)
{
	g_autofree uint8_t *bytes = g_malloc0(size);

	for (size_t i = 0; i < size; i++)
		bytes[i] = (uint8_t)(i >> 8);
	memset(bytes + size - 16, 0, 16);
	bytes[size - 1] = last;
	if (at_volume)
		memcpy(bytes + 0x28, at_volume, 4);
	g_assert_true(g_file_set_contents(path, (const char *)bytes, (gssize)size, NULL));
}

static void refused(const char *name, const char *text)
{
	g_autoptr(GError) error = NULL;

	g_assert_null(firmware_open(name, &error));
	g_assert_nonnull(error);
	if (!strstr(error->message, text))
		g_error("'%s' is not in '%s'", text, error->message);
}

static void test_files(void)
{
	g_autoptr(GError) error = NULL;
	struct firmware *firmware;

	refused("/nonexistent/bios", "cannot open firmware '/nonexistent/bios'");
	refused(folder, "is a directory");
	write_file(65535, 1, NULL);
	refused(path, "has 65535 bytes: firmware has a multiple of 64 KiB, up to 8 MiB");
	write_file(65536, 0, NULL);
	refused(path, "has nothing at its end, where a CPU begins: it is no firmware");
	write_file(65536, 1, "_FVH");
	refused(path, "is UEFI firmware, which this machine cannot run: give a BIOS");
	write_file((8 << 20) + 65536, 1, NULL);
	refused(path, "up to 8 MiB");
	write_file(192 * KIB, 1, NULL);
	firmware = firmware_open(path, &error);
	g_assert_no_error(error);
	g_assert_cmpuint(firmware_size(firmware), ==, 192 * KIB);
	firmware_free(firmware);
	firmware_free(NULL);
}

static void test_place(void)
{
	static const unsigned sizes[] = { 64, 128, 256 };

	for (unsigned i = 0; i < G_N_ELEMENTS(sizes); i++) {
		const uint64_t size = sizes[i] * KIB, low = MIN(size, ROM);
		g_autoptr(GError) error = NULL;
		autoptr(firmware) firmware = NULL;
		autoptr(mem) mem = mem_new();
		struct memmap map;

		write_file(size, 0x5a, NULL);
		firmware = firmware_open(path, &error);
		g_assert_no_error(error);
		g_assert_true(memmap_build(mem, 16 << 20, size, &map, &error));
		g_assert_true(firmware_place(firmware, mem, &error));
		g_assert_cmpmem(mem_ptr(mem, (UINT64_C(1) << 32) - low, low), low,
				mem_ptr(mem, 0x100000 - low, low), low);
		g_assert_cmpmem(mem_ptr(mem, UINT32_MAX, 1), 1, "\x5a", 1);
		g_assert_null(mem_ptr(mem, (UINT64_C(1) << 32) - size - 1, 1));
		/* No RAM where a screen would be. */
		g_assert_null(mem_ptr(mem, 0xa0000, 1));
		g_assert_null(mem_ptr(mem, 0xbffff, 1));
		g_assert_nonnull(mem_ptr(mem, 0xc0000, 1));
	}
}

static void test_too_little(void)
{
	g_autoptr(GError) error = NULL;
	autoptr(mem) mem = mem_new();
	struct memmap map;

	g_assert_false(memmap_build(mem, 3 << 20, ROM, &map, &error));
	g_assert_cmpstr(error->message, ==,
			"memory of 3 MiB is too little for firmware: give 4 MiB or more");
}

/* ---- a machine ---- */

struct fixture {
	struct firmware *firmware;
	struct io_loop *loop;
	struct machine *machine;
	struct io_space *pio;
	struct mem *mem;
};

static void on_event(void *opaque, const struct machine_event *event)
{
	(void)opaque;
	(void)event;
}

static struct virtio_device *device(struct fixture *f)
{
	return virtio_rng_new(&(struct virtio_rng_config){ .loop = f->loop }, NULL);
}

static void setup(struct fixture *f, const void *data)
{
	g_autoptr(GError) error = NULL;
	const struct machine_device devices[] = {
		{ .id = "a", .virtio = NULL, .boot_index = 9, .boot_unit = "disk@0,0" },
		{ .id = "b", .virtio = NULL, .slot = 20 },
		{ .id = "c",
		  .virtio = NULL,
		  .boot_index = 2,
		  .boot_unit = "channel@0/disk@0,0",
		  .slot = 17 },
		{ .id = "d",
		  .virtio = NULL,
		  .boot_index = 5,
		  .boot_unit = "disk@0,0",
		  .mmio = true },
	};
	struct machine_device made[G_N_ELEMENTS(devices)];

	(void)data;
	memset(&test, 0, sizeof(test));
	test.fail_vcpu = -1;
	write_file(ROM, 1, NULL);
	f->firmware = firmware_open(path, &error);
	g_assert_no_error(error);
	f->loop = io_loop_new("test", IO_LOOP_THREADS, NULL);
	memcpy(made, devices, sizeof(made));
	for (unsigned i = 0; i < G_N_ELEMENTS(made); i++)
		made[i].virtio = device(f);
	f->machine = machine_new(
		&(struct machine_config){
			.engine = &script_ops,
			.cpus = 3,
			.memory = 16 << 20,
			.firmware = f->firmware,
			.boot_menu = true,
			.boot_menu_wait_ms = 1234,
			.uuid = (const uint8_t *)"0123456789abcdef",
			.generation_id = (const uint8_t *)"fedcba9876543210",
			.devices = made,
			.device_count = G_N_ELEMENTS(made),
			.event = on_event,
		},
		&error);
	g_assert_no_error(error);
	f->pio = test.engine->config.pio;
	f->mem = test.engine->config.mem;
}

static void teardown(struct fixture *f, const void *data)
{
	(void)data;
	machine_free(f->machine);
	io_loop_free(f->loop);
	firmware_free(f->firmware);
	while (g_main_context_iteration(NULL, FALSE))
		;
}

static GByteArray *read_key(struct fixture *f, uint16_t key, size_t len)
{
	GByteArray *bytes = g_byte_array_new();

	io_write(f->pio, 0x510, 2, key);
	for (size_t i = 0; i < len; i++) {
		uint8_t byte = (uint8_t)io_read(f->pio, 0x511, 1);

		g_byte_array_append(bytes, &byte, 1);
	}
	return bytes;
}

static GByteArray *read_file(struct fixture *f, const char *name)
{
	g_autoptr(GByteArray) directory = read_key(f, FW_CFG_DIRECTORY, 4 + 64 * 32);

	for (uint32_t i = 0; i < get_be32(directory->data); i++) {
		const uint8_t *entry = directory->data + 4 + (size_t)i * 64;

		if (!strcmp((const char *)entry + 8, name))
			return read_key(f, get_be16(entry + 4), get_be32(entry));
	}
	g_error("there is no file '%s'", name);
}

static void test_told(struct fixture *f, const void *data)
{
	g_autoptr(GByteArray) cpus = read_key(f, FW_CFG_CPUS, 2);
	g_autoptr(GByteArray) uuid = read_key(f, FW_CFG_UUID, 16);
	g_autoptr(GByteArray) menu = read_key(f, FW_CFG_BOOT_MENU, 2);
	g_autoptr(GByteArray) wait = read_file(f, "etc/boot-menu-wait");
	g_autoptr(GByteArray) port = read_file(f, "etc/sercon-port");
	g_autoptr(GByteArray) smbios = read_file(f, "smbios/field1-8");
	g_autoptr(GByteArray) order = read_file(f, "bootorder");
	g_autoptr(GByteArray) e820 = read_file(f, "etc/e820");

	(void)data;
	g_assert_cmpuint(get_le16(cpus->data), ==, 3);
	g_assert_cmpmem(uuid->data, 16, "0123456789abcdef", 16);
	g_assert_cmpmem(smbios->data, smbios->len, "0123456789abcdef", 16);
	g_assert_cmpuint(get_le16(menu->data), ==, 1);
	g_assert_cmpuint(get_le16(wait->data), ==, 1234);
	g_assert_cmphex(get_le16(port->data), ==, 0x3f8);
	g_assert_cmpstr((const char *)order->data, ==,
			"/pci@i0cf8/scsi@11/channel@0/disk@0,0\n"
			"/virtio-mmio@00000000feb00000/disk@0,0\n"
			"/pci@i0cf8/scsi@1/disk@0,0");
	g_assert_cmpuint(order->len, ==, strlen((const char *)order->data) + 1);
	/* RAM, the page of the generation ID, ECAM. */
	g_assert_cmpuint(e820->len, ==, 3 * 20);
	g_assert_cmphex(get_le64(e820->data), ==, 0);
	g_assert_cmphex(get_le64(e820->data + 8), ==, (16 << 20) - 4096);
	g_assert_cmpuint(get_le32(e820->data + 16), ==, E820_RAM);
	g_assert_cmphex(get_le64(e820->data + 20), ==, (16 << 20) - 4096);
	g_assert_cmpuint(get_le32(e820->data + 36), ==, E820_RESERVED);
	g_assert_cmphex(get_le64(e820->data + 40), ==, MEMMAP_ECAM);
	g_assert_cmpmem(mem_ptr(f->mem, (16 << 20) - 4096, 16), 16, "fedcba9876543210", 16);
	/* CPUs besides the first one, in the clock's memory. */
	io_write(f->pio, 0x70, 1, 0x5f);
	g_assert_cmpuint(io_read(f->pio, 0x71, 1), ==, 2);
}

/* ---- the tables' script ---- */

static uint64_t get_number(const uint8_t *p, unsigned size)
{
	return size == 4 ? get_le32(p) : get_le64(p);
}

static void execute(const uint8_t *c, GByteArray *rsdp, GByteArray *tables)
{
	const bool is_rsdp = !strcmp((const char *)c + 4, "etc/acpi/rsdp");
	GByteArray *file = is_rsdp ? rsdp : tables;
	uint32_t at;
	uint8_t sum = 0;

	g_assert_true(is_rsdp || !strcmp((const char *)c + 4, "etc/acpi/tables"));
	switch (get_le32(c)) {
	case 1:
		g_assert_cmpuint(c[64], ==, is_rsdp ? 2 : 1);
		break;
	case 2:
		at = get_le32(c + 116);
		g_assert_cmpstr((const char *)c + 60, ==, "etc/acpi/tables");
		g_assert_true(c[120] == 4 || c[120] == 8);
		g_assert_cmpuint(at + c[120], <=, file->len);
		g_assert_cmphex(get_number(file->data + at, c[120]), <, tables->len);
		put_le32(file->data + at, get_le32(file->data + at) + HIGH);
		break;
	case 3:
		at = get_le32(c + 60);
		for (uint32_t i = 0; i < get_le32(c + 68); i++)
			sum = (uint8_t)(sum + file->data[get_le32(c + 64) + i]);
		file->data[at] = (uint8_t)(file->data[at] - sum);
		break;
	default:
		g_assert_not_reached();
	}
}

static struct span table(const GByteArray *tables, uint64_t addr, const char *signature)
{
	const struct span all = { tables->data, tables->len };
	struct span t = span_sub(all, addr - HIGH, get_le32(tables->data + (addr - HIGH) + 4));
	uint8_t sum = 0;

	g_assert_nonnull(t.p);
	g_assert_cmpmem(t.p, 4, signature, 4);
	for (size_t i = 0; i < t.len; i++)
		sum = (uint8_t)(sum + t.p[i]);
	g_assert_true(sum == 0 || !strcmp(signature, "FACS"));
	return t;
}

static void test_tables(struct fixture *f, const void *data)
{
	g_autoptr(GByteArray) script = read_file(f, "etc/table-loader");
	g_autoptr(GByteArray) rsdp = read_file(f, "etc/acpi/rsdp");
	g_autoptr(GByteArray) tables = read_file(f, "etc/acpi/tables");
	/* Timer at pin 2; SCI, 10 and 11 by their levels. */
	static const uint8_t overrides[] = { 2,  10, 0, 0,  2,  0,  0,  0,  0, 0,  2,  10, 0, 9,
					     9,  0,  0, 0,  13, 0,  2,  10, 0, 10, 10, 0,  0, 0,
					     13, 0,  2, 10, 0,  11, 11, 0,  0, 0,  13, 0 };
	struct span xsdt, fadt, madt;
	uint8_t sum = 0;

	(void)data;
	g_assert_cmpuint(script->len % COMMAND_LEN, ==, 0);
	for (guint off = 0; off < script->len; off += COMMAND_LEN)
		execute(script->data + off, rsdp, tables);
	g_assert_cmpuint(rsdp->len, ==, 36);
	g_assert_cmpmem(rsdp->data, 8, "RSD PTR ", 8);
	for (unsigned i = 0; i < 36; i++)
		sum = (uint8_t)(sum + rsdp->data[i]);
	g_assert_cmpuint(sum, ==, 0);
	xsdt = table(tables, get_le64(rsdp->data + 24), "XSDT");
	fadt = table(tables, get_le64(xsdt.p + 36), "FACP");
	madt = table(tables, get_le64(xsdt.p + 44), "APIC");
	(void)table(tables, get_le64(xsdt.p + 52), "MCFG");
	(void)table(tables, get_le32(fadt.p + 36), "FACS");
	(void)table(tables, get_le32(fadt.p + 40), "DSDT");
	(void)table(tables, get_le64(fadt.p + 140), "DSDT");
	g_assert_cmpuint(get_le32(madt.p + 40), ==, 1); /* there are 8259s */
	g_assert_cmpmem(madt.p + 44 + 3 * 8 + 12, sizeof(overrides), overrides, sizeof(overrides));
}

/* ---- chips ---- */

static uint32_t config_read(struct fixture *f, unsigned slot, unsigned reg)
{
	io_write(f->pio, 0xcf8, 4, 0x80000000u | slot << 11 | reg);
	return (uint32_t)io_read(f->pio, 0xcfc, 4);
}

static void test_chips(struct fixture *f, const void *data)
{
	struct machine_device_info info;

	(void)data;
	g_assert_true(test.engine->config.pics);
	/* A bridge that is known, and BARs that nobody has placed. */
	g_assert_cmphex(config_read(f, 0, 0), ==, 0x12378086);
	g_assert_cmphex(config_read(f, 1, 0x04) & 7, ==, 0);
	g_assert_cmphex(config_read(f, 1, 0x20), ==, 0xc);
	/* Wires as firmware counts them: slots 1, 2, 3, 4 are 10, 10, 11, 11. */
	for (unsigned i = 0; machine_device_at(f->machine, i, &info); i++) {
		if (info.pci)
			g_assert_cmpuint(info.gsi, ==, 10 + (info.slot - 1) % 4 / 2);
	}
	g_assert_cmphex(io_read(f->pio, 0x402, 1), ==, 0xe9);
	g_assert_cmphex(io_read(f->pio, 0x92, 1), ==, 2);
	/* The timer ticks at GSI 0. */
	io_write(f->pio, 0x43, 1, 0x34);
	io_write(f->pio, 0x40, 1, 0);
	io_write(f->pio, 0x40, 1, 4);
	while (test.engine->rises[0] < 3)
		g_main_context_iteration(NULL, TRUE);
}

/* A reset finds firmware, chips and configuration new. */
static void test_reset(struct fixture *f, const void *data)
{
	g_autoptr(GError) error = NULL;
	g_autoptr(GByteArray) order = NULL;
	g_autofree struct x86_state *state = g_new(struct x86_state, 1);

	(void)data;
	g_assert_cmpint(mem_write(f->mem, 0xf0000, "overwritten", 11), ==, 0);
	g_assert_cmpint(mem_write(f->mem, 0xfffffff0, "overwritten", 11), ==, 0);
	io_write(f->pio, 0xcf8, 4, 0x80000800 | 0x20);
	io_write(f->pio, 0xcfc, 4, 0xfe000000);
	io_write(f->pio, 0x92, 1, 0);
	g_assert_true(machine_reset(f->machine, &error));
	g_assert_cmpmem(mem_ptr(f->mem, 0xe0000, ROM), ROM,
			mem_ptr(f->mem, (UINT64_C(1) << 32) - ROM, ROM), ROM);
	g_assert_cmpmem(mem_ptr(f->mem, 0xf0000, 1), 1, "\0", 1);
	g_assert_cmphex(config_read(f, 1, 0x20), ==, 0xc);
	g_assert_cmphex(io_read(f->pio, 0x92, 1), ==, 2);
	g_assert_true(machine_cpu_state(f->machine, 0, state, &error));
	g_assert_cmphex(state->rip, ==, RIP_RESET);
	/* Devices that came are not to be booted, but stay in the order if they were. */
	order = read_file(f, "bootorder");
	g_assert_true(g_str_has_suffix((const char *)order->data, "/pci@i0cf8/scsi@1/disk@0,0"));
}

int main(int argc, char **argv)
{
	int result;

	g_test_init(&argc, &argv, NULL);
	folder = g_dir_make_tmp("socle-firmware-XXXXXX", NULL);
	path = g_build_filename(folder, "rom", NULL);
	g_test_add_func("/machine/firmware/files", test_files);
	g_test_add_func("/machine/firmware/place", test_place);
	g_test_add_func("/machine/firmware/too-little", test_too_little);
	g_test_add("/machine/firmware/told", struct fixture, NULL, setup, test_told, teardown);
	g_test_add("/machine/firmware/tables", struct fixture, NULL, setup, test_tables, teardown);
	g_test_add("/machine/firmware/chips", struct fixture, NULL, setup, test_chips, teardown);
	g_test_add("/machine/firmware/reset", struct fixture, NULL, setup, test_reset, teardown);
	result = g_test_run();
	(void)g_unlink(path);
	(void)g_rmdir(folder);
	g_free(path);
	g_free(folder);
	return result;
}
