/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vmdk-int.h - what the parts of VMDK know of each other
 */
#ifndef BLOCK_FORMAT_VMDK_INT_H
#define BLOCK_FORMAT_VMDK_INT_H

#include "block/format/sparse.h"

enum {
	VMDK_SECTOR = 512,
	VMDK_HEADER_LEN = 512,
	VMDK_MAX_DESCRIPTOR = 64 << 10,
	VMDK_GRAIN = 64 << 10, /* of those we make */
	VMDK_TABLE = 512,      /* entries of a grain table of those we make */
	VMDK_MARKER_LEN = 12,  /* of compressed data: sector and length */
};

/* Of the header's field. */
enum vmdk_flag {
	VMDK_NEWLINES = 1 << 0,
	VMDK_SECOND = 1 << 1, /* there are two directories, and both count */
	VMDK_ZEROES = 1 << 2, /* an entry of 1: reads as zero */
	VMDK_COMPRESSED = 1 << 16,
	VMDK_MARKERS = 1 << 17,
};

struct vmdk_header {
	uint32_t version, flags, table_entries;
	uint64_t sectors, grain, descriptor, descriptor_len, second, directory,
		overhead; /* sectors */
	uint16_t compression;
	bool is_text; /* somebody has changed the ends of its lines */
};

/* The directory is not where the header says, but where the footer does. */
#define VMDK_AT_END UINT64_MAX

bool vmdk_is_header(const uint8_t *bytes);
void vmdk_header_parse(const uint8_t *bytes, struct vmdk_header *ret);
void vmdk_header_format(const struct vmdk_header *header, uint8_t *bytes);

/* The text that says what an image is made of. */
struct vmdk_descriptor {
	char *type;          /* of the create call */
	uint32_t parent;     /* its content's number; all ones: none */
	char *parent_name;   /* or NULL */
	char *extent_name;   /* of the only one, or NULL */
	uint64_t extent_len; /* sectors */
	uint64_t extent_off; /* sectors */
	unsigned extents;
	bool flat;
};

bool vmdk_is_descriptor(const char *text, size_t len);
/* What cannot be read is left out; false if an extent makes no sense. */
bool vmdk_descriptor_parse(const char *name, const char *text, struct vmdk_descriptor *ret,
			   GError **error);
void vmdk_descriptor_clear(struct vmdk_descriptor *d);
/* The text for a new image in one file. */
char *vmdk_descriptor_format(const struct image_create *what, const char *type, const char *adapter,
			     const char *hwversion);
/* Where a text has the number of the contents, which each writer changes: 8 digits; or NULL. */
const char *vmdk_descriptor_cid(const char *text);

/* An image that is written from front to back: what it is until it is closed. */
struct vmdk_stream;

struct vmdk {
	struct sparse s;
	struct vmdk_header header;
	struct block_file *extent; /* of a flat one, or NULL */
	char *extent_path;
	uint64_t extent_off;         /* bytes */
	uint64_t text_off, text_len; /* of the descriptor */
	char *type;                  /* as the descriptor says, or NULL */
	bool at_end;                 /* the directory is where a footer says */
	struct vmdk_stream *stream;  /* or NULL: it is not written as a stream */
	uint64_t tables;             /* entries of the directory */
};

static inline struct vmdk *vmdk_of(struct sparse *s)
{
	return container_of(s, struct vmdk, s);
}

/* ---- vmdk-stream.c ---- */

/* For an image in which there is nothing yet. NULL: no memory. */
struct vmdk_stream *vmdk_stream_new(const struct vmdk *vmdk);
void vmdk_stream_free(struct vmdk_stream *stream);
bool vmdk_stream_lookup(struct vmdk *vmdk, uint64_t index, struct sparse_block *ret,
			GError **error);
/* Is it in memory still? Then @out has it. */
bool vmdk_stream_has(const struct vmdk *vmdk, const struct sparse_block *block, uint8_t *out);
bool vmdk_stream_write(struct vmdk *vmdk, uint64_t off, const void *buf, size_t len,
		       GError **error);
bool vmdk_stream_write_packed(struct vmdk *vmdk, uint64_t off, const void *data, size_t len,
			      GError **error);
bool vmdk_stream_zero(struct vmdk *vmdk, uint64_t off, uint64_t len, GError **error);
/* All until now, and what makes it a whole image. */
bool vmdk_stream_finish(struct vmdk *vmdk, GError **error);
/* Directory (NULL: empty), footer, mark of the end; the file ends there. 0 or -errno. */
int vmdk_put_end(struct block_file *file, uint64_t pos, const struct vmdk_header *header,
		 const uint32_t *directory, uint64_t tables);
/* How many bytes of @out; 0: they do not fit. */
size_t vmdk_pack(const void *in, size_t in_len, void *out, size_t out_len);

#endif
