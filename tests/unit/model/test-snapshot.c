/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-snapshot.c - the four steps of a snapshot's description
 */
#include "lab.h"
#include "model/snapshot.h"

static const struct snapshot_request running = { .state = SNAPSHOT_RUNNING, .now = 1700000000 };
static const struct snapshot_request disks_only = { .state = SNAPSHOT_RUNNING,
						    .now = 1700000000,
						    .disk_only = true };

static struct domain *some_domain(void)
{
	g_autofree char *xml = domain_around(
		"",
		"<disk><driver type='qcow2'/><source file='/i/a.qcow2'/><target dev='vda'/></disk>"
		"<disk><driver type='raw'/><source file='/i.d/b'/><target dev='vdb'/></disk>"
		"<disk device='cdrom'><target dev='sda'/></disk>");
	struct domain *domain = parse_domain(xml);

	domain_fill(domain, &rich_host);
	return domain;
}

static struct snapshot *parse(const char *xml)
{
	g_autoptr(GError) error = NULL;
	struct snapshot *snapshot =
		snapshot_parse(xml, strlen(xml), SNAPSHOT_PARSE_STRICT, NULL, &error);

	g_assert_no_error(error);
	g_assert_nonnull(snapshot);
	return snapshot;
}

static void assert_stable(const struct snapshot *snapshot)
{
	g_autofree char *first = snapshot_format(snapshot, 0);
	autoptr(snapshot) again = parse(first);
	g_autofree char *second = snapshot_format(again, 0);

	g_assert_cmpstr(first, ==, second);
	if (have_schema("domainsnapshot")) {
		struct schema schema = schema_open("domainsnapshot");

		assert_valid(&schema, first);
		schema_close(&schema);
	}
}

static void test_minimum(void)
{
	autoptr(domain) domain = some_domain();
	autoptr(snapshot) snapshot = parse("<domainsnapshot/>");

	snapshot_fill(snapshot, domain, &running);
	g_assert_cmpstr(snapshot->name, ==, "1700000000");
	g_assert_cmpint(snapshot->state, ==, SNAPSHOT_RUNNING);
	g_assert_cmpint(snapshot->memory.where, ==, SNAPSHOT_INTERNAL);
	g_assert_cmpuint(snapshot->disks.count, ==, 3);
	g_assert_cmpint(snapshot->disks.list[0].where, ==, SNAPSHOT_INTERNAL);
	g_assert_cmpint(snapshot->disks.list[2].where, ==, SNAPSHOT_NO);
	g_assert_cmpstr(snapshot->domain->name, ==, "n");
	assert_stable(snapshot);
}

static void test_external(void)
{
	autoptr(domain) domain = some_domain();
	autoptr(snapshot) snapshot =
		parse("<domainsnapshot><name>s1</name><description>a &amp; b</description><disks>"
		      "<disk name='/i.d/b' snapshot='no'/></disks></domainsnapshot>");
	g_autoptr(GError) error = NULL;

	snapshot_fill(snapshot, domain, &disks_only);
	g_assert_true(snapshot_check(snapshot, domain, &error));
	g_assert_no_error(error);
	g_assert_cmpint(snapshot->state, ==, SNAPSHOT_DISK_ONLY);
	g_assert_cmpint(snapshot->memory.where, ==, SNAPSHOT_NO);
	g_assert_cmpstr(snapshot->disks.list[0].name, ==, "vdb");
	g_assert_cmpstr(snapshot->disks.list[1].name, ==, "vda");
	g_assert_cmpstr(snapshot->disks.list[1].source.file, ==, "/i/a.s1");
	g_assert_cmpstr(snapshot->disks.list[1].driver.type, ==, "qcow2");
	assert_stable(snapshot);
}

/* A dot in a folder's name is none of the image's. */
/* A device keeps its own: a logical volume, perhaps. */
static void test_volume(void)
{
	g_autofree char *xml = domain_around(
		"", "<disk type='block'><driver type='raw'/><source dev='/dev/vg/a'/>"
		    "<target dev='vda'/></disk><disk type='block'><driver type='qcow2'/>"
		    "<source dev='/dev/vg/b'/><target dev='vdb'/></disk>");
	autoptr(domain) domain = parse_domain(xml);
	autoptr(snapshot) snapshot = parse("<domainsnapshot><name>s</name><disks><disk name='vdb' "
					   "snapshot='no'/></disks></domainsnapshot>");
	g_autoptr(GError) error = NULL;

	domain_fill(domain, &rich_host);
	snapshot_fill(snapshot, domain, &disks_only);
	g_assert_cmpuint(snapshot->disks.count, ==, 2);
	g_assert_cmpint(snapshot->disks.list[1].where, ==, SNAPSHOT_INTERNAL);
	g_assert_true(snapshot_check(snapshot, domain, &error));
	g_assert_no_error(error);
	g_assert_true(disk_keeps_snapshots(&domain->devices.disks[0]));
	g_assert_false(disk_keeps_snapshots(&domain->devices.disks[1]));
	assert_stable(snapshot);
}

static void test_image_name(void)
{
	autoptr(domain) domain = some_domain();
	autoptr(snapshot) snapshot = parse("<domainsnapshot><name>s</name></domainsnapshot>");

	snapshot_fill(snapshot, domain, &disks_only);
	g_assert_cmpstr(snapshot->disks.list[1].source.file, ==, "/i.d/b.s");
}

static void test_whole(void)
{
	autoptr(snapshot) snapshot = parse(
		"<domainsnapshot><name>s</name><state>shutoff</state><parent><name>p</name></"
		"parent>"
		"<creationTime>1</creationTime><memory snapshot='external' file='/m'/>"
		"<disks><disk name='vda' snapshot='external' type='file'><driver type='qcow2'/>"
		"<source file='/n'/></disk></disks>"
		"<domain><uuid>2d9d3b0c-9d0c-4a6a-8f4f-0123456789ab</uuid></domain>"
		"<cookie><x>1</x></cookie><active>1</active></domainsnapshot>");

	g_assert_cmpstr(snapshot->parent.name, ==, "p");
	g_assert_cmpstr(snapshot->domain->uuid, ==, "2d9d3b0c-9d0c-4a6a-8f4f-0123456789ab");
	g_assert_cmpint(snapshot->active.value, ==, 1);
	assert_stable(snapshot);
}

static void test_refusals(void)
{
	static const struct {
		const char *xml, *words;
		bool disk_only;
	} bad[] = {
		{ "<name>a/b</name>", "'a/b' cannot be part of a file's", true },
		{ "<name>.a</name>", "starts with a dot", true },
		{ "<name>a\nb</name>", "a line break or another control character", true },
		{ "<name>a</name><parent><name>a</name></parent>", "its own parent", true },
		{ "<disks><disk name='vdz'/></disks>", "no disk 'vdz'; name one by its target",
		  true },
		{ "<disks><disk name='vda'/><disk name='vda'/></disks>", "names disk 'vda' twice",
		  true },
		{ "", "disk 'vdb' cannot hold a snapshot: its image is not qcow2", false },
		{ "<disks><disk name='vda'><source file='x'/></disk></disks>",
		  "the path of its new image does not start with '/'", true },
		{ "<disks><disk name='vda'><source file='/i/a.qcow2'/></disk></disks>",
		  "its new image would be the one it has", true },
		{ "<disks><disk name='vda'><driver type='raw'/></disk></disks>",
		  "a new image is qcow2, not 'raw'; remove <driver>", true },
		{ "<disks><disk name='vda' type='network' snapshot='external'/></disks>",
		  "a new image is a file or a block device", true },
		{ "<disks><disk name='vda' snapshot='internal'/></disks>", "one snapshot is of one",
		  true },
		{ "<memory snapshot='manual'/>", "memory is not saved by hand", false },
		{ "<memory snapshot='external' file='m'/>", "external memory wants a file", false },
		{ "<memory snapshot='no' file='/m'/>", "only external memory has a file", false },
		{ "<memory snapshot='internal'/>", "disks only has no <memory>; remove it", true },
	};
	autoptr(domain) domain = some_domain();

	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
		g_autofree char *xml =
			g_strdup_printf("<domainsnapshot>%s</domainsnapshot>", bad[i].xml);
		autoptr(snapshot) snapshot = parse(xml);
		g_autoptr(GError) error = NULL;

		snapshot_fill(snapshot, domain, bad[i].disk_only ? &disks_only : &running);
		g_assert_false(snapshot_check(snapshot, domain, &error));
		if (!strstr(error->message, bad[i].words))
			g_error("'%s' is not in: %s", bad[i].words, error->message);
	}
}

static void test_root(void)
{
	g_autoptr(GError) error = NULL;

	g_assert_null(snapshot_parse("<domain/>", 9, 0, NULL, &error));
	g_assert_cmpstr(error->message, ==,
			"the document is a <domain>, and a <domainsnapshot> is wanted; send that");
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/snapshot/minimum", test_minimum);
	g_test_add_func("/snapshot/external", test_external);
	g_test_add_func("/snapshot/volume", test_volume);
	g_test_add_func("/snapshot/image-name", test_image_name);
	g_test_add_func("/snapshot/whole", test_whole);
	g_test_add_func("/snapshot/refusals", test_refusals);
	g_test_add_func("/snapshot/root", test_root);
	return g_test_run();
}
