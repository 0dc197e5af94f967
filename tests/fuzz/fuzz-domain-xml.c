/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz-domain-xml.c - bytes of a client through the four steps
 *
 * Properties: what was read once is given back the same by every later reading and writing; filling in
 * twice is filling in once; the check changes nothing of the text; an error has one line. Documents of
 * every kind are tried, as devices and snapshots come from clients, too.
 */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include <glib.h>

#include "model/capabilities.h"
#include "model/domain.h"
#include "model/snapshot.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

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

/* Does the text of @domain lead to the same text? */
static void check_stable(const struct domain *domain)
{
	g_autofree char *first = domain_format(domain, DOMAIN_FORMAT_SECURE);
	autoptr(domain) again = domain_parse(first, strlen(first), 0, NULL, NULL);
	g_autofree char *second = NULL;

	/* Only what was at a limit may have grown beyond it. */
	if (!again)
		return;
	second = domain_format(again, DOMAIN_FORMAT_SECURE);
	assert(!strcmp(first, second));
}

static void check_filled(struct domain *domain, const struct support *support)
{
	g_autofree char *once = NULL, *twice = NULL, *after = NULL;
	struct notes notes = { 0 };
	GError *error = NULL;
	bool ok;

	domain_fill(domain, support);
	once = domain_format(domain, DOMAIN_FORMAT_SECURE);
	domain_fill(domain, support);
	twice = domain_format(domain, DOMAIN_FORMAT_SECURE);
	assert(!strcmp(once, twice));
	ok = domain_check(domain, support, DOMAIN_CHECK_START, &notes, &error);
	check_verdict(ok, error);
	error = NULL;
	ok = domain_check(domain, support, 0, &notes, &error);
	check_verdict(ok, error);
	after = domain_format(domain, DOMAIN_FORMAT_SECURE);
	assert(!strcmp(once, after));
	notes_release(&notes);
	check_stable(domain);
}

static void try_domain(const char *xml, size_t len)
{
	struct notes notes = { 0 };
	GError *error = NULL;
	autoptr(domain) domain = domain_parse(xml, len, 0, &notes, &error);
	autoptr(domain) copy = NULL;

	notes_release(&notes);
	check_error(error);
	if (!domain)
		return;
	check_stable(domain);
	copy = domain_copy(domain);
	check_filled(domain, &poor);
	check_filled(copy, &rich);
}

static void try_device(const char *xml, size_t len)
{
	autoptr(domain) domain = g_new0(struct domain, 1);
	autoptr(domain) device = domain_parse_device(xml, len, 0, NULL, NULL);
	g_autofree char *text = NULL;
	GError *error = NULL;
	bool ok;

	if (!device)
		return;
	domain_fill(domain, &rich);
	domain_fill_device(device, domain, &rich);
	ok = domain_check_device(device, domain, &rich, 0, NULL, &error);
	check_verdict(ok, error);
	text = domain_format_devices(device, 0);
}

static void try_snapshot(const char *xml, size_t len)
{
	static const char disks[] =
		"<domain><devices><disk><source file='/a.b'/><target dev='vda'/></disk></devices>"
		"</domain>";
	autoptr(domain) domain = domain_parse(disks, strlen(disks), 0, NULL, NULL);
	autoptr(snapshot) snapshot = snapshot_parse(xml, len, 0, NULL, NULL);
	autoptr(snapshot) again = NULL;
	g_autofree char *first = NULL, *second = NULL;
	GError *error = NULL;
	bool ok;

	if (!snapshot)
		return;
	domain_fill(domain, &poor);
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
	g_autofree char *text = NULL;
	GError *error = NULL;
	bool ok;

	if (capabilities) {
		capabilities_fill(capabilities, &rich);
		ok = capabilities_check(capabilities, &error);
		check_verdict(ok, error);
		text = capabilities_format(capabilities);
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
	const char *xml = (const char *)data;

	try_domain(xml, size);
	try_device(xml, size);
	try_snapshot(xml, size);
	try_capabilities(xml, size);
	return 0;
}
