/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * library.h - libraries that are loaded when the first image needs them
 *
 * Most machines have no disk on another host: linking libiscsi and librbd would let each of them load
 * what it does not use (Ceph's are 20 MB with their own dependencies), and no package could leave them out.
 *
 * Threads: any.
 */
#ifndef BLOCK_REMOTE_LIBRARY_H
#define BLOCK_REMOTE_LIBRARY_H

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>

/* A function of a library, and where its address goes. */
struct library_call {
	const char *name;
	size_t offset; /* in the table */
};

/**
 * library_load() - fill a table with the addresses of functions
 * @file:    name of the shared object, with the version that its header is of: "libx.so.1"
 * @package: who has not got it installs that
 * @table:   of pointers to functions
 *
 * It is never unloaded. Return: false if it is not there, or lacks a function.
 */
bool library_load(const char *file, const char *package, const struct library_call *calls,
		  size_t count, void *table, GError **error);

#endif
