/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tap.c - a network card of the host's kernel, whose other end is the guest's card
 *
 * A queue is a descriptor of /dev/net/tun. With IFF_VNET_HDR a frame is preceded by struct
 * net_header as the guest made it, so checksums and segments are left to the kernel, which checks
 * headers itself; frames go from and to the guest's buffers in one system call each. Without it
 * (an old descriptor that was handed in) offload.h does the work.
 *
 * A queue's watch asks for input only after receive() has found nothing, so a guest without
 * buffers costs nothing, and input is asked for again as soon as it has some (lesson 19 of
 * virtio devices: a queue that fell asleep for ever).
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>

#include "base/error.h"
#include "base/sys.h"
#include "net/net.h"
#include "net/offload.h"

enum {
	MAX_IOV = 64, /* longer lists go through a buffer */
	MAX_DROPS = 16,
	HEADER_LEN = sizeof(struct net_header),
};

static_assert(sizeof(struct net_header) == 12, "the header is virtio's");

struct tap_queue {
	struct net_tap *tap;
	unsigned index;
	int fd;
	struct io_watch watch;
	unsigned events;
	bool rx_waiting, tx_waiting;
	unsigned sent; /* segments of the frame that waits */
	bool enabled;
};

struct net_tap {
	struct net_backend base;
	char ifname[IFNAMSIZ];
	bool vnet_hdr;

	struct io_loop *loop;
	const struct net_front *front;
	void *opaque;

	struct tap_queue queues[NET_MAX_QUEUES];
	struct net_offload offload;
	uint8_t bounce[NET_MAX_FRAME];
};

static struct net_tap *tap_of(struct net_backend *net)
{
	return container_of(net, struct net_tap, base);
}

/* ---- frames ---- */

DATA_PATH static void set_events(struct tap_queue *queue)
{
	unsigned events = (queue->rx_waiting ? POLLIN : 0u) | (queue->tx_waiting ? POLLOUT : 0u);

	if (events != queue->events)
		io_watch_set(queue->tap->loop, &queue->watch, events);
	queue->events = events;
}

/* 0, or -EAGAIN. What else the kernel has against a frame, it is lost. */
DATA_PATH static int write_iov(struct tap_queue *queue, const struct iovec *iov, unsigned count)
{
	return sys_writev(queue->fd, iov, (int)count) == -EAGAIN ? -EAGAIN : 0;
}

/* NOLINTNEXTLINE(readability-non-const-parameter): the type is the caller's */
DATA_PATH static int write_frame(void *opaque, uint8_t *frame, size_t len)
{
	const struct iovec iov = { frame, len };

	return write_iov(opaque, &iov, 1);
}

DATA_PATH static int write_with_header(struct tap_queue *queue, const struct net_header *header,
				       const struct iovec *iov, unsigned count, size_t len)
{
	struct net_header copy = *header;
	struct iovec all[1 + MAX_IOV];

	/* The guest's to write, ours to hand on: not for the kernel. */
	copy.num_buffers = 0;
	all[0] = (struct iovec){ &copy, HEADER_LEN };
	if (count > MAX_IOV) {
		(void)iov_copy_out(iov, count, 0, queue->tap->bounce, len);
		all[1] = (struct iovec){ queue->tap->bounce, len };
		return write_iov(queue, all, 2);
	}
	memcpy(all + 1, iov, count * sizeof(*iov));
	return write_iov(queue, all, count + 1);
}

DATA_PATH static int tap_send(struct net_backend *net, unsigned index,
			      const struct net_header *header, const struct iovec *iov,
			      unsigned count)
{
	struct net_tap *tap = tap_of(net);
	struct tap_queue *queue = &tap->queues[index];
	size_t len = iov_len(iov, count);
	int r;

	if (len > NET_MAX_FRAME || len < NET_ETHER_LEN)
		return 0;
	if (tap->vnet_hdr) {
		r = write_with_header(queue, header, iov, count, len);
	} else if (net_offload_needed(header) || count > MAX_IOV) {
		r = net_offload_run(&tap->offload, header, iov, count, write_frame, queue,
				    &queue->sent);
	} else {
		r = write_iov(queue, iov, count);
	}
	if (r != -EAGAIN)
		return 0;
	queue->tx_waiting = true;
	set_events(queue);
	return r;
}

DATA_PATH static void tap_forget(struct net_backend *net, unsigned queue)
{
	tap_of(net)->queues[queue].sent = 0;
}

/* One frame: its length, more than @room if it was longer, or -errno. */
DATA_PATH static ssize_t read_one(struct tap_queue *queue, struct net_header *header,
				  const struct iovec *iov, unsigned count, size_t room)
{
	struct net_tap *tap = queue->tap;
	size_t header_len = tap->vnet_hdr ? HEADER_LEN : 0;
	struct iovec all[2 + MAX_IOV];
	uint8_t beyond; /* the kernel cuts what does not fit and does not say so */
	unsigned n = 0;
	ssize_t len;

	if (header_len)
		all[n++] = (struct iovec){ header, header_len };
	if (count > MAX_IOV) {
		all[n++] =
			(struct iovec){ tap->bounce,
					room < sizeof(tap->bounce) ? room : sizeof(tap->bounce) };
	} else {
		memcpy(all + n, iov, count * sizeof(*iov));
		n += count;
	}
	all[n++] = (struct iovec){ &beyond, 1 };
	len = sys_readv(queue->fd, all, (int)n);
	if (len < 0)
		return len;
	if ((size_t)len < header_len)
		return 0;
	len -= (ssize_t)header_len;
	if (count > MAX_IOV && (size_t)len <= room)
		(void)iov_copy_in(iov, count, 0, tap->bounce, (size_t)len);
	return len;
}

DATA_PATH static ssize_t tap_receive(struct net_backend *net, unsigned index,
				     struct net_header *ret_header, const struct iovec *iov,
				     unsigned count)
{
	struct tap_queue *queue = &tap_of(net)->queues[index];
	size_t room = iov_len(iov, count);

	for (unsigned i = 0; i < MAX_DROPS; i++) {
		struct net_header header = { 0 };
		ssize_t n = read_one(queue, &header, iov, count, room);

		if (n >= NET_ETHER_LEN && (size_t)n <= room) {
			header.num_buffers = 0;
			*ret_header = header;
			return n;
		}
		if (n < 0)
			break;
	}
	queue->rx_waiting = true;
	set_events(queue);
	return -EAGAIN;
}

DATA_PATH static void queue_event(void *opaque, unsigned events)
{
	struct tap_queue *queue = opaque;
	struct net_tap *tap = queue->tap;

	/* The interface is gone or its queue is off: nothing will come, and all that goes is lost. */
	if ((events & (POLLERR | POLLHUP)) && !(events & (POLLIN | POLLOUT))) {
		queue->rx_waiting = false;
		events = POLLOUT;
	}
	if (queue->tx_waiting && (events & POLLOUT)) {
		queue->tx_waiting = false;
		tap->front->writable(tap->opaque, queue->index);
	}
	if (queue->rx_waiting && (events & POLLIN)) {
		queue->rx_waiting = false;
		tap->front->readable(tap->opaque, queue->index);
	}
	set_events(queue);
}

/* ---- ops ---- */

static void start_on_loop(void *opaque)
{
	struct net_tap *tap = opaque;

	for (unsigned i = 0; i < tap->base.queues; i++) {
		struct tap_queue *queue = &tap->queues[i];

		queue->watch =
			(struct io_watch){ .fd = queue->fd, .fn = queue_event, .opaque = queue };
		queue->events = 0;
		queue->rx_waiting = false;
		queue->tx_waiting = false;
		queue->sent = 0;
		io_watch_add(tap->loop, &queue->watch, 0);
	}
}

static void stop_on_loop(void *opaque)
{
	struct net_tap *tap = opaque;

	for (unsigned i = 0; i < tap->base.queues; i++)
		io_watch_remove(tap->loop, &tap->queues[i].watch);
}

static bool tap_attach(struct net_backend *net, struct io_loop *loop, const struct net_front *front,
		       void *opaque, GError **error)
{
	struct net_tap *tap = tap_of(net);

	(void)error;
	tap->loop = loop;
	tap->front = front;
	tap->opaque = opaque;
	io_loop_call(loop, start_on_loop, tap);
	return true;
}

static void tap_detach(struct net_backend *net)
{
	struct net_tap *tap = tap_of(net);

	io_loop_call(tap->loop, stop_on_loop, tap);
	tap->loop = NULL;
}

static unsigned long offloads_to_tun(unsigned offloads)
{
	static const struct {
		unsigned ours;
		unsigned long tun;
	} names[] = {
		{ NET_OFFLOAD_CSUM, TUN_F_CSUM },
		{ NET_OFFLOAD_TSO4, TUN_F_TSO4 },
		{ NET_OFFLOAD_TSO6, TUN_F_TSO6 },
		{ NET_OFFLOAD_ECN, TUN_F_TSO_ECN },
		{ NET_OFFLOAD_UFO, TUN_F_UFO },
#ifdef TUN_F_USO4
		{ NET_OFFLOAD_USO, TUN_F_USO4 | TUN_F_USO6 },
#endif
	};
	unsigned long r = 0;

	/* Without checksums the kernel has nothing else to offer. */
	if (!(offloads & NET_OFFLOAD_CSUM))
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		r |= offloads & names[i].ours ? names[i].tun : 0;
	return r;
}

/* One queue of several may be switched off; the kernel then spreads frames over the others. */
static void enable_queue(struct tap_queue *queue, bool enable)
{
	struct ifreq req = { .ifr_flags = (short)(enable ? IFF_ATTACH_QUEUE : IFF_DETACH_QUEUE) };

	if (queue->enabled == enable)
		return;
	if (sys_ioctl(queue->fd, TUNSETQUEUE, &req) == 0)
		queue->enabled = enable;
}

static void tap_configure(struct net_backend *net, unsigned offloads, unsigned queues)
{
	struct net_tap *tap = tap_of(net);

	if (tap->vnet_hdr)
		(void)sys_ioctl_int(tap->queues[0].fd, TUNSETOFFLOAD, offloads_to_tun(offloads));
	for (unsigned i = 1; i < net->queues; i++)
		enable_queue(&tap->queues[i], i < queues);
}

static void tap_free(struct net_backend *net)
{
	struct net_tap *tap = tap_of(net);

	for (unsigned i = 0; i < NET_MAX_QUEUES; i++)
		fd_autoclose(&tap->queues[i].fd);
	g_free(tap);
}

static char *tap_describe(struct net_backend *net)
{
	struct net_tap *tap = tap_of(net);

	return g_strdup_printf("tap: %s, %u queue%s%s", tap->ifname, net->queues,
			       net->queues == 1 ? "" : "s", tap->vnet_hdr ? "" : ", no offloads");
}

static const struct net_ops tap_ops = {
	.type = "tap",
	.attach = tap_attach,
	.detach = tap_detach,
	.configure = tap_configure,
	.send = tap_send,
	.forget = tap_forget,
	.receive = tap_receive,
	.free = tap_free,
	.describe = tap_describe,
};

/* ---- opening ---- */

static bool explain_open(int err, GError **error)
{
	if (err == -ENOENT || err == -ENODEV)
		return error_set(error, SOCLE_ERROR_UNSUPPORTED,
				 "this host has no /dev/net/tun; load the module tun, or use "
				 "--net user");
	return error_sys(error, err, "cannot open /dev/net/tun");
}

static bool explain_denied(const char *ifname, unsigned queues, GError **error)
{
	return error_set(error, SOCLE_ERROR_DENIED,
			 "no permission to use tap '%s'; run as root, or have root run 'ip tuntap "
			 "add dev %s mode tap user %s%s', or use --net user",
			 ifname, ifname, g_get_user_name(), queues > 1 ? " multi_queue" : "");
}

static bool explain_iff(const char *ifname, unsigned queues, int err, GError **error)
{
	switch (err) {
	case -EPERM:
	case -EACCES:
		return explain_denied(ifname, queues, error);
	case -EBUSY:
		return error_set(
			error, SOCLE_ERROR_BUSY,
			"tap '%s' is in use by another program; choose another or end that "
			"program",
			ifname);
	case -EINVAL:
		if (if_nametoindex(ifname))
			return error_set(error, SOCLE_ERROR_USAGE,
					 "interface '%s' is not a tap%s; choose another name",
					 ifname,
					 queues > 1 ? " of several queues" : " of one queue");
		break;
	default:
		break;
	}
	return error_sys(error, err, "cannot make tap '%s'", ifname);
}

static bool open_queue(struct net_tap *tap, const struct net_tap_config *config, unsigned index,
		       GError **error)
{
	struct tap_queue *queue = &tap->queues[index];
	int flags = IFF_TAP | IFF_NO_PI;
	struct ifreq req = { 0 };
	int r;

	if (tap->vnet_hdr)
		flags |= IFF_VNET_HDR;
	if (tap->base.queues > 1)
		flags |= IFF_MULTI_QUEUE;
	queue->fd = sys_open("/dev/net/tun", O_RDWR | O_NONBLOCK, 0);
	if (queue->fd == -EACCES || queue->fd == -EPERM)
		return explain_denied(config->ifname ? config->ifname : "tap0", tap->base.queues,
				      error);
	if (queue->fd < 0)
		return explain_open(queue->fd, error);
	g_strlcpy(req.ifr_name, tap->ifname, sizeof(req.ifr_name));
	req.ifr_flags = (short)flags;
	r = sys_ioctl(queue->fd, TUNSETIFF, &req);
	if (r < 0)
		return explain_iff(*tap->ifname ? tap->ifname : "tap0", tap->base.queues, r, error);
	/* The first queue of an interface without a name has got one. */
	memcpy(tap->ifname, req.ifr_name, sizeof(tap->ifname));
	tap->ifname[sizeof(tap->ifname) - 1] = '\0';
	return true;
}

/* What the descriptor that we were handed can do. */
static bool take_fd(struct net_tap *tap, unsigned index, int fd, GError **error)
{
	struct tap_queue *queue = &tap->queues[index];
	struct ifreq req = { 0 };
	bool vnet_hdr;
	int r;

	queue->fd = fd;
	r = sys_ioctl(fd, TUNGETIFF, &req);
	if (r < 0)
		return error_set(error, SOCLE_ERROR_USAGE, "descriptor %d is not an open tap", fd);
	if (!(req.ifr_flags & IFF_TAP) || !(req.ifr_flags & IFF_NO_PI))
		return error_set(error, SOCLE_ERROR_USAGE,
				 "descriptor %d is not a tap without packet information; open it "
				 "with IFF_TAP and IFF_NO_PI",
				 fd);
	r = sys_set_nonblock(fd);
	if (r < 0)
		return error_sys(error, r, "cannot use descriptor %d", fd);
	vnet_hdr = req.ifr_flags & IFF_VNET_HDR;
	if (index > 0 && vnet_hdr != tap->vnet_hdr)
		return error_set(error, SOCLE_ERROR_USAGE,
				 "descriptors of one tap must all have IFF_VNET_HDR, or none");
	tap->vnet_hdr = vnet_hdr;
	memcpy(tap->ifname, req.ifr_name, sizeof(tap->ifname));
	tap->ifname[sizeof(tap->ifname) - 1] = '\0';
	return true;
}

static bool set_header(struct net_tap *tap, unsigned index, GError **error)
{
	int len = HEADER_LEN, little = 1, fd = tap->queues[index].fd, r;

	if (!tap->vnet_hdr)
		return true;
	r = sys_ioctl(fd, TUNSETVNETHDRSZ, &len);
	if (r == 0)
		r = sys_ioctl(fd, TUNSETVNETLE, &little);
	if (r == 0 && index == 0)
		r = sys_ioctl_int(fd, TUNSETOFFLOAD, 0);
	if (r < 0)
		return error_sys(error, r, "tap '%s' has no headers of virtio 1", tap->ifname);
	return true;
}

/* What the kernel will do for a driver, found out before anybody asks for it. */
static unsigned probe_offloads(struct net_tap *tap)
{
	const unsigned base =
		NET_OFFLOAD_CSUM | NET_OFFLOAD_TSO4 | NET_OFFLOAD_TSO6 | NET_OFFLOAD_ECN;
	static const unsigned more[] = { NET_OFFLOAD_USO };
	int fd = tap->queues[0].fd;
	unsigned r = base;

	if (!tap->vnet_hdr)
		return 0;
	if (sys_ioctl_int(fd, TUNSETOFFLOAD, offloads_to_tun(base)) < 0)
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(more); i++) {
		unsigned long with = offloads_to_tun(r | more[i]);

		if (with != offloads_to_tun(r) && sys_ioctl_int(fd, TUNSETOFFLOAD, with) == 0)
			r |= more[i];
	}
	(void)sys_ioctl_int(fd, TUNSETOFFLOAD, 0);
	return r;
}

/* Up it goes, and into its bridge. A tap that root made for us is not ours to change. */
static bool bring_up(struct net_tap *tap, const char *bridge, GError **error)
{
	autofd int fd = sys_socket(AF_INET, SOCK_DGRAM, 0);
	struct ifreq req = { 0 };
	int r;

	if (fd < 0)
		return error_sys(error, fd, "cannot make a socket");
	if (bridge) {
		if (strlen(bridge) >= IFNAMSIZ || !if_nametoindex(bridge))
			return error_set(
				error, SOCLE_ERROR_NOT_FOUND,
				"there is no bridge '%s'; make it with 'ip link add %s type "
				"bridge'",
				bridge, bridge);
		g_strlcpy(req.ifr_name, bridge, sizeof(req.ifr_name));
		req.ifr_ifindex = (int)if_nametoindex(tap->ifname);
		r = sys_ioctl(fd, SIOCBRADDIF, &req);
		if (r == -EPERM)
			return error_set(error, SOCLE_ERROR_DENIED,
					 "no permission to join bridge '%s'; run as root, or have "
					 "root run 'ip link set %s master %s'",
					 bridge, tap->ifname, bridge);
		if (r == -EOPNOTSUPP)
			return error_set(error, SOCLE_ERROR_USAGE, "interface '%s' is not a bridge",
					 bridge);
		/* It is in a bridge already. */
		if (r < 0 && r != -EBUSY)
			return error_sys(error, r, "cannot join bridge '%s'", bridge);
	}
	req = (struct ifreq){ 0 };
	g_strlcpy(req.ifr_name, tap->ifname, sizeof(req.ifr_name));
	if (sys_ioctl(fd, SIOCGIFFLAGS, &req) == 0 && !(req.ifr_flags & IFF_UP)) {
		req.ifr_flags = (short)(req.ifr_flags | IFF_UP);
		(void)sys_ioctl(fd, SIOCSIFFLAGS, &req);
	}
	return true;
}

/* The descriptor's number is told in messages only; the queues' are closed by tap_free(). */
static bool open_all(struct net_tap *tap, const struct net_tap_config *config, GError **error)
{
	const char *name = config->ifname;

	if (name && (!*name || strlen(name) >= IFNAMSIZ || strchr(name, '/') || strchr(name, '%')))
		return error_set(error, SOCLE_ERROR_USAGE,
				 "'%s' is not a name of an interface; choose one of 1 to %d "
				 "characters without '/' and '%%'",
				 name, IFNAMSIZ - 1);
	if (name)
		g_strlcpy(tap->ifname, name, sizeof(tap->ifname));
	for (unsigned i = 0; i < tap->base.queues; i++) {
		bool ok = config->fd_count ? take_fd(tap, i, config->fds[i], error)
					   : open_queue(tap, config, i, error);

		if (!ok || !set_header(tap, i, error))
			return false;
		tap->queues[i].enabled = true;
	}
	return config->fd_count || bring_up(tap, config->bridge, error);
}

struct net_backend *net_tap_new(const struct net_tap_config *config, GError **error)
{
	unsigned queues = config->fd_count ? config->fd_count : MAX(1, config->queues);
	autoptr(net_backend) net = NULL;
	struct net_tap *tap;

	if (queues > NET_MAX_QUEUES) {
		error_set(error, SOCLE_ERROR_LIMIT, "a tap has at most %d queues, not %u",
			  NET_MAX_QUEUES, queues);
		return NULL;
	}
	tap = g_new0(struct net_tap, 1);
	net = &tap->base;
	tap->base.ops = &tap_ops;
	tap->base.queues = queues;
	tap->base.link_up = true;
	tap->vnet_hdr = !config->no_vnet_hdr;
	for (unsigned i = 0; i < NET_MAX_QUEUES; i++) {
		tap->queues[i] = (struct tap_queue){ .tap = tap, .index = i, .fd = -1 };
		/* Taken over also if one of the others is refused. */
		if (i < config->fd_count)
			tap->queues[i].fd = config->fds[i];
	}
	if (!open_all(tap, config, error))
		return NULL;
	tap->base.offloads = probe_offloads(tap);
	return g_steal_pointer(&net);
}
