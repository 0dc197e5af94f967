/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * image.c - disk images of all formats: opening chains, and the checks in front of every call
 */
#include "block/image.h"

#include <inttypes.h>
#include <string.h>

#include "base/error.h"
#include "base/sys.h"
#include "block/crypt/secret.h"
#include "block/format/format.h"
#include "block/qcow2/qcow2.h"

const struct image_ops *const image_formats[] = {
	&image_raw_ops,  &image_qcow2_ops, &vdi_image_ops,  &vhd_image_ops, &vhdx_image_ops,
	&vmdk_image_ops, &qcow1_image_ops, &luks_image_ops, NULL,
};

const struct image_ops *image_format_find(const char *name, GError **error)
{
	g_autoptr(GString) names = g_string_new(NULL);

	/* What others call it when they name how a raw image is reached. */
	if (!strcmp(name, "file") || !strcmp(name, "host_device") || !strcmp(name, "host_cdrom"))
		return &image_raw_ops;
	for (unsigned i = 0; image_formats[i]; i++) {
		if (!strcmp(image_formats[i]->format, name))
			return image_formats[i];
		g_string_append_printf(names, "%s%s", i ? ", " : "", image_formats[i]->format);
	}
	error_set(error, SOCLE_ERROR_UNSUPPORTED,
		  "there is no image format '%s'; those there are: %s", name, names->str);
	return NULL;
}

/* ---- opening ---- */

const struct image_ops *image_probe(const char *path, struct block_file *file, GError **error)
{
	uint8_t head[IMAGE_PROBE_LEN];
	int64_t size = block_file_size(file);
	int ret = size < 0 ? (int)size : 0;
	size_t len = size < 0 ? 0 : MIN((size_t)size, sizeof(head));

	if (!ret)
		ret = block_file_read(file, 0, head, len);
	if (ret < 0) {
		error_sys(error, ret, "cannot read image '%s'", path);
		return NULL;
	}
	for (unsigned i = 1; image_formats[i]; i++) {
		if (image_formats[i]->probe &&
		    image_formats[i]->probe(head, len, (uint64_t)size, file))
			return image_formats[i];
	}
	return image_formats[0];
}

static const struct image_ops *choose(const char *path, struct block_file *file, const char *format,
				      unsigned flags, GError **error)
{
	if (format)
		return image_format_find(format, error);
	if (!(flags & IMAGE_WRITE))
		return image_probe(path, file, error);
	error_set(error, SOCLE_ERROR_USAGE,
		  "the format of image '%s' is not guessed, as it is to be written to; name it "
		  "(-f, or format=)",
		  path);
	return NULL;
}

/* @secret: NULL: none was given. */
static bool unlock(struct image *image, const struct secret *secret, GError **error)
{
	if (image->locked && secret)
		return image->ops->unlock(image, secret, error);
	/* Who only reads loses nothing. */
	if (secret && image->flags & IMAGE_WRITE)
		return error_set(error, SOCLE_ERROR_USAGE,
				 "image '%s' is not encrypted, but a secret is given for it; leave "
				 "that out if this is the right image",
				 image->path);
	return !image->locked || image->flags & IMAGE_LOCKED ||
	       error_set(error, SOCLE_ERROR_DENIED,
			 "image '%s' is encrypted; name its secret by encrypt.key-secret=ID, and "
			 "give that by --object secret,id=ID,file=FILE",
			 image->path);
}

static const struct secret *key_at(const struct image_keys *keys, unsigned depth)
{
	return keys && depth < keys->count ? keys->secrets[depth] : NULL;
}

static struct image *open_alone(const char *path, struct block_file *owned, const char *format,
				unsigned flags, GError **error)
{
	autoptr(block_file) file = owned;
	const struct image_ops *ops = choose(path, file, format, flags, error);
	struct image *image = ops ? ops->open(path, file, flags, error) : NULL;

	if (!image)
		return NULL;
	image->ops = ops;
	image->path = g_strdup(path);
	image->flags = flags;
	image->file = g_steal_pointer(&file);
	return image;
}

unsigned image_file_flags(unsigned flags)
{
	return (flags & IMAGE_WRITE ? BLOCK_FILE_WRITE : 0) |
	       (flags & IMAGE_DIRECT ? BLOCK_FILE_DIRECT : 0) |
	       (flags & IMAGE_SHARED ? BLOCK_FILE_SHARED : 0) |
	       (flags & IMAGE_NO_LOCK ? BLOCK_FILE_NO_LOCK : 0) |
	       (flags & IMAGE_NO_FLUSH ? BLOCK_FILE_NO_FLUSH : 0) |
	       (flags & IMAGE_CHAR ? BLOCK_FILE_CHAR : 0);
}

/* "json:" and "nbd://host" are no names of files. A '/' in front of the ':' makes it one. */
static bool is_protocol(const char *name)
{
	size_t len = strcspn(name, ":/");

	return len && name[len] == ':';
}

char *image_resolve(const char *path, const char *name)
{
	const char *slash = strrchr(path, '/');

	if (name[0] == '/' || !slash)
		return g_strdup(name);
	return g_strdup_printf("%.*s/%s", (int)(slash - path), path, name);
}

static const char *named(const char *const *names, const struct image_keys *keys, unsigned depth)
{
	return names && depth < keys->named ? names[depth] : NULL;
}

static bool may_be_behind(const struct image *image, bool named_path, bool named_format,
			  GError **error)
{
	if (!named_path && is_protocol(image->backing_file))
		return error_set(error, SOCLE_ERROR_UNSUPPORTED,
				 "image '%s' has '%s' behind it, which is no file; only files can "
				 "be",
				 image->path, image->backing_file);
	if (!named_format && image->backing_format &&
	    !image_format_find(image->backing_format, NULL))
		return error_set(error, SOCLE_ERROR_UNSUPPORTED,
				 "Could not open backing file: Unknown driver '%s'",
				 image->backing_format);
	if (!named_format && !image->backing_format)
		return error_set(error, SOCLE_ERROR_USAGE,
				 "image '%s' does not say what format '%s' behind it has; tell it "
				 "with `socle-img rebase -u -b FILE -F FORMAT`",
				 image->path, image->backing_file);
	return true;
}

/* Open what stands behind each image, up to one that has nothing behind it. */
static bool open_chain(struct image *front, const struct image_keys *keys, GError **error)
{
	unsigned flags = front->flags & ~(unsigned)(IMAGE_WRITE | IMAGE_CHECK | IMAGE_DATA_LATER);
	struct image *image = front;

	for (unsigned depth = 1;; depth++, image = image->backing) {
		const char *name = keys ? named(keys->paths, keys, depth) : NULL;
		const char *format = keys ? named(keys->formats, keys, depth) : NULL;
		g_autofree char *path = NULL;
		struct block_file *file;

		if (!name && !image->backing_file)
			return true;
		if (!may_be_behind(image, name, format, error))
			return false;
		path = name ? g_strdup(name) : image_resolve(image->path, image->backing_file);
		if (depth >= IMAGE_MAX_CHAIN)
			return error_set(error, SOCLE_ERROR_LIMIT,
					 "there are more than %d images behind '%s'; merge some "
					 "with `socle-img commit`",
					 IMAGE_MAX_CHAIN - 1, front->path);
		file = block_file_open(path, image_file_flags(flags), error);
		if (!file)
			return g_prefix_error(error, "Could not open backing file: "), false;
		for (struct image *other = front; other; other = other->backing) {
			if (!block_file_is_same(other->file, file))
				continue;
			block_file_close(file);
			return error_set(error, SOCLE_ERROR_CORRUPT,
					 "Backing file '%s' creates an infinite loop.", path);
		}
		image->backing = open_alone(path, file, format ? format : image->backing_format,
					    flags, error);
		if (!image->backing || !unlock(image->backing, key_at(keys, depth), error))
			return g_prefix_error(error, "Could not open backing file: "), false;
	}
}

static bool check_keys(const struct image *front, const struct image_keys *keys, GError **error)
{
	unsigned depth = 0;

	for (const struct image *image = front; image; image = image->backing)
		depth++;
	return !keys || keys->count <= depth ||
	       error_set(error, SOCLE_ERROR_USAGE,
			 "there are %u images from '%s' on, and a secret is given for one behind "
			 "them; leave that out",
			 depth, front->path);
}

struct image *image_open_file_keys(const char *path, struct block_file *file, const char *format,
				   unsigned flags, const struct image_keys *keys, GError **error)
{
	autoptr(image) image = open_alone(path, file, format, flags, error);

	if (!image || !unlock(image, key_at(keys, 0), error) ||
	    (flags & IMAGE_BACKING &&
	     (!open_chain(image, keys, error) || !check_keys(image, keys, error))))
		return NULL;
	return g_steal_pointer(&image);
}

struct image *image_open_file(const char *path, struct block_file *file, const char *format,
			      unsigned flags, GError **error)
{
	return image_open_file_keys(path, file, format, flags, NULL, error);
}

struct image *image_open(const char *path, const char *format, unsigned flags, GError **error)
{
	return image_open_keys(path, format, flags, NULL, error);
}

struct image *image_open_keys(const char *path, const char *format, unsigned flags,
			      const struct image_keys *keys, GError **error)
{
	struct block_file *file;

	if (is_protocol(path) && (g_str_has_prefix(path, "json:") || strstr(path, "://"))) {
		error_set(error, SOCLE_ERROR_UNSUPPORTED,
			  "'%s' is no file; only files and block devices can be images", path);
		return NULL;
	}
	file = block_file_open(path, image_file_flags(flags), error);
	return file ? image_open_file_keys(path, file, format, flags, keys, error) : NULL;
}

void image_close(struct image *image)
{
	while (image) {
		struct image *behind = image->backing;
		struct block_file *file = image->file;

		g_free(image->path);
		g_free(image->node_name);
		g_free(image->backing_file);
		g_free(image->backing_format);
		image->ops->close(image);
		block_file_close(file);
		image = behind;
	}
}

bool image_create(const char *format, const struct image_create *what, GError **error)
{
	const struct image_ops *ops = image_format_find(format, error);
	autoptr(block_file) file = NULL;
	int ret;

	if (!ops)
		return false;
	if (!ops->create)
		return error_set(error, SOCLE_ERROR_UNSUPPORTED,
				 "images of format '%s' cannot be created", format);
	if (what->size > INT64_MAX)
		return error_set(error, SOCLE_ERROR_LIMIT, "image '%s' would be too large",
				 what->path);
	file = block_file_open(what->path, BLOCK_FILE_CREATE, error);
	if (!file)
		return false;
	block_file_hint(file, what->extent_hint, what->nocow);
	if (!ops->create(file, what, error)) {
		sys_unlink(what->path);
		return false;
	}
	ret = block_file_sync(file);
	if (ret < 0) {
		sys_unlink(what->path);
		return error_sys(error, ret, "cannot write image '%s'", what->path);
	}
	return true;
}

const char *image_create_option(const struct image_create *what, const char *name,
				const char *otherwise)
{
	const char *value = what->options ? g_hash_table_lookup(what->options, name) : NULL;

	return value ? value : otherwise;
}

/* ---- calls ---- */

static bool check_range(const struct image *image, uint64_t off, uint64_t len, GError **error)
{
	if (off <= image->size && len <= image->size - off)
		return true;
	return error_set(error, SOCLE_ERROR_USAGE,
			 "image '%s' ends at %" PRIu64 ", before %" PRIu64 " + %" PRIu64,
			 image->path, image->size, off, len);
}

static bool check_change(const struct image *image, uint64_t off, uint64_t len, GError **error)
{
	if (!(image->flags & IMAGE_WRITE))
		return error_set(error, SOCLE_ERROR_DENIED, "image '%s' is open for reading only",
				 image->path);
	if ((off | len) % 512 && off + len != image->size)
		return error_set(error, SOCLE_ERROR_USAGE,
				 "%" PRIu64 " + %" PRIu64 " of image '%s' are no multiples of 512",
				 off, len, image->path);
	return check_range(image, off, len, error);
}

static bool cannot(const struct image *image, const char *what, GError **error)
{
	return error_set(error, SOCLE_ERROR_UNSUPPORTED, "images of format '%s' cannot be %s",
			 image->ops->format, what);
}

bool image_read(struct image *image, uint64_t off, void *buf, size_t len, GError **error)
{
	return check_range(image, off, len, error) &&
	       (!len || image->ops->read(image, off, buf, len, error));
}

bool image_write(struct image *image, uint64_t off, const void *buf, size_t len, GError **error)
{
	if (!image->ops->write)
		return cannot(image, "written to", error);
	return check_change(image, off, len, error) &&
	       (!len || image->ops->write(image, off, buf, len, error));
}

bool image_zero(struct image *image, uint64_t off, uint64_t len, bool unmap, GError **error)
{
	if (!image->ops->zero)
		return cannot(image, "written to", error);
	return check_change(image, off, len, error) &&
	       (!len || image->ops->zero(image, off, len, unmap, error));
}

bool image_discard(struct image *image, uint64_t off, uint64_t len, GError **error)
{
	if (!image->ops->discard)
		return check_change(image, off, len, error);
	return check_change(image, off, len, error) &&
	       (!len || image->ops->discard(image, off, len, error));
}

bool image_flush(struct image *image, GError **error)
{
	return !image->ops->flush || image->ops->flush(image, error);
}

bool image_resize(struct image *image, uint64_t size, GError **error)
{
	if (!image->ops->resize)
		return cannot(image, "resized", error);
	if (size > INT64_MAX || size % 512)
		return error_set(error, SOCLE_ERROR_USAGE,
				 "the size of image '%s' must be a multiple of 512 bytes",
				 image->path);
	return check_change(image, 0, 0, error) && image->ops->resize(image, size, error);
}

bool image_map(struct image *image, uint64_t off, uint64_t len, struct image_extent *ret_extent,
	       GError **error)
{
	struct image_extent extent = { .file = image->path };

	if (!check_range(image, off, len, error))
		return false;
	if (len && !image->ops->map(image, off, len, &extent, error))
		return false;
	extent.len = MIN(extent.len, len);
	*ret_extent = extent;
	return true;
}

/* Down the chain, up to @base. *ret_behind: an image ended before @off, and so did the search. */
static bool map_down(struct image *image, const struct image *base, uint64_t off, uint64_t len,
		     struct image_extent *ret_extent, bool *ret_behind, GError **error)
{
	struct image_extent extent;
	unsigned depth = 0;

	*ret_behind = false;
	if (!image_map(image, off, len, &extent, error))
		return false;
	while (extent.kind == IMAGE_ABSENT && image->backing && image->backing != base) {
		len = extent.len;
		image = image->backing;
		*ret_behind = off >= image->size;
		if (*ret_behind)
			break; /* nobody looks at what is behind this one */
		if (!image_map(image, off, MIN(len, image->size - off), &extent, error))
			return false;
		depth++;
	}
	extent.depth = depth;
	*ret_extent = extent;
	return true;
}

bool image_map_chain(struct image *image, uint64_t off, uint64_t len,
		     struct image_extent *ret_extent, GError **error)
{
	bool behind;

	return map_down(image, NULL, off, len, ret_extent, &behind, error);
}

bool image_map_above(struct image *image, const struct image *base, uint64_t off, uint64_t len,
		     struct image_extent *ret_extent, GError **error)
{
	bool behind;

	if (!map_down(image, base, off, len, ret_extent, &behind, error))
		return false;
	if (behind) {
		/* It reads as zero, whatever the base has. */
		ret_extent->kind = IMAGE_ZERO;
		ret_extent->depth++;
	}
	return true;
}

bool image_read_backing(struct image *image, uint64_t off, void *buf, size_t len, GError **error)
{
	struct image *behind = image->backing;
	size_t there = behind && off < behind->size ? MIN(len, behind->size - off) : 0;

	memset((uint8_t *)buf + there, 0, len - there);
	return !there || behind->ops->read(behind, off, buf, there, error);
}
