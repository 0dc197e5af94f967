/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * socle-device.h - devices of domains: disks, network cards, console, display; and what an agent in
 * the guest tells
 */
#ifndef CLIENT_SOCLE_DEVICE_H
#define CLIENT_SOCLE_DEVICE_H

#include <stdbool.h>
#include <stdint.h>

#include "client/socle-domain.h"
#include "client/socle-error.h"
#include "client/socle-params.h"
#include "client/socle-stream.h"

/* Besides enum socle_affect_flags. */
enum socle_device_flags {
	SOCLE_DEVICE_FORCE = 1 << 2,
};

/* == Hot plug == */

/**
 * socle_domain_attach_device() - add a device
 * @dom:   the domain
 * @xml:   the device, as in a definition
 * @flags: enum socle_affect_flags
 * @error: says why not
 *
 * Return: 0, or -1
 */
SOCLE_API int socle_domain_attach_device(struct socle_domain *dom, const char *xml, unsigned flags,
					 struct socle_error **error);

/**
 * socle_domain_detach_device() - ask for a device to go; SOCLE_EVENT_DEVICE_REMOVED tells when it has
 * @dom:   the domain
 * @xml:   as much of it as says which
 * @flags: enum socle_affect_flags
 * @error: says why not
 *
 * Return: 0, or -1
 */
SOCLE_API int socle_domain_detach_device(struct socle_domain *dom, const char *xml, unsigned flags,
					 struct socle_error **error);

/**
 * socle_domain_detach_device_alias() - the same by its alias
 * @dom:   the domain
 * @alias: such as "net0"
 * @flags: enum socle_affect_flags
 * @error: says why not
 *
 * Return: 0, or -1
 */
SOCLE_API int socle_domain_detach_device_alias(struct socle_domain *dom, const char *alias,
					       unsigned flags, struct socle_error **error);

/**
 * socle_domain_update_device() - change a device, such as the medium of a CD drive
 * @dom:   the domain
 * @xml:   what it is to be
 * @flags: enum socle_affect_flags, enum socle_device_flags
 * @error: says why not
 *
 * Return: 0, or -1
 */
SOCLE_API int socle_domain_update_device(struct socle_domain *dom, const char *xml, unsigned flags,
					 struct socle_error **error);

/* == Disks == */

/* For socle_domain_block_stats(); -1: not known. */
struct socle_block_stats {
	int64_t rd_req;
	int64_t rd_bytes;
	int64_t wr_req;
	int64_t wr_bytes;
	int64_t errs;
};

/**
 * socle_domain_block_stats() - what a disk has done
 * @dom:       the domain, which runs
 * @disk:      its target, or its path; "" for all together
 * @ret_stats: set on success
 * @error:     says why not
 *
 * Return: 0, or -1
 */
SOCLE_API int socle_domain_block_stats(struct socle_domain *dom, const char *disk,
				       struct socle_block_stats *ret_stats,
				       struct socle_error **error);

/**
 * socle_domain_block_stats_params() - the same with all that is known
 * @dom:   the domain, which runs
 * @disk:  its target, or its path; "" for all together
 * @flags: 0
 * @error: says why not
 *
 * Return: for socle_params_free(); NULL on failure
 */
SOCLE_API struct socle_params *socle_domain_block_stats_params(struct socle_domain *dom,
							       const char *disk, unsigned flags,
							       struct socle_error **error);

/* For socle_domain_block_info(), in bytes. */
struct socle_block_info {
	uint64_t capacity;   /* as the guest sees it */
	uint64_t allocation; /* highest offset that is in use */
	uint64_t physical;   /* size of the file or device */
};

/**
 * socle_domain_block_info() - sizes of a disk
 * @dom:      the domain
 * @disk:     its target, or its path
 * @flags:    0
 * @ret_info: set on success
 * @error:    says why not
 *
 * Return: 0, or -1
 */
SOCLE_API int socle_domain_block_info(struct socle_domain *dom, const char *disk, unsigned flags,
				      struct socle_block_info *ret_info,
				      struct socle_error **error);

enum socle_block_resize_flags {
	SOCLE_BLOCK_RESIZE_BYTES = 1 << 0, /* size is in bytes, not in KiB */
};

/**
 * socle_domain_block_resize() - change the size of a disk
 * @dom:   the domain, which runs
 * @disk:  its target, or its path
 * @size:  in KiB, or in bytes
 * @flags: enum socle_block_resize_flags
 * @error: says why not
 *
 * Return: 0, or -1
 */
SOCLE_API int socle_domain_block_resize(struct socle_domain *dom, const char *disk, uint64_t size,
					unsigned flags, struct socle_error **error);

/* A disk that has failed. */
struct socle_disk_error {
	char *disk; /* its target */
	int error;  /* 1 not known, 2 no space */
};

/**
 * socle_domain_disk_errors() - disks that have failed
 * @dom:        the domain, which runs
 * @flags:      0
 * @ret_errors: one without a disk behind the last; for socle_disk_errors_free()
 * @error:      says why not
 *
 * Return: how many, or -1
 */
SOCLE_API int socle_domain_disk_errors(struct socle_domain *dom, unsigned flags,
				       struct socle_disk_error **ret_errors,
				       struct socle_error **error);

/**
 * socle_disk_errors_free() - give them back
 * @errors: may be NULL
 */
SOCLE_API void socle_disk_errors_free(struct socle_disk_error *errors);

/**
 * socle_domain_set_block_threshold() - be told when a disk grows beyond an offset
 * @dom:       the domain, which runs
 * @disk:      its target
 * @threshold: in bytes
 * @flags:     0
 * @error:     says why not
 *
 * Return: 0, or -1
 */
SOCLE_API int socle_domain_set_block_threshold(struct socle_domain *dom, const char *disk,
					       uint64_t threshold, unsigned flags,
					       struct socle_error **error);

/**
 * socle_domain_block_peek() - read a disk
 * @dom:    the domain
 * @disk:   its target, or its path
 * @offset: from its start
 * @size:   how many bytes, at most 4 MiB
 * @buffer: where they go
 * @error:  says why not
 *
 * Return: 0, or -1
 */
SOCLE_API int socle_domain_block_peek(struct socle_domain *dom, const char *disk, uint64_t offset,
				      unsigned size, void *buffer, struct socle_error **error);

enum socle_memory_peek_flags {
	SOCLE_MEMORY_PEEK_VIRTUAL = 1 << 0,
	SOCLE_MEMORY_PEEK_PHYSICAL = 1 << 1,
};

/**
 * socle_domain_memory_peek() - read its memory
 * @dom:     the domain, which runs
 * @address: in the guest
 * @size:    how many bytes, at most 4 MiB
 * @flags:   one of enum socle_memory_peek_flags
 * @buffer:  where they go
 * @error:   says why not
 *
 * Return: 0, or -1
 */
SOCLE_API int socle_domain_memory_peek(struct socle_domain *dom, uint64_t address, unsigned size,
				       unsigned flags, void *buffer, struct socle_error **error);

/* == Jobs of disks == */

enum socle_block_job_type {
	SOCLE_BLOCK_JOB_UNKNOWN = 0,
	SOCLE_BLOCK_JOB_PULL = 1,
	SOCLE_BLOCK_JOB_COPY = 2,
	SOCLE_BLOCK_JOB_COMMIT = 3,
	SOCLE_BLOCK_JOB_ACTIVE_COMMIT = 4,
	SOCLE_BLOCK_JOB_BACKUP = 5,
};

enum socle_block_commit_flags {
	SOCLE_BLOCK_COMMIT_SHALLOW = 1 << 0, /* into the image right behind */
	SOCLE_BLOCK_COMMIT_DELETE = 1 << 1,
	SOCLE_BLOCK_COMMIT_ACTIVE = 1 << 2,
	SOCLE_BLOCK_COMMIT_RELATIVE = 1 << 3,
	SOCLE_BLOCK_COMMIT_BANDWIDTH_BYTES = 1 << 4,
};

enum socle_block_rebase_flags {
	SOCLE_BLOCK_REBASE_SHALLOW = 1 << 0,
	SOCLE_BLOCK_REBASE_REUSE_EXT = 1 << 1,
	SOCLE_BLOCK_REBASE_COPY_RAW = 1 << 2,
	SOCLE_BLOCK_REBASE_COPY = 1 << 3,
	SOCLE_BLOCK_REBASE_RELATIVE = 1 << 4,
	SOCLE_BLOCK_REBASE_COPY_DEV = 1 << 5,
	SOCLE_BLOCK_REBASE_BANDWIDTH_BYTES = 1 << 6, /* also for socle_domain_block_pull() */
};

enum socle_block_copy_flags {
	SOCLE_BLOCK_COPY_SHALLOW = 1 << 0,
	SOCLE_BLOCK_COPY_REUSE_EXT = 1 << 1,
	SOCLE_BLOCK_COPY_TRANSIENT_JOB = 1 << 2,
	SOCLE_BLOCK_COPY_SYNCHRONOUS_WRITES = 1 << 3,
};

enum socle_block_job_abort_flags {
	SOCLE_BLOCK_JOB_ABORT_ASYNC = 1 << 0, /* do not wait */
	SOCLE_BLOCK_JOB_ABORT_PIVOT = 1 << 1, /* go on with the copy */
};

/**
 * socle_domain_block_commit() - move data from images to one that stands behind them
 * @dom:       the domain, which runs
 * @disk:      its target, or its path
 * @base:      where to; NULL: the last one
 * @top:       from where; NULL: the first one
 * @bandwidth: MiB/s, 0: no limit
 * @flags:     enum socle_block_commit_flags
 * @error:     says why not
 *
 * Return: 0, or -1
 */
SOCLE_API int socle_domain_block_commit(struct socle_domain *dom, const char *disk,
					const char *base, const char *top, uint64_t bandwidth,
					unsigned flags, struct socle_error **error);

/**
 * socle_domain_block_pull() - move data from all images behind to the first one
 * @dom:       the domain, which runs
 * @disk:      its target, or its path
 * @bandwidth: MiB/s, 0: no limit
 * @flags:     SOCLE_BLOCK_REBASE_BANDWIDTH_BYTES or 0
 * @error:     says why not
 *
 * Return: 0, or -1
 */
SOCLE_API int socle_domain_block_pull(struct socle_domain *dom, const char *disk,
				      uint64_t bandwidth, unsigned flags,
				      struct socle_error **error);

/**
 * socle_domain_block_rebase() - the same down to an image that stays behind, or a copy
 * @dom:       the domain, which runs
 * @disk:      its target, or its path
 * @base:      what stays, or where the copy goes; may be NULL
 * @bandwidth: MiB/s, 0: no limit
 * @flags:     enum socle_block_rebase_flags
 * @error:     says why not
 *
 * Return: 0, or -1
 */
SOCLE_API int socle_domain_block_rebase(struct socle_domain *dom, const char *disk,
					const char *base, uint64_t bandwidth, unsigned flags,
					struct socle_error **error);

/**
 * socle_domain_block_copy() - copy a disk while it is written to
 * @dom:    the domain, which runs
 * @disk:   its target, or its path
 * @xml:    a <disk>: where to
 * @params: "bandwidth", "granularity", "buf-size"; may be NULL
 * @flags:  enum socle_block_copy_flags
 * @error:  says why not
 *
 * Return: 0, or -1
 */
SOCLE_API int socle_domain_block_copy(struct socle_domain *dom, const char *disk, const char *xml,
				      const struct socle_params *params, unsigned flags,
				      struct socle_error **error);

/**
 * socle_domain_block_job_abort() - end the job of a disk
 * @dom:   the domain, which runs
 * @disk:  its target, or its path
 * @flags: enum socle_block_job_abort_flags
 * @error: says why not
 *
 * Return: 0, or -1
 */
SOCLE_API int socle_domain_block_job_abort(struct socle_domain *dom, const char *disk,
					   unsigned flags, struct socle_error **error);

/* For socle_domain_block_job_info(). */
struct socle_block_job_info {
	enum socle_block_job_type type;
	uint64_t bandwidth; /* MiB/s, or bytes/s if flags is 1; 0: no limit */
	uint64_t cur;
	uint64_t end; /* it is done when cur is end */
};

/**
 * socle_domain_block_job_info() - how far the job of a disk is
 * @dom:      the domain, which runs
 * @disk:     its target, or its path
 * @flags:    1: bandwidth in bytes
 * @ret_info: set if there is one
 * @error:    says why not
 *
 * Return: 1, 0 if it has no job, or -1
 */
SOCLE_API int socle_domain_block_job_info(struct socle_domain *dom, const char *disk,
					  unsigned flags, struct socle_block_job_info *ret_info,
					  struct socle_error **error);

/**
 * socle_domain_block_job_set_speed() - how fast it may be
 * @dom:       the domain, which runs
 * @disk:      its target, or its path
 * @bandwidth: MiB/s, 0: no limit
 * @flags:     1: bandwidth in bytes
 * @error:     says why not
 *
 * Return: 0, or -1
 */
SOCLE_API int socle_domain_block_job_set_speed(struct socle_domain *dom, const char *disk,
					       uint64_t bandwidth, unsigned flags,
					       struct socle_error **error);

/* == Network cards == */

/* For socle_domain_interface_stats(); -1: not known. */
struct socle_interface_stats {
	int64_t rx_bytes, rx_packets, rx_errs, rx_drop;
	int64_t tx_bytes, tx_packets, tx_errs, tx_drop;
};

/**
 * socle_domain_interface_stats() - what a network card has done
 * @dom:       the domain, which runs
 * @device:    its name on the host, or its MAC address
 * @ret_stats: set on success
 * @error:     says why not
 *
 * Return: 0, or -1
 */
SOCLE_API int socle_domain_interface_stats(struct socle_domain *dom, const char *device,
					   struct socle_interface_stats *ret_stats,
					   struct socle_error **error);

enum socle_address_source {
	SOCLE_ADDRESS_LEASE = 0, /* of the network's DHCP server */
	SOCLE_ADDRESS_AGENT = 1,
	SOCLE_ADDRESS_ARP = 2,
};

/* An address of a network card. */
struct socle_address {
	int type; /* 0 IPv4, 1 IPv6 */
	char *address;
	unsigned prefix;
};

/* A network card and its addresses. */
struct socle_interface {
	char *name;
	char *mac; /* or NULL */
	struct socle_address *addresses;
	unsigned count;
};

/**
 * socle_domain_interface_addresses() - addresses of a domain that runs
 * @dom:        the domain
 * @source:     enum socle_address_source
 * @flags:      0
 * @ret_ifaces: one without a name behind the last; for socle_interfaces_free()
 * @error:      says why not
 *
 * Return: how many network cards, or -1
 */
SOCLE_API int socle_domain_interface_addresses(struct socle_domain *dom, unsigned source,
					       unsigned flags, struct socle_interface **ret_ifaces,
					       struct socle_error **error);

/**
 * socle_interfaces_free() - give them back
 * @ifaces: may be NULL
 */
SOCLE_API void socle_interfaces_free(struct socle_interface *ifaces);

/* == What the guest says == */

enum socle_hostname_flags {
	SOCLE_HOSTNAME_LEASE = 1 << 0,
	SOCLE_HOSTNAME_AGENT = 1 << 1,
};

/**
 * socle_domain_hostname() - the guest's host name
 * @dom:   the domain, which runs
 * @flags: enum socle_hostname_flags; 0: as the server likes
 * @error: says why not
 *
 * Return: for free(3); NULL on failure
 */
SOCLE_API char *socle_domain_hostname(struct socle_domain *dom, unsigned flags,
				      struct socle_error **error);

enum socle_guest_info_kinds {
	SOCLE_GUEST_INFO_USERS = 1 << 0,
	SOCLE_GUEST_INFO_OS = 1 << 1,
	SOCLE_GUEST_INFO_TIMEZONE = 1 << 2,
	SOCLE_GUEST_INFO_HOSTNAME = 1 << 3,
	SOCLE_GUEST_INFO_FILESYSTEM = 1 << 4,
	SOCLE_GUEST_INFO_DISKS = 1 << 5,
	SOCLE_GUEST_INFO_INTERFACES = 1 << 6,
};

/**
 * socle_domain_guest_info() - what the agent tells
 * @dom:   the domain, which runs
 * @kinds: enum socle_guest_info_kinds; 0: all
 * @flags: 0
 * @error: says why not
 *
 * Return: for socle_params_free(); NULL on failure
 */
SOCLE_API struct socle_params *socle_domain_guest_info(struct socle_domain *dom, unsigned kinds,
						       unsigned flags, struct socle_error **error);

/* A file system that the guest has mounted. */
struct socle_fsinfo {
	char *mountpoint;
	char *name;
	char *fstype;
	char **disks; /* targets; a NULL behind the last */
};

/**
 * socle_domain_fsinfo() - file systems that the guest has mounted
 * @dom:      the domain, which runs
 * @flags:    0
 * @ret_info: one without a mount point behind the last; for socle_fsinfo_free()
 * @error:    says why not
 *
 * Return: how many, or -1
 */
SOCLE_API int socle_domain_fsinfo(struct socle_domain *dom, unsigned flags,
				  struct socle_fsinfo **ret_info, struct socle_error **error);

/**
 * socle_fsinfo_free() - give them back
 * @info: may be NULL
 */
SOCLE_API void socle_fsinfo_free(struct socle_fsinfo *info);

/**
 * socle_domain_fstrim() - let the guest tell its disks what it does not use
 * @dom:        the domain, which runs
 * @mountpoint: of which file system; NULL: of all
 * @minimum:    leave alone what has fewer bytes
 * @flags:      0
 * @error:      says why not
 *
 * Return: 0, or -1
 */
SOCLE_API int socle_domain_fstrim(struct socle_domain *dom, const char *mountpoint,
				  uint64_t minimum, unsigned flags, struct socle_error **error);

/**
 * socle_domain_fsfreeze() - let the guest write all out and hold still
 * @dom:         the domain, which runs
 * @mountpoints: of these file systems, a NULL behind the last; NULL: of all
 * @flags:       0
 * @error:       says why not
 *
 * Return: how many, or -1
 */
SOCLE_API int socle_domain_fsfreeze(struct socle_domain *dom, const char *const *mountpoints,
				    unsigned flags, struct socle_error **error);

/**
 * socle_domain_fsthaw() - let it go on
 * @dom:         the domain, which runs
 * @mountpoints: of these file systems, a NULL behind the last; NULL: of all
 * @flags:       0
 * @error:       says why not
 *
 * Return: how many, or -1
 */
SOCLE_API int socle_domain_fsthaw(struct socle_domain *dom, const char *const *mountpoints,
				  unsigned flags, struct socle_error **error);

/**
 * socle_domain_get_time() - the guest's clock
 * @dom:             the domain, which runs
 * @flags:           0
 * @ret_seconds:     since 1970
 * @ret_nanoseconds: and these
 * @error:           says why not
 *
 * Return: 0, or -1
 */
SOCLE_API int socle_domain_get_time(struct socle_domain *dom, unsigned flags, int64_t *ret_seconds,
				    unsigned *ret_nanoseconds, struct socle_error **error);

/**
 * socle_domain_set_time() - set it
 * @dom:         the domain, which runs
 * @seconds:     since 1970
 * @nanoseconds: and these
 * @flags:       1: from its real-time clock instead
 * @error:       says why not
 *
 * Return: 0, or -1
 */
SOCLE_API int socle_domain_set_time(struct socle_domain *dom, int64_t seconds, unsigned nanoseconds,
				    unsigned flags, struct socle_error **error);

/**
 * socle_domain_set_user_password() - change a password in the guest
 * @dom:      the domain, which runs
 * @user:     whose
 * @password: the new one
 * @flags:    1: it is hashed already
 * @error:    says why not
 *
 * Return: 0, or -1
 */
SOCLE_API int socle_domain_set_user_password(struct socle_domain *dom, const char *user,
					     const char *password, unsigned flags,
					     struct socle_error **error);

/* == Keys, console, display == */

enum socle_keycode_set {
	SOCLE_KEYCODE_LINUX = 0,
	SOCLE_KEYCODE_XT = 1,
	SOCLE_KEYCODE_ATSET1 = 2,
	SOCLE_KEYCODE_ATSET2 = 3,
	SOCLE_KEYCODE_ATSET3 = 4,
	SOCLE_KEYCODE_OSX = 5,
	SOCLE_KEYCODE_XT_KBD = 6,
	SOCLE_KEYCODE_USB = 7,
	SOCLE_KEYCODE_WIN32 = 8,
	SOCLE_KEYCODE_QNUM = 9,
};

/**
 * socle_domain_send_key() - press keys together
 * @dom:     the domain, which runs
 * @set:     enum socle_keycode_set
 * @hold_ms: for how long
 * @keys:    which
 * @count:   how many, at most 16
 * @flags:   0
 * @error:   says why not
 *
 * Return: 0, or -1
 */
SOCLE_API int socle_domain_send_key(struct socle_domain *dom, unsigned set, unsigned hold_ms,
				    const unsigned *keys, unsigned count, unsigned flags,
				    struct socle_error **error);

/**
 * socle_domain_inject_nmi() - a non-maskable interrupt
 * @dom:   the domain, which runs
 * @flags: 0
 * @error: says why not
 *
 * Return: 0, or -1
 */
SOCLE_API int socle_domain_inject_nmi(struct socle_domain *dom, unsigned flags,
				      struct socle_error **error);

enum socle_console_flags {
	SOCLE_CONSOLE_FORCE = 1 << 0, /* whoever has it loses it */
	SOCLE_CONSOLE_SAFE = 1 << 1,
};

/**
 * socle_domain_console() - talk to a serial port or console
 * @dom:          the domain, which runs
 * @device:       its alias; NULL: the first one
 * @flags:        enum socle_console_flags
 * @stream_flags: enum socle_stream_flags
 * @error:        says why not
 *
 * Return: for socle_stream_unref(); NULL on failure
 */
SOCLE_API struct socle_stream *socle_domain_console(struct socle_domain *dom, const char *device,
						    unsigned flags, unsigned stream_flags,
						    struct socle_error **error);

/**
 * socle_domain_channel() - talk to a virtio channel
 * @dom:          the domain, which runs
 * @name:         its name; NULL: the first one
 * @flags:        1: whoever has it loses it
 * @stream_flags: enum socle_stream_flags
 * @error:        says why not
 *
 * Return: for socle_stream_unref(); NULL on failure
 */
SOCLE_API struct socle_stream *socle_domain_channel(struct socle_domain *dom, const char *name,
						    unsigned flags, unsigned stream_flags,
						    struct socle_error **error);

/**
 * socle_domain_screenshot() - what is on its screen, to be received
 * @dom:          the domain, which runs
 * @screen:       from 0
 * @flags:        0
 * @stream_flags: enum socle_stream_flags
 * @ret_mime:     what comes, such as "image/png", for free(3); "" if the server does not say
 * @error:        says why not
 *
 * Return: for socle_stream_unref(); NULL on failure
 */
SOCLE_API struct socle_stream *socle_domain_screenshot(struct socle_domain *dom, unsigned screen,
						       unsigned flags, unsigned stream_flags,
						       char **ret_mime, struct socle_error **error);

enum socle_graphics_flags {
	SOCLE_GRAPHICS_SKIPAUTH = 1 << 0, /* without its password */
};

/**
 * socle_domain_graphics_fd() - a socket to its display; Unix sockets only
 * @dom:   the domain, which runs
 * @index: which display, from 0
 * @flags: enum socle_graphics_flags
 * @error: says why not
 *
 * Return: a descriptor for close(2), or -1
 */
SOCLE_API int socle_domain_graphics_fd(struct socle_domain *dom, unsigned index, unsigned flags,
				       struct socle_error **error);

#endif
