/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * socle-guest.h - what an agent in the guest tells and does
 */
#ifndef CLIENT_SOCLE_GUEST_H
#define CLIENT_SOCLE_GUEST_H

#include <stdbool.h>
#include <stdint.h>

#include "client/socle-domain.h"
#include "client/socle-error.h"
#include "client/socle-params.h"

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

#endif
