/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-secret.c - secrets, as clients see them: what replaces what, who may see a value, what is kept
 */
#include <string.h>

#include "asker.h"
#include "base/uuid.h"
#include "manage/secret.h"
#include "model/auth.h"

#define UUID  "c0ffee00-1234-4321-9abc-0123456789ab"
#define OTHER "c0ffee00-1234-4321-9abc-0123456789ac"
#define ISCSI(flags, uuid)              \
	"<secret " flags "><uuid>" uuid \
	"</uuid><usage type='iscsi'><target>t</target></usage></secret>"

enum {
	CONFIG_ERROR_XML = 27,
	INVALID_SECRET = 65,
	NO_SECRET = 66,
	INTERNAL = 1,
};

/* A store that counts, and can be full: for ever, or for the n-th change from now on. */
static struct {
	bool fails;
	unsigned fails_in;
	unsigned saved[STORE_KIND_COUNT], removed[STORE_KIND_COUNT];
	char *kept[STORE_KIND_COUNT]; /* of UUID */
} store;

/* Whoever is killed behind this change finds it so. */
static void store_end(enum store_kind kind, const char *key, const char *text, struct task *task)
{
	g_autoptr(GError) error = NULL;

	if (store.fails || (store.fails_in && --store.fails_in == 0)) {
		g_set_error(&error, g_quark_from_string("test"), 0, "the disk is full");
	} else if (!strcmp(key, UUID)) {
		g_free(store.kept[kind]);
		store.kept[kind] = g_strdup(text);
		/* A value without a definition would stay for ever. */
		g_assert_true(store.kept[STORE_SECRET] || !store.kept[STORE_SECRET_VALUE]);
	}
	task_end(task, error);
}

static void save(void *opaque, enum store_kind kind, const char *key, const char *text,
		 struct task *task)
{
	(void)opaque;
	g_assert_true(!strcmp(key, UUID) || store.fails);
	store.saved[kind]++;
	store_end(kind, key, text, task);
}

static void drop(void *opaque, enum store_kind kind, const char *key, struct task *task)
{
	(void)opaque;
	store.removed[kind]++;
	store_end(kind, key, NULL, task);
}

static const struct store_ops ops = { .save = save, .remove = drop };

static struct node *new_node(void)
{
	struct node_config config = { .uri = "qemu:///system",
				      .type = "QEMU",
				      .support = { .emulator = "/e" },
				      .store = &ops };

	for (unsigned i = 0; i < STORE_KIND_COUNT; i++)
		g_free(store.kept[i]);
	memset(&store, 0, sizeof(store));
	return node_new(&config);
}

static rpc_secret handle(const char *uuid)
{
	rpc_secret secret = { .usageID = (char *)(uintptr_t) "" };

	g_assert_true(uuid_read(uuid, (uint8_t *)secret.uuid));
	return secret;
}

static void define(struct asker *asker, const char *xml)
{
	rpc_secret_define_xml_args args = { .xml = (char *)(uintptr_t)xml };
	rpc_secret_define_xml_ret ret = { 0 };

	ASK(asker, SECRET_DEFINE_XML, rpc_secret_define_xml_args, &args, rpc_secret_define_xml_ret,
	    &ret);
	rpc_body_release(rpc_secret_define_xml_ret, &ret);
}

static void define_fails(struct asker *asker, const char *xml, int code, const char *words)
{
	rpc_secret_define_xml_args args = { .xml = (char *)(uintptr_t)xml };

	ASK_FAILS(asker, SECRET_DEFINE_XML, rpc_secret_define_xml_args, &args, code, words);
}

static void set_value(struct asker *asker, const char *text)
{
	rpc_secret_set_value_args args = { .secret = handle(UUID) };
	struct rpc_received received;

	args.value.value_val = (char *)(uintptr_t)text;
	args.value.value_len = (unsigned)strlen(text);
	received = asker_ask(asker, RPC_PROC_SECRET_SET_VALUE,
			     (xdrproc_t)xdr_rpc_secret_set_value_args, &args);
	if (store.fails)
		asker_assert_fails(&received, INTERNAL, "the disk is full");
	else
		asker_assert_ok(&received);
}

static void value_is(struct asker *asker, const char *text)
{
	rpc_secret_get_value_args args = { .secret = handle(UUID) };
	rpc_secret_get_value_ret ret = { { 0 } };

	ASK(asker, SECRET_GET_VALUE, rpc_secret_get_value_args, &args, rpc_secret_get_value_ret,
	    &ret);
	g_assert_cmpmem(ret.value.value_val, ret.value.value_len, text, strlen(text));
	rpc_body_release(rpc_secret_get_value_ret, &ret);
}

static void test_values(void)
{
	struct node *node = new_node();
	autoptr(asker) asker = asker_new(node);
	rpc_secret_get_value_args get = { .secret = handle(UUID) };
	struct auth auth = { .type = (char[]){ "chap" }, .secret.usage = (char[]){ "t" } };
	g_autoptr(GError) error = NULL;
	g_autoptr(GBytes) bytes = NULL;

	g_assert_null(node_password(node, &auth, false, "x", &error));
	g_assert_nonnull(strstr(error->message, "x needs the secret 't', which is not there"));
	g_clear_error(&error);
	define(asker, ISCSI("", UUID));
	ASK_FAILS(asker, SECRET_GET_VALUE, rpc_secret_get_value_args, &get, NO_SECRET,
		  "does not have a value");
	g_assert_null(node_password(node, &auth, false, "x", &error));
	g_assert_nonnull(strstr(error->message, "which has no value"));
	g_clear_error(&error);
	/* An rbd's are Ceph's, also if <secret> does not say so. */
	g_assert_null(node_password(node, &auth, true, "x", &error));
	g_assert_nonnull(strstr(error->message, "which is not there"));
	g_clear_error(&error);
	set_value(asker, "one");
	value_is(asker, "one");
	/* If it cannot be kept, all is as before. */
	store.fails = true;
	set_value(asker, "two");
	store.fails = false;
	value_is(asker, "one");
	bytes = node_password(node, &auth, false, "x", &error);
	g_assert_no_error(error);
	g_assert_cmpstr(g_bytes_get_data(bytes, NULL), ==, "one");
	/* Who has it keeps it. */
	set_value(asker, "three");
	g_assert_cmpstr(g_bytes_get_data(bytes, NULL), ==, "one");
	g_assert_null(strstr(store.kept[STORE_SECRET_VALUE], "three"));
}

static void test_definitions(void)
{
	autoptr(asker) asker = asker_new(new_node());
	rpc_secret_get_value_args get = { .secret = handle(UUID) };
	rpc_secret_undefine_args undefine = { .secret = handle(UUID) };
	rpc_connect_num_of_secrets_ret num = { 0 };
	struct rpc_received received;

	define_fails(asker, "<secret><usage type='iscsi'/></secret>", CONFIG_ERROR_XML,
		     "does not say what it is for");
	define_fails(asker, "<secret><uuid>x</uuid></secret>", CONFIG_ERROR_XML, "'x' is no UUID");
	define(asker, ISCSI("", UUID));
	set_value(asker, "one");
	define_fails(asker, ISCSI("", OTHER), INTERNAL, "already defined for use with t");
	define_fails(asker, "<secret><uuid>" UUID "</uuid></secret>", INTERNAL,
		     "is already defined for use with t");
	/* A value outlives another definition, and one that is private is nobody's. */
	define(asker, ISCSI("private='yes'", UUID));
	ASK_FAILS(asker, SECRET_GET_VALUE, rpc_secret_get_value_args, &get, INVALID_SECRET,
		  "secret is private");
	define_fails(asker, ISCSI("", UUID), INTERNAL, "cannot change private flag");
	/* What is ephemeral is not kept any more. */
	define(asker, ISCSI("private='yes' ephemeral='yes'", UUID));
	g_assert_cmpuint(store.removed[STORE_SECRET], ==, 1);
	g_assert_cmpuint(store.removed[STORE_SECRET_VALUE], >=, 1);
	/* A definition that cannot be kept is not there. */
	store.fails = true;
	define_fails(asker, "<secret><uuid>" OTHER "</uuid></secret>", INTERNAL,
		     "the disk is full");
	store.fails = false;
	ASK_BARE(asker, CONNECT_NUM_OF_SECRETS, rpc_connect_num_of_secrets_ret, &num);
	g_assert_cmpint(num.num, ==, 1);
	received = asker_ask(asker, RPC_PROC_SECRET_UNDEFINE,
			     (xdrproc_t)xdr_rpc_secret_undefine_args, &undefine);
	asker_assert_ok(&received);
	ASK_FAILS(asker, SECRET_GET_VALUE, rpc_secret_get_value_args, &get, NO_SECRET,
		  "no secret with matching uuid '" UUID "'");
}

/* One that cannot be taken away is there as it was. */
static void test_undefine_fails(void)
{
	autoptr(asker) asker = asker_new(new_node());
	rpc_secret_undefine_args undefine = { .secret = handle(UUID) };

	define(asker, ISCSI("", UUID));
	set_value(asker, "one");
	store.fails = true;
	ASK_FAILS(asker, SECRET_UNDEFINE, rpc_secret_undefine_args, &undefine, INTERNAL,
		  "the disk is full");
	store.fails = false;
	value_is(asker, "one");
}

/* Of two files the second one cannot be written: the first one becomes what it was. */
static void test_second_fails(void)
{
	autoptr(asker) asker = asker_new(new_node());
	rpc_secret_undefine_args undefine = { .secret = handle(UUID) };
	rpc_connect_num_of_secrets_ret num = { 0 };
	g_autofree char *value = NULL;

	store.fails_in = 2;
	define_fails(asker, ISCSI("", UUID), INTERNAL, "the disk is full");
	g_assert_null(store.kept[STORE_SECRET]);
	ASK_BARE(asker, CONNECT_NUM_OF_SECRETS, rpc_connect_num_of_secrets_ret, &num);
	g_assert_cmpint(num.num, ==, 0);

	define(asker, ISCSI("", UUID));
	set_value(asker, "one");
	value = g_strdup(store.kept[STORE_SECRET_VALUE]);
	store.fails_in = 2;
	define_fails(asker, ISCSI("ephemeral='yes'", UUID), INTERNAL, "the disk is full");
	g_assert_nonnull(store.kept[STORE_SECRET]);
	g_assert_cmpstr(store.kept[STORE_SECRET_VALUE], ==, value);
	store.fails_in = 2;
	ASK_FAILS(asker, SECRET_UNDEFINE, rpc_secret_undefine_args, &undefine, INTERNAL,
		  "the disk is full");
	g_assert_cmpstr(store.kept[STORE_SECRET_VALUE], ==, value);
	value_is(asker, "one");

	/* And back: nothing of it is kept. */
	define(asker, ISCSI("ephemeral='yes'", UUID));
	g_assert_null(store.kept[STORE_SECRET]);
	store.fails_in = 2;
	define_fails(asker, ISCSI("", UUID), INTERNAL, "the disk is full");
	g_assert_null(store.kept[STORE_SECRET]);
	value_is(asker, "one");
	define(asker, ISCSI("", UUID));
	g_assert_cmpstr(store.kept[STORE_SECRET_VALUE], ==, value);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/manage/secret/values", test_values);
	g_test_add_func("/manage/secret/definitions", test_definitions);
	g_test_add_func("/manage/secret/undefine-fails", test_undefine_fails);
	g_test_add_func("/manage/secret/second-fails", test_second_fails);
	return g_test_run();
}
