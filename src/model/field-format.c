/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * field-format.c - a struct that has a table, as an XML element: members in the table's order
 */
#include <inttypes.h>
#include <string.h>

#include "model/field-int.h"

static void *get_pointer(const void *at)
{
	void *p;

	memcpy(&p, at, sizeof(p));
	return p;
}

static unsigned get_unsigned(const void *at)
{
	unsigned n;

	memcpy(&n, at, sizeof(n));
	return n;
}

enum {
	NUMBER_TEXT = 40 /* bytes that a number's text needs at most */
};

static const char *number_text(const struct field *field, const void *rec, char buf[NUMBER_TEXT])
{
	const struct number *number = field_in(field, rec);

	if (!number->set)
		return NULL;
	if (field->kind == FIELD_NUMBER && field->marks & FIELD_OCTAL)
		(void)g_snprintf(buf, NUMBER_TEXT, "0%" PRIo64, (uint64_t)number->value);
	else if (field->kind == FIELD_NUMBER && field->hex &&
		 (!field->hex_if || field->hex_if(rec)))
		(void)g_snprintf(buf, NUMBER_TEXT, "0x%0*" PRIx64, (int)field->hex,
				 (uint64_t)number->value);
	else
		(void)g_snprintf(buf, NUMBER_TEXT, "%" PRId64, number->value);
	return buf;
}

/* The text of an attribute or of an element that has nothing else, or NULL if it is absent. */
static const char *value_text(const struct field *field, const void *rec, unsigned marks,
			      char buf[NUMBER_TEXT])
{
	const void *at = field_in(field, rec);

	if (field->marks & (FIELD_SECRET | FIELD_LIVE) & ~marks)
		return NULL;
	switch (field->kind) {
	case FIELD_TEXT:
		return get_pointer(at);
	case FIELD_ENUM:
		return field->names[get_unsigned(at)];
	case FIELD_NUMBER:
	case FIELD_SIZE:
	case FIELD_BYTES:
		return number_text(field, rec, buf);
	case FIELD_FLAG:
	case FIELD_SELF:
	case FIELD_STRUCT:
	case FIELD_OWN:
	case FIELD_LIST:
	case FIELD_KEEP:
		break;
	}
	return NULL;
}

static void format_raw(const char *raw, struct xml_out *out)
{
	/* Elements of one name stand behind each other, divided by a NUL's stand-in. */
	g_auto(GStrv) parts = g_strsplit(raw, "\n\f", -1);

	for (unsigned i = 0; parts[i]; i++)
		xml_out_raw(out, parts[i]);
}

static void format_list(const struct field *field, const void *rec, struct xml_out *out,
			unsigned marks)
{
	const char *items = get_pointer(field_in(field, rec));
	unsigned count = get_unsigned((const char *)rec + field->count_offset);

	for (unsigned i = 0; i < count; i++)
		record_format(field->record, items + i * field->record->size, field->name, out,
			      marks);
}

static void format_value(const struct field *field, const void *rec, struct xml_out *out,
			 unsigned marks)
{
	char buf[NUMBER_TEXT];
	const char *value = value_text(field, rec, marks, buf);

	if (!value || !*value)
		return;
	xml_out_start(out, field->name);
	if (field->kind == FIELD_SIZE && !(field->marks & FIELD_BARE))
		xml_out_attr(out, "unit", "KiB");
	else if (field->kind == FIELD_BYTES)
		xml_out_attr(out, "unit", "bytes");
	xml_out_end(out, field->name, value);
}

static void format_child(const struct field *field, const void *rec, struct xml_out *out,
			 unsigned marks)
{
	const void *at = field_in(field, rec);

	switch (field->kind) {
	case FIELD_TEXT:
	case FIELD_NUMBER:
	case FIELD_ENUM:
	case FIELD_SIZE:
	case FIELD_BYTES:
		format_value(field, rec, out, marks);
		break;
	case FIELD_FLAG:
		if (*(const bool *)at)
			xml_out_text(out, field->name, NULL);
		break;
	case FIELD_STRUCT:
		if (!record_is_empty(field->record, at, marks))
			record_format(field->record, at, field->name, out, marks);
		break;
	case FIELD_OWN:
		if (get_pointer(at))
			record_format(field->record, get_pointer(at), field->name, out, marks);
		break;
	case FIELD_LIST:
		format_list(field, rec, out, marks);
		break;
	case FIELD_KEEP:
		if (get_pointer(at))
			format_raw(get_pointer(at), out);
		break;
	case FIELD_SELF:
		break;
	}
}

void record_format_children(const struct record *record, const void *rec, struct xml_out *out,
			    unsigned marks)
{
	for (unsigned i = 0; i < record->count; i++) {
		const struct field *field = &record->fields[i];

		if (*field->name && field->name[0] != '@' && !(field->marks & FIELD_MEMORY))
			format_child(field, rec, out, marks);
	}
}

void record_format(const struct record *record, const void *rec, const char *name,
		   struct xml_out *out, unsigned marks)
{
	char own_buf[NUMBER_TEXT];
	const char *own = NULL;

	xml_out_start(out, name);
	for (unsigned i = 0; i < record->count; i++) {
		const struct field *field = &record->fields[i];

		if (field->name[0] == '@') {
			char buf[NUMBER_TEXT];
			const char *value = value_text(field, rec, marks, buf);

			if (value)
				xml_out_attr(out, field->name + 1, value);
		} else if (!*field->name && field->kind != FIELD_SELF) {
			own = value_text(field, rec, marks, own_buf);
		}
	}
	record_format_children(record, rec, out, marks);
	/* Text beside elements means nothing anywhere in these documents. */
	xml_out_end(out, name, out->open ? own : NULL);
}
