/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rpc-floor.c - a daemon that does nothing: what a call costs libvirt's client and the kernel alone
 *
 * usage: rpc-floor SOCKET DOMAINS
 *
 * It knows just what a client needs to connect, to ask for the version, and for a list of all domains,
 * of which it has as many as it was told. One client at a time; each call is answered at once.
 */
#include <arpa/inet.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* The numbers are those of src/rpc/remote.x. */
enum {
	CONNECT_SUPPORTS_FEATURE = 60,
	AUTH_LIST = 66,
	CONNECT_GET_LIB_VERSION = 157,
	CONNECT_LIST_ALL_DOMAINS = 273,
	HEAD_WORDS = 7,
	WORDS_MAX = 1 << 18,
	DOMAINS_MAX = 4096,
};

static uint32_t answer[WORDS_MAX];

static uint32_t *put(uint32_t *w, uint32_t value)
{
	*w = htonl(value);
	return w + 1;
}

static uint32_t *put_domain(uint32_t *w, unsigned number)
{
	char name[32] = "";
	unsigned len = (unsigned)snprintf(name, sizeof(name), "bench-%u", number);

	w = put(w, len);
	memcpy(w, name, (len + 3) / 4 * 4);
	w += (len + 3) / 4;
	for (unsigned i = 0; i < 4; i++)
		w = put(w, number); /* the UUID */
	return put(w, (uint32_t)-1);
}

/* What is behind the head. */
static uint32_t *put_body(uint32_t *w, uint32_t procedure, unsigned domains)
{
	switch (procedure) {
	case CONNECT_SUPPORTS_FEATURE:
		return put(w, 0);
	case AUTH_LIST: /* one way: none */
		return put(put(w, 1), 0);
	case CONNECT_GET_LIB_VERSION:
		return put(put(w, 0), 9000000);
	case CONNECT_LIST_ALL_DOMAINS:
		w = put(w, domains);
		for (unsigned i = 0; i < domains; i++)
			w = put_domain(w, i);
		return put(w, domains);
	default:
		return w;
	}
}

static void serve(int fd, unsigned domains)
{
	uint32_t call[256];
	ssize_t n;

	while ((n = recv(fd, call, sizeof(call), 0)) >= HEAD_WORDS * 4) {
		uint32_t *end;
		size_t len;

		memcpy(answer, call, sizeof(*call) * HEAD_WORDS);
		answer[4] = htonl(1); /* it is a reply */
		answer[6] = 0;        /* all is well */
		end = put_body(answer + HEAD_WORDS, ntohl(call[3]), domains);
		len = (size_t)(end - answer) * sizeof(*end);
		answer[0] = htonl((uint32_t)len);
		if (send(fd, answer, len, MSG_NOSIGNAL) != (ssize_t)len)
			return;
	}
}

int main(int argc, char **argv)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	unsigned domains = argc == 3 ? (unsigned)strtoul(argv[2], NULL, 10) : 0;
	int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (argc != 3 || strlen(argv[1]) >= sizeof(addr.sun_path) || domains > DOMAINS_MAX) {
		(void)fprintf(stderr, "usage: rpc-floor SOCKET DOMAINS (at most %d)\n",
			      DOMAINS_MAX);
		return 1;
	}
	memcpy(addr.sun_path, argv[1], strlen(argv[1]) + 1);
	if (bind(listener, (struct sockaddr *)&addr, sizeof(addr)) || listen(listener, 8)) {
		perror("rpc-floor: cannot listen");
		return 1;
	}
	for (;;) {
		int fd = accept(listener, NULL, NULL);

		if (fd < 0) {
			perror("rpc-floor: cannot accept");
			return 1;
		}
		serve(fd, domains);
		(void)close(fd);
	}
}
