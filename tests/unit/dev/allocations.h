/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * allocations.h - counts what a program allocates, on all its threads; for one file of a program
 */
#ifndef TESTS_UNIT_DEV_ALLOCATIONS_H
#define TESTS_UNIT_DEV_ALLOCATIONS_H

#include <malloc.h>
#include <stdatomic.h>
#include <stddef.h>

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define COUNTS_ALLOCATIONS 1

static atomic_uint allocations;

/* NOLINTBEGIN(bugprone-reserved-identifier,readability-*): names and parameters are glibc's */
/* Of glibc. A program's malloc() is found before that of the library, if it can be seen. */
#define VISIBLE __attribute__((visibility("default")))

void *__libc_malloc(size_t len);
void *__libc_calloc(size_t count, size_t len);
void *__libc_realloc(void *p, size_t len);

VISIBLE void *malloc(size_t len)
{
	allocations++;
	return __libc_malloc(len);
}

VISIBLE void *calloc(size_t count, size_t len)
{
	allocations++;
	return __libc_calloc(count, len);
}

VISIBLE void *realloc(void *p, size_t len)
{
	allocations++;
	return __libc_realloc(p, len);
}
/* NOLINTEND(bugprone-reserved-identifier,readability-*) */
#else
#define COUNTS_ALLOCATIONS 0

static atomic_uint allocations;
#endif

#endif
