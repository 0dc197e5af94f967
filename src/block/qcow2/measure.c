/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * measure.c - how many bytes would a qcow2 image need?
 */
#include "base/error.h"
#include "block/crypt/luks.h"
#include "block/qcow2/qcow2-int.h"

static uint64_t divide_up(uint64_t n, uint64_t by)
{
	return n / by + !!(n % by);
}

/* Clusters of counts and their table, for that many others and for themselves. */
static uint64_t count_clusters(const struct qcow2_header *h, uint64_t others)
{
	const uint64_t cluster = UINT64_C(1) << h->cluster_bits;
	const uint64_t per_block = cluster * 8 >> h->refcount_order;
	uint64_t blocks = 0, tables = 0;

	for (;;) {
		const uint64_t n = divide_up(others + blocks + tables, per_block);
		const uint64_t t = divide_up(n, cluster / 8);

		if (n == blocks && t == tables)
			return blocks + tables;
		blocks = n;
		tables = t;
	}
}

/* Clusters of guest data among the @guest ones that there are. */
static uint64_t count_data(const struct image_create *what, enum qcow2_preallocation how,
			   uint64_t data, uint64_t guest)
{
	/* Nobody knows what the image that is to be copied has in common with that one. */
	const bool all = image_create_option(what, "backing_file", NULL) && data != QCOW2_NO_SOURCE;

	if (all || how == QCOW2_PREALLOCATE_FALLOC || how == QCOW2_PREALLOCATE_FULL)
		return guest;
	return data == QCOW2_NO_SOURCE ? 0 : MIN(data, guest);
}

bool qcow2_measure(uint64_t size, uint64_t data, GHashTable *options, struct qcow2_measure *ret,
		   GError **error)
{
	const struct image_create what = { .path = "", .size = size, .options = options };
	autoptr(qcow2_header) h = qcow2_create_header(&what, error);
	uint64_t cluster, entries, guest, l2, l1, luks_clusters = 0, all;
	enum qcow2_preallocation how;
	struct luks_options luks;
	enum qcow2_crypt crypt;

	if (!h || !qcow2_create_preallocation(&what, &how, error) ||
	    !qcow2_crypt_wanted(&what, &crypt, &luks, error))
		return false;
	cluster = UINT64_C(1) << h->cluster_bits;
	entries = cluster / (h->incompatible & QCOW2_EXTENDED_L2 ? 16 : 8);
	guest = divide_up(size, cluster);
	l2 = divide_up(guest, entries);
	if (l2 > QCOW2_MAX_L1 / 8)
		return error_set(error, SOCLE_ERROR_LIMIT,
				 "The image size is too large (try using a larger cluster size)");
	l1 = divide_up(l2, cluster / 8);
	if (crypt == QCOW2_CRYPT_LUKS)
		luks_clusters = divide_up(luks_len(&luks), cluster);
	/* As qemu-img has it, the few counts of the LUKS header's own clusters need no others. */
	all = 1 + l2 + l1 + guest;
	all += count_clusters(h, all) + luks_clusters;
	ret->fully_allocated = all * cluster;
	ret->required = (all - guest + count_data(&what, how, data, guest)) * cluster;
	return true;
}
