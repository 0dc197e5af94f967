/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cpu.h - the engine seam: what runs vCPUs, and what it needs and gives
 *
 * Two engines stand behind it, KVM and our software engine, and tests bring a scripted third. The
 * machine gets a const struct cpu_ops * and cannot tell which. An engine owns the interrupt
 * controllers (local APICs, I/O APIC), HLT, timers of the local APIC, the TSC, CPUID and MSRs. It
 * sends I/O of the guest straight to the two io_spaces of its configuration, on the vCPU's thread.
 *
 * Life: engine_open, RAM is in mem already -> vcpu_new for each -> set_state -> vcpu_run in a
 * thread each -> all returned -> vcpu_free -> close.
 *
 * Threads: engine-wide calls come from the main loop unless said otherwise. vcpu_run and the calls
 * marked [vcpu] come from the vCPU's own thread, or from another one while it is certain that
 * vcpu_run is not executing. [any] = any thread, at any time.
 */
#ifndef CPU_CPU_H
#define CPU_CPU_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "bus/idle.h"
#include "bus/io.h"
#include "bus/irq.h"
#include "bus/notify.h"
#include "cpu/model.h"
#include "cpu/state.h"
#include "mem/mem.h"

struct cpu_engine;
struct vcpu;

enum {
	CPU_MAX = 255
};

/* Why vcpu_run() came back. */
enum cpu_exit {
	CPU_EXIT_KICKED,   /* vcpu_kick(), or a request that the run loop must serve */
	CPU_EXIT_SHUTDOWN, /* triple fault */
	CPU_EXIT_FAILED,   /* the engine cannot go on: vcpu_failure() tells why */
	CPU_EXIT_COUNT,
};

/* Reasons for which guest execution was interrupted, for statistics. */
enum cpu_stat {
	CPU_STAT_PIO,
	CPU_STAT_MMIO,
	CPU_STAT_HLT,
	CPU_STAT_MSR,
	CPU_STAT_CPUID,
	CPU_STAT_INTERRUPT, /* external interrupts delivered */
	CPU_STAT_EXCEPTION, /* exceptions delivered to the guest */
	CPU_STAT_TLB_FILL,
	CPU_STAT_DECODE, /* blocks decoded */
	CPU_STAT_SMC,    /* blocks thrown away because code was written */
	CPU_STAT_KICK,
	CPU_STAT_OTHER,
	CPU_STAT_COUNT,
};

extern const char *const cpu_stat_names[CPU_STAT_COUNT];

struct cpu_stats {
	uint64_t count[CPU_STAT_COUNT];
	uint64_t ns[CPU_STAT_COUNT]; /* time spent on it, 0 where the engine does not measure */
	uint64_t instructions;       /* executed by the software engine; 0 for KVM */
};

struct cpu_config {
	unsigned cpus; /* 1 to CPU_MAX */
	const struct cpu_model *model;
	struct mem *mem;             /* with all RAM regions added */
	struct io_space *pio, *mmio; /* what is neither RAM nor an APIC goes to mmio */
	struct io_idle *idle;        /* to be told of halted vCPUs; or NULL */
	/* Two 8259s as in a PC before the APIC, behind LINT0 of all vCPUs: GSIs below 16 end there,
	 * too, and GSI 0 at the I/O APIC's pin 2 instead of 0. */
	bool pics;
};

/* One of the 8259s. */
struct cpu_pic_state {
	uint8_t lines; /* levels of the wires */
	uint8_t irr, imr, isr;
	uint8_t first; /* the input that is most urgent */
	uint8_t base;  /* vector of input 0 */
	uint8_t step;  /* of the initialization: which word comes next less 1, 0: none */
	uint8_t elcr;  /* inputs that are level-triggered */
	bool read_isr, poll, special_mask, auto_eoi, rotate, special_nested;
	bool single, icw4; /* what the first word of the initialization said */
};

/* The state of the I/O APIC, the 8259s and the guest's clock: the part of an engine that is no vCPU's. */
struct cpu_chip_state {
	uint32_t ioapic_id, ioapic_select;
	uint64_t ioapic_redir[24];
	uint32_t ioapic_irr;
	uint64_t clock_ns;           /* guest's kvmclock */
	struct cpu_pic_state pic[2]; /* zeros without them */
};

struct cpu_ops {
	const char *name; /* "kvm", "emu" */

	/* Make an engine, or say why this host cannot. The configuration is copied. */
	struct cpu_engine *(*open)(const struct cpu_config *config, GError **error);
	void (*close)(struct cpu_engine *engine); /* NULL is fine; its vCPUs are freed already */

	/*
	 * Can it run a stock kernel? true; or false with the reason: SOCLE_ERROR_UNSUPPORTED if it
	 * can run code of our own, another error if nothing at all. Told apart by trying: a few
	 * instructions that stock kernels need are run in a scratch guest.
	 */
	bool (*can_run_stock)(GError **error);

	/* Where interrupts of devices go. Never NULL, lives as long as the engine. */
	struct irq_sink *(*irq_sink)(struct cpu_engine *engine);
	uint32_t (*tsc_khz)(struct cpu_engine *engine);

	/* A signalled eventfd raises an interrupt: @gsi >= 0 a line (edge), else the message.
	 * -EOPNOTSUPP: the engine has no such thing, use the sink instead. A negative @on fd
	 * is invalid. */
	int (*irqfd)(struct cpu_engine *engine, int fd, int gsi, uint64_t msi_addr,
		     uint32_t msi_data, bool on);
	/* Add or take away a notification. 0 or -errno. @notify must live until taken away. */
	int (*notify)(struct cpu_engine *engine, const struct io_notify *notify, bool on);

	/* Start or stop logging which pages vCPUs write; implies mem_dirty_log(). */
	int (*dirty_log)(struct cpu_engine *engine, bool on);
	/* As mem_dirty_fetch(), for what vCPUs and devices wrote. */
	int (*dirty_fetch)(struct cpu_engine *engine, uint64_t gpa, uint64_t pages,
			   uint64_t *bitmap);

	/* vCPUs are paused: */
	int (*get_chips)(struct cpu_engine *engine, struct cpu_chip_state *ret_state);
	int (*set_chips)(struct cpu_engine *engine, const struct cpu_chip_state *state);

	/* vCPU @index; in the state after RESET, vCPUs other than 0 wait for a SIPI. */
	struct vcpu *(*vcpu_new)(struct cpu_engine *engine, unsigned index, GError **error);
	void (*vcpu_free)(struct vcpu *vcpu);

	/* [vcpu] Execute until there is a reason to come back. Signals must not be needed by the
	 * caller: SIGUSR1 belongs to the engine. */
	enum cpu_exit (*vcpu_run)(struct vcpu *vcpu);
	/* [any] Let vcpu_run() return CPU_EXIT_KICKED soon, or at once when it is called next. */
	void (*vcpu_kick)(struct vcpu *vcpu);
	/* [any] A non-maskable interrupt. */
	void (*vcpu_nmi)(struct vcpu *vcpu);
	/* [vcpu] After CPU_EXIT_FAILED: one sentence. Lives until the next run. */
	const char *(*vcpu_failure)(struct vcpu *vcpu);

	/* [vcpu] All of it, or -errno and nothing changed (as far as the engine can promise). */
	int (*vcpu_get_state)(struct vcpu *vcpu, struct x86_state *ret_state);
	int (*vcpu_set_state)(struct vcpu *vcpu, const struct x86_state *state);
	/* [any] Counters so far; values may be a moment old. */
	void (*vcpu_stats)(struct vcpu *vcpu, struct cpu_stats *ret_stats);
};

#endif
