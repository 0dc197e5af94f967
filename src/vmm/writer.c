/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * writer.c - a thread that writes what others must not wait for
 *
 *  (1) The bytes to write are ring[head .. head + used), modulo WRITER_ROOM.
 *  (2) While busy, the thread reads ring[head ..] and uses fd without the lock; whoever changes
 *      head or fd waits until it is not. Others only append.
 *  (3) A thread that stays stuck in write() when all ends is left behind, with the writer.
 */
#include "vmm/writer.h"

#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "base/sys.h"
#include "base/thread.h"

enum {
	LINGER_US = 1000, /* from the first byte to the write, so that a line goes out at once */
	RETRY_MS = 50,    /* how long a peer that is full is waited for without looking around */
	DRAIN_MS = 1000,  /* how long the end waits without any progress */
};

struct writer {
	struct writer_config config;
	struct thread *thread;
	GMutex lock; /* guards all below */
	GCond wake;  /* for the thread: something to do */
	GCond moved; /* from the thread: something was done */
	uint8_t *ring;
	size_t head, used;
	unsigned long writes;
	int fd;
	bool sleeping; /* the thread waits for wake */
	bool busy;
	bool starved;   /* somebody waits for room */
	bool notifying; /* and is about to hear of it, on the main loop */
	bool broken;    /* told already that writing fails */
	bool stop;
};

/* [main] */
static gboolean on_writable(gpointer opaque)
{
	struct writer *writer = opaque;

	g_mutex_lock(&writer->lock);
	writer->notifying = false;
	g_mutex_unlock(&writer->lock);
	writer->config.writable(writer->config.opaque);
	return G_SOURCE_REMOVE;
}

/* Write some of it, without the lock. Return: how many bytes are done with; 0: not now. */
static size_t push(struct writer *writer, int fd, const uint8_t *buf, size_t len)
{
	struct pollfd pfd = { .fd = fd, .events = POLLOUT };
	ssize_t n;

	if (writer->config.drop_on_hup && sys_poll(&pfd, 1, 0) > 0 && pfd.revents & POLLHUP)
		return len;
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

	g_mutex_lock(&writer->lock);
	while (!writer->stop) {
		size_t len, done;
		int fd;

		if (!writer->used) {
			writer->sleeping = true;
			g_cond_wait(&writer->wake, &writer->lock);
			writer->sleeping = false;
			if (writer->used && !writer->stop) {
				g_mutex_unlock(&writer->lock);
				g_usleep(LINGER_US);
				g_mutex_lock(&writer->lock);
			}
			continue;
		}
		len = MIN(writer->used, WRITER_ROOM - writer->head);
		fd = writer->fd;
		writer->busy = true;
		g_mutex_unlock(&writer->lock);
		done = push(writer, fd, writer->ring + writer->head, len);
		g_mutex_lock(&writer->lock);
		writer->busy = false;
		writer->head = (writer->head + done) % WRITER_ROOM;
		writer->used -= done;
		writer->writes += done > 0;
		if (writer->starved && !writer->notifying && done && writer->config.writable) {
			writer->starved = false;
			writer->notifying = true;
			g_idle_add(on_writable, writer);
		}
		g_cond_broadcast(&writer->moved);
	}
	g_mutex_unlock(&writer->lock);
}

struct writer *writer_new(const struct writer_config *config, GError **error)
{
	struct writer *writer = g_new(struct writer, 1);

	*writer = (struct writer){ .config = *config, .fd = config->fd };
	writer->ring = g_malloc(WRITER_ROOM);
	g_mutex_init(&writer->lock);
	g_cond_init(&writer->wake);
	g_cond_init(&writer->moved);
	writer->thread = thread_start("socle-writer", writer_main, writer, error);
	if (!writer->thread) {
		writer_free(writer);
		return NULL;
	}
	return writer;
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
	if (len && writer->sleeping)
		g_cond_signal(&writer->wake);
	return len;
}

size_t writer_put(struct writer *writer, const uint8_t *buf, size_t len)
{
	size_t taken = len;

	g_mutex_lock(&writer->lock);
	if (writer->fd >= 0)
		taken = append_locked(writer, buf, len, WRITER_ROOM - WRITER_RESERVE);
	if (taken < len)
		writer->starved = true;
	g_mutex_unlock(&writer->lock);
	return taken;
}

void writer_put_text(struct writer *writer, const char *text)
{
	g_mutex_lock(&writer->lock);
	if (writer->fd >= 0)
		(void)append_locked(writer, (const uint8_t *)text, strlen(text), WRITER_ROOM);
	g_mutex_unlock(&writer->lock);
}

void writer_set_fd(struct writer *writer, int fd)
{
	g_mutex_lock(&writer->lock);
	writer->fd = -1;
	while (writer->busy)
		g_cond_wait(&writer->moved, &writer->lock);
	writer->used = 0;
	writer->broken = false;
	writer->fd = fd;
	/* Whoever waited for the old peer to read can go on. */
	if (writer->starved && !writer->notifying && writer->config.writable) {
		writer->starved = false;
		writer->notifying = true;
		g_idle_add(on_writable, writer);
	}
	g_mutex_unlock(&writer->lock);
}

/* Wait until there is nothing more to write, or no progress. */
static void drain_locked(struct writer *writer)
{
	while (writer->used > 0) {
		unsigned long writes = writer->writes;
		gint64 end = g_get_monotonic_time() + DRAIN_MS * 1000;

		while (writer->used > 0 && writer->writes == writes) {
			if (!g_cond_wait_until(&writer->moved, &writer->lock, end))
				return;
		}
	}
}

/* Let the thread end. False: it is stuck in a write(). */
static bool stop_locked(struct writer *writer)
{
	gint64 end = g_get_monotonic_time() + 2 * RETRY_MS * 1000;

	writer->stop = true;
	writer->config.writable = NULL;
	g_cond_signal(&writer->wake);
	while (writer->busy) {
		if (!g_cond_wait_until(&writer->moved, &writer->lock, end))
			return false;
	}
	return true;
}

void writer_free(struct writer *writer)
{
	bool ended;

	if (!writer)
		return;
	if (writer->thread) {
		g_mutex_lock(&writer->lock);
		drain_locked(writer);
		ended = stop_locked(writer);
		g_mutex_unlock(&writer->lock);
		while (g_idle_remove_by_data(writer))
			;
		if (!ended)
			return;
		thread_join(writer->thread);
	}
	g_mutex_clear(&writer->lock);
	g_cond_clear(&writer->wake);
	g_cond_clear(&writer->moved);
	g_free(writer->ring);
	g_free(writer);
}
