/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * xml-write.c - elements, attributes and text as XML text
 */
#include "model/xml-int.h"

/* How a character is spelled, or NULL: as it is. A parser makes spaces of some in attributes else. */
static const char *spelling(char c, bool attr)
{
	switch (c) {
	case '&':
		return "&amp;";
	case '<':
		return "&lt;";
	case '>':
		return "&gt;";
	case '\'':
		return "&apos;";
	case '"':
		return "&quot;";
	case '\r':
		return "&#13;";
	case '\n':
		return attr ? "&#10;" : NULL;
	case '\t':
		return attr ? "&#9;" : NULL;
	default:
		return NULL;
	}
}

static void append_escaped(GString *text, const char *s, bool attr)
{
	const char *plain = s;

	for (; *s; s++) {
		const char *spelled = spelling(*s, attr);

		if (!spelled)
			continue;
		g_string_append_len(text, plain, s - plain);
		g_string_append(text, spelled);
		plain = s + 1;
	}
	g_string_append_len(text, plain, s - plain);
}

static void indent(struct xml_out *out)
{
	if (out->open) {
		g_string_append(out->text, ">\n");
		out->open = false;
	}
	for (unsigned i = 0; i < out->depth; i++)
		g_string_append_len(out->text, "  ", 2);
}

void xml_out_start(struct xml_out *out, const char *name)
{
	indent(out);
	g_string_append_c(out->text, '<');
	g_string_append(out->text, name);
	out->depth++;
	out->open = true;
}

void xml_out_attr(struct xml_out *out, const char *name, const char *value)
{
	g_string_append_c(out->text, ' ');
	g_string_append(out->text, name);
	g_string_append_len(out->text, "='", 2);
	append_escaped(out->text, value, true);
	g_string_append_c(out->text, '\'');
}

void xml_out_text(struct xml_out *out, const char *name, const char *text)
{
	xml_out_start(out, name);
	xml_out_end(out, name, text);
}

void xml_out_raw(struct xml_out *out, const char *raw)
{
	indent(out);
	g_string_append(out->text, raw);
	g_string_append_c(out->text, '\n');
}

static void end_tag(GString *text, const char *name)
{
	g_string_append_len(text, "</", 2);
	g_string_append(text, name);
	g_string_append_len(text, ">\n", 2);
}

void xml_out_end(struct xml_out *out, const char *name, const char *text)
{
	out->depth--;
	if (text && *text) {
		g_string_append_c(out->text, '>');
		append_escaped(out->text, text, false);
		end_tag(out->text, name);
	} else if (out->open) {
		g_string_append(out->text, "/>\n");
	} else {
		indent(out);
		end_tag(out->text, name);
	}
	out->open = false;
}
