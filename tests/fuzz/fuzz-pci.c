/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz-pci.c - a guest that does anything to configuration, BARs and MSI-X of a bus with devices
 *
 * The input is a list of records of 8 bytes: what, where (2), size, value (4). Every now and then and
 * at the end it is checked, against the registers as the guest reads them, that
 *
 *  (1) a BAR is mapped only where its register says, with decoding on, and then answers there from
 *      its first to its last byte, unless it lies over its own bus's ports or tables, which do;
 *  (2) a BAR that ought to be mapped and is not overlaps something that is there, or goes beyond the
 *      end of the space;
 *  (3) outside of BARs and of the bus's own there is nobody;
 *  (4) each wire is up exactly while a device pulls at it that may;
 *  (5) nothing is pending while MSI-X is off, and nothing is held back that may be sent.
 */
#include "base/bytes.h"
#include "dev/i6300esb.h"
#include "dev/pvpanic.h"

#include "../unit/bus/pci-test.h"
#include "../unit/dev/fake.h"

enum {
	RECORD = 8,
	RECORDS = 128,
	COSTLY = 4,       /* actions of one input that take long */
	CHECK_EVERY = 32, /* records: checking costs more than doing */
	FUZZED = 5,       /* slots 1 to 5 */
	VECTORS = 67,

	COMMAND = PCI_COMMAND,
};

enum what {
	WHAT_PORT_WRITE,
	WHAT_PORT_READ,
	WHAT_ECAM_WRITE,
	WHAT_ECAM_READ,
	WHAT_BAR_PLACE, /* a plausible value into a BAR register */
	WHAT_BAR_WRITE, /* into a BAR, where it is */
	WHAT_BAR_READ,
	WHAT_COMMAND,
	WHAT_MSIX_CONTROL,
	WHAT_MSIX_TABLE,
	WHAT_NOTIFY,
	WHAT_WIRE,
	WHAT_RESET,
	WHAT_REPLUG,
	WHAT_PLACE,
	WHAT_TIME,
	WHAT_COUNT,
};

struct world {
	struct test_bus t;
	struct fake_clock clock;
	unsigned told, expired, costly;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void on_told(void *opaque, unsigned event)
{
	g_assert_true(event == PVPANIC_PANICKED || event == PVPANIC_CRASH_LOADED);
	((struct world *)opaque)->told++;
}

static void on_expired(void *opaque)
{
	((struct world *)opaque)->expired++;
}

/* What is in slot @slot. */
static void plug(struct world *w, unsigned slot)
{
	struct test_device *dev = test_device_new((uint8_t)slot, slot & 1);
	struct pci_device *pci = &dev->pci;

	switch (slot) {
	case 1: /* as a virtio device */
		pci_add_msix(pci, 1, VECTORS);
		test_add_bar(dev, 4, 0x4000, PCI_BAR_64 | PCI_BAR_PREFETCH);
		break;
	case 2: /* one of each kind */
		test_add_bar(dev, 0, 32, PCI_BAR_IO);
		test_add_bar(dev, 1, 16, 0);
		test_add_bar(dev, 2, 1ull << 33, PCI_BAR_64);
		pci_add_msix(pci, 4, 1);
		test_add_bar(dev, 5, 4, PCI_BAR_IO);
		break;
	case 3: /* nothing but BARs */
		for (unsigned i = 0; i < PCI_BARS; i++)
			test_add_bar(dev, i, 0x1000u << i, 0);
		break;
	default:
		test_free(pci);
		pci = slot == 4 ? pvpanic_new(on_told, w)
				: i6300esb_new(&(struct i6300esb_config){
					  .clock = &w->clock.clock,
					  .expired = on_expired,
					  .opaque = w,
				  });
		break;
	}
	g_assert_true(pci_plug(w->t.bus, pci, slot, NULL));
}

static bool is_test_device(unsigned slot)
{
	return slot <= 3;
}

/* ---- what a guest does ---- */

static struct pci_device *fuzzed(struct world *w, unsigned raw)
{
	return pci_at(w->t.bus, 1 + raw % FUZZED);
}

static struct io_space *space_of(struct world *w, const struct pci_bar *bar)
{
	return bar->flags & PCI_BAR_IO ? w->t.pio : w->t.mmio;
}

/* An address that is worth trying: near others, near ends. */
static uint64_t plausible(uint32_t raw, const struct pci_bar *bar)
{
	static const uint64_t bases[] = {
		0xc0000000,
		0xc0000000,
		0xd0000000,
		TEST_ECAM,
		TEST_ECAM + (256 << 20),
		0,
		0xfffff000,
		0x100000000,
		TEST_WINDOW64,
		0xfffffffff0000,
		UINT64_MAX - 0xfff,
		0xcf0,
		0xffe0,
		0xc000,
		0xc000,
		0x10000,
	};
	uint64_t base = bases[raw % ARRAY_SIZE(bases)];

	if (bar->flags & PCI_BAR_IO)
		base = bases[11 + raw % 5];
	return base + (raw >> 4 & 15) * bar->size + (raw >> 8 & 7) * 0x1000;
}

static void place(struct world *w, unsigned where, uint32_t value)
{
	struct pci_device *dev = fuzzed(w, where);
	unsigned bar = where / FUZZED % PCI_BARS, off = PCI_BAR0 + 4 * bar;
	uint64_t addr = plausible(value, &dev->bar[bar]);

	test_set(&w->t, dev->slot, off, 4, (uint32_t)addr);
	if (dev->bar[bar].flags & PCI_BAR_64)
		test_set(&w->t, dev->slot, off + 4, 4, (uint32_t)(addr >> 32));
}

static void access_bar(struct world *w, bool write, unsigned where, unsigned bytes, uint32_t value)
{
	const struct pci_device *dev = fuzzed(w, where);
	const struct pci_bar *bar = &dev->bar[where / FUZZED % PCI_BARS];
	uint64_t off = (uint64_t)value % (bar->size + 16);

	if (write)
		io_write(space_of(w, bar), bar->addr + off, bytes, value * UINT64_C(0x100000001));
	else
		(void)io_read(space_of(w, bar), bar->addr + off, bytes);
}

/* Half of the accesses go to the first 128 bytes of devices that are there. */
static uint64_t config_offset(unsigned where, uint32_t value)
{
	if (value >> 31)
		return ((uint64_t)where << 12 | (value >> 8 & 0xfff)) & 0xfffffff;
	return (uint64_t)(where % 7) << 15 | (where / 7 & 0x7f);
}

static void access_ports(struct world *w, bool write, unsigned where, unsigned bytes,
			 uint32_t value)
{
	uint64_t off = config_offset(where, value);

	if (where & 0x8000) {
		/* Any port near there, any width. */
		if (write)
			io_write(w->t.pio, 0xcf4 + where % 16, bytes, value);
		(void)io_read(w->t.pio, 0xcf4 + where % 16, bytes);
		return;
	}
	io_write(w->t.pio, 0xcf8, 4, 0x80000000 | (off >> 4 & 0xffff00) | (off & 0xfc));
	if (write)
		io_write(w->t.pio, 0xcfc + (off & 3), bytes, value);
	else
		(void)io_read(w->t.pio, 0xcfc + (off & 3), bytes);
}

static void access_table(struct world *w, unsigned where, unsigned bytes, uint32_t value)
{
	const struct pci_device *dev = pci_at(w->t.bus, 1 + where % 2);
	const struct pci_bar *bar = &dev->bar[where % 2 ? 4 : 1];
	uint64_t off = where / 2 % (VECTORS * 16 + 64);

	if (value & 0x100)
		off = bar->size / 2 + off % 32;
	if (value & 0x200)
		off &= ~3ull;
	io_write(w->t.mmio, bar->addr + off, bytes, value * UINT64_C(0x100000001));
}

static void replug(struct world *w, unsigned where)
{
	unsigned slot = 1 + where % FUZZED;

	pci_unplug(w->t.bus, pci_at(w->t.bus, slot));
	g_assert_cmphex(test_get(&w->t, slot, PCI_VENDOR, 4), ==, 0xffffffff);
	plug(w, slot);
}

static void act(struct world *w, const uint8_t *record)
{
	unsigned where = get_le16(record + 1), bytes = 1u << (record[3] & 3);
	enum what what = record[0] % WHAT_COUNT;
	uint32_t value = get_le32(record + 4);
	uint64_t off = config_offset(where, value);

	switch (what) {
	case WHAT_PORT_WRITE:
	case WHAT_PORT_READ:
		access_ports(w, what == WHAT_PORT_WRITE, where, bytes, value);
		break;
	case WHAT_ECAM_WRITE:
		io_write(w->t.mmio, TEST_ECAM + off, bytes, value * UINT64_C(0x100000001));
		break;
	case WHAT_ECAM_READ:
		(void)io_read(w->t.mmio, TEST_ECAM + off, bytes);
		break;
	case WHAT_BAR_PLACE:
		place(w, where, value);
		break;
	case WHAT_BAR_WRITE:
	case WHAT_BAR_READ:
		access_bar(w, what == WHAT_BAR_WRITE, where, bytes, value);
		break;
	case WHAT_COMMAND:
		test_set(&w->t, 1 + where % FUZZED, COMMAND, 2, value);
		break;
	case WHAT_MSIX_CONTROL:
		test_set(&w->t, 1 + where % 2, pci_at(w->t.bus, 1 + where % 2)->msix_cap + 2, 2,
			 value);
		break;
	case WHAT_MSIX_TABLE:
		access_table(w, where, bytes, value);
		break;
	case WHAT_NOTIFY:
		pci_msix_notify(fuzzed(w, where), value & 0x1000 ? value : value % (VECTORS + 1));
		break;
	case WHAT_WIRE:
		pci_irq_set(fuzzed(w, where), value & 1);
		break;
	case WHAT_RESET:
		if (w->costly++ < COSTLY)
			pci_bus_reset(w->t.bus);
		break;
	case WHAT_REPLUG:
		if (w->costly++ < COSTLY)
			replug(w, where);
		break;
	case WHAT_PLACE:
		if (w->costly++ < COSTLY)
			(void)pci_place_bars(w->t.bus, fuzzed(w, where), NULL);
		break;
	case WHAT_TIME:
		fake_clock_advance(&w->clock, (uint64_t)value << (where & 7));
		break;
	case WHAT_COUNT:
		break;
	}
}

/* ---- what is then true ---- */

struct claim {
	uint64_t start, last;
	bool io;
};

/* Where a register says that a BAR is; false: nowhere. */
static bool claim_of(struct world *w, const struct pci_device *dev, unsigned bar,
		     struct claim *ret_claim)
{
	const struct pci_bar *b = &dev->bar[bar];
	bool io = b->flags & PCI_BAR_IO, wide = b->flags & PCI_BAR_64;
	uint64_t addr = test_get(&w->t, dev->slot, PCI_BAR0 + 4 * bar, 4);
	unsigned command = test_get(&w->t, dev->slot, COMMAND, 2);

	addr &= io ? ~3ull : ~15ull;
	if (wide)
		addr |= (uint64_t)test_get(&w->t, dev->slot, PCI_BAR0 + 4 * bar + 4, 4) << 32;
	*ret_claim = (struct claim){ addr, addr + (b->size - 1), io };
	g_assert_cmphex(addr % b->size, ==, 0);
	return command & (io ? PCI_COMMAND_IO : PCI_COMMAND_MEMORY) && addr &&
	       ret_claim->last != (wide ? UINT64_MAX : UINT32_MAX);
}

static bool meet(const struct claim *a, const struct claim *b)
{
	return a->io == b->io && a->start <= b->last && b->start <= a->last;
}

static void check_mapped(struct world *w, const struct pci_device *dev, unsigned bar,
			 const struct claim *claim)
{
	uint64_t size = dev->bar[bar].size;
	struct io_space *space = claim->io ? w->t.pio : w->t.mmio;

	g_assert_cmphex(dev->bar[bar].range->base, ==, claim->start);
	g_assert_cmphex(dev->bar[bar].range->len, ==, size);
	if (!is_test_device(dev->slot) || dev->bar[bar].range->ops != &test_bar_ops)
		return;
	g_assert_cmphex(io_read(space, claim->start, 4), ==, test_bar_value(dev->slot, bar, 0));
	g_assert_cmphex(io_read(space, claim->last - 3, 4), ==,
			test_bar_value(dev->slot, bar, size - 4));
	g_assert_cmphex(test_device_of(pci_at(w->t.bus, dev->slot))->at[bar], ==, claim->start);
}

static void check_bars(struct world *w)
{
	static const struct claim own[] = {
		{ TEST_ECAM, TEST_ECAM + (256 << 20) - 1, false },
		{ 0xcf8, 0xcf8, true },
		{ 0xcfc, 0xcff, true },
	};
	struct claim mapped[FUZZED * PCI_BARS + ARRAY_SIZE(own)], refused[FUZZED * PCI_BARS], claim;
	unsigned mapped_count = ARRAY_SIZE(own), refused_count = 0;

	memcpy(mapped, own, sizeof(own));
	for (unsigned i = 0; i < FUZZED * PCI_BARS; i++) {
		const struct pci_device *dev = pci_at(w->t.bus, 1 + i / PCI_BARS);
		const struct pci_bar *b = &dev->bar[i % PCI_BARS];
		bool wanted = b->size && claim_of(w, dev, i % PCI_BARS, &claim);

		g_assert_true(wanted || !b->mapped);
		if (b->mapped) {
			check_mapped(w, dev, i % PCI_BARS, &claim);
			for (unsigned k = 0; k < mapped_count; k++)
				g_assert_false(meet(&claim, &mapped[k]));
			mapped[mapped_count++] = claim;
		} else if (wanted) {
			refused[refused_count++] = claim;
		}
	}
	for (unsigned i = 0; i < refused_count; i++) {
		bool excused = refused[i].last >= (refused[i].io ? 0x10000 : UINT64_C(1) << 52);

		for (unsigned k = 0; k < mapped_count && !excused; k++)
			excused = meet(&refused[i], &mapped[k]);
		g_assert_true(excused);
	}
	/* Just before and behind each: another that is mapped, or nobody. */
	for (unsigned i = ARRAY_SIZE(own); i < mapped_count; i++) {
		struct io_space *space = mapped[i].io ? w->t.pio : w->t.mmio;

		for (unsigned side = 0; side < 2; side++) {
			uint64_t at = side ? mapped[i].last + 1 : mapped[i].start - 1;
			struct claim byte = { at, at, mapped[i].io };
			bool taken = false;

			for (unsigned k = 0; k < mapped_count && !taken; k++)
				taken = meet(&byte, &mapped[k]);
			if (!taken)
				g_assert_cmphex(io_read(space, at, 1), ==, 0xff);
		}
	}
}

static void check_wires(struct world *w)
{
	bool up[PCI_PINS] = { false };

	for (unsigned slot = 1; slot <= FUZZED; slot++) {
		const struct pci_device *dev = pci_at(w->t.bus, slot);
		bool masked = test_get(&w->t, slot, COMMAND, 2) & PCI_COMMAND_INTX_DISABLE;

		g_assert_true(!(test_get(&w->t, slot, PCI_STATUS, 1) & 8) ==
			      !atomic_load(&dev->intx_level));
		if (atomic_load(&dev->intx_level) && !masked && !pci_msix_enabled(dev))
			up[slot % PCI_PINS] = true;
	}
	for (unsigned i = 0; i < PCI_PINS; i++)
		g_assert_true(w->t.sink.level[TEST_GSI + i] == up[i]);
}

static void check_messages(struct world *w)
{
	for (unsigned slot = 1; slot <= 2; slot++) {
		struct pci_device *dev = pci_at(w->t.bus, slot);
		struct io_range *range = dev->bar[slot == 1 ? 1 : 4].range;
		unsigned control = test_get(&w->t, slot, dev->msix_cap + 2, 2);
		unsigned command = test_get(&w->t, slot, COMMAND, 2);
		bool blocked = control & 0x4000 || !(command & PCI_COMMAND_MASTER);

		g_assert_true(!(control & 0x8000) == !pci_msix_enabled(dev));
		for (unsigned i = 0; i < (slot == 1 ? VECTORS : 1); i++) {
			bool masked = range->ops->read(range, i * 16 + 12, 4);
			uint64_t half = range->len / 2;
			uint64_t pending = range->ops->read(range, half + i / 64 * 8, 8);

			if (pending >> i % 64 & 1)
				g_assert_true(control & 0x8000 && (blocked || masked));
		}
	}
}

static void check(struct world *w)
{
	check_bars(w);
	check_wires(w);
	check_messages(w);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct world w = { .told = 0 };

	test_bus_init(&w.t);
	fake_clock_init(&w.clock);
	for (unsigned slot = 1; slot <= FUZZED; slot++)
		plug(&w, slot);
	if (size && data[0] & 0x80)
		pci_bus_reset(w.t.bus);
	for (size_t off = 0; off + RECORD <= MIN(size, (size_t)RECORD * RECORDS); off += RECORD) {
		act(&w, data + off);
		if (off / RECORD % CHECK_EVERY == CHECK_EVERY - 1)
			check(&w);
	}
	check(&w);
	test_bus_release(&w.t);
	for (unsigned i = 0; i < FAKE_TIMERS; i++)
		g_assert_false(w.clock.timer[i].used);
	return 0;
}
