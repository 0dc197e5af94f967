/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * check.h - is a qcow2 image consistent? Counts all references anew and compares
 *
 * A reader of its own: it shares no cache and no allocator with what wrote the image, so that it can
 * judge it. Memory is at most 1 GiB (4 bytes for each cluster, where any are used), time is bounded by
 * the number of clusters and table entries, however they point.
 */
#ifndef BLOCK_QCOW2_CHECK_H
#define BLOCK_QCOW2_CHECK_H

#include "block/file.h"
#include "block/qcow2/header.h"

enum qcow2_finding {
	QCOW2_LEAK,       /* space is wasted, nothing is lost */
	QCOW2_CORRUPTION, /* data is wrong, or will be when somebody writes */
};

struct qcow2_check {
	uint64_t leaks, corruptions;
	uint64_t overflows; /* corruptions that no count can say, and so no repair mends */
	/* Of the corruptions: entries of the list of snapshots that a repair completes, or cuts; and those
	 * that hide what a snapshot has, so that nobody knows what is a leak. */
	uint64_t incomplete, oversized, unreadable;
	uint64_t total, allocated; /* guest clusters: all; those that have data of their own */
	uint64_t fragmented, compressed; /* of the allocated ones */
	uint64_t image_end;              /* bytes, up to the last cluster that is counted */
};

/* What it is told of, one finding at a time; @text has no line end. */
struct qcow2_check_listener {
	void (*found)(void *opaque, enum qcow2_finding finding, const char *text);
	void *opaque;
	/* For repair; may be NULL. A count that is wrong, in ascending order of clusters. */
	void (*count)(void *opaque, uint64_t cluster, uint64_t stored, uint32_t counted);
	/* The same for an entry of the table of refcount blocks. */
	void (*block)(void *opaque, uint64_t index);
};

/**
 * qcow2_check() - check all metadata of an image
 * @name: for messages
 *
 * Return: false with @error if it could not be read to its end, whatever was found
 */
bool qcow2_check(const char *name, struct block_file *file, const struct qcow2_header *header,
		 const struct qcow2_check_listener *listener, struct qcow2_check *ret_check,
		 GError **error);

/* The same, with the header that the file has. */
bool qcow2_check_file(const char *name, struct block_file *file,
		      const struct qcow2_check_listener *listener, struct qcow2_check *ret_check,
		      GError **error);

#endif
