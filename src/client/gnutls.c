/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * gnutls.c - GnuTLS is loaded
 */
#include "base/library.h"
#include "client/gnutls-int.h"

const struct gnutls *gnutls_load(GError **error)
{
	static const struct library_call calls[] = {
#define X(call) { "gnutls_" #call, offsetof(struct gnutls, call) },
		GNUTLS_CALLS(X)
#undef X
	};
	static struct gnutls table;
	static struct library library = {
		/* The interface that its headers describe has had this name since 2014. */
		.file = "libgnutls.so.30",    .package = "libgnutls30", .calls = calls,
		.count = G_N_ELEMENTS(calls), .table = &table,
	};

	return library_load(&library, error) ? &table : NULL;
}
