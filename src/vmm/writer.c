/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * writer.c - a thread that writes what others must not wait for
 *
 *  (1) The bytes to write are ring[head .. head + used), modulo WRITER_ROOM.
 *  (2) While busy, the thread reads ring[head ..] and uses fd without the lock; whoever changes
 *      head or fd waits until it is not. Others only append.
 *  (3) While away, nobody is at the other end, and the thread sleeps until it is to look again.
 *  (4) A thread that stays stuck in write() when all ends is left behind, with the writer.
 */
#include "vmm/writer.h"

#include <errno.h>
#include <glib-unix.h>
#include <pthread.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>

#include "base/error.h"
#include "base/log.h"
#include "base/sys.h"
#include "base/thread.h"

enum {
	LINGER_US = 1000, /* how long bytes gather, so that not each of them is a write */
	RETRY_MS = 50,    /* how long a peer that is full is waited for without looking around */
	DRAIN_MS = 1000,  /* how long the end waits without any progress */
};

struct writer {
	struct writer_config config;
	struct thread *thread;
	int room_fd; /* signalled when there is room again */
	guint room_source;
	pthread_mutex_t lock; /* guards all below */
	pthread_cond_t wake;  /* for the thread: something to do */
	pthread_cond_t moved; /* from the thread: something was done */
	uint8_t *ring;
	size_t head, used;
	unsigned long writes;
	int fd;
	bool sleeping; /* the thread waits for wake */
	bool away, look;
	bool busy;
	bool starved;   /* somebody waits for room */
	bool notifying; /* and is about to hear of it, on the main loop */
	bool broken;    /* told already that writing fails */
	bool stop;
};

/* [main] */
static gboolean on_room(gint fd, GIOCondition condition, gpointer opaque)
{
	struct writer *writer = opaque;
	uint64_t count;

	(void)condition;
	(void)sys_read(fd, &count, sizeof(count));
	writer->config.writable(writer->config.opaque);
	return G_SOURCE_CONTINUE;
}

/* There is room: tell who waits for it, on the main loop. */
static void notify_locked(struct writer *writer)
{
	static const uint64_t one = 1;

	if (writer->starved)
		(void)sys_write(writer->room_fd, &one, sizeof(one));
	writer->starved = false;
}

/*
 * Write some of it, without the lock. Return: how many bytes are done with; 0: not now.
 * @excess: how many of them go if nobody is there
 */
static size_t push(struct writer *writer, int fd, const uint8_t *buf, size_t len, size_t excess,
		   bool *ret_away)
{
	struct pollfd pfd = { .fd = fd, .events = POLLOUT };
	ssize_t n;

	*ret_away = writer->config.keep_on_hup && sys_poll(&pfd, 1, 0) > 0 && pfd.revents & POLLHUP;
	if (*ret_away)
		return MIN(len, excess);
	n = sys_write(fd, buf, len);
	if (n >= 0)
		return (size_t)n;
	if (n == -EAGAIN) {
		(void)sys_poll(&pfd, 1, RETRY_MS);
		return 0;
	}
	/* The guest cannot help it, and goes on. A peer that left is no news. */
	if (!writer->broken && n != -EPIPE && n != -ECONNRESET)
		log_warning("%s is lost, because it cannot be written: %s", writer->config.what,
			    g_strerror((int)-n));
	writer->broken = true;
	return len;
}

static void writer_main(void *opaque)
{
	struct writer *writer = opaque;
	uint64_t written = 0;

	pthread_mutex_lock(&writer->lock);
	while (!writer->stop) {
		size_t len, done, excess;
		bool away;
		int fd;

		if (!writer->used || (writer->away && !writer->look)) {
			writer->sleeping = true;
			pthread_cond_wait(&writer->wake, &writer->lock);
			writer->sleeping = false;
			/* The first byte after a pause goes out at once, what follows in lumps. */
			if (!writer->stop && sys_monotonic_ns() - written < LINGER_US * 1000ull) {
				pthread_mutex_unlock(&writer->lock);
				g_usleep(LINGER_US);
				pthread_mutex_lock(&writer->lock);
			}
			continue;
		}
		len = MIN(writer->used, WRITER_ROOM - writer->head);
		fd = writer->fd;
		excess = writer->used - MIN(writer->used, WRITER_KEPT);
		writer->busy = true;
		writer->look = false;
		pthread_mutex_unlock(&writer->lock);
		done = push(writer, fd, writer->ring + writer->head, len, excess, &away);
		written = sys_monotonic_ns();
		pthread_mutex_lock(&writer->lock);
		writer->busy = false;
		writer->away = away;
		/* The rest of what is too much may be at the ring's other end. */
		writer->look |= away && done && done < excess;
		writer->head = (writer->head + done) % WRITER_ROOM;
		writer->used -= done;
		writer->writes += done > 0;
		if (done)
			notify_locked(writer);
		pthread_cond_broadcast(&writer->moved);
	}
	pthread_mutex_unlock(&writer->lock);
}

struct writer *writer_new(const struct writer_config *config, GError **error)
{
	struct writer *writer = g_new(struct writer, 1);

	*writer = (struct writer){ .config = *config, .fd = config->fd };
	writer->ring = g_malloc(WRITER_ROOM);
	pthread_mutex_init(&writer->lock, NULL);
	pthread_cond_init(&writer->wake, NULL);
	pthread_cond_init(&writer->moved, NULL);
	writer->room_fd = sys_eventfd(0, EFD_NONBLOCK);
	if (writer->room_fd < 0) {
		error_sys(error, writer->room_fd, "cannot make an eventfd");
		goto fail;
	}
	if (config->writable)
		writer->room_source = g_unix_fd_add(writer->room_fd, G_IO_IN, on_room, writer);
	writer->thread = thread_start("socle-writer", writer_main, writer, error);
	if (!writer->thread)
		goto fail;
	return writer;
fail:
	writer_free(writer);
	return NULL;
}

static void look_locked(struct writer *writer)
{
	writer->look = true;
	if (writer->sleeping)
		pthread_cond_signal(&writer->wake);
}

void writer_look(struct writer *writer)
{
	pthread_mutex_lock(&writer->lock);
	look_locked(writer);
	pthread_mutex_unlock(&writer->lock);
}

static size_t append_locked(struct writer *writer, const uint8_t *buf, size_t len, size_t limit)
{
	size_t room = limit - MIN(limit, writer->used), tail, first;

	len = MIN(len, room);
	tail = (writer->head + writer->used) % WRITER_ROOM;
	first = MIN(len, WRITER_ROOM - tail);
	memcpy(writer->ring + tail, buf, first);
	memcpy(writer->ring, buf + first, len - first);
	writer->used += len;
	if (len)
		look_locked(writer);
	return len;
}

size_t writer_put(struct writer *writer, const uint8_t *buf, size_t len)
{
	size_t taken = len;

	pthread_mutex_lock(&writer->lock);
	if (writer->fd >= 0)
		taken = append_locked(writer, buf, len, WRITER_ROOM - WRITER_RESERVE);
	if (taken < len)
		writer->starved = true;
	pthread_mutex_unlock(&writer->lock);
	return taken;
}

void writer_put_text(struct writer *writer, const char *text)
{
	pthread_mutex_lock(&writer->lock);
	if (writer->fd >= 0)
		(void)append_locked(writer, (const uint8_t *)text, strlen(text), WRITER_ROOM);
	pthread_mutex_unlock(&writer->lock);
}

void writer_set_fd(struct writer *writer, int fd)
{
	pthread_mutex_lock(&writer->lock);
	writer->fd = -1;
	while (writer->busy)
		pthread_cond_wait(&writer->moved, &writer->lock);
	writer->used = 0;
	writer->broken = false;
	writer->fd = fd;
	/* Whoever waited for the old peer to read can go on. */
	notify_locked(writer);
	pthread_mutex_unlock(&writer->lock);
}

static struct timespec in_ms(unsigned ms)
{
	uint64_t ns = sys_monotonic_ns() + ms * 1000000ull;

	return (struct timespec){ .tv_sec = (time_t)(ns / 1000000000u),
				  .tv_nsec = (long)(ns % 1000000000u) };
}

/* Wait for the thread to do something. False: it did not until @end. */
static bool wait_moved_locked(struct writer *writer, const struct timespec *end)
{
	return pthread_cond_clockwait(&writer->moved, &writer->lock, CLOCK_MONOTONIC, end) == 0;
}

/* Wait until there is nothing more to write, nobody to read it, or no progress. */
static void drain_locked(struct writer *writer)
{
	writer->away = false;
	look_locked(writer);
	while (writer->used > 0 && !writer->away) {
		unsigned long writes = writer->writes;
		struct timespec end = in_ms(DRAIN_MS);

		while (writer->used > 0 && !writer->away && writer->writes == writes) {
			if (!wait_moved_locked(writer, &end))
				return;
		}
	}
}

/* Let the thread end. False: it is stuck in a write(). */
static bool stop_locked(struct writer *writer)
{
	struct timespec end = in_ms(2 * RETRY_MS);

	writer->stop = true;
	pthread_cond_signal(&writer->wake);
	while (writer->busy) {
		if (!wait_moved_locked(writer, &end))
			return false;
	}
	return true;
}

void writer_free(struct writer *writer)
{
	bool ended;

	if (!writer)
		return;
	if (writer->room_source)
		g_source_remove(writer->room_source);
	if (writer->thread) {
		pthread_mutex_lock(&writer->lock);
		drain_locked(writer);
		ended = stop_locked(writer);
		pthread_mutex_unlock(&writer->lock);
		if (!ended)
			return;
		thread_join(writer->thread);
	}
	pthread_mutex_destroy(&writer->lock);
	pthread_cond_destroy(&writer->wake);
	pthread_cond_destroy(&writer->moved);
	fd_autoclose(&writer->room_fd);
	g_free(writer->ring);
	g_free(writer);
}
