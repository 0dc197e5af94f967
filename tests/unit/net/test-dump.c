/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-dump.c - capture files, byte by byte
 */
#include <fcntl.h>
#include <glib/gstdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/sys.h"
#include "card.h"

enum {
	SLOW_FRAME = 60000
};

struct place {
	char *dir, *path;
};

static struct place *place_new(void)
{
	struct place *place = g_new0(struct place, 1);

	place->dir = g_dir_make_tmp("socle-net-XXXXXX", NULL);
	place->path = g_build_filename(place->dir, "x.pcap", NULL);
	return place;
}

static void place_free(struct place *place)
{
	(void)g_unlink(place->path);
	g_assert_cmpint(g_rmdir(place->dir), ==, 0);
	g_free(place->dir);
	g_free(place->path);
	g_free(place);
}
DEFINE_AUTOPTR(place, place_free);

/* A card on a datagram socket, captured. */
static struct card *card_captured(const char *path, unsigned max_len, int *ret_peer)
{
	struct net_dgram_config config = { 0 };
	g_autoptr(GError) error = NULL;
	struct net_backend *net;
	int fds[2];

	g_assert_cmpint(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), ==,
			0);
	config.fd = fds[0];
	*ret_peer = fds[1];
	net = net_dump_new(net_dgram_new(&config, NULL), path, max_len, &error);
	g_assert_no_error(error);
	return card_new(net);
}

/* The file is written by a thread of its own. */
static void wait_for_length(const char *path, goffset len)
{
	GStatBuf st = { 0 };

	for (unsigned i = 0; i < 10000000 && st.st_size != len; i++) {
		g_thread_yield();
		g_assert_cmpint(g_stat(path, &st), ==, 0);
	}
	g_assert_cmpint(st.st_size, ==, len);
}

static void assert_record(const uint8_t **p, size_t kept, size_t len, const uint8_t *frame)
{
	uint64_t ns = get_le32(*p) * 1000000000ull + get_le32(*p + 4), now = sys_realtime_ns();

	g_assert_cmpuint(get_le32(*p + 4), <, 1000000000);
	g_assert_cmpuint(ns, <=, now);
	g_assert_cmpuint(ns, >, now - 100000000000);
	g_assert_cmpuint(get_le32(*p + 8), ==, kept);
	g_assert_cmpuint(get_le32(*p + 12), ==, len);
	g_assert_cmpmem(*p + 16, kept, frame, kept);
	*p += 16 + kept;
}

static void test_bytes(void)
{
	autoptr(place) place = place_new();
	autofd int peer = -1;
	autoptr(card) card = card_captured(place->path, 100, &peer);
	g_autofree char *text = NULL, *described = net_describe(card->net);
	static const uint8_t head[] = { 0x4d, 0x3c, 0xb2, 0xa1, 2,   0, 4, 0, 0, 0, 0, 0,
					0,    0,    0,    0,    100, 0, 0, 0, 1, 0, 0, 0 };
	uint8_t frame[1000];
	const uint8_t *p;
	gsize len = 0;

	for (size_t i = 0; i < sizeof(frame); i++)
		frame[i] = (uint8_t)(i * 5);
	g_assert_true(g_str_has_suffix(described, "/x.pcap'"));
	g_assert_cmpint(card_send(card, frame, 60), ==, 0);
	g_assert_cmpint(card_send(card, frame, 1000), ==, 0);
	g_assert_cmpint(sys_write(peer, frame + 1, 70), ==, 70);
	g_assert_cmpint(card_wait(card), ==, 70);
	/* What is not received is not there. */
	g_assert_cmpint(card_receive(card), ==, -EAGAIN);
	card_settle(card);
	wait_for_length(place->path, 24 + 3 * 16 + 60 + 100 + 70);
	g_assert_true(g_file_get_contents(place->path, &text, &len, NULL));
	g_assert_cmpuint(len, ==, 24 + 3 * 16 + 60 + 100 + 70);
	p = (const uint8_t *)text;
	g_assert_cmpmem(p, 24, head, 24);
	p += 24;
	assert_record(&p, 60, 60, frame);
	assert_record(&p, 100, 1000, frame);
	assert_record(&p, 70, 70, frame + 1);
}

/* What waits is written when the card goes. */
static void test_last_words(void)
{
	autoptr(place) place = place_new();
	autofd int peer = -1;
	uint8_t frame[64] = { 0 };
	struct card *card = card_captured(place->path, 0, &peer);
	g_autofree char *text = NULL;
	gsize len = 0;

	g_assert_cmpint(card_send(card, frame, 64), ==, 0);
	card_free(card);
	g_assert_true(g_file_get_contents(place->path, &text, &len, NULL));
	g_assert_cmpuint(len, ==, 24 + 16 + 64);
}

/* What waits is written when the card lets go, not only when the back end is freed. */
static void test_detached(void)
{
	autoptr(place) place = place_new();
	autofd int peer = -1;
	uint8_t frame[64] = { 0 };
	struct card *card = card_captured(place->path, 0, &peer);

	g_assert_cmpint(card_send(card, frame, 64), ==, 0);
	net_detach(card->net);
	wait_for_length(place->path, 24 + 16 + 64);
	(void)io_loop_run(card->loop, false);
	net_free(card->net);
	io_loop_free(card->loop);
	g_free(card);
}

/* A full disk: the file ends with a whole record, the card goes on. */
static void test_full_disk(void)
{
	autoptr(place) place = place_new();
	autofd int peer = -1;
	autoptr(card) card = card_captured(place->path, 0, &peer);
	g_autofree char *text = NULL;
	uint8_t frame[64] = { 0 };
	gsize len = 0;

	g_assert_cmpint(card_send(card, frame, 64), ==, 0);
	card_settle(card);
	wait_for_length(place->path, 24 + 16 + 64);
	sys_fail_nth(SYS_WRITE, 2, ENOSPC);
	g_assert_cmpint(card_send(card, frame, 64), ==, 0);
	card_settle(card);
	while (sys_fail_pending(SYS_WRITE))
		g_thread_yield();
	for (unsigned i = 0; i < 100; i++) {
		g_assert_cmpint(card_send(card, frame, 64), ==, 0);
		card_settle(card);
		g_assert_cmpint(sys_read(peer, frame, sizeof(frame)), ==, 64);
	}
	g_assert_true(g_file_get_contents(place->path, &text, &len, NULL));
	g_assert_cmpuint(len, ==, 24 + 16 + 64);
}

/* A disk that is slow, or hangs: a pipe that nobody reads, until somebody does. */
static int slow_disk(const char *path)
{
	int fd;

	g_assert_cmpint(mkfifo(path, 0600), ==, 0);
	fd = sys_open(path, O_RDONLY | O_NONBLOCK, 0);
	g_assert_cmpint(fd, >=, 0);
	return fd;
}

/* All that is written until the writer closes the pipe: how many whole records. */
static unsigned read_records(int disk)
{
	g_autoptr(GByteArray) all = g_byte_array_new();
	unsigned count = 0;
	static uint8_t part[65536];
	ssize_t n;

	g_assert_cmpint(sys_set_block(disk), ==, 0);
	while ((n = sys_read(disk, part, sizeof(part))) > 0)
		g_byte_array_append(all, part, (guint)n);
	g_assert_cmpint(n, ==, 0);
	for (guint off = 24; off < all->len; count++) {
		g_assert_cmpuint(all->len - off, >=, 16);
		g_assert_cmpuint(get_le32(all->data + off + 8), ==, SLOW_FRAME);
		off += 16 + SLOW_FRAME;
		g_assert_cmpuint(off, <=, all->len);
	}
	return count;
}

static void send_slow(struct card *card, int peer, unsigned count)
{
	static uint8_t frame[SLOW_FRAME];

	for (unsigned i = 0; i < count; i++) {
		g_assert_cmpint(card_send(card, frame, SLOW_FRAME), ==, 0);
		g_assert_cmpint(sys_read(peer, frame, SLOW_FRAME), ==, SLOW_FRAME);
		card_settle(card);
	}
}

static void *read_later(void *opaque)
{
	return GUINT_TO_POINTER(read_records(GPOINTER_TO_INT(opaque)));
}

/*
 * The card does not wait for a slow disk: the capture lacks frames, says how many, and all others are
 * whole. When the card goes, what waits is written.
 */
static void test_slow_disk(void)
{
	autoptr(place) place = place_new();
	autofd int disk = slow_disk(place->path), peer = -1;
	struct card *card = card_captured(place->path, 0, &peer);
	g_autofree char *described = NULL;
	const unsigned sent = 2 * (16 << 20) / SLOW_FRAME + 20;
	const char *lost;
	GThread *reader;

	send_slow(card, peer, sent);
	described = net_describe(card->net);
	lost = strstr(described, "' but for ");
	g_assert_nonnull(lost);
	lost += strlen("' but for ");
	g_assert_cmpint(strtol(lost, NULL, 10), >, 0);
	reader = g_thread_new("reader", read_later, GINT_TO_POINTER(disk));
	card_free(card);
	g_assert_cmpuint(GPOINTER_TO_UINT(g_thread_join(reader)) + (unsigned)strtol(lost, NULL, 10),
			 ==, sent);
}

/* A disk that hangs keeps nobody. When it comes back all is written and freed. */
static void test_hung_disk(void)
{
	autoptr(place) place = place_new();
	autofd int disk = slow_disk(place->path), peer = -1;
	struct card *card = card_captured(place->path, 0, &peer);
	uint64_t begin;

	send_slow(card, peer, 4);
	begin = sys_monotonic_ns();
	card_free(card);
	g_assert_cmpuint(sys_monotonic_ns() - begin, <, 10000000000);
	/* The end of the pipe: its writer has let go. */
	g_assert_cmpuint(read_records(disk), ==, 4);
}

/* It stands for the one behind it. */
static void test_passes_on(void)
{
	autoptr(place) place = place_new();
	const struct net_user_config config = { .mtu = 1400 };
	g_autoptr(GError) error = NULL;
	struct net_backend *inner = net_user_new(&config, NULL);
	const unsigned offloads = inner->offloads;
	const struct net_forward forward = { .host = "127.0.0.1", .host_port = 0 };
	autoptr(card) card = card_new(net_dump_new(inner, place->path, 0, &error));

	g_assert_cmpuint(card->net->mtu, ==, 1400);
	g_assert_cmpuint(card->net->offloads, ==, offloads);
	g_assert_cmpuint(card->net->queues, ==, 1);
	g_assert_true(card->net->link_up);
	/* Forwards reach the one behind. */
	g_assert_false(net_user_add_forward(card->net, &forward, &error));
	g_assert_error(error, SOCLE_ERROR, SOCLE_ERROR_USAGE);
}

static void test_no_file(void)
{
	g_autoptr(GError) error = NULL;
	const struct net_user_config config = { 0 };

	/* The one behind is freed too. */
	g_assert_null(net_dump_new(net_user_new(&config, NULL), "/nonexistent/x", 0, &error));
	g_assert_cmpstr(error->message, ==,
			"cannot create capture file '/nonexistent/x': No such file or directory");
}

static void test_wrong_kind(void)
{
	g_autoptr(GError) error = NULL;
	autofd int peer = -1;
	autoptr(place) place = place_new();
	autoptr(card) card = card_captured(place->path, 0, &peer);
	const struct net_forward forward = { .host_port = 1, .guest_port = 1 };

	g_assert_false(net_user_add_forward(card->net, &forward, &error));
	g_assert_error(error, SOCLE_ERROR, SOCLE_ERROR_UNSUPPORTED);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	g_test_add_func("/net/dump/bytes", test_bytes);
	g_test_add_func("/net/dump/last-words", test_last_words);
	g_test_add_func("/net/dump/detached", test_detached);
	g_test_add_func("/net/dump/full-disk", test_full_disk);
	g_test_add_func("/net/dump/slow-disk", test_slow_disk);
	g_test_add_func("/net/dump/hung-disk", test_hung_disk);
	g_test_add_func("/net/dump/passes-on", test_passes_on);
	g_test_add_func("/net/dump/no-file", test_no_file);
	g_test_add_func("/net/dump/wrong-kind", test_wrong_kind);
	return g_test_run();
}
