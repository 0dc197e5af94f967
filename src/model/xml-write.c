/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * xml-write.c - elements, attributes and text as XML text
 */
#include <string.h>

#include "model/xml-int.h"

static const char *escape_of(char c)
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
		return "&#10;";
	default:
		return "&#9;";
	}
}

/* Most texts have none of the characters in @special, so what is between them goes as a whole. */
static void append_escaped(GString *text, const char *s, const char *special)
{
	for (;;) {
		size_t plain = strcspn(s, special);

		g_string_append_len(text, s, (gssize)plain);
		s += plain;
		if (!*s)
			return;
		g_string_append(text, escape_of(*s++));
	}
}

static void end_tag(GString *text, const char *name)
{
	g_string_append(text, "</");
	g_string_append(text, name);
	g_string_append(text, ">\n");
}

static void indent(struct xml_out *out)
{
	if (out->open) {
		g_string_append(out->text, ">\n");
		out->open = false;
	}
	for (unsigned i = 0; i < out->depth; i++)
		g_string_append(out->text, "  ");
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
	g_string_append(out->text, "='");
	/* A parser makes spaces of line breaks and tabs unless they are spelled. */
	append_escaped(out->text, value, "&<>'\"\r\n\t");
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

void xml_out_end(struct xml_out *out, const char *name, const char *text)
{
	out->depth--;
	if (text && *text) {
		g_string_append_c(out->text, '>');
		append_escaped(out->text, text, "&<>'\"\r");
		end_tag(out->text, name);
	} else if (out->open) {
		g_string_append(out->text, "/>\n");
	} else {
		indent(out);
		end_tag(out->text, name);
	}
	out->open = false;
}
