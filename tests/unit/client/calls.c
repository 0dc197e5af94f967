/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * calls.c - run tables of calls against a server that checks each byte of them
 */
#include "calls.h"

#include <string.h>

#include "client/object-int.h"

/* What the server does with the next call. */
struct script {
	pthread_mutex_t lock;
	const struct case_ *now;
	enum {
		ANSWER,
		REFUSE,
		CUT
	} mode;
	size_t cut; /* bytes of the answer's body that come */
	unsigned calls;
	size_t ret_len;
};

/* == Saying == */

char *say_int(int64_t value)
{
	return g_strdup_printf("%" G_GINT64_FORMAT, value);
}

char *say_text(char *text)
{
	return text ? text : g_strdup("NULL");
}

char *say_texts(int count, char **texts)
{
	char *said;

	if (count < 0)
		return g_strdup("-1");
	said = g_strjoinv(",", texts);
	g_assert_cmpint((int)g_strv_length(texts), ==, count);
	socle_strings_free(texts);
	return said;
}

static void say_param(GString *out, const struct socle_param *p)
{
	g_string_append_printf(out, "%s%s=", out->len > 0 ? " " : "", p->name);
	switch (p->type) {
	case SOCLE_PARAM_INT:
		g_string_append_printf(out, "i%d", p->value.i);
		break;
	case SOCLE_PARAM_UINT:
		g_string_append_printf(out, "u%u", p->value.ui);
		break;
	case SOCLE_PARAM_LLONG:
		g_string_append_printf(out, "l%" G_GINT64_FORMAT, p->value.l);
		break;
	case SOCLE_PARAM_ULLONG:
		g_string_append_printf(out, "U%" G_GUINT64_FORMAT, p->value.ul);
		break;
	case SOCLE_PARAM_DOUBLE:
		g_string_append_printf(out, "d%g", p->value.d);
		break;
	case SOCLE_PARAM_BOOLEAN:
		g_string_append_printf(out, "b%d", p->value.b);
		break;
	case SOCLE_PARAM_STRING:
		g_string_append_printf(out, "s%s", p->value.s);
		break;
	default:
		g_assert_not_reached();
	}
}

char *say_params(struct socle_params *params)
{
	GString *out = g_string_new(NULL);

	if (!params)
		return g_string_free(g_string_append(out, "NULL"), FALSE);
	for (size_t i = 0; i < socle_params_count(params); i++)
		say_param(out, socle_params_get(params, i));
	socle_params_free(params);
	return g_string_free(out, FALSE);
}

char *say_domain(struct socle_domain *dom)
{
	char *said;

	if (!dom)
		return g_strdup("NULL");
	g_assert_cmpstr(socle_domain_uuid_text(dom), ==, "01234567-89ab-cdef-fedc-ba9876543210");
	said = g_strdup_printf("%s %d", socle_domain_name(dom), socle_domain_id(dom));
	socle_domain_unref(dom);
	return said;
}

char *say_snapshot(struct socle_snapshot *snap)
{
	char *said;

	if (!snap)
		return g_strdup("NULL");
	said = g_strdup_printf("%s of %s", socle_snapshot_name(snap),
			       socle_domain_name(socle_snapshot_domain(snap)));
	socle_snapshot_unref(snap);
	return said;
}

char *say_snapshots(int count, struct socle_snapshot **snaps)
{
	char *said;

	if (count < 0)
		return g_strdup("-1");
	said = g_strdup_printf("%d %s", count, snaps[0] ? socle_snapshot_name(snaps[0]) : "none");
	socle_snapshots_free(snaps);
	return said;
}

char *say_network(struct socle_network *net)
{
	char *said;

	if (!net)
		return g_strdup("NULL");
	g_assert_cmpstr(socle_network_uuid_text(net), ==, "01234567-89ab-cdef-fedc-ba9876543210");
	g_assert_cmpmem(socle_network_uuid(net), 16, fake_uuid, 16);
	said = g_strdup(socle_network_name(net));
	socle_network_unref(net);
	return said;
}

char *say_pool(struct socle_pool *pool)
{
	char *said;

	if (!pool)
		return g_strdup("NULL");
	g_assert_cmpstr(socle_pool_uuid_text(pool), ==, "01234567-89ab-cdef-fedc-ba9876543210");
	g_assert_cmpmem(socle_pool_uuid(pool), 16, fake_uuid, 16);
	said = g_strdup(socle_pool_name(pool));
	socle_pool_unref(pool);
	return said;
}

char *say_volume(struct socle_volume *vol)
{
	char *said;

	if (!vol)
		return g_strdup("NULL");
	said = g_strdup_printf("%s in %s at %s", socle_volume_name(vol),
			       socle_volume_pool_name(vol), socle_volume_key(vol));
	socle_volume_unref(vol);
	return said;
}

char *say_secret(struct socle_secret *secret)
{
	char *said;

	if (!secret)
		return g_strdup("NULL");
	g_assert_cmpstr(socle_secret_uuid_text(secret), ==, "01234567-89ab-cdef-fedc-ba9876543210");
	g_assert_cmpmem(socle_secret_uuid(secret), 16, fake_uuid, 16);
	said = g_strdup_printf("%s %s", socle_secret_usage_name(socle_secret_usage_type(secret)),
			       socle_secret_usage_id(secret));
	socle_secret_unref(secret);
	return said;
}

char *say_if(int rc, char *text)
{
	if (rc >= 0)
		return text;
	g_free(text);
	return g_strdup("-1");
}

/* == The server == */

static void on_packet_locked(struct fake *fake, struct script *script,
			     const struct rpc_received *packet)
{
	const struct case_ *c = script->now;
	g_autoptr(GByteArray) ret = spec_bytes(c->ret);
	g_autoptr(GByteArray) args = spec_bytes(c->args);
	struct rpc_header header = rpc_header_answer(&packet->header, RPC_STATUS_OK);
	struct rpc_message *msg;

	/* A stream that is open is given up at the end of the case. */
	if (packet->header.type == RPC_TYPE_STREAM)
		return;
	script->calls++;
	/* A call that is made twice asks first how many there are. */
	if (packet->header.procedure == c->first &&
	    (c->first != c->procedure || script->calls == 1)) {
		fake_reply(fake, packet, c->first_ret);
		return;
	}
	g_assert_cmpint(packet->header.procedure, ==, c->procedure);
	script->ret_len = ret->len;
	if (script->mode == REFUSE) {
		fake_error(fake, packet, SOCLE_ERR_OPERATION_INVALID, "not now");
		return;
	}
	if (script->mode == ANSWER)
		g_assert_cmpmem(packet->body.p, packet->body.len, args->data, args->len);
	msg = rpc_message_new(&header);
	g_assert_true(rpc_message_put_bytes(
		msg, ret->data, script->mode == CUT ? MIN(script->cut, ret->len) : ret->len, NULL));
	fake_send(fake, msg);
}

static void on_packet(struct fake *fake, const struct rpc_received *packet)
{
	struct script *script = fake->opaque;

	pthread_mutex_lock(&script->lock);
	on_packet_locked(fake, script, packet);
	pthread_mutex_unlock(&script->lock);
}

static void set_mode(struct script *script, int mode, size_t cut)
{
	pthread_mutex_lock(&script->lock);
	script->mode = mode;
	script->cut = cut;
	script->calls = 0;
	pthread_mutex_unlock(&script->lock);
}

static size_t ret_len(struct script *script)
{
	size_t len;

	pthread_mutex_lock(&script->lock);
	g_assert_cmpint((int)script->calls, >, 0);
	len = script->ret_len;
	pthread_mutex_unlock(&script->lock);
	return len;
}

/* == Running == */

struct bench {
	const struct case_ *c;
};

static void env_init(struct env *e, struct fake *fake)
{
	rpc_domain dom = { .name = (char *)(uintptr_t) "vm", .id = 7 };
	rpc_domain_snapshot snap = { .name = (char *)(uintptr_t) "snap" };
	rpc_network net = { .name = (char *)(uintptr_t) "net" };
	rpc_storage_pool pool = { .name = (char *)(uintptr_t) "pool" };
	rpc_secret secret = { .usageType = SOCLE_SECRET_USAGE_CEPH,
			      .usageID = (char *)(uintptr_t) "key" };

	memcpy(dom.uuid, fake_uuid, sizeof(dom.uuid));
	memcpy(net.uuid, fake_uuid, sizeof(net.uuid));
	memcpy(pool.uuid, fake_uuid, sizeof(pool.uuid));
	memcpy(secret.uuid, fake_uuid, sizeof(secret.uuid));
	snap.dom = dom;
	*e = (struct env){ .conn = fake_connect(fake, 0) };
	e->dom = domain_new(e->conn, &dom);
	e->snap = snapshot_new(e->conn, &snap);
	e->net = client_network_new(e->conn, &net);
	e->pool = client_pool_new(e->conn, &pool);
	e->vol = client_volume_new(e->conn, &(rpc_storage_vol){
						    .pool = (char *)(uintptr_t) "pool",
						    .name = (char *)(uintptr_t) "vol",
						    .key = (char *)(uintptr_t) "/vol",
					    });
	e->secret = client_secret_new(e->conn, &secret);
}

static void env_release(struct env *e)
{
	socle_secret_unref(e->secret);
	socle_volume_unref(e->vol);
	socle_pool_unref(e->pool);
	socle_network_unref(e->net);
	socle_snapshot_unref(e->snap);
	socle_domain_unref(e->dom);
	socle_conn_unref(e->conn);
}

static bool is_failure(const char *said)
{
	return !strcmp(said, "NULL") || !strcmp(said, "-1");
}

static void try_cut(struct env *e, struct script *script, size_t cut, int code)
{
	g_autofree char *said = NULL;

	set_mode(script, CUT, cut);
	said = script->now->run(e);
	g_assert_true(is_failure(said));
	g_assert_cmpint(socle_error_code(e->error), ==, code);
	socle_error_free(e->error);
	e->error = NULL;
}

static void test_case(const void *opaque)
{
	const struct case_ *c = ((const struct bench *)opaque)->c;
	struct script script = { .lock = PTHREAD_MUTEX_INITIALIZER, .now = c };
	size_t len;
	struct fake fake;
	struct env e;
	g_autofree char *said = NULL, *refused = NULL;

	fake_init(&fake, on_packet);
	fake.opaque = &script;
	env_init(&e, &fake);
	said = c->run(&e);
	g_assert_cmpstr(socle_error_message(e.error), ==, "no error");
	g_assert_cmpstr(said, ==, c->result);
	len = ret_len(&script);

	set_mode(&script, REFUSE, 0);
	refused = c->run(&e);
	g_assert_true(is_failure(refused));
	g_assert_cmpint(socle_error_code(e.error), ==, SOCLE_ERR_OPERATION_INVALID);
	g_assert_cmpint(socle_error_domain(e.error), ==, SOCLE_FROM_QEMU);
	g_assert_cmpstr(socle_error_message(e.error), ==, "not now");
	socle_error_free(e.error);
	e.error = NULL;

	for (size_t cut = 0; cut < len; cut += 4)
		try_cut(&e, &script, cut, SOCLE_ERR_RPC);
	env_release(&e);
	fake_release(&fake);
}

int calls_main(int argc, char **argv, const struct case_ *cases, size_t count)
{
	g_autofree struct bench *benches = g_new(struct bench, count);
	int rc;

	g_test_init(&argc, &argv, NULL);
	for (size_t i = 0; i < count; i++) {
		g_autofree char *path = g_strdup_printf("/client/calls/%s", cases[i].name);

		benches[i].c = &cases[i];
		g_test_add_data_func(path, &benches[i], test_case);
	}
	rc = g_test_run();
	return rc;
}
