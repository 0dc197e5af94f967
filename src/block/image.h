/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * image.h - disk images of all formats, call by call
 *
 * What socle-img, the daemon and block jobs read and write through: the synchronous half of room
 * block (docs/design/0007-qcow2.md); block.h is the other. A struct image is an open image, and
 * owns its file and the chain of images behind it.
 *
 * Images are hostile: no format is guessed for an image that is written to, and nothing that an
 * image names is opened unless the caller said so (IMAGE_BACKING).
 *
 * Threads: image_read(), image_map() and the pack() of a format may be called by several at once,
 * while nobody else does anything with the image or its chain; all others one at a time.
 */
#ifndef BLOCK_IMAGE_H
#define BLOCK_IMAGE_H

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "block/file.h"

enum {
	IMAGE_MAX_CHAIN = 200, /* images, one behind the other */
	IMAGE_PROBE_LEN = 2048,
};

enum {
	IMAGE_WRITE = 1 << 0,
	IMAGE_BACKING = 1 << 1,  /* open what it names, too, read-only */
	IMAGE_SHARED = 1 << 2,   /* as BLOCK_FILE_SHARED */
	IMAGE_NO_LOCK = 1 << 3,  /* as BLOCK_FILE_NO_LOCK */
	IMAGE_DIRECT = 1 << 4,   /* as BLOCK_FILE_DIRECT */
	IMAGE_NO_FLUSH = 1 << 5, /* as BLOCK_FILE_NO_FLUSH */
	IMAGE_CHECK = 1 << 6, /* to be checked or repaired: open it though it is dirty or corrupt */
	IMAGE_LOCKED = 1 << 7,    /* nobody looks at the data: an encrypted one needs no secret */
	IMAGE_DATA_FILE = 1 << 8, /* open where it says that its data is; IMAGE_BACKING does, too */
	IMAGE_DATA_LATER = 1 << 9, /* qcow2_use_data() says where its data is, before any is used */
	IMAGE_CHAR = 1 << 10,      /* as BLOCK_FILE_CHAR */
};

/* What is at some offset, in this image alone or in the whole chain. */
enum image_kind {
	IMAGE_ABSENT, /* not here: as the backing image has it, or zero */
	IMAGE_ZERO,   /* reads as zero, whatever is behind */
	IMAGE_DATA,
};

struct image_extent {
	uint64_t len; /* bytes for which the rest holds */
	enum image_kind kind;
	bool compressed;
	bool has_host_off; /* the bytes lie as they are, at host_off of the file @file */
	uint64_t host_off; /* of a ZERO extent: what is preallocated for it */
	unsigned depth;    /* image_map_chain(): how far down the chain; 0 is the image itself */
	const char *file;  /* its file's name; lives as long as the image */
};

/* One word of `-o name=value`. */
struct image_option {
	const char *name; /* NULL ends the list */
	const char *value_name;
	const char *help;
};

struct secret;

struct image_create {
	const char *path; /* for messages, and for formats that note their own name */
	uint64_t size;    /* bytes; a multiple of 512 */
	const char *backing_file, *backing_format; /* or NULL; only noted, not opened */
	/* name and value of options, both char *, all of them known to the format; or NULL */
	GHashTable *options;
	const struct secret *secret; /* what opens it, if it is to be encrypted; or NULL */
	/* To the file system, if it knows such things: see block_file_hint(). */
	uint64_t extent_hint;
	bool nocow;
};

/*
 * What the user says of the images of a chain, the front one first: what opens it if it is encrypted
 * (NULL: nothing), and the file and the format of those behind, whatever the image in front of it
 * says (NULL: that counts).
 */
struct image_keys {
	const struct secret *const *secrets;
	unsigned count;
	const char *const *paths, *const *formats;
	unsigned named;
};

struct image;

struct image_ops {
	const char *format;
	const struct image_option *create_options; /* NULL: none, or cannot be created */
	/* What is new in it, at first or when it grows, reads as noise, and not as zero. */
	bool new_is_noise;
	/* Is it of this format? @head has @len bytes, IMAGE_PROBE_LEN if the file has so many;
	 * @size is that of the file. NULL: never guessed. */
	bool (*probe)(const uint8_t *head, size_t len, uint64_t size, struct block_file *file);
	/*
	 * Fill in size, backing_file and backing_format (as the image has them), cluster_size.
	 * @file becomes the image's when it succeeds.
	 */
	struct image *(*open)(const char *path, struct block_file *file, unsigned flags,
			      GError **error);
	/* It is locked: may this secret open it? NULL: images are never encrypted. */
	bool (*unlock)(struct image *image, const struct secret *secret, GError **error);
	/* An empty file becomes an empty image; it is not synced. NULL: cannot. */
	bool (*create)(struct block_file *file, const struct image_create *what, GError **error);
	/* Flush must have been called, or what was not flushed may be lost. Closes the file. */
	void (*close)(struct image *image);

	/* Within the size, @len > 0; multiples of 512 bytes. */
	bool (*read)(struct image *image, uint64_t off, void *buf, size_t len, GError **error);
	bool (*write)(struct image *image, uint64_t off, const void *buf, size_t len,
		      GError **error);
	/* Reads as zero afterwards, whatever is behind. @unmap: and gives space back. */
	bool (*zero)(struct image *image, uint64_t off, uint64_t len, bool unmap, GError **error);
	/* Give space back; what cannot be given back stays. Reads as zero, or as before. */
	bool (*discard)(struct image *image, uint64_t off, uint64_t len, GError **error);
	/* All that was written until now survives a power cut. */
	bool (*flush)(struct image *image, GError **error);
	/* What is at @off, in this image alone: kind, len (at most @len), compressed, host_off. */
	bool (*map)(struct image *image, uint64_t off, uint64_t len,
		    struct image_extent *ret_extent, GError **error);
	/* Grow (new bytes read as zero, or see new_is_noise) or shrink. NULL: cannot. */
	bool (*resize)(struct image *image, uint64_t size, GError **error);

	/*
	 * Compressed writing, in pieces of cluster_size bytes at multiples of it. pack() [any
	 * thread]: bytes of @out, which has room for cluster_size; 0: does not become smaller.
	 * write_packed() takes what pack() gave; what did not become smaller goes by write(). NULL:
	 * no compression.
	 */
	ssize_t (*pack)(struct image *image, const void *in, void *out);
	bool (*write_packed)(struct image *image, uint64_t off, const void *data, size_t len,
			     GError **error);
};

/* Base of what a format's open() makes. */
struct image {
	/* The format's. */
	uint64_t size;                       /* bytes, as the guest sees it */
	uint32_t cluster_size;               /* bytes: the unit of allocation; 0: none */
	char *backing_file, *backing_format; /* as it says itself, or NULL */
	bool encrypted;
	bool locked; /* and nobody has given its secret yet */

	/* image_open()'s. */
	const struct image_ops *ops;
	char *path, *node_name; /* the latter the caller's: for the monitor; or NULL */
	unsigned flags;
	struct block_file *file;
	struct image *backing; /* or NULL: then what is absent reads as zero */
};

extern const struct image_ops image_raw_ops;
/* All formats, raw first; ends with NULL. */
extern const struct image_ops *const image_formats[];
const struct image_ops *image_format_find(const char *name, GError **error);

/* What format does the file seem to have? Raw is what is nothing else. NULL: it cannot be read. */
const struct image_ops *image_probe(const char *path, struct block_file *file, GError **error);

/**
 * image_open() - open an image, and with IMAGE_BACKING the chain behind it
 * @format: NULL: to be guessed, which IMAGE_WRITE does not permit; the images behind are opened as
 *          the format that the one in front names, and refused if it names none
 *
 * Return: the image, for image_close(), or NULL with @error
 */
struct image *image_open(const char *path, const char *format, unsigned flags, GError **error);
/* The same, with secrets for encrypted ones; who is not encrypted must be given none. */
struct image *image_open_keys(const char *path, const char *format, unsigned flags,
			      const struct image_keys *keys, GError **error);
/* The same for a file that is open; it becomes the image's, also when that fails. */
struct image *image_open_file_keys(const char *path, struct block_file *file, const char *format,
				   unsigned flags, const struct image_keys *keys, GError **error);
struct image *image_open_file(const char *path, struct block_file *file, const char *format,
			      unsigned flags, GError **error);
/* BLOCK_FILE_ flags of the file of an image that is opened so. */
unsigned image_file_flags(unsigned flags);
/* Of nothing: reads as zero, and forgets what is written. @zeroes: and its map says so. */
struct image *image_null_new(uint64_t size, bool zeroes, unsigned flags);
/* What is in an image, as a file of that size, which closes it. */
struct block_file *image_as_file(struct image *image);
/* NULL is fine. Closes the chain as well. */
void image_close(struct image *image);
DEFINE_AUTOPTR(image, image_close);

/* Make a file, and an image in it; nothing is left of it when that fails. */
bool image_create(const char *format, const struct image_create *what, GError **error);

/* Any offset and length within the size. All but image_map() look at the whole chain. */
bool image_read(struct image *image, uint64_t off, void *buf, size_t len, GError **error);
/* Multiples of 512 bytes, within the size. */
bool image_write(struct image *image, uint64_t off, const void *buf, size_t len, GError **error);
bool image_zero(struct image *image, uint64_t off, uint64_t len, bool unmap, GError **error);
bool image_discard(struct image *image, uint64_t off, uint64_t len, GError **error);
bool image_flush(struct image *image, GError **error);
bool image_resize(struct image *image, uint64_t size, GError **error);
bool image_map(struct image *image, uint64_t off, uint64_t len, struct image_extent *ret_extent,
	       GError **error);
/* What a reader finds: ABSENT only where no image of the chain has it (which reads as zero). */
bool image_map_chain(struct image *image, uint64_t off, uint64_t len,
		     struct image_extent *ret_extent, GError **error);

/* The name of a file that the image @path names: relative to the folder of that. g_free() it. */
char *image_resolve(const char *path, const char *name);

/* The same, as if @base and what is behind it were not there. */
bool image_map_above(struct image *image, const struct image *base, uint64_t off, uint64_t len,
		     struct image_extent *ret_extent, GError **error);

/* For formats: what the user gave for an option, or @otherwise. */
const char *image_create_option(const struct image_create *what, const char *name,
				const char *otherwise);

/* For formats: what the image behind has; zeroes behind its end, or if there is none. */
bool image_read_backing(struct image *image, uint64_t off, void *buf, size_t len, GError **error);

#endif
