/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * socle-error.h - why a call of libsocle has failed
 *
 * Each function that can fail takes a struct socle_error ** last, which may be NULL. On failure it is
 * set to an error that belongs to the caller; on success it is left alone. Codes and domains are
 * libvirt's numbers; match on them, never on the message.
 */
#ifndef CLIENT_SOCLE_ERROR_H
#define CLIENT_SOCLE_ERROR_H

#define SOCLE_API __attribute__((visibility("default")))

/* What went wrong. A server may send codes that do not stand here. */
enum socle_error_code {
	SOCLE_ERR_OK = 0,
	SOCLE_ERR_INTERNAL = 1,
	SOCLE_ERR_NO_MEMORY = 2,
	SOCLE_ERR_NO_SUPPORT = 3, /* the server does not know the procedure */
	SOCLE_ERR_UNKNOWN_HOST = 4,
	SOCLE_ERR_NO_CONNECT = 5, /* no connection: wrong URI, no daemon, refused */
	SOCLE_ERR_INVALID_CONN = 6,
	SOCLE_ERR_INVALID_DOMAIN = 7,
	SOCLE_ERR_INVALID_ARG = 8,
	SOCLE_ERR_OPERATION_FAILED = 9,
	SOCLE_ERR_OS_TYPE = 16,
	SOCLE_ERR_NO_SOURCE = 19,
	SOCLE_ERR_XML_ERROR = 27,
	SOCLE_ERR_DOM_EXIST = 28,
	SOCLE_ERR_OPERATION_DENIED = 29, /* read-only connection */
	SOCLE_ERR_OPEN_FAILED = 30,
	SOCLE_ERR_READ_FAILED = 31,
	SOCLE_ERR_WRITE_FAILED = 34,
	SOCLE_ERR_XML_DETAIL = 35,
	SOCLE_ERR_SYSTEM_ERROR = 38,
	SOCLE_ERR_RPC = 39, /* what came does not follow the protocol */
	SOCLE_ERR_TLS = 40,
	SOCLE_ERR_NO_DOMAIN = 42,
	SOCLE_ERR_NO_NETWORK = 43,
	SOCLE_ERR_AUTH_FAILED = 45,
	SOCLE_ERR_NO_STORAGE_POOL = 49,
	SOCLE_ERR_NO_STORAGE_VOL = 50,
	SOCLE_ERR_NO_NODE_DEVICE = 53,
	SOCLE_ERR_OPERATION_INVALID = 55, /* not in this state */
	SOCLE_ERR_NO_INTERFACE = 57,
	SOCLE_ERR_NO_NWFILTER = 62,
	SOCLE_ERR_INVALID_SECRET = 65, /* a private one's value is told to nobody */
	SOCLE_ERR_NO_SECRET = 66,
	SOCLE_ERR_CONFIG_UNSUPPORTED = 67,
	SOCLE_ERR_OPERATION_TIMEOUT = 68, /* also: the deadline of socle_conn_set_timeout() */
	SOCLE_ERR_INVALID_DOMAIN_SNAPSHOT = 71,
	SOCLE_ERR_NO_DOMAIN_SNAPSHOT = 72,
	SOCLE_ERR_INVALID_STREAM = 73,
	SOCLE_ERR_ARGUMENT_UNSUPPORTED = 74,
	SOCLE_ERR_SNAPSHOT_REVERT_RISKY = 77,
	SOCLE_ERR_OPERATION_ABORTED = 78,
	SOCLE_ERR_AUTH_CANCELLED = 79,
	SOCLE_ERR_NO_DOMAIN_METADATA = 80,
	SOCLE_ERR_MIGRATE_UNSAFE = 81,
	SOCLE_ERR_OVERFLOW = 82,
	SOCLE_ERR_BLOCK_COPY_ACTIVE = 83,
	SOCLE_ERR_OPERATION_UNSUPPORTED = 84,
	SOCLE_ERR_SSH = 85,
	SOCLE_ERR_AGENT_UNRESPONSIVE = 86,
	SOCLE_ERR_RESOURCE_BUSY = 87,
	SOCLE_ERR_ACCESS_DENIED = 88,
	SOCLE_ERR_STORAGE_VOL_EXIST = 90,
	SOCLE_ERR_XML_INVALID_SCHEMA = 92,
	SOCLE_ERR_AUTH_UNAVAILABLE = 94,
	SOCLE_ERR_AGENT_UNSYNCED = 97,
	SOCLE_ERR_DEVICE_MISSING = 99,
	SOCLE_ERR_NO_DOMAIN_CHECKPOINT = 103,
	SOCLE_ERR_NO_DOMAIN_BACKUP = 104,
	SOCLE_ERR_NO_NETWORK_PORT = 107,
	SOCLE_ERR_NO_HOSTNAME = 108,
	/* Ours, which no server sends: the connection broke; whether the call was done is not known. */
	SOCLE_ERR_CONNECTION_LOST = 1000,
};

/* Which part says so. The library itself speaks as SOCLE_FROM_REMOTE. */
enum socle_error_domain {
	SOCLE_FROM_NONE = 0,
	SOCLE_FROM_XML = 5,
	SOCLE_FROM_RPC = 7,
	SOCLE_FROM_QEMU = 10,
	SOCLE_FROM_TEST = 12,
	SOCLE_FROM_REMOTE = 13,
	SOCLE_FROM_STORAGE = 18,
	SOCLE_FROM_NETWORK = 19,
	SOCLE_FROM_DOMAIN = 20,
	SOCLE_FROM_DOMAIN_SNAPSHOT = 35,
	SOCLE_FROM_STREAMS = 38,
	SOCLE_FROM_AUTH = 46,
};

struct socle_error;

/**
 * socle_error_code() - what went wrong: enum socle_error_code, or another number of the server's
 * @error: may be NULL
 *
 * Return: SOCLE_ERR_OK for NULL
 */
SOCLE_API int socle_error_code(const struct socle_error *error);

/**
 * socle_error_domain() - which part says so: enum socle_error_domain, or another number
 * @error: may be NULL
 */
SOCLE_API int socle_error_domain(const struct socle_error *error);

/**
 * socle_error_message() - the sentence for people, in UTF-8
 * @error: may be NULL
 *
 * Return: it belongs to @error; never NULL
 */
SOCLE_API const char *socle_error_message(const struct socle_error *error);

/**
 * socle_error_free() - give an error back
 * @error: may be NULL
 */
SOCLE_API void socle_error_free(struct socle_error *error);

#endif
