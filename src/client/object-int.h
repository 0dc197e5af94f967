/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * object-int.h - handles of domains, snapshots, networks, pools, volumes, secrets, and their form on
 * the wire
 */
#ifndef CLIENT_OBJECT_INT_H
#define CLIENT_OBJECT_INT_H

#include <stdatomic.h>

#include "client/conn-int.h"
#include "client/socle-domain.h"
#include "client/socle-network.h"
#include "client/socle-secret.h"
#include "client/socle-snapshot.h"
#include "client/socle-volume.h"
#include "rpc/remote.h"

struct socle_domain {
	atomic_uint refs;
	struct socle_conn *conn;
	char *name;
	unsigned char uuid[16];
	char uuid_text[SOCLE_UUID_TEXT];
	int id;
};

struct socle_snapshot {
	atomic_uint refs;
	struct socle_domain *dom;
	char *name;
};

struct socle_network {
	atomic_uint refs;
	struct socle_conn *conn;
	char *name;
	unsigned char uuid[16];
	char uuid_text[SOCLE_UUID_TEXT];
};

struct socle_pool {
	atomic_uint refs;
	struct socle_conn *conn;
	char *name;
	unsigned char uuid[16];
	char uuid_text[SOCLE_UUID_TEXT];
};

struct socle_volume {
	atomic_uint refs;
	struct socle_conn *conn;
	char *pool, *name, *key;
};

struct socle_secret {
	atomic_uint refs;
	struct socle_conn *conn;
	unsigned char uuid[16];
	char uuid_text[SOCLE_UUID_TEXT];
	int usage_type;
	char *usage_id;
};

/* What a server says is copied. */
struct socle_domain *domain_new(struct socle_conn *conn, const rpc_domain *wire);
struct socle_snapshot *snapshot_new(struct socle_conn *conn, const rpc_domain_snapshot *wire);
struct socle_network *client_network_new(struct socle_conn *conn, const rpc_network *wire);
struct socle_pool *client_pool_new(struct socle_conn *conn, const rpc_storage_pool *wire);
struct socle_volume *client_volume_new(struct socle_conn *conn, const rpc_storage_vol *wire);
struct socle_secret *client_secret_new(struct socle_conn *conn, const rpc_secret *wire);

/* Lent by the handle. */
rpc_domain domain_wire(const struct socle_domain *dom);
rpc_domain_snapshot snapshot_wire(const struct socle_snapshot *snap);
rpc_network client_network_wire(const struct socle_network *net);
rpc_storage_pool client_pool_wire(const struct socle_pool *pool);

/* The 16 bytes of a UUID that a caller has written down. */
bool client_uuid(const char *text, unsigned char ret_uuid[16], struct socle_error **error);

#endif
