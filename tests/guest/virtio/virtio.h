/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virtio.h - tiny virtio drivers for small guests: PCI and memory transports, both ring layouts
 *
 * pci.c        configuration space, BARs, MSI-X
 * irq.c        local APIC, I/O APIC, who is interrupted; sleeping with a limit
 * transport.c  the registers of virtio over PCI and over memory (virtio 1.2, 4.1, 4.2)
 * queue.c      split and packed rings (2.7, 2.8)
 * blk.c net.c console.c rng.c  a test of each device
 *
 * A KVM that emulates ring 0 knows plain moves to and from registers only, so they are accessed by
 * read32() and the like. It is slow, too: data is made and compared in words of 64 bits.
 */
#ifndef TESTS_GUEST_VIRTIO_H
#define TESTS_GUEST_VIRTIO_H

#include "guest.h"

enum {
	TYPE_NET = 1,
	TYPE_BLK = 2,
	TYPE_CONSOLE = 3,
	TYPE_RNG = 4,
};

#define F_INDIRECT    (1ull << 28)
#define F_EVENT_IDX   (1ull << 29)
#define F_VERSION_1   (1ull << 32)
#define F_PACKED      (1ull << 34)
#define F_IN_ORDER    (1ull << 35)
#define F_NOTIFY_DATA (1ull << 38)
#define F_RING_RESET  (1ull << 40)

enum {
	MAX_DEVICES = 9,
	DEVICE_QUEUES = 8,
	RING = 64,     /* descriptors at most */
	MAX_PARTS = 8, /* buffers of one chain */
	SECTOR = 512,
};

/* ---- registers ---- */

#define REGISTER_ACCESS(bits, letter, constraint)                                                 \
	static inline u##bits read##bits(u64 addr)                                                \
	{                                                                                         \
		u##bits v;                                                                        \
		__asm__ volatile("mov" letter " (%1), %0"                                         \
				 : "=" constraint(v)                                              \
				 : "r"(addr)                                                      \
				 : "memory");                                                     \
		return v;                                                                         \
	}                                                                                         \
	static inline void write##bits(u64 addr, u##bits v)                                       \
	{                                                                                         \
		__asm__ volatile("mov" letter " %0, (%1)" ::constraint(v), "r"(addr) : "memory"); \
	}
REGISTER_ACCESS(8, "b", "q")
REGISTER_ACCESS(16, "w", "r")
REGISTER_ACCESS(32, "l", "r")
REGISTER_ACCESS(64, "q", "r")
#undef REGISTER_ACCESS

static inline void pause_(void)
{
	__asm__ volatile("pause" ::: "memory");
}

/* ---- devices ---- */

struct device {
	u32 type;
	int mmio;
	unsigned slot; /* on PCI */
	u64 regs;      /* in memory; on PCI its common configuration */
	u64 notify, isr, config, table, pending;
	u32 notify_stride;
	unsigned gsi;
	int intx; /* PCI: by INTA#, not MSI-X */
	u64 features;
	unsigned base_vector;
	volatile unsigned config_irqs, line_irqs, queue_irqs[DEVICE_QUEUES];
};

extern struct device devices[MAX_DEVICES];
extern unsigned device_count;

struct queue;

/* pci.c */
u32 pci_read(unsigned slot, unsigned off, unsigned size);
void pci_write(unsigned slot, unsigned off, unsigned size, u32 v);
u32 pci_read_ports(unsigned slot, unsigned off);
u64 pci_bar(unsigned slot, unsigned bar);
void pci_move_bar(unsigned slot, unsigned bar, u64 addr);
unsigned pci_next_capability(unsigned slot, unsigned cap, u8 id);
void pci_msix(struct device *d, unsigned entry, unsigned vector, unsigned cpu);
/* One vector's mask, all of them, and whether it waits for that. */
void pci_msix_mask(struct device *d, unsigned entry, int on);
void pci_msix_mask_all(struct device *d, int on);
int pci_msix_pending(struct device *d, unsigned entry);
/* BARs may be above the 4 GiB that are mapped. */
void map_registers(u64 addr);

/* irq.c */
void irq_init(void);
void irq_init_cpu(void);
void irq_route(unsigned gsi);
unsigned cpu_number(void);
/* Called for each interrupt by a wire, if set. */
extern void (*wire_handler)(unsigned gsi);
/* Sleep until *count is at least n: 0 if that takes too long. */
int irq_wait(const volatile unsigned *count, unsigned n);
/* Interrupts are let in for a moment. */
void irq_window(void);
/* Sleep for an interrupt, at most a tick. */
void irq_sleep(void);
extern volatile unsigned ticks[2];
enum {
	MAX_TICKS = 200
};

/* transport.c */
void devices_find(void);
/* What is in a slot now, perhaps something new; NULL: no virtio device. */
struct device *device_in_slot(unsigned slot);
/* Reset, negotiate (all of @want that is offered), set up: 1 if the device plays along. */
int device_start(struct device *d, u64 want, struct queue *const *queues, unsigned count);
u64 device_offers(struct device *d);
int device_reset(struct device *d);
void device_notify(struct device *d, const struct queue *q);
/* 0: it does not stop, or has written to the ring behind that. */
int queue_reset(struct queue *q);
u8 config8(struct device *d, unsigned off);
u16 config16(struct device *d, unsigned off);
u32 config32(struct device *d, unsigned off);
u64 config64(struct device *d, unsigned off);
/* Interrupts of this queue so far; all of the device, if they share a wire. */
const volatile unsigned *queue_irqs(const struct queue *q);
u8 device_status(struct device *d);

/* ---- queues ---- */

struct desc {
	u64 addr;
	u32 len;
	u16 a, b; /* split: flags, next; packed: id, flags */
};

struct part {
	void *addr;
	u32 len;
	int in; /* the device writes it */
};

struct queue {
	struct device *dev;
	unsigned index, size, cpu;
	int packed, event_idx, indirect, in_order, notify_data, polled;
	int confused; /* the device has used what it was not given, or in the wrong order */
	unsigned free_count;
	u16 free_head, free_next[RING]; /* split: of descriptors; packed: of ids */
	u16 slots[RING];                /* descriptors of a chain, by id; 0: not out */
	u16 next_avail, next_used, kicked;
	int avail_wrap, used_wrap;
	u16 fifo[RING]; /* ids in the order in which they were made available */
	u16 fifo_in, fifo_out;
	/* Split: descriptors, then available at 1024, used at 2048. Packed: descriptors, then the
	 * driver's event at 1024, the device's at 2048. */
	u8 ring[4096] __attribute__((aligned(4096)));
	struct desc table[RING][MAX_PARTS] __attribute__((aligned(16)));
};

void queue_init(struct queue *q, struct device *d, unsigned index, unsigned size);
/* Has the device written nothing since queue_init()? */
int queue_untouched(const struct queue *q);
/* Make a chain available: its id, or -1 if there is no room. */
int queue_add(struct queue *q, const struct part *parts, unsigned count);
/* Tell the device of all that was added, if it wants to hear. */
void queue_kick(struct queue *q);
/* The id of a chain that was used, or -1. */
int queue_poll(struct queue *q, u32 *len);
/* The same, but sleeps for it; -1 means that it took too long. */
int queue_wait(struct queue *q, u32 *len);
void queue_interrupts(struct queue *q, int on);
/* Make nonsense available, on which a device must stop. */
void queue_spoil(struct queue *q);
/* One chain, there and back: the number of bytes written, or -1. */
int queue_do(struct queue *q, const struct part *parts, unsigned count);

/* Ways to drive a ring, which are tried one after the other. */
struct mode {
	const char *name;
	u64 features;
};
enum {
	MODES = 6
};
extern const struct mode modes[MODES];

/* ---- data ---- */

void fill(void *p, u64 seed, unsigned bytes);
int filled(const void *p, u64 seed, unsigned bytes);
int zero(const void *p, unsigned bytes);
int same(const void *a, const void *b, unsigned bytes);
void copy(void *to, const void *from, unsigned bytes);

/* "where, what: ok" */
void step(const char *where, const char *what, int ok);

/* ---- the tests ---- */

void blk_test(struct device *d);
void blk_ap(void);
/* A disk in other hands: one queue. */
int blk_start(struct device *d, u64 features, struct queue *q);
int blk_write(struct queue *q, u64 sector, u64 seed);
int blk_has(struct queue *q, u64 sector, u64 seed);
int blk_discard(struct queue *q, u64 sector, u32 sectors);
int blk_flush(struct queue *q);
int blk_write_and_read(struct queue *q, u64 sector, u64 seed);
/* Requests that nobody waits for. */
void blk_start_many(struct queue *q);
void net_test_user(struct device *d);
void net_test_pair(struct device *a, struct device *b);
/* A card in other hands, by its number below NET_CARDS. */
enum {
	NET_CARDS = 3
};
int net_start(unsigned card, struct device *d, u64 features);
int net_link_up(unsigned card);
int net_pass(unsigned from, unsigned to, unsigned len, u64 seed);
int net_arp(unsigned card);
void rng_test(struct device *d);
void console_test(struct device *d);
/* Ask the one who runs this guest for something, and wait until it is done. */
int control(const char *command);

#endif
