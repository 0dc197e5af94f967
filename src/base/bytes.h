/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * bytes.h - integers from and to disk, wire and guest, at any alignment
 */
#ifndef BASE_BYTES_H
#define BASE_BYTES_H

#include <endian.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define BYTES_DEFINE(bits)                                         \
	static inline uint##bits##_t get_le##bits(const void *p)   \
	{                                                          \
		uint##bits##_t v;                                  \
		memcpy(&v, p, sizeof(v));                          \
		return le##bits##toh(v);                           \
	}                                                          \
	static inline uint##bits##_t get_be##bits(const void *p)   \
	{                                                          \
		uint##bits##_t v;                                  \
		memcpy(&v, p, sizeof(v));                          \
		return be##bits##toh(v);                           \
	}                                                          \
	static inline void put_le##bits(void *p, uint##bits##_t v) \
	{                                                          \
		v = htole##bits(v);                                \
		memcpy(p, &v, sizeof(v));                          \
	}                                                          \
	static inline void put_be##bits(void *p, uint##bits##_t v) \
	{                                                          \
		v = htobe##bits(v);                                \
		memcpy(p, &v, sizeof(v));                          \
	}

BYTES_DEFINE(16)
BYTES_DEFINE(32)
BYTES_DEFINE(64)
#undef BYTES_DEFINE

/* A span of bytes that somebody else owns: a file in memory, a part of it. */
struct span {
	const uint8_t *p;
	size_t len;
};

/* Is [off, off + len) inside the span? Cannot overflow. */
static inline bool span_has(struct span s, uint64_t off, uint64_t len)
{
	return off <= s.len && len <= s.len - off;
}

/* The part [off, off + len), or an empty span with p == NULL when it is not wholly inside. */
static inline struct span span_sub(struct span s, uint64_t off, uint64_t len)
{
	if (!span_has(s, off, len))
		return (struct span){ NULL, 0 };
	return (struct span){ s.p + off, (size_t)len };
}

#endif
