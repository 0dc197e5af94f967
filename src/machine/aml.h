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
 * A name is followed by the one object it names, an operator by its operands and then its target, an
 * if by its condition. Terms with a length are opened by a _begin() and closed by aml_end(), the last
 * one first. Misuse is our own mistake and asserts.
 *
 *   aml_method_begin(aml, "_EJ0", 1);
 *   aml_op(aml, AML_SHIFT_LEFT), aml_int(aml, 1), aml_path(aml, "_SUN"), aml_path(aml, "PCIE");
 *   aml_end(aml);
 */
#ifndef MACHINE_AML_H
#define MACHINE_AML_H

#include <glib.h>
#include <stddef.h>
#include <stdint.h>

enum {
	AML_MAX_DEPTH = 8,
	AML_SERIALIZED = 8 /* for aml_method_begin(), beside the number of arguments */
};

/* Operators, with what follows them. */
enum aml_op {
	AML_STORE = 0x70,         /* source, target */
	AML_SHIFT_LEFT = 0x79,    /* operand, count, target */
	AML_AND = 0x7b,           /* operand, operand, target */
	AML_OR = 0x7d,            /* operand, operand, target */
	AML_NOTIFY = 0x86,        /* object, value */
	AML_DWORD_FIELD = 0x8a,   /* create: buffer, byte offset, the name of the field */
	AML_LOGICAL_NOT = 0x92,   /* operand */
	AML_LOGICAL_EQUAL = 0x93, /* operand, operand */
	AML_RETURN = 0xa4,        /* value */
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
/* @flags: the number of arguments, AML_SERIALIZED */
void aml_method_begin(struct aml *aml, const char *name, unsigned flags);
void aml_if_begin(struct aml *aml);
/* Straight behind the aml_end() of an if. */
void aml_else_begin(struct aml *aml);
/* Units of 32 bits of an operation region, accessed as such. */
void aml_field_begin(struct aml *aml, const char *region);
void aml_end(struct aml *aml);

void aml_name(struct aml *aml, const char *path);
/* What a path names, or a call of the method, whose arguments follow. */
void aml_path(struct aml *aml, const char *path);
void aml_op(struct aml *aml, enum aml_op op);
void aml_arg(struct aml *aml, unsigned n);
void aml_local(struct aml *aml, unsigned n);
/* Ports, at addresses that fit 16 bits. */
void aml_port_region(struct aml *aml, const char *name, uint16_t base, uint16_t len);
/* The next unit of a field. */
void aml_field_unit(struct aml *aml, const char *name);
void aml_int(struct aml *aml, uint64_t value);
void aml_string(struct aml *aml, const char *text);
/* Three upper case letters and four hexadecimal digits. */
void aml_eisa_id(struct aml *aml, const char *id);
/* A buffer with a UUID in the mixed byte order of ToUUID(). Lower case, with its hyphens. */
void aml_uuid(struct aml *aml, const char *uuid);

/* A resource template with what is called between these two. */
void aml_resources_begin(struct aml *aml);
void aml_resources_end(struct aml *aml);
/* Ports from @base on, decoded by 16 bits. */
void aml_io(struct aml *aml, uint16_t base, uint8_t len);
/* An edge-triggered, active-high ISA interrupt. */
void aml_irq(struct aml *aml, unsigned irq);
/* A level-triggered, active-high interrupt that others may use, too. */
void aml_gsi(struct aml *aml, unsigned gsi);
/* Memory that a device has for itself, below 4 GiB. */
void aml_memory(struct aml *aml, uint64_t base, uint64_t len);
/* What a bridge passes on: bus numbers, ports, memory. From @first to @last, which belongs to it. */
void aml_window_bus(struct aml *aml, uint8_t first, uint8_t last);
void aml_window_io(struct aml *aml, uint16_t first, uint16_t last);
void aml_window_memory(struct aml *aml, uint64_t first, uint64_t last);

#endif
