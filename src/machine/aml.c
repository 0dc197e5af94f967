/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * aml.c - ACPI machine language, written term by term into a byte array
 *
 * A term with a length starts with its opcode; the length counts itself and has 1 to 4 bytes, so
 * it is put in when the term is closed.
 */
#include "machine/aml.h"

#include <assert.h>
#include <string.h>

enum {
	OP_ZERO = 0x00,
	OP_ONE = 0x01,
	OP_NAME = 0x08,
	OP_BYTE = 0x0a,
	OP_WORD = 0x0b,
	OP_DWORD = 0x0c,
	OP_STRING = 0x0d,
	OP_QWORD = 0x0e,
	OP_SCOPE = 0x10,
	OP_BUFFER = 0x11,
	OP_PACKAGE = 0x12,
	OP_METHOD = 0x14,
	OP_DUAL_NAME = 0x2e,
	OP_MULTI_NAME = 0x2f,
	OP_EXT = 0x5b,
	OP_LOCAL0 = 0x60,
	OP_ARG0 = 0x68,
	OP_IF = 0xa0,
	OP_ELSE = 0xa1,
	OP_EXT_REGION = 0x80,
	OP_EXT_FIELD = 0x81,
	OP_EXT_DEVICE = 0x82,

	REGION_SYSTEM_IO = 1,
	FIELD_DWORD = 0x03,
	FIELD_WRITE_AS_ZEROS = 2 << 5,
	FIELD_UNIT_BITS = 32,
	LOCALS = 8,
	ARGS = 7,

	RESOURCE_IRQ = 0x22, /* small item, 2 bytes: no flags */
	RESOURCE_IO = 0x47,  /* small item, 7 bytes */
	RESOURCE_END = 0x79, /* small item, 1 byte */
	RESOURCE_MEMORY32_FIXED = 0x86,
	RESOURCE_DWORD = 0x87,
	RESOURCE_WORD = 0x88,
	RESOURCE_INTERRUPT = 0x89,
	RESOURCE_QWORD = 0x8a,

	MEMORY_READ_WRITE = 1,
	INTERRUPT_CONSUMER = 1, /* and level, active high */
	INTERRUPT_SHARED = 1 << 3,
	WINDOW_MEMORY = 0,
	WINDOW_IO = 1,
	WINDOW_BUS = 2,
	WINDOW_FIXED = 0x0c,  /* its first and its last address */
	WINDOW_ENTIRE_IO = 3, /* not only what ISA's aliases leave */

	SEGMENT_LEN = 4,
	UUID_LEN = 16,
};

static void put8(struct aml *aml, unsigned value)
{
	uint8_t byte = (uint8_t)value;

	g_byte_array_append(aml->out, &byte, 1);
}

static void put_le(struct aml *aml, uint64_t value, unsigned bytes)
{
	for (unsigned i = 0; i < bytes; i++)
		put8(aml, (unsigned)(value >> (8 * i)) & 0xff);
}

void aml_init(struct aml *aml, GByteArray *out)
{
	*aml = (struct aml){ .out = out };
}

static void begin(struct aml *aml)
{
	assert(aml->depth < AML_MAX_DEPTH);
	aml->open[aml->depth++] = aml->out->len;
}

/* Make room of @len bytes at @off. */
static void insert(struct aml *aml, size_t off, const uint8_t *bytes, unsigned len)
{
	size_t tail = aml->out->len - off;

	g_byte_array_append(aml->out, bytes, len);
	memmove(aml->out->data + off + len, aml->out->data + off, tail);
	memcpy(aml->out->data + off, bytes, len);
}

void aml_end(struct aml *aml)
{
	uint8_t bytes[4];
	size_t off, len;
	unsigned count = 1;

	assert(aml->depth > 0);
	off = aml->open[--aml->depth];
	len = aml->out->len - off;
	if (len + 1 < 0x40) {
		bytes[0] = (uint8_t)(len + 1);
	} else {
		/* Low four bits in the first byte, whose top two count the others. */
		while (++count < 4 && len + count >= (size_t)1 << (8 * count - 4))
			;
		len += count;
		assert(len < 1u << 28);
		bytes[0] = (uint8_t)((count - 1) << 6 | (len & 0x0f));
		for (unsigned i = 1; i < count; i++)
			bytes[i] = (uint8_t)(len >> (8 * i - 4));
	}
	insert(aml, off, bytes, count);
}

static void put_path(struct aml *aml, const char *path)
{
	unsigned segments = 1;

	while (*path == '\\' || *path == '^')
		put8(aml, (uint8_t)*path++);
	for (const char *p = path; *p; p++)
		segments += *p == '.';
	assert(*path && segments < 256);
	if (segments == 2) {
		put8(aml, OP_DUAL_NAME);
	} else if (segments > 2) {
		put8(aml, OP_MULTI_NAME);
		put8(aml, segments);
	}
	while (*path) {
		size_t len = strcspn(path, ".");

		assert(len >= 1 && len <= SEGMENT_LEN);
		for (size_t i = 0; i < SEGMENT_LEN; i++)
			put8(aml, i < len ? (uint8_t)path[i] : '_');
		path += len;
		path += *path == '.';
	}
}

void aml_scope_begin(struct aml *aml, const char *path)
{
	put8(aml, OP_SCOPE);
	begin(aml);
	put_path(aml, path);
}

void aml_device_begin(struct aml *aml, const char *name)
{
	put8(aml, OP_EXT);
	put8(aml, OP_EXT_DEVICE);
	begin(aml);
	put_path(aml, name);
}

void aml_package_begin(struct aml *aml, uint8_t count)
{
	put8(aml, OP_PACKAGE);
	begin(aml);
	put8(aml, count);
}

void aml_method_begin(struct aml *aml, const char *name, unsigned flags)
{
	assert((flags & ~(unsigned)AML_SERIALIZED) <= ARGS);
	put8(aml, OP_METHOD);
	begin(aml);
	put_path(aml, name);
	put8(aml, flags);
}

void aml_if_begin(struct aml *aml)
{
	put8(aml, OP_IF);
	begin(aml);
}

void aml_else_begin(struct aml *aml)
{
	put8(aml, OP_ELSE);
	begin(aml);
}

void aml_field_begin(struct aml *aml, const char *region)
{
	put8(aml, OP_EXT);
	put8(aml, OP_EXT_FIELD);
	begin(aml);
	put_path(aml, region);
	put8(aml, FIELD_DWORD | FIELD_WRITE_AS_ZEROS);
}

void aml_field_unit(struct aml *aml, const char *name)
{
	put_path(aml, name);
	put8(aml, FIELD_UNIT_BITS); /* a length, but not of bytes: below 64 it is one byte */
}

void aml_port_region(struct aml *aml, const char *name, uint16_t base, uint16_t len)
{
	put8(aml, OP_EXT);
	put8(aml, OP_EXT_REGION);
	put_path(aml, name);
	put8(aml, REGION_SYSTEM_IO);
	aml_int(aml, base);
	aml_int(aml, len);
}

void aml_path(struct aml *aml, const char *path)
{
	put_path(aml, path);
}

void aml_op(struct aml *aml, enum aml_op op)
{
	put8(aml, op);
}

void aml_arg(struct aml *aml, unsigned n)
{
	assert(n < ARGS);
	put8(aml, OP_ARG0 + n);
}

void aml_local(struct aml *aml, unsigned n)
{
	assert(n < LOCALS);
	put8(aml, OP_LOCAL0 + n);
}

void aml_name(struct aml *aml, const char *path)
{
	put8(aml, OP_NAME);
	put_path(aml, path);
}

void aml_int(struct aml *aml, uint64_t value)
{
	if (value <= 1) {
		put8(aml, value ? OP_ONE : OP_ZERO);
	} else if (value <= UINT8_MAX) {
		put8(aml, OP_BYTE);
		put_le(aml, value, 1);
	} else if (value <= UINT16_MAX) {
		put8(aml, OP_WORD);
		put_le(aml, value, 2);
	} else if (value <= UINT32_MAX) {
		put8(aml, OP_DWORD);
		put_le(aml, value, 4);
	} else {
		put8(aml, OP_QWORD);
		put_le(aml, value, 8);
	}
}

void aml_string(struct aml *aml, const char *text)
{
	put8(aml, OP_STRING);
	for (; *text; text++) {
		assert((uint8_t)*text < 0x80);
		put8(aml, (uint8_t)*text);
	}
	put8(aml, 0);
}

void aml_eisa_id(struct aml *aml, const char *id)
{
	uint32_t value = 0;

	assert(strlen(id) == 7);
	for (unsigned i = 0; i < 3; i++)
		value = value << 5 | ((uint32_t)(id[i] - 'A' + 1) & 0x1f);
	for (unsigned i = 3; i < 7; i++)
		value = value << 4 | (uint32_t)g_ascii_xdigit_value(id[i]);
	/* Compressed EISA identifiers are big-endian. */
	put8(aml, OP_DWORD);
	put_le(aml, GUINT32_SWAP_LE_BE(value), 4);
}

void aml_uuid(struct aml *aml, const char *uuid)
{
	/* The first three groups are little-endian. */
	static const uint8_t at[UUID_LEN] = { 6,  4,  2,  0,  11, 9,  16, 14,
					      19, 21, 24, 26, 28, 30, 32, 34 };

	assert(strlen(uuid) == 36);
	put8(aml, OP_BUFFER);
	begin(aml);
	aml_int(aml, UUID_LEN);
	for (unsigned i = 0; i < UUID_LEN; i++)
		put8(aml, (unsigned)(g_ascii_xdigit_value(uuid[at[i]]) << 4 |
				     g_ascii_xdigit_value(uuid[at[i] + 1])));
	aml_end(aml);
}

void aml_resources_begin(struct aml *aml)
{
	put8(aml, OP_BUFFER);
	begin(aml);
}

void aml_resources_end(struct aml *aml)
{
	size_t start, len;

	assert(aml->depth > 0);
	start = aml->open[aml->depth - 1];
	put8(aml, RESOURCE_END);
	put8(aml, 0); /* no checksum */
	/* The size in bytes stands before them. */
	len = aml->out->len - start;
	assert(len <= UINT16_MAX);
	if (len <= UINT8_MAX)
		insert(aml, start, (const uint8_t[]){ OP_BYTE, (uint8_t)len }, 2);
	else
		insert(aml, start, (const uint8_t[]){ OP_WORD, (uint8_t)len, (uint8_t)(len >> 8) },
		       3);
	aml_end(aml);
}

void aml_io(struct aml *aml, uint16_t base, uint8_t len)
{
	put8(aml, RESOURCE_IO);
	put8(aml, 1); /* 16 address bits are decoded */
	put_le(aml, base, 2);
	put_le(aml, base, 2);
	put8(aml, 1); /* alignment */
	put8(aml, len);
}

void aml_irq(struct aml *aml, unsigned irq)
{
	assert(irq < 16);
	put8(aml, RESOURCE_IRQ);
	put_le(aml, 1u << irq, 2);
}

void aml_gsi(struct aml *aml, unsigned gsi)
{
	put8(aml, RESOURCE_INTERRUPT);
	put_le(aml, 6, 2);
	put8(aml, INTERRUPT_CONSUMER | INTERRUPT_SHARED);
	put8(aml, 1);
	put_le(aml, gsi, 4);
}

void aml_memory(struct aml *aml, uint64_t base, uint64_t len)
{
	assert(base <= UINT32_MAX && len <= UINT32_MAX - base);
	put8(aml, RESOURCE_MEMORY32_FIXED);
	put_le(aml, 9, 2);
	put8(aml, MEMORY_READ_WRITE);
	put_le(aml, base, 4);
	put_le(aml, len, 4);
}

/* An address space descriptor whose numbers have @bytes each. */
static void put_window(struct aml *aml, unsigned tag, unsigned bytes, unsigned type, unsigned flags,
		       uint64_t first, uint64_t last)
{
	assert(first <= last);
	put8(aml, tag);
	put_le(aml, 3 + (uint64_t)5 * bytes, 2);
	put8(aml, type);
	put8(aml, WINDOW_FIXED);
	put8(aml, flags);
	put_le(aml, 0, bytes); /* granularity */
	put_le(aml, first, bytes);
	put_le(aml, last, bytes);
	put_le(aml, 0, bytes); /* translation */
	put_le(aml, last - first + 1, bytes);
}

void aml_window_bus(struct aml *aml, uint8_t first, uint8_t last)
{
	put_window(aml, RESOURCE_WORD, 2, WINDOW_BUS, 0, first, last);
}

void aml_window_io(struct aml *aml, uint16_t first, uint16_t last)
{
	put_window(aml, RESOURCE_WORD, 2, WINDOW_IO, WINDOW_ENTIRE_IO, first, last);
}

void aml_window_memory(struct aml *aml, uint64_t first, uint64_t last)
{
	if (last <= UINT32_MAX)
		put_window(aml, RESOURCE_DWORD, 4, WINDOW_MEMORY, MEMORY_READ_WRITE, first, last);
	else
		put_window(aml, RESOURCE_QWORD, 8, WINDOW_MEMORY, MEMORY_READ_WRITE, first, last);
}
