/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * qcow2-check.c - check an image and print what was found, for check-qcow2
 *
 * usage: qcow2-check IMAGE. Exit status as qemu-img check has it: 0 clean, 1 could not be checked,
 * 2 corrupt, 3 leaks only. Findings on standard error, figures as JSON on standard output.
 */
#include "block/qcow2/check.h"

#include <inttypes.h>
#include <stdio.h>

static void found(void *opaque, enum qcow2_finding finding, const char *text)
{
	(void)opaque;
	(void)finding;
	(void)fprintf(stderr, "%s\n", text);
}

int main(int argc, char **argv)
{
	const struct qcow2_check_listener listener = { .found = found };
	g_autoptr(GError) error = NULL;
	autoptr(block_file) file = NULL;
	struct qcow2_check check;

	if (argc != 2)
		return 1;
	file = block_file_open(argv[1], BLOCK_FILE_NO_LOCK, &error);
	if (!file || !qcow2_check_file(argv[1], file, &listener, &check, &error)) {
		(void)fprintf(stderr, "qcow2-check: %s\n", error->message);
		return 1;
	}
	printf("{\"leaks\": %" PRIu64 ", \"corruptions\": %" PRIu64 ", \"total-clusters\": %" PRIu64
	       ", \"allocated-clusters\": %" PRIu64 ", \"fragmented-clusters\": %" PRIu64
	       ", \"compressed-clusters\": %" PRIu64 ", \"image-end-offset\": %" PRIu64 "}\n",
	       check.leaks, check.corruptions, check.total, check.allocated, check.fragmented,
	       check.compressed, check.image_end);
	if (check.corruptions)
		return 2;
	return check.leaks ? 3 : 0;
}
