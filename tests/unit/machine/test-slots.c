/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Devices of the machine: fake ones on PCI, and a fake transport in memory. */
#include <stdio.h>

#include "bus/pci.h"
#include "dev/acpi-hotplug.h"
#include "tests/lib/virtio-driver.h"
#include "tests/lib/virtio-toy.h"
#include "virtio/virtio-mmio.h"
#include "virtio/virtio-pci.h"

#include "script.h"

enum {
	HOTPLUG = 0xae00,
	GPE = 0x60c,
	GPE_EN = 0x60e,
	SCI = 9,
	BAR_LEN = 0x1000,
};

/* What has happened to the devices, all of them. */
static struct {
	unsigned resets, freed, alive;
	struct io_loop *loop;
} devices;

static void assert_parked(void)
{
	pthread_mutex_lock(&test.engine->lock);
	for (unsigned i = 0; i < test.engine->config.cpus; i++)
		g_assert_false(test.engine->vcpu[i].running);
	pthread_mutex_unlock(&test.engine->lock);
}

/* ---- a device on PCI ---- */

struct fake_pci {
	struct pci_device pci;
	struct io_range range;
	struct virtio_device *virtio; /* behind it, or NULL */
};

static uint64_t fake_read(struct io_range *range, uint64_t off, unsigned size)
{
	(void)range;
	(void)size;
	return 0x50 + off;
}

static const struct io_ops fake_io = { .read = fake_read };

static void fake_reset(struct pci_device *pci)
{
	(void)pci;
	assert_parked();
	devices.resets++;
}

/* One that nobody took over. */
static void discard(struct pci_device *pci)
{
	struct fake_pci *fake = container_of(pci, struct fake_pci, pci);

	pci_device_release(pci);
	devices.alive--;
	if (fake->virtio)
		fake->virtio->ops->free(fake->virtio);
	g_free(fake);
}

static void fake_free(struct pci_device *pci)
{
	assert_parked();
	devices.freed++;
	discard(pci);
}

static const struct pci_device_ops fake_ops = { .reset = fake_reset, .free = fake_free };

static struct pci_device *fake_pci(uint16_t device)
{
	const struct pci_ids ids = {
		.vendor = 0x1b36,
		.device = device,
		.class_code = 0xff0000,
		.intx = true,
	};
	struct fake_pci *fake = g_new0(struct fake_pci, 1);

	fake->range = (struct io_range){ .ops = &fake_io, .name = "fake" };
	pci_device_init(&fake->pci, &fake_ops, &ids);
	pci_add_bar(&fake->pci, 0, BAR_LEN, 0, &fake->range);
	devices.alive++;
	return &fake->pci;
}

/* ---- a device with registers in memory, in place of virtio's ---- */

struct virtio_mmio {
	struct virtio_mmio_config config;
	struct virtio_device *dev;
	struct io_notify notify;
};

struct virtio_mmio *virtio_mmio_new(struct virtio_device *dev,
				    const struct virtio_mmio_config *config, GError **error)
{
	struct virtio_mmio *mmio = g_new0(struct virtio_mmio, 1);

	(void)error;
	mmio->config = *config;
	mmio->dev = dev;
	/* It remembers its transport where the test finds it. */
	dev->transport = (struct virtio_transport *)(void *)mmio;
	g_assert_cmpint(io_notifier_set(&config->notifier, &mmio->notify, true), ==, 0);
	return mmio;
}

void virtio_mmio_reset(struct virtio_mmio *mmio)
{
	(void)mmio;
	assert_parked();
	devices.resets++;
}

void virtio_mmio_free(struct virtio_mmio *mmio)
{
	if (!mmio)
		return;
	io_notifier_set(&mmio->config.notifier, &mmio->notify, false);
	devices.freed++;
	devices.alive--;
	mmio->dev->ops->free(mmio->dev);
	g_free(mmio);
}

static struct virtio_device *fake_virtio(void)
{
	devices.alive++;
	return &toy_new(devices.loop, 8)->dev;
}

/* A virtio device behind PCI is a fake one. */
struct pci_device *virtio_pci_new(struct virtio_device *dev, const struct virtio_pci_config *config)
{
	struct pci_device *pci = fake_pci(0x1041);

	g_assert_nonnull(config->mem);
	container_of(pci, struct fake_pci, pci)->virtio = dev;
	devices.alive--;
	return pci;
}

/* ---- the machine ---- */

struct fixture {
	struct machine *machine;
	GString *gone; /* identifiers of devices that are, with a space behind each */
	unsigned events, quiet, resets;
};

static void on_event(void *opaque, const struct machine_event *event)
{
	struct fixture *f = opaque;

	f->quiet += event->kind == MACHINE_QUIET;
	f->resets += event->kind == MACHINE_RESET;
	if (event->kind != MACHINE_UNPLUGGED)
		return;
	f->events++;
	g_string_append_printf(f->gone, "%s ", event->text);
}

static struct machine_config default_config(struct fixture *f)
{
	return (struct machine_config){
		.engine = &script_ops,
		.cpus = 2,
		.memory = 16 << 20,
		.event = on_event,
		.opaque = f,
	};
}

static void setup(struct fixture *f, const void *data)
{
	(void)data;
	memset(&test, 0, sizeof(test));
	memset(&devices, 0, sizeof(devices));
	test.fail_vcpu = -1;
	devices.loop = io_loop_new_manual(IO_LOOP_THREADS, NULL, NULL, NULL);
	f->gone = g_string_new(NULL);
}

static void settle(void)
{
	while (g_main_context_iteration(NULL, FALSE))
		;
}

static void teardown(struct fixture *f, const void *data)
{
	(void)data;
	machine_free(f->machine);
	settle();
	g_assert_null(test.engine);
	g_assert_cmpuint(devices.alive, ==, 0);
	io_loop_free(devices.loop);
	g_string_free(f->gone, TRUE);
}

static void make(struct fixture *f, const struct machine_config *config)
{
	g_autoptr(GError) error = NULL;

	f->machine = machine_new(config, &error);
	g_assert_no_error(error);
}

static void start(struct fixture *f)
{
	g_autoptr(GError) error = NULL;

	g_assert_true(machine_start(f->machine, &error));
	g_assert_no_error(error);
}

static void plug(struct fixture *f, const char *id, unsigned slot)
{
	const struct machine_device device = { .id = id, .pci = fake_pci(9), .slot = slot };
	g_autoptr(GError) error = NULL;

	g_assert_true(machine_plug(f->machine, &device, &error));
	g_assert_no_error(error);
}

static void unplug(struct fixture *f, const char *id)
{
	g_autoptr(GError) error = NULL;

	g_assert_true(machine_unplug(f->machine, id, &error));
	g_assert_no_error(error);
}

static uint64_t in(unsigned port, unsigned size)
{
	return io_read(test.engine->config.pio, port, size);
}

static void out(unsigned port, unsigned size, uint64_t value)
{
	io_write(test.engine->config.pio, port, size, value);
}

/* The identifiers of all devices with their slots: "a:1 b:2 ". */
static char *list(struct fixture *f)
{
	GString *text = g_string_new(NULL);
	struct machine_device_info info;

	for (unsigned i = 0; machine_device_at(f->machine, i, &info); i++)
		g_string_append_printf(text, "%s:%u%s ", info.id, info.slot,
				       info.leaving ? "!" : "");
	return g_string_free(text, FALSE);
}

static void assert_devices(struct fixture *f, const char *expected)
{
	g_autofree char *text = list(f);

	g_assert_cmpstr(text, ==, expected);
}

static uint32_t config_read(unsigned slot, unsigned off)
{
	return (uint32_t)io_read(test.engine->config.mmio, 0xe0000000 + (slot << 15) + off, 4);
}

/* It is there, its BAR is placed in the window and answers. */
static void assert_placed(unsigned slot)
{
	uint32_t bar = config_read(slot, PCI_BAR0);

	g_assert_cmphex(config_read(slot, PCI_VENDOR) & 0xffff, ==, 0x1b36);
	g_assert_cmphex(bar, >=, 0xc0000000);
	g_assert_cmphex(bar, <, 0xe0000000);
	g_assert_cmphex(io_read(test.engine->config.mmio, bar + 4, 4), ==, 0x54);
}

static void test_start(struct fixture *f, const void *data)
{
	const struct machine_device list[] = {
		{ .id = "any", .pci = fake_pci(1) },
		{ .id = "m0", .virtio = fake_virtio(), .mmio = true },
		{ .id = "first", .pci = fake_pci(2), .slot = 1 },
		{ .id = "last", .pci = fake_pci(3), .slot = 31 },
		{ .id = "m1", .virtio = fake_virtio(), .mmio = true },
		{ .id = "virtio", .virtio = fake_virtio() },
	};
	struct machine_config config = default_config(f);
	struct machine_device_info info;

	(void)data;
	config.devices = list;
	config.device_count = ARRAY_SIZE(list);
	make(f, &config);
	/* Slot 1 was wished for, so the others get the next ones. */
	assert_devices(f, "any:2 m0:0 first:1 last:31 m1:1 virtio:3 ");
	assert_placed(1);
	assert_placed(2);
	assert_placed(3);
	assert_placed(31);
	g_assert_cmphex(config_read(4, PCI_VENDOR), ==, 0xffffffff);
	g_assert_true(machine_device_at(f->machine, 3, &info));
	g_assert_true(info.pci == list[3].pci && !info.virtio);
	g_assert_cmpuint(info.gsi, ==, 16 + 31 % 4);
	g_assert_true(machine_device_at(f->machine, 4, &info));
	g_assert_true(!info.pci && info.virtio == list[4].virtio);
	g_assert_cmpuint(info.gsi, ==, 21);
	g_assert_true(machine_device_at(f->machine, 5, &info));
	g_assert_true(info.pci && info.virtio == list[5].virtio);
	g_assert_false(machine_device_at(f->machine, 6, &info));
	g_assert_true(machine_pci(f->machine) == info.pci->bus);
	g_assert_cmpuint(test.engine->notifies, ==, 2);
}

/* What the tables say of an interrupt is where the bus sends it. */
static void test_routes(struct fixture *f, const void *data)
{
	struct machine_config config = default_config(f);
	struct machine_device_info info;
	char id[8];

	(void)data;
	make(f, &config);
	for (unsigned slot = 1; slot < PCI_SLOTS; slot++) {
		(void)snprintf(id, sizeof(id), "d%u", slot);
		plug(f, id, 0);
		g_assert_true(machine_device_at(f->machine, slot - 1, &info));
		g_assert_cmpuint(info.slot, ==, slot);
		g_assert_cmpuint(info.gsi, ==, 16 + slot % 4);
		pci_irq_set(info.pci, true);
		g_assert_true(test.engine->level[info.gsi]);
		pci_irq_set(info.pci, false);
		g_assert_false(test.engine->level[info.gsi]);
		assert_placed(slot);
	}
}

static void test_mmio_wires(struct fixture *f, const void *data)
{
	struct machine_device list[8];
	struct machine_config config = default_config(f);
	struct virtio_mmio *mmio[8];
	char ids[8][4];

	(void)data;
	for (unsigned i = 0; i < 8; i++) {
		(void)snprintf(ids[i], sizeof(ids[i]), "m%u", i);
		list[i] = (struct machine_device){
			.id = ids[i],
			.virtio = fake_virtio(),
			.mmio = true,
		};
	}
	config.devices = list;
	config.device_count = 8;
	make(f, &config);
	for (unsigned i = 0; i < 8; i++) {
		mmio[i] = (struct virtio_mmio *)(void *)list[i].virtio->transport;
		g_assert_cmphex(mmio[i]->config.base, ==, 0xfeb00000 + i * 0x200);
	}
	/* Two of them on one wire. */
	irq_line_set(&mmio[1]->config.irq, true);
	irq_line_set(&mmio[5]->config.irq, true);
	g_assert_true(test.engine->level[21]);
	g_assert_false(test.engine->level[20] || test.engine->level[22] || test.engine->level[23]);
	irq_line_set(&mmio[1]->config.irq, false);
	g_assert_true(test.engine->level[21]);
	irq_line_set(&mmio[5]->config.irq, false);
	g_assert_false(test.engine->level[21]);
	irq_line_set(&mmio[7]->config.irq, true);
	g_assert_true(test.engine->level[23]);
	irq_line_set(&mmio[7]->config.irq, false);
}

static void test_plug(struct fixture *f, const void *data)
{
	struct machine_config config = default_config(f);

	(void)data;
	make(f, &config);
	start(f);
	out(GPE_EN, 2, 1 << 1);
	plug(f, "a", 0);
	plug(f, "b", 7);
	plug(f, "c", 0);
	assert_devices(f, "a:1 b:7 c:2 ");
	assert_placed(1);
	assert_placed(7);
	assert_placed(2);
	g_assert_cmpint(machine_status(f->machine), ==, MACHINE_RUNNING);
	/* The guest is told. */
	g_assert_true(test.engine->level[SCI]);
	g_assert_cmphex(in(GPE, 2), ==, 2);
	out(GPE, 2, 2);
	g_assert_false(test.engine->level[SCI]);
	g_assert_cmphex(in(HOTPLUG + ACPI_HOTPLUG_INSERTED, 4), ==, 1 << 1 | 1 << 2 | 1 << 7);
	g_assert_cmphex(in(HOTPLUG + ACPI_HOTPLUG_ASKED, 4), ==, 0);
}

static void test_unplug(struct fixture *f, const void *data)
{
	struct machine_config config = default_config(f);

	(void)data;
	/* The guest ejects slot 3 by itself when its time has come. */
	test.script[1][0] = (struct step){ STEP_OUT32, HOTPLUG + ACPI_HOTPLUG_EJECT, 1u << 3 };
	test.script[1][1] = (struct step){ STEP_OUT, 0x3ff, 1 };
	make(f, &config);
	plug(f, "keep", 1);
	plug(f, "go", 3);
	out(GPE_EN, 2, 1 << 1);
	out(GPE, 2, 1 << 1);
	(void)in(HOTPLUG + ACPI_HOTPLUG_INSERTED, 4);

	unplug(f, "go");
	assert_devices(f, "keep:1 go:3! ");
	g_assert_true(test.engine->level[SCI]);
	g_assert_cmphex(in(HOTPLUG + ACPI_HOTPLUG_ASKED, 4), ==, 1 << 3);
	out(GPE, 2, 1 << 1);
	/* Asking again asks again. */
	unplug(f, "go");
	g_assert_true(test.engine->level[SCI]);
	g_assert_cmphex(in(HOTPLUG + ACPI_HOTPLUG_ASKED, 4), ==, 1 << 3);
	assert_placed(3);

	start(f);
	while (f->events == 0)
		g_main_context_iteration(NULL, TRUE);
	g_assert_cmpstr(f->gone->str, ==, "go ");
	g_assert_cmpuint(devices.freed, ==, 1);
	assert_devices(f, "keep:1 ");
	g_assert_cmphex(config_read(3, PCI_VENDOR), ==, 0xffffffff);
	g_assert_cmpint(machine_status(f->machine), ==, MACHINE_RUNNING);
	/* The vCPUs run on. */
	pthread_mutex_lock(&test.engine->lock);
	while (test.engine->vcpu[1].done < 2)
		pthread_cond_wait(&test.engine->cond, &test.engine->lock);
	pthread_mutex_unlock(&test.engine->lock);
	/* Slot and name are free again. */
	plug(f, "go", 3);
	assert_devices(f, "keep:1 go:3 ");
	settle();
	g_assert_cmpuint(f->events, ==, 1);
}

/* The vCPU that ejects stands still until the device is gone: it never finds it again. */
static void test_eject_is_prompt(struct fixture *f, const void *data)
{
	struct machine_config config = default_config(f);

	(void)data;
	test.script[0][0] = (struct step){ STEP_OUT32, HOTPLUG + ACPI_HOTPLUG_EJECT, 1u << 1 };
	test.script[0][1] = (struct step){ STEP_OUT, 0x3ff, 1 };
	make(f, &config);
	plug(f, "a", 1);
	start(f);
	pthread_mutex_lock(&test.engine->lock);
	while (test.engine->vcpu[0].done < 1 || test.engine->vcpu[0].running ||
	       test.engine->vcpu[1].running) {
		pthread_mutex_unlock(&test.engine->lock);
		g_thread_yield();
		pthread_mutex_lock(&test.engine->lock);
	}
	pthread_mutex_unlock(&test.engine->lock);
	/* The main loop has not come to it yet, so nobody has gone on. */
	g_assert_cmpuint(test.engine->vcpu[0].done, ==, 1);
	assert_devices(f, "a:1 ");
	settle();
	assert_devices(f, "");
	pthread_mutex_lock(&test.engine->lock);
	while (test.engine->vcpu[0].done < 2)
		pthread_cond_wait(&test.engine->cond, &test.engine->lock);
	pthread_mutex_unlock(&test.engine->lock);
}

/* A guest that ejects what is not there, what cannot go, and what nobody asked for. */
static void test_eject_anything(struct fixture *f, const void *data)
{
	const struct machine_device list[] = {
		{ .id = "a", .pci = fake_pci(1), .slot = 5 },
		{ .id = "m", .virtio = fake_virtio(), .mmio = true },
		{ .id = "b", .pci = fake_pci(1), .slot = 9 },
	};
	struct machine_config config = default_config(f);

	(void)data;
	config.devices = list;
	config.device_count = ARRAY_SIZE(list);
	make(f, &config);
	start(f);
	out(HOTPLUG + ACPI_HOTPLUG_EJECT, 4, ~(uint32_t)(1 << 5 | 1 << 9));
	settle();
	assert_devices(f, "a:5 m:0 b:9 ");
	g_assert_cmphex(config_read(0, PCI_VENDOR), !=, 0xffffffff);
	out(HOTPLUG + ACPI_HOTPLUG_EJECT, 4, ~(uint32_t)0);
	out(HOTPLUG + ACPI_HOTPLUG_EJECT, 4, ~(uint32_t)0);
	settle();
	assert_devices(f, "m:0 ");
	g_assert_cmpstr(f->gone->str, ==, "a b ");
	g_assert_cmpint(machine_status(f->machine), ==, MACHINE_RUNNING);
}

static void test_reset(struct fixture *f, const void *data)
{
	const struct machine_device list[] = {
		{ .id = "a", .pci = fake_pci(1) },
		{ .id = "m", .virtio = fake_virtio(), .mmio = true },
		{ .id = "b", .pci = fake_pci(1) },
		{ .id = "c", .pci = fake_pci(1) },
	};
	struct machine_config config = default_config(f);
	g_autoptr(GError) error = NULL;
	unsigned resets;

	(void)data;
	config.devices = list;
	config.device_count = ARRAY_SIZE(list);
	make(f, &config);
	start(f);
	/* As a guest leaves it. */
	io_write(test.engine->config.mmio, 0xe0000000 + (2 << 15) + PCI_BAR0, 4, 0xd0000000);
	unplug(f, "a");
	unplug(f, "c");
	plug(f, "late", 0);
	resets = devices.resets;
	g_assert_true(machine_reset(f->machine, &error));
	assert_devices(f, "m:0 b:2 late:4 ");
	g_assert_cmpuint(devices.resets - resets, ==, 3);
	assert_placed(2);
	assert_placed(4);
	/* News of the former life is void. */
	g_assert_cmphex(in(HOTPLUG + ACPI_HOTPLUG_INSERTED, 4), ==, 0);
	g_assert_cmphex(in(HOTPLUG + ACPI_HOTPLUG_ASKED, 4), ==, 0);
	g_assert_cmphex(in(GPE, 4), ==, 0);
	/* Told already: nobody can ask for them in between. And told once. */
	g_assert_cmpstr(f->gone->str, ==, "a c ");
	settle();
	g_assert_cmpstr(f->gone->str, ==, "a c ");
}

/* Ejected, and reset before the main loop came to it. */
static void test_eject_and_reset(struct fixture *f, const void *data)
{
	struct machine_config config = default_config(f);
	g_autoptr(GError) error = NULL;

	(void)data;
	make(f, &config);
	plug(f, "a", 1);
	start(f);
	out(HOTPLUG + ACPI_HOTPLUG_EJECT, 4, 1 << 1);
	g_assert_true(machine_reset(f->machine, &error));
	assert_devices(f, "");
	/* Its successor is not meant. */
	plug(f, "b", 1);
	settle();
	assert_devices(f, "b:1 ");
	g_assert_cmpstr(f->gone->str, ==, "a ");
	/* Nothing holds the vCPUs any more. */
	g_assert_cmpint(machine_status(f->machine), ==, MACHINE_RUNNING);
	machine_pause(f->machine);
	test.script[0][0] = (struct step){ STEP_OUT, 0x3ff, 1 };
	machine_resume(f->machine);
	pthread_mutex_lock(&test.engine->lock);
	while (test.engine->vcpu[0].done < 1)
		pthread_cond_wait(&test.engine->cond, &test.engine->lock);
	pthread_mutex_unlock(&test.engine->lock);
}

/*
 * Lessons 10 and 11: there is no legacy blitter and no VGA whose registers a guest could set against
 * its memory. At their ports and in their window no device answers, whatever is written there.
 */
static void test_lessons_10_11(struct fixture *f, const void *data)
{
	struct machine_config config = default_config(f);

	(void)data;
	make(f, &config);
	for (unsigned port = 0x3b0; port < 0x3e0; port++) {
		out(port, 1, 0);
		g_assert_cmphex(in(port, 1), ==, 0xff);
	}
	for (uint64_t gpa = 0xa0000; gpa < 0xc0000; gpa += 0x1000) {
		io_write(test.engine->config.mmio, gpa, 4, 0);
		g_assert_cmphex(io_read(test.engine->config.mmio, gpa, 4), ==, UINT32_MAX);
	}
	for (unsigned slot = 0; slot < PCI_SLOTS; slot++) {
		if (config_read(slot, PCI_VENDOR) != UINT32_MAX)
			g_assert_cmphex(config_read(slot, 8) >> 24, !=, 3); /* a display */
	}
}

/* ---- devices with I/O under way ---- */

/* A toy with a request that it keeps. */
static struct vdriver *keep_request(struct virtio_device *dev)
{
	struct vdriver *d =
		vdriver_new(&(struct vdriver_config){ .dev = dev, .loop = devices.loop });
	struct vdriver_buf buf = { 4096, 4, true };

	toy_of(dev)->hold = toy_of(dev)->slow = true;
	g_assert_true(vdriver_add(d, 0, &buf, 1, NULL));
	(void)vdriver_kick(d, 0);
	vdriver_run(d);
	g_assert_cmpuint(toy_of(dev)->count, ==, 1);
	return d;
}

static void make_busy(struct fixture *f, struct vdriver **ret_d, struct toy **ret_toy)
{
	const struct machine_device list[] = {
		{ .id = "busy", .virtio = fake_virtio(), .slot = 3 },
		{ .id = "other", .pci = fake_pci(1), .slot = 4 },
	};
	struct machine_config config = default_config(f);

	config.devices = list;
	config.device_count = ARRAY_SIZE(list);
	make(f, &config);
	*ret_d = keep_request(list[0].virtio);
	*ret_toy = toy_of(list[0].virtio);
	start(f);
}

/* A reset is done when the I/O has ended. Nobody waits for that, and no vCPU executes meanwhile. */
static void test_reset_waits(struct fixture *f, const void *data)
{
	unsigned resets;
	struct vdriver *d;
	struct toy *toy;

	(void)data;
	make_busy(f, &d, &toy);
	resets = devices.resets;
	g_assert_true(machine_reset(f->machine, NULL));
	settle();
	g_assert_cmpuint(f->resets, ==, 0);
	g_assert_cmpuint(devices.resets, ==, resets);
	assert_parked();
	/* The user goes on. */
	machine_pause(f->machine);
	machine_resume(f->machine);
	g_assert_true(machine_reset(f->machine, NULL));
	unplug(f, "other");
	assert_parked();
	toy_complete_all(toy);
	settle();
	g_assert_cmpuint(f->resets, ==, 1);
	g_assert_cmpstr(f->gone->str, ==, "other ");
	g_assert_cmpuint(devices.resets, ==, resets + 1);
	g_assert_cmpint(machine_status(f->machine), ==, MACHINE_RUNNING);
	vdriver_free(d);
}

/* The same for a device that the guest ejects. */
static void test_eject_waits(struct fixture *f, const void *data)
{
	struct vdriver *d;
	struct toy *toy;

	(void)data;
	make_busy(f, &d, &toy);
	out(HOTPLUG + ACPI_HOTPLUG_EJECT, 4, 1 << 3 | 1 << 4);
	settle();
	g_assert_cmpstr(f->gone->str, ==, "other ");
	assert_devices(f, "busy:3 ");
	assert_parked();
	g_assert_cmpuint(devices.freed, ==, 1);
	toy_complete_all(toy);
	vdriver_free(d);
	settle();
	g_assert_cmpstr(f->gone->str, ==, "other busy ");
	assert_devices(f, "");
	g_assert_cmpint(machine_status(f->machine), ==, MACHINE_RUNNING);
}

/* A pause is complete when what was under way has ended. */
static void test_pause_waits(struct fixture *f, const void *data)
{
	struct vdriver *d;
	struct toy *toy;

	(void)data;
	make_busy(f, &d, &toy);
	toy->busy = true;
	machine_pause(f->machine);
	settle();
	g_assert_cmpint(machine_status(f->machine), ==, MACHINE_PAUSED);
	g_assert_cmpuint(f->quiet, ==, 0);
	virtio_lock(&toy->dev);
	toy->busy = false;
	virtio_idle(&toy->dev);
	virtio_unlock(&toy->dev);
	settle();
	g_assert_cmpuint(f->quiet, ==, 1);
	/* One that comes meanwhile is paused, too. */
	g_assert_true(machine_plug(
		f->machine, &(struct machine_device){ .id = "late", .virtio = fake_virtio() },
		NULL));
	machine_resume(f->machine);
	machine_pause(f->machine);
	g_assert_cmpuint(f->quiet, ==, 2);
	machine_resume(f->machine);
	/* Gone on before it was complete. */
	toy->busy = true;
	machine_pause(f->machine);
	machine_resume(f->machine);
	toy->busy = false;
	settle();
	g_assert_cmpuint(f->quiet, ==, 2);
	toy_complete_all(toy);
	vdriver_free(d);
}

static void refuse_plug(struct fixture *f, const struct machine_device *device, const char *text)
{
	g_autoptr(GError) error = NULL;

	g_assert_false(machine_plug(f->machine, device, &error));
	g_assert_cmpstr(error->message, ==, text);
}

static void test_refusals(struct fixture *f, const void *data)
{
	struct machine_config config = default_config(f);
	struct virtio_device *virtio = fake_virtio();
	struct pci_device *pci = fake_pci(1);
	g_autoptr(GError) error = NULL;
	char id[8];

	(void)data;
	make(f, &config);
	plug(f, "a", 3);
	refuse_plug(f, &(struct machine_device){ .id = "a", .pci = pci },
		    "there is a device 'a' already");
	refuse_plug(f, &(struct machine_device){ .id = "b", .pci = pci, .slot = 3 },
		    "device 'b' cannot be in PCI slot 3: it is taken");
	refuse_plug(f, &(struct machine_device){ .id = "b", .pci = pci, .slot = 32 },
		    "device 'b' cannot be in PCI slot 32: give 1 to 31");
	refuse_plug(f, &(struct machine_device){ .id = "b", .virtio = virtio, .mmio = true },
		    "device 'b' has its registers in memory and must be there from the start: put "
		    "it on PCI");
	for (unsigned i = 0; i < 30; i++) {
		(void)snprintf(id, sizeof(id), "d%u", i);
		plug(f, id, 0);
	}
	refuse_plug(f, &(struct machine_device){ .id = "b", .virtio = virtio },
		    "device 'b' finds no PCI slot: all 31 are taken");
	g_assert_false(machine_unplug(f->machine, "b", &error));
	g_assert_error(error, SOCLE_ERROR, SOCLE_ERROR_NOT_FOUND);
	g_assert_cmpstr(error->message, ==, "there is no device 'b'");
	/* They are still ours. */
	discard(pci);
	virtio->ops->free(virtio);
	devices.alive--;
}

static void refuse_new(const struct machine_config *config, const char *text)
{
	g_autoptr(GError) error = NULL;

	g_assert_null(machine_new(config, &error));
	g_assert_nonnull(error);
	g_assert_cmpstr(error->message, ==, text);
	g_assert_null(test.engine);
	g_assert_cmpuint(devices.freed, ==, 0);
}

/* A machine that cannot be made takes no device over. */
static void test_refusals_at_start(struct fixture *f, const void *data)
{
	static char boot;
	struct machine_device list[33];
	struct machine_config config = default_config(f);
	struct pci_device *pci = fake_pci(1);
	struct virtio_device *virtio = fake_virtio();
	char ids[33][8];

	(void)data;
	for (unsigned i = 0; i < 33; i++) {
		(void)snprintf(ids[i], sizeof(ids[i]), "d%u", i);
		list[i] = (struct machine_device){ .id = ids[i], .pci = pci };
	}
	config.devices = list;
	config.device_count = 32;
	refuse_new(&config, "device 'd31' finds no PCI slot: all 31 are taken");
	config.device_count = 3;
	list[0].slot = list[2].slot = 4;
	refuse_new(&config, "device 'd2' cannot be in PCI slot 4: it is taken");
	list[2].id = "d1";
	refuse_new(&config, "there is a device 'd1' already");
	list[2].id = "d2";
	list[2].slot = 0;
	config.boot = (struct boot *)(void *)&boot;
	test.fail_load = true;
	refuse_new(&config, "the kernel has gone");
	for (unsigned i = 0; i < 9; i++)
		list[i] = (struct machine_device){ .id = ids[i], .virtio = virtio, .mmio = true };
	config.device_count = 9;
	refuse_new(&config, "9 devices with registers in memory are too many: give at most 8");
	discard(pci);
	virtio->ops->free(virtio);
	devices.alive--;
}

static void test_mmio_stays(struct fixture *f, const void *data)
{
	const struct machine_device list[] = {
		{ .id = "m", .virtio = fake_virtio(), .mmio = true },
	};
	struct machine_config config = default_config(f);
	g_autoptr(GError) error = NULL;

	(void)data;
	config.devices = list;
	config.device_count = 1;
	make(f, &config);
	g_assert_false(machine_unplug(f->machine, "m", &error));
	g_assert_error(error, SOCLE_ERROR, SOCLE_ERROR_UNSUPPORTED);
	assert_devices(f, "m:0 ");
}

static void test_generation(struct fixture *f, const void *data)
{
	static const uint8_t old[16] = "0123456789abcdef", new[16] = "fedcba9876543210";
	struct machine_config config = default_config(f);
	g_autoptr(GError) error = NULL;
	uint8_t seen[16];

	(void)data;
	make(f, &config);
	g_assert_false(machine_set_generation_id(f->machine, new, &error));
	g_assert_error(error, SOCLE_ERROR, SOCLE_ERROR_STATE);
	g_clear_error(&error);
	g_clear_pointer(&f->machine, machine_free);

	config.generation_id = old;
	make(f, &config);
	start(f);
	g_assert_cmpint(mem_read(machine_mem(f->machine), 0xdf000, seen, 16), ==, 0);
	g_assert_cmpmem(seen, 16, old, 16);
	g_assert_cmphex(in(GPE, 2), ==, 0);
	g_assert_true(machine_set_generation_id(f->machine, new, &error));
	g_assert_cmphex(in(GPE, 2), ==, 1 << 2);
	g_assert_cmpint(mem_read(machine_mem(f->machine), 0xdf000, seen, 16), ==, 0);
	g_assert_cmpmem(seen, 16, new, 16);
	/* A reset keeps it, whatever the guest has done to it. */
	g_assert_cmpint(mem_write(machine_mem(f->machine), 0xdf000, old, 16), ==, 0);
	g_assert_true(machine_reset(f->machine, &error));
	g_assert_cmpint(mem_read(machine_mem(f->machine), 0xdf000, seen, 16), ==, 0);
	g_assert_cmpmem(seen, 16, new, 16);
}

/* Guests eject and reset all the time, while the user plugs, asks and pauses. */
static void test_turmoil(struct fixture *f, const void *data)
{
	struct machine_config config = default_config(f);
	unsigned plugged = 0;
	char id[16];

	(void)data;
	for (unsigned i = 0; i < 2; i++) {
		test.script[i][0] = (struct step){ STEP_OUT32, HOTPLUG + ACPI_HOTPLUG_EJECT,
						   i ? 0x0000ffff : 0xffffff00 };
		test.script[i][1] = i ? (struct step){ STEP_OUT, 0xcf9, 6 }
				      : (struct step){ STEP_OUT, 0x3f8, 'x' };
		test.script[i][2].kind = STEP_AGAIN;
	}
	make(f, &config);
	start(f);
	for (unsigned round = 0; plugged < 300; round++) {
		const struct machine_device device = { .id = id, .pci = fake_pci(1) };
		struct machine_device_info info;

		(void)snprintf(id, sizeof(id), "d%u", plugged);
		if (machine_plug(f->machine, &device, NULL))
			plugged++;
		else
			discard(device.pci);
		if (round % 3 == 0 && machine_device_at(f->machine, 0, &info))
			(void)machine_unplug(f->machine, info.id, NULL);
		if (round % 5 == 0)
			machine_pause(f->machine);
		g_main_context_iteration(NULL, FALSE);
		machine_resume(f->machine);
	}
	machine_pause(f->machine);
	settle();
	g_assert_cmpint(machine_status(f->machine), ==, MACHINE_PAUSED);
}

int main(int argc, char **argv)
{
	static const struct {
		const char *path;
		void (*fn)(struct fixture *f, const void *data);
	} tests[] = {
		{ "/machine/slots/start", test_start },
		{ "/machine/slots/routes", test_routes },
		{ "/machine/slots/mmio-wires", test_mmio_wires },
		{ "/machine/slots/plug", test_plug },
		{ "/machine/slots/unplug", test_unplug },
		{ "/machine/slots/eject-is-prompt", test_eject_is_prompt },
		{ "/machine/slots/eject-anything", test_eject_anything },
		{ "/machine/slots/reset", test_reset },
		{ "/machine/slots/eject-and-reset", test_eject_and_reset },
		{ "/machine/slots/reset-waits", test_reset_waits },
		{ "/machine/slots/eject-waits", test_eject_waits },
		{ "/machine/slots/pause-waits", test_pause_waits },
		{ "/machine/slots/lessons-10-11-no-vga", test_lessons_10_11 },
		{ "/machine/slots/refusals", test_refusals },
		{ "/machine/slots/refusals-at-start", test_refusals_at_start },
		{ "/machine/slots/mmio-stays", test_mmio_stays },
		{ "/machine/slots/generation", test_generation },
		{ "/machine/slots/turmoil", test_turmoil },
	};

	g_test_init(&argc, &argv, NULL);
	for (unsigned i = 0; i < ARRAY_SIZE(tests); i++)
		g_test_add(tests[i].path, struct fixture, NULL, setup, tests[i].fn, teardown);
	return g_test_run();
}
