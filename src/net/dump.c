/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dump.c - a back end in front of another, that writes all frames to a pcap file
 *
 * The format is libpcap's with nanoseconds (pcap-savefile(5)), link type Ethernet, in the host's
 * byte order. Records gather in a buffer, which a thread writes to the file while another one fills:
 * the card waits for no disk. It is woken before the loop waits, so that a round costs one system
 * call. A disk that is slower than the card makes the capture lose frames, not the card.
 *
 * When the file cannot be written any more, a record that is not whole is cut off, and the machine
 * goes on without it.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "base/error.h"
#include "base/log.h"
#include "base/sys.h"
#include "base/thread.h"
#include "net/net-int.h"
#include "net/offload.h"

enum {
	BUFFER_LEN = 16 << 20, /* of two; pages that are not used cost nothing */
	PCAP_MAGIC_NS = 0xa1b23c4d,
	PCAP_MAJOR = 2,
	PCAP_MINOR = 4,
	PCAP_ETHERNET = 1,
	PCAP_MAX_LEN = 262144, /* what readers are prepared for */
};

struct pcap_header {
	uint32_t magic;
	uint16_t major, minor;
	uint32_t zone, accuracy, max_len, link_type;
};

struct pcap_record {
	uint32_t seconds, nanoseconds, kept_len, len;
};

struct net_dump {
	struct net_backend base;
	struct net_backend *inner;
	char *path;
	int fd;
	size_t max_len;

	struct io_loop *loop;
	const struct net_front *front;
	void *opaque;
	struct io_prepare prepare;

	struct thread *writer;
	uint64_t written; /* [writer] bytes of the file that are whole records */
	atomic_uint lost; /* frames for which there was no room */

	pthread_mutex_t lock; /* of what follows; not held while the file is written */
	pthread_cond_t work;
	bool end, failed;
	uint8_t *filling, *writing;
	size_t used; /* of the one that is filled */
};

static struct net_dump *dump_of(struct net_backend *net)
{
	return container_of(net, struct net_dump, base);
}

/* ---- the file ---- */

static void give_up(struct net_dump *dump, int err)
{
	(void)sys_ftruncate(dump->fd, (off_t)dump->written);
	/* The one message that there is. */
	log_warning("capture file '%s' ends here: %s", dump->path, g_strerror(-err));
}

/* Write what has gathered; the lock is held, but for the writing. */
static void write_locked(struct net_dump *dump)
{
	uint8_t *data = dump->filling;
	size_t len = dump->used;
	ssize_t n;

	dump->filling = dump->writing;
	dump->writing = data;
	dump->used = 0;
	pthread_mutex_unlock(&dump->lock);
	n = sys_write_full(dump->fd, data, len);
	if (n >= 0)
		dump->written += len;
	else
		give_up(dump, (int)n);
	pthread_mutex_lock(&dump->lock);
	dump->failed |= n < 0;
	/* What has gathered meanwhile would stand behind the end. */
	if (dump->failed)
		dump->used = 0;
}

static void write_all(void *opaque)
{
	struct net_dump *dump = opaque;
	bool told = false;

	pthread_mutex_lock(&dump->lock);
	for (;;) {
		while (!dump->used && !dump->end)
			pthread_cond_wait(&dump->work, &dump->lock);
		if (!dump->used)
			break;
		write_locked(dump);
		if (atomic_load(&dump->lost) && !told) {
			told = true;
			log_warning("capture file '%s' lacks frames: the disk is too slow",
				    dump->path);
		}
	}
	pthread_mutex_unlock(&dump->lock);
}

DATA_PATH static void record(struct net_dump *dump, const struct iovec *iov, unsigned count,
			     size_t len)
{
	uint64_t now = sys_realtime_ns();
	struct pcap_record head = {
		.seconds = (uint32_t)(now / 1000000000),
		.nanoseconds = (uint32_t)(now % 1000000000),
		.kept_len = (uint32_t)(len < dump->max_len ? len : dump->max_len),
		.len = (uint32_t)len,
	};

	if (len > PCAP_MAX_LEN)
		return;
	pthread_mutex_lock(&dump->lock);
	if (dump->failed || sizeof(head) + head.kept_len > BUFFER_LEN - dump->used) {
		atomic_fetch_add(&dump->lost, 1);
	} else {
		memcpy(dump->filling + dump->used, &head, sizeof(head));
		dump->used += sizeof(head);
		dump->used +=
			iov_copy_out(iov, count, 0, dump->filling + dump->used, head.kept_len);
	}
	pthread_mutex_unlock(&dump->lock);
}

/* NOLINTNEXTLINE(readability-non-const-parameter): the type is the caller's */
static void before_wait(void *opaque, uint64_t *deadline_ns)
{
	struct net_dump *dump = opaque;

	(void)deadline_ns;
	pthread_mutex_lock(&dump->lock);
	if (dump->used)
		pthread_cond_signal(&dump->work);
	pthread_mutex_unlock(&dump->lock);
}

/* ---- between the inner back end and the card ---- */

static void inner_readable(void *opaque, unsigned queue)
{
	struct net_dump *dump = opaque;

	dump->front->readable(dump->opaque, queue);
}

static void inner_writable(void *opaque, unsigned queue)
{
	struct net_dump *dump = opaque;

	dump->front->writable(dump->opaque, queue);
}

static void inner_link_changed(void *opaque, bool up)
{
	struct net_dump *dump = opaque;

	dump->base.link_up = up;
	dump->front->link_changed(dump->opaque, up);
}

static const struct net_front dump_front = {
	.readable = inner_readable,
	.writable = inner_writable,
	.link_changed = inner_link_changed,
};

static void start_on_loop(void *opaque)
{
	struct net_dump *dump = opaque;

	io_prepare_add(dump->loop, &dump->prepare);
}

static void stop_on_loop(void *opaque)
{
	struct net_dump *dump = opaque;

	io_prepare_remove(dump->loop, &dump->prepare);
	/* What came since the loop last waited. */
	before_wait(dump, NULL);
}

static bool dump_attach(struct net_backend *net, struct io_loop *loop,
			const struct net_front *front, void *opaque, GError **error)
{
	struct net_dump *dump = dump_of(net);

	dump->loop = loop;
	dump->front = front;
	dump->opaque = opaque;
	dump->prepare = (struct io_prepare){ .fn = before_wait, .opaque = dump };
	io_loop_call(loop, start_on_loop, dump);
	if (net_attach(dump->inner, loop, &dump_front, dump, error)) {
		net->link_up = dump->inner->link_up;
		return true;
	}
	io_loop_call(loop, stop_on_loop, dump);
	return false;
}

static void dump_detach(struct net_backend *net)
{
	struct net_dump *dump = dump_of(net);

	net_detach(dump->inner);
	io_loop_call(dump->loop, stop_on_loop, dump);
	dump->loop = NULL;
}

static void dump_configure(struct net_backend *net, unsigned offloads, unsigned queues)
{
	struct net_dump *dump = dump_of(net);

	dump->inner->ops->configure(dump->inner, offloads, queues);
}

static int dump_send(struct net_backend *net, unsigned queue, const struct net_header *header,
		     const struct iovec *iov, unsigned count)
{
	struct net_dump *dump = dump_of(net);
	int r = dump->inner->ops->send(dump->inner, queue, header, iov, count);

	if (r == 0)
		record(dump, iov, count, iov_len(iov, count));
	return r;
}

static void dump_forget(struct net_backend *net, unsigned queue)
{
	struct net_backend *inner = dump_of(net)->inner;

	if (inner->ops->forget)
		inner->ops->forget(inner, queue);
}

static ssize_t dump_receive(struct net_backend *net, unsigned queue, struct net_header *ret_header,
			    const struct iovec *iov, unsigned count)
{
	struct net_dump *dump = dump_of(net);
	ssize_t n = dump->inner->ops->receive(dump->inner, queue, ret_header, iov, count);

	if (n >= 0)
		record(dump, iov, count, (size_t)n);
	return n;
}

static void dump_free(struct net_backend *net)
{
	struct net_dump *dump = dump_of(net);

	net_free(dump->inner);
	pthread_mutex_lock(&dump->lock);
	dump->end = true;
	pthread_cond_signal(&dump->work);
	pthread_mutex_unlock(&dump->lock);
	thread_join(dump->writer);
	pthread_mutex_destroy(&dump->lock);
	pthread_cond_destroy(&dump->work);
	g_free(dump->filling);
	g_free(dump->writing);
	fd_autoclose(&dump->fd);
	g_free(dump->path);
	g_free(dump);
}

static char *dump_describe(struct net_backend *net)
{
	struct net_dump *dump = dump_of(net);
	g_autofree char *inner = net_describe(dump->inner);

	unsigned lost = atomic_load(&dump->lost);

	if (lost)
		return g_strdup_printf("%s, captured in '%s' but for %u frames", inner, dump->path,
				       lost);
	return g_strdup_printf("%s, captured in '%s'", inner, dump->path);
}

static const struct net_ops dump_ops = {
	.type = "dump",
	.attach = dump_attach,
	.detach = dump_detach,
	.configure = dump_configure,
	.send = dump_send,
	.forget = dump_forget,
	.receive = dump_receive,
	.free = dump_free,
	.describe = dump_describe,
};

struct net_backend *net_dump_inner(struct net_backend *net)
{
	while (net->ops == &dump_ops)
		net = dump_of(net)->inner;
	return net;
}

struct net_backend *net_dump_new(struct net_backend *inner, const char *path, unsigned max_len,
				 GError **error)
{
	struct pcap_header header = {
		.magic = PCAP_MAGIC_NS,
		.major = PCAP_MAJOR,
		.minor = PCAP_MINOR,
		.max_len = PCAP_MAX_LEN,
		.link_type = PCAP_ETHERNET,
	};
	autoptr(net_backend) owned = inner;
	struct net_dump *dump;
	autofd int fd = -1;
	ssize_t n;

	fd = sys_open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	if (fd < 0) {
		error_sys(error, fd, "cannot create capture file '%s'", path);
		return NULL;
	}
	if (max_len == 0 || max_len > PCAP_MAX_LEN)
		max_len = PCAP_MAX_LEN;
	header.max_len = max_len;
	n = sys_write_full(fd, &header, sizeof(header));
	if (n < 0) {
		error_sys(error, (int)n, "cannot write capture file '%s'", path);
		return NULL;
	}
	dump = g_new(struct net_dump, 1);
	*dump = (struct net_dump){
		.base = { .ops = &dump_ops,
			  .queues = inner->queues,
			  .offloads = inner->offloads,
			  .mtu = inner->mtu,
			  .link_up = inner->link_up },
		.inner = g_steal_pointer(&owned),
		.path = g_strdup(path),
		.fd = fd_steal(&fd),
		.max_len = max_len,
		.written = sizeof(header),
		.lock = PTHREAD_MUTEX_INITIALIZER,
		.work = PTHREAD_COND_INITIALIZER,
		.filling = g_malloc(BUFFER_LEN),
		.writing = g_malloc(BUFFER_LEN),
	};
	owned = &dump->base;
	dump->writer = thread_start("capture", write_all, dump, error);
	return dump->writer ? g_steal_pointer(&owned) : NULL;
}
