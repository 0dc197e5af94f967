/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lab.h - what the tests of definitions share: hosts, documents around a fragment, libvirt's schemas
 */
#ifndef MODEL_LAB_H
#define MODEL_LAB_H

#include <glib.h>
#include <libxml/relaxng.h>
#include <string.h>

#include "base/error.h"
#include "model/domain.h"

static const struct support rich_host = {
	.emulator = "/usr/bin/socle-vm",
	.kvm = true,
	.bios = true,
	.uefi = true,
	.vnc = true,
	.bridges = true,
	.networks = true,
};

static const struct support poor_host = { .emulator = "/usr/bin/socle-vm" };

/* A domain that is fine, with @devices in its <devices> and @more beside them. */
static inline char *domain_around(const char *more, const char *devices)
{
	return g_strdup_printf("<domain type='qemu'><name>n</name><memory>65536</memory>"
			       "<features><acpi/></features>%s<devices>%s</devices></domain>",
			       more, devices);
}

static inline struct domain *parse_domain(const char *xml)
{
	g_autoptr(GError) error = NULL;
	struct domain *domain = domain_parse(xml, strlen(xml), DOMAIN_PARSE_STRICT, NULL, &error);

	g_assert_no_error(error);
	g_assert_nonnull(domain);
	return domain;
}

/* Is there a note that has these words in it? */
static inline bool has_note(const struct notes *notes, const char *words)
{
	for (unsigned i = 0; i < notes->count; i++) {
		if (strstr(notes->text[i], words))
			return true;
	}
	return false;
}

static inline bool have_schema(const char *name)
{
	g_autofree char *path = g_strdup_printf("/usr/share/libvirt/schemas/%s.rng", name);

	return g_file_test(path, G_FILE_TEST_EXISTS);
}

/* A schema is a large thing: it is read once. */
struct schema {
	xmlRelaxNG *grammar;
	xmlRelaxNGValidCtxt *valid;
};

static inline struct schema schema_open(const char *name)
{
	g_autofree char *path = g_strdup_printf("/usr/share/libvirt/schemas/%s.rng", name);
	xmlRelaxNGParserCtxt *parser = xmlRelaxNGNewParserCtxt(path);
	struct schema schema = { .grammar = xmlRelaxNGParse(parser) };

	xmlRelaxNGFreeParserCtxt(parser);
	g_assert_nonnull(schema.grammar);
	schema.valid = xmlRelaxNGNewValidCtxt(schema.grammar);
	return schema;
}

static inline void schema_close(struct schema *schema)
{
	xmlRelaxNGFreeValidCtxt(schema->valid);
	xmlRelaxNGFree(schema->grammar);
}

static inline void assert_valid(struct schema *schema, const char *xml)
{
	xmlDoc *doc = xmlReadMemory(xml, (int)strlen(xml), NULL, NULL, XML_PARSE_NONET);

	g_assert_nonnull(doc);
	if (xmlRelaxNGValidateDoc(schema->valid, doc) != 0)
		g_error("libvirt's schema does not allow:\n%s", xml);
	xmlFreeDoc(doc);
}

#endif
