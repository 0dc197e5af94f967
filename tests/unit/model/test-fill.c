/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-fill.c - the step fill in: what clients expect to find
 */
#include "lab.h"

static void test_minimum(void)
{
	autoptr(domain) domain =
		parse_domain("<domain><name>n</name><memory unit='MiB'>64</memory></domain>");
	g_autofree char *text = NULL, *expected = NULL;

	domain_fill(domain, &poor_host);
	text = domain_format(domain, 0);
	g_assert_true(g_uuid_string_is_valid(domain->uuid));
	expected = g_strdup_printf("<domain type='qemu'>\n"
				   "  <name>n</name>\n"
				   "  <uuid>%s</uuid>\n"
				   "  <memory unit='KiB'>65536</memory>\n"
				   "  <currentMemory unit='KiB'>65536</currentMemory>\n"
				   "  <vcpu placement='static'>1</vcpu>\n"
				   "  <os>\n"
				   "    <type arch='x86_64' machine='pc'>hvm</type>\n"
				   "    <boot dev='hd'/>\n"
				   "  </os>\n"
				   "  <clock offset='utc'/>\n"
				   "  <on_poweroff>destroy</on_poweroff>\n"
				   "  <on_reboot>restart</on_reboot>\n"
				   "  <on_crash>destroy</on_crash>\n"
				   "  <devices>\n"
				   "    <emulator>/usr/bin/socle-vm</emulator>\n"
				   "    <controller type='pci' index='0' model='pci-root'/>\n"
				   "    <memballoon model='virtio'>\n"
				   "      <address type='pci' domain='0x0000' bus='0x00' "
				   "slot='0x01' function='0x0'/>\n"
				   "    </memballoon>\n"
				   "  </devices>\n"
				   "</domain>\n",
				   domain->uuid);
	g_assert_cmpstr(text, ==, expected);
}

static void test_type(void)
{
	static const struct support tests = { .emulator = "/x", .test = true };
	autoptr(domain) a = parse_domain("<domain/>");
	autoptr(domain) b = parse_domain("<domain/>");

	domain_fill(a, &rich_host);
	domain_fill(b, &tests);
	g_assert_cmpint(a->type, ==, DOMAIN_KVM);
	g_assert_cmpint(b->type, ==, DOMAIN_TEST);
}

static struct domain *filled(const char *more, const char *devices)
{
	g_autofree char *xml = domain_around(more, devices);
	struct domain *domain = parse_domain(xml);

	domain_fill(domain, &rich_host);
	return domain;
}

static void test_disks(void)
{
	static const struct {
		const char *dev;
		enum disk_bus bus;
		int64_t controller, drive_bus, unit;
	} disks[] = {
		{ "vda", BUS_VIRTIO, -1, -1, -1 }, { "hda", BUS_IDE, 0, 0, 0 },
		{ "hdd", BUS_IDE, 0, 1, 1 },       { "hde", BUS_IDE, 1, 0, 0 },
		{ "sdc", BUS_SCSI, 0, 0, 2 },      { "fdb", BUS_FDC, 0, 0, 1 },
		{ "xvda", BUS_XEN, -1, -1, -1 },
	};

	for (size_t i = 0; i < G_N_ELEMENTS(disks); i++) {
		g_autofree char *xml =
			g_strdup_printf("<disk><target dev='%s'/></disk>", disks[i].dev);
		autoptr(domain) domain = filled("", xml);
		const struct domain_disk *disk = &domain->devices.disks[0];

		g_assert_cmpint(disk->target.bus, ==, disks[i].bus);
		g_assert_cmpstr(disk->driver.type, ==, "raw");
		if (disks[i].controller < 0)
			continue;
		g_assert_cmpint(disk->info.address.type, ==, ADDRESS_DRIVE);
		g_assert_cmpint(disk->info.address.controller.value, ==, disks[i].controller);
		g_assert_cmpint(disk->info.address.bus.value, ==, disks[i].drive_bus);
		g_assert_cmpint(disk->info.address.unit.value, ==, disks[i].unit);
		g_assert_cmpuint(domain->devices.controller_count, ==, 2);
	}
}

static void test_cdrom(void)
{
	autoptr(domain) domain = filled("", "<disk device='cdrom'><target dev='hdc'/></disk>");

	g_assert_true(domain->devices.disks[0].readonly);
}

static void test_interface(void)
{
	autoptr(domain) domain =
		filled("", "<interface type='user'/><interface type='user'><target dev='vnet7'/>"
			   "<alias name='net0'/></interface>");
	const struct domain_interface *interfaces = domain->devices.interfaces;

	for (unsigned i = 0; i < 2; i++) {
		g_assert_true(g_str_has_prefix(interfaces[i].mac.address, "52:54:00:"));
		g_assert_cmpstr(interfaces[i].model.type, ==, "virtio");
		g_assert_null(interfaces[i].target.dev);
		g_assert_null(interfaces[i].info.alias.name);
	}
	g_assert_cmpstr(interfaces[0].mac.address, !=, interfaces[1].mac.address);
}

static void test_consoles(void)
{
	static const char *const devices[] = {
		"<console type='pty'/>",
		"<serial type='pty'/>",
		"<serial type='pty'/><console type='pty'/>",
	};

	for (size_t i = 0; i < G_N_ELEMENTS(devices); i++) {
		autoptr(domain) domain = filled("", devices[i]);
		const struct domain_devices *d = &domain->devices;

		g_assert_cmpuint(d->serial_count, ==, 1);
		g_assert_cmpuint(d->console_count, ==, 1);
		g_assert_cmpstr(d->serials[0].target.type, ==, "isa-serial");
		g_assert_cmpstr(d->serials[0].target.model.name, ==, "isa-serial");
		g_assert_cmpstr(d->consoles[0].target.type, ==, "serial");
	}
}

static void test_virtio_ports(void)
{
	autoptr(domain) domain =
		filled("", "<console type='pty'><target type='virtio'/></console>"
			   "<channel type='unix'><target type='virtio' name='a'/></channel>");

	g_assert_cmpuint(domain->devices.serial_count, ==, 0);
	g_assert_cmpuint(domain->devices.controller_count, ==, 2);
	g_assert_cmpint(domain->devices.controllers[1].type, ==, CONTROLLER_VIRTIO_SERIAL);
	g_assert_cmpint(domain->devices.controllers[1].info.address.type, ==, ADDRESS_PCI);
	g_assert_false(domain->devices.channels[0].target.port.set);
}

static void test_graphics(void)
{
	autoptr(domain) domain =
		filled("", "<graphics type='vnc'/><graphics type='vnc' port='5901' "
			   "listen='::'/><video/><video/>");
	const struct domain_devices *d = &domain->devices;

	g_assert_cmpint(d->graphics[0].port.value, ==, -1);
	g_assert_cmpint(d->graphics[0].autoport, ==, TRI_YES);
	g_assert_cmpstr(d->graphics[0].listen, ==, "127.0.0.1");
	g_assert_cmpint(d->graphics[1].autoport, ==, TRI_NO);
	g_assert_cmpstr(d->graphics[1].listens[0].address, ==, "::");
	g_assert_cmpuint(d->input_count, ==, 2);
	g_assert_cmpint(d->videos[0].model.primary, ==, TRI_YES);
	g_assert_cmpint(d->videos[1].model.primary, ==, TRI_ABSENT);
}

static void test_others(void)
{
	autoptr(domain) domain = filled("<genid/><cpu mode='host-passthrough'/>"
					"<currentMemory>1</currentMemory>",
					"<watchdog/><rng/><panic/><vsock/>"
					"<controller type='usb'/><controller type='usb'/>");
	const struct domain_devices *d = &domain->devices;

	g_assert_true(g_uuid_string_is_valid(domain->genid.value));
	g_assert_cmpint(domain->current_memory.value, ==, 1);
	g_assert_cmpstr(domain->cpu.check, ==, "none");
	g_assert_cmpint(domain->cpu.migratable, ==, TRI_YES);
	g_assert_cmpstr(d->watchdogs[0].model, ==, "i6300esb");
	g_assert_cmpstr(d->rngs[0].backend.path, ==, "/dev/urandom");
	g_assert_cmpstr(d->panics[0].model, ==, "isa");
	g_assert_cmpint(d->vsocks[0].cid.automatic, ==, TRI_YES);
	g_assert_cmpint(d->controllers[0].index.value, ==, 0);
	g_assert_cmpint(d->controllers[1].index.value, ==, 1);
}

/* Slots that are taken are left alone, and no slot is given twice. */
static void test_addresses(void)
{
	g_autoptr(GString) devices =
		g_string_new("<rng model='virtio'><address type='pci' slot='0x02'/></rng>");
	autoptr(domain) domain = NULL;
	uint32_t used = 0;

	for (unsigned i = 0; i < 29; i++)
		g_string_append(devices, "<interface type='user'/>");
	domain = filled("", devices->str);
	used |= 1u << domain->devices.rngs[0].info.address.slot.value;
	used |= 1u << domain->devices.memballoons[0].info.address.slot.value;
	for (unsigned i = 0; i < 29; i++) {
		uint32_t slot = 1u << domain->devices.interfaces[i].info.address.slot.value;

		g_assert_cmpuint(used & slot, ==, 0);
		used |= slot;
	}
	g_assert_cmpuint(used, ==, 0xfffffffe);
	g_assert_true(domain->devices.rngs[0].info.address.bus.set);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/fill/minimum", test_minimum);
	g_test_add_func("/fill/type", test_type);
	g_test_add_func("/fill/disks", test_disks);
	g_test_add_func("/fill/cdrom", test_cdrom);
	g_test_add_func("/fill/interface", test_interface);
	g_test_add_func("/fill/consoles", test_consoles);
	g_test_add_func("/fill/virtio-ports", test_virtio_ports);
	g_test_add_func("/fill/graphics", test_graphics);
	g_test_add_func("/fill/others", test_others);
	g_test_add_func("/fill/addresses", test_addresses);
	return g_test_run();
}
