/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * check.h - what check and doctor share: a qcow2 image that is not opened, but looked at
 *
 * Threads: main only.
 */
#ifndef IMG_CHECK_H
#define IMG_CHECK_H

#include "block/qcow2/check.h"
#include "img/img.h"

/* The header of the image in @file; NULL with @error. */
struct qcow2_header *img_check_header(const char *path, struct block_file *file, GError **error);

#endif
