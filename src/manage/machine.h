/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * machine.h - the seam between a domain and what runs it
 *
 * Two implementations: fake.c here, in memory, for the driver "test"; and the room daemon, with a
 * process of socle-vm for each machine. All that they have in common (definitions, names, lists,
 * states, jobs, events, snapshots' descriptions) is above the seam.
 *
 * Whoever calls holds the domain's job, but for query(), console() and destroy(), which come at any
 * time. Each function that takes a task ends it, once, at once or later; the caller's deadline is
 * not the implementation's business: it goes on until it has ended, and destroy() makes everything
 * else end. A function that is NULL is not supported, and its callers are told.
 *
 * What a machine does by itself it tells by the functions at the end.
 *
 * Threads: main loop.
 */
#ifndef MANAGE_MACHINE_H
#define MANAGE_MACHINE_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "manage/task.h"

struct dom;
struct domain;
struct snapshot;

/* What runs one domain; the implementation embeds it. It is there while the domain is active. */
struct machine {
	const struct machine_ops *ops;
	struct dom *dom;
};

enum machine_start_flags {
	MACHINE_START_PAUSED = 1 << 0,
};

enum machine_shutdown {
	MACHINE_SHUTDOWN_ANY, /* agent if there is one, else ACPI */
	MACHINE_SHUTDOWN_ACPI,
	MACHINE_SHUTDOWN_AGENT,
};

/* What query() is asked for. */
enum machine_query {
	MACHINE_QUERY_CPU = 1 << 0,
	MACHINE_QUERY_MEMORY = 1 << 1,
	MACHINE_QUERY_VCPUS = 1 << 2,
	MACHINE_QUERY_DISKS = 1 << 3,
	MACHINE_QUERY_CARDS = 1 << 4,
};

struct machine_vcpu_stats {
	uint64_t time_ns, wait_ns, delay_ns;
	int host_cpu; /* -1: not known */
	bool halted;
};

struct machine_disk_stats {
	uint64_t rd_req, rd_bytes, rd_ns, wr_req, wr_bytes, wr_ns, fl_req, fl_ns, errors;
	uint64_t allocation, capacity, physical; /* bytes */
	bool known;                              /* false: this disk's process did not tell */
};

struct machine_card_stats {
	uint64_t rx_bytes, rx_packets, rx_errs, rx_drop, tx_bytes, tx_packets, tx_errs, tx_drop;
};

/* The tags are libvirt's (VIR_DOMAIN_MEMORY_STAT_...), the values KiB or counts. */
enum {
	MACHINE_MEMORY_TAGS = 16
};

/* An answer of query(): owned and freed by the asker; arrays are in the order of the live definition. */
struct machine_stats {
	unsigned valid; /* of enum machine_query: what was found out */
	uint64_t cpu_ns, user_ns, system_ns;
	uint64_t balloon_kib, rss_kib;
	struct {
		int tag;
		uint64_t value;
	} memory[MACHINE_MEMORY_TAGS];
	unsigned memory_count;
	struct machine_vcpu_stats *vcpus;
	unsigned vcpu_count;
	struct machine_disk_stats *disks;
	unsigned disk_count;
	struct machine_card_stats *cards;
	unsigned card_count;
};

void machine_stats_release(struct machine_stats *stats);

enum machine_block_job {
	MACHINE_BLOCK_NONE = 0, /* libvirt's numbers of types */
	MACHINE_BLOCK_PULL = 1,
	MACHINE_BLOCK_COPY = 2,
	MACHINE_BLOCK_COMMIT = 3,
	MACHINE_BLOCK_ACTIVE_COMMIT = 4,
};

struct machine_block_job_spec {
	enum machine_block_job type;
	unsigned disk;         /* of the live definition */
	const char *base;      /* path, NULL: the deepest (commit), none (pull) */
	const char *top;       /* of a commit; NULL: the active image */
	const char *dest;      /* of a copy: path */
	const char *dest_type; /* its format */
	bool reuse, shallow;   /* of a copy: the file is there; only the top image */
	uint64_t bandwidth;    /* bytes per second, 0: no limit */
};

struct machine_block_job_info {
	enum machine_block_job type; /* NONE: there is no job */
	uint64_t bandwidth, cur, end;
	bool ready;
};

/* A snapshot that is deleted: on each of its disks what stands in @top goes into @base, the image
 * right behind it. */
struct machine_merge_disk {
	unsigned disk; /* of the live definition, or of the configuration if there is none */
	char *top, *base, *base_format;
	/* Set by merge(): it is done, or ready to go over. False: @top is not in use, so an earlier
	 * attempt has done it. */
	bool merged;
};

struct machine_merge {
	struct machine_merge_disk *disks;
	unsigned count;
};

/* How far a dump is, in bytes of memory. */
struct machine_dump_info {
	uint64_t done, total;
};

struct machine_ops {
	const char *name;

	/* Make the machine of @dom->live, whose devices have their fates; produced values (paths of
	 * ptys, names of taps) are put into it before the task ends. On an error the machine is gone.
	 * Return: what is then @dom->machine. */
	struct machine *(*start)(struct dom *dom, unsigned flags, struct task *task);
	/* Take over a machine that an earlier daemon has started. @state is what state() said. The
	 * task's error says how it ended meanwhile: SOCLE_ERROR_NOT_ACTIVE if that was in good order. */
	struct machine *(*find)(struct dom *dom, const char *state, struct task *task);
	/* What find() of a later daemon needs to know: a line of text, g_free() it. */
	char *(*state)(struct machine *machine);
	/* Give up what the daemon has of it. The machine itself goes on if it runs. */
	void (*free)(struct machine *machine);

	void (*destroy)(struct machine *machine, bool graceful, struct task *task);
	void (*pause)(struct machine *machine, struct task *task);
	void (*resume)(struct machine *machine, struct task *task);
	/* Ask the guest; the task ends when it was asked, not when it has obeyed. */
	void (*shutdown)(struct machine *machine, enum machine_shutdown how, struct task *task);
	void (*reboot)(struct machine *machine, enum machine_shutdown how, struct task *task);
	void (*reset)(struct machine *machine, struct task *task);
	void (*nmi)(struct machine *machine, struct task *task);
	/* Linux key codes, all down together for @hold_ms. */
	void (*send_keys)(struct machine *machine, const unsigned *keys, unsigned count,
			  unsigned hold_ms, struct task *task);

	/* @stats is cleared; what is not known in time is left out of @stats->valid. */
	void (*query)(struct machine *machine, unsigned what, struct machine_stats *stats,
		      struct task *task);

	/* Balloon, in KiB, at most the live definition's memory. */
	void (*set_memory)(struct machine *machine, uint64_t kib, struct task *task);
	void (*set_vcpus)(struct machine *machine, unsigned count, struct task *task);
	/* @dom->live has new cputune, memtune, blkiotune or pins: make it so. */
	void (*tune)(struct machine *machine, struct task *task);

	/* @device is a domain with one device, filled in and checked; the caller adds it to the live
	 * definition when the task has ended well. */
	void (*plug)(struct machine *machine, struct domain *device, struct task *task);
	/* The device with this alias; the task ends when the guest was asked, and
	 * machine_device_removed() tells that it is gone. */
	void (*unplug)(struct machine *machine, const char *alias, struct task *task);
	/* A device of the live definition, by alias, is to be as in @device: another medium, limits,
	 * link. @force: also if the guest has locked the tray. */
	void (*update)(struct machine *machine, const char *alias, struct domain *device,
		       bool force, struct task *task);

	void (*block_resize)(struct machine *machine, unsigned disk, uint64_t bytes,
			     struct task *task);
	/* Tell by machine_block_threshold(), once, when somebody writes into the disk's image beyond @bytes;
	 * 0: no more. */
	void (*block_threshold)(struct machine *machine, unsigned disk, uint64_t bytes,
				struct task *task);
	void (*block_job_start)(struct machine *machine, const struct machine_block_job_spec *spec,
				struct task *task);
	void (*block_job_query)(struct machine *machine, unsigned disk,
				struct machine_block_job_info *info, struct task *task);
	/* @pivot: a copy or active commit is completed, else given up. */
	void (*block_job_abort)(struct machine *machine, unsigned disk, bool pivot,
				struct task *task);
	void (*block_job_speed)(struct machine *machine, unsigned disk, uint64_t bandwidth,
				struct task *task);

	/* Snapshots of disks, all or none; @snapshot was filled in and checked. External ones: the caller
	 * then puts the new images into the live definition. Internal ones are of disks for which
	 * disk_keeps_snapshots() says so. */
	void (*snapshot)(struct machine *machine, const struct snapshot *snapshot,
			 struct task *task);

	/* Carry out @merge, which stays until the task has ended. A disk that uses @top goes on
	 * using it: @base has the same, and all that is written, until merge_end(). After an error
	 * all disks are as they were, or have nothing of @top in their chain. */
	void (*merge)(struct machine *machine, struct machine_merge *merge, struct task *task);
	/* Those disks go over to @base, or do not. The machine changes the live definition. */
	void (*merge_end)(struct machine *machine, struct machine_merge *merge, bool go_over,
			  struct task *task);

	/* The byte stream behind a console, serial port or channel of the live definition. @alias
	 * NULL: the first console. The descriptor is the caller's; it is not blocking. */
	int (*console)(struct machine *machine, const char *alias, GError **error);
	/* A picture of the screen into @fd (a memory file); its kind in *@ret_mime, static. */
	void (*screenshot)(struct machine *machine, unsigned screen, int fd, const char **ret_mime,
			   struct task *task);
	/* A connection to the screen: the guest's VNC server takes over @fd. @trusted: it asks for no
	 * password. */
	void (*graphics)(struct machine *machine, int fd, bool trusted, struct task *task);
	/* Ask the agent in the guest. @command and the answer, g_free() it, are its JSON. */
	void (*agent)(struct machine *machine, const char *command, char **ret_answer,
		      struct task *task);
	/* QMP as it is, for program qemu's monitor command. */
	void (*monitor)(struct machine *machine, const char *command, char **ret_answer,
			struct task *task);
	/* @len bytes of the guest's memory, or of a disk of the live definition as the guest sees it,
	 * into @buf, which stays until the task has ended. Addresses are physical, or those of the
	 * first vCPU. The guest may go on meanwhile. */
	void (*memory_read)(struct machine *machine, uint64_t address, bool is_virtual, void *buf,
			    size_t len, struct task *task);
	void (*block_read)(struct machine *machine, unsigned disk, uint64_t off, void *buf,
			   size_t len, struct task *task);
	/* The same of the configuration of a machine that is off. */
	void (*offline_block_read)(struct dom *dom, unsigned disk, uint64_t off, void *buf,
				   size_t len, struct task *task);
	/* The guest's memory and the state of its CPUs into a file, an ELF core, which gets its name when
	 * it is complete. The guest stands still meanwhile. One at a time. */
	void (*core_dump)(struct machine *machine, const char *path, struct task *task);
	/* At any time while core_dump() goes on; the latter ends with an error when it was given up. */
	void (*core_dump_query)(struct machine *machine, struct machine_dump_info *info,
				struct task *task);
	void (*core_dump_abort)(struct machine *machine, struct task *task);
	/* Disks of a machine that is off: snapshot(), going back to an internal one, which stays, and
	 * merge(), after which nothing but @dom->config may name @top. */
	void (*offline_snapshot)(struct dom *dom, const struct snapshot *snapshot,
				 struct task *task);
	/* Fails with SOCLE_ERROR_PARTLY if some disks have gone back and others have not; with any other
	 * error none has. @again: some may have before, so that their snapshots are used up. */
	void (*offline_revert)(struct dom *dom, const struct snapshot *snapshot, bool again,
			       struct task *task);
	/* Could offline_revert() do it, if the machine were off? Else it need not be ended. */
	void (*revert_check)(struct dom *dom, const struct snapshot *snapshot, bool again,
			     struct task *task);
	/* What snapshot() or offline_snapshot() has made of internal ones, in a daemon that has ended
	 * meanwhile, goes; nothing else of these names does. NULL: they leave nothing. */
	void (*snapshot_undo)(struct dom *dom, const struct snapshot *snapshot, struct task *task);
	/* Internal snapshots of disks go, whether the machine runs or not; or have gone already. */
	void (*snapshot_drop)(struct dom *dom, const struct snapshot *snapshot, struct task *task);
	void (*offline_merge)(struct dom *dom, struct machine_merge *merge, struct task *task);
	/* Nobody names the files @top of those that are merged any more. */
	void (*merge_discard)(struct dom *dom, const struct machine_merge *merge);
};

/* == What a machine tells (all: main loop) == */

/* Why a machine is not running any more: libvirt's reasons of VIR_DOMAIN_SHUTOFF. */
enum machine_end {
	MACHINE_END_SHUTDOWN = 1,
	MACHINE_END_DESTROYED = 2,
	MACHINE_END_CRASHED = 3,
	MACHINE_END_FAILED = 6,
};

/* It has ended; the caller of this still has to be freed by ops->free(), which happens in here. @why is
 * a sentence for log and messages, or NULL. */
void machine_ended(struct dom *dom, enum machine_end end, const char *why);
/* It was paused or runs again without having been asked: I/O error (libvirt's reason 5), watchdog (6),
 * crash (10), snapshot ... */
void machine_paused(struct dom *dom, int reason);
void machine_resumed(struct dom *dom);
void machine_rebooted(struct dom *dom);
void machine_shutting_down(struct dom *dom);
void machine_balloon_changed(struct dom *dom, uint64_t kib);
void machine_device_removed(struct dom *dom, const char *alias);
/* What its monitor tells, as it is; @details is JSON, or NULL. */
void machine_monitor_event(struct dom *dom, const char *event, const char *details);
/* The live definition has it afterwards. */
void machine_tray_moved(struct dom *dom, const char *alias, bool open);
void machine_io_error(struct dom *dom, const char *alias, const char *path, int action,
		      const char *reason);
/* A write has ended @excess bytes beyond what block_threshold() has set. */
void machine_block_threshold(struct dom *dom, unsigned disk, uint64_t threshold, uint64_t excess);
void machine_watchdog(struct dom *dom, int action);
/* @status: libvirt's, 0 completed, 1 failed, 2 cancelled, 3 ready. The live definition is changed
 * by the machine before it tells. */
void machine_block_job(struct dom *dom, unsigned disk, enum machine_block_job type, int status);
/* A disk of the live definition goes on in another image than @old: so does the configuration. */
void machine_image_changed(struct dom *dom, unsigned disk, const char *old);
/* The live definition or state() has changed: it is to be kept. */
void machine_changed(struct dom *dom);
/* The same; @task ends when it is kept. Not before start() has returned. */
void machine_keep(struct dom *dom, struct task *task);

#endif
