/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * noise.c - would deflate make anything of these bytes?
 *
 * It has two means: fewer bits for bytes that are frequent, and references to what was there before.
 * So bytes are noise if all are about as frequent, in each part as long as what deflate makes a code
 * for, and if hardly any four of them were there before. That is known in a tenth of the time that
 * deflate takes to find nothing. Who answers "no" wrongly wastes that time; a wrong "yes" costs the
 * image a hundredth of the bytes at most.
 */
#include <string.h>

#include "block/qcow2/qcow2-int.h"

enum {
	PART = 8 << 10,
	/* Chi-squared of 255 is what chance makes of a part, give or take 23. */
	MAX_CHI_SQUARED = 450,
	/* Of all fours only one in so many is looked at, chosen by what it is. */
	SAMPLE_BITS = 3,
	HASH_BITS = 9,
	FOUND_SHARE = 1024, /* one in so many places has been there before */
};

static bool is_uniform(const uint8_t *bytes)
{
	const uint64_t expected = PART / 256;
	uint32_t counts[2][256] = { 0 };
	uint64_t sum = 0;

	for (size_t i = 0; i < PART; i += 2) {
		counts[0][bytes[i]]++;
		counts[1][bytes[i + 1]]++;
	}
	for (size_t i = 0; i < 256; i++) {
		const uint64_t n = counts[0][i] + counts[1][i];

		sum += n * n;
	}
	/* The sum of (n - expected)^2 / expected. */
	return sum / expected - PART <= MAX_CHI_SQUARED;
}

static bool repeats(const uint8_t *bytes, size_t len)
{
	uint32_t seen[1 << HASH_BITS] = { 0 }; /* the four bytes, not where they were */
	size_t found = 0;

	for (size_t i = 0; i + sizeof(uint32_t) <= len; i++) {
		uint32_t four, hash, *slot;

		memcpy(&four, bytes + i, sizeof(four));
		hash = four * UINT32_C(2654435761) >> (32 - HASH_BITS - SAMPLE_BITS);
		if (hash >> HASH_BITS)
			continue;
		slot = &seen[hash];
		found += *slot == four;
		*slot = four;
	}
	return found > (len / FOUND_SHARE) >> SAMPLE_BITS;
}

bool qcow2_is_noise(const void *bytes, size_t len)
{
	const uint8_t *p = bytes;

	/* In short ones chance is too strong; they do not take long. */
	if (len < 2 * (size_t)PART)
		return false;
	for (size_t i = 0; i + PART <= len; i += PART) {
		if (!is_uniform(p + i))
			return false;
	}
	return !repeats(p, len);
}
