/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * field-skim.c - the plain members of a struct that has a table, by GLib's small parser
 *
 * libxml2 takes longer to load, with all that it needs, than most commands take otherwise; and what a daemon
 * writes of its own objects is plain. So texts, words and sizes are taken by what is loaded anyway, and all
 * else in the table is left out. At whatever is not plain the whole is given up: namespaces, CDATA, units, what
 * stands there twice, elements in a text. Then field-parse.c has the word, which is also the only one to say
 * what is wrong. What is found by both is the same.
 */
#include <string.h>

#include "model/parse-int.h"

enum {
	LEVELS_MAX = 8 /* of structs in structs */
};

/* A struct whose element is open. */
struct level {
	const struct record *record;
	void *rec;
	uint64_t seen; /* a bit for each field */
};

struct skim {
	const char *root;
	struct level levels[LEVELS_MAX];
	unsigned depth;           /* of those */
	unsigned skipped;         /* elements that are open, from one that is left out on */
	const struct field *leaf; /* of the last level, whose text is coming; or NULL */
	GString *text;
	bool begun;
};

static void give_up(GError **error)
{
	g_set_error_literal(error, G_MARKUP_ERROR, G_MARKUP_ERROR_INVALID_CONTENT, "not plain");
}

static bool take_word(const struct field *field, unsigned *value, const char *text)
{
	for (unsigned i = 1; field->names[i]; i++) {
		if (!strcmp(text, field->names[i])) {
			*value = i;
			return true;
		}
	}
	return false;
}

static bool take_bytes(struct number *number, const char *text)
{
	uint64_t value;

	if (!g_ascii_string_to_unsigned(text, 10, 0, UINT64_C(1) << 62, &value, NULL))
		return false;
	*number = number_of((int64_t)value);
	return true;
}

/* Return: false if it is not as simple as that. */
static bool take(const struct field *field, void *rec, const char *text)
{
	g_autofree char *stripped = g_strstrip(g_strdup(text));
	void *at = field_at(field, rec);
	char *copy;

	if (field->kind == FIELD_ENUM)
		return take_word(field, at, stripped);
	if (field->kind == FIELD_BYTES)
		return take_bytes(at, stripped);
	copy = g_strdup(text);
	memcpy(at, &copy, sizeof(copy));
	return true;
}

/* Of a level: the field of an element, or of an attribute if @mark is "@". NULL: it is left out. */
static const struct field *find(const struct level *level, const char *mark, const char *name)
{
	const size_t len = strlen(mark);

	for (unsigned i = 0; i < level->record->count; i++) {
		const struct field *field = &level->record->fields[i];

		if (g_str_has_prefix(field->name, mark) && !field->namespace &&
		    !strcmp(field->name + len, name))
			return field->kind == FIELD_TEXT || field->kind == FIELD_ENUM ||
					       field->kind == FIELD_BYTES ||
					       field->kind == FIELD_STRUCT
				       ? field
				       : NULL;
	}
	return NULL;
}

static bool seen_before(struct level *level, const struct field *field)
{
	const uint64_t bit = UINT64_C(1) << (field - level->record->fields);
	bool before = level->seen & bit;

	level->seen |= bit;
	return before;
}

/* A size without a unit, or with one that changes nothing. */
static bool is_bytes(const char **names, const char **values)
{
	for (unsigned i = 0; names[i]; i++) {
		if (!strcmp(names[i], "unit") && strcmp(values[i], "bytes") != 0 &&
		    strcmp(values[i], "B") != 0)
			return false;
	}
	return true;
}

static bool take_attributes(struct level *level, const char **names, const char **values)
{
	for (unsigned i = 0; names[i]; i++) {
		const struct field *field = find(level, "@", names[i]);

		if (g_str_has_prefix(names[i], "xmlns"))
			return false;
		if (field && (seen_before(level, field) || !take(field, level->rec, values[i])))
			return false;
	}
	return true;
}

/* An element of a struct. */
static bool start_member(struct skim *skim, const char *name, const char **names,
			 const char **values)
{
	struct level *level = &skim->levels[skim->depth - 1];
	const struct field *field = find(level, "", name);

	if (!field) {
		skim->skipped = 1;
		return true;
	}
	if (seen_before(level, field) || skim->depth == LEVELS_MAX)
		return false;
	if (field->kind != FIELD_STRUCT) {
		skim->leaf = field;
		g_string_truncate(skim->text, 0);
		return field->kind != FIELD_BYTES || is_bytes(names, values);
	}
	skim->levels[skim->depth++] =
		(struct level){ .record = field->record, .rec = field_at(field, level->rec) };
	return take_attributes(&skim->levels[skim->depth - 1], names, values);
}

static void on_start(GMarkupParseContext *context, const char *name, const char **names,
		     const char **values, void *opaque, GError **error)
{
	struct skim *skim = opaque;
	bool ok;

	(void)context;
	if (skim->skipped) {
		skim->skipped++;
		return;
	}
	if (skim->depth == 0) {
		ok = !skim->begun && !strcmp(name, skim->root);
		skim->begun = true;
		skim->depth = 1;
		ok = ok && take_attributes(&skim->levels[0], names, values);
	} else {
		ok = !skim->leaf && start_member(skim, name, names, values);
	}
	if (!ok)
		give_up(error);
}

static void on_end(GMarkupParseContext *context, const char *name, void *opaque, GError **error)
{
	struct skim *skim = opaque;
	const struct field *leaf = skim->leaf;

	(void)context;
	(void)name;
	skim->leaf = NULL;
	if (skim->skipped)
		skim->skipped--;
	else if (!leaf)
		skim->depth--;
	else if (!take(leaf, skim->levels[skim->depth - 1].rec, skim->text->str))
		give_up(error);
}

static void on_text(GMarkupParseContext *context, const char *text, size_t len, void *opaque,
		    GError **error)
{
	struct skim *skim = opaque;

	(void)context;
	(void)error;
	if (skim->leaf)
		g_string_append_len(skim->text, text, (gssize)len);
}

static void on_other(GMarkupParseContext *context, const char *text, size_t len, void *opaque,
		     GError **error)
{
	(void)context;
	(void)len;
	(void)opaque;
	if (!g_str_has_prefix(text, "<!--"))
		give_up(error);
}

void *document_skim(const struct record *record, const char *root, const char *xml, size_t len)
{
	static const GMarkupParser parser = { on_start, on_end, on_text, on_other, NULL };
	void *rec = g_malloc0(record->size);
	struct skim skim = {
		.root = root,
		.levels = { { .record = record, .rec = rec } },
		.text = g_string_new(NULL),
	};
	GMarkupParseContext *context = g_markup_parse_context_new(&parser, 0, &skim, NULL);
	bool ok = g_markup_parse_context_parse(context, xml, (gssize)len, NULL) &&
		  g_markup_parse_context_end_parse(context, NULL);

	g_markup_parse_context_free(context);
	g_string_free(skim.text, TRUE);
	if (ok)
		return rec;
	document_free(record, rec);
	return NULL;
}
