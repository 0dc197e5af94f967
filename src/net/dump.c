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
 * goes on without it. When a write does not come back, the capture is left to its thread, and
 * nobody waits for it for long, not even at the end.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "base/aside.h"
#include "base/error.h"
#include "base/log.h"
#include "base/sys.h"
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

/* So long the main loop waits for the file's last bytes. */
static const uint64_t last_write_ns = 1000000000;

struct pcap_header {
	uint32_t magic;
	uint16_t major, minor;
	uint32_t zone, accuracy, max_len, link_type;
};

struct pcap_record {
	uint32_t seconds, nanoseconds, kept_len, len;
};

/* The file and its thread. */
struct capture {
	char *path;
	int fd;
	uint64_t written; /* [thread] bytes of the file that are whole records */
	atomic_uint lost; /* frames for which there was no room */

	pthread_mutex_t lock; /* of what follows; not held while the file is written */
	pthread_cond_t work;
	bool end, failed;
	uint8_t *filling, *writing;
	size_t used; /* of the one that is filled */
};

struct net_dump {
	struct net_backend base;
	struct net_backend *inner;
	size_t max_len;

	struct io_loop *loop;
	const struct net_front *front;
	void *opaque;
	struct io_prepare prepare;

	struct capture *capture; /* belongs to its thread */
	struct aside *writer;
};

static struct net_dump *dump_of(struct net_backend *net)
{
	return container_of(net, struct net_dump, base);
}

/* ---- the file ---- */

static void give_up(struct capture *capture, int err)
{
	(void)sys_ftruncate(capture->fd, (off_t)capture->written);
	/* The one message that there is. */
	log_warning("capture file '%s' ends here: %s", capture->path, g_strerror(-err));
}

/* Write what has gathered; the lock is held, but for the writing. */
static void write_locked(struct capture *capture)
{
	uint8_t *data = capture->filling;
	size_t len = capture->used;
	ssize_t n;

	capture->filling = capture->writing;
	capture->writing = data;
	capture->used = 0;
	pthread_mutex_unlock(&capture->lock);
	n = sys_write_full(capture->fd, data, len);
	if (n >= 0)
		capture->written += len;
	else
		give_up(capture, (int)n);
	pthread_mutex_lock(&capture->lock);
	capture->failed |= n < 0;
	/* What has gathered meanwhile would stand behind the end. */
	if (capture->failed)
		capture->used = 0;
}

static void write_all(void *opaque)
{
	struct capture *capture = opaque;
	bool told = false;

	pthread_mutex_lock(&capture->lock);
	for (;;) {
		while (!capture->used && !capture->end)
			pthread_cond_wait(&capture->work, &capture->lock);
		if (!capture->used)
			break;
		write_locked(capture);
		if (atomic_load(&capture->lost) && !told) {
			told = true;
			log_warning("capture file '%s' lacks frames: the disk is too slow",
				    capture->path);
		}
	}
	pthread_mutex_unlock(&capture->lock);
}

static void capture_free(void *opaque)
{
	struct capture *capture = opaque;

	pthread_mutex_destroy(&capture->lock);
	pthread_cond_destroy(&capture->work);
	g_free(capture->filling);
	g_free(capture->writing);
	fd_autoclose(&capture->fd);
	g_free(capture->path);
	g_free(capture);
}

DATA_PATH static void record(struct net_dump *dump, const struct iovec *iov, unsigned count,
			     size_t len)
{
	struct capture *capture = dump->capture;
	uint64_t now = sys_realtime_ns();
	struct pcap_record head = {
		.seconds = (uint32_t)(now / 1000000000),
		.nanoseconds = (uint32_t)(now % 1000000000),
		.kept_len = (uint32_t)(len < dump->max_len ? len : dump->max_len),
		.len = (uint32_t)len,
	};

	if (len > PCAP_MAX_LEN)
		return;
	pthread_mutex_lock(&capture->lock);
	if (capture->failed || sizeof(head) + head.kept_len > BUFFER_LEN - capture->used) {
		atomic_fetch_add(&capture->lost, 1);
	} else {
		memcpy(capture->filling + capture->used, &head, sizeof(head));
		capture->used += sizeof(head);
		capture->used += iov_copy_out(iov, count, 0, capture->filling + capture->used,
					      head.kept_len);
	}
	pthread_mutex_unlock(&capture->lock);
}

static void wake(struct capture *capture, bool end)
{
	pthread_mutex_lock(&capture->lock);
	capture->end |= end;
	if (capture->used || capture->end)
		pthread_cond_signal(&capture->work);
	pthread_mutex_unlock(&capture->lock);
}

/* NOLINTNEXTLINE(readability-non-const-parameter): the type is the caller's */
static void before_wait(void *opaque, uint64_t *deadline_ns)
{
	struct net_dump *dump = opaque;

	(void)deadline_ns;
	wake(dump->capture, false);
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
	wake(dump->capture, true);
	if (!aside_wait(dump->writer, sys_monotonic_ns() + last_write_ns))
		log_warning("capture file '%s' may lack its end: the disk does not answer",
			    dump->capture->path);
	aside_drop(dump->writer);
	g_free(dump);
}

static char *dump_describe(struct net_backend *net)
{
	struct net_dump *dump = dump_of(net);
	g_autofree char *inner = net_describe(dump->inner);
	const unsigned lost = atomic_load(&dump->capture->lost);

	if (lost)
		return g_strdup_printf("%s, captured in '%s' but for %u frames", inner,
				       dump->capture->path, lost);
	return g_strdup_printf("%s, captured in '%s'", inner, dump->capture->path);
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

/* The file, with its header. */
static struct capture *capture_new(const char *path, uint32_t max_len, GError **error)
{
	const struct pcap_header header = {
		.magic = PCAP_MAGIC_NS,
		.major = PCAP_MAJOR,
		.minor = PCAP_MINOR,
		.max_len = max_len,
		.link_type = PCAP_ETHERNET,
	};
	struct capture *capture;
	autofd int fd = sys_open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	ssize_t n;

	if (fd < 0) {
		error_sys(error, fd, "cannot create capture file '%s'", path);
		return NULL;
	}
	n = sys_write_full(fd, &header, sizeof(header));
	if (n < 0) {
		error_sys(error, (int)n, "cannot write capture file '%s'", path);
		return NULL;
	}
	capture = g_new(struct capture, 1);
	*capture = (struct capture){
		.path = g_strdup(path),
		.fd = fd_steal(&fd),
		.written = sizeof(header),
		.lock = PTHREAD_MUTEX_INITIALIZER,
		.work = PTHREAD_COND_INITIALIZER,
		.filling = g_malloc(BUFFER_LEN),
		.writing = g_malloc(BUFFER_LEN),
	};
	return capture;
}

struct net_backend *net_dump_new(struct net_backend *inner, const char *path, unsigned max_len,
				 GError **error)
{
	autoptr(net_backend) owned = inner;
	struct capture *capture;
	struct aside *writer;
	struct net_dump *dump;

	if (max_len == 0 || max_len > PCAP_MAX_LEN)
		max_len = PCAP_MAX_LEN;
	capture = capture_new(path, max_len, error);
	if (!capture)
		return NULL;
	writer = aside_start(
		&(struct aside_work){
			.name = "capture", .fn = write_all, .free = capture_free, .arg = capture },
		error);
	if (!writer) {
		capture_free(capture);
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
		.max_len = max_len,
		.capture = capture,
		.writer = writer,
	};
	return &dump->base;
}
