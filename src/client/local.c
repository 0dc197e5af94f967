/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * local.c - a server in this process, for test:///default: there is none in this build
 */
#include "client/local.h"

#include "base/error.h"

bool local_server_open(const char *uri, struct local_server *ret, GError **error)
{
	(void)ret;
	return error_set(error, SOCLE_ERROR_UNSUPPORTED,
			 "no server in this process for '%s': name a daemon's socket, as in "
			 "test+unix:///default?socket=PATH",
			 uri);
}
