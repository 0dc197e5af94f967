/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz-qcow2-check.c - whole qcow2 images that somebody made to hurt us, checked
 *
 * Input: an image, small enough that its tables are most of it.
 */
#include <stdint.h>

#include "block/qcow2/check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void found(void *opaque, enum qcow2_finding finding, const char *text)
{
	unsigned *count = opaque;

	(void)finding;
	*count += *text != 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	unsigned findings = 0;
	const struct qcow2_check_listener listener = { .found = found, .opaque = &findings };
	autoptr(qcow2_header) header = qcow2_header_parse("fuzz", data, size, size, NULL);
	autoptr(block_file) file = block_file_memory(data, size);
	struct qcow2_check check;

	if (header)
		(void)qcow2_check("fuzz", file, header, &listener, &check, NULL);
	return 0;
}
