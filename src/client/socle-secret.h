/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * socle-secret.h - passwords that the daemon keeps for disks, storage pools and others
 *
 * A secret is a UUID and what it is for; what else is told of it stands in its XML. Its value is
 * bytes that are in no XML. What the library has of a value for itself is zeroed when it goes.
 */
#ifndef CLIENT_SOCLE_SECRET_H
#define CLIENT_SOCLE_SECRET_H

#include <stddef.h>

#include "client/socle-conn.h"
#include "client/socle-error.h"

struct socle_secret;

/* What it is for. */
enum socle_secret_usage {
	SOCLE_SECRET_USAGE_NONE = 0,   /* that is not said: it is named by its UUID */
	SOCLE_SECRET_USAGE_VOLUME = 1, /* the path of an encrypted volume */
	SOCLE_SECRET_USAGE_CEPH = 2,   /* a name */
	SOCLE_SECRET_USAGE_ISCSI = 3,  /* a target */
	SOCLE_SECRET_USAGE_TLS = 4,    /* a name */
	SOCLE_SECRET_USAGE_VTPM = 5,   /* a name */
	SOCLE_SECRET_USAGE_COUNT,
};

enum socle_secret_list_flags {
	SOCLE_SECRET_LIST_EPHEMERAL = 1 << 0, /* gone when the daemon ends */
	SOCLE_SECRET_LIST_NO_EPHEMERAL = 1 << 1,
	SOCLE_SECRET_LIST_PRIVATE = 1 << 2, /* whose value is told to nobody */
	SOCLE_SECRET_LIST_NO_PRIVATE = 1 << 3,
};

enum socle_secret_define_flags {
	SOCLE_SECRET_DEFINE_VALIDATE = 1 << 0, /* refuse what the schema does not know */
};

/**
 * socle_secret_ref() - one more owner
 * @secret: the secret
 *
 * Return: @secret
 */
SOCLE_API struct socle_secret *socle_secret_ref(struct socle_secret *secret);

/**
 * socle_secret_unref() - one owner less
 * @secret: may be NULL
 */
SOCLE_API void socle_secret_unref(struct socle_secret *secret);

/**
 * socle_secrets_free() - give back a list of secrets
 * @secrets: a NULL behind the last; may be NULL
 */
SOCLE_API void socle_secrets_free(struct socle_secret **secrets);

/**
 * socle_secret_conn() - the connection that it was got by
 * @secret: the secret
 *
 * Return: it belongs to @secret
 */
SOCLE_API struct socle_conn *socle_secret_conn(const struct socle_secret *secret);

/**
 * socle_secret_uuid() - its UUID
 * @secret: the secret
 *
 * Return: 16 bytes that belong to @secret
 */
SOCLE_API const unsigned char *socle_secret_uuid(const struct socle_secret *secret);

/**
 * socle_secret_uuid_text() - its UUID with hyphens, in small letters
 * @secret: the secret
 *
 * Return: it belongs to @secret
 */
SOCLE_API const char *socle_secret_uuid_text(const struct socle_secret *secret);

/**
 * socle_secret_usage_type() - for what kind of things it is
 * @secret: the secret
 *
 * Return: enum socle_secret_usage, or another number of the server's
 */
SOCLE_API int socle_secret_usage_type(const struct socle_secret *secret);

/**
 * socle_secret_usage_id() - for which of them it is: a path, a name, a target
 * @secret: the secret
 *
 * Return: it belongs to @secret; "" if that is not said
 */
SOCLE_API const char *socle_secret_usage_id(const struct socle_secret *secret);

/**
 * socle_secret_usage_name() - word for a kind of things, such as "ceph"
 * @type: enum socle_secret_usage
 *
 * Return: constant; "unknown" for other numbers
 */
SOCLE_API const char *socle_secret_usage_name(int type);

/**
 * socle_secret_list() - which secrets there are
 * @conn:        the connection
 * @flags:       enum socle_secret_list_flags; 0: all
 * @ret_secrets: for socle_secrets_free(); may be NULL if only the number matters
 * @error:       says why not
 *
 * Return: how many, or -1
 */
SOCLE_API int socle_secret_list(struct socle_conn *conn, unsigned flags,
				struct socle_secret ***ret_secrets, struct socle_error **error);

/**
 * socle_secret_by_uuid() - look a secret up
 * @conn:  the connection
 * @uuid:  16 bytes
 * @error: SOCLE_ERR_NO_SECRET if there is none
 *
 * Return: for socle_secret_unref(); NULL on failure
 */
SOCLE_API struct socle_secret *socle_secret_by_uuid(struct socle_conn *conn,
						    const unsigned char *uuid,
						    struct socle_error **error);

/**
 * socle_secret_by_uuid_text() - look a secret up
 * @conn:  the connection
 * @uuid:  with or without hyphens
 * @error: SOCLE_ERR_NO_SECRET if there is none
 *
 * Return: for socle_secret_unref(); NULL on failure
 */
SOCLE_API struct socle_secret *socle_secret_by_uuid_text(struct socle_conn *conn, const char *uuid,
							 struct socle_error **error);

/**
 * socle_secret_by_usage() - look up the secret that something needs
 * @conn:  the connection
 * @type:  enum socle_secret_usage, but not SOCLE_SECRET_USAGE_NONE
 * @id:    its path, name or target, whole
 * @error: SOCLE_ERR_NO_SECRET if there is none
 *
 * Return: for socle_secret_unref(); NULL on failure
 */
SOCLE_API struct socle_secret *socle_secret_by_usage(struct socle_conn *conn, int type,
						     const char *id, struct socle_error **error);

/**
 * socle_secret_define() - make a secret, which has no value yet, or change what is told of one
 * @conn:  the connection
 * @xml:   what it is
 * @flags: enum socle_secret_define_flags
 * @error: says why not
 *
 * Return: for socle_secret_unref(); NULL on failure
 */
SOCLE_API struct socle_secret *socle_secret_define(struct socle_conn *conn, const char *xml,
						   unsigned flags, struct socle_error **error);

/**
 * socle_secret_undefine() - forget a secret and its value
 * @secret: the secret
 * @error:  says why not
 *
 * Return: 0, or -1
 */
SOCLE_API int socle_secret_undefine(struct socle_secret *secret, struct socle_error **error);

/**
 * socle_secret_xml() - what it is, without its value
 * @secret: the secret
 * @flags:  0
 * @error:  says why not
 *
 * Return: for free(3); NULL on failure
 */
SOCLE_API char *socle_secret_xml(struct socle_secret *secret, unsigned flags,
				 struct socle_error **error);

/**
 * socle_secret_set_value() - give it a value, in the place of the one that it had
 * @secret: the secret
 * @value:  any bytes, the caller's; may be NULL if @len is 0
 * @len:    65536 at most
 * @flags:  0
 * @error:  says why not
 *
 * Return: 0, or -1
 */
SOCLE_API int socle_secret_set_value(struct socle_secret *secret, const void *value, size_t len,
				     unsigned flags, struct socle_error **error);

/**
 * socle_secret_get_value() - its value
 * @secret:  the secret
 * @flags:   0
 * @ret_len: how many bytes; set on success
 * @error:   SOCLE_ERR_NO_SECRET if it has none yet, SOCLE_ERR_INVALID_SECRET if it is private
 *
 * A NUL stands behind it, which does not count.
 *
 * Return: for socle_secret_value_free(); NULL on failure
 */
SOCLE_API unsigned char *socle_secret_get_value(struct socle_secret *secret, unsigned flags,
						size_t *ret_len, struct socle_error **error);

/**
 * socle_secret_value_free() - give a value back, of which nothing is left in memory
 * @value: may be NULL
 * @len:   as socle_secret_get_value() has set it
 */
SOCLE_API void socle_secret_value_free(unsigned char *value, size_t len);

#endif
