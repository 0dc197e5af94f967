/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * commands.c - the list of all commands, in the order of the help
 */
#include "img/img.h"

const struct img_command *const img_commands[] = {
	&img_create, &img_info,   &img_check, &img_convert, &img_resize,  &img_snapshot,
	&img_rebase, &img_commit, &img_map,   &img_compare, &img_measure, &img_amend,
	&img_bitmap, &img_doctor, &img_dd,    &img_bench,   NULL,
};
