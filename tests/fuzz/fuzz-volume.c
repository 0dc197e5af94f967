/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz-volume.c - a file in a storage pool, whose header is looked at when volumes are listed
 *
 * The input is the file. Properties: it is a volume whatever is in it, its sizes are numbers, and what is told of
 * it is a document that is understood.
 */
#include <assert.h>
#include <string.h>

#include <glib.h>

#include "base/sys.h"
#include "daemon/pools-int.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int file_of(const uint8_t *data, size_t size)
{
	static int fd = -1;

	if (fd < 0)
		fd = sys_memfd("volume");
	assert(fd >= 0 && sys_ftruncate(fd, 0) == 0);
	assert(sys_pwrite(fd, data, size, 0) == (ssize_t)size);
	return fd;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	autoptr(storage_vol) vol = NULL;
	autoptr(storage_vol) again = NULL;
	g_autoptr(GError) error = NULL;
	g_autofree char *xml = NULL;

	vol = vol_look(file_of(data, size), "volume", "/pool/volume", &error);
	g_assert_no_error(error);
	assert(vol->capacity.set && vol->capacity.value >= 0);
	xml = storage_vol_format(vol);
	again = storage_vol_parse(xml, strlen(xml), 0, NULL, &error);
	g_assert_no_error(error);
	g_assert_cmpstr(again->backing.path, ==, vol->backing.path);
	return 0;
}
