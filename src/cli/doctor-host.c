/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * doctor-host.c - what socle doctor says of the host itself, by the room host
 */
#include "cli/doctor.h"
#include "host/doctor.h"

static enum doctor_verdict verdict_of(enum host_verdict verdict)
{
	switch (verdict) {
	case HOST_NOTE:
		return DOCTOR_NOTE;
	case HOST_WARNING:
		return DOCTOR_WARNING;
	case HOST_PROBLEM:
		return DOCTOR_PROBLEM;
	case HOST_OK:
	case HOST_VERDICT_COUNT:
	default:
		return DOCTOR_OK;
	}
}

void doctor_host(struct doctor *doctor)
{
	const struct host_doctor_config config = { .root = "/" };
	autoptr(host_doctor) found = host_doctor_new(&config);

	for (unsigned i = 0; i < found->count; i++) {
		const struct host_check *check = &found->checks[i];

		doctor_add(doctor, verdict_of(check->verdict), check->what, check->found,
			   check->remedy);
	}
}
