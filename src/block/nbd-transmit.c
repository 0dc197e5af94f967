/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nbd-transmit.c - an image for NBD clients: requests and their answers
 *
 * Requests may have any offset and length; what is not made of whole sectors is read, changed and
 * written back under the lock.
 */
#include <errno.h>
#include <string.h>

#include "base/bytes.h"
#include "base/error.h"
#include "block/nbd-int.h"

enum {
	SECTOR = 512,
	MAX_EXTENTS = 4096, /* in one answer */

	CMD_READ = 0,
	CMD_WRITE = 1,
	CMD_DISC = 2,
	CMD_FLUSH = 3,
	CMD_TRIM = 4,
	CMD_CACHE = 5,
	CMD_WRITE_ZEROES = 6,
	CMD_BLOCK_STATUS = 7,

	CMD_FLAG_FUA = 1 << 0,
	CMD_FLAG_NO_HOLE = 1 << 1,
	CMD_FLAG_DF = 1 << 2,
	CMD_FLAG_REQ_ONE = 1 << 3,

	REPLY_NONE = 0,
	REPLY_OFFSET_DATA = 1,
	REPLY_BLOCK_STATUS = 5,
	REPLY_ERROR = 0x8001,
	REPLY_FLAG_DONE = 1 << 0,

	STATE_HOLE = 1 << 0,
	STATE_ZERO = 1 << 1,
};

static const uint32_t request_magic = 0x25609513, simple_magic = 0x67446698,
		      structured_magic = 0x668e33ef;

struct request {
	uint16_t flags, type;
	uint64_t cookie, off;
	uint32_t len;
};

/* ---- answers ---- */

/* The protocol's numbers are those of Linux, for those that it has. */
static uint32_t wire_error(const GError *error)
{
	if (error->domain != SYS_ERROR)
		return error->code == SOCLE_ERROR_DENIED  ? EPERM
		       : error->code == SOCLE_ERROR_USAGE ? EINVAL
							  : EIO;
	switch (error->code) {
	case EPERM:
	case ENOMEM:
	case EINVAL:
	case ENOSPC:
		return (uint32_t)error->code;
	case EDQUOT:
	case EFBIG:
		return ENOSPC;
	case EROFS:
		return EPERM;
	default:
		return EIO;
	}
}

static bool simple(struct nbd_client *client, const struct request *req, uint32_t err)
{
	uint8_t head[16];

	put_be32(head, simple_magic);
	put_be32(head + 4, err);
	put_be64(head + 8, req->cookie);
	return nbd_send(client, head, sizeof(head));
}

/* The head of the one and only piece of a structured answer, with @len bytes behind it. */
static bool chunk(struct nbd_client *client, const struct request *req, uint16_t type, uint32_t len)
{
	uint8_t head[20];

	put_be32(head, structured_magic);
	put_be16(head + 4, REPLY_FLAG_DONE);
	put_be16(head + 6, type);
	put_be64(head + 8, req->cookie);
	put_be32(head + 16, len);
	return nbd_send(client, head, sizeof(head));
}

static bool refuse(struct nbd_client *client, const struct request *req, uint32_t err,
		   const char *text)
{
	size_t len = MIN(strlen(text), (size_t)4000);
	uint8_t head[6];

	/* Only reads and block states are answered in the structured way, but errors may be. */
	if (!client->structured)
		return simple(client, req, err);
	put_be32(head, err);
	put_be16(head + 4, (uint16_t)len);
	return chunk(client, req, REPLY_ERROR, (uint32_t)(sizeof(head) + len)) &&
	       nbd_send(client, head, sizeof(head)) && nbd_send(client, text, len);
}

static bool answer(struct nbd_client *client, const struct request *req, const GError *error)
{
	if (error)
		return refuse(client, req, wire_error(error), error->message);
	return client->structured ? chunk(client, req, REPLY_NONE, 0) : simple(client, req, 0);
}

static uint8_t *buffer(struct nbd_client *client, size_t len)
{
	if (client->buf_len < len) {
		g_free(client->buf);
		client->buf = g_try_malloc(len);
		client->buf_len = client->buf ? len : 0;
	}
	return client->buf;
}

/* ---- reading ---- */

static bool do_read(struct nbd_client *client, const struct request *req)
{
	struct nbd_server *server = client->server;
	g_autoptr(GError) error = NULL;
	uint8_t *buf = buffer(client, req->len);
	uint8_t off[8];
	bool ok;

	if (!buf)
		return refuse(client, req, ENOMEM, "no memory for so many bytes");
	pthread_rwlock_rdlock(&server->lock);
	ok = image_read(server->image, req->off, buf, req->len, &error);
	pthread_rwlock_unlock(&server->lock);
	if (!ok)
		return answer(client, req, error);
	if (!client->structured)
		return simple(client, req, 0) && nbd_send(client, buf, req->len);
	put_be64(off, req->off);
	return chunk(client, req, REPLY_OFFSET_DATA, (uint32_t)sizeof(off) + req->len) &&
	       nbd_send(client, off, sizeof(off)) && nbd_send(client, buf, req->len);
}

static uint32_t state_of(const struct image_extent *extent)
{
	switch (extent->kind) {
	case IMAGE_ABSENT:
		return STATE_HOLE | STATE_ZERO;
	case IMAGE_ZERO:
		return STATE_ZERO | (extent->has_host_off ? 0 : STATE_HOLE);
	case IMAGE_DATA:
		break;
	}
	return 0;
}

/* Extents from req->off on as the protocol has them, neighbours of one state put together. */
static unsigned collect(struct nbd_client *client, const struct request *req, uint8_t *to,
			unsigned max, GError **error)
{
	uint64_t off = req->off, end = req->off + req->len;
	unsigned count = 0;

	while (off < end) {
		struct image_extent extent;
		uint8_t *last = count ? to + 8 * (count - 1) : NULL;

		if (!image_map_chain(client->server->image, off, end - off, &extent, error))
			return 0;
		if (!extent.len)
			break;
		off += extent.len;
		if (last && get_be32(last + 4) == state_of(&extent)) {
			put_be32(last, get_be32(last) + (uint32_t)extent.len);
			continue;
		}
		if (count == max)
			break;
		put_be32(to + 8 * count, (uint32_t)extent.len);
		put_be32(to + 8 * count + 4, state_of(&extent));
		count++;
	}
	return count;
}

static bool do_status(struct nbd_client *client, const struct request *req)
{
	unsigned count, max = req->flags & CMD_FLAG_REQ_ONE ? 1 : MAX_EXTENTS;
	g_autoptr(GError) error = NULL;
	uint8_t *buf = buffer(client, 8 * (size_t)max);
	uint8_t context[4];

	if (!client->allocation || !req->len)
		return refuse(client, req, EINVAL, "nothing to be told of that");
	if (!buf)
		return refuse(client, req, ENOMEM, "no memory for the answer");
	pthread_rwlock_rdlock(&client->server->lock);
	count = collect(client, req, buf, max, &error);
	pthread_rwlock_unlock(&client->server->lock);
	if (!count)
		return error ? answer(client, req, error)
			     : refuse(client, req, EIO, "the image does not say");
	put_be32(context, NBD_CONTEXT_ALLOCATION);
	return chunk(client, req, REPLY_BLOCK_STATUS, 4 + 8 * count) &&
	       nbd_send(client, context, sizeof(context)) && nbd_send(client, buf, 8ul * count);
}

/* ---- writing ---- */

/* Part of a sector. */
static bool write_within(struct image *image, uint64_t off, const uint8_t *from, size_t len,
			 GError **error)
{
	uint8_t sector[SECTOR];
	uint64_t start = off / SECTOR * SECTOR;

	if (!image_read(image, start, sector, SECTOR, error))
		return false;
	if (from)
		memcpy(sector + (off - start), from, len);
	else
		memset(sector + (off - start), 0, len);
	return image_write(image, start, sector, SECTOR, error);
}

/* Bytes of @from, or zeroes if that is NULL. */
static bool write_any(struct image *image, const struct request *req, const uint8_t *from,
		      GError **error)
{
	uint64_t off = req->off, left = req->len;

	while (left) {
		uint64_t n = MIN(left, SECTOR - off % SECTOR);
		bool ok;

		if (n == SECTOR) {
			n = left / SECTOR * SECTOR;
			ok = from ? image_write(image, off, from, n, error)
				  : image_zero(image, off, n, !(req->flags & CMD_FLAG_NO_HOLE),
					       error);
		} else {
			ok = write_within(image, off, from, n, error);
		}
		if (!ok)
			return false;
		off += n;
		left -= n;
		from = from ? from + n : NULL;
	}
	return true;
}

/* Whole sectors inside the range; what is around them stays. */
static bool trim(struct image *image, const struct request *req, GError **error)
{
	uint64_t start = (req->off + SECTOR - 1) / SECTOR * SECTOR;
	uint64_t end = (req->off + req->len) / SECTOR * SECTOR;

	return start >= end || image_discard(image, start, end - start, error);
}

static bool do_change(struct nbd_client *client, const struct request *req, const uint8_t *data)
{
	struct nbd_server *server = client->server;
	g_autoptr(GError) error = NULL;
	bool ok = true;

	if (server->read_only && req->type != CMD_FLUSH)
		return refuse(client, req, EPERM, "this export can only be read");
	pthread_rwlock_wrlock(&server->lock);
	if (req->type == CMD_TRIM)
		ok = trim(server->image, req, &error);
	else if (req->type != CMD_FLUSH)
		ok = write_any(server->image, req, data, &error);
	if (ok && !server->read_only && (req->type == CMD_FLUSH || req->flags & CMD_FLAG_FUA))
		(void)image_flush(server->image, &error);
	pthread_rwlock_unlock(&server->lock);
	return answer(client, req, error);
}

/* ---- requests ---- */

static bool in_range(const struct nbd_client *client, const struct request *req)
{
	uint64_t size = client->server->image->size;

	return req->off <= size && req->len <= size - req->off;
}

/* False: the client is gone, or must go. */
static bool one_request(struct nbd_client *client)
{
	uint8_t head[28];
	struct request req;
	uint8_t *data = NULL;

	if (!nbd_receive(client, head, sizeof(head)) || get_be32(head) != request_magic)
		return false;
	req = (struct request){
		.flags = get_be16(head + 4),
		.type = get_be16(head + 6),
		.cookie = get_be64(head + 8),
		.off = get_be64(head + 16),
		.len = get_be32(head + 24),
	};
	if (req.type == CMD_DISC)
		return false;
	if (req.type == CMD_WRITE) {
		/* Its data stands in the stream: whoever cannot take it has lost the place. */
		if (req.len > NBD_MAX_PAYLOAD || !(data = buffer(client, MAX(req.len, 1u))) ||
		    !nbd_receive(client, data, req.len))
			return false;
	}
	if (req.type != CMD_FLUSH && !in_range(client, &req))
		return refuse(client, &req, req.type == CMD_WRITE ? ENOSPC : EINVAL,
			      "that is behind the end");
	switch (req.type) {
	case CMD_READ:
		return req.len > NBD_MAX_PAYLOAD
			       ? refuse(client, &req, EINVAL, "so much is not read at once")
			       : do_read(client, &req);
	case CMD_WRITE:
	case CMD_FLUSH:
	case CMD_TRIM:
	case CMD_WRITE_ZEROES:
		return do_change(client, &req, data);
	case CMD_CACHE:
		return answer(client, &req, NULL);
	case CMD_BLOCK_STATUS:
		return do_status(client, &req);
	default:
		return refuse(client, &req, EINVAL, "there is no such request");
	}
}

void nbd_transmit(struct nbd_client *client)
{
	while (one_request(client))
		;
}
