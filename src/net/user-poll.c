/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * user-poll.c - user mode networking: libslirp's descriptors and times on the card's loop
 *
 * libslirp thinks in rounds: tell what to wait for (fill), wait, look at what happened (poll).
 * Before the loop waits, fill is called if libslirp was called since (`changed`). What it wants of
 * a descriptor becomes a watch. A wish that has gone leaves its watch alone until it really fires:
 * libslirp stops and starts to read a socket with each window of data.
 *
 * What fires is noted (`revents`, `happened`), and libslirp is asked to look by a timer that is
 * due at once: after all events of this round, and outside of any call of the card. It is the card's
 * frames that come of this, so the same place tells the card. A timer can be taken back, which a
 * posted call cannot.
 *
 * A descriptor that libslirp closes is unregistered first, so its number may come again.
 *
 * While the guest leaves many frames in the ring (`throttled`), sockets are not read: the kernel's
 * buffers fill, and TCP slows the sender.
 */
#include <poll.h>
#include <string.h>

#include "base/bytes.h"
#include "base/sys.h"
#include "net/user-int.h"

enum {
	IDLE_TIMEOUT_MS = 1000,

	PROTO_ICMP = 1,
	PROTO_TCP = 6,
	TCP_FLAGS = 13,
	TCP_SYN = 0x02,
	TCP_ACK = 0x10,
	PORT_BOOTP = 67,
};

static const uint64_t MS = 1000000;

void user_poll_soon(struct net_user *user)
{
	if (user->loop)
		io_timer_set(user->loop, &user->timer, 0);
}

void user_poll_changed(struct net_user *user)
{
	user->changed = true;
}

/* ---- descriptors ---- */

static unsigned events_to_poll(int events)
{
	unsigned r = 0;

	if (events & SLIRP_POLL_IN)
		r |= POLLIN;
	if (events & SLIRP_POLL_OUT)
		r |= POLLOUT;
	if (events & SLIRP_POLL_PRI)
		r |= POLLPRI;
	if (events & SLIRP_POLL_ERR)
		r |= POLLERR;
	if (events & SLIRP_POLL_HUP)
		r |= POLLHUP;
	return r;
}

static int events_from_poll(unsigned events)
{
	int r = 0;

	if (events & POLLIN)
		r |= SLIRP_POLL_IN;
	if (events & POLLOUT)
		r |= SLIRP_POLL_OUT;
	if (events & POLLPRI)
		r |= SLIRP_POLL_PRI;
	if (events & POLLERR)
		r |= SLIRP_POLL_ERR;
	if (events & POLLHUP)
		r |= SLIRP_POLL_HUP;
	return r;
}

static void unwatch(struct user_fd *fd)
{
	if (fd->watched)
		io_watch_remove(fd->user->loop, &fd->watch);
	fd->watched = false;
	fd->events = 0;
}

static void fd_event(void *opaque, unsigned events)
{
	struct user_fd *fd = opaque;
	unsigned hits = fd->wanted ? events & (fd->wanted | POLLERR | POLLHUP) : 0;

	if (hits) {
		fd->revents |= hits;
		fd->user->happened = true;
		user_poll_soon(fd->user);
	} else if (fd->wanted) {
		fd->events = fd->wanted;
		io_watch_set(fd->user->loop, &fd->watch, fd->events);
	} else {
		/* Also errors nobody asks for would come again and again. */
		unwatch(fd);
	}
}

static struct user_fd *find_fd(struct net_user *user, int number)
{
	if (number < 0 || (unsigned)number >= user->fd_room)
		return NULL;
	return user->fds[number];
}

/* Called once for each descriptor that is new, not for each frame. */
static struct user_fd *make_fd(struct net_user *user, int number)
{
	struct user_fd *fd;

	if (number < 0 || number >= USER_MAX_FDS)
		return NULL;
	if ((unsigned)number >= user->fd_room) {
		unsigned room = MAX(64, user->fd_room);

		while (room <= (unsigned)number)
			room *= 2;
		user->fds = g_renew(struct user_fd *, user->fds, room);
		memset(user->fds + user->fd_room, 0,
		       (room - user->fd_room) * sizeof(struct user_fd *));
		user->fd_room = room;
	}
	if (!user->fds[number]) {
		fd = g_new(struct user_fd, 1);
		*fd = (struct user_fd){
			.watch = { .fd = number, .fn = fd_event, .opaque = fd },
			.user = user,
		};
		user->fds[number] = fd;
	}
	return user->fds[number];
}

static int add_poll(int number, int events, void *opaque)
{
	struct net_user *user = opaque;
	struct user_fd *fd = make_fd(user, number);
	unsigned wanted = events_to_poll(events);

	/* More connections than that wait until others have ended. */
	if (!fd)
		return -1;
	if (user->throttled)
		wanted &= ~(unsigned)(POLLIN | POLLPRI | POLLHUP | POLLERR);
	user->sockets++;
	fd->wanted = wanted;
	fd->round = user->round;
	return number;
}

static int get_revents(int number, void *opaque)
{
	struct user_fd *fd = find_fd(opaque, number);
	unsigned revents;

	if (!fd)
		return 0;
	revents = fd->revents;
	fd->revents = 0;
	return events_from_poll(revents);
}

static void fill(struct net_user *user)
{
	uint32_t timeout_ms = UINT32_MAX;

	user->changed = false;
	user->throttled = user_ring_used(&user->ring) >= USER_RING_HIGH;
	user->round++;
	user->sockets = 0;
	slirp_pollfds_fill(user->slirp, &timeout_ms, add_poll, user);
	for (unsigned i = 0; i < user->fd_room; i++) {
		struct user_fd *fd = user->fds[i];

		if (!fd)
			continue;
		if (fd->round != user->round)
			fd->wanted = 0;
		if (!(fd->wanted & ~fd->events))
			continue;
		fd->events |= fd->wanted;
		if (fd->watched)
			io_watch_set(user->loop, &fd->watch, fd->events);
		else
			io_watch_add(user->loop, &fd->watch, fd->events);
		fd->watched = true;
	}
	/* It never says that there is nothing to wait for, but this. */
	user->idle = timeout_ms >= IDLE_TIMEOUT_MS;
	user->poll_deadline_ns = IO_TIMER_NEVER;
	if (!user->idle)
		user->poll_deadline_ns = io_loop_now_ns(user->loop) + timeout_ms * MS;
}

static void poll_slirp(struct net_user *user)
{
	user->happened = false;
	user->idle = false;
	slirp_pollfds_poll(user->slirp, 0, get_revents, user);
	user->changed = true;
}

/* Might libslirp open a socket for this frame? DHCP is served without. */
static bool opens_socket(const struct net_packet *packet, const uint8_t *frame)
{
	const uint8_t *transport = frame + packet->transport;

	if (packet->protocol == PROTO_TCP)
		return (transport[TCP_FLAGS] & (TCP_SYN | TCP_ACK)) == TCP_SYN;
	return get_be16(transport + 2) != PORT_BOOTP;
}

/* Its other protocols over IPv4: a socket for each ping's identifier. */
static bool is_ping(const uint8_t *frame, size_t len)
{
	return len > NET_ETHER_LEN + 9 && get_be16(frame + 12) == 0x0800 &&
	       frame[NET_ETHER_LEN + 9] == PROTO_ICMP;
}

void user_poll_input(struct net_user *user, const uint8_t *frame, size_t len)
{
	struct net_packet packet;
	bool parsed = net_packet_parse(&packet, frame, len);

	if (user->sockets >= user->socket_limit &&
	    (parsed ? opens_socket(&packet, frame) : is_ping(frame, len)))
		return;
	/* It knows the time as of its last round. */
	if (user->idle)
		poll_slirp(user);
	slirp_input(user->slirp, frame, (int)len);
	/* What waits for a neighbour's address goes out in a round, not with the answer. */
	if (!parsed)
		user->happened = true;
	user->changed = true;
}

/* ---- times ---- */

static void timer_due(void *opaque)
{
	struct net_user *user = opaque;
	uint64_t now = io_loop_now_ns(user->loop);

	if (now >= user->ra_deadline_ns) {
		user->ra_deadline_ns = IO_TIMER_NEVER;
		slirp_handle_timer(user->slirp, SLIRP_TIMER_RA, NULL);
		user->changed = true;
	}
	if (user->happened || now >= user->poll_deadline_ns)
		poll_slirp(user);
	if (user->waiting && !user_ring_empty(&user->ring)) {
		user->waiting = false;
		user->front->readable(user->opaque, 0);
	}
}

/* NOLINTNEXTLINE(readability-non-const-parameter): the type is the caller's */
static void before_wait(void *opaque, uint64_t *deadline_ns)
{
	struct net_user *user = opaque;
	uint64_t due;

	(void)deadline_ns;
	if (user->changed)
		fill(user);
	due = MIN(user->poll_deadline_ns, user->ra_deadline_ns);
	if (user->happened || (user->waiting && !user_ring_empty(&user->ring)))
		due = 0;
	io_timer_set(user->loop, &user->timer, due);
}

void user_poll_start(struct net_user *user)
{
	user->timer = (struct io_timer){ .fn = timer_due, .opaque = user };
	user->prepare = (struct io_prepare){ .fn = before_wait, .opaque = user };
	user->changed = true;
	io_timer_add(user->loop, &user->timer);
	io_prepare_add(user->loop, &user->prepare);
	/* The time of its last look may be long ago. */
	poll_slirp(user);
}

void user_poll_stop(struct net_user *user)
{
	for (unsigned i = 0; i < user->fd_room; i++) {
		if (user->fds[i])
			unwatch(user->fds[i]);
		g_clear_pointer(&user->fds[i], g_free);
	}
	g_clear_pointer(&user->fds, g_free);
	user->fd_room = 0;
	user->happened = false;
	io_prepare_remove(user->loop, &user->prepare);
	io_timer_remove(user->loop, &user->timer);
}

/* ---- what libslirp calls ---- */

static ssize_t on_packet(const void *buf, size_t len, void *opaque)
{
	user_push(opaque, buf, len);
	return (ssize_t)len;
}

/* A guest could write as many as it likes. */
static void on_guest_error(const char *msg, void *opaque)
{
	(void)msg;
	(void)opaque;
}

static int64_t on_clock(void *opaque)
{
	struct net_user *user = opaque;

	return (int64_t)(user->loop ? io_loop_now_ns(user->loop) : sys_monotonic_ns());
}

/* There is one timer, for router advertisements. */
static void *on_timer_new(SlirpTimerId id, void *cb_opaque, void *opaque)
{
	(void)id;
	(void)cb_opaque;
	return opaque;
}

static void on_timer_free(void *timer, void *opaque)
{
	struct net_user *user = opaque;

	(void)timer;
	user->ra_deadline_ns = IO_TIMER_NEVER;
}

static void on_timer_mod(void *timer, int64_t expire_ms, void *opaque)
{
	struct net_user *user = opaque;

	(void)timer;
	user->ra_deadline_ns = expire_ms > 0 ? (uint64_t)expire_ms * MS : 0;
}

static void on_register(int fd, void *opaque)
{
	struct net_user *user = opaque;

	(void)fd;
	user->sockets++; /* until the next fill counts them */
	user_poll_changed(user);
}

static void on_unregister(int number, void *opaque)
{
	struct net_user *user = opaque;
	struct user_fd *fd = find_fd(user, number);

	user_poll_changed(user);
	if (!fd)
		return;
	unwatch(fd);
	g_clear_pointer(&user->fds[number], g_free);
}

/* The guest has made room in a socket's buffer. */
static void on_notify(void *opaque)
{
	user_poll_changed(opaque);
}

const SlirpCb user_slirp_callbacks = {
	.send_packet = on_packet,
	.guest_error = on_guest_error,
	.clock_get_ns = on_clock,
	.timer_new_opaque = on_timer_new,
	.timer_free = on_timer_free,
	.timer_mod = on_timer_mod,
	.register_poll_fd = on_register,
	.unregister_poll_fd = on_unregister,
	.notify = on_notify,
};
