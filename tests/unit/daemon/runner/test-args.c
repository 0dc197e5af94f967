/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-args.c - definitions and the command lines that are made of them
 *
 * NAME.xml in the folder of golden files has NAME.args beside it, an argument a line. With REGENERATE=1
 * they are written.
 */
#include <glib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "daemon/keys.h"
#include "daemon/runner-args.h"

static const struct support host = { .emulator = "/usr/bin/socle-vm",
				     .bios = true,
				     .bridges = true };
static const int taps[] = { 7, 8, 9, 10 };

static struct domain *read_domain(const char *xml)
{
	g_autoptr(GError) error = NULL;
	struct domain *domain = domain_parse(xml, strlen(xml), DOMAIN_PARSE_STRICT, NULL, &error);

	g_assert_no_error(error);
	domain_fill(domain, &host);
	g_assert_true(domain_check(domain, &host, DOMAIN_CHECK_START, NULL, &error));
	g_assert_no_error(error);
	runner_produce(domain, "/run/m");
	return domain;
}

static char **arguments(const struct domain *domain, GError **error)
{
	const struct runner_places places = { .program = "/usr/bin/socle-vm",
					      .dir = "/run/m",
					      .taps = taps };

	return runner_argv(domain, &places, error);
}

static void test_golden(gconstpointer opaque)
{
	const char *path = opaque;
	g_autofree char *base = g_strndup(path, strlen(path) - strlen(".xml"));
	g_autofree char *golden = g_strconcat(base, ".args", NULL);
	g_autofree char *xml = NULL, *expected = NULL, *lines = NULL, *text = NULL;
	g_auto(GStrv) argv = NULL;
	autoptr(domain) domain = NULL;
	g_autoptr(GError) error = NULL;

	g_assert_true(g_file_get_contents(path, &xml, NULL, NULL));
	domain = read_domain(xml);
	argv = arguments(domain, &error);
	g_assert_no_error(error);
	lines = g_strjoinv("\n", argv);
	text = g_strconcat(lines, "\n", NULL);
	if (g_getenv("REGENERATE"))
		g_assert_true(g_file_set_contents(golden, text, -1, NULL));
	g_assert_true(g_file_get_contents(golden, &expected, NULL, NULL));
	g_assert_cmpstr(text, ==, expected);
}

/* A machine with @devices, which cannot be said. */
static void assert_refused(const char *devices, const char *words)
{
	g_autofree char *xml = g_strdup_printf(
		"<domain type='qemu'><name>n</name><memory>65536</memory><os><type>hvm</type>"
		"<kernel>/k</kernel></os><devices>%s</devices></domain>",
		devices);
	autoptr(domain) domain = read_domain(xml);
	g_autoptr(GError) error = NULL;
	g_auto(GStrv) argv = arguments(domain, &error);

	g_assert_null(argv);
	g_assert_nonnull(error);
	if (!strstr(error->message, words))
		g_error("'%s' is not in: %s", words, error->message);
}

static void test_refused(void)
{
	assert_refused("<interface type='user'><portForward proto='tcp'><range start='1' end='40'/>"
		       "</portForward></interface>",
		       "forwards more than 32 ports");
	assert_refused("<interface type='user'><portForward proto='tcp'><range start='65000' "
		       "end='65010' to='65530'/>"
		       "</portForward></interface>",
		       "ports to be forwarded are from 1 to 65535");
	assert_refused("<serial type='unix'><source mode='connect' path='/s'/></serial>",
		       "ports only listen; give mode='bind'");
	assert_refused("<serial type='pty'><log file='/l' append='on'/></serial>",
		       "cannot be written to '/l' beside; remove <log>");
	assert_refused("<interface type='udp'><source address='1.2.3.4' port='5'/></interface>",
		       "a machine cannot be connected in this way");
}

/* The same keys as text and as an object. */
static void test_keys(void)
{
	struct keys text = keys_text(), object = keys_object();
	struct keys *const both[] = { &text, &object };
	g_autofree char *dump = NULL;
	char *json;

	for (size_t i = 0; i < ARRAY_SIZE(both); i++) {
		keys_word(both[i], "on");
		keys_add(both[i], "path", "/a,b,,c=d");
		keys_add(both[i], "none", NULL);
		keys_bool(both[i], "yes", true);
		keys_number(both[i], "n", -5);
		keys_printf(both[i], "at", "%d.%d", 1, 2);
		keys_append(both[i], "many", "x,");
		keys_append(both[i], "many", "y");
	}
	g_assert_cmpstr(text.text->str, ==,
			"on,path=/a,,b,,,,c=d,yes=on,n=-5,at=1.2,many=x,,,many=y");
	json = json_dumps(object.object, JSON_COMPACT | JSON_SORT_KEYS);
	dump = g_strdup(json);
	free(json);
	g_assert_cmpstr(dump, ==,
			"{\"at\":\"1.2\",\"many\":[\"x,\",\"y\"],\"n\":-5,\"path\":\"/a,b,,c=d\","
			"\"yes\":true}");
	g_string_free(text.text, TRUE);
	json_decref(object.object);
}

/* A disk and a card, for a machine that runs. */
static void test_plugged(void)
{
	static const char xml[] =
		"<domain type='qemu'><name>n</name><memory>65536</memory><os><type>hvm</type>"
		"<kernel>/k</kernel></os><devices>"
		"<disk type='file'><driver name='qemu' type='qcow2' cache='writethrough'/>"
		"<source file='/d,1'/><target dev='vda' bus='virtio'/><serial>S</serial>"
		"<iotune><read_iops_sec>5</read_iops_sec></iotune></disk>"
		"<interface type='user'><mac address='52:54:00:00:00:01'/></interface>"
		"</devices></domain>";
	autoptr(domain) domain = read_domain(xml);
	const struct domain_disk *disk = &domain->devices.disks[0];
	const struct domain_interface *card = &domain->devices.interfaces[0];
	g_autoptr(GError) error = NULL;
	json_t *made[] = { runner_disk_node(disk, "node-d"), runner_disk_device(disk, "node-d"),
			   runner_disk_limits(disk), runner_netdev(card, "link-n", &error),
			   runner_card_device(card, "link-n") };
	static const char *const expected[] = {
		"{\"backing\":true,\"cache\":\"writethrough\",\"driver\":\"qcow2\","
		"\"node-name\":\"node-d\",\"path\":\"/d,1\"}",
		"{\"addr\":\"0x1\",\"drive\":\"node-d\",\"driver\":\"virtio-blk-pci\","
		"\"id\":\"virtio-disk0\",\"iops_rd\":5,\"serial\":\"S\",\"write-cache\":false}",
		"{\"bps\":0,\"bps_rd\":0,\"bps_wr\":0,\"id\":\"virtio-disk0\",\"iops\":0,"
		"\"iops_rd\":5,\"iops_wr\":0}",
		"{\"id\":\"link-n\",\"type\":\"user\"}",
		"{\"addr\":\"0x2\",\"driver\":\"virtio-net-pci\",\"id\":\"net0\","
		"\"mac\":\"52:54:00:00:00:01\",\"netdev\":\"link-n\"}",
	};

	g_assert_no_error(error);
	for (size_t i = 0; i < ARRAY_SIZE(made); i++) {
		char *json = json_dumps(made[i], JSON_COMPACT | JSON_SORT_KEYS);

		g_assert_cmpstr(json, ==, expected[i]);
		free(json);
		json_decref(made[i]);
	}
}

/* What a machine has and the definition need not; what is there stays. */
static void test_produced(void)
{
	static const char xml[] =
		"<domain type='qemu'><name>n</name><memory>65536</memory><os><type>hvm</type>"
		"<kernel>/k</kernel></os><devices>"
		"<disk type='file'><source file='/d'/><target dev='vda'/>"
		"<alias name='ua-mine'/></disk>"
		"<channel type='unix'><target type='virtio' name='a'/></channel>"
		"<channel type='unix'><source mode='bind' path='/s'/>"
		"<target type='virtio' name='b'/></channel>"
		"<vsock model='virtio'/></devices></domain>";
	autoptr(domain) domain = read_domain(xml);
	const struct domain_devices *d = &domain->devices;

	g_assert_cmpstr(d->disks[0].info.alias.name, ==, "ua-mine");
	g_assert_cmpstr(d->channels[0].info.alias.name, ==, "channel0");
	g_assert_cmpstr(d->channels[0].sources[0].path, ==, "/run/m/channel0");
	g_assert_cmpstr(d->channels[0].sources[0].mode, ==, "bind");
	g_assert_cmpstr(d->channels[1].sources[0].path, ==, "/s");
	g_assert_cmpint(d->vsocks[0].cid.address.value, ==, 3);
	runner_produce(domain, "/other");
	g_assert_cmpstr(d->channels[0].sources[0].path, ==, "/run/m/channel0");
}

int main(int argc, char **argv)
{
	const char *folder = g_getenv("SOCLE_GOLDEN");
	g_autoptr(GPtrArray) paths = g_ptr_array_new_with_free_func(g_free);
	g_autoptr(GDir) dir = NULL;
	const char *name;
	int status;

	g_test_init(&argc, &argv, NULL);
	dir = g_dir_open(folder ? folder : ".", 0, NULL);
	while (dir && (name = g_dir_read_name(dir))) {
		g_autofree char *path = g_build_filename(folder, name, NULL);
		g_autofree char *test = g_strdup_printf("/args/golden/%s", name);

		if (!g_str_has_suffix(name, ".xml"))
			continue;
		g_test_add_data_func(test, path, test_golden);
		g_ptr_array_add(paths, g_steal_pointer(&path));
	}
	g_assert_cmpint(paths->len, >, 0);
	g_test_add_func("/args/refused", test_refused);
	g_test_add_func("/args/keys", test_keys);
	g_test_add_func("/args/plugged", test_plugged);
	g_test_add_func("/args/produced", test_produced);
	status = g_test_run();
	return status;
}
