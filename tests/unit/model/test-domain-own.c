/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test-domain-own.c - templates, and what is made of them, in a domain's metadata
 */
#include <string.h>

#include "model/domain-own.h"
#include "model/domain.h"

#define PLAIN \
	"<domain type='qemu'><name>a</name><memory>1</memory>%s<os><type>hvm</type></os></domain>"

static struct domain *parse(const char *metadata)
{
	g_autofree char *xml = g_strdup_printf(PLAIN, metadata);
	g_autoptr(GError) error = NULL;
	struct domain *domain = domain_parse(xml, strlen(xml), 0, NULL, &error);

	g_assert_no_error(error);
	return domain;
}

/* As a daemon keeps it: formatted, and read again. */
static struct domain *again(const struct domain *domain)
{
	g_autofree char *xml = domain_format(domain, DOMAIN_FORMAT_INACTIVE);
	g_autoptr(GError) error = NULL;
	struct domain *read = domain_parse(xml, strlen(xml), 0, NULL, &error);

	g_assert_no_error(error);
	return read;
}

static bool is_linked_to(const struct domain *domain, const char *path)
{
	struct domain_own own;
	bool found;

	domain_own_read(domain, &own);
	found = g_ptr_array_find_with_equal_func(own.linked, path, g_str_equal, NULL);
	domain_own_release(&own);
	return found;
}

static void test_none(void)
{
	autoptr(domain) domain = parse("");
	autoptr(domain) other = parse("<metadata><x:template xmlns:x='urn:other'/></metadata>");

	g_assert_false(domain_is_template(domain));
	g_assert_false(domain_is_template(other));
	g_assert_false(is_linked_to(domain, "/a"));
}

static void test_marks(void)
{
	autoptr(domain) domain = parse("<metadata><x:y xmlns:x='urn:other'>keep</x:y></metadata>");
	autoptr(domain) read = NULL;
	autoptr(domain) third = NULL;
	struct domain_own own;

	domain_add_linked(domain, "/images/a<\"&>b.qcow2");
	domain_add_linked(domain, "/images/two");
	domain_add_linked(domain, "/images/two");
	domain_own_read(domain, &own);
	g_assert_cmpuint(own.linked->len, ==, 2);
	own.is_template = true;
	domain_own_write(domain, &own);
	domain_own_release(&own);

	read = again(domain);
	g_assert_true(domain_is_template(read));
	g_assert_true(is_linked_to(read, "/images/a<\"&>b.qcow2"));
	g_assert_true(is_linked_to(read, "/images/two"));
	g_assert_false(is_linked_to(read, "/images/tw"));
	g_assert_nonnull(strstr(read->metadata, "keep"));

	/* Nothing is said: it goes, and the others' stays. */
	own = (struct domain_own){ .linked = g_ptr_array_new() };
	g_assert_null(domain_own_text(&own));
	domain_own_write(read, &own);
	domain_own_release(&own);
	third = again(read);
	g_assert_false(domain_is_template(third));
	g_assert_nonnull(strstr(third->metadata, "keep"));
	g_assert_null(strstr(third->metadata, DOMAIN_OWN_NAMESPACE));
}

/* By hand, with what nobody knows among it. */
static void test_odd(void)
{
	autoptr(domain) domain =
		parse("<metadata><d xmlns='urn:socle:domain'>text<odd/><linked/><linked path=''/>"
		      "<template since='2026'/></d></metadata>");

	g_assert_true(domain_is_template(domain));
	g_assert_false(is_linked_to(domain, "/a"));
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/model/domain-own/none", test_none);
	g_test_add_func("/model/domain-own/marks", test_marks);
	g_test_add_func("/model/domain-own/odd", test_odd);
	return g_test_run();
}
