/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * error.h - kinds of errors, and the crossing from -errno to GError
 *
 * Off the data path functions report by GError, on it by -errno. Nobody matches on texts: the
 * domain SOCLE_ERROR has the kinds that QMP, RPC and tests match on, the domain SYS_ERROR has the
 * positive errno of the system call that failed.
 */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

#include <glib.h>
#include <stdbool.h>

enum error_kind {
	SOCLE_ERROR_FAILED, /* none of the others */
	SOCLE_ERROR_USAGE,  /* the caller's words are off: option, argument, syntax */
	SOCLE_ERROR_NOT_FOUND,
	SOCLE_ERROR_EXISTS,
	SOCLE_ERROR_BUSY,
	SOCLE_ERROR_DENIED,
	SOCLE_ERROR_UNSUPPORTED, /* this host, this engine or this build cannot do it */
	SOCLE_ERROR_CORRUPT,     /* a file or a stream is not what it should be */
	SOCLE_ERROR_LIMIT,       /* too large, too many */
	SOCLE_ERROR_STATE,       /* not in this state: not running, already paused */
	SOCLE_ERROR_NOT_ACTIVE,  /* what is to be changed is not going on */
	SOCLE_ERROR_PARTLY,      /* some of it is done, and waits for the rest */
};

#define SOCLE_ERROR (socle_error_quark())
#define SYS_ERROR   (sys_error_quark())
GQuark socle_error_quark(void);
GQuark sys_error_quark(void);

/**
 * error_set() - fail for a reason of our own
 * @error: as for g_set_error(), may be NULL
 * @kind:  what others may match on
 *
 * Return: false, so that a function can `return error_set(...)`
 */
bool error_set(GError **error, enum error_kind kind, const char *fmt, ...) G_GNUC_PRINTF(3, 4);

/**
 * error_sys() - fail because a system call did: "<text>: <reason of the system>"
 * @error:     as for g_set_error(), may be NULL
 * @neg_errno: what the sys_ function returned, below 0
 *
 * Return: false
 */
bool error_sys(GError **error, int neg_errno, const char *fmt, ...) G_GNUC_PRINTF(3, 4);

#endif
