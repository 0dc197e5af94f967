/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sys.h - system calls: -errno instead of errno, CLOEXEC, EINTR retried, and failing on demand
 *
 * Only this room names errno. Each function returns 0 or more, or -errno. Calls that may wait for
 * ever (poll, accept, reads of a terminal) retry EINTR too. Any thread.
 *
 * Tests make the n-th call of a kind fail: sys_fail_nth(SYS_WRITE, 1, ENOSPC).
 */
#ifndef BASE_SYS_H
#define BASE_SYS_H

#include <poll.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

enum sys_call {
	SYS_OPEN,
	SYS_READ,
	SYS_WRITE,
	SYS_PREAD,
	SYS_PWRITE,
	SYS_IOCTL,
	SYS_MMAP,
	SYS_EVENTFD,
	SYS_SOCKET,
	SYS_BIND,
	SYS_LISTEN,
	SYS_ACCEPT,
	SYS_CONNECT,
	SYS_FSTAT,
	SYS_FTRUNCATE,
	SYS_FSYNC,
	SYS_RENAME,
	SYS_UNLINK,
	SYS_POLL,
	SYS_PIPE,
	SYS_FORK,
	SYS_CALL_COUNT,
};

/* Let the nth call from now (1 = the next) fail with @err; 0 takes it back. Tests only. */
void sys_fail_nth(enum sys_call call, unsigned nth, int err);

int sys_open(const char *path, int flags, mode_t mode);
ssize_t sys_read(int fd, void *buf, size_t len);
ssize_t sys_write(int fd, const void *buf, size_t len);
ssize_t sys_pread(int fd, void *buf, size_t len, off_t off);
ssize_t sys_pwrite(int fd, const void *buf, size_t len, off_t off);
/* All of it, or -errno; a short read at the end of the file gives the count so far. */
ssize_t sys_read_full(int fd, void *buf, size_t len);
ssize_t sys_write_full(int fd, const void *buf, size_t len);
ssize_t sys_readv(int fd, const struct iovec *iov, int count);
ssize_t sys_writev(int fd, const struct iovec *iov, int count);
int sys_ioctl(int fd, unsigned long request, void *arg);
int sys_ioctl_int(int fd, unsigned long request, unsigned long arg);
/* As mmap(2); @ret_p is set on success only. */
int sys_mmap(void **ret_p, size_t len, int prot, int flags, int fd, off_t off);
void sys_munmap(void *p, size_t len);
int sys_madvise(void *p, size_t len, int advice);
int sys_eventfd(unsigned value, int flags);
int sys_socket(int domain, int type, int protocol);
int sys_bind(int fd, const struct sockaddr *addr, socklen_t len);
int sys_connect(int fd, const struct sockaddr *addr, socklen_t len);
int sys_listen(int fd, int backlog);
int sys_accept(int fd, int flags);
/* These count as SYS_WRITE and SYS_READ; a peer that has gone is -EPIPE, not a signal. */
ssize_t sys_sendmsg(int fd, const struct msghdr *msg, int flags);
ssize_t sys_recvmsg(int fd, struct msghdr *msg, int flags);
int sys_setsockopt_int(int fd, int level, int option, int value);
int sys_getsockopt_int(int fd, int level, int option, int *ret_value);
int64_t sys_file_size(int fd); /* of a regular file; -EINVAL for anything else */
int sys_ftruncate(int fd, off_t len);
int sys_fsync(int fd);
int sys_rename(const char *from, const char *to);
int sys_unlink(const char *path);
int sys_poll(struct pollfd *fds, nfds_t count, int timeout_ms);
int sys_pipe(int fds[2], int flags);
int sys_fork(void);
int sys_set_nonblock(int fd);
int sys_random(void *buf, size_t len);
/* For libraries that leave their reason in errno: -errno of the last call, -EIO if there is none. */
int sys_last_error(void);
void sys_clear_error(void);
/* CLOCK_MONOTONIC and CLOCK_REALTIME in nanoseconds. */
uint64_t sys_monotonic_ns(void);
uint64_t sys_realtime_ns(void);

static inline void fd_autoclose(int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
	*fd = -1;
}

#define autofd __attribute__((cleanup(fd_autoclose)))

static inline int fd_steal(int *fd)
{
	int stolen = *fd;

	*fd = -1;
	return stolen;
}

#endif
