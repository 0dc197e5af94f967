/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * library.c - libraries that are loaded when the first image needs them
 */
#include "block/remote/library.h"

#include <dlfcn.h>
#include <string.h>

#include "base/error.h"

bool library_load(const char *file, const char *package, const struct library_call *calls,
		  size_t count, void *table, GError **error)
{
	void *library = dlopen(file, RTLD_NOW | RTLD_LOCAL);

	if (!library)
		return error_set(error, SOCLE_ERROR_UNSUPPORTED,
				 "%s is missing (%s); install the package %s", file, dlerror(),
				 package);
	for (size_t i = 0; i < count; i++) {
		void *address = dlsym(library, calls[i].name);

		if (!address)
			return error_set(error, SOCLE_ERROR_UNSUPPORTED,
					 "%s has no function %s; install the version of %s that "
					 "this program was built for",
					 file, calls[i].name, package);
		memcpy((char *)table + calls[i].offset, &address, sizeof(address));
	}
	return true;
}
