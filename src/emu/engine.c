/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * engine.c - the software engine behind the seam: machines, vCPUs, the run loop
 *
 * vcpu_run() is a loop around blocks. A block comes back to it when something is pending, when its
 * last instruction may have changed the mode or what may interrupt, and after every instruction
 * while single-stepping. In between, blocks jump to each other without it.
 *
 * Faults leave the middle of a handler by longjmp() to the loop, which delivers them.
 *
 * The guest's TSC counts nanoseconds of CLOCK_MONOTONIC (plus an offset): 1 GHz, told by CPUID, the
 * same on every host, nothing to calibrate.
 */
#include "emu/emu.h"

#include <errno.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "base/error.h"
#include "base/sys.h"
#include "emu/clock.h"
#include "emu/emu-int.h"

enum {
	TSC_KHZ = 1000000,
	PAUSES = 256
};

/* ---- what others do to a vCPU ---- */

/* Said by the one who wakes the vCPU: until it runs, it would look as if it still waited. */
static void waits_no_more(struct vcpu *v)
{
	if (atomic_exchange(&v->waits, false))
		io_idle_end(v->engine->config.idle);
}

void emu_pend(struct vcpu *v, uint32_t bits)
{
	uint32_t old = atomic_fetch_or(&v->pending, bits);

	if ((old & bits) == bits || !atomic_load(&v->sleeping))
		return;
	pthread_mutex_lock(&v->req_lock);
	/* It may have seen the bits by now, and wait anew. */
	if (atomic_load(&v->pending))
		waits_no_more(v);
	pthread_cond_signal(&v->wake);
	pthread_mutex_unlock(&v->req_lock);
}

static void vcpu_kick(struct vcpu *v)
{
	emu_pend(v, PEND_KICK);
}

void emu_split_lock(struct vcpu *v)
{
	/* The holder may be waiting for us in a handshake. */
	while (pthread_mutex_trylock(&v->engine->split_lock) != 0) {
		if (atomic_load(&v->pending) & PEND_REQ)
			emu_serve_requests(v);
		sched_yield();
	}
	v->split_held = true;
}

void emu_split_unlock(struct vcpu *v)
{
	v->split_held = false;
	pthread_mutex_unlock(&v->engine->split_lock);
}

/* ---- the local APIC's view ---- */

static void apic_kick(void *opaque, unsigned cpu)
{
	struct cpu_engine *e = opaque;

	if (e->vcpu[cpu])
		emu_pend(e->vcpu[cpu], PEND_IRQ);
}

static void apic_timer_changed(void *opaque, unsigned cpu, uint64_t deadline_ns)
{
	struct cpu_engine *e = opaque;

	if (e->vcpu[cpu])
		clock_alarm(e->vcpu[cpu], deadline_ns);
}

static uint64_t apic_now(void *opaque)
{
	(void)opaque;
	return sys_monotonic_ns();
}

static uint64_t apic_tsc(void *opaque, unsigned cpu)
{
	struct cpu_engine *e = opaque;

	return e->vcpu[cpu] ? emu_tsc(e->vcpu[cpu]) : 0;
}

static uint64_t apic_tsc_to_ns(void *opaque, unsigned cpu, uint64_t tsc)
{
	struct cpu_engine *e = opaque;
	int64_t ns = e->vcpu[cpu] ? (int64_t)(tsc - (uint64_t)e->vcpu[cpu]->tsc_offset) : 0;

	return ns > 0 ? (uint64_t)ns : 1; /* long past: now */
}

static void apic_eoi(void *opaque, unsigned cpu, uint8_t vector)
{
	struct cpu_engine *e = opaque;

	(void)cpu;
	ioapic_eoi(e->ioapic, vector);
}

static int apic_external(void *opaque, unsigned cpu)
{
	struct cpu_engine *e = opaque;

	(void)cpu;
	return pic_ack(e->pic);
}

static void pic_output(void *opaque, bool level)
{
	struct cpu_engine *e = opaque;

	lapic_set_lint0(e->lapics, level);
}

static const struct lapic_ops apic_ops = {
	.kick = apic_kick,
	.timer_changed = apic_timer_changed,
	.now_ns = apic_now,
	.tsc = apic_tsc,
	.tsc_to_ns = apic_tsc_to_ns,
	.eoi = apic_eoi,
	.external = apic_external,
};

static void sink_set_line(struct irq_sink *sink, unsigned gsi, bool level)
{
	struct cpu_engine *e = container_of(sink, struct cpu_engine, sink);

	if (unlikely(e->pic)) {
		pic_set_line(e->pic, gsi, level);
		if (gsi == PIC_CASCADE)
			return;
		gsi = gsi ? gsi : IOAPIC_TIMER_PIN;
	}
	if (gsi < IOAPIC_PINS)
		ioapic_set_line(e->ioapic, gsi, level);
}

static void sink_send_msi(struct irq_sink *sink, uint64_t addr, uint32_t data)
{
	struct cpu_engine *e = container_of(sink, struct cpu_engine, sink);

	(void)lapic_set_msi(e->lapics, addr, data);
}

static const struct irq_sink_ops sink_ops = { .set_line = sink_set_line,
					      .send_msi = sink_send_msi };

/* ---- the run loop ---- */

/* HLT, or waiting for a SIPI: sleep until something is pending or the timer is due. */
static void sleep_until_pending(struct vcpu *v)
{
	uint64_t deadline = lapic_timer_deadline(v->lapic), start = sys_monotonic_ns();
	/* One that has not been started is not waited for. */
	struct io_idle *idle = v->halted ? v->engine->config.idle : NULL;

	emu_count(v, CPU_STAT_HLT);
	if (idle) {
		io_idle_begin(idle);
		atomic_store(&v->waits, true);
	}
	clock_alarm(v, 0); /* this wait has a limit of its own */
	atomic_store(&v->in_guest, false);
	pthread_mutex_lock(&v->req_lock);
	atomic_store(&v->sleeping, true);
	while (!atomic_load(&v->pending)) {
		struct timespec ts = { .tv_sec = (time_t)(deadline / 1000000000u),
				       .tv_nsec = (long)(deadline % 1000000000u) };

		if (!deadline) {
			pthread_cond_wait(&v->wake, &v->req_lock);
		} else if (pthread_cond_timedwait(&v->wake, &v->req_lock, &ts) == ETIMEDOUT) {
			atomic_fetch_or(&v->pending, PEND_TIMER);
			break;
		}
	}
	atomic_store(&v->sleeping, false);
	pthread_mutex_unlock(&v->req_lock);
	atomic_store(&v->in_guest, true);
	waits_no_more(v);
	emu_spent(v, CPU_STAT_HLT, sys_monotonic_ns() - start);
	if (!(atomic_load(&v->pending) & PEND_TIMER))
		clock_alarm(v, deadline);
}

static void serve_timer(struct vcpu *v)
{
	uint64_t deadline;

	atomic_fetch_and(&v->pending, ~(uint32_t)PEND_TIMER);
	deadline = lapic_timer_deadline(v->lapic);
	if (!deadline)
		return;
	if (sys_monotonic_ns() >= deadline)
		lapic_timer_expire(v->lapic);
	else
		clock_alarm(v, deadline);
}

/* INIT, SIPI, NMI */
static void serve_apic_requests(struct vcpu *v)
{
	uint8_t vector = 0;
	unsigned requests;

	/* A SIPI is for those that wait for one; the others let it go. */
	requests = lapic_requests(v->lapic, &vector);
	if (requests & LAPIC_REQ_INIT)
		emu_init(v);
	if (requests & LAPIC_REQ_SIPI && v->wait_sipi)
		emu_sipi(v, vector);
	if (requests & LAPIC_REQ_NMI && !v->wait_sipi)
		v->nmi_pending = true;
}

/* Between blocks: what is pending. True: vcpu_run() shall return. */
static bool serve_pending(struct vcpu *v)
{
	uint32_t pending = atomic_load(&v->pending);

	if (pending & PEND_REQ)
		emu_serve_requests(v);
	if (pending & PEND_TIMER)
		serve_timer(v);
	if (pending & PEND_IRQ) {
		atomic_fetch_and(&v->pending, ~(uint32_t)PEND_IRQ);
		if (lapic_has_requests(v->lapic))
			serve_apic_requests(v);
	}
	if (pending & PEND_KICK) {
		atomic_fetch_and(&v->pending, ~(uint32_t)PEND_KICK);
		emu_count(v, CPU_STAT_KICK);
		return true;
	}
	return false;
}

/* An NMI or interrupt that may be delivered now. */
static void deliver_interrupts(struct vcpu *v)
{
	int vector;

	if (v->shadow)
		return;
	if (unlikely(v->nmi_pending) && !v->nmi_masked) {
		v->nmi_pending = false;
		v->nmi_masked = true;
		v->halted = false;
		emu_deliver(v, EXC_NMI, EVENT_INTERRUPT, false, 0);
		return;
	}
	if (!(v->eflags & RFLAGS_IF) || lapic_pending(v->lapic) < 0)
		return;
	vector = lapic_ack(v->lapic);
	if (vector < 0)
		return;
	v->halted = false;
	emu_count(v, CPU_STAT_INTERRUPT);
	emu_deliver(v, (unsigned)vector, EVENT_INTERRUPT, false, 0);
}

/* Is there an instruction breakpoint at RIP? */
static bool breakpoint_hit(struct vcpu *v)
{
	uint64_t lin = v->seg_base[X86_CS] + v->r[R_RIP];

	if (!(v->dr[7] & 0xff))
		return false;
	for (unsigned i = 0; i < 4; i++) {
		if (v->dr[7] >> (2 * i) & 3 && !(v->dr[7] >> (16 + 4 * i) & 15) &&
		    v->dr[i] == lin) {
			v->dr[6] |= 1u << i;
			return true;
		}
	}
	return false;
}

static void run_blocks(struct vcpu *v)
{
	const struct uop *u = emu_find(v);

	while (u)
		u = u->fn(v, u);
}

enum {
	DR6_BS = 0x4000
};

/* One instruction, with what single step, breakpoints and interrupt shadows ask for. */
static void step(struct vcpu *v)
{
	bool shadowed = v->shadow;

	if (v->eflags & RFLAGS_RF)
		v->eflags &= ~(uint32_t)RFLAGS_RF;
	else if (!shadowed && breakpoint_hit(v))
		emu_raise(v, NULL, EXC_DB);
	v->trap_flag = v->eflags & RFLAGS_TF;
	if (!v->shadow_ss)
		v->debug_hit = 0; /* else the trap of the one before is still owed */
	v->shadow_ss = false;
	v->shadow = false;
	atomic_fetch_or(&v->pending, PEND_STEP);
	run_blocks(v);
	atomic_fetch_and(&v->pending, ~(uint32_t)PEND_STEP);
	if (shadowed && v->shadow)
		v->shadow = v->shadow_ss = false; /* a second one in a row does not hold */
	emu_mode_update(v);
	if (v->trap_flag && !v->shadow_ss)
		v->debug_hit |= DR6_BS;
	if (v->debug_hit && !v->shadow_ss) {
		v->dr[6] |= v->debug_hit;
		v->debug_hit = 0;
		v->shadow = false;
		emu_deliver(v, EXC_DB, EVENT_EXCEPTION, false, 0);
	}
}

/* Until there is a reason to return to the caller of vcpu_run(). Faults come back to its start. */
static enum cpu_exit run_loop(struct vcpu *v)
{
	if (unlikely(v->inject))
		emu_inject(v);
	for (;;) {
		if (unlikely(v->shutdown))
			return CPU_EXIT_SHUTDOWN;
		if (atomic_load_explicit(&v->pending, memory_order_acquire) && serve_pending(v))
			return CPU_EXIT_KICKED;
		if (unlikely(v->wait_sipi)) {
			if (!atomic_load(&v->pending))
				sleep_until_pending(v);
			continue;
		}
		deliver_interrupts(v);
		if (unlikely(v->halted)) {
			if (!atomic_load(&v->pending))
				sleep_until_pending(v);
			continue;
		}
		if (unlikely(v->mode & MODE_STEP)) {
			step(v);
		} else {
			/* Without breakpoints RF stops nothing, and one instruction ends it. */
			v->eflags &= ~(uint32_t)RFLAGS_RF;
			run_blocks(v);
		}
		if (unlikely(v->step_once))
			return CPU_EXIT_KICKED;
	}
}

static enum cpu_exit vcpu_run(struct vcpu *v)
{
	enum cpu_exit why;
	jmp_buf escape;

	v->shutdown = false;
	v->escape = &escape;
	emu_fpu_enter(v);
	atomic_store(&v->in_guest, true);
	if (lapic_timer_deadline(v->lapic))
		atomic_fetch_or(&v->pending, PEND_TIMER);
	if (setjmp(escape)) {
		atomic_fetch_and(&v->pending, ~(uint32_t)PEND_STEP);
		emu_count(v, CPU_STAT_EXCEPTION);
		emu_deliver_fault(v); /* may come here again */
	}
	why = run_loop(v);
	atomic_store(&v->in_guest, false);
	clock_alarm(v, 0);
	emu_fpu_leave(v);
	v->escape = NULL;
	return why;
}

/* A vCPU that spins gives the one that it waits for a chance to run. */
const struct uop *op_pause(struct vcpu *v, const struct uop *u)
{
	if (++v->pauses % PAUSES == 0 && v->engine->config.cpus > 1)
		sched_yield();
	NEXT(v, u);
}

/* ---- notifications ---- */

/*
 * They stand in an array of pointers that never moves, so that a guest which moves a device's
 * registers for ever costs nothing, and a vCPU needs no lock. One that has just read a pointer may
 * call a notification that is taken away meanwhile: bus/notify.h allows that.
 */

static bool notify_fits(const struct io_notify *n, bool mmio, uint64_t addr, unsigned size,
			uint64_t value)
{
	return n->mmio == mmio && n->addr == addr && (!n->size || n->size == size) &&
	       (!n->match || n->value == value);
}

static bool notify_try(struct cpu_engine *e, bool mmio, uint64_t addr, unsigned size,
		       uint64_t value)
{
	const unsigned count = atomic_load_explicit(&e->notify_count, memory_order_acquire);
	uint64_t one = 1;

	for (unsigned i = 0; i < count; i++) {
		const struct io_notify *n =
			atomic_load_explicit(&e->notify[i], memory_order_acquire);

		if (!n || !notify_fits(n, mmio, addr, size, value))
			continue;
		if (n->call)
			n->call(n->opaque);
		else
			(void)sys_write(n->eventfd, &one, sizeof(one));
		return true;
	}
	return false;
}

void emu_io_write(struct vcpu *v, bool mmio, uint64_t addr, unsigned size, uint64_t value)
{
	enum cpu_stat stat = mmio ? CPU_STAT_MMIO : CPU_STAT_PIO;
	struct cpu_engine *e = v->engine;
	uint64_t start = sys_monotonic_ns();

	if (!notify_try(e, mmio, addr, size, value))
		io_write(mmio ? e->mmio : e->pio, addr, size, value);
	emu_count(v, stat);
	emu_spent(v, stat, sys_monotonic_ns() - start);
}

uint64_t emu_io_read(struct vcpu *v, bool mmio, uint64_t addr, unsigned size)
{
	enum cpu_stat stat = mmio ? CPU_STAT_MMIO : CPU_STAT_PIO;
	uint64_t start = sys_monotonic_ns(), value;

	value = io_read(mmio ? v->engine->mmio : v->engine->pio, addr, size);
	emu_count(v, stat);
	emu_spent(v, stat, sys_monotonic_ns() - start);
	return value;
}

/* Where @notify stands, or (NULL) the first free place; EMU_MAX_NOTIFY: nowhere. */
static unsigned notify_find(struct cpu_engine *e, const struct io_notify *notify)
{
	unsigned i = 0;

	while (i < EMU_MAX_NOTIFY && atomic_load(&e->notify[i]) != notify)
		i++;
	return i;
}

static int notify_add(struct cpu_engine *e, const struct io_notify *notify)
{
	unsigned i = notify_find(e, NULL);

	if (notify_find(e, notify) < EMU_MAX_NOTIFY)
		return -EEXIST;
	if (i == EMU_MAX_NOTIFY)
		return -ENOSPC;
	atomic_store(&e->notify[i], notify);
	if (i >= atomic_load(&e->notify_count))
		atomic_store(&e->notify_count, i + 1);
	return 0;
}

static int notify_remove(struct cpu_engine *e, const struct io_notify *notify)
{
	unsigned i = notify_find(e, notify), count = atomic_load(&e->notify_count);

	if (i == EMU_MAX_NOTIFY)
		return -ENOENT;
	atomic_store(&e->notify[i], NULL);
	while (count > 0 && !atomic_load(&e->notify[count - 1]))
		count--;
	atomic_store(&e->notify_count, count);
	return 0;
}

static int engine_notify(struct cpu_engine *e, const struct io_notify *notify, bool on)
{
	int ret;

	pthread_mutex_lock(&e->notify_lock);
	ret = on ? notify_add(e, notify) : notify_remove(e, notify);
	pthread_mutex_unlock(&e->notify_lock);
	return ret;
}

static int engine_irqfd(struct cpu_engine *e, int fd, int gsi, uint64_t msi_addr, uint32_t msi_data,
			bool on)
{
	(void)e;
	(void)fd;
	(void)gsi;
	(void)msi_addr;
	(void)msi_data;
	(void)on;
	return -EOPNOTSUPP;
}

/* ---- the dirty log ---- */

/* Every vCPU forgets its fast writes, and has done so when this returns. */
static void flush_all(struct cpu_engine *e)
{
	uint64_t want[CPU_MAX] = { 0 };

	for (unsigned i = 0; i < e->config.cpus; i++) {
		struct vcpu *v = e->vcpu[i];

		if (!v)
			continue;
		pthread_mutex_lock(&v->req_lock);
		v->requests |= REQ_TLB_FLUSH;
		want[i] = atomic_fetch_add(&v->req_seq, 1) + 1;
		pthread_mutex_unlock(&v->req_lock);
		emu_pend(v, PEND_REQ);
	}
	for (unsigned i = 0; i < e->config.cpus; i++) {
		struct vcpu *v = e->vcpu[i];

		while (v && atomic_load(&v->in_guest) && atomic_load(&v->req_done) < want[i])
			sched_yield();
	}
}

static int engine_dirty_log(struct cpu_engine *e, bool on)
{
	mem_dirty_log(e->mem, on);
	flush_all(e);
	return 0;
}

static int engine_dirty_fetch(struct cpu_engine *e, uint64_t gpa, uint64_t pages, uint64_t *bitmap)
{
	mem_dirty_fetch(e->mem, gpa, pages, bitmap);
	/* A page with a fast write tag was dirty, so it is in the bitmap; what is written to it until
	 * the tag has gone is in memory when this returns. */
	flush_all(e);
	return 0;
}

/* ---- chips ---- */

static int engine_get_chips(struct cpu_engine *e, struct cpu_chip_state *state)
{
	*state = (struct cpu_chip_state){ 0 };
	ioapic_get_state(e->ioapic, state);
	if (e->pic)
		pic_get_state(e->pic, state);
	state->clock_ns = sys_monotonic_ns() + (uint64_t)e->clock_offset_ns;
	return 0;
}

static int engine_set_chips(struct cpu_engine *e, const struct cpu_chip_state *state)
{
	ioapic_set_state(e->ioapic, state);
	if (e->pic)
		pic_set_state(e->pic, state);
	e->clock_offset_ns = (int64_t)(state->clock_ns - sys_monotonic_ns());
	emu_clock_changed(e);
	return 0;
}

/* ---- life ---- */

static void dma_written(void *opaque, uint64_t gpa, uint64_t len)
{
	emu_code_written(opaque, NULL, gpa, len);
}

static const struct mem_code_ops code_ops = { .written = dma_written };

static void engine_close(struct cpu_engine *e)
{
	if (!e)
		return;
	if (e->mem->code_opaque == e) {
		e->mem->code_ops = NULL;
		e->mem->code_opaque = NULL;
	}
	clock_stop(e->clock);
	pic_free(e->pic);
	ioapic_free(e->ioapic);
	lapic_set_free(e->lapics);
	for (unsigned i = 0; i < e->mem->count; i++) {
		if (e->code_mask[i])
			sys_munmap((void *)(uintptr_t)e->code_mask[i],
				   (e->mem->region[i].size >> MEM_PAGE_SHIFT) * sizeof(uint64_t));
	}
	pthread_mutex_destroy(&e->notify_lock);
	pthread_mutex_destroy(&e->split_lock);
	pthread_mutex_destroy(&e->clock_lock);
	g_free(e);
}
DEFINE_AUTOPTR(cpu_engine, engine_close);

static struct cpu_engine *engine_open(const struct cpu_config *config, GError **error)
{
	autoptr(cpu_engine) e = g_new0(struct cpu_engine, 1);

	e->config = *config;
	e->sink.ops = &sink_ops;
	e->mem = config->mem;
	e->pio = config->pio;
	e->mmio = config->mmio;
	e->tsc_khz = TSC_KHZ;
	pthread_mutex_init(&e->notify_lock, NULL);
	pthread_mutex_init(&e->split_lock, NULL);
	pthread_mutex_init(&e->clock_lock, NULL);
	for (unsigned i = 0; i < e->mem->count; i++) {
		void *p;
		int err = sys_mmap(
			&p, (e->mem->region[i].size >> MEM_PAGE_SHIFT) * sizeof(uint64_t),
			PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

		if (err < 0) {
			error_sys(error, err, "cannot map the table of decoded code");
			return NULL;
		}
		e->code_mask[i] = p;
	}
	e->lapics = lapic_set_new(config->cpus, &apic_ops, e);
	e->ioapic = ioapic_new(e->mmio, e->lapics, error);
	if (!e->ioapic)
		return NULL;
	if (config->pics) {
		e->pic = pic_new(e->pio, pic_output, e, error);
		if (!e->pic)
			return NULL;
	}
	e->clock = clock_start(e, error);
	if (!e->clock)
		return NULL;
	if (config->idle)
		atomic_store(&config->idle->told, true);
	e->mem->code_ops = &code_ops;
	e->mem->code_opaque = e;
	return g_steal_pointer(&e);
}

static void vcpu_free(struct vcpu *v)
{
	if (!v)
		return;
	clock_forget(v);
	code_cache_free(v->code);
	pthread_cond_destroy(&v->wake);
	pthread_mutex_destroy(&v->req_lock);
	sys_munmap(v, sizeof(*v));
}

static struct vcpu *vcpu_new(struct cpu_engine *e, unsigned index, GError **error)
{
	struct cpu_topology topo = { .cpu = index, .cpus = e->config.cpus, .tsc_khz = e->tsc_khz };
	struct cpuid_table offer;
	pthread_condattr_t attr;
	struct vcpu *v;
	void *p;
	int err;

	if (index >= e->config.cpus || e->vcpu[index]) {
		error_set(error, SOCLE_ERROR_EXISTS, "there is no place for vCPU %u", index);
		return NULL;
	}
	/* Mapped: large, and touched only where it is used. */
	err = sys_mmap(&p, sizeof(*v), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (err < 0) {
		error_sys(error, err, "cannot map vCPU %u", index);
		return NULL;
	}
	v = p;
	v->engine = e;
	v->mem = e->mem;
	v->index = index;
	v->lapic = lapic_set_get(e->lapics, index);
	pthread_mutex_init(&v->req_lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&v->wake, &attr);
	pthread_condattr_destroy(&attr);
	v->code = code_cache_new(e->config.cpus);
	if (!v->code) {
		error_sys(error, -ENOMEM, "cannot map the code cache of vCPU %u", index);
		vcpu_free(v);
		return NULL;
	}
	emu_cpuid_offer(&offer);
	cpu_model_cpuid(e->config.model, &offer, &topo, &v->cpuid);
	emu_mmu_init(v);
	v->tsc_offset = -(int64_t)sys_monotonic_ns();
	if (index > 0)
		v->tsc_offset = e->vcpu[0] ? e->vcpu[0]->tsc_offset : v->tsc_offset;
	emu_vcpu_reset(v, false);
	v->wait_sipi = index > 0;
	clock_adopt(v);
	return v;
}

static bool can_run_stock(GError **error)
{
	(void)error;
	return true;
}

static struct irq_sink *engine_sink(struct cpu_engine *e)
{
	return &e->sink;
}

static uint32_t engine_tsc_khz(struct cpu_engine *e)
{
	return e->tsc_khz;
}

static void vcpu_nmi(struct vcpu *v)
{
	struct lapic_message msg = { .dest = v->index, .delivery = LAPIC_NMI };

	(void)lapic_set_deliver(v->engine->lapics, &msg);
}

static const char *vcpu_failure(struct vcpu *v)
{
	return v->failure;
}

static void vcpu_stats(struct vcpu *v, struct cpu_stats *stats)
{
	for (unsigned i = 0; i < CPU_STAT_COUNT; i++) {
		stats->count[i] = __atomic_load_n(&v->stats.count[i], __ATOMIC_RELAXED);
		stats->ns[i] = __atomic_load_n(&v->stats.ns[i], __ATOMIC_RELAXED);
	}
	stats->instructions = __atomic_load_n(&v->instructions, __ATOMIC_RELAXED);
}

const struct cpu_ops emu_cpu_ops = {
	.name = "emu",
	.open = engine_open,
	.close = engine_close,
	.can_run_stock = can_run_stock,
	.irq_sink = engine_sink,
	.tsc_khz = engine_tsc_khz,
	.irqfd = engine_irqfd,
	.notify = engine_notify,
	.dirty_log = engine_dirty_log,
	.dirty_fetch = engine_dirty_fetch,
	.get_chips = engine_get_chips,
	.set_chips = engine_set_chips,
	.vcpu_new = vcpu_new,
	.vcpu_free = vcpu_free,
	.vcpu_run = vcpu_run,
	.vcpu_kick = vcpu_kick,
	.vcpu_nmi = vcpu_nmi,
	.vcpu_failure = vcpu_failure,
	.vcpu_get_state = emu_vcpu_get_state,
	.vcpu_set_state = emu_vcpu_set_state,
	.vcpu_stats = vcpu_stats,
};
