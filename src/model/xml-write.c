/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * xml-write.c - elements, attributes and text as XML text
 */
#include "model/xml-int.h"

static void append_escaped(GString *text, const char *s)
{
	for (; *s; s++) {
		switch (*s) {
		case '&':
			g_string_append(text, "&amp;");
			break;
		case '<':
			g_string_append(text, "&lt;");
			break;
		case '>':
			g_string_append(text, "&gt;");
			break;
		case '\'':
			g_string_append(text, "&apos;");
			break;
		case '"':
			g_string_append(text, "&quot;");
			break;
		case '\r':
			g_string_append(text, "&#13;");
			break;
		default:
			g_string_append_c(text, *s);
		}
	}
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
	g_string_append_printf(out->text, "<%s", name);
	out->depth++;
	out->open = true;
}

void xml_out_attr(struct xml_out *out, const char *name, const char *value)
{
	g_string_append_printf(out->text, " %s='", name);
	for (; *value; value++) {
		char one[] = { *value, 0 };

		/* A parser makes spaces of these unless they are spelled. */
		if (*value == '\n')
			g_string_append(out->text, "&#10;");
		else if (*value == '\t')
			g_string_append(out->text, "&#9;");
		else
			append_escaped(out->text, one);
	}
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
		append_escaped(out->text, text);
		g_string_append_printf(out->text, "</%s>\n", name);
	} else if (out->open) {
		g_string_append(out->text, "/>\n");
	} else {
		indent(out);
		g_string_append_printf(out->text, "</%s>\n", name);
	}
	out->open = false;
}
