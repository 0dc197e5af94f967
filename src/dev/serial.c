/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * serial.c - serial port: a 16550A UART (PC16550D data sheet, National Semiconductor, 1995)
 *
 * No baud rate is simulated: a byte that is sent has left at once, unless the host does not take
 * it. Then it waits in the transmit FIFO, LSR.THRE stays low, and the guest waits as it does for a
 * slow line. A receiver timeout (four silent character times on real hardware) has no time to
 * pass: input below the trigger level is indicated as timed out straight away.
 *
 *  (1) LSR.DR = the receive FIFO holds something, LSR.THRE = LSR.TEMT = the transmit FIFO is empty.
 *  (2) The interrupt line is high exactly while IIR tells of an interrupt.
 *  (3) A guest cannot lose input: the host's bytes are taken only while there is room. Only what
 *      the guest sends itself in loopback mode can overrun.
 *
 * An interrupt handler that sends 16 bytes for each THRE interrupt never finds the end, because
 * the next interrupt is there before it looks. Linux gives up after 512 rounds, with the line
 * still high, so that no edge follows ever after. Hence THRE_RUN_MAX: after so many THRE
 * interrupts in a row the next one comes from the main loop, a moment later.
 */
#include "dev/serial.h"

#include <pthread.h>
#include <stdbool.h>
#include <string.h>

#include "bus/io.h"
#include "dev/chardev.h"

enum {
	FIFO_LEN = 16,
	THRE_RUN_MAX = 64
};

enum {
	REG_DATA = 0, /* RBR, THR; with LCR.DLAB the divisor's low byte */
	REG_IER = 1,  /* with LCR.DLAB the divisor's high byte */
	REG_IIR = 2,  /* written: FCR */
	REG_LCR = 3,
	REG_MCR = 4,
	REG_LSR = 5,
	REG_MSR = 6,
	REG_SCR = 7,
};

enum {
	IER_RDI = 0x01, /* received data */
	IER_THRI = 0x02,
	IER_RLSI = 0x04, /* line status: errors */
	IER_MSI = 0x08,
	IER_MASK = 0x0f,

	IIR_NONE = 0x01,
	IIR_MSI = 0x00,
	IIR_THRI = 0x02,
	IIR_RDI = 0x04,
	IIR_RLSI = 0x06,
	IIR_TIMEOUT = 0x0c,
	IIR_FIFO = 0xc0,

	FCR_ENABLE = 0x01,
	FCR_CLEAR_RX = 0x02,
	FCR_CLEAR_TX = 0x04,
	FCR_KEPT = 0xc9, /* trigger level, DMA mode, enable */

	LCR_DLAB = 0x80,

	MCR_DTR = 0x01,
	MCR_RTS = 0x02,
	MCR_OUT1 = 0x04,
	MCR_OUT2 = 0x08,
	MCR_LOOP = 0x10,
	MCR_MASK = 0x1f,

	LSR_DR = 0x01,
	LSR_OE = 0x02,
	LSR_THRE = 0x20,
	LSR_TEMT = 0x40,

	MSR_DCTS = 0x01,
	MSR_DDSR = 0x02,
	MSR_TERI = 0x04,
	MSR_DDCD = 0x08,
	MSR_DELTA = 0x0f,
	MSR_CTS = 0x10,
	MSR_DSR = 0x20,
	MSR_RI = 0x40,
	MSR_DCD = 0x80,
	MSR_LINES = 0xf0,
};

struct fifo {
	uint8_t buf[FIFO_LEN];
	unsigned head, count;
};

struct serial {
	struct io_range range;
	struct io_space *pio;
	struct irq_line irq;
	struct chardev *chr;
	struct dev_timer *bell; /* serial_bell() on the main loop */

	pthread_mutex_t lock; /* guards all below */
	uint8_t ier, fcr, lcr, mcr, msr, scr, dll, dlm;
	uint8_t errors; /* the sticky bits of LSR */
	struct fifo rx, tx;
	bool thre;         /* a THRE interrupt is due */
	bool thre_late;    /* ... and comes from the main loop */
	unsigned thre_run; /* THRE interrupts since IIR last read as IIR_NONE */
	bool input_waits;  /* the host has bytes that did not fit */
	bool level;        /* of the interrupt line */
};

DATA_PATH static void fifo_push(struct fifo *fifo, uint8_t byte)
{
	fifo->buf[(fifo->head + fifo->count++) % FIFO_LEN] = byte;
}

DATA_PATH static void fifo_drop(struct fifo *fifo, unsigned count)
{
	fifo->head = (fifo->head + count) % FIFO_LEN;
	fifo->count -= count;
}

DATA_PATH static unsigned capacity(const struct serial *serial)
{
	return serial->fcr & FCR_ENABLE ? FIFO_LEN : 1;
}

DATA_PATH static unsigned rx_trigger(const struct serial *serial)
{
	static const uint8_t level[] = { 1, 4, 8, 14 };

	return serial->fcr & FCR_ENABLE ? level[serial->fcr >> 6] : 1;
}

/* The interrupt of the highest priority. */
DATA_PATH static uint8_t iir_locked(const struct serial *serial)
{
	if ((serial->ier & IER_RLSI) && serial->errors)
		return IIR_RLSI;
	if ((serial->ier & IER_RDI) && serial->rx.count)
		return serial->rx.count >= rx_trigger(serial) ? IIR_RDI : IIR_TIMEOUT;
	if ((serial->ier & IER_THRI) && serial->thre)
		return IIR_THRI;
	if ((serial->ier & IER_MSI) && (serial->msr & MSR_DELTA))
		return IIR_MSI;
	return IIR_NONE;
}

DATA_PATH static void irq_update_locked(struct serial *serial)
{
	bool level = iir_locked(serial) != IIR_NONE;

	if (level == serial->level)
		return;
	serial->level = level;
	irq_line_set(&serial->irq, level);
}

/* The transmitter can take more. */
DATA_PATH static void thre_raise_locked(struct serial *serial)
{
	if (serial->thre_run < THRE_RUN_MAX) {
		serial->thre = true;
		return;
	}
	serial->thre_late = true;
	dev_timer_set(serial->bell, 0);
}

/* There is room in the receive FIFO: let the host go on, which only the main loop may do. */
DATA_PATH static void want_input_locked(struct serial *serial)
{
	if (serial->input_waits && serial->rx.count == 0 && !(serial->mcr & MCR_LOOP))
		dev_timer_set(serial->bell, 0);
}

DATA_PATH static void rx_push_locked(struct serial *serial, uint8_t byte)
{
	if (serial->rx.count < capacity(serial)) {
		fifo_push(&serial->rx, byte);
		return;
	}
	serial->errors |= LSR_OE;
	/* Without a FIFO the new byte takes the place of the old one. */
	if (!(serial->fcr & FCR_ENABLE))
		serial->rx.buf[serial->rx.head] = byte;
}

/* Give the host what waits in the transmit FIFO, as far as it takes it. */
DATA_PATH static void drain_locked(struct serial *serial)
{
	struct fifo *tx = &serial->tx;

	while (tx->count) {
		size_t len = FIFO_LEN - tx->head;
		size_t taken;

		if (len > tx->count)
			len = tx->count;
		taken = chardev_write(serial->chr, tx->buf + tx->head, len);
		fifo_drop(tx, (unsigned)taken);
		if (taken < len)
			return;
	}
	thre_raise_locked(serial);
}

DATA_PATH static void transmit_locked(struct serial *serial, uint8_t byte)
{
	serial->thre = false;
	if (serial->mcr & MCR_LOOP) {
		rx_push_locked(serial, byte);
	} else if (serial->chr) {
		/* A guest that does not look at THRE loses what does not fit. */
		if (serial->tx.count < capacity(serial))
			fifo_push(&serial->tx, byte);
		/* A host that is busy calls writable(). */
		if (serial->tx.count == 1)
			drain_locked(serial);
		return;
	}
	thre_raise_locked(serial);
}

/* The modem's lines as the guest sees them now; what changed is noted. */
DATA_PATH static void msr_update_locked(struct serial *serial)
{
	uint8_t lines = MSR_DCD | MSR_DSR | MSR_CTS;
	uint8_t changed, delta = 0;

	if (serial->mcr & MCR_LOOP) {
		lines = 0;
		lines |= serial->mcr & MCR_RTS ? MSR_CTS : 0;
		lines |= serial->mcr & MCR_DTR ? MSR_DSR : 0;
		lines |= serial->mcr & MCR_OUT1 ? MSR_RI : 0;
		lines |= serial->mcr & MCR_OUT2 ? MSR_DCD : 0;
	}
	changed = lines ^ serial->msr;
	delta |= changed & MSR_CTS ? MSR_DCTS : 0;
	delta |= changed & MSR_DSR ? MSR_DDSR : 0;
	delta |= changed & MSR_DCD ? MSR_DDCD : 0;
	delta |= changed & serial->msr & MSR_RI ? MSR_TERI : 0;
	serial->msr = (uint8_t)(lines | (serial->msr & MSR_DELTA) | delta);
}

DATA_PATH static void fcr_write_locked(struct serial *serial, uint8_t value)
{
	uint8_t clear = value & (FCR_CLEAR_RX | FCR_CLEAR_TX);

	/* Turning the FIFOs on or off empties them. */
	if ((value ^ serial->fcr) & FCR_ENABLE)
		clear = FCR_CLEAR_RX | FCR_CLEAR_TX;
	serial->fcr = value & FCR_ENABLE ? value & FCR_KEPT : 0;
	if (clear & FCR_CLEAR_RX) {
		serial->rx = (struct fifo){ .count = 0 };
		want_input_locked(serial);
	}
	if ((clear & FCR_CLEAR_TX) && serial->tx.count) {
		serial->tx = (struct fifo){ .count = 0 };
		thre_raise_locked(serial);
	}
}

DATA_PATH static void write_locked(struct serial *serial, unsigned reg, uint8_t value)
{
	switch (reg) {
	case REG_DATA:
		if (serial->lcr & LCR_DLAB)
			serial->dll = value;
		else
			transmit_locked(serial, value);
		break;
	case REG_IER:
		if (serial->lcr & LCR_DLAB) {
			serial->dlm = value;
			break;
		}
		/* Enabling it with nothing to send asks for an interrupt (8250 errata; Linux tests
		 * for it). */
		if ((value & ~serial->ier & IER_THRI) && serial->tx.count == 0)
			thre_raise_locked(serial);
		serial->ier = value & IER_MASK;
		break;
	case REG_IIR:
		fcr_write_locked(serial, value);
		break;
	case REG_LCR:
		serial->lcr = value;
		break;
	case REG_MCR:
		serial->mcr = value & MCR_MASK;
		msr_update_locked(serial);
		want_input_locked(serial);
		break;
	case REG_SCR:
		serial->scr = value;
		break;
	default: /* LSR and MSR are read-only */
		break;
	}
	irq_update_locked(serial);
}

DATA_PATH static uint8_t rbr_read_locked(struct serial *serial)
{
	uint8_t value;

	if (serial->rx.count == 0)
		return 0;
	value = serial->rx.buf[serial->rx.head];
	fifo_drop(&serial->rx, 1);
	want_input_locked(serial);
	return value;
}

DATA_PATH static uint8_t iir_read_locked(struct serial *serial)
{
	uint8_t iir = iir_locked(serial);

	if (iir == IIR_THRI) {
		serial->thre = false;
		serial->thre_run++;
	} else if (iir == IIR_NONE) {
		serial->thre_run = 0;
	}
	return serial->fcr & FCR_ENABLE ? iir | IIR_FIFO : iir;
}

DATA_PATH static uint8_t lsr_read_locked(struct serial *serial)
{
	uint8_t lsr = serial->errors;

	if (serial->rx.count)
		lsr |= LSR_DR;
	if (serial->tx.count == 0)
		lsr |= LSR_THRE | LSR_TEMT;
	serial->errors = 0;
	return lsr;
}

DATA_PATH static uint8_t read_locked(struct serial *serial, unsigned reg)
{
	uint8_t value = 0;

	switch (reg) {
	case REG_DATA:
		value = serial->lcr & LCR_DLAB ? serial->dll : rbr_read_locked(serial);
		break;
	case REG_IER:
		value = serial->lcr & LCR_DLAB ? serial->dlm : serial->ier;
		break;
	case REG_IIR:
		value = iir_read_locked(serial);
		break;
	case REG_LCR:
		value = serial->lcr;
		break;
	case REG_MCR:
		value = serial->mcr;
		break;
	case REG_LSR:
		value = lsr_read_locked(serial);
		break;
	case REG_MSR:
		value = serial->msr;
		serial->msr &= MSR_LINES;
		break;
	case REG_SCR:
		value = serial->scr;
		break;
	default:
		break;
	}
	irq_update_locked(serial);
	return value;
}

/* The chip has an 8-bit bus: a wider access is several in a row, as on a PC. */
DATA_PATH static uint64_t serial_read(struct io_range *range, uint64_t off, unsigned size)
{
	struct serial *serial = container_of(range, struct serial, range);
	uint64_t value = 0;

	pthread_mutex_lock(&serial->lock);
	for (unsigned i = 0; i < size; i++)
		value |= (uint64_t)read_locked(serial, (unsigned)off + i) << (8 * i);
	pthread_mutex_unlock(&serial->lock);
	return value;
}

DATA_PATH static void serial_write(struct io_range *range, uint64_t off, unsigned size,
				   uint64_t value)
{
	struct serial *serial = container_of(range, struct serial, range);

	pthread_mutex_lock(&serial->lock);
	for (unsigned i = 0; i < size; i++)
		write_locked(serial, (unsigned)off + i, (uint8_t)(value >> (8 * i)));
	pthread_mutex_unlock(&serial->lock);
}

static const struct io_ops serial_io_ops = { .read = serial_read, .write = serial_write };

DATA_PATH static size_t serial_receive(void *opaque, const uint8_t *buf, size_t len)
{
	struct serial *serial = opaque;
	size_t taken = 0;

	pthread_mutex_lock(&serial->lock);
	/* In loopback mode the wire from outside is cut off. */
	if (!(serial->mcr & MCR_LOOP)) {
		while (taken < len && serial->rx.count < capacity(serial))
			fifo_push(&serial->rx, buf[taken++]);
	}
	serial->input_waits = taken < len;
	irq_update_locked(serial);
	pthread_mutex_unlock(&serial->lock);
	return taken;
}

DATA_PATH static void serial_writable(void *opaque)
{
	struct serial *serial = opaque;

	pthread_mutex_lock(&serial->lock);
	if (serial->tx.count) {
		drain_locked(serial);
		irq_update_locked(serial);
	}
	pthread_mutex_unlock(&serial->lock);
}

static const struct chardev_front serial_front = {
	.receive = serial_receive,
	.writable = serial_writable,
};

/* On the main loop: what a vCPU's thread has left to it. */
static void serial_bell(void *opaque)
{
	struct serial *serial = opaque;
	bool resume;

	pthread_mutex_lock(&serial->lock);
	if (serial->thre_late) {
		serial->thre_late = false;
		serial->thre_run = 0;
		serial->thre = serial->tx.count == 0;
		irq_update_locked(serial);
	}
	resume = serial->input_waits && serial->rx.count < capacity(serial) &&
		 !(serial->mcr & MCR_LOOP);
	if (resume)
		serial->input_waits = false;
	pthread_mutex_unlock(&serial->lock);
	if (resume)
		chardev_resume(serial->chr);
}

struct serial *serial_new(const struct serial_config *config, GError **error)
{
	struct serial *serial = g_new(struct serial, 1);

	*serial = (struct serial){
		.range = { .ops = &serial_io_ops,
			   .base = config->base,
			   .len = SERIAL_PORTS,
			   .name = "serial" },
		.irq = config->irq,
		.lock = PTHREAD_MUTEX_INITIALIZER,
	};
	serial->bell = dev_timer_new(config->clock, serial_bell, serial);
	serial_reset(serial);
	if (!io_space_add(config->pio, &serial->range, error)) {
		serial_free(serial);
		return NULL;
	}
	serial->pio = config->pio;
	serial->chr = config->chr;
	if (serial->chr)
		chardev_attach(serial->chr, &serial_front, serial);
	return serial;
}

void serial_free(struct serial *serial)
{
	if (!serial)
		return;
	if (serial->chr)
		chardev_attach(serial->chr, NULL, NULL);
	if (serial->pio)
		io_space_remove(serial->pio, &serial->range);
	dev_timer_free(serial->bell);
	pthread_mutex_destroy(&serial->lock);
	g_free(serial);
}

void serial_reset(struct serial *serial)
{
	pthread_mutex_lock(&serial->lock);
	serial->ier = serial->fcr = serial->lcr = serial->mcr = serial->scr = serial->dlm = 0;
	serial->dll = 12; /* 9600 baud, as firmware leaves it */
	serial->errors = 0;
	serial->msr = MSR_DCD | MSR_DSR | MSR_CTS;
	serial->rx = serial->tx = (struct fifo){ .count = 0 };
	serial->thre = serial->thre_late = false;
	serial->thre_run = 0;
	want_input_locked(serial);
	irq_update_locked(serial);
	pthread_mutex_unlock(&serial->lock);
}
