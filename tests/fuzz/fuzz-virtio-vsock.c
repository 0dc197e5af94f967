/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz-virtio-vsock.c - a hostile driver before vsock, and peers on the host that do anything
 *
 * Acts of its own: buffers, packets with any header, clients that greet or babble, servers that
 * accept, write, read and close, time. Checked beside what virtio-fuzz.h checks: what reaches the
 * driver has a proper header and no more bytes than it gave credit for, no descriptor is left when
 * it has gone, and a sane driver is served afterwards.
 */
#include <glib/gstdio.h>
#include <sys/un.h>

#include "base/sys.h"
#include "dev/vsock-int.h"

#include "virtio-fuzz.h"

enum {
	ACT_POST = VFUZZ_ACTS,
	ACT_SEND,
	ACT_DIAL,
	ACT_ACCEPT,
	ACT_WRITE,
	ACT_READ,
	ACT_CLOSE,
	ACT_EVENT,
	ACT_COUNT,
	CID = 3,
	HOST_PORT = 7,
	PEERS = 12,
};

struct world {
	struct vfuzz f;
	char *dir, *path, *server_path;
	int server, peer[PEERS];
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct world world;

static void at_end(void)
{
	(void)g_unlink(world.server_path);
	(void)g_unlink(world.path);
	(void)g_rmdir(world.dir);
}

static void address(struct sockaddr_un *addr, const char *path)
{
	*addr = (struct sockaddr_un){ .sun_family = AF_UNIX };
	g_strlcpy(addr->sun_path, path, sizeof(addr->sun_path));
}

static void world_init(struct world *w)
{
	struct virtio_device *dev;
	struct sockaddr_un addr;

	vfuzz_init(&w->f, IO_LOOP_THREADS);
	w->dir = g_dir_make_tmp("fuzz-vsock-XXXXXX", NULL);
	g_assert_nonnull(w->dir);
	w->path = g_build_filename(w->dir, "v", NULL);
	w->server_path = g_strdup_printf("%s_%d", w->path, HOST_PORT);
	dev = virtio_vsock_new(
		&(struct virtio_vsock_config){ .loop = w->f.loop, .cid = CID, .path = w->path },
		NULL);
	g_assert_nonnull(dev);
	w->server = sys_socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
	address(&addr, w->server_path);
	g_assert_cmpint(sys_bind(w->server, (void *)&addr, sizeof(addr)), ==, 0);
	g_assert_cmpint(sys_listen(w->server, 16), ==, 0);
	for (unsigned i = 0; i < PEERS; i++)
		w->peer[i] = -1;
	(void)atexit(at_end);
	vfuzz_attach(&w->f, dev);
}

static unsigned peer(struct world *w)
{
	return (unsigned)vfuzz_get(&w->f.in, 1) % PEERS;
}

static uint64_t place(struct world *w)
{
	return w->f.buffers + (vfuzz_get(&w->f.in, 1) % (VFUZZ_BUFFERS - 17) << 12);
}

static void offer(struct world *w, unsigned queue, uint64_t gpa, uint32_t len, bool write)
{
	struct vdriver_buf bufs[2] = { { gpa, MIN(len, HEADER_LEN), write },
				       { gpa + HEADER_LEN, len - MIN(len, HEADER_LEN), write } };

	if (vdriver_add(w->f.d, queue, bufs, len > HEADER_LEN ? 2 : 1, NULL))
		virtio_kick(w->f.dev, queue);
}

static void packet(struct world *w)
{
	struct vfuzz_input *in = &w->f.in;
	uint64_t gpa = place(w);
	uint8_t *p = vdriver_ptr(w->f.d, gpa, HEADER_LEN);
	unsigned how = (unsigned)vfuzz_get(in, 1);
	uint32_t len = (uint32_t)vfuzz_get(in, 2);

	memset(p, 0, HEADER_LEN);
	put_le64(p, how == 1 ? vfuzz_get(in, 8) : CID);
	put_le64(p + 8, how == 2 ? vfuzz_get(in, 8) : 2);
	put_le32(p + 16, how & 0x80 ? 5000 : (uint32_t)vfuzz_get(in, 1));
	/* A server's port, one of those that clients get, or any. */
	put_le32(p + 20, how & 0x40   ? HOST_PORT
			 : how & 0x20 ? (uint32_t)(1 << 30) + (uint32_t)vfuzz_get(in, 1) % 4
				      : (uint32_t)vfuzz_get(in, 4));
	put_le32(p + 24, how & 0x10 ? (uint32_t)vfuzz_get(in, 4) : len);
	put_le16(p + 28, how == 3 ? (uint16_t)vfuzz_get(in, 2) : TYPE_STREAM);
	put_le16(p + 30, (uint16_t)(vfuzz_get(in, 1) % 10));
	put_le32(p + 32, (uint32_t)vfuzz_get(in, 1));
	put_le32(p + 36, how & 8 ? (uint32_t)vfuzz_get(in, 4) : 65536);
	put_le32(p + 40, (uint32_t)vfuzz_get(in, 1));
	offer(w, 1, gpa, HEADER_LEN + len, false);
}

/* Not by write(): a peer that we closed is no reason to end. */
static void send_all(int fd, const void *p, size_t len)
{
	struct iovec iov = { (void *)(uintptr_t)p, len };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	(void)sys_sendmsg(fd, &msg, MSG_DONTWAIT);
}

static void dial(struct world *w)
{
	unsigned i = peer(w);
	struct sockaddr_un addr;

	if (w->peer[i] >= 0)
		return;
	address(&addr, w->path);
	w->peer[i] = sys_socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
	if (sys_connect(w->peer[i], (void *)&addr, sizeof(addr)) < 0)
		fd_autoclose(&w->peer[i]);
	else if (vfuzz_get(&w->f.in, 1) & 1)
		send_all(w->peer[i], "CONNECT 5000\n", 13);
}

static void write_peer(struct world *w)
{
	static const uint8_t zeros[70000];
	unsigned i = peer(w);
	size_t len = vfuzz_get(&w->f.in, 2);

	if (w->peer[i] < 0)
		return;
	if (len < 32 && len <= w->f.in.len) {
		send_all(w->peer[i], w->f.in.p, len);
		(void)vfuzz_get(&w->f.in, 8);
	} else {
		send_all(w->peer[i], zeros, len);
	}
}

static void read_peer(struct world *w)
{
	static uint8_t buf[65536];
	unsigned i = peer(w);

	if (w->peer[i] >= 0)
		(void)sys_read(w->peer[i], buf, vfuzz_get(&w->f.in, 2));
}

static void close_peer(struct world *w)
{
	unsigned i = peer(w), how = (unsigned)vfuzz_get(&w->f.in, 1);

	if (w->peer[i] < 0)
		return;
	if (how & 3)
		(void)sys_shutdown(w->peer[i], (int)(how & 3) - 1);
	else
		fd_autoclose(&w->peer[i]);
}

static void act(struct world *w)
{
	unsigned byte = (unsigned)vfuzz_get(&w->f.in, 1) % (ACT_COUNT + 8), i;

	switch (byte) {
	case ACT_POST:
	case ACT_COUNT:
	case ACT_COUNT + 1:
		for (i = (unsigned)vfuzz_get(&w->f.in, 1) % 8; i > 0; i--)
			offer(w, 0, place(w), HEADER_LEN + (uint32_t)vfuzz_get(&w->f.in, 2), true);
		break;
	case ACT_SEND:
	case ACT_COUNT + 2:
	case ACT_COUNT + 3:
	case ACT_COUNT + 4:
		packet(w);
		break;
	case ACT_DIAL:
		dial(w);
		break;
	case ACT_ACCEPT:
		i = peer(w);
		if (w->peer[i] < 0)
			w->peer[i] = sys_accept(w->server, SOCK_NONBLOCK);
		break;
	case ACT_WRITE:
		write_peer(w);
		break;
	case ACT_READ:
		read_peer(w);
		break;
	case ACT_CLOSE:
		close_peer(w);
		break;
	case ACT_EVENT:
		if (vfuzz_get(&w->f.in, 1) == 7)
			virtio_vsock_transport_reset(w->f.dev);
		break;
	case ACT_COUNT + 5:
	case ACT_COUNT + 6:
	case ACT_COUNT + 7:
		vfuzz_run(&w->f);
		break;
	default:
		vfuzz_act(&w->f, byte);
		break;
	}
}

static void heal(struct world *w)
{
	struct vsock *vsock = container_of(w->f.dev, struct vsock, dev);
	unsigned free = 0;
	int fd;

	for (unsigned i = 0; i < PEERS; i++)
		fd_autoclose(&w->peer[i]);
	vfuzz_run(&w->f);
	while ((fd = sys_accept(w->server, SOCK_NONBLOCK)) >= 0)
		(void)close(fd);
	for (const struct vsock_conn *conn = vsock->free; conn; conn = conn->next)
		free++;
	g_assert_cmpuint(free, ==, VSOCK_MAX_CONNS);
	g_assert_true(TAILQ_EMPTY(&vsock->ready));
	for (unsigned i = 0; i < VSOCK_BUCKETS; i++)
		g_assert_null(vsock->bucket[i]);
}

static void check(struct world *w)
{
	uint8_t header[HEADER_LEN] = { CID, [8] = 2, [16] = 9, [20] = HOST_PORT };
	uint64_t gpa = w->f.buffers;
	const uint8_t *p;
	uint32_t len;
	void *token;
	int fd;

	put_le16(header + HEADER_TYPE, TYPE_STREAM);
	put_le16(header + HEADER_OP, OP_REQUEST);
	offer(w, 0, gpa, 4096, true);
	g_assert_cmpuint(vdriver_request(w->f.d, 1, header, HEADER_LEN, NULL, 0), ==, 0);
	vfuzz_run(&w->f);
	g_assert_true(vdriver_used(w->f.d, 0, &token, &len));
	g_assert_cmpuint(len, ==, HEADER_LEN);
	p = vdriver_ptr(w->f.d, gpa, len);
	g_assert_cmpuint(get_le16(p + HEADER_OP), ==, OP_RESPONSE);
	fd = sys_accept(w->server, SOCK_NONBLOCK);
	g_assert_cmpint(fd, >=, 0);
	(void)close(fd);
	vfuzz_reset(&w->f);
	heal(w);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static bool made;
	struct world *w = &world;

	if (!made)
		world_init(w);
	made = true;
	vfuzz_begin(&w->f, data, size);
	for (unsigned i = 0; i < VFUZZ_MAX_ACTS && w->f.in.len; i++)
		act(w);
	vfuzz_run(&w->f);
	vfuzz_reset(&w->f);
	heal(w);
	if (!vfuzz_checks(size))
		return 0;
	mem_clear(w->f.mem);
	vfuzz_restart(&w->f, w->f.features);
	check(w);
	return 0;
}
