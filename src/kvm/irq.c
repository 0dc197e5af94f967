/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * irq.c - interrupts and notifications of the KVM engine: lines, messages, eventfds, the I/O APIC
 *
 * Interrupt controllers are KVM's. GSI 0 to 23 are the pins of its I/O APIC. KVM's two 8259s always
 * exist; wires end there only if the machine is to have them (cpu_config.pics). GSIs from 24 on carry
 * messages, one for each eventfd.
 */
#include <assert.h>
#include <errno.h>
#include <linux/kvm.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/sys.h"
#include "cpu/ioapic.h"
#include "cpu/pic.h"
#include "kvm/kvm-int.h"

/* ---- the table of routes ---- */

int kvm_routes_add(struct kvm_routes *routes, int fd, uint64_t addr, uint32_t data)
{
	unsigned free_at = routes->count;

	for (unsigned i = routes->count; i-- > 0;) {
		if (routes->msi[i].fd == fd)
			return -EEXIST;
		if (routes->msi[i].fd < 0)
			free_at = i;
	}
	if (free_at == routes->count) {
		if (KVM_IOAPIC_LINES + routes->count >= routes->max)
			return -ENOSPC;
		routes->msi = g_renew(struct kvm_route, routes->msi, routes->count + 1);
		routes->count++;
	}
	routes->msi[free_at] = (struct kvm_route){ .fd = fd, .addr = addr, .data = data };
	return (int)(KVM_IOAPIC_LINES + free_at);
}

int kvm_routes_remove(struct kvm_routes *routes, int fd)
{
	for (unsigned i = 0; i < routes->count; i++) {
		if (routes->msi[i].fd == fd) {
			routes->msi[i].fd = -1;
			return (int)(KVM_IOAPIC_LINES + i);
		}
	}
	return -ENOENT;
}

static void route_to_chip(struct kvm_irq_routing *table, unsigned gsi, unsigned chip, unsigned pin)
{
	table->entries[table->nr++] = (struct kvm_irq_routing_entry){
		.gsi = gsi,
		.type = KVM_IRQ_ROUTING_IRQCHIP,
		.u.irqchip = { .irqchip = chip, .pin = pin },
	};
}

/* As a PC before the APIC has them. */
static void route_to_pics(struct kvm_irq_routing *table)
{
	for (unsigned wire = 0; wire < PIC_WIRES; wire++) {
		if (wire == PIC_CASCADE)
			continue;
		route_to_chip(table, wire,
			      wire < PIC_WIRES / 2 ? KVM_IRQCHIP_PIC_MASTER : KVM_IRQCHIP_PIC_SLAVE,
			      wire % (PIC_WIRES / 2));
	}
}

struct kvm_irq_routing *kvm_routes_table(const struct kvm_routes *routes)
{
	size_t max = KVM_IOAPIC_LINES + PIC_WIRES + routes->count;
	struct kvm_irq_routing *table = g_malloc0(sizeof(*table) + max * sizeof(table->entries[0]));

	for (unsigned gsi = 0; gsi < KVM_IOAPIC_LINES; gsi++) {
		if (routes->pics && gsi == PIC_CASCADE)
			continue;
		route_to_chip(table, gsi, KVM_IRQCHIP_IOAPIC,
			      routes->pics && gsi == 0 ? IOAPIC_TIMER_PIN : gsi);
	}
	if (routes->pics)
		route_to_pics(table);
	for (unsigned i = 0; i < routes->count; i++) {
		const struct kvm_route *route = &routes->msi[i];

		if (route->fd < 0)
			continue;
		table->entries[table->nr++] = (struct kvm_irq_routing_entry){
			.gsi = KVM_IOAPIC_LINES + i,
			.type = KVM_IRQ_ROUTING_MSI,
			.u.msi = {
				.address_lo = (uint32_t)route->addr,
				.address_hi = (uint32_t)(route->addr >> 32),
				.data = route->data,
			},
		};
	}
	return table;
}

void kvm_routes_release(struct kvm_routes *routes)
{
	g_free(routes->msi);
	*routes = (struct kvm_routes){ 0 };
}

static int install_routes(struct cpu_engine *engine)
{
	g_autofree struct kvm_irq_routing *table = kvm_routes_table(&engine->routes);

	return sys_ioctl(engine->vm_fd, KVM_SET_GSI_ROUTING, table);
}

bool kvm_irq_init(struct cpu_engine *engine, GError **error)
{
	int r = sys_ioctl_int(engine->vm_fd, KVM_CHECK_EXTENSION, KVM_CAP_IRQ_ROUTING);

	if (r >= 0) {
		engine->routes.pics = engine->config.pics;
		engine->routes.max = (unsigned)r;
		r = install_routes(engine);
	}
	if (r < 0)
		return error_sys(error, r, "cannot wire KVM's I/O APIC");
	return true;
}

/* ---- the sink ---- */

DATA_PATH static void sink_set_line(struct irq_sink *sink, unsigned gsi, bool level)
{
	struct cpu_engine *engine = container_of(sink, struct cpu_engine, sink);
	struct kvm_irq_level line = { .irq = gsi, .level = level };

	if (gsi < KVM_IOAPIC_LINES)
		(void)sys_ioctl(engine->vm_fd, KVM_IRQ_LINE, &line);
}

/* A guest can make devices send messages to nobody: KVM says so, and nobody cares. */
DATA_PATH static void sink_send_msi(struct irq_sink *sink, uint64_t addr, uint32_t data)
{
	struct cpu_engine *engine = container_of(sink, struct cpu_engine, sink);
	struct kvm_msi msi = {
		.address_lo = (uint32_t)addr,
		.address_hi = (uint32_t)(addr >> 32),
		.data = data,
	};

	(void)sys_ioctl(engine->vm_fd, KVM_SIGNAL_MSI, &msi);
}

static int sink_irqfd(struct irq_sink *sink, int fd, uint64_t addr, uint32_t data, bool on)
{
	return kvm_irqfd(container_of(sink, struct cpu_engine, sink), fd, -1, addr, data, on);
}

const struct irq_sink_ops kvm_sink_ops = {
	.set_line = sink_set_line,
	.send_msi = sink_send_msi,
	.irqfd = sink_irqfd,
};

/* ---- eventfds ---- */

static int assign_irqfd(struct cpu_engine *engine, int fd, int gsi, bool on)
{
	struct kvm_irqfd irqfd = {
		.fd = (uint32_t)fd,
		.gsi = (uint32_t)gsi,
		.flags = on ? 0 : KVM_IRQFD_FLAG_DEASSIGN,
	};

	return sys_ioctl(engine->vm_fd, KVM_IRQFD, &irqfd);
}

static int add_message_locked(struct cpu_engine *engine, int fd, uint64_t addr, uint32_t data)
{
	int gsi = kvm_routes_add(&engine->routes, fd, addr, data), r;

	if (gsi < 0)
		return gsi;
	r = install_routes(engine);
	if (r == 0)
		r = assign_irqfd(engine, fd, gsi, true);
	if (r < 0)
		(void)kvm_routes_remove(&engine->routes, fd);
	return r;
}

static int remove_message_locked(struct cpu_engine *engine, int fd)
{
	int gsi = kvm_routes_remove(&engine->routes, fd), r;

	if (gsi < 0)
		return gsi;
	/* The eventfd first: a GSI without a route does nothing, but costs a warning. */
	r = assign_irqfd(engine, fd, gsi, false);
	return r < 0 ? r : install_routes(engine);
}

int kvm_irqfd(struct cpu_engine *engine, int fd, int gsi, uint64_t msi_addr, uint32_t msi_data,
	      bool on)
{
	int r;

	if (fd < 0 || gsi >= KVM_IOAPIC_LINES)
		return -EINVAL;
	if (gsi >= 0)
		return assign_irqfd(engine, fd, gsi, on);
	pthread_mutex_lock(&engine->routes_lock);
	r = on ? add_message_locked(engine, fd, msi_addr, msi_data)
	       : remove_message_locked(engine, fd);
	pthread_mutex_unlock(&engine->routes_lock);
	return r;
}

int kvm_notify(struct cpu_engine *engine, const struct io_notify *notify, bool on)
{
	struct kvm_ioeventfd io = {
		.datamatch = notify->match ? notify->value : 0,
		.addr = notify->addr,
		.len = notify->size,
		.fd = notify->eventfd,
		.flags = (notify->match ? KVM_IOEVENTFD_FLAG_DATAMATCH : 0u) |
			 (notify->mmio ? 0u : KVM_IOEVENTFD_FLAG_PIO) |
			 (on ? 0u : KVM_IOEVENTFD_FLAG_DEASSIGN),
	};

	return sys_ioctl(engine->vm_fd, KVM_IOEVENTFD, &io);
}

/* ---- the 8259s ---- */

static const unsigned pic_ids[] = { KVM_IRQCHIP_PIC_MASTER, KVM_IRQCHIP_PIC_SLAVE };

static int get_pics(struct cpu_engine *engine, struct cpu_chip_state *state)
{
	for (unsigned i = 0; i < ARRAY_SIZE(pic_ids); i++) {
		struct kvm_irqchip chip = { .chip_id = pic_ids[i] };
		const struct kvm_pic_state *pic = &chip.chip.pic;
		int r = sys_ioctl(engine->vm_fd, KVM_GET_IRQCHIP, &chip);

		if (r < 0)
			return r;
		state->pic[i] = (struct cpu_pic_state){
			.lines = pic->last_irr,
			.irr = pic->irr,
			.imr = pic->imr,
			.isr = pic->isr,
			.first = pic->priority_add,
			.base = pic->irq_base,
			.step = pic->init_state,
			.elcr = pic->elcr,
			.read_isr = pic->read_reg_select,
			.poll = pic->poll,
			.special_mask = pic->special_mask,
			.auto_eoi = pic->auto_eoi,
			.rotate = pic->rotate_on_auto_eoi,
			.special_nested = pic->special_fully_nested_mode,
			.icw4 = pic->init4,
		};
	}
	return 0;
}

static int set_pics(struct cpu_engine *engine, const struct cpu_chip_state *state)
{
	for (unsigned i = 0; i < ARRAY_SIZE(pic_ids); i++) {
		const struct cpu_pic_state *from = &state->pic[i];
		struct kvm_irqchip chip = { .chip_id = pic_ids[i] };
		struct kvm_pic_state *pic = &chip.chip.pic;
		/* Read first: which bits of elcr a guest may change is not ours to say. */
		int r = sys_ioctl(engine->vm_fd, KVM_GET_IRQCHIP, &chip);

		if (r < 0)
			return r;
		pic->last_irr = from->lines;
		pic->irr = from->irr;
		pic->imr = from->imr;
		pic->isr = from->isr;
		pic->priority_add = from->first;
		pic->irq_base = from->base;
		pic->init_state = from->step;
		pic->elcr = from->elcr;
		pic->read_reg_select = from->read_isr;
		pic->poll = from->poll;
		pic->special_mask = from->special_mask;
		pic->auto_eoi = from->auto_eoi;
		pic->rotate_on_auto_eoi = from->rotate;
		pic->special_fully_nested_mode = from->special_nested;
		pic->init4 = from->icw4;
		r = sys_ioctl(engine->vm_fd, KVM_SET_IRQCHIP, &chip);
		if (r < 0)
			return r;
	}
	return 0;
}

/* ---- the I/O APIC and the clock ---- */

int kvm_get_chips(struct cpu_engine *engine, struct cpu_chip_state *ret_state)
{
	struct kvm_irqchip chip = { .chip_id = KVM_IRQCHIP_IOAPIC };
	struct kvm_clock_data clock = { 0 };
	int r = sys_ioctl(engine->vm_fd, KVM_GET_IRQCHIP, &chip);

	if (r == 0)
		r = sys_ioctl(engine->vm_fd, KVM_GET_CLOCK, &clock);
	if (r < 0)
		return r;
	static_assert(ARRAY_SIZE(ret_state->ioapic_redir) == KVM_IOAPIC_NUM_PINS, "pins");
	*ret_state = (struct cpu_chip_state){
		.ioapic_id = chip.chip.ioapic.id,
		.ioapic_select = chip.chip.ioapic.ioregsel,
		.ioapic_irr = chip.chip.ioapic.irr,
		.clock_ns = clock.clock,
	};
	for (unsigned i = 0; i < KVM_IOAPIC_NUM_PINS; i++)
		ret_state->ioapic_redir[i] = chip.chip.ioapic.redirtbl[i].bits;
	return engine->config.pics ? get_pics(engine, ret_state) : 0;
}

int kvm_set_chips(struct cpu_engine *engine, const struct cpu_chip_state *state)
{
	struct kvm_irqchip chip = { .chip_id = KVM_IRQCHIP_IOAPIC };
	struct kvm_clock_data clock = { .clock = state->clock_ns };
	/* Read first: it also holds the address of its registers, which is not ours to change. */
	int r = sys_ioctl(engine->vm_fd, KVM_GET_IRQCHIP, &chip);

	if (r < 0)
		return r;
	chip.chip.ioapic.id = state->ioapic_id;
	chip.chip.ioapic.ioregsel = state->ioapic_select;
	chip.chip.ioapic.irr = state->ioapic_irr;
	for (unsigned i = 0; i < KVM_IOAPIC_NUM_PINS; i++)
		chip.chip.ioapic.redirtbl[i].bits = state->ioapic_redir[i];
	r = sys_ioctl(engine->vm_fd, KVM_SET_IRQCHIP, &chip);
	if (r == 0 && engine->config.pics)
		r = set_pics(engine, state);
	return r < 0 ? r : sys_ioctl(engine->vm_fd, KVM_SET_CLOCK, &clock);
}
