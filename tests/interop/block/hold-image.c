/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hold-image.c - open a raw image as a machine does, say so, and hold it until stdin ends
 *
 * usage: hold-image FILE [ro] [shared]; exit status 1 and one sentence if it cannot be opened
 */
#include <stdio.h>
#include <string.h>

#include "block/block.h"

int main(int argc, char **argv)
{
	struct block_open options = { .node_name = "disk0", .format = "raw" };
	GError *error = NULL;
	struct block *block;

	for (int i = 2; i < argc; i++) {
		options.read_only |= !strcmp(argv[i], "ro");
		options.shared |= !strcmp(argv[i], "shared");
	}
	options.path = argc > 1 ? argv[1] : "";
	block = block_open(&options, &error);
	if (!block) {
		(void)fprintf(stderr, "%s\n", error->message);
		g_error_free(error);
		return 1;
	}
	puts("open");
	(void)fflush(stdout);
	while (getchar() != EOF)
		;
	block_close(block);
	return 0;
}
