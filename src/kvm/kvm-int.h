/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * kvm-int.h - inside the KVM engine
 */
#ifndef KVM_KVM_INT_H
#define KVM_KVM_INT_H

#include <glib.h>
#include <linux/kvm.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "cpu/cpu.h"
#include "kvm/kvm.h"

enum {
	KVM_IOAPIC_LINES = 24, /* GSI 0 to 23 are the pins of the I/O APIC, then come messages */
	KVM_CPUID_MAX = 256,   /* entries of KVM_GET_SUPPORTED_CPUID that we have room for */
	KVM_FAILURE_MAX = 256, /* bytes of a sentence about a failure, with its NUL */
};

/* Words of memory for a struct kvm_msrs with n entries. */
#define MSR_ROOM(n) \
	((sizeof(struct kvm_msrs) + (n) * sizeof(struct kvm_msr_entry)) / sizeof(uint64_t))

/*
 * Which GSI carries which message: KVM lets an eventfd raise a GSI only, so each eventfd with a
 * message gets a GSI of its own.
 */
struct kvm_route {
	int fd; /* -1: free */
	uint64_t addr;
	uint32_t data;
};

struct kvm_routes {
	bool pics;      /* GSIs below 16 end at the 8259s, too */
	unsigned count; /* in msi[]; the GSI of msi[i] is KVM_IOAPIC_LINES + i */
	unsigned max;   /* what KVM allows */
	struct kvm_route *msi;
};

/* The GSI, or -EEXIST if @fd has one, or -ENOSPC. */
int kvm_routes_add(struct kvm_routes *routes, int fd, uint64_t addr, uint32_t data);
/* The GSI that @fd had, or -ENOENT. */
int kvm_routes_remove(struct kvm_routes *routes, int fd);
/* The whole table in KVM's form; g_free() it. */
struct kvm_irq_routing *kvm_routes_table(const struct kvm_routes *routes);
void kvm_routes_release(struct kvm_routes *routes);

struct cpu_engine {
	struct irq_sink sink;
	struct cpu_config config;
	int kvm_fd, vm_fd;
	size_t run_len;   /* bytes of struct kvm_run with what follows it */
	size_t xsave_len; /* bytes that KVM_SET_XSAVE reads, 4096 or more */
	bool has_xcrs;
	uint32_t tsc_khz;
	struct cpuid_table offer;

	int first_fd; /* vCPU 0 until vcpu_new() takes it, then -1 */
	struct vcpu *vcpu[CPU_MAX];

	/* MSRs that hold state and that this KVM knows; found at the first vcpu_get_state(). */
	pthread_mutex_t msr_lock; /* guards the two */
	unsigned msr_count;
	uint32_t msr[X86_MSR_MAX];

	pthread_mutex_t routes_lock; /* guards routes, and the kernel's copy of them */
	struct kvm_routes routes;

	unsigned ring_entries; /* of each vCPU's dirty ring; 0: the bitmap */
	bool dirty_log;
	pthread_mutex_t ring_lock; /* guards the rings: any vCPU may find its own full */
};

struct vcpu {
	struct cpu_engine *engine;
	unsigned index;
	int fd;
	struct kvm_run *run;        /* shared with the kernel */
	struct kvm_dirty_gfn *ring; /* NULL: no dirty ring */
	unsigned ring_next;         /* under ring_lock */
	unsigned ring_fruitless;    /* times in a row that it was full without entries to take */
	bool ran;
	atomic_int tid; /* thread inside vcpu_run(), 0 outside */
	_Atomic(uint64_t) count[CPU_STAT_COUNT], ns[CPU_STAT_COUNT];
	char failure[KVM_FAILURE_MAX];
};

/* kvm.c */
bool kvm_open_device(int *ret_fd, GError **error);
bool kvm_offer(int kvm_fd, struct cpuid_table *ret_offer, GError **error);

/* irq.c */
extern const struct irq_sink_ops kvm_sink_ops;
bool kvm_irq_init(struct cpu_engine *engine, GError **error);
int kvm_irqfd(struct cpu_engine *engine, int fd, int gsi, uint64_t msi_addr, uint32_t msi_data,
	      bool on);
int kvm_notify(struct cpu_engine *engine, const struct io_notify *notify, bool on);
int kvm_get_chips(struct cpu_engine *engine, struct cpu_chip_state *ret_state);
int kvm_set_chips(struct cpu_engine *engine, const struct cpu_chip_state *state);

/* dirty.c */
int kvm_set_slots(struct cpu_engine *engine, bool dirty_log);
int kvm_dirty_log(struct cpu_engine *engine, bool on);
int kvm_dirty_fetch(struct cpu_engine *engine, uint64_t gpa, uint64_t pages, uint64_t *bitmap);
/* [vcpu] Empty the ring that was full. false: it cannot be. */
bool kvm_ring_harvest(struct vcpu *vcpu);

/* vcpu.c */
/* A vCPU as KVM has it: its file descriptor, or -1. A number can be used once in a VM. */
int kvm_vcpu_create(struct cpu_engine *engine, unsigned index, GError **error);
struct vcpu *kvm_vcpu_new(struct cpu_engine *engine, unsigned index, GError **error);
void kvm_vcpu_free(struct vcpu *vcpu);
enum cpu_exit kvm_vcpu_run(struct vcpu *vcpu);
void kvm_vcpu_kick(struct vcpu *vcpu);
void kvm_vcpu_nmi(struct vcpu *vcpu);
const char *kvm_vcpu_failure(struct vcpu *vcpu);
void kvm_vcpu_stats(struct vcpu *vcpu, struct cpu_stats *ret_stats);
void kvm_kick_signal_init(void);
/* Let SIGUSR1 through to the calling thread from now on; *@ret_old, if not NULL, is its old mask. */
void kvm_kick_signal_unblock(sigset_t *ret_old);

/*
 * kvm_enter() - KVM_RUN, once: 0, or -errno, among them -EINTR
 *
 * sys_ioctl() goes on after EINTR, which here is the very news that we wait for.
 */
int kvm_enter(int vcpu_fd);

/* state.c */
int kvm_vcpu_get_state(struct vcpu *vcpu, struct x86_state *ret_state);
int kvm_vcpu_set_state(struct vcpu *vcpu, const struct x86_state *state);

/* convert.c: no system calls */
void kvm_cpuid_to_table(const struct kvm_cpuid2 *from, struct cpuid_table *to);
void kvm_cpuid_from_table(const struct cpuid_table *from, struct kvm_cpuid2 *to);
void kvm_segment_get(const struct kvm_segment *from, struct x86_segment *to);
void kvm_segment_set(const struct x86_segment *from, struct kvm_segment *to);
void kvm_events_get(const struct kvm_vcpu_events *from, uint32_t mp_state, struct x86_state *to);
void kvm_events_set(const struct x86_state *from, struct kvm_vcpu_events *to,
		    uint32_t *ret_mp_state);
bool kvm_msr_is_state(uint32_t msr);
/* The local APIC's page for KVM: @state's, with the ID that this vCPU has. */
void kvm_lapic_set(const struct x86_state *state, unsigned index, struct kvm_lapic_state *to);
/* One sentence about the exit in @run, which is none that the guest can go on after. */
void kvm_describe_exit(const struct kvm_run *run, unsigned index, uint64_t rip,
		       char text[KVM_FAILURE_MAX]);

/* probe.c */
bool kvm_can_run_stock(GError **error);

#endif
