/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * slots.c - the machine's pluggable devices: where they are, how they come and go
 *
 * On PCI each device has one of 31 slots. They may come and go while the machine runs, told by ACPI
 * (dsdt.c, dev/acpi-hotplug.h). Virtio devices with registers in memory stay from the beginning to
 * the end. They share interrupts: device N has GSI 20 + N % 4.
 *
 * How a device leaves: machine_unplug() asks the guest by an event, as often as it is called. The
 * guest's driver lets it go, and the guest ejects the slot, a write of a vCPU: all vCPUs are held,
 * so that none finds a device that it has ejected, and the main loop takes it out. The one who uses
 * the machine hears of it from the main loop, one device at a time, because it may free the machine
 * then. A reset completes what the guest was asked for. A guest may also eject a device that
 * nobody asked for: it is gone all the same.
 *
 *  (1) ejected is not 0 only while RUN_HOLD_EJECT is set or about to be, and the bell is or will be
 *      rung behind it.
 *  (2) The bell's call waits until no vCPU executes before it takes ejected, and only then takes
 *      RUN_HOLD_EJECT back: no ejection falls between.
 *  (3) A device with I/O under way would still write the guest's memory. So it stays, in ejected, and
 *      the vCPUs stand still, until the I/O has ended: then the bell is rung again.
 */
#include "machine/slots.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "base/error.h"
#include "base/sys.h"
#include "bus/pci.h"
#include "dev/acpi-hotplug.h"
#include "dev/acpi-pm.h"
#include "machine/machine-int.h"
#include "virtio/virtio-mmio.h"
#include "virtio/virtio-pci.h"

/* A device that is in. */
struct slot {
	char *id;
	struct virtio_device *virtio; /* NULL: is none */
	struct pci_device *pci;       /* NULL: registers in memory */
	struct virtio_mmio *mmio;     /* NULL: on PCI */
	unsigned number, gsi;         /* of the slot on PCI, or of the place in memory */
	unsigned boot_index;          /* 0: firmware is not asked to boot it */
	const char *boot_unit;
	bool leaving;
};

/* Wires of devices with registers in memory: several go into one GSI, which is up while any is. */
struct wires {
	struct irq_sink sink; /* its GSIs are the devices' numbers */
	struct irq_sink *out;
	pthread_mutex_t lock; /* guards up; out is set under it */
	uint32_t up;
};

struct slots {
	struct machine *machine;
	struct acpi_hotplug *hotplug;
	struct dev_timer *bell;
	struct wires wires;
	unsigned mmio_count;
	unsigned *planned;    /* slots of the configuration's devices, until they are put in */
	GPtrArray *all;       /* struct slot, in the order in which they came */
	atomic_uint occupied; /* of all: a bit for each slot on PCI; written on the main loop */
	atomic_uint ejected;
};

/* ---- interrupts of devices with registers in memory ---- */

DATA_PATH static void wires_set_line(struct irq_sink *sink, unsigned number, bool level)
{
	struct wires *wires = container_of(sink, struct wires, sink);
	unsigned pin = number % PC_VIRTIO_GSIS;
	uint32_t shared = 0;

	for (unsigned i = pin; i < PC_MAX_VIRTIO; i += PC_VIRTIO_GSIS)
		shared |= 1u << i;
	pthread_mutex_lock(&wires->lock);
	wires->up = level ? wires->up | 1u << number : wires->up & ~(1u << number);
	wires->out->ops->set_line(wires->out, PC_VIRTIO_GSI + pin, wires->up & shared);
	pthread_mutex_unlock(&wires->lock);
}

static const struct irq_sink_ops wires_ops = { .set_line = wires_set_line };

/* ---- where devices may be ---- */

static struct slot *find_id(const struct slots *slots, const char *id)
{
	for (unsigned i = 0; i < slots->all->len; i++) {
		struct slot *slot = g_ptr_array_index(slots->all, i);

		if (strcmp(slot->id, id) == 0)
			return slot;
	}
	return NULL;
}

static struct slot *find_number(const struct slots *slots, unsigned number)
{
	for (unsigned i = 0; i < slots->all->len; i++) {
		struct slot *slot = g_ptr_array_index(slots->all, i);

		if (slot->pci && slot->number == number)
			return slot;
	}
	return NULL;
}

/* A bit for each slot in which there is something. */
static uint32_t slots_taken(const struct slots *slots)
{
	uint32_t taken = 1; /* the host bridge */

	for (unsigned number = 1; number < PCI_SLOTS; number++) {
		if (pci_at(slots->machine->pci, number))
			taken |= 1u << number;
	}
	return taken;
}

/* Take the slot that a device wants, or the first that is free. */
static bool take_slot(const struct machine_device *device, uint32_t *taken, unsigned *ret_number,
		      GError **error)
{
	unsigned number = device->slot;

	if (number >= PCI_SLOTS)
		return error_set(error, SOCLE_ERROR_USAGE,
				 "device '%s' cannot be in PCI slot %u: give 1 to %d", device->id,
				 number, PCI_SLOTS - 1);
	while (!device->slot && number < PCI_SLOTS && *taken & 1u << number)
		number++;
	if (number == PCI_SLOTS)
		return error_set(error, SOCLE_ERROR_LIMIT,
				 "device '%s' finds no PCI slot: all %d are taken", device->id,
				 PCI_SLOTS - 1);
	if (*taken & 1u << number)
		return error_set(error, SOCLE_ERROR_EXISTS,
				 "device '%s' cannot be in PCI slot %u: it is taken", device->id,
				 number);
	*taken |= 1u << number;
	*ret_number = number;
	return true;
}

static bool taken_id(const char *id, GError **error)
{
	return error_set(error, SOCLE_ERROR_EXISTS, "there is a device '%s' already", id);
}

/*
 * Slots for all devices of the configuration: those that are wished for are given first. After
 * this nothing can fail.
 */
static bool plan(struct slots *slots, GError **error)
{
	const struct machine_config *config = &slots->machine->config;
	uint32_t taken = slots_taken(slots);

	slots->planned = g_new0(unsigned, config->device_count + 1);
	for (unsigned i = 0; i < config->device_count; i++) {
		const struct machine_device *device = &config->devices[i];

		assert(!device->virtio != !device->pci && !(device->pci && device->mmio));
		for (unsigned other = 0; other < i; other++) {
			if (strcmp(config->devices[other].id, device->id) == 0)
				return taken_id(device->id, error);
		}
		if (device->mmio)
			slots->planned[i] = slots->mmio_count++;
		else if (device->slot && !take_slot(device, &taken, &slots->planned[i], error))
			return false;
	}
	if (slots->mmio_count > PC_MAX_VIRTIO)
		return error_set(
			error, SOCLE_ERROR_LIMIT,
			"%u devices with registers in memory are too many: give at most %d",
			slots->mmio_count, PC_MAX_VIRTIO);
	for (unsigned i = 0; i < config->device_count; i++) {
		const struct machine_device *device = &config->devices[i];

		if (!device->mmio && !device->slot &&
		    !take_slot(device, &taken, &slots->planned[i], error))
			return false;
	}
	return true;
}

/* ---- coming ---- */

static int set_notify(void *opaque, const struct io_notify *notify, bool on)
{
	struct machine *machine = opaque;

	if (!machine->config.engine->notify)
		return -ENOTSUP;
	return machine->config.engine->notify(machine->engine, notify, on);
}

static uint64_t mmio_base(unsigned number)
{
	return MEMMAP_VIRTIO + (uint64_t)number * VIRTIO_MMIO_LEN;
}

static unsigned mmio_gsi(unsigned number)
{
	return PC_VIRTIO_GSI + number % PC_VIRTIO_GSIS;
}

/* [any, the device's lock held] I/O that somebody may wait for has ended. */
static void on_quiet(void *opaque)
{
	struct slots *slots = opaque;

	dev_timer_set(slots->bell, 0);
}

static void put_in_mmio(struct slots *slots, struct slot *slot)
{
	const struct virtio_mmio_config config = {
		.mem = slots->machine->mem,
		.mmio = slots->machine->mmio,
		.base = mmio_base(slot->number),
		.irq = { &slots->wires.sink, slot->number },
		.notifier = { set_notify, slots->machine, &slots->machine->idle },
	};

	slot->gsi = mmio_gsi(slot->number);
	slot->mmio = virtio_mmio_new(slot->virtio, &config, NULL);
	assert(slot->mmio); /* nobody else is there */
}

static void put_in_pci(struct slots *slots, struct slot *slot)
{
	struct pci_bus *bus = slots->machine->pci;
	const struct virtio_pci_config config = {
		.mem = slots->machine->mem,
		.notifier = { set_notify, slots->machine, &slots->machine->idle },
	};
	bool ok;

	if (!slot->pci)
		slot->pci = virtio_pci_new(slot->virtio, &config);
	ok = pci_plug(bus, slot->pci, slot->number, NULL);
	assert(ok); /* the slot is free */
	slot->gsi = pci_gsi(bus, slot->number);
	atomic_fetch_or(&slots->occupied, 1u << slot->number);
}

/* Nothing can fail: it has been looked at whether there is room. No vCPU executes. */
static struct slot *put_in(struct slots *slots, const struct machine_device *device,
			   unsigned number)
{
	struct slot *slot = g_new(struct slot, 1);

	*slot = (struct slot){
		.id = g_strdup(device->id),
		.virtio = device->virtio,
		.pci = device->pci,
		.number = number,
		.boot_index = device->boot_index,
		.boot_unit = device->boot_unit,
	};
	if (slot->virtio) {
		virtio_on_quiet(slot->virtio, on_quiet, slots);
		if (run_held(slots->machine->run) & RUN_HOLD_PAUSED)
			virtio_pause(slot->virtio);
	}
	if (device->mmio)
		put_in_mmio(slots, slot);
	else
		put_in_pci(slots, slot);
	g_ptr_array_add(slots->all, slot);
	return slot;
}

void slots_fill(struct slots *slots)
{
	const struct machine_config *config = &slots->machine->config;

	for (unsigned i = 0; i < config->device_count; i++)
		(void)put_in(slots, &config->devices[i], slots->planned[i]);
	g_clear_pointer(&slots->planned, g_free);
	/* As firmware leaves them, or finds them. */
	pci_bus_reset(slots->machine->pci);
}

bool machine_plug(struct machine *machine, const struct machine_device *device, GError **error)
{
	struct slots *slots = machine->slots;
	uint32_t taken = slots_taken(slots);
	struct slot *slot;
	unsigned number = 0;

	assert(!device->virtio != !device->pci);
	if (device->mmio)
		return error_set(error, SOCLE_ERROR_UNSUPPORTED,
				 "device '%s' has its registers in memory and must be there from "
				 "the start: put it on PCI",
				 device->id);
	if (find_id(slots, device->id))
		return taken_id(device->id, error);
	if (!take_slot(device, &taken, &number, error))
		return false;
	run_hold(machine->run, RUN_HOLD_BRIEF);
	slot = put_in(slots, device, number);
	/* Where there is no room the guest has to make some, as it may do anyway. */
	(void)pci_place_bars(machine->pci, slot->pci, NULL);
	run_release(machine->run, RUN_HOLD_BRIEF);
	acpi_hotplug_insert(slots->hotplug, number);
	acpi_pm_gpe(machine->pm, ACPI_GPE_PCI);
	return true;
}

/* ---- going ---- */

static void slot_free(void *opaque)
{
	struct slot *slot = opaque;

	virtio_mmio_free(slot->mmio);
	g_free(slot->id);
	g_free(slot);
}

/* Out of its slot on PCI, freed, and told before anybody else can ask for it. No vCPU executes. */
static void take_out(struct slots *slots, struct slot *slot)
{
	const struct machine_event event = { .kind = MACHINE_UNPLUGGED, .text = slot->id };

	atomic_fetch_and(&slots->occupied, ~(1u << slot->number));
	pci_unplug(slots->machine->pci, slot->pci);
	acpi_hotplug_forget(slots->hotplug, slot->number);
	machine_tell(slots->machine, &event);
	g_ptr_array_remove(slots->all, slot);
}

/* So long the main loop waits for loops of devices, all together. */
static uint64_t answer_deadline(void)
{
	return sys_monotonic_ns() + 50000000;
}

static void begin_reset(struct slot *slot)
{
	if (slot->virtio)
		virtio_begin_reset(slot->virtio);
}

static bool try_reset(struct slot *slot, uint64_t deadline_ns)
{
	return !slot->virtio || virtio_try_reset(slot->virtio, deadline_ns);
}

static void begin_ejected(struct slots *slots, unsigned number)
{
	struct slot *slot = find_number(slots, number);

	if (slot)
		begin_reset(slot);
}

/* False: some have to wait. */
static bool take_out_ejected(struct slots *slots)
{
	uint32_t ejected = atomic_exchange(&slots->ejected, 0), wait = 0;
	uint64_t deadline_ns;

	for (uint32_t left = ejected; left; left &= left - 1)
		begin_ejected(slots, (unsigned)__builtin_ctz(left));
	deadline_ns = answer_deadline();
	for (uint32_t left = ejected; left; left &= left - 1) {
		unsigned number = (unsigned)__builtin_ctz(left);
		struct slot *slot = find_number(slots, number);

		if (slot && try_reset(slot, deadline_ns))
			take_out(slots, slot);
		else if (slot)
			wait |= 1u << number;
	}
	atomic_fetch_or(&slots->ejected, wait);
	return !wait;
}

/* [any] The guest's write. */
static void guest_ejects(void *opaque, uint32_t numbers)
{
	struct slots *slots = opaque;

	/* Nonsense costs nobody but the guest. */
	numbers &= atomic_load(&slots->occupied);
	if (!numbers)
		return;
	atomic_fetch_or(&slots->ejected, numbers);
	run_hold_soon(slots->machine->run, RUN_HOLD_EJECT);
	dev_timer_set(slots->bell, 0);
}

static void slots_bell(void *opaque)
{
	struct slots *slots = opaque;
	struct run *run = slots->machine->run;

	if (run_held(run) & RUN_HOLD_EJECT) {
		run_hold(run, RUN_HOLD_EJECT);
		if (take_out_ejected(slots))
			run_release(run, RUN_HOLD_EJECT);
	}
	machine_devices_quiet(slots->machine);
}

bool machine_unplug(struct machine *machine, const char *id, GError **error)
{
	struct slot *slot = find_id(machine->slots, id);

	if (!slot)
		return error_set(error, SOCLE_ERROR_NOT_FOUND, "there is no device '%s'", id);
	if (slot->mmio)
		return error_set(error, SOCLE_ERROR_UNSUPPORTED,
				 "device '%s' has its registers in memory and cannot be unplugged",
				 id);
	slot->leaving = true;
	acpi_hotplug_ask(machine->slots->hotplug, slot->number);
	acpi_pm_gpe(machine->pm, ACPI_GPE_PCI);
	return true;
}

/* ---- life ---- */

struct slots *slots_new(struct machine *machine, struct irq_sink *sink, GError **error)
{
	autoptr(slots) slots = g_new(struct slots, 1);
	const struct acpi_hotplug_config config = {
		.pio = machine->pio,
		.base = PC_HOTPLUG_PORT,
		.eject = guest_ejects,
		.opaque = slots,
	};

	*slots = (struct slots){
		.machine = machine,
		.wires = { .sink = { &wires_ops }, .out = sink, .lock = PTHREAD_MUTEX_INITIALIZER },
		.all = g_ptr_array_new_with_free_func(slot_free),
	};
	slots->bell = dev_timer_new(machine->clock, slots_bell, slots);
	slots->hotplug = acpi_hotplug_new(&config, error);
	if (!slots->hotplug || !plan(slots, error))
		return NULL;
	return g_steal_pointer(&slots);
}

void slots_free(struct slots *slots)
{
	if (!slots)
		return;
	g_ptr_array_unref(slots->all);
	acpi_hotplug_free(slots->hotplug);
	dev_timer_free(slots->bell);
	pthread_mutex_destroy(&slots->wires.lock);
	g_free(slots->planned);
	g_free(slots);
}

static void begin_resets(struct slots *slots)
{
	for (unsigned i = 0; i < slots->all->len; i++)
		begin_reset(g_ptr_array_index(slots->all, i));
}

bool slots_try_reset(struct slots *slots)
{
	bool all = true;
	uint64_t deadline_ns;

	begin_resets(slots);
	deadline_ns = answer_deadline();
	for (unsigned i = 0; i < slots->all->len; i++)
		all &= try_reset(g_ptr_array_index(slots->all, i), deadline_ns);
	return all;
}

const char *slots_reset_within(struct slots *slots, unsigned timeout_ms)
{
	uint64_t deadline = sys_monotonic_ns() + timeout_ms * UINT64_C(1000000);

	begin_resets(slots);
	for (unsigned i = 0; i < slots->all->len; i++) {
		struct slot *slot = g_ptr_array_index(slots->all, i);

		if (slot->virtio && !virtio_reset_until(slot->virtio, deadline))
			return slot->id;
	}
	return NULL;
}

void slots_pause(struct slots *slots, bool pause)
{
	for (unsigned i = 0; i < slots->all->len; i++) {
		struct slot *slot = g_ptr_array_index(slots->all, i);

		if (slot->virtio && pause)
			virtio_pause(slot->virtio);
		else if (slot->virtio)
			virtio_resume(slot->virtio);
	}
}

bool slots_quiet(struct slots *slots)
{
	bool all = true;

	for (unsigned i = 0; i < slots->all->len; i++) {
		struct slot *slot = g_ptr_array_index(slots->all, i);

		all &= !slot->virtio || virtio_is_quiet(slot->virtio);
	}
	return all;
}

void slots_reset(struct slots *slots)
{
	/* All devices are quiet, so these need not wait, and no bit stays for the slot's next one. */
	uint32_t ejected = atomic_exchange(&slots->ejected, 0);
	unsigned i = 0;

	/* What an ejection holds is released by the bell: nobody else rings for these any more. */
	if (ejected)
		dev_timer_set(slots->bell, 0);
	while (i < slots->all->len) {
		struct slot *slot = g_ptr_array_index(slots->all, i);

		if (slot->leaving || (slot->pci && ejected & 1u << slot->number)) {
			take_out(slots, slot);
			continue;
		}
		if (slot->mmio)
			virtio_mmio_reset(slot->mmio);
		i++;
	}
	acpi_hotplug_reset(slots->hotplug);
	pci_bus_reset(slots->machine->pci);
}

static const struct slot *next_to_boot(const struct slots *slots, unsigned after)
{
	const struct slot *best = NULL;

	for (unsigned i = 0; i < slots->all->len; i++) {
		const struct slot *slot = g_ptr_array_index(slots->all, i);

		if (slot->boot_index > after && (!best || slot->boot_index < best->boot_index))
			best = slot;
	}
	return best;
}

/* The names are those of Open Firmware, as SeaBIOS looks for them. */
void slots_boot_order(const struct slots *slots, GString *out)
{
	const struct slot *slot = next_to_boot(slots, 0);

	while (slot) {
		if (out->len)
			g_string_append_c(out, '\n');
		if (slot->pci)
			g_string_append_printf(out, "/pci@i0cf8/scsi@%x/%s", slot->number,
					       slot->boot_unit);
		else
			g_string_append_printf(out, "/virtio-mmio@%016" G_GINT64_MODIFIER "x/%s",
					       mmio_base(slot->number), slot->boot_unit);
		slot = next_to_boot(slots, slot->boot_index);
	}
}

void slots_describe(const struct slots *slots, struct acpi_config *config)
{
	static_assert((int)PC_MAX_VIRTIO <= (int)ACPI_MAX_MMIO, "all can be told");
	config->mmio_count = slots->mmio_count;
	for (unsigned i = 0; i < slots->mmio_count; i++)
		config->mmio[i] = (struct acpi_mmio){ mmio_base(i), mmio_gsi(i) };
}

bool machine_device_at(struct machine *machine, unsigned index,
		       struct machine_device_info *ret_info)
{
	const struct slot *slot;

	if (index >= machine->slots->all->len)
		return false;
	slot = g_ptr_array_index(machine->slots->all, index);
	*ret_info = (struct machine_device_info){
		.id = slot->id,
		.pci = slot->pci,
		.virtio = slot->virtio,
		.slot = slot->number,
		.gsi = slot->gsi,
		.leaving = slot->leaving,
	};
	return true;
}

struct pci_bus *machine_pci(struct machine *machine)
{
	return machine->pci;
}
