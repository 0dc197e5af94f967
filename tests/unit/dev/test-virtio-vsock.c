/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-virtio-vsock.c - sockets of a guest, by a driver in the test's hand and real Unix sockets
 */
#include <errno.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/un.h>

#include "base/bytes.h"
#include "base/sys.h"
#include "dev/vsock-int.h"
#include "tests/lib/virtio-driver.h"

enum {
	RX = 0,
	TX = 1,
	EVENT = 2,
	CID = 42,
	GUEST_PORT = 5000,
	HOST_PORT = 7,
	ROOM = 4096,
};

struct rig {
	struct io_loop *loop;
	struct virtio_device *dev;
	struct vdriver *d;
	uint64_t now_ns, layout;
	char *dir, *path, *server_path;
};

struct packet {
	uint64_t src_cid, dst_cid;
	uint32_t src_port, dst_port, len, flags, buf_alloc, fwd_cnt;
	uint16_t type, op;
	const uint8_t *data;
};

static uint64_t rig_now(void *opaque)
{
	return ((struct rig *)opaque)->now_ns;
}

static void rig_open(struct rig *rig, const void *layout)
{
	GError *error = NULL;

	memset(rig, 0, sizeof(*rig));
	rig->layout = *(const uint64_t *)layout;
	rig->now_ns = 1000000000;
	rig->dir = g_dir_make_tmp("vsock-XXXXXX", &error);
	g_assert_no_error(error);
	rig->path = g_build_filename(rig->dir, "v", NULL);
	rig->server_path = g_strdup_printf("%s_%d", rig->path, HOST_PORT);
	rig->loop = io_loop_new_manual(IO_LOOP_THREADS, rig_now, rig, &error);
	g_assert_no_error(error);
	rig->dev = virtio_vsock_new(
		&(struct virtio_vsock_config){ .loop = rig->loop, .cid = CID, .path = rig->path },
		&error);
	g_assert_no_error(error);
	rig->d = vdriver_new(&(struct vdriver_config){
		.dev = rig->dev, .loop = rig->loop, .features = 1 | rig->layout });
	vdriver_run(rig->d);
}

static void rig_close(struct rig *rig)
{
	vdriver_free(rig->d);
	rig->dev->ops->free(rig->dev);
	io_loop_free(rig->loop);
	(void)g_unlink(rig->server_path);
	g_assert_false(g_file_test(rig->path, G_FILE_TEST_EXISTS));
	g_assert_cmpint(g_rmdir(rig->dir), ==, 0);
	g_free(rig->dir);
	g_free(rig->path);
	g_free(rig->server_path);
}

static void post(struct rig *rig, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		uint64_t gpa = vdriver_alloc(rig->d, ROOM);
		/* As Linux before 6.3 does: the header apart. */
		struct vdriver_buf bufs[2] = { { gpa, HEADER_LEN, true },
					       { gpa + HEADER_LEN, ROOM - HEADER_LEN, true } };

		g_assert_true(vdriver_add(rig->d, RX, bufs, 2, GSIZE_TO_POINTER(gpa)));
	}
	vdriver_kick(rig->d, RX);
	vdriver_run(rig->d);
}

static bool got(struct rig *rig, struct packet *packet)
{
	const uint8_t *p;
	uint32_t len;
	void *token;

	vdriver_run(rig->d);
	if (!vdriver_used(rig->d, RX, &token, &len))
		return false;
	g_assert_cmpuint(len, >=, HEADER_LEN);
	p = vdriver_ptr(rig->d, GPOINTER_TO_SIZE(token), len);
	*packet = (struct packet){
		.src_cid = get_le64(p),
		.dst_cid = get_le64(p + 8),
		.src_port = get_le32(p + 16),
		.dst_port = get_le32(p + 20),
		.len = get_le32(p + 24),
		.type = get_le16(p + 28),
		.op = get_le16(p + 30),
		.flags = get_le32(p + 32),
		.buf_alloc = get_le32(p + 36),
		.fwd_cnt = get_le32(p + 40),
		.data = p + HEADER_LEN,
	};
	g_assert_cmpuint(packet->len, ==, len - HEADER_LEN);
	g_assert_cmpuint(packet->dst_cid, ==, CID);
	return true;
}

static struct packet expect(struct rig *rig, uint16_t op)
{
	struct packet packet;

	g_assert_true(got(rig, &packet));
	g_assert_cmpuint(packet.op, ==, op);
	return packet;
}

static void expect_nothing(struct rig *rig)
{
	struct packet packet;

	g_assert_false(got(rig, &packet));
}

/* Send a packet whose chain has @room bytes behind the header. */
static void send_raw(struct rig *rig, const struct packet *packet, size_t room)
{
	uint64_t gpa = vdriver_alloc(rig->d, HEADER_LEN + room + 1);
	uint8_t *p = vdriver_ptr(rig->d, gpa, HEADER_LEN + room + 1);
	struct vdriver_buf bufs[2] = { { gpa, HEADER_LEN, false },
				       { gpa + HEADER_LEN, (uint32_t)room, false } };
	uint32_t len;
	void *token;

	put_le64(p, packet->src_cid);
	put_le64(p + 8, packet->dst_cid);
	put_le32(p + 16, packet->src_port);
	put_le32(p + 20, packet->dst_port);
	put_le32(p + 24, packet->len);
	put_le16(p + 28, packet->type);
	put_le16(p + 30, packet->op);
	put_le32(p + 32, packet->flags);
	put_le32(p + 36, packet->buf_alloc);
	put_le32(p + 40, packet->fwd_cnt);
	if (packet->data && room)
		memcpy(p + HEADER_LEN, packet->data, MIN(room, packet->len));
	g_assert_true(vdriver_add(rig->d, TX, bufs, room ? 2 : 1, NULL));
	vdriver_kick(rig->d, TX);
	vdriver_run(rig->d);
	while (vdriver_used(rig->d, TX, &token, &len))
		g_assert_cmpuint(len, ==, 0);
}

static struct packet make(uint16_t op, uint32_t host_port)
{
	return (struct packet){
		.src_cid = CID,
		.dst_cid = VSOCK_HOST_CID,
		.src_port = GUEST_PORT,
		.dst_port = host_port,
		.type = TYPE_STREAM,
		.op = op,
		.buf_alloc = 65536,
	};
}

static void say(struct rig *rig, uint16_t op, uint32_t host_port)
{
	struct packet packet = make(op, host_port);

	send_raw(rig, &packet, 0);
}

static void say_data(struct rig *rig, uint32_t host_port, const void *data, size_t len)
{
	struct packet packet = make(OP_RW, host_port);

	packet.data = data;
	packet.len = (uint32_t)len;
	send_raw(rig, &packet, len);
}

static void shut(struct rig *rig, uint32_t host_port, uint32_t flags)
{
	struct packet packet = make(OP_SHUTDOWN, host_port);

	packet.flags = flags;
	send_raw(rig, &packet, 0);
}

static void address(struct sockaddr_un *addr, const char *path)
{
	*addr = (struct sockaddr_un){ .sun_family = AF_UNIX };
	g_strlcpy(addr->sun_path, path, sizeof(addr->sun_path));
}

static int dial(struct rig *rig)
{
	int fd = sys_socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
	struct sockaddr_un addr;

	address(&addr, rig->path);
	g_assert_cmpint(sys_connect(fd, (void *)&addr, sizeof(addr)), ==, 0);
	vdriver_run(rig->d);
	return fd;
}

static void type(struct rig *rig, int fd, const char *text)
{
	g_assert_cmpint(sys_write_full(fd, text, strlen(text)), ==, strlen(text));
	vdriver_run(rig->d);
}

static void reads(struct rig *rig, int fd, const char *want)
{
	char text[256] = "";
	ssize_t n;

	vdriver_run(rig->d);
	n = sys_read(fd, text, sizeof(text) - 1);
	g_assert_cmpint(n, ==, strlen(want));
	g_assert_cmpstr(text, ==, want);
}

static void reads_error(struct rig *rig, int fd, ssize_t want)
{
	char byte;

	vdriver_run(rig->d);
	g_assert_cmpint(sys_read(fd, &byte, 1), ==, want);
}

static int serve(struct rig *rig)
{
	int fd = sys_socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
	struct sockaddr_un addr;

	(void)g_unlink(rig->server_path);
	address(&addr, rig->server_path);
	g_assert_cmpint(sys_bind(fd, (void *)&addr, sizeof(addr)), ==, 0);
	g_assert_cmpint(sys_listen(fd, 128), ==, 0);
	return fd;
}

/* A connection from the host, open; its port. */
static uint32_t open_from_host(struct rig *rig, int *ret_fd)
{
	struct packet packet;
	char want[32];

	*ret_fd = dial(rig);
	type(rig, *ret_fd, "CONNECT 5000\n");
	packet = expect(rig, OP_REQUEST);
	g_assert_cmpuint(packet.dst_port, ==, GUEST_PORT);
	g_assert_cmpuint(packet.src_cid, ==, VSOCK_HOST_CID);
	g_assert_cmpuint(packet.buf_alloc, ==, VSOCK_BUF);
	reads_error(rig, *ret_fd, -EAGAIN);
	say(rig, OP_RESPONSE, packet.src_port);
	(void)g_snprintf(want, sizeof(want), "OK %u\n", packet.src_port);
	reads(rig, *ret_fd, want);
	return packet.src_port;
}

/* One from the guest, open. */
static int open_from_guest(struct rig *rig, int server)
{
	struct packet packet;
	int fd;

	say(rig, OP_REQUEST, HOST_PORT);
	packet = expect(rig, OP_RESPONSE);
	g_assert_cmpuint(packet.src_port, ==, HOST_PORT);
	g_assert_cmpuint(packet.dst_port, ==, GUEST_PORT);
	fd = sys_accept(server, SOCK_NONBLOCK);
	g_assert_cmpint(fd, >=, 0);
	return fd;
}

static void test_from_host(const void *layout)
{
	struct packet packet;
	uint32_t port;
	struct rig rig;
	int fd;

	rig_open(&rig, layout);
	post(&rig, 20);
	port = open_from_host(&rig, &fd);
	type(&rig, fd, "hello");
	packet = expect(&rig, OP_RW);
	g_assert_cmpmem(packet.data, packet.len, "hello", 5);
	say_data(&rig, port, "world", 5);
	reads(&rig, fd, "world");
	/* The guest ends it: what is confirmed is gone. */
	shut(&rig, port, SHUTDOWN_RECEIVE | SHUTDOWN_SEND);
	expect(&rig, OP_RST);
	reads_error(&rig, fd, 0);
	(void)close(fd);
	/* The host ends it. */
	port = open_from_host(&rig, &fd);
	(void)close(fd);
	packet = expect(&rig, OP_SHUTDOWN);
	g_assert_cmpuint(packet.flags, ==, SHUTDOWN_RECEIVE | SHUTDOWN_SEND);
	say(&rig, OP_RST, port);
	expect_nothing(&rig);
	say(&rig, OP_CREDIT_UPDATE, port);
	expect(&rig, OP_RST); /* nobody there any more */
	rig_close(&rig);
}

/* Buffers that hold a header and nothing else are used up; the stream goes on behind them. */
static void test_header_only(const void *layout)
{
	struct packet packet;
	struct rig rig;
	int fd;

	rig_open(&rig, layout);
	post(&rig, 1);
	(void)open_from_host(&rig, &fd);
	for (unsigned i = 0; i < 3; i++) {
		uint64_t gpa = vdriver_alloc(rig.d, HEADER_LEN);
		struct vdriver_buf buf = { gpa, HEADER_LEN, true };

		g_assert_true(vdriver_add(rig.d, RX, &buf, 1, GSIZE_TO_POINTER(gpa)));
	}
	vdriver_kick(rig.d, RX);
	type(&rig, fd, "hello");
	for (unsigned i = 0; i < 3; i++)
		g_assert_cmpuint(expect(&rig, OP_RW).len, ==, 0);
	expect_nothing(&rig);
	post(&rig, 1);
	packet = expect(&rig, OP_RW);
	g_assert_cmpmem(packet.data, packet.len, "hello", 5);
	(void)close(fd);
	rig_close(&rig);
}

static void test_from_guest(const void *layout)
{
	struct packet packet;
	struct rig rig;
	int server, fd;

	rig_open(&rig, layout);
	post(&rig, 20);
	say(&rig, OP_REQUEST, HOST_PORT);
	packet = expect(&rig, OP_RST); /* nobody listens */
	g_assert_cmpuint(packet.src_port, ==, HOST_PORT);
	g_assert_cmpuint(packet.dst_port, ==, GUEST_PORT);
	server = serve(&rig);
	fd = open_from_guest(&rig, server);
	say_data(&rig, HOST_PORT, "abc", 3);
	reads(&rig, fd, "abc");
	type(&rig, fd, "def");
	packet = expect(&rig, OP_RW);
	g_assert_cmpmem(packet.data, packet.len, "def", 3);
	/* Half of it is closed, then the other half. */
	shut(&rig, HOST_PORT, SHUTDOWN_SEND);
	reads_error(&rig, fd, 0);
	type(&rig, fd, "still");
	packet = expect(&rig, OP_RW);
	g_assert_cmpmem(packet.data, packet.len, "still", 5);
	shut(&rig, HOST_PORT, SHUTDOWN_RECEIVE);
	expect(&rig, OP_RST);
	(void)close(fd);
	/* The host closes its sending half: the guest may go on. */
	fd = open_from_guest(&rig, server);
	g_assert_cmpint(sys_shutdown(fd, SHUT_WR), ==, 0);
	packet = expect(&rig, OP_SHUTDOWN);
	g_assert_cmpuint(packet.flags, ==, SHUTDOWN_SEND);
	say_data(&rig, HOST_PORT, "late", 4);
	reads(&rig, fd, "late");
	/* The same ports again while they are in use. */
	say(&rig, OP_REQUEST, HOST_PORT);
	expect(&rig, OP_RST);
	(void)close(fd);
	/* The guest breaks it off. */
	fd = open_from_guest(&rig, server);
	say(&rig, OP_RST, HOST_PORT);
	reads_error(&rig, fd, 0);
	expect_nothing(&rig);
	(void)close(fd);
	(void)close(server);
	rig_close(&rig);
}

static void test_greeting(const void *layout)
{
	static const char *const bad[] = {
		"\n",
		"CONNECT\n",
		"CONNECT \n",
		"connect 5000\n",
		"CONNECT 5000 \n",
		"CONNECT -1\n",
		"CONNECT 4294967295\n",
		"CONNECT 99999999999999999999\n",
		"CONNECT 5000x\n",
		"CONNECT 00000000000000000000000000005000\n",
		"GET / HTTP/1.1\r\n",
	};
	struct packet packet;
	uint32_t port;
	struct rig rig;
	int fd;

	rig_open(&rig, layout);
	post(&rig, 20);
	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		char byte;
		ssize_t n;

		fd = dial(&rig);
		type(&rig, fd, bad[i]);
		n = sys_read(fd, &byte, 1);
		g_assert_true(n == 0 || n == -ECONNRESET);
		(void)close(fd);
	}
	/* In pieces, and more behind it. */
	fd = dial(&rig);
	type(&rig, fd, "CONN");
	type(&rig, fd, "ECT 50");
	expect_nothing(&rig);
	type(&rig, fd, "00\nhello");
	port = expect(&rig, OP_REQUEST).src_port;
	expect_nothing(&rig);
	say(&rig, OP_RESPONSE, port);
	packet = expect(&rig, OP_RW);
	g_assert_cmpmem(packet.data, packet.len, "hello", 5);
	(void)close(fd);
	/* One that says nothing, and one that the guest does not answer. */
	fd = dial(&rig);
	rig.now_ns += 60000000000;
	reads_error(&rig, fd, 0);
	(void)close(fd);
	while (got(&rig, &packet))
		continue;
	fd = dial(&rig);
	type(&rig, fd, "CONNECT 1\n");
	expect(&rig, OP_REQUEST);
	rig.now_ns += 60000000000;
	reads_error(&rig, fd, 0);
	expect(&rig, OP_RST);
	(void)close(fd);
	/* The guest refuses. */
	fd = dial(&rig);
	type(&rig, fd, "CONNECT 5000\n");
	say(&rig, OP_RST, expect(&rig, OP_REQUEST).src_port);
	reads_error(&rig, fd, 0);
	(void)close(fd);
	/* No guest at all. */
	vdriver_reset(rig.d);
	vdriver_run(rig.d);
	fd = dial(&rig);
	reads_error(&rig, fd, 0);
	(void)close(fd);
	rig_close(&rig);
}

/* Credit, both ways (lesson table 1.12). */
static void test_credit_lesson_1_12(const void *layout)
{
	static uint8_t data[VSOCK_BUF];
	struct packet packet, mine;
	size_t received = 0;
	uint32_t told = 0;
	struct rig rig;
	int server, fd;

	rig_open(&rig, layout);
	post(&rig, 20);
	server = serve(&rig);
	fd = open_from_guest(&rig, server);
	/* To the guest: never more than it has room for. */
	mine = make(OP_CREDIT_UPDATE, HOST_PORT);
	mine.buf_alloc = 10;
	send_raw(&rig, &mine, 0);
	type(&rig, fd, "0123456789abcdef");
	packet = expect(&rig, OP_RW);
	g_assert_cmpmem(packet.data, packet.len, "0123456789", 10);
	expect(&rig, OP_CREDIT_REQUEST);
	expect_nothing(&rig);
	mine.fwd_cnt = 4;
	send_raw(&rig, &mine, 0);
	packet = expect(&rig, OP_RW);
	g_assert_cmpmem(packet.data, packet.len, "abcd", 4);
	expect(&rig, OP_CREDIT_REQUEST);
	/* Numbers that cannot be: it gets nothing, and harms nobody. */
	mine.fwd_cnt = 1000;
	send_raw(&rig, &mine, 0);
	expect_nothing(&rig);
	mine.fwd_cnt = 14;
	mine.buf_alloc = UINT32_MAX;
	send_raw(&rig, &mine, 0);
	packet = expect(&rig, OP_RW);
	g_assert_cmpmem(packet.data, packet.len, "ef", 2);
	/* From the guest: VSOCK_BUF beyond what the host's socket takes; then it is told. */
	mine = make(OP_CREDIT_REQUEST, HOST_PORT);
	send_raw(&rig, &mine, 0);
	packet = expect(&rig, OP_CREDIT_UPDATE);
	g_assert_cmpuint(packet.fwd_cnt, ==, 0);
	for (unsigned i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 13 + i / 256);
	for (unsigned i = 0; i < 400; i++) {
		uint32_t room = VSOCK_BUF - (i * 4096 - told);

		if (room < 4096)
			break;
		say_data(&rig, HOST_PORT, data + i * 4096 % VSOCK_BUF, 4096);
		while (got(&rig, &packet)) {
			g_assert_cmpuint(packet.op, ==, OP_CREDIT_UPDATE);
			told = packet.fwd_cnt;
			post(&rig, 1);
		}
		received = (i + 1) * 4096;
	}
	g_assert_cmpuint(received, <, 400 * 4096);
	for (size_t i = 0; i < received;) {
		uint8_t buf[1000];
		ssize_t n;

		vdriver_run(rig.d);
		n = sys_read(fd, buf, sizeof(buf));
		g_assert_cmpint(n, >, 0);
		for (ssize_t j = 0; j < n; j++, i++)
			g_assert_cmpuint(buf[j], ==, data[i % VSOCK_BUF]);
	}
	while (got(&rig, &packet))
		;
	post(&rig, 10);
	send_raw(&rig, &mine, 0);
	g_assert_cmpuint(expect(&rig, OP_CREDIT_UPDATE).fwd_cnt, ==, received);
	/* Who sends more than there is room for is thrown out. */
	for (unsigned i = 0; i < 400; i++) {
		say_data(&rig, HOST_PORT, data, 4096);
		if (got(&rig, &packet) && packet.op == OP_RST)
			break;
		g_assert_cmpuint(i, <, 399);
	}
	(void)close(fd);
	(void)close(server);
	rig_close(&rig);
}

/* Lesson 18: the header's length against the chain's. */
static void test_lengths_lesson_18(const void *layout)
{
	static const uint32_t claims[] = { 101,        4096,       65536,     65537,
					   0x7fffffff, 0xffffffd4, UINT32_MAX };
	uint8_t data[100] = "in the packet";
	struct packet packet;
	struct rig rig;
	int server, fd;

	rig_open(&rig, layout);
	post(&rig, 40);
	server = serve(&rig);
	for (unsigned i = 0; i < ARRAY_SIZE(claims); i++) {
		fd = open_from_guest(&rig, server);
		packet = make(OP_RW, HOST_PORT);
		packet.len = claims[i];
		packet.data = NULL;
		send_raw(&rig, &packet, 100);
		expect(&rig, OP_RST);
		reads_error(&rig, fd, 0);
		(void)close(fd);
	}
	/* Less than the chain: the rest is not data. */
	fd = open_from_guest(&rig, server);
	packet = make(OP_RW, HOST_PORT);
	packet.data = data;
	packet.len = 13;
	send_raw(&rig, &packet, 100);
	reads(&rig, fd, "in the packet");
	packet.len = 0;
	send_raw(&rig, &packet, 100);
	reads_error(&rig, fd, -EAGAIN);
	/* Chains shorter than a header. */
	for (uint32_t len = 1; len < HEADER_LEN; len++) {
		struct vdriver_buf buf = { vdriver_alloc(rig.d, 64), len, false };
		uint32_t written;
		void *token;

		g_assert_true(vdriver_add(rig.d, TX, &buf, 1, NULL));
		vdriver_kick(rig.d, TX);
		vdriver_run(rig.d);
		g_assert_true(vdriver_used(rig.d, TX, &token, &written));
	}
	expect_nothing(&rig);
	/* ... in the other direction break the device. */
	g_assert_true(vdriver_restart(rig.d, 1 | rig.layout));
	{
		struct vdriver_buf buf = { vdriver_alloc(rig.d, 64), HEADER_LEN - 1, true };

		g_assert_true(vdriver_add(rig.d, RX, &buf, 1, NULL));
		vdriver_kick(rig.d, RX);
		say(&rig, OP_REQUEST, 99);
	}
	g_assert_true(virtio_read_status(rig.dev) & VIRTIO_STATUS_NEEDS_RESET);
	(void)close(fd);
	(void)close(server);
	rig_close(&rig);
}

static void test_wrong_packets(const void *layout)
{
	struct packet packet, answer;
	struct rig rig;
	uint32_t port;
	int fd;

	rig_open(&rig, layout);
	post(&rig, 60);
	/* Not of this guest: not even an answer. */
	packet = make(OP_REQUEST, HOST_PORT);
	packet.src_cid = CID + 1;
	send_raw(&rig, &packet, 0);
	packet.src_cid = CID | UINT64_C(1) << 32;
	send_raw(&rig, &packet, 0);
	expect_nothing(&rig);
	/* Not for this host, not a stream. */
	packet = make(OP_REQUEST, HOST_PORT);
	packet.dst_cid = 3;
	send_raw(&rig, &packet, 0);
	answer = expect(&rig, OP_RST);
	g_assert_cmpuint(answer.src_cid, ==, 3);
	packet = make(OP_REQUEST, HOST_PORT);
	packet.type = 2;
	send_raw(&rig, &packet, 0);
	answer = expect(&rig, OP_RST);
	g_assert_cmpuint(answer.type, ==, 2);
	/* What meets no connection; a RST is never answered. */
	for (uint16_t op = 2; op < 10; op++) {
		say(&rig, op, HOST_PORT);
		if (op != OP_RST)
			expect(&rig, OP_RST);
	}
	expect_nothing(&rig);
	/* Operations at the wrong time, and ones that do not exist. */
	for (uint16_t op = 0; op < 12; op++) {
		if (op == OP_SHUTDOWN || op == OP_RW || op == OP_CREDIT_UPDATE ||
		    op == OP_CREDIT_REQUEST || op == OP_RST)
			continue;
		port = open_from_host(&rig, &fd);
		say(&rig, op, port);
		expect(&rig, OP_RST);
		(void)close(fd);
	}
	rig_close(&rig);
}

/* Packets to nobody, each of which is to be refused: as many as there is room for, up to @count. */
static void send_lost(struct rig *rig, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		uint64_t gpa = vdriver_alloc(rig->d, HEADER_LEN);
		uint8_t *p = vdriver_ptr(rig->d, gpa, HEADER_LEN);
		struct vdriver_buf buf = { gpa, HEADER_LEN, false };

		memset(p, 0, HEADER_LEN);
		put_le64(p, CID);
		put_le64(p + 8, VSOCK_HOST_CID);
		put_le16(p + 28, TYPE_STREAM);
		put_le16(p + 30, OP_RW);
		if (!vdriver_add(rig->d, TX, &buf, 1, NULL))
			break;
	}
	vdriver_kick(rig->d, TX);
}

static unsigned taken(struct rig *rig)
{
	unsigned count = 0;
	uint32_t len;
	void *token;

	while (vdriver_used(rig->d, TX, &token, &len))
		count++;
	return count;
}

/* Lesson 19: a guest that gives no buffers holds up itself; what was to be told is told later. */
static void test_no_buffers_lesson_19(const void *layout)
{
	unsigned count = 0, answers = 0;
	struct packet packet;
	struct rig rig;

	rig_open(&rig, layout);
	for (unsigned i = 0; i < 600; i++) {
		send_lost(&rig, 1);
		vdriver_run(rig.d);
		count += taken(&rig);
	}
	g_assert_cmpuint(count, ==, VSOCK_MAX_REFUSALS);
	for (unsigned before = UINT32_MAX; before != answers;) {
		before = answers;
		post(&rig, 20);
		while (got(&rig, &packet))
			answers++;
		count += taken(&rig);
	}
	g_assert_cmpuint(count, >, VSOCK_MAX_REFUSALS);
	g_assert_cmpuint(answers, ==, count);
	rig_close(&rig);
}

/* The device waits for the buffers, and is not busy until they come. */
static void test_no_buffers_idle(const void *layout)
{
	unsigned rounds = 0;
	struct rig rig;

	rig_open(&rig, layout);
	send_lost(&rig, VSOCK_MAX_REFUSALS);
	vdriver_run(rig.d);
	g_assert_cmpuint(taken(&rig), ==, VSOCK_MAX_REFUSALS);
	send_lost(&rig, 1);
	while (io_loop_run(rig.loop, false))
		g_assert_cmpuint(rounds++, <, 100);
	g_assert_cmpuint(taken(&rig), ==, 0);
	/* What was to be told is not any more: there is room for other answers. */
	virtio_vsock_transport_reset(rig.dev);
	vdriver_run(rig.d);
	g_assert_cmpuint(taken(&rig), ==, 1);
	rig_close(&rig);
}

/* The table is full: of clients, then of guests. */
static void test_table(const void *layout)
{
	int server, fds[64];
	struct packet packet;
	unsigned open = 0;
	struct rig rig;

	rig_open(&rig, layout);
	server = serve(&rig);
	post(&rig, 20);
	for (uint32_t i = 0; i < VSOCK_MAX_CONNS + 10; i++) {
		packet = make(OP_REQUEST, HOST_PORT);
		packet.src_port = i;
		send_raw(&rig, &packet, 0);
		g_assert_true(got(&rig, &packet));
		post(&rig, 1);
		if (packet.op == OP_RESPONSE)
			open++;
		if (packet.op == OP_RESPONSE && i >= 64) {
			int fd = sys_accept(server, SOCK_NONBLOCK);

			g_assert_cmpint(fd, >=, 0);
			(void)close(fd);
			while (got(&rig, &packet))
				post(&rig, 1); /* its SHUTDOWN, to be confirmed: it still counts */
		} else if (packet.op == OP_RESPONSE) {
			fds[i] = sys_accept(server, SOCK_NONBLOCK);
		}
	}
	g_assert_cmpuint(open, ==, VSOCK_MAX_CONNS);
	/* A client of the host waits in the queue of its socket, and is served when there is room. */
	{
		int fd = dial(&rig);

		type(&rig, fd, "CONNECT 5000\n");
		expect_nothing(&rig);
		rig.now_ns += 10000000000; /* those that the guest did not confirm */
		vdriver_run(rig.d);
		do {
			post(&rig, 1);
			g_assert_true(got(&rig, &packet));
		} while (packet.op != OP_REQUEST);
		(void)close(fd);
	}
	for (unsigned i = 0; i < 64; i++)
		(void)close(fds[i]);
	(void)close(server);
	/* Unplugged with all of them. */
	rig_close(&rig);
}

/* What a guest said before it closed reaches a host that is slow. */
static void test_drain(const void *layout)
{
	static uint8_t data[4096];
	struct packet packet;
	size_t sent = 0, received = 0;
	struct rig rig;
	int server, fd;

	rig_open(&rig, layout);
	post(&rig, 40);
	server = serve(&rig);
	fd = open_from_guest(&rig, server);
	memset(data, 'x', sizeof(data));
	for (uint32_t told = 0; sent + sizeof(data) - told <= VSOCK_BUF; sent += sizeof(data)) {
		say_data(&rig, HOST_PORT, data, sizeof(data));
		while (got(&rig, &packet)) {
			told = packet.fwd_cnt;
			post(&rig, 1);
		}
	}
	shut(&rig, HOST_PORT, SHUTDOWN_RECEIVE | SHUTDOWN_SEND);
	expect_nothing(&rig);
	say(&rig, OP_RST, HOST_PORT);
	/* The ports are free, the bytes are not lost. */
	for (;;) {
		static uint8_t buf[5000];
		ssize_t n;

		vdriver_run(rig.d);
		n = sys_read(fd, buf, sizeof(buf));
		g_assert_cmpint(n, >=, 0);
		if (n == 0)
			break;
		received += (size_t)n;
	}
	g_assert_cmpuint(received, ==, sent);
	(void)close(fd);
	(void)close(server);
	rig_close(&rig);
}

static void test_reset(const void *layout)
{
	struct rig rig;
	int server, fd[3];
	uint32_t written;
	uint8_t event[4];
	void *token;

	rig_open(&rig, layout);
	server = serve(&rig);
	for (unsigned round = 0; round < 6; round++) {
		post(&rig, 10);
		(void)open_from_host(&rig, &fd[0]);
		fd[1] = open_from_guest(&rig, server);
		fd[2] = dial(&rig);
		g_assert_cmpint(sys_write_full(fd[1], "abc", 3), ==, 3);
		for (unsigned i = 0; i < round; i++)
			(void)io_loop_run(rig.loop, false);
		g_assert_true(vdriver_restart(rig.d, 1 | rig.layout));
		if (round & 1)
			vdriver_run(rig.d);
		for (unsigned i = 0; i < 3; i++) {
			char byte;
			ssize_t n;

			vdriver_run(rig.d);
			n = sys_read(fd[i], &byte, 1);
			g_assert_true(n == 0 || n == -ECONNRESET);
			(void)close(fd[i]);
		}
		expect_nothing(&rig);
	}
	/* The transport's reset: the driver is told, now or when it gives a buffer. */
	post(&rig, 10);
	(void)open_from_host(&rig, &fd[0]);
	virtio_vsock_transport_reset(rig.dev);
	reads_error(&rig, fd[0], 0);
	(void)close(fd[0]);
	memset(event, 0xff, sizeof(event));
	g_assert_cmpuint(vdriver_request(rig.d, EVENT, NULL, 0, event, 4), ==, 4);
	g_assert_cmpuint(get_le32(event), ==, 0);
	{
		struct vdriver_buf buf = { vdriver_alloc(rig.d, 8), 8, true };

		g_assert_true(vdriver_add(rig.d, EVENT, &buf, 1, NULL));
		vdriver_kick(rig.d, EVENT);
		vdriver_run(rig.d);
		g_assert_false(vdriver_used(rig.d, EVENT, &token, &written));
		virtio_vsock_transport_reset(rig.dev);
		vdriver_run(rig.d);
		g_assert_true(vdriver_used(rig.d, EVENT, &token, &written));
		g_assert_cmpuint(written, ==, 4);
	}
	(void)close(server);
	rig_close(&rig);
}

/* The loop in a thread of its own; clients come and go, the driver is reset among them. */
static void test_thread(const void *layout)
{
	uint64_t features = 1 | *(const uint64_t *)layout;
	g_autofree char *dir = g_dir_make_tmp("vsock-XXXXXX", NULL);
	g_autofree char *path = g_build_filename(dir, "v", NULL);
	autoptr(io_loop) loop = io_loop_new("vsock", IO_LOOP_THREADS, NULL);
	struct virtio_device *dev;
	struct sockaddr_un addr;
	struct vdriver *d;

	g_assert_nonnull(loop);
	dev = virtio_vsock_new(
		&(struct virtio_vsock_config){ .loop = loop, .cid = CID, .path = path }, NULL);
	g_assert_nonnull(dev);
	d = vdriver_new(&(struct vdriver_config){ .dev = dev, .loop = loop, .features = features });
	address(&addr, path);
	for (unsigned round = 0; round < 20; round++) {
		uint64_t gpa = vdriver_alloc(d, ROOM);
		struct vdriver_buf buf = { gpa, ROOM, true };
		int fd = sys_socket(AF_UNIX, SOCK_STREAM, 0);
		uint32_t len;
		void *token;

		g_assert_true(vdriver_add(d, RX, &buf, 1, NULL));
		vdriver_kick(d, RX);
		g_assert_cmpint(sys_connect(fd, (void *)&addr, sizeof(addr)), ==, 0);
		g_assert_cmpint(sys_write_full(fd, "CONNECT 5000\n", 13), ==, 13);
		vdriver_wait(d, RX, &token, &len);
		g_assert_cmpuint(get_le16(vdriver_ptr(d, gpa + HEADER_OP, 2)), ==, OP_REQUEST);
		if (round % 3 == 0)
			virtio_vsock_transport_reset(dev);
		g_assert_true(vdriver_restart(d, features));
		(void)close(fd);
	}
	vdriver_free(d);
	dev->ops->free(dev);
	g_assert_cmpint(g_rmdir(dir), ==, 0);
}

static void test_refused(void)
{
	g_autofree char *name = g_strnfill(98, 'x');
	struct virtio_vsock_config config = { .cid = 2, .path = "v" };
	GError *error = NULL;

	g_assert_null(virtio_vsock_new(&config, &error));
	g_assert_nonnull(error);
	g_clear_error(&error);
	config.cid = UINT32_MAX;
	g_assert_null(virtio_vsock_new(&config, &error));
	g_assert_nonnull(error);
	g_clear_error(&error);
	config.cid = 3;
	config.path = name;
	g_assert_null(virtio_vsock_new(&config, &error));
	g_assert_nonnull(error);
	g_clear_error(&error);
	config.path = "/nowhere/at/all";
	g_assert_null(virtio_vsock_new(&config, &error));
	g_assert_nonnull(error);
	g_clear_error(&error);
}

static void add(const char *name, void (*fn)(const void *layout))
{
	static const uint64_t layouts[] = {
		0,
		VIRTIO_F_COMMON & ~VIRTIO_F_RING_PACKED & ~VIRTIO_F_IN_ORDER,
		VIRTIO_F_COMMON & ~VIRTIO_F_IN_ORDER,
		VIRTIO_F_COMMON,
	};
	static const char *const names[] = { "split", "split-event", "packed", "packed-in-order" };

	for (unsigned i = 0; i < ARRAY_SIZE(layouts); i++) {
		g_autofree char *path = g_strdup_printf("/virtio-vsock/%s/%s", names[i], name);

		g_test_add_data_func(path, &layouts[i], fn);
	}
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/virtio-vsock/refused", test_refused);
	add("from-host", test_from_host);
	add("header-only", test_header_only);
	add("from-guest", test_from_guest);
	add("greeting", test_greeting);
	add("credit-lesson-1-12", test_credit_lesson_1_12);
	add("lengths-lesson-18", test_lengths_lesson_18);
	add("wrong-packets", test_wrong_packets);
	add("no-buffers-lesson-19", test_no_buffers_lesson_19);
	add("no-buffers-idle", test_no_buffers_idle);
	add("table", test_table);
	add("drain", test_drain);
	add("reset", test_reset);
	add("thread", test_thread);
	return g_test_run();
}
