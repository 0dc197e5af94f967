/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vnc-client.c - a VNC client, on a thread of its own, spoken to by libvncserver
 *
 * libvncserver waits while it reads the rest of a message and while it writes; so each client has a
 * "screen" of that library to itself, and a picture of its own. A screen is used by one after the other.
 *
 * Two extensions of QEMU's, which its clients (gtk-vnc: virt-viewer, virt-manager) know: keys with the
 * number of the key beside its symbol, so that layouts of client and guest need not agree; and motion
 * instead of positions, as a mouse has it. To other clients the mouse goes as far as their pointer
 * went, and at an edge of the picture a little farther, where guest's and client's pointers meet.
 */
#include <poll.h>
#include <rfb/rfb.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/sys.h"
#include "display/keys.h"
#include "display/vnc-int.h"

enum {
	QEMU_MOTION = -257,
	QEMU_KEYS = -258,
	QEMU_MESSAGE = 255,
	QEMU_KEY_LEN = 11, /* of the message without its type */
	MOTION_ZERO = 0x7fff,
	EDGE_PUSH = 64,
	WAIT_MS = 10000, /* for the rest of a message, and for room in the socket */
	IDLE_MS = 1000,
	UPDATE_HEAD = 4,
	RECT_HEAD = 12,
	WHEEL_UP = 1 << 3,
	WHEEL_DOWN = 1 << 4,
};

struct peer {
	struct vnc_client *client;
	rfbScreenInfoPtr screen;
	rfbClientPtr cl;
	bool gone;
	uint32_t *
		pixels; /* room for the largest picture: a client who scales it looks beyond a small one */
	unsigned width, height;
	bool in;
	bool announce_motion, announce_keys; /* it knows them, and is to hear that we do */
	bool motion;                         /* it sends motion, not places */
	bool placed;                         /* x and y are where its pointer was */
	int x, y;
	int mask;              /* its buttons */
	uint8_t down[256 / 8]; /* keys that it holds */
};

static struct peer *peer_of(rfbClientPtr cl)
{
	return cl->screen->screenData;
}

/* ---- keys ---- */

static void press(struct peer *peer, uint8_t number, bool down)
{
	const struct vnc_event event = { .kind = VNC_EVENT_KEY, .key = number, .down = down };
	uint8_t bit = (uint8_t)(1u << number % 8);

	if (!number)
		return;
	if (down)
		peer->down[number / 8] |= bit;
	else
		peer->down[number / 8] &= (uint8_t)~bit;
	vnc_client_post(peer->client, &event);
}

static void on_key(rfbBool down, rfbKeySym keysym, rfbClientPtr cl)
{
	press(peer_of(cl), keys_by_keysym(keysym), down);
}

static void release_keys(struct peer *peer)
{
	for (unsigned number = 1; number < 256; number++) {
		if (peer->down[number / 8] >> number % 8 & 1)
			press(peer, (uint8_t)number, false);
	}
}

/* ---- the mouse ---- */

static void on_pointer(int mask, int x, int y, rfbClientPtr cl)
{
	struct peer *peer = peer_of(cl);
	struct vnc_event event = { .kind = VNC_EVENT_POINTER };
	int pressed = mask & ~peer->mask;

	if (peer->motion) {
		event.dx = x - MOTION_ZERO;
		event.dy = y - MOTION_ZERO;
	} else if (peer->placed) {
		event.dx = x - peer->x;
		event.dy = y - peer->y;
		if (event.dx && (x == 0 || x >= (int)peer->width - 1))
			event.dx += x ? EDGE_PUSH : -EDGE_PUSH;
		if (event.dy && (y == 0 || y >= (int)peer->height - 1))
			event.dy += y ? EDGE_PUSH : -EDGE_PUSH;
	}
	peer->placed = !peer->motion;
	peer->x = x;
	peer->y = y;
	event.dz = (pressed & WHEEL_DOWN ? 1 : 0) - (pressed & WHEEL_UP ? 1 : 0);
	event.buttons = (unsigned)mask & (VNC_LEFT | VNC_MIDDLE | VNC_RIGHT);
	if (event.dx || event.dy || event.dz || mask != peer->mask)
		vnc_client_post(peer->client, &event);
	peer->mask = mask;
}

/* ---- QEMU's extensions ---- */

static rfbBool on_encoding(rfbClientPtr cl, void **data, int encoding)
{
	struct peer *peer = peer_of(cl);

	(void)data;
	if (encoding == QEMU_MOTION)
		peer->announce_motion = true;
	else if (encoding == QEMU_KEYS)
		peer->announce_keys = true;
	return TRUE;
}

static rfbBool on_message(rfbClientPtr cl, void *data, const rfbClientToServerMsg *message)
{
	uint8_t rest[QEMU_KEY_LEN];
	uint8_t number;
	uint32_t code;

	(void)data;
	if (message->type != QEMU_MESSAGE)
		return FALSE;
	/* Its other messages are of sound, which nobody was offered. */
	if (rfbReadExact(cl, (char *)rest, sizeof(rest)) <= 0 || rest[0] != 0) {
		rfbCloseClient(cl);
		return TRUE;
	}
	code = get_be32(rest + 7);
	number = code && code < 0x100 ? (uint8_t)code : keys_by_keysym(get_be32(rest + 3));
	press(peer_of(cl), number, get_be16(rest + 1));
	return TRUE;
}

static int extension_encodings[] = { QEMU_MOTION, QEMU_KEYS, 0 };
static rfbProtocolExtension extension = {
	.pseudoEncodings = extension_encodings,
	.enablePseudoEncoding = on_encoding,
	.handleMessage = on_message,
};

/* An update of one rectangle that has no pixels and says something else. */
static void announce(struct peer *peer, int32_t encoding, uint16_t x, unsigned width,
		     unsigned height)
{
	uint8_t message[UPDATE_HEAD + RECT_HEAD] = { rfbFramebufferUpdate, 0, 0, 1 };
	uint8_t *rect = message + UPDATE_HEAD;

	put_be16(rect, x);
	put_be16(rect + 4, (uint16_t)width);
	put_be16(rect + 6, (uint16_t)height);
	put_be32(rect + 8, (uint32_t)encoding);
	if (rfbWriteExact(peer->cl, (const char *)message, sizeof(message)) < 0)
		rfbCloseClient(peer->cl);
}

static void announce_all(struct peer *peer)
{
	if (peer->announce_motion) {
		peer->announce_motion = false;
		peer->motion = true;
		announce(peer, QEMU_MOTION, 0, 0, 0); /* x 0: not absolute */
	}
	if (peer->announce_keys && peer->cl->sock >= 0) {
		peer->announce_keys = false;
		announce(peer, QEMU_KEYS, 0, peer->width, peer->height);
	}
}

/* ---- the picture ---- */

static void set_format(struct peer *peer)
{
	peer->screen->serverFormat.redShift = 16;
	peer->screen->serverFormat.greenShift = 8;
	peer->screen->serverFormat.blueShift = 0;
}

/* Another size, to be filled. */
static void replace_picture(struct peer *peer, unsigned width, unsigned height)
{
	peer->width = width;
	peer->height = height;
	memset(peer->pixels, 0, (size_t)width * height * sizeof(uint32_t));
	rfbNewFramebuffer(peer->screen, (char *)peer->pixels, (int)width, (int)height, 8, 3, 4);
	set_format(peer);
	if (peer->cl)
		(void)rfbSetTranslateFunction(peer->cl);
}

static void copy_rows(struct peer *peer, const struct surface_rows *rows)
{
	const struct surface *surface = peer->client->vnc->config.surface;
	unsigned count;

	for (unsigned y = 0; surface_rows_next(rows, peer->height, &y, &count); y += count) {
		size_t first = (size_t)y * peer->width;

		memcpy(peer->pixels + first, surface->pixels + first,
		       (size_t)count * peer->width * sizeof(uint32_t));
	}
}

static void mark_rows(struct peer *peer, const struct surface_rows *rows)
{
	unsigned count;

	for (unsigned y = 0; surface_rows_next(rows, peer->height, &y, &count); y += count)
		rfbMarkRectAsModified(peer->screen, 0, (int)y, (int)peer->width, (int)(y + count));
}

/* What the main loop said has changed. */
static void take_changes(struct peer *peer)
{
	struct vnc *vnc = peer->client->vnc;
	struct surface *surface = vnc->config.surface;
	struct surface_rows rows;
	unsigned width, height;

	pthread_mutex_lock(&vnc->lock);
	rows = peer->client->changed;
	peer->client->changed = (struct surface_rows){ { 0 } };
	peer->client->resized = false;
	pthread_mutex_unlock(&vnc->lock);

	pthread_mutex_lock(&surface->lock);
	width = surface->width;
	height = surface->height;
	if (width == peer->width && height == peer->height)
		copy_rows(peer, &rows);
	pthread_mutex_unlock(&surface->lock);
	if (width == peer->width && height == peer->height) {
		mark_rows(peer, &rows);
		return;
	}
	replace_picture(peer, width, height);
	/* It may have changed again meanwhile: then this is said again, too. */
	rows = (struct surface_rows){ { 0 } };
	surface_rows_add(&rows, 0, height);
	pthread_mutex_lock(&surface->lock);
	if (width == surface->width && height == surface->height)
		copy_rows(peer, &rows);
	pthread_mutex_unlock(&surface->lock);
}

/* ---- life ---- */

static rfbBool check_password(rfbClientPtr cl, const char *response, int len)
{
	char password[VNC_PASSWORD_LEN + 1];
	uint8_t expected[CHALLENGESIZE];
	uint8_t differs = 0;
	bool ok = vnc_current_password(peer_of(cl)->client->vnc, password);

	memcpy(expected, cl->authChallenge, sizeof(expected));
	rfbEncryptBytes(expected, password);
	explicit_bzero(password, sizeof(password));
	if (len != CHALLENGESIZE)
		return FALSE;
	for (int i = 0; i < CHALLENGESIZE; i++)
		differs |= (uint8_t)(expected[i] ^ (uint8_t)response[i]);
	return ok && !differs;
}

static void on_gone(rfbClientPtr cl)
{
	peer_of(cl)->gone = true;
	/* The library forgets what it has of extensions, which only it knows how to allocate: by malloc(3). */
	while (cl->extensions) {
		rfbExtensionData *enabled = cl->extensions;

		cl->extensions = enabled->next;
		free(enabled);
	}
}

bool vnc_screens_open(struct vnc *vnc)
{
	static bool registered;

	if (!registered) {
		rfbLogEnable(FALSE);
		rfbRegisterProtocolExtension(&extension);
		registered = true;
	}
	for (unsigned i = 0; i < VNC_CLIENTS; i++) {
		rfbScreenInfoPtr screen = rfbGetScreen(NULL, NULL, 4, 4, 8, 3, 4);

		if (!screen)
			return false;
		screen->desktopName = vnc->name;
		screen->alwaysShared = TRUE;
		screen->cursor = NULL; /* the guest draws its own */
		screen->deferUpdateTime = 0;
		screen->deferPtrUpdateTime = 0;
		screen->maxClientWait = WAIT_MS;
		screen->kbdAddEvent = on_key;
		screen->ptrAddEvent = on_pointer;
		screen->passwordCheck = check_password;
		vnc->screens[i] = screen;
	}
	return true;
}

void vnc_screens_close(struct vnc *vnc)
{
	for (unsigned i = 0; i < VNC_CLIENTS; i++) {
		if (vnc->screens[i])
			rfbScreenCleanup(vnc->screens[i]);
	}
}

static void take_screen(struct peer *peer)
{
	struct vnc *vnc = peer->client->vnc;
	struct surface *surface = vnc->config.surface;
	unsigned width, height;

	pthread_mutex_lock(&surface->lock);
	width = surface->width;
	height = surface->height;
	pthread_mutex_unlock(&surface->lock);
	peer->screen = vnc->screens[peer->client->slot];
	/* What the client before has left. */
	FD_ZERO(&peer->screen->allFds);
	peer->screen->maxFd = 0;
	peer->screen->pointerClient = NULL;
	peer->screen->screenData = peer;
	peer->screen->authPasswdData = vnc->config.password && !peer->client->trusted ? peer : NULL;
	replace_picture(peer, width, height);
}

static void serve(struct peer *peer)
{
	struct vnc_client *client = peer->client;
	const struct vnc_event came = { .kind = VNC_EVENT_CAME };
	struct pollfd fds[2] = { { .events = POLLIN }, { .events = POLLIN } };
	struct surface_rows all = { { 0 } };
	uint64_t count;

	surface_rows_add(&all, 0, peer->height);
	pthread_mutex_lock(&client->vnc->lock);
	client->changed = all;
	pthread_mutex_unlock(&client->vnc->lock);
	while (!peer->gone) {
		take_changes(peer);
		(void)rfbProcessEvents(peer->screen, 0);
		if (peer->gone)
			return;
		announce_all(peer);
		if (!peer->in && peer->cl->state == RFB_NORMAL) {
			peer->in = true;
			vnc_client_post(client, &came);
		}
		fds[0].fd = peer->cl->sock;
		fds[1].fd = client->wake_fd;
		(void)sys_poll(fds, 2, peer->cl->sock < 0 ? 0 : IDLE_MS);
		(void)sys_read(client->wake_fd, &count, sizeof(count));
	}
}

void vnc_client_run(void *arg)
{
	struct vnc_client *client = arg;
	struct peer *peer = g_new(struct peer, 1);
	const struct vnc_event gone = { .kind = VNC_EVENT_GONE };
	const struct vnc_event let_go = { .kind = VNC_EVENT_POINTER };

	*peer = (struct peer){
		.client = client,
		.pixels = g_malloc0(SURFACE_MAX_PIXELS * sizeof(uint32_t)),
	};
	take_screen(peer);
	/* The library closes it, whatever happens. */
	peer->cl = rfbNewClient(peer->screen, fd_steal(&client->fd));
	if (peer->cl) {
		peer->cl->clientGoneHook = on_gone;
		serve(peer);
	}
	peer->screen->frameBuffer = NULL;
	peer->screen->screenData = NULL;
	release_keys(peer);
	if (peer->mask)
		vnc_client_post(client, &let_go);
	g_free(peer->pixels);
	g_free(peer);
	vnc_client_post(client, &gone);
}
