/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * create.h - what create and convert share
 *
 * Threads: main only.
 */
#ifndef IMG_CREATE_H
#define IMG_CREATE_H

#include "img/img.h"

/* -F, and the file of @backing_id, or what -o says: into @what. @path: of the new image. */
bool img_create_backing(const struct img_args *args, const char *path, int backing_id,
			GHashTable *words, struct image_create *what, GError **error);
/* Round the size up to sectors. */
bool img_create_fix_size(struct image_create *what, GError **error);

#endif
