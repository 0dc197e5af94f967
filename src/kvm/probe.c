/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * probe.c - can KVM on this host run a stock kernel? Tried, not looked up.
 *
 * Some KVMs have neither VMX nor SVM below them: the host's kernel then emulates what a guest does
 * in ring 0, and knows only part of it. So a scratch VM with one vCPU is put in long mode, as a
 * kernel would set it up, and executes what no stock kernel goes without. Where it stands is kept
 * in a byte of its memory, so the instruction that failed can be named. With VMX or SVM this takes
 * less than a millisecond of guest time; a watchdog ends what spins.
 */
#include <errno.h>
#include <linux/kvm.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "base/bytes.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "base/sys.h"
#include "base/thread.h"
#include "cpu/msr.h"
#include "kvm/kvm-int.h"

#ifndef sigev_notify_thread_id /* glibc before 2.37 has the member, but not its name */
#define sigev_notify_thread_id _sigev_un._tid
#endif

/* The scratch guest's memory, identity mapped by one large page. */
enum {
	GDT = 0x0000,
	PML4 = 0x1000,
	PDPT = 0x2000,
	PD = 0x3000,
	IDT = 0x4000,
	INT3_GATE = IDT + 3 * 16,
	TSS = 0x5000,
	STACK = 0x7000, /* grows down */
	CODE = 0x8000,
	STEP = 0x9000, /* the byte with the number of the step */
	MEMORY = 0xa000,
};

enum {
	SEL_CODE0 = 0x08,
	SEL_DATA0 = 0x10, /* and from here on in the order that SYSRET demands */
	SEL_DATA3 = 0x18,
	SEL_CODE3 = 0x20,
	SEL_TSS = 0x28,
	GDT_LEN = 0x38,
};

enum {
	DONE_PORT = 0x80
};

/* Bits of %edi for the code below. */
enum {
	HAS_POPCNT = 1,
	HAS_XSAVE = 2,
	HAS_RDTSCP = 4
};

/* What the guest was about to do when its step byte had this value. */
static const char *const step_names[] = {
	"mov", "int3", "addps", "popcnt", "xgetbv", "rdtscp", "sysretq", "syscall", "iretq", "out",
};

/* Position independent. %rbx: the step byte. */
__asm__(".pushsection .rodata\n"
	"kvm_probe_code:\n"
	"	movl $0x9000, %ebx\n"
	"	movb $1, (%rbx)\n"
	"	int3\n"
	"	movb $2, (%rbx)\n"
	"	xorps %xmm0, %xmm0\n"
	"	addps %xmm0, %xmm0\n"
	"	testb $1, %dil\n"
	"	jz 1f\n"
	"	movb $3, (%rbx)\n"
	"	popcntq %rbx, %rax\n"
	"1:	testb $2, %dil\n"
	"	jz 1f\n"
	"	movb $4, (%rbx)\n"
	"	xorl %ecx, %ecx\n"
	"	xgetbv\n"
	"1:	testb $4, %dil\n"
	"	jz 1f\n"
	"	movb $5, (%rbx)\n"
	"	rdtscp\n"
	"1:	movb $6, (%rbx)\n"
	"	leaq 2f(%rip), %rcx\n"
	"	movl $2, %r11d\n"
	"	sysretq\n"
	"2:	movb $7, (%rbx)\n" /* ring 3 */
	"	syscall\n"
	"kvm_probe_syscall:\n" /* ring 0 again */
	"	movb $8, (%rbx)\n"
	"	movl $0x7000, %eax\n"
	"	pushq $0x10\n"
	"	pushq %rax\n"
	"	pushq $2\n"
	"	pushq $0x08\n"
	"	leaq 3f(%rip), %rax\n"
	"	pushq %rax\n"
	"	iretq\n"
	"3:	movb $9, (%rbx)\n"
	"	outb %al, $0x80\n"
	"4:	hlt\n"
	"	jmp 4b\n"
	"kvm_probe_int3:\n"
	"	iretq\n"
	"kvm_probe_end:\n"
	".popsection\n");

extern const uint8_t kvm_probe_code[], kvm_probe_syscall[], kvm_probe_int3[], kvm_probe_end[];

struct probe {
	int kvm_fd, vm_fd, vcpu_fd;
	uint8_t *mem;
	struct kvm_run *run;
	size_t run_len;
	unsigned features;
};

static void probe_release(struct probe *probe)
{
	if (probe->run)
		sys_munmap(probe->run, probe->run_len);
	fd_autoclose(&probe->vcpu_fd);
	fd_autoclose(&probe->vm_fd);
	fd_autoclose(&probe->kvm_fd);
	if (probe->mem)
		sys_munmap(probe->mem, MEMORY);
}

/* Where a label of the code is in the guest. */
static uint64_t guest_address(const uint8_t *label)
{
	return CODE + (uint64_t)((uintptr_t)label - (uintptr_t)kvm_probe_code);
}

static void fill_memory(uint8_t *mem)
{
	uint64_t int3_at = guest_address(kvm_probe_int3);

	put_le64(mem + GDT + SEL_CODE0, 0x00af9b000000ffff);
	put_le64(mem + GDT + SEL_DATA0, 0x00cf93000000ffff);
	put_le64(mem + GDT + SEL_DATA3, 0x00cff3000000ffff);
	put_le64(mem + GDT + SEL_CODE3, 0x00affb000000ffff);
	put_le64(mem + GDT + SEL_TSS, 0x00008b0000000067ull | (uint64_t)TSS << 16);
	put_le64(mem + PML4, PDPT | 7);
	put_le64(mem + PDPT, PD | 7);
	put_le64(mem + PD, 0xe7); /* 2 MiB at 0 for user and kernel, accessed and dirty */
	/* Gate of vector 3: interrupt gate, DPL 3. The handler lies below 64 KiB. */
	put_le64(mem + INT3_GATE, int3_at | (uint64_t)SEL_CODE0 << 16 | 0xee00ull << 32);
	put_le64(mem + TSS + 4, STACK);
	memcpy(mem + CODE, kvm_probe_code, (size_t)(guest_address(kvm_probe_end) - CODE));
}

static int set_cpuid(struct probe *probe, GError **error)
{
	g_autofree struct cpuid_table *offer = g_new0(struct cpuid_table, 1);
	g_autofree struct kvm_cpuid2 *cpuid =
		g_malloc0(sizeof(*cpuid) + CPUID_MAX_LEAVES * sizeof(cpuid->entries[0]));
	int r;

	if (!kvm_offer(probe->kvm_fd, offer, error))
		return -EINVAL;
	for (unsigned i = 0; i < offer->count; i++) {
		const struct cpuid_leaf *leaf = &offer->leaf[i];

		if (leaf->leaf == 1 && leaf->ecx & 1u << 23)
			probe->features |= HAS_POPCNT;
		if (leaf->leaf == 1 && leaf->ecx & 1u << 26)
			probe->features |= HAS_XSAVE;
		if (leaf->leaf == 0x80000001 && leaf->edx & 1u << 27)
			probe->features |= HAS_RDTSCP;
	}
	kvm_cpuid_from_table(offer, cpuid);
	r = sys_ioctl(probe->vcpu_fd, KVM_SET_CPUID2, cpuid);
	if (r < 0)
		error_sys(error, r, "KVM refuses its own CPU features");
	return r;
}

static int set_syscall_msrs(struct probe *probe)
{
	uint64_t room[MSR_ROOM(3)] = { 0 };
	struct kvm_msrs *msrs = (struct kvm_msrs *)room;
	int r;

	msrs->nmsrs = 3;
	msrs->entries[0] = (struct kvm_msr_entry){
		.index = MSR_STAR,
		.data = (uint64_t)SEL_CODE0 << 32 | (uint64_t)SEL_DATA0 << 48,
	};
	msrs->entries[1] = (struct kvm_msr_entry){
		.index = MSR_LSTAR,
		.data = guest_address(kvm_probe_syscall),
	};
	msrs->entries[2] = (struct kvm_msr_entry){
		.index = MSR_SYSCALL_MASK,
		.data = RFLAGS_IF | RFLAGS_TF,
	};
	r = sys_ioctl(probe->vcpu_fd, KVM_SET_MSRS, msrs);
	if (r < 0)
		return r;
	return r == 3 ? 0 : -EINVAL;
}

/* Long mode, ring 0, interrupts off, as a kernel has it. */
static int set_registers(struct probe *probe)
{
	struct kvm_segment code = {
		.limit = 0xffffffff,
		.selector = SEL_CODE0,
		.type = 11,
		.s = 1,
		.present = 1,
		.l = 1,
		.g = 1,
	};
	struct kvm_segment data = {
		.limit = 0xffffffff,
		.selector = SEL_DATA0,
		.type = 3,
		.s = 1,
		.present = 1,
		.db = 1,
		.g = 1,
	};
	struct kvm_regs regs = {
		.rip = CODE,
		.rsp = STACK,
		.rflags = RFLAGS_1,
		.rdi = probe->features,
	};
	struct kvm_sregs sregs;
	int r = sys_ioctl(probe->vcpu_fd, KVM_GET_SREGS, &sregs);

	if (r < 0)
		return r;
	sregs.cs = code;
	sregs.ds = sregs.es = sregs.ss = data;
	sregs.tr = (struct kvm_segment){
		.base = TSS,
		.limit = 0x67,
		.selector = SEL_TSS,
		.type = 11,
		.present = 1,
	};
	sregs.gdt = (struct kvm_dtable){ .base = GDT, .limit = GDT_LEN - 1 };
	sregs.idt = (struct kvm_dtable){ .base = IDT, .limit = 0xfff };
	sregs.cr0 = CR0_PE | CR0_MP | CR0_ET | CR0_NE | CR0_WP | CR0_PG;
	sregs.cr3 = PML4;
	sregs.cr4 = CR4_PAE | CR4_OSFXSR | CR4_OSXMMEXCPT |
		    (probe->features & HAS_XSAVE ? CR4_OSXSAVE : 0);
	sregs.efer = EFER_SCE | EFER_LME | EFER_LMA;
	r = sys_ioctl(probe->vcpu_fd, KVM_SET_SREGS, &sregs);
	if (r == 0)
		r = sys_ioctl(probe->vcpu_fd, KVM_SET_REGS, &regs);
	return r < 0 ? r : set_syscall_msrs(probe);
}

static int make_vm(struct probe *probe)
{
	struct kvm_userspace_memory_region slot = { .memory_size = MEMORY };
	void *p;
	int r = sys_mmap(&p, MEMORY, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (r < 0)
		return r;
	probe->mem = p;
	fill_memory(probe->mem);
	slot.userspace_addr = (uintptr_t)p;
	r = probe->vm_fd = sys_ioctl_int(probe->kvm_fd, KVM_CREATE_VM, 0);
	if (r >= 0)
		r = sys_ioctl(probe->vm_fd, KVM_SET_USER_MEMORY_REGION, &slot);
	if (r >= 0)
		r = probe->vcpu_fd = sys_ioctl_int(probe->vm_fd, KVM_CREATE_VCPU, 0);
	if (r >= 0)
		r = sys_ioctl_int(probe->kvm_fd, KVM_GET_VCPU_MMAP_SIZE, 0);
	if (r < 0)
		return r;
	probe->run_len = (size_t)r;
	r = sys_mmap(&p, probe->run_len, PROT_READ | PROT_WRITE, MAP_SHARED, probe->vcpu_fd, 0);
	if (r == 0)
		probe->run = p;
	return r;
}

/* ---- the run, under a watchdog ---- */

enum {
	TICK_MS = 50,
	CPU_LIMIT_MS = 200,
	WALL_LIMIT_MS = 2000
};

static uint64_t cpu_ms(void)
{
	struct timespec ts = { 0 };

	(void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/*
 * KVM_RUN until it comes back by itself: 0 or -errno; -ETIME if it does not. The limit is on CPU
 * time, so that a busy host gives no wrong answer.
 */
static int run_limited(struct probe *probe)
{
	const struct itimerspec tick = {
		.it_interval.tv_nsec = TICK_MS * 1000000l,
		.it_value.tv_nsec = TICK_MS * 1000000l,
	};
	struct sigevent event = { .sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGUSR1 };
	uint64_t wall = sys_monotonic_ns() / 1000000, cpu = cpu_ms();
	sigset_t old;
	timer_t timer;
	int r;

	event.sigev_notify_thread_id = thread_id_self();
	kvm_kick_signal_init();
	kvm_kick_signal_unblock(&old);
	if (timer_create(CLOCK_MONOTONIC, &event, &timer) < 0) {
		pthread_sigmask(SIG_SETMASK, &old, NULL);
		return -EAGAIN;
	}
	(void)timer_settime(timer, 0, &tick, NULL);
	do {
		r = kvm_enter(probe->vcpu_fd);
		if (r == -EINTR && (cpu_ms() - cpu >= CPU_LIMIT_MS ||
				    sys_monotonic_ns() / 1000000 - wall >= WALL_LIMIT_MS))
			r = -ETIME;
	} while (r == -EINTR);
	(void)timer_delete(timer);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return r;
}

static bool try_guest(struct probe *probe, GError **error)
{
	const char *step;
	int r = run_limited(probe);

	step = step_names[MIN(probe->mem[STEP], ARRAY_SIZE(step_names) - 1)];
	if (r == -ETIME)
		return error_set(error, SOCLE_ERROR_UNSUPPORTED,
				 "KVM on this host does not come to an end with '%s' of a guest "
				 "kernel (no VMX or SVM)",
				 step);
	if (r < 0)
		return error_sys(error, r, "KVM on this host cannot run a trial guest");
	if (probe->run->exit_reason == KVM_EXIT_IO && probe->run->io.port == DONE_PORT)
		return true;
	return error_set(error, SOCLE_ERROR_UNSUPPORTED,
			 "KVM on this host cannot execute '%s' of a guest kernel (no VMX or SVM)",
			 step);
}

bool kvm_can_run_stock(GError **error)
{
	struct probe probe = { .kvm_fd = -1, .vm_fd = -1, .vcpu_fd = -1 };
	bool ok = false;
	int r;

	if (!kvm_open_device(&probe.kvm_fd, error))
		return false;
	r = make_vm(&probe);
	if (r < 0) {
		error_sys(error, r, "cannot create a trial guest with KVM");
		goto out;
	}
	if (set_cpuid(&probe, error) < 0)
		goto out;
	r = set_registers(&probe);
	if (r < 0) {
		error_sys(error, r, "KVM on this host refuses the state of a 64-bit kernel");
		goto out;
	}
	ok = try_guest(&probe, error);
out:
	probe_release(&probe);
	return ok;
}
