/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * debugcon.c - debug console of firmware: what it writes to port 0x402 goes to somebody by the line
 *
 *  (1) While the lock is free, len < DEBUGCON_LINE: one more byte always fits.
 */
#include "dev/debugcon.h"

#include <pthread.h>
#include <stdint.h>

#include "bus/io.h"

struct debugcon {
	struct io_range range;
	struct io_space *pio;
	void (*line)(void *opaque, const char *text);
	void *opaque;

	pthread_mutex_t lock; /* guards text and len */
	unsigned len;
	char text[DEBUGCON_LINE + 1];
};

static void flush_locked(struct debugcon *con)
{
	con->text[con->len] = '\0';
	con->len = 0;
	con->line(con->opaque, con->text);
}

static void put_locked(struct debugcon *con, uint8_t byte)
{
	if (byte == '\r')
		return;
	if (byte != '\n')
		con->text[con->len++] = byte >= 0x20 && byte < 0x7f ? (char)byte : '.';
	if (byte == '\n' || con->len == DEBUGCON_LINE)
		flush_locked(con);
}

static uint64_t debugcon_read(struct io_range *range, uint64_t off, unsigned size)
{
	(void)range;
	(void)off;
	(void)size;
	return DEBUGCON_MAGIC;
}

static void debugcon_write(struct io_range *range, uint64_t off, unsigned size, uint64_t value)
{
	struct debugcon *con = container_of(range, struct debugcon, range);

	(void)off;
	(void)size;
	pthread_mutex_lock(&con->lock);
	put_locked(con, (uint8_t)value);
	pthread_mutex_unlock(&con->lock);
}

static const struct io_ops debugcon_ops = { .read = debugcon_read, .write = debugcon_write };

struct debugcon *debugcon_new(struct io_space *pio, void (*line)(void *opaque, const char *text),
			      void *opaque, GError **error)
{
	struct debugcon *con = g_new(struct debugcon, 1);

	*con = (struct debugcon){
		.range = { .ops = &debugcon_ops,
			   .base = DEBUGCON_PORT,
			   .len = 1,
			   .name = "debugcon" },
		.line = line,
		.opaque = opaque,
		.lock = PTHREAD_MUTEX_INITIALIZER,
	};
	if (!io_space_add(pio, &con->range, error)) {
		debugcon_free(con);
		return NULL;
	}
	con->pio = pio;
	return con;
}

void debugcon_free(struct debugcon *con)
{
	if (!con)
		return;
	if (con->pio)
		io_space_remove(con->pio, &con->range);
	pthread_mutex_destroy(&con->lock);
	g_free(con);
}

void debugcon_reset(struct debugcon *con)
{
	pthread_mutex_lock(&con->lock);
	if (con->len)
		flush_locked(con);
	pthread_mutex_unlock(&con->lock);
}
