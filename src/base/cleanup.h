/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cleanup.h - locals that free what they own, and a few words that every room uses
 */
#ifndef BASE_CLEANUP_H
#define BASE_CLEANUP_H

#include <stddef.h>

/*
 * autoptr(foo) p = NULL; frees p with the function named by DEFINE_AUTOPTR(foo, foo_free) when the
 * scope ends. Like g_autoptr, which cannot be used with a struct tag.
 */
#define autoptr(name) __attribute__((cleanup(name##_autofree))) struct name *
#define DEFINE_AUTOPTR(name, fn)                            \
	static inline void name##_autofree(struct name **p) \
	{                                                   \
		if (*p)                                     \
			fn(*p);                             \
	}                                                   \
	struct name

/* Functions of the data path: they allocate nothing and call no GLib (docs/STYLE.md, section 4). */
#define DATA_PATH __attribute__((section(".text.data_path")))

#define container_of(ptr, type, member) \
	((type *)(void *)((char *)(1 ? (ptr) : &((type *)0)->member) - offsetof(type, member)))

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

#define likely(x)   __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

#endif
