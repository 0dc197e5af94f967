/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * field-parse.c - an XML element into a struct that has a table
 *
 * What the table does not name is told in a note, or is an error if the caller is strict.
 */
#include <inttypes.h>
#include <string.h>

#include "model/field-int.h"
#include "model/say-int.h"

static const char *node_name(const xmlNode *node)
{
	return (const char *)node->name;
}

static bool fail(GError **error, const xmlNode *node, const struct field *field, const char *value,
		 const char *wanted)
{
	const char *name = *field->name ? field->name : "its text";
	const char *what = field->name[0] == '@' ? "attribute " : "";

	return model_error(error, SOCLE_ERROR_USAGE, "<%s> in line %ld: %s%s is '%.64s'; give %s",
			   node_name(node), libxml->GetLineNo((xmlNode *)(uintptr_t)node), what,
			   name + (name[0] == '@'), value, wanted);
}

static bool unknown(const struct field_parse *how, const xmlNode *node, const char *what,
		    const char *name, GError **error)
{
	if (how->strict)
		return model_error(
			error, SOCLE_ERROR_USAGE,
			"<%s> in line %ld has %s '%.64s', which is not known there; remove it",
			node_name(node), libxml->GetLineNo((xmlNode *)(uintptr_t)node), what, name);
	notes_add(how->notes, "%s '%.64s' of <%s> is not known and was ignored", what, name,
		  node_name(node));
	return true;
}

static bool parse_based(const char *text, unsigned base, int64_t *ret_value)
{
	gint64 value;

	if (!g_ascii_isxdigit(text[*text == '-']) ||
	    !g_ascii_string_to_signed(text, base, INT64_MIN, INT64_MAX, &value, NULL))
		return false;
	*ret_value = value;
	return true;
}

static bool parse_int(const char *text, int64_t *ret_value)
{
	bool negative = *text == '-';
	g_autofree char *digits = NULL;

	if (!g_str_has_prefix(text + negative, "0x"))
		return parse_based(text, 10, ret_value);
	digits = g_strconcat(negative ? "-" : "", text + negative + 2, NULL);
	return parse_based(digits, 16, ret_value);
}

static bool take_octal(const struct field *field, struct number *number, const char *text,
		       const xmlNode *node, GError **error)
{
	g_autofree char *wanted = NULL;
	int64_t value;

	if (!parse_based(text, 8, &value) || value < field->min || value > field->max) {
		wanted = g_strdup_printf("an octal number up to 0%" PRIo64, (uint64_t)field->max);
		return fail(error, node, field, text, wanted);
	}
	*number = number_of(value);
	return true;
}

static bool take_number(const struct field *field, struct number *number, const char *text,
			const xmlNode *node, GError **error)
{
	g_autofree char *wanted = NULL;
	int64_t value;

	if (!parse_int(text, &value) || value < field->min || value > field->max) {
		wanted = g_strdup_printf("a number from %" PRId64 " to %" PRId64, field->min,
					 field->max);
		return fail(error, node, field, text, wanted);
	}
	*number = number_of(value);
	return true;
}

/* Return the bytes of a unit, or 0. */
static uint64_t unit_bytes(const char *unit)
{
	static const char letters[] = "kmgtpe";
	const char *letter = *unit ? strchr(letters, g_ascii_tolower(*unit)) : NULL;
	uint64_t step, bytes = 1;

	if (!strcmp(unit, "b") || !strcmp(unit, "B") || !strcmp(unit, "bytes"))
		return 1;
	if (!letter)
		return 0;
	if (!unit[1] || !strcmp(unit + 1, "iB"))
		step = 1024;
	else if (!strcmp(unit + 1, "B"))
		step = 1000;
	else
		return 0;
	for (const char *p = letters; p <= letter; p++)
		bytes *= step;
	return bytes;
}

static bool take_size(const struct field *field, struct number *number, const char *text,
		      xmlNode *node, GError **error)
{
	xmlChar *given = libxml->GetNoNsProp(node, xml_str("unit"));
	uint64_t kept = field->kind == FIELD_BYTES ? 1 : 1024;
	uint64_t unit = given ? unit_bytes((const char *)given) : kept;
	__int128 bytes;
	int64_t value;

	xml_free(given);
	if (unit == 0)
		return model_error(error, SOCLE_ERROR_USAGE,
				   "<%s> in line %ld: its unit is not known; give KiB, MiB or GiB",
				   node_name(node), libxml->GetLineNo(node));
	if (!parse_int(text, &value) || value < 0)
		return fail(error, node, field, text, "a size, a number of its unit");
	bytes = (__int128)value * unit;
	if (bytes > ((__int128)1 << 62))
		return fail(error, node, field, text, "a size that an address can reach");
	*number = number_of((int64_t)((bytes + kept - 1) / kept));
	return true;
}

static bool take_enum(const struct field *field, unsigned *value, const char *text,
		      const xmlNode *node, GError **error)
{
	g_autofree char *names = NULL, *wanted = NULL;

	for (unsigned i = 1; field->names[i]; i++) {
		if (!strcmp(text, field->names[i])) {
			*value = i;
			return true;
		}
	}
	names = g_strjoinv(", ", (char **)(uintptr_t)(field->names + 1));
	wanted = g_strconcat("one of ", names, NULL);
	return fail(error, node, field, text, wanted);
}

/* The text of an attribute or element. @node is where it stands. */
static bool take_value(const struct field *field, void *rec, const char *text, xmlNode *node,
		       GError **error)
{
	g_autofree char *stripped = g_strstrip(g_strdup(text));
	void *at = field_at(field, rec);
	char *copy;

	switch (field->kind) {
	case FIELD_NUMBER:
		return field->marks & FIELD_OCTAL ? take_octal(field, at, stripped, node, error)
						  : take_number(field, at, stripped, node, error);
	case FIELD_SIZE:
	case FIELD_BYTES:
		return take_size(field, at, stripped, node, error);
	case FIELD_ENUM:
		return take_enum(field, at, stripped, node, error);
	case FIELD_TEXT:
		copy = g_strdup(text);
		memcpy(at, &copy, sizeof(copy));
		return true;
	case FIELD_FLAG:
	case FIELD_SELF:
	case FIELD_STRUCT:
	case FIELD_OWN:
	case FIELD_LIST:
	case FIELD_KEEP:
		break;
	}
	return true;
}

/* Without what stands in the elements within. NULL is no text at all. */
static xmlChar *own_text(xmlNode *node)
{
	return libxml->NodeListGetString(node->doc, node->children, 1);
}

static bool take_attribute(const struct record *record, void *rec, xmlNode *node, xmlAttr *attr,
			   const struct field_parse *how, GError **error)
{
	const char *name = (const char *)attr->name;
	xmlChar *text;
	bool ok;

	for (unsigned i = 0; i < record->count; i++) {
		const struct field *field = &record->fields[i];

		if (attr->ns || field->name[0] != '@' || strcmp(field->name + 1, name) != 0)
			continue;
		text = libxml->NodeListGetString(node->doc, attr->children, 1);
		ok = take_value(field, rec, text ? (const char *)text : "", node, error);
		xml_free(text);
		return ok;
	}
	return unknown(how, node, "attribute", name, error);
}

static bool stands_for(const struct field *field, const xmlNode *node)
{
	if (!node->ns != !field->namespace || strcmp(field->name, node_name(node)) != 0)
		return false;
	return !node->ns || !strcmp((const char *)node->ns->href, field->namespace);
}

/* Elements of one name are kept in one text, each behind a line that nothing else can have: a form feed is no
 * character of XML. All of them are taken with the first one, so that no text is copied once for each. */
static void keep(const struct field *field, void *rec, xmlNode *first)
{
	GString *all = g_string_new(NULL);
	char *text;

	for (xmlNode *node = first; node; node = node->next) {
		g_autofree char *raw = NULL;

		if (node->type != XML_ELEMENT_NODE || !stands_for(field, node))
			continue;
		raw = xml_dump(node);
		if (node != first)
			g_string_append(all, "\n\f");
		g_string_append(all, raw);
	}
	text = g_string_free(all, FALSE);
	memcpy(field_at(field, rec), &text, sizeof(text));
}

static bool take_list(const struct field *field, void *rec, xmlNode *node,
		      const struct field_parse *how, GError **error)
{
	unsigned *count = (void *)((char *)rec + field->count_offset);

	if (*count >= field->max)
		return model_error(error, SOCLE_ERROR_LIMIT,
				   "there are more than %" PRId64 " elements <%s>; take some out",
				   field->max, field->name);
	return record_parse(field->record, list_add(field->record, field_at(field, rec), count),
			    node, how, error);
}

static bool take_own(const struct field *field, void *rec, xmlNode *node,
		     const struct field_parse *how, GError **error)
{
	void *own = g_malloc0(field->record->size);

	memcpy(field_at(field, rec), &own, sizeof(own));
	return record_parse(field->record, own, node, how, error);
}

/* Attributes and elements in an element of which only the text or the presence counts. */
static bool check_plain(const struct field *field, xmlNode *node, const struct field_parse *how,
			GError **error)
{
	for (const xmlAttr *attr = node->properties; attr; attr = attr->next) {
		const char *name = (const char *)attr->name;

		if ((field->kind == FIELD_SIZE || field->kind == FIELD_BYTES) &&
		    !strcmp(name, "unit"))
			continue;
		if (!unknown(how, node, "attribute", name, error))
			return false;
	}
	for (const xmlNode *child = node->children; child; child = child->next) {
		if (child->type == XML_ELEMENT_NODE &&
		    !unknown(how, node, "element", node_name(child), error))
			return false;
	}
	return true;
}

/* An element that @field stands for. */
static bool take_child(const struct field *field, void *rec, xmlNode *node,
		       const struct field_parse *how, GError **error)
{
	xmlChar *text;
	bool ok;

	switch (field->kind) {
	case FIELD_KEEP:
		keep(field, rec, node);
		return true;
	case FIELD_LIST:
		return take_list(field, rec, node, how, error);
	case FIELD_STRUCT:
		return record_parse(field->record, field_at(field, rec), node, how, error);
	case FIELD_OWN:
		return take_own(field, rec, node, how, error);
	case FIELD_FLAG:
		*(bool *)field_at(field, rec) = true;
		return check_plain(field, node, how, error);
	case FIELD_TEXT:
	case FIELD_NUMBER:
	case FIELD_SIZE:
	case FIELD_BYTES:
	case FIELD_ENUM:
		text = own_text(node);
		ok = take_value(field, rec, text ? (const char *)text : "", node, error);
		xml_free(text);
		return ok && check_plain(field, node, how, error);
	case FIELD_SELF:
		break;
	}
	return true;
}

static const struct field *find_child(const struct record *record, const xmlNode *node)
{
	for (unsigned i = 0; i < record->count; i++) {
		if (stands_for(&record->fields[i], node))
			return &record->fields[i];
	}
	return NULL;
}

static bool take_element(const struct record *record, void *rec, xmlNode *node, uint64_t *seen,
			 const struct field_parse *how, GError **error)
{
	const struct field *field = find_child(record, node);
	uint64_t bit;

	if (!field)
		return unknown(how, node->parent, "element", node_name(node), error);
	bit = (uint64_t)1 << (field - record->fields);
	if ((*seen & bit) && field->kind == FIELD_KEEP)
		return true;
	if ((*seen & bit) && field->kind != FIELD_LIST)
		return model_error(
			error, SOCLE_ERROR_USAGE, "<%s> in line %ld has <%s> twice; remove one",
			node_name(node->parent), libxml->GetLineNo(node), node_name(node));
	*seen |= bit;
	return take_child(field, rec, node, how, error);
}

static bool is_blank(const char *text)
{
	return !text || !text[strspn(text, " \t\r\n")];
}

static bool take_own_text(const struct record *record, void *rec, xmlNode *node, GError **error)
{
	for (unsigned i = 0; i < record->count; i++) {
		const struct field *field = &record->fields[i];
		xmlChar *text;
		bool ok;

		if (*field->name)
			continue;
		if (field->kind == FIELD_SELF) {
			*(bool *)field_at(field, rec) = true;
			continue;
		}
		text = own_text(node);
		ok = is_blank((const char *)text) ||
		     take_value(field, rec, (const char *)text, node, error);
		xml_free(text);
		if (!ok)
			return false;
	}
	return true;
}

bool record_parse(const struct record *record, void *rec, xmlNode *node,
		  const struct field_parse *how, GError **error)
{
	uint64_t seen = 0;

	/* A bit for each field tells what was there already. */
	g_assert(record->count <= 64);
	for (xmlAttr *attr = node->properties; attr; attr = attr->next) {
		if (!take_attribute(record, rec, node, attr, how, error))
			return false;
	}
	for (xmlNode *child = node->children; child; child = child->next) {
		if (child->type == XML_ELEMENT_NODE &&
		    !take_element(record, rec, child, &seen, how, error))
			return false;
	}
	return take_own_text(record, rec, node, error);
}
