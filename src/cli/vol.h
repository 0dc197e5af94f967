/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vol.h - volumes: what commands that make machines do with them, too
 *
 * Threads: main only.
 */
#ifndef CLI_VOL_H
#define CLI_VOL_H

#include <glib.h>
#include <stdbool.h>

#include "client/socle.h"
#include "model/storage.h"

struct cli;

/* What a volume is, as storage_vol_skim() has it; NULL with an error. */
struct storage_vol *vol_definition(struct socle_volume *vol, GError **error);

/*
 * A volume @name in @pool that begins as @from is: a copy, or if @linked a qcow2 image that refers to
 * it. @flags: enum socle_volume_create_flags. For socle_volume_unref(); NULL with an error.
 */
struct socle_volume *vol_clone(struct cli *cli, struct socle_pool *pool, struct socle_volume *from,
			       const char *name, bool linked, unsigned flags, GError **error);

/* Deletes each of what was made for something that did not come to be; false: some stay, it says which. */
bool vols_take_back(struct cli *cli, const GPtrArray *vols);

/* Bytes from where @fd stands into a volume; holes of a file are not sent if @sparse. */
struct vol_transfer {
	uint64_t offset, length; /* of the volume; 0: all */
	bool sparse;
	bool progress; /* is told on stderr */
};
/* Is a person looking? */
bool vol_shows_progress(const struct cli *cli);
bool vol_upload(struct socle_volume *vol, int fd, const char *path,
		const struct vol_transfer *transfer, GError **error);

#endif
