/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * socle-volume.h - volumes of storage pools: what disks of machines are made of
 *
 * A volume is the name of its pool, its own, and a key, which no other volume of the host has.
 */
#ifndef CLIENT_SOCLE_VOLUME_H
#define CLIENT_SOCLE_VOLUME_H

#include <stdint.h>

#include "client/socle-error.h"
#include "client/socle-pool.h"
#include "client/socle-stream.h"

struct socle_volume;

enum socle_volume_type {
	SOCLE_VOLUME_FILE = 0,
	SOCLE_VOLUME_BLOCK = 1,
	SOCLE_VOLUME_DIR = 2,
	SOCLE_VOLUME_NETWORK = 3,
	SOCLE_VOLUME_NETDIR = 4,
	SOCLE_VOLUME_PLOOP = 5,
};

enum socle_volume_create_flags {
	SOCLE_VOLUME_CREATE_PREALLOC_METADATA = 1 << 0,
	SOCLE_VOLUME_CREATE_REFLINK = 1 << 1, /* share what is equal with the one it is made from */
	SOCLE_VOLUME_CREATE_VALIDATE = 1 << 2,
	/*
	 * Of one that gets bytes: it is told as made when it has them, as cp does, not when they are on the disk
	 * (on devices they may be). If the host crashes soon after, a whole volume may have lost some. Servers
	 * that do not know it sync.
	 */
	SOCLE_VOLUME_CREATE_NO_SYNC = 1 << 28,
};

enum socle_volume_delete_flags {
	SOCLE_VOLUME_DELETE_ZEROED = 1 << 0,
	SOCLE_VOLUME_DELETE_WITH_SNAPSHOTS = 1 << 1,
	/* First the volume whose snapshot it is becomes what it is. Alone; socled only. */
	SOCLE_VOLUME_DELETE_RESTORE = 1 << 30,
};

enum socle_volume_info_flags {
	SOCLE_VOLUME_INFO_PHYSICAL = 1 << 0, /* the size of the file for what is allocated */
};

enum socle_volume_stream_flags {
	SOCLE_VOLUME_SPARSE = 1 << 0, /* holes travel as such, see socle_stream_send_hole() */
	/* Of uploads, as SOCLE_VOLUME_CREATE_NO_SYNC. */
	SOCLE_VOLUME_NO_SYNC = SOCLE_VOLUME_CREATE_NO_SYNC,
};

enum socle_volume_resize_flags {
	SOCLE_VOLUME_RESIZE_ALLOCATE = 1 << 0, /* room for what is new is taken at once */
	SOCLE_VOLUME_RESIZE_DELTA = 1 << 1,    /* by so much, not to so much */
	SOCLE_VOLUME_RESIZE_SHRINK = 1 << 2,   /* smaller is meant, and what is behind is lost */
};

enum socle_volume_wipe {
	SOCLE_WIPE_ZERO = 0,
	SOCLE_WIPE_NNSA = 1,
	SOCLE_WIPE_DOD = 2,
	SOCLE_WIPE_BSI = 3,
	SOCLE_WIPE_GUTMANN = 4,
	SOCLE_WIPE_SCHNEIER = 5,
	SOCLE_WIPE_PFITZNER7 = 6,
	SOCLE_WIPE_PFITZNER33 = 7,
	SOCLE_WIPE_RANDOM = 8,
	SOCLE_WIPE_TRIM = 9,
};

/* For socle_volume_info(). */
struct socle_volume_info {
	int type;            /* enum socle_volume_type */
	uint64_t capacity;   /* bytes that a guest sees */
	uint64_t allocation; /* bytes that it takes */
};

/**
 * socle_volume_ref() - one more owner
 * @vol: the volume
 *
 * Return: @vol
 */
SOCLE_API struct socle_volume *socle_volume_ref(struct socle_volume *vol);

/**
 * socle_volume_unref() - one owner less
 * @vol: may be NULL
 */
SOCLE_API void socle_volume_unref(struct socle_volume *vol);

/**
 * socle_volumes_free() - give back a list of volumes
 * @vols: a NULL behind the last; may be NULL
 */
SOCLE_API void socle_volumes_free(struct socle_volume **vols);

/**
 * socle_volume_conn() - the connection that it was got by
 * @vol: the volume
 *
 * Return: it belongs to @vol
 */
SOCLE_API struct socle_conn *socle_volume_conn(const struct socle_volume *vol);

/**
 * socle_volume_name() - its name within its pool
 * @vol: the volume
 *
 * Return: it belongs to @vol
 */
SOCLE_API const char *socle_volume_name(const struct socle_volume *vol);

/**
 * socle_volume_pool_name() - the name of its pool
 * @vol: the volume
 *
 * Return: it belongs to @vol
 */
SOCLE_API const char *socle_volume_pool_name(const struct socle_volume *vol);

/**
 * socle_volume_key() - what no other volume of the host has; of a file its path
 * @vol: the volume
 *
 * Return: it belongs to @vol
 */
SOCLE_API const char *socle_volume_key(const struct socle_volume *vol);

/**
 * socle_volume_type_name() - word for a kind of volumes, such as "file"
 * @type: enum socle_volume_type
 *
 * Return: constant; "unknown" for other numbers
 */
SOCLE_API const char *socle_volume_type_name(int type);

/**
 * socle_volume_list() - which volumes a pool has
 * @pool:     the pool; active
 * @flags:    0
 * @ret_vols: for socle_volumes_free(); may be NULL if only the number matters
 * @error:    says why not
 *
 * Return: how many, or -1
 */
SOCLE_API int socle_volume_list(struct socle_pool *pool, unsigned flags,
				struct socle_volume ***ret_vols, struct socle_error **error);

/**
 * socle_volume_by_name() - look a volume up
 * @pool:  the pool that has it
 * @name:  whole
 * @error: SOCLE_ERR_NO_STORAGE_VOL if there is none
 *
 * Return: for socle_volume_unref(); NULL on failure
 */
SOCLE_API struct socle_volume *socle_volume_by_name(struct socle_pool *pool, const char *name,
						    struct socle_error **error);

/**
 * socle_volume_by_key() - look a volume up in all pools
 * @conn:  the connection
 * @key:   as socle_volume_key() has it
 * @error: SOCLE_ERR_NO_STORAGE_VOL if there is none
 *
 * Return: for socle_volume_unref(); NULL on failure
 */
SOCLE_API struct socle_volume *socle_volume_by_key(struct socle_conn *conn, const char *key,
						   struct socle_error **error);

/**
 * socle_volume_by_path() - look a volume up in all pools
 * @conn:  the connection
 * @path:  on the daemon's host
 * @error: SOCLE_ERR_NO_STORAGE_VOL if there is none
 *
 * Return: for socle_volume_unref(); NULL on failure
 */
SOCLE_API struct socle_volume *socle_volume_by_path(struct socle_conn *conn, const char *path,
						    struct socle_error **error);

/**
 * socle_volume_pool() - the pool that has it
 * @vol:   the volume
 * @error: says why not
 *
 * Return: for socle_pool_unref(); NULL on failure
 */
SOCLE_API struct socle_pool *socle_volume_pool(struct socle_volume *vol,
					       struct socle_error **error);

/**
 * socle_volume_create() - make a volume
 * @pool:  where
 * @xml:   a <volume>
 * @flags: enum socle_volume_create_flags
 * @error: SOCLE_ERR_STORAGE_VOL_EXIST if there is one of that name
 *
 * Return: for socle_volume_unref(); NULL on failure
 */
SOCLE_API struct socle_volume *socle_volume_create(struct socle_pool *pool, const char *xml,
						   unsigned flags, struct socle_error **error);

/**
 * socle_volume_create_from() - make a volume with what another one has
 * @pool:  where
 * @xml:   a <volume>
 * @from:  that is copied, of this pool or another one
 * @flags: enum socle_volume_create_flags
 * @error: says why not
 *
 * Return: for socle_volume_unref(); NULL on failure
 */
SOCLE_API struct socle_volume *socle_volume_create_from(struct socle_pool *pool, const char *xml,
							struct socle_volume *from, unsigned flags,
							struct socle_error **error);

/**
 * socle_volume_create_stream() - make a volume of bytes that are sent: it is there when all of them are
 * @pool:         where
 * @xml:          a <volume>; of a format other than raw the bytes say all
 * @flags:        enum socle_volume_create_flags
 * @fd:           of a file that the server copies, as by socle_volume_upload_fd(); -1: the stream is written to
 * @stream_flags: enum socle_stream_flags
 * @ret_stream:   as of socle_volume_upload() or socle_volume_upload_fd()
 * @error:        SOCLE_ERR_NO_SUPPORT if the server cannot do it: socle_volume_create() and an upload are for
 *                all, but leave a volume without its bytes if the client dies between them
 *
 * Until socle_stream_finish() others see that the volume is being made, and can do nothing with it; if the
 * stream ends otherwise it never was.
 *
 * Return: for socle_volume_unref(); NULL on failure, then there is no stream either
 */
SOCLE_API struct socle_volume *socle_volume_create_stream(struct socle_pool *pool, const char *xml,
							  unsigned flags, int fd,
							  unsigned stream_flags,
							  struct socle_stream **ret_stream,
							  struct socle_error **error);

/**
 * socle_volume_delete() - delete it; what it had is lost
 * @vol:   the volume
 * @flags: enum socle_volume_delete_flags
 * @error: says why not
 *
 * Return: 0, or -1
 */
SOCLE_API int socle_volume_delete(struct socle_volume *vol, unsigned flags,
				  struct socle_error **error);

/**
 * socle_volume_info() - its kind and sizes
 * @vol:      the volume
 * @flags:    enum socle_volume_info_flags
 * @ret_info: set on success
 * @error:    says why not
 *
 * Return: 0, or -1
 */
SOCLE_API int socle_volume_info(struct socle_volume *vol, unsigned flags,
				struct socle_volume_info *ret_info, struct socle_error **error);

/**
 * socle_volume_xml() - what it is
 * @vol:   the volume
 * @flags: 0
 * @error: says why not
 *
 * Return: for free(3); NULL on failure
 */
SOCLE_API char *socle_volume_xml(struct socle_volume *vol, unsigned flags,
				 struct socle_error **error);

/* @xml is for free(3); NULL: the volume cannot be asked about, as it has gone meanwhile. */
typedef void socle_volume_xml_fn(struct socle_volume *vol, char *xml, void *opaque);

/**
 * socle_volumes_xml() - what many are, asked for together
 * @vols:   such as those of socle_volume_list(); they end with NULL
 * @flags:  0
 * @tell:   called for one after the other, while the next are asked about
 * @opaque: for @tell
 * @error:  says why not
 *
 * Return: 0 on success; -1 if the connection is lost, maybe in the middle
 */
SOCLE_API int socle_volumes_xml(struct socle_volume *const *vols, unsigned flags,
				socle_volume_xml_fn *tell, void *opaque,
				struct socle_error **error);

/**
 * socle_volume_path() - where it is on the daemon's host
 * @vol:   the volume
 * @error: says why not
 *
 * Return: for free(3); NULL on failure
 */
SOCLE_API char *socle_volume_path(struct socle_volume *vol, struct socle_error **error);

/**
 * socle_volume_upload() - write bytes into it, as they are, whatever its format
 * @vol:          the volume
 * @offset:       of the first byte
 * @length:       how many; 0: as many as are sent
 * @flags:        enum socle_volume_stream_flags
 * @stream_flags: enum socle_stream_flags
 * @error:        says why not
 *
 * Return: for socle_stream_send(), then socle_stream_finish(); NULL on failure
 */
SOCLE_API struct socle_stream *socle_volume_upload(struct socle_volume *vol, uint64_t offset,
						   uint64_t length, unsigned flags,
						   unsigned stream_flags,
						   struct socle_error **error);

/**
 * socle_volume_download() - read its bytes, as they are, whatever its format
 * @vol:          the volume
 * @offset:       of the first byte
 * @length:       how many; 0: all
 * @flags:        enum socle_volume_stream_flags
 * @stream_flags: enum socle_stream_flags
 * @error:        says why not
 *
 * Return: for socle_stream_recv(), then socle_stream_finish(); NULL on failure
 */
SOCLE_API struct socle_stream *socle_volume_download(struct socle_volume *vol, uint64_t offset,
						     uint64_t length, unsigned flags,
						     unsigned stream_flags,
						     struct socle_error **error);

/**
 * socle_volume_upload_fd() - have the server copy a file into it
 * @vol:    the volume
 * @offset: of the first byte in the volume
 * @length: how many at most; 0: all up to the end of the file
 * @fd:     of a regular file, from its position on; holes stay holes
 * @flags:  0 or SOCLE_VOLUME_NO_SYNC
 * @error:  says why not: SOCLE_ERR_NO_SUPPORT if only streams will do, since the server is not on this host,
 *          is another user's, or libvirt's
 *
 * The position of the file moves along, which tells how far it is. Nothing is sent by the stream:
 * socle_stream_wait() for SOCLE_STREAM_READABLE waits until all is copied, and socle_stream_recv() then
 * returns 0; before socle_stream_finish() it may be given up.
 *
 * Return: for socle_stream_recv(), then socle_stream_finish(); NULL on failure
 */
SOCLE_API struct socle_stream *socle_volume_upload_fd(struct socle_volume *vol, uint64_t offset,
						      uint64_t length, int fd, unsigned flags,
						      struct socle_error **error);

/**
 * socle_volume_download_fd() - have the server copy it into a file
 * @vol:    the volume
 * @offset: of the first byte in the volume
 * @length: how many; 0: all
 * @fd:     of a regular file that has nothing behind its position
 * @error:  as that of socle_volume_upload_fd()
 *
 * Return: as socle_volume_upload_fd()
 */
SOCLE_API struct socle_stream *socle_volume_download_fd(struct socle_volume *vol, uint64_t offset,
							uint64_t length, int fd,
							struct socle_error **error);

/**
 * socle_volume_resize() - make it larger, or smaller
 * @vol:   the volume
 * @bytes: what a guest is to see
 * @flags: enum socle_volume_resize_flags
 * @error: says why not
 *
 * Return: 0, or -1
 */
SOCLE_API int socle_volume_resize(struct socle_volume *vol, uint64_t bytes, unsigned flags,
				  struct socle_error **error);

/**
 * socle_volume_wipe() - write over all that it has
 * @vol:       the volume
 * @algorithm: enum socle_volume_wipe
 * @flags:     0
 * @error:     says why not
 *
 * Return: 0, or -1
 */
SOCLE_API int socle_volume_wipe(struct socle_volume *vol, unsigned algorithm, unsigned flags,
				struct socle_error **error);

#endif
