/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * object.c - handles of domains and snapshots
 */
#include "client/object-int.h"

#include <string.h>

#include "base/uuid.h"
#include "client/error-int.h"

struct socle_domain *domain_new(struct socle_conn *conn, const rpc_domain *wire)
{
	struct socle_domain *dom = g_new(struct socle_domain, 1);
	const unsigned char *u = (const unsigned char *)wire->uuid;

	*dom = (struct socle_domain){
		.refs = 1,
		.conn = socle_conn_ref(conn),
		.name = g_strdup(wire->name),
		.id = wire->id,
	};
	memcpy(dom->uuid, u, sizeof(dom->uuid));
	uuid_write(u, dom->uuid_text);
	return dom;
}

rpc_domain domain_wire(const struct socle_domain *dom)
{
	rpc_domain wire = { .name = dom->name, .id = dom->id };

	memcpy(wire.uuid, dom->uuid, sizeof(wire.uuid));
	return wire;
}

struct socle_domain *socle_domain_ref(struct socle_domain *dom)
{
	atomic_fetch_add(&dom->refs, 1);
	return dom;
}

void socle_domain_unref(struct socle_domain *dom)
{
	if (!dom || atomic_fetch_sub(&dom->refs, 1) != 1)
		return;
	socle_conn_unref(dom->conn);
	g_free(dom->name);
	g_free(dom);
}

void socle_domains_free(struct socle_domain **doms)
{
	for (size_t i = 0; doms && doms[i]; i++)
		socle_domain_unref(doms[i]);
	g_free(doms);
}

struct socle_conn *socle_domain_conn(const struct socle_domain *dom)
{
	return dom->conn;
}

const char *socle_domain_name(const struct socle_domain *dom)
{
	return dom->name;
}

const unsigned char *socle_domain_uuid(const struct socle_domain *dom)
{
	return dom->uuid;
}

const char *socle_domain_uuid_text(const struct socle_domain *dom)
{
	return dom->uuid_text;
}

int socle_domain_id(const struct socle_domain *dom)
{
	return dom->id;
}

struct socle_snapshot *snapshot_new(struct socle_conn *conn, const rpc_domain_snapshot *wire)
{
	struct socle_snapshot *snap = g_new(struct socle_snapshot, 1);

	*snap = (struct socle_snapshot){
		.refs = 1,
		.dom = domain_new(conn, &wire->dom),
		.name = g_strdup(wire->name),
	};
	return snap;
}

rpc_domain_snapshot snapshot_wire(const struct socle_snapshot *snap)
{
	return (rpc_domain_snapshot){ .name = snap->name, .dom = domain_wire(snap->dom) };
}

struct socle_snapshot *socle_snapshot_ref(struct socle_snapshot *snap)
{
	atomic_fetch_add(&snap->refs, 1);
	return snap;
}

void socle_snapshot_unref(struct socle_snapshot *snap)
{
	if (!snap || atomic_fetch_sub(&snap->refs, 1) != 1)
		return;
	socle_domain_unref(snap->dom);
	g_free(snap->name);
	g_free(snap);
}

void socle_snapshots_free(struct socle_snapshot **snaps)
{
	for (size_t i = 0; snaps && snaps[i]; i++)
		socle_snapshot_unref(snaps[i]);
	g_free(snaps);
}

const char *socle_snapshot_name(const struct socle_snapshot *snap)
{
	return snap->name;
}

struct socle_domain *socle_snapshot_domain(const struct socle_snapshot *snap)
{
	return snap->dom;
}

bool client_uuid(const char *text, unsigned char ret_uuid[16], struct socle_error **error)
{
	memset(ret_uuid, 0, 16);
	if (!client_has(text, "UUID", error))
		return false;
	return uuid_read(text, ret_uuid) ||
	       client_error(error, SOCLE_ERR_INVALID_ARG,
			    "'%.80s' is no UUID: it has 32 hexadecimal digits", text);
}

void socle_strings_free(char **strings)
{
	g_strfreev(strings);
}
