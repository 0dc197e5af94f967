/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz-domain-xml.c - bytes of a client through the four steps
 *
 * Properties: what was read once is given back the same by every later reading and writing; filling in
 * twice is filling in once; the check changes nothing of the text; an error has one line. Documents of
 * every kind are tried, as devices and snapshots come from clients, too. See xml-fuzz.h for the digit that
 * an input may begin with.
 */
#include "xml-fuzz.h"

#include <assert.h>

#include "model/capabilities.h"
#include "model/domain.h"
#include "model/snapshot.h"

/* What a digit chooses, of a whole domain. */
enum {
	MODE_READ,
	MODE_POOR,
	MODE_RICH,
	MODE_COUNT,
};

static const struct support rich = {
	.emulator = "/usr/bin/socle-vm",
	.kvm = true,
	.bios = true,
	.vnc = true,
	.bridges = true,
	.networks = true,
	.pools = true,
};
static const struct support poor = { .emulator = "/usr/bin/socle-vm" };

static const struct snapshot_request request = { .state = SNAPSHOT_RUNNING, .now = 1 };

static void check_error(GError *error)
{
	if (!error)
		return;
	assert(*error->message && !strchr(error->message, '\n'));
	g_error_free(error);
}

/* An error tells what is wrong if and only if something is. */
static void check_verdict(bool ok, GError *error)
{
	assert(ok == !error);
	check_error(error);
}

/* Does the text of a domain lead to the same text? */
static void check_stable(const char *first)
{
	autoptr(domain) again = domain_parse(first, strlen(first), 0, NULL, NULL);
	g_autofree char *second = NULL;

	/* Only what was at a limit may have grown beyond it. */
	if (!again)
		return;
	second = domain_format(again, DOMAIN_FORMAT_SECURE);
	assert(!strcmp(first, second));
}

static void check_read(const struct domain *domain)
{
	g_autofree char *text = domain_format(domain, DOMAIN_FORMAT_SECURE);

	check_stable(text);
}

static void check_filled(struct domain *domain, const struct support *support)
{
	g_autofree char *once = NULL, *after = NULL;
	struct notes notes = { 0 };
	GError *error = NULL;
	bool ok;

	domain_fill(domain, support);
	once = domain_format(domain, DOMAIN_FORMAT_SECURE);
	domain_fill(domain, support);
	ok = domain_check(domain, support, DOMAIN_CHECK_START, &notes, &error);
	check_verdict(ok, error);
	error = NULL;
	ok = domain_check(domain, support, 0, &notes, &error);
	check_verdict(ok, error);
	after = domain_format(domain, DOMAIN_FORMAT_SECURE);
	assert(!strcmp(once, after));
	notes_release(&notes);
	check_stable(after);
}

static void try_domain(const char *xml, size_t len, int mode)
{
	struct notes notes = { 0 };
	GError *error = NULL;
	autoptr(domain) domain = domain_parse(xml, len, 0, &notes, &error);
	autoptr(domain) copy = NULL;

	notes_release(&notes);
	check_error(error);
	if (!domain)
		return;
	if (mode == XML_ALL || mode == MODE_READ)
		check_read(domain);
	copy = mode == XML_ALL || mode == MODE_RICH ? domain_copy(domain) : NULL;
	if (mode == XML_ALL || mode == MODE_POOR)
		check_filled(domain, &poor);
	if (copy)
		check_filled(copy, &rich);
}

static void try_device(const char *xml, size_t len)
{
	static struct domain *domain;
	autoptr(domain) device = domain_parse_device(xml, len, 0, NULL, NULL);
	GError *error = NULL;
	bool ok;

	if (!device)
		return;
	if (!domain) {
		domain = g_new0(struct domain, 1);
		domain_fill(domain, &rich);
	}
	domain_fill_device(device, domain, &rich);
	ok = domain_check_device(device, domain, &rich, 0, NULL, &error);
	check_verdict(ok, error);
	g_free(domain_format_devices(device, 0));
}

static void try_snapshot(const char *xml, size_t len)
{
	static const char disks[] =
		"<domain><devices><disk><source file='/a.b'/><target dev='vda'/></disk></devices>"
		"</domain>";
	static struct domain *domain;
	autoptr(snapshot) snapshot = snapshot_parse(xml, len, 0, NULL, NULL);
	autoptr(snapshot) again = NULL;
	g_autofree char *first = NULL, *second = NULL;
	GError *error = NULL;
	bool ok;

	if (!snapshot)
		return;
	if (!domain) {
		domain = domain_parse(disks, strlen(disks), 0, NULL, NULL);
		domain_fill(domain, &poor);
	}
	snapshot_fill(snapshot, domain, &request);
	ok = snapshot_check(snapshot, domain, &error);
	check_verdict(ok, error);
	first = snapshot_format(snapshot, 0);
	again = snapshot_parse(first, strlen(first), 0, NULL, NULL);
	if (!again)
		return;
	second = snapshot_format(again, 0);
	assert(!strcmp(first, second));
}

static void try_capabilities(const char *xml, size_t len)
{
	autoptr(capabilities) capabilities = capabilities_parse(xml, len, NULL, NULL);
	autoptr(domain_caps) caps = domain_caps_parse(xml, len, NULL, NULL);
	GError *error = NULL;
	bool ok;

	if (capabilities) {
		capabilities_fill(capabilities, &rich);
		ok = capabilities_check(capabilities, &error);
		check_verdict(ok, error);
		g_free(capabilities_format(capabilities));
	}
	if (caps) {
		domain_caps_fill(caps, &rich);
		error = NULL;
		ok = domain_caps_check(caps, &rich, &error);
		check_verdict(ok, error);
		g_free(domain_caps_format(caps));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const int mode = xml_mode(&data, &size);
	const char *xml = (const char *)data;
	const bool all = mode == XML_ALL, domain = xml_root_is(xml, size, "domain"),
		   snapshot = xml_root_is(xml, size, "domainsnapshot"),
		   caps = xml_root_is(xml, size, "capabilities") ||
			  xml_root_is(xml, size, "domainCapabilities");

	if (all || domain)
		try_domain(xml, size, mode);
	if (all || !(domain || snapshot || caps))
		try_device(xml, size);
	if (all || snapshot)
		try_snapshot(xml, size);
	if (all || caps)
		try_capabilities(xml, size);
	return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
	static struct xml_root roots[64] = { { "domain", &domain_record },
					     { "domainsnapshot", &snapshot_record },
					     { "capabilities", &capabilities_record },
					     { "domainCapabilities", &domain_caps_record } };
	static unsigned count = 4;
	static bool made;

	for (unsigned i = 0; !made && i < devices_record.count; i++) {
		const struct field *field = &devices_record.fields[i];

		assert(count < G_N_ELEMENTS(roots));
		if (field->record)
			roots[count++] = (struct xml_root){ field->name, field->record };
	}
	made = true;
	return xml_mutate(roots, count, MODE_COUNT, data, size, max_size, seed);
}
