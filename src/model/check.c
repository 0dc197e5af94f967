/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * check.c - the step check, of what is no device: name, memory, CPUs, boot, tuning
 */
#include <inttypes.h>
#include <string.h>

#include "model/check-int.h"

static const char no_namespaces[] =
	"an emulator's own arguments mean nothing to socle-vm; remove it";

static bool check_identity(const struct check *c)
{
	const struct domain *d = c->domain;

	if (!d->name || !*d->name)
		return wrong(c, "the domain has no name; give it a <name>");
	if (strlen(d->name) > DOMAIN_NAME_MAX)
		return wrong(c, "the domain's name has more than %d bytes; give it a shorter one",
			     DOMAIN_NAME_MAX);
	if (strchr(d->name, '/') || !strcmp(d->name, ".") || !strcmp(d->name, ".."))
		return wrong(c,
			     "the domain's name '%s' cannot be a file's: it has a slash or is a "
			     "folder's; give it another one",
			     d->name);
	for (const char *p = d->name; *p; p++) {
		if (g_ascii_iscntrl(*p))
			return wrong(c, "the domain's name has a line break or another control "
					"character; remove it");
	}
	if (!d->name[strspn(d->name, " ")])
		return wrong(c, "the domain's name is blank; give it one with a letter");
	if (!g_uuid_string_is_valid(d->uuid))
		return wrong(c, "the domain's UUID '%.64s' is none; leave <uuid> out to get one",
			     d->uuid);
	if (d->genid.value && !g_uuid_string_is_valid(d->genid.value))
		return wrong(c, "the domain's generation ID '%.64s' is no UUID; write <genid/>",
			     d->genid.value);
	if (d->title && strchr(d->title, '\n'))
		return wrong(c, "the domain's title has more than one line; use <description>");
	return true;
}

static bool check_type(const struct check *c)
{
	struct domain *d = c->domain;

	if (c->support->test)
		return true;
	if (d->type != DOMAIN_KVM && d->type != DOMAIN_QEMU)
		return refuse(c, "domains of this type do not run here; give type='kvm' or "
				 "type='qemu'");
	d->type_fate = FATE_HONOURED;
	if (d->type == DOMAIN_KVM && !c->support->kvm) {
		d->type_fate = FATE_MAPPED;
		notes_add(c->notes,
			  "this host has no KVM that runs its guests: the software engine "
			  "takes its place");
	}
	return true;
}

static bool check_memory(const struct check *c)
{
	const struct domain *d = c->domain;
	const struct domain_memtune *tune = &d->memtune;

	if (!d->memory.set || d->memory.value == 0)
		return wrong(c, "the domain has no memory; give it a <memory>");
	if (d->memory.value > INT64_C(1) << 34)
		return refuse(c, "the domain's memory is larger than 16 TiB; make it smaller");
	if (tune->hard_limit.set && tune->soft_limit.set &&
	    tune->soft_limit.value > tune->hard_limit.value)
		return wrong(c, "<memtune>: soft_limit is above hard_limit; lower it");
	if (tune->hard_limit.set && tune->swap_hard_limit.set &&
	    tune->swap_hard_limit.value < tune->hard_limit.value)
		return wrong(c, "<memtune>: swap_hard_limit is below hard_limit, and counts memory "
				"too; raise it");
	if (tune->min_guarantee.set)
		notes_add(c->notes, "<min_guarantee> of <memtune> has no effect");
	return true;
}

static bool check_topology(const struct check *c)
{
	const struct cpu_topology *t = &c->domain->cpu.topology;
	const struct number *const all[] = { &t->sockets, &t->dies, &t->clusters, &t->cores,
					     &t->threads };
	int64_t product = 1;
	bool given = false;

	for (size_t i = 0; i < G_N_ELEMENTS(all); i++) {
		/* Five numbers of 16 bits would not fit. */
		if (all[i]->set && product <= UINT32_MAX)
			product *= all[i]->value;
		given |= all[i]->set;
	}
	if (given && product != c->domain->vcpu.count.value)
		return wrong(c,
			     "the CPU topology has %" PRId64 " CPUs, and <vcpu> %" PRId64
			     "; make them the same",
			     product, c->domain->vcpu.count.value);
	return true;
}

static bool check_vcpus(const struct check *c)
{
	const struct domain *d = c->domain;
	unsigned max = c->support->max_vcpus ? c->support->max_vcpus : DOMAIN_VCPUS_MAX;
	int64_t count = d->vcpu.count.value;

	if (count > max)
		return refuse(c, "the domain has %" PRId64 " CPUs, and %u are the most; take fewer",
			      count, max);
	if (d->vcpu.current.set && d->vcpu.current.value > count)
		return wrong(c,
			     "the domain starts with %" PRId64 " CPUs of %" PRId64
			     "; raise the number or lower 'current'",
			     d->vcpu.current.value, count);
	if (d->vcpu.current.set && d->vcpu.current.value < count)
		notes_add(c->notes, "CPUs are not plugged: the machine starts with %" PRId64,
			  d->vcpu.current.value);
	if (d->vcpu.cpuset && !is_cpuset(d->vcpu.cpuset))
		return wrong(c, "<vcpu>: '%.64s' is no set of CPUs; write it like 0-3,^2",
			     d->vcpu.cpuset);
	return check_topology(c);
}

static bool check_cpu(const struct check *c)
{
	static const char *const modes[] = { "custom", "host-model", "host-passthrough", "maximum",
					     NULL };
	const struct domain_cpu *cpu = &c->domain->cpu;
	const struct kept kept[] = {
		{ cpu->kept_numa, "numa", "guests have one NUMA node; remove it" },
		{ cpu->kept_maxphysaddr, "maxphysaddr", NULL },
	};

	if (cpu->mode && !is_one_of(cpu->mode, modes))
		return wrong(c, "<cpu>: mode '%.64s' is not known; give host-passthrough or custom",
			     cpu->mode);
	if (cpu->model.name && strcmp(cpu->model.name, "v2") != 0 &&
	    strcmp(cpu->model.name, "max") != 0)
		notes_add(c->notes, "the CPU model '%.64s' is not there: 'v2' takes its place",
			  cpu->model.name);
	for (unsigned i = 0; i < cpu->feature_count; i++) {
		const struct cpu_feature *feature = &cpu->features[i];

		if (!feature->name)
			return wrong(c, "<cpu> has a <feature> without a name; give it one");
		notes_add(c->notes,
			  "features of the CPU are not chosen one by one: those asked for "
			  "in <cpu> have no effect");
	}
	return check_kept(c, "<cpu>", kept, G_N_ELEMENTS(kept));
}

static bool check_pins(const struct check *c)
{
	const struct domain_cputune *tune = &c->domain->cputune;
	const struct kept kept[] = {
		{ tune->kept_iothreadpin, "iothreadpin", NULL },
		{ tune->kept_vcpusched, "vcpusched", NULL },
		{ tune->kept_iothreadsched, "iothreadsched", NULL },
		{ tune->kept_emulatorsched, "emulatorsched", NULL },
		{ tune->kept_cachetune, "cachetune", NULL },
		{ tune->kept_memorytune, "memorytune", NULL },
	};

	for (unsigned i = 0; i < tune->pin_count; i++) {
		const struct pin *pin = &tune->pins[i];

		if (!pin->vcpu.set || !pin->cpuset || !is_cpuset(pin->cpuset))
			return wrong(c,
				     "<vcpupin> wants a vcpu and a cpuset like 0-3,^2; give both");
		if (pin->vcpu.value >= c->domain->vcpu.count.value)
			return wrong(c,
				     "<vcpupin> is for CPU %" PRId64 ", which the domain does not "
				     "have; remove it",
				     pin->vcpu.value);
		for (unsigned j = 0; j < i; j++) {
			if (tune->pins[j].vcpu.value == pin->vcpu.value)
				return wrong(c, "CPU %" PRId64 " has two <vcpupin>; remove one",
					     pin->vcpu.value);
		}
	}
	if (tune->emulator.cpuset && !is_cpuset(tune->emulator.cpuset))
		return wrong(c, "<emulatorpin>: '%.64s' is no set of CPUs; write it like 0-3,^2",
			     tune->emulator.cpuset);
	return check_kept(c, "<cputune>", kept, G_N_ELEMENTS(kept));
}

static bool check_blkio(const struct check *c)
{
	const struct domain_blkiotune *tune = &c->domain->blkiotune;

	if (tune->weight.set && tune->weight.value < 10)
		return wrong(c, "<blkiotune>: a weight is from 10 to 1000; raise it");
	for (unsigned i = 0; i < tune->device_count; i++) {
		if (!tune->devices[i].path || tune->devices[i].path[0] != '/')
			return wrong(c, "<blkiotune> has a <device> whose path does not start with "
					"'/'; give it a whole one");
	}
	return true;
}

static bool check_machine(const struct check *c)
{
	struct domain *d = c->domain;
	const struct os_type *type = &d->os.type;

	if (strcmp(type->name, "hvm") != 0)
		return refuse(c,
			      "<os> is of type '%.64s', and machines here are whole ones; give "
			      "hvm",
			      type->name);
	if (strcmp(type->arch, "x86_64") != 0 && strcmp(type->arch, "i686") != 0)
		return refuse(c, "the architecture '%.64s' does not run here; give x86_64",
			      type->arch);
	if (!strcmp(type->arch, "i686"))
		notes_add(c->notes, "the architecture 'i686' is run as x86_64");
	if (strcmp(type->machine, "pc") != 0 && strcmp(type->machine, "q35") != 0 &&
	    !g_str_has_prefix(type->machine, "pc-"))
		return refuse(c, "the machine type '%.64s' is not there; give pc", type->machine);
	d->machine_fate = FATE_HONOURED;
	if (strcmp(type->machine, "pc") != 0) {
		d->machine_fate = FATE_MAPPED;
		notes_add(c->notes, "the machine type '%.64s' is not there: 'pc' takes its place",
			  type->machine);
	}
	return true;
}

static bool check_boot(const struct check *c)
{
	static const char *const devs[] = { "hd", "cdrom", "network", "fd", NULL };
	const struct domain_os *os = &c->domain->os;
	const struct kept kept[] = {
		{ os->kept_init, "init", "machines have no init; remove it" },
		{ os->kept_initarg, "initarg", "machines have no init; remove it" },
		{ os->kept_acpi, "acpi", "tables of one's own are not added; remove it" },
		{ os->kept_shim, "shim", "no shim is loaded; remove it" },
		{ os->kept_firmware, "firmware", NULL },
	};
	bool uefi = (os->firmware && !strcmp(os->firmware, "efi")) ||
		    (os->loader.type && !strcmp(os->loader.type, "pflash"));

	for (unsigned i = 0; i < os->boot_count; i++) {
		if (!is_one_of(os->boots[i].dev, devs))
			return wrong(c, "<boot>: a dev is hd, cdrom, network or fd, not '%.64s'",
				     os->boots[i].dev ? os->boots[i].dev : "");
	}
	if (os->firmware && strcmp(os->firmware, "efi") != 0 && strcmp(os->firmware, "bios") != 0)
		return wrong(c, "<os>: firmware is 'efi' or 'bios', not '%.64s'", os->firmware);
	if (os->dtb)
		return refuse(c, "<os> has a <dtb>: this machine has ACPI; remove it");
	if (!os->kernel && (os->initrd || os->cmdline))
		return wrong(c,
			     "<os> has an <initrd> or <cmdline> but no <kernel>; give that, too");
	if ((os->kernel && *os->kernel != '/') || (os->initrd && *os->initrd != '/') ||
	    (os->loader.path && *os->loader.path != '/'))
		return wrong(c, "<os>: paths of kernel, initrd and loader start with '/'");
	if (os->loader.secure == TRI_YES)
		return refuse(c,
			      "<loader>: secure boot needs SMM, which machines here lack; remove "
			      "secure='yes'");
	if (!os->kernel && uefi && !c->support->uefi &&
	    !lacking(c, "it boots by UEFI, and no OVMF was found; install ovmf"))
		return false;
	if (!os->kernel && !uefi && !c->support->bios && !os->loader.path &&
	    !lacking(c,
		     "it boots by firmware, and no SeaBIOS was found; install seabios, or give a "
		     "<kernel>"))
		return false;
	return check_kept(c, "<os>", kept, G_N_ELEMENTS(kept));
}

static bool check_features(const struct check *c)
{
	const struct domain_features *f = &c->domain->features;
	const struct kept kept[] = {
		{ f->kept_hyperv, "hyperv", NULL },
		{ f->kept_kvm, "kvm", NULL },
		{ f->kept_smm, "smm", NULL },
		{ f->kept_xen, "xen", NULL },
		{ f->kept_tcg, "tcg", NULL },
		{ f->kept_msrs, "msrs", NULL },
		{ f->kept_ps2, "ps2", NULL },
		{ f->kept_capabilities, "capabilities", NULL },
		{ f->kept_gic, "gic", "there is none on x86; remove it" },
		{ f->kept_hpt, "hpt", "there is none on x86; remove it" },
		{ f->kept_htm, "htm", "there is none on x86; remove it" },
		{ f->viridian ? "" : NULL, "viridian", NULL },
		{ f->privnet ? "" : NULL, "privnet", NULL },
		{ f->vmcoreinfo.set ? "" : NULL, "vmcoreinfo", NULL },
	};

	if (!f->acpi)
		notes_add(c->notes,
			  "<features> has no <acpi/>, and the machine has ACPI all the same");
	return check_kept(c, "<features>", kept, G_N_ELEMENTS(kept));
}

static bool check_clock(const struct check *c)
{
	const struct domain_clock *clock = &c->domain->clock;

	if (strcmp(clock->offset, "utc") != 0 && strcmp(clock->offset, "localtime") != 0)
		notes_add(c->notes,
			  "the clock's offset '%.64s' is not there: 'utc' takes its place",
			  clock->offset);
	for (unsigned i = 0; i < clock->timer_count; i++) {
		const struct clock_timer *timer = &clock->timers[i];

		if (!timer->name)
			return wrong(c, "<clock> has a <timer> without a name; give it one");
		if (!strcmp(timer->name, "hpet") && timer->present == TRI_YES)
			notes_add(c->notes, "the machine has no HPET");
	}
	return true;
}

static bool check_events(const struct check *c)
{
	const struct domain *d = c->domain;
	const struct {
		const char *name;
		enum on_event on;
	} all[] = { { "on_poweroff", d->on_poweroff },
		    { "on_reboot", d->on_reboot },
		    { "on_crash", d->on_crash } };

	for (size_t i = 0; i < G_N_ELEMENTS(all); i++) {
		if (all[i].on == ON_RENAME_RESTART)
			return refuse(c, "<%s>: no domain is renamed; give destroy or restart",
				      all[i].name);
		if (all[i].on == ON_COREDUMP_DESTROY || all[i].on == ON_COREDUMP_RESTART)
			return refuse(c,
				      "<%s>: no dump is made of a machine; give destroy, restart "
				      "or preserve",
				      all[i].name);
	}
	return true;
}

static bool check_unknown(const struct check *c)
{
	const struct domain *d = c->domain;
	const struct kept kept[] = {
		{ d->qemu_commandline, "qemu:commandline", no_namespaces },
		{ d->qemu_override, "qemu:override", no_namespaces },
		{ d->qemu_capabilities, "qemu:capabilities", NULL },
		{ d->qemu_deprecation, "qemu:deprecation", NULL },
		{ d->kept_launch_security, "launchSecurity",
		  "memory of guests is not encrypted here; remove it" },
		{ d->kept_bootloader, "bootloader", "machines boot by themselves; remove it" },
		{ d->kept_idmap, "idmap", "it is for containers; remove it" },
		{ d->kept_max_memory, "maxMemory", NULL },
		{ d->kept_memory_backing, "memoryBacking", NULL },
		{ d->kept_numatune, "numatune", NULL },
		{ d->kept_iothreadids, "iothreadids", NULL },
		{ d->kept_vcpus, "vcpus", NULL },
		{ d->kept_sysinfo, "sysinfo", NULL },
		{ d->kept_perf, "perf", NULL },
		{ d->kept_keywrap, "keywrap", NULL },
		{ d->kept_throttlegroups, "throttlegroups", NULL },
		{ d->pm.mem.enabled == TRI_YES ? "" : NULL, "suspend-to-mem", NULL },
		{ d->pm.disk.enabled == TRI_YES ? "" : NULL, "suspend-to-disk", NULL },
	};

	return check_kept(c, "the domain", kept, G_N_ELEMENTS(kept));
}

static void add_order(GArray *orders, const struct device_boot *boot)
{
	if (boot->order.set)
		g_array_append_val(orders, boot->order.value);
}

static void add_orders(GArray *orders, const struct domain_devices *d)
{
	for (unsigned i = 0; i < d->disk_count; i++)
		add_order(orders, &d->disks[i].boot);
	for (unsigned i = 0; i < d->interface_count; i++)
		add_order(orders, &d->interfaces[i].boot);
}

/* Which of two would be first? */
static bool check_orders(const struct check *c)
{
	g_autoptr(GArray) orders = g_array_new(FALSE, FALSE, sizeof(int64_t));

	add_orders(orders, &c->domain->devices);
	if (c->others)
		add_orders(orders, &c->others->devices);
	for (unsigned i = 0; i < orders->len; i++) {
		int64_t order = g_array_index(orders, int64_t, i);

		for (unsigned j = 0; j < i; j++) {
			if (g_array_index(orders, int64_t, j) == order)
				return wrong(c,
					     "two devices have the place %" PRId64
					     " in the boot order; give one another <boot order>",
					     order);
		}
	}
	return true;
}

static bool check_devices(struct check *c)
{
	return check_disks(c) && check_interfaces(c) && check_chars(c) && check_display(c) &&
	       check_other_devices(c) && check_addresses(c);
}

bool domain_check(struct domain *domain, const struct support *support, unsigned flags,
		  struct notes *notes, GError **error)
{
	struct check c = {
		.domain = domain, .support = support, .flags = flags, .notes = notes, .error = error
	};

	if (!check_identity(&c) || !check_memory(&c) || !check_vcpus(&c) || !check_pins(&c) ||
	    !check_blkio(&c))
		return false;
	/* The driver for tests has all hardware there is, as long as it makes sense. */
	if (support->test)
		return check_orders(&c) && check_addresses(&c);
	return check_type(&c) && check_machine(&c) && check_cpu(&c) && check_boot(&c) &&
	       check_features(&c) && check_clock(&c) && check_events(&c) && check_unknown(&c) &&
	       check_orders(&c) && check_devices(&c);
}

bool domain_check_device(struct domain *device, const struct domain *domain,
			 const struct support *support, unsigned flags, struct notes *notes,
			 GError **error)
{
	struct check c = { .domain = device,
			   .others = domain,
			   .support = support,
			   .flags = flags,
			   .notes = notes,
			   .error = error };

	return check_orders(&c) && (support->test ? check_addresses(&c) : check_devices(&c));
}
