/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * gnutls.c - GnuTLS is loaded
 */
#include "client/gnutls-int.h"

#include <dlfcn.h>
#include <pthread.h>

#include "base/error.h"

/* The interface that its headers describe has had this name since 2014. */
static const char library[] = "libgnutls.so.30";

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct gnutls table;
static bool loaded;

static const char *load(void)
{
	void *handle = dlopen(library, RTLD_NOW | RTLD_LOCAL);

	if (!handle)
		return dlerror();
#define GNUTLS_LOAD(name)                            \
	table.name = dlsym(handle, "gnutls_" #name); \
	if (!table.name)                             \
		return dlerror();
	GNUTLS_SYMBOLS(GNUTLS_LOAD)
#undef GNUTLS_LOAD
	loaded = true;
	return NULL;
}

const struct gnutls *gnutls_load(GError **error)
{
	const char *why;

	pthread_mutex_lock(&lock);
	why = loaded ? NULL : load();
	if (why)
		error_set(error, SOCLE_ERROR_UNSUPPORTED,
			  "TLS needs the library GnuTLS (on Debian: package libgnutls30): %s", why);
	pthread_mutex_unlock(&lock);
	return why ? NULL : &table;
}
