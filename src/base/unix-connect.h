/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * unix-connect.h - to who listens on a Unix socket
 */
#ifndef BASE_UNIX_CONNECT_H
#define BASE_UNIX_CONNECT_H

/**
 * unix_connect() - connect to a stream socket in the file system
 * @flags: 0 or SOCK_NONBLOCK
 *
 * Return: the descriptor, or -errno; -ENAMETOOLONG if the system knows no such long names of sockets
 */
int unix_connect(const char *path, int flags);

/* The path of the socket that a descriptor is connected to, for free(3); NULL if it has none. */
char *unix_peer_path(int fd);

#endif
