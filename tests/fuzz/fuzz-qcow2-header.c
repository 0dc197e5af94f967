/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz-qcow2-header.c - headers of qcow2 images that somebody made to hurt us
 *
 * Input: the file's size in clusters of 64 KiB (2 bytes), its first bytes. What is accepted must come
 * back the same when it is written and read again.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "block/qcow2/header.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	autoptr(qcow2_header) header = NULL;
	autoptr(qcow2_header) again = NULL;
	g_autofree uint8_t *first = NULL, *second = NULL;
	uint64_t file_size;
	size_t cluster;

	if (size < 2)
		return 0;
	file_size = (uint64_t)get_be16(data) << 16;
	header = qcow2_header_parse("fuzz", data + 2, size - 2, file_size, NULL);
	first = header ? qcow2_header_format(header, NULL) : NULL;
	if (!first)
		return 0;
	cluster = (size_t)1 << header->cluster_bits;
	again = qcow2_header_parse("fuzz", first, cluster, file_size, NULL);
	if (!again)
		abort();
	second = qcow2_header_format(again, NULL);
	if (!second || memcmp(first, second, cluster) != 0)
		abort();
	return 0;
}
