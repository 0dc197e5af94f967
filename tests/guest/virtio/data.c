/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * data.c - patterns: word N of a pattern is its seed plus N, times an odd number
 */
#include "virtio.h"

static u64 word(u64 seed, u64 n)
{
	return (seed + n) * 0x9e3779b97f4a7c15ull;
}

/* Lengths that are no multiple of 8 end in the middle of a word. */
void fill(void *p, u64 seed, unsigned bytes)
{
	u64 w = word(seed, 0);
	volatile u64 *to = p;

	for (unsigned n = bytes / 8; n; n--) {
		*to++ = w;
		w += 0x9e3779b97f4a7c15ull;
	}
	for (unsigned i = 0; i < bytes % 8; i++)
		((volatile u8 *)to)[i] = (u8)(w >> 8 * i);
}

int filled(const void *p, u64 seed, unsigned bytes)
{
	u64 w = word(seed, 0);
	const volatile u64 *from = p;

	for (unsigned n = bytes / 8; n; n--) {
		if (*from++ != w)
			return 0;
		w += 0x9e3779b97f4a7c15ull;
	}
	return 1;
}

int zero(const void *p, unsigned bytes)
{
	const volatile u64 *from = p;

	for (unsigned n = bytes / 8; n; n--) {
		if (*from++)
			return 0;
	}
	return 1;
}

int same(const void *a, const void *b, unsigned bytes)
{
	const volatile u64 *x = a, *y = b;

	for (unsigned n = bytes / 8; n; n--) {
		if (*x++ != *y++)
			return 0;
	}
	for (unsigned i = 0; i < bytes % 8; i++) {
		if (((const volatile u8 *)x)[i] != ((const volatile u8 *)y)[i])
			return 0;
	}
	return 1;
}

void copy(void *to, const void *from, unsigned bytes)
{
	volatile u64 *t = to;
	const volatile u64 *f = from;

	for (unsigned n = bytes / 8; n; n--)
		*t++ = *f++;
	for (unsigned i = 0; i < bytes % 8; i++)
		((volatile u8 *)t)[i] = ((const volatile u8 *)f)[i];
}
