/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * kvm.c - the engine on /dev/kvm: what the host can do, the virtual machine, its parts in order
 *
 * The device is asked for everything. Neither the host's CPUID nor /proc/cpuinfo is looked at: some
 * hosts run guests without having VMX or SVM.
 *
 * Order matters for the start-up time: once a VM has interrupt controllers, every change of its
 * memory slots waits for a grace period of the host's kernel (5 ms were seen). So slots come first.
 */
#include "kvm/kvm.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <string.h>

#include "base/error.h"
#include "base/log.h"
#include "base/sys.h"
#include "kvm/kvm-int.h"

/* Pages which VMX hosts without "unrestricted guest" need for real mode; below the firmware. */
#define IDENTITY_MAP_ADDR 0xfeffc000ul
#define TSS_ADDR          0xfeffd000ul

static unsigned wanted_ring_entries;

void kvm_use_dirty_ring(unsigned entries)
{
	wanted_ring_entries = entries;
}

/* What we cannot do without. All of it is in every kernel since 4.15 (2018). */
static const struct {
	int cap;
	const char *name;
} required[] = {
	{ KVM_CAP_USER_MEMORY, "KVM_CAP_USER_MEMORY" },
	{ KVM_CAP_EXT_CPUID, "KVM_CAP_EXT_CPUID" },
	{ KVM_CAP_IRQCHIP, "KVM_CAP_IRQCHIP" },
	{ KVM_CAP_IRQ_ROUTING, "KVM_CAP_IRQ_ROUTING" },
	{ KVM_CAP_IRQFD, "KVM_CAP_IRQFD" },
	{ KVM_CAP_IOEVENTFD, "KVM_CAP_IOEVENTFD" },
	{ KVM_CAP_SIGNAL_MSI, "KVM_CAP_SIGNAL_MSI" },
	{ KVM_CAP_MP_STATE, "KVM_CAP_MP_STATE" },
	{ KVM_CAP_VCPU_EVENTS, "KVM_CAP_VCPU_EVENTS" },
	{ KVM_CAP_DEBUGREGS, "KVM_CAP_DEBUGREGS" },
	{ KVM_CAP_XSAVE, "KVM_CAP_XSAVE" },
	{ KVM_CAP_ADJUST_CLOCK, "KVM_CAP_ADJUST_CLOCK" },
	{ KVM_CAP_GET_TSC_KHZ, "KVM_CAP_GET_TSC_KHZ" },
	{ KVM_CAP_IMMEDIATE_EXIT, "KVM_CAP_IMMEDIATE_EXIT" },
};

static int check(int fd, int cap)
{
	int r = sys_ioctl_int(fd, KVM_CHECK_EXTENSION, (unsigned long)cap);

	return r < 0 ? 0 : r;
}

bool kvm_open_device(int *ret_fd, GError **error)
{
	autofd int fd = sys_open("/dev/kvm", O_RDWR, 0);
	int version;

	if (fd == -ENOENT || fd == -ENODEV || fd == -ENXIO)
		return error_set(
			error, SOCLE_ERROR_NOT_FOUND,
			"cannot open '/dev/kvm': %s; load the module kvm_intel or kvm_amd, "
			"or use the software engine",
			g_strerror(-fd));
	if (fd == -EACCES || fd == -EPERM)
		return error_set(
			error, SOCLE_ERROR_DENIED,
			"cannot open '/dev/kvm': %s; add the user to the group that owns it",
			g_strerror(-fd));
	if (fd < 0)
		return error_sys(error, fd, "cannot open '/dev/kvm'");
	version = sys_ioctl_int(fd, KVM_GET_API_VERSION, 0);
	if (version < 0)
		return error_sys(error, version, "'/dev/kvm' does not answer as KVM does");
	if (version != KVM_API_VERSION)
		return error_set(error, SOCLE_ERROR_UNSUPPORTED,
				 "KVM on this host has interface version %d, %d is needed; "
				 "run another host kernel",
				 version, KVM_API_VERSION);
	for (size_t i = 0; i < ARRAY_SIZE(required); i++) {
		if (!check(fd, required[i].cap))
			return error_set(
				error, SOCLE_ERROR_UNSUPPORTED,
				"KVM on this host lacks %s; run a newer host kernel, or use "
				"the software engine",
				required[i].name);
	}
	*ret_fd = fd_steal(&fd);
	return true;
}

bool kvm_offer(int kvm_fd, struct cpuid_table *ret_offer, GError **error)
{
	g_autofree struct kvm_cpuid2 *cpuid =
		g_malloc0(sizeof(*cpuid) + KVM_CPUID_MAX * sizeof(cpuid->entries[0]));
	int r;

	cpuid->nent = KVM_CPUID_MAX;
	r = sys_ioctl(kvm_fd, KVM_GET_SUPPORTED_CPUID, cpuid);
	if (r < 0)
		return error_sys(error, r, "cannot ask KVM which CPU features it has");
	kvm_cpuid_to_table(cpuid, ret_offer);
	return true;
}

static bool enable_ring(struct cpu_engine *engine, unsigned entries, GError **error)
{
	struct kvm_enable_cap cap = { .cap = KVM_CAP_DIRTY_LOG_RING_ACQ_REL };
	uint64_t bytes = (uint64_t)entries * sizeof(struct kvm_dirty_gfn);
	int max = check(engine->vm_fd, KVM_CAP_DIRTY_LOG_RING_ACQ_REL), r;

	if (!max) {
		cap.cap = KVM_CAP_DIRTY_LOG_RING;
		max = check(engine->vm_fd, KVM_CAP_DIRTY_LOG_RING);
	}
	if (!max)
		return error_set(error, SOCLE_ERROR_UNSUPPORTED,
				 "KVM on this host lacks KVM_CAP_DIRTY_LOG_RING; use the bitmap");
	if (bytes > (uint64_t)max)
		return error_set(
			error, SOCLE_ERROR_LIMIT,
			"a dirty ring of %u entries is too large for KVM on this host; use "
			"at most %zu",
			entries, (size_t)max / sizeof(struct kvm_dirty_gfn));
	cap.args[0] = bytes;
	r = sys_ioctl(engine->vm_fd, KVM_ENABLE_CAP, &cap);
	if (r < 0)
		return error_sys(error, r, "cannot make dirty rings of %u entries", entries);
	engine->ring_entries = entries;
	return true;
}

/* The VM with RAM and interrupt controllers, without vCPUs. */
static bool make_vm(struct cpu_engine *engine, GError **error)
{
	uint64_t identity = IDENTITY_MAP_ADDR;
	struct kvm_enable_cap quirks = {
		.cap = KVM_CAP_DISABLE_QUIRKS,
		/* LINT0 is masked after RESET, as the manuals have it. */
		.args = { KVM_X86_QUIRK_LINT0_REENABLED },
	};
	int r = sys_ioctl_int(engine->kvm_fd, KVM_CREATE_VM, 0);

	if (r < 0)
		return error_sys(error, r, "cannot create a virtual machine with KVM");
	engine->vm_fd = r;
	r = check(engine->vm_fd, KVM_CAP_MAX_VCPUS);
	if (engine->config.cpus > (unsigned)r)
		return error_set(error, SOCLE_ERROR_LIMIT,
				 "KVM on this host runs at most %d vCPUs, %u are too many", r,
				 engine->config.cpus);
	if (wanted_ring_entries && !enable_ring(engine, wanted_ring_entries, error))
		return false;
	r = kvm_set_slots(engine, false);
	if (r < 0)
		return error_sys(error, r, "cannot give %" G_GUINT64_FORMAT " bytes of RAM to KVM",
				 mem_size(engine->config.mem));
	r = sys_ioctl(engine->vm_fd, KVM_SET_IDENTITY_MAP_ADDR, &identity);
	if (r == 0)
		r = sys_ioctl_int(engine->vm_fd, KVM_SET_TSS_ADDR, TSS_ADDR);
	if (r < 0)
		return error_sys(error, r, "cannot place KVM's own pages in the guest");
	r = sys_ioctl_int(engine->vm_fd, KVM_CREATE_IRQCHIP, 0);
	if (r < 0)
		return error_sys(error, r, "cannot make KVM's interrupt controllers");
	/* Older kernels lack the switch: then a guest finds LINT0 open, and nothing behind it. */
	r = sys_ioctl(engine->vm_fd, KVM_ENABLE_CAP, &quirks);
	if (r < 0)
		log_debug("KVM keeps LINT0 open after reset: %s", g_strerror(-r));
	return kvm_irq_init(engine, error);
}

static void kvm_close(struct cpu_engine *engine)
{
	if (!engine)
		return;
	fd_autoclose(&engine->first_fd);
	fd_autoclose(&engine->vm_fd);
	fd_autoclose(&engine->kvm_fd);
	kvm_routes_release(&engine->routes);
	pthread_mutex_destroy(&engine->msr_lock);
	pthread_mutex_destroy(&engine->routes_lock);
	pthread_mutex_destroy(&engine->ring_lock);
	g_free(engine);
}
DEFINE_AUTOPTR(cpu_engine, kvm_close);

static struct cpu_engine *kvm_open(const struct cpu_config *config, GError **error)
{
	autoptr(cpu_engine) engine = g_new0(struct cpu_engine, 1);
	int r;

	engine->sink.ops = &kvm_sink_ops;
	engine->config = *config;
	engine->kvm_fd = engine->vm_fd = engine->first_fd = -1;
	pthread_mutex_init(&engine->msr_lock, NULL);
	pthread_mutex_init(&engine->routes_lock, NULL);
	pthread_mutex_init(&engine->ring_lock, NULL);
	kvm_kick_signal_init();

	if (!kvm_open_device(&engine->kvm_fd, error) || !make_vm(engine, error))
		return NULL;
	r = sys_ioctl_int(engine->kvm_fd, KVM_GET_VCPU_MMAP_SIZE, 0);
	if (r < (int)sizeof(struct kvm_run)) {
		error_sys(error, r < 0 ? r : -EINVAL, "cannot ask KVM for the size of a vCPU");
		return NULL;
	}
	engine->run_len = (size_t)r;
	engine->has_xcrs = check(engine->kvm_fd, KVM_CAP_XCRS);
	r = check(engine->vm_fd, KVM_CAP_XSAVE2);
	engine->xsave_len = r > X86_XSAVE_SIZE ? (size_t)r : X86_XSAVE_SIZE;
	if (!kvm_offer(engine->kvm_fd, &engine->offer, error))
		return NULL;
	/* Only a vCPU can tell the frequency of the TSC, so the first one is made here. */
	engine->first_fd = kvm_vcpu_create(engine, 0, error);
	if (engine->first_fd < 0)
		return NULL;
	r = sys_ioctl_int(engine->first_fd, KVM_GET_TSC_KHZ, 0);
	if (r < 0) {
		error_sys(error, r, "cannot ask KVM for the frequency of the TSC");
		return NULL;
	}
	engine->tsc_khz = (uint32_t)r;
	return g_steal_pointer(&engine);
}

static struct irq_sink *kvm_irq_sink(struct cpu_engine *engine)
{
	return &engine->sink;
}

static uint32_t kvm_tsc_khz(struct cpu_engine *engine)
{
	return engine->tsc_khz;
}

const struct cpu_ops kvm_cpu_ops = {
	.name = "kvm",
	.open = kvm_open,
	.close = kvm_close,
	.can_run_stock = kvm_can_run_stock,
	.irq_sink = kvm_irq_sink,
	.tsc_khz = kvm_tsc_khz,
	.irqfd = kvm_irqfd,
	.notify = kvm_notify,
	.dirty_log = kvm_dirty_log,
	.dirty_fetch = kvm_dirty_fetch,
	.get_chips = kvm_get_chips,
	.set_chips = kvm_set_chips,
	.vcpu_new = kvm_vcpu_new,
	.vcpu_free = kvm_vcpu_free,
	.vcpu_run = kvm_vcpu_run,
	.vcpu_kick = kvm_vcpu_kick,
	.vcpu_nmi = kvm_vcpu_nmi,
	.vcpu_failure = kvm_vcpu_failure,
	.vcpu_get_state = kvm_vcpu_get_state,
	.vcpu_set_state = kvm_vcpu_set_state,
	.vcpu_stats = kvm_vcpu_stats,
};
