/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * secret.c - secrets: handles, what is told of them, their values
 */
#include "client/socle-secret.h"

#include <string.h>

#include "base/uuid.h"
#include "client/error-int.h"
#include "client/list-int.h"
#include "client/object-int.h"

/* == Handles == */

struct socle_secret *client_secret_new(struct socle_conn *conn, const rpc_secret *wire)
{
	struct socle_secret *secret = g_new(struct socle_secret, 1);

	*secret = (struct socle_secret){
		.refs = 1,
		.conn = socle_conn_ref(conn),
		.usage_type = wire->usageType,
		.usage_id = g_strdup(wire->usageID),
	};
	memcpy(secret->uuid, wire->uuid, sizeof(secret->uuid));
	uuid_write(secret->uuid, secret->uuid_text);
	return secret;
}

static rpc_secret secret_wire(const struct socle_secret *secret)
{
	rpc_secret wire = { .usageType = secret->usage_type, .usageID = secret->usage_id };

	memcpy(wire.uuid, secret->uuid, sizeof(wire.uuid));
	return wire;
}

struct socle_secret *socle_secret_ref(struct socle_secret *secret)
{
	atomic_fetch_add(&secret->refs, 1);
	return secret;
}

void socle_secret_unref(struct socle_secret *secret)
{
	if (!secret || atomic_fetch_sub(&secret->refs, 1) != 1)
		return;
	socle_conn_unref(secret->conn);
	g_free(secret->usage_id);
	g_free(secret);
}

void socle_secrets_free(struct socle_secret **secrets)
{
	for (size_t i = 0; secrets && secrets[i]; i++)
		socle_secret_unref(secrets[i]);
	g_free(secrets);
}

struct socle_conn *socle_secret_conn(const struct socle_secret *secret)
{
	return secret->conn;
}

const unsigned char *socle_secret_uuid(const struct socle_secret *secret)
{
	return secret->uuid;
}

const char *socle_secret_uuid_text(const struct socle_secret *secret)
{
	return secret->uuid_text;
}

int socle_secret_usage_type(const struct socle_secret *secret)
{
	return secret->usage_type;
}

const char *socle_secret_usage_id(const struct socle_secret *secret)
{
	return secret->usage_id;
}

/* == Finding == */

/* Those answers that have a secret and nothing else look alike. */
static struct socle_secret *take(struct socle_conn *conn, rpc_secret *wire)
{
	struct socle_secret *secret = client_secret_new(conn, wire);

	rpc_body_release(rpc_secret, wire);
	return secret;
}

int socle_secret_list(struct socle_conn *conn, unsigned flags, struct socle_secret ***ret_secrets,
		      struct socle_error **error)
{
	rpc_connect_list_all_secrets_args args = {
		.need_results = ret_secrets != NULL,
		.flags = flags,
	};
	rpc_connect_list_all_secrets_ret ret;
	unsigned count;

	if (!CALL(conn, CONNECT_LIST_ALL_SECRETS, connect_list_all_secrets, &args, &ret, error))
		return -1;
	count = ret_secrets ? ret.secrets.secrets_len : MIN(ret.ret, RPC_MAX_SECRETS);
	if (ret_secrets) {
		*ret_secrets = g_new0(struct socle_secret *, (size_t)count + 1);
		for (unsigned i = 0; i < count; i++)
			(*ret_secrets)[i] = client_secret_new(conn, &ret.secrets.secrets_val[i]);
	}
	rpc_body_release(rpc_connect_list_all_secrets_ret, &ret);
	return (int)count;
}

struct socle_secret *socle_secret_by_uuid(struct socle_conn *conn, const unsigned char *uuid,
					  struct socle_error **error)
{
	rpc_secret_lookup_by_uuid_args args;
	rpc_secret_lookup_by_uuid_ret ret;

	if (!client_has(uuid, "UUID", error))
		return NULL;
	memcpy(args.uuid, uuid, sizeof(args.uuid));
	if (!CALL(conn, SECRET_LOOKUP_BY_UUID, secret_lookup_by_uuid, &args, &ret, error))
		return NULL;
	return take(conn, &ret.secret);
}

struct socle_secret *socle_secret_by_uuid_text(struct socle_conn *conn, const char *uuid,
					       struct socle_error **error)
{
	unsigned char bytes[16];

	return client_uuid(uuid, bytes, error) ? socle_secret_by_uuid(conn, bytes, error) : NULL;
}

struct socle_secret *socle_secret_by_usage(struct socle_conn *conn, int type, const char *id,
					   struct socle_error **error)
{
	rpc_secret_lookup_by_usage_args args = { .usageType = type, .usageID = TEXT(id) };
	rpc_secret_lookup_by_usage_ret ret;

	if (!client_has(id, "name of what a secret is for", error) ||
	    !CALL(conn, SECRET_LOOKUP_BY_USAGE, secret_lookup_by_usage, &args, &ret, error))
		return NULL;
	return take(conn, &ret.secret);
}

/* == What is told of it == */

struct socle_secret *socle_secret_define(struct socle_conn *conn, const char *xml, unsigned flags,
					 struct socle_error **error)
{
	rpc_secret_define_xml_args args = { .xml = TEXT(xml), .flags = flags };
	rpc_secret_define_xml_ret ret;

	if (!client_has(xml, "XML", error) ||
	    !CALL(conn, SECRET_DEFINE_XML, secret_define_xml, &args, &ret, error))
		return NULL;
	return take(conn, &ret.secret);
}

int socle_secret_undefine(struct socle_secret *secret, struct socle_error **error)
{
	rpc_secret_undefine_args args = { .secret = secret_wire(secret) };

	return CALL_ARGS(secret->conn, SECRET_UNDEFINE, secret_undefine, &args, error);
}

char *socle_secret_xml(struct socle_secret *secret, unsigned flags, struct socle_error **error)
{
	rpc_secret_get_xml_desc_args args = { .secret = secret_wire(secret), .flags = flags };
	rpc_secret_get_xml_desc_ret ret;

	if (!CALL(secret->conn, SECRET_GET_XML_DESC, secret_get_xml_desc, &args, &ret, error))
		return NULL;
	return ret.xml;
}

/* == Value; packets that have one zero it themselves == */

int socle_secret_set_value(struct socle_secret *secret, const void *value, size_t len,
			   unsigned flags, struct socle_error **error)
{
	rpc_secret_set_value_args args = {
		.secret = secret_wire(secret),
		.value = { .value_len = (unsigned)len, .value_val = TEXT(value) },
		.flags = flags,
	};

	if (len && !client_has(value, "value", error))
		return -1;
	if (len > RPC_MAX_SECRET_VALUE) {
		client_error(error, SOCLE_ERR_INVALID_ARG,
			     "a value of %zu bytes is more than the %d that a secret can have", len,
			     RPC_MAX_SECRET_VALUE);
		return -1;
	}
	return CALL_ARGS(secret->conn, SECRET_SET_VALUE, secret_set_value, &args, error);
}

unsigned char *socle_secret_get_value(struct socle_secret *secret, unsigned flags, size_t *ret_len,
				      struct socle_error **error)
{
	rpc_secret_get_value_args args = { .secret = secret_wire(secret), .flags = flags };
	rpc_secret_get_value_ret ret;
	unsigned char *value;
	unsigned len;

	if (!CALL(secret->conn, SECRET_GET_VALUE, secret_get_value, &args, &ret, error))
		return NULL;
	len = ret.value.value_len;
	value = client_take_bytes(ret.value.value_val, len, len);
	*ret_len = len;
	if (len)
		explicit_bzero(ret.value.value_val, len);
	rpc_body_release(rpc_secret_get_value_ret, &ret);
	return value;
}

void socle_secret_value_free(unsigned char *value, size_t len)
{
	if (!value)
		return;
	explicit_bzero(value, len);
	g_free(value);
}
