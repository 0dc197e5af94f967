/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virtio-vsock.c - sockets between guest and host (virtio 1.2, 5.10): packets, life of the device
 *
 * No chain is kept. A packet of the driver is dealt with at once, as connections have buffers; one
 * to the driver is made when there is a chain for it. What connections have to tell is in their
 * bits; what packets that met no connection are answered stands in a short list, and while that
 * is full, no packets are taken: a driver that gives no buffers holds up itself.
 */
#include "dev/virtio-vsock.h"

#include <string.h>
#include <sys/mman.h>
#include <sys/un.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/sys.h"
#include "dev/vsock-int.h"

enum {
	QUEUE_RX = 0,
	QUEUE_TX = 1,
	QUEUE_EVENT = 2,
	QUEUES = 3,
	QUEUE_SIZE = 128,
	BATCH_PACKETS = 64,
	IOV_MAX_PACKET = 64,
	CONFIG_CID = 0,
	CONFIG_LEN = 8,
	EVENT_TRANSPORT_RESET = 0,
};

#define VIRTIO_VSOCK_F_STREAM (1ull << 0)

static struct vsock *vsock_of(struct virtio_device *dev)
{
	return container_of(dev, struct vsock, dev);
}

/* ---- to the guest ---- */

DATA_PATH static void put_header(uint8_t *header, const struct vsock_conn *conn, uint16_t op,
				 uint32_t flags, size_t len)
{
	put_le64(header + HEADER_SRC_CID, VSOCK_HOST_CID);
	put_le64(header + HEADER_DST_CID, conn->vsock->cid);
	put_le32(header + HEADER_SRC_PORT, conn->host_port);
	put_le32(header + HEADER_DST_PORT, conn->guest_port);
	put_le32(header + HEADER_DATA_LEN, (uint32_t)len);
	put_le16(header + HEADER_TYPE, TYPE_STREAM);
	put_le16(header + HEADER_OP, op);
	put_le32(header + HEADER_FLAGS, flags);
	put_le32(header + HEADER_BUF_ALLOC, VSOCK_BUF);
	put_le32(header + HEADER_FWD_CNT, conn->fwd);
}

/* Data of the host behind the header's place. Its length; 0: there is none. */
static size_t fill_data(struct vsock_conn *conn, const struct virtq_chain *chain)
{
	struct iovec part[IOV_MAX_PACKET], *iov = part;
	unsigned count = MIN(chain->in_count, IOV_MAX_PACKET);
	size_t room = MIN(vsock_conn_credit(conn), VSOCK_MAX_PACKET), n;

	memcpy(part, chain->in, count * sizeof(*part));
	iov_skip(&iov, &count, HEADER_LEN);
	for (n = 0; n < count && room; n++) {
		iov[n].iov_len = MIN(iov[n].iov_len, room);
		room -= iov[n].iov_len;
	}
	return vsock_conn_read(conn, iov, (unsigned)n);
}

/* What follows a packet: what it told is told. */
DATA_PATH static void told(struct vsock_conn *conn, unsigned bit)
{
	if (bit == TELL_RST) {
		vsock_conn_free(conn);
		return;
	}
	if (bit != TELL_DATA)
		conn->tell &= ~bit;
	conn->told_fwd = conn->fwd;
	conn->tell &= ~(unsigned)TELL_CREDIT;
	/* Others have their turn. */
	vsock_conn_told(conn);
	if (conn->tell)
		vsock_conn_tell(conn, 0);
	vsock_conn_watch(conn);
}

/* Room for data is only where the chain has bytes and the guest has given credit. */
static bool want_data(struct vsock_conn *conn)
{
	if (vsock_conn_credit(conn)) {
		conn->asked = false;
		return true;
	}
	conn->tell &= ~(unsigned)TELL_DATA;
	if (!conn->asked)
		conn->tell |= TELL_CREDIT_REQUEST;
	conn->asked = true;
	return false;
}

/* One packet of a connection. Its length; 0: it had nothing to say after all. */
static size_t fill(struct vsock_conn *conn, const struct virtq_chain *chain)
{
	static const uint16_t op_of[] = { OP_REQUEST,  OP_RESPONSE,      OP_RST,           OP_RW,
					  OP_SHUTDOWN, OP_CREDIT_UPDATE, OP_CREDIT_REQUEST };
	uint8_t header[HEADER_LEN];
	size_t len = 0;
	unsigned bit;

	/* A chain that holds no more than a header is used up by an empty packet. */
	if (conn->tell & TELL_DATA && !(conn->tell & (TELL_DATA - 1)) && want_data(conn))
		len = fill_data(conn, chain);
	bit = len ? TELL_DATA : conn->tell & -conn->tell;
	if (!bit) {
		vsock_conn_told(conn);
		vsock_conn_watch(conn);
		return 0;
	}
	put_header(header, conn, op_of[__builtin_ctz(bit)],
		   bit == TELL_SHUTDOWN ? conn->host_shut : 0, len);
	(void)iov_copy_in(chain->in, chain->in_count, 0, header, HEADER_LEN);
	told(conn, bit);
	return HEADER_LEN + len;
}

/* The answer to a packet that met no connection. */
DATA_PATH static size_t fill_refusal(struct vsock *vsock, const struct virtq_chain *chain)
{
	struct vsock_refusal *refusal = &vsock->refusal[vsock->refusal_head];
	uint8_t header[HEADER_LEN] = { 0 };

	vsock->refusal_head = (vsock->refusal_head + 1) % VSOCK_MAX_REFUSALS;
	vsock->refusals--;
	put_le64(header + HEADER_SRC_CID, refusal->dst_cid);
	put_le64(header + HEADER_DST_CID, vsock->cid);
	put_le32(header + HEADER_SRC_PORT, refusal->host_port);
	put_le32(header + HEADER_DST_PORT, refusal->guest_port);
	put_le16(header + HEADER_TYPE, refusal->type);
	put_le16(header + HEADER_OP, OP_RST);
	return iov_copy_in(chain->in, chain->in_count, 0, header, HEADER_LEN);
}

static bool answers_full(const struct vsock *vsock)
{
	return vsock->refusals == VSOCK_MAX_REFUSALS;
}

static bool anything(const struct vsock *vsock)
{
	return vsock->refusals || !TAILQ_EMPTY(&vsock->ready);
}

/* True: a packet was made, or a connection had nothing to say. */
static bool rx_one(struct vsock *vsock, struct virtq *vq)
{
	struct virtq_chain *chain = virtq_pop(vq);
	size_t len;

	if (!chain)
		return false;
	if (chain->in_len < HEADER_LEN) {
		virtq_drop(vq, chain);
		virtq_break(vq);
		return false;
	}
	len = vsock->refusals ? fill_refusal(vsock, chain)
			      : fill(TAILQ_FIRST(&vsock->ready), chain);
	if (len)
		virtq_push(vq, chain, len);
	else
		virtq_unpop(vq, chain);
	return true;
}

void vsock_rx_run(struct vsock *vsock)
{
	struct virtq *vq = vsock->dev.queue[QUEUE_RX];
	bool full = answers_full(vsock);
	unsigned n = 0;

	if (vsock->purge || !virtio_live(&vsock->dev) || !virtq_ready(vq))
		return;
	while (n < BATCH_PACKETS && anything(vsock) && rx_one(vsock, vq))
		n++;
	virtq_flush(vq);
	if (full && !answers_full(vsock))
		virtio_kick_self(&vsock->dev, QUEUE_TX);
	if (!anything(vsock)) {
		virtq_notify_off(vq);
	} else if (n == BATCH_PACKETS || virtq_notify_on(vq)) {
		virtio_kick_self(&vsock->dev, QUEUE_RX);
	}
}

/* ---- from the guest ---- */

DATA_PATH static void refuse(struct vsock *vsock, const uint8_t *header)
{
	unsigned i = (vsock->refusal_head + vsock->refusals) % VSOCK_MAX_REFUSALS;

	if (get_le16(header + HEADER_OP) == OP_RST)
		return;
	vsock->refusal[i] = (struct vsock_refusal){
		.dst_cid = get_le64(header + HEADER_DST_CID),
		.host_port = get_le32(header + HEADER_DST_PORT),
		.guest_port = get_le32(header + HEADER_SRC_PORT),
		.type = get_le16(header + HEADER_TYPE),
	};
	vsock->refusals++;
}

static void credit(struct vsock_conn *conn, const uint8_t *header)
{
	conn->peer_alloc = get_le32(header + HEADER_BUF_ALLOC);
	conn->peer_fwd = get_le32(header + HEADER_FWD_CNT);
}

static void on_request(struct vsock *vsock, const uint8_t *header)
{
	struct vsock_conn *conn = vsock_connect(vsock, get_le32(header + HEADER_DST_PORT),
						get_le32(header + HEADER_SRC_PORT));

	if (!conn) {
		refuse(vsock, header);
		return;
	}
	credit(conn, header);
	vsock_conn_tell(conn, TELL_RESPONSE);
	vsock_conn_watch(conn);
}

/* A packet of an open connection. False: it breaks the rules. */
static bool on_open(struct vsock_conn *conn, const uint8_t *header, const struct virtq_chain *chain)
{
	size_t len = get_le32(header + HEADER_DATA_LEN);

	credit(conn, header);
	switch (get_le16(header + HEADER_OP)) {
	case OP_RW:
		return len <= chain->out_len - HEADER_LEN &&
		       vsock_conn_take(conn, chain, HEADER_LEN, len);
	case OP_CREDIT_UPDATE:
		vsock_conn_watch(conn);
		return true;
	case OP_CREDIT_REQUEST:
		vsock_conn_tell(conn, TELL_CREDIT);
		vsock_conn_watch(conn);
		return true;
	case OP_SHUTDOWN:
		vsock_conn_guest_shut(conn, get_le32(header + HEADER_FLAGS));
		return true;
	default:
		return false;
	}
}

static void on_packet(struct vsock *vsock, const uint8_t *header, const struct virtq_chain *chain)
{
	uint16_t op = get_le16(header + HEADER_OP);
	struct vsock_conn *conn;

	/* It speaks for itself only. */
	if (get_le64(header + HEADER_SRC_CID) != vsock->cid)
		return;
	if (get_le64(header + HEADER_DST_CID) != VSOCK_HOST_CID ||
	    get_le16(header + HEADER_TYPE) != TYPE_STREAM) {
		refuse(vsock, header);
		return;
	}
	conn = vsock_conn_find(vsock, get_le32(header + HEADER_DST_PORT),
			       get_le32(header + HEADER_SRC_PORT));
	if (!conn && op == OP_REQUEST) {
		on_request(vsock, header);
	} else if (!conn) {
		refuse(vsock, header);
	} else if (op == OP_RST) {
		vsock_conn_guest_reset(conn);
	} else if (conn->state == CONN_REQUEST && op == OP_RESPONSE &&
		   !(conn->tell & TELL_REQUEST)) {
		credit(conn, header);
		vsock_answer(conn);
	} else if (conn->state != CONN_DEAD &&
		   (conn->state != CONN_OPEN || !on_open(conn, header, chain))) {
		vsock_conn_reset(conn);
	}
}

static void tx_run(struct vsock *vsock)
{
	struct virtq *vq = vsock->dev.queue[QUEUE_TX];
	unsigned n;

	virtq_notify_off(vq);
	for (n = 0; n < BATCH_PACKETS && !answers_full(vsock); n++) {
		struct virtq_chain *chain = virtq_pop(vq);
		uint8_t header[HEADER_LEN];

		if (!chain)
			break;
		if (iov_copy_out(chain->out, chain->out_count, 0, header, HEADER_LEN) == HEADER_LEN)
			on_packet(vsock, header, chain);
		virtq_push(vq, chain, 0);
	}
	virtq_flush(vq);
	/* With the list of answers full, we are kicked when there is room again. */
	if (!answers_full(vsock) &&
	    (n == BATCH_PACKETS || (virtq_ready(vq) && virtq_notify_on(vq))))
		virtio_kick_self(&vsock->dev, QUEUE_TX);
	vsock_rx_run(vsock);
}

static void event_run(struct vsock *vsock)
{
	struct virtq *vq = vsock->dev.queue[QUEUE_EVENT];
	struct virtq_chain *chain;
	uint8_t event[4];

	if (!vsock->tell_reset || !virtio_live(&vsock->dev))
		return;
	chain = virtq_pop(vq);
	if (!chain && virtq_notify_on(vq))
		chain = virtq_pop(vq);
	if (!chain)
		return;
	put_le32(event, EVENT_TRANSPORT_RESET);
	virtq_push(vq, chain, iov_copy_in(chain->in, chain->in_count, 0, event, sizeof(event)));
	virtq_flush(vq);
	vsock->tell_reset = false;
}

/* ---- life ---- */

void vsock_purge(struct vsock *vsock)
{
	if (!vsock->purge)
		return;
	vsock->purge = false;
	vsock_conn_free_all(vsock);
	if (answers_full(vsock))
		virtio_kick_self(&vsock->dev, QUEUE_TX);
	vsock->refusals = 0;
}

static void on_purge(void *opaque)
{
	struct vsock *vsock = opaque;

	virtio_lock(&vsock->dev);
	vsock_purge(vsock);
	virtio_unlock(&vsock->dev);
}

static void vsock_kick(struct virtio_device *dev, unsigned index)
{
	struct vsock *vsock = vsock_of(dev);

	vsock_purge(vsock);
	if (index == QUEUE_RX)
		vsock_rx_run(vsock);
	else if (index == QUEUE_TX)
		tx_run(vsock);
	else
		event_run(vsock);
}

static void vsock_reset(struct virtio_device *dev, int index)
{
	struct vsock *vsock = vsock_of(dev);

	if (index >= 0)
		return;
	vsock->purge = true;
	vsock->tell_reset = false;
	io_loop_post(vsock->loop, &vsock->purge_work);
}

static void join_loop(void *opaque)
{
	struct vsock *vsock = opaque;

	io_watch_add(vsock->loop, &vsock->listen_watch, POLLIN);
	io_timer_add(vsock->loop, &vsock->tick);
}

static void leave_loop(void *opaque)
{
	struct vsock *vsock = opaque;

	vsock_conn_free_all(vsock);
	io_watch_remove(vsock->loop, &vsock->listen_watch);
	io_timer_remove(vsock->loop, &vsock->tick);
}

static void vsock_free(struct virtio_device *dev)
{
	struct vsock *vsock = vsock_of(dev);

	/* When this returns, what was posted to the loop has been done. */
	virtio_reset(dev);
	io_loop_call(vsock->loop, leave_loop, vsock);
	virtio_release(dev);
	unix_listener_free(vsock->listener);
	sys_munmap(vsock->bufs, (size_t)VSOCK_MAX_CONNS * VSOCK_BUF);
	g_free(vsock->conns);
	g_free(vsock->path);
	g_free(vsock);
}

static const struct virtio_ops vsock_ops = {
	.kick = vsock_kick,
	.reset = vsock_reset,
	.free = vsock_free,
};

static bool check_config(const struct virtio_vsock_config *config, GError **error)
{
	const size_t most = sizeof(((struct sockaddr_un *)0)->sun_path) - sizeof("_4294967295");

	if (config->cid < 3 || config->cid >= UINT32_MAX)
		return error_set(error, SOCLE_ERROR_USAGE,
				 "vsock CID %" G_GUINT64_FORMAT "; it must be from 3 to 4294967294",
				 config->cid);
	if (strlen(config->path) > most)
		return error_set(error, SOCLE_ERROR_LIMIT,
				 "vsock path '%s' has %zu bytes; with a port behind it the system "
				 "allows %zu; use a shorter one, or a relative one",
				 config->path, strlen(config->path), most);
	return true;
}

static void init(struct vsock *vsock, const struct virtio_vsock_config *config)
{
	vsock->loop = config->loop;
	vsock->cid = config->cid;
	vsock->path = g_strdup(config->path);
	vsock->listen_watch = (struct io_watch){
		.fd = unix_listener_fd(vsock->listener),
		.fn = vsock_on_client,
		.opaque = vsock,
	};
	vsock->tick = (struct io_timer){ .fn = vsock_tick, .opaque = vsock };
	vsock->purge_work = (struct io_work){ .fn = on_purge, .opaque = vsock };
	TAILQ_INIT(&vsock->ready);
	vsock->conns = g_new0(struct vsock_conn, VSOCK_MAX_CONNS);
	for (unsigned i = VSOCK_MAX_CONNS; i-- > 0;) {
		vsock->conns[i].next = vsock->free;
		vsock->free = &vsock->conns[i];
	}
	virtio_init(&vsock->dev, &(struct virtio_config){
					 .ops = &vsock_ops,
					 .type = VIRTIO_VSOCK,
					 .features = VIRTIO_F_COMMON | VIRTIO_VSOCK_F_STREAM,
					 .loop = config->loop,
					 .queues = QUEUES,
					 .queue_size = QUEUE_SIZE,
					 .config_len = CONFIG_LEN,
				 });
	put_le64(vsock->dev.config + CONFIG_CID, config->cid);
}

struct virtio_device *virtio_vsock_new(const struct virtio_vsock_config *config, GError **error)
{
	struct vsock *vsock;
	void *bufs = NULL;
	int r;

	if (!check_config(config, error))
		return NULL;
	r = sys_mmap(&bufs, (size_t)VSOCK_MAX_CONNS * VSOCK_BUF, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (r < 0) {
		error_sys(error, r, "cannot reserve buffers for vsock");
		return NULL;
	}
	vsock = g_new0(struct vsock, 1);
	vsock->bufs = bufs;
	vsock->listener = unix_listener_new(config->path, error);
	if (!vsock->listener) {
		sys_munmap(vsock->bufs, (size_t)VSOCK_MAX_CONNS * VSOCK_BUF);
		g_free(vsock);
		return NULL;
	}
	init(vsock, config);
	io_loop_call(vsock->loop, join_loop, vsock);
	return &vsock->dev;
}

void virtio_vsock_transport_reset(struct virtio_device *dev)
{
	struct vsock *vsock = vsock_of(dev);

	virtio_lock(dev);
	if (virtio_live(dev)) {
		vsock->purge = true;
		vsock->tell_reset = true;
		io_loop_post(vsock->loop, &vsock->purge_work);
		virtio_kick_self(dev, QUEUE_EVENT);
	}
	virtio_unlock(dev);
}
