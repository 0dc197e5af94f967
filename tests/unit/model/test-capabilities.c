/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-capabilities.c - what a host and its machines can have, as clients read it
 */
#include "lab.h"
#include "model/capabilities.h"

static const char host[] =
	"<capabilities><host><uuid>2d9d3b0c-9d0c-4a6a-8f4f-0123456789ab</uuid>"
	"<cpu><arch>x86_64</arch><model>Skylake</model><vendor>Intel</vendor>"
	"<topology sockets='1' dies='1' cores='2' threads='1'/><feature name='vmx'/>"
	"<pages unit='KiB' size='4'/></cpu><power_management><suspend_mem/></power_management>"
	"<iommu support='no'/><migration_features><live/><uri_transports>"
	"<uri_transport>tcp</uri_transport></uri_transports></migration_features>"
	"<topology><cells num='1'><cell id='0'><memory unit='KiB'>8000000</memory>"
	"<pages unit='KiB' size='4'>2000000</pages><distances><sibling id='0' value='10'/>"
	"</distances><cpus num='2'>"
	"<cpu id='0' socket_id='0' die_id='0' core_id='0' siblings='0'/>"
	"<cpu id='1' socket_id='0' die_id='0' core_id='1' siblings='1'/></cpus></cell></cells>"
	"</topology><secmodel><model>none</model><doi>0</doi></secmodel></host></capabilities>";

static void validate(const char *schema_name, const char *xml)
{
	struct schema schema;

	if (!have_schema(schema_name))
		return;
	schema = schema_open(schema_name);
	assert_valid(&schema, xml);
	schema_close(&schema);
}

static void test_host(void)
{
	g_autoptr(GError) error = NULL;
	struct notes notes = { 0 };
	autoptr(capabilities) capabilities = capabilities_parse(host, strlen(host), &notes, &error);
	g_autofree char *first = NULL, *second = NULL;
	autoptr(capabilities) again = NULL;

	g_assert_no_error(error);
	g_assert_cmpuint(notes.count, ==, 0);
	g_assert_false(capabilities_check(capabilities, &error));
	g_assert_nonnull(strstr(error->message, "no <guest>, and clients cannot install without"));
	capabilities_fill(capabilities, &rich_host);
	g_assert_true(capabilities_check(capabilities, NULL));
	first = capabilities_format(capabilities);
	validate("capability", first);
	again = capabilities_parse(first, strlen(first), &notes, NULL);
	second = capabilities_format(again);
	g_assert_cmpstr(first, ==, second);
	g_assert_cmpuint(notes.count, ==, 0);
	g_assert_cmpint(again->host.topology.cells.list[0].cpus.list[1].core_id.value, ==, 1);
	g_assert_cmpint(again->host.cpu.pages[0].size.value, ==, 4);
}

static void test_guests(void)
{
	autoptr(capabilities) rich = g_new0(struct capabilities, 1);
	autoptr(capabilities) poor = g_new0(struct capabilities, 1);
	g_autofree char *text = NULL;

	capabilities_fill(rich, &rich_host);
	capabilities_fill(poor, &poor_host);
	g_assert_cmpuint(rich->guests[0].arch.domain_count, ==, 2);
	g_assert_cmpuint(poor->guests[0].arch.domain_count, ==, 1);
	g_assert_cmpstr(poor->guests[0].arch.domains[0].type, ==, "qemu");
	text = capabilities_format(rich);
	/* virt-install chooses a machine of many ports if it is offered one. */
	g_assert_null(strstr(text, "q35"));
	validate("capability", text);
}

static void test_refused(void)
{
	static const struct {
		const char *xml, *words;
	} bad[] = {
		{ "<host/>", "no architecture; fill them in" },
		{ "<host><uuid>1</uuid><cpu><arch>x86_64</arch></cpu></host>", "UUID '1' is none" },
		{ "<host><cpu><arch>x86_64</arch></cpu></host><guest/>", "guest 0 lacks os_type" },
		{ "<host><cpu><arch>x86_64</arch></cpu></host><guest><os_type>hvm</os_type>"
		  "<arch name='x86_64'><wordsize>64</wordsize></arch></guest>",
		  "guest 0 has no <domain>" },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
		g_autofree char *xml =
			g_strdup_printf("<capabilities>%s</capabilities>", bad[i].xml);
		autoptr(capabilities) capabilities =
			capabilities_parse(xml, strlen(xml), NULL, NULL);
		g_autoptr(GError) error = NULL;

		g_assert_nonnull(capabilities);
		g_assert_false(capabilities_check(capabilities, &error));
		if (!strstr(error->message, bad[i].words))
			g_error("'%s' is not in: %s", bad[i].words, error->message);
	}
}

static void test_domain_caps(void)
{
	static const struct support *const hosts[] = { &rich_host, &poor_host };

	for (size_t i = 0; i < G_N_ELEMENTS(hosts); i++) {
		autoptr(domain_caps) caps = g_new0(struct domain_caps, 1);
		autoptr(domain_caps) again = NULL;
		g_autofree char *first = NULL, *second = NULL, *third = NULL;
		struct notes notes = { 0 };

		domain_caps_fill(caps, hosts[i]);
		g_assert_true(domain_caps_check(caps, hosts[i], NULL));
		first = domain_caps_format(caps);
		validate("domaincaps", first);
		again = domain_caps_parse(first, strlen(first), &notes, NULL);
		g_assert_cmpuint(notes.count, ==, 0);
		second = domain_caps_format(again);
		g_assert_cmpstr(first, ==, second);
		domain_caps_fill(again, hosts[i]);
		third = domain_caps_format(again);
		g_assert_cmpstr(first, ==, third);
		/* It would be the default, and bring a sound card and more along. */
		g_assert_null(strstr(first, "spice"));
	}
}

static void test_domain_caps_refused(void)
{
	static const struct {
		const char *domain, *arch, *machine, *path, *words;
	} bad[] = {
		{ .domain = "kvm", .words = "type 'kvm' do not run on this host" },
		{ .arch = "ppc64", .words = "'ppc64' does not run here; ask for x86_64" },
		{ .machine = "isapc", .words = "'isapc' is not there; ask for pc" },
		{ .path = "/bin/kvm", .words = "'/bin/kvm' is not used; ask for none or" },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
		autoptr(domain_caps) caps = g_new0(struct domain_caps, 1);
		g_autoptr(GError) error = NULL;

		caps->domain = g_strdup(bad[i].domain);
		caps->arch = g_strdup(bad[i].arch);
		caps->machine = g_strdup(bad[i].machine);
		caps->path = g_strdup(bad[i].path);
		domain_caps_fill(caps, &poor_host);
		g_assert_false(domain_caps_check(caps, &poor_host, &error));
		g_assert_error(error, SOCLE_ERROR, SOCLE_ERROR_UNSUPPORTED);
		if (!strstr(error->message, bad[i].words))
			g_error("'%s' is not in: %s", bad[i].words, error->message);
	}
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/capabilities/host", test_host);
	g_test_add_func("/capabilities/guests", test_guests);
	g_test_add_func("/capabilities/refused", test_refused);
	g_test_add_func("/domain-caps/hosts", test_domain_caps);
	g_test_add_func("/domain-caps/refused", test_domain_caps_refused);
	return g_test_run();
}
