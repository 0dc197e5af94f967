/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * stream.c - the console of a machine to standard output, and standard input to it; or its screen
 *
 * usage: stream URI NAME console | screenshot
 *
 *	cc stream.c $(pkg-config --cflags --libs socle) -o stream
 */
#include <poll.h>
#include <socle/socle.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* All that comes, until the server ends it. */
static int receive_all(struct socle_stream *stream, struct socle_error **error)
{
	char data[2048];
	ssize_t n;

	while ((n = socle_stream_recv(stream, data, sizeof(data), error)) > 0)
		fwrite(data, 1, (size_t)n, stdout);
	if (n < 0)
		return -1;
	return socle_stream_finish(stream, error);
}

static int screenshot(struct socle_domain *dom, struct socle_error **error)
{
	char *mime;
	SOCLE_AUTO(stream) stream = socle_domain_screenshot(dom, 0, 0, 0, &mime, error);

	if (!stream)
		return -1;
	fprintf(stderr, "stream: a picture of type %s\n", mime);
	free(mime);
	return receive_all(stream, error);
}

/* What can be done without waiting. Return: 1 to go on, 0 at the end, -1 on failure. */
static int pump(struct socle_stream *stream, const struct pollfd *fds, struct socle_error **error)
{
	char data[2048];
	ssize_t n;

	if (fds[0].revents & POLLIN) {
		n = socle_stream_recv(stream, data, sizeof(data), error);
		if (n == 0 || n == -1)
			return (int)n;
		if (n > 0)
			fwrite(data, 1, (size_t)n, stdout);
		fflush(stdout);
	}
	if (fds[1].revents) {
		n = read(STDIN_FILENO, data, sizeof(data));
		if (n <= 0)
			return 0;
		/* A stream that does not wait may take a part only; a key or two always fit. */
		if (socle_stream_send(stream, data, (size_t)n, error) == -1)
			return -1;
	}
	return 1;
}

static int console(struct socle_domain *dom, struct socle_error **error)
{
	SOCLE_AUTO(stream)
	stream = socle_domain_console(dom, NULL, 0, SOCLE_STREAM_NONBLOCK, error);
	struct pollfd fds[2] = { { .events = POLLIN }, { .fd = STDIN_FILENO, .events = POLLIN } };
	int rc = 1;

	if (!stream)
		return -1;
	fds[0].fd = socle_stream_fd(stream, SOCLE_STREAM_READABLE);
	while (rc > 0 && poll(fds, 2, -1) >= 0)
		rc = pump(stream, fds, error);
	return rc < 0 ? -1 : 0;
}

int main(int argc, char **argv)
{
	SOCLE_AUTO(error) error = NULL;
	SOCLE_AUTO(conn) conn = NULL;
	SOCLE_AUTO(domain) dom = NULL;
	int rc;

	if (argc != 4) {
		fprintf(stderr, "usage: stream URI NAME console | screenshot\n");
		return 1;
	}
	conn = socle_conn_open(argv[1], 0, &error);
	dom = conn ? socle_domain_by_name(conn, argv[2], &error) : NULL;
	rc = !dom                              ? -1
	     : strcmp(argv[3], "console") == 0 ? console(dom, &error)
					       : screenshot(dom, &error);
	if (rc < 0)
		fprintf(stderr, "stream: %s\n", socle_error_message(error));
	return rc < 0;
}
