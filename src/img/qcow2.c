/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * qcow2.c - what info and snapshot tell of qcow2 images
 */
#include "img/qcow2.h"

bool img_qcow2_is_dirty(struct image *image)
{
	(void)image;
	return false;
}

bool img_qcow2_is_encrypted(struct image *image)
{
	(void)image;
	return false;
}

void img_qcow2_print(struct image *image)
{
	(void)image;
}

void img_qcow2_json(struct image *image, json_t *info)
{
	(void)image;
	(void)info;
}

void img_qcow2_print_snapshots(struct image *image)
{
	(void)image;
}
