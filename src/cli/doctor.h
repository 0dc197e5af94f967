/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * doctor.h - what socle doctor has found, and says
 */
#ifndef CLI_DOCTOR_H
#define CLI_DOCTOR_H

#include <jansson.h>
#include <stdbool.h>

enum doctor_verdict {
	DOCTOR_OK,
	DOCTOR_NOTE,
	DOCTOR_WARNING, /* something that people want does not work */
	DOCTOR_PROBLEM, /* no machine runs here */
};

struct doctor {
	json_t *list; /* NULL: text for people */
	bool quiet;
	enum doctor_verdict worst;
};

/* @remedy may be NULL. */
void doctor_add(struct doctor *doctor, enum doctor_verdict verdict, const char *what,
		const char *found, const char *remedy);

/* doctor-host.c */
void doctor_host(struct doctor *doctor);

#endif
