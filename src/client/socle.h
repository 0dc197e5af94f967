/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * socle.h - libsocle: virtual machines of Socle's daemon, or of any daemon of libvirt's
 *
 *	struct socle_error *error = NULL;
 *	struct socle_conn *conn = socle_conn_open(NULL, 0, &error);
 *
 *	if (!conn)
 *		errx(1, "%s", socle_error_message(error));
 *
 * Parts: errors, typed parameters, connection and host, domains (life cycle, resources, devices),
 * snapshots, networks, storage pools and volumes, secrets, events, streams. Handles are counted:
 * S_ref() and S_unref(), and are immutable; they may be shared by threads. Functions return 0, a
 * number or a pointer, and -1 or NULL on failure.
 */
#ifndef CLIENT_SOCLE_H
#define CLIENT_SOCLE_H

#include "client/socle-conn.h"
#include "client/socle-device.h"
#include "client/socle-disk.h"
#include "client/socle-domain.h"
#include "client/socle-error.h"
#include "client/socle-event.h"
#include "client/socle-guest.h"
#include "client/socle-network.h"
#include "client/socle-params.h"
#include "client/socle-pool.h"
#include "client/socle-resource.h"
#include "client/socle-save.h"
#include "client/socle-secret.h"
#include "client/socle-snapshot.h"
#include "client/socle-stream.h"
#include "client/socle-volume.h"

/* Locals that give back what they own: SOCLE_AUTO(domain) dom = socle_domain_by_name(...); */
#define SOCLE_AUTO(name) __attribute__((cleanup(socle_auto_##name))) struct socle_##name *
#define SOCLE_AUTO_DEFINE(name, fn)                                      \
	static inline void socle_auto_##name(struct socle_##name **what) \
	{                                                                \
		fn(*what);                                               \
	}                                                                \
	struct socle_##name

SOCLE_AUTO_DEFINE(error, socle_error_free);
SOCLE_AUTO_DEFINE(params, socle_params_free);
SOCLE_AUTO_DEFINE(conn, socle_conn_unref);
SOCLE_AUTO_DEFINE(domain, socle_domain_unref);
SOCLE_AUTO_DEFINE(snapshot, socle_snapshot_unref);
SOCLE_AUTO_DEFINE(network, socle_network_unref);
SOCLE_AUTO_DEFINE(pool, socle_pool_unref);
SOCLE_AUTO_DEFINE(volume, socle_volume_unref);
SOCLE_AUTO_DEFINE(secret, socle_secret_unref);
SOCLE_AUTO_DEFINE(stream, socle_stream_unref);

/**
 * socle_version() - version of the library: 1,000,000 * major + 1,000 * minor + release
 */
SOCLE_API unsigned socle_version(void);

#endif
