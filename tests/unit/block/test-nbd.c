/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-nbd.c - the NBD server, against a client made by hand
 */
#include "block/nbd-server.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/error.h"

enum {
	SIZE = 1 << 20
};

struct fixture {
	char *folder, *path;
	struct image *image;
	struct nbd_server *server;
	int fd; /* the client's end */
};

static void connect_again(struct fixture *f)
{
	GError *error = NULL;
	int pair[2];

	if (f->fd >= 0)
		close(f->fd);
	g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), ==, 0);
	f->fd = pair[0];
	g_assert_true(nbd_server_add(f->server, pair[1], &error));
	g_assert_no_error(error);
}

static void set_up(struct fixture *f, gconstpointer read_only)
{
	struct nbd_export export = { "disk", "a disk", read_only != NULL };
	struct image_create what = { .size = SIZE };
	GError *error = NULL;

	f->folder = g_dir_make_tmp("socle-nbd-XXXXXX", NULL);
	f->path = g_build_filename(f->folder, "disk", NULL);
	what.path = f->path;
	image_create("raw", &what, &error);
	g_assert_no_error(error);
	f->image = image_open(f->path, "raw", read_only ? 0 : IMAGE_WRITE, &error);
	g_assert_no_error(error);
	f->server = nbd_server_new(f->image, &export);
	f->fd = -1;
	connect_again(f);
}

static void tear_down(struct fixture *f, gconstpointer read_only)
{
	(void)read_only;
	nbd_server_free(f->server);
	close(f->fd);
	image_close(f->image);
	g_unlink(f->path);
	g_assert_cmpint(g_rmdir(f->folder), ==, 0);
	g_free(f->path);
	g_free(f->folder);
}

static void out(struct fixture *f, const void *buf, size_t len)
{
	g_assert_cmpint(send(f->fd, buf, len, MSG_NOSIGNAL), ==, (ssize_t)len);
}

static void in(struct fixture *f, void *buf, size_t len)
{
	g_assert_cmpint(recv(f->fd, buf, len, MSG_WAITALL), ==, (ssize_t)len);
}

static void is_gone(struct fixture *f)
{
	uint8_t byte;

	g_assert_cmpint(recv(f->fd, &byte, 1, 0), <=, 0);
}

static void hello(struct fixture *f)
{
	uint8_t buf[18];

	in(f, buf, sizeof(buf));
	g_assert_cmpmem(buf, 16, "NBDMAGICIHAVEOPT", 16);
	g_assert_cmpuint(get_be16(buf + 16), ==, 3);
	put_be32(buf, 3);
	out(f, buf, 4);
}

static void option(struct fixture *f, uint32_t type, const void *data, uint32_t len)
{
	uint8_t head[16];

	memcpy(head, "IHAVEOPT", 8);
	put_be32(head + 8, type);
	put_be32(head + 12, len);
	out(f, head, sizeof(head));
	if (len)
		out(f, data, len);
}

/* The type of an answer; its data to @buf, which has room for 512 bytes. */
static uint32_t answer(struct fixture *f, uint32_t type, uint8_t *buf, uint32_t *ret_len)
{
	uint8_t head[20];

	in(f, head, sizeof(head));
	g_assert_cmpuint(get_be64(head), ==, 0x3e889045565a9);
	g_assert_cmpuint(get_be32(head + 8), ==, type);
	*ret_len = get_be32(head + 16);
	g_assert_cmpuint(*ret_len, <=, 512);
	if (*ret_len)
		in(f, buf, *ret_len);
	return get_be32(head + 12);
}

/* The last of the answers to an option. */
static uint32_t last_answer(struct fixture *f, uint32_t type)
{
	uint8_t buf[512];
	uint32_t kind, len;

	do
		kind = answer(f, type, buf, &len);
	while (kind > 1 && kind < 0x80000000u);
	return kind;
}

static void go(struct fixture *f, bool structured)
{
	static const uint8_t name[] = { 0, 0, 0, 4, 'd', 'i', 's', 'k', 0, 0 };
	static const uint8_t contexts[] = "\0\0\0\4disk\0\0\0\1\0\0\0\17base:allocation";
	uint8_t buf[512];
	uint32_t len;

	hello(f);
	if (structured) {
		option(f, 8, NULL, 0);
		g_assert_cmpuint(last_answer(f, 8), ==, 1);
		option(f, 10, contexts, sizeof(contexts) - 1);
		g_assert_cmpuint(answer(f, 10, buf, &len), ==, 4);
		g_assert_cmpuint(get_be32(buf), ==, 1);
		g_assert_cmpuint(last_answer(f, 10), ==, 1);
	}
	option(f, 7, name, sizeof(name));
	g_assert_cmpuint(answer(f, 7, buf, &len), ==, 3);
	g_assert_cmpuint(get_be16(buf), ==, 0);
	g_assert_cmpuint(get_be64(buf + 2), ==, SIZE);
	g_assert_cmpuint(last_answer(f, 7), ==, 1);
}

static void request(struct fixture *f, uint16_t type, uint16_t flags, uint64_t off, uint32_t len)
{
	uint8_t head[28];

	put_be32(head, 0x25609513);
	put_be16(head + 4, flags);
	put_be16(head + 6, type);
	put_be64(head + 8, 0x1122334455667788);
	put_be64(head + 16, off);
	put_be32(head + 24, len);
	out(f, head, sizeof(head));
}

static uint32_t result(struct fixture *f)
{
	uint8_t head[16];

	in(f, head, sizeof(head));
	g_assert_cmpuint(get_be32(head), ==, 0x67446698);
	g_assert_cmpuint(get_be64(head + 8), ==, 0x1122334455667788);
	return get_be32(head + 4);
}

static void test_negotiation(struct fixture *f, gconstpointer unused)
{
	static const uint8_t other[] = { 0, 0, 0, 5, 'o', 't', 'h', 'e', 'r', 0, 0 };
	static const uint8_t too_long[] = { 0xff, 0xff, 0xff, 0xff, 'd', 'i', 's', 'k', 0, 0 };
	static const uint8_t more[] = { 0, 0, 0, 4, 'd', 'i', 's', 'k', 0, 9 };
	static uint8_t large[70000];
	uint8_t buf[512];
	uint32_t len;

	(void)unused;
	hello(f);
	option(f, 3, NULL, 0);
	g_assert_cmpuint(answer(f, 3, buf, &len), ==, 2);
	g_assert_cmpmem(buf, len, "\0\0\0\4disk", 8);
	g_assert_cmpuint(last_answer(f, 3), ==, 1);
	option(f, 6, other, sizeof(other));
	g_assert_cmpuint(last_answer(f, 6), ==, 0x80000006u);
	option(f, 6, too_long, sizeof(too_long));
	g_assert_cmpuint(last_answer(f, 6), ==, 0x80000003u);
	option(f, 6, more, sizeof(more));
	g_assert_cmpuint(last_answer(f, 6), ==, 0x80000003u);
	option(f, 10, NULL, 0);
	g_assert_cmpuint(last_answer(f, 10), ==, 0x80000003u);
	option(f, 5, NULL, 0);
	g_assert_cmpuint(last_answer(f, 5), ==, 0x80000001u);
	option(f, 99, large, sizeof(large));
	g_assert_cmpuint(last_answer(f, 99), ==, 0x80000009u);
	option(f, 2, NULL, 0);
	g_assert_cmpuint(last_answer(f, 2), ==, 1);
	is_gone(f);

	/* The old way. */
	connect_again(f);
	hello(f);
	option(f, 1, "disk", 4);
	in(f, buf, 10);
	g_assert_cmpuint(get_be64(buf), ==, SIZE);
	connect_again(f);
	hello(f);
	option(f, 1, "risk", 4);
	is_gone(f);
	/* No NBD at all. */
	connect_again(f);
	out(f, "GET / HTTP/1.1\r\nHost: a\r\n\r\n", 27);
	in(f, buf, 18);
	is_gone(f);
}

static void test_simple(struct fixture *f, gconstpointer unused)
{
	static uint8_t buf[3000], back[3000];

	(void)unused;
	memset(buf, 7, sizeof(buf));
	go(f, false);
	/* Neither begins nor ends with a sector. */
	request(f, 1, 0, 1000, sizeof(buf));
	out(f, buf, sizeof(buf));
	g_assert_cmpuint(result(f), ==, 0);
	request(f, 0, 0, 999, 2000);
	g_assert_cmpuint(result(f), ==, 0);
	in(f, back, 2000);
	g_assert_cmpuint(back[0], ==, 0);
	g_assert_cmpmem(back + 1, 1999, buf, 1999);
	request(f, 6, 1, 1001, 2998); /* zeroes, durable */
	g_assert_cmpuint(result(f), ==, 0);
	request(f, 0, 0, 1000, 3000);
	g_assert_cmpuint(result(f), ==, 0);
	in(f, back, 3000);
	g_assert_cmpuint(back[0], ==, 7);
	g_assert_cmpuint(back[1], ==, 0);
	g_assert_cmpuint(back[2998], ==, 0);
	g_assert_cmpuint(back[2999], ==, 7);
	request(f, 4, 0, 0, SIZE);
	g_assert_cmpuint(result(f), ==, 0);
	request(f, 3, 0, 0, 0);
	g_assert_cmpuint(result(f), ==, 0);
	/* Behind the end, too much, unknown. */
	request(f, 0, 0, SIZE, 1);
	g_assert_cmpuint(result(f), ==, EINVAL);
	request(f, 0, 0, UINT64_MAX, 512);
	g_assert_cmpuint(result(f), ==, EINVAL);
	request(f, 1, 0, SIZE - 1, 2);
	out(f, buf, 2);
	g_assert_cmpuint(result(f), ==, ENOSPC);
	request(f, 77, 0, 0, 0);
	g_assert_cmpuint(result(f), ==, EINVAL);
	request(f, 7, 0, 0, 512); /* a status without a context */
	g_assert_cmpuint(result(f), ==, EINVAL);
	request(f, 1, 0, 0, UINT32_MAX);
	is_gone(f);
}

static void test_structured(struct fixture *f, gconstpointer unused)
{
	uint8_t head[20], buf[512 + 8];

	(void)unused;
	memset(buf, 9, sizeof(buf));
	go(f, true);
	request(f, 1, 0, 65536, 512);
	out(f, buf, 512);
	in(f, head, 20);
	g_assert_cmpuint(get_be32(head), ==, 0x668e33ef);
	g_assert_cmpuint(get_be32(head + 16), ==, 0);
	request(f, 0, 0, 65536, 512);
	in(f, head, 20);
	g_assert_cmpuint(get_be16(head + 6), ==, 1);
	g_assert_cmpuint(get_be32(head + 16), ==, 520);
	in(f, buf, 520);
	g_assert_cmpuint(get_be64(buf), ==, 65536);
	g_assert_cmpuint(buf[8], ==, 9);
	/* A hole, then data. */
	request(f, 7, 0, 0, 65536 + 512);
	in(f, head, 20);
	g_assert_cmpuint(get_be16(head + 6), ==, 5);
	g_assert_cmpuint(get_be32(head + 16), ==, 4 + 16);
	in(f, buf, 20);
	g_assert_cmpuint(get_be32(buf), ==, 1);
	g_assert_cmpuint(get_be32(buf + 4), ==, 65536);
	g_assert_cmpuint(get_be32(buf + 8) & 2, ==, 2);
	g_assert_cmpuint(get_be32(buf + 12), ==, 512);
	g_assert_cmpuint(get_be32(buf + 16), ==, 0);
	/* An error, in words. */
	request(f, 0, 0, SIZE, 1);
	in(f, head, 20);
	g_assert_cmpuint(get_be16(head + 6), ==, 0x8001);
	g_assert_cmpuint(get_be32(head + 16), <, sizeof(buf));
	in(f, buf, get_be32(head + 16));
	g_assert_cmpuint(get_be32(buf), ==, EINVAL);
	g_assert_cmpuint(get_be16(buf + 4), ==, get_be32(head + 16) - 6);
}

static void test_read_only(struct fixture *f, gconstpointer unused)
{
	uint8_t buf[512] = { 0 };

	(void)unused;
	go(f, false);
	request(f, 1, 0, 0, 512);
	out(f, buf, 512);
	g_assert_cmpuint(result(f), ==, EPERM);
	request(f, 6, 0, 0, 512);
	g_assert_cmpuint(result(f), ==, EPERM);
	request(f, 3, 0, 0, 0);
	g_assert_cmpuint(result(f), ==, 0);
	request(f, 0, 0, 0, 512);
	g_assert_cmpuint(result(f), ==, 0);
	in(f, buf, 512);
}

/* One that says nothing is not in the way of others, nor of the end. */
static void test_many(struct fixture *f, gconstpointer unused)
{
	int others[NBD_MAX_CLIENTS - 1], pair[2];
	GError *error = NULL;
	uint8_t buf[512];

	(void)unused;
	for (unsigned i = 0; i < G_N_ELEMENTS(others); i++) {
		g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), ==, 0);
		others[i] = pair[0];
		g_assert_true(nbd_server_add(f->server, pair[1], NULL));
	}
	g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), ==, 0);
	g_assert_false(nbd_server_add(f->server, pair[1], &error));
	g_assert_error(error, SOCLE_ERROR, SOCLE_ERROR_LIMIT);
	g_clear_error(&error);
	close(pair[0]);
	go(f, false);
	request(f, 0, 0, 0, 512);
	g_assert_cmpuint(result(f), ==, 0);
	in(f, buf, 512);
	/* It leaves: there is room again, once the server has seen it. */
	request(f, 2, 0, 0, 0);
	is_gone(f);
	while (nbd_server_clients(f->server) == NBD_MAX_CLIENTS)
		g_thread_yield();
	connect_again(f);
	go(f, false);
	for (unsigned i = 0; i < G_N_ELEMENTS(others); i++)
		close(others[i]);
}

int main(int argc, char **argv)
{
	static const bool yes = true;

	g_test_init(&argc, &argv, NULL);
#define ADD(name, fn, data) \
	g_test_add("/block/nbd/" name, struct fixture, data, set_up, fn, tear_down)
	ADD("negotiation", test_negotiation, NULL);
	ADD("simple", test_simple, NULL);
	ADD("structured", test_structured, NULL);
	ADD("read-only", test_read_only, &yes);
	ADD("many", test_many, NULL);
	return g_test_run();
}
