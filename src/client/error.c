/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * error.c - why a call of libsocle has failed
 */
#include "client/error-int.h"

#include <stdarg.h>
#include <string.h>

#include "rpc/codes.h"

struct socle_error {
	int code;
	int domain;
	char *message;
};

struct socle_error *client_error_new(int code, int domain, const char *message)
{
	struct socle_error *e = g_new(struct socle_error, 1);

	*e = (struct socle_error){
		/* Success is no error, whatever a server says. */
		.code = code == SOCLE_ERR_OK ? SOCLE_ERR_INTERNAL : code,
		.domain = domain,
		.message = g_utf8_make_valid(message, -1),
	};
	return e;
}

bool client_error(struct socle_error **error, int code, const char *fmt, ...)
{
	g_autofree char *text = NULL;
	va_list ap;

	if (!error)
		return false;
	va_start(ap, fmt);
	text = g_strdup_vprintf(fmt, ap);
	va_end(ap);
	*error = client_error_new(code, SOCLE_FROM_REMOTE, text);
	return false;
}

bool client_error_take(struct socle_error **error, int code, GError *why)
{
	g_autoptr(GError) owned = why;

	return client_error(error, code, "%s", owned ? owned->message : "for no known reason");
}

bool client_error_server(struct socle_error **error, const rpc_error *body)
{
	if (error)
		*error = client_error_new(body->code, body->domain,
					  body->message ? *body->message
							: "the server does not say why");
	return false;
}

struct socle_error *client_error_copy(const struct socle_error *error)
{
	return client_error_new(error->code, error->domain, error->message);
}

bool client_has(const void *argument, const char *what, struct socle_error **error)
{
	return argument ||
	       client_error(error, SOCLE_ERR_INVALID_ARG, "no %s is given (it is NULL)", what);
}

int socle_error_code(const struct socle_error *error)
{
	return error ? error->code : SOCLE_ERR_OK;
}

int socle_error_domain(const struct socle_error *error)
{
	return error ? error->domain : SOCLE_FROM_NONE;
}

const char *socle_error_message(const struct socle_error *error)
{
	return error ? error->message : "no error";
}

void socle_error_free(struct socle_error *error)
{
	if (!error)
		return;
	g_free(error->message);
	g_free(error);
}
