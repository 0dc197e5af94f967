/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * object-int.h - handles of domains and snapshots, and their form on the wire
 */
#ifndef CLIENT_OBJECT_INT_H
#define CLIENT_OBJECT_INT_H

#include <stdatomic.h>

#include "client/conn-int.h"
#include "client/socle-domain.h"
#include "client/socle-snapshot.h"
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

/* What a server says is copied. */
struct socle_domain *domain_new(struct socle_conn *conn, const rpc_domain *wire);
struct socle_snapshot *snapshot_new(struct socle_conn *conn, const rpc_domain_snapshot *wire);

/* Lent by the handle. */
rpc_domain domain_wire(const struct socle_domain *dom);
rpc_domain_snapshot snapshot_wire(const struct socle_snapshot *snap);

#endif
