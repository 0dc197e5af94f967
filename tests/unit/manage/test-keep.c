/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-keep.c - what is kept is whole, and what is gone leaves nothing: names, texts, snapshots
 */
#include <string.h>

#include "base/uuid.h"
#include "client.h"
#include "script.h"

static char uuid_a[] = "00000000-0000-4000-8000-00000000000a";
static char uuid_b[] = "00000000-0000-4000-8000-00000000000b";

struct setup {
	struct node *node;
	struct server *server;
	struct test_client *c, *other;
	rpc_domain a;
};

static struct setup begin_with(bool real, const char *xml)
{
	struct setup s;

	script_reset();
	script.real = real;
	s.node = script_node(true, 0);
	s.server = test_server(s.node);
	s.c = client_open(s.server, false);
	s.other = client_open(s.server, false);
	s.a = client_define(s.c, xml);
	return s;
}

static struct setup begin(void)
{
	g_autofree char *xml = test_xml("a", uuid_a, NULL);

	return begin_with(false, xml);
}

static void end(struct setup *s)
{
	client_free(s->c);
	client_free(s->other);
	server_free(s->server);
	node_free(s->node);
	g_assert_cmpuint(script.machines, ==, 0);
}

static void release_all(void)
{
	script.store_hold = false;
	while (script.store_held.length)
		script_store_release(NULL);
}

static uint32_t send_define(struct test_client *c, const char *name, const char *uuid)
{
	g_autofree char *xml = test_xml(name, uuid, NULL);
	rpc_domain_define_xml_args args = { .xml = xml };

	return client_send_xdr(c, RPC_PROC_DOMAIN_DEFINE_XML,
			       (xdrproc_t)xdr_rpc_domain_define_xml_args, &args);
}

static uint32_t send_rename(struct test_client *c, rpc_domain dom, const char *name)
{
	char *new_name = (char *)(uintptr_t)name;
	rpc_domain_rename_args args = { .dom = dom, .new_name = &new_name };

	return client_send_xdr(c, RPC_PROC_DOMAIN_RENAME, (xdrproc_t)xdr_rpc_domain_rename_args,
			       &args);
}

static bool answered_well(struct test_client *c, uint32_t serial)
{
	return client_read(c, client_wait(c, serial), NULL, NULL, 0);
}

/* While a new name is being kept nobody else gets it, and who defines the old one hears of the new. */
static void test_rename(void)
{
	struct setup s = begin();
	uint32_t renamed, again;

	script.store_hold = true;
	renamed = send_rename(s.c, s.a, "b");
	g_assert_false(answered_well(s.other, send_define(s.other, "b", uuid_b)));
	g_assert_cmpint(s.other->code, ==, RPC_CODE_OPERATION_FAILED);
	again = send_define(s.other, "a", uuid_a);
	g_assert_true(client_find(s.c, "a", NULL));
	release_all();
	g_assert_true(answered_well(s.c, renamed));
	g_assert_false(answered_well(s.other, again));
	g_assert_cmpint(s.other->code, ==, RPC_CODE_OPERATION_FAILED);
	g_assert_true(client_find(s.c, "b", NULL));
	g_assert_false(client_find(s.c, "a", NULL));
	/* A name that could not be kept is free again. */
	script.store_hold = true;
	renamed = send_rename(s.c, s.a, "c");
	script.store_hold = false;
	script_store_release("the disk is full");
	g_assert_false(answered_well(s.c, renamed));
	g_assert_false(client_find(s.c, "c", NULL));
	g_assert_true(answered_well(s.other, send_define(s.other, "c", uuid_b)));
	g_assert_true(client_find(s.c, "b", NULL));
	end(&s);
}

static bool describe(struct setup *s, const char *text)
{
	char *metadata = (char *)(uintptr_t)text;
	rpc_domain_set_metadata_args args = { .dom = s->a, .type = 0, .metadata = &metadata };

	return client_call(s->c, RPC_PROC_DOMAIN_SET_METADATA, domain_set_metadata, &args);
}

static bool keep_element(struct setup *s, const char *key)
{
	char uri[] = "http://example.org/x", element[] = "<x/>", *uri_text = uri, *text = element;
	char *key_text = (char *)(uintptr_t)key;
	rpc_domain_set_metadata_args args = { .dom = s->a,
					      .type = 2,
					      .metadata = &text,
					      .key = &key_text,
					      .uri = &uri_text,
					      .flags = 2 };

	return client_call(s->c, RPC_PROC_DOMAIN_SET_METADATA, domain_set_metadata, &args);
}

static bool attach_channel(struct setup *s, unsigned i)
{
	g_autofree char *xml = g_strdup_printf(
		"<channel type='pty'><target type='virtio' name='c%u'/></channel>", i);
	rpc_domain_attach_device_flags_args args = { .dom = s->a, .xml = xml, .flags = 2 };

	return client_call(s->c, RPC_PROC_DOMAIN_ATTACH_DEVICE_FLAGS, domain_attach_device_flags,
			   &args);
}

/* What a daemon could not read when it is back is refused, however it comes. */
static void test_texts(void)
{
	struct setup s = begin();
	g_autofree char *quotes = g_strnfill(300000, '\''), *kept = NULL;
	unsigned channels = 0;

	kept = g_strdup(g_hash_table_lookup(script.kept[STORE_DOMAIN], uuid_a));
	g_assert_false(describe(&s, "\a"));
	g_assert_false(describe(&s, "\xfc"));
	g_assert_false(describe(&s, quotes));
	g_assert_false(answered_well(s.c, send_rename(s.c, s.a, "\xfc")));
	g_assert_false(keep_element(&s, "x='1'><y"));
	g_assert_nonnull(strstr(s.c->error, "is no prefix of a namespace"));
	g_assert_cmpstr(kept, ==, g_hash_table_lookup(script.kept[STORE_DOMAIN], uuid_a));
	g_assert_true(keep_element(&s, "x"));
	while (channels <= 256 && attach_channel(&s, channels))
		channels++;
	g_assert_cmpuint(channels, ==, 256);
	{
		struct node *node = script_node(true, 0);
		g_autoptr(GError) error = NULL;

		node_load(node, STORE_DOMAIN, uuid_a,
			  g_hash_table_lookup(script.kept[STORE_DOMAIN], uuid_a), &error);
		g_assert_no_error(error);
		node_free(node);
	}
	end(&s);
}

/* A daemon that is killed in the middle of a start that is to wait finds a machine that waits. */
static void test_paused_start(void)
{
	struct setup s = begin();
	rpc_domain_create_with_flags_args args = { .dom = s.a, .flags = 1 };
	uint32_t serial;

	script.hold = true;
	serial = client_send_xdr(s.c, RPC_PROC_DOMAIN_CREATE_WITH_FLAGS,
				 (xdrproc_t)xdr_rpc_domain_create_with_flags_args, &args);
	machine_changed(script.last);
	g_assert_nonnull(strstr(g_hash_table_lookup(script.kept[STORE_STATUS], uuid_a),
				"\nstate 3\nreason 1\n"));
	script.hold = false;
	script_release(NULL);
	g_assert_true(answered_well(s.c, serial));
	g_assert_cmpint(client_state(s.c, s.a, NULL), ==, 3);
	end(&s);
}

/* A machine that is gone does not take away what is kept of the next one of its UUID. */
static void test_next_of_its_uuid(void)
{
	struct setup s = begin();
	g_autofree char *xml = test_xml("b", uuid_b, NULL);
	rpc_domain_create_xml_args args = { .xml_desc = xml };
	uint32_t destroyed, created;
	rpc_domain b;

	g_assert_true(client_call(s.c, RPC_PROC_DOMAIN_CREATE_XML, domain_create_xml, &args));
	g_assert_true(client_find(s.c, "b", &b));
	script.store_hold = true;
	destroyed = client_send_xdr(s.c, RPC_PROC_DOMAIN_DESTROY,
				    (xdrproc_t)xdr_rpc_domain_destroy_args,
				    &(rpc_domain_destroy_args){ .dom = b });
	created = client_send_xdr(s.c, RPC_PROC_DOMAIN_CREATE_XML,
				  (xdrproc_t)xdr_rpc_domain_create_xml_args, &args);
	release_all();
	g_assert_true(answered_well(s.c, destroyed));
	g_assert_true(answered_well(s.c, created));
	g_assert_nonnull(g_hash_table_lookup(script.kept[STORE_STATUS], uuid_b));
	end(&s);
}

/* == Snapshots == */

static bool take(struct setup *s, const char *name, const char *parent, unsigned flags)
{
	g_autofree char *xml =
		g_strdup_printf("<domainsnapshot><name>%s</name>%s%s%s</domainsnapshot>", name,
				parent ? "<parent><name>" : "", parent ? parent : "",
				parent ? "</name></parent>" : "");
	rpc_domain_snapshot_create_xml_args args = { .dom = s->a, .xml_desc = xml, .flags = flags };

	return client_call(s->c, RPC_PROC_DOMAIN_SNAPSHOT_CREATE_XML, domain_snapshot_create_xml,
			   &args);
}

static int count(struct setup *s, unsigned flags)
{
	rpc_domain_snapshot_num_args args = { .dom = s->a, .flags = flags };
	rpc_domain_snapshot_num_ret ret;

	g_assert_true(
		client_ask(s->c, RPC_PROC_DOMAIN_SNAPSHOT_NUM, domain_snapshot_num, &args, &ret));
	return ret.num;
}

static int count_children(struct setup *s, const char *name, unsigned flags)
{
	rpc_domain_snapshot_num_children_args args = {
		.snap = { .name = (char *)(uintptr_t)name, .dom = s->a }, .flags = flags
	};
	rpc_domain_snapshot_num_children_ret ret;

	g_assert_true(client_ask(s->c, RPC_PROC_DOMAIN_SNAPSHOT_NUM_CHILDREN,
				 domain_snapshot_num_children, &args, &ret));
	return ret.num;
}

/* Roots, leaves, children, all below; and no client makes a circle of it. */
static void test_tree(void)
{
	enum {
		REDEFINE = 1,
		ROOTS = 1,
		LEAVES = 4,
		NO_LEAVES = 8,
	};
	struct setup s = begin();

	g_assert_true(take(&s, "one", NULL, 0));
	g_assert_true(take(&s, "two", NULL, 0));
	g_assert_true(take(&s, "three", NULL, 0));
	g_assert_cmpint(count(&s, ROOTS), ==, 1);
	g_assert_cmpint(count(&s, LEAVES), ==, 1);
	g_assert_cmpint(count(&s, NO_LEAVES), ==, 2);
	g_assert_cmpint(count_children(&s, "one", 0), ==, 1);
	g_assert_cmpint(count_children(&s, "one", ROOTS), ==, 2);
	g_assert_cmpint(count_children(&s, "three", ROOTS), ==, 0);
	g_assert_false(take(&s, "one", "three", REDEFINE));
	g_assert_cmpint(s.c->code, ==, RPC_CODE_INVALID_ARG);
	g_assert_nonnull(strstr(s.c->error, "would create a cycle"));
	g_assert_false(take(&s, "four", "nobody", REDEFINE));
	g_assert_cmpint(s.c->code, ==, RPC_CODE_INVALID_ARG);
	g_assert_true(take(&s, "four", "one", REDEFINE));
	g_assert_cmpint(count_children(&s, "one", 0), ==, 2);
	end(&s);
}

static bool go_back(struct setup *s, const char *name, unsigned flags)
{
	rpc_domain_revert_to_snapshot_args args = {
		.snap = { .name = (char *)(uintptr_t)name, .dom = s->a }, .flags = flags
	};

	return client_call(s->c, RPC_PROC_DOMAIN_REVERT_TO_SNAPSHOT, domain_revert_to_snapshot,
			   &args);
}

static bool forget(struct setup *s, const char *name, unsigned flags)
{
	rpc_domain_snapshot_delete_args args = {
		.snap = { .name = (char *)(uintptr_t)name, .dom = s->a }, .flags = flags
	};

	return client_call(s->c, RPC_PROC_DOMAIN_SNAPSHOT_DELETE, domain_snapshot_delete, &args);
}

static const char on_volume[] =
	"<domain "
	"type='qemu'><name>a</name><memory>16384</memory><os><type>hvm</type><kernel>"
	"/k</kernel></os><devices><disk type='block'><driver type='raw'/><source "
	"dev='/dev/vg/a'/><target dev='vda'/></disk></devices></domain>";

/* Disks whose devices keep snapshots: a machine goes back to them, is off for that, and they stay. */
static void test_volumes(void)
{
	enum {
		DISK_ONLY = 16,
		RUNNING = 1,
		METADATA_ONLY = 2,
	};
	struct setup s = begin_with(true, on_volume);

	g_assert_true(take(&s, "off", NULL, 0));
	g_assert_true(client_do(s.c, RPC_PROC_DOMAIN_CREATE, s.a));
	g_assert_false(take(&s, "memory", NULL, 0));
	g_assert_true(take(&s, "on", NULL, DISK_ONLY));
	g_assert_cmpuint(script.taken, ==, 2);
	g_assert_true(go_back(&s, "off", 0));
	g_assert_cmpuint(script.destroyed, ==, 1);
	g_assert_cmpint(client_state(s.c, s.a, NULL), ==, 5);
	g_assert_true(go_back(&s, "on", RUNNING));
	g_assert_cmpuint(script.reverted, ==, 2);
	g_assert_cmpuint(script.started, ==, 2);
	g_assert_cmpint(client_state(s.c, s.a, NULL), ==, 1);

	/* What cannot be done is told, and the machine need not end for that. */
	script.fail = "the volume is lost";
	g_assert_false(go_back(&s, "off", RUNNING));
	g_assert_nonnull(strstr(s.c->error, "is lost"));
	g_assert_cmpint(client_state(s.c, s.a, NULL), ==, 1);
	g_assert_true(client_do(s.c, RPC_PROC_DOMAIN_DESTROY, s.a));
	script.fail = "the volume is in use";
	g_assert_false(forget(&s, "off", 0));
	g_assert_cmpint(count(&s, 0), ==, 2);
	g_assert_true(forget(&s, "off", 0));
	g_assert_cmpuint(script.dropped, ==, 2);
	g_assert_true(forget(&s, "on", METADATA_ONLY));
	g_assert_cmpuint(script.dropped, ==, 2);
	g_assert_cmpint(count(&s, 0), ==, 0);
	end(&s);
}

static bool is_on_the_way(struct setup *s)
{
	const char *why = "on the way back to snapshot 'one'";

	g_assert_false(client_do(s->c, RPC_PROC_DOMAIN_CREATE, s->a));
	g_assert_cmpint(s->c->code, ==, RPC_CODE_OPERATION_INVALID);
	if (!strstr(s->c->error, why))
		return false;
	g_assert_false(take(s, "three", NULL, 0));
	g_assert_nonnull(strstr(s->c->error, why));
	g_assert_false(go_back(s, "two", 0));
	g_assert_nonnull(strstr(s->c->error, why));
	return true;
}

/* The next daemon. */
static void reload(struct setup *s)
{
	end(s);
	s->node = script_node(true, 0);
	script_load(s->node);
	node_loaded(s->node, false);
	s->server = test_server(s->node);
	s->c = client_open(s->server, false);
	s->other = client_open(s->server, false);
}

/* Some disks have gone back and others not, or nobody knows: no guest sees that, until it is taken up again. */
static void test_half_way(void)
{
	struct setup s = begin_with(true, on_volume);
	rpc_domain_revert_to_snapshot_args args = { .snap = { .name = (char[]){ "one" } } };
	g_autofree char *kept = NULL;
	char key[UUID_TEXT_SIZE];
	uint32_t serial;

	g_assert_true(take(&s, "one", NULL, 0));
	g_assert_true(take(&s, "two", NULL, 0));

	/* None has. */
	script.fail_revert = "the group is away";
	g_assert_false(go_back(&s, "one", 0));
	g_assert_nonnull(strstr(s.c->error, "the group is away"));
	g_assert_true(client_do(s.c, RPC_PROC_DOMAIN_CREATE, s.a));
	g_assert_true(client_do(s.c, RPC_PROC_DOMAIN_DESTROY, s.a));

	script.fail_partly = true;
	g_assert_false(go_back(&s, "one", 0));
	g_assert_nonnull(strstr(s.c->error, "the group is away"));
	g_assert_false(script.reverted_again);
	g_assert_true(is_on_the_way(&s));
	reload(&s);
	g_assert_true(is_on_the_way(&s));
	script.fail_revert = NULL;
	g_assert_true(go_back(&s, "one", 0));
	g_assert_true(script.reverted_again);
	g_assert_true(client_do(s.c, RPC_PROC_DOMAIN_CREATE, s.a));
	g_assert_true(client_do(s.c, RPC_PROC_DOMAIN_DESTROY, s.a));

	/* The daemon dies meanwhile. */
	script.hold = true;
	args.snap.dom = s.a;
	serial = client_send_xdr(s.c, RPC_PROC_DOMAIN_REVERT_TO_SNAPSHOT,
				 (xdrproc_t)xdr_rpc_domain_revert_to_snapshot_args, &args);
	script_release(NULL); /* it could */
	g_assert_false(script.reverted_again);
	g_assert_cmpuint(script.held.length, ==, 1);
	script.hold = false;
	uuid_write((const uint8_t *)s.a.uuid, key);
	kept = g_strdup(g_hash_table_lookup(script.kept[STORE_SNAPSHOTS], key));
	script_release(NULL);
	g_assert_true(answered_well(s.c, serial));
	g_hash_table_insert(script.kept[STORE_SNAPSHOTS], g_strdup(key), g_steal_pointer(&kept));
	reload(&s);
	g_assert_true(is_on_the_way(&s));

	/* Who takes them as they are. */
	g_assert_true(forget(&s, "one", 0));
	g_assert_true(client_do(s.c, RPC_PROC_DOMAIN_CREATE, s.a));
	g_assert_true(client_do(s.c, RPC_PROC_DOMAIN_DESTROY, s.a));
	end(&s);
}

static const char *kept_snapshots(const struct setup *s)
{
	char key[UUID_TEXT_SIZE];

	uuid_write((const uint8_t *)s->a.uuid, key);
	return g_hash_table_lookup(script.kept[STORE_SNAPSHOTS], key);
}

/* As a daemon leaves them that is killed while snapshot "one" is being made. */
static void killed_in_the_middle(struct setup *s, unsigned flags)
{
	rpc_domain_snapshot_create_xml_args args = {
		.dom = s->a,
		.xml_desc = (char[]){ "<domainsnapshot><name>one</name></domainsnapshot>" },
		.flags = flags,
	};
	g_autofree char *kept = NULL;
	char key[UUID_TEXT_SIZE];
	uint32_t serial;

	script.hold = true;
	serial = client_send_xdr(s->c, RPC_PROC_DOMAIN_SNAPSHOT_CREATE_XML,
				 (xdrproc_t)xdr_rpc_domain_snapshot_create_xml_args, &args);
	turn();
	g_assert_cmpuint(script.held.length, ==, 1);
	script.hold = false;
	uuid_write((const uint8_t *)s->a.uuid, key);
	kept = g_strdup(kept_snapshots(s));
	g_assert_nonnull(strstr(kept, "<!-- making "));
	script_release(NULL);
	g_assert_true(answered_well(s->c, serial));
	g_assert_null(kept_snapshots(s) ? strstr(kept_snapshots(s), "<!-- making ") : NULL);
	g_hash_table_insert(script.kept[STORE_SNAPSHOTS], g_strdup(key), g_steal_pointer(&kept));
}

/* What is only half made when a daemon ends goes, and its name is free. */
static void test_half_made(void)
{
	enum {
		NO_METADATA = 4,
		DISK_ONLY = 16,
	};
	struct setup s = begin_with(true, on_volume);

	killed_in_the_middle(&s, 0);
	reload(&s);
	g_assert_cmpuint(script.undone, ==, 1);
	g_assert_cmpint(count(&s, 0), ==, 0);
	g_assert_null(kept_snapshots(&s));
	g_assert_true(take(&s, "one", NULL, 0));
	g_assert_cmpuint(script.undone, ==, 1);
	g_assert_true(forget(&s, "one", 0));

	/* The group comes later: the next snapshot has it done. What cannot be done then is left alone. */
	for (unsigned i = 0; i < 2; i++) {
		killed_in_the_middle(&s, i ? NO_METADATA : 0);
		script.fail = "the group is away";
		g_test_expect_message(NULL, G_LOG_LEVEL_WARNING,
				      "*of snapshot 'one' cannot be removed: the group is away");
		reload(&s);
		g_assert_nonnull(strstr(kept_snapshots(&s), "<!-- making "));
		if (i) {
			script.fail = "the group is away";
			g_test_expect_message(NULL, G_LOG_LEVEL_WARNING,
					      "*of snapshot 'one' cannot be removed: *");
		}
		g_assert_true(take(&s, "two", NULL, 0));
		g_test_assert_expected_messages();
		g_assert_cmpuint(script.undone, ==, 3 + 2 * i);
		g_assert_cmpint(count(&s, 0), ==, 1);
		g_assert_null(strstr(kept_snapshots(&s), "<!-- making "));
		g_assert_true(forget(&s, "two", 0));
	}

	/* What fails at once leaves nothing to the next daemon. */
	script.fail = "no room";
	g_assert_false(take(&s, "one", NULL, 0));
	g_assert_nonnull(strstr(s.c->error, "no room"));
	g_assert_true(client_do(s.c, RPC_PROC_DOMAIN_CREATE, s.a));
	g_assert_null(kept_snapshots(&s));
	killed_in_the_middle(&s, DISK_ONLY);
	reload(&s);
	g_assert_cmpuint(script.undone, ==, 6);
	g_assert_cmpint(client_state(s.c, s.a, NULL), ==, 1);

	/* Nothing is made that is not kept. */
	script.taken = 0;
	script.store_fail = "the disk is full";
	g_test_expect_message(NULL, G_LOG_LEVEL_WARNING, "*cannot be kept: the disk is full");
	g_assert_false(take(&s, "one", NULL, DISK_ONLY));
	g_assert_nonnull(strstr(s.c->error, "domain 'a' cannot be kept: the disk is full"));
	g_assert_cmpuint(script.taken, ==, 0);
	script.store_fail = NULL;
	g_assert_true(take(&s, "one", NULL, DISK_ONLY));
	g_test_assert_expected_messages();
	end(&s);
}

/* Snapshots of a domain that stays are there again; those of one that is gone are gone. */
static void test_undefine(void)
{
	enum {
		METADATA = 2
	};
	struct setup s = begin();
	rpc_domain_undefine_flags_args args = { .dom = s.a, .flags = METADATA };
	uint32_t serial;

	g_assert_true(take(&s, "one", NULL, 0));
	script.store_hold = true;
	serial = client_send_xdr(s.c, RPC_PROC_DOMAIN_UNDEFINE_FLAGS,
				 (xdrproc_t)xdr_rpc_domain_undefine_flags_args, &args);
	script_store_release(NULL);
	script_store_release("the disk is full");
	release_all();
	g_assert_false(answered_well(s.c, serial));
	g_assert_nonnull(strstr(s.c->error, "the disk is full"));
	g_assert_cmpint(count(&s, 0), ==, 1);
	g_assert_nonnull(g_hash_table_lookup(script.kept[STORE_SNAPSHOTS], uuid_a));
	/* It runs on without a definition; its end is the end of all. */
	g_assert_true(client_do(s.c, RPC_PROC_DOMAIN_CREATE, s.a));
	g_assert_true(client_do(s.c, RPC_PROC_DOMAIN_UNDEFINE, s.a));
	g_assert_cmpint(count(&s, 0), ==, 1);
	g_assert_true(client_do(s.c, RPC_PROC_DOMAIN_DESTROY, s.a));
	g_assert_false(client_find(s.c, "a", NULL));
	g_assert_cmpuint(g_hash_table_size(script.kept[STORE_SNAPSHOTS]), ==, 0);
	g_assert_cmpuint(g_hash_table_size(script.kept[STORE_STATUS]), ==, 0);
	end(&s);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/keep/rename", test_rename);
	g_test_add_func("/keep/texts", test_texts);
	g_test_add_func("/keep/paused-start", test_paused_start);
	g_test_add_func("/keep/next-of-its-uuid", test_next_of_its_uuid);
	g_test_add_func("/keep/tree", test_tree);
	g_test_add_func("/keep/volumes", test_volumes);
	g_test_add_func("/keep/half-way", test_half_way);
	g_test_add_func("/keep/half-made", test_half_made);
	g_test_add_func("/keep/undefine", test_undefine);
	return g_test_run();
}
