/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pools-int.h - kinds of storage pools, each in a file of its own
 *
 * All of a kind's functions may take their time: they are called on a thread that has nothing else to do,
 * several at once. What they share is a struct depot, which does not change while it is there.
 */
#ifndef DAEMON_POOLS_INT_H
#define DAEMON_POOLS_INT_H

#include "daemon/pools.h"

struct block_file;
struct depot_kind;
struct secret;

/* An active pool, or one that is to be built. */
struct depot {
	const struct depot_kind *kind;
	struct storage_pool *def;
	uid_t uid;
	gid_t gid;
	struct secret *password; /* of <auth>, or NULL */
	char **folders; /* of all active pools when the work began: what an image names may lie there */
	uint32_t host; /* of struct pools_config */
};

struct depot_kind {
	/* What it needs of the host is there. NULL: it needs nothing. */
	bool (*available)(GError **error);
	bool (*build)(const struct depot *depot, unsigned flags, GError **error);
	bool (*erase)(const struct depot *depot, unsigned flags, GError **error);
	bool (*find_sources)(const struct storage_pool *like, GPtrArray *list, GError **error);
	bool (*start)(const struct depot *depot, unsigned flags, GError **error);
	bool (*stop)(const struct depot *depot, GError **error); /* NULL: nothing is to be done */
	bool (*usage)(const struct depot *depot, struct pool_usage *ret_usage, GError **error);
	/* With what is not complete, if there is rename(). */
	bool (*list)(const struct depot *depot, GPtrArray *names, GError **error);
	/*
	 * A volume's bytes, open with @flags of open(2): a regular file or a block device, and no
	 * other. SOCLE_ERROR_NOT_FOUND: there is none of this name. @name has been checked.
	 */
	int (*open)(const struct depot *depot, const char *name, int flags, GError **error);
	/* A volume that another host keeps: then there is no open(). */
	struct block_file *(*reach)(const struct depot *depot, const char *name, bool write,
				    GError **error);
	/* NULL: vol_look() of what open() has opened says all. */
	struct storage_vol *(*look)(const struct depot *depot, const char *name, GError **error);
	/*
	 * Of volumes that are not files. @as: its name for now, often @what's own.
	 * @source: what it is a copy of, open as @source_fd, or NULL. What fails leaves nothing.
	 */
	bool (*create)(const struct depot *depot, const struct vol_create *what, const char *as,
		       const struct storage_vol *source, int source_fd, struct vol_work *work,
		       GError **error);
	/* NULL: it has to have its name before it is complete. */
	bool (*rename)(const struct depot *depot, const char *name, const char *new_name,
		       GError **error);
	/* @all: with its snapshots, where it has such. */
	bool (*remove)(const struct depot *depot, const char *name, bool all, GError **error);
	bool (*resize)(const struct depot *depot, const char *name, uint64_t now, uint64_t wanted,
		       unsigned flags, struct vol_work *work, GError **error);
	/* Whose snapshot @name is becomes what it is, and that goes. */
	bool (*restore)(const struct depot *depot, const char *name, GError **error);
	bool files;  /* volumes are files in a folder, of any format (vol-file.c) */
	bool copies; /* create() copies a volume of the same pool by itself: @source_fd is -1 */
};

/* Counted: who works may be later than who has started it. */
struct depot *depot_ref(struct depot *depot);
void depot_unref(struct depot *depot);

extern const struct depot_kind depot_dir, depot_fs, depot_netfs, depot_logical, depot_disk;
extern const struct depot_kind depot_iscsi_direct, depot_rbd;
/* NULL with @error: there is no such kind here. */
const struct depot_kind *depot_kind_of(enum storage_pool_type type, GError **error);

/* Has somebody cancelled it? */
bool work_is_wanted(const struct vol_work *work, GError **error);

/* == Folders (depot-dir.c) == */

/* The pool's folder, open; or -1. */
int folder_open(const struct depot *depot, GError **error);
/* Is it a name of a volume: a regular file or a block device? */
bool folder_has_volume(int dir, const char *name);
/* As the kind's. */
bool folder_build(const struct depot *depot, GError **error);
bool folder_list(const struct depot *depot, GPtrArray *names, GError **error);
bool folder_usage(const struct depot *depot, struct pool_usage *ret_usage, GError **error);
bool folder_start(const struct depot *depot, GError **error);
int folder_open_volume(const struct depot *depot, const char *name, int flags, GError **error);

/*
 * A new file in a folder that nobody sees as a volume until it is complete. The names of those that were
 * never finished end in ".part"; who makes one has it locked, and removes those whose makers are gone.
 */
struct part {
	int dir, fd; /* the first one the caller's */
	char name[48];
	char *path;   /* where room block finds it */
	bool no_sync; /* it has its name before the disk has its bytes; set it behind part_init() */
	bool done;
};

/* @fd is open for reading and writing. */
bool part_init(struct part *part, int dir, GError **error);
/* It is synced, unless that was not wanted, and has its name; @replace: another one's. */
bool part_finish(struct part *part, const char *name, bool replace, GError **error);
/* What was not finished is removed. */
void part_release(struct part *part);
/* Remove what was not finished by those who are gone. */
void parts_sweep(int dir);

/* == Volumes that are no files, and not complete (depot-part.c) == */

/* Is it the name of one, of whichever host? Then it is none of a volume. */
bool depot_is_part(const char *name);
/* Remove what was not finished by those of this host who are gone, unless somebody has it open. */
void depot_sweep(const struct depot *depot);
/* By the kind's create(); a copy is there when it is complete. */
bool depot_create(const struct depot *depot, const struct vol_create *what,
		  const struct storage_vol *source, int source_fd, struct vol_work *work,
		  GError **error);
/* One that is there when its bytes have come, of a kind that has rename(). */
struct vol_io *depot_create_io(struct pools *pools, struct depot *depot,
			       const struct vol_create *what, struct vol_work *work,
			       GError **error);

/* == What Ceph's programs say (rbd-answers.c) == */

/* Of images and of those that are not complete, added to @names. */
bool rbd_answer_names(const char *text, GPtrArray *names, GError **error);
bool rbd_answer_size(const char *text, uint64_t *ret_bytes, GError **error);
/* @ret_found becomes true if it tells of the pool. */
bool rbd_answer_usage(const char *text, const char *pool, struct pool_usage *ret_usage,
		      bool *ret_found, GError **error);

/* == Volumes: files and devices (vol-look.c, vol-file.c, vol-copy.c, vol-io.c) == */

/* What is to be told of the volume that is open as @fd; @path is for what its header names. */
struct storage_vol *vol_look(int fd, const char *name, const char *path, GError **error);
/* The same of one that is raw whatever is in it, since a guest may have written that. */
struct storage_vol *vol_look_raw(int fd, const char *name, GError **error);
bool vol_file_create(const struct depot *depot, const struct vol_create *what,
		     const struct depot *source, struct vol_work *work, GError **error);
/* A file that is to get bytes, and then its name by part_finish(). The folder, which is the part's; or -1. */
int vol_file_begin(const struct depot *depot, const struct vol_create *what, struct vol_work *work,
		   struct part *ret_part, GError **error);
bool vol_file_remove(const struct depot *depot, const char *name, bool all, GError **error);
bool vol_file_resize(const struct depot *depot, const char *name, uint64_t wanted, unsigned flags,
		     struct vol_work *work, GError **error);
bool vol_wipe_bytes(const struct depot *depot, const char *name, enum vol_wipe how,
		    struct vol_work *work, GError **error);
/*
 * Until block_file_close() no machine and no other program opens it to write, with @write not to read either;
 * NULL: one has it already. A machine that starts meanwhile would have its disk changed, or replaced, under it.
 */
struct block_file *vol_hold(int fd, const char *path, bool write, GError **error);
char *depot_path(const struct depot *depot, const char *name);

/* From @off on, @len bytes of @from to the same place of @to, but holes; @to reads as zero there. @soon: it is
 * synced then, so the disk begins at once. */
bool vol_copy_data(int from, int to, uint64_t off, uint64_t len, bool soon, struct vol_work *work,
		   GError **error);
/* Some bytes of a file go to another, @len at most: how many, 0 at its end, or -errno. @by_hand: the kernel
 * would not, and is not asked again. */
ssize_t vol_copy_some(int from, uint64_t from_off, int to, uint64_t to_off, size_t len,
		      bool *by_hand);
/* What @source, open as @source_fd, says to a reader, to the device @path, which is large enough; @blank: and
 * reads as zero. */
bool vol_fill_device(const char *path, bool blank, const struct storage_vol *source, int source_fd,
		     struct vol_work *work, GError **error);
/* From image to image; the second one is flushed. @blank: it reads as zero so far, unless there is
 * something behind it. */
struct image;
bool vol_convert(struct image *from, struct image *to, bool blank, struct vol_work *work,
		 GError **error);

struct vol_io;
/* For streams. Its functions take threads of their own. @as: the volume's name for now. */
struct vol_io *vol_io_new(struct pools *pools, const struct depot *depot, const char *name,
			  const char *as, const struct vol_open *how, GError **error);

/* Of a file that is there when its bytes are. */
struct vol_io *vol_io_new_file(struct pools *pools, const struct depot *depot,
			       const struct vol_create *what, struct vol_work *work,
			       GError **error);

/* The same of volumes that other hosts keep (vol-remote.c). */
struct vol_io *vol_remote_io_new(struct pools *pools, const struct depot *depot, const char *name,
				 const char *as, const struct vol_open *how, GError **error);
bool vol_remote_wipe(const struct depot *depot, const char *name, enum vol_wipe how,
		     struct vol_work *work, GError **error);

/* == Work aside (pools.c) == */

struct work;

/* Do @run on a thread, then end @task with what it has said; @free always comes, on either. */
/* @cancel: is set when the daemon ends; @arg owns it; or NULL. */
void work_start(struct pools *pools, struct task *task, struct vol_work *cancel,
		bool (*run)(void *arg, GError **error), void (*deliver)(void *arg),
		void (*free)(void *arg), void *arg);

#endif
