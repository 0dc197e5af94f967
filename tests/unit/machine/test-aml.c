/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The expected bytes are what iasl makes of the ASL in the comments. */
#include "machine/aml.h"

#include "base/cleanup.h"

#define ASSERT_AML(aml, text) \
	g_assert_cmpmem((aml).out->data, (aml).out->len, text, sizeof(text) - 1)

static struct aml begin(void)
{
	struct aml aml;

	aml_init(&aml, g_byte_array_new());
	return aml;
}

static void end(struct aml *aml)
{
	g_assert_cmpuint(aml->depth, ==, 0);
	g_byte_array_unref(aml->out);
}

static void test_integers(void)
{
	struct aml aml = begin();

	aml_int(&aml, 0);
	aml_int(&aml, 1);
	aml_int(&aml, 2);
	aml_int(&aml, 0xff);
	aml_int(&aml, 0x100);
	aml_int(&aml, 0x10000);
	aml_int(&aml, 0x123456789);
	ASSERT_AML(aml, "\x00"
			"\x01"
			"\x0a\x02"
			"\x0a\xff"
			"\x0b\x00\x01"
			"\x0c\x00\x00\x01\x00"
			"\x0e\x89\x67\x45\x23\x01\x00\x00\x00");
	end(&aml);
}

static void test_names(void)
{
	struct aml aml = begin();

	aml_name(&aml, "_HID"); /* Name (_HID, EisaId ("PNP0501")) */
	aml_eisa_id(&aml, "PNP0501");
	aml_name(&aml, "\\_S5"); /* Name (\_S5, "x") */
	aml_string(&aml, "x");
	aml_name(&aml, "^A.BC");
	aml_int(&aml, 0);
	aml_name(&aml, "\\_SB.PCI0.ISA");
	aml_int(&aml, 0);
	ASSERT_AML(aml, "\x08_HID\x0c\x41\xd0\x05\x01"
			"\x08\\_S5_\x0dx\0"
			"\x08^\x2e"
			"A___BC__\0"
			"\x08\\\x2f\x03_SB_PCI0ISA_\0");
	end(&aml);
}

static void test_nested(void)
{
	struct aml aml = begin();

	aml_scope_begin(&aml, "_SB");
	aml_device_begin(&aml, "DEV");
	aml_name(&aml, "_CRS");
	aml_resources_begin(&aml);
	aml_io(&aml, 0x3f8, 8);
	aml_irq(&aml, 4);
	aml_resources_end(&aml);
	aml_end(&aml);
	aml_package_begin(&aml, 2);
	aml_int(&aml, 5);
	aml_int(&aml, 0);
	aml_end(&aml);
	aml_end(&aml);
	ASSERT_AML(aml, "\x10\x28_SB_"
			"\x5b\x82\x1b"
			"DEV_"
			"\x08_CRS"
			"\x11\x10\x0a\x0d"
			"\x47\x01\xf8\x03\xf8\x03\x01\x08"
			"\x22\x10\x00"
			"\x79\x00"
			"\x12\x05\x02\x0a\x05\x00");
	end(&aml);
}

static void test_method(void)
{
	struct aml aml = begin();

	/* Method (_EJ0, 1, Serialized) { If ((Arg0 != One)) { Return (Local0) }
	 * Else { PCEJ = (One << _SUN) } } */
	aml_method_begin(&aml, "_EJ0", 1 | AML_SERIALIZED);
	aml_if_begin(&aml);
	aml_op(&aml, AML_LOGICAL_NOT);
	aml_op(&aml, AML_LOGICAL_EQUAL);
	aml_arg(&aml, 0);
	aml_int(&aml, 1);
	aml_op(&aml, AML_RETURN);
	aml_local(&aml, 0);
	aml_end(&aml);
	aml_else_begin(&aml);
	aml_op(&aml, AML_SHIFT_LEFT);
	aml_int(&aml, 1);
	aml_path(&aml, "_SUN");
	aml_path(&aml, "PCEJ");
	aml_end(&aml);
	aml_end(&aml);
	ASSERT_AML(aml, "\x14\x1a_EJ0\x09"
			"\xa0\x07\x92\x93\x68\x01\xa4\x60"
			"\xa1\x0b\x79\x01_SUNPCEJ");
	end(&aml);
}

static void test_region(void)
{
	struct aml aml = begin();

	/* OperationRegion (PCHP, SystemIO, 0xAE00, 0x0C)
	 * Field (PCHP, DWordAcc, NoLock, WriteAsZeros) { AA, 32, BB, 32 } */
	aml_port_region(&aml, "PCHP", 0xae00, 12);
	aml_field_begin(&aml, "PCHP");
	aml_field_unit(&aml, "AA");
	aml_field_unit(&aml, "BB");
	aml_end(&aml);
	ASSERT_AML(aml, "\x5b\x80PCHP\x01\x0b\x00\xae\x0a\x0c"
			"\x5b\x81\x10PCHP\x43"
			"AA__\x20"
			"BB__\x20");
	end(&aml);
}

static void test_uuid(void)
{
	struct aml aml = begin();

	/* ToUUID ("33DB4D5B-1FF7-401C-9657-7441C03DD766") */
	aml_uuid(&aml, "33db4d5b-1ff7-401c-9657-7441c03dd766");
	ASSERT_AML(aml, "\x11\x13\x0a\x10\x5b\x4d\xdb\x33\xf7\x1f\x1c\x40"
			"\x96\x57\x74\x41\xc0\x3d\xd7\x66");
	end(&aml);
}

/* What iasl makes of WordBusNumber, WordIO, DWordMemory, QWordMemory, Memory32Fixed, Interrupt. */
static void test_resources(void)
{
	struct aml aml = begin();

	aml_window_bus(&aml, 0, 255);
	aml_window_io(&aml, 0xd00, 0xffff);
	aml_window_memory(&aml, 0xc0000000, 0xdfffffff);
	aml_memory(&aml, 0xfeb00000, 0x200);
	aml_gsi(&aml, 20);
	ASSERT_AML(aml, "\x88\x0d\x00\x02\x0c\x00\x00\x00\x00\x00\xff\x00\x00\x00\x00\x01"
			"\x88\x0d\x00\x01\x0c\x03\x00\x00\x00\x0d\xff\xff\x00\x00\x00\xf3"
			"\x87\x17\x00\x00\x0c\x01\0\0\0\0\x00\x00\x00\xc0\xff\xff\xff\xdf"
			"\0\0\0\0\x00\x00\x00\x20"
			"\x86\x09\x00\x01\x00\x00\xb0\xfe\x00\x02\x00\x00"
			"\x89\x06\x00\x09\x01\x14\x00\x00\x00");
	g_byte_array_set_size(aml.out, 0);
	aml_window_memory(&aml, 0x800000000, 0xfffffffff);
	ASSERT_AML(aml, "\x8a\x2b\x00\x00\x0c\x01\0\0\0\0\0\0\0\0"
			"\0\0\0\0\x08\0\0\0\xff\xff\xff\xff\x0f\0\0\0"
			"\0\0\0\0\0\0\0\0\0\0\0\0\x08\0\0\0");
	end(&aml);
}

/* The length at the borders of its encodings. */
static void test_lengths(void)
{
	static const struct {
		const char *bytes;
		unsigned count;
		unsigned body;
	} cases[] = {
		{ "\x3f", 1, 0x3e },
		{ "\x41\x04", 2, 0x3f },
		{ "\x4f\xff", 2, 0xffd },
		{ "\x81\x00\x01", 3, 0xffe },
		{ "\x8f\xff\xff", 3, 0xffffc },
		{ "\xc1\x00\x00\x01", 4, 0xffffd },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		struct aml aml = begin();

		aml_package_begin(&aml, 0xaa);
		for (unsigned n = 1; n < cases[i].body; n++)
			aml_int(&aml, 1);
		aml_end(&aml);
		g_assert_cmpuint(aml.out->len, ==, 1 + cases[i].count + cases[i].body);
		g_assert_cmpmem(aml.out->data + 1, cases[i].count, cases[i].bytes, cases[i].count);
		g_assert_cmphex(aml.out->data[1 + cases[i].count], ==, 0xaa);
		g_assert_cmphex(aml.out->data[aml.out->len - 1], ==, 1);
		end(&aml);
	}
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/machine/aml/integers", test_integers);
	g_test_add_func("/machine/aml/names", test_names);
	g_test_add_func("/machine/aml/nested", test_nested);
	g_test_add_func("/machine/aml/method", test_method);
	g_test_add_func("/machine/aml/region", test_region);
	g_test_add_func("/machine/aml/uuid", test_uuid);
	g_test_add_func("/machine/aml/resources", test_resources);
	g_test_add_func("/machine/aml/lengths", test_lengths);
	return g_test_run();
}
