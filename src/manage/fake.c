/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fake.c - machines in memory, for the driver "test"
 *
 * They do at once all that is asked, and have numbers that move with a clock: the same clock, the same
 * numbers. A console says back what it hears.
 */
#include "manage/fake-int.h"

#include <errno.h>
#include <glib-unix.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/sys.h"
#include "manage/dom.h"
#include "manage/node.h"
#include "manage/stream-int.h"
#include "manage/timer-int.h"
#include "model/domain.h"
#include "model/snapshot.h"

enum {
	FAKE_JOB_BYTES = 1024 * 1024,
};

static const uint64_t fake_capacity = UINT64_C(8) << 30;

struct echo {
	int fd;
	GSource *source;
};

struct fake_job {
	unsigned disk;
	struct machine_block_job_spec spec;
	bool ready;
};

struct fake {
	struct machine machine;
	int64_t since_us;  /* when it began to run; 0: paused */
	uint64_t ran_us;   /* before that */
	GHashTable *sizes; /* of disks that were resized, by target */
	GPtrArray *echoes;
	GPtrArray *jobs;
	GSource *jobs_end;
};

static struct fake *fake_of(struct machine *machine)
{
	return container_of(machine, struct fake, machine);
}

static int64_t now_us(const struct fake *fake)
{
	const struct fake_clock *clock = node_machines_opaque(fake->machine.dom->node);

	return clock && clock->now_us ? clock->now_us(clock->opaque) : g_get_monotonic_time();
}

static uint64_t ran_us(const struct fake *fake)
{
	return fake->ran_us + (fake->since_us ? (uint64_t)(now_us(fake) - fake->since_us) : 0);
}

static void run(struct fake *fake)
{
	if (!fake->since_us)
		fake->since_us = now_us(fake);
}

static void stand_still(struct fake *fake)
{
	fake->ran_us = ran_us(fake);
	fake->since_us = 0;
}

static void echo_free(void *data)
{
	struct echo *echo = data;

	timer_stop(&echo->source);
	(void)close(echo->fd);
	g_free(echo);
}

/* == Begin and end == */

static struct machine *fake_start(struct dom *dom, unsigned flags, struct task *task)
{
	struct fake *fake = g_new0(struct fake, 1);

	fake->machine = (struct machine){ .ops = &fake_machines, .dom = dom };
	fake->sizes = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	fake->echoes = g_ptr_array_new_with_free_func(echo_free);
	fake->jobs = g_ptr_array_new_with_free_func(g_free);
	if (!(flags & MACHINE_START_PAUSED))
		run(fake);
	for (unsigned i = 0; i < dom->live->devices.interface_count; i++) {
		struct domain_interface *card = &dom->live->devices.interfaces[i];

		if (!card->target.dev)
			card->target.dev = g_strdup_printf("testnet%u", i);
	}
	dom->machine = &fake->machine;
	task_end(task, NULL);
	return &fake->machine;
}

static void fake_free(struct machine *machine)
{
	struct fake *fake = fake_of(machine);

	timer_stop(&fake->jobs_end);
	g_hash_table_unref(fake->sizes);
	g_ptr_array_unref(fake->echoes);
	g_ptr_array_unref(fake->jobs);
	g_free(fake);
}

static void fake_destroy(struct machine *machine, bool graceful, struct task *task)
{
	(void)machine;
	(void)graceful;
	task_end(task, NULL);
}

static void fake_pause(struct machine *machine, struct task *task)
{
	stand_still(fake_of(machine));
	task_end(task, NULL);
}

static void fake_resume(struct machine *machine, struct task *task)
{
	run(fake_of(machine));
	task_end(task, NULL);
}

/* This guest obeys, and before anybody can ask whether it has. */
static void fake_shutdown(struct machine *machine, enum machine_shutdown how, struct task *task)
{
	struct dom *dom = machine->dom;

	if (how == MACHINE_SHUTDOWN_AGENT) {
		g_autoptr(GError) error = NULL;

		error_set(&error, SOCLE_ERROR_NOT_ACTIVE,
			  "no agent runs in this guest; shut it down by ACPI");
		task_end(task, error);
		return;
	}
	machine_shutting_down(dom);
	machine_ended(dom, MACHINE_END_SHUTDOWN, NULL);
	task_end(task, NULL);
}

static void fake_reboot(struct machine *machine, enum machine_shutdown how, struct task *task)
{
	(void)how;
	machine_rebooted(machine->dom);
	task_end(task, NULL);
}

static void do_nothing(struct machine *machine, struct task *task)
{
	(void)machine;
	task_end(task, NULL);
}

static void fake_send_keys(struct machine *machine, const unsigned *keys, unsigned count,
			   unsigned hold_ms, struct task *task)
{
	(void)machine;
	(void)keys;
	(void)count;
	(void)hold_ms;
	task_end(task, NULL);
}

/* == Numbers == */

static void query_disks(struct fake *fake, const struct domain *live, struct machine_stats *stats)
{
	uint64_t ms = ran_us(fake) / 1000;

	stats->disk_count = live->devices.disk_count;
	stats->disks = g_new0(struct machine_disk_stats, stats->disk_count);
	for (unsigned i = 0; i < stats->disk_count; i++) {
		const char *target = live->devices.disks[i].target.dev;
		uint64_t *size = target ? g_hash_table_lookup(fake->sizes, target) : NULL;

		stats->disks[i] = (struct machine_disk_stats){
			.rd_req = ms / 10,
			.rd_bytes = ms / 10 * 4096,
			.rd_ns = ms * 1000,
			.wr_req = ms / 20,
			.wr_bytes = ms / 20 * 4096,
			.wr_ns = ms * 2000,
			.fl_req = ms / 1000,
			.fl_ns = ms * 100,
			.capacity = size ? *size : fake_capacity,
			.allocation = MIN(ms / 20 * 4096, size ? *size : fake_capacity),
			.physical = MIN(ms / 20 * 4096, size ? *size : fake_capacity),
			.known = true,
		};
	}
}

static void query_cards(struct fake *fake, const struct domain *live, struct machine_stats *stats)
{
	uint64_t ms = ran_us(fake) / 1000;

	stats->card_count = live->devices.interface_count;
	stats->cards = g_new0(struct machine_card_stats, stats->card_count);
	for (unsigned i = 0; i < stats->card_count; i++)
		stats->cards[i] = (struct machine_card_stats){ .rx_bytes = ms * 100,
							       .rx_packets = ms / 10,
							       .tx_bytes = ms * 50,
							       .tx_packets = ms / 20 };
}

static void query_cpus(struct fake *fake, const struct domain *live, struct machine_stats *stats)
{
	uint64_t ns = ran_us(fake) * 1000;
	const struct domain_vcpu *vcpu = &live->vcpu;

	stats->vcpu_count = (unsigned)(vcpu->current.set ? vcpu->current.value : vcpu->count.value);
	stats->vcpus = g_new0(struct machine_vcpu_stats, stats->vcpu_count);
	for (unsigned i = 0; i < stats->vcpu_count; i++)
		stats->vcpus[i] =
			(struct machine_vcpu_stats){ .time_ns = ns / 10, .host_cpu = (int)i };
	stats->cpu_ns = ns / 10 * stats->vcpu_count;
	stats->user_ns = stats->cpu_ns / 2;
	stats->system_ns = stats->cpu_ns / 4;
}

static void fake_query(struct machine *machine, unsigned what, struct machine_stats *stats,
		       struct task *task)
{
	struct fake *fake = fake_of(machine);
	const struct domain *live = machine->dom->live;

	memset(stats, 0, sizeof(*stats));
	query_cpus(fake, live, stats);
	query_disks(fake, live, stats);
	query_cards(fake, live, stats);
	stats->balloon_kib = (uint64_t)live->current_memory.value;
	stats->rss_kib = stats->balloon_kib / 2;
	stats->memory[0].tag = 4; /* unused */
	stats->memory[0].value = stats->balloon_kib / 4;
	stats->memory[1].tag = 5; /* available */
	stats->memory[1].value = stats->balloon_kib;
	stats->memory_count = 2;
	stats->valid = what;
	task_end(task, NULL);
}

/* == Changes == */

static void fake_set_memory(struct machine *machine, uint64_t kib, struct task *task)
{
	machine_balloon_changed(machine->dom, kib);
	task_end(task, NULL);
}

static void fake_set_vcpus(struct machine *machine, unsigned count, struct task *task)
{
	(void)machine;
	(void)count;
	task_end(task, NULL);
}

static void fake_plug(struct machine *machine, struct domain *device, struct task *task)
{
	for (unsigned i = 0; i < device->devices.interface_count; i++) {
		struct domain_interface *card = &device->devices.interfaces[i];

		if (!card->target.dev)
			card->target.dev = g_strdup_printf(
				"testnet%u", machine->dom->live->devices.interface_count + i);
	}
	task_end(task, NULL);
}

static void fake_unplug(struct machine *machine, const char *alias, struct task *task)
{
	g_autofree char *name = g_strdup(alias);
	struct dom *dom = machine->dom;

	/* The guest lets go before it is known that it was asked; clients cope with both orders. */
	machine_device_removed(dom, name);
	task_end(task, NULL);
}

static void fake_update(struct machine *machine, const char *alias, struct domain *device,
			bool force, struct task *task)
{
	(void)force;
	(void)machine;
	(void)alias;
	(void)device;
	task_end(task, NULL);
}

static void fake_block_resize(struct machine *machine, unsigned disk, uint64_t bytes,
			      struct task *task)
{
	const char *target = machine->dom->live->devices.disks[disk].target.dev;

	g_hash_table_replace(fake_of(machine)->sizes, g_strdup(target),
			     g_memdup2(&bytes, sizeof(bytes)));
	task_end(task, NULL);
}

/* Nobody ever writes. */
static void fake_block_threshold(struct machine *machine, unsigned disk, uint64_t bytes,
				 struct task *task)
{
	(void)machine;
	(void)disk;
	(void)bytes;
	task_end(task, NULL);
}

/* == Block jobs: done, or ready, in the next moment == */

static struct fake_job *find_job(struct fake *fake, unsigned disk)
{
	for (unsigned i = 0; i < fake->jobs->len; i++) {
		struct fake_job *job = fake->jobs->pdata[i];

		if (job->disk == disk)
			return job;
	}
	return NULL;
}

static gboolean jobs_move(void *data)
{
	struct fake *fake = data;
	struct dom *dom = fake->machine.dom;

	timer_stop(&fake->jobs_end);
	for (unsigned i = fake->jobs->len; i-- > 0;) {
		struct fake_job *job = fake->jobs->pdata[i];
		enum machine_block_job type = job->spec.type;
		unsigned disk = job->disk;

		if (type == MACHINE_BLOCK_COPY || type == MACHINE_BLOCK_ACTIVE_COMMIT) {
			if (!job->ready) {
				job->ready = true;
				machine_block_job(dom, disk, type, 3);
			}
			continue;
		}
		g_ptr_array_remove_index(fake->jobs, i);
		machine_block_job(dom, disk, type, 0);
	}
	return G_SOURCE_REMOVE;
}

static void fake_job_start(struct machine *machine, const struct machine_block_job_spec *spec,
			   struct task *task)
{
	struct fake *fake = fake_of(machine);
	struct fake_job *job;
	g_autoptr(GError) error = NULL;

	if (find_job(fake, spec->disk)) {
		error_set(&error, SOCLE_ERROR_BUSY,
			  "the disk has a block job already; abort it or wait for it");
		task_end(task, error);
		return;
	}
	job = g_new0(struct fake_job, 1);
	job->disk = spec->disk;
	job->spec.type = spec->type;
	job->spec.bandwidth = spec->bandwidth;
	g_ptr_array_add(fake->jobs, job);
	if (!fake->jobs_end)
		fake->jobs_end = timer_start(1, jobs_move, fake);
	task_end(task, NULL);
}

static void fake_job_query(struct machine *machine, unsigned disk,
			   struct machine_block_job_info *info, struct task *task)
{
	const struct fake_job *job = find_job(fake_of(machine), disk);

	memset(info, 0, sizeof(*info));
	if (job) {
		info->type = job->spec.type;
		info->bandwidth = job->spec.bandwidth;
		info->end = FAKE_JOB_BYTES;
		info->cur = job->ready ? FAKE_JOB_BYTES : FAKE_JOB_BYTES / 2;
		info->ready = job->ready;
	}
	task_end(task, NULL);
}

static struct fake_job *want_job(struct machine *machine, unsigned disk, struct task *task)
{
	struct fake_job *job = find_job(fake_of(machine), disk);
	g_autoptr(GError) error = NULL;

	if (job)
		return job;
	error_set(&error, SOCLE_ERROR_NOT_ACTIVE, "the disk has no block job");
	task_end(task, error);
	return NULL;
}

static void fake_job_abort(struct machine *machine, unsigned disk, bool pivot, struct task *task)
{
	struct fake *fake = fake_of(machine);
	struct fake_job *job = want_job(machine, disk, task);
	enum machine_block_job type;
	g_autoptr(GError) error = NULL;

	if (!job)
		return;
	if (pivot && !job->ready) {
		error_set(&error, SOCLE_ERROR_STATE,
			  "the block job is not ready for a pivot yet; wait for its event");
		task_end(task, error);
		return;
	}
	type = job->spec.type;
	g_ptr_array_remove(fake->jobs, job);
	machine_block_job(machine->dom, disk, type, pivot ? 0 : 2);
	task_end(task, NULL);
}

static void fake_job_speed(struct machine *machine, unsigned disk, uint64_t bandwidth,
			   struct task *task)
{
	struct fake_job *job = want_job(machine, disk, task);

	if (!job)
		return;
	job->spec.bandwidth = bandwidth;
	task_end(task, NULL);
}

static void fake_snapshot(struct machine *machine, const struct snapshot *snapshot,
			  struct task *task)
{
	(void)machine;
	(void)snapshot;
	task_end(task, NULL);
}

static void fake_offline_snapshot(struct dom *dom, const struct snapshot *snapshot,
				  struct task *task)
{
	(void)dom;
	(void)snapshot;
	task_end(task, NULL);
}

/* == Console, screen, agent == */

static gboolean say_back(int fd, GIOCondition condition, void *data)
{
	struct echo *echo = data;
	uint8_t bytes[1024];
	ssize_t n = sys_read(fd, bytes, sizeof(bytes));

	(void)condition;
	if (n > 0)
		n = stream_write(fd, bytes, (size_t)n);
	if (n == -EAGAIN || n > 0)
		return G_SOURCE_CONTINUE;
	g_source_unref(g_steal_pointer(&echo->source));
	return G_SOURCE_REMOVE;
}

static int fake_console(struct machine *machine, const char *alias, GError **error)
{
	struct echo *echo;
	int fds[2], r;

	(void)alias;
	r = sys_socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, fds);
	if (r < 0) {
		error_sys(error, r, "cannot open the console");
		return -1;
	}
	echo = g_new0(struct echo, 1);
	echo->fd = fds[1];
	echo->source = g_unix_fd_source_new(echo->fd, G_IO_IN | G_IO_HUP);
	g_source_set_callback(echo->source, (GSourceFunc)(void (*)(void))say_back, echo, NULL);
	g_source_attach(echo->source, g_main_context_get_thread_default());
	g_ptr_array_add(fake_of(machine)->echoes, echo);
	return fds[0];
}

static void fake_screenshot(struct machine *machine, unsigned screen, int fd, const char **ret_mime,
			    struct task *task)
{
	/* A PNG of 64 by 40 dots: a chessboard. */
	static const uint8_t picture[] = {
		0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0x00, 0x00, 0x00, 0x0d, 0x49,
		0x48, 0x44, 0x52, 0x00, 0x00, 0x00, 0x40, 0x00, 0x00, 0x00, 0x28, 0x01, 0x00,
		0x00, 0x00, 0x00, 0x66, 0xb5, 0xc1, 0x44, 0x00, 0x00, 0x00, 0x15, 0x49, 0x44,
		0x41, 0x54, 0x78, 0xda, 0x63, 0x60, 0xf8, 0x0f, 0x85, 0x14, 0x32, 0xa8, 0x64,
		0x0c, 0xc3, 0x30, 0x75, 0x0f, 0x00, 0x07, 0x88, 0x9f, 0x61, 0x5c, 0xc3, 0x6c,
		0xed, 0x00, 0x00, 0x00, 0x00, 0x49, 0x45, 0x4e, 0x44, 0xae, 0x42, 0x60, 0x82
	};
	g_autoptr(GError) error = NULL;
	ssize_t n;

	(void)machine;
	if (screen != 0) {
		error_set(&error, SOCLE_ERROR_USAGE, "there is only screen 0");
		task_end(task, error);
		return;
	}
	n = sys_write_full(fd, picture, sizeof(picture));
	if (n < 0)
		error_sys(&error, (int)n, "cannot write the picture");
	*ret_mime = "image/png";
	task_end(task, error);
}

const struct machine_ops fake_machines = {
	.name = "test",
	.start = fake_start,
	.free = fake_free,
	.destroy = fake_destroy,
	.pause = fake_pause,
	.resume = fake_resume,
	.shutdown = fake_shutdown,
	.reboot = fake_reboot,
	.reset = do_nothing,
	.nmi = do_nothing,
	.send_keys = fake_send_keys,
	.query = fake_query,
	.set_memory = fake_set_memory,
	.set_vcpus = fake_set_vcpus,
	.tune = do_nothing,
	.plug = fake_plug,
	.unplug = fake_unplug,
	.update = fake_update,
	.block_resize = fake_block_resize,
	.block_threshold = fake_block_threshold,
	.block_job_start = fake_job_start,
	.block_job_query = fake_job_query,
	.block_job_abort = fake_job_abort,
	.block_job_speed = fake_job_speed,
	.snapshot = fake_snapshot,
	.offline_snapshot = fake_offline_snapshot,
	.console = fake_console,
	.screenshot = fake_screenshot,
};
