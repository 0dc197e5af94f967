/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sys.h - system calls: -errno instead of errno, CLOEXEC, EINTR retried, and failing on demand
 *
 * Only this room names errno. Each function returns 0 or more, or -errno. Calls that may wait for
 * ever (poll, accept, reads of a terminal) retry EINTR too. Any thread.
 *
 * Tests make the n-th call of a kind fail: sys_fail_nth(SYS_WRITE, 1, ENOSPC). That also reaches
 * what goes to the kernel by io_uring (io-loop.h): an op counts as the call that it stands for.
 */
#ifndef BASE_SYS_H
#define BASE_SYS_H

#include <poll.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

struct epoll_event;
struct io_uring_params;
struct statvfs;

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
	SYS_PREADV,
	SYS_PWRITEV,
	SYS_FDATASYNC,
	SYS_FALLOCATE,
	SYS_LSEEK,
	SYS_STATX,
	SYS_FCNTL,
	SYS_EPOLL,
	SYS_URING, /* io_uring_setup() */
	SYS_STAT,
	SYS_CHMOD,
	SYS_CHOWN,
	SYS_TIMERFD,
	SYS_MKDIR,
	SYS_RMDIR,
	SYS_STATVFS,
	SYS_AFFINITY,
	SYS_PIDFD,
	SYS_LINK,
	SYS_CALL_COUNT,
};

/*
 * For sys_fail_nth() as @err: pread, pwrite, preadv and pwritev do less than they were asked for.
 * EINTR is what a signal does: the call is made again where it always is.
 */
enum {
	SYS_SHORT = 1 << 16,
	SYS_HANG = 1 << 17, /* the call begins when sys_fail_nth() is called again for its kind */
};

enum {
	SYS_CPUS_MAX = 16384 /* CPUs of a host that have a place in a map */
};

/* Let the nth call from now (1 = the next) fail with @err; 0 takes it back. Tests only. */
void sys_fail_nth(enum sys_call call, unsigned nth, int err);
/* How many more calls until one fails; 0: it has happened, or was not asked for. Tests only. */
unsigned sys_fail_pending(enum sys_call call);
/* Count a call that does not go through here: 0, or -errno that it must fail with. */
int sys_fail_now(enum sys_call call);
/* What a SYS_SHORT call moves of a buffer of @len bytes: half of it in whole sectors, if it can. */
size_t sys_short_len(size_t len);

int sys_open(const char *path, int flags, mode_t mode);
ssize_t sys_read(int fd, void *buf, size_t len);
ssize_t sys_write(int fd, const void *buf, size_t len);
ssize_t sys_pread(int fd, void *buf, size_t len, off_t off);
ssize_t sys_pwrite(int fd, const void *buf, size_t len, off_t off);
/* Many buffers at an offset; @flags: RWF_... */
ssize_t sys_preadv(int fd, const struct iovec *iov, int count, off_t off, int flags);
ssize_t sys_pwritev(int fd, const struct iovec *iov, int count, off_t off, int flags);
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
int sys_uring_setup(unsigned entries, struct io_uring_params *params);
int sys_socket(int domain, int type, int protocol);
/* SOCK_STREAM and the like; -ENOTSOCK for what is none. */
int sys_socket_type(int fd, int *ret_type);
/* Two ends of a connection; counts as SYS_SOCKET. */
int sys_socketpair(int domain, int type, int fds[2]);
int sys_bind(int fd, const struct sockaddr *addr, socklen_t len);
int sys_connect(int fd, const struct sockaddr *addr, socklen_t len);
int sys_listen(int fd, int backlog);
int sys_accept(int fd, int flags);
int sys_shutdown(int fd, int how);
/* These count as SYS_WRITE and SYS_READ; a peer that has gone is -EPIPE, not a signal. */
ssize_t sys_sendmsg(int fd, const struct msghdr *msg, int flags);
ssize_t sys_recvmsg(int fd, struct msghdr *msg, int flags);
/* A descriptor, with a byte of zero: 1, or -errno. */
ssize_t sys_send_fd(int socket, int fd);
int sys_setsockopt_int(int fd, int level, int option, int value);
int sys_getsockopt_int(int fd, int level, int option, int *ret_value);
/* *@len: room for the value, then its length. */
int sys_getsockopt(int fd, int level, int option, void *ret_value, socklen_t *len);
int64_t sys_file_size(int fd); /* of a regular file; -EINVAL for anything else */
int sys_ftruncate(int fd, off_t len);
int sys_fsync(int fd);
/* A hint: let the disk begin with what was written there, of which a sync behind it then has less to do. */
void sys_write_soon(int fd, off_t off, off_t len);
int sys_fdatasync(int fd);
int sys_fallocate(int fd, int mode, off_t off, off_t len);
off_t sys_lseek(int fd, off_t off, int whence);
int sys_fstat(int fd, struct stat *ret_st);
/* @fd itself, as by statx(2) with AT_EMPTY_PATH. */
int sys_statx(int fd, unsigned mask, struct statx *ret_stx);
/* A shared lock on one byte, owned by the open file description; F_OFD_SETLK of fcntl(2). */
int sys_lock_byte(int fd, off_t off);
/* The same, but nobody else has one there; @fd is open for writing. -EAGAIN: somebody has. */
int sys_lock_byte_alone(int fd, off_t off);
int sys_unlock_byte(int fd, off_t off);
/* 1: somebody else has a lock on the byte, 0: nobody has. */
int sys_byte_is_locked(int fd, off_t off);
int sys_rename(const char *from, const char *to);
int sys_unlink(const char *path);
int sys_link(const char *from, const char *to);
/*
 * In the folder that is open as @dir: @name is looked for in there and nowhere else. No symbolic link is
 * followed, and what is above the folder is not reached, whatever others do to it meanwhile: -ELOOP, -EXDEV.
 */
int sys_open_beneath(int dir, const char *name, int flags, mode_t mode);
/* Of a symbolic link itself. */
int sys_stat_at(int dir, const char *name, struct stat *ret_st);
int sys_unlink_at(int dir, const char *name);
/* @replace: what has the name @to goes; else that is -EEXIST. */
int sys_rename_at(int dir, const char *from, const char *to, bool replace);
/* Both have a name, and get that of the other; counts as SYS_RENAME. Not every file system can. */
int sys_exchange_at(int dir, const char *one, const char *other);
/* Call @each for all names but . and .. */
int sys_list_dir(int dir, void (*each)(void *opaque, const char *name), void *opaque);
/* As copy_file_range(2), which counts as SYS_PWRITE: how many bytes, 0 at the end of @from. */
ssize_t sys_copy_range(int from, off_t off_from, int to, off_t off_to, size_t len);
/* As stat(2): of what a symbolic link stands for. */
int sys_stat(const char *path, struct stat *ret_st);
int sys_chmod(const char *path, mode_t mode);
int sys_chown(const char *path, uid_t owner, gid_t group);
int sys_mkdir(const char *path, mode_t mode);
int sys_rmdir(const char *path);
int sys_statvfs(const char *path, struct statvfs *ret_st);
/* On which CPUs a thread, by its number, may run; bit n % 8 of byte n / 8 is CPU n. */
int sys_set_affinity(pid_t tid, const uint8_t *map, size_t len);
/* Bytes behind the kernel's own are cleared. */
int sys_get_affinity(pid_t tid, uint8_t *ret_map, size_t len);
/* A descriptor that is readable when the process has ended. */
int sys_pidfd_open(pid_t pid);
int sys_pidfd_signal(int pidfd, int sig);
int sys_poll(struct pollfd *fds, nfds_t count, int timeout_ms);
int sys_pipe(int fds[2], int flags);
/* A file without a name, as by memfd_create(2); counts as SYS_OPEN. */
int sys_memfd(const char *name);
/* The same with so many zeroes in it, and never more than that: writing behind them fails. */
int sys_memfd_fixed(const char *name, size_t len);
int sys_epoll_create(void);
/* @op: EPOLL_CTL_...; @events of epoll, @data comes back with them. */
int sys_epoll_ctl(int epoll, int op, int fd, uint32_t events, uint64_t data);
/* Not longer than @timeout_ns, UINT64_MAX: for ever; interrupted counts as a timeout. */
int sys_epoll_wait(int epoll, struct epoll_event *ret_events, int max, uint64_t timeout_ns);
/* Wait while *@word is @value, until sys_futex_wake(), for at most @timeout_ns (UINT64_MAX: for ever),
 * or for no reason. Not counted. */
void sys_futex_wait(atomic_uint *word, unsigned value, uint64_t timeout_ns);
void sys_futex_wake(atomic_uint *word);
/* A clock that rings, CLOCK_MONOTONIC, not set; and in @after_ns, 0: not. Not to be waited for by reads. */
int sys_timerfd_create(void);
int sys_timerfd_set(int fd, uint64_t after_ns);
int sys_fork(void);
int sys_set_nonblock(int fd);
int sys_set_block(int fd);
/* Another descriptor of the same file or socket; counts as SYS_FCNTL. */
int sys_dup(int fd);
/* All of it, by flock(2); -EWOULDBLOCK: somebody else has it. Counts as SYS_FCNTL. */
int sys_lock_file(int fd);
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
