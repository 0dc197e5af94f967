/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nbd-server.c - an image for NBD clients: threads, negotiation
 *
 * A thread reads an option or a request, answers it, and comes back for the next: one at a time for
 * each client. Reads of several clients go on side by side, everything else alone.
 */
#include "block/nbd-server.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/sys.h"
#include "base/thread.h"
#include "block/nbd-int.h"

enum {
	MAX_OPTION = 64 << 10, /* bytes of an option; names have at most 4096 */
};

/* ---- bytes ---- */

bool nbd_receive(struct nbd_client *client, void *buf, size_t len)
{
	while (len) {
		struct iovec iov = { buf, len };
		struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
		ssize_t n = sys_recvmsg(client->fd, &msg, 0);

		if (n <= 0)
			return false;
		buf = (uint8_t *)buf + n;
		len -= (size_t)n;
	}
	return true;
}

bool nbd_send(struct nbd_client *client, const void *buf, size_t len)
{
	while (len) {
		struct iovec iov = { (void *)(uintptr_t)buf, len };
		struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
		ssize_t n = sys_sendmsg(client->fd, &msg, 0);

		if (n <= 0)
			return false;
		buf = (const uint8_t *)buf + n;
		len -= (size_t)n;
	}
	return true;
}

/* ---- negotiation ---- */

enum {
	OPT_EXPORT_NAME = 1,
	OPT_ABORT = 2,
	OPT_LIST = 3,
	OPT_INFO = 6,
	OPT_GO = 7,
	OPT_STRUCTURED_REPLY = 8,
	OPT_LIST_META_CONTEXT = 9,
	OPT_SET_META_CONTEXT = 10,

	FLAG_FIXED_NEWSTYLE = 1 << 0, /* the same bits from both sides */
	FLAG_NO_ZEROES = 1 << 1,

	INFO_EXPORT = 0,
	INFO_NAME = 1,
	INFO_DESCRIPTION = 2,
	INFO_BLOCK_SIZE = 3,

	SEND_FLAG_HAS_FLAGS = 1 << 0,
	SEND_FLAG_READ_ONLY = 1 << 1,
	SEND_FLAG_FLUSH = 1 << 2,
	SEND_FLAG_FUA = 1 << 3,
	SEND_FLAG_TRIM = 1 << 5,
	SEND_FLAG_WRITE_ZEROES = 1 << 6,
	SEND_FLAG_DF = 1 << 7,
	SEND_FLAG_MULTI_CONN = 1 << 8, /* a flush of one client is one of all */
	SEND_FLAG_CACHE = 1 << 10,
};

#define REP_ACK         1u
#define REP_SERVER      2u
#define REP_INFO        3u
#define REP_META        4u
#define REP_ERR_UNSUP   0x80000001u
#define REP_ERR_INVALID 0x80000003u
#define REP_ERR_UNKNOWN 0x80000006u
#define REP_ERR_TOO_BIG 0x80000009u

static const uint64_t option_magic = 0x49484156454f5054, reply_magic = 0x3e889045565a9;
static const char allocation[] = "base:allocation";

/* What an option says, being read. */
struct option {
	uint32_t type, len;
	const uint8_t *data;
	size_t pos;
};

static bool take_u32(struct option *option, uint32_t *ret)
{
	if (option->len - option->pos < 4)
		return false;
	*ret = get_be32(option->data + option->pos);
	option->pos += 4;
	return true;
}

static bool take_u16(struct option *option, uint16_t *ret)
{
	if (option->len - option->pos < 2)
		return false;
	*ret = get_be16(option->data + option->pos);
	option->pos += 2;
	return true;
}

/* A length and so many bytes, which stay where they are. */
static bool take_text(struct option *option, const char **ret, uint32_t *ret_len)
{
	if (!take_u32(option, ret_len) || *ret_len > option->len - option->pos)
		return false;
	*ret = (const char *)option->data + option->pos;
	option->pos += *ret_len;
	return true;
}

static bool reply(struct nbd_client *client, const struct option *option, uint32_t type,
		  const void *data, size_t len)
{
	uint8_t head[20];

	put_be64(head, reply_magic);
	put_be32(head + 8, option->type);
	put_be32(head + 12, type);
	put_be32(head + 16, (uint32_t)len);
	return nbd_send(client, head, sizeof(head)) && nbd_send(client, data, len);
}

static bool reply_text(struct nbd_client *client, const struct option *option, uint32_t type,
		       const char *text)
{
	return reply(client, option, type, text, strlen(text));
}

static uint16_t export_flags(const struct nbd_server *server)
{
	unsigned flags =
		SEND_FLAG_HAS_FLAGS | SEND_FLAG_DF | SEND_FLAG_MULTI_CONN | SEND_FLAG_CACHE;

	if (server->read_only)
		flags |= SEND_FLAG_READ_ONLY;
	else
		flags |= SEND_FLAG_FLUSH | SEND_FLAG_FUA | SEND_FLAG_TRIM | SEND_FLAG_WRITE_ZEROES;
	return (uint16_t)flags;
}

static bool is_export(const struct nbd_server *server, const char *name, size_t len)
{
	return len == strlen(server->name) && !memcmp(name, server->name, len);
}

static bool send_infos(struct nbd_client *client, const struct option *option, bool block_size)
{
	const struct nbd_server *server = client->server;
	uint8_t info[14];
	size_t len = server->description ? strlen(server->description) : 0;
	g_autofree uint8_t *text = g_malloc0(2 + MAX(len, strlen(server->name)));

	put_be16(info, INFO_EXPORT);
	put_be64(info + 2, server->image->size);
	put_be16(info + 10, export_flags(server));
	if (!reply(client, option, REP_INFO, info, 12))
		return false;
	put_be16(text, INFO_NAME);
	memcpy(text + 2, server->name, strlen(server->name));
	if (!reply(client, option, REP_INFO, text, 2 + strlen(server->name)))
		return false;
	if (len) {
		put_be16(text, INFO_DESCRIPTION);
		memcpy(text + 2, server->description, len);
		if (!reply(client, option, REP_INFO, text, 2 + len))
			return false;
	}
	if (!block_size)
		return true;
	put_be16(info, INFO_BLOCK_SIZE);
	put_be32(info + 2, 1);
	put_be32(info + 6, 4096);
	put_be32(info + 10, NBD_MAX_PAYLOAD);
	return reply(client, option, REP_INFO, info, 14);
}

/* INFO and GO: a name, and what the client would like to know. */
static enum nbd_next info(struct nbd_client *client, struct option *option)
{
	struct nbd_server *server = client->server;
	bool block_size = false;
	const char *name;
	uint32_t len;
	uint16_t count, kind;
	bool valid = take_text(option, &name, &len) && take_u16(option, &count);

	for (unsigned i = 0; valid && i < count; i++) {
		valid = take_u16(option, &kind);
		block_size |= valid && kind == INFO_BLOCK_SIZE;
	}
	if (!valid || option->pos != option->len)
		return reply_text(client, option, REP_ERR_INVALID, "lengths do not agree");
	if (!is_export(server, name, len))
		return reply_text(client, option, REP_ERR_UNKNOWN, "there is no such export");
	if (!send_infos(client, option, block_size) || !reply(client, option, REP_ACK, NULL, 0))
		return NBD_END;
	return option->type == OPT_GO ? NBD_GO : NBD_AGAIN;
}

/* A client of the old kind: no answer but what it needs, or the end. */
static enum nbd_next export_name(struct nbd_client *client, const struct option *option)
{
	uint8_t answer[10 + 124] = { 0 };

	if (!is_export(client->server, (const char *)option->data, option->len))
		return NBD_END;
	put_be64(answer, client->server->image->size);
	put_be16(answer + 8, export_flags(client->server));
	return nbd_send(client, answer, client->no_zeroes ? 10 : sizeof(answer)) ? NBD_GO : NBD_END;
}

static enum nbd_next list(struct nbd_client *client, const struct option *option)
{
	const char *name = client->server->name;
	size_t len = strlen(name);
	g_autofree uint8_t *text = g_malloc(4 + len);

	if (option->len)
		return reply_text(client, option, REP_ERR_INVALID, "LIST has no data");
	put_be32(text, (uint32_t)len);
	memcpy(text + 4, name, len);
	return reply(client, option, REP_SERVER, text, 4 + len) &&
	       reply(client, option, REP_ACK, NULL, 0);
}

static enum nbd_next structured(struct nbd_client *client, const struct option *option)
{
	if (option->len)
		return reply_text(client, option, REP_ERR_INVALID, "STRUCTURED_REPLY has no data");
	client->structured = true;
	return reply(client, option, REP_ACK, NULL, 0);
}

static bool asks_for_allocation(const char *query, uint32_t len, bool lists)
{
	size_t all = strlen(allocation);

	return (len == all && !memcmp(query, allocation, all)) ||
	       (lists && len == 5 && !memcmp(query, "base:", 5));
}

static enum nbd_next meta_context(struct nbd_client *client, struct option *option)
{
	bool lists = option->type == OPT_LIST_META_CONTEXT, wanted;
	uint8_t text[4 + sizeof(allocation)];
	const char *name, *query;
	uint32_t len, count;
	bool valid = take_text(option, &name, &len) && take_u32(option, &count);

	if (!client->structured)
		return reply_text(client, option, REP_ERR_INVALID, "STRUCTURED_REPLY comes first");
	if (valid && !is_export(client->server, name, len))
		return reply_text(client, option, REP_ERR_UNKNOWN, "there is no such export");
	wanted = valid && lists && !count;
	for (uint32_t i = 0; valid && i < count; i++) {
		valid = take_text(option, &query, &len);
		wanted |= valid && asks_for_allocation(query, len, lists);
	}
	if (!valid || option->pos != option->len)
		return reply_text(client, option, REP_ERR_INVALID, "lengths do not agree");
	if (!lists)
		client->allocation = wanted;
	put_be32(text, lists ? 0 : NBD_CONTEXT_ALLOCATION);
	memcpy(text + 4, allocation, strlen(allocation));
	if (wanted && !reply(client, option, REP_META, text, 4 + strlen(allocation)))
		return NBD_END;
	return reply(client, option, REP_ACK, NULL, 0);
}

static enum nbd_next answer(struct nbd_client *client, struct option *option)
{
	switch (option->type) {
	case OPT_EXPORT_NAME:
		return export_name(client, option);
	case OPT_ABORT:
		(void)reply(client, option, REP_ACK, NULL, 0);
		return NBD_END;
	case OPT_LIST:
		return list(client, option);
	case OPT_INFO:
	case OPT_GO:
		return info(client, option);
	case OPT_STRUCTURED_REPLY:
		return structured(client, option);
	case OPT_LIST_META_CONTEXT:
	case OPT_SET_META_CONTEXT:
		return meta_context(client, option);
	default:
		return reply_text(client, option, REP_ERR_UNSUP, "there is no such option here");
	}
}

/* Read so much and forget it. */
static bool skip(struct nbd_client *client, uint32_t len)
{
	uint8_t buf[1024];

	while (len) {
		uint32_t n = MIN(len, (uint32_t)sizeof(buf));

		if (!nbd_receive(client, buf, n))
			return false;
		len -= n;
	}
	return true;
}

static enum nbd_next one_option(struct nbd_client *client)
{
	g_autofree uint8_t *data = NULL;
	struct option option;
	uint8_t head[16];

	if (!nbd_receive(client, head, sizeof(head)) || get_be64(head) != option_magic)
		return NBD_END;
	option = (struct option){ .type = get_be32(head + 8), .len = get_be32(head + 12) };
	if (option.len > MAX_OPTION)
		return option.len <= NBD_MAX_PAYLOAD && skip(client, option.len) &&
		       reply_text(client, &option, REP_ERR_TOO_BIG, "that is too long");
	option.data = data = g_malloc(MAX(option.len, 1u));
	if (!nbd_receive(client, data, option.len))
		return NBD_END;
	return answer(client, &option);
}

static bool negotiate(struct nbd_client *client)
{
	uint8_t hello[18], flags[4];
	enum nbd_next next = NBD_AGAIN;

	memcpy(hello, "NBDMAGIC", 8);
	put_be64(hello + 8, option_magic);
	put_be16(hello + 16, FLAG_FIXED_NEWSTYLE | FLAG_NO_ZEROES);
	if (!nbd_send(client, hello, sizeof(hello)) || !nbd_receive(client, flags, sizeof(flags)) ||
	    get_be32(flags) & ~(uint32_t)(FLAG_FIXED_NEWSTYLE | FLAG_NO_ZEROES))
		return false;
	client->no_zeroes = get_be32(flags) & FLAG_NO_ZEROES;
	while (next == NBD_AGAIN)
		next = one_option(client);
	return next == NBD_GO;
}

/* ---- clients ---- */

static void client_run(void *arg)
{
	struct nbd_client *client = arg;

	if (negotiate(client))
		nbd_transmit(client);
	/* The descriptor is closed by who joins: it may be shut down until then. */
	(void)sys_shutdown(client->fd, SHUT_RDWR);
	atomic_store(&client->gone, true);
}

static void client_free(struct nbd_client *client)
{
	thread_join(client->thread);
	fd_autoclose(&client->fd);
	g_free(client->buf);
	g_free(client);
}

struct nbd_server *nbd_server_new(struct image *image, const struct nbd_export *export)
{
	struct nbd_server *server = g_new0(struct nbd_server, 1);

	server->image = image;
	server->name = g_strdup(export->name);
	server->description = g_strdup(export->description);
	server->read_only = export->read_only;
	pthread_rwlock_init(&server->lock, NULL);
	return server;
}

void nbd_server_free(struct nbd_server *server)
{
	if (!server)
		return;
	for (unsigned i = 0; i < server->count; i++) {
		(void)sys_shutdown(server->client[i]->fd, SHUT_RDWR);
		client_free(server->client[i]);
	}
	pthread_rwlock_destroy(&server->lock);
	g_free(server->name);
	g_free(server->description);
	g_free(server);
}

unsigned nbd_server_clients(struct nbd_server *server)
{
	unsigned left = 0;

	for (unsigned i = 0; i < server->count; i++) {
		if (atomic_load(&server->client[i]->gone))
			client_free(server->client[i]);
		else
			server->client[left++] = server->client[i];
	}
	server->count = left;
	return left;
}

bool nbd_server_add(struct nbd_server *server, int owned, GError **error)
{
	autofd int fd = owned;
	struct nbd_client *client;

	if (nbd_server_clients(server) >= NBD_MAX_CLIENTS)
		return error_set(error, SOCLE_ERROR_LIMIT, "there are %d clients already",
				 NBD_MAX_CLIENTS);
	client = g_new0(struct nbd_client, 1);
	client->server = server;
	client->fd = fd_steal(&fd);
	client->thread = thread_start("nbd", client_run, client, error);
	if (!client->thread) {
		client_free(client);
		return false;
	}
	server->client[server->count++] = client;
	return true;
}

void nbd_server_run(struct nbd_server *server, int fd)
{
	struct nbd_client client = { .server = server, .fd = fd };

	client_run(&client);
	fd_autoclose(&client.fd);
	g_free(client.buf);
}
