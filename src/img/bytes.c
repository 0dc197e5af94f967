/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bytes.c - is it all zero?
 */
#include <emmintrin.h>
#include <string.h>

#include "img/img.h"

bool img_is_zero(const uint8_t *buf, size_t len)
{
	const __m128i zero = _mm_setzero_si128();

	for (; len >= 64; buf += 64, len -= 64) {
		__m128i a = _mm_loadu_si128((const __m128i *)(const void *)buf);
		__m128i b = _mm_loadu_si128((const __m128i *)(const void *)(buf + 16));
		__m128i c = _mm_loadu_si128((const __m128i *)(const void *)(buf + 32));
		__m128i d = _mm_loadu_si128((const __m128i *)(const void *)(buf + 48));
		__m128i all = _mm_or_si128(_mm_or_si128(a, b), _mm_or_si128(c, d));

		if (_mm_movemask_epi8(_mm_cmpeq_epi8(all, zero)) != 0xffff)
			return false;
	}
	for (; len; buf++, len--) {
		if (*buf)
			return false;
	}
	return true;
}

size_t img_run(const uint8_t *buf, size_t len, size_t step, size_t least, bool *ret_zero)
{
	size_t at = 0, zero_from = 0;

	/* As long as it is zero: a run from the start. */
	while (at < len && img_is_zero(buf + at, MIN(step, len - at)))
		at = MIN(at + step, len);
	if (at == len || at >= least) {
		*ret_zero = true;
		return at;
	}
	*ret_zero = false;
	/* Data, up to where enough zeroes begin. */
	zero_from = at;
	while (at < len) {
		size_t n = MIN(step, len - at);

		if (!img_is_zero(buf + at, n))
			zero_from = at + n;
		at += n;
		if (at - zero_from >= least)
			return zero_from;
	}
	return at > zero_from ? zero_from : len;
}
