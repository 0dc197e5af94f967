/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "machine/acpi.h"

#include <string.h>

#include "base/bytes.h"
#include "base/cleanup.h"

enum {
	BASE = 0xe0000
};

static GByteArray *build_with(unsigned cpus, unsigned mmio)
{
	return acpi_build(
		&(struct acpi_config){
			.cpus = cpus,
			.pm_base = 0x600,
			.sci = 9,
			.serial_base = 0x3f8,
			.serial_irq = 4,
			.rtc_irq = 8,
			.ecam = 0xe0000000,
			.window32 = 0xc0000000,
			.window32_end = 0xe0000000,
			.window64 = 0x800000000,
			.window64_end = 0x1000000000,
			.pci_gsi = { 16, 17, 18, 19 },
			.hotplug_base = 0xae00,
			.mmio_count = mmio,
			.mmio = { { 0xfeb00000, 20 }, { 0xfeb00200, 21 } },
			.generation_id = mmio ? 0xdf000 : 0,
		},
		BASE);
}

static GByteArray *build(unsigned cpus)
{
	return build_with(cpus, 0);
}

static uint8_t sum(struct span s)
{
	uint8_t total = 0;

	for (size_t i = 0; i < s.len; i++)
		total = (uint8_t)(total + s.p[i]);
	return total;
}

/* The table at a guest-physical address, whose header is checked. */
static struct span table(const GByteArray *all, uint64_t addr, const char *signature)
{
	struct span whole = { all->data, all->len };
	struct span t;

	g_assert_cmphex(addr, >=, BASE);
	g_assert_true(span_has(whole, addr - BASE, 36));
	t = span_sub(whole, addr - BASE, get_le32(all->data + (addr - BASE) + 4));
	g_assert_nonnull(t.p);
	g_assert_cmpmem(t.p, 4, signature, 4);
	if (strcmp(signature, "FACS") != 0) {
		g_assert_cmpuint(sum(t), ==, 0);
		g_assert_cmpmem(t.p + 10, 6, "SOCLE ", 6);
		g_assert_cmpuint(addr % 4, ==, 0);
	}
	return t;
}

static struct span xsdt(const GByteArray *all)
{
	g_assert_cmpmem(all->data, 8, "RSD PTR ", 8);
	g_assert_cmpuint(sum((struct span){ all->data, 20 }), ==, 0);
	g_assert_cmpuint(sum((struct span){ all->data, 36 }), ==, 0);
	g_assert_cmpuint(all->data[15], ==, 2);
	g_assert_cmpuint(get_le32(all->data + 20), ==, 36);
	return table(all, get_le64(all->data + 24), "XSDT");
}

static void test_fadt(void)
{
	g_autoptr(GByteArray) all = build(1);
	struct span fadt = table(all, get_le64(xsdt(all).p + 36), "FACP");
	struct span facs, dsdt;

	g_assert_cmpuint(fadt.len, ==, 276);
	g_assert_cmpuint(fadt.p[8], ==, 6);
	facs = table(all, get_le32(fadt.p + 36), "FACS");
	g_assert_cmpuint(facs.len, ==, 64);
	g_assert_cmpuint((get_le32(fadt.p + 36)) % 64, ==, 0);
	dsdt = table(all, get_le32(fadt.p + 40), "DSDT");
	g_assert_cmpuint(dsdt.p[8], ==, 2);
	g_assert_cmphex(get_le64(fadt.p + 140), ==, get_le32(fadt.p + 40));
	g_assert_cmpuint(get_le64(fadt.p + 132), ==, 0);
}

static void test_fadt_hardware(void)
{
	g_autoptr(GByteArray) all = build(1);
	struct span fadt = table(all, get_le64(xsdt(all).p + 36), "FACP");

	g_assert_cmpuint(get_le16(fadt.p + 46), ==, 9); /* SCI */
	g_assert_cmpuint(get_le32(fadt.p + 48), ==, 0); /* SMI command port */
	g_assert_cmphex(get_le32(fadt.p + 56), ==, 0x600);
	g_assert_cmphex(get_le32(fadt.p + 64), ==, 0x604);
	g_assert_cmphex(get_le32(fadt.p + 76), ==, 0x608);
	g_assert_cmphex(get_le32(fadt.p + 80), ==, 0x60c); /* GPE0, GPE1 */
	g_assert_cmphex(get_le32(fadt.p + 84), ==, 0);
	g_assert_cmpmem(fadt.p + 88, 8, "\x04\x02\x00\x04\x04\x00\x00\x00", 8);
	g_assert_cmphex(fadt.p[108], ==, 0x32);            /* century */
	g_assert_cmphex(get_le16(fadt.p + 109), ==, 0x05); /* boot architecture */
	g_assert_cmphex(get_le32(fadt.p + 112), ==, 0x565);
	g_assert_cmpmem(fadt.p + 116, 13, "\x01\x08\x00\x01\xf9\x0c\0\0\0\0\0\0\x06", 13);
	g_assert_cmpmem(fadt.p + 148, 12, "\x01\x20\x00\x02\x00\x06\0\0\0\0\0\0", 12);
	g_assert_cmpmem(fadt.p + 172, 12, "\x01\x10\x00\x02\x04\x06\0\0\0\0\0\0", 12);
	g_assert_cmpmem(fadt.p + 208, 12, "\x01\x20\x00\x03\x08\x06\0\0\0\0\0\0", 12);
	g_assert_cmpmem(fadt.p + 220, 12, "\x01\x20\x00\x01\x0c\x06\0\0\0\0\0\0", 12);
}

/* Structures of the MADT by type; checks that they add up. */
static void count_madt(struct span madt, unsigned count[16])
{
	size_t off = 44;

	while (off < madt.len) {
		g_assert_true(span_has(madt, off, 2));
		g_assert_cmpuint(madt.p[off], <, 16);
		g_assert_cmpuint(madt.p[off + 1], >, 2);
		g_assert_true(span_has(madt, off, madt.p[off + 1]));
		count[madt.p[off]]++;
		off += madt.p[off + 1];
	}
	g_assert_cmpuint(off, ==, madt.len);
}

static void test_madt(void)
{
	static const struct {
		unsigned cpus, xapic, x2apic;
	} cases[] = {
		{ 1, 1, 0 }, { 4, 4, 0 }, { 255, 255, 0 }, { 256, 255, 1 }, { 300, 255, 45 }
	};

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		g_autoptr(GByteArray) all = build(cases[i].cpus);
		struct span madt = table(all, get_le64(xsdt(all).p + 44), "APIC");
		unsigned count[16] = { 0 };

		g_assert_cmphex(get_le32(madt.p + 36), ==, 0xfee00000);
		g_assert_cmphex(get_le32(madt.p + 40), ==, 0);
		count_madt(madt, count);
		g_assert_cmpuint(count[0], ==, cases[i].xapic);
		g_assert_cmpuint(count[9], ==, cases[i].x2apic);
		g_assert_cmpuint(count[1], ==, 1);
		g_assert_cmpuint(count[2], ==, 1);
		g_assert_cmpuint(count[4], ==, 1);
		g_assert_cmpuint(count[10], ==, cases[i].x2apic > 0);
	}
}

static void test_madt_bytes(void)
{
	g_autoptr(GByteArray) all = build(2);
	struct span madt = table(all, get_le64(xsdt(all).p + 44), "APIC");

	g_assert_cmpmem(madt.p + 44, madt.len - 44,
			"\x00\x08\x00\x00\x01\0\0\0"
			"\x00\x08\x01\x01\x01\0\0\0"
			"\x01\x0c\x00\x00\x00\x00\xc0\xfe\0\0\0\0"
			"\x02\x0a\x00\x09\x09\0\0\0\x0d\x00"
			"\x04\x06\xff\x00\x00\x01",
			8 + 8 + 12 + 10 + 6);
}

static void test_mcfg(void)
{
	g_autoptr(GByteArray) all = build(1);
	struct span mcfg = table(all, get_le64(xsdt(all).p + 52), "MCFG");

	g_assert_cmpuint(xsdt(all).len, ==, 36 + 3 * 8);
	g_assert_cmpmem(mcfg.p + 36, mcfg.len - 36,
			"\0\0\0\0\0\0\0\0"
			"\x00\x00\x00\xe0\0\0\0\0"
			"\x00\x00\x00\xff\0\0\0\0",
			24);
}

static bool has_bytes(struct span s, const char *bytes, size_t len)
{
	return memmem(s.p, s.len, bytes, len);
}

/* What iasl and acpiexec make of it is another test's business (tests/interop/acpi). */
static void test_dsdt(void)
{
	for (unsigned mmio = 0; mmio <= 2; mmio++) {
		g_autoptr(GByteArray) all = build_with(1, mmio);
		struct span fadt = table(all, get_le64(xsdt(all).p + 36), "FACP");
		struct span dsdt = table(all, get_le32(fadt.p + 40), "DSDT");

		g_assert_true(has_bytes(dsdt, "S01_\x08_ADR\x0c\x00\x00\x01\x00", 14));
		g_assert_true(has_bytes(dsdt, "S1F_\x08_ADR\x0c\x00\x00\x1f\x00", 14));
		g_assert_false(has_bytes(dsdt, "S00_", 4));
		g_assert_false(has_bytes(dsdt, "S20_", 4));
		/* Device 31, pin INTD#: GSI (31 + 3) % 4 + 16. */
		g_assert_true(has_bytes(
			dsdt, "\x12\x0c\x04\x0c\xff\xff\x1f\x00\x0a\x03\x00\x0a\x12", 13));
		g_assert_cmpint(has_bytes(dsdt, "VGEN\x08_HID", 9), ==, mmio > 0);
		g_assert_cmpint(has_bytes(dsdt, "_E02", 4), ==, mmio > 0);
		g_assert_cmpint(has_bytes(dsdt, "VM00", 4), ==, mmio > 0);
		g_assert_cmpint(has_bytes(dsdt, "VM01", 4), ==, mmio > 1);
	}
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/machine/acpi/fadt", test_fadt);
	g_test_add_func("/machine/acpi/fadt-hardware", test_fadt_hardware);
	g_test_add_func("/machine/acpi/madt", test_madt);
	g_test_add_func("/machine/acpi/madt-bytes", test_madt_bytes);
	g_test_add_func("/machine/acpi/mcfg", test_mcfg);
	g_test_add_func("/machine/acpi/dsdt", test_dsdt);
	return g_test_run();
}
