/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * doctor.h - what this host can and cannot do for machines, each with the remedy
 *
 * For who prints it: data, no output. Nothing is changed: devices are opened and closed again.
 *
 * Threads: any.
 */
#ifndef HOST_DOCTOR_H
#define HOST_DOCTOR_H

#include "base/cleanup.h"

enum host_verdict {
	HOST_OK,
	HOST_NOTE,    /* some people want it */
	HOST_WARNING, /* it works, less well than it should */
	HOST_PROBLEM, /* no machine runs like this */
	HOST_VERDICT_COUNT
};

struct host_check {
	enum host_verdict verdict;
	const char *what;   /* a word or two: "KVM" */
	char *found;        /* one sentence, lower case, no full stop */
	const char *remedy; /* what to do; NULL: nothing */
};

struct host_doctor_config {
	const char *root;      /* "/" but for tests */
	const char *state_dir; /* where the daemon keeps definitions; NULL: not looked at */
	const char *user;      /* that machines run as; NULL: not looked at */
};

struct host_doctor {
	struct host_check *checks;
	unsigned count;
	enum host_verdict worst;
};

struct host_doctor *host_doctor_new(const struct host_doctor_config *config);
void host_doctor_free(struct host_doctor *doctor);
DEFINE_AUTOPTR(host_doctor, host_doctor_free);

#endif
