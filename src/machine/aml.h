/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * aml.h - ACPI machine language, written term by term into a byte array (ACPI 6.4, chapter 20)
 *
 *   aml_device_begin(aml, "RTC");
 *   aml_name(aml, "_HID"), aml_eisa_id(aml, "PNP0B00");
 *   aml_name(aml, "_CRS"), aml_resources_begin(aml);
 *   aml_io(aml, 0x70, 2);
 *   aml_resources_end(aml);
 *   aml_end(aml);
 *
 * A name is followed by the one object it names. Terms with a length are opened by a _begin() and
 * closed by aml_end(), the last one first. Misuse is our own mistake and asserts.
 */
#ifndef MACHINE_AML_H
#define MACHINE_AML_H

#include <glib.h>
#include <stddef.h>
#include <stdint.h>

enum {
	AML_MAX_DEPTH = 8
};

struct aml {
	GByteArray *out;
	unsigned depth;
	size_t open[AML_MAX_DEPTH]; /* where the lengths of the open terms go */
};

/* Terms are appended to @out, which stays the caller's. */
void aml_init(struct aml *aml, GByteArray *out);

/* Paths as in ASL: "_SB", "\\_SB.PCI0", "^ABC". Segments are filled up with '_'. */
void aml_scope_begin(struct aml *aml, const char *path);
void aml_device_begin(struct aml *aml, const char *name);
void aml_package_begin(struct aml *aml, uint8_t count);
void aml_end(struct aml *aml);

void aml_name(struct aml *aml, const char *path);
void aml_int(struct aml *aml, uint64_t value);
void aml_string(struct aml *aml, const char *text);
/* Three upper case letters and four hexadecimal digits. */
void aml_eisa_id(struct aml *aml, const char *id);

/* A resource template with what is called between these two. */
void aml_resources_begin(struct aml *aml);
void aml_resources_end(struct aml *aml);
/* Ports from @base on, decoded by 16 bits. */
void aml_io(struct aml *aml, uint16_t base, uint8_t len);
/* An edge-triggered, active-high ISA interrupt. */
void aml_irq(struct aml *aml, unsigned irq);

#endif
