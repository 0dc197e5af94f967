/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * error-int.h - how the parts of the library fail
 */
#ifndef CLIENT_ERROR_INT_H
#define CLIENT_ERROR_INT_H

#include <glib.h>
#include <stdbool.h>

#include "client/socle-error.h"
#include "rpc/remote.h"

/* Return: false, so that a function can `return client_error(...)`. */
bool client_error(struct socle_error **error, int code, const char *fmt, ...) G_GNUC_PRINTF(3, 4);

/* Whatever @why says, as @code; @why is freed. Return: false. */
bool client_error_take(struct socle_error **error, int code, GError *why);

/* What a server says. Return: false. */
bool client_error_server(struct socle_error **error, const rpc_error *body);

struct socle_error *client_error_copy(const struct socle_error *error);

/* A fresh error of the library's own. */
struct socle_error *client_error_new(int code, int domain, const char *message);

/* Is it there? An argument that must be a text, named for people. */
bool client_has(const void *argument, const char *what, struct socle_error **error);

#endif
