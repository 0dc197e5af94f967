/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * zero.c - where are the zeroes?
 */
#include <emmintrin.h>
#include <string.h>

#include "img/img.h"

/* 64 bytes at a time; SSE2 is part of x86-64. */
static size_t leading_zeroes(const uint8_t *p, size_t len)
{
	const __m128i zero = _mm_setzero_si128();
	size_t i = 0;

	for (; i + 64 <= len; i += 64) {
		const __m128i *v = (const __m128i *)(const void *)(p + i);
		__m128i a = _mm_or_si128(_mm_loadu_si128(v), _mm_loadu_si128(v + 1));
		__m128i b = _mm_or_si128(_mm_loadu_si128(v + 2), _mm_loadu_si128(v + 3));

		if (_mm_movemask_epi8(_mm_cmpeq_epi8(_mm_or_si128(a, b), zero)) != 0xffff)
			break;
	}
	while (i < len && !p[i])
		i++;
	return i;
}

bool img_is_zero(const void *bytes, size_t len)
{
	return leading_zeroes(bytes, len) == len;
}

size_t img_zero_run(const uint8_t *bytes, size_t len, size_t unit, bool *ret_zero)
{
	size_t run = MIN(unit, len);
	bool zero = img_is_zero(bytes, run);

	while (run < len && img_is_zero(bytes + run, MIN(unit, len - run)) == zero)
		run += MIN(unit, len - run);
	*ret_zero = zero;
	return run;
}
