/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vnc.c - a screen for VNC clients: the side of the main loop
 *
 * The main loop draws the surface while there are clients, several times a second, and tells each
 * client's thread which rows have changed. The thread copies them and sends them when its client is
 * ready for it. What a client presses comes back through a queue.
 *
 *  (1) The main loop waits for a client's thread only to end, and then has shut its socket down.
 *  (2) A client whose queue is full waits until the main loop has its turn: it floods nobody.
 *  (3) Lock order: the surface's lock and the server's are never held together.
 *  (4) Who is not in within HANDSHAKE_MS is put out, and there are VNC_CLIENTS at most.
 */
#include "display/vnc.h"

#include <arpa/inet.h>
#include <errno.h>
#include <glib-unix.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/select.h>
#include <sys/socket.h>

#include "base/acceptor.h"
#include "base/error.h"
#include "base/log.h"
#include "base/sys.h"
#include "base/thread.h"
#include "display/vnc-int.h"

enum {
	LOOK_MS = 33,
	SLOW_LOOK_MS = 100, /* while nothing changes */
	SLOW_AFTER = 30,
	HANDSHAKE_MS = 10000,
};

static gboolean on_look(gpointer opaque);

/* ---- clients ---- */

static void wake(const struct vnc_client *client)
{
	const uint64_t one = 1;

	(void)sys_write(client->wake_fd, &one, sizeof(one));
}

static void put_out(struct vnc_client *client)
{
	struct vnc *vnc = client->vnc;

	pthread_mutex_lock(&vnc->lock);
	client->ending = true;
	pthread_mutex_unlock(&vnc->lock);
	(void)sys_shutdown(client->control_fd, SHUT_RDWR);
	wake(client);
}

static void client_free(gpointer opaque)
{
	struct vnc_client *client = opaque;

	if (client->thread)
		put_out(client);
	thread_join(client->thread);
	client->vnc->taken[client->slot] = false;
	fd_autoclose(&client->fd);
	fd_autoclose(&client->control_fd);
	fd_autoclose(&client->wake_fd);
	pthread_cond_destroy(&client->room);
	g_free(client);
}

static void find_address(struct vnc_client *client)
{
	struct sockaddr_storage addr = { 0 };
	socklen_t len = sizeof(addr);
	const void *in = NULL;

	if (getpeername(client->fd, (struct sockaddr *)&addr, &len) < 0)
		return;
	if (addr.ss_family == AF_INET)
		in = &((const struct sockaddr_in *)(const void *)&addr)->sin_addr;
	else if (addr.ss_family == AF_INET6)
		in = &((const struct sockaddr_in6 *)(const void *)&addr)->sin6_addr;
	if (in)
		(void)inet_ntop(addr.ss_family, in, client->address, sizeof(client->address));
}

static bool start_client(struct vnc_client *client, GError **error)
{
	client->control_fd = fcntl(client->fd, F_DUPFD_CLOEXEC, 0);
	if (client->control_fd < 0)
		return error_sys(error, sys_last_error(), "cannot duplicate a descriptor");
	client->wake_fd = sys_eventfd(0, EFD_NONBLOCK);
	if (client->wake_fd < 0)
		return error_sys(error, client->wake_fd, "cannot make an event descriptor");
	/* libvncserver has sets of descriptors with so much room. */
	if (client->fd >= FD_SETSIZE)
		return error_set(error, SOCLE_ERROR_LIMIT, "descriptor %d is beyond %d", client->fd,
				 FD_SETSIZE);
	client->thread = thread_start("vnc", vnc_client_run, client, error);
	return client->thread;
}

static void look_again(struct vnc *vnc, unsigned after_ms)
{
	if (vnc->look_source)
		g_source_remove(vnc->look_source);
	vnc->look_source = g_timeout_add(after_ms, on_look, vnc);
}

bool vnc_add_client(struct vnc *vnc, int fd, bool trusted, GError **error)
{
	struct vnc_client *client;
	unsigned slot = 0;

	while (slot < VNC_CLIENTS && vnc->taken[slot])
		slot++;
	if (slot == VNC_CLIENTS) {
		fd_autoclose(&fd);
		return error_set(error, SOCLE_ERROR_LIMIT,
				 "there are %d VNC clients already; let one of them go",
				 VNC_CLIENTS);
	}
	vnc->taken[slot] = true;
	client = g_new(struct vnc_client, 1);
	*client = (struct vnc_client){
		.vnc = vnc,
		.slot = slot,
		.trusted = trusted,
		.fd = fd,
		.control_fd = -1,
		.wake_fd = -1,
		.deadline_ns = sys_monotonic_ns() + HANDSHAKE_MS * UINT64_C(1000000),
		.room = PTHREAD_COND_INITIALIZER,
	};
	find_address(client);
	if (!start_client(client, error)) {
		client_free(client);
		return false;
	}
	g_ptr_array_add(vnc->clients, client);
	vnc->idle_looks = 0;
	look_again(vnc, 0);
	return true;
}

unsigned vnc_client_count(const struct vnc *vnc)
{
	return vnc->clients->len;
}

void vnc_disconnect_all(struct vnc *vnc)
{
	for (unsigned i = 0; i < vnc->clients->len; i++)
		put_out(g_ptr_array_index(vnc->clients, i));
}

static gboolean on_accept(gint fd, GIOCondition condition, gpointer opaque)
{
	struct vnc *vnc = opaque;
	g_autoptr(GError) error = NULL;
	int client = acceptor_accept(vnc->acceptor);

	(void)fd;
	(void)condition;
	if (client >= 0 && !vnc_add_client(vnc, client, false, &error))
		log_info("a VNC client was refused: %s", error->message);
	return G_SOURCE_CONTINUE;
}

bool vnc_listen(struct vnc *vnc, int fd, GError **error)
{
	vnc->acceptor = acceptor_new(fd, error);
	if (!vnc->acceptor)
		return false;
	vnc->accept_source = g_unix_fd_add(acceptor_fd(vnc->acceptor), G_IO_IN, on_accept, vnc);
	return true;
}

/* ---- what they see ---- */

static bool tell_changes(struct vnc *vnc)
{
	struct surface *surface = vnc->config.surface;
	struct surface_rows rows = { { 0 } };
	bool resized = false, any;

	pthread_mutex_lock(&surface->lock);
	any = surface_take_changes(surface, &rows, &resized);
	pthread_mutex_unlock(&surface->lock);
	if (!any)
		return false;
	for (unsigned i = 0; i < vnc->clients->len; i++) {
		struct vnc_client *client = g_ptr_array_index(vnc->clients, i);

		pthread_mutex_lock(&vnc->lock);
		client->resized |= resized;
		for (unsigned word = 0; word < G_N_ELEMENTS(rows.bits); word++)
			client->changed.bits[word] |= rows.bits[word];
		pthread_mutex_unlock(&vnc->lock);
		wake(client);
	}
	return true;
}

static void put_out_late(struct vnc *vnc)
{
	uint64_t now = sys_monotonic_ns();

	for (unsigned i = 0; i < vnc->clients->len; i++) {
		struct vnc_client *client = g_ptr_array_index(vnc->clients, i);
		bool late;

		pthread_mutex_lock(&vnc->lock);
		late = !client->in && !client->ending && now > client->deadline_ns;
		pthread_mutex_unlock(&vnc->lock);
		if (late)
			put_out(client);
	}
}

static gboolean on_look(gpointer opaque)
{
	struct vnc *vnc = opaque;

	vnc->look_source = 0;
	if (!vnc->clients->len)
		return G_SOURCE_REMOVE;
	put_out_late(vnc);
	vnc->config.ops->look(vnc->config.opaque);
	vnc->idle_looks = tell_changes(vnc) ? 0 : vnc->idle_looks + 1;
	look_again(vnc, vnc->idle_looks < SLOW_AFTER ? LOOK_MS : SLOW_LOOK_MS);
	return G_SOURCE_REMOVE;
}

/* ---- what they do ---- */

static void deliver(struct vnc *vnc, struct vnc_client *client, const struct vnc_event *event)
{
	const struct vnc_ops *ops = vnc->config.ops;
	void *opaque = vnc->config.opaque;

	switch (event->kind) {
	case VNC_EVENT_KEY:
		ops->key(opaque, event->key, event->down);
		break;
	case VNC_EVENT_POINTER:
		ops->pointer(opaque, event->dx, event->dy, event->dz, event->buttons);
		break;
	case VNC_EVENT_CAME:
		client->came = true;
		ops->client(opaque, client->address, true);
		break;
	case VNC_EVENT_GONE:
		if (client->came)
			ops->client(opaque, client->address, false);
		break;
	}
}

/* All events of one client; true: it is gone. */
static bool deliver_all(struct vnc *vnc, struct vnc_client *client)
{
	struct vnc_event events[VNC_EVENTS];
	unsigned count;

	pthread_mutex_lock(&vnc->lock);
	count = client->events;
	memcpy(events, client->event, count * sizeof(events[0]));
	client->events = 0;
	pthread_cond_broadcast(&client->room);
	pthread_mutex_unlock(&vnc->lock);
	for (unsigned i = 0; i < count; i++)
		deliver(vnc, client, &events[i]);
	return count && events[count - 1].kind == VNC_EVENT_GONE;
}

static gboolean on_events(gpointer opaque)
{
	struct vnc *vnc = opaque;

	pthread_mutex_lock(&vnc->lock);
	vnc->event_source = 0;
	pthread_mutex_unlock(&vnc->lock);
	for (unsigned i = vnc->clients->len; i-- > 0;) {
		if (deliver_all(vnc, g_ptr_array_index(vnc->clients, i)))
			g_ptr_array_remove_index(vnc->clients, i);
	}
	/* Who presses something wants to see what comes of it. */
	if (vnc->idle_looks >= SLOW_AFTER && vnc->clients->len) {
		vnc->idle_looks = 0;
		look_again(vnc, LOOK_MS);
	}
	return G_SOURCE_REMOVE;
}

void vnc_client_post(struct vnc_client *client, const struct vnc_event *event)
{
	struct vnc *vnc = client->vnc;

	pthread_mutex_lock(&vnc->lock);
	while (client->events == VNC_EVENTS && !vnc->closing)
		pthread_cond_wait(&client->room, &vnc->lock);
	if (event->kind == VNC_EVENT_CAME)
		client->in = true;
	/* The end has its place, even if nobody takes the rest any more. */
	if (client->events == VNC_EVENTS && event->kind == VNC_EVENT_GONE)
		client->events--;
	if (client->events < VNC_EVENTS)
		client->event[client->events++] = *event;
	if (!vnc->event_source)
		vnc->event_source = g_idle_add_full(G_PRIORITY_DEFAULT, on_events, vnc, NULL);
	pthread_mutex_unlock(&vnc->lock);
}

/* ---- passwords ---- */

bool vnc_set_password(struct vnc *vnc, const char *password, GError **error)
{
	if (!vnc->config.password)
		return error_set(error, SOCLE_ERROR_STATE,
				 "VNC asks for no password here: start it with password=on");
	pthread_mutex_lock(&vnc->lock);
	vnc->has_password = password;
	(void)g_strlcpy(vnc->password, password ? password : "", sizeof(vnc->password));
	pthread_mutex_unlock(&vnc->lock);
	return true;
}

void vnc_expire_password(struct vnc *vnc, int64_t when)
{
	pthread_mutex_lock(&vnc->lock);
	vnc->expires = when;
	pthread_mutex_unlock(&vnc->lock);
}

bool vnc_current_password(struct vnc *vnc, char *ret)
{
	int64_t now = (int64_t)(sys_realtime_ns() / 1000000000);
	bool ok;

	pthread_mutex_lock(&vnc->lock);
	ok = vnc->has_password && vnc->expires > now;
	memcpy(ret, vnc->password, sizeof(vnc->password));
	pthread_mutex_unlock(&vnc->lock);
	return ok;
}

/* ---- life ---- */

struct vnc *vnc_new(const struct vnc_config *config, GError **error)
{
	struct vnc *vnc = g_new(struct vnc, 1);

	*vnc = (struct vnc){
		.config = *config,
		.name = g_strdup(config->name),
		.clients = g_ptr_array_new_with_free_func(client_free),
		.lock = PTHREAD_MUTEX_INITIALIZER,
		.expires = INT64_MAX,
	};
	if (!vnc_screens_open(vnc)) {
		error_set(error, SOCLE_ERROR_LIMIT, "libvncserver has no memory for screens");
		vnc_free(vnc);
		return NULL;
	}
	return vnc;
}

void vnc_free(struct vnc *vnc)
{
	if (!vnc)
		return;
	if (vnc->accept_source)
		g_source_remove(vnc->accept_source);
	acceptor_free(vnc->acceptor);
	pthread_mutex_lock(&vnc->lock);
	vnc->closing = true;
	for (unsigned i = 0; i < vnc->clients->len; i++) {
		struct vnc_client *client = g_ptr_array_index(vnc->clients, i);

		pthread_cond_broadcast(&client->room);
	}
	pthread_mutex_unlock(&vnc->lock);
	g_ptr_array_unref(vnc->clients);
	/* Threads are gone: nobody sets them any more. */
	if (vnc->event_source)
		g_source_remove(vnc->event_source);
	if (vnc->look_source)
		g_source_remove(vnc->look_source);
	vnc_screens_close(vnc);
	pthread_mutex_destroy(&vnc->lock);
	explicit_bzero(vnc->password, sizeof(vnc->password));
	g_free(vnc->name);
	g_free(vnc);
}
