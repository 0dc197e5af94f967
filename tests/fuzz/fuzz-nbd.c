/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz-nbd.c - an NBD client that sends whatever it likes
 */
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>

#include "block/nbd-server.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
	DISK_SIZE = 64 << 10,
	MOST = 64 << 10, /* goes into the socket without anybody who reads */
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct nbd_export export = { "d", "a disk", false };
	struct block_file *file = block_file_scratch(DISK_SIZE);
	autoptr(image) image = NULL;
	struct nbd_server *server;
	int pair[2];

	/* Who gets no answer for want of room in the socket has gone. */
	if (size > MOST ||
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0) {
		block_file_close(file);
		return -1;
	}
	(void)block_file_resize(file, DISK_SIZE);
	image = image_open_file("scratch", file, "raw", IMAGE_WRITE, NULL);
	server = nbd_server_new(image, &export);
	(void)send(pair[0], data, size, MSG_NOSIGNAL);
	(void)shutdown(pair[0], SHUT_WR);
	nbd_server_run(server, pair[1]);
	nbd_server_free(server);
	close(pair[0]);
	return 0;
}
