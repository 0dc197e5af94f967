/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-domain.c - the steps parse and format: whole definitions, and what is kept
 */
#include "lab.h"

/* What virt-install 4.1 writes, a definition of 2011, and one with everything. */
static const char *const files[] = {
	"domain-2011", "everything", "import", "install", "kernel", "q35", "q35-linux", "tuned",
};

static char *read_file(const char *name)
{
	g_autofree char *base = g_strconcat(name, ".xml", NULL);
	g_autofree char *path = g_test_build_filename(G_TEST_DIST, base, NULL);
	g_autoptr(GError) error = NULL;
	char *text;

	(void)g_file_get_contents(path, &text, NULL, &error);
	g_assert_no_error(error);
	return text;
}

static void assert_stable(const struct domain *domain, unsigned flags)
{
	g_autofree char *first = domain_format(domain, flags);
	autoptr(domain) again = parse_domain(first);
	g_autofree char *second = domain_format(again, flags);
	autoptr(domain) copy = domain_copy(domain);
	g_autofree char *third = domain_format(copy, flags);

	g_assert_cmpstr(first, ==, second);
	g_assert_cmpstr(first, ==, third);
}

static void test_files(void)
{
	for (size_t i = 0; i < G_N_ELEMENTS(files); i++) {
		g_autofree char *xml = read_file(files[i]);
		autoptr(domain) domain = parse_domain(xml);
		g_autofree char *filled = NULL, *twice = NULL;

		assert_stable(domain, 0);
		assert_stable(domain, DOMAIN_FORMAT_SECURE);
		assert_stable(domain, DOMAIN_FORMAT_INACTIVE);
		domain_fill(domain, &rich_host);
		assert_stable(domain, DOMAIN_FORMAT_SECURE | DOMAIN_FORMAT_INACTIVE);
		filled = domain_format(domain, 0);
		domain_fill(domain, &rich_host);
		twice = domain_format(domain, 0);
		g_assert_cmpstr(filled, ==, twice);
	}
}

static void test_accepted(void)
{
	for (size_t i = 0; i < G_N_ELEMENTS(files); i++) {
		g_autofree char *xml = read_file(files[i]), *before = NULL, *after = NULL;
		autoptr(domain) domain = parse_domain(xml);
		g_autoptr(GError) error = NULL;
		struct notes notes = { 0 };

		domain_fill(domain, &rich_host);
		before = domain_format(domain, DOMAIN_FORMAT_SECURE);
		if (!domain_check(domain, &rich_host, DOMAIN_CHECK_START, &notes, &error))
			g_error("'%s' is refused: %s", files[i], error->message);
		/* The check decides beside the definition, and does not change it. */
		after = domain_format(domain, DOMAIN_FORMAT_SECURE);
		g_assert_cmpstr(before, ==, after);
		notes_release(&notes);
		g_assert_true(domain_check(domain, &poor_host, 0, NULL, NULL));
	}
}

static void test_schema(void)
{
	struct schema schema;

	if (!have_schema("domain")) {
		g_test_skip("libvirt's schemas are not installed");
		return;
	}
	schema = schema_open("domain");
	for (size_t i = 0; i < G_N_ELEMENTS(files); i++) {
		g_autofree char *xml = read_file(files[i]), *plain = NULL, *filled = NULL;
		autoptr(domain) domain = parse_domain(xml);

		plain = domain_format(domain, DOMAIN_FORMAT_SECURE);
		assert_valid(&schema, plain);
		domain_fill(domain, &rich_host);
		filled = domain_format(domain, DOMAIN_FORMAT_INACTIVE);
		assert_valid(&schema, filled);
	}
	schema_close(&schema);
}

static void test_flags(void)
{
	g_autofree char *xml = read_file("everything");
	autoptr(domain) domain = parse_domain(xml);
	g_autofree char *live = domain_format(domain, DOMAIN_FORMAT_SECURE);
	g_autofree char *open = domain_format(domain, 0);
	g_autofree char *inactive = domain_format(domain, DOMAIN_FORMAT_INACTIVE);

	g_assert_nonnull(strstr(live, " passwd='secret'"));
	g_assert_nonnull(strstr(live, " id='7'"));
	g_assert_null(strstr(open, "secret"));
	g_assert_nonnull(strstr(open, " tty='/dev/pts/4'"));
	g_assert_null(strstr(inactive, " id='7'"));
	g_assert_null(strstr(inactive, " tty="));
	g_assert_null(strstr(inactive, "state='connected'"));
}

static void test_values(void)
{
	g_autofree char *xml = read_file("everything");
	autoptr(domain) domain = parse_domain(xml);
	const struct domain_devices *d = &domain->devices;

	g_assert_cmpstr(domain->name, ==, "every & thing");
	g_assert_cmpint(domain->memory.value, ==, 2 * 1024 * 1024);
	/* Rounded up: 1000 MB are 976562.5 KiB. */
	g_assert_cmpint(domain->current_memory.value, ==, 976563);
	g_assert_cmpint(domain->memtune.soft_limit.value, ==, 128 * 1024);
	g_assert_cmpint(domain->cputune.quota.value, ==, -1);
	g_assert_cmpuint(domain->cputune.pin_count, ==, 2);
	g_assert_cmpint(domain->on_crash, ==, ON_PRESERVE);
	g_assert_cmpuint(d->disk_count, ==, 3);
	g_assert_cmpstr(disk_path(&d->disks[0]), ==, "/images/a b'c.qcow2");
	g_assert_cmpstr(disk_path(&d->disks[1]), ==, "/dev/lvm-raid/vtest2-hdd0");
	g_assert_null(disk_path(&d->disks[2]));
	g_assert_cmpint(d->disks[0].driver.cache, ==, CACHE_NONE);
	g_assert_cmpint(d->disks[0].iotune.read_iops_sec.value, ==, 400);
	g_assert_true(d->disks[1].transient.set);
	g_assert_cmpint(d->disks[0].info.address.bus.value, ==, 4);
	g_assert_cmpint(d->interfaces[0].bandwidth.inbound.peak.value, ==, 5000);
	g_assert_cmpint(d->interfaces[0].link.state, ==, LINK_DOWN);
	g_assert_cmpstr(d->channels[0].target.name, ==, "org.qemu.guest_agent.0");
	g_assert_cmpstr(d->rngs[0].backend.path, ==, "/dev/hwrng");
	g_assert_cmpint(d->vsocks[0].cid.address.value, ==, 3);
	g_assert_nonnull(strstr(domain->metadata, "<!-- kept as it is -->"));
	g_assert_nonnull(strstr(domain->metadata, "app:kind=\"x\""));
}

/* A prefix that was declared outside of what is kept goes with it. */
static void test_namespaces(void)
{
	autoptr(domain) domain = parse_domain(
		"<domain xmlns:a='urn:a'><metadata><a:x a:y='1'/></metadata></domain>");
	g_autofree char *text = domain_format(domain, 0);

	g_assert_nonnull(strstr(text, "xmlns:a=\"urn:a\""));
	assert_stable(domain, 0);
}

static void test_text(void)
{
	autoptr(domain) domain =
		parse_domain("<domain><name>\xc3\xa9&lt;&#13;</name><os><cmdline> a\n"
			     "\tb=\"c\" <![CDATA[<&>]]></cmdline></os><devices><disk>"
			     "<source file='/a&#10;b&#9;c&quot;'/></disk></devices>"
			     "</domain>");

	g_assert_cmpstr(domain->name, ==, "\xc3\xa9<\r");
	g_assert_cmpstr(domain->os.cmdline, ==, " a\n\tb=\"c\" <&>");
	g_assert_cmpstr(domain->devices.disks[0].source.file, ==, "/a\nb\tc\"");
	assert_stable(domain, 0);
}

static void test_unknown(void)
{
	static const struct {
		const char *xml, *words;
	} unknown[] = {
		{ "<domain><nonsense/></domain>", "element 'nonsense' of <domain>" },
		{ "<domain tone='blue'/>", "attribute 'tone' of <domain>" },
		{ "<domain><name x='1'>n</name></domain>", "attribute 'x' of <name>" },
		{ "<domain><name>n<b/></name></domain>", "element 'b' of <name>" },
		{ "<domain xmlns:f='urn:f'><f:name>n</f:name></domain>",
		  "element 'name' of <domain>" },
		{ "<domain><features><acpi x='1'/></features></domain>",
		  "attribute 'x' of <acpi>" },
		{ "<domain><devices><disk><target knob='1'/></disk></devices></domain>",
		  "attribute 'knob' of <target>" },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(unknown); i++) {
		const char *xml = unknown[i].xml;
		autoptr(domain) domain = NULL;
		g_autoptr(GError) error = NULL;
		struct notes notes = { 0 };

		domain = domain_parse(xml, strlen(xml), 0, &notes, &error);
		g_assert_no_error(error);
		g_assert_nonnull(domain);
		g_assert_cmpuint(notes.count, ==, 1);
		g_assert_true(has_note(&notes, unknown[i].words));
		notes_release(&notes);
		g_assert_null(domain_parse(xml, strlen(xml), DOMAIN_PARSE_STRICT, NULL, &error));
		g_assert_error(error, SOCLE_ERROR, SOCLE_ERROR_USAGE);
		g_assert_nonnull(strstr(error->message, "which is not known there; remove it"));
	}
}

static void test_device(void)
{
	static const char xml[] = "<disk type='file'><source file='/a'/><target dev='vdb'/></disk>";
	g_autofree char *text = NULL, *around = domain_around("", "<memballoon model='virtio'/>");
	autoptr(domain) domain = parse_domain(around);
	autoptr(domain) device = NULL;
	g_autoptr(GError) error = NULL;

	domain_fill(domain, &rich_host);
	device = domain_parse_device(xml, strlen(xml), DOMAIN_PARSE_STRICT, NULL, &error);
	g_assert_no_error(error);
	g_assert_nonnull(device);
	domain_fill_device(device, domain, &rich_host);
	g_assert_true(domain_check_device(device, domain, &rich_host, 0, NULL, &error));
	g_assert_no_error(error);
	text = domain_format_devices(device, 0);
	/* Slot 1 is the balloon's. */
	g_assert_cmpstr(
		text, ==,
		"<disk type='file' device='disk'>\n"
		"  <driver name='qemu' type='raw'/>\n"
		"  <source file='/a'/>\n"
		"  <target dev='vdb' bus='virtio'/>\n"
		"  <address type='pci' domain='0x0000' bus='0x00' slot='0x02' function='0x0'/>\n"
		"</disk>\n");
	g_assert_null(domain_parse_device("<domain/>", 9, 0, NULL, &error));
	g_assert_nonnull(strstr(error->message, "there is no device <domain>"));
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/domain/files", test_files);
	g_test_add_func("/domain/accepted", test_accepted);
	g_test_add_func("/domain/schema", test_schema);
	g_test_add_func("/domain/flags", test_flags);
	g_test_add_func("/domain/values", test_values);
	g_test_add_func("/domain/namespaces", test_namespaces);
	g_test_add_func("/domain/text", test_text);
	g_test_add_func("/domain/unknown", test_unknown);
	g_test_add_func("/domain/device", test_device);
	return g_test_run();
}
