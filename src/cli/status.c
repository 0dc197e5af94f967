/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * status.c - errors of libsocle as GError, and the exit status that each means
 */
#include <stdarg.h>

#include "base/error.h"
#include "cli/cli.h"

GQuark cli_client_error_quark(void)
{
	return g_quark_from_static_string("cli-client-error-quark");
}

bool cli_fail(GError **error, struct socle_error *from, const char *fmt, ...)
{
	g_autofree char *message = cli_plain(socle_error_message(from)), *text = NULL;
	va_list ap;

	if (fmt) {
		va_start(ap, fmt);
		text = g_strdup_vprintf(fmt, ap);
		va_end(ap);
	}
	g_set_error(error, CLIENT_ERROR, socle_error_code(from), "%s%s%s", text ? text : "",
		    text ? ": " : "", message);
	socle_error_free(from);
	return false;
}

static enum cli_status of_kind(int kind)
{
	switch (kind) {
	case SOCLE_ERROR_USAGE:
	case SOCLE_ERROR_LIMIT:
		return CLI_USAGE;
	case SOCLE_ERROR_NOT_FOUND:
		return CLI_NOT_FOUND;
	case SOCLE_ERROR_DENIED:
		return CLI_DENIED;
	case SOCLE_ERROR_STATE:
	case SOCLE_ERROR_BUSY:
	case SOCLE_ERROR_EXISTS:
	case SOCLE_ERROR_NOT_ACTIVE:
		return CLI_WRONG_STATE;
	default:
		return CLI_FAILED;
	}
}

static const struct {
	int code;
	enum cli_status status;
} of_code[] = {
	{ SOCLE_ERR_NO_DOMAIN, CLI_NOT_FOUND },
	{ SOCLE_ERR_NO_DOMAIN_SNAPSHOT, CLI_NOT_FOUND },
	{ SOCLE_ERR_NO_NETWORK, CLI_NOT_FOUND },
	{ SOCLE_ERR_NO_STORAGE_POOL, CLI_NOT_FOUND },
	{ SOCLE_ERR_NO_STORAGE_VOL, CLI_NOT_FOUND },
	{ SOCLE_ERR_NO_SECRET, CLI_NOT_FOUND },
	{ SOCLE_ERR_DEVICE_MISSING, CLI_NOT_FOUND },
	{ SOCLE_ERR_NO_CONNECT, CLI_NO_CONNECTION },
	{ SOCLE_ERR_INVALID_CONN, CLI_NO_CONNECTION },
	{ SOCLE_ERR_UNKNOWN_HOST, CLI_NO_CONNECTION },
	{ SOCLE_ERR_CONNECTION_LOST, CLI_NO_CONNECTION },
	{ SOCLE_ERR_TLS, CLI_NO_CONNECTION },
	{ SOCLE_ERR_SSH, CLI_NO_CONNECTION },
	{ SOCLE_ERR_OPERATION_DENIED, CLI_DENIED },
	{ SOCLE_ERR_ACCESS_DENIED, CLI_DENIED },
	{ SOCLE_ERR_INVALID_SECRET, CLI_DENIED },
	{ SOCLE_ERR_AUTH_FAILED, CLI_DENIED },
	{ SOCLE_ERR_AUTH_CANCELLED, CLI_DENIED },
	{ SOCLE_ERR_AUTH_UNAVAILABLE, CLI_DENIED },
	{ SOCLE_ERR_OPERATION_INVALID, CLI_WRONG_STATE },
	{ SOCLE_ERR_DOM_EXIST, CLI_WRONG_STATE },
	{ SOCLE_ERR_STORAGE_VOL_EXIST, CLI_WRONG_STATE },
	{ SOCLE_ERR_RESOURCE_BUSY, CLI_WRONG_STATE },
	{ SOCLE_ERR_BLOCK_COPY_ACTIVE, CLI_WRONG_STATE },
	{ SOCLE_ERR_OPERATION_TIMEOUT, CLI_LATE },
	{ SOCLE_ERR_AGENT_UNRESPONSIVE, CLI_LATE },
};

enum cli_status cli_status_of(const GError *error)
{
	if (error->domain == SOCLE_ERROR)
		return of_kind(error->code);
	for (unsigned i = 0; error->domain == CLIENT_ERROR && i < G_N_ELEMENTS(of_code); i++) {
		if (of_code[i].code == error->code)
			return of_code[i].status;
	}
	return CLI_FAILED;
}
