/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * library.c - libraries that are loaded when they are first needed
 */
#include "base/library.h"

#include <dlfcn.h>
#include <string.h>

#include "base/error.h"

static bool load(struct library *library, GError **error)
{
	void *handle = dlopen(library->file, RTLD_LAZY | RTLD_LOCAL);

	if (!handle)
		return error_set(error, SOCLE_ERROR_UNSUPPORTED,
				 "%s is missing (%s); install the package %s", library->file,
				 dlerror(), library->package);
	for (size_t i = 0; i < library->count; i++) {
		void *address = dlsym(handle, library->calls[i].name);

		if (!address)
			return error_set(error, SOCLE_ERROR_UNSUPPORTED,
					 "%s has no function %s; install the version of %s that "
					 "this program was built for",
					 library->file, library->calls[i].name, library->package);
		memcpy((char *)library->table + library->calls[i].offset, &address,
		       sizeof(address));
	}
	if (library->begin)
		library->begin();
	return true;
}

bool library_load(struct library *library, GError **error)
{
	static GMutex lock;
	bool ok = atomic_load(&library->loaded);

	if (ok)
		return true;
	g_mutex_lock(&lock);
	ok = atomic_load(&library->loaded) || load(library, error);
	atomic_store(&library->loaded, ok);
	g_mutex_unlock(&lock);
	return ok;
}
