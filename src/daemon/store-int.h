/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * store-int.h - what the files of the store share
 */
#ifndef DAEMON_STORE_INT_H
#define DAEMON_STORE_INT_H

#include <stdbool.h>

#include "manage/store.h"

/* What a restart of the host ends. */
static inline bool store_is_in_run(enum store_kind kind)
{
	return kind == STORE_STATUS || kind == STORE_NETWORK_STATUS || kind == STORE_POOL_STATUS;
}

/* One save or remove. */
struct store_change {
	enum store_kind kind;
	char *key;
	char *text; /* NULL: remove */
	struct task *task;

	char *path; /* of the file */

	/* The thread's: */
	char *fresh;   /* the new text, not in place yet; NULL: none */
	char *former;  /* what the file was, under another name; NULL: nothing */
	int fd;        /* of @fresh, -1: none */
	bool replaced; /* there was an old one */
	bool placed;   /* what the name stands for is new */
	bool has_text; /* [store-commit.c] the file is to be there */
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
/* @owed: of struct store_change, what files are to be that they are not yet. */
void store_load_folders(const struct store_folders *folders, const GPtrArray *owed,
			bool (*load)(void *opaque, enum store_kind kind, const char *key,
				     const char *text, GError **error),
			void *opaque, struct store_count *ret_count);

struct store_change *store_change_new(enum store_kind kind, const char *key, const char *text);
void store_change_set_path(struct store_change *change, const struct store_folders *folders);
void store_change_free(struct store_change *change);

/* == store-files.c [store's thread] == */

/* Carry out all of them, in order, each synced. Each then has its err. */
void store_carry_out(const struct store_folders *folders, struct store_change **changes,
		     unsigned count);
/* Put one in place, not synced. Its fd and names are closed and gone again. 0 or -errno. */
int store_place(const struct store_folders *folders, struct store_change *change);

/* == store-commit.c [store's thread, or the main loop while it is not there] == */

struct store_commit;

/* What a crash has left undone is done; or, on a disk that does not take it, owed. */
struct store_commit *store_commit_new(const struct store_folders *folders, const char *state,
				      GError **error);
void store_commit_free(struct store_commit *commit);
/* As store_carry_out(), but most changes are durable before they are in their files; those are owed. */
void store_commit(struct store_commit *commit, struct store_change **changes, unsigned count);
/* Does a change wait for being put in its file? */
bool store_commit_owes(const struct store_commit *commit);
/* Put one of them there. False: it could not be, and store_commit_settle() is next. */
bool store_commit_pay(struct store_commit *commit);
/* All of those, as struct store_change. */
GPtrArray *store_commit_list_owed(const struct store_commit *commit);
/* Is all in files that are on the disk? */
bool store_commit_is_settled(const struct store_commit *commit);
/* Bring that about. False: not yet, try again. */
bool store_commit_settle(struct store_commit *commit);

#endif
