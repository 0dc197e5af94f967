/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * field.c - structs that have a table: free, copy, extend
 */
#include <string.h>

#include "model/field-int.h"

const char *const yes_no_names[] = { NULL, "yes", "no", NULL };
const char *const on_off_names[] = { NULL, "on", "off", NULL };

/* Members of pointer type are read and set by memcpy(): the table does not know their types. */
static void *get_pointer(const void *at)
{
	void *p;

	memcpy(&p, at, sizeof(p));
	return p;
}

static void set_pointer(void *at, const void *p)
{
	memcpy(at, &p, sizeof(p));
}

static unsigned *list_count(const struct field *field, void *rec)
{
	return (void *)((char *)rec + field->count_offset);
}

static void release_list(const struct field *field, void *rec)
{
	char *items = get_pointer(field_at(field, rec));
	unsigned *count = list_count(field, rec);

	for (unsigned i = 0; i < *count; i++)
		record_release(field->record, items + i * field->record->size);
	g_free(items);
	*count = 0;
}

void record_release(const struct record *record, void *rec)
{
	for (unsigned i = 0; i < record->count; i++) {
		const struct field *field = &record->fields[i];
		void *at = field_at(field, rec);

		if (field->kind == FIELD_TEXT || field->kind == FIELD_KEEP) {
			g_free(get_pointer(at));
			set_pointer(at, NULL);
		} else if (field->kind == FIELD_STRUCT) {
			record_release(field->record, at);
		} else if (field->kind == FIELD_OWN && get_pointer(at)) {
			record_release(field->record, get_pointer(at));
			g_free(get_pointer(at));
			set_pointer(at, NULL);
		} else if (field->kind == FIELD_LIST) {
			release_list(field, rec);
			set_pointer(at, NULL);
		}
	}
}

static void copy_list(const struct field *field, void *to, const void *from)
{
	const char *items = get_pointer(field_in(field, from));
	unsigned count;

	memcpy(&count, (const char *)from + field->count_offset, sizeof(count));
	*list_count(field, to) = 0;
	set_pointer(field_at(field, to), NULL);
	for (unsigned i = 0; i < count; i++)
		record_copy(field->record,
			    list_add(field->record, field_at(field, to), list_count(field, to)),
			    items + i * field->record->size);
}

void record_copy(const struct record *record, void *to, const void *from)
{
	/* What is no pointer, and what has no field: the decisions of the step check. */
	memcpy(to, from, record->size);
	for (unsigned i = 0; i < record->count; i++) {
		const struct field *field = &record->fields[i];
		void *at = field_at(field, to);
		const void *in = field_in(field, from);

		if (field->kind == FIELD_TEXT || field->kind == FIELD_KEEP) {
			set_pointer(at, g_strdup(get_pointer(in)));
		} else if (field->kind == FIELD_STRUCT) {
			record_copy(field->record, at, in);
		} else if (field->kind == FIELD_OWN && get_pointer(in)) {
			void *copy = g_malloc(field->record->size);

			record_copy(field->record, copy, get_pointer(in));
			set_pointer(at, copy);
		} else if (field->kind == FIELD_LIST) {
			copy_list(field, to, from);
		}
	}
}

static bool is_absent(const struct field *field, const void *rec, unsigned marks)
{
	const void *at = field_in(field, rec);
	const char *text;
	unsigned number;

	if (field->marks & (FIELD_SECRET | FIELD_LIVE) & ~marks || field->marks & FIELD_MEMORY)
		return true;
	switch (field->kind) {
	case FIELD_TEXT:
	case FIELD_KEEP:
		text = get_pointer(at);
		return !text || (!*text && field->name[0] != '@');
	case FIELD_NUMBER:
	case FIELD_SIZE:
	case FIELD_BYTES:
		return !((const struct number *)at)->set;
	case FIELD_ENUM:
		memcpy(&number, at, sizeof(number));
		return number == 0;
	case FIELD_FLAG:
	case FIELD_SELF:
		return !*(const bool *)at;
	case FIELD_STRUCT:
		return record_is_empty(field->record, at, marks);
	case FIELD_OWN:
		return !get_pointer(at);
	case FIELD_LIST:
		memcpy(&number, (const char *)rec + field->count_offset, sizeof(number));
		return number == 0;
	}
	return true;
}

bool record_is_empty(const struct record *record, const void *rec, unsigned marks)
{
	for (unsigned i = 0; i < record->count; i++) {
		if (!is_absent(&record->fields[i], rec, marks))
			return false;
	}
	return true;
}

void *list_add(const struct record *record, void *items, unsigned *count)
{
	char *all = get_pointer(items);

	all = g_realloc_n(all, *count + 1, record->size);
	set_pointer(items, all);
	all += (*count)++ * record->size;
	return memset(all, 0, record->size);
}

void list_remove(const struct record *record, void *items, unsigned *count, unsigned index)
{
	char *at = (char *)get_pointer(items) + index * record->size;

	record_release(record, at);
	(*count)--;
	memmove(at, at + record->size, (*count - index) * record->size);
}
