/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-vnc.c - the server with clients that are socket pairs, one of them well-behaved
 */
#include "display/vnc.h"

#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "base/bytes.h"
#include "base/sys.h"
#include "display/keys.h"
#include "display/surface.h"

enum {
	WIDTH = 64,
	HEIGHT = 32,
	PATIENCE_S = 20,
};

struct world {
	struct surface *surface;
	struct vnc *vnc;
	uint32_t colour; /* of what is drawn next */
	unsigned keys, downs, came, gone;
	uint8_t last_key;
	int dx, dy, dz;
	unsigned buttons;
};

static void on_look(void *opaque)
{
	struct world *w = opaque;
	uint32_t row[WIDTH];

	for (unsigned i = 0; i < WIDTH; i++)
		row[i] = w->colour;
	pthread_mutex_lock(&w->surface->lock);
	surface_set_row(w->surface, 3, row);
	pthread_mutex_unlock(&w->surface->lock);
}

static void on_key(void *opaque, uint8_t number, bool down)
{
	struct world *w = opaque;

	w->keys++;
	w->downs += down;
	w->last_key = number;
}

static void on_pointer(void *opaque, int dx, int dy, int dz, unsigned buttons)
{
	struct world *w = opaque;

	w->dx += dx;
	w->dy += dy;
	w->dz += dz;
	w->buttons = buttons;
}

static void on_client(void *opaque, const char *address, bool came)
{
	struct world *w = opaque;

	g_assert_cmpstr(address, ==, "");
	if (came)
		w->came++;
	else
		w->gone++;
}

static const struct vnc_ops ops = {
	.look = on_look,
	.key = on_key,
	.pointer = on_pointer,
	.client = on_client,
};

static void setup(struct world *w, bool password)
{
	struct vnc_config config = { .name = "test", .password = password, .ops = &ops };

	*w = (struct world){ .surface = surface_new() };
	surface_resize(w->surface, WIDTH, HEIGHT);
	config.surface = w->surface;
	config.opaque = w;
	w->vnc = vnc_new(&config, NULL);
	g_assert_nonnull(w->vnc);
}

static void teardown(struct world *w)
{
	vnc_free(w->vnc);
	surface_free(w->surface);
}

/* The other end of a new client. */
static int join(struct world *w, bool trusted)
{
	const struct timeval patience = { .tv_usec = 1000 };
	int fds[2];

	g_assert_cmpint(sys_socketpair(AF_UNIX, SOCK_STREAM, fds), ==, 0);
	(void)setsockopt(fds[1], SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	g_assert_true(vnc_add_client(w->vnc, fds[0], trusted, NULL));
	return fds[1];
}

/* Read while the main loop has its turns; false: the end came. */
static bool take(int fd, void *buf, size_t len)
{
	uint64_t end = sys_monotonic_ns() + PATIENCE_S * UINT64_C(1000000000);
	uint8_t *p = buf;

	while (len) {
		ssize_t n = sys_read(fd, p, len);

		while (g_main_context_iteration(NULL, FALSE))
			;
		if (n == 0 || (n < 0 && n != -EAGAIN))
			return false;
		g_assert_cmpuint(sys_monotonic_ns(), <, end);
		if (n > 0) {
			p += n;
			len -= (size_t)n;
		}
	}
	return true;
}

static void say(int fd, const void *buf, size_t len)
{
	g_assert_cmpint(sys_write_full(fd, buf, len), ==, (ssize_t)len);
}

static void wait_until(const unsigned *what, unsigned value)
{
	uint64_t end = sys_monotonic_ns() + PATIENCE_S * UINT64_C(1000000000);

	while (*what < value) {
		g_assert_cmpuint(sys_monotonic_ns(), <, end);
		g_main_context_iteration(NULL, TRUE);
	}
}

/* Up to the picture's format. */
static void shake(int fd)
{
	uint8_t buf[64];

	g_assert_true(take(fd, buf, 12));
	g_assert_true(!memcmp(buf, "RFB 003.008\n", 12));
	say(fd, "RFB 003.008\n", 12);
	g_assert_true(take(fd, buf, 2));
	g_assert_cmpmem(buf, 2, "\x01\x01", 2);
	say(fd, "\x01", 1);
	g_assert_true(take(fd, buf, 4));
	g_assert_cmphex(get_be32(buf), ==, 0);
	say(fd, "\x01", 1);
	g_assert_true(take(fd, buf, 24));
	g_assert_cmpuint(get_be16(buf), ==, WIDTH);
	g_assert_cmpuint(get_be16(buf + 2), ==, HEIGHT);
	g_assert_cmpuint(get_be32(buf + 20), ==, 4);
	g_assert_true(take(fd, buf, 4));
	g_assert_cmpmem(buf, 4, "test", 4);
}

static void ask(int fd, bool incremental)
{
	uint8_t message[10] = { 3, incremental, 0, 0, 0, 0, 0, WIDTH, 0, HEIGHT };

	say(fd, message, sizeof(message));
}

/* Is row 3 in this rectangle, and is it @colour? */
static bool take_rectangle(int fd, uint32_t colour)
{
	uint8_t head[12], pixel[4 * WIDTH];
	bool seen = false;

	g_assert_true(take(fd, head, sizeof(head)));
	g_assert_cmphex(get_be32(head + 8), ==, 0);
	g_assert_cmpuint(get_be16(head + 4), <=, WIDTH);
	for (unsigned y = 0; y < get_be16(head + 6); y++) {
		g_assert_true(take(fd, pixel, 4u * get_be16(head + 4)));
		seen |= get_be16(head + 2) + y == 3 && get_le32(pixel) == colour;
	}
	return seen;
}

/* Ask until row 3 is @colour. */
static void expect(int fd, uint32_t colour)
{
	uint8_t head[4];
	bool seen = false;

	ask(fd, false);
	while (!seen) {
		g_assert_true(take(fd, head, sizeof(head)));
		g_assert_cmphex(head[0], ==, 0);
		for (unsigned rects = get_be16(head + 2); rects; rects--)
			seen |= take_rectangle(fd, colour);
		ask(fd, true);
	}
}

static void test_picture(void)
{
	struct world w;
	int fd, other;

	setup(&w, false);
	w.colour = 0x123456;
	fd = join(&w, false);
	shake(fd);
	expect(fd, 0x123456);
	other = join(&w, false);
	w.colour = 0x654321;
	shake(other);
	expect(other, 0x654321);
	close(other);
	expect(fd, 0x654321);
	wait_until(&w.came, 2);
	wait_until(&w.gone, 1);
	g_assert_cmpuint(vnc_client_count(w.vnc), ==, 1);
	close(fd);
	wait_until(&w.gone, 2);
	teardown(&w);
}

static void test_input(void)
{
	static const uint8_t key[] = { 4, 1, 0, 0, 0, 0, 0, 'a' };
	static const uint8_t pointer[] = { 5, 0, 0, 10, 0, 10, 5, 1, 0, 15, 0, 8 };
	static const uint8_t wheel[] = { 5, 0x10, 0, 15, 0, 8 };
	struct world w;
	int fd;

	setup(&w, false);
	fd = join(&w, false);
	shake(fd);
	say(fd, key, sizeof(key));
	wait_until(&w.keys, 1);
	g_assert_cmphex(w.last_key, ==, keys_by_name("a"));
	say(fd, pointer, sizeof(pointer));
	wait_until(&w.buttons, VNC_LEFT);
	g_assert_cmpint(w.dx, ==, 5);
	g_assert_cmpint(w.dy, ==, -2);
	say(fd, wheel, sizeof(wheel));
	while (!w.dz)
		g_main_context_iteration(NULL, TRUE);
	g_assert_cmpint(w.dz, ==, 1);
	g_assert_cmpuint(w.buttons, ==, 0);
	/* What it holds is let go when it goes. */
	close(fd);
	wait_until(&w.gone, 1);
	g_assert_cmpuint(w.keys, ==, 2);
	g_assert_cmpuint(w.downs, ==, 1);
	teardown(&w);
}

static void test_flood(void)
{
	static const uint8_t key[] = { 4, 1, 0, 0, 0, 0, 0, 'b' };
	enum {
		KEYS = 1000
	};
	struct world w;
	int fd;

	setup(&w, false);
	fd = join(&w, false);
	shake(fd);
	/* Not so many that the socket is full while the main loop has no turn. */
	for (unsigned i = 0; i < KEYS; i++) {
		say(fd, key, sizeof(key));
		while (i % 100 == 99 && w.keys <= i)
			g_main_context_iteration(NULL, TRUE);
	}
	close(fd);
	wait_until(&w.gone, 1);
	g_assert_cmpuint(w.keys, ==, KEYS + 1);
	teardown(&w);
}

/* The end waits for nobody: not for who reads nothing, says nothing, or has said too much. */
static void test_end(void)
{
	static const uint8_t key[] = { 4, 1, 0, 0, 0, 0, 0, 'c' };
	struct world w;
	int silent, deaf, loud;
	uint64_t begin;

	setup(&w, false);
	silent = join(&w, false);
	deaf = join(&w, false);
	shake(deaf);
	for (unsigned i = 0; i < 100; i++)
		ask(deaf, false);
	loud = join(&w, false);
	shake(loud);
	for (unsigned i = 0; i < VNC_CLIENTS * 10; i++)
		say(loud, key, sizeof(key));
	begin = sys_monotonic_ns();
	teardown(&w);
	g_assert_cmpuint(sys_monotonic_ns() - begin, <, 5 * UINT64_C(1000000000));
	close(silent);
	close(deaf);
	close(loud);
}

static void test_limits(void)
{
	g_autoptr(GError) error = NULL;
	struct world w;
	int fd[VNC_CLIENTS], pair[2];

	setup(&w, false);
	g_assert_false(vnc_set_password(w.vnc, "x", &error));
	g_clear_error(&error);
	for (unsigned i = 0; i < VNC_CLIENTS; i++)
		fd[i] = join(&w, false);
	g_assert_cmpint(sys_socketpair(AF_UNIX, SOCK_STREAM, pair), ==, 0);
	g_assert_false(vnc_add_client(w.vnc, pair[0], false, &error));
	g_assert_nonnull(error);
	close(pair[1]);
	vnc_disconnect_all(w.vnc);
	while (vnc_client_count(w.vnc))
		g_main_context_iteration(NULL, TRUE);
	for (unsigned i = 0; i < VNC_CLIENTS; i++)
		close(fd[i]);
	g_assert_cmpuint(w.came + w.gone, ==, 0);
	teardown(&w);
}

static void test_trusted(void)
{
	uint8_t buf[20];
	struct world w;
	int fd;

	setup(&w, true);
	fd = join(&w, true);
	shake(fd);
	close(fd);
	/* Others are asked, and there is no password yet. */
	fd = join(&w, false);
	g_assert_true(take(fd, buf, 12));
	say(fd, "RFB 003.008\n", 12);
	g_assert_true(take(fd, buf, 2));
	g_assert_cmpmem(buf, 2, "\x01\x02", 2);
	say(fd, "\x02", 1);
	g_assert_true(take(fd, buf, 16));
	say(fd, buf, 16);
	g_assert_true(take(fd, buf, 4));
	g_assert_cmphex(get_be32(buf), ==, 1);
	close(fd);
	teardown(&w);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/display/vnc/picture", test_picture);
	g_test_add_func("/display/vnc/input", test_input);
	g_test_add_func("/display/vnc/flood", test_flood);
	g_test_add_func("/display/vnc/end", test_end);
	g_test_add_func("/display/vnc/limits", test_limits);
	g_test_add_func("/display/vnc/trusted", test_trusted);
	return g_test_run();
}
