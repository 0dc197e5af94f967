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
	static char buf[64 << 10];
	int pair[2];

	if (size > MOST || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0) {
		block_file_close(file);
		return -1;
	}
	(void)block_file_resize(file, DISK_SIZE);
	image = image_open_file("scratch", file, "raw", IMAGE_WRITE, NULL);
	server = nbd_server_new(image, &export);
	(void)send(pair[0], data, size, MSG_NOSIGNAL | MSG_DONTWAIT);
	(void)shutdown(pair[0], SHUT_WR);
	if (nbd_server_add(server, pair[1], NULL))
		while (recv(pair[0], buf, sizeof(buf), 0) > 0)
			;
	nbd_server_free(server);
	close(pair[0]);
	return 0;
}
