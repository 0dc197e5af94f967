/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-limits.c - documents that are too much, broken, or not what they should be
 */
#include "lab.h"

static void assert_refused(const char *xml, size_t len, enum error_kind kind, const char *words)
{
	g_autoptr(GError) error = NULL;

	g_assert_null(domain_parse(xml, len, 0, NULL, &error));
	g_assert_error(error, SOCLE_ERROR, (int)kind);
	if (!strstr(error->message, words))
		g_error("'%s' is not in: %s", words, error->message);
	g_assert_null(strchr(error->message, '\n'));
}

static void test_size(void)
{
	g_autoptr(GString) xml = g_string_new("<domain><name>n</name>");

	while (xml->len <= 1 << 20)
		g_string_append(xml, "                                ");
	g_string_append(xml, "</domain>");
	assert_refused(xml->str, xml->len, SOCLE_ERROR_LIMIT, "1048576 are the most");
}

static void test_depth(void)
{
	static const unsigned depths[] = { 32, 33, 10000 };

	for (size_t i = 0; i < G_N_ELEMENTS(depths); i++) {
		g_autoptr(GString) xml = g_string_new("<domain><metadata>");

		for (unsigned j = 2; j < depths[i]; j++)
			g_string_append(xml, "<x>");
		for (unsigned j = 2; j < depths[i]; j++)
			g_string_append(xml, "</x>");
		g_string_append(xml, "</metadata></domain>");
		if (depths[i] > 32)
			assert_refused(xml->str, xml->len, SOCLE_ERROR_LIMIT, "more than 32 deep");
		else
			domain_free(parse_domain(xml->str));
	}
}

static void test_nodes(void)
{
	g_autoptr(GString) xml = g_string_new("<domain><metadata>");

	for (unsigned i = 0; i < 10000; i++)
		g_string_append(xml, "<x y='1'/>");
	g_string_append(xml, "</metadata></domain>");
	assert_refused(xml->str, xml->len, SOCLE_ERROR_LIMIT, "more than 20000 elements");
}

/* As many elements as a document may have, of one name that is kept as it is: all come back, in their order,
 * whatever stands between them. Copied anew for each of them, they would be 8 GB. */
static void test_kept(void)
{
	enum {
		COUNT = 19000
	};
	g_autoptr(GString) xml = g_string_new("<domain><name>n</name><devices>");
	autoptr(domain) domain = NULL;
	g_autofree char *text = NULL;
	const char *at;

	for (unsigned i = 0; i < COUNT; i++)
		g_string_append_printf(xml, "<hostdev>%05u, and it has a name</hostdev>%s", i,
				       i % 1000 ? "" : "<panic/>");
	g_string_append(xml, "</devices></domain>");
	domain = parse_domain(xml->str);
	g_assert_cmpuint(domain->devices.panic_count, ==, COUNT / 1000);
	text = domain_format(domain, 0);
	at = text;
	for (unsigned i = 0; i < COUNT; i++) {
		g_autofree char *element =
			g_strdup_printf("<hostdev>%05u, and it has a name</hostdev>\n", i);

		at = strstr(at, element);
		g_assert_nonnull(at);
	}
	g_assert_null(strstr(at + 1, "<hostdev>"));
}

/* What could not be read again is refused before it is kept; a file of ours may be larger than a letter. */
static void test_text(void)
{
	g_autoptr(GString) long_text = g_string_new(NULL);
	autoptr(domain) domain = parse_domain("<domain><name>n</name></domain>");
	g_autoptr(GError) error = NULL;
	g_autofree char *xml = NULL;

	g_assert_true(domain_check_text(domain, &error));
	domain->description = g_strdup("a\001b");
	g_assert_false(domain_check_text(domain, &error));
	g_clear_error(&error);
	g_free(domain->description);
	domain->description = g_strdup("\xff");
	g_assert_false(domain_check_text(domain, &error));
	g_clear_error(&error);
	/* Each of them is six bytes. */
	for (unsigned i = 0; i < 200000; i++)
		g_string_append_c(long_text, '\'');
	g_free(domain->description);
	domain->description = g_strdup(long_text->str);
	g_assert_false(domain_check_text(domain, &error));
	g_assert_error(error, SOCLE_ERROR, SOCLE_ERROR_LIMIT);
	xml = domain_format(domain, 0);
	{
		autoptr(domain) kept =
			domain_parse(xml, strlen(xml), DOMAIN_PARSE_KEPT, NULL, NULL);

		g_assert_nonnull(kept);
		g_assert_cmpstr(kept->description, ==, domain->description);
	}
}

static void test_devices(void)
{
	static const char *const kinds[] = { "disk", "interface", "controller", "channel", "rng" };

	for (size_t i = 0; i < G_N_ELEMENTS(kinds); i++) {
		g_autoptr(GString) xml = g_string_new("<domain><devices>");

		for (unsigned j = 0; j <= DEVICES_MAX; j++)
			g_string_append_printf(xml, "<%s/>", kinds[i]);
		g_string_append(xml, "</devices></domain>");
		assert_refused(xml->str, xml->len, SOCLE_ERROR_LIMIT, "more than 256 elements");
	}
}

static void test_doctype(void)
{
	static const char *const bombs[] = {
		"<!DOCTYPE domain><domain/>",
		"<!DOCTYPE domain SYSTEM 'file:///etc/passwd'><domain/>",
		"<!DOCTYPE d [<!ENTITY a 'x'><!ENTITY b "
		"'&a;&a;'>]><domain><name>&b;</name></domain>",
		"<!DOCTYPE d [<!ENTITY f SYSTEM 'file:///etc/passwd'>]><domain name='&f;'/>",
	};

	for (size_t i = 0; i < G_N_ELEMENTS(bombs); i++)
		assert_refused(bombs[i], strlen(bombs[i]), SOCLE_ERROR_LIMIT,
			       "it has a document type, which could define entities; remove");
	assert_refused("<domain>&a;</domain>", 20, SOCLE_ERROR_USAGE,
		       "line 1: Entity 'a' not defined");
}

static void test_broken(void)
{
	static const struct {
		const char *xml;
		size_t len;
		const char *words;
	} broken[] = {
		{ "", 0, "cannot read the XML" },
		{ "nothing", 7, "line 1: Start tag expected" },
		{ "<domain>", 8, "line 1: " },
		{ "<domain>\n</damain>", 18, "line 2: Opening and ending tag mismatch" },
		{ "<domain>\xff</domain>", 18, "it is not UTF-8; convert it" },
		{ "<domain>\0</domain>", 18, "it is not UTF-8; convert it" },
		{ "<network/>", 10, "the document is a <network>, and a <domain> is wanted" },
		{ "<domain xmlns='urn:x'/>", 23, "a <domain> is wanted" },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(broken); i++)
		assert_refused(broken[i].xml, broken[i].len, SOCLE_ERROR_USAGE, broken[i].words);
}

/* What would be kept as a text that cannot be read again. */
static void test_namespaces(void)
{
	static const char *const bad[] = { "a&lt;b", "a&gt;b",  "a&quot;b", "a b",
					   "a&#9;b", "a&#10;b", "&#13;" };
	autoptr(domain) domain = NULL;
	g_autofree char *text = NULL;
	g_autoptr(GError) error = NULL;
	static const char good[] = "<domain xmlns:q='urn:q?a=1&amp;b=&apos;2'><metadata><q:x "
				   "q:y='1'/></metadata></domain>";

	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
		g_autofree char *xml = g_strdup_printf("<domain>\n<metadata><x:y xmlns:x='urn:x' "
						       "xmlns:z='%s'/></metadata></domain>",
						       bad[i]);

		assert_refused(xml, strlen(xml), SOCLE_ERROR_LIMIT,
			       "the name of a namespace in line 2 has white space");
	}
	domain = domain_parse(good, strlen(good), 0, NULL, &error);
	g_assert_no_error(error);
	text = domain_format(domain, 0);
	domain_free(domain);
	domain = domain_parse(text, strlen(text), 0, NULL, &error);
	g_assert_no_error(error);
}

static void test_values(void)
{
	static const struct {
		const char *xml, *words;
	} wrong[] = {
		{ "<domain type='blue'/>",
		  "attribute type is 'blue'; give one of kvm, qemu, test" },
		{ "<domain><vcpu>0</vcpu></domain>", "'0'; give a number from 1 to 65535" },
		{ "<domain><vcpu>two</vcpu></domain>", "'two'; give a number from 1" },
		{ "<domain><vcpu>99999999999999999999</vcpu></domain>", "give a number from 1" },
		{ "<domain><vcpu> - 1</vcpu></domain>", "give a number from 1" },
		{ "<domain><memory unit='cm'>1</memory></domain>", "give KiB, MiB or GiB" },
		{ "<domain><memory>-1</memory></domain>", "give a size" },
		{ "<domain><memory unit='EiB'>9</memory></domain>", "a size that an address can" },
		{ "<domain><name>a</name><name>b</name></domain>",
		  "<domain> in line 1 has <name> twice; remove one" },
		{ "<domain><devices>\n<disk><target bus='tram'/></disk></devices></domain>",
		  "<target> in line 2: attribute bus is 'tram'; give one of virtio, ide" },
		{ "<domain><devices><disk><address slot='0x20'/></disk></devices></domain>",
		  "'0x20'; give a number from 0 to 31" },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(wrong); i++)
		assert_refused(wrong[i].xml, strlen(wrong[i].xml), SOCLE_ERROR_USAGE,
			       wrong[i].words);
}

static void test_notes(void)
{
	g_autoptr(GString) xml = g_string_new("<domain");
	autoptr(domain) domain = NULL;
	struct notes notes = { 0 };

	for (unsigned i = 0; i < 1000; i++)
		g_string_append_printf(xml, " a%u='1'", i);
	g_string_append(xml, "/>");
	domain = domain_parse(xml->str, xml->len, 0, &notes, NULL);
	g_assert_nonnull(domain);
	g_assert_cmpuint(notes.count, ==, NOTES_MAX);
	g_assert_cmpstr(notes.text[NOTES_MAX - 1], ==, "there is more to tell than fits here");
	notes_release(&notes);
	notes_add(&notes, "once");
	notes_add(&notes, "once");
	g_assert_cmpuint(notes.count, ==, 1);
	notes_release(&notes);
	notes_add(NULL, "nowhere");
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/limits/size", test_size);
	g_test_add_func("/limits/depth", test_depth);
	g_test_add_func("/limits/nodes", test_nodes);
	g_test_add_func("/limits/devices", test_devices);
	g_test_add_func("/limits/kept", test_kept);
	g_test_add_func("/limits/text", test_text);
	g_test_add_func("/limits/doctype", test_doctype);
	g_test_add_func("/limits/broken", test_broken);
	g_test_add_func("/limits/namespaces", test_namespaces);
	g_test_add_func("/limits/values", test_values);
	g_test_add_func("/limits/notes", test_notes);
	return g_test_run();
}
