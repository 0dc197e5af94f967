/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * field-int.h - where the members of a struct stand in an XML element
 *
 * A table says it once; the steps parse and format, copying and freeing, walk over it. So what is read
 * is written, and nothing is forgotten when a definition is freed.
 */
#ifndef MODEL_FIELD_INT_H
#define MODEL_FIELD_INT_H

#include <assert.h>
#include <glib.h>
#include <stddef.h>
#include <stdint.h>

#include "model/notes.h"
#include "model/value.h"
#include "model/xml-int.h"

enum field_kind {
	FIELD_TEXT,   /* char * */
	FIELD_NUMBER, /* struct number, from min to max */
	FIELD_SIZE,   /* struct number of KiB; in XML with a unit */
	FIELD_BYTES,  /* the same of bytes, which is also what a number without a unit is */
	FIELD_ENUM,   /* an enum whose 0 stands for absent, by names[] */
	FIELD_FLAG,   /* bool: there is an element of this name */
	FIELD_SELF,   /* bool: the element itself is there, even if nothing stands in it */
	FIELD_STRUCT, /* a struct in place: an element, absent if all of it is */
	FIELD_OWN,    /* the same, a pointer to a struct on the heap, NULL if absent */
	FIELD_LIST,   /* an array on the heap, and its unsigned count: elements of one name */
	FIELD_KEEP,   /* char *: elements of this name as they were, not understood */
};

/* Which text a formatter is asked for, and what a member has to do with it. */
enum field_mark {
	FIELD_SECRET = 1 << 0, /* only written when secrets are asked for */
	FIELD_LIVE = 1 << 1,   /* only of a running machine */
	FIELD_BARE = 1 << 2,   /* of a FIELD_SIZE: written without its unit */
	FIELD_OCTAL = 1 << 3,  /* of a FIELD_NUMBER: read and written so, as permissions are */
	FIELD_MEMORY = 1 << 4, /* in no XML: its name is none that an element can have */
};

struct record;

struct field {
	const char *name; /* "@x" an attribute, "x" a child element, "" the element's own text */
	enum field_kind kind;
	size_t offset;
	size_t count_offset;         /* FIELD_LIST */
	const struct record *record; /* FIELD_STRUCT, FIELD_OWN, FIELD_LIST */
	const char *const *names;    /* FIELD_ENUM: [0] is NULL, ends in NULL */
	int64_t min, max;            /* FIELD_NUMBER; FIELD_LIST: at most max elements */
	const char *namespace;       /* FIELD_KEEP of elements that are not libvirt's own */
	unsigned marks;
	unsigned hex;                    /* FIELD_NUMBER: written as 0x with so many digits ... */
	bool (*hex_if)(const void *rec); /* ... if this is NULL or says so */
};

struct record {
	size_t size;
	const struct field *fields;
	unsigned count;
};

#define RECORD(type_, fields_)                                                                   \
	{                                                                                        \
		.size = sizeof(struct type_), .fields = (fields_), .count = ARRAY_SIZE(fields_), \
	}

/* In a table for struct T, with T defined as its tag. */
#define F_TEXT(x, m)                                                             \
	{                                                                        \
		.name = (x), .kind = FIELD_TEXT, .offset = offsetof(struct T, m) \
	}
#define F_TEXT_MARK(x, m, k)                                                                   \
	{                                                                                      \
		.name = (x), .kind = FIELD_TEXT, .offset = offsetof(struct T, m), .marks = (k) \
	}
#define F_NUM(x, m, lo, hi)                                                                      \
	{                                                                                        \
		.name = (x), .kind = FIELD_NUMBER, .offset = offsetof(struct T, m), .min = (lo), \
		.max = (hi)                                                                      \
	}
#define F_HEX(x, m, hi, n, c)                                                                    \
	{                                                                                        \
		.name = (x), .kind = FIELD_NUMBER, .offset = offsetof(struct T, m), .max = (hi), \
		.hex = (n), .hex_if = (c)                                                        \
	}
#define F_SIZE(x, m)                                                             \
	{                                                                        \
		.name = (x), .kind = FIELD_SIZE, .offset = offsetof(struct T, m) \
	}
#define F_BYTES(x, m)                                                             \
	{                                                                         \
		.name = (x), .kind = FIELD_BYTES, .offset = offsetof(struct T, m) \
	}
#define F_OCTAL(x, m, hi)                                                                        \
	{                                                                                        \
		.name = (x), .kind = FIELD_NUMBER, .offset = offsetof(struct T, m), .max = (hi), \
		.marks = FIELD_OCTAL                                                             \
	}
#define F_ENUM(x, m, n)                                                                        \
	{                                                                                      \
		.name = (x), .kind = FIELD_ENUM, .offset = offsetof(struct T, m), .names = (n) \
	}
#define F_FLAG(x, m)                                                             \
	{                                                                        \
		.name = (x), .kind = FIELD_FLAG, .offset = offsetof(struct T, m) \
	}
#define F_SELF(m)                                                               \
	{                                                                       \
		.name = "", .kind = FIELD_SELF, .offset = offsetof(struct T, m) \
	}
#define F_STRUCT(x, m, r)                                                                          \
	{                                                                                          \
		.name = (x), .kind = FIELD_STRUCT, .offset = offsetof(struct T, m), .record = &(r) \
	}
#define F_OWN(x, m, r)                                                                          \
	{                                                                                       \
		.name = (x), .kind = FIELD_OWN, .offset = offsetof(struct T, m), .record = &(r) \
	}
#define F_LIST(x, m, n, r, hi)                                                     \
	{                                                                          \
		.name = (x), .kind = FIELD_LIST, .offset = offsetof(struct T, m),  \
		.count_offset = offsetof(struct T, n), .record = &(r), .max = (hi) \
	}
#define F_KEEP(x, m)                                                             \
	{                                                                        \
		.name = (x), .kind = FIELD_KEEP, .offset = offsetof(struct T, m) \
	}

extern const char *const yes_no_names[];
extern const char *const on_off_names[];

/* The member that a field stands for. */
static inline void *field_at(const struct field *field, void *rec)
{
	return (char *)rec + field->offset;
}

static inline const void *field_in(const struct field *field, const void *rec)
{
	return (const char *)rec + field->offset;
}

/* How unknown elements and attributes are taken. */
struct field_parse {
	struct notes *notes; /* gets a sentence for each, or NULL */
	bool strict;         /* they are errors */
	bool kept;           /* the document is one of ours */
};

/**
 * record_parse() - read an element into a zeroed struct
 *
 * Return: false if it cannot be; the struct is then to be released all the same
 */
bool record_parse(const struct record *record, void *rec, xmlNode *node,
		  const struct field_parse *how, GError **error);

/* Write an element, with the members whose marks are among @marks or that have none. */
void record_format(const struct record *record, const void *rec, const char *name,
		   struct xml_out *out, unsigned marks);

/* Only the elements in it. */
void record_format_children(const struct record *record, const void *rec, struct xml_out *out,
			    unsigned marks);

/* Is nothing in it that would be written? */
bool record_is_empty(const struct record *record, const void *rec, unsigned marks);

void record_release(const struct record *record, void *rec);
/* @to is overwritten. */
void record_copy(const struct record *record, void *to, const void *from);

/* Return a new zeroed element at the end of a list whose record is @record. */
void *list_add(const struct record *record, void *items, unsigned *count);
void list_remove(const struct record *record, void *items, unsigned *count, unsigned index);

#endif
