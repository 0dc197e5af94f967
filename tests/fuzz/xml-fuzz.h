/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * xml-fuzz.h - inputs of the fuzzers of documents, and how one becomes another
 *
 * An input is a document, with which everything is done; or a digit and a document. Then the digit chooses
 * what is done, and the name of the first element what kind of document it is, so that one execution does
 * one thing, and there can be many.
 *
 * Half of the new inputs are made by libFuzzer out of bytes. For the others a document is read as far as its
 * tags go, and an element or attribute comes, goes or changes, as the room's own tables say that there can be.
 */
#ifndef XML_FUZZ_H
#define XML_FUZZ_H

#include <assert.h>
#include <inttypes.h>
#include <stdint.h>
#include <string.h>

#include <glib.h>

#include "model/fields-int.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed);
/* libFuzzer's own; a replay has none, and needs none. */
__attribute__((weak)) size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);

enum {
	XML_ALL = -1, /* no digit: whatever there is to be done */
	XML_ELEMENTS_MAX = 64,
	XML_DEPTH_MAX = 3, /* of what is made at once */
};

/* What stands at an input's root: an element of this name. */
struct xml_root {
	const char *name;
	const struct record *record;
};

struct xml_element {
	size_t start, name_end, tag_end,
		end;                 /* '<', behind its name, behind its '>', behind all of it */
	const struct record *record; /* NULL: not known, or a mere value */
	const struct field *field;   /* of its parent; NULL at the root */
};

struct xml_mutation {
	const struct xml_root *roots;
	unsigned root_count;
	const char *text;
	size_t len;
	struct xml_element elements[XML_ELEMENTS_MAX];
	unsigned count;
	uint32_t random;
};

/* Take the digit off. */
static inline int xml_mode(const uint8_t **data, size_t *size)
{
	if (*size == 0 || !g_ascii_isdigit(**data))
		return XML_ALL;
	(*size)--;
	return *(*data)++ - '0';
}

/* Is the first element, which may stand behind comments and the like, of this name? */
static inline bool xml_root_is(const char *xml, size_t len, const char *name)
{
	size_t n = strlen(name);

	for (size_t i = 0; i + 1 + n < len; i++) {
		if (xml[i] == '<' && g_ascii_isalpha(xml[i + 1]))
			return !memcmp(xml + i + 1, name, n) && !g_ascii_isalnum(xml[i + 1 + n]);
	}
	return false;
}

static inline uint32_t xml_random(struct xml_mutation *m, uint32_t below)
{
	assert(below > 0);
	m->random ^= m->random << 13;
	m->random ^= m->random >> 17;
	m->random ^= m->random << 5;
	return m->random % below;
}

/* == What there is == */

static const struct field *xml_child(const struct record *record, const char *name, size_t len)
{
	for (unsigned i = 0; record && i < record->count; i++) {
		const char *own = record->fields[i].name;

		if (strlen(own) == len && !memcmp(own, name, len))
			return &record->fields[i];
	}
	return NULL;
}

static void xml_know(struct xml_mutation *m, struct xml_element *e,
		     const struct xml_element *parent)
{
	const char *name = m->text + e->start + 1;
	size_t len = e->name_end - e->start - 1;

	if (parent) {
		e->field = xml_child(parent->record, name, len);
		e->record = e->field ? e->field->record : NULL;
		return;
	}
	for (unsigned i = 0; i < m->root_count; i++) {
		if (strlen(m->roots[i].name) == len && !memcmp(m->roots[i].name, name, len))
			e->record = m->roots[i].record;
	}
}

static size_t xml_tag_end(const struct xml_mutation *m, size_t at)
{
	char quote = 0;

	for (; at < m->len; at++) {
		char c = m->text[at];

		if (quote)
			quote = c == quote ? 0 : quote;
		else if (c == '\'' || c == '"')
			quote = c;
		else if (c == '>')
			return at + 1;
	}
	return m->len;
}

static void xml_scan(struct xml_mutation *m)
{
	unsigned open[XML_ELEMENTS_MAX], depth = 0;

	for (size_t i = 0; i + 1 < m->len && m->count < XML_ELEMENTS_MAX; i++) {
		struct xml_element *e;

		if (m->text[i] != '<')
			continue;
		if (m->text[i + 1] == '/' && depth > 0) {
			i = xml_tag_end(m, i) - 1;
			m->elements[open[--depth]].end = i + 1;
			continue;
		}
		if (!g_ascii_isalpha(m->text[i + 1]))
			continue;
		e = &m->elements[m->count];
		*e = (struct xml_element){ .start = i, .name_end = i + 1, .end = m->len };
		while (e->name_end < m->len && (g_ascii_isalnum(m->text[e->name_end]) ||
						strchr("_:-", m->text[e->name_end])))
			e->name_end++;
		e->tag_end = xml_tag_end(m, e->name_end);
		xml_know(m, e, depth > 0 ? &m->elements[open[depth - 1]] : NULL);
		i = e->tag_end - 1;
		if (m->text[i - 1] == '/')
			e->end = e->tag_end;
		else
			open[depth++] = m->count;
		m->count++;
	}
}

/* == What there can be == */

static const char *xml_word(struct xml_mutation *m)
{
	static const char *const words[] = {
		"",
		"a",
		"default",
		"vda",
		"hdc",
		"sdb",
		"vnet0",
		"br0",
		"eth0",
		"virtio",
		"qcow2",
		"raw",
		"e1000",
		"vga",
		"none",
		"yes",
		"no",
		"on",
		"off",
		"x86_64",
		"i686",
		"hvm",
		"pc",
		"q35",
		"efi",
		"bios",
		"hd",
		"cdrom",
		"network",
		"custom",
		"host-passthrough",
		"v2",
		"utc",
		"serial",
		"isa-serial",
		"random",
		"/dev/urandom",
		"reset",
		"poweroff",
		"address",
		"tcp",
		"udp",
		"connect",
		"bind",
		"static",
		"minutes",
		"KiB",
		"0-3,^2",
		"0",
		"1",
		"15",
		"64",
		"65536",
		"-1",
		"0x10",
		"0755",
		"/a",
		"/a/b.img",
		"../a",
		"-x",
		"a b",
		"a,b",
		"&#10;",
		"&apos;",
		"10.0.0.1",
		"10.0.0.9",
		"192.168.122.1",
		"255.255.255.0",
		"239.0.0.1",
		"fd00::1",
		"fd00::2",
		"::",
		"52:54:00:12:34:56",
		"52:54:00:12:34:57",
		"6695eb01-f6a4-8304-79aa-97f2502e193f",
		"example.org",
		"lvm2",
		"ext4",
		"nfs",
		"gpt",
		"iqn.2013-06.com.example:a",
		"ua-a",
		"net0",
	};

	return words[xml_random(m, G_N_ELEMENTS(words))];
}

static void xml_add_value(struct xml_mutation *m, GString *out, const struct field *field)
{
	static const int64_t numbers[] = { 0, 1, 2, 3, 16, 64, 1000, 65535, INT32_MAX, -1 };
	unsigned names = 0;
	uint32_t span = (uint32_t)MIN((uint64_t)field->max - (uint64_t)field->min, 1000);

	/* What does not belong there, too. */
	if (xml_random(m, 8) == 0) {
		g_string_append(out, xml_word(m));
		return;
	}
	switch (field->kind) {
	case FIELD_ENUM:
		while (field->names[names + 1])
			names++;
		g_string_append(out, field->names[1 + xml_random(m, names)]);
		break;
	case FIELD_NUMBER:
		if (xml_random(m, 4) > 0)
			g_string_append_printf(out, "%" PRId64,
					       field->min + xml_random(m, span + 1));
		else
			g_string_append_printf(out, "%" PRId64,
					       xml_random(m, 2) ? field->min : field->max);
		break;
	case FIELD_SIZE:
	case FIELD_BYTES:
		g_string_append_printf(out, "%" PRId64,
				       numbers[xml_random(m, G_N_ELEMENTS(numbers))]);
		break;
	case FIELD_TEXT:
	case FIELD_FLAG:
	case FIELD_SELF:
	case FIELD_STRUCT:
	case FIELD_OWN:
	case FIELD_LIST:
	case FIELD_KEEP:
	default:
		g_string_append(out, xml_word(m));
	}
}

static void xml_add_attribute(struct xml_mutation *m, GString *out, const struct field *field)
{
	g_string_append_printf(out, " %s='", field->name + 1);
	xml_add_value(m, out, field);
	g_string_append_c(out, '\'');
}

static void xml_add_element(struct xml_mutation *m, GString *out, const struct field *field,
			    unsigned depth);

/* A tag's attributes, and what stands in the element. */
static void xml_add_inner(struct xml_mutation *m, GString *out, const char *name,
			  const struct record *record, unsigned depth)
{
	const struct field *text = xml_child(record, "", 0);
	unsigned children = 0;

	assert(record);
	for (unsigned i = 0; i < record->count; i++) {
		if (record->fields[i].name[0] == '@')
			children += xml_random(m, 3) == 0;
		if (record->fields[i].name[0] == '@' && xml_random(m, 2) == 0)
			xml_add_attribute(m, out, &record->fields[i]);
	}
	g_string_append_c(out, '>');
	children = xml_random(m, 3);
	for (unsigned i = 0; i < children && depth < XML_DEPTH_MAX; i++)
		xml_add_element(m, out, &record->fields[xml_random(m, record->count)], depth + 1);
	if (text && text->kind != FIELD_SELF)
		xml_add_value(m, out, text);
	g_string_append_printf(out, "</%s>", name);
}

static void xml_add_element(struct xml_mutation *m, GString *out, const struct field *field,
			    unsigned depth)
{
	const char *name = field->name;

	if (!*name || *name == '@')
		return;
	g_string_append_printf(out, "<%s", name);
	if (field->namespace)
		g_string_append_printf(out, " xmlns='%s'", field->namespace);
	if (field->record) {
		xml_add_inner(m, out, name, field->record, depth);
		return;
	}
	if (field->kind == FIELD_FLAG) {
		g_string_append(out, "/>");
		return;
	}
	if (field->kind == FIELD_SIZE && xml_random(m, 2))
		g_string_append(out, " unit='MiB'");
	g_string_append_c(out, '>');
	xml_add_value(m, out, field);
	g_string_append_printf(out, "</%s>", name);
}

/* == One becomes another == */

static const struct field *xml_pick(struct xml_mutation *m, const struct record *record,
				    bool attribute)
{
	for (unsigned tries = 0; record && tries < 16; tries++) {
		const struct field *field = &record->fields[xml_random(m, record->count)];

		if (*field->name && (field->name[0] == '@') == attribute)
			return field;
	}
	return NULL;
}

/* The text from @from to @to becomes what is in @middle. */
static void xml_replace(GString *text, size_t from, size_t to, const GString *middle)
{
	g_string_erase(text, (gssize)from, (gssize)(to - from));
	g_string_insert_len(text, (gssize)from, middle->str, (gssize)middle->len);
}

/* Another value for one of the attributes of @e, or none of them. */
static void xml_change_attribute(struct xml_mutation *m, GString *text, const struct xml_element *e)
{
	g_autoptr(GString) middle = g_string_new(NULL);
	size_t starts[16], count = 0, from, to;
	char quote = 0;

	for (size_t i = e->name_end; i < e->tag_end && count < G_N_ELEMENTS(starts); i++) {
		char c = m->text[i];

		if (!quote && g_ascii_isspace(c))
			starts[count++] = i;
		if (c == quote)
			quote = 0;
		else if (!quote && (c == '\'' || c == '"'))
			quote = c;
	}
	if (count == 0)
		return;
	from = to = starts[xml_random(m, (uint32_t)count)];
	while (to < e->tag_end && m->text[to] != '=' && m->text[to] != '>')
		to++;
	if (xml_random(m, 4) > 0 && to > from + 1) {
		g_autofree char *name = g_strndup(m->text + from, to - from);
		const struct field *field;

		name[0] = '@';
		field = xml_child(e->record, name, strlen(name));
		if (field)
			xml_add_attribute(m, middle, field);
		else
			g_string_append_printf(middle, " %s='%s'", name + 1, xml_word(m));
	}
	while (to < e->tag_end && !strchr("'\"", m->text[to]))
		to++;
	for (quote = m->text[to], to++; to < e->tag_end && m->text[to] != quote;)
		to++;
	if (to < e->tag_end)
		xml_replace(text, from, to + 1, middle);
}

static void xml_add_child(struct xml_mutation *m, GString *text, const struct xml_element *e)
{
	g_autoptr(GString) middle = g_string_new(NULL);
	const struct field *field = xml_pick(m, e->record, false);

	if (!field)
		return;
	xml_add_element(m, middle, field, 1);
	if (m->text[e->tag_end - 1] != '>')
		return;
	if (m->text[e->tag_end - 2] == '/') {
		g_string_prepend_c(middle, '>');
		g_string_append(middle, "</");
		g_string_append_len(middle, m->text + e->start + 1,
				    (gssize)(e->name_end - e->start - 1));
		g_string_append_c(middle, '>');
		xml_replace(text, e->tag_end - 2, e->tag_end, middle);
		return;
	}
	xml_replace(text, e->tag_end, e->tag_end, middle);
}

static void xml_change_content(struct xml_mutation *m, GString *text, const struct xml_element *e)
{
	g_autoptr(GString) middle = g_string_new(NULL);
	const struct field *field = e->record ? xml_child(e->record, "", 0) : e->field;
	size_t to = e->tag_end;

	if (!field)
		return;
	while (to < m->len && m->text[to] != '<')
		to++;
	if (m->text[e->tag_end - 2] == '/')
		return;
	xml_add_value(m, middle, field);
	xml_replace(text, e->tag_end, to, middle);
}

static void xml_change(struct xml_mutation *m, GString *text)
{
	const struct xml_element *e = &m->elements[xml_random(m, m->count)];
	g_autoptr(GString) middle = g_string_new(NULL);
	const struct field *field;

	switch (xml_random(m, 8)) {
	case 0:
		if (e->start > m->elements[0].start)
			g_string_erase(text, (gssize)e->start, (gssize)(e->end - e->start));
		break;
	case 1:
		if (e->start > m->elements[0].start)
			g_string_insert_len(text, (gssize)e->end, m->text + e->start,
					    (gssize)(e->end - e->start));
		break;
	case 2:
	case 3:
		xml_add_child(m, text, e);
		break;
	case 4:
		field = xml_pick(m, e->record, true);
		if (field) {
			xml_add_attribute(m, middle, field);
			xml_replace(text, e->name_end, e->name_end, middle);
		}
		break;
	case 5:
		xml_change_content(m, text, e);
		break;
	default:
		xml_change_attribute(m, text, e);
	}
}

static void xml_make(struct xml_mutation *m, GString *text)
{
	const struct xml_root *root = &m->roots[xml_random(m, m->root_count)];

	g_string_printf(text, "<%s", root->name);
	xml_add_inner(m, text, root->name, root->record, 0);
}

/* For LLVMFuzzerCustomMutator(). @modes: digits from 0 that choose something. */
static inline size_t xml_mutate(const struct xml_root *roots, unsigned root_count, unsigned modes,
				uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
	struct xml_mutation m = { .roots = roots, .root_count = root_count, .random = seed | 1 };
	g_autoptr(GString) text = NULL;

	if (max_size < 2)
		return size;
	if (size == 0 || !g_ascii_isdigit(data[0])) {
		size = MIN(size, max_size - 1);
		memmove(data + 1, data, size++);
		data[0] = (uint8_t)('0' + xml_random(&m, modes));
	}
	if (xml_random(&m, 16) == 0)
		data[0] = (uint8_t)('0' + xml_random(&m, modes));
	if (xml_random(&m, 2) == 0)
		return 1 + LLVMFuzzerMutate(data + 1, size - 1, max_size - 1);
	m.text = (const char *)data + 1;
	m.len = size - 1;
	xml_scan(&m);
	text = g_string_new_len(m.text, (gssize)m.len);
	if (m.count == 0 || xml_random(&m, 200) == 0)
		xml_make(&m, text);
	else
		xml_change(&m, text);
	if (text->len == 0 || text->len > max_size - 1)
		return size;
	memcpy(data + 1, text->str, text->len);
	return 1 + text->len;
}

#endif
