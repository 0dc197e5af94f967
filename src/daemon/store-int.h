/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * store-int.h - what store.c and store-files.c share
 */
#ifndef DAEMON_STORE_INT_H
#define DAEMON_STORE_INT_H

#include <stdbool.h>

#include "manage/store.h"

/* One save or remove. */
struct store_change {
	enum store_kind kind;
	char *key;
	char *text; /* NULL: remove */
	struct task *task;

	/* The thread's: */
	char *path;    /* of the file */
	char *fresh;   /* the new text, not in place yet; NULL: none */
	char *former;  /* what the file was, under another name; NULL: nothing */
	int fd;        /* of @fresh, -1: none */
	bool replaced; /* there was an old one */
	bool placed;   /* what the name stands for is new */
	int err;       /* 0, or -errno of what failed */
};

/* Where the files of each kind are. */
struct store_folders {
	char *path[STORE_KIND_COUNT];
	int fd[STORE_KIND_COUNT];
	bool is_new[STORE_KIND_COUNT]; /* it was not there before */
};

bool store_folders_init(struct store_folders *folders, const char *state, const char *run,
			GError **error);
void store_folders_release(struct store_folders *folders);

/* store_load() */
struct store_count;
void store_load_folders(const struct store_folders *folders,
			bool (*load)(void *opaque, enum store_kind kind, const char *key,
				     const char *text, GError **error),
			void *opaque, struct store_count *ret_count);

/* Carry out all of them, in order. Each then has its err. [store's thread] */
void store_carry_out(const struct store_folders *folders, struct store_change **changes,
		     unsigned count);

#endif
