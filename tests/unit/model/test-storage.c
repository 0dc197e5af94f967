/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-storage.c - storage pools and volumes in XML: what is read is written, and libvirt's schemas allow it
 */
#include <string.h>

#include "lab.h"
#include "model/storage.h"

static const char *const pools[] = {
	"<pool type='dir'><name>default</name><target><path>/p</path><permissions><mode>0711</mode>"
	"<owner>0</owner><group>-1</group><label>l</label></permissions></target></pool>",
	"<pool type='fs'><name>f</name><source><device path='/dev/sdb1'/><format type='ext4'/>"
	"</source><target><path>/mnt/f</path></target></pool>",
	"<pool type='netfs'><name>n</name><source><host name='h.example'/><dir path='/exports'/>"
	"<format type='nfs'/><protocol ver='4.1'/></source><target><path>/mnt/n</path></target>"
	"</pool>",
	"<pool type='logical'><name>l</name><source><name>vg0</name><device path='/dev/sdb'/>"
	"<device path='/dev/sdc'/><format type='lvm2'/></source></pool>",
	"<pool type='disk'><name>d</name><source><device path='/dev/sdd'><freeExtent start='1' "
	"end='2'/></device><format type='gpt'/></source><target><path>/dev</path></target></pool>",
	"<pool type='iscsi-direct'><name>i</name><source><host name='h'/><device "
	"path='iqn.2026-01.org.example:t'/><initiator><iqn name='iqn.2026-01.org.example:i'/>"
	"</initiator></source></pool>",
	"<pool type='rbd'><name>r</name><source><name>rbd</name><host name='h' port='6789'/>"
	"<auth type='ceph' username='u'><secret usage='s'/></auth></source></pool>",
};

static const char volume[] =
	"<volume type='file'><name>v.qcow2</name><key>/p/v.qcow2</key><source/>"
	"<capacity unit='GiB'>2</capacity><allocation>4096</allocation><physical>4096</physical>"
	"<target><path>/p/v.qcow2</path><format type='qcow2'/><permissions><mode>0600</mode>"
	"<owner>0</owner><group>0</group></permissions><timestamps><atime>1.000000001</atime>"
	"<mtime>2.0</mtime><ctime>3.0</ctime><btime>4</btime></timestamps><compat>1.1</compat>"
	"<clusterSize unit='B'>65536</clusterSize><features><lazy_refcounts/></features></target>"
	"<backingStore><path>/p/b</path><format type='raw'/></backingStore></volume>";

static struct storage_pool *pool_of(const char *xml, GError **error)
{
	autoptr(storage_pool) pool =
		storage_pool_parse(xml, strlen(xml), STORAGE_PARSE_STRICT, NULL, error);

	if (!pool)
		return NULL;
	storage_pool_fill(pool);
	return storage_pool_check(pool, error) ? g_steal_pointer(&pool) : NULL;
}

static void test_pools(void)
{
	bool have = have_schema("storagepool");
	struct schema schema = { 0 };

	if (have)
		schema = schema_open("storagepool");
	for (size_t i = 0; i < ARRAY_SIZE(pools); i++) {
		g_autoptr(GError) error = NULL;
		autoptr(storage_pool) pool = pool_of(pools[i], &error);
		autoptr(storage_pool) copy = NULL;
		autoptr(storage_pool) again = NULL;
		g_autofree char *first = NULL, *second = NULL;

		g_assert_no_error(error);
		copy = storage_pool_copy(pool);
		first = storage_pool_format(copy);
		again = pool_of(first, &error);
		g_assert_no_error(error);
		second = storage_pool_format(again);
		g_assert_cmpstr(first, ==, second);
		if (have)
			assert_valid(&schema, first);
	}
	if (have)
		schema_close(&schema);
}

static void test_volume(void)
{
	g_autoptr(GError) error = NULL;
	autoptr(storage_vol) vol =
		storage_vol_parse(volume, strlen(volume), STORAGE_PARSE_STRICT, NULL, &error);
	autoptr(storage_vol) copy = NULL;
	autoptr(storage_vol) again = NULL;
	g_autofree char *first = NULL, *second = NULL;

	g_assert_no_error(error);
	g_assert_true(storage_vol_check(vol, &error));
	g_assert_cmpint(vol->capacity.value, ==, INT64_C(2) << 30);
	g_assert_cmpint(vol->target.permissions.mode.value, ==, 0600);
	g_assert_cmpint(vol->target.cluster_size.value, ==, 65536);
	copy = storage_vol_copy(vol);
	first = storage_vol_format(copy);
	g_assert_nonnull(strstr(first, "<capacity unit='bytes'>2147483648</capacity>"));
	g_assert_nonnull(strstr(first, "<mode>0600</mode>"));
	again = storage_vol_parse(first, strlen(first), STORAGE_PARSE_STRICT, NULL, &error);
	g_assert_no_error(error);
	second = storage_vol_format(again);
	g_assert_cmpstr(first, ==, second);
	if (have_schema("storagevol")) {
		struct schema schema = schema_open("storagevol");

		assert_valid(&schema, first);
		schema_close(&schema);
	}
}

/* What is read of it by skimming is what is read by parsing. */
static void assert_skimmed(const char *xml)
{
	autoptr(storage_vol) all = storage_vol_parse(xml, strlen(xml), 0, NULL, NULL);
	autoptr(storage_vol) vol = storage_vol_skim(xml, strlen(xml));

	g_assert_nonnull(all);
	g_assert_nonnull(vol);
	g_assert_cmpint(vol->type, ==, all->type);
	g_assert_cmpstr(vol->name, ==, all->name);
	g_assert_cmpstr(vol->key, ==, all->key);
	g_assert_cmpmem(&vol->capacity, sizeof(vol->capacity), &all->capacity,
			sizeof(all->capacity));
	g_assert_cmpmem(&vol->allocation, sizeof(vol->allocation), &all->allocation,
			sizeof(all->allocation));
	g_assert_cmpstr(vol->target.path, ==, all->target.path);
	g_assert_cmpstr(vol->target.format.type, ==, all->target.format.type);
	g_assert_cmpstr(vol->target.timestamps.mtime, ==, all->target.timestamps.mtime);
	g_assert_cmpstr(vol->backing.path, ==, all->backing.path);
	g_assert_cmpstr(vol->backing.format.type, ==, all->backing.format.type);
}

static void test_skim(void)
{
	g_autoptr(GError) error = NULL;
	autoptr(storage_vol) vol = storage_vol_parse(volume, strlen(volume), 0, NULL, &error);
	g_autofree char *xml = NULL;

	g_assert_no_error(error);
	xml = storage_vol_format(vol);
	assert_skimmed(xml);
	assert_skimmed("<volume/>");
	assert_skimmed("<!-- a --><volume type=' block '><name> a&amp;&#98;"
		       "<!-- b -->c\n</name><other><name>d</name></other><target><path/>"
		       "<encryption><path>e</path></encryption></target><key x='y'>f</key>"
		       "<capacity> 5 </capacity></volume><!-- c -->");
}

static void test_not_plain(void)
{
	static const char *const texts[] = {
		"",
		"text",
		"<volume>",
		"<pool/>",
		"<volume/><volume/>",
		"<?xml version='1.0'?><volume/>",
		"<volume><name>a</name><name>b</name></volume>",
		"<volume><target/><target/></volume>",
		"<volume><name>a<b/></name></volume>",
		"<volume><name><![CDATA[a]]></name></volume>",
		"<volume xmlns='http://example.org/'/>",
		"<volume><target xmlns:a='http://example.org/'/></volume>",
		"<volume><capacity unit='KiB'>5</capacity></volume>",
		"<volume><capacity>0x5</capacity></volume>",
		"<volume><capacity>-5</capacity></volume>",
		"<volume><capacity>9223372036854775807</capacity></volume>",
		"<volume><capacity/></volume>",
		"<volume type='none'/>",
		"<!DOCTYPE volume [<!ENTITY e 'e'>]><volume><name>&e;</name></volume>",
		"<volume><name>\xff</name></volume>",
	};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		g_assert_null(storage_vol_skim(texts[i], strlen(texts[i])));
}

/* XML, and words of the sentence by which it is refused. */
static const struct {
	const char *xml, *words;
} refused_pools[] = {
	{ "<pool><name>a</name></pool>", "has no type" },
	{ "<pool type='dir'><target><path>/p</path></target></pool>", "has no name" },
	{ "<pool type='dir'><name>a/b</name><target><path>/p</path></target></pool>", "slash" },
	{ "<pool type='dir'><name>a</name></pool>", "begins with a slash" },
	{ "<pool type='dir'><name>a</name><target><path>p</path></target></pool>", "slash" },
	{ "<pool type='dir'><name>a</name><target><path>/p/../q</path></target></pool>",
	  "goes upwards" },
	{ "<pool type='dir'><name>a</name><uuid>1</uuid><target><path>/p</path></target></pool>",
	  "UUID '1' is none" },
	{ "<pool type='fs'><name>a</name><target><path>/p</path></target></pool>", "0 devices" },
	{ "<pool type='fs'><name>a</name><source><device path='-o'/></source><target><path>/p"
	  "</path></target></pool>",
	  "no path of a device" },
	{ "<pool type='logical'><name>-y</name></pool>", "no name of a volume group" },
	{ "<pool type='logical'><name>a</name><source><name>..</name></source></pool>",
	  "no name of a volume group" },
	{ "<pool type='netfs'><name>a</name><target><path>/p</path></target></pool>", "no host" },
	{ "<pool type='dir'><name>a</name><target><path>/p</path><permissions><mode>9</mode>"
	  "</permissions></target></pool>",
	  "an octal number up to 07777" },
	{ "<pool type='cloud'/>", "one of dir, fs" },
};

static void test_refused_pools(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(refused_pools); i++) {
		g_autoptr(GError) error = NULL;
		autoptr(storage_pool) pool = pool_of(refused_pools[i].xml, &error);

		g_assert_null(pool);
		g_assert_nonnull(error);
		if (!strstr(error->message, refused_pools[i].words))
			g_error("'%s' does not say '%s'", error->message, refused_pools[i].words);
	}
}

static void test_names(void)
{
	static const char *const good[] = { "a", "a b", "-x", ".hidden", "ä.img", "a\\b" };
	static const char *const bad[] = { "",   ".",    "..",   "a/b",
					   "/a", "a\nb", "\x7f", ".socle-1.part" };
	g_autofree char *longest = g_strnfill(STORAGE_NAME_MAX, 'x');
	g_autofree char *longer = g_strnfill(STORAGE_NAME_MAX + 1, 'x');

	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		g_assert_true(storage_vol_name_check(good[i], NULL));
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		g_assert_false(storage_vol_name_check(bad[i], NULL));
	g_assert_true(storage_vol_name_check(longest, NULL));
	g_assert_false(storage_vol_name_check(longer, NULL));
	g_assert_false(storage_vol_name_check(NULL, NULL));
}

static void test_caps(void)
{
	static const struct storage_caps_type types[] = {
		{ STORAGE_POOL_DIR, true },
		{ STORAGE_POOL_FS, true },
		{ STORAGE_POOL_LOGICAL, true },
		{ STORAGE_POOL_RBD, false },
	};
	g_autofree char *text = storage_caps_format(types, ARRAY_SIZE(types));

	g_assert_nonnull(strstr(text, "<pool type='rbd' supported='no'/>"));
	if (have_schema("storagepoolcaps")) {
		struct schema schema = schema_open("storagepoolcaps");

		assert_valid(&schema, text);
		schema_close(&schema);
	}
}

static void test_sources(void)
{
	static const char xml[] = "<source><device path='/dev/sdb'/></source>";
	g_autoptr(GError) error = NULL;
	autoptr(storage_pool) pool = storage_source_parse(xml, strlen(xml), &error);
	const struct storage_pool *list[] = { pool };
	g_autofree char *text = NULL;

	g_assert_no_error(error);
	text = storage_sources_format(list, 1);
	g_assert_cmpstr(text, ==,
			"<sources>\n  <source>\n    <device path='/dev/sdb'/>\n  </source>\n"
			"</sources>\n");
	g_assert_null(storage_source_parse("<pool/>", 7, NULL));
	g_assert_null(storage_sources_parse("<pool/>", 7, NULL));
}

/* Read again; devices come and go. */
static void test_source_devices(void)
{
	static const char xml[] = "<sources><source><device path='/dev/a'/><device path='/dev/b'/>"
				  "<name>one</name></source><source><name>two</name></source>"
				  "</sources>";
	g_autoptr(GError) error = NULL;
	g_autoptr(GPtrArray) found = storage_sources_parse(xml, strlen(xml), &error);
	struct storage_pool_source *source;

	g_assert_no_error(error);
	g_assert_cmpuint(found->len, ==, 2);
	source = &((struct storage_pool *)found->pdata[0])->source;
	g_assert_cmpstr(source->name, ==, "one");
	g_assert_true(storage_source_remove_device(source, "/dev/a"));
	g_assert_false(storage_source_remove_device(source, "/dev/a"));
	storage_source_add_device(source, "/dev/c");
	g_assert_cmpuint(source->device_count, ==, 2);
	g_assert_cmpstr(source->devices[0].path, ==, "/dev/b");
	g_assert_cmpstr(source->devices[1].path, ==, "/dev/c");
	source = &((struct storage_pool *)found->pdata[1])->source;
	g_assert_cmpuint(source->device_count, ==, 0);
	g_assert_cmpstr(source->name, ==, "two");
}

/* A logical volume as a disk, as somebody has had it for years. */
static void test_logical_disk(void)
{
	static const char disk[] =
		"<disk type='block' device='disk'><driver name='qemu' type='raw' "
		"cache='writeback'/>"
		"<source dev='/dev/lvm-raid/vtest2-hdd0'/><target dev='vda' bus='virtio'/>"
		"<alias name='virtio-disk0'/><address type='pci' domain='0x0000' bus='0x00' "
		"slot='0x04' function='0x0'/></disk>";
	g_autofree char *xml = domain_around("<os><type>hvm</type><kernel>/k</kernel></os>", disk);
	autoptr(domain) domain = parse_domain(xml);
	g_autoptr(GError) error = NULL;

	domain_fill(domain, &rich_host);
	g_assert_true(domain_check(domain, &rich_host, DOMAIN_CHECK_START, NULL, &error));
	g_assert_cmpstr(disk_path(&domain->devices.disks[0]), ==, "/dev/lvm-raid/vtest2-hdd0");
	g_assert_cmpint(domain->devices.disks[0].info.fate, ==, FATE_HONOURED);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/model/storage/pools", test_pools);
	g_test_add_func("/model/storage/volume", test_volume);
	g_test_add_func("/model/storage/skim", test_skim);
	g_test_add_func("/model/storage/not-plain", test_not_plain);
	g_test_add_func("/model/storage/refused-pools", test_refused_pools);
	g_test_add_func("/model/storage/names", test_names);
	g_test_add_func("/model/storage/logical-disk", test_logical_disk);
	g_test_add_func("/model/storage/caps", test_caps);
	g_test_add_func("/model/storage/sources", test_sources);
	g_test_add_func("/model/storage/source-devices", test_source_devices);
	return g_test_run();
}
