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
	g_test_add_func("/machine/aml/lengths", test_lengths);
	return g_test_run();
}
