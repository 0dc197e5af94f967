/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * qcow2.h - what info and snapshot tell of qcow2 images; images of other formats are fine
 *
 * Threads: main only.
 */
#ifndef IMG_QCOW2_H
#define IMG_QCOW2_H

#include "img/img.h"

bool img_qcow2_is_dirty(struct image *image);
/* Snapshots, and what is special about the format. */
void img_qcow2_print(struct image *image);
void img_qcow2_json(struct image *image, json_t *info);
/* Only the latter. */
void img_qcow2_print_specific(struct image *image);
void img_qcow2_print_snapshots(struct image *image);

#endif
