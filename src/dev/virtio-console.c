/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virtio-console.c - consoles and ports for agents (virtio 1.2, 5.3)
 *
 *  (1) Nothing is buffered here. Output waits in the driver's chain until the host takes it; input
 *      waits on the host until the driver has a buffer, then the bell asks for it on the main loop.
 *  (2) Host bytes are written with the lock held: writing never waits and never calls back. Asking
 *      for input does call back, so it happens without the lock.
 *  (3) What the driver is to hear on the control queue is a bit per port and kind, sent in the order
 *      of the bits when there is a buffer. So it takes no memory, and the last state counts.
 */
#include "dev/virtio-console.h"

#include <string.h>

#include "base/bytes.h"
#include "base/error.h"

enum {
	QUEUE_SIZE = 128,
	BATCH_CHAINS = 64,
	BATCH_BYTES = 1 << 16,
};

enum {
	VIRTIO_CONSOLE_F_SIZE = 1 << 0,
	VIRTIO_CONSOLE_F_MULTIPORT = 1 << 1,
	VIRTIO_CONSOLE_F_EMERG_WRITE = 1 << 2,

	CONFIG_COLS = 0,
	CONFIG_ROWS = 2,
	CONFIG_MAX_PORTS = 4,
	CONFIG_EMERG = 8,
	CONFIG_LEN = 12,

	QUEUE_CTRL_RX = 2,
	QUEUE_CTRL_TX = 3,
};

/* Control messages: id (4 bytes), event (2), value (2), and what belongs to it. */
enum {
	MESSAGE_LEN = 8,
	MESSAGE_MAX = MESSAGE_LEN + 64, /* with a name */

	EVENT_DEVICE_READY = 0,
	EVENT_DEVICE_ADD = 1,
	EVENT_PORT_READY = 3,
	EVENT_CONSOLE_PORT = 4,
	EVENT_RESIZE = 5,
	EVENT_PORT_OPEN = 6,
	EVENT_PORT_NAME = 7,
};

/* What a port has to tell the driver, in this order. */
enum {
	TELL_ADD = 1 << 0,
	TELL_CONSOLE = 1 << 1,
	TELL_RESIZE = 1 << 2,
	TELL_NAME = 1 << 3,
	TELL_OPEN = 1 << 4,
};

struct port {
	struct virtio_console *console;
	unsigned index;
	struct chardev *chr;
	char *name;
	bool is_console;
	/* guarded by the device's lock: */
	unsigned tell;
	bool guest_ready, guest_open;
	bool host_open;   /* somebody is at the host's end */
	bool input_waits; /* the host has bytes that did not fit */
	bool resume;      /* ask for them, on the main loop */
	bool blocked;     /* the host takes nothing more, and will call */
	uint16_t columns, rows;
	struct virtq_chain *chain; /* whose bytes before @off were written */
	size_t off;
};

struct virtio_console {
	struct virtio_device dev;
	struct dev_timer *bell;
	unsigned count;
	struct port port[VIRTIO_CONSOLE_MAX_PORTS];
};

static struct virtio_console *console_of(struct virtio_device *dev)
{
	return container_of(dev, struct virtio_console, dev);
}

/* Queues: port 0's two, control's two, then two for each port. */
DATA_PATH static unsigned rx_index(const struct port *port)
{
	return port->index ? 2 * port->index + 2 : 0;
}

DATA_PATH static bool multiport(const struct virtio_console *console)
{
	return virtio_has(&console->dev, VIRTIO_CONSOLE_F_MULTIPORT);
}

/* The port may carry bytes. */
DATA_PATH static bool port_open(const struct port *port)
{
	const struct virtio_console *console = port->console;

	if (!virtio_live(&console->dev))
		return false;
	return multiport(console) ? port->guest_open : port->index == 0;
}

/* ---- from the host ---- */

/* Copy into the driver's buffers: how many bytes fit. */
DATA_PATH static size_t receive_locked(struct port *port, const uint8_t *buf, size_t len)
{
	struct virtq *vq = port->console->dev.queue[rx_index(port)];
	size_t done = 0;

	for (unsigned n = 0; done < len && n < BATCH_CHAINS; n++) {
		struct virtq_chain *chain = virtq_pop(vq);
		size_t part;

		if (!chain && !virtq_notify_on(vq))
			break;
		if (!chain)
			continue;
		part = iov_copy_in(chain->in, chain->in_count, 0, buf + done, len - done);
		virtq_push(vq, chain, part);
		done += part;
	}
	virtq_flush(vq);
	return done;
}

static size_t console_receive(void *opaque, const uint8_t *buf, size_t len)
{
	struct port *port = opaque;
	struct virtio_device *dev = &port->console->dev;
	size_t done = 0;

	virtio_lock(dev);
	if (port_open(port) && virtq_ready(dev->queue[rx_index(port)]))
		done = receive_locked(port, buf, len);
	port->input_waits = done < len;
	/* After a whole batch nobody has asked for more; or the driver has given some meanwhile. */
	if (port->input_waits && port_open(port) && virtq_notify_on(dev->queue[rx_index(port)]))
		virtio_kick_self(dev, rx_index(port));
	virtio_unlock(dev);
	return done;
}

/* The driver can take input: ask for what waits. */
DATA_PATH static void want_input_locked(struct port *port)
{
	if (!port->chr || !port->input_waits || !port_open(port))
		return;
	port->input_waits = false;
	port->resume = true;
	dev_timer_set(port->console->bell, 0);
}

/* [main] */
static void on_bell(void *opaque)
{
	struct virtio_console *console = opaque;

	for (unsigned i = 0; i < console->count; i++) {
		struct port *port = &console->port[i];
		bool resume;

		virtio_lock(&console->dev);
		resume = port->resume;
		port->resume = false;
		virtio_unlock(&console->dev);
		if (resume)
			chardev_resume(port->chr);
	}
}

/* ---- to the host ---- */

/* Write the rest of the port's chain. False: the host does not take all of it now. */
DATA_PATH static bool write_chain(struct port *port)
{
	struct virtq_chain *chain = port->chain;
	size_t skip = port->off;

	for (unsigned i = 0; i < chain->out_count && port->chr; i++) {
		const struct iovec *iov = &chain->out[i];
		size_t taken, len;

		if (skip >= iov->iov_len) {
			skip -= iov->iov_len;
			continue;
		}
		len = iov->iov_len - skip;
		taken = chardev_write(port->chr, (uint8_t *)iov->iov_base + skip, len);
		port->off += taken;
		skip = 0;
		if (taken < len)
			return false;
	}
	return true;
}

DATA_PATH static void transmit(struct port *port)
{
	struct virtio_device *dev = &port->console->dev;
	struct virtq *vq = dev->queue[rx_index(port) + 1];
	size_t bytes = 0;

	if (port->blocked || !virtq_ready(vq))
		return;
	for (unsigned n = 0; n < BATCH_CHAINS && bytes < BATCH_BYTES; n++) {
		if (!port->chain) {
			port->chain = virtq_pop(vq);
			port->off = 0;
		}
		if (!port->chain)
			break;
		/* Before the call: room may come at once, and be told when we let the lock go. */
		port->blocked = true;
		if (!write_chain(port))
			break;
		port->blocked = false;
		bytes += MIN(port->off, BATCH_BYTES);
		virtq_push(vq, port->chain, 0);
		port->chain = NULL;
	}
	virtq_flush(vq);
	/* While the host takes nothing, the driver need not call. */
	if (!port->blocked && virtq_ready(vq) && virtq_notify_on(vq))
		virtio_kick_self(dev, rx_index(port) + 1);
}

static void console_writable(void *opaque)
{
	struct port *port = opaque;
	struct virtio_device *dev = &port->console->dev;

	virtio_lock(dev);
	port->blocked = false;
	virtio_unlock(dev);
	virtio_kick_self(dev, rx_index(port) + 1);
}

static void tell_locked(struct virtio_console *console);

static void console_presence(void *opaque, bool present)
{
	struct port *port = opaque;
	struct virtio_device *dev = &port->console->dev;

	virtio_lock(dev);
	port->host_open = present;
	/* Before it is ready the guest is told nothing; then it gets the state of that moment. */
	if (port->guest_ready) {
		port->tell |= TELL_OPEN;
		tell_locked(port->console);
	}
	virtio_unlock(dev);
}

static const struct chardev_front console_front = {
	.receive = console_receive,
	.writable = console_writable,
	.presence = console_presence,
};

/* ---- the control queue ---- */

/* The message for one bit of @tell; its length. */
DATA_PATH static size_t compose(const struct port *port, unsigned tell, uint8_t *message)
{
	size_t len = MESSAGE_LEN;
	unsigned event = EVENT_DEVICE_ADD, value = 1;

	if (tell == TELL_CONSOLE) {
		event = EVENT_CONSOLE_PORT;
	} else if (tell == TELL_RESIZE) {
		event = EVENT_RESIZE;
		value = 0;
		put_le16(message + len, port->columns);
		put_le16(message + len + 2, port->rows);
		len += 4;
	} else if (tell == TELL_NAME) {
		event = EVENT_PORT_NAME;
		len += strlen(port->name);
		memcpy(message + MESSAGE_LEN, port->name, len - MESSAGE_LEN);
	} else if (tell == TELL_OPEN) {
		event = EVENT_PORT_OPEN;
		value = port->host_open;
	}
	put_le32(message, port->index);
	put_le16(message + 4, (uint16_t)event);
	put_le16(message + 6, (uint16_t)value);
	return len;
}

/* Tell what there is to tell. False: the driver has no buffer. */
DATA_PATH static bool tell_port(struct port *port, struct virtq *vq)
{
	while (port->tell) {
		unsigned bit = port->tell & -port->tell;
		struct virtq_chain *chain = virtq_pop(vq);
		uint8_t message[MESSAGE_MAX];
		size_t len;

		if (!chain)
			return false;
		len = compose(port, bit, message);
		/* A buffer that is too small gets what fits; it is the driver's loss. */
		len = iov_copy_in(chain->in, chain->in_count, 0, message, len);
		virtq_push(vq, chain, len);
		port->tell &= ~bit;
	}
	return true;
}

DATA_PATH static void tell_locked(struct virtio_console *console)
{
	struct virtq *vq = console->dev.queue[QUEUE_CTRL_RX];
	bool pending = false;

	if (!virtio_live(&console->dev) || !multiport(console) || !virtq_ready(vq))
		return;
	for (unsigned i = 0; i < console->count; i++) {
		if (!tell_port(&console->port[i], vq)) {
			pending = true;
			break;
		}
	}
	virtq_flush(vq);
	if (pending && virtq_ready(vq) && virtq_notify_on(vq))
		virtio_kick_self(&console->dev, QUEUE_CTRL_RX);
}

DATA_PATH static void port_ready(struct port *port)
{
	port->guest_ready = true;
	port->tell |= TELL_OPEN;
	if (port->is_console)
		port->tell |= TELL_CONSOLE;
	if (port->is_console && port->columns && port->rows)
		port->tell |= TELL_RESIZE;
	if (port->name)
		port->tell |= TELL_NAME;
}

/* A message of the driver. Whatever it does not make sense is ignored. */
DATA_PATH static void heard(struct virtio_console *console, const uint8_t *message)
{
	uint32_t id = get_le32(message);
	uint16_t event = get_le16(message + 4), value = get_le16(message + 6);

	if (event == EVENT_DEVICE_READY) {
		for (unsigned i = 0; i < console->count && value; i++)
			console->port[i].tell |= TELL_ADD;
		return;
	}
	if (id >= console->count)
		return;
	if (event == EVENT_PORT_READY && value) {
		port_ready(&console->port[id]);
	} else if (event == EVENT_PORT_OPEN) {
		console->port[id].guest_open = value;
		want_input_locked(&console->port[id]);
	}
}

DATA_PATH static void hear(struct virtio_console *console)
{
	struct virtq *vq = console->dev.queue[QUEUE_CTRL_TX];

	for (unsigned n = 0; n < BATCH_CHAINS; n++) {
		struct virtq_chain *chain = virtq_pop(vq);
		uint8_t message[MESSAGE_LEN];

		if (!chain)
			break;
		if (iov_copy_out(chain->out, chain->out_count, 0, message, MESSAGE_LEN) ==
		    MESSAGE_LEN)
			heard(console, message);
		virtq_push(vq, chain, 0);
	}
	virtq_flush(vq);
	tell_locked(console);
	if (virtq_ready(vq) && virtq_notify_on(vq))
		virtio_kick_self(&console->dev, QUEUE_CTRL_TX);
}

/* ---- life ---- */

DATA_PATH static void console_kick(struct virtio_device *dev, unsigned index)
{
	struct virtio_console *console = console_of(dev);
	unsigned port = index < QUEUE_CTRL_RX ? 0 : index / 2 - 1;

	if (index == QUEUE_CTRL_RX || index == QUEUE_CTRL_TX) {
		if (!multiport(console))
			return;
		if (index == QUEUE_CTRL_RX)
			tell_locked(console);
		else
			hear(console);
	} else if (port < console->count && (port == 0 || multiport(console))) {
		if (index & 1)
			transmit(&console->port[port]);
		else
			want_input_locked(&console->port[port]);
	}
}

static void console_reset(struct virtio_device *dev, int index)
{
	struct virtio_console *console = console_of(dev);

	for (unsigned i = 0; i < console->count; i++) {
		struct port *port = &console->port[i];
		unsigned tx = rx_index(port) + 1;

		if (port->chain && (index < 0 || (unsigned)index == tx)) {
			virtq_drop(dev->queue[tx], port->chain);
			port->chain = NULL;
		}
		if (index < 0) {
			port->tell = 0;
			port->guest_ready = port->guest_open = false;
		}
	}
}

/* The emergency write (5.3.4): a byte from a driver that may not have queues yet. */
static void console_config_written(struct virtio_device *dev, unsigned off, unsigned size)
{
	struct port *port = &console_of(dev)->port[0];

	(void)size;
	if (off == CONFIG_EMERG && port->chr)
		(void)chardev_write(port->chr, dev->config + CONFIG_EMERG, 1);
}

static void console_free(struct virtio_device *dev)
{
	struct virtio_console *console = console_of(dev);

	for (unsigned i = 0; i < console->count; i++) {
		if (console->port[i].chr)
			chardev_attach(console->port[i].chr, NULL, NULL);
		g_free(console->port[i].name);
	}
	dev_timer_free(console->bell);
	/* When this returns, what was posted to the loop has been done. */
	virtio_reset(dev);
	virtio_release(dev);
	g_free(console);
}

static const struct virtio_ops console_ops = {
	.kick = console_kick,
	.reset = console_reset,
	.config_written = console_config_written,
	.free = console_free,
};

static bool check_config(const struct virtio_console_config *config, GError **error)
{
	if (config->count < 1 || config->count > VIRTIO_CONSOLE_MAX_PORTS)
		return error_set(error, SOCLE_ERROR_LIMIT,
				 "a virtio console with %u ports; it can have 1 to %d",
				 config->count, VIRTIO_CONSOLE_MAX_PORTS);
	for (unsigned i = 0; i < config->count; i++) {
		const char *name = config->ports[i].name;

		if (name && (!*name || strlen(name) > MESSAGE_MAX - MESSAGE_LEN))
			return error_set(error, SOCLE_ERROR_LIMIT,
					 "port name '%s' has %zu bytes; it can have 1 to %d", name,
					 strlen(name), MESSAGE_MAX - MESSAGE_LEN);
	}
	return true;
}

struct virtio_device *virtio_console_new(const struct virtio_console_config *config, GError **error)
{
	struct virtio_console *console;

	if (!check_config(config, error))
		return NULL;
	console = g_new0(struct virtio_console, 1);
	console->count = config->count;
	virtio_init(&console->dev,
		    &(struct virtio_config){
			    .ops = &console_ops,
			    .type = VIRTIO_CONSOLE,
			    .features = VIRTIO_F_COMMON | VIRTIO_CONSOLE_F_SIZE |
					VIRTIO_CONSOLE_F_MULTIPORT | VIRTIO_CONSOLE_F_EMERG_WRITE,
			    .loop = config->loop,
			    .queues = 2 * config->count + 2,
			    .queue_size = QUEUE_SIZE,
			    .config_len = CONFIG_LEN,
		    });
	put_le32(console->dev.config + CONFIG_MAX_PORTS, config->count);
	memset(console->dev.config_writable + CONFIG_EMERG, 0xff, 4);
	console->bell = dev_timer_new(config->clock, on_bell, console);
	for (unsigned i = 0; i < config->count; i++) {
		const struct virtio_console_port *from = &config->ports[i];

		console->port[i] = (struct port){
			.console = console,
			.index = i,
			.chr = from->chr,
			.name = g_strdup(from->name),
			.is_console = from->console,
			.host_open = from->chr && !from->chr->absent,
		};
	}
	for (unsigned i = 0; i < config->count; i++) {
		if (console->port[i].chr)
			chardev_attach(console->port[i].chr, &console_front, &console->port[i]);
	}
	return &console->dev;
}

void virtio_console_resize(struct virtio_device *dev, unsigned port, uint16_t columns,
			   uint16_t rows)
{
	struct virtio_console *console = console_of(dev);

	if (port >= console->count)
		return;
	virtio_lock(dev);
	console->port[port].columns = columns;
	console->port[port].rows = rows;
	if (port == 0) {
		put_le16(dev->config + CONFIG_COLS, columns);
		put_le16(dev->config + CONFIG_ROWS, rows);
		if (virtio_has(dev, VIRTIO_CONSOLE_F_SIZE))
			virtio_config_changed(dev);
	}
	if (console->port[port].guest_ready && console->port[port].is_console) {
		console->port[port].tell |= TELL_RESIZE;
		tell_locked(console);
	}
	virtio_unlock(dev);
}

bool virtio_console_guest_open(struct virtio_device *dev, unsigned port)
{
	struct virtio_console *console = console_of(dev);
	bool open;

	if (port >= console->count)
		return false;
	virtio_lock(dev);
	open = port_open(&console->port[port]);
	virtio_unlock(dev);
	return open;
}
