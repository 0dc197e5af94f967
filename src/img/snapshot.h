/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * snapshot.h - lists of internal snapshots, for info and snapshot
 */
#ifndef IMG_SNAPSHOT_H
#define IMG_SNAPSHOT_H

#include <jansson.h>

#include "block/image.h"

json_t *snapshots_json(struct image *image);
void snapshots_print(struct image *image);

#endif
