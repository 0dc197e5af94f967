/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sys.c - system calls: -errno instead of errno, CLOEXEC, EINTR retried, and failing on demand
 */
#include "base/sys.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <linux/openat2.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <time.h>

#include "base/cleanup.h"

/* How many more calls of a kind until one fails (0: none will), and with what. */
static struct {
	atomic_uint countdown;
	atomic_int err;
} failing[SYS_CALL_COUNT];

/* Calls that hang wait here for another err. */
static pthread_mutex_t hang_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t hang_end = PTHREAD_COND_INITIALIZER;

void sys_fail_nth(enum sys_call call, unsigned nth, int err)
{
	pthread_mutex_lock(&hang_lock);
	atomic_store(&failing[call].err, err);
	atomic_store(&failing[call].countdown, nth);
	pthread_cond_broadcast(&hang_end);
	pthread_mutex_unlock(&hang_lock);
}

static void hang(enum sys_call call)
{
	pthread_mutex_lock(&hang_lock);
	while (atomic_load(&failing[call].err) == SYS_HANG)
		pthread_cond_wait(&hang_end, &hang_lock);
	pthread_mutex_unlock(&hang_lock);
}

/* The call was chosen. */
DATA_PATH static int fail(enum sys_call call)
{
	int err = atomic_load(&failing[call].err);

	if (err != SYS_HANG)
		return -err;
	hang(call);
	return 0;
}

unsigned sys_fail_pending(enum sys_call call)
{
	return atomic_load(&failing[call].countdown);
}

DATA_PATH int sys_fail_now(enum sys_call call)
{
	unsigned left = atomic_load_explicit(&failing[call].countdown, memory_order_relaxed);

	while (unlikely(left)) {
		if (atomic_compare_exchange_weak(&failing[call].countdown, &left, left - 1))
			return left == 1 ? fail(call) : 0;
	}
	return 0;
}

DATA_PATH size_t sys_short_len(size_t len)
{
	size_t half = len / 2 & ~(size_t)511;

	return half ? half : len;
}

/* Evaluate @expr until it is not interrupted; its value, or -errno. */
#define SYS_RETRY(call, type, expr)                    \
	({                                             \
		type ret_;                             \
		do {                                   \
			ret_ = sys_fail_now(call);     \
			if (!ret_) {                   \
				ret_ = (expr);         \
				if (ret_ < 0)          \
					ret_ = -errno; \
			}                              \
		} while (ret_ == -EINTR);              \
		ret_;                                  \
	})

int sys_open(const char *path, int flags, mode_t mode)
{
	return SYS_RETRY(SYS_OPEN, int, open(path, flags | O_CLOEXEC, mode));
}

DATA_PATH ssize_t sys_read(int fd, void *buf, size_t len)
{
	return SYS_RETRY(SYS_READ, ssize_t, read(fd, buf, len));
}

DATA_PATH ssize_t sys_write(int fd, const void *buf, size_t len)
{
	return SYS_RETRY(SYS_WRITE, ssize_t, write(fd, buf, len));
}

DATA_PATH ssize_t sys_pread(int fd, void *buf, size_t len, off_t off)
{
	ssize_t ret = SYS_RETRY(SYS_PREAD, ssize_t, pread(fd, buf, len, off));

	/* The call that was chosen to be short has not been made yet. */
	return likely(ret != -SYS_SHORT) ? ret : sys_pread(fd, buf, sys_short_len(len), off);
}

DATA_PATH ssize_t sys_pwrite(int fd, const void *buf, size_t len, off_t off)
{
	ssize_t ret = SYS_RETRY(SYS_PWRITE, ssize_t, pwrite(fd, buf, len, off));

	return likely(ret != -SYS_SHORT) ? ret : sys_pwrite(fd, buf, sys_short_len(len), off);
}

/* A call that was chosen to be short moves the first buffer at most, and not all of that. */
DATA_PATH static ssize_t short_iov(ssize_t ret, const struct iovec **iov, int *count,
				   struct iovec *first)
{
	if (likely(ret != -SYS_SHORT))
		return ret;
	if (*count > 0) {
		*first = (struct iovec){ (*iov)->iov_base, sys_short_len((*iov)->iov_len) };
		*iov = first;
		*count = 1;
	}
	return 0;
}

DATA_PATH ssize_t sys_preadv(int fd, const struct iovec *iov, int count, off_t off, int flags)
{
	ssize_t ret = sys_fail_now(SYS_PREADV);
	struct iovec first;

	ret = short_iov(ret, &iov, &count, &first);
	if (ret < 0)
		return ret;
	do {
		ret = preadv2(fd, iov, count, off, flags);
	} while (ret < 0 && errno == EINTR);
	return ret < 0 ? -errno : ret;
}

DATA_PATH ssize_t sys_pwritev(int fd, const struct iovec *iov, int count, off_t off, int flags)
{
	ssize_t ret = sys_fail_now(SYS_PWRITEV);
	struct iovec first;

	ret = short_iov(ret, &iov, &count, &first);
	if (ret < 0)
		return ret;
	do {
		ret = pwritev2(fd, iov, count, off, flags);
	} while (ret < 0 && errno == EINTR);
	return ret < 0 ? -errno : ret;
}

DATA_PATH ssize_t sys_readv(int fd, const struct iovec *iov, int count)
{
	return SYS_RETRY(SYS_READ, ssize_t, readv(fd, iov, count));
}

DATA_PATH ssize_t sys_writev(int fd, const struct iovec *iov, int count)
{
	return SYS_RETRY(SYS_WRITE, ssize_t, writev(fd, iov, count));
}

ssize_t sys_read_full(int fd, void *buf, size_t len)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = sys_read(fd, (char *)buf + done, len - done);

		if (n < 0)
			return n;
		if (n == 0)
			break;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

ssize_t sys_write_full(int fd, const void *buf, size_t len)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = sys_write(fd, (const char *)buf + done, len - done);

		if (n < 0)
			return n;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

DATA_PATH int sys_ioctl(int fd, unsigned long request, void *arg)
{
	return SYS_RETRY(SYS_IOCTL, int, ioctl(fd, request, arg));
}

int sys_ioctl_int(int fd, unsigned long request, unsigned long arg)
{
	return SYS_RETRY(SYS_IOCTL, int, ioctl(fd, request, arg));
}

int sys_mmap(void **ret_p, size_t len, int prot, int flags, int fd, off_t off)
{
	int err = sys_fail_now(SYS_MMAP);
	void *p;

	if (err < 0)
		return err;
	p = mmap(NULL, len, prot, flags, fd, off);
	if (p == MAP_FAILED)
		return -errno;
	*ret_p = p;
	return 0;
}

void sys_munmap(void *p, size_t len)
{
	(void)munmap(p, len);
}

int sys_madvise(void *p, size_t len, int advice)
{
	return madvise(p, len, advice) < 0 ? -errno : 0;
}

int sys_eventfd(unsigned value, int flags)
{
	return SYS_RETRY(SYS_EVENTFD, int, eventfd(value, flags | EFD_CLOEXEC));
}

int sys_uring_setup(unsigned entries, struct io_uring_params *params)
{
	return SYS_RETRY(SYS_URING, int, (int)syscall(SYS_io_uring_setup, entries, params));
}

int sys_socket(int domain, int type, int protocol)
{
	return SYS_RETRY(SYS_SOCKET, int, socket(domain, type | SOCK_CLOEXEC, protocol));
}

int sys_socket_type(int fd, int *ret_type)
{
	socklen_t len = sizeof(*ret_type);

	return getsockopt(fd, SOL_SOCKET, SO_TYPE, ret_type, &len) < 0 ? -errno : 0;
}

int sys_socketpair(int domain, int type, int fds[2])
{
	return SYS_RETRY(SYS_SOCKET, int, socketpair(domain, type | SOCK_CLOEXEC, 0, fds));
}

int sys_bind(int fd, const struct sockaddr *addr, socklen_t len)
{
	return SYS_RETRY(SYS_BIND, int, bind(fd, addr, len));
}

int sys_connect(int fd, const struct sockaddr *addr, socklen_t len)
{
	return SYS_RETRY(SYS_CONNECT, int, connect(fd, addr, len));
}

int sys_listen(int fd, int backlog)
{
	return SYS_RETRY(SYS_LISTEN, int, listen(fd, backlog));
}

int sys_accept(int fd, int flags)
{
	return SYS_RETRY(SYS_ACCEPT, int, accept4(fd, NULL, NULL, flags | SOCK_CLOEXEC));
}

DATA_PATH ssize_t sys_sendmsg(int fd, const struct msghdr *msg, int flags)
{
	return SYS_RETRY(SYS_WRITE, ssize_t, sendmsg(fd, msg, flags | MSG_NOSIGNAL));
}

ssize_t sys_send_fd(int socket, int fd)
{
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	char zero = 0;
	struct iovec iov = { &zero, 1 };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);

	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(cmsg), &fd, sizeof(fd));
	return sys_sendmsg(socket, &msg, 0);
}

DATA_PATH ssize_t sys_recvmsg(int fd, struct msghdr *msg, int flags)
{
	return SYS_RETRY(SYS_READ, ssize_t, recvmsg(fd, msg, flags | MSG_CMSG_CLOEXEC));
}

int sys_shutdown(int fd, int how)
{
	return shutdown(fd, how) < 0 ? -errno : 0;
}

int sys_setsockopt_int(int fd, int level, int option, int value)
{
	return setsockopt(fd, level, option, &value, sizeof(value)) < 0 ? -errno : 0;
}

int sys_getsockopt_int(int fd, int level, int option, int *ret_value)
{
	socklen_t len = sizeof(*ret_value);

	return getsockopt(fd, level, option, ret_value, &len) < 0 ? -errno : 0;
}

int sys_getsockopt(int fd, int level, int option, void *ret_value, socklen_t *len)
{
	return getsockopt(fd, level, option, ret_value, len) < 0 ? -errno : 0;
}

int64_t sys_file_size(int fd)
{
	struct stat st = { 0 };
	int r = SYS_RETRY(SYS_FSTAT, int, fstat(fd, &st));

	if (r < 0)
		return r;
	return S_ISREG(st.st_mode) ? st.st_size : -EINVAL;
}

int sys_ftruncate(int fd, off_t len)
{
	return SYS_RETRY(SYS_FTRUNCATE, int, ftruncate(fd, len));
}

int sys_fsync(int fd)
{
	return SYS_RETRY(SYS_FSYNC, int, fsync(fd));
}

void sys_write_soon(int fd, off_t off, off_t len)
{
	(void)sync_file_range(fd, off, len, SYNC_FILE_RANGE_WRITE);
}

DATA_PATH int sys_fdatasync(int fd)
{
	return SYS_RETRY(SYS_FDATASYNC, int, fdatasync(fd));
}

DATA_PATH int sys_fallocate(int fd, int mode, off_t off, off_t len)
{
	return SYS_RETRY(SYS_FALLOCATE, int, fallocate(fd, mode, off, len));
}

off_t sys_lseek(int fd, off_t off, int whence)
{
	return SYS_RETRY(SYS_LSEEK, off_t, lseek(fd, off, whence));
}

int sys_fstat(int fd, struct stat *ret_st)
{
	return SYS_RETRY(SYS_FSTAT, int, fstat(fd, ret_st));
}

int sys_statx(int fd, unsigned mask, struct statx *ret_stx)
{
	return SYS_RETRY(SYS_STATX, int, statx(fd, "", AT_EMPTY_PATH, mask, ret_stx));
}

static struct flock one_byte(short type, off_t off)
{
	return (struct flock){ .l_type = type, .l_whence = SEEK_SET, .l_start = off, .l_len = 1 };
}

int sys_lock_byte(int fd, off_t off)
{
	struct flock lock = one_byte(F_RDLCK, off);

	return SYS_RETRY(SYS_FCNTL, int, fcntl(fd, F_OFD_SETLK, &lock));
}

int sys_lock_byte_alone(int fd, off_t off)
{
	struct flock lock = one_byte(F_WRLCK, off);

	return SYS_RETRY(SYS_FCNTL, int, fcntl(fd, F_OFD_SETLK, &lock));
}

int sys_unlock_byte(int fd, off_t off)
{
	struct flock lock = one_byte(F_UNLCK, off);

	return SYS_RETRY(SYS_FCNTL, int, fcntl(fd, F_OFD_SETLK, &lock));
}

int sys_byte_is_locked(int fd, off_t off)
{
	struct flock lock = one_byte(F_WRLCK, off);
	int ret = SYS_RETRY(SYS_FCNTL, int, fcntl(fd, F_OFD_GETLK, &lock));

	return ret < 0 ? ret : lock.l_type != F_UNLCK;
}

int sys_rename(const char *from, const char *to)
{
	return SYS_RETRY(SYS_RENAME, int, rename(from, to));
}

int sys_unlink(const char *path)
{
	return SYS_RETRY(SYS_UNLINK, int, unlink(path));
}

static int open_beneath(int dir, const char *name, int flags, mode_t mode)
{
	struct open_how how = {
		.flags = (uint64_t)(unsigned)(flags | O_CLOEXEC),
		.mode = flags & O_CREAT ? mode : 0,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS,
	};
	int fd = (int)syscall(SYS_openat2, dir, name, &how, sizeof(how));

	/* A kernel or a sandbox without it: of one component O_NOFOLLOW says the same. */
	if (fd >= 0 || errno != ENOSYS)
		return fd;
	if (strchr(name, '/') || !strcmp(name, "..")) {
		errno = EXDEV;
		return -1;
	}
	return openat(dir, name, flags | O_CLOEXEC | O_NOFOLLOW, mode);
}

int sys_open_beneath(int dir, const char *name, int flags, mode_t mode)
{
	return SYS_RETRY(SYS_OPEN, int, open_beneath(dir, name, flags, mode));
}

int sys_stat_at(int dir, const char *name, struct stat *ret_st)
{
	return SYS_RETRY(SYS_STAT, int, fstatat(dir, name, ret_st, AT_SYMLINK_NOFOLLOW));
}

int sys_unlink_at(int dir, const char *name)
{
	return SYS_RETRY(SYS_UNLINK, int, unlinkat(dir, name, 0));
}

/* File systems that do not know RENAME_NOREPLACE know hard links, which never replace. */
static int rename_new(int dir, const char *from, const char *to)
{
	int ret = renameat2(dir, from, dir, to, RENAME_NOREPLACE);

	if (ret == 0 || (errno != EINVAL && errno != ENOSYS))
		return ret;
	ret = linkat(dir, from, dir, to, 0);
	return ret < 0 ? ret : unlinkat(dir, from, 0);
}

int sys_rename_at(int dir, const char *from, const char *to, bool replace)
{
	return SYS_RETRY(SYS_RENAME, int,
			 replace ? renameat(dir, from, dir, to) : rename_new(dir, from, to));
}

int sys_exchange_at(int dir, const char *one, const char *other)
{
	return SYS_RETRY(SYS_RENAME, int, renameat2(dir, one, dir, other, RENAME_EXCHANGE));
}

int sys_list_dir(int dir, void (*each)(void *opaque, const char *name), void *opaque)
{
	/* Its own place in the list, not one that is shared. */
	int fd = SYS_RETRY(SYS_OPEN, int, openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)),
	    err;
	DIR *list = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;

	if (!list) {
		err = fd < 0 ? fd : -errno;
		if (fd >= 0)
			(void)close(fd);
		return err;
	}
	/* NOLINTNEXTLINE(concurrency-mt-unsafe): nobody else has this list */
	for (errno = 0; (entry = readdir(list)); errno = 0) {
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			each(opaque, entry->d_name);
	}
	err = -errno;
	(void)closedir(list);
	return err;
}

ssize_t sys_copy_range(int from, off_t off_from, int to, off_t off_to, size_t len)
{
	ssize_t ret = SYS_RETRY(SYS_PWRITE, ssize_t,
				copy_file_range(from, &off_from, to, &off_to, len, 0));

	return likely(ret != -SYS_SHORT)
		       ? ret
		       : sys_copy_range(from, off_from, to, off_to, sys_short_len(len));
}

int sys_link(const char *from, const char *to)
{
	return SYS_RETRY(SYS_LINK, int, link(from, to));
}

int sys_stat(const char *path, struct stat *ret_st)
{
	return SYS_RETRY(SYS_STAT, int, stat(path, ret_st));
}

int sys_chmod(const char *path, mode_t mode)
{
	return SYS_RETRY(SYS_CHMOD, int, chmod(path, mode));
}

int sys_chown(const char *path, uid_t owner, gid_t group)
{
	return SYS_RETRY(SYS_CHOWN, int, chown(path, owner, group));
}

int sys_mkdir(const char *path, mode_t mode)
{
	return SYS_RETRY(SYS_MKDIR, int, mkdir(path, mode));
}

int sys_rmdir(const char *path)
{
	return SYS_RETRY(SYS_RMDIR, int, rmdir(path));
}

int sys_statvfs(const char *path, struct statvfs *ret_st)
{
	return SYS_RETRY(SYS_STATVFS, int, statvfs(path, ret_st));
}

/* The system calls themselves: the C library's types have 1024 CPUs. */
int sys_set_affinity(pid_t tid, const uint8_t *map, size_t len)
{
	unsigned long words[SYS_CPUS_MAX / (8 * sizeof(unsigned long))] = { 0 };

	memcpy(words, map, len < sizeof(words) ? len : sizeof(words));
	return SYS_RETRY(SYS_AFFINITY, int,
			 (int)syscall(SYS_sched_setaffinity, tid, sizeof(words), words));
}

int sys_get_affinity(pid_t tid, uint8_t *ret_map, size_t len)
{
	unsigned long words[SYS_CPUS_MAX / (8 * sizeof(unsigned long))] = { 0 };
	int ret = SYS_RETRY(SYS_AFFINITY, int,
			    (int)syscall(SYS_sched_getaffinity, tid, sizeof(words), words));

	if (ret < 0)
		return ret;
	memset(ret_map, 0, len);
	memcpy(ret_map, words, len < sizeof(words) ? len : sizeof(words));
	return 0;
}

int sys_pidfd_open(pid_t pid)
{
	return SYS_RETRY(SYS_PIDFD, int, (int)syscall(SYS_pidfd_open, pid, 0));
}

int sys_pidfd_signal(int pidfd, int sig)
{
	return SYS_RETRY(SYS_PIDFD, int, (int)syscall(SYS_pidfd_send_signal, pidfd, sig, NULL, 0));
}

int sys_poll(struct pollfd *fds, nfds_t count, int timeout_ms)
{
	return SYS_RETRY(SYS_POLL, int, poll(fds, count, timeout_ms));
}

int sys_memfd(const char *name)
{
	return SYS_RETRY(SYS_OPEN, int, memfd_create(name, MFD_CLOEXEC));
}

int sys_memfd_fixed(const char *name, size_t len)
{
	autofd int fd =
		SYS_RETRY(SYS_OPEN, int, memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING));
	int rc = fd < 0 ? fd : sys_ftruncate(fd, (off_t)len);

	if (rc == 0)
		rc = SYS_RETRY(SYS_OPEN, int, fcntl(fd, F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK));
	return rc < 0 ? rc : fd_steal(&fd);
}

int sys_pipe(int fds[2], int flags)
{
	return SYS_RETRY(SYS_PIPE, int, pipe2(fds, flags | O_CLOEXEC));
}

void sys_futex_wait(atomic_uint *word, unsigned value, uint64_t timeout_ns)
{
	struct timespec ts = {
		.tv_sec = (time_t)(timeout_ns / 1000000000u),
		.tv_nsec = (long)(timeout_ns % 1000000000u),
	};

	(void)syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value,
		      timeout_ns == UINT64_MAX ? NULL : &ts, NULL, 0);
}

void sys_futex_wake(atomic_uint *word)
{
	(void)syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

int sys_epoll_create(void)
{
	return SYS_RETRY(SYS_EPOLL, int, epoll_create1(EPOLL_CLOEXEC));
}

DATA_PATH int sys_epoll_ctl(int epoll, int op, int fd, uint32_t events, uint64_t data)
{
	struct epoll_event event = { .events = events, .data.u64 = data };

	return SYS_RETRY(SYS_EPOLL, int, epoll_ctl(epoll, op, fd, &event));
}

DATA_PATH int sys_epoll_wait(int epoll, struct epoll_event *ret_events, int max,
			     uint64_t timeout_ns)
{
	bool forever = timeout_ns == UINT64_MAX;
	struct timespec ts = {
		.tv_sec = (time_t)(timeout_ns / 1000000000u),
		.tv_nsec = (long)(timeout_ns % 1000000000u),
	};
	int ret = epoll_pwait2(epoll, ret_events, max, forever ? NULL : &ts, NULL);

	if (ret >= 0)
		return ret;
	if (errno == ENOSYS || errno == EPERM) {
		/* An old filter of system calls: milliseconds, then, rounded up. */
		uint64_t ms = timeout_ns / 1000000u + (timeout_ns % 1000000u != 0);

		ret = epoll_wait(epoll, ret_events, max,
				 forever ? -1 : (int)(ms < 3600000u ? ms : 3600000u));
	}
	if (ret < 0)
		return errno == EINTR ? 0 : -errno;
	return ret;
}

int sys_timerfd_create(void)
{
	return SYS_RETRY(SYS_TIMERFD, int,
			 timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
}

int sys_timerfd_set(int fd, uint64_t after_ns)
{
	const struct itimerspec when = {
		.it_value = { .tv_sec = (time_t)(after_ns / 1000000000),
			      .tv_nsec = (long)(after_ns % 1000000000) },
	};

	return SYS_RETRY(SYS_TIMERFD, int, timerfd_settime(fd, 0, &when, NULL));
}

int sys_fork(void)
{
	return SYS_RETRY(SYS_FORK, int, fork());
}

int sys_set_nonblock(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
		return -errno;
	return 0;
}

int sys_set_block(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0 || fcntl(fd, F_SETFL, flags & ~O_NONBLOCK) < 0)
		return -errno;
	return 0;
}

int sys_dup(int fd)
{
	return SYS_RETRY(SYS_FCNTL, int, fcntl(fd, F_DUPFD_CLOEXEC, 0));
}

int sys_lock_file(int fd)
{
	return SYS_RETRY(SYS_FCNTL, int, flock(fd, LOCK_EX | LOCK_NB));
}

int sys_random(void *buf, size_t len)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = getrandom((char *)buf + done, len - done, 0);

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0)
			done += (size_t)n;
	}
	return 0;
}

int sys_last_error(void)
{
	return errno ? -errno : -EIO;
}

void sys_clear_error(void)
{
	errno = 0;
}

static uint64_t clock_ns(clockid_t id)
{
	struct timespec ts = { 0 };

	(void)clock_gettime(id, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

uint64_t sys_monotonic_ns(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

uint64_t sys_realtime_ns(void)
{
	return clock_ns(CLOCK_REALTIME);
}
