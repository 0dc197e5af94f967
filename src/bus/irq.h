/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * irq.h - interrupt lines and messages, from a device to whoever routes interrupts
 *
 * The engine owns the interrupt controllers (KVM has them in the kernel), so it is the sink. A
 * device holds a struct irq_line, which says where its wire ends.
 *
 * Threads: any.
 */
#ifndef BUS_IRQ_H
#define BUS_IRQ_H

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>

struct irq_sink;

struct irq_sink_ops {
	/* The wire into GSI @gsi is at @level now. Edge or level is the guest's choice. */
	void (*set_line)(struct irq_sink *sink, unsigned gsi, bool level);
	/* A message-signalled interrupt: address and data as in a PCI MSI capability. */
	void (*send_msi)(struct irq_sink *sink, uint64_t addr, uint32_t data);
	/*
	 * From now on (@on) who signals eventfd @fd sends this message, or not any more, when @addr
	 * and @data do not matter. For devices that live elsewhere, as in the kernel: here send_msi
	 * is cheaper. 0; -EEXIST: it has a message, which is to be taken away first; -ENOENT: it
	 * has none; other -errno. NULL: the engine has no such thing.
	 */
	int (*irqfd)(struct irq_sink *sink, int fd, uint64_t addr, uint32_t data, bool on);
};

struct irq_sink {
	const struct irq_sink_ops *ops;
};

struct irq_line {
	struct irq_sink *sink; /* NULL: not wired */
	unsigned gsi;
};

static inline void irq_line_set(const struct irq_line *line, bool level)
{
	if (line->sink)
		line->sink->ops->set_line(line->sink, line->gsi, level);
}

static inline void irq_send_msi(struct irq_sink *sink, uint64_t addr, uint32_t data)
{
	sink->ops->send_msi(sink, addr, data);
}

/* As irqfd() above; -EOPNOTSUPP: not with this engine, send messages instead. */
static inline int irq_set_msi_eventfd(struct irq_sink *sink, int fd, uint64_t addr, uint32_t data,
				      bool on)
{
	return sink->ops->irqfd ? sink->ops->irqfd(sink, fd, addr, data, on) : -EOPNOTSUPP;
}

#endif
