/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-writer.c - the thread that writes for others: order, bounds, slow and vanished readers
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>

#include <glib.h>

#include "base/sys.h"
#include "vmm/writer.h"

static void on_writable(void *opaque)
{
	bool *writable = opaque;

	*writable = true;
}

/* Read until the end or until there is nothing more. */
static size_t read_all(int fd, GString *out)
{
	char buf[2048];
	size_t total = 0;
	ssize_t n;

	while ((n = sys_read(fd, buf, sizeof(buf))) > 0) {
		g_string_append_len(out, buf, n);
		total += (size_t)n;
	}
	return total;
}

static GString *numbers(size_t len)
{
	GString *text = g_string_new(NULL);

	for (unsigned i = 0; text->len < len; i++)
		g_string_append_printf(text, "%u ", i);
	g_string_truncate(text, len);
	return text;
}

/* A reader that comes late: not more than the bound is taken, nothing is lost or mixed up. */
static void test_order(void)
{
	g_autoptr(GError) error = NULL;
	bool writable = false;
	GString *in = numbers(500000), *out = g_string_new(NULL);
	size_t off = 0, taken;
	struct writer *writer;
	int fds[2];

	g_assert_cmpint(sys_pipe(fds, O_NONBLOCK), ==, 0);
	writer = writer_new(&(struct writer_config){ .what = "test",
						     .fd = fds[1],
						     .writable = on_writable,
						     .opaque = &writable },
			    &error);
	g_assert_no_error(error);
	while (off < in->len) {
		taken = writer_put(writer, (const uint8_t *)in->str + off, in->len - off);
		g_assert_cmpuint(taken, <=, WRITER_ROOM - WRITER_RESERVE);
		off += taken;
		/* With room for nothing, there will be word when there is some. */
		writable = off == in->len;
		while (!writable) {
			read_all(fds[0], out);
			(void)g_main_context_iteration(NULL, FALSE);
		}
	}
	/* What waits yet is written before the end, however slowly it is read. */
	while (in->len - out->len > 60000)
		read_all(fds[0], out);
	writer_free(writer);
	(void)close(fds[1]);
	read_all(fds[0], out);
	(void)close(fds[0]);
	g_assert_cmpuint(out->len, ==, in->len);
	g_assert_cmpmem(out->str, out->len, in->str, in->len);
	g_string_free(in, TRUE);
	g_string_free(out, TRUE);
}

/* Nobody reads any more, or never did: bytes are dropped, nobody is stopped. */
static void test_no_reader(void)
{
	GString *text = numbers(300000);
	struct writer *writer;
	int fds[2];

	writer = writer_new(&(struct writer_config){ .what = "test", .fd = -1 }, NULL);
	g_assert_cmpuint(writer_put(writer, (const uint8_t *)text->str, text->len), ==, text->len);
	g_assert_cmpint(sys_pipe(fds, O_NONBLOCK), ==, 0);
	(void)close(fds[0]);
	writer_set_fd(writer, fds[1]);
	for (size_t off = 0; off < text->len;)
		off += writer_put(writer, (const uint8_t *)text->str + off, text->len - off);
	writer_set_fd(writer, -1);
	(void)close(fds[1]);
	writer_free(writer);
	g_string_free(text, TRUE);
}

/* A peer that does not read is exchanged for another, which sees nothing of the old bytes. */
static void test_exchange(void)
{
	bool writable = false;
	GString *text = numbers(300000), *out = g_string_new(NULL);
	struct writer *writer;
	int old[2], new[2];

	g_assert_cmpint(sys_pipe(old, O_NONBLOCK), ==, 0);
	g_assert_cmpint(sys_pipe(new, O_NONBLOCK), ==, 0);
	writer = writer_new(&(struct writer_config){ .what = "test",
						     .fd = old[1],
						     .writable = on_writable,
						     .opaque = &writable },
			    NULL);
	for (size_t off = 0, n = 1; n > 0 && off < text->len; off += n)
		n = writer_put(writer, (const uint8_t *)text->str + off, text->len - off);
	writer_set_fd(writer, new[1]);
	/* Whoever waited for the old peer goes on with the new one. */
	while (!writable)
		(void)g_main_context_iteration(NULL, TRUE);
	writer_put_text(writer, "hello");
	writer_free(writer);
	read_all(new[0], out);
	g_assert_cmpstr(out->str, ==, "hello");
	for (int i = 0; i < 2; i++) {
		(void)close(old[i]);
		(void)close(new[i]);
	}
	g_string_free(text, TRUE);
	g_string_free(out, TRUE);
}

/* Our own text finds room when the guest's bytes do not. */
static void test_reserve(void)
{
	GString *text = numbers(300000), *out = g_string_new(NULL);
	struct writer *writer;
	size_t n;
	int fds[2];

	g_assert_cmpint(sys_pipe(fds, O_NONBLOCK), ==, 0);
	writer = writer_new(&(struct writer_config){ .what = "test", .fd = fds[1] }, NULL);
	do {
		n = writer_put(writer, (const uint8_t *)text->str, text->len);
	} while (n > 0);
	writer_put_text(writer, "END");
	while (!strstr(out->str, "END"))
		read_all(fds[0], out);
	writer_free(writer);
	(void)close(fds[0]);
	(void)close(fds[1]);
	g_string_free(text, TRUE);
	g_string_free(out, TRUE);
}

/* Bytes that were put while nobody had the pty open are there for who comes: the last ones. */
static void test_away(void)
{
	GString *text = numbers(100000), *out = g_string_new(NULL);
	const char *end = text->str + text->len - WRITER_KEPT;
	struct termios mode;
	struct writer *writer;
	int master = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK), slave;
	char name[64];

	if (master < 0 || grantpt(master) || unlockpt(master) ||
	    ptsname_r(master, name, sizeof(name))) {
		g_test_skip("there are no ptys here");
		return;
	}
	slave = open(name, O_RDWR | O_NOCTTY | O_NONBLOCK);
	g_assert_cmpint(tcgetattr(slave, &mode), ==, 0);
	cfmakeraw(&mode);
	g_assert_cmpint(tcsetattr(slave, TCSANOW, &mode), ==, 0);
	(void)close(slave);
	writer = writer_new(
		&(struct writer_config){ .what = "test", .fd = master, .keep_on_hup = true }, NULL);
	for (size_t off = 0; off < text->len;)
		off += writer_put(writer, (const uint8_t *)text->str + off, text->len - off);
	slave = open(name, O_RDWR | O_NOCTTY | O_NONBLOCK);
	/* As long as it was looking it has seen nobody: there may be more than that. */
	while (out->len < WRITER_KEPT || strcmp(out->str + out->len - WRITER_KEPT, end) != 0) {
		writer_look(writer);
		read_all(slave, out);
		g_assert_cmpuint(out->len, <=, text->len);
	}
	g_assert_true(g_str_has_suffix(text->str, out->str));
	/* Nobody is waited for at the end. */
	(void)close(slave);
	(void)writer_put(writer, (const uint8_t *)"x", 1);
	writer_free(writer);
	(void)close(master);
	g_string_free(text, TRUE);
	g_string_free(out, TRUE);
}

int main(int argc, char **argv)
{
	g_test_init(&argc, &argv, NULL);
	(void)signal(SIGPIPE, SIG_IGN);
	g_test_add_func("/vmm/writer/order", test_order);
	g_test_add_func("/vmm/writer/no-reader", test_no_reader);
	g_test_add_func("/vmm/writer/exchange", test_exchange);
	g_test_add_func("/vmm/writer/reserve", test_reserve);
	g_test_add_func("/vmm/writer/away", test_away);
	return g_test_run();
}
