/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-param.c - typed parameters: bytes of each type, round trip, checks, look-up
 */
#include <math.h>
#include <string.h>

#include <glib.h>

#include "base/error.h"
#include "rpc/param.h"

#include "hex.h"

static const struct rpc_header call = { RPC_PROGRAM_REMOTE, 1, 303, RPC_TYPE_CALL, 0, 0 };

static void fill(struct rpc_params *params)
{
	rpc_params_init(params);
	rpc_params_add_int(params, "i", -2);
	rpc_params_add_uint(params, "ui", 4000000000);
	rpc_params_add_llong(params, "l", INT64_MIN);
	rpc_params_add_ullong(params, "ul", UINT64_MAX);
	rpc_params_add_double(params, "d", 1.5);
	rpc_params_add_boolean(params, "b", true);
	rpc_params_add_string(params, "s", "text");
}

static void test_bytes(void)
{
	autoptr(rpc_message) msg = rpc_message_new(&call);
	rpc_connect_set_identity_args args = { 0 };
	struct rpc_params params;

	fill(&params);
	args.params.params_val = params.items;
	args.params.params_len = params.count;
	g_assert_true(rpc_message_put(msg, rpc_connect_set_identity_args, &args, NULL));
	assert_body(msg, "00000007 "
			 "00000001 69000000 00000001 fffffffe "
			 "00000002 75690000 00000002 ee6b2800 "
			 "00000001 6c000000 00000003 80000000 00000000 "
			 "00000002 756c0000 00000004 ffffffff ffffffff "
			 "00000001 64000000 00000005 3ff80000 00000000 "
			 "00000001 62000000 00000006 00000001 "
			 "00000001 73000000 00000007 00000004 74657874 "
			 "00000000");
	rpc_params_release(&params);
	g_assert_null(params.items);
}

static void test_round_trip(void)
{
	autoptr(rpc_message) msg = rpc_message_new(&call);
	rpc_connect_set_identity_args args = { 0 }, got;
	struct rpc_params params;
	struct rpc_received r;
	const rpc_param *items;

	fill(&params);
	args.params.params_val = params.items;
	args.params.params_len = params.count;
	g_assert_true(rpc_message_put(msg, rpc_connect_set_identity_args, &args, NULL));
	rpc_params_release(&params);
	g_assert_true(rpc_received_init(&r, rpc_message_packet(msg), NULL));
	g_assert_true(rpc_received_get(&r, rpc_connect_set_identity_args, &got, NULL));
	items = got.params.params_val;
	g_assert_cmpuint(got.params.params_len, ==, 7);
	g_assert_cmpint(items[0].value.rpc_param_value_u.i, ==, -2);
	g_assert_cmpuint(items[1].value.rpc_param_value_u.ui, ==, 4000000000);
	g_assert_cmpint(items[2].value.rpc_param_value_u.l, ==, INT64_MIN);
	g_assert_cmpuint(items[3].value.rpc_param_value_u.ul, ==, UINT64_MAX);
	g_assert_true(fabs(items[4].value.rpc_param_value_u.d - 1.5) < 1e-9);
	g_assert_cmpint(items[5].value.rpc_param_value_u.b, ==, 1);
	g_assert_cmpstr(items[6].value.rpc_param_value_u.s, ==, "text");
	rpc_body_release(rpc_connect_set_identity_args, &got);
}

/* A type that does not exist is refused where it comes in, whatever came before it. */
static void test_strange_type(void)
{
	for (unsigned type = 0; type <= 9; type++) {
		struct span body =
			from_hex("00000002 00000001 61000000 00000007 00000001 62000000 "
				 "00000001 61000000 00000000 00000000 00000000 00000000");
		struct rpc_received r = { .body = body };
		rpc_connect_set_identity_args got;
		bool ok;

		put_be32((uint8_t *)(uintptr_t)body.p + 32, type);
		ok = rpc_received_get(&r, rpc_connect_set_identity_args, &got, NULL);
		g_assert_true(ok == (type >= 1 && type <= 7));
		if (ok)
			rpc_body_release(rpc_connect_set_identity_args, &got);
		g_free((void *)(uintptr_t)body.p);
	}
}

static const struct rpc_param_spec specs[] = {
	{ "shares", RPC_PARAM_ULLONG, false },
	{ "disk", RPC_PARAM_STRING, true },
};

static bool check(const struct rpc_params *params, const char *want)
{
	g_autoptr(GError) error = NULL;
	bool ok =
		rpc_params_check(params->items, params->count, specs, G_N_ELEMENTS(specs), &error);

	g_assert_cmpstr(error ? error->message : NULL, ==, want);
	return ok;
}

static void test_check(void)
{
	struct rpc_params params;

	rpc_params_init(&params);
	g_assert_true(check(&params, NULL));
	rpc_params_add_string(&params, "disk", "vda");
	rpc_params_add_ullong(&params, "shares", 1);
	rpc_params_add_string(&params, "disk", "vdb");
	g_assert_true(check(&params, NULL));
	rpc_params_add_ullong(&params, "shares", 2);
	g_assert_false(check(&params, "parameter 'shares' is there twice"));
	rpc_params_release(&params);

	rpc_params_add_uint(&params, "shares", 1);
	g_assert_false(check(&params, "parameter 'shares' has to be a unsigned long long, not a "
				      "unsigned int"));
	params.items[0].value.type = 12;
	g_assert_false(check(&params, "parameter 'shares' has to be a unsigned long long, not a "
				      "nothing"));
	rpc_params_release(&params);

	rpc_params_add_int(&params, "color", 1);
	g_assert_false(check(&params, "parameter 'color' is not known here"));
	g_free(params.items[0].field);
	params.items[0].field = g_strnfill(RPC_PARAM_NAME_MAX + 1, 'x');
	g_assert_false(check(&params, "parameter 'xxxxxxxxxxxxxxxxxxxx...' has a name of more than "
				      "79 bytes"));
	rpc_params_release(&params);
}

static void test_find(void)
{
	struct rpc_params params;
	const rpc_param *found;

	rpc_params_init(&params);
	g_assert_null(rpc_params_find(params.items, 0, "x", RPC_PARAM_INT, NULL));
	for (int i = 0; i < 100; i++) {
		g_autofree char *name = g_strdup_printf("n%d", i % 10);

		rpc_params_add_int(&params, name, i);
	}
	found = NULL;
	for (int i = 0; i < 10; i++) {
		found = rpc_params_find(params.items, params.count, "n7", RPC_PARAM_INT, found);
		g_assert_nonnull(found);
		g_assert_cmpint(found->value.rpc_param_value_u.i, ==, i * 10 + 7);
	}
	g_assert_null(rpc_params_find(params.items, params.count, "n7", RPC_PARAM_INT, found));
	g_assert_null(rpc_params_find(params.items, params.count, "n7", RPC_PARAM_UINT, NULL));
	g_assert_null(rpc_params_find(params.items, params.count, "n", RPC_PARAM_INT, NULL));
	rpc_params_release(&params);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/rpc/param/bytes", test_bytes);
	g_test_add_func("/rpc/param/round-trip", test_round_trip);
	g_test_add_func("/rpc/param/strange-type", test_strange_type);
	g_test_add_func("/rpc/param/check", test_check);
	g_test_add_func("/rpc/param/find", test_find);
	return g_test_run();
}
