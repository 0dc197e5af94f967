/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * library.h - libraries that are loaded when they are first needed
 *
 * For what most runs of a program do without: to load Ceph's (20 MB with their own dependencies), GnuTLS or
 * libxml2 takes longer than most of our commands do. A package may leave out what it does not insist on.
 * Their headers are needed when we are built, and link nothing.
 *
 * Threads: any.
 */
#ifndef BASE_LIBRARY_H
#define BASE_LIBRARY_H

#include <glib.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

/* A function of a library, and where its address goes. */
struct library_call {
	const char *name;
	size_t offset; /* in the table */
};

struct library {
	const char
		*file; /* the shared object, with the version that its header is of: "libx.so.1" */
	const char *package; /* who has not got it installs that */
	const struct library_call *calls;
	size_t count;
	void *table;         /* of pointers to functions */
	void (*begin)(void); /* or NULL: what is to be called first */
	atomic_bool loaded;
};

/**
 * library_load() - fill a library's table with the addresses of its functions
 *
 * The first call loads it; it is never unloaded. Return: false if it is not there, or lacks a function.
 */
bool library_load(struct library *library, GError **error);

#endif
