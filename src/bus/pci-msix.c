/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pci-msix.c - MSI-X: a table of messages, their mask and pending bits (PCI 3.0, 6.8.2)
 *
 * The lower half of the BAR has the table, 16 bytes a vector; the upper half the pending bits.
 * Both are read by any width, since a read harms nobody; writes are taken by 4 and by 8 bytes at
 * multiples of that, as the specification has it, and others are dropped.
 *
 *  (1) While MSI-X is switched off nothing is pending.
 *  (2) While it is on, a vector is pending only if it may not be sent: it is masked itself, or all
 *      are, or the device may not master the bus. It is sent as soon as it may.
 *  (3) Messages are sent under the lock. So after a guest's write that masks a vector has returned,
 *      no message of before is still on its way.
 *
 * Why no eventfds: our devices live in this process, and there KVM_SIGNAL_MSI is as cheap as the
 * write to an eventfd (0.42 us to 0.49 us, measured with Linux 6.18), while with the software engine
 * a message is a plain call. An irqfd would need a route in the kernel for each vector besides, and
 * all routes set anew each time a guest moves an interrupt (0.17 ms). They pay for devices in the
 * kernel (vhost): such a device hears of changes by its op msix_changed, and has
 * irq_set_msi_eventfd().
 */
#include <assert.h>

#include "base/bytes.h"
#include "bus/pci-int.h"

static const size_t ENTRY_LEN = 16;

enum {
	ENTRY_ADDRESS = 0,
	ENTRY_ADDRESS_HIGH = 4,
	ENTRY_DATA = 8,
	ENTRY_CONTROL = 12,

	CONTROL_MASKED = 1,

	MIN_HALF = 2048,

	CAP_TABLE = 4,
	CAP_PENDING = 8,
};

struct pci_msix {
	struct pci_device *dev;
	struct io_range range;
	unsigned count;
	uint32_t half; /* of the BAR, bytes */
	atomic_bool enabled;

	pthread_mutex_t lock;  /* guards what follows */
	struct irq_sink *sink; /* NULL: not plugged */
	bool blocked;          /* function mask, or no bus master */
	uint64_t pending[PCI_MAX_VECTORS / 64];
	uint8_t table[]; /* ENTRY_LEN bytes for each vector */
};

static const struct io_ops msix_ops;

void pci_add_msix(struct pci_device *dev, unsigned bar, unsigned vectors)
{
	unsigned cap = pci_add_capability(dev, PCI_CAP_MSIX, PCI_MSIX_LEN);
	struct pci_msix *msix;

	assert(!dev->msix && vectors >= 1 && vectors <= PCI_MAX_VECTORS);
	msix = g_malloc0(sizeof(*msix) + vectors * ENTRY_LEN);
	msix->dev = dev;
	msix->range = (struct io_range){ .ops = &msix_ops, .name = "msix" };
	msix->count = vectors;
	msix->half = MIN_HALF;
	while (msix->half < vectors * ENTRY_LEN)
		msix->half *= 2;
	pthread_mutex_init(&msix->lock, NULL);
	dev->msix = msix;
	dev->msix_cap = cap;
	put_le16(&dev->config[cap + PCI_MSIX_CONTROL], (uint16_t)(vectors - 1));
	put_le16(&dev->writable[cap + PCI_MSIX_CONTROL],
		 PCI_MSIX_CONTROL_ENABLE | PCI_MSIX_CONTROL_MASK);
	put_le32(&dev->config[cap + CAP_TABLE], bar);
	put_le32(&dev->config[cap + CAP_PENDING], msix->half | bar);
	pci_add_bar(dev, bar, UINT64_C(2) * msix->half, 0, &msix->range);
	pci_msix_reset(dev);
}

void pci_msix_free(struct pci_msix *msix)
{
	if (!msix)
		return;
	pthread_mutex_destroy(&msix->lock);
	g_free(msix);
}

void pci_msix_connect(struct pci_device *dev, struct irq_sink *sink)
{
	struct pci_msix *msix = dev->msix;

	if (!msix)
		return;
	pthread_mutex_lock(&msix->lock);
	msix->sink = sink;
	pthread_mutex_unlock(&msix->lock);
}

void pci_msix_reset(struct pci_device *dev)
{
	struct pci_msix *msix = dev->msix;

	if (!msix)
		return;
	pthread_mutex_lock(&msix->lock);
	atomic_store(&msix->enabled, false);
	msix->blocked = false;
	memset(msix->pending, 0, sizeof(msix->pending));
	memset(msix->table, 0, msix->count * ENTRY_LEN);
	for (unsigned i = 0; i < msix->count; i++)
		msix->table[i * ENTRY_LEN + ENTRY_CONTROL] = CONTROL_MASKED;
	pthread_mutex_unlock(&msix->lock);
}

bool pci_msix_enabled(const struct pci_device *dev)
{
	return dev->msix && atomic_load(&dev->msix->enabled);
}

/* Send it or note it. */
DATA_PATH static void raise_locked(struct pci_msix *msix, unsigned vector)
{
	const uint8_t *entry = msix->table + vector * ENTRY_LEN;
	uint64_t bit = UINT64_C(1) << vector % 64;

	if (msix->blocked || entry[ENTRY_CONTROL] & CONTROL_MASKED || !msix->sink) {
		msix->pending[vector / 64] |= bit;
		return;
	}
	msix->pending[vector / 64] &= ~bit;
	irq_send_msi(msix->sink, get_le64(entry + ENTRY_ADDRESS), get_le32(entry + ENTRY_DATA));
}

DATA_PATH void pci_msix_notify(struct pci_device *dev, unsigned vector)
{
	struct pci_msix *msix = dev->msix;

	if (!msix || vector >= msix->count)
		return;
	pthread_mutex_lock(&msix->lock);
	if (atomic_load_explicit(&msix->enabled, memory_order_relaxed))
		raise_locked(msix, vector);
	pthread_mutex_unlock(&msix->lock);
}

static void raise_pending_locked(struct pci_msix *msix)
{
	for (unsigned word = 0; word < ARRAY_SIZE(msix->pending); word++) {
		for (uint64_t left = msix->pending[word]; left; left &= left - 1)
			raise_locked(msix, word * 64 + (unsigned)__builtin_ctzll(left));
	}
}

static void tell(struct pci_msix *msix, unsigned first, unsigned count)
{
	struct pci_device *dev = msix->dev;

	for (unsigned i = first; i < first + count && dev->ops->msix_changed; i++)
		dev->ops->msix_changed(dev, i);
}

void pci_msix_control_changed(struct pci_device *dev, bool enabled, bool blocked)
{
	struct pci_msix *msix = dev->msix;
	bool changed;

	pthread_mutex_lock(&msix->lock);
	changed = enabled != atomic_load(&msix->enabled) || blocked != msix->blocked;
	atomic_store(&msix->enabled, enabled);
	msix->blocked = blocked;
	if (!enabled)
		memset(msix->pending, 0, sizeof(msix->pending));
	else if (changed && !blocked)
		raise_pending_locked(msix);
	pthread_mutex_unlock(&msix->lock);
	if (changed)
		tell(msix, 0, msix->count);
}

/* ---- the BAR ---- */

/* The bytes of table or pending bits at @off, as a number of @size bytes; false: there are none. */
static bool fetch_locked(const struct pci_msix *msix, uint64_t off, unsigned size, uint64_t *ret)
{
	const uint8_t *from = msix->table;
	uint64_t len = msix->count * ENTRY_LEN;

	static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "pending[] is read by bytes");
	if (off >= msix->half) {
		from = (const uint8_t *)msix->pending;
		len = (msix->count + 63) / 64 * sizeof(msix->pending[0]);
		off -= msix->half;
	}
	if (off > len || size > len - off)
		return false;
	*ret = 0;
	memcpy(ret, from + off, size);
	return true;
}

static uint64_t msix_read(struct io_range *range, uint64_t off, unsigned size)
{
	struct pci_msix *msix = container_of(range, struct pci_msix, range);
	uint64_t value = 0;

	pthread_mutex_lock(&msix->lock);
	if (!fetch_locked(msix, off, size, &value))
		value = 0;
	pthread_mutex_unlock(&msix->lock);
	return value;
}

static void write_word_locked(struct pci_msix *msix, unsigned vector, unsigned field,
			      uint32_t value)
{
	uint8_t *entry = msix->table + vector * ENTRY_LEN;

	if (field == ENTRY_ADDRESS)
		value &= ~3u;
	if (field == ENTRY_CONTROL)
		value &= CONTROL_MASKED;
	put_le32(entry + field, value);
}

static void msix_write(struct io_range *range, uint64_t off, unsigned size, uint64_t value)
{
	struct pci_msix *msix = container_of(range, struct pci_msix, range);
	unsigned vector = (unsigned)(off / ENTRY_LEN), field = (unsigned)(off % ENTRY_LEN);

	if ((size != 4 && size != 8) || off % size || vector >= msix->count)
		return;
	pthread_mutex_lock(&msix->lock);
	write_word_locked(msix, vector, field, (uint32_t)value);
	if (size == 8)
		write_word_locked(msix, vector, field + 4, (uint32_t)(value >> 32));
	if (msix->pending[vector / 64] >> vector % 64 & 1)
		raise_locked(msix, vector);
	pthread_mutex_unlock(&msix->lock);
	tell(msix, vector, 1);
}

static const struct io_ops msix_ops = { .read = msix_read, .write = msix_write };
