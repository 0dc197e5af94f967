/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * check-int.h - the step check, by parts
 *
 * Every refusal is one sentence: what, why, and what to do. A device is essential if the guest would
 * miss its data or its network: it is honoured, mapped or refused. The others may be left out.
 */
#ifndef MODEL_CHECK_INT_H
#define MODEL_CHECK_INT_H

#include <glib.h>

#include "base/error.h"
#include "model/domain.h"

struct check {
	struct domain *domain;       /* what is judged */
	const struct domain *others; /* the domain that a device is to be plugged into, or NULL */
	const struct support *support;
	unsigned flags;
	struct notes *notes;
	GError **error;
};

/* What cannot be honoured. Returns false. */
bool refuse(const struct check *c, const char *fmt, ...) G_GNUC_PRINTF(2, 3);
/* What makes no sense. Returns false. */
bool wrong(const struct check *c, const char *fmt, ...) G_GNUC_PRINTF(2, 3);
/* What this host lacks at the moment: an error when a machine is to start, else a note. */
bool lacking(const struct check *c, const char *fmt, ...) G_GNUC_PRINTF(2, 3);

/* Elements that were kept as they are, and what they mean for a machine. */
struct kept {
	const char *raw;
	const char *what;   /* "<x> of disk 'vda'" is made of it */
	const char *refuse; /* a reason and a remedy, or NULL: it has no effect */
};
bool check_kept(const struct check *c, const char *of, const struct kept *list, size_t count);

bool is_one_of(const char *text, const char *const *words);
bool is_mac(const char *text);
bool is_cpuset(const char *text);

bool check_disks(struct check *c);
bool check_interfaces(struct check *c);
bool check_chars(struct check *c);
bool check_display(struct check *c);
bool check_other_devices(struct check *c);
/* Of all devices: addresses. */
bool check_addresses(struct check *c);

#endif
