/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vcpu.c - vCPUs of the KVM engine: the run loop, kicks, counters
 *
 * A kick sets run->immediate_exit, which makes KVM_RUN return -EINTR before it enters the guest,
 * and sends SIGUSR1 to a thread that may be in there already.
 *  (1) vcpu_run() stores tid before it enters, the kicker sets immediate_exit before it loads tid:
 *      so either the signal is sent or KVM_RUN sees the flag.
 *  (2) Only -EINTR takes the flag back, and the exit of that time is CPU_EXIT_KICKED. A signal that
 *      comes late finds the flag clear, and the loop goes on.
 *  (3) An access of the guest is handed to its device and then completed by the next KVM_RUN, which
 *      comes before the loop ends: a kick ends in KVM_RUN only. So the state of a vCPU that does not
 *      run is always one between two instructions, as vcpu_get_state() needs it.
 */
#include <errno.h>
#include <linux/kvm.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/sys.h"
#include "base/thread.h"
#include "kvm/kvm-int.h"

/* ---- life ---- */

int kvm_vcpu_create(struct cpu_engine *engine, unsigned index, GError **error)
{
	int fd = sys_ioctl_int(engine->vm_fd, KVM_CREATE_VCPU, index);

	if (fd >= 0)
		return fd;
	error_sys(error, fd, "cannot create vCPU %u with KVM", index);
	return -1;
}

static int set_cpuid(struct vcpu *vcpu)
{
	const struct cpu_engine *engine = vcpu->engine;
	const struct cpu_topology topology = {
		.cpu = vcpu->index,
		.cpus = engine->config.cpus,
		.tsc_khz = engine->tsc_khz,
	};
	g_autofree struct cpuid_table *table = g_new0(struct cpuid_table, 1);
	g_autofree struct kvm_cpuid2 *cpuid =
		g_malloc0(sizeof(*cpuid) + CPUID_MAX_LEAVES * sizeof(cpuid->entries[0]));

	cpu_model_cpuid(engine->config.model, &engine->offer, &topology, table);
	kvm_cpuid_from_table(table, cpuid);
	return sys_ioctl(vcpu->fd, KVM_SET_CPUID2, cpuid);
}

static int map_vcpu(struct vcpu *vcpu)
{
	const struct cpu_engine *engine = vcpu->engine;
	int prot = PROT_READ | PROT_WRITE, r;
	void *p;

	r = sys_mmap(&p, engine->run_len, prot, MAP_SHARED, vcpu->fd, 0);
	if (r < 0)
		return r;
	vcpu->run = p;
	if (!engine->ring_entries)
		return 0;
	r = sys_mmap(&p, engine->ring_entries * sizeof(struct kvm_dirty_gfn), prot, MAP_SHARED,
		     vcpu->fd, (off_t)KVM_DIRTY_LOG_PAGE_OFFSET * MEM_PAGE_SIZE);
	if (r < 0)
		return r;
	vcpu->ring = p;
	return 0;
}

DEFINE_AUTOPTR(vcpu, kvm_vcpu_free);

struct vcpu *kvm_vcpu_new(struct cpu_engine *engine, unsigned index, GError **error)
{
	autoptr(vcpu) vcpu = g_new0(struct vcpu, 1);
	int r;

	vcpu->engine = engine;
	vcpu->index = index;
	if (index == 0 && engine->first_fd >= 0)
		vcpu->fd = fd_steal(&engine->first_fd);
	else
		vcpu->fd = kvm_vcpu_create(engine, index, error);
	if (vcpu->fd < 0)
		return NULL;
	r = map_vcpu(vcpu);
	if (r < 0) {
		error_sys(error, r, "cannot map vCPU %u of KVM", index);
		return NULL;
	}
	r = set_cpuid(vcpu);
	if (r < 0) {
		error_sys(error, r, "KVM refuses the CPU model for vCPU %u", index);
		return NULL;
	}
	engine->vcpu[index] = vcpu;
	return g_steal_pointer(&vcpu);
}

void kvm_vcpu_free(struct vcpu *vcpu)
{
	if (!vcpu)
		return;
	if (vcpu->engine->vcpu[vcpu->index] == vcpu)
		vcpu->engine->vcpu[vcpu->index] = NULL;
	if (vcpu->ring)
		sys_munmap(vcpu->ring, vcpu->engine->ring_entries * sizeof(*vcpu->ring));
	if (vcpu->run)
		sys_munmap(vcpu->run, vcpu->engine->run_len);
	fd_autoclose(&vcpu->fd);
	g_free(vcpu);
}

/* ---- kicks ---- */

/* The vCPU that this thread is running. */
static _Thread_local const struct vcpu *running;

static void on_kick(int sig)
{
	(void)sig;
}

void kvm_kick_signal_init(void)
{
	struct sigaction action = { .sa_handler = on_kick, .sa_flags = SA_RESTART };

	(void)sigaction(SIGUSR1, &action, NULL);
}

void kvm_kick_signal_unblock(sigset_t *ret_old)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	pthread_sigmask(SIG_UNBLOCK, &set, ret_old);
}

/* Byte shared with the kernel. */
DATA_PATH static _Atomic(uint8_t) *exit_flag(const struct vcpu *vcpu)
{
	return (_Atomic(uint8_t) *)&vcpu->run->immediate_exit;
}

DATA_PATH void kvm_vcpu_kick(struct vcpu *vcpu)
{
	int tid;

	atomic_store(exit_flag(vcpu), 1);
	tid = atomic_load(&vcpu->tid);
	/* A device that kicks the vCPU which calls it needs no signal: KVM_RUN comes next. */
	if (tid && running != vcpu)
		(void)tgkill(getpid(), tid, SIGUSR1);
}

/* An ioctl on the vCPU would wait for the end of KVM_RUN, a message does not. */
DATA_PATH void kvm_vcpu_nmi(struct vcpu *vcpu)
{
	enum {
		DELIVER_NMI = 4 << 8
	};

	irq_send_msi(&vcpu->engine->sink, 0xfee00000u | vcpu->index << 12, DELIVER_NMI);
}

/* ---- exits ---- */

DATA_PATH static void count(struct vcpu *vcpu, enum cpu_stat stat, uint64_t ns)
{
	/* One writer: no need for an atomic addition. */
	uint64_t n = atomic_load_explicit(&vcpu->count[stat], memory_order_relaxed);
	uint64_t sum = atomic_load_explicit(&vcpu->ns[stat], memory_order_relaxed);

	atomic_store_explicit(&vcpu->count[stat], n + 1, memory_order_relaxed);
	atomic_store_explicit(&vcpu->ns[stat], sum + ns, memory_order_relaxed);
}

DATA_PATH static void access_one(struct io_space *space, uint64_t addr, unsigned size,
				 uint8_t *data, bool write)
{
	uint64_t value = 0;

	if (write) {
		memcpy(&value, data, size);
		io_write(space, addr, size, value);
	} else {
		value = io_read(space, addr, size);
		memcpy(data, &value, size);
	}
}

/* String instructions come as one exit with a count. */
DATA_PATH static void handle_pio(struct vcpu *vcpu)
{
	struct kvm_run *run = vcpu->run;
	uint8_t *data = (uint8_t *)run + run->io.data_offset;

	for (uint32_t i = 0; i < run->io.count; i++, data += run->io.size)
		access_one(vcpu->engine->config.pio, run->io.port, run->io.size, data,
			   run->io.direction == KVM_EXIT_IO_OUT);
}

/* What crosses a page comes in two pieces, of 3 and 1 bytes for example: devices know 1, 2, 4, 8. */
DATA_PATH static void handle_mmio(struct vcpu *vcpu)
{
	struct kvm_run *run = vcpu->run;
	uint64_t addr = run->mmio.phys_addr;
	uint8_t *data = run->mmio.data;
	unsigned len = run->mmio.len;

	if (len > sizeof(run->mmio.data))
		return;
	while (len) {
		unsigned size = 8;

		while (size > len || (size != len && (addr & (size - 1))))
			size /= 2;
		access_one(vcpu->engine->config.mmio, addr, size, data, run->mmio.is_write);
		addr += size;
		data += size;
		len -= size;
	}
}

DATA_PATH static void timed(struct vcpu *vcpu, enum cpu_stat stat, void (*handle)(struct vcpu *))
{
	uint64_t start = sys_monotonic_ns();

	handle(vcpu);
	count(vcpu, stat, sys_monotonic_ns() - start);
}

static enum cpu_exit fail_exit(struct vcpu *vcpu)
{
	struct kvm_regs regs = { 0 };

	(void)sys_ioctl(vcpu->fd, KVM_GET_REGS, &regs);
	kvm_describe_exit(vcpu->run, vcpu->index, regs.rip, vcpu->failure);
	return CPU_EXIT_FAILED;
}

static enum cpu_exit fail_run(struct vcpu *vcpu, int err)
{
	g_snprintf(vcpu->failure, sizeof(vcpu->failure), "KVM cannot run vCPU %u: %s", vcpu->index,
		   g_strerror(-err));
	return CPU_EXIT_FAILED;
}

static enum cpu_exit fail_ring(struct vcpu *vcpu)
{
	g_snprintf(vcpu->failure, sizeof(vcpu->failure),
		   "KVM has overrun the dirty ring of vCPU %u; log dirty pages by bitmap",
		   vcpu->index);
	return CPU_EXIT_FAILED;
}

/* CPU_EXIT_COUNT: go on. */
DATA_PATH static enum cpu_exit handle_exit(struct vcpu *vcpu)
{
	switch (vcpu->run->exit_reason) {
	case KVM_EXIT_IO:
		timed(vcpu, CPU_STAT_PIO, handle_pio);
		return CPU_EXIT_COUNT;
	case KVM_EXIT_MMIO:
		timed(vcpu, CPU_STAT_MMIO, handle_mmio);
		return CPU_EXIT_COUNT;
	case KVM_EXIT_DIRTY_RING_FULL:
		count(vcpu, CPU_STAT_OTHER, 0);
		return kvm_ring_harvest(vcpu) ? CPU_EXIT_COUNT : fail_ring(vcpu);
	case KVM_EXIT_HLT: /* the next two only without KVM's interrupt controllers */
	case KVM_EXIT_IRQ_WINDOW_OPEN:
	case KVM_EXIT_SET_TPR:
	case KVM_EXIT_INTR:
		count(vcpu, CPU_STAT_OTHER, 0);
		return CPU_EXIT_COUNT;
	case KVM_EXIT_SHUTDOWN:
		count(vcpu, CPU_STAT_OTHER, 0);
		return CPU_EXIT_SHUTDOWN;
	default:
		count(vcpu, CPU_STAT_OTHER, 0);
		return fail_exit(vcpu);
	}
}

DATA_PATH int kvm_enter(int vcpu_fd)
{
	long r = __NR_ioctl;

	__asm__ volatile("syscall"
			 : "+a"(r)
			 : "D"((long)vcpu_fd), "S"((long)KVM_RUN), "d"(0L)
			 : "rcx", "r11", "memory");
	return (int)r;
}

DATA_PATH static enum cpu_exit run_loop(struct vcpu *vcpu)
{
	for (;;) {
		int r = kvm_enter(vcpu->fd);
		enum cpu_exit why;

		if (r == -EINTR) {
			if (!atomic_exchange(exit_flag(vcpu), 0))
				continue;
			count(vcpu, CPU_STAT_KICK, 0);
			return CPU_EXIT_KICKED;
		}
		/* A vCPU that waits for its INIT comes back so when it has it. */
		if (r == -EAGAIN)
			continue;
		if (r < 0)
			return fail_run(vcpu, r);
		why = handle_exit(vcpu);
		if (why != CPU_EXIT_COUNT)
			return why;
	}
}

enum cpu_exit kvm_vcpu_run(struct vcpu *vcpu)
{
	static _Thread_local bool unblocked;
	enum cpu_exit why;

	if (!unblocked) {
		kvm_kick_signal_unblock(NULL);
		unblocked = true;
	}
	/* The guest may have been stopped for long: its watchdogs shall not bark. Fails, and does
	 * not matter, if the guest has no kvmclock. */
	if (vcpu->ran)
		(void)sys_ioctl_int(vcpu->fd, KVM_KVMCLOCK_CTRL, 0);
	vcpu->ran = true;
	running = vcpu;
	atomic_store(&vcpu->tid, thread_id_self());
	why = run_loop(vcpu);
	atomic_store(&vcpu->tid, 0);
	running = NULL;
	return why;
}

const char *kvm_vcpu_failure(struct vcpu *vcpu)
{
	return vcpu->failure;
}

void kvm_vcpu_stats(struct vcpu *vcpu, struct cpu_stats *ret_stats)
{
	*ret_stats = (struct cpu_stats){ 0 };
	for (unsigned i = 0; i < CPU_STAT_COUNT; i++) {
		ret_stats->count[i] = atomic_load_explicit(&vcpu->count[i], memory_order_relaxed);
		ret_stats->ns[i] = atomic_load_explicit(&vcpu->ns[i], memory_order_relaxed);
	}
}
