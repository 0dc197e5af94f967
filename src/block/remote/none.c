/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * none.c - images on other hosts, where a library's header was missing when this was built
 */
#include "base/error.h"
#include "block/block-int.h"

#ifndef HAVE_LIBISCSI
static struct block *no_iscsi(const struct block_open *options, GError **error)
{
	error_set(error, SOCLE_ERROR_UNSUPPORTED,
		  "image '%s' needs libiscsi, which this program was built without; build it with "
		  "libiscsi's headers (libiscsi-dev)",
		  options->path);
	return NULL;
}

const struct block_ops block_iscsi_ops = { .format = "raw", .open = no_iscsi };
#endif

#ifndef HAVE_LIBRBD
static struct block *no_rbd(const struct block_open *options, GError **error)
{
	error_set(error, SOCLE_ERROR_UNSUPPORTED,
		  "image '%s' needs librbd, which this program was built without; build it with "
		  "Ceph's headers (librbd-dev)",
		  options->path);
	return NULL;
}

const struct block_ops block_rbd_ops = { .format = "raw", .open = no_rbd };
#endif
